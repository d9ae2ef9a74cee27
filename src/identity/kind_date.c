/*
 * identity/kind_date.c
 *		Dates as people write and mistake them.
 *
 * Accepted are year-month-day, day.month.year and month/day/year in digits, with
 * any separator, and eight digits without one (19151111, then 11111915). Where
 * day and month cannot be told apart the day is taken to be first after a dot or
 * a hyphen and the month after a slash; a wrong guess costs little, since dates
 * with day and month exchanged agree at a high level. A year alone, or a year
 * and a month, is a date of which less is known: what it lacks can agree with
 * anything, but is never equal to a whole date. A date that cannot be (a 42nd of
 * May) is a slip: what is possible of it is known, and its digits are compared as
 * they were written. A text that holds no date counts as missing.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"
#include "text/chars.h"

/* Prepared; month and day are 0 where not known. */
typedef struct DateValue
{
	int16		year;
	uint8		month;
	uint8		day;
	char		digits[8];		/* YYYYMMDD, as written */
	bool		written;		/* all eight were */
} DateValue;

enum
{
	DECADE = 2, YEAR, MONTH, SLIP, EQUAL
};

/* One run of digits. */
typedef struct DigitRun
{
	int			value;
	int			length;
} DigitRun;

static int
find_runs(const char *text, int len, DigitRun *runs, int most, char *separator)
{
	int			n = 0;

	*separator = '-';
	for (int i = 0; i < len;)
	{
		DigitRun	run = {0};

		if (!ssot_ascii_is_digit(text[i]))
		{
			i++;
			continue;
		}
		for (; i < len && ssot_ascii_is_digit(text[i]); i++)
		{
			run.value = run.length < 8 ? run.value * 10 + (text[i] - '0') : run.value;
			run.length++;
		}
		if (n == 0 && i < len)
			*separator = text[i];
		if (n < most)
			runs[n] = run;
		n++;
		if (n == most)
			break;				/* what follows is a time of day */
	}
	return n;
}

