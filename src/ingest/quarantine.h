/*
 * ingest/quarantine.h
 *		The rows that cannot be taken, kept whole with their reasons.
 */
#ifndef SSOT_QUARANTINE_H
#define SSOT_QUARANTINE_H

#include "ingest/capture.h"
#include "ingest/keyset.h"
#include "ingest/load.h"
#include "ingest/mapper.h"

/* The rows of one run that go to quarantine, of all sources. */
typedef struct SsotQuarantine SsotQuarantine;

extern SsotQuarantine *ssot_quarantine_create(const SsotEntity *entity);
extern void ssot_quarantine_free(SsotQuarantine *quarantine);

/*
 * Set a row aside. "key" is NULL where it could not be computed. The raw row is
 * stored as text, under the pinned settings.
 */
extern void ssot_quarantine_add(SsotQuarantine *quarantine, int source, uint64 image,
								const text * key, const SsotRefusal *refusal,
								TupleTableSlot *raw);

/* Raise SS001 if too large a share of the source's rows was set aside. Every
 * "hopeless" rows it is worth asking before the source is finished. */
#define SSOT_QUARANTINE_HOPELESS 10000
extern void ssot_quarantine_check(const SsotQuarantine *quarantine, int source,
								  int64 rows_read);

extern int64 ssot_quarantine_count(const SsotQuarantine *quarantine, int source);

/*
 * Not all of the source was read, but the rows of these keys, and of these changes
 * (or NULL): rows in quarantine under other keys stay. "stored" is how many were
 * there; returns how many stay. To be called when all rows read are added, before
 * they are counted.
 */
extern int64 ssot_quarantine_limit(SsotQuarantine *quarantine, int source,
								   const SsotKeySet *keys, const SsotChanges *changes,
								   int64 stored);

/*
 * Bring the companion to exactly these rows, for what was read of the sources;
 * writes only what differs, as the companion's owner, and notes in the figures
 * which sources' rows it wrote.
 */
extern void ssot_quarantine_write(SsotQuarantine *quarantine, int64 run_id,
								  SsotIngestFigures *figures);

#endif							/* SSOT_QUARANTINE_H */
