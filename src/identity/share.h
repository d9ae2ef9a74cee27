/*
 * identity/share.h
 *		Encoded records that the members of a team see all together.
 */
#ifndef SSOT_SHARE_H
#define SSOT_SHARE_H

#include "identity/encode.h"
#include "identity/segment.h"
#include "identity/tokens.h"

/* Where another process finds the arrays of a field. */
typedef struct SsotSharedField
{
	SsotSegmentName values;		/* all that is there once per value */
	int			nvalues;
	int			ncut;
	Size		bytes;			/* places in that block */
	Size		offset;
	Size		hash;
	Size		count;
	int			nslots[SSOT_MAX_CLASSES];
	SsotSegmentName keys[SSOT_MAX_CLASSES]; /* where nslots > 0 */
	bool		has_shares;
	SsotTokenTable tokens;
	SsotSegmentName slots;		/* of the tokens */
} SsotSharedField;

/* Where encoded fields are to live: in blocks of a team, or in this process. */
typedef struct SsotHome
{
	SsotSegments *segments;		/* NULL: in this process */
	SsotSharedField *fields;	/* by field; filled in */
} SsotHome;

/*
 * Arrays for the values of a field whose prepared forms have "nbytes" bytes: bytes,
 * offset, hash, and, filled with zeros, count. What
 * "values" pointed at before is the caller's.
 */
extern void ssot_home_values(const SsotHome *home, int field, SsotValues *values, Size nbytes);

/* The keys of a class, of which nslots is set; filled with zeros. */
extern void ssot_home_keys(const SsotHome *home, int field, SsotValues *values, int class,
						   int nrecords);

/* Its tokens, when they are counted. */
extern void ssot_home_tokens(const SsotHome *home, int field, SsotValues *values);

/* Let "values", of which kind and name are set, point at these. */
extern void ssot_field_attach(SsotSegments *segments, const SsotSharedField *shared,
							  SsotValues *values);

/* Where another process finds all records. */
typedef struct SsotSharedRecords
{
	SsotSegmentName block;
	int			n;
	int			nfields;
	Size		ids;			/* places in the block */
	Size		key_hash;
	Size		groups;			/* 0: there are no groups */
	SsotFlatKind kinds[SSOT_MAX_FIELDS];
	SsotSharedField fields[SSOT_MAX_FIELDS];
} SsotSharedRecords;

/*
 * A block for what there is once per record; n, nfields and whether there are
 * groups is set in "records", and ids, key_hash and groups will point into the
 * block.
 */
extern void ssot_records_share(SsotSegments *segments, SsotRecords *records, bool with_groups,
							   SsotSharedRecords *shared);

/* The records as another process sees them. */
extern SsotRecords *ssot_records_attach(SsotSegments *segments, const SsotSharedRecords *shared);

/* Give the keys of all classes back, which are only needed to make blocks. */
extern void ssot_records_drop_keys(SsotRecords *records);

/* Where the next array of a block begins. */
static inline Size
ssot_place(Size *end, Size size)
{
	Size		start = CACHELINEALIGN(*end);

	*end = start + size;
	return start;
}

/* What is at a place. */
static inline void *
ssot_at(void *block, Size start)
{
	return (char *) block + start;
}

#endif							/* SSOT_SHARE_H */
