/*
 * drift/compare_screen.c
 *		Finding, by hash, the rows of two relations that may differ.
 *
 * Both relations are read once. Of each row an entry of three words is kept:
 * hash of the key, hash of the values, tuple id. The entries are split by the
 * leading bits of the key's hash, so that each pair of partitions is joined in a
 * table that fits the processor's cache:
 *
 *		left		id 7, 'Acme', 'US'	->	(h(7), h('Acme','US'), (0,7))
 *		right		id 7, 'Acme', 'CA'	->	(h(7), h('Acme','CA'), (3,2))
 *
 * Entries that agree are equal rows (but for a chance of 2^-64 per pair, under
 * seeds drawn anew for each run). All others are suspects. Column hashes are
 * added up, so the relations may have their columns in any order; where they
 * have the same columns in the same order, whole tuples are hashed at once.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "drift/compare.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Words of an entry. */
#define ENTRY_WORDS	3
#define KEY_HASH	0
#define ROW_HASH	1
#define LOCATOR		2

/* Words of a slot in the joining table: those of the left entry, with flags in
 * the locator's free bits, preceded by the locator of the right entry. */
#define SLOT_WORDS	4
#define SLOT_RIGHT	2
#define SLOT_LEFT	3
#define SLOT_USED			(UINT64CONST(1) << 63)
#define SLOT_SEEN			(UINT64CONST(1) << 62)
#define SLOT_DIFFERS		(UINT64CONST(1) << 61)
#define SLOT_LEFT_AGAIN		(UINT64CONST(1) << 60)
#define SLOT_RIGHT_AGAIN	(UINT64CONST(1) << 59)
#define SLOT_TID			((UINT64CONST(1) << 48) - 1)

/* Can a scan give stored tuples of which no column needs a cast? */
static bool
gives_stored_tuples(const SsotSide *side)
{
	const SsotComparing *comparing = side->comparing;

	if (!side->has_tids || !ssot_relation_gives_tuples(side->relid))
		return false;
	for (int i = 0; i < comparing->ncolumns; i++)
		if (get_atttype(side->relid, get_attnum(side->relid, comparing->columns[i])) !=
			TupleDescAttr(comparing->desc, i)->atttypid)
			return false;
	return true;
}

/* Do the relations have the same columns in the same order, all compared? Then
 * equal rows are equal tuples, byte by byte. */
static bool
same_shape(const SsotSide *left, const SsotSide *right)
{
	Relation	l = relation_open(left->relid, AccessShareLock);
	Relation	r = relation_open(right->relid, AccessShareLock);
	int			natts = RelationGetNumberOfAttributes(l);
	bool		result = natts == RelationGetNumberOfAttributes(r) &&
	natts == left->comparing->ncolumns;

	for (int i = 0; result && i < natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(RelationGetDescr(l), i);
		Form_pg_attribute b = TupleDescAttr(RelationGetDescr(r), i);

		result = a->atttypid == b->atttypid &&
			strcmp(NameStr(a->attname), NameStr(b->attname)) == 0;
	}
	relation_close(l, NoLock);
	relation_close(r, NoLock);
	return result;
}

/* A walker over the rows that the scan of a side gives. */
static SsotWalker *
make_walker(const SsotSide *side, bool only_key)
{
	const SsotComparing *comparing = side->comparing;
	int			ncolumns = only_key ? comparing->nkeys : comparing->ncolumns;
	SsotWalker *walker;

	if (side->stored_tuples)
	{
		Relation	rel = relation_open(side->relid, AccessShareLock);

		walker = ssot_walker_create(RelationGetDescr(rel), comparing->ncolumns, comparing->seed);
		relation_close(rel, NoLock);
		for (int i = 0; i < ncolumns; i++)
			ssot_walker_want(walker, get_attnum(side->relid, comparing->columns[i]),
							 SSOT_WALK_HASH, i, comparing->seeds[i]);
	}
	else
	{
		int			first = side->has_tids ? 1 : 0;
		TupleDesc	desc = CreateTemplateTupleDesc(comparing->ncolumns + first);

		for (int i = 0; i < comparing->ncolumns; i++)
			TupleDescCopyEntry(desc, i + 1 + first, comparing->desc, i + 1);
		if (side->has_tids)
			TupleDescInitEntry(desc, 1, "ctid", TIDOID, -1, 0);
		walker = ssot_walker_create(desc, comparing->ncolumns + 1, comparing->seed);
		if (side->has_tids)
			ssot_walker_want(walker, 1, SSOT_WALK_PICK, comparing->ncolumns, 0);
		for (int i = 0; i < ncolumns; i++)
			ssot_walker_want(walker, i + 1 + first, SSOT_WALK_HASH, i, comparing->seeds[i]);
	}
	return walker;
}

