/*
 * identity/ties.c
 *		Fields of which strangers who agree on one agree on the other.
 *
 * Who shares a postcode shares the town, thing or not. Added up as if they were
 * independent the two say one thing twice, and a third, the country, says it again. How
 * often two things agree on both fields is counted: the pairs of records that do, less
 * those that are one thing. How many these are is asked of the fields alone that tell
 * things apart, of names where there are any: which share of matches makes the levels
 * that are met there the most probable (EM for this one number). What strangers agree on
 * together more often than independence has it is taken off the weight of pairs that
 * agree on both. Nothing is tied to a name; and where most pairs that agree on both are
 * one thing, nothing is known about strangers, nor is it needed.
 *
 * Of three fields that hang together two ties are kept, the strongest: the ties are a
 * forest, which makes the weight that of a model in which each field depends on one
 * other (Chow and Liu, "Approximating discrete probability distributions with
 * dependence trees", 1968). Values that are alike and not equal stay independent.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/model.h"

#include "miscadmin.h"

#include <math.h>

#define RECORDS			20000	/* that are looked at */
#define SLOTS			32768	/* of a table of them; a power of two */
#define DRAWS			200		/* pairs that are judged */
#define FEWEST_DRAWS	20
#define FEWEST_STRANGERS 0.3	/* among them */
#define LEAST_EXCESS	0.5
#define MOST_NAMESAKES	0.005	/* strangers who agree on what tells things
								 * apart */
#define ROUNDS			30

typedef struct Slot
{
	uint64		values;
	int			count;			/* records with these two values; 0: free */
	int			last;
} Slot;

struct SsotAgreeing
{
	int			f;
	int			g;
	double		share;			/* of pairs that have both fields: agree on
								 * both */
	int			ndrawn;			/* of these */
	SsotPattern drawn[DRAWS];
};

/*
 * Records are in an order that is as good as random: the first are a sample, and a
 * record and the one before it with the same values are a random pair of those.
 */
static void
count_agreeing(SsotLeveler *leveler, Slot *slots, SsotAgreeing *agreeing)
{
	const SsotRecords *records = leveler->records;
	int			n = Min(records->n, RECORDS);
	double		have = 0;
	double		equal = 0;

	memset(slots, 0, sizeof(Slot) * SLOTS);
	for (int i = 0; i < n; i++)
	{
		const int  *record = ssot_record(records, i);
		uint64		values = (uint64) record[agreeing->f] << 32 | (uint32) record[agreeing->g];
		uint32		at = ssot_mix(values) & (SLOTS - 1);

		if (record[agreeing->f] == 0 || record[agreeing->g] == 0)
			continue;
		have++;
		while (slots[at].count > 0 && slots[at].values != values)
			at = (at + 1) & (SLOTS - 1);
		if (slots[at].count > 0 && agreeing->ndrawn < DRAWS &&
			!ssot_in_one_group(records, slots[at].last, i))
			agreeing->drawn[agreeing->ndrawn++] = ssot_pattern(leveler, slots[at].last, i);
		equal += slots[at].count++;
		slots[at].values = values;
		slots[at].last = i;
	}
	agreeing->share = have < 2 ? 0 : equal / (have * (have - 1) / 2);
}

SsotAgreeing *
ssot_ties_begin(SsotLeveler *leveler)
{
	int			nfields = leveler->records->nfields;
	SsotAgreeing *all = SSOT_LARGE0(SsotAgreeing, nfields * (nfields - 1) / 2);
	Slot	   *slots = SSOT_LARGE(Slot, SLOTS);
	int			n = 0;

	for (int f = 0; f < nfields; f++)
		for (int g = f + 1; g < nfields; g++)
		{
			CHECK_FOR_INTERRUPTS();
			all[n].f = f;
			all[n].g = g;
			count_agreeing(leveler, slots, &all[n++]);
		}
	ssot_large_free(slots);
	return all;
}

