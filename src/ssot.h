/*
 * ssot.h
 *		What every file of the extension needs, and no more.
 *
 * Each file includes "postgres.h" first, then this header, then the headers
 * of the rooms above its own (see src/README for the order of the rooms).
 */
#ifndef SSOT_H
#define SSOT_H

#include "postgres.h"

#include "fmgr.h"

#include "compat.h"

/* How the session's writes to canonical tables are to be understood. */
typedef enum SsotWriteMode
{
	SSOT_WRITE_STEWARD,			/* a person corrects: changed values are
								 * pinned */
	SSOT_WRITE_LOAD				/* a program loads: rows become records of the
								 * system "manual" */
} SsotWriteMode;

/* Settings, defined in ssot.c. */
extern char *ssot_as_of_setting;	/* ssot.as_of, "" when unset */
extern char *ssot_reason;		/* ssot.reason, "" when unset */
extern char *ssot_unknown_setting;	/* an unknown setting ssot.* that was made
									 * before the library was loaded, or NULL */
extern int	ssot_max_pins;		/* ssot.max_pins */
extern int	ssot_write_mode;	/* ssot.write_mode, an SsotWriteMode */

#endif							/* SSOT_H */
