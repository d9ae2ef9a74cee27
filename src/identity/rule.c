/*
 * identity/rule.c
 *		Blocking rules: which keys and pairs of keys are worth comparing by.
 *
 * Comparing all pairs of a million records is out of the question; comparing
 * those that share a key misses the pairs whose keys all differ. So a record
 * gets many keys, each selective enough to be cheap: single ones that hardly
 * anybody shares, and combinations of two coarse ones of different fields (the
 * sound of a name and a year of birth), which survive a slip in all others.
 *
 * What a rule costs is measured, on a sample: the number of pairs that a rule
 * makes grows with the square of the number of records, so n records cost n / s
 * times as many pairs per record as a sample of s. Where all rules cost too much,
 * the cheapest is used all the same: block.c copes with large blocks, and says so.
 * The same holds for rules that somebody gave: they are used whatever they cost.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/rule.h"

#include "miscadmin.h"

#define SAMPLE			16384	/* records */
#define MIN_COVERAGE	0.005
#define FEW_MET			4		/* as often may a key be met by chance */
#define CROWDED			0.02	/* share of records from which on a rule is
								 * refined */
#define REFINED_COST	6.0		/* pairs per record */
#define MAX_RULES		64

/* Two keys made one, never 0. */
static inline uint32
join_keys(uint32 a, uint32 b)
{
	uint64		both = ((uint64) a << 32 | b) * UINT64CONST(0x9E3779B97F4A7C15);

	return (uint32) (both >> 32) | 1;
}

static inline int
add_distinct(uint32 *keys, int n, uint32 key)
{
	for (int i = 0; i < n; i++)
		if (keys[i] == key)
			return n;
	keys[n] = key;
	return n + 1;
}

int
ssot_rule_keys(const SsotRecords *records, const SsotBlocking *rule, int record, uint32 *keys)
{
	const SsotClassKeys *class = &records->fields[rule->field[0]].by_record[rule->class[0]];
	const uint32 *a = class->keys + (Size) record * class->nslots;
	int			n = 0;

	/* by far the most frequent case */
	if (rule->nparts == 2 && class->nslots == 1)
	{
		const SsotClassKeys *other = &records->fields[rule->field[1]].by_record[rule->class[1]];

		if (other->nslots == 1)
		{
			if (a[0] == 0 || other->keys[record] == 0)
				return 0;
			keys[0] = join_keys(a[0], other->keys[record]);
			return 1;
		}
	}
	for (int i = 0; i < class->nslots && a[i] != 0; i++)
		n = add_distinct(keys, n, a[i]);
	for (int p = 1; p < rule->nparts && n > 0; p++)
	{
		uint32		before[SSOT_RULE_SLOTS];
		int			nbefore = n;

		class = &records->fields[rule->field[p]].by_record[rule->class[p]];
		a = class->keys + (Size) record * class->nslots;
		memcpy(before, keys, sizeof(uint32) * n);
		n = 0;
		for (int i = 0; i < nbefore; i++)
			for (int j = 0; j < class->nslots && a[j] != 0 && n < SSOT_RULE_SLOTS; j++)
				n = add_distinct(keys, n, join_keys(before[i], a[j]));
	}
	return n;
}

int
ssot_rule_width(const SsotRecords *records, const SsotBlocking *rule)
{
	int			width = 1;

	for (int p = 0; p < rule->nparts; p++)
		width *= Max(1, records->fields[rule->field[p]].by_record[rule->class[p]].nslots);
	return Min(width, SSOT_RULE_SLOTS);
}

void
ssot_rule_keys_of(const SsotRecords *records, const SsotBlocking *rule, int first, int n,
				  int width, uint32 *keys)
{
	const SsotClassKeys *a = &records->fields[rule->field[0]].by_record[rule->class[0]];
	const SsotClassKeys *b = rule->nparts < 2 ? a :
	&records->fields[rule->field[1]].by_record[rule->class[1]];

	/* by far the most frequent cases */
	if (width == 1 && a->nslots == 1 && rule->nparts == 1)
		memcpy(keys, a->keys + first, sizeof(uint32) * n);
	else if (width == 1 && a->nslots == 1 && b->nslots == 1 && rule->nparts == 2)
		for (int i = 0; i < n; i++)
			keys[i] = a->keys[first + i] == 0 || b->keys[first + i] == 0 ? 0 :
				join_keys(a->keys[first + i], b->keys[first + i]);
	else
		for (int i = 0; i < n; i++)
		{
			uint32		all[SSOT_RULE_SLOTS];
			int			nkeys = ssot_rule_keys(records, rule, first + i, all);

			for (int k = 0; k < width; k++)
				keys[i * width + k] = k < nkeys ? all[k] : 0;
		}
}

