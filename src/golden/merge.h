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
 * Apply merges as of t, in two halves between which the records are moved. The
 * first: every foreign key in the database that refers to a lost id is pointed at
 * the kept one, and the lost golden row goes to history; an error where a
 * referring table refuses. The second: of two pins of one field the later one
 * stays, and referring entities settle; the kept records settle afterwards. The
 * caller holds the clocks of the entity and of those referring to it. Tables that
 * are not entities are updated with the caller's rights.
 */
extern void ssot_merge_move(const SsotEntity *entity, const SsotMerge *merges,
							int nmerges, TimestampTz t, const SsotMerger *merger);
extern void ssot_merge_finish(const SsotEntity *entity, const SsotMerge *merges,
							  int nmerges, TimestampTz t, const SsotMerger *merger);

/*
 * merge_try.c: store what was read and linked, with its merges. A merge that
 * cannot be done is held: it is taken out of the linking, whose records keep the
 * golden id they had, and its reason is kept in ssot.held_merge; the others go
 * through. A person's own merge ("wish") is not held but an error, and what was
 * held before is not tried again on that occasion.
 */
extern void ssot_store_and_merge(const SsotEntity *entity, const SsotIngest *ingest,
								 SsotLinking *linking, TimestampTz t,
								 const SsotMerger *merger, const SsotMerge *wish);

/* merge_circle.c: the hierarchies of the entity in which a merge could close a
 * circle, as they are before it; and the merges (by number, a Bitmapset) that did,
 * after their records were stored. */
typedef struct SsotCircles SsotCircles;
extern SsotCircles *ssot_circles_before(const SsotEntity *entity, const SsotLinking *linking);
extern Bitmapset *ssot_circles_after(SsotCircles *circles, const SsotLinking *linking);

/* (lost, kept, n) as rows "ssot_merges". */
extern SsotRelation ssot_merge_relation(const SsotEntity *entity, const SsotMerge *merges,
										int nmerges);

/* pin_merge.c: where records of the steward met in one golden record and pin the
 * same field, only the latest pin stays. */
extern void ssot_merge_pins(const SsotEntity *entity, const SsotRelation *merges,
							TimestampTz t);

#endif							/* SSOT_MERGE_H */
