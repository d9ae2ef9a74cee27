/*
 * dictionary/rollup.c
 *		ssot.metric_rollup: a metric for every node of a hierarchy, by itself and with all
 *		that lies below it.
 *
 * Rows are aggregated once, by the node that they refer to; ssot.roll_up then adds up
 * from the leaves to the roots, each node once. So the cost is that of the plain
 * aggregate by node and of walking the tree, whatever its depth:
 *
 *		SELECT r.node1::text, r.parent1::text, r.level1, coalesce(r.own1, 0), coalesce(r.value1, 0), ...
 *		FROM (SELECT array_agg(t.account_id) AS ids, array_agg(t.parent_id) AS parents, ...
 *		      FROM golden.account AS t) AS x
 *		CROSS JOIN (SELECT array_agg(q.node) AS nodes, array_agg(q.value) AS values
 *		      FROM (SELECT deal.account_id AS node, sum(amount) AS value
 *		            FROM golden.deal AS deal WHERE ... GROUP BY 1) AS q) AS y1
 *		CROSS JOIN LATERAL ROWS FROM (
 *		    ssot.roll_up(x.ids, x.parents, x.shown, y1.nodes, y1.values, 'sum')) AS r (node1, ...)
 *
 * Sums and counts are added, the least and the greatest chosen, a mean is the sum
 * divided by the count, and different things are counted by where they lie; other
 * aggregates cannot be had from those of parts. A metric
 * from other metrics is its formula over their rolled-up values. Each such aggregate is
 * a call of ssot.roll_up, all over the same arrays: their rows lie side by side.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "dictionary/hierarchy.h"
#include "dictionary/metric_ask.h"
#include "entity/declare.h"

#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ssot_metric_rollup);

typedef struct Rollup
{
	SsotQuestion question;
	char	   *hierarchy;
	Oid			relid;			/* the hierarchy's table */
	const char *parent;			/* its foreign key to itself */
	StringInfoData sources;		/* FROM items y1, y2 ... */
	StringInfoData calls;		/* calls of ssot.roll_up */
	StringInfoData names;		/* columns of their rows */
	int			n;				/* of them */
} Rollup;

/* ---- the hierarchy -------------------------------------------------------- */

/* The ancestors' relation in the scope of a metric of rows. */
static int
reach(const Rollup *rollup, const SsotMetric *metric)
{
	return ssot_hierarchy_reach(metric->scope, rollup->hierarchy, 1,
								psprintf("the roll-up of metric \"%s\"", metric->name), NULL);
}

/* All parts of a metric go along one hierarchy, although each finds it by itself. */
static void
find_hierarchy(Rollup *rollup, const SsotMetric *metric)
{
	SsotScopeRelation *relation;
	ListCell   *cell;

	foreach(cell, metric->parts)
		find_hierarchy(rollup, ((SsotMetricPart *) lfirst(cell))->metric);
	if (metric->parts != NIL)
		return;
	relation = ssot_scope_relation(metric->scope, reach(rollup, metric));
	if (OidIsValid(rollup->relid) &&
		(rollup->relid != relation->relid || strcmp(rollup->parent, relation->parent) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not the same hierarchy for all parts of metric \"%s\"", rollup->hierarchy,
						rollup->question.metric->name),
				 errdetail("It leads to \"%s\" of \"%s\", and to \"%s\" of \"%s\".", rollup->parent,
						   ssot_relation_name(rollup->relid), relation->parent,
						   ssot_relation_name(relation->relid))));
	rollup->relid = relation->relid;
	rollup->parent = relation->parent;
}

static const SsotMetric *
first_of_rows(const SsotMetric *metric)
{
	while (metric->parts != NIL)
		metric = ((SsotMetricPart *) linitial(metric->parts))->metric;
	return metric;
}

/* The tree's arrays. A system's records are retired by nobody, so its tree shows where
 * its rows are. */
static char *
tree_arrays(Rollup *rollup)
{
	const SsotMetric *metric = first_of_rows(rollup->question.metric);
	int			at = reach(rollup, metric);

	return ssot_hierarchy_arrays(ssot_scope_relation(metric->scope, at),
								 ssot_metric_tree(metric, at, &rollup->question.reading),
								 rollup->question.reading.mode == SSOT_METRIC_SYSTEM ?
								 ", pg_catalog.array_agg(false) AS shown" :
								 ", pg_catalog.array_agg(t.retired_at IS NULL) AS shown");
}

/* ---- one aggregate -------------------------------------------------------- */

/* The rows that count, with the node that each refers to: "FROM ... WHERE ...", and
 * *node as SQL. */
