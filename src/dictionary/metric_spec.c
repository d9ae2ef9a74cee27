/*
 * dictionary/metric_spec.c
 *		A metric from its declaration, and its qualified form.
 *
 * A metric is kept as JSON twice: as declared, and compiled. Both have one shape:
 *
 *		{"kind": "simple", "entity": "golden.opportunity", "measure": "sum(amount)",
 *		 "filter": "is_qualified", "dimensions": [{"name": "country",
 *		 "value": "customer.country"}, {"name": "group", "hierarchy": "customer.parent_id",
 *		 "level": 1, "column": "name"}], "date": "signed_on", "unit": "USD",
 *		 "retired": false, "empty": "0", "currency": "currency", "rates": "golden.rate"}
 *		 (of rates whose columns were renamed: "rates_rate": "fx", ...)
 *		{"kind": "derived", "formula": "won / pipeline", "unit": "%",
 *		 "parts": [{"definition": "won", "variant": "", "version": 2}, ...]}
 *
 * In the compiled one expressions are qualified, and a formula names its parts as
 * $1, $2 ...; so one reader serves both, under the declarer's search path or under
 * the pinned one. A compiled metric is parsed anew each time it is read: a column
 * that has gone since is found there.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/settings.h"
#include "dictionary/hierarchy.h"
#include "dictionary/metric_spec.h"
#include "entity/json.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

static const char *const kind_names[] = {"simple", "ratio", "derived", "cumulative"};

/* Time grains; each is also a dimension of a metric with a date. */
static const char *const grains[] = {"day", "week", "month", "quarter", "year"};

const char *
ssot_metric_kind_name(SsotMetricKind kind)
{
	return kind_names[kind];
}

SsotMetricKind
ssot_metric_kind_of(const char *name)
{
	for (int i = 0; name != NULL && i < lengthof(kind_names); i++)
		if (strcmp(kind_names[i], name) == 0)
			return (SsotMetricKind) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no kind of metric \"%s\"", name == NULL ? "" : name),
			 errhint("kind is \"simple\", \"ratio\", \"derived\" or \"cumulative\".")));
}

bool
ssot_is_grain(const char *name)
{
	for (int i = 0; i < lengthof(grains); i++)
		if (strcmp(grains[i], name) == 0)
			return true;
	return false;
}

/* ---- reading JSON --------------------------------------------------------- */

/* A member's text; NULL where it is absent or null. */
static char *
member(Jsonb *spec, const char *name)
{
	JsonbValue *value = ssot_json_member(spec, name);

	if (value == NULL || value->type == jbvNull)
		return NULL;
	return ssot_json_string(value, name);
}

static bool
member_bool(Jsonb *spec, const char *name)
{
	JsonbValue *value = ssot_json_member(spec, name);

	return value != NULL && value->type == jbvBool && value->val.boolean;
}

/* The elements of an array member, each a Jsonb. */
static List *
member_list(Jsonb *spec, const char *name)
{
	JsonbValue *value = ssot_json_member(spec, name);
	List	   *elements = NIL;
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;

	if (value == NULL || value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		return NIL;
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			elements = lappend(elements, JsonbValueToJsonb(memcpy(palloc(sizeof(v)), &v, sizeof(v))));
	return elements;
}

/* ---- simple and cumulative ------------------------------------------------ */

static char *
what_of(const SsotMetric *metric, const char *part)
{
	return psprintf("%s of metric \"%s\"", part, metric->name);
}

static void
require_number(const SsotMetric *metric, Oid type)
{
	if (TypeCategory(type) == TYPCATEGORY_NUMERIC && type != REGPROCOID && type != OIDOID)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("the measure of metric \"%s\" is of type %s, not a number", metric->name,
					format_type_be(type)),
			 errhint("Write a measure such as sum(amount), count(*) or extract(epoch FROM avg(duration)).")));
}

static SsotScoped *
predicate(SsotMetric *metric, const char *text)
{
	SsotScoped *filter;

	if (text == NULL)
		return NULL;
	filter = ssot_scope_expression(metric->scope, text, what_of(metric, "the filter"), SSOT_PER_ROW);
	if (filter->type != BOOLOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the filter of metric \"%s\" is of type %s, not boolean", metric->name,
						format_type_be(filter->type))));
	return filter;
}

static void
read_date(SsotMetric *metric, const char *text)
{
	if (text == NULL)
		return;
	metric->date = ssot_scope_expression(metric->scope, text, what_of(metric, "the date"), SSOT_PER_ROW);
	if (metric->date->type != DATEOID && metric->date->type != TIMESTAMPOID &&
		metric->date->type != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the date of metric \"%s\" is of type %s", metric->name,
						format_type_be(metric->date->type)),
				 errhint("Name a column of type date, timestamp or timestamptz.")));
}

