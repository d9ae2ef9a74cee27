/*
 * golden/repoint.h
 *		Pointing foreign keys from one golden record at another, and back.
 */
#ifndef SSOT_REPOINT_H
#define SSOT_REPOINT_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "common/query.h"
#include "entity/map.h"

/*
 * The relation ssot_merges as statements use it. A lost id is there once, which the
 * planner cannot know of a relation that comes from C: it would hash the table that
 * refers to it, however large, rather than the merges.
 */
#define SSOT_MERGES "(SELECT DISTINCT ON (x.lost) x.lost, x.kept FROM ssot_merges AS x) AS m"

/* One foreign key to an entity. */
typedef struct SsotReferrer
{
	Oid			relid;
	bool		acts;			/* ON DELETE does something to its rows */
	List	   *columns;		/* names (char *) */
	List	   *targets;		/* the entity's columns that they refer to */
	SsotEntity *entity;			/* of relid, or NULL */
} SsotReferrer;

/* All foreign keys to the entity, in the order of schema, table and columns. */
extern List *ssot_referrers(const SsotEntity *entity);

/* Entities with a foreign key to this one, itself excluded, as a List of
 * SsotEntity in the order of their names. */
extern List *ssot_referring_entities(const SsotEntity *entity);

/* Does an entity refer to golden ids, as all do whose fields are filled through
 * the crosswalk? Error with a hint otherwise. */
extern const char *ssot_referrer_field(const SsotEntity *entity, const SsotReferrer *referrer);

/*
 * Point a table that is no entity from the lost ids at the kept ones, under the
 * caller's rights, and write the journal. "merges" holds (lost, kept). An error
 * names the table where it may not be updated or a constraint stands in the way.
 */
extern void ssot_repoint_table(const SsotEntity *entity, const SsotReferrer *referrer,
							   const SsotRelation *merges, TimestampTz t);

/* Write the journal of moved rows: (lost id, row key or NULL, old, new). */
extern TupleDesc ssot_moved_desc(void);
extern void ssot_journal_write(const SsotEntity *entity, const char *relation,
							   List *columns, Tuplestorestate *moved, int64 nmoved,
							   TimestampTz t);

/* SET CONSTRAINTS IMMEDIATE for what concerns the tables, and back. */
extern void ssot_settle_constraints(const SsotEntity *entity, List *referrers);

/*
 * Point what the journal of a lost id holds back at it, where nobody has changed
 * it since; tables that are no entities under the caller's rights. Forgets the
 * journal. Returns how many rows cannot be moved back.
 */
extern int64 ssot_repoint_back(const SsotEntity *entity, const char *lost_id, TimestampTz t);

/* Report why a merge is refused, in place of the error that is being caught. */
extern void ssot_refuse_merge(const SsotEntity *entity, ErrorData *error,
							  const char *relation) pg_attribute_noreturn();

#endif							/* SSOT_REPOINT_H */
