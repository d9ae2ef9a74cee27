/*
 * golden/history.c
 *		What must hold before a canonical table is written, and the versions
 *		that a write ends.
 *
 * A canonical table is an ordinary table, so anybody with the right may write to
 * it with ordinary DML. Its triggers make of such a write what it means:
 *
 *	before statement	take the clock, before any row is locked. A run takes the
 *						clock first and rows after it; a statement that did it
 *						the other way round would deadlock with the run.
 *	before row			stamp valid_from where a row really changes; refuse what
 *						nobody may write.
 *	after insert, after update
 *						keep the versions that ended, and make records of what
 *						was written (change.c).
 *	before delete, before truncate
 *						refuse: a golden record leaves only by merge.
 *
 * A statement that turns out to change nothing writes nothing: the clock is
 * locked before, but advanced only after a change was seen. Two changes of a row
 * in one transaction have the same time; the second amends the version that the
 * first began, which shows by valid_from being the transaction's time already.
 *
 * The machine (settling, merging) writes history itself, in bulk, and its
 * statements pass through here a million rows at a time: all triggers return at
 * once.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/declare.h"
#include "golden/clock.h"
#include "golden/history.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ssot_golden_before_statement);
PG_FUNCTION_INFO_V1(ssot_golden_before_row);
PG_FUNCTION_INFO_V1(ssot_golden_before_delete);
PG_FUNCTION_INFO_V1(ssot_golden_before_truncate);

struct TriggerData *
ssot_trigger_data(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function can be called only by a trigger"),
				 errhint("ssot.register_entity creates the triggers of a canonical table.")));
	return (TriggerData *) fcinfo->context;
}

/* What locking the clock needs to know of the entity: no statement is run. */
static void
identify_entity(SsotEntity *entity, Relation rel)
{
	memset(entity, 0, sizeof(*entity));
	entity->relid = RelationGetRelid(rel);
	entity->name = ssot_entity_name(entity->relid);
}

Datum
ssot_golden_before_statement(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ssot_trigger_data(fcinfo);
	SsotEntity	entity;

	if (!ssot_machine_writes())
	{
		identify_entity(&entity, trigger->tg_relation);
		if (ssot_restoring())
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot restore data into \"%s\" while its triggers are in force", entity.name),
					 errdetail("They would take the restored rows for corrections by a person."),
					 errhint("Call pg_dump or pg_restore with --disable-triggers, or restore the data before the section post-data.")));
		ssot_clock_lock(&entity);
	}
	return PointerGetDatum(NULL);
}

/* What golden_before_row needs for each row of one statement. */
typedef struct RowState
{
	TimestampTz time;			/* the transaction's write time */
	AttrNumber	valid_from;
	AttrNumber	retired_at;
	Bitmapset  *id;				/* the primary key's columns */
} RowState;

AttrNumber
ssot_column_number(Relation rel, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("canonical table \"%s\" has lost its column \"%s\"",
					RelationGetRelationName(rel), name),
			 errhint("Restore the column, or call ssot.unregister_entity.")));
}

/* Made for the first row of a statement; what a flinfo keeps ends with it. */
static RowState *
row_state(FunctionCallInfo fcinfo, Relation rel)
{
	RowState   *state = (RowState *) fcinfo->flinfo->fn_extra;
	MemoryContext old;
	SsotEntity	entity;

	if (state != NULL)
		return state;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	state = palloc(sizeof(RowState));
	identify_entity(&entity, rel);
	state->time = ssot_clock_lock(&entity);
	state->valid_from = ssot_column_number(rel, SSOT_VALID_FROM);
	state->retired_at = ssot_column_number(rel, SSOT_RETIRED_AT);
	state->id = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

/* Is a column's value the same, byte by byte, in two rows? */
static bool
same_image(HeapTuple a, HeapTuple b, TupleDesc desc, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);
	bool		a_null;
	bool		b_null;
	Datum		a_value = heap_getattr(a, attnum, desc, &a_null);
	Datum		b_value = heap_getattr(b, attnum, desc, &b_null);

	if (a_null || b_null)
		return a_null && b_null;
	return datum_image_eq(a_value, b_value, att->attbyval, att->attlen);
}

static void
refuse_own_column(Relation rel, const char *column)
{
	bool		retired = strcmp(column, SSOT_RETIRED_AT) == 0;

	ereport(ERROR,
			(errcode(ERRCODE_GENERATED_ALWAYS),
			 errmsg("column \"%s\" of canonical table \"%s\" is kept by ssot",
					column, RelationGetRelationName(rel)),
			 retired ?
			 errdetail("It says when the last source record of a golden record went away.") :
			 errdetail("It says since when a version is believed, and that is the time of the write."),
			 retired ?
			 errhint("Leave the column out; reconciliation sets and clears it.") :
			 errhint("Leave the column out. To read an earlier belief call %s_at.",
					 RelationGetRelationName(rel))));
}

/* A user's trigger has changed valid_from in a write that stamped it. */
void
ssot_refuse_tampering(const SsotEntity *entity)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("a trigger of \"%s\" changes column \"%s\"", entity->name, SSOT_VALID_FROM),
			 errdetail("It says since when a version is believed, and that is the time of the write."),
			 errhint("Let the trigger leave the column alone.")));
}

static HeapTuple
stamp(HeapTuple tuple, TupleDesc desc, const RowState *state)
{
	int			column = state->valid_from;
	Datum		value = TimestampTzGetDatum(state->time);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(tuple, desc, 1, &column, &value, &isnull);
}

