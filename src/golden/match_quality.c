/*
 * golden/match_quality.c
 *		ssot.match_quality: how well records are matched, against labelled pairs.
 *
 * The answer is one query over the table of labels; its names make it dynamic.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "entity/matching.h"
#include "golden/relink.h"

#include "access/attnum.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ssot_match_quality);

static bool
has_column(Oid relid, const char *name, Oid type)
{
	AttrNumber	attnum = get_attnum(relid, name);

	return attnum > 0 && getBaseType(get_atttype(relid, attnum)) == type;
}

/*
 * The labels, each with which records it is about, then:
 *
 *		component	records that labels say are one thing, by the smallest of them
 *		member		labelled records and their golden ids
 *		weighed		pairs under the model; without a weight where a record is not there
 *		judged		pairs: what the labels say, and whether they are joined
 *		grouped		labelled records and what they are grouped by: their golden
 *					ids or, at a threshold, the pairs that reach it
 *		scored		the pairs, from the highest weight down
 *
 * With "complete", pairs are all pairs inside components and inside golden
 * records, and what the labels do not join is different. At a threshold it is not
 * asked what is joined but what would be if nothing else than it decided; of pairs
 * that are inside golden records nothing is known then that labels do not tell.
 */
static const char quality[] =
"WITH RECURSIVE label (a, b, is_match) AS ("
" SELECT DISTINCT LEAST(t.record_a::pg_catalog.text COLLATE pg_catalog.\"C\", t.record_b::pg_catalog.text),"
"        GREATEST(t.record_a::pg_catalog.text COLLATE pg_catalog.\"C\", t.record_b::pg_catalog.text), %s"
"   FROM %T AS t WHERE t.record_a IS NOT NULL AND t.record_b IS NOT NULL"
"    AND t.record_a::pg_catalog.text <> t.record_b::pg_catalog.text"
"), edge (a, b) AS ("
" SELECT l.a, l.b FROM label AS l WHERE l.is_match"
" UNION SELECT l.b, l.a FROM label AS l WHERE l.is_match"
" UNION SELECT l.a, l.a FROM label AS l UNION SELECT l.b, l.b FROM label AS l"
"), reach (name, other) AS ("
" SELECT e.a, e.b FROM edge AS e"
" UNION SELECT r.name, e.b FROM reach AS r JOIN edge AS e ON e.a = r.other"
"), component AS MATERIALIZED ("
" SELECT r.name, pg_catalog.min(r.other) AS root FROM reach AS r GROUP BY r.name"
"), member AS MATERIALIZED ("
" SELECT c.name, c.root, pg_catalog.min(s.%I::pg_catalog.text COLLATE pg_catalog.\"C\") AS id"
"   FROM component AS c"
"   LEFT JOIN ssot.source AS y ON y.entity = $1 AND y.system = pg_catalog.split_part(c.name, ':', 1)"
"   LEFT JOIN %T AS s ON s.ssot_source = y.source_id"
"    AND s.ssot_key = pg_catalog.substr(c.name, pg_catalog.strpos(c.name, ':') + 1)"
"  GROUP BY c.name, c.root"
"), pair AS ("
" SELECT l.a, l.b, l.is_match FROM label AS l WHERE NOT $2"
" UNION SELECT x.name, y.name, x.root = y.root FROM member AS x JOIN member AS y ON x.root = y.root AND x.name < y.name WHERE $2"
" UNION SELECT x.name, y.name, x.root = y.root FROM member AS x JOIN member AS y ON x.id = y.id AND x.name < y.name WHERE $2"
" UNION SELECT l.a, l.b, x.root = y.root FROM label AS l JOIN member AS x ON x.name = l.a JOIN member AS y ON y.name = l.b WHERE $2"
"), weighed AS MATERIALIZED ("
" SELECT w.record_a, w.record_b, w.weight, w.probability"
"   FROM ssot.match_weights($3, (SELECT pg_catalog.array_agg(p.a ORDER BY p.a, p.b) FROM pair AS p),"
"                               (SELECT pg_catalog.array_agg(p.b ORDER BY p.a, p.b) FROM pair AS p)) AS w"
"), judged AS MATERIALIZED ("
" SELECT p.a, p.b, p.is_match, w.weight, w.probability,"
"        COALESCE(CASE WHEN $5 IS NULL THEN x.id = y.id ELSE w.probability >= $5 END, false) AS joined"
"   FROM pair AS p JOIN member AS x ON x.name = p.a JOIN member AS y ON y.name = p.b"
"   LEFT JOIN weighed AS w ON w.record_a = p.a AND w.record_b = p.b"
"), tie (a, b) AS ("
" SELECT j.a, j.b FROM judged AS j WHERE j.joined AND $5 IS NOT NULL"
" UNION SELECT j.b, j.a FROM judged AS j WHERE j.joined AND $5 IS NOT NULL"
" UNION SELECT m.name, m.name FROM member AS m WHERE m.id IS NOT NULL AND $5 IS NOT NULL"
"), tied (name, other) AS ("
" SELECT t.a, t.b FROM tie AS t"
" UNION SELECT t.name, u.b FROM tied AS t JOIN tie AS u ON u.a = t.other"
"), grouped (name, id) AS ("
" SELECT m.name, m.id FROM member AS m WHERE $5 IS NULL AND m.id IS NOT NULL"
" UNION ALL SELECT t.name, pg_catalog.min(t.other) FROM tied AS t GROUP BY t.name"
"), scored AS ("
" SELECT j.probability, j.weight,"
"        pg_catalog.count(*) FILTER (WHERE j.is_match) OVER (ORDER BY j.weight DESC) AS hits,"
"        pg_catalog.count(*) OVER (ORDER BY j.weight DESC) AS taken,"
"        (SELECT pg_catalog.count(*) FROM judged AS k WHERE k.is_match) AS matches"
"   FROM judged AS j WHERE j.weight IS NOT NULL"
"), best AS ("
" SELECT s.probability, 2.0 * s.hits / (s.taken + s.matches) AS f1"
"   FROM scored AS s WHERE s.matches > 0 ORDER BY 2 DESC, s.weight LIMIT 1"
"), truth AS ("
" SELECT pg_catalog.array_agg(m.name ORDER BY m.name) AS names FROM member AS m"
"  GROUP BY m.root HAVING pg_catalog.count(*) > 1"
"), found AS ("
" SELECT pg_catalog.array_agg(g.name ORDER BY g.name) AS names FROM grouped AS g"
"  GROUP BY g.id HAVING pg_catalog.count(*) > 1"
"), counted (place, unit, hits, wrong, missed) AS ("
" SELECT 1, 'pair', pg_catalog.count(*) FILTER (WHERE j.is_match AND j.joined),"
"        pg_catalog.count(*) FILTER (WHERE j.joined AND NOT j.is_match),"
"        pg_catalog.count(*) FILTER (WHERE j.is_match AND NOT j.joined) FROM judged AS j"
" UNION ALL"
" SELECT 2, 'cluster', (SELECT pg_catalog.count(*) FROM truth AS t JOIN found AS f ON f.names = t.names),"
"        (SELECT pg_catalog.count(*) FROM found AS f WHERE NOT EXISTS (SELECT FROM truth AS t WHERE t.names = f.names)),"
"        (SELECT pg_catalog.count(*) FROM truth AS t WHERE NOT EXISTS (SELECT FROM found AS f WHERE t.names = f.names))"
")"
" SELECT c.unit, $4, c.hits, c.wrong, c.missed,"
"        c.hits::pg_catalog.float8 / NULLIF(c.hits + c.wrong, 0), c.hits::pg_catalog.float8 / NULLIF(c.hits + c.missed, 0),"
"        2.0::pg_catalog.float8 * c.hits / NULLIF(2 * c.hits + c.wrong + c.missed, 0),"
"        CASE WHEN c.place = 1 THEN (SELECT b.probability FROM best AS b) END,"
"        CASE WHEN c.place = 1 THEN (SELECT b.f1::pg_catalog.float8 FROM best AS b) END"
"   FROM counted AS c ORDER BY c.place";

