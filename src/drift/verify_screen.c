/*
 * drift/verify_screen.c
 *		Finding, by hash, the golden records that may differ from what systems
 *		say.
 *
 * Golden records and source records are each read once and only hashed: of a
 * golden record the hash of its id, and for each distinct set of mapped fields
 * the hash of those fields; of a source record the hash of its golden id and of
 * the fields that its source maps:
 *
 *		golden 7: name 'Acme', country 'US'		h(7), {name} h('Acme'), {name, country} h('Acme','US')
 *		crm:A1 of golden 7: name 'Acme'			h(7), {name} h('Acme')			agrees
 *		erp:11 of golden 7: 'Acme', 'CA'		h(7), {name, country} h(...)	does not
 *
 * Field hashes are added up, so one pass over a row serves every set, and the
 * order of columns in the two tables does not matter. A golden record is cleared
 * when each of its records agrees, none has an unlisted code or a waiting parent
 * or a superseded row, no system has two, and who should hold it does.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "drift/partition.h"
#include "drift/scan.h"
#include "drift/verify.h"
#include "drift/walk.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/rel.h"

/* Words of a record's entry; the last one only where systems have parts. */
#define RECORD_HASH		1
#define RECORD_INFO		2		/* source index, and the flags below */
#define RECORD_KEY		3
#define RECORD_FLAG_UNCLEAR		(UINT64CONST(1) << 32)	/* has refs or detail */
#define RECORD_FLAG_SUPERSEDED	(UINT64CONST(1) << 33)

/* Words of a golden record's slot; its entry has the same without the held ones. */
#define GOLDEN_EXPECTS	1		/* systems: expected, and << 32 not expected */
#define GOLDEN_HELD		2		/* systems that hold it */
#define GOLDEN_SETS		3		/* then one word per set of fields, one per
								 * system of several sources, the locator */
#define SLOT_USED		(UINT64CONST(1) << 63)
#define SLOT_SUSPECT	(UINT64CONST(1) << 62)
#define SLOT_TID		((UINT64CONST(1) << 48) - 1)

#define MAX_SYSTEMS		32		/* of an entity, that hashes can tell apart */

/* A source as the hashing sees it. */
typedef struct VerifiedSource
{
	bool		drifts;
	int			system;			/* number */
	int			set;			/* of mapped fields */
	int			joined;			/* number of its system among those of several
								 * sources, or -1 */
	bool		many;			/* several records of one golden id are normal */
} VerifiedSource;

typedef struct Verifier
{
	const SsotEntity *entity;
	SsotSeed	seed;
	uint64	   *field_seeds;
	uint64		id_seed;
	VerifiedSource *sources;
	int			nsystems;
	int			nsets;
	Bitmapset **sets;			/* of field indexes */
	int		  **set_fields;		/* the same as arrays, ended by -1 */
	int			njoined;
	int			slot_words;
	int			record_words;
	uint64		expected_all;	/* systems that should hold every golden
								 * record */
	int			npredicates;
	int		   *predicate_source;	/* source index by predicate */
	SsotWalker *walker;			/* of the scan at hand */
	bool		by_tuple_scan;	/* the scan at hand */
	SsotPartitions *golden;
	SsotPartitions *records;
	SsotTable	table;
	uint64		ngolden;
	SsotSuspects *suspects;		/* tuple ids of golden records */
} Verifier;

/* ---- what there is to compare ---------------------------------------------- */

static int
number_of_set(Verifier *v, const SsotSource *source)
{
	Bitmapset  *set = NULL;
	int			n = 0;

	for (int f = 0; f < v->entity->nfields; f++)
		if (source->maps[f])
			set = bms_add_member(set, f);
	for (int i = 0; i < v->nsets; i++)
		if (bms_equal(v->sets[i], set))
			return i;
	v->sets[v->nsets] = set;
	v->set_fields[v->nsets] = palloc(sizeof(int) * (v->entity->nfields + 1));
	for (int f = -1; n == 0 || f >= 0; n++)
		v->set_fields[v->nsets][n] = f = bms_next_member(set, f);
	return v->nsets++;
}

/* The hash of a set of the fields of the row at hand. */
static inline uint64
hash_set(const Verifier *v, int set)
{
	uint64		sum = 0;

	for (const int *f = v->set_fields[set]; *f >= 0; f++)
		sum += v->walker->hashes[*f];
	return sum;
}

