/*
 * dictionary/explain_core.c
 *		Dividing the difference of two numbers: from two sides to a list of causes.
 *
 * v(D, T, H, Q) is computed at as few corners as the division asks for. A corner
 * whose hierarchy and records are of one side is a plain aggregate; one where they
 * differ is the same plus what the records gain in the other side's hierarchy. So
 * a pairing of both sides' records (explain_pair.c) per definition and time has all
 * that is needed, and it is compared in depth only where a cause is looked for.
 *
 * A metric whose rows add nothing one by one (an average, a ratio) is evaluated at
 * the corners; then quality is one cause and hierarchy none.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/explain.h"
#include "dictionary/explain_core.h"
#include "dictionary/system_time.h"
#include "golden/clock.h"

#include "miscadmin.h"
#include "utils/builtins.h"

typedef struct Explanation
{
	const SsotSide *sides;
	SsotGame   *game;
	List	   *slices;
	bool		additive;
	SsotPairing *pairing[2][2]; /* by definition and time */
	bool		numbered[2][2];
	bool		compared[2][2];
	List	   *causes;
} Explanation;

#define D(corner)	(((corner) >> SSOT_DEFINITION) & 1)
#define T(corner)	(((corner) >> SSOT_TIMING) & 1)
#define H(corner)	(((corner) >> SSOT_HIERARCHY) & 1)
#define Q(corner)	(((corner) >> SSOT_QUALITY) & 1)

/* An axis that does not take part is the same on both sides; say the right's, so
 * that nothing is computed twice. Records that bring their time along bring their
 * hierarchy too. */
static int
whole(const Explanation *e, int corner)
{
	corner |= ~e->game->players & (SSOT_CORNERS - 1);
	if (e->game->tied)
		corner = (corner & ~(1 << SSOT_HIERARCHY)) | (Q(corner) << SSOT_HIERARCHY);
	return corner;
}

/* ---- corners -------------------------------------------------------------- */

static SsotPairing *
pairing_at(Explanation *e, int definition, int time)
{
	SsotPairing *pairing = e->pairing[definition][time];

	if (pairing != NULL)
		return pairing;
	pairing = palloc0(sizeof(SsotPairing));
	pairing->metric = e->sides[definition].metric;
	pairing->slices = e->slices;
	pairing->direction = e->game->shapley ? 0 : ssot_game_precedes(e->game, SSOT_DEFINITION, SSOT_QUALITY) ? 1 : -1;
	for (int side = 0; side < 2; side++)
	{
		pairing->reading[side] = e->sides[side].reading[e->game->tied ? side : time];
		pairing->reading[side].foreign = definition != side;
	}
	return e->pairing[definition][time] = pairing;
}

static SsotPairing *
numbered(Explanation *e, int definition, int time)
{
	SsotPairing *pairing = pairing_at(e, definition, time);

	if (!e->numbered[definition][time])
		ssot_pairing_numbers(pairing);
	e->numbered[definition][time] = true;
	return pairing;
}

static SsotPairing *
compared(Explanation *e, int definition, int time)
{
	SsotPairing *pairing = pairing_at(e, definition, time);

	if (!e->compared[definition][time])
		ssot_pairing_compare(pairing);
	e->compared[definition][time] = true;
	return pairing;
}

/* Timing and quality that turn together have one time: that of the records. */
static int
time_of(const Explanation *e, int corner)
{
	return e->game->tied ? 0 : T(corner);
}

static Numeric
value_at(Explanation *e, int corner)
{
	Numeric		value;

	corner = whole(e, corner);
	value = numbered(e, D(corner), time_of(e, corner))->plain[Q(corner)];
	if (!e->additive || H(corner) == Q(corner))
		return value;
	return ssot_add(value, compared(e, D(corner), time_of(e, corner))->moved[Q(corner)]);
}

/* ---- causes --------------------------------------------------------------- */

static SsotCause *
cause_of(Explanation *e, SsotAxis axis, SsotCauseKind kind, int side, const char *field)
{
	SsotCause  *cause;
	ListCell   *cell;

	foreach(cell, e->causes)
	{
		cause = (SsotCause *) lfirst(cell);
		if (cause->axis == axis && cause->kind == kind && cause->side == side &&
			(cause->field == field ||
			 (cause->field != NULL && field != NULL && strcmp(cause->field, field) == 0)))
			return cause;
	}
	cause = palloc0(sizeof(SsotCause));
	cause->axis = axis;
	cause->kind = kind;
	cause->side = side;
	cause->field = field == NULL ? NULL : pstrdup(field);
	cause->entities = -1;
	cause->whose = side < 0 ? "" : e->sides[side].label;
	e->causes = lappend(e->causes, cause);
	return cause;
}

/* Returns what is left of the marginal. */
static Numeric
note(Explanation *e, int corner, SsotCause *cause, Numeric marginal, int64 entities, Numeric left)
{
	cause->marginal[corner] = marginal;
	if (entities >= 0)
		cause->entities = Max(cause->entities, entities);
	return ssot_subtract(left, marginal);
}

