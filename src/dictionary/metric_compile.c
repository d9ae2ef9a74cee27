/*
 * dictionary/metric_compile.c
 *		Checking a declared metric and compiling it.
 *
 * Everything that can be wrong is refused when the metric is declared. What may be
 * wrong is said: a filter that is neither true nor false for some rows leaves them
 * out, which is seldom what people mean.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "dictionary/formula.h"
#include "dictionary/metric_compile.h"
#include "entity/json.h"

#include "utils/builtins.h"

static char *
member(Jsonb *spec, const char *name)
{
	JsonbValue *value = ssot_json_member(spec, name);

	return value == NULL || value->type == jbvNull ? NULL : ssot_json_string(value, name);
}

static void
refuse_member(const char *name, Jsonb *declared, const char *part, const char *kind)
{
	if (member(declared, part) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("metric \"%s\" of kind \"%s\" has no %s", name, kind, part),
				 errhint("Leave it out, or choose another kind.")));
}

/* Is the metric computed from itself? */
static bool
contains(const SsotMetric *metric, const char *name, const char *variant)
{
	ListCell   *cell;

	if (strcmp(metric->name, name) == 0 && strcmp(metric->variant, variant) == 0)
		return true;
	foreach(cell, metric->parts)
		if (contains(((SsotMetricPart *) lfirst(cell))->metric, name, variant))
		return true;
	return false;
}

static char *
formula_of(SsotMetric *metric, Jsonb *declared, List **names)
{
	if (metric->kind == SSOT_METRIC_RATIO)
	{
		char	   *numerator = member(declared, "numerator");
		char	   *denominator = member(declared, "denominator");

		if (numerator == NULL || denominator == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("ratio \"%s\" needs a numerator and a denominator", metric->name),
					 errhint("Name two metrics: numerator => 'won', denominator => 'pipeline'.")));
		*names = list_make2(numerator, denominator);
		return pstrdup("$1 / NULLIF($2, 0)");
	}
	if (member(declared, "expression") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("derived metric \"%s\" has no expression", metric->name),
				 errhint("Compute it from other metrics: expression => 'booked - billed'.")));
	return ssot_formula_parse(member(declared, "expression"),
							  psprintf("the expression of metric \"%s\"", metric->name), names);
}

static SsotMetric *
compile_formula(SsotMetric *metric, Jsonb *declared, SsotMetricFinder finder)
{
	static const char *const not_ours[] = {
		"entity", "measure", "filter", "date", "currency", "rates", "window", "calendar", "empty"
	};
	List	   *names = NIL;
	ListCell   *cell;

	for (int i = 0; i < lengthof(not_ours); i++)
		refuse_member(metric->name, declared, not_ours[i], ssot_metric_kind_name(metric->kind));
	metric->formula = formula_of(metric, declared, &names);
	foreach(cell, names)
	{
		SsotMetricPart *part = palloc0(sizeof(SsotMetricPart));

		part->metric = finder((const char *) lfirst(cell));
		part->definition = part->metric->name;
		part->variant = part->metric->variant;
		part->version = part->metric->version;
		metric->parts = lappend(metric->parts, part);
		if (contains(part->metric, metric->name, metric->variant))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("metric \"%s\" would be computed from itself", metric->name),
					 errdetail("Metric \"%s\" is computed from it.", (const char *) lfirst(cell))));
	}
	return metric;
}

SsotMetric *
ssot_metric_compile(const char *name, const char *variant, Jsonb *declared, SsotMetricFinder finder)
{
	SsotMetric *metric = palloc0(sizeof(SsotMetric));

	metric->name = pstrdup(name);
	metric->variant = pstrdup(variant);
	metric->kind = ssot_metric_kind_of(member(declared, "kind"));
	metric->unit = member(declared, "unit");
	if (metric->kind == SSOT_METRIC_RATIO || metric->kind == SSOT_METRIC_DERIVED)
		return compile_formula(metric, declared, finder);
	refuse_member(name, declared, "numerator", ssot_metric_kind_name(metric->kind));
	refuse_member(name, declared, "denominator", ssot_metric_kind_name(metric->kind));
	refuse_member(name, declared, "expression", ssot_metric_kind_name(metric->kind));
	if (metric->kind == SSOT_METRIC_SIMPLE)
		refuse_member(name, declared, "window", "simple");
	return ssot_metric_from_json(name, variant, 0, declared, NULL);
}

/* How many rows the filter is neither true nor false for. */
void
ssot_metric_warn(const SsotMetric *metric)
{
	SsotMetricReading reading = {.mode = SSOT_METRIC_NOW};
	SsotStatement statement = {.read_only = true};
	Datum		count;
	bool		isnull;
	int			level;
	char	   *conditions;

	if (metric->filter == NULL)
		return;
	conditions = metric->retired ? NULL :
		ssot_sql("%I.retired_at IS NULL", ssot_scope_relation(metric->scope, 0)->alias);
	statement.sql = ssot_sql("SELECT pg_catalog.count(*) FROM %s WHERE (%s) IS NULL%s%s",
							 ssot_metric_from(metric, &reading, metric->filter->columns),
							 metric->filter->sql, conditions == NULL ? "" : " AND ",
							 conditions == NULL ? "" : conditions);
	level = ssot_settings_begin(false);
	ssot_statement_one(&statement, 1, &count, &isnull);
	ssot_settings_end(level);
	if (DatumGetInt64(count) > 0)
		ereport(WARNING,
				(errmsg("the filter of metric \"%s\" is NULL for " INT64_FORMAT " of the rows it would count",
						metric->name, DatumGetInt64(count)),
				 errdetail("A row counts only where the filter is true, so these are left out."),
				 errhint("Say what an absent value means, for example coalesce(stage, 'open') <> 'lost'.")));
}
