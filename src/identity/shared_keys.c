/*
 * identity/shared_keys.c
 *		Which of many rules bring each of many pairs together.
 *
 * Rules are made of a few classes of keys, and each class is of several rules. So
 * it is found out once per class, and a rule needs no more than a look at what
 * its classes say. Records lie anywhere, so their keys are asked for some pairs
 * ahead.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/shared_keys.h"

#include "miscadmin.h"

#define AHEAD	16				/* pairs */

static bool
share_key(const uint32 *left, const uint32 *right, int nslots)
{
	for (int i = 0; i < nslots && left[i] != 0; i++)
		for (int j = 0; j < nslots; j++)
			if (left[i] == right[j])
				return true;
	return false;
}

static bool *
share_class(const SsotClassKeys *class, const int (*pairs)[2], int npairs)
{
	bool	   *shared = SSOT_LARGE0(bool, npairs);
	int			nslots = class->nslots;

	for (int i = 0; i < npairs && nslots > 0; i++)
	{
		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (i + AHEAD < npairs)
		{
			__builtin_prefetch(class->keys + (Size) pairs[i + AHEAD][0] * nslots);
			__builtin_prefetch(class->keys + (Size) pairs[i + AHEAD][1] * nslots);
		}
		shared[i] = share_key(class->keys + (Size) pairs[i][0] * nslots,
							  class->keys + (Size) pairs[i][1] * nslots, nslots);
	}
	return shared;
}

SsotSharedKeys *
ssot_shared_keys(const SsotRecords *records, const int (*pairs)[2], int npairs,
				 const SsotBlocking *const *rules, int nrules)
{
	SsotSharedKeys *keys = palloc0(sizeof(SsotSharedKeys));

	keys->records = records;
	keys->npairs = npairs;
	keys->pairs = pairs;
	for (int r = 0; r < nrules; r++)
		for (int p = 0; p < rules[r]->nparts; p++)
		{
			int			f = rules[r]->field[p];
			int			c = rules[r]->class[p];

			if (keys->shared[f][c] == NULL)
				keys->shared[f][c] = share_class(&records->fields[f].by_record[c], pairs, npairs);
		}
	return keys;
}

void
ssot_shared_keys_free(SsotSharedKeys *keys)
{
	for (int f = 0; f < keys->records->nfields; f++)
		for (int c = 0; c < SSOT_MAX_CLASSES; c++)
			if (keys->shared[f][c] != NULL)
				ssot_large_free(keys->shared[f][c]);
	pfree(keys);
}

bool
ssot_shared_keys_join(const SsotSharedKeys *keys, const SsotBlocking *rule, int pair)
{
	int			combinations = 1;

	for (int p = 0; p < rule->nparts; p++)
	{
		if (!keys->shared[rule->field[p]][rule->class[p]][pair])
			return false;
		combinations *= keys->records->fields[rule->field[p]].by_record[rule->class[p]].nslots;
	}

	/* of more keys than a rule takes, the one that is shared may be left out */
	return combinations <= SSOT_RULE_SLOTS ||
		ssot_rule_joins(keys->records, rule, keys->pairs[pair][0], keys->pairs[pair][1]);
}
