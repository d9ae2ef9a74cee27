/*
 * entity/ddl_sync.c
 *		Event triggers: the user's DDL on canonical tables is followed, or refused.
 *
 * A canonical table is the user's, who alters it with ordinary DDL. Three event
 * triggers hear of it:
 *
 *	ddl_command_start	ALTER TABLE ... DROP COLUMN, ALTER COLUMN TYPE: the values
 *						of a column go to history while they can be read, and the
 *						as-of view lets go of the columns, which it would block. A
 *						rename: what definitions mean is noted while it can be read.
 *	sql_drop			a dropped column: what was declared about it goes, what was
 *						believed stays. A dropped entity or companion: refused.
 *	ddl_command_end		everything else: names, owners and columns of companions
 *						are compared with the table's and made to follow.
 *
 * Which table is which entity is told by the identity trigger (companion.h): its
 * argument is the name that is registered, and it moves with the table. A table
 * without that trigger is not looked at. pg_restore makes triggers after tables
 * and data, and drops them before tables; so a restore, with --clean too, meets
 * nobody here, and what it has restored is in step already.
 *
 * Locks: the canonical table is locked in ACCESS EXCLUSIVE mode before the clock is
 * taken. Whoever holds the clock of an entity holds a lock on its table too, so
 * the two do not wait for each other. Where the as-of view will follow, it is
 * locked with the table at ddl_command_start, before the user's command does.
 *
 * Not seen: what is done while event triggers are disabled. Missing columns are
 * caught up with at the next ALTER TABLE of the entity; a rename is not
 * recognised as one.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/locks.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/companion.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/declare.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ssot_ddl_begins);
PG_FUNCTION_INFO_V1(ssot_ddl_drops);
PG_FUNCTION_INFO_V1(ssot_ddl_ends);

SsotDdlHooks ssot_ddl_hooks;

static int	own_ddl;

void
ssot_own_ddl_begin(void)
{
	own_ddl++;
}

void
ssot_own_ddl_end(void)
{
	own_ddl--;
}

void
ssot_ddl_run(const SsotEntity *entity, const char *ddl)
{
	int			level;
	SsotUser	user;

	if (*ddl == '\0')
		return;
	level = ssot_settings_begin(false);
	user = ssot_become_owner(entity->relid);
	ssot_sql_run(ddl);
	ssot_restore_user(user);
	ssot_settings_end(level);
}

void
ssot_ddl_convert(const SsotEntity *entity, const char *ddl)
{
	int			level;
	SsotUser	user;

	if (*ddl == '\0')
		return;
	level = ssot_search_path_begin();
	user = ssot_become_owner(entity->relid);
	ssot_sql_run(ddl);
	ssot_restore_user(user);
	ssot_settings_end(level);
}

/*
 * Our own DDL, that of our extension's scripts, and pg_upgrade's are none of our
 * business.
 */
static Node *
user_command(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function can be called only by an event trigger")));
	if (own_ddl > 0 || IsBinaryUpgrade ||
		(creating_extension && CurrentExtensionObject == get_extension_oid("ssot", true)))
		return NULL;
	return ((EventTriggerData *) fcinfo->context)->parsetree;
}

/* Let "listen" look at what the user commands; what it commands itself is not
 * heard again. */
static Datum
hear(FunctionCallInfo fcinfo, void (*listen) (Node *command))
{
	Node	   *command = user_command(fcinfo);

	if (command == NULL)
		return PointerGetDatum(NULL);
	ssot_own_ddl_begin();
	PG_TRY();
	{
		listen(command);
	}
	PG_FINALLY();
	{
		ssot_own_ddl_end();
	}
	PG_END_TRY();
	return PointerGetDatum(NULL);
}

