/*
 * reconcile.c
 *		The orchestrator: it alone knows the whole order.
 *
 *		read sources -> take the clock -> link -> merge -> store records
 *		-> fill foreign keys -> settle golden records (and drift)
 *
 * Reading computes and writes nothing but quarantine, so the clock, which is
 * the entity's write lock, is taken late: a steward is not kept waiting while a
 * source is read. Two runs of one entity exclude each other from the start by
 * the entity's row in ssot.entity.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "golden/clock.h"
#include "golden/held_merge.h"
#include "golden/hold.h"
#include "golden/link.h"
#include "golden/matcher.h"
#include "golden/merge.h"
#include "golden/reference.h"
#include "golden/settle.h"
#include "golden/store.h"
#include "reconcile.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ssot_reconcile);
PG_FUNCTION_INFO_V1(ssot_settle_entity);

/* One run. */
typedef struct Run
{
	SsotEntity *entity;
	int64		run_id;
	bool		full;
	bool		accept_deletes;
	TimestampTz started;
	TimestampTz last_started;	/* of the entity's previous run, or DT_NOBEGIN */
	bool		rules_changed;	/* authority, code lists … since the last
								 * run */
	TimestampTz last_write;		/* of the clock, before sources were read */
	SsotIngest *ingest;
	SsotLinking *linking;		/* NULL: no record is new or different */
	bool		wrote;
	TimestampTz t;				/* the clock's time, if it wrote */
	SsotSettleFigures settled;
	int64		references;		/* records whose parent arrived or moved */
} Run;

/* ---- progress ------------------------------------------------------------ */

/* What the run is doing, for pg_stat_activity and the view ssot.progress. */
static void
report_progress(const Run *run, const char *phase)
{
	pgstat_report_activity(STATE_RUNNING,
						   psprintf("ssot: reconciling %s: %s", run->entity->name, phase));
}

static void
end_progress(void)
{
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
}

/* ---- configuration state ------------------------------------------------- */

static Oid
config_table(const char *name)
{
	return get_relname_relid(name, get_namespace_oid("ssot", false));
}

/* Run a fixed statement as the owner of the configuration table it writes. */
static void
write_config(const char *table, SsotQuery *query, const Datum *args, const bool *nulls)
{
	SsotUser	user = ssot_become_owner(config_table(table));

	ssot_query_run(query, args, nulls);
	ssot_restore_user(user);
}

static SsotQuery lock_entity = {
	"SELECT true FROM ssot.entity AS e WHERE e.entity = $1 FOR NO KEY UPDATE",
	1, {TEXTOID}
};

static SsotQuery next_run_id = {
	"SELECT pg_catalog.nextval('ssot.run_id_seq')", 0, {0}
};

static SsotQuery last_run = {
	"SELECT r.started_at FROM ssot.reconcile_run AS r"
	" WHERE r.entity = $1 AND r.status <> 'failed'"
	" ORDER BY r.started_at DESC LIMIT 1",
	1, {TEXTOID}
};

static SsotQuery rules_version = {
	"SELECT t.map_version FROM ssot.source_state AS t WHERE t.source_id = $1",
	1, {INT4OID}
};

/* Take the run's lock: the entity's row, as the owner of its table. */
static void
lock_run(const Run *run)
{
	Datum		name = CStringGetTextDatum(run->entity->name);
	SsotUser	user = ssot_become_owner(config_table("entity"));

	ssot_query_run(&lock_entity, &name, NULL);
	ssot_restore_user(user);
}

