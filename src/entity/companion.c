/*
 * entity/companion.c
 *		Generated DDL: companion tables, triggers, as-of function and view.
 *
 * What the extension stores about golden.customer lives beside it, in schema
 * golden_ssot: ordinary tables of the user's, dumped and restored with the rest
 * and owned by the owner of the canonical table. They are born with no grants,
 * and they hold no type of the extension's.
 *
 * The as-of function is a string-body SQL function in which everything is
 * qualified, operators too: tried on PostgreSQL 15, that is the form that the
 * planner inlines (a SET clause prevents it) and that does not block the user's
 * ALTER TABLE (BEGIN ATOMIC does). Its checks stand in sub-selects that depend
 * on no row, so they run once.
 *
 * Each piece of DDL has its finished shape as a comment above its builder.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/companion.h"
#include "entity/ddl.h"
#include "entity/declare.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "commands/comment.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

/* A fixed column of a companion. "%i" stands for the entity's id column. */
typedef struct Column
{
	const char *name;			/* NULL: the id column */
	const char *type;			/* NULL: the id's type */
	const char *comment;
} Column;

static const Column source_columns[] = {
	{"ssot_source", "pg_catalog.int4 NOT NULL", "The source: ssot.source.source_id"},
	{"ssot_key", "pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL", "Key of the row in its source, as text"},
	{"ssot_copy", "pg_catalog.int4 NOT NULL", "0: in force; 1 and more: superseded rows of the same key; -1: an alias, merged in the source"},
	{NULL, NULL, "The golden record that this row belongs to; NULL while it belongs to none"},
	{"ssot_updated_at", "pg_catalog.timestamptz", "Source time of the row; NULL where the source gives none"},
	{"ssot_from", "pg_catalog.timestamptz NOT NULL", "Since when this row is believed to be what the source says"},
	{"ssot_image", "pg_catalog.int8 NOT NULL", "Hash of the raw row, to see whether it changed"},
	{"ssot_tokens", "pg_catalog.int8 NOT NULL", "Hash of the further keys and links of the row; 0: it has none"},
	{"ssot_times", "pg_catalog.jsonb", "Source times of fields that have their own"},
	{"ssot_refs", "pg_catalog.jsonb", "Foreign keys by token: which record of which system a field refers to"},
	{"ssot_detail", "pg_catalog.jsonb", "Findings about fields (unmapped code, value not taken); in a steward's record: who pinned what, when and why"}
};

static const Column source_history_columns[] = {
	{"ssot_to", "pg_catalog.timestamptz NOT NULL", "Until when this version of the row was believed"}
};

static const Column history_columns[] = {
	{"valid_to", "pg_catalog.timestamptz NOT NULL", "Until when this version was believed"},
	{"ssot_changed_by", "pg_catalog.text", "The role that ended this version"},
	{"ssot_reason", "pg_catalog.text", "Why this version ended; NULL where no reason was given"},
	{"ssot_run", "pg_catalog.int8", "The run that ended this version; NULL where a person did"}
};

static const Column key_columns[] = {
	{"token", "pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL", "A further key of the record, or a link to another system's record: system:key or system.key_name:key"},
	{"ssot_source", "pg_catalog.int4 NOT NULL", "The source of the record: ssot.source.source_id"},
	{"ssot_key", "pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL", "The record's key in its source"}
};

static const Column match_columns[] = {
	{"ssot_source", "pg_catalog.int4 NOT NULL", "The source of the first record of the unit: ssot.source.source_id"},
	{"ssot_key", "pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL", "That record's key in its source"},
	{"texts", "pg_catalog.text[] NOT NULL", "What the records of the unit say about the compared fields, in the order of ssot.matching"},
	{"keys", "pg_catalog.int8[] NOT NULL", "Hashes under which the unit is brought together with others"},
	{"sources", "pg_catalog.int4[] NOT NULL", "The sources whose records the unit has: ssot.source.source_id"}
};

