/*
 * dictionary/formula.c
 *		Numbers computed from other metrics.
 *
 * A formula such as "won / nullif(pipeline, 0)" names metrics where an expression
 * names columns. Each becomes a parameter of type numeric, so PostgreSQL's own
 * parser checks the types, and the qualified text reads "$1 / NULLIF($2, 0)".
 */
#include "postgres.h"

#include "ssot.h"
#include "common/settings.h"
#include "dictionary/formula.h"
#include "entity/expression.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"

typedef struct Formula
{
	const char *what;
	List	   *names;
} Formula;

static int
number_of(Formula *formula, const char *name)
{
	int			n = 1;
	ListCell   *cell;

	foreach(cell, formula->names)
	{
		if (strcmp((const char *) lfirst(cell), name) == 0)
			return n;
		n++;
	}
	formula->names = lappend(formula->names, pstrdup(name));
	return n;
}

static Node *
metric_as_param(ParseState *pstate, ColumnRef *ref)
{
	Formula    *formula = (Formula *) pstate->p_ref_hook_state;
	Param	   *param;

	if (list_length(ref->fields) != 1 || !IsA(linitial(ref->fields), String))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s names \"%s\", which is no metric's name", formula->what,
						NameListToString(ref->fields)),
				 errhint("Write a variant in quotes: \"pipeline:finance\".")));
	param = makeNode(Param);
	param->paramkind = PARAM_EXTERN;
	param->paramid = number_of(formula, strVal(linitial(ref->fields)));
	param->paramtype = NUMERICOID;
	param->paramtypmod = -1;
	param->paramcollid = InvalidOid;
	param->location = -1;
	return (Node *) param;
}

static bool
is_volatile(Oid function, void *arg)
{
	return func_volatile(function) != PROVOLATILE_IMMUTABLE;
}

static bool
refuse_walker(Node *node, void *arg)
{
	const Formula *formula = (const Formula *) arg;

	if (node == NULL)
		return false;
	if (IsA(node, SubLink) || IsA(node, Aggref) || IsA(node, WindowFunc) || IsA(node, GroupingFunc) ||
		IsA(node, SQLValueFunction) ||
		(IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset) ||
		check_functions_in_node(node, is_volatile, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s must be arithmetic on metrics", formula->what),
				 errhint("Sub-selects, aggregates and functions that are not IMMUTABLE cannot stand in it.")));
	return expression_tree_walker(node, refuse_walker, arg);
}

char *
ssot_formula_parse(const char *text, const char *what, List **names)
{
	Formula		formula = {.what = what};
	ParseState *pstate = make_parsestate(NULL);
	Node	   *expression;
	Oid			type;
	int			level;
	char	   *sql;

	pstate->p_sourcetext = text;
	pstate->p_pre_columnref_hook = metric_as_param;
	pstate->p_ref_hook_state = &formula;
	expression = transformExpr(pstate, ssot_expression_raw(text, what, "Write an expression over metrics."),
							   EXPR_KIND_SELECT_TARGET);
	assign_expr_collations(pstate, expression);
	refuse_walker(expression, &formula);
	type = exprType(expression);
	if (TypeCategory(type) != TYPCATEGORY_NUMERIC)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("%s is of type %s, not a number", what, format_type_be(type))));
	if (formula.names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s names no metric", what)));
	level = ssot_settings_begin(false);
	sql = deparse_expression(expression, NIL, false, false);
	ssot_settings_end(level);
	free_parsestate(pstate);
	*names = formula.names;
	return sql;
}
