/*
 * legal_forms.h
 *		The legal forms of companies, as data.
 */
#ifndef SSOT_TEXT_LEGAL_FORMS_H
#define SSOT_TEXT_LEGAL_FORMS_H

#include "postgres.h"

#define SSOT_FORM_AFTER		1	/* stands after the name */
#define SSOT_FORM_BEFORE	2	/* stands before the name */
#define SSOT_FORM_AROUND	(SSOT_FORM_AFTER | SSOT_FORM_BEFORE)

typedef struct SsotLegalForm
{
	const char *form;
	uint8		place;
	const char *countries;		/* ISO 3166-1, for the reader */
} SsotLegalForm;

/* Forms in Latin letters, as words of SSOT_WORDS_COMPANY. */
extern const SsotLegalForm ssot_latin_forms[];
extern const int ssot_latin_form_count;

/* Forms of scripts that do not part words, or that transliterate badly. */
extern const SsotLegalForm ssot_native_forms[];
extern const int ssot_native_form_count;

#endif							/* SSOT_TEXT_LEGAL_FORMS_H */
