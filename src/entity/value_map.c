/*
 * entity/value_map.c
 *		Code lists: set_value_map.
 *
 * A source's codes ("M", "Male", "m.") are mapped to canonical values by a list
 * and not by CASE, so that a code that is not listed can be told apart from an
 * absent value. Each canonical value is tried against the column here, on its
 * type, its domain and the CHECK constraints that mention no other column: a
 * list that cannot be used is refused when it is written.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/config.h"
#include "entity/declare.h"
#include "entity/json.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ssot_set_value_map);

enum
{
	ARG_ENTITY, ARG_SOURCE, ARG_FIELD, ARG_MAP
};

static SsotQuery clear_query = {
	.sql =
	"DELETE FROM ssot.value_map AS v\n"
	"WHERE v.source_id = $1\n"
	"  AND v.field = $2",
	.nargs = 2,
	.argtypes = {INT4OID, TEXTOID}
};

static SsotQuery set_query = {
	.sql =
	"INSERT INTO ssot.value_map (source_id, field, code, value)\n"
	"SELECT $1, $2, m.key, m.value\n"
	"FROM pg_catalog.jsonb_each_text($3) AS m",
	.nargs = 3,
	.argtypes = {INT4OID, TEXTOID, JSONBOID}
};

static SsotQuery version_query = {
	.sql =
	"UPDATE ssot.source AS s\n"
	"SET map_version = s.map_version + 1\n"
	"WHERE s.source_id = $1",
	.nargs = 1,
	.argtypes = {INT4OID}
};

/* CHECK constraints of one column, ready to be evaluated. */
typedef struct ColumnChecks
{
	Relation	rel;
	AttrNumber	attnum;
	EState	   *estate;
	TupleTableSlot *slot;
	List	   *states;			/* of ExprState */
	List	   *names;			/* of char *, in step */
} ColumnChecks;

static void
open_checks(ColumnChecks *checks, const SsotEntity *entity, const SsotField *field)
{
	TupleConstr *constr;

	memset(checks, 0, sizeof(*checks));
	checks->rel = table_open(entity->relid, AccessShareLock);
	checks->attnum = field->attnum;
	checks->estate = CreateExecutorState();
	checks->slot = MakeSingleTupleTableSlot(RelationGetDescr(checks->rel), &TTSOpsVirtual);
	constr = RelationGetDescr(checks->rel)->constr;
	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		Node	   *check = stringToNode(constr->check[i].ccbin);
		Bitmapset  *columns = NULL;
		int			member;

		pull_varattnos(check, 1, &columns);
		if (!bms_get_singleton_member(columns, &member) ||
			member + FirstLowInvalidHeapAttributeNumber != field->attnum)
			continue;
		check = (Node *) make_ands_implicit((Expr *) check);
		checks->states = lappend(checks->states,
								 ExecPrepareExpr(make_ands_explicit((List *) check), checks->estate));
		checks->names = lappend(checks->names, constr->check[i].ccname);
	}
}

static void
close_checks(ColumnChecks *checks)
{
	ExecDropSingleTupleTableSlot(checks->slot);
	FreeExecutorState(checks->estate);
	table_close(checks->rel, NoLock);
}

static void
run_checks(ColumnChecks *checks, const char *code, const char *text, Datum value)
{
	ExprContext *context = GetPerTupleExprContext(checks->estate);
	ListCell   *state;
	ListCell   *name;

	ExecStoreAllNullTuple(checks->slot);
	checks->slot->tts_values[checks->attnum - 1] = value;
	checks->slot->tts_isnull[checks->attnum - 1] = false;
	context->ecxt_scantuple = checks->slot;
	forboth(state, checks->states, name, checks->names)
		if (!ExecCheck((ExprState *) lfirst(state), context))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the value \"%s\" for the code \"%s\" violates the check constraint \"%s\"",
						text, code, (char *) lfirst(name)),
				 errhint("Map the code to a value that the column can hold, or to null.")));
}

/* Which code is being checked, for the type's own error. */
static void
value_error(void *arg)
{
	SsotPair   *pair = (SsotPair *) arg;

	errcontext("canonical value for the code \"%s\"", pair->name);
}

static void
check_value(ColumnChecks *checks, const SsotField *field, SsotPair *pair)
{
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = value_error,
		.arg = pair
	};
	char	   *text;
	Oid			input;
	Oid			param;

	if (pair->value.type == jbvNull)
		return;
	error_context_stack = &context;
	text = ssot_json_string(&pair->value, psprintf("the value for the code \"%s\"", pair->name));
	getTypeInputInfo(field->type, &input, &param);
	run_checks(checks, pair->name, text,
			   OidInputFunctionCall(input, text, param, field->typmod));
	error_context_stack = context.previous;
}

static const SsotField *
mapped_field(const SsotEntity *entity, const SsotSource *source, const char *name)
{
	int			f = ssot_entity_field(entity, name);

	if (f < 0 || !source->maps[f])
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("source \"%s\" does not map a field \"%s\"", source->name, name),
				 errhint("The fields of \"%s\" are %s; map one with ssot.alter_source.",
						 entity->name, ssot_field_names(entity))));
	return &entity->fields[f];
}

/*
 * A foreign key that is found through a crosswalk is mapped from code to key,
 * so there is no column to try its values on.
 */
static void
check_map(const SsotEntity *entity, const SsotField *field, Jsonb *map)
{
	ColumnChecks checks;
	JsonbValue	value;
	List	   *pairs;
	ListCell   *lc;

	JsonbToJsonbValue(map, &value);
	pairs = ssot_json_pairs(&value, "map");
	if (OidIsValid(field->references))
	{
		foreach(lc, pairs)
			if (((SsotPair *) lfirst(lc))->value.type != jbvNull)
			(void) ssot_json_string(&((SsotPair *) lfirst(lc))->value, "the value for a code");
		return;
	}
	open_checks(&checks, entity, field);
	foreach(lc, pairs)
		check_value(&checks, field, (SsotPair *) lfirst(lc));
	close_checks(&checks);
}

static void
write_map(int source_id, const char *field, Jsonb *map)
{
	Datum		args[3] = {Int32GetDatum(source_id), CStringGetTextDatum(field), JsonbPGetDatum(map)};

	ssot_config_run(&clear_query, args, NULL);
	ssot_config_run(&set_query, args, NULL);
	ssot_config_run(&version_query, args, NULL);
}

Datum
ssot_set_value_map(PG_FUNCTION_ARGS)
{
	SsotEntity *entity;
	char	   *source = ssot_text_arg(fcinfo, ARG_SOURCE);
	char	   *name = ssot_text_arg(fcinfo, ARG_FIELD);
	int			s;

	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("entity, source, field and map must not be null"),
					 errhint("An empty map '{}' removes the code list.")));
	entity = ssot_entity_own(PG_GETARG_OID(ARG_ENTITY));
	s = ssot_entity_source(entity, source);
	if (s < 0 || entity->sources[s].relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("entity \"%s\" has no source \"%s\" that was made by ssot.create_source",
						entity->name, source),
				 errhint("Call ssot.create_source first.")));
	check_map(entity, mapped_field(entity, &entity->sources[s], name), PG_GETARG_JSONB_P(ARG_MAP));
	write_map(entity->sources[s].source_id, name, PG_GETARG_JSONB_P(ARG_MAP));
	PG_RETURN_VOID();
}
