/*
 * golden/write.c
 *		Writing merged rows to the canonical table.
 *
 * The rows of a pass are written by one statement in a subtransaction. If a
 * constraint fails, the rows are halved and each half is written in turn, so
 * that k rows at fault among n cost about k log n statements; what fails alone
 * is held (hold.c), and tried once more when everything else is in: its parent
 * may have been in the other half. Records that exchange unique values are then
 * written together (swap.c). A failure of a user's trigger or of a
 * deferred constraint counts as well: constraints are made immediate.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/ident.h"
#include "common/query.h"
#include "golden/history.h"
#include "golden/hold.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

/* ---- the statements ------------------------------------------------------ */

/* The fields, each followed by a comma: what may be empty needs no special case. */
static char *
fields_and_comma(const SsotEntity *entity, const char *prefix)
{
	return entity->nfields == 0 ? "" :
		psprintf("%s, ", ssot_field_list(entity, prefix));
}

/*
 * The new value of a field: the merged one; a field that no source feeds keeps
 * what it has, and a retired record keeps everything.
 */
static char *
new_value(const SsotEntity *entity, int f)
{
	const char *name = entity->fields[f].name;

	if (ssot_field_is_fed(entity, f))
		return ssot_sql("CASE WHEN m.ssot_retired THEN g.%I ELSE m.%I END", name, name);
	return ssot_sql("coalesce(CASE WHEN NOT m.ssot_retired THEN m.%I END, g.%I)", name, name);
}

/* A value of the canonical table as its base type, which merged rows have. */
static char *
base_value(const SsotField *field)
{
	if (field->type == field->base_type)
		return ssot_sql("g.%I", field->name);
	return ssot_sql("g.%I::%s", field->name,
					format_type_extended(field->base_type, field->base_typmod,
										 FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

char *
ssot_base_values(const SsotEntity *entity)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int f = 0; f < entity->nfields; f++)
		appendStringInfo(&buf, "%s, ", base_value(&entity->fields[f]));
	return buf.data;
}

/* Does the golden row differ from the merged one? Compares images, not
 * equality: a change of letter case in a citext column is a change. Two bare
 * ROW()s would be compared column by column, which needs an operator for each
 * type; two records are compared as a whole. */
static char *
differs(const SsotEntity *entity)
{
	StringInfoData left;
	StringInfoData right;

	initStringInfo(&left);
	initStringInfo(&right);
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		appendStringInfo(&left, "%s, ", base_value(field));
		if (ssot_field_is_fed(entity, f))
			ssot_sql_append(&right, "m.%I, ", field->name);
		else
			ssot_sql_append(&right, "coalesce(m.%I, %s), ", field->name, base_value(field));
	}
	return ssot_sql("((NOT m.ssot_retired AND ROW(%strue)::pg_catalog.record"
					" OPERATOR(pg_catalog.*<>) ROW(%strue)::pg_catalog.record)"
					" OR (g.retired_at IS NOT NULL) <> m.ssot_retired)",
					left.data, right.data);
}

/*
 * INSERT INTO golden_ssot.customer_history
 *        (<columns>, valid_to, ssot_run, ssot_changed_by, ssot_reason)
 * SELECT g.<columns>, $1, $2, $3, $4
 *   FROM golden.customer AS g JOIN ssot_merged AS m ON m.customer_id = g.customer_id
 *  WHERE g.valid_from < $1 AND <differs>
 */
static char *
history_sql(const SsotEntity *entity)
{
	return ssot_sql("INSERT INTO %T (%s, valid_to, ssot_run, ssot_changed_by, ssot_reason)"
					" SELECT %s, $1, $2, $3, $4"
					" FROM %T AS g JOIN ssot_merged AS m ON m.%I = g.%I"
					" WHERE g.valid_from < $1 AND %s",
					entity->history_table, ssot_history_columns(entity, ""),
					ssot_history_columns(entity, "g."),
					ssot_relation_name(entity->relid),
					entity->id_column, entity->id_column, differs(entity));
}

static SsotQuery default_of_column = {
	.sql =
	"SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid)"
	"  FROM pg_catalog.pg_attrdef AS d"
	" WHERE d.adrelid = $1 AND d.adnum = $2",
	.nargs = 2,
	.argtypes = {OIDOID, INT2OID},
	.as_of_now = true
};