/* The registered name that a table carries, or NULL if it is no entity's. */
static SsotQuery identity_query = {
	.sql =
	"SELECT e.entity\n"
	"FROM pg_catalog.pg_trigger AS t\n"
	"JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid\n"
	"JOIN ssot.entity AS e\n"
	"    ON t.tgargs = pg_catalog.convert_to(e.entity, pg_catalog.getdatabaseencoding()::pg_catalog.text)\n"
	"                  || pg_catalog.decode('00', 'hex')\n"
	"WHERE t.tgrelid = $1\n"
	"  AND t.tgname = 'ssot_before_truncate'\n"
	"  AND p.prosrc = 'ssot_golden_before_truncate'",
	.nargs = 1,
	.argtypes = {OIDOID},
	.as_of_now = true
};

static char *
registered_name(Oid relid)
{
	Datum		arg = ObjectIdGetDatum(relid);
	Datum		name;
	bool		isnull;

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION ||
		!ssot_config_one(&identity_query, &arg, NULL, 1, &name, &isnull))
		return NULL;
	return TextDatumGetCString(name);
}

/* ---- ddl_command_start --------------------------------------------------- */

static void
refuse_column(const SsotEntity *entity, const char *column, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot %s column \"%s\" of entity \"%s\"", what, column, entity->name),
			 errdetail("The golden id, valid_from and retired_at are what history and crosswalk hang on."),
			 errhint("Call ssot.unregister_entity(%s) first.", quote_literal_cstr(entity->name))));
}

static bool
is_kept_column(const SsotEntity *entity, const char *column)
{
	return strcmp(column, SSOT_VALID_FROM) == 0 || strcmp(column, SSOT_RETIRED_AT) == 0;
}

/* The columns that the command drops; whether it changes a type, and the golden
 * id's. */
static List *
columns_dropped(const SsotEntity *entity, const AlterTableStmt *stmt, bool *retyped,
				bool *id_retyped)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = (AlterTableCmd *) lfirst(lc);

		if (cmd->subtype == AT_AlterColumnType)
		{
			if (is_kept_column(entity, cmd->name))
				refuse_column(entity, cmd->name, "change the type of");
			*retyped = true;
			*id_retyped |= strcmp(cmd->name, entity->id_column) == 0;
		}
		if (cmd->subtype != AT_DropColumn ||
			get_attnum(entity->relid, cmd->name) == InvalidAttrNumber)
			continue;
		if (is_kept_column(entity, cmd->name) || strcmp(cmd->name, entity->id_column) == 0)
			refuse_column(entity, cmd->name, "drop");
		columns = lappend(columns, cmd->name);
	}
	return columns;
}

/*
 * The registered name of the table, if it is an entity's: the command at hand
 * changes it, and its as-of view. Whoever may not alter the table is left to the
 * command, which says so.
 */
static char *
name_to_lock(Oid relid)
{
	char	   *registered = registered_name(relid);

	return registered == NULL || !has_privs_of_role(GetUserId(), ssot_relation_owner(relid)) ?
		NULL : registered;
}

/* Does the as-of view follow what the command does? */
static bool
changes_view(const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		switch (((AlterTableCmd *) lfirst(lc))->subtype)
		{
			case AT_AddColumn:
			case AT_DropColumn:
			case AT_AlterColumnType:
			case AT_ChangeOwner:
				return true;
			default:
				break;
		}
	}
	return false;
}

static bool
changes_owner(const Node *command)
{
	ListCell   *lc;

	if (!IsA(command, AlterTableStmt))
		return false;
	foreach(lc, ((const AlterTableStmt *) command)->cmds)
		if (((AlterTableCmd *) lfirst(lc))->subtype == AT_ChangeOwner)
		return true;
	return false;
}

static List *
alter_locks(void *arg)
{
	AlterTableStmt *stmt = (AlterTableStmt *) arg;
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	char	   *registered = name_to_lock(relid);
	List	   *locks;

	if (registered == NULL)
		return NIL;
	locks = ssot_entity_locks(NIL, relid, registered);
	return changes_owner((Node *) stmt) ? ssot_ddl_hooks.owner_locks(relid, locks) : locks;
}

