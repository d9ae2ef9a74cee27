/*
 * ingest/mapper.c
 *		Compiling a source's mapping into what evaluate.c applies to its rows.
 *
 * The stored mapping is text, qualified when it was declared; here it is parsed
 * under search_path = pg_catalog against the relation as it is now, so a column
 * that has gone is an error of the run and not of a row. An expression that
 * yields text feeds any type through that type's input function; any other is
 * coerced as an assignment would be. Each expression has a state of its own
 * rather than one projection for all: an error must name its field, and the
 * state it leaves behind is thrown away and made anew.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "entity/expression.h"
#include "entity/json.h"
#include "ingest/mapper.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/*
 * Expressions.
 */

void
ssot_expr_init(SsotExpr *expr)
{
	MemoryContext old;

	MemoryContextReset(expr->context);
	old = MemoryContextSwitchTo(expr->context);
	expr->state = ExecInitExpr(expr->planned, NULL);
	MemoryContextSwitchTo(old);
}

static void
note_columns(SsotMapper *mapper, SsotExpr *expr, Node *parsed)
{
	Bitmapset  *columns = ssot_expression_columns(parsed, NULL);

	if (bms_membership(columns) == BMS_SINGLETON)
		expr->only_column = bms_singleton_member(columns) + FirstLowInvalidHeapAttributeNumber;
	mapper->columns = bms_add_members(mapper->columns, columns);
}

static void
finish_expr(SsotExpr *expr, Node *node)
{
	Oid			output;
	bool		is_varlena;

	expr->type = getBaseType(exprType(node));
	expr->is_text = TypeCategory(expr->type) == TYPCATEGORY_STRING;
	expr->is_varlena_text = expr->type == TEXTOID || expr->type == VARCHAROID ||
		expr->type == BPCHAROID;
	getTypeOutputInfo(expr->type, &output, &is_varlena);
	fmgr_info(output, &expr->output);
	expr->planned = expression_planner((Expr *) node);
	expr->context = AllocSetContextCreate(CurrentMemoryContext, "ssot expression",
										  ALLOCSET_SMALL_SIZES);
	ssot_expr_init(expr);
}

static void
compile_text(SsotMapper *mapper, SsotExpr *expr, const char *text, const char *what)
{
	Node	   *parsed = ssot_expression_parse(text, mapper->relid, what, InvalidOid, -1);

	note_columns(mapper, expr, parsed);
	finish_expr(expr, parsed);
}

/* With as_text the expression is left as it is: a code list or a token follows. */
static void
compile_typed(SsotMapper *mapper, SsotTyped *typed, const char *text, const char *what,
			  Oid type, int32 typmod, bool as_text)
{
	Node	   *parsed = ssot_expression_parse(text, mapper->relid, what,
											   as_text ? InvalidOid : type, typmod);
	Oid			given = getBaseType(exprType(parsed));
	Oid			input;

	typed->type = type;
	typed->typmod = typmod;
	typed->plain_bytes = -1;
	note_columns(mapper, &typed->expr, parsed);
	if (TypeCategory(given) == TYPCATEGORY_STRING)
	{
		typed->through_input = true;
		if (type == TEXTOID || (type == VARCHAROID && typmod < 0))
			typed->plain_bytes = MaxAllocSize;
		else if (type == VARCHAROID)
			typed->plain_bytes = typmod - VARHDRSZ;
	}
	else if (!as_text)
	{
		Node	   *coerced = coerce_to_target_type(NULL, parsed, exprType(parsed), type, typmod,
													COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);

		if (coerced == NULL)
			elog(ERROR, "%s cannot be coerced to %s", what, format_type_be(type));
		assign_expr_collations(NULL, coerced);
		parsed = coerced;
	}
	getTypeInputInfo(type, &input, &typed->ioparam);
	fmgr_info(input, &typed->input);
	finish_expr(&typed->expr, parsed);
}

static char *
describe(const SsotMapper *mapper, const char *part, const char *name)
{
	if (name == NULL)
		return psprintf("%s of source \"%s\"", part, mapper->source->name);
	return psprintf("%s \"%s\" of source \"%s\"", part, name, mapper->source->name);
}

/*
 * CHECK constraints of the canonical table that read one field only, with that
 * field as the only column of the outer row.
 */
static Node *
field_to_outer(Node *node, void *arg)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		Var		   *var = copyObject((Var *) node);

		var->varno = OUTER_VAR;
		var->varattno = 1;
		return (Node *) var;
	}
	return expression_tree_mutator(node, field_to_outer, arg);
}

