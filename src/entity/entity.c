/*
 * entity/entity.c
 *		Declaring entities: register_entity, alter_entity, unregister_entity,
 *		unregister_dropped_entity.
 *
 * The canonical table is the user's. Registration checks that golden records
 * can live in it, adds two columns, makes its companions (companion.c), and
 * takes the rows that are already there as records of the system "manual".
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/settings.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/declare.h"
#include "entity/kept.h"
#include "entity/record.h"
#include "entity/tracking.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(ssot_register_entity);
PG_FUNCTION_INFO_V1(ssot_alter_entity);
PG_FUNCTION_INFO_V1(ssot_unregister_entity);
PG_FUNCTION_INFO_V1(ssot_unregister_dropped_entity);

/* Arguments of register_entity and alter_entity. */
enum
{
	ARG_ENTITY, ARG_DEFINITION, ARG_CANONICAL_SYSTEM, ARG_OWNER,
	ARG_MAX_QUARANTINE, ARG_MAX_RETIRE, ARG_DROP_COMPANIONS = 1
};

static SsotQuery lock_query = {
	.sql =
	"SELECT 1\n"
	"FROM ssot.entity AS e\n"
	"WHERE e.entity = $1\n"
	"FOR NO KEY UPDATE",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery find_query = {
	.sql =
	"SELECT e.registered_by\n"
	"FROM ssot.entity AS e\n"
	"WHERE e.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery insert_query = {
	.sql =
	"WITH new_entity AS (\n"
	"    INSERT INTO ssot.entity (entity, definition, canonical_system, owner, id_column,\n"
	"                             max_quarantine, max_retire, history_from, registered_at,\n"
	"                             registered_by)\n"
	"    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)\n"
	"), new_clock AS (\n"
	"    INSERT INTO ssot.clock (entity, last_write)\n"
	"    VALUES ($1, $8)\n"
	")\n"
	"INSERT INTO ssot.source (entity, source, system, rank, created_at, created_by)\n"
	"VALUES ($1, 'steward', 'steward', 0, $8, $9),\n"
	"       ($1, 'manual', 'manual', $10, $8, $9)",
	.nargs = 10,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	NUMERICOID, NUMERICOID, TIMESTAMPTZOID, TEXTOID, INT4OID}
};

static SsotQuery update_query = {
	.sql =
	"UPDATE ssot.entity AS e\n"
	"SET definition = CASE WHEN $2 = '' THEN NULL ELSE coalesce($2, e.definition) END,\n"
	"    canonical_system = CASE WHEN $3 = '' THEN NULL ELSE coalesce($3, e.canonical_system) END,\n"
	"    owner = coalesce($4, e.owner),\n"
	"    max_quarantine = coalesce($5, e.max_quarantine),\n"
	"    max_retire = coalesce($6, e.max_retire)\n"
	"WHERE e.entity = $1",
	.nargs = 6,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, NUMERICOID, NUMERICOID}
};

static SsotQuery delete_query = {
	.sql =
	"DELETE FROM ssot.entity AS e\n"
	"WHERE e.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* Sources of entities that have a foreign key to the table. */
static SsotQuery referring_query = {
	.sql =
	"UPDATE ssot.source AS s\n"
	"SET map_version = s.map_version + 1\n"
	"WHERE s.relation IS NOT NULL\n"
	"  AND s.entity IN (\n"
	"      SELECT e.entity\n"
	"      FROM pg_catalog.pg_constraint AS f\n"
	"      JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid\n"
	"      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace\n"
	"      JOIN ssot.entity AS e\n"
	"          ON pg_catalog.parse_ident(e.entity) = ARRAY[n.nspname, c.relname]::pg_catalog.text[]\n"
	"      WHERE f.confrelid = $1\n"
	"        AND f.contype = 'f')",
	.nargs = 1,
	.argtypes = {OIDOID}
};

/*
 * The lock comes before the map is read, so that what is read stays true; and
 * the table's before the entity's row, as in the user's DDL, which may also give
 * the table another name.
 */
SsotEntity *
ssot_entity_own(Oid relid)
{
	Datum		name;

	ssot_require_ownership(relid);
	LockRelationOid(relid, AccessShareLock);
	name = CStringGetTextDatum(ssot_entity_name(relid));
	ssot_config_run(&lock_query, &name, NULL);
	return ssot_entity_load(relid, false);
}

char *
ssot_field_names(const SsotEntity *entity)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int f = 0; f < entity->nfields; f++)
		appendStringInfo(&buf, "%s\"%s\"", f > 0 ? ", " : "", entity->fields[f].name);
	return buf.data;
}

