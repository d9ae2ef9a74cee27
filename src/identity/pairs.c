/*
 * identity/pairs.c
 *		The pairs that blocks give.
 *
 * All pairs of a block, unless its key was taken out of the table. A pair that an
 * earlier rule gave is passed over: the table of keys, a row per record, tells by
 * comparing two rows, and no set of pairs has to be kept.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/block.h"

#include "miscadmin.h"

#define AHEAD			16		/* records that are fetched before they are
								 * needed */

/* Does a rule before "last" give this pair? */
static bool
given_before(const SsotBlocks *blocks, int last, const uint32 *left, const uint32 *right)
{
	for (int q = 0; q < last; q++)
	{
		const SsotRuleBlocks *rule = &blocks->rules[q];

		if (rule->nslots == 1)
		{
			if (left[rule->first_slot] != 0 && left[rule->first_slot] == right[rule->first_slot])
				return true;
			continue;
		}
		for (int i = rule->first_slot; i < rule->first_slot + rule->nslots; i++)
			for (int j = rule->first_slot; j < rule->first_slot + rule->nslots; j++)
				if (left[i] != 0 && left[i] == right[j])
					return true;
	}
	return false;
}

/* The smallest key that two records share under a rule. */
static uint32
smallest_shared(const SsotRuleBlocks *rule, const uint32 *left, const uint32 *right)
{
	uint32		smallest = PG_UINT32_MAX;

	for (int i = rule->first_slot; i < rule->first_slot + rule->nslots; i++)
		for (int j = rule->first_slot; j < rule->first_slot + rule->nslots; j++)
			if (left[i] != 0 && left[i] == right[j])
				smallest = Min(smallest, left[i]);
	return smallest;
}

/* What will be looked at of a record. */
static inline void
fetch_record(const SsotBlocks *blocks, int record)
{
	const uint32 *keys = blocks->keys + (Size) record * blocks->nslots;

	__builtin_prefetch(keys);
	__builtin_prefetch(keys + blocks->nslots);
	__builtin_prefetch(ssot_record(blocks->records, record));
}

/*
 * Compare the record at "i" with those after it, as far as "end" or the next block.
 * "key" is that of the block, where records have several.
 */
static void
walk_from(SsotBlocks *blocks, int number, int64 i, int64 end, uint32 key,
		  SsotPairCallback callback, void *arg)
{
	SsotRuleBlocks *rule = &blocks->rules[number];
	int			a = rule->records[i] & ~SSOT_BEGINS_BLOCK;
	const uint32 *left = blocks->keys + (Size) a * blocks->nslots;

	for (int64 j = i + 1; j < end && (rule->records[j] & SSOT_BEGINS_BLOCK) == 0; j++)
	{
		int			b = rule->records[j];
		const uint32 *right = blocks->keys + (Size) b * blocks->nslots;

		if (a == b || ssot_in_one_group(blocks->records, a, b))
			continue;
		if (given_before(blocks, number, left, right))
			continue;
		if (key != 0 && smallest_shared(rule, left, right) != key)
			continue;			/* they meet in the block of that one */
		rule->pairs++;
		callback(Min(a, b), Max(a, b), arg);
	}
}

/* Where the block that begins at "first" ends; no further than is looked. */
static int64
block_end(const SsotRuleBlocks *rule, int64 first)
{
	int64		end = first + 1;

	while (end < rule->n && end <= first + SSOT_MAX_BLOCK &&
		   (rule->records[end] & SSOT_BEGINS_BLOCK) == 0)
		end++;
	return end;
}

/* Is the block that begins at "first" and ends at "end" compared? */
static bool
is_compared(const SsotBlocks *blocks, const SsotRuleBlocks *rule, int64 first, int64 end)
{
	const uint32 *slots = blocks->keys + rule->first_slot +
	(Size) (rule->records[first] & ~SSOT_BEGINS_BLOCK) * blocks->nslots;

	if (end - first > SSOT_MAX_BLOCK)
		return false;
	if (rule->hashes == NULL)
		return slots[0] != 0;
	for (int k = 0; k < rule->nslots; k++)
		if (slots[k] == rule->hashes[first])
			return true;
	return false;
}

void
ssot_blocks_walk(SsotBlocks *blocks, int number, int64 first, int64 last,
				 SsotPairCallback callback, void *arg)
{
	const SsotRuleBlocks *rule = &blocks->rules[number];
	int64		i = first;

	/* in the middle of a block: others take care of it */
	while (i < last && (rule->records[i] & SSOT_BEGINS_BLOCK) == 0)
		i++;
	while (i < last)
	{
		int64		end = block_end(rule, i);

		CHECK_FOR_INTERRUPTS();
		if (is_compared(blocks, rule, i, end))
		{
			uint32		key = rule->hashes != NULL ? rule->hashes[i] : 0;

			for (; i < end; i++)
			{
				if (i + AHEAD < rule->n)
					fetch_record(blocks, rule->records[i + AHEAD] & ~SSOT_BEGINS_BLOCK);
				walk_from(blocks, number, i, end, key, callback, arg);
			}
		}
		else
			for (i = end; i < last && (rule->records[i] & SSOT_BEGINS_BLOCK) == 0; i++)
				;
	}
}

void
ssot_blocks_walk_all(const SsotRecords *records, SsotPairCallback callback, void *arg)
{
	for (int a = 0; a < records->n; a++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int b = a + 1; b < records->n; b++)
			if (!ssot_in_one_group(records, a, b))
				callback(a, b, arg);
	}
}
