/*
 * drift/remote.c
 *		Comparing with a relation on another server, without fetching its rows.
 *
 * Where a side of a comparison is a foreign table of postgres_fdw, reading it
 * means moving it. Instead both sides add up the hashes of their rows by ranges
 * of the key, each where it lives:
 *
 *		SELECT (t.id - 1) >> 10, count(*), sum(<hash of the row>) FROM far AS t GROUP BY 1
 *
 * Ranges whose counts and sums agree hold the same rows (but for a chance of
 * 2^-64 each, under seeds drawn anew for each run). Those that do not are divided
 * again, as long as that saves more than it costs, and in the end the rows of
 * the ranges that still differ are fetched and compared exactly. An integer key
 * is divided as it is, so that drift that lies together stays together; of
 * others the hash is.
 *
 * A key must fall into the same range on both sides and equal values must have
 * equal hashes; if they do not (another architecture, another encoding), ranges
 * differ that hold the same rows, and more is fetched than need be. The answer is
 * the same.
 *
 * postgres_fdw ships immutable built-in functions and operators. Whether it ships
 * all of the statement shows in its plan; where it would not, and where the
 * other server does not know the functions for the types that it has, the rows
 * are fetched as those of any other relation are.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "drift/compare.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "parser/parse_coerce.h"
#include "port/pg_bitutils.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include <math.h>

/* Ranges at first, and at most. */
#define FIRST_BITS		10
#define MAX_BITS		16

/* What one range costs on the wire: three numbers and their lengths. */
#define RANGE_BYTES		46

/* Rows that weigh less than this are fetched, rather than divided once more. */
#define FETCH_BYTES		(4 * 1024 * 1024)

/* More than this share of the rows to be fetched: all of them are. */
#define MAX_FETCH_SHARE	0.5

typedef struct Range
{
	int64		number;			/* position >> shift */
	int64		rows;
	Numeric		sum;			/* of the hashes of its rows */
} Range;

typedef struct Ranges
{
	Range	   *ranges;
	int			n;
	int			capacity;
	int64		rows;			/* in all of them */
} Ranges;

typedef struct Descent
{
	SsotSide   *sides[2];
	bool		integer_key;	/* positions are key - low, else the key's
								 * hash */
	int64		low;
	int64		span;			/* the largest position */
	int			shift;			/* of positions, to numbers of ranges */
	int64	   *differing;		/* numbers of the ranges that differ */
	int			ndiffering;
	int64		rows;			/* in them, to be fetched */
	double		row_bytes;
} Descent;

/* ---- hashes in SQL --------------------------------------------------------- */

/* The column as it is compared; no collation, which would not be shipped. */
static char *
column_sql(const SsotSide *side, int i)
{
	Form_pg_attribute att = TupleDescAttr(side->comparing->desc, i);
	char	   *column = ssot_sql("t.%I", side->comparing->columns[i]);

	if (get_atttype(side->relid, get_attnum(side->relid, side->comparing->columns[i])) ==
		att->atttypid)
		return column;
	return ssot_sql("%s::%s", column, format_type_be_qualified(att->atttypid));
}

/*
 * The extended hash function of the type, for "hashint8extended(t.id, 42)". NULL
 * if it cannot be called like that, or is not everywhere.
 */
static char *
hash_function(Oid type)
{
	TypeCacheEntry *cache = lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC);
	Oid			function = cache->hash_extended_proc;
	HeapTuple	tuple;
	Form_pg_proc form;
	char	   *name = NULL;
	Oid			takes;

	if (!OidIsValid(function) || function >= FirstGenbkiObjectId || type >= FirstGenbkiObjectId)
		return NULL;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	takes = form->proargtypes.values[0];
	if (form->provolatile == PROVOLATILE_IMMUTABLE &&
		(takes == ANYARRAYOID ? get_element_type(type) < FirstGenbkiObjectId :
		 IsBinaryCoercible(type, takes) && takes != INTERNALOID))
		name = pstrdup(NameStr(form->proname));
	ReleaseSysCache(tuple);
	return name;
}

