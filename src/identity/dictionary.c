/*
 * identity/dictionary.c
 *		The distinct texts and values of one field, while records are read.
 *
 * Two hash tables. The first knows raw texts, by 96 bits of hash and without the
 * text: that two of ten million meet there by accident has a probability below
 * 1e-14. The second knows prepared forms, by their bytes. Where hardly any text is
 * met again, as of addresses and telephone numbers, the first is given up: preparing
 * the few anew costs less than looking all up.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/dictionary.h"
#include "identity/large.h"

/* Entries at which a table is enlarged: more pages would have to be zeroed for a
 * smaller share. */
#define FULL(mask)	((mask) / 4 * 3)

/* From so many texts on it can be told whether they are met again. */
#define MANY_TEXTS	40000

void
ssot_dictionary_begin(SsotDictionary *dictionary, SsotValues *values)
{
	memset(dictionary, 0, sizeof(*dictionary));
	dictionary->raw_mask = dictionary->form_mask = 1023;
	dictionary->raw = SSOT_LARGE0(SsotRawSlot, 1024);
	dictionary->forms = SSOT_LARGE0(SsotFormSlot, 1024);
	dictionary->allocated = 8192;
	dictionary->capacity = 256;
	values->nvalues = 1;
	values->bytes = SSOT_LARGE(char, dictionary->allocated);
	values->offset = SSOT_LARGE(uint32, dictionary->capacity + 1);
	values->hash = SSOT_LARGE(uint64, dictionary->capacity);
	values->offset[0] = values->offset[1] = 0;
	values->hash[0] = 0;
}

void
ssot_dictionary_end(SsotDictionary *dictionary)
{
	if (dictionary->raw != NULL)
		ssot_large_free(dictionary->raw);
	ssot_large_free(dictionary->forms);
}

/* ---- prepared forms ------------------------------------------------------ */

/* Both halves of the new table are filled from front to back. */
static void
enlarge_forms(SsotDictionary *dictionary)
{
	SsotFormSlot *old = dictionary->forms;
	uint32		old_size = dictionary->form_mask + 1;

	dictionary->form_mask = old_size * 2 - 1;
	dictionary->forms = SSOT_LARGE0(SsotFormSlot, old_size * 2);
	for (uint32 j = 0; j < old_size; j++)
		if (old[j].id != 0)
		{
			uint32		i = old[j].hash & dictionary->form_mask;

			while (dictionary->forms[i].id != 0)
				i = (i + 1) & dictionary->form_mask;
			dictionary->forms[i] = old[j];
		}
	ssot_large_free(old);
}

static int
add_form(SsotDictionary *dictionary, SsotValues *values, uint64 hash, const char *form, int len)
{
	int			id = values->nvalues++;
	Size		size = MAXALIGN(len);

	if (id == dictionary->capacity)
	{
		dictionary->capacity *= 2;
		SSOT_ENLARGE(values->offset, uint32, dictionary->capacity + 1);
		SSOT_ENLARGE(values->hash, uint64, dictionary->capacity);
	}
	if (dictionary->used + size > dictionary->allocated)
	{
		dictionary->allocated = Max(dictionary->allocated * 2, dictionary->used + size);
		SSOT_ENLARGE(values->bytes, char, dictionary->allocated);
	}
	memcpy(values->bytes + dictionary->used, form, len);
	memset(values->bytes + dictionary->used + len, 0, size - len);
	dictionary->used += size;
	values->offset[id + 1] = dictionary->used / MAXIMUM_ALIGNOF;
	values->hash[id] = hash;
	return id;
}

int
ssot_dictionary_form(SsotDictionary *dictionary, SsotValues *values, uint64 hash, const char *form,
					 int len)
{
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
	dictionary->forms[i] = (SsotFormSlot)
	{
		hash, id
	};
	if (values->nvalues > FULL(dictionary->form_mask))
		enlarge_forms(dictionary);
	return id;
}

/* ---- raw texts ----------------------------------------------------------- */

static void
enlarge_raw(SsotDictionary *dictionary)
{
	SsotRawSlot *old = dictionary->raw;
	uint32		old_size = dictionary->raw_mask + 1;

	dictionary->raw_mask = old_size * 2 - 1;
	dictionary->raw = SSOT_LARGE0(SsotRawSlot, old_size * 2);
	for (uint32 j = 0; j < old_size; j++)
		if (old[j].id != 0)
		{
			uint32		i = old[j].hash & dictionary->raw_mask;

			while (dictionary->raw[i].id != 0)
				i = (i + 1) & dictionary->raw_mask;
			dictionary->raw[i] = old[j];
		}
	ssot_large_free(old);
}

/* Raw texts are given up where finding them again saves less than it costs. */
void
ssot_dictionary_make_room(SsotDictionary *dictionary, const SsotKind *kind, int ntexts)
{
	int64		met = dictionary->looked - dictionary->nraw;

	if (dictionary->raw == NULL || dictionary->nraw + ntexts <= FULL(dictionary->raw_mask))
		return;
	if (dictionary->nraw < MANY_TEXTS || met * Max(kind->cost, 1) > dictionary->nraw)
	{
		enlarge_raw(dictionary);
		return;
	}
	ssot_large_free(dictionary->raw);
	dictionary->raw = NULL;
}

int
ssot_dictionary_text(SsotDictionary *dictionary, uint64 hash, uint32 check, int new, uint32 *place)
{
	uint32		i = hash & dictionary->raw_mask;

	dictionary->looked++;
	for (; dictionary->raw[i].id != 0; i = (i + 1) & dictionary->raw_mask)
		if (dictionary->raw[i].hash == hash && dictionary->raw[i].check == check)
			return dictionary->raw[i].id - 1;
	dictionary->nraw++;
	dictionary->raw[i] = (SsotRawSlot)
	{
		hash, check, new + 1
	};
	*place = i;
	return new;
}
