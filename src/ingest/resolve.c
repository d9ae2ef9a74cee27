/*
 * ingest/resolve.c
 *		From the changed rows of one source to the keys that change.
 *
 * The keys concerned are those of the evaluated rows, those that have copies, and
 * those of stored rows whose raw row was not seen. Evaluating completes the first; stored rows are then
 * fetched by those keys, set-wise, and only if some unseen image is still
 * unaccounted for (a record left the source) are stored rows looked for by
 * image. So a run in which c rows changed fetches O(c) stored rows. All rows
 * of a key meet in a stage (stage.h), are classified (classify.h), and what
 * differs is handed on.
 *
 * Rows refused by classification are known by their ordinal; their raw rows are
 * fetched in one further pass over the rows kept, which is made only if
 * there are any.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "ingest/classify.h"
#include "ingest/part.h"
#include "ingest/protect.h"
#include "ingest/reach.h"
#include "ingest/resolve.h"
#include "ingest/stage.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A row that classification refused. */
typedef struct Refused
{
	int64		ordinal;
	const char *reason;			/* a constant, or in the run's context */
	text	   *key;
} Refused;

typedef struct Resolution
{
	const SsotEntity *entity;
	SsotReader *reader;
	SsotImages *images;
	SsotQuarantine *quarantine;
	SsotIngest *result;
	SsotIngestFigures *figures;
	MemoryContext context;		/* of all this */
	SsotContents contents;
	int			natts;			/* of a record with its tokens */

	/* The row that is being evaluated. */
	TupleTableSlot *raw;
	SsotMappedRow row;
	int64		ordinal;
	uint64		image;

	SsotStage  *parts;			/* rows to be summed, or NULL */
	SsotStage  *stage;
	SsotKeySet	concerned;		/* keys of evaluated rows, where anything is
								 * stored */
	SsotKeySet	unseen;			/* images */
	SsotKeySet	kept;			/* keys whose stored row was seen and has
								 * tokens */
	Datum	   *values;			/* scratch, of natts */
	bool	   *nulls;

	Refused    *refused;
	int64		nrefused;
	int64		refused_allocated;
} Resolution;

/*
 * Evaluating.
 */
static bool
next_row(void *arg)
{
	Resolution *r = (Resolution *) arg;

	ssot_mapper_reset(r->reader->mapper);
	if (!tuplestore_gettupleslot(r->reader->changed, true, false, r->raw))
		return false;
	r->ordinal++;
	slot_getallattrs(r->raw);
	return true;
}

/* Is anything stored of the source? Where not everything is read, it may be. */
static bool
holds_records(const Resolution *r)
{
	return r->reader->keys > 0 || r->reader->reach != SSOT_REACH_ALL;
}

/*
 * A row that the source has deleted says so only where its key is read from a time
 * on: else its absence does.
 */
static void
stage_absent(void *arg)
{
	Resolution *r = (Resolution *) arg;

	ssot_stage_put(r->stage, r->row.values, r->row.nulls, SSOT_STAGED_ABSENT);
	ssot_keyset_add(&r->reader->concerned, r->row.key);
}

static void
take_absent(Resolution *r)
{
	if (r->reader->reach != SSOT_REACH_TIME || !r->row.has_key)
		return;
	r->row.nulls[SSOT_REC_UPDATED_AT - 1] =
		!ssot_mapper_time(r->reader->mapper, r->raw, &r->row.values[SSOT_REC_UPDATED_AT - 1]);
	r->row.values[SSOT_REC_COPY - 1] = Int32GetDatum(0);
	r->row.values[SSOT_REC_IMAGE - 1] = Int64GetDatum(0);
	ssot_protected_outside(stage_absent, r);
}

