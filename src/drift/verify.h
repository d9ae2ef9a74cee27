/*
 * drift/verify.h
 *		Finding golden records that may differ from what systems say.
 */
#ifndef SSOT_VERIFY_H
#define SSOT_VERIFY_H

#include "drift/suspects.h"
#include "entity/map.h"

/*
 * Read the golden records and the source records once, under the caller's
 * snapshot, and add the tuple ids of the golden records that hashes cannot clear
 * to the suspects. Returns the number of golden records, or -1 if the entity
 * has too many systems for it: then all are suspect.
 */
extern int64 ssot_screen_golden(const SsotEntity *entity, SsotSuspects *suspects);

#endif							/* SSOT_VERIFY_H */
