/*
 * identity/labels.c
 *		Teaching a model by pairs of which people said what they are.
 *
 * What people decide about is not a sample of all pairs: it is what was hard. So
 * decisions say little about how often levels are met (m and u), and counting them
 * in would mislead. But of pairs that look alike they say how many are one thing,
 * however the pairs were picked. That is what is learnt from them: the weight of
 * each level, and the prior, are moved by as much as makes what people said
 * probable (logistic regression), starting from what was learnt without them.
 *
 * A move of d doublings costs d^2 / (2 SPREAD^2), a Gaussian prior around what was
 * learnt from the data. Of n decisions each counts n / (n + HALF_HEARD): a handful
 * nudges the model, and thousands are heard in full, whatever it was before.
 *
 * The sum is convex in the moves. A pair is at one level of a field, so all levels
 * of a field are moved in one step of Newton's method, and field follows field
 * until nothing moves any more.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/labels.h"

#include "miscadmin.h"

#define SPREAD			2.0		/* doublings */
#define HALF_HEARD		200.0	/* decisions */
#define MAX_SWEEPS		500
#define MAX_STEP		2.0
#define LARGEST			40.0	/* of a weight that is looked at */

typedef struct Hearing
{
	int			n;
	int			nfields;
	double	   *weight;			/* of each pair, moves included */
	uint8	   *level;			/* [n][nfields] */
	bool	   *same;
	double		heard;			/* how much each counts */
} Hearing;

static inline int
level_of(const Hearing *hearing, int pair, int field)
{
	return hearing->level[(Size) pair * hearing->nfields + field];
}

/* What was given does not move, and a missing value weighs nothing. */
static bool
may_move(const SsotFieldModel *field, int level)
{
	return level != SSOT_LEVEL_MISSING && isnan(field->given[level].weight) &&
		(isnan(field->given[level].m) || isnan(field->given[level].u));
}

static double
newton(const Hearing *hearing, double gradient, double curvature, double move)
{
	double		g = hearing->heard * M_LN2 * gradient - move / (SPREAD * SPREAD);
	double		c = hearing->heard * M_LN2 * M_LN2 * curvature + 1 / (SPREAD * SPREAD);

	return Min(Max(g / c, -MAX_STEP), MAX_STEP);
}

/* One step for the levels of a field. Returns the largest move. */
static double
step(Hearing *hearing, int f, const SsotFieldModel *field, double *moves)
{
	double		gradient[SSOT_LEVELS] = {0};
	double		curvature[SSOT_LEVELS] = {0};
	double		change[SSOT_LEVELS] = {0};
	double		largest = 0;

	for (int i = 0; i < hearing->n; i++)
	{
		int			l = level_of(hearing, i, f);
		double		p = ssot_probability(hearing->weight[i]);

		gradient[l] += (hearing->same[i] ? 1 : 0) - p;
		curvature[l] += p * (1 - p);
	}
	for (int l = 1; l <= field->nlevels; l++)
	{
		if (!may_move(field, l))
			continue;
		change[l] = newton(hearing, gradient[l], curvature[l], moves[l]);
		moves[l] += change[l];
		largest = Max(largest, fabs(change[l]));
	}
	for (int i = 0; i < hearing->n; i++)
		hearing->weight[i] += change[level_of(hearing, i, f)];
	return largest;
}

/* The same for the prior, of which all pairs have a part. */
static double
step_prior(Hearing *hearing, double *move)
{
	double		gradient = 0;
	double		curvature = 0;
	double		change;

	for (int i = 0; i < hearing->n; i++)
	{
		double		p = ssot_probability(hearing->weight[i]);

		gradient += (hearing->same[i] ? 1 : 0) - p;
		curvature += p * (1 - p);
	}
	change = newton(hearing, gradient, curvature, *move);
	*move += change;
	for (int i = 0; i < hearing->n; i++)
		hearing->weight[i] += change;
	return fabs(change);
}

/* The pairs with their levels; those that a veto decides say nothing. */
static void
look_at(Hearing *hearing, const SsotScorer *scorer, int n, const SsotLabel *labels)
{
	hearing->nfields = scorer->model->nfields;
	hearing->weight = palloc(sizeof(double) * Max(n, 1));
	hearing->level = palloc((Size) Max(n, 1) * hearing->nfields);
	hearing->same = palloc(Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		uint8	   *levels = hearing->level + (Size) hearing->n * hearing->nfields;
		double		weight = scorer->base;

		for (int f = 0; f < hearing->nfields; f++)
		{
			int			level;

			weight += ssot_score_field(scorer, f, labels[i].a, labels[i].b, &level);
			levels[f] = level;
		}
		for (int t = 0; t < scorer->model->nties; t++)
			weight += ssot_score_tie(scorer, t, labels[i].a, labels[i].b);
		if (!isfinite(weight))
			continue;
		hearing->weight[hearing->n] = Min(Max(weight, -LARGEST), LARGEST);
		hearing->same[hearing->n++] = labels[i].same;
	}
	hearing->heard = hearing->n / (hearing->n + HALF_HEARD);
}

/* Weights that rise with the level: where they do not, those in question are made
 * one, by how many pairs have shown them. */
static void
keep_rising(SsotFieldModel *field, const double *shown)
{
	double		weight[SSOT_LEVELS];
	double		count[SSOT_LEVELS];
	int			first[SSOT_LEVELS];
	int			n = 0;

	for (int l = 1; l <= field->nlevels; l++)
	{
		weight[n] = field->weight[l];
		count[n] = shown[l] + 1;
		first[n++] = l;
		while (n > 1 && weight[n - 1] < weight[n - 2])
		{
			weight[n - 2] = (weight[n - 2] * count[n - 2] + weight[n - 1] * count[n - 1]) /
				(count[n - 2] + count[n - 1]);
			count[n - 2] += count[n - 1];
			n--;
		}
	}
	for (int i = 0; i < n; i++)
		for (int l = first[i]; l < (i + 1 < n ? first[i + 1] : field->nlevels + 1); l++)
			field->weight[l] = weight[i];
}

static void
move_weights(SsotModel *model, const Hearing *hearing, double moves[][SSOT_LEVELS], double prior_move)
{
	double		odds = log2(model->prior / (1 - model->prior)) + prior_move;

	for (int f = 0; f < model->nfields; f++)
	{
		SsotFieldModel *field = &model->fields[f];
		double		shown[SSOT_LEVELS] = {0};

		for (int i = 0; i < hearing->n; i++)
			shown[level_of(hearing, i, f)]++;
		for (int l = 1; l <= field->nlevels; l++)
			field->weight[l] += moves[f][l];
		keep_rising(field, shown);
		ssot_given_weights(field);
	}
	model->prior = Min(Max(ssot_probability(odds), 1e-15), 0.5);
}

void
ssot_labels_hear(SsotModel *model, const SsotScorer *scorer, int n, const SsotLabel *labels)
{
	Hearing		hearing = {0};
	double		moves[SSOT_MAX_FIELDS][SSOT_LEVELS] = {{0}};
	double		prior_move = 0;

	look_at(&hearing, scorer, n, labels);
	for (int sweep = 0; sweep < MAX_SWEEPS && hearing.n > 0; sweep++)
	{
		double		largest = model->prior_given ? 0 : step_prior(&hearing, &prior_move);

		CHECK_FOR_INTERRUPTS();
		for (int f = 0; f < model->nfields; f++)
			largest = Max(largest, step(&hearing, f, &model->fields[f], moves[f]));
		if (largest < 1e-4)
			break;
	}
	move_weights(model, &hearing, moves, prior_move);
}
