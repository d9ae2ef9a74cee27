/*
 * ingest/evaluate.c
 *		Applying a compiled mapping to one raw row.
 *
 * The first gate: what a source maps is tested here and nothing else. Whatever
 * an expression, a cast or a domain raises flies through to the protected loop
 * that called; it then asks ssot_mapper_failed, which knows what was being
 * evaluated. What needs no error to be noticed (a blank key, an unmapped code,
 * a CHECK that is false) is decided without one.
 *
 * The key comes first, so that a refused row names the record it would have
 * been wherever that can be told: its last good version then stays in force.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/json.h"
#include "ingest/mapper.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "lib/qunique.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* A value as text. */
typedef struct Text
{
	const char *s;				/* need not end in zero */
	int			len;
	Datum		datum;			/* the same as a text value, or 0 */
} Text;

/* The documents that most rows do not need. */
typedef struct Documents
{
	JsonbParseState *times;
	JsonbParseState *refs;
	JsonbParseState *detail;
} Documents;

static inline void
enter(SsotMapper *mapper, SsotExpr *expr, const char *part, SsotMappedField *field)
{
	mapper->at = expr;
	mapper->at_part = part;
	mapper->at_field = field;
}

/*
 * Values.
 */
static inline Datum
evaluate(SsotMapper *mapper, SsotExpr *expr, bool *isnull)
{
	return ExecEvalExpr(expr->state, mapper->econtext, isnull);
}

static void
text_of_value(SsotExpr *expr, Datum value, Text *text)
{
	if (expr->is_varlena_text)
	{
		struct varlena *bytes = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(value));

		text->s = VARDATA_ANY(bytes);
		text->len = VARSIZE_ANY_EXHDR(bytes);
		text->datum = PointerGetDatum(bytes);
		if (expr->type == BPCHAROID)
		{
			text->len = bpchartruelen(unconstify(char *, text->s), text->len);
			text->datum = 0;
		}
		return;
	}
	text->s = OutputFunctionCall(&expr->output, value);
	text->len = strlen(text->s);
	text->datum = 0;
}

/* False where there is no value, or one that says nothing. */
static bool
evaluate_text(SsotMapper *mapper, SsotExpr *expr, Text *text)
{
	bool		isnull;
	Datum		value = evaluate(mapper, expr, &isnull);

	if (isnull)
		return false;
	text_of_value(expr, value, text);
	return !expr->is_text || !ssot_is_blank(mapper->blank, text->s, text->len);
}

static Datum
text_datum(const Text *text)
{
	if (text->datum != 0)
		return text->datum;
	return PointerGetDatum(cstring_to_text_with_len(text->s, text->len));
}

/* Text to the type, as its input function reads it. */
static Datum
input_text(SsotTyped *typed, const Text *text)
{
	if (text->len <= typed->plain_bytes)
		return text_datum(text);
	return InputFunctionCall(&typed->input, pnstrdup(text->s, text->len),
							 typed->ioparam, typed->typmod);
}

static Datum
evaluate_typed(SsotMapper *mapper, SsotTyped *typed, bool *isnull)
{
	Text		text;

	if (!typed->through_input)
		return evaluate(mapper, &typed->expr, isnull);
	*isnull = !evaluate_text(mapper, &typed->expr, &text);
	return *isnull ? (Datum) 0 : input_text(typed, &text);
}

/*
 * Refusing without an error.
 */
static void
refuse(SsotMappedRow *row, const char *field, const char *reason,
	   const char *sqlstate, const char *detail)
{
	row->fate = SSOT_ROW_REFUSED;
	row->refusal.field = field;
	row->refusal.reason = reason;
	row->refusal.sqlstate = sqlstate;
	row->refusal.detail = detail;
}

/*
 * Key and tokens.
 */
