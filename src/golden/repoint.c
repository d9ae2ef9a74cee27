/*
 * golden/repoint.c
 *		Pointing foreign keys from one golden record at another, and back.
 *
 * One UPDATE per foreign key, for all merges of a run. What it changed goes to
 * the journal, ssot.moved_reference, with the row's primary key as it is after
 * the move: the foreign key may be part of it.
 *
 * Tables that are no entities are the user's: they are updated with the caller's
 * rights, and their own triggers and policies apply. If that leaves a row
 * behind (no privilege, a policy that hides it, a trigger that skips it), the
 * merge is refused: deleting the lost record would otherwise cascade to rows
 * that the caller may not touch.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/declare.h"
#include "golden/repoint.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rls.h"

/* ---- which foreign keys -------------------------------------------------- */

static SsotQuery referring_keys = {
	.sql =
	"SELECT DISTINCT n.nspname, r.relname, c.conrelid,"
	"       pg_catalog.bool_or(c.confdeltype NOT IN ('a', 'r')) OVER (PARTITION BY c.conrelid),"
	"       ARRAY(SELECT a.attname::pg_catalog.text"
	"               FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k (attnum, n)"
	"               JOIN pg_catalog.pg_attribute AS a"
	"                 ON a.attrelid = c.conrelid AND a.attnum = k.attnum ORDER BY k.n),"
	"       ARRAY(SELECT a.attname::pg_catalog.text"
	"               FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY AS k (attnum, n)"
	"               JOIN pg_catalog.pg_attribute AS a"
	"                 ON a.attrelid = c.confrelid AND a.attnum = k.attnum ORDER BY k.n)"
	"  FROM pg_catalog.pg_constraint AS c"
	"  JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid"
	"  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace"
	" WHERE c.contype = 'f' AND c.confrelid = $1 AND c.conparentid = 0"
	" ORDER BY 1, 2, 5, 6",
	.nargs = 1,
	.argtypes = {OIDOID},
	.as_of_now = true
};

static bool
take_referrer(TupleTableSlot *slot, void *arg)
{
	List	  **referrers = (List **) arg;
	SsotReferrer *referrer = palloc0(sizeof(SsotReferrer));

	slot_getallattrs(slot);
	referrer->relid = DatumGetObjectId(slot->tts_values[2]);
	referrer->acts = DatumGetBool(slot->tts_values[3]);
	referrer->columns = ssot_text_array_list(slot->tts_values[4]);
	referrer->targets = ssot_text_array_list(slot->tts_values[5]);
	*referrers = lappend(*referrers, referrer);
	return true;
}

List *
ssot_referrers(const SsotEntity *entity)
{
	List	   *referrers = NIL;
	Datum		relid = ObjectIdGetDatum(entity->relid);
	ListCell   *cell;

	ssot_query_each(&referring_keys, &relid, NULL, take_referrer, &referrers);
	foreach(cell, referrers)
	{
		SsotReferrer *referrer = (SsotReferrer *) lfirst(cell);

		referrer->entity = ssot_entity_load(referrer->relid, true);
	}
	return referrers;
}

static int
compare_entity_names(const ListCell *a, const ListCell *b)
{
	return strcmp(((const SsotEntity *) lfirst(a))->name,
				  ((const SsotEntity *) lfirst(b))->name);
}

List *
ssot_referring_entities(const SsotEntity *entity)
{
	List	   *entities = NIL;
	ListCell   *cell;

	foreach(cell, ssot_referrers(entity))
	{
		SsotReferrer *referrer = (SsotReferrer *) lfirst(cell);
		bool		known = referrer->relid == entity->relid;
		ListCell   *other;

		foreach(other, entities)
			known |= ((SsotEntity *) lfirst(other))->relid == referrer->relid;
		if (referrer->entity != NULL && !known)
			entities = lappend(entities, referrer->entity);
	}
	list_sort(entities, compare_entity_names);
	return entities;
}