static void
alter_begins(AlterTableStmt *stmt)
{
	Oid			relid;
	SsotEntity *entity;
	List	   *columns;
	bool		retyped = false;
	bool		id_retyped = false;

	if (!changes_view(stmt))
		return;
	ssot_locks_take(alter_locks, stmt);
	relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	if (name_to_lock(relid) == NULL)
		return;
	entity = ssot_entity_load(relid, true);
	if (entity == NULL)
		return;
	columns = columns_dropped(entity, stmt, &retyped, &id_retyped);
	if (columns != NIL)
		ssot_ddl_hooks.keep_values(entity, columns);
	if (columns != NIL || retyped)
		ssot_release_view(entity);
	if (id_retyped)
		ssot_release_policies(entity);
}

/* A column, or the table; a schema's entities are the hook's. */
static List *
rename_locks(void *arg)
{
	Node	   *command = (Node *) arg;
	RangeVar   *relation = NULL;
	List	   *locks = NIL;

	if (IsA(command, AlterObjectSchemaStmt))
		relation = ((AlterObjectSchemaStmt *) command)->relation;
	else if (((RenameStmt *) command)->renameType == OBJECT_TABLE ||
			 ((RenameStmt *) command)->renameType == OBJECT_COLUMN)
		relation = ((RenameStmt *) command)->relation;
	if (relation != NULL)
	{
		Oid			relid = RangeVarGetRelid(relation, NoLock, true);
		char	   *registered = name_to_lock(relid);

		if (registered != NULL)
			locks = ssot_entity_locks(locks, relid, registered);
	}
	return ssot_ddl_hooks.rename_locks(command, locks);
}

static void
rename_begins(Node *command)
{
	ssot_locks_take(rename_locks, command);
	ssot_ddl_hooks.before_rename(command);
}

static void
refuse_drop(const char *entity, const char *companion)
{
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 companion == NULL ?
			 errmsg("cannot drop \"%s\": it is a registered entity", entity) :
			 errmsg("cannot drop \"%s\": it is a companion of the entity \"%s\"", companion, entity),
			 errdetail("History is never dropped by the way."),
			 errhint("Call ssot.unregister_entity(%s) first; it keeps the companions unless drop_companions => true.",
					 quote_literal_cstr(entity))));
}

/* PostgreSQL would refuse too, but advise CASCADE. */
static void
drop_begins(const DropStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->objects)
	{
		RangeVar   *var = makeRangeVarFromNameList((List *) lfirst(lc));
		Oid			relid = RangeVarGetRelid(var, NoLock, true);
		char	   *name = registered_name(relid);

		if (name != NULL && has_privs_of_role(GetUserId(), ssot_relation_owner(relid)))
			refuse_drop(name, NULL);
	}
}

static void
command_begins(Node *command)
{
	if (IsA(command, AlterTableStmt) && ((AlterTableStmt *) command)->objtype == OBJECT_TABLE)
		alter_begins((AlterTableStmt *) command);
	else if (IsA(command, DropStmt) && ((DropStmt *) command)->removeType == OBJECT_TABLE)
		drop_begins((DropStmt *) command);
	else if (IsA(command, RenameStmt) || IsA(command, AlterObjectSchemaStmt))
		rename_begins(command);
}

Datum
ssot_ddl_begins(PG_FUNCTION_ARGS)
{
	return hear(fcinfo, command_begins);
}

/* ---- sql_drop ------------------------------------------------------------ */

/*
 * Entities (with their identity trigger, or not), companions, columns and
 * triggers of entities that the command dropped.
 */
