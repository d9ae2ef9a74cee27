/*
 * golden/repoint_back.c
 *		Pointing what a merge moved back at the golden id that returns.
 *
 * The journal (ssot.moved_reference) is read once per table and foreign key and
 * enters one UPDATE. A row is moved back only if it still holds what the merge
 * wrote, or a later merge: what somebody has decided since stands. Records of entities get a new
 * version, and their golden records settle.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/declare.h"
#include "entity/record.h"
#include "golden/clock.h"
#include "golden/hold.h"
#include "golden/repoint.h"
#include "golden/settle.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

/* What one merge moved in one table. */
typedef struct Journal
{
	char	   *relation;
	Oid			relid;			/* InvalidOid: the table is gone */
	List	   *columns;
	Datum		columns_array;
	List	   *key;			/* NIL: the rows cannot be found */
	TupleDesc	desc;			/* row_key, old, new */
	Tuplestorestate *rows;
	int64		count;
} Journal;

static bool
take_journal(TupleTableSlot *slot, void *arg)
{
	List	  **journals = (List **) arg;
	Journal    *journal = palloc0(sizeof(Journal));

	slot_getallattrs(slot);
	journal->relation = TextDatumGetCString(slot->tts_values[0]);
	journal->columns_array = PointerGetDatum(DatumGetArrayTypePCopy(slot->tts_values[1]));
	journal->columns = ssot_text_array_list(journal->columns_array);
	journal->key = ssot_text_array_list(slot->tts_values[2]);
	*journals = lappend(*journals, journal);
	return true;
}

static SsotQuery read_journals = {
	"SELECT r.relation, r.columns,"
	"       ARRAY(SELECT k FROM pg_catalog.jsonb_object_keys("
	"             (pg_catalog.array_agg(r.row_key))[1]) AS k ORDER BY k)"
	"  FROM ssot.moved_reference AS r"
	" WHERE r.entity = $1 AND r.lost_id = $2"
	" GROUP BY r.relation, r.columns"
	" ORDER BY r.relation, r.columns",
	2, {TEXTOID, TEXTOID}
};

static bool
take_row(TupleTableSlot *slot, void *arg)
{
	Journal    *journal = (Journal *) arg;

	slot_getallattrs(slot);
	tuplestore_putvalues(journal->rows, journal->desc, slot->tts_values, slot->tts_isnull);
	journal->count++;
	return true;
}

/*
 * What the merge wrote, or where further merges have moved the row since: what they
 * did to it is in their own journals, under its key as it became then, which may hold
 * the foreign key. These are left alone; a merge that is undone later finds that the
 * row has gone elsewhere.
 */
static SsotQuery forget_rows = {
	"WITH RECURSIVE gone AS ("
	"    DELETE FROM ssot.moved_reference AS r"
	"     WHERE r.entity = $1 AND r.lost_id = $2 AND r.relation = $3 AND r.columns = $4"
	"    RETURNING r.row_key, r.old_values, r.new_values, r.moved_at"
	"), moved (n, step, row_key, old_values, new_values, moved_at) AS ("
	"    SELECT pg_catalog.row_number() OVER (), 0, g.* FROM gone AS g"
	"    UNION ALL"
	"    SELECT w.n, w.step + 1, l.row_key, w.old_values, l.new_values, l.moved_at"
	"      FROM moved AS w"
	"      JOIN ssot.moved_reference AS l ON l.entity = $1 AND l.relation = $3 AND l.columns = $4"
	"       AND l.lost_id <> $2 AND l.old_values = w.new_values AND l.moved_at >= w.moved_at"
	"     CROSS JOIN LATERAL"
	"           (SELECT pg_catalog.jsonb_object_agg(c.name, c.old) AS was"
	"              FROM ROWS FROM (pg_catalog.unnest(l.columns), pg_catalog.unnest(l.old_values)) AS c (name, old)"
	"             WHERE l.row_key ? c.name) AS k"
	"     WHERE l.row_key || coalesce(k.was, '{}') = w.row_key"
	") CYCLE new_values SET is_cycle USING path"
	" SELECT DISTINCT ON (w.n) w.row_key, w.old_values, w.new_values"
	"   FROM moved AS w WHERE NOT w.is_cycle"
	"  ORDER BY w.n, w.step DESC",
	4, {TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID}
};

static void
read_rows(const SsotEntity *entity, const char *lost, Journal *journal)
{
	Datum		args[] = {CStringGetTextDatum(entity->name), CStringGetTextDatum(lost),
	CStringGetTextDatum(journal->relation), journal->columns_array};
	List	   *parts = stringToQualifiedNameList(journal->relation);
	Oid			schema = get_namespace_oid(strVal(linitial(parts)), true);

	journal->relid = OidIsValid(schema) ?
		get_relname_relid(strVal(lsecond(parts)), schema) : InvalidOid;
	journal->desc = CreateTemplateTupleDesc(3);
	TupleDescInitEntry(journal->desc, 1, "row_key", JSONBOID, -1, 0);
	TupleDescInitEntry(journal->desc, 2, "old", TEXTARRAYOID, -1, 0);
	TupleDescInitEntry(journal->desc, 3, "new", TEXTARRAYOID, -1, 0);
	journal->rows = tuplestore_begin_heap(true, false, work_mem);
	ssot_query_each(&forget_rows, args, NULL, take_row, journal);
}

