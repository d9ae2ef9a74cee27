/*
 * trigram.c
 *		How many sequences of three characters two strings have in common.
 *
 * As in pg_trgm, a word (letters and digits) counts as if two spaces stood
 * before it and one behind it, so that beginnings weigh more; and each trigram
 * counts once. Three code points of 21 bits are one number of 63: sets are sorted
 * arrays of numbers, and nothing is lost by hashing.
 */
#include "postgres.h"

#include "ssot.h"

#include "text/chars.h"
#include "text/masks.h"
#include "text/similarity.h"

#define ON_STACK	128
#define TRIGRAM_BITS	((UINT64CONST(1) << 63) - 1)

/* A letter or digit; of other scripts, anything that is no space. */
static inline bool
is_word_char(uint32 c)
{
	if (c < 0x80)
		return ssot_ascii_is_alnum((unsigned char) c);
	return ssot_char_class(c) == SSOT_CHAR_ORDINARY;
}

static int
compare_trigrams(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

/* The distinct trigrams of a string, sorted; "out" has room for 2 * length + 2. */
static int
make_trigrams(const SsotChars *s, uint64 *out)
{
	int			n = 0;
	int			distinct = 0;
	bool		inside = false;
	uint64		window = 0;

	for (int i = 0; i <= s->length; i++)
	{
		uint32		c = i < s->length ? char_at(s->data, i, s->wide) : ' ';
		bool		word = i < s->length && is_word_char(c);

		if (!word && !inside)
			continue;
		if (!inside)
			window = (uint64) ' ' << 21 | ' ';
		window = (window << 21 | (word ? c : ' ')) & TRIGRAM_BITS;
		out[n++] = window;
		inside = word;
	}
	if (n <= 32)
	{
		for (int i = 1; i < n; i++)
		{
			uint64		trigram = out[i];
			int			j = i;

			for (; j > 0 && out[j - 1] > trigram; j--)
				out[j] = out[j - 1];
			out[j] = trigram;
		}
	}
	else
		qsort(out, n, sizeof(uint64), compare_trigrams);
	for (int i = 0; i < n; i++)
		if (distinct == 0 || out[distinct - 1] != out[i])
			out[distinct++] = out[i];
	return distinct;
}

SsotTrigramCounts
ssot_trigrams(const SsotChars *a, const SsotChars *b)
{
	uint64		on_stack[2][ON_STACK];
	uint64	   *at = on_stack[0];
	uint64	   *bt = on_stack[1];
	SsotTrigramCounts counts = {0, 0, 0};

	/* at most one trigram per character and one more per word */
	if (a->length * 2 + 2 > ON_STACK)
		at = palloc(sizeof(uint64) * (a->length * 2 + 2));
	if (b->length * 2 + 2 > ON_STACK)
		bt = palloc(sizeof(uint64) * (b->length * 2 + 2));
	counts.a = make_trigrams(a, at);
	counts.b = make_trigrams(b, bt);
	for (int i = 0, j = 0; i < counts.a && j < counts.b;)
	{
		uint64		x = at[i];
		uint64		y = bt[j];

		counts.common += x == y;
		i += x <= y;
		j += y <= x;
	}
	if (at != on_stack[0])
		pfree(at);
	if (bt != on_stack[1])
		pfree(bt);
	return counts;
}
