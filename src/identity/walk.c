/*
 * identity/walk.c
 *		Blocks that the members of a team walk together.
 *
 * One block of shared memory has the table of keys, which is filled there. Another
 * has the records of each rule and what scoring needs besides the records. It holds
 * places instead of pointers, because each process maps it where it likes. Whoever
 * is free takes the next part.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/share.h"
#include "identity/walk.h"

#include "miscadmin.h"
#include "port/atomics.h"

/* Entries of a rule that a member takes at a time. */
#define PART			16384

typedef struct SharedRule
{
	SsotBlocking rule;
	int			first_slot;
	int			nslots;
	int64		n;
	Size		records;		/* places */
	Size		hashes;			/* 0: none */
} SharedRule;

struct SsotSharedWalk
{
	pg_atomic_uint64 next;		/* part, counted over all rules */
	int			nslots;
	int			nrules;
	double		least;
	SsotModel	model;
	double		base;
	double		best_unequal[SSOT_MAX_FIELDS];
	int			order[SSOT_MAX_FIELDS];
	Size		equal[SSOT_MAX_FIELDS];
	SsotSegmentName keys;
	SharedRule	rules[FLEXIBLE_ARRAY_MEMBER];
};

static void *
move(SsotSharedWalk *walk, Size start, void *array, Size size)
{
	void	   *moved = ssot_at(walk, start);

	CHECK_FOR_INTERRUPTS();
	memcpy(moved, array, size);
	ssot_large_free(array);
	return moved;
}

void
ssot_walk_share_keys(SsotSegments *segments, SsotBlocks *blocks, SsotSegmentName *keys)
{
	Size		size = sizeof(uint32) * (Size) blocks->records->n * blocks->nslots;

	blocks->keys = ssot_segment_address(ssot_segment_create(segments, size, keys));
}

SsotSharedWalk *
ssot_walk_share(SsotSegments *segments, SsotBlocks *blocks, const SsotSegmentName *keys,
				SsotScorer *scorer, double least, SsotSegmentName *name)
{
	const SsotRecords *records = blocks->records;
	Size		end = offsetof(SsotSharedWalk, rules) + sizeof(SharedRule) * blocks->nrules;
	SharedRule *rules = palloc0(sizeof(SharedRule) * Max(blocks->nrules, 1));
	Size		equal[SSOT_MAX_FIELDS] = {0};
	SsotSharedWalk *walk;

	for (int i = 0; i < blocks->nrules; i++)
	{
		SsotRuleBlocks *rule = &blocks->rules[i];

		rules[i] = (SharedRule)
		{
			*rule->rule, rule->first_slot, rule->nslots, rule->n
		};
		rules[i].records = ssot_place(&end, sizeof(uint32) * rule->n);
		if (rule->hashes != NULL)
			rules[i].hashes = ssot_place(&end, sizeof(uint32) * rule->n);
	}
	for (int f = 0; f < records->nfields; f++)
		equal[f] = ssot_place(&end, sizeof(float) * records->fields[f].nvalues);
	walk = ssot_segment_address(ssot_segment_create(segments, end, name));
	pg_atomic_init_u64(&walk->next, 0);
	walk->nslots = blocks->nslots;
	walk->nrules = blocks->nrules;
	walk->least = least;
	walk->model = *scorer->model;
	walk->base = scorer->base;
	memcpy(walk->best_unequal, scorer->best_unequal, sizeof(walk->best_unequal));
	memcpy(walk->order, scorer->order, sizeof(walk->order));
	memcpy(walk->equal, equal, sizeof(equal));
	walk->keys = *keys;
	memcpy(walk->rules, rules, sizeof(SharedRule) * blocks->nrules);

	for (int i = 0; i < blocks->nrules; i++)
	{
		SsotRuleBlocks *rule = &blocks->rules[i];

		rule->records = move(walk, rules[i].records, rule->records, sizeof(uint32) * rule->n);
		if (rule->hashes != NULL)
			rule->hashes = move(walk, rules[i].hashes, rule->hashes, sizeof(uint32) * rule->n);
	}
	for (int f = 0; f < records->nfields; f++)
		scorer->equal[f] = move(walk, equal[f], scorer->equal[f],
								sizeof(float) * records->fields[f].nvalues);
	return walk;
}

SsotSharedWalk *
ssot_walk_attach(SsotSegments *segments, const SsotSegmentName *name, SsotRecords *records,
				 SsotBlocks **blocks, SsotScorer **scorer, double *least)
{
	SsotSharedWalk *walk = ssot_segment_address(ssot_segment_attach(segments, name));
	SsotBlocks *b = palloc0(sizeof(SsotBlocks));
	SsotScorer *s = palloc0(sizeof(SsotScorer));

	b->records = records;
	b->nrules = walk->nrules;
	b->nslots = walk->nslots;
	b->keys = ssot_segment_address(ssot_segment_attach(segments, &walk->keys));
	b->rules = palloc0(sizeof(SsotRuleBlocks) * Max(walk->nrules, 1));
	for (int i = 0; i < walk->nrules; i++)
	{
		SharedRule *rule = &walk->rules[i];

		b->rules[i].rule = &rule->rule;
		b->rules[i].first_slot = rule->first_slot;
		b->rules[i].nslots = rule->nslots;
		b->rules[i].n = rule->n;
		b->rules[i].records = ssot_at(walk, rule->records);
		if (rule->hashes != 0)
			b->rules[i].hashes = ssot_at(walk, rule->hashes);
	}

	s->records = records;
	s->model = &walk->model;
	s->leveler = ssot_leveler_create(records);
	s->base = walk->base;
	memcpy(s->best_unequal, walk->best_unequal, sizeof(s->best_unequal));
	memcpy(s->order, walk->order, sizeof(s->order));
	for (int f = 0; f < records->nfields; f++)
		s->equal[f] = ssot_at(walk, walk->equal[f]);
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
