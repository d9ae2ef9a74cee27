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
#include "drift/scan.h"

#include "access/tupdesc.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* What the primary record of an id comes first by, in flat rows. */
static const char *const primary_order =
"r.rank, r.updated_at DESC NULLS LAST, r.key COLLATE \"C\", r.gid";

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

/* The entity's columns that are read to pair records, and not to compute the number. */
static List *
key_columns(const SsotPairRows *rows, List *columns)
{
	const SsotMetric *metric = rows->pairing->metric;
	List	   *counted = ssot_metric_columns_of(metric, rows->columns, 0);
	List	   *names = NIL;
	ListCell   *cell;
	ListCell   *other;

	foreach(cell, ssot_metric_columns_of(metric, columns, 0))
	{
		bool		found = false;

		foreach(other, counted)
			found |= strcmp((const char *) lfirst(cell), (const char *) lfirst(other)) == 0;
		if (!found)
			names = lappend(names, lfirst(cell));
	}
	return names;
}

char *
ssot_side_rows(SsotPairRows *rows, int side)
{
	SsotPairing *pairing = rows->pairing;
	SsotMetricReading *reading = &pairing->reading[side];
	const SsotMetric *metric = pairing->metric;
	const char *base = ssot_scope_relation(metric->scope, 0)->alias;
	char	   *conditions = ssot_metric_conditions(metric, reading, NIL, false);
	char	   *gid = ssot_sql("%I.%I", base, rows->entity->id_column);
	List	   *columns = rows->columns;
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
	if (pairing->key != NULL)
		columns = add_columns(list_copy(columns), pairing->key->columns);
	reading->relations = NIL;
	reading->optional = key_columns(rows, columns);
	from = ssot_metric_from(metric, reading, columns);
	reading->optional = NIL;
	rows->relations = list_concat(rows->relations, reading->relations);
	rows->made[side] = reading->relations != NIL;
	ssot_sql_append(&list, "\nFROM %s", from);
	if (reading->mode != SSOT_METRIC_SYSTEM)
		rows->all[side] = ssot_sql("SELECT %s AS id, %s AS gid, NULL::pg_catalog.text AS key, 0 AS state, false AS level,"
								   " 0 AS rank, NULL::pg_catalog.timestamptz AS updated_at, true AS answers%s%s%s",
								   pairing->key == NULL ? gid : pairing->key->sql, gid, list.data,
								   conditions == NULL ? "" : "\nWHERE ", conditions == NULL ? "" : conditions);
	else
		/* A key that is borrowed does not make the number one that is. */
		rows->all[side] = ssot_sql("SELECT %s AS id, %s AS gid, %I.ssot_key AS key, %I.ssot_state AS state,"
								   " %I.ssot_level AS level, %I.ssot_rank AS rank,"
								   " %I.ssot_updated_at AS updated_at, %s AS answers%s",
								   pairing->key == NULL ? gid : pairing->key->sql, gid, base, base, base, base, base,
								   pairing->borrows[side] || rows->records[side] == NULL ?
								   ssot_sql("%I.ssot_answers", base) : "true", list.data);
	return rows->all[side];
}

/* Of a system with one source, which source comes first is no question: rank is 0. */
char *
ssot_both_rows(SsotPairRows *rows)
{
	const char *id = rows->entity->id_column;
	StringInfoData list;
	ListCell   *cell;
	int			n = 0;

	if (rows->pairing->key != NULL || !ssot_relation_has_tids(ssot_companion_oid(rows->entity->source_table)))
		return NULL;
	for (int side = 0; side < 2; side++)
	{
		ssot_side_rows(rows, side);
		if (rows->records[side] == NULL || rows->pairing->borrows[side] || rows->made[side])
			return NULL;
	}
	initStringInfo(&list);
	ssot_sql_append(&list, "r.%I AS id, r.%I AS gid, r.ssot_key AS key, r.ssot_copy AS state, false AS level,"
					" 0 AS rank, r.ssot_updated_at AS updated_at, true AS answers", id, id);
	foreach(cell, rows->columns)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) lfirst(cell);

		if (column->relation != 0)
			return NULL;
		ssot_sql_append(&list, ", r.%I AS c%d", column->name, ++n);
	}
	return ssot_records_both(rows->records[0], rows->records[1], list.data);
}

