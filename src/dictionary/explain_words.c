/*
 * dictionary/explain_words.c
 *		Why two numbers differ, in words that can be read aloud.
 *
 * "erp is 46,378.86 USD below crm: erp counts by pipeline:finance v1, which also asks
 * for NOT renewal; 9 records". Systems, definitions and records are named as the user
 * names them; numbers have grouped digits, times are to the minute. The columns beside
 * the sentence have the numbers themselves.
 */
#include "postgres.h"

#include <ctype.h>

#include "ssot.h"
#include "dictionary/explain_story.h"
#include "dictionary/metric_label.h"
#include "entity/config.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* How many records a sentence names. */
#define NAMED 4

static SsotQuery declared_query = {
	.sql =
	"SELECT v.declared ->> 'measure', v.declared ->> 'filter'\n"
	"FROM ssot.definition_version AS v\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID},
	.read_only = true
};

/* ---- numbers and names ---------------------------------------------------- */

static int
sign_of(Numeric value)
{
	return value == NULL ? 0 : DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(value),
																 NumericGetDatum(int64_to_numeric(0))));
}

/* The sides by name; by place where both have one name. */
static const char *
side_name(const SsotExplained *explained, int side)
{
	const SsotSide *sides = explained->sides;

	if (strcmp(sides[0].label, sides[1].label) != 0)
		return sides[side].label;
	return side == 0 ? "the left" : "the right";
}

char *
ssot_distance(const SsotExplained *explained, Numeric contribution)
{
	const char *unit = explained->sides[1].metric->unit;
	const char *left = side_name(explained, 0);
	const char *right = side_name(explained, 1);
	int			sign = sign_of(contribution);

	if (sign == 0)
		return psprintf("%s and %s do not differ by this", right, left);
	return psprintf("%s is %s%s%s %s %s", right, ssot_grouped_amount(contribution), unit == NULL ? "" : " ",
					unit == NULL ? "" : unit, sign < 0 ? "below" : "above", left);
}

static char *
records(int64 n)
{
	return n < 0 ? pstrdup("records") : psprintf(INT64_FORMAT " record%s", n, n == 1 ? "" : "s");
}

/* "pipeline:finance v3" */
static char *
definition_of(const SsotSide *side)
{
	return psprintf("%s%s%s v%d", side->metric->name, *side->metric->variant == '\0' ? "" : ":",
					side->metric->variant, side->metric->version);
}

/* ---- definition ----------------------------------------------------------- */

/* How a definition was declared; NULLs for what it does not say. */
static void
read_declared(const SsotSide *side, char **measure, char **filter)
{
	Datum		args[3] = {CStringGetTextDatum(side->metric->name), CStringGetTextDatum(side->metric->variant),
	Int32GetDatum(side->metric->version)};
	Datum		values[2];
	bool		nulls[2] = {true, true};

	(void) ssot_config_one(&declared_query, args, NULL, 2, values, nulls);
	*measure = nulls[0] ? NULL : TextDatumGetCString(values[0]);
	*filter = nulls[1] ? NULL : TextDatumGetCString(values[1]);
}

static bool
same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

/* What follows a word, whatever its case, after spaces; NULL if another word does. */
static const char *
skip_word(const char *text, const char *word)
{
	while (isspace((unsigned char) *text))
		text++;
	return pg_strncasecmp(text, word, strlen(word)) == 0 ? text + strlen(word) : NULL;
}

/*
 * What a filter asks for besides another one: "a AND b AND c" besides "a AND b" is
 * "c". NULL where it cannot be told from the text, as with OR.
 */
static const char *
asks_besides(const char *filter, const char *other)
{
	const char *rest;

	if (filter == NULL)
		return NULL;
	if (other == NULL)
		return filter;
	if (strncmp(filter, other, strlen(other)) != 0)
		return NULL;
	for (const char *c = filter; *c != '\0'; c++)
		if (skip_word(c, "or ") != NULL && c > filter && isspace((unsigned char) c[-1]))
			return NULL;
	rest = skip_word(filter + strlen(other), "and ");
	return rest == NULL ? NULL : skip_word(rest, "");
}

