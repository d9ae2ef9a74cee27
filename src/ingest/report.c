/*
 * ingest/report.c
 *		ssot.quarantine and ssot.held: what could not be taken, of all entities.
 *
 * Each entity keeps its own companions, with columns of its own types. The
 * views read them all through one generated query, under the caller's rights:
 * entities whose companion the caller may not read are left out, and row-level
 * policies apply.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "entity/map.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_quarantine);
PG_FUNCTION_INFO_V1(ssot_held);

/* (VALUES (3, 'accounts', 'crm'), ...): number, name and system of each source. */
static char *
source_names(const SsotEntity *entity)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int s = 0; s < entity->nsources; s++)
		ssot_sql_append(&buf, "%s(%d, %L, %L)", s > 0 ? ", " : "(VALUES ",
						entity->sources[s].source_id, entity->sources[s].name,
						entity->sources[s].system);
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

static const char *const quarantine_of_one =
"SELECT %L::pg_catalog.text, s.source, s.system, q.ssot_key, q.field, q.reason, q.sqlstate,\n"
"       q.detail, q.raw, q.copies, q.first_seen\n"
"FROM %T AS q\n"
"LEFT JOIN %s AS s (source_id, source, system) ON s.source_id = q.ssot_source\n";

static const char *const held_of_one =
"SELECT %L::pg_catalog.text, h.%I::pg_catalog.text, h.constraint_name, h.sqlstate, h.reason,\n"
"       h.detail, h.fields, h.new_values, h.records, h.first_seen\n"
"FROM %T AS h\n";

static void
append_quarantine(StringInfo sql, const SsotEntity *entity)
{
	ssot_sql_append(sql, quarantine_of_one, entity->name, entity->quarantine_table,
					source_names(entity));
}

static void
append_held(StringInfo sql, const SsotEntity *entity)
{
	ssot_sql_append(sql, held_of_one, entity->name, entity->id_column, entity->held_table);
}

/* Return the rows of one kind of companion of all entities. */
static Datum
report(FunctionCallInfo fcinfo, bool held, const char *order)
{
	StringInfoData sql;
	SsotStatement statement = {.read_only = true};
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, ssot_entities())
	{
		SsotEntity *entity = (SsotEntity *) lfirst(lc);
		const char *table;

		table = held ? entity->held_table : entity->quarantine_table;
		if (pg_class_aclcheck(ssot_companion_oid(table), GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			continue;
		if (sql.len > 0)
			appendStringInfoString(&sql, "UNION ALL\n");
		if (held)
			append_held(&sql, entity);
		else
			append_quarantine(&sql, entity);
	}
	if (sql.len == 0)
		InitMaterializedSRF(fcinfo, 0);
	else
	{
		appendStringInfoString(&sql, order);
		statement.sql = sql.data;
		ssot_statement_return(fcinfo, &statement);
	}
	return (Datum) 0;
}

/* quarantine(): every row in quarantine that the caller may read. */
Datum
ssot_quarantine(PG_FUNCTION_ARGS)
{
	return report(fcinfo, false, "ORDER BY 1, 2, 4, 6, 9");
}

/* held(): every golden version that is held and that the caller may read. */
Datum
ssot_held(PG_FUNCTION_ARGS)
{
	return report(fcinfo, true, "ORDER BY 1, 2");
}
