/*
 * dictionary/tree_call.c
 *		ssot.ancestors and ssot.roll_up: hierarchies as SQL functions of arrays.
 *
 * A hierarchy reaches these functions as two arrays, ids and the parents of each. So
 * who may read it, as of when, and whose it is stays with the query that gathers the
 * arrays; the functions are pure. A recursive query over a million nodes hashes or
 * reads the table once per level, and carries each value to each ancestor: on the data
 * of test/bench/hierarchy.sh some fifty times what this takes.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/tree.h"
#include "dictionary/tree_ids.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ssot_ancestors);
PG_FUNCTION_INFO_V1(ssot_roll_up);

/* ---- arguments ------------------------------------------------------------ */

static SsotElements
elements_of(FunctionCallInfo fcinfo, int arg)
{
	SsotElements e = {0};
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
require_equal_length(const SsotElements *a, const SsotElements *b, const char *what)
{
	if (a->n != b->n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s differ in length: %d and %d", what, a->n, b->n),
				 errhint("Gather them with array_agg from the same rows.")));
}

/* A parent that is not among the ids is none: its child is a root. */
static SsotTree *
tree_of(const SsotNumbers *numbers, const SsotElements *ids, const SsotElements *parents)
{
	int		   *parent = palloc_extended(Max(ids->n, 1) * sizeof(int), MCXT_ALLOC_HUGE);

	for (int i = 0; i < ids->n; i++)
		parent[i] = ssot_number_of(numbers, parents->values[i], parents->nulls[i]);
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
	SsotElements ids = elements_of(fcinfo, 0);
	SsotElements parents = elements_of(fcinfo, 1);
	int			level = PG_GETARG_INT32(2);
	int		   *ancestors;

	InitMaterializedSRF(fcinfo, 0);
	require_equal_length(&ids, &parents, "ids and parents");
	if (level < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a hierarchy has no level %d", level),
				 errhint("Level 1 is that of the roots.")));
	ancestors = ssot_tree_ancestors(tree_of(ssot_number_ids(&ids), &ids, &parents), level);
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

/* NULL: different values are counted. */
static SsotTreeMerge
merge_of(const char *how)
{
	static const struct
	{
		const char *name;
		SsotTreeMerge merge;
	}			merges[] = {{"sum", sum_of}, {"min", least_of}, {"max", greatest_of}, {"distinct", NULL}};

	for (int i = 0; i < lengthof(merges); i++)
		if (strcmp(merges[i].name, how) == 0)
			return merges[i].merge;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("values cannot be rolled up by \"%s\"", how),
			 errhint("By \"sum\", \"min\", \"max\" or \"distinct\".")));
}

/* What the nodes have, and what belongs to none. */
typedef struct Values
{
	Numeric    *own;			/* by number; NULL: none */
	Numeric    *whole;			/* of the node and all below it */
	bool	   *used;			/* by number: shown, or with a value */
	Numeric		rest;
	bool		has_rest;
} Values;

static void
roll_up(Values *v, const SsotTree *tree, const SsotNumbers *numbers, const SsotElements *nodes,
		const SsotElements *values, SsotTreeMerge merge)
{
	for (int i = 0; i < nodes->n; i++)
	{
		int			node = ssot_number_of(numbers, nodes->values[i], nodes->nulls[i]);
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
	memcpy(v->whole, v->own, tree->n * sizeof(Numeric));
	ssot_tree_roll_up(tree, v->whole, merge);
}

/* Count different values; those that belong to no node by themselves. */
static void
count_different(Values *v, const SsotTree *tree, const int *downward, const SsotNumbers *numbers,
				const SsotElements *nodes, const SsotElements *values)
{
	int			nthings;
	int		   *thing = ssot_number_values(values, &nthings);
	int		   *node = palloc_extended(Max(nodes->n, 1) * sizeof(int), MCXT_ALLOC_HUGE);
	bool	   *met = palloc0(Max(nthings, 1) * sizeof(bool));
	int64	   *own = palloc_extended(Max(tree->n, 1) * sizeof(int64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int64	   *whole = palloc_extended(Max(tree->n, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	int64		rest = 0;
	int			n = 0;

	for (int i = 0; i < nodes->n; i++)
	{
		int			at = ssot_number_of(numbers, nodes->values[i], nodes->nulls[i]);

		if (at < 0)
			v->has_rest = true;
		else
			v->used[at] = true;
		if (thing[i] < 0)
			continue;
		if (at < 0)
		{
			rest += !met[thing[i]];
			met[thing[i]] = true;
			continue;
		}
		node[n] = at;
		thing[n++] = thing[i];
	}
	ssot_tree_count(tree, downward, n, node, thing, nthings, own, whole);
	for (int i = 0; i < tree->n; i++)
	{
		v->own[i] = int64_to_numeric(own[i]);
		v->whole[i] = int64_to_numeric(whole[i]);
	}
	v->rest = int64_to_numeric(rest);
}

static void
put_row(ReturnSetInfo *result, const SsotElements *ids, int node, int parent, int level, bool used,
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
	SsotElements ids = elements_of(fcinfo, 0);
	SsotElements parents = elements_of(fcinfo, 1);
	SsotElements shown = elements_of(fcinfo, 2);
	SsotElements nodes = elements_of(fcinfo, 3);
	SsotElements values = elements_of(fcinfo, 4);
	SsotTreeMerge merge = merge_of(PG_ARGISNULL(5) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(5)));
	Values		v = {0};
	SsotNumbers *numbers;
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
	numbers = ssot_number_ids(&ids);
	tree = tree_of(numbers, &ids, &parents);
	v.own = palloc_extended(Max(ids.n, 1) * sizeof(Numeric), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	v.used = palloc_extended(Max(ids.n, 1) * sizeof(bool), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	v.whole = palloc_extended(Max(ids.n, 1) * sizeof(Numeric), MCXT_ALLOC_HUGE);
	for (int i = 0; i < ids.n; i++)
		v.used[i] = PG_ARGISNULL(2) || (!shown.nulls[i] && DatumGetBool(shown.values[i]));
	order = ssot_tree_downward(tree, ssot_sorted_by_id(numbers, ids.n));
	if (merge == NULL)
		count_different(&v, tree, order, numbers, &nodes, &values);
	else
		roll_up(&v, tree, numbers, &nodes, &values, merge);
	ssot_tree_mark_up(tree, v.used);
	for (int i = 0; i < ids.n; i++)
		put_row(result, &ids, order[i], tree->parent[order[i]], tree->level[order[i]], v.used[order[i]],
				v.own[order[i]], v.whole[order[i]]);
	if (v.has_rest)
		put_row(result, &ids, -1, -1, 0, true, v.rest, v.rest);
	PG_RETURN_NULL();
}
