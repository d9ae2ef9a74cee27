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

/* The records of a key that more have are not compared by it. */
#define SSOT_MAX_BLOCK		100

/* Fields that a rule may speak of. Those that are derived speak of two at most. */
#define SSOT_RULE_PARTS		4

/*
 * Records that agree on a key of one class, or on a key of each of several classes
 * of different fields, are compared.
 */
typedef struct SsotBlocking
{
	int			nparts;
	int			field[SSOT_RULE_PARTS];
	int			class[SSOT_RULE_PARTS];
	int			nslots;			/* keys per record, at most */
	double		coverage;		/* share of records that have a key */
	double		cost;			/* pairs per record, estimated */
	double		crowded;		/* share of the records whose keys too many
								 * share, estimated */
} SsotBlocking;

/*
 * All rules that the kinds' keys allow, an array (palloc), and their number; then
 * what they cover and cost is measured, of every "step"th from "first" on; then those
 * are left that cost at most "most_cost" pairs per record, or if there are none the
 * cheapest of all. The cheapest come first.
 */
extern int	ssot_rules_possible(const SsotRecords *records, SsotBlocking **rules);
extern void ssot_rules_measure(const SsotRecords *records, SsotBlocking *rules, int n,
							   int first, int step);
extern List *ssot_rules_cheap(SsotBlocking *rules, int n, double most_cost);

/*
 * Rules that somebody gave (nparts, field and class are set), ready for use,
 * whatever they cost; then those of "others" that are none of them.
 */
extern List *ssot_rules_given(const SsotRecords *records, List *given, List *others);

/*
 * After rules of which many records have a key that too many share, finer ones: the
 * same key and one of another field.
 */
extern List *ssot_rules_refine(const SsotRecords *records, List *rules);

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
 * The keys of a record under a rule: hashes other than 0, at most SSOT_RULE_SLOTS,
 * no two alike. Returns their number.
 */
extern int	ssot_rule_keys(const SsotRecords *records, const SsotBlocking *rule, int record,
						   uint32 *keys);

/* A key of the rule that is "number" in its list, told apart from those of others. */
static inline uint64
ssot_rule_key(int number, uint32 key)
{
	return (uint64) (number + 1) << 32 | key;
}

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
