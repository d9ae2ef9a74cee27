/*
 * dictionary/explain_rows.c
 *		The rows that a side's number is computed on.
 *
 * Each side's number is a sum over rows. The columns that the metric reads, its
 * filter's first, become c1, c2 ... of a flat row, whatever relation they come
 * from, so that the two sides' rows of one golden record can be joined and columns
 * of one put in the place of the other's:
 *
 *		SELECT opportunity.opportunity_id AS id, opportunity.ssot_key AS key, ...,
 *		       opportunity.stage AS c1, customer.country AS c2, opportunity.amount AS c3
 *		FROM (<records of the system>) AS opportunity
 *		LEFT JOIN (...) AS customer ON ...
 *
 * A golden record has one primary record on each side: the system's first by
 * source rank, source time and key. What a side has besides is compared with
 * nothing: further records of the same thing, superseded rows, rows in quarantine,
 * and records that belong to no golden record.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/explain.h"
#include "dictionary/metric_spec.h"

#include "access/tupdesc.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* What the primary record of an id comes first by, in flat rows. */
static const char *const primary_order =
"r.rank, r.updated_at DESC NULLS LAST, r.key COLLATE \"C\"";

/* ---- columns -------------------------------------------------------------- */

static List *
add_columns(List *columns, List *more)
{
	ListCell   *cell;
	ListCell   *other;

	foreach(cell, more)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) lfirst(cell);
		bool		known = false;

		foreach(other, columns)
		{
			SsotScopeColumn *o = (SsotScopeColumn *) lfirst(other);

			known |= o->relation == column->relation && strcmp(o->name, column->name) == 0;
		}
		if (!known)
			columns = lappend(columns, column);
	}
	return columns;
}

/* In the order in which they are changed: the filter's, the slice's, the measure's. */
static List *
columns_in_order(const SsotPairing *pairing)
{
	const SsotMetric *metric = pairing->metric;
	List	   *columns = NIL;
	ListCell   *cell;

	if (metric->filter != NULL)
		columns = add_columns(columns, metric->filter->columns);
	foreach(cell, pairing->slices)
		columns = add_columns(columns,
							  ssot_metric_find_dimension(metric, ((SsotSlice *) lfirst(cell))->dimension)->expr->columns);
	return add_columns(columns, ssot_metric_columns(metric, NIL, pairing->slices));
}

/* A step up the entity's own hierarchy, or the foreign key that leads there. */
static bool
is_hierarchical(const SsotPairRows *rows, const SsotScopeColumn *column)
{
	int			field;

	if (ssot_scope_relation(rows->pairing->metric->scope, column->relation)->up)
		return true;
	if (column->relation != 0)
		return false;
	field = ssot_entity_field(rows->entity, column->name);
	return field >= 0 && rows->entity->fields[field].references == rows->entity->relid;
}

/* Does the side take the column from the golden record? */
static bool
is_borrowed(const SsotPairRows *rows, int side, const SsotScopeColumn *column)
{
	const SsotMetricReading *reading = &rows->pairing->reading[side];
	SsotScopeRelation *relation = ssot_scope_relation(rows->pairing->metric->scope, column->relation);
	SsotRecords *records;

	if (reading->mode != SSOT_METRIC_SYSTEM)
		return true;
	records = ssot_records_open(ssot_entity_load(relation->relid, false), reading->system, reading->time);
	return records == NULL || (column->relation == 0 && rows->records[side] == NULL) ||
		!ssot_records_map(records, column->name);
}

static bool
same_time(const SsotMetricReading *a, const SsotMetricReading *b)
{
	bool		a_now = a->mode == SSOT_METRIC_NOW || TIMESTAMP_NOT_FINITE(a->time);
	bool		b_now = b->mode == SSOT_METRIC_NOW || TIMESTAMP_NOT_FINITE(b->time);

	return (a_now && b_now) || (!a_now && !b_now && a->time == b->time);
}

/* ---- a side's rows -------------------------------------------------------- */

