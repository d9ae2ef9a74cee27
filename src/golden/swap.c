/*
 * golden/swap.c
 *		Records that exchange values of a unique constraint.
 *
 * Of two records that swap a unique value neither can be written before the
 * other, and PostgreSQL tests a constraint that is not deferrable row by row.
 * So they are written in two steps: the unique columns are emptied, then all of
 * them get their new values, in one subtransaction. Only records that wait for
 * each other in a ring are written so (each wants what the next one has); what
 * merely waits for a ring gets its turn afterwards (ssot_holds_retry).
 *
 * Emptying needs a column that may be NULL, and nothing may follow it there (a
 * foreign key with ON UPDATE CASCADE would). Expression indexes and exclusion
 * constraints are not looked through. Where a ring cannot be written it stays
 * held.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "golden/hold.h"
#include "identity/cluster.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* One who wants a value, and the one who has it. */
typedef struct Rings
{
	const SsotEntity *entity;
	int			nrows;
	SsotLateRow *rows;
	List	   *indexes;		/* names of unique indexes seen */
	StringInfoData clear;		/* "email = NULL, code = NULL" */
	SsotWeightedPair *waits;	/* a waits for b */
	int64		nwaits;
	int64		capacity;
} Rings;

/*
 * The columns of a unique index of the table, and those of them that can be
 * emptied: nullable, not computed, and no foreign key would carry the NULL on.
 */
static SsotQuery unique_columns = {
	.sql =
	"SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum),"
	"       pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum)"
	"       FILTER (WHERE NOT a.attnotnull AND a.attgenerated = '' AND NOT EXISTS"
	"               (SELECT FROM pg_catalog.pg_constraint AS f"
	"                 WHERE f.contype = 'f' AND f.confrelid = i.indrelid"
	"                   AND f.confupdtype NOT IN ('a', 'r') AND a.attnum = ANY (f.confkey)))"
	"  FROM pg_catalog.pg_index AS i"
	"  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid"
	"  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid"
	"   AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1])"
	" WHERE i.indrelid = $1 AND c.relname = $2 AND i.indisunique AND i.indexprs IS NULL",
	.nargs = 2,
	.argtypes = {OIDOID, TEXTOID},
	.as_of_now = true
};

/* "g.a = l.a AND g.b = l.b", or "a = NULL, b = NULL" */
static void
append_columns(StringInfo buf, Datum array, bool clear)
{
	Datum	   *names;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *name = TextDatumGetCString(names[i]);

		if (clear)
			ssot_sql_append(buf, "%s%I = NULL", buf->len > 0 ? ", " : "", name);
		else
			ssot_sql_append(buf, "%sg.%I = l.%I", buf->len > 0 ? " AND " : "", name, name);
	}
}

static bool
take_wait(TupleTableSlot *slot, void *arg)
{
	Rings	   *rings = (Rings *) arg;

	slot_getallattrs(slot);
	if (rings->nwaits == rings->capacity)
	{
		rings->capacity = Max(64, 2 * rings->capacity);
		rings->waits = rings->waits == NULL ? palloc(sizeof(SsotWeightedPair) * rings->capacity) :
			repalloc_huge(rings->waits, sizeof(SsotWeightedPair) * rings->capacity);
	}
	rings->waits[rings->nwaits++] = (SsotWeightedPair)
	{
		DatumGetInt32(slot->tts_values[0]), DatumGetInt32(slot->tts_values[1]), 1.0
	};
	return true;
}

/*
 * SELECT l.ssot_n, h.ssot_n
 *   FROM ssot_late AS l
 *   JOIN golden.customer AS g ON g.email = l.email AND g.customer_id <> l.customer_id
 *   JOIN ssot_late AS h ON h.customer_id = g.customer_id
 */
static void
find_waits(Rings *rings, const SsotRelation *late, const char *index)
{
	const SsotEntity *entity = rings->entity;
	Datum		args[] = {ObjectIdGetDatum(entity->relid), CStringGetTextDatum(index)};
	Datum		columns[2];
	bool		isnull[2];
	StringInfoData join;
	SsotStatement statement = {.nrelations = 1,.relations = late};

	if (!ssot_query_one(&unique_columns, args, NULL, 2, columns, isnull) ||
		isnull[0] || isnull[1])
		return;
	initStringInfo(&join);
	append_columns(&join, columns[0], false);
	append_columns(&rings->clear, columns[1], true);
	statement.sql = ssot_sql("SELECT l.ssot_n, h.ssot_n FROM ssot_late AS l"
							 " JOIN %T AS g ON %s AND g.%I <> l.%I"
							 " JOIN ssot_late AS h ON h.%I = g.%I ORDER BY 1, 2",
							 ssot_relation_name(entity->relid), join.data,
							 entity->id_column, entity->id_column,
							 entity->id_column, entity->id_column);
	ssot_statement_each(&statement, take_wait, rings);
}

