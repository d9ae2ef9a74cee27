/*
 * golden/reference.h
 *		Foreign keys between canonical tables, filled through the crosswalk.
 */
#ifndef SSOT_REFERENCE_H
#define SSOT_REFERENCE_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "entity/map.h"

/* Tokens and the golden ids they lead to, for one entity's foreign keys. */
typedef struct SsotReferences SsotReferences;

extern SsotReferences *ssot_references_create(const SsotEntity *entity);

/* Note the tokens of a record's ssot_refs, to be looked up together. */
extern void ssot_references_want(SsotReferences *references, Jsonb *refs);

/* A token of this entity itself whose golden id the run knows already, though
 * it is not stored yet; concerns foreign keys of the entity to itself. */
extern void ssot_references_offer(SsotReferences *references, const char *token, Datum id);

/* Look up everything wanted since the last call. */
extern void ssot_references_resolve(SsotReferences *references);

/* Set the foreign key fields that a record's ssot_refs names: the target's id,
 * or NULL while it has not arrived. values and nulls are by field. */
extern void ssot_references_fill(SsotReferences *references, Jsonb *refs,
								 Datum *values, bool *nulls);

/*
 * Bring stored records up to date with their targets: those that wait for one,
 * and (all) every record with a reference. Writes records and their history as
 * of t; returns how many changed, and adds their golden ids to touched.
 */
extern int64 ssot_references_refresh(const SsotEntity *entity, bool all, TimestampTz t,
									 Tuplestorestate *touched, int64 *ntouched);

/* Has the entity a foreign key to itself? */
extern bool ssot_references_itself(const SsotEntity *entity);

/* Does any stored record wait for a target, or could targets have moved since
 * the time given? */
extern bool ssot_references_stale(const SsotEntity *entity, TimestampTz since, bool *moved);

#endif							/* SSOT_REFERENCE_H */
