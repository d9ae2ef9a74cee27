/*
 * drift/walk.c
 *		Hashing and picking columns of a row without forming its values.
 *
 * The walk follows nocachegetattr: a column begins at the next multiple of its
 * alignment, except that a variable-length value with a one-byte header is not
 * aligned, which its first byte (never 0, as padding is) tells.
 */
#include "postgres.h"

#include "ssot.h"
#include "drift/walk.h"

#include "access/tupmacs.h"
#include "catalog/pg_type.h"

/* What to do at a column, decided once: the shape of its type and its action. */
typedef enum WalkStep
{
	STEP_SKIP_FIXED,
	STEP_SKIP_VARLENA,
	STEP_HASH_4,				/* four bytes by value */
	STEP_HASH_8,
	STEP_HASH_VARLENA,
	STEP_OTHER
} WalkStep;

static WalkStep
choose_step(const SsotWalkColumn *column)
{
	if (column->action == SSOT_WALK_SKIP)
		return column->typlen > 0 ? STEP_SKIP_FIXED :
			column->typlen == -1 ? STEP_SKIP_VARLENA : STEP_OTHER;
	if (column->action == SSOT_WALK_HASH && column->typbyval && column->typlen == 4)
		return STEP_HASH_4;
	if (column->action == SSOT_WALK_HASH && column->typbyval && column->typlen == 8)
		return STEP_HASH_8;
	if (column->action == SSOT_WALK_HASH && column->typlen == -1)
		return STEP_HASH_VARLENA;
	return STEP_OTHER;
}

SsotWalker *
ssot_walker_create(TupleDesc desc, int nresults, SsotSeed seed)
{
	SsotWalker *walker = palloc0(sizeof(SsotWalker));

	walker->ncolumns = desc->natts;
	walker->columns = palloc0(sizeof(SsotWalkColumn) * Max(desc->natts, 1));
	walker->seed = seed;
	walker->hashes = palloc0(sizeof(uint64) * Max(nresults, 1));
	walker->values = palloc0(sizeof(Datum) * Max(nresults, 1));
	walker->nulls = palloc0(sizeof(bool) * Max(nresults, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		SsotWalkColumn *column = &walker->columns[i];

		column->typlen = att->attlen;
		column->typbyval = att->attbyval;
		column->align = att->attalign == TYPALIGN_DOUBLE ? ALIGNOF_DOUBLE :
			att->attalign == TYPALIGN_INT ? ALIGNOF_INT :
			att->attalign == TYPALIGN_SHORT ? ALIGNOF_SHORT : 1;
		column->unstored = att->atthasmissing || att->attgenerated == 'v';
		column->action = SSOT_WALK_SKIP;
		column->step = choose_step(column);
	}
	return walker;
}

void
ssot_walker_want(SsotWalker *walker, AttrNumber attnum, SsotWalkAction action,
				 int index, uint64 seed)
{
	SsotWalkColumn *column = &walker->columns[attnum - 1];

	column->action = action;
	column->index = index;
	column->seed = seed;
	column->step = choose_step(column);
	walker->last = Max(walker->last, attnum);
	walker->misses |= column->unstored;
}

static pg_noinline uint64
hash_extended(SsotWalker *walker, const SsotWalkColumn *column, struct varlena *data)
{
	struct varlena *plain = pg_detoast_datum_packed(data);
	uint64		hash = ssot_hash_bytes(column->seed, VARDATA_ANY(plain),
									   VARSIZE_ANY_EXHDR(plain), walker->seed);

	pfree(plain);
	return hash;
}

static inline uint64
hash_varlena(SsotWalker *walker, const SsotWalkColumn *column, const char *data)
{
	if (unlikely(VARATT_IS_EXTENDED(data) && !VARATT_IS_SHORT(data)))
		return hash_extended(walker, column, (struct varlena *) data);
	return ssot_hash_bytes(column->seed, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data),
						   walker->seed);
}

static void
take_null(SsotWalker *walker, const SsotWalkColumn *column)
{
	if (column->action == SSOT_WALK_SKIP)
		return;
	walker->nulls[column->index] = true;
	walker->hashes[column->index] = ssot_hash_word(column->seed, SSOT_HASH_NULL, walker->seed);
}

