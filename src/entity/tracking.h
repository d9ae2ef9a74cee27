/*
 * entity/tracking.h
 *		Change capture: the triggers on the relation of a source.
 */
#ifndef SSOT_TRACKING_H
#define SSOT_TRACKING_H

#include "entity/map.h"

/* A source's relation with the tables below it, and the columns of its key. */
typedef struct SsotTracking
{
	const SsotSource *source;
	Oid			relid;
	List	   *relids;			/* of the relation, its partitions and
								 * children */
	int			nkeys;
	AttrNumber *keys;			/* in the relation */
	char	  **names;
	Oid		   *operators;		/* that compare them for equality */
} SsotTracking;

/*
 * Whether changes of the relation can be captured. Returns NULL, with *refusal
 * (and *hint, which may be NULL) saying why, if not. Takes ACCESS SHARE on the
 * relation and all below it.
 */
extern SsotTracking *ssot_tracking(const SsotSource *source, Oid relid,
								   const char **refusal, const char **hint);

/*
 * Make the triggers what they should be on every relation of the tree; that
 * needs their ownership and takes SHARE ROW EXCLUSIVE, which waits for writers
 * and holds them off until the transaction ends: none is missed.
 */
extern void ssot_tracking_begin(const SsotTracking *tracking);
extern bool ssot_tracking_may_begin(const SsotTracking *tracking);

/* Are all triggers there, as they were made, and enabled whatever the
 * replication role? */
extern bool ssot_tracking_is_whole(const SsotTracking *tracking);

/*
 * A hash of the relations, their columns, their storage and the triggers'
 * catalogue rows. While it stays the same no trigger was disabled or dropped
 * even for a moment, nothing was truncated, attached, detached or rewritten.
 */
extern int64 ssot_tracking_shape(const SsotTracking *tracking);

/*
 * Drop the source's triggers wherever they are, and what they noted. Warns of
 * those on tables that the current user does not own. With keep, relations of that
 * tracking keep theirs.
 */
extern void ssot_tracking_end(int source_id, const SsotTracking *keep);

/* The same for all sources of an entity. */
extern void ssot_tracking_end_all(const char *entity_name);

#endif							/* SSOT_TRACKING_H */
