/*
 * identity/gather.c
 *		From weighted pairs to clusters, where evidence against counts too.
 *
 * If every pair above the threshold were followed, a chain of middling ones
 * would join what has nothing in common: A is like B, B is like C, and soon a
 * continent is one company. So pairs are taken from the strongest to the weakest,
 * and before two clusters become one all pairs between them are heard, not only
 * the one that brought them together:
 *
 *		Two clusters are joined if the mean weight of the pairs between them, each
 *		taken as no less than -WEIGHT_LIMIT and no more than +WEIGHT_LIMIT, is at
 *		least CUT.
 *
 * That is average linkage on log odds (Sokal and Michener 1958), bounded so that
 * no single pair outvotes the rest. Between large clusters a fixed sample of
 * pairs is heard. A pair that a field vetoes, two records of one group, and a
 * pair of which a person said that it is two things are never joined, not even
 * through others; what a person said is the same is joined first.
 *
 * Ties are broken by record number, which depends on the record's key alone.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/gather.h"
#include "identity/large.h"

#include "miscadmin.h"

#include <math.h>

#define WEIGHT_LIMIT	12.0
#define CUT				0.0
#define AHEAD			8		/* pairs that are fetched before they are
								 * considered */
#define HEARD			64		/* pairs between two clusters, at most */

/* A cluster is a ring of its records. */
typedef struct Gathering
{
	SsotGathering *in;
	const SsotRecords *records;
	int		   *parent;
	int		   *next;			/* in the ring */
	int		   *size;			/* by root */
	int		   *apart_first;	/* by root: chain of decisions "different" */
	int		   *apart_last;
	int		   *apart_next;		/* two ends per decision */
	bool		vetoes;
} Gathering;

/* Rises as the weight falls. */
static uint32
weight_key(float weight)
{
	uint32		bits;

	weight += 0.0f;				/* there is one zero */
	memcpy(&bits, &weight, sizeof(bits));
	return (bits & 0x80000000) != 0 ? bits : ~bits & 0x7FFFFFFF;
}

/* Byte "digit" of what a pair is sorted by, the last one first. */
static inline int
pair_digit(const SsotScoredPair *pair, int digit)
{
	uint32		word = digit < 4 ? (uint32) pair->b : digit < 8 ? (uint32) pair->a :
	weight_key(pair->weight);

	return word >> (digit % 4 * 8) & 0xFF;
}

/* The strongest first; of equal ones, by their records. There may be many more pairs
 * than records, so they are moved themselves and not by way of larger entries. */
static void
sort_pairs(SsotScoredPair *pairs, int64 n)
{
	SsotScoredPair *scratch = SSOT_LARGE(SsotScoredPair, n);
	SsotScoredPair *from = pairs;
	SsotScoredPair *to = scratch;

	for (int digit = 0; digit < 12 && n > 1; digit++)
	{
		int64		counts[256] = {0};
		int64		sum = 0;
		SsotScoredPair *swap = from;

		CHECK_FOR_INTERRUPTS();
		for (int64 i = 0; i < n; i++)
			counts[pair_digit(&from[i], digit)]++;
		if (counts[pair_digit(&from[0], digit)] == n)
			continue;
		for (int d = 0; d < 256; d++)
		{
			int64		count = counts[d];

			counts[d] = sum;
			sum += count;
		}
		for (int64 i = 0; i < n; i++)
			to[counts[pair_digit(&from[i], digit)]++] = from[i];
		from = to;
		to = swap;
	}
	if (from != pairs)
		memcpy(pairs, from, sizeof(SsotScoredPair) * n);
	ssot_large_free(scratch);
}

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

/* Did a person keep the clusters apart? */
static bool
kept_apart(Gathering *g, int a, int b)
{
	for (int end = g->apart_first[a]; end >= 0; end = g->apart_next[end])
		if (find_root(g->parent, g->in->decided[end / 2][1 - end % 2]) == b)
			return true;
	return false;
}

/* May two records be in one cluster, by group and by vetoing fields? */
static bool
may_meet(const Gathering *g, int a, int b)
{
	const SsotRecords *records = g->records;

	if (ssot_in_one_group(records, a, b))
		return false;
	for (int f = 0; f < records->nfields && g->vetoes; f++)
	{
		int			level;

		if ((records->fields[f].kind->flags & SSOT_KIND_VETO) &&
			ssot_record(records, a)[f] != ssot_record(records, b)[f] &&
			isinf(ssot_score_field(g->in->scorer, f, a, b, &level)))
			return false;
	}
	return true;
}

static bool
may_unite(Gathering *g, int a, int b)
{
	int			left = a;

	if (g->records->groups == NULL && !g->vetoes)
		return true;
	do
	{
		int			right = b;

		CHECK_FOR_INTERRUPTS();
		do
		{
			if (!may_meet(g, left, right))
				return false;
			right = g->next[right];
		} while (right != b);
		left = g->next[left];
	} while (left != a);
	return true;
}

