/*
 * dictionary/metric_view.c
 *		The views through which everybody reads a metric.
 *
 * An analyst reads a number where every tool reads: in a view. It has one row,
 * computed by the plain aggregate, and what a number must never be without.
 *
 *		CREATE VIEW metrics.pipeline WITH (security_invoker = true) AS
 *		SELECT q.value, <all of it as ssot.metric_value> AS metric, s.as_of,
 *		       'pipeline'::text AS definition, ''::text AS variant,
 *		       3 AS version, 'USD'::text AS unit, s.freshness, <label> AS label
 *		FROM (<the metric's query>) AS q,
 *		     ssot.metric_stamp('pipeline', '{golden.opportunity}', false) AS s
 *
 * The stamp is computed once: a function in FROM that depends on no row. It reads
 * the as-of that the snapshot of the query sees, and refuses where the setting
 * ssot.as_of asks for a past that this view does not show; the same view in schema
 * metrics_as_of shows it.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "dictionary/metric_view.h"
#include "entity/ddl.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* A view's columns after its dimensions, with comments. */
static const struct
{
	const char *name;
	const char *comment;
}			columns[] =

{
	{"value", "The number"},
	{"metric", "The number as a value that knows what it is: two that differ in definition, version, unit or as-of cannot be subtracted by accident"},
	{"as_of", "The time whose belief this is"},
	{"definition", "Name of the definition that it is counted by"},
	{"variant", "Variant of the definition; empty: its only one"},
	{"version", "Version of the definition"},
	{"unit", "What the number counts"},
	{"freshness", "Per system, through when its data is complete"},
	{"label", "The number as a person would say it"}
};

Oid
ssot_metric_entity(const SsotMetric *metric)
{
	while (metric->parts != NIL)
		metric = ((SsotMetricPart *) linitial(metric->parts))->metric;
	return ssot_scope_relation(metric->scope, 0)->relid;
}

static char *
view_name(const SsotMetric *metric, const char *dimension)
{
	char	   *name = metric->canonical || *metric->variant == '\0' ? metric->name :
	psprintf("%s:%s", metric->name, metric->variant);

	if (dimension != NULL)
		name = psprintf("%s_by_%s", name, dimension);
	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("the name of view \"%s\" is longer than %d bytes", name, NAMEDATALEN - 1),
				 errhint("Choose a shorter name for the metric or for the dimension.")));
	return name;
}

List *
ssot_metric_view_names(const SsotMetric *metric)
{
	List	   *names = list_make1(view_name(metric, NULL));
	ListCell   *cell;

	foreach(cell, ssot_metric_dimension_names(metric))
		names = lappend(names, view_name(metric, (const char *) lfirst(cell)));
	return names;
}

/* The entities' names as a SQL array. */
static char *
entity_array(const SsotMetric *metric)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, ssot_metric_entities(metric))
		ssot_sql_append(&buf, "%s%L", buf.len > 0 ? ", " : "", (const char *) lfirst(cell));
	return psprintf("ARRAY[%s]::pg_catalog.text[]", buf.data);
}

static char *
view_query(const SsotMetric *metric, const char *dimension, bool past)
{
	List	   *by = dimension == NULL ? NIL : list_make1(pstrdup(dimension));
	char	   *stamp = ssot_sql("ssot.metric_stamp(%L::pg_catalog.text, %s, %s)", metric->name,
								 entity_array(metric), past ? "true" : "false");
	SsotMetricReading reading = {
		.mode = past ? SSOT_METRIC_SETTING : SSOT_METRIC_NOW,
		.stamp = psprintf("(SELECT k.as_of FROM %s AS k)", stamp)
	};
	char	   *query = ssot_metric_query(metric, &reading, by, NIL);

	return ssot_sql("SELECT %s%s q.value, ssot.metric_value(q.value, %L, %L, %L, %d, s.as_of) AS metric, s.as_of,\n"
					"       %L::pg_catalog.text AS definition, %L::pg_catalog.text AS variant, %d AS version,\n"
					"       %L::pg_catalog.text AS unit, s.freshness,\n"
					"       ssot.metric_label(%L, %L, %d, %L, q.value, s.as_of) AS label\n"
					"FROM (%s) AS q,\n     %s AS s",
					dimension == NULL ? "" : ssot_sql("q.d1 AS %I", dimension),
					dimension == NULL ? "" : ",",
					metric->unit, metric->name, metric->variant, metric->version,
					metric->name, metric->variant, metric->version, metric->unit,
					metric->name, metric->variant, metric->version, metric->unit,
					query, stamp);
}

