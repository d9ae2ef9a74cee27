/*
 * dictionary/quarantined.c
 *		Rows of the quarantine that a number can still be computed on.
 *
 * A row may be in quarantine for an e-mail address that is none, while its amount
 * is as good as any; the system itself counts it. So of each row only the fields
 * that a metric reads are evaluated, as the source's mapping says, and a row of
 * which one cannot be cast is left out. The row was kept whole, every column as
 * text; it becomes a row of the source's relation again:
 *
 *		SELECT q.ssot_key, CAST(<expression> AS numeric), ...
 *		FROM (SELECT $1 AS ssot_key) AS q,
 *		     (SELECT (jsonb_populate_record(NULL::bronze.crm_deal, $2)).*) AS crm_deal
 *
 * Expressions are the source's, evaluated with the rights of whoever asks. A
 * source whose relation is gone has no row here: nobody can tell what its columns
 * were.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/settings.h"
#include "dictionary/quarantined.h"
#include "entity/ddl.h"
#include "entity/json.h"
#include "ingest/protect.h"

#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

/* A row of the quarantine. */
typedef struct RawRow
{
	Datum		key;
	bool		no_key;
	Datum		raw;			/* jsonb */
	int			copies;
} RawRow;

typedef struct Evaluation
{
	SsotRelation *out;
	const char *sql;
	List	   *rows;			/* of RawRow */
	int			at;				/* the one at hand, -1 before the first */
	Datum	   *values;
	bool	   *nulls;
	int			nvalues;
	bool		done;			/* the row at hand gave values */
} Evaluation;

static List *
mapped_fields(const SsotRecords *records, List *columns)
{
	List	   *fields = NIL;
	ListCell   *cell;

	foreach(cell, columns)
		if (ssot_records_map(records, (const char *) lfirst(cell)))
		fields = lappend_int(fields, ssot_entity_field(records->entity, (const char *) lfirst(cell)));
	return fields;
}

static TupleDesc
row_desc(const SsotEntity *entity, List *fields)
{
	TupleDesc	desc = CreateTemplateTupleDesc(list_length(fields) + 1);
	int			n = 1;
	ListCell   *cell;

	TupleDescInitEntry(desc, n, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, n, C_COLLATION_OID);
	foreach(cell, fields)
	{
		const SsotField *field = &entity->fields[lfirst_int(cell)];

		n++;
		TupleDescInitEntry(desc, n, field->name, field->base_type, field->base_typmod, 0);
		TupleDescInitEntryCollation(desc, n, field->collation);
	}
	return desc;
}

/* The golden id that a reference of a source leads to:
 *
 * (SELECT t.customer_id FROM golden_ssot.customer_source AS t JOIN ssot.source ...
 *  WHERE t.ssot_key = <value> AND <source of the system> AND t.ssot_copy = 0 LIMIT 1)
 *
 * or by a further key through golden_ssot.customer_key. */
static char *
reference_sql(const SsotField *field, const char *system, const char *key, const char *value)
{
	SsotEntity *target = ssot_entity_load(field->references, false);
	StringInfoData ids;

	initStringInfo(&ids);
	for (int s = 0; s < target->nsources; s++)
		if (strcmp(target->sources[s].system, system) == 0)
			appendStringInfo(&ids, "%s%d", ids.len > 0 ? ", " : "", target->sources[s].source_id);
	if (ids.len == 0)
		return ssot_sql("NULL");
	if (key == NULL)
		return ssot_sql("(SELECT t.%I FROM %T AS t WHERE t.ssot_key = (%s)::pg_catalog.text"
						" AND t.ssot_source IN (%s) AND t.ssot_copy = 0 LIMIT 1)",
						target->id_column, target->source_table, value, ids.data);
	return ssot_sql("(SELECT t.%I FROM %T AS k JOIN %T AS t USING (ssot_source, ssot_key)"
					" WHERE k.token = %L || (%s)::pg_catalog.text"
					" AND t.ssot_source IN (%s) AND t.ssot_copy = 0 LIMIT 1)",
					target->id_column, target->key_table, target->source_table,
					psprintf("%s.%s:", system, key), value, ids.data);
}

/*
 * A field's value as ingestion would take it: blank is none, a listed code is its
 * meaning and an unlisted one none.
 */
static char *
field_sql(const SsotRecords *records, const SsotSource *source, const SsotField *field)
{
	JsonbValue *fields = ssot_json_member(source->compiled, "fields");
	ListCell   *cell;

	foreach(cell, ssot_json_pairs(fields, "fields"))
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);
		char	   *value;

		if (strcmp(pair->name, field->name) != 0)
			continue;
		if (pair->value.type == jbvBinary)
		{
			Jsonb	   *reference = JsonbValueToJsonb(&pair->value);
			JsonbValue *key = ssot_json_member(reference, "key");

			return reference_sql(field,
								 ssot_json_string(ssot_json_member(reference, "system"), "system"),
								 key == NULL ? NULL : ssot_json_string(key, "key"),
								 ssot_json_string(ssot_json_member(reference, "value"), "value"));
		}
		value = ssot_json_string(&pair->value, field->name);
		if (OidIsValid(field->references))
			return reference_sql(field, records->system, NULL, value);
		return ssot_sql("(SELECT CASE WHEN ssot.is_blank((v.x)::pg_catalog.text) THEN NULL"
						" WHEN EXISTS (SELECT FROM ssot.value_map AS m WHERE m.source_id = %d AND m.field = %L)"
						" THEN (SELECT CAST(m.value AS %s) FROM ssot.value_map AS m WHERE m.source_id = %d"
						" AND m.field = %L AND m.code = (v.x)::pg_catalog.text)"
						" ELSE CAST(v.x AS %s) END FROM (SELECT %s AS x) AS v)",
						source->source_id, field->name,
						format_type_with_typemod(field->base_type, field->base_typmod),
						source->source_id, field->name,
						format_type_with_typemod(field->base_type, field->base_typmod), value);
	}
	return pstrdup("NULL");
}

