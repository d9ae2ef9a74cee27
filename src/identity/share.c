/*
 * identity/share.c
 *		What the members of a team see of each other's memory.
 *
 * A member that has encoded a field sends its arrays through a queue: they end in
 * the leader's own memory, one after the other, so that no field is held twice.
 * Scoring reads nearly all of it at random, so for that the leader moves what is
 * read into shared memory: a block per field, and one for the records and blocks.
 * They hold offsets, because each process maps them where it likes.
 *
 * Shared memory may be short (/dev/shm of a container has 64 MB). Creating a
 * block must then not end the query, so the error is caught here, where nothing
 * else than creating it can have failed; no resource owner knows of the blocks,
 * because their users outlive subtransactions: a memory context does.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/share.h"
#include "identity/tokens.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Entries of a rule that a member takes at a time. */
#define PART			16384

/* ---- blocks -------------------------------------------------------------- */

static void
detach(void *arg)
{
	dsm_detach((dsm_segment *) arg);
}

static void *
keep_with_context(dsm_segment *segment)
{
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));

	callback->func = detach;
	callback->arg = segment;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return dsm_segment_address(segment);
}

void *
ssot_shared_create(Size size, dsm_handle *handle)
{
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = CurrentMemoryContext;
	dsm_segment *volatile segment = NULL;

	CurrentResourceOwner = NULL;
	PG_TRY();
	{
		segment = dsm_create(size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_INSUFFICIENT_RESOURCES &&
			ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_SYSTEM_ERROR)
			PG_RE_THROW();
		FlushErrorState();
		FreeErrorData(error);
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	if (segment == NULL)
		return NULL;
	*handle = dsm_segment_handle(segment);
	return keep_with_context(segment);
}

void *
ssot_shared_attach(dsm_handle handle)
{
	ResourceOwner owner = CurrentResourceOwner;
	dsm_segment *segment;

	CurrentResourceOwner = NULL;
	segment = dsm_attach(handle);
	CurrentResourceOwner = owner;
	if (segment == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not map dynamic shared memory segment")));
	return keep_with_context(segment);
}

/* ---- arrays through a queue ------------------------------------------------ */

/* Longer messages would be copied once more on their way. */
#define MESSAGE			(32 * 1024)

void
ssot_queue_put(shm_mq_handle *queue, const void *bytes, Size size)
{
	for (Size done = 0; done < size;)
	{
		Size		part = Min(size - done, MESSAGE);

		/* a receiver that is gone has left an error, which is raised here */
		if (shm_mq_send(queue, part, (const char *) bytes + done, false, true) != SHM_MQ_SUCCESS)
		{
			CHECK_FOR_INTERRUPTS();
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("a parallel worker of matching is gone")));
		}
		done += part;
	}
}

void
ssot_queue_take(shm_mq_handle *queue, void *bytes, Size size)
{
	for (Size done = 0; done < size;)
	{
		Size		part;
		void	   *message;

		if (shm_mq_receive(queue, &part, &message, false) != SHM_MQ_SUCCESS)
		{
			CHECK_FOR_INTERRUPTS();
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("a parallel worker of matching is gone")));
		}
		if (part > size - done)
			elog(ERROR, "a message of matching is too long");
		memcpy((char *) bytes + done, message, part);
		done += part;
	}
}

/* The lengths of a field's arrays, and what is a number anyway. */
typedef struct FieldHeader
{
	int			nvalues;
	int			ncut;
	Size		bytes;
	int			nslots[SSOT_MAX_CLASSES];
	bool		sorted[SSOT_MAX_CLASSES];
	bool		has_shares;
	SsotTokenTable tokens;
} FieldHeader;

static FieldHeader
field_header(const SsotValues *values)
{
	FieldHeader header = {
		.nvalues = values->nvalues,.ncut = values->ncut,
		.bytes = (Size) values->offset[values->nvalues] * MAXIMUM_ALIGNOF,
		.has_shares = values->shares != NULL
	};

	for (int c = 0; c < SSOT_MAX_CLASSES; c++)
	{
		header.nslots[c] = values->by_record[c].nslots;
		header.sorted[c] = values->by_record[c].sort != NULL;
	}
	if (values->shares != NULL)
		header.tokens = ssot_token_table(values->shares);
	return header;
}

