/*
 * dictionary/hierarchy.c
 *		Levels of a hierarchy as dimensions of a metric.
 *
 * A hierarchy is a foreign key of an entity to itself. A metric whose rows refer to
 * that entity, or are of it, can be asked by the ancestor at a level:
 *
 *		{"group": {"hierarchy": "account", "level": 1, "column": "name"}}
 *
 * The ancestors are one more relation of the metric's scope, joined by what refers to
 * the entity, so that a row gets columns and is never repeated:
 *
 *		LEFT JOIN (SELECT a.node AS ssot_node, g.name
 *		           FROM (SELECT array_agg(t.account_id) AS ids, array_agg(t.parent_id) AS parents
 *		                 FROM golden.account AS t) AS x
 *		           CROSS JOIN LATERAL ssot.ancestors(x.ids, x.parents, 1) AS a (node, ancestor)
 *		           LEFT JOIN golden.account AS g ON g.account_id = a.ancestor)
 *		       AS "account.parent_id level 1" ON "account.parent_id level 1".ssot_node = deal.account_id
 *
 * The tree is read as the entity is: now, at a time, or as a system holds it.
 *
 * A record that stands above the level stands for itself. So each row has a place at
 * every level, and what is booked on a parent is shown beside what is booked on its
 * children, under its own name. Retired records keep their place: what lies below them
 * still does. A record in a circle, or below one, has no root; its rows come under
 * NULL, where those are that refer to nothing.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "dictionary/hierarchy.h"
#include "entity/json.h"

#include "catalog/namespace.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/regproc.h"

/* ---- by its name ---------------------------------------------------------- */

static char *
key_names(List *keys)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, keys)
		appendStringInfo(&buf, "%s\"%s\"", buf.len > 0 ? ", " : "", ((SsotScopeKey *) lfirst(cell))->column);
	return buf.data;
}

/* The only foreign key of the relation to itself. */
static SsotScopeKey *
self_key(const SsotScope *scope, int at, const char *hierarchy, const char *what)
{
	List	   *keys = ssot_scope_self_keys(scope, at);
	const char *table = ssot_relation_name(ssot_scope_relation(scope, at)->relid);

	if (keys == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s names \"%s\" as a hierarchy, but \"%s\" has no foreign key to itself", what, hierarchy, table),
				 errhint("A hierarchy is a foreign key of a canonical table to itself, such as parent_id REFERENCES %s.", table)));
	if (list_length(keys) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_COLUMN),
				 errmsg("%s names \"%s\" as a hierarchy, but \"%s\" has %d foreign keys to itself", what, hierarchy, table,
						list_length(keys)),
				 errdetail("They are %s.", key_names(keys)),
				 errhint("Name one after it: \"%s.%s\".", hierarchy, ((SsotScopeKey *) linitial(keys))->column)));
	return (SsotScopeKey *) linitial(keys);
}

static SsotScopeKey *
step_key(const SsotScope *scope, int at, const char *step, const char *hierarchy, const char *what)
{
	SsotScopeKey *key = ssot_scope_key(scope, at, step);

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s names \"%s\" as a hierarchy, but \"%s\" has no foreign key \"%s\"", what, hierarchy,
						ssot_scope_relation(scope, at)->alias, step),
				 errhint("Write the foreign key that leads to the table with the hierarchy, with or without \"_id\"; a foreign key of that table to itself may follow: \"account.parent\".")));
	return key;
}

/*
 * Walk along the name. A foreign key to oneself at its end is the hierarchy and no
 * step; "steps" are those that were taken.
 */
