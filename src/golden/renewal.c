/*
 * golden/renewal.c
 *		What the rows that a run staged change in what is stored.
 *
 * Ingest hands on, beside the rows that a key shall have, those that it has. Both
 * come in one order of keys, so one pass over both tells what is to be inserted,
 * updated, deleted and kept as history, and no statement has to look for it. Rows
 * of a key are the same row if they are the same copy. A row whose content is
 * the same is no new version, even if its source time or raw image differs; if
 * these do not differ either, it is not written at all.
 *
 *		stored		finished
 *		0 A			0 A			nothing
 *		0 A			0 B			changed, and A closed
 *		0 A, 1 B	0 B			changed, A and B closed, 1 dropped
 *		-			0 A			added
 *
 * Images of values are compared, not what their types call equal: a change of
 * letter case in a citext column is a change.
 */
#include "postgres.h"

#include "ssot.h"
#include "golden/renewal.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"

/* A stored row of the key at hand. */
typedef struct StoredRow
{
	Datum	   *values;
	bool	   *nulls;
	bool		stays;			/* the key has a row of this copy */
} StoredRow;

void
ssot_relation_put(SsotRelation *relation, const Datum *values, const bool *nulls)
{
	tuplestore_putvalues(relation->rows, relation->desc, (Datum *) values, (bool *) nulls);
	relation->count++;
}

SsotRelation
ssot_relation_create(const char *name, TupleDesc desc)
{
	SsotRelation relation = {name, desc, tuplestore_begin_heap(true, false, work_mem), 0};

	return relation;
}

TupleDesc
ssot_key_and_desc(const char *name, Oid type)
{
	TupleDesc	desc = CreateTemplateTupleDesc(3);

	TupleDescInitEntry(desc, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 2, C_COLLATION_OID);
	TupleDescInitEntry(desc, 3, name, type, -1, 0);
	return desc;
}

/* ---- what is stored of a key ----------------------------------------------- */

/* What was spilled is read into the context of now, and the row waits for its key
 * longer than the caller's lasts. */
static void
next_stored(SsotRenewal *renewal)
{
	MemoryContext old = MemoryContextSwitchTo(renewal->stored->tts_mcxt);

	if (tuplestore_gettupleslot(renewal->ingest->stored, true, false, renewal->stored))
		slot_getallattrs(renewal->stored);
	MemoryContextSwitchTo(old);
}

static bool
has_key(const TupleTableSlot *stored, Datum source, Datum key)
{
	return DatumGetInt32(stored->tts_values[SSOT_REC_SOURCE - 1]) == DatumGetInt32(source) &&
		datum_image_eq(stored->tts_values[SSOT_REC_KEY - 1], key, false, -1);
}

static StoredRow *
copy_stored(TupleTableSlot *stored)
{
	TupleDesc	desc = stored->tts_tupleDescriptor;
	HeapTuple	tuple = ExecCopySlotHeapTuple(stored);
	StoredRow  *row = palloc(sizeof(StoredRow));

	row->values = palloc(sizeof(Datum) * desc->natts);
	row->nulls = palloc(sizeof(bool) * desc->natts);
	row->stays = false;
	heap_deform_tuple(tuple, desc, row->values, row->nulls);
	return row;
}

/* ---- comparing -------------------------------------------------------------- */

static bool
same_column(TupleDesc desc, int attnum, const StoredRow *row,
			const Datum *values, const bool *nulls)
{
	Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);

	if (row->nulls[attnum - 1] || nulls[attnum - 1])
		return row->nulls[attnum - 1] == nulls[attnum - 1];
	return datum_image_eq(row->values[attnum - 1], values[attnum - 1],
						  att->attbyval, att->attlen);
}

/* Do both say the same, of the same golden record? */
static bool
same_content(TupleDesc desc, const StoredRow *row, const Datum *values, const bool *nulls)
{
	static const int columns[] = {SSOT_REC_ID, SSOT_REC_TOKENS, SSOT_REC_REFS, SSOT_REC_DETAIL};

	for (int i = 0; i < lengthof(columns); i++)
		if (!same_column(desc, columns[i], row, values, nulls))
			return false;
	for (int attnum = SSOT_REC_FIELDS + 1; attnum <= desc->natts; attnum++)
		if (!same_column(desc, attnum, row, values, nulls))
			return false;
	return true;
}