/* An immutable expression for the hash of a value that is not null, or NULL. */
static char *
value_hash(Oid type, const char *value, int64 seed)
{
	char	   *function;

	switch (type)
	{
		case BOOLOID:
			return psprintf("CASE WHEN %s THEN '" INT64_FORMAT "'::pg_catalog.int8"
							" ELSE '" INT64_FORMAT "'::pg_catalog.int8 END", value, seed, ~seed);
		case DATEOID:
		case TIMESTAMPTZOID:
			/* Their functions of hashing cannot be called by name. */
			function = type == DATEOID ?
				psprintf("pg_catalog.hashint8extended((%s - '2000-01-01'::pg_catalog.date)::pg_catalog.int8, '"
						 INT64_FORMAT "')", value, seed) :
				psprintf("pg_catalog.interval_hash_extended(%s - '2000-01-01 UTC'::pg_catalog.timestamptz, '"
						 INT64_FORMAT "')", value, seed);
			return psprintf("CASE WHEN pg_catalog.isfinite(%s) THEN %s WHEN %s > '2000-01-01'::%s"
							" THEN '" INT64_FORMAT "'::pg_catalog.int8 ELSE '" INT64_FORMAT "'::pg_catalog.int8 END",
							value, function, value,
							type == DATEOID ? "pg_catalog.date" : "pg_catalog.timestamptz", seed, ~seed);
		default:
			function = hash_function(type);
			return function == NULL ? NULL :
				psprintf("pg_catalog.%s(%s, '" INT64_FORMAT "')", function, value, seed);
	}
}

/*
 * The hash of some columns of a row, or NULL if one has none:
 *
 *		CASE WHEN t.id IS NULL THEN 7 ELSE hashint8extended(t.id, 42) END # ...
 */
static char *
columns_hash(const SsotSide *side, int ncolumns)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < ncolumns; i++)
	{
		int64		seed = (int64) side->comparing->seeds[i];
		char	   *column = column_sql(side, i);
		char	   *hash = value_hash(TupleDescAttr(side->comparing->desc, i)->atttypid,
									  column, seed);

		if (hash == NULL)
			return NULL;
		appendStringInfo(&sql, "%sCASE WHEN %s IS NULL THEN '" INT64_FORMAT "'::pg_catalog.int8 ELSE %s END",
						 i == 0 ? "" : " # ", column, seed / 3, hash);
	}
	return sql.data;
}

/* Where a row lies among the ranges: an int8 that is not negative. */
static char *
position_sql(const Descent *descent, const SsotSide *side)
{
	if (descent->integer_key)
		return psprintf("(%s::pg_catalog.int8 - '" INT64_FORMAT "'::pg_catalog.int8)",
						column_sql(side, 0), descent->low);
	return psprintf("((%s) & '" INT64_FORMAT "'::pg_catalog.int8)",
					columns_hash(side, side->comparing->nkeys), PG_INT64_MAX);
}

/* A row with a null in its key meets no other. */
static char *
key_is_null(const SsotSide *side)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < side->comparing->nkeys; i++)
		ssot_sql_append(&sql, "%st.%I IS NULL", i == 0 ? "" : " OR ", side->comparing->columns[i]);
	return sql.data;
}

/* Is a row in one of the ranges that differ? */
static char *
in_differing(const Descent *descent, const SsotSide *side)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "(%s >> %d) = ANY ('{", position_sql(descent, side), descent->shift);
	for (int i = 0; i < descent->ndiffering; i++)
		appendStringInfo(&sql, "%s" INT64_FORMAT, i == 0 ? "" : ",", descent->differing[i]);
	appendStringInfoString(&sql, "}'::pg_catalog.int8[])");

	/* An index on an integer key leads to drift that lies together. */
	if (descent->integer_key && descent->ndiffering > 0)
	{
		int64		first = descent->differing[0] << descent->shift;
		int64		last = Min(descent->span, descent->differing[descent->ndiffering - 1] <<
							   descent->shift | ((INT64CONST(1) << descent->shift) - 1));

		ssot_sql_append(&sql, " AND t.%I BETWEEN ", side->comparing->columns[0]);
		appendStringInfo(&sql, "'" INT64_FORMAT "'::pg_catalog.int8 AND '" INT64_FORMAT "'::pg_catalog.int8",
						 descent->low + first, descent->low + last);
	}
	return sql.data;
}

/* ---- statements over there ------------------------------------------------ */

static bool
is_foreign(const SsotSide *side)
{
	return get_rel_relkind(side->relid) == RELKIND_FOREIGN_TABLE;
}

/* Would all of the statement run on the other server? */
static bool
is_shipped(const char *sql)
{
	RawStmt    *raw = linitial_node(RawStmt, pg_parse_query(sql));
	Query	   *query = linitial_node(Query, pg_analyze_and_rewrite_fixedparams(raw, sql, NULL, 0, NULL));
	Plan	   *plan = pg_plan_query(query, sql, 0, NULL)->planTree;

	return IsA(plan, ForeignScan) && ((ForeignScan *) plan)->scan.scanrelid == 0 &&
		plan->qual == NIL;
}

/* The planner believes that rows are cheap to fetch. */
static int
prefer_shipping(void)
{
	int			level = NewGUCNestLevel();

	ssot_setting("enable_hashagg", "off");
	ssot_setting("enable_sort", "off");
	return level;
}

