/*
 * golden/clock.h
 *		The clock row: one write time per transaction and entity; and the flag
 *		that tells machine writes from people's.
 */
#ifndef SSOT_CLOCK_H
#define SSOT_CLOCK_H

#include "utils/timestamp.h"

#include "entity/map.h"

/*
 * The transaction's write time for the entity. The first call takes the clock
 * row's lock, until the transaction ends, and sets it to
 * greatest(clock_timestamp(), last_write + 1 us); later calls return the same
 * time (unless the subtransaction that made the first call was rolled back).
 */
extern TimestampTz ssot_clock_take(const SsotEntity *entity);

/* last_write as the current snapshot sees it; no lock. */
extern TimestampTz ssot_clock_read(const char *entity_name);

/*
 * Machine writes: while begun, the triggers on canonical tables neither pin nor
 * make manual records, and leave history to the writer. Nested calls count. An
 * error in between clears the flag with its subtransaction.
 */
extern void ssot_machine_begin(void);
extern void ssot_machine_end(void);
extern bool ssot_machine_writes(void);

#endif							/* SSOT_CLOCK_H */
