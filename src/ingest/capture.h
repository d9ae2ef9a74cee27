/*
 * ingest/capture.h
 *		Change capture: what triggers have noted, and whether a run may rely on it.
 */
#ifndef SSOT_CAPTURE_H
#define SSOT_CAPTURE_H

#include "access/tupdesc.h"
#include "utils/tuplestore.h"

#include "entity/tracking.h"

/* The keys that were written since the last run, as values of their columns;
 * duplicates do no harm. */
typedef struct SsotChanges
{
	const SsotTracking *tracking;
	TupleDesc	desc;			/* key columns: ssot_1, ssot_2, ... */
	TupleDesc	text_desc;		/* the same as text */
	Tuplestorestate *rows;
	Tuplestorestate *texts;
	int64		count;
	bool		has_null;		/* some row has a null among them */
} SsotChanges;

/*
 * Take what was noted of the source out of the queue, exactly the rows that this
 * statement sees. NULL where everything may have changed, or more than "limit"
 * keys have. To be called before the source is read: what is committed in between
 * is read now and once more by the next run.
 */
extern SsotChanges *ssot_changes_take(const SsotTracking *tracking, int64 limit);
extern void ssot_changes_free(SsotChanges *changes);

/* Take it and throw it away, because everything will be read. */
extern void ssot_changes_discard(int source_id);

#endif							/* SSOT_CAPTURE_H */