static void
put_array(shm_mq_handle *queue, void *array, Size size)
{
	ssot_queue_put(queue, array, size);
	pfree(array);
}

static void *
take_array(shm_mq_handle *queue, Size size)
{
	void	   *array = SSOT_LARGE(char, size);

	ssot_queue_take(queue, array, size);
	return array;
}

void
ssot_field_put(shm_mq_handle *queue, SsotValues *values, int nrecords)
{
	FieldHeader header = field_header(values);

	ssot_queue_put(queue, &header, sizeof(header));
	put_array(queue, values->bytes, header.bytes);
	put_array(queue, values->offset, sizeof(uint32) * (header.nvalues + 1));
	put_array(queue, values->hash, sizeof(uint64) * header.nvalues);
	put_array(queue, values->count, sizeof(int) * header.nvalues);
	for (int c = 0; c < SSOT_MAX_CLASSES; c++)
	{
		if (header.nslots[c] > 0)
			put_array(queue, values->by_record[c].keys,
					  sizeof(uint32) * header.nslots[c] * nrecords);
		if (header.sorted[c])
			put_array(queue, values->by_record[c].sort, sizeof(uint64) * header.nvalues);
	}
	if (header.has_shares)
		put_array(queue, header.tokens.slots, ssot_token_table_size(&header.tokens));
}

void
ssot_field_take(shm_mq_handle *queue, SsotValues *values, int nrecords)
{
	FieldHeader header;

	ssot_queue_take(queue, &header, sizeof(header));
	values->nvalues = header.nvalues;
	values->ncut = header.ncut;
	values->bytes = take_array(queue, header.bytes);
	values->offset = take_array(queue, sizeof(uint32) * (header.nvalues + 1));
	values->hash = take_array(queue, sizeof(uint64) * header.nvalues);
	values->count = take_array(queue, sizeof(int) * header.nvalues);
	for (int c = 0; c < SSOT_MAX_CLASSES; c++)
	{
		values->by_record[c].nslots = header.nslots[c];
		if (header.nslots[c] > 0)
			values->by_record[c].keys = take_array(queue, sizeof(uint32) * header.nslots[c] * nrecords);
		if (header.sorted[c])
			values->by_record[c].sort = take_array(queue, sizeof(uint64) * header.nvalues);
	}
	if (header.has_shares)
	{
		header.tokens.slots = take_array(queue, ssot_token_table_size(&header.tokens));
		values->shares = ssot_token_shares_of(&header.tokens);
	}
}

/* ---- what scoring reads, in shared memory ---------------------------------- */

/* A field: offsets into its block. */
typedef struct SharedField
{
	int			nvalues;
	Size		bytes;
	Size		offset;
	Size		equal;
	bool		has_shares;
	Size		slots;
	SsotTokenTable tokens;
} SharedField;

typedef struct SharedRule
{
	SsotBlocking rule;
	int			first_slot;
	int			nslots;
	int64		n;
	Size		records;		/* offsets into the block of all */
	Size		hashes;			/* 0: none */
} SharedRule;

struct SsotSharedWalk
{
	pg_atomic_uint64 next;		/* part, counted over all rules */
	int			n;
	int			nfields;
	int			nslots;
	int			nrules;
	double		least;
	SsotModel	model;
	double		base;
	double		best_unequal[SSOT_MAX_FIELDS];
	int			order[SSOT_MAX_FIELDS];
	SsotFlatKind kinds[SSOT_MAX_FIELDS];
	dsm_handle	fields[SSOT_MAX_FIELDS];
	Size		ids;
	Size		groups;			/* 0: none */
	Size		keys;
	SharedRule	rules[FLEXIBLE_ARRAY_MEMBER];
};