/* The column's default as SQL, for a record that is created; or NULL. In the column's
 * type: the cast that the column makes of another is not in its text. */
static const char *
column_default(const SsotEntity *entity, const SsotField *field)
{
	Datum		args[] = {ObjectIdGetDatum(entity->relid), Int16GetDatum(field->attnum)};
	Datum		expression;
	bool		isnull;

	if (!ssot_query_one(&default_of_column, args, NULL, 1, &expression, &isnull) || isnull)
		return NULL;
	return psprintf("CAST(%s AS %s)", TextDatumGetCString(expression),
					format_type_extended(field->base_type, -1, FORMAT_TYPE_FORCE_QUALIFY));
}

static char *
update_sql(const SsotEntity *entity)
{
	StringInfoData set;

	initStringInfo(&set);
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(&set, "%I = %s, ", entity->fields[f].name, new_value(entity, f));
	return ssot_sql("UPDATE %T AS g SET %svalid_from = $1,"
					" retired_at = CASE WHEN m.ssot_retired THEN coalesce(g.retired_at, $1) END"
					" FROM ssot_merged AS m WHERE m.%I = g.%I AND %s RETURNING g.valid_from",
					ssot_relation_name(entity->relid), set.data,
					entity->id_column, entity->id_column, differs(entity));
}

static char *
insert_sql(const SsotEntity *entity)
{
	StringInfoData values;

	initStringInfo(&values);
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];
		const char *default_value = column_default(entity, field);

		if (default_value == NULL)
			ssot_sql_append(&values, "m.%I, ", field->name);
		else
			ssot_sql_append(&values, "coalesce(m.%I, %s), ", field->name, default_value);
	}
	return ssot_sql("INSERT INTO %T (%I, %svalid_from) OVERRIDING SYSTEM VALUE"
					" SELECT m.%I, %s$1 FROM ssot_merged AS m WHERE NOT m.ssot_retired",
					ssot_relation_name(entity->relid), entity->id_column,
					fields_and_comma(entity, ""), entity->id_column, values.data);
}

/* What a pass has to write. */
typedef enum WriteHalves
{
	WRITE_BOTH,
	WRITE_UPDATES,
	WRITE_INSERTS
} WriteHalves;

/*
 * WITH changed AS (
 *     UPDATE golden.customer AS g SET <fields> = m.<fields>, valid_from = $1, retired_at = …
 *       FROM ssot_merged AS m WHERE m.customer_id = g.customer_id AND <differs>
 *     RETURNING g.valid_from),
 * created AS (
 *     INSERT INTO golden.customer (customer_id, <fields>, valid_from) OVERRIDING SYSTEM VALUE
 *     SELECT m.customer_id, m.<fields>, $1 FROM ssot_merged AS m
 *      WHERE NOT m.ssot_retired AND (SELECT count(*) FROM changed) >= 0
 *        AND NOT EXISTS (SELECT FROM golden.customer AS g WHERE g.customer_id = m.customer_id)
 *     RETURNING valid_from)
 * SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM created),
 *        <how many of both have another valid_from than $1>
 *
 * One statement, so that foreign keys to the table itself are checked when both
 * halves are in; the updates come first, so that a unique value may pass from
 * an old record to a new one. Another valid_from than the time of the write is a
 * trigger's doing: the version would be believed at a time when it was not. Where
 * the pass knows that there is nothing to update, or to insert, that half is not
 * there.
 */
static char *
write_sql(const SsotEntity *entity, WriteHalves halves)
{
	if (halves == WRITE_INSERTS)
		return ssot_sql("WITH created AS (%s RETURNING valid_from)"
						" SELECT 0::bigint, count(*), count(*) FILTER (WHERE w.valid_from <> $1)"
						" FROM created AS w", insert_sql(entity));
	if (halves == WRITE_UPDATES)
		return ssot_sql("WITH changed AS (%s)"
						" SELECT count(*), 0::bigint, count(*) FILTER (WHERE w.valid_from <> $1)"
						" FROM changed AS w", update_sql(entity));
	return ssot_sql("WITH changed AS (%s),"
					" created AS (%s AND (SELECT count(*) FROM changed) >= 0"
					" AND NOT EXISTS (SELECT FROM %T AS g WHERE g.%I = m.%I) RETURNING valid_from)"
					" SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM created),"
					" (SELECT count(*) FROM changed AS w WHERE w.valid_from <> $1)"
					" + (SELECT count(*) FROM created AS w WHERE w.valid_from <> $1)",
					update_sql(entity), insert_sql(entity),
					ssot_relation_name(entity->relid), entity->id_column, entity->id_column);
}

