/*
 * entity/rights.c
 *		Who may read, correct and run an entity: ssot.grant_reader, grant_steward,
 *		grant_admin and their revokes.
 *
 * What a role sees in companions is decided by their policies, which ask the
 * canonical table each time (companion_policy.c); here it gets the privileges
 * that each kind of work takes, on the table and on its companions.
 *
 * The functions grant what PostgreSQL would let the caller grant: statements on
 * tables run under the caller's rights. EXECUTE on functions of the extension is
 * given as their owner, and only by who has it.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/config.h"
#include "entity/declare.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ssot_grant_reader);
PG_FUNCTION_INFO_V1(ssot_grant_steward);
PG_FUNCTION_INFO_V1(ssot_grant_admin);
PG_FUNCTION_INFO_V1(ssot_revoke_reader);
PG_FUNCTION_INFO_V1(ssot_revoke_steward);
PG_FUNCTION_INFO_V1(ssot_revoke_admin);

/* ---- what the grants share ------------------------------------------------ */

/* An entity, and the role that is given rights on it or loses them. */
typedef struct Grant
{
	SsotEntity *entity;
	char	   *role;			/* its name */
	char	   *quoted;			/* as SQL */
	List	   *columns;		/* char *: columns that it may read; NIL: all */
	int			level;			/* of settings */
} Grant;

/* What stewards and admins run. All these ask for rights on the table too. */
static const char *const steward_functions = "{pin,unpin,merge,unmerge,split,retire,restore,"
"confirm_match,reject_match}";
static const char *const admin_functions =
"{alter_entity,unregister_entity,create_source,alter_source,drop_source,set_value_map,"
"set_authority,set_pin_policy,set_matching,unset_matching,reconcile,reconcile_all,settle,schedule,unschedule,grant_reader,grant_steward,"
"grant_admin,revoke_reader,revoke_steward,revoke_admin}";

static void
begin_grant(FunctionCallInfo fcinfo, Grant *grant)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("entity and role must not be null"),
				 errhint("For example: ssot.grant_reader('golden.customer', 'bi').")));
	memset(grant, 0, sizeof(Grant));
	ssot_require_ownership(PG_GETARG_OID(0));

	/*
	 * GRANT takes no lock, and two of one object, or one and an ALTER TABLE,
	 * fail with "tuple concurrently updated". So these wait for each other,
	 * and for the table's DDL, which its companions follow; functions are
	 * shared by all entities.
	 */
	LockRelationOid(PG_GETARG_OID(0), ShareUpdateExclusiveLock);
	LockRelationOid(ssot_companion_oid("ssot.entity"), ShareUpdateExclusiveLock);
	grant->entity = ssot_entity_load(PG_GETARG_OID(0), false);
	grant->role = ssot_text_arg(fcinfo, 1);
	if (!OidIsValid(get_role_oid(grant->role, true)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist", grant->role),
				 errhint("Name one role as it is in pg_roles, without quotes; PUBLIC is none.")));
	grant->quoted = ssot_sql("%I", grant->role);
	grant->level = ssot_settings_begin(false);
}

static void
end_grant(Grant *grant)
{
	ssot_settings_end(grant->level);
}

/* A question about the role that a fixed statement answers. */
static bool
ask(SsotQuery *query, const Grant *grant, const char *name)
{
	Datum		args[2] = {CStringGetTextDatum(grant->role), CStringGetTextDatum(name)};
	Datum		answer;
	bool		isnull;

	return ssot_query_one(query, args, NULL, 1, &answer, &isnull) && !isnull &&
		DatumGetBool(answer);
}

