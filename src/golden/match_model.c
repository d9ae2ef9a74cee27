/*
 * golden/match_model.c
 *		The matching engine as linking needs it: units by their texts.
 *
 * The engine numbers records in an order of its own (by the hash of their key);
 * here units keep the numbers that linking gave them.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/json.h"
#include "golden/match_model.h"
#include "golden/match_override.h"
#include "identity/labels.h"
#include "identity/large.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include <math.h>

struct SsotMatchSet
{
	const SsotMatchRules *rules;
	MemoryContext context;
	SsotRecords *records;
	int		   *record_of;		/* by unit */
	SsotScorer *scorer;
	const SsotStoredModel *model;
};

double
ssot_log_odds(double probability)
{
	return log2(probability / (1 - probability));
}

static const SsotKind **
make_kinds(const SsotMatchRules *rules)
{
	const SsotKind **kinds = palloc(sizeof(SsotKind *) * Max(rules->ncompared, 1));

	for (int i = 0; i < rules->ncompared; i++)
	{
		const SsotCompared *compared = &rules->compared[i];

		kinds[i] = ssot_kind_declared(compared->name, compared->kind, compared->levels,
									  compared->weights);
	}
	return kinds;
}

const SsotKind *const *
ssot_match_kinds_of(const SsotMatchRules *rules)
{
	if (rules->kinds == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext((void *) rules));

		((SsotMatchRules *) rules)->kinds = make_kinds(rules);
		MemoryContextSwitchTo(old);
	}
	return rules->kinds;
}

static const char **
names_of(const SsotMatchRules *rules)
{
	const char **names = palloc(sizeof(char *) * Max(rules->ncompared, 1));

	for (int i = 0; i < rules->ncompared; i++)
		names[i] = rules->compared[i].name;
	return names;
}

List *
ssot_match_blocking_of(const SsotMatchRules *rules, bool *adds)
{
	return ssot_blocking_declared(rules->blocking, rules->ncompared, names_of(rules),
								  ssot_match_kinds_of(rules), adds);
}

/* ---- models -------------------------------------------------------------- */

typedef struct CachedModel
{
	int64		model_id;
	SsotStoredModel *stored;
} CachedModel;

static HTAB *cached_models = NULL;

SsotStoredModel *
ssot_match_model_read(const SsotMatchRules *rules, bytea *bytes)
{
	/* a model outlives rules, so it has kinds of its own */
	return ssot_model_read(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), rules->ncompared,
						   make_kinds(rules));
}

/* A model number is never used again, and what it names never changes. */
SsotStoredModel *
ssot_match_stored(const SsotEntity *entity, const SsotMatchRules *rules)
{
	CachedModel *cached;
	bool		found;

	if (cached_models == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(CachedModel)};

		cached_models = hash_create("ssot models", 16, &control, HASH_ELEM | HASH_BLOBS);
	}
	cached = hash_search(cached_models, &rules->model_id, HASH_FIND, NULL);
	if (cached == NULL)
	{
		bytea	   *bytes = ssot_match_model_load(entity, rules->model_id);
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot model",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);
		SsotStoredModel *stored = ssot_match_model_read(rules, bytes);

		MemoryContextSwitchTo(old);
		if (stored == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the model of \"%s\" is not one for what is compared", entity->name),
					 errdetail("It was learnt by another version of the extension, or for other comparisons."),
					 errhint("Call ssot.set_matching again; the next run learns a new one.")));
		cached = hash_search(cached_models, &rules->model_id, HASH_ENTER, &found);
		cached->stored = stored;
		MemoryContextSetParent(context, CacheMemoryContext);
	}
	return cached->stored;
}

/* ---- sets ---------------------------------------------------------------- */