static const Column drift_columns[] = {
	{NULL, NULL, "The golden record; NULL where there is none"},
	{"system", "pg_catalog.text NOT NULL", "The system that differs"},
	{"key", "pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL", "The record's key in that system; empty where the system has no record"},
	{"field", "pg_catalog.text NOT NULL", "The field that differs; empty: the record as a whole"},
	{"kind", "pg_catalog.text NOT NULL", "mismatch, empty, missing, orphan, duplicate, stale or invalid"},
	{"ssot_source", "pg_catalog.int4", "The source that gave the value: ssot.source.source_id"},
	{"golden_value", "pg_catalog.text", "The golden value, as text"},
	{"system_value", "pg_catalog.text", "The system's value, as text"},
	{"system_time", "pg_catalog.timestamptz", "Source time of the system's value"},
	{"winner_system", "pg_catalog.text", "The system that gave the golden value"},
	{"winner_time", "pg_catalog.timestamptz", "Source time of the golden value"},
	{"winner_from", "pg_catalog.timestamptz", "Since when the winning record is believed"},
	{"first_seen", "pg_catalog.timestamptz NOT NULL", "Since when this difference is open"}
};

static const Column quarantine_columns[] = {
	{"ssot_source", "pg_catalog.int4 NOT NULL", "The source: ssot.source.source_id"},
	{"ssot_image", "pg_catalog.int8 NOT NULL", "Hash of the raw row"},
	{"ssot_key", "pg_catalog.text COLLATE pg_catalog.\"C\"", "Key of the row; NULL where it could not be computed"},
	{"field", "pg_catalog.text", "The field that could not be taken; NULL: the row as a whole"},
	{"reason", "pg_catalog.text NOT NULL", "Why the row could not be taken"},
	{"sqlstate", "pg_catalog.text", "SQLSTATE of the error, where there was one"},
	{"detail", "pg_catalog.text", "Detail of the error"},
	{"raw", "pg_catalog.jsonb NOT NULL", "The whole source row, every column as text"},
	{"copies", "pg_catalog.int4 NOT NULL DEFAULT 1", "How many rows of the source are exactly like this"},
	{"first_seen", "pg_catalog.timestamptz NOT NULL", "When this row was first found"},
	{"ssot_run", "pg_catalog.int8", "The run that found it"}
};

static const Column held_columns[] = {
	{NULL, NULL, "The golden record whose new version could not be written"},
	{"constraint_name", "pg_catalog.text", "The constraint that the new version breaks"},
	{"sqlstate", "pg_catalog.text", "SQLSTATE of the error"},
	{"reason", "pg_catalog.text NOT NULL", "Message of the error"},
	{"detail", "pg_catalog.text", "Detail of the error"},
	{"fields", "pg_catalog.text[]", "The fields that would have changed"},
	{"new_values", "pg_catalog.jsonb", "The values that they would have"},
	{"records", "pg_catalog.text[]", "The system records that contribute, as system:key"},
	{"first_seen", "pg_catalog.timestamptz NOT NULL", "Since when the record is held"},
	{"ssot_run", "pg_catalog.int8", "The run that held it"}
};

char *
ssot_column_type(Oid type, int32 typmod, Oid collation)
{
	char	   *name = format_type_extended(type, typmod,
											FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);

	if (OidIsValid(collation) && collation != get_typcollation(type))
		return psprintf("%s COLLATE %s", name, generate_collation_name(collation));
	return name;
}

static char *
id_type(const SsotEntity *entity)
{
	return ssot_column_type(entity->id_type, -1, InvalidOid);
}

/* The fixed columns as DDL; "id_suffix" follows the id column's type. */
static void
append_columns(StringInfo ddl, const SsotEntity *entity,
			   const Column *columns, int count, const char *id_suffix)
{
	for (int i = 0; i < count; i++)
		if (columns[i].name != NULL)
			ssot_sql_append(ddl, "%s%I %s", i > 0 ? ",\n    " : "",
							columns[i].name, columns[i].type);
		else
			ssot_sql_append(ddl, "%s%I %s%s", i > 0 ? ",\n    " : "",
							entity->id_column, id_type(entity), id_suffix);
}

