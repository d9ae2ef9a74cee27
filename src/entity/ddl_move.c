/*
 * entity/ddl_move.c
 *		The canonical table has another name, schema or owner.
 *
 * Companions, as-of function and view have the table's name in theirs and belong
 * to its owner. They are looked for under the old name and the new one, so that
 * a schema that was renamed with what is in it is nothing special.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/companion.h"
#include "entity/ddl.h"
#include "entity/declare.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/* A thing that has the table's name in its own. */
static void
append_move(StringInfo ddl, const char *kind, const char *args,
			const char *schema, const char *name,
			const char *new_schema, const char *new_name)
{
	if (strcmp(schema, new_schema) != 0)
		ssot_sql_append(ddl, "ALTER %s %T%s SET SCHEMA %I;\n", kind,
						ssot_qualified_name(schema, name), args, new_schema);
	if (strcmp(name, new_name) != 0)
		ssot_sql_append(ddl, "ALTER %s %T%s RENAME TO %I;\n", kind,
						ssot_qualified_name(new_schema, name), args, new_name);
}

/* The schema that holds the relation: the first, or else the second. */
static const char *
schema_of(const char *first, const char *second, const char *name)
{
	Oid			schema = get_namespace_oid(first, true);

	if (OidIsValid(schema) && OidIsValid(get_relname_relid(name, schema)))
		return first;
	schema = get_namespace_oid(second, true);
	return OidIsValid(schema) && OidIsValid(get_relname_relid(name, schema)) ? second : NULL;
}

static void
append_moves(StringInfo ddl, const SsotEntity *old, const SsotEntity *new)
{
	static const char *const suffixes[] = {
		"source", "source_history", "history", "key", "match", "drift", "quarantine", "held"
	};
	char	   *to = psprintf("%s_ssot", new->schema);
	char	   *to_view = psprintf("%s_as_of", new->schema);
	const char *from;
	SsotEntity	at = *old;

	for (int i = 0; i < lengthof(suffixes); i++)
	{
		char	   *name = psprintf("%s_%s", old->table, suffixes[i]);

		from = schema_of(psprintf("%s_ssot", old->schema), to, name);
		if (from != NULL)
			append_move(ddl, "TABLE", "", from, name, to, psprintf("%s_%s", new->table, suffixes[i]));
	}
	from = schema_of(psprintf("%s_as_of", old->schema), to_view, old->table);
	if (from != NULL)
		append_move(ddl, "VIEW", "", from, old->table, to_view, new->table);
	if (!OidIsValid(ssot_as_of_function_oid(&at)))
		at.schema = new->schema;
	if (OidIsValid(ssot_as_of_function_oid(&at)))
		append_move(ddl, "FUNCTION", "(pg_catalog.timestamptz)", at.schema,
					psprintf("%s_at", old->table), new->schema, psprintf("%s_at", new->table));
}

/*
 * A schema that was renamed takes the schemas of its companions with it, grants
 * and all. Done by whoever renamed it.
 */
static void
rename_companion_schema(const SsotEntity *old, const SsotEntity *new, const char *suffix)
{
	char	   *from = psprintf("%s%s", old->schema, suffix);
	char	   *to = psprintf("%s%s", new->schema, suffix);
	int			level;

	if (OidIsValid(get_namespace_oid(old->schema, true)) ||
		!OidIsValid(get_namespace_oid(from, true)) || OidIsValid(get_namespace_oid(to, true)))
		return;
	level = ssot_settings_begin(false);
	ssot_sql_run(ssot_sql("ALTER SCHEMA %I RENAME TO %I", from, to));
	ssot_settings_end(level);
}

static void
require_short_name(const SsotEntity *entity)
{
	if (strlen(entity->schema) + strlen("_as_of") >= NAMEDATALEN ||
		strlen(entity->table) + strlen("_source_history") >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("the name of entity \"%s\" is too long", entity->name),
				 errdetail("Companions are named %s_ssot.%s_source_history; a name has at most %d bytes.",
						   entity->schema, entity->table, NAMEDATALEN - 1),
				 errhint("Choose a shorter name.")));
}

/*
 * Whether the new schema is one that can hold an entity is not asked again: the
 * table's own checks do not depend on it.
 */
void
ssot_follow_name(Oid relid, const char *registered)
{
	List	   *names = ssot_name_list(registered);
	SsotEntity	old = {.relid = relid,.name = pstrdup(registered)};
	SsotEntity	new = {.relid = relid,.name = ssot_entity_name(relid)};
	SsotEntity *entity;
	StringInfoData ddl;

	old.schema = strVal(linitial(names));
	old.table = strVal(llast(names));
	new.schema = get_namespace_name(get_rel_namespace(relid));
	new.table = get_rel_name(relid);
	require_short_name(&new);
	rename_companion_schema(&old, &new, "_ssot");
	rename_companion_schema(&old, &new, "_as_of");
	ssot_require_companion_schemas(&new);

	initStringInfo(&ddl);
	append_moves(&ddl, &old, &new);
	ssot_append_identity_trigger(&ddl, &new);
	ssot_ddl_run(&new, ddl.data);
	ssot_map_rename_entity(old.name, new.name);
	entity = ssot_entity_load(relid, false);
	ssot_follow_as_of(entity, true);
}

static Oid
schema_owner(const char *schema)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACENAME, CStringGetDatum(schema));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

static Oid
function_owner(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/*
 * GRANT USAGE, CREATE ON SCHEMA golden_ssot, golden_as_of TO bob;
 * ALTER TABLE golden_ssot.customer_source OWNER TO bob; ...
 * ALTER FUNCTION golden.customer_at(timestamptz) OWNER TO bob;
 *
 * As the user, who was able to do the same to the table.
 */
void
ssot_follow_owner(const SsotEntity *entity)
{
	const char *const relations[] = {
		entity->source_table, entity->source_history_table, entity->history_table,
		entity->key_table, entity->match_table, entity->drift_table, entity->quarantine_table,
		entity->held_table,
		ssot_as_of_view(entity)
	};
	static const char *const suffixes[] = {"_ssot", "_as_of"};
	Oid			owner = ssot_relation_owner(entity->relid);
	char	   *name = GetUserNameFromId(owner, false);
	Oid			function = function_owner(ssot_as_of_function_oid(entity));
	StringInfoData ddl;
	int			level;

	initStringInfo(&ddl);
	for (int i = 0; i < lengthof(relations); i++)
	{
		Oid			relid = ssot_relation_oid(relations[i]);

		if (OidIsValid(relid) && ssot_relation_owner(relid) != owner)
			ssot_sql_append(&ddl, "ALTER TABLE %T OWNER TO %I;\n", relations[i], name);
	}
	if (OidIsValid(function) && function != owner)
		ssot_sql_append(&ddl, "ALTER FUNCTION %T(pg_catalog.timestamptz) OWNER TO %I;\n",
						ssot_as_of_function(entity), name);
	if (ddl.len == 0)
		return;
	level = ssot_settings_begin(false);
	for (int i = 0; i < lengthof(suffixes); i++)
	{
		char	   *schema = psprintf("%s%s", entity->schema, suffixes[i]);

		if (!has_privs_of_role(owner, schema_owner(schema)))
			ssot_sql_run(ssot_sql("GRANT USAGE, CREATE ON SCHEMA %I TO %I", schema, name));
	}
	ssot_sql_run(ddl.data);
	ssot_settings_end(level);
}
