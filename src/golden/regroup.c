/*
 * golden/regroup.c
 *		Putting records together by their tokens, and giving each its golden id.
 *
 * Equal tokens make pairs, pairs make clusters (identity/cluster.c). What
 * remains is to decide which id a cluster has: ids stay with their anchors
 * (claim.c), and those that have none get new ones.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/decision.h"
#include "golden/linker.h"
#include "golden/matcher.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

void
ssot_linker_pair(Linker *linker, int a, int b)
{
	if (linker->npairs == linker->pair_capacity)
	{
		linker->pair_capacity *= 2;
		linker->pairs = repalloc_huge(linker->pairs, sizeof(SsotWeightedPair) * linker->pair_capacity);
	}
	linker->pairs[linker->npairs++] = (SsotWeightedPair)
	{
		a, b, 1.0
	};
}

static int
compare_tokens(const void *a, const void *b)
{
	const TokenEntry *x = (const TokenEntry *) a;
	const TokenEntry *y = (const TokenEntry *) b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void
free_tokens(Linker *linker)
{
	pfree(linker->tokens);
	MemoryContextDelete(linker->token_context);
}

static void
pair_by_tokens(Linker *linker)
{
	qsort(linker->tokens, linker->ntokens, sizeof(TokenEntry), compare_tokens);
	for (int64 i = 1; i < linker->ntokens; i++)
		if (linker->tokens[i].hash == linker->tokens[i - 1].hash &&
			strcmp(linker->tokens[i].text, linker->tokens[i - 1].text) == 0)
			ssot_linker_pair(linker, linker->tokens[i - 1].node, linker->tokens[i].node);
}

static bool
is_built_in(const Linker *linker, const SsotNode *node)
{
	return linker->entity->sources[node->source].is_steward ||
		linker->entity->sources[node->source].is_manual;
}

int
ssot_linker_compare_ids(Linker *linker, Datum a, Datum b)
{
	return DatumGetInt32(FunctionCall2Coll(&linker->id_cmp, linker->id_collation, a, b));
}

static Linker *sorting;			/* for the qsort callbacks below */

/* By old golden id, then what leaves it and people's records last, then source
 * and key: the first of an id is its anchor. */
static int
compare_by_id(const void *a, const void *b)
{
	const SsotNode *x = &sorting->out->nodes[*(const int *) a];
	const SsotNode *y = &sorting->out->nodes[*(const int *) b];
	int			result = ssot_linker_compare_ids(sorting, x->old_id, y->old_id);

	if (result == 0)
		result = (int) x->leaves - (int) y->leaves;
	if (result == 0)
		result = (int) is_built_in(sorting, x) - (int) is_built_in(sorting, y);
	return result != 0 ? result : ssot_compare_node_key(x, y->source, y->key);
}

/* By source rank and key: the order in which new ids are given out. */
static int
compare_by_key(const void *a, const void *b)
{
	const SsotNode *x = &sorting->out->nodes[*(const int *) a];
	const SsotNode *y = &sorting->out->nodes[*(const int *) b];

	return ssot_compare_node_key(x, y->source, y->key);
}

/* Active nodes (with an old id only), sorted. */
static int *
sorted_nodes(Linker *linker, bool with_id, int (*compare) (const void *, const void *), int *count)
{
	int		   *order = MemoryContextAllocHuge(CurrentMemoryContext,
											   sizeof(int) * Max(linker->out->nnodes, 1));
	int			n = 0;

	for (int i = 0; i < linker->out->nnodes; i++)
		if (linker->out->nodes[i].active && (!with_id || linker->out->nodes[i].had_id))
			order[n++] = i;
	sorting = linker;
	qsort(order, n, sizeof(int), compare);
	*count = n;
	return order;
}

/* What people wrote follows the anchor of its golden record, or the first of
 * those that leave with it. */
static void
pair_with_anchors(Linker *linker, const int *order, int n)
{
	SsotNode   *nodes = linker->out->nodes;
	int			anchor = -1;

	linker->first_follower = linker->npairs;
	for (int i = 0; i < n; i++)
	{
		if (anchor < 0 ||
			nodes[order[anchor]].leaves != nodes[order[i]].leaves ||
			ssot_linker_compare_ids(linker, nodes[order[anchor]].old_id,
									nodes[order[i]].old_id) != 0)
			anchor = i;
		else if (is_built_in(linker, &nodes[order[i]]))
			ssot_linker_pair(linker, order[anchor], order[i]);
	}
}

