/*
 * identity/kind_text.c
 *		Texts of any sort: titles, names of things, cities, addresses.
 *
 * Two measures, of which the better counts. Jaro-Winkler on the whole, blanks
 * left out, forgives slips in short texts ("brooklin" is "brooklyn"). Words
 * weighed by rarity forgive what is left out, added or exchanged in longer ones
 * ("the palm" is "palm the"; "department of physics" is not "department of
 * music", since what they share is shared by many): twice the weight of the
 * words in common over the weight of all, where a word of at least four letters
 * may differ by a slip and then counts in part (soft TF-IDF: Cohen, Ravikumar
 * and Fienberg, "A comparison of string distance metrics for name-matching
 * tasks", IIWeb 2003). Where both have words with digits in them and these
 * differ, only words count: "terminal 1" and "terminal 2" are close as strings
 * and two places.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/bag.h"
#include "identity/kinds.h"

#include "text/chars.h"
#include "text/normalize.h"
#include "text/similarity.h"

#include <math.h>

#define MAX_WORDS		32		/* more are not looked at */
#define MAX_EDITED		128		/* bytes of a text that Jaro-Winkler sees */
#define MAX_TRIED		24		/* words that are compared by their letters */
#define RARE_WORDS		3		/* that are keys */

/* Prepared: the words in their order, then the text without its blanks. */
typedef struct TextValue
{
	uint64		numbers;		/* of the words with digits, in any order */
	uint64		whole;			/* hash of the text */
	uint16		nwords;
	uint16		length;
	float		weight;			/* of all words */
	SsotBagWord words[FLEXIBLE_ARRAY_MEMBER];
} TextValue;

static const char *
bare_text(const TextValue *value)
{
	return (const char *) &value->words[value->nwords];
}

static bool
is_word_char(char c)
{
	return (unsigned char) c >= 0x80 || ssot_ascii_is_alnum(c);
}

static bool
prepare_text(StringInfo out, const char *text, int len)
{
	const char *key = ssot_text_key(text, len, &len);
	SsotBagWord words[MAX_WORDS];
	TextValue	value = {0};
	char	   *bare;

	if (key == NULL)
		return false;
	bare = palloc(len + 1);
	for (int i = 0; i < len;)
	{
		SsotBagWord word = {.start = value.length};
		bool		digit = false;

		if (!is_word_char(key[i]))
		{
			i++;
			continue;
		}
		/* an apostrophe is no blank: "morton's" is "mortons" */
		for (; i < len && (is_word_char(key[i]) || key[i] == '\''); i++)
			if (key[i] != '\'')
			{
				digit |= ssot_ascii_is_digit(key[i]);
				bare[value.length++] = key[i];
			}
		word.length = value.length - word.start;
		word.hash = ssot_hash_text(bare + word.start, word.length);
		word.weight = 1;
		value.whole = ssot_hash_join(value.whole, word.hash);
		if (digit)
			value.numbers += word.hash;
		if (value.nwords < MAX_WORDS)
			words[value.nwords++] = word;
	}
	if (value.nwords == 0)
		return false;
	value.weight = value.nwords;
	appendBinaryStringInfo(out, (char *) &value, offsetof(TextValue, words));
	appendBinaryStringInfo(out, (char *) words, sizeof(SsotBagWord) * value.nwords);
	appendBinaryStringInfo(out, bare, value.length);
	return true;
}

static void
tokens_text(const void *data, void (*note) (uint64 token, void *arg), void *arg)
{
	const TextValue *value = data;

	ssot_bag_tokens(value->words, value->nwords, note, arg);
}

static void
weigh_text(void *data, const SsotTokenShares *shares)
{
	TextValue  *value = data;

	value->weight = ssot_bag_weigh(value->words, value->nwords, shares);
}

static void
keys_text(const void *data, SsotValueKeys *keys)
{
	const TextValue *value = data;
	bool		used[MAX_WORDS] = {0};

	ssot_add_key(keys, 0, value->whole);
	ssot_bag_keys(value->words, value->nwords, used, RARE_WORDS, 1, 2, keys);
	ssot_add_key(keys, 3, ssot_hash_text(bare_text(value), Min(value->length, 4)));
}

