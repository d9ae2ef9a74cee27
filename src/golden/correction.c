/*
 * golden/correction.c
 *		Writing what people changed into the records of "steward" and "manual".
 *
 * A person's change of a canonical table is stored as a source record, so that
 * survivorship, types, history, as-of and dump treat it like any other belief.
 * A change of a field that sources feed becomes a pin: a value in the steward's
 * record of that golden id, which outranks every source. A change of a field
 * that nothing feeds needs no rank and becomes a value of the manual record.
 *
 * Changes are gathered in a tuplestore that enters SQL under the name
 * ssot_change, with one row per golden record:
 *
 *		key text, id, names text[], detail jsonb, times jsonb,
 *		v0, c0, v1, c1, ...
 *
 * where v<f> is the new value of field f and c<f> says whether it changed. The
 * statements run as the owner of the companion, under search_path = pg_catalog;
 * nothing of the user's is evaluated in them. The caller holds the clock, which
 * is the write lock of the entity: nobody else writes these records meanwhile.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/record.h"
#include "golden/correction.h"
#include "golden/hold.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

/* Attribute numbers of ssot_change, from zero. */
#define CHANGE_KEY		0
#define CHANGE_ID		1
#define CHANGE_NAMES	2
#define CHANGE_DETAIL	3
#define CHANGE_TIMES	4
#define CHANGE_VALUE(f)	(5 + 2 * (f))
#define CHANGE_FLAG(f)	(6 + 2 * (f))
#define CHANGE_NATTS(n)	(5 + 2 * (n))

/*
 * A field is pinned if a source feeds it. A field that only the listed systems
 * may feed is pinned too where the manual record is not among them: the change
 * would have no effect otherwise.
 */
bool *
ssot_pinned_fields(const SsotEntity *entity)
{
	bool	   *pinned = palloc(sizeof(bool) * Max(entity->nfields, 1));

	for (int f = 0; f < entity->nfields; f++)
		pinned[f] = ssot_field_is_fed(entity, f) ||
			entity->authority[f * entity->nsources + entity->manual] < 0;
	return pinned;
}

SsotCorrections *
ssot_corrections_create(const SsotEntity *entity, int source, TimestampTz time)
{
	SsotCorrections *corrections = palloc0(sizeof(SsotCorrections));
	TupleDesc	desc = CreateTemplateTupleDesc(CHANGE_NATTS(entity->nfields));

	TupleDescInitEntry(desc, CHANGE_KEY + 1, "key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, CHANGE_KEY + 1, C_COLLATION_OID);
	TupleDescInitEntry(desc, CHANGE_ID + 1, "id", entity->id_type, -1, 0);
	TupleDescInitEntry(desc, CHANGE_NAMES + 1, "names", TEXTARRAYOID, -1, 0);
	TupleDescInitEntry(desc, CHANGE_DETAIL + 1, "detail", JSONBOID, -1, 0);
	TupleDescInitEntry(desc, CHANGE_TIMES + 1, "times", JSONBOID, -1, 0);
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		TupleDescInitEntry(desc, CHANGE_VALUE(f) + 1, psprintf("v%d", f),
						   field->base_type, field->base_typmod, 0);
		TupleDescInitEntryCollation(desc, CHANGE_VALUE(f) + 1, field->collation);
		TupleDescInitEntry(desc, CHANGE_FLAG(f) + 1, psprintf("c%d", f), BOOLOID, -1, 0);
	}
	corrections->entity = entity;
	corrections->source = source;
	corrections->time = time;
	corrections->desc = desc;
	corrections->rows = tuplestore_begin_heap(false, false, work_mem);
	corrections->touched = palloc0(sizeof(bool) * Max(entity->nfields, 1));
	return corrections;
}

static char *
value_text(Oid type, Datum value)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(type, &output, &is_varlena);
	return OidOutputFunctionCall(output, value);
}

static Datum
json_datum(const char *text)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
}

static char *
time_text(TimestampTz time)
{
	char		buf[MAXDATELEN + 1];
	int			utc = 0;

	return pstrdup(JsonEncodeDateTime(buf, TimestampTzGetDatum(time), TIMESTAMPTZOID, &utc));
}

static void
append_member(StringInfo buf, const char *name, const char *value)
{
	if (buf->data[buf->len - 1] != '{')
		appendStringInfoString(buf, ", ");
	escape_json(buf, name);
	appendStringInfoString(buf, ": ");
	if (value == NULL)
		appendStringInfoString(buf, "null");
	else
		escape_json(buf, value);
}

