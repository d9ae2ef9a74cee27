/*
 * ingest/resolve.h
 *		From the changed rows of one source to the keys that change.
 */
#ifndef SSOT_RESOLVE_H
#define SSOT_RESOLVE_H

#include "ingest/load.h"
#include "ingest/quarantine.h"
#include "ingest/reader.h"

/*
 * Evaluate the rows that the reader kept, bring them together with what is
 * stored under the same keys, and add what is to change to the result; rows
 * that cannot be taken go to "quarantine". Fills in the source's figures.
 * Raises SS001 if too many rows cannot be taken.
 */
extern void ssot_resolve_source(const SsotEntity *entity, SsotReader *reader,
								SsotImages *images, SsotQuarantine *quarantine,
								SsotIngest *result);

#endif							/* SSOT_RESOLVE_H */
