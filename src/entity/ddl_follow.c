/*
 * entity/ddl_follow.c
 *		Companions, as-of function and view follow the canonical table.
 *
 * What is to be done is found by comparing: a companion's columns with the
 * table's, the function's body with the one it should have. So what is in step
 * is left alone, and what is missing is made up for.
 *
 * The histories keep a column that the table has no longer (ddl_column.c). If one
 * of the same name and type comes back, history goes on where it left off; if it
 * has another type, the old column steps aside as ssot_dropped_<n>_<name>.
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

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

Oid
ssot_relation_oid(const char *qualified_name)
{
	List	   *names = ssot_name_list(qualified_name);
	Oid			schema = get_namespace_oid(strVal(linitial(names)), true);

	return OidIsValid(schema) ? get_relname_relid(strVal(llast(names)), schema) : InvalidOid;
}

static HeapTuple
find_column(Oid relid, const char *name)
{
	return OidIsValid(relid) ? SearchSysCacheAttName(relid, name) : NULL;
}

bool
ssot_has_column(Oid relid, const char *name)
{
	HeapTuple	tuple = find_column(relid, name);

	if (!HeapTupleIsValid(tuple))
		return false;
	ReleaseSysCache(tuple);
	return true;
}

/* A copy of the table's columns: DDL of ours may rebuild its relcache entry. */
static TupleDesc
table_columns(const SsotEntity *entity)
{
	Relation	rel = table_open(entity->relid, AccessShareLock);
	TupleDesc	desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));

	table_close(rel, NoLock);
	return desc;
}

/* ---- as-of function and view ---------------------------------------------- */

Oid
ssot_as_of_function_oid(const SsotEntity *entity)
{
	Oid			type = TIMESTAMPTZOID;
	oidvector  *args = buildoidvector(&type, 1);
	Oid			schema = get_namespace_oid(entity->schema, true);

	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(psprintf("%s_at", entity->table)),
						   PointerGetDatum(args), ObjectIdGetDatum(schema));
}

static bool
function_is_right(Oid function, const char *body)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Datum		source;
	bool		isnull;
	bool		right;

	if (!HeapTupleIsValid(tuple))
		return false;
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	right = !isnull && strcmp(TextDatumGetCString(source), body) == 0;
	ReleaseSysCache(tuple);
	return right;
}

/*
 * Does the view begin with the table's columns (so that it can be replaced), and
 * does it have them all?
 */
static bool
view_has_columns(Oid view, TupleDesc desc, bool all)
{
	Relation	rel = relation_open(view, AccessShareLock);
	TupleDesc	has = RelationGetDescr(rel);
	int			v = 0;
	bool		same = true;

	for (int i = 0; i < desc->natts && same; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		if (v == has->natts)
		{
			same = !all;
			break;
		}
		same = strcmp(NameStr(att->attname), NameStr(TupleDescAttr(has, v)->attname)) == 0 &&
			att->atttypid == TupleDescAttr(has, v)->atttypid &&
			att->atttypmod == TupleDescAttr(has, v)->atttypmod &&
			att->attcollation == TupleDescAttr(has, v)->attcollation;
		v++;
	}
	same = same && v == has->natts;
	relation_close(rel, AccessShareLock);
	return same;
}

List *
ssot_entity_locks(List *locks, Oid relid, const char *entity_name)
{
	List	   *names = ssot_name_list(entity_name);
	SsotEntity	entity = {.schema = strVal(linitial(names)),.table = strVal(llast(names))};
	Oid			view = ssot_relation_oid(ssot_as_of_view(&entity));

	if (OidIsValid(view) && get_rel_relkind(view) == RELKIND_VIEW)
		locks = ssot_locks_add(locks, view, AccessExclusiveLock);
	return ssot_locks_add(locks, relid, AccessExclusiveLock);
}

typedef struct Named
{
	Oid			relid;
	const char *name;
} Named;

static List *
entity_locks(void *arg)
{
	const Named *entity = (const Named *) arg;

	return ssot_entity_locks(NIL, entity->relid, entity->name);
}

void
ssot_lock_with_view(Oid relid, const char *entity_name)
{
	Named		entity = {relid, entity_name};

	ssot_locks_take(entity_locks, &entity);
}

