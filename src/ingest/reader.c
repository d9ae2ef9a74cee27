/*
 * ingest/reader.c
 *		Reading sources, each once, and keeping the rows that are not stored yet.
 *
 * The query selects every column of the relation in order, which costs nothing
 * on a table (the executor hands out its tuples as they are) and keeps rows
 * whole for quarantine; the image covers only the columns that the mapping
 * reads, taken in order of their names, so that a relation made anew with its
 * columns in another order changes nothing. It runs with the caller's rights.
 * What is stored is read as the owner of the companion: whoever may run a
 * reconciliation need not be able to read there.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "ingest/protect.h"
#include "ingest/reach.h"
#include "ingest/reader.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Memory of a store whose rows only wait on disk, in kB. */
#define WAITING_MEMORY 256

/*
 * Opening.
 */
static Oid
resolve_relation(const SsotEntity *entity, const SsotSource *source)
{
	RangeVar   *name = makeRangeVarFromNameList(stringToQualifiedNameList(source->relation));
	Oid			relid = RangeVarGetRelid(name, AccessShareLock, true);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation %s of source \"%s\" does not exist",
						source->relation, source->name),
				 errdetail("Entity \"%s\" was left as it is: a vanished relation retires nothing.",
						   entity->name),
				 errhint("Restore it, name another with ssot.alter_source(relation => ...), or call ssot.drop_source.")));
	return relid;
}

static int
compare_columns(const void *a, const void *b, void *arg)
{
	TupleDesc	desc = (TupleDesc) arg;

	return strcmp(NameStr(TupleDescAttr(desc, *(const AttrNumber *) a - 1)->attname),
				  NameStr(TupleDescAttr(desc, *(const AttrNumber *) b - 1)->attname));
}

/* The columns that the mapping reads, in order of their names. */
static int
mapped_columns(TupleDesc desc, const Bitmapset *columns, AttrNumber *result)
{
	bool		whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, columns);
	int			count = 0;

	for (int i = 1; i <= desc->natts; i++)
		if (!TupleDescAttr(desc, i - 1)->attisdropped &&
			(whole_row || bms_is_member(i - FirstLowInvalidHeapAttributeNumber, columns)))
			result[count++] = i;
	qsort_arg(result, count, sizeof(AttrNumber), compare_columns, desc);
	return count;
}

/*
 *		SELECT "a", NULL::pg_catalog.int4, "c"		-- the second was dropped
 *		FROM bronze.crm_account
 */
static char *
select_rows(const SsotReader *reader)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < reader->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(reader->desc, i);

		appendStringInfoString(&buf, i == 0 ? "SELECT " : ", ");
		if (att->attisdropped)
			appendStringInfoString(&buf, "NULL::pg_catalog.int4");
		else
			ssot_sql_append(&buf, "%I", NameStr(att->attname));
	}
	ssot_sql_append(&buf, "\nFROM %T", ssot_relation_name(reader->mapper->relid));
	return buf.data;
}

static void
open_reader(SsotReader *reader, const SsotEntity *entity, int index, bool full,
			const SsotBlankWords *blank)
{
	const SsotSource *source = &entity->sources[index];
	Relation	rel = table_open(resolve_relation(entity, source), NoLock);
	AttrNumber *columns;
	int			ncolumns;

	memset(reader, 0, sizeof(*reader));
	reader->index = index;
	reader->source = source;
	reader->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	reader->mapper = ssot_mapper_create(entity, source, RelationGetRelid(rel), blank);
	ssot_keyset_init(&reader->concerned, "key", TEXTOID);
	table_close(rel, NoLock);
	ssot_reach_decide(reader, full);
	reader->sql = ssot_reach_query(reader, select_rows(reader));

	columns = palloc(sizeof(AttrNumber) * (reader->desc->natts + 1));
	ncolumns = mapped_columns(reader->desc, reader->mapper->columns, columns);
	for (int i = 0; i < ncolumns; i++)
		reader->ncolumns = Max(reader->ncolumns, columns[i]);
	reader->imager = ssot_imager_create(source->source_id, source->map_version,
										reader->desc, columns, ncolumns);
}

