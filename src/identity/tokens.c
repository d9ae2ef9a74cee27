/*
 * identity/tokens.c
 *		How often tokens occur in a field: a hash table of counts.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/encode.h"
#include "identity/large.h"
#include "identity/tokens.h"

typedef struct TokenSlot
{
	uint64		token;
	int			count;			/* 0: empty */
} TokenSlot;

struct SsotTokenShares
{
	TokenSlot  *slots;
	uint64		mask;
	uint64		used;
	double		total;
};

static TokenSlot *
allocate_slots(uint64 size)
{
	return SSOT_LARGE0(TokenSlot, size);
}

SsotTokenShares *
ssot_token_shares_create(int total)
{
	SsotTokenShares *shares = palloc0(sizeof(SsotTokenShares));

	shares->mask = 1023;
	shares->slots = allocate_slots(1024);
	shares->total = Max(total, 1);
	return shares;
}

static TokenSlot *
find_slot(const SsotTokenShares *shares, uint64 token)
{
	uint64		i = ssot_mix(token) & shares->mask;

	while (shares->slots[i].count != 0 && shares->slots[i].token != token)
		i = (i + 1) & shares->mask;
	return &shares->slots[i];
}

/* Another number of slots, and only tokens that at least so many records have. */
static void
resize(SsotTokenShares *shares, uint64 size, int least)
{
	TokenSlot  *old = shares->slots;
	uint64		old_size = shares->mask + 1;

	shares->mask = size - 1;
	shares->slots = allocate_slots(size);
	for (uint64 i = 0; i < old_size; i++)
		if (old[i].count >= least)
			*find_slot(shares, old[i].token) = old[i];
	ssot_large_free(old);
}

void
ssot_token_settle(SsotTokenShares *shares)
{
	uint64		size = 1024;

	shares->used = 0;
	for (uint64 i = 0; i <= shares->mask; i++)
		shares->used += shares->slots[i].count > 1;
	while (size / 2 <= shares->used)
		size *= 2;
	resize(shares, size, 2);
}

void
ssot_token_note(SsotTokenShares *shares, uint64 token, int count)
{
	TokenSlot  *slot = find_slot(shares, token);

	if (count == 0)
		return;
	if (slot->count == 0)
	{
		slot->token = token;
		shares->used++;
	}
	slot->count += count;
	if (shares->used > shares->mask / 4 * 3)
		resize(shares, (shares->mask + 1) * 2, 1);
}

void
ssot_token_announce(const SsotTokenShares *shares, uint64 token)
{
	__builtin_prefetch(&shares->slots[ssot_mix(token) & shares->mask]);
}

double
ssot_token_share(const SsotTokenShares *shares, uint64 token)
{
	return Max(find_slot(shares, token)->count, 1) / shares->total;
}

SsotTokenTable
ssot_token_table(const SsotTokenShares *shares)
{
	return (SsotTokenTable)
	{
		shares->slots, shares->mask, shares->used, shares->total
	};
}

Size
ssot_token_table_size(const SsotTokenTable *table)
{
	return sizeof(TokenSlot) * (table->mask + 1);
}

SsotTokenShares *
ssot_token_shares_of(const SsotTokenTable *table)
{
	SsotTokenShares *shares = palloc0(sizeof(SsotTokenShares));

	shares->slots = table->slots;
	shares->mask = table->mask;
	shares->used = table->used;
	shares->total = table->total;
	return shares;
}

int
ssot_token_frequent(const SsotTokenShares *shares, SsotFrequency **out)
{
	SsotFrequency *all = SSOT_LARGE0(SsotFrequency, shares->used);
	int			n = 0;

	for (uint64 i = 0; i <= shares->mask; i++)
		if (shares->slots[i].count > 1)
		{
			all[n].hash = shares->slots[i].token;
			all[n++].count = shares->slots[i].count;
		}
	*out = all;
	return n;
}
