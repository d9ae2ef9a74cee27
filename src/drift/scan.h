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

/* Can the relation be read by a tuple scan, by this user? */
extern bool ssot_relation_is_scannable(Oid relid);

/* Rows that the relation is believed to have, for sizing. */
extern double ssot_relation_rows(Oid relid);

typedef struct SsotTupleScan
{
	Relation	rel;
	TableScanDesc scan;
	BlockNumber nblocks;
} SsotTupleScan;

/* Under the active snapshot, which must outlive the scan. */
extern SsotTupleScan ssot_tuple_scan_begin(Oid relid);
extern void ssot_tuple_scan_end(SsotTupleScan *scan);

/* The next tuple, valid until the next call; NULL after the last. */
static inline HeapTuple
ssot_tuple_scan_next(SsotTupleScan *scan)
{
	return heap_getnext(scan->scan, ForwardScanDirection);
}

/* A tuple id in 48 bits. */
static inline uint64
ssot_pack_tid(ItemPointer tid)
{
	return ((uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16) |
		ItemPointerGetOffsetNumberNoCheck(tid);
}

#endif							/* SSOT_SCAN_H */
