/*
 * dictionary/records.c
 *		What one system holds of an entity, as a query.
 *
 * A system's own number is computed on the rows it holds: all of them, also those
 * that belong to no golden record, that repeat another one, or that were
 * superseded by a later row of their key. Only parts are joined: records of one
 * system with one key are one record, of which each field is that of the part
 * believed first (source time, then source rank).
 *
 * One source:
 *
 *		SELECT r.opportunity_id, r.ssot_key, <state>, <level>, 0 AS ssot_rank,
 *		       r.ssot_updated_at, r.amount, r.stage
 *		FROM golden_ssot.opportunity_source AS r
 *		WHERE r.ssot_source = 3 AND r.ssot_copy >= 0
 *
 * and for a past time the same with "AND r.ssot_from <= t", and from
 * opportunity_source_history with "AND r.ssot_to > t" besides. Several sources:
 *
 *		SELECT min(r.opportunity_id) ..., (array_agg(r.amount ORDER BY r.ssot_updated_at
 *		       DESC NULLS LAST, r.ssot_rank) FILTER (WHERE r.amount IS NOT NULL))[1] ...
 *		FROM (<one source> UNION ALL ...) AS r
 *		GROUP BY r.ssot_key, r.ssot_copy, r.ssot_part
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/quarantined.h"
#include "dictionary/records.h"
#include "entity/companion.h"

const char *const ssot_records_order =
"ssot_state, ssot_rank, ssot_updated_at DESC NULLS LAST, ssot_key COLLATE \"C\"";

SsotRecords *
ssot_records_open(const SsotEntity *entity, const char *system, TimestampTz time)
{
	SsotRecords *records = palloc0(sizeof(SsotRecords));

	records->entity = entity;
	records->system = system;
	records->time = time;
	records->maps = palloc0(sizeof(bool) * Max(entity->nfields, 1));
	for (int s = 0; s < entity->nsources; s++)
	{
		if (strcmp(entity->sources[s].system, system) != 0)
			continue;
		records->sources = lappend_int(records->sources, s);
		for (int f = 0; f < entity->nfields; f++)
			records->maps[f] |= entity->sources[s].maps[f];
	}
	return records->sources == NIL ? NULL : records;
}

bool
ssot_records_map(const SsotRecords *records, const char *column)
{
	int			field = ssot_entity_field(records->entity, column);

	return field >= 0 && records->maps[field];
}

char *
ssot_records_golden(const SsotRecords *records)
{
	if (TIMESTAMP_NOT_FINITE(records->time))
		return records->entity->name;
	return ssot_sql("%T(%L::pg_catalog.timestamptz)", ssot_as_of_function(records->entity),
					timestamptz_to_str(records->time));
}

/* ", r.amount, r.stage": those of the columns that the system maps. */
static char *
mapped_columns(const SsotRecords *records, List *columns, const char *format)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, columns)
	{
		const char *column = (const char *) lfirst(cell);

		if (ssot_records_map(records, column))
			ssot_sql_append(&buf, format, column, column, column);
	}
	return buf.data;
}

/* The rows of one source, in force at the time or then. */
static char *
source_rows(const SsotRecords *records, int s, const char *columns, bool closed)
{
	const SsotEntity *entity = records->entity;
	const SsotSource *source = &entity->sources[s];
	const char *time = timestamptz_to_str(records->time);
	char	   *then = TIMESTAMP_NOT_FINITE(records->time) ? pstrdup("") :
	ssot_sql(" AND r.ssot_from <= %L::pg_catalog.timestamptz%s", time,
			 closed ? ssot_sql(" AND r.ssot_to > %L::pg_catalog.timestamptz", time) : "");

	return ssot_sql("SELECT r.%I, r.ssot_key,"
					" r.ssot_copy AS ssot_state,"
					" %s AS ssot_level, %d AS ssot_rank, r.ssot_updated_at, r.ssot_copy%s\n"
					"FROM %T AS r\n"
					"WHERE r.ssot_source = %d AND r.ssot_copy >= 0%s",
					entity->id_column, source->level == NULL ? "false" : "true", s,
					columns, closed ? entity->source_history_table : entity->source_table,
					source->source_id, then);
}

