/*
 * drift/keep.c
 *		Keeping <entity>_drift: the open differences, each with since when.
 *
 * Settling tells this observer the values that are golden from now on, one
 * golden record after the other. The differences are collected, and when the
 * golden rows are written the kept ones are brought up to date set-wise for the
 * touched ids: what is no longer there is deleted, what is new is inserted with
 * first_seen, what changed is updated and keeps its first_seen, what did not
 * change is not written.
 *
 * A report can be void: a version that breaks a constraint when it is written
 * is held, and the same id is reported again with its last good values. Rows
 * carry the number of their report, and rows older than an id's last report are
 * left out.
 *
 * Stale is decided here, against history, for new and changed mismatches only.
 * It need not be decided again for the others: history only grows, and a value
 * that becomes golden between two reports closes the difference.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/settings.h"
#include "drift/findings.h"
#include "golden/settle.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct Keeper
{
	const SsotEntity *entity;
	SsotComparer *comparer;
	SsotFindings *findings;
	Tuplestorestate *touched;
	int64		ntouched;
	TimestampTz t;
	SsotSettleFigures *figures; /* or NULL */
	Tuplestorestate *voided;	/* (id, report) that was the last one; or NULL */
	TupleDesc	voided_desc;
	int64		nvoided;
	MemoryContext context;
} Keeper;

static void *
keep_begin(const SsotEntity *entity, Tuplestorestate *touched, int64 ntouched,
		   TimestampTz t, int64 run_id, SsotSettleFigures *figures)
{
	Keeper	   *keeper = palloc0(sizeof(Keeper));

	keeper->entity = entity;
	keeper->comparer = ssot_comparer_create(entity);
	keeper->findings = ssot_findings_create(entity);
	keeper->touched = touched;
	keeper->ntouched = ntouched;
	keeper->t = t;
	keeper->figures = figures;
	keeper->context = CurrentMemoryContext;
	return keeper;
}

static void
void_reports(Keeper *keeper, Datum id)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (keeper->voided == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(keeper->context);

		keeper->voided_desc = CreateTemplateTupleDesc(2);
		TupleDescInitEntry(keeper->voided_desc, 1, "id", keeper->entity->id_type, -1, 0);
		TupleDescInitEntry(keeper->voided_desc, 2, "report", INT8OID, -1, 0);
		keeper->voided = tuplestore_begin_heap(false, false, work_mem);
		MemoryContextSwitchTo(old);
	}
	values[0] = id;
	values[1] = Int64GetDatum(keeper->findings->report);
	tuplestore_putvalues(keeper->voided, keeper->voided_desc, values, nulls);
	keeper->nvoided++;
	keeper->findings->report++;
}

static void
keep_group(void *state, const SsotGroup *group,
		   const Datum *golden, const bool *golden_nulls,
		   bool retired, const SsotWinner *winners, bool again)
{
	Keeper	   *keeper = (Keeper *) state;

	if (again)
		void_reports(keeper, group->id);
	if (retired || golden == NULL)
		return;
	keeper->findings->id = group->id;
	ssot_compare_group(keeper->comparer, group, golden, golden_nulls, winners,
					   ssot_findings_add, keeper->findings);
}

static bool
copy_finding(TupleTableSlot *slot, void *arg)
{
	SsotFindings *findings = (SsotFindings *) arg;

	slot_getallattrs(slot);
	tuplestore_putvalues(findings->rows, findings->desc, slot->tts_values, slot->tts_isnull);
	findings->count++;
	return true;
}

/*
 * The findings without void reports:
 *
 *		SELECT f.*
 *		  FROM found AS f
 *		 WHERE NOT EXISTS (SELECT FROM voided AS v WHERE v.id = f.id AND v.report >= f.report)
 */
static void
drop_void_reports(Keeper *keeper)
{
	SsotFindings *valid = ssot_findings_create(keeper->entity);
	SsotRelation relations[2];
	SsotStatement statement = {0};

	relations[0] = ssot_findings_relation(keeper->findings, "found");
	relations[1].name = "voided";
	relations[1].desc = keeper->voided_desc;
	relations[1].rows = keeper->voided;
	relations[1].count = (double) keeper->nvoided;
	statement.sql = "SELECT f.* FROM found AS f"
		" WHERE NOT EXISTS (SELECT FROM voided AS v"
		" WHERE v.id = f.id AND v.report >= f.report)";
	statement.nrelations = 2;
	statement.relations = relations;
	ssot_statement_each(&statement, copy_finding, valid);
	tuplestore_end(keeper->findings->rows);
	keeper->findings = valid;
}

typedef struct Counting
{
	const SsotEntity *entity;
	int64	   *counts;			/* by source index */
} Counting;

/* A row of (ssot_source, count). A source that was dropped counts nowhere. */
static bool
count_source(TupleTableSlot *slot, void *arg)
{
	Counting   *counting = (Counting *) arg;
	bool		isnull;
	int			source;

	source = ssot_entity_source_id(counting->entity,
								   DatumGetInt32(slot_getattr(slot, 1, &isnull)));
	if (source >= 0)
		counting->counts[source] += DatumGetInt64(slot_getattr(slot, 2, &isnull));
	return true;
}

static void
run_counted(Keeper *keeper, SsotStatement *statement, int64 *counts)
{
	Counting	counting = {keeper->entity, counts};

	if (counts == NULL)
		ssot_statement_run(statement);
	else
		ssot_statement_each(statement, count_source, &counting);
}

/*
 * WITH closed AS (
 *		DELETE FROM golden_ssot.customer_drift AS d
 *		 USING touched AS t							-- unless all are touched
 *		 WHERE d.customer_id = t.id
 *		   AND NOT EXISTS (SELECT FROM found AS f WHERE <same difference>)
 *		RETURNING d.ssot_source)
 * SELECT c.ssot_source, count(*) FROM closed AS c GROUP BY c.ssot_source
 */
