/*
 * entity/mapping.c
 *		Checking a source's mapping and compiling it.
 *
 * In: the mapping as declared. Out: the same document with every expression
 * qualified and every shorthand written out (src/README shows both). Each
 * member is checked against the entity, the relation and the other systems
 * here, so that a run never meets a mapping that cannot work. A compiled
 * mapping is itself a valid mapping and compiles to itself.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/config.h"
#include "entity/declare.h"
#include "entity/expression.h"
#include "entity/json.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Do the sources of a system for an entity declare a further key? */
static SsotQuery key_query = {
	.sql =
	"SELECT pg_catalog.bool_or(coalesce(s.mapping -> 'keys' ? $3, false)),\n"
	"       pg_catalog.string_agg(k.name, ', ' ORDER BY k.name COLLATE \"C\")\n"
	"FROM ssot.source AS s\n"
	"LEFT JOIN LATERAL pg_catalog.jsonb_object_keys(s.mapping -> 'keys') AS k (name) ON true\n"
	"WHERE s.entity = $1\n"
	"  AND s.system = $2\n"
	"  AND s.relation IS NOT NULL\n"
	"HAVING pg_catalog.count(*) > 0",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID}
};

static char *
describe(const SsotMapping *mapping, const char *part, const char *name)
{
	if (name == NULL)
		return psprintf("%s of source \"%s\"", part, mapping->source);
	return psprintf("%s \"%s\" of source \"%s\"", part, name, mapping->source);
}

static char *
compile(const SsotMapping *mapping, const char *text, const char *what,
		Oid type, int32 typmod)
{
	return ssot_expression_qualify(text, mapping->relid, what, type, typmod);
}

static void
push_expression(JsonbParseState **state, const SsotMapping *mapping, const char *name,
				const char *text, const char *what, Oid type, int32 typmod)
{
	ssot_json_key(state, name);
	ssot_json_text(state, WJB_VALUE, compile(mapping, text, what, type, typmod));
}

/* A further key's or system's name becomes part of a token. */
static void
check_token_name(const char *name, const char *what)
{
	if (*name == '\0' || strpbrk(name, ":.") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("%s has a name that is empty or contains \":\" or \".\"", what),
				 errdetail("Keys are written as system:key and system.key_name:key.")));
}

/* Is it a key of the source that is being declared? */
static bool
declares_key(const SsotMapping *mapping, const char *entity, const char *system,
			 const char *key)
{
	JsonbValue *keys = ssot_json_member(mapping->declared, "keys");
	ListCell   *lc;

	if (keys == NULL || strcmp(entity, mapping->entity->name) != 0 ||
		strcmp(system, mapping->system) != 0)
		return false;
	foreach(lc, ssot_json_pairs(keys, describe(mapping, "keys", NULL)))
		if (strcmp(((SsotPair *) lfirst(lc))->name, key) == 0)
		return true;
	return false;
}

/*
 * A link or a foreign key names a further key of a system. A system that has
 * no source for the entity yet may get one later, in any order; one that has
 * must have declared the key.
 */
static void
require_key(const SsotMapping *mapping, const char *entity, const char *system,
			const char *key, const char *what)
{
	Datum		args[3] = {CStringGetTextDatum(entity), CStringGetTextDatum(system), CStringGetTextDatum(key)};
	Datum		values[2];
	bool		isnull[2];

	if (declares_key(mapping, entity, system, key))
		return;
	if (!ssot_config_one(&key_query, args, NULL, 2, values, isnull) ||
		DatumGetBool(values[0]))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("no source of system \"%s\" for %s declares the key \"%s\"", system, entity, key),
			 errdetail("It is named by %s. The further keys declared are: %s.", what,
					   isnull[1] ? "none" : TextDatumGetCString(values[1])),
			 errhint("Declare it with ssot.create_source or ssot.alter_source (keys => '{\"%s\": \"...\"}') first.", key)));
}

/*
 * "key": ["expr", ...]
 */
static void
compile_key(const SsotMapping *mapping, JsonbParseState **state)
{
	char	   *what = describe(mapping, "key", NULL);
	JsonbValue *key = ssot_json_member(mapping->declared, "key");
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	int			count = 0;

	ssot_json_key(state, "key");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	it = key == NULL ? NULL : JsonbIteratorInit(key->val.binary.data);
	while (it != NULL && (token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		char	   *text;

		if (token != WJB_ELEM)
			continue;
		text = ssot_json_string(&v, what);
		if (ssot_expression_columns(ssot_expression_parse(text, mapping->relid, what, InvalidOid, -1),
									NULL) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the %s reads no column: %s", what, text),
					 errhint("A key is an expression that tells the rows apart, such as the source's primary key.")));
		ssot_json_text(state, WJB_ELEM, compile(mapping, text, what, InvalidOid, -1));
		count++;
	}
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("source \"%s\" has no key", mapping->source),
				 errhint("Give an expression, or an array of them, that tells the rows apart.")));
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
missing_value(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s has no \"value\"", what),
			 errhint("Give the expression as the member \"value\".")));
}

