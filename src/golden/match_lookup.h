/*
 * golden/match_lookup.h
 *		Stored units that share a key with those at hand.
 */
#ifndef SSOT_MATCH_LOOKUP_H
#define SSOT_MATCH_LOOKUP_H

#include "golden/linker.h"
#include "golden/match_model.h"
#include "golden/unit.h"

/* A stored unit that was not read. */
typedef struct SsotFoundUnit
{
	int			unit;			/* with which it shares a key; -1: a key of it
								 * became crowded, or no longer is, so that it
								 * must be read anew */
	int			source;			/* index */
	char	   *key;
	char	  **texts;
	bool		has_id;
	Datum		id;
} SsotFoundUnit;

/* Keys that bring nobody together. */
typedef struct SsotCrowded
{
	int			n;
	int			capacity;
	uint64	   *keys;
} SsotCrowded;

/*
 * Candidates of the fresh units under the model: a list of SsotFoundUnit. Keys of all
 * units that more than SSOT_LOOKUP_BLOCK units will have when this run has ended are
 * added to "crowded".
 */
extern List *ssot_look_up(Linker *linker, SsotUnits *units, const SsotMatchRules *rules,
						  SsotStoredModel *model, SsotCrowded *crowded);

/* The keys, rising. */
extern const uint64 *ssot_crowded_keys(SsotCrowded *crowded);

#endif							/* SSOT_MATCH_LOOKUP_H */
