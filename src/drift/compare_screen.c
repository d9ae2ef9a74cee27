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
 *
 * Copies of a table mostly lie in the same order. Where both are plain tables
 * whose keys are declared unique, they are read side by side, and a row that
 * meets its partner in a small window of recent rows is done with; only the
 * others become entries. When few rows meet, the window is closed.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/query.h"
#include "drift/compare.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
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

/* The window: slots of an entry and its side (1 left, 2 right, 0 empty). */
#define WINDOW_BITS		14
#define WINDOW_WORDS	4
#define WINDOW_SIDE		3
#define WINDOW_TRIAL	65536	/* rows after which it has to have been useful */

/* Rows read from one side before the other has its turn. */
#define TURN_ROWS		64

typedef struct Window
{
	uint64	   *slots;
	SsotSide   *sides[3];		/* by WINDOW_SIDE */
	uint64		offered;
	uint64		met;
	bool		open;
} Window;

/* Can a tuple scan give what is compared? Not where a column needs a cast. */
static bool
takes_tuple_scan(const SsotSide *side)
{
	const SsotComparing *comparing = side->comparing;

	if (!ssot_relation_is_scannable(side->relid))
		return false;
	for (int i = 0; i < comparing->ncolumns; i++)
	{
		if (get_atttype(side->relid, get_attnum(side->relid, comparing->columns[i])) !=
			TupleDescAttr(comparing->desc, i)->atttypid)
			return false;
	}
	return true;
}

/* Does an index make sure that no key comes twice? */
static bool
has_unique_key(const SsotSide *side)
{
	const SsotComparing *comparing = side->comparing;
	Relation	rel = relation_open(side->relid, AccessShareLock);
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;
	bool		result = false;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;
		int			covered = 0;

		for (int i = 0; i < form->indnkeyatts; i++)
		{
			for (int k = 0; k < comparing->nkeys; k++)
			{
				if (get_attnum(side->relid, comparing->columns[k]) == form->indkey.values[i])
				{
					covered++;
					break;
				}
			}
		}
		result = result ||
			(form->indisunique && form->indimmediate && form->indisvalid &&
			 covered == form->indnkeyatts &&
			 heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL));
		index_close(index, NoLock);
	}
	list_free(indexes);
	relation_close(rel, NoLock);
	return result;
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

	if (side->by_tuple_scan)
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

static void
suspect(SsotSide *side, uint64 key_hash, uint64 locator)
{
	ssot_suspects_add(&side->suspects, side->has_tids ? locator : key_hash);
}

static inline void
add_entry(SsotSide *side, const uint64 *entry)
{
	memcpy(ssot_partitions_add(side->entries), entry, sizeof(uint64) * ENTRY_WORDS);
}

/* The entry of a row, from its tuple or from the slot of a statement; false if
 * its key is not known. */
static inline bool
make_entry(SsotSide *side, HeapTuple tuple, TupleTableSlot *slot, uint64 *entry)
{
	const SsotComparing *comparing = side->comparing;
	SsotWalker *walker = side->walker;

	side->nrows++;
	if (tuple != NULL)
	{
		if (comparing->whole_tuples && !HeapTupleHasExternal(tuple))
			walker = side->key_walker;
		ssot_walk_tuple(walker, tuple);
		entry[LOCATOR] = ssot_pack_tid(&tuple->t_self);
	}
	else
	{
		ssot_walk_slot(walker, slot);
		entry[LOCATOR] = !side->has_tids ? 0 :
			ssot_pack_tid((ItemPointer) DatumGetPointer(walker->values[comparing->ncolumns]));
	}
	if (!hash_key(comparing, walker, &entry[KEY_HASH]))
	{
		if (side->has_tids)
			ssot_suspects_add(&side->suspects, entry[LOCATOR]);
		return false;
	}
	entry[ROW_HASH] = 0;
	if (walker == side->key_walker)
		entry[ROW_HASH] = ssot_hash_tuple(tuple, comparing->seed);
	else
		for (int i = comparing->nkeys; i < comparing->ncolumns; i++)
			entry[ROW_HASH] += walker->hashes[i];
	return true;
}

static bool
take_row(TupleTableSlot *slot, void *arg)
{
	SsotSide   *side = (SsotSide *) arg;
	uint64		entry[ENTRY_WORDS];

	if (make_entry(side, NULL, slot, entry))
		add_entry(side, entry);
	return true;
}

static void
scan_by_statement(SsotSide *side)
{
	SsotStatement statement = {.read_only = true};

	statement.sql = ssot_side_sql(side, side->has_tids ? "t.ctid" : "", "");
	ssot_statement_each(&statement, take_row, side);
}

