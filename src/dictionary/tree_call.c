/*
 * dictionary/tree_call.c
 *		ssot.ancestors and ssot.roll_up: hierarchies as SQL functions of arrays.
 *
 * A hierarchy reaches these functions as two arrays, ids and the parents of each. So
 * who may read it, as of when, and whose it is stays with the query that gathers the
 * arrays; the functions are pure. A recursive query over a million nodes hashes or
 * reads the table once per level, and carries each value to each ancestor: on the data
 * of test/bench/hierarchy.sh some fifty times what this takes.
 *
 * An id is looked up by its type's own equality; integers, which most ids are, by their
 * value.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/tree.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(ssot_ancestors);
PG_FUNCTION_INFO_V1(ssot_roll_up);

/* An array taken apart. */
typedef struct Elements
{
	Oid			type;
	int			n;
	Datum	   *values;
	bool	   *nulls;
} Elements;

/*
 * Node numbers by id. Integers that lie close together, as those of an identity column
 * do, are places of a table; others are looked up by open addressing, in a table filled
 * to at most a half.
 */
typedef struct Numbers
{
	TypeCacheEntry *type;
	bool		is_integer;
	bool		is_dense;
	int64		first;			/* dense: the least id, at the table's first
								 * place */
	const Datum *ids;			/* by number */
	uint32	   *hashes;			/* by number; not dense */
	int		   *slots;			/* -1: free */
	uint64		size;			/* of the table; not dense: a power of two */
} Numbers;

/* ---- arguments ------------------------------------------------------------ */

static Elements
elements_of(FunctionCallInfo fcinfo, int arg)
{
	Elements	e = {0};
	ArrayType  *array;
	int16		length;
	bool		by_value;
	char		align;

	if (PG_ARGISNULL(arg))
		return e;
	array = PG_GETARG_ARRAYTYPE_P(arg);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the arrays of a hierarchy have one dimension"),
				 errhint("Gather them with array_agg.")));
	e.type = ARR_ELEMTYPE(array);
	get_typlenbyvalalign(e.type, &length, &by_value, &align);
	deconstruct_array(array, e.type, length, by_value, align, &e.values, &e.nulls, &e.n);
	return e;
}

static void
require_equal_length(const Elements *a, const Elements *b, const char *what)
{
	if (a->n != b->n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s differ in length: %d and %d", what, a->n, b->n),
				 errhint("Gather them with array_agg from the same rows.")));
}

/* ---- node numbers --------------------------------------------------------- */

static uint32
hash_of(const Numbers *numbers, Datum id)
{
	if (numbers->is_integer)
		return murmurhash32((uint32) id ^ murmurhash32((uint32) ((uint64) id >> 32)));
	return DatumGetUInt32(FunctionCall1Coll(&numbers->type->hash_proc_finfo,
											numbers->type->typcollation, id));
}

static bool
is_same(const Numbers *numbers, Datum a, Datum b)
{
	if (numbers->is_integer)
		return a == b;
	return DatumGetBool(FunctionCall2Coll(&numbers->type->eq_opr_finfo,
										  numbers->type->typcollation, a, b));
}

/* The slot of an id, or the free one where it belongs. */
static uint32
slot_of(const Numbers *numbers, Datum id, uint32 hash)
{
	uint32		slot = hash & (numbers->size - 1);

	for (;; slot = (slot + 1) & (numbers->size - 1))
	{
		int			node = numbers->slots[slot];

		if (node < 0 || (numbers->hashes[node] == hash && is_same(numbers, numbers->ids[node], id)))
			return slot;
	}
}

static int
number_of(const Numbers *numbers, Datum id, bool isnull)
{
	if (isnull)
		return -1;
	if (numbers->is_dense)
	{
		uint64		place = (uint64) id - (uint64) numbers->first;

		return place < numbers->size ? numbers->slots[place] : -1;
	}
	return numbers->slots[slot_of(numbers, id, hash_of(numbers, id))];
}

static void
refuse_id(const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("%s", problem),
			 errhint("%s", hint)));
}

/* Integers of which the table would be no larger than a sparse one. */
static void
find_range(Numbers *numbers, const Elements *ids)
{
	int64		least = PG_INT64_MAX;
	int64		greatest = PG_INT64_MIN;
	uint64		size;

	for (int i = 0; i < ids->n; i++)
	{
		if (ids->nulls[i])
			continue;
		least = Min(least, (int64) ids->values[i]);
		greatest = Max(greatest, (int64) ids->values[i]);
	}
	size = (uint64) greatest - (uint64) least + 1;
	numbers->is_dense = ids->n > 0 && size - 1 < 4 * (uint64) ids->n;
	numbers->first = least;
	numbers->size = size;
}

