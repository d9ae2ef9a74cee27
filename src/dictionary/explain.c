/*
 * dictionary/explain.c
 *		ssot.explain_difference: why two numbers of one metric differ.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/settings.h"
#include "dictionary/explain_core.h"
#include "dictionary/explain_story.h"
#include "dictionary/metric_ask.h"
#include "dictionary/metric_store.h"
#include "dictionary/publish.h"
#include "dictionary/records.h"
#include "dictionary/system_time.h"
#include "entity/declare.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_explain_difference);
PG_FUNCTION_INFO_V1(ssot_tell_difference);

enum
{
	ARG_METRIC,
	ARG_LEFT,
	ARG_RIGHT,
	ARG_METHOD,
	ARG_ORDER,
	ARG_SLICE,
	ARG_LEFT_VARIANT,
	ARG_RIGHT_VARIANT,
	ARG_LEFT_VERSION,
	ARG_RIGHT_VERSION,
	ARG_LEFT_AS_OF,
	ARG_RIGHT_AS_OF,
	ARG_PAIR_BY,
	ARG_DETAIL					/* of explain_difference only */
};

static const char *const axis_names[] = {"definition", "timing", "hierarchy", "quality"};

const char *
ssot_axis_name(SsotAxis axis)
{
	return axis_names[axis];
}

/* ---- the rules ------------------------------------------------------------ */

static SsotAxis
axis_of(const char *name)
{
	for (int i = 0; i < SSOT_AXES; i++)
		if (strcmp(axis_names[i], name) == 0)
			return (SsotAxis) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no axis \"%s\"", name),
			 errhint("in_order names definition, timing, hierarchy and quality, each once.")));
}

static void
read_order(SsotGame *game, ArrayType *order)
{
	List	   *names = order == NULL ? NIL : ssot_text_array_list(PointerGetDatum(order));
	int			seen = 0;
	int			n = 0;
	ListCell   *cell;

	for (int i = 0; i < SSOT_AXES; i++)
		game->order[i] = (SsotAxis) i;
	if (order == NULL)
		return;
	foreach(cell, names)
	{
		SsotAxis	axis = axis_of(lfirst(cell) == NULL ? "" : (const char *) lfirst(cell));

		if (seen & (1 << axis))
			n = SSOT_AXES;
		seen |= 1 << axis;
		if (n < SSOT_AXES)
			game->order[n++] = axis;
	}
	if (seen != SSOT_CORNERS - 1 || list_length(names) != SSOT_AXES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the order of a bridge must name each axis once"),
				 errhint("For example: in_order => '{quality,hierarchy,timing,definition}'.")));
}

static void
read_game(FunctionCallInfo fcinfo, SsotGame *game)
{
	char	   *method = ssot_text_arg(fcinfo, ARG_METHOD);

	ssot_require_word(method == NULL ? "" : method, "bridge", "shapley", "method");
	game->shapley = strcmp(method, "shapley") == 0;
	if (game->shapley && !PG_ARGISNULL(ARG_ORDER))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("Shapley's method takes all orders; it cannot be given one"),
				 errhint("Leave in_order out, or ask for method => 'bridge'.")));
	read_order(game, PG_ARGISNULL(ARG_ORDER) ? NULL : PG_GETARG_ARRAYTYPE_P(ARG_ORDER));
}

/* ---- the sides ------------------------------------------------------------ */

/*
 * A side's own records. A golden side that names no time, or one after which
 * nothing was written, is read as it is, and its time is that of the other side,
 * if that is a system.
 */
static void
open_side(SsotSide *side, int own, bool has_time, TimestampTz t)
{
	SsotMetricReading *reading = &side->reading[own];

	if (side->system == NULL)
	{
		if (has_time && t >= ssot_last_write(ssot_metric_entities(side->metric)))
			has_time = false;
		side->time = ssot_read_golden(side->metric, reading, has_time, t);
		side->has_time = has_time;
		return;
	}
	side->time = ssot_read_system(side->metric, reading, side->system, has_time, t);
	side->has_time = true;
}

/* A side's records at the other side's time; false where they are not known. */
static bool
open_other(SsotSide *side, int own, const SsotSide *other)
{
	SsotMetricReading *reading = &side->reading[1 - own];
	const char *entity = (const char *) linitial(ssot_metric_entities(side->metric));
	SsotSystemTime time;

	/*
	 * Golden records at the time of the other golden side are those of that
	 * side.
	 */
	if (side->system == NULL && other->system == NULL)
	{
		*reading = other->reading[1 - own];
		return true;
	}
	*reading = side->reading[own];
	if (!side->has_time || !other->has_time || side->time == other->time)
		return true;
	if (side->system == NULL)
	{
		if (!ssot_history_reaches(entity, other->time))
			return false;
		ssot_read_golden(side->metric, reading, true, other->time);
		return true;
	}
	if (!ssot_system_at(entity, side->system, other->time, &time))
		return false;
	reading->time = time.belief;
	return true;
}

