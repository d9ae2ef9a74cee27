/*
 * dictionary/rename_metric.h
 *		What a metric says, before and after things have other names.
 */
#ifndef SSOT_RENAME_METRIC_H
#define SSOT_RENAME_METRIC_H

#include "dictionary/metric.h"

/* A version of a metric of rows. */
typedef struct SsotRenamed
{
	char	   *name;
	char	   *variant;
	int			version;
	Jsonb	   *compiled;
	char	   *checksum;		/* of that, as publications keep it */

	/* what it means, by numbers of the catalogue */
	SsotMetric *metric;
	List	   *steps;			/* of SsotRenamedStep, per relation of the
								 * scope */
	List	   *levels;			/* of SsotRenamedLevel */
	AttrNumber	rates[3];		/* currency, rate, day */
} SsotRenamed;

/* Understand what is compiled, under the names of now, in the current memory context;
 * false if it says nothing that can be understood. */
extern bool ssot_renamed_understand(SsotRenamed *renamed);

/*
 * Say the same under the names of now: "compiled" and "checksum" are that. NULL, or why
 * it cannot be said.
 */
extern char *ssot_renamed_say(SsotRenamed *renamed);

#endif							/* SSOT_RENAME_METRIC_H */
