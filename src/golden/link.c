/*
 * golden/link.c
 *		Which golden record a source record belongs to.
 *
 * Records that share a token (src/README, "Tokens") are one thing, transitively.
 * Only records whose tokens are new or different can change what belongs
 * together, so linking looks at those, at the golden records they leave, and at
 * the golden records their tokens lead to; the members of these groups are read
 * whole and put together anew. As groups are closed under tokens, no further
 * group can be concerned.
 *
 * The grouping is thus what it would be if everything were linked from scratch.
 * Ids are kept where they can be: a golden id stays with its anchor, the first
 * of its records by source rank and key; where several ids meet in one group,
 * the smallest is kept and the others are merged into it. What people wrote
 * (steward, manual) has no token of its own to share and follows the anchor.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/hold.h"
#include "golden/link.h"
#include "identity/cluster.h"

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

/* A token and the record that carries it. */
typedef struct TokenEntry
{
	uint64		hash;
	const char *text;
	int			node;
} TokenEntry;

typedef struct Linker
{
	const SsotEntity *entity;
	const SsotIngest *ingest;
	SsotLinking *out;
	int			node_capacity;
	TokenEntry *tokens;
	int64		ntokens;
	int64		token_capacity;
	SsotPair   *pairs;
	int64		npairs;
	int64		pair_capacity;
	bool		anything_stored;
	TupleDesc	id_desc;
	Tuplestorestate *groups;	/* golden ids whose members must be read */
	int64		ngroups;
	FmgrInfo	id_cmp;
	Oid			id_collation;
} Linker;

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

static void
add_pair(Linker *linker, int a, int b)
{
	if (linker->npairs == linker->pair_capacity)
	{
		linker->pair_capacity *= 2;
		linker->pairs = repalloc_huge(linker->pairs, sizeof(SsotPair) * linker->pair_capacity);
	}
	linker->pairs[linker->npairs++] = (SsotPair) {a, b, 1.0};
}

static const char *
own_token(const SsotEntity *entity, int source, const char *key)
{
	return psprintf("%s:%s", entity->sources[source].system, key);
}

static void
add_token_array(Linker *linker, int node, Datum array)
{
	Datum	   *elements;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		add_token(linker, node, TextDatumGetCString(elements[i]));
}

static void
touch(Linker *linker, Datum id)
{
	bool		isnull = false;

	tuplestore_putvalues(linker->out->touched, linker->id_desc, &id, &isnull);
	linker->out->ntouched++;
}

/* The members of this golden record must be put together anew. */
static void
open_group(Linker *linker, Datum id)
{
	bool		isnull = false;

	tuplestore_putvalues(linker->groups, linker->id_desc, &id, &isnull);
	linker->ngroups++;
}

static int
compare_node_key(const SsotNode *node, int source, const char *key)
{
	return node->source != source ? node->source - source : strcmp(node->key, key);
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
		int			c = compare_node_key(&linker->out->nodes[middle], source, key);

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
	SsotStatement statement = {.nrelations = 1, .relations = &relation};

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
	const SsotEntity *entity = linker->entity;
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
			touch(linker, node->old_id);
			if (node->active)
				open_group(linker, node->old_id);
		}
		if (node->active)
		{
			add_token(linker, n, own_token(entity, node->source, node->key));
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
		touch(linker, id);
		open_group(linker, id);
	}
	return true;
}

static void
read_gone(Linker *linker)
{
	const SsotEntity *entity = linker->entity;
	SsotRelation relation = {"ssot_gone", linker->ingest->gone_desc,
	linker->ingest->gone, linker->ingest->ngone};
	SsotStatement statement = {.nrelations = 1, .relations = &relation};

	if (linker->ingest->ngone == 0)
		return;
	statement.sql = ssot_sql("SELECT DISTINCT s.%I FROM ssot_gone AS g JOIN %T AS s"
							 " ON s.ssot_key = g.ssot_key AND s.ssot_source = g.ssot_source",
							 entity->id_column, entity->source_table);
	ssot_statement_each(&statement, take_gone_id, linker);
}

/* A record that a token led to: (ssot_source, ssot_key, golden id). */
static bool
take_hit(TupleTableSlot *slot, void *arg)
{
	Linker	   *linker = (Linker *) arg;

	slot_getallattrs(slot);
	if (!slot->tts_isnull[2])
		open_group(linker, slot->tts_values[2]);
	return true;
}

/* (token, system or NULL, key or NULL): system and key of a token that names a
 * record by its key. */
static TupleDesc
token_desc(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(3);

	TupleDescInitEntry(desc, 1, "token", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 2, "system", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 3, "key", TEXTOID, -1, 0);
	for (int i = 1; i <= 3; i++)
		TupleDescInitEntryCollation(desc, i, C_COLLATION_OID);
	return desc;
}

