/*
 * golden/matcher.c
 *		Linking by similarity: what the matching engine finds becomes clusters.
 *
 * Tokens and decisions come first: what they hold together is one unit, and
 * matching joins units (unit.c). Each stored unit has a row in customer_match
 * with its blocking keys, so a run that changed c records looks at those, at the
 * units under the same keys, and no further:
 *
 *		look up		fresh units -> keys -> stored units that share one
 *		weigh		those that are probable enough have their golden records read
 *					whole, which makes their units fresh in the next round
 *		cluster		all units that were read are matched with each other
 *
 * Rounds end when no probable pair leads to a golden record that was not read.
 * Then every pair of a component is at hand. A key that too many units have brings
 * nobody together, here as where everything is matched (match_lookup.c); so the
 * outcome is that of matching everything.
 *
 * The model is learnt once, when everything is matched for the first time, and
 * kept; weights do not depend on which records happen to be at hand.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "golden/decision.h"
#include "golden/match_lookup.h"
#include "golden/matcher.h"
#include "golden/match_model.h"
#include "identity/large.h"
#include "identity/match.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"

#include <math.h>

struct SsotMatcher
{
	SsotMatchRules *rules;
	SsotNodeTexts *texts;
	SsotStoredModel *model;		/* NULL: it will be learnt */
	bool		everything;
	int			known;			/* nodes whose units were looked up */
	List	   *waiting;		/* of SsotWaiting */
	SsotCrowded crowded;		/* keys */
};

typedef struct SsotMatcher SsotMatcher;

void
ssot_matcher_begin(Linker *linker)
{
	SsotMatchRules *rules = ssot_matching_in_force(linker->entity);
	SsotMatcher *matcher;

	if (rules == NULL)
		return;
	matcher = palloc0(sizeof(SsotMatcher));
	matcher->rules = rules;
	matcher->texts = ssot_node_texts_create(linker->entity, rules);
	matcher->everything = !rules->applied || linker->out->first_load;
	if (rules->model_id != 0)
		matcher->model = ssot_match_stored(linker->entity, rules);
	linker->matcher = matcher;
}

static int *
units_so_far(Linker *linker)
{
	int		   *cluster = SSOT_LARGE(int, linker->out->nnodes);

	ssot_linker_units(linker, cluster);
	ssot_node_texts_read(linker->matcher->texts, linker);
	return cluster;
}

/* ---- weighing ------------------------------------------------------------ */

static void
open_candidate(Linker *linker, const SsotFoundUnit *candidate)
{
	Datum		name;
	bool		isnull = false;

	if (candidate->has_id)
	{
		ssot_linker_open(linker, candidate->id);
		return;
	}
	name = CStringGetTextDatum(ssot_record_name(linker->entity, candidate->source, candidate->key));
	tuplestore_putvalues(linker->led_to, ssot_name_desc(), &name, &isnull);
	linker->nled_to++;
}

static void
wait_for_candidate(Linker *linker, SsotUnits *units, const SsotFoundUnit *candidate,
				   double weight, Datum levels)
{
	SsotMatcher *matcher = linker->matcher;
	SsotWaiting *waiting = palloc0(sizeof(SsotWaiting));

	waiting->a = ssot_unit_name(linker, units, candidate->unit);
	waiting->b = ssot_record_name(linker->entity, candidate->source, candidate->key);
	waiting->b_source = candidate->source;
	waiting->b_key = candidate->key;
	waiting->weight = weight;
	waiting->levels = levels;
	matcher->waiting = lappend(matcher->waiting, waiting);
}

/* Open those that must be read anew; keep the others. */
static List *
open_turned(Linker *linker, List *candidates, bool *opened)
{
	List	   *others = NIL;
	ListCell   *cell;

	foreach(cell, candidates)
	{
		const SsotFoundUnit *candidate = (const SsotFoundUnit *) lfirst(cell);

		if (candidate->unit >= 0)
			others = lappend(others, lfirst(cell));
		else
		{
			open_candidate(linker, candidate);
			*opened = true;
		}
	}
	return others;
}

