/*
 * dictionary/tree_ids.c
 *		Ids of any type as numbers from 0.
 *
 * An id is looked up by its type's own equality; integers, which most ids are, by their
 * value.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/tree_ids.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

/*
 * Node numbers by id. Integers that lie close together, as those of an identity column
 * do, are places of a table; others are looked up by open addressing, in a table filled
 * to at most a half.
 */
struct SsotNumbers
{
	TypeCacheEntry *type;
	bool		is_integer;
	bool		is_dense;
	int64		first;			/* dense: the least id, at the table's first
								 * place */
	const Datum *ids;			/* by number */
	uint32	   *hashes;			/* by number; not dense */
	int		   *slots;			/* -1: free */
	uint64		size;			/* of the table; not dense: a power of two */
};

static uint32
hash_of(const SsotNumbers *numbers, Datum id)
{
	if (numbers->is_integer)
		return murmurhash32((uint32) id ^ murmurhash32((uint32) ((uint64) id >> 32)));
	return DatumGetUInt32(FunctionCall1Coll(&numbers->type->hash_proc_finfo,
											numbers->type->typcollation, id));
}

static bool
is_same(const SsotNumbers *numbers, Datum a, Datum b)
{
	if (numbers->is_integer)
		return a == b;
	return DatumGetBool(FunctionCall2Coll(&numbers->type->eq_opr_finfo,
										  numbers->type->typcollation, a, b));
}

/* The slot of an id, or the free one where it belongs. */
static uint32
slot_of(const SsotNumbers *numbers, Datum id, uint32 hash)
{
	uint32		slot = hash & (numbers->size - 1);

	for (;; slot = (slot + 1) & (numbers->size - 1))
	{
		int			node = numbers->slots[slot];

		if (node < 0 || (numbers->hashes[node] == hash && is_same(numbers, numbers->ids[node], id)))
			return slot;
	}
}

int
ssot_number_of(const SsotNumbers *numbers, Datum id, bool isnull)
{
	if (isnull)
		return -1;
	if (numbers->is_dense)
	{
		uint64		place = (uint64) id - (uint64) numbers->first;

		return place < numbers->size ? numbers->slots[place] : -1;
	}
	return numbers->slots[slot_of(numbers, id, hash_of(numbers, id))];
}

static void
refuse_id(const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("%s", problem),
			 errhint("%s", hint)));
}

/* Integers of which the table would be no larger than a sparse one. */
static void
find_range(SsotNumbers *numbers, const SsotElements *ids)
{
	int64		least = PG_INT64_MAX;
	int64		greatest = PG_INT64_MIN;
	uint64		size;

	for (int i = 0; i < ids->n; i++)
	{
		if (ids->nulls[i])
			continue;
		least = Min(least, (int64) ids->values[i]);
		greatest = Max(greatest, (int64) ids->values[i]);
	}
	size = (uint64) greatest - (uint64) least + 1;
	numbers->is_dense = ids->n > 0 && size - 1 < 4 * (uint64) ids->n;
	numbers->first = least;
	numbers->size = size;
}

static void
make_table(SsotNumbers *numbers, const SsotElements *ids)
{
	numbers->is_integer = ids->type == INT8OID || ids->type == INT4OID || ids->type == INT2OID;
	if (numbers->is_integer)
		find_range(numbers, ids);
	if (!numbers->is_dense)
	{
		for (numbers->size = 16; numbers->size < 2 * (uint64) ids->n;)
			numbers->size *= 2;
		numbers->hashes = palloc_extended(Max(ids->n, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	}
	numbers->slots = palloc_extended(numbers->size * sizeof(int), MCXT_ALLOC_HUGE);
	memset(numbers->slots, 0xff, numbers->size * sizeof(int));
}

/* The place of a new id. */
static uint64
place_of(SsotNumbers *numbers, int i)
{
	if (numbers->is_dense)
		return (uint64) numbers->ids[i] - (uint64) numbers->first;
	numbers->hashes[i] = hash_of(numbers, numbers->ids[i]);
	return slot_of(numbers, numbers->ids[i], numbers->hashes[i]);
}

/* An empty table for ids of which none is null. */
static SsotNumbers *
start_numbers(const SsotElements *ids)
{
	SsotNumbers *numbers = palloc0(sizeof(SsotNumbers));

	numbers->type = lookup_type_cache(ids->type, TYPECACHE_HASH_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO |
									  TYPECACHE_CMP_PROC_FINFO);
	if (!OidIsValid(numbers->type->hash_proc) || !OidIsValid(numbers->type->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("ids of type %s cannot be hashed", format_type_be(ids->type)),
				 errhint("Give them as text.")));
	numbers->ids = ids->values;
	make_table(numbers, ids);
	return numbers;
}

SsotNumbers *
ssot_number_ids(const SsotElements *ids)
{
	SsotNumbers *numbers = start_numbers(ids);

	for (int i = 0; i < ids->n; i++)
	{
		uint64		place;

		if ((i & 0xffff) == 0)
			CHECK_FOR_INTERRUPTS();
		if (ids->nulls[i])
			refuse_id("an id of a hierarchy is null", "Gather the ids from a column that is NOT NULL.");
		place = place_of(numbers, i);
		if (numbers->slots[place] >= 0)
			refuse_id("an id of a hierarchy is there twice", "Gather the ids from a column that is unique.");
		numbers->slots[place] = i;
	}
	return numbers;
}

static int
by_id(const void *a, const void *b, void *arg)
{
	const SsotNumbers *numbers = (const SsotNumbers *) arg;
	Datum		left = numbers->ids[*(const int *) a];
	Datum		right = numbers->ids[*(const int *) b];

	return DatumGetInt32(FunctionCall2Coll(&numbers->type->cmp_proc_finfo, numbers->type->typcollation,
										   left, right));
}

int *
ssot_sorted_by_id(const SsotNumbers *numbers, int n)
{
	int		   *sorted = palloc_extended(Max(n, 1) * sizeof(int), MCXT_ALLOC_HUGE);
	int			filled = 0;

	for (uint64 place = 0; numbers->is_dense && place < numbers->size; place++)
		if (numbers->slots[place] >= 0)
			sorted[filled++] = numbers->slots[place];
	if (numbers->is_dense)
		return sorted;
	for (int i = 0; i < n; i++)
		sorted[i] = i;
	if (OidIsValid(numbers->type->cmp_proc))
		qsort_arg(sorted, n, sizeof(int), by_id, unconstify(SsotNumbers *, numbers));
	return sorted;
}

int *
ssot_number_values(const SsotElements *values, int *n)
{
	int		   *thing = palloc_extended(Max(values->n, 1) * sizeof(int), MCXT_ALLOC_HUGE);
	SsotNumbers *numbers;

	*n = 0;
	if (values->n == 0)
		return thing;
	numbers = start_numbers(values);
	for (int i = 0; i < values->n; i++)
	{
		uint64		place;

		if ((i & 0xffff) == 0)
			CHECK_FOR_INTERRUPTS();
		thing[i] = -1;
		if (values->nulls[i])
			continue;
		place = place_of(numbers, i);
		if (numbers->slots[place] < 0)
		{
			numbers->slots[place] = i;
			thing[i] = (*n)++;
		}
		thing[i] = thing[numbers->slots[place]];
	}
	return thing;
}
