/*
 * golden/match_train.c
 *		ssot.train_matching: learning anew, and seeing first what that would change.
 *
 * A model is learnt once and kept, so that what belongs together does not depend
 * on when it was asked. When the data has become another, a new one is learnt from
 * all units as they are, and both models are tried on all of them: what one joins
 * and the other does not is what would change. Decisions of people are not asked
 * here; they hold under any model.
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
#include "identity/kind.h"

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
	uint64	   *systems;
	char	  **texts;			/* [n][ncompared] */
} Units;

static void
make_room(Units *units)
{
	if (units->n < units->capacity)
		return;
	units->capacity *= 2;
	units->names = repalloc_huge(units->names, sizeof(char *) * units->capacity);
	units->hashes = repalloc_huge(units->hashes, sizeof(uint64) * units->capacity);
	units->texts = repalloc_huge(units->texts,
								 sizeof(char *) * units->capacity * units->rules->ncompared);
}

static bool
take_unit(TupleTableSlot *slot, void *arg)
{
	Units	   *units = (Units *) arg;
	char	  **texts;
	int			source;

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	source = ssot_entity_source_id(units->entity, DatumGetInt32(slot->tts_values[0]));
	if (source < 0)
		return true;
	make_room(units);
	texts = ssot_match_texts(slot->tts_values[2], units->rules->ncompared);
	memcpy(units->texts + (Size) units->n * units->rules->ncompared, texts,
		   sizeof(char *) * units->rules->ncompared);
	units->names[units->n] = ssot_record_name(units->entity, source, TextDatumGetCString(slot->tts_values[1]));
	units->hashes[units->n] = ssot_hash_text(units->names[units->n], strlen(units->names[units->n]));
	units->n++;
	return true;
}

static void
read_units(Units *units)
{
	SsotUser	user = ssot_become_owner(units->entity->relid);

	units->capacity = 1024;
	units->names = palloc(sizeof(char *) * units->capacity);
	units->hashes = palloc(sizeof(uint64) * units->capacity);
	units->texts = palloc(sizeof(char *) * units->capacity * units->rules->ncompared);
	ssot_sql_each(ssot_sql("SELECT m.ssot_source, m.ssot_key, m.texts FROM %T AS m",
						   units->entity->match_table),
				  take_unit, units);
	ssot_restore_user(user);
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
 * train_matching(entity regclass, apply boolean)
 *
 * Locks the entity against runs and declarations.
 */
Datum
ssot_train_matching(PG_FUNCTION_ARGS)
{
	Units		units = {0};
	SsotMatchOutcome *now;
	SsotMatchOutcome *then;
	int64		changes;
	int			level;

	InitMaterializedSRF(fcinfo, 0);
	units.entity = ssot_entity_own(PG_GETARG_OID(0));
	units.rules = ssot_require_matching(units.entity);
	level = ssot_settings_begin(true);
	read_units(&units);
	now = ssot_match_units(units.rules, ssot_match_stored(units.entity, units.rules), units.n,
						   units.texts, units.hashes, NULL, 0, NULL);
	then = ssot_match_units(units.rules, NULL, units.n, units.texts, units.hashes, NULL, 0, NULL);
	changes = put_changes((ReturnSetInfo *) fcinfo->resultinfo, &units, "joined", then, now) +
		put_changes((ReturnSetInfo *) fcinfo->resultinfo, &units, "parted", now, then);
	if (PG_GETARG_BOOL(1))
		ssot_match_model_replace(units.entity, then->learnt, units.n);
	ssot_settings_end(level);
	ereport(NOTICE,
			(errmsg("learnt from %d units of \"%s\": " INT64_FORMAT " would belong elsewhere",
					units.n, units.entity->name, changes),
			 PG_GETARG_BOOL(1) ? errhint("The new model is in force; the next run matches everything by it.") :
			 errhint("Nothing was changed. With apply => true the next run matches everything by the new model.")));
	PG_RETURN_NULL();
}
