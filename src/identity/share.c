/*
 * identity/share.c
 *		Encoded records that the members of a team see all together.
 *
 * A member that encodes a field makes its arrays in shared blocks: one for what
 * there is once per value, one for tokens, and one for the keys of each class,
 * because most of these are dropped when the rules are chosen. Another block holds the rows
 * of values. Names of blocks and places in them are told to the other members,
 * because each process maps them where it likes.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/share.h"

#include "miscadmin.h"

/* ---- a field -------------------------------------------------------------- */

/* Places for the arrays; returns the size of the block. */
static Size
lay_out(const SsotValues *values, Size nbytes, SsotSharedField *shared)
{
	Size		end = 0;

	memset(shared, 0, sizeof(*shared));
	shared->nvalues = values->nvalues;
	shared->ncut = values->ncut;
	shared->bytes = ssot_place(&end, nbytes);
	shared->offset = ssot_place(&end, sizeof(uint32) * (values->nvalues + 1));
	shared->hash = ssot_place(&end, sizeof(uint64) * values->nvalues);
	shared->count = ssot_place(&end, sizeof(int) * values->nvalues);
	return end;
}

static void
point_values(SsotValues *values, const SsotSharedField *shared, char *block)
{
	values->bytes = block + shared->bytes;
	values->offset = ssot_at(block, shared->offset);
	values->hash = ssot_at(block, shared->hash);
	values->count = ssot_at(block, shared->count);
}

void
ssot_home_values(const SsotHome *home, int field, SsotValues *values, Size nbytes)
{
	SsotSharedField alone = {.nvalues = 0};
	SsotSharedField *shared = home->segments == NULL ? &alone : &home->fields[field];
	Size		size = lay_out(values, nbytes, shared);

	if (home->segments != NULL)
	{
		point_values(values, shared,
					 ssot_segment_address(ssot_segment_create(home->segments, size, &shared->values)));
		return;
	}
	point_values(values, shared, SSOT_LARGE(char, size));

	/* count comes last */
	memset(values->count, 0, size - shared->count);
}

void
ssot_home_keys(const SsotHome *home, int field, SsotValues *values, int class, int nrecords)
{
	SsotClassKeys *keys = &values->by_record[class];
	Size		n = (Size) keys->nslots * Max(nrecords, 1);

	if (home->segments == NULL)
	{
		keys->keys = SSOT_LARGE0(uint32, n);
		return;
	}
	home->fields[field].nslots[class] = keys->nslots;
	keys->segment = ssot_segment_create(home->segments, sizeof(uint32) * n,
										&home->fields[field].keys[class]);
	keys->keys = ssot_segment_address(keys->segment);
}

void
ssot_home_tokens(const SsotHome *home, int field, SsotValues *values)
{
	SsotSharedField *shared;
	SsotTokenTable tokens;
	void	   *slots;

	if (home->segments == NULL || values->shares == NULL)
		return;
	shared = &home->fields[field];
	shared->has_shares = true;
	shared->tokens = tokens = ssot_token_table(values->shares);
	slots = ssot_segment_address(ssot_segment_create(home->segments, ssot_token_table_size(&tokens),
													 &shared->slots));
	memcpy(slots, tokens.slots, ssot_token_table_size(&tokens));
	if (!values->shares_known)
		ssot_large_free(tokens.slots);
	tokens.slots = slots;
	values->shares = ssot_token_shares_of(&tokens);
}

void
ssot_field_attach(SsotSegments *segments, const SsotSharedField *shared, SsotValues *values)
{
	values->nvalues = shared->nvalues;
	values->ncut = shared->ncut;
	point_values(values, shared,
				 ssot_segment_address(ssot_segment_attach(segments, &shared->values)));
	for (int c = 0; c < SSOT_MAX_CLASSES; c++)
	{
		SsotClassKeys *class = &values->by_record[c];

		class->nslots = shared->nslots[c];
		if (class->nslots == 0)
			continue;
		class->segment = ssot_segment_attach(segments, &shared->keys[c]);
		class->keys = ssot_segment_address(class->segment);
	}
	if (shared->has_shares)
	{
		SsotTokenTable tokens = shared->tokens;

		tokens.slots = ssot_segment_address(ssot_segment_attach(segments, &shared->slots));
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
