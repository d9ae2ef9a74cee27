/*
 * golden/retire.h
 *		Golden records that people retired although systems hold them.
 */
#ifndef SSOT_RETIRE_H
#define SSOT_RETIRE_H

#include "nodes/pg_list.h"
#include "utils/tuplestore.h"

#include "common/query.h"
#include "entity/map.h"

/* The retired ones among the touched ids (NULL: of the entity). */
typedef struct SsotRetirements SsotRetirements;

extern SsotRetirements *ssot_retirements_read(const SsotEntity *entity,
											  Tuplestorestate *touched, int64 ntouched);
extern bool ssot_is_retired_by_person(SsotRetirements *retirements, Datum id);

/* The golden record is retired by nobody any more; false if it was not. */
extern bool ssot_retirement_end(const SsotEntity *entity, Datum id);

/* The same for the lost ids of merges, a relation "ssot_merges" (lost, kept). */
extern void ssot_retirements_end_merged(const SsotEntity *entity, const SsotRelation *merges);

#endif							/* SSOT_RETIRE_H */
