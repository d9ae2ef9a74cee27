/*
 * dictionary/explain_family.c
 *		Entities that one side knows by an ancestor, compared as families.
 *
 * One side may book on the parent what the other books on its children; or a
 * system's records may sit below the entity, several sites to one customer. Such
 * records cannot be paired one by one. The family is compared as one: what moves
 * inside it is hierarchy, its net is quality.
 *
 * A golden record that only one side holds belongs to the family of its nearest
 * ancestor that the other side holds. One that a side holds by records below the
 * entity's level is a family by itself. ssot_family holds (id, root) of them all,
 * the roots included.
 *
 * As the other side's hierarchy places it, a family has as many members as the other
 * side has: an amount is the same, however it is spread over them, and a family that
 * counts at all counts as often as it does there, or once where nothing of it does.
 * So an account that one side counts as three sites differs by hierarchy, whichever
 * side is the left.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/explain.h"
#include "dictionary/metric_spec.h"

#include "access/tupdesc.h"
#include "miscadmin.h"

/* The foreign key from the entity to itself, or NULL. */
static const char *
parent_column(const SsotEntity *entity)
{
	for (int f = 0; f < entity->nfields; f++)
		if (entity->fields[f].references == entity->relid)
			return entity->fields[f].name;
	return NULL;
}

static bool
has_level(const SsotPairRows *rows, int side)
{
	ListCell   *cell;

	if (rows->records[side] == NULL)
		return false;
	foreach(cell, rows->records[side]->sources)
		if (rows->entity->sources[lfirst_int(cell)].level != NULL)
		return true;
	return false;
}

/* The ids that a side holds: (id, level). */
char *
ssot_side_ids(SsotPairRows *rows, int side)
{
	const char *id = rows->entity->id_column;

	if (rows->records[side] == NULL)
		return ssot_sql("SELECT h.id, false AS level FROM (%s) AS h",
						ssot_side_rows(rows, side));
	return ssot_sql("SELECT r.%I AS id, pg_catalog.bool_or(r.ssot_level) AS level\nFROM (%s) AS r\n"
					"WHERE r.%I IS NOT NULL AND r.ssot_state = 0\nGROUP BY r.%I",
					id, ssot_records_rows(rows->records[side], NIL), id, id);
}

/*
 * WITH RECURSIVE
 * l AS MATERIALIZED (<ids of the left>), r AS MATERIALIZED (<ids of the right>),
 * climb (id, at, on_left, steps) AS (
 *     SELECT l.id, g.parent_id, true, 1 FROM l JOIN golden.customer AS g ON g.customer_id = l.id
 *     WHERE NOT EXISTS (SELECT FROM r WHERE r.id = l.id)
 *     UNION ALL <the same for the right>
 *     UNION ALL
 *     SELECT c.id, g.parent_id, c.on_left, c.steps + 1
 *     FROM climb AS c JOIN golden.customer AS g ON g.customer_id = c.at
 *     WHERE <the other side does not hold c.at> AND c.steps < 100),
 * step AS (SELECT c.id, c.at AS root FROM climb AS c WHERE <the other side holds c.at>),
 * up (id, root, steps) AS (
 *     SELECT s.id, s.root, 1 FROM step AS s
 *     UNION ALL SELECT u.id, s.root, u.steps + 1 FROM up AS u JOIN step AS s ON s.id = u.root
 *     WHERE u.steps < 100)
 * SELECT DISTINCT ON (f.id) f.id, f.root
 * FROM (SELECT u.id, u.root, u.steps FROM up AS u
 *       UNION ALL SELECT u.root, u.root, 0 FROM up AS u
 *       UNION ALL SELECT x.id, x.id, 0 FROM <ids with records below the level> AS x) AS f
 * ORDER BY f.id, f.steps DESC
 */
