/*
 * golden/held_merge.h
 *		Merges that a run could not do, kept until they can be done.
 */
#ifndef SSOT_HELD_MERGE_H
#define SSOT_HELD_MERGE_H

#include "golden/link.h"

/* What is held, as a List of SsotHeldMerge (ids only) in the order of the ids;
 * and whether anything is. */
extern List *ssot_held_merges(const SsotEntity *entity);
extern bool ssot_any_merge_held(const SsotEntity *entity);

/* Keep what linking holds as of t, forget what it reopened and need not hold any
 * more. run_id 0: a person. */
extern void ssot_held_merges_write(const SsotEntity *entity, const SsotLinking *linking,
								   TimestampTz t, int64 run_id);

#endif							/* SSOT_HELD_MERGE_H */