static SsotQuery sees_table = {
	.sql =
	"SELECT pg_catalog.has_table_privilege($1::pg_catalog.name, $2, 'SELECT')",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static SsotQuery sees_column = {
	.sql =
	"SELECT pg_catalog.has_any_column_privilege($1::pg_catalog.name, $2, 'SELECT')",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static SsotQuery column_query = {
	.sql =
	"SELECT a.attname::pg_catalog.text\n"
	"FROM pg_catalog.pg_attribute AS a\n"
	"WHERE a.attrelid = $2::pg_catalog.regclass\n"
	"  AND a.attnum > 0\n"
	"  AND NOT a.attisdropped\n"
	"  AND pg_catalog.has_column_privilege($1::pg_catalog.name, a.attrelid, a.attnum, 'SELECT')\n"
	"ORDER BY a.attnum",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID},
	.as_of_now = true
};

static bool
has_name(const List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp((const char *) lfirst(lc), name) == 0)
		return true;
	return false;
}

/* The names that a relation has of those in the list, for a column list; NULL
 * if it has none. */
static char *
columns_in(const char *table, const List *names)
{
	Relation	rel = table_open(ssot_companion_oid(table), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && has_name(names, NameStr(att->attname)))
			ssot_sql_append(&buf, "%s%I", buf.len > 0 ? ", " : "", NameStr(att->attname));
	}
	table_close(rel, AccessShareLock);
	return buf.len > 0 ? buf.data : NULL;
}

/*
 * Which columns the role is to read: those asked for; else, where it has some
 * columns of the table but not the table, those.
 */
static void
choose_columns(FunctionCallInfo fcinfo, Grant *grant)
{
	const SsotEntity *entity = grant->entity;
	Datum		args[2] = {CStringGetTextDatum(grant->role), CStringGetTextDatum(entity->name)};
	ListCell   *lc;

	if (!PG_ARGISNULL(2))
	{
		grant->columns = ssot_text_array_list(PG_GETARG_DATUM(2));
		foreach(lc, grant->columns)
		{
			const char *name = (const char *) lfirst(lc);

			if (name == NULL || columns_in(entity->name, list_make1(unconstify(char *, name))) == NULL)
				ereport(ERROR,
						(errcode(ERRCODE_UNDEFINED_COLUMN),
						 errmsg("table \"%s\" has no column \"%s\"", entity->name,
								name == NULL ? "NULL" : name),
						 errhint("Its fields are: %s.", ssot_field_names(entity))));
		}
		if (!has_name(grant->columns, entity->id_column))
			grant->columns = lcons(entity->id_column, grant->columns);
		if (ask(&sees_table, grant, entity->name))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("role \"%s\" may already read all of \"%s\"", grant->role, entity->name),
					 errdetail("A grant of some columns would take none away."),
					 errhint("Call ssot.revoke_reader first; the right may also come from a role it is a member of, or from PUBLIC.")));
		return;
	}
	if (ask(&sees_table, grant, entity->name) || !ask(&sees_column, grant, entity->name))
		return;
	ssot_query_each(&column_query, args, NULL, ssot_take_text, &grant->columns);
	if (!has_name(grant->columns, entity->id_column))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("role \"%s\" may not read column \"%s\" of \"%s\"", grant->role,
						entity->id_column, entity->name),
				 errdetail("It has rights on other columns, and companions name golden records by this one."),
				 errhint("GRANT SELECT (%s) ON %s TO %s, or name the columns in the call.",
						 quote_identifier(entity->id_column), entity->name, grant->quoted)));
	ereport(NOTICE,
			(errmsg("role \"%s\" may read some columns of \"%s\": companions are granted to match",
					grant->role, entity->name),
			 errhint("For the whole table GRANT SELECT ON %s TO %s first.",
					 entity->name, grant->quoted)));
}

/* ---- reading --------------------------------------------------------------- */