static bool
refers_to_id(const SsotEntity *entity, const SsotReferrer *referrer)
{
	return list_length(referrer->columns) == 1 &&
		strcmp((const char *) linitial(referrer->targets), entity->id_column) == 0;
}

const char *
ssot_referrer_field(const SsotEntity *entity, const SsotReferrer *referrer)
{
	if (!refers_to_id(entity, referrer))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("entity \"%s\" refers to \"%s\" by other columns than its golden id",
						referrer->entity->name, entity->name),
				 errdetail("Such a reference cannot follow a merge into history and records."),
				 errhint("Let the foreign key refer to column \"%s\".", entity->id_column)));
	return (const char *) linitial(referrer->columns);
}

/* ---- rights -------------------------------------------------------------- */

/* For ereport: the table that stands in the way, as clients and ssot.held_merges
 * see it; and the constraint, where one does. */
static int
error_table(const char *relation)
{
	List	   *names = stringToQualifiedNameList(relation);

	err_generic_string(PG_DIAG_SCHEMA_NAME, strVal(linitial(names)));
	return err_generic_string(PG_DIAG_TABLE_NAME, strVal(lsecond(names)));
}

static int
error_constraint(const char *name)
{
	return name == NULL ? 0 : err_generic_string(PG_DIAG_CONSTRAINT_NAME, name);
}

static void
refuse_table(const SsotEntity *entity, const SsotReferrer *referrer, const char *why,
			 const char *hint)
{
	const char *table = ssot_relation_name(referrer->relid);

	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("records of \"%s\" cannot be merged: table \"%s\" refers to them", entity->name, table),
			 errdetail("%s", why),
			 errhint(hint, table), error_table(table)));
}

/* "c.a = l.x AND c.b = l.y" */
static char *
match_targets(const SsotReferrer *referrer, const char *right)
{
	StringInfoData buf;
	ListCell   *column;
	ListCell   *target;

	initStringInfo(&buf);
	forboth(column, referrer->columns, target, referrer->targets)
		ssot_sql_append(&buf, "%sc.%I = %s%I", buf.len > 0 ? " AND " : "",
						(const char *) lfirst(column), right, (const char *) lfirst(target));
	return buf.data;
}

/*
 * Does a row of the table refer to a lost record? As the table's owner: what the
 * caller may not see refers too.
 *
 * SELECT true FROM ssot_merges AS m
 *   JOIN golden.customer AS l ON l.customer_id = m.lost
 *   JOIN shop.visit AS c ON c.customer_id = l.customer_id LIMIT 1
 */
static bool
any_row_refers(const SsotEntity *entity, const SsotReferrer *referrer, const SsotRelation *merges)
{
	SsotStatement statement = {.nrelations = 1,.relations = merges};
	Datum		value;
	bool		isnull;
	bool		found;
	SsotUser	user;

	if (refers_to_id(entity, referrer))
		statement.sql = ssot_sql("SELECT true FROM " SSOT_MERGES " JOIN %T AS c ON c.%I = m.lost LIMIT 1",
								 ssot_relation_name(referrer->relid),
								 (const char *) linitial(referrer->columns));
	else
		statement.sql = ssot_sql("SELECT true FROM ssot_merges AS m JOIN %T AS l ON l.%I = m.lost"
								 " JOIN %T AS c ON %s LIMIT 1",
								 entity->name, entity->id_column,
								 ssot_relation_name(referrer->relid),
								 match_targets(referrer, "l."));
	user = ssot_become_owner(referrer->relid);
	found = ssot_statement_one(&statement, 1, &value, &isnull);
	ssot_restore_user(user);
	return found;
}

