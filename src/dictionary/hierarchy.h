/*
 * dictionary/hierarchy.h
 *		Levels of a hierarchy as dimensions of a metric.
 */
#ifndef SSOT_HIERARCHY_H
#define SSOT_HIERARCHY_H

#include "dictionary/metric.h"

/* What a row of ancestors is joined by. */
#define SSOT_NODE_COLUMN	"ssot_node"

/*
 * Find a hierarchy by its name and reach its ancestors at a level from 1: the index of
 * that relation of the scope. A hierarchy is named by the foreign key to its entity
 * ("account"), or by the entity itself; where that has several foreign keys to itself,
 * or to be plain, followed by the one that is meant ("account.parent"). *named: the
 * same in full, if not NULL. Errors, naming "what": no such foreign key, none to
 * itself, several.
 */
extern int	ssot_hierarchy_reach(SsotScope *scope, const char *hierarchy, int level,
								 const char *what, char **named);

/* A dimension from {"name": ..., "hierarchy": ..., "level": ..., "column": ...}; error
 * for another shape, a level below 1, or an unknown column. */
extern SsotDimension *ssot_hierarchy_dimension(SsotMetric *metric, Jsonb *declared);

/* Push that object, of a declared pair or of a dimension. */
extern void ssot_hierarchy_declared(JsonbParseState **state, const char *name, const JsonbValue *value);
extern void ssot_hierarchy_put(JsonbParseState **state, const SsotDimension *dimension);

/* A query of the arrays "ids" and "parents" of a tree (a FROM item), and what else is
 * asked of its rows, called t. */
extern char *ssot_hierarchy_arrays(const SsotScopeRelation *relation, const char *tree, const char *more);

/* The ancestors as a FROM item: ssot_node and the columns (names) of the ancestor. */
extern char *ssot_hierarchy_ancestors(const SsotScopeRelation *relation, const char *tree, List *columns);

/* Type of the ids, as SQL. */
extern char *ssot_hierarchy_id_type(const SsotScopeRelation *relation);

/* Warn of records that stand in a circle, or below one. */
extern void ssot_hierarchy_warn(const SsotMetric *metric);

#endif							/* SSOT_HIERARCHY_H */
