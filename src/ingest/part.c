/*
 * ingest/part.c
 *		grain => 'part': the rows of one key are summed into one record.
 *
 * Order lines of an order, instalments of a contract: each row holds a part of
 * the amounts. Numeric fields (smallint to bigint, real, double precision,
 * numeric) are added, absent ones aside; everything else is that of the row
 * with the latest source time. Rows that share that time, or have none, must
 * agree on it, else nobody can tell which is right and the key is refused. If a
 * part's amount could not be taken (on_error => null), the sum is unknown and
 * stays NULL, with the finding beside it.
 *
 * The image of the record is made of its rows' images, in any order. Floats are
 * added in order of their rows' content, so the sum does not depend on the
 * order of rows in the source.
 */
#include "postgres.h"

#include "ssot.h"
#include "ingest/mapper.h"
#include "ingest/part.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

static bool
is_summed(const SsotField *field)
{
	switch (field->base_type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return true;
	}
	return false;
}

/* Has numeric(p,s) room for the value? */
static bool
numeric_fits(Datum value, int32 typmod)
{
	int			precision;
	int			scale;
	Datum		limit;

	if (typmod < (int32) VARHDRSZ || numeric_is_nan(DatumGetNumeric(value)) ||
		numeric_is_inf(DatumGetNumeric(value)))
		return true;
	precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
	scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	limit = DirectFunctionCall3(numeric_in, CStringGetDatum(psprintf("1e%d", precision - scale)),
								ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return DatumGetBool(DirectFunctionCall2(numeric_lt, DirectFunctionCall1(numeric_abs, value),
											limit));
}

/* False if the sum is out of range. */
static bool
add_values(const SsotField *field, Datum *sum, Datum value)
{
	int16		small;
	int32		integer;
	int64		big;
	bool		error = false;

	switch (field->base_type)
	{
		case INT2OID:
			if (pg_add_s16_overflow(DatumGetInt16(*sum), DatumGetInt16(value), &small))
				return false;
			*sum = Int16GetDatum(small);
			return true;
		case INT4OID:
			if (pg_add_s32_overflow(DatumGetInt32(*sum), DatumGetInt32(value), &integer))
				return false;
			*sum = Int32GetDatum(integer);
			return true;
		case INT8OID:
			if (pg_add_s64_overflow(DatumGetInt64(*sum), DatumGetInt64(value), &big))
				return false;
			*sum = Int64GetDatum(big);
			return true;
		case FLOAT4OID:
			*sum = Float4GetDatum(DatumGetFloat4(*sum) + DatumGetFloat4(value));
			return true;
		case FLOAT8OID:
			*sum = Float8GetDatum(DatumGetFloat8(*sum) + DatumGetFloat8(value));
			return true;
		default:
			*sum = NumericGetDatum(numeric_add_opt_error(DatumGetNumeric(*sum),
														 DatumGetNumeric(value), &error));
			return !error && numeric_fits(*sum, field->base_typmod);
	}
}

/* Latest first, then in order of content: for the latest row and for floats. */
static int
compare_parts(const void *a, const void *b, void *arg)
{
	const SsotContents *contents = (const SsotContents *) arg;
	const SsotCandidate *left = (const SsotCandidate *) a;
	const SsotCandidate *right = (const SsotCandidate *) b;
	int			i = SSOT_REC_UPDATED_AT - 1;

	if (left->nulls[i] != right->nulls[i])
		return left->nulls[i] ? 1 : -1;
	if (!left->nulls[i] && left->values[i] != right->values[i])
		return DatumGetTimestampTz(left->values[i]) > DatumGetTimestampTz(right->values[i]) ? -1 : 1;
	return ssot_compare_contents(contents, left, right);
}

static bool
same_time(const SsotCandidate *a, const SsotCandidate *b)
{
	int			i = SSOT_REC_UPDATED_AT - 1;

	return a->nulls[i] == b->nulls[i] && (a->nulls[i] || a->values[i] == b->values[i]);
}

/* Do two rows agree on all that is not added? */
static bool
agree(const SsotEntity *entity, const SsotContents *contents,
	  const SsotCandidate *a, const SsotCandidate *b)
{
	for (int f = 0; f < entity->nfields; f++)
		if (!is_summed(&entity->fields[f]) &&
			ssot_compare_column(contents, SSOT_REC_FIELDS + 1 + f, a, b) != 0)
			return false;
	return ssot_compare_column(contents, SSOT_REC_COPY, a, b) == 0 &&
		ssot_compare_column(contents, SSOT_REC_TOKENS, a, b) == 0 &&
		ssot_compare_column(contents, SSOT_REC_REFS, a, b) == 0 &&
		ssot_compare_column(contents, SSOT_REC_TIMES, a, b) == 0;
}

static bool
has_finding(const SsotCandidate *row, const char *field)
{
	JsonbValue	value;

	if (row->nulls[SSOT_REC_DETAIL - 1])
		return false;
	return getKeyJsonValueFromContainer(&DatumGetJsonbP(row->values[SSOT_REC_DETAIL - 1])->root,
										field, strlen(field), &value) != NULL;
}

/* False if the sum is out of range. */
static bool
sum_field(const SsotField *field, int column, SsotCandidate *rows, int nrows,
		  Datum *values, bool *nulls)
{
	nulls[column] = true;
	for (int i = 0; i < nrows; i++)
		if (has_finding(&rows[i], field->name))
		{
			values[SSOT_REC_DETAIL - 1] = rows[i].values[SSOT_REC_DETAIL - 1];
			nulls[SSOT_REC_DETAIL - 1] = false;
			return true;
		}
	for (int i = 0; i < nrows; i++)
	{
		if (rows[i].nulls[column])
			continue;
		if (nulls[column])
		{
			values[column] = rows[i].values[column];
			nulls[column] = false;
		}
		else if (!add_values(field, &values[column], rows[i].values[column]))
			return false;
	}
	return true;
}

const char *
ssot_part_sum(const SsotEntity *entity, const SsotContents *contents,
			  SsotCandidate *rows, int nrows, Datum *values, bool *nulls)
{
	uint64		image = 0;

	qsort_arg(rows, nrows, sizeof(SsotCandidate), compare_parts, unconstify(SsotContents *, contents));
	for (int i = 1; i < nrows && same_time(&rows[0], &rows[i]); i++)
		if (!agree(entity, contents, &rows[0], &rows[i]))
			return "rows of one key disagree, and no source time to tell which is newer";

	memcpy(values, rows[0].values, sizeof(Datum) * ssot_mapped_natts(entity));
	memcpy(nulls, rows[0].nulls, sizeof(bool) * ssot_mapped_natts(entity));
	for (int f = 0; f < entity->nfields; f++)
		if (is_summed(&entity->fields[f]) && !contents->is_reference[f] &&
			!sum_field(&entity->fields[f], SSOT_REC_FIELDS + f, rows, nrows, values, nulls))
			return psprintf("the sum of field \"%s\" is out of range", entity->fields[f].name);
	for (int i = 0; i < nrows; i++)
		image += (uint64) DatumGetInt64(rows[i].values[SSOT_REC_IMAGE - 1]);
	image = hash_combine64(image, (uint64) nrows);
	values[SSOT_REC_IMAGE - 1] = Int64GetDatum((int64) image);
	return NULL;
}