static void
number_sources(Verifier *v)
{
	const SsotEntity *entity = v->entity;
	int			n = Max(entity->nsources, 1);
	const char **systems = palloc(sizeof(char *) * n);
	int		   *sources_of = palloc0(sizeof(int) * n);
	int		   *joined_of = palloc(sizeof(int) * n);
	bool	   *has_level = palloc0(sizeof(bool) * n);

	v->sources = palloc0(sizeof(VerifiedSource) * n);
	v->sets = palloc(sizeof(Bitmapset *) * n);
	v->set_fields = palloc(sizeof(int *) * n);
	v->predicate_source = palloc(sizeof(int) * n);
	for (int s = 0; s < entity->nsources; s++)
	{
		const SsotSource *source = &entity->sources[s];
		VerifiedSource *verified = &v->sources[s];
		int			system = 0;

		verified->drifts = !source->is_steward && !source->is_manual;
		if (!verified->drifts)
			continue;
		verified->set = number_of_set(v, source);
		while (system < v->nsystems && strcmp(systems[system], source->system) != 0)
			system++;
		if (system == v->nsystems)
			systems[v->nsystems++] = source->system;
		verified->system = system;
		sources_of[system]++;
		has_level[system] |= source->level != NULL;
		joined_of[system] = -1;
		if (strcmp(source->expects, "all") == 0)
			v->expected_all |= UINT64CONST(1) << (system % MAX_SYSTEMS);
		else if (strcmp(source->expects, "none") != 0)
			v->predicate_source[v->npredicates++] = s;
	}
	for (int system = 0; system < v->nsystems; system++)
		if (sources_of[system] > 1 && !has_level[system])
			joined_of[system] = v->njoined++;
	for (int s = 0; s < entity->nsources; s++)
	{
		VerifiedSource *verified = &v->sources[s];

		if (!verified->drifts)
			continue;
		verified->joined = joined_of[verified->system];
		verified->many = has_level[verified->system] && sources_of[verified->system] == 1;
	}
	v->slot_words = GOLDEN_SETS + v->nsets + v->njoined + 1;
	v->table.nwords = v->slot_words;
	v->record_words = v->njoined > 0 ? RECORD_KEY + 1 : RECORD_INFO + 1;
}

static Verifier *
make_verifier(const SsotEntity *entity)
{
	Verifier   *v = palloc0(sizeof(Verifier));

	v->entity = entity;
	v->seed = ssot_seed();
	v->id_seed = pg_prng_uint64(&pg_global_prng_state);
	v->field_seeds = palloc(sizeof(uint64) * Max(entity->nfields, 1));
	for (int f = 0; f < entity->nfields; f++)
		v->field_seeds[f] = pg_prng_uint64(&pg_global_prng_state);
	number_sources(v);
	return v;
}

/* ---- reading ---------------------------------------------------------------- */

/* Results of a walk: the fields, then these. */
#define WALK_ID(v)			((v)->entity->nfields)
#define WALK_SOURCE(v)		((v)->entity->nfields + 1)
#define WALK_KEY(v)			((v)->entity->nfields + 2)
#define WALK_COPY(v)		((v)->entity->nfields + 3)
#define WALK_REFS(v)		((v)->entity->nfields + 4)
#define WALK_DETAIL(v)		((v)->entity->nfields + 5)
#define WALK_RETIRED(v)		((v)->entity->nfields + 6)
#define WALK_TID(v)			((v)->entity->nfields + 7)
#define WALK_PREDICATES(v)	((v)->entity->nfields + 8)

/* Says which columns of the rows that are read the walker shall want. */
typedef void (*WantColumns) (Verifier *v, TupleDesc desc);

/* Takes one row, over which the walker has walked; tid is NULL where the row
 * does not come from a tuple scan. */
typedef void (*TakeRow) (Verifier *v, ItemPointer tid);

static AttrNumber
column_named(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i + 1;
	elog(ERROR, "column \"%s\" not found", name);
}

static void
want(Verifier *v, TupleDesc desc, const char *name, SsotWalkAction action, int index,
	 uint64 seed)
{
	ssot_walker_want(v->walker, column_named(desc, name), action, index, seed);
}

