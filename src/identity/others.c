/*
 * identity/others.c
 *		Who else has this value: other things, or other records of the same one?
 *
 * A value that eight of a thousand records have is frequent if these are eight
 * people, and rare if they are one person eight times. Counting records does not
 * tell, and in a list with many duplicates would make every e-mail address look
 * like a common one. So for each field, and for values of one, two, four, eight
 * ... records, pairs are drawn that share a value, and the model says of how many
 * of them it takes the two for different things. By that share the number of the
 * others is reduced.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/model.h"

#include "miscadmin.h"

#define PAIRS_PER_SIZE	400
#define PRIOR_PAIRS		2.0
#define AHEAD			16		/* records that are fetched before they are
								 * needed */

/*
 * Records are in an order that is as good as random, so a record and the one
 * before it that has the same value are a random pair of those that share it.
 */
static void
learn_field(SsotModel *model, SsotLeveler *leveler, int f)
{
	const SsotRecords *records = leveler->records;
	const SsotValues *values = &records->fields[f];
	int		   *last = SSOT_LARGE(int, values->nvalues);
	double		others[SSOT_SIZES] = {0};
	int			count[SSOT_SIZES] = {0};
	double		odds = log2(model->prior / (1 - model->prior));
	int64		possible[SSOT_SIZES] = {0};
	int64		open = 0;
	double		before = 1;

	for (int id = 0; id < values->nvalues; id++)
	{
		last[id] = -1;
		if (id > 0 && values->count[id] > 1)
			possible[ssot_size_class(values->count[id])] += values->count[id] - 1;
	}
	for (int size = 0; size < SSOT_SIZES; size++)
		open += Min(possible[size], PAIRS_PER_SIZE);
	for (int r = 0; r < records->n && open > 0; r++)
	{
		int			id = ssot_record(records, r)[f];
		int			size = ssot_size_class(values->count[id]);

		if ((r & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (r + AHEAD < records->n)
		{
			int			next = ssot_record(records, r + AHEAD)[f];

			__builtin_prefetch(&values->count[next]);
			__builtin_prefetch(&last[next]);
		}
		if (id == 0 || values->count[id] < 2 || count[size] == PAIRS_PER_SIZE)
			continue;
		if (last[id] >= 0)
		{
			others[size] += 1 - ssot_probability(odds + ssot_pattern_weight(model, ssot_pattern(leveler, last[id], r)));
			count[size]++;
			open--;
		}
		last[id] = r;
	}

	/*
	 * a size that was hardly met is like the one below it, and none is less
	 * frequented by others than a smaller one
	 */
	before = count[1] > 0 ? others[1] / count[1] : 1;
	for (int size = 0; size < SSOT_SIZES; size++)
	{
		double		share = (others[size] + PRIOR_PAIRS * before) / (count[size] + PRIOR_PAIRS);

		before = model->fields[f].others[size] = Max(share, size > 0 ? before : share);
	}
	ssot_large_free(last);
}

void
ssot_model_learn_others(SsotModel *model, SsotLeveler *leveler)
{
	for (int f = 0; f < model->nfields; f++)
		learn_field(model, leveler, f);
}
