/*
 * ingest/classify.h
 *		Same key: which of its rows is in force. Pure: arrays in, verdict out.
 */
#ifndef SSOT_CLASSIFY_H
#define SSOT_CLASSIFY_H

#include "entity/record.h"

/* What is compared when records are. */
typedef struct SsotContents
{
	int			nfields;
	TupleDesc	desc;			/* of a record */
	const bool *is_reference;	/* by field: compared by its token in
								 * ssot_refs */
} SsotContents;

/* A row that has the key, or has had it. */
typedef struct SsotCandidate
{
	Datum	   *values;			/* by SSOT_REC_* attribute number - 1 */
	bool	   *nulls;
	int64		ordinal;		/* of its raw row, where it was evaluated */
	bool		stored;			/* it is in the companion */
	bool		seen;			/* stored in force; its raw row was read
								 * unchanged */
	bool		refused;		/* out: to be quarantined */
} SsotCandidate;

typedef enum SsotKeyFate
{
	SSOT_KEY_NOTHING,			/* it never was and is not */
	SSOT_KEY_UNCHANGED,
	SSOT_KEY_CHANGED,			/* or new */
	SSOT_KEY_GONE
} SsotKeyFate;

typedef struct SsotVerdict
{
	SsotKeyFate fate;
	int			nrows;
	SsotCandidate **rows;		/* in force, then copies 1.. */
	bool	   *same;			/* by row: stored so already, but for its
								 * image */
	bool		is_new;			/* nothing was stored */
	int			nrefused;
	const char *reason;			/* why they are refused */
} SsotVerdict;

/*
 * Decide one key. "some_refused": a row of this key could not be evaluated; the
 * stored row in force may be the last good one. Allocates in the current memory
 * context.
 */
extern void ssot_classify(const SsotContents *contents, SsotCandidate *candidates,
						  int ncandidates, bool some_refused, SsotVerdict *verdict);

/* Total order of contents: everything but times of belief, image and copy. */
extern int	ssot_compare_contents(const SsotContents *contents,
								  const SsotCandidate *a, const SsotCandidate *b);

/* Of one column; NULL is less than any value. */
extern int	ssot_compare_column(const SsotContents *contents, int attnum,
								const SsotCandidate *a, const SsotCandidate *b);

#endif							/* SSOT_CLASSIFY_H */