static bool
is_month_day(int month, int day)
{
	return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* Years that somebody may have meant where the rest is wrong. */
static bool
is_likely_year(int year)
{
	return year >= 1700 && year <= 2199;
}

static bool
split_eight(int number, int *year, int *month, int *day)
{
	int			first = number / 10000;
	int			last = number % 10000;
	bool		year_first = first >= 1000 && first <= 2999 &&
	is_month_day(last / 100, last % 100);

	if (!year_first && !(last >= 1000 && last <= 2999 && is_month_day(first % 100, first / 100)))
	{
		year_first = is_likely_year(first);
		if (!year_first && !is_likely_year(last))
			return false;
	}
	*year = year_first ? first : last;
	*month = year_first ? last / 100 : first % 100;
	*day = year_first ? last % 100 : first / 100;
	return true;
}

/* What is not there is -1; what is there need not be possible. */
static bool
read_date(const char *text, int len, int *year, int *month, int *day)
{
	DigitRun	runs[3];
	char		separator;
	int			n = find_runs(text, len, runs, 3, &separator);

	*year = 0;
	*month = *day = -1;
	if (n == 0)
		return false;
	if (runs[0].length == 8)
	{
		if (!split_eight(runs[0].value, year, month, day))
			return false;
	}
	else if (runs[0].length == 4)
	{
		*year = runs[0].value;
		*month = n > 1 && runs[1].length <= 2 ? runs[1].value : -1;
		*day = n > 2 && runs[2].length <= 2 ? runs[2].value : -1;
	}
	else if (n == 3 && runs[2].length == 4)
	{
		*year = runs[2].value;
		*month = separator == '/' ? runs[0].value : runs[1].value;
		*day = separator == '/' ? runs[1].value : runs[0].value;
	}
	else
		return false;
	if (*month > 12 && *day >= 1 && *day <= 12)
	{
		int			swap = *month;

		*month = *day;
		*day = swap;
	}
	return *year > 0;
}

static bool
prepare_date(StringInfo out, const char *text, int len)
{
	int			year;
	int			month;
	int			day;
	DateValue	date = {0};
	char		digits[16];

	if (!read_date(text, len, &year, &month, &day))
		return false;
	date.year = year;
	date.month = month >= 1 && month <= 12 ? month : 0;
	date.day = day >= 1 && day <= 31 && date.month != 0 ? day : 0;
	date.written = month >= 0 && month <= 99 && day >= 0 && day <= 99;
	if (!date.written)
		month = day = 0;
	snprintf(digits, sizeof(digits), "%04d%02d%02d", year, month, day);
	memcpy(date.digits, digits, sizeof(date.digits));
	appendBinaryStringInfo(out, (char *) &date, sizeof(date));
	return true;
}

static void
keys_date(const void *value, SsotValueKeys *keys)
{
	const DateValue *date = value;

	if (date->day != 0)
	{
		/* the day and the month in either order are one key */
		int			low = Min(date->month, date->day);
		int			high = Max(date->month, date->day);

		ssot_add_key(keys, 0, ((uint64) date->year << 16) + (low << 8) + high);
		ssot_add_key(keys, 1, (low << 8) + high);
	}
	if (date->month != 0)
		ssot_add_key(keys, 2, ((uint64) date->year << 8) + date->month);
	ssot_add_key(keys, 3, date->year);
}

/* One digit differs, or two neighbours are exchanged. */
static bool
is_slip(const DateValue *a, const DateValue *b)
{
	int			differ = 0;
	int			last = 0;

	for (int i = 0; i < 8; i++)
		if (a->digits[i] != b->digits[i])
		{
			differ++;
			if (differ == 2 && (i != last + 1 || a->digits[i] != b->digits[last] ||
								a->digits[last] != b->digits[i]))
				return false;
			last = i;
		}
	return differ <= 2;
}

/* Days between two dates, near enough; a part that is not known is in the middle. */
static int
days_apart(const DateValue *a, const DateValue *b)
{
	int			left = a->year * 365 + (a->month == 0 ? 6 : a->month) * 30 + (a->day == 0 ? 15 : a->day);
	int			right = b->year * 365 + (b->month == 0 ? 6 : b->month) * 30 + (b->day == 0 ? 15 : b->day);

	return abs(left - right);
}

/* The day, counted in the Gregorian calendar, or one in the middle of what is known. */
static int
day_number(const DateValue *date)
{
	int			month = date->month == 0 ? 7 : date->month;
	int			day = date->day != 0 ? date->day : date->month == 0 ? 1 : 15;
	int			year = date->year - (month <= 2);	/* that begins in March */

	return 365 * year + year / 4 - year / 100 + year / 400 +
		(153 * ((month + 9) % 12) + 2) / 5 + day;
}

static double
measure_date(const void *a, const void *b)
{
	return abs(day_number(a) - day_number(b));
}

static int
level_date(const void *a, const void *b)
{
	const DateValue *left = a;
	const DateValue *right = b;
	bool		whole = left->day != 0 && right->day != 0;
	bool		written = left->written && right->written;
	int			parts = (left->year == right->year) + (left->month == right->month) +
	(left->day == right->day);
	int			apart = days_apart(left, right);

	if (written && is_slip(left, right))
		return SLIP;
	if (whole && left->year == right->year && left->month == right->day &&
		left->day == right->month)
		return SLIP;
	if (parts == 2 || (whole && apart <= 31))
		return MONTH;
	if (left->year == right->year || apart <= 366)
		return YEAR;
	return apart <= 3660 ? DECADE : SSOT_LEVEL_DIFFERENT;
}

static const SsotKeyClass date_classes[] = {
	{"date", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	{"month and day", SSOT_KEY_COMBINED},
	{"year and month", SSOT_KEY_COMBINED},
	{"year", SSOT_KEY_COMBINED},
};

const SsotKind ssot_kind_date = {
	.name = "date",
	.description = "dates: one digit off, day and month exchanged, near in time",
	.nlevels = EQUAL,
	.levels = (const char *const[]) {"different", "within ten years", "within a year",
	"within a month or two parts equal", "one digit off or day and month exchanged", "equal"},
	.shares = (const double[]) {0.03, 0.03, 0.04, 0.05, 0.06, 0.79},
	.flags = SSOT_KIND_FREQUENCY | SSOT_KIND_MEASURE,
	.nclasses = lengthof(date_classes),
	.classes = date_classes,
	.prepare = prepare_date,
	.keys = keys_date,
	.level = level_date,
	.measure = measure_date,
	.measured = "days apart",
	.distance = true,
};