/* A column's value, as it lies in a tuple. */
static void
take_stored(SsotWalker *walker, const SsotWalkColumn *column, const char *data)
{
	uint64		hash;

	if (column->action == SSOT_WALK_SKIP)
		return;
	walker->nulls[column->index] = false;
	if (column->action == SSOT_WALK_PICK)
	{
		walker->values[column->index] = fetch_att(data, column->typbyval, column->typlen);
		return;
	}
	if (column->typlen == -1)
		hash = hash_varlena(walker, column, data);
	else if (column->typbyval)
		hash = ssot_hash_word(column->seed,
							  (uint64) fetch_att(data, true, column->typlen), walker->seed);
	else
		hash = ssot_hash_bytes(column->seed, data,
							   column->typlen > 0 ? column->typlen : strlen(data),
							   walker->seed);
	walker->hashes[column->index] = hash;
}

void
ssot_walk_tuple(SsotWalker *walker, HeapTuple tuple)
{
	HeapTupleHeader header = tuple->t_data;
	const bits8 *null_bits = HeapTupleHasNulls(tuple) ? header->t_bits : NULL;
	const char *p = (char *) header + header->t_hoff;
	int			present = Min(walker->last, HeapTupleHeaderGetNatts(header));
	SsotSeed	seed = walker->seed;
	uint64	   *hashes = walker->hashes;
	bool	   *nulls = walker->nulls;
	int			i;

	/* a tuple and its data begin at multiples of 8: addresses can be aligned */
	for (i = 0; i < present; i++)
	{
		const SsotWalkColumn *column = &walker->columns[i];

		if (null_bits != NULL && att_isnull(i, null_bits))
		{
			take_null(walker, column);
			continue;
		}
		switch ((WalkStep) column->step)
		{
			case STEP_SKIP_FIXED:
				p = (char *) TYPEALIGN(column->align, p) + column->typlen;
				break;
			case STEP_SKIP_VARLENA:
				if (*p == 0)
					p = (char *) TYPEALIGN(column->align, p);
				p += VARSIZE_ANY(p);
				break;
			case STEP_HASH_4:
				p = (char *) TYPEALIGN(4, p);
				hashes[column->index] =
					ssot_hash_word(column->seed, (uint64) Int32GetDatum(*(const int32 *) p), seed);
				nulls[column->index] = false;
				p += 4;
				break;
			case STEP_HASH_8:
				p = (char *) TYPEALIGN(column->align, p);
				hashes[column->index] = ssot_hash_word(column->seed, ssot_read64(p), seed);
				nulls[column->index] = false;
				p += 8;
				break;
			case STEP_HASH_VARLENA:
				if (likely(VARATT_IS_1B(p) && !VARATT_IS_1B_E(p)))
				{
					Size		length = VARSIZE_1B(p);

					hashes[column->index] =
						ssot_hash_bytes(column->seed, p + 1, length - 1, seed);
					nulls[column->index] = false;
					p += length;
					break;
				}
				/* fall through */
			case STEP_OTHER:
				if (column->typlen != -1 || *p == 0)
					p = (char *) TYPEALIGN(column->align, p);
				take_stored(walker, column, p);
				p += column->typlen > 0 ? (Size) column->typlen :
					column->typlen == -1 ? VARSIZE_ANY(p) : strlen(p) + 1;
				break;
		}
	}
	for (; i < walker->last; i++)
		take_null(walker, &walker->columns[i]);
}

void
ssot_walk_slot(SsotWalker *walker, TupleTableSlot *slot)
{
	slot_getsomeattrs(slot, walker->last);
	for (int i = 0; i < walker->last; i++)
	{
		const SsotWalkColumn *column = &walker->columns[i];

		if (slot->tts_isnull[i])
			take_null(walker, column);
		else if (column->typbyval && column->action == SSOT_WALK_HASH)
		{
			walker->nulls[column->index] = false;
			walker->hashes[column->index] =
				ssot_hash_word(column->seed, (uint64) slot->tts_values[i], walker->seed);
		}
		else if (column->action == SSOT_WALK_PICK)
		{
			walker->nulls[column->index] = false;
			walker->values[column->index] = slot->tts_values[i];
		}
		else
			take_stored(walker, column, DatumGetPointer(slot->tts_values[i]));
	}
}
