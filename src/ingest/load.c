/*
 * ingest/load.c
 *		Reading sources: what is new, what changed, what is gone.
 *
 * One run over the sources of an entity:
 *
 *		image.c, reader.c	each source is read once; rows whose image is stored
 *							stop there, the others wait in a tuplestore
 *		mapper.c, evaluate.c,
 *		protect.c			the others are mapped and tested, row by row
 *		part.c				rows of one key are summed, where the source says so
 *		stage.c, classify.c	all rows of a key meet; which is in force?
 *		quarantine.c		rows that cannot be taken are kept whole
 *
 * Nothing but quarantine is written here, and that last, when every source is
 * within its limits. The results are handed on as rows, in the order of source
 * and key. Everything lives in one memory context and in temporary files, both
 * gone when the call returns, but for the result.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "ingest/load.h"
#include "ingest/quarantine.h"
#include "ingest/reader.h"
#include "ingest/resolve.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/memutils.h"

static SsotIngest *
make_result(const SsotEntity *entity)
{
	SsotIngest *result = palloc0(sizeof(SsotIngest));
	TupleDesc	gone = CreateTemplateTupleDesc(2);

	TupleDescInitEntry(gone, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(gone, 2, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(gone, 2, C_COLLATION_OID);
	result->desc = ssot_record_desc(entity, true);
	result->staged = tuplestore_begin_heap(true, false, work_mem);
	result->gone_desc = BlessTupleDesc(gone);
	result->gone = tuplestore_begin_heap(true, false, work_mem);
	result->stored_desc = ssot_record_desc(entity, false);
	result->stored = tuplestore_begin_heap(true, false, work_mem);
	result->figures = palloc0(sizeof(SsotIngestFigures) * entity->nsources);
	return result;
}

/* Records that vanish may mean that a load failed half-way. */
static void
check_retired(const SsotEntity *entity, const SsotReader *reader,
			  const SsotIngestFigures *figures)
{
	bool		empty = reader->keys > 0 &&
	(reader->reach == SSOT_REACH_ALL ? reader->rows_read == 0 : figures->rows_gone >= reader->keys);

	if (!empty && (double) figures->rows_gone <= entity->max_retire * (double) reader->keys)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_SSOT_TOO_MANY_RETIRED),
			 empty ?
			 errmsg("source \"%s\" of entity \"%s\" is empty, but %lld of its records are stored",
					reader->source->name, entity->name, (long long) reader->keys) :
			 errmsg("too many records of source \"%s\" of entity \"%s\" are gone: %lld of %lld",
					reader->source->name, entity->name,
					(long long) figures->rows_gone, (long long) reader->keys),
			 errdetail("max_retire allows a share of %g; nothing was written.", entity->max_retire),
			 errhint("If they are really gone, reconcile with accept_deletes => true; else mend the source.")));
}

static double
seconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_DOUBLE(now);
}

static void
ingest(const SsotEntity *entity, int64 run_id, bool full, bool accept_deletes,
	   SsotIngest *result)
{
	SsotReader *readers;
	int			nreaders = ssot_readers_open(entity, full, &readers);
	SsotQuarantine *quarantine = ssot_quarantine_create(entity);
	SsotImages *images = ssot_readers_load_images(entity, readers, nreaders);

	while (!ssot_readers_scan(entity, readers, nreaders, images))
	{
		ssot_images_free(images);
		images = ssot_readers_load_images(entity, readers, nreaders);
	}
	for (int i = 0; i < nreaders; i++)
	{
		SsotIngestFigures *figures = &result->figures[readers[i].index];
		instr_time	start;

		INSTR_TIME_SET_CURRENT(start);
		figures->attempted = true;
		ssot_resolve_source(entity, &readers[i], images, quarantine, result);
		if (!accept_deletes)
			check_retired(entity, &readers[i], figures);
		figures->seconds = readers[i].seconds + seconds_since(start);
		ssot_reader_close(&readers[i]);
	}
	ssot_images_free(images);
	if (nreaders > 0)
		ssot_quarantine_write(quarantine, run_id, result->figures);
	ssot_quarantine_free(quarantine);
}

SsotIngest *
ssot_ingest(const SsotEntity *entity, int64 run_id, bool full, bool accept_deletes)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "ssot ingest", ALLOCSET_DEFAULT_SIZES);
	int			level = ssot_settings_begin(true);
	SsotIngest *result = make_result(entity);

	MemoryContextSwitchTo(context);
	ingest(entity, run_id, full, accept_deletes, result);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	ssot_settings_end(level);
	return result;
}

static bool
take_stored_row(TupleTableSlot *slot, void *arg)
{
	const SsotIngest *ingest = (const SsotIngest *) arg;

	slot_getallattrs(slot);
	tuplestore_putvalues(ingest->stored, ingest->stored_desc, slot->tts_values, slot->tts_isnull);
	return true;
}

/*
 * SELECT s.ssot_source, s.ssot_key, ... s.<fields>
 *   FROM ssot_staged AS g
 *   JOIN golden_ssot.customer_source AS s
 *     ON s.ssot_key = g.ssot_key AND s.ssot_source = g.ssot_source
 *  WHERE g.ssot_copy <= 0
 *  ORDER BY array_position($1, s.ssot_source), s.ssot_key
 */
void
ssot_ingest_read_stored(const SsotEntity *entity, const SsotIngest *ingest)
{
	SsotRelation staged = {"ssot_staged", ingest->desc, ingest->staged, ingest->nstaged};
	Datum	   *sources = palloc(sizeof(Datum) * entity->nsources);
	Oid			argtype = INT4ARRAYOID;
	Datum		arg;
	SsotStatement statement = {.nargs = 1,.argtypes = &argtype,.args = &arg,
	.nrelations = 1,.relations = &staged};
	SsotUser	user;

	for (int s = 0; s < entity->nsources; s++)
		sources[s] = Int32GetDatum(entity->sources[s].source_id);
	arg = PointerGetDatum(construct_array(sources, entity->nsources, INT4OID,
										  sizeof(int32), true, TYPALIGN_INT));
	statement.sql = ssot_sql("SELECT %s FROM ssot_staged AS g JOIN %T AS s"
							 " ON s.ssot_key = g.ssot_key AND s.ssot_source = g.ssot_source"
							 " WHERE g.ssot_copy <= 0"
							 " ORDER BY array_position($1, s.ssot_source), s.ssot_key",
							 ssot_record_columns(entity, "s."), entity->source_table);
	tuplestore_clear(ingest->stored);
	if (ingest->nstaged == 0)
		return;
	user = ssot_become_owner(ssot_companion_oid(entity->source_table));
	ssot_statement_each(&statement, take_stored_row, unconstify(SsotIngest *, ingest));
	ssot_restore_user(user);
}

void
ssot_ingest_end(SsotIngest *ingest)
{
	tuplestore_end(ingest->staged);
	tuplestore_end(ingest->gone);
	tuplestore_end(ingest->stored);
}
