/*
 * golden/store.c
 *		Writing source records, their history and their tokens.
 *
 * What a run staged is gone through twice: once to learn which foreign keys
 * must be looked up, once to put golden ids and foreign keys into the rows.
 * The finished rows enter SQL as one relation, and five statements bring the
 * stored records to them. A row whose content is the same is not written; one
 * of which only the source time or the raw image differs is written without a
 * new version, because what the system says has not changed.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/hold.h"
#include "golden/reference.h"
#include "golden/store.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

/* Everything the statements need. */
typedef struct Store
{
	const SsotEntity *entity;
	const SsotIngest *ingest;
	const SsotLinking *linking;
	TimestampTz t;
	SsotReferences *references;
	SsotRelation incoming;		/* finished records */
	SsotRelation tokens;		/* (token, ssot_source, ssot_key) */
	SsotRelation gone;
	SsotRelation moved;			/* (ssot_source, ssot_key, id) */
} Store;

/* ---- finishing the staged rows ------------------------------------------- */

static void
offer_tokens(Store *store, const SsotNode *node, Datum tokens, bool no_tokens)
{
	Datum	   *elements;
	int			n;

	ssot_references_offer(store->references,
						  psprintf("%s:%s", store->entity->sources[node->source].system, node->key),
						  node->id);
	if (no_tokens)
		return;
	deconstruct_array(DatumGetArrayTypeP(tokens), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		ssot_references_offer(store->references, TextDatumGetCString(elements[i]), node->id);
}

static bool
has_references(const SsotEntity *entity)
{
	for (int f = 0; f < entity->nfields; f++)
		if (OidIsValid(entity->fields[f].references))
			return true;
	return false;
}

static void
gather_references(Store *store, TupleTableSlot *slot, MemoryContext row)
{
	bool		itself = ssot_references_itself(store->entity);
	int			natts = store->ingest->desc->natts;
	int			n = -1;

	tuplestore_rescan(store->ingest->staged);
	while (tuplestore_gettupleslot(store->ingest->staged, true, false, slot))
	{
		MemoryContext old = MemoryContextSwitchTo(row);
		bool		isnull;
		Datum		refs;

		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt32(slot_getattr(slot, SSOT_REC_COPY, &isnull)) <= 0)
			n++;
		refs = slot_getattr(slot, SSOT_REC_REFS, &isnull);
		if (!isnull)
			ssot_references_want(store->references, DatumGetJsonbP(refs));
		if (itself && store->linking->nodes[n].has_id)
		{
			Datum		tokens = slot_getattr(slot, natts, &isnull);

			offer_tokens(store, &store->linking->nodes[n], tokens, isnull);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(row);
	}
	ssot_references_resolve(store->references);
}

static void
put_tokens(Store *store, Datum source, Datum key, Datum array)
{
	Datum	   *elements;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		Datum		values[3] = {elements[i], source, key};
		bool		nulls[3] = {false, false, false};

		tuplestore_putvalues(store->tokens.rows, store->tokens.desc, values, nulls);
	}
	store->tokens.count += n;
}

static void
finish_rows(Store *store, TupleTableSlot *slot, MemoryContext row)
{
	int			natts = store->ingest->desc->natts;
	Datum	   *values = palloc(sizeof(Datum) * natts);
	bool	   *nulls = palloc(sizeof(bool) * natts);
	int			n = -1;

	tuplestore_rescan(store->ingest->staged);
	while (tuplestore_gettupleslot(store->ingest->staged, true, false, slot))
	{
		MemoryContext old = MemoryContextSwitchTo(row);
		const SsotNode *node;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		memcpy(values, slot->tts_values, sizeof(Datum) * natts);
		memcpy(nulls, slot->tts_isnull, sizeof(bool) * natts);
		if (DatumGetInt32(values[SSOT_REC_COPY - 1]) <= 0)
		{
			n++;
			if (!nulls[natts - 1])
				put_tokens(store, values[SSOT_REC_SOURCE - 1],
						   values[SSOT_REC_KEY - 1], values[natts - 1]);
		}
		/* the superseded rows of a key follow its row in force */
		node = &store->linking->nodes[n];
		nulls[SSOT_REC_ID - 1] = !node->has_id;
		values[SSOT_REC_ID - 1] = node->has_id ? node->id : (Datum) 0;
		nulls[SSOT_REC_FROM - 1] = false;
		values[SSOT_REC_FROM - 1] = TimestampTzGetDatum(store->t);
		if (!nulls[SSOT_REC_REFS - 1])
			ssot_references_fill(store->references, DatumGetJsonbP(values[SSOT_REC_REFS - 1]),
								 values + SSOT_REC_FIELDS, nulls + SSOT_REC_FIELDS);
		tuplestore_putvalues(store->incoming.rows, store->incoming.desc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row);
	}
	store->incoming.count = store->ingest->nstaged;
}

