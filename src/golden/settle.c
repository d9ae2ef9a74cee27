/*
 * golden/settle.c
 *		Bringing golden records to what their source records say.
 *
 * One pass reads the records of the touched golden ids, group by group, decides
 * each field (survivorship.c), tests the merged row against the NOT NULL and
 * CHECK constraints of the table, compares it with the golden row, which is read
 * beside the records, and puts what differs into a tuplestore. One statement
 * then updates and inserts that; what does not differ is not written.
 *
 * The table's other constraints (UNIQUE, EXCLUDE, FOREIGN KEY) are left to
 * PostgreSQL: the statement runs in a subtransaction, and when it fails, the
 * rows are written in halves until the rows at fault stand alone. Those are
 * held (hold.c): their last good version stays, everything else goes through.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "golden/clock.h"
#include "golden/hold.h"
#include "golden/retire.h"
#include "golden/pin_review.h"
#include "golden/settle.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

const SsotSettleObserver *ssot_settle_observer = NULL;

/* ---- reading groups ------------------------------------------------------ */

typedef struct GroupReader
{
	const SsotEntity *entity;
	SsotGroupCallback callback;
	void	   *arg;
	TupleDesc	desc;			/* golden id, a record, and perhaps a golden
								 * row */
	int			nrecord;		/* how many of them are id and record */
	bool		with_golden;
	int64		ngolden;		/* groups that have a golden row */
	MemoryContext context;		/* of the group being gathered */
	MemoryContext work;			/* of the callback */
	bool		started;
	int			capacity;
	SsotGroup	group;
} GroupReader;

static int
compare_records(const void *a, const void *b)
{
	const SsotRecord *x = (const SsotRecord *) a;
	const SsotRecord *y = (const SsotRecord *) b;
	int			result = x->source - y->source;

	if (result == 0)
		result = strcmp(x->key, y->key);
	return result != 0 ? result : x->copy - y->copy;
}

static void
emit_group(GroupReader *reader)
{
	MemoryContext old;

	if (!reader->started)
		return;
	if (reader->group.nrecords > 1)
		qsort(reader->group.records, reader->group.nrecords, sizeof(SsotRecord),
			  compare_records);
	old = MemoryContextSwitchTo(reader->work);
	reader->callback(&reader->group, reader->arg);
	MemoryContextSwitchTo(old);
	MemoryContextReset(reader->work);
	reader->started = false;
}

static Jsonb *
jsonb_or_null(Datum value, bool isnull)
{
	return isnull ? NULL : DatumGetJsonbP(value);
}

/* Fill a record from a row that is (golden id, record columns). */
static void
fill_record(const SsotEntity *entity, SsotRecord *record, Datum *values, bool *nulls)
{
	record->source = ssot_entity_source_id(entity, DatumGetInt32(values[SSOT_REC_SOURCE]));
	record->key = TextDatumGetCString(values[SSOT_REC_KEY]);
	record->copy = DatumGetInt32(values[SSOT_REC_COPY]);
	record->has_updated_at = !nulls[SSOT_REC_UPDATED_AT];
	record->updated_at = record->has_updated_at ?
		DatumGetTimestampTz(values[SSOT_REC_UPDATED_AT]) : 0;
	record->from = DatumGetTimestampTz(values[SSOT_REC_FROM]);
	record->times = jsonb_or_null(values[SSOT_REC_TIMES], nulls[SSOT_REC_TIMES]);
	record->refs = jsonb_or_null(values[SSOT_REC_REFS], nulls[SSOT_REC_REFS]);
	record->detail = jsonb_or_null(values[SSOT_REC_DETAIL], nulls[SSOT_REC_DETAIL]);
	record->values = values + SSOT_REC_FIELDS + 1;
	record->nulls = nulls + SSOT_REC_FIELDS + 1;
}

/*
 * Copy columns of a row into memory of one piece: a copy per column would cost
 * more than all that is done with the group afterwards.
 */
