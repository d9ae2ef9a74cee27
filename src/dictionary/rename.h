/*
 * dictionary/rename.h
 *		Definitions follow renames.
 */
#ifndef SSOT_RENAME_H
#define SSOT_RENAME_H

/* Register with the room that hears of DDL. */
extern void ssot_rename_init(void);

#endif							/* SSOT_RENAME_H */