static char *
all_rows(const SsotRecords *records, const char *columns)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, records->sources)
	{
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? "\nUNION ALL\n" : "",
						 source_rows(records, lfirst_int(cell), columns, false));
		if (!TIMESTAMP_NOT_FINITE(records->time))
			appendStringInfo(&buf, "\nUNION ALL\n%s",
							 source_rows(records, lfirst_int(cell), columns, true));
	}
	return buf.data;
}

/*
 * Parts of one record share their key. Superseded rows join nothing: each is a
 * row of its own.
 */
static char *
joined_rows(const SsotRecords *records, List *columns)
{
	const char *id = records->entity->id_column;

	return ssot_sql("SELECT (pg_catalog.array_agg(r.%I ORDER BY r.ssot_rank))[1] AS %I, r.ssot_key,"
					" r.ssot_state, pg_catalog.bool_and(r.ssot_level) AS ssot_level,"
					" pg_catalog.min(r.ssot_rank) AS ssot_rank,"
					" pg_catalog.max(r.ssot_updated_at) AS ssot_updated_at, r.ssot_copy%s\n"
					"FROM (%s) AS r\n"
					"GROUP BY r.ssot_key, r.ssot_state, r.ssot_copy,"
					" CASE WHEN r.ssot_copy > 0 THEN r.ssot_rank END",
					id, id,
					mapped_columns(records, columns,
								   ", (pg_catalog.array_agg(r.%I ORDER BY r.ssot_updated_at DESC NULLS LAST,"
								   " r.ssot_rank) FILTER (WHERE r.%I IS NOT NULL))[1] AS %I"),
					all_rows(records, mapped_columns(records, columns, ", r.%I")));
}

char *
ssot_records_rows(const SsotRecords *records, List *columns)
{
	return list_length(records->sources) > 1 ? joined_rows(records, columns) :
		all_rows(records, mapped_columns(records, columns, ", r.%I"));
}

char *
ssot_records_both(const SsotRecords *left, const SsotRecords *right, const char *list)
{
	const SsotRecords *records[] = {left, right};
	int			sources[2];

	for (int i = 0; i < 2; i++)
	{
		const SsotSource *source = &left->entity->sources[linitial_int(records[i]->sources)];

		if (list_length(records[i]->sources) > 1 || source->level != NULL || !TIMESTAMP_NOT_FINITE(records[i]->time))
			return NULL;
		sources[i] = source->source_id;
	}
	if (sources[0] == sources[1])
		return NULL;
	return ssot_sql("SELECT %s, r.ssot_source = %d AS is_right, r.ctid AS tid\n"
					"FROM %T AS r\nWHERE r.ssot_source IN (%d, %d) AND r.ssot_copy >= 0",
					list, sources[1], left->entity->source_table, sources[0], sources[1]);
}

/* The names of a list that are not in another. */
static List *
without(List *names, List *others)
{
	List	   *rest = NIL;
	ListCell   *cell;
	ListCell   *other;

	foreach(cell, names)
	{
		bool		found = false;

		foreach(other, others)
			found |= strcmp((const char *) lfirst(cell), (const char *) lfirst(other)) == 0;
		if (!found)
			rest = lappend(rest, lfirst(cell));
	}
	return rest;
}

/* Names that no other query of the statement can have. */
static int	nquarantined = 0;

char *
ssot_records_query(const SsotRecords *records, List *columns, List *optional, List **relations)
{
	List	   *needed = without(columns, optional);
	char	   *plain;
	char	   *rows;
	SsotRelation *quarantined = ssot_quarantined_rows(records, needed);

	columns = list_concat(list_copy(needed), optional);
	plain = mapped_columns(records, columns, ", r.%I");
	rows = ssot_records_rows(records, columns);

	if (quarantined == NULL)
		return rows;
	*relations = lappend(*relations, quarantined);
	quarantined->name = psprintf("ssot_quarantined_%d", ++nquarantined);
	return ssot_sql("SELECT r.%I, r.ssot_key, r.ssot_state, r.ssot_level, r.ssot_rank,"
					" r.ssot_updated_at, r.ssot_copy%s\nFROM (%s) AS r\n"
					"UNION ALL\n"
					"SELECT NULL, r.ssot_key, %d, false, 2147483647, NULL, 0%s%s\nFROM %I AS r",
					records->entity->id_column, plain, rows,
					SSOT_STATE_QUARANTINED, mapped_columns(records, needed, ", r.%I"),
					mapped_columns(records, optional, ", NULL"), quarantined->name);
}
