/*
 * identity/kind_people.c
 *		Lists of people: the authors of a paper, the cast of a film.
 *
 * The same list is written in many ways: "Michael Stonebraker and Joseph M.
 * Hellerstein", "Stonebraker, M., Hellerstein, J.M.", "stonebraker m, et al". Who
 * is who need not be made out for that: all words are one bag, in any order. Words
 * meet that are equal or alike; then initials meet words that begin with them, and
 * such a pair weighs what an initial does on both sides. What is left over on one
 * side only, the given name that the other shortens not counted, is another person.
 *
 * A list may be cut ("et al.", the first author only), so one that contains the
 * other is a level of its own.
 *
 * An initial is one letter of a script that shortens names so; one sign of Chinese
 * or Korean is a name.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/bag.h"
#include "identity/kinds.h"

#include "text/chars.h"
#include "text/normalize.h"
#include "text/similarity.h"

#include "mb/pg_wchar.h"

#include <math.h>

#define MAX_WORDS		48		/* further ones count for equality only */
#define MAX_INITIAL		2		/* bytes */
#define MAX_TRIED		24		/* words that are compared by their letters */
#define RARE_WORDS		4		/* that are keys */
#define ALIKE			0.9		/* Jaro-Winkler from which a word is misspelt */
#define TELLING_WEIGHT	4.0		/* of what a list must have to be contained */

/* Until it is known how rare words are. */
#define NAME_WEIGHT		7.0
#define INITIAL_WEIGHT	2.5

/* The levels. */
enum
{
	DIFFERENT = SSOT_LEVEL_DIFFERENT,
	SOME,
	MOST,
	CONTAINED,
	SAME,
	EQUAL
};

/* Prepared: the words in their order, then their letters. */
typedef struct PeopleValue
{
	uint64		whole;			/* of all words, in any order */
	uint16		nwords;
	uint16		length;
	float		weight;			/* of all words */
	SsotBagWord words[FLEXIBLE_ARRAY_MEMBER];
} PeopleValue;

static const char *
letters(const PeopleValue *value, int i)
{
	return (const char *) &value->words[value->nwords] + value->words[i].start;
}

static bool
is_initial(const char *word, int len)
{
	return len <= MAX_INITIAL && pg_mblen(word) == len;
}

