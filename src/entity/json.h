/*
 * entity/json.h
 *		Taking declared jsonb apart, and building it.
 */
#ifndef SSOT_JSON_H
#define SSOT_JSON_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* A member of an object; the value of a nested one is jbvBinary. */
typedef struct SsotPair
{
	char	   *name;
	JsonbValue	value;
} SsotPair;

/* The members of an object as a list of SsotPair; error, naming "what" (as in
 * "fields of source ..."), if it is not an object. */
extern List *ssot_json_pairs(const JsonbValue *value, const char *what);

/* A member's string; error, naming "what", if it is not one. */
extern char *ssot_json_string(const JsonbValue *value, const char *what);

/* The member of a document's root, or NULL. */
extern JsonbValue *ssot_json_member(Jsonb *document, const char *name);

/* Pushing onto a state that JsonbValueToJsonb will finish. */
extern void ssot_json_key(JsonbParseState **state, const char *name);
extern void ssot_json_text(JsonbParseState **state, JsonbIteratorToken token,
						   const char *text);
extern void ssot_json_bool(JsonbParseState **state, bool value);

#endif							/* SSOT_JSON_H */
