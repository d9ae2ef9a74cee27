/*
 * identity/labels.h
 *		Teaching a model by pairs of which people said what they are.
 */
#ifndef SSOT_LABELS_H
#define SSOT_LABELS_H

#include "identity/score.h"

typedef struct SsotLabel
{
	int			a;				/* records of the scorer */
	int			b;
	bool		same;			/* they are one thing */
} SsotLabel;

/*
 * Move the weights of levels and the prior to what the labels say. The scorer
 * weighs under the model as it was. Nothing that was given by hand is moved.
 */
extern void ssot_labels_hear(SsotModel *model, const SsotScorer *scorer, int n,
							 const SsotLabel *labels);

#endif							/* SSOT_LABELS_H */
