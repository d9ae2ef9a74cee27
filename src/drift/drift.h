/*
 * drift/drift.h
 *		How a system's record differs from the golden record.
 *
 * The comparing itself is pure and is used by settling (to keep the open
 * differences), and by verification (to recompute them).
 */
#ifndef SSOT_DRIFT_H
#define SSOT_DRIFT_H

#include "golden/survivorship.h"

typedef enum SsotDriftKind
{
	SSOT_DRIFT_MISMATCH,		/* both have a value, and they differ */
	SSOT_DRIFT_EMPTY,			/* mapped, but the system has no value */
	SSOT_DRIFT_MISSING,			/* expected in the system, not there */
	SSOT_DRIFT_ORPHAN,			/* there, but not expected; or its parent does
								 * not exist */
	SSOT_DRIFT_DUPLICATE,		/* a further record or row of the same thing */
	SSOT_DRIFT_STALE,			/* a value that was golden before */
	SSOT_DRIFT_INVALID			/* an unmapped code or a value that could not
								 * be taken */
} SsotDriftKind;

/* One difference. Texts are in the current memory context. */
typedef struct SsotDifference
{
	int			source;			/* index; gives the system; -1 never */
	const char *key;			/* "" for kind missing */
	int			field;			/* index, or -1 for the record as a whole */
	SsotDriftKind kind;
	const char *golden_value;	/* text form, or NULL */
	const char *system_value;	/* text form, or NULL */
	bool		has_system_time;
	TimestampTz system_time;	/* source time of the system's value */
	int			winner_source;	/* index of the source of the golden value, or
								 * -1 */
	bool		has_winner_time;
	TimestampTz winner_time;	/* source time of the golden value */
	TimestampTz winner_from;	/* since when that record is believed */
} SsotDifference;

typedef void (*SsotDifferenceCallback) (const SsotDifference *difference, void *arg);

/* Equality functions and output functions for one entity; made once per pass. */
typedef struct SsotComparer SsotComparer;

extern SsotComparer *ssot_comparer_create(const SsotEntity *entity);

/* Equality of two non-null values of a field, with its tolerance. */
extern bool ssot_values_equal(SsotComparer *comparer, int field, Datum a, Datum b);

/*
 * Call back for each difference between the golden values and the group's
 * system records (parts joined; steward and manual never drift). "winners" may
 * be NULL. Kinds mismatch, empty, duplicate, invalid, orphan (field level), and
 * missing / orphan by "expects" are decided here; stale (needs
 * history) is decided by SQL afterwards.
 */
extern void ssot_compare_group(SsotComparer *comparer, const SsotGroup *group,
							   const Datum *golden, const bool *golden_nulls,
							   const SsotWinner *winners,
							   SsotDifferenceCallback callback, void *arg);

extern const char *ssot_drift_kind_name(SsotDriftKind kind);

/* Register as the observer of settling; called from _PG_init. */
extern void ssot_drift_init(void);

#endif							/* SSOT_DRIFT_H */
