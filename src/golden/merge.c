/*
 * golden/merge.c
 *		Two golden records that turned out to be one.
 *
 * A link that arrives late can join two golden records. The smaller id is kept.
 * Everything that refers to the other is pointed at it, set-wise: one UPDATE
 * per foreign key. Where the referring table is an entity itself, its versions
 * go to its history and its records follow, so that its next settling agrees.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/record.h"
#include "golden/clock.h"
#include "golden/hold.h"
#include "golden/merge.h"
#include "golden/settle.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

/* One foreign key to the entity. */
typedef struct Referrer
{
	Oid			relid;
	char	   *column;
	SsotEntity *entity;			/* NULL: not registered */
} Referrer;

static SsotQuery referring_keys = {
	"SELECT c.conrelid, a.attname::pg_catalog.text"
	"  FROM pg_catalog.pg_constraint AS c"
	"  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
	"  JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid"
	"  JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace"
	" WHERE c.contype = 'f' AND c.confrelid = $1 AND c.conparentid = 0"
	"   AND pg_catalog.cardinality(c.conkey) = 1"
	" ORDER BY n.nspname, r.relname, a.attname",
	1, {OIDOID}
};

static bool
take_referrer(TupleTableSlot *slot, void *arg)
{
	List	  **referrers = (List **) arg;
	Referrer   *referrer = palloc0(sizeof(Referrer));

	slot_getallattrs(slot);
	referrer->relid = DatumGetObjectId(slot->tts_values[0]);
	referrer->column = TextDatumGetCString(slot->tts_values[1]);
	*referrers = lappend(*referrers, referrer);
	return true;
}

static List *
find_referrers(const SsotEntity *entity)
{
	List	   *referrers = NIL;
	Datum		relid = ObjectIdGetDatum(entity->relid);
	ListCell   *cell;

	ssot_query_each(&referring_keys, &relid, NULL, take_referrer, &referrers);
	foreach(cell, referrers)
	{
		Referrer   *referrer = (Referrer *) lfirst(cell);

		referrer->entity = ssot_entity_load(referrer->relid, true);
	}
	return referrers;
}

static int
compare_entity_names(const ListCell *a, const ListCell *b)
{
	return strcmp(((const SsotEntity *) lfirst(a))->name,
				  ((const SsotEntity *) lfirst(b))->name);
}

List *
ssot_referring_entities(const SsotEntity *entity)
{
	List	   *entities = NIL;
	ListCell   *cell;

	foreach(cell, find_referrers(entity))
	{
		Referrer   *referrer = (Referrer *) lfirst(cell);
		bool		known = referrer->relid == entity->relid;
		ListCell   *other;

		foreach(other, entities)
			known |= ((SsotEntity *) lfirst(other))->relid == referrer->relid;
		if (referrer->entity != NULL && !known)
			entities = lappend(entities, referrer->entity);
	}
	list_sort(entities, compare_entity_names);
	return entities;
}

/* The statements' arguments: merges, time, run. */
typedef struct Merger
{
	const SsotEntity *entity;
	SsotRelation merges;		/* (lost, kept) */
	int64		run_id;
} Merger;

static uint64
run(Merger *merger, TimestampTz t, const char *sql, SsotRowCallback callback, void *arg)
{
	Oid			argtypes[] = {TIMESTAMPTZOID, INT8OID};
	Datum		args[] = {TimestampTzGetDatum(t), Int64GetDatum(merger->run_id)};
	SsotStatement statement = {
		.sql = sql,.nargs = 2,.argtypes = argtypes,.args = args,
		.nrelations = 1,.relations = &merger->merges,
	};

	return callback == NULL ? ssot_statement_run(&statement) :
		ssot_statement_each(&statement, callback, arg);
}

/* Ids whose drift must be looked at again. */
typedef struct IdList
{
	const SsotEntity *entity;
	Tuplestorestate *ids;
	int64		count;
} IdList;

static bool
take_id(TupleTableSlot *slot, void *arg)
{
	IdList	   *list = (IdList *) arg;
	bool		isnull;
	Datum		id = slot_getattr(slot, 1, &isnull);

	if (!isnull)
	{
		tuplestore_putvalues(list->ids, ssot_id_desc(list->entity), &id, &isnull);
		list->count++;
	}
	return true;
}

/*
 * An entity that refers to the lost ids: its golden rows and its records, each
 * with history.
 */
static void
repoint_entity(Merger *merger, const Referrer *referrer, TimestampTz t)
{
	const SsotEntity *child = referrer->entity;
	const char *golden = ssot_relation_name(child->relid);
	const char *column = referrer->column;
	SsotUser	user = ssot_become_owner(child->relid);
	char	   *fields = ssot_field_list(child, "");

	ssot_machine_begin();
	run(merger, t, ssot_sql("INSERT INTO %T (%I, %s, valid_from, retired_at, valid_to, ssot_run)"
							" SELECT g.%I, %s, g.valid_from, g.retired_at, $1, $2"
							" FROM %T AS g JOIN ssot_merges AS m ON m.lost = g.%I"
							" WHERE g.valid_from < $1",
							child->history_table, child->id_column, fields, child->id_column,
							ssot_field_list(child, "g."), golden, column), NULL, NULL);
	run(merger, t, ssot_sql("UPDATE %T AS g SET %I = m.kept, valid_from = $1"
							" FROM ssot_merges AS m WHERE m.lost = g.%I",
							golden, column, column), NULL, NULL);
	run(merger, t, ssot_sql("INSERT INTO %T (%s, ssot_to) SELECT %s, $1"
							" FROM %T AS s JOIN ssot_merges AS m ON m.lost = s.%I"
							" WHERE s.ssot_from < $1",
							child->source_history_table, ssot_record_columns(child, ""),
							ssot_record_columns(child, "s."), child->source_table, column),
		NULL, NULL);
	run(merger, t, ssot_sql("UPDATE %T AS s SET %I = m.kept, ssot_from = $1"
							" FROM ssot_merges AS m WHERE m.lost = s.%I",
							child->source_table, column, column), NULL, NULL);
	ssot_machine_end();
	ssot_restore_user(user);
}

