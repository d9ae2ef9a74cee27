/*
 * entity/authority.c
 *		Who is the source of truth for a field: set_authority; and for how long a
 *		person is: set_pin_policy.
 *
 * A field without a declaration takes the defaults (the canonical system first,
 * then the others by rank). A declaration replaces the one before it as a whole.
 *
 * Rules have a version, so that a run knows whether golden records have to be
 * chosen anew although no source changed: the map_version of the entity's
 * built-in source "steward", which has no mapping that could change.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/config.h"
#include "entity/declare.h"
#include "entity/json.h"

#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(ssot_set_authority_field);
PG_FUNCTION_INFO_V1(ssot_set_authority_fields);
PG_FUNCTION_INFO_V1(ssot_set_pin_policy);

enum
{
	ARG_ENTITY, ARG_FIELDS, ARG_SYSTEMS, ARG_STRATEGY, ARG_NULL_POLICY,
	ARG_ONLY_LISTED, ARG_GROUP, ARG_TOLERANCE, ARG_OWNER
};

static SsotQuery rules_query = {
	.sql =
	"UPDATE ssot.source AS s\n"
	"SET map_version = s.map_version + 1\n"
	"WHERE s.entity = $1\n"
	"  AND s.source = 'steward'",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery set_query = {
	.sql =
	"INSERT INTO ssot.field AS f (entity, field, systems, only_listed, strategy, null_policy,\n"
	"                             field_group, tolerance, owner)\n"
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)\n"
	"ON CONFLICT (entity, field) DO UPDATE\n"
	"SET systems = excluded.systems,\n"
	"    only_listed = excluded.only_listed,\n"
	"    strategy = excluded.strategy,\n"
	"    null_policy = excluded.null_policy,\n"
	"    field_group = excluded.field_group,\n"
	"    tolerance = excluded.tolerance,\n"
	"    owner = excluded.owner",
	.nargs = 9,
	.argtypes = {TEXTOID, TEXTOID, TEXTARRAYOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID,
	FLOAT8OID, TEXTOID}
};

void
ssot_rules_changed(const char *entity_name)
{
	Datum		name = CStringGetTextDatum(entity_name);

	ssot_config_run(&rules_query, &name, NULL);
}

static void
require_one_of(const char *value, const char *const *known, int count, const char *what)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < count; i++)
	{
		if (value != NULL && strcmp(value, known[i]) == 0)
			return;
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", known[i]);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown %s \"%s\"", what, value != NULL ? value : "(null)"),
			 errhint("It is one of %s.", names.data)));
}

void
ssot_require_word(const char *value, const char *first, const char *second, const char *what)
{
	const char *const known[] = {first, second};

	require_one_of(value, known, 2, what);
}

static int
require_field(const SsotEntity *entity, const char *name)
{
	int			f = name == NULL ? -1 : ssot_entity_field(entity, name);

	if (f < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("entity \"%s\" has no field \"%s\"", entity->name,
						name != NULL ? name : "(null)"),
				 errdetail("The primary key, generated columns and the columns that ssot keeps are not fields."),
				 errhint("The fields are %s.", ssot_field_names(entity))));
	return f;
}

static void
check_systems(List *systems)
{
	ListCell   *lc;
	ListCell   *other;

	foreach(lc, systems)
	{
		char	   *system = (char *) lfirst(lc);

		if (system == NULL || strcmp(system, "steward") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("systems may contain neither null nor \"steward\""),
					 errhint("A person's correction always comes first and is not listed.")));
		ssot_require_system(system, "systems");
		foreach(other, systems)
		{
			if (other == lc)
				break;
			if (strcmp((char *) lfirst(other), system) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("system \"%s\" is listed twice", system),
						 errhint("Name each system once, the one to be believed first at the front.")));
		}
	}
}

/* A strategy that compares needs something to compare by. */
static void
check_strategy(const SsotField *field, const char *strategy)
{
	if (strcmp(strategy, "longest") == 0 && !field->is_text)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("strategy \"longest\" needs text, and field \"%s\" is of type %s",
						field->name, format_type_be(field->type)),
				 errhint("Use \"max\" for ordered types, or \"authority\".")));
	if ((strcmp(strategy, "min") == 0 || strcmp(strategy, "max") == 0) &&
		!OidIsValid(lookup_type_cache(field->base_type, TYPECACHE_CMP_PROC)->cmp_proc))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("strategy \"%s\" needs an ordered type, and field \"%s\" is of type %s",
						strategy, field->name, format_type_be(field->type)),
				 errhint("Use \"authority\" or \"most_frequent\".")));
}

