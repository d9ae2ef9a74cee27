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

static int
add_node(Linker *linker, int source, const char *key)
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
static void
add_own_token(Linker *linker, int node, int source, const char *key)
{
	MemoryContext old = MemoryContextSwitchTo(linker->token_context);

	add_token(linker, node, ssot_record_name(linker->entity, source, key));
	MemoryContextSwitchTo(old);
}

static void
add_token_array(Linker *linker, int node, Datum array)
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
static int
find_staged(Linker *linker, int source, const char *key)
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
		add_node(linker, source,
				 TextDatumGetCString(slot_getattr(slot, SSOT_REC_KEY, &isnull)));
	}
	ExecDropSingleTupleTableSlot(slot);
	linker->out->nstaged = linker->out->nnodes;
}

/* (ssot_source, ssot_key, golden id, ssot_tokens) of a stored counterpart. */
static bool
take_counterpart(TupleTableSlot *slot, void *arg)
{
	Linker	   *linker = (Linker *) arg;
	const SsotEntity *entity = linker->entity;
	SsotNode   *node;
	int			found;

	slot_getallattrs(slot);
	linker->anything_stored = true;
	found = find_staged(linker,
						ssot_entity_source_id(entity, DatumGetInt32(slot->tts_values[0])),
						TextDatumGetCString(slot->tts_values[1]));
	if (found < 0)
		return true;
	node = &linker->out->nodes[found];
	node->stored = true;
	node->old_tokens = DatumGetInt64(slot->tts_values[3]);
	node->had_id = !slot->tts_isnull[2];
	if (node->had_id)
		node->old_id = datumCopy(slot->tts_values[2], entity->id_typbyval, entity->id_typlen);
	return true;
}

static void
read_counterparts(Linker *linker)
{
	const SsotEntity *entity = linker->entity;
	SsotRelation relation = {"ssot_staged", linker->ingest->desc,
	linker->ingest->staged, linker->ingest->nstaged};
	SsotStatement statement = {.nrelations = 1,.relations = &relation};

	statement.sql = ssot_sql("SELECT s.ssot_source, s.ssot_key, s.%I, s.ssot_tokens"
							 " FROM ssot_staged AS g JOIN %T AS s"
							 " ON s.ssot_key = g.ssot_key AND s.ssot_source = g.ssot_source"
							 " AND s.ssot_copy <= 0"
							 " WHERE g.ssot_copy <= 0",
							 entity->id_column, entity->source_table);
	ssot_statement_each(&statement, take_counterpart, linker);
}

/* A staged record takes part if it is new or its tokens differ; the others keep
 * the golden id they have. */
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
		node->active = !node->stored ||
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
			add_own_token(linker, n, node->source, node->key);
			tokens = slot_getattr(slot, natts, &isnull);
			if (!isnull)
				add_token_array(linker, n, tokens);
		}
		n++;
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* ---- groups they leave or join ------------------------------------------- */

static bool
take_gone_id(TupleTableSlot *slot, void *arg)
{
	Linker	   *linker = (Linker *) arg;
	bool		isnull;
	Datum		id = slot_getattr(slot, 1, &isnull);

	linker->anything_stored = true;
	if (!isnull)
	{
		ssot_linker_touch(linker, id);
		ssot_linker_open(linker, id);
	}
	return true;
}

static void
read_gone(Linker *linker)
{
	const SsotEntity *entity = linker->entity;
	SsotRelation relation = {"ssot_gone", linker->ingest->gone_desc,
	linker->ingest->gone, linker->ingest->ngone};
	SsotStatement statement = {.nrelations = 1,.relations = &relation};

	if (linker->ingest->ngone == 0)
		return;
	statement.sql = ssot_sql("SELECT DISTINCT s.%I FROM ssot_gone AS g JOIN %T AS s"
							 " ON s.ssot_key = g.ssot_key AND s.ssot_source = g.ssot_source",
							 entity->id_column, entity->source_table);
	ssot_statement_each(&statement, take_gone_id, linker);
}

