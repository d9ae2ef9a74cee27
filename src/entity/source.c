/*
 * entity/source.c
 *		Declaring sources: create_source, alter_source, drop_source.
 *
 * A source is one relation of one system mapped onto one entity. The relation
 * is stored by name and resolved at each run, because ETL tools drop and make
 * tables anew. The mapping is stored twice, as declared and as compiled
 * (mapping.c); altering compiles what was given now under the present search
 * path, and what was not given from its compiled form, which no search path
 * changes.
 *
 * A dropped source keeps its row, renamed and without a relation: the history
 * of its records names it, and what a system believed must stay readable. Its
 * records move to the source history at the entity's clock, and the next run
 * settles every golden record without them.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "entity/config.h"
#include "entity/declare.h"
#include "entity/expression.h"
#include "entity/json.h"
#include "entity/reading.h"
#include "entity/record.h"
#include "entity/tracking.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(ssot_create_source_text);
PG_FUNCTION_INFO_V1(ssot_create_source_array);
PG_FUNCTION_INFO_V1(ssot_alter_source_text);
PG_FUNCTION_INFO_V1(ssot_alter_source_array);
PG_FUNCTION_INFO_V1(ssot_drop_source);

/*
 * Arguments of create_source and alter_source. They differ in the second (the
 * system; the source) and the last (the name; the new name).
 */
enum
{
	ARG_ENTITY, ARG_SYSTEM, ARG_RELATION, ARG_KEY, ARG_FIELDS, ARG_KEYS, ARG_LINKS,
	ARG_FILTER, ARG_UPDATED_AT, ARG_FIELD_UPDATED_AT, ARG_DELETED, ARG_MERGED_INTO,
	ARG_ON_ERROR, ARG_CREATES, ARG_ROLE, ARG_EXPECTS, ARG_MAX_LAG, ARG_HOW,
	ARG_GRAIN, ARG_LEVEL, ARG_RANK, ARG_NAME, ARG_SOURCE = 1
};

/* The members of a mapping and the arguments that give them. */
static const struct
{
	const char *name;
	int			arg;
	Oid			type;
}			members[] =

{
	{"key", ARG_KEY, TEXTARRAYOID},
	{"keys", ARG_KEYS, JSONBOID},
	{"links", ARG_LINKS, JSONBOID},
	{"fields", ARG_FIELDS, JSONBOID},
	{"filter", ARG_FILTER, TEXTOID},
	{"updated_at", ARG_UPDATED_AT, TEXTOID},
	{"field_updated_at", ARG_FIELD_UPDATED_AT, JSONBOID},
	{"deleted", ARG_DELETED, TEXTOID},
	{"merged_into", ARG_MERGED_INTO, TEXTOID},
	{"on_error", ARG_ON_ERROR, JSONBOID}
};

static SsotQuery insert_query = {
	.sql =
	"INSERT INTO ssot.source (entity, source, system, created_by, rank, map_version, created_at)\n"
	"SELECT $1, $2, $3, $4, coalesce($5, 1 + coalesce(pg_catalog.max(s.rank), 0)), 0,\n"
	"       pg_catalog.clock_timestamp()\n"
	"FROM ssot.source AS s\n"
	"WHERE s.entity = $1\n"
	"  AND s.relation IS NOT NULL\n"
	"RETURNING source_id",
	.nargs = 5,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID}
};

/*
 * NULL leaves a column as it is; '' empties one that may be empty. Only a change
 * of what is read makes a new version of the mapping.
 */
static SsotQuery update_query = {
	.sql =
	"UPDATE ssot.source AS s\n"
	"SET relation = $2,\n"
	"    mapping = $3,\n"
	"    compiled = $4,\n"
	"    map_version = s.map_version\n"
	"        + (s.relation IS DISTINCT FROM $2 OR s.compiled <> $4\n"
	"           OR s.grain <> coalesce($10, s.grain))::pg_catalog.int4,\n"
	"    creates = coalesce($5, s.creates),\n"
	"    role = coalesce($6, s.role),\n"
	"    expects = coalesce($7, s.expects),\n"
	"    max_lag = coalesce($8, s.max_lag),\n"
	"    how = CASE WHEN $9 = '' THEN NULL ELSE coalesce($9, s.how) END,\n"
	"    grain = coalesce($10, s.grain),\n"
	"    level = CASE WHEN $11 = '' THEN NULL ELSE coalesce($11, s.level) END,\n"
	"    rank = coalesce($12, s.rank)\n"
	"WHERE s.source_id = $1",
	.nargs = 12,
	.argtypes = {INT4OID, TEXTOID, JSONBOID, JSONBOID, BOOLOID, TEXTOID, TEXTOID,
	INTERVALOID, TEXTOID, TEXTOID, TEXTOID, INT4OID}
};

