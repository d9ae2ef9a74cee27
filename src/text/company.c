/*
 * company.c
 *		Keys of company names: the same company, however its name is written.
 *
 * "Müller & Söhne GmbH & Co. KG", "MUELLER..." no: a key mends what spelling
 * rules leave open (case, accents, punctuation, the legal form), not what
 * people spell differently; that is the matching engine's work.
 *
 *	 1. Fold (NFKC_Casefold).
 *	 2. Strip native legal forms, which stick to the name: 株式会社トヨタ.
 *	 3. Transliterate to ASCII and cut into words: "s.a." is "sa".
 *	 4. Strip Latin legal forms, longest first, at the end and, where a country
 *		writes them so, at the beginning ("ООО Ромашка"), until none is left.
 *	 5. Strip a leading "the" and a trailing "and".
 *
 * No step may take the last word: "Limited" is a company of that name, and
 * "Limited Ltd." is the same one.
 */
#include "postgres.h"

#include "ssot.h"

#include "utils/memutils.h"

#include "text/chars.h"
#include "text/legal_forms.h"
#include "text/normalize.h"
#include "text/unicode.h"

/*
 * Latin forms by their last character (for forms after the name) and by their
 * first (for those before it): chains of indexes into ssot_latin_forms.
 */
static int16 form_by_last[256];
static int16 form_by_first[256];
static int16 *next_by_last = NULL;
static int16 *next_by_first = NULL;

/* The native forms, folded as the names are. */
static const char **native_folded = NULL;

static void
index_latin_forms(void)
{
	int16	   *last,
			   *first;

	if (next_by_last != NULL)
		return;
	last = MemoryContextAlloc(TopMemoryContext, ssot_latin_form_count * sizeof(int16));
	first = MemoryContextAlloc(TopMemoryContext, ssot_latin_form_count * sizeof(int16));
	memset(form_by_last, -1, sizeof(form_by_last));
	memset(form_by_first, -1, sizeof(form_by_first));
	for (int i = 0; i < ssot_latin_form_count; i++)
	{
		const char *form = ssot_latin_forms[i].form;
		unsigned char c;

		if (ssot_latin_forms[i].place & SSOT_FORM_AFTER)
		{
			c = (unsigned char) form[strlen(form) - 1];
			last[i] = form_by_last[c];
			form_by_last[c] = i;
		}
		if (ssot_latin_forms[i].place & SSOT_FORM_BEFORE)
		{
			c = (unsigned char) form[0];
			first[i] = form_by_first[c];
			form_by_first[c] = i;
		}
	}
	next_by_first = first;
	next_by_last = last;
}

static void
fold_native_forms(void)
{
	const char **folded;

	if (native_folded != NULL)
		return;
	folded = MemoryContextAlloc(TopMemoryContext, ssot_native_form_count * sizeof(char *));
	for (int i = 0; i < ssot_native_form_count; i++)
	{
		const char *form = ssot_native_forms[i].form;
		int			n;

		folded[i] = MemoryContextStrdup(TopMemoryContext,
										ssot_nfkc_fold(form, strlen(form), &n));
	}
	native_folded = folded;
}

/* Letters or digits, of whatever script, somewhere in s? */
static bool
has_word(const char *s, int len)
{
	for (int i = 0; i < len; i++)
		if ((unsigned char) s[i] >= 0x80 || ssot_ascii_is_alnum((unsigned char) s[i]))
			return true;
	return false;
}

/*
 * Narrow (*s, *len) past one native form at either end; false if there is
 * none.  Folded UTF-8.
 */
static bool
strip_native_form(const char **s, int *len)
{
	int			best = 0;
	bool		after = false;

	for (int i = 0; i < ssot_native_form_count; i++)
	{
		const char *form = native_folded[i];
		int			n = strlen(form);

		if (n >= *len || n <= best)
			continue;
		if ((ssot_native_forms[i].place & SSOT_FORM_AFTER) &&
			memcmp(*s + *len - n, form, n) == 0 && has_word(*s, *len - n))
		{
			best = n;
			after = true;
		}
		else if ((ssot_native_forms[i].place & SSOT_FORM_BEFORE) &&
				 memcmp(*s, form, n) == 0 && has_word(*s + n, *len - n))
		{
			best = n;
			after = false;
		}
	}
	if (best == 0)
		return false;
	*len -= best;
	if (!after)
		*s += best;
	while (*len > 0 && (*s)[*len - 1] == ' ')
		(*len)--;
	while (*len > 0 && **s == ' ')
	{
		(*s)++;
		(*len)--;
	}
	return true;
}

/* Narrow past one Latin form at the end, the longest; words as made below. */
static bool
strip_form_after(const char *s, int *len)
{
	int			best = 0;

	for (int i = form_by_last[(unsigned char) s[*len - 1]]; i >= 0; i = next_by_last[i])
	{
		const char *form = ssot_latin_forms[i].form;
		int			n = strlen(form);

		if (n > best && n + 1 < *len && s[*len - n - 1] == ' ' &&
			memcmp(s + *len - n, form, n) == 0)
			best = n;
	}
	if (best == 0)
		return false;
	*len -= best + 1;
	return true;
}

static bool
strip_form_before(const char **s, int *len)
{
	int			best = 0;

	for (int i = form_by_first[(unsigned char) **s]; i >= 0; i = next_by_first[i])
	{
		const char *form = ssot_latin_forms[i].form;
		int			n = strlen(form);

		if (n > best && n + 1 < *len && (*s)[n] == ' ' && memcmp(*s, form, n) == 0)
			best = n;
	}
	if (best == 0)
		return false;
	*s += best + 1;
	*len -= best + 1;
	return true;
}

/*
 * The key of a company's name; see ssot.normalize_company().
 */
const char *
ssot_company_key(const char *s, int len, int *outlen)
{
	StringInfoData words;
	const char *u;
	const char *key;
	int			n;
	int			keylen;

	u = ssot_utf8_from_server(s, len, &n);
	u = ssot_utf8_clean(u, n, true, &n);
	if (n == 0)
		return NULL;
	if (!ssot_is_ascii(u, n))
	{
		u = ssot_nfkc_fold(u, n, &n);
		u = ssot_utf8_clean(u, n, true, &n);
		if (n == 0)
			return NULL;
		fold_native_forms();
		while (strip_native_form(&u, &n))
			 /* again */ ;
	}
	key = ssot_utf8_key(u, n, &keylen);
	if (keylen == 0)
		return NULL;

	initStringInfo(&words);
	ssot_utf8_words(&words, key, keylen, SSOT_WORDS_COMPANY);
	if (words.len == 0)
		return ssot_utf8_to_server(key, keylen, outlen);	/* punctuation only */

	index_latin_forms();
	u = words.data;
	n = words.len;
	while (strip_form_after(u, &n))
		 /* again */ ;
	while (strip_form_before(&u, &n))
		 /* again */ ;
	if (n > 4 && memcmp(u, "the ", 4) == 0)
	{
		u += 4;
		n -= 4;
	}
	if (n > 4 && memcmp(u + n - 4, " and", 4) == 0)
		n -= 4;
	return ssot_utf8_to_server(pnstrdup(u, n), n, outlen);
}
