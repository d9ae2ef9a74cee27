/*
 * golden/hold.c
 *		Golden versions that break a constraint: held back, and remembered.
 *
 * A held record keeps its last good version. What was to be written, which
 * constraint refused it and which records said so is kept in <entity>_held
 * until it goes through or is no longer wanted.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "golden/hold.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

/* One held row. */
typedef struct Held
{
	Datum	   *values;			/* merged row */
	bool	   *nulls;
	SsotViolation violation;
	bool		late;			/* found by the write, after it was observed */
	bool		written;		/* went through at the last try */
	Datum	   *golden;			/* the golden row in force, by field; or NULL */
	bool	   *golden_nulls;
	bool		golden_retired;
} Held;

struct SsotHolds
{
	const SsotEntity *entity;
	MemoryContext context;
	TupleDesc	desc;			/* of merged rows */
	TimestampTz t;
	int64		run_id;
	int			count;
	int			capacity;
	Held	   *rows;
	bool		golden_loaded;
};

SsotHolds *
ssot_holds_create(const SsotEntity *entity, TupleDesc desc, TimestampTz t, int64 run_id)
{
	SsotHolds  *holds = palloc0(sizeof(SsotHolds));

	holds->entity = entity;
	holds->context = CurrentMemoryContext;
	holds->desc = desc;
	holds->t = t;
	holds->run_id = run_id;
	return holds;
}

