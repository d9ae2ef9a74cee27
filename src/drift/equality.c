/*
 * drift/equality.c
 *		When two values of one type are the same.
 *
 * Equality is the type's own: 1.0 equals 1.00, and citext folds case. Most
 * comparisons are decided before the type's function is called, because equal
 * bytes are equal values for every type with an equality operator, and for most
 * types unequal bytes are unequal values. A tolerance is only looked at where
 * the type says that the values differ.
 */
#include "postgres.h"

#include <math.h>

#include "ssot.h"
#include "drift/equality.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/pg_locale.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

static SsotEqualityMethod
choose_method(Oid type, Oid collation, bool has_operator)
{
	switch (type)
	{
		case BOOLOID:
		case CHAROID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return SSOT_EQUAL_DATUM;
		case BYTEAOID:
		case UUIDOID:
			return SSOT_EQUAL_BYTES;
		case TEXTOID:
		case VARCHAROID:
			return !OidIsValid(collation) || get_collation_isdeterministic(collation) ?
				SSOT_EQUAL_BYTES : SSOT_EQUAL_OPERATOR;
		default:
			if (type_is_enum(type))
				return SSOT_EQUAL_DATUM;
			return has_operator ? SSOT_EQUAL_OPERATOR : SSOT_EQUAL_TEXT;
	}
}

static bool
has_distance(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return true;
		default:
			return false;
	}
}

void
ssot_equality_init(SsotEquality *equality, Oid type, Oid collation,
				   bool has_tolerance, double tolerance)
{
	TypeCacheEntry *cache = lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO);

	memset(equality, 0, sizeof(*equality));
	equality->type = type;
	equality->typlen = cache->typlen;
	equality->typbyval = cache->typbyval;
	equality->collation = collation;
	equality->method = choose_method(type, collation, OidIsValid(cache->eq_opr));
	if (equality->method == SSOT_EQUAL_OPERATOR)
		fmgr_info_copy(&equality->operator_function, &cache->eq_opr_finfo,
					   CurrentMemoryContext);
	ssot_text_form_init(&equality->text, type);
	equality->has_tolerance = has_tolerance && tolerance > 0 && has_distance(type);
	equality->tolerance = tolerance;
	/* float8_numeric keeps 15 digits: a tolerance of 0.1 means 0.1 */
	if (equality->has_tolerance && type == NUMERICOID)
		equality->numeric_tolerance =
			DirectFunctionCall1(float8_numeric, Float8GetDatum(tolerance));
}

static bool
same_bytes(SsotEquality *equality, Datum a, Datum b)
{
	struct varlena *x;
	struct varlena *y;
	Size		length;

	if (equality->typbyval)
		return a == b;
	if (equality->typlen > 0)
		return memcmp(DatumGetPointer(a), DatumGetPointer(b), equality->typlen) == 0;
	if (equality->typlen == -2)
		return strcmp(DatumGetCString(a), DatumGetCString(b)) == 0;
	x = PG_DETOAST_DATUM_PACKED(a);
	y = PG_DETOAST_DATUM_PACKED(b);
	length = VARSIZE_ANY_EXHDR(x);
	return length == VARSIZE_ANY_EXHDR(y) &&
		memcmp(VARDATA_ANY(x), VARDATA_ANY(y), length) == 0;
}

static bool
int64_within(int64 a, int64 b, double tolerance)
{
	int64		difference;

	if (pg_sub_s64_overflow(a, b, &difference))
		return false;
	return fabs((double) difference) <= tolerance;
}

static bool
numeric_within(SsotEquality *equality, Datum a, Datum b)
{
	Datum		difference;

	if (numeric_is_nan(DatumGetNumeric(a)) || numeric_is_inf(DatumGetNumeric(a)) ||
		numeric_is_nan(DatumGetNumeric(b)) || numeric_is_inf(DatumGetNumeric(b)))
		return false;
	difference = DirectFunctionCall1(numeric_abs, DirectFunctionCall2(numeric_sub, a, b));
	return DatumGetBool(DirectFunctionCall2(numeric_le, difference,
											equality->numeric_tolerance));
}

/* Values that differ: by no more than the tolerance? Infinite values are at no
 * distance from anything. */
static bool
within_tolerance(SsotEquality *equality, Datum a, Datum b)
{
	double		tolerance = equality->tolerance;

	switch (equality->type)
	{
		case INT2OID:
			return int64_within(DatumGetInt16(a), DatumGetInt16(b), tolerance);
		case INT4OID:
			return int64_within(DatumGetInt32(a), DatumGetInt32(b), tolerance);
		case INT8OID:
			return int64_within(DatumGetInt64(a), DatumGetInt64(b), tolerance);
		case FLOAT4OID:
			return fabs((double) DatumGetFloat4(a) - (double) DatumGetFloat4(b)) <= tolerance;
		case FLOAT8OID:
			return fabs(DatumGetFloat8(a) - DatumGetFloat8(b)) <= tolerance;
		case NUMERICOID:
			return numeric_within(equality, a, b);
		case DATEOID:
			return !DATE_NOT_FINITE(DatumGetDateADT(a)) && !DATE_NOT_FINITE(DatumGetDateADT(b)) &&
				int64_within(DatumGetDateADT(a), DatumGetDateADT(b), tolerance / SECS_PER_DAY);
		case TIMEOID:
			return int64_within(DatumGetTimeADT(a), DatumGetTimeADT(b), tolerance * USECS_PER_SEC);
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return !TIMESTAMP_NOT_FINITE(DatumGetTimestamp(a)) &&
				!TIMESTAMP_NOT_FINITE(DatumGetTimestamp(b)) &&
				int64_within(DatumGetTimestamp(a), DatumGetTimestamp(b), tolerance * USECS_PER_SEC);
		default:
			return false;
	}
}

bool
ssot_equal(SsotEquality *equality, Datum a, Datum b)
{
	bool		equal;

	equal = same_bytes(equality, a, b);
	if (!equal && equality->method == SSOT_EQUAL_OPERATOR)
		equal = DatumGetBool(FunctionCall2Coll(&equality->operator_function,
											   equality->collation, a, b));
	else if (!equal && equality->method == SSOT_EQUAL_TEXT)
		equal = strcmp(ssot_text_form(&equality->text, a),
					   ssot_text_form(&equality->text, b)) == 0;
	if (!equal && equality->has_tolerance)
		equal = within_tolerance(equality, a, b);
	return equal;
}
