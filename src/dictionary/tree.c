/*
 * dictionary/tree.c
 *		Trees as arrays of parents: levels, ancestors, and sums from below.
 *
 * Leaves are taken off until none is left; each node is taken off after all that lie
 * below it. What remains are circles, because every node that remains has a child
 * that remains. In that order one pass carries values from children to parents, and
 * the same pass backwards carries levels from parents to children. Everything takes
 * time and memory in proportion to the number of nodes, however deep they lie.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/tree.h"

#include "miscadmin.h"

/* Nodes between two looks for an interrupt. */
#define STRIDE_MASK		0xffff

static void *
array_of(int n, Size size)
{
	return palloc_extended(Max(n, 1) * size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
breathe(int i)
{
	if ((i & STRIDE_MASK) == 0)
		CHECK_FOR_INTERRUPTS();
}

static void
take_off(SsotTree *tree)
{
	int		   *children = array_of(tree->n, sizeof(int));

	for (int i = 0; i < tree->n; i++)
		if (tree->parent[i] >= 0)
			children[tree->parent[i]]++;
	for (int i = 0; i < tree->n; i++)
		if (children[i] == 0)
			tree->upward[tree->nupward++] = i;
	for (int i = 0; i < tree->nupward; i++)
	{
		int			parent = tree->parent[tree->upward[i]];

		breathe(i);
		if (parent >= 0 && --children[parent] == 0)
			tree->upward[tree->nupward++] = parent;
	}
	for (int i = 0; i < tree->n; i++)
		tree->circular[i] = children[i] > 0;
	pfree(children);
}

SsotTree *
ssot_tree_build(int n, const int *parent)
{
	SsotTree   *tree = palloc0(sizeof(SsotTree));

	tree->n = n;
	tree->parent = parent;
	tree->level = array_of(n, sizeof(int));
	tree->upward = array_of(n, sizeof(int));
	tree->circular = array_of(n, sizeof(bool));
	take_off(tree);
	for (int i = tree->nupward - 1; i >= 0; i--)
	{
		int			node = tree->upward[i];
		int			above = parent[node];

		breathe(i);
		tree->level[node] = above < 0 ? 1 : tree->level[above] == 0 ? 0 : tree->level[above] + 1;
	}
	return tree;
}

int *
ssot_tree_ancestors(const SsotTree *tree, int level)
{
	int		   *ancestors = array_of(tree->n, sizeof(int));

	for (int i = 0; i < tree->n; i++)
		ancestors[i] = -1;
	for (int i = tree->nupward - 1; i >= 0; i--)
	{
		int			node = tree->upward[i];

		breathe(i);
		if (tree->level[node] > 0)
			ancestors[node] = tree->level[node] <= level ? node : ancestors[tree->parent[node]];
	}
	return ancestors;
}

static Numeric
merged(Numeric a, Numeric b, SsotTreeMerge merge)
{
	return a == NULL ? b : b == NULL ? a : merge(a, b);
}

/* The next circle that begins at "from" or later; its first node, or -1. */
static int
next_circle(const SsotTree *tree, const bool *done, int from)
{
	while (from < tree->n && (!tree->circular[from] || done[from]))
		from++;
	return from < tree->n ? from : -1;
}

void
ssot_tree_roll_up(const SsotTree *tree, Numeric *values, SsotTreeMerge merge)
{
	bool	   *done;

	for (int i = 0; i < tree->nupward; i++)
	{
		int			node = tree->upward[i];
		int			above = tree->parent[node];

		breathe(i);
		if (above >= 0)
			values[above] = merged(values[above], values[node], merge);
	}
	if (tree->nupward == tree->n)
		return;
	done = array_of(tree->n, sizeof(bool));
	for (int first = next_circle(tree, done, 0); first >= 0; first = next_circle(tree, done, first))
	{
		Numeric		all = values[first];

		for (int node = tree->parent[first]; node != first; node = tree->parent[node])
			all = merged(all, values[node], merge);
		for (int node = first; !done[node]; node = tree->parent[node])
		{
			values[node] = all;
			done[node] = true;
		}
	}
	pfree(done);
}

void
ssot_tree_mark_up(const SsotTree *tree, bool *marks)
{
	bool	   *done;

	for (int i = 0; i < tree->nupward; i++)
		if (tree->parent[tree->upward[i]] >= 0)
			marks[tree->parent[tree->upward[i]]] |= marks[tree->upward[i]];
	if (tree->nupward == tree->n)
		return;
	done = array_of(tree->n, sizeof(bool));
	for (int first = next_circle(tree, done, 0); first >= 0; first = next_circle(tree, done, first))
	{
		bool		any = marks[first];

		for (int node = tree->parent[first]; node != first; node = tree->parent[node])
			any |= marks[node];
		for (int node = first; !done[node]; node = tree->parent[node])
		{
			marks[node] = any;
			done[node] = true;
		}
	}
	pfree(done);
}

/*
 * From a node one goes to its first child, else to the next sibling of the nearest
 * node above (itself included) that has one. Roots are siblings of each other.
 */
int *
ssot_tree_downward(const SsotTree *tree, const int *sorted)
{
	int		   *order = array_of(tree->n, sizeof(int));
	int		   *child = array_of(tree->n, sizeof(int));
	int		   *sibling = array_of(tree->n, sizeof(int));
	int			root = -1;
	int			n = 0;

	for (int i = 0; i < tree->n; i++)
		child[i] = -1;
	for (int i = tree->n - 1; i >= 0; i--)
	{
		int			node = sorted[i];
		int		   *first = tree->parent[node] < 0 ? &root : &child[tree->parent[node]];

		sibling[node] = *first;
		*first = node;
	}
	for (int node = root; node >= 0;)
	{
		breathe(n);
		order[n++] = node;
		if (child[node] >= 0)
		{
			node = child[node];
			continue;
		}
		while (node >= 0 && sibling[node] < 0)
			node = tree->parent[node];
		if (node >= 0)
			node = sibling[node];
	}
	for (int i = 0; i < tree->n; i++)
		if (tree->level[sorted[i]] == 0)
			order[n++] = sorted[i];
	pfree(child);
	pfree(sibling);
	return order;
}
