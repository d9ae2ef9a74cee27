/*
 * drift/compare.h
 *		Two relations that are compared with each other.
 */
#ifndef SSOT_COMPARE_H
#define SSOT_COMPARE_H

#include "utils/tuplestore.h"

#include "drift/partition.h"
#include "drift/scan.h"
#include "drift/suspects.h"
#include "drift/walk.h"

/* What is compared: columns 1 .. nkeys are the key. */
typedef struct SsotComparing
{
	int			nkeys;
	int			ncolumns;		/* keys included */
	char	  **columns;		/* names */
	TupleDesc	desc;			/* the types they are compared as */
	SsotSeed	seed;
	uint64	   *seeds;			/* by column */
	bool		whole_tuples;	/* one shape: tuples are hashed as they are */
	SsotTable	table;			/* for joining by hash */
	bool		repeated;		/* some key came twice, as far as seen */
} SsotComparing;

typedef struct SsotSide
{
	SsotComparing *comparing;
	Oid			relid;
	bool		has_tids;
	bool		by_tuple_scan;	/* read by a tuple scan, else by a statement */
	SsotWalker *walker;			/* over the compared columns */
	SsotWalker *key_walker;		/* over the key only, with whole_tuples */
	SsotPartitions *entries;
	SsotSuspects suspects;
	Tuplestorestate *rows;		/* of the suspects, where they are read again */
	TupleDesc	rows_desc;
	uint64		nrows;
	char	   *condition;		/* where ssot_screen_remote told which rows to
								 * compare, else NULL */
} SsotSide;

/* The rows of a side: "first", then the compared columns, as c1, c2 .... */
extern char *ssot_side_sql(const SsotSide *side, const char *first, const char *condition);

/* Where a side is on another server: find the rows that may differ without
 * fetching the others, and set the condition of both sides. False if that cannot
 * be done, or does not pay. */
extern bool ssot_screen_remote(SsotSide *left, SsotSide *right);

/* Read both sides once and find, by hash, the rows that may differ. */
extern void ssot_screen_sides(SsotSide *left, SsotSide *right, Size limit);

/* Read a side without tuple ids again: the rows of its suspects go to "rows". */
extern void ssot_side_reread(SsotSide *side);

#endif							/* SSOT_COMPARE_H */
