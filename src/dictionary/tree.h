/*
 * dictionary/tree.h
 *		Trees as arrays of parents: levels, ancestors, and sums from below.
 */
#ifndef SSOT_TREE_H
#define SSOT_TREE_H

#include "utils/numeric.h"

/*
 * Nodes are numbers from 0. A node in a circle, and whatever lies below one, has no
 * root and so no level.
 */
typedef struct SsotTree
{
	int			n;
	const int  *parent;			/* -1: a root */
	int		   *level;			/* a root's is 1; 0: none */
	int		   *upward;			/* nodes in no circle, each after all that lie
								 * below it */
	int			nupward;
	bool	   *circular;		/* stands in a circle */
} SsotTree;

/* Arrays live in the current memory context; the parents stay the caller's. */
extern SsotTree *ssot_tree_build(int n, const int *parent);

/* The ancestor of each node at a level from 1: the node itself where it stands at
 * that level or above; -1 where it has no level. */
extern int *ssot_tree_ancestors(const SsotTree *tree, int level);

/* How two values below one node become its own. */
typedef Numeric (*SsotTreeMerge) (Numeric a, Numeric b);

/*
 * values (NULL: none) become those of whole subtrees. Nodes of one circle are below
 * each other: each has what all of them, and all that lies below them, have.
 */
extern void ssot_tree_roll_up(const SsotTree *tree, Numeric *values, SsotTreeMerge merge);

/*
 * Things that lie on nodes: thing t[i], a number from 0, lies on node[i], maybe twice.
 * own (zeros): how many different ones lie on each node; whole: on it or below it.
 * downward: as ssot_tree_downward gives it.
 */
extern void ssot_tree_count(const SsotTree *tree, const int *downward, int n, const int *node,
							const int *thing, int nthings, int64 *own, int64 *whole);

/* marks: does it hold for a node, or for any below it? */
extern void ssot_tree_mark_up(const SsotTree *tree, bool *marks);

/* All nodes so that each is followed by what lies below it; siblings, and at the end
 * those without a level, in the order that "sorted" gives all nodes. */
extern int *ssot_tree_downward(const SsotTree *tree, const int *sorted);

#endif							/* SSOT_TREE_H */