static SsotQuery rename_query = {
	.sql =
	"UPDATE ssot.source AS s\n"
	"SET source = $2\n"
	"WHERE s.source_id = $1",
	.nargs = 2,
	.argtypes = {INT4OID, TEXTOID}
};

static SsotQuery drop_query = {
	.sql =
	"WITH state AS (\n"
	"    DELETE FROM ssot.source_state AS t WHERE t.source_id = $1\n"
	"), codes AS (\n"
	"    DELETE FROM ssot.value_map AS v WHERE v.source_id = $1\n"
	")\n"
	"UPDATE ssot.source AS s\n"
	"SET source = pg_catalog.format('%s (dropped %s)', s.source, s.source_id),\n"
	"    relation = NULL,\n"
	"    reading = 'full',\n"
	"    compiled = '{}'\n"
	"WHERE s.source_id = $1",
	.nargs = 1,
	.argtypes = {INT4OID}
};

static SsotQuery tick_query = {
	.sql =
	"UPDATE ssot.clock AS c\n"
	"SET last_write = greatest(pg_catalog.clock_timestamp(), c.last_write + interval '1 microsecond')\n"
	"WHERE c.entity = $1\n"
	"RETURNING c.last_write",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/*
 * The relation, resolved under the declarer's search path, and readable by them.
 */
static Oid
resolve_relation(const SsotEntity *entity, const char *name)
{
	RangeVar   *var = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name)));
	Oid			relid = RangeVarGetRelid(var, AccessShareLock, true);
	char		kind;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" does not exist", name),
				 errhint("Name a table, view, materialized view or foreign table, with its schema.")));
	kind = get_rel_relkind(relid);
	if (kind != RELKIND_RELATION && kind != RELKIND_VIEW && kind != RELKIND_MATVIEW &&
		kind != RELKIND_FOREIGN_TABLE && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table or view", name),
				 errhint("Name a table, view, materialized view or foreign table.")));
	if (get_rel_persistence(relid) == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" is temporary", name),
				 errhint("A source is read in later sessions: land its rows in an ordinary table.")));
	if (relid == entity->relid)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" cannot be a source of itself", entity->name),
				 errhint("The direction is source to golden record; rows written into the table itself are records of the system \"manual\".")));
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for relation \"%s\"", name),
				 errdetail("A source is read with the rights of whoever reconciles."),
				 errhint("GRANT SELECT ON %s TO %s;", ssot_relation_name(relid),
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
	return relid;
}

/*
 * The mapping: what is given now, and else what the base has.
 */
static void
push_argument(JsonbParseState **state, FunctionCallInfo fcinfo, Oid type, int arg, List *key)
{
	ListCell   *lc;

	if (type == TEXTOID)
		ssot_json_text(state, WJB_VALUE, ssot_text_arg(fcinfo, arg));
	else if (type == JSONBOID)
	{
		JsonbValue	value;

		JsonbToJsonbValue(PG_GETARG_JSONB_P(arg), &value);
		pushJsonbValue(state, WJB_VALUE, &value);
	}
	else
	{
		pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
		foreach(lc, key)
			ssot_json_text(state, WJB_ELEM, lfirst(lc) ? (char *) lfirst(lc) : "");
		pushJsonbValue(state, WJB_END_ARRAY, NULL);
	}
}

/* '' and {} take a member away. */
static bool
is_empty(FunctionCallInfo fcinfo, Oid type, int arg)
{
	if (type == TEXTOID)
		return *ssot_text_arg(fcinfo, arg) == '\0';
	return type == JSONBOID && JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(arg)) &&
		JB_ROOT_COUNT(PG_GETARG_JSONB_P(arg)) == 0;
}