/* The business day of a row, in the metric's time zone. */
char *
ssot_metric_day(const SsotMetric *metric)
{
	if (metric->date->type == TIMESTAMPTZOID)
		return ssot_sql("CAST(pg_catalog.timezone(%L, %s) AS pg_catalog.date)",
						metric->time_zone != NULL ? metric->time_zone : "UTC", metric->date->sql);
	return ssot_sql("CAST(%s AS pg_catalog.date)", metric->date->sql);
}

/* The first day of the period that a day lies in. */
char *
ssot_metric_period(const SsotMetric *metric, const char *grain, const char *day)
{
	if (metric->calendar != NULL)
		return ssot_calendar_period(metric->calendar, grain, day);
	return ssot_sql("CAST(pg_catalog.date_trunc(%L, CAST(%s AS pg_catalog.timestamp)) AS pg_catalog.date)",
					grain, day);
}

/* A time grain of the metric's date as a dimension: the first day of the period. */
static SsotScoped *
grain(const SsotMetric *metric, const char *name)
{
	SsotScoped *scoped = palloc0(sizeof(SsotScoped));

	scoped->text = pstrdup(name);
	scoped->type = DATEOID;
	scoped->columns = metric->date->columns;
	scoped->sql = ssot_metric_period(metric, name, ssot_metric_day(metric));
	return scoped;
}

static SsotDimension *
read_expression(SsotMetric *metric, const char *name, const char *text)
{
	SsotDimension *dimension = palloc0(sizeof(SsotDimension));

	dimension->name = pstrdup(name);
	dimension->is_grain = ssot_is_grain(text) &&
		(metric->compiled || !ssot_scope_has_column(metric->scope, text));
	if (dimension->is_grain)
	{
		if (metric->date == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("dimension \"%s\" of metric \"%s\" is a time grain, but the metric has no date",
							name, metric->name),
					 errhint("Say with date => which column is the business date.")));
		dimension->expr = grain(metric, text);
	}
	else
		dimension->expr = ssot_scope_expression(metric->scope, text,
												what_of(metric, psprintf("dimension \"%s\"", name)),
												SSOT_PER_ROW);
	return dimension;
}

static void
read_dimension(SsotMetric *metric, Jsonb *declared)
{
	char	   *name = member(declared, "name");
	ListCell   *cell;

	foreach(cell, metric->dimensions)
		if (strcmp(((SsotDimension *) lfirst(cell))->name, name) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("metric \"%s\" has two dimensions called \"%s\"", metric->name, name)));
	metric->dimensions = lappend(metric->dimensions,
								 ssot_json_member(declared, "value") == NULL ?
								 ssot_hierarchy_dimension(metric, declared) :
								 read_expression(metric, name, member(declared, "value")));
}

static Oid
entity_of(const SsotMetric *metric, const char *name)
{
	Oid			relid;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("metric \"%s\" has no entity", metric->name),
				 errhint("Say which canonical table it counts: from_entity => 'golden.opportunity'.")));
	relid = RangeVarGetRelid(makeRangeVarFromNameList(ssot_name_list(name)), AccessShareLock, true);
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s\" of metric \"%s\" does not exist", name, metric->name)));
	return relid;
}

/*
 * The value of an empty set: what the declaration says ("null": none), else 0 for
 * what is added up and none for the rest.
 */
static char *
empty_value(const SsotMetric *metric, const char *declared)
{
	if (declared == NULL)
		return metric->measure->added != NULL ? pstrdup("0") : NULL;
	if (strcmp(declared, "null") == 0)
		return NULL;
	return DatumGetCString(DirectFunctionCall1(numeric_out,
											   DirectFunctionCall3(numeric_in, CStringGetDatum(declared),
																   ObjectIdGetDatum(InvalidOid),
																   Int32GetDatum(-1))));
}

/* A float's share per row is exact as a number, its floating sum is not. */
static void
make_exact(SsotScoped *measure)
{
	if (measure->added != NULL && !measure->counts &&
		(measure->type == FLOAT4OID || measure->type == FLOAT8OID))
	{
		measure->sql = psprintf("pg_catalog.sum(%s)", measure->added);
		measure->type = NUMERICOID;
	}
}

