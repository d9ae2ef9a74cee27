/*
 * drift/verify.c
 *		ssot.verify_drift: recomputing the differences from scratch and comparing
 *		them with those that are kept.
 *
 * Comparing every group exactly would cost many times the reading of the tables,
 * so golden records that certainly agree with all their source records are
 * cleared by hash (verify_screen.c). All others, and those with kept differences,
 * are compared exactly, by the function that keeps the differences. The result is
 * compared with the table.
 *
 * Everything is read under one snapshot, with the rights of the caller.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "drift/findings.h"
#include "drift/scan.h"
#include "drift/verify.h"
#include "golden/settle.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

/* When more than this share of the golden records is suspect, all are compared. */
#define MAX_SUSPECT_SHARE	0.05
#define MIN_SUSPECTS		10000

/* The golden ids that are compared exactly. */
typedef struct Recheck
{
	const SsotEntity *entity;
	SsotSuspects suspects;
	int64		ngolden;		/* -1: all are suspect */
	SsotComparer *comparer;
	SsotSurvivor *survivor;
	SsotFindings *findings;
	TupleDesc	id_desc;
	Tuplestorestate *ids;
	int64		nids;
	SsotWinner *winners;
	Datum	   *merged;
	bool	   *merged_nulls;
} Recheck;

static bool
put_id(TupleTableSlot *slot, void *arg)
{
	Recheck    *r = (Recheck *) arg;

	slot_getallattrs(slot);
	tuplestore_putvalues(r->ids, r->id_desc, slot->tts_values, slot->tts_isnull);
	r->nids++;
	return true;
}

/*
 * SELECT t.customer_id FROM golden.customer AS t WHERE t.ctid = ANY ($1)
 *	UNION
 * SELECT d.customer_id FROM golden_ssot.customer_drift AS d WHERE d.customer_id IS NOT NULL
 *	ORDER BY 1
 *
 * In order, because then neighbours in the indexes are looked up after each other.
 */
static void
gather_ids(Recheck *r)
{
	const SsotEntity *entity = r->entity;
	bool		everything = r->ngolden < 0 ||
	(r->suspects.count > MIN_SUSPECTS &&
	 r->suspects.count > MAX_SUSPECT_SHARE * r->ngolden);
	Oid			argtypes[1] = {get_array_type(TIDOID)};
	Datum		args[1];
	int			level = NewGUCNestLevel();
	SsotStatement statement = {.read_only = true,.argtypes = argtypes,.args = args};

	if (!everything)
	{
		args[0] = ssot_suspects_tids(&r->suspects);
		statement.nargs = 1;
	}
	statement.sql =
		ssot_sql("SELECT t.%I FROM %T AS t %s"
				 " UNION SELECT d.%I FROM %T AS d WHERE d.%I IS NOT NULL ORDER BY 1",
				 entity->id_column, ssot_relation_name(entity->relid),
				 everything ? "" : "WHERE t.ctid = ANY ($1)",
				 entity->id_column, entity->drift_table, entity->id_column);
	ssot_prefer_tids(!everything);
	ssot_statement_each(&statement, put_id, r);
	AtEOXact_GUC(true, level);
}

static void
recheck_group(const SsotGroup *group, void *arg)
{
	Recheck    *r = (Recheck *) arg;

	if (group->golden == NULL || group->golden_retired)
		return;
	ssot_survive(r->survivor, group, r->winners, r->merged, r->merged_nulls);
	r->findings->id = group->id;
	ssot_compare_group(r->comparer, group, group->golden, group->golden_nulls,
					   r->winners, ssot_findings_add, r->findings);
}

