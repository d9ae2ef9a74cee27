/*
 * identity/compare.c
 *		From two records to a pattern of agreement.
 *
 * Equal values are equal numbers and need no look at what they stand for. The
 * level of two different ones is computed by their kind and remembered: first
 * names, cities and streets meet again and again.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/compare.h"

#include "utils/memutils.h"

SsotLeveler *
ssot_leveler_create(const SsotRecords *records)
{
	SsotLeveler *leveler = palloc0(sizeof(SsotLeveler));

	leveler->records = records;
	leveler->mask = 63;
	while (leveler->mask < (uint32) records->n && leveler->mask + 1 < SSOT_LEVEL_SLOTS)
		leveler->mask = leveler->mask * 2 + 1;
	for (int f = 0; f < records->nfields; f++)
		if (records->fields[f].nvalues <= SSOT_LEVEL_VALUES)
			leveler->slots[f] = palloc0(sizeof(SsotLevelSlot) * (leveler->mask + 1));
	leveler->context = AllocSetContextCreate(CurrentMemoryContext, "comparing",
											 ALLOCSET_SMALL_SIZES);
	return leveler;
}

void
ssot_leveler_free(SsotLeveler *leveler)
{
	for (int f = 0; f < leveler->records->nfields; f++)
		if (leveler->slots[f] != NULL)
			pfree(leveler->slots[f]);
	MemoryContextDelete(leveler->context);
	pfree(leveler);
}

static int
compute_level(SsotLeveler *leveler, const SsotValues *values, int a, int b)
{
	MemoryContext old = MemoryContextSwitchTo(leveler->context);
	int			level = ssot_kind_level(values->kind, ssot_value(values, a), ssot_value(values, b));

	MemoryContextSwitchTo(old);
	if (++leveler->calls == 256)
	{
		MemoryContextReset(leveler->context);
		leveler->calls = 0;
	}
	return level;
}

int
ssot_compare_values(SsotLeveler *leveler, int field, int a, int b)
{
	const SsotValues *values = &leveler->records->fields[field];
	SsotLevelSlot *slot;

	/*
	 * one order of the two; values are numbered in one that is always the
	 * same
	 */
	if (a > b)
	{
		int			swap = a;

		a = b;
		b = swap;
	}
	if (leveler->slots[field] == NULL)
		return compute_level(leveler, values, a, b);
	slot = &leveler->slots[field][((uint32) a * 2654435769u ^ (uint32) b * 40503u) >> 3 &
								  leveler->mask];
	if (slot->a != a || slot->b != b)
	{
		slot->a = a;
		slot->b = b;
		slot->level = compute_level(leveler, values, a, b);
	}
	return slot->level;
}

SsotPattern
ssot_pattern(SsotLeveler *leveler, int a, int b)
{
	const SsotRecords *records = leveler->records;
	const int  *left = ssot_record(records, a);
	const int  *right = ssot_record(records, b);
	SsotPattern pattern = 0;

	for (int f = 0; f < records->nfields; f++)
	{
		int			level;

		if (left[f] == 0 || right[f] == 0)
			continue;
		level = left[f] == right[f] ? records->fields[f].kind->nlevels :
			ssot_compare_values(leveler, f, left[f], right[f]);
		pattern |= (SsotPattern) level << (4 * f);
	}
	return pattern;
}
