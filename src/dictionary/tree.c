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

/* ---- counting different things ------------------------------------------- */

/* Pairs by node: those of node i are at first[i] .. first[i + 1] - 1. */
typedef struct Pairs
{
	int		   *first;
	int		   *thing;
} Pairs;

static Pairs
sort_by_node(const SsotTree *tree, int n, const int *node, const int *thing)
{
	Pairs		pairs = {array_of(tree->n + 1, sizeof(int)), array_of(n, sizeof(int))};
	int		   *next = array_of(tree->n + 1, sizeof(int));

	for (int i = 0; i < n; i++)
		pairs.first[node[i] + 1]++;
	for (int i = 0; i < tree->n; i++)
		pairs.first[i + 1] += pairs.first[i];
	memcpy(next, pairs.first, sizeof(int) * (tree->n + 1));
	for (int i = 0; i < n; i++)
		pairs.thing[next[node[i]]++] = thing[i];
	pfree(next);
	return pairs;
}

/*
 * A tree without circles that has the same nodes below each: of a circle one node
 * stands for all, and the others are its children. In *stand: who stands for a node.
 */
static int *
open_circles(const SsotTree *tree, int *stand)
{
	int		   *parent = array_of(tree->n, sizeof(int));
	bool	   *done = array_of(tree->n, sizeof(bool));

	memcpy(parent, tree->parent, sizeof(int) * tree->n);
	for (int i = 0; i < tree->n; i++)
		stand[i] = i;
	for (int first = next_circle(tree, done, 0); first >= 0; first = next_circle(tree, done, first))
	{
		for (int node = first; !done[node]; node = tree->parent[node])
		{
			done[node] = true;
			stand[node] = first;
			parent[node] = node == first ? -1 : first;
		}
	}
	pfree(done);
	return parent;
}

/* What is being counted along the way down a tree. */
typedef struct Count
{
	const int  *parent;
	const int  *place;			/* of a node, in the order of the way */
	int		   *last;			/* by thing: the last node where it lay, or -1 */
	int		   *path;			/* from the root to the node that is visited */
	int			depth;
	int64	   *gain;			/* by node */
} Count;

/* The last node of the path that is not after another, visited before: where their
 * ways part. -1: they have no root in common. */
static int
parting(const Count *c, int before)
{
	int			low = 0;
	int			high = c->depth;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (c->place[c->path[middle]] <= c->place[before])
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? -1 : c->path[low - 1];
}

static void
visit(Count *c, int node, const int *things, int n, int64 *own)
{
	while (c->depth > 0 && c->path[c->depth - 1] != c->parent[node])
		c->depth--;
	c->path[c->depth++] = node;
	for (int i = 0; i < n; i++)
	{
		int			before = c->last[things[i]];
		int			at;

		if (before == node)
			continue;
		own[node]++;
		c->gain[node]++;
		at = before < 0 ? -1 : parting(c, before);
		if (at >= 0)
			c->gain[at]--;
		c->last[things[i]] = node;
	}
}

/*
 * On the way down a tree, a thing that is met again was met before under all nodes from
 * the root to where the ways to both places part. So it counts for each place, and
 * there once less; sums of that from below count each thing once.
 */
void
ssot_tree_count(const SsotTree *tree, const int *downward, int n, const int *node, const int *thing,
				int nthings, int64 *own, int64 *whole)
{
	Pairs		pairs = sort_by_node(tree, n, node, thing);
	int		   *stand = array_of(tree->n, sizeof(int));
	int		   *parent = open_circles(tree, stand);
	SsotTree   *opened = tree->nupward == tree->n ? NULL : ssot_tree_build(tree->n, parent);
	const int  *order = opened == NULL ? downward : ssot_tree_downward(opened, downward);
	int		   *place = array_of(tree->n, sizeof(int));
	Count		c = {
		.parent = parent,.place = place,.last = array_of(nthings, sizeof(int)),
		.path = array_of(tree->n, sizeof(int)),.gain = whole
	};

	memset(c.last, 0xff, sizeof(int) * nthings);
	memset(whole, 0, sizeof(int64) * tree->n);
	for (int i = 0; i < tree->n; i++)
	{
		place[order[i]] = i;
		breathe(i);
		visit(&c, order[i], pairs.thing + pairs.first[order[i]],
			  pairs.first[order[i] + 1] - pairs.first[order[i]], own);
	}
	for (int i = tree->n - 1; i >= 0; i--)
		if (parent[order[i]] >= 0)
			whole[parent[order[i]]] += whole[order[i]];
	for (int i = 0; i < tree->n; i++)
		whole[i] = whole[stand[i]];
}

/* ---- marks and order ------------------------------------------------------ */

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