/* The number after "publication:" or "figure:"; false if the name has no such prefix. */
static bool
numbered(const char *name, const char *prefix, int64 *number)
{
	size_t		length = strlen(prefix);

	if (strncmp(name, prefix, length) != 0)
		return false;
	*number = pg_strtoint64(name + length);
	return true;
}

/*
 * A publication or a reported figure: the definition, time and slice are its own. A
 * figure of a system without records, such as a dashboard, is held against golden
 * records.
 */
static void
read_published(SsotSide *side, SsotPublished *published, const char *metric, int own)
{
	if (strcmp(published->metric, metric) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is a number of metric \"%s\", not of \"%s\"", side->label,
						published->metric, metric)));
	if (published->value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" has no value", side->label)));
	side->metric = ssot_metric_exact(published->metric, published->variant, published->version);
	side->reported = published->value;
	side->slice = published->slice;
	side->system = published->system;
	if (side->system != NULL &&
		ssot_records_open(ssot_entity_load(ssot_scope_relation(side->metric->scope, 0)->relid, false),
						  side->system, DT_NOEND) == NULL)
		side->system = NULL;
	open_side(side, own, true, published->as_of);
}

static void
read_side(FunctionCallInfo fcinfo, SsotSide *side, const char *metric, int own)
{
	char	   *name = ssot_text_arg(fcinfo, ARG_LEFT + own);
	char	   *variant = ssot_text_arg(fcinfo, ARG_LEFT_VARIANT + own);
	bool		has_time = !PG_ARGISNULL(ARG_LEFT_AS_OF + own);
	TimestampTz time = has_time ? PG_GETARG_TIMESTAMPTZ(ARG_LEFT_AS_OF + own) : DT_NOEND;
	int64		number;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("neither side may be null"),
				 errhint("A side is a system, \"golden\", \"publication:<number>\" or \"figure:<number>\".")));
	side->label = name;
	if (numbered(name, "publication:", &number))
	{
		read_published(side, ssot_publication(number), metric, own);
		return;
	}
	if (numbered(name, "figure:", &number))
	{
		read_published(side, ssot_reported_figure(number), metric, own);
		return;
	}
	side->system = strcmp(name, "golden") == 0 ? NULL : name;
	if (variant == NULL && side->system != NULL)
		variant = ssot_used_variant(side->system, metric);
	side->metric = PG_ARGISNULL(ARG_LEFT_VERSION + own) ?
		ssot_metric_in_force(metric, variant, time) :
		ssot_metric_exact(metric, variant, PG_GETARG_INT32(ARG_LEFT_VERSION + own));
	open_side(side, own, has_time, time);
}

/* ---- the answer ----------------------------------------------------------- */

static bool
same_slice(Jsonb *a, Jsonb *b)
{
	return (a == NULL) == (b == NULL) &&
		(a == NULL || compareJsonbContainers(&a->root, &b->root) == 0);
}

/* The slice asked for, or that of a published side; two numbers are of one slice. */
static Jsonb *
slice_of(const SsotSide *sides, Jsonb *asked)
{
	Jsonb	   *slice = asked;

	for (int own = 0; own < 2 && slice == NULL; own++)
		if (sides[own].reported != NULL)
			slice = sides[own].slice;
	for (int own = 0; own < 2; own++)
		if (sides[own].reported != NULL && !same_slice(sides[own].slice, slice))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" is a number of another slice", sides[own].label),
					 errhint("Compare numbers of one slice; see the column slice of ssot.publication and ssot.reported_figure.")));
	return slice;
}

/*
 * What a side reported and its records do not give is a cause of its own, hidden in
 * no other: left, what they give less what it says; right, the other way round.
 */
static void
add_reported(const SsotSide *sides, SsotExplained *explained)
{
	if (strcmp(sides[0].label, sides[1].label) == 0)
		return;
	for (int own = 0; own < 2; own++)
	{
		SsotCause  *cause;
		Numeric		missed;

		if (sides[own].reported == NULL || explained->value[own] == NULL)
			continue;
		missed = own == 0 ? ssot_subtract(explained->value[0], sides[0].reported) :
			ssot_subtract(sides[1].reported, explained->value[1]);
		if (ssot_is_zero(missed))
			continue;
		cause = palloc0(sizeof(SsotCause));
		cause->axis = SSOT_QUALITY;
		cause->kind = SSOT_CAUSE_REPORTED;
		cause->side = own;
		cause->whose = sides[own].label;
		cause->entities = -1;
		cause->counts[own] = sides[own].reported;
		cause->counts[1 - own] = explained->value[own];
		cause->contribution = cause->minimum = cause->maximum = missed;
		explained->causes = lappend(explained->causes, cause);
	}
}

