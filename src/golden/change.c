/*
 * golden/change.c
 *		What a person's statement changed, and what becomes of it.
 *
 * After an INSERT or UPDATE of a canonical table the transition tables are read
 * once, row by row. Versions that ended go to the history; what was written goes
 * to the records of "steward" and "manual" (correction.c); then the golden
 * records are settled, so that they, their lineage and their drift follow from
 * the records in the same statement, as they would in a run.
 *
 * Writing row by row in C is not slower than joining the transition tables in
 * SQL, and it can tell what SQL cannot: which fields changed, by image.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/declare.h"
#include "golden/clock.h"
#include "golden/correction.h"
#include "golden/history.h"
#include "golden/hold.h"
#include "golden/settle.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ssot_golden_after_insert);
PG_FUNCTION_INFO_V1(ssot_golden_after_update);

/* A person's statement, while its rows are looked through. */
typedef struct Change
{
	SsotEntity *entity;
	TupleDesc	desc;			/* of the canonical table */
	TupleDesc	id_desc;		/* of an id */
	AttrNumber	valid_from;
	AttrNumber	retired_at;
	TimestampTz time;			/* the transaction's write time */
	bool	   *pinned;			/* by field: a person's change becomes a pin */
	SsotCorrections *pins;
	SsotCorrections *manual;
	Tuplestorestate *ended;		/* versions that end with this statement */
	int64		nended;
	Tuplestorestate *unstamped; /* ids of rows that lack the write time */
	int64		nunstamped;
	Datum	   *ids;			/* of all changed rows */
	int64		nids;
	int64		max_ids;
	Datum	   *values;			/* scratch, by field */
	bool	   *nulls;
	Datum	   *old_values;
	bool	   *old_nulls;
	bool	   *is_pin;
	bool	   *is_manual;
	MemoryContext context;		/* of the statement */
	MemoryContext row_context;
} Change;

static Change *
begin_change(Relation rel)
{
	Change	   *change = palloc0(sizeof(Change));
	int			n;

	change->entity = ssot_entity_load(RelationGetRelid(rel), false);
	n = Max(change->entity->nfields, 1);
	change->desc = RelationGetDescr(rel);
	change->id_desc = ssot_id_desc(change->entity);
	change->valid_from = ssot_column_number(rel, SSOT_VALID_FROM);
	change->retired_at = ssot_column_number(rel, SSOT_RETIRED_AT);
	change->pinned = ssot_pinned_fields(change->entity);
	change->values = palloc(sizeof(Datum) * n);
	change->nulls = palloc(sizeof(bool) * n);
	change->old_values = palloc(sizeof(Datum) * n);
	change->old_nulls = palloc(sizeof(bool) * n);
	change->is_pin = palloc(sizeof(bool) * n);
	change->is_manual = palloc(sizeof(bool) * n);
	change->context = CurrentMemoryContext;
	change->row_context = AllocSetContextCreate(CurrentMemoryContext, "ssot change",
												ALLOCSET_DEFAULT_SIZES);
	return change;
}

/* Once a first row is known to have changed. */
static void
take_time(Change *change)
{
	change->time = ssot_clock_take(change->entity);
	change->pins = ssot_corrections_create(change->entity, change->entity->steward,
										   change->time);
	change->manual = ssot_corrections_create(change->entity, change->entity->manual,
											 change->time);
	change->ended = tuplestore_begin_heap(false, false, work_mem);
	change->unstamped = tuplestore_begin_heap(false, false, work_mem);
}

static void
get_fields(const SsotEntity *entity, TupleTableSlot *slot, Datum *values, bool *nulls)
{
	for (int f = 0; f < entity->nfields; f++)
		values[f] = slot_getattr(slot, entity->fields[f].attnum, &nulls[f]);
}

static TimestampTz
slot_time(TupleTableSlot *slot, AttrNumber attnum)
{
	bool		isnull;

	return DatumGetTimestampTz(slot_getattr(slot, attnum, &isnull));
}