static void
append_view(StringInfo ddl, const SsotMetric *metric, const char *dimension,
			bool past, const char *text)
{
	char	   *view = ssot_qualified_name(past ? SSOT_METRICS_AS_OF : SSOT_METRICS,
										   view_name(metric, dimension));
	char	   *comment = psprintf("%s (definition v%d%s%s)", text != NULL ? text : metric->name,
								   metric->version, dimension == NULL ? "" : psprintf(", by %s", dimension),
								   past ? "; as of the time in the setting ssot.as_of" : "");

	ssot_sql_append(ddl, "CREATE OR REPLACE VIEW %T WITH (security_invoker = true) AS\n%s;\n"
					"COMMENT ON VIEW %T IS %L;\n", view,
					view_query(metric, dimension, past), view, comment);
	if (dimension != NULL)
		ssot_sql_append(ddl, "COMMENT ON COLUMN %T.%I IS %L;\n", view, dimension,
						psprintf("Dimension \"%s\" of metric \"%s\"", dimension, metric->name));
	for (int i = 0; i < lengthof(columns); i++)
		ssot_sql_append(ddl, "COMMENT ON COLUMN %T.%I IS %L;\n", view, columns[i].name,
						strcmp(columns[i].name, "value") == 0 && text != NULL ? text : columns[i].comment);
}

/*
 * The schema, made if it is missing. It belongs to whoever owns the first entity
 * with a metric; owners of other entities need CREATE on it.
 */
static void
require_schema(const char *schema, const char *comment, Oid owner)
{
	Oid			namespace = get_namespace_oid(schema, true);

	if (!OidIsValid(namespace))
	{
		ssot_sql_run(ssot_sql("CREATE SCHEMA %I AUTHORIZATION %I;\nCOMMENT ON SCHEMA %I IS %L", schema,
							  GetUserNameFromId(owner, false), schema, comment));
		return;
	}
	if (pg_namespace_aclcheck(namespace, owner, ACL_CREATE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may not create views in schema \"%s\"",
						GetUserNameFromId(owner, false), schema),
				 errhint("Let the schema's owner: GRANT CREATE ON SCHEMA %s TO %s;", schema,
						 quote_identifier(GetUserNameFromId(owner, false)))));
}

/* The schemas of views, while the metric's author is here to make them: whoever
 * signs last may not. */
void
ssot_metric_schemas_require(const SsotMetric *metric)
{
	Oid			owner = ssot_relation_owner(ssot_metric_entity(metric));
	int			level = ssot_settings_begin(false);

	require_schema(SSOT_METRICS, "Metrics: one view per approved metric, and one by each of its dimensions", owner);
	require_schema(SSOT_METRICS_AS_OF, "Metrics as of the time in the setting ssot.as_of", owner);
	ssot_settings_end(level);
}

void
ssot_metric_views_create(const SsotMetric *metric, const char *text)
{
	Oid			entity = ssot_metric_entity(metric);
	int			level = ssot_settings_begin(false);
	StringInfoData ddl;
	List	   *dimensions = ssot_metric_dimension_names(metric);
	ListCell   *cell;
	SsotUser	user;

	user = ssot_become_owner(entity);
	initStringInfo(&ddl);
	for (int past = 0; past < 2; past++)
	{
		append_view(&ddl, metric, NULL, past, text);
		foreach(cell, dimensions)
			append_view(&ddl, metric, (const char *) lfirst(cell), past, text);
	}
	ssot_own_ddl_begin();
	PG_TRY();
	{
		ssot_sql_run(ddl.data);
	}
	PG_FINALLY();
	{
		ssot_own_ddl_end();
	}
	PG_END_TRY();
	ssot_restore_user(user);
	ssot_settings_end(level);
}
