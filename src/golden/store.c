/*
 * golden/store.c
 *		Writing source records, their history and their tokens.
 *
 * What a run staged is gone through twice: once to learn which foreign keys
 * must be looked up, once to put golden ids and foreign keys into the rows.
 * The finished rows are compared with what is stored of their keys (renewal.c), so
 * what is to be inserted, updated, deleted and kept as history is known before SQL
 * is asked: each is a relation of its own, and where it is empty there is no
 * statement. The same goes for tokens.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/hold.h"
#include "golden/reference.h"
#include "golden/renewal.h"
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
	SsotRenewal *renewal;		/* finished records */
	SsotRelation tokens;		/* (token, ssot_source, ssot_key) */
	SsotRelation retokened;		/* keys (as gone) with other tokens than
								 * before */
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

/* The tokens of a key, unless they are those that it had. */
static void
put_tokens(Store *store, const SsotNode *node, const Datum *row, Datum array, bool isnull)
{
	Datum		key[2] = {row[SSOT_REC_SOURCE - 1], row[SSOT_REC_KEY - 1]};
	bool		nulls[3] = {false, false, false};
	Datum	   *elements;
	int			n;

	if (node->stored && node->old_tokens == DatumGetInt64(row[SSOT_REC_TOKENS - 1]))
		return;
	ssot_relation_put(&store->retokened, key, nulls);
	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		Datum		values[3] = {elements[i], key[0], key[1]};

		ssot_relation_put(&store->tokens, values, nulls);
	}
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
		/* the superseded rows of a key follow its row in force */
		if (DatumGetInt32(values[SSOT_REC_COPY - 1]) <= 0)
		{
			n++;
			ssot_renewal_key(store->renewal, values[SSOT_REC_SOURCE - 1], values[SSOT_REC_KEY - 1]);
			put_tokens(store, &store->linking->nodes[n], values, values[natts - 1], nulls[natts - 1]);
		}
		node = &store->linking->nodes[n];
		nulls[SSOT_REC_ID - 1] = !node->has_id;
		values[SSOT_REC_ID - 1] = node->has_id ? node->id : (Datum) 0;
		if (!nulls[SSOT_REC_REFS - 1])
			ssot_references_fill(store->references, DatumGetJsonbP(values[SSOT_REC_REFS - 1]),
								 values + SSOT_REC_FIELDS, nulls + SSOT_REC_FIELDS);
		ssot_renewal_row(store->renewal, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row);
	}
	ssot_renewal_finish(store->renewal);
}

