/*
 * common/locks.h
 *		Several locks at once, waited for with empty hands.
 */
#ifndef SSOT_LOCKS_H
#define SSOT_LOCKS_H

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

/* The list with a lock on a relation added to it, unless it has it; InvalidOid adds none. */
extern List *ssot_locks_add(List *locks, Oid relid, LOCKMODE mode);

/*
 * Take, until the transaction ends, all the locks that "wanted" lists. It is asked
 * again after each wait, as what there is to lock may have changed meanwhile; the
 * order of its list is that in which others take these locks. It takes no lock itself.
 */
extern void ssot_locks_take(List *(*wanted) (void *arg), void *arg);

#endif							/* SSOT_LOCKS_H */
