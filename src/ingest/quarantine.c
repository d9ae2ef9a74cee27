/*
 * ingest/quarantine.c
 *		The rows that cannot be taken, kept whole with their reasons.
 *
 * Rows in quarantine are evaluated anew in every run: their images are not in
 * the table of stored ones. So a row leaves by itself when the source, the
 * mapping or a code list is mended, and what a run finds is all there is: the
 * companion is brought to it by difference, and a run that finds the same rows
 * writes nothing. Rows that are equal in all the mapping reads share an entry
 * that counts them.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/json.h"
#include "ingest/quarantine.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Attribute numbers of a row set aside. */
enum
{
	FOUND_SOURCE = 1, FOUND_IMAGE, FOUND_KEY, FOUND_FIELD, FOUND_REASON,
	FOUND_SQLSTATE, FOUND_DETAIL, FOUND_RAW, FOUND_NATTS = FOUND_RAW
};

/* How often rows of one source were refused at one place for one cause. */
typedef struct ReasonCount
{
	char	   *field;			/* or NULL */
	char	   *sqlstate;		/* or NULL */
	char	   *example;
	int64		count;
} ReasonCount;

typedef struct SourceRows
{
	int64		count;
	int64		kept;			/* rows there that this run does not judge */
	bool		limited;		/* to what is in the scope */
	List	   *reasons;		/* of ReasonCount */
	TupleDesc	desc;			/* that "outputs" are for */
	FmgrInfo   *outputs;
} SourceRows;

struct SsotQuarantine
{
	const SsotEntity *entity;
	MemoryContext context;
	MemoryContext row_context;
	TupleDesc	desc;
	Tuplestorestate *rows;
	int64		count;
	TupleDesc	scope_desc;
	Tuplestorestate *scope;		/* entries of limited sources that may go */
	int64		nscope;
	SourceRows *sources;		/* by source index */
};

SsotQuarantine *
ssot_quarantine_create(const SsotEntity *entity)
{
	SsotQuarantine *quarantine = palloc0(sizeof(SsotQuarantine));
	TupleDesc	desc = CreateTemplateTupleDesc(FOUND_NATTS);

	TupleDescInitEntry(desc, FOUND_SOURCE, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, FOUND_IMAGE, "ssot_image", INT8OID, -1, 0);
	TupleDescInitEntry(desc, FOUND_KEY, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, FOUND_KEY, C_COLLATION_OID);
	TupleDescInitEntry(desc, FOUND_FIELD, "field", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, FOUND_REASON, "reason", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, FOUND_SQLSTATE, "sqlstate", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, FOUND_DETAIL, "detail", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, FOUND_RAW, "raw", JSONBOID, -1, 0);

	quarantine->entity = entity;
	quarantine->context = CurrentMemoryContext;
	quarantine->row_context = AllocSetContextCreate(CurrentMemoryContext, "ssot quarantined row",
													ALLOCSET_DEFAULT_SIZES);
	quarantine->desc = BlessTupleDesc(desc);
	quarantine->rows = tuplestore_begin_heap(true, false, work_mem);
	quarantine->scope_desc = CreateTemplateTupleDesc(2);
	TupleDescInitEntry(quarantine->scope_desc, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(quarantine->scope_desc, 2, "ssot_image", INT8OID, -1, 0);
	quarantine->scope = tuplestore_begin_heap(true, false, work_mem);
	quarantine->sources = palloc0(sizeof(SourceRows) * entity->nsources);
	return quarantine;
}

void
ssot_quarantine_free(SsotQuarantine *quarantine)
{
	tuplestore_end(quarantine->rows);
	tuplestore_end(quarantine->scope);
	MemoryContextDelete(quarantine->row_context);
}

/*
 * The whole raw row as a document of texts.
 */
static void
prepare_outputs(SsotQuarantine *quarantine, SourceRows *source, TupleDesc desc)
{
	MemoryContext old;

	if (source->outputs != NULL)
		return;
	old = MemoryContextSwitchTo(quarantine->context);
	source->desc = desc;
	source->outputs = palloc0(sizeof(FmgrInfo) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Oid			output;
		bool		is_varlena;

		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &output, &is_varlena);
		fmgr_info(output, &source->outputs[i]);
	}
	MemoryContextSwitchTo(old);
}

