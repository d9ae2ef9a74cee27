/*
 * ingest/load.h
 *		Reading sources: what is new, what changed, what is gone.
 */
#ifndef SSOT_LOAD_H
#define SSOT_LOAD_H

#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "entity/record.h"

/* Figures of one source in one run. */
typedef struct SsotIngestFigures
{
	bool		attempted;		/* false for steward, manual */
	int64		rows_read;		/* rows that passed the filter and were read */
	int64		rows_held;		/* the same had all been read */
	int64		rows_new;		/* keys never seen before */
	int64		rows_changed;	/* keys whose stored rows differ */
	int64		rows_gone;		/* keys that vanished (before retire) */
	int64		quarantined;	/* rows in quarantine after the run */
	int64		superseded;		/* rows kept as superseded after the run */
	int64		records;		/* keys in force after the run */
	bool		quarantine_changed; /* quarantine rows were written */
	TimestampTz data_through;	/* latest source time, or now */
	bool		has_source_time;
	bool		read_all;		/* and not only what may have changed */
	bool		keeps_reach;	/* later runs need not read all */
	bool		has_shape;
	int64		shape;			/* see entity/tracking.h */
	double		seconds;
} SsotIngestFigures;

/*
 * The outcome of reading all sources of an entity.
 *
 * "staged" holds, for each (source, key) of which anything is new or different,
 * ALL rows that the key shall have from now on: copy 0 in force (or -1, an
 * alias), copies 1.. superseded. Rows follow ssot_record_desc(entity, true),
 * ordered by source index, key (bytes), copy; id, from and resolved foreign
 * keys are still NULL (a foreign key that goes through a crosswalk has its token
 * in ssot_refs, and its field NULL). "gone" holds (ssot_source int4, ssot_key
 * text) of keys with no row left. Keys that did not change appear in neither.
 * "stored" holds what is stored of the staged keys: all their rows as they are,
 * following ssot_record_desc(entity, false), keys in the order of "staged".
 */
typedef struct SsotIngest
{
	TupleDesc	desc;
	Tuplestorestate *staged;
	int64		nstaged;
	TupleDesc	gone_desc;
	Tuplestorestate *gone;
	int64		ngone;
	TupleDesc	stored_desc;
	Tuplestorestate *stored;
	SsotIngestFigures *figures; /* by source index */
} SsotIngest;

/*
 * Read every source of the entity that has a relation, under the caller's
 * rights, and write what cannot be taken into quarantine (as the companion's
 * owner). Nothing else is written. Raises SS001 / SS002 past max_quarantine /
 * max_retire unless accept_deletes.
 */
extern SsotIngest *ssot_ingest(const SsotEntity *entity, int64 run_id,
							   bool full, bool accept_deletes);

/*
 * Read "stored" again, where somebody may have written since. As the owner of the
 * companion.
 */
extern void ssot_ingest_read_stored(const SsotEntity *entity, const SsotIngest *ingest);

/* Give back the result's temporary files. */
extern void ssot_ingest_end(SsotIngest *ingest);

#endif							/* SSOT_LOAD_H */