/* {"email": {"by": "ann", "at": "...", "reason": "...", "overruled": "old@x"}} */
static Datum
pin_detail(const SsotEntity *entity, TimestampTz time, const bool *changed,
		   const Datum *old_values, const bool *old_nulls)
{
	StringInfoData buf;
	bool		first = true;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		if (!changed[f])
			continue;
		if (!first)
			appendStringInfoString(&buf, ", ");
		first = false;
		escape_json(&buf, field->name);
		appendStringInfoString(&buf, ": {");
		append_member(&buf, "by", GetUserNameFromId(GetSessionUserId(), false));
		append_member(&buf, "at", time_text(time));
		append_member(&buf, "reason", ssot_reason[0] == '\0' ? NULL : ssot_reason);
		append_member(&buf, "overruled",
					  old_nulls[f] ? NULL : value_text(field->base_type, old_values[f]));
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoChar(&buf, '}');
	return json_datum(buf.data);
}

/* {"email": "2026-01-05T00:00:00+00:00"}: when each value was typed */
static Datum
typed_times(const SsotEntity *entity, TimestampTz time, const bool *changed)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	for (int f = 0; f < entity->nfields; f++)
	{
		if (changed[f])
			append_member(&buf, entity->fields[f].name, time_text(time));
	}
	appendStringInfoChar(&buf, '}');
	return json_datum(buf.data);
}

static Datum
changed_names(const SsotEntity *entity, const bool *changed)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(entity->nfields, 1));
	int			n = 0;

	for (int f = 0; f < entity->nfields; f++)
	{
		if (changed[f])
			names[n++] = CStringGetTextDatum(entity->fields[f].name);
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * The caller has pinned the settings under which values become text, and resets
 * the memory context between rows.
 *
 * The time at which a person typed a value is that value's source time; a load
 * has none, because the time of a load says nothing about its values.
 */
void
ssot_corrections_add(SsotCorrections *corrections, Datum id, const bool *changed,
					 const Datum *values, const bool *nulls,
					 const Datum *old_values, const bool *old_nulls)
{
	const SsotEntity *entity = corrections->entity;
	int			natts = corrections->desc->natts;
	Datum	   *row = palloc0(sizeof(Datum) * natts);
	bool	   *isnull = palloc0(sizeof(bool) * natts);

	row[CHANGE_KEY] = CStringGetTextDatum(value_text(entity->id_type, id));
	row[CHANGE_ID] = id;
	isnull[CHANGE_NAMES] = corrections->fresh;
	if (!corrections->fresh)
		row[CHANGE_NAMES] = changed_names(entity, changed);
	isnull[CHANGE_DETAIL] = corrections->source != entity->steward || old_values == NULL;
	if (!isnull[CHANGE_DETAIL])
		row[CHANGE_DETAIL] = pin_detail(entity, corrections->time, changed,
										old_values, old_nulls);
	isnull[CHANGE_TIMES] = corrections->source != entity->manual ||
		corrections->fresh || ssot_write_mode == SSOT_WRITE_LOAD;
	if (!isnull[CHANGE_TIMES])
		row[CHANGE_TIMES] = typed_times(entity, corrections->time, changed);

	for (int f = 0; f < entity->nfields; f++)
	{
		row[CHANGE_FLAG(f)] = BoolGetDatum(changed[f]);
		isnull[CHANGE_VALUE(f)] = !changed[f] || nulls == NULL || nulls[f];
		if (!isnull[CHANGE_VALUE(f)])
			row[CHANGE_VALUE(f)] = values[f];
		if (changed[f])
			corrections->touched[f] = true;
	}
	tuplestore_putvalues(corrections->rows, corrections->desc, row, isnull);
	corrections->nrows++;
}

/*
 * Run a statement over ssot_change with $1 = the write time and $2, $3 = the
 * numbers of the source and of the steward's source.
 */
static bool
run_over_changes(const SsotCorrections *corrections, const char *sql, bool *result)
{
	const SsotEntity *entity = corrections->entity;
	static const Oid argtypes[] = {TIMESTAMPTZOID, INT4OID, INT4OID};
	Datum		args[3];
	SsotRelation change = {"ssot_change", corrections->desc, corrections->rows,
	corrections->nrows};
	SsotStatement statement = {
		.sql = sql,.nargs = 3,.argtypes = argtypes,.args = args,
		.nrelations = 1,.relations = &change
	};

	args[0] = TimestampTzGetDatum(corrections->time);
	args[1] = Int32GetDatum(entity->sources[corrections->source].source_id);
	args[2] = Int32GetDatum(entity->sources[entity->steward].source_id);
	if (result == NULL)
		return ssot_statement_run(&statement) > 0;
	else
	{
		Datum		value;
		bool		isnull;
		bool		found = ssot_statement_one(&statement, 1, &value, &isnull);

		*result = found && !isnull && DatumGetBool(value);
		return found;
	}
}

/*
 * " AND ROW(s.email, ...) *<> ROW(<new value>, ...)": does the change say
 * anything new to a manual record? A load repeats itself every night; a pin is
 * new each time, by who and when.
 */
static char *
says_something_new(const SsotCorrections *corrections)
{
	StringInfoData old;
	StringInfoData new;

	if (corrections->source == corrections->entity->steward)
		return "";
	initStringInfo(&old);
	initStringInfo(&new);
	for (int f = 0; f < corrections->entity->nfields; f++)
	{
		const char *name = corrections->entity->fields[f].name;

		if (!corrections->touched[f])
			continue;
		ssot_sql_append(&old, "s.%I, ", name);
		ssot_sql_append(&new, "CASE WHEN c.c%d THEN c.v%d ELSE s.%I END, ", f, f, name);
	}
	return ssot_sql(" AND ROW(%strue)::record *<> ROW(%strue)::record", old.data, new.data);
}

/* "join" ties ssot_change (c) to records (s). */
static void
keep_versions(const SsotCorrections *corrections, const char *join)
{
	const SsotEntity *entity = corrections->entity;

	/*
	 * INSERT INTO golden_ssot.customer_source_history (ssot_source, ...,
	 * ssot_to) SELECT s.ssot_source, ..., $1 FROM ssot_change AS c JOIN
	 * golden_ssot.customer_source AS s ON <join> WHERE s.ssot_from < $1
	 */
	run_over_changes(corrections,
					 ssot_sql("INSERT INTO %T (%s, ssot_to)"
							  " SELECT %s, $1"
							  " FROM ssot_change AS c"
							  " JOIN %T AS s ON %s"
							  " WHERE s.ssot_from < $1",
							  entity->source_history_table,
							  ssot_record_columns(entity, ""),
							  ssot_record_columns(entity, "s."),
							  entity->source_table, join),
					 NULL);
}

/* ", email = CASE WHEN c.c3 THEN c.v3 ELSE s.email END" for each touched field,
 * or NULL in place of the new value. */
static char *
assignments(const SsotCorrections *corrections, bool clear)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int f = 0; f < corrections->entity->nfields; f++)
	{
		const char *name = corrections->entity->fields[f].name;

		if (corrections->touched[f])
			ssot_sql_append(&buf, ", %I = CASE WHEN c.c%d THEN %s ELSE s.%I END",
							name, f, clear ? "NULL" : psprintf("c.v%d", f), name);
	}
	return buf.data;
}

