/*
 * golden/match_train.c
 *		ssot.train_matching: learning anew, and seeing first what that would change.
 *
 * A model is learnt once and kept, so that what belongs together does not depend
 * on when it was asked. When the data has become another, a new one is learnt from
 * all units as they are, and from what people decided (identity/labels.c), and both
 * models are tried on all of them: what one joins and the other does not is what
 * would change. Decisions hold under any model: what people said is one thing is
 * one unit already, and what they said is two is joined by neither.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/settings.h"
#include "entity/declare.h"
#include "golden/decision.h"
#include "golden/find_matches.h"
#include "golden/match_model.h"
#include "golden/unit.h"
#include "identity/kind.h"
#include "identity/large.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(ssot_train_matching);

/* All units as they are stored. */
typedef struct Units
{
	const SsotEntity *entity;
	const SsotMatchRules *rules;
	int			n;
	int			capacity;
	char	  **names;
	uint64	   *hashes;
	uint64	   *systems;		/* of the record that names it; NULL: does not
								 * matter */
	char	  **texts;			/* [n][ncompared] */
	SsotTextStore *store;
	MemoryContext row;
	int			napart;
	int			(*apart)[2];
} Units;

static void
make_room(Units *units)
{
	if (units->n < units->capacity)
		return;
	units->capacity *= 2;
	SSOT_ENLARGE(units->names, char *, units->capacity);
	SSOT_ENLARGE(units->hashes, uint64, units->capacity);
	if (units->systems != NULL)
		SSOT_ENLARGE(units->systems, uint64, units->capacity);
	SSOT_ENLARGE(units->texts, char *, (Size) units->capacity * units->rules->ncompared);
}

static bool
take_unit(TupleTableSlot *slot, void *arg)
{
	Units	   *units = (Units *) arg;
	MemoryContext old;
	char	  **texts;
	char	   *name;
	int			source;

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	source = ssot_entity_source_id(units->entity, DatumGetInt32(slot->tts_values[0]));
	if (source < 0)
		return true;
	make_room(units);
	MemoryContextReset(units->row);
	old = MemoryContextSwitchTo(units->row);
	texts = ssot_match_texts(slot->tts_values[2], units->rules->ncompared);
	name = ssot_record_name(units->entity, source, TextDatumGetCString(slot->tts_values[1]));
	MemoryContextSwitchTo(old);
	for (int i = 0; i < units->rules->ncompared; i++)
		units->texts[(Size) units->n * units->rules->ncompared + i] = texts[i] == NULL ? NULL :
			ssot_text_store_keep(units->store, texts[i], strlen(texts[i]));
	units->names[units->n] = ssot_text_store_keep(units->store, name, strlen(name));
	units->hashes[units->n] = ssot_hash_text(name, strlen(name));
	if (units->systems != NULL)
		units->systems[units->n] = ssot_system_bit(units->entity, source);
	units->n++;
	return true;
}

static void
read_units(Units *units)
{
	SsotUser	user = ssot_become_owner(units->entity->relid);

	units->capacity = 1024;
	units->row = AllocSetContextCreate(CurrentMemoryContext, "ssot unit", ALLOCSET_SMALL_SIZES);
	units->store = ssot_text_store_create();
	units->names = SSOT_LARGE(char *, units->capacity);
	units->hashes = SSOT_LARGE(uint64, units->capacity);
	if (units->rules->one_per_system)
		units->systems = SSOT_LARGE(uint64, units->capacity);
	units->texts = SSOT_LARGE(char *, (Size) units->capacity * units->rules->ncompared);
	ssot_sql_each(ssot_sql("SELECT m.ssot_source, m.ssot_key, m.texts FROM %T AS m",
						   units->entity->match_table),
				  take_unit, units);
	ssot_restore_user(user);
}

/* A unit by its name. */
typedef struct NamedUnit
{
	const char *name;
	int			unit;
} NamedUnit;

static int
compare_named(const void *a, const void *b)
{
	return strcmp(((const NamedUnit *) a)->name, ((const NamedUnit *) b)->name);
}

