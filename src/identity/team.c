/*
 * identity/team.c
 *		Matching with the help of parallel workers: the leader.
 *
 * While rows are read, each field belongs to one member of the team, which prepares
 * its values and numbers them; fields have nothing to do with each other, so members
 * wait for nobody. The leader reads and passes the texts on; afterwards each member
 * puts its fields where all see them, for the steps that follow (team_steps.c).
 *
 * Choosing rules, learning from what was drawn and gathering are the leader's alone.
 *
 * Nothing depends on how many members there are: a field is encoded by one member
 * as it would be by any other, a pair has one weight, and pairs are sorted by a
 * total order before anything is made of them (gather.c).
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/team.h"
#include "identity/team_work.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/memutils.h"

/* Fewer rows are not worth starting a process. */
#define FEW_ROWS		30000

/* Texts are passed on in batches of about so many bytes. */
#define BATCH			(32 * 1024)

/* What reading costs the leader, in the units of a kind's cost. */
#define COST_OF_READING	3

/* ---- who does what ---------------------------------------------------------- */

/*
 * The dearest field to whoever has least to do, with nworkers to help.
 */
static void
divide_fields(SsotTeam *team, int nworkers)
{
	int			load[SSOT_MAX_FIELDS + 1] = {COST_OF_READING};
	bool		given[SSOT_MAX_FIELDS] = {0};

	team->task.nworkers = nworkers;
	team->task.nfields = team->nfields;
	for (int i = 0; i < team->nfields; i++)
	{
		int			dearest = -1;
		int			idlest = 0;

		for (int f = 0; f < team->nfields; f++)
			if (!given[f] && (dearest < 0 || team->kinds[f]->cost > team->kinds[dearest]->cost))
				dearest = f;
		for (int m = 1; m <= nworkers; m++)
			if (load[m] < load[idlest])
				idlest = m;
		given[dearest] = true;
		load[idlest] += Max(team->kinds[dearest]->cost, 1);
		team->task.member[dearest] = idlest;
		strlcpy(team->task.kinds[dearest], team->kinds[dearest]->name, NAMEDATALEN);
	}
}

/* ---- beginning and end ------------------------------------------------------- */

static int
wanted_workers(const SsotTeam *team, double rows)
{
	if (rows < FEW_ROWS || IsInParallelMode() || IsParallelWorker())
		return 0;
	return Min(max_parallel_maintenance_workers, team->nfields);
}

/* Is there room for the queues, and some more? PostgreSQL's own error would end
 * the query. */
static bool
room_for(Size size)
{
	SsotSegments no_files = {NULL};
	SsotSegmentName name;
	SsotSegment *segment;
	bool		room;

	segment = ssot_segment_create(&no_files, size, &name);
	room = segment != NULL;
	if (room)
		ssot_segment_free(segment);
	return room;
}

void
ssot_team_tell(shm_mq_handle *worker, SsotTeamCall call)
{
	SsotTeamMessage message = {.call = call};

	ssot_queue_put(worker, &message, sizeof(message));
}

static void
call_workers(SsotTeam *team, int nworkers)
{
	Size		queues = (Size) SSOT_TEAM_QUEUE * 2 * nworkers;
	ParallelContext *context;
	char	   *memory;

	if (!room_for(queues + 1024 * 1024))
		return;
	EnterParallelMode();
	context = CreateParallelContext(SSOT_TEAM_LIBRARY, SSOT_TEAM_FUNCTION, nworkers);
	shm_toc_estimate_chunk(&context->estimator, queues);
	shm_toc_estimate_chunk(&context->estimator, sizeof(SharedFileSet));
	shm_toc_estimate_keys(&context->estimator, 2);
	InitializeParallelDSM(context);
	if (context->seg == NULL)
	{
		DestroyParallelContext(context);
		ExitParallelMode();
		return;
	}
	memory = shm_toc_allocate(context->toc, queues);
	shm_toc_insert(context->toc, SSOT_TEAM_KEY_QUEUES, memory);
	team->segments.files = shm_toc_allocate(context->toc, sizeof(SharedFileSet));
	SharedFileSetInit(team->segments.files, context->seg);
	shm_toc_insert(context->toc, SSOT_TEAM_KEY_FILES, team->segments.files);
	team->to = palloc0(sizeof(shm_mq_handle *) * nworkers);
	team->from = palloc0(sizeof(shm_mq_handle *) * nworkers);
	for (int i = 0; i < nworkers; i++)
	{
		shm_mq	   *to = shm_mq_create(memory + (Size) SSOT_TEAM_QUEUE * 2 * i, SSOT_TEAM_QUEUE);
		shm_mq	   *from = shm_mq_create(memory + (Size) SSOT_TEAM_QUEUE * (2 * i + 1), SSOT_TEAM_QUEUE);

		shm_mq_set_sender(to, MyProc);
		shm_mq_set_receiver(from, MyProc);
		team->to[i] = shm_mq_attach(to, context->seg, NULL);
		team->from[i] = shm_mq_attach(from, context->seg, NULL);
	}
	LaunchParallelWorkers(context);
	nworkers = context->nworkers_launched;
	if (nworkers == 0)
	{
		DestroyParallelContext(context);
		ExitParallelMode();
		return;
	}
	for (int i = 0; i < nworkers; i++)
	{
		shm_mq_set_handle(team->to[i], context->worker[i].bgwhandle);
		shm_mq_set_handle(team->from[i], context->worker[i].bgwhandle);
	}
	WaitForParallelWorkersToAttach(context);
	ssot_large_share(nworkers + 1);
	divide_fields(team, nworkers);
	for (int i = 0; i < nworkers; i++)
	{
		ssot_team_tell(team->to[i], SSOT_TEAM_TASK);
		ssot_queue_put(team->to[i], &team->task, sizeof(SsotTeamTask));
	}
	ereport(DEBUG1, (errmsg_internal("matching with the help of %d", nworkers)));
	team->context = context;
	team->nworkers = nworkers;
	team->batches = palloc(sizeof(StringInfoData) * nworkers);
	for (int i = 0; i < nworkers; i++)
		initStringInfo(&team->batches[i]);
}