static const char *const own_record =
"s.ssot_key = c.key AND s.ssot_source = $2 AND s.ssot_copy = 0";

/* Records of the steward that pin one of the changed fields. */
static char *
pins_of_same_fields(const SsotCorrections *corrections, bool but_own)
{
	return ssot_sql("s.%I = c.id AND s.ssot_source = $3 AND s.ssot_detail ?| c.names%s",
					corrections->entity->id_column,
					but_own ? " AND s.ssot_key <> c.key" : "");
}

/* {"ended": "agreed"} or {"ended": "released", "ended_by": "ann", "ended_reason": "..."} */
static char *
end_of_pin(const SsotCorrections *corrections)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	append_member(&buf, "ended", corrections->agreed ? "agreed" : "released");
	if (!corrections->agreed)
	{
		append_member(&buf, "ended_by", GetUserNameFromId(GetSessionUserId(), false));
		append_member(&buf, "ended_reason", ssot_reason[0] == '\0' ? NULL : ssot_reason);
	}
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/*
 * The versions that were just kept say why their pins ended:
 *
 * UPDATE golden_ssot.customer_source_history AS h
 *    SET ssot_detail = (SELECT jsonb_object_agg(d.key, CASE WHEN d.key = ANY (c.names)
 *                       THEN d.value || '{"ended": …}' ELSE d.value END)
 *                         FROM jsonb_each(h.ssot_detail) AS d)
 *   FROM ssot_change AS c
 *  WHERE h.ssot_to = $1 AND h.customer_id = c.id AND h.ssot_source = $3
 *    AND h.ssot_detail ?| c.names
 */