/* "(<value>)::<type of the column>" */
static char *
as_column(const Journal *journal, const char *column, const char *value)
{
	AttrNumber	attnum = get_attnum(journal->relid, column);
	Oid			type;
	int32		typmod;
	Oid			collation;

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has lost its column \"%s\"", journal->relation, column),
				 errdetail("Rows that a merge moved are found by it."),
				 errhint("Restore the column, or DELETE FROM ssot.moved_reference where relation = '%s'.",
						 journal->relation)));
	get_atttypetypmodcoll(journal->relid, attnum, &type, &typmod, &collation);
	return psprintf("(%s)::%s", value,
					format_type_extended(type, typmod,
										 FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

/* "c.id = (j.row_key ->> 'id')::int AND c.customer_id::text = j.new[1]" */
static char *
match_rows(const Journal *journal)
{
	StringInfoData buf;
	ListCell   *cell;
	int			n = 0;

	initStringInfo(&buf);
	foreach(cell, journal->key)
	{
		const char *name = (const char *) lfirst(cell);

		ssot_sql_append(&buf, "%sc.%I = %s", buf.len > 0 ? " AND " : "", name,
						as_column(journal, name, ssot_sql("j.row_key ->> %L", name)));
	}
	foreach(cell, journal->columns)
		ssot_sql_append(&buf, " AND c.%I::text = j.new[%d]", (const char *) lfirst(cell), ++n);
	return buf.data;
}

static uint64
run(const Journal *journal, TimestampTz t, const char *sql, SsotRowCallback callback, void *arg)
{
	static const Oid argtypes[] = {TIMESTAMPTZOID};
	Datum		args[] = {TimestampTzGetDatum(t)};
	SsotRelation rows = {"ssot_journal", journal->desc, journal->rows, journal->count};
	SsotStatement statement = {
		.sql = sql,.nargs = 1,.argtypes = argtypes,.args = args,
		.nrelations = 1,.relations = &rows
	};

	return callback == NULL ? ssot_statement_run(&statement) :
		ssot_statement_each(&statement, callback, arg);
}

static uint64
update_table(const Journal *journal, TimestampTz t)
{
	StringInfoData set;
	ListCell   *cell;
	int			n = 0;

	initStringInfo(&set);
	foreach(cell, journal->columns)
	{
		const char *name = (const char *) lfirst(cell);

		n++;
		ssot_sql_append(&set, "%s%I = %s", set.len > 0 ? ", " : "", name,
						as_column(journal, name, psprintf("j.old[%d]", n)));
	}
	return run(journal, t, ssot_sql("UPDATE %T AS c SET %s FROM ssot_journal AS j WHERE %s",
									journal->relation, set.data, match_rows(journal)), NULL, NULL);
}

/* Records of an entity: a new version, and their golden records settle. */
static uint64
update_records(const Journal *journal, const SsotEntity *child)
{
	const char *column = (const char *) linitial(journal->columns);
	char	   *match = match_rows(journal);
	TimestampTz t = ssot_clock_take(child);
	SsotIds		ids = ssot_ids_create(child);
	SsotUser	user = ssot_become_owner(child->relid);
	uint64		moved;

	run(journal, t, ssot_sql("INSERT INTO %T (%s, ssot_to) SELECT %s, $1"
							 " FROM %T AS c JOIN ssot_journal AS j ON %s WHERE c.ssot_from < $1",
							 child->source_history_table, ssot_record_columns(child, ""),
							 ssot_record_columns(child, "c."), child->source_table, match),
		NULL, NULL);
	run(journal, t, ssot_sql("SELECT DISTINCT c.%I FROM %T AS c JOIN ssot_journal AS j ON %s",
							 child->id_column, child->source_table, match), ssot_ids_take, &ids);
	moved = run(journal, t, ssot_sql("UPDATE %T AS c SET %I = %s, ssot_from = $1"
									 " FROM ssot_journal AS j WHERE %s",
									 child->source_table, column,
									 as_column(journal, column, "j.old[1]"), match), NULL, NULL);
	ssot_restore_user(user);
	ssot_settle_set(child, &ids, t);
	ssot_ids_end(&ids);
	return moved;
}

/* The entity whose records a table holds, or NULL. */
static const SsotEntity *
entity_of_records(const SsotEntity *entity, List *referring, const char *relation)
{
	ListCell   *cell;

	if (strcmp(entity->source_table, relation) == 0)
		return entity;
	foreach(cell, referring)
		if (strcmp(((SsotEntity *) lfirst(cell))->source_table, relation) == 0)
		return (SsotEntity *) lfirst(cell);
	return NULL;
}

int64
ssot_repoint_back(const SsotEntity *entity, const char *lost_id, TimestampTz t)
{
	Datum		args[] = {CStringGetTextDatum(entity->name), CStringGetTextDatum(lost_id)};
	List	   *journals = NIL;
	List	   *referring = ssot_referring_entities(entity);
	int64		unmoved = 0;
	int			level = ssot_settings_begin(false);
	Oid			owned = ssot_companion_oid("ssot.moved_reference");
	SsotUser	user = ssot_become_owner(owned);
	ListCell   *cell;

	ssot_query_each(&read_journals, args, NULL, take_journal, &journals);
	foreach(cell, journals)
		read_rows(entity, lost_id, (Journal *) lfirst(cell));
	ssot_restore_user(user);
	foreach(cell, journals)
	{
		Journal    *journal = (Journal *) lfirst(cell);
		const SsotEntity *child = entity_of_records(entity, referring, journal->relation);

		unmoved += journal->count;
		if (OidIsValid(journal->relid) && journal->key != NIL)
			unmoved -= child != NULL ? update_records(journal, child) : update_table(journal, t);
		tuplestore_end(journal->rows);
	}
	ssot_settings_end(level);
	return unmoved;
}