static SsotQuery has_usage = {
	.sql =
	"SELECT pg_catalog.has_schema_privilege($1::pg_catalog.name, $2, 'USAGE')",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static SsotQuery may_grant_usage = {
	.sql =
	"SELECT pg_catalog.has_schema_privilege($2, 'USAGE WITH GRANT OPTION')\n"
	"WHERE $1 IS NOT NULL",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static void
grant_usage(const Grant *grant, const char *schema)
{
	if (ask(&has_usage, grant, schema))
		return;
	if (ask(&may_grant_usage, grant, schema))
		ssot_sql_run(ssot_sql("GRANT USAGE ON SCHEMA %I TO %s", schema, grant->quoted));
	else
		ereport(NOTICE,
				(errmsg("role \"%s\" has no USAGE on schema \"%s\", and you may not grant it",
						grant->role, schema),
				 errhint("Ask the schema's owner to: GRANT USAGE ON SCHEMA %s TO %s;",
						 quote_identifier(schema), grant->quoted)));
}

/* Columns of companions that say nothing about a field of the entity. */
static List *
structural_columns(void)
{
	static const char *const names[] = {
		"ssot_source", "ssot_key", "ssot_copy", "ssot_updated_at", "ssot_from", "ssot_to",
		"valid_from", "valid_to", "retired_at", "ssot_changed_by", "ssot_run"
	};
	List	   *list = NIL;

	for (int i = 0; i < lengthof(names); i++)
		list = lappend(list, unconstify(char *, names[i]));
	return list;
}

static void
grant_select(const Grant *grant, const char *table, bool structural)
{
	List	   *names = grant->columns;

	if (grant->columns == NIL)
	{
		ssot_sql_run(ssot_sql("GRANT SELECT ON %T TO %s", table, grant->quoted));
		return;
	}
	if (structural)
		names = list_concat_copy(names, structural_columns());
	ssot_sql_run(ssot_sql("GRANT SELECT (%s) ON %T TO %s", columns_in(table, names),
						  table, grant->quoted));
}

static char *
as_of_view(const SsotEntity *entity)
{
	return ssot_qualified_name(psprintf("%s_as_of", entity->schema), entity->table);
}

static bool
has_policies(const SsotEntity *entity)
{
	Relation	rel = table_open(entity->relid, AccessShareLock);
	bool		result = rel->rd_rel->relrowsecurity;

	table_close(rel, AccessShareLock);
	return result;
}

static void
make_reader(const Grant *grant)
{
	const SsotEntity *entity = grant->entity;

	grant_usage(grant, entity->schema);
	grant_usage(grant, psprintf("%s_ssot", entity->schema));
	grant_select(grant, entity->name, false);
	grant_select(grant, entity->source_table, true);
	grant_select(grant, entity->source_history_table, true);
	grant_select(grant, entity->history_table, true);
	ssot_sql_run(ssot_sql("GRANT SELECT ON %T TO %s", entity->drift_table, grant->quoted));
	if (grant->columns != NIL)
	{
		ereport(NOTICE,
				(errmsg("role \"%s\" reads \"%s\" in part: as-of reading, ssot.history, ssot.drift, ssot.verify_drift, ssot.lineage and ssot.pins need the whole table",
						grant->role, entity->name),
				 errdetail("They read every column. The companion tables can be read by column; reasons, pins and findings, which may speak of any field, are left to the owner.")));
		return;
	}
	grant_usage(grant, psprintf("%s_as_of", entity->schema));
	ssot_sql_run(ssot_sql("GRANT SELECT ON %T TO %s;\n"
						  "GRANT EXECUTE ON FUNCTION %T(pg_catalog.timestamptz) TO %s",
						  as_of_view(entity), grant->quoted,
						  ssot_qualified_name(entity->schema, psprintf("%s_at", entity->table)),
						  grant->quoted));
	if (has_policies(entity))
		ereport(NOTICE,
				(errmsg("row-level policies of \"%s\" apply to its companions", entity->name),
				 errdetail("A record that \"%s\" does not see in the table has no history, source records or drift for it; records without a golden record, and the quarantine, are left to the owner.",
						   grant->role)));
}

Datum
ssot_grant_reader(PG_FUNCTION_ARGS)
{
	Grant		grant;

	begin_grant(fcinfo, &grant);
	choose_columns(fcinfo, &grant);
	make_reader(&grant);
	end_grant(&grant);
	PG_RETURN_VOID();
}

/* ---- running functions ------------------------------------------------------- */

static SsotQuery functions_query = {
	.sql =
	"SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text,\n"
	"       pg_catalog.has_function_privilege($2::pg_catalog.name, p.oid, 'EXECUTE')\n"
	"FROM pg_catalog.pg_proc AS p\n"
	"WHERE p.pronamespace = 'ssot'::pg_catalog.regnamespace\n"
	"  AND p.proname = ANY ($1::pg_catalog.name[])\n"
	"ORDER BY 1",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID},
	.as_of_now = true
};

typedef struct Functions
{
	List	   *held;			/* char *: what the caller may run */
	List	   *lacking;
} Functions;

static bool
take_function(TupleTableSlot *slot, void *arg)
{
	Functions  *functions = (Functions *) arg;
	bool		isnull;
	char	   *name = TextDatumGetCString(slot_getattr(slot, 1, &isnull));

	if (DatumGetBool(slot_getattr(slot, 2, &isnull)))
		functions->held = lappend(functions->held, name);
	else
		functions->lacking = lappend(functions->lacking, name);
	return true;
}

/* "a, b": the elements of a list of names. */
static char *
join_names(const List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", (const char *) lfirst(lc));
	return buf.data;
}

/*
 * Give, or take, EXECUTE on functions of the extension, as their owner. Nobody
 * gives what they do not have.
 */
static void
share_functions(const Grant *grant, const char *names, bool give)
{
	Functions	functions = {NIL, NIL};
	Datum		args[2] = {
		CStringGetTextDatum(names),
		CStringGetTextDatum(GetUserNameFromId(GetUserId(), false))
	};
	SsotUser	user;

	ssot_query_each(&functions_query, args, NULL, take_function, &functions);
	if (functions.lacking != NIL)
		ereport(NOTICE,
				(errmsg("functions that you may not run yourself were passed over"),
				 errdetail("They are: %s.", join_names(functions.lacking)),
				 errhint("Ask the owner of the extension to do this, or to grant you EXECUTE.")));
	if (functions.held == NIL)
		return;
	user = ssot_become_owner(ssot_companion_oid("ssot.entity"));
	ssot_sql_run(ssot_sql(give ? "GRANT EXECUTE ON ROUTINE %s TO %s" :
						  "REVOKE EXECUTE ON ROUTINE %s FROM %s",
						  join_names(functions.held), grant->quoted));
	ssot_restore_user(user);
}

/* ---- correcting --------------------------------------------------------------- */

/* Sequences that the table's columns own: a serial column's need USAGE, an
 * identity column's do not. */
static SsotQuery sequence_query = {
	.sql =
	"SELECT d.objid::pg_catalog.regclass::pg_catalog.text\n"
	"FROM pg_catalog.pg_depend AS d\n"
	"JOIN pg_catalog.pg_class AS c ON c.oid = d.objid AND c.relkind = 'S'\n"
	"WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
	"  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
	"  AND d.refobjid = $1::pg_catalog.regclass\n"
	"  AND d.deptype = 'a'\n"
	"ORDER BY 1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.as_of_now = true
};

static void
share_sequences(const Grant *grant, const char *template)
{
	Datum		name = CStringGetTextDatum(grant->entity->name);
	List	   *sequences = NIL;
	ListCell   *lc;

	ssot_query_each(&sequence_query, &name, NULL, ssot_take_text, &sequences);
	foreach(lc, sequences)
		ssot_sql_run(ssot_sql(template, (const char *) lfirst(lc), grant->quoted));
}

/* The fields among the columns that the role may read; NULL: none. */
static char *
fields_to_change(const Grant *grant)
{
	List	   *fields = NIL;

	for (int f = 0; f < grant->entity->nfields; f++)
		if (has_name(grant->columns, grant->entity->fields[f].name))
			fields = lappend(fields, grant->entity->fields[f].name);
	return columns_in(grant->entity->name, fields);
}

static void
make_steward(const Grant *grant)
{
	const SsotEntity *entity = grant->entity;

	make_reader(grant);
	share_functions(grant, steward_functions, true);
	if (grant->columns != NIL)
	{
		char	   *fields = fields_to_change(grant);

		if (fields != NULL)
			ssot_sql_run(ssot_sql("GRANT INSERT (%s), UPDATE (%s) ON %T TO %s",
								  fields, fields, entity->name, grant->quoted));
		share_sequences(grant, "GRANT USAGE ON SEQUENCE %T TO %s");
		ereport(NOTICE,
				(errmsg("role \"%s\" does not see the quarantine and the held versions of \"%s\"",
						grant->role, entity->name),
				 errdetail("They keep whole rows, and the role may read some columns.")));
		return;
	}
	ssot_sql_run(ssot_sql("GRANT INSERT, UPDATE ON %T TO %s;\n"
						  "GRANT SELECT ON %T, %T TO %s",
						  entity->name, grant->quoted, entity->quarantine_table,
						  entity->held_table, grant->quoted));
	share_sequences(grant, "GRANT USAGE ON SEQUENCE %T TO %s");
}

Datum
ssot_grant_steward(PG_FUNCTION_ARGS)
{
	Grant		grant;

	begin_grant(fcinfo, &grant);
	choose_columns(fcinfo, &grant);
	make_steward(&grant);
	end_grant(&grant);
	PG_RETURN_VOID();
}

/* ---- running the entity ----------------------------------------------------------- */

static SsotQuery owner_query = {
	.sql =
	"SELECT pg_catalog.pg_has_role($1::pg_catalog.name, c.relowner, 'USAGE')\n"
	"FROM pg_catalog.pg_class AS c\n"
	"WHERE c.oid = $2::pg_catalog.regclass",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID},
	.as_of_now = true
};