/* Take the run's lock and learn what the last run left. */
static void
begin_run(Run *run)
{
	SsotEntity *entity = run->entity;
	Datum		name = CStringGetTextDatum(entity->name);
	Datum		steward = Int32GetDatum(entity->sources[entity->steward].source_id);
	Datum		value;
	bool		isnull;
	SsotUser	user;

	run->started = GetCurrentTimestamp();
	lock_run(run);
	user = ssot_become_owner(config_table("reconcile_run"));
	ssot_query_one(&next_run_id, NULL, NULL, 1, &value, &isnull);
	run->run_id = DatumGetInt64(value);
	run->last_started = ssot_query_one(&last_run, &name, NULL, 1, &value, &isnull) ?
		DatumGetTimestampTz(value) : DT_NOBEGIN;
	run->rules_changed =
		!ssot_query_one(&rules_version, &steward, NULL, 1, &value, &isnull) ||
		DatumGetInt64(value) != entity->sources[entity->steward].map_version;
	ssot_restore_user(user);
}

static SsotQuery same_source_state = {
	"SELECT true FROM ssot.source_state AS t"
	" WHERE (t.source_id, t.map_version, t.rows_read, t.records, t.quarantined)"
	"     = ($1, $2, $5, $6, $7)",
	7, {INT4OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID}
};

static SsotQuery keep_source_state = {
	"INSERT INTO ssot.source_state"
	"       (source_id, map_version, read_at, data_through, rows_read, records, quarantined)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7)"
	" ON CONFLICT (source_id) DO UPDATE"
	"   SET (map_version, read_at, data_through, rows_read, records, quarantined)"
	"     = ROW(EXCLUDED.map_version, EXCLUDED.read_at, EXCLUDED.data_through,"
	"           EXCLUDED.rows_read, EXCLUDED.records, EXCLUDED.quarantined)",
	7, {INT4OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID}
};

/* Read as the table's owner, as it is written: whoever runs may not read it. */
static bool
state_is_same(const Datum *args)
{
	SsotUser	user = ssot_become_owner(config_table("source_state"));
	Datum		same;
	bool		isnull;
	bool		found = ssot_query_one(&same_source_state, args, NULL, 1, &same, &isnull);

	ssot_restore_user(user);
	return found;
}

static SsotQuery keep_full_reading = {
	"UPDATE ssot.source_state AS t"
	" SET full_at = $2, shape = $3"
	" WHERE t.source_id = $1",
	3, {INT4OID, TIMESTAMPTZOID, INT8OID}
};

/* Everything was read of a source of which later runs may read less. */
static void
keep_reach(const Run *run, int s)
{
	const SsotIngestFigures *figures = &run->ingest->figures[s];
	Datum		args[3] = {Int32GetDatum(run->entity->sources[s].source_id), TimestampTzGetDatum(run->started), Int64GetDatum(figures->shape)};
	bool		nulls[3] = {false, false, !figures->has_shape};

	write_config("source_state", &keep_full_reading, args, nulls);
}

/* The time through which a source's data is complete. */
static TimestampTz
data_through(const Run *run, int s)
{
	const SsotIngestFigures *figures = &run->ingest->figures[s];

	return figures->has_source_time ? figures->data_through : run->started;
}

/*
 * A source whose rows were all known keeps its state: a reload of the same rows
 * advances no timestamp, and not even locks the row.
 */
static void
keep_state(const Run *run)
{
	for (int s = 0; s < run->entity->nsources; s++)
	{
		const SsotIngestFigures *figures = &run->ingest->figures[s];
		bool		is_rules = s == run->entity->steward;
		bool		changed;
		Datum		args[7];

		if (!figures->attempted && !(is_rules && run->rules_changed))
			continue;
		args[0] = Int32GetDatum(run->entity->sources[s].source_id);
		args[1] = Int64GetDatum(run->entity->sources[s].map_version);
		args[2] = TimestampTzGetDatum(run->started);
		args[3] = TimestampTzGetDatum(data_through(run, s));
		args[4] = Int64GetDatum(figures->rows_held);
		args[5] = Int64GetDatum(figures->records);
		args[6] = Int64GetDatum(figures->quarantined);
		changed = figures->rows_new + figures->rows_changed + figures->rows_gone > 0 ||
			figures->quarantine_changed;
		if (changed || !state_is_same(args))
			write_config("source_state", &keep_source_state, args, NULL);
		if (figures->keeps_reach && figures->read_all)
			keep_reach(run, s);
	}
}

