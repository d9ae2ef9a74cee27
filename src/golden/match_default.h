/*
 * golden/match_default.h
 *		What is compared where nobody says: chosen from names and types of columns.
 */
#ifndef SSOT_MATCH_DEFAULT_H
#define SSOT_MATCH_DEFAULT_H

#include "entity/map.h"

/* A column that may be compared. */
typedef struct SsotMatchColumn
{
	const char *name;
	Oid			type;			/* below any domain */
	bool		is_text;		/* string category */
	bool		refers;			/* to another entity: is not compared */
} SsotMatchColumn;

/*
 * A declaration for ssot.matching, of at most SSOT_MAX_FIELDS comparisons: {"name":
 * "company", "person": {"kind": "person_name", "fields": ["given", "family"]}};
 * NULL if no column is of a kind that can be told by its name. "name" is that of the
 * table. The names of columns that are not compared go to *left_out, as a List of C
 * strings.
 */
extern Jsonb *ssot_match_default(const char *name, const SsotMatchColumn *columns, int ncolumns,
								 List **left_out);

/*
 * The same, told in a NOTICE as it would be written; an error if there is nothing
 * to compare. "title" is what the table is called in messages, "function" what takes
 * a declaration.
 */
extern Jsonb *ssot_match_choose(const char *title, const char *name, const SsotMatchColumn *columns,
								int ncolumns, const char *function);

/* The kind that a column of this name and type suggests, or NULL. */
extern const char *ssot_match_default_kind(const char *column, Oid type, bool is_text);

#endif							/* SSOT_MATCH_DEFAULT_H */
