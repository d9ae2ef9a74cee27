/*
 * golden/settle.h
 *		Bringing golden records to what their source records say.
 */
#ifndef SSOT_SETTLE_H
#define SSOT_SETTLE_H

#include "utils/timestamp.h"

#include "golden/ids.h"
#include "golden/survivorship.h"

typedef struct SsotSettleFigures
{
	int64		created;		/* golden records inserted */
	int64		changed;		/* updated, retired or brought back */
	int64		held;			/* held after this run, of those touched */
	int64		held_written;	/* of them new, different, or no longer held */
	int64		pins_retired;	/* pins that all sources agree with by now */
	int64	   *drift_opened;	/* by source index */
	int64	   *drift_closed;
} SsotSettleFigures;

/*
 * What the room below (drift) wants to know while golden records settle. The
 * golden room may not know drift; drift registers itself in _PG_init.
 *
 * begin: before the first group; returns its state. group: once per touched
 * golden id, with the values that are golden from now on (the last good ones
 * where the new version is held; golden is NULL where there is no golden
 * record). again: the same id was reported before in this pass and that report
 * is void (its new version turned out to break a constraint when written).
 * end: after the golden rows are written.
 */
typedef struct SsotSettleObserver
{
	void	   *(*begin) (const SsotEntity *entity, Tuplestorestate *touched,
						  int64 ntouched, TimestampTz t, int64 run_id,
						  SsotSettleFigures *figures);
	void		(*group) (void *state, const SsotGroup *group,
						  const Datum *golden, const bool *golden_nulls,
						  bool retired, const SsotWinner *winners, bool again);
	void		(*end) (void *state);
} SsotSettleObserver;

extern const SsotSettleObserver *ssot_settle_observer;

/* Called with each group as it passes; see ssot_groups_each. */
typedef void (*SsotGroupCallback) (const SsotGroup *group, void *arg);

/*
 * Settle the golden records whose ids are in "touched" (a tuplestore of one
 * column of the id's type, without duplicates; NULL: every record of the entity): survivorship,
 * golden rows with their history, held records, retirement, drift. The caller
 * has taken the clock; t is its time. Drift is recomputed for the same ids.
 */
extern void ssot_settle(const SsotEntity *entity, Tuplestorestate *touched,
						int64 ntouched, TimestampTz t, int64 run_id,
						SsotSettleFigures *figures);

/* The same outside of a run, where nobody asks for figures; returns at once where
 * the set is empty. */
extern void ssot_settle_set(const SsotEntity *entity, const SsotIds *ids, TimestampTz t);

/* The same for an array of ids: what triggers and pins call. */
extern void ssot_settle_ids(const SsotEntity *entity, const Datum *ids, int nids,
							TimestampTz t);

/*
 * Read the records of the touched ids (NULL: all), grouped by golden id, and call back
 * once per group, in a memory context that is reset after each. Superseded
 * copies and aliases are included (copy <> 0).
 */
extern void ssot_groups_each(const SsotEntity *entity, Tuplestorestate *touched,
							 int64 ntouched, SsotGroupCallback callback, void *arg);

/*
 * The same under the caller's snapshot, for functions that only read: in the
 * order of the ids, and with a group of no records for an id without any.
 */
extern void ssot_groups_read(const SsotEntity *entity, Tuplestorestate *touched,
							 int64 ntouched, SsotGroupCallback callback, void *arg);

#endif							/* SSOT_SETTLE_H */
