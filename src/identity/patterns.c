/*
 * identity/patterns.c
 *		How often each pattern of agreement was met.
 *
 * Of hundreds of thousands of pairs there are some thousand patterns, so they are
 * found by hash, and only the different ones are sorted.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/patterns.h"

static int
compare_patterns(const void *a, const void *b)
{
	const SsotPatternCount *x = a;
	const SsotPatternCount *y = b;

	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return x->pattern < y->pattern ? -1 : x->pattern > y->pattern ? 1 : 0;
}

int
ssot_patterns_fold(SsotPatternCount *counts, int64 n, int *entries)
{
	uint32		mask = 1023;
	int		   *slots;			/* number of an entry, from 1 on */
	int		   *place;
	int			out = 0;

	while ((int64) mask < n)
		mask = mask * 2 + 1;
	slots = SSOT_LARGE0(int, (Size) mask + 1);
	for (int64 i = 0; i < n; i++)
	{
		SsotPatternCount one = counts[i];
		uint32		slot = (uint32) ssot_mix(one.pattern ^ (uint64) (one.rule + 1) << 58) & mask;

		while (slots[slot] != 0 && compare_patterns(&counts[slots[slot] - 1], &one) != 0)
			slot = (slot + 1) & mask;
		if (slots[slot] == 0)
		{
			one.met = out;
			counts[out++] = one;
			slots[slot] = out;
		}
		else
			counts[slots[slot] - 1].count += one.count;
		if (entries != NULL)
			entries[i] = slots[slot] - 1;
	}
	ssot_large_free(slots);
	qsort(counts, out, sizeof(SsotPatternCount), compare_patterns);
	if (entries == NULL)
		return out;
	place = SSOT_LARGE(int, out);
	for (int i = 0; i < out; i++)
		place[counts[i].met] = i;
	for (int64 i = 0; i < n; i++)
		entries[i] = place[entries[i]];
	ssot_large_free(place);
	return out;
}
