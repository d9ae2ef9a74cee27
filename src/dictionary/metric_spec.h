/*
 * dictionary/metric_spec.h
 *		Metrics from their declarations, and questions about them.
 */
#ifndef SSOT_METRIC_SPEC_H
#define SSOT_METRIC_SPEC_H

#include "utils/jsonb.h"

#include "dictionary/metric.h"
#include "dictionary/records.h"

/* Loads a metric that another one is computed from. */
typedef SsotMetric *(*SsotMetricLoader) (const char *name, const char *variant, int version);

/* A metric from its declared form, under the current search path, or from its
 * compiled one, under the pinned one; and the compiled form of a metric. */
extern SsotMetric *ssot_metric_from_json(const char *name, const char *variant, int version,
										 Jsonb *spec, SsotMetricLoader loader);
extern Jsonb *ssot_metric_to_json(const SsotMetric *metric);

extern SsotMetricKind ssot_metric_kind_of(const char *name);
extern const char *ssot_metric_kind_name(SsotMetricKind kind);
extern bool ssot_is_grain(const char *name);

/* Dimensions; those of a metric with parts are those that all its parts have. */
extern SsotDimension *ssot_metric_find_dimension(const SsotMetric *metric, const char *name);
extern bool ssot_metric_has_dimension(const SsotMetric *metric, const char *name);
extern void ssot_metric_require_dimension(const SsotMetric *metric, const char *name);
extern Oid	ssot_metric_dimension_type(const SsotMetric *metric, const char *name);
extern List *ssot_metric_dimension_names(const SsotMetric *metric);

/* Names of the entities that a metric reads, without duplicates. */
extern List *ssot_metric_entities(const SsotMetric *metric);

/* The business day of a row as SQL; the metric has a date. And the first day of
 * the period that a day lies in. */
extern char *ssot_metric_day(const SsotMetric *metric);
extern char *ssot_metric_period(const SsotMetric *metric, const char *grain, const char *day);

/* metric_sql.c: does the system map some field of the measure, or are none needed? */
extern bool ssot_metric_is_measured_by(const SsotMetric *metric, const SsotRecords *records);

/* currency.c: take the currency of rows into account. */
extern void ssot_metric_read_currency(SsotMetric *metric, const char *currency,
									  const char *rates, const SsotRates *columns);

/* Names of the columns that are read of rates. */
extern List *ssot_rates_columns(const SsotRates *rates);

/* calendar.c */
extern SsotCalendar *ssot_calendar_load(const char *name);
extern char *ssot_calendar_period(const SsotCalendar *calendar, const char *grain,
								  const char *day);

#endif							/* SSOT_METRIC_SPEC_H */
