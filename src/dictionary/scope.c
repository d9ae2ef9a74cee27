/*
 * dictionary/scope.c
 *		What a metric's expressions may name, and their qualified form.
 *
 * A metric is declared over one entity. Its expressions may also name columns of
 * entities that this one refers to, through foreign keys from the many to the
 * one: such a join adds columns and never rows, so no amount is counted twice.
 * Names with a dot are resolved before PostgreSQL's own parser sees the tree:
 * "customer.country" becomes a column of a relation with the alias "customer",
 * "customer.parent.name" one of "customer.parent".
 *
 * The tree is printed back qualified. PostgreSQL prints expressions over one
 * relation only; but an expression of nested queries may name a relation of each
 * of them, so every relation of the scope is presented as a query of its own.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/foreign_key.h"
#include "common/ident.h"
#include "common/settings.h"
#include "dictionary/scope.h"
#include "entity/expression.h"
#include "entity/map.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_agg.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

/* What is being parsed. */
typedef struct Subject
{
	SsotScope  *scope;
	const char *text;
	const char *what;
	SsotScopedUse use;
	List	   *columns;		/* found so far */
} Subject;

SsotScopeRelation *
ssot_scope_relation(const SsotScope *scope, int i)
{
	return (SsotScopeRelation *) list_nth(scope->relations, i);
}

SsotScopeRelation *
ssot_scope_add(SsotScope *scope, const char *alias, Oid relid)
{
	SsotScopeRelation *relation = palloc0(sizeof(SsotScopeRelation));

	relation->alias = pstrdup(alias);
	relation->relid = relid;
	relation->from = -1;
	scope->relations = lappend(scope->relations, relation);
	return relation;
}

SsotScope *
ssot_scope_create(Oid relid)
{
	SsotScope  *scope = palloc0(sizeof(SsotScope));

	(void) ssot_entity_load(relid, false);
	ssot_scope_add(scope, get_rel_name(relid), relid);
	return scope;
}

bool
ssot_scope_has_column(const SsotScope *scope, const char *name)
{
	return get_attnum(ssot_scope_relation(scope, 0)->relid, name) > 0;
}

/* ---- names with dots ------------------------------------------------------ */

/* "customer_id" is also called "customer". */
static bool
names_key(const char *name, const char *column)
{
	size_t		length = strlen(name);

	return strcmp(name, column) == 0 ||
		(strncmp(name, column, length) == 0 && strcmp(column + length, "_id") == 0);
}

/*
 * The foreign key of a relation that a name means: its column, with or without
 * "_id", else the only one to a table of that name. NULL if there is none or it
 * cannot be told which.
 */
static ForeignKeyCacheInfo *
find_key(Relation rel, const char *name)
{
	ForeignKeyCacheInfo *by_table = NULL;
	int			ntables = 0;
	ListCell   *cell;

	foreach(cell, ssot_foreign_keys(rel))
	{
		ForeignKeyCacheInfo *key = (ForeignKeyCacheInfo *) lfirst(cell);

		if (key->nkeys != 1)
			continue;
		if (names_key(name, get_attname(RelationGetRelid(rel), key->conkey[0], false)))
			return key;
		if (strcmp(name, get_rel_name(key->confrelid)) == 0)
		{
			by_table = key;
			ntables++;
		}
	}
	return ntables == 1 ? by_table : NULL;
}

int
ssot_scope_find(const SsotScope *scope, const char *alias)
{
	for (int i = 0; i < list_length(scope->relations); i++)
		if (strcmp(ssot_scope_relation(scope, i)->alias, alias) == 0)
			return i;
	return -1;
}

static SsotScopeKey *
key_of(Relation rel, const ForeignKeyCacheInfo *info)
{
	SsotScopeKey *key = palloc(sizeof(SsotScopeKey));

	key->column = get_attname(RelationGetRelid(rel), info->conkey[0], false);
	key->relid = info->confrelid;
	key->target = get_attname(info->confrelid, info->confkey[0], false);
	return key;
}

SsotScopeKey *
ssot_scope_key(const SsotScope *scope, int from, const char *name)
{
	Relation	rel = table_open(ssot_scope_relation(scope, from)->relid, AccessShareLock);
	ForeignKeyCacheInfo *info = find_key(rel, name);
	SsotScopeKey *key = info == NULL ? NULL : key_of(rel, info);

	table_close(rel, NoLock);
	return key;
}

