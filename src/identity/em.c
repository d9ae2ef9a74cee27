/*
 * identity/em.c
 *		Learning the model without labels: expectation maximization.
 *
 * u, how two things agree by chance, comes from random pairs, and for equal
 * values from counting: a value that c of n records have is shared by c (c - 1)
 * of the n (n - 1) ordered pairs. Both contain the pairs that are one thing, in
 * a small set noticeably; so their expected part is taken off again.
 *
 * m, how records of one thing agree, comes from EM over the pairs that the rules
 * drew. All rules share one m; each has its own share of matches among its
 * pairs; and a rule says nothing about the fields that it is made of, in which
 * its pairs agree because they were chosen so (Winkler, "Using the EM algorithm
 * for weight computation in the Fellegi-Sunter model of record linkage", 1988;
 * the idea of several passes is that of Splink).
 *
 * Patterns are counted first: an iteration costs time by the number of different
 * patterns, not of pairs. A field's shares begin as, and are pulled to, those
 * that its kind expects, as if PRIOR_PAIRS pairs had been seen: a small set
 * cannot run away, a large one hardly notices.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/model.h"
#include "identity/shared_keys.h"

#include "miscadmin.h"

#include <math.h>

#define PRIOR_PAIRS			20.0
#define MAX_ITERATIONS		100
#define MAX_ROUNDS			20	/* in which the prior settles */
#define SETTLED				1e-9	/* share by which it still changes */
#define MAX_WEIGHT			24.0
#define MIN_SHARE			1e-7

/* A pattern, how often each rule drew it, for one rule. */
typedef struct PatternCount
{
	SsotPattern pattern;
	int			rule;			/* -1: random pairs */
	double		count;
} PatternCount;

static int
compare_patterns(const void *a, const void *b)
{
	const PatternCount *x = a;
	const PatternCount *y = b;

	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return x->pattern < y->pattern ? -1 : x->pattern > y->pattern ? 1 : 0;
}

/* Sort and add up. */
static int
fold(PatternCount *counts, int64 n)
{
	int			out = 0;

	qsort(counts, n, sizeof(PatternCount), compare_patterns);
	for (int64 i = 0; i < n; i++)
		if (out > 0 && compare_patterns(&counts[out - 1], &counts[i]) == 0)
			counts[out - 1].count += counts[i].count;
		else
			counts[out++] = counts[i];
	return out;
}

typedef struct Learning
{
	const SsotRecords *records;
	SsotTraining *training;
	SsotModel  *model;
	PatternCount *drawn;
	int			ndrawn;
	PatternCount *random;
	int			nrandom;
	double	   *shares;			/* per rule: of matches among its pairs */
	double		all_pairs;
	double		equal[SSOT_MAX_FIELDS]; /* pairs with equal values */
	double		both[SSOT_MAX_FIELDS];	/* pairs that have both values */
} Learning;

/* ---- u ------------------------------------------------------------------- */

static void
count_random(Learning *learning)
{
	const SsotTraining *training = learning->training;

	learning->random = SSOT_LARGE(PatternCount, training->nrandom);
	for (int64 i = 0; i < training->nrandom; i++)
		learning->random[i] = (PatternCount)
	{
		training->random[i], -1, 1
	};
	learning->nrandom = fold(learning->random, training->nrandom);
}

static void
count_equal(Learning *learning)
{
	for (int f = 0; f < learning->records->nfields; f++)
	{
		const SsotValues *values = &learning->records->fields[f];
		double		have = learning->records->n - values->count[0];

		learning->both[f] = have * (have - 1) / 2;
		for (int id = 1; id < values->nvalues; id++)
			learning->equal[f] += (double) values->count[id] * (values->count[id] - 1) / 2;
	}
}

/* The weight of a pattern, without the fields of a rule. */
static double
pattern_weight(const SsotModel *model, SsotPattern pattern, const SsotBlocking *without)
{
	double		weight = 0;

	for (int f = 0; f < model->nfields; f++)
		if (without == NULL || (f != without->field[0] &&
								(without->nparts < 2 || f != without->field[1])))
			weight += model->fields[f].weight[ssot_pattern_level(pattern, f)];
	return weight;
}

static double
log_odds(double probability)
{
	return log2(probability / (1 - probability));
}