typedef struct Reading
{
	SsotSide   *side;
	const char *sql;
	SsotRowCallback take;
	void	   *arg;
	bool		shipped;
} Reading;

static void
read_side(void *arg)
{
	Reading    *reading = (Reading *) arg;
	SsotStatement statement = {.sql = reading->sql,.read_only = true};
	int			level;

	if (!is_foreign(reading->side))
	{
		ssot_statement_each(&statement, reading->take, reading->arg);
		return;
	}
	level = prefer_shipping();
	reading->shipped = is_shipped(reading->sql);
	if (reading->shipped)
		ssot_statement_each(&statement, reading->take, reading->arg);
	AtEOXact_GUC(true, level);
}

/*
 * Run an aggregate over a side; false if it would fetch rows, or if the other
 * server cannot make sense of it because its columns have other types.
 */
static bool
read_aggregate(SsotSide *side, const char *sql, SsotRowCallback take, void *arg)
{
	Reading		reading = {side, sql, take, arg, true};
	ErrorData  *error = ssot_attempt(read_side, &reading);

	if (error == NULL)
		return reading.shipped;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION)
		ReThrowError(error);
	FreeErrorData(error);
	return false;
}

/* ---- descending ------------------------------------------------------------ */

/* The least and the greatest key of both sides. */
typedef struct Bounds
{
	bool		any;
	int64		low;
	int64		high;
} Bounds;

static bool
take_bounds(TupleTableSlot *slot, void *arg)
{
	Bounds	   *bounds = (Bounds *) arg;
	bool		isnull;
	int64		low = DatumGetInt64(slot_getattr(slot, 1, &isnull));
	int64		high;

	if (isnull)
		return true;
	high = DatumGetInt64(slot_getattr(slot, 2, &isnull));
	bounds->low = bounds->any ? Min(bounds->low, low) : low;
	bounds->high = bounds->any ? Max(bounds->high, high) : high;
	bounds->any = true;
	return true;
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/* As far as statistics of either side know. */
static int
column_width(const Descent *descent, int i)
{
	const SsotComparing *comparing = descent->sides[0]->comparing;
	int			width = 0;

	for (int s = 0; s < 2; s++)
	{
		Oid			relid = descent->sides[s]->relid;

		width = Max(width, get_attavgwidth(relid, get_attnum(relid, comparing->columns[i])));
	}
	return width > 0 ? width : get_typavgwidth(TupleDescAttr(comparing->desc, i)->atttypid,
											   TupleDescAttr(comparing->desc, i)->atttypmod);
}

/* What the first ranges are; false if a side cannot say. */
static bool
begin_descent(Descent *descent, SsotSide *left, SsotSide *right)
{
	const SsotComparing *comparing = left->comparing;
	Bounds		bounds = {0};

	descent->sides[0] = left;
	descent->sides[1] = right;
	for (int i = 0; i < comparing->ncolumns; i++)
		descent->row_bytes += 4 + column_width(descent, i);
	descent->span = PG_INT64_MAX;
	if (comparing->nkeys == 1 && is_integer(TupleDescAttr(comparing->desc, 0)->atttypid))
	{
		for (int i = 0; i < 2; i++)
		{
			SsotSide   *side = descent->sides[i];

			if (!read_aggregate(side, ssot_sql("SELECT pg_catalog.min(t.%I)::pg_catalog.int8,"
											   " pg_catalog.max(t.%I)::pg_catalog.int8 FROM %T AS t",
											   comparing->columns[0], comparing->columns[0],
											   ssot_relation_name(side->relid)),
								take_bounds, &bounds))
				return false;
		}
		descent->low = bounds.low;
		descent->integer_key = !pg_sub_s64_overflow(bounds.high, bounds.low, &descent->span);
		if (!descent->integer_key)
			descent->span = PG_INT64_MAX;
	}
	descent->shift = Max(0, pg_leftmost_one_pos64(descent->span | 1) + 1 - FIRST_BITS);
	return true;
}

static bool
take_range(TupleTableSlot *slot, void *arg)
{
	Ranges	   *ranges = (Ranges *) arg;
	Range	   *range;
	bool		isnull;
	Datum		number = slot_getattr(slot, 1, &isnull);

	if (isnull)
		return true;
	if (ranges->n == ranges->capacity)
	{
		ranges->capacity *= 2;
		ranges->ranges = repalloc(ranges->ranges, sizeof(Range) * ranges->capacity);
	}
	range = &ranges->ranges[ranges->n++];
	range->number = DatumGetInt64(number);
	range->rows = DatumGetInt64(slot_getattr(slot, 2, &isnull));
	range->sum = DatumGetNumericCopy(slot_getattr(slot, 3, &isnull));
	ranges->rows += range->rows;
	return true;
}

static int
compare_ranges(const void *a, const void *b)
{
	int64		x = ((const Range *) a)->number;
	int64		y = ((const Range *) b)->number;

	return x < y ? -1 : (x > y ? 1 : 0);
}

/* Counts and sums of the ranges of a side that are still in question, in order. */
static bool
summarize(const Descent *descent, SsotSide *side, const char *condition, Ranges *ranges)
{
	ranges->capacity = 1024;
	ranges->n = 0;
	ranges->rows = 0;
	ranges->ranges = palloc(sizeof(Range) * ranges->capacity);
	if (!read_aggregate(side, psprintf("SELECT %s >> %d, pg_catalog.count(*), pg_catalog.sum(%s)"
									   " FROM %s AS t%s GROUP BY 1",
									   position_sql(descent, side), descent->shift,
									   columns_hash(side, side->comparing->ncolumns),
									   ssot_relation_name(side->relid), condition),
						take_range, ranges))
		return false;
	qsort(ranges->ranges, ranges->n, sizeof(Range), compare_ranges);
	return true;
}

static bool
same_rows(const Range *a, const Range *b)
{
	return a->rows == b->rows &&
		DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(a->sum), NumericGetDatum(b->sum)));
}

