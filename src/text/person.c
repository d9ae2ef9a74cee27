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

/* Words, one space between them, and how many bytes they have. */
typedef struct Phrase
{
	const char *text;
	int			length;
} Phrase;

#define P(text) {text, sizeof(text) - 1}

/* Before the name: courtesy, academic, military, clerical. */
static const Phrase titles[] = {
	P("capt"), P("captain"), P("col"), P("cpt"), P("dame"), P("dipl"), P("dipl ing"), P("dipl kfm"),
	P("dott"), P("dott ssa"), P("dottssa"), P("dr"), P("dr h c"), P("dr hc"), P("dr ing"),
	P("dr med"), P("dr med dent"), P("dr phil"), P("dr rer nat"), P("dra"), P("drs"), P("frau"),
	P("fraulein"), P("h c"), P("hc"), P("herr"), P("herrn"), P("hon"), P("ing"), P("ir"), P("lady"), P("lt"),
	P("lt col"), P("maitre"), P("miss"), P("mister"), P("mlle"), P("mme"), P("monsieur"), P("madame"),
	P("mademoiselle"), P("mr"), P("mrs"), P("ms"), P("mx"), P("prof"), P("prof dr"), P("professor"),
	P("rabbi"), P("rev"), P("reverend"), P("senor"), P("senora"), P("senorita"), P("sgt"),
	P("signor"), P("signora"), P("sig"), P("sig ra"), P("sir"), P("sra"), P("srta"), P("sr"), P("doktor"),
	P("doctor"), P("hrn"), P("fru"), P("hr"), P("dhr"), P("mevr"),
};

/*
 * After the name: generation, degrees, professions, orders.  One that begins
 * with a lone letter ("m d") may also be initials: "Smith, M. D.".  It counts
 * only behind two words.
 */
static const Phrase suffixes[] = {
	P("jr"), P("junior"), P("jnr"), P("sr"), P("snr"), P("ii"), P("iii"), P("iv"), P("2nd"), P("3rd"), P("4th"),
	P("phd"), P("ph d"), P("md"), P("m d"), P("mba"), P("m b a"), P("msc"), P("m sc"), P("bsc"), P("b sc"),
	P("llm"), P("ll m"), P("llb"), P("ll b"), P("dds"), P("d d s"), P("dvm"), P("esq"), P("esquire"),
	P("cpa"), P("c p a"), P("cfa"), P("pmp"), P("rn"), P("obe"), P("cbe"), P("mbe"), P("kbe"), P("csc"),
	P("drsc"), P("dipl ing"), P("mphil"), P("m phil"), P("edd"), P("dphil"), P("d phil"), P("psyd"),
	P("facs"), P("frcp"), P("frcs"), P("ret"), P("retd"),
};

/*
 * Which two characters phrases begin and end with: nearly every name is told by
 * them to have neither titles nor suffixes.
 */
typedef struct PhraseEnds
{
	bool		known;
	uint64		begins[16];
	uint64		ends[16];
} PhraseEnds;

static PhraseEnds title_ends;
static PhraseEnds suffix_ends;

static inline int
two_characters(const char *s)
{
	return ((unsigned char) s[0] * 37 + (unsigned char) s[1]) & 1023;
}

static void
learn_ends(PhraseEnds *phrase_ends, const Phrase *phrases, int count)
{
	if (phrase_ends->known)
		return;
	for (int i = 0; i < count; i++)
	{
		int			begin = two_characters(phrases[i].text);
		int			end = two_characters(phrases[i].text + phrases[i].length - 2);

		phrase_ends->begins[begin / 64] |= UINT64CONST(1) << begin % 64;
		phrase_ends->ends[end / 64] |= UINT64CONST(1) << end % 64;
	}
	phrase_ends->known = true;
}

static inline bool
may_begin(const PhraseEnds *phrase_ends, const char *s, int len)
{
	int			begin = len < 2 ? 0 : two_characters(s);

	return len >= 2 && (phrase_ends->begins[begin / 64] >> begin % 64 & 1);
}

static inline bool
may_end(const PhraseEnds *phrase_ends, const char *s, int len)
{
	int			end = len < 2 ? 0 : two_characters(s + len - 2);

	return len >= 2 && (phrase_ends->ends[end / 64] >> end % 64 & 1);
}

/* Does one of the phrases stand at the start of s?  Its length, the longest. */
static int
phrase_before(const char *s, int len, const Phrase *phrases, int count)
{
	int			best = 0;

	for (int i = 0; i < count; i++)
	{
		int			n = phrases[i].length;

		if (n > best && n <= len && phrases[i].text[0] == s[0] &&
			(n == len || s[n] == ' ') && memcmp(s, phrases[i].text, n) == 0)
			best = n;
	}
	return best;
}

static int
phrase_after(const char *s, int len, const Phrase *phrases, int count)
{
	int			best = 0;

	for (int i = 0; i < count; i++)
	{
		int			n = phrases[i].length;

		if (n > best && n <= len && (n == len || s[len - n - 1] == ' ') &&
			memcmp(s + len - n, phrases[i].text, n) == 0)
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

	learn_ends(&title_ends, titles, lengthof(titles));
	learn_ends(&suffix_ends, suffixes, lengthof(suffixes));
	while (may_begin(&title_ends, *s, *len) &&
		   (n = phrase_before(*s, *len, titles, lengthof(titles))) > 0 && n + 1 < *len)
	{
		*s += n + 1;
		*len -= n + 1;
	}
	while (may_end(&suffix_ends, *s, *len) &&
		   (n = phrase_after(*s, *len, suffixes, lengthof(suffixes))) > 0 && n + 1 < *len)
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