/* The mean of the pairs between two clusters, all or a sample. */
static double
mean_weight(const Gathering *g, int a, int b)
{
	int64		all = (int64) g->size[a] * g->size[b];
	int64		heard = Min(all, HEARD);
	double		sum = 0;
	int			left = a;
	int			right = b;

	for (int64 i = 0; i < heard; i++)
	{
		double		weight = ssot_score(g->in->scorer, left, right, -WEIGHT_LIMIT);

		sum += Min(Max(weight, -WEIGHT_LIMIT), WEIGHT_LIMIT);

		/* all pairs in turn; of many, those along the diagonals */
		right = g->next[right];
		if (all > HEARD || (i + 1) % g->size[b] == 0)
			left = g->next[left];
	}
	return sum / heard;
}

static void
unite(Gathering *g, int a, int b)
{
	int			root = Min(a, b);
	int			child = Max(a, b);
	int			swap = g->next[root];

	g->parent[child] = root;
	g->next[root] = g->next[child];
	g->next[child] = swap;
	g->size[root] += g->size[child];
	if (g->apart_first == NULL || g->apart_first[child] < 0)
		return;
	if (g->apart_first[root] < 0)
		g->apart_first[root] = g->apart_first[child];
	else
		g->apart_next[g->apart_last[root]] = g->apart_first[child];
	g->apart_last[root] = g->apart_last[child];
}

static void
chain_decision(Gathering *g, int record, int end)
{
	g->apart_next[end] = -1;
	if (g->apart_first[record] < 0)
		g->apart_first[record] = end;
	else
		g->apart_next[g->apart_last[record]] = end;
	g->apart_last[record] = end;
}

/* What people said: first who is apart, then who is the same. */
static void
take_decisions(Gathering *g)
{
	int			n = g->records->n;
	SsotGathering *in = g->in;

	if (in->ndecided == 0)
		return;
	g->apart_first = SSOT_LARGE(int, n);
	g->apart_last = SSOT_LARGE(int, n);
	g->apart_next = SSOT_LARGE(int, 2 * (Size) in->ndecided);
	for (int i = 0; i < n; i++)
		g->apart_first[i] = g->apart_last[i] = -1;
	for (int i = 0; i < in->ndecided; i++)
		if (!in->same[i])
		{
			chain_decision(g, in->decided[i][0], 2 * i);
			chain_decision(g, in->decided[i][1], 2 * i + 1);
		}
	for (int i = 0; i < in->ndecided; i++)
	{
		int			a = find_root(g->parent, in->decided[i][0]);
		int			b = find_root(g->parent, in->decided[i][1]);

		if (in->same[i] && a != b && !kept_apart(g, a, b))
			unite(g, a, b);
	}
}

static void
consider(Gathering *g, const SsotScoredPair *pair)
{
	SsotGathering *in = g->in;
	int			a = find_root(g->parent, pair->a);
	int			b = find_root(g->parent, pair->b);

	if (a == b)
		return;
	if (g->size[a] + g->size[b] > in->max_size)
		in->refused_size++;
	else if ((g->apart_first != NULL && kept_apart(g, a, b)) || !may_unite(g, a, b))
		in->refused_rule++;
	else if (g->size[a] + g->size[b] > 2 && mean_weight(g, a, b) < CUT)
		in->refused_evidence++;
	else
		unite(g, a, b);
}

/* What considering a pair will look at first. */
static void
announce(const Gathering *g, const SsotScoredPair *pair)
{
	__builtin_prefetch(&g->parent[pair->a]);
	__builtin_prefetch(&g->parent[pair->b]);
	__builtin_prefetch(&g->size[pair->a]);
	__builtin_prefetch(&g->size[pair->b]);
}

void
ssot_gather(SsotGathering *in, SsotScoredPair *pairs, int64 npairs, double least)
{
	Gathering	g = {.in = in,.records = in->scorer->records};
	int			n = g.records->n;

	in->cluster = g.parent = SSOT_LARGE(int, n);
	g.next = SSOT_LARGE(int, n);
	g.size = SSOT_LARGE(int, n);
	for (int i = 0; i < n; i++)
	{
		g.parent[i] = g.next[i] = i;
		g.size[i] = 1;
	}
	for (int f = 0; f < g.records->nfields; f++)
		g.vetoes |= (g.records->fields[f].kind->flags & SSOT_KIND_VETO) != 0;
	take_decisions(&g);
	sort_pairs(pairs, npairs);
	for (int64 i = 0; i < npairs && pairs[i].weight >= least; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i + AHEAD < npairs)
			announce(&g, &pairs[i + AHEAD]);
		consider(&g, &pairs[i]);
	}
	/* parents are smaller than their children, so one pass flattens */
	for (int i = 0; i < n; i++)
		g.parent[i] = g.parent[g.parent[i]];
	ssot_large_free(g.next);
	ssot_large_free(g.size);
}
