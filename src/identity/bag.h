/*
 * identity/bag.h
 *		The words of long values, of which neither sound nor meaning is looked at:
 *		texts, lists of people.
 */
#ifndef SSOT_BAG_H
#define SSOT_BAG_H

#include "identity/kind.h"

typedef struct SsotBagWord
{
	uint64		hash;
	float		weight;			/* how rare it is */
	uint16		start;			/* of its characters */
	uint16		length;
} SsotBagWord;

/* Tell of each word once. */
extern void ssot_bag_tokens(const SsotBagWord *words, int nwords,
							void (*note) (uint64 token, void *arg), void *arg);

/* Weigh the words by how rare they are; returns the weight of all. */
extern float ssot_bag_weigh(SsotBagWord *words, int nwords, const SsotTokenShares *shares);

/*
 * Add the keys of the "most" (4 at most) rarest words, each alone (class "alone"), and
 * any two in any order (class "two"); not of those that are marked, and marks them.
 */
extern void ssot_bag_keys(const SsotBagWord *words, int nwords, bool *marked, int most,
						  int alone, int two, SsotValueKeys *keys);

#endif							/* SSOT_BAG_H */
