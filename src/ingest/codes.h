/*
 * ingest/codes.h
 *		Code lists of one source: what its codes mean in canonical form.
 */
#ifndef SSOT_CODES_H
#define SSOT_CODES_H

#include "entity/map.h"

typedef struct SsotCodes SsotCodes;

/* The meaning of one code. */
typedef struct SsotMeaning
{
	bool		isnull;			/* the code means "no value" */
	Datum		value;			/* of the field's base type */
	char	   *text;
} SsotMeaning;

/* The code lists of a source, by field index; NULL where a field has none. */
extern SsotCodes **ssot_codes_load(const SsotEntity *entity, const SsotSource *source);

/* NULL if the code is not listed. */
extern const SsotMeaning *ssot_codes_lookup(const SsotCodes *codes, const char *code, int len);

#endif							/* SSOT_CODES_H */
