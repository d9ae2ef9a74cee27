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
	SsotExplained *explained;	/* with the pairings, by definition and time */
	uint32		counted[SSOT_AXES]; /* corners */
	List	   *causes;
} Explanation;

#define D(corner)	(((corner) >> SSOT_DEFINITION) & 1)
#define T(corner)	(((corner) >> SSOT_TIMING) & 1)
#define H(corner)	(((corner) >> SSOT_HIERARCHY) & 1)
#define Q(corner)	(((corner) >> SSOT_QUALITY) & 1)

static int
whole(const Explanation *e, int corner)
{
	return ssot_game_corner(e->game, corner);
}

/* ---- corners -------------------------------------------------------------- */

static SsotPairing *
pairing_at(Explanation *e, int definition, int time)
{
	SsotPairing *pairing = e->explained->pairings[definition][time];

	if (pairing != NULL)
		return pairing;
	pairing = palloc0(sizeof(SsotPairing));
	pairing->metric = e->sides[definition].metric;
	pairing->key = e->sides[definition].key;
	pairing->slices = e->slices;
	pairing->direction = e->game->shapley ? 0 : ssot_game_precedes(e->game, SSOT_DEFINITION, SSOT_QUALITY) ? 1 : -1;
	for (int side = 0; side < 2; side++)
	{
		pairing->reading[side] = e->sides[side].reading[e->game->tied ? side : time];
		pairing->reading[side].foreign = definition != side;
	}
	return e->explained->pairings[definition][time] = pairing;
}

static SsotPairing *
compared(Explanation *e, int definition, int time)
{
	SsotPairing *pairing = pairing_at(e, definition, time);

	if (pairing->rows == NULL)
		ssot_pairing_compare(pairing);
	return pairing;
}

/* Timing and quality that turn together have one time: that of the records. */
static int
time_of(const Explanation *e, int corner)
{
	return e->game->tied ? 0 : T(corner);
}

/* Does an axis that needs pairs turn at this definition and time? */
static bool
is_compared(const Explanation *e, int definition, int time)
{
	for (SsotAxis axis = SSOT_HIERARCHY; axis <= SSOT_QUALITY; axis++)
	{
		uint32		contexts = ssot_game_contexts(e->game, axis);

		for (int corner = 0; corner < SSOT_CORNERS; corner++)
			if ((contexts & (1 << corner)) && D(whole(e, corner)) == definition && T(whole(e, corner)) == time)
				return e->additive && !e->game->tied;
	}
	return false;
}

/* Comparing gives the numbers too; where nothing is compared, only this one is asked
 * for. */
