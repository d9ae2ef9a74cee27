/*
 * golden/reach.c
 *		Which stored records linking has to look at.
 *
 * Staged records leave golden records and join others; what these consist of is
 * read whole. Reading goes in rounds: tokens, decisions and matching lead from
 * what is known to further golden records, until nothing new is found.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "golden/decision.h"
#include "golden/held_merge.h"
#include "golden/linker.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"

/* ---- groups they leave or join ------------------------------------------- */

static bool
take_gone_id(TupleTableSlot *slot, void *arg)
{
	Linker	   *linker = (Linker *) arg;
	bool		isnull;
	Datum		id = slot_getattr(slot, 1, &isnull);

	if (!isnull)
	{
		ssot_linker_touch(linker, id);
		ssot_linker_open(linker, id);
	}
	return true;
}

void
ssot_linker_reach_gone(Linker *linker)
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

/* (node, ssot_source, ssot_key) */
TupleDesc
ssot_node_desc(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(3);

	TupleDescInitEntry(desc, 1, "node", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 3, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 3, C_COLLATION_OID);
	return desc;
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
void
ssot_linker_reach_returning(Linker *linker)
{
	const SsotEntity *entity = linker->entity;
	TupleDesc	desc = ssot_node_desc();
	SsotRelation relation = {"ssot_new", desc, tuplestore_begin_heap(true, false, work_mem), 0};
	SsotStatement statement = {.nrelations = 1,.relations = &relation};

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
	n = ssot_linker_find_staged(linker, source, key);
	if (n < 0)
	{
		n = ssot_linker_add_node(linker, source, key);
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
	ssot_linker_add_own_token(linker, n, source, key);
	if (!slot->tts_isnull[3])
		ssot_linker_add_tokens(linker, n, slot->tts_values[3]);
	return true;
}

/* The further tokens of record s. */
static char *
tokens_sql(const SsotEntity *entity)
{
	return ssot_sql("(SELECT array_agg(k.token ORDER BY k.token) FROM %T AS k"
					" WHERE k.ssot_source = s.ssot_source AND k.ssot_key = s.ssot_key)",
					entity->key_table);
}

/*
 * The members of the opened groups, and unlinked records that a token leads to,
 * but for what is gone or was read in a round before: a union, because an OR would
 * scan the whole table.
 */
static char *
members_sql(const SsotEntity *entity)
{
	const char *tokens = tokens_sql(entity);
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
	if (linker->nled_to > 0)
		put_names(linker, linker->led_to, &relations[0]);

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
 * Records with a golden id are closed under tokens; what has none (creates =>
 * false) hangs together by tokens alone, so these are followed until they lead to
 * nothing new. A later call goes on where the last one ended.
 */
void
ssot_linker_reach(Linker *linker)
{
	do
	{
		int64		next = linker->ntokens;

		CHECK_FOR_INTERRUPTS();
		read_round(linker, linker->followed, linker->followed > 0);
		tuplestore_clear(linker->groups);
		linker->ngroups = 0;
		tuplestore_clear(linker->led_to);
		linker->nled_to = 0;
		add_found_to_seen(linker);
		linker->followed = next;
	} while (linker->ntokens > linker->followed);
}

/* Every stored record takes part. */
void
ssot_linker_reach_everything(Linker *linker)
{
	const SsotEntity *entity = linker->entity;
	SsotRelation relation = {"ssot_gone", linker->ingest->gone_desc,
	linker->ingest->gone, linker->ingest->ngone};
	SsotStatement statement = {.nrelations = 1,.relations = &relation};

	statement.sql = ssot_sql("SELECT s.ssot_source, s.ssot_key, s.%I, %s FROM %T AS s"
							 " WHERE s.ssot_copy <= 0"
							 " AND NOT EXISTS (SELECT FROM ssot_gone AS x"
							 " WHERE x.ssot_source = s.ssot_source AND x.ssot_key = s.ssot_key)"
							 " ORDER BY 1, 2",
							 entity->id_column, tokens_sql(entity), entity->source_table);
	ssot_statement_each(&statement, take_member, linker);
	add_found_to_seen(linker);
	linker->followed = linker->ntokens;
	ssot_linker_reach(linker);
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
void
ssot_linker_reopen_held(Linker *linker, const Datum *ids, int nids)
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
