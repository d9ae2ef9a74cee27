/*
 * golden/correction.h
 *		What people changed, on its way into the records of the built-in systems
 *		"steward" (pins) and "manual" (rows typed or loaded into the table).
 */
#ifndef SSOT_CORRECTION_H
#define SSOT_CORRECTION_H

#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "entity/map.h"

/* Changes of many golden records, gathered row by row and written set-wise. */
typedef struct SsotCorrections
{
	const SsotEntity *entity;
	int			source;			/* index: entity->steward or entity->manual */
	TimestampTz time;			/* the transaction's write time */
	TupleDesc	desc;
	Tuplestorestate *rows;
	int64		nrows;
	bool	   *touched;		/* by field: some row changes it */
	bool		fresh;			/* the golden records are new */
	bool		agreed;			/* pins are released because the sources say
								 * the same; else a person releases them */
} SsotCorrections;

extern SsotCorrections *ssot_corrections_create(const SsotEntity *entity, int source,
												TimestampTz time);

/*
 * Add a golden record: the fields marked in "changed" take the given values
 * (NULL: no values are needed). "old_values" and "old_nulls" are what a pin
 * overrules; NULL where nothing is overruled. One row per id.
 */
extern void ssot_corrections_add(SsotCorrections *corrections, Datum id,
								 const bool *changed,
								 const Datum *values, const bool *nulls,
								 const Datum *old_values, const bool *old_nulls);

/*
 * Store the changes in the records of their source (key: the id as text),
 * making records that do not exist and keeping closed versions in the history
 * of records. Pins of the same fields that arrived from a merged golden record
 * are released; so are, by a steward's change of the manual record, all pins of
 * the same fields.
 */
extern void ssot_corrections_write(SsotCorrections *corrections);

/* The same for rows that are new in the canonical table; error if an id was used
 * before. */
extern void ssot_corrections_insert(SsotCorrections *corrections);

/* Release the pins of the changed fields; false if there are none. */
extern bool ssot_corrections_release(SsotCorrections *corrections);

extern void ssot_corrections_free(SsotCorrections *corrections);

/* Which fields a person's change pins; the others go to the manual record. */
extern bool *ssot_pinned_fields(const SsotEntity *entity);

#endif							/* SSOT_CORRECTION_H */
