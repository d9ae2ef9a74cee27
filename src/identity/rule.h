/*
 * identity/rule.h
 *		Blocking rules: under which keys records are brought together.
 */
#ifndef SSOT_RULE_H
#define SSOT_RULE_H

#include "identity/encode.h"

#include "nodes/pg_list.h"

/* Keys that one record may have under one rule. */
#define SSOT_RULE_SLOTS		4

/* Fields that a rule may speak of. Those that are derived speak of two at most. */
#define SSOT_RULE_PARTS		4

/*
 * Records that agree on a key of one class, or on a key of each of several classes
 * of different fields, are compared. A rule on a sorted class compares neighbours.
 */
typedef struct SsotBlocking
{
	int			nparts;
	int			field[SSOT_RULE_PARTS];
	int			class[SSOT_RULE_PARTS];
	bool		sorted;
	int			nslots;			/* keys per record, at most */
	double		coverage;		/* share of records that have a key */
	double		cost;			/* pairs per record, estimated */
} SsotBlocking;

/* All rules that the kinds' keys allow and that cost at most "most_cost" pairs
 * per record; the cheapest first. */
extern List *ssot_rules_derive(const SsotRecords *records, double most_cost);

/*
 * Rules that somebody gave (nparts, field, class and sorted are set), ready for use,
 * whatever they cost; then those of "others" that are none of them.
 */
extern List *ssot_rules_given(const SsotRecords *records, List *given, List *others);

/* Does a rule speak of the field? */
static inline bool
ssot_rule_has_field(const SsotBlocking *rule, int field)
{
	for (int p = 0; p < rule->nparts; p++)
		if (rule->field[p] == field)
			return true;
	return false;
}

/*
 * The keys of a record under a rule that is not sorted: hashes other than 0, at
 * most SSOT_RULE_SLOTS, no two alike. Returns their number.
 */
extern int	ssot_rule_keys(const SsotRecords *records, const SsotBlocking *rule, int record,
						   uint32 *keys);

/* How many that may be, whichever record. */
extern int	ssot_rule_width(const SsotRecords *records, const SsotBlocking *rule);

/*
 * The same for records "first" to first + n - 1: "width" keys of each, 0 where there
 * are fewer.
 */
extern void ssot_rule_keys_of(const SsotRecords *records, const SsotBlocking *rule, int first, int n,
							  int width, uint32 *keys);

/* Do the records share a key of the rule? */
extern bool ssot_rule_joins(const SsotRecords *records, const SsotBlocking *rule, int a, int b);

/* "surname sound + year", for reports. */
extern char *ssot_blocking_name(const SsotRecords *records, const SsotBlocking *rule);

#endif							/* SSOT_RULE_H */
