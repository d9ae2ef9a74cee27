/*
 * drift/suspects.c
 *		Rows that a comparison by hash could not clear: where they are.
 *
 * Hashes acquit, they never convict: what they cannot clear is read again and
 * compared by the types' own equality. Tuple ids are the cheapest way back to a
 * row; they hold for the length of a snapshot, and a comparison runs under one.
 */
#include "postgres.h"

#include "ssot.h"
#include "drift/suspects.h"

#include "catalog/pg_type.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/memutils.h"

void
ssot_suspects_add(SsotSuspects *suspects, uint64 locator)
{
	if (suspects->locators == NULL)
	{
		suspects->capacity = 1024;
		suspects->locators = palloc(sizeof(uint64) * suspects->capacity);
	}
	else if (suspects->count == suspects->capacity)
	{
		suspects->capacity *= 2;
		suspects->locators = repalloc_huge(suspects->locators,
										   sizeof(uint64) * suspects->capacity);
	}
	suspects->locators[suspects->count++] = locator;
}

Datum
ssot_suspects_tids(const SsotSuspects *suspects)
{
	ItemPointerData *tids = palloc_extended(sizeof(ItemPointerData) * Max(suspects->count, 1),
											MCXT_ALLOC_HUGE);
	Datum	   *datums = palloc_extended(sizeof(Datum) * Max(suspects->count, 1),
										 MCXT_ALLOC_HUGE);

	for (uint64 i = 0; i < suspects->count; i++)
	{
		ItemPointerSet(&tids[i], (BlockNumber) (suspects->locators[i] >> 16),
					   (OffsetNumber) (suspects->locators[i] & 0xffff));
		datums[i] = PointerGetDatum(&tids[i]);
	}
	return PointerGetDatum(construct_array(datums, (int) suspects->count, TIDOID,
										   sizeof(ItemPointerData), false, TYPALIGN_SHORT));
}

static int
compare_locators(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : (x > y ? 1 : 0);
}

void
ssot_suspects_sort(SsotSuspects *suspects)
{
	if (suspects->count > 1)
		qsort(suspects->locators, suspects->count, sizeof(uint64), compare_locators);
}

bool
ssot_suspects_contain(const SsotSuspects *suspects, uint64 locator)
{
	return suspects->count > 0 &&
		bsearch(&locator, suspects->locators, suspects->count, sizeof(uint64),
				compare_locators) != NULL;
}
