/*
 * golden/link.h
 *		Which golden record a source record belongs to.
 */
#ifndef SSOT_LINK_H
#define SSOT_LINK_H

#include "utils/tuplestore.h"

#include "ingest/load.h"

/* One record that takes part in linking. Staged records come first, in staged
 * order, which is the order of (source index, key bytes). */
typedef struct SsotNode
{
	int			source;			/* index */
	const char *key;
	bool		active;			/* its links are being decided */
	bool		stored;			/* there was a record of this key before */
	bool		had_id;			/* or gets back the id that retired with it */
	bool		has_id;
	bool		leaves;			/* a person takes it out of its golden record */
	Datum		old_id;
	Datum		id;
	int64		old_tokens;
} SsotNode;

/* Golden record "lost" turned out to be "kept". */
typedef struct SsotMerge
{
	Datum		lost;
	Datum		kept;
} SsotMerge;

/* A merge that a referring table, or a hierarchy, refuses. */
typedef struct SsotHeldMerge
{
	SsotMerge	merge;
	bool		known;			/* held before and not tried again: all that
								 * follows is as it was */
	const char *relation;		/* schema-qualified and quoted, or NULL */
	const char *constraint;		/* or NULL */
	int			sqlstate;
	const char *reason;
	const char *detail;			/* or NULL */
} SsotHeldMerge;

typedef struct SsotLinking
{
	int			nstaged;		/* keys staged; nodes[0 .. nstaged) */
	int			nnodes;
	SsotNode   *nodes;
	int			nmerges;
	SsotMerge  *merges;
	Tuplestorestate *touched;	/* golden ids, with duplicates */
	int64		ntouched;
	int64	   *linked;			/* by source index: records that got an id
								 * they did not have, or another */
	bool		first_load;		/* nothing was stored before */
	List	   *reopened;		/* SsotHeldMerge: held until now, looked at
								 * again */
	struct SsotMatched *matched;	/* matcher.h; NULL: nothing was matched */
	List	   *held;			/* SsotHeldMerge: of the merges above, those
								 * that cannot be done (merge_try.c) */
} SsotLinking;

/*
 * Decide the golden id of every staged record, and of every stored record whose
 * group they join or leave. Nothing is written, but new ids are drawn.
 */
extern SsotLinking *ssot_link(const SsotEntity *entity, const SsotIngest *ingest);

/*
 * What a person wants done with some golden records, besides what the decisions
 * in force say.
 */
typedef struct SsotRelink
{
	const Datum *ids;			/* golden records whose members are put
								 * together anew */
	int			nids;
	bool		merge;			/* ids[1] is merged into ids[0] */
	List	   *leaving;		/* names of records (char *) that leave */
	bool		has_new_id;		/* the id that those get; else it is drawn */
	Datum		new_id;
} SsotRelink;

/* The same for stored records only; "ingest" has nothing staged. */
extern SsotLinking *ssot_relink(const SsotEntity *entity, const SsotIngest *ingest,
								const SsotRelink *wish);

#endif							/* SSOT_LINK_H */