/* The units that people said are different things. */
static void
take_apart(Units *units, List *decisions)
{
	NamedUnit  *named = palloc_extended(sizeof(NamedUnit) * Max(units->n, 1), MCXT_ALLOC_HUGE);
	ListCell   *cell;

	units->apart = palloc(sizeof(int[2]) * Max(list_length(decisions), 1));
	for (int u = 0; u < units->n; u++)
		named[u] = (NamedUnit)
	{
		units->names[u], u
	};
	qsort(named, units->n, sizeof(NamedUnit), compare_named);
	foreach(cell, decisions)
	{
		const SsotDecision *decision = (const SsotDecision *) lfirst(cell);
		NamedUnit	a = {decision->a, 0};
		NamedUnit	b = {decision->b, 0};
		NamedUnit  *left = bsearch(&a, named, units->n, sizeof(NamedUnit), compare_named);
		NamedUnit  *right = bsearch(&b, named, units->n, sizeof(NamedUnit), compare_named);

		if (decision->same || left == NULL || right == NULL)
			continue;
		units->apart[units->napart][0] = left->unit;
		units->apart[units->napart++][1] = right->unit;
	}
	pfree(named);
}

static SsotMatchOutcome *
match_under(const Units *units, SsotStoredModel *model)
{
	return ssot_match_units(units->rules, model, units->n, units->texts, units->hashes,
							units->systems, units->napart, (const int (*)[2]) units->apart, 0, NULL);
}

/* Rows for units that "one" has together with the first of their cluster, and
 * "other" has not. */
static int64
put_changes(ReturnSetInfo *rsinfo, const Units *units, const char *change,
			const SsotMatchOutcome *one, const SsotMatchOutcome *other)
{
	int64		n = 0;

	for (int u = 0; u < units->n; u++)
	{
		int			first = one->cluster[u];
		Datum		values[4];
		bool		nulls[4] = {false, false, false, false};

		if (first == u || other->cluster[u] == other->cluster[first])
			continue;
		values[0] = CStringGetTextDatum(change);
		values[1] = CStringGetTextDatum(units->names[first]);
		values[2] = CStringGetTextDatum(units->names[u]);
		values[3] = Float8GetDatum(ssot_match_weight(one->set, first, u));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		n++;
	}
	return n;
}

/*
 * train_matching(entity regclass, apply boolean, decisions boolean)
 *
 * Locks the entity against runs and declarations.
 */
Datum
ssot_train_matching(PG_FUNCTION_ARGS)
{
	Units		units = {0};
	SsotMatchLabels *labels = NULL;
	SsotMatchOutcome *now;
	SsotMatchOutcome *then;
	List	   *decisions;
	bytea	   *learnt;
	int64		changes;
	int			level;
	int			heard = 0;

	InitMaterializedSRF(fcinfo, 0);
	units.entity = ssot_entity_own(PG_GETARG_OID(0));
	units.rules = ssot_require_matching(units.entity);
	level = ssot_settings_begin(true);
	read_units(&units);
	decisions = ssot_decisions_all(units.entity);
	take_apart(&units, decisions);
	if (PG_GETARG_BOOL(2))
	{
		labels = ssot_match_labels(units.entity, units.rules, decisions);
		heard = labels->n;
	}
	learnt = ssot_match_learn(units.rules, units.n, units.texts, units.hashes, units.systems, labels);
	now = match_under(&units, ssot_match_stored(units.entity, units.rules));
	then = match_under(&units, ssot_match_model_read(units.rules, learnt));
	changes = put_changes((ReturnSetInfo *) fcinfo->resultinfo, &units, "joined", then, now) +
		put_changes((ReturnSetInfo *) fcinfo->resultinfo, &units, "parted", now, then);
	if (PG_GETARG_BOOL(1))
		ssot_match_model_replace(units.entity, learnt, units.n, heard);
	ssot_settings_end(level);
	ereport(NOTICE,
			(errmsg("learnt from %d units of \"%s\": " INT64_FORMAT " would belong elsewhere",
					units.n, units.entity->name, changes),
			 heard == 0 ? 0 :
			 errdetail("Heard were %d pairs that people said are one thing, and %d that they said are not.",
					   labels->nsame, heard - labels->nsame),
			 PG_GETARG_BOOL(1) ? errhint("The new model is in force; the next run matches everything by it.") :
			 errhint("Nothing was changed. With apply => true the next run matches everything by the new model.")));
	PG_RETURN_NULL();
}
