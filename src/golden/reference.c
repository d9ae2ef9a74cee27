/*
 * golden/reference.c
 *		Foreign keys between canonical tables, filled through the crosswalk.
 *
 * A record names the target of a foreign key by token ("crm.id:11000"). Tokens
 * are gathered, looked up in sets of a hundred thousand through the target's
 * crosswalk, and the answers kept for the run. A token without a target leaves
 * the field NULL and waits: the record is good, its parent has not arrived.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/record.h"
#include "golden/clock.h"
#include "golden/hold.h"
#include "golden/reference.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define LOOKUP_BATCH 100000

/* One token for one field. The key is a pointer: hashed and compared by text. */
typedef struct TokenKey
{
	int			field;
	const char *token;
} TokenKey;

typedef struct TokenTarget
{
	TokenKey	key;
	bool		found;
	Datum		id;
} TokenTarget;

struct SsotReferences
{
	const SsotEntity *entity;
	MemoryContext context;
	HTAB	   *targets;
	int64		nwanted;
	TupleDesc	wanted_desc;	/* (token, system, key) */
	Tuplestorestate **wanted;	/* by field, NULL until wanted */
	int			answering;		/* the field whose answers arrive */
};

static uint32
hash_token(const void *key, Size size)
{
	const TokenKey *token = (const TokenKey *) key;

	return hash_bytes((const unsigned char *) token->token, strlen(token->token)) ^
		(uint32) token->field;
}

static int
match_token(const void *a, const void *b, Size size)
{
	const TokenKey *x = (const TokenKey *) a;
	const TokenKey *y = (const TokenKey *) b;

	return x->field != y->field ? 1 : strcmp(x->token, y->token);
}

