/*
 * identity/prior.c
 *		How many pairs of records are one thing.
 *
 * The drawn pairs tell, by the weights that em.c has learnt so far; and those of them
 * that are two things tell what strangers have in common where they agree.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/learning.h"
#include "identity/shared_keys.h"

#include "miscadmin.h"

#include <math.h>

#define MAX_ROUNDS			20	/* in which the prior settles */
#define SETTLED				1e-9	/* share by which it still changes */
#define MOST_EQUAL			5.0 /* pairs per record, of an only field */
#define MOST_ALIKE			10	/* records of one thing, of an only field */

/*
 * With one comparison there is nothing to learn from: that all who are called alike are
 * one, and that none are, explain what is seen equally well. Who compares one thing means
 * the former, as far as it can tell things apart. So pairs that are equal are counted as
 * one thing, of a frequent value few; and a quarter of the records at least have another
 * of their own. Rarity has its say: that two of a million have a value is much, that a
 * hundred of a thousand have it is little.
 */
void
ssot_learning_only_field(SsotLearning *learning)
{
	SsotModel  *model = learning->model;
	const SsotValues *values = &learning->records->fields[0];
	double		n = learning->records->n;
	double		again = 0;

	if (model->nfields > 1 || model->prior_given || (values->kind->flags & SSOT_KIND_MEASURE) != 0 ||
		learning->equal[0] == 0 || learning->equal[0] > MOST_EQUAL * n)
		return;
	for (int id = 1; id < values->nvalues; id++)
		again += values->count[id] * 0.5 * Min(Max(values->count[id] - 1, 0), MOST_ALIKE);
	learning->alone = Max(again / model->fields[0].m[values->kind->nlevels] *
						  learning->all_pairs / learning->both[0], n / 4);
	model->matches = learning->alone;
	model->prior = Min(learning->alone / Max(learning->possible, 1), 0.5);
}

/*
 * Of the draws that may be one thing and have no weight yet: one over the chances
 * that they had to be drawn. "weights" are those of the patterns that were drawn.
 */
static void
weigh_draws(SsotLearning *learning, const double *weights)
{
	SsotTraining *training = learning->training;
	int		   *draws = SSOT_LARGE(int, training->ndraws);
	int			(*pairs)[2] = ssot_large_alloc(sizeof(int[2]) * Max(training->ndraws, 1), false);
	double		base = ssot_learning_odds(learning->model->prior);
	SsotSharedKeys *keys;
	int			n = 0;

	for (int i = 0; i < training->ndraws; i++)
	{
		const SsotDraw *draw = &training->draws[i];

		if (draw->weight > 0 || base + weights[learning->entries[i]] < -4)
			continue;
		draws[n] = i;
		pairs[n][0] = draw->a;
		pairs[n++][1] = draw->b;
	}
	keys = ssot_shared_keys(training->records, pairs, n, training->rules, training->nrules);
	for (int i = 0; i < n; i++)
	{
		SsotDraw   *draw = &training->draws[draws[i]];
		double		chances = 0;

		for (int r = 0; r < training->nrules; r++)
			if (r == draw->rule || ssot_shared_keys_join(keys, training->rules[r], i))
				chances += training->drawn[r];
		draw->weight = 1 / chances;
	}
	ssot_shared_keys_free(keys);
	ssot_large_free(pairs);
	ssot_large_free(draws);
}

/*
 * How probable the drawn patterns are at most: as they are among the pairs that their
 * rule drew, where that has learnt how strangers look there.
 */
static float *
most_probable(const SsotLearning *learning)
{
	const SsotTraining *training = learning->training;
	float	   *most = SSOT_LARGE(float, learning->ndrawn);
	double		weights[SSOT_MAX_FIELDS][SSOT_LEVELS];
	int			rule = -1;

	for (int i = 0; i < learning->ndrawn; i++)
	{
		const SsotPatternCount *entry = &learning->drawn[i];
		double		weight;

		if (entry->rule != rule)
			ssot_learning_weigh_rule(learning, rule = entry->rule, false, weights);
		weight = ssot_learning_odds(learning->shares[rule]);
		for (int f = 0; f < learning->model->nfields; f++)
			weight += weights[f][ssot_pattern_level(entry->pattern, f)];
		most[i] = ssot_learning_has_name(learning, training->rules[rule]) ? ssot_probability(weight) : 1;
	}
	return most;
}

/*
 * How many pairs are one thing. A drawn pair stands for as many pairs as it had
 * chances to be drawn, upside down (Horvitz and Thompson 1952); each is counted
 * by its probability, which depends on the number looked for: a few rounds
 * settle it. Pairs of one rule and pattern are equally probable.
 */
void
ssot_learning_prior(SsotLearning *learning)
{
	SsotModel  *model = learning->model;
	SsotTraining *training = learning->training;
	double	   *weights = SSOT_LARGE(double, learning->ndrawn);
	double	   *posteriors = SSOT_LARGE(double, learning->ndrawn);
	float	   *most = most_probable(learning);

	for (int i = 0; i < learning->ndrawn; i++)
		weights[i] = ssot_pattern_weight(model, learning->drawn[i].pattern);
	weigh_draws(learning, weights);
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		double		base = ssot_learning_odds(model->prior);
		double		before = model->matches;
		double		matches = 0.5;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < learning->ndrawn; i++)
			posteriors[i] = Min(ssot_probability(base + weights[i]), most[i]);
		for (int i = 0; i < training->ndraws; i++)
			if (training->draws[i].weight != 0)
				matches += training->draws[i].weight * posteriors[learning->entries[i]];
		matches = learning->alone > 0 ? learning->alone : matches;
		model->matches = matches;
		model->prior = Min(matches / Max(learning->possible, 1), 0.5);
		ssot_given_prior(model, training->given_prior, learning->possible);
		if (fabs(matches - before) <= matches * SETTLED)
			break;
	}
	for (int i = 0; i < training->ndraws; i++)
		if (training->draws[i].weight != 0)
			training->draws[i].posterior = posteriors[learning->entries[i]];
	ssot_large_free(most);
	ssot_large_free(posteriors);
	ssot_large_free(weights);
}

/* log2 of the share of records that have what two things agree on by chance. */
void
ssot_learning_references(SsotLearning *learning)
{
	SsotModel  *model = learning->model;
	const SsotRecords *records = learning->records;

	for (int f = 0; f < model->nfields; f++)
	{
		const SsotValues *values = &records->fields[f];
		SsotFieldModel *field = &model->fields[f];
		double		sum[SSOT_LEVELS] = {0};
		double		count[SSOT_LEVELS] = {0};

		if (values->kind->agreement == NULL || values->shares == NULL)
			continue;
		for (int i = 0; i < learning->training->ndraws; i++)
		{
			const SsotDraw *draw = &learning->training->draws[i];
			const SsotBlocking *rule = learning->training->rules[draw->rule];
			int			level = ssot_pattern_level(draw->pattern, f);
			double		other = 1 - draw->posterior;
			uint64		token;

			if (level == 0 || level == field->nlevels || other < 0.5 || f == rule->field[0] ||
				(rule->nparts > 1 && f == rule->field[1]))
				continue;
			token = ssot_kind_agreement(values->kind,
										ssot_value(values, ssot_record(records, draw->a)[f]),
										ssot_value(values, ssot_record(records, draw->b)[f]),
										level);
			if (token == 0)
				continue;
			sum[level] += other * log2(ssot_token_share(values->shares, token));
			count[level] += other;
		}
		for (int l = 1; l < field->nlevels; l++)
			field->reference[l] = count[l] >= 20 ? sum[l] / count[l] : 0;
	}
}
