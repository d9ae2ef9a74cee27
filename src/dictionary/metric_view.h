/*
 * dictionary/metric_view.h
 *		The views through which everybody reads a metric.
 */
#ifndef SSOT_METRIC_VIEW_H
#define SSOT_METRIC_VIEW_H

#include "dictionary/metric_spec.h"

/* The schemas of the views. */
#define SSOT_METRICS		"metrics"
#define SSOT_METRICS_AS_OF	"metrics_as_of"

/*
 * Make the metric's views what its version says, in both schemas, with the text as
 * their comment. They belong to the owner of the entity's table. Views of an earlier
 * version are replaced, and grants on them kept.
 */
extern void ssot_metric_views_create(const SsotMetric *metric, const char *text);

/* Make the schemas of views where they are missing, with the caller's rights. */
extern void ssot_metric_schemas_require(const SsotMetric *metric);

/* Unqualified names of the metric's views: of the number, and by each dimension. */
extern List *ssot_metric_view_names(const SsotMetric *metric);

/* The owner of the table of the first entity that the metric reads. */
extern Oid	ssot_metric_entity(const SsotMetric *metric);

#endif							/* SSOT_METRIC_VIEW_H */