static SsotQuery dropped_query = {
	.sql =
	"WITH dropped AS MATERIALIZED (\n"
	"    SELECT d.object_type, d.address_names AS names, d.object_identity\n"
	"    FROM pg_catalog.pg_event_trigger_dropped_objects() AS d\n"
	"    WHERE d.object_type IN ('table', 'table column', 'trigger')\n"
	"), entity AS MATERIALIZED (\n"
	"    SELECT e.entity, pg_catalog.parse_ident(e.entity) AS names\n"
	"    FROM ssot.entity AS e\n"
	"    WHERE EXISTS (SELECT FROM dropped)\n"
	")\n"
	"SELECT CASE WHEN d.object_type = 'table'\n"
	"            THEN CASE WHEN EXISTS (\n"
	"                          SELECT\n"
	"                          FROM dropped AS t\n"
	"                          WHERE t.object_type = 'trigger'\n"
	"                            AND t.names = e.names || 'ssot_before_truncate'::pg_catalog.text)\n"
	"                      THEN 'entity' ELSE 'unguarded' END\n"
	"            ELSE d.object_type END,\n"
	"       e.entity, d.names[3]\n"
	"FROM dropped AS d\n"
	"JOIN entity AS e ON e.names = d.names[1:2]\n"
	"UNION ALL\n"
	"SELECT CASE WHEN d.object_type = 'table' THEN 'companion' ELSE 'companion column' END,\n"
	"       e.entity, coalesce(d.names[3], d.object_identity)\n"
	"FROM dropped AS d\n"
	"JOIN entity AS e\n"
	"    ON d.names[1] = e.names[1] || '_ssot'\n"
	"       AND d.names[2] IN (e.names[2] || '_source', e.names[2] || '_source_history',\n"
	"                          e.names[2] || '_history', e.names[2] || '_key',\n"
	"                          e.names[2] || '_match', e.names[2] || '_drift', e.names[2] || '_quarantine',\n"
	"                          e.names[2] || '_held')\n"
	"WHERE d.object_type IN ('table', 'table column')\n"
	"ORDER BY 2, 1, 3",
	.nargs = 0,
	.as_of_now = true
};

typedef struct Dropped
{
	char	   *kind;
	char	   *entity;
	char	   *name;			/* column, trigger or companion; or NULL */
} Dropped;

static bool
take_dropped(TupleTableSlot *slot, void *arg)
{
	List	  **list = (List **) arg;
	Dropped    *dropped = palloc(sizeof(Dropped));
	char	  **parts[] = {&dropped->kind, &dropped->entity, &dropped->name};

	for (int i = 0; i < lengthof(parts); i++)
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, i + 1, &isnull);

		*parts[i] = isnull ? NULL : TextDatumGetCString(value);
	}
	*list = lappend(*list, dropped);
	return true;
}

/* The table of an entity that is guarded by its triggers, or InvalidOid. */
static Oid
guarded_table(const char *entity)
{
	List	   *names = ssot_name_list(entity);
	Oid			schema = get_namespace_oid(strVal(linitial(names)), true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(strVal(llast(names)), schema) : InvalidOid;
	char	   *registered = registered_name(relid);

	return registered != NULL && strcmp(registered, entity) == 0 ? relid : InvalidOid;
}

static void
column_dropped(const Dropped *dropped)
{
	Oid			relid = guarded_table(dropped->entity);
	SsotEntity	unloaded = {.name = dropped->entity};
	SsotEntity *entity;

	if (!OidIsValid(relid))
		return;
	if (is_kept_column(&unloaded, dropped->name))
		refuse_column(&unloaded, dropped->name, "drop");
	ssot_map_require_seen(dropped->entity);
	entity = ssot_entity_load(relid, false);
	ssot_follow_drop(entity, dropped->name);
}

/*
 * A column that the entity has no longer may be taken from history by who says
 * so: personal data must be erasable. What goes by the way, as with a type that
 * is dropped, is refused.
 */
static void
companion_column_dropped(const Dropped *dropped, const Node *command)
{
	Oid			relid = guarded_table(dropped->entity);

	if (!OidIsValid(relid) ||
		(IsA(command, AlterTableStmt) && get_attnum(relid, dropped->name) == InvalidAttrNumber))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop column \"%s\" of a companion of the entity \"%s\"",
					dropped->name, dropped->entity),
			 errdetail("History is never dropped by the way."),
			 errhint("ALTER TABLE ... DROP COLUMN of the entity keeps the column in history; after that, the same of the companion takes it from there.")));
}

