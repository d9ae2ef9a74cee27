/*
 * identity/match.c
 *		The matching engine as a whole: records in, clusters out.
 *
 *		rules		which keys could bring records together		(rule.c)
 *		draw		pairs to learn from							(training.c)
 *		learn		what agreement is worth						(em.c)
 *		choose		the rules that find most for their cost		(choose.c)
 *		block		bring records together						(block.c)
 *		score		weigh each pair								(score.c)
 *		gather		put records together						(gather.c)
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/match.h"
#include "identity/team_work.h"

#include "miscadmin.h"

#include <math.h>

/* So few records are all compared with each other. */
#define ALL_PAIRS			2000

/* Pairs per record that all rules together, and one alone, may cost. */
#define BUDGET				14.0
#define BUDGET_PAIRS		2000000.0	/* but so many pairs are always all
										 * right */
#define MAX_BUDGET			100.0

static double
log_odds(double probability)
{
	return log2(probability / (1 - probability));
}

/* Learn what agreement is worth and which rules are good. */
static void
learn(SsotMatching *matching, SsotLeveler *leveler, const SsotMatchOptions *options)
{
	int			n = matching->records->n;
	double		budget = Min(Max(BUDGET, BUDGET_PAIRS / Max(n, 1)), MAX_BUDGET);
	SsotBlocking *possible;
	int			npossible = ssot_rules_possible(matching->records, &possible);
	List	   *rules;

	if (!ssot_team_measure(options->team, matching->records, possible, npossible))
		ssot_rules_measure(matching->records, possible, npossible, 0, 1);
	rules = ssot_rules_cheap(possible, npossible, budget / 4);
	matching->training = ssot_training_begin(matching->records, rules);
	if (!ssot_team_draw(options->team, leveler, matching->training))
		ssot_training_draw(leveler, matching->training);
	matching->training->given_prior = options->prior;
	matching->model = ssot_model_learn(leveler, matching->training);
	matching->rules = options->blocking == NIL || options->blocking_adds ?
		ssot_rules_choose(matching->training, rules, budget) : NIL;
	if (options->blocking != NIL)
		matching->rules = ssot_rules_given(matching->records, options->blocking, matching->rules);
	matching->rules = ssot_rules_refine(matching->records, matching->rules);
}

static void
gather(SsotMatching *matching, const SsotMatchOptions *options)
{
	matching->gathering.scorer = matching->scorer;
	matching->gathering.max_size = options->max_cluster;
	matching->gathering.ndecided = options->ndecided;
	matching->gathering.decided = options->decided;
	matching->gathering.same = options->same;
	ssot_gather(&matching->gathering, matching->pairs, matching->npairs, log_odds(options->match));
}

/* Compare what the rules bring together, or all with all. */
static void
compare(SsotMatching *matching, const SsotMatchOptions *options)
{
	const SsotRecords *records = matching->records;
	double		least = log_odds(Min(options->review, options->match));
	SsotPairList list;

	ssot_large_trim();			/* arrays as large as the last ones will not
								 * come */
	if (records->n > ALL_PAIRS || options->stored != NULL || options->blocking != NIL)
	{
		matching->blocks = ssot_blocks_begin(records, matching->rules);
		matching->blocks->passed = options->passed;
		matching->blocks->npassed = options->npassed;
		if (!ssot_team_build(options->team, matching->blocks))
			ssot_blocks_build(matching->blocks);
		if (ssot_team_walk(options->team, matching->blocks, matching->scorer, least,
						   &matching->pairs, &matching->npairs, &matching->compared))
			return;
	}
	ssot_pair_list_init(&list, matching->scorer, least);
	if (matching->blocks == NULL)
		ssot_blocks_walk_all(records, ssot_pair_list_score, &list);
	else
		for (int i = 0; i < matching->blocks->nrules; i++)
			ssot_blocks_walk(matching->blocks, i, 0, matching->blocks->rules[i].n,
							 ssot_pair_list_score, &list);
	ssot_pair_list_end(&list);
	matching->pairs = list.pairs;
	matching->npairs = list.n;
	matching->compared = list.compared;
}

SsotMatching *
ssot_match_records(SsotRecords *records, const SsotMatchOptions *options)
{
	SsotMatching *matching = palloc0(sizeof(SsotMatching));
	SsotLeveler *leveler = ssot_leveler_create(records);

	matching->records = records;
	if (options->stored == NULL)
		learn(matching, leveler, options);
	else
	{
		matching->model = &options->stored->model;
		matching->rules = options->stored->rules;
	}
	ssot_records_trim(records, matching->rules);
	matching->scorer = ssot_scorer_create(leveler, matching->model, options->stored);
	compare(matching, options);
	if (options->team != NULL)
		ssot_team_end(options->team);
	gather(matching, options);
	return matching;
}
