/*
 * dictionary/explain_story.c
 *		Causes as rows and sentences.
 *
 * Each cause is a row that can be added up, and a sentence that can be read aloud:
 * "180,000 below: finance counts by definition v3 of pipeline:finance, sales by v2."
 * Numbers in sentences have grouped digits; the columns have the number itself.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/explain_story.h"
#include "dictionary/metric_label.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

static const char *const cause_names[] = {
	NULL,						/* the axis' own */
	"not answerable",
	"changed",
	"only in",
	"unlinked in",
	"duplicates in",
	"quarantined in",
	"undecided match",
	"family net",
	"not reproduced in"
};

static bool
is_negative(Numeric value)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(value),
											 NumericGetDatum(int64_to_numeric(0)))) < 0;
}

/* "definition v3 of pipeline:finance" */
static char *
definition_of(const SsotSide *side)
{
	return psprintf("v%d of %s%s%s", side->metric->version, side->metric->name,
					*side->metric->variant == '\0' ? "" : ":", side->metric->variant);
}

static char *
through(const SsotSide *side)
{
	return psprintf("%s through %s", side->label,
					side->has_time ? timestamptz_to_str(side->time) : "the same time");
}

static char *
records(int64 n)
{
	return n < 0 ? "records" : psprintf(INT64_FORMAT " record%s", n, n == 1 ? "" : "s");
}

/* Why, in words. */
static char *
reason(const SsotSide *sides, const SsotGame *game, const SsotCause *cause)
{
	const SsotSide *own = cause->side < 0 ? NULL : &sides[cause->side];
	const SsotSide *other = cause->side < 0 ? NULL : &sides[1 - cause->side];

	switch (cause->kind)
	{
		case SSOT_CAUSE_NOT_ANSWERABLE:
			return psprintf("%s of %s belong to no golden record and lack a field that the definition asks for",
							records(cause->entities), own->label);
		case SSOT_CAUSE_FIELD:
			return psprintf("%s differs in %s", cause->field, records(cause->entities));
		case SSOT_CAUSE_ONLY:
			return psprintf("%s only in %s, missing in %s", records(cause->entities), own->label, other->label);
		case SSOT_CAUSE_UNLINKED:
			return psprintf("%s of %s that belong to no golden record", records(cause->entities), own->label);
		case SSOT_CAUSE_DUPLICATE:
			return psprintf("%s that %s holds more than once", records(cause->entities), own->label);
		case SSOT_CAUSE_QUARANTINED:
			return psprintf("%s of %s that could not be taken", records(cause->entities), own->label);
		case SSOT_CAUSE_UNDECIDED:
			return psprintf("%s that may be one thing and wait for a decision", records(cause->entities));
		case SSOT_CAUSE_FAMILY:
			return psprintf("the net of %s that the sides hold at different levels", records(cause->entities));
		case SSOT_CAUSE_REPORTED:
			return psprintf("what %s says and its records do not give", own->label);
		case SSOT_CAUSE_WHOLE:
			break;
	}
	switch (cause->axis)
	{
		case SSOT_DEFINITION:
			return psprintf("%s counts by %s, %s by %s", sides[1].label, definition_of(&sides[1]),
							sides[0].label, definition_of(&sides[0]));
		case SSOT_TIMING:
			return psprintf(game->tied ? "%s, %s; what they held at one time is not known, so timing and quality are one" :
							"%s, %s", through(&sides[0]), through(&sides[1]));
		case SSOT_HIERARCHY:
			return psprintf("the same amounts booked at another place of the hierarchy");
		default:
			return psprintf("the records differ");
	}
}

static char *
sentence(const SsotSide *sides, const SsotGame *game, const SsotCause *cause)
{
	const char *unit = sides[1].metric->unit;

	return psprintf("%s%s%s %s: %s", ssot_grouped_digits(cause->contribution), unit == NULL ? "" : " ",
					unit == NULL ? "" : unit, is_negative(cause->contribution) ? "less" : "more",
					reason(sides, game, cause));
}

static char *
cause_name(const SsotGame *game, const SsotCause *cause)
{
	if (cause->kind == SSOT_CAUSE_WHOLE)
		return pstrdup(cause->axis == SSOT_TIMING && game->tied ? "timing and quality" :
					   ssot_axis_name(cause->axis));
	if (cause->kind == SSOT_CAUSE_FIELD)
		return psprintf("%s changed", cause->field);
	return psprintf("%s%s%s", cause_names[cause->kind], *cause->whose == '\0' ? "" : " ",
					cause->kind == SSOT_CAUSE_NOT_ANSWERABLE ? psprintf("in %s", cause->whose) : cause->whose);
}

/* What either side borrowed, without duplicates, sorted by first mention. */
static Datum
borrowed(const SsotExplained *explained, const SsotSide *sides)
{
	List	   *names = NIL;
	ListCell   *cell;
	Datum	   *values;
	int			n = 0;

	for (int side = 0; side < 2; side++)
		foreach(cell, explained->pairing->reading[side].borrowed)
			names = lappend(names, psprintf("%s: %s", sides[side].label, (const char *) lfirst(cell)));
	values = palloc(sizeof(Datum) * Max(list_length(names), 1));
	foreach(cell, names)
		values[n++] = CStringGetTextDatum((const char *) lfirst(cell));
	return PointerGetDatum(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT));
}

#define COLUMNS 9

void
ssot_tell(FunctionCallInfo fcinfo, const SsotSide *sides, const SsotGame *game,
		  const SsotExplained *explained)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		taken = explained->causes == NIL ? (Datum) 0 : borrowed(explained, sides);
	ListCell   *cell;

	foreach(cell, explained->causes)
	{
		SsotCause  *cause = (SsotCause *) lfirst(cell);
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS] = {false};

		values[0] = CStringGetTextDatum(cause->kind == SSOT_CAUSE_REPORTED ? "reported" :
										cause->kind == SSOT_CAUSE_WHOLE && cause->axis == SSOT_TIMING && game->tied ?
										"timing and quality" : ssot_axis_name(cause->axis));
		values[1] = CStringGetTextDatum(cause_name(game, cause));
		nulls[2] = cause->field == NULL;
		if (cause->field != NULL)
			values[2] = CStringGetTextDatum(cause->field);
		values[3] = NumericGetDatum(cause->contribution);
		nulls[4] = nulls[5] = !game->shapley;
		if (game->shapley)
		{
			values[4] = NumericGetDatum(cause->minimum);
			values[5] = NumericGetDatum(cause->maximum);
		}
		nulls[6] = cause->entities < 0;
		values[6] = Int64GetDatum(cause->entities);
		values[7] = taken;
		values[8] = CStringGetTextDatum(sentence(sides, game, cause));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}
