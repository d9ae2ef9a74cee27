/*
 * golden/history.h
 *		Keeping closed versions of golden records.
 */
#ifndef SSOT_HISTORY_H
#define SSOT_HISTORY_H

#include "fmgr.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "entity/map.h"

/*
 * Put closed versions of golden records into the entity's history. "versions"
 * holds rows of the canonical table as they were until "time". run_id 0: a
 * person ended them; who and why is taken from the session.
 */
extern void ssot_history_write(const SsotEntity *entity, TupleDesc desc,
							   Tuplestorestate *versions, int64 nversions,
							   TimestampTz time, int64 run_id);

/* "a, b, c": the columns of the canonical table that its history holds, each
 * quoted and prefixed. */
extern char *ssot_history_columns(const SsotEntity *entity, const char *prefix);

/* The same without valid_from: what two versions may have in common. */
extern char *ssot_content_columns(const SsotEntity *entity, const char *prefix);

/* A golden id from its text form; error if that is malformed. */
extern Datum ssot_golden_id(const SsotEntity *entity, const char *text);

/* For the trigger functions of canonical tables: how they were called (error if
 * not by a trigger), and a column of ours in the table. */
struct TriggerData;
extern struct TriggerData *ssot_trigger_data(FunctionCallInfo fcinfo);
extern AttrNumber ssot_column_number(Relation rel, const char *name);

/* The error for a trigger of the user's that changed valid_from. */
extern void ssot_refuse_tampering(const SsotEntity *entity);

#endif							/* SSOT_HISTORY_H */