/* Where the next array of a block begins. */
static Size
place(Size *end, Size size)
{
	Size		start = MAXALIGN(*end);

	*end = start + size;
	return start;
}

static void *
move(void *block, Size start, void *array, Size size)
{
	void	   *moved = (char *) block + start;

	memcpy(moved, array, size);
	pfree(array);
	return moved;
}

static bool
share_field(SsotValues *values, float **equal, dsm_handle *handle)
{
	SharedField header = {.nvalues = values->nvalues,.has_shares = values->shares != NULL};
	Size		end = sizeof(SharedField);
	Size		nbytes = (Size) values->offset[values->nvalues] * MAXIMUM_ALIGNOF;
	Size		nslots = 0;
	char	   *block;

	if (header.has_shares)
	{
		header.tokens = ssot_token_table(values->shares);
		nslots = ssot_token_table_size(&header.tokens);
	}
	header.bytes = place(&end, nbytes);
	header.offset = place(&end, sizeof(uint32) * (values->nvalues + 1));
	header.equal = place(&end, sizeof(float) * values->nvalues);
	header.slots = place(&end, nslots);
	block = ssot_shared_create(end, handle);
	if (block == NULL)
		return false;
	memcpy(block, &header, sizeof(header));
	values->bytes = move(block, header.bytes, values->bytes, nbytes);
	values->offset = move(block, header.offset, values->offset, sizeof(uint32) * (values->nvalues + 1));
	*equal = move(block, header.equal, *equal, sizeof(float) * values->nvalues);
	if (header.has_shares)
		memcpy(block + header.slots, header.tokens.slots, nslots);
	return true;
}

static void
attach_field(dsm_handle handle, SsotValues *values, float **equal)
{
	char	   *block = ssot_shared_attach(handle);
	SharedField *header = (SharedField *) block;

	values->nvalues = header->nvalues;
	values->bytes = block + header->bytes;
	values->offset = (uint32 *) (block + header->offset);
	*equal = (float *) (block + header->equal);
	if (header->has_shares)
	{
		SsotTokenTable tokens = header->tokens;

		tokens.slots = block + header->slots;
		values->shares = ssot_token_shares_of(&tokens);
	}
}

bool
ssot_walk_share(SsotBlocks *blocks, SsotScorer *scorer, double least, dsm_handle *handle,
				SsotSharedWalk **shared)
{
	SsotRecords *records = unconstify(SsotRecords *, blocks->records);
	Size		end = offsetof(SsotSharedWalk, rules) + sizeof(SharedRule) * blocks->nrules;
	Size		ids = place(&end, sizeof(int) * (Size) records->n * records->nfields);
	Size		groups = records->groups == NULL ? 0 : place(&end, sizeof(uint64) * records->n);
	Size		keys = place(&end, sizeof(uint32) * (Size) records->n * blocks->nslots);
	SharedRule *rules = palloc0(sizeof(SharedRule) * Max(blocks->nrules, 1));
	dsm_handle	fields[SSOT_MAX_FIELDS];
	SsotSharedWalk *walk;

	for (int i = 0; i < blocks->nrules; i++)
	{
		SsotRuleBlocks *rule = &blocks->rules[i];

		rules[i] = (SharedRule)
		{
			*rule->rule, rule->first_slot, rule->nslots, rule->n
		};
		rules[i].records = place(&end, sizeof(uint32) * rule->n);
		if (rule->hashes != NULL)
			rules[i].hashes = place(&end, sizeof(uint32) * rule->n);
	}
	for (int f = 0; f < records->nfields; f++)
		if (!share_field(&records->fields[f], &scorer->equal[f], &fields[f]))
			return false;
	walk = ssot_shared_create(end, handle);
	if (walk == NULL)
		return false;

	pg_atomic_init_u64(&walk->next, 0);
	walk->n = records->n;
	walk->nfields = records->nfields;
	walk->nslots = blocks->nslots;
	walk->nrules = blocks->nrules;
	walk->least = least;
	walk->model = *scorer->model;
	walk->base = scorer->base;
	memcpy(walk->best_unequal, scorer->best_unequal, sizeof(walk->best_unequal));
	memcpy(walk->order, scorer->order, sizeof(walk->order));
	for (int f = 0; f < records->nfields; f++)
		walk->kinds[f] = ssot_kind_flat(records->fields[f].kind);
	memcpy(walk->fields, fields, sizeof(fields));
	walk->ids = ids;
	walk->groups = groups;
	walk->keys = keys;
	memcpy(walk->rules, rules, sizeof(SharedRule) * blocks->nrules);

	records->ids = move(walk, ids, records->ids, sizeof(int) * (Size) records->n * records->nfields);
	if (groups != 0)
		records->groups = move(walk, groups, records->groups, sizeof(uint64) * records->n);
	blocks->keys = move(walk, keys, blocks->keys, sizeof(uint32) * (Size) records->n * blocks->nslots);
	for (int i = 0; i < blocks->nrules; i++)
	{
		SsotRuleBlocks *rule = &blocks->rules[i];

		rule->records = move(walk, rules[i].records, rule->records, sizeof(uint32) * rule->n);
		if (rule->hashes != NULL)
			rule->hashes = move(walk, rules[i].hashes, rule->hashes, sizeof(uint32) * rule->n);
	}
	*shared = walk;
	return true;
}

