/*
 * dictionary/metric_sql.c
 *		The queries that compute a metric.
 *
 * The expressions of a metric name the columns of relations by alias. What such a
 * relation is depends on whose number is asked for, and as of when:
 *
 *		golden, now				golden.customer AS customer
 *		at a time				golden.customer_at('...') AS customer
 *		at the setting's time	golden_as_of.customer AS customer
 *		a system				(SELECT its records ...) AS customer
 *
 * so one text of an expression serves all. The whole:
 *
 *		SELECT customer.country AS d1, CAST(coalesce(sum(...), 0) AS numeric) AS value
 *		FROM golden.opportunity AS opportunity
 *		LEFT JOIN golden.customer AS customer ON customer.customer_id = opportunity.customer_id
 *		WHERE opportunity.retired_at IS NULL AND (<filter>) AND <slices>
 *		GROUP BY 1
 *
 * Only relations that something asked for reads are joined.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/hierarchy.h"
#include "dictionary/metric_spec.h"
#include "dictionary/records.h"
#include "entity/companion.h"

#include <ctype.h>

#include "utils/builtins.h"

/* ---- relations ------------------------------------------------------------ */

static Bitmapset *
add_relation(Bitmapset *relations, const SsotMetric *metric, int i)
{
	for (; i >= 0; i = ssot_scope_relation(metric->scope, i)->from)
		relations = bms_add_member(relations, i);
	return relations;
}

static Bitmapset *
needed_relations(const SsotMetric *metric, List *columns)
{
	Bitmapset  *relations = bms_make_singleton(0);
	ListCell   *cell;

	foreach(cell, columns)
		relations = add_relation(relations, metric, ((SsotScopeColumn *) lfirst(cell))->relation);
	return relations;
}

/* Names of the columns of relation i that are read, those that joins and hierarchies
 * need too. */
List *
ssot_metric_columns_of(const SsotMetric *metric, List *columns, int i)
{
	List	   *names = NIL;
	Bitmapset  *relations = needed_relations(metric, columns);
	ListCell   *cell;

	foreach(cell, columns)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) lfirst(cell);

		if (column->relation == i)
			names = list_append_unique(names, makeString(column->name));
	}
	for (int j = 0; j < list_length(metric->scope->relations); j++)
	{
		SsotScopeRelation *relation = ssot_scope_relation(metric->scope, j);

		if (bms_is_member(j, relations) && relation->from == i)
			names = list_append_unique(names, makeString(relation->column));
		if (bms_is_member(j, relations) && j == i && relation->parent != NULL)
			names = list_append_unique(list_append_unique(names, makeString(relation->target)),
									   makeString(relation->parent));
	}
	foreach(cell, names)
		lfirst(cell) = strVal(lfirst(cell));
	return names;
}

static char *
time_literal(TimestampTz time)
{
	return ssot_sql("%L::pg_catalog.timestamptz", timestamptz_to_str(time));
}

static List *
add_name(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp((const char *) lfirst(cell), name) == 0)
		return names;
	return lappend(names, unconstify(char *, name));
}

/*
 * Columns of an entity at the time in the setting ssot.as_of. Not by way of the
 * entity's as-of view: that is made anew when a column of the entity changes, and
 * then nothing may depend on it. As in that view, the table is locked first.
 *
 * (SELECT g.deal_id, ... FROM golden.deal AS g WHERE g.valid_from <= <time>
 *  UNION ALL
 *  SELECT h.deal_id, ... FROM golden_ssot.deal_history AS h
 *   WHERE h.valid_from <= <time> AND h.valid_to > <time> AND <the time can be read>)
 */