static const char *
copy_text(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

void
ssot_hold(SsotHolds *holds, const Datum *values, const bool *nulls,
		  const SsotViolation *violation, bool late)
{
	MemoryContext old = MemoryContextSwitchTo(holds->context);
	Held	   *held;

	if (holds->count == holds->capacity)
	{
		holds->capacity = Max(16, holds->capacity * 2);
		holds->rows = holds->rows == NULL ?
			palloc(sizeof(Held) * holds->capacity) :
			repalloc_huge(holds->rows, sizeof(Held) * holds->capacity);
	}
	held = &holds->rows[holds->count++];
	memset(held, 0, sizeof(*held));
	held->values = palloc(sizeof(Datum) * holds->desc->natts);
	held->nulls = palloc(sizeof(bool) * holds->desc->natts);
	for (int i = 0; i < holds->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(holds->desc, i);

		held->nulls[i] = nulls[i];
		held->values[i] = nulls[i] ? (Datum) 0 :
			datumCopy(values[i], att->attbyval, att->attlen);
	}
	held->violation = *violation;
	held->violation.constraint = copy_text(violation->constraint);
	held->violation.column = copy_text(violation->column);
	held->violation.reason = copy_text(violation->reason);
	held->violation.detail = copy_text(violation->detail);
	held->late = late;
	MemoryContextSwitchTo(old);
}

/* Rows that failed alone get another chance when the others are in. */
void
ssot_holds_retry(SsotHolds *holds, SsotHeldCallback attempt, void *arg)
{
	bool		progress = true;

	while (progress)
	{
		progress = false;
		for (int i = 0; i < holds->count; i++)
		{
			Held	   *held = &holds->rows[i];

			CHECK_FOR_INTERRUPTS();
			if (!held->late || held->written)
				continue;
			if (attempt(held->values, held->nulls, arg))
				held->written = progress = true;
		}
	}
}

int
ssot_holds_late(SsotHolds *holds, int sqlstate, SsotLateRow **rows)
{
	int			n = 0;

	*rows = palloc(sizeof(SsotLateRow) * Max(holds->count, 1));
	for (int i = 0; i < holds->count; i++)
	{
		Held	   *held = &holds->rows[i];

		if (held->late && !held->written && held->violation.sqlstate == sqlstate)
			(*rows)[n++] = (SsotLateRow)
		{
			held->values, held->nulls, &held->violation, &held->written
		};
	}
	return n;
}

/* ---- what is held -------------------------------------------------------- */

/*
 * The held rows as (id, constraint_name, sqlstate, reason, detail, fields,
 * new_values) of <entity>_held.
 */
static TupleDesc
held_desc(const SsotEntity *entity)
{
	TupleDesc	desc = CreateTemplateTupleDesc(6);

	TupleDescInitEntry(desc, 1, entity->id_column, entity->id_type, -1, 0);
	TupleDescInitEntry(desc, 2, "constraint_name", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 3, "sqlstate", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 4, "reason", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 5, "detail", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 6, "column_name", TEXTOID, -1, 0);
	return desc;
}

static void
put_text(Datum *value, bool *isnull, const char *text)
{
	*isnull = text == NULL;
	*value = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static Tuplestorestate *
held_rows(SsotHolds *holds, TupleDesc desc, int64 *count)
{
	Tuplestorestate *rows = tuplestore_begin_heap(true, false, work_mem);

	*count = 0;
	for (int i = 0; i < holds->count; i++)
	{
		Held	   *held = &holds->rows[i];
		Datum		values[6];
		bool		nulls[6];

		if (held->written)
			continue;
		values[0] = held->values[0];
		nulls[0] = false;
		put_text(&values[1], &nulls[1], held->violation.constraint);
		put_text(&values[2], &nulls[2], unpack_sql_state(held->violation.sqlstate));
		put_text(&values[3], &nulls[3], held->violation.reason);
		put_text(&values[4], &nulls[4], held->violation.detail);
		put_text(&values[5], &nulls[5], held->violation.column);
		tuplestore_putvalues(rows, desc, values, nulls);
		(*count)++;
	}
	return rows;
}

/* The merged values of the held rows, for new_values. */
static Tuplestorestate *
held_merged(SsotHolds *holds)
{
	Tuplestorestate *rows = tuplestore_begin_heap(true, false, work_mem);

	for (int i = 0; i < holds->count; i++)
		if (!holds->rows[i].written)
			tuplestore_putvalues(rows, holds->desc, holds->rows[i].values,
								 holds->rows[i].nulls);
	return rows;
}

/*
 * INSERT INTO golden_ssot.customer_held AS k (…)
 * SELECT h.…, <fields of the constraint>, to_jsonb(m) - 'ssot_retired', <records>, $1, $2
 *   FROM ssot_held AS h JOIN ssot_merged AS m USING (customer_id)
 * ON CONFLICT (customer_id) DO UPDATE SET … WHERE <anything differs>
 */
static char *
upsert_held_sql(const SsotEntity *entity)
{
	return ssot_sql("INSERT INTO %T AS k (%I, constraint_name, sqlstate, reason, detail,"
					" fields, new_values, records, first_seen, ssot_run)"
					" SELECT h.%I, h.constraint_name, h.sqlstate, h.reason, h.detail,"
					" coalesce((SELECT array_agg(a.attname ORDER BY a.attnum)"
					"    FROM (SELECT DISTINCT a.attnum, a.attname::text"
					"            FROM pg_catalog.pg_constraint AS c"
					"            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)"
					"           WHERE c.conname = h.constraint_name AND c.conrelid = %L::pg_catalog.regclass) AS a),"
					"  CASE WHEN h.column_name IS NOT NULL THEN ARRAY[h.column_name] END),"
					" pg_catalog.to_jsonb(m) - 'ssot_retired',"
					" (SELECT array_agg(y.system || ':' || s.ssot_key ORDER BY y.rank, s.ssot_key)"
					"    FROM %T AS s JOIN ssot.source AS y ON y.source_id = s.ssot_source"
					"   WHERE s.%I = h.%I AND s.ssot_copy = 0),"
					" $1, $2"
					" FROM ssot_held AS h JOIN ssot_merged AS m ON m.%I = h.%I"
					" ON CONFLICT (%I) DO UPDATE SET"
					" (constraint_name, sqlstate, reason, detail, fields, new_values, records)"
					" = ROW(EXCLUDED.constraint_name, EXCLUDED.sqlstate, EXCLUDED.reason, EXCLUDED.detail,"
					"  EXCLUDED.fields, EXCLUDED.new_values, EXCLUDED.records)"
					" WHERE (k.constraint_name, k.sqlstate, k.reason, k.detail, k.fields, k.new_values, k.records)"
					" IS DISTINCT FROM (EXCLUDED.constraint_name, EXCLUDED.sqlstate, EXCLUDED.reason,"
					"  EXCLUDED.detail, EXCLUDED.fields, EXCLUDED.new_values, EXCLUDED.records)",
					entity->held_table, entity->id_column, entity->id_column,
					ssot_relation_name(entity->relid), entity->source_table,
					entity->id_column, entity->id_column, entity->id_column,
					entity->id_column, entity->id_column);
}

int64
ssot_holds_write(SsotHolds *holds, Tuplestorestate *touched, int64 ntouched, int64 *written)
{
	const SsotEntity *entity = holds->entity;
	Oid			argtypes[] = {TIMESTAMPTZOID, INT8OID};
	Datum		args[] = {TimestampTzGetDatum(holds->t), Int64GetDatum(holds->run_id)};
	bool		nulls[] = {false, holds->run_id == 0};
	SsotRelation relations[3];
	SsotStatement statement = {.nrelations = 2,.relations = relations};
	int64		count;
	Tuplestorestate *held;

	relations[0] = (SsotRelation)
	{
		"ssot_held", held_desc(entity), NULL, 0
	};
	held = held_rows(holds, relations[0].desc, &count);
	relations[0].rows = held;
	relations[0].count = count;
	relations[1] = (SsotRelation)
	{
		"ssot_merged", holds->desc, held_merged(holds), count
	};
	relations[2] = (SsotRelation)
	{
		"ssot_touched", ssot_id_desc(entity), touched, ntouched
	};

	/* no longer held: touched, and not among those held now */
	statement.nrelations = touched == NULL ? 2 : 3;
	statement.sql = ssot_sql("DELETE FROM %T AS k WHERE %s"
							 " NOT EXISTS (SELECT FROM ssot_held AS h WHERE h.%I = k.%I)",
							 entity->held_table,
							 touched == NULL ? "" :
							 ssot_sql("EXISTS (SELECT FROM ssot_touched AS t WHERE t.id = k.%I) AND",
									  entity->id_column),
							 entity->id_column, entity->id_column);
	*written += ssot_statement_run(&statement);

	if (count > 0)
	{
		statement.nrelations = 2;
		statement.nargs = 2;
		statement.argtypes = argtypes;
		statement.args = args;
		statement.nulls = nulls;
		statement.sql = upsert_held_sql(entity);
		*written += ssot_statement_run(&statement);
	}
	tuplestore_end(held);
	tuplestore_end(relations[1].rows);
	return count;
}

SsotIds
ssot_held_ids(SsotHolds *holds)
{
	SsotIds		ids = ssot_ids_create(holds->entity);

	for (int i = 0; i < holds->count; i++)
		if (!holds->rows[i].written)
			ssot_ids_add(&ids, holds->rows[i].values[0]);
	return ids;
}

static Held *
find_held(SsotHolds *holds, Datum id)
{
	for (int i = 0; i < holds->count; i++)
		if (!holds->rows[i].written &&
			datum_image_eq(holds->rows[i].values[0], id,
						   holds->entity->id_typbyval, holds->entity->id_typlen))
			return &holds->rows[i];
	return NULL;
}

/* A golden row (id, fields, retired) of a held id. */
static bool
keep_golden_row(TupleTableSlot *slot, void *arg)
{
	SsotHolds  *holds = (SsotHolds *) arg;
	int			nfields = holds->entity->nfields;
	Held	   *held;
	MemoryContext old;

	slot_getallattrs(slot);
	held = find_held(holds, slot->tts_values[0]);
	if (held == NULL)
		return true;
	old = MemoryContextSwitchTo(holds->context);
	held->golden = palloc0(sizeof(Datum) * Max(nfields, 1));
	held->golden_nulls = palloc0(sizeof(bool) * Max(nfields, 1));
	for (int f = 0; f < nfields; f++)
	{
		const SsotField *field = &holds->entity->fields[f];

		held->golden_nulls[f] = slot->tts_isnull[f + 1];
		if (!held->golden_nulls[f])
			held->golden[f] = datumCopy(slot->tts_values[f + 1],
										field->typbyval, field->typlen);
	}
	held->golden_retired = DatumGetBool(slot->tts_values[nfields + 1]);
	MemoryContextSwitchTo(old);
	return true;
}

void
ssot_held_golden(SsotHolds *holds, Datum id, Datum **golden, bool **nulls,
				 bool *retired, bool *late)
{
	const SsotEntity *entity = holds->entity;
	Held	   *held;

	if (!holds->golden_loaded)
	{
		SsotIds		ids = ssot_held_ids(holds);
		SsotRelation relation = ssot_ids_as(&ids, "ssot_touched");
		SsotStatement statement = {.nrelations = 1,.relations = &relation};

		statement.sql = ssot_sql("SELECT g.%I%s%s, g.retired_at IS NOT NULL"
								 " FROM %T AS g JOIN ssot_touched AS t ON t.id = g.%I",
								 entity->id_column, entity->nfields > 0 ? ", " : "",
								 ssot_field_list(entity, "g."),
								 ssot_relation_name(entity->relid), entity->id_column);
		ssot_statement_each(&statement, keep_golden_row, holds);
		ssot_ids_end(&ids);
		holds->golden_loaded = true;
	}
	held = find_held(holds, id);
	*golden = held->golden;
	*nulls = held->golden_nulls;
	*retired = held->golden_retired;
	*late = held->late;
}
