/*
 * identity/apart.h
 *		Clusters in which some records must not meet. Pure: arrays in, an array out.
 */
#ifndef SSOT_APART_H
#define SSOT_APART_H

/*
 * Put each of n records into a cluster. Each of "nsets" sets, members[start[i]]
 * to members[start[i + 1]] - 1, holds records that something says are one
 * thing; of each of "nforbidden" pairs of records somebody has said that they
 * are not. A forbidden pair never ends up in one cluster.
 *
 * Sets are taken in their order and their members in theirs: a member joins the
 * first cluster of the set that it may join. So the outcome is a function of
 * the arguments, and whoever wants it to be independent of the order in which
 * records arrived sorts records and sets by something of their own first.
 * cluster[i] is the smallest number of i's cluster.
 */
extern void ssot_cluster_apart(int n, const int *members, const int64 *start, int nsets,
							   const int (*forbidden)[2], int nforbidden, int *cluster);

#endif							/* SSOT_APART_H */