/* "team", if not NULL: who encoded, and can help to match. */
static SsotRecords *
encode(const SsotMatchRules *rules, const SsotStoredModel *model, int n, char *const *texts,
	   const uint64 *hashes, const uint64 *systems, SsotTeam **team)
{
	SsotTeam   *members;
	int		   *lengths = palloc(sizeof(int) * Max(rules->ncompared, 1));
	SsotTokenShares **shares = palloc0(sizeof(SsotTokenShares *) * Max(rules->ncompared, 1));

	for (int i = 0; model != NULL && i < rules->ncompared; i++)
		shares[i] = model->fields[i].shares;
	members = ssot_team_create(rules->ncompared, ssot_match_kinds_of(rules), names_of(rules),
							   team == NULL ? 0 : n, model == NULL ? NULL : shares);
	for (int u = 0; u < n; u++)
	{
		char	   *const *row = texts + (Size) u * rules->ncompared;

		if ((u & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < rules->ncompared; i++)
			lengths[i] = row[i] == NULL ? 0 : strlen(row[i]);
		ssot_team_add(members, hashes == NULL ? u : ssot_mix(hashes[u]),
					  systems == NULL ? 0 : systems[u], (const char *const *) row, lengths);
	}
	if (team != NULL)
		*team = members;
	return ssot_team_encoded(members);
}

static SsotMatchSet *
new_set(const SsotMatchRules *rules)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot units",
												  ALLOCSET_DEFAULT_SIZES);
	SsotMatchSet *set = MemoryContextAllocZero(context, sizeof(SsotMatchSet));

	set->context = context;
	set->rules = rules;
	return set;
}

static void
number_units(SsotMatchSet *set)
{
	set->record_of = SSOT_LARGE(int, set->records->n);
	for (int r = 0; r < set->records->n; r++)
		set->record_of[set->records->arrival[r]] = r;
}

SsotMatchSet *
ssot_match_set(const SsotMatchRules *rules, SsotStoredModel *model, int n, char *const *texts,
			   const uint64 *hashes, const uint64 *systems)
{
	SsotMatchSet *set = new_set(rules);
	MemoryContext old = MemoryContextSwitchTo(set->context);

	set->records = encode(rules, model, n, texts, hashes, systems, NULL);
	set->scorer = ssot_scorer_create(ssot_leveler_create(set->records), &model->model, model);
	set->model = model;
	number_units(set);
	MemoryContextSwitchTo(old);
	return set;
}

void
ssot_match_set_free(SsotMatchSet *set)
{
	MemoryContextDelete(set->context);
}

int
ssot_match_keys(SsotMatchSet *set, int unit, int64 *keys)
{
	return ssot_stored_keys(set->model, set->records, set->record_of[unit], (uint64 *) keys);
}

int
ssot_match_keys_of(const SsotMatchRules *rules, SsotStoredModel *model, char *const *texts,
				   int64 *keys)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot keys",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int			n = ssot_stored_keys(model, encode(rules, model, 1, texts, NULL, NULL, NULL), 0,
									 (uint64 *) keys);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return n;
}

double
ssot_match_weight(SsotMatchSet *set, int a, int b)
{
	return ssot_score(set->scorer, set->record_of[a], set->record_of[b], -INFINITY);
}

double
ssot_match_prior(const SsotMatchSet *set)
{
	return set->scorer->base;
}

double
ssot_match_field(SsotMatchSet *set, int compared, int a, int b, const char **level)
{
	int			number;
	double		weight = ssot_score_field(set->scorer, compared, set->record_of[a],
										  set->record_of[b], &number);

	*level = number == SSOT_LEVEL_MISSING ? "missing" :
		set->records->fields[compared].kind->levels[number - 1];
	return weight;
}

bool
ssot_match_tie(const SsotMatchSet *set, int tie, int a, int b, int *f, int *g, double *weight)
{
	const SsotModel *model = set->scorer->model;

	if (tie >= model->nties)
		return false;
	*f = model->ties[tie].f;
	*g = model->ties[tie].g;
	*weight = ssot_score_tie(set->scorer, tie, set->record_of[a], set->record_of[b]);
	return true;
}