/* The golden id that a record had when it went away: (node, golden id). */
static bool
take_former_id(TupleTableSlot *slot, void *arg)
{
	Linker	   *linker = (Linker *) arg;
	SsotNode   *node;

	slot_getallattrs(slot);
	node = &linker->out->nodes[DatumGetInt32(slot->tts_values[0])];
	node->had_id = true;
	node->old_id = datumCopy(slot->tts_values[1],
							 linker->entity->id_typbyval, linker->entity->id_typlen);
	ssot_linker_open(linker, node->old_id);
	return true;
}

/*
 * A record that comes back gets the golden id that retired with it, and with
 * the id the pins that people left there.
 *
 * SELECT b.node, h.id
 *   FROM ssot_new AS b
 *  CROSS JOIN LATERAL (its last version in customer_source_history) AS h
 *   JOIN golden.customer AS g ON g.customer_id = h.id
 *  WHERE g.retired_at IS NOT NULL
 */
static void
read_returning(Linker *linker)
{
	const SsotEntity *entity = linker->entity;
	TupleDesc	desc = CreateTemplateTupleDesc(3);
	SsotRelation relation = {"ssot_new", desc, tuplestore_begin_heap(true, false, work_mem), 0};
	SsotStatement statement = {.nrelations = 1,.relations = &relation};

	TupleDescInitEntry(desc, 1, "node", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 3, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 3, C_COLLATION_OID);
	for (int i = 0; i < linker->out->nstaged; i++)
	{
		const SsotNode *node = &linker->out->nodes[i];
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		if (node->stored)
			continue;
		values[0] = Int32GetDatum(i);
		values[1] = Int32GetDatum(entity->sources[node->source].source_id);
		values[2] = CStringGetTextDatum(node->key);
		tuplestore_putvalues(relation.rows, desc, values, nulls);
		relation.count++;
	}
	statement.sql = ssot_sql("SELECT b.node, h.id FROM ssot_new AS b"
							 " CROSS JOIN LATERAL (SELECT v.%I AS id FROM %T AS v"
							 " WHERE v.ssot_key = b.ssot_key AND v.ssot_source = b.ssot_source"
							 " AND v.ssot_copy <= 0 AND v.%I IS NOT NULL"
							 " ORDER BY v.ssot_to DESC LIMIT 1) AS h"
							 " JOIN %T AS g ON g.%I = h.id"
							 " WHERE g.retired_at IS NOT NULL",
							 entity->id_column, entity->source_history_table,
							 entity->id_column, ssot_relation_name(entity->relid),
							 entity->id_column);
	if (relation.count > 0)
		ssot_statement_each(&statement, take_former_id, linker);
	tuplestore_end(relation.rows);
}

/* A record that a token led to: (ssot_source, ssot_key, golden id). */
static bool
take_hit(TupleTableSlot *slot, void *arg)
{
	Linker	   *linker = (Linker *) arg;

	slot_getallattrs(slot);
	if (!slot->tts_isnull[2])
		ssot_linker_open(linker, slot->tts_values[2]);
	return true;
}

/* A token as rows (token, ssot_source, ssot_key): where it names a record by its
 * key, a row for each source of the system; else one with NULLs. */
static int64
put_token(Linker *linker, Tuplestorestate *rows, TupleDesc desc, const char *token)
{
	const char *colon = strchr(token, ':');
	size_t		length = colon - token;
	Datum		values[3] = {CStringGetTextDatum(token), 0, 0};
	bool		nulls[3] = {false, true, true};
	int64		n = 0;

	if (memchr(token, '.', length) == NULL)
	{
		values[2] = CStringGetTextDatum(colon + 1);
		nulls[1] = nulls[2] = false;
		for (int s = 0; s < linker->entity->nsources; s++)
		{
			const SsotSource *source = &linker->entity->sources[s];

			if (strncmp(source->system, token, length) != 0 || source->system[length] != '\0')
				continue;
			values[1] = Int32GetDatum(source->source_id);
			tuplestore_putvalues(rows, desc, values, nulls);
			n++;
		}
	}
	if (n == 0)
	{
		nulls[1] = nulls[2] = true;
		tuplestore_putvalues(rows, desc, values, nulls);
		n++;
	}
	return n;
}

