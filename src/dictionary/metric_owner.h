/*
 * dictionary/metric_owner.h
 *		Views of metrics go with the table that they belong to.
 */
#ifndef SSOT_METRIC_OWNER_H
#define SSOT_METRIC_OWNER_H

#include "nodes/pg_list.h"

/* The list of locks (common/locks.h) with the views of metrics that read the relation. */
extern List *ssot_metric_view_locks(List *locks, Oid relid);

/* Register with the room that hears of DDL. */
extern void ssot_metric_owner_init(void);

#endif							/* SSOT_METRIC_OWNER_H */