static Jsonb *
declared_mapping(FunctionCallInfo fcinfo, List *key, Jsonb *base)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < lengthof(members); i++)
	{
		bool		given = !PG_ARGISNULL(members[i].arg);
		JsonbValue *kept = base == NULL ? NULL : ssot_json_member(base, members[i].name);

		if (given && !is_empty(fcinfo, members[i].type, members[i].arg))
		{
			ssot_json_key(&state, members[i].name);
			push_argument(&state, fcinfo, members[i].type, members[i].arg, key);
		}
		else if (!given && kept != NULL)
		{
			ssot_json_key(&state, members[i].name);
			pushJsonbValue(&state, WJB_VALUE, kept);
		}
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
check_plain_arguments(FunctionCallInfo fcinfo)
{
	Interval	zero = {0};

	if (!PG_ARGISNULL(ARG_ROLE))
		ssot_require_word(ssot_text_arg(fcinfo, ARG_ROLE), "provider", "consumer", "role");
	if (!PG_ARGISNULL(ARG_GRAIN))
		ssot_require_word(ssot_text_arg(fcinfo, ARG_GRAIN), "record", "part", "grain");
	if (!PG_ARGISNULL(ARG_RANK) &&
		(PG_GETARG_INT32(ARG_RANK) < 1 || PG_GETARG_INT32(ARG_RANK) >= SSOT_MANUAL_RANK))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rank must lie between 1 and %d", SSOT_MANUAL_RANK - 1),
				 errhint("Leave it out to come after the sources declared so far.")));
	if (!PG_ARGISNULL(ARG_MAX_LAG) &&
		DatumGetBool(DirectFunctionCall2(interval_lt, PG_GETARG_DATUM(ARG_MAX_LAG),
										 IntervalPGetDatum(&zero))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_lag must not be negative"),
				 errhint("It says how far the source may lag behind, such as '1 day'.")));
}

/* "none", "all", or a predicate on the entity, qualified; NULL if not given. */
static char *
expected_records(FunctionCallInfo fcinfo, const SsotEntity *entity, const char *source)
{
	char	   *text = ssot_text_arg(fcinfo, ARG_EXPECTS);
	char	   *what = psprintf("expects of source \"%s\"", source);

	if (text == NULL || strcmp(text, "none") == 0 || strcmp(text, "all") == 0)
		return text;
	ssot_require_predicate(text, entity->relid, what);
	return ssot_expression_qualify(text, entity->relid, what, BOOLOID, -1);
}

/* Check everything and write it; the source's row is there. */
static void
store(FunctionCallInfo fcinfo, const SsotMapping *mapping, int source_id, Jsonb *declared)
{
	char	   *expects = expected_records(fcinfo, mapping->entity, mapping->source);
	Datum		args[12] = {
		Int32GetDatum(source_id),
		CStringGetTextDatum(ssot_entity_name(mapping->relid)),
		JsonbPGetDatum(declared),
		JsonbPGetDatum(ssot_mapping_compile(mapping)),
		PG_GETARG_DATUM(ARG_CREATES), PG_GETARG_DATUM(ARG_ROLE),
		expects != NULL ? CStringGetTextDatum(expects) : (Datum) 0,
		PG_GETARG_DATUM(ARG_MAX_LAG), PG_GETARG_DATUM(ARG_HOW),
		PG_GETARG_DATUM(ARG_GRAIN), PG_GETARG_DATUM(ARG_LEVEL), PG_GETARG_DATUM(ARG_RANK)
	};
	bool		nulls[12] = {
		false, false, false, false,
		PG_ARGISNULL(ARG_CREATES), PG_ARGISNULL(ARG_ROLE), expects == NULL,
		PG_ARGISNULL(ARG_MAX_LAG), PG_ARGISNULL(ARG_HOW),
		PG_ARGISNULL(ARG_GRAIN), PG_ARGISNULL(ARG_LEVEL), PG_ARGISNULL(ARG_RANK)
	};

	check_plain_arguments(fcinfo);
	ssot_config_run(&update_query, args, nulls);
	ssot_require_source_times(ssot_entity_load(mapping->entity->relid, false));
}

static void
require_given(FunctionCallInfo fcinfo, int arg, const char *name, const char *hint)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name),
				 errhint("%s", hint)));
}

static SsotEntity *
own_entity(FunctionCallInfo fcinfo)
{
	require_given(fcinfo, ARG_ENTITY, "entity", "Name a table registered with ssot.register_entity.");
	return ssot_entity_own(PG_GETARG_OID(ARG_ENTITY));
}

/* A source of an earlier registration, with its records (kept.c)? */
static bool
is_waiting(const SsotSource *source)
{
	return source->relation == NULL && !source->is_steward && !source->is_manual;
}