/* Columns that the statements read (mode SELECT) or write. */
static bool
may_use(Oid relid, List *columns, AclMode mode)
{
	ListCell   *cell;

	if (pg_class_aclcheck(relid, GetUserId(), mode) == ACLCHECK_OK)
		return true;
	foreach(cell, columns)
		if (pg_attribute_aclcheck(relid, get_attnum(relid, (const char *) lfirst(cell)),
								  GetUserId(), mode) != ACLCHECK_OK)
		return false;
	return true;
}

/* False where nothing is to be done and the caller need not have any right. */
static bool
check_rights(const SsotEntity *entity, const SsotReferrer *referrer, List *key,
			 const SsotRelation *merges)
{
	bool		hidden = check_enable_rls(referrer->relid, InvalidOid, true) != RLS_NONE;
	bool		may = may_use(referrer->relid, referrer->columns, ACL_UPDATE) &&
	may_use(referrer->relid, list_concat_copy(referrer->columns, key), ACL_SELECT);

	if (may && !hidden)
		return true;
	if (!any_row_refers(entity, referrer, merges))
		return false;
	refuse_table(entity, referrer, !may ?
				 "You may not update the rows that refer to the lost record." :
				 "Row-level policies may hide rows from you that refer to the lost record.",
				 "Ask the owner of %s to do the merge, or to let you see and update its rows.");
	return false;
}

/* ---- the journal --------------------------------------------------------- */

TupleDesc
ssot_moved_desc(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(4);

	TupleDescInitEntry(desc, 1, "lost", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 1, C_COLLATION_OID);
	TupleDescInitEntry(desc, 2, "row_key", JSONBOID, -1, 0);
	TupleDescInitEntry(desc, 3, "old", TEXTARRAYOID, -1, 0);
	TupleDescInitEntry(desc, 4, "new", TEXTARRAYOID, -1, 0);
	return desc;
}

void
ssot_journal_write(const SsotEntity *entity, const char *relation, List *columns,
				   Tuplestorestate *moved, int64 nmoved, TimestampTz t)
{
	static const Oid argtypes[] = {TEXTOID, TEXTOID, TEXTARRAYOID, TIMESTAMPTZOID};
	SsotRelation rows = {"ssot_moved", ssot_moved_desc(), moved, nmoved};
	Datum		names[INDEX_MAX_KEYS];
	int			n = 0;
	Datum		args[4];
	SsotStatement statement = {
		.sql = "INSERT INTO ssot.moved_reference"
		"       (entity, lost_id, relation, columns, row_key, old_values, new_values, moved_at)"
		" SELECT $1, m.lost, $2, $3, m.row_key, m.old, m.new, $4 FROM ssot_moved AS m",
		.nargs = 4,.argtypes = argtypes,.args = args,.nrelations = 1,.relations = &rows
	};
	ListCell   *cell;
	SsotUser	user;

	if (nmoved == 0)
		return;
	foreach(cell, columns)
		names[n++] = CStringGetTextDatum((const char *) lfirst(cell));
	args[0] = CStringGetTextDatum(entity->name);
	args[1] = CStringGetTextDatum(relation);
	args[2] = PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
	args[3] = TimestampTzGetDatum(t);
	user = ssot_become_owner(ssot_companion_oid("ssot.moved_reference"));
	ssot_statement_run(&statement);
	ssot_restore_user(user);
}

static SsotQuery primary_key = {
	.sql =
	"SELECT ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute AS a"
	"              WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) ORDER BY a.attnum)"
	"  FROM pg_catalog.pg_index AS i"
	" WHERE i.indrelid = $1 AND i.indisprimary",
	.nargs = 1,
	.argtypes = {OIDOID},
	.as_of_now = true
};

static List *
primary_key_columns(Oid relid)
{
	Datum		arg = ObjectIdGetDatum(relid);
	Datum		value;
	bool		isnull;

	return ssot_query_one(&primary_key, &arg, NULL, 1, &value, &isnull) ? ssot_text_array_list(value) : NIL;
}

