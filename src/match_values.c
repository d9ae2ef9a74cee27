/*
 * match_values.c
 *		What comparison kinds make of single values: for trying them out, for
 *		tests, and for profiles.
 *
 * The engine compares values of the whole data, and knows how rare each word
 * is. Here there are only the two, so words weigh what their kind takes for
 * granted.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kind.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_match_value_level);
PG_FUNCTION_INFO_V1(ssot_match_value_keys);

static const SsotKind *
kind_argument(FunctionCallInfo fcinfo, int n)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(n));
	const SsotKind *kind = ssot_kind_find(name);

	if (kind == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("comparison kind \"%s\" does not exist", name),
				 errhint("SELECT * FROM ssot.match_kinds() lists the kinds.")));
	return kind;
}

/* A value, or the values of several columns, as kinds take them; *len bytes. */
static char *
value_text(FunctionCallInfo fcinfo, int n, int *len)
{
	StringInfoData joined;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	initStringInfo(&joined);
	if (get_fn_expr_argtype(fcinfo->flinfo, n) == TEXTOID)
	{
		text	   *value = PG_GETARG_TEXT_PP(n);

		appendBinaryStringInfo(&joined, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	}
	else
	{
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), TEXTOID, -1, false, TYPALIGN_INT,
						  &elements, &nulls, &count);
		for (int i = 0; i < count; i++)
		{
			if (i > 0)
				appendStringInfoChar(&joined, SSOT_FIELD_SEPARATOR);
			if (!nulls[i])
				appendStringInfoString(&joined, TextDatumGetCString(elements[i]));
		}
	}
	*len = pg_mbcliplen(joined.data, joined.len, SSOT_VALUE_MAX);
	return joined.data;
}

/* The prepared value, or NULL if it says nothing; its length in *size. */
static void *
prepared_value(FunctionCallInfo fcinfo, const SsotKind *kind, int n, int *size)
{
	StringInfoData form;
	int			len;
	char	   *text = value_text(fcinfo, n, &len);

	initStringInfo(&form);
	if (!kind->prepare(&form, text, len))
		return NULL;
	*size = form.len;
	return form.data;
}

/*
 * match_level(kind text, a text, b text) returns text, and with arrays.
 */
Datum
ssot_match_value_level(PG_FUNCTION_ARGS)
{
	const SsotKind *kind = kind_argument(fcinfo, 0);
	int			asize = 0;
	int			bsize = 0;
	void	   *a = prepared_value(fcinfo, kind, 1, &asize);
	void	   *b = prepared_value(fcinfo, kind, 2, &bsize);
	int			level;

	if (a == NULL || b == NULL)
		PG_RETURN_NULL();
	if (asize == bsize && memcmp(a, b, asize) == 0)
		level = kind->nlevels;
	else
		level = kind->level(a, b);
	PG_RETURN_TEXT_P(cstring_to_text(kind->levels[level - 1]));
}

/*
 * match_keys(kind text, value text) returns (class text, key bigint), and with
 * an array.
 */
Datum
ssot_match_value_keys(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const SsotKind *kind = kind_argument(fcinfo, 0);
	SsotValueKeys keys = {0};
	int			size;
	void	   *value = prepared_value(fcinfo, kind, 1, &size);

	InitMaterializedSRF(fcinfo, 0);
	if (value == NULL || kind->keys == NULL)
		return (Datum) 0;
	kind->keys(value, &keys);
	for (int i = 0; i < keys.count; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		values[0] = CStringGetTextDatum(kind->classes[keys.class[i]].name);
		values[1] = Int64GetDatum((int64) keys.hash[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