static void
want_fields(Verifier *v, TupleDesc desc)
{
	want(v, desc, v->entity->id_column, SSOT_WALK_HASH, WALK_ID(v), v->id_seed);
	for (int f = 0; f < v->entity->nfields; f++)
	{
		bool		mapped = false;

		for (int set = 0; set < v->nsets && !mapped; set++)
			mapped = bms_is_member(f, v->sets[set]);
		if (mapped)
			want(v, desc, v->entity->fields[f].name, SSOT_WALK_HASH, f, v->field_seeds[f]);
	}
}

/* Where rows of a statement go. */
typedef struct StatementRows
{
	Verifier   *verifier;
	TakeRow		take;
} StatementRows;

static bool
take_statement_row(TupleTableSlot *slot, void *arg)
{
	StatementRows *rows = (StatementRows *) arg;

	ssot_walk_slot(rows->verifier->walker, slot);
	rows->take(rows->verifier, NULL);
	return true;
}

static void
make_walker(Verifier *v, TupleDesc desc, WantColumns want_columns)
{
	v->walker = ssot_walker_create(desc, WALK_PREDICATES(v) + v->npredicates, v->seed);
	want_columns(v, desc);
}

static void
read_by_statement(Verifier *v, const char *sql, WantColumns want_columns, TakeRow take)
{
	StatementRows rows = {v, take};
	SsotStatement statement = {.sql = sql,.read_only = true};

	make_walker(v, ssot_query_describe(sql), want_columns);
	ssot_statement_each(&statement, take_statement_row, &rows);
}

/* Read a table: by a tuple scan where that is possible, or else the given
 * columns by a statement. */
static void
read_table(Verifier *v, Oid relid, bool by_tuple_scan, const char *columns,
		   WantColumns want_columns, TakeRow take)
{
	SsotTupleScan scan;
	HeapTuple	tuple;

	v->by_tuple_scan = by_tuple_scan && ssot_relation_is_scannable(relid);
	if (v->by_tuple_scan)
	{
		scan = ssot_tuple_scan_begin(relid);
		make_walker(v, RelationGetDescr(scan.rel), want_columns);
		v->by_tuple_scan = !v->walker->misses;
		while (v->by_tuple_scan && (tuple = ssot_tuple_scan_next(&scan)) != NULL)
		{
			CHECK_FOR_INTERRUPTS();
			ssot_walk_tuple(v->walker, tuple);
			take(v, &tuple->t_self);
		}
		ssot_tuple_scan_end(&scan);
	}
	if (!v->by_tuple_scan)
		read_by_statement(v, ssot_sql("SELECT %s FROM %T AS t", columns,
									  ssot_relation_name(relid)), want_columns, take);
}

/* ---- golden records ----------------------------------------------------------- */

static void
want_golden(Verifier *v, TupleDesc desc)
{
	want_fields(v, desc);
	want(v, desc, "retired_at", SSOT_WALK_PICK, WALK_RETIRED(v), 0);
	if (v->by_tuple_scan)
		return;
	want(v, desc, "ctid", SSOT_WALK_PICK, WALK_TID(v), 0);
	for (int i = 0; i < v->npredicates; i++)
		want(v, desc, psprintf("ssot_expects_%d", i), SSOT_WALK_PICK,
			 WALK_PREDICATES(v) + i, 0);
}

/* Which systems should hold the golden record at hand, and which should not. A
 * system should if one of its sources should. */
static inline uint64
expectations(Verifier *v)
{
	SsotWalker *walker = v->walker;
	uint64		expected = v->expected_all;
	uint64		unexpected = 0;

	for (int i = 0; i < v->npredicates; i++)
	{
		uint64		system = UINT64CONST(1) << v->sources[v->predicate_source[i]].system;
		int			index = WALK_PREDICATES(v) + i;

		if (walker->nulls[index])
			continue;
		if (DatumGetBool(walker->values[index]))
			expected |= system;
		else
			unexpected |= system;
	}
	return expected | (unexpected & ~expected) << 32;
}