/* Bring a referring entity's drift up to date after all its keys were moved. */
static void
settle_entity(Merger *merger, const SsotEntity *child, TimestampTz t, const char *column)
{
	IdList		list = {child, tuplestore_begin_heap(true, false, work_mem), 0};
	SsotSettleFigures figures = {0};
	SsotUser	user = ssot_become_owner(child->relid);

	run(merger, t, ssot_sql("SELECT DISTINCT s.%I FROM %T AS s JOIN ssot_merges AS m ON m.kept = s.%I"
							" WHERE s.ssot_from = $1",
							child->id_column, child->source_table, column), take_id, &list);
	ssot_restore_user(user);
	figures.drift_opened = palloc0(sizeof(int64) * Max(child->nsources, 1));
	figures.drift_closed = palloc0(sizeof(int64) * Max(child->nsources, 1));
	if (list.count > 0)
		ssot_settle(child, list.ids, list.count, t, merger->run_id, &figures);
	tuplestore_end(list.ids);
}

static void
remove_lost(Merger *merger, TimestampTz t)
{
	const SsotEntity *entity = merger->entity;
	const char *golden = ssot_relation_name(entity->relid);
	const char *comma = entity->nfields > 0 ? ", " : "";
	SsotUser	user = ssot_become_owner(entity->relid);

	ssot_machine_begin();
	run(merger, t, ssot_sql("INSERT INTO %T (%I%s%s, valid_from, retired_at, valid_to, ssot_reason, ssot_run)"
							" SELECT g.%I%s%s, g.valid_from, g.retired_at, $1,"
							" 'merged into ' || m.kept::pg_catalog.text, $2"
							" FROM %T AS g JOIN ssot_merges AS m ON m.lost = g.%I"
							" WHERE g.valid_from < $1",
							entity->history_table, entity->id_column, comma,
							ssot_field_list(entity, ""), entity->id_column, comma,
							ssot_field_list(entity, "g."), golden, entity->id_column), NULL, NULL);
	run(merger, t, ssot_sql("DELETE FROM %T AS g USING ssot_merges AS m WHERE m.lost = g.%I"
							"",
							golden, entity->id_column), NULL, NULL);
	ssot_machine_end();
	ssot_restore_user(user);

	user = ssot_become_owner(get_relname_relid("merged_id", get_namespace_oid("ssot", false)));
	/* what was merged into a lost id before is what that has become */
	run(merger, t, ssot_sql("UPDATE ssot.merged_id AS o SET kept_id = m.kept::pg_catalog.text"
							" FROM ssot_merges AS m"
							" WHERE o.entity = %L AND o.kept_id = m.lost::pg_catalog.text",
							entity->name), NULL, NULL);
	run(merger, t, ssot_sql("INSERT INTO ssot.merged_id (entity, lost_id, kept_id, merged_at, reason)"
							" SELECT %L, m.lost::pg_catalog.text, m.kept::pg_catalog.text, $1,"
							" 'records share a key (run ' || $2 || ')' FROM ssot_merges AS m"
							" ON CONFLICT (entity, lost_id) DO UPDATE"
							" SET kept_id = EXCLUDED.kept_id, merged_at = EXCLUDED.merged_at,"
							" reason = EXCLUDED.reason", entity->name), NULL, NULL);
	ssot_restore_user(user);
}

void
ssot_merge_golden(const SsotEntity *entity, const SsotMerge *merges, int nmerges,
				  TimestampTz t, int64 run_id)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	Merger		merger = {entity, {"ssot_merges", desc, NULL, nmerges}, run_id};
	List	   *referrers = find_referrers(entity);
	ListCell   *cell;

	TupleDescInitEntry(desc, 1, "lost", entity->id_type, -1, 0);
	TupleDescInitEntry(desc, 2, "kept", entity->id_type, -1, 0);
	merger.merges.rows = tuplestore_begin_heap(true, false, work_mem);
	for (int i = 0; i < nmerges; i++)
	{
		Datum		values[2] = {merges[i].lost, merges[i].kept};
		bool		nulls[2] = {false, false};

		tuplestore_putvalues(merger.merges.rows, desc, values, nulls);
	}
	foreach(cell, referrers)
	{
		Referrer   *referrer = (Referrer *) lfirst(cell);

		if (referrer->entity != NULL)
			repoint_entity(&merger, referrer, ssot_clock_take(referrer->entity));
		else
			run(&merger, t, ssot_sql("UPDATE %T AS c SET %I = m.kept FROM ssot_merges AS m"
									 " WHERE m.lost = c.%I",
									 ssot_relation_name(referrer->relid), referrer->column,
									 referrer->column), NULL, NULL);
	}
	remove_lost(&merger, t);
	foreach(cell, referrers)
	{
		Referrer   *referrer = (Referrer *) lfirst(cell);

		if (referrer->entity != NULL && referrer->relid != entity->relid)
			settle_entity(&merger, referrer->entity, ssot_clock_take(referrer->entity),
						  referrer->column);
	}
	tuplestore_end(merger.merges.rows);
}