static void
unknown_member(const char *name, const char *what, const char *known)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown member \"%s\" of %s", name, what),
			 errhint("The members are %s.", known)));
}

/*
 * "keys": {"id": "expr"} or {"id": {"value": "expr", "nullable": true}}
 */
static void
compile_further_key(const SsotMapping *mapping, JsonbParseState **state, const SsotPair *pair)
{
	char	   *what = describe(mapping, "key", pair->name);
	char	   *text = NULL;
	bool		nullable = false;
	ListCell   *lc;

	check_token_name(pair->name, what);
	if (pair->value.type == jbvString)
		text = ssot_json_string(&pair->value, what);
	else
		foreach(lc, ssot_json_pairs(&pair->value, what))
	{
		SsotPair   *member = (SsotPair *) lfirst(lc);

		if (strcmp(member->name, "value") == 0)
			text = ssot_json_string(&member->value, what);
		else if (strcmp(member->name, "nullable") == 0 && member->value.type == jbvBool)
			nullable = member->value.val.boolean;
		else
			unknown_member(member->name, what, "\"value\" (an expression) and \"nullable\" (true or false)");
	}
	if (text == NULL)
		missing_value(what);
	ssot_json_key(state, pair->name);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_expression(state, mapping, "value", text, what, InvalidOid, -1);
	ssot_json_key(state, "nullable");
	ssot_json_bool(state, nullable);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/*
 * "links": {"crm": "expr", "crm.id": "expr"}
 */
static void
compile_link(const SsotMapping *mapping, JsonbParseState **state, const SsotPair *pair)
{
	char	   *what = describe(mapping, "link", pair->name);
	char	   *system = pstrdup(pair->name);
	char	   *key = strchr(system, '.');

	if (key != NULL)
	{
		*key++ = '\0';
		check_token_name(key, what);
	}
	ssot_require_system(system, what);
	if (strcmp(system, "steward") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s names the built-in system \"steward\"", what),
				 errhint("Link to the system whose key the expression is.")));
	if (key != NULL)
		require_key(mapping, mapping->entity->name, system, key, what);
	push_expression(state, mapping, pair->name, ssot_json_string(&pair->value, what),
					what, InvalidOid, -1);
}

/*
 * "customer_id": {"system": "crm", "key": "id", "value": "expr"}
 *
 * A plain expression for a foreign key to a registered entity is the key of a
 * record of the source's own system.
 */
static void
compile_reference(const SsotMapping *mapping, JsonbParseState **state,
				  const SsotPair *pair, const SsotField *field)
{
	char	   *what = describe(mapping, "field", pair->name);
	const char *system = mapping->system;
	const char *key = NULL;
	char	   *text = NULL;
	ListCell   *lc;

	if (!OidIsValid(field->references))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is not a foreign key to a registered entity", what),
				 errdetail("Only such a field can be mapped through another system's key."),
				 errhint("Add the foreign key and register its table with ssot.register_entity first, or map the field with an expression.")));
	if (pair->value.type == jbvString)
		text = ssot_json_string(&pair->value, what);
	else
		foreach(lc, ssot_json_pairs(&pair->value, what))
	{
		SsotPair   *member = (SsotPair *) lfirst(lc);
		char	   *string = ssot_json_string(&member->value, what);

		if (strcmp(member->name, "value") == 0)
			text = string;
		else if (strcmp(member->name, "system") == 0)
			system = string;
		else if (strcmp(member->name, "key") == 0)
			key = string;
		else
			unknown_member(member->name, what, "\"system\", \"key\" (a further key, optional) and \"value\" (an expression)");
	}
	if (text == NULL)
		missing_value(what);
	ssot_require_system(system, what);
	if (key != NULL)
		require_key(mapping, field->references_entity, system, key, what);

	ssot_json_key(state, pair->name);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	ssot_json_key(state, "system");
	ssot_json_text(state, WJB_VALUE, system);
	if (key != NULL)
	{
		ssot_json_key(state, "key");
		ssot_json_text(state, WJB_VALUE, key);
	}
	push_expression(state, mapping, "value", text, what, InvalidOid, -1);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static const SsotField *