/*
 * Stored records that the tokens of active staged records lead to: by a further
 * key or link of theirs, or by their own key. Records that no golden record has
 * yet (creates => false) are hit as well; they are read with the groups.
 */
static char *
hits_sql(const SsotEntity *entity)
{
	return ssot_sql("SELECT s.ssot_source, s.ssot_key, s.%I"
					" FROM ssot_tokens AS t"
					" JOIN %T AS k ON k.token = t.token"
					" JOIN %T AS s ON s.ssot_key = k.ssot_key AND s.ssot_source = k.ssot_source"
					" AND s.ssot_copy <= 0"
					" UNION "
					"SELECT s.ssot_source, s.ssot_key, s.%I"
					" FROM ssot_tokens AS t"
					" JOIN %T AS s ON s.ssot_key = t.ssot_key AND s.ssot_source = t.ssot_source"
					" AND s.ssot_copy <= 0",
					entity->id_column, entity->key_table, entity->source_table,
					entity->id_column, entity->source_table);
}

/* A member of an opened group, or an unlinked record that was hit:
 * (ssot_source, ssot_key, golden id, tokens). */
static bool
take_member(TupleTableSlot *slot, void *arg)
{
	Linker	   *linker = (Linker *) arg;
	const SsotEntity *entity = linker->entity;
	SsotNode   *node;
	char	   *key;
	int			source;
	int			n;

	slot_getallattrs(slot);
	source = ssot_entity_source_id(entity, DatumGetInt32(slot->tts_values[0]));
	if (source < 0)
		return true;
	key = TextDatumGetCString(slot->tts_values[1]);
	n = find_staged(linker, source, key);
	if (n < 0)
	{
		n = add_node(linker, source, key);
		node = &linker->out->nodes[n];
		node->stored = true;
		node->had_id = !slot->tts_isnull[2];
		if (node->had_id)
			node->old_id = datumCopy(slot->tts_values[2],
									 entity->id_typbyval, entity->id_typlen);
		tuplestore_putvalues(linker->found, linker->ingest->gone_desc,
							 slot->tts_values, slot->tts_isnull);
		linker->nfound++;
	}
	node = &linker->out->nodes[n];
	if (node->active)
		return true;			/* its new tokens count, not the stored ones */
	node->active = true;
	add_own_token(linker, n, source, key);
	if (!slot->tts_isnull[3])
		add_token_array(linker, n, slot->tts_values[3]);
	return true;
}

/*
 * The members of the opened groups, and unlinked records that a token leads to,
 * but for what is gone or was read in a round before: a union, because an OR would
 * scan the whole table.
 */
static char *
members_sql(const SsotEntity *entity)
{
	const char *tokens = ssot_sql("(SELECT array_agg(k.token ORDER BY k.token) FROM %T AS k"
								  " WHERE k.ssot_source = s.ssot_source AND k.ssot_key = s.ssot_key)",
								  entity->key_table);
	const char *not_gone = "NOT EXISTS (SELECT FROM ssot_gone AS x"
	" WHERE x.ssot_source = s.ssot_source AND x.ssot_key = s.ssot_key)"
	" AND NOT EXISTS (SELECT FROM ssot_seen AS x"
	" WHERE x.ssot_source = s.ssot_source AND x.ssot_key = s.ssot_key)";

	return ssot_sql("SELECT s.ssot_source, s.ssot_key, s.%I, %s"
					" FROM (SELECT DISTINCT g.id FROM ssot_groups AS g) AS g"
					" JOIN %T AS s ON s.%I = g.id AND s.ssot_copy <= 0"
					" WHERE %s"
					" UNION ALL "
					"SELECT s.ssot_source, s.ssot_key, s.%I, %s"
					" FROM (%s) AS h"
					" JOIN %T AS s ON s.ssot_key = h.ssot_key AND s.ssot_source = h.ssot_source"
					" AND s.ssot_copy <= 0 AND s.%I IS NULL"
					" WHERE %s"
					" ORDER BY 1, 2",
					entity->id_column, tokens, entity->source_table, entity->id_column, not_gone,
					entity->id_column, tokens, hits_sql(entity), entity->source_table,
					entity->id_column, not_gone);
}