static void
copy_columns(TupleDesc desc, int first, int count, TupleTableSlot *slot,
			 Datum **values, bool **nulls)
{
	Size		size = 0;
	char	   *data;

	*values = palloc((sizeof(Datum) + sizeof(bool)) * count);
	*nulls = (bool *) (*values + count);
	memcpy(*values, slot->tts_values + first, sizeof(Datum) * count);
	memcpy(*nulls, slot->tts_isnull + first, sizeof(bool) * count);
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, first + i);

		if (!(*nulls)[i] && !att->attbyval)
			size += MAXALIGN(datumGetSize((*values)[i], false, att->attlen));
	}
	data = palloc(Max(size, 1));
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, first + i);

		if (!(*nulls)[i] && !att->attbyval)
		{
			size = datumGetSize((*values)[i], false, att->attlen);
			memcpy(data, DatumGetPointer((*values)[i]), size);
			(*values)[i] = PointerGetDatum(data);
			data += MAXALIGN(size);
		}
	}
}

/* Begin a group with its first row; what was gathered before is gone. */
static void
begin_group(GroupReader *reader, TupleTableSlot *slot)
{
	const SsotEntity *entity = reader->entity;
	SsotGroup  *group = &reader->group;
	int			retired = reader->nrecord + entity->nfields;

	reader->started = true;
	reader->capacity = 4;
	group->id = datumCopy(slot->tts_values[0], entity->id_typbyval, entity->id_typlen);
	group->nrecords = 0;
	group->records = palloc(sizeof(SsotRecord) * reader->capacity);
	group->golden = NULL;
	if (reader->with_golden && !slot->tts_isnull[retired])
	{
		copy_columns(reader->desc, reader->nrecord, entity->nfields, slot,
					 &group->golden, &group->golden_nulls);
		group->golden_retired = DatumGetBool(slot->tts_values[retired]);
		reader->ngolden++;
	}
}

static bool
gather_record(TupleTableSlot *slot, void *arg)
{
	GroupReader *reader = (GroupReader *) arg;
	const SsotEntity *entity = reader->entity;
	MemoryContext old;
	Datum	   *values;
	bool	   *nulls;

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
		return true;
	if (reader->started &&
		!datum_image_eq(slot->tts_values[0], reader->group.id,
						entity->id_typbyval, entity->id_typlen))
		emit_group(reader);
	old = CurrentMemoryContext;
	if (!reader->started)
	{
		MemoryContextReset(reader->context);
		MemoryContextSwitchTo(reader->context);
		begin_group(reader, slot);
	}

	/* a touched id without any record is a group of none */
	if (!slot->tts_isnull[SSOT_REC_SOURCE])
	{
		MemoryContextSwitchTo(reader->context);
		copy_columns(reader->desc, 0, reader->nrecord, slot, &values, &nulls);
		if (reader->group.nrecords == reader->capacity)
		{
			reader->capacity *= 2;
			reader->group.records = repalloc(reader->group.records,
											 sizeof(SsotRecord) * reader->capacity);
		}
		fill_record(entity, &reader->group.records[reader->group.nrecords], values, nulls);
		if (reader->group.records[reader->group.nrecords].source >= 0)
			reader->group.nrecords++;
	}
	MemoryContextSwitchTo(old);
	return true;
}

/* ", g.<fields>, <is it retired; NULL: there is no such row>" */
static char *
golden_columns_sql(const SsotEntity *entity)
{
	return ssot_sql(", %sCASE WHEN g.%I IS NOT NULL THEN g.retired_at IS NOT NULL END",
					ssot_base_values(entity), entity->id_column);
}

/*
 * SELECT t.id, s.ssot_source, ... s.<fields> [, g.<fields>, g.retired_at IS NOT NULL]
 *   FROM ssot_touched AS t
 *   LEFT JOIN golden_ssot.customer_source AS s ON s.customer_id = t.id
 *   [LEFT JOIN golden.customer AS g ON g.customer_id = t.id]
 *  ORDER BY 1
 *
 * or, for all: the same from customer_source alone, where it has a golden id.
 * What is in brackets is left out while the canonical table is empty. Beside a
 * golden row that is not there, the last column is NULL.
 */