static SsotScopeKey *
walk(SsotScope *scope, const char *hierarchy, const char *what, int *at, List **steps)
{
	List	   *names = ssot_name_list(hierarchy);
	ListCell   *cell;

	*at = 0;
	*steps = NIL;
	foreach(cell, names)
	{
		const char *name = strVal(lfirst(cell));
		SsotScopeKey *key;

		if (*at == 0 && *steps == NIL && foreach_current_index(cell) == 0 &&
			strcmp(name, ssot_scope_relation(scope, 0)->alias) == 0)
			continue;
		key = step_key(scope, *at, name, hierarchy, what);
		if (key->relid == ssot_scope_relation(scope, *at)->relid && lnext(names, cell) == NULL)
			return key;
		*at = ssot_scope_step(scope, *at, name, what);
		*steps = lappend(*steps, pstrdup(name));
	}
	return self_key(scope, *at, hierarchy, what);
}

static char *
full_name(List *steps, const char *column)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, steps)
		ssot_sql_append(&buf, "%I.", (const char *) lfirst(cell));
	ssot_sql_append(&buf, "%I", column);
	return buf.data;
}

/*
 * What refers to the entity is joined with the ancestors directly, not by way of the
 * entity itself.
 */
static SsotScopeRelation *
add_ancestors(SsotScope *scope, const char *alias, int at, const SsotScopeKey *key, int level)
{
	SsotScopeRelation *of = ssot_scope_relation(scope, at);
	SsotScopeRelation *relation = ssot_scope_add(scope, alias, of->relid);

	relation->from = at;
	relation->column = key->target;
	if (at > 0 && strcmp(of->target, key->target) == 0)
	{
		relation->from = of->from;
		relation->column = of->column;
	}
	relation->target = key->target;
	relation->up = true;
	relation->parent = key->column;
	relation->level = level;
	relation->called = of->alias;
	return relation;
}

int
ssot_hierarchy_reach(SsotScope *scope, const char *hierarchy, int level, const char *what, char **named)
{
	List	   *steps;
	int			at;
	SsotScopeKey *key = walk(scope, hierarchy, what, &at, &steps);
	char	   *alias = psprintf("%s%s%s level %d", at == 0 ? "" : ssot_scope_relation(scope, at)->alias,
								 at == 0 ? "" : ".", key->column, level);
	int			known;

	if (strlen(alias) >= NAMEDATALEN)
		alias = psprintf("ssot level %d of %d by %d", level, at,
						 get_attnum(ssot_scope_relation(scope, at)->relid, key->column));
	if (named != NULL)
		*named = full_name(steps, key->column);
	known = ssot_scope_find(scope, alias);
	if (known >= 0)
		return known;
	(void) add_ancestors(scope, alias, at, key, level);
	return list_length(scope->relations) - 1;
}

/* ---- as a dimension ------------------------------------------------------- */

static const char example[] =
"For example: {\"group\": {\"hierarchy\": \"account\", \"level\": 1, \"column\": \"name\"}}.";

static void refuse_shape(const char *what, const char *problem) pg_attribute_noreturn();

static void
refuse_shape(const char *what, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s %s", what, problem),
			 errhint("%s", example)));
}

void
ssot_hierarchy_declared(JsonbParseState **state, const char *name, const JsonbValue *value)
{
	static const char *const members[] = {"hierarchy", "level", "column"};
	char	   *what = psprintf("dimension \"%s\"", name);
	ListCell   *cell;

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	ssot_json_key(state, "name");
	ssot_json_text(state, WJB_VALUE, name);
	foreach(cell, ssot_json_pairs(value, what))
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);
		bool		known = false;

		for (int i = 0; i < lengthof(members); i++)
			known |= strcmp(members[i], pair->name) == 0;
		if (!known)
			refuse_shape(what, psprintf("has an unknown member \"%s\"", pair->name));
		ssot_json_key(state, pair->name);
		pushJsonbValue(state, WJB_VALUE, &pair->value);
	}
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

