/*
 * common/ident.h
 *		Names: quoting, and building SQL from a template.
 */
#ifndef SSOT_IDENT_H
#define SSOT_IDENT_H

#include "lib/stringinfo.h"

/* schema.table, each part quoted where SQL needs it. */
extern char *ssot_qualified_name(const char *schema, const char *name);
extern char *ssot_relation_name(Oid relid);

/* Error unless there is a relation of this OID: a regclass may be any number. */
extern void ssot_require_relation(Oid relid);

/* Error unless it is one that has rows to be "compared", "matched" ... */
extern void ssot_require_rows(Oid relid, const char *participle);

/*
 * Build SQL from a template whose shape can be read at a glance:
 *
 *		ssot_sql("DELETE FROM %T AS s WHERE s.%I = $1 AND s.kind = %L", ...)
 *
 * %I quotes an identifier, %L a literal (NULL gives NULL), %s and %T insert
 * text as it is (%T marks a name that is already qualified and quoted), %d an
 * int, %% a percent sign. All arguments but that of %d are const char *.
 */
extern char *ssot_sql(const char *template,...);
extern void ssot_sql_append(StringInfo buf, const char *template,...);

#endif							/* SSOT_IDENT_H */