/* Does a record belong elsewhere than before? */
static bool
moves(const SsotEntity *entity, const SsotNode *node)
{
	return node->has_id != node->had_id ||
		(node->has_id && !datumIsEqual(node->id, node->old_id, entity->id_typbyval,
									   entity->id_typlen));
}

bool
ssot_linking_moves(const SsotEntity *entity, const SsotLinking *linking)
{
	for (int i = 0; i < linking->nnodes; i++)
		if (moves(entity, &linking->nodes[i]))
			return true;
	return false;
}

/* Records that were not staged but belong elsewhere now. */
static void
gather_moved(Store *store)
{
	const SsotLinking *linking = store->linking;

	for (int i = linking->nstaged; i < linking->nnodes; i++)
	{
		const SsotNode *node = &linking->nodes[i];
		Datum		values[3];
		bool		nulls[3] = {false, false, !node->has_id};

		if (!moves(store->entity, node))
			continue;
		values[0] = Int32GetDatum(store->entity->sources[node->source].source_id);
		values[1] = CStringGetTextDatum(node->key);
		values[2] = node->id;
		tuplestore_putvalues(store->moved.rows, store->moved.desc, values, nulls);
		store->moved.count++;
	}
}

/* ---- the statements ------------------------------------------------------ */

static void
run(Store *store, const char *sql, bool with_time)
{
	Oid			argtype = TIMESTAMPTZOID;
	Datum		arg = TimestampTzGetDatum(store->t);
	SsotRelation relations[] = {store->incoming, store->tokens, store->gone, store->moved};
	SsotStatement statement = {
		.sql = sql,
		.nargs = with_time ? 1 : 0,.argtypes = &argtype,.args = &arg,
		.nrelations = lengthof(relations),.relations = relations,
	};

	ssot_statement_run(&statement);
}

static const char *const same_row = "s.ssot_key = i.ssot_key AND s.ssot_source = i.ssot_source"
" AND s.ssot_copy = i.ssot_copy";

/* "ROW(s.…) *<> ROW(i.…)" over what a system record says. Two bare ROW()s would
 * be compared column by column: they must be records. */
static char *
content_differs(const SsotEntity *entity)
{
	const char *comma = entity->nfields > 0 ? ", " : "";

	return ssot_sql("ROW(s.%I, s.ssot_tokens, s.ssot_refs, s.ssot_detail%s%s)::pg_catalog.record"
					" OPERATOR(pg_catalog.*<>)"
					" ROW(i.%I, i.ssot_tokens, i.ssot_refs, i.ssot_detail%s%s)::pg_catalog.record",
					entity->id_column, comma, ssot_field_list(entity, "s."),
					entity->id_column, comma, ssot_field_list(entity, "i."));
}

static char *
keep_changed_sql(const SsotEntity *entity)
{
	return ssot_sql("INSERT INTO %T (%s, ssot_to) SELECT %s, $1"
					" FROM %T AS s JOIN ssot_incoming AS i ON %s"
					" WHERE s.ssot_from < $1 AND %s",
					entity->source_history_table, ssot_record_columns(entity, ""),
					ssot_record_columns(entity, "s."), entity->source_table, same_row,
					content_differs(entity));
}

/* Rows that a key no longer has go to history. */
static char *
remove_sql(const SsotEntity *entity)
{
	return ssot_sql("WITH removed AS (DELETE FROM %T AS s"
					" USING (SELECT g.ssot_source, g.ssot_key FROM ssot_gone AS g"
					" UNION SELECT n.ssot_source, n.ssot_key FROM ssot_incoming AS n) AS x"
					" WHERE s.ssot_key = x.ssot_key AND s.ssot_source = x.ssot_source"
					" AND NOT EXISTS (SELECT FROM ssot_incoming AS i WHERE %s)"
					" RETURNING %s)"
					" INSERT INTO %T (%s, ssot_to) SELECT r.*, $1 FROM removed AS r"
					" WHERE r.ssot_from < $1",
					entity->source_table, same_row, ssot_record_columns(entity, "s."),
					entity->source_history_table, ssot_record_columns(entity, ""));
}

static char *
update_sql(const SsotEntity *entity)
{
	StringInfoData set;

	initStringInfo(&set);
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(&set, ", %I = i.%I", entity->fields[f].name, entity->fields[f].name);
	return ssot_sql("UPDATE %T AS s SET %I = i.%I,"
					" ssot_from = CASE WHEN %s THEN $1 ELSE s.ssot_from END,"
					" ssot_updated_at = i.ssot_updated_at, ssot_times = i.ssot_times,"
					" ssot_image = i.ssot_image, ssot_tokens = i.ssot_tokens,"
					" ssot_refs = i.ssot_refs, ssot_detail = i.ssot_detail%s"
					" FROM ssot_incoming AS i WHERE %s"
					" AND (%s OR ROW(s.ssot_updated_at, s.ssot_times, s.ssot_image)::pg_catalog.record"
					" OPERATOR(pg_catalog.*<>)"
					" ROW(i.ssot_updated_at, i.ssot_times, i.ssot_image)::pg_catalog.record)",
					entity->source_table, entity->id_column, entity->id_column,
					content_differs(entity), set.data, same_row, content_differs(entity));
}

