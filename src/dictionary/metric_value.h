/*
 * dictionary/metric_value.h
 *		ssot.metric_value: a number that knows what it is.
 */
#ifndef SSOT_METRIC_VALUE_H
#define SSOT_METRIC_VALUE_H

#include "utils/numeric.h"
#include "utils/timestamp.h"

/* A value taken apart; texts are terminated. */
typedef struct SsotMetricValue
{
	Numeric		value;			/* NULL: there is no number (an average of no
								 * rows) */
	const char *unit;			/* "": none */
	const char *definition;
	const char *variant;		/* "": the only one */
	int32		version;
	TimestampTz as_of;
} SsotMetricValue;

#endif							/* SSOT_METRIC_VALUE_H */
