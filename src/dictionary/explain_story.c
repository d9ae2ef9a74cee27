/*
 * dictionary/explain_story.c
 *		Causes, and the entities behind them, as rows.
 *
 * Each row can be added up, and has a sentence that can be read alone (see
 * explain_words.c). With detail the entities of a cause stand in its place, so the
 * rows add up to right - left in either case.
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
	"not answerable in",
	"changed",
	"only in",
	"unlinked in",
	"duplicates in",
	"quarantined in",
	"undecided match",
	"family net",
	"not reproduced in"
};

/* The columns of ssot.cause. */
enum
{
	COL_AXIS,
	COL_CAUSE,
	COL_FIELD,
	COL_CONTRIBUTION,
	COL_MINIMUM,
	COL_MAXIMUM,
	COL_ENTITIES,
	COL_BORROWED,
	COL_SENTENCE,
	COL_ID,
	COL_PAIR_KEY,
	COL_LEFT_RECORDS,
	COL_RIGHT_RECORDS,
	COL_LEFT_COUNTS,
	COL_RIGHT_COUNTS,
	COL_LEFT_VALUE,
	COL_RIGHT_VALUE,
	NCOLS
};

typedef struct Story
{
	ReturnSetInfo *result;
	const SsotGame *game;
	const SsotExplained *explained;
	Datum		borrowed;
} Story;

static bool
is_tied(const SsotGame *game, const SsotCause *cause)
{
	return cause->kind == SSOT_CAUSE_WHOLE && cause->axis == SSOT_TIMING && game->tied;
}

static char *
cause_name(const SsotGame *game, const SsotCause *cause)
{
	if (cause->kind == SSOT_CAUSE_WHOLE)
		return pstrdup(is_tied(game, cause) ? "timing and quality" : ssot_axis_name(cause->axis));
	if (cause->kind == SSOT_CAUSE_FIELD)
		return psprintf("%s changed", cause->field);
	return psprintf("%s%s%s", cause_names[cause->kind], *cause->whose == '\0' ? "" : " ", cause->whose);
}

/* What either side borrowed, as "system: alias.column". */
static List *
borrowed(const SsotGame *game, const SsotExplained *explained)
{
	const SsotPairing *pairing = explained->pairings[1][game->tied ? 0 : 1];
	List	   *names = NIL;
	ListCell   *cell;

	for (int side = 0; side < 2 && pairing != NULL; side++)
		foreach(cell, pairing->reading[side].borrowed)
			names = lappend(names, psprintf("%s: %s", explained->sides[side].label, (const char *) lfirst(cell)));
	return names;
}

