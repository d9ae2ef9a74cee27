/*
 * drift/compare.c
 *		ssot.compare: where two relations differ, row by row and field by field.
 *
 * Rows that may differ are found by hash (compare_screen.c). Only those are read
 * again, by tuple id under the same snapshot, and SQL compares them with the
 * types' own equality: a numeric 1.0 beside 1.00 costs time and is no
 * difference. Where there is no tuple id (views, foreign and partitioned tables)
 * they are found by reading the relation a second time, or, on another server,
 * by hashing them there (remote.c).
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "drift/compare.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* When more than this share of the rows is suspect, all rows are compared. */
#define MAX_SUSPECT_SHARE	0.05
#define MIN_SUSPECTS		10000

/* ---- what to compare ----------------------------------------------------- */

static void
check_column(Oid relid, const char *column)
{
	if (get_attnum(relid, column) == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" does not exist in \"%s\"", column, get_rel_name(relid)),
				 errhint("ssot.compare compares columns that both relations have.")));
}

static List *
array_names(ArrayType *array, const char *what)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	List	   *names = NIL;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s of ssot.compare must not contain NULL", what)));
		names = lappend(names, TextDatumGetCString(elements[i]));
	}
	return names;
}

static bool
has_name(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp((char *) lfirst(cell), name) == 0)
		return true;
	return false;
}

/* Columns of the left relation that the right one has too, without the key. */
static List *
common_columns(Oid left, Oid right, List *key)
{
	Relation	rel = relation_open(left, AccessShareLock);
	List	   *names = NIL;

	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);

		if (!att->attisdropped && !has_name(key, NameStr(att->attname)) &&
			get_attnum(right, NameStr(att->attname)) > 0)
			names = lappend(names, pstrdup(NameStr(att->attname)));
	}
	relation_close(rel, NoLock);
	return names;
}

/*
 * Columns of different types are compared as SQL would unite them:
 *
 *		SELECT t.id, t.name FROM crm.a AS t UNION ALL SELECT t.id, t.name FROM erp.b AS t
 */
static void
decide_types(SsotComparing *comparing, Oid left, Oid right)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < comparing->ncolumns; i++)
		ssot_sql_append(&list, "%st.%I", i == 0 ? "" : ", ", comparing->columns[i]);
	comparing->desc =
		ssot_query_describe(ssot_sql("SELECT %s FROM %T AS t UNION ALL SELECT %s FROM %T AS t",
									 list.data, ssot_relation_name(left),
									 list.data, ssot_relation_name(right)));
}

static SsotComparing *
decide_columns(Oid left, Oid right, List *key, List *columns)
{
	SsotComparing *comparing = palloc0(sizeof(SsotComparing));
	ListCell   *cell;

	comparing->columns = palloc(sizeof(char *) * (list_length(key) + list_length(columns)));
	foreach(cell, key)
	{
		check_column(left, lfirst(cell));
		check_column(right, lfirst(cell));
		comparing->columns[comparing->ncolumns++] = lfirst(cell);
	}
	comparing->nkeys = comparing->ncolumns;
	foreach(cell, columns)
	{
		check_column(left, lfirst(cell));
		check_column(right, lfirst(cell));
		comparing->columns[comparing->ncolumns++] = lfirst(cell);
	}
	decide_types(comparing, left, right);
	comparing->seed = ssot_seed();
	comparing->seeds = palloc(sizeof(uint64) * comparing->ncolumns);
	for (int i = 0; i < comparing->ncolumns; i++)
		comparing->seeds[i] = pg_prng_uint64(&pg_global_prng_state);
	return comparing;
}

/* SELECT t.id AS c1, t.name::text AS c2 FROM crm.a AS t */
char *
ssot_side_sql(const SsotSide *side, const char *first, const char *condition)
{
	const SsotComparing *comparing = side->comparing;
	StringInfoData list;

	initStringInfo(&list);
	appendStringInfoString(&list, first);
	for (int i = 0; i < comparing->ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(comparing->desc, i);
		AttrNumber	attnum = get_attnum(side->relid, comparing->columns[i]);

		ssot_sql_append(&list, "%st.%I", list.len == 0 ? "" : ", ", comparing->columns[i]);
		if (get_atttype(side->relid, attnum) != att->atttypid)
			ssot_sql_append(&list, "::%s", format_type_be_qualified(att->atttypid));
		if (type_is_collatable(att->atttypid))	/* the two may have two */
			ssot_sql_append(&list, " COLLATE %s",
							generate_collation_name(OidIsValid(att->attcollation) ?
													att->attcollation : C_COLLATION_OID));
		appendStringInfo(&list, " AS c%d", i + 1);
	}
	return ssot_sql("SELECT %s FROM %T AS t%s", list.data,
					ssot_relation_name(side->relid), condition);
}

/* ---- exactly --------------------------------------------------------------- */