/* Statements of one write, built once per pass. */
typedef struct Writer
{
	const SsotEntity *entity;
	SsotHolds  *holds;
	TupleDesc	desc;			/* of merged rows */
	TimestampTz t;
	int64		run_id;
	bool		empty;			/* the canonical table has no row */
	char	   *history;
	char	   *write;
	char	   *immediate;		/* SET CONSTRAINTS …, or NULL */
	char	   *deferred;
	int64		created;
	int64		changed;
} Writer;

/* "clear": a statement that makes room first (swap.c), or NULL. */
static void
write_rows(Writer *writer, SsotMerged *merged, const char *clear)
{
	bool		run = writer->run_id != 0;
	Oid			argtypes[] = {TIMESTAMPTZOID, INT8OID, TEXTOID, TEXTOID};
	Datum		args[] = {TimestampTzGetDatum(writer->t),
		Int64GetDatum(writer->run_id),
		CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false)),
	CStringGetTextDatum(ssot_reason)};
	bool		nulls[] = {false, !run, false, run || ssot_reason[0] == '\0'};
	SsotRelation relation = {"ssot_merged", merged->desc, merged->rows, merged->count};
	SsotStatement statement = {
		.nargs = 4,.argtypes = argtypes,.args = args,.nulls = nulls,
		.nrelations = 1,.relations = &relation,
	};
	Datum		counts[3];
	bool		isnull[3];

	if (writer->immediate != NULL)
		ssot_sql_run(writer->immediate);
	if (!writer->empty)
	{
		statement.sql = writer->history;
		ssot_statement_run(&statement);
	}
	if (clear != NULL)
	{
		SsotStatement room = {.sql = clear,.nrelations = 1,.relations = &relation};

		ssot_statement_run(&room);
	}
	statement.sql = writer->write;
	ssot_statement_one(&statement, 3, counts, isnull);
	if (DatumGetInt64(counts[2]) > 0)
		ssot_refuse_tampering(writer->entity);
	writer->changed += DatumGetInt64(counts[0]);
	writer->created += DatumGetInt64(counts[1]);
	if (writer->deferred != NULL)
		ssot_sql_run(writer->deferred);
}

static bool
is_constraint_failure(int sqlstate)
{
	/*
	 * class 23, what the user's own triggers raise, and what they must not
	 * change
	 */
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
		sqlstate == ERRCODE_RAISE_EXCEPTION ||
		sqlstate == ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION;
}

/* One try. */
typedef struct Try
{
	Writer	   *writer;
	SsotMerged *merged;
	const char *clear;
} Try;

static void
write_them(void *arg)
{
	Try		   *try = (Try *) arg;

	write_rows(try->writer, try->merged, try->clear);
}

/* Write the rows in a subtransaction; false and the reason if a constraint
 * fails. Anything else goes on as an error. */
static bool
try_write(Writer *writer, SsotMerged *merged, const char *clear, SsotViolation *violation)
{
	Try			try = {writer, merged, clear};
	int64		created = writer->created;
	int64		changed = writer->changed;
	ErrorData  *error = ssot_attempt(write_them, &try);

	if (error == NULL)
		return true;
	if (!is_constraint_failure(error->sqlerrcode))
		ReThrowError(error);
	violation->constraint = error->constraint_name;
	violation->column = error->column_name;
	violation->sqlstate = error->sqlerrcode;
	violation->reason = error->message;
	violation->detail = error->detail;
	writer->created = created;
	writer->changed = changed;
	return false;
}

static SsotMerged
new_merged(TupleDesc desc)
{
	SsotMerged	merged = {desc, tuplestore_begin_heap(true, false, work_mem), 0};

	return merged;
}