bool
ssot_rule_joins(const SsotRecords *records, const SsotBlocking *rule, int a, int b)
{
	uint32		left[SSOT_RULE_SLOTS];
	uint32		right[SSOT_RULE_SLOTS];
	int			nleft = ssot_rule_keys(records, rule, a, left);
	int			nright = ssot_rule_keys(records, rule, b, right);

	for (int i = 0; i < nleft; i++)
		for (int j = 0; j < nright; j++)
			if (left[i] == right[j])
				return true;
	return false;
}

char *
ssot_blocking_name(const SsotRecords *records, const SsotBlocking *rule)
{
	StringInfoData name;

	initStringInfo(&name);
	for (int p = 0; p < rule->nparts; p++)
	{
		const SsotValues *values = &records->fields[rule->field[p]];

		appendStringInfo(&name, "%s%s %s", p == 0 ? "" : " + ", values->name,
						 values->kind->classes[rule->class[p]].name);
	}
	return name.data;
}

/* ---- measuring ----------------------------------------------------------- */

typedef struct CountSlot
{
	uint32		hash;
	uint32		count;
} CountSlot;

typedef struct Measure
{
	const SsotRecords *records;
	int			sample;
	CountSlot  *slots;			/* two for each key of the sample */
	uint32	   *keys;			/* of the sample */
} Measure;

/* The share of the sample's records under keys that too many share among all. */
static double
crowded(const Measure *measure, uint32 mask)
{
	double		stands_for = (double) measure->records->n / Max(measure->sample, 1);
	double		n = 0;

	for (uint32 i = 0; i <= mask; i++)
		if (measure->slots[i].count >= FEW_MET && measure->slots[i].count * stands_for > SSOT_MAX_BLOCK)
			n += measure->slots[i].count;
	return n / Max(measure->sample, 1);
}

/*
 * Fill in what a rule covers and costs. The sample is the first records: their
 * order is that of a hash.
 */
static void
measure(const Measure *measure, SsotBlocking *rule)
{
	int			width = ssot_rule_width(measure->records, rule);
	uint32		mask = SAMPLE * 2 * (width > 2 ? SSOT_RULE_SLOTS : width) - 1;
	double		pairs = 0;
	int			covered = 0;
	int			most = 0;

	ssot_rule_keys_of(measure->records, rule, 0, measure->sample, width, measure->keys);
	memset(measure->slots, 0, sizeof(CountSlot) * ((Size) mask + 1));
	for (int r = 0; r < measure->sample; r++)
	{
		const uint32 *keys = measure->keys + r * width;
		int			n = 0;

		for (; n < width && keys[n] != 0; n++)
		{
			uint32		i = (keys[n] >> 1) & mask;	/* their last bit is 1 */

			while (measure->slots[i].hash != 0 && measure->slots[i].hash != keys[n])
				i = (i + 1) & mask;
			measure->slots[i].hash = keys[n];
			pairs += measure->slots[i].count++;
		}
		covered += n > 0;
		most = Max(most, n);
	}
	rule->nslots = Max(most, 1);
	rule->coverage = (double) covered / Max(measure->sample, 1);
	rule->cost = pairs / Max(measure->sample, 1) *
		((double) measure->records->n / Max(measure->sample, 1));
	rule->crowded = crowded(measure, mask);
}

static void
begin_measure(Measure *m, const SsotRecords *records)
{
	memset(m, 0, sizeof(*m));
	m->records = records;
	m->sample = Min(records->n, SAMPLE);
	m->slots = palloc(sizeof(CountSlot) * SAMPLE * 2 * SSOT_RULE_SLOTS);
	m->keys = palloc(sizeof(uint32) * SAMPLE * SSOT_RULE_SLOTS);
}

static void
end_measure(Measure *m)
{
	pfree(m->slots);
	pfree(m->keys);
}

static int
class_use(const SsotRecords *records, int field, int class)
{
	return records->fields[field].kind->classes[class].use;
}