int
ssot_readers_open(const SsotEntity *entity, bool full, SsotReader **readers)
{
	SsotBlankWords *blank = ssot_blank_words_load();
	int			count = 0;

	*readers = palloc(sizeof(SsotReader) * entity->nsources);
	for (int s = 0; s < entity->nsources; s++)
		if (entity->sources[s].relation != NULL)
			open_reader(&(*readers)[count++], entity, s, full, blank);
	return count;
}

void
ssot_reader_close(SsotReader *reader)
{
	tuplestore_end(reader->changed);
	ssot_keyset_end(&reader->concerned);
	ssot_mapper_free(reader->mapper);
	if (reader->changes != NULL)
		ssot_changes_free(reader->changes);
}

/*
 * What is stored.
 */
typedef struct LoadState
{
	SsotImages *images;
	SsotReader *readers;
	int			nreaders;
	SsotReader *last;			/* rows of one source mostly stand together */
} LoadState;

static SsotReader *
find_reader(LoadState *state, int source_id)
{
	if (state->last == NULL || state->last->source->source_id != source_id)
		for (int i = 0; i < state->nreaders; i++)
			if (state->readers[i].source->source_id == source_id)
				state->last = &state->readers[i];
	return state->last;
}

static bool
take_stored(TupleTableSlot *slot, void *arg)
{
	LoadState  *state = (LoadState *) arg;
	SsotReader *reader;
	int			copy;

	slot_getallattrs(slot);
	reader = find_reader(state, DatumGetInt32(slot->tts_values[0]));
	copy = DatumGetInt32(slot->tts_values[2]);
	reader->keys += copy <= 0;
	reader->in_force += copy == 0;
	reader->superseded += copy > 0;
	if (!slot->tts_isnull[4])
	{
		TimestampTz time = DatumGetTimestampTz(slot->tts_values[4]);

		if (!reader->has_time || time > reader->latest)
			reader->latest = time;
		reader->has_time = true;
	}
	if (reader->anew)
		return true;
	if (copy > 0)
		ssot_keyset_add(&reader->concerned, slot->tts_values[3]);
	else if (!slot->tts_isnull[1])
		ssot_images_add(state->images, (uint64) DatumGetInt64(slot->tts_values[1]), reader->index);
	return true;
}

/* Where not everything is read, what is stored is not counted either. */
static void
expect_stored(SsotReader *reader)
{
	reader->keys = reader->in_force = reader->state.records;
	reader->has_time = reader->mapper->updated_at != NULL && reader->state.has_through;
	reader->latest = reader->state.data_through;
}

static const char *const stored_images =
"SELECT s.ssot_source, s.ssot_image, s.ssot_copy, s.ssot_key, s.ssot_updated_at\n"
"FROM %T AS s\n"
"WHERE s.ssot_source = ANY ($1)";