/* A row of ssot_name_desc: decisions lead to records as tokens do. */
static void
put_names(Linker *linker, Tuplestorestate *names, SsotRelation *tokens)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(ssot_name_desc(), &TTSOpsMinimalTuple);

	tuplestore_rescan(names);
	while (tuplestore_gettupleslot(names, true, false, slot))
	{
		bool		isnull;

		tokens->count += put_token(linker, tokens->rows, tokens->desc,
								   TextDatumGetCString(slot_getattr(slot, 1, &isnull)));
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* One round: the groups and the unlinked records that the tokens from "first" on
 * lead to; after the first round only those of records without a golden id. */
static void
read_round(Linker *linker, int64 first, bool again)
{
	const SsotEntity *entity = linker->entity;
	SsotRelation relations[4];
	SsotStatement statement = {.nrelations = 1,.relations = relations};
	Tuplestorestate *names = tuplestore_begin_heap(true, false, work_mem);
	int64		nnames = 0;

	relations[0] = (SsotRelation)
	{
		"ssot_tokens", ssot_token_desc(), tuplestore_begin_heap(true, false, work_mem), 0
	};
	for (int64 i = first; i < linker->ntokens; i++)
	{
		if (again && linker->out->nodes[linker->tokens[i].node].had_id)
			continue;
		relations[0].count += put_token(linker, relations[0].rows, relations[0].desc,
										linker->tokens[i].text);
	}
	statement.sql = hits_sql(entity);
	if (relations[0].count > 0)
		ssot_statement_each(&statement, take_hit, linker);
	ssot_linker_read_decisions(linker, names, &nnames);
	if (nnames > 0)
		put_names(linker, names, &relations[0]);
	tuplestore_end(names);

	relations[1] = (SsotRelation)
	{
		"ssot_groups", linker->id_desc, linker->groups, linker->ngroups
	};
	relations[2] = (SsotRelation)
	{
		"ssot_gone", linker->ingest->gone_desc, linker->ingest->gone, linker->ingest->ngone
	};
	relations[3] = (SsotRelation)
	{
		"ssot_seen", linker->ingest->gone_desc, linker->seen, linker->nseen
	};
	statement.nrelations = 4;
	statement.sql = members_sql(entity);
	if (relations[0].count > 0 || linker->ngroups > 0)
		ssot_statement_each(&statement, take_member, linker);
	tuplestore_end(relations[0].rows);
}

/* What a round found may not be read again; while it was under way, the list of
 * what was read before could not grow. */
static void
add_found_to_seen(Linker *linker)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(linker->ingest->gone_desc, &TTSOpsMinimalTuple);

	tuplestore_rescan(linker->found);
	while (tuplestore_gettupleslot(linker->found, true, false, slot))
		tuplestore_puttupleslot(linker->seen, slot);
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_clear(linker->found);
	linker->nseen += linker->nfound;
	linker->nfound = 0;
}

/*
 * Read what the staged records leave and join. Records with a golden id are
 * closed under tokens; what has none (creates => false) hangs together by tokens
 * alone, so these are followed until they lead to nothing new.
 */
