/*
 * golden/ids.h
 *		A set of golden ids on its way from one statement to the next.
 */
#ifndef SSOT_IDS_H
#define SSOT_IDS_H

#include "utils/tuplestore.h"

#include "common/query.h"
#include "entity/record.h"

/* Rows (id). Whoever fills it sees to it that there are no duplicates. */
typedef struct SsotIds
{
	TupleDesc	desc;
	Tuplestorestate *rows;
	int64		count;
} SsotIds;

extern SsotIds ssot_ids_create(const SsotEntity *entity);
extern void ssot_ids_add(SsotIds *ids, Datum id);
extern void ssot_ids_end(SsotIds *ids);

/* For statements: takes the first column of each row (arg: SsotIds); not NULLs. */
extern bool ssot_ids_take(TupleTableSlot *slot, void *arg);

/* The set under a name that SQL knows it by. */
extern SsotRelation ssot_ids_as(const SsotIds *ids, const char *name);

/* The ids of a tuplestore that may hold some several times (NULL: of none), and
 * those held until now: what stood in their way may be gone. */
extern SsotIds ssot_ids_touched(const SsotEntity *entity, Tuplestorestate *touched,
								int64 ntouched);

#endif							/* SSOT_IDS_H */