static char *
families_sql(SsotPairRows *rows, const char *parent)
{
	const SsotEntity *entity = rows->entity;
	const char *id = entity->id_column;
	char	   *sides = ssot_sql("l AS MATERIALIZED (%s),\nr AS MATERIALIZED (%s)",
								 ssot_side_ids(rows, 0), ssot_side_ids(rows, 1));
	char	   *levels = "SELECT x.id, x.id AS root, 0 AS steps FROM (SELECT * FROM l UNION ALL SELECT * FROM r) AS x WHERE x.level";

	if (parent == NULL)
		return ssot_sql("WITH %s\nSELECT DISTINCT f.id, f.root FROM (%s) AS f", sides, levels);
	return ssot_sql("WITH RECURSIVE %s,\n"
					"climb (id, at, on_left, steps) AS (\n"
					" (SELECT l.id, g.%I, true, 1 FROM l JOIN %T AS g ON g.%I = l.id"
					" WHERE NOT EXISTS (SELECT FROM r WHERE r.id = l.id)\n"
					" UNION ALL SELECT r.id, g.%I, false, 1 FROM r JOIN %T AS g ON g.%I = r.id"
					" WHERE NOT EXISTS (SELECT FROM l WHERE l.id = r.id))\n"
					" UNION ALL SELECT c.id, g.%I, c.on_left, c.steps + 1"
					" FROM climb AS c JOIN %T AS g ON g.%I = c.at WHERE c.steps < 100"
					" AND NOT EXISTS (SELECT FROM r WHERE c.on_left AND r.id = c.at)"
					" AND NOT EXISTS (SELECT FROM l WHERE NOT c.on_left AND l.id = c.at)),\n"
					"step AS (SELECT c.id, c.at AS root FROM climb AS c"
					" WHERE EXISTS (SELECT FROM r WHERE c.on_left AND r.id = c.at)"
					" OR EXISTS (SELECT FROM l WHERE NOT c.on_left AND l.id = c.at)),\n"
					"up (id, root, steps) AS (SELECT s.id, s.root, 1 FROM step AS s\n"
					" UNION ALL SELECT u.id, s.root, u.steps + 1 FROM up AS u JOIN step AS s ON s.id = u.root"
					" WHERE u.steps < 100)\n"
					"SELECT DISTINCT ON (f.id) f.id, f.root\n"
					"FROM (SELECT u.id, u.root, u.steps FROM up AS u\n"
					" UNION ALL SELECT u.root, u.root, 0 FROM up AS u\n"
					" UNION ALL %s) AS f\nORDER BY f.id, f.steps DESC",
					sides, parent, entity->name, id, parent, entity->name, id,
					parent, entity->name, id, levels);
}

static bool
keep_family(TupleTableSlot *slot, void *arg)
{
	SsotRelation *relation = (SsotRelation *) arg;

	tuplestore_puttupleslot(relation->rows, slot);
	relation->count++;
	return true;
}

void
ssot_find_families(SsotPairRows *rows)
{
	const char *parent = parent_column(rows->entity);
	SsotRelation *family;
	SsotStatement statement = {.read_only = true};
	int			nrelations;
	SsotRelation *relations;

	if (parent == NULL && !has_level(rows, 0) && !has_level(rows, 1))
		return;
	family = palloc0(sizeof(SsotRelation));
	family->name = "ssot_family";
	family->desc = CreateTemplateTupleDesc(2);
	TupleDescInitEntry(family->desc, 1, "id", rows->entity->id_type, -1, 0);
	TupleDescInitEntry(family->desc, 2, "root", rows->entity->id_type, -1, 0);
	family->rows = tuplestore_begin_heap(false, false, work_mem);
	statement.sql = families_sql(rows, parent);
	nrelations = list_length(rows->relations);
	relations = palloc0(sizeof(SsotRelation) * Max(nrelations, 1));
	for (int i = 0; i < nrelations; i++)
		relations[i] = *(SsotRelation *) list_nth(rows->relations, i);
	statement.nrelations = nrelations;
	statement.relations = relations;
	ssot_statement_each(&statement, keep_family, family);
	if (family->count == 0)
	{
		tuplestore_end(family->rows);
		return;
	}
	rows->family = family;
	rows->relations = lappend(rows->relations, family);
	rows->pairing->has_hierarchy = true;
}

