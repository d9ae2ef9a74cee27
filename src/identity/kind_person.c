/*
 * identity/kind_person.c
 *		Names of people.
 *
 * A name comes as one text ("Dr. Hans Müller", "Müller, Hans") or as several
 * columns, the last of which is the family name; of three and more it is the last
 * one that has a word, since a second family name or a suffix is mostly empty.
 * Columns say which part is which and are sometimes wrong: so the parts are also
 * compared crosswise, and a text of one column is taken to end with the family name.
 *
 * Given names agree by what they may stand for (identity/nicknames.c), by their
 * beginning ("chris", "j"), or up to a slip; family names wholly, in part
 * ("garcia lopez", "garcia"), or up to a slip. The levels are the combinations
 * that differ in what they are worth: the same family name alone is said of
 * relatives and of strangers with a frequent name, so its rarity counts.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"
#include "identity/nicknames.h"
#include "identity/words.h"
#include "text/normalize.h"
#include "text/similarity.h"

/* The levels. */
enum
{
	DIFFERENT = SSOT_LEVEL_DIFFERENT,
	GIVEN_NAME,
	FAMILY_NAME,
	BOTH_ALIKE,
	FAMILY_AND_INITIAL,
	ONE_ALIKE,
	VARIANT,
	EQUAL
};

/* Words of which it is looked up what they may stand for. */
#define NAMED_WORDS	4

/* Prepared. */
typedef struct PersonValue
{
	uint16		family;			/* the first word of the family name; count
								 * where there is none */
	uint16		unused[3];
	uint16		names[NAMED_WORDS][SSOT_MAX_FULL_NAMES];	/* that the first words
															 * may stand for; 0:
															 * none */
	SsotWords	words;
} PersonValue;

/* How two parts of names agree. */
typedef enum Agreement
{
	AGREE_NOT,
	AGREE_MISSING,
	AGREE_INITIAL,
	AGREE_ALIKE,
	AGREE_PART,					/* of a family name */
	AGREE_STANDS_FOR,			/* of a given name */
	AGREE_EQUAL
} Agreement;

static void
add_words(SsotWordList *list, const char *key, int len)
{
	while (len > 0)
	{
		const char *space = memchr(key, ' ', len);
		int			n = space ? space - key : len;

		ssot_word_add(list, key, n, NULL);
		n += space != NULL;
		key += n;
		len -= n;
	}
}

static bool
prepare_person(StringInfo out, const char *text, int len)
{
	SsotWordList list;
	PersonValue value = {0};
	const char *end = text + len;
	int			columns = 0;
	int			filled = 0;		/* the last column that has a word, and its
								 * first one */
	int			filled_at = 0;

	ssot_words_begin(&list);
	for (const char *p = text; p <= end;)
	{
		const char *separator = memchr(p, SSOT_FIELD_SEPARATOR, end - p);
		const char *stop = separator ? separator : end;
		int			n;
		const char *key = ssot_person_key(p, stop - p, &n);

		value.family = list.count;
		if (key != NULL)
			add_words(&list, key, n);
		if (value.family < list.count)
		{
			filled = columns;
			filled_at = value.family;
		}
		columns++;
		p = stop + 1;
	}
	if (list.count == 0)
		return false;
	if (columns == 1)
		value.family = list.count - 1;
	else if (columns > 2 && filled > 0)
		value.family = filled_at;
	for (int i = 0; i < Min(list.count, NAMED_WORDS); i++)
	{
		int			names[SSOT_MAX_FULL_NAMES];
		int			n = ssot_full_names(list.chars + list.words[i].start,
										list.words[i].length, names);

		for (int k = 0; k < n; k++)
			value.names[i][k] = names[k];
	}
	appendBinaryStringInfo(out, (char *) &value, offsetof(PersonValue, words));
	ssot_words_append(out, &list);
	return true;
}

static void
tokens_person(const void *data, void (*note) (uint64 token, void *arg), void *arg)
{
	const PersonValue *value = data;

	ssot_words_tokens(&value->words, note, arg);
}

/* ---- comparing ------------------------------------------------------------ */

static inline bool
same_word(const PersonValue *a, int i, const PersonValue *b, int j)
{
	return a->words.words[i].hash == b->words.words[j].hash;
}

