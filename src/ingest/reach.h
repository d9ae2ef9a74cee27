/*
 * ingest/reach.h
 *		How far a run reads into a source: everything, or what may have changed.
 */
#ifndef SSOT_REACH_H
#define SSOT_REACH_H

#include "ingest/reader.h"

/*
 * Decide what this run reads of the reader's source, and take what was noted of
 * it out of the queue. Sets reach, state, tracking, shape, changes and since. May
 * put triggers back (see entity/tracking.h for locks) and warn that it cannot.
 */
extern void ssot_reach_decide(SsotReader *reader, bool full);

/* The query that reads it; with SSOT_REACH_KEYS over the relation ssot_changed. */
extern char *ssot_reach_query(const SsotReader *reader, const char *select);

/* Add the keys of what was noted to a set: also of rows that are gone now. */
extern void ssot_reach_keys(SsotReader *reader, SsotKeySet *keys);

#endif							/* SSOT_REACH_H */
