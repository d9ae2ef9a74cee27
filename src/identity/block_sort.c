/*
 * identity/block_sort.c
 *		The records of one rule, block by block.
 *
 * Records and keys are all that it takes, so each rule can be sorted by another
 * process.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/block.h"
#include "identity/large.h"
#include "identity/radix.h"

#include "miscadmin.h"

#define CHUNK			1024	/* records whose keys are made at once */

/* ---- who is alone --------------------------------------------------------- */

/*
 * Which keys were met once, and which more often: a bit for all keys whose hashes
 * begin alike. Most records are alone with their key, and need not be sorted.
 */
typedef struct Met
{
	int			shift;
	Size		size;			/* bytes of each */
	uint64	   *once;
	uint64	   *again;
} Met;

static void
begin_meeting(Met *met, int64 nkeys)
{
	int			bits = 16;

	while (bits < 27 && ((int64) 1 << bits) < 8 * nkeys)
		bits++;
	met->shift = 32 - bits;
	met->size = ((Size) 1 << bits) / 8;
	met->once = (uint64 *) SSOT_LARGE(char, met->size);
	met->again = (uint64 *) SSOT_LARGE(char, met->size);
}

static inline void
meet(Met *met, uint32 hash)
{
	uint32		place = hash >> met->shift;
	uint64		bit = UINT64CONST(1) << (place & 63);

	met->again[place >> 6] |= met->once[place >> 6] & bit;
	met->once[place >> 6] |= bit;
}

static inline bool
met_again(const Met *met, uint32 hash)
{
	uint32		place = hash >> met->shift;

	return met->again[place >> 6] >> (place & 63) & 1;
}

/* Room for sorting a rule. */
struct SsotRuleSorter
{
	const SsotRecords *records;
	SsotBlockEntry *entries;	/* for every key of every record, and one */
	SsotBlockEntry *scratch;
	Met			met;
};

/* ---- rules ----------------------------------------------------------------- */

/*
 * The keys of a rule that more than one record may have, with the records. They are
 * made anew, which takes less than to read them from the table, row by row.
 */
static int64
collect_entries(SsotRuleSorter *sorter, const SsotRuleBlocks *rule, uint32 *column)
{
	int			n = sorter->records->n;
	Met		   *met = &sorter->met;
	SsotBlockEntry *entries = sorter->entries;
	int			width = rule->nslots;
	int64		count = 0;

	memset(met->once, 0, met->size);
	memset(met->again, 0, met->size);
	for (int first = 0; first < n; first += CHUNK)
	{
		uint32	   *keys = column + (Size) first * width;
		int			nkeys = Min(CHUNK, n - first) * width;

		CHECK_FOR_INTERRUPTS();
		ssot_rule_keys_of(sorter->records, rule->rule, first, nkeys / width, width, keys);
		for (int i = 0; i < nkeys; i++)
			if (keys[i] != 0)
				meet(met, keys[i]);
	}
	for (int r = 0; r < n; r++)
		for (int k = 0; k < width; k++)
		{
			uint32		hash = column[(Size) r * width + k];

			/*
			 * kept or not: a wrong guess of the processor costs more than a
			 * store
			 */
			entries[count].hash = hash;
			entries[count].record = r;
			count += hash != 0 && met_again(met, hash);
		}
	return count;
}

void
ssot_rule_sort(SsotRuleSorter *sorter, SsotRuleBlocks *rule)
{
	int64		count = collect_entries(sorter, rule, (uint32 *) sorter->scratch);
	SsotBlockEntry *entries = sorter->entries;
	int64		out = 0;

	CHECK_FOR_INTERRUPTS();
	ssot_radix_sort_blocks(entries, sorter->scratch, count);
	rule->records = SSOT_LARGE(uint32, count);
	if (rule->nslots > 1)
		rule->hashes = SSOT_LARGE(uint32, count);
	for (int64 i = 0; i < count;)
	{
		int64		end = i + 1;

		while (end < count && entries[end].hash == entries[i].hash)
			end++;
		if (end - i > 1)		/* nobody is alone in a block */
		{
			int64		first = out;

			for (int64 j = i; j < end; j++)
			{
				if (rule->hashes != NULL)
					rule->hashes[out] = entries[j].hash;
				rule->records[out++] = entries[j].record;
			}
			rule->records[first] |= SSOT_BEGINS_BLOCK;
		}
		i = end;
	}
	rule->n = out;
}

SsotRuleSorter *
ssot_rule_sorter_create(const SsotRecords *records, int most_slots)
{
	SsotRuleSorter *sorter = palloc0(sizeof(SsotRuleSorter));

	sorter->records = records;
	sorter->entries = SSOT_LARGE(SsotBlockEntry, (int64) records->n * most_slots + 1);
	sorter->scratch = SSOT_LARGE(SsotBlockEntry, (int64) records->n * most_slots);
	begin_meeting(&sorter->met, (int64) records->n * most_slots);
	return sorter;
}

void
ssot_rule_sorter_free(SsotRuleSorter *sorter)
{
	ssot_large_free(sorter->entries);
	ssot_large_free(sorter->scratch);
	ssot_large_free(sorter->met.once);
	ssot_large_free(sorter->met.again);
	pfree(sorter);
}
