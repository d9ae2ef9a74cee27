/*
 * dictionary/explain_step.c
 *		What entities gain when the rows that a number is computed on are exchanged.
 *
 * Definition and timing turn without any pair being made: the same side's rows are
 * counted by another definition, or as they were at another time. So an entity's
 * share is a sum over its rows before and one over its rows after; those whose sums
 * differ are behind the cause. (Where timing and quality turn together, the rows after
 * are the other side's.)
 *
 *		SELECT u.entity, u.record, ..., sum(u.v)
 *		FROM (SELECT p.gid AS entity, <name, where there is none> AS record, -x.v AS v, 0 AS half
 *		      FROM (<rows before>) AS p, LATERAL (<share>) AS x WHERE p.answers AND x.v <> 0
 *		      UNION ALL <the rows after, with x.v and 1>) AS u
 *		GROUP BY u.entity, u.record
 *		HAVING sum(u.v) <> 0
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/explain.h"

/* The rows before or after; both in one list of relations. */
typedef struct Halves
{
	const SsotStep *step;
	SsotPairRows *rows[2];
	SsotPairRows joint;			/* only its relations */
	bool		apart;			/* of two entities: none is in both halves */
} Halves;

static void
open_halves(Halves *halves, const SsotStep *step)
{
	halves->step = step;
	halves->rows[0] = ssot_plain_rows(step->pairing[0]);
	halves->rows[1] = step->pairing[1] == step->pairing[0] ? halves->rows[0] :
		ssot_plain_rows(step->pairing[1]);
	halves->apart = halves->rows[0]->entity->relid != halves->rows[1]->entity->relid;
}

static char *
half_sql(Halves *halves, int half)
{
	const SsotStep *step = halves->step;
	SsotPairRows *rows = halves->rows[half];
	const char *entity = step->by_key ? "p.id" : "p.gid";
	char	   *all = ssot_side_rows(rows, step->side[half]);
	char	   *name = ssot_record_label(rows, step->side[half], "p.key");

	return ssot_sql("SELECT %s%s AS entity, CASE WHEN %s IS NULL THEN coalesce((%s)[1], p.gid::pg_catalog.text) END AS record,"
					" p.gid::pg_catalog.text AS gid, %s AS pair, (%s)[1] AS name, %sx.v AS v, %d AS half\n"
					"FROM (%s) AS p,\n%s\nWHERE p.answers AND x.v <> 0%s",
					entity, halves->apart ? "::pg_catalog.text" : "", entity, name,
					rows->pairing->key == NULL ? "NULL::pg_catalog.text" : "p.id::pg_catalog.text",
					name, half == 0 ? "-" : "", half, all, ssot_own_share(rows, "x"),
					step->settled ? " AND p.gid IS NOT NULL" : "");
}

static char *
grouped_sql(Halves *halves, const char *list)
{
	char	   *before = half_sql(halves, 0);
	char	   *after = half_sql(halves, 1);

	halves->joint.relations = halves->rows[0]->relations;
	if (halves->rows[1] != halves->rows[0])
		halves->joint.relations = list_concat(list_copy(halves->joint.relations), halves->rows[1]->relations);
	return ssot_sql("SELECT %s\nFROM (%s\nUNION ALL\n%s) AS u\n"
					"GROUP BY u.entity, u.record%s\nHAVING pg_catalog.sum(u.v) <> 0",
					list, before, after, halves->apart ? ", u.half" : "");
}

int64
ssot_step_count(const SsotStep *step)
{
	Halves		halves = {0};
	char	   *sql;
	Datum		value;
	bool		isnull;

	open_halves(&halves, step);
	sql = ssot_sql("SELECT pg_catalog.count(*)\nFROM (%s) AS e", grouped_sql(&halves, ""));
	ssot_pair_query(&halves.joint, sql, 1, &value, &isnull);
	ssot_relations_end(halves.joint.relations);
	return DatumGetInt64(value);
}

/*
 * Each entity: gid, pair, record, names, those before and those after, share before and
 * after, what it gains.
 */
void
ssot_step_each(const SsotStep *step, SsotRowCallback callback, void *arg)
{
	Halves		halves = {0};
	char	   *sql;

	open_halves(&halves, step);
	sql = grouped_sql(&halves,
					  "CASE WHEN pg_catalog.min(u.gid) = pg_catalog.max(u.gid) THEN pg_catalog.max(u.gid) END,"
					  " pg_catalog.max(u.pair), u.record,"
					  " pg_catalog.array_agg(DISTINCT u.name) FILTER (WHERE u.name IS NOT NULL),"
					  " pg_catalog.array_agg(DISTINCT u.name) FILTER (WHERE u.half = 0 AND u.name IS NOT NULL),"
					  " pg_catalog.array_agg(DISTINCT u.name) FILTER (WHERE u.half = 1 AND u.name IS NOT NULL),"
					  " coalesce(-pg_catalog.sum(u.v) FILTER (WHERE u.half = 0), 0),"
					  " coalesce(pg_catalog.sum(u.v) FILTER (WHERE u.half = 1), 0), pg_catalog.sum(u.v)");
	ssot_pair_each(&halves.joint, sql, callback, arg);
	ssot_relations_end(halves.joint.relations);
}