List *
ssot_scope_self_keys(const SsotScope *scope, int from)
{
	Relation	rel = table_open(ssot_scope_relation(scope, from)->relid, AccessShareLock);
	List	   *keys = NIL;
	ListCell   *cell;

	foreach(cell, ssot_foreign_keys(rel))
	{
		ForeignKeyCacheInfo *info = (ForeignKeyCacheInfo *) lfirst(cell);

		if (info->nkeys == 1 && info->confrelid == RelationGetRelid(rel))
			keys = lappend(keys, key_of(rel, info));
	}
	table_close(rel, NoLock);
	return keys;
}

char *
ssot_scope_alias(const SsotScope *scope, int from, const char *name)
{
	SsotScopeRelation *parent = ssot_scope_relation(scope, from);

	return from == 0 && strcmp(name, parent->alias) != 0 ? pstrdup(name) :
		psprintf("%s.%s", parent->alias, name);
}

int
ssot_scope_step(SsotScope *scope, int from, const char *name, const char *what)
{
	SsotScopeRelation *parent = ssot_scope_relation(scope, from);
	const char *alias = ssot_scope_alias(scope, from, name);
	int			known = ssot_scope_find(scope, alias);
	SsotScopeKey *key;
	SsotScopeRelation *relation;

	if (known >= 0)
		return known;
	key = ssot_scope_key(scope, from, name);
	if (key == NULL)
		return -1;
	if (ssot_entity_load(key->relid, true) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s reaches \"%s\", which is not a registered entity", what,
						ssot_relation_name(key->relid)),
				 errdetail("Nobody could tell later what it held at the time of a number."),
				 errhint("Register it with ssot.register_entity.")));
	relation = ssot_scope_add(scope, alias, key->relid);
	relation->from = from;
	relation->column = key->column;
	relation->target = key->target;
	relation->up = parent->up || key->relid == parent->relid;
	return list_length(scope->relations) - 1;
}

/* Does a table of that name refer to the entity? Then each of its rows would
 * repeat the entity's. */
static void
refuse_fan_out(const Subject *subject, const char *name)
{
	SsotScopeRelation *base = ssot_scope_relation(subject->scope, 0);
	Oid			relid = get_relname_relid(name, get_rel_namespace(base->relid));
	Relation	rel;
	ListCell   *cell;

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION)
		return;
	rel = table_open(relid, AccessShareLock);
	foreach(cell, ssot_foreign_keys(rel))
		if (((ForeignKeyCacheInfo *) lfirst(cell))->confrelid == base->relid)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s names \"%s\", which has many rows for one of \"%s\"", subject->what,
						name, base->alias),
				 errdetail("Joining it would count rows of \"%s\" several times.", base->alias),
				 errhint("Declare the metric with from_entity => %s and reach \"%s\" from there, or divide two metrics (kind => 'ratio').",
						 quote_literal_cstr(ssot_relation_name(relid)), base->alias)));
	table_close(rel, NoLock);
}

/* The steps that a relation's alias was made of, as printed expressions name it. */
static List *
split_alias(const char *alias)
{
	List	   *steps = NIL;
	char	   *rest = pstrdup(alias);

	for (char *dot = strchr(rest, '.'); dot != NULL && dot[1] != '\0'; dot = strchr(rest, '.'))
	{
		*dot = '\0';
		steps = lappend(steps, makeString(rest));
		rest = dot + 1;
	}
	return lappend(steps, makeString(rest));
}

static void
resolve_column(Subject *subject, ColumnRef *ref)
{
	SsotScope  *scope = subject->scope;
	int			n = list_length(ref->fields);
	int			at = 0;
	List	   *steps;

	if (n < 2 || IsA(llast(ref->fields), A_Star))
		return;
	steps = list_copy_head(ref->fields, n - 1);
	if (n == 2)
		steps = split_alias(strVal(linitial(ref->fields)));
	for (int i = 0; i < list_length(steps); i++)
	{
		const char *name = strVal(list_nth(steps, i));
		int			next;

		if (i == 0 && strcmp(name, ssot_scope_relation(scope, 0)->alias) == 0)
			continue;
		next = ssot_scope_step(scope, at, name, subject->what);
		if (next < 0)
		{
			if (i == 0)
				refuse_fan_out(subject, name);
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("%s names \"%s\", but \"%s\" has no foreign key of that name", subject->what,
							NameListToString(ref->fields), ssot_scope_relation(scope, at)->alias),
					 errhint("Write the foreign key's column, with or without \"_id\", or the name of the one table it refers to.")));
		}
		at = next;
	}
	ref->fields = list_make2(makeString(ssot_scope_relation(scope, at)->alias),
							 llast(ref->fields));
}