/* The text form of the key: its parts joined as keys of records are. */
static char *
key_sql(const SsotComparing *comparing)
{
	StringInfoData sql;

	if (comparing->nkeys == 1)
		return pstrdup("coalesce(a.c1, b.c1)::pg_catalog.text");
	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.concat_ws('|'");
	for (int i = 1; i <= comparing->nkeys; i++)
		appendStringInfo(&sql, ", pg_catalog.replace(pg_catalog.replace("
						 "coalesce(a.c%d, b.c%d)::pg_catalog.text COLLATE pg_catalog.\"C\", '\\', '\\\\'), '|', '\\|')",
						 i, i);
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* The type's equality operator, qualified: the search path is ours, and the type
 * need not be. NULL if it has none. */
static char *
equality_operator(Oid type)
{
	Oid			operator = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple	tuple;
	char	   *name;

	if (!OidIsValid(operator))
		return NULL;
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	name = ssot_sql("OPERATOR(%I.%s)",
					get_namespace_name(((Form_pg_operator) GETSTRUCT(tuple))->oprnamespace),
					NameStr(((Form_pg_operator) GETSTRUCT(tuple))->oprname));
	ReleaseSysCache(tuple);
	return name;
}

/* a.c1 = b.c1 AND ...: the key columns meet. */
static char *
keys_meet(const SsotComparing *comparing)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < comparing->nkeys; i++)
	{
		Oid			type = TupleDescAttr(comparing->desc, i)->atttypid;
		char	   *operator = equality_operator(type);

		if (operator == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_FUNCTION),
					 errmsg("key column \"%s\" has no equality operator", comparing->columns[i]),
					 errdetail("Its type is %s.", format_type_be(type)),
					 errhint("Choose other key columns, or compare views that cast it.")));
		appendStringInfo(&sql, "%sa.c%d %s b.c%d", i == 0 ? "" : " AND ", i + 1, operator, i + 1);
	}
	return sql.data;
}

/* (a.c2 IS NULL) <> (b.c2 IS NULL) OR NOT a.c2 = b.c2 */
static char *
values_differ(const SsotComparing *comparing, int i)
{
	char	   *operator = equality_operator(TupleDescAttr(comparing->desc, i)->atttypid);
	const char *cast = operator == NULL ? "::pg_catalog.text" : "";

	return psprintf("((a.c%d IS NULL) <> (b.c%d IS NULL) OR NOT a.c%d%s %s b.c%d%s)",
					i + 1, i + 1, i + 1, cast,
					operator == NULL ? "OPERATOR(pg_catalog.=)" : operator, i + 1, cast);
}

/*
 * WITH l AS MATERIALIZED (<left rows>), r AS MATERIALIZED (<right rows>)
 * SELECT coalesce(a.c1, b.c1)::text, d.*
 *	 FROM (SELECT q.*
 *			 FROM (SELECT s.*, count(*) OVER k AS copies, row_number() OVER k AS copy
 *					 FROM l AS s WINDOW k AS (PARTITION BY s.c1)) AS q
 *			WHERE q.copy = 1) AS a
 *	 FULL JOIN (... r ...) AS b ON a.c1 = b.c1
 *	CROSS JOIN LATERAL (
 *		  SELECT 'missing_left', NULL, NULL, NULL WHERE a.copies IS NULL
 *		   UNION ALL
 *		  ...
 *		   UNION ALL
 *		  SELECT 'mismatch', 'name', a.c2::text, b.c2::text
 *		   WHERE a.copies = 1 AND b.copies = 1 AND <a.c2 and b.c2 differ>) AS d
 *
 * Rows of a repeated key are told once and not compared. Where no key came
 * twice there is nothing to count.
 */
static char *
exact_sql(const SsotComparing *comparing, const char *left_rows, const char *right_rows,
		  bool count_copies)
{
	StringInfoData keys;
	StringInfoData sql;
	char	   *counted;

	initStringInfo(&keys);
	for (int i = 1; i <= comparing->nkeys; i++)
		appendStringInfo(&keys, "%ss.c%d", i == 1 ? "" : ", ", i);
	counted = count_copies ?
		ssot_sql("(SELECT q.* FROM (SELECT s.*, pg_catalog.count(*) OVER k AS copies,"
				 " pg_catalog.row_number() OVER k AS copy FROM %%s AS s"
				 " WINDOW k AS (PARTITION BY %s)) AS q WHERE q.copy = 1)", keys.data) :
		pstrdup("(SELECT s.*, 1 AS copies FROM %s AS s)");

	initStringInfo(&sql);
	ssot_sql_append(&sql, "WITH l AS MATERIALIZED (%s), r AS MATERIALIZED (%s) SELECT %s, d.* FROM ",
					left_rows, right_rows, key_sql(comparing));
	ssot_sql_append(&sql, counted, "l");
	appendStringInfoString(&sql, " AS a FULL JOIN ");
	ssot_sql_append(&sql, counted, "r");
	ssot_sql_append(&sql, " AS b ON %s"
					" CROSS JOIN LATERAL ("
					"SELECT 'missing_left'::pg_catalog.text, NULL::pg_catalog.text,"
					" NULL::pg_catalog.text, NULL::pg_catalog.text WHERE a.copies IS NULL"
					" UNION ALL SELECT 'missing_right', NULL, NULL, NULL WHERE b.copies IS NULL"
					" UNION ALL SELECT 'duplicate_left', NULL, a.copies::pg_catalog.text, NULL"
					" WHERE a.copies > 1"
					" UNION ALL SELECT 'duplicate_right', NULL, NULL, b.copies::pg_catalog.text"
					" WHERE b.copies > 1", keys_meet(comparing));
	for (int i = comparing->nkeys; i < comparing->ncolumns; i++)
		ssot_sql_append(&sql, " UNION ALL SELECT 'mismatch', %L,"
						" a.c%d::pg_catalog.text, b.c%d::pg_catalog.text"
						" WHERE a.copies = 1 AND b.copies = 1 AND %s",
						comparing->columns[i], i + 1, i + 1, values_differ(comparing, i));
	appendStringInfoString(&sql, ") AS d");
	return sql.data;
}

