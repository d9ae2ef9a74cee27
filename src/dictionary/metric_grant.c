/*
 * dictionary/metric_grant.c
 *		ssot.grant_metric: who may read a metric.
 *
 * Views of metrics run with the rights of whoever reads them, so that row-level
 * security holds. A reader therefore needs the columns that the metric reads, and
 * no more than these:
 *
 *		GRANT USAGE ON SCHEMA metrics, metrics_as_of TO bi;
 *		GRANT SELECT ON metrics.pipeline, metrics_as_of.pipeline, ... TO bi;
 *		GRANT USAGE ON SCHEMA golden TO bi;
 *		GRANT SELECT (amount, stage, retired_at) ON golden.opportunity TO bi;
 *
 * The statements run under the caller's rights.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "dictionary/metric_store.h"
#include "dictionary/metric_view.h"
#include "entity/declare.h"

#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ssot_grant_metric);

/* All columns that the metric's views read. */
static List *
view_columns(const SsotMetric *metric)
{
	List	   *columns = ssot_metric_columns(metric, ssot_metric_dimension_names(metric), NIL);

	return metric->date == NULL ? columns : list_concat(columns, list_copy(metric->date->columns));
}

static void
grant_relation(StringInfo ddl, Oid relid, List *names, const char *role)
{
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, names)
		ssot_sql_append(&list, "%s%I", list.len > 0 ? ", " : "", (const char *) lfirst(cell));
	ssot_sql_append(ddl, "GRANT USAGE ON SCHEMA %I TO %s;\nGRANT SELECT (%s) ON %T TO %s;\n",
					get_namespace_name(get_rel_namespace(relid)), role,
					list.data, ssot_relation_name(relid), role);
}

static void
grant_columns(StringInfo ddl, const SsotMetric *metric, const char *role)
{
	ListCell   *cell;
	List	   *columns;

	foreach(cell, metric->parts)
		grant_columns(ddl, ((SsotMetricPart *) lfirst(cell))->metric, role);
	if (metric->scope == NULL)
		return;
	columns = view_columns(metric);
	for (int i = 0; i < list_length(metric->scope->relations); i++)
	{
		SsotScopeRelation *relation = ssot_scope_relation(metric->scope, i);
		List	   *names = ssot_metric_columns_of(metric, columns, i);

		if (i == 0)
			names = lappend(names, SSOT_RETIRED_AT);
		else
			names = lappend(names, relation->target);
		if (relation->parent != NULL)
			names = lappend(names, SSOT_RETIRED_AT);	/* ssot.metric_rollup */
		grant_relation(ddl, relation->relid, names, role);
	}
	if (metric->rates != NULL)
		grant_relation(ddl, metric->rates->relid,
					   lappend(ssot_rates_columns(metric->rates), SSOT_RETIRED_AT), role);
}

Datum
ssot_grant_metric(PG_FUNCTION_ARGS)
{
	SsotMetric *metric = ssot_metric_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *role = ssot_sql("%I", name);
	StringInfoData ddl;
	ListCell   *cell;
	int			level;

	if (!OidIsValid(get_role_oid(name, true)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist", name),
				 errhint("Name one role as it is in pg_roles, without quotes; PUBLIC is none.")));
	initStringInfo(&ddl);
	ssot_sql_append(&ddl, "GRANT USAGE ON SCHEMA %I, %I TO %s;\n", SSOT_METRICS, SSOT_METRICS_AS_OF, role);
	foreach(cell, ssot_metric_view_names(metric))
		ssot_sql_append(&ddl, "GRANT SELECT ON %I.%I, %I.%I TO %s;\n",
						SSOT_METRICS, (const char *) lfirst(cell),
						SSOT_METRICS_AS_OF, (const char *) lfirst(cell), role);
	grant_columns(&ddl, metric, role);
	level = ssot_settings_begin(false);
	ssot_sql_run(ddl.data);
	ssot_settings_end(level);
	PG_RETURN_VOID();
}
