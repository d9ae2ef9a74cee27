/*
 * ingest/part.h
 *		grain => 'part': the rows of one key are summed into one record.
 */
#ifndef SSOT_PART_H
#define SSOT_PART_H

#include "ingest/classify.h"

/*
 * Sum the rows of one key into values/nulls (of the record's descriptor with
 * tokens). NULL if that was done, else why it cannot be. Allocates in the
 * current memory context.
 */
extern const char *ssot_part_sum(const SsotEntity *entity, const SsotContents *contents,
								 SsotCandidate *rows, int nrows,
								 Datum *values, bool *nulls);

#endif							/* SSOT_PART_H */