static Datum
raw_document(const SourceRows *source, TupleTableSlot *raw)
{
	JsonbParseState *state = NULL;

	slot_getallattrs(raw);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < source->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(source->desc, i);
		JsonbValue	null = {.type = jbvNull};

		if (att->attisdropped)
			continue;
		ssot_json_key(&state, NameStr(att->attname));
		if (raw->tts_isnull[i])
			pushJsonbValue(&state, WJB_VALUE, &null);
		else
			ssot_json_text(&state, WJB_VALUE,
						   OutputFunctionCall(&source->outputs[i], raw->tts_values[i]));
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

static bool
same_text(const char *a, const char *b)
{
	return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}

/* Messages carry values, so reasons are told apart by field and SQLSTATE;
 * without a SQLSTATE the text is ours and does not vary. */
static void
count_reason(SsotQuarantine *quarantine, SourceRows *source, const SsotRefusal *refusal)
{
	MemoryContext old;
	ReasonCount *reason;
	ListCell   *lc;

	foreach(lc, source->reasons)
	{
		reason = (ReasonCount *) lfirst(lc);
		if (same_text(reason->field, refusal->field) &&
			same_text(reason->sqlstate, refusal->sqlstate) &&
			(refusal->sqlstate != NULL || same_text(reason->example, refusal->reason)))
		{
			reason->count++;
			return;
		}
	}
	old = MemoryContextSwitchTo(quarantine->context);
	reason = palloc0(sizeof(ReasonCount));
	reason->field = refusal->field == NULL ? NULL : pstrdup(refusal->field);
	reason->sqlstate = refusal->sqlstate == NULL ? NULL : pstrdup(refusal->sqlstate);
	reason->example = pstrdup(refusal->reason);
	reason->count = 1;
	source->reasons = lappend(source->reasons, reason);
	MemoryContextSwitchTo(old);
}

static void
set_text(Datum *values, bool *nulls, int attnum, const char *text)
{
	nulls[attnum - 1] = text == NULL;
	if (text != NULL)
		values[attnum - 1] = CStringGetTextDatum(text);
}

void
ssot_quarantine_add(SsotQuarantine *quarantine, int source, uint64 image,
					const text * key, const SsotRefusal *refusal, TupleTableSlot *raw)
{
	SourceRows *rows = &quarantine->sources[source];
	MemoryContext old = MemoryContextSwitchTo(quarantine->row_context);
	Datum		values[FOUND_NATTS];
	bool		nulls[FOUND_NATTS] = {false};

	prepare_outputs(quarantine, rows, raw->tts_tupleDescriptor);
	values[FOUND_SOURCE - 1] = Int32GetDatum(quarantine->entity->sources[source].source_id);
	values[FOUND_IMAGE - 1] = Int64GetDatum((int64) image);
	values[FOUND_KEY - 1] = PointerGetDatum(key);
	nulls[FOUND_KEY - 1] = key == NULL;
	set_text(values, nulls, FOUND_FIELD, refusal->field);
	set_text(values, nulls, FOUND_REASON, refusal->reason);
	set_text(values, nulls, FOUND_SQLSTATE, refusal->sqlstate);
	set_text(values, nulls, FOUND_DETAIL, refusal->detail);
	values[FOUND_RAW - 1] = raw_document(rows, raw);
	tuplestore_putvalues(quarantine->rows, quarantine->desc, values, nulls);
	count_reason(quarantine, rows, refusal);
	rows->count++;
	quarantine->count++;
	MemoryContextSwitchTo(old);
	MemoryContextReset(quarantine->row_context);
}

int64
ssot_quarantine_count(const SsotQuarantine *quarantine, int source)
{
	return quarantine->sources[source].count + quarantine->sources[source].kept;
}

/*
 * What is there and may go, of a source of which not everything was read.
 *
 * A row without a key is known by the columns of its key, as text, which a whole
 * raw row has. Arrays are equal where both have a null. Where some key noted has a
 * null, all rows with a null in their key were read.
 */
static const char *const find_entries =
"SELECT q.ssot_image, q.copies\n"
"FROM %T AS q\n"
"WHERE q.ssot_source = $1\n"
"  AND q.ssot_key IN (SELECT k.key FROM keys AS k)";

static const char *const find_keyless =
"\nUNION ALL\n"
"SELECT q.ssot_image, q.copies\n"
"FROM %T AS q\n"
"WHERE q.ssot_source = $1\n"
"  AND q.ssot_key IS NULL\n"
"  AND (%s IN (SELECT %s FROM changed AS c)%s)";

typedef struct Scope
{
	SsotQuarantine *quarantine;
	int			source;
} Scope;

static bool
take_entry(TupleTableSlot *slot, void *arg)
{
	Scope	   *limit = (Scope *) arg;
	SsotQuarantine *quarantine = limit->quarantine;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	slot_getallattrs(slot);
	values[0] = Int32GetDatum(quarantine->entity->sources[limit->source].source_id);
	values[1] = slot->tts_values[0];
	tuplestore_putvalues(quarantine->scope, quarantine->scope_desc, values, nulls);
	quarantine->nscope++;
	quarantine->sources[limit->source].kept -= DatumGetInt32(slot->tts_values[1]);
	return true;
}

/* ARRAY[q.raw->>'id', q.raw->>'site'], or ARRAY[c.ssot_1, c.ssot_2] */
static char *
key_array(const SsotTracking *tracking, bool raw)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < tracking->nkeys; i++)
	{
		appendStringInfoString(&buf, i == 0 ? "ARRAY[" : ", ");
		if (raw)
			ssot_sql_append(&buf, "q.raw->>%L", tracking->names[i]);
		else
			ssot_sql_append(&buf, "c.ssot_%d", i + 1);
	}
	appendStringInfoChar(&buf, ']');
	return buf.data;
}