static Numeric
negative(Numeric a)
{
	return a == NULL ? NULL : ssot_subtract(NULL, a);
}

/*
 * Records without a golden record that can answer one definition and not the other:
 * nobody can say what the other would make of them.
 */
static void
divide_definition(Explanation *e, int corner)
{
	int			t = time_of(e, whole(e, corner));
	int			q = Q(whole(e, corner));
	Numeric		marginal = ssot_subtract(value_at(e, corner | (1 << SSOT_DEFINITION)), value_at(e, corner));

	if (e->additive && e->sides[q].system != NULL)
	{
		SsotPairing *left = compared(e, 0, t);
		SsotPairing *right = compared(e, 1, t);

		if (left->borrows[q] != right->borrows[q])
			marginal = note(e, corner,
							cause_of(e, SSOT_DEFINITION, SSOT_CAUSE_NOT_ANSWERABLE, q, NULL),
							ssot_subtract(right->loose[q], left->loose[q]),
							Max(left->nloose[q], right->nloose[q]), marginal);
	}
	note(e, corner, cause_of(e, SSOT_DEFINITION, SSOT_CAUSE_WHOLE, -1, NULL), marginal, -1, marginal);
}

static void
divide_whole(Explanation *e, SsotAxis axis, int corner, int turned)
{
	SsotCause  *cause = cause_of(e, axis, SSOT_CAUSE_WHOLE, -1, NULL);

	note(e, corner, cause, ssot_subtract(value_at(e, corner | turned), value_at(e, corner)), -1, NULL);
	if (axis == SSOT_HIERARCHY && e->additive && cause->entities < 0)
		cause->entities = compared(e, D(whole(e, corner)), time_of(e, whole(e, corner)))->nmoved;
}

static void
divide_quality(Explanation *e, int corner)
{
	SsotPairing *p = compared(e, D(whole(e, corner)), time_of(e, whole(e, corner)));
	Numeric		left = ssot_subtract(value_at(e, corner | (1 << SSOT_QUALITY)), value_at(e, corner));
	int			h = H(whole(e, corner));

	for (int side = 0; side < 2; side++)
	{
		const struct
		{
			SsotCauseKind kind;
			Numeric		sum;
			int64		count;
		}			besides[] = {
			{SSOT_CAUSE_ONLY, p->only[h][side], p->nonly[side]},
			{SSOT_CAUSE_UNLINKED, side == 0 ? negative(p->unlinked[0]) : p->unlinked[1], p->nunlinked[side]},
			{SSOT_CAUSE_DUPLICATE, side == 0 ? negative(p->duplicate[0]) : p->duplicate[1], p->nduplicate[side]},
			{SSOT_CAUSE_QUARANTINED, side == 0 ? negative(p->quarantined[0]) : p->quarantined[1], p->nquarantined[side]}
		};

		for (int i = 0; i < lengthof(besides); i++)
			left = note(e, corner, cause_of(e, SSOT_QUALITY, besides[i].kind, side, NULL),
						besides[i].sum, besides[i].count, left);
	}
	for (int side = 0; side < 2; side++)
		if (p->borrows[side] && p->nloose[side] > 0)
			left = note(e, corner, cause_of(e, SSOT_QUALITY, SSOT_CAUSE_NOT_ANSWERABLE, side, NULL),
						NULL, p->nloose[side], left);
	for (int f = 0; f < p->nfields; f++)
		left = note(e, corner, cause_of(e, SSOT_QUALITY, SSOT_CAUSE_FIELD, -1, p->fields[f]),
					p->changed[h][f], p->nchanged[f], left);
	left = note(e, corner, cause_of(e, SSOT_QUALITY, SSOT_CAUSE_UNDECIDED, -1, NULL),
				p->undecided[h], p->nundecided, left);
	left = note(e, corner, cause_of(e, SSOT_QUALITY, SSOT_CAUSE_FAMILY, -1, NULL),
				p->family[h], p->nfamily, left);
	if (!ssot_is_zero(left))
		elog(ERROR, "the causes of quality miss %s of the difference",
			 DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(left))));
}

static void
divide_axis(Explanation *e, SsotAxis axis)
{
	uint32		contexts = ssot_game_contexts(e->game, axis);

	for (int corner = 0; corner < SSOT_CORNERS; corner++)
	{
		if (!(contexts & (1 << corner)))
			continue;
		CHECK_FOR_INTERRUPTS();
		if (axis == SSOT_DEFINITION)
			divide_definition(e, corner);
		else if (axis == SSOT_QUALITY && e->additive)
			divide_quality(e, corner);
		else
			divide_whole(e, axis, corner, 1 << axis);
	}
}

/*
 * Where the past of a side cannot be read, timing and quality turn together and are
 * one cause: the number itself at one end and the other's at the other.
 */
