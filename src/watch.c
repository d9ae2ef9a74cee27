/*
 * watch.c
 *		Reconciling shortly after a change: ssot.watch, ssot.unwatch and the worker,
 *		CALL ssot.watch_all().
 *
 * The worker asks every second what is due, by one query over the queue of
 * captured changes and the clocks, and reconciles that, each entity in a
 * transaction of its own. Polling needs nothing from writers: a NOTIFY in a trigger
 * would take a lock that all committing writers share.
 *
 * Any session may be the worker, for the entities whose tables its role owns. With
 * pg_cron one job per role starts it every minute for a minute; pg_cron does not
 * start a job that still runs. Several workers do no harm: an advisory lock keeps a
 * second one off an entity while the first runs it.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/config.h"
#include "entity/map.h"
#include "reconcile.h"

#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

PG_FUNCTION_INFO_V1(ssot_watch);
PG_FUNCTION_INFO_V1(ssot_unwatch);
PG_FUNCTION_INFO_V1(ssot_watch_all);

#define JOB_NAME "ssot: watch"

/* First key of the advisory locks: "ssot" in ASCII. The second is the table's OID. */
#define LOCK_CLASS 0x73736f74

/* An entity whose run fails is tried again after 2, 4, 8 ... seconds. */
#define LONGEST_PAUSE 64

/* A watched entity that the worker has met. Lives in PortalContext. */
typedef struct Watched
{
	Oid			relid;
	char	   *name;
	int			pause;			/* seconds; 0: the last run did not fail */
	TimestampTz not_before;
} Watched;

static SsotQuery watch_query = {
	.sql =
	"INSERT INTO ssot.watch AS w (entity, every, watched_by)\n"
	"VALUES ($1, $2, $3)\n"
	"ON CONFLICT (entity) DO UPDATE\n"
	"SET every = EXCLUDED.every, watched_by = EXCLUDED.watched_by",
	.nargs = 3,
	.argtypes = {TEXTOID, INTERVALOID, TEXTOID}
};

static SsotQuery unwatch_query = {
	.sql =
	"DELETE FROM ssot.watch AS w\n"
	"WHERE w.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery watches_query = {
	.sql =
	"SELECT true\n"
	"FROM ssot.watch AS w\n"
	"WHERE w.watched_by = $1\n"
	"LIMIT 1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/*
 * Due is what was never run, what has changes in the queue, what refers to an entity that was written
 * since its own last run began, and, every so often, what has sources whose
 * changes nobody notes.
 */
static SsotQuery due_query = {
	.sql =
	"SELECT c.oid, w.entity\n"
	"FROM ssot.watch AS w\n"
	"JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(w.entity)\n"
	"CROSS JOIN LATERAL (\n"
	"    SELECT coalesce((SELECT r.started_at FROM ssot.reconcile_run AS r\n"
	"                     WHERE r.entity = w.entity AND r.status <> 'failed'\n"
	"                     ORDER BY r.started_at DESC LIMIT 1), '-infinity') AS started) AS l\n"
	"WHERE l.started = '-infinity'\n"
	"   OR EXISTS (SELECT FROM ssot.source AS s\n"
	"              JOIN ssot.change_queue AS q ON q.source_id = s.source_id\n"
	"              WHERE s.entity = w.entity)\n"
	"   OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS f\n"
	"              JOIN ssot.clock AS k ON pg_catalog.to_regclass(k.entity) = f.confrelid\n"
	"              WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid\n"
	"                AND k.last_write > l.started)\n"
	"   OR (l.started + w.every <= pg_catalog.clock_timestamp()\n"
	"       AND EXISTS (SELECT FROM ssot.source AS s\n"
	"                   WHERE s.entity = w.entity AND s.relation IS NOT NULL AND s.reading <> 'capture'))\n"
	"ORDER BY w.entity COLLATE \"C\"",
	.nargs = 0
};

static bool
has_pg_cron(void)
{
	return OidIsValid(get_extension_oid("pg_cron", true));
}

static Datum
caller_name(void)
{
	return CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
}

/*
 * ssot.watch(entity regclass, every interval)
 */
Datum
ssot_watch(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	Datum		args[3] = {CStringGetTextDatum(entity->name), PG_GETARG_DATUM(1), caller_name()};
	Interval	zero = {0};

	ssot_require_ownership(entity->relid);
	if (DatumGetInt32(DirectFunctionCall2(interval_cmp, args[1], IntervalPGetDatum(&zero))) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("every must be positive"),
				 errhint("It says how often sources without change capture are read, such as '1 minute'.")));
	ssot_config_run(&watch_query, args, NULL);
	if (has_pg_cron())
		ssot_sql_run(ssot_sql("SELECT cron.schedule(%L, '* * * * *', "
							  "'CALL ssot.watch_all(run_for => ''59 seconds'')')", JOB_NAME));
	else
		ereport(NOTICE,
				(errmsg("\"%s\" is watched while a session runs CALL ssot.watch_all()", entity->name),
				 errdetail("Extension pg_cron, which would start it, is not in this database.")));
	PG_RETURN_VOID();
}

