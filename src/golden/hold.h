/*
 * golden/hold.h
 *		Writing merged rows, and holding back those that break a constraint.
 */
#ifndef SSOT_HOLD_H
#define SSOT_HOLD_H

#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "golden/ids.h"

/* Merged rows: golden id, fields, ssot_retired. */
typedef struct SsotMerged
{
	TupleDesc	desc;
	Tuplestorestate *rows;
	int64		count;
	int64		created;		/* of them, those to be inserted; only a whole
								 * pass knows */
} SsotMerged;

/* Why a row cannot be written. */
typedef struct SsotViolation
{
	const char *constraint;		/* name, or NULL */
	const char *column;			/* name, or NULL */
	int			sqlstate;
	const char *reason;
	const char *detail;			/* or NULL */
} SsotViolation;

/* NOT NULL and CHECK constraints and constant defaults of the table. */
typedef struct SsotRowCheck SsotRowCheck;

extern SsotRowCheck *ssot_row_check_create(const SsotEntity *entity, TimestampTz t);
extern void ssot_row_check_free(SsotRowCheck *check);

/* Put constant column defaults where no record has a value. */
extern void ssot_row_defaults(SsotRowCheck *check, Datum *fields, bool *nulls);

/* Test a merged row (id, fields, retired). */
extern bool ssot_row_violates(SsotRowCheck *check, const Datum *values,
							  const bool *nulls, SsotViolation *violation);

/* The rows held in one settling pass. */
typedef struct SsotHolds SsotHolds;

extern SsotHolds *ssot_holds_create(const SsotEntity *entity, TupleDesc desc,
									TimestampTz t, int64 run_id);
extern void ssot_hold(SsotHolds *holds, const Datum *values, const bool *nulls,
					  const SsotViolation *violation, bool late);

/* Try held rows again, as long as one goes through; "attempt" writes one. */
typedef bool (*SsotHeldCallback) (const Datum *values, const bool *nulls, void *arg);
extern void ssot_holds_retry(SsotHolds *holds, SsotHeldCallback attempt, void *arg);

/* A row that the write refused and that is still held. */
typedef struct SsotLateRow
{
	const Datum *values;
	const bool *nulls;
	const SsotViolation *violation;
	bool	   *written;		/* to be set when it went through */
} SsotLateRow;

/* Those that were refused with this SQLSTATE; returns how many. */
extern int	ssot_holds_late(SsotHolds *holds, int sqlstate, SsotLateRow **rows);

/* swap.c: write rows that wait for each other's unique values; "attempt" writes
 * some of them together, after the statement "clear" over ssot_merged. */
typedef bool (*SsotTogetherCallback) (SsotMerged *rows, const char *clear, void *arg);
extern void ssot_write_swaps(const SsotEntity *entity, SsotHolds *holds, TupleDesc desc,
							 SsotTogetherCallback attempt, void *arg);

/* Write merged rows (write.c); what breaks a constraint is held. */
extern void ssot_write_merged(const SsotEntity *entity, SsotHolds *holds,
							  SsotMerged *merged, TimestampTz t, int64 run_id,
							  int64 *created, int64 *changed);

/* Bring <entity>_held to what this pass found for the touched ids (NULL: all);
 * returns how many are held, and adds how many of its rows it wrote. */
extern int64 ssot_holds_write(SsotHolds *holds, Tuplestorestate *touched, int64 ntouched,
							  int64 *written);

/* Ids held in this pass, as rows (id); and the golden record that is in force
 * for one of them (*golden NULL: there is none). */
extern SsotIds ssot_held_ids(SsotHolds *holds);
extern void ssot_held_golden(SsotHolds *holds, Datum id, Datum **golden,
							 bool **nulls, bool *retired, bool *late);

/* "f1, f2, " with each field of the canonical table, prefixed by g and as its
 * base type: merged rows have no domains. */
extern char *ssot_base_values(const SsotEntity *entity);

/* Has the canonical table no row? */
extern bool ssot_golden_is_empty(const SsotEntity *entity);

#endif							/* SSOT_HOLD_H */
