/*
 * entity/expression.h
 *		User expressions over one relation: checking, qualifying, compiling.
 */
#ifndef SSOT_EXPRESSION_H
#define SSOT_EXPRESSION_H

#include "nodes/nodes.h"
#include "nodes/bitmapset.h"

/*
 * Parse and type-check an expression over the columns of a relation under the
 * current search path. Errors (with a hint, naming "what", e.g. field "email" of source "crm")
 * for: syntax, unknown columns, aggregates, window functions, set-returning
 * functions, sub-selects, volatile functions, and (target_type valid) a type that
 * cannot be assigned to the target. The result's Vars have varno 1 and the
 * relation's attribute numbers.
 *
 * target_type InvalidOid: any type. Text-like expressions are accepted for
 * every target: the value goes through the target type's input function.
 */
extern Node *ssot_expression_parse(const char *text, Oid relid, const char *what,
								   Oid target_type, int32 target_typmod);

/* The raw tree of a text that is one expression and nothing else; error, naming
 * "what", otherwise, with this hint if it is a query or a list. */
extern Node *ssot_expression_raw(const char *text, const char *what, const char *hint);

/* The expression with every function, operator and type qualified, so that it
 * means the same under search_path = pg_catalog. */
extern char *ssot_expression_qualify(const char *text, Oid relid, const char *what,
									 Oid target_type, int32 target_typmod);

/* For an error context callback: the position that the parser reports is one in
 * the expression "text", not in the user's statement. */
extern void ssot_expression_position(const char *text);

/* Attribute numbers that the expression reads (0 for the whole row), added to a
 * set offset by FirstLowInvalidHeapAttributeNumber as pull_varattnos does. */
extern Bitmapset *ssot_expression_columns(Node *expression, Bitmapset *columns);

#endif							/* SSOT_EXPRESSION_H */