/* ---- pairs and entities --------------------------------------------------- */

/* "Ask for "revenue" and "deals" instead": what a metric is computed from. */
static char *
parts_hint(const SsotMetric *metric)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, metric->parts)
	{
		SsotMetricPart *part = (SsotMetricPart *) lfirst(cell);

		appendStringInfo(&buf, "%s\"%s%s%s\"", buf.len > 0 ? ", " : "", part->definition,
						 *part->variant == '\0' ? "" : ":", part->variant);
	}
	return buf.data;
}

/* Shares of entities, and pairs of records, are of numbers that add up row by row. */
static void
require_additive(const SsotSide *sides, const char *what)
{
	for (int own = 0; own < 2; own++)
	{
		const SsotMetric *metric = sides[own].metric;

		if (!ssot_is_additive(metric))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("%s is not defined for metric \"%s\"", what, metric->name),
					 errdetail("It is no plain sum or count, so no record has a share of it; quality is one cause."),
					 metric->parts != NIL ?
					 errhint("Explain what it is computed from: %s.", parts_hint(metric)) :
					 errhint("Leave %s out, or explain a sum or count over the same rows.", what)));
	}
}

static void
read_pair_by(FunctionCallInfo fcinfo, SsotSide *sides)
{
	char	   *pair_by = ssot_text_arg(fcinfo, ARG_PAIR_BY);

	if (pair_by == NULL)
		return;
	require_additive(sides, "pair_by");
	for (int own = 0; own < 2; own++)
		sides[own].key = ssot_pair_key(sides[own].metric, pair_by);
	if (sides[0].key->type != sides[1].key->type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("pair_by \"%s\" has type %s by the left's definition and %s by the right's", pair_by,
						format_type_be(sides[0].key->type), format_type_be(sides[1].key->type)),
				 errhint("Cast it to one type.")));
}

/*
 * Which corners must be known: the records of the left at the right's time, where
 * timing turns before quality, and those of the right at the left's, where it turns
 * after; Shapley's method needs both. Where one lies before history, timing and quality
 * turn together.
 */
static void
open_others(SsotSide *sides, SsotGame *game)
{
	for (int own = 0; own < 2; own++)
	{
		bool		known = open_other(&sides[own], own, &sides[1 - own]);

		if (game->shapley || ssot_game_precedes(game, SSOT_TIMING, SSOT_QUALITY) == (own == 0))
			game->tied |= !known;
		else
			game->reversible = known;
	}
}

/* From a call's arguments to the causes. */
static SsotExplained *
explain(FunctionCallInfo fcinfo, SsotSide *sides, SsotGame *game, bool detail)
{
	char	   *metric = ssot_text_arg(fcinfo, ARG_METRIC);
	SsotExplained *explained;
	List	   *slices;
	int			level;

	if (metric == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the metric must not be null")));
	read_game(fcinfo, game);
	for (int own = 0; own < 2; own++)
		read_side(fcinfo, &sides[own], metric, own);
	read_pair_by(fcinfo, sides);
	if (detail)
		require_additive(sides, "detail");
	if (sides[0].system == NULL && sides[1].system == NULL)
		sides[0].has_time = sides[1].has_time = true;
	open_others(sides, game);
	/* Both definitions must have the slice's dimensions. */
	for (int own = 1; own >= 0; own--)
		slices = ssot_slices(slice_of(sides, PG_ARGISNULL(ARG_SLICE) ? NULL : PG_GETARG_JSONB_P(ARG_SLICE)),
							 sides[own].metric);
	level = ssot_search_path_begin();
	/* Whole tables are joined and grouped, as in a run. */
	if (maintenance_work_mem > work_mem)
		ssot_setting("work_mem", psprintf("%d", maintenance_work_mem));
	explained = ssot_explain(sides, game, slices);
	add_reported(sides, explained);
	if (detail)
		ssot_tell_detail(fcinfo, game, explained);
	ssot_explain_end(explained);
	ssot_settings_end(level);
	return explained;
}

Datum
ssot_explain_difference(PG_FUNCTION_ARGS)
{
	SsotSide	sides[2] = {0};
	SsotGame	game = {0};
	bool		detail = !PG_ARGISNULL(ARG_DETAIL) && PG_GETARG_BOOL(ARG_DETAIL);
	SsotExplained *explained;

	InitMaterializedSRF(fcinfo, 0);
	explained = explain(fcinfo, sides, &game, detail);
	if (!detail)
		ssot_tell(fcinfo, &game, explained);
	PG_RETURN_NULL();
}

Datum
ssot_tell_difference(PG_FUNCTION_ARGS)
{
	SsotSide	sides[2] = {0};
	SsotGame	game = {0};
	SsotExplained *explained = explain(fcinfo, sides, &game, false);

	PG_RETURN_TEXT_P(cstring_to_text(ssot_headline(&game, explained)));
}