static Datum
add_id(Change *change, TupleTableSlot *slot)
{
	const SsotEntity *entity = change->entity;
	bool		isnull;
	Datum		id = slot_getattr(slot, entity->id_attnum, &isnull);
	MemoryContext old = MemoryContextSwitchTo(change->context);

	if (change->nids == change->max_ids)
	{
		change->max_ids = Max(64, change->max_ids * 2);
		change->ids = change->ids == NULL ?
			palloc(sizeof(Datum) * change->max_ids) :
			repalloc_huge(change->ids, sizeof(Datum) * change->max_ids);
	}
	change->ids[change->nids++] = datumCopy(id, entity->id_typbyval, entity->id_typlen);
	MemoryContextSwitchTo(old);
	return id;
}

/*
 * A BEFORE trigger of the user's that fires after ssot_before_row may change a
 * row that did not change before, or tamper with its time.
 */
static void
note_unstamped(Change *change, TupleTableSlot *slot)
{
	bool		isnull;
	Datum		id = slot_getattr(slot, change->entity->id_attnum, &isnull);

	if (slot_time(slot, change->valid_from) == change->time)
		return;
	tuplestore_putvalues(change->unstamped, change->id_desc, &id, &isnull);
	change->nunstamped++;
}

/*
 * UPDATE golden.customer AS g SET valid_from = $1
 *   FROM ssot_unstamped AS u
 *  WHERE g.customer_id = u.id
 */
static void
stamp_late(Change *change)
{
	static const Oid argtypes[] = {TIMESTAMPTZOID};
	const SsotEntity *entity = change->entity;
	Datum		args[1] = {TimestampTzGetDatum(change->time)};
	SsotRelation unstamped = {"ssot_unstamped", change->id_desc, change->unstamped,
	change->nunstamped};
	SsotStatement statement = {
		.nargs = 1,.argtypes = argtypes,.args = args,
		.nrelations = 1,.relations = &unstamped
	};
	Datum		value;
	bool		isnull;
	bool		tampered;
	SsotUser	user;

	if (change->nunstamped == 0)
		return;
	statement.sql = ssot_sql("UPDATE %T AS g SET valid_from = $1"
							 " FROM ssot_unstamped AS u"
							 " WHERE g.%I = u.id", entity->name, entity->id_column);
	user = ssot_become_owner(entity->relid);
	ssot_machine_begin();
	ssot_statement_run(&statement);
	ssot_machine_end();
	statement.sql = ssot_sql("SELECT true FROM %T AS g JOIN ssot_unstamped AS u ON g.%I = u.id"
							 " WHERE g.valid_from <> $1", entity->name, entity->id_column);
	tampered = ssot_statement_one(&statement, 1, &value, &isnull);
	ssot_restore_user(user);
	if (tampered)
		ssot_refuse_tampering(entity);
}

static void
too_many_pins(const Change *change)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("one statement may correct at most %d records of \"%s\"",
					ssot_max_pins, change->entity->name),
			 errdetail("Each record would be pinned: no source could change the corrected fields until the pins are released. The setting ssot.max_pins limits this."),
			 errhint("If a program loads these rows, SET ssot.write_mode = 'load'. If a person means it, raise ssot.max_pins.")));
}

static void
add_pin(Change *change, Datum id)
{
	ssot_corrections_add(change->pins, id, change->is_pin, change->values, change->nulls,
						 change->old_values, change->old_nulls);
	if (change->pins->nrows > ssot_max_pins)
		too_many_pins(change);
}

/* Sort the changed fields of a row into pins and values of the manual record. */
static void
classify_fields(Change *change, bool retired, bool *any_pin, bool *any_manual)
{
	const SsotEntity *entity = change->entity;

	*any_pin = *any_manual = false;
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];
		bool		same = change->nulls[f] || change->old_nulls[f] ?
		change->nulls[f] && change->old_nulls[f] :
		datum_image_eq(change->values[f], change->old_values[f],
					   field->typbyval, field->typlen);

		/* a manual record would bring a retired record back; a pin does not */
		bool		pin = ssot_write_mode == SSOT_WRITE_STEWARD &&
		(change->pinned[f] || retired);

		change->is_pin[f] = !same && pin;
		change->is_manual[f] = !same && !pin;
		*any_pin |= change->is_pin[f];
		*any_manual |= change->is_manual[f];
	}
}

