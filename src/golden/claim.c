/*
 * golden/claim.c
 *		Which golden id a cluster of records keeps.
 *
 * An id stays with its anchor. Where several meet, the one is kept that a person wants
 * kept; else the smallest of those whose golden record is in the canonical table; else
 * the smallest. The others are merged into it. Not in the table is what has been held
 * since it came to be: nothing can refer to it, and a merge into it would have to wait.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "golden/ids.h"
#include "golden/linker.h"

#include "executor/tuptable.h"
#include "utils/datum.h"

/* The anchors, ascending by golden id, and how many of them a cluster has. */
typedef struct Claims
{
	Linker	   *linker;
	const int  *cluster;
	int		   *anchors;		/* node numbers */
	int			n;
	int		   *meeting;		/* by cluster */
	bool	   *unborn;			/* by anchor: not in the canonical table */
} Claims;

static Datum
id_of(const Claims *claims, int i)
{
	return claims->linker->out->nodes[claims->anchors[i]].old_id;
}

/* "order": nodes by golden id, anchors first. */
static Claims
find_anchors(Linker *linker, const int *cluster, const int *order, int n)
{
	Claims		claims = {linker, cluster};

	claims.anchors = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max(n, 1));
	claims.meeting = palloc_extended(sizeof(int) * Max(linker->out->nnodes, 1),
									 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < n; i++)
		if (claims.n == 0 || ssot_linker_compare_ids(linker, id_of(&claims, claims.n - 1),
													 linker->out->nodes[order[i]].old_id) != 0)
		{
			claims.anchors[claims.n++] = order[i];
			claims.meeting[cluster[order[i]]]++;
		}
	claims.unborn = palloc_extended(sizeof(bool) * Max(claims.n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return claims;
}

static bool
take_unborn(TupleTableSlot *slot, void *arg)
{
	Claims	   *claims = (Claims *) arg;
	bool		isnull;
	Datum		id = slot_getattr(slot, 1, &isnull);
	int			low = 0;
	int			high = claims->n - 1;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (ssot_linker_compare_ids(claims->linker, id_of(claims, middle), id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	claims->unborn[low] = true;
	return true;
}

/*
 * Of the anchors that meet others:
 *
 * SELECT i.id FROM ssot_ids AS i
 *  WHERE NOT EXISTS (SELECT FROM golden.customer AS c WHERE c.customer_id = i.id)
 */
static void
find_unborn(Claims *claims)
{
	const SsotEntity *entity = claims->linker->entity;
	SsotIds		ids = ssot_ids_create(entity);
	SsotRelation relation;
	SsotStatement statement = {
		.sql = ssot_sql("SELECT i.id FROM ssot_ids AS i"
						" WHERE NOT EXISTS (SELECT FROM %T AS c WHERE c.%I = i.id)",
						entity->name, entity->id_column),
		.nrelations = 1,.relations = &relation
	};

	for (int i = 0; i < claims->n; i++)
		if (claims->meeting[claims->cluster[claims->anchors[i]]] > 1)
			ssot_ids_add(&ids, id_of(claims, i));
	if (ids.count > 0)
	{
		SsotUser	user = ssot_become_owner(entity->relid);

		relation = ssot_ids_as(&ids, "ssot_ids");
		ssot_statement_each(&statement, take_unborn, claims);
		ssot_restore_user(user);
	}
	ssot_ids_end(&ids);
}

static void
add_merge(Linker *linker, Datum lost, Datum kept)
{
	SsotLinking *out = linker->out;

	out->merges = out->merges == NULL ? palloc(sizeof(SsotMerge)) :
		repalloc_huge(out->merges, sizeof(SsotMerge) * (out->nmerges + 1));
	out->merges[out->nmerges++] = (SsotMerge)
	{
		lost, kept
	};
	ssot_linker_touch(linker, lost);
	ssot_linker_touch(linker, kept);
}

/* Does a person want this golden id to be kept where it meets others? */
static bool
is_wished(Linker *linker, Datum id)
{
	return linker->wish != NULL && linker->wish->merge &&
		ssot_linker_compare_ids(linker, id, linker->wish->ids[0]) == 0;
}

void
ssot_linker_claim_ids(Linker *linker, const int *cluster, const int *order, int n, int *holder)
{
	SsotNode   *nodes = linker->out->nodes;
	Claims		claims = find_anchors(linker, cluster, order, n);

	find_unborn(&claims);
	for (int i = 0; i < claims.n; i++)
		if (is_wished(linker, id_of(&claims, i)))
			holder[cluster[claims.anchors[i]]] = claims.anchors[i];
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < claims.n; i++)
			if (holder[cluster[claims.anchors[i]]] < 0 && claims.unborn[i] == (pass == 1))
				holder[cluster[claims.anchors[i]]] = claims.anchors[i];
	for (int i = 0; i < claims.n; i++)
	{
		int			kept = holder[cluster[claims.anchors[i]]];

		if (kept != claims.anchors[i])
			add_merge(linker, id_of(&claims, i), nodes[kept].old_id);
	}
	pfree(claims.unborn);
	pfree(claims.meeting);
	pfree(claims.anchors);
}
