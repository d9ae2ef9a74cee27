/*
 * dictionary/recompute.c
 *		Published numbers, computed again.
 *
 * A published number must come out the same at its as-of by its version (law 6).
 * What may keep it from doing so: its definition was changed by force, a column
 * that it reads is gone, or history was changed. To tell these apart a publication
 * keeps a checksum of its compiled definition and how many records its entity had.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/ident.h"
#include "common/query.h"
#include "dictionary/metric_store.h"
#include "dictionary/metric_view.h"
#include "dictionary/publish.h"
#include "entity/companion.h"
#include "entity/config.h"
#include "entity/declare.h"

#include "catalog/pg_type.h"
#include "common/md5.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/datum.h"

PG_FUNCTION_INFO_V1(ssot_recompute);

char *
ssot_metric_checksum(const SsotMetric *metric)
{
	Jsonb	   *json = ssot_metric_to_json(metric);

	return TextDatumGetCString(DirectFunctionCall1(md5_text,
												   CStringGetTextDatum(JsonbToCString(NULL, &json->root, 0))));
}

static int64
count_records(const SsotMetric *metric, const SsotPublished *published, bool fresh)
{
	SsotEntity *entity = ssot_entity_load(ssot_metric_entity(metric), false);
	SsotStatement statement = {.read_only = !fresh};
	Datum		count;
	bool		isnull;

	statement.sql = published->now ?
		ssot_sql("SELECT pg_catalog.count(*) FROM %T AS g", entity->name) :
		ssot_sql("SELECT pg_catalog.count(*) FROM %T(%L::pg_catalog.timestamptz) AS g",
				 ssot_as_of_function(entity), timestamptz_to_str(published->as_of));
	ssot_statement_one(&statement, 1, &count, &isnull);
	return DatumGetInt64(count);
}

void
ssot_published_compute(SsotPublished *p, bool fresh)
{
	SsotMetric *metric = ssot_metric_exact(p->metric, p->variant, p->version);
	Oid			types[6] = {TEXTOID, TIMESTAMPTZOID, INT4OID, TEXTOID, JSONBOID, TEXTOID};
	Datum		args[6] = {
		CStringGetTextDatum(p->metric), TimestampTzGetDatum(p->now ? DT_NOEND : p->as_of),
		Int32GetDatum(p->version), CStringGetTextDatum(p->variant),
		p->slice == NULL ? (Datum) 0 : JsonbPGetDatum(p->slice),
		p->system == NULL ? (Datum) 0 : CStringGetTextDatum(p->system)
	};
	bool		nulls[6] = {false, p->now && p->system != NULL, false, false, p->slice == NULL, p->system == NULL};
	SsotStatement statement = {
		.sql = "SELECT m.value, m.unit, m.freshness FROM ssot.metric($1, $2, $3, $4, NULL, $6, $5) AS m",
		.nargs = 6,.argtypes = types,.args = args,.nulls = nulls,.read_only = !fresh
	};
	Datum		values[3];
	bool		isnull[3];

	ssot_statement_one(&statement, 3, values, isnull);
	p->value = isnull[0] ? NULL : DatumGetNumeric(values[0]);
	p->unit = isnull[1] ? NULL : TextDatumGetCString(values[1]);
	p->freshness = isnull[2] ? NULL : DatumGetJsonbP(values[2]);
	p->records = count_records(metric, p, fresh);
	p->entity = ssot_relation_name(ssot_metric_entity(metric));
	p->checksum = ssot_metric_checksum(metric);
}

/* ---- computing what may fail ---------------------------------------------- */

static void
compute(void *arg)
{
	ssot_published_compute((SsotPublished *) arg, false);
}

/*
 * recompute(metric, variant, version, as_of, slice, system): the number again, or
 * why it cannot be computed. as_of NULL: as it is believed now.
 */
Datum
ssot_recompute(PG_FUNCTION_ARGS)
{
	SsotPublished published = {
		.metric = ssot_text_arg(fcinfo, 0),
		.variant = ssot_text_arg(fcinfo, 1),
		.version = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2),
		.now = PG_ARGISNULL(3),
		.as_of = PG_ARGISNULL(3) ? 0 : PG_GETARG_TIMESTAMPTZ(3),
		.slice = PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4),
		.system = ssot_text_arg(fcinfo, 5)
	};
	char	   *problem;
	TupleDesc	desc;
	Datum		values[5] = {0};
	bool		nulls[5];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "recompute must return a row");
	if (published.metric == NULL || published.variant == NULL || published.version == 0)
		problem = "the metric, its variant and version must not be null";
	else
		problem = ssot_attempt_local(compute, &published);
	nulls[0] = problem != NULL || published.value == NULL;
	nulls[1] = nulls[2] = nulls[3] = problem != NULL;
	nulls[4] = problem == NULL;
	if (!nulls[0])
		values[0] = NumericGetDatum(published.value);
	if (!nulls[1])
	{
		values[1] = Int64GetDatum(published.records);
		values[2] = CStringGetTextDatum(published.entity);
		values[3] = CStringGetTextDatum(published.checksum);
	}
	if (!nulls[4])
		values[4] = CStringGetTextDatum(problem);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
