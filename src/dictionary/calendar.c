/*
 * dictionary/calendar.c
 *		Business calendars: when a year, quarter, month or week begins.
 *
 * A calendar says where its year starts, how quarters are cut and in which time
 * zone a day is a day. Pattern "month" keeps calendar months and shifts the year.
 * The retail patterns 4-4-5, 4-5-4 and 5-4-4 count weeks that begin on Monday: the
 * year begins on the Monday nearest to its declared day, quarters have 13 weeks,
 * and a 53rd week belongs to the year's last month.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/metric_spec.h"
#include "entity/config.h"
#include "entity/declare.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "pgtime.h"
#include "utils/datetime.h"

PG_FUNCTION_INFO_V1(ssot_period_start);
PG_FUNCTION_INFO_V1(ssot_create_calendar);

static SsotQuery find_calendar = {
	.sql =
	"SELECT k.time_zone, k.start_month, k.start_day, k.pattern\n"
	"FROM ssot.calendar AS k\n"
	"WHERE k.calendar = $1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.read_only = true
};

SsotCalendar *
ssot_calendar_load(const char *name)
{
	Datum		arg;
	Datum		values[4];
	bool		nulls[4];
	SsotCalendar *calendar;

	if (name == NULL)
		return NULL;
	arg = CStringGetTextDatum(name);
	if (!ssot_config_one(&find_calendar, &arg, NULL, 4, values, nulls))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no calendar \"%s\"", name),
				 errhint("Make it with ssot.create_calendar.")));
	calendar = palloc0(sizeof(SsotCalendar));
	calendar->name = pstrdup(name);
	calendar->time_zone = TextDatumGetCString(values[0]);
	calendar->start_month = DatumGetInt32(values[1]);
	calendar->start_day = DatumGetInt32(values[2]);
	calendar->pattern = TextDatumGetCString(values[3]);
	return calendar;
}

/* The first day of the period that a day lies in, as SQL. */
char *
ssot_calendar_period(const SsotCalendar *calendar, const char *grain, const char *day)
{
	return ssot_sql("ssot.period_start(%s, %L, %d, %d, %L)", day, grain,
					calendar->start_month, calendar->start_day, calendar->pattern);
}

/* Days are Julian day numbers below; Monday is day 0 of a week. */

static int
monday_of(int julian)
{
	return julian - (j2day(julian) + 6) % 7;
}

/* The first day of the calendar's year number "year" (that it begins in). */
static int
year_start(int year, int month, int day, bool weeks)
{
	int			julian = date2j(year, month, day);

	return weeks ? monday_of(julian + 3) : julian;
}

static int
year_of(int julian, int month, int day, bool weeks)
{
	int			y;
	int			m;
	int			d;

	j2date(julian, &y, &m, &d);
	y++;						/* the nearest Monday may lie before the day */
	while (year_start(y, month, day, weeks) > julian)
		y--;
	return y;
}

/* Of a retail year: the week that a month of a quarter begins with. */
static int
month_week(const char *pattern, int week)
{
	int			quarter = Min(week / 13, 3);
	int			first = pattern[0] - '0';
	int			second = first + pattern[2] - '0';
	int			in_quarter = week - quarter * 13;

	return quarter * 13 + (in_quarter >= second ? second : in_quarter >= first ? first : 0);
}

static int
retail_start(int julian, const char *grain, int month, int day, const char *pattern)
{
	int			start = year_start(year_of(julian, month, day, true), month, day, true);
	int			week = (julian - start) / 7;

	if (strcmp(grain, "year") == 0)
		return start;
	if (strcmp(grain, "quarter") == 0)
		return start + Min(week / 13, 3) * 91;
	return start + month_week(pattern, week) * 7;
}

/* The latest day that begins a period of so many months, counted from the year's. */
static int
month_start(int julian, int months, int month, int day)
{
	int			year = year_of(julian, month, day, false);
	int			start = date2j(year, month, day);

	for (int i = months; i < 12; i += months)
	{
		int			m = month - 1 + i;
		int			next = date2j(year + m / 12, m % 12 + 1, day);

		if (next > julian)
			break;
		start = next;
	}
	return start;
}

/*
 * period_start(day, grain, start_month, start_day, pattern): the first day of the
 * calendar's period that the day lies in.
 */
