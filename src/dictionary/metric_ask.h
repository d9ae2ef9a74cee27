/*
 * dictionary/metric_ask.h
 *		What ssot.metric and ssot.explain_difference share: whose number, as of when.
 */
#ifndef SSOT_METRIC_ASK_H
#define SSOT_METRIC_ASK_H

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

#endif							/* SSOT_METRIC_ASK_H */
