/*
 * similarity.h
 *		How alike two strings are. Pure: arrays in, a number out.
 *
 * A string is an array of characters: bytes where every character fits into
 * one (ASCII, Latin-1), else 32-bit code points. Nothing is folded here: case,
 * accents and composed characters are the caller's to normalise (normalize.h)
 * before characters are compared one by one.
 *
 * All measures are symmetric. Strings of up to 64 characters are compared with
 * bits of one machine word and without allocating; longer ones need memory that
 * grows with their length (never with its square) from the current context, and
 * can be interrupted. No function is reentrant from another thread: the tables
 * of masks are static.
 */
#ifndef SSOT_TEXT_SIMILARITY_H
#define SSOT_TEXT_SIMILARITY_H

#include "postgres.h"

typedef struct SsotChars
{
	const void *data;			/* of unsigned char, or of uint32 if wide */
	int			length;			/* in characters */
	bool		wide;
} SsotChars;

/* Larger than any distance: no bound. */
#define SSOT_NO_BOUND	(PG_INT32_MAX - 1)

/* A string in UTF-8; ASCII is not copied. Bytes that are no UTF-8 are U+FFFD. */
extern SsotChars ssot_chars_from_utf8(const char *s, int len);

static inline SsotChars
ssot_chars_from_bytes(const char *s, int len)
{
	SsotChars	chars = {s, len, false};

	return chars;
}

/*
 * jaro.c: from 0 (nothing in common) to 1 (equal; two empty strings are).
 * Winkler's variant adds a tenth of what is missing for each of up to four
 * equal characters at the beginning, where the similarity is above 0.7.
 */
extern double ssot_jaro(const SsotChars *a, const SsotChars *b);
extern double ssot_jaro_winkler(const SsotChars *a, const SsotChars *b);
extern double ssot_jaro_winkler_bytes(const char *a, int alen, const char *b, int blen);

/*
 * edit_distance.c: how many characters have to be inserted, deleted or
 * replaced; for damerau also two neighbours exchanged (no character twice:
 * "optimal string alignment"). A distance greater than max is given as max + 1,
 * sooner.
 */
extern int	ssot_levenshtein(const SsotChars *a, const SsotChars *b, int max);
extern int	ssot_levenshtein_bytes(const char *a, int alen, const char *b, int blen, int max);
extern int	ssot_damerau(const SsotChars *a, const SsotChars *b, int max);
extern int	ssot_damerau_bytes(const char *a, int alen, const char *b, int blen, int max);

/* Length of the longest common subsequence. */
extern int	ssot_lcs(const SsotChars *a, const SsotChars *b);

/* trigram.c: what two sets of trigrams have in common. */
typedef struct SsotTrigramCounts
{
	int			a;				/* distinct trigrams of a */
	int			b;
	int			common;
} SsotTrigramCounts;

extern SsotTrigramCounts ssot_trigrams(const SsotChars *a, const SsotChars *b);

/*
 * tokens.c: strings as words, parted by white space.
 *
 * token_set: neither order nor repetition of words matters, nor words that only
 * one of the two has. soft_tfidf: words count by their weight, and words that
 * are alike (Jaro-Winkler of at least "threshold") as far as they are alike.
 */
typedef double (*SsotTokenWeight) (const SsotChars *token, void *arg);

extern double ssot_token_set(const SsotChars *a, const SsotChars *b);
extern double ssot_soft_tfidf(const SsotChars *a, const SsotChars *b, double threshold,
							  SsotTokenWeight weight, void *arg);

/*
 * phonetic.c: how a word sounds. Lower-case ASCII letters in, anything else is
 * passed over; at most "size" bytes out, not terminated. Returns their number.
 */
extern int	ssot_cologne(const char *word, int len, char *out, int size);
extern int	ssot_soundex(const char *word, int len, char *out, int size);

#endif							/* SSOT_TEXT_SIMILARITY_H */
