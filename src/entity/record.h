/*
 * entity/record.h
 *		A source record: the row of <entity>_source, in memory.
 *
 * The descriptor has the bookkeeping columns below, then one column per field
 * of the entity in the entity's order (not the companion's physical order:
 * statements name their columns).
 */
#ifndef SSOT_RECORD_H
#define SSOT_RECORD_H

#include "access/tupdesc.h"

#include "entity/map.h"

/* Attribute numbers in a record descriptor. */
#define SSOT_REC_SOURCE		1	/* ssot_source int4 */
#define SSOT_REC_KEY		2	/* ssot_key text COLLATE "C" */
#define SSOT_REC_COPY		3	/* ssot_copy int4: 0 in force, 1.. superseded
								 * rows of the key, -1 an alias (merged_into) */
#define SSOT_REC_ID			4	/* <id column>: golden id, NULL while unlinked */
#define SSOT_REC_UPDATED_AT	5	/* ssot_updated_at timestamptz: source time */
#define SSOT_REC_FROM		6	/* ssot_from timestamptz: believed since */
#define SSOT_REC_IMAGE		7	/* ssot_image int8: hash of the raw row */
#define SSOT_REC_TOKENS		8	/* ssot_tokens int8: hash of its link tokens */
#define SSOT_REC_TIMES		9	/* ssot_times jsonb: {field: source time} */
#define SSOT_REC_REFS		10	/* ssot_refs jsonb: {fk field: token} */
#define SSOT_REC_DETAIL		11	/* ssot_detail jsonb: {field: {...}} */
#define SSOT_REC_FIELDS		11	/* field i is attribute SSOT_REC_FIELDS + 1 +
								 * i */

/* The descriptor; with_tokens appends "tokens text[]", which is not stored. */
extern TupleDesc ssot_record_desc(const SsotEntity *entity, bool with_tokens);

/* Rows of one golden id, "id". */
extern TupleDesc ssot_id_desc(const SsotEntity *entity);

/* A token of a record: token, ssot_source, ssot_key; texts under "C". */
extern TupleDesc ssot_token_desc(void);

/* The column list in descriptor order, each quoted and prefixed. */
extern char *ssot_record_columns(const SsotEntity *entity, const char *prefix);

#endif							/* SSOT_RECORD_H */
