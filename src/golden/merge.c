/*
 * golden/merge.c
 *		Two golden records that turned out to be one.
 *
 * A link that arrives late, or a person, can join two golden records. A run
 * keeps the smaller id, a person says which. Everything that refers to the other
 * is pointed at it, set-wise: one UPDATE per foreign key (repoint.c). Where the
 * referring table is an entity itself, its versions go to its history and its
 * records follow, so that its next settling agrees.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/record.h"
#include "golden/clock.h"
#include "golden/history.h"
#include "golden/hold.h"
#include "golden/merge.h"
#include "golden/retire.h"
#include "golden/settle.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

void
ssot_merge_clocks_lock(const SsotEntity *entity)
{
	bool		locked = false;
	ListCell   *cell;

	foreach(cell, ssot_referring_entities(entity))
	{
		SsotEntity *other = (SsotEntity *) lfirst(cell);

		if (!locked && strcmp(entity->name, other->name) < 0)
		{
			ssot_clock_lock(entity);
			locked = true;
		}
		ssot_clock_lock(other);
	}
	ssot_clock_lock(entity);
}

TimestampTz
ssot_merge_clocks(const SsotEntity *entity)
{
	ListCell   *cell;

	ssot_merge_clocks_lock(entity);
	foreach(cell, ssot_referring_entities(entity))
		ssot_clock_take((SsotEntity *) lfirst(cell));
	return ssot_clock_take(entity);
}

/* The statements' arguments: time, run, who, why, and the merges. */
typedef struct Merge
{
	const SsotEntity *entity;
	const SsotMerger *merger;
	SsotRelation merges;		/* (lost, kept) */
} Merge;

static uint64
run(Merge *merge, TimestampTz t, const char *sql, SsotRowCallback callback, void *arg)
{
	const SsotMerger *merger = merge->merger;
	Oid			argtypes[] = {TIMESTAMPTZOID, INT8OID, TEXTOID, TEXTOID, INT8OID};
	Datum		args[] = {TimestampTzGetDatum(t), Int64GetDatum(merger->run_id),
		CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false)),
		merger->reason == NULL ? (Datum) 0 : CStringGetTextDatum(merger->reason),
	Int64GetDatum(merger->operation)};
	bool		nulls[] = {false, merger->run_id == 0, false, merger->reason == NULL,
	merger->operation == 0};
	SsotStatement statement = {
		.sql = sql,.nargs = 5,.argtypes = argtypes,.args = args,.nulls = nulls,
		.nrelations = 1,.relations = &merge->merges,
	};

	return callback == NULL ? ssot_statement_run(&statement) :
		ssot_statement_each(&statement, callback, arg);
}

/* Rows that referred to a lost id through no token: the journal's business. */
typedef struct Moved
{
	TupleDesc	desc;
	Tuplestorestate *rows;
	int64		count;
} Moved;

static bool
take_moved(TupleTableSlot *slot, void *arg)
{
	Moved	   *moved = (Moved *) arg;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
		return true;
	tuplestore_putvalues(moved->rows, moved->desc, slot->tts_values, slot->tts_isnull);
	moved->count++;
	return true;
}

/*
 * Records of a referring entity that name the lost id. What they name by a token
 * needs no journal: the token leads to the right id at any time.
 *
 * UPDATE golden_ssot.visit_source AS s SET customer_id = m.kept, ssot_from = $1
 *   FROM ssot_merges AS m WHERE m.lost = s.customer_id
 * RETURNING CASE WHEN s.ssot_refs ? 'customer_id' THEN NULL ELSE m.lost::text END, ...
 */
static uint64
repoint_records(Merge *merge, const SsotEntity *child, const char *column, TimestampTz t)
{
	Moved		moved = {ssot_moved_desc(), tuplestore_begin_heap(true, false, work_mem), 0};
	uint64		updated;

	run(merge, t, ssot_sql("INSERT INTO %T (%s, ssot_to) SELECT %s, $1"
						   " FROM %T AS s JOIN " SSOT_MERGES " ON m.lost = s.%I"
						   " WHERE s.ssot_from < $1",
						   child->source_history_table, ssot_record_columns(child, ""),
						   ssot_record_columns(child, "s."), child->source_table, column),
		NULL, NULL);
	updated = run(merge, t, ssot_sql("UPDATE %T AS s SET %I = m.kept, ssot_from = $1"
									 " FROM " SSOT_MERGES " WHERE m.lost = s.%I"
									 " RETURNING CASE WHEN s.ssot_refs OPERATOR(pg_catalog.?) %L THEN NULL"
									 " ELSE m.lost::pg_catalog.text END,"
									 " pg_catalog.jsonb_build_object('ssot_source', s.ssot_source::pg_catalog.text,"
									 " 'ssot_key', s.ssot_key, 'ssot_copy', s.ssot_copy::pg_catalog.text),"
									 " ARRAY[m.lost::pg_catalog.text], ARRAY[m.kept::pg_catalog.text]",
									 child->source_table, column, column, column), take_moved, &moved);
	ssot_journal_write(merge->entity, child->source_table,
					   list_make1(unconstify(char *, column)), moved.rows, moved.count, t);
	tuplestore_end(moved.rows);
	return updated;
}