/* "jsonb_build_object('id', c.id::text, ...)", or NULL without a key. */
static char *
key_expression(List *key)
{
	StringInfoData buf;
	ListCell   *cell;

	if (key == NIL)
		return "NULL::jsonb";
	initStringInfo(&buf);
	foreach(cell, key)
		ssot_sql_append(&buf, "%s%L, c.%I::text", buf.len > 0 ? ", " : "",
						(const char *) lfirst(cell), (const char *) lfirst(cell));
	return psprintf("jsonb_build_object(%s)", buf.data);
}

/* ---- there --------------------------------------------------------------- */

/* "prefix.a::text, prefix.b::text" */
static char *
as_text(List *columns, const char *prefix)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, columns)
		ssot_sql_append(&buf, "%s%s%I::text", buf.len > 0 ? ", " : "", prefix,
						(const char *) lfirst(cell));
	return buf.data;
}

/*
 * UPDATE shop.visit AS c SET customer_id = m.kept
 *   FROM ssot_merges AS m
 *  WHERE c.customer_id = m.lost
 * RETURNING m.lost::text, jsonb_build_object('visit_id', c.visit_id::text),
 *           ARRAY[m.lost::text], ARRAY[c.customer_id::text]
 *
 * or, where the key refers to other columns of the canonical table:
 *
 * UPDATE shop.visit AS c SET code = k.code
 *   FROM ssot_merges AS m
 *   JOIN golden.customer AS l ON l.customer_id = m.lost
 *   JOIN golden.customer AS k ON k.customer_id = m.kept
 *  WHERE c.code = l.code
 * RETURNING ...
 */
static char *
repoint_sql(const SsotEntity *entity, const SsotReferrer *referrer, List *key)
{
	const char *table = ssot_relation_name(referrer->relid);
	StringInfoData set;
	ListCell   *column;
	ListCell   *target;

	if (refers_to_id(entity, referrer))
	{
		const char *name = (const char *) linitial(referrer->columns);

		return ssot_sql("UPDATE %T AS c SET %I = m.kept FROM " SSOT_MERGES " WHERE c.%I = m.lost"
						" RETURNING m.lost::text, %s, ARRAY[m.lost::text], ARRAY[c.%I::text]",
						table, name, name, key_expression(key), name);
	}
	initStringInfo(&set);
	forboth(column, referrer->columns, target, referrer->targets)
		ssot_sql_append(&set, "%s%I = k.%I", set.len > 0 ? ", " : "",
						(const char *) lfirst(column), (const char *) lfirst(target));
	return ssot_sql("UPDATE %T AS c SET %s FROM " SSOT_MERGES
					" JOIN %T AS l ON l.%I = m.lost JOIN %T AS k ON k.%I = m.kept"
					" WHERE %s RETURNING m.lost::text, %s, ARRAY[%s], ARRAY[%s]",
					table, set.data, entity->name, entity->id_column,
					entity->name, entity->id_column, match_targets(referrer, "l."),
					key_expression(key), as_text(referrer->targets, "l."),
					as_text(referrer->columns, "c."));
}

typedef struct Moved
{
	TupleDesc	desc;
	Tuplestorestate *rows;
	int64		count;
} Moved;

static bool
take_moved(TupleTableSlot *slot, void *arg)
{
	Moved	   *moved = (Moved *) arg;

	slot_getallattrs(slot);
	tuplestore_putvalues(moved->rows, moved->desc, slot->tts_values, slot->tts_isnull);
	moved->count++;
	return true;
}

void
ssot_refuse_merge(const SsotEntity *entity, ErrorData *error, const char *relation)
{
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("records of \"%s\" cannot be merged: table \"%s\" refers to them",
					entity->name, relation),
			 error->detail != NULL ? errdetail("%s: %s", error->message, error->detail) :
			 errdetail("%s.", error->message),
			 errhint("Change the rows of %s that stand in the way, then merge again.", relation),
			 error_table(relation), error_constraint(error->constraint_name)));
}

