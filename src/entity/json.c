/*
 * entity/json.c
 *		Taking declared jsonb apart, and building it.
 *
 * A mapping is at most three levels deep and small, so it is read into lists
 * and every member is looked at: a misspelt one is an error and not silence.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/json.h"

#include "utils/builtins.h"

static void
refuse_shape(const char *what, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be %s", what, expected),
			 errhint("For example: '{\"name\": \"legal_name\", \"email\": \"lower(email)\"}'.")));
}

static char *
copy_string(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

List *
ssot_json_pairs(const JsonbValue *value, const char *what)
{
	List	   *pairs = NIL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	SsotPair   *pair = NULL;

	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		refuse_shape(what, "a JSON object");
	it = JsonbIteratorInit(value->val.binary.data);
	token = JsonbIteratorNext(&it, &v, true);	/* WJB_BEGIN_OBJECT */
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			pair = palloc(sizeof(SsotPair));
			pair->name = copy_string(&v);
		}
		else if (token == WJB_VALUE)
		{
			pair->value = v;
			pairs = lappend(pairs, pair);
		}
	}
	return pairs;
}

char *
ssot_json_string(const JsonbValue *value, const char *what)
{
	if (value->type != jbvString)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a JSON string", what),
				 errhint("Expressions are written as strings: \"lower(email)\".")));
	return copy_string(value);
}

JsonbValue *
ssot_json_member(Jsonb *document, const char *name)
{
	return getKeyJsonValueFromContainer(&document->root, name, strlen(name), NULL);
}

void
ssot_json_text(JsonbParseState **state, JsonbIteratorToken token, const char *text)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = pstrdup(text);
	value.val.string.len = strlen(text);
	pushJsonbValue(state, token, &value);
}

void
ssot_json_key(JsonbParseState **state, const char *name)
{
	ssot_json_text(state, WJB_KEY, name);
}

void
ssot_json_bool(JsonbParseState **state, bool value)
{
	JsonbValue	v = {.type = jbvBool};

	v.val.boolean = value;
	pushJsonbValue(state, WJB_VALUE, &v);
}
