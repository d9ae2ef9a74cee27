/*
 * identity/cluster.h
 *		From pairs to clusters. Pure: arrays in, an array out.
 *
 * This is the whole interface between whoever finds that two records are one
 * thing (keys, a matching engine) and whoever acts on it: a list of weighted
 * pairs of record numbers.
 */
#ifndef SSOT_CLUSTER_H
#define SSOT_CLUSTER_H

/* Records a and b are one thing, with this probability (1: by key). */
typedef struct SsotWeightedPair
{
	int			a;
	int			b;
	double		weight;
} SsotWeightedPair;

/*
 * Put each of n records into a cluster: cluster[i] is the smallest number of a
 * record that i is connected to through pairs of at least the given weight.
 * Depends neither on the order of the pairs nor on that of their ends.
 */
extern void ssot_cluster(int n, const SsotWeightedPair *pairs, int64 npairs,
						 double min_weight, int *cluster);

#endif							/* SSOT_CLUSTER_H */
