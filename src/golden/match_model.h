/*
 * golden/match_model.h
 *		The matching engine as linking needs it: units by their texts.
 */
#ifndef SSOT_MATCH_MODEL_H
#define SSOT_MATCH_MODEL_H

#include "entity/matching.h"
#include "golden/match_labels.h"
#include "identity/match.h"

/* A key that more units have brings none of them together. */
#define SSOT_LOOKUP_BLOCK	SSOT_MAX_BLOCK

/* A unit has no more keys. */
#define SSOT_MATCH_KEYS		SSOT_RECORD_KEYS

/* Units, encoded and ready to be weighed under a model. */
typedef struct SsotMatchSet SsotMatchSet;

/* A pair of units that a person might look at. */
typedef struct SsotMatchPair
{
	int			a;				/* number of the unit as it was given */
	int			b;
	double		weight;
} SsotMatchPair;

typedef struct SsotMatchOutcome
{
	int		   *cluster;		/* by unit: the smallest unit of its cluster */
	int64		npairs;
	SsotMatchPair *pairs;		/* of at least the review probability */
	bytea	   *learnt;			/* the model, if none was given */
	SsotMatchSet *set;
	const SsotMatching *matching;	/* of the engine, as long as the set lives */
} SsotMatchOutcome;

/*
 * The kinds of the comparisons with their levels, made once for the rules; errors as
 * ssot_kind_declared. And the blocking rules that were given, NIL if none, with
 * *adds as ssot_blocking_declared.
 */
extern const SsotKind *const *ssot_match_kinds_of(const SsotMatchRules *rules);
extern List *ssot_match_blocking_of(const SsotMatchRules *rules, bool *adds);

/* log2 of the odds of a probability. */
extern double ssot_log_odds(double probability);

/*
 * The model in force. It is read once per session: a model never changes. Lives as
 * long as the session.
 */
extern SsotStoredModel *ssot_match_stored(const SsotEntity *entity, const SsotMatchRules *rules);

/*
 * Encode n units: texts[n][ncompared], NULL where missing; a hash by which they
 * are ordered (NULL: in the given order); the systems whose records they have
 * (NULL: does not matter).
 */
extern SsotMatchSet *ssot_match_set(const SsotMatchRules *rules, SsotStoredModel *model, int n,
									char *const *texts, const uint64 *hashes,
									const uint64 *systems);
extern void ssot_match_set_free(SsotMatchSet *set);

/* The blocking keys of a unit; at most SSOT_MATCH_KEYS. */
extern int	ssot_match_keys(SsotMatchSet *set, int unit, int64 *keys);

/* The blocking keys of one unit that is not in a set, by its texts. */
extern int	ssot_match_keys_of(const SsotMatchRules *rules, SsotStoredModel *model,
							   char *const *texts, int64 *keys);

/* log2 of the odds that two units are one thing, prior included. */
extern double ssot_match_weight(SsotMatchSet *set, int a, int b);

/* The binary logarithm of the prior odds. */
extern double ssot_match_prior(const SsotMatchSet *set);

/* What one comparison adds to the weight of a pair, and the name of its level. */
extern double ssot_match_field(SsotMatchSet *set, int compared, int a, int b, const char **level);

/*
 * What is taken off because the comparisons of a tie say the same to strangers: 0 or
 * less; sets the comparisons' numbers. Ties are numbered from 0; false: no more.
 */
extern bool ssot_match_tie(const SsotMatchSet *set, int tie, int a, int b, int *f, int *g, double *weight);

/* How well each comparison agrees, as {"name": "level"}: a jsonb. */
extern Datum ssot_match_levels(SsotMatchSet *set, int a, int b);

/*
 * Learn a model from the units, and hear the labels, if there are some (NULL: none).
 * It lives in the current memory context once it is read.
 */
extern bytea *ssot_match_learn(const SsotMatchRules *rules, int n, char *const *texts,
							   const uint64 *hashes, const uint64 *systems,
							   const SsotMatchLabels *labels);
extern SsotStoredModel *ssot_match_model_read(const SsotMatchRules *rules, bytea *bytes);

/*
 * Match all units with each other, and learn a model first if there is none
 * (NULL). "apart" are pairs of units that a person said are different. "passed" are
 * keys, rising, that too many units have, counting those that are not given.
 */
extern SsotMatchOutcome *ssot_match_units(const SsotMatchRules *rules, SsotStoredModel *model,
										  int n, char *const *texts, const uint64 *hashes,
										  const uint64 *systems, int napart, const int (*apart)[2],
										  int npassed, const uint64 *passed);
extern void ssot_match_outcome_free(SsotMatchOutcome *outcome);

/* Say in NOTICEs what was not done in full: values cut, keys that too many records
 * share, clusters that would have been too large. */
extern void ssot_matching_report(const SsotMatching *matching, int max_cluster);

/* texts text[] of customer_match, there and back; a missing one is NULL. */
extern char **ssot_match_texts(Datum array, int ncompared);
extern Datum ssot_match_texts_array(char *const *texts, int ncompared);

#endif							/* SSOT_MATCH_MODEL_H */