static void
compile_checks(SsotMappedField *mapped, const SsotField *field, Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	TupleDesc	desc;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		Node	   *node = stringToNode(constr->check[i].ccbin);
		Bitmapset  *columns = ssot_expression_columns(node, NULL);
		SsotCheck  *check;

		if (!ssot_check_is_enforced(&constr->check[i]) ||
			bms_membership(columns) != BMS_SINGLETON ||
			!bms_is_member(field->attnum - FirstLowInvalidHeapAttributeNumber, columns))
			continue;
		check = palloc0(sizeof(SsotCheck));
		check->name = pstrdup(constr->check[i].ccname);
		finish_expr(&check->expr, field_to_outer(node, NULL));
		mapped->checks = lappend(mapped->checks, check);
	}
	if (mapped->checks == NIL)
		return;
	desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(desc, 1, field->name, field->type, field->typmod, 0);
	TupleDescInitEntryCollation(desc, 1, field->collation);
	mapped->check_slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
}

/*
 * The parts of a mapping.
 */
static List *
members(const SsotMapper *mapper, const char *name)
{
	JsonbValue *object = ssot_json_member(mapper->source->compiled, name);

	return object == NULL ? NIL : ssot_json_pairs(object, describe(mapper, name, NULL));
}

static const char *
single(const SsotMapper *mapper, const char *name)
{
	JsonbValue *value = ssot_json_member(mapper->source->compiled, name);

	return value == NULL ? NULL : ssot_json_string(value, describe(mapper, name, NULL));
}

/* A member of an object that is itself a member; NULL if there is none. */
static const JsonbValue *
nested(const SsotPair *pair, const char *name, const char *what)
{
	ListCell   *lc;

	foreach(lc, ssot_json_pairs(&pair->value, what))
	{
		SsotPair   *member = (SsotPair *) lfirst(lc);

		if (strcmp(member->name, name) == 0)
			return &member->value;
	}
	return NULL;
}

static void
compile_key(SsotMapper *mapper)
{
	JsonbValue *key = ssot_json_member(mapper->source->compiled, "key");
	char	   *what = describe(mapper, "key", NULL);
	uint32		count = key == NULL ? 0 : JsonContainerSize(key->val.binary.data);

	if (count == 0)
		elog(ERROR, "the %s is missing", what);
	mapper->keys = palloc0(sizeof(SsotExpr) * count);
	for (uint32 i = 0; i < count; i++)
		compile_text(mapper, &mapper->keys[mapper->nkeys++],
					 ssot_json_string(getIthJsonbValueFromContainer(key->val.binary.data, i), what),
					 what);
}

static void
compile_tokens(SsotMapper *mapper)
{
	List	   *keys = members(mapper, "keys");
	List	   *links = members(mapper, "links");
	ListCell   *lc;

	mapper->tokens = palloc0(sizeof(SsotMappedToken) * (list_length(keys) + list_length(links) + 1));
	foreach(lc, keys)
	{
		SsotPair   *pair = (SsotPair *) lfirst(lc);
		SsotMappedToken *token = &mapper->tokens[mapper->ntokens++];
		char	   *what = describe(mapper, "key", pair->name);
		const JsonbValue *value = nested(pair, "value", what);
		const JsonbValue *nullable = nested(pair, "nullable", what);

		token->what = psprintf("key \"%s\"", pair->name);
		token->prefix = psprintf("%s.%s:", mapper->source->system, pair->name);
		token->required = nullable == NULL || !nullable->val.boolean;
		compile_text(mapper, &token->value, ssot_json_string(value, what), what);
	}
	foreach(lc, links)
	{
		SsotPair   *pair = (SsotPair *) lfirst(lc);
		SsotMappedToken *token = &mapper->tokens[mapper->ntokens++];
		char	   *what = describe(mapper, "link", pair->name);

		token->what = psprintf("link \"%s\"", pair->name);
		token->prefix = psprintf("%s:", pair->name);
		compile_text(mapper, &token->value, ssot_json_string(&pair->value, what), what);
	}
}

static void
compile_reference(SsotMapper *mapper, SsotMappedField *mapped, const SsotPair *pair,
				  const char *what)
{
	const JsonbValue *value = &pair->value;
	const char *system = mapper->source->system;
	const char *key = NULL;

	if (value->type != jbvString)
	{
		const JsonbValue *member;

		if ((member = nested(pair, "system", what)) != NULL)
			system = ssot_json_string(member, what);
		if ((member = nested(pair, "key", what)) != NULL)
			key = ssot_json_string(member, what);
		value = nested(pair, "value", what);
	}
	mapped->token_prefix = key == NULL ? psprintf("%s:", system) : psprintf("%s.%s:", system, key);
	mapper->is_reference[mapped->field] = true;
	compile_typed(mapper, &mapped->value, ssot_json_string(value, what), what, TEXTOID, -1, true);
}