/* Does the view read the table, or was it released? */
static SsotQuery reads_query = {
	.sql =
	"SELECT true\n"
	"FROM pg_catalog.pg_rewrite AS r\n"
	"JOIN pg_catalog.pg_depend AS d\n"
	"    ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid\n"
	"WHERE r.ev_class = $1\n"
	"  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass\n"
	"  AND d.refobjid = $2",
	.nargs = 2,
	.argtypes = {OIDOID, OIDOID},
	.as_of_now = true
};

static bool
view_reads(Oid view, Oid relid)
{
	Datum		args[2] = {ObjectIdGetDatum(view), ObjectIdGetDatum(relid)};
	Datum		value;
	bool		isnull;

	return ssot_config_one(&reads_query, args, NULL, 1, &value, &isnull);
}

/* The grants on a view, as statements that make them again. */
static SsotQuery grants_query = {
	.sql =
	"SELECT pg_catalog.string_agg(\n"
	"           pg_catalog.format('GRANT %s ON %s TO %s%s;', a.privilege_type, $2,\n"
	"               CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END,\n"
	"               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END),\n"
	"           E'\\n' ORDER BY a.grantee, a.privilege_type)\n"
	"FROM pg_catalog.pg_class AS c\n"
	"CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a\n"
	"LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee\n"
	"WHERE c.oid = $1\n"
	"  AND a.grantee <> c.relowner",
	.nargs = 2,
	.argtypes = {OIDOID, TEXTOID},
	.as_of_now = true
};

static char *
view_grants(Oid view, const char *name)
{
	Datum		args[2] = {ObjectIdGetDatum(view), CStringGetTextDatum(name)};
	Datum		grants;
	bool		isnull;

	(void) ssot_config_one(&grants_query, args, NULL, 1, &grants, &isnull);
	return isnull ? "" : TextDatumGetCString(grants);
}

/*
 * CREATE OR REPLACE VIEW golden_as_of.customer WITH (security_invoker = true) AS
 *     SELECT CAST(NULL AS bigint) AS customer_id, ...;
 *
 * The view keeps its columns, grants and dependents, and blocks nothing.
 */
void
ssot_release_view(const SsotEntity *entity)
{
	char	   *view = ssot_as_of_view(entity);
	Oid			relid = ssot_relation_oid(view);
	Relation	rel;
	StringInfoData ddl;

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_VIEW)
		return;
	initStringInfo(&ddl);
	ssot_sql_append(&ddl, "CREATE OR REPLACE VIEW %T WITH (security_invoker = true) AS\nSELECT ", view);
	rel = relation_open(relid, AccessShareLock);
	for (int i = 0; i < RelationGetDescr(rel)->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);

		ssot_sql_append(&ddl, "%sCAST(NULL AS %s)%s AS %I", i > 0 ? ", " : "",
						ssot_column_type(att->atttypid, att->atttypmod, InvalidOid),
						OidIsValid(att->attcollation) ?
						psprintf(" COLLATE %s", generate_collation_name(att->attcollation)) : "",
						NameStr(att->attname));
	}
	relation_close(rel, AccessShareLock);
	ssot_ddl_run(entity, ddl.data);
}

/* The entity whose policies the command at hand made way for. A restore makes
 * policies last, so their absence alone says nothing. */
static Oid	released = InvalidOid;

void
ssot_release_policies(const SsotEntity *entity)
{
	StringInfoData ddl;

	released = entity->relid;
	initStringInfo(&ddl);
	ssot_companion_policies_drop(&ddl, entity);
	ssot_ddl_run(entity, ddl.data);
}

static SsotQuery any_policy = {
	.sql =
	"SELECT true\n"
	"FROM pg_catalog.pg_policy AS p\n"
	"WHERE p.polrelid = $1",
	.nargs = 1,
	.argtypes = {OIDOID},
	.as_of_now = true
};

void
ssot_follow_policies(const SsotEntity *entity)
{
	Datum		relid = ObjectIdGetDatum(ssot_companion_oid(entity->source_table));
	Datum		value;
	bool		isnull;
	StringInfoData ddl;

	if (released != entity->relid)
		return;
	released = InvalidOid;
	if (ssot_config_one(&any_policy, &relid, NULL, 1, &value, &isnull))
		return;
	initStringInfo(&ddl);
	ssot_companion_policies(&ddl, entity);
	ssot_ddl_run(entity, ddl.data);
}

