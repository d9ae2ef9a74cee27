/*
 * golden/decision.h
 *		What people decided about linking, kept in ssot.link_decision.
 *
 * A decision is about two system records by name ("crm:K1"), not about golden
 * ids: it outlives ids and is obeyed when everything is linked from scratch,
 * also while one of the two records is absent.
 */
#ifndef SSOT_DECISION_H
#define SSOT_DECISION_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "entity/map.h"

typedef struct SsotDecision
{
	int64		id;
	bool		same;			/* false: they are different things */
	const char *a;
	const char *b;
} SsotDecision;

/* "crm:K1", the name of a record of the source with this index. */
extern char *ssot_record_name(const SsotEntity *entity, int source, const char *key);

/* Is any decision of the entity in force? */
extern bool ssot_decisions_exist(const SsotEntity *entity);

/* The decisions in force that name one of the records in "names" (rows of
 * ssot_name_desc), as a List of SsotDecision. */
extern List *ssot_decisions_about(const SsotEntity *entity, Tuplestorestate *names,
								  int64 nnames);
extern TupleDesc ssot_name_desc(void);

/* All decisions of the entity in force, by the names of their records. */
extern List *ssot_decisions_all(const SsotEntity *entity);

/* A number for the decisions that one call makes. */
extern int64 ssot_decision_operation(void);

extern void ssot_decide(const SsotEntity *entity, int64 operation, bool same,
						const char *a, const char *b, const char *reason, TimestampTz t);

/* The decision is no longer in force; it stays on record. */
extern void ssot_decision_end(int64 id, TimestampTz t);

#endif							/* SSOT_DECISION_H */