static void
refuse(Relation rel, const char *reason, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("table \"%s\" cannot be registered: %s",
					rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP ?
					RelationGetRelationName(rel) : ssot_relation_name(RelationGetRelid(rel)),
					reason),
			 errhint("%s", hint)));
}

static void
check_kind(Relation rel)
{
	Form_pg_class form = rel->rd_rel;

	if (form->relkind == RELKIND_PARTITIONED_TABLE || form->relispartition)
		refuse(rel, "it is partitioned or a partition",
			   "Golden records move by UPDATE and need one table; register an ordinary one.");
	if (form->relkind == RELKIND_FOREIGN_TABLE)
		refuse(rel, "it is a foreign table",
			   "Declare it as a source of an ordinary table with ssot.create_source.");
	if (form->relkind != RELKIND_RELATION)
		refuse(rel, "it is not a table",
			   "Create a table with a one-column primary key, and declare this relation as its source with ssot.create_source.");
	if (form->relpersistence == RELPERSISTENCE_TEMP)
		refuse(rel, "it is temporary", "The truth must outlive the session; create an ordinary table.");
	if (form->relpersistence == RELPERSISTENCE_UNLOGGED)
		refuse(rel, "it is unlogged", "The truth must outlive a crash: ALTER TABLE ... SET LOGGED.");
	if (IsCatalogRelation(rel) ||
		RelationGetNamespace(rel) == get_namespace_oid("ssot", false))
		refuse(rel, "it belongs to the system", "Register a table of your own.");
	if (has_subclass(RelationGetRelid(rel)) || has_superclass(RelationGetRelid(rel)))
		refuse(rel, "it takes part in inheritance",
			   "Create an ordinary table, or end the inheritance with ALTER TABLE ... NO INHERIT.");
	if (rel->rd_rules != NULL)
		refuse(rel, "it has rewrite rules", "Drop the rules; triggers may stay.");
	if (form->relforcerowsecurity)
		refuse(rel, "row-level security is forced on its owner",
			   "Reconciliation must see every row: ALTER TABLE ... NO FORCE ROW LEVEL SECURITY.");
}

/* Attribute number of the one-column primary key. */
static AttrNumber
primary_key(Relation rel)
{
	HeapTuple	tuple;
	Form_pg_index index;
	AttrNumber	attnum = InvalidAttrNumber;

	(void) RelationGetIndexList(rel);
	if (OidIsValid(rel->rd_pkindex))
	{
		tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(rel->rd_pkindex));
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indnkeyatts == 1 && index->indimmediate)
			attnum = index->indkey.values[0];
		ReleaseSysCache(tuple);
	}
	if (attnum == InvalidAttrNumber)
		refuse(rel, "it has no primary key of one column",
			   "Add one, such as: id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY; natural keys belong to the sources.");
	return attnum;
}

