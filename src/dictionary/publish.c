/*
 * dictionary/publish.c
 *		Publishing numbers, closing periods, and figures that others report.
 *
 * A publication keeps a number with its as-of and version, so that it can be proved
 * later. Over one entity its as-of is the last write that the snapshot sees, and no
 * lock is needed: what is believed at that time or earlier never changes. Over
 * several entities no common time is firm by itself, because a writer of one may
 * have begun before the last write of another; so all their clocks are taken and
 * advanced to one instant first.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/ident.h"
#include "dictionary/metric_ask.h"
#include "dictionary/metric_store.h"
#include "dictionary/metric_view.h"
#include "dictionary/publish.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/declare.h"
#include "golden/clock.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

PG_FUNCTION_INFO_V1(ssot_publish);
PG_FUNCTION_INFO_V1(ssot_accept_restatement);
PG_FUNCTION_INFO_V1(ssot_close_period);
PG_FUNCTION_INFO_V1(ssot_report_figure);
PG_FUNCTION_INFO_V1(ssot_snapshot_metrics);

static SsotQuery insert_publication = {
	.sql =
	"INSERT INTO ssot.publication AS p\n"
	"       (metric, variant, version, slice, value, unit, as_of, freshness, counted, records,\n"
	"        checksum, period, restates, reason, published_by)\n"
	"SELECT x.metric, x.variant, x.version, x.slice, $2, x.unit, x.as_of, $3, x.entity, x.records,\n"
	"       x.checksum, x.period, x.restates, x.reason, x.published_by\n"
	"FROM pg_catalog.jsonb_to_record($1) AS x (metric text, variant text, version integer, slice jsonb,\n"
	"     unit text, as_of timestamptz, entity text, records bigint, checksum text, period text,\n"
	"     restates bigint, reason text, published_by text)\n"
	"RETURNING p.publication_id",
	.nargs = 3,
	.argtypes = {JSONBOID, NUMERICOID, JSONBOID}
};

static SsotQuery find_publication = {
	.sql =
	"SELECT p.metric, p.variant, p.version, p.as_of, p.slice, p.value, p.period,\n"
	"       EXISTS (SELECT FROM ssot.publication AS l WHERE l.restates = p.publication_id)\n"
	"FROM ssot.publication AS p\n"
	"WHERE p.publication_id = $1",
	.nargs = 1,
	.argtypes = {INT8OID}
};

static SsotQuery find_figure = {
	.sql =
	"SELECT f.metric, f.variant, f.version, f.as_of, f.slice, f.value, f.system\n"
	"FROM ssot.reported_figure AS f\n"
	"WHERE f.figure_id = $1",
	.nargs = 1,
	.argtypes = {INT8OID}
};

static SsotQuery insert_figure = {
	.sql =
	"INSERT INTO ssot.reported_figure AS f\n"
	"       (metric, variant, version, system, value, as_of, slice, note, reported_by)\n"
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)\n"
	"RETURNING f.figure_id",
	.nargs = 9,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, TEXTOID, NUMERICOID, TIMESTAMPTZOID, JSONBOID, TEXTOID, TEXTOID}
};

static SsotQuery advance_clocks = {
	.sql =
	"UPDATE ssot.clock AS c\n"
	"SET last_write = $2\n"
	"WHERE c.entity = ANY ($1) AND c.last_write < $2",
	.nargs = 2,
	.argtypes = {TEXTARRAYOID, TIMESTAMPTZOID}
};

static SsotQuery insert_snapshot = {
	.sql =
	"INSERT INTO ssot.metric_snapshot (metric, variant, version, value, as_of, taken_at)\n"
	"VALUES ($1, $2, $3, $4, $5, pg_catalog.clock_timestamp())",
	.nargs = 5,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, NUMERICOID, TIMESTAMPTZOID}
};

static SsotQuery lock_period = {
	.sql = "LOCK TABLE ssot.publication IN SHARE ROW EXCLUSIVE MODE",
	.nargs = 0
};

static SsotQuery period_closed = {
	.sql = "SELECT true FROM ssot.publication AS p WHERE p.period = $1 LIMIT 1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* ---- one instant ---------------------------------------------------------- */

static int
by_name(const ListCell *a, const ListCell *b)
{
	return strcmp((const char *) lfirst(a), (const char *) lfirst(b));
}