static void
check_tolerance(const SsotField *field, double tolerance)
{
	if (!(tolerance >= 0) ||
		(TypeCategory(field->base_type) != TYPCATEGORY_NUMERIC &&
		 field->base_type != TIMESTAMPOID && field->base_type != TIMESTAMPTZOID))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("field \"%s\" of type %s cannot have the tolerance %g",
						field->name, format_type_be(field->type), tolerance),
				 errhint("A tolerance is a number that is not negative, for numbers or for timestamps (in seconds).")));
}

/* Has any source of the entity a time for the field? */
static bool
has_source_time(const SsotEntity *entity, int f, bool *mapped)
{
	const char *name = entity->fields[f].name;

	*mapped = false;
	for (int s = 0; s < entity->nsources; s++)
	{
		SsotSource *source = &entity->sources[s];
		JsonbValue *times;
		ListCell   *lc;

		if (source->relation == NULL || source->consumer || !source->maps[f])
			continue;
		*mapped = true;
		if (ssot_json_member(source->compiled, "updated_at") != NULL)
			return true;
		times = ssot_json_member(source->compiled, "field_updated_at");
		if (times != NULL)
			foreach(lc, ssot_json_pairs(times, "field_updated_at"))
				if (strcmp(((SsotPair *) lfirst(lc))->name, name) == 0)
				return true;
	}
	return false;
}

/*
 * Called after each declaration, so that it does not matter whether the
 * strategy or the source came first. A field that nothing maps yet is let be.
 */
void
ssot_require_source_times(const SsotEntity *entity)
{
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];
		bool		mapped;

		if ((field->strategy != SSOT_MOST_RECENT && field->strategy != SSOT_OLDEST) ||
			has_source_time(entity, f, &mapped) || !mapped)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("field \"%s\" is chosen by time, and no source that maps it has a source time",
						field->name),
				 errdetail("The time at which a value was read says nothing about how recent it is."),
				 errhint("Declare updated_at or field_updated_at with ssot.create_source or ssot.alter_source, or choose another strategy with ssot.set_authority.")));
	}
}

static void
set_field(FunctionCallInfo fcinfo, const SsotEntity *entity, const char *name)
{
	Datum		args[9] = {CStringGetTextDatum(entity->name), CStringGetTextDatum(name)};
	bool		nulls[9] = {false};

	args[2] = PG_GETARG_DATUM(ARG_SYSTEMS);
	args[3] = PG_GETARG_DATUM(ARG_ONLY_LISTED);
	args[4] = PG_GETARG_DATUM(ARG_STRATEGY);
	args[5] = PG_GETARG_DATUM(ARG_NULL_POLICY);
	for (int i = 0; i < 3; i++)
	{
		args[6 + i] = PG_GETARG_DATUM(ARG_GROUP + i);
		nulls[6 + i] = PG_ARGISNULL(ARG_GROUP + i);
	}
	ssot_config_run(&set_query, args, nulls);
}

static SsotQuery entity_pin_policy = {
	.sql =
	"UPDATE ssot.entity AS e\n"
	"SET pin_policy = $2\n"
	"WHERE e.entity = $1",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static SsotQuery field_pin_policy = {
	.sql =
	"INSERT INTO ssot.field AS f (entity, field, pin_policy)\n"
	"VALUES ($1, $3, $2)\n"
	"ON CONFLICT (entity, field) DO UPDATE\n"
	"SET pin_policy = excluded.pin_policy",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID}
};

/*
 * set_pin_policy(entity regclass, policy text, fields text[]): of these fields, or
 * (NULL) of those that have none of their own. A field's policy NULL: the entity's.
 */
