/*
 * dictionary/metric_value.c
 *		ssot.metric_value: a number that knows what it is.
 *
 * Two numbers may be added or subtracted only if they are of one definition,
 * variant, version, unit and as-of; anything else is the accident that this type
 * is for. The text form says all of it, means the same in every session, and
 * reads back to the same value:
 *
 *		1250000.00 USD pipeline:finance v3 @ 2026-11-04T16:59:00.000000+00:00
 *
 * A unit, definition or variant that is more than letters, digits and _ % $ . - /
 * stands in double quotes, with quotes and backslashes escaped by a backslash; no
 * unit is "". "null" is a metric without a value, as an average of no rows.
 *
 * In memory it is a varlena: a header of fixed size, then unit, definition and
 * variant with a terminator each, then the digits of the number as numeric_send
 * gives them to text, that is as a Numeric at the next aligned place.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/metric_value.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "funcapi.h"

PG_FUNCTION_INFO_V1(ssot_metric_value_make);
PG_FUNCTION_INFO_V1(ssot_metric_value_in);
PG_FUNCTION_INFO_V1(ssot_metric_value_out);
PG_FUNCTION_INFO_V1(ssot_metric_value_recv);
PG_FUNCTION_INFO_V1(ssot_metric_value_send);
PG_FUNCTION_INFO_V1(ssot_metric_value_eq);
PG_FUNCTION_INFO_V1(ssot_metric_value_ne);
PG_FUNCTION_INFO_V1(ssot_metric_value_lt);
PG_FUNCTION_INFO_V1(ssot_metric_value_le);
PG_FUNCTION_INFO_V1(ssot_metric_value_gt);
PG_FUNCTION_INFO_V1(ssot_metric_value_ge);
PG_FUNCTION_INFO_V1(ssot_metric_value_cmp);
PG_FUNCTION_INFO_V1(ssot_metric_value_hash);
PG_FUNCTION_INFO_V1(ssot_metric_value_add);
PG_FUNCTION_INFO_V1(ssot_metric_value_subtract);
PG_FUNCTION_INFO_V1(ssot_metric_value_number);
PG_FUNCTION_INFO_V1(ssot_metric_value_parts);

#define MAX_PART	1000		/* bytes of a unit, a definition or a variant */

typedef struct Stored
{
	int32		vl_len_;		/* never to be read directly */
	int32		version;
	TimestampTz as_of;
	uint16		unit_len;		/* without terminators */
	uint16		definition_len;
	uint16		variant_len;
	uint16		has_value;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Stored;

/* ---- in memory ----------------------------------------------------------- */

/* Where the number begins. */
static Size
number_offset(int unit, int definition, int variant)
{
	return MAXALIGN(offsetof(Stored, data) + unit + definition + variant + 3);
}

static void
check_part(const char *what, const char *text)
{
	if (strlen(text) > MAX_PART)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the %s of a metric value has more than %d bytes", what, MAX_PART)));
}

static Datum
store(const SsotMetricValue *value)
{
	int			unit = strlen(value->unit);
	int			definition = strlen(value->definition);
	int			variant = strlen(value->variant);
	Size		offset = number_offset(unit, definition, variant);
	Size		size = offset + (value->value == NULL ? 0 : VARSIZE(value->value));
	Stored	   *stored = palloc0(size);
	char	   *data = stored->data;

	SET_VARSIZE(stored, size);
	stored->version = value->version;
	stored->as_of = value->as_of;
	stored->unit_len = unit;
	stored->definition_len = definition;
	stored->variant_len = variant;
	stored->has_value = value->value != NULL;
	memcpy(data, value->unit, unit);
	memcpy(data + unit + 1, value->definition, definition);
	memcpy(data + unit + definition + 2, value->variant, variant);
	if (value->value != NULL)
		memcpy((char *) stored + offset, value->value, VARSIZE(value->value));
	return PointerGetDatum(stored);
}

static SsotMetricValue
load(Datum datum)
{
	Stored	   *stored = (Stored *) PG_DETOAST_DATUM(datum);
	SsotMetricValue value;

	value.unit = stored->data;
	value.definition = stored->data + stored->unit_len + 1;
	value.variant = stored->data + stored->unit_len + stored->definition_len + 2;
	value.version = stored->version;
	value.as_of = stored->as_of;
	value.value = !stored->has_value ? NULL :
		(Numeric) ((char *) stored + number_offset(stored->unit_len, stored->definition_len,
												   stored->variant_len));
	return value;
}

static void
check_value(const SsotMetricValue *value)
{
	check_part("unit", value->unit);
	check_part("definition", value->definition);
	check_part("variant", value->variant);
	if (*value->definition == '\0' || strchr(value->definition, ':') != NULL ||
		strchr(value->variant, ':') != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a metric value needs a definition, and names without \":\"")));
	if (value->version < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the version of a metric value must be 1 or more")));
	if (TIMESTAMP_NOT_FINITE(value->as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("the as-of of a metric value must be a finite time")));
}

