/*
 * golden/match_keep.c
 *		What matching leaves: units with their keys, pairs that wait for a person,
 *		a model that was learnt.
 *
 * The rows of units that took part are replaced where they differ; a run that
 * matched everything replaces all. The index on keys is then built anew, which
 * takes a fraction of the time of filling it row by row.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/ddl.h"
#include "golden/decision.h"
#include "golden/match_model.h"
#include "golden/matcher.h"
#include "identity/large.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* From so many units on, the index on keys is built anew. */
#define REBUILD_UNITS	10000

/* ---- gathering ------------------------------------------------------------- */

static SsotRelation
new_relation(const char *name, TupleDesc desc)
{
	SsotRelation relation = {name, desc, tuplestore_begin_heap(true, false, work_mem), 0};

	return relation;
}

/* The records of each unit as a chain of places in "order": last[unit], and from
 * each the one before it, or -1. */
static void
chain_units(const SsotUnits *units, int *last, int *before)
{
	for (int u = 0; u < units->n; u++)
		last[u] = -1;
	for (int i = 0; i < units->norder; i++)
	{
		int			unit = units->of[units->order[i]];

		before[i] = last[unit];
		last[unit] = i;
	}
}

/* int4[]: the sources of the records of a chain. */
static Datum
sources_of(const Linker *linker, const SsotUnits *units, int last, const int *before)
{
	int			nsources = linker->entity->nsources;
	bool	   *has = palloc0(sizeof(bool) * nsources);
	Datum	   *elements = palloc(sizeof(Datum) * nsources);
	int			n = 0;

	for (int i = last; i >= 0; i = before[i])
		has[linker->out->nodes[units->order[i]].source] = true;
	for (int s = 0; s < nsources; s++)
		if (has[s])
			elements[n++] = Int32GetDatum(linker->entity->sources[s].source_id);
	return PointerGetDatum(construct_array(elements, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

static void
put_units(const Linker *linker, const SsotUnits *units, SsotMatchSet *set, int ncompared, SsotMatched *out)
{
	TupleDesc	desc = CreateTemplateTupleDesc(5);
	int		   *last = SSOT_LARGE(int, units->n);
	int		   *before = SSOT_LARGE(int, units->norder);
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext, "ssot unit", ALLOCSET_DEFAULT_SIZES);

	TupleDescInitEntry(desc, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 2, C_COLLATION_OID);
	TupleDescInitEntry(desc, 3, "texts", TEXTARRAYOID, -1, 0);
	TupleDescInitEntry(desc, 4, "keys", INT8ARRAYOID, -1, 0);
	TupleDescInitEntry(desc, 5, "sources", INT4ARRAYOID, -1, 0);
	out->units = new_relation("ssot_units", desc);
	chain_units(units, last, before);
	for (int u = 0; set != NULL && u < units->n; u++)
	{
		MemoryContext old = MemoryContextSwitchTo(row);
		const SsotNode *node = &linker->out->nodes[units->first[u]];
		int64		keys[SSOT_MATCH_KEYS];
		int			nkeys = ssot_match_keys(set, u, keys);
		Datum	   *elements = palloc(sizeof(Datum) * Max(nkeys, 1));
		Datum		values[5];
		bool		nulls[5] = {false, false, false, false, false};

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < nkeys; k++)
			elements[k] = Int64GetDatum(keys[k]);
		values[0] = Int32GetDatum(linker->entity->sources[node->source].source_id);
		values[1] = CStringGetTextDatum(node->key);
		values[2] = ssot_match_texts_array(units->texts + (Size) u * ncompared, ncompared);
		values[3] = PointerGetDatum(construct_array(elements, nkeys, INT8OID, 8, FLOAT8PASSBYVAL,
													TYPALIGN_DOUBLE));
		values[4] = sources_of(linker, units, last[u], before);
		tuplestore_putvalues(out->units.rows, desc, values, nulls);
		out->units.count++;
		MemoryContextSwitchTo(old);
		MemoryContextReset(row);
	}
	MemoryContextDelete(row);
	ssot_large_free(last);
	ssot_large_free(before);
}

/* Records that took part, and those that are gone. */
static void
put_active(const Linker *linker, SsotMatched *out)
{
	TupleDesc	desc = CreateTemplateTupleDesc(3);
	TupleTableSlot *slot;

	TupleDescInitEntry(desc, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 3, "name", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 2, C_COLLATION_OID);
	TupleDescInitEntryCollation(desc, 3, C_COLLATION_OID);
	out->active = new_relation("ssot_active", desc);
	if (out->everything)
		return;
	for (int i = 0; i < linker->out->nnodes; i++)
	{
		const SsotNode *node = &linker->out->nodes[i];
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		if (!node->active)
			continue;
		values[0] = Int32GetDatum(linker->entity->sources[node->source].source_id);
		values[1] = CStringGetTextDatum(node->key);
		values[2] = CStringGetTextDatum(ssot_record_name(linker->entity, node->source, node->key));
		tuplestore_putvalues(out->active.rows, desc, values, nulls);
		out->active.count++;
	}
	slot = MakeSingleTupleTableSlot(linker->ingest->gone_desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(linker->ingest->gone);
	while (tuplestore_gettupleslot(linker->ingest->gone, true, false, slot))
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};
		int			source;

		slot_getallattrs(slot);
		source = ssot_entity_source_id(linker->entity, DatumGetInt32(slot->tts_values[0]));
		values[0] = slot->tts_values[0];
		values[1] = slot->tts_values[1];
		values[2] = CStringGetTextDatum(ssot_record_name(linker->entity, source,
														 TextDatumGetCString(slot->tts_values[1])));
		tuplestore_putvalues(out->active.rows, desc, values, nulls);
		out->active.count++;
	}
	ExecDropSingleTupleTableSlot(slot);
}