static void
divide_tied(Explanation *e)
{
	uint32		contexts = ssot_game_contexts(e->game, SSOT_TIMING);
	int			both = (1 << SSOT_TIMING) | (1 << SSOT_QUALITY);

	for (int corner = 0; corner < SSOT_CORNERS; corner++)
		if (contexts & (1 << corner))
			divide_whole(e, SSOT_TIMING, corner, both);
}

/* ---- the whole ------------------------------------------------------------ */

static bool
is_additive(const SsotMetric *metric)
{
	return metric->kind == SSOT_METRIC_SIMPLE && metric->measure->added != NULL &&
		(metric->empty != NULL && strcmp(metric->empty, "0") == 0);
}

static bool
same_definition(const SsotMetric *a, const SsotMetric *b)
{
	return a == b || (strcmp(a->name, b->name) == 0 && strcmp(a->variant, b->variant) == 0 &&
					  a->version == b->version);
}

static bool
same_reading(const SsotMetricReading *a, const SsotMetricReading *b)
{
	bool		a_now = a->mode == SSOT_METRIC_NOW || TIMESTAMP_IS_NOEND(a->time);
	bool		b_now = b->mode == SSOT_METRIC_NOW || TIMESTAMP_IS_NOEND(b->time);

	return a_now ? b_now : !b_now && a->time == b->time;
}

static bool
same_system(const SsotSide *a, const SsotSide *b)
{
	return (a->system == NULL) == (b->system == NULL) &&
		(a->system == NULL || strcmp(a->system, b->system) == 0);
}

static int
players(const SsotSide *sides, bool tied, bool additive)
{
	int			players = 0;

	if (!same_definition(sides[0].metric, sides[1].metric))
		players |= 1 << SSOT_DEFINITION;
	for (int side = 0; side < 2; side++)
		if (!tied && !same_reading(&sides[side].reading[0], &sides[side].reading[1]))
			players |= 1 << SSOT_TIMING;
	if (tied)
		players |= (1 << SSOT_TIMING) | (1 << SSOT_QUALITY);
	if (!same_system(&sides[0], &sides[1]))
		players |= (1 << SSOT_QUALITY) | (additive && !tied ? 1 << SSOT_HIERARCHY : 0);
	return players;
}

static bool
is_nothing(const SsotCause *cause)
{
	for (int corner = 0; corner < SSOT_CORNERS; corner++)
		if (!ssot_is_zero(cause->marginal[corner]))
			return false;
	return (cause->axis != SSOT_HIERARCHY && cause->kind != SSOT_CAUSE_NOT_ANSWERABLE &&
			cause->kind != SSOT_CAUSE_UNDECIDED) ||
		cause->entities <= 0;
}

/* An order that does not know left from right. */
static int
by_axis(const ListCell *a, const ListCell *b)
{
	const SsotCause *left = (const SsotCause *) lfirst(a);
	const SsotCause *right = (const SsotCause *) lfirst(b);

	if (left->axis != right->axis)
		return (int) left->axis - (int) right->axis;
	if (left->kind != right->kind)
		return (int) left->kind - (int) right->kind;
	if (left->field != NULL && right->field != NULL)
		return strcmp(left->field, right->field);
	return strcmp(left->whose, right->whose);
}

SsotExplained *
ssot_explain(const SsotSide *sides, SsotGame *game, List *slices)
{
	Explanation e = {.sides = sides,.game = game,.slices = slices};
	SsotExplained *explained = palloc0(sizeof(SsotExplained));
	List	   *kept = NIL;
	ListCell   *cell;
	int			scale = 0;

	e.additive = is_additive(sides[0].metric) && is_additive(sides[1].metric);
	game->players = players(sides, game->tied, e.additive);
	explained->additive = e.additive;
	explained->value[0] = value_at(&e, 0);
	explained->value[1] = value_at(&e, SSOT_CORNERS - 1);
	if (explained->value[0] == NULL || explained->value[1] == NULL)
		return explained;
	explained->pairing = pairing_at(&e, 1, game->tied ? 0 : 1);
	divide_axis(&e, SSOT_DEFINITION);
	if (game->tied)
		divide_tied(&e);
	else
		divide_axis(&e, SSOT_TIMING);
	divide_axis(&e, SSOT_HIERARCHY);
	if (!game->tied)
		divide_axis(&e, SSOT_QUALITY);
	foreach(cell, e.causes)
	{
		SsotCause  *cause = (SsotCause *) lfirst(cell);

		if (is_nothing(cause))
			continue;
		kept = lappend(kept, cause);
		for (int corner = 0; corner < SSOT_CORNERS; corner++)
			scale = Max(scale, ssot_scale(cause->marginal[corner]));
	}
	list_sort(kept, by_axis);
	explained->causes = kept;
	explained->total = ssot_subtract(explained->value[1], explained->value[0]);
	ssot_game_divide(game, kept, explained->total, Max(scale, ssot_scale(explained->total)));
	return explained;
}
