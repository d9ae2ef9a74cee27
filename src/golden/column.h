/*
 * golden/column.h
 *		What must be kept of a column before the user drops it.
 */
#ifndef SSOT_COLUMN_H
#define SSOT_COLUMN_H

/* Register with the entity room (entity/ddl.h); called from _PG_init. */
extern void ssot_column_init(void);

#endif							/* SSOT_COLUMN_H */