static void
put_waiting(const Linker *linker, const SsotUnits *units, List *waiting_pairs, SsotMatched *out)
{
	TupleDesc	desc = CreateTemplateTupleDesc(5);
	ListCell   *cell;

	TupleDescInitEntry(desc, 1, "record_a", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 2, "record_b", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 1, C_COLLATION_OID);
	TupleDescInitEntryCollation(desc, 2, C_COLLATION_OID);
	TupleDescInitEntry(desc, 3, "weight", FLOAT8OID, -1, 0);
	TupleDescInitEntry(desc, 4, "reason", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 5, "levels", JSONBOID, -1, 0);
	out->waiting = new_relation("ssot_waiting", desc);
	foreach(cell, waiting_pairs)
	{
		const SsotWaiting *waiting = (const SsotWaiting *) lfirst(cell);
		bool		in_order = strcmp(waiting->a, waiting->b) < 0;
		Datum		values[5];
		bool		nulls[5] = {false, false, false, false, false};

		/* what was read after all was weighed again with everything else */
		if (waiting->b_source >= 0 &&
			ssot_units_of_record(linker, units, waiting->b_source, waiting->b_key) >= 0)
			continue;
		values[0] = CStringGetTextDatum(in_order ? waiting->a : waiting->b);
		values[1] = CStringGetTextDatum(in_order ? waiting->b : waiting->a);
		values[2] = Float8GetDatum(waiting->weight);
		values[3] = CStringGetTextDatum(waiting->refused ? "refused" : "undecided");
		values[4] = waiting->levels;
		tuplestore_putvalues(out->waiting.rows, desc, values, nulls);
		out->waiting.count++;
	}
}

void
ssot_matched_gather(const Linker *linker, const SsotUnits *units, SsotMatchSet *set,
					int ncompared, List *waiting, SsotMatched *out)
{
	put_units(linker, units, set, ncompared, out);
	put_active(linker, out);
	put_waiting(linker, units, waiting, out);
}

/* ---- writing ------------------------------------------------------------- */

SsotMatchRules *
ssot_matching_in_force(const SsotEntity *entity)
{
	SsotMatchRules *rules = ssot_matching_load(entity);
	SsotStatement statement = {.sql = ssot_sql("SELECT true FROM %T LIMIT 1", entity->match_table)};
	Datum		value;
	bool		isnull;

	if (rules == NULL && ssot_statement_one(&statement, 1, &value, &isnull))
		rules = palloc0(sizeof(SsotMatchRules));
	return rules;
}

bool
ssot_matching_pending(const SsotEntity *entity)
{
	SsotMatchRules *rules = ssot_matching_in_force(entity);

	return rules != NULL && !rules->applied;
}

static void
run(const SsotEntity *entity, const SsotMatched *matched, const char *sql)
{
	SsotRelation relations[] = {matched->units, matched->active};
	SsotStatement statement = {.sql = sql,.nrelations = lengthof(relations),.relations = relations};

	ssot_statement_run(&statement);
}

static bool
take_index(TupleTableSlot *slot, void *arg)
{
	char	  **definition = (char **) arg;

	slot_getallattrs(slot);
	definition[0] = TextDatumGetCString(slot->tts_values[0]);
	definition[1] = TextDatumGetCString(slot->tts_values[1]);
	return false;
}

/* The index on keys: its name and definition; or NULLs. */
static void
find_key_index(const SsotEntity *entity, char **definition)
{
	ssot_sql_each(ssot_sql("SELECT i.indexrelid::pg_catalog.regclass::pg_catalog.text,"
						   " pg_catalog.pg_get_indexdef(i.indexrelid)"
						   " FROM pg_catalog.pg_index AS i"
						   " JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid"
						   " JOIN pg_catalog.pg_am AS a ON a.oid = c.relam"
						   " WHERE i.indrelid = %L::pg_catalog.regclass AND a.amname = 'gin'",
						   entity->match_table),
				  take_index, definition);
}

