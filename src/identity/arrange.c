/*
 * identity/arrange.c
 *		The last steps of encoding: order, rarity, keys.
 *
 * All records and values are known now. They are put into orders that depend on
 * the records' keys alone, words learn how rare they are, and what values have
 * as keys is laid out record by record.
 *
 * Each array here is larger than the caches, and some are met in no order. What
 * a later turn of a loop will need is therefore asked for some turns ahead.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/arrange.h"
#include "identity/large.h"
#include "identity/radix.h"
#include "identity/tokens.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* Turns by which memory is asked for before it is needed. */
#define AHEAD		16
#define FEW_AHEAD	6			/* where a turn needs several */

/* ---- order --------------------------------------------------------------- */

/* Records into the order of their keys' hashes. */
static void
order_records(SsotRecords *records)
{
	int			n = records->n;
	int			nfields = records->nfields;
	SsotRadixEntry *order = SSOT_LARGE(SsotRadixEntry, n);
	int		   *ids;

	for (int i = 0; i < n; i++)
		order[i] = (SsotRadixEntry)
	{
		records->key_hash[i], i
	};
	ssot_radix_sort(order, n, 64);
	records->arrival = SSOT_LARGE(int, n);
	for (int i = 0; i < n; i++)
	{
		records->key_hash[i] = order[i].key;
		records->arrival[i] = order[i].number;
	}
	ssot_large_free(order);
	CHECK_FOR_INTERRUPTS();
	ids = SSOT_LARGE(int, (Size) n * nfields);
	for (int i = 0; i < n; i++)
	{
		if (i + AHEAD < n)
			__builtin_prefetch(records->ids + (Size) records->arrival[i + AHEAD] * nfields);
		memcpy(ids + (Size) i * nfields, records->ids + (Size) records->arrival[i] * nfields,
			   sizeof(int) * nfields);
	}
	ssot_large_free(records->ids);
	records->ids = ids;
	if (records->groups != NULL)
	{
		uint64	   *groups = SSOT_LARGE(uint64, n);

		for (int i = 0; i < n; i++)
			groups[i] = records->groups[records->arrival[i]];
		ssot_large_free(records->groups);
		records->groups = groups;
	}
}

