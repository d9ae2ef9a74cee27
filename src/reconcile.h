/*
 * reconcile.h
 *		Running a reconciliation.
 */
#ifndef SSOT_RECONCILE_H
#define SSOT_RECONCILE_H

#include "postgres_ext.h"

/* One run of one entity, in the current transaction; see ssot.reconcile. */
extern void ssot_reconcile_entity(Oid relid, bool full, bool accept_deletes);

/*
 * The same in a subtransaction: false if it failed, with a warning and a row in
 * ssot.reconcile_run. A cancel or shutdown is raised.
 */
extern bool ssot_try_reconcile(Oid relid, const char *name, bool full);

#endif							/* SSOT_RECONCILE_H */
