/*
 * identity/encode.c
 *		Records as numbers: every distinct value is prepared once.
 *
 * A value goes through two dictionaries. The first knows raw texts, by hash: a
 * text that was met before costs one look. A new one is prepared by its kind,
 * and the second dictionary knows prepared forms, by their bytes, so that "ACME
 * GmbH" and "Acme, GmbH" are one value if the kind says so. From then on a
 * record is a row of small numbers, and equal values are equal numbers.
 *
 * The first dictionary keeps 96 bits of hash and no text: that two of ten
 * million texts of one field meet there by accident has a probability below
 * 1e-14.
 *
 * In the end records are brought into the order of their keys' hashes. Whatever
 * follows (samples, ties, sums of floating-point numbers) depends on that order,
 * so the outcome does not depend on the order in which records arrived.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/encode.h"
#include "identity/radix.h"
#include "identity/tokens.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "utils/memutils.h"

/* Records whose values are fetched before they are needed. */
#define AHEAD	16

/* A raw text, by hash. */
typedef struct RawSlot
{
	uint64		hash;
	uint32		check;
	int			id;				/* -1: empty */
} RawSlot;

/* A prepared form, by hash. */
typedef struct FormSlot
{
	uint32		hash;
	int			id;				/* 0: empty */
} FormSlot;

typedef struct Dictionary
{
	RawSlot    *raw;
	uint32		raw_mask;
	int			nraw;
	FormSlot   *forms;
	uint32		form_mask;
	Size		used;			/* bytes */
	Size		allocated;
	int			capacity;		/* values */
} Dictionary;

struct SsotEncoder
{
	SsotRecords *records;
	int			number[SSOT_MAX_FIELDS];
	Dictionary	dictionaries[SSOT_MAX_FIELDS];
	int			capacity;		/* records */
	bool		any_group;
	StringInfoData form;
	MemoryContext value_context;
	int			since_reset;
};

static RawSlot *
allocate_raw(uint32 size)
{
	RawSlot    *slots = palloc_extended(sizeof(RawSlot) * size, MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < size; i++)
		slots[i].id = -1;
	return slots;
}

