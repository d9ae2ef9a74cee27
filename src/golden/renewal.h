/*
 * golden/renewal.h
 *		What the rows that a run staged change in what is stored.
 */
#ifndef SSOT_RENEWAL_H
#define SSOT_RENEWAL_H

#include "common/query.h"
#include "ingest/load.h"

/*
 * The outcome, as relations for statements; records follow
 * ssot_record_desc(entity, false).
 */
typedef struct SsotRenewal
{
	SsotRelation added;			/* "ssot_added": records of which no row is
								 * stored */
	SsotRelation changed;		/* "ssot_changed": those that are stored
								 * otherwise */
	SsotRelation closed;		/* "ssot_closed": stored versions that end */
	SsotRelation dropped;		/* "ssot_dropped" (ssot_source, ssot_key,
								 * ssot_copy): rows that a key has no longer */

	const SsotIngest *ingest;
	TimestampTz t;
	TupleTableSlot *stored;		/* the next row of ingest->stored */
	MemoryContext context;		/* of the stored rows of one key */
	List	   *before;			/* those */
} SsotRenewal;

extern SsotRenewal *ssot_renewal_create(const SsotIngest *ingest, TimestampTz t);

/*
 * The rows of each staged key, in the order of "staged": first its key, then each
 * of its rows, finished but for ssot_from, which is set here: to t for a new
 * version, else to what is stored. After the last one, finish.
 */
extern void ssot_renewal_key(SsotRenewal *renewal, Datum source, Datum key);
extern void ssot_renewal_row(SsotRenewal *renewal, Datum *values, bool *nulls);
extern void ssot_renewal_finish(SsotRenewal *renewal);

extern void ssot_renewal_free(SsotRenewal *renewal);

/* Add a row to a relation that C makes. */
extern void ssot_relation_put(SsotRelation *relation, const Datum *values, const bool *nulls);

/* An empty one in the current memory context. */
extern SsotRelation ssot_relation_create(const char *name, TupleDesc desc);

/* The descriptor of a record's source and key, and a third column. */
extern TupleDesc ssot_key_and_desc(const char *name, Oid type);

#endif							/* SSOT_RENEWAL_H */