static bool
is_word(const char *text, int len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

/*
 * Words that are no names. Al Gore and Ed Harris have one: "al" is none after "et",
 * "ed" none in brackets. "opened": whether a bracket is right before the word.
 */
static bool
is_filler(const char *word, int len, bool after_et, bool opened)
{
	static const char *const fillers[] = {"and", "editor", "editors", "eds", "et", "others", "und"};

	for (int i = 0; i < lengthof(fillers); i++)
		if (is_word(word, len, fillers[i]))
			return true;
	return (is_word(word, len, "al") && after_et) ||
		(is_word(word, len, "ed") && opened);
}

static bool
is_letter(char c)
{
	return (unsigned char) c >= 0x80 || ssot_ascii_is_alpha(c);
}

/* How many bytes of what parts names in other scripts begin here: no bytes, mostly. */
static int
parting(const char *text, int len)
{
	/* Arabic comma and semicolon, middle dot, ideographic comma, katakana dot */
	static const char *const marks[] = {"\xd8\x8c", "\xd8\x9b", "\xc2\xb7", "\xe3\x80\x81", "\xe3\x83\xbb"};

	if ((unsigned char) *text < 0x80 || GetDatabaseEncoding() != PG_UTF8)
		return 0;
	for (int i = 0; i < lengthof(marks); i++)
	{
		int			n = strlen(marks[i]);

		if (n <= len && memcmp(text, marks[i], n) == 0)
			return n;
	}
	return 0;
}

static bool
prepare_people(StringInfo out, const char *text, int len)
{
	const char *key = ssot_text_key(text, len, &len);
	SsotBagWord words[MAX_WORDS];
	PeopleValue value = {0};
	char	   *bare;
	bool		after_et = false;

	if (key == NULL)
		return false;
	bare = palloc(len + 1);
	for (int i = 0; i < len;)
	{
		SsotBagWord word = {.start = value.length};
		bool		opened = i > 0 && key[i - 1] == '(';
		const char *start = bare + word.start;
		bool		filler;

		if (!is_letter(key[i]) || parting(key + i, len - i) > 0)
		{
			i += Max(parting(key + i, len - i), 1);
			continue;
		}
		/* "O'Neil" is "oneil" */
		for (; i < len && (is_letter(key[i]) || key[i] == '\'') && parting(key + i, len - i) == 0; i++)
			if (key[i] != '\'')
				bare[word.start + word.length++] = key[i];
		filler = is_filler(start, word.length, after_et, opened);
		after_et = is_word(start, word.length, "et");
		if (filler)
			continue;
		word.hash = ssot_hash_text(start, word.length);
		value.whole += ssot_hash_join(word.hash, 1);
		if (value.nwords == MAX_WORDS)
			continue;
		word.weight = is_initial(start, word.length) ? INITIAL_WEIGHT : NAME_WEIGHT;
		value.weight += word.weight;
		value.length += word.length;
		words[value.nwords++] = word;
	}
	if (value.nwords == 0)
		return false;
	appendBinaryStringInfo(out, (char *) &value, offsetof(PeopleValue, words));
	appendBinaryStringInfo(out, (char *) words, sizeof(SsotBagWord) * value.nwords);
	appendBinaryStringInfo(out, bare, value.length);
	return true;
}

static void
tokens_people(const void *data, void (*note) (uint64 token, void *arg), void *arg)
{
	const PeopleValue *value = data;

	ssot_bag_tokens(value->words, value->nwords, note, arg);
}

static void
weigh_people(void *data, const SsotTokenShares *shares)
{
	PeopleValue *value = data;

	value->weight = ssot_bag_weigh(value->words, value->nwords, shares);
}

/* ---- comparing ------------------------------------------------------------ */

typedef struct Meeting
{
	const PeopleValue *a;
	const PeopleValue *b;
	bool		met_a[MAX_WORDS];
	bool		met_b[MAX_WORDS];
	double		common;			/* weight that both have */
	double		weight_a;		/* of all words, given names that the other
								 * shortens as initials */
	double		weight_b;
} Meeting;

static void
meet_equal(Meeting *m)
{
	for (int i = 0; i < m->a->nwords; i++)
		for (int j = 0; j < m->b->nwords; j++)
			if (!m->met_b[j] && m->a->words[i].hash == m->b->words[j].hash)
			{
				m->met_a[i] = m->met_b[j] = true;
				m->common += m->a->words[i].weight;
				break;
			}
}

/* A misspelt word is always rare, so the pair weighs what the more frequent does. */
static void
meet_alike(Meeting *m)
{
	int			tried = 0;

	for (int i = 0; i < m->a->nwords; i++)
	{
		const SsotBagWord *x = &m->a->words[i];

		for (int j = 0; j < m->b->nwords && !m->met_a[i] && x->length >= 4; j++)
		{
			const SsotBagWord *y = &m->b->words[j];
			double		weight = Min(x->weight, y->weight);

			if (m->met_b[j] || y->length < 4 || abs(x->length - y->length) > 2 ||
				letters(m->a, i)[0] != letters(m->b, j)[0] || ++tried > MAX_TRIED ||
				ssot_jaro_winkler_bytes(letters(m->a, i), x->length, letters(m->b, j), y->length) < ALIKE)
				continue;
			m->met_a[i] = m->met_b[j] = true;
			m->common += ALIKE * weight;
			m->weight_a -= x->weight - weight;
			m->weight_b -= y->weight - weight;
		}
	}
}

/* The initials of "left" and the words of "right" that are still alone. */
static void
meet_initials(const PeopleValue *left, bool *met_left, const PeopleValue *right, bool *met_right,
			  double *common, double *weight_right)
{
	for (int i = 0; i < left->nwords; i++)
	{
		const SsotBagWord *initial = &left->words[i];

		if (met_left[i] || !is_initial(letters(left, i), initial->length))
			continue;
		for (int j = 0; j < right->nwords; j++)
			if (!met_right[j] && right->words[j].length >= initial->length &&
				memcmp(letters(right, j), letters(left, i), initial->length) == 0)
			{
				double		weight = Min(initial->weight, right->words[j].weight);

				met_left[i] = met_right[j] = true;
				*common += weight;
				*weight_right -= right->words[j].weight - weight;
				break;
			}
	}
}

/* The two in an order of their own, since words meet the first that they can. */
static Meeting
meet(const PeopleValue *a, const PeopleValue *b)
{
	Meeting		m = {.a = a,.b = b};

	if (a->whole > b->whole)
	{
		m.a = b;
		m.b = a;
		a = m.a;
		b = m.b;
	}
	m.weight_a = a->weight;
	m.weight_b = b->weight;
	meet_equal(&m);
	meet_alike(&m);
	meet_initials(a, m.met_a, b, m.met_b, &m.common, &m.weight_b);
	meet_initials(b, m.met_b, a, m.met_a, &m.common, &m.weight_a);
	return m;
}

static double
dice(const Meeting *m)
{
	return Min(2 * m->common / (m->weight_a + m->weight_b), 1);
}

static double
measure_people(const void *left, const void *right)
{
	Meeting		m = meet(left, right);

	return dice(&m);
}

static int
level_people(const void *left, const void *right)
{
	const PeopleValue *a = left;
	const PeopleValue *b = right;
	Meeting		m;

	if (a->whole == b->whole)
		return SAME;
	m = meet(a, b);
	if (dice(&m) >= 0.85)
		return SAME;
	if (m.common >= 0.9 * Min(m.weight_a, m.weight_b) && m.common >= TELLING_WEIGHT)
		return CONTAINED;
	if (dice(&m) >= 0.6)
		return MOST;
	return dice(&m) >= 0.3 ? SOME : DIFFERENT;
}

/* The rarest word that both have. */
static uint64
agreement_people(const void *left, const void *right, int level)
{
	const PeopleValue *a = left;
	const PeopleValue *b = right;
	const SsotBagWord *rarest = NULL;

	if (level == DIFFERENT)
		return 0;
	for (int i = 0; i < a->nwords; i++)
		for (int j = 0; j < b->nwords; j++)
			if (a->words[i].hash == b->words[j].hash &&
				(rarest == NULL || a->words[i].weight > rarest->weight))
				rarest = &a->words[i];
	return rarest == NULL ? 0 : rarest->hash;
}

/* ---- keys ----------------------------------------------------------------- */

static const SsotKeyClass people_classes[] = {
	{"words in any order", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	{"rare word", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	{"two words", SSOT_KEY_ALONE},
};

static void
keys_people(const void *data, SsotValueKeys *keys)
{
	const PeopleValue *value = data;
	bool		used[MAX_WORDS];

	for (int i = 0; i < value->nwords; i++)
		used[i] = is_initial(letters(value, i), value->words[i].length);
	ssot_add_key(keys, 0, value->whole);
	ssot_bag_keys(value->words, value->nwords, used, RARE_WORDS, 1, 2, keys);
}

const SsotKind ssot_kind_people = {
	.name = "people",
	.description = "lists of people, such as authors: any order, initials, cut lists, slips",
	.nlevels = EQUAL,
	.levels = (const char *const[]) {"different", "some in common", "most in common",
	"one contains the other", "same people", "equal"},
	.shares = (const double[]) {0.05, 0.05, 0.07, 0.13, 0.25, 0.45},
	.flags = SSOT_KIND_FREQUENCY,
	.cost = 4,
	.nclasses = lengthof(people_classes),
	.classes = people_classes,
	.prepare = prepare_people,
	.tokens = tokens_people,
	.weigh = weigh_people,
	.keys = keys_people,
	.level = level_people,
	.measure = measure_people,
	.measured = "similarity from 0 to 1: weight of the words in common",
	.agreement = agreement_people,
};
