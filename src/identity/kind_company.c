/*
 * identity/kind_company.c
 *		Names of companies.
 *
 * The legal form is taken off (ssot_company_key), shortened words mean what they
 * stand for (identity/meanings.c), and what is left is compared as words without
 * order, weighed by how rare they are in the data at hand. So "Acme Intl." is
 * "ACME International GmbH"; "First National Bank" is not "Second National Bank",
 * since what they share many share, and what tells them apart is as rare as it
 * gets; and "Müller Logistics" is as far from "Müller Plastics" as the data makes
 * it.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"
#include "identity/meanings.h"
#include "identity/words.h"
#include "text/normalize.h"

#include <math.h>

/* The levels. */
enum
{
	DIFFERENT = SSOT_LEVEL_DIFFERENT,
	IN_COMMON,
	CONTAINED,
	ALIKE,
	SAME_WORDS,
	EQUAL
};

/* Names that share words of less weight than this share nothing that tells. */
#define TELLING_WEIGHT	3.0

static bool
is_filler(const char *word, int len)
{
	static const char *const fillers[] = {"and", "the", "of", "und", "et", "for", "de", "des", "der",
	"die", "du", "la", "le", "el", "y", "e", "di", "hq", "headquarters"};

	for (int i = 0; i < lengthof(fillers); i++)
		if (strlen(fillers[i]) == len && memcmp(fillers[i], word, len) == 0)
			return true;
	return false;
}

static void
take_words(SsotWordList *list, const char *key, int len, bool fillers)
{
	while (len > 0)
	{
		const char *space = memchr(key, ' ', len);
		int			n = space ? space - key : len;

		if (n > 0 && (fillers || !is_filler(key, n)))
			ssot_word_add(list, key, n, ssot_company_word(key, n));
		n += space != NULL;
		key += n;
		len -= n;
	}
}

static bool
prepare_company(StringInfo out, const char *text, int len)
{
	SsotWordList list;
	const char *key = ssot_company_key(text, len, &len);

	if (key == NULL)
		return false;
	ssot_words_begin(&list);
	take_words(&list, key, len, false);
	if (list.count == 0)
		take_words(&list, key, len, true);
	if (list.count == 0)
		return false;
	ssot_words_append(out, &list);
	return true;
}

static void
tokens_company(const void *value, void (*note) (uint64 token, void *arg), void *arg)
{
	ssot_words_tokens(value, note, arg);
}

static void
weigh_company(void *value, const SsotTokenShares *shares)
{
	ssot_words_weigh(value, shares);
}

/* Are the letters the same, however parted: "coca cola", "cocacola"? */
static bool
same_letters(const SsotWords *a, const SsotWords *b)
{
	return a->length == b->length &&
		memcmp(&a->words[a->count], &b->words[b->count], a->length) == 0;
}

/* Is a one word, made of the first letters of b's words: "ibm"? */
static bool
is_acronym(const SsotWords *a, const SsotWords *b)
{
	if (a->count != 1 || b->count < 3 || a->words[0].length != b->count)
		return false;
	for (int i = 0; i < b->count; i++)
		if (ssot_word_chars(a, 0)[i] != ssot_word_chars(b, i)[0])
			return false;
	return true;
}

static int
level_company(const void *left, const void *right)
{
	const SsotWords *a = left;
	const SsotWords *b = right;
	SsotWordsMatch match;

	if (same_letters(a, b))
		return SAME_WORDS;
	ssot_words_match(a, b, &match);
	if (match.a_all && match.b_all)
		return match.exact ? SAME_WORDS : ALIKE;
	if (match.numbers_differ)
		return match.dice >= 0.6 ? IN_COMMON : DIFFERENT;
	if ((match.a_all || match.b_all) && match.common >= TELLING_WEIGHT)
		return match.dice >= 0.8 ? ALIKE : CONTAINED;
	if (is_acronym(a, b) || is_acronym(b, a))
		return CONTAINED;
	if (match.dice >= 0.75)
		return CONTAINED;
	if (match.dice >= 0.4 && match.common >= TELLING_WEIGHT)
		return IN_COMMON;
	return DIFFERENT;
}

static double
measure_company(const void *a, const void *b)
{
	SsotWordsMatch match;

	if (same_letters(a, b))
		return 1;
	ssot_words_match(a, b, &match);
	return match.dice;
}

static uint64
agreement_company(const void *a, const void *b, int level)
{
	SsotWordsMatch match;

	if (level == DIFFERENT)
		return 0;
	ssot_words_match(a, b, &match);
	return match.rarest;
}

/* ---- keys ----------------------------------------------------------------- */

enum
{
	KEY_NAME,
	KEY_TWO_WORDS,
	KEY_RARE_WORD,
	KEY_RARE_SOUND,
	KEY_LETTERS,
	KEY_BEGINNING
};

static const SsotKeyClass company_classes[] = {
	[KEY_NAME] = {"words in any order", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_TWO_WORDS] = {"two rare words", SSOT_KEY_ALONE},
	[KEY_RARE_WORD] = {"rare word", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_RARE_SOUND] = {"rare word's sound", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_LETTERS] = {"first six letters", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_BEGINNING] = {"first three letters", SSOT_KEY_COMBINED},
};

static void
keys_company(const void *value, SsotValueKeys *keys)
{
	const SsotWords *words = value;
	const char *chars = (const char *) &words->words[words->count];
	int			rarest[3];
	int			n = ssot_words_rarest(words, lengthof(rarest), rarest);

	ssot_add_key(keys, KEY_NAME, ssot_words_hash(words));
	for (int i = 0; i < Min(n, 2); i++)
	{
		const SsotWord *word = &words->words[rarest[i]];

		ssot_add_key(keys, KEY_RARE_WORD, word->hash);
		if (word->sound != 0 && word->length >= 4)
			ssot_add_key(keys, KEY_RARE_SOUND, word->sound);
	}
	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++)
			ssot_add_key(keys, KEY_TWO_WORDS,
						 words->words[rarest[i]].hash + words->words[rarest[j]].hash);
	if (words->length >= 6)
		ssot_add_key(keys, KEY_LETTERS, ssot_hash_text(chars, 6));
	ssot_add_key(keys, KEY_BEGINNING, ssot_hash_text(chars, Min(words->length, 3)));
}

const SsotKind ssot_kind_company = {
	.name = "company",
	.description = "companies: legal forms off, shortened words, any order, rare words weigh most",
	.nlevels = EQUAL,
	.levels = (const char *const[]) {"different", "something in common", "one contains the other",
	"alike", "same words", "equal"},
	.shares = (const double[]) {0.03, 0.04, 0.08, 0.20, 0.15, 0.50},
	.flags = SSOT_KIND_FREQUENCY | SSOT_KIND_NAME,
	.cost = 6,
	.nclasses = lengthof(company_classes),
	.classes = company_classes,
	.prepare = prepare_company,
	.tokens = tokens_company,
	.weigh = weigh_company,
	.keys = keys_company,
	.level = level_company,
	.measure = measure_company,
	.measured = "similarity from 0 to 1: weight of the words in common",
	.agreement = agreement_company,
};