static char *
rows_of(const Rollup *rollup, const SsotMetric *metric, SsotMetricReading *reading, char **node)
{
	SsotScopeRelation *hierarchy = ssot_scope_relation(metric->scope, reach(rollup, metric));
	SsotScopeColumn *column = palloc(sizeof(SsotScopeColumn));
	List	   *columns = ssot_metric_columns(metric, NIL, rollup->question.slices);
	char	   *conditions = ssot_metric_conditions(metric, reading, rollup->question.slices, false);

	column->relation = hierarchy->from;
	column->name = hierarchy->column;
	*node = ssot_sql("CAST(%I.%I AS %s)", ssot_scope_relation(metric->scope, hierarchy->from)->alias,
					 column->name, ssot_hierarchy_id_type(hierarchy));
	return ssot_sql("FROM %s%s%s%s%s", ssot_metric_from(metric, reading, lappend(columns, column)),
					conditions != NULL || metric->filter != NULL ? "\nWHERE " : "",
					conditions != NULL ? conditions : "",
					conditions != NULL && metric->filter != NULL ? " AND " : "",
					metric->filter != NULL ? psprintf("(%s)", metric->filter->sql) : "");
}

/* Golden records that are the hierarchy themselves: one per node. */
static bool
is_one_per_node(const Rollup *rollup, const SsotMetric *metric)
{
	SsotScopeRelation *hierarchy = ssot_scope_relation(metric->scope, reach(rollup, metric));

	return hierarchy->from == 0 && rollup->question.reading.mode != SSOT_METRIC_SYSTEM &&
		hierarchy->relid == ssot_scope_relation(metric->scope, 0)->relid;
}

/*
 * The value of each node by itself: (node, value).
 *
 * SELECT deal.account_id AS node, sum(amount) AS value FROM ... WHERE ... GROUP BY 1
 *
 * Where rows are one per node, a sum's shares need no grouping: ssot.roll_up adds them
 * up in any case.
 */
static char *
by_node(const Rollup *rollup, const SsotMetric *metric, SsotMetricReading *reading,
		const char *aggregate, const char *share)
{
	bool		single = share != NULL && is_one_per_node(rollup, metric);
	char	   *node;
	char	   *rows = rows_of(rollup, metric, reading, &node);

	return ssot_sql("SELECT %s AS node, CAST(%s AS pg_catalog.numeric) AS value\n%s%s", node,
					single ? share : aggregate, rows, single ? "" : "\nGROUP BY 1");
}

/*
 * What different things each node has: (node, number of the thing).
 *
 * SELECT d.node, CASE WHEN d.thing IS NOT NULL THEN dense_rank() OVER (ORDER BY d.thing) END
 * FROM (SELECT DISTINCT deal.account_id AS node, owner AS thing FROM ... WHERE ...) AS d
 */
static char *
things_by_node(const Rollup *rollup, const SsotMetric *metric, SsotMetricReading *reading)
{
	char	   *node;
	char	   *rows = rows_of(rollup, metric, reading, &node);

	return ssot_sql("SELECT d.node, CAST(CASE WHEN d.thing IS NOT NULL THEN"
					" pg_catalog.dense_rank() OVER (ORDER BY d.thing) END AS pg_catalog.numeric) AS value\n"
					"FROM (SELECT DISTINCT %s AS node, %s AS thing\n%s) AS d",
					node, metric->measure->different, rows);
}

/* Add a call of ssot.roll_up; its number. */
static int
add_call(Rollup *rollup, const char *values, const char *how)
{
	int			n = ++rollup->n;

	ssot_sql_append(&rollup->sources,
					"\nCROSS JOIN (SELECT pg_catalog.array_agg(q.node) AS nodes,"
					" pg_catalog.array_agg(q.value) AS values\nFROM (%s) AS q) AS y%d",
					values, n);
	ssot_sql_append(&rollup->calls, "%sssot.roll_up(x.ids, x.parents, x.shown, y%d.nodes, y%d.values, %L)",
					n > 1 ? ",\n" : "", n, n, how);
	ssot_sql_append(&rollup->names, "%snode%d, parent%d, level%d, used%d, own%d, value%d",
					n > 1 ? ", " : "", n, n, n, n, n, n);
	return n;
}

static void
refuse_measure(const SsotMetric *metric)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("metric \"%s\" cannot be rolled up along a hierarchy", metric->name),
			 errdetail("Its measure, %s, of a parent does not follow from those of its children.", metric->measure->sql),
			 errhint("A sum, count, count(DISTINCT ...), min or max can be, an avg of exact numbers, and what is computed from such metrics; "
					 "or declare a dimension of one level: {\"hierarchy\": ..., \"level\": 1}.")));
}

/* SQL of a metric's value at a node: by itself (own) and with all below it. */
typedef struct Value
{
	char	   *own;
	char	   *whole;
} Value;