static HeapTuple
before_insert_row(const RowState *state, Relation rel, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(rel);

	if (!heap_attisnull(row, state->valid_from, desc))
		refuse_own_column(rel, SSOT_VALID_FROM);
	if (!heap_attisnull(row, state->retired_at, desc))
		refuse_own_column(rel, SSOT_RETIRED_AT);
	return stamp(row, desc, state);
}

static HeapTuple
before_update_row(const RowState *state, Relation rel, HeapTuple old, HeapTuple new)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		changed = false;

	if (!same_image(old, new, desc, state->valid_from))
		refuse_own_column(rel, SSOT_VALID_FROM);
	if (!same_image(old, new, desc, state->retired_at))
		refuse_own_column(rel, SSOT_RETIRED_AT);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		/* generated columns are computed later, from the others */
		if (att->attisdropped || att->attgenerated != '\0' ||
			same_image(old, new, desc, att->attnum))
			continue;
		if (bms_is_member(att->attnum - FirstLowInvalidHeapAttributeNumber, state->id))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the golden id of a record cannot be changed"),
					 errdetail("Column \"%s\" of \"%s\" names the record in history, crosswalk and other systems.",
							   NameStr(att->attname), RelationGetRelationName(rel)),
					 errhint("Insert a new record, or let the records merge.")));
		changed = true;
	}
	return changed ? stamp(new, desc, state) : new;
}

Datum
ssot_golden_before_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ssot_trigger_data(fcinfo);
	bool		insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	RowState   *state;

	if (ssot_machine_writes())
		return PointerGetDatum(insert ? trigger->tg_trigtuple : trigger->tg_newtuple);

	state = row_state(fcinfo, trigger->tg_relation);
	if (insert)
		return PointerGetDatum(before_insert_row(state, trigger->tg_relation,
												 trigger->tg_trigtuple));
	return PointerGetDatum(before_update_row(state, trigger->tg_relation,
											 trigger->tg_trigtuple, trigger->tg_newtuple));
}

static void
refuse_removal(Relation rel, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot %s canonical table \"%s\"", what, RelationGetRelationName(rel)),
			 errdetail("A golden record leaves its table only by merge; one whose last source record is gone stays and is marked in retired_at."),
			 errhint("Delete the record in the systems that hold it and call ssot.reconcile.")));
}

Datum
ssot_golden_before_delete(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ssot_trigger_data(fcinfo);

	if (!ssot_machine_writes())
		refuse_removal(trigger->tg_relation, "delete from");
	return PointerGetDatum(trigger->tg_trigtuple);
}

Datum
ssot_golden_before_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = ssot_trigger_data(fcinfo);

	if (!ssot_machine_writes())
		refuse_removal(trigger->tg_relation, "truncate");
	return PointerGetDatum(NULL);
}

Datum
ssot_golden_id(const SsotEntity *entity, const char *text)
{
	Oid			input;
	Oid			ioparam;

	getTypeInputInfo(entity->id_type, &input, &ioparam);
	return OidInputFunctionCall(input, unconstify(char *, text), ioparam, -1);
}

static char *
column_list(const SsotEntity *entity, const char *prefix, bool content)
{
	Relation	rel = table_open(entity->relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		/* a virtual column has no value of its own to keep */
		if (att->attisdropped || att->attgenerated == 'v')
			continue;
		if (!content || strcmp(NameStr(att->attname), SSOT_VALID_FROM) != 0)
			ssot_sql_append(&buf, "%s%s%I", buf.len > 0 ? ", " : "", prefix,
							NameStr(att->attname));
	}
	table_close(rel, AccessShareLock);
	return buf.data;
}

char *
ssot_history_columns(const SsotEntity *entity, const char *prefix)
{
	return column_list(entity, prefix, false);
}

char *
ssot_content_columns(const SsotEntity *entity, const char *prefix)
{
	return column_list(entity, prefix, true);
}

void
ssot_history_write(const SsotEntity *entity, TupleDesc desc,
				   Tuplestorestate *versions, int64 nversions,
				   TimestampTz time, int64 run_id)
{
	static const Oid argtypes[] = {TIMESTAMPTZOID, TEXTOID, TEXTOID, INT8OID};
	Datum		args[4] = {TimestampTzGetDatum(time), 0, 0, Int64GetDatum(run_id)};
	bool		nulls[4] = {false, false, ssot_reason[0] == '\0', run_id == 0};
	SsotRelation version = {"ssot_version", desc, versions, nversions};
	SsotStatement statement = {
		.nargs = 4,.argtypes = argtypes,.args = args,.nulls = nulls,
		.nrelations = 1,.relations = &version
	};
	SsotUser	user;

	if (nversions == 0)
		return;
	args[1] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	args[2] = CStringGetTextDatum(ssot_reason);

	/*
	 * INSERT INTO golden_ssot.customer_history (customer_id, ..., valid_to,
	 * ssot_changed_by, ssot_reason, ssot_run) SELECT v.customer_id, ..., $1,
	 * $2, $3, $4 FROM ssot_version AS v
	 */
	statement.sql =
		ssot_sql("INSERT INTO %T (%s, valid_to, ssot_changed_by, ssot_reason, ssot_run)"
				 " SELECT %s, $1, $2, $3, $4"
				 " FROM ssot_version AS v",
				 entity->history_table, ssot_history_columns(entity, ""),
				 ssot_history_columns(entity, "v."));
	user = ssot_become_owner(ssot_companion_oid(entity->history_table));
	ssot_statement_run(&statement);
	ssot_restore_user(user);
}
