/*
 * golden/match_lookup.c
 *		Stored units that share a key with those at hand.
 *
 * A key that more than SSOT_LOOKUP_BLOCK units have is crowded and brings nobody
 * together. How many will have it when the run has ended is known beforehand:
 *
 *		after	the units at hand that have it, and the stored units that have it and
 *				of whose records none is at hand or gone
 *		before	the stored units that have it
 *
 * Where the one is crowded and the other is not, pairs of units that did not change
 * are compared for the first time or no longer; so all of them, which are
 * SSOT_LOOKUP_BLOCK at most, are read, as if they had changed. That makes the outcome
 * depend on what is there and not on the way that led to it.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "golden/match_lookup.h"
#include "identity/large.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

/* (unit, key, fresh) of the units at hand. */
static SsotRelation
keys_at_hand(const SsotUnits *units, const SsotMatchRules *rules, SsotStoredModel *model)
{
	TupleDesc	desc = CreateTemplateTupleDesc(3);
	SsotRelation relation = {"ssot_keys", desc, tuplestore_begin_heap(true, false, work_mem), 0};
	SsotMatchSet *set = ssot_match_set(rules, model, units->n, units->texts, NULL, NULL);

	TupleDescInitEntry(desc, 1, "unit", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "key", INT8OID, -1, 0);
	TupleDescInitEntry(desc, 3, "fresh", BOOLOID, -1, 0);
	for (int u = 0; u < units->n; u++)
	{
		int64		keys[SSOT_MATCH_KEYS];
		int			nkeys = ssot_match_keys(set, u, keys);

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < nkeys; k++)
		{
			Datum		values[3] = {Int32GetDatum(u), Int64GetDatum(keys[k]), BoolGetDatum(units->fresh[u])};
			bool		nulls[3] = {false, false, false};

			tuplestore_putvalues(relation.rows, desc, values, nulls);
		}
		relation.count += nkeys;
	}
	ssot_match_set_free(set);
	return relation;
}

