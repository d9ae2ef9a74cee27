/*
 * entity/declare.h
 *		What the files that declare the Entity Map share. Other rooms read the
 *		map (map.h) and do not need this.
 */
#ifndef SSOT_DECLARE_H
#define SSOT_DECLARE_H

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "entity/map.h"

/* The columns that registration adds to a canonical table. */
#define SSOT_VALID_FROM		"valid_from"
#define SSOT_RETIRED_AT		"retired_at"

/* Rank of the built-in source "manual"; the steward's is 0. */
#define SSOT_MANUAL_RANK	1000000

/* The key of a table in ssot.entity, whatever the session's quoting settings. */
extern char *ssot_entity_name(Oid relid);

/* Fill in the names of the companions from schema and table. */
extern void ssot_name_companions(SsotEntity *entity);

/* Elements of a text[] as C strings; a null element is a NULL. */
extern List *ssot_text_array_list(Datum array);

/* An argument as a C string; NULL where it is null. */
extern char *ssot_text_arg(FunctionCallInfo fcinfo, int n);

/* system.c: error with a hint unless the system exists. Locks its row (FOR KEY SHARE),
 * for who writes its name; the other is for who only reads. */
extern void ssot_require_system(const char *system, const char *what);
extern void ssot_require_known_system(const char *system, const char *what);

/*
 * entity.c: the map of an entity that the current user may change, with its row
 * locked against runs and other declarations until the transaction ends.
 */
extern SsotEntity *ssot_entity_own(Oid relid);

/* authority.c: the rules changed; the next run settles every golden record. */
extern void ssot_rules_changed(const char *entity_name);

/* authority.c: error if a strategy needs source times that no source has. */
extern void ssot_require_source_times(const SsotEntity *entity);

/* authority.c: error with a hint unless the value is one of two words. */
extern void ssot_require_word(const char *value, const char *first,
							  const char *second, const char *what);

/* authority.c: one name, or the names of an array literal ("{a,b}"). */
extern List *ssot_name_or_array(const char *text);

/* "a, b, c": the entity's fields, for hints. */
extern char *ssot_field_names(const SsotEntity *entity);

/* companion.c: what registration makes beside the canonical table, and unmakes.
 * All of it belongs to the owner of the table. */
extern void ssot_companions_create(const SsotEntity *entity, TimestampTz t);
extern void ssot_companions_drop(const SsotEntity *entity, bool tables);

/* companion_policy.c: DDL that makes companions show no more than the canonical table. */
/* Take up the companions of an earlier registration, as of t, but for the table's
 * triggers; and those. */
extern void ssot_companions_adopt(const SsotEntity *entity, TimestampTz t);
extern void ssot_companions_guard(const SsotEntity *entity);
extern void ssot_companion_policies(StringInfo ddl, const SsotEntity *entity);
extern void ssot_companion_policies_drop(StringInfo ddl, const SsotEntity *entity);

/* source.c: a source with a relation, by name; error with a hint if there is none. */
extern SsotSource *ssot_require_source(const SsotEntity *entity, const char *name);

/* mapping.c: check a declared mapping and compile it. */
typedef struct SsotMapping
{
	const SsotEntity *entity;
	Oid			relid;			/* the source's relation */
	const char *source;			/* its name, for messages */
	const char *system;
	Jsonb	   *declared;		/* see src/README: "mapping" */
} SsotMapping;

/* Error unless the text is a boolean expression over the relation. */
extern void ssot_require_predicate(const char *text, Oid relid, const char *what);

extern Jsonb *ssot_mapping_compile(const SsotMapping *mapping);

#endif							/* SSOT_DECLARE_H */
