/*
 * ingest/image.h
 *		The image of a raw row, and the table of images that are stored.
 */
#ifndef SSOT_IMAGE_H
#define SSOT_IMAGE_H

#include "executor/tuptable.h"

/*
 * How to take the image of one source's rows: a 64-bit hash of the columns that
 * its mapping reads. One per source and run.
 */
typedef struct SsotImager SsotImager;

/* "columns" are attribute numbers, in an order that does not depend on their
 * physical one. */
extern SsotImager *ssot_imager_create(int source_id, int64 map_version, TupleDesc desc,
									  const AttrNumber *columns, int ncolumns);

/* The slot must be deformed. Leaves nothing in the current memory context. */
extern uint64 ssot_image_of(SsotImager *imager, const TupleTableSlot *slot);

/*
 * Images of stored rows, of all sources of an entity. They keep to the memory
 * that a hash table may have (hash_mem): one partition of them is in memory at
 * a time, the others wait on disk.
 *
 * Usage: ssot_images_add for each stored row; then for partition 0, and for each
 * further one after ssot_images_next, ssot_images_see for each source row of
 * that partition; then ssot_images_finish, after which only what was not seen
 * is asked for.
 */
typedef struct SsotImages SsotImages;

extern SsotImages *ssot_images_create(void);
extern void ssot_images_add(SsotImages *images, uint64 image, int source);

/* Partitions are final once all stored images are added. */
extern int	ssot_images_partitions(const SsotImages *images);
extern int	ssot_images_partition(const SsotImages *images, uint64 image);
extern void ssot_images_next(SsotImages *images);

/* The rows that follow are those of this source, perhaps in the stored order. */
extern void ssot_images_expect(SsotImages *images, int source);

/* A source row with this image was read: true if it is one of the stored. */
extern bool ssot_images_see(SsotImages *images, uint64 image);

extern void ssot_images_finish(SsotImages *images);

/* A stored row with this image is at hand: false if its source row was seen.
 * Of several stored rows with one image, as many are unseen as were. */
extern bool ssot_images_take_unseen(SsotImages *images, uint64 image);

/* Call back for each image of the source that no call above has taken. */
extern void ssot_images_unseen(SsotImages *images, int source,
							   void (*callback) (uint64 image, void *arg), void *arg);

extern void ssot_images_free(SsotImages *images);

#endif							/* SSOT_IMAGE_H */
