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
 * Only entity->relid and entity->name are used.
 */
extern TimestampTz ssot_clock_take(const SsotEntity *entity);

/*
 * The same time and the same lock, but the row is not written: for statements
 * that may turn out to change nothing. Whoever does write something with that
 * time calls ssot_clock_take before the statement ends.
 */
extern TimestampTz ssot_clock_lock(const SsotEntity *entity);

/* last_write as the active snapshot sees it; no lock. */
extern TimestampTz ssot_clock_read(const char *entity_name);

/*
 * Machine writes: while begun, the triggers on canonical tables neither pin nor
 * make manual records, and leave history to the writer. Nested calls count. An
 * error in between clears the flag with its subtransaction.
 *
 * The flag covers the statements that the machine itself runs, not what a
 * user's trigger does in turn when such a statement fires it: those writes keep
 * their history like anybody's.
 */
extern void ssot_machine_begin(void);
extern void ssot_machine_end(void);
extern bool ssot_machine_writes(void);

#endif							/* SSOT_CLOCK_H */