SsotTeam *
ssot_team_create(int nfields, const SsotKind *const *kinds, const char *const *names, double rows,
				 SsotTokenShares *const *shares)
{
	SsotTeam   *team = palloc0(sizeof(SsotTeam));
	const SsotKind *own_kinds[SSOT_MAX_FIELDS];
	const char *own_names[SSOT_MAX_FIELDS];
	int			numbers[SSOT_MAX_FIELDS];
	int			own = 0;
	int			workers;

	team->nfields = nfields;
	team->shares = shares;
	for (int f = 0; f < nfields; f++)
	{
		team->kinds[f] = kinds[f];
		team->names[f] = names[f];
	}
	if (!IsInParallelMode())
		ssot_large_share(1);
	workers = wanted_workers(team, rows);
	if (workers > 0)
		call_workers(team, workers);
	if (team->nworkers == 0 || shares != NULL)
		memset(team->task.member, 0, sizeof(team->task.member));
	for (int f = 0; f < nfields; f++)
		if (team->task.member[f] == 0)
		{
			own_kinds[own] = kinds[f];
			own_names[own] = names[f];
			numbers[own++] = f;
		}
	team->encoder = ssot_encoder_create(own, own_kinds, own_names, numbers);
	return team;
}

void
ssot_team_end(SsotTeam *team)
{
	if (team->nworkers == 0)
		return;
	for (int i = 0; i < team->nworkers; i++)
		ssot_team_tell(team->to[i], SSOT_TEAM_END);
	WaitForParallelWorkersToFinish(team->context);
	DestroyParallelContext(team->context);
	ExitParallelMode();
	ssot_large_share(1);
	team->nworkers = 0;
}

/* ---- encoding ----------------------------------------------------------------- */

static bool
has_fields(const SsotTeam *team, int worker)
{
	for (int f = 0; f < team->nfields; f++)
		if (team->task.member[f] == worker + 1)
			return true;
	return false;
}

static void
pass_on(SsotTeam *team)
{
	for (int i = 0; i < team->nworkers; i++)
	{
		StringInfo	batch = &team->batches[i];
		SsotTeamMessage message = {
			.call = SSOT_TEAM_ROWS,.rows = team->rows,.size = batch->len
		};

		if (!has_fields(team, i) || team->rows == 0)
			continue;
		ssot_queue_put(team->to[i], &message, sizeof(message));
		ssot_queue_put(team->to[i], batch->data, batch->len);
		resetStringInfo(batch);
	}
	team->rows = 0;
}

static void
add_to_batch(SsotTeam *team, int worker, uint64 key_hash, const char *const *texts,
			 const int *lengths)
{
	StringInfo	batch = &team->batches[worker];
	int			own[SSOT_MAX_FIELDS];
	int			n = 0;
	Size		size = sizeof(key_hash);
	char	   *next;

	for (int f = 0; f < team->nfields; f++)
		if (team->task.member[f] == worker + 1)
		{
			own[n++] = texts[f] == NULL ? -1 : lengths[f];
			size += sizeof(int) + (texts[f] == NULL ? 0 : lengths[f]);
		}
	if (n == 0)
		return;
	enlargeStringInfo(batch, (int) Min(size, PG_INT32_MAX));
	next = batch->data + batch->len;
	memcpy(next, &key_hash, sizeof(key_hash));
	next += sizeof(key_hash);
	memcpy(next, own, sizeof(int) * n);
	next += sizeof(int) * n;
	for (int f = 0; f < team->nfields; f++)
		if (team->task.member[f] == worker + 1 && texts[f] != NULL)
		{
			memcpy(next, texts[f], lengths[f]);
			next += lengths[f];
		}
	batch->len += size;
}

