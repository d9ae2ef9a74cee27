/*
 * ingest/stage.h
 *		Bringing together, key by key, what a source says and what is stored.
 */
#ifndef SSOT_STAGE_H
#define SSOT_STAGE_H

#include "ingest/classify.h"

/* What a staged row is; a number that is not negative is the ordinal of the
 * raw row that was evaluated. */
#define SSOT_STAGED_SEEN	(-1)	/* stored in force; its raw row was read
									 * unchanged */
#define SSOT_STAGED_UNSEEN	(-2)	/* stored; its raw row was not, or is
									 * evaluated */
#define SSOT_STAGED_TOKENS	(-3)	/* only the tokens of the key's stored row */
#define SSOT_STAGED_REFUSED	(-4)	/* only that a row of the key was refused */
#define SSOT_STAGED_ABSENT	(-5)	/* only key and time of a row that the
									 * source has deleted */

typedef struct SsotStage SsotStage;

/* All that has one key. Lives until the next group. */
typedef struct SsotKeyGroup
{
	Datum		key;			/* text */
	int			ncandidates;
	SsotCandidate *candidates;
	bool		some_refused;
	bool		some_absent;
	bool		absent_has_time;
	TimestampTz absent_time;	/* the latest */
	bool		has_tokens;
	Datum		tokens;
} SsotKeyGroup;

/* The descriptor is a record's, with its tokens. The stage keeps to work_mem
 * and spills; it must be made under the resource owner that is to own its files. */
extern SsotStage *ssot_stage_create(TupleDesc record_desc);
extern void ssot_stage_free(SsotStage *stage);

/* "values" and "nulls" follow the record's descriptor. */
extern void ssot_stage_put(SsotStage *stage, const Datum *values, const bool *nulls, int64 what);

/* The same for a row of which only the key (and tokens) matter. */
extern void ssot_stage_mark(SsotStage *stage, Datum key, Datum tokens, bool has_tokens, int64 what);

/* Call back for each key, in order of bytes, in a memory context that is reset
 * after each. To be called once, after the last put. */
extern void ssot_stage_each(SsotStage *stage,
							void (*callback) (SsotKeyGroup *group, void *arg), void *arg);

#endif							/* SSOT_STAGE_H */
