/*
 * identity/apart.c
 *		Clusters in which some records must not meet.
 *
 * A person has split what a key holds together: the key still says that the
 * records are one, the person says that they are not, and the person is right.
 * Union-find as in cluster.c, but two sets are united only if no forbidden pair
 * runs between them. Which cut that makes depends on the order of the unions,
 * so the order is the caller's and is fixed. For instance, with forbidden pair
 * (1, 3) and sets {1, 2}, {2, 3}:
 *
 *		{1, 2}		1 and 2 become one
 *		{2, 3}		2's cluster holds 1, so 3 stays alone
 *
 * A member that may not join the first cluster of its set tries the next one:
 * of a set {1, 3, 4}, 4 joins 1 although 3, between them, could not.
 *
 * Each root keeps a chain of the forbidden partners of its whole cluster. A test
 * walks the shorter of two chains; most records have none, and cost nothing.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/apart.h"

#include "miscadmin.h"

/* One end of a forbidden pair, in the chain of its cluster's root. */
typedef struct Partner
{
	int			other;
	int			next;			/* index, or -1 */
} Partner;

typedef struct Apart
{
	int		   *parent;
	Partner    *partners;
	int		   *first;			/* by root: its chain, or -1 */
	int		   *last;
	int		   *length;
} Apart;

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

static void
append_partner(Apart *apart, int node, int index, int other)
{
	apart->partners[index] = (Partner)
	{
		other, -1
	};
	if (apart->first[node] < 0)
		apart->first[node] = index;
	else
		apart->partners[apart->last[node]].next = index;
	apart->last[node] = index;
	apart->length[node]++;
}

static bool
may_unite(Apart *apart, int a, int b)
{
	int			shorter = apart->length[a] <= apart->length[b] ? a : b;
	int			longer = shorter == a ? b : a;

	for (int i = apart->first[shorter]; i >= 0; i = apart->partners[i].next)
		if (find_root(apart->parent, apart->partners[i].other) == longer)
			return false;
	return true;
}

/* Unite two roots; the smaller number is the root, as in ssot_cluster. */
static void
unite(Apart *apart, int a, int b)
{
	int			root = Min(a, b);
	int			child = Max(a, b);

	apart->parent[child] = root;
	if (apart->first[child] < 0)
		return;
	if (apart->first[root] < 0)
		apart->first[root] = apart->first[child];
	else
		apart->partners[apart->last[root]].next = apart->first[child];
	apart->last[root] = apart->last[child];
	apart->length[root] += apart->length[child];
}

/* Take one set; "heads" is scratch space for as many numbers as it has members. */
static void
take_set(Apart *apart, const int *members, int64 count, int *heads)
{
	int			nheads = 0;

	for (int64 i = 0; i < count; i++)
	{
		int			root = find_root(apart->parent, members[i]);
		bool		joined = false;

		CHECK_FOR_INTERRUPTS();
		for (int h = 0; h < nheads && !joined; h++)
		{
			int			head = find_root(apart->parent, heads[h]);

			if (head != root && !may_unite(apart, head, root))
				continue;
			if (head != root)
				unite(apart, head, root);
			joined = true;
		}
		if (!joined)
			heads[nheads++] = root;
	}
}

void
ssot_cluster_apart(int n, const int *members, const int64 *start, int nsets,
				   const int (*forbidden)[2], int nforbidden, int *cluster)
{
	Apart		apart;
	int64		largest = 1;
	int		   *heads;

	apart.parent = cluster;
	apart.partners = palloc_extended(sizeof(Partner) * Max(2 * (Size) nforbidden, 1),
									 MCXT_ALLOC_HUGE);
	apart.first = palloc_extended(sizeof(int) * Max(n, 1), MCXT_ALLOC_HUGE);
	apart.last = palloc_extended(sizeof(int) * Max(n, 1), MCXT_ALLOC_HUGE);
	apart.length = palloc_extended(sizeof(int) * Max(n, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < n; i++)
	{
		cluster[i] = i;
		apart.first[i] = apart.last[i] = -1;
		apart.length[i] = 0;
	}
	for (int i = 0; i < nforbidden; i++)
	{
		append_partner(&apart, forbidden[i][0], 2 * i, forbidden[i][1]);
		append_partner(&apart, forbidden[i][1], 2 * i + 1, forbidden[i][0]);
	}
	for (int i = 0; i < nsets; i++)
		largest = Max(largest, start[i + 1] - start[i]);
	heads = palloc_extended(sizeof(int) * largest, MCXT_ALLOC_HUGE);

	for (int i = 0; i < nsets; i++)
		take_set(&apart, members + start[i], start[i + 1] - start[i], heads);

	/* parents are smaller than their children, so one pass flattens */
	for (int i = 0; i < n; i++)
		cluster[i] = cluster[cluster[i]];
	pfree(heads);
	pfree(apart.length);
	pfree(apart.last);
	pfree(apart.first);
	pfree(apart.partners);
}