/* Which fields tell whether two records that agree on f and g are one thing. */
static int
find_judges(const SsotModel *model, const bool *names, int f, int g, int *judges)
{
	int			n = 0;

	for (int pass = 0; pass < 2 && n == 0; pass++)
		for (int j = 0; j < model->nfields; j++)
		{
			bool		tells = pass == 0 ? names[j] :
			model->fields[j].u[model->fields[j].nlevels] < MOST_NAMESAKES;

			if (j != f && j != g && tells)
				judges[n++] = j;
		}
	return n;
}

/*
 * The share of strangers among the drawn pairs; negative: it is not known. What agreement
 * says is what the kinds expect: what was learnt without ties may have taken strangers in.
 */
static double
strangers(const SsotModel *model, const SsotRecords *records, const bool *names,
		  const SsotAgreeing *agreeing)
{
	int			judges[SSOT_MAX_FIELDS];
	int			njudges = find_judges(model, names, agreeing->f, agreeing->g, judges);
	double		weights[DRAWS];
	double		share = 0.5;
	int			n = 0;

	for (int i = 0; i < agreeing->ndrawn; i++)
	{
		double		weight = 0;
		bool		known = false;

		for (int j = 0; j < njudges; j++)
		{
			int			level = ssot_pattern_level(agreeing->drawn[i], judges[j]);

			if (level == SSOT_LEVEL_MISSING)
				continue;
			weight += log2(records->fields[judges[j]].kind->shares[level - 1] /
						   model->fields[judges[j]].u[level]);
			known = true;
		}
		if (known)
			weights[n++] = weight;
	}
	if (n < FEWEST_DRAWS)
		return -1;
	for (int round = 0; round < ROUNDS; round++)
	{
		double		odds = log2(share / (1 - share));
		double		same = 0.5;

		for (int i = 0; i < n; i++)
			same += ssot_probability(odds + weights[i]);
		share = same / (n + 1);
	}
	return 1 - share;
}

/* By how much two fields say the same to strangers, as a binary logarithm. */
static double
excess_of(const SsotModel *model, const SsotRecords *records, const bool *names,
		  const SsotAgreeing *agreeing)
{
	const SsotFieldModel *f = &model->fields[agreeing->f];
	const SsotFieldModel *g = &model->fields[agreeing->g];
	double		independent = f->u[f->nlevels] * g->u[g->nlevels];
	double		share;

	if (names[agreeing->f] || names[agreeing->g] ||
		!isnan(ssot_given_weight(f, f->nlevels)) || !isnan(ssot_given_weight(g, g->nlevels)) ||
		agreeing->ndrawn < FEWEST_DRAWS || agreeing->share < exp2(LEAST_EXCESS) * independent)
		return 0;
	share = strangers(model, records, names, agreeing);
	if (share < FEWEST_STRANGERS)
		return 0;
	share *= agreeing->share;
	return log2(Min(share, Min(f->u[f->nlevels], g->u[g->nlevels])) / independent);
}

/* The strongest first, none that closes a circle. */
void
ssot_ties_learn(SsotModel *model, const SsotRecords *records, const bool *names,
				const SsotAgreeing *agreeing)
{
	double		excess[SSOT_MAX_FIELDS * (SSOT_MAX_FIELDS - 1) / 2];
	int			n = model->nfields * (model->nfields - 1) / 2;
	int			tree[SSOT_MAX_FIELDS] = {0};

	for (int i = 0; i < n; i++)
		excess[i] = excess_of(model, records, names, &agreeing[i]);
	for (int f = 0; f < model->nfields; f++)
		tree[f] = f;
	model->nties = 0;
	for (;;)
	{
		int			best = -1;
		int			joined;

		for (int i = 0; i < n; i++)
			if (tree[agreeing[i].f] != tree[agreeing[i].g] &&
				excess[i] > (best < 0 ? LEAST_EXCESS : excess[best]))
				best = i;
		if (best < 0)
			return;
		model->ties[model->nties++] = (SsotTie)
		{
			agreeing[best].f, agreeing[best].g, excess[best]
		};
		joined = tree[agreeing[best].g];
		for (int f = 0; f < model->nfields; f++)
			if (tree[f] == joined)
				tree[f] = tree[agreeing[best].f];
	}
}
