/*
 * dictionary/explain_screen.c
 *		Leaving out of both sides' rows the pairs that are the same.
 *
 * Two systems mostly agree. A golden record of which both sides hold one record in
 * force, alike in every column that the metric reads, has no part in the difference;
 * it only counts in both numbers. So before anything is compared each side's rows are
 * read once, and added up to its number. Of each row that could be paired an entry of
 * three words is kept, and matched as those of drift/compare_screen.c are:
 *
 *		left		7, 'US', 120.00		->	(h(7), h('US', 120.00), where it is)
 *		right		7, 'US', 125.00		->	(h(7), h('US', 125.00), where it is)
 *
 * One entry of each side that agree are a pair that is the same (but for a chance of
 * 2^-64 per pair, under seeds drawn anew each time; one that was wrong would be missed
 * in the sum of the causes, which is checked). All other rows, what a side has besides
 * among them, are kept and take the place of the side's rows in every statement that
 * follows.
 *
 * Where a row is: its tuple id, where one scan reads the stored records of both systems;
 * those that are kept are fetched again. Everything else is set aside as it is read
 * (a quarter of the time), and a row is known by its place.
 *
 * Families are counted whole, so nothing is left out where there are some.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/settings.h"
#include "dictionary/explain.h"
#include "drift/partition.h"
#include "drift/scan.h"
#include "drift/suspects.h"
#include "drift/walk.h"

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* Words of an entry: what it is paired by, its columns, where it is. */
#define ENTRY_WORDS		3
#define PAIR_HASH		0
#define ROW_HASH		1
#define LOCATOR			2		/* in 48 bits; and these: */
#define ENTRY_USED		(UINT64CONST(1) << 63)
#define ENTRY_RIGHT		(UINT64CONST(1) << 62)
#define ENTRY_APART		(UINT64CONST(1) << 61)	/* is the same as nothing */
#define ENTRY_PLACE		((UINT64CONST(1) << 48) - 1)

/* The last word of a slot in the table of one partition. */
#define SLOT_USED			1
#define SLOT_SIDE(side)		(2 << (side))
#define SLOT_AGAIN(side)	(8 << (side))
#define SLOT_DIFFERS		32
#define SLOT_SAME			(SLOT_USED | SLOT_SIDE(0) | SLOT_SIDE(1))

/* Columns of ssot_side_rows. */
#define SIDE_COLUMNS	8		/* before those of the metric */
#define SIDE_GID		1
#define SIDE_ANSWERS	7

/* Rows set aside are read once more, in their order. */
#define STORE_KB		1024

/* Of a side's rows this share is fetched by tuple id, at most. */
#define FETCHED_SHARE	4

typedef struct SideRows
{
	TupleDesc	desc;			/* of a row in its store; NULL: none came */
	Tuplestorestate *store;
	uint64		count;
	SsotSuspects kept;			/* where the rows are that are kept */
	bool		has_odd;		/* rows that pair with nothing */
	bool		has_twice;		/* several rows of one id */
	bool		adds;			/* its rows give its number */
	Numeric		sum;
} SideRows;

typedef struct Screen
{
	SsotPairRows *rows;
	FmgrInfo   *hash;			/* of what pairs are made by */
	Oid			collation;		/* of that, once a row came */
	bool		unfit;			/* cannot be hashed as it is compared */
	SsotSeed	seed;
	SsotWalker *walker;
	SsotPartitions *entries;
	SsotTable	table;
	SideRows	sides[2];
	int			ncolumns;		/* of the metric */
	/* places in a row, from 0 */
	int			first;			/* of those columns */
	int			pairs;			/* could it be paired? */
	int			share;
	int			is_right;
	int			tid;			/* -1: rows are set aside; those of one side
								 * come after the other's */
	int			side;			/* of the row being read */
} Screen;

/* ---- reading -------------------------------------------------------------- */

static void
begin_rows(Screen *screen, TupleDesc desc)
{
	Form_pg_attribute id = TupleDescAttr(desc, 0);

	screen->unfit |= type_is_collatable(id->atttypid) && !OidIsValid(id->attcollation);
	screen->unfit |= screen->walker != NULL && screen->collation != id->attcollation;
	screen->collation = id->attcollation;
	screen->walker = ssot_walker_create(desc, screen->ncolumns, screen->seed);
	for (int i = 0; i < screen->ncolumns; i++)
		ssot_walker_want(screen->walker, screen->first + i + 1, SSOT_WALK_HASH, i,
						 ssot_hash_word(SSOT_HASH_START, i, screen->seed));
}

/* So many of the columns of a descriptor. */
static void
begin_store(SideRows *side, TupleDesc desc, int ncolumns, int kilobytes)
{
	side->desc = CreateTemplateTupleDesc(ncolumns);
	for (int i = 1; i <= ncolumns; i++)
		TupleDescCopyEntry(side->desc, i, desc, i);
	side->store = tuplestore_begin_heap(false, false, kilobytes);
}