/* Take all clocks, in the order of names, and bring them to one instant. */
static TimestampTz
one_instant(List *entities)
{
	List	   *names = list_copy(entities);
	Datum	   *elements = palloc(sizeof(Datum) * list_length(names));
	TimestampTz instant = DT_NOBEGIN;
	Datum		args[2];
	int			n = 0;
	ListCell   *cell;

	list_sort(names, by_name);
	foreach(cell, names)
	{
		SsotEntity *entity = ssot_entity_load(ssot_relation_oid((const char *) lfirst(cell)), false);

		instant = Max(instant, ssot_clock_take(entity));
		elements[n++] = CStringGetTextDatum(entity->name);
	}
	args[0] = PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
	args[1] = TimestampTzGetDatum(instant);
	ssot_config_run(&advance_clocks, args, NULL);
	return instant;
}

/* The as-of of a publication; *fresh: statements must see more than the caller's. */
static TimestampTz
choose_as_of(List *entities, bool given, TimestampTz asked, bool *fresh)
{
	TimestampTz last = ssot_last_write(entities);
	ListCell   *cell;

	*fresh = false;
	if (!given && list_length(entities) > 1)
	{
		*fresh = true;
		return one_instant(entities);
	}
	if (!given)
		return last;
	foreach(cell, entities)
	{
		TimestampTz stable = ssot_clock_read((const char *) lfirst(cell));
		char	   *text = pstrdup(timestamptz_to_str(asked));

		if (asked > stable)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("what is believed of \"%s\" at %s may still change", (const char *) lfirst(cell), text),
					 errdetail("It is stable until %s.", timestamptz_to_str(stable)),
					 errhint("Leave as_of out to publish what is believed now.")));
	}
	return asked;
}

/* ---- keeping -------------------------------------------------------------- */

/* What a publication is besides its number. */
typedef struct Occasion
{
	const char *period;			/* or NULL */
	int64		restates;		/* or 0 */
	const char *reason;			/* or NULL */
} Occasion;

static void
put_json(StringInfo buf, const char *name, const char *value, bool quoted)
{
	appendStringInfo(buf, "%s\"%s\": ", buf->len > 1 ? ", " : "", name);
	if (value == NULL)
		appendStringInfoString(buf, "null");
	else if (quoted)
		escape_json(buf, value);
	else
		appendStringInfoString(buf, value);
}

static int64
keep_publication(const SsotPublished *p, const Occasion *occasion)
{
	StringInfoData buf;
	Datum		args[3];
	bool		nulls[3] = {false, p->value == NULL, p->freshness == NULL};
	Datum		id;
	bool		isnull;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	put_json(&buf, "metric", p->metric, true);
	put_json(&buf, "variant", p->variant, true);
	put_json(&buf, "version", psprintf("%d", p->version), false);
	put_json(&buf, "slice", p->slice == NULL ? NULL : JsonbToCString(NULL, &p->slice->root, 0), false);
	put_json(&buf, "unit", p->unit, true);
	put_json(&buf, "as_of", timestamptz_to_str(p->as_of), true);
	put_json(&buf, "entity", p->entity, true);
	put_json(&buf, "records", psprintf(INT64_FORMAT, p->records), false);
	put_json(&buf, "checksum", p->checksum, true);
	put_json(&buf, "period", occasion->period, true);
	put_json(&buf, "restates", occasion->restates == 0 ? NULL : psprintf(INT64_FORMAT, occasion->restates), false);
	put_json(&buf, "reason", occasion->reason, true);
	put_json(&buf, "published_by", GetUserNameFromId(GetSessionUserId(), false), true);
	appendStringInfoChar(&buf, '}');
	args[0] = DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data));
	args[1] = p->value == NULL ? (Datum) 0 : NumericGetDatum(p->value);
	args[2] = p->freshness == NULL ? (Datum) 0 : JsonbPGetDatum(p->freshness);
	ssot_config_one(&insert_publication, args, nulls, 1, &id, &isnull);
	return DatumGetInt64(id);
}

static int64
publish_metric(const SsotMetric *metric, Jsonb *slice, bool given, TimestampTz asked,
			   const Occasion *occasion)
{
	SsotPublished p = {
		.metric = metric->name,.variant = metric->variant,.version = metric->version,.slice = slice
	};
	bool		fresh;

	p.as_of = choose_as_of(ssot_metric_entities(metric), given, asked, &fresh);
	ssot_published_compute(&p, fresh);
	return keep_publication(&p, occasion);
}

/* publish(metric, as_of, slice, version, variant, reason): the publication's number. */
Datum
ssot_publish(PG_FUNCTION_ARGS)
{
	char	   *name = ssot_text_arg(fcinfo, 0);
	char	   *variant = ssot_text_arg(fcinfo, 4);
	Occasion	occasion = {.reason = ssot_text_arg(fcinfo, 5)};
	SsotMetric *metric;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the metric must not be null")));
	metric = PG_ARGISNULL(3) ?
		ssot_metric_in_force(name, variant, PG_ARGISNULL(1) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(1)) :
		ssot_metric_exact(name, variant, PG_GETARG_INT32(3));
	PG_RETURN_INT64(publish_metric(metric, PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2),
								   !PG_ARGISNULL(1), PG_ARGISNULL(1) ? 0 : PG_GETARG_TIMESTAMPTZ(1), &occasion));
}

