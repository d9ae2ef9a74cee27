/*
 * dictionary/metric_store.c
 *		Metrics from the dictionary: versions, and which of them is in force.
 *
 * A version is never changed. The one in force at a time is the latest of its
 * variant that had taken effect then; before the first there is none. What a version
 * says was qualified when it was made, and is parsed anew under the pinned search
 * path each time: a column that has gone since is found then, and named.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/query.h"
#include "common/settings.h"
#include "dictionary/metric_store.h"
#include "entity/config.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define VERSION_COLUMNS \
	"SELECT m.metric, m.variant, m.version, m.compiled, m.canonical\n" \
	"FROM ssot.metric_version AS m\n" \
	"WHERE m.metric = $1\n" \
	"  AND CASE WHEN $2 IS NULL THEN m.canonical ELSE m.variant = $2 END\n"

static SsotQuery exact_query = {
	.sql = VERSION_COLUMNS "  AND m.version = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID},
	.read_only = true
};

static SsotQuery in_force_query = {
	.sql =
	VERSION_COLUMNS
	"  AND m.effective_from <= $3\n"
	"ORDER BY m.effective_from DESC, m.version DESC\n"
	"LIMIT 1",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TIMESTAMPTZOID},
	.read_only = true
};

static SsotQuery known_query = {
	.sql =
	"SELECT pg_catalog.string_agg(pg_catalog.format('%sv%s from %s',\n"
	"           CASE m.variant WHEN '' THEN '' ELSE m.variant || ' ' END,\n"
	"           m.version, m.effective_from), ', ' ORDER BY m.variant, m.version)\n"
	"FROM ssot.metric_version AS m\n"
	"WHERE m.metric = $1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.read_only = true
};

static SsotQuery lock_query = {
	.sql = "LOCK TABLE ssot.metric_version IN SHARE ROW EXCLUSIVE MODE",
	.nargs = 0
};

static SsotQuery last_query = {
	.sql =
	"SELECT coalesce(pg_catalog.max(m.version), 0) + 1,\n"
	"       pg_catalog.bool_or(m.canonical),\n"
	"       (SELECT o.variant FROM ssot.metric_version AS o\n"
	"        WHERE o.metric = $1 AND o.canonical AND o.variant <> $2 LIMIT 1)\n"
	"FROM ssot.metric_version AS m\n"
	"WHERE m.metric = $1 AND m.variant = $2",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static SsotQuery insert_query = {
	.sql =
	"INSERT INTO ssot.metric_version\n"
	"       (metric, variant, version, canonical, effective_from, description, owner,\n"
	"        declared, compiled, created_by)\n"
	"VALUES ($1, $2, $3, $4, coalesce($5, '-infinity'), $6, $7, $8, $9, $10)",
	.nargs = 10,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, BOOLOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, JSONBOID, JSONBOID, TEXTOID}
};

static SsotMetric *
from_row(const Datum *values)
{
	int			level = ssot_settings_begin(false);
	SsotMetric *metric = ssot_metric_from_json(TextDatumGetCString(values[0]),
											   TextDatumGetCString(values[1]),
											   DatumGetInt32(values[2]), DatumGetJsonbP(values[3]),
											   ssot_metric_exact);

	metric->canonical = DatumGetBool(values[4]);
	ssot_settings_end(level);
	return metric;
}

static void
refuse_unknown(const char *name, const char *variant, const char *which)
{
	Datum		arg = CStringGetTextDatum(name);
	Datum		known;
	bool		isnull;

	ssot_config_one(&known_query, &arg, NULL, 1, &known, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no metric \"%s\"", name),
				 errhint("Make it with ssot.create_metric.")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("metric \"%s\"%s has no version %s", name,
					variant == NULL ? "" : psprintf(", variant \"%s\",", variant), which),
			 errdetail("It has %s.", TextDatumGetCString(known))));
}

SsotMetric *
ssot_metric_exact(const char *name, const char *variant, int version)
{
	Datum		args[3] = {CStringGetTextDatum(name),
	variant == NULL ? (Datum) 0 : CStringGetTextDatum(variant), Int32GetDatum(version)};
	bool		nulls[3] = {false, variant == NULL, false};
	Datum		values[5];
	bool		isnull[5];

	if (!ssot_config_one(&exact_query, args, nulls, 5, values, isnull))
		refuse_unknown(name, variant, psprintf("%d", version));
	return from_row(values);
}

SsotMetric *
ssot_metric_in_force(const char *name, const char *variant, TimestampTz t)
{
	Datum		args[3] = {CStringGetTextDatum(name),
		variant == NULL ? (Datum) 0 : CStringGetTextDatum(variant),
	TimestampTzGetDatum(TIMESTAMP_IS_NOEND(t) ? GetCurrentTimestamp() : t)};
	bool		nulls[3] = {false, variant == NULL, false};
	Datum		values[5];
	bool		isnull[5];

	if (!ssot_config_one(&in_force_query, args, nulls, 5, values, isnull))
		refuse_unknown(name, variant, psprintf("in force at %s", timestamptz_to_str(DatumGetTimestampTz(args[2]))));
	return from_row(values);
}

SsotMetric *
ssot_metric_named(const char *name)
{
	const char *colon = strchr(name, ':');

	if (colon == NULL)
		return ssot_metric_in_force(name, NULL, DT_NOEND);
	return ssot_metric_in_force(pnstrdup(name, colon - name), colon + 1, DT_NOEND);
}

/*
 * Keep a new version and number it. The first variant of a metric is its canonical
 * one. Concurrent calls wait for each other.
 */
void
ssot_metric_keep(SsotMetric *metric, const SsotMetricText *text, Jsonb *declared)
{
	Datum		args[10] = {CStringGetTextDatum(metric->name), CStringGetTextDatum(metric->variant)};
	bool		nulls[10] = {false};
	Datum		values[3];
	bool		isnull[3];

	ssot_config_run(&lock_query, NULL, NULL);
	ssot_config_one(&last_query, args, NULL, 3, values, isnull);
	metric->version = DatumGetInt32(values[0]);
	metric->canonical = isnull[1] ? isnull[2] : DatumGetBool(values[1]);
	args[2] = values[0];
	args[3] = BoolGetDatum(metric->canonical);
	args[4] = TimestampTzGetDatum(text->effective_from);
	nulls[4] = !text->has_effective_from;
	args[5] = text->description == NULL ? (Datum) 0 : CStringGetTextDatum(text->description);
	nulls[5] = text->description == NULL;
	args[6] = CStringGetTextDatum(text->owner != NULL ? text->owner : GetUserNameFromId(GetUserId(), false));
	args[7] = JsonbPGetDatum(declared);
	args[8] = JsonbPGetDatum(ssot_metric_to_json(metric));
	args[9] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	ssot_config_run(&insert_query, args, nulls);
}