static char *
groups_sql(const SsotEntity *entity, bool all, bool with_golden)
{
	const char *golden = ssot_relation_name(entity->relid);
	const char *id = entity->id_column;
	const char *golden_columns = with_golden ? golden_columns_sql(entity) : "";
	char	   *columns = ssot_record_columns(entity, "s.");

	if (all)
		return ssot_sql("SELECT s.%I, %s%s FROM %T AS s%s WHERE s.%I IS NOT NULL ORDER BY 1",
						id, columns, golden_columns, entity->source_table,
						!with_golden ? "" :
						ssot_sql(" LEFT JOIN %T AS g ON g.%I = s.%I", golden, id, id), id);
	return ssot_sql("SELECT t.id, %s%s FROM ssot_touched AS t"
					" LEFT JOIN %T AS s ON s.%I = t.id%s ORDER BY 1",
					columns, golden_columns, entity->source_table, id,
					!with_golden ? "" :
					ssot_sql(" LEFT JOIN %T AS g ON g.%I = t.id", golden, id));
}

/*
 * Golden records that have lost their last record:
 *
 * SELECT g.customer_id, (NULL::golden_ssot.customer_source).ssot_source, ... g.<fields>, ...
 *   FROM golden.customer AS g
 *  WHERE NOT EXISTS (SELECT FROM golden_ssot.customer_source AS s
 *                     WHERE s.customer_id = g.customer_id)
 */
static char *
bereft_sql(const SsotEntity *entity)
{
	return ssot_sql("SELECT g.%I, %s%s FROM %T AS g"
					" WHERE NOT EXISTS (SELECT FROM %T AS s WHERE s.%I = g.%I)",
					entity->id_column,
					ssot_record_columns(entity, ssot_sql("(NULL::%T).", entity->source_table)),
					golden_columns_sql(entity), ssot_relation_name(entity->relid),
					entity->source_table, entity->id_column, entity->id_column);
}

static int64
count_golden(const SsotEntity *entity)
{
	Datum		count;
	bool		isnull;
	SsotStatement statement = {
		.sql = ssot_sql("SELECT count(*) FROM %T", ssot_relation_name(entity->relid)),
	};

	ssot_statement_one(&statement, 1, &count, &isnull);
	return DatumGetInt64(count);
}

/* The descriptor of such a row. */
static TupleDesc
group_row_desc(const SsotEntity *entity, bool with_golden)
{
	TupleDesc	record = ssot_record_desc(entity, false);
	int			nrecord = record->natts + 1;
	TupleDesc	desc = CreateTemplateTupleDesc(nrecord +
											   (with_golden ? entity->nfields + 1 : 0));

	TupleDescInitEntry(desc, 1, "ssot_id", entity->id_type, -1, 0);
	for (int i = 1; i <= record->natts; i++)
		TupleDescCopyEntry(desc, i + 1, record, i);
	for (int f = 0; with_golden && f < entity->nfields; f++)
		TupleDescCopyEntry(desc, nrecord + 1 + f, record, SSOT_REC_FIELDS + 1 + f);
	if (with_golden)
		TupleDescInitEntry(desc, desc->natts, "ssot_retired", BOOLOID, -1, 0);
	return desc;
}

static void
each_group(const SsotEntity *entity, Tuplestorestate *touched, int64 ntouched,
		   SsotGroupCallback callback, void *arg, bool read_only)
{
	bool		with_golden = !ssot_golden_is_empty(entity);
	GroupReader reader = {0};
	SsotRelation relation = {"ssot_touched", ssot_id_desc(entity), touched, ntouched};
	SsotStatement statement = {
		.sql = groups_sql(entity, touched == NULL, with_golden),
		.nrelations = touched == NULL ? 0 : 1,
		.relations = &relation,
		.read_only = read_only,
	};

	reader.entity = entity;
	reader.callback = callback;
	reader.arg = arg;
	reader.desc = group_row_desc(entity, with_golden);
	reader.nrecord = SSOT_REC_FIELDS + entity->nfields + 1;
	reader.with_golden = with_golden;
	reader.context = AllocSetContextCreate(CurrentMemoryContext, "ssot group",
										   ALLOCSET_DEFAULT_SIZES);
	reader.work = AllocSetContextCreate(CurrentMemoryContext, "ssot group work",
										ALLOCSET_DEFAULT_SIZES);
	ssot_statement_each(&statement, gather_record, &reader);
	emit_group(&reader);

	/* counting is cheaper than looking for what hardly ever is there */
	if (touched == NULL && with_golden && reader.ngolden < count_golden(entity))
	{
		ssot_sql_each(bereft_sql(entity), gather_record, &reader);
		emit_group(&reader);
	}
	MemoryContextDelete(reader.work);
	MemoryContextDelete(reader.context);
}