/* Make the function and the view what they should be, if they are not. */
void
ssot_follow_as_of(const SsotEntity *entity, bool renamed)
{
	TupleDesc	desc = table_columns(entity);
	char	   *name = ssot_as_of_view(entity);
	Oid			view = ssot_relation_oid(name);
	StringInfoData ddl;
	char	   *grants = "";

	initStringInfo(&ddl);
	if (!function_is_right(ssot_as_of_function_oid(entity), ssot_as_of_function_body(entity, desc)))
		ssot_append_as_of_function(&ddl, entity, desc, "CREATE OR REPLACE");
	if (!OidIsValid(view) || view_has_columns(view, desc, false))
	{
		if (!OidIsValid(view) || renamed || !view_has_columns(view, desc, true) ||
			!view_reads(view, entity->relid))
			ssot_append_as_of_view(&ddl, entity, desc, "CREATE OR REPLACE");
	}
	else
	{
		grants = view_grants(view, name);
		ssot_sql_append(&ddl, "DROP VIEW %T;\n", name);
		ssot_append_as_of_view(&ddl, entity, desc, "CREATE");
	}
	ssot_sql_append(&ddl, "%s", grants);
	ssot_ddl_run(entity, ddl.data);
}

/* ---- columns --------------------------------------------------------------- */

/* A companion that is being brought into step. */
typedef struct Step
{
	const SsotEntity *entity;
	const char *table;			/* the companion */
	Oid			relid;
	const char *comment;		/* for a new column, as it is to read */
	StringInfo	ddl;
	bool		retyped;
	const char *column;			/* at hand, for messages */
} Step;

/* ALTER TABLE <companion> RENAME COLUMN email TO ssot_dropped_1_email */
void
ssot_step_aside(const SsotEntity *entity, const char *table, const char *column)
{
	Oid			relid = ssot_companion_oid(table);
	char	   *name;
	int			n = 0;

	do
	{
		name = psprintf("ssot_dropped_%d_%s", ++n, column);
		name[pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1)] = '\0';
	} while (ssot_has_column(relid, name));
	ssot_ddl_run(entity, ssot_sql("ALTER TABLE %T RENAME COLUMN %I TO %I", table, column, name));
}

/*
 * ALTER TABLE golden_ssot.customer_history
 *     ALTER COLUMN size TYPE int4 USING size::int4
 *
 * Where there is no cast, the value goes through its text.
 */
static void
retype_column(Step *step, Form_pg_attribute has, Oid type, const char *new_type)
{
	Oid			old_type = has->atttypid;
	bool		castable = can_coerce_type(1, &old_type, &type, COERCION_EXPLICIT);

	ssot_sql_append(step->ddl, "ALTER TABLE %T ALTER COLUMN %I TYPE %s USING %I%s::%s;\n",
					step->table, step->column, new_type, step->column,
					castable ? "" : "::pg_catalog.text",
					format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY));
	step->retyped = true;
}

static void
follow_column(Step *step, const char *name, Oid type, int32 typmod, Oid collation)
{
	HeapTuple	tuple = find_column(step->relid, name);
	char	   *new_type = ssot_column_type(type, typmod, collation);

	step->column = name;
	if (!HeapTupleIsValid(tuple))
		ssot_sql_append(step->ddl, "ALTER TABLE %T ADD COLUMN %I %s;\n"
						"COMMENT ON COLUMN %T.%I IS %L;\n",
						step->table, name, new_type, step->table, name,
						step->comment);
	else
	{
		Form_pg_attribute has = (Form_pg_attribute) GETSTRUCT(tuple);

		if (has->atttypid != type || has->atttypmod != typmod || has->attcollation != collation)
			retype_column(step, has, type, new_type);
		ReleaseSysCache(tuple);
	}
}