static void
trigger_dropped(const Dropped *dropped)
{
	if (strncmp(dropped->name, "ssot_", 5) != 0 ||
		!OidIsValid(RangeVarGetRelid(makeRangeVarFromNameList(ssot_name_list(dropped->entity)),
									 NoLock, true)))
		return;
	ereport(WARNING,
			(errmsg("entity \"%s\" has lost its trigger \"%s\"", dropped->entity, dropped->name),
			 errdetail("Its history is incomplete from now on, and the table is not guarded against DROP."),
			 errhint("Call ssot.unregister_entity if it is no longer an entity.")));
}

static void
objects_dropped(Node *command)
{
	List	   *list = NIL;
	ListCell   *lc;

	ssot_config_each(&dropped_query, NULL, NULL, take_dropped, &list);
	foreach(lc, list)
	{
		Dropped    *dropped = (Dropped *) lfirst(lc);

		if (strcmp(dropped->kind, "entity") == 0)
			refuse_drop(dropped->entity, NULL);
		else if (strcmp(dropped->kind, "companion") == 0 &&
				 OidIsValid(guarded_table(dropped->entity)))
			refuse_drop(dropped->entity, dropped->name);
		else if (strcmp(dropped->kind, "companion column") == 0)
			companion_column_dropped(dropped, command);
		else if (strcmp(dropped->kind, "table column") == 0)
			column_dropped(dropped);
		else if (strcmp(dropped->kind, "trigger") == 0)
			trigger_dropped(dropped);
	}
}

Datum
ssot_ddl_drops(PG_FUNCTION_ARGS)
{
	return hear(fcinfo, objects_dropped);
}

/* ---- ddl_command_end ----------------------------------------------------- */

/* Tables that the command altered; all entities' if it altered a schema. */
static SsotQuery altered_query = {
	.sql =
	"WITH command AS MATERIALIZED (\n"
	"    SELECT c.classid, c.objid, c.command_tag\n"
	"    FROM pg_catalog.pg_event_trigger_ddl_commands() AS c\n"
	")\n"
	"SELECT c.objid\n"
	"FROM command AS c\n"
	"WHERE c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
	"UNION\n"
	"SELECT t.tgrelid\n"
	"FROM pg_catalog.pg_trigger AS t\n"
	"WHERE t.tgname = 'ssot_before_truncate'\n"
	"  AND EXISTS (SELECT FROM command AS c WHERE c.command_tag = 'ALTER SCHEMA')\n"
	"ORDER BY 1",
	.nargs = 0,
	.as_of_now = true
};

static bool
take_oid(TupleTableSlot *slot, void *arg)
{
	List	  **list = (List **) arg;
	bool		isnull;
	Datum		value = slot_getattr(slot, 1, &isnull);

	*list = lappend_oid(*list, isnull ? InvalidOid : DatumGetObjectId(value));
	return true;
}

/* Does the command change what a row of the table must satisfy? The constraints
 * that a restore adds are the old ones. */
static bool
changes_constraints(const Node *command)
{
	ListCell   *lc;

	if (!IsA(command, AlterTableStmt) || ssot_restoring())
		return false;
	foreach(lc, ((const AlterTableStmt *) command)->cmds)
	{
		switch (((AlterTableCmd *) lfirst(lc))->subtype)
		{
			case AT_AddConstraint:
			case AT_AlterConstraint:
			case AT_ValidateConstraint:
			case AT_DropConstraint:
			case AT_SetNotNull:
			case AT_DropNotNull:
				return true;
			default:
				break;
		}
	}
	return false;
}

/* The column that the command renamed in the table, or NULL. */
static const RenameStmt *
column_rename(const Node *command, Oid relid)
{
	const RenameStmt *stmt = (const RenameStmt *) command;

	if (!IsA(command, RenameStmt) || stmt->renameType != OBJECT_COLUMN ||
		stmt->relation == NULL || RangeVarGetRelid(stmt->relation, NoLock, true) != relid)
		return NULL;
	return stmt;
}