static char *
past_relation(const SsotEntity *entity, List *names)
{
	char	   *time = ssot_sql("(SELECT ssot.as_of(%L::pg_catalog.text))", entity->name);
	StringInfoData old;
	StringInfoData now;
	ListCell   *cell;

	names = add_name(add_name(list_copy(names), entity->id_column), "retired_at");
	initStringInfo(&old);
	initStringInfo(&now);
	foreach(cell, names)
	{
		ssot_sql_append(&old, "%sh.%I", old.len > 0 ? ", " : "", (const char *) lfirst(cell));
		ssot_sql_append(&now, "%sg.%I", now.len > 0 ? ", " : "", (const char *) lfirst(cell));
	}
	return ssot_sql("(SELECT %s\n  FROM %T AS g\n"
					"  WHERE g.valid_from OPERATOR(pg_catalog.<=) %s\n"
					"  UNION ALL\n  SELECT %s\n  FROM %T AS h\n"
					"  WHERE h.valid_from OPERATOR(pg_catalog.<=) %s AND h.valid_to OPERATOR(pg_catalog.>) %s\n"
					"    AND (SELECT ssot.check_as_of(%L::pg_catalog.text, %s)))",
					now.data, entity->name, time,
					old.data, entity->history_table, time, time, entity->name, time);
}

/* A golden relation as the reading wants it. */
static char *
golden_relation(Oid relid, const SsotMetricReading *reading)
{
	SsotEntity *entity = ssot_entity_load(relid, false);

	switch (reading->mode)
	{
		case SSOT_METRIC_AT:
			return ssot_sql("%T(%s)", ssot_as_of_function(entity), time_literal(reading->time));
		case SSOT_METRIC_SYSTEM:
			if (!TIMESTAMP_NOT_FINITE(reading->time))
				return ssot_sql("%T(%s)", ssot_as_of_function(entity), time_literal(reading->time));
			return entity->name;
		default:
			return entity->name;
	}
}

static void
note_borrowed(SsotMetricReading *reading, const char *alias, const char *column)
{
	char	   *name = psprintf("%s.%s", alias, column);
	ListCell   *cell;

	foreach(cell, reading->borrowed)
		if (strcmp((const char *) lfirst(cell), name) == 0)
		return;
	reading->borrowed = lappend(reading->borrowed, name);
}

/* Does the system map some field of the measure, or are none needed? */
bool
ssot_metric_is_measured_by(const SsotMetric *metric, const SsotRecords *records)
{
	ListCell   *cell;

	foreach(cell, metric->measure->columns)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) lfirst(cell);

		if (column->relation != 0 || ssot_records_map(records, column->name) ||
			strcmp(column->name, records->entity->id_column) == 0)
			return true;
	}
	return metric->measure->columns == NIL;
}

/* A system that holds nothing of what a metric measures has no such number. */
static void
refuse_number(const SsotMetric *metric, const SsotRecords *records, const char *system)
{
	SsotScopeRelation *base = ssot_scope_relation(metric->scope, 0);
	StringInfoData missing;
	ListCell   *cell;

	if (records == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("system \"%s\" has no number for metric \"%s\"", system, metric->name),
				 errdetail("It has no source on \"%s\".", base->alias),
				 errhint("Systems with a source on it have one; see ssot.source.")));
	initStringInfo(&missing);
	foreach(cell, metric->measure->columns)
		appendStringInfo(&missing, "%s\"%s\"", missing.len > 0 ? ", " : "",
						 ((SsotScopeColumn *) lfirst(cell))->name);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("system \"%s\" has no number for metric \"%s\"", system, metric->name),
			 errdetail("It maps no field of the measure: %s.", missing.data),
			 errhint("Map the field with ssot.alter_source, or let the system use another variant of the metric.")));
}

/* ", r.amount, g.is_qualified": a system's own columns, and borrowed ones. */
static char *
own_or_borrowed(const SsotRecords *records, SsotMetricReading *reading, const char *alias,
				List *columns, bool *borrows)
{
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, columns)
	{
		const char *column = (const char *) lfirst(cell);
		bool		own = ssot_records_map(records, column);

		if (strcmp(column, records->entity->id_column) == 0)
			continue;
		if (!own)
			note_borrowed(reading, alias, column);
		*borrows |= !own;
		ssot_sql_append(&list, ", %s.%I", own ? "r" : "g", column);
	}
	return list.data;
}

/*
 * The golden records that a system holds, where its own records cannot answer at
 * all; all of them, where it has no source on the entity.
 *
 * (SELECT g.opportunity_id, g.amount, NULL::text AS ssot_key, 0 AS ssot_state, ...
 *  FROM golden.opportunity AS g
 *  WHERE g.opportunity_id IN (SELECT r.opportunity_id FROM (<the system's rows>) AS r
 *                             WHERE r.ssot_state = 0)) AS opportunity
 */
