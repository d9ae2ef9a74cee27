/*
 * entity/ddl_column.c
 *		A column of the canonical table was renamed or dropped.
 *
 * A rename goes through companions, map and predicates; nothing has to be read
 * again. A column that leaves the table leaves <table>_source too, after the
 * records that had a value in it were closed at the entity's clock; the two
 * histories keep it.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/settings.h"
#include "entity/companion.h"
#include "entity/ddl.h"
#include "entity/declare.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/*
 * UPDATE golden_ssot.customer_source AS s
 * SET ssot_detail = s.ssot_detail - 'old' || jsonb_build_object('new', s.ssot_detail -> 'old')
 * WHERE s.ssot_detail ? 'old';
 */
static void
append_key_rename(StringInfo sql, const char *table, const char *column,
				  const char *old, const char *new)
{
	ssot_sql_append(sql, "UPDATE %T AS s\n"
					"SET %I = s.%I - %L || pg_catalog.jsonb_build_object(%L::pg_catalog.text, s.%I -> %L)\n"
					"WHERE s.%I ? %L;\n",
					table, column, column, old, new, column, old, column, old);
}

static void
rename_in_rows(const SsotEntity *entity, const char *old, const char *new)
{
	static const char *const documents[] = {"ssot_times", "ssot_refs", "ssot_detail"};
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < lengthof(documents); i++)
	{
		append_key_rename(&sql, entity->source_table, documents[i], old, new);
		append_key_rename(&sql, entity->source_history_table, documents[i], old, new);
	}
	append_key_rename(&sql, entity->held_table, "new_values", old, new);
	ssot_sql_append(&sql, "UPDATE %T AS h\n"
					"SET fields = pg_catalog.array_replace(h.fields, %L, %L)\n"
					"WHERE %L = ANY (h.fields);\n"
					"UPDATE %T AS d SET field = %L WHERE d.field = %L;\n"
					"UPDATE %T AS q SET field = %L WHERE q.field = %L;\n",
					entity->held_table, old, new, old,
					entity->drift_table, new, old, entity->quarantine_table, new, old);
	ssot_ddl_run(entity, sql.data);
}

static void
rename_column(const SsotEntity *entity, const char *kind, const char *table,
			  const char *old, const char *new)
{
	Oid			relid = ssot_relation_oid(table);

	if (!ssot_has_column(relid, old))
		return;
	if (ssot_has_column(relid, new))
		ssot_step_aside(entity, table, new);
	ssot_ddl_run(entity, ssot_sql("ALTER %s %T RENAME COLUMN %I TO %I", kind, table, old, new));
}

void
ssot_follow_rename(Oid relid, const char *registered, const char *old, const char *new)
{
	bool		is_id = ssot_map_rename_id(registered, old, new);
	SsotEntity *entity = ssot_entity_load(relid, false);
	Oid			history = ssot_companion_oid(entity->history_table);
	List	   *predicates;

	/*
	 * Records that the transaction's snapshot does not show would keep the
	 * old name.
	 */
	if (IsolationUsesXactSnapshot())
		(void) ssot_ddl_hooks.lock_clock(entity);
	ssot_require_column_names(entity);
	predicates = ssot_map_read_predicates(registered, history);
	rename_column(entity, "TABLE", entity->source_table, old, new);
	rename_column(entity, "TABLE", entity->source_history_table, old, new);
	rename_column(entity, "TABLE", entity->history_table, old, new);
	rename_column(entity, "VIEW", ssot_as_of_view(entity), old, new);
	if (is_id)
	{
		rename_column(entity, "TABLE", entity->drift_table, old, new);
		rename_column(entity, "TABLE", entity->held_table, old, new);
	}
	else
	{
		rename_in_rows(entity, old, new);
		ssot_map_rename_field(registered, old, new);
	}
	ssot_map_write_predicates(predicates, history);
}

/* ---- a column is dropped ----------------------------------------------------- */

