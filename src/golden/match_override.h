/*
 * golden/match_override.h
 *		What is said about matching instead of being derived or learnt: levels,
 *		weights, blocking rules.
 */
#ifndef SSOT_MATCH_OVERRIDE_H
#define SSOT_MATCH_OVERRIDE_H

#include "identity/rule.h"
#include "utils/jsonb.h"

/* So many rules may be said. */
#define SSOT_MAX_GIVEN_RULES	32

/*
 * The kind of a comparison with the levels and weights that are declared for it:
 *
 *		"levels": ["one digit off", "within a year"]	or	[0.95, 0.9]
 *		"weights": {"equal": 9, "different": {"m": 0.02, "u": 0.99}}
 *
 * Either may be NULL. Errors name the comparison, and list what there is.
 */
extern const SsotKind *ssot_kind_declared(const char *comparison, const char *kind,
										  const JsonbValue *levels, const JsonbValue *weights);

/*
 * Blocking rules from [["email"], ["name:rare word", "postcode"], "+"]: a List of
 * SsotBlocking, without what has to be measured; *adds: the derived rules are used
 * too ("+"). NULL or an empty list: NIL.
 */
extern List *ssot_blocking_declared(Jsonb *blocking, int ncompared, const char *const *names,
									const SsotKind *const *kinds, bool *adds);

/* A prior that may be given: 0 (none) to less than 1; else an error. */
extern double ssot_prior_declared(double prior);

#endif							/* SSOT_MATCH_OVERRIDE_H */