static char *
held_golden(const SsotMetric *metric, const SsotRecords *records, SsotMetricReading *reading,
			List *columns)
{
	SsotScopeRelation *base = ssot_scope_relation(metric->scope, 0);
	SsotEntity *entity = ssot_entity_load(base->relid, false);
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, columns)
	{
		const char *column = (const char *) lfirst(cell);

		note_borrowed(reading, base->alias, column);
		if (strcmp(column, entity->id_column) != 0)
			ssot_sql_append(&list, ", g.%I", column);
	}
	return ssot_sql("(SELECT g.%I%s, NULL::pg_catalog.text AS ssot_key, 0 AS ssot_state,"
					" false AS ssot_level, 0 AS ssot_rank, NULL::pg_catalog.timestamptz AS ssot_updated_at,"
					" true AS ssot_answers\n"
					" FROM %T AS g%s)",
					entity->id_column, list.data, golden_relation(base->relid, reading),
					records == NULL ? "" :
					ssot_sql("\n WHERE g.%I IN (SELECT r.%I FROM (%s) AS r WHERE r.ssot_state = 0)",
							 entity->id_column, entity->id_column,
							 ssot_records_query(records, NIL, NIL, &reading->relations)));
}

/*
 * The metric's entity as the system holds it:
 *
 * (SELECT r.opportunity_id, r.amount, g.is_qualified
 *  FROM (<the system's rows>) AS r
 *  JOIN golden.opportunity AS g USING (opportunity_id)) AS opportunity
 *
 * is_qualified is borrowed from the linked golden record. A record that has none
 * cannot answer, so it is left out; without anything borrowed no join is needed.
 * With reading->records it is kept, and each row says what it is.
 */
static char *
system_entity(const SsotMetric *metric, SsotMetricReading *reading, List *columns)
{
	SsotScopeRelation *base = ssot_scope_relation(metric->scope, 0);
	SsotEntity *entity = ssot_entity_load(base->relid, false);
	SsotRecords *records = ssot_records_open(entity, reading->system, reading->time);
	char	   *list;
	bool		borrows = false;

	if (records == NULL || !ssot_metric_is_measured_by(metric, records))
	{
		if (!reading->foreign)
			refuse_number(metric, records, reading->system);
		return held_golden(metric, records, reading, columns);
	}
	list = own_or_borrowed(records, reading, base->alias, columns, &borrows);
	return ssot_sql("(SELECT r.%I%s%s\n FROM (%s) AS r%s)", entity->id_column, list,
					reading->records ?
					ssot_sql(", r.ssot_key, r.ssot_state, r.ssot_level, r.ssot_rank, r.ssot_updated_at,"
							 " %s AS ssot_answers",
							 borrows ? ssot_sql("g.%I IS NOT NULL", entity->id_column) : "true") : "",
					ssot_records_query(records, columns, reading->optional, &reading->relations),
					borrows ? ssot_sql("\n %s %T AS g ON g.%I = r.%I",
									   reading->records ? "LEFT JOIN" : "JOIN",
									   ssot_records_golden(records), entity->id_column,
									   entity->id_column) : "");
}

/*
 * A referred entity as the system holds it, one row per golden record; where the
 * system holds none, the golden record itself:
 *
 * (SELECT g.customer_id, CASE WHEN r.customer_id IS NULL THEN g.country ELSE r.country END
 *         AS country
 *  FROM golden.customer AS g
 *  LEFT JOIN (SELECT DISTINCT ON (r.customer_id) r.* FROM (<rows>) AS r
 *             ORDER BY r.customer_id, <primary first>) AS r USING (customer_id)) AS customer
 */
