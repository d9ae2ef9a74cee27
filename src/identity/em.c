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
 * Where a field names the thing and the rule does not speak of it, the rule learns
 * besides how its own strangers look: those who share an address share the town. EM
 * then starts from names, and never lets those of one thing differ at will.
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
#include "identity/patterns.h"
#include "identity/shared_keys.h"

#include "miscadmin.h"

#include <math.h>

#define PRIOR_PAIRS			20.0
#define MAX_ITERATIONS		100
#define MAX_ROUNDS			20	/* in which the prior settles */
#define SETTLED				1e-9	/* share by which it still changes */
#define MAX_WEIGHT			24.0
#define MIN_SHARE			1e-7
#define GROUP_PAIRS			2000000 /* that are looked at for groups */
#define MOST_NAMESAKES		0.005	/* strangers with the same name */
#define MOST_EQUAL			5.0 /* pairs per record, of an only field */
#define MOST_ALIKE			10	/* records of one thing, of an only field */
#define WEAK_NAMES			0.1 /* levels so rare among records of one thing */
#define MOST_OTHER_NAMES	0.5 /* are no more than that, all together */

typedef struct Learning
{
	const SsotRecords *records;
	SsotTraining *training;
	SsotModel  *model;
	SsotPatternCount *drawn;
	int			ndrawn;
	int		   *entries;		/* of drawn, by number of the draw */
	SsotPatternCount *random;
	int			nrandom;
	double	   *shares;			/* per rule: of matches among its pairs */
	double		all_pairs;
	double		possible;		/* pairs that are not of one group */
	double		equal[SSOT_MAX_FIELDS]; /* pairs with equal values */
	double		both[SSOT_MAX_FIELDS];	/* pairs that have both values */
	bool		names[SSOT_MAX_FIELDS]; /* fields that name the thing */
	double		alone;			/* pairs of one thing, by all that there is;
								 * 0: they are learnt */
	double		(*drawn_levels)[SSOT_MAX_FIELDS][SSOT_LEVELS];	/* how often each rule
																 * drew them */
	double		(*rule_u)[SSOT_MAX_FIELDS][SSOT_LEVELS];	/* u among those pairs */
} Learning;

/* ---- u ------------------------------------------------------------------- */

static void
count_random(Learning *learning)
{
	const SsotTraining *training = learning->training;

	learning->random = SSOT_LARGE(SsotPatternCount, training->nrandom);
	for (int64 i = 0; i < training->nrandom; i++)
		learning->random[i] = (SsotPatternCount)
	{
		.pattern = training->random[i],.rule = -1,.count = 1
	};
	learning->nrandom = ssot_patterns_fold(learning->random, training->nrandom, NULL);
}

/*
 * The share of pairs that may be one thing: two records of one group may not, and of
 * two lists with a record per thing half of all pairs are that. The order of records
 * is that of a hash, so that neighbours are as good as drawn.
 */
static double
possible_share(const SsotRecords *records)
{
	int			distances = Min(records->n - 1, GROUP_PAIRS / Max(records->n, 1) + 1);
	double		together = 0;
	double		pairs = 0;

	if (records->groups == NULL)
		return 1;
	for (int d = 1; d <= distances; d++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i + d < records->n; i++)
			together += ssot_in_one_group(records, i, i + d);
		pairs += records->n - d;
	}
	return pairs == 0 ? 1 : 1 - together / pairs;
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
		const SsotPatternCount *entry = &learning->random[i];
		double		other = entry->count *
		(1 - ssot_probability(log_odds(model->prior) + ssot_pattern_weight(model, entry->pattern)));

		for (int f = 0; f < model->nfields; f++)
			counts[f][ssot_pattern_level(entry->pattern, f)] += other;
	}
	for (int f = 0; f < model->nfields; f++)
	{
		SsotFieldModel *field = &model->fields[f];
		int			top = field->nlevels;
		double		have = learning->both[f] / Max(learning->all_pairs, 1);
		double		equal = learning->equal[f] - model->matches * have * field->m[top];
		double		both = learning->both[f];
		double		total = 0;

		if (learning->training->complete && learning->alone == 0)
		{
			equal = counts[f][top];
			both *= learning->possible / Max(learning->all_pairs, 1);
		}
		if (learning->alone > 0)
			equal = 0;
		equal = Max(equal, 0.02 * learning->equal[f]);
		field->u[top] = Max(equal, 1) / Max(both, 2);
		for (int l = 1; l < top; l++)
			total += counts[f][l] + 0.5 / top;
		for (int l = 1; l < top; l++)
			field->u[l] = (counts[f][l] + 0.5 / top) / total * (1 - field->u[top]);
		for (int l = 1; l <= top; l++)
			field->u[l] = Max(field->u[l], MIN_SHARE);
	}
}

/*
 * People and companies are named to be told apart; a field in which many are called
 * alike does not do that.
 */
