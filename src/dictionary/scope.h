/*
 * dictionary/scope.h
 *		What a metric's expressions may name: the columns of its entity and, through
 *		foreign keys, of the entities that it refers to.
 */
#ifndef SSOT_SCOPE_H
#define SSOT_SCOPE_H

#include "access/attnum.h"
#include "nodes/pg_list.h"

/* A relation of the scope. The first is the metric's entity; every other one is
 * reached from an earlier one by a foreign key, so that it adds columns to a row
 * and never rows. */
typedef struct SsotScopeRelation
{
	char	   *alias;			/* "opportunity", "customer",
								 * "customer.parent" */
	Oid			relid;
	int			from;			/* index of the relation that refers to it, or
								 * -1 */
	char	   *column;			/* the foreign key's column there */
	char	   *target;			/* the column that it refers to */
	bool		up;				/* a foreign key to oneself, or through one: a
								 * step up a hierarchy */

	/*
	 * The ancestors of what "column" refers to, at a level of a hierarchy
	 * (hierarchy.c)
	 */
	char	   *parent;			/* the foreign key of relid to itself, or NULL */
	int			level;			/* from 1, that of the roots */
	const char *called;			/* alias of the relation whose ancestors they
								 * are */
} SsotScopeRelation;

/* A foreign key of one column. */
typedef struct SsotScopeKey
{
	char	   *column;
	Oid			relid;			/* what it refers to */
	char	   *target;			/* the column there */
} SsotScopeKey;

typedef struct SsotScope
{
	List	   *relations;		/* of SsotScopeRelation */
} SsotScope;

/* A column that an expression reads. */
typedef struct SsotScopeColumn
{
	int			relation;		/* index */
	char	   *name;
} SsotScopeColumn;

/* An expression, parsed and qualified: its text means the same under search_path =
 * pg_catalog, and names columns by the relations' aliases. */
typedef struct SsotScoped
{
	char	   *text;			/* as declared */
	char	   *sql;
	char	   *plain;			/* measure with a currency: sql without it */
	Node	   *tree;			/* what was parsed, before its print was */
	Oid			type;
	List	   *columns;		/* of SsotScopeColumn, by first appearance */
	char	   *added;			/* a sum's or count's argument as a number per
								 * row, if that is all the expression is, else
								 * NULL */
	List	   *added_columns;	/* what that reads */
	bool		counts;			/* count(...), whose rows weigh 1 each */
	char	   *extreme;		/* "min" or "max", if that is all it is */
	char	   *mean_sum;		/* an average's sum and count, if they give it
								 * exactly */
	char	   *mean_count;
	char	   *different;		/* what a count(DISTINCT ...) counts, if that
								 * is all it is: NULL per row for what it does
								 * not */
} SsotScoped;

/* What an expression is for. */
typedef enum SsotScopedUse
{
	SSOT_PER_ROW,				/* no aggregate */
	SSOT_AGGREGATE				/* one value of many rows */
} SsotScopedUse;

/* A scope with the entity alone; error unless the relation is an entity. */
extern SsotScope *ssot_scope_create(Oid relid);

/*
 * Parse an expression under the current search path, reaching further relations
 * as it names them: customer.country is the column "country" of what the foreign
 * key "customer_id" (or the only one to a table "customer") refers to. Errors,
 * naming "what": syntax, unknown names, a table that refers to the entity and so
 * would repeat its rows, sub-selects, volatile functions, the clock.
 */
extern SsotScoped *ssot_scope_expression(SsotScope *scope, const char *text,
										 const char *what, SsotScopedUse use);

/* Does a row of the scope's entity have a column of this name? */
extern bool ssot_scope_has_column(const SsotScope *scope, const char *name);

extern SsotScopeRelation *ssot_scope_relation(const SsotScope *scope, int i);

/* A new relation at the end of the scope; the caller fills in how it is reached. */
extern SsotScopeRelation *ssot_scope_add(SsotScope *scope, const char *alias, Oid relid);

/* The relation of this alias, or -1. */
extern int	ssot_scope_find(const SsotScope *scope, const char *alias);

/* The foreign key of relation "from" that a name means (see ssot_scope_expression);
 * NULL if there is none, or several. And step along it: the relation reached; -1 if
 * there is none; error, naming "what", if that is no entity. */
extern SsotScopeKey *ssot_scope_key(const SsotScope *scope, int from, const char *name);
extern int	ssot_scope_step(SsotScope *scope, int from, const char *name, const char *what);

/* The foreign keys of relation "from" to itself (SsotScopeKey). */
extern List *ssot_scope_self_keys(const SsotScope *scope, int from);

/* The alias of what is reached by a step of that name from a relation of the scope: the
 * name, but for a column that is called as the entity's table. */
extern char *ssot_scope_alias(const SsotScope *scope, int from, const char *name);

/* The column of the foreign key of a relation that a name means, or
 * InvalidAttrNumber. */
extern AttrNumber ssot_scope_key_column(Oid relid, const char *name);

/* An expression's tree as qualified text, by the names that are in the catalogue and
 * the scope now; under pinned settings. */
extern char *ssot_scope_print(SsotScope *scope, Node *tree);

#endif							/* SSOT_SCOPE_H */
