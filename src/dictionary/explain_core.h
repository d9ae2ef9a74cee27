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
	SsotPairKey *key;			/* over its scope: what records are paired by;
								 * NULL: by golden id */
	bool		has_time;
	TimestampTz time;			/* its T: through when its data is complete */
	SsotMetricReading reading[2];	/* its records at the left's and the
									 * right's T */
	Numeric		reported;		/* what was published or reported, or NULL */
	Jsonb	   *slice;			/* of that */
} SsotSide;

typedef struct SsotExplained
{
	const SsotSide *sides;
	Numeric		value[2];
	Numeric		total;			/* right - left */
	int			scale;			/* decimals of the contributions */
	bool		additive;
	bool		tied;			/* timing and quality turned together */
	SsotPairing *pairings[2][2];	/* by definition and time; NULL: not asked
									 * for */
	List	   *causes;			/* of SsotCause, without those of nothing */
} SsotExplained;

/* game: shapley, tied and order are given, players is found. */
extern SsotExplained *ssot_explain(const SsotSide *sides, SsotGame *game, List *slices);

/* Give back the rows that were set aside, which may be files. Causes and numbers stay. */
extern void ssot_explain_end(SsotExplained *explained);

/* Do a definition's numbers add up row by row? */
extern bool ssot_is_additive(const SsotMetric *metric);

extern bool ssot_same_reading(const SsotMetricReading *a, const SsotMetricReading *b);

/* The rows that definition or timing exchanges in a corner; false if it exchanges
 * none. */
extern bool ssot_explain_step(const SsotExplained *explained, const SsotGame *game, SsotAxis axis,
							  int corner, SsotStep *step);

/* The columns of a row, one after the other. */
typedef struct SsotSlotReader
{
	TupleTableSlot *slot;
	int			at;
} SsotSlotReader;

extern NullableDatum ssot_next_datum(SsotSlotReader *reader);
extern Numeric ssot_next_numeric(SsotSlotReader *reader);	/* NULL: null */

/* explain_detail.c: what each entity adds to each cause, corner by corner. */
extern SsotRelation *ssot_explain_parts(const SsotExplained *explained, List *causes,
										const SsotGame *game);

/*
 * explain_share.c: the entities behind each cause, in the order of "causes" (the same,
 * maybe in another order) and then by size. Their contributions add up to the cause's.
 */
typedef struct SsotEntityShare
{
	const SsotCause *cause;
	int64		entities;		/* records that are one row here */
	Numeric		contribution;
	Numeric		minimum;
	Numeric		maximum;
	Numeric		counts[2];		/* what it counts for on each side, or NULL */
	NullableDatum id;			/* text, as all below but records */
	NullableDatum pair;
	NullableDatum value[2];		/* of the cause's field */
	NullableDatum records[2];	/* text[] */
	NullableDatum other;		/* records that may be the same thing */
} SsotEntityShare;

typedef void (*SsotShareCallback) (const SsotEntityShare *share, void *arg);

extern void ssot_explain_detail(const SsotExplained *explained, List *causes, const SsotGame *game,
								SsotShareCallback callback, void *arg);

#endif							/* SSOT_EXPLAIN_CORE_H */