static void
find_names(Learning *learning)
{
	for (int f = 0; f < learning->model->nfields; f++)
	{
		const SsotFieldModel *field = &learning->model->fields[f];

		learning->names[f] = (learning->records->fields[f].kind->flags & SSOT_KIND_NAME) != 0 &&
			field->u[field->nlevels] < MOST_NAMESAKES;
	}
}

/*
 * With one comparison there is nothing to learn from: that all who are called alike are
 * one, and that none are, explain what is seen equally well. Who compares one thing means
 * the former, as far as it can tell things apart. So pairs that are equal are counted as
 * one thing, of a frequent value few; and a quarter of the records at least have another
 * of their own. Rarity has its say: that two of a million have a value is much, that a
 * hundred of a thousand have it is little.
 */
static void
believe_only_field(Learning *learning)
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
		const SsotPatternCount *entry = &learning->random[i];
		double		same = entry->count *
		ssot_probability(base + ssot_pattern_weight(model, entry->pattern));

		for (int f = 0; f < model->nfields; f++)
			counts[f][ssot_pattern_level(entry->pattern, f)] += same;
	}
}

/* Does a field name the thing that the rule does not speak of? */
static bool
has_name(const Learning *learning, const SsotBlocking *rule)
{
	for (int f = 0; f < learning->model->nfields; f++)
		if (learning->names[f] && !ssot_rule_has_field(rule, f))
			return true;
	return false;
}

/*
 * What the levels of the fields are worth among the pairs of a rule, of whose own
 * fields it says nothing; "names_only": for a start, where some field names the thing.
 */
static void
weigh_rule(const Learning *learning, int r, bool names_only,
		   double weights[SSOT_MAX_FIELDS][SSOT_LEVELS])
{
	const SsotModel *model = learning->model;
	const SsotBlocking *rule = learning->training->rules[r];
	bool		named = has_name(learning, rule);

	memset(weights, 0, sizeof(double) * SSOT_MAX_FIELDS * SSOT_LEVELS);
	for (int f = 0; f < model->nfields; f++)
	{
		const SsotFieldModel *field = &model->fields[f];

		if (ssot_rule_has_field(rule, f) || (named && names_only && !learning->names[f]))
			continue;
		for (int l = 1; l <= field->nlevels; l++)
		{
			weights[f][l] = field->weight[l];
			if (named && !learning->names[f])
				weights[f][l] += log2(field->u[l] / learning->rule_u[r][f][l]);
		}
	}
}

/*
 * How strangers agree whom the rule brings together: those of its pairs that do not
 * match. With few of them, as strangers do elsewhere.
 */
static void
learn_rule_u(Learning *learning, int r, double matching[SSOT_MAX_FIELDS][SSOT_LEVELS])
{
	for (int f = 0; f < learning->model->nfields; f++)
	{
		const SsotFieldModel *field = &learning->model->fields[f];
		double		total = PRIOR_PAIRS;

		for (int l = 1; l <= field->nlevels; l++)
			total += learning->drawn_levels[r][f][l] - matching[f][l];
		for (int l = 1; l <= field->nlevels; l++)
			learning->rule_u[r][f][l] = (learning->drawn_levels[r][f][l] - matching[f][l] +
										 PRIOR_PAIRS * field->u[l]) / total;
	}
}

/*
 * Of one thing few records have names that do not agree. Where learning finds more, it
 * has found what lives at one address or belongs to one family.
 */
static void
hold_down(double *counts, int nlevels, const double *expected)
{
	double		reached = 0;
	double		weak = 0;
	double		strong = 0;
	double		most;
	int			nweak = 0;

	for (int l = 1; l <= nlevels; l++)
	{
		reached += expected[l - 1];
		if (reached <= WEAK_NAMES)
		{
			weak += counts[l];
			nweak = l;
		}
		else
			strong += counts[l];
	}
	most = strong * MOST_OTHER_NAMES / (1 - MOST_OTHER_NAMES);
	for (int l = 1; l <= nweak && weak > most; l++)
		counts[l] *= most / weak;
}