static void
close_differences(Keeper *keeper)
{
	const SsotEntity *entity = keeper->entity;
	SsotRelation relations[2];
	SsotStatement statement = {0};

	relations[statement.nrelations++] = ssot_findings_relation(keeper->findings, "found");
	if (keeper->touched != NULL)
		relations[statement.nrelations++] =
			ssot_ids_relation(entity, "touched", keeper->touched, keeper->ntouched);
	statement.relations = relations;
	statement.sql =
		ssot_sql("WITH closed AS ("
				 "DELETE FROM %T AS d %s"
				 " NOT EXISTS (SELECT FROM found AS f WHERE %s)"
				 " RETURNING d.ssot_source)"
				 " SELECT c.ssot_source, count(*) FROM closed AS c GROUP BY c.ssot_source",
				 entity->drift_table,
				 keeper->touched == NULL ? "WHERE" :
				 ssot_sql("USING touched AS t WHERE d.%I = t.id AND", entity->id_column),
				 ssot_same_difference(entity));
	run_counted(keeper, &statement,
				keeper->figures == NULL ? NULL : keeper->figures->drift_closed);
}

/*
 * UPDATE golden_ssot.customer_drift AS d
 *	  SET (kind, ssot_source, ...) = (..., f.ssot_source, ...)
 *	 FROM found AS f
 *	WHERE <same difference>
 *	  AND (d.ssot_source, ...) IS DISTINCT FROM (f.ssot_source, ...)
 */
static void
change_differences(Keeper *keeper)
{
	const SsotEntity *entity = keeper->entity;
	SsotRelation found = ssot_findings_relation(keeper->findings, "found");
	SsotStatement statement = {.nrelations = 1,.relations = &found};

	statement.sql =
		ssot_sql("UPDATE %T AS d"
				 " SET kind = CASE WHEN %s THEN 'stale' ELSE f.kind END,"
				 " ssot_source = f.ssot_source, golden_value = f.golden_value,"
				 " system_value = f.system_value, system_time = f.system_time,"
				 " winner_system = f.winner_system, winner_time = f.winner_time,"
				 " winner_from = f.winner_from"
				 " FROM found AS f WHERE %s"
				 " AND (d.ssot_source, d.golden_value, d.system_value, d.system_time,"
				 " d.winner_system, d.winner_time, d.winner_from) IS DISTINCT FROM"
				 " (f.ssot_source, f.golden_value, f.system_value, f.system_time,"
				 " f.winner_system, f.winner_time, f.winner_from)",
				 entity->drift_table, ssot_stale_condition(entity),
				 ssot_same_difference(entity));
	ssot_statement_run(&statement);
}

/*
 * WITH opened AS (
 *		INSERT INTO golden_ssot.customer_drift (customer_id, system, ..., first_seen)
 *		SELECT f.id, f.system, ..., $1
 *		  FROM found AS f
 *		 WHERE NOT EXISTS (SELECT FROM golden_ssot.customer_drift AS d WHERE <same difference>)
 *		RETURNING ssot_source)
 * SELECT o.ssot_source, count(*) FROM opened AS o GROUP BY o.ssot_source
 */
static void
open_differences(Keeper *keeper)
{
	const SsotEntity *entity = keeper->entity;
	SsotRelation found = ssot_findings_relation(keeper->findings, "found");
	Oid			argtypes[1] = {TIMESTAMPTZOID};
	Datum		args[1] = {TimestampTzGetDatum(keeper->t)};
	SsotStatement statement = {.nargs = 1,.argtypes = argtypes,.args = args,
	.nrelations = 1,.relations = &found};

	statement.sql =
		ssot_sql("WITH opened AS ("
				 "INSERT INTO %T AS k (%I, system, key, field, kind, ssot_source,"
				 " golden_value, system_value, system_time,"
				 " winner_system, winner_time, winner_from, first_seen)"
				 " SELECT f.id, f.system, f.key, f.field,"
				 " CASE WHEN %s THEN 'stale' ELSE f.kind END, f.ssot_source,"
				 " f.golden_value, f.system_value, f.system_time,"
				 " f.winner_system, f.winner_time, f.winner_from, $1"
				 " FROM found AS f"
				 " WHERE NOT EXISTS (SELECT FROM %T AS d WHERE %s)"
				 " RETURNING k.ssot_source)"
				 " SELECT o.ssot_source, count(*) FROM opened AS o GROUP BY o.ssot_source",
				 entity->drift_table, entity->id_column,
				 ssot_stale_condition(entity),
				 entity->drift_table, ssot_same_difference(entity));
	run_counted(keeper, &statement,
				keeper->figures == NULL ? NULL : keeper->figures->drift_opened);
}

static void
keep_end(void *state)
{
	Keeper	   *keeper = (Keeper *) state;
	SsotUser	user = ssot_become_owner(ssot_companion_oid(keeper->entity->drift_table));
	int			level = ssot_settings_begin(true);

	if (keeper->nvoided > 0)
		drop_void_reports(keeper);
	close_differences(keeper);
	if (keeper->findings->count > 0)
	{
		change_differences(keeper);
		open_differences(keeper);
	}
	ssot_settings_end(level);
	ssot_restore_user(user);
	tuplestore_end(keeper->findings->rows);
	if (keeper->voided != NULL)
		tuplestore_end(keeper->voided);
}

static const SsotSettleObserver observer = {keep_begin, keep_group, keep_end};

void
ssot_drift_init(void)
{
	ssot_settle_observer = &observer;
}