SsotSharedWalk *
ssot_walk_attach(dsm_handle handle, SsotBlocks **blocks, SsotScorer **scorer, double *least)
{
	SsotSharedWalk *walk = ssot_shared_attach(handle);
	SsotRecords *records = palloc0(sizeof(SsotRecords));
	SsotBlocks *b = palloc0(sizeof(SsotBlocks));
	SsotScorer *s = palloc0(sizeof(SsotScorer));

	records->n = walk->n;
	records->nfields = walk->nfields;
	records->ids = (int *) ((char *) walk + walk->ids);
	if (walk->groups != 0)
		records->groups = (uint64 *) ((char *) walk + walk->groups);
	for (int f = 0; f < walk->nfields; f++)
	{
		records->fields[f].kind = ssot_kind_unflat(&walk->kinds[f]);
		attach_field(walk->fields[f], &records->fields[f], &s->equal[f]);
	}

	b->records = records;
	b->nrules = walk->nrules;
	b->nslots = walk->nslots;
	b->keys = (uint32 *) ((char *) walk + walk->keys);
	b->rules = palloc0(sizeof(SsotRuleBlocks) * Max(walk->nrules, 1));
	for (int i = 0; i < walk->nrules; i++)
	{
		SharedRule *rule = &walk->rules[i];

		b->rules[i].rule = &rule->rule;
		b->rules[i].first_slot = rule->first_slot;
		b->rules[i].nslots = rule->nslots;
		b->rules[i].n = rule->n;
		b->rules[i].records = (uint32 *) ((char *) walk + rule->records);
		if (rule->hashes != 0)
			b->rules[i].hashes = (uint32 *) ((char *) walk + rule->hashes);
	}

	s->records = records;
	s->model = &walk->model;
	s->leveler = ssot_leveler_create(records);
	s->base = walk->base;
	memcpy(s->best_unequal, walk->best_unequal, sizeof(s->best_unequal));
	memcpy(s->order, walk->order, sizeof(s->order));
	*blocks = b;
	*scorer = s;
	*least = walk->least;
	return walk;
}

bool
ssot_walk_next(SsotSharedWalk *walk, const SsotBlocks *blocks, int *rule, int64 *first, int64 *last)
{
	int64		part = pg_atomic_fetch_add_u64(&walk->next, 1);

	for (int i = 0; i < blocks->nrules; i++)
	{
		int64		parts = (blocks->rules[i].n + PART - 1) / PART;

		if (part < parts)
		{
			*rule = i;
			*first = part * PART;
			*last = Min(*first + PART, blocks->rules[i].n);
			return true;
		}
		part -= parts;
	}
	return false;
}
