/*
 * drift/suspects.h
 *		Rows that a comparison by hash could not clear: where they are.
 */
#ifndef SSOT_SUSPECTS_H
#define SSOT_SUSPECTS_H

/* Locators of the suspected rows of one relation: packed tuple ids, or hashes
 * of keys where the relation has no tuple ids. */
typedef struct SsotSuspects
{
	uint64	   *locators;
	uint64		count;
	uint64		capacity;
} SsotSuspects;

extern void ssot_suspects_add(SsotSuspects *suspects, uint64 locator);

/* The locators as an array of type tid[]. */
extern Datum ssot_suspects_tids(const SsotSuspects *suspects);

/* Put the locators in order; then they can be searched. */
extern void ssot_suspects_sort(SsotSuspects *suspects);
extern bool ssot_suspects_contain(const SsotSuspects *suspects, uint64 locator);

#endif							/* SSOT_SUSPECTS_H */
