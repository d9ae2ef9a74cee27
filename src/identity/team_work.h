/*
 * identity/team_work.h
 *		What leader and workers of a team say to each other, and do alike.
 */
#ifndef SSOT_TEAM_WORK_H
#define SSOT_TEAM_WORK_H

#include "identity/queue.h"
#include "identity/share.h"
#include "identity/team.h"
#include "identity/walk.h"

#include "access/parallel.h"
#include "lib/stringinfo.h"

#define SSOT_TEAM_LIBRARY	"ssot"
#define SSOT_TEAM_FUNCTION	"ssot_team_work"

/* In the parallel context's own memory. */
#define SSOT_TEAM_KEY_QUEUES	UINT64CONST(0x5350450000000001)
#define SSOT_TEAM_KEY_FILES		UINT64CONST(0x5350450000000002)

/* Of a worker: one queue to it, one from it. */
#define SSOT_TEAM_QUEUE		(128 * 1024)

/* Who encodes which field: 0 the leader, else a worker. */
typedef struct SsotTeamTask
{
	int			nworkers;
	int			nfields;
	int			member[SSOT_MAX_FIELDS];
	char		kinds[SSOT_MAX_FIELDS][NAMEDATALEN];
} SsotTeamTask;

/* The leader's side of it. */
struct SsotTeam
{
	int			nfields;
	const SsotKind *kinds[SSOT_MAX_FIELDS];
	const char *names[SSOT_MAX_FIELDS];
	SsotTeamTask task;
	SsotTokenShares *const *shares;
	SsotEncoder *encoder;		/* of the leader's fields */

	ParallelContext *context;	/* NULL: the leader is alone */
	int			nworkers;		/* that have come */
	shm_mq_handle **to;
	shm_mq_handle **from;
	StringInfoData *batches;	/* by worker */
	int			rows;			/* in the batches */
	SsotSegments segments;
	SsotSegmentName keys;		/* the table of keys */
};

/*
 * A message to a worker begins with one of these. A batch of rows is followed by
 * "size" bytes: of each row the hash of its key, the lengths of its texts (-1:
 * missing), and the texts.
 */
typedef enum SsotTeamCall
{
	SSOT_TEAM_TASK,				/* who encodes what: an SsotTeamTask follows */
	SSOT_TEAM_ROWS,
	SSOT_TEAM_FINISH,			/* share your fields */
	SSOT_TEAM_RECORDS,			/* all are shared: SsotSharedRecords follows;
								 * say how many you see */
	SSOT_TEAM_MEASURE,			/* measure your rules: how many members there
								 * are, how many rules, and these follow; send
								 * yours back */
	SSOT_TEAM_DRAW,				/* draw your part: SsotTeamDrawing follows */
	SSOT_TEAM_SORT,				/* sort your rules; how many there are of all,
								 * and an SsotTeamRule for each, follow */
	SSOT_TEAM_WALK,				/* take part in walking, send what you found */
	SSOT_TEAM_END
} SsotTeamCall;

typedef struct SsotTeamMessage
{
	SsotTeamCall call;
	int			rows;
	Size		size;
	SsotSegmentName walk;
} SsotTeamMessage;

/*
 * What is drawn. Rules go round among the members, and each has its share of the
 * random pairs. A worker sends how many pairs it drew, the pairs, and the patterns
 * of its random ones.
 */
typedef struct SsotTeamDrawing
{
	int			nmembers;
	int			nrules;
	SsotBlocking rules[SSOT_TRAINING_RULES];
	double		drawn[SSOT_TRAINING_RULES];
	int64		nrandom;
} SsotTeamDrawing;

static inline int64
ssot_first_random(const SsotTeamDrawing *drawing, int member)
{
	return drawing->nrandom * member / drawing->nmembers;
}

/* Draw the rules of a member. */
extern void ssot_team_draw_rules(SsotLeveler *leveler, SsotTraining *training, int member, int nmembers);

/* Who sorts the records of a rule. The worker sends how many there are, they, and
 * their hashes if they may have several. */
typedef struct SsotTeamRule
{
	SsotBlocking rule;
	int			nslots;
	int			member;
} SsotTeamRule;

/* What a worker found; followed by how many pairs each rule gave, and the pairs. */
typedef struct SsotTeamFound
{
	int64		npairs;
	int64		compared;
} SsotTeamFound;

/* Call a worker; what belongs to the call follows. */
extern void ssot_team_tell(shm_mq_handle *worker, SsotTeamCall call);

/* Pairs that were found to be probable. */
typedef struct SsotPairList
{
	SsotScorer *scorer;
	double		least;
	SsotScoredPair *pairs;
	int64		n;
	int64		capacity;
	int64		compared;
	int			nwaiting;
	SsotCandidate waiting[SSOT_SCORE_BATCH];
} SsotPairList;

extern void ssot_pair_list_init(SsotPairList *list, SsotScorer *scorer, double least);

/* An SsotPairCallback: score a pair, and keep it if it is probable. Pairs are scored
 * in batches; the last one by ssot_pair_list_end. */
extern void ssot_pair_list_score(int a, int b, void *list);
extern void ssot_pair_list_end(SsotPairList *list);

/* Walk parts until none is left. */
extern void ssot_team_walk_parts(SsotSharedWalk *walk, SsotBlocks *blocks, SsotPairList *list);

#endif							/* SSOT_TEAM_WORK_H */
