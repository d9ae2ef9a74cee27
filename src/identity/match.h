/*
 * identity/match.h
 *		The matching engine as a whole: records in, clusters out.
 */
#ifndef SSOT_MATCH_H
#define SSOT_MATCH_H

#include "identity/block.h"
#include "identity/gather.h"
#include "identity/team.h"

typedef struct SsotMatchOptions
{
	double		match;			/* probability from which two records are one
								 * thing */
	double		review;			/* from which a person should look */
	int			max_cluster;
	int			ndecided;		/* what people decided: numbers of records */
	const int	(*decided)[2];
	const bool *same;
	List	   *blocking;		/* SsotBlocking, of ssot_rules_given: used
								 * instead of rules that are derived, NIL:
								 * none ... */
	bool		blocking_adds;	/* ... or besides them */
	double		prior;			/* 0: it is estimated */
	SsotTeam   *team;			/* that encoded the records, or NULL; it is
								 * sent home */
	const SsotStoredModel *stored;	/* NULL: learn from the records. Otherwise
									 * they were encoded with its shares */
	const uint64 *passed;		/* keys that are passed over, as in SsotBlocks */
	int			npassed;
} SsotMatchOptions;

typedef struct SsotMatching
{
	const SsotRecords *records;
	SsotTraining *training;		/* NULL: the model was given */
	const SsotModel *model;
	List	   *rules;			/* that were chosen */
	SsotBlocks *blocks;			/* NULL: all pairs were compared */
	SsotScorer *scorer;
	SsotScoredPair *pairs;		/* of at least the review probability, the
								 * strongest first */
	int64		npairs;
	int64		compared;
	SsotGathering gathering;
} SsotMatching;

/*
 * Match. Records keep only the keys that the rules of the outcome use.
 */
extern SsotMatching *ssot_match_records(SsotRecords *records,
										const SsotMatchOptions *options);

#endif							/* SSOT_MATCH_H */