/*
 * match_quality(entity regclass, truth regclass, complete boolean, threshold float8)
 */
Datum
ssot_match_quality(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {TEXTOID, BOOLOID, REGCLASSOID, FLOAT8OID, FLOAT8OID};
	SsotEntity *entity;
	Oid			truth;
	SsotMatchRules *rules;
	Datum		args[5];
	bool		nulls[5] = {false};
	SsotStatement statement = {.nargs = 5,.argtypes = types,.args = args,.nulls = nulls,.read_only = true};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	entity = ssot_entity_load(PG_GETARG_OID(0), false);
	truth = PG_GETARG_OID(1);
	rules = ssot_matching_load(entity);
	nulls[4] = PG_ARGISNULL(3);
	args[4] = nulls[4] ? (Datum) 0 : PG_GETARG_DATUM(3);
	if (!nulls[4] && !(DatumGetFloat8(args[4]) > 0 && DatumGetFloat8(args[4]) <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("threshold must be a probability above 0, but is %g", DatumGetFloat8(args[4]))));
	ssot_require_relation(truth);
	if (rules == NULL || rules->model_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the records of \"%s\" were not matched yet", entity->name),
				 errhint("Call ssot.set_matching, then ssot.reconcile.")));
	if (get_attnum(truth, "record_a") <= 0 || get_attnum(truth, "record_b") <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" does not hold labelled pairs", get_rel_name(truth)),
				 errdetail("It needs columns record_a and record_b with names of records such as \"crm:K1\", and may have a boolean is_match."),
				 errhint("CREATE TABLE truth (record_a text, record_b text, is_match boolean)")));
	args[0] = CStringGetTextDatum(entity->name);
	args[1] = PG_GETARG_DATUM(2);
	args[2] = ObjectIdGetDatum(entity->relid);
	args[3] = nulls[4] ? Float8GetDatum(rules->match) : args[4];
	statement.sql = ssot_sql(quality,
							 has_column(truth, "is_match", BOOLOID) ? "COALESCE(t.is_match, false)" : "true",
							 ssot_relation_name(truth), entity->id_column, entity->source_table);
	ssot_statement_return(fcinfo, &statement);
	return (Datum) 0;
}