static bool
same_origin(TupleDesc desc, const StoredRow *row, const Datum *values, const bool *nulls)
{
	static const int columns[] = {SSOT_REC_UPDATED_AT, SSOT_REC_TIMES, SSOT_REC_IMAGE};

	for (int i = 0; i < lengthof(columns); i++)
		if (!same_column(desc, columns[i], row, values, nulls))
			return false;
	return true;
}

/* A version ends, unless this transaction began it: then nobody has seen it. */
static void
close_version(SsotRenewal *renewal, const StoredRow *row)
{
	if (DatumGetTimestampTz(row->values[SSOT_REC_FROM - 1]) < renewal->t)
		ssot_relation_put(&renewal->closed, row->values, row->nulls);
}

/* What is stored of the key and met none of its rows. */
static void
drop_others(SsotRenewal *renewal)
{
	ListCell   *cell;

	foreach(cell, renewal->before)
	{
		const StoredRow *row = (StoredRow *) lfirst(cell);

		if (row->stays)
			continue;
		close_version(renewal, row);
		/* a record begins with source, key and copy */
		ssot_relation_put(&renewal->dropped, row->values, row->nulls);
	}
	renewal->before = NIL;
	MemoryContextReset(renewal->context);
}

/* ---- the whole --------------------------------------------------------------- */

SsotRenewal *
ssot_renewal_create(const SsotIngest *ingest, TimestampTz t)
{
	SsotRenewal *renewal = palloc0(sizeof(SsotRenewal));

	renewal->added = ssot_relation_create("ssot_added", ingest->stored_desc);
	renewal->changed = ssot_relation_create("ssot_changed", ingest->stored_desc);
	renewal->closed = ssot_relation_create("ssot_closed", ingest->stored_desc);
	renewal->dropped = ssot_relation_create("ssot_dropped",
											ssot_key_and_desc("ssot_copy", INT4OID));
	renewal->ingest = ingest;
	renewal->t = t;
	renewal->stored = MakeSingleTupleTableSlot(ingest->stored_desc, &TTSOpsMinimalTuple);
	renewal->context = AllocSetContextCreate(CurrentMemoryContext, "ssot stored key",
											 ALLOCSET_DEFAULT_SIZES);
	tuplestore_rescan(ingest->stored);
	next_stored(renewal);
	return renewal;
}

void
ssot_renewal_key(SsotRenewal *renewal, Datum source, Datum key)
{
	MemoryContext old;

	drop_others(renewal);
	while (!TTS_EMPTY(renewal->stored) && has_key(renewal->stored, source, key))
	{
		old = MemoryContextSwitchTo(renewal->context);
		renewal->before = lappend(renewal->before, copy_stored(renewal->stored));
		MemoryContextSwitchTo(old);
		next_stored(renewal);
	}
}

void
ssot_renewal_row(SsotRenewal *renewal, Datum *values, bool *nulls)
{
	TupleDesc	desc = renewal->ingest->stored_desc;
	StoredRow  *row = NULL;
	ListCell   *cell;

	foreach(cell, renewal->before)
	{
		row = (StoredRow *) lfirst(cell);
		if (DatumGetInt32(row->values[SSOT_REC_COPY - 1]) == DatumGetInt32(values[SSOT_REC_COPY - 1]))
			break;
		row = NULL;
	}
	values[SSOT_REC_FROM - 1] = TimestampTzGetDatum(renewal->t);
	nulls[SSOT_REC_FROM - 1] = false;
	if (row == NULL)
	{
		ssot_relation_put(&renewal->added, values, nulls);
		return;
	}
	row->stays = true;
	if (same_content(desc, row, values, nulls))
	{
		if (same_origin(desc, row, values, nulls))
			return;
		values[SSOT_REC_FROM - 1] = row->values[SSOT_REC_FROM - 1];
	}
	else
		close_version(renewal, row);
	ssot_relation_put(&renewal->changed, values, nulls);
}

void
ssot_renewal_finish(SsotRenewal *renewal)
{
	drop_others(renewal);
	if (!TTS_EMPTY(renewal->stored))
		elog(ERROR, "a stored record is not staged");
}

void
ssot_renewal_free(SsotRenewal *renewal)
{
	tuplestore_end(renewal->added.rows);
	tuplestore_end(renewal->changed.rows);
	tuplestore_end(renewal->closed.rows);
	tuplestore_end(renewal->dropped.rows);
	ExecDropSingleTupleTableSlot(renewal->stored);
	MemoryContextDelete(renewal->context);
	pfree(renewal);
}
