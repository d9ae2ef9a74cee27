/*
 * ingest/keyset.h
 *		A set of keys (or of images) that a statement joins with.
 */
#ifndef SSOT_KEYSET_H
#define SSOT_KEYSET_H

#include "access/tupdesc.h"
#include "utils/tuplestore.h"

/* One column; duplicates do no harm. Spills past an eighth of work_mem. */
typedef struct SsotKeySet
{
	TupleDesc	desc;
	Tuplestorestate *rows;
	int64		count;
} SsotKeySet;

/* The type is text (compared as bytes) or int8. */
extern void ssot_keyset_init(SsotKeySet *set, const char *column, Oid type);
extern void ssot_keyset_add(SsotKeySet *set, Datum value);
extern void ssot_keyset_end(SsotKeySet *set);

#endif							/* SSOT_KEYSET_H */
