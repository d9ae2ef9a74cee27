/*
 * golden/evidence.h
 *		What a stored record says about a field besides its value.
 *
 * Reads the jsonb columns of a record (their shape is in src/README). All
 * results are in the current memory context.
 */
#ifndef SSOT_EVIDENCE_H
#define SSOT_EVIDENCE_H

#include "golden/survivorship.h"

/* Source time of a field: its own, that of its pin, else the record's; false if
 * there is none. */
extern bool ssot_record_time(const SsotRecord *record, const char *field,
							 TimestampTz *time);

/* The token that a foreign key field names its target by, or NULL. */
extern char *ssot_record_ref(const SsotRecord *record, const char *field);

/* A text member of what ssot_detail says of a field, or NULL. */
extern char *ssot_record_detail(const SsotRecord *record, const char *field,
								const char *member);

#endif							/* SSOT_EVIDENCE_H */