static void
append_fields(StringInfo ddl, const SsotEntity *entity)
{
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(ddl, ",\n    %I %s", entity->fields[f].name,
						ssot_column_type(entity->fields[f].base_type,
										 entity->fields[f].base_typmod,
										 entity->fields[f].collation));
}

static void
append_comments(StringInfo ddl, const SsotEntity *entity, const char *table,
				const char *comment, const Column *columns, int count)
{
	ssot_sql_append(ddl, "COMMENT ON TABLE %T IS %L;\n", table, comment);
	for (int i = 0; i < count; i++)
		ssot_sql_append(ddl, "COMMENT ON COLUMN %T.%I IS %L;\n", table,
						columns[i].name ? columns[i].name : entity->id_column,
						columns[i].comment);
}

static void
append_field_comments(StringInfo ddl, const SsotEntity *entity, const char *table)
{
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(ddl, "COMMENT ON COLUMN %T.%I IS %L;\n", table, entity->fields[f].name,
						psprintf("Field \"%s\" as the source gives it, in canonical form",
								 entity->fields[f].name));
}

/*
 * CREATE TABLE golden_ssot.customer_source (
 *     <bookkeeping>, <fields>,
 *     PRIMARY KEY (ssot_key, ssot_source, ssot_copy));
 * CREATE INDEX ON golden_ssot.customer_source (customer_id);
 * CREATE INDEX ON golden_ssot.customer_source (ssot_source, ssot_key)
 *     WHERE ssot_refs IS NOT NULL;
 * CREATE TABLE golden_ssot.customer_source_history (
 *     <bookkeeping>, <fields>, ssot_to timestamptz NOT NULL);
 * CREATE INDEX ... (ssot_to), (customer_id, ssot_to), (ssot_key, ssot_source);
 */
static void
append_source_tables(StringInfo ddl, const SsotEntity *entity)
{
	const char *table = entity->source_table;
	const char *history = entity->source_history_table;

	ssot_sql_append(ddl, "CREATE TABLE %T (\n    ", table);
	append_columns(ddl, entity, source_columns, lengthof(source_columns), "");
	append_fields(ddl, entity);
	ssot_sql_append(ddl, ",\n    PRIMARY KEY (ssot_key, ssot_source, ssot_copy));\n"
					"CREATE INDEX ON %T (%I);\n"
					"CREATE INDEX ON %T (ssot_source, ssot_key) WHERE ssot_refs IS NOT NULL;\n",
					table, entity->id_column, table);
	append_comments(ddl, entity, table,
					psprintf("Every valid row of every source of %s in canonical form, and the crosswalk from system records to golden ids. Kept by ssot.reconcile.", entity->name),
					source_columns, lengthof(source_columns));
	append_field_comments(ddl, entity, table);

	ssot_sql_append(ddl, "CREATE TABLE %T (\n    ", history);
	append_columns(ddl, entity, source_columns, lengthof(source_columns), "");
	append_fields(ddl, entity);
	ssot_sql_append(ddl, ",\n    ");
	append_columns(ddl, entity, source_history_columns, lengthof(source_history_columns), "");
	ssot_sql_append(ddl, ");\n"
					"CREATE INDEX ON %T (ssot_to);\n"
					"CREATE INDEX ON %T (%I, ssot_to);\n"
					"CREATE INDEX ON %T (ssot_key, ssot_source);\n",
					history, history, entity->id_column, history);
	append_comments(ddl, entity, history,
					psprintf("Closed versions of the source rows and links of %s: what each system believed before. Kept by ssot.reconcile.", entity->name),
					source_columns, lengthof(source_columns));
	append_comments(ddl, entity, history,
					psprintf("Closed versions of the source rows and links of %s: what each system believed before. Kept by ssot.reconcile.", entity->name),
					source_history_columns, lengthof(source_history_columns));
	append_field_comments(ddl, entity, history);
}

/*
 * CREATE TABLE golden_ssot.customer_history (
 *     <columns of the entity, in its order>, valid_to ..., ssot_run ...,
 *     PRIMARY KEY (customer_id, valid_to));
 * CREATE INDEX ON golden_ssot.customer_history (valid_to);
 *
 * Columns have the declared types, domains included, so that a version reads
 * back as a row of the table without any check being made again.
 */
