/*
 * dictionary/system_time.h
 *		As of when a system's records are read, and how fresh they are.
 */
#ifndef SSOT_SYSTEM_TIME_H
#define SSOT_SYSTEM_TIME_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* What was read of a system. */
typedef struct SsotSystemTime
{
	TimestampTz belief;			/* on the entity's clock; DT_NOEND: as it is
								 * now */
	TimestampTz data_through;
} SsotSystemTime;

/* Does the history of golden records reach back to t? */
extern bool ssot_history_reaches(const char *entity, TimestampTz t);

/* The system's latest data on an entity (its name); false if it was never read. */
extern bool ssot_system_latest(const char *entity, const char *system, SsotSystemTime *time);

/* The system's last run whose data-through is not later than t; false if there is
 * none: its records then lie before the history. */
extern bool ssot_system_at(const char *entity, const char *system, TimestampTz t,
						   SsotSystemTime *time);

/* The data-through of its first run, for messages; false if there is none. */
extern bool ssot_system_first(const char *entity, const char *system, TimestampTz *t);

/* {"crm": "...", "erp": "..."}: through when the systems' data on the entities (names)
 * is complete, as of t (DT_NOEND: now). */
extern Jsonb *ssot_freshness(List *entities, TimestampTz t);

/* {"crm": "..."} */
extern Jsonb *ssot_freshness_of(const char *system, TimestampTz data_through);

#endif							/* SSOT_SYSTEM_TIME_H */