/* Write all rows, halving where a constraint fails; single failures are held. */
static void
write_or_hold(Writer *writer, SsotMerged *merged)
{
	SsotViolation violation = {0};
	SsotMerged	half[2];
	TupleTableSlot *slot;
	int64		i = 0;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (merged->count == 0 || try_write(writer, merged, NULL, &violation))
		return;

	half[0] = new_merged(merged->desc);
	half[1] = new_merged(merged->desc);
	slot = MakeSingleTupleTableSlot(merged->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(merged->rows);
	while (tuplestore_gettupleslot(merged->rows, true, false, slot))
	{
		SsotMerged *side = &half[i++ < merged->count / 2 ? 0 : 1];

		if (merged->count == 1)
		{
			slot_getallattrs(slot);
			ssot_hold(writer->holds, slot->tts_values, slot->tts_isnull, &violation, true);
		}
		else
		{
			tuplestore_puttupleslot(side->rows, slot);
			side->count++;
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	write_or_hold(writer, &half[0]);
	write_or_hold(writer, &half[1]);
	tuplestore_end(half[0].rows);
	tuplestore_end(half[1].rows);
}

/* Write one held row; true if it goes through now. */
static bool
write_one(const Datum *values, const bool *nulls, void *arg)
{
	Writer	   *writer = (Writer *) arg;
	SsotMerged	one = new_merged(writer->desc);
	SsotViolation violation = {0};
	bool		done;

	tuplestore_putvalues(one.rows, one.desc, (Datum *) values, (bool *) nulls);
	one.count = 1;
	done = try_write(writer, &one, NULL, &violation);
	tuplestore_end(one.rows);
	return done;
}

/* Write rows that need each other's values. */
static bool
write_together(SsotMerged *rows, const char *clear, void *arg)
{
	SsotViolation violation = {0};

	return try_write((Writer *) arg, rows, clear, &violation);
}

/* Names of the deferrable constraints on the table, for SET CONSTRAINTS. */
static bool
add_constraint_name(TupleTableSlot *slot, void *arg)
{
	StringInfo	names = (StringInfo) arg;
	bool		isnull;
	Datum		name = slot_getattr(slot, 1, &isnull);

	if (names->len > 0)
		appendStringInfoString(names, ", ");
	appendStringInfoString(names, TextDatumGetCString(name));
	return true;
}

static SsotQuery deferred_constraints = {
	.sql =
	"SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.conname)"
	"  FROM pg_catalog.pg_constraint AS c"
	"  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace"
	" WHERE c.condeferred AND (c.conrelid = $1 OR c.confrelid = $1)"
	" ORDER BY 1",
	.nargs = 1,
	.argtypes = {OIDOID},
	.as_of_now = true
};

bool
ssot_golden_is_empty(const SsotEntity *entity)
{
	Datum		value;
	bool		isnull;
	SsotStatement statement = {
		.sql = ssot_sql("SELECT true FROM %T LIMIT 1", ssot_relation_name(entity->relid)),
	};

	return !ssot_statement_one(&statement, 1, &value, &isnull);
}

void
ssot_write_merged(const SsotEntity *entity, SsotHolds *holds, SsotMerged *merged,
				  TimestampTz t, int64 run_id, int64 *created, int64 *changed)
{
	Writer		writer = {.entity = entity,.holds = holds,.desc = merged->desc,
	.t = t,.run_id = run_id};
	StringInfoData names;
	Datum		relid = ObjectIdGetDatum(entity->relid);

	if (merged->count == 0)
		return;
	initStringInfo(&names);
	ssot_query_each(&deferred_constraints, &relid, NULL, add_constraint_name, &names);
	if (names.len > 0)
	{
		writer.immediate = ssot_sql("SET CONSTRAINTS %s IMMEDIATE", names.data);
		writer.deferred = ssot_sql("SET CONSTRAINTS %s DEFERRED", names.data);
	}
	writer.empty = ssot_golden_is_empty(entity);
	writer.history = history_sql(entity);
	writer.write = write_sql(entity, writer.empty ? WRITE_INSERTS :
							 merged->created > 0 ? WRITE_BOTH : WRITE_UPDATES);
	write_or_hold(&writer, merged);
	if (writer.empty)
	{
		/* a second try may find its row's id there by now */
		writer.empty = false;
		writer.write = write_sql(entity, WRITE_BOTH);
	}
	ssot_holds_retry(holds, write_one, &writer);
	ssot_write_swaps(entity, holds, merged->desc, write_together, &writer);
	ssot_holds_retry(holds, write_one, &writer);
	*created += writer.created;
	*changed += writer.changed;
}