void
ssot_team_add(SsotTeam *team, uint64 key_hash, uint64 groups, const char *const *texts,
			  const int *lengths)
{
	const char *own_texts[SSOT_MAX_FIELDS];
	int			own_lengths[SSOT_MAX_FIELDS];
	int			own = 0;
	bool		full = false;

	for (int f = 0; f < team->nfields; f++)
		if (team->task.member[f] == 0)
		{
			own_texts[own] = texts[f];
			own_lengths[own++] = lengths[f];
		}
	ssot_encoder_add(team->encoder, key_hash, groups, own_texts, own_lengths, false);
	for (int i = 0; i < team->nworkers; i++)
	{
		add_to_batch(team, i, key_hash, texts, lengths);
		full |= team->batches[i].len >= BATCH;
	}
	team->rows++;
	if (full)
		pass_on(team);
}

/* Into all fields: a field that a member encoded as its number "from" of "width". */
static void
place_ids(int *all, int nfields, int field, const int *ids, int width, int from, int n)
{
	for (int r = 0; r < n; r++)
	{
		if ((r & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		all[(Size) r * nfields + field] = ids[(Size) r * width + from];
	}
}

/* The leader's fields at their places among all, in blocks that the workers see. */
static SsotRecords *
spread_fields(SsotTeam *team, SsotRecords *own, const SsotSharedField *fields,
			  SsotSharedRecords *shared)
{
	SsotRecords *records = palloc0(sizeof(SsotRecords));
	int			from = 0;

	*records = *own;
	records->nfields = team->nfields;
	memset(records->fields, 0, sizeof(records->fields));
	ssot_records_share(&team->segments, records, own->groups != NULL, shared);
	memcpy(records->key_hash, own->key_hash, sizeof(uint64) * own->n);
	ssot_large_free(own->key_hash);
	if (own->groups != NULL)
	{
		memcpy(records->groups, own->groups, sizeof(uint64) * own->n);
		ssot_large_free(own->groups);
	}
	for (int f = 0; f < team->nfields; f++)
		if (team->task.member[f] == 0)
		{
			place_ids(records->ids, team->nfields, f, own->ids, own->nfields, from, own->n);
			records->fields[f] = own->fields[from];
			shared->fields[f] = fields[from++];
		}
	ssot_large_free(own->ids);
	return records;
}

static void
take_fields(SsotTeam *team, int worker, SsotRecords *records, SsotSharedRecords *shared)
{
	int			width = 0;
	int			from = 0;
	Size		size;
	int		   *ids;
	SsotSharedField *fields;

	for (int f = 0; f < team->nfields; f++)
		width += team->task.member[f] == worker + 1;
	size = (Size) records->n * width;
	ids = SSOT_LARGE(int, size);
	ssot_queue_take(team->from[worker], ids, sizeof(int) * size);
	fields = palloc(sizeof(SsotSharedField) * Max(width, 1));
	ssot_queue_take(team->from[worker], fields, sizeof(SsotSharedField) * width);
	for (int f = 0; f < team->nfields; f++)
		if (team->task.member[f] == worker + 1)
		{
			SsotValues *values = &records->fields[f];

			shared->fields[f] = fields[from];
			place_ids(records->ids, team->nfields, f, ids, width, from++, records->n);
			values->kind = team->kinds[f];
			values->name = team->names[f];
			ssot_field_attach(&team->segments, &shared->fields[f], values);
		}
	ssot_large_free(ids);
}

/* Tell the workers of all records, and wait until they see them: some of the keys
 * will be dropped soon. */
static void
show_records(SsotTeam *team, SsotSharedRecords *shared)
{
	for (int f = 0; f < team->nfields; f++)
		shared->kinds[f] = ssot_kind_flat(team->kinds[f]);
	for (int i = 0; i < team->nworkers; i++)
	{
		ssot_team_tell(team->to[i], SSOT_TEAM_RECORDS);
		ssot_queue_put(team->to[i], shared, sizeof(*shared));
	}
	for (int i = 0; i < team->nworkers; i++)
	{
		int			n;

		ssot_queue_take(team->from[i], &n, sizeof(n));
		Assert(n == shared->n);
	}
}

SsotRecords *
ssot_team_encoded(SsotTeam *team)
{
	SsotRecords *records;
	SsotSharedRecords *shared;
	SsotHome	home = {NULL, NULL};

	pass_on(team);
	for (int i = 0; i < team->nworkers; i++)
		if (has_fields(team, i))
			ssot_team_tell(team->to[i], SSOT_TEAM_FINISH);
	if (team->nworkers == 0)
		return ssot_encoder_finish(team->encoder, team->shares, &home);
	home.segments = &team->segments;
	home.fields = palloc0(sizeof(SsotSharedField) * Max(team->nfields, 1));
	shared = palloc0(sizeof(SsotSharedRecords));
	records = spread_fields(team, ssot_encoder_finish(team->encoder, team->shares, &home),
							home.fields, shared);
	for (int i = 0; i < team->nworkers; i++)
		if (has_fields(team, i))
			take_fields(team, i, records, shared);
	show_records(team, shared);
	return records;
}