/*
 * ssot.unwatch(entity regclass) returns boolean: was it watched?
 */
Datum
ssot_unwatch(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	Datum		name = CStringGetTextDatum(entity->name);
	Datum		caller = caller_name();
	Datum		value;
	bool		isnull;
	bool		found;

	ssot_require_ownership(entity->relid);
	found = ssot_config_run(&unwatch_query, &name, NULL) > 0;
	if (has_pg_cron() && !ssot_config_one(&watches_query, &caller, NULL, 1, &value, &isnull))
		ssot_sql_run(ssot_sql("SELECT cron.unschedule(j.jobid) FROM cron.job AS j"
							  " WHERE j.jobname = %L AND j.username = CURRENT_USER", JOB_NAME));
	PG_RETURN_BOOL(found);
}

/*
 * The worker.
 */
static bool
take_due(TupleTableSlot *slot, void *arg)
{
	List	  **due = (List **) arg;
	Watched    *watched = palloc0(sizeof(Watched));
	bool		isnull;

	watched->relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
	watched->name = TextDatumGetCString(slot_getattr(slot, 2, &isnull));
	*due = lappend(*due, watched);
	return true;
}

/* What is remembered of a due entity from earlier rounds; else it is remembered now. */
static Watched *
remember(List **known, const Watched *due)
{
	MemoryContext old;
	Watched    *watched;
	ListCell   *lc;

	foreach(lc, *known)
		if (((Watched *) lfirst(lc))->relid == due->relid)
		return (Watched *) lfirst(lc);
	old = MemoryContextSwitchTo(PortalContext);
	watched = palloc0(sizeof(Watched));
	watched->relid = due->relid;
	*known = lappend(*known, watched);
	MemoryContextSwitchTo(old);
	return watched;
}

/* False if it failed, or is another worker's at the moment. */
static void
run_watched(Watched *watched, const char *name)
{
	if (GetCurrentTimestamp() < watched->not_before ||
		!has_privs_of_role(GetUserId(), ssot_relation_owner(watched->relid)) ||
		!DatumGetBool(DirectFunctionCall2(pg_try_advisory_xact_lock_int4, Int32GetDatum(LOCK_CLASS),
										  Int32GetDatum((int32) watched->relid))))
		return;
	if (ssot_try_reconcile(watched->relid, name, false))
	{
		watched->pause = 0;
		return;
	}
	watched->pause = Min(Max(watched->pause * 2, 2), LONGEST_PAUSE);
	watched->not_before = GetCurrentTimestamp() + watched->pause * USECS_PER_SEC;
}

/* One round. The lists of it live until the first commit, so names are copied. */
static void
run_due(List **known)
{
	List	   *due = NIL;
	List	   *names = NIL;
	List	   *runs = NIL;
	ListCell   *lc;
	ListCell   *name;
	MemoryContext old;

	ssot_config_each(&due_query, NULL, NULL, take_due, &due);
	old = MemoryContextSwitchTo(PortalContext);
	foreach(lc, due)
	{
		names = lappend(names, pstrdup(((Watched *) lfirst(lc))->name));
		runs = lappend(runs, remember(known, (Watched *) lfirst(lc)));
	}
	MemoryContextSwitchTo(old);
	ssot_commit();
	forboth(lc, runs, name, names)
	{
		run_watched((Watched *) lfirst(lc), (const char *) lfirst(name));
		ssot_commit();
	}
	list_free(runs);
	list_free_deep(names);
}

static void
pause_for(long milliseconds)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 milliseconds, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static TimestampTz
later_by(TimestampTz time, Datum interval)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(time), interval));
}

/*
 * CALL ssot.watch_all(poll interval, run_for interval)
 *
 * run_for NULL: until it is cancelled.
 */
Datum
ssot_watch_all(PG_FUNCTION_ARGS)
{
	TimestampTz start = GetCurrentTimestamp();
	TimestampTz end = PG_ARGISNULL(1) ? DT_NOEND : later_by(start, PG_GETARG_DATUM(1));
	long		poll;
	List	   *known = NIL;

	if (PG_ARGISNULL(0) || (poll = (later_by(start, PG_GETARG_DATUM(0)) - start) / 1000) < 10)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("poll must be 10 milliseconds or more"),
				 errhint("Leave it out to look every second.")));
	if (!ssot_call_may_commit(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("ssot.watch_all cannot run inside a transaction block"),
				 errdetail("It commits after each run."),
				 errhint("Call it by itself, in a session of its own.")));
	for (;;)
	{
		run_due(&known);
		if (GetCurrentTimestamp() >= end)
			break;
		pause_for(poll);
	}
	PG_RETURN_VOID();
}
