/*
 * identity/share.c
 *		Encoded records that the members of a team see all together.
 *
 * A member that has encoded a field moves its arrays into shared blocks: one for
 * what there is once per value, and one for the keys of each class, because most
 * of these are dropped when the rules are chosen. Another block holds the rows
 * of values. Names of blocks and places in them are told to the other members,
 * because each process maps them where it likes.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/share.h"

#include "miscadmin.h"

/* Copy in parts, so that a cancel is heeded. */
static void *
copy(char *block, Size start, void *array, Size size)
{
	const Size	part = 1 << 22;

	for (Size done = 0; done < size; done += part)
	{
		CHECK_FOR_INTERRUPTS();
		memcpy(block + start + done, (char *) array + done, Min(part, size - done));
	}
	return block + start;
}

static void *
move(char *block, Size start, void *array, Size size)
{
	void	   *moved = copy(block, start, array, size);

	ssot_large_free(array);
	return moved;
}

/* ---- a field -------------------------------------------------------------- */

/* Places for the arrays; returns the size of the block. */
static Size
lay_out(const SsotValues *values, SsotSharedField *shared)
{
	Size		end = 0;

	shared->nvalues = values->nvalues;
	shared->ncut = values->ncut;
	shared->has_shares = values->shares != NULL;
	shared->bytes = ssot_place(&end, (Size) values->offset[values->nvalues] * MAXIMUM_ALIGNOF);
	shared->offset = ssot_place(&end, sizeof(uint32) * (values->nvalues + 1));
	shared->hash = ssot_place(&end, sizeof(uint64) * values->nvalues);
	shared->count = ssot_place(&end, sizeof(int) * values->nvalues);
	for (int c = 0; c < SSOT_MAX_CLASSES; c++)
	{
		shared->nslots[c] = values->by_record[c].nslots;
		shared->sort[c] = values->by_record[c].sort == NULL ? 0 :
			ssot_place(&end, sizeof(uint64) * values->nvalues);
	}
	if (shared->has_shares)
	{
		shared->tokens = ssot_token_table(values->shares);
		shared->slots = ssot_place(&end, ssot_token_table_size(&shared->tokens));
	}
	return end;
}

static Size
keys_size(const SsotClassKeys *class, int nrecords)
{
	return sizeof(uint32) * class->nslots * Max(nrecords, 1);
}

void
ssot_field_share(SsotSegments *segments, SsotValues *values, int nrecords, SsotSharedField *shared)
{
	char	   *block;

	memset(shared, 0, sizeof(*shared));
	block = ssot_segment_address(ssot_segment_create(segments, lay_out(values, shared),
													 &shared->values));
	for (int c = 0; c < SSOT_MAX_CLASSES; c++)
	{
		SsotClassKeys *class = &values->by_record[c];

		if (class->sort != NULL)
			class->sort = move(block, shared->sort[c], class->sort,
							   sizeof(uint64) * values->nvalues);
		if (class->nslots == 0)
			continue;
		class->segment = ssot_segment_create(segments, keys_size(class, nrecords), &shared->keys[c]);
		class->keys = move(ssot_segment_address(class->segment), 0, class->keys,
						   keys_size(class, nrecords));
	}
	values->bytes = move(block, shared->bytes, values->bytes,
						 (Size) values->offset[values->nvalues] * MAXIMUM_ALIGNOF);
	values->offset = move(block, shared->offset, values->offset,
						  sizeof(uint32) * (values->nvalues + 1));
	values->hash = move(block, shared->hash, values->hash, sizeof(uint64) * values->nvalues);
	values->count = move(block, shared->count, values->count, sizeof(int) * values->nvalues);
	if (shared->has_shares)
	{
		SsotTokenTable tokens = shared->tokens;

		tokens.slots = (values->shares_known ? copy : move) (block, shared->slots, tokens.slots,
															 ssot_token_table_size(&tokens));
		values->shares = ssot_token_shares_of(&tokens);
	}
}

void
ssot_field_attach(SsotSegments *segments, const SsotSharedField *shared, SsotValues *values)
{
	char	   *block = ssot_segment_address(ssot_segment_attach(segments, &shared->values));

	values->nvalues = shared->nvalues;
	values->ncut = shared->ncut;
	values->bytes = block + shared->bytes;
	values->offset = ssot_at(block, shared->offset);
	values->hash = ssot_at(block, shared->hash);
	values->count = ssot_at(block, shared->count);
	for (int c = 0; c < SSOT_MAX_CLASSES; c++)
	{
		SsotClassKeys *class = &values->by_record[c];

		class->nslots = shared->nslots[c];
		if (shared->sort[c] != 0)
			class->sort = ssot_at(block, shared->sort[c]);
		if (class->nslots == 0)
			continue;
		class->segment = ssot_segment_attach(segments, &shared->keys[c]);
		class->keys = ssot_segment_address(class->segment);
	}
	if (shared->has_shares)
	{
		SsotTokenTable tokens = shared->tokens;

		tokens.slots = block + shared->slots;
		values->shares = ssot_token_shares_of(&tokens);
	}
}

void
ssot_records_drop_keys(SsotRecords *records)
{
	for (int f = 0; f < records->nfields; f++)
		for (int c = 0; c < SSOT_MAX_CLASSES; c++)
			ssot_class_drop(&records->fields[f].by_record[c]);
}

/* ---- records -------------------------------------------------------------- */

/* Let the arrays point into the block. */
static void
point(SsotRecords *records, const SsotSharedRecords *shared, char *block)
{
	records->ids = ssot_at(block, shared->ids);
	records->key_hash = ssot_at(block, shared->key_hash);
	records->groups = shared->groups == 0 ? NULL : ssot_at(block, shared->groups);
}

void
ssot_records_share(SsotSegments *segments, SsotRecords *records, bool with_groups,
				   SsotSharedRecords *shared)
{
	Size		end = 0;
	SsotSegment *segment;

	memset(shared, 0, sizeof(*shared));
	shared->n = records->n;
	shared->nfields = records->nfields;
	shared->ids = ssot_place(&end, sizeof(int) * (Size) records->n * records->nfields);
	shared->key_hash = ssot_place(&end, sizeof(uint64) * records->n);
	if (with_groups)
		shared->groups = ssot_place(&end, sizeof(uint64) * records->n);
	segment = ssot_segment_create(segments, end, &shared->block);
	point(records, shared, ssot_segment_address(segment));
}

SsotRecords *
ssot_records_attach(SsotSegments *segments, const SsotSharedRecords *shared)
{
	SsotRecords *records = palloc0(sizeof(SsotRecords));

	records->n = shared->n;
	records->nfields = shared->nfields;
	point(records, shared, ssot_segment_address(ssot_segment_attach(segments, &shared->block)));
	for (int f = 0; f < shared->nfields; f++)
	{
		records->fields[f].kind = ssot_kind_unflat(&shared->kinds[f]);
		records->fields[f].name = "";
		ssot_field_attach(segments, &shared->fields[f], &records->fields[f]);
	}
	return records;
}
