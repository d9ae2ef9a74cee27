/*
 * identity/segment.h
 *		Blocks of memory that several processes see.
 */
#ifndef SSOT_SEGMENT_H
#define SSOT_SEGMENT_H

#include "storage/dsm.h"
#include "storage/sharedfileset.h"

/* What a process needs to make blocks, or to see those of others. */
typedef struct SsotSegments
{
	SharedFileSet *files;		/* where shared memory is short; a team has
								 * them; NULL: none */
	int			member;			/* names of files begin with it */
	int			next;
} SsotSegments;

/* How another process finds a block. */
typedef struct SsotSegmentName
{
	Size		size;
	dsm_handle	memory;			/* DSM_HANDLE_INVALID: a file */
	int			member;
	int			number;
} SsotSegmentName;

typedef struct SsotSegment SsotSegment;

/*
 * A block filled with zeros, for as long as the current memory context lives or
 * until it is freed. It is shared memory if that fits into maintenance_work_mem
 * and there is any (/dev/shm of a container has 64 MB), else a mapped file.
 * Without files, NULL then.
 */
extern SsotSegment *ssot_segment_create(SsotSegments *segments, Size size, SsotSegmentName *name);

/* The same block in another process. */
extern SsotSegment *ssot_segment_attach(SsotSegments *segments, const SsotSegmentName *name);

extern void *ssot_segment_address(const SsotSegment *segment);
extern void ssot_segment_free(SsotSegment *segment);

#endif							/* SSOT_SEGMENT_H */