static void
read_groups(Linker *linker)
{
	int64		first = 0;
	bool		again = false;

	do
	{
		int64		next = linker->ntokens;

		CHECK_FOR_INTERRUPTS();
		read_round(linker, first, again);
		tuplestore_clear(linker->groups);
		linker->ngroups = 0;
		add_found_to_seen(linker);
		first = next;
		again = true;
	} while (linker->ntokens > first);
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
										   sizeof(SsotPair) * linker->pair_capacity);
	linker->id_desc = ssot_id_desc(entity);
	linker->groups = tuplestore_begin_heap(true, false, work_mem);
	linker->seen = tuplestore_begin_heap(true, false, work_mem);
	linker->found = tuplestore_begin_heap(true, false, work_mem);
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

static bool
is_same_id(Linker *linker, Datum a, Datum b)
{
	return ssot_linker_compare_ids(linker, a, b) == 0;
}

/* Does a merge that is held concern one of these golden records, or one that
 * was reopened already? */
static bool
leads_to(Linker *linker, const SsotMerge *merge, const Datum *ids, int nids)
{
	ListCell   *cell;

	for (int i = 0; i < nids; i++)
		if (is_same_id(linker, merge->lost, ids[i]) || is_same_id(linker, merge->kept, ids[i]))
			return true;
	foreach(cell, linker->out->reopened)
	{
		const SsotMerge *other = &((SsotHeldMerge *) lfirst(cell))->merge;

		if (is_same_id(linker, merge->lost, other->lost) ||
			is_same_id(linker, merge->lost, other->kept) ||
			is_same_id(linker, merge->kept, other->lost) ||
			is_same_id(linker, merge->kept, other->kept))
			return true;
	}
	return false;
}

/*
 * Golden records that a held merge keeps apart share tokens. Whoever looks at one
 * looks at both: a run at all of them (ids NULL), as the merge may be possible now.
 */
static void
reopen_held(Linker *linker, const Datum *ids, int nids)
{
	List	   *held = ssot_held_merges(linker->entity);
	int			before;

	do
	{
		ListCell   *cell;

		before = list_length(linker->out->reopened);
		foreach(cell, held)
		{
			SsotHeldMerge *merge = (SsotHeldMerge *) lfirst(cell);

			if (ids != NULL && !leads_to(linker, &merge->merge, ids, nids))
				continue;
			ssot_linker_open(linker, merge->merge.lost);
			ssot_linker_open(linker, merge->merge.kept);
			linker->out->reopened = lappend(linker->out->reopened, merge);
			held = foreach_delete_current(held, cell);
		}
	} while (list_length(linker->out->reopened) > before && ids != NULL);
}

SsotLinking *
ssot_link(const SsotEntity *entity, const SsotIngest *ingest)
{
	Linker	   *linker = create_linker(entity, ingest);
	SsotLinking *out = linker->out;

	out->first_load = source_table_is_empty(entity);
	read_staged(linker);
	if (!out->first_load)
		read_counterparts(linker);
	activate_staged(linker);
	if (!out->first_load)
	{
		read_returning(linker);
		read_gone(linker);
		reopen_held(linker, NULL, 0);
		read_groups(linker);
	}
	else
		read_first_decisions(linker);
	ssot_regroup(linker);
	tuplestore_end(linker->groups);
	tuplestore_end(linker->seen);
	tuplestore_end(linker->found);
	return out;
}

SsotLinking *
ssot_relink(const SsotEntity *entity, const SsotIngest *ingest, const SsotRelink *wish)
{
	Linker	   *linker = create_linker(entity, ingest);

	linker->wish = wish;
	for (int i = 0; i < wish->nids; i++)
	{
		ssot_linker_touch(linker, wish->ids[i]);
		ssot_linker_open(linker, wish->ids[i]);
	}
	reopen_held(linker, wish->ids, wish->nids);
	read_groups(linker);
	ssot_regroup(linker);
	tuplestore_end(linker->groups);
	tuplestore_end(linker->seen);
	tuplestore_end(linker->found);
	return linker->out;
}