/* u from the random pairs, those that are probably one thing left out. */
static void
learn_u(Learning *learning)
{
	SsotModel  *model = learning->model;
	double		counts[SSOT_MAX_FIELDS][SSOT_LEVELS] = {{0}};

	for (int i = 0; i < learning->nrandom; i++)
	{
		const PatternCount *entry = &learning->random[i];
		double		other = entry->count *
		(1 - ssot_probability(log_odds(model->prior) + pattern_weight(model, entry->pattern, NULL)));

		for (int f = 0; f < model->nfields; f++)
			counts[f][ssot_pattern_level(entry->pattern, f)] += other;
	}
	for (int f = 0; f < model->nfields; f++)
	{
		SsotFieldModel *field = &model->fields[f];
		int			top = field->nlevels;
		double		have = learning->both[f] / Max(learning->all_pairs, 1);
		double		equal = learning->equal[f] - model->matches * have * field->m[top];
		double		total = 0;

		if (learning->training->complete)
			equal = counts[f][top];
		equal = Max(equal, 0.02 * learning->equal[f]);
		field->u[top] = Max(equal, 1) / Max(learning->both[f], 2);
		for (int l = 1; l < top; l++)
			total += counts[f][l] + 0.5 / top;
		for (int l = 1; l < top; l++)
			field->u[l] = (counts[f][l] + 0.5 / top) / total * (1 - field->u[top]);
		for (int l = 1; l <= top; l++)
			field->u[l] = Max(field->u[l], MIN_SHARE);
	}
}

/* ---- m ------------------------------------------------------------------- */

/* Where all pairs are at hand they replace those that rules chose. */
static void
count_all(Learning *learning, double counts[SSOT_MAX_FIELDS][SSOT_LEVELS])
{
	SsotModel  *model = learning->model;
	double		base = log_odds(model->prior);

	memset(counts, 0, sizeof(double) * SSOT_MAX_FIELDS * SSOT_LEVELS);
	for (int i = 0; i < learning->nrandom; i++)
	{
		const PatternCount *entry = &learning->random[i];
		double		same = entry->count *
		ssot_probability(base + pattern_weight(model, entry->pattern, NULL));

		for (int f = 0; f < model->nfields; f++)
			counts[f][ssot_pattern_level(entry->pattern, f)] += same;
	}
}

/* One iteration; returns by how much the shares of matches changed at most. */
static double
learn_m(Learning *learning, bool with_all)
{
	SsotModel  *model = learning->model;
	double		counts[SSOT_MAX_FIELDS][SSOT_LEVELS] = {{0}};
	double		change = 0;
	int			i = 0;

	for (int r = 0; r < learning->training->nrules; r++)
	{
		const SsotBlocking *rule = learning->training->rules[r];
		double		base = log_odds(learning->shares[r]);
		double		matches = 0;
		double		pairs = 0;
		double		share;

		for (; i < learning->ndrawn && learning->drawn[i].rule == r; i++)
		{
			const PatternCount *entry = &learning->drawn[i];
			double		same = entry->count *
			ssot_probability(base + pattern_weight(model, entry->pattern, rule));

			matches += same;
			pairs += entry->count;
			for (int f = 0; f < model->nfields; f++)
				if (f != rule->field[0] && (rule->nparts < 2 || f != rule->field[1]))
					counts[f][ssot_pattern_level(entry->pattern, f)] += same;
		}
		share = (matches + 0.5) / (pairs + 1);
		share = Min(Max(share, 1e-4), 0.9999);
		change = Max(change, fabs(share - learning->shares[r]));
		learning->shares[r] = share;
	}
	if (learning->training->complete && with_all)
		count_all(learning, counts);
	for (int f = 0; f < model->nfields; f++)
	{
		SsotFieldModel *field = &model->fields[f];
		const double *expected = learning->records->fields[f].kind->shares;
		double		total = PRIOR_PAIRS;

		for (int l = 1; l <= field->nlevels; l++)
			total += counts[f][l];
		for (int l = 1; l <= field->nlevels; l++)
			field->m[l] = (counts[f][l] + PRIOR_PAIRS * expected[l - 1]) / total;
	}
	return change;
}

/*
 * A level of better agreement never weighs less than one of worse: where chance
 * says otherwise the two are made one.
 */
void
ssot_model_weigh(SsotModel *model)
{
	for (int f = 0; f < model->nfields; f++)
	{
		SsotFieldModel *field = &model->fields[f];
		double		m[SSOT_LEVELS];
		double		u[SSOT_LEVELS];
		int			first[SSOT_LEVELS];
		int			n = 0;

		ssot_given_shares(field);
		for (int l = 1; l <= field->nlevels; l++)
		{
			m[n] = field->m[l];
			u[n] = field->u[l];
			first[n++] = l;
			while (n > 1 && m[n - 1] * u[n - 2] < m[n - 2] * u[n - 1])
			{
				m[n - 2] += m[n - 1];
				u[n - 2] += u[n - 1];
				n--;
			}
		}
		for (int i = 0; i < n; i++)
			for (int l = first[i]; l < (i + 1 < n ? first[i + 1] : field->nlevels + 1); l++)
				field->weight[l] = Min(Max(log2(m[i] / u[i]), -MAX_WEIGHT), MAX_WEIGHT);
		field->weight[SSOT_LEVEL_MISSING] = 0;
		ssot_given_weights(field);
	}
}

