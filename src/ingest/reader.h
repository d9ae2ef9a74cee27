/*
 * ingest/reader.h
 *		Reading sources, each once, and keeping the rows that are not stored yet.
 */
#ifndef SSOT_READER_H
#define SSOT_READER_H

#include "utils/tuplestore.h"

#include "ingest/capture.h"
#include "ingest/image.h"
#include "ingest/keyset.h"
#include "ingest/mapper.h"

/* How far a run reads into a source; see reach.h. */
typedef enum SsotReach
{
	SSOT_REACH_ALL,
	SSOT_REACH_KEYS,			/* all rows of the keys that were noted */
	SSOT_REACH_TIME				/* rows whose source time is late enough */
} SsotReach;

/* What the last run left of a source in ssot.source_state. */
typedef struct SsotSourceState
{
	bool		known;
	int64		map_version;
	int64		rows_read;
	int64		records;
	int64		quarantined;
	bool		has_through;
	TimestampTz data_through;
	bool		was_full;
	TimestampTz full_at;
	bool		has_shape;
	int64		shape;
} SsotSourceState;

/* A source in a run. */
typedef struct SsotReader
{
	int			index;			/* into entity->sources */
	const SsotSource *source;
	SsotMapper *mapper;
	SsotImager *imager;
	TupleDesc	desc;			/* of raw rows: the relation's, dropped
								 * columns NULL */
	int			ncolumns;		/* columns to deform */
	char	   *sql;
	bool		anew;			/* stored images do not count: every row is
								 * evaluated */

	SsotReach	reach;
	SsotSourceState state;
	SsotTracking *tracking;		/* capture: or NULL */
	bool		has_shape;		/* the triggers are there */
	int64		shape;
	SsotChanges *changes;		/* SSOT_REACH_KEYS */
	TimestampTz since;			/* SSOT_REACH_TIME */

	/* What is stored: counted, or of the last run where it is not all read. */
	int64		keys;
	int64		in_force;
	int64		superseded;
	bool		has_time;
	TimestampTz latest;
	SsotKeySet	concerned;		/* keys whose rows must be looked at together */

	/* What was read. */
	int64		rows_read;
	int64		rows_held;		/* that the source has, read or not */
	int64		nchanged;
	Tuplestorestate *changed;	/* raw rows to be evaluated; can be rewound */
	Tuplestorestate **later;	/* by partition of images: rows not yet looked
								 * up */
	SsotImages *images;
	double		seconds;		/* that reading took */
} SsotReader;

/*
 * Open the sources that have a relation: resolve its name, compile the mapping.
 * Returns how many; they are in order of their index. Errors: undefined_table
 * with a hint, and what ssot_mapper_create raises.
 */
extern int	ssot_readers_open(const SsotEntity *entity, bool full, SsotReader **readers);
extern void ssot_reader_close(SsotReader *reader);

/*
 * Load the images that are stored for these sources. Only rows in force count:
 * which of several rows of a key is in force, and which of them are refused, is
 * decided on all of them, so superseded copies are evaluated anew in every run.
 */
extern SsotImages *ssot_readers_load_images(const SsotEntity *entity,
											SsotReader *readers, int nreaders);

/*
 * Read every source once; afterwards "images" knows what was not seen. False if a
 * filter failed on some row: that source must be read row by row, and everything
 * begins again with ssot_readers_load_images.
 */
extern bool ssot_readers_scan(const SsotEntity *entity, SsotReader *readers, int nreaders,
							  SsotImages *images);

/* Does the run look up so few of the source's keys that indexes pay? */
extern bool ssot_reader_is_selective(const SsotReader *reader);

#endif							/* SSOT_READER_H */