Datum
ssot_set_pin_policy(PG_FUNCTION_ARGS)
{
	SsotEntity *entity;
	char	   *policy = ssot_text_arg(fcinfo, 1);
	bool		of_fields = !PG_ARGISNULL(2);
	List	   *fields = of_fields ? ssot_text_array_list(PG_GETARG_DATUM(2)) : NIL;
	ListCell   *lc;
	Datum		args[3];
	bool		nulls[3] = {false, policy == NULL, false};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("entity must not be null")));
	entity = ssot_entity_own(PG_GETARG_OID(0));
	if (!of_fields || policy != NULL)
		ssot_require_word(policy, "retire", "keep", "pin policy");
	args[0] = CStringGetTextDatum(entity->name);
	args[1] = policy == NULL ? (Datum) 0 : CStringGetTextDatum(policy);
	if (!of_fields)
		ssot_config_run(&entity_pin_policy, args, nulls);
	foreach(lc, fields)
	{
		int			f = require_field(entity, (char *) lfirst(lc));

		args[2] = CStringGetTextDatum(entity->fields[f].name);
		ssot_config_run(&field_pin_policy, args, nulls);
	}
	ssot_rules_changed(entity->name);
	PG_RETURN_VOID();
}

static void
require_arguments(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"entity", "field", "systems", "strategy", "null_policy", "only_listed"};

	for (int i = 0; i < lengthof(names); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", names[i]),
					 errhint("Leave it out to take the default.")));
}

static void
set_authority(FunctionCallInfo fcinfo, SsotEntity *entity, List *fields)
{
	static const char *const strategies[] = {
		"authority", "most_recent", "most_frequent", "longest", "min", "max", "oldest"
	};
	static const char *const policies[] = {"ignore", "clear", "clear_if_authoritative"};
	char	   *strategy = ssot_text_arg(fcinfo, ARG_STRATEGY);
	List	   *systems = ssot_text_array_list(PG_GETARG_DATUM(ARG_SYSTEMS));
	ListCell   *lc;

	require_one_of(strategy, strategies, lengthof(strategies), "strategy");
	require_one_of(ssot_text_arg(fcinfo, ARG_NULL_POLICY), policies, lengthof(policies), "null_policy");
	check_systems(systems);
	if (PG_GETARG_BOOL(ARG_ONLY_LISTED) && systems == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("only_listed without any system would leave the field without a source"),
				 errhint("List at least one system.")));
	if (fields == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no field is named"),
				 errhint("The fields are %s.", ssot_field_names(entity))));
	foreach(lc, fields)
	{
		const SsotField *field = &entity->fields[require_field(entity, (char *) lfirst(lc))];

		check_strategy(field, strategy);
		if (!PG_ARGISNULL(ARG_TOLERANCE))
			check_tolerance(field, PG_GETARG_FLOAT8(ARG_TOLERANCE));
		set_field(fcinfo, entity, field->name);
	}
	ssot_rules_changed(entity->name);
	ssot_require_source_times(ssot_entity_load(entity->relid, false));
}

static SsotEntity *
own_entity(FunctionCallInfo fcinfo)
{
	require_arguments(fcinfo);
	return ssot_entity_own(PG_GETARG_OID(ARG_ENTITY));
}

List *
ssot_name_or_array(const char *text)
{
	Oid			input;
	Oid			element;

	if (*text != '{')
		return list_make1((char *) text);
	getTypeInputInfo(TEXTARRAYOID, &input, &element);
	return ssot_text_array_list(OidInputFunctionCall(input, (char *) text, element, -1));
}

/*
 * An untyped literal is text, so '{street,city}' arrives here as well; a column
 * that is really named so is taken first.
 */
Datum
ssot_set_authority_field(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = own_entity(fcinfo);
	char	   *name = ssot_text_arg(fcinfo, ARG_FIELDS);

	set_authority(fcinfo, entity,
				  ssot_entity_field(entity, name) >= 0 ? list_make1(name) : ssot_name_or_array(name));
	PG_RETURN_VOID();
}

Datum
ssot_set_authority_fields(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = own_entity(fcinfo);

	set_authority(fcinfo, entity, ssot_text_array_list(PG_GETARG_DATUM(ARG_FIELDS)));
	PG_RETURN_VOID();
}