/* ---- writing ------------------------------------------------------------- */

/* Take all clocks that the run writes under, in the order of names. */
static void
take_clocks(Run *run)
{
	if (run->wrote)
		return;
	if (run->linking != NULL && run->linking->nmerges > 0)
		ssot_merge_clocks_lock(run->entity);
	run->t = ssot_clock_take(run->entity);
	run->wrote = true;
}

static SsotQuery last_write = {
	"SELECT c.last_write FROM ssot.clock AS c WHERE c.entity = $1", 1, {TEXTOID}
};

/* The clock's time as this statement sees it, not as the run's snapshot does. */
static TimestampTz
read_last_write(const Run *run)
{
	Datum		name = CStringGetTextDatum(run->entity->name);
	Datum		value;
	bool		isnull;
	SsotUser	user = ssot_become_owner(config_table("clock"));

	ssot_query_one(&last_write, &name, NULL, 1, &value, &isnull);
	ssot_restore_user(user);
	return DatumGetTimestampTz(value);
}

typedef struct ClockTry
{
	Run		   *run;
	TimestampTz since;
} ClockTry;

/* Locks the clocks; false, and they are given back, if somebody has written
 * since the given time. */
static bool
lock_clocks_unless_written(void *arg)
{
	ClockTry   *try = (ClockTry *) arg;

	if (try->run->linking->nmerges > 0)
		ssot_merge_clocks_lock(try->run->entity);
	else
		ssot_clock_lock(try->run->entity);
	return read_last_write(try->run) == try->since;
}

/*
 * Linking is computed before the clock is taken, so a person may merge or split
 * meanwhile what it has read. Then it is done again, under the locks that it can
 * need at most: taking more later would break their order. What ingest has read of
 * the stored records serves while nobody can have written since.
 */
static void
link_and_take_clocks(Run *run)
{
	ClockTry	try = {run, read_last_write(run)};

	if (try.since != run->last_write)
		ssot_ingest_read_stored(run->entity, run->ingest);
	run->linking = ssot_link(run->entity, run->ingest);
	if (!ssot_keep_if(lock_clocks_unless_written, &try))
	{
		tuplestore_end(run->linking->touched);
		ssot_merge_clocks_lock(run->entity);
		ssot_ingest_read_stored(run->entity, run->ingest);
		run->linking = ssot_link(run->entity, run->ingest);
	}
	run->t = ssot_clock_lock(run->entity);
	if (run->ingest->nstaged + run->ingest->ngone > 0)
		take_clocks(run);
}

/*
 * Tables that were empty a moment ago have no statistics to plan with. Of the
 * companions only what they are joined by is looked at now, which takes a tenth
 * of the time; autovacuum looks at the rest.
 */
static void
analyze_first_load(const Run *run)
{
	const SsotEntity *entity = run->entity;
	SsotUser	user = ssot_become_owner(entity->relid);

	ssot_sql_run(ssot_sql("ANALYZE %T (ssot_source, ssot_key, ssot_copy, %I)",
						  entity->source_table, entity->id_column));
	ssot_sql_run(ssot_sql("ANALYZE %T (token)", entity->key_table));
	ssot_sql_run(ssot_sql("ANALYZE %T", ssot_relation_name(entity->relid)));
	ssot_restore_user(user);
}

/* Foreign keys that wait, or whose targets moved since the last run. */
static void
refresh_references(Run *run, Tuplestorestate **touched, int64 *ntouched)
{
	bool		moved;
	bool		itself = ssot_references_itself(run->entity) && run->linking != NULL &&
	(run->linking->nmerges > 0 || run->linking->nnodes > run->linking->nstaged);

	if (!ssot_references_stale(run->entity, run->last_started, &moved) && !itself)
		return;
	if (*touched == NULL)
		*touched = tuplestore_begin_heap(true, false, work_mem);
	/* whether anything has changed is known only after looking */
	run->t = ssot_clock_lock(run->entity);
	run->references = ssot_references_refresh(run->entity, moved || itself, run->t,
											  *touched, ntouched);
	if (run->references > 0)
		take_clocks(run);
}