static char *
definition_reason(const SsotExplained *explained)
{
	const SsotSide *sides = explained->sides;
	char	   *measure[2];
	char	   *filter[2];
	char	   *plain[2];
	const char *besides;

	for (int side = 0; side < 2; side++)
	{
		read_declared(&sides[side], &measure[side], &filter[side]);
		plain[side] = psprintf("%s counts by %s", side_name(explained, side), definition_of(&sides[side]));
	}
	if (!same_text(measure[0], measure[1]))
	{
		for (int side = 0; side < 2 && measure[0] != NULL && measure[1] != NULL; side++)
			plain[side] = psprintf("%s (%s)", plain[side], measure[side]);
		return psprintf("%s, %s", plain[1], plain[0]);
	}
	for (int side = 1; side >= 0; side--)
		if ((besides = asks_besides(filter[side], filter[1 - side])) != NULL)
			return psprintf("%s, which %s %s; %s", plain[side],
							filter[1 - side] == NULL ? "asks for" : "also asks for", besides, plain[1 - side]);
	if (same_text(filter[0], filter[1]))
		return psprintf("%s, %s", plain[1], plain[0]);
	return psprintf("%s (%s), %s (%s)", plain[1], filter[1], plain[0], filter[0]);
}

/* ---- timing --------------------------------------------------------------- */

/* "crm is complete through 2026-11-03 12:00 UTC" */
static char *
through(const SsotExplained *explained, int side)
{
	const SsotSide *own = &explained->sides[side];

	if (!own->has_time)
		return psprintf("%s is as it is now", side_name(explained, side));
	return psprintf("%s is %s %s", side_name(explained, side),
					own->system == NULL ? "as of" : "complete through", ssot_minute(own->time));
}

static char *
timing_reason(const SsotGame *game, const SsotExplained *explained)
{
	char	   *times = psprintf("%s, %s", through(explained, 0), through(explained, 1));

	if (!game->tied)
		return times;
	return psprintf("%s; %s held at the other's time is not known, so timing and quality are one%s", times,
					game->shapley ? "what one" :
					psprintf("what %s", side_name(explained, ssot_game_precedes(game, SSOT_TIMING, SSOT_QUALITY) ? 0 : 1)),
					!game->reversible || game->shapley ? "" :
					ssot_game_precedes(game, SSOT_TIMING, SSOT_QUALITY) ?
					" (in_order => '{definition,quality,hierarchy,timing}' tells them apart)" :
					" (in_order => '{definition,timing,hierarchy,quality}' tells them apart)");
}

/* ---- causes --------------------------------------------------------------- */

/* "; 9 records" */
static char *
counted(int64 n)
{
	return n <= 0 ? pstrdup("") : psprintf("; %s", records(n));
}

char *
ssot_cause_reason(const SsotGame *game, const SsotExplained *explained, const SsotCause *cause)
{
	const char *own = cause->side < 0 ? "" : side_name(explained, cause->side);
	const char *other = cause->side < 0 ? "" : side_name(explained, 1 - cause->side);
	char	   *n = records(cause->entities);

	switch (cause->kind)
	{
		case SSOT_CAUSE_NOT_ANSWERABLE:
			return psprintf("%s of %s belong to no golden record and lack a field that the definition asks for", n, own);
		case SSOT_CAUSE_FIELD:
			return psprintf("%s differs in %s", cause->field, n);
		case SSOT_CAUSE_ONLY:
			return psprintf("%s only in %s, missing in %s", n, own, other);
		case SSOT_CAUSE_UNLINKED:
			return psprintf("%s of %s that belong to no golden record", n, own);
		case SSOT_CAUSE_DUPLICATE:
			return psprintf("%s of what %s holds more than once", n, own);
		case SSOT_CAUSE_QUARANTINED:
			return psprintf("%s of %s in quarantine, because they could not be taken", n, own);
		case SSOT_CAUSE_UNDECIDED:
			return psprintf("%s that may be one thing and wait for a decision (ssot.match_review)", n);
		case SSOT_CAUSE_FAMILY:
			return psprintf("the net of %s that the sides hold at different levels",
							cause->entities == 1 ? "1 family" : psprintf(INT64_FORMAT " families", cause->entities));
		case SSOT_CAUSE_REPORTED:
			return psprintf("what %s says and its records do not give", own);
		case SSOT_CAUSE_WHOLE:
			break;
	}
	switch (cause->axis)
	{
		case SSOT_DEFINITION:
			return psprintf("%s%s", definition_reason(explained), counted(cause->entities));
		case SSOT_TIMING:
			return psprintf("%s%s", timing_reason(game, explained), counted(cause->entities));
		case SSOT_HIERARCHY:
			return psprintf("the same things stand at another place or level of the hierarchy%s", counted(cause->entities));
		default:
			return pstrdup("the records differ");
	}
}

