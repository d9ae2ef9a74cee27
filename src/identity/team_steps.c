/*
 * identity/team_steps.c
 *		Matching with the help of parallel workers: what they do together.
 *
 * After encoding all members see all records (share.c). Rules are measured and the
 * pairs to learn from are drawn by all, each has rules whose records it sorts, and
 * the blocks are walked in parts. The leader does its own part and then takes what
 * the others made.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/team.h"
#include "identity/team_work.h"

#include "miscadmin.h"

/* ---- measuring ----------------------------------------------------------------- */

bool
ssot_team_measure(SsotTeam *team, const SsotRecords *records, SsotBlocking *rules, int n)
{
	int			nmembers;

	if (team == NULL || team->nworkers == 0)
		return false;
	nmembers = team->nworkers + 1;
	for (int i = 0; i < team->nworkers; i++)
	{
		ssot_team_tell(team->to[i], SSOT_TEAM_MEASURE);
		ssot_queue_put(team->to[i], &nmembers, sizeof(int));
		ssot_queue_put(team->to[i], &n, sizeof(int));
		ssot_queue_put(team->to[i], rules, sizeof(SsotBlocking) * n);
	}
	ssot_rules_measure(records, rules, n, 0, nmembers);
	for (int m = 1; m < nmembers; m++)
		for (int i = m; i < n; i += nmembers)
			ssot_queue_take(team->from[m - 1], &rules[i], sizeof(SsotBlocking));
	return true;
}

/* ---- drawing ------------------------------------------------------------------ */

/* The draws of all members in the order of rules; each member's are in it. */
static void
put_in_order(SsotTraining *training, int nmembers, SsotDraw **draws, const int *ndraws)
{
	int		   *next = palloc0(sizeof(int) * nmembers);
	int			n = 0;

	for (int m = 0; m < nmembers; m++)
		n += ndraws[m];
	training->draws = SSOT_LARGE(SsotDraw, n);
	training->capacity = Max(n, 1);
	training->ndraws = 0;
	for (int r = 0; r < training->nrules; r++)
	{
		int			m = r % nmembers;

		while (next[m] < ndraws[m] && draws[m][next[m]].rule == r)
			training->draws[training->ndraws++] = draws[m][next[m]++];
	}
	Assert(training->ndraws == n);
	for (int m = 0; m < nmembers; m++)
		if (draws[m] != NULL)
			ssot_large_free(draws[m]);
}

bool
ssot_team_draw(SsotTeam *team, SsotLeveler *leveler, SsotTraining *training)
{
	SsotTeamDrawing drawing = {.nrules = training->nrules,.nrandom = training->nrandom};
	SsotDraw  **draws;
	int		   *ndraws;

	if (team == NULL || team->nworkers == 0)
		return false;
	drawing.nmembers = team->nworkers + 1;
	for (int r = 0; r < training->nrules; r++)
	{
		drawing.rules[r] = *training->rules[r];
		drawing.drawn[r] = training->drawn[r];
	}
	for (int i = 0; i < team->nworkers; i++)
	{
		ssot_team_tell(team->to[i], SSOT_TEAM_DRAW);
		ssot_queue_put(team->to[i], &drawing, sizeof(drawing));
	}
	ssot_team_draw_rules(leveler, training, 0, drawing.nmembers);
	ssot_training_draw_random(leveler, 0, ssot_first_random(&drawing, 1), training->random);

	draws = palloc0(sizeof(SsotDraw *) * drawing.nmembers);
	ndraws = palloc0(sizeof(int) * drawing.nmembers);
	draws[0] = training->draws;
	ndraws[0] = training->ndraws;
	for (int m = 1; m < drawing.nmembers; m++)
	{
		shm_mq_handle *from = team->from[m - 1];
		int64		first = ssot_first_random(&drawing, m);

		ssot_queue_take(from, &ndraws[m], sizeof(int));
		draws[m] = SSOT_LARGE(SsotDraw, ndraws[m]);
		ssot_queue_take(from, draws[m], sizeof(SsotDraw) * ndraws[m]);
		ssot_queue_take(from, training->random + first,
						sizeof(SsotPattern) * (ssot_first_random(&drawing, m + 1) - first));
	}
	put_in_order(training, drawing.nmembers, draws, ndraws);
	return true;
}

/* ---- blocks ------------------------------------------------------------------- */

/* What filling the table costs the leader, in rules to sort. */
#define COST_OF_FILLING	4