static void
require_free_name(const SsotEntity *entity, const char *name)
{
	if (*name == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("the name of a source must not be empty"),
				 errhint("Leave it out to take the relation's name.")));
	if (ssot_entity_source(entity, name) >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("entity \"%s\" already has a source \"%s\"", entity->name, name),
				 errhint("Give another name => ..., or call ssot.alter_source to change it.")));
}

static Datum
create_source(FunctionCallInfo fcinfo, List *key)
{
	SsotEntity *entity = own_entity(fcinfo);
	SsotMapping mapping = {.entity = entity};
	Datum		args[5];
	bool		nulls[5] = {false, false, false, false, PG_ARGISNULL(ARG_RANK)};
	Datum		source_id;
	bool		isnull;
	int			waiting;

	require_given(fcinfo, ARG_SYSTEM, "system", "Name a system made by ssot.create_system.");
	require_given(fcinfo, ARG_RELATION, "relation", "Name the table, view or foreign table to read.");
	require_given(fcinfo, ARG_FIELDS, "fields", "Map fields to expressions: '{\"name\": \"legal_name\"}'.");
	mapping.system = ssot_text_arg(fcinfo, ARG_SYSTEM);
	ssot_require_system(mapping.system, "ssot.create_source");
	if (strcmp(mapping.system, "steward") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the built-in system \"steward\" has no sources"),
				 errhint("Corrections are made by UPDATE or with ssot.pin.")));
	mapping.relid = resolve_relation(entity, ssot_text_arg(fcinfo, ARG_RELATION));
	mapping.source = PG_ARGISNULL(ARG_NAME) ? get_rel_name(mapping.relid) : ssot_text_arg(fcinfo, ARG_NAME);
	waiting = ssot_entity_source(entity, mapping.source);
	if (waiting >= 0 && (!is_waiting(&entity->sources[waiting]) ||
						 strcmp(entity->sources[waiting].system, mapping.system) != 0))
		waiting = -1;
	if (waiting < 0)
		require_free_name(entity, mapping.source);
	mapping.declared = declared_mapping(fcinfo, key, NULL);
	check_plain_arguments(fcinfo);

	args[0] = CStringGetTextDatum(entity->name);
	args[1] = CStringGetTextDatum(mapping.source);
	args[2] = CStringGetTextDatum(mapping.system);
	args[3] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	args[4] = PG_GETARG_DATUM(ARG_RANK);
	if (waiting >= 0)
		source_id = Int32GetDatum(entity->sources[waiting].source_id);
	else
		ssot_config_one(&insert_query, args, nulls, 1, &source_id, &isnull);
	store(fcinfo, &mapping, DatumGetInt32(source_id), mapping.declared);
	return source_id;
}

SsotSource *
ssot_require_source(const SsotEntity *entity, const char *name)
{
	int			s;
	StringInfoData names;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("source must not be null"),
				 errhint("Name a source of the entity.")));
	s = ssot_entity_source(entity, name);
	if (s >= 0 && (entity->sources[s].relation != NULL || is_waiting(&entity->sources[s])))
		return &entity->sources[s];
	initStringInfo(&names);
	for (int i = 0; i < entity->nsources; i++)
		if (entity->sources[i].relation != NULL || is_waiting(&entity->sources[i]))
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", entity->sources[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("entity \"%s\" has no source \"%s\" that was made by ssot.create_source",
					entity->name, name),
			 errhint("Its sources are: %s.", names.len > 0 ? names.data : "none so far")));
}

/* Is anything given but the name and what is only said in words? */
static bool
changes_rules(FunctionCallInfo fcinfo)
{
	for (int arg = ARG_RELATION; arg < ARG_NAME; arg++)
		if (!PG_ARGISNULL(arg) && arg != ARG_HOW && arg != ARG_MAX_LAG)
			return true;
	return false;
}

