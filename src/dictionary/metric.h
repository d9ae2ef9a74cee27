/*
 * dictionary/metric.h
 *		A metric in memory, and the queries that compute it.
 */
#ifndef SSOT_METRIC_H
#define SSOT_METRIC_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "common/query.h"
#include "dictionary/scope.h"
#include "entity/map.h"

typedef enum SsotMetricKind
{
	SSOT_METRIC_SIMPLE,			/* an aggregate of rows */
	SSOT_METRIC_RATIO,			/* one metric divided by another */
	SSOT_METRIC_DERIVED,		/* computed from other metrics */
	SSOT_METRIC_CUMULATIVE		/* an aggregate of rows up to a date */
} SsotMetricKind;

/* Something to group and to slice by. */
typedef struct SsotDimension
{
	char	   *name;
	SsotScoped *expr;
	char	   *hierarchy;		/* a level of this hierarchy, as it is named
								 * (hierarchy.h); else NULL */
	int			level;
	char	   *column;			/* of the ancestor */
	bool		is_grain;		/* the first day of the date's period of that
								 * name */
} SsotDimension;

/* The entity that holds exchange rates to the metric's unit. */
typedef struct SsotRates
{
	char	   *name;			/* qualified */
	Oid			relid;
	bool		by_day;			/* a rate is in force from its day on */
	char	   *currency;		/* its columns: called currency, rate and day */
	char	   *rate;			/* when it was declared, and maybe renamed
								 * since */
	char	   *day;
} SsotRates;

/* A business calendar; see ssot.create_calendar. */
typedef struct SsotCalendar
{
	char	   *name;
	char	   *time_zone;
	int			start_month;	/* of the year, 1 .. 12 */
	int			start_day;
	char	   *pattern;		/* "month", "4-4-5", "4-5-4" or "5-4-4" */
} SsotCalendar;

struct SsotMetric;

/* A metric that another one is computed from. */
typedef struct SsotMetricPart
{
	char	   *definition;
	char	   *variant;
	int			version;
	struct SsotMetric *metric;
} SsotMetricPart;

typedef struct SsotMetric
{
	char	   *name;
	char	   *variant;		/* "": the only meaning of the name */
	int			version;
	bool		canonical;		/* its variant is meant where none is named */
	bool		compiled;		/* from its compiled form: every column is
								 * qualified */
	char	   *unit;			/* or NULL */
	SsotMetricKind kind;

	/* simple and cumulative */
	SsotScope  *scope;
	SsotScoped *measure;
	SsotScoped *filter;			/* or NULL */
	SsotScoped *date;			/* the business date, or NULL */
	List	   *dimensions;		/* of SsotDimension; time grains of "date" too */
	bool		retired;		/* count retired records too */
	char	   *empty;			/* value where there is no row, as a number;
								 * NULL: none */
	char	   *window;			/* cumulative: an interval or a grain, or
								 * NULL: since ever */
	SsotScoped *currency;		/* code of each row's currency, or NULL */
	SsotRates  *rates;			/* how other currencies are converted, or NULL */
	SsotCalendar *calendar;		/* of time grains, or NULL: Gregorian */
	char	   *time_zone;		/* of the calendar, or NULL */

	/* ratio and derived */
	List	   *parts;			/* of SsotMetricPart */
	char	   *formula;		/* SQL over $1, $2 ...: the parts' values */
} SsotMetric;

/* Whose records, and as of when. */
typedef enum SsotMetricMode
{
	SSOT_METRIC_NOW,			/* golden, as the snapshot sees it */
	SSOT_METRIC_SETTING,		/* golden, at the time in ssot.as_of */
	SSOT_METRIC_AT,				/* golden, at "time" */
	SSOT_METRIC_SYSTEM			/* the records of "system" */
} SsotMetricMode;

typedef struct SsotMetricReading
{
	SsotMetricMode mode;
	TimestampTz time;			/* AT; SYSTEM: the run's time, DT_NOEND:
								 * current */
	const char *system;
	bool		foreign;		/* SYSTEM: the metric is not one it reports
								 * by, so it may borrow all: see system_entity */
	bool		records;		/* SYSTEM: keep what cannot answer, and show
								 * what each row is (records.h) */
	List	   *optional;		/* SYSTEM: names of columns that the number is
								 * not computed from; see records.h */
	const char *stamp;			/* SQL of the as-of, where it is not "time" */
	List	   *borrowed;		/* SYSTEM: out: "alias.column" taken from
								 * golden */
	List	   *relations;		/* SYSTEM: out: rows made in C (SsotRelation
								 * *) that the query names */
} SsotMetricReading;

/* A slice: only rows with this value of a dimension. */
typedef struct SsotSlice
{
	char	   *dimension;
	char	   *value;			/* text form; NULL: no value */
} SsotSlice;

/*
 * metric_sql.c: a query with one column per dimension of "by" (names), called
 * d1, d2 ..., and then "value" numeric. One row without "by", even of no rows.
 */
extern char *ssot_metric_query(const SsotMetric *metric, SsotMetricReading *reading,
							   List *by, List *slices);

/* Columns (SsotScopeColumn) that such a query reads; and the names of those of one
 * relation of the scope, with those that joins need. */
extern List *ssot_metric_columns(const SsotMetric *metric, List *by, List *slices);
extern List *ssot_metric_columns_of(const SsotMetric *metric, List *columns, int relation);

/* What a FROM clause needs besides to convert currencies; "" for nothing. */
extern char *ssot_metric_rates(const SsotMetric *metric, const SsotMetricReading *reading);

/* FROM clause for these columns; conditions on a row besides the filter, or NULL; the
 * condition of one slice. */
extern char *ssot_metric_from(const SsotMetric *metric, SsotMetricReading *reading, List *columns);
extern char *ssot_metric_conditions(const SsotMetric *metric, const SsotMetricReading *reading,
									List *slices, bool by_grain);
extern char *ssot_metric_slice(const SsotMetric *metric, const SsotSlice *slice);

/* All records of a hierarchy's entity (relation i of the scope, see scope.h) as the
 * reading wants them: a FROM item with at least the id and the parent. */
extern char *ssot_metric_tree(const SsotMetric *metric, int i, SsotMetricReading *reading);

/* A value, or that of an empty set; a formula with SQL for each part's value. */
extern char *ssot_metric_or_empty(const SsotMetric *metric, const char *value);
extern char *ssot_metric_formula(const SsotMetric *metric, char **values);

#endif							/* SSOT_METRIC_H */
