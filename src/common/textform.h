/*
 * common/textform.h
 *		Values as text that means the same in every session.
 */
#ifndef SSOT_TEXTFORM_H
#define SSOT_TEXTFORM_H

#include "fmgr.h"

/* How to write values of one type. */
typedef struct SsotTextForm
{
	FmgrInfo	output;
	bool		depends;		/* on settings */
} SsotTextForm;

/* The function's memory goes to the current memory context. */
extern void ssot_text_form_init(SsotTextForm *form, Oid type);

/* The text form of a non-null value under ssot_settings_begin's settings, in the
 * current memory context. */
extern char *ssot_text_form(SsotTextForm *form, Datum value);

#endif							/* SSOT_TEXTFORM_H */