static char *
row_sql(const SsotRecords *records, const SsotSource *source, Oid relid, List *fields)
{
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, fields)
	{
		const SsotField *field = &records->entity->fields[lfirst_int(cell)];

		ssot_sql_append(&list, ", CAST(%s AS %s)", field_sql(records, source, field),
						format_type_with_typemod(field->base_type, field->base_typmod));
	}
	return ssot_sql("SELECT q.ssot_key%s\nFROM (SELECT $1 AS ssot_key) AS q,"
					" (SELECT (pg_catalog.jsonb_populate_record(NULL::%T, $2)).*) AS %I",
					list.data, ssot_relation_name(relid), get_rel_name(relid));
}

/* ---- evaluating ----------------------------------------------------------- */

static bool
take_raw(TupleTableSlot *slot, void *arg)
{
	List	  **rows = (List **) arg;
	RawRow	   *row = palloc0(sizeof(RawRow));

	slot_getallattrs(slot);
	row->no_key = slot->tts_isnull[0];
	if (!row->no_key)
		row->key = datumCopy(slot->tts_values[0], false, -1);
	row->raw = datumCopy(slot->tts_values[1], false, -1);
	row->copies = DatumGetInt32(slot->tts_values[2]);
	*rows = lappend(*rows, row);
	return true;
}

static bool
next_row(void *arg)
{
	Evaluation *e = (Evaluation *) arg;

	return ++e->at < list_length(e->rows);
}

static void
put_row(void *arg)
{
	Evaluation *e = (Evaluation *) arg;
	RawRow	   *row = (RawRow *) list_nth(e->rows, e->at);

	for (int i = 0; i < row->copies; i++)
		tuplestore_putvalues(e->out->rows, e->out->desc, e->values, e->nulls);
	e->out->count += row->copies;
}

static bool
take_values(TupleTableSlot *slot, void *arg)
{
	Evaluation *e = (Evaluation *) arg;

	slot_getallattrs(slot);
	memcpy(e->values, slot->tts_values, sizeof(Datum) * e->nvalues);
	memcpy(e->nulls, slot->tts_isnull, sizeof(bool) * e->nvalues);
	ssot_protected_outside(put_row, e);
	return false;
}

static void
evaluate_row(void *arg)
{
	Evaluation *e = (Evaluation *) arg;
	RawRow	   *row = (RawRow *) list_nth(e->rows, e->at);
	Oid			types[2] = {TEXTOID, JSONBOID};
	Datum		args[2] = {row->key, row->raw};
	bool		nulls[2] = {row->no_key, false};
	SsotStatement statement = {
		.sql = e->sql,.nargs = 2,.argtypes = types,.args = args,.nulls = nulls,.read_only = true
	};

	ssot_statement_each(&statement, take_values, e);
}

/* The row has a field that cannot be cast: it has no number. */
static bool
row_failed(void *arg, ErrorData *error)
{
	return false;
}

static void
evaluate_source(const SsotRecords *records, const SsotSource *source, List *fields,
				SsotRelation *out)
{
	static const SsotProtected loop = {next_row, evaluate_row, row_failed};
	Evaluation	e = {.out = out,.at = -1,.nvalues = list_length(fields) + 1};
	Oid			relid = source->relation == NULL ? InvalidOid : ssot_relation_oid(source->relation);
	char	   *then = TIMESTAMP_NOT_FINITE(records->time) ? pstrdup("") :
	ssot_sql(" AND q.first_seen <= %L::pg_catalog.timestamptz", timestamptz_to_str(records->time));
	SsotStatement statement = {
		.sql = ssot_sql("SELECT q.ssot_key, q.raw, q.copies FROM %T AS q WHERE q.ssot_source = %d%s"
						" ORDER BY q.ssot_image",
						records->entity->quarantine_table, source->source_id, then),
		.read_only = true
	};

	if (!OidIsValid(relid))
		return;
	ssot_statement_each(&statement, take_raw, &e.rows);
	if (e.rows == NIL)
		return;
	e.sql = row_sql(records, source, relid, fields);
	e.values = palloc(sizeof(Datum) * e.nvalues);
	e.nulls = palloc(sizeof(bool) * e.nvalues);
	ssot_protected_each(&loop, &e);
}

SsotRelation *
ssot_quarantined_rows(const SsotRecords *records, List *columns)
{
	List	   *fields = mapped_fields(records, columns);
	SsotRelation *out = palloc0(sizeof(SsotRelation));
	ListCell   *cell;

	if (pg_class_aclcheck(ssot_companion_oid(records->entity->quarantine_table), GetUserId(),
						  ACL_SELECT) != ACLCHECK_OK)
		return NULL;
	out->desc = row_desc(records->entity, fields);
	out->rows = tuplestore_begin_heap(false, false, work_mem);
	foreach(cell, records->sources)
		evaluate_source(records, &records->entity->sources[lfirst_int(cell)], fields, out);
	if (out->count == 0)
	{
		tuplestore_end(out->rows);
		return NULL;
	}
	return out;
}
