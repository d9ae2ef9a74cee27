/*
 * identity/radix.h
 *		Sorting numbers by a hash or a key.
 */
#ifndef SSOT_RADIX_H
#define SSOT_RADIX_H

typedef struct SsotRadixEntry
{
	uint64		key;
	int			number;
} SsotRadixEntry;

/* Sort by the low "bits" bits of the key; entries of one key keep their order. */
extern void ssot_radix_sort(SsotRadixEntry *entries, int64 n, int bits);

/* A small entry: a hash and a record. */
typedef struct SsotBlockEntry
{
	uint32		hash;
	uint32		record;
} SsotBlockEntry;

extern void ssot_radix_sort_blocks(SsotBlockEntry *entries, SsotBlockEntry *scratch, int64 n);

#endif							/* SSOT_RADIX_H */