static void
replace_all(const SsotEntity *entity, const SsotMatched *matched)
{
	char	   *index[2] = {NULL, NULL};

	if (matched->units.count >= REBUILD_UNITS)
		find_key_index(entity, index);
	ssot_own_ddl_begin();
	PG_TRY();
	{
		if (index[0] != NULL)
			ssot_sql_run(ssot_sql("DROP INDEX %T", index[0]));
		ssot_sql_run(ssot_sql("DELETE FROM %T", entity->match_table));
		run(entity, matched, ssot_sql("INSERT INTO %T (ssot_source, ssot_key, texts, keys, sources)"
									  " SELECT u.ssot_source, u.ssot_key, u.texts, u.keys, u.sources"
									  " FROM ssot_units AS u", entity->match_table));
		if (index[1] != NULL)
			ssot_sql_run(index[1]);
	}
	PG_FINALLY();
	{
		ssot_own_ddl_end();
	}
	PG_END_TRY();
}

static void
replace_active(const SsotEntity *entity, const SsotMatched *matched)
{
	run(entity, matched, ssot_sql("DELETE FROM %T AS m USING ssot_active AS a"
								  " WHERE m.ssot_key = a.ssot_key AND m.ssot_source = a.ssot_source"
								  " AND NOT EXISTS (SELECT FROM ssot_units AS u"
								  " WHERE u.ssot_key = m.ssot_key AND u.ssot_source = m.ssot_source)",
								  entity->match_table));
	run(entity, matched, ssot_sql("INSERT INTO %T AS m (ssot_source, ssot_key, texts, keys, sources)"
								  " SELECT u.ssot_source, u.ssot_key, u.texts, u.keys, u.sources"
								  " FROM ssot_units AS u"
								  " ON CONFLICT (ssot_key, ssot_source) DO UPDATE"
								  " SET texts = EXCLUDED.texts, keys = EXCLUDED.keys, sources = EXCLUDED.sources"
								  " WHERE m.texts IS DISTINCT FROM EXCLUDED.texts"
								  " OR m.keys IS DISTINCT FROM EXCLUDED.keys"
								  " OR m.sources IS DISTINCT FROM EXCLUDED.sources",
								  entity->match_table));
}

static void
write_waiting(const SsotEntity *entity, const SsotMatched *matched, TimestampTz t)
{
	static const Oid argtypes[] = {TEXTOID, TIMESTAMPTZOID};
	Datum		args[] = {CStringGetTextDatum(entity->name), TimestampTzGetDatum(t)};
	SsotRelation relations[] = {matched->waiting, matched->active};
	SsotStatement statement = {
		.nargs = 1,.argtypes = argtypes,.args = args,
		.nrelations = lengthof(relations),.relations = relations
	};
	const char *not_waiting = "AND NOT EXISTS (SELECT FROM ssot_waiting AS w"
	" WHERE w.record_a = p.record_a AND w.record_b = p.record_b)";

	if (matched->everything)
	{
		statement.sql = ssot_sql("DELETE FROM ssot.match_pair AS p WHERE p.entity = $1 %s", not_waiting);
		ssot_statement_run(&statement);
	}
	else
	{
		statement.sql = ssot_sql("DELETE FROM ssot.match_pair AS p USING ssot_active AS a"
								 " WHERE p.entity = $1 AND p.record_a = a.name %s", not_waiting);
		ssot_statement_run(&statement);
		statement.sql = ssot_sql("DELETE FROM ssot.match_pair AS p USING ssot_active AS a"
								 " WHERE p.entity = $1 AND p.record_b = a.name %s", not_waiting);
		ssot_statement_run(&statement);
	}
	statement.nargs = 2;
	statement.sql = "INSERT INTO ssot.match_pair AS p"
		"       (entity, record_a, record_b, weight, reason, levels, first_seen)"
		" SELECT DISTINCT ON (w.record_a, w.record_b)"
		"        $1, w.record_a, w.record_b, w.weight, w.reason, w.levels, $2"
		"   FROM ssot_waiting AS w"
		"  ORDER BY w.record_a, w.record_b, w.weight DESC"
		" ON CONFLICT (entity, record_a, record_b) DO UPDATE"
		"   SET weight = EXCLUDED.weight, reason = EXCLUDED.reason, levels = EXCLUDED.levels"
		" WHERE (p.weight, p.reason, p.levels) IS DISTINCT FROM"
		"       (EXCLUDED.weight, EXCLUDED.reason, EXCLUDED.levels)";
	if (matched->waiting.count > 0)
		ssot_statement_run(&statement);
}

void
ssot_matched_write(const SsotEntity *entity, SsotMatched *matched, TimestampTz t)
{
	SsotUser	user;

	if (matched == NULL)
		return;
	user = ssot_become_owner(entity->relid);
	if (matched->everything)
		replace_all(entity, matched);
	else
		replace_active(entity, matched);
	ssot_restore_user(user);

	user = ssot_become_owner(ssot_companion_oid("ssot.match_pair"));
	write_waiting(entity, matched, t);
	ssot_restore_user(user);
	if (matched->model != NULL)
		ssot_match_model_keep(entity, matched->model, matched->learnt_from, 0);
	if (matched->everything)
		ssot_matching_applied(entity, matched->version);
	tuplestore_end(matched->units.rows);
	tuplestore_end(matched->active.rows);
	tuplestore_end(matched->waiting.rows);
}