/*
 * metric_value(value numeric, unit text, definition text, variant text,
 * version int, as_of timestamptz): value, unit and variant may be null.
 */
Datum
ssot_metric_value_make(PG_FUNCTION_ARGS)
{
	SsotMetricValue value = {
		.value = PG_ARGISNULL(0) ? NULL : PG_GETARG_NUMERIC(0),
		.unit = PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1)),
		.variant = PG_ARGISNULL(3) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(3))
	};

	if (PG_ARGISNULL(2) || PG_ARGISNULL(4) || PG_ARGISNULL(5))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a metric value needs a definition, a version and an as-of")));
	value.definition = text_to_cstring(PG_GETARG_TEXT_PP(2));
	value.version = PG_GETARG_INT32(4);
	value.as_of = PG_GETARG_TIMESTAMPTZ(5);
	check_value(&value);
	PG_RETURN_DATUM(store(&value));
}

/* ---- text form ----------------------------------------------------------- */

static bool
is_plain(const char *text)
{
	return *text != '\0' &&
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_%$.-/") == strlen(text);
}

static void
append_part(StringInfo buf, const char *text)
{
	if (is_plain(text))
	{
		appendStringInfoString(buf, text);
		return;
	}
	appendStringInfoChar(buf, '"');
	for (; *text != '\0'; text++)
	{
		if (*text == '"' || *text == '\\')
			appendStringInfoChar(buf, '\\');
		appendStringInfoChar(buf, *text);
	}
	appendStringInfoChar(buf, '"');
}

/* A time in UTC, whatever the session's settings: 2026-11-04T16:59:00.000000+00:00,
 * with " BC" at the end where it is that long ago. */
static void
append_time(StringInfo buf, TimestampTz t)
{
	struct pg_tm tm;
	fsec_t		fraction;
	bool		bc;

	if (timestamp2tm(t, NULL, &tm, &fraction, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	bc = tm.tm_year <= 0;
	appendStringInfo(buf, "%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00%s",
					 bc ? 1 - tm.tm_year : tm.tm_year, tm.tm_mon, tm.tm_mday,
					 tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fraction, bc ? " BC" : "");
}

Datum
ssot_metric_value_out(PG_FUNCTION_ARGS)
{
	SsotMetricValue value = load(PG_GETARG_DATUM(0));
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, value.value == NULL ? "null" :
						   DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.value))));
	appendStringInfoChar(&buf, ' ');
	append_part(&buf, value.unit);
	appendStringInfoChar(&buf, ' ');
	append_part(&buf, value.definition);
	if (*value.variant != '\0')
	{
		appendStringInfoChar(&buf, ':');
		append_part(&buf, value.variant);
	}
	appendStringInfo(&buf, " v%d @ ", value.version);
	append_time(&buf, value.as_of);
	PG_RETURN_CSTRING(buf.data);
}

static void
refuse_text(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"", "ssot.metric_value", text),
			 errhint("It reads as in '1250000.00 USD pipeline:finance v3 @ 2026-11-04T16:59:00.000000+00:00'.")));
}

static const char *
skip_blanks(const char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
		at++;
	return at;
}