static uint64
pair_hash(const Screen *screen, Datum id)
{
	Datum		hash = FunctionCall2Coll(screen->hash, screen->collation, id,
										 UInt64GetDatum(screen->seed.a));

	return ssot_hash_word(SSOT_HASH_START, DatumGetUInt64(hash), screen->seed);
}

static uint64
row_hash(Screen *screen, TupleTableSlot *slot)
{
	uint64		hash = 0;

	if (screen->ncolumns == 0)
		return 0;
	ssot_walk_slot(screen->walker, slot);
	for (int i = 0; i < screen->ncolumns; i++)
		hash += screen->walker->hashes[i];
	return hash;
}

static void
add_share(SideRows *side, Numeric share)
{
	Numeric		sum = side->sum;

	side->sum = ssot_add(sum, share);
	if (sum != NULL)
		pfree(sum);
}

static bool
is_true(const TupleTableSlot *slot, int place)
{
	return !slot->tts_isnull[place] && DatumGetBool(slot->tts_values[place]);
}

/* Returns the place. */
static uint64
set_aside(Screen *screen, SideRows *side, TupleTableSlot *slot)
{
	if (side->desc == NULL)
		begin_store(side, slot->tts_tupleDescriptor, SIDE_COLUMNS + screen->ncolumns, STORE_KB);
	tuplestore_putvalues(side->store, side->desc, slot->tts_values, slot->tts_isnull);
	return side->count;
}

static void
note_row(Screen *screen, SideRows *side, TupleTableSlot *slot, uint64 locator, bool loose)
{
	uint64	   *entry;

	side->has_odd |= loose;
	if (!is_true(slot, screen->pairs))
	{
		side->has_odd = true;
		ssot_suspects_add(&side->kept, locator);
		return;
	}
	entry = ssot_partitions_add(screen->entries);
	entry[PAIR_HASH] = pair_hash(screen, slot->tts_values[0]);
	entry[ROW_HASH] = row_hash(screen, slot);
	entry[LOCATOR] = locator | ENTRY_USED | (screen->side == 1 ? ENTRY_RIGHT : 0) | (loose ? ENTRY_APART : 0);
}

/*
 * Stored records of both sides have a golden record or pair with nothing, and answer. A
 * record without one that a key pairs may answer one definition and not another: it is
 * never left out.
 */
static bool
take_row(TupleTableSlot *slot, void *arg)
{
	Screen	   *screen = (Screen *) arg;
	bool		stored = screen->tid >= 0;
	SideRows   *side;
	uint64		locator;
	bool		answers;

	slot_getallattrs(slot);
	if (stored)
		screen->side = is_true(slot, screen->is_right) ? 1 : 0;
	side = &screen->sides[screen->side];
	if (screen->walker == NULL || (!stored && side->desc == NULL))
		begin_rows(screen, slot->tts_tupleDescriptor);
	if (screen->unfit)
		return false;
	answers = stored || is_true(slot, SIDE_ANSWERS);
	locator = stored ? ssot_pack_tid((ItemPointer) DatumGetPointer(slot->tts_values[screen->tid])) :
		set_aside(screen, side, slot);
	note_row(screen, side, slot, locator, !answers || (!stored && slot->tts_isnull[SIDE_GID]));
	side->count++;
	if (side->adds && answers)
		add_share(side, DatumGetNumeric(slot->tts_values[screen->share]));
	return true;
}

/* "p.id, p.c1, p.c2" */
static char *
metric_columns(const Screen *screen)
{
	StringInfoData list;

	initStringInfo(&list);
	appendStringInfoString(&list, "p.id");
	for (int i = 1; i <= screen->ncolumns; i++)
		appendStringInfo(&list, ", p.c%d", i);
	return list.data;
}

/*
 * SELECT p.id, p.c1 ..., <could it be paired>, x.v, p.is_right, p.tid
 * FROM (<rows of both>) AS p, LATERAL (<share>) AS x
 */
static void
read_both(Screen *screen, const char *both)
{
	SsotPairRows *rows = screen->rows;

	screen->first = 1;
	screen->pairs = screen->ncolumns + 1;
	screen->share = screen->pairs + 1;
	screen->is_right = screen->share + 1;
	screen->tid = screen->is_right + 1;
	screen->sides[0].adds = screen->sides[1].adds = true;
	ssot_pair_each(rows, ssot_sql("SELECT %s, %s, x.v, p.is_right, p.tid\nFROM (%s) AS p,\n%s",
								  metric_columns(screen), ssot_is_primary(rows), both, ssot_own_share(rows, "x")),
				   take_row, screen);
}

