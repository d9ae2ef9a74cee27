/*
 * identity/score.c
 *		How much two records speak for being one thing.
 *
 * The weight of a pair is log2 of the prior odds plus, for each field that both
 * have, the weight of its level: a look into a table; less what equal values of tied
 * fields (ties.c) say twice. Agreement is worth more
 * than the table says where few share what is agreed on, and less where many do
 * (term frequency: Winkler 1989): the level's u is an average over all values,
 * and is replaced by the share of records that have this one.
 *
 * Of a million records some ten million pairs are looked at and nearly all are
 * nothing. So a pair is first credited with the best that its unequal fields
 * could bring; comparing them takes from that, the most telling field first, and
 * ends when too little is left.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/score.h"

#include <math.h>

/* How far rarity may move a weight, down and up. */
#define MAX_LESS		8.0
#define MAX_MORE		10.0

/* Nothing is so rare that nobody else could have it. */
#define FEWEST_OTHERS	0.05

/* The same for what unequal values agree on. */
#define MAX_LESS_PART	5.0
#define MAX_MORE_PART	5.0

/* So many records at most have nearly every value. */
#define SMALL_COUNT		64

/* The weight of agreeing on a value that "count" of "have" records have. */
static float
weight_of_count(const SsotKind *kind, const SsotFieldModel *field, int count, double have,
				double level, double average)
{
	double		others = Max(count - 1, 1) * field->others[ssot_size_class(count)];
	double		share = Max(others, FEWEST_OTHERS) / have;
	double		more = (kind->flags & SSOT_KIND_FREQUENCY) == 0 ? 0 : average - log2(share);

	return level + Min(Max(more, -MAX_LESS), MAX_MORE);
}

/*
 * By value. Others that have it are those that do, without the pair's other
 * record and without further records of the same thing (others.c).
 */
static float *
weights_of_equal(const SsotValues *values, const SsotFieldModel *field, int n,
				 const SsotStoredField *stored)
{
	float	   *weights = SSOT_LARGE(float, values->nvalues);
	double		have = stored != NULL ? Max(stored->have, 1) : Max(n - values->count[0], 1);
	double		level = field->weight[field->nlevels];
	double		average = log2(field->u[field->nlevels]);
	float		small[SMALL_COUNT];

	for (int count = 0; count < SMALL_COUNT; count++)
		small[count] = weight_of_count(values->kind, field, count, have, level, average);
	weights[0] = 0;
	for (int id = 1; id < values->nvalues; id++)
	{
		int			count = stored == NULL ? values->count[id] :
		ssot_stored_count(stored, values->hash[id]);

		weights[id] = count < SMALL_COUNT ? small[count] :
			weight_of_count(values->kind, field, count, have, level, average);
	}
	return weights;
}

SsotScorer *
ssot_scorer_create(SsotLeveler *leveler, const SsotModel *model, const SsotStoredModel *stored)
{
	SsotScorer *scorer = palloc0(sizeof(SsotScorer));
	double		spread[SSOT_MAX_FIELDS];

	scorer->records = leveler->records;
	scorer->model = model;
	scorer->leveler = leveler;
	scorer->base = log2(model->prior / (1 - model->prior));
	for (int f = 0; f < model->nfields; f++)
	{
		const SsotValues *values = &leveler->records->fields[f];
		const SsotFieldModel *field = &model->fields[f];
		int			place = f;

		scorer->equal[f] = weights_of_equal(values, field, leveler->records->n,
											stored == NULL ? NULL : &stored->fields[f]);
		scorer->best_unequal[f] = field->weight[field->nlevels - 1];
		if (values->kind->agreement != NULL)
			scorer->best_unequal[f] += MAX_MORE_PART;
		spread[f] = scorer->best_unequal[f] - field->weight[SSOT_LEVEL_DIFFERENT];
		for (; place > 0 && spread[scorer->order[place - 1]] < spread[f]; place--)
			scorer->order[place] = scorer->order[place - 1];
		scorer->order[place] = f;
	}
	return scorer;
}

/* What unequal values, neither missing, add. */
static double
weight_of_unequal(const SsotScorer *scorer, int f, int a, int b, int *level)
{
	const SsotValues *values = &scorer->records->fields[f];
	const SsotFieldModel *field = &scorer->model->fields[f];
	double		weight;
	uint64		token;

	*level = ssot_compare_values(scorer->leveler, f, a, b);
	weight = field->weight[*level];
	if (*level == SSOT_LEVEL_DIFFERENT)
		return values->kind->flags & SSOT_KIND_VETO ? -INFINITY : weight;
	if (values->kind->agreement == NULL || field->reference[*level] == 0)
		return weight;
	token = ssot_kind_agreement(values->kind, ssot_value(values, a), ssot_value(values, b), *level);
	if (token != 0)
	{
		double		more = field->reference[*level] - log2(ssot_token_share(values->shares, token));

		weight += Min(Max(more, -MAX_LESS_PART), MAX_MORE_PART);
	}
	return weight;
}