static char *
system_referred(const SsotMetric *metric, int i, SsotMetricReading *reading, List *columns)
{
	SsotScopeRelation *relation = ssot_scope_relation(metric->scope, i);
	SsotEntity *entity = ssot_entity_load(relation->relid, false);
	SsotRecords *records = ssot_records_open(entity, reading->system, reading->time);
	StringInfoData list;
	ListCell   *cell;
	bool		has_own = false;

	initStringInfo(&list);
	foreach(cell, columns)
	{
		const char *column = (const char *) lfirst(cell);
		bool		own = records != NULL && ssot_records_map(records, column);

		has_own |= own;
		if (strcmp(column, relation->target) == 0)
			continue;
		if (own)
			ssot_sql_append(&list, ", CASE WHEN r.%I IS NULL THEN g.%I ELSE r.%I END AS %I",
							entity->id_column, column, column, column);
		else
		{
			note_borrowed(reading, relation->parent == NULL ? relation->alias : relation->called, column);
			ssot_sql_append(&list, ", g.%I", column);
		}
	}
	if (!has_own)
		return golden_relation(relation->relid, reading);
	return ssot_sql("(SELECT g.%I%s\n FROM %T AS g\n LEFT JOIN (SELECT DISTINCT ON (r.%I) r.*\n"
					"  FROM (%s) AS r\n  WHERE r.%I IS NOT NULL\n  ORDER BY r.%I, %s) AS r ON r.%I = g.%I)",
					relation->target, list.data, golden_relation(relation->relid, reading),
					entity->id_column, ssot_records_query(records, columns, NIL, &reading->relations),
					entity->id_column, entity->id_column, ssot_records_order,
					entity->id_column, entity->id_column);
}

/* An entity that the metric's refers to: these columns, and what it is joined by. */
static char *
referred(const SsotMetric *metric, int i, SsotMetricReading *reading, List *names)
{
	SsotScopeRelation *relation = ssot_scope_relation(metric->scope, i);

	if (reading->mode == SSOT_METRIC_SETTING)
		return past_relation(ssot_entity_load(relation->relid, false), add_name(names, relation->target));
	if (reading->mode == SSOT_METRIC_SYSTEM)
		return system_referred(metric, i, reading, names);
	return golden_relation(relation->relid, reading);
}

char *
ssot_metric_tree(const SsotMetric *metric, int i, SsotMetricReading *reading)
{
	SsotScopeRelation *relation = ssot_scope_relation(metric->scope, i);

	return referred(metric, i, reading, list_make2(relation->target, relation->parent));
}

/* Names of the columns of relation i that expressions read. */
static List *
asked_of(List *columns, int i)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, columns)
		if (((SsotScopeColumn *) lfirst(cell))->relation == i)
		names = add_name(names, ((SsotScopeColumn *) lfirst(cell))->name);
	return names;
}

static char *
relation_sql(const SsotMetric *metric, int i, SsotMetricReading *reading, List *columns)
{
	SsotScopeRelation *relation = ssot_scope_relation(metric->scope, i);
	List	   *names = ssot_metric_columns_of(metric, columns, i);

	if (relation->parent != NULL)
		return ssot_hierarchy_ancestors(relation, referred(metric, i, reading, names), asked_of(columns, i));
	if (i > 0)
		return referred(metric, i, reading, names);
	if (reading->mode == SSOT_METRIC_SETTING)
		return past_relation(ssot_entity_load(relation->relid, false), names);
	if (reading->mode == SSOT_METRIC_SYSTEM)
		return system_entity(metric, reading, names);
	return golden_relation(relation->relid, reading);
}

/* The rate in force for each row, where the metric converts currencies. */
char *
ssot_metric_rates(const SsotMetric *metric, const SsotMetricReading *reading)
{
	char	   *relation;

	if (metric->rates == NULL)
		return "";
	if (reading->mode == SSOT_METRIC_SETTING)
		relation = past_relation(ssot_entity_load(metric->rates->relid, false),
								 ssot_rates_columns(metric->rates));
	else
		relation = golden_relation(metric->rates->relid, reading);
	return ssot_sql("\nLEFT JOIN LATERAL (SELECT r.%I AS rate FROM %T AS r"
					" WHERE r.retired_at IS NULL AND r.%I = %s%s) AS ssot_rate ON true",
					metric->rates->rate, relation, metric->rates->currency, metric->currency->sql,
					metric->rates->by_day ?
					ssot_sql(" AND r.%I <= %s ORDER BY r.%I DESC LIMIT 1", metric->rates->day,
							 ssot_metric_day(metric), metric->rates->day) : "");
}