static void
append_escaped(StringInfo buf, const Text *text)
{
	for (int i = 0; i < text->len; i++)
	{
		if (text->s[i] == '|' || text->s[i] == '\\')
			appendStringInfoChar(buf, '\\');
		appendStringInfoChar(buf, text->s[i]);
	}
}

/* False if a part is blank. */
static bool
map_key(SsotMapper *mapper, Text *key)
{
	StringInfoData buf;

	if (mapper->nkeys == 1)
	{
		enter(mapper, &mapper->keys[0], "key", NULL);
		return evaluate_text(mapper, &mapper->keys[0], key);
	}
	initStringInfo(&buf);
	for (int i = 0; i < mapper->nkeys; i++)
	{
		Text		part;

		enter(mapper, &mapper->keys[i], "key", NULL);
		if (!evaluate_text(mapper, &mapper->keys[i], &part))
			return false;
		if (i > 0)
			appendStringInfoChar(&buf, '|');
		append_escaped(&buf, &part);
	}
	key->s = buf.data;
	key->len = buf.len;
	key->datum = 0;
	return true;
}

static Datum
make_token(const char *prefix, const Text *value)
{
	int			prefix_len = strlen(prefix);
	text	   *token = palloc(VARHDRSZ + prefix_len + value->len);

	SET_VARSIZE(token, VARHDRSZ + prefix_len + value->len);
	memcpy(VARDATA(token), prefix, prefix_len);
	memcpy(VARDATA(token) + prefix_len, value->s, value->len);
	return PointerGetDatum(token);
}

static int
compare_tokens(const void *a, const void *b)
{
	const		text *left = (const text *) DatumGetPointer(*(const Datum *) a);
	const		text *right = (const text *) DatumGetPointer(*(const Datum *) b);
	int			left_len = VARSIZE(left) - VARHDRSZ;
	int			right_len = VARSIZE(right) - VARHDRSZ;
	int			result = memcmp(VARDATA(left), VARDATA(right), Min(left_len, right_len));

	return result != 0 ? result : (left_len > right_len) - (left_len < right_len);
}

/* The tokens as a sorted text[] without duplicates, and their hash. */
static void
store_tokens(SsotMapper *mapper, SsotMappedRow *row, Datum *tokens, int count)
{
	int			last = ssot_mapped_natts(mapper->entity) - 1;
	uint64		hash = 0;

	row->values[SSOT_REC_TOKENS - 1] = Int64GetDatum(0);
	row->nulls[SSOT_REC_TOKENS - 1] = false;
	row->nulls[last] = count == 0;
	if (count == 0)
		return;
	qsort(tokens, count, sizeof(Datum), compare_tokens);
	count = qunique(tokens, count, sizeof(Datum), compare_tokens);
	for (int i = 0; i < count; i++)
	{
		text	   *token = DatumGetTextPP(tokens[i]);

		hash = hash_bytes_extended((unsigned char *) VARDATA_ANY(token),
								   VARSIZE_ANY_EXHDR(token), hash);
	}
	row->values[SSOT_REC_TOKENS - 1] = Int64GetDatum((int64) (hash == 0 ? 1 : hash));
	row->values[last] = PointerGetDatum(construct_array(tokens, count, TEXTOID, -1, false,
														TYPALIGN_INT));
}

static bool
is_same_text(Datum value, const Text *text)
{
	struct varlena *bytes = (struct varlena *) DatumGetPointer(value);

	return VARSIZE_ANY_EXHDR(bytes) == text->len &&
		memcmp(VARDATA_ANY(bytes), text->s, text->len) == 0;
}