/*
 * What a side has of each family: (root, v, held)
 *
 * SELECT f.root, sum(x.v) AS v FROM (<rows>) AS p JOIN ssot_family AS f ON f.id = p.id,
 *        LATERAL (<share>) AS x
 * WHERE <in force, can answer> GROUP BY f.root
 */
static char *
side_families(SsotPairRows *rows, int side)
{
	return ssot_sql("SELECT f.root, pg_catalog.sum(x.v) AS v, %s AS records\n"
					"FROM (%s) AS p JOIN ssot_family AS f ON f.id = p.id,\n%s%s\nGROUP BY f.root",
					ssot_record_labels(rows, side, "p.key"), ssot_side_rows(rows, side),
					ssot_own_share(rows, "x"),
					rows->records[side] == NULL ? "" : "\nWHERE p.state = 0 AND p.answers");
}

/*
 * The families: root, records of the left and the right, and what each side has of it:
 * l, r as the side itself counts it; placed_l, placed_r as the other side's hierarchy
 * does. Nobody else's hierarchy places what the other side lacks altogether.
 */
static char *
both_families(SsotPairRows *rows)
{
	bool		counts = rows->pairing->metric->measure->counts;

	return ssot_sql("(SELECT coalesce(l.root, r.root) AS root, l.records AS l_records, r.records AS r_records,"
					" coalesce(l.v, 0) AS l, coalesce(r.v, 0) AS r, %s AS placed_l, %s AS placed_r\n"
					"FROM (%s) AS l\nFULL JOIN (%s) AS r ON r.root = l.root) AS f",
					counts ? "CASE WHEN r.root IS NOT NULL AND l.v > 0 THEN greatest(r.v, 1) ELSE coalesce(l.v, 0) END" : "coalesce(l.v, 0)",
					counts ? "CASE WHEN l.root IS NOT NULL AND r.v > 0 THEN greatest(l.v, 1) ELSE coalesce(r.v, 0) END" : "coalesce(r.v, 0)",
					side_families(rows, 0), side_families(rows, 1));
}

/* The net is taken in each hierarchy: left's, then right's. */
void
ssot_compare_families(SsotPairRows *rows)
{
	SsotPairing *pairing = rows->pairing;
	Datum		values[7];
	bool		nulls[7];

	if (rows->family == NULL)
		return;
	ssot_pair_query(rows,
					ssot_sql("SELECT pg_catalog.sum(f.placed_l - f.l), pg_catalog.sum(f.placed_r - f.r),"
							 " pg_catalog.sum(f.placed_r - f.l), pg_catalog.sum(f.r - f.placed_l),"
							 " pg_catalog.count(*) FILTER (WHERE f.placed_r <> f.l),"
							 " pg_catalog.count(*) FILTER (WHERE f.r <> f.placed_l),"
							 " pg_catalog.count(*)\nFROM %s", both_families(rows)),
					7, values, nulls);
	pairing->moved[0] = ssot_add(pairing->moved[0], nulls[0] ? NULL : DatumGetNumeric(values[0]));
	pairing->moved[1] = ssot_add(pairing->moved[1], nulls[1] ? NULL : DatumGetNumeric(values[1]));
	pairing->family[0] = nulls[2] ? NULL : DatumGetNumeric(values[2]);
	pairing->family[1] = nulls[3] ? NULL : DatumGetNumeric(values[3]);
	pairing->nfamily[0] = DatumGetInt64(values[4]);
	pairing->nfamily[1] = DatumGetInt64(values[5]);
	pairing->nmoved += DatumGetInt64(values[6]);
}

/* The families one by one: root, records, l, r, placed_l, placed_r. */
char *
ssot_families_detail(SsotPairRows *rows)
{
	return ssot_sql("SELECT f.root::pg_catalog.text, f.l_records, f.r_records, f.l, f.r, f.placed_l, f.placed_r\nFROM %s",
					both_families(rows));
}
