/*
 * golden/guard.c
 *		A source that asks before it takes a new row: ssot.guard_source.
 *
 * The form that forgot to ask (ssot.find_matches) writes its row all the same. A
 * guarded source is a local table with a trigger before each inserted row: what
 * the row would say about the compared fields is weighed as a run will weigh it,
 * and a probable duplicate is refused, or let through with a warning. The row's
 * own expressions run with the rights of whoever inserts, as in any trigger; what
 * is in the canonical table's companions is read as their owner, and nothing of it
 * is shown but which record the row is like.
 *
 * A row that the mapping cannot read is not judged here: it goes on, and to
 * quarantine if it comes to that. Loads (ssot.write_mode = 'load') are not asked.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/settings.h"
#include "entity/declare.h"
#include "entity/json.h"
#include "golden/find_matches.h"
#include "golden/match_model.h"
#include "golden/unit.h"

#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"

#include <math.h>

PG_FUNCTION_INFO_V1(ssot_guard_source);
PG_FUNCTION_INFO_V1(ssot_unguard_source);
PG_FUNCTION_INFO_V1(ssot_guard_insert);

/* ---- declaring ----------------------------------------------------------- */

static char *
trigger_name(const SsotSource *source)
{
	return psprintf("ssot_guard_%d", source->source_id);
}

static SsotSource *
guarded_source(FunctionCallInfo fcinfo, SsotEntity **entity)
{
	SsotSource *source;

	*entity = ssot_entity_own(PG_GETARG_OID(0));
	source = ssot_require_source(*entity, ssot_text_arg(fcinfo, 1));
	if (source->relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("source \"%s\" of \"%s\" has no table", source->name, (*entity)->name),
				 errhint("Guard a source that reads a table of this database.")));
	return source;
}

/*
 * guard_source(entity regclass, source text, action text, threshold float8):
 *
 * CREATE OR REPLACE TRIGGER ssot_guard_4 BEFORE INSERT ON bronze.crm_account
 *     FOR EACH ROW EXECUTE FUNCTION ssot.guard_insert('golden.customer', 'crm_account', 'refuse', '0.8');
 *
 * as the user, who needs the right to put triggers on that table.
 */
Datum
ssot_guard_source(PG_FUNCTION_ARGS)
{
	SsotEntity *entity;
	SsotSource *source = guarded_source(fcinfo, &entity);
	char	   *action = ssot_text_arg(fcinfo, 2);
	SsotMatchRules *rules = ssot_matching_load(entity);
	double		threshold;

	if (action == NULL)
		action = "refuse";
	ssot_require_word(action, "refuse", "flag", "action");
	if (rules == NULL || rules->ncompared == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("records of \"%s\" are not matched", entity->name),
				 errhint("Call ssot.set_matching first.")));
	threshold = PG_ARGISNULL(3) ? rules->match : PG_GETARG_FLOAT8(3);
	if (!(threshold > 0 && threshold < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the threshold must be a probability between 0 and 1")));
	ssot_sql_run(ssot_sql("CREATE OR REPLACE TRIGGER %I BEFORE INSERT ON %T\n"
						  "    FOR EACH ROW EXECUTE FUNCTION ssot.guard_insert(%L, %L, %L, %L)",
						  trigger_name(source), source->relation, entity->name, source->name, action,
						  psprintf("%.17g", threshold)));
	PG_RETURN_VOID();
}

/* unguard_source(entity regclass, source text) */
Datum
ssot_unguard_source(PG_FUNCTION_ARGS)
{
	SsotEntity *entity;
	SsotSource *source = guarded_source(fcinfo, &entity);

	ssot_sql_run(ssot_sql("DROP TRIGGER IF EXISTS %I ON %T", trigger_name(source), source->relation));
	PG_RETURN_VOID();
}

/* ---- guarding ------------------------------------------------------------ */

/* A row on its way in, and what it says. */
typedef struct Guard
{
	const SsotEntity *entity;
	const SsotSource *source;
	const SsotMatchRules *rules;
	SsotRelation row;			/* the new row, as "t" is read from it */
	char	  **values;			/* by the entity's fields */
} Guard;

/* The expression of a field, or NULL: a foreign key is told by its token, which says
 * nothing to compare. */
static const char *
expression_of(const Guard *guard, int field)
{
	JsonbValue *fields = ssot_json_member(guard->source->compiled, "fields");
	ListCell   *cell;

	if (fields == NULL)
		return NULL;
	foreach(cell, ssot_json_pairs(fields, "fields of a source"))
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);

		if (strcmp(pair->name, guard->entity->fields[field].name) == 0)
			return pair->value.type == jbvString ? ssot_json_string(&pair->value, "a field") : NULL;
	}
	return NULL;
}

static bool
take_values(TupleTableSlot *slot, void *arg)
{
	Guard	   *guard = (Guard *) arg;

	slot_getallattrs(slot);
	for (int f = 0; f < guard->entity->nfields; f++)
		if (!slot->tts_isnull[f])
			guard->values[f] = TextDatumGetCString(slot->tts_values[f]);
	return true;
}

