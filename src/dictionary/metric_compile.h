/*
 * dictionary/metric_compile.h
 *		Checking a declared metric and compiling it.
 */
#ifndef SSOT_METRIC_COMPILE_H
#define SSOT_METRIC_COMPILE_H

#include "dictionary/metric_spec.h"

/* Finds a metric by the name that a formula gives ("pipeline", "pipeline:finance"). */
typedef SsotMetric *(*SsotMetricFinder) (const char *name);

/*
 * Check a declared metric under the current search path. As in metric_spec.c; a
 * formula is declared by "numerator" and "denominator", or by "expression".
 */
extern SsotMetric *ssot_metric_compile(const char *name, const char *variant, Jsonb *declared,
									   SsotMetricFinder finder);

/* Warn of rows that the filter can say nothing about. */
extern void ssot_metric_warn(const SsotMetric *metric);

#endif							/* SSOT_METRIC_COMPILE_H */
