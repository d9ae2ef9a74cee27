/*
 * identity/encode.c
 *		Records as numbers: every distinct value is prepared once.
 *
 * A value goes through two dictionaries (dictionary.c). The first knows raw texts:
 * one that was met before costs one look. A new one is prepared by its kind, and the
 * second knows prepared forms, so that "ACME GmbH" and "Acme, GmbH" are one value if
 * the kind says so. From then on a record is a row of small numbers, and equal values
 * are equal numbers.
 *
 * Of a million records both dictionaries are far larger than any cache, and to
 * wait for memory would be most of the work. So records are looked up in batches:
 * whatever a step needs has been asked for when the step before it began.
 *
 * In the end records are brought into the order of their keys' hashes, and values
 * into that of the first record that has them. Whatever follows (samples, ties,
 * sums of floating-point numbers) depends on these orders, so the outcome does not
 * depend on the order in which records arrived; and what goes through records in
 * their order meets most values in the order in which they lie in memory.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/arrange.h"
#include "identity/dictionary.h"
#include "identity/large.h"
#include "identity/segment.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "utils/memutils.h"

/* Records that are looked up together. */
#define BATCH	64

/* What is kept of a text until its batch is looked up: what a kind may see, and
 * the character that is cut. */
#define KEPT	(SSOT_VALUE_MAX + MAX_MULTIBYTE_CHAR_LEN)

/* What preparing some values takes, so that it is allocated but once. */
#define VALUE_MEMORY	(32 * 1024)

/* What the batch's new text k stands for until it is prepared. */
#define NEW(k)	(-2 - (k))		/* its own inverse */
#define NOWHERE	PG_UINT32_MAX

/* So much of the texts of a batch is kept; of long texts a batch has fewer. */
#define TEXTS	(32 * 1024)

/* A text that waits for its look-up. */
typedef struct Waiting
{
	uint64		hash;
	uint32		check;
	const char *text;
	int			length;			/* of the whole; -1: there is none */
} Waiting;

/* A text that was not met before. */
typedef struct NewText
{
	Waiting    *text;
	int			field;
	uint32		slot;			/* its place in the first dictionary, NOWHERE */
	int			start;			/* of the form, in the batch's forms */
	int			length;			/* 0: it says nothing */
	uint64		hash;			/* of the form */
	int			id;
} NewText;

struct SsotEncoder
{
	SsotRecords *records;
	int			number[SSOT_MAX_FIELDS];
	SsotDictionary dictionaries[SSOT_MAX_FIELDS];
	int			capacity;		/* records */
	bool		any_group;
	int			nwaiting;		/* records; the last ones of "records" */
	Waiting    *waiting;		/* [SSOT_MAX_FIELDS][BATCH] */
	char	   *texts;			/* of the records that wait, if they must be
								 * kept */
	Size		used;
	Size		room;
	NewText    *new_texts;		/* [SSOT_MAX_FIELDS * BATCH] */
	int			nnew;
	StringInfoData forms;
	StringInfoData form;
	MemoryContext value_context;
	int			since_reset;
};

SsotEncoder *
ssot_encoder_create(int nfields, const SsotKind *const *kinds, const char *const *names,
					const int *numbers)
{
	SsotEncoder *encoder = palloc0(sizeof(SsotEncoder));
	SsotRecords *records = palloc0(sizeof(SsotRecords));

	encoder->records = records;
	encoder->capacity = 1024;
	records->nfields = nfields;
	records->ids = SSOT_LARGE(int, encoder->capacity * nfields);
	records->key_hash = SSOT_LARGE(uint64, encoder->capacity);
	records->groups = SSOT_LARGE(uint64, encoder->capacity);
	for (int f = 0; f < nfields; f++)
	{
		SsotValues *values = &records->fields[f];

		encoder->number[f] = numbers == NULL ? f : numbers[f];
		values->kind = kinds[f];
		values->name = names[f];
		ssot_dictionary_begin(&encoder->dictionaries[f], values);
	}
	encoder->waiting = palloc(sizeof(Waiting) * SSOT_MAX_FIELDS * BATCH);
	encoder->new_texts = palloc(sizeof(NewText) * SSOT_MAX_FIELDS * BATCH);
	encoder->texts = palloc(TEXTS);
	encoder->room = TEXTS;
	initStringInfo(&encoder->forms);
	initStringInfo(&encoder->form);
	encoder->value_context = AllocSetContextCreate(CurrentMemoryContext, "value",
												   0, VALUE_MEMORY, ALLOCSET_DEFAULT_MAXSIZE);
	return encoder;
}

