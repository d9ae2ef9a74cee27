/*
 * identity/choose.c
 *		Which blocking rules are used: those that find most for their cost.
 *
 * The pairs that were drawn for learning, and that turned out to be probably one
 * thing, show which rules would have found them. Greedily, the rule is taken that
 * finds most of what is not found yet per pair that it costs, until no rule finds
 * enough for its cost or the budget is spent (Bilenko, Kamath and Mooney,
 * "Adaptive blocking", ICDM 2006, without labels).
 *
 * Records are sorted by a rule in a fraction of the time that comparing takes, so
 * several narrow rules are mostly better than a broad one: a name together with a
 * town, a street or a year brings nearly all that the name alone does, without its
 * namesakes.
 *
 * Those pairs were found by rules, so they are easier than those that no rule
 * has found yet. To make up for it, in each of them some fields, chosen by a
 * hash, are taken to be illegible, and a rule that needs them does not find it.
 * Where few fields are compared that would leave nothing to choose by, since the
 * pairs that are known agree in all of them. There keys are taken to be illegible
 * instead, each by itself, as slips spoil some keys of a value and leave others.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/block.h"
#include "identity/large.h"
#include "identity/shared_keys.h"

#include "miscadmin.h"

#define MAX_CHOSEN		24
#define PROBABLE		4000	/* pairs that are looked at */
#define FIXED_COST		0.05	/* of a rule, in pairs per record: sorting */
#define COMMON_BUDGET	14.0	/* a larger one means few records, whose pairs
								 * cost little */
#define BLOTTED			0.4		/* share of the fields that are made illegible */
#define MIN_YIELD		0.006	/* share of all that is to be found that a
								 * pair per record must bring */
#define MIN_GAIN		0.001	/* that share of a rule: what the sample can
								 * tell */
#define FALLBACK		10		/* rules, where nothing probable was drawn */
#define AMPLE			50.0	/* budget from which on a rule may bring less */
#define FEW_FIELDS		3		/* so few: keys are made illegible instead */
#define FEW_BUDGET		12.0
#define COUNT_OF_FEW	4.0		/* and they have few combinations */

static bool
is_probable(const SsotDraw *draw)
{
	return draw->weight > 0 && draw->posterior >= 0.5;
}

/* Nothing probable was drawn: the cheap rules, and see. */
static List *
cheapest(List *rules, double budget)
{
	List	   *chosen = NIL;
	ListCell   *cell;

	foreach(cell, rules)
	{
		const SsotBlocking *rule = lfirst(cell);

		if (rule->cost > budget || list_length(chosen) == FALLBACK)
			continue;
		budget -= rule->cost;
		chosen = lappend(chosen, lfirst(cell));
	}
	if (chosen == NIL && rules != NIL)
		chosen = list_make1(linitial(rules));	/* dear as it is */
	return chosen;
}

/* May the rule see all that it needs of this pair? */
static bool
is_legible(const SsotTraining *training, const SsotDraw *draw, const SsotBlocking *rule)
{
	uint64		pair = training->records->key_hash[draw->a] ^ ssot_mix(training->records->key_hash[draw->b]);
	bool		few = training->records->nfields <= FEW_FIELDS;

	for (int p = 0; p < rule->nparts; p++)
	{
		uint64		what = rule->field[p] + 1;

		if (few)
			what = what * 1000 + rule->class[p];
		if ((ssot_mix(pair + what) & 0xFFFF) < BLOTTED * 0x10000)
			return false;
	}
	return true;
}

/* [nrules][nprobable]: which rule finds which pair? */
static bool *
who_finds(const SsotTraining *training, List *rules, const SsotDraw **probable, int nprobable)
{
	int			nrules = list_length(rules);
	bool	   *joins = SSOT_LARGE0(bool, (Size) nrules * nprobable);
	const SsotBlocking **all = palloc(sizeof(SsotBlocking *) * Max(nrules, 1));
	int			(*pairs)[2] = palloc(sizeof(int[2]) * PROBABLE);
	SsotSharedKeys *keys;

	for (int r = 0; r < nrules; r++)
		all[r] = list_nth(rules, r);
	for (int i = 0; i < nprobable; i++)
	{
		pairs[i][0] = probable[i]->a;
		pairs[i][1] = probable[i]->b;
	}
	keys = ssot_shared_keys(training->records, pairs, nprobable, all, nrules);
	for (int r = 0; r < nrules; r++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < nprobable; i++)
			joins[(Size) r * nprobable + i] = ssot_shared_keys_join(keys, all[r], i) &&
				is_legible(training, probable[i], all[r]);
	}
	ssot_shared_keys_free(keys);
	pfree(pairs);
	return joins;
}

/* Keep the numbers of those that are not found. */
static int
leave(int *open, int nopen, const bool *is_found)
{
	int			left = 0;

	for (int i = 0; i < nopen; i++)
		if (!is_found[open[i]])
			open[left++] = open[i];
	return left;
}

List *
ssot_rules_choose(const SsotTraining *training, List *rules, double budget)
{
	const SsotDraw **probable = palloc(sizeof(SsotDraw *) * PROBABLE);
	int			nprobable = 0;
	int			found = 0;
	int			step;
	int			nrules = list_length(rules);
	bool	   *joins;
	double	   *left = palloc(sizeof(double) * PROBABLE);
	int		   *open = palloc(sizeof(int) * PROBABLE);	/* not found yet */
	int			nopen = 0;
	double		total = 0;
	double		least;
	List	   *chosen = NIL;
	bool	   *used = palloc0(sizeof(bool) * (nrules + 1));
	double		few = Max(budget / COMMON_BUDGET,
						  training->records->nfields <= FEW_FIELDS ? COUNT_OF_FEW : 1);

	for (int i = 0; i < training->ndraws; i++)
		found += is_probable(&training->draws[i]);
	step = found / PROBABLE + 1;
	found = 0;
	for (int i = 0; i < training->ndraws && nprobable < PROBABLE; i++)
		if (is_probable(&training->draws[i]) && found++ % step == 0)
		{
			left[nprobable] = training->draws[i].weight * training->draws[i].posterior;
			total += left[nprobable];
			open[nopen++] = nprobable;
			probable[nprobable++] = &training->draws[i];
		}
	joins = who_finds(training, rules, probable, nprobable);
	least = MIN_GAIN * total * Min(1, AMPLE / budget);
	if (training->records->nfields <= FEW_FIELDS)
		budget = Min(budget, FEW_BUDGET);

	while (list_length(chosen) < MAX_CHOSEN)
	{
		double		best_value = 0;
		double		best_gain = 0;
		int			best = -1;

		for (int r = 0; r < nrules; r++)
		{
			const SsotBlocking *rule = list_nth(rules, r);
			double		gain = 0;

			if (used[r] || rule->cost > budget)
				continue;
			for (int i = 0; i < nopen; i++)
				if (joins[(Size) r * nprobable + open[i]])
					gain += left[open[i]];
			if (gain / (rule->cost / (few * few) + FIXED_COST) > best_value)
			{
				best_value = gain / (rule->cost / (few * few) + FIXED_COST);
				best_gain = gain;
				best = r;
			}
		}
		if (best < 0 || best_gain < least || best_value < MIN_YIELD * total)
			break;
		used[best] = true;
		budget -= ((const SsotBlocking *) list_nth(rules, best))->cost;
		chosen = lappend(chosen, list_nth(rules, best));
		nopen = leave(open, nopen, joins + (Size) best * nprobable);
	}
	return chosen == NIL ? cheapest(rules, budget) : chosen;
}