static Datum
text_array(List *names)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(names), 1));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, names)
		values[n++] = CStringGetTextDatum((const char *) lfirst(cell));
	return PointerGetDatum(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static Story
begin_story(FunctionCallInfo fcinfo, const SsotGame *game, const SsotExplained *explained)
{
	return (Story)
	{
		.result = (ReturnSetInfo *) fcinfo->resultinfo,
			.game = game,
			.explained = explained,
			.borrowed = text_array(borrowed(game, explained))
	};
}

/* What the rows of a cause and of its entities share. */
static void
fill_cause(const Story *story, const SsotCause *cause, Datum *values, bool *nulls)
{
	memset(nulls, true, sizeof(bool) * NCOLS);
	values[COL_AXIS] = CStringGetTextDatum(cause->kind == SSOT_CAUSE_REPORTED ? "reported" :
										   is_tied(story->game, cause) ? "timing and quality" :
										   ssot_axis_name(cause->axis));
	values[COL_CAUSE] = CStringGetTextDatum(cause_name(story->game, cause));
	if (cause->field != NULL)
		values[COL_FIELD] = CStringGetTextDatum(cause->field);
	values[COL_BORROWED] = story->borrowed;
	nulls[COL_AXIS] = nulls[COL_CAUSE] = nulls[COL_BORROWED] = false;
	nulls[COL_FIELD] = cause->field == NULL;
}

static void
put_row(const Story *story, Numeric contribution, Numeric minimum, Numeric maximum, const char *reason,
		Datum *values, bool *nulls)
{
	values[COL_CONTRIBUTION] = NumericGetDatum(contribution);
	nulls[COL_CONTRIBUTION] = nulls[COL_SENTENCE] = false;
	if (story->game->shapley)
	{
		values[COL_MINIMUM] = NumericGetDatum(minimum);
		values[COL_MAXIMUM] = NumericGetDatum(maximum);
		nulls[COL_MINIMUM] = nulls[COL_MAXIMUM] = false;
	}
	values[COL_SENTENCE] = CStringGetTextDatum(psprintf("%s: %s", ssot_distance(story->explained, contribution), reason));
	tuplestore_putvalues(story->result->setResult, story->result->setDesc, values, nulls);
}

static void
put_cause(const Story *story, const SsotCause *cause)
{
	Datum		values[NCOLS];
	bool		nulls[NCOLS];

	fill_cause(story, cause, values, nulls);
	values[COL_ENTITIES] = Int64GetDatum(cause->entities);
	nulls[COL_ENTITIES] = cause->entities < 0;
	for (int side = 0; side < 2; side++)
	{
		values[COL_LEFT_COUNTS + side] = NumericGetDatum(cause->counts[side]);
		nulls[COL_LEFT_COUNTS + side] = cause->counts[side] == NULL;
	}
	put_row(story, cause->contribution, cause->minimum, cause->maximum,
			ssot_cause_reason(story->game, story->explained, cause), values, nulls);
}

static int
by_size(const ListCell *a, const ListCell *b)
{
	const SsotCause *left = (const SsotCause *) lfirst(a);
	const SsotCause *right = (const SsotCause *) lfirst(b);

	if (left->axis != right->axis || (left->kind == SSOT_CAUSE_REPORTED) != (right->kind == SSOT_CAUSE_REPORTED))
		return left->axis != right->axis ? (int) left->axis - (int) right->axis :
			left->kind == SSOT_CAUSE_REPORTED ? 1 : -1;
	return ssot_compare_sizes(right->contribution, left->contribution);
}

/* Axis by axis, the largest cause first. */
static List *
in_order(const SsotExplained *explained)
{
	List	   *causes = list_copy(explained->causes);

	list_sort(causes, by_size);
	return causes;
}

void
ssot_tell(FunctionCallInfo fcinfo, const SsotGame *game, const SsotExplained *explained)
{
	Story		story = begin_story(fcinfo, game, explained);
	ListCell   *cell;

	foreach(cell, in_order(explained))
		put_cause(&story, (const SsotCause *) lfirst(cell));
}

static void
put_share(const SsotEntityShare *share, void *arg)
{
	const Story *story = (const Story *) arg;
	Datum		values[NCOLS];
	bool		nulls[NCOLS];
	const struct
	{
		int			place;
		NullableDatum datum;
	}			columns[] = {
		{COL_ID, share->id}, {COL_PAIR_KEY, share->pair},
		{COL_LEFT_RECORDS, share->records[0]}, {COL_RIGHT_RECORDS, share->records[1]},
		{COL_LEFT_VALUE, share->value[0]}, {COL_RIGHT_VALUE, share->value[1]}
	};

	fill_cause(story, share->cause, values, nulls);
	values[COL_ENTITIES] = Int64GetDatum(share->entities);
	nulls[COL_ENTITIES] = false;
	for (int i = 0; i < lengthof(columns); i++)
	{
		values[columns[i].place] = columns[i].datum.value;
		nulls[columns[i].place] = columns[i].datum.isnull;
	}
	for (int side = 0; side < 2; side++)
	{
		values[COL_LEFT_COUNTS + side] = NumericGetDatum(share->counts[side]);
		nulls[COL_LEFT_COUNTS + side] = share->counts[side] == NULL;
	}
	put_row(story, share->contribution, share->minimum, share->maximum,
			ssot_share_reason(story->explained, share), values, nulls);
}

/* What no record gives stands behind no entity: it is told as it is. */
void
ssot_tell_detail(FunctionCallInfo fcinfo, const SsotGame *game, const SsotExplained *explained)
{
	Story		story = begin_story(fcinfo, game, explained);
	ListCell   *cell;

	ssot_explain_detail(explained, in_order(explained), game, put_share, &story);
	foreach(cell, explained->causes)
		if (((SsotCause *) lfirst(cell))->kind == SSOT_CAUSE_REPORTED)
		put_cause(&story, (SsotCause *) lfirst(cell));
}

/*
 * "erp is 183,116.60 USD below crm (1,051,450.40 and 1,234,567.00): 46,378.86 definition
 * (...), 44,161.11 timing (...)". What works against the whole has a minus.
 */
char *
ssot_headline(const SsotGame *game, const SsotExplained *explained)
{
	const SsotSide *sides = explained->sides;
	Numeric		total = NULL;
	StringInfoData buf;
	ListCell   *cell;

	for (int side = 0; side < 2; side++)
		if (explained->value[side] == NULL)
			return psprintf("%s has no value", sides[side].label);
	initStringInfo(&buf);
	foreach(cell, explained->causes)
		total = ssot_add(total, ((SsotCause *) lfirst(cell))->contribution);
	if (ssot_is_zero(total))
		appendStringInfo(&buf, "%s and %s are the same", sides[1].label, sides[0].label);
	else
		appendStringInfoString(&buf, ssot_distance(explained, total));
	foreach(cell, in_order(explained))
	{
		SsotCause  *cause = (SsotCause *) lfirst(cell);
		bool		below = !ssot_is_zero(total) && ssot_is_negative(total);

		appendStringInfo(&buf, "%s%s%s %s (%s)", foreach_current_index(cell) == 0 ? ": " : ", ",
						 !ssot_is_zero(cause->contribution) && ssot_is_negative(cause->contribution) != below ? "-" : "",
						 ssot_grouped_amount(cause->contribution), cause_name(game, cause),
						 ssot_short_reason(game, explained, cause));
	}
	foreach(cell, explained->causes == NIL ? NIL : borrowed(game, explained))
		appendStringInfo(&buf, "%s%s", foreach_current_index(cell) == 0 ? "; taken from golden records: " : ", ",
						 (const char *) lfirst(cell));
	return buf.data;
}
