/*
 * identity/em.c
 *		SsotLearning the model without labels: expectation maximization.
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
#include "identity/learning.h"

#include "miscadmin.h"

#include <math.h>

#define PRIOR_PAIRS			20.0
#define MAX_ITERATIONS		100
#define MAX_WEIGHT			24.0
#define MIN_SHARE			1e-7
#define GROUP_PAIRS			2000000 /* that are looked at for groups */
#define MOST_NAMESAKES		0.005	/* strangers with the same name */
#define WEAK_NAMES			0.1 /* levels so rare among records of one thing */
#define MOST_OTHER_NAMES	0.5 /* are no more than that, all together */

/* ---- u ------------------------------------------------------------------- */

static void
count_random(SsotLearning *learning)
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
count_equal(SsotLearning *learning)
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

/* u from the random pairs, those that are probably one thing left out. */
static void
learn_u(SsotLearning *learning)
{
	SsotModel  *model = learning->model;
	double		counts[SSOT_MAX_FIELDS][SSOT_LEVELS] = {{0}};

	for (int i = 0; i < learning->nrandom; i++)
	{
		const SsotPatternCount *entry = &learning->random[i];
		double		other = entry->count *
		(1 - ssot_probability(ssot_learning_odds(model->prior) + ssot_pattern_weight(model, entry->pattern)));

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
find_names(SsotLearning *learning)
{
	for (int f = 0; f < learning->model->nfields; f++)
	{
		const SsotFieldModel *field = &learning->model->fields[f];

		learning->names[f] = (learning->records->fields[f].kind->flags & SSOT_KIND_NAME) != 0 &&
			field->u[field->nlevels] < MOST_NAMESAKES;
	}
}

/* ---- m ------------------------------------------------------------------- */

/* Where all pairs are at hand they replace those that rules chose. */
static void
count_all(SsotLearning *learning, double counts[SSOT_MAX_FIELDS][SSOT_LEVELS])
{
	SsotModel  *model = learning->model;
	double		base = ssot_learning_odds(model->prior);

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
bool
ssot_learning_has_name(const SsotLearning *learning, const SsotBlocking *rule)
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
void
ssot_learning_weigh_rule(const SsotLearning *learning, int r, bool names_only,
						 double weights[SSOT_MAX_FIELDS][SSOT_LEVELS])
{
	const SsotModel *model = learning->model;
	const SsotBlocking *rule = learning->training->rules[r];
	bool		named = ssot_learning_has_name(learning, rule);

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
learn_rule_u(SsotLearning *learning, int r, double matching[SSOT_MAX_FIELDS][SSOT_LEVELS])
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
learn_m(SsotLearning *learning, bool with_all, bool names_only)
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
		bool		named = ssot_learning_has_name(learning, rule);
		double		base = ssot_learning_odds(learning->shares[r]);
		double		matches = 0;
		double		pairs = 0;
		double		share;

		ssot_learning_weigh_rule(learning, r, names_only, weights);
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

SsotModel *
ssot_model_learn(SsotLeveler *leveler, SsotTraining *training)
{
	SsotLearning learning = {.records = leveler->records,.training = training};
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
	ssot_learning_only_field(&learning);
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
		ssot_learning_prior(&learning);
		learn_u(&learning);
		ssot_model_weigh(model);
		ssot_ties_learn(model, learning.records, learning.names, agreeing);
	}
	ssot_learning_prior(&learning);
	ssot_learning_references(&learning);
	ssot_given_references(model);
	ssot_model_learn_others(model, leveler);
	ssot_large_free(agreeing);
	ssot_large_free(learning.random);
	ssot_large_free(learning.drawn);
	ssot_large_free(learning.entries);
	return model;
}
