/*
 * identity/team_work.c
 *		What a worker of a team does: encode its fields, then compare pairs.
 *
 * It does as it is called until it is sent home. An error goes to the leader by
 * PostgreSQL's own way; a leader that is gone shows in the queue.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/team_work.h"

#include "access/parallel.h"
#include "miscadmin.h"
#include "utils/memutils.h"

extern PGDLLEXPORT void ssot_team_work(dsm_segment *segment, shm_toc *toc);

/* ---- what the leader does too ---------------------------------------------- */

void
ssot_pair_list_init(SsotPairList *list, SsotScorer *scorer, double least)
{
	*list = (SsotPairList)
	{
		.scorer = scorer,.least = least,.capacity = 1024
	};
	list->pairs = SSOT_LARGE(SsotScoredPair, list->capacity);
}

void
ssot_pair_list_end(SsotPairList *list)
{
	double		weights[SSOT_SCORE_BATCH];

	ssot_score_batch(list->scorer, list->waiting, list->nwaiting, list->least, weights);
	list->compared += list->nwaiting;
	for (int i = 0; i < list->nwaiting; i++)
	{
		if (!(weights[i] >= list->least))
			continue;
		if (list->n == list->capacity)
		{
			list->capacity *= 2;
			SSOT_ENLARGE(list->pairs, SsotScoredPair, list->capacity);
		}
		list->pairs[list->n++] = (SsotScoredPair)
		{
			list->waiting[i].a, list->waiting[i].b, weights[i]
		};
	}
	list->nwaiting = 0;
}

void
ssot_pair_list_score(int a, int b, void *arg)
{
	SsotPairList *list = arg;

	list->waiting[list->nwaiting++] = (SsotCandidate)
	{
		a, b
	};
	if (list->nwaiting == SSOT_SCORE_BATCH)
		ssot_pair_list_end(list);
}

void
ssot_team_walk_parts(SsotSharedWalk *walk, SsotBlocks *blocks, SsotPairList *list)
{
	int			rule;
	int64		first;
	int64		last;

	while (ssot_walk_next(walk, blocks, &rule, &first, &last))
		ssot_blocks_walk(blocks, rule, first, last, ssot_pair_list_score, list);
	ssot_pair_list_end(list);
}

void
ssot_team_draw_rules(SsotLeveler *leveler, SsotTraining *training, int member, int nmembers)
{
	for (int r = member; r < training->nrules; r += nmembers)
		ssot_training_draw_rule(leveler, training, r);
}

/* ---- a worker -------------------------------------------------------------- */

typedef struct Worker
{
	shm_mq_handle *in;
	shm_mq_handle *out;
	SsotSegments segments;
	MemoryContext own;			/* blocks with the fields that it encoded */
	SsotEncoder *encoder;		/* NULL: it has no fields */
	int			nfields;
	SsotRecords *records;		/* of all */
	char	   *batch;
	Size		capacity;
} Worker;

/* Make an encoder of the fields that are this worker's. */
static void
take_task(Worker *worker)
{
	SsotTeamTask task;
	const SsotKind *kinds[SSOT_MAX_FIELDS];
	const char *names[SSOT_MAX_FIELDS];
	int			numbers[SSOT_MAX_FIELDS];

	ssot_queue_take(worker->in, &task, sizeof(task));
	ssot_large_share(task.nworkers + 1);
	for (int f = 0; f < task.nfields; f++)
		if (task.member[f] == ParallelWorkerNumber + 1)
		{
			kinds[worker->nfields] = ssot_kind_find(task.kinds[f]);
			names[worker->nfields] = "";
			numbers[worker->nfields++] = f;
		}
	if (worker->nfields > 0)
		worker->encoder = ssot_encoder_create(worker->nfields, kinds, names, numbers);
}