static bool
stands_for_same(const PersonValue *a, int i, const PersonValue *b, int j)
{
	if (i >= NAMED_WORDS || j >= NAMED_WORDS)
		return false;
	for (int k = 0; k < SSOT_MAX_FULL_NAMES && a->names[i][k] != 0; k++)
		for (int l = 0; l < SSOT_MAX_FULL_NAMES && b->names[j][l] != 0; l++)
			if (a->names[i][k] == b->names[j][l])
				return true;
	return false;
}

/* Is one the beginning of the other: an initial, or more of it? */
static int
beginning(const PersonValue *a, int i, const PersonValue *b, int j)
{
	int			n = Min(a->words.words[i].length, b->words.words[j].length);

	if (memcmp(ssot_word_chars(&a->words, i), ssot_word_chars(&b->words, j), n) == 0)
		return n;
	return 0;
}

/* Two given names; words a1 to a2 - 1 of a, b1 to b2 - 1 of b. */
static Agreement
compare_given(const PersonValue *a, int a1, int a2, const PersonValue *b, int b1, int b2)
{
	Agreement	best = AGREE_NOT;

	if (a1 == a2 || b1 == b2)
		return AGREE_MISSING;
	if (same_word(a, a1, b, b1))
		return AGREE_EQUAL;
	for (int i = a1; i < a2; i++)
		for (int j = b1; j < b2; j++)
		{
			Agreement	found = AGREE_NOT;
			int			n = beginning(a, i, b, j);

			if (i > a1 && j > b1)
				continue;		/* middle names alone say little */
			if ((n > 1 && same_word(a, i, b, j)) || stands_for_same(a, i, b, j) || n >= 3)
				found = AGREE_STANDS_FOR;
			else if (ssot_words_alike(&a->words, i, &b->words, j))
				found = AGREE_ALIKE;
			else if (n == 1)
				found = AGREE_INITIAL;
			best = Max(best, found);
		}
	return best;
}

/* The characters of words 1 to n - 1, joined: "van der berg" is "vanderberg". */
static int
joined(const PersonValue *value, int from, int to, const char **chars)
{
	const SsotWord *last = &value->words.words[to - 1];

	*chars = ssot_word_chars(&value->words, from);
	return last->start + last->length - value->words.words[from].start;
}

static Agreement
compare_family(const PersonValue *a, int a1, int a2, const PersonValue *b, int b1, int b2)
{
	const char *ac;
	const char *bc;
	int			alen;
	int			blen;
	Agreement	best = AGREE_NOT;

	if (a1 == a2 || b1 == b2)
		return AGREE_MISSING;
	if (a2 - a1 == 1 && b2 - b1 == 1)
	{
		if (same_word(a, a1, b, b1))
			return AGREE_EQUAL;
	}
	else
	{
		alen = joined(a, a1, a2, &ac);
		blen = joined(b, b1, b2, &bc);
		if (ssot_word_hash(ac, alen) == ssot_word_hash(bc, blen))
			return AGREE_EQUAL;
	}
	for (int i = a1; i < a2; i++)
		for (int j = b1; j < b2; j++)
		{
			Agreement	found = AGREE_NOT;

			/* particles ("de", "van") are no part of a name to agree on */
			if (a->words.words[i].length > 3 && same_word(a, i, b, j))
				found = AGREE_PART;
			else if (ssot_words_alike(&a->words, i, &b->words, j))
				found = AGREE_ALIKE;
			best = Max(best, found);
		}
	return best;
}

/* One way of reading the parts. */
static int
combine(Agreement given, Agreement family)
{
	bool		given_agrees = given == AGREE_EQUAL || given == AGREE_STANDS_FOR;

	switch (family)
	{
		case AGREE_EQUAL:
			return given_agrees ? VARIANT :
				given == AGREE_ALIKE ? ONE_ALIKE :
				given == AGREE_INITIAL || given == AGREE_MISSING ? FAMILY_AND_INITIAL : FAMILY_NAME;
		case AGREE_PART:
			return given_agrees ? ONE_ALIKE : given == AGREE_NOT ? FAMILY_NAME : BOTH_ALIKE;
		case AGREE_ALIKE:
			return given_agrees ? ONE_ALIKE :
				given == AGREE_ALIKE || given == AGREE_INITIAL ? BOTH_ALIKE :
				given == AGREE_MISSING ? FAMILY_NAME : DIFFERENT;
		default:
			return given_agrees ? GIVEN_NAME : DIFFERENT;
	}
}