static void
follow_rename(Oid relid, const char *registered, const RenameStmt *stmt)
{
	SsotEntity	unloaded = {.name = (char *) registered};

	if (is_kept_column(&unloaded, stmt->subname))
		refuse_column(&unloaded, stmt->subname, "rename");
	ssot_follow_rename(relid, registered, stmt->subname, stmt->newname);
}

/* What register_entity would refuse, and ALTER TABLE can make of a table. */
static void
require_usable(const SsotEntity *entity)
{
	Relation	rel = table_open(entity->relid, NoLock);

	if (rel->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("entity \"%s\" cannot be unlogged", entity->name),
				 errdetail("The truth must outlive a crash."),
				 errhint("Call ssot.unregister_entity first if it need not be an entity.")));
	if (rel->rd_rel->relforcerowsecurity)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("row-level security of entity \"%s\" cannot be forced on its owner", entity->name),
				 errdetail("A run must see every row."),
				 errhint("ENABLE ROW LEVEL SECURITY without FORCE applies to everybody but the owner.")));
	if (!OidIsValid(RelationGetPrimaryKeyIndex(rel)))
		ereport(WARNING,
				(errmsg("entity \"%s\" has no primary key", entity->name),
				 errdetail("Nothing keeps golden ids unique."),
				 errhint("ALTER TABLE %s ADD PRIMARY KEY (%s).", entity->name,
						 quote_identifier(entity->id_column))));
	table_close(rel, NoLock);
}

static void
table_altered(Oid relid, const Node *command)
{
	char	   *registered = registered_name(relid);
	const RenameStmt *rename;
	SsotEntity *entity;

	if (registered == NULL)
		return;
	ssot_map_require_seen(registered);
	rename = column_rename(command, relid);
	if (rename != NULL)
		follow_rename(relid, registered, rename);
	if (strcmp(registered, ssot_entity_name(relid)) != 0)
		ssot_follow_name(relid, registered);
	entity = ssot_entity_load(relid, false);
	require_usable(entity);
	ssot_require_column_names(entity);
	ssot_follow_owner(entity);
	if (changes_owner(command))
		ssot_ddl_hooks.follow_owner(entity);
	if (ssot_follow_columns(entity) || changes_constraints(command))
		ssot_map_read_anew(entity->name);
}

/*
 * COMMENT ON COLUMN golden_as_of.customer.email IS '...'; as the table's column has
 * it now. What reads the past explains itself as the table does.
 */
static void
column_commented(Oid relid, const CommentStmt *stmt)
{
	char	   *registered;
	SsotEntity *entity;
	char	   *view;
	const char *column;

	if (stmt->objtype != OBJECT_COLUMN || (registered = registered_name(relid)) == NULL)
		return;
	entity = ssot_entity_load(relid, false);
	view = ssot_as_of_view(entity);
	column = strVal(llast((List *) stmt->object));
	if (ssot_has_column(ssot_relation_oid(view), column))
		ssot_ddl_run(entity, stmt->comment == NULL ?
					 ssot_sql("COMMENT ON COLUMN %T.%I IS NULL", view, column) :
					 ssot_sql("COMMENT ON COLUMN %T.%I IS %L", view, column, stmt->comment));
}

static void
command_ended(Node *command)
{
	List	   *list = NIL;
	ListCell   *lc;

	ssot_config_each(&altered_query, NULL, NULL, take_oid, &list);
	foreach(lc, list)
	{
		if (IsA(command, CommentStmt))
			column_commented(lfirst_oid(lc), (CommentStmt *) command);
		else
			table_altered(lfirst_oid(lc), command);
	}
	if (IsA(command, RenameStmt) || IsA(command, AlterObjectSchemaStmt))
		ssot_ddl_hooks.after_rename(command);
}

Datum
ssot_ddl_ends(PG_FUNCTION_ARGS)
{
	return hear(fcinfo, command_ended);
}