static void
append_history_table(StringInfo ddl, const SsotEntity *entity, TupleDesc desc)
{
	const char *table = entity->history_table;

	ssot_sql_append(ddl, "CREATE TABLE %T (\n    ", table);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped)
			ssot_sql_append(ddl, "%I %s,\n    ", NameStr(att->attname),
							ssot_column_type(att->atttypid, att->atttypmod, att->attcollation));
	}
	append_columns(ddl, entity, history_columns, lengthof(history_columns), "");
	ssot_sql_append(ddl, ",\n    PRIMARY KEY (%I, valid_to));\n"
					"CREATE INDEX ON %T (valid_to);\n", entity->id_column, table);
	append_comments(ddl, entity, table,
					psprintf("Closed versions of the golden records of %s: what was believed before.", entity->name),
					history_columns, lengthof(history_columns));
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			ssot_sql_append(ddl, "COMMENT ON COLUMN %T.%I IS %L;\n", table,
							NameStr(TupleDescAttr(desc, i)->attname),
							psprintf("As in %s, in this version", entity->name));
}

/*
 * CREATE TABLE golden_ssot.customer_key (..., PRIMARY KEY (token, ssot_source, ssot_key));
 * CREATE INDEX ... (ssot_source, ssot_key);
 * CREATE TABLE golden_ssot.customer_match (..., PRIMARY KEY (ssot_key, ssot_source));
 * CREATE INDEX ... USING gin (keys) WITH (fastupdate = off);
 * CREATE TABLE golden_ssot.customer_drift (...);
 * CREATE UNIQUE INDEX ... (customer_id, system, key, field, kind);
 * CREATE INDEX ... (system, key);
 * CREATE TABLE golden_ssot.customer_quarantine (..., PRIMARY KEY (ssot_source, ssot_image));
 * CREATE TABLE golden_ssot.customer_held (customer_id bigint PRIMARY KEY, ...);
 */
static void
append_small_tables(StringInfo ddl, const SsotEntity *entity)
{
	const char *name = entity->name;

	ssot_sql_append(ddl, "CREATE TABLE %T (\n    ", entity->key_table);
	append_columns(ddl, entity, key_columns, lengthof(key_columns), "");
	ssot_sql_append(ddl, ",\n    PRIMARY KEY (token, ssot_source, ssot_key));\n"
					"CREATE INDEX ON %T (ssot_source, ssot_key);\n", entity->key_table);
	append_comments(ddl, entity, entity->key_table,
					psprintf("Further keys and links of the source records of %s: records that share a token are one thing.", name),
					key_columns, lengthof(key_columns));

	ssot_sql_append(ddl, "CREATE TABLE %T (\n    ", entity->match_table);
	append_columns(ddl, entity, match_columns, lengthof(match_columns), "");
	ssot_sql_append(ddl, ",\n    PRIMARY KEY (ssot_key, ssot_source));\n"
					"CREATE INDEX ON %T USING gin (keys) WITH (fastupdate = off);\n",
					entity->match_table);
	append_comments(ddl, entity, entity->match_table,
					psprintf("The units of %s that matching compares: records that belong together by their keys. Empty while nothing is declared with ssot.set_matching.", name),
					match_columns, lengthof(match_columns));

	ssot_sql_append(ddl, "CREATE TABLE %T (\n    ", entity->drift_table);
	append_columns(ddl, entity, drift_columns, lengthof(drift_columns), "");
	ssot_sql_append(ddl, ");\n"
					"CREATE UNIQUE INDEX ON %T (%I, system, key, field, kind);\n"
					"CREATE INDEX ON %T (system, key);\n",
					entity->drift_table, entity->id_column, entity->drift_table);
	append_comments(ddl, entity, entity->drift_table,
					psprintf("Open differences between the systems' records and %s. Read it through ssot.drift.", name),
					drift_columns, lengthof(drift_columns));

	ssot_sql_append(ddl, "CREATE TABLE %T (\n    ", entity->quarantine_table);
	append_columns(ddl, entity, quarantine_columns, lengthof(quarantine_columns), "");
	ssot_sql_append(ddl, ",\n    PRIMARY KEY (ssot_source, ssot_image));\n");
	append_comments(ddl, entity, entity->quarantine_table,
					psprintf("Source rows of %s that cannot be taken, whole, with the reason. Read it through ssot.quarantine.", name),
					quarantine_columns, lengthof(quarantine_columns));

	ssot_sql_append(ddl, "CREATE TABLE %T (\n    ", entity->held_table);
	append_columns(ddl, entity, held_columns, lengthof(held_columns), " PRIMARY KEY");
	ssot_sql_append(ddl, ");\n");
	append_comments(ddl, entity, entity->held_table,
					psprintf("Golden records of %s that keep their last good version because the new one breaks a constraint. Read it through ssot.held.", name),
					held_columns, lengthof(held_columns));
}