static void
take_rows(Worker *worker, const SsotTeamMessage *message)
{
	const char *next;

	if (message->size > worker->capacity)
	{
		if (worker->batch != NULL)
			pfree(worker->batch);
		worker->capacity = message->size * 2;
		worker->batch = palloc_extended(worker->capacity, MCXT_ALLOC_HUGE);
	}
	ssot_queue_take(worker->in, worker->batch, message->size);
	next = worker->batch;
	for (int r = 0; r < message->rows; r++)
	{
		uint64		key_hash;
		int			lengths[SSOT_MAX_FIELDS];
		const char *texts[SSOT_MAX_FIELDS];

		memcpy(&key_hash, next, sizeof(key_hash));
		next += sizeof(key_hash);
		memcpy(lengths, next, sizeof(int) * worker->nfields);
		next += sizeof(int) * worker->nfields;
		for (int f = 0; f < worker->nfields; f++)
		{
			texts[f] = lengths[f] < 0 ? NULL : next;
			next += Max(lengths[f], 0);
		}
		ssot_encoder_add(worker->encoder, key_hash, 0, texts, lengths, true);
	}
	ssot_encoder_look_up(worker->encoder);
}

/*
 * Give the fields to the leader. The blocks are kept until it has seen them, which
 * is when it tells of all records.
 */
static void
share_fields(Worker *worker)
{
	SsotSharedField *fields = palloc0(sizeof(SsotSharedField) * worker->nfields);
	SsotHome	home = {&worker->segments, fields};
	MemoryContext old = MemoryContextSwitchTo(worker->own);
	SsotRecords *records = ssot_encoder_finish(worker->encoder, NULL, &home);

	MemoryContextSwitchTo(old);
	ssot_queue_put(worker->out, records->ids, sizeof(int) * (Size) records->n * records->nfields);
	ssot_queue_put(worker->out, fields, sizeof(SsotSharedField) * records->nfields);
	ssot_large_free(records->ids);
	ssot_large_free(records->key_hash);
	ssot_large_free(records->arrival);
	pfree(fields);
}

static void
see_records(Worker *worker)
{
	SsotSharedRecords shared;

	ssot_queue_take(worker->in, &shared, sizeof(shared));

	/* no process may map a block twice */
	MemoryContextDelete(worker->own);
	ssot_large_trim();
	worker->records = ssot_records_attach(&worker->segments, &shared);
	ssot_queue_put(worker->out, &worker->records->n, sizeof(int));
}

static void
measure_rules(Worker *worker)
{
	int			nmembers;
	int			n;
	int			member = ParallelWorkerNumber + 1;
	SsotBlocking *rules;

	ssot_queue_take(worker->in, &nmembers, sizeof(int));
	ssot_queue_take(worker->in, &n, sizeof(int));
	rules = palloc(sizeof(SsotBlocking) * Max(n, 1));
	ssot_queue_take(worker->in, rules, sizeof(SsotBlocking) * n);
	ssot_rules_measure(worker->records, rules, n, member, nmembers);
	for (int i = member; i < n; i += nmembers)
		ssot_queue_put(worker->out, &rules[i], sizeof(SsotBlocking));
	pfree(rules);
}

static void
draw(Worker *worker)
{
	SsotTeamDrawing drawing;
	SsotTraining training = {.records = worker->records,.capacity = 1024};
	SsotLeveler *leveler = ssot_leveler_create(worker->records);
	int64		first;

	ssot_queue_take(worker->in, &drawing, sizeof(drawing));
	training.nrules = drawing.nrules;
	for (int r = 0; r < drawing.nrules; r++)
	{
		training.rules[r] = &drawing.rules[r];
		training.drawn[r] = drawing.drawn[r];
	}
	training.draws = SSOT_LARGE(SsotDraw, training.capacity);
	ssot_team_draw_rules(leveler, &training, ParallelWorkerNumber + 1, drawing.nmembers);
	first = ssot_first_random(&drawing, ParallelWorkerNumber + 1);
	training.nrandom = ssot_first_random(&drawing, ParallelWorkerNumber + 2) - first;
	training.random = SSOT_LARGE(SsotPattern, training.nrandom);
	ssot_training_draw_random(leveler, first, training.nrandom, training.random);
	ssot_queue_put(worker->out, &training.ndraws, sizeof(int));
	ssot_queue_put(worker->out, training.draws, sizeof(SsotDraw) * training.ndraws);
	ssot_queue_put(worker->out, training.random, sizeof(SsotPattern) * training.nrandom);
	ssot_large_free(training.draws);
	ssot_large_free(training.random);
	ssot_leveler_free(leveler);
}