/* The anchor of a golden id, or -1. */
static int
find_anchor(Linker *linker, const int *order, int n, Datum id)
{
	for (int i = 0; i < n; i++)
		if (ssot_linker_compare_ids(linker, linker->out->nodes[order[i]].old_id, id) == 0)
			return order[i];
	return -1;
}

/* A person merges two golden records, whatever their records are. */
static void
pair_as_wished(Linker *linker, const int *order, int n)
{
	int			kept;
	int			lost;

	if (linker->wish == NULL || !linker->wish->merge)
		return;
	kept = find_anchor(linker, order, n, linker->wish->ids[0]);
	lost = find_anchor(linker, order, n, linker->wish->ids[1]);
	if (kept >= 0 && lost >= 0)
		ssot_linker_pair(linker, kept, lost);
}

/* Mark the records that a person takes out of their golden record. */
static void
mark_leaving(Linker *linker)
{
	ListCell   *cell;

	if (linker->wish == NULL)
		return;
	for (int i = 0; i < linker->out->nnodes; i++)
	{
		SsotNode   *node = &linker->out->nodes[i];
		char	   *name = ssot_record_name(linker->entity, node->source, node->key);

		foreach(cell, linker->wish->leaving)
			node->leaves |= node->had_id && strcmp(name, (const char *) lfirst(cell)) == 0 &&
			ssot_linker_compare_ids(linker, node->old_id, linker->wish->ids[0]) == 0;
	}
}

/* May this record stand as a golden record of its own? */
static bool
creates(const Linker *linker, const SsotNode *node)
{
	const SsotSource *source = &linker->entity->sources[node->source];

	return source->is_manual ||
		(!source->is_steward && source->creates && !source->consumer);
}

static SsotQuery new_id_expression = {
	.sql =
	"SELECT CASE WHEN a.attidentity <> ''"
	"       THEN pg_catalog.format('pg_catalog.nextval(%L::pg_catalog.regclass)',"
	"            pg_catalog.pg_get_serial_sequence($2, a.attname::pg_catalog.text))"
	"       ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid) END"
	"  FROM pg_catalog.pg_attribute AS a"
	"  LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
	" WHERE a.attrelid = $1 AND a.attnum = $3",
	.nargs = 3,
	.argtypes = {OIDOID, TEXTOID, INT2OID},
	.as_of_now = true
};

typedef struct NewIds
{
	const SsotEntity *entity;
	Datum	   *ids;
	int			count;
} NewIds;

static bool
take_new_id(TupleTableSlot *slot, void *arg)
{
	NewIds	   *ids = (NewIds *) arg;
	bool		isnull;
	Datum		id = slot_getattr(slot, 1, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the default of column \"%s\" of \"%s\" gave null", ids->entity->id_column, ids->entity->name),
				 errdetail("New golden records get their id from the default of the primary key."),
				 errhint("Make it GENERATED BY DEFAULT AS IDENTITY, or give it a default such as gen_random_uuid().")));
	ids->ids[ids->count++] = datumCopy(id, ids->entity->id_typbyval, ids->entity->id_typlen);
	return true;
}

/*
 * The type of the column, for a default of another: the cast that the column makes of it
 * is not in its text. The table itself sees to it that an id is not too long.
 */
static char *
id_type(const SsotEntity *entity)
{
	Oid			type;
	Oid			collation;
	int32		typmod;

	get_atttypetypmodcoll(entity->relid, entity->id_attnum, &type, &typmod, &collation);
	type = getBaseTypeAndTypmod(type, &typmod);
	return format_type_extended(type, type == VARCHAROID ? -1 : typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* Draw n ids from the primary key's default, as the table's owner. */
static Datum *
new_ids(const SsotEntity *entity, int n)
{
	NewIds		ids = {entity, NULL, 0};
	Datum		args[] = {ObjectIdGetDatum(entity->relid),
		CStringGetTextDatum(entity->name),
	Int16GetDatum(entity->id_attnum)};
	Datum		expression;
	bool		isnull;
	SsotUser	user;

	if (n == 0)
		return NULL;
	ids.ids = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Datum) * n);
	if (!ssot_query_one(&new_id_expression, args, NULL, 1, &expression, &isnull) || isnull)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" of \"%s\" has no default", entity->id_column, entity->name),
				 errdetail("New golden records get their id from the default of the primary key."),
				 errhint("Make it GENERATED BY DEFAULT AS IDENTITY, or give it a default such as gen_random_uuid().")));
	user = ssot_become_owner(entity->relid);
	ssot_sql_each(ssot_sql("SELECT CAST(%s AS %s) FROM pg_catalog.generate_series(1, %d)",
						   TextDatumGetCString(expression), id_type(entity), n),
				  take_new_id, &ids);
	ssot_restore_user(user);
	return ids.ids;
}

