/*
 * ingest/stage.c
 *		Bringing together, key by key, what a source says and what is stored.
 *
 * Evaluated rows, stored rows of the same keys, and marks about a key go into
 * one sort by key; read back, each key's rows stand together, and the keys are
 * in the order in which the run hands them on. The sort compares bytes, knows
 * abbreviated keys, notices input that is in order already, and spills.
 *
 * Nearly every key has one row, which is handed on where the sort left it; only
 * the rows of a key that has several are copied. All rows of one key are held
 * in memory at once.
 */
#include "postgres.h"

#include "ssot.h"
#include "ingest/stage.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"

struct SsotStage
{
	MemoryContext context;
	MemoryContext group_context;
	TupleDesc	desc;			/* a record's, and "what" */
	int			nrecord;		/* attributes of the record */
	Tuplesortstate *sort;
	TupleTableSlot *input;
	TupleTableSlot *row;
	TupleTableSlot *next;
	SsotCandidate *candidates;
	int			allocated;
};

SsotStage *
ssot_stage_create(TupleDesc record_desc)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot stage",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SsotStage  *stage = palloc0(sizeof(SsotStage));
	AttrNumber	key = SSOT_REC_KEY;
	Oid			less = TextLessOperator;
	Oid			collation = C_COLLATION_OID;
	bool		nulls_first = false;

	stage->context = context;
	stage->group_context = AllocSetContextCreate(context, "ssot key group",
												 ALLOCSET_DEFAULT_SIZES);
	stage->nrecord = record_desc->natts;
	stage->desc = CreateTemplateTupleDesc(stage->nrecord + 1);
	for (int i = 1; i <= stage->nrecord; i++)
		TupleDescCopyEntry(stage->desc, i, record_desc, i);
	TupleDescInitEntry(stage->desc, stage->nrecord + 1, "what", INT8OID, -1, 0);
	stage->sort = tuplesort_begin_heap(stage->desc, 1, &key, &less, &collation,
									   &nulls_first, work_mem, NULL, TUPLESORT_NONE);
	stage->input = MakeSingleTupleTableSlot(stage->desc, &TTSOpsVirtual);
	stage->row = MakeSingleTupleTableSlot(stage->desc, &TTSOpsMinimalTuple);
	stage->next = MakeSingleTupleTableSlot(stage->desc, &TTSOpsMinimalTuple);
	stage->allocated = 8;
	stage->candidates = palloc(sizeof(SsotCandidate) * stage->allocated);
	MemoryContextSwitchTo(old);
	return stage;
}

void
ssot_stage_free(SsotStage *stage)
{
	ExecDropSingleTupleTableSlot(stage->input);
	ExecDropSingleTupleTableSlot(stage->row);
	ExecDropSingleTupleTableSlot(stage->next);
	tuplesort_end(stage->sort);
	MemoryContextDelete(stage->context);
}

static void
put_input(SsotStage *stage, int64 what)
{
	stage->input->tts_values[stage->nrecord] = Int64GetDatum(what);
	stage->input->tts_isnull[stage->nrecord] = false;
	ExecStoreVirtualTuple(stage->input);
	tuplesort_puttupleslot(stage->sort, stage->input);
}

void
ssot_stage_put(SsotStage *stage, const Datum *values, const bool *nulls, int64 what)
{
	ExecClearTuple(stage->input);
	memcpy(stage->input->tts_values, values, sizeof(Datum) * stage->nrecord);
	memcpy(stage->input->tts_isnull, nulls, sizeof(bool) * stage->nrecord);
	put_input(stage, what);
}

void
ssot_stage_mark(SsotStage *stage, Datum key, Datum tokens, bool has_tokens, int64 what)
{
	int			last = stage->nrecord - 1;

	ExecClearTuple(stage->input);
	memset(stage->input->tts_isnull, true, sizeof(bool) * stage->nrecord);
	stage->input->tts_values[SSOT_REC_KEY - 1] = key;
	stage->input->tts_isnull[SSOT_REC_KEY - 1] = false;
	stage->input->tts_values[last] = tokens;
	stage->input->tts_isnull[last] = !has_tokens;
	put_input(stage, what);
}

/* A copy, because it must outlive the fetch after it, and the group's context. */
static bool
fetch_next(SsotStage *stage)
{
	MemoryContext old = MemoryContextSwitchTo(stage->context);
	bool		found = tuplesort_gettupleslot(stage->sort, true, true, stage->next, NULL);

	if (found)
		slot_getallattrs(stage->next);
	else
		ExecClearTuple(stage->next);
	MemoryContextSwitchTo(old);
	return found;
}

