/*
 * entity/kept.c
 *		What ssot.unregister_entity keeps, and registering the table again.
 *
 * Unregistering keeps the companions unless told otherwise. So that the table can
 * be registered again, what the companions mean is kept beside them: the numbers
 * and names of sources, authority, code lists, merged ids and decisions, as one
 * row of ssot.kept_registration. And every golden row goes to the history as it
 * is, for nobody watches the table from then on.
 *
 * Registered again, a row that is as it was goes on: its last version is taken
 * out of the history. What was changed meanwhile counts as changed at the moment
 * of registering again, because it was not known before. Sources wait without a
 * relation, with their records, until ssot.create_source names them again.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/companion.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/declare.h"
#include "entity/kept.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static SsotQuery forget_query = {
	.sql = "DELETE FROM ssot.kept_registration AS k WHERE k.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery keep_query = {
	.sql =
	"INSERT INTO ssot.kept_registration\n"
	"       (entity, id_column, kept_at, kept_by, history_from, pin_policy, sources, fields,\n"
	"        value_maps, merged_ids, decisions, retirements)\n"
	"SELECT e.entity, e.id_column, $2, $3, e.history_from, e.pin_policy,\n"
	"       (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s)), '[]')\n"
	"          FROM ssot.source AS s WHERE s.entity = e.entity),\n"
	"       (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)), '[]')\n"
	"          FROM ssot.field AS f WHERE f.entity = e.entity),\n"
	"       (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(v)), '[]')\n"
	"          FROM ssot.value_map AS v JOIN ssot.source AS s ON s.source_id = v.source_id\n"
	"         WHERE s.entity = e.entity),\n"
	"       (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(m)), '[]')\n"
	"          FROM ssot.merged_id AS m WHERE m.entity = e.entity),\n"
	"       (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(d)), '[]')\n"
	"          FROM ssot.link_decision AS d WHERE d.entity = e.entity),\n"
	"       (SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(r)), '[]')\n"
	"          FROM ssot.retirement AS r WHERE r.entity = e.entity)\n"
	"  FROM ssot.entity AS e\n"
	" WHERE e.entity = $1",
	.nargs = 3,
	.argtypes = {TEXTOID, TIMESTAMPTZOID, TEXTOID}
};

static SsotQuery find_query = {
	.sql =
	"SELECT k.id_column, k.kept_at,\n"
	"       (SELECT pg_catalog.string_agg(DISTINCT x.value ->> 'system', ', ')\n"
	"          FROM pg_catalog.jsonb_array_elements(k.sources) AS x (value)\n"
	"         WHERE x.value -> 'compiled' <> '{}'\n"
	"           AND NOT EXISTS (SELECT FROM ssot.system AS y WHERE y.system = x.value ->> 'system'))\n"
	"  FROM ssot.kept_registration AS k\n"
	" WHERE k.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* Columns that the table and its history have in common, but for our own. */
static SsotQuery columns_query = {
	.sql =
	"SELECT pg_catalog.string_agg($3 || pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)\n"
	"  FROM pg_catalog.pg_attribute AS a\n"
	"  JOIN pg_catalog.pg_attribute AS h\n"
	"    ON h.attrelid = $2 AND h.attname = a.attname AND h.atttypid = a.atttypid\n"
	" WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND NOT h.attisdropped\n"
	"   AND a.attname NOT IN ('valid_from', 'retired_at')",
	.nargs = 3,
	.argtypes = {OIDOID, OIDOID, TEXTOID},
	.as_of_now = true
};

static char *
common_columns(const SsotEntity *entity, const char *prefix)
{
	Datum		args[] = {ObjectIdGetDatum(entity->relid),
		ObjectIdGetDatum(ssot_relation_oid(entity->history_table)),
	CStringGetTextDatum(prefix)};
	Datum		value;
	bool		isnull;

	return ssot_config_one(&columns_query, args, NULL, 1, &value, &isnull) && !isnull ?
		TextDatumGetCString(value) : NULL;
}

static uint64
run(const SsotEntity *entity, TimestampTz t, TimestampTz kept_at, const char *sql)
{
	static const Oid argtypes[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID};
	Datum		args[] = {TimestampTzGetDatum(t), TimestampTzGetDatum(kept_at),
	CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false))};
	SsotStatement statement = {.sql = sql,.nargs = 3,.argtypes = argtypes,.args = args};
	int			level = ssot_search_path_begin();
	SsotUser	user = ssot_become_owner(entity->relid);
	uint64		rows = ssot_statement_run(&statement);

	ssot_restore_user(user);
	ssot_settings_end(level);
	return rows;
}