static Datum
alter_source(FunctionCallInfo fcinfo, List *key)
{
	SsotEntity *entity = own_entity(fcinfo);
	SsotSource *source = ssot_require_source(entity, ssot_text_arg(fcinfo, ARG_SOURCE));
	SsotMapping mapping = {.entity = entity,.source = source->name,.system = source->system};
	Datum		rename_args[2];

	if (is_waiting(source) && PG_ARGISNULL(ARG_RELATION))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("source \"%s\" of entity \"%s\" has no relation", source->name, entity->name),
				 errdetail("It is left from an earlier registration, with its records."),
				 errhint("Name its relation => ..., declare it anew with ssot.create_source, or drop it with ssot.drop_source.")));

	mapping.relid = resolve_relation(entity, PG_ARGISNULL(ARG_RELATION) ? source->relation :
									 ssot_text_arg(fcinfo, ARG_RELATION));
	mapping.declared = declared_mapping(fcinfo, key, source->compiled);
	store(fcinfo, &mapping, source->source_id, declared_mapping(fcinfo, key, source->mapping));
	if (!PG_ARGISNULL(ARG_NAME))
	{
		char	   *name = ssot_text_arg(fcinfo, ARG_NAME);

		if (strcmp(name, source->name) != 0)
			require_free_name(entity, name);
		rename_args[0] = Int32GetDatum(source->source_id);
		rename_args[1] = CStringGetTextDatum(name);
		ssot_config_run(&rename_query, rename_args, NULL);
	}
	if (changes_rules(fcinfo))
		ssot_rules_changed(entity->name);
	entity = ssot_entity_load(entity->relid, false);
	ssot_reading_follow(entity, &entity->sources[ssot_entity_source_id(entity, source->source_id)]);
	PG_RETURN_VOID();
}

/* An untyped literal is text, so '{a,b}' arrives as text too. */
static List *
key_of_text(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(ARG_KEY) ? NIL : ssot_name_or_array(ssot_text_arg(fcinfo, ARG_KEY));
}

static List *
key_of_array(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(ARG_KEY) ? NIL : ssot_text_array_list(PG_GETARG_DATUM(ARG_KEY));
}

Datum
ssot_create_source_text(PG_FUNCTION_ARGS)
{
	return create_source(fcinfo, key_of_text(fcinfo));
}

Datum
ssot_create_source_array(PG_FUNCTION_ARGS)
{
	return create_source(fcinfo, key_of_array(fcinfo));
}

Datum
ssot_alter_source_text(PG_FUNCTION_ARGS)
{
	return alter_source(fcinfo, key_of_text(fcinfo));
}

Datum
ssot_alter_source_array(PG_FUNCTION_ARGS)
{
	return alter_source(fcinfo, key_of_array(fcinfo));
}

/*
 * WITH closed AS (
 *     DELETE FROM golden_ssot.customer_source AS s WHERE s.ssot_source = $1
 *     RETURNING <record columns>)
 * INSERT INTO golden_ssot.customer_source_history (<record columns>, ssot_to)
 * SELECT <record columns>, $2 FROM closed AS s
 */
static void
close_records(const SsotEntity *entity, int source_id, Datum t)
{
	const char *const others[] = {
		entity->key_table, entity->quarantine_table, entity->drift_table
	};
	const Oid	argtypes[2] = {INT4OID, TIMESTAMPTZOID};
	const Datum args[2] = {Int32GetDatum(source_id), t};
	SsotStatement statement = {.nargs = 2,.argtypes = argtypes,.args = args};
	SsotUser	user = ssot_become_owner(ssot_companion_oid(entity->source_table));

	statement.sql =
		ssot_sql("WITH closed AS (\n"
				 "    DELETE FROM %T AS s\n"
				 "    WHERE s.ssot_source OPERATOR(pg_catalog.=) $1\n"
				 "    RETURNING %s)\n"
				 "INSERT INTO %T (%s, ssot_to)\n"
				 "SELECT %s, $2\n"
				 "FROM closed AS s",
				 entity->source_table, ssot_record_columns(entity, "s."),
				 entity->source_history_table, ssot_record_columns(entity, ""),
				 ssot_record_columns(entity, "s."));
	ssot_statement_run(&statement);
	statement.nargs = 1;
	for (int i = 0; i < lengthof(others); i++)
	{
		statement.sql = ssot_sql("DELETE FROM %T AS o\n"
								 "WHERE o.ssot_source OPERATOR(pg_catalog.=) $1", others[i]);
		ssot_statement_run(&statement);
	}
	ssot_restore_user(user);
}

Datum
ssot_drop_source(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = own_entity(fcinfo);
	SsotSource *source = ssot_require_source(entity, ssot_text_arg(fcinfo, ARG_SOURCE));
	Datum		name = CStringGetTextDatum(entity->name);
	Datum		id = Int32GetDatum(source->source_id);
	Datum		t;
	bool		isnull;

	ssot_rules_changed(entity->name);
	ssot_config_one(&tick_query, &name, NULL, 1, &t, &isnull);
	close_records(entity, source->source_id, t);
	ssot_config_run(&drop_query, &id, NULL);
	ssot_tracking_end(source->source_id, NULL);
	PG_RETURN_VOID();
}