/* OR q.raw->>'id' IS NULL OR q.raw->>'site' IS NULL */
static char *
some_null(const SsotTracking *tracking)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < tracking->nkeys; i++)
		ssot_sql_append(&buf, " OR q.raw->>%L IS NULL", tracking->names[i]);
	return buf.data;
}

int64
ssot_quarantine_limit(SsotQuarantine *quarantine, int source, const SsotKeySet *keys,
					  const SsotChanges *changes, int64 stored)
{
	const char *table = quarantine->entity->quarantine_table;
	Oid			argtype = INT4OID;
	Datum		arg = Int32GetDatum(quarantine->entity->sources[source].source_id);
	SsotRelation relations[2] = {{"keys", keys->desc, keys->rows, keys->count}};
	SsotStatement statement = {.nargs = 1,.argtypes = &argtype,.args = &arg,
	.nrelations = 1,.relations = relations};
	Scope		limit = {quarantine, source};
	SsotUser	user;

	quarantine->sources[source].limited = true;
	quarantine->sources[source].kept = stored;
	if (stored == 0)
		return 0;
	statement.sql = ssot_sql(find_entries, table);
	if (changes != NULL)
	{
		relations[1] = (SsotRelation)
		{
			"changed", changes->text_desc, changes->texts, changes->count
		};
		statement.nrelations = 2;
		statement.sql = psprintf("%s%s", statement.sql,
								 ssot_sql(find_keyless, table, key_array(changes->tracking, true),
										  key_array(changes->tracking, false),
										  changes->has_null ? some_null(changes->tracking) : ""));
	}
	user = ssot_become_owner(ssot_companion_oid(table));
	ssot_statement_each(&statement, take_entry, &limit);
	ssot_restore_user(user);
	return quarantine->sources[source].kept;
}

/*
 * Too many.
 */
static int
compare_reasons(const ListCell *a, const ListCell *b)
{
	const ReasonCount *left = (const ReasonCount *) lfirst(a);
	const ReasonCount *right = (const ReasonCount *) lfirst(b);

	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return strcmp(left->example, right->example);
}

static char *
top_reasons(List *reasons)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	reasons = list_copy(reasons);
	list_sort(reasons, compare_reasons);
	foreach(lc, reasons)
	{
		ReasonCount *reason = (ReasonCount *) lfirst(lc);

		if (foreach_current_index(lc) == 3)
			break;
		appendStringInfo(&buf, "%s%lld x ", buf.len > 0 ? "; " : "",
						 (long long) reason->count);
		if (reason->field != NULL)
			appendStringInfo(&buf, "field \"%s\": ", reason->field);
		appendStringInfoString(&buf, reason->example);
	}
	return buf.data;
}

void
ssot_quarantine_check(const SsotQuarantine *quarantine, int source, int64 rows_read)
{
	const SsotEntity *entity = quarantine->entity;
	const SourceRows *rows = &quarantine->sources[source];
	int64		count = rows->count + rows->kept;

	if ((double) count <= entity->max_quarantine * (double) rows_read)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_SSOT_TOO_MANY_QUARANTINED),
			 errmsg("too many rows of source \"%s\" of entity \"%s\" cannot be taken: %lld of %lld",
					entity->sources[source].name, entity->name,
					(long long) count, (long long) rows_read),
			 errdetail("max_quarantine allows a share of %g; nothing was written. %s.",
					   entity->max_quarantine, top_reasons(rows->reasons)),
			 errhint("Mend the source or its mapping (ssot.alter_source), or raise the limit with ssot.alter_entity(max_quarantine => ...).")));
}

/*
 * Writing.
 */

/* Called with the source of each row that was written. */
static bool
note_written(TupleTableSlot *slot, void *arg)
{
	bool		isnull;

	*(List **) arg = list_append_unique_int(*(List **) arg,
											DatumGetInt32(slot_getattr(slot, 1, &isnull)));
	return true;
}

/*
 * One entry per image: a row whose twin is there is counted.
 *
 *		SELECT DISTINCT ON (f.ssot_source, f.ssot_image) f.*,
 *			   count(*) OVER (PARTITION BY f.ssot_source, f.ssot_image)::int4 AS copies
 *		FROM found AS f
 *		ORDER BY f.ssot_source, f.ssot_image, f.reason, f.raw
 */