/* Give every active node the id of its cluster. */
static void
assign_ids(Linker *linker, const int *cluster, int *holder)
{
	SsotLinking *out = linker->out;
	SsotNode   *nodes = out->nodes;
	int			n;
	int		   *order = sorted_nodes(linker, false, compare_by_key, &n);
	bool	   *creating = palloc_extended(sizeof(bool) * Max(out->nnodes, 1),
										   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int		   *fresh = MemoryContextAllocHuge(CurrentMemoryContext,
											   sizeof(int) * Max(out->nnodes, 1));
	bool	   *leaving = palloc_extended(sizeof(bool) * Max(out->nnodes, 1),
										  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int			nfresh = 0;
	Datum	   *ids;

	for (int i = 0; i < n; i++)
		leaving[cluster[order[i]]] |= nodes[order[i]].leaves;
	for (int i = 0; i < n; i++)
		if (creates(linker, &nodes[order[i]]))
			creating[cluster[order[i]]] = true;
	for (int i = 0; i < out->nnodes; i++)
		fresh[i] = -1;
	for (int i = 0; i < n; i++)
	{
		int			c = cluster[order[i]];

		if (creating[c] && holder[c] < 0 && fresh[c] < 0)
			fresh[c] = nfresh++;
	}
	ids = new_ids(linker->entity, nfresh);
	for (int i = 0; i < n; i++)
	{
		SsotNode   *node = &nodes[order[i]];
		int			c = cluster[order[i]];

		if (!creating[c])
		{
			/* a pin outlives the record's retirement; others are unlinked */
			node->has_id = node->had_id && is_built_in(linker, node);
			node->id = node->old_id;
		}
		else
		{
			node->has_id = true;
			node->id = holder[c] >= 0 ? nodes[holder[c]].old_id : ids[fresh[c]];
			if (holder[c] < 0 && leaving[c] && linker->wish->has_new_id)
				node->id = linker->wish->new_id;
		}
		if (node->has_id &&
			(!node->had_id || !node->stored ||
			 ssot_linker_compare_ids(linker, node->id, node->old_id) != 0))
			out->linked[node->source]++;
		if (node->had_id)
			ssot_linker_touch(linker, node->old_id);
		if (node->has_id)
			ssot_linker_touch(linker, node->id);
	}
}

/*
 * Clusters by tokens, decisions and what people wrote. "order" gets the nodes
 * that had a golden id. "last": tokens that no decision needs again are given back
 * before clustering.
 */
static void
put_together(Linker *linker, int *cluster, int **order, int *n, bool last)
{
	linker->npairs = 0;
	pair_by_tokens(linker);
	if (last && linker->decisions == NIL)
		free_tokens(linker);
	*order = sorted_nodes(linker, true, compare_by_id, n);
	pair_with_anchors(linker, *order, *n);
	pair_as_wished(linker, *order, *n);
	ssot_linker_cluster(linker, cluster);
}

void
ssot_linker_units(Linker *linker, int *cluster)
{
	int		   *order;
	int			n;

	mark_leaving(linker);
	put_together(linker, cluster, &order, &n, false);
	pfree(order);
}

void
ssot_regroup(Linker *linker)
{
	SsotLinking *out = linker->out;
	int		   *cluster = MemoryContextAllocHuge(CurrentMemoryContext,
												 sizeof(int) * Max(out->nnodes, 1));
	int		   *holder = MemoryContextAllocHuge(CurrentMemoryContext,
												sizeof(int) * Max(out->nnodes, 1));
	int		   *order;
	int			n;

	mark_leaving(linker);
	put_together(linker, cluster, &order, &n, true);
	ssot_matcher_cluster(linker, cluster);
	if (linker->decisions != NIL)
		free_tokens(linker);
	pfree(linker->pairs);
	for (int i = 0; i < out->nnodes; i++)
		holder[i] = -1;
	ssot_linker_claim_ids(linker, cluster, order, n, holder);
	assign_ids(linker, cluster, holder);
	pfree(order);
	pfree(holder);
	pfree(cluster);
}