/* Report an error that a statement met as that of the table which refuses. */
static void
refuse_or_rethrow(const SsotEntity *entity, MemoryContext context, const char *relation)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (!ssot_error_is_local(error->sqlerrcode))
		PG_RE_THROW();
	FlushErrorState();
	ssot_refuse_merge(entity, error, relation);
}

static uint64
move_golden(Merge *merge, const char *golden, const char *column, TimestampTz t)
{
	MemoryContext context = CurrentMemoryContext;
	uint64		moved = 0;

	PG_TRY();
	{
		moved = run(merge, t, ssot_sql("UPDATE %T AS g SET %I = m.kept, valid_from = $1"
									   " FROM " SSOT_MERGES " WHERE m.lost = g.%I",
									   golden, column, column), NULL, NULL);
	}
	PG_CATCH();
	{
		refuse_or_rethrow(merge->entity, context, golden);
	}
	PG_END_TRY();
	return moved;
}

/*
 * An entity that refers to the lost ids: its golden rows and its records, each
 * with history. Its clock advances only if there are any.
 */
static void
repoint_entity(Merge *merge, const SsotReferrer *referrer)
{
	const SsotEntity *child = referrer->entity;
	TimestampTz t = ssot_clock_lock(child);
	const char *golden = ssot_relation_name(child->relid);
	const char *column = ssot_referrer_field(merge->entity, referrer);
	SsotUser	user = ssot_become_owner(child->relid);
	uint64		moved;

	ssot_machine_begin();
	run(merge, t, ssot_sql("INSERT INTO %T (%s, valid_to, ssot_run, ssot_changed_by, ssot_reason)"
						   " SELECT %s, $1, $2, $3, $4"
						   " FROM %T AS g JOIN " SSOT_MERGES " ON m.lost = g.%I"
						   " WHERE g.valid_from < $1",
						   child->history_table, ssot_history_columns(child, ""),
						   ssot_history_columns(child, "g."), golden, column), NULL, NULL);
	moved = move_golden(merge, golden, column, t);
	moved += repoint_records(merge, child, column, t);
	ssot_machine_end();
	ssot_restore_user(user);
	if (moved > 0)
		ssot_clock_take(child);
}

/*
 * Bring a referring entity's drift up to date after all its keys were moved. Golden
 * rows that are held, or pinned, may have been moved where no record was.
 */
static void
settle_entity(Merge *merge, const SsotEntity *child, TimestampTz t, const char *column)
{
	SsotIds		ids = ssot_ids_create(child);
	SsotUser	user = ssot_become_owner(child->relid);

	run(merge, t, ssot_sql("SELECT s.%I FROM %T AS s JOIN " SSOT_MERGES " ON m.kept = s.%I"
						   " WHERE s.ssot_from = $1"
						   " UNION "
						   "SELECT g.%I FROM %T AS g JOIN " SSOT_MERGES " ON m.kept = g.%I"
						   " WHERE g.valid_from = $1",
						   child->id_column, child->source_table, column,
						   child->id_column, ssot_relation_name(child->relid), column), ssot_ids_take, &ids);
	ssot_restore_user(user);
	ssot_settle_set(child, &ids, t);
	ssot_ids_end(&ids);
}

/* The lost golden rows leave the table; who refers to them still is named. */
static void
delete_lost(Merge *merge, TimestampTz t)
{
	const SsotEntity *entity = merge->entity;
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		run(merge, t, ssot_sql("DELETE FROM %T AS g USING " SSOT_MERGES " WHERE m.lost = g.%I",
							   ssot_relation_name(entity->relid), entity->id_column), NULL, NULL);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_FOREIGN_KEY_VIOLATION || error->table_name == NULL)
			PG_RE_THROW();
		FlushErrorState();
		ssot_refuse_merge(entity, error,
						  ssot_qualified_name(error->schema_name, error->table_name));
	}
	PG_END_TRY();
}