/* ---- unregistering ----------------------------------------------------------- */

/* Is everything there that a version consists of? What is broken is only dropped. */
static bool
is_whole(const SsotEntity *entity)
{
	return OidIsValid(ssot_relation_oid(entity->history_table)) &&
		ssot_has_column(entity->relid, SSOT_VALID_FROM) &&
		ssot_has_column(entity->relid, SSOT_RETIRED_AT) &&
		common_columns(entity, "") != NULL;
}

void
ssot_registration_keep(const SsotEntity *entity, TimestampTz t)
{
	Datum		args[] = {CStringGetTextDatum(entity->name), TimestampTzGetDatum(t),
	CStringGetTextDatum(GetUserNameFromId(GetUserId(), false))};

	ssot_config_run(&forget_query, args, NULL);
	if (!is_whole(entity))
		return;
	ssot_config_run(&keep_query, args, NULL);
	run(entity, t, t,
		ssot_sql("INSERT INTO %T (%s, valid_from, retired_at, valid_to, ssot_changed_by, ssot_reason)"
				 " SELECT %s, g.valid_from, g.retired_at, $1, $3, 'unregistered' FROM %T AS g"
				 " WHERE g.valid_from < $2",
				 entity->history_table, common_columns(entity, ""), common_columns(entity, "g."),
				 entity->name));
}

void
ssot_registration_forget(const SsotEntity *entity)
{
	Datum		name = CStringGetTextDatum(entity->name);

	ssot_config_run(&forget_query, &name, NULL);
}

/* ---- registering again --------------------------------------------------------- */

static void
refuse(const SsotEntity *entity, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" cannot be registered with the companions of its earlier registration",
					entity->name),
			 errdetail("%s", detail),
			 errhint("Mend that; or drop or rename the tables %s_ssot.%s_*, and drop the columns valid_from and retired_at, to begin anew without that history.",
					 entity->schema, entity->table)));
}

bool
ssot_registration_find(const SsotEntity *entity, Oid id_type, TimestampTz *kept_at)
{
	const char *const companions[] = {
		entity->source_table, entity->source_history_table, entity->history_table,
		entity->key_table, entity->match_table, entity->drift_table, entity->quarantine_table,
		entity->held_table
	};
	Datum		name = CStringGetTextDatum(entity->name);
	Datum		values[3];
	bool		isnull[3];
	int			present = 0;

	if (!ssot_config_one(&find_query, &name, NULL, 3, values, isnull))
		return false;
	for (int i = 0; i < lengthof(companions); i++)
		present += OidIsValid(ssot_relation_oid(companions[i])) ? 1 : 0;
	if (present == 0)
		return false;			/* dropped since: nothing to adopt */
	for (int i = 0; i < lengthof(companions); i++)
	{
		Oid			relid = ssot_relation_oid(companions[i]);

		if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION)
			refuse(entity, psprintf("Companion table \"%s\" is not there.", companions[i]));
		if (ssot_relation_owner(relid) != ssot_relation_owner(entity->relid))
			refuse(entity, psprintf("Companion table \"%s\" has another owner.", companions[i]));
	}
	if (strcmp(TextDatumGetCString(values[0]), entity->id_column) != 0)
		refuse(entity, psprintf("The golden id was column \"%s\", and is \"%s\".",
								TextDatumGetCString(values[0]), entity->id_column));
	if (get_atttype(ssot_relation_oid(entity->source_table),
					get_attnum(ssot_relation_oid(entity->source_table), entity->id_column)) != id_type)
		refuse(entity, psprintf("The type of the golden id \"%s\" has changed.", entity->id_column));
	if (!isnull[2])
		refuse(entity, psprintf("It has records of systems that are no more: %s. Make them with ssot.create_system.",
								TextDatumGetCString(values[2])));
	*kept_at = DatumGetTimestampTz(values[1]);
	return true;
}