static void
take_golden(Verifier *v, ItemPointer tid)
{
	SsotWalker *walker = v->walker;
	uint64	   *entry;

	if (!walker->nulls[WALK_RETIRED(v)])
		return;
	v->ngolden++;
	if (tid == NULL)
		tid = (ItemPointer) DatumGetPointer(walker->values[WALK_TID(v)]);
	entry = ssot_partitions_add(v->golden);
	entry[0] = ssot_hash_end(walker->hashes[WALK_ID(v)], v->seed);
	entry[1] = ssot_pack_tid(tid);
	entry[2] = expectations(v);
	for (int i = 0; i < v->nsets; i++)
		entry[3 + i] = hash_set(v, i);
}

/* SELECT t.ctid, t.customer_id, t.retired_at, t.name, ..., (<predicate>) AS ssot_expects_0 */
static void
read_golden(Verifier *v, int bits, Size limit)
{
	const SsotEntity *entity = v->entity;
	StringInfoData columns;

	initStringInfo(&columns);
	ssot_sql_append(&columns, "t.ctid, t.%I, t.retired_at", entity->id_column);
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(&columns, ", t.%I", entity->fields[f].name);
	for (int i = 0; i < v->npredicates; i++)
		ssot_sql_append(&columns, ", (%s) AS ssot_expects_%d",
						entity->sources[v->predicate_source[i]].expects, i);
	v->golden = ssot_partitions_create(3 + v->nsets, bits, limit);
	read_table(v, entity->relid,
			   v->npredicates == 0,
			   columns.data, want_golden, take_golden);
	ssot_partitions_flush(v->golden);
}

/* ---- source records -------------------------------------------------------------- */

static void
want_record(Verifier *v, TupleDesc desc)
{
	want_fields(v, desc);
	want(v, desc, "ssot_source", SSOT_WALK_PICK, WALK_SOURCE(v), 0);
	if (v->njoined > 0)
		want(v, desc, "ssot_key", SSOT_WALK_HASH, WALK_KEY(v), v->id_seed);
	want(v, desc, "ssot_copy", SSOT_WALK_PICK, WALK_COPY(v), 0);
	want(v, desc, "ssot_refs", SSOT_WALK_PICK, WALK_REFS(v), 0);
	want(v, desc, "ssot_detail", SSOT_WALK_PICK, WALK_DETAIL(v), 0);
}

static void
take_record(Verifier *v, ItemPointer tid)
{
	SsotWalker *walker = v->walker;
	uint64	   *entry;
	int			copy;
	int			source;

	copy = DatumGetInt32(walker->values[WALK_COPY(v)]);
	if (walker->nulls[WALK_ID(v)] || copy < 0)
		return;
	source = ssot_entity_source_id(v->entity, DatumGetInt32(walker->values[WALK_SOURCE(v)]));
	if (source < 0 || !v->sources[source].drifts)
		return;
	entry = ssot_partitions_add(v->records);
	entry[0] = ssot_hash_end(walker->hashes[WALK_ID(v)], v->seed);
	entry[RECORD_HASH] = hash_set(v, v->sources[source].set);
	if (v->njoined > 0)
		entry[RECORD_KEY] = walker->hashes[WALK_KEY(v)] | 1;
	entry[RECORD_INFO] = (uint64) source |
		(walker->nulls[WALK_REFS(v)] && walker->nulls[WALK_DETAIL(v)] ? 0 : RECORD_FLAG_UNCLEAR) |
		(copy > 0 ? RECORD_FLAG_SUPERSEDED : 0);
}

static void
read_records(Verifier *v, int bits, Size limit)
{
	const SsotEntity *entity = v->entity;
	Oid			relid = ssot_companion_oid(entity->source_table);
	char	   *columns;

	columns = ssot_sql("t.%I, t.ssot_source, t.ssot_key, t.ssot_copy, t.ssot_refs, t.ssot_detail%s%s",
					   entity->id_column, entity->nfields == 0 ? "" : ", ",
					   ssot_field_list(entity, "t."));
	v->records = ssot_partitions_create(v->record_words, bits, limit);
	read_table(v, relid, true, columns, want_record, take_record);
	ssot_partitions_flush(v->records);
}

/* ---- joining by hash --------------------------------------------------------------- */