/*
 * SELECT p.*, <could it be paired>, CASE WHEN p.answers THEN x.v END
 * FROM (<rows>) AS p, LATERAL (<share>) AS x
 *
 * Golden records have their number from elsewhere.
 */
static void
read_side(Screen *screen, int number)
{
	SsotPairRows *rows = screen->rows;
	SideRows   *side = &screen->sides[number];
	char	   *all = ssot_side_rows(rows, number);

	screen->side = number;
	screen->first = SIDE_COLUMNS;
	screen->pairs = SIDE_COLUMNS + screen->ncolumns;
	screen->share = screen->pairs + 1;
	screen->tid = -1;
	side->adds = rows->records[number] != NULL || rows->pairing->key != NULL;
	ssot_pair_each(rows, ssot_sql("SELECT p.*, %s%s\nFROM (%s) AS p%s%s", ssot_is_primary(rows),
								  side->adds ? ", CASE WHEN p.answers THEN x.v END" : "", all,
								  side->adds ? ",\n" : "", side->adds ? ssot_own_share(rows, "x") : ""),
				   take_row, screen);
}

/* ---- matching ------------------------------------------------------------- */

static int
side_of(uint64 locator)
{
	return locator & ENTRY_RIGHT ? 1 : 0;
}

static void
put_entries(const uint64 *entries, uint64 count, void *arg)
{
	Screen	   *screen = (Screen *) arg;

	for (const uint64 *entry = entries; count > 0; entry += ENTRY_WORDS, count--)
	{
		uint64	   *slot = ssot_table_find(&screen->table, ENTRY_WORDS, entry[PAIR_HASH]);
		int			side = side_of(entry[LOCATOR]);

		if (slot[LOCATOR] == 0)
		{
			slot[PAIR_HASH] = entry[PAIR_HASH];
			slot[ROW_HASH] = entry[ROW_HASH];
			slot[LOCATOR] = SLOT_USED;
		}
		if (slot[LOCATOR] & SLOT_SIDE(side))
			slot[LOCATOR] |= SLOT_AGAIN(side);
		if (slot[ROW_HASH] != entry[ROW_HASH] || (entry[LOCATOR] & ENTRY_APART))
			slot[LOCATOR] |= SLOT_DIFFERS;
		slot[LOCATOR] |= SLOT_SIDE(side);
	}
}

static void
keep_entries(const uint64 *entries, uint64 count, void *arg)
{
	Screen	   *screen = (Screen *) arg;

	for (const uint64 *entry = entries; count > 0; entry += ENTRY_WORDS, count--)
	{
		uint64	   *slot = ssot_table_find(&screen->table, ENTRY_WORDS, entry[PAIR_HASH]);
		int			number = side_of(entry[LOCATOR]);
		SideRows   *side = &screen->sides[number];

		if (slot[LOCATOR] == SLOT_SAME)
			continue;
		side->has_twice |= (slot[LOCATOR] & SLOT_AGAIN(number)) != 0;
		ssot_suspects_add(&side->kept, entry[LOCATOR] & ENTRY_PLACE);
	}
}

static void
match_sides(Screen *screen)
{
	ssot_partitions_flush(screen->entries);
	screen->table.nwords = ENTRY_WORDS;
	for (int number = 0; number < 1 << screen->entries->bits; number++)
	{
		CHECK_FOR_INTERRUPTS();
		ssot_table_reset(&screen->table, ssot_partition_count(screen->entries, number));
		ssot_partition_each(screen->entries, number, put_entries, screen);
		ssot_partition_each(screen->entries, number, keep_entries, screen);
	}
	pfree(screen->table.slots);
}

/* ---- what is kept --------------------------------------------------------- */

/* A row of one of both sides, fetched again; is_right follows its columns. */
static bool
take_fetched(TupleTableSlot *slot, void *arg)
{
	Screen	   *screen = (Screen *) arg;
	int			n = SIDE_COLUMNS + screen->ncolumns;
	SideRows   *side;

	slot_getallattrs(slot);
	for (int number = 0; number < 2; number++)
		if (screen->sides[number].desc == NULL)
			begin_store(&screen->sides[number], slot->tts_tupleDescriptor, n, work_mem);
	side = &screen->sides[is_true(slot, n) ? 1 : 0];
	tuplestore_putvalues(side->store, side->desc, slot->tts_values, slot->tts_isnull);
	return true;
}

