/*
 * entity/ddl_map.c
 *		What was declared about an entity follows its table's DDL.
 *
 * The Entity Map names tables and columns by name, so that it can be dumped and
 * read. A rename goes through all of it, which the transaction must see; a dropped
 * column takes with it what was declared about it, with a warning for each source
 * that fed it.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/settings.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/declare.h"
#include "entity/expression.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"

static SsotQuery rename_entity_query = {
	.sql =
	"WITH source AS (\n"
	"    UPDATE ssot.source AS s SET relation = $2 WHERE s.relation = $1\n"
	"), run AS (\n"
	"    UPDATE ssot.reconcile_run AS r SET entity = $2 WHERE r.entity = $1\n"
	"), moved AS (\n"
	"    UPDATE ssot.moved_reference AS m SET relation = $2 WHERE m.relation = $1\n"
	")\n"
	"UPDATE ssot.entity AS e\n"
	"SET entity = $2\n"
	"WHERE e.entity = $1",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static SsotQuery rename_id_query = {
	.sql =
	"UPDATE ssot.entity AS e\n"
	"SET id_column = $3\n"
	"WHERE e.entity = $1\n"
	"  AND e.id_column = $2",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID}
};

/* The members of a mapping that have a member for each field. */
#define FIELD_MEMBERS	"('fields', 'field_updated_at', 'on_error')"

static SsotQuery rename_field_query = {
	.sql =
	"WITH field AS (\n"
	"    UPDATE ssot.field AS f SET field = $3 WHERE f.entity = $1 AND f.field = $2\n"
	"), code AS (\n"
	"    UPDATE ssot.value_map AS v\n"
	"    SET field = $3\n"
	"    FROM ssot.source AS s\n"
	"    WHERE s.source_id = v.source_id AND s.entity = $1 AND v.field = $2\n"
	"), renamed AS (\n"
	"    SELECT s.source_id, d.compiled,\n"
	"           pg_catalog.jsonb_object_agg(m.name,\n"
	"               CASE WHEN m.name IN " FIELD_MEMBERS " AND m.value ? $2\n"
	"                    THEN m.value - $2 || pg_catalog.jsonb_build_object($3, m.value -> $2)\n"
	"                    ELSE m.value END) AS document\n"
	"    FROM ssot.source AS s\n"
	"    CROSS JOIN LATERAL (VALUES (false, s.mapping), (true, s.compiled)) AS d (compiled, document)\n"
	"    CROSS JOIN LATERAL pg_catalog.jsonb_each(d.document) AS m (name, value)\n"
	"    WHERE s.entity = $1\n"
	"    GROUP BY s.source_id, d.compiled\n"
	")\n"
	"UPDATE ssot.source AS s\n"
	"SET mapping = m.document,\n"
	"    compiled = c.document\n"
	"FROM renamed AS m, renamed AS c\n"
	"WHERE m.source_id = s.source_id\n"
	"  AND NOT m.compiled\n"
	"  AND c.source_id = s.source_id\n"
	"  AND c.compiled",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID}
};