void
ssot_groups_each(const SsotEntity *entity, Tuplestorestate *touched,
				 int64 ntouched, SsotGroupCallback callback, void *arg)
{
	each_group(entity, touched, ntouched, callback, arg, false);
}

void
ssot_groups_read(const SsotEntity *entity, Tuplestorestate *touched,
				 int64 ntouched, SsotGroupCallback callback, void *arg)
{
	each_group(entity, touched, ntouched, callback, arg, true);
}

/* ---- deciding ------------------------------------------------------------ */

typedef struct SettlePass
{
	const SsotEntity *entity;
	SsotSurvivor *survivor;
	SsotRowCheck *check;
	SsotMerged	merged;
	SsotHolds  *holds;
	SsotRetirements *retirements;
	SsotPinReview *review;
	SsotCorrections *release;	/* pins that retire */
	TimestampTz t;
	int64		pins_retired;
	bool	   *fed;			/* by field: some source feeds it */
	void	   *observer;
	SsotWinner *winners;
	Datum	   *values;			/* id, fields, retired: a merged row */
	bool	   *nulls;
} SettlePass;

/* Gone when no system and no person's row is left; a pin alone keeps nothing alive. */
static bool
is_retired(const SsotEntity *entity, const SsotGroup *group)
{
	for (int r = 0; r < group->nrecords; r++)
		if (group->records[r].copy == 0 &&
			!entity->sources[group->records[r].source].is_steward)
			return false;
	return true;
}

/*
 * Is the golden row what was merged? Images are compared, as the statements that
 * write do: a change of letter case in a citext column is a change. A field that
 * no source feeds keeps its value, and a retired record keeps everything.
 */
static bool
is_unchanged(const SettlePass *pass, const SsotGroup *group, bool retired)
{
	const SsotEntity *entity = pass->entity;

	if (group->golden == NULL || group->golden_retired != retired)
		return false;
	for (int f = 0; !retired && f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		if (pass->nulls[f + 1] && (group->golden_nulls[f] || !pass->fed[f]))
			continue;
		if (pass->nulls[f + 1] != group->golden_nulls[f] ||
			!datum_image_eq(pass->values[f + 1], group->golden[f],
							field->typbyval, field->typlen))
			return false;
	}
	return true;
}

/* Takes pins out of the group that is passed on: what is golden does not change
 * by that, but whose value it is does. */
static void
settle_group(const SsotGroup *read_group, void *arg)
{
	SettlePass *pass = (SettlePass *) arg;
	const SsotEntity *entity = pass->entity;
	SsotGroup  *group = unconstify(SsotGroup *, read_group);
	bool		retired = is_retired(entity, group) ||
	ssot_is_retired_by_person(pass->retirements, group->id);
	SsotViolation violation;

	pass->pins_retired += ssot_pin_review_retire(pass->review, group, pass->t, pass->release);
	pass->values[0] = group->id;
	pass->nulls[0] = false;
	ssot_survive(pass->survivor, group, pass->winners, pass->values + 1, pass->nulls + 1);
	ssot_row_defaults(pass->check, pass->values + 1, pass->nulls + 1);
	pass->values[entity->nfields + 1] = BoolGetDatum(retired);
	pass->nulls[entity->nfields + 1] = false;

	if (!retired && ssot_row_violates(pass->check, pass->values, pass->nulls, &violation))
	{
		ssot_hold(pass->holds, pass->values, pass->nulls, &violation, false);
		return;
	}
	if (!is_unchanged(pass, group, retired))
	{
		tuplestore_putvalues(pass->merged.rows, pass->merged.desc, pass->values, pass->nulls);
		pass->merged.count++;
		pass->merged.created += group->golden == NULL && !retired;
	}
	if (pass->observer != NULL)
		ssot_settle_observer->group(pass->observer, group, pass->values + 1,
									pass->nulls + 1, retired, pass->winners, false);
}

/* Tell the observer of a held group, with its last good values. */
static void
observe_held_group(const SsotGroup *group, void *arg)
{
	SettlePass *pass = (SettlePass *) arg;
	bool		late;
	bool		retired;
	Datum	   *golden;
	bool	   *golden_nulls;
	Datum	   *merged = pass->values + 1;

	ssot_survive(pass->survivor, group, pass->winners, merged, pass->nulls + 1);
	ssot_held_golden(pass->holds, group->id, &golden, &golden_nulls, &retired, &late);
	ssot_settle_observer->group(pass->observer, group, golden, golden_nulls,
								retired, pass->winners, late);
}