char *
ssot_side_rows(SsotPairRows *rows, int side)
{
	SsotPairing *pairing = rows->pairing;
	SsotMetricReading *reading = &pairing->reading[side];
	const SsotMetric *metric = pairing->metric;
	const char *base = ssot_scope_relation(metric->scope, 0)->alias;
	char	   *conditions = ssot_metric_conditions(metric, reading, NIL, false);
	StringInfoData list;
	ListCell   *cell;
	char	   *from;
	int			n = 0;

	if (rows->all[side] != NULL)
		return rows->all[side];
	initStringInfo(&list);
	foreach(cell, rows->columns)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) lfirst(cell);

		ssot_sql_append(&list, ", %I.%I AS c%d",
						ssot_scope_relation(metric->scope, column->relation)->alias,
						column->name, ++n);
	}
	reading->relations = NIL;
	from = ssot_metric_from(metric, reading, rows->columns);
	rows->relations = list_concat(rows->relations, reading->relations);
	if (reading->mode == SSOT_METRIC_SYSTEM)
		rows->all[side] = ssot_sql("SELECT %I.%I AS id, %I.ssot_key AS key, %I.ssot_state AS state,"
								   " %I.ssot_level AS level, %I.ssot_rank AS rank,"
								   " %I.ssot_updated_at AS updated_at, %I.ssot_answers AS answers%s\nFROM %s",
								   base, rows->entity->id_column, base, base, base, base, base, base,
								   list.data, from);
	else
		rows->all[side] = ssot_sql("SELECT %I.%I AS id%s\nFROM %s%s%s", base, rows->entity->id_column,
								   list.data, from, conditions == NULL ? "" : "\nWHERE ",
								   conditions == NULL ? "" : conditions);
	return rows->all[side];
}

static char *
relation_condition(const SsotRelation *relation, bool is_in)
{
	return ssot_sql(" AND %s EXISTS (SELECT FROM %I AS x WHERE x.id = r.id)", is_in ? "" : "NOT",
					relation->name);
}

/*
 * Ids in families are compared as families. Only the few ids with several records
 * have to be sorted.
 */
char *
ssot_side_primary(SsotPairRows *rows, int side)
{
	char	   *all = ssot_side_rows(rows, side);
	char	   *single = rows->family == NULL ? "" : relation_condition(rows->family, false);
	SsotRelation *twice = rows->twice[side];
	char	   *usable;

	if (rows->records[side] == NULL)
		return ssot_sql("SELECT r.* FROM (%s) AS r WHERE true%s", all, single);
	usable = ssot_sql("FROM (%s) AS r\n"
					  "WHERE r.id IS NOT NULL AND r.state = 0 AND NOT r.level AND r.answers%s",
					  all, single);
	if (twice == NULL)
		return ssot_sql("SELECT r.* %s", usable);
	return ssot_sql("SELECT r.* %s%s\nUNION ALL\n(SELECT DISTINCT ON (r.id) r.* %s%s\nORDER BY r.id, %s)",
					usable, relation_condition(twice, false),
					usable, relation_condition(twice, true), primary_order);
}

/* With "kind": duplicate, unlinked or quarantined; "loose": no golden record. */
char *
ssot_side_extra(SsotPairRows *rows, int side)
{
	char	   *all = ssot_side_rows(rows, side);
	char	   *further = "";

	if (rows->twice[side] != NULL)
		further = ssot_sql("\nUNION ALL\n"
						   "SELECT r.* FROM (SELECT r.*, 'duplicate' AS kind, false AS loose,"
						   " pg_catalog.row_number() OVER (PARTITION BY r.id ORDER BY %s) AS place\n"
						   "FROM (%s) AS r\n"
						   "WHERE r.id IS NOT NULL AND r.state = 0 AND NOT r.level AND r.answers%s%s) AS r\n"
						   "WHERE r.place > 1", primary_order, all,
						   relation_condition(rows->twice[side], true),
						   rows->family == NULL ? "" : relation_condition(rows->family, false));
	return ssot_sql("SELECT r.*, CASE WHEN r.state = %d THEN 'quarantined'"
					" WHEN r.state = %d THEN 'duplicate' ELSE 'unlinked' END AS kind,"
					" r.id IS NULL OR NOT r.answers AS loose, 1::pg_catalog.int8 AS place\n"
					"FROM (%s) AS r\n"
					"WHERE r.id IS NULL OR r.state > 0 OR NOT r.answers%s",
					SSOT_STATE_QUARANTINED, SSOT_STATE_SUPERSEDED, all, further);
}

/* ---- a row's share -------------------------------------------------------- */

/*
 * LATERAL (SELECT coalesce(CASE WHEN <exists> AND <filter> AND <slices> THEN <share> END, 0) AS v
 *          FROM (SELECT p.l1 AS stage, p.r3 AS amount) AS opportunity,
 *               (SELECT p.l2 AS country) AS customer) AS name
 */
