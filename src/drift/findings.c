/*
 * drift/findings.c
 *		Differences as rows: collected while comparing, read by SQL.
 *
 * Keeping and verifying both need the set of differences beside the table of
 * those that are kept. The set may be as large as the entity, so it lives in a
 * tuplestore, which spills, and statements see it as a relation.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "drift/findings.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define FINDING_COLUMNS 13

SsotFindings *
ssot_findings_create(const SsotEntity *entity)
{
	SsotFindings *findings = palloc0(sizeof(SsotFindings));
	TupleDesc	desc = CreateTemplateTupleDesc(FINDING_COLUMNS);
	AttrNumber	n = 0;

	TupleDescInitEntry(desc, ++n, "id", entity->id_type, -1, 0);
	TupleDescInitEntry(desc, ++n, "system", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "key", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "field", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "kind", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, ++n, "golden_value", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "system_value", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "system_time", TIMESTAMPTZOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "winner_system", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "winner_time", TIMESTAMPTZOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "winner_from", TIMESTAMPTZOID, -1, 0);
	TupleDescInitEntry(desc, ++n, "report", INT8OID, -1, 0);

	findings->entity = entity;
	findings->desc = desc;
	findings->rows = tuplestore_begin_heap(false, false, work_mem);
	return findings;
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

void
ssot_findings_add(const SsotDifference *d, void *arg)
{
	SsotFindings *findings = (SsotFindings *) arg;
	const SsotEntity *entity = findings->entity;
	bool		has_winner = d->winner_source >= 0;
	Datum		values[FINDING_COLUMNS];
	bool		nulls[FINDING_COLUMNS] = {false};

	values[0] = findings->id;
	values[1] = CStringGetTextDatum(entity->sources[d->source].system);
	values[2] = CStringGetTextDatum(d->key);
	values[3] = CStringGetTextDatum(d->field < 0 ? "" : entity->fields[d->field].name);
	values[4] = CStringGetTextDatum(ssot_drift_kind_name(d->kind));
	values[5] = Int32GetDatum(entity->sources[d->source].source_id);
	values[6] = text_or_null(d->golden_value, &nulls[6]);
	values[7] = text_or_null(d->system_value, &nulls[7]);
	values[8] = TimestampTzGetDatum(d->system_time);
	nulls[8] = !d->has_system_time;
	values[9] = text_or_null(has_winner ? entity->sources[d->winner_source].system : NULL,
							 &nulls[9]);
	values[10] = TimestampTzGetDatum(d->winner_time);
	nulls[10] = !has_winner || !d->has_winner_time;
	values[11] = TimestampTzGetDatum(d->winner_from);
	nulls[11] = !has_winner;
	values[12] = Int64GetDatum(findings->report);
	tuplestore_putvalues(findings->rows, findings->desc, values, nulls);
	findings->count++;
}

SsotRelation
ssot_findings_relation(const SsotFindings *findings, const char *name)
{
	return (SsotRelation)
	{
		name, findings->desc, findings->rows, (double) findings->count
	};
}

SsotRelation
ssot_ids_relation(const SsotEntity *entity, const char *name,
				  Tuplestorestate *rows, int64 count)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(desc, 1, "id", entity->id_type, -1, 0);
	return (SsotRelation)
	{
		name, desc, rows, (double) count
	};
}

/*
 * Text forms are compared: format('%s') calls the type's output function, as the
 * comparing did.
 *
 *		CASE f.field
 *			WHEN 'name' THEN h.name IS NOT NULL AND format('%s', h.name) COLLATE "C" = f.system_value
 *			...
 *			ELSE false END
 */
char *
ssot_former_value_condition(const SsotEntity *entity, const char *d)
{
	StringInfoData sql;

	initStringInfo(&sql);
	ssot_sql_append(&sql, "CASE %s.field", d);
	for (int i = 0; i < entity->nfields; i++)
		ssot_sql_append(&sql,
						" WHEN %L THEN h.%I IS NOT NULL AND"
						" pg_catalog.format('%%s', h.%I) COLLATE pg_catalog.\"C\" = %s.system_value",
						entity->fields[i].name, entity->fields[i].name,
						entity->fields[i].name, d);
	appendStringInfoString(&sql, " ELSE false END");
	return sql.data;
}

/*
 * (f.kind = 'mismatch'
 *	AND (f.system_time <= f.winner_time OR f.system_time IS NULL OR f.winner_time IS NULL)
 *	AND EXISTS (SELECT
 *				  FROM golden_ssot.customer_history AS h
 *				 WHERE h.customer_id = f.id AND <former value>))
 */
char *
ssot_stale_condition(const SsotEntity *entity)
{
	return ssot_sql("(f.kind = 'mismatch'"
					" AND (f.system_time <= f.winner_time OR f.system_time IS NULL"
					" OR f.winner_time IS NULL)"
					" AND EXISTS (SELECT FROM %T AS h WHERE h.%I = f.id AND %s))",
					entity->history_table, entity->id_column,
					ssot_former_value_condition(entity, "f"));
}

char *
ssot_same_difference(const SsotEntity *entity)
{
	return ssot_sql("d.%I = f.id AND d.system = f.system AND d.key = f.key AND d.field = f.field"
					" AND (d.kind = f.kind OR (d.kind = 'stale' AND f.kind = 'mismatch'))",
					entity->id_column);
}