static TupleDesc
merged_desc(const SsotEntity *entity)
{
	TupleDesc	desc = CreateTemplateTupleDesc(entity->nfields + 2);

	TupleDescInitEntry(desc, 1, entity->id_column, entity->id_type, -1, 0);
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		TupleDescInitEntry(desc, f + 2, field->name, field->base_type, field->base_typmod, 0);
		TupleDescInitEntryCollation(desc, f + 2, field->collation);
	}
	TupleDescInitEntry(desc, entity->nfields + 2, "ssot_retired", BOOLOID, -1, 0);
	return desc;
}

void
ssot_settle(const SsotEntity *entity, Tuplestorestate *touched, int64 ntouched,
			TimestampTz t, int64 run_id, SsotSettleFigures *figures)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot settle",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int			settings = ssot_settings_begin(true);
	SsotUser	user = ssot_become_owner(entity->relid);
	SettlePass	pass = {0};

	ssot_machine_begin();
	pass.entity = entity;
	pass.t = t;
	pass.survivor = ssot_survivor_create(entity);
	pass.check = ssot_row_check_create(entity, t);
	pass.retirements = ssot_retirements_read(entity, touched, ntouched);
	pass.review = ssot_pin_review_create(entity, pass.survivor);
	pass.release = ssot_corrections_create(entity, entity->steward, t);
	pass.release->agreed = true;
	pass.winners = palloc(sizeof(SsotWinner) * Max(entity->nfields, 1));
	pass.fed = palloc(sizeof(bool) * Max(entity->nfields, 1));
	for (int f = 0; f < entity->nfields; f++)
		pass.fed[f] = ssot_field_is_fed(entity, f);
	pass.values = palloc(sizeof(Datum) * (entity->nfields + 2));
	pass.nulls = palloc(sizeof(bool) * (entity->nfields + 2));
	pass.merged.desc = merged_desc(entity);
	pass.merged.rows = tuplestore_begin_heap(true, false, work_mem);
	pass.holds = ssot_holds_create(entity, pass.merged.desc, t, run_id);
	if (ssot_settle_observer != NULL)
		pass.observer = ssot_settle_observer->begin(entity, touched, ntouched, t,
													run_id, figures);

	ssot_groups_each(entity, touched, ntouched, settle_group, &pass);
	if (pass.pins_retired > 0)
		ssot_corrections_release(pass.release);
	figures->pins_retired += pass.pins_retired;
	ssot_corrections_free(pass.release);
	ssot_write_merged(entity, pass.holds, &pass.merged, t, run_id,
					  &figures->created, &figures->changed);
	figures->held += ssot_holds_write(pass.holds, touched, ntouched, &figures->held_written);
	if (pass.observer != NULL)
	{
		SsotIds		held = ssot_held_ids(pass.holds);

		if (held.count > 0)
			ssot_groups_each(entity, held.rows, held.count, observe_held_group, &pass);
		ssot_ids_end(&held);
		ssot_settle_observer->end(pass.observer);
	}
	tuplestore_end(pass.merged.rows);
	ssot_row_check_free(pass.check);

	ssot_machine_end();
	ssot_restore_user(user);
	ssot_settings_end(settings);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
ssot_settle_set(const SsotEntity *entity, const SsotIds *ids, TimestampTz t)
{
	SsotSettleFigures figures = {0};

	if (ids->count == 0)
		return;
	figures.drift_opened = palloc0(sizeof(int64) * Max(entity->nsources, 1));
	figures.drift_closed = palloc0(sizeof(int64) * Max(entity->nsources, 1));
	ssot_settle(entity, ids->rows, ids->count, t, 0, &figures);
}

void
ssot_settle_ids(const SsotEntity *entity, const Datum *ids, int nids, TimestampTz t)
{
	SsotIds		set = ssot_ids_create(entity);

	for (int i = 0; i < nids; i++)
		ssot_ids_add(&set, ids[i]);
	ssot_settle_set(entity, &set, t);
	ssot_ids_end(&set);
}