SsotReferences *
ssot_references_create(const SsotEntity *entity)
{
	SsotReferences *references = palloc0(sizeof(SsotReferences));
	HASHCTL		control = {0};

	references->entity = entity;
	references->context = CurrentMemoryContext;
	control.keysize = sizeof(TokenKey);
	control.entrysize = sizeof(TokenTarget);
	control.hash = hash_token;
	control.match = match_token;
	control.hcxt = CurrentMemoryContext;
	references->targets = hash_create("ssot references", 1024, &control,
									  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	references->wanted = palloc0(sizeof(Tuplestorestate *) * Max(entity->nfields, 1));
	references->wanted_desc = CreateTemplateTupleDesc(3);
	TupleDescInitEntry(references->wanted_desc, 1, "token", TEXTOID, -1, 0);
	TupleDescInitEntry(references->wanted_desc, 2, "system", TEXTOID, -1, 0);
	TupleDescInitEntry(references->wanted_desc, 3, "key", TEXTOID, -1, 0);
	for (int i = 1; i <= 3; i++)
		TupleDescInitEntryCollation(references->wanted_desc, i, C_COLLATION_OID);
	return references;
}

/* The next {field: token} of ssot_refs; false at the end. Fields that are no
 * foreign key any more are passed over. */
static bool
next_reference(SsotReferences *references, JsonbIterator **iterator, TokenKey *key)
{
	JsonbValue	value;
	JsonbIteratorToken type;

	while ((type = JsonbIteratorNext(iterator, &value, true)) != WJB_DONE)
	{
		if (type != WJB_KEY)
			continue;
		key->field = ssot_entity_field(references->entity,
									   pnstrdup(value.val.string.val, value.val.string.len));
		type = JsonbIteratorNext(iterator, &value, true);
		if (key->field < 0 || type != WJB_VALUE || value.type != jbvString ||
			!OidIsValid(references->entity->fields[key->field].references))
			continue;
		key->token = pnstrdup(value.val.string.val, value.val.string.len);
		return true;
	}
	return false;
}

static void
want_token(SsotReferences *references, TokenKey key)
{
	const char *colon;
	const char *dot;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	TokenTarget *target;
	bool		found;
	MemoryContext old;

	if (strchr(key.token, ':') == NULL ||
		hash_search(references->targets, &key, HASH_FIND, NULL) != NULL)
		return;
	old = MemoryContextSwitchTo(references->context);
	key.token = pstrdup(key.token);
	target = hash_search(references->targets, &key, HASH_ENTER, &found);
	target->found = false;
	if (references->wanted[key.field] == NULL)
		references->wanted[key.field] = tuplestore_begin_heap(true, false, work_mem);
	MemoryContextSwitchTo(old);

	colon = strchr(key.token, ':');
	dot = memchr(key.token, '.', colon - key.token);
	values[0] = CStringGetTextDatum(key.token);
	nulls[1] = nulls[2] = dot != NULL;
	values[1] = dot != NULL ? (Datum) 0 :
		PointerGetDatum(cstring_to_text_with_len(key.token, colon - key.token));
	values[2] = dot != NULL ? (Datum) 0 : CStringGetTextDatum(colon + 1);
	tuplestore_putvalues(references->wanted[key.field], references->wanted_desc, values, nulls);
	references->nwanted++;
}

void
ssot_references_want(SsotReferences *references, Jsonb *refs)
{
	JsonbIterator *iterator = JsonbIteratorInit(&refs->root);
	TokenKey	key;

	while (next_reference(references, &iterator, &key))
		want_token(references, key);
	if (references->nwanted >= LOOKUP_BATCH)
		ssot_references_resolve(references);
}

void
ssot_references_offer(SsotReferences *references, const char *token, Datum id)
{
	MemoryContext old = MemoryContextSwitchTo(references->context);

	for (int f = 0; f < references->entity->nfields; f++)
	{
		const SsotField *field = &references->entity->fields[f];
		TokenKey	key = {f, token};
		TokenTarget *target;
		bool		found;

		if (field->references != references->entity->relid)
			continue;
		key.token = pstrdup(token);
		target = hash_search(references->targets, &key, HASH_ENTER, &found);
		target->found = true;
		target->id = datumCopy(id, field->typbyval, field->typlen);
	}
	MemoryContextSwitchTo(old);
}

bool
ssot_references_itself(const SsotEntity *entity)
{
	for (int f = 0; f < entity->nfields; f++)
		if (entity->fields[f].references == entity->relid)
			return true;
	return false;
}

/* (token, golden id) of a target. */
static bool
take_target(TupleTableSlot *slot, void *arg)
{
	SsotReferences *references = (SsotReferences *) arg;
	TokenKey	key;
	TokenTarget *target;
	MemoryContext old;

	slot_getallattrs(slot);
	if (slot->tts_isnull[1])
		return true;
	key.field = references->answering;
	key.token = TextDatumGetCString(slot->tts_values[0]);
	target = hash_search(references->targets, &key, HASH_FIND, NULL);
	if (target != NULL && !target->found)
	{
		const SsotField *field = &references->entity->fields[key.field];

		old = MemoryContextSwitchTo(references->context);
		target->found = true;
		target->id = datumCopy(slot->tts_values[1], field->typbyval, field->typlen);
		MemoryContextSwitchTo(old);
	}
	return true;
}

/*
 * SELECT w.token, s.customer_id, 0 FROM ssot_wanted AS w
 *   JOIN ssot.source AS y ON y.system = w.system AND y.entity = 'golden.customer'
 *   JOIN golden_ssot.customer_source AS s ON s.ssot_key = w.key AND s.ssot_source = y.source_id
 * UNION ALL
 * SELECT w.token, s.customer_id, 1 FROM ssot_wanted AS w
 *   JOIN golden_ssot.customer_key AS k ON k.token = w.token
 *   JOIN golden_ssot.customer_source AS s ON (the record that carries it)
 *  ORDER BY 1, 3, 2   -- the record that the token names comes before those that
 *                     only share it; after that, the smaller id
 */
static void
resolve_field(SsotReferences *references, int f)
{
	const SsotField *field = &references->entity->fields[f];
	SsotEntity *target = ssot_entity_load(field->references, false);
	SsotRelation relation = {"ssot_wanted", references->wanted_desc,
	references->wanted[f], references->nwanted};
	SsotStatement statement = {.nrelations = 1,.relations = &relation};
	SsotUser	user = ssot_become_owner(target->relid);
	const char *type = format_type_extended(field->base_type, field->base_typmod,
											FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);

	statement.sql = ssot_sql("SELECT w.token, s.%I::%s, 0 FROM ssot_wanted AS w"
							 " JOIN ssot.source AS y ON y.system = w.system AND y.entity = %L"
							 " JOIN %T AS s ON s.ssot_key = w.key AND s.ssot_source = y.source_id"
							 " AND s.ssot_copy <= 0 WHERE s.%I IS NOT NULL"
							 " UNION ALL "
							 "SELECT w.token, s.%I::%s, 1 FROM ssot_wanted AS w"
							 " JOIN %T AS k ON k.token = w.token"
							 " JOIN %T AS s ON s.ssot_key = k.ssot_key AND s.ssot_source = k.ssot_source"
							 " AND s.ssot_copy <= 0 WHERE s.%I IS NOT NULL"
							 " ORDER BY 1, 3, 2",
							 target->id_column, type, target->name, target->source_table,
							 target->id_column, target->id_column, type,
							 target->key_table, target->source_table, target->id_column);
	references->answering = f;
	ssot_statement_each(&statement, take_target, references);
	ssot_restore_user(user);
}

void
ssot_references_resolve(SsotReferences *references)
{
	for (int f = 0; f < references->entity->nfields; f++)
	{
		if (references->wanted[f] == NULL)
			continue;
		resolve_field(references, f);
		tuplestore_end(references->wanted[f]);
		references->wanted[f] = NULL;
	}
	references->nwanted = 0;
}

void
ssot_references_fill(SsotReferences *references, Jsonb *refs, Datum *values, bool *nulls)
{
	JsonbIterator *iterator = JsonbIteratorInit(&refs->root);
	TokenKey	key;

	while (next_reference(references, &iterator, &key))
	{
		TokenTarget *target = hash_search(references->targets, &key, HASH_FIND, NULL);

		nulls[key.field] = target == NULL || !target->found;
		values[key.field] = nulls[key.field] ? (Datum) 0 : target->id;
	}
}

/* ---- records that are already stored ------------------------------------- */

/* "s.f1 IS NULL AND s.ssot_refs ? 'f1' OR …" over the foreign keys. */
static char *
waits_condition(const SsotEntity *entity)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int f = 0; f < entity->nfields; f++)
		if (OidIsValid(entity->fields[f].references))
			ssot_sql_append(&buf, "%s(s.%I IS NULL AND s.ssot_refs ? %L)",
							buf.len > 0 ? " OR " : "", entity->fields[f].name,
							entity->fields[f].name);
	return buf.len > 0 ? buf.data : "false";
}