static bool
resolve_walker(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
		return false;			/* refused after parsing */
	if (IsA(node, ColumnRef))
	{
		resolve_column((Subject *) arg, (ColumnRef *) node);
		return false;
	}
	return raw_expression_tree_walker(node, resolve_walker, arg);
}

/* ---- what may not stand in an expression ---------------------------------- */

static void
refuse(const Subject *subject, const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s %s", subject->what, problem),
			 errhint("%s", hint)));
}

static bool
is_unsafe(Oid function, void *arg)
{
	switch (function)
	{
		case F_NOW:
		case F_TRANSACTION_TIMESTAMP:
		case F_STATEMENT_TIMESTAMP:
		case F_CLOCK_TIMESTAMP:
			*(bool *) arg = true;
			return true;
	}
	return func_volatile(function) == PROVOLATILE_VOLATILE;
}

static bool
refuse_walker(Node *node, void *arg)
{
	const Subject *subject = (const Subject *) arg;
	bool		clock = false;

	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
		refuse(subject, "contains a sub-select",
			   "Name columns through foreign keys (customer.country), or declare a metric of its own.");
	if (IsA(node, WindowFunc))
		refuse(subject, "contains a window function", "Declare the metric with kind => 'cumulative'.");
	if (IsA(node, Aggref) && subject->use == SSOT_PER_ROW)
		refuse(subject, "contains an aggregate", "Only the measure is computed over many rows.");
	if (IsA(node, Aggref) && ((Aggref *) node)->aggorder != NIL &&
		((Aggref *) node)->aggkind == AGGKIND_NORMAL)
		refuse(subject, "orders an aggregate's input", "A number does not depend on an order.");
	if (IsA(node, GroupingFunc))
		refuse(subject, "contains GROUPING", "Slices are asked for with by =>.");
	if ((IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset) ||
		(IsA(node, OpExpr) && ((OpExpr *) node)->opretset))
		refuse(subject, "contains a set-returning function", "One row must give one value.");
	if (IsA(node, Var) && ((Var *) node)->varattno <= 0)
		refuse(subject, "reads a system column or a whole row", "Name columns of the data.");
	if (IsA(node, SQLValueFunction) || check_functions_in_node(node, is_unsafe, &clock))
		refuse(subject, clock || IsA(node, SQLValueFunction) ?
			   "reads the clock or the session" : "calls a volatile function",
			   "A number must come out the same whenever it is asked for again; ask for a time with as_of =>.");
	return expression_tree_walker(node, refuse_walker, arg);
}

/* ---- parsing -------------------------------------------------------------- */

static bool
columns_walker(Node *node, void *arg)
{
	Subject    *subject = (Subject *) arg;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;
		char	   *name = get_attname(ssot_scope_relation(subject->scope, var->varno - 1)->relid,
									   var->varattno, false);
		SsotScopeColumn *column;
		ListCell   *cell;

		foreach(cell, subject->columns)
		{
			column = (SsotScopeColumn *) lfirst(cell);
			if (column->relation == var->varno - 1 && strcmp(column->name, name) == 0)
				return false;
		}
		column = palloc(sizeof(SsotScopeColumn));
		column->relation = var->varno - 1;
		column->name = name;
		subject->columns = lappend(subject->columns, column);
		return false;
	}
	return expression_tree_walker(node, columns_walker, arg);
}

static List *
columns_of(SsotScope *scope, Node *expression)
{
	Subject		subject = {.scope = scope};

	columns_walker(expression, &subject);
	return subject.columns;
}

static void
expression_error(void *arg)
{
	Subject    *subject = (Subject *) arg;

	ssot_expression_position(subject->text);
	errcontext("%s: %s", subject->what, subject->text);
}

