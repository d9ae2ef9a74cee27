/*
 * ingest/capture.c
 *		Change capture: the trigger that notes keys, and taking what it noted.
 *
 * The trigger fires once per statement, reads the key's columns from the
 * transition tables and writes them, as text, to ssot.change_queue: hundreds of
 * keys to a row, so that the queue costs next to nothing beside the statement.
 * Nothing of the user's is evaluated; the insert runs as the queue's owner, so a
 * writer needs no rights on anything of ours. A row of the queue is seen exactly
 * when the writer's transaction is, and its own is taken by DELETE ... RETURNING:
 * what was not seen stays for the next run.
 *
 * A trigger must not fail because of us. A column that has gone makes a note that
 * anything may have changed.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "common/textform.h"
#include "entity/config.h"
#include "ingest/capture.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(ssot_capture_change);

/* Values to a row of the queue. */
#define BATCH 1000

/*
 * Noting.
 */
typedef struct Note
{
	int			source_id;
	Oid			relid;
	TupleDesc	desc;
	int			nkeys;
	AttrNumber *keys;
	AttrNumber	last;			/* the last of them in the row */
	SsotTextForm *forms;
	bool		depends;		/* some text depends on settings */
	Datum	   *values;			/* not yet written */
	bool	   *nulls;
	int			nvalues;
	MemoryContext context;		/* of those */
} Note;

static SsotQuery insert_query = {
	.sql =
	"INSERT INTO ssot.change_queue (source_id, relation, changed)\n"
	"VALUES ($1, $2, $3)",
	.nargs = 3,
	.argtypes = {INT4OID, OIDOID, TEXTARRAYOID}
};

static void
write_note(Note *note, bool everything)
{
	int			dims = note->nvalues;
	int			lbound = 1;
	Datum		args[3] = {Int32GetDatum(note->source_id), ObjectIdGetDatum(note->relid), (Datum) 0};
	bool		nulls[3] = {false, false, everything};
	SsotUser	user;

	if (!everything)
		args[2] = PointerGetDatum(construct_md_array(note->values, note->nulls, 1, &dims, &lbound,
													 TEXTOID, -1, false, TYPALIGN_INT));
	user = ssot_become_owner(get_relname_relid("change_queue", get_namespace_oid("ssot", false)));
	ssot_query_run(&insert_query, args, nulls);
	ssot_restore_user(user);
	note->nvalues = 0;
	MemoryContextReset(note->context);
}

static void
add_row(Note *note, TupleTableSlot *row)
{
	MemoryContext old;

	if (note->nvalues + note->nkeys > BATCH)
		write_note(note, false);
	old = MemoryContextSwitchTo(note->context);
	for (int i = 0; i < note->nkeys; i++)
	{
		bool		isnull = row->tts_isnull[note->keys[i] - 1];

		note->nulls[note->nvalues] = isnull;
		if (!isnull)
			note->values[note->nvalues] =
				CStringGetTextDatum(ssot_text_form(&note->forms[i],
												   row->tts_values[note->keys[i] - 1]));
		note->nvalues++;
	}
	MemoryContextSwitchTo(old);
}

static bool
same_key(const Note *note, TupleTableSlot *a, TupleTableSlot *b)
{
	for (int i = 0; i < note->nkeys; i++)
	{
		int			k = note->keys[i] - 1;
		Form_pg_attribute att = TupleDescAttr(note->desc, k);

		if (a->tts_isnull[k] != b->tts_isnull[k])
			return false;
		if (!a->tts_isnull[k] &&
			!datum_image_eq(a->tts_values[k], b->tts_values[k], att->attbyval, att->attlen))
			return false;
	}
	return true;
}

/* A transition table may be read by other triggers, each at its own place. */
static int
begin_rows(Tuplestorestate *rows)
{
	int			pointer = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);

	tuplestore_select_read_pointer(rows, pointer);
	tuplestore_rescan(rows);
	return pointer;
}

static bool
next_row(const Note *note, Tuplestorestate *rows, int pointer, TupleTableSlot *slot)
{
	tuplestore_select_read_pointer(rows, pointer);
	if (!tuplestore_gettupleslot(rows, true, false, slot))
		return false;
	slot_getsomeattrs(slot, note->last);
	return true;
}

/* Rows before and after an update stand in the same order. The key of most does
 * not change, and one note of it is enough. */