static void
read_rows(SsotMetric *metric, Jsonb *spec)
{
	char	   *measure = member(spec, "measure");
	SsotRates	rates = {0};
	ListCell   *cell;

	metric->scope = ssot_scope_create(entity_of(metric, member(spec, "entity")));
	if (measure == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("metric \"%s\" has no measure", metric->name),
				 errhint("For example: measure => 'sum(amount)'.")));
	metric->filter = predicate(metric, member(spec, "filter"));
	metric->measure = ssot_scope_expression(metric->scope, measure, what_of(metric, "the measure"),
											SSOT_AGGREGATE);
	require_number(metric, metric->measure->type);
	make_exact(metric->measure);
	metric->calendar = ssot_calendar_load(member(spec, "calendar"));
	metric->time_zone = metric->calendar != NULL ? metric->calendar->time_zone : NULL;
	read_date(metric, member(spec, "date"));
	foreach(cell, member_list(spec, "dimensions"))
		read_dimension(metric, (Jsonb *) lfirst(cell));
	metric->retired = member_bool(spec, "retired");
	metric->empty = empty_value(metric, member(spec, "empty"));
	metric->window = member(spec, "window");
	if (metric->kind == SSOT_METRIC_CUMULATIVE && metric->date == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("cumulative metric \"%s\" has no date", metric->name),
				 errhint("Say with date => which column is the business date.")));
	rates.currency = member(spec, "rates_currency");
	rates.rate = member(spec, "rates_rate");
	rates.day = member(spec, "rates_day");
	ssot_metric_read_currency(metric, member(spec, "currency"), member(spec, "rates"), &rates);
}

/* ---- parts ---------------------------------------------------------------- */

static void
read_parts(SsotMetric *metric, Jsonb *spec, SsotMetricLoader loader)
{
	ListCell   *cell;

	metric->formula = member(spec, "formula");
	metric->empty = NULL;
	foreach(cell, member_list(spec, "parts"))
	{
		Jsonb	   *json = (Jsonb *) lfirst(cell);
		SsotMetricPart *part = palloc0(sizeof(SsotMetricPart));

		part->definition = member(json, "definition");
		part->variant = member(json, "variant");
		part->version = pg_strtoint32(member(json, "version"));
		part->metric = loader(part->definition, part->variant, part->version);
		metric->parts = lappend(metric->parts, part);
	}
}

SsotMetric *
ssot_metric_from_json(const char *name, const char *variant, int version, Jsonb *spec,
					  SsotMetricLoader loader)
{
	SsotMetric *metric = palloc0(sizeof(SsotMetric));

	metric->name = pstrdup(name);
	metric->variant = pstrdup(variant);
	metric->version = version;
	metric->kind = ssot_metric_kind_of(member(spec, "kind"));
	metric->unit = member(spec, "unit");
	metric->compiled = loader != NULL;
	if (metric->kind == SSOT_METRIC_SIMPLE || metric->kind == SSOT_METRIC_CUMULATIVE)
		read_rows(metric, spec);
	else
		read_parts(metric, spec, loader);
	return metric;
}

/* ---- writing JSON --------------------------------------------------------- */

static void
put(JsonbParseState **state, const char *name, const char *value)
{
	if (value == NULL)
		return;
	ssot_json_key(state, name);
	ssot_json_text(state, WJB_VALUE, value);
}

