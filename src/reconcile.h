/*
 * reconcile.h
 *		Running a reconciliation.
 */
#ifndef SSOT_RECONCILE_H
#define SSOT_RECONCILE_H

#include "postgres_ext.h"

/* One run of one entity, in the current transaction; see ssot.reconcile. */
extern void ssot_reconcile_entity(Oid relid, bool full, bool accept_deletes);

#endif							/* SSOT_RECONCILE_H */
