/*
 * golden/rowcheck.c
 *		Testing a merged row against the table's own NOT NULL and CHECK
 *		constraints before it is written, and filling in constant defaults.
 *
 * These constraints look at one row only, so they can be tested in the pass
 * that decides the row: a row at fault costs nothing but itself. What looks at
 * other rows (UNIQUE, EXCLUDE, FOREIGN KEY) is left to the write (hold.c), and
 * so is a CHECK over columns that the merged row does not have (generated ones).
 *
 * A column's default takes part only if it is constant: a default that depends
 * on the moment of writing would make the golden value depend on it.
 */
#include "postgres.h"

#include "ssot.h"
#include "golden/hold.h"

#include "access/table.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

typedef struct RowConstraint
{
	const char *name;
	ExprState  *state;
} RowConstraint;

struct SsotRowCheck
{
	const SsotEntity *entity;
	Relation	rel;
	EState	   *estate;
	TupleTableSlot *slot;
	TimestampTz t;
	int			nconstraints;
	RowConstraint *constraints;
	bool	   *has_default;	/* by field */
	Datum	   *defaults;
};

/* Can the expression be evaluated from what a merged row has? */
static bool
reads_only_merged_columns(const SsotEntity *entity, Relation rel, Node *expression)
{
	Bitmapset  *columns = NULL;
	int			i = -1;

	pull_varattnos(expression, 1, &columns);
	while ((i = bms_next_member(columns, i)) >= 0)
	{
		AttrNumber	attnum = i + FirstLowInvalidHeapAttributeNumber;

		if (attnum <= 0 ||
			TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attgenerated != '\0')
			return false;
	}
	return true;
}

static void
load_constraints(SsotRowCheck *check)
{
	TupleConstr *constr = RelationGetDescr(check->rel)->constr;

	if (constr == NULL)
		return;
	check->constraints = palloc(sizeof(RowConstraint) * Max(constr->num_check, 1));
	for (int i = 0; i < constr->num_check; i++)
	{
		Node	   *expression = stringToNode(constr->check[i].ccbin);

		if (!reads_only_merged_columns(check->entity, check->rel, expression))
			continue;
		check->constraints[check->nconstraints].name = pstrdup(constr->check[i].ccname);
		check->constraints[check->nconstraints].state =
			ExecPrepareCheck(make_ands_implicit((Expr *) expression),
							 check->estate);
		check->nconstraints++;
	}
}

static void
load_defaults(SsotRowCheck *check)
{
	const SsotEntity *entity = check->entity;
	ExprContext *context = GetPerTupleExprContext(check->estate);

	check->has_default = palloc0(sizeof(bool) * Max(entity->nfields, 1));
	check->defaults = palloc0(sizeof(Datum) * Max(entity->nfields, 1));
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];
		Node	   *expression = build_column_default(check->rel, field->attnum);
		bool		isnull;
		Datum		value;

		if (expression == NULL || contain_mutable_functions(expression) ||
			!ssot_field_is_fed(entity, f))
			continue;
		value = ExecEvalExprSwitchContext(ExecPrepareExpr((Expr *) expression, check->estate),
										  context, &isnull);
		if (isnull)
			continue;
		check->has_default[f] = true;
		check->defaults[f] = datumCopy(value, field->typbyval, field->typlen);
	}
	ResetExprContext(context);
}

SsotRowCheck *
ssot_row_check_create(const SsotEntity *entity, TimestampTz t)
{
	SsotRowCheck *check = palloc0(sizeof(SsotRowCheck));

	check->entity = entity;
	check->t = t;
	check->rel = table_open(entity->relid, AccessShareLock);
	check->estate = CreateExecutorState();
	check->slot = MakeSingleTupleTableSlot(RelationGetDescr(check->rel), &TTSOpsVirtual);
	load_constraints(check);
	load_defaults(check);
	return check;
}

void
ssot_row_check_free(SsotRowCheck *check)
{
	ExecDropSingleTupleTableSlot(check->slot);
	FreeExecutorState(check->estate);
	table_close(check->rel, NoLock);
}

void
ssot_row_defaults(SsotRowCheck *check, Datum *fields, bool *nulls)
{
	for (int f = 0; f < check->entity->nfields; f++)
	{
		if (nulls[f] && check->has_default[f])
		{
			fields[f] = check->defaults[f];
			nulls[f] = false;
		}
	}
}

/* Lay the merged row out as a row of the table. */
static void
fill_slot(SsotRowCheck *check, const Datum *values, const bool *nulls)
{
	const SsotEntity *entity = check->entity;
	TupleTableSlot *slot = check->slot;
	TupleDesc	desc = slot->tts_tupleDescriptor;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * desc->natts);
	slot->tts_values[entity->id_attnum - 1] = values[0];
	slot->tts_isnull[entity->id_attnum - 1] = false;
	for (int f = 0; f < entity->nfields; f++)
	{
		slot->tts_values[entity->fields[f].attnum - 1] = values[f + 1];
		slot->tts_isnull[entity->fields[f].attnum - 1] = nulls[f + 1];
	}
	for (int i = 0; i < desc->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), "valid_from") == 0)
		{
			slot->tts_values[i] = TimestampTzGetDatum(check->t);
			slot->tts_isnull[i] = false;
		}
	}
	ExecStoreVirtualTuple(slot);
}

/* A field without a default of its own that no source feeds may yet be filled
 * by a default that is not constant: then NULL is not a violation. */
static bool
null_is_violation(SsotRowCheck *check, int f)
{
	AttrNumber	attnum = check->entity->fields[f].attnum;

	return check->entity->fields[f].not_null &&
		!TupleDescAttr(RelationGetDescr(check->rel), attnum - 1)->atthasdef;
}

bool
ssot_row_violates(SsotRowCheck *check, const Datum *values, const bool *nulls,
				  SsotViolation *violation)
{
	const SsotEntity *entity = check->entity;
	ExprContext *context;

	memset(violation, 0, sizeof(*violation));
	for (int f = 0; f < entity->nfields; f++)
	{
		if (nulls[f + 1] && null_is_violation(check, f))
		{
			violation->column = entity->fields[f].name;
			violation->sqlstate = ERRCODE_NOT_NULL_VIOLATION;
			violation->reason = psprintf("no record has a value for \"%s\", which may not be null",
										 entity->fields[f].name);
			return true;
		}
	}
	if (check->nconstraints == 0)
		return false;

	fill_slot(check, values, nulls);
	context = GetPerTupleExprContext(check->estate);
	context->ecxt_scantuple = check->slot;
	for (int i = 0; i < check->nconstraints; i++)
	{
		bool		holds = ExecCheck(check->constraints[i].state, context);

		ResetExprContext(context);
		if (!holds)
		{
			violation->constraint = check->constraints[i].name;
			violation->sqlstate = ERRCODE_CHECK_VIOLATION;
			violation->reason = psprintf("the merged values break the check constraint \"%s\"",
										 check->constraints[i].name);
			return true;
		}
	}
	return false;
}
