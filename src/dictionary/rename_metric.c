/*
 * dictionary/rename_metric.c
 *		What a metric says, before and after things have other names.
 *
 * A metric is kept as text. Before a command that renames something the text is
 * parsed: its trees name tables, columns, functions and types by number. After the
 * command they are printed again. So whatever was renamed is followed, and nothing
 * that only looks like a name.
 *
 * A column of another entity is printed with the path of foreign keys that leads there
 * ("customer.parent".name). A step is called as it was while that means the same
 * foreign key, and else by the key's column. A level of a hierarchy is no expression; it
 * is named by the same path and by columns.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/settings.h"
#include "dictionary/metric_spec.h"
#include "dictionary/metric_store.h"
#include "dictionary/publish.h"
#include "dictionary/rename_metric.h"
#include "entity/ddl.h"
#include "entity/json.h"

#include "utils/lsyscache.h"

/* How a relation of the scope is reached from the one before. */
typedef struct SsotRenamedStep
{
	char	   *name;			/* as it was called */
	AttrNumber	key;			/* the foreign key's column */
	AttrNumber	target;			/* what that refers to */
	AttrNumber	parent;			/* of ancestors: the hierarchy's foreign key */
} SsotRenamedStep;

/* A dimension that is a level of a hierarchy. */
typedef struct SsotRenamedLevel
{
	SsotDimension *dimension;
	int			ancestors;		/* relation of the scope */
	int			of;				/* whose ancestors they are */
	AttrNumber	column;
} SsotRenamedLevel;

/* ---- before --------------------------------------------------------------- */

static char *
step_of(const SsotScope *scope, const SsotScopeRelation *relation)
{
	SsotScopeRelation *parent = ssot_scope_relation(scope, relation->from);

	if (relation->from > 0 || strcmp(relation->alias, ssot_scope_alias(scope, 0, parent->alias)) == 0)
		return pstrdup(relation->alias + strlen(parent->alias) + 1);
	return pstrdup(relation->alias);
}

static void
note_steps(SsotRenamed *renamed)
{
	SsotScope  *scope = renamed->metric->scope;

	for (int i = 0; i < list_length(scope->relations); i++)
	{
		SsotScopeRelation *relation = ssot_scope_relation(scope, i);
		SsotScopeRelation *parent = i == 0 ? NULL : ssot_scope_relation(scope, relation->from);
		SsotRenamedStep *step = palloc0(sizeof(SsotRenamedStep));

		if (parent != NULL)
		{
			step->name = relation->parent == NULL ? step_of(scope, relation) : NULL;
			step->parent = relation->parent == NULL ? InvalidAttrNumber :
				get_attnum(relation->relid, relation->parent);
			step->key = get_attnum(parent->relid, relation->column);
			step->target = get_attnum(relation->relid, relation->target);
		}
		renamed->steps = lappend(renamed->steps, step);
	}
}

static void
note_levels(SsotRenamed *renamed)
{
	SsotScope  *scope = renamed->metric->scope;
	ListCell   *cell;

	foreach(cell, renamed->metric->dimensions)
	{
		SsotDimension *dimension = (SsotDimension *) lfirst(cell);
		SsotRenamedLevel *level;
		SsotScopeRelation *ancestors;

		if (dimension->hierarchy == NULL)
			continue;
		level = palloc0(sizeof(SsotRenamedLevel));
		level->dimension = dimension;
		level->ancestors = ((SsotScopeColumn *) linitial(dimension->expr->columns))->relation;
		ancestors = ssot_scope_relation(scope, level->ancestors);
		level->of = ssot_scope_find(scope, ancestors->called);
		level->column = get_attnum(ancestors->relid, dimension->column);
		renamed->levels = lappend(renamed->levels, level);
	}
}

static void
understand(void *arg)
{
	SsotRenamed *renamed = (SsotRenamed *) arg;
	JsonbValue *entity = ssot_json_member(renamed->compiled, "entity");
	int			level = ssot_settings_begin(false);
	SsotRates  *rates;
	SsotUser	user;

	user = ssot_become_owner(ssot_relation_oid(ssot_json_string(entity, "entity")));
	renamed->metric = ssot_metric_from_json(renamed->name, renamed->variant, renamed->version,
											renamed->compiled, ssot_metric_exact);
	renamed->checksum = ssot_metric_checksum(renamed->metric);
	ssot_restore_user(user);
	ssot_settings_end(level);
	note_steps(renamed);
	note_levels(renamed);
	rates = renamed->metric->rates;
	if (rates != NULL)
	{
		renamed->rates[0] = get_attnum(rates->relid, rates->currency);
		renamed->rates[1] = get_attnum(rates->relid, rates->rate);
		renamed->rates[2] = get_attnum(rates->relid, rates->day);
	}
}

bool
ssot_renamed_understand(SsotRenamed *renamed)
{
	JsonbValue *entity = ssot_json_member(renamed->compiled, "entity");

	return entity != NULL && OidIsValid(ssot_relation_oid(ssot_json_string(entity, "entity"))) &&
		ssot_attempt_local(understand, renamed) == NULL;
}

/* ---- after ---------------------------------------------------------------- */

