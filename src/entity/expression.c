/*
 * entity/expression.c
 *		User expressions over one relation: checking, qualifying, compiling.
 *
 * A source's mapping is made of SQL expressions over the columns of one
 * relation. They are evaluated row by row in C, inside a subtransaction that
 * must write nothing, and again in later sessions with other search paths. So
 * they are parsed once, under the search path of whoever declares them, by
 * PostgreSQL's own parser; what cannot be evaluated by itself for one row
 * (aggregates, window functions, set-returning functions, sub-selects) or does
 * not give the same answer twice (volatile functions) is refused; and the tree
 * is printed back as text that is qualified and so means the same for ever.
 *
 * The same function parses the stored text again before a run, under
 * search_path = pg_catalog: a column that has gone or changed its type since is
 * found there, with the same message.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/settings.h"
#include "entity/expression.h"

#include "access/table.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

/* What is being parsed, for messages. */
typedef struct Subject
{
	const char *text;
	const char *what;
	Relation	rel;
} Subject;

static char *
column_names(Relation rel)
{
	StringInfoData buf;
	TupleDesc	desc = RelationGetDescr(rel);

	initStringInfo(&buf);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			appendStringInfo(&buf, "%s\"%s\"", buf.len > 0 ? ", " : "",
							 NameStr(TupleDescAttr(desc, i)->attname));
	return buf.data;
}

void
ssot_expression_position(const char *text)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(text);
	}
}

static void
expression_error(void *arg)
{
	Subject    *subject = (Subject *) arg;

	ssot_expression_position(subject->text);
	if (geterrcode() == ERRCODE_UNDEFINED_COLUMN || geterrcode() == ERRCODE_UNDEFINED_TABLE)
		errhint("The columns of \"%s\" are %s.",
				RelationGetRelationName(subject->rel), column_names(subject->rel));
	errcontext("expression for %s: %s", subject->what, subject->text);
}

static void
refuse(const Subject *subject, const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the expression for %s %s", subject->what, problem),
			 errhint("%s", hint)));
}

/* A bare "*" is a list, which parse analysis expects never to meet alone. */
static bool
is_star(Node *node)
{
	return IsA(node, ColumnRef) &&
		IsA(llast(((ColumnRef *) node)->fields), A_Star);
}

/*
 * PL/pgSQL's grammar mode also accepts what may follow an expression in a SELECT.
 */
Node *
ssot_expression_raw(const char *text, const char *what, const char *hint)
{
	List	   *statements;
	SelectStmt *select;
	ResTarget  *target;

	if (strspn(text, " \t\r\n\f") == strlen(text))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the expression for %s is empty", what),
				 errhint("Leave it out if there is nothing to map.")));
	statements = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	select = castNode(SelectStmt, linitial_node(RawStmt, statements)->stmt);
	target = list_length(select->targetList) == 1 ?
		linitial_node(ResTarget, select->targetList) : NULL;
	if (target == NULL || target->name != NULL || is_star(target->val) || select->distinctClause != NIL ||
		select->fromClause != NIL || select->whereClause != NULL ||
		select->groupClause != NIL || select->havingClause != NULL ||
		select->windowClause != NIL || select->sortClause != NIL ||
		select->limitOffset != NULL || select->limitCount != NULL ||
		select->lockingClause != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("%s needs one expression, not a query or a list", what),
				 errhint("%s", hint)));
	return target->val;
}

static bool
is_volatile(Oid function, void *arg)
{
	if (func_volatile(function) != PROVOLATILE_VOLATILE)
		return false;
	*(Oid *) arg = function;
	return true;
}

