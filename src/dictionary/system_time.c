/*
 * dictionary/system_time.c
 *		As of when a system's records are read, and how fresh they are.
 *
 * A system's records at t are those of its last run whose data-through is not
 * later than t: what a run read after t may tell of things after t. Each run keeps
 * in its figures through when the data of each source was complete; of a system
 * with several sources on an entity the latest counts here, because a record of
 * that source may be as late. For freshness the earliest counts.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/system_time.h"
#include "entity/config.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

static SsotQuery latest_query = {
	.sql =
	"SELECT pg_catalog.max(t.data_through)\n"
	"FROM ssot.source AS s\n"
	"JOIN ssot.source_state AS t ON t.source_id = s.source_id\n"
	"WHERE s.entity = $1 AND s.system = $2",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID},
	.read_only = true
};

/*
 * The runs of an entity with a system's data-through. The last of them is what the
 * records are like now, unless people moved records since; so it is read as now.
 */
#define RUNS \
	"WITH run AS (\n" \
	"    SELECT r.run_id, coalesce(r.written_at, r.finished_at) AS belief,\n" \
	"           (SELECT pg_catalog.max((f.x ->> 'data_through')::timestamptz)\n" \
	"            FROM pg_catalog.jsonb_array_elements(r.figures) AS f (x)\n" \
	"            WHERE f.x ->> 'system' = $2) AS data_through\n" \
	"    FROM ssot.reconcile_run AS r\n" \
	"    WHERE r.entity = $1 AND r.status IN ('done', 'nothing to do'))\n"

static SsotQuery at_query = {
	.sql =
	RUNS
	"SELECT CASE WHEN EXISTS (SELECT FROM run AS later\n"
	"                         WHERE later.run_id > r.run_id AND later.data_through IS NOT NULL)\n"
	"            THEN r.belief ELSE 'infinity' END, r.data_through\n"
	"FROM run AS r\n"
	"WHERE r.data_through <= $3\n"
	"ORDER BY r.run_id DESC\n"
	"LIMIT 1",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TIMESTAMPTZOID},
	.read_only = true
};

static SsotQuery first_query = {
	.sql = RUNS "SELECT pg_catalog.min(r.data_through) FROM run AS r",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID},
	.read_only = true
};

static SsotQuery freshness_now = {
	.sql =
	"SELECT coalesce(pg_catalog.jsonb_object_agg(f.system, f.data_through), '{}')\n"
	"FROM (SELECT s.system, pg_catalog.min(t.data_through) AS data_through\n"
	"      FROM ssot.source AS s\n"
	"      JOIN ssot.source_state AS t ON t.source_id = s.source_id\n"
	"      WHERE s.entity = ANY ($1) AND s.relation IS NOT NULL\n"
	"      GROUP BY s.system) AS f",
	.nargs = 1,
	.argtypes = {TEXTARRAYOID},
	.read_only = true
};

static SsotQuery freshness_at = {
	.sql =
	"SELECT coalesce(pg_catalog.jsonb_object_agg(f.system, f.data_through), '{}')\n"
	"FROM (SELECT x.figure ->> 'system' AS system,\n"
	"             pg_catalog.min((x.figure ->> 'data_through')::timestamptz) AS data_through\n"
	"      FROM (SELECT DISTINCT ON (r.entity) r.figures\n"
	"            FROM ssot.reconcile_run AS r\n"
	"            WHERE r.entity = ANY ($1) AND r.status IN ('done', 'nothing to do')\n"
	"              AND coalesce(r.written_at, r.finished_at) <= $2\n"
	"            ORDER BY r.entity, r.run_id DESC) AS l,\n"
	"           pg_catalog.jsonb_array_elements(l.figures) AS x (figure)\n"
	"      WHERE x.figure ? 'data_through'\n"
	"      GROUP BY 1) AS f",
	.nargs = 2,
	.argtypes = {TEXTARRAYOID, TIMESTAMPTZOID},
	.read_only = true
};

static SsotQuery reaches_query = {
	.sql = "SELECT e.history_from <= $2 FROM ssot.entity AS e WHERE e.entity = $1",
	.nargs = 2,
	.argtypes = {TEXTOID, TIMESTAMPTZOID},
	.read_only = true
};

bool
ssot_history_reaches(const char *entity, TimestampTz t)
{
	Datum		args[2] = {CStringGetTextDatum(entity), TimestampTzGetDatum(t)};
	Datum		value;
	bool		isnull;

	return ssot_config_one(&reaches_query, args, NULL, 1, &value, &isnull) && DatumGetBool(value);
}

bool
ssot_system_latest(const char *entity, const char *system, SsotSystemTime *time)
{
	Datum		args[2] = {CStringGetTextDatum(entity), CStringGetTextDatum(system)};
	Datum		value;
	bool		isnull;

	if (!ssot_config_one(&latest_query, args, NULL, 1, &value, &isnull) || isnull)
		return false;
	time->belief = DT_NOEND;
	time->data_through = DatumGetTimestampTz(value);
	return true;
}

bool
ssot_system_at(const char *entity, const char *system, TimestampTz t, SsotSystemTime *time)
{
	Datum		args[3] = {CStringGetTextDatum(entity), CStringGetTextDatum(system), TimestampTzGetDatum(t)};
	Datum		values[2];
	bool		nulls[2];

	if (!ssot_config_one(&at_query, args, NULL, 2, values, nulls))
		return false;
	time->belief = DatumGetTimestampTz(values[0]);
	time->data_through = DatumGetTimestampTz(values[1]);
	return true;
}

bool
ssot_system_first(const char *entity, const char *system, TimestampTz *t)
{
	Datum		args[2] = {CStringGetTextDatum(entity), CStringGetTextDatum(system)};
	Datum		value;
	bool		isnull;

	if (!ssot_config_one(&first_query, args, NULL, 1, &value, &isnull) || isnull)
		return false;
	*t = DatumGetTimestampTz(value);
	return true;
}

Jsonb *
ssot_freshness(List *entities, TimestampTz t)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(list_length(entities), 1));
	int			n = 0;
	Datum		args[2];
	Datum		value;
	bool		isnull;
	ListCell   *cell;

	foreach(cell, entities)
		names[n++] = CStringGetTextDatum((const char *) lfirst(cell));
	args[0] = PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
	args[1] = TimestampTzGetDatum(t);
	if (TIMESTAMP_IS_NOEND(t))
		ssot_config_one(&freshness_now, args, NULL, 1, &value, &isnull);
	else
		ssot_config_one(&freshness_at, args, NULL, 1, &value, &isnull);
	return DatumGetJsonbP(value);
}

Jsonb *
ssot_freshness_of(const char *system, TimestampTz data_through)
{
	StringInfoData buf;
	char		time[MAXDATELEN + 1];

	/* As jsonb has it in the freshness of golden records. */
	JsonEncodeDateTime(time, TimestampTzGetDatum(data_through), TIMESTAMPTZOID, NULL);
	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	escape_json(&buf, system);
	appendStringInfoString(&buf, ": ");
	escape_json(&buf, time);
	appendStringInfoChar(&buf, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data)));
}