/* The hash of a row's key; false if a part of it is NULL. */
static inline bool
hash_key(const SsotComparing *comparing, const SsotWalker *walker, uint64 *hash)
{
	uint64		sum = 0;

	for (int i = 0; i < comparing->nkeys; i++)
	{
		if (walker->nulls[i])
			return false;
		sum += walker->hashes[i];
	}
	*hash = ssot_hash_end(sum, comparing->seed);
	return true;
}

static bool
scan_row(TupleTableSlot *slot, void *arg)
{
	SsotSide   *side = (SsotSide *) arg;
	const SsotComparing *comparing = side->comparing;
	SsotWalker *walker = side->walker;
	HeapTuple	tuple = ssot_slot_tuple(slot);
	uint64		locator = 0;
	uint64		key_hash;
	uint64		row_hash = 0;
	uint64	   *entry;

	if (side->stored_tuples && tuple == NULL)
	{
		side->stored_tuples = false;	/* an unforeseen plan: start again */
		return false;
	}
	if (comparing->whole_tuples && !HeapTupleHasExternal(tuple))
		walker = side->key_walker;
	ssot_walk(walker, slot);
	if (side->stored_tuples)
		locator = ssot_pack_tid(PointerGetDatum(&tuple->t_self));
	else if (side->has_tids)
		locator = ssot_pack_tid(walker->values[comparing->ncolumns]);
	side->nrows++;
	if (!hash_key(comparing, walker, &key_hash))
	{
		if (side->has_tids)
			ssot_suspects_add(&side->suspects, locator);
		return true;
	}
	if (walker == side->key_walker)
		row_hash = ssot_hash_tuple(tuple, comparing->seed);
	else
		for (int i = comparing->nkeys; i < comparing->ncolumns; i++)
			row_hash += walker->hashes[i];
	entry = ssot_partitions_add(side->entries);
	entry[KEY_HASH] = key_hash;
	entry[ROW_HASH] = row_hash;
	entry[LOCATOR] = locator;
	return true;
}

/* Read a side; false if it has to be read in another form. */
static bool
scan(SsotSide *side, int bits, Size limit)
{
	bool		stored_tuples = side->stored_tuples;
	SsotStatement statement = {0};
	int			level = NewGUCNestLevel();

	if (side->entries != NULL)
		ssot_partitions_free(side->entries);
	side->entries = ssot_partitions_create(ENTRY_WORDS, bits, limit);
	side->suspects.count = side->nrows = 0;
	side->walker = make_walker(side, false);
	side->key_walker = make_walker(side, true);
	if (stored_tuples)
		statement.sql = ssot_sql("SELECT t.* FROM %T AS t", ssot_relation_name(side->relid));
	else
		statement.sql = ssot_side_sql(side, side->has_tids ? "t.ctid" : "", "");
	statement.read_only = true;
	ssot_setting("max_parallel_workers_per_gather", "0");
	ssot_setting("enable_indexonlyscan", "off");
	ssot_statement_each(&statement, scan_row, side);
	AtEOXact_GUC(true, level);
	ssot_partitions_flush(side->entries);
	return side->stored_tuples == stored_tuples;
}

static void
scan_both(SsotSide *left, SsotSide *right, Size limit)
{
	int			bits = ssot_partition_bits(Max(ssot_relation_rows(left->relid),
											   ssot_relation_rows(right->relid)), limit);

	left->stored_tuples = gives_stored_tuples(left);
	right->stored_tuples = gives_stored_tuples(right);
	do
	{
		left->comparing->whole_tuples = left->stored_tuples && right->stored_tuples &&
			same_shape(left, right);
	} while (!scan(left, bits, limit) || !scan(right, bits, limit));
}

static void
suspect(SsotSide *side, uint64 key_hash, uint64 locator)
{
	ssot_suspects_add(&side->suspects, side->has_tids ? locator : key_hash);
}

