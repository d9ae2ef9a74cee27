/*
 * drift/suspects.h
 *		Rows that a comparison by hash could not clear: where they are.
 */
#ifndef SSOT_SUSPECTS_H
#define SSOT_SUSPECTS_H

#include "storage/itemptr.h"

/* Locators of the suspected rows of one relation: packed tuple ids, or hashes
 * of keys where the relation has no tuple ids. */
typedef struct SsotSuspects
{
	uint64	   *locators;
	uint64		count;
	uint64		capacity;
} SsotSuspects;

extern void ssot_suspects_add(SsotSuspects *suspects, uint64 locator);

/* The locators as an array of type tid[]. */
extern Datum ssot_suspects_tids(const SsotSuspects *suspects);

/* Put the locators in order; then they can be searched. */
extern void ssot_suspects_sort(SsotSuspects *suspects);
extern bool ssot_suspects_contain(const SsotSuspects *suspects, uint64 locator);

/* Can rows of the relation be fetched again by tuple id, by this user? */
extern bool ssot_relation_has_tids(Oid relid);

/*
 * Does a scan of all columns ("SELECT t.* FROM relation AS t") give the tuples as
 * they are stored? It does if it needs no projection: no column was dropped, and
 * none has a value that is missing from older tuples.
 */
extern bool ssot_relation_gives_tuples(Oid relid);

/* Rows that the relation is believed to have, for sizing. */
extern double ssot_relation_rows(Oid relid);

/* A tuple id in 48 bits. */
static inline uint64
ssot_pack_tid(Datum ctid)
{
	ItemPointer tid = (ItemPointer) DatumGetPointer(ctid);

	return ((uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16) |
		ItemPointerGetOffsetNumberNoCheck(tid);
}

#endif							/* SSOT_SUSPECTS_H */