char *
ssot_metric_from(const SsotMetric *metric, SsotMetricReading *reading, List *columns)
{
	StringInfoData buf;
	Bitmapset  *relations = needed_relations(metric, columns);

	initStringInfo(&buf);
	for (int i = 0; i < list_length(metric->scope->relations); i++)
	{
		SsotScopeRelation *relation = ssot_scope_relation(metric->scope, i);

		if (!bms_is_member(i, relations))
			continue;
		ssot_sql_append(&buf, "%s%s AS %I", i == 0 ? "" : "\nLEFT JOIN ",
						relation_sql(metric, i, reading, columns), relation->alias);
		if (i > 0)
			ssot_sql_append(&buf, " ON %I.%I = %I.%I", relation->alias,
							relation->parent == NULL ? relation->target : SSOT_NODE_COLUMN,
							ssot_scope_relation(metric->scope, relation->from)->alias,
							relation->column);
	}
	appendStringInfoString(&buf, ssot_metric_rates(metric, reading));
	return buf.data;
}

/* ---- conditions ----------------------------------------------------------- */

char *
ssot_metric_slice(const SsotMetric *metric, const SsotSlice *slice)
{
	SsotDimension *dimension = ssot_metric_find_dimension(metric, slice->dimension);

	if (slice->value == NULL)
		return ssot_sql("(%s) IS NULL", dimension->expr->sql);
	return ssot_sql("(%s) = CAST(%L AS %s)", dimension->expr->sql, slice->value,
					format_type_be_qualified(dimension->expr->type));
}

/* The day up to which a cumulative metric counts. */
static char *
last_day(const SsotMetric *metric, const SsotMetricReading *reading)
{
	return ssot_sql("(SELECT CAST(pg_catalog.timezone(%L, %s) AS pg_catalog.date))",
					metric->time_zone != NULL ? metric->time_zone : "UTC",
					reading->mode == SSOT_METRIC_AT ? time_literal(reading->time) :
					reading->stamp != NULL ? reading->stamp : "pg_catalog.now()");
}

static char *
cumulative_condition(const SsotMetric *metric, const SsotMetricReading *reading, bool by_grain)
{
	char	   *day = ssot_metric_day(metric);
	char	   *last = last_day(metric, reading);
	char	   *until = ssot_sql("%s <= %s", day, last);

	if (metric->window == NULL || by_grain)
		return until;
	if (ssot_is_grain(metric->window))
		return ssot_sql("%s AND %s >= %s", until, day,
						ssot_metric_period(metric, metric->window, last));
	return ssot_sql("%s AND %s > %s - CAST(%L AS pg_catalog.interval)", until, day, last,
					metric->window);
}

/* Conditions on a row besides the filter: "a AND b", or NULL. */
char *
ssot_metric_conditions(const SsotMetric *metric, const SsotMetricReading *reading, List *slices,
					   bool by_grain)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	if (reading->mode != SSOT_METRIC_SYSTEM && !metric->retired)
		ssot_sql_append(&buf, "%I.retired_at IS NULL", ssot_scope_relation(metric->scope, 0)->alias);
	if (metric->kind == SSOT_METRIC_CUMULATIVE)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? " AND " : "",
						 cumulative_condition(metric, reading, by_grain));
	foreach(cell, slices)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? " AND " : "",
						 ssot_metric_slice(metric, (SsotSlice *) lfirst(cell)));
	return buf.len > 0 ? buf.data : NULL;
}

/* Columns that a query of the metric reads. */
List *
ssot_metric_columns(const SsotMetric *metric, List *by, List *slices)
{
	List	   *columns = list_copy(metric->measure->columns);
	ListCell   *cell;

	if (metric->filter != NULL)
		columns = list_concat(list_copy(metric->filter->columns), columns);
	if (metric->currency != NULL)
		columns = list_concat(columns, list_copy(metric->currency->columns));
	if (metric->date != NULL &&
		(metric->kind == SSOT_METRIC_CUMULATIVE || (metric->rates != NULL && metric->rates->by_day)))
		columns = list_concat(columns, list_copy(metric->date->columns));
	foreach(cell, by)
		columns = list_concat(columns,
							  list_copy(ssot_metric_find_dimension(metric, (const char *) lfirst(cell))->expr->columns));
	foreach(cell, slices)
		columns = list_concat(columns,
							  list_copy(ssot_metric_find_dimension(metric, ((SsotSlice *) lfirst(cell))->dimension)->expr->columns));
	return columns;
}