/* A taken row joins the stage; of a refused one, only that it was. */
static void
stage_row(void *arg)
{
	Resolution *r = (Resolution *) arg;
	SsotStage  *stage = r->parts != NULL ? r->parts : r->stage;
	SsotMappedRow *row = &r->row;

	if (row->fate == SSOT_ROW_TAKEN)
		ssot_stage_put(stage, row->values, row->nulls, r->ordinal);
	else
	{
		ssot_quarantine_add(r->quarantine, r->reader->index, r->image,
							row->has_key ? DatumGetTextPP(row->key) : NULL,
							&row->refusal, r->raw);
		if (row->has_key)
			ssot_stage_mark(stage, row->key, (Datum) 0, false, SSOT_STAGED_REFUSED);
		if (ssot_quarantine_count(r->quarantine, r->reader->index) % SSOT_QUARANTINE_HOPELESS == 0)
			ssot_quarantine_check(r->quarantine, r->reader->index, r->reader->rows_held);
	}
	if (holds_records(r) && row->has_key)
		ssot_keyset_add(&r->reader->concerned, row->key);
}

static void
note_time(Resolution *r)
{
	TimestampTz time;

	if (r->row.nulls[SSOT_REC_UPDATED_AT - 1])
		return;
	time = DatumGetTimestampTz(r->row.values[SSOT_REC_UPDATED_AT - 1]);
	if (!r->figures->has_source_time || time > r->figures->data_through)
		r->figures->data_through = time;
	r->figures->has_source_time = true;
}

static void
work_on_row(void *arg)
{
	Resolution *r = (Resolution *) arg;

	r->image = ssot_image_of(r->reader->imager, r->raw);
	ssot_mapper_row(r->reader->mapper, r->raw, &r->row);
	if (r->row.fate == SSOT_ROW_ABSENT)
	{
		take_absent(r);
		return;
	}
	if (r->row.fate == SSOT_ROW_TAKEN)
		note_time(r);
	r->row.values[SSOT_REC_IMAGE - 1] = Int64GetDatum((int64) r->image);
	ssot_protected_outside(stage_row, r);
}

static bool
row_failed(void *arg, ErrorData *error)
{
	Resolution *r = (Resolution *) arg;

	if (ssot_mapper_failed(r->reader->mapper, r->raw, error, &r->row))
		return true;
	stage_row(r);
	return false;
}

/*
 * Rows of one key are parts of one record. One refused part refuses all: the
 * sum of the others would be wrong.
 */
static void
refuse_row(Resolution *r, const SsotCandidate *row, const char *reason)
{
	MemoryContext old = MemoryContextSwitchTo(r->context);
	Refused    *refused;

	if (r->nrefused == r->refused_allocated)
	{
		r->refused_allocated = Max(r->refused_allocated * 2, 64);
		r->refused = r->refused == NULL ? palloc(sizeof(Refused) * r->refused_allocated) :
			repalloc_huge(r->refused, sizeof(Refused) * r->refused_allocated);
	}
	refused = &r->refused[r->nrefused++];
	refused->ordinal = row->ordinal;
	refused->reason = reason;
	refused->key = DatumGetTextPCopy(row->values[SSOT_REC_KEY - 1]);
	MemoryContextSwitchTo(old);
}

static void
sum_group(SsotKeyGroup *group, void *arg)
{
	Resolution *r = (Resolution *) arg;
	const char *reason = "another row of the same key cannot be taken";

	if (!group->some_refused)
		reason = group->ncandidates == 0 ? NULL :
			ssot_part_sum(r->entity, &r->contents, group->candidates, group->ncandidates,
						  r->values, r->nulls);
	if (reason == NULL)
	{
		if (group->ncandidates > 0)
			ssot_stage_put(r->stage, r->values, r->nulls, 0);
		return;
	}
	ssot_stage_mark(r->stage, group->key, (Datum) 0, false, SSOT_STAGED_REFUSED);
	if (group->ncandidates > 0)
	{
		reason = MemoryContextStrdup(r->context, reason);
		for (int i = 0; i < group->ncandidates; i++)
			refuse_row(r, &group->candidates[i], reason);
	}
}

static void
evaluate_rows(Resolution *r)
{
	static const SsotProtected loop = {next_row, work_on_row, row_failed};

	r->raw = MakeSingleTupleTableSlot(r->reader->desc, &TTSOpsMinimalTuple);
	r->row.values = palloc0(sizeof(Datum) * r->natts);
	r->row.nulls = palloc0(sizeof(bool) * r->natts);
	r->ordinal = -1;
	if (r->reader->source->grain_part)
		r->parts = ssot_stage_create(r->result->desc);
	if (r->reader->nchanged > 0)
		ssot_protected_each(&loop, r);
	ssot_mapper_reset(r->reader->mapper);
	if (r->parts != NULL)
	{
		ssot_stage_each(r->parts, sum_group, r);
		ssot_stage_free(r->parts);
		r->parts = NULL;
	}
}

