/*
 * dictionary/metric_ask.h
 *		What functions that ask for metrics share: whose number, as of when.
 */
#ifndef SSOT_METRIC_ASK_H
#define SSOT_METRIC_ASK_H

#include "fmgr.h"
#include "utils/jsonb.h"

#include "dictionary/metric_spec.h"

/* golden/as_of.c: the function ssot.as_of. */
extern Datum ssot_as_of(PG_FUNCTION_ARGS);

/* The latest write of entities (names) that the snapshot sees. */
extern TimestampTz ssot_last_write(List *entities);

/* {"country": "DE"} as a list of SsotSlice; error for what is no dimension. */
extern List *ssot_slices(Jsonb *slice, const SsotMetric *metric);

/*
 * Let a reading be that of a system or of golden records, at t or as they are;
 * returns through when the data is complete. Error where the past is not known.
 */
extern TimestampTz ssot_read_system(const SsotMetric *metric, SsotMetricReading *reading,
									const char *system, bool has_time, TimestampTz t);
extern TimestampTz ssot_read_golden(const SsotMetric *metric, SsotMetricReading *reading,
									bool has_time, TimestampTz t);
extern void ssot_refuse_before(const char *entity, const char *system, TimestampTz t) pg_attribute_noreturn();

/* Which version of a metric. */
typedef struct SsotMetricVersion
{
	const char *name;
	const char *variant;		/* NULL: the system's, or the canonical one */
	bool		has_version;	/* else the one in force */
	int			version;
} SsotMetricVersion;

/* A metric that is asked for, whose, and as of when. */
typedef struct SsotQuestion
{
	SsotMetric *metric;
	const char *system;			/* NULL: golden */
	SsotMetricReading reading;
	TimestampTz as_of;
	List	   *slices;
	Jsonb	   *freshness;
} SsotQuestion;

/*
 * In this order: the metric is found; what else is asked may reach further entities;
 * then the time is chosen over all of them (has_time: as asked, else that of the
 * setting ssot.as_of, else now); and a query's rows are the calling function's result.
 */
extern void ssot_question_metric(SsotQuestion *question, const SsotMetricVersion *version,
								 const char *system, bool has_time, TimestampTz t);
extern void ssot_question_read(SsotQuestion *question, bool has_time, TimestampTz t);
extern void ssot_question_answer(FunctionCallInfo fcinfo, const SsotQuestion *question, const char *sql);

/* What the reading borrowed, as SQL of type text[]; known when the query is built. */
extern char *ssot_question_borrowed(const SsotQuestion *question);

#endif							/* SSOT_METRIC_ASK_H */