static Value
value_of_rows(Rollup *rollup, const SsotMetric *metric)
{
	const SsotScoped *measure = metric->measure;
	SsotMetricReading *reading = &rollup->question.reading;
	Value		value;

	if (measure->mean_sum != NULL)
	{
		int			sum = add_call(rollup, by_node(rollup, metric, reading, measure->mean_sum, NULL), "sum");
		int			count = add_call(rollup, by_node(rollup, metric, reading, measure->mean_count, NULL), "sum");

		value.own = psprintf("r.own%d / nullif(r.own%d, 0)", sum, count);
		value.whole = psprintf("r.value%d / nullif(r.value%d, 0)", sum, count);
	}
	else if (measure->added != NULL || measure->extreme != NULL || measure->different != NULL)
	{
		bool		counts = measure->counts || measure->different != NULL;
		int			n = add_call(rollup,
								 measure->different != NULL ? things_by_node(rollup, metric, reading) :
								 by_node(rollup, metric, reading, measure->sql, measure->added),
								 measure->different != NULL ? "distinct" :
								 measure->added != NULL ? "sum" : measure->extreme);

		value.own = psprintf(counts ? "coalesce(r.own%d, 0)" : "r.own%d", n);
		value.whole = psprintf(counts ? "coalesce(r.value%d, 0)" : "r.value%d", n);
	}
	else
		refuse_measure(metric);
	value.own = ssot_metric_or_empty(metric, value.own);
	value.whole = ssot_metric_or_empty(metric, value.whole);
	return value;
}

static Value
value_of(Rollup *rollup, const SsotMetric *metric)
{
	int			nparts = list_length(metric->parts);
	char	  **own = palloc(sizeof(char *) * Max(nparts, 1));
	char	  **whole = palloc(sizeof(char *) * Max(nparts, 1));
	Value		value;

	if (nparts == 0)
		return value_of_rows(rollup, metric);
	for (int i = 0; i < nparts; i++)
	{
		value = value_of(rollup, ((SsotMetricPart *) list_nth(metric->parts, i))->metric);
		own[i] = value.own;
		whole[i] = value.whole;
	}
	value.own = ssot_sql("CAST(%s AS pg_catalog.numeric)", ssot_metric_formula(metric, own));
	value.whole = ssot_sql("CAST(%s AS pg_catalog.numeric)", ssot_metric_formula(metric, whole));
	return value;
}

/* ---- the answer ----------------------------------------------------------- */

/* "name1 OR name2", "coalesce(name1, name2)": of all calls. */
static char *
of_all(const Rollup *rollup, const char *name, const char *separator)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 1; i <= rollup->n; i++)
		appendStringInfo(&buf, "%sr.%s%d", i > 1 ? separator : "", name, i);
	return buf.data;
}

static char *
rollup_sql(Rollup *rollup)
{
	const SsotQuestion *question = &rollup->question;
	const SsotMetric *metric = question->metric;
	Value		value = value_of(rollup, metric);
	char	   *arrays = tree_arrays(rollup);

	return ssot_sql("SELECT CAST(coalesce(%s) AS pg_catalog.text), CAST(coalesce(%s) AS pg_catalog.text),"
					" coalesce(%s), %s, %s, %L::pg_catalog.timestamptz, %L::pg_catalog.text, %L::pg_catalog.text, %d,"
					" %L::pg_catalog.text, %L::pg_catalog.text, %L::pg_catalog.jsonb, %s\n"
					"FROM (%s) AS x%s\nCROSS JOIN LATERAL ROWS FROM (%s) AS r (%s)\nWHERE %s",
					of_all(rollup, "node", ", "), of_all(rollup, "parent", ", "), of_all(rollup, "level", ", "),
					value.own, value.whole, timestamptz_to_str(question->as_of), metric->name, metric->variant,
					metric->version, metric->unit,
					question->system == NULL ? "golden" : question->system,
					JsonbToCString(NULL, &question->freshness->root, 0),
					ssot_question_borrowed(question), arrays, rollup->sources.data, rollup->calls.data,
					rollup->names.data, of_all(rollup, "used", " OR "));
}

/*
 * metric_rollup(metric, hierarchy, as_of, version, variant, slice, system): one row per
 * node of the hierarchy, and one for what belongs to none.
 */
Datum
ssot_metric_rollup(PG_FUNCTION_ARGS)
{
	Rollup		rollup = {.hierarchy = ssot_text_arg(fcinfo, 1)};
	bool		has_time = !PG_ARGISNULL(2);
	TimestampTz time = has_time ? PG_GETARG_TIMESTAMPTZ(2) : DT_NOEND;
	SsotMetricVersion version = {
		.name = ssot_text_arg(fcinfo, 0),.variant = ssot_text_arg(fcinfo, 4),
		.has_version = !PG_ARGISNULL(3),.version = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3)
	};

	if (rollup.hierarchy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the hierarchy must not be null"),
				 errhint("Name the foreign key to the table with the hierarchy, or that table: 'account'.")));
	ssot_question_metric(&rollup.question, &version, ssot_text_arg(fcinfo, 6), has_time, time);
	rollup.question.slices = ssot_slices(PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5), rollup.question.metric);
	find_hierarchy(&rollup, rollup.question.metric);
	ssot_question_read(&rollup.question, has_time, time);
	initStringInfo(&rollup.sources);
	initStringInfo(&rollup.calls);
	initStringInfo(&rollup.names);
	ssot_question_answer(fcinfo, &rollup.question, rollup_sql(&rollup));
	PG_RETURN_NULL();
}