/* Run a statement; where it fails for the table's sake, refuse the merge. */
static void
run_or_refuse(const SsotEntity *entity, const char *table, const SsotStatement *statement,
			  Moved *moved)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		ssot_statement_each(statement, take_moved, moved);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (!ssot_error_is_local(error->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		ssot_refuse_merge(entity, error, error->schema_name == NULL || error->table_name == NULL ?
						  table : ssot_qualified_name(error->schema_name, error->table_name));
	}
	PG_END_TRY();
}

void
ssot_repoint_table(const SsotEntity *entity, const SsotReferrer *referrer,
				   const SsotRelation *merges, TimestampTz t)
{
	const char *table = ssot_relation_name(referrer->relid);
	List	   *key = primary_key_columns(referrer->relid);
	Moved		moved = {ssot_moved_desc(), NULL, 0};
	SsotStatement statement = {.nrelations = 1,.relations = merges};
	int			level;

	if (!check_rights(entity, referrer, key, merges))
		return;
	level = ssot_settings_begin(false);
	moved.rows = tuplestore_begin_heap(true, false, work_mem);
	statement.sql = repoint_sql(entity, referrer, key);
	run_or_refuse(entity, table, &statement, &moved);
	ssot_journal_write(entity, table, referrer->columns, moved.rows, moved.count, t);
	tuplestore_end(moved.rows);
	ssot_settings_end(level);
	if (referrer->acts && any_row_refers(entity, referrer, merges))
		refuse_table(entity, referrer, "A trigger or policy of the table keeps rows from being moved.",
					 "Let the triggers of %s pass an UPDATE of its foreign key, or move its rows first.");
}

/* ---- constraints --------------------------------------------------------- */

static SsotQuery deferrable_constraints = {
	.sql =
	"SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.conname),"
	"       c.condeferred"
	"  FROM pg_catalog.pg_constraint AS c"
	"  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace"
	" WHERE c.condeferrable AND (c.conrelid = $1 OR c.confrelid = $1)"
	" ORDER BY 1",
	.nargs = 1,
	.argtypes = {OIDOID},
	.as_of_now = true
};

typedef struct ConstraintNames
{
	StringInfoData all;
	StringInfoData deferred;
} ConstraintNames;

static bool
take_constraint(TupleTableSlot *slot, void *arg)
{
	ConstraintNames *names = (ConstraintNames *) arg;
	char	   *name;

	slot_getallattrs(slot);
	name = TextDatumGetCString(slot->tts_values[0]);
	appendStringInfo(&names->all, "%s%s", names->all.len > 0 ? ", " : "", name);
	if (DatumGetBool(slot->tts_values[1]))
		appendStringInfo(&names->deferred, "%s%s", names->deferred.len > 0 ? ", " : "", name);
	return true;
}

static void
settle_constraints_of(const SsotEntity *entity, Oid relid)
{
	ConstraintNames names;
	Datum		arg = ObjectIdGetDatum(relid);
	Moved		nothing = {0};
	SsotStatement statement = {0};

	initStringInfo(&names.all);
	initStringInfo(&names.deferred);
	ssot_query_each(&deferrable_constraints, &arg, NULL, take_constraint, &names);
	if (names.all.len == 0)
		return;
	statement.sql = psprintf("SET CONSTRAINTS %s IMMEDIATE", names.all.data);
	run_or_refuse(entity, ssot_relation_name(relid), &statement, &nothing);
	if (names.deferred.len > 0)
		ssot_sql_run(psprintf("SET CONSTRAINTS %s DEFERRED", names.deferred.data));
}

void
ssot_settle_constraints(const SsotEntity *entity, List *referrers)
{
	ListCell   *cell;

	settle_constraints_of(entity, entity->relid);
	foreach(cell, referrers)
		settle_constraints_of(entity, ((SsotReferrer *) lfirst(cell))->relid);
}