static void
add_updated_row(Change *change, TupleTableSlot *old, TupleTableSlot *new)
{
	const SsotEntity *entity = change->entity;
	bool		any_pin;
	bool		any_manual;
	bool		active;
	Datum		id;

	get_fields(entity, old, change->old_values, change->old_nulls);
	get_fields(entity, new, change->values, change->nulls);
	slot_getattr(new, change->retired_at, &active);
	classify_fields(change, !active, &any_pin, &any_manual);
	if (!any_pin && !any_manual &&
		slot_time(old, change->valid_from) == slot_time(new, change->valid_from))
		return;

	if (change->pins == NULL)
	{
		MemoryContext row = MemoryContextSwitchTo(change->context);

		take_time(change);
		MemoryContextSwitchTo(row);
	}
	id = add_id(change, new);
	note_unstamped(change, new);
	if (slot_time(old, change->valid_from) < change->time)
	{
		tuplestore_puttupleslot(change->ended, old);
		change->nended++;
	}
	if (any_pin)
		add_pin(change, id);
	if (any_manual)
		ssot_corrections_add(change->manual, id, change->is_manual,
							 change->values, change->nulls, NULL, NULL);
}

/* Start a scan of a transition table with a read pointer of our own, as the
 * executor does: other triggers read it too. */
static int
read_pointer(Tuplestorestate *store)
{
	int			pointer = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);

	tuplestore_select_read_pointer(store, pointer);
	tuplestore_rescan(store);
	return pointer;
}

static bool
next_row(Tuplestorestate *store, int pointer, TupleTableSlot *slot)
{
	tuplestore_select_read_pointer(store, pointer);
	return tuplestore_gettupleslot(store, true, false, slot);
}

/* Both transition tables hold the updated rows in the same order. */
static void
scan_updated_rows(Change *change, Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	TupleTableSlot *old = MakeSingleTupleTableSlot(change->desc, &TTSOpsMinimalTuple);
	TupleTableSlot *new = MakeSingleTupleTableSlot(change->desc, &TTSOpsMinimalTuple);
	int			old_pointer = read_pointer(old_rows);
	int			new_pointer = read_pointer(new_rows);

	/* rows that were spilled are read into, and freed from, this context */
	while (next_row(old_rows, old_pointer, old) && next_row(new_rows, new_pointer, new))
	{
		const SsotEntity *entity = change->entity;
		MemoryContext statement = MemoryContextSwitchTo(change->row_context);
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (!datum_image_eq(slot_getattr(old, entity->id_attnum, &isnull),
							slot_getattr(new, entity->id_attnum, &isnull),
							entity->id_typbyval, entity->id_typlen))
			elog(ERROR, "transition tables of \"%s\" are not in the same order", entity->name);
		add_updated_row(change, old, new);
		MemoryContextSwitchTo(statement);
		MemoryContextReset(change->row_context);
	}
	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
}

/*
 * Rows that are new become manual records with all their fields. Where a field
 * is closed to manual records, what a person typed is a pin.
 */
static bool
classify_inserted_fields(Change *change)
{
	const SsotEntity *entity = change->entity;
	bool		any_pin = false;

	for (int f = 0; f < entity->nfields; f++)
	{
		change->is_pin[f] = ssot_write_mode == SSOT_WRITE_STEWARD && !change->nulls[f] &&
			entity->authority[f * entity->nsources + entity->manual] < 0;
		any_pin |= change->is_pin[f];
		change->is_manual[f] = true;
		change->old_nulls[f] = true;
	}
	return any_pin;
}

