/*
 * dictionary/publish.h
 *		Published numbers, computed again.
 */
#ifndef SSOT_PUBLISH_H
#define SSOT_PUBLISH_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* A number as it was published, or is to be computed again. */
typedef struct SsotPublished
{
	char	   *metric;
	char	   *variant;
	int			version;
	bool		now;			/* as it is believed now, whatever as_of */
	TimestampTz as_of;
	Jsonb	   *slice;			/* or NULL: the whole */
	char	   *system;			/* whose; NULL: golden */
	Numeric		value;			/* NULL: none */
	char	   *unit;			/* or NULL */
	Jsonb	   *freshness;
	int64		records;		/* of the metric's entity at that time */
	char	   *entity;			/* its name */
	char	   *checksum;		/* of the definition */
} SsotPublished;

/* Fill in value, unit, freshness, records, entity and checksum; raises what
 * ssot.metric raises. "fresh": see what was committed since the statement began. */
extern void ssot_published_compute(SsotPublished *published, bool fresh);

/* MD5 of what a metric says, as a publication keeps it. */
extern char *ssot_metric_checksum(const SsotMetric *metric);

/* A publication by its number; error if there is none. */
extern SsotPublished *ssot_publication(int64 id);

/* A figure that a system reported, by its number; error if there is none. */
extern SsotPublished *ssot_reported_figure(int64 id);

/* metric_list.c: names of the metrics in force ("name", "name:variant"), by bytes. */
extern List *ssot_metric_names(void);

#endif							/* SSOT_PUBLISH_H */
