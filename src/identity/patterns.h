/*
 * identity/patterns.h
 *		How often each pattern of agreement was met.
 */
#ifndef SSOT_PATTERNS_H
#define SSOT_PATTERNS_H

#include "identity/compare.h"

/* A pattern, and how often one rule drew it. */
typedef struct SsotPatternCount
{
	SsotPattern pattern;
	int			rule;			/* -1: random pairs */
	int			met;			/* for folding */
	double		count;
} SsotPatternCount;

/*
 * Add up the entries of the same rule and pattern; those that are left are sorted
 * by both, and their number is returned. "entries" (NULL: not wanted) tells which of
 * them each of the n has become.
 */
extern int	ssot_patterns_fold(SsotPatternCount *counts, int64 n, int *entries);

#endif							/* SSOT_PATTERNS_H */
