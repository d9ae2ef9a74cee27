/*
 * golden/profile.c
 *		ssot.profile: what a relation holds, before it is matched.
 *
 * One query per column, joined by UNION ALL; each reads the relation once.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "golden/match_default.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ssot_profile);

/*
 * A pattern is the value with letters as "a" or "A" and digits as "9"; runs of
 * them are one character and "+". A blocking key that n values' rows share
 * costs n (n - 1) / 2 comparisons.
 */
static const char column_profile[] =
"SELECT %d AS place, %L::pg_catalog.text, %L::pg_catalog.text, c.total, c.filled,"
" c.filled::pg_catalog.float8 / NULLIF(c.total, 0), c.different, t.top, p.patterns, %L::pg_catalog.text, k.keys"
" FROM (WITH value AS MATERIALIZED ("
"   SELECT r.%I::pg_catalog.text AS v, pg_catalog.count(*) AS n FROM %T AS r GROUP BY 1"
"  ) SELECT pg_catalog.array_agg(v.v) AS vs, pg_catalog.array_agg(v.n) AS ns FROM value AS v) AS all_values"
" CROSS JOIN LATERAL ("
"   SELECT COALESCE(pg_catalog.sum(u.n), 0)::pg_catalog.int8 AS total,"
"          COALESCE(pg_catalog.sum(u.n) FILTER (WHERE NOT ssot.is_blank(u.v)), 0)::pg_catalog.int8 AS filled,"
"          pg_catalog.count(*) FILTER (WHERE NOT ssot.is_blank(u.v)) AS different"
"     FROM ROWS FROM (pg_catalog.unnest(vs), pg_catalog.unnest(ns)) AS u (v, n)) AS c"
" CROSS JOIN LATERAL ("
"   SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('value', o.v, 'rows', o.n) ORDER BY o.n DESC, o.v COLLATE pg_catalog.\"C\") AS top"
"     FROM (SELECT pg_catalog.left(u.v, 200) AS v, u.n FROM ROWS FROM (pg_catalog.unnest(vs), pg_catalog.unnest(ns)) AS u (v, n)"
"            WHERE NOT ssot.is_blank(u.v) ORDER BY u.n DESC, u.v COLLATE pg_catalog.\"C\" LIMIT 5) AS o) AS t"
" CROSS JOIN LATERAL ("
"   SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('pattern', o.pattern, 'rows', o.n) ORDER BY o.n DESC, o.pattern COLLATE pg_catalog.\"C\") AS patterns"
"     FROM (SELECT pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.regexp_replace("
"                  pg_catalog.regexp_replace(pg_catalog.left(u.v, 200), '[[:lower:]]', 'a', 'g'),"
"                  '[[:upper:]]', 'A', 'g'), '[0-9]', '9', 'g'), '([aA9])\\1+', '\\1+', 'g') COLLATE pg_catalog.\"C\" AS pattern,"
"                  pg_catalog.sum(u.n)::pg_catalog.int8 AS n"
"             FROM ROWS FROM (pg_catalog.unnest(vs), pg_catalog.unnest(ns)) AS u (v, n)"
"            WHERE NOT ssot.is_blank(u.v) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5) AS o) AS p"
" CROSS JOIN LATERAL ("
"   SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('key', b.class, 'blocks', b.blocks, 'largest', b.largest, 'pairs', b.pairs)"
"                               ORDER BY b.pairs, b.class COLLATE pg_catalog.\"C\") AS keys"
"     FROM (SELECT g.class, pg_catalog.count(*) AS blocks, pg_catalog.max(g.n) AS largest,"
"                  pg_catalog.sum((g.n * (g.n - 1) / 2)::pg_catalog.int8) AS pairs"
"             FROM (SELECT m.class, m.key, pg_catalog.sum(u.n) AS n"
"                     FROM ROWS FROM (pg_catalog.unnest(vs), pg_catalog.unnest(ns)) AS u (v, n)"
"                    CROSS JOIN LATERAL ssot.match_keys(%L, u.v) AS m"
"                    WHERE NOT ssot.is_blank(u.v)"
"                    GROUP BY m.class, m.key) AS g"
"            GROUP BY g.class) AS b) AS k";

/*
 * profile(relation regclass)
 */
Datum
ssot_profile(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	const char *name = ssot_relation_name(relid);	/* error if there is none */
	Relation	relation = relation_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	StringInfoData sql;
	SsotStatement statement = {.read_only = true};
	int			n = 0;
	int			level;

	if (relation->rd_rel->relkind == RELKIND_INDEX || relation->rd_rel->relkind == RELKIND_SEQUENCE ||
		relation->rd_rel->relkind == RELKIND_COMPOSITE_TYPE ||
		relation->rd_rel->relkind == RELKIND_PARTITIONED_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" has no rows to look at", RelationGetRelationName(relation)),
				 errhint("Tables, views, materialized views and foreign tables have.")));
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT q.name, q.type, q.total, q.filled, q.fill_rate, q.different, q.top,"
						   " q.patterns, q.kind, q.keys FROM (");
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		Oid			type = getBaseType(column->atttypid);
		char		category;
		bool		preferred;
		const char *kind;

		if (column->attisdropped)
			continue;
		get_type_category_preferred(type, &category, &preferred);
		kind = ssot_match_default_kind(NameStr(column->attname), type,
									   category == TYPCATEGORY_STRING);
		if (n++ > 0)
			appendStringInfoString(&sql, " UNION ALL ");
		ssot_sql_append(&sql, column_profile, (int) column->attnum, NameStr(column->attname),
						format_type_with_typemod(column->atttypid, column->atttypmod), kind,
						NameStr(column->attname), name, kind);
	}
	relation_close(relation, AccessShareLock);
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" has no columns", name)));
	appendStringInfoString(&sql, ") AS q (place, name, type, total, filled, fill_rate, different, top,"
						   " patterns, kind, keys) ORDER BY q.place");
	statement.sql = sql.data;
	level = ssot_settings_begin(false);
	ssot_statement_return(fcinfo, &statement);
	ssot_settings_end(level);
	return (Datum) 0;
}