/* A unit, definition or variant; NULL if there is none. Moves *at past it. */
static char *
read_part(const char **at)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (**at != '"')
	{
		while (**at != '\0' && **at != ':' && strchr(" \t\n\r", **at) == NULL)
			appendStringInfoChar(&buf, *(*at)++);
		return is_plain(buf.data) ? buf.data : NULL;
	}
	for ((*at)++; **at != '"'; (*at)++)
	{
		if (**at == '\\')
			(*at)++;
		if (**at == '\0')
			return NULL;
		appendStringInfoChar(&buf, **at);
	}
	(*at)++;
	return buf.data;
}

static bool
read_digits(const char **at, int count, int *number)
{
	*number = 0;
	for (int i = 0; i < count; i++, (*at)++)
	{
		if (**at < '0' || **at > '9' || *number > 100000)
			return false;
		*number = *number * 10 + (**at - '0');
	}
	return true;
}

static bool
read_literal(const char **at, const char *literal)
{
	size_t		len = strlen(literal);

	if (strncmp(*at, literal, len) != 0)
		return false;
	*at += len;
	return true;
}

/* Digits up to the next character that is none. */
static int
count_digits(const char *at)
{
	return strspn(at, "0123456789");
}

/* Microseconds: as many digits as there are, at most six. */
static bool
read_fraction(const char **at, int *microseconds)
{
	int			n = count_digits(*at);

	if (n < 1 || n > 6 || !read_digits(at, n, microseconds))
		return false;
	for (; n < 6; n++)
		*microseconds *= 10;
	return true;
}

/* Seconds east of UTC, from +hh:mm or Z. */
static bool
read_offset(const char **at, int *seconds)
{
	int			sign = **at == '-' ? -1 : 1;
	int			hours;
	int			minutes;

	*seconds = 0;
	if (read_literal(at, "Z"))
		return true;
	if (**at != '+' && **at != '-')
		return false;
	(*at)++;
	if (!read_digits(at, 2, &hours) || !read_literal(at, ":") || !read_digits(at, 2, &minutes) ||
		hours > 15 || minutes > 59)
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool
read_time(const char **at, TimestampTz *t)
{
	struct pg_tm tm = {0};
	int			years = count_digits(*at);
	int			fraction = 0;
	int			offset;

	if (years < 4 || years > 6 || !read_digits(at, years, &tm.tm_year) || !read_literal(at, "-") ||
		!read_digits(at, 2, &tm.tm_mon) || !read_literal(at, "-") ||
		!read_digits(at, 2, &tm.tm_mday) || !read_literal(at, "T") ||
		!read_digits(at, 2, &tm.tm_hour) || !read_literal(at, ":") ||
		!read_digits(at, 2, &tm.tm_min) || !read_literal(at, ":") ||
		!read_digits(at, 2, &tm.tm_sec) ||
		(read_literal(at, ".") && !read_fraction(at, &fraction)) ||
		!read_offset(at, &offset))
		return false;
	if (read_literal(at, " BC"))
		tm.tm_year = 1 - tm.tm_year;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
		tm.tm_mday > day_tab[isleap(tm.tm_year)][tm.tm_mon - 1] ||
		tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59 ||
		!IS_VALID_JULIAN(tm.tm_year, tm.tm_mon, tm.tm_mday) ||
		tm2timestamp(&tm, fraction, NULL, t) != 0)
		return false;
	*t -= (TimestampTz) offset * USECS_PER_SEC;
	return IS_VALID_TIMESTAMP(*t);
}