static void
put_dimensions(JsonbParseState **state, const SsotMetric *metric)
{
	ListCell   *cell;

	ssot_json_key(state, "dimensions");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	foreach(cell, metric->dimensions)
	{
		SsotDimension *dimension = (SsotDimension *) lfirst(cell);

		if (dimension->hierarchy != NULL)
		{
			ssot_hierarchy_put(state, dimension);
			continue;
		}
		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		put(state, "name", dimension->name);
		put(state, "value", dimension->is_grain ? dimension->expr->text : dimension->expr->sql);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
put_parts(JsonbParseState **state, const SsotMetric *metric)
{
	ListCell   *cell;

	ssot_json_key(state, "parts");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	foreach(cell, metric->parts)
	{
		SsotMetricPart *part = (SsotMetricPart *) lfirst(cell);

		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		put(state, "definition", part->definition);
		put(state, "variant", part->variant);
		put(state, "version", psprintf("%d", part->version));
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* Columns are named where they have another name than they must have had at first. */
static void
put_rates(JsonbParseState **state, const SsotRates *rates)
{
	if (rates == NULL)
		return;
	put(state, "rates", rates->name);
	put(state, "rates_currency", strcmp(rates->currency, "currency") == 0 ? NULL : rates->currency);
	put(state, "rates_rate", strcmp(rates->rate, "rate") == 0 ? NULL : rates->rate);
	put(state, "rates_day", strcmp(rates->day, "day") == 0 ? NULL : rates->day);
}

Jsonb *
ssot_metric_to_json(const SsotMetric *metric)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	put(&state, "kind", kind_names[metric->kind]);
	put(&state, "unit", metric->unit);
	if (metric->parts != NIL)
	{
		put(&state, "formula", metric->formula);
		put_parts(&state, metric);
	}
	else
	{
		put(&state, "entity", ssot_relation_name(ssot_scope_relation(metric->scope, 0)->relid));
		put(&state, "measure", metric->measure->plain != NULL ? metric->measure->plain : metric->measure->sql);
		put(&state, "filter", metric->filter == NULL ? NULL : metric->filter->sql);
		put(&state, "date", metric->date == NULL ? NULL : metric->date->sql);
		put_dimensions(&state, metric);
		ssot_json_key(&state, "retired");
		ssot_json_bool(&state, metric->retired);
		put(&state, "empty", metric->empty == NULL ? "null" : metric->empty);
		put(&state, "window", metric->window);
		put(&state, "calendar", metric->calendar == NULL ? NULL : metric->calendar->name);
		put(&state, "currency", metric->currency == NULL ? NULL : metric->currency->sql);
		put_rates(&state, metric->rates);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* ---- questions ------------------------------------------------------------ */

/*
 * A dimension by its name, a time grain of the metric's date included; NULL if
 * there is none.
 */
SsotDimension *
ssot_metric_find_dimension(const SsotMetric *metric, const char *name)
{
	ListCell   *cell;
	SsotDimension *dimension;

	foreach(cell, metric->dimensions)
		if (strcmp(((SsotDimension *) lfirst(cell))->name, name) == 0)
		return (SsotDimension *) lfirst(cell);
	if (metric->date == NULL || !ssot_is_grain(name))
		return NULL;
	dimension = palloc0(sizeof(SsotDimension));
	dimension->name = pstrdup(name);
	dimension->expr = grain(metric, name);
	return dimension;
}

/* Names of dimensions that the metric, and every part of it, has. */
List *
ssot_metric_dimension_names(const SsotMetric *metric)
{
	List	   *names = NIL;
	ListCell   *cell;
	ListCell   *other;

	if (metric->parts == NIL)
	{
		foreach(cell, metric->dimensions)
			names = lappend(names, ((SsotDimension *) lfirst(cell))->name);
		return names;
	}
	foreach(cell, ssot_metric_dimension_names(((SsotMetricPart *) linitial(metric->parts))->metric))
	{
		bool		shared = true;

		foreach(other, metric->parts)
			shared &= ssot_metric_has_dimension(((SsotMetricPart *) lfirst(other))->metric,
												(const char *) lfirst(cell));
		if (shared)
			names = lappend(names, lfirst(cell));
	}
	return names;
}

bool
ssot_metric_has_dimension(const SsotMetric *metric, const char *name)
{
	ListCell   *cell;

	if (metric->parts == NIL)
		return ssot_metric_find_dimension(metric, name) != NULL;
	foreach(cell, metric->parts)
		if (!ssot_metric_has_dimension(((SsotMetricPart *) lfirst(cell))->metric, name))
		return false;
	return true;
}

void
ssot_metric_require_dimension(const SsotMetric *metric, const char *name)
{
	StringInfoData known;
	ListCell   *cell;

	if (ssot_metric_has_dimension(metric, name))
		return;
	initStringInfo(&known);
	foreach(cell, ssot_metric_dimension_names(metric))
		appendStringInfo(&known, "%s\"%s\"", known.len > 0 ? ", " : "", (const char *) lfirst(cell));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("metric \"%s\" has no dimension \"%s\"", metric->name, name),
			 known.len > 0 ? errhint("Its dimensions are %s; a metric with a date has day, week, month, quarter and year too.",
									 known.data) :
			 errhint("It was declared without dimensions.")));
}

/* Type of a dimension; of a part's where the metric has parts. */
Oid
ssot_metric_dimension_type(const SsotMetric *metric, const char *name)
{
	while (metric->parts != NIL)
		metric = ((SsotMetricPart *) linitial(metric->parts))->metric;
	return ssot_metric_find_dimension(metric, name)->expr->type;
}

static List *
add_entities(List *names, const SsotMetric *metric)
{
	ListCell   *cell;

	foreach(cell, metric->parts)
		names = add_entities(names, ((SsotMetricPart *) lfirst(cell))->metric);
	for (int i = 0; metric->scope != NULL && i < list_length(metric->scope->relations); i++)
	{
		char	   *name = ssot_relation_name(ssot_scope_relation(metric->scope, i)->relid);
		bool		known = false;

		foreach(cell, names)
			known |= strcmp((const char *) lfirst(cell), name) == 0;
		if (!known)
			names = lappend(names, name);
	}
	if (metric->rates != NULL)
		names = lappend(names, metric->rates->name);
	return names;
}

/* Names of all entities that the metric reads. */
List *
ssot_metric_entities(const SsotMetric *metric)
{
	return add_entities(NIL, metric);
}
