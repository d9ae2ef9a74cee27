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
} SsotFieldModel;

typedef struct SsotModel
{
	int			nfields;
	double		prior;			/* probability that two records are one thing */
	double		matches;		/* expected pairs of records of one thing */
	SsotFieldModel fields[SSOT_MAX_FIELDS];
	int			iterations;		/* that learning took */
} SsotModel;

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

typedef struct SsotTraining
{
	const SsotRecords *records;
	int			nrules;
	const SsotBlocking **rules;
	double	   *drawn;			/* per rule: the share of its keys drawn from */
	SsotDraw   *draws;
	int			ndraws;
	int			capacity;
} SsotTraining;

/* Draw pairs under the rules, and learn. */
extern SsotTraining *ssot_training_draw(SsotLeveler *leveler, List *rules);
extern SsotModel *ssot_model_learn(SsotLeveler *leveler, SsotTraining *training);

/* Recompute the weights from m and u. */
extern void ssot_model_weigh(SsotModel *model);

static inline double
ssot_probability(double weight)
{
	return 1 / (1 + exp2(-weight));
}

#endif							/* SSOT_MODEL_H */