Datum
ssot_match_levels(SsotMatchSet *set, int a, int b)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int f = 0; f < set->records->nfields; f++)
	{
		const char *level;

		(void) ssot_match_field(set, f, a, b, &level);
		ssot_json_key(&state, set->rules->compared[f].name);
		ssot_json_text(&state, WJB_VALUE, level);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* ---- matching ------------------------------------------------------------ */

static bytea *
as_bytes(const SsotModel *model, List *blocking, const SsotRecords *records)
{
	StringInfoData bytes;

	initStringInfo(&bytes);
	appendStringInfoSpaces(&bytes, VARHDRSZ);
	ssot_model_write(&bytes, model, blocking, records);
	SET_VARSIZE(bytes.data, bytes.len);
	return (bytea *) bytes.data;
}

/* The model moved to what labels say. They are weighed as later runs weigh. */
static const SsotModel *
hear(const SsotMatchRules *rules, SsotStoredModel *model, const SsotMatchLabels *labels)
{
	SsotMatchSet *set = ssot_match_set(rules, model, 2 * labels->n, labels->texts, NULL, NULL);
	SsotLabel  *pairs = palloc(sizeof(SsotLabel) * labels->n);

	for (int i = 0; i < labels->n; i++)
		pairs[i] = (SsotLabel)
	{
		set->record_of[2 * i], set->record_of[2 * i + 1], labels->same[i]
	};
	ssot_labels_hear(&model->model, set->scorer, labels->n, pairs);
	return &model->model;
}

bytea *
ssot_match_learn(const SsotMatchRules *rules, int n, char *const *texts, const uint64 *hashes,
				 const uint64 *systems, const SsotMatchLabels *labels)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot learning",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SsotMatchOptions options = {
		.match = rules->match,.review = rules->review,.max_cluster = rules->max_cluster,
		.prior = rules->prior
	};
	SsotRecords *records = encode(rules, NULL, n, texts, hashes, systems, &options.team);
	SsotMatching *matching;
	bytea	   *bytes;
	bytea	   *result;

	options.blocking = ssot_match_blocking_of(rules, &options.blocking_adds);
	matching = ssot_match_records(records, &options);
	bytes = as_bytes(matching->model, matching->rules, records);
	if (labels != NULL && labels->n > 0)
		bytes = as_bytes(hear(rules, ssot_match_model_read(rules, bytes), labels),
						 matching->rules, records);
	MemoryContextSwitchTo(old);
	result = palloc(VARSIZE(bytes));
	memcpy(result, bytes, VARSIZE(bytes));
	MemoryContextDelete(context);
	return result;
}

/* From the engine's numbers to those of units. */
static void
take_outcome(SsotMatchOutcome *outcome, const SsotMatching *matching)
{
	const int  *arrival = matching->records->arrival;
	int			n = matching->records->n;
	int		   *smallest = SSOT_LARGE(int, n);

	outcome->cluster = SSOT_LARGE(int, n);
	for (int r = 0; r < n; r++)
		smallest[r] = n;
	for (int r = 0; r < n; r++)
		smallest[matching->gathering.cluster[r]] =
			Min(smallest[matching->gathering.cluster[r]], arrival[r]);
	for (int r = 0; r < n; r++)
		outcome->cluster[arrival[r]] = smallest[matching->gathering.cluster[r]];
	ssot_large_free(smallest);
	outcome->npairs = matching->npairs;
	outcome->pairs = SSOT_LARGE(SsotMatchPair, matching->npairs);
	for (int64 i = 0; i < matching->npairs; i++)
		outcome->pairs[i] = (SsotMatchPair)
	{
		arrival[matching->pairs[i].a], arrival[matching->pairs[i].b], matching->pairs[i].weight
	};
}

/*
 * A model that was just learnt is written and read back before it is used, so that
 * this run weighs as every later one does.
 */