static void
make_table(Numbers *numbers, const Elements *ids)
{
	numbers->is_integer = ids->type == INT8OID || ids->type == INT4OID || ids->type == INT2OID;
	if (numbers->is_integer)
		find_range(numbers, ids);
	if (!numbers->is_dense)
	{
		for (numbers->size = 16; numbers->size < 2 * (uint64) ids->n;)
			numbers->size *= 2;
		numbers->hashes = palloc_extended(Max(ids->n, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	}
	numbers->slots = palloc_extended(numbers->size * sizeof(int), MCXT_ALLOC_HUGE);
	memset(numbers->slots, 0xff, numbers->size * sizeof(int));
}

/* The place of a new id. */
static uint64
place_of(Numbers *numbers, int i)
{
	if (numbers->is_dense)
		return (uint64) numbers->ids[i] - (uint64) numbers->first;
	numbers->hashes[i] = hash_of(numbers, numbers->ids[i]);
	return slot_of(numbers, numbers->ids[i], numbers->hashes[i]);
}

static Numbers *
number_ids(const Elements *ids)
{
	Numbers    *numbers = palloc0(sizeof(Numbers));

	numbers->type = lookup_type_cache(ids->type, TYPECACHE_HASH_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO |
									  TYPECACHE_CMP_PROC_FINFO);
	if (!OidIsValid(numbers->type->hash_proc) || !OidIsValid(numbers->type->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("ids of type %s cannot be hashed", format_type_be(ids->type)),
				 errhint("Give them as text.")));
	numbers->ids = ids->values;
	make_table(numbers, ids);
	for (int i = 0; i < ids->n; i++)
	{
		uint64		place;

		if ((i & 0xffff) == 0)
			CHECK_FOR_INTERRUPTS();
		if (ids->nulls[i])
			refuse_id("an id of a hierarchy is null", "Gather the ids from a column that is NOT NULL.");
		place = place_of(numbers, i);
		if (numbers->slots[place] >= 0)
			refuse_id("an id of a hierarchy is there twice", "Gather the ids from a column that is unique.");
		numbers->slots[place] = i;
	}
	return numbers;
}

static int
by_id(const void *a, const void *b, void *arg)
{
	const Numbers *numbers = (const Numbers *) arg;
	Datum		left = numbers->ids[*(const int *) a];
	Datum		right = numbers->ids[*(const int *) b];

	return DatumGetInt32(FunctionCall2Coll(&numbers->type->cmp_proc_finfo, numbers->type->typcollation,
										   left, right));
}

/* Node numbers in the order of ids; as they came, where the type has no order. */
static int *
sorted_by_id(const Numbers *numbers, int n)
{
	int		   *sorted = palloc_extended(Max(n, 1) * sizeof(int), MCXT_ALLOC_HUGE);
	int			filled = 0;

	for (uint64 place = 0; numbers->is_dense && place < numbers->size; place++)
		if (numbers->slots[place] >= 0)
			sorted[filled++] = numbers->slots[place];
	if (numbers->is_dense)
		return sorted;
	for (int i = 0; i < n; i++)
		sorted[i] = i;
	if (OidIsValid(numbers->type->cmp_proc))
		qsort_arg(sorted, n, sizeof(int), by_id, unconstify(Numbers *, numbers));
	return sorted;
}

/* A parent that is not among the ids is none: its child is a root. */
static SsotTree *
tree_of(const Numbers *numbers, const Elements *ids, const Elements *parents)
{
	int		   *parent = palloc_extended(Max(ids->n, 1) * sizeof(int), MCXT_ALLOC_HUGE);

	for (int i = 0; i < ids->n; i++)
		parent[i] = number_of(numbers, parents->values[i], parents->nulls[i]);
	return ssot_tree_build(ids->n, parent);
}

/* ---- ssot.ancestors ------------------------------------------------------- */

/*
 * ancestors(ids, parents, level): each node and its ancestor at that level, itself
 * where it stands no deeper; null in a circle or below one.
 */
Datum
ssot_ancestors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Elements	ids = elements_of(fcinfo, 0);
	Elements	parents = elements_of(fcinfo, 1);
	int			level = PG_GETARG_INT32(2);
	int		   *ancestors;

	InitMaterializedSRF(fcinfo, 0);
	require_equal_length(&ids, &parents, "ids and parents");
	if (level < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a hierarchy has no level %d", level),
				 errhint("Level 1 is that of the roots.")));
	ancestors = ssot_tree_ancestors(tree_of(number_ids(&ids), &ids, &parents), level);
	for (int i = 0; i < ids.n; i++)
	{
		Datum		values[2] = {ids.values[i], ancestors[i] < 0 ? (Datum) 0 : ids.values[ancestors[i]]};
		bool		nulls[2] = {false, ancestors[i] < 0};

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}

/* ---- ssot.roll_up --------------------------------------------------------- */

static Numeric
sum_of(Numeric a, Numeric b)
{
	return numeric_add_opt_error(a, b, NULL);
}

static Numeric
least_of(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b))) <= 0 ? a : b;
}