static void
note_rows(Note *note, Tuplestorestate *old_rows, Tuplestorestate *new_rows)
{
	TupleTableSlot *old = MakeSingleTupleTableSlot(note->desc, &TTSOpsMinimalTuple);
	TupleTableSlot *new = MakeSingleTupleTableSlot(note->desc, &TTSOpsMinimalTuple);
	int			old_pointer = old_rows == NULL ? 0 : begin_rows(old_rows);
	int			new_pointer = new_rows == NULL ? 0 : begin_rows(new_rows);

	for (;;)
	{
		bool		has_old = old_rows != NULL && next_row(note, old_rows, old_pointer, old);
		bool		has_new = new_rows != NULL && next_row(note, new_rows, new_pointer, new);

		CHECK_FOR_INTERRUPTS();
		if (!has_old && !has_new)
			break;
		if (has_old)
			add_row(note, old);
		if (has_new && !(has_old && same_key(note, old, new)))
			add_row(note, new);
	}
	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
	if (note->nvalues > 0)
		write_note(note, false);
}

/* False if a key column has gone. */
static bool
find_keys(Note *note, const Trigger *trigger)
{
	note->nkeys = trigger->tgnargs - 1;
	note->keys = palloc(sizeof(AttrNumber) * note->nkeys);
	note->forms = palloc(sizeof(SsotTextForm) * note->nkeys);
	for (int i = 0; i < note->nkeys; i++)
	{
		note->keys[i] = get_attnum(note->relid, trigger->tgargs[i + 1]);
		if (note->keys[i] <= 0)
			return false;
		note->last = Max(note->last, note->keys[i]);
		ssot_text_form_init(&note->forms[i], TupleDescAttr(note->desc, note->keys[i] - 1)->atttypid);
		note->depends |= note->forms[i].depends;
	}
	return true;
}

/*
 * ssot.capture_change(source_id, key column, ...): AFTER INSERT, UPDATE, DELETE or
 * TRUNCATE, FOR EACH STATEMENT
 */
Datum
ssot_capture_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Note		note = {0};
	int			level = 0;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) || trigger->tg_trigger->tgnargs < 2)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("ssot.capture_change can be called only by the triggers that ssot.set_reading makes")));
	note.source_id = pg_strtoint32(trigger->tg_trigger->tgargs[0]);
	note.relid = RelationGetRelid(trigger->tg_relation);
	note.desc = RelationGetDescr(trigger->tg_relation);
	note.context = AllocSetContextCreate(CurrentMemoryContext, "ssot captured keys",
										 ALLOCSET_DEFAULT_SIZES);
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event) || !find_keys(&note, trigger->tg_trigger) ||
		(trigger->tg_oldtable == NULL && trigger->tg_newtable == NULL))
	{
		write_note(&note, true);
		return PointerGetDatum(NULL);
	}
	if (note.nkeys > BATCH)
		elog(ERROR, "too many key columns");
	note.values = palloc(sizeof(Datum) * BATCH);
	note.nulls = palloc(sizeof(bool) * BATCH);
	if (note.depends)
		level = ssot_settings_begin(false);
	note_rows(&note, trigger->tg_oldtable, trigger->tg_newtable);
	if (note.depends)
		ssot_settings_end(level);
	MemoryContextDelete(note.context);
	return PointerGetDatum(NULL);
}

/*
 * Taking. The queue is read as its owner, so nothing of the user's happens there:
 * keys are taken as text, and become values of their types afterwards.
 */
typedef struct Taking
{
	SsotChanges *changes;
	int64		limit;
	bool		everything;
	MemoryContext context;		/* of the values of one row of the queue */
} Taking;

static SsotQuery take_query = {
	.sql =
	"DELETE FROM ssot.change_queue AS q\n"
	"WHERE q.source_id = $1\n"
	"RETURNING q.relation, q.changed",
	.nargs = 1,
	.argtypes = {INT4OID}
};

/* Notes of other relations are none of ours: of one that the source had before,
 * or of somebody who put the trigger on a table of their own. */