/* ---- finding -------------------------------------------------------------- */

static SsotPublished *
from_row(const Datum *values, const bool *nulls)
{
	SsotPublished *p = palloc0(sizeof(SsotPublished));

	p->metric = TextDatumGetCString(values[0]);
	p->variant = TextDatumGetCString(values[1]);
	p->version = DatumGetInt32(values[2]);
	p->as_of = DatumGetTimestampTz(values[3]);
	p->slice = nulls[4] ? NULL : DatumGetJsonbP(values[4]);
	p->value = nulls[5] ? NULL : DatumGetNumeric(values[5]);
	return p;
}

static void
refuse_number(const char *what, int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no %s " INT64_FORMAT, what, id),
			 errhint("See ssot.publication and ssot.reported_figure.")));
}

SsotPublished *
ssot_publication(int64 id)
{
	Datum		arg = Int64GetDatum(id);
	Datum		values[8];
	bool		nulls[8];

	if (!ssot_config_one(&find_publication, &arg, NULL, 8, values, nulls))
		refuse_number("publication", id);
	return from_row(values, nulls);
}

SsotPublished *
ssot_reported_figure(int64 id)
{
	Datum		arg = Int64GetDatum(id);
	Datum		values[7];
	bool		nulls[7];
	SsotPublished *p;

	if (!ssot_config_one(&find_figure, &arg, NULL, 7, values, nulls))
		refuse_number("reported figure", id);
	p = from_row(values, nulls);
	p->system = TextDatumGetCString(values[6]);
	return p;
}

/* ---- periods -------------------------------------------------------------- */

/*
 * The first day of "2026", "2026-Q4" or "2026-10", and its grain. A period has one
 * spelling only, or it could be closed twice.
 */
static char *
read_period(const char *period, const char **grain)
{
	size_t		len = strlen(period);
	size_t		digits = strspn(period, "0123456789");
	int			year = atoi(period);
	int			part = 1;

	*grain = NULL;
	if (digits == 4 && len == 4)
		*grain = "year";
	else if (digits == 4 && len == 7 && period[4] == '-' && period[5] == 'Q' &&
			 period[6] >= '1' && period[6] <= '4')
	{
		*grain = "quarter";
		part = (period[6] - '0') * 3 - 2;
	}
	else if (digits == 4 && len == 7 && period[4] == '-' && strspn(period + 5, "0123456789") == 2)
	{
		*grain = "month";
		part = atoi(period + 5);
	}
	if (*grain == NULL || year < 1 || part < 1 || part > 12)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is no period", period),
				 errhint("Write a year, quarter or month: '2026', '2026-Q4', '2026-10'.")));
	return psprintf("%04d-%02d-01", year, part);
}

/* {"month": "2026-10-01"} for a metric with a date; NULL: as a whole. */
static Jsonb *
slice_of_period(const SsotMetric *metric, const char *grain, const char *day)
{
	if (!ssot_metric_has_dimension(metric, grain))
		return NULL;
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											  CStringGetDatum(psprintf("{\"%s\": \"%s\"}", grain, day))));
}

/* close_period(period, metrics, reason): how many numbers were published. */
Datum
ssot_close_period(PG_FUNCTION_ARGS)
{
	char	   *period = ssot_text_arg(fcinfo, 0);
	Occasion	occasion = {.period = period,.reason = ssot_text_arg(fcinfo, 2)};
	Datum		arg;
	Datum		closed;
	bool		isnull;
	const char *grain;
	char	   *day;
	List	   *names;
	ListCell   *cell;

	if (period == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the period must not be null")));
	day = read_period(period, &grain);
	ssot_config_run(&lock_period, NULL, NULL);
	arg = CStringGetTextDatum(period);
	if (ssot_config_one(&period_closed, &arg, NULL, 1, &closed, &isnull))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("period \"%s\" is closed", period),
				 errhint("What changed since is in ssot.restatements(); accept it with ssot.accept_restatement.")));
	names = PG_ARGISNULL(1) ? ssot_metric_names() : ssot_text_array_list(PG_GETARG_DATUM(1));
	foreach(cell, names)
	{
		SsotMetric *metric = ssot_metric_named((const char *) lfirst(cell));

		publish_metric(metric, slice_of_period(metric, grain, day), false, 0, &occasion);
	}
	PG_RETURN_INT32(list_length(names));
}