/* What the step is called now. */
static char *
step_name(const SsotRenamedStep *step, const SsotScope *scope, const SsotScopeRelation *relation)
{
	SsotScopeRelation *parent = ssot_scope_relation(scope, relation->from);
	bool		is_base = relation->from == 0 &&
	strcmp(step->name, ssot_scope_relation(scope, 0)->alias) == 0;

	if (!is_base && ssot_scope_key_column(parent->relid, step->name) == step->key)
		return step->name;
	return get_attname(parent->relid, step->key, false);
}

static void
rename_scope(SsotRenamed *renamed)
{
	SsotScope  *scope = renamed->metric->scope;

	for (int i = 0; i < list_length(scope->relations); i++)
	{
		SsotScopeRelation *relation = ssot_scope_relation(scope, i);
		SsotRenamedStep *step = (SsotRenamedStep *) list_nth(renamed->steps, i);
		SsotScopeRelation *parent;

		if (i == 0)
		{
			relation->alias = get_rel_name(relation->relid);
			continue;
		}
		parent = ssot_scope_relation(scope, relation->from);
		relation->column = get_attname(parent->relid, step->key, false);
		relation->target = get_attname(relation->relid, step->target, false);
		if (step->parent != InvalidAttrNumber)
		{
			relation->parent = get_attname(relation->relid, step->parent, false);
			continue;
		}
		relation->alias = ssot_scope_alias(scope, relation->from, step_name(step, scope, relation));
	}
}

/*
 * "account.parent_id": the path to the table, and its foreign key to itself; after the
 * entity's name, where the path would be taken to begin with that.
 */
static void
rename_level(const SsotRenamed *renamed, SsotRenamedLevel *level)
{
	const SsotScope *scope = renamed->metric->scope;
	SsotScopeRelation *ancestors = ssot_scope_relation(scope, level->ancestors);
	const char *base = ssot_scope_relation(scope, 0)->alias;
	const char *first = ancestors->parent;
	char	   *path = ssot_sql("%I", first);

	for (int i = level->of; i > 0; i = ssot_scope_relation(scope, i)->from)
	{
		SsotScopeRelation *relation = ssot_scope_relation(scope, i);

		first = step_of(scope, relation);
		path = ssot_sql("%I.%s", first, path);
	}
	if (strcmp(first, base) == 0)
		path = ssot_sql("%I.%s", base, path);
	level->dimension->hierarchy = path;
	level->dimension->column = get_attname(ancestors->relid, level->column, false);
}

static void
print(SsotMetric *metric, SsotScoped *scoped)
{
	if (scoped != NULL && scoped->tree != NULL)
		scoped->sql = ssot_scope_print(metric->scope, scoped->tree);
}

static char *
column_name(Oid relid, AttrNumber column, char *was)
{
	return column == InvalidAttrNumber ? was : get_attname(relid, column, false);
}

static void
rename_metric(SsotRenamed *renamed)
{
	SsotMetric *metric = renamed->metric;
	SsotRates  *rates = metric->rates;
	ListCell   *cell;

	rename_scope(renamed);
	metric->measure->plain = ssot_scope_print(metric->scope, metric->measure->tree);
	print(metric, metric->filter);
	print(metric, metric->date);
	print(metric, metric->currency);
	foreach(cell, metric->dimensions)
		print(metric, ((SsotDimension *) lfirst(cell))->expr);
	foreach(cell, renamed->levels)
		rename_level(renamed, (SsotRenamedLevel *) lfirst(cell));
	if (rates != NULL)
	{
		rates->name = ssot_relation_name(rates->relid);
		rates->currency = column_name(rates->relid, renamed->rates[0], rates->currency);
		rates->rate = column_name(rates->relid, renamed->rates[1], rates->rate);
		rates->day = column_name(rates->relid, renamed->rates[2], rates->day);
	}
}

/* A path of names that would lead elsewhere: a table called as a foreign key's column. */
static void
require_same_scope(const SsotMetric *metric, const SsotMetric *again)
{
	bool		same = list_length(metric->scope->relations) == list_length(again->scope->relations);

	for (int i = 0; same && i < list_length(metric->scope->relations); i++)
	{
		SsotScopeRelation *a = ssot_scope_relation(metric->scope, i);
		SsotScopeRelation *b = ssot_scope_relation(again->scope, i);

		same = a->relid == b->relid && a->from == b->from &&
			(i == 0 || strcmp(a->column, b->column) == 0);
	}
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_ALIAS),
				 errmsg("its expressions would name other columns under the new names")));
}

/*
 * What is said is read again: whatever cannot be understood in the new names, or would
 * be misunderstood, is found now.
 */
static void
say(void *arg)
{
	SsotRenamed *renamed = (SsotRenamed *) arg;
	int			level = ssot_settings_begin(false);
	SsotUser	user = ssot_become_owner(ssot_scope_relation(renamed->metric->scope, 0)->relid);
	Jsonb	   *said;
	SsotMetric *again;
	char	   *checksum;

	rename_metric(renamed);
	said = ssot_metric_to_json(renamed->metric);
	again = ssot_metric_from_json(renamed->name, renamed->variant, renamed->version, said, ssot_metric_exact);
	require_same_scope(renamed->metric, again);
	checksum = ssot_metric_checksum(again);
	ssot_restore_user(user);
	ssot_settings_end(level);
	renamed->compiled = said;
	renamed->checksum = checksum;
}

char *
ssot_renamed_say(SsotRenamed *renamed)
{
	return ssot_attempt_local(say, renamed);
}