static void
sort_rules(Worker *worker)
{
	int			nrules;
	SsotTeamRule *rules;
	SsotRuleBlocks *blocks;
	SsotRuleSorter *sorter;
	int			most_slots = 0;

	ssot_queue_take(worker->in, &nrules, sizeof(nrules));
	rules = palloc(sizeof(SsotTeamRule) * nrules);
	blocks = palloc0(sizeof(SsotRuleBlocks) * nrules);
	ssot_queue_take(worker->in, rules, sizeof(SsotTeamRule) * nrules);
	for (int r = 0; r < nrules; r++)
		most_slots = Max(most_slots, rules[r].nslots);
	sorter = ssot_rule_sorter_create(worker->records, most_slots);
	for (int r = 0; r < nrules; r++)
		if (rules[r].member == ParallelWorkerNumber + 1)
		{
			blocks[r].rule = &rules[r].rule;
			blocks[r].nslots = rules[r].nslots;
			ssot_rule_sort(sorter, &blocks[r]);
		}
	ssot_rule_sorter_free(sorter);
	for (int r = 0; r < nrules; r++)
	{
		if (blocks[r].rule == NULL)
			continue;
		ssot_queue_put(worker->out, &blocks[r].n, sizeof(int64));
		ssot_queue_put(worker->out, blocks[r].records, sizeof(uint32) * blocks[r].n);
		ssot_large_free(blocks[r].records);
		if (blocks[r].hashes == NULL)
			continue;
		ssot_queue_put(worker->out, blocks[r].hashes, sizeof(uint32) * blocks[r].n);
		ssot_large_free(blocks[r].hashes);
	}
}

static void
take_part(Worker *worker, const SsotSegmentName *name)
{
	SsotBlocks *blocks;
	SsotScorer *scorer;
	double		least;
	SsotSharedWalk *walk;
	SsotPairList list;
	SsotTeamFound found = {0};

	/* keys are in the blocks now */
	ssot_records_drop_keys(worker->records);
	walk = ssot_walk_attach(&worker->segments, name, worker->records, &blocks, &scorer, &least);
	ssot_pair_list_init(&list, scorer, least);
	ssot_team_walk_parts(walk, blocks, &list);
	found.npairs = list.n;
	found.compared = list.compared;
	ssot_queue_put(worker->out, &found, sizeof(found));
	for (int i = 0; i < blocks->nrules; i++)
		ssot_queue_put(worker->out, &blocks->rules[i].pairs, sizeof(int64));
	ssot_queue_put(worker->out, list.pairs, sizeof(SsotScoredPair) * list.n);
}

void
ssot_team_work(dsm_segment *segment, shm_toc *toc)
{
	char	   *queues = shm_toc_lookup(toc, SSOT_TEAM_KEY_QUEUES, false);
	shm_mq	   *in = (shm_mq *) (queues + (Size) SSOT_TEAM_QUEUE * 2 * ParallelWorkerNumber);
	shm_mq	   *out = (shm_mq *) ((char *) in + SSOT_TEAM_QUEUE);
	Worker		worker = {0};
	SsotTeamMessage message;

	shm_mq_set_receiver(in, MyProc);
	shm_mq_set_sender(out, MyProc);
	worker.in = shm_mq_attach(in, segment, NULL);
	worker.out = shm_mq_attach(out, segment, NULL);
	worker.segments.files = shm_toc_lookup(toc, SSOT_TEAM_KEY_FILES, false);
	worker.segments.member = ParallelWorkerNumber + 1;
	SharedFileSetAttach(worker.segments.files, segment);
	worker.own = AllocSetContextCreate(CurrentMemoryContext, "fields of a worker",
									   ALLOCSET_SMALL_SIZES);
	do
	{
		ssot_queue_take(worker.in, &message, sizeof(message));
		switch (message.call)
		{
			case SSOT_TEAM_TASK:
				take_task(&worker);
				break;
			case SSOT_TEAM_ROWS:
				take_rows(&worker, &message);
				break;
			case SSOT_TEAM_FINISH:
				share_fields(&worker);
				break;
			case SSOT_TEAM_RECORDS:
				see_records(&worker);
				break;
			case SSOT_TEAM_MEASURE:
				measure_rules(&worker);
				break;
			case SSOT_TEAM_DRAW:
				draw(&worker);
				break;
			case SSOT_TEAM_SORT:
				sort_rules(&worker);
				break;
			case SSOT_TEAM_WALK:
				take_part(&worker, &message.walk);
				break;
			case SSOT_TEAM_END:
				break;
		}
	} while (message.call != SSOT_TEAM_END);
}