static void
advance(SsotStage *stage)
{
	TupleTableSlot *free = stage->row;

	stage->row = stage->next;
	stage->next = free;
}

static bool
same_key(const TupleTableSlot *a, const TupleTableSlot *b)
{
	struct varlena *left = (struct varlena *) DatumGetPointer(a->tts_values[SSOT_REC_KEY - 1]);
	struct varlena *right = (struct varlena *) DatumGetPointer(b->tts_values[SSOT_REC_KEY - 1]);

	return VARSIZE_ANY_EXHDR(left) == VARSIZE_ANY_EXHDR(right) &&
		memcmp(VARDATA_ANY(left), VARDATA_ANY(right), VARSIZE_ANY_EXHDR(left)) == 0;
}

static void
add_absent(SsotKeyGroup *group, Datum time, bool isnull)
{
	group->some_absent = true;
	if (isnull)
		return;
	if (!group->absent_has_time || DatumGetTimestampTz(time) > group->absent_time)
		group->absent_time = DatumGetTimestampTz(time);
	group->absent_has_time = true;
}

/* Add the row to the group. With "copy" it is moved out of the slot. */
static void
add_row(SsotStage *stage, SsotKeyGroup *group, TupleTableSlot *row, bool copy)
{
	int64		what = DatumGetInt64(row->tts_values[stage->nrecord]);
	Datum	   *values = row->tts_values;
	bool	   *nulls = row->tts_isnull;
	SsotCandidate *candidate;

	if (copy)
	{
		HeapTupleData tuple;
		MinimalTuple minimal = ExecCopySlotMinimalTuple(row);

		values = palloc(sizeof(Datum) * stage->desc->natts);
		nulls = palloc(sizeof(bool) * stage->desc->natts);
		tuple.t_len = minimal->t_len + MINIMAL_TUPLE_OFFSET;
		tuple.t_data = (HeapTupleHeader) ((char *) minimal - MINIMAL_TUPLE_OFFSET);
		heap_deform_tuple(&tuple, stage->desc, values, nulls);
	}
	group->key = values[SSOT_REC_KEY - 1];
	switch (what)
	{
		case SSOT_STAGED_REFUSED:
			group->some_refused = true;
			return;
		case SSOT_STAGED_ABSENT:
			add_absent(group, values[SSOT_REC_UPDATED_AT - 1], nulls[SSOT_REC_UPDATED_AT - 1]);
			return;
		case SSOT_STAGED_TOKENS:
			group->has_tokens = !nulls[stage->nrecord - 1];
			group->tokens = values[stage->nrecord - 1];
			return;
	}
	if (group->ncandidates == stage->allocated)
	{
		stage->allocated *= 2;
		stage->candidates = repalloc_huge(stage->candidates,
										  sizeof(SsotCandidate) * stage->allocated);
	}
	candidate = &stage->candidates[group->ncandidates++];
	memset(candidate, 0, sizeof(*candidate));
	candidate->values = values;
	candidate->nulls = nulls;
	candidate->ordinal = what;
	candidate->stored = what == SSOT_STAGED_SEEN || what == SSOT_STAGED_UNSEEN;
	candidate->seen = what == SSOT_STAGED_SEEN;
}

void
ssot_stage_each(SsotStage *stage, void (*callback) (SsotKeyGroup *group, void *arg), void *arg)
{
	MemoryContext old = MemoryContextSwitchTo(stage->group_context);
	bool		more;

	tuplesort_performsort(stage->sort);
	more = fetch_next(stage);
	while (more)
	{
		SsotKeyGroup group = {0};

		CHECK_FOR_INTERRUPTS();
		advance(stage);
		more = fetch_next(stage);
		if (!more || !same_key(stage->row, stage->next))
			add_row(stage, &group, stage->row, false);
		else
		{
			add_row(stage, &group, stage->row, true);
			do
			{
				advance(stage);
				add_row(stage, &group, stage->row, true);
				more = fetch_next(stage);
			} while (more && same_key(stage->row, stage->next));
		}
		group.candidates = stage->candidates;
		callback(&group, arg);
		MemoryContextReset(stage->group_context);
	}
	MemoryContextSwitchTo(old);
}
