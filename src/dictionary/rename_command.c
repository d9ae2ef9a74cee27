/*
 * dictionary/rename_command.c
 *		What a command renames, whether definitions can name it, and what must be
 *		locked for it.
 *
 * Most renames in a database concern no definition, and lock nothing of ours. Those
 * that do lock what they change before anything is done, without waiting for one
 * thing with another in hand: readers of a metric's view lock it before its tables.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/locks.h"
#include "common/owner.h"
#include "common/query.h"
#include "dictionary/metric_owner.h"
#include "dictionary/rename_command.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/declare.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static char *
last_name(Node *object)
{
	if (IsA(object, ObjectWithArgs))
		return strVal(llast(((ObjectWithArgs *) object)->objname));
	if (IsA(object, TypeName))
		return strVal(llast(((TypeName *) object)->names));
	if (IsA(object, List))
		return strVal(llast((List *) object));
	return IsA(object, String) ? strVal(object) : NULL;
}

/* How to look for the name in text of JSON; where that may write it otherwise, any text
 * is taken for one that has it. */
static const char *
name_in_text(const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
		if (*c == '"' || *c == '\\' || (unsigned char) *c < ' ')
			return "";
	return name;
}

/* False for a command that renames nothing that a definition can name. */
static bool
read_command(Node *command, SsotRenaming *renaming)
{
	ObjectType	type = IsA(command, RenameStmt) ? ((RenameStmt *) command)->renameType :
	((AlterObjectSchemaStmt *) command)->objectType;
	RangeVar   *relation = IsA(command, RenameStmt) ? ((RenameStmt *) command)->relation :
	((AlterObjectSchemaStmt *) command)->relation;
	Node	   *object = IsA(command, RenameStmt) ? ((RenameStmt *) command)->object :
	((AlterObjectSchemaStmt *) command)->object;
	const char *name = NULL;

	*renaming = (SsotRenaming)
	{
		.is_column = type == OBJECT_COLUMN
	};
	switch (type)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_MATVIEW:
		case OBJECT_FOREIGN_TABLE:
		case OBJECT_COLUMN:
			renaming->relation = relation;
			return relation != NULL;
		case OBJECT_SCHEMA:
			renaming->schema = ((RenameStmt *) command)->subname;
			name = renaming->schema;
			break;
		case OBJECT_ATTRIBUTE:
			name = ((RenameStmt *) command)->subname;
			break;
		case OBJECT_EXTENSION:
			name = "";			/* whatever it holds */
			break;
		case OBJECT_AGGREGATE:
		case OBJECT_COLLATION:
		case OBJECT_DOMAIN:
		case OBJECT_FUNCTION:
		case OBJECT_OPERATOR:
		case OBJECT_ROUTINE:
		case OBJECT_TYPE:
			name = object == NULL ? NULL : last_name(object);
			break;
		default:
			break;
	}
	renaming->text = name == NULL ? NULL : name_in_text(name);
	return renaming->text != NULL;
}

/* Is there a definition in whose text the name occurs? */
static SsotQuery names_query = {
	.sql =
	"SELECT true FROM ssot.definition_version AS v\n"
	"WHERE pg_catalog.strpos(coalesce(v.compiled::pg_catalog.text, '') || v.reads::pg_catalog.text\n"
	"          || coalesce(v.basis::pg_catalog.text, ''), $1) > 0\n"
	"LIMIT 1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.as_of_now = true
};

/* Does a view read the relation? Then its text, which sources may read, names it. */
static SsotQuery viewed_query = {
	.sql =
	"SELECT true FROM pg_catalog.pg_depend AS d\n"
	"WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $1\n"
	"  AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass\n"
	"LIMIT 1",
	.nargs = 1,
	.argtypes = {OIDOID},
	.as_of_now = true
};

/* Is the relation of that name an entity? */
static SsotQuery registered_query = {
	.sql = "SELECT true FROM ssot.entity AS e WHERE e.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.as_of_now = true
};

static bool
found(SsotQuery *query, Datum arg)
{
	Datum		value;
	bool		isnull;

	return ssot_config_one(query, &arg, NULL, 1, &value, &isnull);
}

static void
find_relation(SsotRenaming *renaming)
{
	Oid			relid = renaming->relation == NULL ? InvalidOid :
	RangeVarGetRelid(renaming->relation, NoLock, true);

	if (!OidIsValid(relid) || !has_privs_of_role(GetUserId(), ssot_relation_owner(relid)))
		return;
	switch (get_rel_relkind(relid))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
			renaming->relid = relid;
			renaming->is_entity = found(&registered_query, CStringGetTextDatum(ssot_entity_name(relid)));
			break;
		default:
			break;
	}
}

bool
ssot_renaming_read(Node *command, SsotRenaming *renaming)
{
	char		kind;

	if (!read_command(command, renaming))
		return false;
	if (renaming->relation == NULL)
		return found(&names_query, CStringGetTextDatum(renaming->text));
	find_relation(renaming);
	if (!OidIsValid(renaming->relid) || !found(&names_query, CStringGetTextDatum("")))
		return false;
	kind = get_rel_relkind(renaming->relid);
	return renaming->is_entity || kind == RELKIND_VIEW || kind == RELKIND_MATVIEW ||
		found(&viewed_query, ObjectIdGetDatum(renaming->relid));
}

/* ---- locks ----------------------------------------------------------------- */

/* Entities of a schema that the user may rename. */
static SsotQuery schema_query = {
	.sql =
	"SELECT e.entity FROM ssot.entity AS e\n"
	"JOIN pg_catalog.pg_namespace AS n ON n.nspname = (pg_catalog.parse_ident(e.entity))[1]\n"
	"WHERE n.nspname = $1 AND pg_catalog.pg_has_role($2, n.nspowner, 'USAGE')\n"
	"ORDER BY e.entity COLLATE \"C\"",
	.nargs = 2,
	.argtypes = {TEXTOID, OIDOID},
	.as_of_now = true
};

/* The views of metrics come first, as with those who read them: *views; then what the
 * entities are read by, and they themselves: *tables. */
static void
add_schema(List **views, List **tables, const char *schema)
{
	Datum		args[2] = {CStringGetTextDatum(schema), ObjectIdGetDatum(GetUserId())};
	List	   *names = NIL;
	ListCell   *cell;

	ssot_config_each(&schema_query, args, NULL, ssot_take_text, &names);
	foreach(cell, names)
	{
		Oid			relid = ssot_relation_oid((const char *) lfirst(cell));

		if (!OidIsValid(relid))
			continue;
		*views = ssot_metric_view_locks(*views, relid);
		*tables = ssot_entity_locks(*tables, relid, (const char *) lfirst(cell));
	}
}

List *
ssot_renaming_locks(Node *command, List *locks)
{
	SsotRenaming renaming;
	List	   *views = NIL;

	if (!ssot_renaming_read(command, &renaming))
		return locks;
	if (renaming.schema != NULL)
		add_schema(&views, &locks, renaming.schema);
	if (renaming.is_entity && !renaming.is_column)
		views = ssot_metric_view_locks(views, renaming.relid);
	locks = ssot_locks_add(locks, renaming.relid, AccessExclusiveLock);
	locks = list_concat(views, locks);
	return ssot_locks_add(locks, ssot_relation_oid("ssot.definition_version"), ShareRowExclusiveLock);
}