/*
 * Fetching what is stored.
 */
static bool
take_stored(TupleTableSlot *slot, void *arg)
{
	Resolution *r = (Resolution *) arg;
	int			nstored = r->natts - 1;
	bool		has_tokens;
	bool		seen = false;
	int			copy;

	slot_getallattrs(slot);
	memcpy(r->values, slot->tts_values, sizeof(Datum) * nstored);
	memcpy(r->nulls, slot->tts_isnull, sizeof(bool) * nstored);
	r->nulls[nstored] = true;
	copy = DatumGetInt32(r->values[SSOT_REC_COPY - 1]);
	has_tokens = !r->nulls[SSOT_REC_TOKENS - 1] && DatumGetInt64(r->values[SSOT_REC_TOKENS - 1]) != 0;
	if (!r->reader->anew && copy <= 0 && !r->nulls[SSOT_REC_IMAGE - 1])
		seen = !ssot_images_take_unseen(r->images, (uint64) DatumGetInt64(r->values[SSOT_REC_IMAGE - 1]));
	ssot_stage_put(r->stage, r->values, r->nulls, seen ? SSOT_STAGED_SEEN : SSOT_STAGED_UNSEEN);
	if (seen && has_tokens)
		ssot_keyset_add(&r->kept, r->values[SSOT_REC_KEY - 1]);
	return true;
}

static bool
take_tokens(TupleTableSlot *slot, void *arg)
{
	Resolution *r = (Resolution *) arg;

	slot_getallattrs(slot);
	ssot_stage_mark(r->stage, slot->tts_values[0], slot->tts_values[1], true, SSOT_STAGED_TOKENS);
	return true;
}

static void
take_unseen(uint64 image, void *arg)
{
	ssot_keyset_add((SsotKeySet *) arg, Int64GetDatum((int64) image));
}

/* Run a statement of one argument, the source, and one set, as the owner. */
static void
run_as_owner(Resolution *r, const char *table, const char *sql,
			 const char *name, const SsotKeySet *set, SsotRowCallback callback)
{
	Oid			argtype = INT4OID;
	Datum		arg = Int32GetDatum(r->reader->source->source_id);
	SsotRelation relation = {.name = name};
	SsotStatement statement = {.sql = sql,.nargs = 1,.argtypes = &argtype,.args = &arg};
	SsotUser	user;

	if (set != NULL)
	{
		relation.desc = set->desc;
		relation.rows = set->rows;
		relation.count = set->count;
		statement.nrelations = 1;
		statement.relations = &relation;
	}
	user = ssot_become_owner(ssot_companion_oid(table));
	ssot_statement_each(&statement, callback, r);
	ssot_restore_user(user);
}

static const char *const fetch_all =
"SELECT %s\n"
"FROM %T AS s\n"
"WHERE s.ssot_source = $1";

static const char *const fetch_concerned =
"SELECT %s\n"
"FROM %T AS s\n"
"WHERE s.ssot_source = $1\n"
"  AND s.ssot_key IN (SELECT c.key FROM concerned AS c)";

static const char *const fetch_unseen =
"SELECT %s\n"
"FROM %T AS s\n"
"WHERE s.ssot_source = $1\n"
"  AND s.ssot_key IN (SELECT g.ssot_key\n"
"                     FROM unseen AS u\n"
"                     JOIN %T AS g ON g.ssot_image = u.image AND g.ssot_source = $1)";

static const char *const fetch_tokens =
"SELECT k.ssot_key, pg_catalog.array_agg(k.token ORDER BY k.token)\n"
"FROM %T AS k\n"
"WHERE k.ssot_source = $1\n"
"  AND k.ssot_key IN (SELECT c.key FROM kept AS c)\n"
"GROUP BY k.ssot_key";