static void
divide_rules(const SsotTeam *team, const SsotBlocks *blocks, SsotTeamRule *rules)
{
	int		   *load = palloc0(sizeof(int) * (team->nworkers + 1));

	load[0] = COST_OF_FILLING;
	for (int r = 0; r < blocks->nrules; r++)
	{
		int			idlest = team->nworkers;

		for (int m = 0; m < team->nworkers; m++)
			if (load[m] < load[idlest])
				idlest = m;
		rules[r] = (SsotTeamRule)
		{
			*blocks->rules[r].rule, blocks->rules[r].nslots, idlest
		};
		load[idlest] += Max(blocks->rules[r].nslots, 1);
	}
}

static void
take_sorted(shm_mq_handle *from, SsotRuleBlocks *rule)
{
	ssot_queue_take(from, &rule->n, sizeof(int64));
	rule->records = SSOT_LARGE(uint32, rule->n);
	ssot_queue_take(from, rule->records, sizeof(uint32) * rule->n);
	if (rule->nslots < 2)
		return;
	rule->hashes = SSOT_LARGE(uint32, rule->n);
	ssot_queue_take(from, rule->hashes, sizeof(uint32) * rule->n);
}

bool
ssot_team_build(SsotTeam *team, SsotBlocks *blocks)
{
	SsotTeamRule *rules;
	SsotRuleSorter *sorter;

	if (team == NULL || team->nworkers == 0 || blocks->nrules == 0)
		return false;
	rules = palloc(sizeof(SsotTeamRule) * blocks->nrules);
	divide_rules(team, blocks, rules);
	for (int i = 0; i < team->nworkers; i++)
	{
		ssot_team_tell(team->to[i], SSOT_TEAM_SORT);
		ssot_queue_put(team->to[i], &blocks->nrules, sizeof(int));
		ssot_queue_put(team->to[i], rules, sizeof(SsotTeamRule) * blocks->nrules);
	}
	ssot_walk_share_keys(&team->segments, blocks, &team->keys);
	ssot_blocks_fill(blocks);
	sorter = ssot_rule_sorter_create(blocks->records, blocks->most_slots);
	for (int r = 0; r < blocks->nrules; r++)
		if (rules[r].member == 0)
			ssot_rule_sort(sorter, &blocks->rules[r]);
	ssot_rule_sorter_free(sorter);
	for (int i = 0; i < team->nworkers; i++)
		for (int r = 0; r < blocks->nrules; r++)
			if (rules[r].member == i + 1)
				take_sorted(team->from[i], &blocks->rules[r]);
	ssot_blocks_settle(blocks);
	return true;
}

/* ---- walking -------------------------------------------------------------------- */

static void
take_pairs(SsotTeam *team, int worker, SsotBlocks *blocks, SsotPairList *list)
{
	SsotTeamFound found;

	ssot_queue_take(team->from[worker], &found, sizeof(found));
	for (int i = 0; i < blocks->nrules; i++)
	{
		int64		given;

		ssot_queue_take(team->from[worker], &given, sizeof(given));
		blocks->rules[i].pairs += given;
	}
	list->compared += found.compared;
	SSOT_ENLARGE(list->pairs, SsotScoredPair, list->n + found.npairs + 1);
	ssot_queue_take(team->from[worker], list->pairs + list->n, sizeof(SsotScoredPair) * found.npairs);
	list->n += found.npairs;
}

bool
ssot_team_walk(SsotTeam *team, SsotBlocks *blocks, SsotScorer *scorer, double least,
			   SsotScoredPair **pairs, int64 *npairs, int64 *compared)
{
	SsotPairList list;
	SsotSharedWalk *walk;
	SsotTeamMessage message = {.call = SSOT_TEAM_WALK};

	if (team == NULL || team->nworkers == 0 || blocks->nrules == 0)
		return false;
	walk = ssot_walk_share(&team->segments, blocks, &team->keys, scorer, least, &message.walk);
	for (int i = 0; i < team->nworkers; i++)
		ssot_queue_put(team->to[i], &message, sizeof(message));
	ssot_pair_list_init(&list, scorer, least);
	ssot_team_walk_parts(walk, blocks, &list);
	for (int i = 0; i < team->nworkers; i++)
		take_pairs(team, i, blocks, &list);
	*pairs = list.pairs;
	*npairs = list.n;
	*compared = list.compared;
	return true;
}
