/*
 * identity/words.h
 *		Values that consist of words: names of people and companies, streets.
 *
 * For the kinds of this room. Words are keys of text/normalize.h: lower case,
 * plain letters.
 */
#ifndef SSOT_WORDS_H
#define SSOT_WORDS_H

#include "identity/kind.h"

/* Further words of a value are not looked at. */
#define SSOT_MAX_WORDS		16
#define SSOT_MAX_WORD_LENGTH 64

typedef struct SsotWord
{
	uint64		hash;			/* of what the word means: "intl" is
								 * "international" */
	float		weight;			/* how rare it is */
	uint32		sound;			/* hash of its Cologne phonetics; 0: none */
	uint32		letters;		/* which of a to z, and digits, occur */
	uint16		start;			/* of its characters */
	uint8		length;
	bool		has_digit;
} SsotWord;

/* In a prepared value: the words, then their characters. */
typedef struct SsotWords
{
	uint16		count;
	uint16		length;			/* of the characters */
	uint32		unused;
	SsotWord	words[FLEXIBLE_ARRAY_MEMBER];
} SsotWords;

/* Gathering the words of a value. */
typedef struct SsotWordList
{
	int			count;
	int			length;
	SsotWord	words[SSOT_MAX_WORDS];
	char		chars[SSOT_MAX_WORDS * SSOT_MAX_WORD_LENGTH];
} SsotWordList;

static inline const char *
ssot_word_chars(const SsotWords *words, int i)
{
	return (const char *) &words->words[words->count] + words->words[i].start;
}

/* Before the first word is added. */
static inline void
ssot_words_begin(SsotWordList *list)
{
	list->count = list->length = 0;
}

/* Add a word; "meaning" (may be NULL) is what it is taken for. */
extern void ssot_word_add(SsotWordList *list, const char *word, int len, const char *meaning);

/* The hash of a word that means itself. */
extern uint64 ssot_word_hash(const char *word, int len);
extern void ssot_words_append(StringInfo out, const SsotWordList *list);

extern void ssot_words_tokens(const SsotWords *words,
							  void (*note) (uint64 token, void *arg), void *arg);
extern void ssot_words_weigh(SsotWords *words, const SsotTokenShares *shares);

/* The hash of all words in any order. */
extern uint64 ssot_words_hash(const SsotWords *words);

/* The n rarest words, rarest first; returns how many there are. */
extern int	ssot_words_rarest(const SsotWords *words, int n, int *rarest);

/* Do two words differ by no more than a slip of the keyboard or of the ear? */
extern bool ssot_words_alike(const SsotWords *a, int i, const SsotWords *b, int j);

/* What the words of two values have in common. */
typedef struct SsotWordsMatch
{
	double		dice;			/* weight in common, by the weight of all */
	double		common;			/* weight in common */
	bool		a_all;			/* every word of a has met one of b */
	bool		b_all;
	bool		exact;			/* none of those that met is misspelt or
								 * shortened */
	bool		numbers_differ; /* each has a number that the other lacks */
	uint64		rarest;			/* the rarest word that both have; 0: none */
} SsotWordsMatch;

/* Each word meets one word at most: an equal one, one that is alike, or one that
 * it shortens. */
extern void ssot_words_match(const SsotWords *a, const SsotWords *b, SsotWordsMatch *match);

#endif							/* SSOT_WORDS_H */