void
ssot_hierarchy_put(JsonbParseState **state, const SsotDimension *dimension)
{
	JsonbValue	level = {.type = jbvNumeric};

	level.val.numeric = int64_to_numeric(dimension->level);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	ssot_json_key(state, "name");
	ssot_json_text(state, WJB_VALUE, dimension->name);
	ssot_json_key(state, "hierarchy");
	ssot_json_text(state, WJB_VALUE, dimension->hierarchy);
	ssot_json_key(state, "level");
	pushJsonbValue(state, WJB_VALUE, &level);
	ssot_json_key(state, "column");
	ssot_json_text(state, WJB_VALUE, dimension->column);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static char *
text_member(Jsonb *declared, const char *name, const char *what)
{
	JsonbValue *value = ssot_json_member(declared, name);

	if (value == NULL || value->type == jbvNull)
		return NULL;
	if (value->type != jbvString)
		refuse_shape(what, psprintf("has a \"%s\" that is not a string", name));
	return ssot_json_string(value, name);
}

static int
level_member(Jsonb *declared, const char *what)
{
	JsonbValue *value = ssot_json_member(declared, "level");
	Numeric		number = value != NULL && value->type == jbvNumeric ? value->val.numeric : NULL;
	bool		failed = false;
	int			level;

	if (number == NULL)
		refuse_shape(what, "is of a hierarchy and needs a \"level\", which is a number");
	level = numeric_int4_opt_error(number, &failed);
	if (failed || level < 1 ||
		!DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(number),
										  NumericGetDatum(int64_to_numeric(level)))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is of level %s, which no hierarchy has", what,
						DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)))),
				 errhint("Level 1 is that of the roots, 2 what lies directly below them, and so on.")));
	return level;
}

/* The ancestor's column as the expression of a row. */
static SsotScoped *
ancestor_column(SsotMetric *metric, int relation, const SsotDimension *dimension, const char *what)
{
	SsotScopeRelation *ancestors = ssot_scope_relation(metric->scope, relation);
	AttrNumber	attnum = get_attnum(ancestors->relid, dimension->column);
	SsotScoped *scoped = palloc0(sizeof(SsotScoped));
	SsotScopeColumn *column = palloc(sizeof(SsotScopeColumn));

	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s asks for column \"%s\", which \"%s\" does not have", what, dimension->column,
						ssot_relation_name(ancestors->relid)),
				 errhint("Name a column of the hierarchy's table, or leave \"column\" out for its id.")));
	column->relation = relation;
	column->name = pstrdup(dimension->column);
	scoped->text = psprintf("level %d of %s", dimension->level, dimension->hierarchy);
	scoped->sql = ssot_sql("%I.%I", ancestors->alias, dimension->column);
	scoped->type = get_atttype(ancestors->relid, attnum);
	scoped->columns = list_make1(column);
	return scoped;
}

SsotDimension *
ssot_hierarchy_dimension(SsotMetric *metric, Jsonb *declared)
{
	SsotDimension *dimension = palloc0(sizeof(SsotDimension));
	char	   *name = text_member(declared, "name", "a dimension");
	char	   *what = psprintf("dimension \"%s\" of metric \"%s\"", name, metric->name);
	char	   *hierarchy = text_member(declared, "hierarchy", what);
	int			relation;

	if (hierarchy == NULL)
		refuse_shape(what, "names no \"hierarchy\"");
	dimension->name = name;
	dimension->level = level_member(declared, what);
	relation = ssot_hierarchy_reach(metric->scope, hierarchy, dimension->level, what, &dimension->hierarchy);
	dimension->column = text_member(declared, "column", what);
	if (dimension->column == NULL)
		dimension->column = ssot_scope_relation(metric->scope, relation)->target;
	dimension->expr = ancestor_column(metric, relation, dimension, what);
	return dimension;
}

/* ---- as SQL --------------------------------------------------------------- */

/* A foreign key may be of a narrower type than what it refers to, or of a domain. */
char *
ssot_hierarchy_id_type(const SsotScopeRelation *relation)
{
	AttrNumber	attnum = get_attnum(relation->relid, relation->target);

	return format_type_be_qualified(getBaseType(get_atttype(relation->relid, attnum)));
}