/* "again": the table was registered before, and has our columns. */
static void
check_columns(Relation rel, AttrNumber id, bool again)
{
	/* Names that the id column would meet in a companion. */
	static const char *const taken[] = {
		"token", "system", "key", "field", "kind", "golden_value", "system_value",
		"system_time", "winner_system", "winner_time", "winner_from", "first_seen",
		"constraint_name", "sqlstate", "reason", "detail", "fields", "new_values", "records"
	};
	TupleDesc	desc = RelationGetDescr(rel);
	Form_pg_attribute key = TupleDescAttr(desc, id - 1);

	if ((key->attidentity == '\0' && !key->atthasdef) || key->attgenerated != '\0')
		refuse(rel, psprintf("its primary key \"%s\" has no default", NameStr(key->attname)),
			   "New golden records get their id from it: ALTER TABLE ... ALTER COLUMN ... ADD GENERATED BY DEFAULT AS IDENTITY.");
	for (int i = 0; i < lengthof(taken); i++)
		if (strcmp(NameStr(key->attname), taken[i]) == 0)
			refuse(rel, psprintf("its primary key is named \"%s\", which companion tables use", taken[i]),
				   "Rename the column, for example to <entity>_id.");
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = NameStr(att->attname);

		if (att->attisdropped)
			continue;
		if (again && (strcmp(name, SSOT_VALID_FROM) == 0 || strcmp(name, SSOT_RETIRED_AT) == 0))
			continue;
		if (strncmp(name, "ssot_", 5) == 0 || strcmp(name, SSOT_VALID_FROM) == 0 ||
			strcmp(name, SSOT_RETIRED_AT) == 0 || strcmp(name, "valid_to") == 0 ||
			strcmp(name, "tokens") == 0)
			refuse(rel, psprintf("its column \"%s\" has a name that ssot uses", name),
				   "Rename the column; names beginning with ssot_, valid_from, valid_to, retired_at and tokens are taken.");
	}
}

static void
check_names(Relation rel)
{
	const char *schema = get_namespace_name(RelationGetNamespace(rel));
	const char *table = RelationGetRelationName(rel);

	if (strlen(schema) + strlen("_as_of") >= NAMEDATALEN ||
		strlen(table) + strlen("_source_history") >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("table \"%s\" cannot be registered: its name is too long",
						ssot_relation_name(RelationGetRelid(rel))),
				 errdetail("Companions are named %s_ssot.%s_source_history and %s_as_of.%s; a name has at most %d bytes.",
						   schema, table, schema, table, NAMEDATALEN - 1),
				 errhint("Rename the table or its schema.")));
}

static bool
is_registered(const char *name)
{
	Datum		arg = CStringGetTextDatum(name);
	Datum		value;
	bool		isnull;

	return ssot_config_one(&find_query, &arg, NULL, 1, &value, &isnull);
}

static void
require_free_companions(const SsotEntity *entity)
{
	const char *const companions[] = {
		"source", "source_history", "history", "key", "match", "drift", "quarantine", "held"
	};
	Oid			schema = get_namespace_oid(psprintf("%s_ssot", entity->schema), true);

	for (int i = 0; OidIsValid(schema) && i < lengthof(companions); i++)
	{
		char	   *name = psprintf("%s_%s", entity->table, companions[i]);

		if (OidIsValid(get_relname_relid(name, schema)))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_TABLE),
					 errmsg("companion table \"%s\" already exists",
							ssot_qualified_name(get_namespace_name(schema), name)),
					 errhint("Rename or drop it; what an earlier registration of this table left is taken up only whole.")));
	}
}

/* The identity of the entity in memory, before it is in the map. */
static SsotEntity *
describe(Relation rel, AttrNumber id)
{
	SsotEntity *entity = palloc0(sizeof(SsotEntity));

	entity->relid = RelationGetRelid(rel);
	entity->name = ssot_entity_name(entity->relid);
	entity->schema = get_namespace_name(RelationGetNamespace(rel));
	entity->table = pstrdup(RelationGetRelationName(rel));
	if (id != InvalidAttrNumber)
		entity->id_column = pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel), id - 1)->attname));
	ssot_name_companions(entity);
	return entity;
}

/* *kept_at: when an earlier registration ended whose companions are there, or
 * DT_NOBEGIN. */
