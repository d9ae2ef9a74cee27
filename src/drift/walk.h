/*
 * drift/walk.h
 *		Hashing and picking columns of a row without forming its values.
 *
 * Walking once over a tuple as it lies in its page, hashing each wanted column's
 * bytes where they are, costs less than half of what deforming and projecting
 * cost. Rows that come in another form are taken by value.
 */
#ifndef SSOT_WALK_H
#define SSOT_WALK_H

#include "access/htup_details.h"
#include "executor/tuptable.h"

#include "drift/hashing.h"

/* What is done with a column. */
typedef enum SsotWalkAction
{
	SSOT_WALK_SKIP,
	SSOT_WALK_HASH,				/* its hash goes to hashes[index] */
	SSOT_WALK_PICK				/* its value goes to values[index] */
} SsotWalkAction;

typedef struct SsotWalkColumn
{
	uint8		step;			/* what the walk does here; see walk.c */
	uint8		align;			/* 1, 2, 4 or 8 bytes */
	bool		typbyval;
	int16		typlen;
	int16		index;			/* of its results */
	uint64		seed;			/* of its hash */
	uint8		action;			/* an SsotWalkAction */
	bool		unstored;		/* has values that tuples do not show */
} SsotWalkColumn;

typedef struct SsotWalker
{
	int			ncolumns;		/* of the row */
	int			last;			/* columns up to the last wanted one */
	SsotWalkColumn *columns;
	SsotSeed	seed;
	bool		misses;			/* wants a column that is not in every tuple:
								 * rows must come from a statement */
	/* results, by index */
	uint64	   *hashes;
	Datum	   *values;			/* point into the row */
	bool	   *nulls;			/* of hashed and of picked columns */
} SsotWalker;

/* A walker over rows of this descriptor that wants nothing yet; indexes may go
 * up to nresults. */
extern SsotWalker *ssot_walker_create(TupleDesc desc, int nresults, SsotSeed seed);

/* Want a column. Columns that are compared need the same seed. */
extern void ssot_walker_want(SsotWalker *walker, AttrNumber attnum,
							 SsotWalkAction action, int index, uint64 seed);

/* Walk over one row: a stored tuple, or a row of a statement. */
extern void ssot_walk_tuple(SsotWalker *walker, HeapTuple tuple);
extern void ssot_walk_slot(SsotWalker *walker, TupleTableSlot *slot);

/* A hash of all of a tuple's bytes; for comparing relations of one shape. The
 * tuple has no external values. */
static inline uint64
ssot_hash_tuple(HeapTuple tuple, SsotSeed seed)
{
	HeapTupleHeader header = tuple->t_data;
	uint64		hash = SSOT_HASH_START;

	if (HeapTupleHasNulls(tuple))
		hash = ssot_hash_bytes(hash, (char *) header->t_bits,
							   BITMAPLEN(HeapTupleHeaderGetNatts(header)), seed);
	return ssot_hash_bytes(hash, (char *) header + header->t_hoff,
						   tuple->t_len - header->t_hoff, seed);
}

#endif							/* SSOT_WALK_H */
