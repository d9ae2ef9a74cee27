/*
 * ingest/reach.c
 *		How far a run reads into a source: everything, or what may have changed.
 *
 * Reading everything is always right. Reading keys is right if every change since
 * the last run was noted, which the shape of the tracking says (entity/tracking.h);
 * what is read then are all rows of the keys noted, so each key is judged on
 * all of its rows, as when everything is read. Reading from a time on takes the
 * source's word for its times.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "entity/config.h"
#include "entity/json.h"
#include "entity/reading.h"
#include "ingest/reach.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* Past this share of a source's records, or this many, one scan is cheaper than
 * looking each key up. */
#define KEYS_SHARE 5
#define KEYS_ALWAYS 1000

static SsotQuery state_query = {
	.sql =
	"SELECT t.map_version, t.rows_read, t.records, t.quarantined, t.data_through, t.full_at, t.shape\n"
	"FROM ssot.source_state AS t\n"
	"WHERE t.source_id = $1",
	.nargs = 1,
	.argtypes = {INT4OID}
};

static void
load_state(SsotSourceState *state, int source_id)
{
	Datum		id = Int32GetDatum(source_id);
	Datum		values[7];
	bool		nulls[7];

	memset(state, 0, sizeof(*state));
	if (!ssot_config_one(&state_query, &id, NULL, 7, values, nulls))
		return;
	state->known = true;
	state->map_version = DatumGetInt64(values[0]);
	state->rows_read = DatumGetInt64(values[1]);
	state->records = DatumGetInt64(values[2]);
	state->quarantined = DatumGetInt64(values[3]);
	state->has_through = !nulls[4];
	state->data_through = nulls[4] ? 0 : DatumGetTimestampTz(values[4]);
	state->was_full = !nulls[5];
	state->full_at = nulls[5] ? 0 : DatumGetTimestampTz(values[5]);
	state->has_shape = !nulls[6];
	state->shape = nulls[6] ? 0 : DatumGetInt64(values[6]);
}

static TimestampTz
add_interval(TimestampTz time, const Interval *interval, bool minus)
{
	return DatumGetTimestampTz(DirectFunctionCall2(minus ? timestamptz_mi_interval : timestamptz_pl_interval,
												   TimestampTzGetDatum(time),
												   IntervalPGetDatum(interval)));
}

/* Was everything read so long ago that it is time to do so again? */
static bool
is_due(const SsotReader *reader)
{
	const SsotSource *source = reader->source;

	return source->has_full_every &&
		add_interval(reader->state.full_at, &source->full_every, false) <= GetCurrentTimestamp();
}

static void
decide_watermark(SsotReader *reader)
{
	if (!reader->state.has_through ||
		!OidIsValid(ssot_watermark_type(reader->source, reader->mapper->relid)))
		return;
	reader->reach = SSOT_REACH_TIME;
	reader->since = add_interval(reader->state.data_through, &reader->source->overlap, true);
}

/* Are the triggers there, perhaps since now? Sets the shape if so. *same: they were
 * there all the time. */
static bool
look_after_triggers(SsotReader *reader, bool *same)
{
	const char *refusal;
	const char *hint;
	bool		whole;

	*same = false;
	reader->tracking = ssot_tracking(reader->source, reader->mapper->relid, &refusal, &hint);
	if (reader->tracking == NULL)
	{
		ereport(WARNING,
				(errmsg("source \"%s\" is read in full: its changes can no longer be captured",
						reader->source->name),
				 errdetail("%s.", refusal),
				 hint != NULL ? errhint("%s", hint) :
				 errhint("See ssot.set_reading.")));
		return false;
	}
	whole = ssot_tracking_is_whole(reader->tracking);
	if (!whole && !ssot_tracking_may_begin(reader->tracking))
	{
		ereport(WARNING,
				(errmsg("source \"%s\" is read in full: its capture triggers are missing or disabled",
						reader->source->name),
				 errdetail("Only the owner of %s can put them back.", reader->source->relation),
				 errhint("Let the owner of both call ssot.set_reading(reading => 'capture').")));
		return false;
	}
	if (!whole)
		ssot_tracking_begin(reader->tracking);
	reader->has_shape = true;
	reader->shape = ssot_tracking_shape(reader->tracking);
	*same = whole && reader->state.has_shape && reader->state.shape == reader->shape;
	return true;
}

static void
decide_capture(SsotReader *reader, bool must_be_full)
{
	int64		limit = Max(reader->state.records / KEYS_SHARE, KEYS_ALWAYS);
	bool		same;

	if (!look_after_triggers(reader, &same) || must_be_full)
	{
		ssot_changes_discard(reader->source->source_id);
		return;
	}
	if (!same)
	{
		/* what the source had before, such as a partition, is let go */
		ssot_tracking_end(reader->source->source_id, reader->tracking);
		return;
	}
	reader->changes = ssot_changes_take(reader->tracking, limit);
	if (reader->changes != NULL)
		reader->reach = SSOT_REACH_KEYS;
}