double
ssot_score_field(const SsotScorer *scorer, int f, int a, int b, int *level)
{
	int			left = ssot_record(scorer->records, a)[f];
	int			right = ssot_record(scorer->records, b)[f];

	*level = SSOT_LEVEL_MISSING;
	if (left == 0 || right == 0)
		return 0;
	if (left != right)
		return weight_of_unequal(scorer, f, left, right, level);
	*level = scorer->model->fields[f].nlevels;
	return scorer->equal[f][left];
}

static inline double
weight_of_tie(const SsotTie *tie, const int *left, const int *right)
{
	return left[tie->f] == right[tie->f] && left[tie->g] == right[tie->g] &&
		left[tie->f] != 0 && left[tie->g] != 0 ? -tie->excess : 0;
}

double
ssot_score_tie(const SsotScorer *scorer, int tie, int a, int b)
{
	return weight_of_tie(&scorer->model->ties[tie], ssot_record(scorer->records, a),
						 ssot_record(scorer->records, b));
}

/* A pair that is being weighed. */
typedef struct Weighing
{
	double		weight;			/* as if the open fields brought their best */
	int			nopen;
	uint8		open[SSOT_MAX_FIELDS];	/* fields that differ, by "order" */
} Weighing;

/* What equal fields bring, and the best that the others could. */
static inline void
begin_weighing(const SsotScorer *scorer, const int *left, const int *right, Weighing *w)
{
	w->weight = scorer->base;
	w->nopen = 0;
	for (int i = 0; i < scorer->model->nfields; i++)
	{
		int			f = scorer->order[i];

		if (left[f] == 0 || right[f] == 0)
			continue;
		if (left[f] == right[f])
			w->weight += scorer->equal[f][left[f]];
		else
		{
			w->weight += scorer->best_unequal[f];
			w->open[w->nopen++] = f;
		}
	}
	for (int i = 0; i < scorer->model->nties; i++)
		w->weight += weight_of_tie(&scorer->model->ties[i], left, right);
}

static inline double
finish_weighing(const SsotScorer *scorer, const int *left, const int *right, const Weighing *w,
				double least)
{
	double		weight = w->weight;

	for (int i = 0; i < w->nopen && weight >= least; i++)
	{
		int			f = w->open[i];
		int			level;

		weight += weight_of_unequal(scorer, f, left[f], right[f], &level) - scorer->best_unequal[f];
	}
	return weight;
}

double
ssot_score(const SsotScorer *scorer, int a, int b, double least)
{
	const int  *left = ssot_record(scorer->records, a);
	const int  *right = ssot_record(scorer->records, b);
	Weighing	w;

	begin_weighing(scorer, left, right, &w);
	return finish_weighing(scorer, left, right, &w, least);
}

/*
 * Weighing a pair is a handful of looks into arrays that no cache holds. Many
 * pairs at once take one look each before any takes its second, and each look
 * has been announced to the memory in the round before.
 */
void
ssot_score_batch(const SsotScorer *scorer, const SsotCandidate *pairs, int n, double least,
				 double *weights)
{
	const SsotRecords *records = scorer->records;
	Weighing	weighings[SSOT_SCORE_BATCH];

	Assert(n <= SSOT_SCORE_BATCH);
	for (int i = 0; i < n; i++)
	{
		const int  *left = ssot_record(records, pairs[i].a);
		const int  *right = ssot_record(records, pairs[i].b);

		for (int f = 0; f < records->nfields; f++)
			if (left[f] == right[f])
				__builtin_prefetch(&scorer->equal[f][left[f]]);
			else if (f == scorer->order[0] || f == scorer->order[1])
			{
				__builtin_prefetch(&records->fields[f].offset[left[f]]);
				__builtin_prefetch(&records->fields[f].offset[right[f]]);
			}
	}
	for (int i = 0; i < n; i++)
	{
		Weighing   *w = &weighings[i];
		const int  *left = ssot_record(records, pairs[i].a);
		const int  *right = ssot_record(records, pairs[i].b);

		begin_weighing(scorer, left, right, w);
		for (int k = 0; k < w->nopen && w->weight >= least; k++)
		{
			const SsotValues *values = &records->fields[w->open[k]];

			if (k < 2)
			{
				const char *x = ssot_value(values, left[w->open[k]]);
				const char *y = ssot_value(values, right[w->open[k]]);

				__builtin_prefetch(x);
				__builtin_prefetch(x + 64);
				__builtin_prefetch(y);
				__builtin_prefetch(y + 64);
			}
			else
			{
				__builtin_prefetch(&values->offset[left[w->open[k]]]);
				__builtin_prefetch(&values->offset[right[w->open[k]]]);
			}
		}
	}
	for (int i = 0; i < n; i++)
		weights[i] = finish_weighing(scorer, ssot_record(records, pairs[i].a),
									 ssot_record(records, pairs[i].b), &weighings[i], least);
}