static void
note_end_of_pins(const SsotCorrections *corrections)
{
	const SsotEntity *entity = corrections->entity;

	run_over_changes(corrections,
					 ssot_sql("UPDATE %T AS h"
							  " SET ssot_detail = (SELECT jsonb_object_agg(d.key,"
							  "     CASE WHEN d.key = ANY (c.names) THEN d.value || %L ELSE d.value END)"
							  "     FROM jsonb_each(h.ssot_detail) AS d)"
							  " FROM ssot_change AS c"
							  " WHERE h.ssot_to = $1 AND h.%I = c.id AND h.ssot_source = $3"
							  "   AND h.ssot_detail ?| c.names",
							  entity->source_history_table, end_of_pin(corrections),
							  entity->id_column),
					 NULL);
}

static bool
release_pins(SsotCorrections *corrections, bool but_own)
{
	const SsotEntity *entity = corrections->entity;
	char	   *join = pins_of_same_fields(corrections, but_own);
	bool		exists;

	run_over_changes(corrections,
					 ssot_sql("SELECT EXISTS (SELECT FROM ssot_change AS c"
							  " JOIN %T AS s ON %s)", entity->source_table, join),
					 &exists);
	if (!exists)
		return false;

	keep_versions(corrections, join);
	note_end_of_pins(corrections);

	/*
	 * UPDATE golden_ssot.customer_source AS s SET ssot_from = $1, ssot_detail
	 * = s.ssot_detail - c.names, email = CASE WHEN c.c3 THEN NULL ELSE
	 * s.email END FROM ssot_change AS c WHERE <join>
	 */
	run_over_changes(corrections,
					 ssot_sql("UPDATE %T AS s"
							  " SET ssot_from = $1, ssot_detail = s.ssot_detail - c.names%s"
							  " FROM ssot_change AS c"
							  " WHERE %s",
							  entity->source_table, assignments(corrections, true), join),
					 NULL);
	run_over_changes(corrections,
					 ssot_sql("DELETE FROM %T AS s"
							  " USING ssot_change AS c"
							  " WHERE s.%I = c.id AND s.ssot_source = $3"
							  "   AND s.ssot_detail = '{}'",
							  entity->source_table, entity->id_column),
					 NULL);
	return true;
}

/*
 * What a pin says of itself; one in place of another says further what the first
 * of them overruled: what the sources said then.
 */
static const char *
new_detail(const SsotCorrections *corrections)
{
	if (corrections->source != corrections->entity->steward)
		return "c.detail";
	return "(SELECT jsonb_object_agg(d.key, CASE WHEN s.ssot_detail ? d.key"
		" THEN d.value || jsonb_build_object('said', coalesce("
		"      s.ssot_detail -> d.key -> 'said', s.ssot_detail -> d.key -> 'overruled'))"
		" ELSE d.value END)"
		" FROM jsonb_each(c.detail) AS d)";
}

static void
update_records(SsotCorrections *corrections, const char *join)
{
	const SsotEntity *entity = corrections->entity;

	/*
	 * UPDATE golden_ssot.customer_source AS s SET ssot_from = $1, ssot_detail
	 * = s.ssot_detail || c.detail, ssot_times = s.ssot_times - c.names ||
	 * c.times, email = CASE WHEN c.c3 THEN c.v3 ELSE s.email END FROM
	 * ssot_change AS c WHERE <own record>
	 */
	run_over_changes(corrections,
					 ssot_sql("UPDATE %T AS s"
							  " SET ssot_from = $1,"
							  "     ssot_detail = nullif(coalesce(s.ssot_detail, '{}')"
							  "                          || coalesce(%s, '{}'), '{}'),"
							  "     ssot_times = nullif((coalesce(s.ssot_times, '{}') - c.names)"
							  "                         || coalesce(c.times, '{}'), '{}')%s"
							  " FROM ssot_change AS c"
							  " WHERE %s",
							  entity->source_table, new_detail(corrections),
							  assignments(corrections, false), join),
					 NULL);
}

/* The select list that makes a new record; see ssot_record_columns. */
static char *
new_record(const SsotEntity *entity, const char *updated_at, const char *times)
{
	StringInfoData buf;

	initStringInfo(&buf);
	ssot_sql_append(&buf, "$2, c.key, 0, c.id, %s, $1, 0, 0, %s, NULL, c.detail",
					updated_at, times);
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(&buf, ", c.v%d", f);
	return buf.data;
}