Datum
ssot_period_start(PG_FUNCTION_ARGS)
{
	DateADT		date = PG_GETARG_DATEADT(0);
	char	   *grain = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			month = PG_GETARG_INT32(2);
	int			day = PG_GETARG_INT32(3);
	char	   *pattern = text_to_cstring(PG_GETARG_TEXT_PP(4));
	int			julian = date + POSTGRES_EPOCH_JDATE;

	if (DATE_NOT_FINITE(date) || strcmp(grain, "day") == 0)
		PG_RETURN_DATEADT(date);
	if (month < 1 || month > 12 || day < 1 || day > 28)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a year cannot start on day %d of month %d", day, month),
				 errhint("Name a day that every month has, 1 to 28.")));
	if (!ssot_is_grain(grain))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no time grain \"%s\"", grain),
				 errhint("Grains are day, week, month, quarter and year.")));
	if (strcmp(grain, "week") == 0)
		julian = monday_of(julian);
	else if (strcmp(pattern, "month") != 0)
		julian = retail_start(julian, grain, month, day, pattern);
	else
		julian = month_start(julian, strcmp(grain, "year") == 0 ? 12 :
							 strcmp(grain, "quarter") == 0 ? 3 : 1, month, day);
	PG_RETURN_DATEADT(julian - POSTGRES_EPOCH_JDATE);
}

/* ---- declaring ------------------------------------------------------------ */

static SsotQuery insert_calendar = {
	.sql =
	"INSERT INTO ssot.calendar (calendar, start_month, start_day, pattern, time_zone, close_day)\n"
	"VALUES ($1, $2, $3, $4, $5, $6)\n"
	"ON CONFLICT (calendar) DO NOTHING\n"
	"RETURNING true",
	.nargs = 6,
	.argtypes = {TEXTOID, INT4OID, INT4OID, TEXTOID, TEXTOID, INT4OID}
};

static void
read_year_start(const char *text, int *month, int *day)
{
	char		rest;

	if (text == NULL || sscanf(text, "%2d-%2d%c", month, day, &rest) != 2 ||
		*month < 1 || *month > 12 || *day < 1 || *day > 28)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is no day that a year can start on", text == NULL ? "" : text),
				 errhint("Write month and day as 'MM-DD'; the day is one that every month has, 1 to 28.")));
}

static void
require_pattern(const char *pattern)
{
	static const char *const patterns[] = {"month", "4-4-5", "4-5-4", "5-4-4"};

	for (int i = 0; pattern != NULL && i < lengthof(patterns); i++)
		if (strcmp(pattern, patterns[i]) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no pattern \"%s\"", pattern == NULL ? "" : pattern),
			 errhint("A pattern is month, 4-4-5, 4-5-4 or 5-4-4.")));
}

Datum
ssot_create_calendar(PG_FUNCTION_ARGS)
{
	char	   *name = ssot_text_arg(fcinfo, 0);
	char	   *pattern = ssot_text_arg(fcinfo, 2);
	char	   *zone = ssot_text_arg(fcinfo, 3);
	Datum		args[6];
	bool		nulls[6] = {false};
	Datum		done;
	bool		isnull;
	int			month;
	int			day;

	if (name == NULL || *name == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a calendar needs a name")));
	read_year_start(ssot_text_arg(fcinfo, 1), &month, &day);
	require_pattern(pattern);
	if (zone == NULL || pg_tzset(zone) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known", zone == NULL ? "" : zone),
				 errhint("See pg_timezone_names.")));
	args[0] = CStringGetTextDatum(name);
	args[1] = Int32GetDatum(month);
	args[2] = Int32GetDatum(day);
	args[3] = CStringGetTextDatum(pattern);
	args[4] = CStringGetTextDatum(zone);
	args[5] = PG_GETARG_DATUM(4);
	nulls[5] = PG_ARGISNULL(4);
	if (!nulls[5] && (DatumGetInt32(args[5]) < 1 || DatumGetInt32(args[5]) > 31))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("close_day must be a day of a month, 1 to 31")));
	if (!ssot_config_one(&insert_calendar, args, nulls, 1, &done, &isnull))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("there is a calendar \"%s\" already", name),
				 errhint("Numbers may be counted by it, so it is never changed: make one of another name.")));
	PG_RETURN_VOID();
}
