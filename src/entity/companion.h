/*
 * entity/companion.h
 *		Generated DDL, for what makes it and what keeps it in step with the table.
 */
#ifndef SSOT_COMPANION_H
#define SSOT_COMPANION_H

#include "access/tupdesc.h"
#include "lib/stringinfo.h"

#include "entity/map.h"

/* The trigger of a canonical table that carries the entity's name. */
#define SSOT_IDENTITY_TRIGGER	"ssot_before_truncate"

/* A type, and its collation where that is not the type's own, as DDL. */
extern char *ssot_column_type(Oid type, int32 typmod, Oid collation);

/* Make the schemas for companions where they are missing. */
extern void ssot_require_companion_schemas(const SsotEntity *entity);

/* Names of the as-of function and view, qualified and quoted; the body that the
 * function should have. */
extern char *ssot_as_of_function(const SsotEntity *entity);
extern char *ssot_as_of_view(const SsotEntity *entity);
extern char *ssot_as_of_function_body(const SsotEntity *entity, TupleDesc desc);

/* DDL for them; "create" is "CREATE" or "CREATE OR REPLACE". */
extern void ssot_append_as_of_function(StringInfo ddl, const SsotEntity *entity,
									   TupleDesc desc, const char *create);
extern void ssot_append_as_of_view(StringInfo ddl, const SsotEntity *entity,
								   TupleDesc desc, const char *create);

/* DDL that writes the entity's present name into its identity trigger. */
extern void ssot_append_identity_trigger(StringInfo ddl, const SsotEntity *entity);

#endif							/* SSOT_COMPANION_H */