/* (ssot_source, ssot_key) of the records at hand, and of those that are gone. */
static SsotRelation
records_at_hand(const Linker *linker)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	SsotRelation relation = {"ssot_hand", desc, tuplestore_begin_heap(true, false, work_mem), 0};
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext, "ssot record", ALLOCSET_SMALL_SIZES);
	TupleTableSlot *slot;

	TupleDescInitEntry(desc, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 2, C_COLLATION_OID);
	for (int i = 0; i < linker->out->nnodes; i++)
	{
		const SsotNode *node = &linker->out->nodes[i];
		MemoryContext old = MemoryContextSwitchTo(row);
		Datum		values[2] = {Int32GetDatum(linker->entity->sources[node->source].source_id)};
		bool		nulls[2] = {false, false};

		CHECK_FOR_INTERRUPTS();
		if (node->active)
		{
			values[1] = CStringGetTextDatum(node->key);
			tuplestore_putvalues(relation.rows, desc, values, nulls);
			relation.count++;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(row);
	}
	MemoryContextDelete(row);
	slot = MakeSingleTupleTableSlot(linker->ingest->gone_desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(linker->ingest->gone);
	while (tuplestore_gettupleslot(linker->ingest->gone, true, false, slot))
	{
		slot_getallattrs(slot);
		tuplestore_putvalues(relation.rows, desc, slot->tts_values, slot->tts_isnull);
		relation.count++;
	}
	ExecDropSingleTupleTableSlot(slot);
	return relation;
}

/* ---- what comes back ------------------------------------------------------- */

typedef struct CandidateReader
{
	Linker	   *linker;
	SsotUnits  *units;
	const SsotMatchRules *rules;
	SsotCrowded *crowded;
	List	   *candidates;
} CandidateReader;

static void
note_crowded(SsotCrowded *crowded, uint64 key)
{
	if (crowded->n == crowded->capacity)
	{
		crowded->capacity = Max(64, crowded->capacity * 2);
		if (crowded->keys == NULL)
			crowded->keys = palloc(sizeof(uint64) * crowded->capacity);
		else
			crowded->keys = repalloc_huge(crowded->keys, sizeof(uint64) * crowded->capacity);
	}
	crowded->keys[crowded->n++] = key;
}

static int
compare_keys(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

const uint64 *
ssot_crowded_keys(SsotCrowded *crowded)
{
	if (crowded->n > 1)
		qsort(crowded->keys, crowded->n, sizeof(uint64), compare_keys);
	return crowded->keys;
}

/* The systems of which a stored unit has records, a bit each. */
static uint64
systems_of(const SsotEntity *entity, Datum sources)
{
	Datum	   *elements;
	int			n;
	uint64		systems = 0;

	deconstruct_array(DatumGetArrayTypeP(sources), INT4OID, sizeof(int32), true, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		int			source = ssot_entity_source_id(entity, DatumGetInt32(elements[i]));

		if (source >= 0)
			systems |= ssot_system_bit(entity, source);
	}
	return systems;
}

/* (crowded key or NULL, unit or NULL, ssot_source, ssot_key, texts, sources, golden id
 * or NULL) */
static bool
take_candidate(TupleTableSlot *slot, void *arg)
{
	CandidateReader *reader = (CandidateReader *) arg;
	const SsotEntity *entity = reader->linker->entity;
	SsotFoundUnit *candidate;
	int			source;
	int			unit;

	slot_getallattrs(slot);
	if (!slot->tts_isnull[0])
		note_crowded(reader->crowded, (uint64) DatumGetInt64(slot->tts_values[0]));
	if (slot->tts_isnull[1])
		return true;
	source = ssot_entity_source_id(entity, DatumGetInt32(slot->tts_values[2]));
	if (source < 0)
		return true;
	unit = DatumGetInt32(slot->tts_values[1]);
	if (reader->rules->one_per_system && unit >= 0 &&
		(reader->units->systems[unit] & systems_of(entity, slot->tts_values[5])) != 0)
		return true;			/* never compared */
	candidate = palloc0(sizeof(SsotFoundUnit));
	candidate->unit = unit;
	candidate->source = source;
	candidate->key = TextDatumGetCString(slot->tts_values[3]);
	candidate->texts = ssot_match_texts(slot->tts_values[4], reader->rules->ncompared);
	candidate->has_id = !slot->tts_isnull[6];
	if (candidate->has_id)
		candidate->id = datumCopy(slot->tts_values[6], entity->id_typbyval, entity->id_typlen);
	reader->candidates = lappend(reader->candidates, candidate);
	return true;
}

/*
 * WITH mine AS (keys of units at hand: key, n, fresh),
 *      theirs AS (keys that the same records had: key, n),
 *      asked AS (those of fresh units, and those that more or fewer units have)
 * SELECT DISTINCT <the key, if it is crowded>, <a fresh unit with the key; -1 if the
 *        key turned>, m.ssot_source, m.ssot_key, m.texts, m.sources, s.customer_id
 *   FROM asked AS a
 *  CROSS JOIN LATERAL (101 stored units with the key, and as many as are at hand) AS m
 *   LEFT JOIN golden_ssot.customer_source AS s ON <the unit's first record>
 *   LEFT JOIN ssot_keys AS f ON f.key = a.key AND f.fresh
 */
List *
ssot_look_up(Linker *linker, SsotUnits *units, const SsotMatchRules *rules, SsotStoredModel *model,
			 SsotCrowded *crowded)
{
	const SsotEntity *entity = linker->entity;
	CandidateReader reader = {linker, units, rules, crowded, NIL};
	SsotRelation relations[2] = {keys_at_hand(units, rules, model), records_at_hand(linker)};
	SsotStatement statement = {.nrelations = 2,.relations = relations};

	statement.sql = ssot_sql("WITH mine AS (SELECT k.key, pg_catalog.count(*) AS n, pg_catalog.bool_or(k.fresh) AS fresh"
							 " FROM ssot_keys AS k GROUP BY k.key),"
							 " theirs AS (SELECT k.key, pg_catalog.count(*) AS n FROM ssot_hand AS h"
							 " JOIN %T AS c ON c.ssot_key = h.ssot_key AND c.ssot_source = h.ssot_source"
							 " CROSS JOIN LATERAL pg_catalog.unnest(c.keys) AS k (key) GROUP BY k.key),"
							 " asked AS (SELECT coalesce(o.key, t.key) AS key, coalesce(o.n, 0) AS mine,"
							 " coalesce(t.n, 0) AS theirs"
							 " FROM mine AS o FULL JOIN theirs AS t ON t.key = o.key"
							 " WHERE o.fresh OR o.n IS DISTINCT FROM t.n)"
							 " SELECT DISTINCT CASE WHEN m.after > %d THEN m.key END,"
							 " CASE WHEN s.ssot_key IS NULL OR m.at_hand THEN NULL"
							 " WHEN (m.before > %d) <> (m.after > %d) THEN -1"
							 " WHEN m.after <= %d THEN f.unit END AS unit,"
							 " m.ssot_source, m.ssot_key, m.texts, m.sources, s.%I"
							 " FROM (SELECT a.key, b.*, a.mine + pg_catalog.count(*) FILTER (WHERE NOT b.at_hand)"
							 " OVER every AS after, pg_catalog.count(*) OVER every AS before,"
							 " pg_catalog.row_number() OVER every AS no"
							 " FROM asked AS a"
							 " CROSS JOIN LATERAL (SELECT c.ssot_source, c.ssot_key, c.texts, c.sources,"
							 " (c.ssot_source, c.ssot_key) IN (SELECT h.ssot_source, h.ssot_key FROM ssot_hand AS h) AS at_hand"
							 " FROM %T AS c WHERE c.keys OPERATOR(pg_catalog.@>) ARRAY[a.key] LIMIT %d + a.theirs) AS b"
							 " WINDOW every AS (PARTITION BY a.key)) AS m"
							 " LEFT JOIN %T AS s ON s.ssot_key = m.ssot_key"
							 " AND s.ssot_source = m.ssot_source AND s.ssot_copy <= 0"
							 " LEFT JOIN ssot_keys AS f ON f.key = m.key AND f.fresh AND m.after <= %d AND m.before <= %d"
							 " WHERE m.after <= %d AND NOT m.at_hand OR m.before <= %d AND NOT m.at_hand"
							 " OR m.after > %d AND m.no = 1",
							 entity->match_table, SSOT_LOOKUP_BLOCK, SSOT_LOOKUP_BLOCK, SSOT_LOOKUP_BLOCK,
							 SSOT_LOOKUP_BLOCK, entity->id_column, entity->match_table, SSOT_LOOKUP_BLOCK + 1,
							 entity->source_table, SSOT_LOOKUP_BLOCK, SSOT_LOOKUP_BLOCK,
							 SSOT_LOOKUP_BLOCK, SSOT_LOOKUP_BLOCK, SSOT_LOOKUP_BLOCK);
	ssot_statement_each(&statement, take_candidate, &reader);
	tuplestore_end(relations[0].rows);
	tuplestore_end(relations[1].rows);
	return reader.candidates;
}
