/*
 * ingest/protect.h
 *		Evaluating what users wrote over many rows, some of which will fail.
 */
#ifndef SSOT_PROTECT_H
#define SSOT_PROTECT_H

/* The three parts of a protected loop. "arg" is the caller's. */
typedef struct SsotProtected
{
	/* Go to the next item; false at the end. */
	bool		(*next) (void *arg);

	/*
	 * Work on the item; may raise an error. What it keeps must go through
	 * ssot_protected_outside.
	 */
	void		(*work) (void *arg);

	/*
	 * The work raised this error (in the caller's memory context). Return
	 * true to have the same item worked on once more.
	 */
	bool		(*failed) (void *arg, ErrorData *error);
} SsotProtected;

extern void ssot_protected_each(const SsotProtected *loop, void *arg);

/*
 * Inside work(): run under the resource owner that outlives the
 * subtransaction, as writing to a sort or a tuplestore must.
 */
extern void ssot_protected_outside(void (*action) (void *arg), void *arg);

#endif							/* SSOT_PROTECT_H */