static char *
relation_condition(const SsotRelation *relation, bool is_in)
{
	return ssot_sql(" AND %s EXISTS (SELECT FROM %I AS x WHERE x.id = r.id)", is_in ? "" : "NOT",
					relation->name);
}

/*
 * Which rows may be an id's primary record. Ids in families are compared as families.
 * By a key, a record without it is one of a pair of its own, and records below the
 * entity's level are like others.
 */
static char *
usable_rows(SsotPairRows *rows, int side, const char *more)
{
	return ssot_sql("FROM (%s) AS r\nWHERE r.state = 0 AND r.answers AND %s%s%s",
					ssot_side_rows(rows, side),
					rows->pairing->key != NULL ? "(r.id IS NOT NULL OR r.gid IS NOT NULL)" :
					"r.id IS NOT NULL AND NOT r.level",
					rows->family == NULL ? "" : relation_condition(rows->family, false), more);
}

/* Only the few ids with several records have to be sorted. */
char *
ssot_side_primary(SsotPairRows *rows, int side)
{
	SsotRelation *twice = rows->twice[side];

	if (twice == NULL)
		return ssot_sql("SELECT r.* %s", usable_rows(rows, side, ""));
	return ssot_sql("SELECT r.* %s\nUNION ALL\n(SELECT DISTINCT ON (r.id) r.* %s\nORDER BY r.id, %s)",
					usable_rows(rows, side, relation_condition(twice, false)),
					usable_rows(rows, side, relation_condition(twice, true)), primary_order);
}

/* Further records in force of ids that have a primary one. */
char *
ssot_side_further(SsotPairRows *rows, int side)
{
	return ssot_sql("SELECT r.* FROM (SELECT r.*, 'duplicate' AS kind, false AS loose,"
					" pg_catalog.row_number() OVER (PARTITION BY r.id ORDER BY %s) AS place\n"
					"%s) AS r\n"
					"WHERE r.place > 1", primary_order,
					usable_rows(rows, side, relation_condition(rows->twice[side], true)));
}

/* SQL of what a row p is, besides those that pairs are made of. */
const char *const ssot_is_quarantined = "p.state < 0";
const char *const ssot_is_superseded = "p.state > 0";
const char *const ssot_is_loose = "(p.gid IS NULL OR NOT p.answers)";

const char *
ssot_is_unlinked(const SsotPairRows *rows)
{
	return rows->pairing->key == NULL ? "p.state = 0 AND (p.gid IS NULL OR NOT p.answers)" :
		"p.state = 0 AND (NOT p.answers OR (p.gid IS NULL AND p.id IS NULL))";
}

/*
 * With "kind": duplicate, unlinked or quarantined, null for what a key pairs;
 * "loose": no golden record, or none that answers what the record lacks.
 */
char *
ssot_side_extra(SsotPairRows *rows, int side)
{
	return ssot_sql("SELECT p.*, CASE WHEN %s THEN 'quarantined' WHEN %s THEN 'duplicate' WHEN %s THEN 'unlinked' END AS kind,"
					" %s AS loose, 1::pg_catalog.int8 AS place\n"
					"FROM (%s) AS p\nWHERE %s OR p.state <> 0%s%s",
					ssot_is_quarantined, ssot_is_superseded, ssot_is_unlinked(rows), ssot_is_loose,
					ssot_side_rows(rows, side), ssot_is_loose, rows->twice[side] == NULL ? "" : "\nUNION ALL\n",
					rows->twice[side] == NULL ? "" : ssot_side_further(rows, side));
}