/* "g.customer_id, g.name, ..." for every column of the table. */
static char *
all_columns(TupleDesc desc, const char *prefix)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			ssot_sql_append(&buf, "%s%s%I", buf.len > 0 ? ", " : "", prefix,
							NameStr(TupleDescAttr(desc, i)->attname));
	return buf.data;
}

/*
 * What was believed at a time:
 *
 * SELECT g.customer_id, ...
 * FROM golden.customer AS g
 * WHERE g.valid_from OPERATOR(pg_catalog.<=) <time>
 * UNION ALL
 * SELECT h.customer_id, ...
 * FROM golden_ssot.customer_history AS h
 * WHERE h.valid_from OPERATOR(pg_catalog.<=) <known time>
 *   AND h.valid_to OPERATOR(pg_catalog.>) <known time>
 *   AND (SELECT ssot.check_as_of('golden.customer'::pg_catalog.text, <time>))
 *
 * The table comes first because a reader locks in the order of the text, and the
 * user's DDL has the table before it follows with the history: the other way
 * round the two would wait for each other.
 *
 * The check is a one-time filter: it runs before the first row of its branch,
 * whatever else is asked, and costs that branch a plan node through which each
 * row passes. So it stands beside the few rows of history. No LIMIT is satisfied
 * without it where it would fail: no golden record is older than the history, so
 * the table has no row for such a time, nor for NULL.
 *
 * The known time is never NULL. A NULL that the planner sees would make of the
 * comparisons, and so of the whole branch, a constant that is false: the check
 * would be planned away, and its error with it.
 */
static char *
as_of_query(const SsotEntity *entity, TupleDesc desc, const char *time, const char *known_time)
{
	return ssot_sql("SELECT %s\n"
					"FROM %T AS g\n"
					"WHERE g.valid_from OPERATOR(pg_catalog.<=) %s\n"
					"UNION ALL\n"
					"SELECT %s\n"
					"FROM %T AS h\n"
					"WHERE h.valid_from OPERATOR(pg_catalog.<=) %s\n"
					"  AND h.valid_to OPERATOR(pg_catalog.>) %s\n"
					"  AND (SELECT ssot.check_as_of(%L::pg_catalog.text, %s))",
					all_columns(desc, "g."), entity->name, time,
					all_columns(desc, "h."), entity->history_table, known_time, known_time,
					entity->name, time);
}

char *
ssot_as_of_function(const SsotEntity *entity)
{
	return ssot_qualified_name(entity->schema, psprintf("%s_at", entity->table));
}

char *
ssot_as_of_view(const SsotEntity *entity)
{
	return ssot_qualified_name(psprintf("%s_as_of", entity->schema), entity->table);
}

/*
 * CREATE FUNCTION golden.customer_at(as_of timestamptz) RETURNS SETOF golden.customer
 *     LANGUAGE sql STABLE PARALLEL SAFE AS '<as-of query at $1>';
 * CREATE VIEW golden_as_of.customer WITH (security_invoker = true) AS
 *     <as-of query at (SELECT ssot.as_of('golden.customer'))>;
 *
 * The view does not go through the function: an argument that is a sub-select
 * would keep the planner from inlining it. ssot.as_of is never NULL.
 */