/* ---- the prior ----------------------------------------------------------- */

/*
 * Of the draws that may be one thing and have no weight yet: one over the chances
 * that they had to be drawn.
 */
static void
weigh_draws(Learning *learning)
{
	const SsotModel *model = learning->model;
	SsotTraining *training = learning->training;
	int		   *draws = SSOT_LARGE(int, training->ndraws);
	int			(*pairs)[2] = ssot_large_alloc(sizeof(int[2]) * Max(training->ndraws, 1), false);
	SsotSharedKeys *keys;
	int			n = 0;

	for (int i = 0; i < training->ndraws; i++)
	{
		const SsotDraw *draw = &training->draws[i];

		if (draw->weight > 0 ||
			log_odds(model->prior) + pattern_weight(model, draw->pattern, NULL) < -4)
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
 * How many pairs are one thing. A drawn pair stands for as many pairs as it had
 * chances to be drawn, upside down (Horvitz and Thompson 1952); each is counted
 * by its probability, which depends on the number looked for: a few rounds
 * settle it.
 */
static void
learn_prior(Learning *learning)
{
	SsotModel  *model = learning->model;
	SsotTraining *training = learning->training;
	double	   *weights;

	weigh_draws(learning);
	weights = SSOT_LARGE(double, training->ndraws);
	for (int i = 0; i < training->ndraws; i++)
		weights[i] = pattern_weight(model, training->draws[i].pattern, NULL);
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		double		base = log_odds(model->prior);
		double		before = model->matches;
		double		matches = 0.5;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < training->ndraws; i++)
		{
			SsotDraw   *draw = &training->draws[i];

			if (draw->weight == 0)
				continue;
			draw->posterior = ssot_probability(base + weights[i]);
			matches += draw->weight * draw->posterior;
		}
		model->matches = matches;
		model->prior = Min(matches / Max(learning->all_pairs, 1), 0.5);
		ssot_given_prior(model, training->given_prior, learning->all_pairs);
		if (fabs(matches - before) <= matches * SETTLED)
			break;
	}
	ssot_large_free(weights);
}

/* log2 of the share of records that have what two things agree on by chance. */
static void
learn_references(Learning *learning)
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

SsotModel *
ssot_model_learn(SsotLeveler *leveler, SsotTraining *training)
{
	Learning	learning = {.records = leveler->records,.training = training};
	SsotModel  *model = palloc0(sizeof(SsotModel));
	int			n = leveler->records->n;

	learning.model = model;
	learning.all_pairs = (double) n * (n - 1) / 2;
	model->nfields = leveler->records->nfields;
	model->prior = Min(0.1, 0.1 / Max(n, 1));
	model->matches = model->prior * learning.all_pairs;
	ssot_given_prior(model, training->given_prior, learning.all_pairs);
	for (int f = 0; f < model->nfields; f++)
	{
		const SsotKind *kind = leveler->records->fields[f].kind;

		model->fields[f].nlevels = kind->nlevels;
		ssot_given_take(&model->fields[f], kind);
		for (int l = 1; l <= kind->nlevels; l++)
			model->fields[f].m[l] = model->fields[f].u[l] = kind->shares[l - 1];
	}
	count_random(&learning);
	count_equal(&learning);
	learning.drawn = SSOT_LARGE(PatternCount, training->ndraws);
	for (int i = 0; i < training->ndraws; i++)
		learning.drawn[i] = (PatternCount)
	{
		training->draws[i].pattern, training->draws[i].rule, 1
	};
	learning.ndrawn = fold(learning.drawn, training->ndraws);
	learning.shares = palloc(sizeof(double) * (training->nrules + 1));
	for (int r = 0; r < training->nrules; r++)
		learning.shares[r] = 0.5;

	learn_u(&learning);
	ssot_model_weigh(model);
	for (int round = 0; round < 3; round++)
	{
		for (int i = 0; i < MAX_ITERATIONS; i++)
		{
			double		change = learn_m(&learning, round > 0);

			ssot_model_weigh(model);
			model->iterations++;
			if (change < 1e-5)
				break;
		}
		learn_prior(&learning);
		learn_u(&learning);
		ssot_model_weigh(model);
	}
	learn_prior(&learning);
	learn_references(&learning);
	ssot_given_references(model);
	ssot_model_learn_others(model, leveler);
	ssot_large_free(learning.random);
	ssot_large_free(learning.drawn);
	return model;
}
