/*
 * golden/survivorship.h
 *		Choosing, field by field, the value that becomes golden. Pure: arrays
 *		in, winners out; no SPI, no fcinfo.
 */
#ifndef SSOT_SURVIVORSHIP_H
#define SSOT_SURVIVORSHIP_H

#include "utils/timestamp.h"

#include "entity/record.h"

/* One stored record that is linked to the golden record at hand. */
typedef struct SsotRecord
{
	int			source;			/* index into entity->sources */
	const char *key;			/* NUL-terminated */
	int			copy;			/* see SSOT_REC_COPY */
	bool		has_updated_at;
	TimestampTz updated_at;
	TimestampTz from;
	Jsonb	   *times;			/* or NULL */
	Jsonb	   *refs;			/* or NULL */
	Jsonb	   *detail;			/* or NULL */
	Datum	   *values;			/* by field index */
	bool	   *nulls;
} SsotRecord;

/* All records of one golden id, in (source, key, copy) order. */
typedef struct SsotGroup
{
	Datum		id;
	int			nrecords;
	SsotRecord *records;

	/* The golden row in force, by field index; NULL if there is none. */
	Datum	   *golden;
	bool	   *golden_nulls;
	bool		golden_retired;
} SsotGroup;

/* Parts of one system record (same system, same key), joined field by field:
 * the value of the first part, by source rank, that maps the field and has one. */
typedef struct SsotSystemRecord
{
	int			source;			/* of the first part; gives the system */
	const char *key;
	bool		has_updated_at; /* latest of the parts */
	TimestampTz updated_at;
	bool		superseded;		/* a copy, not in force */
	bool		alias;
	Datum	   *values;
	bool	   *nulls;
	bool	   *mapped;			/* by field: some part's source maps it */
	int		   *part;			/* by field: index of the record that gave it,
								 * or of the first part that maps it, or -1 */
} SsotSystemRecord;

/* Which rule decided a field. */
typedef enum SsotRule
{
	SSOT_RULE_NONE,				/* no record has a value */
	SSOT_RULE_ONLY,				/* one candidate value */
	SSOT_RULE_PIN,
	SSOT_RULE_AUTHORITY,
	SSOT_RULE_RECENT,
	SSOT_RULE_FREQUENT,
	SSOT_RULE_LONGEST,
	SSOT_RULE_MIN,
	SSOT_RULE_MAX,
	SSOT_RULE_OLDEST,
	SSOT_RULE_SOURCE_TIME,
	SSOT_RULE_SOURCE_RANK,
	SSOT_RULE_VALUE,
	SSOT_RULE_KEY,
	SSOT_RULE_CLEARED,			/* an absent value won, by null policy */
	SSOT_RULE_GROUP				/* decided with its field group */
} SsotRule;

typedef struct SsotWinner
{
	int			record;			/* index into the group, or -1 */
	SsotRule	rule;
} SsotWinner;

/* Comparators and scratch space for one entity; made once per pass. */
typedef struct SsotSurvivor SsotSurvivor;

extern SsotSurvivor *ssot_survivor_create(const SsotEntity *entity);

/*
 * Decide all fields of one group: winners[f], and the merged row in
 * values/nulls (pointing into the records).
 */
extern void ssot_survive(SsotSurvivor *survivor, const SsotGroup *group,
						 SsotWinner *winners, Datum *values, bool *nulls);

/*
 * For explaining: is record r in the race for field f, and which of two records
 * that are comes first (negative: ra) by which rule. In a field group the
 * group's first field speaks for all, pins apart.
 */
extern bool ssot_is_candidate(SsotSurvivor *survivor, const SsotGroup *group, int r, int f);
extern int	ssot_compare_candidates(SsotSurvivor *survivor, const SsotGroup *group, int f,
									int ra, int rb, SsotRule *rule);

/* Join the parts; returns the number of system records (array and contents are
 * in the current memory context). */
extern int	ssot_join_parts(const SsotEntity *entity, const SsotGroup *group,
							SsotSystemRecord **records);

extern const char *ssot_rule_name(SsotRule rule);

#endif							/* SSOT_SURVIVORSHIP_H */
