/*
 * dictionary/metric_store.h
 *		Metrics from the dictionary: versions, and which of them is in force.
 */
#ifndef SSOT_METRIC_STORE_H
#define SSOT_METRIC_STORE_H

#include "dictionary/metric_spec.h"

/* A version of a variant (NULL: the canonical one); error if there is none. */
extern SsotMetric *ssot_metric_exact(const char *name, const char *variant, int version);

/* The version in force at a time (DT_NOEND: now); error with a hint if none is. */
extern SsotMetric *ssot_metric_in_force(const char *name, const char *variant, TimestampTz t);

/* By "name" or "name:variant", in force now: as formulas name metrics. */
extern SsotMetric *ssot_metric_named(const char *name);

/* What a version says besides how it is computed. */
typedef struct SsotMetricText
{
	char	   *description;	/* or NULL */
	char	   *owner;			/* or NULL: whoever declares it */
	bool		has_effective_from;
	TimestampTz effective_from; /* else as long as there is a past */
} SsotMetricText;

/* Keep a new version and number it; say whether its variant is the canonical one. */
extern void ssot_metric_keep(SsotMetric *metric, const SsotMetricText *text, Jsonb *declared);

#endif							/* SSOT_METRIC_STORE_H */
