/*
 * drift/keep.c
 *		Keeping <entity>_drift: the open differences, each with since when.
 *
 * Settling tells this observer the values that are golden from now on, one
 * golden record after the other. The differences are collected, and when the
 * golden rows are written the kept ones of the touched ids are brought up to date:
 * both are compared by one join, and what is no longer there is deleted, what is
 * new is inserted with first_seen, what changed is updated and keeps its
 * first_seen, what did not change is not written.
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

static void
add_finding(SsotFindings *findings, const TupleTableSlot *slot)
{
	tuplestore_putvalues(findings->rows, findings->desc, slot->tts_values, slot->tts_isnull);
	findings->count++;
}

static bool
copy_finding(TupleTableSlot *slot, void *arg)
{
	slot_getallattrs(slot);
	add_finding((SsotFindings *) arg, slot);
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

/* What is to be done about the kept differences. */
typedef struct Changes
{
	Keeper	   *keeper;
	SsotRelation closed;		/* (id, system, key, field, kind) of kept ones */
	SsotFindings *changed;
	SsotFindings *opened;
} Changes;

#define KEY_COLUMNS 5			/* of a kept difference; a finding begins with
								 * them too */

/* A source that was dropped counts nowhere. */
static void
count_source(Keeper *keeper, int64 *counts, Datum source_id, bool isnull)
{
	int			source = isnull ? -1 :
	ssot_entity_source_id(keeper->entity, DatumGetInt32(source_id));

	if (source >= 0)
		counts[source]++;
}

/* (a finding, key of a kept difference, its ssot_source); either may be NULL. */
static bool
sort_out(TupleTableSlot *slot, void *arg)
{
	Changes    *changes = (Changes *) arg;
	Keeper	   *keeper = changes->keeper;
	int			kept = keeper->findings->desc->natts;
	SsotSettleFigures *figures = keeper->figures;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
	{
		tuplestore_putvalues(changes->closed.rows, changes->closed.desc,
							 slot->tts_values + kept, slot->tts_isnull + kept);
		changes->closed.count++;
		if (figures != NULL)
			count_source(keeper, figures->drift_closed, slot->tts_values[kept + KEY_COLUMNS],
						 slot->tts_isnull[kept + KEY_COLUMNS]);
	}
	else if (!slot->tts_isnull[kept])
		add_finding(changes->changed, slot);
	else
	{
		add_finding(changes->opened, slot);
		if (figures != NULL)
			count_source(keeper, figures->drift_opened, slot->tts_values[KEY_COLUMNS],
						 slot->tts_isnull[KEY_COLUMNS]);
	}
	return true;
}

/*
 * SELECT f.*, d.customer_id, d.system, d.key, d.field, d.kind, d.ssot_source
 *	 FROM found AS f
 *	 FULL JOIN (SELECT d.*, <mismatch for stale> AS found_kind
 *				  FROM golden_ssot.customer_drift AS d
 *				  JOIN touched AS t ON t.id = d.customer_id) AS d	-- unless all are touched
 *	   ON <same difference>
 *	WHERE f.id IS NULL OR d.customer_id IS NULL
 *	   OR (d.ssot_source, ...) IS DISTINCT FROM (f.ssot_source, ...)
 *	ORDER BY f.id, f.system, f.key, f.field		-- as the index is
 */
static void
compare_with_kept(Keeper *keeper, Changes *changes)
{
	const SsotEntity *entity = keeper->entity;
	const char *id = entity->id_column;
	SsotRelation relations[2];
	SsotStatement statement = {.relations = relations};

	relations[statement.nrelations++] = ssot_findings_relation(keeper->findings, "found");
	if (keeper->touched != NULL)
		relations[statement.nrelations++] =
			ssot_ids_relation(entity, "touched", keeper->touched, keeper->ntouched);
	statement.sql =
		ssot_sql("SELECT f.*, d.%I, d.system, d.key, d.field, d.kind, d.ssot_source"
				 " FROM found AS f"
				 " FULL JOIN (SELECT d.*,"
				 " CASE d.kind WHEN 'stale' THEN 'mismatch' ELSE d.kind END AS found_kind"
				 " FROM %T AS d %s) AS d"
				 " ON d.%I = f.id AND d.system = f.system AND d.key = f.key"
				 " AND d.field = f.field AND d.found_kind = f.kind"
				 " WHERE f.id IS NULL OR d.%I IS NULL"
				 " OR (d.ssot_source, d.golden_value, d.system_value, d.system_time,"
				 " d.winner_system, d.winner_time, d.winner_from) IS DISTINCT FROM"
				 " (f.ssot_source, f.golden_value, f.system_value, f.system_time,"
				 " f.winner_system, f.winner_time, f.winner_from)"
				 " ORDER BY f.id, f.system, f.key, f.field",
				 id, entity->drift_table,
				 keeper->touched == NULL ? ssot_sql("WHERE d.%I IS NOT NULL", id) :
				 ssot_sql("JOIN touched AS t ON t.id = d.%I", id),
				 id, id);
	ssot_statement_each(&statement, sort_out, changes);
}

