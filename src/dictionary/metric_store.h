/*
 * dictionary/metric_store.h
 *		Metrics from the dictionary: versions, and which of them is in force.
 */
#ifndef SSOT_METRIC_STORE_H
#define SSOT_METRIC_STORE_H

#include "dictionary/definition.h"
#include "dictionary/metric_spec.h"

/* A version of a variant (NULL: the canonical one); error if there is none. */
extern SsotMetric *ssot_metric_exact(const char *name, const char *variant, int version);

/* The version in force at a time (DT_NOEND: now); error with a hint if none is. */
extern SsotMetric *ssot_metric_in_force(const char *name, const char *variant, TimestampTz t);

/* By "name" or "name:variant", in force now: as formulas name metrics. */
extern SsotMetric *ssot_metric_named(const char *name);

/*
 * Keep a new version of a metric and number it; "definition" says what it is besides
 * how it is computed.
 */
extern void ssot_metric_keep(SsotMetric *metric, SsotDefinition *definition, Jsonb *declared);

/* Make the views of a version, with the description as their comment. */
extern void ssot_metric_views_make(const char *name, const char *variant, int version,
								   const char *description);

/* The same if there are such views: who dropped them does not want them. */
extern void ssot_metric_views_make_anew(const char *name, const char *variant, int version,
										const char *description);

/* Make the views of the metric of this name (NULL: of all) what the versions in force
 * say; returns how many. */
extern int	ssot_metric_views_refresh(const char *name);

#endif							/* SSOT_METRIC_STORE_H */