char *
ssot_as_of_function_body(const SsotEntity *entity, TupleDesc desc)
{
	return as_of_query(entity, desc, "$1",
					   "coalesce($1, 'infinity'::pg_catalog.timestamptz)");
}

/* "create" is "CREATE" or "CREATE OR REPLACE". */
void
ssot_append_as_of_function(StringInfo ddl, const SsotEntity *entity, TupleDesc desc,
						   const char *create)
{
	char	   *function = ssot_as_of_function(entity);

	ssot_sql_append(ddl, "%s FUNCTION %T(as_of pg_catalog.timestamptz) RETURNS SETOF %T\n"
					"LANGUAGE sql STABLE PARALLEL SAFE AS %L;\n"
					"COMMENT ON FUNCTION %T(pg_catalog.timestamptz) IS %L;\n",
					create, function, entity->name, ssot_as_of_function_body(entity, desc), function,
					psprintf("%s as it was believed at the given time. NULL is an error, and so are times before the history begins (SQLSTATE SS003, with the first instant available). Takes no locks beyond reading.", entity->name));
}

void
ssot_append_as_of_view(StringInfo ddl, const SsotEntity *entity, TupleDesc desc,
					   const char *create)
{
	char	   *view = ssot_as_of_view(entity);
	char	   *time = ssot_sql("(SELECT ssot.as_of(%L::pg_catalog.text))", entity->name);

	ssot_sql_append(ddl, "%s VIEW %T WITH (security_invoker = true) AS\n%s;\n"
					"COMMENT ON VIEW %T IS %L;\n",
					create, view, as_of_query(entity, desc, time, time), view,
					psprintf("%s as it was believed at the time in the setting ssot.as_of; the current belief while that is empty. For tools that cannot call %s_at.", entity->name, entity->table));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		char	   *comment = att->attisdropped ? NULL :
		GetComment(entity->relid, RelationRelationId, att->attnum);

		if (comment != NULL)
			ssot_sql_append(ddl, "COMMENT ON COLUMN %T.%I IS %L;\n",
							view, NameStr(att->attname), comment);
	}
}

/*
 * ALTER TABLE golden.customer
 *     ADD COLUMN valid_from timestamptz NOT NULL DEFAULT '<t>',
 *     ADD COLUMN retired_at timestamptz;
 * ALTER TABLE golden.customer ALTER COLUMN valid_from DROP DEFAULT;
 *
 * A constant default fills the existing rows without rewriting the table.
 */
static void
append_columns_of_table(StringInfo ddl, const SsotEntity *entity, const char *t)
{
	ssot_sql_append(ddl, "ALTER TABLE %T\n"
					"    ADD COLUMN valid_from pg_catalog.timestamptz NOT NULL DEFAULT %L,\n"
					"    ADD COLUMN retired_at pg_catalog.timestamptz;\n"
					"ALTER TABLE %T ALTER COLUMN valid_from DROP DEFAULT;\n"
					"COMMENT ON COLUMN %T.valid_from IS 'Since when this version of the record is believed; set by ssot';\n"
					"COMMENT ON COLUMN %T.retired_at IS 'When the last source record of this golden record went away; NULL while it has one; set by ssot';\n",
					entity->name, t, entity->name, entity->name, entity->name);
}

/* The triggers, in the order of their names; see golden/history.c. */
static const struct
{
	const char *name;
	const char *event;
	const char *transition;
	const char *level;
	const char *function;
}			triggers[] =

{
	{"ssot_before_statement", "BEFORE INSERT OR UPDATE", "", "STATEMENT", "ssot.golden_before_statement"},
	{"ssot_before_row", "BEFORE INSERT OR UPDATE", "", "ROW", "ssot.golden_before_row"},
	{"ssot_before_delete", "BEFORE DELETE", "", "ROW", "ssot.golden_before_delete"},
	{"ssot_before_truncate", "BEFORE TRUNCATE", "", "STATEMENT", "ssot.golden_before_truncate"},
	{"ssot_after_insert", "AFTER INSERT", "REFERENCING NEW TABLE AS ssot_new ", "STATEMENT", "ssot.golden_after_insert"},
	{"ssot_after_update", "AFTER UPDATE", "REFERENCING OLD TABLE AS ssot_old NEW TABLE AS ssot_new ", "STATEMENT", "ssot.golden_after_update"}
};