static SsotQuery drop_field_query = {
	.sql =
	"WITH field AS (\n"
	"    DELETE FROM ssot.field AS f WHERE f.entity = $1 AND f.field = $2\n"
	"), code AS (\n"
	"    DELETE FROM ssot.value_map AS v\n"
	"    USING ssot.source AS s\n"
	"    WHERE s.source_id = v.source_id AND s.entity = $1 AND v.field = $2\n"
	"), renamed AS (\n"
	"    SELECT s.source_id, d.compiled,\n"
	"           pg_catalog.jsonb_object_agg(m.name,\n"
	"               CASE WHEN m.name IN " FIELD_MEMBERS " THEN m.value - $2\n"
	"                    ELSE m.value END) AS document\n"
	"    FROM ssot.source AS s\n"
	"    CROSS JOIN LATERAL (VALUES (false, s.mapping), (true, s.compiled)) AS d (compiled, document)\n"
	"    CROSS JOIN LATERAL pg_catalog.jsonb_each(d.document) AS m (name, value)\n"
	"    WHERE s.entity = $1\n"
	"      AND s.compiled -> 'fields' ? $2\n"
	"    GROUP BY s.source_id, d.compiled\n"
	"), written AS (\n"
	"    UPDATE ssot.source AS s\n"
	"    SET mapping = m.document,\n"
	"        compiled = c.document,\n"
	"        map_version = s.map_version + 1\n"
	"    FROM renamed AS m, renamed AS c\n"
	"    WHERE m.source_id = s.source_id\n"
	"      AND NOT m.compiled\n"
	"      AND c.source_id = s.source_id\n"
	"      AND c.compiled\n"
	"    RETURNING s.source_id, s.source\n"
	")\n"
	"SELECT w.source\n"
	"FROM written AS w\n"
	"ORDER BY w.source_id",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

/*
 * A comparison is named after its field, or names its fields. A renamed field is
 * named from then on; the comparison keeps its name, and with it its place in
 * the model.
 */
static SsotQuery rename_compared_query = {
	.sql =
	"UPDATE ssot.matching AS m\n"
	"SET compare = c.compare\n"
	"FROM (\n"
	"    SELECT pg_catalog.jsonb_object_agg(c.name,\n"
	"               CASE WHEN c.value ? 'fields' THEN c.value || pg_catalog.jsonb_build_object('fields', f.fields)\n"
	"                    WHEN c.name <> $2 THEN c.value\n"
	"                    WHEN pg_catalog.jsonb_typeof(c.value) = 'object'\n"
	"                    THEN c.value || pg_catalog.jsonb_build_object('fields', pg_catalog.jsonb_build_array($3))\n"
	"                    ELSE pg_catalog.jsonb_build_object('kind', c.value, 'fields', pg_catalog.jsonb_build_array($3)) END) AS compare\n"
	"    FROM ssot.matching AS o\n"
	"    CROSS JOIN LATERAL pg_catalog.jsonb_each(o.compare) AS c (name, value)\n"
	"    CROSS JOIN LATERAL (\n"
	"        SELECT pg_catalog.jsonb_agg(CASE WHEN e.field = $2 THEN $3 ELSE e.field END ORDER BY e.place) AS fields\n"
	"        FROM pg_catalog.jsonb_array_elements_text(\n"
	"                 CASE WHEN pg_catalog.jsonb_typeof(c.value -> 'fields') = 'array' THEN c.value -> 'fields' ELSE '[]' END)\n"
	"             WITH ORDINALITY AS e (field, place)\n"
	"    ) AS f\n"
	"    WHERE o.entity = $1\n"
	") AS c\n"
	"WHERE m.entity = $1\n"
	"  AND m.compare <> c.compare",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID}
};

/*
 * What was compared by the field is compared no more, and no blocking rule names it;
 * nothing left: no matching.
 */