static char *
owner_name(const SsotEntity *entity)
{
	Relation	rel = table_open(entity->relid, AccessShareLock);
	char	   *name = GetUserNameFromId(rel->rd_rel->relowner, false);

	table_close(rel, AccessShareLock);
	return name;
}

/*
 * Declaring and running ask for the ownership of the table, which is the
 * owner's to share: membership gives all that the owner has, not one entity.
 */
Datum
ssot_grant_admin(PG_FUNCTION_ARGS)
{
	Grant		grant;

	begin_grant(fcinfo, &grant);
	make_steward(&grant);
	share_functions(&grant, admin_functions, true);
	if (!ask(&owner_query, &grant, grant.entity->name))
		ereport(NOTICE,
				(errmsg("role \"%s\" is not a member of the owner of \"%s\" yet",
						grant.role, grant.entity->name),
				 errdetail("To declare sources and rules and to reconcile takes the ownership of the table."),
				 errhint("GRANT %s TO %s; that gives it all that \"%s\" may do.",
						 quote_identifier(owner_name(grant.entity)), grant.quoted,
						 owner_name(grant.entity))));
	end_grant(&grant);
	PG_RETURN_VOID();
}

/* ---- revoking ---------------------------------------------------------------------- */

/* Is there another entity that the role may correct, or owns? */
static SsotQuery corrects_another = {
	.sql =
	"SELECT true\n"
	"FROM ssot.entity AS e\n"
	"WHERE e.entity <> $2\n"
	"  AND pg_catalog.has_any_column_privilege($1::pg_catalog.name,\n"
	"          pg_catalog.to_regclass(e.entity)::pg_catalog.oid, 'UPDATE')\n"
	"LIMIT 1",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static SsotQuery owns_another = {
	.sql =
	"SELECT true\n"
	"FROM ssot.entity AS e\n"
	"JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(e.entity)\n"
	"WHERE e.entity <> $2\n"
	"  AND pg_catalog.pg_has_role($1::pg_catalog.name, c.relowner, 'USAGE')\n"
	"LIMIT 1",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID},
	.as_of_now = true
};

