/*
 * person.c
 *		Keys of people's names: titles off, given name first.
 *
 * "MÜLLER, Dr. Hans-Peter" and "hans-peter muller" are one key: "hans peter
 * muller".  Names are not understood further: which word is the family name
 * is a question of culture that no list answers, so without a comma the order
 * stays as it was written.
 *
 * Words that are titles in one place and names in another (Don, Major, Ma,
 * Do, Prince) are not in the lists: a title too many costs less than a name
 * too few.
 */
#include "postgres.h"

#include "ssot.h"

#include "text/chars.h"
#include "text/normalize.h"
#include "text/unicode.h"

/* Before the name: courtesy, academic, military, clerical. */
static const char *const titles[] = {
	"capt", "captain", "col", "cpt", "dame", "dipl", "dipl ing", "dipl kfm",
	"dott", "dott ssa", "dottssa", "dr", "dr h c", "dr hc", "dr ing",
	"dr med", "dr med dent", "dr phil", "dr rer nat", "dra", "drs", "frau",
	"fraulein", "h c", "hc", "herr", "herrn", "hon", "ing", "ir", "lady", "lt",
	"lt col", "maitre", "miss", "mister", "mlle", "mme", "monsieur", "madame",
	"mademoiselle", "mr", "mrs", "ms", "mx", "prof", "prof dr", "professor",
	"rabbi", "rev", "reverend", "senor", "senora", "senorita", "sgt",
	"signor", "signora", "sig", "sig ra", "sir", "sra", "srta", "sr", "doktor",
	"doctor", "hrn", "fru", "hr", "dhr", "mevr",
};

/*
 * After the name: generation, degrees, professions, orders.  One that begins
 * with a lone letter ("m d") may also be initials: "Smith, M. D.".  It counts
 * only behind two words.
 */
static const char *const suffixes[] = {
	"jr", "junior", "jnr", "sr", "snr", "ii", "iii", "iv", "2nd", "3rd", "4th",
	"phd", "ph d", "md", "m d", "mba", "m b a", "msc", "m sc", "bsc", "b sc",
	"llm", "ll m", "llb", "ll b", "dds", "d d s", "dvm", "esq", "esquire",
	"cpa", "c p a", "cfa", "pmp", "rn", "obe", "cbe", "mbe", "kbe", "csc",
	"drsc", "dipl ing", "mphil", "m phil", "edd", "dphil", "d phil", "psyd",
	"facs", "frcp", "frcs", "ret", "retd",
};

/* Does one of the phrases stand at the start of s?  Its length, the longest. */
static int
phrase_before(const char *s, int len, const char *const *phrases, int count)
{
	int			best = 0;

	for (int i = 0; i < count; i++)
	{
		int			n = strlen(phrases[i]);

		if (phrases[i][0] == s[0] && n > best && n <= len &&
			memcmp(s, phrases[i], n) == 0 && (n == len || s[n] == ' '))
			best = n;
	}
	return best;
}

static int
phrase_after(const char *s, int len, const char *const *phrases, int count)
{
	int			best = 0;

	for (int i = 0; i < count; i++)
	{
		int			n = strlen(phrases[i]);

		if (n > best && n <= len && phrases[i][n - 1] == s[len - 1] &&
			memcmp(s + len - n, phrases[i], n) == 0 &&
			(n == len || s[len - n - 1] == ' '))
			best = n;
	}
	return best;
}

/* A phrase of suffixes[] that may also be somebody's initials? */
static bool
maybe_initials(const char *phrase, int len)
{
	return len > 1 && phrase[1] == ' ';
}

static bool
has_two_words(const char *s, int len)
{
	return memchr(s, ' ', len) != NULL;
}

/*
 * Narrow past titles in front and suffixes behind, but keep one word.  Two
 * titles in a row ("Prof. Dr.") are two rounds.
 */
static void
strip_titles(const char **s, int *len)
{
	int			n;

	while ((n = phrase_before(*s, *len, titles, lengthof(titles))) > 0 && n + 1 < *len)
	{
		*s += n + 1;
		*len -= n + 1;
	}
	while ((n = phrase_after(*s, *len, suffixes, lengthof(suffixes))) > 0 && n + 1 < *len)
	{
		if (maybe_initials(*s + *len - n, n) && !has_two_words(*s, *len - n - 1))
			break;
		*len -= n + 1;
	}
}

/*
 * Is a part behind a comma nothing but suffixes ("Jr.") or titles ("Dr.")?
 * after_two: the part before the first comma has two words or more.
 */
static bool
only_additions(const char *s, int len, bool after_two)
{
	while (len > 0)
	{
		int			n = phrase_before(s, len, suffixes, lengthof(suffixes));

		if (n > 0 && !after_two && maybe_initials(s, n))
			return false;
		if (n == 0)
			n = phrase_before(s, len, titles, lengthof(titles));
		if (n == 0)
			return false;
		n = Min(n + 1, len);
		s += n;
		len -= n;
	}
	return true;
}

/*
 * The key of a person's name; see ssot.normalize_person().
 *
 * Commas: the part before the first is the family name and goes last, unless
 * what follows is only "Jr." and the like.
 */
const char *
ssot_person_key(const char *s, int len, int *outlen)
{
	StringInfoData family;
	StringInfoData part;
	StringInfoData given;
	const char *u;
	const char *key;
	int			n;
	int			keylen;
	bool		first = true;

	u = ssot_utf8_from_server(s, len, &n);
	key = ssot_utf8_key(u, n, &keylen);
	if (keylen == 0)
		return NULL;

	initStringInfo(&family);
	initStringInfo(&part);
	initStringInfo(&given);
	for (const char *p = key; p <= key + keylen;)
	{
		const char *comma = memchr(p, ',', key + keylen - p);
		const char *end = comma ? comma : key + keylen;

		resetStringInfo(&part);
		ssot_utf8_words(&part, p, end - p, SSOT_WORDS_PERSON);
		if (part.len > 0)
		{
			if (first)
				appendBinaryStringInfo(&family, part.data, part.len);
			else if (!only_additions(part.data, part.len,
									 has_two_words(family.data, family.len)))
			{
				if (given.len > 0)
					appendStringInfoChar(&given, ' ');
				appendBinaryStringInfo(&given, part.data, part.len);
			}
			first = false;
		}
		p = end + 1;
	}
	if (family.len == 0)
		return ssot_utf8_to_server(key, keylen, outlen);	/* punctuation only */

	/* titles may stand before either half: "Dr. Müller, Prof. Hans" */
	if (given.len > 0)
	{
		u = family.data;
		n = family.len;
		strip_titles(&u, &n);
		appendStringInfoChar(&given, ' ');
		appendBinaryStringInfo(&given, u, n);
		u = given.data;
		n = given.len;
	}
	else
	{
		u = family.data;
		n = family.len;
	}
	strip_titles(&u, &n);
	return ssot_utf8_to_server(pnstrdup(u, n), n, outlen);
}
