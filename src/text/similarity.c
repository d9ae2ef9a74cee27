/*
 * similarity.c
 *		The measures of similarity.h as SQL functions.
 *
 * A text becomes an array of characters: its own bytes where it is ASCII or the
 * server's encoding has one byte per character, code points otherwise. Two texts
 * that are equal byte by byte are equal by every measure and are not looked at.
 */
#include "postgres.h"

#include "ssot.h"

#include "catalog/pg_collation.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "text/chars.h"
#include "text/masks.h"
#include "text/normalize.h"
#include "text/similarity.h"
#include "text/unicode.h"

/* No text is compared that has more bytes. */
#define SIMILARITY_MAX_BYTES	(1024 * 1024)

PG_FUNCTION_INFO_V1(ssot_jaro_sql);
PG_FUNCTION_INFO_V1(ssot_jaro_winkler_sql);
PG_FUNCTION_INFO_V1(ssot_levenshtein_sql);
PG_FUNCTION_INFO_V1(ssot_damerau_sql);
PG_FUNCTION_INFO_V1(ssot_trigram_sql);
PG_FUNCTION_INFO_V1(ssot_dice_sql);
PG_FUNCTION_INFO_V1(ssot_token_set_sql);
PG_FUNCTION_INFO_V1(ssot_soft_tfidf_sql);
PG_FUNCTION_INFO_V1(ssot_phonetic_sql);

SsotChars
ssot_chars_from_utf8(const char *s, int len)
{
	SsotChars	chars = {s, len, false};
	uint32	   *wide;
	int			n = 0;

	if (ssot_is_ascii(s, len))
		return chars;
	wide = palloc(sizeof(uint32) * len);
	for (int i = 0; i < len;)
	{
		int			charlen;

		wide[n++] = ssot_utf8_decode(s + i, len - i, &charlen);
		i += charlen;
	}
	chars.data = wide;
	chars.length = n;
	chars.wide = true;
	return chars;
}

static void
check_length(int len)
{
	if (len > SIMILARITY_MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text of %d bytes is too long to be compared", len),
				 errdetail("Similarity functions compare texts of up to %d bytes.",
						   SIMILARITY_MAX_BYTES),
				 errhint("Compare the beginning of it: left(value, 1000).")));
}

static SsotChars
text_chars(const text * t)
{
	const char *s = VARDATA_ANY(t);
	int			len = VARSIZE_ANY_EXHDR(t);

	check_length(len);
	if (GetDatabaseEncoding() == PG_UTF8)
		return ssot_chars_from_utf8(s, len);
	if (pg_database_encoding_max_length() == 1)
		return ssot_chars_from_bytes(s, len);
	s = ssot_utf8_from_server(s, len, &len);
	return ssot_chars_from_utf8(s, len);
}

/* The two texts that a function was called with. */
typedef struct Two
{
	bool		equal;
	SsotChars	a;
	SsotChars	b;
} Two;

static inline void
get_two(FunctionCallInfo fcinfo, Two *two)
{
	text	   *a = PG_GETARG_TEXT_PP(0);
	text	   *b = PG_GETARG_TEXT_PP(1);

	two->equal = VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
	if (two->equal)
		return;
	two->a = text_chars(a);
	two->b = text_chars(b);
}

Datum
ssot_jaro_sql(PG_FUNCTION_ARGS)
{
	Two			two;

	get_two(fcinfo, &two);
	PG_RETURN_FLOAT8(two.equal ? 1.0 : ssot_jaro(&two.a, &two.b));
}

Datum
ssot_jaro_winkler_sql(PG_FUNCTION_ARGS)
{
	Two			two;

	get_two(fcinfo, &two);
	PG_RETURN_FLOAT8(two.equal ? 1.0 : ssot_jaro_winkler(&two.a, &two.b));
}

/* max_distance, or none. */
static int
get_bound(FunctionCallInfo fcinfo)
{
	int			max;

	if (PG_NARGS() < 3)
		return SSOT_NO_BOUND;
	max = PG_GETARG_INT32(2);
	if (max < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_distance must not be negative, but is %d", max),
				 errhint("Leave it out for the exact distance.")));
	return Min(max, SSOT_NO_BOUND);
}

Datum
ssot_levenshtein_sql(PG_FUNCTION_ARGS)
{
	int			max = get_bound(fcinfo);
	Two			two;

	get_two(fcinfo, &two);
	PG_RETURN_INT32(two.equal ? 0 : ssot_levenshtein(&two.a, &two.b, max));
}

Datum
ssot_damerau_sql(PG_FUNCTION_ARGS)
{
	int			max = get_bound(fcinfo);
	Two			two;

	get_two(fcinfo, &two);
	PG_RETURN_INT32(two.equal ? 0 : ssot_damerau(&two.a, &two.b, max));
}