static SsotEntity *
check_table(Relation rel, TimestampTz *kept_at)
{
	SsotEntity *entity;
	AttrNumber	id;

	check_kind(rel);
	ssot_require_ownership(RelationGetRelid(rel));
	entity = describe(rel, InvalidAttrNumber);
	if (is_registered(entity->name))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("entity \"%s\" is already registered", entity->name),
				 errhint("Call ssot.alter_entity to change it, or ssot.unregister_entity.")));
	id = primary_key(rel);
	entity = describe(rel, id);
	if (!ssot_registration_find(entity, getBaseType(get_atttype(entity->relid, id)), kept_at))
		*kept_at = DT_NOBEGIN;
	check_columns(rel, id, *kept_at != DT_NOBEGIN);
	check_names(rel);
	if (*kept_at == DT_NOBEGIN)
		require_free_companions(entity);
	return entity;
}

static void
check_share(FunctionCallInfo fcinfo, int arg, const char *name)
{
	double		share;

	if (PG_ARGISNULL(arg))
		return;
	share = DatumGetFloat8(DirectFunctionCall1(numeric_float8, PG_GETARG_DATUM(arg)));
	if (!(share >= 0 && share <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must lie between 0 and 1", name),
				 errhint("It is a share: 0.2 means that a run stops past 20 %% of the rows.")));
}

static void
check_arguments(FunctionCallInfo fcinfo)
{
	char	   *system = ssot_text_arg(fcinfo, ARG_CANONICAL_SYSTEM);
	char	   *owner = ssot_text_arg(fcinfo, ARG_OWNER);

	if (system != NULL && *system != '\0')
		ssot_require_system(system, "canonical_system");
	if (owner != NULL && *owner == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the owner of an entity must not be empty"),
				 errhint("Leave it out to become the owner yourself.")));
	check_share(fcinfo, ARG_MAX_QUARANTINE, "max_quarantine");
	check_share(fcinfo, ARG_MAX_RETIRE, "max_retire");
}

