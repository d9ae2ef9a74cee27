/*
 * common/errors.h
 *		SQLSTATEs of our own, where a client must be able to branch.
 *
 * Standard SQLSTATEs come first; class "SS" is used only where none of them
 * tells what happened.
 */
#ifndef SSOT_ERRORS_H
#define SSOT_ERRORS_H

#include "utils/elog.h"

/* A run stopped because too many rows would go to quarantine. */
#define ERRCODE_SSOT_TOO_MANY_QUARANTINED	MAKE_SQLSTATE('S','S','0','0','1')

/* A run stopped because too many records vanished from a source. */
#define ERRCODE_SSOT_TOO_MANY_RETIRED		MAKE_SQLSTATE('S','S','0','0','2')

/* The asked-for time lies before the history begins. */
#define ERRCODE_SSOT_BEFORE_HISTORY			MAKE_SQLSTATE('S','S','0','0','3')

/* reconcile_all: at least one entity failed. */
#define ERRCODE_SSOT_RUN_FAILED				MAKE_SQLSTATE('S','S','0','0','4')

/*
 * Is the error about what was being worked on, so that it may be caught and told
 * as a reason? Not so a cancelled query, exhausted memory or disk, a shutdown, an
 * internal error, a deadlock or serialization failure, a lock timeout: they would
 * hit everything alike, or must never be swallowed.
 */
extern bool ssot_error_is_local(int sqlstate);

#endif							/* SSOT_ERRORS_H */
