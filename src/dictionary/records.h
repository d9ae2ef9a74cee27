/*
 * dictionary/records.h
 *		What one system holds of an entity, as a query.
 */
#ifndef SSOT_RECORDS_H
#define SSOT_RECORDS_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "entity/map.h"

/*
 * What a row of a system's records is: 0 in force, > 0 an older row of the same key,
 * and this: could not be taken; the fields asked for can be cast. It is the column
 * ssot_copy of the records, so that the planner knows how many are in force.
 */
#define SSOT_STATE_QUARANTINED	(-1)

/* The records of a system at a time of the entity's clock. */
typedef struct SsotRecords
{
	const SsotEntity *entity;
	const char *system;
	TimestampTz time;			/* DT_NOEND: as they are */
	List	   *sources;		/* indexes of the system's sources */
	bool	   *maps;			/* by field index: some source of it maps the
								 * field */
} SsotRecords;

/* NULL if the system has no source on the entity. */
extern SsotRecords *ssot_records_open(const SsotEntity *entity, const char *system,
									  TimestampTz time);

/* Does the system map this column? False for the id and what is no field. */
extern bool ssot_records_map(const SsotRecords *records, const char *column);

/*
 * A query of the system's rows, its parts joined: the id column, ssot_key,
 * ssot_state, ssot_level (records below the entity's level), ssot_rank and
 * ssot_updated_at for choosing the primary one, and the mapped fields among
 * "columns". Rows of the quarantine are rows of their own; they are made in C
 * and appended to *relations. They need not have the "optional" ones of the columns,
 * and have them as NULL.
 */
extern char *ssot_records_query(const SsotRecords *records, List *columns, List *optional,
								List **relations);

/* The same without the quarantine. */
extern char *ssot_records_rows(const SsotRecords *records, List *columns);

/*
 * The rows of two systems in one scan, without the quarantine: what "list" gives of a
 * stored record r, is_right and tid. NULL unless each has one source of its own, at the
 * entity's level, and both are read as they are.
 */
extern char *ssot_records_both(const SsotRecords *left, const SsotRecords *right, const char *list);

/* The columns of the linked golden record: a relation as of the records' time. */
extern char *ssot_records_golden(const SsotRecords *records);

/* ORDER BY that puts the primary record of an id first. */
extern const char *const ssot_records_order;

#endif							/* SSOT_RECORDS_H */