Datum
ssot_trigram_sql(PG_FUNCTION_ARGS)
{
	SsotTrigramCounts n;
	Two			two;

	get_two(fcinfo, &two);
	if (two.equal)
		PG_RETURN_FLOAT8(1.0);
	n = ssot_trigrams(&two.a, &two.b);
	if (n.a + n.b == 0)
		PG_RETURN_FLOAT8(1.0);
	PG_RETURN_FLOAT8((double) n.common / (n.a + n.b - n.common));
}

Datum
ssot_dice_sql(PG_FUNCTION_ARGS)
{
	SsotTrigramCounts n;
	Two			two;

	get_two(fcinfo, &two);
	if (two.equal)
		PG_RETURN_FLOAT8(1.0);
	n = ssot_trigrams(&two.a, &two.b);
	if (n.a + n.b == 0)
		PG_RETURN_FLOAT8(1.0);
	PG_RETURN_FLOAT8(2.0 * n.common / (n.a + n.b));
}

Datum
ssot_token_set_sql(PG_FUNCTION_ARGS)
{
	Two			two;

	get_two(fcinfo, &two);
	PG_RETURN_FLOAT8(two.equal ? 1.0 : ssot_token_set(&two.a, &two.b));
}

/* A word as text in the server's encoding. */
static const char *
chars_to_server(const SsotChars *chars, int *len)
{
	char	   *utf8;
	int			n = 0;

	if (!chars->wide)
	{
		*len = chars->length;
		return chars->data;
	}
	utf8 = palloc(chars->length * 4 + 1);
	for (int i = 0; i < chars->length; i++)
	{
		unicode_to_utf8(char_at(chars->data, i, true), (unsigned char *) utf8 + n);
		n += pg_utf_mblen((unsigned char *) utf8 + n);
	}
	return ssot_utf8_to_server(utf8, n, len);
}

static double
weight_member(JsonbContainer *weights, const char *name, int len, double otherwise)
{
	JsonbValue	buffer;
	JsonbValue *value = getKeyJsonValueFromContainer(weights, name, len, &buffer);

	if (value == NULL)
		return otherwise;
	if (value->type != jbvNumeric)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight of word \"%.*s\" is not a number", len, name),
				 errhint("Make weights with ssot.token_weights().")));
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
}

static double
token_weight(const SsotChars *token, void *arg)
{
	JsonbContainer *weights = arg;
	const char *name;
	int			len;

	if (weights == NULL)
		return 1.0;
	name = chars_to_server(token, &len);
	return weight_member(weights, name, len, weight_member(weights, "", 0, 1.0));
}

Datum
ssot_soft_tfidf_sql(PG_FUNCTION_ARGS)
{
	JsonbContainer *weights = NULL;
	double		threshold = PG_ARGISNULL(3) ? 0.9 : PG_GETARG_FLOAT8(3);
	Two			two;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(2))
	{
		Jsonb	   *document = PG_GETARG_JSONB_P(2);

		if (!JB_ROOT_IS_OBJECT(document))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("weights must be a JSON object of words and numbers"),
					 errhint("Make weights with ssot.token_weights().")));
		weights = &document->root;
	}
	get_two(fcinfo, &two);
	if (two.equal)
		PG_RETURN_FLOAT8(1.0);
	PG_RETURN_FLOAT8(ssot_soft_tfidf(&two.a, &two.b, threshold, token_weight, weights));
}

Datum
ssot_phonetic_sql(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	char	   *method = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			(*code) (const char *word, int len, char *out, int size);
	StringInfoData out;
	const char *key;
	int			len;

	if (strcmp(method, "cologne") == 0)
		code = ssot_cologne;
	else if (strcmp(method, "soundex") == 0)
		code = ssot_soundex;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("phonetic method \"%s\" does not exist", method),
				 errhint("Methods are \"cologne\" and \"soundex\".")));
	check_length(VARSIZE_ANY_EXHDR(value));
	key = ssot_utf8_from_server(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &len);
	key = ssot_utf8_key(key, len, &len);
	initStringInfo(&out);
	for (int i = 0; i < len;)
	{
		int			start = i;
		int			n;

		while (i < len && key[i] != ' ')
			i++;
		enlargeStringInfo(&out, 2 * (i - start) + 5);
		n = code(key + start, i - start, out.data + out.len + (out.len > 0), 2 * (i - start) + 4);
		if (n > 0)
		{
			if (out.len > 0)
				out.data[out.len++] = ' ';
			out.len += n;
		}
		i++;
	}
	if (out.len == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