/* The rows with their number as a further column. */
static SsotRelation
late_relation(const Rings *rings, TupleDesc desc)
{
	int			natts = desc->natts;
	SsotRelation late = {"ssot_late", CreateTemplateTupleDesc(natts + 1),
	tuplestore_begin_heap(true, false, work_mem), rings->nrows};
	Datum	   *values = palloc(sizeof(Datum) * (natts + 1));
	bool	   *nulls = palloc(sizeof(bool) * (natts + 1));

	for (int i = 1; i <= natts; i++)
		TupleDescCopyEntry(late.desc, i, desc, i);
	TupleDescInitEntry(late.desc, natts + 1, "ssot_n", INT4OID, -1, 0);
	for (int i = 0; i < rings->nrows; i++)
	{
		memcpy(values, rings->rows[i].values, sizeof(Datum) * natts);
		memcpy(nulls, rings->rows[i].nulls, sizeof(bool) * natts);
		values[natts] = Int32GetDatum(i);
		nulls[natts] = false;
		tuplestore_putvalues(late.rows, late.desc, values, nulls);
	}
	return late;
}

static void
read_waits(Rings *rings, TupleDesc desc)
{
	SsotRelation late = late_relation(rings, desc);

	initStringInfo(&rings->clear);
	for (int i = 0; i < rings->nrows; i++)
	{
		const char *index = rings->rows[i].violation->constraint;
		ListCell   *cell;
		bool		known = index == NULL;

		foreach(cell, rings->indexes)
			known |= strcmp((const char *) lfirst(cell), index) == 0;
		if (known)
			continue;
		rings->indexes = lappend(rings->indexes, unconstify(char *, index));
		find_waits(rings, &late, index);
	}
	tuplestore_end(late.rows);
}

/*
 * Leave only the waits between rows that both wait and are waited for, again
 * and again: what is left are rings and what lies between them.
 */
static void
trim(Rings *rings)
{
	bool	   *waits = palloc(sizeof(bool) * rings->nrows);
	bool	   *awaited = palloc(sizeof(bool) * rings->nrows);
	int64		before;

	do
	{
		int64		kept = 0;

		before = rings->nwaits;
		memset(waits, false, sizeof(bool) * rings->nrows);
		memset(awaited, false, sizeof(bool) * rings->nrows);
		for (int64 i = 0; i < rings->nwaits; i++)
		{
			waits[rings->waits[i].a] = true;
			awaited[rings->waits[i].b] = true;
		}
		for (int64 i = 0; i < rings->nwaits; i++)
			if (awaited[rings->waits[i].a] && waits[rings->waits[i].b])
				rings->waits[kept++] = rings->waits[i];
		rings->nwaits = kept;
	} while (rings->nwaits < before);
}

/* Write the rows of the ring that row "first" is the first of. */
static void
write_ring(Rings *rings, const int *ring, int first, TupleDesc desc,
		   SsotTogetherCallback attempt, void *arg)
{
	SsotMerged	rows = {desc, tuplestore_begin_heap(true, false, work_mem), 0};
	char	   *clear = ssot_sql("UPDATE %T AS g SET %s FROM ssot_merged AS m WHERE m.%I = g.%I",
								 ssot_relation_name(rings->entity->relid), rings->clear.data,
								 rings->entity->id_column, rings->entity->id_column);

	for (int i = first; i < rings->nrows; i++)
	{
		if (ring[i] != first)
			continue;
		tuplestore_putvalues(rows.rows, desc, unconstify(Datum *, rings->rows[i].values),
							 unconstify(bool *, rings->rows[i].nulls));
		rows.count++;
	}
	if (rows.count > 1 && attempt(&rows, clear, arg))
		for (int i = first; i < rings->nrows; i++)
			if (ring[i] == first)
				*rings->rows[i].written = true;
	tuplestore_end(rows.rows);
}

void
ssot_write_swaps(const SsotEntity *entity, SsotHolds *holds, TupleDesc desc,
				 SsotTogetherCallback attempt, void *arg)
{
	Rings		rings = {.entity = entity};
	int		   *ring;

	rings.nrows = ssot_holds_late(holds, ERRCODE_UNIQUE_VIOLATION, &rings.rows);
	if (rings.nrows < 2)
		return;
	read_waits(&rings, desc);
	trim(&rings);
	if (rings.nwaits == 0)
		return;
	ring = palloc(sizeof(int) * rings.nrows);
	ssot_cluster(rings.nrows, rings.waits, rings.nwaits, 0.5, ring);
	for (int i = 0; i < rings.nrows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (ring[i] == i)
			write_ring(&rings, ring, i, desc, attempt, arg);
	}
}
