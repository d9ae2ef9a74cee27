/*
 * identity/compare.h
 *		From two records to a pattern of agreement.
 */
#ifndef SSOT_COMPARE_H
#define SSOT_COMPARE_H

#include "identity/encode.h"

/* The levels of all fields, four bits each, the first field lowest. */
typedef uint64 SsotPattern;

static inline int
ssot_pattern_level(SsotPattern pattern, int field)
{
	return (pattern >> (4 * field)) & 15;
}

/* A level that was computed before; direct-mapped, by the two values. */
typedef struct SsotLevelSlot
{
	uint32		a;
	uint32		b;
	int			level;
} SsotLevelSlot;

#define SSOT_LEVEL_SLOTS	8192	/* per field, a power of two, where there
									 * are many records */

/* A field of more values than this hardly ever meets the same two again. */
#define SSOT_LEVEL_VALUES	50000

typedef struct SsotLeveler
{
	const SsotRecords *records;
	uint32		mask;			/* slots of a field, less one */
	SsotLevelSlot *slots[SSOT_MAX_FIELDS];	/* NULL: nothing is remembered */
	MemoryContext context;		/* for what a kind allocates */
	int			calls;
} SsotLeveler;

extern SsotLeveler *ssot_leveler_create(const SsotRecords *records);
extern void ssot_leveler_free(SsotLeveler *leveler);

/* The level of two different values, neither of which is 0. */
extern int	ssot_compare_values(SsotLeveler *leveler, int field, int a, int b);

/* The pattern of two records. */
extern SsotPattern ssot_pattern(SsotLeveler *leveler, int a, int b);

#endif							/* SSOT_COMPARE_H */