/* A pass over stored records with references. */
typedef struct Refresh
{
	SsotReferences *references;
	const SsotEntity *entity;
	TupleDesc	read_desc;		/* source, key, copy, refs, id, fields */
	Tuplestorestate *read;
	TupleDesc	resolved_desc;	/* source, key, copy, id, fields */
	Tuplestorestate *resolved;
	int64		nresolved;
	MemoryContext row;			/* of what is made of the row at hand */
} Refresh;

static bool
take_referring(TupleTableSlot *slot, void *arg)
{
	Refresh    *refresh = (Refresh *) arg;
	MemoryContext old = MemoryContextSwitchTo(refresh->row);

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	ssot_references_want(refresh->references, DatumGetJsonbP(slot->tts_values[3]));
	tuplestore_putvalues(refresh->read, refresh->read_desc, slot->tts_values, slot->tts_isnull);
	MemoryContextSwitchTo(old);
	MemoryContextReset(refresh->row);
	return true;
}

static bool
same_value(const SsotField *field, Datum a, bool a_null, Datum b, bool b_null)
{
	if (a_null || b_null)
		return a_null == b_null;
	return datum_image_eq(a, b, field->typbyval, field->typlen);
}

static void
compare_targets(Refresh *refresh)
{
	const SsotEntity *entity = refresh->entity;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(refresh->read_desc, &TTSOpsMinimalTuple);
	Datum	   *values = palloc(sizeof(Datum) * (entity->nfields + 4));
	bool	   *nulls = palloc(sizeof(bool) * (entity->nfields + 4));

	while (tuplestore_gettupleslot(refresh->read, true, false, slot))
	{
		bool		differs = false;
		MemoryContext old = MemoryContextSwitchTo(refresh->row);

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		memcpy(values, slot->tts_values, sizeof(Datum) * 3);
		memcpy(nulls, slot->tts_isnull, sizeof(bool) * 3);
		values[3] = slot->tts_values[4];
		nulls[3] = slot->tts_isnull[4];
		memcpy(values + 4, slot->tts_values + 5, sizeof(Datum) * entity->nfields);
		memcpy(nulls + 4, slot->tts_isnull + 5, sizeof(bool) * entity->nfields);
		ssot_references_fill(refresh->references, DatumGetJsonbP(slot->tts_values[3]),
							 values + 4, nulls + 4);
		for (int f = 0; f < entity->nfields; f++)
			differs |= !same_value(&entity->fields[f], values[f + 4], nulls[f + 4],
								   slot->tts_values[f + 5], slot->tts_isnull[f + 5]);
		if (differs)
		{
			tuplestore_putvalues(refresh->resolved, refresh->resolved_desc, values, nulls);
			refresh->nresolved++;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(refresh->row);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* Descriptors of the rows above: bookkeeping columns, then the fields. */
static TupleDesc
refresh_desc(const SsotEntity *entity, bool with_refs)
{
	TupleDesc	record = ssot_record_desc(entity, false);
	int			columns[] = {SSOT_REC_SOURCE, SSOT_REC_KEY, SSOT_REC_COPY, SSOT_REC_REFS, SSOT_REC_ID};
	TupleDesc	desc = CreateTemplateTupleDesc(entity->nfields + (with_refs ? 5 : 4));
	int			n = 0;

	for (int i = 0; i < lengthof(columns); i++)
		if (with_refs || columns[i] != SSOT_REC_REFS)
			TupleDescCopyEntry(desc, ++n, record, columns[i]);
	for (int f = 0; f < entity->nfields; f++)
		TupleDescCopyEntry(desc, ++n, record, SSOT_REC_FIELDS + 1 + f);
	return desc;
}

static void
write_resolved(Refresh *refresh, TimestampTz t)
{
	const SsotEntity *entity = refresh->entity;
	Oid			argtype = TIMESTAMPTZOID;
	Datum		arg = TimestampTzGetDatum(t);
	SsotRelation relation = {"ssot_resolved", refresh->resolved_desc,
	refresh->resolved, refresh->nresolved};
	SsotStatement statement = {
		.nargs = 1,.argtypes = &argtype,.args = &arg,
		.nrelations = 1,.relations = &relation,
	};
	StringInfoData set;
	const char *match = "s.ssot_key = r.ssot_key AND s.ssot_source = r.ssot_source"
	" AND s.ssot_copy = r.ssot_copy";

	initStringInfo(&set);
	for (int f = 0; f < entity->nfields; f++)
		if (OidIsValid(entity->fields[f].references))
			ssot_sql_append(&set, "%I = r.%I, ", entity->fields[f].name, entity->fields[f].name);
	statement.sql = ssot_sql("INSERT INTO %T (%s, ssot_to) SELECT %s, $1"
							 " FROM %T AS s JOIN ssot_resolved AS r ON %s"
							 " WHERE s.ssot_from < $1",
							 entity->source_history_table, ssot_record_columns(entity, ""),
							 ssot_record_columns(entity, "s."), entity->source_table, match);
	ssot_statement_run(&statement);
	statement.sql = ssot_sql("UPDATE %T AS s SET %sssot_from = $1 FROM ssot_resolved AS r WHERE %s",
							 entity->source_table, set.data, match);
	ssot_statement_run(&statement);
}

static void
touch_resolved(Refresh *refresh, Tuplestorestate *touched, int64 *ntouched)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(refresh->resolved_desc, &TTSOpsMinimalTuple);
	TupleDesc	desc = ssot_id_desc(refresh->entity);

	tuplestore_rescan(refresh->resolved);
	while (tuplestore_gettupleslot(refresh->resolved, true, false, slot))
	{
		bool		isnull;
		Datum		id = slot_getattr(slot, 4, &isnull);

		if (isnull)
			continue;
		tuplestore_putvalues(touched, desc, &id, &isnull);
		(*ntouched)++;
	}
	ExecDropSingleTupleTableSlot(slot);
}

int64
ssot_references_refresh(const SsotEntity *entity, bool all, TimestampTz t,
						Tuplestorestate *touched, int64 *ntouched)
{
	Refresh		refresh = {0};
	SsotStatement statement = {0};
	SsotUser	user = ssot_become_owner(entity->relid);

	refresh.entity = entity;
	refresh.references = ssot_references_create(entity);
	refresh.read_desc = refresh_desc(entity, true);
	refresh.read = tuplestore_begin_heap(false, false, work_mem);
	refresh.resolved_desc = refresh_desc(entity, false);
	refresh.resolved = tuplestore_begin_heap(true, false, work_mem);
	refresh.row = AllocSetContextCreate(CurrentMemoryContext, "ssot reference", ALLOCSET_DEFAULT_SIZES);
	statement.sql = ssot_sql("SELECT s.ssot_source, s.ssot_key, s.ssot_copy, s.ssot_refs, s.%I%s%s"
							 " FROM %T AS s WHERE s.ssot_refs IS NOT NULL AND (%s)",
							 entity->id_column, entity->nfields > 0 ? ", " : "",
							 ssot_field_list(entity, "s."), entity->source_table,
							 all ? "true" : waits_condition(entity));
	ssot_statement_each(&statement, take_referring, &refresh);
	ssot_references_resolve(refresh.references);
	compare_targets(&refresh);
	if (refresh.nresolved > 0)
	{
		write_resolved(&refresh, t);
		touch_resolved(&refresh, touched, ntouched);
	}
	tuplestore_end(refresh.read);
	tuplestore_end(refresh.resolved);
	MemoryContextDelete(refresh.row);
	ssot_restore_user(user);
	return refresh.nresolved;
}

bool
ssot_references_stale(const SsotEntity *entity, TimestampTz since, bool *moved)
{
	Datum		value;
	bool		isnull;
	bool		any = false;
	SsotStatement statement = {0};

	*moved = false;
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		if (!OidIsValid(field->references))
			continue;
		any = true;
		if (field->references != entity->relid &&
			ssot_clock_read(field->references_entity) > since)
			*moved = true;
	}
	if (!any)
		return false;
	if (*moved)
		return true;
	statement.sql = ssot_sql("SELECT true FROM %T AS s WHERE s.ssot_refs IS NOT NULL AND (%s) LIMIT 1",
							 entity->source_table, waits_condition(entity));
	return ssot_statement_one(&statement, 1, &value, &isnull);
}