/* Refuse what parse analysis lets through in a SELECT list. */
static bool
refuse_unusable(Node *node, void *arg)
{
	const Subject *subject = (const Subject *) arg;
	Oid			function = InvalidOid;

	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
		refuse(subject, "contains a sub-select",
			   "Join in a view and declare the view as the source's relation.");
	if (IsA(node, Aggref) || IsA(node, GroupingFunc))
		refuse(subject, "contains an aggregate",
			   "Aggregate in a view, or declare the source with grain => 'part'.");
	if (IsA(node, WindowFunc))
		refuse(subject, "contains a window function",
			   "Compute it in a view and declare the view as the source's relation.");
	if ((IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset) ||
		(IsA(node, OpExpr) && ((OpExpr *) node)->opretset))
		refuse(subject, "contains a set-returning function",
			   "Expand the rows in a view and declare the view as the source's relation.");
	if (IsA(node, Var) && ((Var *) node)->varattno < 0)
		refuse(subject, "reads a system column",
			   "System columns change when the relation is loaded anew; use a column of the data.");
	if (IsA(node, NextValueExpr) ||
		check_functions_in_node(node, is_volatile, &function))
		refuse(subject,
			   psprintf("calls the volatile function %s",
						OidIsValid(function) ? format_procedure(function) : "nextval"),
			   "A mapping must give the same value for the same row; use a STABLE or IMMUTABLE function.");
	return expression_tree_walker(node, refuse_unusable, arg);
}

static void
check_type(const Subject *subject, Oid type, Oid target_type, int32 target_typmod)
{
	if (get_typtype(type) == TYPTYPE_PSEUDO)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the expression for %s has the pseudo-type %s", subject->what,
						format_type_be(type)),
				 errhint("Cast the expression to an ordinary type.")));
	if (!OidIsValid(target_type) ||
		TypeCategory(getBaseType(type)) == TYPCATEGORY_STRING ||
		can_coerce_type(1, &type, &target_type, COERCION_ASSIGNMENT))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("%s is of type %s but the expression is of type %s", subject->what,
					format_type_with_typemod(target_type, target_typmod),
					format_type_be(type)),
			 errhint("Write a cast in the expression, or give the value as text.")));
}

static Node *
parse(const Subject *subject, Oid target_type, int32 target_typmod)
{
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item;
	Node	   *expression;

	pstate->p_sourcetext = subject->text;
	item = addRangeTableEntryForRelation(pstate, subject->rel, AccessShareLock,
										 NULL, false, true);
	addNSItemToQuery(pstate, item, true, true, true);
	expression = transformExpr(pstate,
							   ssot_expression_raw(subject->text, subject->what,
												   "Join or compute in a view and declare the view as the source's relation."),
							   EXPR_KIND_SELECT_TARGET);
	if (exprType(expression) == UNKNOWNOID)
		expression = coerce_to_target_type(pstate, expression, UNKNOWNOID, TEXTOID, -1,
										   COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1);
	assign_expr_collations(pstate, expression);
	refuse_unusable(expression, (void *) subject);
	check_type(subject, exprType(expression), target_type, target_typmod);
	free_parsestate(pstate);
	return expression;
}

/*
 * The expression is returned as parsed: it is not coerced to the target type,
 * because a code list may stand between the two. A bare string literal is text.
 * The relation is locked in ACCESS SHARE mode until the transaction ends.
 */
Node *
ssot_expression_parse(const char *text, Oid relid, const char *what,
					  Oid target_type, int32 target_typmod)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Subject		subject = {.text = text,.what = what,.rel = rel};
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = expression_error,
		.arg = &subject
	};
	Node	   *expression;

	error_context_stack = &context;
	expression = parse(&subject, target_type, target_typmod);
	error_context_stack = context.previous;
	table_close(rel, NoLock);
	return expression;
}

/*
 * Constants are printed under pinned settings: '01/02/2026'::date, typed under
 * DateStyle DMY, must not become another day elsewhere. The text is parsed again
 * under the pinned search path: whatever cannot be printed so that it comes
 * back with its type is found now and not in the night.
 */
char *
ssot_expression_qualify(const char *text, Oid relid, const char *what,
						Oid target_type, int32 target_typmod)
{
	Node	   *expression = ssot_expression_parse(text, relid, what,
												   target_type, target_typmod);
	int			level = ssot_settings_begin(false);
	char	   *qualified;
	Node	   *again;

	qualified = deparse_expression(expression,
								   deparse_context_for(get_rel_name(relid), relid),
								   false, false);
	again = ssot_expression_parse(qualified, relid, what, target_type, target_typmod);
	ssot_settings_end(level);
	if (exprType(again) != exprType(expression))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the expression for %s changes its type when its names are qualified", what),
				 errdetail("\"%s\" became \"%s\".", text, qualified),
				 errhint("Write explicit casts.")));
	return qualified;
}

Bitmapset *
ssot_expression_columns(Node *expression, Bitmapset *columns)
{
	pull_varattnos(expression, 1, &columns);
	return columns;
}