static Numeric
value_at(Explanation *e, int corner)
{
	int			time = time_of(e, whole(e, corner));
	SsotPairing *pairing;

	corner = whole(e, corner);
	if (is_compared(e, D(corner), time))
		compared(e, D(corner), time);
	pairing = pairing_at(e, D(corner), time);
	ssot_pairing_number(pairing, Q(corner));
	if (!e->additive || H(corner) == Q(corner))
		return pairing->plain[Q(corner)];
	return ssot_add(pairing->plain[Q(corner)], compared(e, D(corner), time)->moved[Q(corner)]);
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
 * The rows before and after an axis turns in a corner, which is the same wherever the
 * hierarchy stands. False if they are the same rows.
 */
bool
ssot_explain_step(const SsotExplained *explained, const SsotGame *game, SsotAxis axis, int corner,
				  SsotStep *step)
{
	bool		definition = axis == SSOT_DEFINITION;
	bool		tied = game->tied && !definition;

	corner = ssot_game_corner(game, corner);
	memset(step, 0, sizeof(*step));
	for (int i = 0; i < 2; i++)
	{
		step->pairing[i] = explained->pairings[definition ? i : D(corner)][game->tied ? 0 : definition ? T(corner) : i];
		step->side[i] = tied ? i : Q(corner);
	}
	step->settled = definition && explained->sides[Q(corner)].system != NULL &&
		step->pairing[0]->borrows[Q(corner)] != step->pairing[1]->borrows[Q(corner)];
	step->by_key = tied && step->pairing[0]->key != NULL;
	return definition || tied ||
		!ssot_same_reading(&step->pairing[0]->reading[Q(corner)], &step->pairing[1]->reading[Q(corner)]);
}

/* How many entities an axis moves in a corner; the same of corners that differ only in
 * the hierarchy. */
static int64
count_step(Explanation *e, SsotAxis axis, int corner, Numeric marginal)
{
	int			at = ssot_game_corner(e->game, corner) & ~(1 << SSOT_HIERARCHY);
	SsotStep	step;

	if (!e->additive)
		return -1;
	if (e->counted[axis] & (1 << at) || ssot_is_zero(marginal))
		return 0;
	e->counted[axis] |= 1 << at;
	return ssot_explain_step(e->explained, e->game, axis, corner, &step) ? ssot_step_count(&step) : 0;
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
	SsotCause  *cause = cause_of(e, SSOT_DEFINITION, SSOT_CAUSE_WHOLE, -1, NULL);
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
	note(e, corner, cause, marginal, count_step(e, SSOT_DEFINITION, corner, marginal), NULL);
}

static void
divide_whole(Explanation *e, SsotAxis axis, int corner, int turned)
{
	SsotCause  *cause = cause_of(e, axis, SSOT_CAUSE_WHOLE, -1, NULL);
	Numeric		marginal = ssot_subtract(value_at(e, corner | turned), value_at(e, corner));
	int64		entities = -1;

	if (axis == SSOT_TIMING)
		entities = count_step(e, axis, corner, marginal);
	else if (axis == SSOT_HIERARCHY && e->additive)
		entities = compared(e, D(whole(e, corner)), time_of(e, whole(e, corner)))->nmoved;
	note(e, corner, cause, marginal, entities, NULL);
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
			{SSOT_CAUSE_ONLY, p->only[h][side], p->nonly[h][side]},
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
					p->changed[h][f], p->nchanged[h][f], left);
	left = note(e, corner, cause_of(e, SSOT_QUALITY, SSOT_CAUSE_UNDECIDED, -1, NULL),
				p->undecided[h], p->nundecided, left);
	left = note(e, corner, cause_of(e, SSOT_QUALITY, SSOT_CAUSE_FAMILY, -1, NULL),
				p->family[h], p->nfamily[h], left);
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

bool
ssot_is_additive(const SsotMetric *metric)
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

bool
ssot_same_reading(const SsotMetricReading *a, const SsotMetricReading *b)
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
		if (!tied && !ssot_same_reading(&sides[side].reading[0], &sides[side].reading[1]))
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

/* The decimals of the numbers that were computed; halves of a step may have more. */
static int
scale_of(const SsotExplained *explained)
{
	int			scale = ssot_scale(explained->total);

	for (int d = 0; d < 2; d++)
		for (int t = 0; t < 2; t++)
			for (int side = 0; side < 2 && explained->pairings[d][t] != NULL; side++)
				scale = Max(scale, Max(ssot_scale(explained->pairings[d][t]->plain[side]),
									   ssot_scale(explained->pairings[d][t]->moved[side])));
	return scale;
}

SsotExplained *
ssot_explain(const SsotSide *sides, SsotGame *game, List *slices)
{
	Explanation e = {.sides = sides,.game = game,.slices = slices};
	SsotExplained *explained = palloc0(sizeof(SsotExplained));
	List	   *kept = NIL;
	ListCell   *cell;

	e.explained = explained;
	explained->sides = sides;
	e.additive = ssot_is_additive(sides[0].metric) && ssot_is_additive(sides[1].metric);
	game->players = players(sides, game->tied, e.additive);
	explained->additive = e.additive;
	explained->tied = game->tied;
	explained->value[0] = value_at(&e, 0);
	explained->value[1] = value_at(&e, SSOT_CORNERS - 1);
	if (explained->value[0] == NULL || explained->value[1] == NULL)
		return explained;
	(void) pairing_at(&e, 1, game->tied ? 0 : 1);
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
	}
	list_sort(kept, by_axis);
	explained->causes = kept;
	explained->total = ssot_subtract(explained->value[1], explained->value[0]);
	explained->scale = scale_of(explained);
	ssot_game_divide(game, kept, explained->total, explained->scale);
	return explained;
}

void
ssot_explain_end(SsotExplained *explained)
{
	for (int i = 0; i < 4; i++)
	{
		SsotPairing *pairing = explained->pairings[i / 2][i % 2];

		if (pairing == NULL || pairing->rows == NULL)
			continue;
		ssot_relations_end(pairing->rows->relations);
		pairing->rows = NULL;
	}
}
