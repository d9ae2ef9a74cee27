/*
 * dictionary/metric_label.c
 *		Numbers as people say them.
 *
 * "Pipeline: 1,250,000 USD as of 2026-11-04 11:59 America/New_York, definition v3".
 * The time is the session's, to the minute; the columns beside a label have it
 * exactly.
 */
#include "postgres.h"

#include <ctype.h>

#include "ssot.h"
#include "dictionary/metric_label.h"

#include "lib/stringinfo.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(ssot_metric_label);

static char *
digits_of(Numeric value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));
}

static char *
grouped(Numeric value)
{
	char	   *text = digits_of(DatumGetNumeric(DirectFunctionCall1(numeric_abs, NumericGetDatum(value))));
	char	   *point = strchr(text, '.');
	int			digits = point == NULL ? strlen(text) : point - text;
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; text[i] != '\0'; i++)
	{
		if (i > 0 && i < digits && (digits - i) % 3 == 0 && isdigit((unsigned char) text[0]))
			appendStringInfoChar(&buf, ',');
		appendStringInfoChar(&buf, text[i]);
	}
	return buf.data;
}

static Numeric
trimmed(Numeric value)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(value)));
}

char *
ssot_grouped_digits(Numeric value)
{
	return grouped(trimmed(value));
}

char *
ssot_grouped_amount(Numeric value)
{
	Numeric		plain = trimmed(value);

	return grouped(strchr(digits_of(plain), '.') == NULL ? plain : value);
}

char *
ssot_minute(TimestampTz time)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			zone;

	if (TIMESTAMP_NOT_FINITE(time) || timestamp2tm(time, &zone, &tm, &fsec, NULL, NULL) != 0)
		return pstrdup(timestamptz_to_str(time));
	return psprintf("%04d-%02d-%02d %02d:%02d %s", tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour,
					tm.tm_min, pg_get_timezone_name(session_timezone));
}

/* metric_label(metric, variant, version, unit, value, as_of) */
Datum
ssot_metric_label(PG_FUNCTION_ARGS)
{
	char	   *name;
	char	   *variant;
	char	   *unit = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	Numeric		value = PG_ARGISNULL(4) ? NULL : PG_GETARG_NUMERIC(4);
	StringInfoData buf;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(5))
		PG_RETURN_NULL();
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	variant = text_to_cstring(PG_GETARG_TEXT_PP(1));
	initStringInfo(&buf);
	name[0] = pg_toupper((unsigned char) name[0]);
	appendStringInfo(&buf, "%s%s%s: ", name, *variant == '\0' ? "" : ":", variant);
	if (value == NULL)
		appendStringInfoString(&buf, "no value");
	else
		appendStringInfo(&buf, "%s%s%s%s", digits_of(value)[0] == '-' ? "-" : "", ssot_grouped_digits(value),
						 unit == NULL ? "" : " ", unit == NULL ? "" : unit);
	appendStringInfo(&buf, " as of %s, definition v%d", ssot_minute(PG_GETARG_TIMESTAMPTZ(5)), PG_GETARG_INT32(2));
	PG_RETURN_TEXT_P(cstring_to_text(buf.data));
}