/* SELECT (name)::text, (lower(email))::text, NULL, ... FROM ssot_row AS t */
static void
read_row(void *arg)
{
	Guard	   *guard = (Guard *) arg;
	SsotStatement statement = {.nrelations = 1,.relations = &guard->row,.read_only = true};
	StringInfoData list;

	initStringInfo(&list);
	for (int f = 0; f < guard->entity->nfields; f++)
	{
		const char *expression = expression_of(guard, f);

		if (f > 0)
			appendStringInfoString(&list, ", ");
		if (expression == NULL)
			appendStringInfoString(&list, "NULL::pg_catalog.text");
		else
			appendStringInfo(&list, "(%s)::pg_catalog.text", expression);
	}
	statement.sql = psprintf("SELECT %s FROM ssot_row AS t", list.data);
	ssot_statement_each(&statement, take_values, guard);
}

static char **
texts_of(const Guard *guard)
{
	char	  **texts = palloc0(sizeof(char *) * guard->rules->ncompared);

	for (int i = 0; i < guard->rules->ncompared; i++)
	{
		char	   *parts[SSOT_MAX_COMPARED_FIELDS];

		for (int f = 0; f < guard->rules->compared[i].nfields; f++)
			parts[f] = guard->values[guard->rules->compared[i].fields[f]];
		texts[i] = ssot_join_texts(parts, guard->rules->compared[i].nfields);
	}
	return texts;
}

/* The likeliest record. */
typedef struct Alike
{
	char	   *record;
	char	   *id;
	double		weight;
} Alike;

static Alike
likeliest(const Guard *guard, double threshold)
{
	SsotRelation found = ssot_find_alike(guard->entity, guard->rules, texts_of(guard),
										 ssot_log_odds(threshold));
	TupleTableSlot *slot = MakeSingleTupleTableSlot(found.desc, &TTSOpsMinimalTuple);
	Alike		best = {0};
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(guard->entity->id_type, &output, &is_varlena);
	while (tuplestore_gettupleslot(found.rows, true, false, slot))
	{
		slot_getallattrs(slot);
		if (best.record != NULL && DatumGetFloat8(slot->tts_values[2]) <= best.weight)
			continue;
		best.id = OidOutputFunctionCall(output, slot->tts_values[0]);
		best.record = TextDatumGetCString(slot->tts_values[1]);
		best.weight = DatumGetFloat8(slot->tts_values[2]);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(found.rows);
	return best;
}

static void
tell(const Guard *guard, const char *action, const Alike *alike)
{
	ereport(strcmp(action, "refuse") == 0 ? ERROR : WARNING,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("the new row of \"%s\" is probably record %s of \"%s\"", guard->source->relation,
					alike->id, guard->entity->name),
			 errdetail("It is like %s, with a probability of %.3f.", alike->record,
					   Min(ssot_probability(alike->weight), 0.999)),
			 errhint("Use that record. Where they are two things, load the row with ssot.write_mode = 'load' and call ssot.reject_match.")));
}

/* The entity of this name, or NULL if it is gone: then nothing is guarded. */
static SsotEntity *
entity_named(const char *name)
{
	List	   *names = ssot_name_list(name);
	Oid			schema = get_namespace_oid(strVal(linitial(names)), true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(strVal(llast(names)), schema) : InvalidOid;

	return OidIsValid(relid) ? ssot_entity_load(relid, true) : NULL;
}

/* Trigger: (entity, source, action, threshold) */
Datum
ssot_guard_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	char	  **args;
	Guard		guard = {0};
	int			source;
	int			level;
	ErrorData  *error;
	Alike		alike;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		trigger->tg_trigger->tgnargs != 4)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("ssot.guard_insert is called by the triggers that ssot.guard_source makes")));
	args = trigger->tg_trigger->tgargs;
	guard.entity = ssot_write_mode == SSOT_WRITE_LOAD ? NULL : entity_named(args[0]);
	guard.rules = guard.entity == NULL ? NULL : ssot_matching_load(guard.entity);
	source = guard.entity == NULL ? -1 : ssot_entity_source(guard.entity, args[1]);
	if (source < 0 || guard.rules == NULL || guard.rules->ncompared == 0 || guard.rules->model_id == 0)
		return PointerGetDatum(trigger->tg_trigtuple);
	guard.source = &guard.entity->sources[source];
	guard.values = palloc0(sizeof(char *) * Max(guard.entity->nfields, 1));
	guard.row = (SsotRelation)
	{
		"ssot_row", RelationGetDescr(trigger->tg_relation), tuplestore_begin_heap(true, false, work_mem), 1
	};
	tuplestore_puttuple(guard.row.rows, trigger->tg_trigtuple);
	level = ssot_settings_begin(false);
	error = ssot_attempt(read_row, &guard);
	if (error != NULL && !ssot_error_is_local(error->sqlerrcode))
		ReThrowError(error);
	ssot_settings_end(level);
	tuplestore_end(guard.row.rows);
	if (error != NULL)
		return PointerGetDatum(trigger->tg_trigtuple);
	alike = likeliest(&guard, strtod(args[3], NULL));
	if (alike.record != NULL)
		tell(&guard, args[2], &alike);
	return PointerGetDatum(trigger->tg_trigtuple);
}