/* The number, or NULL for "null"; a missing one is an error of its own. */
static Numeric
read_number(const char **at)
{
	size_t		len = strcspn(*at, " \t\n\r");
	char	   *digits = pnstrdup(*at, len);

	*at += len;
	if (strcmp(digits, "null") == 0)
		return NULL;
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

Datum
ssot_metric_value_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	const char *at = skip_blanks(text);
	SsotMetricValue value = {.variant = ""};
	int			digits;
	long		version;

	if (*at == '\0')
		refuse_text(text);
	value.value = read_number(&at);
	at = skip_blanks(at);
	value.unit = read_part(&at);
	at = skip_blanks(at);
	value.definition = value.unit == NULL ? NULL : read_part(&at);
	if (value.definition != NULL && read_literal(&at, ":"))
		value.variant = read_part(&at);
	if (value.definition == NULL || value.variant == NULL)
		refuse_text(text);
	at = skip_blanks(at);
	if (!read_literal(&at, "v"))
		refuse_text(text);
	digits = count_digits(at);
	version = digits >= 1 && digits <= 10 ? strtol(at, NULL, 10) : 0;
	if (version < 1 || version > PG_INT32_MAX)
		refuse_text(text);
	value.version = version;
	at = skip_blanks(at + digits);
	if (!read_literal(&at, "@"))
		refuse_text(text);
	at = skip_blanks(at);
	if (!read_time(&at, &value.as_of) || *skip_blanks(at) != '\0')
		refuse_text(text);
	check_value(&value);
	PG_RETURN_DATUM(store(&value));
}

/* ---- binary form --------------------------------------------------------- */

/* version, as-of, unit, definition, variant (terminated), 1 and a numeric, or 0 */
Datum
ssot_metric_value_send(PG_FUNCTION_ARGS)
{
	SsotMetricValue value = load(PG_GETARG_DATUM(0));
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint32(&buf, value.version);
	pq_sendint64(&buf, value.as_of);
	pq_sendstring(&buf, value.unit);
	pq_sendstring(&buf, value.definition);
	pq_sendstring(&buf, value.variant);
	pq_sendbyte(&buf, value.value != NULL);
	if (value.value != NULL)
	{
		bytea	   *number = DatumGetByteaP(DirectFunctionCall1(numeric_send,
																NumericGetDatum(value.value)));

		pq_sendbytes(&buf, VARDATA(number), VARSIZE(number) - VARHDRSZ);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
ssot_metric_value_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	SsotMetricValue value = {0};

	value.version = pq_getmsgint(buf, 4);
	value.as_of = pq_getmsgint64(buf);
	value.unit = pstrdup(pq_getmsgstring(buf));
	value.definition = pstrdup(pq_getmsgstring(buf));
	value.variant = pstrdup(pq_getmsgstring(buf));
	if (pq_getmsgbyte(buf) != 0)
		value.value = DatumGetNumeric(DirectFunctionCall3(numeric_recv, PointerGetDatum(buf),
														  ObjectIdGetDatum(InvalidOid),
														  Int32GetDatum(-1)));
	if (!IS_VALID_TIMESTAMP(value.as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	check_value(&value);
	PG_RETURN_DATUM(store(&value));
}

/* ---- comparing ----------------------------------------------------------- */

static int
compare_numbers(Numeric a, Numeric b)
{
	if (a == NULL || b == NULL)
		return (a == NULL) - (b == NULL);
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

/* What it is first, then how much: an order for sorting and merging, no more. */
static int
compare(FunctionCallInfo fcinfo)
{
	SsotMetricValue a = load(PG_GETARG_DATUM(0));
	SsotMetricValue b = load(PG_GETARG_DATUM(1));
	int			result = strcmp(a.definition, b.definition);

	if (result == 0)
		result = strcmp(a.variant, b.variant);
	if (result == 0)
		result = strcmp(a.unit, b.unit);
	if (result == 0)
		result = (a.version > b.version) - (a.version < b.version);
	if (result == 0)
		result = (a.as_of > b.as_of) - (a.as_of < b.as_of);
	return result != 0 ? result : compare_numbers(a.value, b.value);
}

Datum
ssot_metric_value_cmp(PG_FUNCTION_ARGS)
{
	int			result = compare(fcinfo);

	PG_RETURN_INT32((result > 0) - (result < 0));
}

Datum
ssot_metric_value_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) == 0);
}

Datum
ssot_metric_value_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) != 0);
}

Datum
ssot_metric_value_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) < 0);
}

Datum
ssot_metric_value_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) <= 0);
}

Datum
ssot_metric_value_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) > 0);
}

