/*
 * dictionary/explain_core.h
 *		Dividing the difference of two numbers: from two sides to a list of causes.
 */
#ifndef SSOT_EXPLAIN_CORE_H
#define SSOT_EXPLAIN_CORE_H

#include "dictionary/explain.h"

/* One of the two numbers. */
typedef struct SsotSide
{
	char	   *label;			/* how it is called in sentences */
	char	   *system;			/* NULL: golden */
	SsotMetric *metric;			/* the definition it is counted by */
	bool		has_time;
	TimestampTz time;			/* its T: through when its data is complete */
	SsotMetricReading reading[2];	/* its records at the left's and the
									 * right's T */
	Numeric		reported;		/* what was published or reported, or NULL */
	Jsonb	   *slice;			/* of that */
} SsotSide;

typedef struct SsotExplained
{
	Numeric		value[2];
	Numeric		total;			/* right - left */
	bool		additive;
	SsotPairing *pairing;
	List	   *causes;			/* of SsotCause, without those of nothing */
} SsotExplained;

/* game: shapley, tied and order are given, players is found. */
extern SsotExplained *ssot_explain(const SsotSide *sides, SsotGame *game, List *slices);

#endif							/* SSOT_EXPLAIN_CORE_H */
