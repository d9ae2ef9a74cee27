/*
 * drift/scan.h
 *		Reading the tuples of a table as they are stored.
 */
#ifndef SSOT_SCAN_H
#define SSOT_SCAN_H

#include "access/heapam.h"
#include "access/tableam.h"
#include "storage/itemptr.h"
#include "utils/rel.h"

/* Can rows of the relation be fetched again by tuple id, by this user? */
extern bool ssot_relation_has_tids(Oid relid);

/* Can the relation be read by a tuple scan, by this user? Columns that tuples do
 * not show (see SsotWalker) are another question. */
extern bool ssot_relation_is_scannable(Oid relid);

/* Rows that the relation is believed to have, for sizing. */
extern double ssot_relation_rows(Oid relid);

/* Until the settings' level ends, have statements fetch rows by tuple id. */
extern void ssot_prefer_tids(bool prefer);

typedef struct SsotTupleScan
{
	Relation	rel;
	TableScanDesc scan;
	BlockNumber nblocks;
	BlockNumber block;			/* of the last tuple */
} SsotTupleScan;

/* Under the active snapshot, which must outlive the scan. */
extern SsotTupleScan ssot_tuple_scan_begin(Oid relid);
extern void ssot_tuple_scan_end(SsotTupleScan *scan);

/* Ask for a tuple's page at once, instead of waiting for one tuple after the other. */
extern void ssot_prefetch_page(const SsotTupleScan *scan);

/* The next tuple, valid until the next call; NULL after the last. */
static inline HeapTuple
ssot_tuple_scan_next(SsotTupleScan *scan)
{
	HeapTuple	tuple = heap_getnext(scan->scan, ForwardScanDirection);

	if (tuple != NULL && ItemPointerGetBlockNumberNoCheck(&tuple->t_self) != scan->block)
	{
		scan->block = ItemPointerGetBlockNumberNoCheck(&tuple->t_self);
		ssot_prefetch_page(scan);
	}
	return tuple;
}

/* A tuple id in 48 bits. */
static inline uint64
ssot_pack_tid(ItemPointer tid)
{
	return ((uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16) |
		ItemPointerGetOffsetNumberNoCheck(tid);
}

#endif							/* SSOT_SCAN_H */
