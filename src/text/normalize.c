/*
 * normalize.c
 *		Clean text, and keys for comparing text.
 *
 * Two strengths, because two questions are asked:
 *
 * - ssot.normalize_text() mends what nobody meant: no-break spaces, carriage
 *	 returns, zero-width characters, full-width letters, decomposed accents.
 *	 Its result is a value to store and show; case and accents stay.
 * - ssot.normalize_key() answers "is this the same text?".  Its result is for
 *	 comparing only: folded case, plain ASCII letters.
 *
 * The usual value of a warehouse is ASCII and in order.  It is recognised in
 * one pass over its bytes, and the very same datum is returned.
 */
#include "postgres.h"

#include "ssot.h"

#include "utils/builtins.h"

#include "text/chars.h"
#include "text/normalize.h"
#include "text/unicode.h"

PG_FUNCTION_INFO_V1(ssot_normalize_text);
PG_FUNCTION_INFO_V1(ssot_normalize_key);
PG_FUNCTION_INFO_V1(ssot_normalize_company);
PG_FUNCTION_INFO_V1(ssot_normalize_person);

typedef const char *(*Normalizer) (const char *s, int len, int *outlen);

/*
 * ASCII, no control characters, no space at the ends, none doubled?
 */
static bool
is_clean_ascii(const char *s, int len)
{
	unsigned char previous = ' ';

	for (int i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) s[i];

		/* one test sends every printable character but space on its way */
		if ((unsigned char) (c - '!') > (unsigned char) ('~' - '!') &&
			(c != ' ' || previous == ' '))
			return false;
		previous = c;
	}
	return previous != ' ';
}

/* The like for keys: and no capitals. */
static bool
is_key_ascii(const char *s, int len)
{
	if (!is_clean_ascii(s, len))
		return false;
	for (int i = 0; i < len; i++)
		if (ssot_ascii_is_upper((unsigned char) s[i]))
			return false;
	return true;
}

/* Is the character that begins at s, if any, a letter-like non-ASCII one? */
static bool
joins_here(const char *s, int len)
{
	int			n;

	return len > 0 && (unsigned char) *s >= 0x80 &&
		ssot_char_class(ssot_utf8_decode(s, len, &n)) == SSOT_CHAR_ORDINARY;
}

/*
 * White space and control characters become one space, invisible characters
 * go, ends are trimmed.  Joiners stay between two non-ASCII characters, where
 * they are spelling, unless the caller wants none.
 *
 * The result never has more bytes than the input.
 */
const char *
ssot_utf8_clean(const char *s, int len, bool drop_joiners, int *outlen)
{
	char	   *out = palloc(len + 1);
	int			n = 0;
	bool		space = false;
	bool		after_wide = false; /* last character kept is non-ASCII */

	if (is_clean_ascii(s, len))
	{
		memcpy(out, s, len);
		out[len] = '\0';
		*outlen = len;
		return out;
	}
	for (int i = 0; i < len;)
	{
		int			charlen;
		uint32		cp = ssot_utf8_decode(s + i, len - i, &charlen);

		switch (ssot_char_class(cp))
		{
			case SSOT_CHAR_SPACE:
				space = true;
				break;
			case SSOT_CHAR_INVISIBLE:
				break;
			case SSOT_CHAR_JOINER:
				if (drop_joiners || space || !after_wide ||
					!joins_here(s + i + charlen, len - i - charlen))
					break;
				/* FALLTHROUGH */
			case SSOT_CHAR_ORDINARY:
				if (space && n > 0)
					out[n++] = ' ';
				space = false;
				after_wide = cp >= 0x80;
				memcpy(out + n, s + i, charlen);
				n += charlen;
				break;
		}
		i += charlen;
	}
	out[n] = '\0';
	*outlen = n;
	return out;
}

/*
 * Clean text; see ssot.normalize_text() in ssot--1.0.sql for what it means.
 *
 * Cleaning goes before NFKC, so that an accent behind a zero-width character
 * finds its letter, and after it, because NFKC makes spaces of its own.  What
 * cleaning takes away then (a joiner beside what has become ASCII) may again
 * have stood between a letter and its accent, hence the loop; each round
 * removes bytes.
 */
const char *
ssot_text_clean(const char *s, int len, int *outlen)
{
	const char *u;
	int			n;

	*outlen = len;
	if (len == 0)
		return NULL;
	if (is_clean_ascii(s, len))
		return s;

	u = ssot_utf8_from_server(s, len, &n);
	u = ssot_utf8_clean(u, n, false, &n);
	while (!ssot_is_ascii(u, n))
	{
		int			before;

		u = ssot_nfkc(u, n, &before);
		u = ssot_utf8_clean(u, before, false, &n);
		if (n == before)
			break;
	}
	if (n == 0)
		return NULL;
	return ssot_utf8_to_server(u, n, outlen);
}

