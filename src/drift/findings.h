/*
 * drift/findings.h
 *		Differences as rows: collected while comparing, read by SQL.
 */
#ifndef SSOT_FINDINGS_H
#define SSOT_FINDINGS_H

#include "common/query.h"
#include "drift/drift.h"

/*
 * Rows of (id, system, key, field, kind, ssot_source, golden_value,
 * system_value, system_time, winner_system, winner_time, winner_from, report):
 * <entity>_drift without first_seen, in that order, and the number of the
 * report that a row belongs to.
 */
typedef struct SsotFindings
{
	const SsotEntity *entity;
	TupleDesc	desc;
	Tuplestorestate *rows;
	int64		count;
	Datum		id;				/* of the group at hand */
	int64		report;			/* of the group at hand */
} SsotFindings;

/* An empty collection in the current memory context. */
extern SsotFindings *ssot_findings_create(const SsotEntity *entity);

/* An SsotDifferenceCallback; arg is the SsotFindings. */
extern void ssot_findings_add(const SsotDifference *difference, void *arg);

/* The relation that statements see under the given name. */
extern SsotRelation ssot_findings_relation(const SsotFindings *findings, const char *name);

/* A relation of one column "id" of the entity's id type. */
extern SsotRelation ssot_ids_relation(const SsotEntity *entity, const char *name,
									  Tuplestorestate *rows, int64 count);

/*
 * SQL: is the finding f, a mismatch, a value that was golden before? To be
 * evaluated under ssot_settings_begin, with findings aliased f.
 */
extern char *ssot_stale_condition(const SsotEntity *entity);

/* SQL: does the former version h of the golden record have the system value of
 * row d, which may be a finding or a kept difference, in d's field? */
extern char *ssot_former_value_condition(const SsotEntity *entity, const char *d);

/* SQL: do f and the kept difference d speak of the same thing? */
extern char *ssot_same_difference(const SsotEntity *entity);

#endif							/* SSOT_FINDINGS_H */
