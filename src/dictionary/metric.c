/*
 * dictionary/metric.c
 *		Asking for a metric: ssot.metric, and what its views call.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/settings.h"
#include "dictionary/metric_ask.h"
#include "dictionary/metric_store.h"
#include "dictionary/system_time.h"
#include "entity/declare.h"
#include "entity/json.h"
#include "golden/as_of.h"
#include "golden/clock.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_metric);
PG_FUNCTION_INFO_V1(ssot_metric_stamp);

/* ---- time ----------------------------------------------------------------- */

TimestampTz
ssot_last_write(List *entities)
{
	TimestampTz last = DT_NOBEGIN;
	ListCell   *cell;

	foreach(cell, entities)
		last = Max(last, ssot_clock_read((const char *) lfirst(cell)));
	return last;
}

static List *
names_of(ArrayType *array)
{
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("entities must not contain NULL"),
				 errhint("Name registered tables.")));
	return ssot_text_array_list(PointerGetDatum(array));
}

/* The time in ssot.as_of, checked against every entity; infinity while it is empty. */
static TimestampTz
time_of_setting(List *entities)
{
	TimestampTz time = DT_NOEND;
	ListCell   *cell;

	foreach(cell, entities)
		time = DatumGetTimestampTz(DirectFunctionCall1(ssot_as_of, CStringGetTextDatum((const char *) lfirst(cell))));
	return time;
}

/*
 * metric_stamp(metric, entities, past): the as-of of what the calling query sees, and
 * how fresh the systems are. past: at the time in ssot.as_of.
 */
Datum
ssot_metric_stamp(PG_FUNCTION_ARGS)
{
	char	   *metric = text_to_cstring(PG_GETARG_TEXT_PP(0));
	List	   *entities = names_of(PG_GETARG_ARRAYTYPE_P(1));
	bool		past = PG_GETARG_BOOL(2);
	TimestampTz time = DT_NOEND;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	/* Refuses a misspelt setting: who set it would be shown the present. */
	if (past || ssot_unknown_setting != NULL)
		time = time_of_setting(entities);
	else if (ssot_as_of_setting != NULL && ssot_as_of_setting[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the view of metric \"%s\" shows the present, but ssot.as_of is set to \"%s\"",
						metric, ssot_as_of_setting),
				 errhint("Read the view of the same name in schema metrics_as_of, or RESET ssot.as_of.")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "metric_stamp must return a row");
	values[0] = TimestampTzGetDatum(TIMESTAMP_IS_NOEND(time) ? ssot_last_write(entities) : time);
	values[1] = JsonbPGetDatum(ssot_freshness(entities, time));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* ---- arguments ------------------------------------------------------------ */

List *
ssot_slices(Jsonb *slice, const SsotMetric *metric)
{
	JsonbValue	document = {.type = jbvBinary};
	List	   *slices = NIL;
	ListCell   *cell;

	if (slice == NULL)
		return NIL;
	document.val.binary.data = &slice->root;
	document.val.binary.len = VARSIZE(slice) - VARHDRSZ;
	foreach(cell, ssot_json_pairs(&document, "slice"))
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);
		SsotSlice  *s = palloc0(sizeof(SsotSlice));

		ssot_metric_require_dimension(metric, pair->name);
		s->dimension = pair->name;
		if (pair->value.type == jbvString)
			s->value = ssot_json_string(&pair->value, pair->name);
		else if (pair->value.type != jbvNull)
			s->value = JsonbToCString(NULL, &JsonbValueToJsonb(&pair->value)->root, 0);
		slices = lappend(slices, s);
	}
	return slices;
}

static List *
by_of(const char *text, const SsotMetric *metric)
{
	List	   *by = text == NULL ? NIL : ssot_name_or_array(text);
	ListCell   *cell;

	foreach(cell, by)
		ssot_metric_require_dimension(metric, (const char *) lfirst(cell));
	return by;
}

/* ---- whose number, as of when --------------------------------------------- */

void
ssot_refuse_before(const char *entity, const char *system, TimestampTz t)
{
	char	   *asked = pstrdup(timestamptz_to_str(t));
	TimestampTz first;

	if (!ssot_system_first(entity, system, &first))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("system \"%s\" was never read for \"%s\"", system, entity),
				 errhint("Run ssot.reconcile(%s).", quote_literal_cstr(entity))));
	ereport(ERROR,
			(errcode(ERRCODE_SSOT_BEFORE_HISTORY),
			 errmsg("what system \"%s\" held of \"%s\" at %s is not known", system, entity, asked),
			 errdetail("Its first run that is known had data through %s.", timestamptz_to_str(first)),
			 errhint("Ask for that instant or a later one.")));
}

/* The system's records at t (has_time), or its latest; sets the reading's time. */
TimestampTz
ssot_read_system(const SsotMetric *metric, SsotMetricReading *reading, const char *system,
				 bool has_time, TimestampTz t)
{
	const char *entity = (const char *) linitial(ssot_metric_entities(metric));
	SsotSystemTime time;

	ssot_require_known_system(system, "system");
	if (has_time ? !ssot_system_at(entity, system, t, &time) : !ssot_system_latest(entity, system, &time))
		ssot_refuse_before(entity, system, has_time ? t : DT_NOEND);
	reading->mode = SSOT_METRIC_SYSTEM;
	reading->system = system;
	reading->time = time.belief;
	return time.data_through;
}

/* Golden records at t, or as they are. */
TimestampTz
ssot_read_golden(const SsotMetric *metric, SsotMetricReading *reading, bool has_time, TimestampTz t)
{
	if (!has_time || TIMESTAMP_IS_NOEND(t))
	{
		reading->mode = SSOT_METRIC_NOW;
		reading->time = DT_NOEND;
		return ssot_last_write(ssot_metric_entities(metric));
	}
	reading->mode = SSOT_METRIC_AT;
	reading->time = t;
	return t;
}