/* False if the row is refused. *alias: the source has merged it into another. */
static bool
map_tokens(SsotMapper *mapper, SsotMappedRow *row, const Text *key, bool *alias)
{
	Datum	   *tokens;
	int			count = 0;
	Text		value;

	*alias = false;
	if (mapper->ntokens == 0 && mapper->merged_into == NULL)
	{
		store_tokens(mapper, row, NULL, 0);
		return true;
	}
	tokens = palloc(sizeof(Datum) * (mapper->ntokens + 1));
	for (int i = 0; i < mapper->ntokens; i++)
	{
		SsotMappedToken *token = &mapper->tokens[i];

		enter(mapper, &token->value, token->what, NULL);
		if (!evaluate_text(mapper, &token->value, &value))
		{
			if (!token->required)
				continue;
			refuse(row, NULL, psprintf("no %s", token->what), NULL, NULL);
			return false;
		}
		if (value.len > SSOT_MAX_KEY_BYTES)
		{
			refuse(row, NULL, psprintf("%s is longer than %d bytes", token->what, SSOT_MAX_KEY_BYTES),
				   NULL, NULL);
			return false;
		}
		tokens[count] = make_token(token->prefix, &value);
		count++;
	}
	if (mapper->merged_into != NULL)
	{
		enter(mapper, mapper->merged_into, "merged_into", NULL);
		if (evaluate_text(mapper, mapper->merged_into, &value) &&
			!is_same_text(text_datum(key), &value))
		{
			*alias = true;
			tokens[count++] = make_token(psprintf("%s:", mapper->source->system), &value);
		}
	}

	/* A link to oneself says nothing. */
	if (count > 0)
	{
		Datum		own = make_token(psprintf("%s:", mapper->source->system), key);
		int			kept = 0;

		for (int i = 0; i < count; i++)
			if (compare_tokens(&tokens[i], &own) != 0)
				tokens[kept++] = tokens[i];
		count = kept;
	}
	store_tokens(mapper, row, tokens, count);
	return true;
}

/*
 * Documents.
 */
static void
push_member(JsonbParseState **state, const char *name, const char *value, int len)
{
	JsonbValue	text = {.type = jbvString};

	ssot_json_key(state, name);
	text.val.string.val = unconstify(char *, value);
	text.val.string.len = len;
	pushJsonbValue(state, WJB_VALUE, &text);
}

static void
begin_document(JsonbParseState **state)
{
	if (*state == NULL)
		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
}

