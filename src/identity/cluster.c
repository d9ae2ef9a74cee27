/*
 * identity/cluster.c
 *		From pairs to clusters: union-find with path halving.
 *
 * The root of a set is always its smallest member, which makes the outcome
 * independent of the order of the pairs; path halving alone keeps the cost near
 * linear (Tarjan and van Leeuwen, "Worst-case analysis of set union
 * algorithms", JACM 31, 1984).
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/cluster.h"

#include "miscadmin.h"

static int
find_root(int *parent, int i)
{
	while (parent[i] != i)
	{
		parent[i] = parent[parent[i]];
		i = parent[i];
	}
	return i;
}

void
ssot_cluster(int n, const SsotWeightedPair *pairs, int64 npairs, double min_weight, int *cluster)
{
	for (int i = 0; i < n; i++)
		cluster[i] = i;
	for (int64 p = 0; p < npairs; p++)
	{
		int			a;
		int			b;

		if ((p & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (pairs[p].weight < min_weight)
			continue;
		a = find_root(cluster, pairs[p].a);
		b = find_root(cluster, pairs[p].b);
		if (a < b)
			cluster[b] = a;
		else
			cluster[a] = b;
	}
	/* parents are smaller than their children, so one pass flattens */
	for (int i = 0; i < n; i++)
		cluster[i] = cluster[cluster[i]];
}