void
ssot_corrections_write(SsotCorrections *corrections)
{
	const SsotEntity *entity = corrections->entity;
	bool		pins = corrections->source == entity->steward;
	char	   *old_record = psprintf("%s%s", own_record, says_something_new(corrections));
	SsotUser	user;

	if (corrections->nrows == 0)
		return;
	user = ssot_become_owner(ssot_companion_oid(entity->source_table));
	if (pins || ssot_write_mode == SSOT_WRITE_STEWARD)
		release_pins(corrections, pins);
	keep_versions(corrections, old_record);
	update_records(corrections, old_record);

	/*
	 * INSERT INTO golden_ssot.customer_source (ssot_source, ssot_key, ...)
	 * SELECT $2, c.key, ... FROM ssot_change AS c WHERE NOT EXISTS (SELECT
	 * FROM golden_ssot.customer_source AS s WHERE <own record>)
	 */
	run_over_changes(corrections,
					 ssot_sql("INSERT INTO %T (%s)"
							  " SELECT %s"
							  " FROM ssot_change AS c"
							  " WHERE NOT EXISTS (SELECT FROM %T AS s WHERE %s)",
							  entity->source_table, ssot_record_columns(entity, ""),
							  new_record(entity, "NULL", "c.times"),
							  entity->source_table, own_record),
					 NULL);
	ssot_restore_user(user);
}

/*
 * An id that was merged away, or whose manual record lives on under another
 * golden record, still resolves; giving it to something new would make old
 * references lie.
 */
static bool
report_used_id(TupleTableSlot *slot, void *arg)
{
	const SsotEntity *entity = (const SsotEntity *) arg;
	bool		isnull;
	char	   *id = TextDatumGetCString(slot_getattr(slot, 1, &isnull));

	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("golden id %s of entity \"%s\" has been used before", id, entity->name),
			 errdetail("Golden ids are never reused: a merged id still resolves."),
			 errhint("Leave out column \"%s\" so that a new id is drawn.",
					 entity->id_column)));
	return false;
}

static void
refuse_used_ids(SsotCorrections *corrections, const char *writer, const char *sql)
{
	SsotRelation change = {"ssot_change", corrections->desc, corrections->rows,
	corrections->nrows};
	static const Oid argtypes[] = {TEXTOID, INT4OID};
	Datum		args[2];
	SsotStatement statement = {
		.sql = sql,.nargs = 2,.argtypes = argtypes,.args = args,
		.nrelations = 1,.relations = &change
	};
	SsotUser	user;

	args[0] = CStringGetTextDatum(corrections->entity->name);
	args[1] = Int32GetDatum(corrections->entity->sources[corrections->source].source_id);
	user = ssot_become_owner(ssot_companion_oid(writer));
	ssot_statement_each(&statement, report_used_id, (void *) corrections->entity);
	ssot_restore_user(user);
}

void
ssot_corrections_insert(SsotCorrections *corrections)
{
	const SsotEntity *entity = corrections->entity;
	SsotUser	user;

	if (corrections->nrows == 0)
		return;
	refuse_used_ids(corrections, "ssot.merged_id",
					"SELECT c.key"
					" FROM ssot_change AS c"
					" JOIN ssot.merged_id AS m ON m.lost_id = c.key"
					" WHERE m.entity = $1"
					" ORDER BY c.key LIMIT 1");
	refuse_used_ids(corrections, entity->source_table,
					ssot_sql("SELECT c.key"
							 " FROM ssot_change AS c"
							 " JOIN %T AS s ON s.ssot_key = c.key"
							 " WHERE s.ssot_source = $2 AND s.ssot_copy = 0"
							 " ORDER BY c.key LIMIT 1", entity->source_table));

	user = ssot_become_owner(ssot_companion_oid(entity->source_table));

	/*
	 * INSERT INTO golden_ssot.customer_source (ssot_source, ssot_key, ...)
	 * SELECT $2, c.key, ... FROM ssot_change AS c
	 */
	run_over_changes(corrections,
					 ssot_sql("INSERT INTO %T (%s)"
							  " SELECT %s"
							  " FROM ssot_change AS c",
							  entity->source_table, ssot_record_columns(entity, ""),
							  new_record(entity,
										 ssot_write_mode == SSOT_WRITE_LOAD ? "NULL" : "$1",
										 "NULL")),
					 NULL);
	ssot_restore_user(user);
}

bool
ssot_corrections_release(SsotCorrections *corrections)
{
	bool		released;
	SsotUser	user;

	user = ssot_become_owner(ssot_companion_oid(corrections->entity->source_table));
	released = release_pins(corrections, false);
	ssot_restore_user(user);
	return released;
}

void
ssot_corrections_free(SsotCorrections *corrections)
{
	tuplestore_end(corrections->rows);
	corrections->rows = NULL;
}