static SsotFindings *
recompute(const SsotEntity *entity)
{
	int			nfields = Max(entity->nfields, 1);
	Recheck		r = {0};

	r.entity = entity;
	r.ngolden = ssot_screen_golden(entity, &r.suspects);
	r.comparer = ssot_comparer_create(entity);
	r.survivor = ssot_survivor_create(entity);
	r.findings = ssot_findings_create(entity);
	r.winners = palloc(sizeof(SsotWinner) * nfields);
	r.merged = palloc(sizeof(Datum) * nfields);
	r.merged_nulls = palloc(sizeof(bool) * nfields);
	r.ids = tuplestore_begin_heap(false, false, work_mem);
	r.id_desc = ssot_ids_relation(entity, "ids", r.ids, 0).desc;
	gather_ids(&r);
	if (r.nids > 0)
		ssot_groups_read(entity, r.ids, r.nids, recheck_group, &r);
	tuplestore_end(r.ids);
	return r.findings;
}

/*
 * WITH f AS (SELECT f.id, ..., CASE WHEN <stale> THEN 'stale' ELSE f.kind END AS kind,
 *					 f.kind AS class FROM found AS f),
 *		d AS (SELECT d.*, CASE d.kind WHEN 'stale' THEN 'mismatch' ELSE d.kind END AS class
 *				FROM golden_ssot.customer_drift AS d)
 * SELECT CASE WHEN d.customer_id IS NULL THEN 'not kept' ... END, ...
 *	 FROM f FULL JOIN d ON d.customer_id = f.id AND ... AND d.class = f.class
 *	WHERE d.customer_id IS NULL OR f.id IS NULL OR <values differ>
 */
static char *
problems_sql(const SsotEntity *entity)
{
	return ssot_sql("WITH f AS (SELECT f.*, f.kind AS class,"
					" CASE WHEN %s THEN 'stale' ELSE f.kind END AS real_kind FROM found AS f),"
					" d AS (SELECT d.*, CASE d.kind WHEN 'stale' THEN 'mismatch' ELSE d.kind END AS class"
					" FROM %T AS d)"
					" SELECT CASE WHEN d.system IS NULL THEN 'not kept'"
					" WHEN f.system IS NULL THEN 'kept but not there'"
					" ELSE 'kept differently' END,"
					" pg_catalog.format('%%s', coalesce(f.id, d.%I)),"
					" coalesce(f.system, d.system), coalesce(f.key, d.key),"
					" coalesce(f.field, d.field),"
					" d.kind, f.real_kind, d.golden_value, f.golden_value,"
					" d.system_value, f.system_value"
					" FROM f FULL JOIN d ON d.%I = f.id AND d.system = f.system"
					" AND d.key = f.key AND d.field = f.field AND d.class = f.class"
					" WHERE d.system IS NULL OR f.system IS NULL"
					" OR (d.kind, d.ssot_source, d.golden_value, d.system_value, d.system_time,"
					" d.winner_system, d.winner_time, d.winner_from) IS DISTINCT FROM"
					" (f.real_kind, f.ssot_source, f.golden_value, f.system_value, f.system_time,"
					" f.winner_system, f.winner_time, f.winner_from)",
					ssot_stale_condition(entity), entity->drift_table,
					entity->id_column, entity->id_column);
}

PG_FUNCTION_INFO_V1(ssot_verify_drift);

/* ssot.verify_drift(entity regclass): no row means that the kept differences are
 * those that there are. */
Datum
ssot_verify_drift(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	int			level = ssot_settings_begin(true);
	SsotFindings *findings;
	SsotRelation found;
	SsotStatement statement = {.nrelations = 1,.relations = &found,.read_only = true};

	ssot_require_select(entity->relid);
	ssot_require_select(ssot_companion_oid(entity->source_table));
	ssot_require_select(ssot_companion_oid(entity->drift_table));
	ssot_require_select(ssot_companion_oid(entity->history_table));
	findings = recompute(entity);
	found = ssot_findings_relation(findings, "found");
	statement.sql = problems_sql(entity);
	ssot_statement_return(fcinfo, &statement);
	tuplestore_end(findings->rows);
	ssot_settings_end(level);
	return (Datum) 0;
}
