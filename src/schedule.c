/*
 * schedule.c
 *		Running reconciliations on a schedule, through pg_cron.
 *
 * pg_cron is a well-kept scheduler; what is here names its jobs after entities
 * and says what is missing where it is not there.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/map.h"

#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(ssot_schedule);
PG_FUNCTION_INFO_V1(ssot_unschedule);
PG_FUNCTION_INFO_V1(ssot_schedules);

/* Error, with the step that is missing, unless pg_cron can be called here. */
static void
require_pg_cron(void)
{
	const char *home;
	const char *here;

	if (OidIsValid(get_extension_oid("pg_cron", true)))
		return;
	home = GetConfigOption("cron.database_name", true, false);
	here = get_database_name(MyDatabaseId);
	if (home == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_cron is not loaded"),
				 errdetail("Schedules are kept and run by the extension pg_cron."),
				 errhint("Install it, set shared_preload_libraries = 'pg_cron' and cron.database_name = '%s', restart, and CREATE EXTENSION pg_cron.", here)));
	if (strcmp(home, here) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_cron keeps its jobs in database \"%s\", not in \"%s\"", home, here),
				 errhint("In \"%s\": SELECT cron.schedule_in_database('ssot', '0 2 * * *', 'CALL ssot.reconcile_all()', '%s');",
						 home, here)));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("extension pg_cron is not created in database \"%s\"", here),
			 errhint("CREATE EXTENSION pg_cron;")));
}

static char *
job_name(const SsotEntity *entity)
{
	return psprintf("ssot: reconcile %s", entity->name);
}

/*
 * ssot.schedule(entity regclass, schedule text) returns bigint
 *
 * A job of that entity is replaced. The job runs as the caller.
 */
Datum
ssot_schedule(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	SsotStatement statement = {0};
	Datum		job;
	bool		isnull;

	ssot_require_ownership(entity->relid);
	require_pg_cron();
	statement.sql = ssot_sql("SELECT cron.schedule(%L, %L, %L)", job_name(entity),
							 text_to_cstring(PG_GETARG_TEXT_PP(1)),
							 ssot_sql("CALL ssot.reconcile_all(ARRAY[%L]::pg_catalog.regclass[])",
									  entity->name));
	ssot_statement_one(&statement, 1, &job, &isnull);
	PG_RETURN_DATUM(job);
}

/*
 * ssot.unschedule(entity regclass) returns boolean: was there a schedule?
 */
Datum
ssot_unschedule(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	SsotStatement statement = {0};
	Datum		job;
	bool		isnull;

	ssot_require_ownership(entity->relid);
	require_pg_cron();
	statement.sql = ssot_sql("SELECT cron.unschedule(j.jobid) FROM cron.job AS j"
							 " WHERE j.jobname = %L AND j.username = CURRENT_USER",
							 job_name(entity));
	PG_RETURN_BOOL(ssot_statement_one(&statement, 1, &job, &isnull));
}

/*
 * ssot.schedules: what is scheduled; no rows where pg_cron is not here.
 */
Datum
ssot_schedules(PG_FUNCTION_ARGS)
{
	SsotStatement statement = {
		.sql = "SELECT e.entity, j.schedule, j.username::pg_catalog.text, j.active, j.jobid,"
		"       r.start_time, r.status, r.return_message"
		"  FROM cron.job AS j"
		"  JOIN ssot.entity AS e ON j.jobname = 'ssot: reconcile ' || e.entity"
		"  LEFT JOIN LATERAL (SELECT d.start_time, d.status, d.return_message"
		"                       FROM cron.job_run_details AS d WHERE d.jobid = j.jobid"
		"                      ORDER BY d.runid DESC LIMIT 1) AS r ON true"
		" ORDER BY e.entity, j.jobid",
	};

	if (!OidIsValid(get_extension_oid("pg_cron", true)))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	ssot_statement_return(fcinfo, &statement);
	return (Datum) 0;
}