/* The text of a token as a row of token_desc(). */
static void
put_token(Tuplestorestate *rows, TupleDesc desc, const char *token)
{
	const char *colon = strchr(token, ':');
	const char *dot = memchr(token, '.', colon - token);
	Datum		values[3];
	bool		nulls[3] = {false, dot != NULL, dot != NULL};

	values[0] = CStringGetTextDatum(token);
	values[1] = dot != NULL ? (Datum) 0 :
		PointerGetDatum(cstring_to_text_with_len(token, colon - token));
	values[2] = dot != NULL ? (Datum) 0 : CStringGetTextDatum(colon + 1);
	tuplestore_putvalues(rows, desc, values, nulls);
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
					" JOIN ssot.source AS y ON y.system = t.system AND y.entity = %L"
					" JOIN %T AS s ON s.ssot_key = t.key AND s.ssot_source = y.source_id"
					" AND s.ssot_copy <= 0",
					entity->id_column, entity->key_table, entity->source_table,
					entity->id_column, entity->name, entity->source_table);
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
	}
	node = &linker->out->nodes[n];
	if (node->active)
		return true;			/* its new tokens count, not the stored ones */
	node->active = true;
	add_token(linker, n, own_token(entity, source, key));
	if (!slot->tts_isnull[3])
		add_token_array(linker, n, slot->tts_values[3]);
	return true;
}

/*
 * The members of the opened groups, and unlinked records that a token leads to,
 * but for what is gone: a union, because an OR would scan the whole table.
 */