SsotImages *
ssot_readers_load_images(const SsotEntity *entity, SsotReader *readers, int nreaders)
{
	LoadState	state = {ssot_images_create(), readers, nreaders, NULL};
	Datum	   *ids = palloc(sizeof(Datum) * (nreaders + 1));
	int			nids = 0;
	Oid			argtype = INT4ARRAYOID;
	Datum		arg;
	SsotStatement statement = {.nargs = 1,.argtypes = &argtype,.args = &arg};
	SsotUser	user;

	for (int i = 0; i < nreaders; i++)
		if (readers[i].reach == SSOT_REACH_ALL)
			ids[nids++] = Int32GetDatum(readers[i].source->source_id);
		else
			expect_stored(&readers[i]);
	if (nids == 0)
		return state.images;
	arg = PointerGetDatum(construct_array(ids, nids, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	statement.sql = ssot_sql(stored_images, entity->source_table);
	user = ssot_become_owner(ssot_companion_oid(entity->source_table));
	ssot_statement_each(&statement, take_stored, &state);
	ssot_restore_user(user);
	return state.images;
}

/*
 * Reading. take_row is called for every row of every source.
 */
static void
keep_changed(SsotReader *reader, TupleTableSlot *slot)
{
	tuplestore_puttupleslot(reader->changed, slot);
	reader->nchanged++;
}

static bool
take_row(TupleTableSlot *slot, void *arg)
{
	SsotReader *reader = (SsotReader *) arg;
	uint64		image;

	reader->rows_read++;
	if (reader->anew)
	{
		keep_changed(reader, slot);
		return true;
	}
	slot_getsomeattrs(slot, reader->ncolumns);
	image = ssot_image_of(reader->imager, slot);
	if (reader->later != NULL && ssot_images_partition(reader->images, image) != 0)
		tuplestore_puttupleslot(reader->later[ssot_images_partition(reader->images, image)], slot);
	else if (!ssot_images_see(reader->images, image))
		keep_changed(reader, slot);
	return true;
}

/* The rows whose images belong to the partition that is now in memory. */
static void
look_up_later(SsotReader *reader, int partition)
{
	Tuplestorestate *rows = reader->later == NULL ? NULL : reader->later[partition];
	TupleTableSlot *slot;

	if (rows == NULL)
		return;
	slot = MakeSingleTupleTableSlot(reader->desc, &TTSOpsMinimalTuple);
	ssot_images_expect(reader->images, reader->index);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, reader->ncolumns);
		if (!ssot_images_see(reader->images, ssot_image_of(reader->imager, slot)))
			keep_changed(reader, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(rows);
	reader->later[partition] = NULL;
}

static void
describe_reading(void *arg)
{
	const SsotReader *reader = (const SsotReader *) arg;

	errcontext("reading source \"%s\" from %s", reader->source->name, reader->source->relation);
}

/* A key looked up costs about as much as twenty rows read and hashed. */
bool
ssot_reader_is_selective(const SsotReader *reader)
{
	return reader->reach == SSOT_REACH_KEYS &&
		reader->changes->count < reader->state.records / 20;
}

static void
run_query(const SsotReader *reader, SsotRowCallback callback, void *arg)
{
	SsotRelation changed = {.name = "ssot_changed"};
	SsotStatement statement = {.sql = reader->sql};
	int			level = 0;

	if (reader->reach == SSOT_REACH_KEYS)
	{
		changed.desc = reader->changes->desc;
		changed.rows = reader->changes->rows;
		changed.count = reader->changes->count;
		statement.nrelations = 1;
		statement.relations = &changed;
	}
	if (ssot_reader_is_selective(reader))
		level = ssot_settings_use_indexes();
	ssot_statement_each(&statement, callback, arg);
	if (level != 0)
		ssot_settings_end(level);
}

/* The query as it is; what it keeps was made before. */
static void
read_rows(void *arg)
{
	SsotReader *reader = (SsotReader *) arg;

	run_query(reader, take_row, reader);
}

/* ---- a filter that fails on some rows ---- */

/* All rows of the relation, on their way through the filter. */
typedef struct FilterState
{
	SsotReader *reader;
	Tuplestorestate *rows;
	TupleTableSlot *slot;
} FilterState;

static bool
spool_row(TupleTableSlot *slot, void *arg)
{
	tuplestore_puttupleslot(((FilterState *) arg)->rows, slot);
	return true;
}

static bool
next_spooled(void *arg)
{
	FilterState *state = (FilterState *) arg;

	ssot_mapper_reset(state->reader->mapper);
	return tuplestore_gettupleslot(state->rows, true, false, state->slot);
}

static void
take_spooled(void *arg)
{
	FilterState *state = (FilterState *) arg;

	take_row(state->slot, state->reader);
}

static void
filter_spooled(void *arg)
{
	FilterState *state = (FilterState *) arg;

	if (ssot_mapper_passes(state->reader->mapper, state->slot))
		ssot_protected_outside(take_spooled, state);
}

/* The row goes on: evaluating it will say why it is refused. */
static bool
filter_failed(void *arg, ErrorData *error)
{
	FilterState *state = (FilterState *) arg;

	ssot_mapper_filter_failed(state->reader->mapper);
	keep_changed(state->reader, state->slot);
	state->reader->rows_read++;
	return false;
}

static void
read_row_by_row(SsotReader *reader, int memory)
{
	static const SsotProtected loop = {next_spooled, filter_spooled, filter_failed};
	FilterState state = {reader, tuplestore_begin_heap(false, false, memory),
	MakeSingleTupleTableSlot(reader->desc, &TTSOpsMinimalTuple)};

	run_query(reader, spool_row, &state);
	ssot_protected_each(&loop, &state);
	ExecDropSingleTupleTableSlot(state.slot);
	tuplestore_end(state.rows);
}

/* Read by a query with the filter in it; false if the filter fails. */
static bool
read_filtered(SsotReader *reader)
{
	ErrorData  *error = ssot_attempt(read_rows, reader);

	if (error == NULL)
		return true;
	if (!ssot_error_is_local(error->sqlerrcode) ||
		error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
		ReThrowError(error);
	FreeErrorData(error);
	ssot_mapper_filter_by_row(reader->mapper);
	reader->sql = ssot_reach_query(reader, select_rows(reader));
	return false;
}

/* False if everything must be read again, this source row by row. */
static bool
scan(SsotReader *reader, SsotImages *images, int memory)
{
	int			npartitions = ssot_images_partitions(images);
	ErrorContextCallback context = {.previous = error_context_stack,
	.callback = describe_reading,.arg = reader};
	instr_time	start;
	instr_time	end;
	bool		done = true;

	INSTR_TIME_SET_CURRENT(start);
	reader->images = images;
	reader->changed = tuplestore_begin_heap(false, false, memory);
	tuplestore_set_eflags(reader->changed, EXEC_FLAG_REWIND);
	if (npartitions > 1 && !reader->anew)
	{
		reader->later = palloc0(sizeof(Tuplestorestate *) * npartitions);
		for (int p = 1; p < npartitions; p++)
			reader->later[p] = tuplestore_begin_heap(false, false, WAITING_MEMORY);
	}
	error_context_stack = &context;
	ssot_images_expect(images, reader->index);
	if (reader->mapper->filter == NULL)
		read_rows(reader);
	else if (reader->mapper->row_filter == NULL)
		done = read_filtered(reader);
	else
		read_row_by_row(reader, memory);
	error_context_stack = context.previous;
	reader->rows_held = reader->reach == SSOT_REACH_ALL ? reader->rows_read :
		Max(reader->state.rows_read, reader->rows_read);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	reader->seconds = INSTR_TIME_GET_DOUBLE(end);
	return done;
}

/* As it was before what is stored was loaded. */
static void
forget_reading(SsotReader *reader)
{
	if (reader->changed != NULL)
		tuplestore_end(reader->changed);
	for (int p = 1; reader->later != NULL && p < ssot_images_partitions(reader->images); p++)
		tuplestore_end(reader->later[p]);
	reader->changed = NULL;
	reader->later = NULL;
	reader->keys = reader->in_force = reader->superseded = 0;
	reader->has_time = false;
	reader->rows_read = reader->nchanged = 0;
	ssot_keyset_end(&reader->concerned);
	ssot_keyset_init(&reader->concerned, "key", TEXTOID);
}

bool
ssot_readers_scan(const SsotEntity *entity, SsotReader *readers, int nreaders,
				  SsotImages *images)
{
	int			memory = Max(work_mem / Max(nreaders, 1), WAITING_MEMORY);

	for (int i = 0; i < nreaders; i++)
	{
		if (scan(&readers[i], images, memory))
			continue;
		for (int r = 0; r < nreaders; r++)
			forget_reading(&readers[r]);
		return false;
	}
	for (int p = 1; p < ssot_images_partitions(images); p++)
	{
		ssot_images_next(images);
		for (int i = 0; i < nreaders; i++)
			look_up_later(&readers[i], p);
	}
	ssot_images_finish(images);
	return true;
}
