/*
 * match.c
 *		ssot.match and what goes with it: the matching engine on any relation.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "golden/match_model.h"
#include "golden/match_override.h"
#include "identity/large.h"
#include "match_table.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "entity/json.h"

PG_FUNCTION_INFO_V1(ssot_match);
PG_FUNCTION_INFO_V1(ssot_match_pairs);
PG_FUNCTION_INFO_V1(ssot_match_model);
PG_FUNCTION_INFO_V1(ssot_match_blocking);
PG_FUNCTION_INFO_V1(ssot_match_kinds);

/* What the four functions have in common: the outcome of a run. */
typedef struct Run
{
	SsotMatchTable table;
	SsotMatchOptions options;
	SsotMatching *matching;
} Run;

/* The columns that identify a row: those that were said, or the primary key. */
static List *
key_columns(FunctionCallInfo fcinfo, Oid relid)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	List	   *columns = NIL;

	if (PG_ARGISNULL(1))
		return ssot_match_primary_key(relid);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("matching needs at least one key column"),
				 errhint("Name the key columns, for example key => '{id}'.")));
	for (int i = 0; i < n; i++)
	{
		char	   *column = nulls[i] ? pstrdup("") : TextDatumGetCString(elements[i]);

		if (get_attnum(relid, column) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" does not exist in \"%s\"", column, get_rel_name(relid)),
					 errhint("key names columns of the relation.")));
		columns = lappend(columns, column);
	}
	return columns;
}

static char *
key_expression(List *columns)
{
	StringInfoData sql;
	ListCell   *cell;

	initStringInfo(&sql);
	foreach(cell, columns)
	{
		char	   *column = lfirst(cell);

		if (list_length(columns) == 1)
			ssot_sql_append(&sql, "t.%I::pg_catalog.text", column);
		else
			ssot_sql_append(&sql, "%spg_catalog.replace(pg_catalog.replace(t.%I::pg_catalog.text,"
							" '\\', '\\\\'), '|', '\\|')", sql.len == 0 ? "" : " || '|' || ", column);
	}
	return sql.data;
}

static double
probability_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	double		value = PG_GETARG_FLOAT8(number);

	if (!(value > 0 && value < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a probability between 0 and 1", name)));
	return value;
}

/* What is compared by the names of columns; the key and the system are no values. */
static Jsonb *
chosen(FunctionCallInfo fcinfo, const SsotMatchTable *table, List *key)
{
	List	   *but = list_copy(key);

	if (table->group_column != NULL)
		but = lappend(but, table->group_column);
	return ssot_match_by_names(table->relid, but, get_func_name(fcinfo->flinfo->fn_oid));
}

/*
 * Arguments of all four: (relation regclass, key text[], compare jsonb,
 * one_per text, match float8, review float8, max_cluster int, blocking jsonb,
 * prior float8). A null key is the primary key; null comparisons are chosen by the
 * names of columns.
 */
static Run *
run(FunctionCallInfo fcinfo)
{
	Run		   *run = palloc0(sizeof(Run));
	SsotMatchTable *table = &run->table;
	List	   *key;

	for (int i = 0; i < 7; i++)
		if (PG_ARGISNULL(i) && (i == 0 || i > 3))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("matching needs a relation, and thresholds that are not null"),
					 errhint("For example ssot.match('crm.contact', '{id}', '{\"name\": \"text\", \"born\": \"date\"}').")));
	table->relid = PG_GETARG_OID(0);
	ssot_require_rows(table->relid, "matched");
	key = key_columns(fcinfo, table->relid);
	table->key_sql = key_expression(key);
	if (!PG_ARGISNULL(3))
	{
		table->group_column = text_to_cstring(PG_GETARG_TEXT_PP(3));
		if (get_attnum(table->relid, table->group_column) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" does not exist in \"%s\"", table->group_column,
							get_rel_name(table->relid)),
					 errhint("one_per names the column that tells which system a row comes from.")));
	}
	ssot_match_declare(table, PG_ARGISNULL(2) ? chosen(fcinfo, table, key) : PG_GETARG_JSONB_P(2));
	run->options.match = probability_argument(fcinfo, 4, "match");
	run->options.review = probability_argument(fcinfo, 5, "review");
	run->options.max_cluster = PG_GETARG_INT32(6);
	run->options.blocking = ssot_blocking_declared(PG_ARGISNULL(7) ? NULL : PG_GETARG_JSONB_P(7),
												   table->nfields, table->names, table->kinds,
												   &run->options.blocking_adds);
	run->options.prior = PG_ARGISNULL(8) ? 0 : ssot_prior_declared(PG_GETARG_FLOAT8(8));
	ssot_match_read(table);
	run->options.team = table->team;
	run->matching = ssot_match_records(table->records, &run->options);
	return run;
}