char *
ssot_record_label(const SsotPairRows *rows, int side, const char *key)
{
	const SsotMetricReading *reading = &rows->pairing->reading[side];

	if (reading->mode != SSOT_METRIC_SYSTEM)
		return pstrdup("NULL::pg_catalog.text[]");
	return ssot_sql("CASE WHEN %s IS NOT NULL THEN ARRAY[%L || %s] END", key, psprintf("%s:", reading->system), key);
}

char *
ssot_record_labels(const SsotPairRows *rows, int side, const char *key)
{
	const SsotMetricReading *reading = &rows->pairing->reading[side];

	if (reading->mode != SSOT_METRIC_SYSTEM)
		return pstrdup("NULL::pg_catalog.text[]");
	return ssot_sql("pg_catalog.array_agg(DISTINCT %L || %s) FILTER (WHERE %s IS NOT NULL)",
					psprintf("%s:", reading->system), key, key);
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

char *
ssot_own_share(const SsotPairRows *rows, const char *name)
{
	int			n = list_length(rows->columns);
	char	  **refs = palloc(sizeof(char *) * Max(n, 1));

	for (int i = 0; i < n; i++)
		refs[i] = psprintf("p.c%d", i + 1);
	return ssot_share(rows, refs, "true", name);
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
 * Records in force that could be the primary one of their id. Those below the entity's
 * level may be many and are no duplicates.
 */
const char *
ssot_is_primary(const SsotPairRows *rows)
{
	return rows->pairing->key == NULL ? "p.state = 0 AND p.id IS NOT NULL AND NOT p.level" :
		"p.state = 0 AND p.id IS NOT NULL AND p.answers";
}

void
ssot_find_twice(SsotPairRows *rows, int side)
{
	SsotRelation *ids = palloc0(sizeof(SsotRelation));

	ids->name = side == 0 ? "ssot_twice_l" : "ssot_twice_r";
	ids->desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(ids->desc, 1, "id",
					   rows->pairing->key == NULL ? rows->entity->id_type : rows->pairing->key->type, -1, 0);
	ids->rows = tuplestore_begin_heap(false, false, work_mem);
	ssot_pair_each(rows, ssot_sql("SELECT p.id FROM (%s) AS p\nWHERE %s\nGROUP BY p.id HAVING pg_catalog.count(*) > 1",
								  ssot_side_rows(rows, side), ssot_is_primary(rows)), keep_id, ids);
	rows->twice[side] = ids;
	rows->relations = lappend(rows->relations, ids);
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
}

SsotPairRows *
ssot_plain_rows(SsotPairing *pairing)
{
	SsotPairRows *rows = palloc0(sizeof(SsotPairRows));

	rows->pairing = pairing;
	rows->entity = ssot_entity_load(ssot_scope_relation(pairing->metric->scope, 0)->relid, false);
	rows->columns = columns_in_order(pairing);
	for (int side = 0; side < 2; side++)
		open_side(rows, side);
	return rows;
}

/* Of two golden records that a key pairs, each may lend another value. */
static bool
is_same(const SsotPairRows *rows, const SsotScopeColumn *column)
{
	const SsotPairing *pairing = rows->pairing;

	return pairing->key == NULL && same_time(&pairing->reading[0], &pairing->reading[1]) &&
		is_borrowed(rows, 0, column) && is_borrowed(rows, 1, column) && column->relation == 0;
}

SsotPairRows *
ssot_pair_rows(SsotPairing *pairing)
{
	SsotPairRows *rows = ssot_plain_rows(pairing);
	int			ncolumns = list_length(rows->columns);

	rows->hierarchical = palloc0(sizeof(bool) * Max(ncolumns, 1));
	rows->same = palloc0(sizeof(bool) * Max(ncolumns, 1));
	for (int i = 0; i < ncolumns; i++)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) list_nth(rows->columns, i);

		rows->hierarchical[i] = is_hierarchical(rows, column);
		rows->has_hierarchical |= rows->hierarchical[i];
		rows->same[i] = is_same(rows, column);
	}
	pairing->has_hierarchy = rows->has_hierarchical;
	return rows;
}