static void
add_differing(Descent *descent, const Range *range, int64 rows)
{
	descent->differing[descent->ndiffering++] = range->number;
	descent->rows += rows;
}

/* The ranges whose rows are not the same on both sides. */
static void
find_differing(Descent *descent, const Ranges *left, const Ranges *right)
{
	int			l = 0;
	int			r = 0;

	descent->differing = palloc(sizeof(int64) * (left->n + right->n + 1));
	descent->ndiffering = 0;
	descent->rows = 0;
	while (l < left->n || r < right->n)
	{
		const Range *a = l < left->n ? &left->ranges[l] : NULL;
		const Range *b = r < right->n ? &right->ranges[r] : NULL;
		int			order = a == NULL ? 1 : b == NULL ? -1 : compare_ranges(a, b);

		if (order < 0)
			add_differing(descent, a, a->rows);
		else if (order > 0)
			add_differing(descent, b, b->rows);
		else if (!same_rows(a, b))
			add_differing(descent, a, Max(a->rows, b->rows));
		l += order <= 0;
		r += order >= 0;
	}
}

/*
 * How many bits to divide each differing range by; 0 if its rows had better be
 * fetched. With one difference in each of them, dividing by f costs f lines per
 * range and leaves 1 / f of the rows: the least of both together is at the root.
 */
static int
bits_worth(const Descent *descent)
{
	double		per_range = (double) descent->rows / Max(descent->ndiffering, 1);
	double		divide_by = sqrt(per_range * descent->row_bytes / RANGE_BYTES);
	int			bits = 0;

	if (descent->rows * descent->row_bytes <= FETCH_BYTES)
		return 0;
	while (bits < descent->shift && (2 << bits) <= divide_by &&
		   ((int64) descent->ndiffering << (bits + 1)) <= INT64CONST(1) << MAX_BITS)
		bits++;
	return bits;
}

/* Divide until fetching is cheaper; false if all rows had better be fetched. */
static bool
descend(Descent *descent)
{
	char	   *conditions[2] = {"", ""};
	int64		total = -1;

	for (;;)
	{
		Ranges		ranges[2];
		int			bits;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < 2; i++)
			if (!summarize(descent, descent->sides[i], conditions[i], &ranges[i]))
				return false;
		if (total < 0)
			total = Max(ranges[0].rows, ranges[1].rows);
		find_differing(descent, &ranges[0], &ranges[1]);
		bits = bits_worth(descent);
		if (bits == 0)
			return descent->rows * descent->row_bytes <= FETCH_BYTES ||
				descent->rows <= total * MAX_FETCH_SHARE;
		for (int i = 0; i < 2; i++)
			conditions[i] = psprintf(" WHERE %s", in_differing(descent, descent->sides[i]));
		descent->shift -= bits;
	}
}

bool
ssot_screen_remote(SsotSide *left, SsotSide *right)
{
	Descent		descent = {0};

	if (!is_foreign(left) && !is_foreign(right))
		return false;
	if (columns_hash(left, left->comparing->ncolumns) == NULL ||
		!begin_descent(&descent, left, right) || !descend(&descent))
		return false;
	for (int i = 0; i < 2; i++)
		descent.sides[i]->condition = psprintf(" WHERE (%s) OR %s",
											   in_differing(&descent, descent.sides[i]),
											   key_is_null(descent.sides[i]));
	return true;
}