static void
store_document(SsotMappedRow *row, int attnum, JsonbParseState *state)
{
	row->nulls[attnum - 1] = state == NULL;
	if (state != NULL)
		row->values[attnum - 1] =
			JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* {"gender": {"raw": "X", "reason": "unmapped code"}} */
static void
note_finding(Documents *documents, const char *field, const char *raw, int raw_len,
			 const char *reason, const char *error, const char *sqlstate)
{
	begin_document(&documents->detail);
	ssot_json_key(&documents->detail, field);
	pushJsonbValue(&documents->detail, WJB_BEGIN_OBJECT, NULL);
	if (raw != NULL)
		push_member(&documents->detail, "raw", raw, raw_len);
	push_member(&documents->detail, "reason", reason, strlen(reason));
	if (error != NULL)
		push_member(&documents->detail, "error", error, strlen(error));
	if (sqlstate != NULL)
		push_member(&documents->detail, "sqlstate", sqlstate, strlen(sqlstate));
	pushJsonbValue(&documents->detail, WJB_END_OBJECT, NULL);
}

/*
 * Fields.
 */

/* The name of a CHECK constraint that the value breaks, or NULL. */
static const char *
broken_check(SsotMapper *mapper, SsotMappedField *field, Datum value)
{
	ListCell   *lc;

	if (OidIsValid(field->domain))
		domain_check(value, false, field->domain, &field->domain_state, mapper->context);
	if (field->checks == NIL)
		return NULL;
	ExecClearTuple(field->check_slot);
	field->check_slot->tts_values[0] = value;
	field->check_slot->tts_isnull[0] = false;
	ExecStoreVirtualTuple(field->check_slot);
	mapper->econtext->ecxt_outertuple = field->check_slot;
	foreach(lc, field->checks)
	{
		SsotCheck  *check = (SsotCheck *) lfirst(lc);
		bool		isnull;
		Datum		holds;

		mapper->at = &check->expr;
		holds = evaluate(mapper, &check->expr, &isnull);
		if (!isnull && !DatumGetBool(holds))
			return check->name;
	}
	return NULL;
}

/* False if the row is refused. */
static bool
test_field(SsotMapper *mapper, SsotMappedField *field, SsotMappedRow *row,
		   Documents *documents, Datum value)
{
	const char *check = broken_check(mapper, field, value);
	const char *reason;
	Text		text;

	if (check == NULL)
		return true;
	reason = psprintf("breaks the constraint \"%s\"", check);
	if (field->codes != NULL || field->value.through_input)
		evaluate_text(mapper, &field->value.expr, &text);
	else
		text_of_value(&field->value.expr, value, &text);
	if (!field->null_on_error)
	{
		refuse(row, field->name, reason, "23514",
			   psprintf("The value is \"%s\".", pnstrdup(text.s, text.len)));
		return false;
	}
	note_finding(documents, field->name, text.s, text.len, "value not taken", reason, "23514");
	row->nulls[SSOT_REC_FIELDS + field->field] = true;
	return true;
}

/* A code: what it means, or a finding. False where there is no value. */
static bool
map_code(SsotMapper *mapper, SsotMappedField *field, Documents *documents,
		 const SsotMeaning **meaning)
{
	SsotExpr   *expr = &field->value.expr;
	bool		isnull;
	Datum		value = evaluate(mapper, expr, &isnull);
	Text		text;

	if (isnull)
		return false;
	text_of_value(expr, value, &text);
	*meaning = ssot_codes_lookup(field->codes, text.s, text.len);
	if (*meaning != NULL)
		return !(*meaning)->isnull;
	if (!expr->is_text || !ssot_is_blank(mapper->blank, text.s, text.len))
		note_finding(documents, field->name, text.s, text.len, "unmapped code", NULL, NULL);
	return false;
}

static void
map_reference(SsotMapper *mapper, SsotMappedField *field, Documents *documents)
{
	const SsotMeaning *meaning;
	Text		text;
	Datum		token;

	if (field->codes != NULL)
	{
		if (!map_code(mapper, field, documents, &meaning))
			return;
		text.s = meaning->text;
		text.len = strlen(meaning->text);
	}
	else if (!evaluate_text(mapper, &field->value.expr, &text))
		return;
	if (text.len > SSOT_MAX_KEY_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("key of the record referred to is longer than %d bytes",
						SSOT_MAX_KEY_BYTES)));
	token = make_token(field->token_prefix, &text);
	begin_document(&documents->refs);
	push_member(&documents->refs, field->name, VARDATA_ANY(DatumGetPointer(token)),
				VARSIZE_ANY_EXHDR(DatumGetPointer(token)));
}

/* False if the row is refused. */
static bool
map_field(SsotMapper *mapper, SsotMappedField *field, SsotMappedRow *row,
		  Documents *documents)
{
	int			column = SSOT_REC_FIELDS + field->field;

	if (field->error != NULL)
	{
		note_finding(documents, field->name, field->raw,
					 field->raw == NULL ? 0 : strlen(field->raw), "value not taken",
					 field->error->message, unpack_sql_state(field->error->sqlerrcode));
		return true;
	}
	enter(mapper, &field->value.expr, NULL, field);
	if (field->token_prefix != NULL)
	{
		map_reference(mapper, field, documents);
		return true;
	}
	if (field->codes != NULL)
	{
		const SsotMeaning *meaning;

		if (!map_code(mapper, field, documents, &meaning))
			return true;
		row->values[column] = meaning->value;
		row->nulls[column] = false;
	}
	else
		row->values[column] = evaluate_typed(mapper, &field->value, &row->nulls[column]);
	if (row->nulls[column] || (field->checks == NIL && !OidIsValid(field->domain)))
		return true;
	return test_field(mapper, field, row, documents, row->values[column]);
}