static void
remove_lost(Merge *merge, TimestampTz t)
{
	const SsotEntity *entity = merge->entity;
	SsotUser	user = ssot_become_owner(entity->relid);

	ssot_machine_begin();
	run(merge, t, ssot_sql("INSERT INTO %T (%s, valid_to, ssot_run, ssot_changed_by, ssot_reason)"
						   " SELECT %s, $1, $2, $3,"
						   " 'merged into ' || m.kept::pg_catalog.text || coalesce(': ' || $4, '')"
						   " FROM %T AS g JOIN " SSOT_MERGES " ON m.lost = g.%I"
						   " WHERE g.valid_from < $1",
						   entity->history_table, ssot_history_columns(entity, ""),
						   ssot_history_columns(entity, "g."),
						   ssot_relation_name(entity->relid), entity->id_column), NULL, NULL);
	delete_lost(merge, t);
	ssot_machine_end();
	ssot_restore_user(user);

	user = ssot_become_owner(ssot_companion_oid("ssot.merged_id"));

	/*
	 * What was merged into a lost id before is what that has become. We are
	 * the extension's owner here, and the ids may have a type of the user's:
	 * format() asks its output function, never a cast that they made.
	 */
	run(merge, t, ssot_sql("UPDATE ssot.merged_id AS o SET kept_id = pg_catalog.format('%%s', m.kept)"
						   " FROM " SSOT_MERGES
						   " WHERE o.entity = %L AND o.kept_id = pg_catalog.format('%%s', m.lost)",
						   entity->name), NULL, NULL);
	run(merge, t, ssot_sql("INSERT INTO ssot.merged_id"
						   " (entity, lost_id, kept_id, into_id, merged_at, reason, operation)"
						   " SELECT %L, pg_catalog.format('%%s', m.lost), pg_catalog.format('%%s', m.kept),"
						   " pg_catalog.format('%%s', m.kept), $1,"
						   " coalesce($4, 'records share a key (run ' || $2 || ')', 'merged by ' || $3), $5"
						   " FROM " SSOT_MERGES
						   " ON CONFLICT (entity, lost_id) DO UPDATE"
						   " SET kept_id = EXCLUDED.kept_id, into_id = EXCLUDED.into_id,"
						   " merged_at = EXCLUDED.merged_at, reason = EXCLUDED.reason,"
						   " operation = EXCLUDED.operation", entity->name),
		NULL, NULL);
	ssot_restore_user(user);
}

SsotRelation
ssot_merge_relation(const SsotEntity *entity, const SsotMerge *merges, int nmerges)
{
	TupleDesc	desc = CreateTemplateTupleDesc(3);
	SsotRelation relation = {"ssot_merges", desc, NULL, nmerges};

	TupleDescInitEntry(desc, 1, "lost", entity->id_type, -1, 0);
	TupleDescInitEntry(desc, 2, "kept", entity->id_type, -1, 0);
	TupleDescInitEntry(desc, 3, "n", INT4OID, -1, 0);
	relation.rows = tuplestore_begin_heap(true, false, work_mem);
	for (int i = 0; i < nmerges; i++)
	{
		Datum		values[3] = {merges[i].lost, merges[i].kept, Int32GetDatum(i)};
		bool		nulls[3] = {false, false, false};

		tuplestore_putvalues(relation.rows, desc, values, nulls);
	}
	return relation;
}

void
ssot_merge_move(const SsotEntity *entity, const SsotMerge *merges, int nmerges,
				TimestampTz t, const SsotMerger *merger)
{
	Merge		merge = {entity, merger, ssot_merge_relation(entity, merges, nmerges)};
	List	   *referrers = ssot_referrers(entity);
	ListCell   *cell;

	foreach(cell, referrers)
	{
		SsotReferrer *referrer = (SsotReferrer *) lfirst(cell);

		if (referrer->entity != NULL)
			repoint_entity(&merge, referrer);
		else
			ssot_repoint_table(entity, referrer, &merge.merges, t);
	}
	remove_lost(&merge, t);
	ssot_settle_constraints(entity, referrers);
	tuplestore_end(merge.merges.rows);
}

void
ssot_merge_finish(const SsotEntity *entity, const SsotMerge *merges, int nmerges,
				  TimestampTz t, const SsotMerger *merger)
{
	Merge		merge = {entity, merger, ssot_merge_relation(entity, merges, nmerges)};
	ListCell   *cell;

	ssot_merge_pins(entity, &merge.merges, t);
	ssot_retirements_end_merged(entity, &merge.merges);
	foreach(cell, ssot_referrers(entity))
	{
		SsotReferrer *referrer = (SsotReferrer *) lfirst(cell);

		/* a run settles its own entity itself, when all its records are in */
		if (referrer->entity != NULL &&
			(referrer->relid != entity->relid || merger->run_id == 0))
			settle_entity(&merge, referrer->entity, ssot_clock_lock(referrer->entity),
						  ssot_referrer_field(entity, referrer));
	}
	tuplestore_end(merge.merges.rows);
}
