/*
 * identity/gather.h
 *		From weighted pairs to clusters, where evidence against counts too.
 */
#ifndef SSOT_GATHER_H
#define SSOT_GATHER_H

#include "identity/score.h"

typedef struct SsotGathering
{
	const SsotScorer *scorer;
	int			max_size;		/* a cluster grows no larger, but is reported */
	int			ndecided;		/* pairs that a person decided */
	const int	(*decided)[2];
	const bool *same;			/* by decision: "same", or "different" */

	/* out */
	int		   *cluster;		/* [n]: the smallest record of the cluster */
	int64		refused_evidence;	/* unions that the records as a whole
									 * spoke against */
	int64		refused_rule;	/* that a veto, a group or a person forbade */
	int64		refused_size;	/* that would have made a cluster too large */
} SsotGathering;

/*
 * Sort the pairs and put records together; pairs of a weight below "least" are
 * passed over.
 */
extern void ssot_gather(SsotGathering *gathering, SsotScoredPair *pairs, int64 npairs,
						double least);

#endif							/* SSOT_GATHER_H */