static Datum
share_or_default(FunctionCallInfo fcinfo, int arg)
{
	if (!PG_ARGISNULL(arg))
		return PG_GETARG_DATUM(arg);
	return DirectFunctionCall3(numeric_in, CStringGetDatum("0.2"),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

static void
insert_entity(FunctionCallInfo fcinfo, const SsotEntity *entity, TimestampTz t)
{
	char	   *user = GetUserNameFromId(GetUserId(), false);
	char	   *owner = ssot_text_arg(fcinfo, ARG_OWNER);
	char	   *system = ssot_text_arg(fcinfo, ARG_CANONICAL_SYSTEM);
	Datum		args[10] = {
		CStringGetTextDatum(entity->name),
		PG_GETARG_DATUM(ARG_DEFINITION),
		system != NULL ? CStringGetTextDatum(system) : (Datum) 0,
		CStringGetTextDatum(owner != NULL ? owner : user),
		CStringGetTextDatum(entity->id_column),
		share_or_default(fcinfo, ARG_MAX_QUARANTINE),
		share_or_default(fcinfo, ARG_MAX_RETIRE),
		TimestampTzGetDatum(t),
		CStringGetTextDatum(user),
		Int32GetDatum(SSOT_MANUAL_RANK)
	};
	bool		nulls[10] = {false, PG_ARGISNULL(ARG_DEFINITION), system == NULL || *system == '\0'};

	ssot_config_run(&insert_query, args, nulls);
}

/*
 * INSERT INTO golden_ssot.customer_source
 *     (ssot_source, ssot_key, ssot_copy, customer_id, ssot_from, ssot_image, ssot_tokens, <fields>)
 * SELECT $1, t.customer_id::text, 0, t.customer_id, $2, 0, 0, <fields>
 * FROM golden.customer AS t;
 */
static void
adopt_rows(const SsotEntity *entity, TimestampTz t)
{
	const Oid	argtypes[2] = {INT4OID, TIMESTAMPTZOID};
	const Datum args[2] = {
		Int32GetDatum(entity->sources[entity->manual].source_id),
		TimestampTzGetDatum(t)
	};
	SsotStatement statement = {.nargs = 2,.argtypes = argtypes,.args = args};
	const char *comma = entity->nfields > 0 ? ", " : "";
	int			level = ssot_settings_begin(false);
	SsotUser	user = ssot_become_owner(entity->relid);

	statement.sql =
		ssot_sql("INSERT INTO %T\n"
				 "    (ssot_source, ssot_key, ssot_copy, %I, ssot_from, ssot_image, ssot_tokens%s%s)\n"
				 "SELECT $1, t.%I::pg_catalog.text, 0, t.%I, $2, 0, 0%s%s\n"
				 "FROM %T AS t\n"
				 "WHERE NOT EXISTS (SELECT FROM %T AS s WHERE s.%I = t.%I)",
				 entity->source_table, entity->id_column, comma, ssot_field_list(entity, ""),
				 entity->id_column, entity->id_column, comma, ssot_field_list(entity, "t."),
				 entity->name, entity->source_table, entity->id_column, entity->id_column);
	ssot_statement_run(&statement);
	ssot_restore_user(user);
	ssot_settings_end(level);
}

/*
 * A foreign key to a registered entity goes through the crosswalk, one to any
 * other table is taken as it is: after a change of that, the sources with such
 * a field are read anew.
 */
static void
read_referring_anew(Oid relid)
{
	Datum		arg = ObjectIdGetDatum(relid);

	ssot_config_run(&referring_query, &arg, NULL);
}

static void
create_companions(const SsotEntity *described, TimestampTz t)
{
	SsotEntity *entity = ssot_entity_load(described->relid, false);

	ssot_registration_forget(entity);
	ssot_companions_create(entity, t);
	adopt_rows(entity, t);
}

/* Those of an earlier registration; the rows are as people left them since. */
static void
take_up_companions(const SsotEntity *described, TimestampTz t, TimestampTz kept_at)
{
	SsotEntity *entity;

	ssot_own_ddl_begin();
	PG_TRY();
	{
		ssot_registration_restore(described);
		entity = ssot_entity_load(described->relid, false);
		ssot_companions_adopt(entity, t);
		ssot_registration_resume(entity, t, kept_at);
		adopt_rows(entity, t);
		ssot_companions_guard(entity);
	}
	PG_FINALLY();
	{
		ssot_own_ddl_end();
	}
	PG_END_TRY();
}

static SsotQuery last_write_query = {
	.sql = "SELECT c.last_write FROM ssot.clock AS c WHERE c.entity = $1 FOR UPDATE",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* A time later than all that was written, for the end of the registration. */
static TimestampTz
end_time(Datum name)
{
	Datum		last_write;
	bool		isnull;

	if (!ssot_config_one(&last_write_query, &name, NULL, 1, &last_write, &isnull))
		return GetCurrentTimestamp();
	return Max(GetCurrentTimestamp(), DatumGetTimestampTz(last_write) + 1);
}

static Oid
entity_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_ENTITY))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("entity must not be null"),
				 errhint("Name the canonical table.")));
	ssot_require_relation(PG_GETARG_OID(ARG_ENTITY));
	return PG_GETARG_OID(ARG_ENTITY);
}

/*
 * The canonical table is locked in ACCESS EXCLUSIVE mode until the transaction
 * ends.
 */
Datum
ssot_register_entity(PG_FUNCTION_ARGS)
{
	Oid			relid = entity_argument(fcinfo);
	Relation	rel = relation_open(relid, AccessShareLock);
	TimestampTz t;
	TimestampTz kept_at;
	SsotEntity *entity;

	/*
	 * Refuse before taking the strong lock: others may not lock what is not
	 * theirs.
	 */
	check_kind(rel);
	ssot_require_ownership(RelationGetRelid(rel));
	relation_close(rel, AccessShareLock);
	rel = table_open(relid, AccessExclusiveLock);
	entity = check_table(rel, &kept_at);
	entity->id_type = getBaseType(get_atttype(entity->relid, primary_key(rel)));
	table_close(rel, NoLock);
	check_arguments(fcinfo);

	t = Max(GetCurrentTimestamp(), kept_at == DT_NOBEGIN ? 0 : kept_at + 1);
	insert_entity(fcinfo, entity, t);
	if (kept_at == DT_NOBEGIN)
		create_companions(entity, t);
	else
		take_up_companions(entity, t, kept_at);
	read_referring_anew(relid);
	PG_RETURN_VOID();
}