/* Does a record belong elsewhere than before? */
static bool
moves(const SsotEntity *entity, const SsotNode *node)
{
	return node->has_id != node->had_id ||
		(node->has_id && !datum_image_eq(node->id, node->old_id, entity->id_typbyval,
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
		ssot_relation_put(&store->moved, values, nulls);
	}
}

/* ---- the statements ------------------------------------------------------ */

static void
run(Store *store, const char *sql, bool with_time)
{
	Oid			argtype = TIMESTAMPTZOID;
	Datum		arg = TimestampTzGetDatum(store->t);
	const SsotRenewal *renewal = store->renewal;
	SsotRelation relations[] = {renewal->added, renewal->changed, renewal->closed,
	renewal->dropped, store->tokens, store->retokened, store->gone, store->moved};
	SsotStatement statement = {
		.sql = sql,
		.nargs = with_time ? 1 : 0,.argtypes = &argtype,.args = &arg,
		.nrelations = lengthof(relations),.relations = relations,
	};

	ssot_statement_run(&statement);
}

static const char *const same_row = "s.ssot_key = i.ssot_key AND s.ssot_source = i.ssot_source"
" AND s.ssot_copy = i.ssot_copy";

static char *
keep_closed_sql(const SsotEntity *entity)
{
	return ssot_sql("INSERT INTO %T (%s, ssot_to) SELECT %s, $1 FROM ssot_closed AS c",
					entity->source_history_table, ssot_record_columns(entity, ""),
					ssot_record_columns(entity, "c."));
}

static char *
delete_sql(const SsotEntity *entity)
{
	return ssot_sql("DELETE FROM %T AS s USING ssot_dropped AS i WHERE %s",
					entity->source_table, same_row);
}

/* All rows of keys that are gone go to history. */
static char *
remove_sql(const SsotEntity *entity)
{
	return ssot_sql("WITH removed AS (DELETE FROM %T AS s USING ssot_gone AS g"
					" WHERE s.ssot_key = g.ssot_key AND s.ssot_source = g.ssot_source"
					" RETURNING %s)"
					" INSERT INTO %T (%s, ssot_to) SELECT r.*, $1 FROM removed AS r"
					" WHERE r.ssot_from < $1",
					entity->source_table, ssot_record_columns(entity, "s."),
					entity->source_history_table, ssot_record_columns(entity, ""));
}

static char *
update_sql(const SsotEntity *entity)
{
	StringInfoData set;

	initStringInfo(&set);
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(&set, ", %I = i.%I", entity->fields[f].name, entity->fields[f].name);
	return ssot_sql("UPDATE %T AS s SET %I = i.%I, ssot_from = i.ssot_from,"
					" ssot_updated_at = i.ssot_updated_at, ssot_times = i.ssot_times,"
					" ssot_image = i.ssot_image, ssot_tokens = i.ssot_tokens,"
					" ssot_refs = i.ssot_refs, ssot_detail = i.ssot_detail%s"
					" FROM ssot_changed AS i WHERE %s",
					entity->source_table, entity->id_column, entity->id_column, set.data, same_row);
}

static char *
insert_sql(const SsotEntity *entity)
{
	return ssot_sql("INSERT INTO %T (%s) SELECT %s FROM ssot_added AS i",
					entity->source_table, ssot_record_columns(entity, ""),
					ssot_record_columns(entity, "i."));
}

static void
write_tokens(Store *store)
{
	const SsotEntity *entity = store->entity;
	const char *same_token = "k.token = n.token AND k.ssot_source = n.ssot_source"
	" AND k.ssot_key = n.ssot_key";

	if (!store->linking->first_load && store->gone.count + store->retokened.count > 0)
		run(store, ssot_sql("DELETE FROM %T AS k"
							" USING (SELECT g.ssot_source, g.ssot_key FROM ssot_gone AS g"
							" UNION SELECT i.ssot_source, i.ssot_key FROM ssot_retokened AS i) AS x"
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
	store.renewal = ssot_renewal_create(ingest, t);
	store.tokens = ssot_relation_create("ssot_new_tokens", ssot_token_desc());
	store.retokened = ssot_relation_create("ssot_retokened", ingest->gone_desc);
	store.moved = ssot_relation_create("ssot_moved", ssot_key_and_desc("id", entity->id_type));
	store.gone = (SsotRelation)
	{
		"ssot_gone", ingest->gone_desc, ingest->gone, ingest->ngone
	};
	if (has_references(entity))
		gather_references(&store, slot, row);
	finish_rows(&store, slot, row);
	gather_moved(&store);
	/* first of all: what a closed version has in TOAST goes with its row */
	if (store.renewal->closed.count > 0)
		run(&store, keep_closed_sql(entity), true);
	if (store.gone.count > 0)
		run(&store, remove_sql(entity), true);
	if (store.renewal->dropped.count > 0)
		run(&store, delete_sql(entity), false);
	if (store.renewal->changed.count > 0)
		run(&store, update_sql(entity), false);
	if (store.renewal->added.count > 0)
		run(&store, insert_sql(entity), false);
	write_tokens(&store);
	write_moved(&store);

	ssot_renewal_free(store.renewal);
	tuplestore_end(store.tokens.rows);
	tuplestore_end(store.retokened.rows);
	tuplestore_end(store.moved.rows);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(row);
	ssot_restore_user(user);
}
