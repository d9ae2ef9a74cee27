/*
 * identity/learning.h
 *		What the two files share that learn a model: em.c (how things agree) and
 *		prior.c (how many there are).
 */
#ifndef SSOT_LEARNING_H
#define SSOT_LEARNING_H

#include "identity/model.h"
#include "identity/patterns.h"

typedef struct SsotLearning
{
	const SsotRecords *records;
	SsotTraining *training;
	SsotModel  *model;
	SsotPatternCount *drawn;
	int			ndrawn;
	int		   *entries;		/* of drawn, by number of the draw */
	SsotPatternCount *random;
	int			nrandom;
	double	   *shares;			/* per rule: of matches among its pairs */
	double		all_pairs;
	double		possible;		/* pairs that are not of one group */
	double		equal[SSOT_MAX_FIELDS]; /* pairs with equal values */
	double		both[SSOT_MAX_FIELDS];	/* pairs that have both values */
	bool		names[SSOT_MAX_FIELDS]; /* fields that name the thing */
	double		alone;			/* pairs of one thing, by all that there is;
								 * 0: they are learnt */
	double		(*drawn_levels)[SSOT_MAX_FIELDS][SSOT_LEVELS];	/* how often each rule
																 * drew them */
	double		(*rule_u)[SSOT_MAX_FIELDS][SSOT_LEVELS];	/* u among those pairs */
} SsotLearning;

static inline double
ssot_learning_odds(double probability)
{
	return log2(probability / (1 - probability));
}

/* em.c: does a field name the thing that the rule does not speak of? */
extern bool ssot_learning_has_name(const SsotLearning *learning, const SsotBlocking *rule);

/*
 * em.c: what the levels of the fields are worth among the pairs of a rule, of whose own
 * fields it says nothing; "names_only": for a start, where some field names the thing.
 */
extern void ssot_learning_weigh_rule(const SsotLearning *learning, int r, bool names_only,
									 double weights[SSOT_MAX_FIELDS][SSOT_LEVELS]);

/* prior.c: how many pairs are one thing, and how probable each draw is. */
extern void ssot_learning_prior(SsotLearning *learning);

/* prior.c: the same where one field is compared alone; sets "alone", if it tells. */
extern void ssot_learning_only_field(SsotLearning *learning);

/* prior.c: what strangers agree on, of those draws that are two things. */
extern void ssot_learning_references(SsotLearning *learning);

#endif							/* SSOT_LEARNING_H */