static void
scan_alone(SsotSide *side)
{
	SsotTupleScan scan = ssot_tuple_scan_begin(side->relid);
	HeapTuple	tuple;
	uint64		entry[ENTRY_WORDS];

	while ((tuple = ssot_tuple_scan_next(&scan)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (make_entry(side, tuple, NULL, entry))
			add_entry(side, entry);
	}
	ssot_tuple_scan_end(&scan);
}

/* Let all rows go that wait in the window for their partners. */
static void
close_window(Window *window)
{
	for (uint64 *slot = window->slots;
		 slot < window->slots + (WINDOW_WORDS << WINDOW_BITS); slot += WINDOW_WORDS)
		if (slot[WINDOW_SIDE] != 0)
			add_entry(window->sides[slot[WINDOW_SIDE]], slot);
	window->open = false;
}

/*
 * A row comes to the window. Its partner may wait there; else it takes the place
 * of whoever does.
 */
static inline void
meet(Window *window, int side, const uint64 *entry)
{
	uint64	   *slot = window->slots +
	(entry[KEY_HASH] & ((1 << WINDOW_BITS) - 1)) * WINDOW_WORDS;

	window->offered++;
	if (slot[KEY_HASH] == entry[KEY_HASH] && slot[WINDOW_SIDE] == 3 - side)
	{
		if (slot[ROW_HASH] != entry[ROW_HASH])
		{
			suspect(window->sides[side], entry[KEY_HASH], entry[LOCATOR]);
			suspect(window->sides[3 - side], slot[KEY_HASH], slot[LOCATOR]);
		}
		slot[WINDOW_SIDE] = 0;
		window->met += 2;
		return;
	}
	if (slot[WINDOW_SIDE] != 0)
		add_entry(window->sides[slot[WINDOW_SIDE]], slot);
	memcpy(slot, entry, sizeof(uint64) * ENTRY_WORDS);
	slot[WINDOW_SIDE] = side;
	if (window->offered == WINDOW_TRIAL && window->met < WINDOW_TRIAL / 2)
		close_window(window);
}

/* Some rows of one side; false after its last. "done" is the share of its blocks
 * that has been read. */
static bool
take_turn(Window *window, int number, SsotTupleScan *scan, double *done)
{
	SsotSide   *side = window->sides[number];
	uint64		entry[ENTRY_WORDS];

	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < TURN_ROWS; i++)
	{
		HeapTuple	tuple = ssot_tuple_scan_next(scan);

		if (tuple == NULL)
		{
			*done = 1;
			return false;
		}
		if (i == 0)
			*done = (double) ItemPointerGetBlockNumberNoCheck(&tuple->t_self) / scan->nblocks;
		if (!make_entry(side, tuple, NULL, entry))
			continue;
		if (window->open)
			meet(window, number, entry);
		else
			add_entry(side, entry);
	}
	return true;
}

static void
scan_side_by_side(SsotSide *left, SsotSide *right)
{
	Window		window = {.sides = {NULL, left, right},.open = true};
	SsotTupleScan scans[2] = {ssot_tuple_scan_begin(left->relid),
	ssot_tuple_scan_begin(right->relid)};
	double		done[2] = {0, 0};
	bool		more[2] = {true, true};

	window.slots = palloc0(sizeof(uint64) * (WINDOW_WORDS << WINDOW_BITS));
	while (more[0] || more[1])
	{
		int			next = !more[0] || (more[1] && done[1] < done[0]) ? 1 : 0;

		more[next] = take_turn(&window, next + 1, &scans[next], &done[next]);
	}
	if (window.open)
		close_window(&window);
	ssot_tuple_scan_end(&scans[0]);
	ssot_tuple_scan_end(&scans[1]);
	pfree(window.slots);
}

static void
scan_both(SsotSide *left, SsotSide *right, Size limit)
{
	int			bits = ssot_partition_bits(Max(ssot_relation_rows(left->relid),
											   ssot_relation_rows(right->relid)), limit);
	SsotSide   *sides[2] = {left, right};

	left->by_tuple_scan = takes_tuple_scan(left);
	right->by_tuple_scan = takes_tuple_scan(right);
	for (int i = 0; i < 2; i++)
	{
		if (sides[i]->by_tuple_scan && make_walker(sides[i], false)->misses)
			sides[i]->by_tuple_scan = false;
	}
	left->comparing->whole_tuples = left->by_tuple_scan && right->by_tuple_scan &&
		same_shape(left, right);
	for (int i = 0; i < 2; i++)
	{
		sides[i]->entries = ssot_partitions_create(ENTRY_WORDS, bits, limit);
		sides[i]->walker = make_walker(sides[i], false);
		sides[i]->key_walker = make_walker(sides[i], true);
	}
	if (left->by_tuple_scan && right->by_tuple_scan &&
		has_unique_key(left) && has_unique_key(right))
		scan_side_by_side(left, right);
	else
		for (int i = 0; i < 2; i++)
		{
			if (sides[i]->by_tuple_scan)
				scan_alone(sides[i]);
			else
				scan_by_statement(sides[i]);
		}
	ssot_partitions_flush(left->entries);
	ssot_partitions_flush(right->entries);
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

	ssot_walk_slot(side->key_walker, slot);
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