static void
map_times(SsotMapper *mapper, Documents *documents)
{
	for (int i = 0; i < mapper->ntimes; i++)
	{
		SsotMappedTime *time = &mapper->times[i];
		char		buf[MAXDATELEN + 1];
		bool		isnull;
		Datum		value;

		enter(mapper, &time->value.expr, "field_updated_at", NULL);
		value = evaluate_typed(mapper, &time->value, &isnull);
		if (isnull)
			continue;
		JsonEncodeDateTime(buf, value, TIMESTAMPTZOID, NULL);
		begin_document(&documents->times);
		push_member(&documents->times, time->field, buf, strlen(buf));
	}
}

/*
 * The row.
 */
static bool
is_deleted(SsotMapper *mapper)
{
	bool		isnull;
	Datum		value;

	if (mapper->deleted == NULL)
		return false;
	enter(mapper, &mapper->deleted->expr, "deleted", NULL);
	value = evaluate_typed(mapper, mapper->deleted, &isnull);
	return !isnull && DatumGetBool(value);
}

static bool
passes(SsotMapper *mapper)
{
	bool		isnull;
	Datum		value;

	if (mapper->row_filter == NULL)
		return true;
	enter(mapper, mapper->row_filter, "filter", NULL);
	value = evaluate(mapper, mapper->row_filter, &isnull);
	return !isnull && DatumGetBool(value);
}

bool
ssot_mapper_passes(SsotMapper *mapper, TupleTableSlot *raw)
{
	MemoryContext old = MemoryContextSwitchTo(mapper->econtext->ecxt_per_tuple_memory);
	bool		result;

	mapper->econtext->ecxt_scantuple = raw;
	result = passes(mapper);
	MemoryContextSwitchTo(old);
	return result;
}

void
ssot_mapper_filter_failed(SsotMapper *mapper)
{
	ssot_expr_init(mapper->row_filter);
}

static void
map_row(SsotMapper *mapper, SsotMappedRow *row)
{
	Documents	documents = {NULL, NULL, NULL};
	Text		key;
	bool		alias;

	row->has_key = map_key(mapper, &key);
	if (row->has_key)
		row->key = row->values[SSOT_REC_KEY - 1] = text_datum(&key);
	if (!passes(mapper) || is_deleted(mapper))
	{
		row->fate = SSOT_ROW_ABSENT;
		return;
	}
	if (!row->has_key)
	{
		refuse(row, NULL, "no key", NULL, NULL);
		return;
	}
	if (key.len > SSOT_MAX_KEY_BYTES)
	{
		row->has_key = false;
		refuse(row, NULL, psprintf("key is longer than %d bytes", SSOT_MAX_KEY_BYTES), NULL, NULL);
		return;
	}
	if (mapper->updated_at != NULL)
	{
		enter(mapper, &mapper->updated_at->expr, "updated_at", NULL);
		row->values[SSOT_REC_UPDATED_AT - 1] =
			evaluate_typed(mapper, mapper->updated_at, &row->nulls[SSOT_REC_UPDATED_AT - 1]);
	}
	if (!map_tokens(mapper, row, &key, &alias))
		return;
	row->values[SSOT_REC_COPY - 1] = Int32GetDatum(alias ? -1 : 0);
	if (alias)
		return;
	for (int i = 0; i < mapper->nfields; i++)
		if (!map_field(mapper, &mapper->fields[i], row, &documents))
			return;
	map_times(mapper, &documents);
	store_document(row, SSOT_REC_TIMES, documents.times);
	store_document(row, SSOT_REC_REFS, documents.refs);
	store_document(row, SSOT_REC_DETAIL, documents.detail);
}