static int
compare_cost(const ListCell *a, const ListCell *b)
{
	double		x = ((const SsotBlocking *) lfirst(a))->cost;
	double		y = ((const SsotBlocking *) lfirst(b))->cost;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* ---- rules that are derived ----------------------------------------------- */

typedef struct Possible
{
	SsotBlocking *rules;
	int			n;
	int			capacity;
} Possible;

static void
add_possible(Possible *possible, const SsotBlocking *rule)
{
	if (possible->n == possible->capacity)
	{
		possible->capacity *= 2;
		possible->rules = repalloc(possible->rules, sizeof(SsotBlocking) * possible->capacity);
	}
	possible->rules[possible->n++] = *rule;
}

/* The rules that begin with a class: on its own, and with each of a later field. */
static void
add_class(Possible *possible, const SsotRecords *records, int f, int c)
{
	int			use = class_use(records, f, c);
	SsotBlocking rule = {.nparts = 1,.field = {f},.class = {c}};

	if (use & SSOT_KEY_ALONE)
		add_possible(possible, &rule);
	if (!(use & SSOT_KEY_COMBINED))
		return;
	rule.nparts = 2;
	for (int g = f + 1; g < records->nfields; g++)
		for (int d = 0; d < records->fields[g].kind->nclasses; d++)
			if (class_use(records, g, d) & SSOT_KEY_COMBINED)
			{
				rule.field[1] = g;
				rule.class[1] = d;
				add_possible(possible, &rule);
			}
}

int
ssot_rules_possible(const SsotRecords *records, SsotBlocking **rules)
{
	Possible	possible = {.capacity = 256};

	possible.rules = palloc(sizeof(SsotBlocking) * possible.capacity);
	for (int f = 0; f < records->nfields; f++)
		for (int c = 0; c < records->fields[f].kind->nclasses; c++)
			add_class(&possible, records, f, c);
	*rules = possible.rules;
	return possible.n;
}

void
ssot_rules_measure(const SsotRecords *records, SsotBlocking *rules, int n, int first, int step)
{
	Measure		m;

	begin_measure(&m, records);
	for (int i = first; i < n; i += step)
	{
		CHECK_FOR_INTERRUPTS();
		measure(&m, &rules[i]);
	}
	end_measure(&m);
}

List *
ssot_rules_cheap(SsotBlocking *rules, int n, double most_cost)
{
	List	   *cheap = NIL;
	SsotBlocking *cheapest = NULL;	/* of those that cost too much */

	for (int i = 0; i < n; i++)
	{
		SsotBlocking *rule = &rules[i];

		if (rule->coverage < MIN_COVERAGE)
			continue;
		if (rule->cost <= most_cost)
			cheap = lappend(cheap, rule);
		else if (cheapest == NULL || rule->cost < cheapest->cost)
			cheapest = rule;
	}
	if (cheap == NIL && cheapest != NULL)
		cheap = lappend(cheap, cheapest);
	list_sort(cheap, compare_cost);
	return cheap;
}

static bool
is_same_rule(const SsotBlocking *a, const SsotBlocking *b)
{
	if (a->nparts != b->nparts)
		return false;
	for (int p = 0; p < a->nparts; p++)
	{
		bool		met = false;

		for (int q = 0; q < b->nparts; q++)
			met |= a->field[p] == b->field[q] && a->class[p] == b->class[q];
		if (!met)
			return false;
	}
	return true;
}

List *
ssot_rules_given(const SsotRecords *records, List *given, List *others)
{
	Measure		m;
	List	   *rules = NIL;
	ListCell   *cell;

	begin_measure(&m, records);
	foreach(cell, given)
	{
		SsotBlocking *rule = palloc(sizeof(SsotBlocking));

		CHECK_FOR_INTERRUPTS();
		*rule = *(const SsotBlocking *) lfirst(cell);
		measure(&m, rule);

		/* a record that is not of the sample may have more keys than those */
		rule->nslots = ssot_rule_width(records, rule);
		rules = lappend(rules, rule);
	}
	end_measure(&m);
	foreach(cell, others)
	{
		bool		is_given = false;

		for (int i = 0; i < list_length(given) && !is_given; i++)
			is_given = is_same_rule(list_nth(given, i), lfirst(cell));
		if (!is_given)
			rules = lappend(rules, lfirst(cell));
	}
	return rules;
}

/* The coarsest rule made of this one and a key of another field that is not dear; or
 * the cheapest. False: there is none. */
static bool
refine(const Measure *m, const SsotBlocking *rule, SsotBlocking *best)
{
	const SsotRecords *records = m->records;

	best->nparts = 0;
	for (int f = 0; f < records->nfields && rule->nparts < SSOT_RULE_PARTS; f++)
		for (int c = 0; c < records->fields[f].kind->nclasses && !ssot_rule_has_field(rule, f); c++)
		{
			SsotBlocking finer = *rule;

			CHECK_FOR_INTERRUPTS();
			finer.field[finer.nparts] = f;
			finer.class[finer.nparts++] = c;
			measure(m, &finer);
			if (finer.coverage < rule->coverage / 2 || finer.crowded > rule->crowded / 2)
				continue;
			if (best->nparts == 0 ||
				(best->cost > REFINED_COST ? finer.cost < best->cost :
				 finer.cost > best->cost && finer.cost <= REFINED_COST))
				*best = finer;
		}
	return best->nparts > 0;
}

List *
ssot_rules_refine(const SsotRecords *records, List *rules)
{
	Measure		m;
	List	   *refined = list_copy(rules);
	ListCell   *cell;

	begin_measure(&m, records);
	foreach(cell, rules)
	{
		SsotBlocking *finer = palloc(sizeof(SsotBlocking));
		bool		known = false;

		if (((const SsotBlocking *) lfirst(cell))->crowded < CROWDED || !refine(&m, lfirst(cell), finer))
			continue;
		for (int i = 0; i < list_length(refined); i++)
			known |= is_same_rule(list_nth(refined, i), finer);
		finer->nslots = ssot_rule_width(records, finer);
		if (!known && list_length(refined) < MAX_RULES)
			refined = lappend(refined, finer);
	}
	end_measure(&m);
	return refined;
}