static char *
members_sql(const SsotEntity *entity)
{
	const char *tokens = ssot_sql("(SELECT array_agg(k.token ORDER BY k.token) FROM %T AS k"
								  " WHERE k.ssot_source = s.ssot_source AND k.ssot_key = s.ssot_key)",
								  entity->key_table);
	const char *not_gone = "NOT EXISTS (SELECT FROM ssot_gone AS x"
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

static void
read_groups(Linker *linker)
{
	const SsotEntity *entity = linker->entity;
	SsotRelation relations[3];
	SsotStatement statement = {.nrelations = 1, .relations = relations};
	TupleDesc	desc = token_desc();

	relations[0] = (SsotRelation) {"ssot_tokens", desc,
	tuplestore_begin_heap(true, false, work_mem), linker->ntokens};
	for (int64 i = 0; i < linker->ntokens; i++)
		put_token(relations[0].rows, desc, linker->tokens[i].text);
	statement.sql = hits_sql(entity);
	if (linker->ntokens > 0)
		ssot_statement_each(&statement, take_hit, linker);

	relations[1] = (SsotRelation) {"ssot_groups", linker->id_desc, linker->groups, linker->ngroups};
	relations[2] = (SsotRelation) {"ssot_gone", linker->ingest->gone_desc,
	linker->ingest->gone, linker->ingest->ngone};
	statement.nrelations = 3;
	statement.sql = members_sql(entity);
	if (linker->ntokens > 0 || linker->ngroups > 0)
		ssot_statement_each(&statement, take_member, linker);
	tuplestore_end(relations[0].rows);
}

/* ---- putting together ---------------------------------------------------- */

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
pair_by_tokens(Linker *linker)
{
	qsort(linker->tokens, linker->ntokens, sizeof(TokenEntry), compare_tokens);
	for (int64 i = 1; i < linker->ntokens; i++)
		if (linker->tokens[i].hash == linker->tokens[i - 1].hash &&
			strcmp(linker->tokens[i].text, linker->tokens[i - 1].text) == 0)
			add_pair(linker, linker->tokens[i - 1].node, linker->tokens[i].node);
}

static bool
is_built_in(const Linker *linker, const SsotNode *node)
{
	return linker->entity->sources[node->source].is_steward ||
		linker->entity->sources[node->source].is_manual;
}

static int
compare_ids(Linker *linker, Datum a, Datum b)
{
	return DatumGetInt32(FunctionCall2Coll(&linker->id_cmp, linker->id_collation, a, b));
}

static Linker *sorting;			/* for the qsort callbacks below */

/* By old golden id, then people's records last, then source and key: the first
 * of an id is its anchor. */
static int
compare_by_id(const void *a, const void *b)
{
	const SsotNode *x = &sorting->out->nodes[*(const int *) a];
	const SsotNode *y = &sorting->out->nodes[*(const int *) b];
	int			result = compare_ids(sorting, x->old_id, y->old_id);

	if (result == 0)
		result = (int) is_built_in(sorting, x) - (int) is_built_in(sorting, y);
	return result != 0 ? result : compare_node_key(x, y->source, y->key);
}

/* By source rank and key: the order in which new ids are given out. */
static int
compare_by_key(const void *a, const void *b)
{
	const SsotNode *x = &sorting->out->nodes[*(const int *) a];
	const SsotNode *y = &sorting->out->nodes[*(const int *) b];

	return compare_node_key(x, y->source, y->key);
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

/* What people wrote follows the anchor of its golden record. */
static void
pair_with_anchors(Linker *linker, const int *order, int n)
{
	SsotNode   *nodes = linker->out->nodes;
	int			anchor = -1;

	for (int i = 0; i < n; i++)
	{
		if (anchor < 0 ||
			compare_ids(linker, nodes[order[anchor]].old_id, nodes[order[i]].old_id) != 0)
			anchor = i;
		else if (is_built_in(linker, &nodes[order[i]]))
			add_pair(linker, order[anchor], order[i]);
	}
}

static void
add_merge(Linker *linker, Datum lost, Datum kept)
{
	SsotLinking *out = linker->out;

	out->merges = out->merges == NULL ? palloc(sizeof(SsotMerge)) :
		repalloc_huge(out->merges, sizeof(SsotMerge) * (out->nmerges + 1));
	out->merges[out->nmerges++] = (SsotMerge) {lost, kept};
	touch(linker, lost);
	touch(linker, kept);
}

/* Each golden id goes to its anchor's cluster; the smallest of a cluster is kept. */
static void
claim_ids(Linker *linker, const int *cluster, const int *order, int n, int *holder)
{
	SsotNode   *nodes = linker->out->nodes;

	/* order is ascending by id: the first claim of a cluster is the smallest */
	for (int i = 0; i < n; i++)
	{
		int			c = cluster[order[i]];

		if (i > 0 && compare_ids(linker, nodes[order[i - 1]].old_id, nodes[order[i]].old_id) == 0)
			continue;
		if (holder[c] < 0)
			holder[c] = order[i];
		else
			add_merge(linker, nodes[order[i]].old_id, nodes[holder[c]].old_id);
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
	"SELECT CASE WHEN a.attidentity <> ''"
	"       THEN pg_catalog.format('pg_catalog.nextval(%L::pg_catalog.regclass)',"
	"            pg_catalog.pg_get_serial_sequence($2, a.attname::pg_catalog.text))"
	"       ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid) END"
	"  FROM pg_catalog.pg_attribute AS a"
	"  LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
	" WHERE a.attrelid = $1 AND a.attnum = $3",
	3, {OIDOID, TEXTOID, INT2OID}
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

	ids->ids[ids->count++] = datumCopy(id, ids->entity->id_typbyval, ids->entity->id_typlen);
	return true;
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
	ssot_sql_each(ssot_sql("SELECT %s FROM pg_catalog.generate_series(1, %d)",
						   TextDatumGetCString(expression), n),
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
	int			nfresh = 0;
	Datum	   *ids;

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
		}
		if (node->has_id &&
			(!node->had_id || compare_ids(linker, node->id, node->old_id) != 0))
			out->linked[node->source]++;
		if (node->had_id)
			touch(linker, node->old_id);
		if (node->has_id)
			touch(linker, node->id);
	}
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
	linker->pair_capacity = linker->node_capacity;
	linker->pairs = MemoryContextAllocHuge(CurrentMemoryContext,
										   sizeof(SsotPair) * linker->pair_capacity);
	linker->id_desc = ssot_id_desc(entity);
	linker->groups = tuplestore_begin_heap(true, false, work_mem);
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

SsotLinking *
ssot_link(const SsotEntity *entity, const SsotIngest *ingest)
{
	Linker	   *linker = create_linker(entity, ingest);
	SsotLinking *out = linker->out;
	int		   *cluster;
	int		   *holder;
	int		   *order;
	int			n;

	out->first_load = source_table_is_empty(entity);
	read_staged(linker);
	if (!out->first_load)
		read_counterparts(linker);
	activate_staged(linker);
	if (!out->first_load)
	{
		read_gone(linker);
		read_groups(linker);
	}
	pair_by_tokens(linker);

	order = sorted_nodes(linker, true, compare_by_id, &n);
	pair_with_anchors(linker, order, n);
	cluster = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max(out->nnodes, 1));
	holder = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max(out->nnodes, 1));
	ssot_cluster(out->nnodes, linker->pairs, linker->npairs, 1.0, cluster);
	for (int i = 0; i < out->nnodes; i++)
		holder[i] = -1;
	claim_ids(linker, cluster, order, n, holder);
	assign_ids(linker, cluster, holder);
	tuplestore_end(linker->groups);
	return out;
}