static Node *
parse(Subject *subject)
{
	ParseState *pstate = make_parsestate(NULL);
	Node	   *raw = ssot_expression_raw(subject->text, subject->what,
										  "Join or compute in the canonical table.");
	Node	   *expression;
	int			nrelations;

	resolve_walker(raw, subject);
	pstate->p_sourcetext = subject->text;
	nrelations = list_length(subject->scope->relations);
	for (int i = 0; i < nrelations; i++)
	{
		SsotScopeRelation *relation = ssot_scope_relation(subject->scope, i);
		Relation	rel = table_open(relation->relid, AccessShareLock);

		addNSItemToQuery(pstate,
						 addRangeTableEntryForRelation(pstate, rel, AccessShareLock,
													   makeAlias(relation->alias, NIL), false, true),
						 true, true, i == 0);
		table_close(rel, NoLock);
	}
	expression = transformExpr(pstate, raw, EXPR_KIND_SELECT_TARGET);
	if (exprType(expression) == UNKNOWNOID)
		expression = coerce_to_target_type(pstate, expression, UNKNOWNOID, TEXTOID, -1,
										   COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1);
	assign_expr_collations(pstate, expression);
	refuse_walker(expression, subject);
	if (subject->use == SSOT_AGGREGATE)
	{
		Query	   *query = makeNode(Query);

		if (!pstate->p_hasAggs)
			ereport(ERROR,
					(errcode(ERRCODE_GROUPING_ERROR),
					 errmsg("%s must aggregate rows", subject->what),
					 errhint("For example: sum(amount), count(*), avg(amount).")));
		query->commandType = CMD_SELECT;
		query->rtable = pstate->p_rtable;
		query->hasAggs = true;
		query->targetList = list_make1(makeTargetEntry((Expr *) expression, 1, NULL, false));
		parseCheckAggregates(pstate, query);
	}
	free_parsestate(pstate);
	return expression;
}

/* ---- printing ------------------------------------------------------------- */

static Node *
nest_mutator(Node *node, void *arg)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) copyObject(node);

		var->varlevelsup = var->varno - 1;
		var->varno = var->varnosyn = 1;
		return (Node *) var;
	}
	return expression_tree_mutator(node, nest_mutator, arg);
}

static char *
print(SsotScope *scope, Node *expression)
{
	List	   *context = NIL;
	ListCell   *cell;

	foreach(cell, scope->relations)
	{
		SsotScopeRelation *relation = (SsotScopeRelation *) lfirst(cell);

		context = list_concat(context, deparse_context_for(relation->alias, relation->relid));
	}
	return deparse_expression(nest_mutator(expression, NULL), context, true, false);
}

/* The aggregate as printed SQL, its argument as a number: "name(CAST(x AS numeric))". */
static char *
print_aggregate(SsotScope *scope, const Aggref *aggregate, const char *name, const char *argument)
{
	return psprintf("pg_catalog.%s(%s)%s", name, argument,
					aggregate->aggfilter == NULL ? "" :
					psprintf(" FILTER (WHERE %s)", print(scope, (Node *) aggregate->aggfilter)));
}

/*
 * Least, greatest and mean of many groups from those of each: what a hierarchy's
 * roll-up asks. The mean of floating-point numbers is not exact, so it is not taken
 * apart.
 */
static void
find_merge(SsotScope *scope, const Aggref *aggregate, const char *name, SsotScoped *scoped)
{
	Node	   *argument = aggregate->args == NIL ? NULL :
	(Node *) linitial_node(TargetEntry, aggregate->args)->expr;
	Oid			type = argument == NULL ? InvalidOid : getBaseType(exprType(argument));

	if (strcmp(name, "min") == 0 || strcmp(name, "max") == 0)
		scoped->extreme = pstrdup(name);
	else if (strcmp(name, "avg") == 0 &&
			 (type == NUMERICOID || type == INT8OID || type == INT4OID || type == INT2OID))
	{
		char	   *number = psprintf("CAST(%s AS pg_catalog.numeric)", print(scope, argument));

		scoped->mean_sum = print_aggregate(scope, aggregate, "sum", number);
		scoped->mean_count = print_aggregate(scope, aggregate, "count", number);
	}
}

static void
find_different(SsotScope *scope, const Aggref *aggregate, const char *name, SsotScoped *scoped)
{
	char	   *argument;

	if (strcmp(name, "count") != 0 || list_length(aggregate->args) != 1)
		return;
	argument = print(scope, (Node *) linitial_node(TargetEntry, aggregate->args)->expr);
	scoped->different = aggregate->aggfilter == NULL ? argument :
		psprintf("CASE WHEN %s THEN %s END", print(scope, (Node *) aggregate->aggfilter), argument);
}

