/*
 * identity/score.h
 *		How much two records speak for being one thing.
 */
#ifndef SSOT_SCORE_H
#define SSOT_SCORE_H

#include "identity/stored.h"

typedef struct SsotScoredPair
{
	int			a;				/* a < b */
	int			b;
	float		weight;			/* log2 of the odds, prior included */
} SsotScoredPair;

typedef struct SsotScorer
{
	const SsotRecords *records;
	const SsotModel *model;
	SsotLeveler *leveler;
	double		base;			/* log2 of the prior odds */
	float	   *equal[SSOT_MAX_FIELDS]; /* by value: weight of agreeing on it */
	double		best_unequal[SSOT_MAX_FIELDS];
	int			order[SSOT_MAX_FIELDS]; /* the fields that tell most first */
} SsotScorer;

/* "stored", if not NULL, tells how frequent values are; "model" may be its own. */
extern SsotScorer *ssot_scorer_create(SsotLeveler *leveler, const SsotModel *model,
									  const SsotStoredModel *stored);

/*
 * The weight of a pair; comparing ends as soon as it is known to be below
 * "least", and then the result is some number below it. A field that vetoes gives
 * -infinity.
 */
extern double ssot_score(const SsotScorer *scorer, int a, int b, double least);

/* Two records, a < b. */
typedef struct SsotCandidate
{
	int			a;
	int			b;
} SsotCandidate;

#define SSOT_SCORE_BATCH	64

/* The same for up to SSOT_SCORE_BATCH pairs at once, which is faster. */
extern void ssot_score_batch(const SsotScorer *scorer, const SsotCandidate *pairs, int n,
							 double least, double *weights);

/* What one field adds; what the tie of a number does: 0, or less where both agree. */
extern double ssot_score_field(const SsotScorer *scorer, int field, int a, int b, int *level);
extern double ssot_score_tie(const SsotScorer *scorer, int tie, int a, int b);

#endif							/* SSOT_SCORE_H */