SsotMatchOutcome *
ssot_match_units(const SsotMatchRules *rules, SsotStoredModel *model, int n, char *const *texts,
				 const uint64 *hashes, const uint64 *systems, int napart, const int (*apart)[2],
				 int npassed, const uint64 *passed)
{
	SsotMatchOutcome *outcome = palloc0(sizeof(SsotMatchOutcome));
	SsotMatchOptions options = {
		.match = rules->match,.review = rules->review,.max_cluster = rules->max_cluster,
		.ndecided = napart,.npassed = npassed,.passed = passed
	};
	int			(*decided)[2] = palloc(sizeof(int[2]) * Max(napart, 1));
	SsotMatchSet *set = new_set(rules);
	MemoryContext old;

	if (model == NULL)
	{
		outcome->learnt = ssot_match_learn(rules, n, texts, hashes, systems, NULL);
		model = ssot_match_model_read(rules, outcome->learnt);
	}
	old = MemoryContextSwitchTo(set->context);
	set->records = encode(rules, model, n, texts, hashes, systems, &options.team);
	set->model = model;
	number_units(set);
	for (int i = 0; i < napart; i++)
	{
		decided[i][0] = set->record_of[apart[i][0]];
		decided[i][1] = set->record_of[apart[i][1]];
	}
	options.decided = (const int (*)[2]) decided;
	options.same = palloc0(sizeof(bool) * Max(napart, 1));
	options.stored = model;
	{
		SsotMatching *matching = ssot_match_records(set->records, &options);

		set->scorer = matching->scorer;
		outcome->matching = matching;
		MemoryContextSwitchTo(old);
		take_outcome(outcome, matching);
	}
	outcome->set = set;
	return outcome;
}

void
ssot_match_outcome_free(SsotMatchOutcome *outcome)
{
	ssot_match_set_free(outcome->set);
	ssot_large_free(outcome->cluster);
	ssot_large_free(outcome->pairs);
	pfree(outcome);
}

void
ssot_matching_report(const SsotMatching *matching, int max_cluster)
{
	const SsotRecords *records = matching->records;

	for (int f = 0; f < records->nfields; f++)
		if (records->fields[f].ncut > 0)
			ereport(NOTICE,
					(errmsg("%d different values of \"%s\" are longer than %d bytes and were compared by their beginning",
							records->fields[f].ncut, records->fields[f].name, SSOT_VALUE_MAX)));
	for (int i = 0; matching->blocks != NULL && i < matching->blocks->nrules; i++)
	{
		const SsotRuleBlocks *rule = &matching->blocks->rules[i];

		if (rule->oversized > 0)
			ereport(NOTICE,
					(errmsg("%d keys by %s are shared by more than %d records each",
							rule->oversized, ssot_blocking_name(records, rule->rule), SSOT_MAX_BLOCK),
					 errdetail("Their " INT64_FORMAT " records were not compared by these keys, only by others that they share.",
							   rule->oversized_records)));
	}
	if (matching->gathering.refused_size > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " pairs were not joined because the cluster would have had more than %d records",
						matching->gathering.refused_size, max_cluster),
				 errhint("Raise max_cluster if so many records can be one thing.")));
}

/* ---- texts of stored units ----------------------------------------------- */

char	  **
ssot_match_texts(Datum array, int ncompared)
{
	char	  **texts = palloc0(sizeof(char *) * Max(ncompared, 1));
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	for (int i = 0; i < Min(n, ncompared); i++)
		if (!nulls[i])
			texts[i] = TextDatumGetCString(elements[i]);
	return texts;
}

Datum
ssot_match_texts_array(char *const *texts, int ncompared)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(ncompared, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(ncompared, 1));
	int			lower = 1;

	for (int i = 0; i < ncompared; i++)
	{
		nulls[i] = texts[i] == NULL;
		elements[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	return PointerGetDatum(construct_md_array(elements, nulls, 1, &ncompared, &lower, TEXTOID, -1,
											  false, TYPALIGN_INT));
}