static void
put_golden(const uint64 *entries, uint64 count, void *arg)
{
	Verifier   *v = (Verifier *) arg;
	int			words = 3 + v->nsets;

	for (uint64 i = 0; i < count; i++)
	{
		const uint64 *entry = entries + i * words;
		uint64	   *slot = ssot_table_find(&v->table, v->slot_words, entry[0]);

		if (slot[v->slot_words - 1] != 0)
		{
			/* two ids of one hash: look at both */
			ssot_suspects_add(v->suspects, entry[1]);
			slot[v->slot_words - 1] |= SLOT_SUSPECT;
			continue;
		}
		slot[0] = entry[0];
		slot[v->slot_words - 1] = entry[1] | SLOT_USED;
		slot[GOLDEN_EXPECTS] = entry[2];
		memcpy(slot + GOLDEN_SETS, entry + 3, sizeof(uint64) * v->nsets);
	}
}

/* Is a second record of the system on this golden record beyond doubt? It is if
 * it is a part of the same system record, or if records may be many. */
static bool
fits_beside(const Verifier *v, const VerifiedSource *source, const uint64 *slot,
			const uint64 *entry)
{
	return source->many ||
		(source->joined >= 0 && slot[GOLDEN_SETS + v->nsets + source->joined] == entry[RECORD_KEY]);
}

static void
probe_record(const uint64 *entries, uint64 count, void *arg)
{
	Verifier   *v = (Verifier *) arg;

	for (uint64 i = 0; i < count; i++)
	{
		const uint64 *entry = entries + i * v->record_words;
		uint64	   *slot = ssot_table_find(&v->table, v->slot_words, entry[0]);
		const VerifiedSource *source = &v->sources[(uint32) entry[RECORD_INFO]];
		uint64		system = UINT64CONST(1) << source->system;

		if (slot[v->slot_words - 1] == 0)
			continue;			/* no golden record in force: nothing to
								 * differ from */
		if ((entry[RECORD_INFO] >> 32) != 0 ||
			slot[GOLDEN_SETS + source->set] != entry[RECORD_HASH] ||
			((slot[GOLDEN_HELD] & system) != 0 &&
			 !fits_beside(v, source, slot, entry)))
			slot[v->slot_words - 1] |= SLOT_SUSPECT;
		if ((entry[RECORD_INFO] & RECORD_FLAG_SUPERSEDED) != 0)
			continue;
		slot[GOLDEN_HELD] |= system;
		if (source->joined >= 0)
			slot[GOLDEN_SETS + v->nsets + source->joined] = entry[RECORD_KEY];
	}
}

static void
collect_suspects(Verifier *v)
{
	for (uint64 i = 0; i <= v->table.mask; i++)
	{
		uint64	   *slot = v->table.slots + i * v->slot_words;
		uint64		state = slot[v->slot_words - 1];
		uint64		expected = slot[GOLDEN_EXPECTS] & PG_UINT32_MAX;
		uint64		unexpected = slot[GOLDEN_EXPECTS] >> 32;

		if (state == 0)
			continue;
		if ((state & SLOT_SUSPECT) != 0 || (expected & ~slot[GOLDEN_HELD]) != 0 ||
			(unexpected & slot[GOLDEN_HELD]) != 0)
			ssot_suspects_add(v->suspects, state & SLOT_TID);
	}
}

int64
ssot_screen_golden(const SsotEntity *entity, SsotSuspects *suspects)
{
	Verifier   *v = make_verifier(entity);
	Oid			source_relid = ssot_companion_oid(v->entity->source_table);
	Size		limit = (Size) maintenance_work_mem * 1024 / 2;
	int			bits = ssot_partition_bits(Max(ssot_relation_rows(v->entity->relid),
											   ssot_relation_rows(source_relid)), limit);

	if (v->nsystems > MAX_SYSTEMS)
		return -1;
	v->suspects = suspects;
	read_golden(v, bits, limit);
	read_records(v, bits, limit);
	for (int n = 0; n < 1 << bits; n++)
	{
		CHECK_FOR_INTERRUPTS();
		ssot_table_reset(&v->table, ssot_partition_count(v->golden, n));
		ssot_partition_each(v->golden, n, put_golden, v);
		ssot_partition_each(v->records, n, probe_record, v);
		collect_suspects(v);
	}
	ssot_partitions_free(v->golden);
	ssot_partitions_free(v->records);
	return (int64) v->ngolden;
}
