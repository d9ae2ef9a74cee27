/*
 * identity/walk.h
 *		Blocks that the members of a team walk together.
 */
#ifndef SSOT_WALK_H
#define SSOT_WALK_H

#include "identity/block.h"
#include "identity/score.h"
#include "identity/segment.h"

typedef struct SsotSharedWalk SsotSharedWalk;

/* A place in shared memory for the table of keys, which is to be filled. */
extern void ssot_walk_share_keys(SsotSegments *segments, SsotBlocks *blocks, SsotSegmentName *keys);

/*
 * Put blocks and scorer, whose records and keys are shared already, into shared
 * memory, and let the pointers of both point there; what they pointed at is freed.
 */
extern SsotSharedWalk *ssot_walk_share(SsotSegments *segments, SsotBlocks *blocks,
									   const SsotSegmentName *keys, SsotScorer *scorer,
									   double least, SsotSegmentName *name);

/* The same two as another process sees them. */
extern SsotSharedWalk *ssot_walk_attach(SsotSegments *segments, const SsotSegmentName *name,
										SsotRecords *records, SsotBlocks **blocks,
										SsotScorer **scorer, double *least);

/* The next part of a rule that nobody has walked yet; false if none is left. */
extern bool ssot_walk_next(SsotSharedWalk *walk, const SsotBlocks *blocks, int *rule,
						   int64 *first, int64 *last);

#endif							/* SSOT_WALK_H */