/* "s.a, s.b": every column of a companion. */
static char *
companion_columns(const char *table, const char *prefix)
{
	Relation	rel = table_open(ssot_companion_oid(table), AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			ssot_sql_append(&buf, "%s%s%I", buf.len > 0 ? ", " : "", prefix,
							NameStr(TupleDescAttr(desc, i)->attname));
	table_close(rel, NoLock);
	return buf.data;
}

/*
 * INSERT INTO golden_ssot.customer_source_history (<columns>, ssot_to)
 * SELECT <columns>, '<t>'
 * FROM golden_ssot.customer_source AS s
 * WHERE <s says something about the field> AND s.ssot_from < '<t>';
 * UPDATE golden_ssot.customer_source AS s
 * SET ssot_from = '<t>', ssot_detail = s.ssot_detail - 'email', ...
 * WHERE <s says something about the field>;
 * DELETE FROM golden_ssot.customer_source AS s
 * WHERE s.ssot_source = <steward> AND s.ssot_detail = '{}';
 * ALTER TABLE golden_ssot.customer_source DROP COLUMN email;
 *
 * A pin is a value of the steward's record, so it is closed with the others.
 */
static void
close_values(const SsotEntity *entity, const char *column, TimestampTz t)
{
	char	   *said = ssot_sql("(s.%I IS NOT NULL OR s.ssot_detail ? %L OR s.ssot_times ? %L OR s.ssot_refs ? %L)",
								column, column, column, column);
	int			level = ssot_settings_begin(false);
	char	   *time = pstrdup(timestamptz_to_str(t));
	StringInfoData sql;

	initStringInfo(&sql);
	ssot_sql_append(&sql, "INSERT INTO %T (%s, ssot_to)\n"
					"SELECT %s, %L::pg_catalog.timestamptz\n"
					"FROM %T AS s\n"
					"WHERE %s AND s.ssot_from < %L::pg_catalog.timestamptz;\n",
					entity->source_history_table, companion_columns(entity->source_table, ""),
					companion_columns(entity->source_table, "s."), time,
					entity->source_table, said, time);
	ssot_sql_append(&sql, "UPDATE %T AS s\n"
					"SET ssot_from = %L, ssot_times = s.ssot_times - %L, ssot_refs = s.ssot_refs - %L,\n"
					"    ssot_detail = CASE WHEN s.ssot_source = %d THEN s.ssot_detail - %L\n"
					"                       ELSE nullif(s.ssot_detail - %L, '{}') END\n"
					"WHERE %s;\n"
					"UPDATE %T AS s SET ssot_times = NULL WHERE s.ssot_times = '{}';\n"
					"UPDATE %T AS s SET ssot_refs = NULL WHERE s.ssot_refs = '{}';\n"
					"DELETE FROM %T AS s WHERE s.ssot_source = %d AND s.ssot_detail = '{}';\n"
					"ALTER TABLE %T DROP COLUMN %I;\n",
					entity->source_table, time, column, column,
					entity->sources[entity->steward].source_id, column, column, said,
					entity->source_table, entity->source_table, entity->source_table,
					entity->sources[entity->steward].source_id, entity->source_table, column);
	ssot_settings_end(level);
	ssot_ddl_run(entity, sql.data);
}

static void
forget_findings(const SsotEntity *entity, const char *column)
{
	ssot_ddl_run(entity,
				 ssot_sql("DELETE FROM %T AS d WHERE d.field = %L;\n"
						  "UPDATE %T AS h\n"
						  "SET fields = pg_catalog.array_remove(h.fields, %L),\n"
						  "    new_values = h.new_values - %L\n"
						  "WHERE %L = ANY (h.fields) OR h.new_values ? %L",
						  entity->drift_table, column, entity->held_table, column, column,
						  column, column));
}

void
ssot_follow_drop(const SsotEntity *entity, const char *column)
{
	Oid			history = ssot_companion_oid(entity->history_table);
	AttrNumber	attnum = get_attnum(history, column);

	if (attnum != InvalidAttrNumber)
		ssot_map_drop_predicates(ssot_map_read_predicates(entity->name, history), attnum);
	if (ssot_has_column(ssot_companion_oid(entity->source_table), column))
		close_values(entity, column, ssot_ddl_hooks.take_clock(entity));
	forget_findings(entity, column);
	ssot_map_drop_field(entity->name, column);
	ssot_rules_changed(entity->name);
}