#define FOUND_ONCE \
	"(SELECT DISTINCT ON (f.ssot_source, f.ssot_image) f.*,\n" \
	"        count(*) OVER (PARTITION BY f.ssot_source, f.ssot_image)::int4 AS copies\n" \
	" FROM found AS f\n" \
	" ORDER BY f.ssot_source, f.ssot_image, f.reason COLLATE \"C\", f.raw)"

static const char *const delete_gone =
"DELETE FROM %T AS q\n"
"WHERE %s\n"
"  AND NOT EXISTS (SELECT FROM found AS f\n"
"                  WHERE f.ssot_source = q.ssot_source AND f.ssot_image = q.ssot_image)\n"
"RETURNING q.ssot_source";

static const char *const update_changed =
"UPDATE %T AS q\n"
"SET ssot_key = n.ssot_key, field = n.field, reason = n.reason, sqlstate = n.sqlstate,\n"
"    detail = n.detail, raw = n.raw, copies = n.copies, ssot_run = $2\n"
"FROM " FOUND_ONCE " AS n\n"
"WHERE q.ssot_source = n.ssot_source AND q.ssot_image = n.ssot_image\n"
"  AND (q.ssot_key, q.field, q.reason, q.sqlstate, q.detail, q.raw, q.copies)\n"
"      IS DISTINCT FROM\n"
"      (n.ssot_key, n.field, n.reason, n.sqlstate, n.detail, n.raw, n.copies)\n"
"RETURNING q.ssot_source";

static const char *const insert_new =
"INSERT INTO %T AS q (ssot_source, ssot_image, ssot_key, field, reason, sqlstate,\n"
"                     detail, raw, copies, first_seen, ssot_run)\n"
"SELECT n.ssot_source, n.ssot_image, n.ssot_key, n.field, n.reason, n.sqlstate,\n"
"       n.detail, n.raw, n.copies, $3, $2\n"
"FROM " FOUND_ONCE " AS n\n"
"WHERE NOT EXISTS (SELECT FROM %T AS o\n"
"                  WHERE o.ssot_source = n.ssot_source AND o.ssot_image = n.ssot_image)\n"
"RETURNING q.ssot_source";

/* Entries of sources that were read in full, and of others those in the scope. */
#define READ_IN_FULL "q.ssot_source = ANY ($1)"
#define IN_SCOPE "(q.ssot_source, q.ssot_image) IN (SELECT s.ssot_source, s.ssot_image FROM scope AS s)"

static Datum
sources_in_full(const SsotQuarantine *quarantine, const SsotIngestFigures *figures)
{
	const SsotEntity *entity = quarantine->entity;
	Datum	   *ids = palloc(sizeof(Datum) * (entity->nsources + 1));
	int			count = 0;

	for (int s = 0; s < entity->nsources; s++)
		if (figures[s].attempted && !quarantine->sources[s].limited)
			ids[count++] = Int32GetDatum(entity->sources[s].source_id);
	return PointerGetDatum(construct_array(ids, count, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

void
ssot_quarantine_write(SsotQuarantine *quarantine, int64 run_id, SsotIngestFigures *figures)
{
	const SsotEntity *entity = quarantine->entity;
	const char *table = entity->quarantine_table;
	Oid			argtypes[3] = {INT4ARRAYOID, INT8OID, TIMESTAMPTZOID};
	Datum		args[3] = {sources_in_full(quarantine, figures), Int64GetDatum(run_id), TimestampTzGetDatum(GetCurrentTimestamp())};
	SsotRelation relations[2] = {
		{"found", quarantine->desc, quarantine->rows, quarantine->count},
		{"scope", quarantine->scope_desc, quarantine->scope, quarantine->nscope}
	};
	SsotStatement statement = {.nargs = 3,.argtypes = argtypes,.args = args,
	.nrelations = 2,.relations = relations};
	List	   *written = NIL;
	SsotUser	user = ssot_become_owner(ssot_companion_oid(table));
	ListCell   *lc;

	if (ARR_NDIM(DatumGetArrayTypeP(args[0])) > 0)
	{
		statement.sql = ssot_sql(delete_gone, table, READ_IN_FULL);
		ssot_statement_each(&statement, note_written, &written);
	}
	if (quarantine->nscope > 0)
	{
		statement.sql = ssot_sql(delete_gone, table, IN_SCOPE);
		ssot_statement_each(&statement, note_written, &written);
	}
	if (quarantine->count > 0)
	{
		statement.sql = ssot_sql(update_changed, table);
		ssot_statement_each(&statement, note_written, &written);
		statement.sql = ssot_sql(insert_new, table, table);
		ssot_statement_each(&statement, note_written, &written);
	}
	ssot_restore_user(user);

	foreach(lc, written)
		figures[ssot_entity_source_id(entity, lfirst_int(lc))].quarantine_changed = true;
}
