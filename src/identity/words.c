/*
 * identity/words.c
 *		Values that consist of words: names of people and companies, streets.
 *
 * Words meet by hash; the few that are left over are compared letter by letter.
 * Most of those differ altogether, which their sets of letters show: an edit
 * changes such a set in two places at most.
 *
 * A word weighs as much as its rarity says, -ln(share of the records that have
 * it). A misspelt word is always rare; so a pair of words that are alike weighs
 * what the more frequent of the two does.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/words.h"
#include "text/chars.h"
#include "text/similarity.h"

#include "port/pg_bitutils.h"

#include <math.h>

#define ALIKE_SHARE		0.9		/* of its weight, what a misspelt word counts */
#define SHORTENED_SHARE	0.8		/* the same of a shortened one */
#define MIN_SHORTENED	3		/* letters */
#define NUMBER_BIT		26

/* Until it is known how rare words are: one that has shortenings is frequent. */
#define FREQUENT_WEIGHT	2.5
#define RARE_WEIGHT		7.0

static uint32
letter_set(const char *word, int len)
{
	uint32		letters = 0;

	for (int i = 0; i < len; i++)
	{
		unsigned char c = word[i];

		if (ssot_ascii_is_alpha(c))
			letters |= 1u << ((c | 0x20) - 'a');
		else if (ssot_ascii_is_digit(c))
			letters |= 1u << (NUMBER_BIT + c % 6);
	}
	return letters;
}

/*
 * Umlauts are written as two letters or as one: "mueller" is "muller". Dropping
 * the e behind every a, o and u does to other words what it does to both sides.
 */
uint64
ssot_word_hash(const char *word, int len)
{
	char		folded[SSOT_MAX_WORD_LENGTH];
	int			n = 0;

	for (int i = 0; i < Min(len, SSOT_MAX_WORD_LENGTH); i++)
		if (word[i] != 'e' || n == 0 || i == len - 1 || strchr("aou", folded[n - 1]) == NULL)
			folded[n++] = word[i];
	return ssot_hash_text(folded, n);
}

void
ssot_word_add(SsotWordList *list, const char *word, int len, const char *meaning)
{
	SsotWord   *w;
	char		code[SSOT_MAX_WORD_LENGTH];
	int			n;

	if (list->count == SSOT_MAX_WORDS || len == 0)
		return;
	len = Min(len, SSOT_MAX_WORD_LENGTH);
	w = &list->words[list->count++];
	memset(w, 0, sizeof(SsotWord));
	w->start = list->length;
	w->length = len;
	w->weight = meaning ? FREQUENT_WEIGHT : RARE_WEIGHT;
	w->hash = meaning ? ssot_hash_text(meaning, strlen(meaning)) : ssot_word_hash(word, len);
	w->letters = letter_set(word, len);
	w->has_digit = (w->letters >> NUMBER_BIT) != 0;
	n = ssot_cologne(word, len, code, sizeof(code));
	w->sound = n > 0 ? (uint32) ssot_hash_text(code, n) | 1 : 0;
	memcpy(list->chars + list->length, word, len);
	list->length += len;
}

void
ssot_words_append(StringInfo out, const SsotWordList *list)
{
	SsotWords	head = {.count = list->count,.length = list->length};

	appendBinaryStringInfo(out, (char *) &head, offsetof(SsotWords, words));
	appendBinaryStringInfo(out, (char *) list->words, sizeof(SsotWord) * list->count);
	appendBinaryStringInfo(out, list->chars, list->length);
}

void
ssot_words_tokens(const SsotWords *words, void (*note) (uint64 token, void *arg), void *arg)
{
	for (int i = 0; i < words->count; i++)
	{
		bool		again = false;

		for (int j = 0; j < i && !again; j++)
			again = words->words[j].hash == words->words[i].hash;
		if (!again)
			note(words->words[i].hash, arg);
	}
}

void
ssot_words_weigh(SsotWords *words, const SsotTokenShares *shares)
{
	for (int i = 0; i < words->count; i++)
		words->words[i].weight = 0.1 - log(ssot_token_share(shares, words->words[i].hash));
}

uint64
ssot_words_hash(const SsotWords *words)
{
	uint64		hash = 0;

	for (int i = 0; i < words->count; i++)
		hash += words->words[i].hash;
	return hash;
}