static bool
ask_map(SsotQuery *query, const Grant *grant)
{
	Datum		args[2] = {
		CStringGetTextDatum(grant->role), CStringGetTextDatum(grant->entity->name)
	};
	Datum		answer;
	bool		isnull;

	return ssot_config_one(query, args, NULL, 1, &answer, &isnull);
}

/* Functions serve all entities: they are taken with the last one. */
static void
end_admin(const Grant *grant)
{
	if (!ask_map(&owns_another, grant))
		share_functions(grant, admin_functions, false);
}

static void
end_steward(const Grant *grant)
{
	const SsotEntity *entity = grant->entity;

	ssot_sql_run(ssot_sql("REVOKE INSERT, UPDATE ON %T FROM %s;\n"
						  "REVOKE SELECT ON %T, %T FROM %s",
						  entity->name, grant->quoted, entity->quarantine_table,
						  entity->held_table, grant->quoted));
	share_sequences(grant, "REVOKE USAGE ON SEQUENCE %T FROM %s");
	if (!ask_map(&corrects_another, grant))
		share_functions(grant, steward_functions, false);
}

static void
note_membership(const Grant *grant)
{
	if (ask(&owner_query, grant, grant->entity->name))
		ereport(NOTICE,
				(errmsg("role \"%s\" owns \"%s\", or is a member of its owner",
						grant->role, grant->entity->name),
				 errhint("To end that: REVOKE %s FROM %s.",
						 quote_identifier(owner_name(grant->entity)), grant->quoted)));
}

