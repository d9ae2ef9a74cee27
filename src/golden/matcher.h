/*
 * golden/matcher.h
 *		Linking by similarity: what the matching engine finds becomes clusters.
 */
#ifndef SSOT_MATCHER_H
#define SSOT_MATCHER_H

#include "common/query.h"
#include "golden/linker.h"
#include "golden/match_model.h"
#include "golden/unit.h"

/* What matching leaves to be written (match_keep.c). Relations are owned by it. */
typedef struct SsotMatched
{
	bool		everything;		/* all units are in "units" */
	SsotRelation units;			/* (ssot_source, ssot_key, texts, keys,
								 * sources) */
	SsotRelation active;		/* (ssot_source, ssot_key, name) of the
								 * records that took part */
	SsotRelation waiting;		/* (record_a, record_b, weight, reason,
								 * levels) for a person */
	bytea	   *model;			/* newly learnt, or NULL */
	int64		learnt_from;
	int64		version;		/* of the rules */
} SsotMatched;

/* A pair that waits for a person. */
typedef struct SsotWaiting
{
	char	   *a;
	char	   *b;
	int			b_source;		/* of a stored unit; -1: both were read */
	char	   *b_key;
	double		weight;
	bool		refused;
	Datum		levels;			/* jsonb */
} SsotWaiting;

/* Load the rules in force into linker->matcher; NULL if there are none. */
extern void ssot_matcher_begin(Linker *linker);

/* Read all stored records that linking and matching have to look at. */
extern void ssot_matcher_reach(Linker *linker);

/*
 * Join clusters that matching finds to be one thing: "cluster" has an element per
 * node, the smallest node of its cluster. Leaves linker->out->matched.
 */
extern void ssot_matcher_cluster(Linker *linker, int *cluster);

/* match_keep.c: put into "out" what is to be written; "set" has the units, or is
 * NULL where nothing is compared; "waiting" is a list of SsotWaiting. */
extern void ssot_matched_gather(const Linker *linker, const SsotUnits *units, SsotMatchSet *set,
								int ncompared, List *waiting, SsotMatched *out);

/*
 * match_keep.c: the rules to match by; NULL: none. Where matching has ended but
 * what it joined still is, rules that compare nothing and were not applied yet.
 */
extern SsotMatchRules *ssot_matching_in_force(const SsotEntity *entity);

/* match_keep.c: must all records be matched anew, without anything new in them? */
extern bool ssot_matching_pending(const SsotEntity *entity);

/* match_keep.c: write it, as of t. */
extern void ssot_matched_write(const SsotEntity *entity, SsotMatched *matched, TimestampTz t);

#endif							/* SSOT_MATCHER_H */
