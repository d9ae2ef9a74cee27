/*
 * golden/merge.h
 *		Two golden records that turned out to be one.
 */
#ifndef SSOT_MERGE_H
#define SSOT_MERGE_H

#include "golden/link.h"
#include "golden/repoint.h"

/* Lock the clocks of the entity and of all entities that refer to it, in the
 * order of their names. */
extern void ssot_merge_clocks_lock(const SsotEntity *entity);

/*
 * Take the clocks of the entity and of all entities that refer to it, in the
 * order of their names; returns the entity's time.
 */
extern TimestampTz ssot_merge_clocks(const SsotEntity *entity);

/* Who merges: a run, or a person in one call. */
typedef struct SsotMerger
{
	int64		run_id;			/* 0: a person */
	int64		operation;		/* number of a person's call */
	const char *reason;			/* or NULL */
} SsotMerger;

/*
 * Apply merges as of t: every foreign key in the database that refers to a lost
 * id is pointed at the kept one, the lost golden row goes to history, its id is
 * remembered, and of two pins of one field the later one stays. The records
 * have been moved before; the kept records settle afterwards. The caller holds
 * the clocks of the entity and of those referring to it. Tables that are not
 * entities are updated with the caller's rights.
 */
extern void ssot_merge_golden(const SsotEntity *entity, const SsotMerge *merges,
							  int nmerges, TimestampTz t, const SsotMerger *merger);

/* pin_merge.c: where records of the steward met in one golden record and pin the
 * same field, only the latest pin stays. */
extern void ssot_merge_pins(const SsotEntity *entity, const SsotRelation *merges,
							TimestampTz t);

#endif							/* SSOT_MERGE_H */