static Numeric
greatest_of(Numeric a, Numeric b)
{
	return least_of(a, b) == a ? b : a;
}

static SsotTreeMerge
merge_of(const char *how)
{
	static const struct
	{
		const char *name;
		SsotTreeMerge merge;
	}			merges[] = {{"sum", sum_of}, {"min", least_of}, {"max", greatest_of}};

	for (int i = 0; i < lengthof(merges); i++)
		if (strcmp(merges[i].name, how) == 0)
			return merges[i].merge;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("values cannot be rolled up by \"%s\"", how),
			 errhint("By \"sum\", \"min\" or \"max\".")));
}

/* What the nodes have, and what belongs to none. */
typedef struct Values
{
	Numeric    *own;			/* by number; NULL: none */
	bool	   *used;			/* by number: shown, or with a value */
	Numeric		rest;
	bool		has_rest;
} Values;

static void
gather(Values *v, const Numbers *numbers, const Elements *nodes, const Elements *values,
	   SsotTreeMerge merge)
{
	for (int i = 0; i < nodes->n; i++)
	{
		int			node = number_of(numbers, nodes->values[i], nodes->nulls[i]);
		Numeric    *own = node < 0 ? &v->rest : &v->own[node];

		if ((i & 0xffff) == 0)
			CHECK_FOR_INTERRUPTS();
		if (node < 0)
			v->has_rest = true;
		else
			v->used[node] = true;
		if (!values->nulls[i])
			*own = *own == NULL ? DatumGetNumeric(values->values[i]) :
				merge(*own, DatumGetNumeric(values->values[i]));
	}
}

static void
put_row(ReturnSetInfo *result, const Elements *ids, int node, int parent, int level, bool used,
		Numeric own, Numeric value)
{
	Datum		values[6] = {
		node < 0 ? (Datum) 0 : ids->values[node], parent < 0 ? (Datum) 0 : ids->values[parent],
		Int32GetDatum(level), BoolGetDatum(used), NumericGetDatum(own), NumericGetDatum(value)
	};
	bool		nulls[6] = {node < 0, parent < 0, level == 0, false, own == NULL, value == NULL};

	CHECK_FOR_INTERRUPTS();
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * roll_up(ids, parents, shown, nodes, values, how): per node its parent, level,
 * whether it or something below it is shown or has a value, the value of its own, and
 * that of everything from it downwards; each followed by what lies below it. Then one
 * row for values of nodes that are null or not among the ids.
 */
Datum
ssot_roll_up(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Elements	ids = elements_of(fcinfo, 0);
	Elements	parents = elements_of(fcinfo, 1);
	Elements	shown = elements_of(fcinfo, 2);
	Elements	nodes = elements_of(fcinfo, 3);
	Elements	values = elements_of(fcinfo, 4);
	SsotTreeMerge merge = merge_of(PG_ARGISNULL(5) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(5)));
	Values		v = {0};
	Numeric    *totals;
	Numbers    *numbers;
	SsotTree   *tree;
	int		   *order;

	InitMaterializedSRF(fcinfo, 0);
	require_equal_length(&ids, &parents, "ids and parents");
	require_equal_length(&nodes, &values, "nodes and values");
	if (!PG_ARGISNULL(2))
		require_equal_length(&ids, &shown, "ids and shown");
	if (ids.n == 0)
		ids.type = nodes.type;
	if (!OidIsValid(ids.type))
		PG_RETURN_NULL();
	numbers = number_ids(&ids);
	tree = tree_of(numbers, &ids, &parents);
	v.own = palloc_extended(Max(ids.n, 1) * sizeof(Numeric), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	v.used = palloc_extended(Max(ids.n, 1) * sizeof(bool), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	totals = palloc_extended(Max(ids.n, 1) * sizeof(Numeric), MCXT_ALLOC_HUGE);
	for (int i = 0; i < ids.n; i++)
		v.used[i] = PG_ARGISNULL(2) || (!shown.nulls[i] && DatumGetBool(shown.values[i]));
	gather(&v, numbers, &nodes, &values, merge);
	memcpy(totals, v.own, ids.n * sizeof(Numeric));
	ssot_tree_roll_up(tree, totals, merge);
	ssot_tree_mark_up(tree, v.used);
	order = ssot_tree_downward(tree, sorted_by_id(numbers, ids.n));
	for (int i = 0; i < ids.n; i++)
		put_row(result, &ids, order[i], tree->parent[order[i]], tree->level[order[i]], v.used[order[i]],
				v.own[order[i]], totals[order[i]]);
	if (v.has_rest)
		put_row(result, &ids, -1, -1, 0, true, v.rest, v.rest);
	PG_RETURN_NULL();
}