/* One round of folding and transliteration. */
static const char *
utf8_key_once(const char *s, int len, int *outlen)
{
	char	   *lower;
	const char *u = s;
	int			n = len;

	if (!ssot_is_ascii(u, n))
	{
		u = ssot_nfkc_fold(u, n, &n);
		u = ssot_latin_ascii(u, n, &n);
	}
	u = ssot_utf8_clean(u, n, true, outlen);
	lower = unconstify(char *, u);
	for (int i = 0; i < *outlen; i++)
		lower[i] = ssot_ascii_lower(lower[i]);
	return lower;
}

/*
 * The key of a UTF-8 string: UTF-8, usually ASCII; length 0 if nothing is
 * left.
 *
 * A few characters need a second round (the first makes letters that only
 * then can be folded); a key must be its own key, so rounds are made until
 * nothing changes.  Four is more than any character of Unicode 15 needs.
 */
const char *
ssot_utf8_key(const char *s, int len, int *outlen)
{
	const char *u;

	/* nearly every text: nothing to do but to fold capitals */
	if (is_clean_ascii(s, len))
	{
		char	   *lower = palloc(len + 1);

		for (int i = 0; i < len; i++)
			lower[i] = ssot_ascii_lower(s[i]);
		lower[len] = '\0';
		*outlen = len;
		return lower;
	}
	u = ssot_utf8_clean(s, len, true, &len);
	for (int round = 0; round < 4; round++)
	{
		int			n;
		const char *next = utf8_key_once(u, len, &n);
		bool		same = (n == len && memcmp(next, u, n) == 0);

		u = next;
		len = n;
		if (same || ssot_is_ascii(u, len))
			break;
	}
	*outlen = len;
	return u;
}

/* A key for comparing text; see ssot.normalize_key(). */
const char *
ssot_text_key(const char *s, int len, int *outlen)
{
	const char *u;
	int			n;

	*outlen = len;
	if (len == 0)
		return NULL;
	if (is_key_ascii(s, len))
		return s;

	u = ssot_utf8_from_server(s, len, &n);
	u = ssot_utf8_key(u, n, &n);
	if (n == 0)
		return NULL;
	return ssot_utf8_to_server(u, n, outlen);
}

/*
 * Append the words of a key, one space between them: letters, digits and
 * non-ASCII characters.  Apostrophes vanish ("l'oreal" is "loreal"), all
 * other punctuation parts words.
 *
 * For companies also: full stops vanish, "&" is "and", and lone letters in a
 * row are one word, so that "S.A.", "S. A." and "SA" are one spelling.
 */
void
ssot_utf8_words(StringInfo out, const char *key, int len, SsotWordStyle style)
{
	bool		company = (style == SSOT_WORDS_COMPANY);
	bool		lone = false;	/* last word is lone letters */
	int			i = 0;

	while (i < len)
	{
		int			start = out->len;
		int			letters = 0;
		bool		ascii = true;

		/* between words */
		while (i < len && (unsigned char) key[i] < 0x80 &&
			   !ssot_ascii_is_alnum((unsigned char) key[i]) &&
			   !(company && key[i] == '&'))
			i++;
		if (i >= len)
			break;
		if (out->len > 0)
			appendStringInfoChar(out, ' ');

		if (key[i] == '&')
		{
			appendStringInfoString(out, "and");
			i++;
			lone = false;
			continue;
		}
		for (; i < len; i++)
		{
			unsigned char c = (unsigned char) key[i];

			if (c == '\'' || c == '`' || (company && c == '.'))
				continue;
			if (c < 0x80 && !ssot_ascii_is_alnum(c))
				break;
			ascii = ascii && ssot_ascii_is_alpha(c);
			letters++;
			appendStringInfoChar(out, key[i]);
		}
		if (company && letters == 1 && ascii)
		{
			if (lone && start > 0)
			{
				/* take away the space that was just put before it */
				out->data[start] = out->data[start + 1];
				out->data[--out->len] = '\0';
			}
			lone = true;
		}
		else
			lone = false;
	}
}

static Datum
normalize(FunctionCallInfo fcinfo, Normalizer normalizer)
{
	text	   *in = PG_GETARG_TEXT_PP(0);
	const char *s = VARDATA_ANY(in);
	int			len = VARSIZE_ANY_EXHDR(in);
	int			outlen;
	const char *out = normalizer(s, len, &outlen);

	if (out == NULL)
		PG_RETURN_NULL();
	if (out == s && outlen == len)
		PG_RETURN_TEXT_P(in);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, outlen));
}

Datum
ssot_normalize_text(PG_FUNCTION_ARGS)
{
	return normalize(fcinfo, ssot_text_clean);
}

Datum
ssot_normalize_key(PG_FUNCTION_ARGS)
{
	return normalize(fcinfo, ssot_text_key);
}

Datum
ssot_normalize_company(PG_FUNCTION_ARGS)
{
	return normalize(fcinfo, ssot_company_key);
}

Datum
ssot_normalize_person(PG_FUNCTION_ARGS)
{
	return normalize(fcinfo, ssot_person_key);
}