static void
fetch_stored(Resolution *r)
{
	const SsotEntity *entity = r->entity;
	const char *table = entity->source_table;
	char	   *columns;

	if (!holds_records(r))
		return;
	columns = ssot_record_columns(entity, "s.");
	if (r->reader->reach != SSOT_REACH_ALL)
	{
		if (r->reader->concerned.count > 0)
			run_as_owner(r, table, ssot_sql(fetch_concerned, columns, table),
						 "concerned", &r->reader->concerned, take_stored);
	}
	else if (r->reader->anew)
		run_as_owner(r, table, ssot_sql(fetch_all, columns, table), NULL, NULL, take_stored);
	else
	{
		if (r->reader->concerned.count > 0)
			run_as_owner(r, table, ssot_sql(fetch_concerned, columns, table),
						 "concerned", &r->reader->concerned, take_stored);
		ssot_images_unseen(r->images, r->reader->index, take_unseen, &r->unseen);
		if (r->unseen.count > 0)
			run_as_owner(r, table, ssot_sql(fetch_unseen, columns, table, table),
						 "unseen", &r->unseen, take_stored);
	}
	if (r->kept.count > 0)
		run_as_owner(r, entity->key_table, ssot_sql(fetch_tokens, entity->key_table),
					 "kept", &r->kept, take_tokens);
}

/*
 * Handing on.
 */
static const char *const fetch_tokens_of_one =
"SELECT pg_catalog.array_agg(k.token ORDER BY k.token)\n"
"FROM %T AS k\n"
"WHERE k.ssot_source = $1\n"
"  AND k.ssot_key = $2";

/*
 * The tokens of a stored row that stays. They came with the group where its raw
 * row was seen; a last good version's are asked for here, which is rare.
 */
static void
stored_tokens(Resolution *r, const SsotKeyGroup *group, Datum *value, bool *isnull)
{
	Oid			argtypes[2] = {INT4OID, TEXTOID};
	Datum		args[2] = {Int32GetDatum(r->reader->source->source_id), group->key};
	SsotStatement statement = {.nargs = 2,.argtypes = argtypes,.args = args};
	SsotUser	user;

	*value = group->tokens;
	*isnull = !group->has_tokens;
	if (group->has_tokens)
		return;
	statement.sql = ssot_sql(fetch_tokens_of_one, r->entity->key_table);
	user = ssot_become_owner(ssot_companion_oid(r->entity->key_table));
	ssot_statement_one(&statement, 1, value, isnull);
	ssot_restore_user(user);
}

static void
emit_row(Resolution *r, const SsotKeyGroup *group, const SsotCandidate *row, int copy)
{
	memcpy(r->values, row->values, sizeof(Datum) * r->natts);
	memcpy(r->nulls, row->nulls, sizeof(bool) * r->natts);
	r->values[SSOT_REC_COPY - 1] = Int32GetDatum(copy);
	if (row->stored)
	{
		if (DatumGetInt64(r->values[SSOT_REC_TOKENS - 1]) != 0)
			stored_tokens(r, group, &r->values[r->natts - 1], &r->nulls[r->natts - 1]);
		for (int f = 0; f < r->entity->nfields; f++)
			if (r->contents.is_reference[f])
				r->nulls[SSOT_REC_FIELDS + f] = true;
	}
	r->nulls[SSOT_REC_ID - 1] = true;
	r->nulls[SSOT_REC_FROM - 1] = true;
	tuplestore_putvalues(r->result->staged, r->result->desc, r->values, r->nulls);
	r->result->nstaged++;
	r->figures->records += copy == 0;
	r->figures->superseded += copy > 0;
}

static void
emit_changed(Resolution *r, SsotKeyGroup *group, const SsotVerdict *verdict)
{
	bool		only_images = !verdict->is_new;
	bool		alias = DatumGetInt32(verdict->rows[0]->values[SSOT_REC_COPY - 1]) == -1;
	int			nstored = 0;

	for (int i = 0; i < group->ncandidates; i++)
	{
		const SsotCandidate *row = &group->candidates[i];

		if (!row->stored)
			continue;
		tuplestore_putvalues(r->result->stored, r->result->stored_desc, row->values, row->nulls);
		nstored++;
	}
	for (int i = 0; i < verdict->nrows; i++)
	{
		emit_row(r, group, verdict->rows[i], i > 0 ? i : (alias ? -1 : 0));
		only_images = only_images && (verdict->same[i] || verdict->rows[i]->stored);
	}
	if (verdict->is_new)
		r->figures->rows_new++;
	else if (!only_images || nstored != verdict->nrows)
		r->figures->rows_changed++;
}

