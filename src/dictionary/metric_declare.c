/*
 * dictionary/metric_declare.c
 *		ssot.create_metric: from its arguments to a version in the dictionary.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "dictionary/hierarchy.h"
#include "dictionary/metric_compile.h"
#include "dictionary/metric_store.h"
#include "dictionary/metric_view.h"
#include "entity/declare.h"
#include "entity/json.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ssot_create_metric);

enum
{
	ARG_NAME,
	ARG_FROM_ENTITY,
	ARG_MEASURE,
	ARG_FILTER,
	ARG_UNIT,
	ARG_DESCRIPTION,
	ARG_OWNER,
	ARG_DIMENSIONS,
	ARG_DATE,
	ARG_KIND,
	ARG_NUMERATOR,
	ARG_DENOMINATOR,
	ARG_EXPRESSION,
	ARG_OVER,
	ARG_CURRENCY,
	ARG_RATES,
	ARG_CALENDAR,
	ARG_EMPTY,
	ARG_RETIRED,
	ARG_VARIANT,
	ARG_EFFECTIVE_FROM,
	ARG_SIGNERS,
	ARG_CANONICAL_SYSTEM,
	ARG_DRAFT
};

/* Arguments that are members of the declaration under a name. */
static const struct
{
	int			arg;
	const char *name;
}			members[] =

{
	{ARG_MEASURE, "measure"},
	{ARG_FILTER, "filter"},
	{ARG_UNIT, "unit"},
	{ARG_DATE, "date"},
	{ARG_KIND, "kind"},
	{ARG_NUMERATOR, "numerator"},
	{ARG_DENOMINATOR, "denominator"},
	{ARG_EXPRESSION, "expression"},
	{ARG_OVER, "window"},
	{ARG_CURRENCY, "currency"},
	{ARG_CALENDAR, "calendar"},
	{ARG_EMPTY, "empty"}
};

static void
put(JsonbParseState **state, const char *name, const char *value)
{
	ssot_json_key(state, name);
	ssot_json_text(state, WJB_VALUE, value);
}

static void
put_dimension(JsonbParseState **state, const char *name, const char *value)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	put(state, "name", name);
	put(state, "value", value);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* "customer.country" is called customer_country. */
static char *
default_name(const char *text)
{
	char	   *name = pstrdup(text);

	for (char *c = name; *c != '\0'; c++)
		if (*c == '.')
			*c = '_';
	return name;
}

/* Dimensions as an array of names, or as {"name": "expression"}, where a level of a
 * hierarchy is an object. */
static void
put_dimensions(JsonbParseState **state, Jsonb *dimensions)
{
	JsonbValue	document = {.type = jbvBinary};
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;
	ListCell   *cell;

	ssot_json_key(state, "dimensions");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	document.val.binary.data = &dimensions->root;
	document.val.binary.len = VARSIZE(dimensions) - VARHDRSZ;
	if (JB_ROOT_IS_ARRAY(dimensions))
	{
		it = JsonbIteratorInit(&dimensions->root);
		while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
			if (token == WJB_ELEM)
			{
				char	   *text = ssot_json_string(&v, "an element of dimensions");

				put_dimension(state, default_name(text), text);
			}
	}
	else
		foreach(cell, ssot_json_pairs(&document, "dimensions"))
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);

		if (pair->value.type == jbvBinary)
			ssot_hierarchy_declared(state, pair->name, &pair->value);
		else
			put_dimension(state, pair->name, ssot_json_string(&pair->value, pair->name));
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static Jsonb *
declaration(FunctionCallInfo fcinfo)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (!PG_ARGISNULL(ARG_FROM_ENTITY))
		put(&state, "entity", ssot_relation_name(PG_GETARG_OID(ARG_FROM_ENTITY)));
	if (!PG_ARGISNULL(ARG_RATES))
		put(&state, "rates", ssot_relation_name(PG_GETARG_OID(ARG_RATES)));
	for (int i = 0; i < lengthof(members); i++)
		if (!PG_ARGISNULL(members[i].arg))
			put(&state, members[i].name, ssot_text_arg(fcinfo, members[i].arg));
	if (!PG_ARGISNULL(ARG_DIMENSIONS))
		put_dimensions(&state, PG_GETARG_JSONB_P(ARG_DIMENSIONS));
	ssot_json_key(&state, "retired");
	ssot_json_bool(&state, !PG_ARGISNULL(ARG_RETIRED) && PG_GETARG_BOOL(ARG_RETIRED));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * create_metric(...): a new version of a metric; its views, once it is approved.
 * Returns the version.
 */
Datum
ssot_create_metric(PG_FUNCTION_ARGS)
{
	char	   *name = ssot_text_arg(fcinfo, ARG_NAME);
	char	   *variant = ssot_text_arg(fcinfo, ARG_VARIANT);
	SsotDefinition definition = {
		.description = ssot_text_arg(fcinfo, ARG_DESCRIPTION),
		.owner = ssot_text_arg(fcinfo, ARG_OWNER),
		.canonical_system = ssot_text_arg(fcinfo, ARG_CANONICAL_SYSTEM),
		.has_signers = !PG_ARGISNULL(ARG_SIGNERS),
		.signers = PG_ARGISNULL(ARG_SIGNERS) ? NIL : ssot_text_array_list(PG_GETARG_DATUM(ARG_SIGNERS)),
		.has_effective_from = !PG_ARGISNULL(ARG_EFFECTIVE_FROM),
		.effective_from = PG_ARGISNULL(ARG_EFFECTIVE_FROM) ? 0 : PG_GETARG_TIMESTAMPTZ(ARG_EFFECTIVE_FROM),
		.draft = !PG_ARGISNULL(ARG_DRAFT) && PG_GETARG_BOOL(ARG_DRAFT)
	};
	SsotVersionName version;
	Jsonb	   *declared;
	SsotMetric *metric;

	ssot_require_definition_name(name, variant);
	declared = declaration(fcinfo);
	metric = ssot_metric_compile(name, variant == NULL ? "" : variant, declared, ssot_metric_named);
	ssot_require_ownership(ssot_metric_entity(metric));
	ssot_metric_warn(metric);
	ssot_hierarchy_warn(metric);
	ssot_metric_keep(metric, &definition, declared);
	ssot_metric_schemas_require(metric);
	version = (SsotVersionName)
	{
		metric->name, metric->variant, metric->version
	};
	if (!definition.draft)
		ssot_definition_approve(&version);
	PG_RETURN_INT32(metric->version);
}