/* Built-in sources get the numbers that their records have. */
static SsotQuery built_in_query = {
	.sql =
	"UPDATE ssot.source AS s\n"
	"   SET source_id = (x.value ->> 'source_id')::pg_catalog.int4\n"
	"  FROM ssot.kept_registration AS k, pg_catalog.jsonb_array_elements(k.sources) AS x (value)\n"
	" WHERE k.entity = $1 AND s.entity = $1 AND s.source IN ('steward', 'manual')\n"
	"   AND x.value ->> 'source' = s.source",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery sources_query = {
	.sql =
	"INSERT INTO ssot.source\n"
	"SELECT r.*\n"
	"  FROM ssot.kept_registration AS k\n"
	" CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(k.sources) AS x (value)\n"
	" CROSS JOIN LATERAL pg_catalog.jsonb_populate_record(NULL::ssot.source,\n"
	"            x.value || '{\"relation\": null, \"reading\": \"full\"}') AS r\n"
	" WHERE k.entity = $1 AND r.source NOT IN ('steward', 'manual')",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery others_query = {
	.sql =
	"WITH k AS (\n"
	"    DELETE FROM ssot.kept_registration AS k WHERE k.entity = $1 RETURNING k.*\n"
	"), fields AS (\n"
	"    INSERT INTO ssot.field\n"
	"    SELECT r.* FROM k, pg_catalog.jsonb_populate_recordset(NULL::ssot.field, k.fields) AS r\n"
	"), codes AS (\n"
	"    INSERT INTO ssot.value_map\n"
	"    SELECT r.* FROM k, pg_catalog.jsonb_populate_recordset(NULL::ssot.value_map, k.value_maps) AS r\n"
	"), merged AS (\n"
	"    INSERT INTO ssot.merged_id\n"
	"    SELECT r.* FROM k, pg_catalog.jsonb_populate_recordset(NULL::ssot.merged_id, k.merged_ids) AS r\n"
	"), decisions AS (\n"
	"    INSERT INTO ssot.link_decision\n"
	"    SELECT r.* FROM k, pg_catalog.jsonb_populate_recordset(NULL::ssot.link_decision, k.decisions) AS r\n"
	"), retirements AS (\n"
	"    INSERT INTO ssot.retirement\n"
	"    SELECT r.* FROM k, pg_catalog.jsonb_populate_recordset(NULL::ssot.retirement, k.retirements) AS r\n"
	")\n"
	"UPDATE ssot.entity AS e\n"
	"   SET history_from = k.history_from, pin_policy = k.pin_policy\n"
	"  FROM k\n"
	" WHERE e.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

void
ssot_registration_restore(const SsotEntity *entity)
{
	Datum		name = CStringGetTextDatum(entity->name);

	ssot_config_run(&built_in_query, &name, NULL);
	ssot_config_run(&sources_query, &name, NULL);
	ssot_config_run(&others_query, &name, NULL);
}

/*
 * "h" and "g" are one version: its copy in the history and the golden row.
 *
 * UPDATE golden.customer AS g SET valid_from = h.valid_from, retired_at = h.retired_at
 *   FROM golden_ssot.customer_history AS h WHERE <same> AND <they differ>;
 * UPDATE golden.customer AS g SET valid_from = $1
 *  WHERE NOT EXISTS (SELECT FROM golden_ssot.customer_history AS h WHERE <same>);
 * DELETE FROM golden_ssot.customer_history AS h USING golden.customer AS g WHERE <same>;
 * UPDATE golden_ssot.customer_history AS h SET valid_to = $1 WHERE h.valid_to = $2;
 */
void
ssot_registration_resume(const SsotEntity *entity, TimestampTz t, TimestampTz kept_at)
{
	char	   *same = ssot_sql("h.%I = g.%I AND h.valid_to = $2"
								" AND ROW(%s)::pg_catalog.record OPERATOR(pg_catalog.*=)"
								" ROW(%s)::pg_catalog.record",
								entity->id_column, entity->id_column,
								common_columns(entity, "h."), common_columns(entity, "g."));

	run(entity, t, kept_at,
		ssot_sql("UPDATE %T AS g SET valid_from = h.valid_from, retired_at = h.retired_at"
				 " FROM %T AS h WHERE %s"
				 " AND (g.valid_from, g.retired_at) IS DISTINCT FROM (h.valid_from, h.retired_at)",
				 entity->name, entity->history_table, same));
	run(entity, t, kept_at,
		ssot_sql("UPDATE %T AS g SET valid_from = $1"
				 " WHERE NOT EXISTS (SELECT FROM %T AS h WHERE %s)",
				 entity->name, entity->history_table, same));
	run(entity, t, kept_at,
		ssot_sql("DELETE FROM %T AS h USING %T AS g WHERE %s",
				 entity->history_table, entity->name, same));
	run(entity, t, kept_at,
		ssot_sql("UPDATE %T AS h SET valid_to = $1, ssot_changed_by = $3,"
				 " ssot_reason = 'changed while unregistered' WHERE h.valid_to = $2",
				 entity->history_table));
}