/* ---- the query ------------------------------------------------------------ */

char *
ssot_metric_or_empty(const SsotMetric *metric, const char *value)
{
	return metric->empty == NULL ? ssot_sql("CAST(%s AS pg_catalog.numeric)", value) :
		ssot_sql("coalesce(CAST(%s AS pg_catalog.numeric), %s)", value, metric->empty);
}

static bool
has_grain(const SsotMetric *metric, List *by)
{
	ListCell   *cell;

	foreach(cell, by)
		if (ssot_is_grain(ssot_metric_find_dimension(metric, (const char *) lfirst(cell))->expr->text))
		return true;
	return false;
}

/* "d1, d2": a comma after it if "comma". */
static char *
dimension_list(int n, const char *prefix, bool comma)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 1; i <= n; i++)
		appendStringInfo(&buf, "%s%sd%d", i > 1 ? ", " : "", prefix, i);
	if (comma && n > 0)
		appendStringInfoString(&buf, ", ");
	return buf.data;
}

static char *
rows_query(const SsotMetric *metric, SsotMetricReading *reading, List *by, List *slices)
{
	StringInfoData list;
	ListCell   *cell;
	int			n = 0;
	char	   *conditions = ssot_metric_conditions(metric, reading, slices, has_grain(metric, by));
	char	   *from = ssot_metric_from(metric, reading, ssot_metric_columns(metric, by, slices));

	initStringInfo(&list);
	foreach(cell, by)
		ssot_sql_append(&list, "%s AS d%d, ",
						ssot_metric_find_dimension(metric, (const char *) lfirst(cell))->expr->sql, ++n);
	return ssot_sql("SELECT %s%s AS value\nFROM %s%s%s%s%s%s", list.data,
					ssot_metric_or_empty(metric, metric->measure->sql), from,
					conditions != NULL || metric->filter != NULL ? "\nWHERE " : "",
					conditions != NULL ? conditions : "",
					conditions != NULL && metric->filter != NULL ? " AND " : "",
					metric->filter != NULL ? psprintf("(%s)", metric->filter->sql) : "",
					n > 0 ? psprintf("\nGROUP BY %s", dimension_list(n, "", false)) : "");
}

/*
 * A cumulative metric by a time grain: the running total at the end of each
 * period, within the window's period if it is one.
 *
 * SELECT u.d1, sum(u.value) OVER (PARTITION BY <others>, <window's period> ORDER BY u.d1)
 * FROM (<per period>) AS u
 */
static char *
running_query(const SsotMetric *metric, SsotMetricReading *reading, List *by, List *slices)
{
	StringInfoData partition;
	ListCell   *cell;
	int			n = 0;
	int			grain_at = 0;

	initStringInfo(&partition);
	foreach(cell, by)
	{
		SsotDimension *dimension = ssot_metric_find_dimension(metric, (const char *) lfirst(cell));

		n++;
		if (grain_at == 0 && ssot_is_grain(dimension->expr->text))
			grain_at = n;
		else
			appendStringInfo(&partition, "%su.d%d", partition.len > 0 ? ", " : "", n);
	}
	if (metric->window != NULL && !ssot_is_grain(metric->window))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cumulative metric \"%s\" has a sliding window and cannot be asked by a time grain",
						metric->name),
				 errhint("Ask for it at several times with as_of =>, or let its window be a grain such as \"year\".")));
	if (metric->window != NULL)
		appendStringInfo(&partition, "%s%s", partition.len > 0 ? ", " : "",
						 ssot_metric_period(metric, metric->window, psprintf("u.d%d", grain_at)));
	return ssot_sql("SELECT %spg_catalog.sum(u.value) OVER (%s%s ORDER BY u.d%d) AS value\nFROM (%s) AS u",
					dimension_list(n, "u.", true), partition.len > 0 ? "PARTITION BY " : "",
					partition.data, grain_at, rows_query(metric, reading, by, slices));
}

/* The formula with the parts' values put in place of $1, $2 ...; text in quotes is
 * left alone. */
