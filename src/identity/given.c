/*
 * identity/given.c
 *		What somebody gave by hand, and learning leaves alone.
 *
 * A level's m or u may be given: the levels of the field that are learnt share what
 * is left of 1. A level's weight may be given itself: then m and u are learnt and
 * only tell what was met. Learnt weights stay between given ones, so that here too
 * a better level never weighs less than a worse one.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/model.h"

void
ssot_given_take(SsotFieldModel *field, const SsotKind *kind)
{
	for (int l = 0; l < SSOT_LEVELS; l++)
		field->given[l] = kind->given != NULL && l >= 1 && l <= kind->nlevels ? kind->given[l] :
			(SsotGiven)
	{
		NAN, NAN, NAN
	};
}

static inline double
given_share(const SsotFieldModel *field, bool of_m, int level)
{
	return of_m ? field->given[level].m : field->given[level].u;
}

static void
give_shares(SsotFieldModel *field, bool of_m, double *shares)
{
	double		given = 0;
	double		learnt = 0;

	for (int l = 1; l <= field->nlevels; l++)
		if (isnan(given_share(field, of_m, l)))
			learnt += shares[l];
		else
			given += given_share(field, of_m, l);
	if (given == 0)
		return;
	for (int l = 1; l <= field->nlevels; l++)
		if (!isnan(given_share(field, of_m, l)))
			shares[l] = given_share(field, of_m, l);
		else if (learnt > 0)
			shares[l] = Max(shares[l] / learnt * (1 - given), 1e-7);
}

void
ssot_given_shares(SsotFieldModel *field)
{
	give_shares(field, true, field->m);
	give_shares(field, false, field->u);
}

double
ssot_given_weight(const SsotFieldModel *field, int level)
{
	const SsotGiven *given = &field->given[level];

	return isnan(given->weight) ? log2(given->m / given->u) : given->weight;
}

void
ssot_given_weights(SsotFieldModel *field)
{
	double		least = -INFINITY;

	for (int l = 1; l <= field->nlevels; l++)
	{
		double		weight = ssot_given_weight(field, l);

		if (!isnan(weight))
			field->weight[l] = least = weight;
		else
			field->weight[l] = Max(field->weight[l], least);
	}
	least = INFINITY;
	for (int l = field->nlevels; l >= 1; l--)
	{
		if (!isnan(ssot_given_weight(field, l)))
			least = field->weight[l];
		field->weight[l] = Min(field->weight[l], least);
	}
}

/* Nor does rarity move what was given. */
void
ssot_given_references(SsotModel *model)
{
	for (int f = 0; f < model->nfields; f++)
		for (int l = 1; l <= model->fields[f].nlevels; l++)
			if (!isnan(ssot_given_weight(&model->fields[f], l)))
				model->fields[f].reference[l] = 0;
}

void
ssot_given_prior(SsotModel *model, double prior, double all_pairs)
{
	if (prior <= 0)
		return;
	model->prior = prior;
	model->prior_given = true;
	model->matches = prior * all_pairs;
}