/* accept_restatement(publication, reason): the number of the one that restates it. */
Datum
ssot_accept_restatement(PG_FUNCTION_ARGS)
{
	Datum		arg = PG_GETARG_DATUM(0);
	Datum		values[8];
	bool		nulls[8];
	SsotPublished *p;
	Occasion	occasion = {.restates = PG_GETARG_INT64(0),.reason = text_to_cstring(PG_GETARG_TEXT_PP(1))};

	ssot_config_run(&lock_period, NULL, NULL);
	if (!ssot_config_one(&find_publication, &arg, NULL, 8, values, nulls))
		refuse_number("publication", PG_GETARG_INT64(0));
	if (DatumGetBool(values[7]))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("publication " INT64_FORMAT " is restated already", PG_GETARG_INT64(0)),
				 errhint("Accept the restatement of the latest one; see ssot.restatements().")));
	p = from_row(values, nulls);
	occasion.period = nulls[6] ? NULL : TextDatumGetCString(values[6]);
	PG_RETURN_INT64(publish_metric(ssot_metric_exact(p->metric, p->variant, p->version), p->slice,
								   false, 0, &occasion));
}

/* ---- figures and snapshots ------------------------------------------------ */

/* report_figure(metric, system, value, as_of, slice, variant, version, note) */
Datum
ssot_report_figure(PG_FUNCTION_ARGS)
{
	char	   *name = ssot_text_arg(fcinfo, 0);
	char	   *system = ssot_text_arg(fcinfo, 1);
	char	   *variant = ssot_text_arg(fcinfo, 5);
	SsotMetric *metric;
	Datum		args[9] = {0};
	bool		nulls[9] = {false};
	Datum		id;
	bool		isnull;

	if (name == NULL || system == NULL || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("metric, system, value and as_of of a reported figure must not be null")));
	ssot_require_system(system, "system");
	metric = PG_ARGISNULL(6) ? ssot_metric_in_force(name, variant, PG_GETARG_TIMESTAMPTZ(3)) :
		ssot_metric_exact(name, variant, PG_GETARG_INT32(6));
	(void) ssot_slices(PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4), metric);
	args[0] = CStringGetTextDatum(metric->name);
	args[1] = CStringGetTextDatum(metric->variant);
	args[2] = Int32GetDatum(metric->version);
	args[3] = CStringGetTextDatum(system);
	args[4] = PG_GETARG_DATUM(2);
	args[5] = PG_GETARG_DATUM(3);
	args[6] = PG_GETARG_DATUM(4);
	nulls[6] = PG_ARGISNULL(4);
	args[7] = PG_GETARG_DATUM(7);
	nulls[7] = PG_ARGISNULL(7);
	args[8] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	ssot_config_one(&insert_figure, args, nulls, 1, &id, &isnull);
	PG_RETURN_DATUM(id);
}

typedef struct MetricSnapshot
{
	const char *name;			/* with its variant */
	SsotPublished published;
	TimestampTz as_of;
} MetricSnapshot;

static void
take_snapshot(void *arg)
{
	MetricSnapshot *s = (MetricSnapshot *) arg;
	SsotMetric *metric = ssot_metric_named(s->name);

	s->published = (SsotPublished)
	{
		.metric = metric->name,.variant = metric->variant,.version = metric->version,.now = true
	};
	ssot_published_compute(&s->published, false);
	s->as_of = ssot_last_write(ssot_metric_entities(metric));
}

static void
keep_snapshot(const MetricSnapshot *s)
{
	Datum		args[5] = {
		CStringGetTextDatum(s->published.metric), CStringGetTextDatum(s->published.variant),
		Int32GetDatum(s->published.version),
		s->published.value == NULL ? (Datum) 0 : NumericGetDatum(s->published.value),
		TimestampTzGetDatum(s->as_of)
	};
	bool		nulls[5] = {false, false, false, s->published.value == NULL, false};

	ssot_config_run(&insert_snapshot, args, nulls);
}

/* snapshot_metrics(): keep the present value of every metric in force; how many. One
 * that cannot be computed is warned of and keeps no other from being kept. */
Datum
ssot_snapshot_metrics(PG_FUNCTION_ARGS)
{
	int			kept = 0;
	ListCell   *cell;

	foreach(cell, ssot_metric_names())
	{
		MetricSnapshot snapshot = {.name = (const char *) lfirst(cell)};
		char	   *problem = ssot_attempt_local(take_snapshot, &snapshot);

		CHECK_FOR_INTERRUPTS();
		if (problem != NULL)
			ereport(WARNING,
					(errmsg("metric \"%s\" was not kept: %s", snapshot.name, problem),
					 errhint("A new version by ssot.create_metric mends a metric that reads what is no longer there.")));
		else
		{
			keep_snapshot(&snapshot);
			kept++;
		}
	}
	PG_RETURN_INT32(kept);
}