static bool
take_note(TupleTableSlot *slot, void *arg)
{
	Taking	   *taking = (Taking *) arg;
	int			nkeys = taking->changes->tracking->nkeys;
	MemoryContext old;
	Datum	   *texts;
	bool	   *nulls;
	int			count;

	slot_getallattrs(slot);
	if (taking->everything ||
		!list_member_oid(taking->changes->tracking->relids, DatumGetObjectId(slot->tts_values[0])))
		return true;
	if (slot->tts_isnull[1])
	{
		taking->everything = true;
		return true;
	}
	old = MemoryContextSwitchTo(taking->context);
	deconstruct_array(DatumGetArrayTypeP(slot->tts_values[1]), TEXTOID, -1, false, TYPALIGN_INT,
					  &texts, &nulls, &count);
	if (count % nkeys != 0 || taking->changes->count + count / nkeys > taking->limit)
		taking->everything = true;
	for (int i = 0; i < count && !taking->everything; i += nkeys)
	{
		tuplestore_putvalues(taking->changes->texts, taking->changes->text_desc, texts + i, nulls + i);
		taking->changes->count++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(taking->context);
	return true;
}

static void
describe_keys(SsotChanges *changes)
{
	const SsotTracking *tracking = changes->tracking;

	changes->desc = CreateTemplateTupleDesc(tracking->nkeys);
	changes->text_desc = CreateTemplateTupleDesc(tracking->nkeys);
	for (int i = 0; i < tracking->nkeys; i++)
	{
		char	   *name = psprintf("ssot_%d", i + 1);
		Oid			type;
		int32		typmod;
		Oid			collation;

		get_atttypetypmodcoll(tracking->relid, tracking->keys[i], &type, &typmod, &collation);
		type = getBaseTypeAndTypmod(type, &typmod);
		TupleDescInitEntry(changes->desc, i + 1, name, type, typmod, 0);
		TupleDescInitEntryCollation(changes->desc, i + 1, collation);
		TupleDescInitEntry(changes->text_desc, i + 1, name, TEXTOID, -1, 0);
	}
	changes->rows = tuplestore_begin_heap(true, false, Max(work_mem / 8, 64));
	changes->texts = tuplestore_begin_heap(true, false, Max(work_mem / 8, 64));
}

/* The texts as values of the columns' types. */
static void
read_values(SsotChanges *changes)
{
	int			nkeys = changes->tracking->nkeys;
	FmgrInfo   *inputs = palloc(sizeof(FmgrInfo) * nkeys);
	Oid		   *ioparams = palloc(sizeof(Oid) * nkeys);
	Datum	   *values = palloc(sizeof(Datum) * nkeys);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(changes->text_desc, &TTSOpsMinimalTuple);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot captured key",
												  ALLOCSET_SMALL_SIZES);

	for (int i = 0; i < nkeys; i++)
	{
		Oid			input;

		getTypeInputInfo(TupleDescAttr(changes->desc, i)->atttypid, &input, &ioparams[i]);
		fmgr_info(input, &inputs[i]);
	}
	while (tuplestore_gettupleslot(changes->texts, true, false, slot))
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		for (int i = 0; i < nkeys; i++)
		{
			changes->has_null |= slot->tts_isnull[i];
			values[i] = slot->tts_isnull[i] ? (Datum) 0 :
				InputFunctionCall(&inputs[i], TextDatumGetCString(slot->tts_values[i]), ioparams[i],
								  TupleDescAttr(changes->desc, i)->atttypmod);
		}
		tuplestore_putvalues(changes->rows, changes->desc, values, slot->tts_isnull);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(context);
}

SsotChanges *
ssot_changes_take(const SsotTracking *tracking, int64 limit)
{
	Datum		id = Int32GetDatum(tracking->source->source_id);
	Taking		taking = {.limit = limit};

	taking.changes = palloc0(sizeof(SsotChanges));
	taking.changes->tracking = tracking;
	taking.context = AllocSetContextCreate(CurrentMemoryContext, "ssot note", ALLOCSET_DEFAULT_SIZES);
	describe_keys(taking.changes);
	ssot_config_each(&take_query, &id, NULL, take_note, &taking);
	MemoryContextDelete(taking.context);
	if (taking.everything)
	{
		ssot_changes_free(taking.changes);
		return NULL;
	}
	read_values(taking.changes);
	return taking.changes;
}

void
ssot_changes_free(SsotChanges *changes)
{
	tuplestore_end(changes->rows);
	tuplestore_end(changes->texts);
}

void
ssot_changes_discard(int source_id)
{
	Datum		id = Int32GetDatum(source_id);
	static SsotQuery discard_query = {
		.sql =
		"DELETE FROM ssot.change_queue AS q\n"
		"WHERE q.source_id = $1",
		.nargs = 1,
		.argtypes = {INT4OID}
	};

	ssot_config_run(&discard_query, &id, NULL);
}
