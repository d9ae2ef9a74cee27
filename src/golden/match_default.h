/*
 * golden/match_default.h
 *		What is compared where nobody says: chosen from names and types of columns.
 */
#ifndef SSOT_MATCH_DEFAULT_H
#define SSOT_MATCH_DEFAULT_H

#include "entity/map.h"

/*
 * A declaration for ssot.matching: {"name": "company", "person": {"kind":
 * "person_name", "fields": ["given", "family"]}}; NULL if no field is of a kind
 * that can be told by its name. The names of fields that are not compared go to
 * *left_out, as a List of C strings.
 */
extern Jsonb *ssot_match_default(const SsotEntity *entity, List **left_out);

/* The kind that a column of this name and type suggests, or NULL. */
extern const char *ssot_match_default_kind(const char *column, Oid type, bool is_text);

#endif							/* SSOT_MATCH_DEFAULT_H */
