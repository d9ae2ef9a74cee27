/*
 * identity/block.h
 *		Bringing records together: which pairs are compared.
 */
#ifndef SSOT_BLOCK_H
#define SSOT_BLOCK_H

#include "identity/model.h"

#define SSOT_BEGINS_BLOCK	0x80000000u

/* The records of one rule, block by block. */
typedef struct SsotRuleBlocks
{
	const SsotBlocking *rule;
	int			first_slot;		/* in the table of keys */
	int			nslots;
	int64		n;
	uint32	   *records;		/* with SSOT_BEGINS_BLOCK where a block begins */
	uint32	   *hashes;			/* their keys; NULL where a record has but one */
	int			oversized;		/* blocks too large to be compared */
	int64		oversized_records;
	int64		pairs;			/* that were compared, and that no earlier
								 * rule had given */
} SsotRuleBlocks;

typedef struct SsotBlocks
{
	const SsotRecords *records;
	int			nrules;
	SsotRuleBlocks *rules;
	int			nslots;
	int			most_slots;		/* of one rule */
	uint32	   *keys;			/* [n][nslots]; 0: none. NULL: not filled yet,
								 * and nobody has said where */
	const uint64 *passed;		/* keys as ssot_stored_keys has them, rising,
								 * that too many records have of whom some are
								 * not here */
	int			npassed;
} SsotBlocks;

/* Choose among the rules those that find most for their cost. */
extern List *ssot_rules_choose(const SsotTraining *training, List *rules, double budget);

/* Drop the keys that these rules do not use. */
extern void ssot_records_trim(SsotRecords *records, List *rules);

/*
 * Blocks of these rules, empty; then all there is to build, or its parts: the
 * table of keys; the records of each rule, in any order of rules and by any
 * process; and taking keys of oversized blocks out of the table.
 */
extern SsotBlocks *ssot_blocks_begin(const SsotRecords *records, List *rules);
extern void ssot_blocks_build(SsotBlocks *blocks);
extern void ssot_blocks_fill(SsotBlocks *blocks);
extern void ssot_blocks_settle(SsotBlocks *blocks);

/* Sort the records of rules, of which "rule" and "nslots" are set. */
typedef struct SsotRuleSorter SsotRuleSorter;

extern SsotRuleSorter *ssot_rule_sorter_create(const SsotRecords *records, int most_slots);
extern void ssot_rule_sort(SsotRuleSorter *sorter, SsotRuleBlocks *rule);
extern void ssot_rule_sorter_free(SsotRuleSorter *sorter);

/* Called with each pair, a < b, once per pair. */
typedef void (*SsotPairCallback) (int a, int b, void *arg);

/*
 * The pairs of a rule whose first record is among the entries first to last - 1
 * of its blocks; a block belongs to where it begins.
 */
extern void ssot_blocks_walk(SsotBlocks *blocks, int rule, int64 first, int64 last,
							 SsotPairCallback callback, void *arg);

/* All pairs, where there are few records. */
extern void ssot_blocks_walk_all(const SsotRecords *records, SsotPairCallback callback, void *arg);

#endif							/* SSOT_BLOCK_H */