/* What was stored of the key no longer counts. */
static void
discount_stored(Resolution *r, const SsotKeyGroup *group)
{
	for (int i = 0; i < group->ncandidates; i++)
	{
		const SsotCandidate *row = &group->candidates[i];
		int			copy = DatumGetInt32(row->values[SSOT_REC_COPY - 1]);

		if (!row->stored)
			continue;
		r->figures->records -= copy == 0;
		r->figures->superseded -= copy > 0;
	}
}

static void
emit_gone(Resolution *r, const SsotKeyGroup *group)
{
	Datum		values[2] = {Int32GetDatum(r->reader->source->source_id), group->key};
	bool		nulls[2] = {false, false};

	tuplestore_putvalues(r->result->gone, r->result->gone_desc, values, nulls);
	r->result->ngone++;
	r->figures->rows_gone++;
}

/*
 * Where a source is read from a time on, the stored row in force was not read if it
 * is older; it may be there still, or have turned into one that was. It counts as
 * there while it is newer than all that was read of its key, so that nothing
 * stale takes its place, and as replaced else.
 */
static void
judge_unread(SsotKeyGroup *group)
{
	bool		has_time = group->absent_has_time;
	TimestampTz latest = group->absent_time;
	const int	column = SSOT_REC_UPDATED_AT - 1;

	for (int i = 0; i < group->ncandidates; i++)
	{
		const SsotCandidate *row = &group->candidates[i];

		if (row->stored || row->nulls[column])
			continue;
		if (!has_time || DatumGetTimestampTz(row->values[column]) > latest)
			latest = DatumGetTimestampTz(row->values[column]);
		has_time = true;
	}
	for (int i = 0; i < group->ncandidates; i++)
	{
		SsotCandidate *row = &group->candidates[i];

		if (row->stored && DatumGetInt32(row->values[SSOT_REC_COPY - 1]) <= 0)
			row->seen = !row->nulls[column] &&
				(!has_time || DatumGetTimestampTz(row->values[column]) > latest);
	}
}

static void
resolve_group(SsotKeyGroup *group, void *arg)
{
	Resolution *r = (Resolution *) arg;
	SsotVerdict verdict;

	if (group->ncandidates == 0)
		return;
	if (r->reader->reach == SSOT_REACH_TIME)
		judge_unread(group);

	/* A new key with one row: by far the most frequent in a first load. */
	if (group->ncandidates == 1 && !group->candidates[0].stored)
	{
		const SsotCandidate *row = &group->candidates[0];

		emit_row(r, group, row, DatumGetInt32(row->values[SSOT_REC_COPY - 1]));
		r->figures->rows_new++;
		return;
	}
	ssot_classify(&r->contents, group->candidates, group->ncandidates,
				  group->some_refused, &verdict);
	if (verdict.nrefused > 0)
		for (int i = 0; i < group->ncandidates; i++)
			if (group->candidates[i].refused)
				refuse_row(r, &group->candidates[i], verdict.reason);
	switch (verdict.fate)
	{
		case SSOT_KEY_NOTHING:
		case SSOT_KEY_UNCHANGED:
			break;
		case SSOT_KEY_CHANGED:
			discount_stored(r, group);
			emit_changed(r, group, &verdict);
			break;
		case SSOT_KEY_GONE:
			discount_stored(r, group);
			emit_gone(r, group);
			break;
	}
}

/*
 * The raw rows of those refused.
 */
static int
compare_refused(const void *a, const void *b)
{
	int64		left = ((const Refused *) a)->ordinal;
	int64		right = ((const Refused *) b)->ordinal;

	return (left > right) - (left < right);
}