/* The key of the row that came as number "row". */
static Datum
row_key(const Run *run, int row)
{
	const SsotMatchTable *table = &run->table;

	return PointerGetDatum(cstring_to_text_with_len(table->key_bytes + table->key_start[row],
													table->key_start[row + 1] - table->key_start[row]));
}

/* Are the key bytes of one row before those of another? */
static bool
key_before(const Run *run, int i, int j)
{
	const SsotMatchTable *table = &run->table;
	Size		left = table->key_start[i + 1] - table->key_start[i];
	Size		right = table->key_start[j + 1] - table->key_start[j];
	int			order = memcmp(table->key_bytes + table->key_start[i],
							   table->key_bytes + table->key_start[j], Min(left, right));

	return order < 0 || (order == 0 && left < right);
}

/* For each row the one of its cluster whose key is the least. */
static int *
name_clusters(const Run *run)
{
	const SsotRecords *records = run->table.records;
	const int  *cluster = run->matching->gathering.cluster;
	int		   *least = SSOT_LARGE(int, records->n);
	int		   *names = SSOT_LARGE(int, records->n);

	for (int i = 0; i < records->n; i++)
		least[i] = records->arrival[i];
	for (int i = 0; i < records->n; i++)
		if (cluster[i] != i && key_before(run, records->arrival[i], least[cluster[i]]))
			least[cluster[i]] = records->arrival[i];
	for (int i = 0; i < records->n; i++)
		names[records->arrival[i]] = least[cluster[i]];
	ssot_large_free(least);
	return names;
}

/*
 * ssot.match(...) returns (key text, cluster text)
 *
 * The cluster is called by the least of its keys. Rows come as they were read.
 */