Datum
ssot_revoke_admin(PG_FUNCTION_ARGS)
{
	Grant		grant;

	begin_grant(fcinfo, &grant);
	end_admin(&grant);
	note_membership(&grant);
	end_grant(&grant);
	PG_RETURN_VOID();
}

Datum
ssot_revoke_steward(PG_FUNCTION_ARGS)
{
	Grant		grant;

	begin_grant(fcinfo, &grant);
	end_admin(&grant);
	end_steward(&grant);
	note_membership(&grant);
	end_grant(&grant);
	PG_RETURN_VOID();
}

/* Has the role a right of its own on anything in a schema? */
static SsotQuery grants_in_schema = {
	.sql =
	"SELECT true\n"
	"FROM pg_catalog.pg_class AS c\n"
	"LEFT JOIN pg_catalog.pg_attribute AS a\n"
	"    ON a.attrelid = c.oid AND a.attacl IS NOT NULL\n"
	"CROSS JOIN LATERAL pg_catalog.unnest(c.relacl || a.attacl) AS i (item)\n"
	"CROSS JOIN LATERAL pg_catalog.aclexplode(ARRAY[i.item]) AS x\n"
	"WHERE c.relnamespace = pg_catalog.to_regnamespace($2)\n"
	"  AND x.grantee = (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = $1)\n"
	"LIMIT 1",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID},
	.as_of_now = true
};

static void
end_usage(const Grant *grant, const char *schema)
{
	if (!ask(&grants_in_schema, grant, quote_identifier(schema)) &&
		ask(&may_grant_usage, grant, schema))
		ssot_sql_run(ssot_sql("REVOKE USAGE ON SCHEMA %I FROM %s", schema, grant->quoted));
}

Datum
ssot_revoke_reader(PG_FUNCTION_ARGS)
{
	Grant		grant;
	SsotEntity *entity;

	begin_grant(fcinfo, &grant);
	entity = grant.entity;
	end_admin(&grant);
	end_steward(&grant);
	ssot_sql_run(ssot_sql("REVOKE SELECT ON %T, %T, %T, %T, %T, %T, %T, %T FROM %s;\n"
						  "REVOKE EXECUTE ON FUNCTION %T(pg_catalog.timestamptz) FROM %s",
						  entity->name, entity->source_table, entity->source_history_table,
						  entity->history_table, entity->drift_table, entity->key_table,
						  entity->match_table, as_of_view(entity), grant.quoted,
						  ssot_qualified_name(entity->schema, psprintf("%s_at", entity->table)),
						  grant.quoted));
	end_usage(&grant, psprintf("%s_ssot", entity->schema));
	end_usage(&grant, psprintf("%s_as_of", entity->schema));
	note_membership(&grant);
	end_grant(&grant);
	PG_RETURN_VOID();
}