/* ---- texts ---------------------------------------------------------------- */

/*
 * Prepare a new text. One that is too long is cut; the hash of the whole keeps
 * it from being equal to another that begins alike.
 */
static void
prepare(SsotEncoder *encoder, NewText *new)
{
	SsotValues *values = &encoder->records->fields[new->field];
	StringInfo	form = &encoder->form;
	const char *text = new->text->text;
	int			len = new->text->length;
	bool		cut = len > SSOT_VALUE_MAX;
	MemoryContext old;
	bool		says;

	if (cut)
		len = pg_mbcliplen(text, Min(len, KEPT), SSOT_VALUE_MAX);
	resetStringInfo(form);
	old = MemoryContextSwitchTo(encoder->value_context);
	says = values->kind->prepare(form, text, len);
	MemoryContextSwitchTo(old);
	if (++encoder->since_reset == 8)
	{
		MemoryContextReset(encoder->value_context);
		encoder->since_reset = 0;
	}
	new->length = 0;
	if (!says)
		return;
	if (cut)
	{
		static const char padding[MAXIMUM_ALIGNOF] = {0};

		appendBinaryStringInfo(form, padding, MAXALIGN(form->len) - form->len);
		appendBinaryStringInfo(form, (char *) &new->text->hash, sizeof(uint64));
	}
	new->start = encoder->forms.len;
	new->length = form->len;
	new->hash = ssot_mix(ssot_hash_text(form->data, form->len));
	appendBinaryStringInfo(&encoder->forms, form->data, form->len);
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

/* What a waiting text stands for. */
static int
find_text(SsotEncoder *encoder, int field, Waiting *text)
{
	SsotDictionary *dictionary = &encoder->dictionaries[field];
	NewText    *new = &encoder->new_texts[encoder->nnew];

	new->slot = NOWHERE;
	if (dictionary->raw != NULL)
	{
		int			id = ssot_dictionary_text(dictionary, text->hash, text->check,
											  NEW(encoder->nnew), &new->slot);

		if (id != NEW(encoder->nnew))
			return id;
	}
	new->text = text;
	new->field = field;
	return NEW(encoder->nnew++);
}

/* Values for the new texts of a batch. */
static void
take_new_texts(SsotEncoder *encoder)
{
	encoder->forms.len = 0;
	for (int k = 0; k < encoder->nnew; k++)
	{
		NewText    *new = &encoder->new_texts[k];
		SsotDictionary *dictionary = &encoder->dictionaries[new->field];

		prepare(encoder, new);
		if (new->length > 0)
			__builtin_prefetch(ssot_dictionary_form_place(dictionary, new->hash));
	}
	/* a form that was met before will be compared with the one that is kept */
	for (int step = 0; step < 2; step++)
		for (int k = 0; k < encoder->nnew; k++)
		{
			NewText    *new = &encoder->new_texts[k];
			SsotDictionary *dictionary = &encoder->dictionaries[new->field];
			const SsotValues *values = &encoder->records->fields[new->field];
			const SsotFormSlot *slot = ssot_dictionary_form_place(dictionary, new->hash);

			if (new->length == 0 || slot->id == 0 || slot->hash != (uint32) new->hash)
				continue;
			if (step == 0)
				__builtin_prefetch(&values->offset[slot->id]);
			else
				__builtin_prefetch(ssot_value(values, slot->id));
		}
	for (int k = 0; k < encoder->nnew; k++)
	{
		NewText    *new = &encoder->new_texts[k];
		SsotDictionary *dictionary = &encoder->dictionaries[new->field];
		SsotValues *values = &encoder->records->fields[new->field];
		int			before = values->nvalues;

		new->id = new->length == 0 ? 0 :
			ssot_dictionary_form(dictionary, values, new->hash, encoder->forms.data + new->start,
								 new->length);
		if (values->nvalues > before && new->text->length > SSOT_VALUE_MAX)
			values->ncut++;
		if (new->slot != NOWHERE)
			ssot_dictionary_tell(dictionary, new->slot, new->id);
	}
}

void
ssot_encoder_look_up(SsotEncoder *encoder)
{
	SsotRecords *records = encoder->records;
	int			nfields = records->nfields;
	int		   *ids = records->ids + (Size) (records->n - encoder->nwaiting) * nfields;

	encoder->nnew = 0;
	for (int f = 0; f < nfields; f++)
		for (int i = 0; i < encoder->nwaiting; i++)
		{
			Waiting    *text = &encoder->waiting[f * BATCH + i];

			ids[i * nfields + f] = text->length < 0 ? 0 : find_text(encoder, f, text);
		}
	take_new_texts(encoder);
	for (int i = 0; i < encoder->nwaiting * nfields; i++)
		if (ids[i] < 0)
			ids[i] = encoder->new_texts[NEW(ids[i])].id;
	for (int f = 0; f < nfields; f++)
		ssot_dictionary_make_room(&encoder->dictionaries[f], records->fields[f].kind, BATCH);
	encoder->nwaiting = 0;
	encoder->used = 0;
}

/* Room for what is kept of a record's texts. Those that wait must not move. */
static void
make_room_for_texts(SsotEncoder *encoder, const char *const *texts, const int *lengths)
{
	Size		size = 0;

	for (int f = 0; f < encoder->records->nfields; f++)
		size += texts[f] == NULL ? 0 : Min(lengths[f], KEPT);
	if (encoder->used + size <= encoder->room)
		return;
	ssot_encoder_look_up(encoder);
	if (size <= encoder->room)
		return;
	pfree(encoder->texts);
	encoder->texts = palloc(size);
	encoder->room = size;
}

void
ssot_encoder_add(SsotEncoder *encoder, uint64 key_hash, uint64 groups,
				 const char *const *texts, const int *lengths, bool stays)
{
	SsotRecords *records = encoder->records;
	int			nfields = records->nfields;

	if (records->n == encoder->capacity)
	{
		if (encoder->capacity > PG_INT32_MAX / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many records to match at once")));
		encoder->capacity *= 2;
		SSOT_ENLARGE(records->ids, int, (Size) encoder->capacity * nfields);
		SSOT_ENLARGE(records->key_hash, uint64, encoder->capacity);
		SSOT_ENLARGE(records->groups, uint64, encoder->capacity);
	}
	if (!stays)
		make_room_for_texts(encoder, texts, lengths);
	for (int f = 0; f < nfields; f++)
	{
		Waiting    *waiting = &encoder->waiting[f * BATCH + encoder->nwaiting];
		const SsotDictionary *dictionary = &encoder->dictionaries[f];

		waiting->length = -1;
		if (texts[f] == NULL)
			continue;
		waiting->length = lengths[f];
		if (dictionary->raw != NULL || lengths[f] > SSOT_VALUE_MAX)
			waiting->hash = ssot_hash_text(texts[f], lengths[f]);
		if (dictionary->raw != NULL)
		{
			__builtin_prefetch(ssot_dictionary_text_place(dictionary, waiting->hash));
			waiting->check = check_of(texts[f], lengths[f]);
		}
		waiting->text = texts[f];
		if (!stays)
		{
			int			kept = Min(lengths[f], KEPT);

			waiting->text = memcpy(encoder->texts + encoder->used, texts[f], kept);
			encoder->used += kept;
		}
	}
	records->key_hash[records->n] = key_hash;
	records->groups[records->n] = groups;
	encoder->any_group |= groups != 0;
	records->n++;
	if (++encoder->nwaiting == BATCH)
		ssot_encoder_look_up(encoder);
}

SsotRecords *
ssot_encoder_finish(SsotEncoder *encoder, SsotTokenShares *const *shares,
					const SsotHome *home)
{
	SsotRecords *records = encoder->records;

	ssot_encoder_look_up(encoder);
	for (int f = 0; f < records->nfields; f++)
		ssot_dictionary_end(&encoder->dictionaries[f]);
	if (!encoder->any_group)
	{
		ssot_large_free(records->groups);
		records->groups = NULL;
	}
	ssot_records_arrange(records, home);
	ssot_large_trim();			/* what the dictionaries have left */
	for (int f = 0; f < records->nfields; f++)
		ssot_records_spread(records, f, encoder->number[f], shares == NULL ? NULL : shares[f],
							home, encoder->value_context);
	MemoryContextDelete(encoder->value_context);
	pfree(encoder->waiting);
	pfree(encoder->new_texts);
	pfree(encoder->texts);
	pfree(encoder->forms.data);
	pfree(encoder->form.data);
	pfree(encoder);
	return records;
}

void
ssot_class_drop(SsotClassKeys *class)
{
	if (class->segment != NULL)
		ssot_segment_free(class->segment);
	else if (class->keys != NULL)
		ssot_large_free(class->keys);
	class->segment = NULL;
	class->keys = NULL;
	class->nslots = 0;
}