static bool
settled_anything(const Run *run)
{
	int64		sum = run->settled.created + run->settled.changed + run->settled.held_written +
	run->settled.pins_retired;

	for (int s = 0; s < run->entity->nsources; s++)
		sum += run->settled.drift_opened[s] + run->settled.drift_closed[s];
	return sum > 0;
}

/*
 * Settle every golden record, or the touched ones and those that are held. The
 * clock is read before and written after: when rules change or a held record
 * tries again, perhaps no golden record changes.
 */
static void
settle(Run *run, bool everything, Tuplestorestate *touched, int64 ntouched)
{
	SsotIds		ids = {0};

	if (!everything)
	{
		ids = ssot_ids_touched(run->entity, touched, ntouched);
		if (ids.count == 0)
		{
			ssot_ids_end(&ids);
			return;
		}
	}
	report_progress(run, "settling golden records");
	if (!run->wrote)
		run->t = ssot_clock_lock(run->entity);
	ssot_settle(run->entity, ids.rows, ids.count, run->t, run->run_id, &run->settled);
	if (settled_anything(run))
		take_clocks(run);
	if (ids.rows != NULL)
		ssot_ids_end(&ids);
}

/* Everything from linking to drift. */
static void
write_run(Run *run)
{
	SsotEntity *entity = run->entity;
	Tuplestorestate *touched = NULL;
	int64		ntouched = 0;
	bool		everything = run->rules_changed;

	if (run->ingest->nstaged + run->ingest->ngone > 0 || ssot_any_merge_held(entity) ||
		ssot_matching_pending(entity))
	{
		SsotMerger	merger = {.run_id = run->run_id};

		report_progress(run, psprintf("linking " INT64_FORMAT " records", run->ingest->nstaged));
		link_and_take_clocks(run);
		touched = run->linking->touched;
		ntouched = run->linking->ntouched;
		report_progress(run, psprintf("storing " INT64_FORMAT " records", run->ingest->nstaged));
		ssot_store_and_merge(entity, run->ingest, run->linking, run->t, &merger, NULL);
		/* what was held may have been all that there was to do */
		if (run->linking->nmerges > 0 || ssot_linking_moves(entity, run->linking))
			take_clocks(run);
		everything |= run->linking->first_load;
	}
	if (run->linking == NULL || !run->linking->first_load)
		refresh_references(run, &touched, &ntouched);

	settle(run, everything, touched, ntouched);
	if (run->linking != NULL && run->linking->first_load)
		analyze_first_load(run);
	if (touched != NULL)
		tuplestore_end(touched);
}

/* ---- the record of the run ----------------------------------------------- */

static SsotQuery keep_run = {
	"INSERT INTO ssot.reconcile_run"
	"       (run_id, entity, started_at, finished_at, written_at, status, figures, run_by)"
	" VALUES ($1, $2, $3, pg_catalog.clock_timestamp(), $4, $5, $6, $7)",
	7, {INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, JSONBOID, TEXTOID}
};

#define FIGURE_COLUMNS 13