static SsotQuery drop_compared_query = {
	.sql =
	"WITH kept AS (\n"
	"    SELECT c.name,\n"
	"           CASE WHEN c.value ? 'fields' THEN c.value || pg_catalog.jsonb_build_object('fields', f.fields)\n"
	"                ELSE c.value END AS value\n"
	"    FROM ssot.matching AS o\n"
	"    CROSS JOIN LATERAL pg_catalog.jsonb_each(o.compare) AS c (name, value)\n"
	"    CROSS JOIN LATERAL (\n"
	"        SELECT pg_catalog.jsonb_agg(e.field ORDER BY e.place) AS fields\n"
	"        FROM pg_catalog.jsonb_array_elements_text(\n"
	"                 CASE WHEN pg_catalog.jsonb_typeof(c.value -> 'fields') = 'array' THEN c.value -> 'fields' ELSE '[]' END)\n"
	"             WITH ORDINALITY AS e (field, place)\n"
	"        WHERE e.field <> $2\n"
	"    ) AS f\n"
	"    WHERE o.entity = $1\n"
	"      AND (f.fields IS NOT NULL OR (NOT c.value ? 'fields' AND c.name <> $2))\n"
	"), gone AS (\n"
	"    DELETE FROM ssot.matching AS m\n"
	"    WHERE m.entity = $1\n"
	"      AND NOT EXISTS (SELECT FROM kept AS k)\n"
	")\n"
	"UPDATE ssot.matching AS m\n"
	"SET compare = n.compare,\n"
	"    blocking = (\n"
	"        SELECT pg_catalog.jsonb_agg(r.rule ORDER BY r.place)\n"
	"        FROM pg_catalog.jsonb_array_elements(m.blocking) WITH ORDINALITY AS r (rule, place)\n"
	"        WHERE NOT EXISTS (\n"
	"            SELECT\n"
	"            FROM pg_catalog.jsonb_array_elements_text(\n"
	"                     CASE WHEN pg_catalog.jsonb_typeof(r.rule) = 'array' THEN r.rule ELSE '[]' END) AS e (part)\n"
	"            WHERE NOT EXISTS (\n"
	"                SELECT FROM pg_catalog.jsonb_object_keys(n.compare) AS k (name)\n"
	"                WHERE e.part = k.name OR pg_catalog.starts_with(e.part, k.name || ':')))),\n"
	"    version = m.version + 1,\n"
	"    model_id = NULL\n"
	"FROM (SELECT pg_catalog.jsonb_object_agg(k.name, k.value) AS compare FROM kept AS k) AS n\n"
	"WHERE m.entity = $1\n"
	"  AND n.compare IS NOT NULL\n"
	"  AND m.compare <> n.compare",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static SsotQuery anew_query = {
	.sql =
	"UPDATE ssot.source AS s\n"
	"SET map_version = s.map_version + 1\n"
	"WHERE s.entity = $1\n"
	"  AND (s.relation IS NOT NULL OR s.source = 'steward')",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery predicates_query = {
	.sql =
	"SELECT s.source_id, s.source, s.expects\n"
	"FROM ssot.source AS s\n"
	"WHERE s.entity = $1\n"
	"  AND s.expects NOT IN ('none', 'all')\n"
	"ORDER BY s.source_id",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery set_predicate_query = {
	.sql =
	"UPDATE ssot.source AS s\n"
	"SET expects = $2\n"
	"WHERE s.source_id = $1",
	.nargs = 2,
	.argtypes = {INT4OID, TEXTOID}
};

/* The places of the rows that say what is declared about the entity. */
static SsotQuery seen_query = {
	.sql =
	"SELECT pg_catalog.concat_ws('/',\n"
	"           (SELECT pg_catalog.string_agg(s.ctid::pg_catalog.text, '' ORDER BY s.ctid) FROM ssot.source AS s WHERE s.entity = $1),\n"
	"           (SELECT pg_catalog.string_agg(f.ctid::pg_catalog.text, '' ORDER BY f.ctid) FROM ssot.field AS f WHERE f.entity = $1),\n"
	"           (SELECT pg_catalog.string_agg(m.ctid::pg_catalog.text, '' ORDER BY m.ctid) FROM ssot.matching AS m WHERE m.entity = $1),\n"
	"           (SELECT pg_catalog.string_agg(v.ctid::pg_catalog.text, '' ORDER BY v.ctid)\n"
	"            FROM ssot.value_map AS v JOIN ssot.source AS s USING (source_id) WHERE s.entity = $1))",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.read_only = true
};

void
ssot_map_require_seen(const char *entity_name)
{
	Datum		name = CStringGetTextDatum(entity_name);

	ssot_config_require_seen(&seen_query, &name, NULL,
							 psprintf("what is declared of entity \"%s\"", entity_name));
}

void
ssot_map_rename_entity(const char *old, const char *new)
{
	Datum		args[2] = {CStringGetTextDatum(old), CStringGetTextDatum(new)};

	ssot_config_run(&rename_entity_query, args, NULL);
}

bool
ssot_map_rename_id(const char *entity_name, const char *old, const char *new)
{
	Datum		args[3] = {CStringGetTextDatum(entity_name), CStringGetTextDatum(old), CStringGetTextDatum(new)};

	return ssot_config_run(&rename_id_query, args, NULL) > 0;
}

void
ssot_map_rename_field(const char *entity_name, const char *old, const char *new)
{
	Datum		args[3] = {CStringGetTextDatum(entity_name), CStringGetTextDatum(old), CStringGetTextDatum(new)};

	ssot_config_run(&rename_field_query, args, NULL);
	ssot_config_run(&rename_compared_query, args, NULL);
}

void
ssot_map_drop_field(const char *entity_name, const char *field)
{
	Datum		args[2] = {CStringGetTextDatum(entity_name), CStringGetTextDatum(field)};
	List	   *sources = NIL;
	ListCell   *lc;

	ssot_config_each(&drop_field_query, args, NULL, ssot_take_text, &sources);
	ssot_config_run(&drop_compared_query, args, NULL);
	foreach(lc, sources)
		ereport(WARNING,
				(errmsg("source \"%s\" of entity \"%s\" no longer feeds the dropped column \"%s\"",
						(char *) lfirst(lc), entity_name, field),
				 errhint("ssot.alter_source maps its fields anew, if another column takes its place.")));
}

void
ssot_map_read_anew(const char *entity_name)
{
	Datum		name = CStringGetTextDatum(entity_name);

	ssot_config_run(&anew_query, &name, NULL);
}

/* ---- predicates ---------------------------------------------------------- */

typedef struct Predicate
{
	int32		source_id;
	char	   *source;
	char	   *text;
	Node	   *expression;
} Predicate;

static bool
take_predicate(TupleTableSlot *slot, void *arg)
{
	List	  **predicates = (List **) arg;
	Predicate  *predicate = palloc0(sizeof(Predicate));
	bool		isnull;

	predicate->source_id = DatumGetInt32(slot_getattr(slot, 1, &isnull));
	predicate->source = TextDatumGetCString(slot_getattr(slot, 2, &isnull));
	predicate->text = TextDatumGetCString(slot_getattr(slot, 3, &isnull));
	*predicates = lappend(*predicates, predicate);
	return true;
}

static char *
predicate_subject(const Predicate *predicate)
{
	return psprintf("expects of source \"%s\"", predicate->source);
}

List *
ssot_map_read_predicates(const char *entity_name, Oid relid)
{
	Datum		name = CStringGetTextDatum(entity_name);
	List	   *predicates = NIL;
	ListCell   *lc;
	int			level;

	ssot_config_each(&predicates_query, &name, NULL, take_predicate, &predicates);
	level = ssot_settings_begin(false);
	foreach(lc, predicates)
	{
		Predicate  *predicate = (Predicate *) lfirst(lc);

		predicate->expression = ssot_expression_parse(predicate->text, relid,
													  predicate_subject(predicate), BOOLOID, -1);
	}
	ssot_settings_end(level);
	return predicates;
}

static void
set_predicate(const Predicate *predicate, const char *text)
{
	Datum		args[2] = {Int32GetDatum(predicate->source_id), CStringGetTextDatum(text)};

	ssot_config_run(&set_predicate_query, args, NULL);
}

/* A predicate that reads a column with another name now is written anew. */
void
ssot_map_write_predicates(List *predicates, Oid relid)
{
	ListCell   *lc;

	foreach(lc, predicates)
	{
		Predicate  *predicate = (Predicate *) lfirst(lc);
		int			level = ssot_settings_begin(false);
		char	   *text = deparse_expression(predicate->expression,
											  deparse_context_for(get_rel_name(relid), relid),
											  false, false);

		ssot_settings_end(level);
		if (strcmp(text, predicate->text) != 0)
			set_predicate(predicate, text);
	}
}

/* Predicates that read a column which is gone expect nothing any more. */
void
ssot_map_drop_predicates(List *predicates, AttrNumber column)
{
	ListCell   *lc;

	foreach(lc, predicates)
	{
		Predicate  *predicate = (Predicate *) lfirst(lc);

		if (!bms_is_member(column - FirstLowInvalidHeapAttributeNumber,
						   ssot_expression_columns(predicate->expression, NULL)))
			continue;
		set_predicate(predicate, "none");
		ereport(WARNING,
				(errmsg("source \"%s\" no longer expects any golden record", predicate->source),
				 errdetail("Its predicate read the dropped column: %s", predicate->text),
				 errhint("Call ssot.alter_source with another expects => ...")));
	}
}