Datum
ssot_match(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Run		   *outcome;
	int		   *names;
	MemoryContext row;
	MemoryContext old;

	InitMaterializedSRF(fcinfo, 0);
	outcome = run(fcinfo);
	names = name_clusters(outcome);
	row = AllocSetContextCreate(CurrentMemoryContext, "row", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(row);
	for (int i = 0; i < outcome->table.records->n; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		CHECK_FOR_INTERRUPTS();
		if ((i & 63) == 0)
			MemoryContextReset(row);
		values[0] = row_key(outcome, i);
		values[1] = names[i] == i ? values[0] : row_key(outcome, names[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	MemoryContextSwitchTo(old);
	ssot_matching_report(outcome->matching, outcome->options.max_cluster);
	return (Datum) 0;
}

/* {"surname": "close", "born": "equal"} */
static Datum
evidence_datum(const Run *run, int a, int b)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int f = 0; f < run->table.nfields; f++)
	{
		int			level;

		ssot_score_field(run->matching->scorer, f, a, b, &level);
		ssot_json_key(&state, run->table.names[f]);
		ssot_json_text(&state, WJB_VALUE, level == SSOT_LEVEL_MISSING ? "missing" :
					   run->table.kinds[f]->levels[level - 1]);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/*
 * ssot.match_pairs(...) returns (left_key text, right_key text, weight float8,
 * probability float8, evidence jsonb, joined boolean)
 */
Datum
ssot_match_pairs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Run		   *outcome;
	MemoryContext row;
	MemoryContext old;

	InitMaterializedSRF(fcinfo, 0);
	outcome = run(fcinfo);
	row = AllocSetContextCreate(CurrentMemoryContext, "row", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(row);
	for (int64 i = 0; i < outcome->matching->npairs; i++)
	{
		const SsotScoredPair *pair = &outcome->matching->pairs[i];
		const int  *cluster = outcome->matching->gathering.cluster;
		const int  *arrival = outcome->table.records->arrival;
		bool		swap = key_before(outcome, arrival[pair->b], arrival[pair->a]);
		Datum		values[6];
		bool		nulls[6] = {0};

		CHECK_FOR_INTERRUPTS();
		if (i > 0 && pair->a == pair[-1].a && pair->b == pair[-1].b)
			continue;			/* found twice, in an oversized block */
		values[0] = row_key(outcome, arrival[swap ? pair->b : pair->a]);
		values[1] = row_key(outcome, arrival[swap ? pair->a : pair->b]);
		values[2] = Float8GetDatum(pair->weight);
		values[3] = Float8GetDatum(ssot_probability(pair->weight));
		values[4] = evidence_datum(outcome, pair->a, pair->b);
		values[5] = BoolGetDatum(cluster[pair->a] == cluster[pair->b]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextReset(row);
	}
	MemoryContextSwitchTo(old);
	ssot_matching_report(outcome->matching, outcome->options.max_cluster);
	return (Datum) 0;
}

static void
put_level(ReturnSetInfo *result, const Run *outcome, int f, int level)
{
	const SsotFieldModel *field = &outcome->matching->model->fields[f];
	Datum		values[7];
	bool		nulls[7] = {0};

	values[0] = CStringGetTextDatum(outcome->table.names[f]);
	values[1] = CStringGetTextDatum(outcome->table.kinds[f]->name);
	values[2] = Int32GetDatum(level);
	values[3] = CStringGetTextDatum(outcome->table.kinds[f]->levels[level - 1]);
	values[4] = Float8GetDatum(field->m[level]);
	values[5] = Float8GetDatum(field->u[level]);
	values[6] = Float8GetDatum(field->weight[level]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_tie(ReturnSetInfo *result, const Run *outcome, const SsotTie *tie)
{
	const SsotFieldModel *f = &outcome->matching->model->fields[tie->f];
	const SsotFieldModel *g = &outcome->matching->model->fields[tie->g];
	Datum		values[7];
	bool		nulls[7] = {false, false, true, false, true, false, false};

	values[0] = CStringGetTextDatum(psprintf("%s + %s", outcome->table.names[tie->f],
											 outcome->table.names[tie->g]));
	values[1] = CStringGetTextDatum("tie");
	values[3] = CStringGetTextDatum("both equal");
	values[5] = Float8GetDatum(f->u[f->nlevels] * g->u[g->nlevels] * exp2(tie->excess));
	values[6] = Float8GetDatum(-tie->excess);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * ssot.match_model(...) returns (field text, kind text, level_number int,
 * level text, m float8, u float8, weight float8): what was learnt. The prior
 * is the row without a field; ties follow the fields.
 */
Datum
ssot_match_model(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Run		   *outcome;
	const SsotModel *model;
	Datum		values[7];
	bool		prior_nulls[7] = {true, true, true, true, false, true, false};

	InitMaterializedSRF(fcinfo, 0);
	outcome = run(fcinfo);
	model = outcome->matching->model;
	values[3] = CStringGetTextDatum("given");
	prior_nulls[3] = !model->prior_given;
	values[4] = Float8GetDatum(model->prior);
	values[6] = Float8GetDatum(outcome->matching->scorer->base);
	tuplestore_putvalues(result->setResult, result->setDesc, values, prior_nulls);
	for (int f = 0; f < model->nfields; f++)
		for (int l = 1; l <= model->fields[f].nlevels; l++)
			put_level(result, outcome, f, l);
	for (int i = 0; i < model->nties; i++)
		put_tie(result, outcome, &model->ties[i]);
	return (Datum) 0;
}

/*
 * ssot.match_blocking(...) returns (rule text, coverage float8, pairs bigint,
 * oversized int, oversized_records bigint): how records were brought together.
 */
Datum
ssot_match_blocking(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Run		   *outcome;
	Datum		values[5];
	bool		nulls[5] = {0};

	InitMaterializedSRF(fcinfo, 0);
	outcome = run(fcinfo);
	if (outcome->matching->blocks == NULL)
	{
		values[0] = CStringGetTextDatum("(all pairs)");
		values[1] = Float8GetDatum(1);
		values[2] = Int64GetDatum(outcome->matching->compared);
		values[3] = Int32GetDatum(0);
		values[4] = Int64GetDatum(0);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		return (Datum) 0;
	}
	for (int i = 0; i < outcome->matching->blocks->nrules; i++)
	{
		const SsotRuleBlocks *rule = &outcome->matching->blocks->rules[i];

		values[0] = CStringGetTextDatum(ssot_blocking_name(outcome->table.records, rule->rule));
		values[1] = Float8GetDatum(rule->rule->coverage);
		values[2] = Int64GetDatum(rule->pairs);
		values[3] = Int32GetDatum(rule->oversized);
		values[4] = Int64GetDatum(rule->oversized_records);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * ssot.match_kinds() returns (kind text, description text, levels text[],
 * thresholds text)
 */
Datum
ssot_match_kinds(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const SsotKind *const *kinds;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	kinds = ssot_kinds(&count);
	for (int i = 0; i < count; i++)
	{
		Datum		levels[SSOT_MAX_LEVEL];
		Datum		values[4];
		bool		nulls[4] = {0};

		for (int l = 0; l < kinds[i]->nlevels; l++)
			levels[l] = CStringGetTextDatum(kinds[i]->levels[l]);
		values[0] = CStringGetTextDatum(kinds[i]->name);
		values[1] = CStringGetTextDatum(kinds[i]->description);
		values[2] = PointerGetDatum(construct_array(levels, kinds[i]->nlevels, TEXTOID, -1, false,
													TYPALIGN_INT));
		nulls[3] = kinds[i]->measured == NULL;
		values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(kinds[i]->measured);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