/* Is it worth comparing two words? Slips rarely change both ends. */
static bool
could_be_slip(const TextValue *a, const SsotBagWord *x, const TextValue *b, const SsotBagWord *y)
{
	const char *left = bare_text(a) + x->start;
	const char *right = bare_text(b) + y->start;

	return y->length >= 4 && abs(x->length - y->length) <= 2 &&
		(left[0] == right[0] || left[x->length - 1] == right[y->length - 1]);
}

/* Weight that the words have in common, each word of b used once. */
static double
common_weight(const TextValue *a, const TextValue *b)
{
	bool		used[MAX_WORDS] = {0};
	bool		met[MAX_WORDS] = {0};
	double		common = 0;
	int			tried = 0;

	for (int i = 0; i < a->nwords; i++)
		for (int j = 0; j < b->nwords; j++)
			if (!used[j] && a->words[i].hash == b->words[j].hash)
			{
				used[j] = met[i] = true;
				common += a->words[i].weight;
				break;
			}
	for (int i = 0; i < a->nwords; i++)
	{
		int			best = -1;
		double		similarity = 0.9;

		if (met[i] || a->words[i].length < 4)
			continue;
		for (int j = 0; j < b->nwords; j++)
		{
			double		found;

			if (used[j] || !could_be_slip(a, &a->words[i], b, &b->words[j]) || ++tried > MAX_TRIED)
				continue;
			found = ssot_jaro_winkler_bytes(bare_text(a) + a->words[i].start, a->words[i].length,
											bare_text(b) + b->words[j].start, b->words[j].length);
			if (found > similarity)
			{
				similarity = found;
				best = j;
			}
		}
		if (best >= 0)
		{
			used[best] = true;
			common += similarity * (a->words[i].weight + b->words[best].weight) / 2;
		}
	}
	return common;
}

/* Jaro-Winkler on the whole, unless numbers tell the two apart. */
static double
edit_similarity(const TextValue *a, const TextValue *b)
{
	if (a->numbers != b->numbers && a->numbers != 0 && b->numbers != 0)
		return 0;
	return ssot_jaro_winkler_bytes(bare_text(a), Min(a->length, MAX_EDITED),
								   bare_text(b), Min(b->length, MAX_EDITED));
}

static double
measure_text(const void *left, const void *right)
{
	const TextValue *a = left;
	const TextValue *b = right;
	double		common = Min(common_weight(a, b), Min(a->weight, b->weight));

	return Max(edit_similarity(a, b), 2 * common / (a->weight + b->weight));
}

static int
level_text(const void *left, const void *right)
{
	const TextValue *a = left;
	const TextValue *b = right;
	double		common;
	double		dice;
	double		edit = edit_similarity(a, b);
	double		contained;

	if (a->whole == b->whole || edit >= 0.96)
		return 4;
	common = Min(common_weight(a, b), Min(a->weight, b->weight));
	dice = 2 * common / (a->weight + b->weight);
	contained = common / Min(a->weight, b->weight);
	if (dice >= 0.9)
		return 4;
	if (edit >= 0.9 || dice >= 0.7 || (contained >= 0.95 && common >= 4))
		return 3;
	if (edit >= 0.8 || dice >= 0.45)
		return 2;
	return SSOT_LEVEL_DIFFERENT;
}

static const SsotKeyClass text_classes[] = {
	{"text", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	{"rare word", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	{"two words", SSOT_KEY_ALONE},
	{"beginning", SSOT_KEY_COMBINED},
};

const SsotKind ssot_kind_text = {
	.name = "text",
	.description = "texts of any sort: slips, and words in common weighed by rarity",
	.nlevels = 5,
	.levels = (const char *const[]) {"different", "alike", "close", "very close", "equal"},
	.shares = (const double[]) {0.08, 0.06, 0.08, 0.13, 0.65},
	.flags = SSOT_KIND_FREQUENCY,
	.cost = 3,
	.nclasses = lengthof(text_classes),
	.classes = text_classes,
	.prepare = prepare_text,
	.tokens = tokens_text,
	.weigh = weigh_text,
	.keys = keys_text,
	.level = level_text,
	.measure = measure_text,
	.measured = "similarity from 0 to 1: Jaro-Winkler, or the weight of the words in common if that is greater",
};
