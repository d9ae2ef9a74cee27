/*
 * identity/team.h
 *		Matching with the help of parallel workers.
 */
#ifndef SSOT_TEAM_H
#define SSOT_TEAM_H

#include "identity/block.h"
#include "identity/score.h"

/*
 * A team encodes records and compares them. It may consist of the leader alone:
 * where there are few rows, where PostgreSQL has no worker to give
 * (max_parallel_maintenance_workers, max_worker_processes), where shared memory
 * is short. The outcome is the same to the last bit.
 *
 * While a team has workers the session is in parallel mode: it can write nothing
 * and begin no subtransaction. If an error leaves it, the end of the
 * (sub)transaction ends the workers.
 */
typedef struct SsotTeam SsotTeam;

/*
 * "rows": about how many records will come. "shares": as for ssot_encoder_finish;
 * then the leader encodes alone.
 */
extern SsotTeam *ssot_team_create(int nfields, const SsotKind *const *kinds,
								  const char *const *names, double rows,
								  SsotTokenShares *const *shares);

/* As ssot_encoder_add, and as ssot_encoder_finish. */
extern void ssot_team_add(SsotTeam *team, uint64 key_hash, uint64 groups,
						  const char *const *texts, const int *lengths);
extern SsotRecords *ssot_team_encoded(SsotTeam *team);

/* As ssot_rules_measure, all of them. False, and nothing done, if the leader is alone. */
extern bool ssot_team_measure(SsotTeam *team, const SsotRecords *records, SsotBlocking *rules, int n);

/* Draw what a training wants. False, and nothing done, if the leader is alone. */
extern bool ssot_team_draw(SsotTeam *team, SsotLeveler *leveler, SsotTraining *training);

/* Build blocks, and the same. */
extern bool ssot_team_build(SsotTeam *team, SsotBlocks *blocks);

/*
 * Walk all blocks and score their pairs; those of weight "least" and more are
 * returned, in no particular order. False, and nothing done, if the leader is
 * alone.
 */
extern bool ssot_team_walk(SsotTeam *team, SsotBlocks *blocks, SsotScorer *scorer, double least,
						   SsotScoredPair **pairs, int64 *npairs, int64 *compared);

/* Send the workers home. The records and blocks stay. */
extern void ssot_team_end(SsotTeam *team);

#endif							/* SSOT_TEAM_H */