void
ssot_reach_decide(SsotReader *reader, bool full)
{
	const SsotSource *source = reader->source;
	bool		must_be_full;

	load_state(&reader->state, source->source_id);
	reader->reach = SSOT_REACH_ALL;
	must_be_full = full || !reader->state.known || !reader->state.was_full ||
		reader->state.map_version != source->map_version || is_due(reader);
	if (source->reading == SSOT_READING_CAPTURE)
		decide_capture(reader, must_be_full);
	else if (source->reading == SSOT_READING_WATERMARK && !must_be_full)
		decide_watermark(reader);
	reader->anew = full || source->grain_part || !reader->state.known ||
		reader->state.map_version != source->map_version || reader->reach != SSOT_REACH_ALL;
}

/*
 * Queries.
 */
static char *
operator_name(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	name = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return name;
}

/*
 *		EXISTS (SELECT FROM ssot_changed AS c
 *				WHERE "id" OPERATOR(pg_catalog.=) c.ssot_1)
 */
static char *
is_noted(const SsotTracking *tracking)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "EXISTS (SELECT FROM ssot_changed AS c\nWHERE ");
	for (int i = 0; i < tracking->nkeys; i++)
		ssot_sql_append(&buf, "%s%I %s c.ssot_%d", i > 0 ? " AND " : "", tracking->names[i],
						operator_name(tracking->operators[i]), i + 1);
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/* "id" IS NULL OR "site" IS NULL */
static char *
some_null(const SsotTracking *tracking)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < tracking->nkeys; i++)
		ssot_sql_append(&buf, "%s%I IS NULL", i > 0 ? " OR " : "", tracking->names[i]);
	return buf.data;
}

/*
 *		(modified) OPERATOR(pg_catalog.>=) '2026-11-04 11:00:00+00'::timestamptz
 *		OR (modified) IS NULL
 *
 * The time is written as the expression's type, so that an index on it is used and
 * a foreign server can be asked.
 */
static char *
is_late(const SsotReader *reader)
{
	JsonbValue *value = ssot_json_member(reader->source->compiled, "updated_at");
	const char *text = ssot_json_string(value, "updated_at");
	Oid			type = ssot_watermark_type(reader->source, reader->mapper->relid);

	return ssot_sql("(%s) OPERATOR(pg_catalog.>=) %L::pg_catalog.timestamptz::pg_catalog.%T OR (%s) IS NULL",
					text, timestamptz_to_str(reader->since),
					type == DATEOID ? "date" : type == TIMESTAMPOID ? "timestamp" : "timestamptz",
					text);
}

/*
 * Rows of one key with and without a null among its columns are read by a query
 * each: so either can use an index.
 */
char *
ssot_reach_query(const SsotReader *reader, const char *select)
{
	bool		filtered = reader->mapper->filter != NULL && reader->mapper->row_filter == NULL;
	const char *filter = filtered ? reader->mapper->filter : "true";

	if (reader->reach == SSOT_REACH_TIME)
		return ssot_sql("%s\nWHERE (%s)\n  AND (%s)", select, filter, is_late(reader));
	if (reader->reach == SSOT_REACH_KEYS && reader->changes->has_null)
		return ssot_sql("%s\nWHERE (%s)\n  AND %s\nUNION ALL\n%s\nWHERE (%s)\n  AND (%s)",
						select, filter, is_noted(reader->tracking),
						select, filter, some_null(reader->tracking));
	if (reader->reach == SSOT_REACH_KEYS)
		return ssot_sql("%s\nWHERE (%s)\n  AND %s", select, filter, is_noted(reader->tracking));
	return filtered ? ssot_sql("%s\nWHERE (%s)", select, filter) : pstrdup(select);
}

/* The key reads its columns only, so a row of nothing else has it. */
void
ssot_reach_keys(SsotReader *reader, SsotKeySet *keys)
{
	const SsotTracking *tracking = reader->tracking;
	TupleTableSlot *noted = MakeSingleTupleTableSlot(reader->changes->desc, &TTSOpsMinimalTuple);
	TupleTableSlot *raw = MakeSingleTupleTableSlot(reader->desc, &TTSOpsVirtual);
	Datum		key;

	ExecStoreAllNullTuple(raw);
	tuplestore_rescan(reader->changes->rows);
	while (tuplestore_gettupleslot(reader->changes->rows, true, false, noted))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(noted);
		for (int i = 0; i < tracking->nkeys; i++)
		{
			raw->tts_values[tracking->keys[i] - 1] = noted->tts_values[i];
			raw->tts_isnull[tracking->keys[i] - 1] = noted->tts_isnull[i];
		}
		if (ssot_mapper_key(reader->mapper, raw, &key))
			ssot_keyset_add(keys, key);
		ssot_mapper_reset(reader->mapper);
	}
	ExecDropSingleTupleTableSlot(noted);
	ExecDropSingleTupleTableSlot(raw);
}
