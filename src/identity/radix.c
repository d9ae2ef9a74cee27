/*
 * identity/radix.c
 *		Sorting numbers by a hash or a key: least significant digit first.
 *
 * Eight or eleven bits at a time, stable; a digit that is the same in all
 * entries costs one pass of counting and no move.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/radix.h"

#include "miscadmin.h"

#define DIGIT		8
#define BLOCK_DIGIT	11

void
ssot_radix_sort(SsotRadixEntry *entries, int64 n, int bits)
{
	SsotRadixEntry *scratch;
	SsotRadixEntry *from = entries;
	SsotRadixEntry *to;

	if (n < 2)
		return;
	to = scratch = SSOT_LARGE(SsotRadixEntry, n);
	for (int shift = 0; shift < bits; shift += DIGIT)
	{
		int64		counts[1 << DIGIT] = {0};
		int64		sum = 0;

		CHECK_FOR_INTERRUPTS();
		for (int64 i = 0; i < n; i++)
			counts[(from[i].key >> shift) & ((1 << DIGIT) - 1)]++;
		if (counts[(from[0].key >> shift) & ((1 << DIGIT) - 1)] == n)
			continue;
		for (int d = 0; d < 1 << DIGIT; d++)
		{
			int64		count = counts[d];

			counts[d] = sum;
			sum += count;
		}
		for (int64 i = 0; i < n; i++)
			to[counts[(from[i].key >> shift) & ((1 << DIGIT) - 1)]++] = from[i];
		{
			SsotRadixEntry *swap = from;

			from = to;
			to = swap;
		}
	}
	if (from != entries)
		memcpy(entries, from, sizeof(SsotRadixEntry) * n);
	ssot_large_free(scratch);
}

void
ssot_radix_sort_blocks(SsotBlockEntry *entries, SsotBlockEntry *scratch, int64 n)
{
	SsotBlockEntry *from = entries;
	SsotBlockEntry *to = scratch;

	for (int shift = 0; shift < 32; shift += BLOCK_DIGIT)
	{
		int64		counts[1 << BLOCK_DIGIT] = {0};
		int64		sum = 0;
		SsotBlockEntry *swap;

		for (int64 i = 0; i < n; i++)
			counts[(from[i].hash >> shift) & ((1 << BLOCK_DIGIT) - 1)]++;
		for (int d = 0; d < 1 << BLOCK_DIGIT; d++)
		{
			int64		count = counts[d];

			counts[d] = sum;
			sum += count;
		}
		for (int64 i = 0; i < n; i++)
			to[counts[(from[i].hash >> shift) & ((1 << BLOCK_DIGIT) - 1)]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	memcpy(entries, from, sizeof(SsotBlockEntry) * n);	/* three passes end in
														 * scratch */
}