/* Open the golden records of probable candidates; false if there is none. */
static bool
weigh(Linker *linker, SsotUnits *units, List *candidates)
{
	SsotMatcher *matcher = linker->matcher;
	int			ncompared = matcher->rules->ncompared;
	bool		opened = false;
	List	   *weighed = open_turned(linker, candidates, &opened);
	int			n = list_length(weighed);
	double		match = ssot_log_odds(matcher->rules->match);
	double		review = ssot_log_odds(matcher->rules->review);
	char	  **texts = SSOT_LARGE(char *, 2 * (Size) n * ncompared);
	SsotMatchSet *set;

	/* pairs side by side: 2 i is the unit, 2 i + 1 the candidate */
	for (int i = 0; i < n; i++)
	{
		SsotFoundUnit *candidate = (SsotFoundUnit *) list_nth(weighed, i);

		memcpy(texts + 2 * (Size) i * ncompared, units->texts + (Size) candidate->unit * ncompared,
			   sizeof(char *) * ncompared);
		memcpy(texts + (2 * (Size) i + 1) * ncompared, candidate->texts, sizeof(char *) * ncompared);
	}
	set = ssot_match_set(matcher->rules, matcher->model, 2 * n, texts, NULL, NULL);
	for (int i = 0; i < n; i++)
	{
		SsotFoundUnit *candidate = (SsotFoundUnit *) list_nth(weighed, i);
		double		weight = ssot_match_weight(set, 2 * i, 2 * i + 1);

		CHECK_FOR_INTERRUPTS();
		if (weight >= match)
		{
			open_candidate(linker, candidate);
			opened = true;
		}
		else if (weight >= review)
			wait_for_candidate(linker, units, candidate, weight,
							   ssot_match_levels(set, 2 * i, 2 * i + 1));
	}
	ssot_match_set_free(set);
	ssot_large_free(texts);
	return opened;
}

/* One round; false if it led to nothing new. */
static bool
reach_alike(Linker *linker)
{
	SsotMatcher *matcher = linker->matcher;
	int		   *cluster;
	SsotUnits  *units;
	List	   *candidates;
	bool		opened;

	if (matcher->known == linker->out->nnodes)
		return false;
	cluster = units_so_far(linker);
	units = ssot_units_create(matcher->texts, linker, cluster, matcher->known);
	matcher->known = linker->out->nnodes;
	candidates = ssot_look_up(linker, units, matcher->rules, matcher->model, &matcher->crowded);
	opened = weigh(linker, units, candidates);
	ssot_units_free(units);
	ssot_large_free(cluster);
	return opened;
}

void
ssot_matcher_reach(Linker *linker)
{
	SsotMatcher *matcher = linker->matcher;

	if (matcher != NULL && matcher->everything)
	{
		ssot_linker_reach_everything(linker);
		return;
	}
	do
	{
		CHECK_FOR_INTERRUPTS();
		ssot_linker_reach(linker);
	} while (matcher != NULL && reach_alike(linker));
}

/* ---- clustering ---------------------------------------------------------- */

typedef struct NamedUnit
{
	char	   *name;
	int			unit;
} NamedUnit;

static int
compare_named(const void *a, const void *b)
{
	return strcmp(((const NamedUnit *) a)->name, ((const NamedUnit *) b)->name);
}

/* The units that people said are different things, as pairs. */
static int
decided_apart(const Linker *linker, const SsotUnits *units, int (**pairs)[2])
{
	NamedUnit  *named;
	ListCell   *cell;
	int			nnamed = 0;
	int			n = 0;

	*pairs = palloc(sizeof(int[2]) * Max(list_length(linker->decisions), 1));
	if (linker->decisions == NIL)
		return 0;
	named = SSOT_LARGE(NamedUnit, linker->out->nnodes);
	for (int i = 0; i < linker->out->nnodes; i++)
		if (units->of[i] >= 0)
			named[nnamed++] = (NamedUnit)
		{
			ssot_record_name(linker->entity, linker->out->nodes[i].source, linker->out->nodes[i].key),
				units->of[i]
		};
	qsort(named, nnamed, sizeof(NamedUnit), compare_named);
	foreach(cell, linker->decisions)
	{
		const SsotDecision *decision = (const SsotDecision *) lfirst(cell);
		NamedUnit	a = {unconstify(char *, decision->a), 0};
		NamedUnit	b = {unconstify(char *, decision->b), 0};
		NamedUnit  *left = bsearch(&a, named, nnamed, sizeof(NamedUnit), compare_named);
		NamedUnit  *right = bsearch(&b, named, nnamed, sizeof(NamedUnit), compare_named);

		if (decision->same || left == NULL || right == NULL || left->unit == right->unit)
			continue;
		(*pairs)[n][0] = left->unit;
		(*pairs)[n++][1] = right->unit;
	}
	return n;
}