/* Ties go by hash, not by place: the order of words must not matter. */
int
ssot_words_rarest(const SsotWords *words, int n, int *rarest)
{
	int			found = 0;

	while (found < n && found < words->count)
	{
		int			best = -1;

		for (int i = 0; i < words->count; i++)
		{
			bool		taken = false;

			for (int k = 0; k < found && !taken; k++)
				taken = rarest[k] == i;
			if (!taken && (best < 0 || words->words[i].weight > words->words[best].weight ||
						   (words->words[i].weight == words->words[best].weight &&
							words->words[i].hash > words->words[best].hash)))
				best = i;
		}
		rarest[found++] = best;
	}
	return found;
}

bool
ssot_words_alike(const SsotWords *a, int i, const SsotWords *b, int j)
{
	const SsotWord *x = &a->words[i];
	const SsotWord *y = &b->words[j];
	int			shorter = Min(x->length, y->length);
	bool		sounds = x->sound == y->sound && x->sound != 0;
	int			most;

	if (x->has_digit || y->has_digit)
		return false;
	if (shorter >= 8 || (sounds && shorter >= 4))
		most = 2;
	else if (shorter >= 4 || (sounds && shorter == 3))
		most = 1;
	else
		return false;
	if (abs(x->length - y->length) > most ||
		pg_popcount32(x->letters ^ y->letters) > 2 * most)
		return false;
	return ssot_damerau_bytes(ssot_word_chars(a, i), x->length,
							  ssot_word_chars(b, j), y->length, most) <= most;
}

/* Is one word the beginning of the other: "tech" of "technologies"? */
static bool
shortens(const SsotWords *a, int i, const SsotWords *b, int j)
{
	int			n = Min(a->words[i].length, b->words[j].length);

	return n >= MIN_SHORTENED && !a->words[i].has_digit && !b->words[j].has_digit &&
		memcmp(ssot_word_chars(a, i), ssot_word_chars(b, j), n) == 0;
}

static void
match_words(const SsotWords *a, const SsotWords *b, SsotWordsMatch *match)
{
	double		a_weight[SSOT_MAX_WORDS];
	double		b_weight[SSOT_MAX_WORDS];
	uint32		a_left = (1u << a->count) - 1;
	uint32		b_left = (1u << b->count) - 1;
	double		rarest = -1;
	double		all = 0;
	bool		a_number = false;
	bool		b_number = false;

	memset(match, 0, sizeof(SsotWordsMatch));
	match->exact = true;
	for (int i = 0; i < a->count; i++)
		a_weight[i] = a->words[i].weight;
	for (int j = 0; j < b->count; j++)
		b_weight[j] = b->words[j].weight;

	for (int i = 0; i < a->count; i++)
		for (int j = 0; j < b->count; j++)
		{
			if (a->words[i].hash != b->words[j].hash || !(b_left & (1u << j)))
				continue;
			a_left &= ~(1u << i);
			b_left &= ~(1u << j);
			match->common += 2 * a_weight[i];
			if (a_weight[i] > rarest)
			{
				rarest = a_weight[i];
				match->rarest = a->words[i].hash;
			}
			break;
		}
	for (int i = 0; i < a->count && b_left != 0; i++)
	{
		if (!(a_left & (1u << i)))
			continue;
		for (int j = 0; j < b->count; j++)
		{
			double		share;
			double		weight = Min(a_weight[i], b_weight[j]);

			if (!(b_left & (1u << j)))
				continue;
			if (ssot_words_alike(a, i, b, j))
				share = ALIKE_SHARE;
			else if (shortens(a, i, b, j))
				share = SHORTENED_SHARE;
			else
				continue;
			a_weight[i] = b_weight[j] = weight;
			a_left &= ~(1u << i);
			b_left &= ~(1u << j);
			match->common += 2 * share * weight;
			match->exact = false;
			break;
		}
	}
	for (int i = 0; i < a->count; i++)
	{
		all += a_weight[i];
		a_number |= (a_left & (1u << i)) != 0 && a->words[i].has_digit;
	}
	for (int j = 0; j < b->count; j++)
	{
		all += b_weight[j];
		b_number |= (b_left & (1u << j)) != 0 && b->words[j].has_digit;
	}
	match->dice = all > 0 ? match->common / all : 0;
	match->common /= 2;
	match->a_all = a_left == 0;
	match->b_all = b_left == 0;
	match->numbers_differ = a_number && b_number;
}

/* Words meet from the left, so which value is called a could matter; the hashes
 * decide. */
void
ssot_words_match(const SsotWords *a, const SsotWords *b, SsotWordsMatch *match)
{
	bool		all;

	if (ssot_words_hash(a) <= ssot_words_hash(b))
	{
		match_words(a, b, match);
		return;
	}
	match_words(b, a, match);
	all = match->a_all;
	match->a_all = match->b_all;
	match->b_all = all;
}