/* Does every word of a stand in b too, and are there two of them? */
static bool
all_within(const PersonValue *a, const PersonValue *b)
{
	uint32		used = 0;
	int			met = 0;

	for (int i = 0; i < a->words.count; i++)
		for (int j = 0; j < b->words.count; j++)
			if (!(used & (1u << j)) && (same_word(a, i, b, j) || stands_for_same(a, i, b, j)))
			{
				used |= 1u << j;
				met++;
				break;
			}
	return met == a->words.count && met >= 2;
}

static int
level_person(const void *left, const void *right)
{
	const PersonValue *a = left;
	const PersonValue *b = right;
	int			an = a->words.count;
	int			bn = b->words.count;
	int			af = a->family;
	int			bf = b->family;
	int			level;

	level = combine(compare_given(a, 0, af, b, 0, bf), compare_family(a, af, an, b, bf, bn));
	if (level < VARIANT && af < an && bf < bn && af > 0 && bf > 0)
	{
		/*
		 * crosswise: the given name of one against the family name of the
		 * other
		 */
		Agreement	given = compare_given(a, 0, af, b, bf, bn);
		Agreement	family = compare_given(a, af, an, b, 0, bf);

		if (given >= AGREE_STANDS_FOR && family >= AGREE_STANDS_FOR)
			return VARIANT;
		if ((given >= AGREE_STANDS_FOR && family == AGREE_ALIKE) ||
			(family >= AGREE_STANDS_FOR && given == AGREE_ALIKE))
			level = Max(level, BOTH_ALIKE);
	}
	if (level < VARIANT && an != bn && (an < bn ? all_within(a, b) : all_within(b, a)))
		return VARIANT;
	return level;
}

/* The letters of all words, those of the family name first if so wanted. */
static int
all_letters(const PersonValue *value, bool family_first, char *letters)
{
	const SsotWords *words = &value->words;
	int			n = 0;

	for (int i = 0; i < words->count; i++)
	{
		int			w = family_first ? (i + value->family) % words->count : i;

		memcpy(letters + n, ssot_word_chars(words, w), words->words[w].length);
		n += words->words[w].length;
	}
	return n;
}

static double
measure_person(const void *left, const void *right)
{
	char		a[SSOT_MAX_WORDS * SSOT_MAX_WORD_LENGTH];
	char		b[SSOT_MAX_WORDS * SSOT_MAX_WORD_LENGTH];
	int			alen = all_letters(left, false, a);
	int			blen = all_letters(right, false, b);
	double		straight = ssot_jaro_winkler_bytes(a, alen, b, blen);
	double		crosswise;

	blen = all_letters(right, true, b);
	crosswise = ssot_jaro_winkler_bytes(a, alen, b, blen);
	alen = all_letters(left, true, a);
	blen = all_letters(right, false, b);
	return Max(straight, Max(crosswise, ssot_jaro_winkler_bytes(a, alen, b, blen)));
}

/* What they agree on: the family name, or the given name where only that does. */
static uint64
agreement_person(const void *left, const void *right, int level)
{
	const PersonValue *a = left;
	const PersonValue *b = right;

	uint64		family = 0;
	uint64		any = 0;

	if (level == DIFFERENT || level == BOTH_ALIKE)
		return 0;
	for (int i = 0; i < a->words.count; i++)
		for (int j = 0; j < b->words.count; j++)
		{
			uint64		hash = a->words.words[i].hash;

			if (!same_word(a, i, b, j))
				continue;
			any = Max(any, hash);
			if (i >= a->family && j >= b->family && a->words.words[i].length > 3)
				family = Max(family, hash);
		}
	return family != 0 && level != GIVEN_NAME ? family : any;
}

/* ---- keys ----------------------------------------------------------------- */

enum
{
	KEY_NAME,
	KEY_SOUND,
	KEY_FAMILY_INITIAL,
	KEY_FAMILY,
	KEY_FAMILY_SOUND,
	KEY_GIVEN,
	KEY_INITIALS
};

