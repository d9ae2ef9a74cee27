/*
 * reconcile_all.c
 *		CALL ssot.reconcile_all(): every entity in dependency order, each in a
 *		transaction of its own.
 *
 * A failure of one entity is recorded and does not stop the others; the call
 * raises an error at the end that names those that failed.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/map.h"
#include "reconcile.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ssot_reconcile_all);

/* One entity to be reconciled. Lives in PortalContext. */
typedef struct Job
{
	Oid			relid;
	char	   *name;
	List	   *parents;		/* relids its foreign keys lead to */
	bool		done;
} Job;

/* Registered entities that exist, by name, with what their foreign keys refer to. */
static SsotQuery all_entities = {
	.sql =
	"SELECT pg_catalog.to_regclass(e.entity)::pg_catalog.oid, e.entity,"
	"       ARRAY(SELECT DISTINCT c.confrelid FROM pg_catalog.pg_constraint AS c"
	"              WHERE c.contype = 'f' AND c.conrelid = pg_catalog.to_regclass(e.entity)"
	"                AND c.confrelid <> c.conrelid"
	"              ORDER BY c.confrelid)"
	"  FROM ssot.entity AS e"
	" WHERE pg_catalog.to_regclass(e.entity) IS NOT NULL"
	"   AND ($1 IS NULL OR pg_catalog.to_regclass(e.entity)::pg_catalog.oid = ANY ($1))"
	" ORDER BY e.entity COLLATE \"C\"",
	.nargs = 1,
	.argtypes = {OIDARRAYOID},
	.as_of_now = true
};

static bool
take_job(TupleTableSlot *slot, void *arg)
{
	List	  **jobs = (List **) arg;
	MemoryContext old = MemoryContextSwitchTo(PortalContext);
	Job		   *job = palloc0(sizeof(Job));
	Datum	   *parents;
	int			nparents;

	slot_getallattrs(slot);
	job->relid = DatumGetObjectId(slot->tts_values[0]);
	job->name = TextDatumGetCString(slot->tts_values[1]);
	deconstruct_array(DatumGetArrayTypeP(slot->tts_values[2]), OIDOID, sizeof(Oid), true,
					  TYPALIGN_INT, &parents, NULL, &nparents);
	for (int i = 0; i < nparents; i++)
		job->parents = lappend_oid(job->parents, DatumGetObjectId(parents[i]));
	*jobs = lappend(*jobs, job);
	MemoryContextSwitchTo(old);
	return true;
}

static bool
is_waiting_for_parent(List *jobs, const Job *job)
{
	ListCell   *cell;

	foreach(cell, jobs)
	{
		const Job  *other = (const Job *) lfirst(cell);

		if (!other->done && other != job && list_member_oid(job->parents, other->relid))
			return true;
	}
	return false;
}

/* The first job whose parents are done; in a cycle, the first by name. */
static Job *
next_job(List *jobs)
{
	Job		   *fallback = NULL;
	ListCell   *cell;

	foreach(cell, jobs)
	{
		Job		   *job = (Job *) lfirst(cell);

		if (job->done)
			continue;
		if (fallback == NULL)
			fallback = job;
		if (!is_waiting_for_parent(jobs, job))
			return job;
	}
	return fallback;
}

static SsotQuery keep_failure = {
	"INSERT INTO ssot.reconcile_run"
	"       (entity, started_at, finished_at, status, sqlstate, message, detail, hint, run_by)"
	" VALUES ($1, $2, pg_catalog.clock_timestamp(), 'failed', $3, $4, $5, $6, $7)",
	7, {TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
};

static void
set_text(Datum *value, bool *isnull, const char *text)
{
	*isnull = text == NULL;
	*value = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static void
record_failure(const char *name, TimestampTz started, const ErrorData *error)
{
	Datum		args[7];
	bool		nulls[7] = {false};
	SsotUser	user;
	int			level;

	set_text(&args[0], &nulls[0], name);
	args[1] = TimestampTzGetDatum(started);
	set_text(&args[2], &nulls[2], unpack_sql_state(error->sqlerrcode));
	set_text(&args[3], &nulls[3], error->message);
	set_text(&args[4], &nulls[4], error->detail);
	set_text(&args[5], &nulls[5], error->hint);
	set_text(&args[6], &nulls[6], GetUserNameFromId(GetSessionUserId(), false));
	level = ssot_search_path_begin();
	user = ssot_become_owner(get_relname_relid("reconcile_run", get_namespace_oid("ssot", false)));
	ssot_query_run(&keep_failure, args, nulls);
	ssot_restore_user(user);
	ssot_settings_end(level);
}

/* What must end the whole call rather than one entity. */
static bool
is_fatal(const ErrorData *error)
{
	int			class = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_ADMIN_SHUTDOWN) ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_OUT_OF_MEMORY);
}

bool
ssot_try_reconcile(Oid relid, const char *name, bool full)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	TimestampTz started = GetCurrentTimestamp();
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		ssot_reconcile_entity(relid, full, false);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		/* out of the subtransaction first: the session would be stuck in it */
		if (is_fatal(error))
			ReThrowError(error);
	}
	PG_END_TRY();
	if (error == NULL)
		return true;
	if (is_fatal(error))
		ReThrowError(error);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("reconciliation of \"%s\" failed: %s", name, error->message),
			 error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
			 error->hint != NULL ? errhint("%s", error->hint) : 0));
	record_failure(name, started, error);
	return false;
}

/*
 * CALL ssot.reconcile_all(entities regclass[], "full" boolean)
 *
 * entities NULL: all that are registered. Commits after each.
 */
Datum
ssot_reconcile_all(PG_FUNCTION_ARGS)
{
	bool		full = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	Datum		entities = PG_ARGISNULL(0) ? (Datum) 0 : PG_GETARG_DATUM(0);
	bool		all = PG_ARGISNULL(0);
	List	   *jobs = NIL;
	Job		   *job;
	int			njobs;
	int			failed = 0;
	int			level;
	StringInfo	names;
	MemoryContext old;

	if (!ssot_call_may_commit(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("ssot.reconcile_all cannot run inside a transaction block"),
				 errdetail("It commits after each entity."),
				 errhint("Call it by itself, or call ssot.reconcile for each entity in your transaction.")));
	old = MemoryContextSwitchTo(PortalContext);
	names = makeStringInfo();
	MemoryContextSwitchTo(old);
	/* names are found by us, also under the search path of whoever calls */
	level = ssot_search_path_begin();
	ssot_query_each(&all_entities, &entities, &all, take_job, &jobs);
	ssot_settings_end(level);
	njobs = list_length(jobs);

	while ((job = next_job(jobs)) != NULL)
	{
		job->done = true;
		if (!ssot_try_reconcile(job->relid, job->name, full))
		{
			failed++;
			appendStringInfo(names, "%s%s", names->len > 0 ? ", " : "", job->name);
		}
		ssot_commit();
	}
	if (failed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_SSOT_RUN_FAILED),
				 errmsg("%d of %d entities could not be reconciled: %s", failed, njobs, names->data),
				 errdetail("The others were reconciled and are committed."),
				 errhint("See ssot.reconcile_run for the reasons.")));
	PG_RETURN_VOID();
}