static void
quarantine_refused(Resolution *r)
{
	int64		ordinal = -1;

	if (r->nrefused == 0)
		return;
	qsort(r->refused, r->nrefused, sizeof(Refused), compare_refused);
	tuplestore_rescan(r->reader->changed);
	for (int64 i = 0; i < r->nrefused; i++)
	{
		SsotRefusal refusal = {.reason = r->refused[i].reason};

		while (ordinal < r->refused[i].ordinal)
		{
			CHECK_FOR_INTERRUPTS();
			if (!tuplestore_gettupleslot(r->reader->changed, true, false, r->raw))
				elog(ERROR, "a raw row is missing");
			ordinal++;
		}
		slot_getallattrs(r->raw);
		ssot_quarantine_add(r->quarantine, r->reader->index,
							ssot_image_of(r->reader->imager, r->raw),
							r->refused[i].key, &refusal, r->raw);
	}
}

static void
describe_evaluation(void *arg)
{
	const Resolution *r = (const Resolution *) arg;

	errcontext("source \"%s\" of entity \"%s\"", r->reader->source->name, r->entity->name);
}

static void
resolve(Resolution *r)
{
	int			level = 0;

	r->stage = ssot_stage_create(r->result->desc);
	ssot_keyset_init(&r->unseen, "image", INT8OID);
	ssot_keyset_init(&r->kept, "key", TEXTOID);
	if (r->reader->reach == SSOT_REACH_KEYS)
		ssot_reach_keys(r->reader, &r->reader->concerned);
	evaluate_rows(r);
	if (ssot_reader_is_selective(r->reader))
		level = ssot_settings_use_indexes();
	fetch_stored(r);
	if (level != 0)
		ssot_settings_end(level);
	if (r->reader->reach != SSOT_REACH_ALL)
		r->reader->rows_held =
			Max(r->reader->rows_held,
				r->reader->rows_read +
				ssot_quarantine_limit(r->quarantine, r->reader->index, &r->reader->concerned,
									  r->reader->changes, r->reader->state.quarantined));
	ssot_stage_each(r->stage, resolve_group, r);
	ssot_stage_free(r->stage);
	quarantine_refused(r);
	ssot_quarantine_check(r->quarantine, r->reader->index, r->reader->rows_held);
	ssot_keyset_end(&r->unseen);
	ssot_keyset_end(&r->kept);
	ExecDropSingleTupleTableSlot(r->raw);
}

static void
cap_data_through(SsotIngestFigures *figures)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!figures->has_source_time || figures->data_through > now)
		figures->data_through = now;
}

/*
 * Rows that were not read are known by what they became, superseded ones by
 * difference; those that the source has deleted, and parts, stay as they were
 * counted when everything was read. A row may be both in quarantine and, with what
 * it said before, in force.
 */
static void
keep_reach(const Resolution *r)
{
	const SsotReader *reader = r->reader;
	SsotIngestFigures *figures = r->figures;

	figures->read_all = reader->reach == SSOT_REACH_ALL;
	figures->keeps_reach = reader->source->reading != SSOT_READING_FULL;
	figures->has_shape = reader->has_shape;
	figures->shape = reader->shape;
	figures->rows_held = figures->read_all ? reader->rows_read :
		Max(reader->state.rows_read + figures->records - reader->state.records +
			figures->superseded + figures->quarantined - reader->state.quarantined,
			Max(figures->records, figures->quarantined));
}

void
ssot_resolve_source(const SsotEntity *entity, SsotReader *reader, SsotImages *images,
					SsotQuarantine *quarantine, SsotIngest *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot resolution",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Resolution	r = {
		.entity = entity,.reader = reader,.images = images,.quarantine = quarantine,
		.result = result,.figures = &result->figures[reader->index],.context = context,
		.contents = {entity->nfields, result->desc, reader->mapper->is_reference},
		.natts = ssot_mapped_natts(entity)
	};
	ErrorContextCallback error_context = {.previous = error_context_stack,
	.callback = describe_evaluation,.arg = &r};

	r.values = palloc0(sizeof(Datum) * r.natts);
	r.nulls = palloc0(sizeof(bool) * r.natts);
	r.figures->rows_read = reader->rows_read;
	r.figures->records = reader->in_force;
	r.figures->superseded = reader->superseded;
	r.figures->data_through = reader->latest;
	r.figures->has_source_time = reader->has_time;
	error_context_stack = &error_context;
	resolve(&r);
	error_context_stack = error_context.previous;
	r.figures->quarantined = ssot_quarantine_count(quarantine, reader->index);
	keep_reach(&r);
	cap_data_through(r.figures);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