static void
compile_fields(SsotMapper *mapper)
{
	const SsotEntity *entity = mapper->entity;
	List	   *pairs = members(mapper, "fields");
	SsotCodes **codes = ssot_codes_load(entity, mapper->source);
	Relation	rel = table_open(entity->relid, AccessShareLock);
	ListCell   *lc;

	mapper->fields = palloc0(sizeof(SsotMappedField) * (list_length(pairs) + 1));
	mapper->is_reference = palloc0(sizeof(bool) * (entity->nfields + 1));
	foreach(lc, pairs)
	{
		SsotPair   *pair = (SsotPair *) lfirst(lc);
		SsotMappedField *mapped = &mapper->fields[mapper->nfields];
		char	   *what = describe(mapper, "field", pair->name);
		int			f = ssot_entity_field(entity, pair->name);
		const SsotField *field;

		if (f < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("entity \"%s\" has no field \"%s\"", entity->name, pair->name),
					 errdetail("Source \"%s\" maps it.", mapper->source->name),
					 errhint("Add the column, or map the source anew with ssot.alter_source.")));
		mapper->nfields++;
		field = &entity->fields[f];
		mapped->field = f;
		mapped->name = field->name;
		mapped->codes = codes[f];
		if (OidIsValid(field->references) || pair->value.type != jbvString)
		{
			compile_reference(mapper, mapped, pair, what);
			continue;
		}
		compile_typed(mapper, &mapped->value, ssot_json_string(&pair->value, what), what,
					  field->base_type, field->base_typmod, mapped->codes != NULL);
		mapped->domain = field->type != field->base_type ? field->type : InvalidOid;
		compile_checks(mapped, field, rel);
	}
	foreach(lc, members(mapper, "on_error"))
	{
		SsotPair   *pair = (SsotPair *) lfirst(lc);

		for (int i = 0; i < mapper->nfields; i++)
			if (strcmp(mapper->fields[i].name, pair->name) == 0)
				mapper->fields[i].null_on_error = true;
	}
	table_close(rel, NoLock);
}

static void
compile_times(SsotMapper *mapper)
{
	List	   *pairs = members(mapper, "field_updated_at");
	const char *text = single(mapper, "updated_at");
	ListCell   *lc;

	if (text != NULL)
	{
		mapper->updated_at = palloc0(sizeof(SsotTyped));
		compile_typed(mapper, mapper->updated_at, text,
					  describe(mapper, "updated_at", NULL), TIMESTAMPTZOID, -1, false);
	}
	mapper->times = palloc0(sizeof(SsotMappedTime) * (list_length(pairs) + 1));
	foreach(lc, pairs)
	{
		SsotPair   *pair = (SsotPair *) lfirst(lc);
		SsotMappedTime *time = &mapper->times[mapper->ntimes++];
		char	   *what = describe(mapper, "source time of field", pair->name);

		time->field = pair->name;
		compile_typed(mapper, &time->value, ssot_json_string(&pair->value, what), what,
					  TIMESTAMPTZOID, -1, false);
	}
}

static void
compile_life(SsotMapper *mapper)
{
	const char *text = single(mapper, "deleted");

	if (text != NULL)
	{
		mapper->deleted = palloc0(sizeof(SsotTyped));
		compile_typed(mapper, mapper->deleted, text, describe(mapper, "deleted", NULL),
					  BOOLOID, -1, false);
	}
	text = single(mapper, "merged_into");
	if (text != NULL)
	{
		mapper->merged_into = palloc0(sizeof(SsotExpr));
		compile_text(mapper, mapper->merged_into, text, describe(mapper, "merged_into", NULL));
	}
	text = single(mapper, "filter");
	if (text != NULL)
	{
		/* Evaluated by the query that reads; parsed here for its message. */
		(void) ssot_expression_parse(text, mapper->relid, describe(mapper, "filter", NULL),
									 BOOLOID, -1);
		mapper->filter = pstrdup(text);
	}
}

/* Its columns do not count as read by the mapping: the image of a row stays what it
 * is without a filter. */
void
ssot_mapper_filter_by_row(SsotMapper *mapper)
{
	MemoryContext old = MemoryContextSwitchTo(mapper->context);

	mapper->row_filter = palloc0(sizeof(SsotExpr));
	finish_expr(mapper->row_filter,
				ssot_expression_parse(mapper->filter, mapper->relid,
									  describe(mapper, "filter", NULL), BOOLOID, -1));
	MemoryContextSwitchTo(old);
}

SsotMapper *
ssot_mapper_create(const SsotEntity *entity, const SsotSource *source, Oid relid,
				   const SsotBlankWords *blank)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot mapper",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SsotMapper *mapper = palloc0(sizeof(SsotMapper));

	mapper->entity = entity;
	mapper->source = source;
	mapper->relid = relid;
	mapper->blank = blank;
	mapper->context = context;
	mapper->estate = CreateExecutorState();
	mapper->econtext = CreateExprContext(mapper->estate);
	compile_key(mapper);
	compile_tokens(mapper);
	compile_fields(mapper);
	compile_times(mapper);
	compile_life(mapper);
	MemoryContextSwitchTo(old);
	return mapper;
}

void
ssot_mapper_free(SsotMapper *mapper)
{
	for (int i = 0; i < mapper->nfields; i++)
		if (mapper->fields[i].check_slot != NULL)
			ExecDropSingleTupleTableSlot(mapper->fields[i].check_slot);
	FreeExecutorState(mapper->estate);
	MemoryContextDelete(mapper->context);
}
