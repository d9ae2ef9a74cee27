/*
 * golden/merge.h
 *		Two golden records that turned out to be one.
 */
#ifndef SSOT_MERGE_H
#define SSOT_MERGE_H

#include "golden/link.h"

/* Entities with a foreign key to this one, itself excluded, as a List of
 * SsotEntity in the order of their names. */
extern List *ssot_referring_entities(const SsotEntity *entity);

/*
 * Apply merges as of t: every foreign key in the database that refers to a lost
 * id is pointed at the kept one, the lost golden row goes to history, and its
 * id is remembered. The records have been moved before; the kept records settle
 * afterwards. The caller holds the clocks of the entity and of those referring
 * to it. Tables that are not entities are updated with the caller's rights.
 */
extern void ssot_merge_golden(const SsotEntity *entity, const SsotMerge *merges,
							  int nmerges, TimestampTz t, int64 run_id);

#endif							/* SSOT_MERGE_H */
