/*
 * entity/reading.c
 *		ssot.set_reading: how much of a source a run reads.
 *
 * full is always right and costs a scan. capture reads what triggers noted and is
 * right wherever the triggers are. watermark trusts the source's own times: it is
 * for relations that cannot have triggers, and what leaves them shows only when
 * everything is read.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "entity/config.h"
#include "entity/declare.h"
#include "entity/expression.h"
#include "entity/json.h"
#include "entity/reading.h"
#include "entity/tracking.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ssot_set_reading);

static SsotQuery set_query = {
	.sql =
	"UPDATE ssot.source AS s\n"
	"SET reading = $2,\n"
	"    full_every = coalesce($3, CASE WHEN $2 = 'watermark' THEN interval '1 day' END),\n"
	"    overlap = coalesce($4, interval '1 hour')\n"
	"WHERE s.source_id = $1",
	.nargs = 4,
	.argtypes = {INT4OID, TEXTOID, INTERVALOID, INTERVALOID}
};

/* The next run reads everything. */
static SsotQuery forget_query = {
	.sql =
	"UPDATE ssot.source_state AS t\n"
	"SET full_at = NULL,\n"
	"    shape = NULL\n"
	"WHERE t.source_id = $1\n"
	"  AND (t.full_at IS NOT NULL OR t.shape IS NOT NULL)",
	.nargs = 1,
	.argtypes = {INT4OID}
};

static void
refuse(const SsotEntity *entity, const SsotSource *source, const char *reading,
	   const char *reason, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("source \"%s\" of entity \"%s\" cannot be read by %s",
					source->name, entity->name, reading),
			 errdetail("%s.", reason),
			 hint != NULL ? errhint("%s", hint) :
			 errhint("Leave it to be read in full: ssot.set_reading(reading => 'full').")));
}

static Oid
source_relation(const SsotSource *source)
{
	Oid			relid = RangeVarGetRelid(makeRangeVarFromNameList(ssot_name_list(source->relation)),
										 AccessShareLock, true);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation %s of source \"%s\" does not exist",
						source->relation, source->name),
				 errhint("Restore it, or name another with ssot.alter_source(relation => ...).")));
	return relid;
}

/*
 * What source times a watermark can be compared with. Text goes through an input
 * function row by row, which a query cannot do without failing on one bad row.
 */
Oid
ssot_watermark_type(const SsotSource *source, Oid relid)
{
	JsonbValue *value = ssot_json_member(source->compiled, "updated_at");
	char	   *what = psprintf("updated_at of source \"%s\"", source->name);
	Oid			type;

	if (value == NULL)
		return InvalidOid;
	type = getBaseType(exprType(ssot_expression_parse(ssot_json_string(value, what), relid,
													  what, InvalidOid, -1)));
	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID ? type : InvalidOid;
}

static void
require_watermark(const SsotEntity *entity, const SsotSource *source)
{
	if (ssot_json_member(source->compiled, "updated_at") == NULL)
		refuse(entity, source, "watermark", "It has no source time",
			   "Give it one: ssot.alter_source(updated_at => ...).");
	if (!OidIsValid(ssot_watermark_type(source, source_relation(source))))
		refuse(entity, source, "watermark", "Its updated_at is neither a timestamp nor a date",
			   "Cast it: ssot.alter_source(updated_at => '(...)::timestamptz').");
	if (source->grain_part)
		refuse(entity, source, "watermark",
			   "Its rows are parts of a record, of which older ones would not be read", NULL);
}

static SsotTracking *
require_capture(const SsotEntity *entity, const SsotSource *source)
{
	const char *refusal;
	const char *hint;
	SsotTracking *tracking = ssot_tracking(source, source_relation(source), &refusal, &hint);

	if (tracking == NULL)
		refuse(entity, source, "capture", refusal, hint);
	return tracking;
}

void
ssot_reading_follow(const SsotEntity *entity, const SsotSource *source)
{
	SsotTracking *tracking;
	ListCell   *lc;

	switch (source->reading)
	{
		case SSOT_READING_FULL:
			break;
		case SSOT_READING_WATERMARK:
			require_watermark(entity, source);
			break;
		case SSOT_READING_CAPTURE:
			tracking = require_capture(entity, source);
			if (ssot_tracking_is_whole(tracking))
				break;
			foreach(lc, tracking->relids)
				ssot_require_ownership(lfirst_oid(lc));
			ssot_tracking_end(source->source_id, tracking);
			ssot_tracking_begin(tracking);
			break;
	}
}

/* An interval argument, which may be NULL but not less than the least. */
static void
require_interval(FunctionCallInfo fcinfo, int arg, const char *name, bool zero_allowed)
{
	Interval	zero = {0};
	int			order;

	if (PG_ARGISNULL(arg))
		return;
	order = DatumGetInt32(DirectFunctionCall2(interval_cmp, PG_GETARG_DATUM(arg),
											  IntervalPGetDatum(&zero)));
	if (order < 0 || (order == 0 && !zero_allowed))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg(zero_allowed ? "%s must not be negative" : "%s must be positive", name),
				 errhint("Give an interval, such as '1 day'.")));
}

static SsotReading
reading_argument(FunctionCallInfo fcinfo)
{
	char	   *text = ssot_text_arg(fcinfo, 2);

	if (text != NULL && strcmp(text, "full") == 0)
		return SSOT_READING_FULL;
	if (text != NULL && strcmp(text, "capture") == 0)
		return SSOT_READING_CAPTURE;
	if (text != NULL && strcmp(text, "watermark") == 0)
		return SSOT_READING_WATERMARK;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 text == NULL ? errmsg("reading must not be null") :
			 errmsg("reading must be \"full\", \"capture\" or \"watermark\", not \"%s\"", text),
			 errhint("See the comment of ssot.set_reading for what they mean.")));
}

/*
 * ssot.set_reading(entity regclass, source text, reading text, full_every interval,
 *					overlap interval)
 *
 * Setting what is set already starts over: the next run reads everything.
 */
Datum
ssot_set_reading(PG_FUNCTION_ARGS)
{
	SsotReading reading = reading_argument(fcinfo);
	SsotEntity *entity;
	SsotSource *source;
	Datum		args[4];
	bool		nulls[4] = {false, false, PG_ARGISNULL(3), PG_ARGISNULL(4)};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("entity must not be null"),
				 errhint("Name a table registered with ssot.register_entity.")));
	require_interval(fcinfo, 3, "full_every", false);
	require_interval(fcinfo, 4, "overlap", true);
	entity = ssot_entity_own(PG_GETARG_OID(0));
	source = ssot_require_source(entity, ssot_text_arg(fcinfo, 1));
	source->reading = reading;
	args[0] = Int32GetDatum(source->source_id);
	args[1] = PG_GETARG_DATUM(2);
	args[2] = PG_GETARG_DATUM(3);
	args[3] = PG_GETARG_DATUM(4);
	ssot_config_run(&set_query, args, nulls);
	ssot_config_run(&forget_query, args, NULL);
	if (reading != SSOT_READING_CAPTURE)
		ssot_tracking_end(source->source_id, NULL);
	ssot_reading_follow(entity, source);
	PG_RETURN_VOID();
}