/* The figures of a source as a row of ssot.reconcile; s = -1: the golden table. */
static void
figure_row(const Run *run, int s, Datum *values, bool *nulls)
{
	const SsotEntity *entity = run->entity;
	long		seconds;
	int			microseconds;
	double		elapsed;

	memset(nulls, false, sizeof(bool) * FIGURE_COLUMNS);
	if (s < 0)
	{
		TimestampDifference(run->started, GetCurrentTimestamp(), &seconds, &microseconds);
		elapsed = seconds + microseconds / 1000000.0;
		memset(nulls, true, sizeof(bool) * FIGURE_COLUMNS);
		nulls[0] = nulls[8] = nulls[9] = nulls[12] = false;
		values[0] = CStringGetTextDatum("(golden)");
		values[8] = Int64GetDatum(run->settled.created + run->settled.changed +
								  (run->linking == NULL ? 0 : run->linking->nmerges));
		values[9] = Int64GetDatum(run->settled.held +
								  (run->linking == NULL ? 0 : list_length(run->linking->held)));
	}
	else
	{
		const SsotIngestFigures *figures = &run->ingest->figures[s];

		elapsed = figures->seconds;
		nulls[8] = nulls[9] = true;
		values[0] = CStringGetTextDatum(entity->sources[s].name);
		values[1] = CStringGetTextDatum(entity->sources[s].system);
		values[2] = Int64GetDatum(figures->rows_read);
		values[3] = Int64GetDatum(figures->rows_new);
		values[4] = Int64GetDatum(figures->rows_changed);
		values[5] = Int64GetDatum(figures->rows_gone);
		values[6] = Int64GetDatum(figures->quarantined);
		values[7] = Int64GetDatum(run->linking == NULL ? 0 : run->linking->linked[s]);
		values[10] = Int64GetDatum(run->settled.drift_opened[s]);
		values[11] = Int64GetDatum(run->settled.drift_closed[s]);
	}
	values[12] = DirectFunctionCall2(numeric_round,
									 DirectFunctionCall1(float8_numeric, Float8GetDatum(elapsed)),
									 Int32GetDatum(3));
}

static const char *const figure_names[FIGURE_COLUMNS] = {
	"source", "system", "rows_read", "rows_new", "rows_changed", "retired", "quarantined",
	"linked", "golden_changed", "held", "drift_opened", "drift_closed", "seconds"
};

/* Is the source part of the figures? Built-in ones are not read. */
static bool
has_figures(const Run *run, int s)
{
	return s < 0 || run->ingest->figures[s].attempted;
}

/* All figures as a JSON array of objects. */
static Datum
figures_json(const Run *run)
{
	StringInfoData buf;
	Datum		values[FIGURE_COLUMNS];
	bool		nulls[FIGURE_COLUMNS];

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '[');
	for (int s = -1; s < run->entity->nsources; s++)
	{
		bool		first = true;

		if (!has_figures(run, s))
			continue;
		appendStringInfoString(&buf, buf.len > 1 ? ", {" : "{");
		figure_row(run, s, values, nulls);
		for (int i = 0; i < FIGURE_COLUMNS; i++)
		{
			if (nulls[i])
				continue;
			appendStringInfo(&buf, "%s\"%s\": ", first ? "" : ", ", figure_names[i]);
			first = false;
			if (i < 2)
				escape_json(&buf, TextDatumGetCString(values[i]));
			else if (i == FIGURE_COLUMNS - 1)
				appendStringInfoString(&buf, DatumGetCString(DirectFunctionCall1(numeric_out, values[i])));
			else
				appendStringInfo(&buf, INT64_FORMAT, DatumGetInt64(values[i]));
		}
		if (s >= 0)
			appendStringInfo(&buf, ", \"data_through\": \"%s\"",
							 timestamptz_to_str(data_through(run, s)));
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoChar(&buf, ']');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data));
}

static void
keep_run_record(const Run *run)
{
	Datum		args[7];
	bool		nulls[7] = {false};

	args[0] = Int64GetDatum(run->run_id);
	args[1] = CStringGetTextDatum(run->entity->name);
	args[2] = TimestampTzGetDatum(run->started);
	args[3] = TimestampTzGetDatum(run->t);
	nulls[3] = !run->wrote;
	args[4] = CStringGetTextDatum(run->wrote ? "done" : "nothing to do");
	args[5] = figures_json(run);
	args[6] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	write_config("reconcile_run", &keep_run, args, nulls);
}