/* False if they are so many that each side's rows are better read as they are. */
static bool
fetch_kept(Screen *screen, const char *both)
{
	SsotSuspects *kept = &screen->sides[0].kept;
	Oid			type = get_array_type(TIDOID);
	SsotStatement statement = {.nargs = 1,.argtypes = &type,.read_only = true};
	Datum		tids;
	int			level;

	for (int number = 0; number < 2; number++)
		if (screen->sides[number].kept.count > screen->sides[number].count / FETCHED_SHARE + 1)
			return false;
	for (uint64 i = 0; i < screen->sides[1].kept.count; i++)
		ssot_suspects_add(kept, screen->sides[1].kept.locators[i]);
	if (kept->count == 0)
		return true;
	tids = ssot_suspects_tids(kept);
	statement.args = &tids;
	statement.sql = ssot_sql("SELECT p.*\nFROM (%s) AS p\nWHERE p.tid = ANY ($1)", both);
	level = NewGUCNestLevel();
	ssot_prefer_tids(true);
	ssot_statement_each(&statement, take_fetched, screen);
	ssot_settings_end(level);
	return true;
}

/* Of rows that were set aside, those that are kept. */
static void
drop_same(SideRows *side)
{
	Tuplestorestate *store;
	TupleTableSlot *slot;
	uint64		place = 0;

	if (side->kept.count == side->count)
		return;
	store = tuplestore_begin_heap(false, false, work_mem);
	slot = MakeSingleTupleTableSlot(side->desc, &TTSOpsMinimalTuple);
	ssot_suspects_sort(&side->kept);
	for (uint64 i = 0; i < side->kept.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_skiptuples(side->store, side->kept.locators[i] - place, true);
		place = side->kept.locators[i] + 1;
		if (!tuplestore_gettupleslot(side->store, true, false, slot))
			elog(ERROR, "a row that was set aside is gone");
		tuplestore_puttupleslot(store, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(side->store);
	side->store = store;
}

/* What is kept takes the place of the side's rows. */
static void
replace_side(Screen *screen, int number)
{
	SsotPairRows *rows = screen->rows;
	SideRows   *side = &screen->sides[number];
	SsotRelation *kept;

	if (side->desc == NULL)
	{
		rows->all[number] = ssot_sql("SELECT r.* FROM (%s) AS r WHERE false", rows->all[number]);
		return;
	}
	kept = palloc0(sizeof(SsotRelation));
	kept->name = number == 0 ? "ssot_kept_l" : "ssot_kept_r";
	kept->desc = side->desc;
	kept->rows = side->store;
	kept->count = tuplestore_tuple_count(side->store);
	rows->all[number] = ssot_sql("SELECT r.* FROM %I AS r", kept->name);
	rows->relations = lappend(rows->relations, kept);
}

/* ---- the whole ------------------------------------------------------------ */

static void
begin_screen(Screen *screen, SsotPairRows *rows, TypeCacheEntry *cache)
{
	Size		limit = (Size) work_mem * 1024;
	int			bits = ssot_partition_bits(2 * ssot_relation_rows(rows->entity->relid), limit);

	memset(screen, 0, sizeof(*screen));
	screen->rows = rows;
	screen->hash = &cache->hash_extended_proc_finfo;
	screen->seed = ssot_seed();
	screen->ncolumns = list_length(rows->columns);
	screen->entries = ssot_partitions_create(ENTRY_WORDS, bits, limit);
}

/* What was found of a side whether its rows are replaced or not. */
static void
tell_side(Screen *screen, int number)
{
	SsotPairing *pairing = screen->rows->pairing;
	SideRows   *side = &screen->sides[number];

	screen->rows->paired[number] = !side->has_odd && !side->has_twice;
	if (!side->adds)
		return;
	pairing->plain[number] = ssot_add(side->sum, NULL);
	pairing->numbered[number] = true;
}

void
ssot_screen_rows(SsotPairRows *rows)
{
	Oid			type = rows->pairing->key == NULL ? rows->entity->id_type : rows->pairing->key->type;
	TypeCacheEntry *cache = lookup_type_cache(getBaseType(type), TYPECACHE_HASH_EXTENDED_PROC_FINFO);
	Screen		screen;
	char	   *both;
	bool		replaced = true;

	if (rows->family != NULL || !OidIsValid(cache->hash_extended_proc_finfo.fn_oid))
		return;
	begin_screen(&screen, rows, cache);
	both = ssot_both_rows(rows);
	if (both != NULL)
		read_both(&screen, both);
	for (int side = 0; side < 2 && both == NULL && !screen.unfit; side++)
		read_side(&screen, side);
	if (!screen.unfit)
		match_sides(&screen);
	ssot_partitions_free(screen.entries);
	if (screen.unfit)
	{
		for (int side = 0; side < 2; side++)
			if (screen.sides[side].store != NULL)
				tuplestore_end(screen.sides[side].store);
		return;
	}
	rows->screened = true;
	for (int side = 0; side < 2; side++)
		tell_side(&screen, side);
	if (both != NULL)
		replaced = fetch_kept(&screen, both);
	for (int side = 0; side < 2 && replaced; side++)
	{
		if (both == NULL && screen.sides[side].desc != NULL)
			drop_same(&screen.sides[side]);
		replace_side(&screen, side);
	}
}
