/*
 * match_table.h
 *		Matching the rows of any relation.
 */
#ifndef SSOT_MATCH_TABLE_H
#define SSOT_MATCH_TABLE_H

#include "identity/match.h"
#include "utils/jsonb.h"

/* A relation to match: what is compared, and the keys of its rows. */
typedef struct SsotMatchTable
{
	Oid			relid;
	int			nfields;
	const SsotKind *kinds[SSOT_MAX_FIELDS];
	const char *names[SSOT_MAX_FIELDS];
	List	   *columns[SSOT_MAX_FIELDS];	/* names of columns */
	char	   *key_sql;		/* an expression over the columns of t */
	char	   *group_column;	/* or NULL */
	SsotTeam   *team;			/* that read them */
	SsotRecords *records;
	char	   *key_bytes;		/* by arrival: keys, one after the other */
	Size	   *key_start;		/* [n + 1] */
} SsotMatchTable;

/* Take "compare" apart; errors name what is wrong. */
extern void ssot_match_declare(SsotMatchTable *table, Jsonb *compare);

/* The columns of the relation's primary key; an error if it has none. */
extern List *ssot_match_primary_key(Oid relid);

/*
 * Choose what is compared by the names and types of columns, and tell it; "but" are
 * the names of columns that are not values. "function" is what was called.
 */
extern Jsonb *ssot_match_by_names(Oid relid, List *but, const char *function);

/* Read the rows. */
extern void ssot_match_read(SsotMatchTable *table);

#endif							/* SSOT_MATCH_TABLE_H */
