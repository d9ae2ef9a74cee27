/*
 * identity/bag.c
 *		The words of long values.
 *
 * What kinds do alike with them: names and companies have few words and know more
 * of each (words.c).
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/bag.h"

#include <math.h>

#define MOST_RARE		4

void
ssot_bag_tokens(const SsotBagWord *words, int nwords, void (*note) (uint64 token, void *arg), void *arg)
{
	for (int i = 0; i < nwords; i++)
	{
		bool		again = false;

		for (int j = 0; j < i && !again; j++)
			again = words[j].hash == words[i].hash;
		if (!again)
			note(words[i].hash, arg);
	}
}

float
ssot_bag_weigh(SsotBagWord *words, int nwords, const SsotTokenShares *shares)
{
	float		weight = 0;

	for (int i = 0; i < nwords; i++)
	{
		words[i].weight = 0.1 - log(ssot_token_share(shares, words[i].hash));
		weight += words[i].weight;
	}
	return weight;
}

void
ssot_bag_keys(const SsotBagWord *words, int nwords, bool *marked, int most,
			  int alone, int two, SsotValueKeys *keys)
{
	uint64		rare[MOST_RARE];
	int			nrare = 0;

	Assert(most <= MOST_RARE);
	while (nrare < most)
	{
		int			best = -1;

		for (int i = 0; i < nwords; i++)
			if (!marked[i] && (best < 0 || words[i].weight > words[best].weight))
				best = i;
		if (best < 0)
			break;
		marked[best] = true;
		rare[nrare++] = words[best].hash;
	}
	for (int i = 0; i < nrare; i++)
		ssot_add_key(keys, alone, rare[i]);
	for (int i = 0; i < nrare; i++)
		for (int j = i + 1; j < nrare; j++)
			ssot_add_key(keys, two, rare[i] + rare[j]); /* in any order */
}
