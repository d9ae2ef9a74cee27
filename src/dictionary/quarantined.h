/*
 * dictionary/quarantined.h
 *		Rows of the quarantine that a number can still be computed on.
 */
#ifndef SSOT_QUARANTINED_H
#define SSOT_QUARANTINED_H

#include "common/query.h"
#include "dictionary/records.h"

/*
 * The system's rows in quarantine of which every mapped field among "columns" can
 * be evaluated and cast: ssot_key and those fields. NULL if there are none.
 */
extern SsotRelation *ssot_quarantined_rows(const SsotRecords *records, List *columns);

#endif							/* SSOT_QUARANTINED_H */