/* The same for a list of causes that has named them. */
char *
ssot_short_reason(const SsotGame *game, const SsotExplained *explained, const SsotCause *cause)
{
	switch (cause->kind)
	{
		case SSOT_CAUSE_FIELD:
		case SSOT_CAUSE_ONLY:
		case SSOT_CAUSE_DUPLICATE:
		case SSOT_CAUSE_QUARANTINED:
			return records(cause->entities);
		default:
			return ssot_cause_reason(game, explained, cause);
	}
}

/* ---- entities ------------------------------------------------------------- */

/* "crm:C3, crm:C4 and 2 more"; NULL for no records. */
static char *
names_of(NullableDatum names)
{
	Datum	   *elements;
	int			n;
	StringInfoData buf;

	if (names.isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(names.value), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	initStringInfo(&buf);
	for (int i = 0; i < n && i < NAMED; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "", TextDatumGetCString(elements[i]));
	if (n > NAMED)
		appendStringInfo(&buf, " and %d more", n - NAMED);
	return buf.data;
}

/* The entity as a side knows it, else by its golden id. */
static char *
name_on(const SsotEntityShare *share, int side)
{
	char	   *names = names_of(share->records[side]);

	return names != NULL ? names :
		!share->id.isnull ? psprintf("golden record %s", TextDatumGetCString(share->id.value)) :
		pstrdup("a row without a key");
}

static char *
name_of(const SsotEntityShare *share)
{
	char	   *left = names_of(share->records[0]);
	char	   *right = names_of(share->records[1]);

	if (left != NULL && right != NULL && strcmp(left, right) != 0)
		return psprintf("%s and %s", left, right);
	return name_on(share, left != NULL ? 0 : 1);
}

static char *
amount(Numeric value)
{
	return psprintf("%s%s", sign_of(value) < 0 ? "-" : "", ssot_grouped_amount(value));
}

static char *
value_of(NullableDatum value)
{
	return value.isnull ? pstrdup("empty") : TextDatumGetCString(value.value);
}

/* ": 1,000 by pipeline v1, 0 by pipeline:finance v1"; "" where orders disagree. */
static char *
counts(const SsotEntityShare *share, const char *how, const char *left, const char *right)
{
	if (share->counts[0] == NULL || share->counts[1] == NULL)
		return pstrdup("");
	return psprintf(": %s %s %s, %s %s %s", amount(share->counts[0]), how, left,
					amount(share->counts[1]), how, right);
}

char *
ssot_share_reason(const SsotExplained *explained, const SsotEntityShare *share)
{
	const SsotCause *cause = share->cause;
	const char *own = cause->side < 0 ? "" : side_name(explained, cause->side);
	const char *left = side_name(explained, 0);
	const char *right = side_name(explained, 1);
	char	   *name = cause->side < 0 ? name_of(share) : name_on(share, cause->side);

	switch (cause->kind)
	{
		case SSOT_CAUSE_NOT_ANSWERABLE:
			return psprintf("%s belongs to no golden record and lacks a field that the definition asks for", name);
		case SSOT_CAUSE_FIELD:
			return psprintf("%s of %s is %s in %s, %s in %s", cause->field, name, value_of(share->value[0]), left,
							value_of(share->value[1]), right);
		case SSOT_CAUSE_ONLY:
			return psprintf("%s is only in %s", name, own);
		case SSOT_CAUSE_UNLINKED:
			return psprintf("%s belongs to no golden record", name);
		case SSOT_CAUSE_DUPLICATE:
			return psprintf("%s is a further record of %s in %s", name,
							!share->pair.isnull ? TextDatumGetCString(share->pair.value) :
							share->id.isnull ? "another one" :
							psprintf("golden record %s", TextDatumGetCString(share->id.value)), own);
		case SSOT_CAUSE_QUARANTINED:
			return psprintf("%s is in quarantine", name);
		case SSOT_CAUSE_UNDECIDED:
			return psprintf("%s may be the same as %s (ssot.match_review)", name, value_of(share->other));
		case SSOT_CAUSE_FAMILY:
			return psprintf("the family of golden record %s%s", value_of(share->id), counts(share, "in", left, right));
		case SSOT_CAUSE_REPORTED:
			return psprintf("what %s says and its records do not give", own);
		case SSOT_CAUSE_WHOLE:
			break;
	}
	switch (cause->axis)
	{
		case SSOT_DEFINITION:
			return psprintf("%s%s", name, counts(share, "by", definition_of(&explained->sides[0]),
												 definition_of(&explained->sides[1])));
		case SSOT_TIMING:
			return psprintf("%s%s", name, counts(share, explained->tied ? "in" : "at the time of", left, right));
		default:
			return psprintf("%s%s", name, counts(share, "as placed by", left, right));
	}
}
