/*
 * identity/training.c
 *		Drawing the pairs that the model is learnt from.
 *
 * Each blocking rule is a lens: among the pairs that it makes many are records
 * of one thing, and the fields that the rule does not speak of show how records
 * of one thing agree. Under each of several rules the blocks of a share of the
 * keys are drawn, chosen by their hash, until there are some ten thousand
 * pairs. How records of two things agree is seen in random pairs.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/model.h"
#include "identity/radix.h"

#include "miscadmin.h"

#define MAX_USES			5	/* of one field */
#define ENOUGH_PAIRS		500.0
#define PAIRS_PER_RULE		20000
#define RANDOM_PAIRS		200000
#define ALL_PAIRS			2000000 /* so many are all taken */
#define REACH				40	/* neighbours in a block that a record is
								 * paired with */
#define CHUNK				4096	/* records whose keys are made at once */
#define AHEAD				16	/* records that are fetched before they are
								 * needed */

static int64
all_pairs(const SsotRecords *records)
{
	return (int64) records->n * (records->n - 1) / 2;
}

/* Rules that use the same fields, or that speak of one field again and again,
 * show the same thing. */
static bool
shows_nothing_new(const SsotTraining *training, const SsotBlocking *rule)
{
	int			uses[2] = {0, 0};

	for (int i = 0; i < training->nrules; i++)
	{
		const SsotBlocking *other = training->rules[i];

		if (other->nparts == rule->nparts && other->field[0] == rule->field[0] &&
			(rule->nparts < 2 || other->field[1] == rule->field[1]))
			return true;
		for (int p = 0; p < rule->nparts; p++)
			for (int q = 0; q < other->nparts; q++)
				uses[p] += rule->field[p] == other->field[q];
	}
	return uses[0] >= MAX_USES || uses[1] >= MAX_USES;
}

/*
 * Which rules: the cheapest ones that make enough pairs. Among their pairs most
 * are records of one thing, so that learning cannot mistake some other likeness
 * (of living in one town) for the one that is looked for.
 */
static void
choose_rules(SsotTraining *training, List *rules)
{
	double		enough = Min(ENOUGH_PAIRS, training->records->n / 50);

	for (; training->nrules == 0 && enough > 0.1; enough /= 10)
	{
		ListCell   *cell;

		foreach(cell, rules)
		{
			const SsotBlocking *rule = lfirst(cell);

			if (training->nrules < SSOT_TRAINING_RULES &&
				rule->cost * training->records->n >= enough && !shows_nothing_new(training, rule))
				training->rules[training->nrules++] = rule;
		}
	}
}

static void
add_draw(SsotLeveler *leveler, SsotTraining *training, int rule, int a, int b)
{
	SsotDraw   *draw;

	if (ssot_in_one_group(training->records, a, b))
		return;
	if (training->ndraws == training->capacity)
	{
		training->capacity *= 2;
		SSOT_ENLARGE(training->draws, SsotDraw, training->capacity);
	}
	if ((training->ndraws & 0xFFF) == 0)
		CHECK_FOR_INTERRUPTS();
	draw = &training->draws[training->ndraws++];
	draw->weight = draw->posterior = 0;
	draw->a = Min(a, b);
	draw->b = Max(a, b);
	draw->rule = rule;
	draw->pattern = ssot_pattern(leveler, draw->a, draw->b);
}

/* The keys below the limit, with their records; returns how many there are. */
static int64
draw_keys(const SsotRecords *records, const SsotBlocking *rule, uint32 limit,
		  SsotBlockEntry **entries)
{
	int			width = ssot_rule_width(records, rule);
	int64		capacity = 1024;
	int64		n = 0;
	uint32	   *keys = palloc(sizeof(uint32) * CHUNK * width);

	*entries = SSOT_LARGE(SsotBlockEntry, capacity);
	for (int first = 0; first < records->n; first += CHUNK)
	{
		int			count = Min(CHUNK, records->n - first);

		CHECK_FOR_INTERRUPTS();
		ssot_rule_keys_of(records, rule, first, count, width, keys);
		if (n + count * width > capacity)
		{
			capacity = Max(capacity * 2, n + count * width);
			SSOT_ENLARGE(*entries, SsotBlockEntry, capacity);
		}
		for (int i = 0; i < count * width; i++)
			if (keys[i] != 0 && keys[i] * 2654435769u <= limit)
				(*entries)[n++] = (SsotBlockEntry)
			{
				keys[i], first + i / width
			};
	}
	pfree(keys);
	return n;
}

void
ssot_training_draw_rule(SsotLeveler *leveler, SsotTraining *training, int number)
{
	const SsotRecords *records = training->records;
	const SsotBlocking *rule = training->rules[number];
	double		share = training->drawn[number];
	uint32		limit = share >= 1 ? PG_UINT32_MAX : (uint32) (share * PG_UINT32_MAX);
	SsotBlockEntry *entries;
	SsotBlockEntry *scratch;
	int64		n = draw_keys(records, rule, limit, &entries);

	scratch = SSOT_LARGE(SsotBlockEntry, n);
	ssot_radix_sort_blocks(entries, scratch, n);
	for (int64 i = 0; i < n; i++)
	{
		if (i + AHEAD < n)
			__builtin_prefetch(ssot_record(records, entries[i + AHEAD].record));
		for (int64 j = i + 1; j < n && j <= i + REACH && entries[j].hash == entries[i].hash; j++)
			add_draw(leveler, training, number, entries[i].record, entries[j].record);
	}
	ssot_large_free(scratch);
	ssot_large_free(entries);
}

/*
 * The order of records is that of a hash, so that those at a fixed distance are as
 * good as drawn: first all neighbours, then all at a distance of two, ...
 */
void
ssot_training_draw_random(SsotLeveler *leveler, int64 first, int64 n, SsotPattern *patterns)
{
	bool		complete = all_pairs(leveler->records) <= ALL_PAIRS;
	int			distance = 1;
	int64		i = first;

	if (n == 0)
		return;
	for (; i >= leveler->records->n - distance; distance++)
		i -= leveler->records->n - distance;
	for (int64 done = 0; done < n; done++)
	{
		if ((done & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		/* where these are all pairs, m is learnt from them too */
		patterns[done] = complete && ssot_in_one_group(leveler->records, i, i + distance) ?
			0 : ssot_pattern(leveler, i, i + distance);
		if (++i == leveler->records->n - distance)
		{
			distance++;
			i = 0;
		}
	}
}

SsotTraining *
ssot_training_begin(const SsotRecords *records, List *rules)
{
	SsotTraining *training = palloc0(sizeof(SsotTraining));
	int64		all = all_pairs(records);

	training->records = records;
	choose_rules(training, rules);
	for (int i = 0; i < training->nrules; i++)
		training->drawn[i] = Min(1, PAIRS_PER_RULE / Max(training->rules[i]->cost * records->n, 1));
	training->capacity = 1024;
	training->draws = SSOT_LARGE(SsotDraw, training->capacity);
	training->complete = all <= ALL_PAIRS;
	training->nrandom = training->complete ? all : RANDOM_PAIRS;
	training->random = SSOT_LARGE(SsotPattern, training->nrandom);
	return training;
}

void
ssot_training_draw(SsotLeveler *leveler, SsotTraining *training)
{
	for (int i = 0; i < training->nrules; i++)
		ssot_training_draw_rule(leveler, training, i);
	ssot_training_draw_random(leveler, 0, training->nrandom, training->random);
}