static void
conversion_error(void *arg)
{
	const Step *step = (const Step *) arg;
	int			class = ERRCODE_TO_CATEGORY(geterrcode());

	if (class == ERRCODE_DATA_EXCEPTION || class == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
		geterrcode() == ERRCODE_CANNOT_COERCE)
		errhint("A value kept in \"%s\" cannot become the new type. Add a column of that type beside the old one and drop the old one: history keeps its values.",
				step->table);
	errcontext("\"%s\" follows entity \"%s\"", step->table, step->entity->name);
}

static bool
run_step(Step *step)
{
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = conversion_error,
		.arg = step
	};

	error_context_stack = &context;
	ssot_ddl_convert(step->entity, step->ddl->data);
	error_context_stack = context.previous;
	return step->retyped;
}

static Step
step_begin(const SsotEntity *entity, const char *table, const char *comment)
{
	Step		step = {.entity = entity,.table = table,.comment = comment};

	step.relid = ssot_companion_oid(table);
	step.ddl = makeStringInfo();
	return step;
}

static void
follow_id(Step *step)
{
	follow_column(step, step->entity->id_column, step->entity->id_type, -1,
				  get_typcollation(step->entity->id_type));
}

/* <table>_source and its history: the id and the fields, in their base types. */
static bool
follow_fields(const SsotEntity *entity, const char *table)
{
	Step		step = step_begin(entity, table, "The golden record");

	follow_id(&step);
	for (int f = 0; f < entity->nfields; f++)
	{
		step.comment = psprintf("Field \"%s\" as the source gives it, in canonical form",
								entity->fields[f].name);
		follow_column(&step, entity->fields[f].name, entity->fields[f].base_type,
					  entity->fields[f].base_typmod, entity->fields[f].collation);
	}
	return run_step(&step);
}

static bool
follow_only_id(const SsotEntity *entity, const char *table)
{
	Step		step = step_begin(entity, table, "The golden record");

	follow_id(&step);
	return run_step(&step);
}

/* <table>_history: every column, in its declared type. */
static bool
follow_versions(const SsotEntity *entity, TupleDesc desc)
{
	Step		step = step_begin(entity, entity->history_table,
								  psprintf("As in %s, in this version", entity->name));

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped)
			follow_column(&step, NameStr(att->attname), att->atttypid, att->atttypmod,
						  att->attcollation);
	}
	return run_step(&step);
}

/* A kept column is in the way of a new one that has its name but not its type. */
static void
make_room(const SsotEntity *entity)
{
	const char *const tables[] = {entity->history_table, entity->source_history_table};
	Oid			source = ssot_companion_oid(entity->source_table);

	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		if (ssot_has_column(source, field->name))
			continue;
		for (int i = 0; i < lengthof(tables); i++)
		{
			HeapTuple	tuple = find_column(ssot_companion_oid(tables[i]), field->name);
			Oid			type;

			if (!HeapTupleIsValid(tuple))
				continue;
			type = ((Form_pg_attribute) GETSTRUCT(tuple))->atttypid;
			ReleaseSysCache(tuple);
			if (getBaseType(type) != field->base_type)
				ssot_step_aside(entity, tables[i], field->name);
		}
	}
}

bool
ssot_follow_columns(const SsotEntity *entity)
{
	TupleDesc	desc = table_columns(entity);
	bool		retyped = false;

	make_room(entity);
	retyped |= follow_fields(entity, entity->source_table);
	retyped |= follow_fields(entity, entity->source_history_table);
	retyped |= follow_versions(entity, desc);
	retyped |= follow_only_id(entity, entity->drift_table);
	retyped |= follow_only_id(entity, entity->held_table);
	ssot_follow_as_of(entity, false);
	ssot_follow_policies(entity);
	return retyped;
}

void
ssot_require_column_names(const SsotEntity *entity)
{
	TupleDesc	desc = table_columns(entity);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = NameStr(att->attname);

		if (!att->attisdropped &&
			(strncmp(name, "ssot_", 5) == 0 || strcmp(name, "valid_to") == 0 || strcmp(name, "tokens") == 0))
			ereport(ERROR,
					(errcode(ERRCODE_RESERVED_NAME),
					 errmsg("column \"%s\" of entity \"%s\" has a name that ssot uses", name, entity->name),
					 errhint("Names beginning with ssot_, valid_from, valid_to, retired_at and tokens are taken: choose another.")));
	}
}
