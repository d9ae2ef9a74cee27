/*
 * common/textform.h
 *		Values as text that means the same in every session.
 */
#ifndef SSOT_TEXTFORM_H
#define SSOT_TEXTFORM_H

#include "fmgr.h"

/*
 * Pin DateStyle, IntervalStyle, TimeZone, extra_float_digits, bytea_output,
 * lc_monetary and search_path until ssot_unpin_settings gets the result. An
 * error in between restores them with the (sub)transaction. Nothing of the
 * user's may run inside.
 */
extern int	ssot_pin_settings(void);
extern void ssot_unpin_settings(int level);

/* How to write values of one type. */
typedef struct SsotTextForm
{
	FmgrInfo	output;
	bool		needs_pinning;	/* the settings above may matter */
} SsotTextForm;

/* The function's memory goes to the current memory context. */
extern void ssot_text_form_init(SsotTextForm *form, Oid type);

/* The text form of a non-null value, in the current memory context. */
extern char *ssot_text_form(SsotTextForm *form, Datum value);

#endif							/* SSOT_TEXTFORM_H */
