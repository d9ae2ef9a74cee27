/*
 * identity/model.h
 *		What the levels of each field are worth: the Fellegi-Sunter model.
 */
#ifndef SSOT_MODEL_H
#define SSOT_MODEL_H

#include "identity/compare.h"
#include "identity/rule.h"

#include <math.h>

#define SSOT_LEVELS		(SSOT_MAX_LEVEL + 1)

/* Values by the binary logarithm of the number of records that have them. */
#define SSOT_SIZES		16

static inline int
ssot_size_class(int count)
{
	int			size = 0;

	for (; count > 1 && size < SSOT_SIZES - 1; count >>= 1)
		size++;
	return size;
}

typedef struct SsotFieldModel
{
	int			nlevels;
	double		m[SSOT_LEVELS]; /* share of the level among records of one
								 * thing */
	double		u[SSOT_LEVELS]; /* among records of two things */
	double		weight[SSOT_LEVELS];	/* log2(m / u), rising; 0 for missing */
	double		reference[SSOT_LEVELS]; /* log2 of the share of records that
										 * what two things agree on by chance
										 * has, at this level */
	double		others[SSOT_SIZES]; /* by how many records have a value: the
									 * share of other things among those who
									 * share it */
	SsotGiven	given[SSOT_LEVELS]; /* what is not learnt */
} SsotFieldModel;

/*
 * Two fields that say the same to strangers. A pair that agrees on both (equal values)
 * weighs less by the excess, a binary logarithm.
 */
typedef struct SsotTie
{
	int			f;
	int			g;
	double		excess;
} SsotTie;

typedef struct SsotModel
{
	int			nfields;
	double		prior;			/* probability that two records are one thing */
	double		matches;		/* expected pairs of records of one thing */
	bool		prior_given;	/* the prior was not learnt */
	SsotFieldModel fields[SSOT_MAX_FIELDS];
	int			nties;
	SsotTie		ties[SSOT_MAX_FIELDS];	/* a forest */
	int			iterations;		/* that learning took */
} SsotModel;

/* What agreeing on tied fields says twice. */
static inline double
ssot_pattern_excess(const SsotModel *model, SsotPattern pattern)
{
	double		excess = 0;

	for (int i = 0; i < model->nties; i++)
	{
		const SsotTie *tie = &model->ties[i];

		if (ssot_pattern_level(pattern, tie->f) == model->fields[tie->f].nlevels &&
			ssot_pattern_level(pattern, tie->g) == model->fields[tie->g].nlevels)
			excess += tie->excess;
	}
	return excess;
}

/* The weight of a pattern, without the prior. */
static inline double
ssot_pattern_weight(const SsotModel *model, SsotPattern pattern)
{
	double		weight = -ssot_pattern_excess(model, pattern);

	for (int f = 0; f < model->nfields; f++)
		weight += model->fields[f].weight[ssot_pattern_level(pattern, f)];
	return weight;
}

/* A pair that was drawn for learning, and how many such pairs it stands for. */
typedef struct SsotDraw
{
	int			a;
	int			b;
	int			rule;			/* that drew it */
	SsotPattern pattern;
	double		weight;			/* set at the end; 0 for the improbable ones */
	double		posterior;
} SsotDraw;

#define SSOT_TRAINING_RULES	14

typedef struct SsotTraining
{
	const SsotRecords *records;
	int			nrules;
	const SsotBlocking *rules[SSOT_TRAINING_RULES];
	double		drawn[SSOT_TRAINING_RULES]; /* the share of its keys drawn
											 * from */
	SsotDraw   *draws;			/* in the order of rules */
	int			ndraws;
	int			capacity;
	SsotPattern *random;		/* of random pairs */
	int64		nrandom;
	bool		complete;		/* these are all pairs that there are */
	double		given_prior;	/* 0: it is estimated */
} SsotTraining;

/*
 * Choose what to draw; then draw all of it, or its parts: pairs under the rule of a
 * number, appended to the draws; the patterns of n random pairs, from "first" on.
 */
extern SsotTraining *ssot_training_begin(const SsotRecords *records, List *rules);
extern void ssot_training_draw(SsotLeveler *leveler, SsotTraining *training);
extern void ssot_training_draw_rule(SsotLeveler *leveler, SsotTraining *training, int number);
extern void ssot_training_draw_random(SsotLeveler *leveler, int64 first, int64 n, SsotPattern *patterns);

/* Learn. */
extern SsotModel *ssot_model_learn(SsotLeveler *leveler, SsotTraining *training);

/*
 * ties.c: count the records that agree on two fields (to be freed by ssot_large_free);
 * then find the ties by it, given u, and which fields name the thing.
 */
typedef struct SsotAgreeing SsotAgreeing;
extern SsotAgreeing *ssot_ties_begin(SsotLeveler *leveler);
extern void ssot_ties_learn(SsotModel *model, const SsotRecords *records, const bool *names,
							const SsotAgreeing *agreeing);

/* others.c: the last step of learning. */
extern void ssot_model_learn_others(SsotModel *model, SsotLeveler *leveler);

/* Recompute the weights from m and u. */
extern void ssot_model_weigh(SsotModel *model);

/*
 * given.c: what was given by hand. Take it from the kind; put given m and u among
 * those that were learnt, which share what is left; put given weights in force, and
 * keep the others between them; have rarity leave them alone; put a prior in force
 * (0: it is learnt).
 */
extern void ssot_given_take(SsotFieldModel *field, const SsotKind *kind);
extern void ssot_given_shares(SsotFieldModel *field);
extern void ssot_given_weights(SsotFieldModel *field);

/* The weight that was given for a level, by itself or by m and u; or NAN. */
extern double ssot_given_weight(const SsotFieldModel *field, int level);
extern void ssot_given_references(SsotModel *model);
extern void ssot_given_prior(SsotModel *model, double prior, double all_pairs);

static inline double
ssot_probability(double weight)
{
	return 1 / (1 + exp2(-weight));
}

#endif							/* SSOT_MODEL_H */
