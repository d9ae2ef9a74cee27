/*
 * identity/share.h
 *		What the members of a team see of each other's memory.
 */
#ifndef SSOT_SHARE_H
#define SSOT_SHARE_H

#include "identity/block.h"
#include "identity/score.h"

#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/shm_mq.h"

/*
 * A block of shared memory, mapped for as long as the current memory context
 * lives. NULL where there is none to be had: no slot, or no room.
 */
extern void *ssot_shared_create(Size size, dsm_handle *handle);

/* The same block in another process. */
extern void *ssot_shared_attach(dsm_handle handle);

/* ---- arrays through a queue ------------------------------------------------ */

/* Send "size" bytes; they may be freed afterwards. */
extern void ssot_queue_put(shm_mq_handle *queue, const void *bytes, Size size);

/* Receive as many; error if the other side is gone. */
extern void ssot_queue_take(shm_mq_handle *queue, void *bytes, Size size);

/* A field with all that its encoder made; the sender's arrays are freed. */
extern void ssot_field_put(shm_mq_handle *queue, SsotValues *values, int nrecords);
extern void ssot_field_take(shm_mq_handle *queue, SsotValues *values, int nrecords);

/* ---- what scoring reads, in shared memory ---------------------------------- */

typedef struct SsotSharedWalk SsotSharedWalk;

/*
 * Put records, blocks and scorer into shared memory, and let the pointers of all
 * three point there; what they pointed at is freed. False, with nothing changed
 * that matters, where shared memory is short.
 */
extern bool ssot_walk_share(SsotBlocks *blocks, SsotScorer *scorer, double least,
							dsm_handle *handle, SsotSharedWalk **walk);

/* The same three as another process sees them. */
extern SsotSharedWalk *ssot_walk_attach(dsm_handle handle, SsotBlocks **blocks,
										SsotScorer **scorer, double *least);

/* The next part of a rule that nobody has walked yet; false if none is left. */
extern bool ssot_walk_next(SsotSharedWalk *walk, const SsotBlocks *blocks, int *rule,
						   int64 *first, int64 *last);

#endif							/* SSOT_SHARE_H */