char *
ssot_hierarchy_arrays(const SsotScopeRelation *relation, const char *tree, const char *more)
{
	const char *type = ssot_hierarchy_id_type(relation);

	return ssot_sql("SELECT pg_catalog.array_agg(CAST(t.%I AS %s)) AS ids,"
					" pg_catalog.array_agg(CAST(t.%I AS %s)) AS parents%s\nFROM %s AS t",
					relation->target, type, relation->parent, type, more, tree);
}

char *
ssot_hierarchy_ancestors(const SsotScopeRelation *relation, const char *tree, List *columns)
{
	char	   *places = ssot_sql("(%s) AS x\nCROSS JOIN LATERAL ssot.ancestors(x.ids, x.parents, %d) AS a (node, ancestor)",
								  ssot_hierarchy_arrays(relation, tree, ""), relation->level);
	StringInfoData list;
	bool		only_id = true;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, columns)
	{
		only_id &= strcmp((const char *) lfirst(cell), relation->target) == 0;
		ssot_sql_append(&list, ", g.%I", (const char *) lfirst(cell));
	}
	if (only_id)
		return ssot_sql("(SELECT a.node AS %I, a.ancestor AS %I\nFROM %s)", SSOT_NODE_COLUMN,
						relation->target, places);
	return ssot_sql("(SELECT a.node AS %I%s\nFROM %s\nLEFT JOIN %s AS g ON g.%I = a.ancestor)",
					SSOT_NODE_COLUMN, list.data, places, tree, relation->target);
}

/* ---- circles -------------------------------------------------------------- */

/* Records that have no root. */
static int64
rootless(const SsotMetric *metric, int at)
{
	SsotMetricReading reading = {.mode = SSOT_METRIC_NOW};
	SsotStatement statement = {.read_only = true};
	Datum		count;
	bool		isnull;
	int			level;

	statement.sql = ssot_sql("SELECT pg_catalog.count(*) FROM (%s) AS x,"
							 " ssot.ancestors(x.ids, x.parents, 1) AS a (node, ancestor)"
							 " WHERE a.ancestor IS NULL",
							 ssot_hierarchy_arrays(ssot_scope_relation(metric->scope, at),
												   ssot_metric_tree(metric, at, &reading), ""));
	level = ssot_settings_begin(false);
	ssot_statement_one(&statement, 1, &count, &isnull);
	ssot_settings_end(level);
	return DatumGetInt64(count);
}

/* Once for each hierarchy, whatever levels of it are dimensions. */
void
ssot_hierarchy_warn(const SsotMetric *metric)
{
	List	   *seen = NIL;
	ListCell   *cell;

	foreach(cell, metric->dimensions)
	{
		SsotDimension *dimension = (SsotDimension *) lfirst(cell);
		SsotScopeRelation *relation;
		List	   *hierarchy;
		int64		n;
		int			at;

		if (dimension->hierarchy == NULL)
			continue;
		at = ((SsotScopeColumn *) linitial(dimension->expr->columns))->relation;
		relation = ssot_scope_relation(metric->scope, at);
		hierarchy = list_make2(makeInteger((int) relation->relid), makeString(relation->parent));
		if (list_member(seen, hierarchy))
			continue;
		seen = lappend(seen, hierarchy);
		n = rootless(metric, at);
		if (n > 0)
			ereport(WARNING,
					(errmsg(INT64_FORMAT " records of \"%s\" stand in a circle of \"%s\", or below one",
							n, ssot_relation_name(relation->relid), relation->parent),
					 errdetail("They have no root: what refers to them is counted where a level of this hierarchy is NULL."),
					 errhint("ssot.metric_rollup(%s, %s) shows them without a level.",
							 quote_literal_cstr(metric->name), quote_literal_cstr(dimension->hierarchy))));
	}
}