/*
 * CREATE OR REPLACE TRIGGER ssot_after_insert AFTER INSERT ON golden.customer
 *     REFERENCING NEW TABLE AS ssot_new FOR EACH STATEMENT
 *     EXECUTE FUNCTION ssot.golden_after_insert();
 *
 * The trigger against TRUNCATE has the entity's name as its argument: by it a
 * table that was renamed or moved is known again (ddl_sync.c).
 */
static void
append_trigger(StringInfo ddl, const SsotEntity *entity, int i)
{
	bool		identity = strcmp(triggers[i].name, SSOT_IDENTITY_TRIGGER) == 0;

	ssot_sql_append(ddl, "CREATE OR REPLACE TRIGGER %I %s ON %T %sFOR EACH %s EXECUTE FUNCTION %s(%s);\n"
					"COMMENT ON TRIGGER %I ON %T IS 'Keeps history and pins of this canonical table; made by ssot.register_entity';\n",
					triggers[i].name, triggers[i].event, entity->name,
					triggers[i].transition, triggers[i].level, triggers[i].function,
					identity ? quote_literal_cstr(entity->name) : "",
					triggers[i].name, entity->name);
}

static void
append_triggers(StringInfo ddl, const SsotEntity *entity)
{
	for (int i = 0; i < lengthof(triggers); i++)
		append_trigger(ddl, entity, i);
}

void
ssot_append_identity_trigger(StringInfo ddl, const SsotEntity *entity)
{
	for (int i = 0; i < lengthof(triggers); i++)
		if (strcmp(triggers[i].name, SSOT_IDENTITY_TRIGGER) == 0)
			append_trigger(ddl, entity, i);
}

static Oid
namespace_owner(Oid namespace)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(namespace));
	Oid			owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;

	ReleaseSysCache(tuple);
	return owner;
}

/*
 * The schema for companions, made if missing. One that is there already must
 * belong to somebody who could change the canonical table anyway: its owner
 * could replace what is in it.
 */
static void
require_schema(const SsotEntity *entity, const char *schema, const char *comment)
{
	Oid			namespace = get_namespace_oid(schema, true);
	Oid			owner = ssot_relation_owner(entity->relid);
	Oid			schema_owner;

	if (!OidIsValid(namespace))
	{
		ssot_sql_run(ssot_sql("CREATE SCHEMA %I AUTHORIZATION %I;\n"
							  "COMMENT ON SCHEMA %I IS %L", schema,
							  GetUserNameFromId(owner, false), schema, comment));
		return;
	}
	schema_owner = namespace_owner(namespace);
	if (!has_privs_of_role(owner, schema_owner) && !superuser_arg(schema_owner) &&
		schema_owner != namespace_owner(get_namespace_oid(entity->schema, false)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("schema \"%s\" belongs to \"%s\"", schema,
						GetUserNameFromId(schema_owner, false)),
				 errdetail("It would hold companions of \"%s\", whose owner is \"%s\".",
						   entity->name, GetUserNameFromId(owner, false)),
				 errhint("Let the owner of the table own the schema: ALTER SCHEMA ... OWNER TO ...")));
}

void
ssot_require_companion_schemas(const SsotEntity *entity)
{
	require_schema(entity, psprintf("%s_ssot", entity->schema),
				   psprintf("What ssot keeps about the entities of schema %s: source records, history, drift, quarantine", entity->schema));
	require_schema(entity, psprintf("%s_as_of", entity->schema),
				   psprintf("The entities of schema %s as of the time in the setting ssot.as_of", entity->schema));
}

/*
 * Two steps, because the second is built from the table as the first leaves it.
 * Rows are adopted (entity.c) between them and the triggers.
 */
