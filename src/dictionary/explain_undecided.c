/*
 * dictionary/explain_undecided.c
 *		Records that may be one thing and wait for a person.
 *
 * Two golden records, one of which only the left holds and the other only the
 * right, may be one: their records are an open review pair (ssot.match_pair). What
 * each side seems to lack then is not missing, it is undecided; the two net into
 * one cause. ssot_undecided holds the ids of such pairs, each with the other's record.
 *
 *		WITH l AS (<ids of the left>), r AS (<ids of the right>),
 *		named AS (SELECT s.system || ':' || k.ssot_key AS record, k.deal_id AS id
 *		          FROM golden_ssot.deal_source AS k JOIN ssot.source AS s ... )
 *		SELECT DISTINCT x.id, x.other
 *		FROM ssot_pairs AS p JOIN named AS a ON a.record = p.record_a
 *		JOIN named AS b ON b.record = p.record_b,
 *		     LATERAL (VALUES (a.id, b.record), (b.id, a.record)) AS x (id, other)
 *		WHERE <a only in the left and b only in the right, or the other way round>
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/explain.h"
#include "entity/config.h"

#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

static SsotQuery open_pairs = {
	.sql =
	"SELECT p.record_a, p.record_b\n"
	"FROM ssot.match_pair AS p\n"
	"WHERE p.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.read_only = true
};

static bool
keep_row(TupleTableSlot *slot, void *arg)
{
	SsotRelation *relation = (SsotRelation *) arg;

	tuplestore_puttupleslot(relation->rows, slot);
	relation->count++;
	return true;
}

static SsotRelation *
read_pairs(const SsotEntity *entity)
{
	SsotRelation *pairs = palloc0(sizeof(SsotRelation));
	Datum		arg = CStringGetTextDatum(entity->name);

	pairs->name = "ssot_pairs";
	pairs->desc = CreateTemplateTupleDesc(2);
	TupleDescInitEntry(pairs->desc, 1, "record_a", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(pairs->desc, 1, C_COLLATION_OID);
	TupleDescInitEntry(pairs->desc, 2, "record_b", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(pairs->desc, 2, C_COLLATION_OID);
	pairs->rows = tuplestore_begin_heap(false, false, work_mem);
	ssot_config_each(&open_pairs, &arg, NULL, keep_row, pairs);
	return pairs;
}

/* "l" holds a and not b, "r" holds b and not a. */
static char *
apart(const char *l, const char *r)
{
	return ssot_sql("EXISTS (SELECT FROM %s AS h WHERE h.id = a.id) AND NOT EXISTS (SELECT FROM %s AS h WHERE h.id = b.id)"
					" AND EXISTS (SELECT FROM %s AS h WHERE h.id = b.id) AND NOT EXISTS (SELECT FROM %s AS h WHERE h.id = a.id)",
					l, l, r, r);
}

static char *
undecided_sql(SsotPairRows *rows)
{
	const SsotEntity *entity = rows->entity;

	return ssot_sql("WITH l AS MATERIALIZED (%s),\nr AS MATERIALIZED (%s),\n"
					"named AS (SELECT s.system || ':' || k.ssot_key AS record, k.%I AS id\n"
					" FROM %T AS k JOIN ssot.source AS s ON s.source_id = k.ssot_source\n"
					" WHERE k.ssot_copy = 0 AND k.%I IS NOT NULL)\n"
					"SELECT DISTINCT x.id, x.other\n"
					"FROM ssot_pairs AS p JOIN named AS a ON a.record = p.record_a\n"
					"JOIN named AS b ON b.record = p.record_b,\n"
					" LATERAL (VALUES (a.id, b.record), (b.id, a.record)) AS x (id, other)\n"
					"WHERE (%s) OR (%s)",
					ssot_side_ids(rows, 0), ssot_side_ids(rows, 1), entity->id_column,
					entity->source_table, entity->id_column, apart("l", "r"), apart("r", "l"));
}

void
ssot_find_undecided(SsotPairRows *rows)
{
	SsotRelation *pairs = read_pairs(rows->entity);
	SsotRelation *undecided;
	SsotStatement statement = {.read_only = true};
	SsotRelation *relations;
	int			n;

	if (pairs->count == 0)
	{
		tuplestore_end(pairs->rows);
		return;
	}
	undecided = palloc0(sizeof(SsotRelation));
	undecided->name = "ssot_undecided";
	undecided->desc = CreateTemplateTupleDesc(2);
	TupleDescInitEntry(undecided->desc, 1, "id", rows->entity->id_type, -1, 0);
	TupleDescInitEntry(undecided->desc, 2, "other", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(undecided->desc, 2, C_COLLATION_OID);
	undecided->rows = tuplestore_begin_heap(false, false, work_mem);
	statement.sql = undecided_sql(rows);
	n = list_length(rows->relations);
	relations = palloc0(sizeof(SsotRelation) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		relations[i] = *(SsotRelation *) list_nth(rows->relations, i);
		tuplestore_rescan(relations[i].rows);
	}
	relations[n] = *pairs;
	statement.nrelations = n + 1;
	statement.relations = relations;
	ssot_statement_each(&statement, keep_row, undecided);
	tuplestore_end(pairs->rows);
	if (undecided->count == 0)
	{
		tuplestore_end(undecided->rows);
		return;
	}
	rows->undecided = undecided;
	rows->relations = lappend(rows->relations, undecided);
}