static const SsotKeyClass person_classes[] = {
	[KEY_NAME] = {"name, in any order", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_SOUND] = {"sound, in any order", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_FAMILY_INITIAL] = {"family name's sound and initial", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_FAMILY] = {"family name", SSOT_KEY_COMBINED},
	[KEY_FAMILY_SOUND] = {"family name's sound", SSOT_KEY_COMBINED},
	[KEY_GIVEN] = {"given name", SSOT_KEY_COMBINED},
	[KEY_INITIALS] = {"initials, in any order", SSOT_KEY_COMBINED},
};

/* What a word may stand for, as hashes: its names, or else itself. */
static int
meanings(const PersonValue *value, int i, uint64 *hashes)
{
	int			n = 0;

	while (i < NAMED_WORDS && n < 2 && value->names[i][n] != 0)
	{
		hashes[n] = ssot_hash_join(0x6e616d65, value->names[i][n]);
		n++;
	}
	if (n == 0)
		hashes[n++] = value->words.words[i].hash;
	return n;
}

/*
 * The first given name and the last word of the family name make the keys; of a
 * family name of several words also the first, and all of them joined. In order,
 * six letters of the family name come first, then the initial.
 */
static void
keys_person(const void *data, SsotValueKeys *keys)
{
	const PersonValue *value = data;
	const SsotWords *words = &value->words;
	int			family = words->count - 1;
	bool		has_family = value->family < words->count;
	bool		has_given = value->family > 0;
	const SsotWord *f = &words->words[family];
	const SsotWord *g = &words->words[0];
	uint64		given[2];
	int			ngiven = has_given ? meanings(value, 0, given) : 0;
	uint64		whole = 0;		/* the family name, joined */

	if (has_family)
	{
		const char *chars;
		int			len = joined(value, value->family, words->count, &chars);

		whole = ssot_word_hash(chars, len);
	}

	if (has_family && has_given)
	{
		uint64		other[2];
		int			nother = meanings(value, family, other);
		unsigned char initial = ssot_word_chars(words, 0)[0];
		unsigned char last = ssot_word_chars(words, family)[0];

		for (int i = 0; i < ngiven; i++)
			for (int j = 0; j < nother; j++)
				ssot_add_key(keys, KEY_NAME, given[i] + other[j]);
		if (value->family < family)
		{
			ssot_add_key(keys, KEY_NAME, given[0] + whole);
			if (words->words[value->family].length > 3)
				ssot_add_key(keys, KEY_NAME, given[0] + words->words[value->family].hash);
		}
		if (f->sound && g->sound)
			ssot_add_key(keys, KEY_SOUND, (uint64) f->sound + g->sound);
		ssot_add_key(keys, KEY_FAMILY_INITIAL, ssot_hash_join(f->sound, initial));
		ssot_add_key(keys, KEY_INITIALS, ssot_hash_join(Min(initial, last), Max(initial, last)));
	}
	if (has_family)
	{
		ssot_add_key(keys, KEY_FAMILY, f->hash);
		ssot_add_key(keys, KEY_FAMILY_SOUND, f->sound);
		if (value->family < family)
			ssot_add_key(keys, KEY_FAMILY, whole);
		if (value->family < family && words->words[value->family].length > 3)
		{
			ssot_add_key(keys, KEY_FAMILY, words->words[value->family].hash);
			ssot_add_key(keys, KEY_FAMILY_SOUND, words->words[value->family].sound);
		}
	}
	for (int i = 0; i < ngiven; i++)
		ssot_add_key(keys, KEY_GIVEN, given[i]);
}

const SsotKind ssot_kind_person_name = {
	.name = "person_name",
	.description = "people, in one column or given and family name: nicknames, initials, exchanged parts, slips",
	.nlevels = EQUAL,
	.levels = (const char *const[]) {"different", "given name only", "family name only", "both alike",
	"family name and initial", "one equal, one alike", "nickname, order or middle name", "equal"},
	.shares = (const double[]) {0.02, 0.03, 0.03, 0.05, 0.04, 0.18, 0.15, 0.50},
	.flags = SSOT_KIND_FREQUENCY | SSOT_KIND_NAME,
	.cost = 6,
	.nclasses = lengthof(person_classes),
	.classes = person_classes,
	.prepare = prepare_person,
	.tokens = tokens_person,
	.keys = keys_person,
	.level = level_person,
	.measure = measure_person,
	.measured = "similarity from 0 to 1: Jaro-Winkler of the whole name, in either order of its parts",
	.agreement = agreement_person,
};