void
ssot_companions_create(const SsotEntity *entity, TimestampTz t)
{
	StringInfoData ddl;
	int			level = ssot_settings_begin(false);
	SsotUser	user;
	Relation	rel;

	ssot_require_companion_schemas(entity);
	user = ssot_become_owner(entity->relid);

	initStringInfo(&ddl);
	append_columns_of_table(&ddl, entity, timestamptz_to_str(t));
	ssot_sql_run(ddl.data);

	resetStringInfo(&ddl);
	rel = table_open(entity->relid, NoLock);
	append_source_tables(&ddl, entity);
	append_history_table(&ddl, entity, RelationGetDescr(rel));
	append_small_tables(&ddl, entity);
	ssot_companion_policies(&ddl, entity);
	ssot_append_as_of_function(&ddl, entity, RelationGetDescr(rel), "CREATE");
	ssot_append_as_of_view(&ddl, entity, RelationGetDescr(rel), "CREATE");
	table_close(rel, NoLock);
	append_triggers(&ddl, entity);
	ssot_sql_run(ddl.data);

	ssot_restore_user(user);
	ssot_settings_end(level);
}

/* The same with the companions of an earlier registration. */
void
ssot_companions_adopt(const SsotEntity *entity, TimestampTz t)
{
	StringInfoData ddl;
	Relation	rel;

	ssot_require_companion_schemas(entity);
	initStringInfo(&ddl);
	if (!ssot_has_column(entity->relid, SSOT_VALID_FROM))
		append_columns_of_table(&ddl, entity, timestamptz_to_str(t));
	ssot_ddl_run(entity, ddl.data);
	(void) ssot_follow_columns(entity);

	resetStringInfo(&ddl);
	rel = table_open(entity->relid, NoLock);
	ssot_companion_policies(&ddl, entity);
	ssot_append_as_of_function(&ddl, entity, RelationGetDescr(rel), "CREATE OR REPLACE");
	table_close(rel, NoLock);
	ssot_ddl_run(entity, ddl.data);
}

void
ssot_companions_guard(const SsotEntity *entity)
{
	StringInfoData ddl;

	initStringInfo(&ddl);
	append_triggers(&ddl, entity);
	ssot_ddl_run(entity, ddl.data);
}

/*
 * Undo it. Whatever is gone already is passed over; what other objects depend on
 * is an error (there is no CASCADE). With "tables" the companion tables go too,
 * and the two columns of the canonical table.
 */
void
ssot_companions_drop(const SsotEntity *entity, bool tables)
{
	const char *const companions[] = {
		entity->source_table, entity->source_history_table, entity->history_table,
		entity->key_table, entity->match_table, entity->drift_table, entity->quarantine_table,
		entity->held_table
	};
	StringInfoData ddl;
	int			level = ssot_settings_begin(false);
	SsotUser	user = ssot_become_owner(entity->relid);

	initStringInfo(&ddl);
	for (int i = 0; i < lengthof(triggers); i++)
		ssot_sql_append(&ddl, "DROP TRIGGER IF EXISTS %I ON %T;\n",
						triggers[i].name, entity->name);
	ssot_sql_append(&ddl, "DROP VIEW IF EXISTS %T;\n"
					"DROP FUNCTION IF EXISTS %T(pg_catalog.timestamptz);\n",
					ssot_as_of_view(entity), ssot_as_of_function(entity));
	if (!tables)
		ssot_companion_policies_drop(&ddl, entity);
	for (int i = 0; tables && i < lengthof(companions); i++)
		ssot_sql_append(&ddl, "DROP TABLE IF EXISTS %T;\n", companions[i]);
	if (tables)
		ssot_sql_append(&ddl, "ALTER TABLE %T\n"
						"    DROP COLUMN IF EXISTS valid_from,\n"
						"    DROP COLUMN IF EXISTS retired_at;\n", entity->name);
	ssot_own_ddl_begin();
	PG_TRY();
	{
		ssot_sql_run(ddl.data);
	}
	PG_FINALLY();
	{
		ssot_own_ddl_end();
	}
	PG_END_TRY();
	ssot_restore_user(user);
	ssot_settings_end(level);
}