/* One iteration; returns by how much the shares of matches changed at most. */
static double
learn_m(Learning *learning, bool with_all, bool names_only)
{
	SsotModel  *model = learning->model;
	double		counts[SSOT_MAX_FIELDS][SSOT_LEVELS] = {{0}};
	double		change = 0;
	int			i = 0;

	for (int r = 0; r < learning->training->nrules; r++)
	{
		const SsotBlocking *rule = learning->training->rules[r];
		double		weights[SSOT_MAX_FIELDS][SSOT_LEVELS];
		double		matching[SSOT_MAX_FIELDS][SSOT_LEVELS] = {{0}};
		bool		named = has_name(learning, rule);
		double		base = log_odds(learning->shares[r]);
		double		matches = 0;
		double		pairs = 0;
		double		share;

		weigh_rule(learning, r, names_only, weights);
		for (; i < learning->ndrawn && learning->drawn[i].rule == r; i++)
		{
			const SsotPatternCount *entry = &learning->drawn[i];
			double		weight = base;
			double		same;

			for (int f = 0; f < model->nfields; f++)
				weight += weights[f][ssot_pattern_level(entry->pattern, f)];
			if (!named)
				weight -= ssot_pattern_excess(model, entry->pattern);
			same = entry->count * ssot_probability(weight);
			matches += same;
			pairs += entry->count;
			for (int f = 0; f < model->nfields; f++)
				matching[f][ssot_pattern_level(entry->pattern, f)] += same;
		}
		for (int f = 0; f < model->nfields; f++)
			for (int l = 1; l <= model->fields[f].nlevels && !ssot_rule_has_field(rule, f); l++)
				counts[f][l] += matching[f][l];
		learn_rule_u(learning, r, matching);
		share = (matches + 0.5) / (pairs + 1);
		share = Min(Max(share, 1e-4), 0.9999);
		change = Max(change, fabs(share - learning->shares[r]));
		learning->shares[r] = share;
	}
	if (learning->training->complete && with_all && learning->alone == 0)
		count_all(learning, counts);
	for (int f = 0; f < model->nfields; f++)
	{
		SsotFieldModel *field = &model->fields[f];
		const double *expected = learning->records->fields[f].kind->shares;
		double		total = PRIOR_PAIRS;

		if (learning->names[f])
			hold_down(counts[f], field->nlevels, expected);
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
 * that they had to be drawn. "weights" are those of the patterns that were drawn.
 */
static void
weigh_draws(Learning *learning, const double *weights)
{
	SsotTraining *training = learning->training;
	int		   *draws = SSOT_LARGE(int, training->ndraws);
	int			(*pairs)[2] = ssot_large_alloc(sizeof(int[2]) * Max(training->ndraws, 1), false);
	double		base = log_odds(learning->model->prior);
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
most_probable(const Learning *learning)
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
			weigh_rule(learning, rule = entry->rule, false, weights);
		weight = log_odds(learning->shares[rule]);
		for (int f = 0; f < learning->model->nfields; f++)
			weight += weights[f][ssot_pattern_level(entry->pattern, f)];
		most[i] = has_name(learning, training->rules[rule]) ? ssot_probability(weight) : 1;
	}
	return most;
}

/*
 * How many pairs are one thing. A drawn pair stands for as many pairs as it had
 * chances to be drawn, upside down (Horvitz and Thompson 1952); each is counted
 * by its probability, which depends on the number looked for: a few rounds
 * settle it. Pairs of one rule and pattern are equally probable.
 */
static void
learn_prior(Learning *learning)
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
		double		base = log_odds(model->prior);
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
	SsotAgreeing *agreeing = ssot_ties_begin(leveler);
	int			n = leveler->records->n;

	learning.model = model;
	learning.all_pairs = (double) n * (n - 1) / 2;
	learning.possible = learning.all_pairs * possible_share(leveler->records);
	model->nfields = leveler->records->nfields;
	model->prior = Min(0.1, 0.1 / Max(n, 1));
	model->matches = model->prior * learning.possible;
	ssot_given_prior(model, training->given_prior, learning.possible);
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
	believe_only_field(&learning);
	learning.drawn = SSOT_LARGE(SsotPatternCount, training->ndraws);
	for (int i = 0; i < training->ndraws; i++)
		learning.drawn[i] = (SsotPatternCount)
	{
		.pattern = training->draws[i].pattern,.rule = training->draws[i].rule,.count = 1
	};
	learning.entries = SSOT_LARGE(int, training->ndraws);
	learning.ndrawn = ssot_patterns_fold(learning.drawn, training->ndraws, learning.entries);
	learning.shares = palloc(sizeof(double) * (training->nrules + 1));
	for (int r = 0; r < training->nrules; r++)
		learning.shares[r] = 0.5;

	learning.rule_u = palloc0(sizeof(*learning.rule_u) * (training->nrules + 1));
	learning.drawn_levels = palloc0(sizeof(*learning.drawn_levels) * (training->nrules + 1));
	for (int i = 0; i < learning.ndrawn; i++)
		for (int f = 0; f < model->nfields; f++)
			learning.drawn_levels[learning.drawn[i].rule][f]
				[ssot_pattern_level(learning.drawn[i].pattern, f)] += learning.drawn[i].count;
	learn_u(&learning);
	find_names(&learning);
	ssot_model_weigh(model);
	for (int round = 0; round < 3; round++)
	{
		for (int i = 0; i < MAX_ITERATIONS; i++)
		{
			double		change = learn_m(&learning, round > 0, round == 0 && i == 0);

			ssot_model_weigh(model);
			model->iterations++;
			if (change < 1e-5)
				break;
		}
		learn_prior(&learning);
		learn_u(&learning);
		ssot_model_weigh(model);
		ssot_ties_learn(model, learning.records, learning.names, agreeing);
	}
	learn_prior(&learning);
	learn_references(&learning);
	ssot_given_references(model);
	ssot_model_learn_others(model, leveler);
	ssot_large_free(agreeing);
	ssot_large_free(learning.random);
	ssot_large_free(learning.drawn);
	ssot_large_free(learning.entries);
	return model;
}