static char *
insert_sql(const SsotEntity *entity, bool first_load)
{
	return ssot_sql("INSERT INTO %T (%s) SELECT %s FROM ssot_incoming AS i%s",
					entity->source_table, ssot_record_columns(entity, ""),
					ssot_record_columns(entity, "i."),
					first_load ? "" :
					ssot_sql(" WHERE NOT EXISTS (SELECT FROM %T AS s WHERE %s)",
							 entity->source_table, same_row));
}

static void
write_tokens(Store *store)
{
	const SsotEntity *entity = store->entity;
	const char *same_token = "k.token = n.token AND k.ssot_source = n.ssot_source"
	" AND k.ssot_key = n.ssot_key";

	if (!store->linking->first_load)
		run(store, ssot_sql("DELETE FROM %T AS k"
							" USING (SELECT g.ssot_source, g.ssot_key FROM ssot_gone AS g"
							" UNION SELECT i.ssot_source, i.ssot_key FROM ssot_incoming AS i) AS x"
							" WHERE k.ssot_source = x.ssot_source AND k.ssot_key = x.ssot_key"
							" AND NOT EXISTS (SELECT FROM ssot_new_tokens AS n WHERE %s)",
							entity->key_table, same_token), false);
	if (store->tokens.count > 0)
		run(store, ssot_sql("INSERT INTO %T (token, ssot_source, ssot_key)"
							" SELECT n.token, n.ssot_source, n.ssot_key FROM ssot_new_tokens AS n%s",
							entity->key_table, store->linking->first_load ? "" :
							ssot_sql(" WHERE NOT EXISTS (SELECT FROM %T AS k WHERE %s)",
									 entity->key_table, same_token)), false);
}

static void
write_moved(Store *store)
{
	const SsotEntity *entity = store->entity;
	const char *same_record = "s.ssot_key = m.ssot_key AND s.ssot_source = m.ssot_source";

	if (store->moved.count == 0)
		return;
	run(store, ssot_sql("INSERT INTO %T (%s, ssot_to) SELECT %s, $1"
						" FROM %T AS s JOIN ssot_moved AS m ON %s WHERE s.ssot_from < $1",
						entity->source_history_table, ssot_record_columns(entity, ""),
						ssot_record_columns(entity, "s."), entity->source_table, same_record), true);
	run(store, ssot_sql("UPDATE %T AS s SET %I = m.id, ssot_from = $1"
						" FROM ssot_moved AS m WHERE %s",
						entity->source_table, entity->id_column, same_record), true);
}

/* ---- the whole ----------------------------------------------------------- */

static TupleDesc
moved_desc(const SsotEntity *entity)
{
	TupleDesc	desc = CreateTemplateTupleDesc(3);

	TupleDescInitEntry(desc, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 2, C_COLLATION_OID);
	TupleDescInitEntry(desc, 3, "id", entity->id_type, -1, 0);
	return desc;
}

static SsotRelation
new_relation(const char *name, TupleDesc desc)
{
	SsotRelation relation = {name, desc, tuplestore_begin_heap(true, false, work_mem), 0};

	return relation;
}

void
ssot_store_records(const SsotEntity *entity, const SsotIngest *ingest,
				   const SsotLinking *linking, TimestampTz t)
{
	Store		store = {.entity = entity,.ingest = ingest,.linking = linking,.t = t};
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext, "ssot record",
											  ALLOCSET_DEFAULT_SIZES);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(ingest->desc, &TTSOpsMinimalTuple);
	SsotUser	user = ssot_become_owner(entity->relid);

	store.references = ssot_references_create(entity);
	store.incoming = new_relation("ssot_incoming", ssot_record_desc(entity, false));
	store.tokens = new_relation("ssot_new_tokens", ssot_token_desc());
	store.moved = new_relation("ssot_moved", moved_desc(entity));
	store.gone = (SsotRelation)
	{
		"ssot_gone", ingest->gone_desc, ingest->gone, ingest->ngone
	};

	if (has_references(entity))
		gather_references(&store, slot, row);
	finish_rows(&store, slot, row);
	gather_moved(&store);
	if (!linking->first_load)
	{
		run(&store, keep_changed_sql(entity), true);
		run(&store, remove_sql(entity), true);
		run(&store, update_sql(entity), true);
	}
	run(&store, insert_sql(entity, linking->first_load), false);
	write_tokens(&store);
	write_moved(&store);

	tuplestore_end(store.incoming.rows);
	tuplestore_end(store.tokens.rows);
	tuplestore_end(store.moved.rows);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(row);
	ssot_restore_user(user);
}