/* Casts that do not change the number. */
static Node *
strip_casts(Node *node)
{
	while (IsA(node, FuncExpr) && ((FuncExpr *) node)->funcformat != COERCE_EXPLICIT_CALL &&
		   exprType(node) == NUMERICOID && list_length(((FuncExpr *) node)->args) == 1)
		node = linitial(((FuncExpr *) node)->args);
	return node;
}

/*
 * A sum or count that rows contribute to one by one: what each adds, as numeric.
 * Other aggregates have no share per row.
 */
static void
find_share(SsotScope *scope, Node *expression, SsotScoped *scoped)
{
	Node	   *node = strip_casts(expression);
	Aggref	   *aggregate;
	char	   *name;
	Node	   *argument;
	char	   *share;

	if (!IsA(node, Aggref))
		return;
	aggregate = (Aggref *) node;
	name = get_func_name(aggregate->aggfnoid);
	if (aggregate->aggkind != AGGKIND_NORMAL ||
		get_func_namespace(aggregate->aggfnoid) != PG_CATALOG_NAMESPACE)
		return;
	if (aggregate->aggdistinct != NIL)
	{
		find_different(scope, aggregate, name, scoped);
		return;
	}
	argument = aggregate->args == NIL ? NULL :
		(Node *) linitial_node(TargetEntry, aggregate->args)->expr;
	if (strcmp(name, "sum") == 0)
		share = psprintf("CAST(%s AS pg_catalog.numeric)", print(scope, argument));
	else if (strcmp(name, "count") == 0)
	{
		scoped->counts = true;
		share = argument == NULL ? pstrdup("1::pg_catalog.numeric") :
			psprintf("CASE WHEN (%s) IS NULL THEN 0::pg_catalog.numeric ELSE 1::pg_catalog.numeric END",
					 print(scope, argument));
	}
	else
	{
		find_merge(scope, aggregate, name, scoped);
		return;
	}
	if (aggregate->aggfilter != NULL)
		share = psprintf("CASE WHEN %s THEN %s ELSE 0::pg_catalog.numeric END",
						 print(scope, (Node *) aggregate->aggfilter), share);
	scoped->added = share;
	scoped->added_columns = columns_of(scope, (Node *) aggregate);
}

/*
 * The text is parsed again as it was printed: whatever cannot be printed so that
 * it comes back with its type is found now and not when a dashboard asks.
 */
SsotScoped *
ssot_scope_expression(SsotScope *scope, const char *text, const char *what, SsotScopedUse use)
{
	Subject		subject = {.scope = scope,.text = text,.what = what,.use = use};
	ErrorContextCallback context = {
		.previous = error_context_stack,
		.callback = expression_error,
		.arg = &subject
	};
	SsotScoped *scoped = palloc0(sizeof(SsotScoped));
	Node	   *expression;
	int			level;

	error_context_stack = &context;
	expression = parse(&subject);
	scoped->tree = expression;
	scoped->text = pstrdup(text);
	scoped->type = exprType(expression);
	scoped->columns = columns_of(scope, expression);
	if (get_typtype(scoped->type) == TYPTYPE_PSEUDO)
		refuse(&subject, psprintf("has the pseudo-type %s", format_type_be(scoped->type)),
			   "Cast it to an ordinary type.");
	level = ssot_settings_begin(false);
	scoped->sql = print(scope, expression);
	if (use == SSOT_AGGREGATE)
		find_share(scope, expression, scoped);
	subject.text = scoped->sql;
	if (exprType(parse(&subject)) != scoped->type)
		refuse(&subject, "changes its type when its names are qualified", "Write explicit casts.");
	ssot_settings_end(level);
	error_context_stack = context.previous;
	return scoped;
}

/* ---- names that change ---------------------------------------------------- */

AttrNumber
ssot_scope_key_column(Oid relid, const char *name)
{
	Relation	rel = table_open(relid, AccessShareLock);
	ForeignKeyCacheInfo *key = find_key(rel, name);
	AttrNumber	column = key == NULL ? InvalidAttrNumber : key->conkey[0];

	table_close(rel, NoLock);
	return column;
}

char *
ssot_scope_print(SsotScope *scope, Node *tree)
{
	return print(scope, tree);
}
