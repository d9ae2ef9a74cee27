/*
 * golden/store.h
 *		Writing source records, their history and their tokens.
 */
#ifndef SSOT_STORE_H
#define SSOT_STORE_H

#include "golden/link.h"

/*
 * Write what a run staged, with the golden ids that linking decided: records
 * and tokens of new, changed and gone keys, records that moved to another
 * golden record, and the history of all of them, as of t. Foreign keys are
 * filled from their targets. Runs as the owner of the entity's table.
 */
extern void ssot_store_records(const SsotEntity *entity, const SsotIngest *ingest,
							   const SsotLinking *linking, TimestampTz t);

/* Does any record belong elsewhere than before? */
extern bool ssot_linking_moves(const SsotEntity *entity, const SsotLinking *linking);

#endif							/* SSOT_STORE_H */