static void
scan_inserted_rows(Change *change, Tuplestorestate *rows)
{
	const SsotEntity *entity = change->entity;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(change->desc, &TTSOpsMinimalTuple);
	int			pointer = read_pointer(rows);

	while (next_row(rows, pointer, slot))
	{
		MemoryContext statement = MemoryContextSwitchTo(change->row_context);
		Datum		id = add_id(change, slot);

		CHECK_FOR_INTERRUPTS();
		note_unstamped(change, slot);
		get_fields(entity, slot, change->values, change->nulls);
		if (classify_inserted_fields(change))
			add_pin(change, id);
		ssot_corrections_add(change->manual, id, change->is_manual,
							 change->values, change->nulls, NULL, NULL);
		MemoryContextSwitchTo(statement);
		MemoryContextReset(change->row_context);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * A load may bring a value that a better source overrules: the golden record
 * then is what it was before, and no version has ended.
 *
 * WITH undone AS (
 *     DELETE FROM golden_ssot.customer_history AS h
 *      USING golden.customer AS g, ssot_changed AS c
 *      WHERE h.customer_id = c.id AND g.customer_id = c.id
 *        AND h.valid_to = $1 AND g.valid_from = $1
 *        AND (to be the same but for valid_from)
 *     RETURNING h.customer_id, h.valid_from)
 * UPDATE golden.customer AS g SET valid_from = u.valid_from
 *   FROM undone AS u
 *  WHERE g.customer_id = u.customer_id
 */
static void
fold_versions(Change *change)
{
	static const Oid argtypes[] = {TIMESTAMPTZOID};
	const SsotEntity *entity = change->entity;
	Datum		args[1] = {TimestampTzGetDatum(change->time)};
	SsotRelation changed = {"ssot_changed", change->id_desc,
	tuplestore_begin_heap(false, false, work_mem), change->nids};
	SsotStatement statement = {
		.nargs = 1,.argtypes = argtypes,.args = args,
		.nrelations = 1,.relations = &changed
	};
	bool		isnull = false;
	int			level = ssot_settings_begin(false);
	SsotUser	user = ssot_become_owner(entity->relid);

	for (int64 i = 0; i < change->nids; i++)
		tuplestore_putvalues(changed.rows, change->id_desc, &change->ids[i], &isnull);
	statement.sql =
		ssot_sql("WITH undone AS ("
				 " DELETE FROM %T AS h"
				 " USING %T AS g, ssot_changed AS c"
				 " WHERE h.%I = c.id AND g.%I = c.id"
				 "   AND h.valid_to = $1 AND g.valid_from = $1"
				 "   AND ROW(%s)::record *= ROW(%s)::record"
				 " RETURNING h.%I, h.valid_from)"
				 " UPDATE %T AS g SET valid_from = u.valid_from"
				 " FROM undone AS u"
				 " WHERE g.%I = u.%I",
				 entity->history_table, entity->name, entity->id_column, entity->id_column,
				 ssot_content_columns(entity, "h."), ssot_content_columns(entity, "g."),
				 entity->id_column, entity->name, entity->id_column, entity->id_column);
	ssot_machine_begin();
	ssot_statement_run(&statement);
	ssot_machine_end();
	ssot_restore_user(user);
	ssot_settings_end(level);
	tuplestore_end(changed.rows);
}

static void
end_change(Change *change)
{
	tuplestore_end(change->ended);
	tuplestore_end(change->unstamped);
	ssot_corrections_free(change->pins);
	ssot_corrections_free(change->manual);
	ssot_settle_ids(change->entity, change->ids, change->nids, change->time);
}

/*
 * Settings are pinned while values become text and statements of ours run, but
 * not while golden records settle: that does its own.
 */
Datum
ssot_golden_after_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ssot_trigger_data(fcinfo);
	Change	   *change;
	int			level;

	if (ssot_machine_writes() || tuplestore_tuple_count(trigger->tg_newtable) == 0)
		return PointerGetDatum(NULL);

	level = ssot_settings_begin(false);
	change = begin_change(trigger->tg_relation);
	take_time(change);
	change->manual->fresh = true;
	scan_inserted_rows(change, trigger->tg_newtable);
	ssot_corrections_insert(change->manual);
	ssot_corrections_write(change->pins);
	stamp_late(change);
	ssot_settings_end(level);
	end_change(change);
	return PointerGetDatum(NULL);
}

Datum
ssot_golden_after_update(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ssot_trigger_data(fcinfo);
	Change	   *change;
	int			level;

	if (ssot_machine_writes() || tuplestore_tuple_count(trigger->tg_newtable) == 0)
		return PointerGetDatum(NULL);

	level = ssot_settings_begin(false);
	change = begin_change(trigger->tg_relation);
	scan_updated_rows(change, trigger->tg_oldtable, trigger->tg_newtable);
	if (change->nids == 0)
	{
		ssot_settings_end(level);
		return PointerGetDatum(NULL);
	}
	ssot_history_write(change->entity, change->desc, change->ended, change->nended,
					   change->time, 0);
	ssot_corrections_write(change->pins);
	ssot_corrections_write(change->manual);
	stamp_late(change);
	ssot_settings_end(level);
	end_change(change);
	if (ssot_write_mode == SSOT_WRITE_LOAD && change->nended > 0)
		fold_versions(change);
	return PointerGetDatum(NULL);
}