/* Units of one cluster of the engine's become one cluster of nodes. */
static void
join_clusters(const Linker *linker, const SsotUnits *units, const int *joined, int *cluster)
{
	int			nnodes = linker->out->nnodes;
	int		   *smallest = SSOT_LARGE(int, units->n);
	int		   *becomes = SSOT_LARGE(int, nnodes);

	for (int u = 0; u < units->n; u++)
		smallest[u] = nnodes;
	for (int u = 0; u < units->n; u++)
		smallest[joined[u]] = Min(smallest[joined[u]], cluster[units->first[u]]);
	for (int i = 0; i < nnodes; i++)
		becomes[i] = i;
	for (int u = 0; u < units->n; u++)
		becomes[cluster[units->first[u]]] = smallest[joined[u]];
	for (int i = 0; i < nnodes; i++)
		if (linker->out->nodes[i].active)
			cluster[i] = becomes[cluster[i]];
	ssot_large_free(smallest);
	ssot_large_free(becomes);
}

static bool
is_apart(int (*apart)[2], int napart, int a, int b)
{
	for (int i = 0; i < napart; i++)
		if ((apart[i][0] == a && apart[i][1] == b) || (apart[i][0] == b && apart[i][1] == a))
			return true;
	return false;
}

/* Pairs that the engine left for a person, among the units that were read. */
static void
take_waiting(Linker *linker, SsotUnits *units, SsotMatchOutcome *outcome, int (*apart)[2], int napart)
{
	SsotMatcher *matcher = linker->matcher;
	double		match = ssot_log_odds(matcher->rules->match);

	for (int64 i = 0; i < outcome->npairs; i++)
	{
		const SsotMatchPair *pair = &outcome->pairs[i];
		SsotWaiting *waiting;

		CHECK_FOR_INTERRUPTS();
		if (outcome->cluster[pair->a] == outcome->cluster[pair->b] ||
			is_apart(apart, napart, pair->a, pair->b) ||
			(matcher->rules->one_per_system && (units->systems[pair->a] & units->systems[pair->b]) != 0))
			continue;
		waiting = palloc0(sizeof(SsotWaiting));
		waiting->a = ssot_unit_name(linker, units, pair->a);
		waiting->b = ssot_unit_name(linker, units, pair->b);
		waiting->b_source = -1;
		waiting->weight = pair->weight;
		waiting->refused = pair->weight >= match;
		waiting->levels = ssot_match_levels(outcome->set, pair->a, pair->b);
		matcher->waiting = lappend(matcher->waiting, waiting);
	}
}

void
ssot_matcher_cluster(Linker *linker, int *cluster)
{
	SsotMatcher *matcher = linker->matcher;
	SsotMatched *out;
	SsotUnits  *units;
	SsotMatchOutcome *outcome = NULL;

	if (matcher == NULL)
		return;
	out = palloc0(sizeof(SsotMatched));
	out->everything = matcher->everything;
	out->version = matcher->rules->version;
	ssot_node_texts_read(matcher->texts, linker);
	units = ssot_units_create(matcher->texts, linker, cluster, 0);
	if (matcher->rules->ncompared > 0)
	{
		int			(*apart)[2];
		int			napart = decided_apart(linker, units, &apart);
		uint64	   *names = ssot_unit_hashes(linker, units);

		outcome = ssot_match_units(matcher->rules, matcher->model, units->n, units->texts, names,
								   matcher->rules->one_per_system ? units->systems : NULL,
								   napart, (const int (*)[2]) apart,
								   matcher->crowded.n, ssot_crowded_keys(&matcher->crowded));
		join_clusters(linker, units, outcome->cluster, cluster);
		take_waiting(linker, units, outcome, apart, napart);
		if (matcher->everything)
			ssot_matching_report(outcome->matching, matcher->rules->max_cluster);
		out->model = outcome->learnt;
		out->learnt_from = units->n;
	}
	ssot_matched_gather(linker, units, outcome == NULL ? NULL : outcome->set,
						matcher->rules->ncompared, matcher->waiting, out);
	linker->out->matched = out;
	ssot_units_free(units);
	if (outcome != NULL)
		ssot_match_outcome_free(outcome);
}