/* ---- a question ----------------------------------------------------------- */

void
ssot_question_metric(SsotQuestion *question, const SsotMetricVersion *version, const char *system,
					 bool has_time, TimestampTz t)
{
	const char *variant = version->variant;

	if (version->name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the metric must not be null")));
	question->system = system != NULL && strcmp(system, "golden") == 0 ? NULL : system;
	if (variant == NULL && question->system != NULL)
		variant = ssot_used_variant(question->system, version->name);
	question->metric = version->has_version ? ssot_metric_exact(version->name, variant, version->version) :
		ssot_metric_in_force(version->name, variant, has_time ? t : DT_NOEND);
}

void
ssot_question_read(SsotQuestion *question, bool has_time, TimestampTz t)
{
	const SsotMetric *metric = question->metric;

	if (question->system == NULL && !has_time)
	{
		t = time_of_setting(ssot_metric_entities(metric));
		has_time = !TIMESTAMP_IS_NOEND(t);
	}
	question->as_of = question->system == NULL ?
		ssot_read_golden(metric, &question->reading, has_time, t) :
		ssot_read_system(metric, &question->reading, question->system, has_time, t);
	question->reading.stamp = ssot_sql("%L::pg_catalog.timestamptz", timestamptz_to_str(question->as_of));
	question->freshness = question->system == NULL ?
		ssot_freshness(ssot_metric_entities(metric), question->reading.time) :
		ssot_freshness_of(question->system, question->as_of);
}

char *
ssot_question_borrowed(const SsotQuestion *question)
{
	StringInfoData borrowed;
	ListCell   *cell;

	initStringInfo(&borrowed);
	foreach(cell, question->reading.borrowed)
		ssot_sql_append(&borrowed, "%s%L", borrowed.len > 0 ? ", " : "", (const char *) lfirst(cell));
	return psprintf("ARRAY[%s]::pg_catalog.text[]", borrowed.data);
}

void
ssot_question_answer(FunctionCallInfo fcinfo, const SsotQuestion *question, const char *sql)
{
	SsotStatement statement = {.sql = sql,.read_only = true};
	int			n = list_length(question->reading.relations);
	SsotRelation *relations = palloc0(sizeof(SsotRelation) * Max(n, 1));
	int			level;

	for (int i = 0; i < n; i++)
		relations[i] = *(SsotRelation *) list_nth(question->reading.relations, i);
	statement.nrelations = n;
	statement.relations = relations;
	level = ssot_search_path_begin();
	ssot_statement_return(fcinfo, &statement);
	ssot_settings_end(level);
	ssot_relations_end(question->reading.relations);
}

/* ---- the answer ----------------------------------------------------------- */

/*
 * SELECT jsonb_build_object('country', q.d1), q.value, <as-of>, ...
 * FROM (<the metric's query>) AS q
 * ORDER BY q.d1
 */
static char *
answer_sql(SsotQuestion *question, List *by)
{
	const SsotMetric *metric = question->metric;
	char	   *query = ssot_metric_query(metric, &question->reading, by, question->slices);
	char	   *as_of = ssot_sql("%L::pg_catalog.timestamptz", timestamptz_to_str(question->as_of));
	char	   *freshness = JsonbToCString(NULL, &question->freshness->root, 0);
	StringInfoData slice;
	StringInfoData order;
	ListCell   *cell;
	int			n = 0;

	initStringInfo(&slice);
	initStringInfo(&order);
	foreach(cell, by)
	{
		n++;
		ssot_sql_append(&slice, "%s%L, q.d%d", n > 1 ? ", " : "", (const char *) lfirst(cell), n);
		appendStringInfo(&order, "%sq.d%d", n > 1 ? ", " : "\nORDER BY ", n);
	}
	return ssot_sql("SELECT %s, q.value, %s, %L::pg_catalog.text, %L::pg_catalog.text, %d,"
					" %L::pg_catalog.text, %L::pg_catalog.text, %L::pg_catalog.jsonb,"
					" ssot.metric_label(%L, %L, %d, %L, q.value, %s), %s\nFROM (%s) AS q%s",
					n == 0 ? "NULL::pg_catalog.jsonb" :
					psprintf("pg_catalog.jsonb_build_object(%s)", slice.data),
					as_of, metric->name, metric->variant, metric->version, metric->unit,
					question->system == NULL ? "golden" : question->system,
					freshness, metric->name, metric->variant, metric->version, metric->unit,
					as_of, ssot_question_borrowed(question), query, order.data);
}

/*
 * metric(metric, as_of, version, variant, by, system, slice): the number, or numbers
 * by slice, of golden records or of one system.
 */
Datum
ssot_metric(PG_FUNCTION_ARGS)
{
	SsotQuestion question = {0};
	bool		has_time = !PG_ARGISNULL(1);
	TimestampTz time = has_time ? PG_GETARG_TIMESTAMPTZ(1) : DT_NOEND;
	SsotMetricVersion version = {
		.name = ssot_text_arg(fcinfo, 0),.variant = ssot_text_arg(fcinfo, 3),
		.has_version = !PG_ARGISNULL(2),.version = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2)
	};
	List	   *by;

	ssot_question_metric(&question, &version, ssot_text_arg(fcinfo, 5), has_time, time);
	by = by_of(ssot_text_arg(fcinfo, 4), question.metric);
	question.slices = ssot_slices(PG_ARGISNULL(6) ? NULL : PG_GETARG_JSONB_P(6), question.metric);
	ssot_question_read(&question, has_time, time);
	ssot_question_answer(fcinfo, &question, answer_sql(&question, by));
	PG_RETURN_NULL();
}