Datum
ssot_metric_value_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) >= 0);
}

static uint32
hash_text(uint32 hash, const char *text)
{
	return hash_combine(hash, hash_bytes((const unsigned char *) text, strlen(text)));
}

Datum
ssot_metric_value_hash(PG_FUNCTION_ARGS)
{
	SsotMetricValue value = load(PG_GETARG_DATUM(0));
	uint32		hash = hash_bytes_uint32(value.version);

	hash = hash_combine(hash, DatumGetUInt32(DirectFunctionCall1(hashint8, Int64GetDatum(value.as_of))));
	hash = hash_text(hash, value.unit);
	hash = hash_text(hash, value.definition);
	hash = hash_text(hash, value.variant);
	/* equal numbers hash alike whatever their scale */
	if (value.value != NULL)
		hash = hash_combine(hash, DatumGetUInt32(DirectFunctionCall1(hash_numeric,
																	 NumericGetDatum(value.value))));
	PG_RETURN_UINT32(hash);
}

/* ---- adding and subtracting ---------------------------------------------- */

static void
refuse_parts(const char *part, const char *a, const char *b)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("the two numbers differ in their %s: %s and %s", part, a, b),
			 errdetail("Numbers are added and subtracted only within one definition, variant, version, unit and as-of."),
			 errhint("Call ssot.explain_difference to see why they differ, or cast to numeric to calculate with bare numbers.")));
}

static char *
time_text(TimestampTz t)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_time(&buf, t);
	return buf.data;
}

static void
require_same(const SsotMetricValue *a, const SsotMetricValue *b)
{
	if (strcmp(a->definition, b->definition) != 0)
		refuse_parts("definition", psprintf("\"%s\"", a->definition), psprintf("\"%s\"", b->definition));
	if (strcmp(a->variant, b->variant) != 0)
		refuse_parts("variant", psprintf("\"%s\"", a->variant), psprintf("\"%s\"", b->variant));
	if (a->version != b->version)
		refuse_parts("version", psprintf("v%d", a->version), psprintf("v%d", b->version));
	if (strcmp(a->unit, b->unit) != 0)
		refuse_parts("unit", psprintf("\"%s\"", a->unit), psprintf("\"%s\"", b->unit));
	if (a->as_of != b->as_of)
		refuse_parts("as-of", time_text(a->as_of), time_text(b->as_of));
}

static Datum
calculate(FunctionCallInfo fcinfo, PGFunction operation)
{
	SsotMetricValue a = load(PG_GETARG_DATUM(0));
	SsotMetricValue b = load(PG_GETARG_DATUM(1));

	require_same(&a, &b);
	if (a.value == NULL || b.value == NULL)
		a.value = NULL;
	else
		a.value = DatumGetNumeric(DirectFunctionCall2(operation, NumericGetDatum(a.value),
													  NumericGetDatum(b.value)));
	return store(&a);
}

Datum
ssot_metric_value_add(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(calculate(fcinfo, numeric_add));
}

Datum
ssot_metric_value_subtract(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(calculate(fcinfo, numeric_sub));
}

/* ---- parts --------------------------------------------------------------- */

Datum
ssot_metric_value_number(PG_FUNCTION_ARGS)
{
	SsotMetricValue value = load(PG_GETARG_DATUM(0));

	if (value.value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_NUMERIC(value.value);
}

/* (value, unit, definition, variant, version, as_of) */
Datum
ssot_metric_value_parts(PG_FUNCTION_ARGS)
{
	SsotMetricValue value = load(PG_GETARG_DATUM(0));
	TupleDesc	desc;
	Datum		values[6];
	bool		nulls[6] = {value.value == NULL, *value.unit == '\0'};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "the result of ssot.metric_parts must be a row");
	values[0] = NumericGetDatum(value.value);
	values[1] = CStringGetTextDatum(value.unit);
	values[2] = CStringGetTextDatum(value.definition);
	values[3] = CStringGetTextDatum(value.variant);
	values[4] = Int32GetDatum(value.version);
	values[5] = TimestampTzGetDatum(value.as_of);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