static FormSlot *
allocate_forms(uint32 size)
{
	return palloc_extended(sizeof(FormSlot) * size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

#define ALLOCATE(type, count) \
	((type *) palloc_extended(sizeof(type) * (Size) (count), MCXT_ALLOC_HUGE))
#define ENLARGE(array, type, count) \
	((array) = (type *) repalloc_huge(array, sizeof(type) * (Size) (count)))

SsotEncoder *
ssot_encoder_create(int nfields, const SsotKind *const *kinds, const char *const *names,
					const int *numbers)
{
	SsotEncoder *encoder = palloc0(sizeof(SsotEncoder));
	SsotRecords *records = palloc0(sizeof(SsotRecords));

	encoder->records = records;
	encoder->capacity = 1024;
	records->nfields = nfields;
	records->ids = ALLOCATE(int, encoder->capacity * nfields);
	records->key_hash = ALLOCATE(uint64, encoder->capacity);
	records->groups = ALLOCATE(uint64, encoder->capacity);
	for (int f = 0; f < nfields; f++)
	{
		SsotValues *values = &records->fields[f];
		Dictionary *dictionary = &encoder->dictionaries[f];

		encoder->number[f] = numbers == NULL ? f : numbers[f];
		values->kind = kinds[f];
		values->name = names[f];
		values->nvalues = 1;
		dictionary->raw_mask = dictionary->form_mask = 1023;
		dictionary->raw = allocate_raw(1024);
		dictionary->forms = allocate_forms(1024);
		dictionary->allocated = 8192;
		dictionary->capacity = 256;
		values->bytes = palloc(dictionary->allocated);
		values->offset = ALLOCATE(uint32, dictionary->capacity + 1);
		values->hash = ALLOCATE(uint64, dictionary->capacity);
		values->count = ALLOCATE(int, dictionary->capacity);
		values->offset[0] = values->offset[1] = 0;
		values->hash[0] = 0;
		values->count[0] = 0;
	}
	initStringInfo(&encoder->form);
	encoder->value_context = AllocSetContextCreate(CurrentMemoryContext, "value",
												   ALLOCSET_SMALL_SIZES);
	return encoder;
}

/* ---- prepared forms ------------------------------------------------------ */

static void
enlarge_forms(Dictionary *dictionary, const SsotValues *values)
{
	uint32		size = (dictionary->form_mask + 1) * 2;

	pfree(dictionary->forms);
	dictionary->forms = allocate_forms(size);
	dictionary->form_mask = size - 1;
	for (int id = 1; id < values->nvalues; id++)
	{
		uint32		i = values->hash[id] & dictionary->form_mask;

		while (dictionary->forms[i].id != 0)
			i = (i + 1) & dictionary->form_mask;
		dictionary->forms[i] = (FormSlot)
		{
			values->hash[id], id
		};
	}
}

static int
add_form(Dictionary *dictionary, SsotValues *values, uint64 hash, const char *form, int len)
{
	int			id = values->nvalues++;
	Size		size = MAXALIGN(len);

	if (id == dictionary->capacity)
	{
		dictionary->capacity *= 2;
		ENLARGE(values->offset, uint32, dictionary->capacity + 1);
		ENLARGE(values->hash, uint64, dictionary->capacity);
		ENLARGE(values->count, int, dictionary->capacity);
	}
	if (dictionary->used + size > dictionary->allocated)
	{
		dictionary->allocated = Max(dictionary->allocated * 2, dictionary->used + size);
		values->bytes = repalloc_huge(values->bytes, dictionary->allocated);
	}
	memcpy(values->bytes + dictionary->used, form, len);
	memset(values->bytes + dictionary->used + len, 0, size - len);
	dictionary->used += size;
	values->offset[id + 1] = dictionary->used / MAXIMUM_ALIGNOF;
	values->hash[id] = hash;
	values->count[id] = 0;
	return id;
}

static int
find_form(Dictionary *dictionary, SsotValues *values, const char *form, int len)
{
	uint64		hash = ssot_mix(ssot_hash_text(form, len));
	uint32		i = hash & dictionary->form_mask;
	int			id;

	for (; dictionary->forms[i].id != 0; i = (i + 1) & dictionary->form_mask)
	{
		id = dictionary->forms[i].id;
		if (dictionary->forms[i].hash == (uint32) hash &&
			(Size) (values->offset[id + 1] - values->offset[id]) * MAXIMUM_ALIGNOF == MAXALIGN(len) &&
			memcmp(ssot_value(values, id), form, len) == 0)
			return id;
	}
	id = add_form(dictionary, values, hash, form, len);
	dictionary->forms[i] = (FormSlot)
	{
		hash, id
	};
	if (values->nvalues > dictionary->form_mask / 2)
		enlarge_forms(dictionary, values);
	return id;
}

/*
 * Prepare a new text. One that is too long is cut; the hash of the whole keeps
 * it from being equal to another that begins alike.
 */
static int
prepare(SsotEncoder *encoder, int field, const char *text, int len, uint64 hash)
{
	SsotValues *values = &encoder->records->fields[field];
	bool		cut = len > SSOT_VALUE_MAX;
	MemoryContext old;
	bool		says;

	if (cut)
	{
		len = pg_mbcliplen(text, len, SSOT_VALUE_MAX);
		values->ncut++;
	}
	resetStringInfo(&encoder->form);
	old = MemoryContextSwitchTo(encoder->value_context);
	says = values->kind->prepare(&encoder->form, text, len);
	MemoryContextSwitchTo(old);
	if (++encoder->since_reset == 64)
	{
		MemoryContextReset(encoder->value_context);
		encoder->since_reset = 0;
	}
	if (!says)
		return 0;
	if (cut)
	{
		static const char padding[MAXIMUM_ALIGNOF] = {0};

		appendBinaryStringInfo(&encoder->form, padding,
							   MAXALIGN(encoder->form.len) - encoder->form.len);
		appendBinaryStringInfo(&encoder->form, (char *) &hash, sizeof(hash));
	}
	return find_form(&encoder->dictionaries[field], values, encoder->form.data, encoder->form.len);
}

/* ---- raw texts ----------------------------------------------------------- */

static void
enlarge_raw(Dictionary *dictionary)
{
	RawSlot    *old = dictionary->raw;
	uint32		old_size = dictionary->raw_mask + 1;

	dictionary->raw_mask = old_size * 2 - 1;
	dictionary->raw = allocate_raw(old_size * 2);
	for (uint32 j = 0; j < old_size; j++)
		if (old[j].id >= 0)
		{
			uint32		i = old[j].hash & dictionary->raw_mask;

			while (dictionary->raw[i].id >= 0)
				i = (i + 1) & dictionary->raw_mask;
			dictionary->raw[i] = old[j];
		}
	pfree(old);
}

static uint32
check_of(const char *text, int len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, text, len);
	FIN_CRC32C(crc);
	return crc;
}

static int
find_raw(SsotEncoder *encoder, int field, const char *text, int len, uint64 hash)
{
	Dictionary *dictionary = &encoder->dictionaries[field];
	uint32		check = check_of(text, len);
	uint32		i = hash & dictionary->raw_mask;
	int			id;

	for (; dictionary->raw[i].id >= 0; i = (i + 1) & dictionary->raw_mask)
		if (dictionary->raw[i].hash == hash && dictionary->raw[i].check == check)
			return dictionary->raw[i].id;
	id = prepare(encoder, field, text, len, hash);
	dictionary->raw[i] = (RawSlot)
	{
		hash, check, id
	};
	if (++dictionary->nraw > dictionary->raw_mask / 2)
		enlarge_raw(dictionary);
	return id;
}

void
ssot_encoder_add(SsotEncoder *encoder, uint64 key_hash, uint64 groups,
				 const char *const *texts, const int *lengths)
{
	SsotRecords *records = encoder->records;
	int			nfields = records->nfields;
	uint64		hashes[SSOT_MAX_FIELDS];
	int		   *ids;

	if (records->n == encoder->capacity)
	{
		if (encoder->capacity > PG_INT32_MAX / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many records to match at once")));
		encoder->capacity *= 2;
		ENLARGE(records->ids, int, (Size) encoder->capacity * nfields);
		ENLARGE(records->key_hash, uint64, encoder->capacity);
		ENLARGE(records->groups, uint64, encoder->capacity);
	}
	/* all look-ups are under way before the first one is waited for */
	for (int f = 0; f < nfields; f++)
		if (texts[f] != NULL)
		{
			hashes[f] = ssot_hash_text(texts[f], lengths[f]);
			__builtin_prefetch(&encoder->dictionaries[f].raw[hashes[f] & encoder->dictionaries[f].raw_mask]);
		}
	ids = records->ids + (Size) records->n * nfields;
	for (int f = 0; f < nfields; f++)
	{
		ids[f] = texts[f] == NULL ? 0 : find_raw(encoder, f, texts[f], lengths[f], hashes[f]);
		records->fields[f].count[ids[f]]++;
	}
	records->key_hash[records->n] = key_hash;
	records->groups[records->n] = groups;
	encoder->any_group |= groups != 0;
	records->n++;
}

/* ---- the end ------------------------------------------------------------- */

/* Records into the order of their keys' hashes. */
static void
order_records(SsotRecords *records)
{
	int			n = records->n;
	SsotRadixEntry *order = ALLOCATE(SsotRadixEntry, Max(n, 1));
	int		   *ids = ALLOCATE(int, (Size) Max(n, 1) * records->nfields);
	uint64	   *key_hash = ALLOCATE(uint64, Max(n, 1));
	uint64	   *groups = ALLOCATE(uint64, Max(n, 1));

	for (int i = 0; i < n; i++)
		order[i] = (SsotRadixEntry)
	{
		records->key_hash[i], i
	};
	ssot_radix_sort(order, n, 64);
	records->arrival = ALLOCATE(int, Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		int			from = order[i].number;

		memcpy(ids + (Size) i * records->nfields, records->ids + (Size) from * records->nfields,
			   sizeof(int) * records->nfields);
		key_hash[i] = records->key_hash[from];
		groups[i] = records->groups[from];
		records->arrival[i] = from;
	}
	pfree(order);
	pfree(records->ids);
	pfree(records->key_hash);
	pfree(records->groups);
	records->ids = ids;
	records->key_hash = key_hash;
	records->groups = groups;
}

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
weigh_values(SsotValues *values, int nrecords, SsotTokenShares *known)
{
	NoteArg		arg;

	if (values->kind->tokens == NULL)
		return;
	values->shares = known;
	if (known == NULL)
		arg.shares = values->shares = ssot_token_shares_create(nrecords - values->count[0]);
	for (int id = 1; id < values->nvalues && known == NULL; id++)
	{
		if ((id & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		arg.count = values->count[id];
		values->kind->tokens(ssot_value(values, id), note_token, &arg);
	}
	if (values->kind->weigh == NULL)
		return;
	for (int id = 1; id < values->nvalues; id++)
	{
		if ((id & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		values->kind->weigh(values->bytes + (Size) values->offset[id] * MAXIMUM_ALIGNOF,
							values->shares);
	}
}

static void
collect_keys(SsotValues *values, int field, MemoryContext context)
{
	uint32		capacity = 1024;
	uint32		n = 0;

	values->first_key = ALLOCATE(uint32, values->nvalues + 1);
	values->keys = ALLOCATE(uint64, capacity);
	values->classes = ALLOCATE(uint8, capacity);
	values->first_key[0] = 0;
	for (int id = 0; id < values->nvalues; id++)
	{
		SsotValueKeys keys = {0};
		MemoryContext old;

		values->first_key[id] = n;
		if ((id & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (id == 0 || values->kind->keys == NULL)
			continue;
		old = MemoryContextSwitchTo(context);
		values->kind->keys(ssot_value(values, id), &keys);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		if (n + keys.count > capacity)
		{
			capacity *= 2;
			ENLARGE(values->keys, uint64, capacity);
			ENLARGE(values->classes, uint8, capacity);
		}
		for (int k = 0; k < keys.count; k++)
		{
			int			class = keys.class[k];
			bool		sorted = (values->kind->classes[class].use & SSOT_KEY_SORTED) != 0;

			values->classes[n] = class;
			values->keys[n++] = sorted ? keys.hash[k] :
				ssot_mix(keys.hash[k] + (uint64) (field * 16 + class + 1) * UINT64CONST(0x9E3779B97F4A7C15));
		}
	}
	values->first_key[values->nvalues] = n;
}

/* How many keys of each class a value has at most. */
static void
count_slots(SsotValues *values)
{
	for (int id = 1; id < values->nvalues; id++)
	{
		uint8		count[SSOT_MAX_CLASSES] = {0};

		for (uint32 k = values->first_key[id]; k < values->first_key[id + 1]; k++)
		{
			int			class = values->classes[k];

			if (count[class] == SSOT_CLASS_SLOTS ||
				(values->kind->classes[class].use & SSOT_KEY_SORTED))
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
spread_keys(SsotRecords *records, int field)
{
	SsotValues *values = &records->fields[field];

	count_slots(values);
	for (int c = 0; c < values->kind->nclasses; c++)
		if (values->by_record[c].nslots > 0)
			values->by_record[c].keys =
				palloc_extended(sizeof(uint32) * values->by_record[c].nslots * records->n,
								MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int r = 0; r < records->n; r++)
	{
		int			id = records->ids[(Size) r * records->nfields + field];
		uint8		count[SSOT_MAX_CLASSES] = {0};

		if ((r & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (r + AHEAD < records->n)
			__builtin_prefetch(&values->first_key[records->ids[(Size) (r + AHEAD) * records->nfields + field]]);
		for (uint32 k = values->first_key[id]; k < values->first_key[id + 1]; k++)
		{
			SsotClassKeys *class = &values->by_record[values->classes[k]];
			int			slot = count[values->classes[k]];

			if (slot >= class->nslots)
				continue;
			class->keys[(Size) r * class->nslots + slot] = (uint32) (values->keys[k] >> 32) | 1;
			count[values->classes[k]]++;
		}
	}
}

SsotRecords *
ssot_encoder_finish(SsotEncoder *encoder, SsotTokenShares *const *shares)
{
	SsotRecords *records = encoder->records;

	order_records(records);
	for (int f = 0; f < records->nfields; f++)
	{
		pfree(encoder->dictionaries[f].raw);
		pfree(encoder->dictionaries[f].forms);
		weigh_values(&records->fields[f], records->n, shares == NULL ? NULL : shares[f]);
		collect_keys(&records->fields[f], encoder->number[f], encoder->value_context);
		spread_keys(records, f);
	}
	if (!encoder->any_group)
	{
		pfree(records->groups);
		records->groups = NULL;
	}
	MemoryContextDelete(encoder->value_context);
	pfree(encoder->form.data);
	pfree(encoder);
	return records;
}