require_field(const SsotMapping *mapping, const char *name, const char *part)
{
	int			f = ssot_entity_field(mapping->entity, name);

	if (f < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("entity \"%s\" has no field \"%s\"", mapping->entity->name, name),
				 errdetail("It is named by %s of source \"%s\". The primary key, generated columns and the columns that ssot keeps are not fields.",
						   part, mapping->source),
				 errhint("The fields are %s.", ssot_field_names(mapping->entity))));
	return &mapping->entity->fields[f];
}

static void
compile_field(const SsotMapping *mapping, JsonbParseState **state, const SsotPair *pair)
{
	const SsotField *field = require_field(mapping, pair->name, "fields");
	char	   *what = describe(mapping, "field", pair->name);

	if (OidIsValid(field->references) || pair->value.type == jbvBinary)
		compile_reference(mapping, state, pair, field);
	else
		push_expression(state, mapping, pair->name, ssot_json_string(&pair->value, what),
						what, field->type, field->typmod);
}

/* A field named beside the fields must be mapped. */
static void
require_mapped(const SsotMapping *mapping, const char *name, const char *part)
{
	JsonbValue *fields = ssot_json_member(mapping->declared, "fields");
	ListCell   *lc;

	require_field(mapping, name, part);
	if (fields != NULL)
		foreach(lc, ssot_json_pairs(fields, part))
			if (strcmp(((SsotPair *) lfirst(lc))->name, name) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("source \"%s\" does not map the field \"%s\"", mapping->source, name),
			 errdetail("It is named by %s.", part),
			 errhint("Add it to fields, or leave it out of %s.", part)));
}

static void
compile_field_time(const SsotMapping *mapping, JsonbParseState **state, const SsotPair *pair)
{
	char	   *what = describe(mapping, "source time of field", pair->name);

	require_mapped(mapping, pair->name, "field_updated_at");
	push_expression(state, mapping, pair->name, ssot_json_string(&pair->value, what),
					what, TIMESTAMPTZOID, -1);
}

static void
compile_on_error(const SsotMapping *mapping, JsonbParseState **state, const SsotPair *pair)
{
	char	   *what = describe(mapping, "on_error for field", pair->name);

	require_mapped(mapping, pair->name, "on_error");
	if (strcmp(ssot_json_string(&pair->value, what), "null") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be \"null\"", what),
				 errhint("\"null\" keeps the row without the value; without on_error the row goes to quarantine.")));
	ssot_json_key(state, pair->name);
	ssot_json_text(state, WJB_VALUE, "null");
}

/* An object of the mapping, member by member. */
static void
compile_object(const SsotMapping *mapping, JsonbParseState **state, const char *name,
			   void (*compile_member) (const SsotMapping *, JsonbParseState **, const SsotPair *))
{
	JsonbValue *object = ssot_json_member(mapping->declared, name);
	ListCell   *lc;

	if (object == NULL)
		return;
	ssot_json_key(state, name);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	foreach(lc, ssot_json_pairs(object, describe(mapping, name, NULL)))
		compile_member(mapping, state, (SsotPair *) lfirst(lc));
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* An expression of the mapping. */
static void
compile_single(const SsotMapping *mapping, JsonbParseState **state, const char *name, Oid type)
{
	JsonbValue *value = ssot_json_member(mapping->declared, name);
	char	   *what = describe(mapping, name, NULL);

	if (value == NULL)
		return;
	push_expression(state, mapping, name, ssot_json_string(value, what), what, type, -1);
}

/* A predicate is used as one, so text that would have to be cast will not do. */
void
ssot_require_predicate(const char *text, Oid relid, const char *what)
{
	Node	   *expression = ssot_expression_parse(text, relid, what, BOOLOID, -1);

	if (getBaseType(exprType(expression)) != BOOLOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s must be boolean, not %s", what, format_type_be(exprType(expression))),
				 errhint("Write a condition, such as: status = 'active'.")));
}

static void
check_filter(const SsotMapping *mapping)
{
	JsonbValue *filter = ssot_json_member(mapping->declared, "filter");
	char	   *what = describe(mapping, "filter", NULL);

	if (filter != NULL)
		ssot_require_predicate(ssot_json_string(filter, what), mapping->relid, what);
}

Jsonb *
ssot_mapping_compile(const SsotMapping *mapping)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	compile_key(mapping, &state);
	compile_object(mapping, &state, "keys", compile_further_key);
	compile_object(mapping, &state, "links", compile_link);
	compile_object(mapping, &state, "fields", compile_field);
	check_filter(mapping);
	compile_single(mapping, &state, "filter", BOOLOID);
	compile_single(mapping, &state, "updated_at", TIMESTAMPTZOID);
	compile_object(mapping, &state, "field_updated_at", compile_field_time);
	compile_single(mapping, &state, "deleted", BOOLOID);
	compile_single(mapping, &state, "merged_into", InvalidOid);
	compile_object(mapping, &state, "on_error", compile_on_error);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
