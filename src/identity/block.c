/*
 * identity/block.c
 *		Bringing records together: which pairs are compared.
 *
 * Under each rule the records are sorted by the hash of their key; those of one
 * key are a block, and all pairs of a block are compared. A pair that an earlier
 * rule gave is passed over: the table of keys, a row per record, tells by
 * comparing two rows, and no set of pairs has to be kept.
 *
 * A key that too many records have makes an oversized block. It is not dropped:
 * its records are sorted by another field and each is compared with its
 * neighbours (sorted neighbourhood: Hernandez and Stolfo, "The merge/purge
 * problem for large databases", SIGMOD 1995). Its key is taken out of the table,
 * so that a later rule still gives the pairs that the window missed. A rule on a
 * sorted class is one such block of all records.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/block.h"
#include "identity/large.h"
#include "identity/radix.h"

#include "miscadmin.h"

#define BEGINS_BLOCK	0x80000000u
#define WINDOW			6
#define CHUNK			1024	/* records whose keys are made at once */
#define AHEAD			16		/* records that are fetched before they are
								 * needed */

/* ---- building ------------------------------------------------------------ */

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

/* The table of keys: some rows at a time, so that a row is in the cache until it
 * is complete. */
static void
fill_keys(SsotBlocks *blocks)
{
	int			n = blocks->records->n;
	uint32		keys[CHUNK * SSOT_RULE_SLOTS];

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

/* The field whose order brings the records of an oversized block together. */
static int
sorting_field(const SsotRecords *records, const SsotBlocking *rule)
{
	int			best = -1;

	for (int f = 0; f < records->nfields; f++)
		if (!ssot_rule_has_field(rule, f) &&
			(best < 0 || records->fields[f].nvalues > records->fields[best].nvalues))
			best = f;
	return best;
}

/* The class that a field is sorted by; a hash where the kind knows no order. */
static int
sorted_class(const SsotKind *kind)
{
	for (int c = 0; c < kind->nclasses; c++)
		if (kind->classes[c].use & SSOT_KEY_SORTED)
			return c;
	return 0;
}

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

		used[f][sorted_class(values->kind)] = true;
		for (int c = 0; c < values->kind->nclasses; c++)
			if (!used[f][c])
				ssot_class_drop(&values->by_record[c]);
	}
}

static uint64
sorting_key(const SsotRecords *records, int field, int class, int record)
{
	const SsotClassKeys *keys = &records->fields[field].by_record[class];

	if (keys->sort != NULL)
		return keys->sort[ssot_record(records, record)[field]];
	return keys->nslots == 0 ? 0 : keys->keys[(Size) record * keys->nslots];
}

static void
sort_by_field(const SsotRecords *records, int field, int class, uint32 *numbers, int64 n)
{
	SsotRadixEntry *entries = SSOT_LARGE(SsotRadixEntry, n);

	for (int64 i = 0; i < n; i++)
		entries[i] = (SsotRadixEntry)
	{
		sorting_key(records, field, class, numbers[i]), numbers[i]
	};
	ssot_radix_sort(entries, n, 64);
	for (int64 i = 0; i < n; i++)
		numbers[i] = entries[i].number;
	ssot_large_free(entries);
}

/* Take an oversized block out of the table of keys, and sort it. */
static void
treat_oversized(SsotBlocks *blocks, SsotRuleBlocks *rule, uint32 hash, uint32 *numbers, int64 n)
{
	int			field = sorting_field(blocks->records, rule->rule);

	rule->oversized++;
	rule->oversized_records += n;
	for (int64 i = 0; i < n; i++)
	{
		uint32	   *slots = blocks->keys + (Size) numbers[i] * blocks->nslots + rule->first_slot;

		for (int k = 0; k < rule->nslots; k++)
			if (slots[k] == hash)
				slots[k] = 0;
	}
	if (field >= 0)
		sort_by_field(blocks->records, field,
					  sorted_class(blocks->records->fields[field].kind), numbers, n);
}

/*
 * The keys of a rule that more than one record may have, with the records. They are
 * made anew, which takes less than to read every so manieth word of the table.
 */
static int64
collect_entries(const SsotBlocks *blocks, const SsotRuleBlocks *rule, Met *met,
				SsotBlockEntry *entries, uint32 *column)
{
	int			n = blocks->records->n;
	int			width = rule->nslots;
	int64		count = 0;

	memset(met->once, 0, met->size);
	memset(met->again, 0, met->size);
	for (int first = 0; first < n; first += CHUNK)
	{
		uint32	   *keys = column + (Size) first * width;
		int			nkeys = Min(CHUNK, n - first) * width;

		CHECK_FOR_INTERRUPTS();
		ssot_rule_keys_of(blocks->records, rule->rule, first, nkeys / width, width, keys);
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

/* "entries" and "scratch" have room for every key of every record. */
static void
sort_rule(SsotBlocks *blocks, SsotRuleBlocks *rule, Met *met, SsotBlockEntry *entries,
		  SsotBlockEntry *scratch)
{
	int64		count = collect_entries(blocks, rule, met, entries, (uint32 *) scratch);
	int64		out = 0;

	CHECK_FOR_INTERRUPTS();
	ssot_radix_sort_blocks(entries, scratch, count);
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
			if (end - i > SSOT_MAX_BLOCK)
				treat_oversized(blocks, rule, entries[i].hash, rule->records + first, end - i);
			rule->records[first] |= BEGINS_BLOCK;
		}
		i = end;
	}
	rule->n = out;
}