void
ssot_mapper_row(SsotMapper *mapper, TupleTableSlot *raw, SsotMappedRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(mapper->econtext->ecxt_per_tuple_memory);

	mapper->econtext->ecxt_scantuple = raw;
	row->fate = SSOT_ROW_TAKEN;
	row->has_key = false;
	memset(row->nulls, true, sizeof(bool) * ssot_mapped_natts(mapper->entity));
	row->nulls[SSOT_REC_SOURCE - 1] = false;
	row->nulls[SSOT_REC_KEY - 1] = false;
	row->nulls[SSOT_REC_COPY - 1] = false;
	row->nulls[SSOT_REC_IMAGE - 1] = false;
	row->values[SSOT_REC_SOURCE - 1] = Int32GetDatum(mapper->source->source_id);
	map_row(mapper, row);
	MemoryContextSwitchTo(old);
}

bool
ssot_mapper_key(SsotMapper *mapper, TupleTableSlot *raw, Datum *key)
{
	MemoryContext old = MemoryContextSwitchTo(mapper->econtext->ecxt_per_tuple_memory);
	Text		text;
	bool		found;

	mapper->econtext->ecxt_scantuple = raw;
	found = map_key(mapper, &text) && text.len <= SSOT_MAX_KEY_BYTES;
	if (found)
		*key = text_datum(&text);
	MemoryContextSwitchTo(old);
	return found;
}

bool
ssot_mapper_time(SsotMapper *mapper, TupleTableSlot *raw, Datum *time)
{
	MemoryContext old = MemoryContextSwitchTo(mapper->econtext->ecxt_per_tuple_memory);
	bool		isnull = true;

	mapper->econtext->ecxt_scantuple = raw;
	if (mapper->updated_at != NULL)
	{
		enter(mapper, &mapper->updated_at->expr, "updated_at", NULL);
		*time = evaluate_typed(mapper, mapper->updated_at, &isnull);
	}
	MemoryContextSwitchTo(old);
	return !isnull;
}

/* The one column that the failing expression reads, as text; NULL if it reads
 * several. */
static char *
raw_text(TupleTableSlot *raw, AttrNumber column)
{
	Oid			output;
	bool		is_varlena;
	bool		isnull;
	Datum		value;

	if (column <= 0)
		return NULL;
	value = slot_getattr(raw, column, &isnull);
	if (isnull)
		return NULL;
	getTypeOutputInfo(TupleDescAttr(raw->tts_tupleDescriptor, column - 1)->atttypid,
					  &output, &is_varlena);
	return OidOutputFunctionCall(output, value);
}

bool
ssot_mapper_failed(SsotMapper *mapper, TupleTableSlot *raw, const ErrorData *error,
				   SsotMappedRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(mapper->econtext->ecxt_per_tuple_memory);
	SsotMappedField *field = mapper->at_field;
	bool		again = false;

	/* The error may have left it in the middle of something. */
	ssot_expr_init(mapper->at);
	if (field != NULL && field->null_on_error)
	{
		field->error = palloc0(sizeof(ErrorData));
		field->error->message = pstrdup(error->message);
		field->error->sqlerrcode = error->sqlerrcode;
		field->raw = raw_text(raw, field->value.expr.only_column);
		mapper->nfailed++;
		again = true;
	}
	else
		refuse(row, field != NULL ? field->name : NULL,
			   field != NULL ? pstrdup(error->message) :
			   psprintf("%s: %s", mapper->at_part, error->message),
			   pstrdup(unpack_sql_state(error->sqlerrcode)),
			   error->detail == NULL ? NULL : pstrdup(error->detail));
	MemoryContextSwitchTo(old);
	return again;
}

void
ssot_mapper_reset(SsotMapper *mapper)
{
	if (mapper->nfailed > 0)
	{
		for (int i = 0; i < mapper->nfields; i++)
			mapper->fields[i].error = NULL;
		mapper->nfailed = 0;
	}
	ResetExprContext(mapper->econtext);
}