Datum
ssot_alter_entity(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_entity_own(entity_argument(fcinfo));
	Datum		args[6] = {CStringGetTextDatum(entity->name)};
	bool		nulls[6] = {false};

	check_arguments(fcinfo);
	for (int i = 1; i < 6; i++)
	{
		args[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i);
	}
	ssot_config_run(&update_query, args, nulls);
	if (!PG_ARGISNULL(ARG_CANONICAL_SYSTEM))
		ssot_rules_changed(entity->name);
	PG_RETURN_VOID();
}

/*
 * The map is not loaded: what has to be undone may be broken already.
 */
Datum
ssot_unregister_entity(PG_FUNCTION_ARGS)
{
	Oid			relid = entity_argument(fcinfo);
	Relation	rel;
	SsotEntity *entity;
	Datum		name;

	/* no weaker lock first: two who both have that would both wait for more */
	ssot_require_ownership(relid);
	ssot_lock_with_view(relid, ssot_entity_name(relid));
	rel = relation_open(relid, NoLock);
	entity = describe(rel, InvalidAttrNumber);
	name = CStringGetTextDatum(entity->name);
	relation_close(rel, NoLock);
	if (!is_registered(entity->name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not a registered entity", entity->name),
				 errhint("SELECT entity FROM ssot.entity_map lists the entities.")));
	if (PG_GETARG_BOOL(ARG_DROP_COMPANIONS))
		ssot_registration_forget(entity);
	ssot_companions_drop(entity, PG_GETARG_BOOL(ARG_DROP_COMPANIONS));
	if (!PG_GETARG_BOOL(ARG_DROP_COMPANIONS))
		ssot_registration_keep(entity, end_time(name));
	ssot_tracking_end_all(entity->name);
	ssot_config_run(&delete_query, &name, NULL);
	read_referring_anew(entity->relid);
	PG_RETURN_VOID();
}

static bool
table_exists(const char *name)
{
	List	   *parts = ssot_name_list(name);
	Oid			schema = get_namespace_oid(strVal(linitial(parts)), true);

	return OidIsValid(schema) &&
		OidIsValid(get_relname_relid(strVal(llast(parts)), schema));
}

/*
 * A table that was dropped has no owner to ask: whoever registered it may also
 * take it off the map.
 */
Datum
ssot_unregister_dropped_entity(PG_FUNCTION_ARGS)
{
	Datum		name = PG_GETARG_DATUM(ARG_ENTITY);
	char	   *entity = ssot_text_arg(fcinfo, ARG_ENTITY);
	Datum		registered_by;
	bool		isnull;

	if (!ssot_config_one(&find_query, &name, NULL, 1, &registered_by, &isnull))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no entity \"%s\"", entity),
				 errhint("Write the name as ssot.entity_map shows it.")));
	if (table_exists(entity))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the table of entity \"%s\" still exists", entity),
				 errhint("Call ssot.unregister_entity.")));
	if (!superuser() &&
		!has_privs_of_role(GetUserId(), get_role_oid(TextDatumGetCString(registered_by), true)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("entity \"%s\" was registered by \"%s\"", entity,
						TextDatumGetCString(registered_by)),
				 errhint("Ask them to do this, or to grant you their role.")));
	ssot_tracking_end_all(entity);
	ssot_config_run(&delete_query, &name, NULL);
	PG_RETURN_VOID();
}
