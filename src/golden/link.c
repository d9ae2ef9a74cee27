/*
 * golden/link.c
 *		Which golden record a source record belongs to.
 *
 * Records that share a token (src/README, "Tokens") are one thing, transitively.
 * Only records whose tokens are new or different can change what belongs
 * together, so linking looks at those, at the golden records they leave, and at
 * the golden records their tokens lead to; the members of these groups are read
 * whole and put together anew. As groups are closed under tokens, no further
 * group can be concerned; records that have no golden id form no group and are
 * followed from token to token.
 *
 * The grouping is thus what it would be if everything were linked from scratch.
 * Ids are kept where they can be: a golden id stays with its anchor, the first
 * of its records by source rank and key; where several ids meet in one group,
 * the smallest is kept and the others are merged into it. What people wrote
 * (steward, manual) has no token of its own to share and follows the anchor.
 *
 * What people decided (ssot.merge, ssot.split) outranks tokens: see obey.c.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/decision.h"
#include "golden/held_merge.h"
#include "golden/linker.h"
#include "golden/matcher.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/typcache.h"

void
ssot_linker_touch(Linker *linker, Datum id)
{
	bool		isnull = false;

	tuplestore_putvalues(linker->out->touched, linker->id_desc, &id, &isnull);
	linker->out->ntouched++;
}

int
ssot_compare_node_key(const SsotNode *node, int source, const char *key)
{
	return node->source != source ? node->source - source : strcmp(node->key, key);
}

int
ssot_linker_add_node(Linker *linker, int source, const char *key)
{
	SsotLinking *out = linker->out;
	SsotNode   *node;

	if (out->nnodes == linker->node_capacity)
	{
		linker->node_capacity *= 2;
		out->nodes = repalloc_huge(out->nodes, sizeof(SsotNode) * linker->node_capacity);
	}
	node = &out->nodes[out->nnodes];
	memset(node, 0, sizeof(*node));
	node->source = source;
	node->key = key;
	return out->nnodes++;
}

static void
add_token(Linker *linker, int node, const char *text)
{
	TokenEntry *entry;

	if (linker->ntokens == linker->token_capacity)
	{
		linker->token_capacity *= 2;
		linker->tokens = repalloc_huge(linker->tokens,
									   sizeof(TokenEntry) * linker->token_capacity);
	}
	entry = &linker->tokens[linker->ntokens++];
	entry->text = text;
	entry->hash = hash_bytes_extended((const unsigned char *) text, strlen(text), 0);
	entry->node = node;
}

/* The token that a record has by its own key. */
void
ssot_linker_add_own_token(Linker *linker, int node, int source, const char *key)
{
	MemoryContext old = MemoryContextSwitchTo(linker->token_context);

	add_token(linker, node, ssot_record_name(linker->entity, source, key));
	MemoryContextSwitchTo(old);
}

void
ssot_linker_add_tokens(Linker *linker, int node, Datum array)
{
	MemoryContext old = MemoryContextSwitchTo(linker->token_context);
	Datum	   *elements;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		add_token(linker, node, TextDatumGetCString(elements[i]));
	pfree(elements);
	MemoryContextSwitchTo(old);
}

/* The members of this golden record must be put together anew. */
void
ssot_linker_open(Linker *linker, Datum id)
{
	bool		isnull = false;

	tuplestore_putvalues(linker->groups, linker->id_desc, &id, &isnull);
	linker->ngroups++;
}

