/*
 * identity/arrange.h
 *		The last steps of encoding: order, rarity, keys.
 */
#ifndef SSOT_ARRANGE_H
#define SSOT_ARRANGE_H

#include "identity/share.h"

/*
 * Bring records into the order of their keys' hashes and values into that of
 * the first record that has them; count who has which value.
 */
extern void ssot_records_arrange(SsotRecords *records, const SsotHome *home);

/*
 * Count tokens ("known", if not NULL, tells how frequent they are), let values
 * know how rare theirs are, and give each record its keys. "number" is the
 * field's among all fields. "context" is reset.
 */
extern void ssot_records_spread(SsotRecords *records, int field, int number,
								SsotTokenShares *known, const SsotHome *home,
								MemoryContext context);

#endif							/* SSOT_ARRANGE_H */