/* New numbers for the values of a field; returns the old ones by the new. */
static int *
number_values(SsotRecords *records, int field)
{
	SsotValues *values = &records->fields[field];
	int			nfields = records->nfields;
	int		   *ids = records->ids + field;
	int		   *new = SSOT_LARGE0(int, values->nvalues);
	int		   *old = SSOT_LARGE(int, values->nvalues);
	int			next = 1;

	old[0] = 0;
	for (int r = 0; r < records->n; r++)
	{
		int		   *id = ids + (Size) r * nfields;

		if ((r & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (r + AHEAD < records->n)
			__builtin_prefetch(&new[id[AHEAD * nfields]]);
		if (*id != 0 && new[*id] == 0)
		{
			old[next] = *id;
			new[*id] = next++;
		}
		*id = new[*id];
		values->count[*id]++;
	}
	Assert(next == values->nvalues);
	ssot_large_free(new);
	return old;
}

static void
order_values(SsotRecords *records, int field, const SsotHome *home)
{
	SsotValues *values = &records->fields[field];
	SsotValues	before = *values;
	int			n = values->nvalues;
	int		   *old;

	ssot_home_values(home, field, values, (Size) before.offset[n] * MAXIMUM_ALIGNOF);
	old = number_values(records, field);
	values->offset[0] = values->offset[1] = 0;
	values->hash[0] = 0;
	for (int id = 1; id < n; id++)
	{
		Size		size = before.offset[old[id] + 1] - before.offset[old[id]];

		if ((id & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (id + 2 * AHEAD < n)
		{
			__builtin_prefetch(&before.offset[old[id + 2 * AHEAD]]);
			__builtin_prefetch(&before.hash[old[id + 2 * AHEAD]]);
			__builtin_prefetch(ssot_value(&before, old[id + AHEAD]));
		}
		memcpy(values->bytes + (Size) values->offset[id] * MAXIMUM_ALIGNOF,
			   ssot_value(&before, old[id]), size * MAXIMUM_ALIGNOF);
		values->offset[id + 1] = values->offset[id] + size;
		values->hash[id] = before.hash[old[id]];
	}
	ssot_large_free(old);
	ssot_large_free(before.bytes);
	ssot_large_free(before.offset);
	ssot_large_free(before.hash);
}

void
ssot_records_arrange(SsotRecords *records, const SsotHome *home)
{
	order_records(records);
	for (int f = 0; f < records->nfields; f++)
		order_values(records, f, home);
}

/* ---- rarity -------------------------------------------------------------- */

typedef struct NoteArg
{
	SsotTokenShares *shares;
	int			count;
} NoteArg;

static void
note_token(uint64 token, void *arg)
{
	ssot_token_note(((NoteArg *) arg)->shares, token, ((NoteArg *) arg)->count);
}

static void
announce_token(uint64 token, void *arg)
{
	ssot_token_announce(arg, token);
}

/* The table of tokens is met in no order: ask for what a later value will need. */
static void
announce_tokens(const SsotValues *values, int id)
{
	if (id < values->nvalues)
		values->kind->tokens(ssot_value(values, id), announce_token, values->shares);
}

static void
weigh_values(SsotValues *values, int nrecords, SsotTokenShares *known)
{
	NoteArg		arg;

	if (values->kind->tokens == NULL)
		return;
	values->shares = known;
	values->shares_known = known != NULL;
	if (known == NULL)
		arg.shares = values->shares = ssot_token_shares_create(nrecords - values->count[0]);
	for (int id = 1; id < values->nvalues && known == NULL; id++)
	{
		if ((id & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		announce_tokens(values, id + FEW_AHEAD);
		arg.count = values->count[id];
		values->kind->tokens(ssot_value(values, id), note_token, &arg);
	}
	if (known == NULL)
		ssot_token_settle(values->shares);
	if (values->kind->weigh == NULL)
		return;
	for (int id = 1; id < values->nvalues; id++)
	{
		if ((id & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		announce_tokens(values, id + FEW_AHEAD);
		values->kind->weigh(values->bytes + (Size) values->offset[id] * MAXIMUM_ALIGNOF,
							values->shares);
	}
}

/* ---- keys ---------------------------------------------------------------- */

/* The keys of all values, as long as it takes to give them to the records. */
typedef struct KeyList
{
	uint32	   *first;			/* [nvalues + 1] */
	uint32	   *keys;
	uint8	   *classes;
	uint32		capacity;
	uint32		n;
} KeyList;

static void
take_keys(KeyList *list, int field, const SsotValueKeys *keys)
{
	if (list->n + keys->count > list->capacity)
	{
		list->capacity *= 2;
		SSOT_ENLARGE(list->keys, uint32, list->capacity);
		SSOT_ENLARGE(list->classes, uint8, list->capacity);
	}
	for (int k = 0; k < keys->count; k++)
	{
		int			class = keys->class[k];
		uint64		hash = keys->hash[k] +
		(uint64) (field * 16 + class + 1) * UINT64CONST(0x9E3779B97F4A7C15);

		list->classes[list->n] = class;
		list->keys[list->n++] = (uint32) (ssot_mix(hash) >> 32) | 1;
	}
}

static void
collect_keys(KeyList *list, SsotValues *values, int field, MemoryContext context)
{
	const SsotKind *kind = values->kind;

	list->capacity = 1024;
	list->first = SSOT_LARGE(uint32, values->nvalues + 1);
	list->keys = SSOT_LARGE(uint32, list->capacity);
	list->classes = SSOT_LARGE(uint8, list->capacity);
	list->first[0] = list->first[1] = 0;
	for (int id = 1; id < values->nvalues; id++)
	{
		SsotValueKeys keys;
		MemoryContext old;

		keys.count = 0;
		if ((id & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (kind->keys != NULL)
		{
			old = MemoryContextSwitchTo(context);
			kind->keys(ssot_value(values, id), &keys);
			MemoryContextSwitchTo(old);
			if ((id & 63) == 0)
				MemoryContextReset(context);
			take_keys(list, field, &keys);
		}
		list->first[id + 1] = list->n;
	}
}

/* How many keys of each class a value has at most. */
static void
count_slots(const KeyList *list, SsotValues *values)
{
	for (int id = 1; id < values->nvalues; id++)
	{
		uint8		count[SSOT_MAX_CLASSES] = {0};

		for (uint32 k = list->first[id]; k < list->first[id + 1]; k++)
		{
			int			class = list->classes[k];

			if (count[class] == SSOT_CLASS_SLOTS)
				continue;
			count[class]++;
			values->by_record[class].nslots = Max(values->by_record[class].nslots, count[class]);
		}
	}
}

/*
 * The keys of each record, side by side with those of the next one: blocking
 * goes through them again and again, and would otherwise jump from value to
 * value each time.
 */
static void
spread_keys(const KeyList *list, SsotRecords *records, int field, const SsotHome *home)
{
	SsotValues *values = &records->fields[field];
	const int  *ids = records->ids + field;

	count_slots(list, values);
	for (int c = 0; c < values->kind->nclasses; c++)
		if (values->by_record[c].nslots > 0)
			ssot_home_keys(home, field, values, c, records->n);
	for (int r = 0; r < records->n; r++)
	{
		int			id = ids[(Size) r * records->nfields];
		uint8		count[SSOT_MAX_CLASSES] = {0};

		if ((r & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (r + 2 * AHEAD < records->n)
		{
			__builtin_prefetch(&list->first[ids[(Size) (r + 2 * AHEAD) * records->nfields]]);
			__builtin_prefetch(&list->keys[list->first[ids[(Size) (r + AHEAD) * records->nfields]]]);
		}
		for (uint32 k = list->first[id]; k < list->first[id + 1]; k++)
		{
			SsotClassKeys *class = &values->by_record[list->classes[k]];
			int			slot = count[list->classes[k]];

			if (slot >= class->nslots)
				continue;
			class->keys[(Size) r * class->nslots + slot] = list->keys[k];
			count[list->classes[k]]++;
		}
	}
}

void
ssot_records_spread(SsotRecords *records, int field, int number, SsotTokenShares *known,
					const SsotHome *home, MemoryContext context)
{
	KeyList		list = {0};

	weigh_values(&records->fields[field], records->n, known);
	collect_keys(&list, &records->fields[field], number, context);
	spread_keys(&list, records, field, home);
	ssot_home_tokens(home, field, &records->fields[field]);
	ssot_large_free(list.first);
	ssot_large_free(list.keys);
	ssot_large_free(list.classes);
}