/* The staged node of a key, or -1: staged nodes are sorted. */
int
ssot_linker_find_staged(Linker *linker, int source, const char *key)
{
	int			low = 0;
	int			high = linker->out->nstaged - 1;

	while (low <= high)
	{
		int			middle = low + (high - low) / 2;
		int			c = ssot_compare_node_key(&linker->out->nodes[middle], source, key);

		if (c == 0)
			return middle;
		if (c < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

/* ---- staged records ------------------------------------------------------ */

/* One node per staged key; its tokens are read in a second pass, when it is
 * known which nodes need them. */
static void
read_staged(Linker *linker)
{
	const SsotEntity *entity = linker->entity;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(linker->ingest->desc, &TTSOpsMinimalTuple);

	tuplestore_rescan(linker->ingest->staged);
	while (tuplestore_gettupleslot(linker->ingest->staged, true, false, slot))
	{
		bool		isnull;
		int			source;

		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt32(slot_getattr(slot, SSOT_REC_COPY, &isnull)) > 0)
			continue;
		source = ssot_entity_source_id(entity,
									   DatumGetInt32(slot_getattr(slot, SSOT_REC_SOURCE, &isnull)));
		ssot_linker_add_node(linker, source,
							 TextDatumGetCString(slot_getattr(slot, SSOT_REC_KEY, &isnull)));
	}
	ExecDropSingleTupleTableSlot(slot);
	linker->out->nstaged = linker->out->nnodes;
}

/* What the staged keys were before: the golden id and tokens of the stored row
 * in force. */
static void
read_counterparts(Linker *linker)
{
	const SsotEntity *entity = linker->entity;
	const SsotIngest *ingest = linker->ingest;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(ingest->stored_desc, &TTSOpsMinimalTuple);

	tuplestore_rescan(ingest->stored);
	while (tuplestore_gettupleslot(ingest->stored, true, false, slot))
	{
		SsotNode   *node;
		Datum		id;
		bool		isnull;
		int			source;
		int			found;

		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt32(slot_getattr(slot, SSOT_REC_COPY, &isnull)) > 0)
			continue;
		source = ssot_entity_source_id(entity,
									   DatumGetInt32(slot_getattr(slot, SSOT_REC_SOURCE, &isnull)));
		found = ssot_linker_find_staged(linker, source,
										TextDatumGetCString(slot_getattr(slot, SSOT_REC_KEY, &isnull)));
		if (found < 0)
			elog(ERROR, "a stored record is not staged");
		node = &linker->out->nodes[found];
		node->stored = true;
		node->old_tokens = DatumGetInt64(slot_getattr(slot, SSOT_REC_TOKENS, &isnull));
		id = slot_getattr(slot, SSOT_REC_ID, &isnull);
		node->had_id = !isnull;
		if (node->had_id)
			node->old_id = datumCopy(id, entity->id_typbyval, entity->id_typlen);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* A staged record takes part if it is new or its tokens differ, or if it is
 * matched by what it says; the others keep the golden id they have. */
static void
activate_staged(Linker *linker)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(linker->ingest->desc, &TTSOpsMinimalTuple);
	int			natts = linker->ingest->desc->natts;
	int			n = 0;

	tuplestore_rescan(linker->ingest->staged);
	while (tuplestore_gettupleslot(linker->ingest->staged, true, false, slot))
	{
		SsotNode   *node;
		Datum		tokens;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt32(slot_getattr(slot, SSOT_REC_COPY, &isnull)) > 0)
			continue;
		node = &linker->out->nodes[n];
		node->active = !node->stored || linker->matcher != NULL ||
			node->old_tokens != DatumGetInt64(slot_getattr(slot, SSOT_REC_TOKENS, &isnull));
		node->has_id = node->had_id;
		node->id = node->old_id;
		if (node->had_id)
		{
			ssot_linker_touch(linker, node->old_id);
			if (node->active)
				ssot_linker_open(linker, node->old_id);
		}
		if (node->active)
		{
			ssot_linker_add_own_token(linker, n, node->source, node->key);
			tokens = slot_getattr(slot, natts, &isnull);
			if (!isnull)
				ssot_linker_add_tokens(linker, n, tokens);
		}
		n++;
	}
	ExecDropSingleTupleTableSlot(slot);
}

static Linker *
create_linker(const SsotEntity *entity, const SsotIngest *ingest)
{
	Linker	   *linker = palloc0(sizeof(Linker));
	SsotLinking *out = palloc0(sizeof(SsotLinking));
	TypeCacheEntry *type = lookup_type_cache(entity->id_type, TYPECACHE_CMP_PROC_FINFO);

	linker->entity = entity;
	linker->ingest = ingest;
	linker->out = out;
	linker->node_capacity = Max(ingest->nstaged, 64);
	out->nodes = MemoryContextAllocHuge(CurrentMemoryContext,
										sizeof(SsotNode) * linker->node_capacity);
	linker->token_capacity = 2 * linker->node_capacity;
	linker->tokens = MemoryContextAllocHuge(CurrentMemoryContext,
											sizeof(TokenEntry) * linker->token_capacity);
	linker->token_context = AllocSetContextCreate(CurrentMemoryContext, "ssot tokens",
												  ALLOCSET_DEFAULT_SIZES);
	linker->pair_capacity = linker->node_capacity;
	linker->pairs = MemoryContextAllocHuge(CurrentMemoryContext,
										   sizeof(SsotWeightedPair) * linker->pair_capacity);
	linker->id_desc = ssot_id_desc(entity);
	linker->groups = tuplestore_begin_heap(true, false, work_mem);
	linker->seen = tuplestore_begin_heap(true, false, work_mem);
	linker->found = tuplestore_begin_heap(true, false, work_mem);
	linker->led_to = tuplestore_begin_heap(true, false, work_mem);
	out->touched = tuplestore_begin_heap(true, false, work_mem);
	out->linked = palloc0(sizeof(int64) * Max(entity->nsources, 1));
	fmgr_info_copy(&linker->id_cmp, &type->cmp_proc_finfo, CurrentMemoryContext);
	linker->id_collation = type->typcollation != InvalidOid ? C_COLLATION_OID : InvalidOid;
	return linker;
}

static bool
source_table_is_empty(const SsotEntity *entity)
{
	Datum		value;
	bool		isnull;
	SsotStatement statement = {
		.sql = ssot_sql("SELECT true FROM %T LIMIT 1", entity->source_table),
	};

	return !ssot_statement_one(&statement, 1, &value, &isnull);
}

/* Where nothing was stored, decisions lead to no group. */
static void
read_first_decisions(Linker *linker)
{
	Tuplestorestate *names = tuplestore_begin_heap(true, false, work_mem);
	int64		nnames = 0;

	ssot_linker_read_decisions(linker, names, &nnames);
	tuplestore_end(names);
}

static SsotLinking *
end_linker(Linker *linker)
{
	ssot_regroup(linker);
	tuplestore_end(linker->groups);
	tuplestore_end(linker->seen);
	tuplestore_end(linker->found);
	tuplestore_end(linker->led_to);
	return linker->out;
}

SsotLinking *
ssot_link(const SsotEntity *entity, const SsotIngest *ingest)
{
	Linker	   *linker = create_linker(entity, ingest);

	linker->out->first_load = source_table_is_empty(entity);
	ssot_matcher_begin(linker);
	read_staged(linker);
	read_counterparts(linker);
	activate_staged(linker);
	if (linker->out->first_load)
		read_first_decisions(linker);
	else
	{
		ssot_linker_reach_returning(linker);
		ssot_linker_reach_gone(linker);
		ssot_linker_reopen_held(linker, NULL, 0);
		ssot_matcher_reach(linker);
	}
	return end_linker(linker);
}

SsotLinking *
ssot_relink(const SsotEntity *entity, const SsotIngest *ingest, const SsotRelink *wish)
{
	Linker	   *linker = create_linker(entity, ingest);

	linker->wish = wish;
	ssot_matcher_begin(linker);
	for (int i = 0; i < wish->nids; i++)
	{
		ssot_linker_touch(linker, wish->ids[i]);
		ssot_linker_open(linker, wish->ids[i]);
	}
	ssot_linker_reopen_held(linker, wish->ids, wish->nids);
	ssot_matcher_reach(linker);
	return end_linker(linker);
}
