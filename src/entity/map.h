/*
 * entity/map.h
 *		The Entity Map in memory: one entity with its fields and sources.
 *
 * The map is read from the configuration tables each time it is asked for and
 * never cached: what is in force is what the snapshot sees. It lives in the
 * caller's memory context.
 */
#ifndef SSOT_MAP_H
#define SSOT_MAP_H

#include "access/attnum.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef enum SsotStrategy
{
	SSOT_AUTHORITY,
	SSOT_MOST_RECENT,
	SSOT_MOST_FREQUENT,
	SSOT_LONGEST,
	SSOT_MIN,
	SSOT_MAX,
	SSOT_OLDEST
} SsotStrategy;

typedef enum SsotNullPolicy
{
	SSOT_NULL_IGNORE,
	SSOT_NULL_CLEAR,
	SSOT_NULL_CLEAR_IF_AUTHORITATIVE
} SsotNullPolicy;

/* A column of the canonical table that sources may feed: every column but the
 * primary key, generated columns, and valid_from / retired_at. */
typedef struct SsotField
{
	char	   *name;
	AttrNumber	attnum;			/* in the canonical table */
	Oid			type;			/* as declared, may be a domain */
	int32		typmod;
	Oid			base_type;		/* below any domain: the type companions use */
	int32		base_typmod;
	Oid			collation;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	bool		not_null;
	bool		is_text;		/* text, varchar, bpchar, citext-like: string
								 * category */
	SsotStrategy strategy;
	SsotNullPolicy null_policy;
	bool		only_listed;
	char	   *group;			/* NULL: survives alone */
	bool		has_tolerance;
	bool		retires_pins;	/* pins go when all sources agree with them */
	double		tolerance;
	Oid			references;		/* a registered entity's table, or InvalidOid */
	char	   *references_entity;	/* its name in ssot.entity, or NULL */
} SsotField;

/* What a run reads of a source; see ssot.set_reading. */
typedef enum SsotReading
{
	SSOT_READING_FULL,
	SSOT_READING_CAPTURE,		/* the keys that triggers have noted */
	SSOT_READING_WATERMARK		/* rows whose source time is late enough */
} SsotReading;

typedef struct SsotSource
{
	int			source_id;
	char	   *name;
	char	   *system;
	char	   *relation;		/* NULL for steward and manual */
	int			rank;
	bool		is_steward;
	bool		is_manual;
	bool		consumer;		/* only drifts */
	bool		creates;
	bool		grain_part;
	char	   *level;			/* NULL: the entity's own */
	char	   *expects;		/* "none", "all", or a qualified predicate */
	Jsonb	   *mapping;		/* as declared */
	Jsonb	   *compiled;		/* as qualified; see src/README */
	int64		map_version;
	SsotReading reading;
	Interval	overlap;		/* watermark: read again before the latest
								 * time */
	bool		has_full_every;
	Interval	full_every;		/* read in full when that was so long ago */
	bool	   *maps;			/* by field index: does it feed the field */
} SsotSource;

typedef struct SsotEntity
{
	Oid			relid;
	char	   *name;			/* key in ssot.entity: schema-qualified,
								 * quoted */
	char	   *schema;			/* unquoted */
	char	   *table;			/* unquoted */
	char	   *id_column;		/* unquoted */
	AttrNumber	id_attnum;
	Oid			id_type;		/* base type */
	int16		id_typlen;
	bool		id_typbyval;
	char	   *canonical_system;	/* or NULL */
	double		max_quarantine;
	double		max_retire;
	bool		retires_pins;	/* unless a field says otherwise */

	int			nfields;
	SsotField  *fields;			/* in attnum order */
	int			nsources;
	SsotSource *sources;		/* by rank, then source_id; built-in ones too */
	int			steward;		/* index of the steward's source */
	int			manual;			/* index of the manual source */

	/*
	 * Authority of source s for field f, at [f * nsources + s]: 0 for the
	 * steward, then 1 for the first listed system and so on; sources of one
	 * system share a rank. -1: never believed (consumer, or not listed where
	 * only the listed are).
	 */
	int		   *authority;

	/* Companions, schema-qualified and quoted. */
	char	   *source_table;	/* <schema>_ssot.<table>_source */
	char	   *source_history_table;
	char	   *history_table;
	char	   *drift_table;
	char	   *quarantine_table;
	char	   *held_table;
	char	   *key_table;
	char	   *match_table;
} SsotEntity;

/* The entity of a table; error with a hint if it is not registered (or NULL if
 * missing_ok). */
extern SsotEntity *ssot_entity_load(Oid relid, bool missing_ok);

/* All entities whose table exists, as a List of SsotEntity in the order of their
 * names (bytes). */
extern List *ssot_entities(void);

/* Index of a field or source by name, or -1. */
extern int	ssot_entity_field(const SsotEntity *entity, const char *name);

/* Does any declared source feed the field? */
extern bool ssot_field_is_fed(const SsotEntity *entity, int field);
extern int	ssot_entity_source(const SsotEntity *entity, const char *name);
extern int	ssot_entity_source_id(const SsotEntity *entity, int source_id);

/* OID of a companion named in the struct. */
extern Oid	ssot_companion_oid(const char *qualified_name);

/* "f1, f2, f3" with each field quoted and prefixed (prefix may be ""). */
extern char *ssot_field_list(const SsotEntity *entity, const char *prefix);

#endif							/* SSOT_MAP_H */