/* All records that have the field, in its order. */
static void
sort_all(SsotBlocks *blocks, SsotRuleBlocks *rule)
{
	const SsotRecords *records = blocks->records;
	int			field = rule->rule->field[0];

	rule->records = SSOT_LARGE(uint32, records->n);
	for (int r = 0; r < records->n; r++)
		if (ssot_record(records, r)[field] != 0)
			rule->records[rule->n++] = r;
	sort_by_field(records, field, rule->rule->class[0], rule->records, rule->n);
	if (rule->n > 0)
		rule->records[0] |= BEGINS_BLOCK;
}

SsotBlocks *
ssot_blocks_build(const SsotRecords *records, List *rules)
{
	SsotBlocks *blocks = palloc0(sizeof(SsotBlocks));
	int			most_slots = 0;
	SsotBlockEntry *entries;
	SsotBlockEntry *scratch;
	Met			met;

	blocks->records = records;
	blocks->nrules = list_length(rules);
	blocks->rules = palloc0(sizeof(SsotRuleBlocks) * Max(blocks->nrules, 1));
	for (int i = 0; i < blocks->nrules; i++)
	{
		SsotRuleBlocks *rule = &blocks->rules[i];

		rule->rule = list_nth(rules, i);
		rule->first_slot = blocks->nslots;
		rule->nslots = rule->rule->sorted ? 0 : rule->rule->nslots;
		blocks->nslots += rule->nslots;
		most_slots = Max(most_slots, rule->nslots);
	}
	entries = SSOT_LARGE(SsotBlockEntry, (int64) records->n * most_slots + 1);
	scratch = SSOT_LARGE(SsotBlockEntry, (int64) records->n * most_slots);
	blocks->keys = SSOT_LARGE(uint32, (Size) records->n * blocks->nslots);
	begin_meeting(&met, (int64) records->n * most_slots);
	fill_keys(blocks);
	for (int i = 0; i < blocks->nrules; i++)
	{
		SsotRuleBlocks *rule = &blocks->rules[i];

		if (rule->rule->sorted)
			sort_all(blocks, rule);
		else
			sort_rule(blocks, rule, &met, entries, scratch);
	}
	ssot_large_free(entries);
	ssot_large_free(scratch);
	ssot_large_free(met.once);
	ssot_large_free(met.again);
	return blocks;
}

/* ---- walking ------------------------------------------------------------- */

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
 * "key" is that of a block that is compared in full, where records have several.
 */
static void
walk_from(SsotBlocks *blocks, int number, int64 i, int64 end, uint32 key,
		  SsotPairCallback callback, void *arg)
{
	SsotRuleBlocks *rule = &blocks->rules[number];
	int			a = rule->records[i] & ~BEGINS_BLOCK;
	const uint32 *left = blocks->keys + (Size) a * blocks->nslots;

	for (int64 j = i + 1; j < end && (rule->records[j] & BEGINS_BLOCK) == 0; j++)
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
		   (rule->records[end] & BEGINS_BLOCK) == 0)
		end++;
	return end;
}

/* Is the block that begins at "first" compared in full? */
static bool
is_full(const SsotRuleBlocks *rule, int64 first)
{
	return rule->nslots > 0 && block_end(rule, first) - first <= SSOT_MAX_BLOCK;
}

void
ssot_blocks_walk(SsotBlocks *blocks, int number, int64 first, int64 last,
				 SsotPairCallback callback, void *arg)
{
	const SsotRuleBlocks *rule = &blocks->rules[number];
	int64		i = first;

	/* in the middle of a block: of a full one, others have taken care */
	if (first < last && (rule->records[first] & BEGINS_BLOCK) == 0)
	{
		int64		begin = first - 1;

		while (begin > 0 && begin > first - 2 - SSOT_MAX_BLOCK &&
			   (rule->records[begin] & BEGINS_BLOCK) == 0)
			begin--;
		if (is_full(rule, begin))
			i = block_end(rule, begin);
	}
	while (i < last)
	{
		CHECK_FOR_INTERRUPTS();
		if (i + AHEAD < rule->n)
			fetch_record(blocks, rule->records[i + AHEAD] & ~BEGINS_BLOCK);
		if ((rule->records[i] & BEGINS_BLOCK) != 0 && is_full(rule, i))
		{
			int64		end = block_end(rule, i);
			uint32		key = rule->hashes != NULL ? rule->hashes[i] : 0;

			for (; i < end; i++)
			{
				if (i + AHEAD < rule->n)
					fetch_record(blocks, rule->records[i + AHEAD] & ~BEGINS_BLOCK);
				walk_from(blocks, number, i, end, key, callback, arg);
			}
		}
		else
		{
			/* oversized, or a sorted rule */
			walk_from(blocks, number, i, Min(i + 1 + WINDOW, rule->n), 0, callback, arg);
			i++;
		}
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