/* So few of the stored records that looking each up is cheaper than a scan. */
static bool
touches_little(const Run *run)
{
	Relation	rel;
	double		stored;

	if (run->full || run->rules_changed)
		return false;
	rel = table_open(ssot_companion_oid(run->entity->source_table), AccessShareLock);
	stored = rel->rd_rel->reltuples;
	table_close(rel, NoLock);
	return run->ingest->nstaged + run->ingest->ngone < stored / 20;
}

static Run *
reconcile(Oid relid, bool full, bool accept_deletes)
{
	Run		   *run = palloc0(sizeof(Run));
	int			settings;
	int			indexes = 0;

	ssot_require_ownership(relid);
	settings = ssot_settings_begin(true);
	run->entity = ssot_entity_load(relid, false);
	run->full = full;
	run->accept_deletes = accept_deletes;
	begin_run(run);
	run->entity = ssot_entity_load(relid, false);	/* as it is under the lock */
	run->settled.drift_opened = palloc0(sizeof(int64) * Max(run->entity->nsources, 1));
	run->settled.drift_closed = palloc0(sizeof(int64) * Max(run->entity->nsources, 1));

	report_progress(run, "reading sources");
	run->last_write = read_last_write(run);
	run->ingest = ssot_ingest(run->entity, run->run_id, full, accept_deletes);
	if (full)
		run->rules_changed = true;
	if (touches_little(run))
		indexes = ssot_settings_use_indexes();
	write_run(run);
	if (indexes != 0)
		ssot_settings_end(indexes);
	keep_state(run);
	keep_run_record(run);
	ssot_ingest_end(run->ingest);
	end_progress();
	ssot_settings_end(settings);
	return run;
}

void
ssot_reconcile_entity(Oid relid, bool full, bool accept_deletes)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot run",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	reconcile(relid, full, accept_deletes);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/*
 * ssot.reconcile(entity regclass, full_run boolean, accept_deletes boolean)
 *
 * One atomic run; returns its figures, a row per source and one for the golden
 * table. Locks: the entity's run lock at once, its clock when it writes.
 */
Datum
ssot_reconcile(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[FIGURE_COLUMNS];
	bool		nulls[FIGURE_COLUMNS];
	Run		   *run;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the arguments of ssot.reconcile may not be null"),
				 errhint("Name a registered table, as in ssot.reconcile('golden.customer').")));
	InitMaterializedSRF(fcinfo, 0);
	run = reconcile(PG_GETARG_OID(0), PG_GETARG_BOOL(1), PG_GETARG_BOOL(2));
	for (int s = 0; s <= run->entity->nsources; s++)
	{
		int			row = s == run->entity->nsources ? -1 : s;

		if (!has_figures(run, row))
			continue;
		figure_row(run, row, values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * ssot.settle(entity regclass)
 *
 * The settling pass of a run alone, over every record that is stored: choose
 * each golden value anew, bring golden, held and drift up to date. Returns how
 * many golden records were written. Locks as ssot.reconcile.
 */
Datum
ssot_settle_entity(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Run			run = {0};

	ssot_require_ownership(relid);
	run.entity = ssot_entity_load(relid, false);
	lock_run(&run);
	run.entity = ssot_entity_load(relid, false);	/* as it is under the lock */
	run.settled.drift_opened = palloc0(sizeof(int64) * Max(run.entity->nsources, 1));
	run.settled.drift_closed = palloc0(sizeof(int64) * Max(run.entity->nsources, 1));
	report_progress(&run, "settling golden records");
	run.t = ssot_clock_lock(run.entity);
	ssot_settle(run.entity, NULL, 0, run.t, 0, &run.settled);
	if (settled_anything(&run))
		ssot_clock_take(run.entity);
	end_progress();
	PG_RETURN_INT64(run.settled.created + run.settled.changed);
}