/*
 * DELETE FROM golden_ssot.customer_drift AS d
 *	USING closed AS c
 *	WHERE <the same row>
 */
static void
close_differences(const SsotEntity *entity, const Changes *changes)
{
	SsotStatement statement = {.nrelations = 1,.relations = &changes->closed};

	statement.sql =
		ssot_sql("DELETE FROM %T AS d USING closed AS c"
				 " WHERE d.%I = c.id AND d.system = c.system AND d.key = c.key"
				 " AND d.field = c.field AND d.kind = c.kind",
				 entity->drift_table, entity->id_column);
	ssot_statement_run(&statement);
}

/*
 * UPDATE golden_ssot.customer_drift AS d
 *	  SET (kind, ssot_source, ...) = (..., f.ssot_source, ...)
 *	 FROM changed AS f
 *	WHERE <same difference>
 */
static void
change_differences(const SsotEntity *entity, const Changes *changes)
{
	SsotRelation changed = ssot_findings_relation(changes->changed, "changed");
	SsotStatement statement = {.nrelations = 1,.relations = &changed};

	statement.sql =
		ssot_sql("UPDATE %T AS d"
				 " SET kind = CASE WHEN %s THEN 'stale' ELSE f.kind END,"
				 " ssot_source = f.ssot_source, golden_value = f.golden_value,"
				 " system_value = f.system_value, system_time = f.system_time,"
				 " winner_system = f.winner_system, winner_time = f.winner_time,"
				 " winner_from = f.winner_from"
				 " FROM changed AS f WHERE %s",
				 entity->drift_table, ssot_stale_condition(entity),
				 ssot_same_difference(entity));
	ssot_statement_run(&statement);
}

/*
 * INSERT INTO golden_ssot.customer_drift (customer_id, system, ..., first_seen)
 * SELECT f.id, f.system, ..., $1
 *	 FROM opened AS f
 */
static void
open_differences(const SsotEntity *entity, const Changes *changes, TimestampTz t)
{
	SsotRelation opened = ssot_findings_relation(changes->opened, "opened");
	Oid			argtypes[1] = {TIMESTAMPTZOID};
	Datum		args[1] = {TimestampTzGetDatum(t)};
	SsotStatement statement = {.nargs = 1,.argtypes = argtypes,.args = args,
	.nrelations = 1,.relations = &opened};

	statement.sql =
		ssot_sql("INSERT INTO %T (%I, system, key, field, kind, ssot_source,"
				 " golden_value, system_value, system_time,"
				 " winner_system, winner_time, winner_from, first_seen)"
				 " SELECT f.id, f.system, f.key, f.field,"
				 " CASE WHEN %s THEN 'stale' ELSE f.kind END, f.ssot_source,"
				 " f.golden_value, f.system_value, f.system_time,"
				 " f.winner_system, f.winner_time, f.winner_from, $1"
				 " FROM opened AS f",
				 entity->drift_table, entity->id_column, ssot_stale_condition(entity));
	ssot_statement_run(&statement);
}

/* The key of a kept difference: the columns with which a finding begins. */
static TupleDesc
key_desc(TupleDesc finding)
{
	TupleDesc	desc = CreateTemplateTupleDesc(KEY_COLUMNS);

	for (int i = 1; i <= KEY_COLUMNS; i++)
		TupleDescCopyEntry(desc, i, finding, i);
	return desc;
}

static void
keep_end(void *state)
{
	Keeper	   *keeper = (Keeper *) state;
	const SsotEntity *entity = keeper->entity;
	SsotUser	user = ssot_become_owner(ssot_companion_oid(entity->drift_table));
	int			level = ssot_settings_begin(true);
	Changes		changes = {.keeper = keeper};

	if (keeper->nvoided > 0)
		drop_void_reports(keeper);
	changes.closed.name = "closed";
	changes.closed.desc = key_desc(keeper->findings->desc);
	changes.closed.rows = tuplestore_begin_heap(false, false, work_mem);
	changes.changed = ssot_findings_create(entity);
	changes.opened = ssot_findings_create(entity);
	compare_with_kept(keeper, &changes);
	if (changes.closed.count > 0)
		close_differences(entity, &changes);
	if (changes.changed->count > 0)
		change_differences(entity, &changes);
	if (changes.opened->count > 0)
		open_differences(entity, &changes, keeper->t);
	ssot_settings_end(level);
	ssot_restore_user(user);
	tuplestore_end(changes.closed.rows);
	tuplestore_end(changes.changed->rows);
	tuplestore_end(changes.opened->rows);
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