static void
put_left(const uint64 *entries, uint64 count, void *arg)
{
	SsotSide   *left = (SsotSide *) arg;
	SsotComparing *comparing = left->comparing;

	for (uint64 i = 0; i < count; i++)
	{
		const uint64 *entry = entries + i * ENTRY_WORDS;
		uint64	   *slot = ssot_table_find(&comparing->table, SLOT_WORDS, entry[KEY_HASH]);

		if (slot[SLOT_LEFT] == 0)
		{
			slot[KEY_HASH] = entry[KEY_HASH];
			slot[ROW_HASH] = entry[ROW_HASH];
			slot[SLOT_LEFT] = entry[LOCATOR] | SLOT_USED;
			continue;
		}
		slot[SLOT_LEFT] |= SLOT_LEFT_AGAIN;
		comparing->repeated = true;
		suspect(left, entry[KEY_HASH], entry[LOCATOR]);
	}
}

static void
probe_right(const uint64 *entries, uint64 count, void *arg)
{
	SsotSide   *right = (SsotSide *) arg;
	SsotComparing *comparing = right->comparing;

	for (uint64 i = 0; i < count; i++)
	{
		const uint64 *entry = entries + i * ENTRY_WORDS;
		uint64	   *slot = ssot_table_find(&comparing->table, SLOT_WORDS, entry[KEY_HASH]);

		if (slot[SLOT_LEFT] == 0)
			suspect(right, entry[KEY_HASH], entry[LOCATOR]);
		else if ((slot[SLOT_LEFT] & SLOT_SEEN) == 0)
		{
			slot[SLOT_RIGHT] = entry[LOCATOR];
			slot[SLOT_LEFT] |= SLOT_SEEN |
				(slot[ROW_HASH] == entry[ROW_HASH] ? 0 : SLOT_DIFFERS);
		}
		else
		{
			slot[SLOT_LEFT] |= SLOT_RIGHT_AGAIN;
			suspect(right, entry[KEY_HASH], entry[LOCATOR]);
		}
	}
}

/* The rows of a partition that found no equal partner. */
static void
collect_suspects(SsotSide *left, SsotSide *right)
{
	SsotTable  *table = &left->comparing->table;

	for (uint64 i = 0; i <= table->mask; i++)
	{
		uint64	   *slot = table->slots + i * SLOT_WORDS;
		uint64		state = slot[SLOT_LEFT];

		if ((state & ~SLOT_TID) == (SLOT_USED | SLOT_SEEN) || state == 0)
			continue;
		if (state & SLOT_RIGHT_AGAIN)
			left->comparing->repeated = true;
		suspect(left, slot[KEY_HASH], state & SLOT_TID);
		if (state & SLOT_SEEN)
			suspect(right, slot[KEY_HASH], slot[SLOT_RIGHT]);
	}
}

static void
join_by_hash(SsotSide *left, SsotSide *right)
{
	left->comparing->table.nwords = SLOT_WORDS;
	for (int n = 0; n < 1 << left->entries->bits; n++)
	{
		CHECK_FOR_INTERRUPTS();
		ssot_table_reset(&left->comparing->table, ssot_partition_count(left->entries, n));
		ssot_partition_each(left->entries, n, put_left, left);
		ssot_partition_each(right->entries, n, probe_right, right);
		collect_suspects(left, right);
	}
	ssot_partitions_free(left->entries);
	ssot_partitions_free(right->entries);
}

void
ssot_screen_sides(SsotSide *left, SsotSide *right, Size limit)
{
	scan_both(left, right, limit);
	join_by_hash(left, right);
}

static bool
keep_suspect_row(TupleTableSlot *slot, void *arg)
{
	SsotSide   *side = (SsotSide *) arg;
	uint64		hash;

	ssot_walk(side->key_walker, slot);
	if (!hash_key(side->comparing, side->key_walker, &hash) ||
		ssot_suspects_contain(&side->suspects, hash))
	{
		slot_getallattrs(slot);
		tuplestore_putvalues(side->rows, side->rows_desc, slot->tts_values, slot->tts_isnull);
		side->nrows++;
	}
	return true;
}

void
ssot_side_reread(SsotSide *side)
{
	SsotStatement statement = {0};

	side->rows_desc = CreateTupleDescCopy(side->comparing->desc);
	for (int i = 0; i < side->comparing->ncolumns; i++)
		namestrcpy(&TupleDescAttr(side->rows_desc, i)->attname, psprintf("c%d", i + 1));
	side->rows = tuplestore_begin_heap(false, false, work_mem);
	side->nrows = 0;
	ssot_suspects_sort(&side->suspects);
	statement.sql = ssot_side_sql(side, "", "");
	statement.read_only = true;
	ssot_statement_each(&statement, keep_suspect_row, side);
}
