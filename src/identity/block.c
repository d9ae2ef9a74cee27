/*
 * identity/block.c
 *		Bringing records together: which pairs are compared.
 *
 * Under each rule the records are sorted by the hash of their key (block_sort.c);
 * those of one key are a block, and all pairs of a block are compared (pairs.c). A
 * table has the keys of all rules, a row per record.
 *
 * A key that too many records have is passed over: it is taken out of the table, so
 * that another rule gives the pairs. Which pairs are compared thus depends on the
 * two records and on whether their key is crowded, and on nothing else: what keys
 * look up is what a run over all records compares. (Neighbours in a sorted order,
 * as of Hernandez and Stolfo, "The merge/purge problem for large databases", SIGMOD
 * 1995, depend on whoever stands between.)
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/block.h"
#include "identity/large.h"

#include "miscadmin.h"

#define CHUNK			1024	/* records whose keys are made at once */

void
ssot_records_trim(SsotRecords *records, List *rules)
{
	bool		used[SSOT_MAX_FIELDS][SSOT_MAX_CLASSES] = {{0}};
	ListCell   *cell;

	foreach(cell, rules)
	{
		const SsotBlocking *rule = lfirst(cell);

		for (int p = 0; p < rule->nparts; p++)
			used[rule->field[p]][rule->class[p]] = true;
	}
	for (int f = 0; f < records->nfields; f++)
	{
		SsotValues *values = &records->fields[f];

		for (int c = 0; c < values->kind->nclasses; c++)
			if (!used[f][c])
				ssot_class_drop(&values->by_record[c]);
	}
}

/* The table of keys: some rows at a time, so that a row is in the cache until it
 * is complete. */
void
ssot_blocks_fill(SsotBlocks *blocks)
{
	int			n = blocks->records->n;
	uint32		keys[CHUNK * SSOT_RULE_SLOTS];

	if (blocks->keys == NULL)
		blocks->keys = SSOT_LARGE(uint32, (Size) n * blocks->nslots);
	for (int first = 0; first < n; first += CHUNK)
	{
		int			count = Min(CHUNK, n - first);

		CHECK_FOR_INTERRUPTS();
		for (int r = 0; r < blocks->nrules; r++)
		{
			SsotRuleBlocks *rule = &blocks->rules[r];
			uint32	   *slots = blocks->keys + (Size) first * blocks->nslots + rule->first_slot;
			int			width = rule->nslots;

			if (width == 0)
				continue;
			ssot_rule_keys_of(blocks->records, rule->rule, first, count, width, keys);
			for (int i = 0; i < count; i++, slots += blocks->nslots)
				for (int k = 0; k < width; k++)
					slots[k] = keys[i * width + k];
		}
	}
}

/* Take a key out of the table. */
static void
clear_key(SsotBlocks *blocks, const SsotRuleBlocks *rule, uint32 hash, int64 first, int64 end)
{
	for (int64 i = first; i < end; i++)
	{
		int			record = rule->records[i] & ~SSOT_BEGINS_BLOCK;
		uint32	   *slots = blocks->keys + (Size) record * blocks->nslots + rule->first_slot;

		for (int k = 0; k < rule->nslots; k++)
			if (slots[k] == hash)
				slots[k] = 0;
	}
}

static int
compare_keys(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* Is the key of a rule among those that are passed over? */
static bool
is_passed(const SsotBlocks *blocks, int rule, uint32 hash)
{
	uint64		key = ssot_rule_key(rule, hash);

	return blocks->npassed > 0 &&
		bsearch(&key, blocks->passed, blocks->npassed, sizeof(uint64), compare_keys) != NULL;
}

void
ssot_blocks_settle(SsotBlocks *blocks)
{
	for (int r = 0; r < blocks->nrules; r++)
	{
		SsotRuleBlocks *rule = &blocks->rules[r];
		int64		end;

		CHECK_FOR_INTERRUPTS();
		for (int64 i = 0; i < rule->n; i = end)
		{
			int			record = rule->records[i] & ~SSOT_BEGINS_BLOCK;
			uint32		hash;

			for (end = i + 1; end < rule->n && (rule->records[end] & SSOT_BEGINS_BLOCK) == 0; end++)
				;
			hash = rule->hashes != NULL ? rule->hashes[i] :
				blocks->keys[(Size) record * blocks->nslots + rule->first_slot];
			if (end - i <= SSOT_MAX_BLOCK && !is_passed(blocks, r, hash))
				continue;
			rule->oversized++;
			rule->oversized_records += end - i;
			clear_key(blocks, rule, hash, i, end);
		}
	}
}

SsotBlocks *
ssot_blocks_begin(const SsotRecords *records, List *rules)
{
	SsotBlocks *blocks = palloc0(sizeof(SsotBlocks));

	blocks->records = records;
	blocks->nrules = list_length(rules);
	blocks->rules = palloc0(sizeof(SsotRuleBlocks) * Max(blocks->nrules, 1));
	for (int i = 0; i < blocks->nrules; i++)
	{
		SsotRuleBlocks *rule = &blocks->rules[i];

		rule->rule = list_nth(rules, i);
		rule->first_slot = blocks->nslots;
		rule->nslots = rule->rule->nslots;
		blocks->nslots += rule->nslots;
		blocks->most_slots = Max(blocks->most_slots, rule->nslots);
	}
	return blocks;
}

void
ssot_blocks_build(SsotBlocks *blocks)
{
	SsotRuleSorter *sorter = ssot_rule_sorter_create(blocks->records, blocks->most_slots);

	ssot_blocks_fill(blocks);
	for (int i = 0; i < blocks->nrules; i++)
		ssot_rule_sort(sorter, &blocks->rules[i]);
	ssot_rule_sorter_free(sorter);
	ssot_blocks_settle(blocks);
}