char *
ssot_share(const SsotPairRows *rows, char **refs, const char *exists, const char *name)
{
	const SsotMetric *metric = rows->pairing->metric;
	StringInfoData from;
	StringInfoData condition;
	ListCell   *cell;

	initStringInfo(&from);
	for (int i = 0; i < list_length(metric->scope->relations); i++)
	{
		StringInfoData list;
		int			n = 0;

		initStringInfo(&list);
		foreach(cell, rows->columns)
		{
			SsotScopeColumn *column = (SsotScopeColumn *) lfirst(cell);

			if (column->relation == i)
				ssot_sql_append(&list, "%s%s AS %I", list.len > 0 ? ", " : "", refs[n], column->name);
			n++;
		}
		if (list.len > 0)
			ssot_sql_append(&from, "%s(SELECT %s) AS %I", from.len > 0 ? " CROSS JOIN " : "",
							list.data, ssot_scope_relation(metric->scope, i)->alias);
	}
	initStringInfo(&condition);
	appendStringInfoString(&condition, exists);
	if (metric->filter != NULL)
		appendStringInfo(&condition, " AND (%s)", metric->filter->sql);
	foreach(cell, rows->pairing->slices)
		appendStringInfo(&condition, " AND %s", ssot_metric_slice(metric, (SsotSlice *) lfirst(cell)));
	return ssot_sql("LATERAL (SELECT coalesce(CASE WHEN %s THEN %s END, 0) AS v%s%s%s) AS %s",
					condition.data, metric->measure->added, from.len > 0 ? " FROM " : "", from.data,
					ssot_metric_rates(metric, &rows->pairing->reading[0]), name);
}

/* ---- preparing ------------------------------------------------------------ */

static bool
keep_id(TupleTableSlot *slot, void *arg)
{
	SsotRelation *relation = (SsotRelation *) arg;

	tuplestore_puttupleslot(relation->rows, slot);
	relation->count++;
	return true;
}

/*
 * Ids with several records in force: they need a primary one. Records below the
 * entity's level may be many and are no duplicates.
 */
static SsotRelation *
find_twice(SsotPairRows *rows, int side)
{
	SsotRelation *twice = palloc0(sizeof(SsotRelation));
	SsotRecords *records = rows->records[side];
	SsotStatement statement = {.read_only = true};

	twice->name = side == 0 ? "ssot_twice_l" : "ssot_twice_r";
	twice->desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(twice->desc, 1, "id", rows->entity->id_type, -1, 0);
	twice->rows = tuplestore_begin_heap(false, false, work_mem);
	statement.sql = ssot_sql("SELECT r.%I AS id FROM (%s) AS r\n"
							 "WHERE r.%I IS NOT NULL AND r.ssot_state = 0 AND NOT r.ssot_level\n"
							 "GROUP BY r.%I HAVING pg_catalog.count(*) > 1",
							 rows->entity->id_column,
							 ssot_records_rows(records, NIL), rows->entity->id_column,
							 rows->entity->id_column);
	ssot_statement_each(&statement, keep_id, twice);
	if (twice->count == 0)
	{
		tuplestore_end(twice->rows);
		return NULL;
	}
	rows->relations = lappend(rows->relations, twice);
	return twice;
}

static void
open_side(SsotPairRows *rows, int side)
{
	SsotMetricReading *reading = &rows->pairing->reading[side];
	SsotRecords *records;
	ListCell   *cell;

	if (reading->mode != SSOT_METRIC_SYSTEM)
		return;
	reading->records = true;
	records = ssot_records_open(rows->entity, reading->system, reading->time);
	if (records == NULL || !ssot_metric_is_measured_by(rows->pairing->metric, records))
		return;
	rows->records[side] = records;
	foreach(cell, rows->columns)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) lfirst(cell);

		if (column->relation == 0 && strcmp(column->name, rows->entity->id_column) != 0 &&
			!ssot_records_map(records, column->name))
			rows->pairing->borrows[side] = true;
	}
	rows->twice[side] = find_twice(rows, side);
}

SsotPairRows *
ssot_pair_rows(SsotPairing *pairing)
{
	SsotPairRows *rows = palloc0(sizeof(SsotPairRows));
	SsotScopeRelation *base = ssot_scope_relation(pairing->metric->scope, 0);
	int			ncolumns;

	rows->pairing = pairing;
	rows->entity = ssot_entity_load(base->relid, false);
	rows->columns = columns_in_order(pairing);
	ncolumns = list_length(rows->columns);
	rows->hierarchical = palloc0(sizeof(bool) * Max(ncolumns, 1));
	rows->same = palloc0(sizeof(bool) * Max(ncolumns, 1));
	for (int side = 0; side < 2; side++)
		open_side(rows, side);
	for (int i = 0; i < ncolumns; i++)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) list_nth(rows->columns, i);

		rows->hierarchical[i] = is_hierarchical(rows, column);
		rows->has_hierarchical |= rows->hierarchical[i];
		rows->same[i] = same_time(&pairing->reading[0], &pairing->reading[1]) &&
			is_borrowed(rows, 0, column) && is_borrowed(rows, 1, column) && column->relation == 0;
	}
	pairing->has_hierarchy = rows->has_hierarchical;
	ssot_find_families(rows);
	ssot_find_undecided(rows);
	return rows;
}