char *
ssot_metric_formula(const SsotMetric *metric, char **values)
{
	StringInfoData buf;
	char		quote = '\0';

	initStringInfo(&buf);
	for (const char *c = metric->formula; *c != '\0'; c++)
	{
		if (quote == '\0' && *c == '$' && isdigit((unsigned char) c[1]))
		{
			char	   *end;
			int			n = strtol(c + 1, &end, 10);

			appendStringInfoString(&buf, values[n - 1]);
			c = end - 1;
			continue;
		}
		if (quote == '\0' && (*c == '\'' || *c == '"'))
			quote = *c;
		else if (*c == quote)
			quote = '\0';
		appendStringInfoChar(&buf, *c);
	}
	return buf.data;
}

/*
 * SELECT CAST(p1.value / nullif(p2.value, 0) AS numeric) AS value FROM (...) AS p1, (...) AS p2
 */
static char *
whole_formula(const SsotMetric *metric, SsotMetricReading *reading, List *slices)
{
	StringInfoData from;
	char	  **values = palloc(sizeof(char *) * list_length(metric->parts));
	ListCell   *cell;
	int			n = 0;

	initStringInfo(&from);
	foreach(cell, metric->parts)
	{
		values[n] = psprintf("p%d.value", n + 1);
		n++;
		appendStringInfo(&from, "%s(%s) AS p%d", n > 1 ? ", " : "",
						 ssot_metric_query(((SsotMetricPart *) lfirst(cell))->metric, reading, NIL, slices), n);
	}
	return ssot_sql("SELECT CAST(%s AS pg_catalog.numeric) AS value\nFROM %s",
					ssot_metric_formula(metric, values), from.data);
}

/*
 * By dimensions every part gives its groups; a group that a part lacks has that
 * part's value of an empty set.
 *
 * SELECT u.d1, CAST(<formula over coalesce(max(u.v1), 0) ...> AS numeric) AS value
 * FROM (SELECT d1, value AS v1, NULL::numeric AS v2 FROM (...) AS p
 *       UNION ALL
 *       SELECT d1, NULL, value FROM (...) AS p) AS u
 * GROUP BY u.d1
 */
static char *
grouped_formula(const SsotMetric *metric, SsotMetricReading *reading, List *by, List *slices)
{
	StringInfoData from;
	StringInfoData values;
	int			ndims = list_length(by);
	int			nparts = list_length(metric->parts);
	char	  **filled = palloc(sizeof(char *) * nparts);

	initStringInfo(&from);
	initStringInfo(&values);
	for (int p = 0; p < nparts; p++)
	{
		SsotMetric *part = ((SsotMetricPart *) list_nth(metric->parts, p))->metric;

		filled[p] = psprintf("w.v%d", p + 1);
		appendStringInfo(&from, "%sSELECT %s", p > 0 ? "\nUNION ALL\n" : "",
						 dimension_list(ndims, "p.", false));
		for (int q = 0; q < nparts; q++)
			appendStringInfo(&from, q == p ? ", p.value AS v%d" : ", NULL::pg_catalog.numeric AS v%d", q + 1);
		appendStringInfo(&from, "\nFROM (%s) AS p", ssot_metric_query(part, reading, by, slices));
		appendStringInfo(&values, ", coalesce(pg_catalog.max(u.v%d), %s) AS v%d", p + 1,
						 part->empty == NULL ? "NULL::pg_catalog.numeric" : part->empty, p + 1);
	}
	return ssot_sql("SELECT %sCAST(%s AS pg_catalog.numeric) AS value\n"
					"FROM (SELECT %s%s\nFROM (%s) AS u\nGROUP BY %s) AS w",
					dimension_list(ndims, "w.", true), ssot_metric_formula(metric, filled),
					dimension_list(ndims, "u.", false), values.data, from.data,
					dimension_list(ndims, "u.", false));
}

char *
ssot_metric_query(const SsotMetric *metric, SsotMetricReading *reading, List *by, List *slices)
{
	if (metric->parts != NIL)
		return by == NIL ? whole_formula(metric, reading, slices) :
			grouped_formula(metric, reading, by, slices);
	if (metric->kind == SSOT_METRIC_CUMULATIVE && has_grain(metric, by))
		return running_query(metric, reading, by, slices);
	return rows_query(metric, reading, by, slices);
}