static bool
too_many(const SsotSide *side)
{
	return side->suspects.count > MIN_SUSPECTS &&
		side->suspects.count > MAX_SUSPECT_SHARE * side->nrows;
}

/* Compare the suspects, or everything, by SQL; the rows are the result. */
static void
compare_exactly(FunctionCallInfo fcinfo, SsotSide *left, SsotSide *right)
{
	SsotSide   *sides[2] = {left, right};
	bool		everything = too_many(left) || too_many(right);
	SsotRelation relations[2];
	Oid			argtypes[2];
	Datum		args[2];
	char	   *rows[2];
	int			level;
	SsotStatement statement = {.argtypes = argtypes,.args = args,.relations = relations,
	.read_only = true};

	for (int i = 0; i < 2; i++)
	{
		SsotSide   *side = sides[i];

		if (side->condition != NULL)
			rows[i] = ssot_side_sql(side, "", side->condition);
		else if (everything)
			rows[i] = ssot_side_sql(side, "", "");
		else if (side->has_tids)
		{
			argtypes[statement.nargs] = get_array_type(TIDOID);
			args[statement.nargs++] = ssot_suspects_tids(&side->suspects);
			rows[i] = ssot_side_sql(side, "", psprintf(" WHERE t.ctid = ANY ($%d)",
													   statement.nargs));
		}
		else
		{
			SsotRelation *relation = &relations[statement.nrelations++];

			ssot_side_reread(side);
			relation->name = i == 0 ? "ssot_left" : "ssot_right";
			relation->desc = side->rows_desc;
			relation->rows = side->rows;
			relation->count = side->nrows;
			rows[i] = ssot_sql("SELECT s.* FROM %T AS s", relation->name);
		}
	}
	statement.sql = exact_sql(left->comparing, rows[0], rows[1],
							  everything || left->condition != NULL || left->comparing->repeated);
	level = NewGUCNestLevel();
	ssot_prefer_tids(!everything && left->condition == NULL);
	ssot_statement_return(fcinfo, &statement);
	AtEOXact_GUC(true, level);
	for (int i = 0; i < statement.nrelations; i++)
		tuplestore_end(relations[i].rows);
}

PG_FUNCTION_INFO_V1(ssot_compare);

/*
 * ssot.compare(left_relation regclass, right_relation regclass, key text[],
 *				columns text[] DEFAULT NULL)
 *
 * Returns (key, kind, field, left_value, right_value). Read under the caller's
 * rights and snapshot, both relations as of the same instant.
 */
Datum
ssot_compare(PG_FUNCTION_ARGS)
{
	SsotSide	left = {0};
	SsotSide	right = {0};
	Size		limit = (Size) maintenance_work_mem * 1024 / 2;
	List	   *key;
	List	   *columns;

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("ssot.compare needs two relations and their key"),
					 errhint("Name the key columns, for example key => '{id}'.")));
	left.relid = PG_GETARG_OID(0);
	right.relid = PG_GETARG_OID(1);
	ssot_require_rows(left.relid, "compared");
	ssot_require_rows(right.relid, "compared");
	key = array_names(PG_GETARG_ARRAYTYPE_P(2), "key");
	if (key == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ssot.compare needs at least one key column"),
				 errhint("Name the key columns, for example key => '{id}'.")));
	columns = PG_ARGISNULL(3) ? common_columns(left.relid, right.relid, key) :
		array_names(PG_GETARG_ARRAYTYPE_P(3), "columns");

	left.comparing = right.comparing = decide_columns(left.relid, right.relid, key, columns);
	left.has_tids = ssot_relation_has_tids(left.relid);
	right.has_tids = ssot_relation_has_tids(right.relid);
	if (!ssot_screen_remote(&left, &right))
		ssot_screen_sides(&left, &right, limit);
	compare_exactly(fcinfo, &left, &right);
	return (Datum) 0;
}
