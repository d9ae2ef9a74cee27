/*
 * drift/report.c
 *		ssot.drift: the open differences, with their category and the reason.
 *
 * What differs is kept; why it differs is judged when it is asked for, because
 * it depends on how far each source has been read since, and on the other
 * differences of the same field. The first category that holds:
 *
 * definition	the system uses a code that its list does not have; or the values
 *				differ by a rule. Of the pairs (system value, golden value) of one
 *				source and field, at least 50, 95 % fit one factor, or one code map:
 *				each system value goes with one golden value, every code comes five
 *				times on average, there are at most 50 codes, and no code is itself
 *				among the golden values. (Without the last condition every field
 *				of two values would look like a definition: all mistakes between
 *				M and F go from one to the other.)
 * timing		the golden value is so young that the source, as far as it is read,
 *				may not have it yet: its source time is later than the source's
 *				data-through minus its max_lag. Or the system's value was golden
 *				within max_lag before now.
 * hierarchy	the field refers to the entity itself, or the source's records sit at
 *				another level.
 * quality		the rest.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "drift/findings.h"
#include "entity/config.h"
#include "entity/declare.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* What the judgement needs to know of each source. */
static SsotQuery sources_query = {
	.sql =
	"SELECT s.source_id, s.level, s.max_lag, st.data_through,\n"
	"       (SELECT pg_catalog.array_agg(DISTINCT m.field)\n"
	"        FROM ssot.value_map AS m\n"
	"        WHERE m.source_id = s.source_id) AS coded\n"
	"FROM ssot.source AS s\n"
	"LEFT JOIN ssot.source_state AS st ON st.source_id = s.source_id\n"
	"WHERE s.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* Rows on their way into a statement. */
typedef struct Rows
{
	TupleDesc	desc;
	Tuplestorestate *store;
	int64		count;
	MemoryContext context;
} Rows;

static bool
keep_row(TupleTableSlot *slot, void *arg)
{
	Rows	   *rows = (Rows *) arg;

	slot_getallattrs(slot);
	if (rows->desc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(rows->context);

		rows->desc = CreateTupleDescCopy(slot->tts_tupleDescriptor);
		rows->store = tuplestore_begin_heap(false, false, work_mem);
		MemoryContextSwitchTo(old);
	}
	tuplestore_putvalues(rows->store, rows->desc, slot->tts_values, slot->tts_isnull);
	rows->count++;
	return true;
}

/* (source_id, level, max_lag, data_through, coded) of the entity's sources. */
static SsotRelation
sources_relation(const SsotEntity *entity)
{
	Datum		arg = CStringGetTextDatum(entity->name);
	Rows		rows = {.context = CurrentMemoryContext};

	ssot_config_each(&sources_query, &arg, NULL, keep_row, &rows);
	if (rows.desc == NULL)
		elog(ERROR, "entity \"%s\" has no sources", entity->name);
	return (SsotRelation)
	{
		"sources", rows.desc, rows.store, (double) rows.count
	};
}

/* The system that is believed first for a field, people apart. */
static const char *
first_authority(const SsotEntity *entity, int f)
{
	int			best = -1;

	for (int s = 0; s < entity->nsources; s++)
	{
		int			rank = entity->authority[f * entity->nsources + s];

		if (entity->sources[s].is_steward || entity->sources[s].is_manual || rank < 0 ||
			!entity->sources[s].maps[f])
			continue;
		if (best < 0 || rank < entity->authority[f * entity->nsources + best])
			best = s;
	}
	return best < 0 ? NULL : entity->sources[best].system;
}

/* A quantity: a field whose values can differ by a factor. */
static bool
is_number(const SsotField *field)
{
	if (OidIsValid(field->references))
		return false;
	switch (field->base_type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return true;
		default:
			return false;
	}
}

/* (field, authority, is_number, is_parent) of the entity's fields, and of the
 * record as a whole (''). */
static SsotRelation
fields_relation(const SsotEntity *entity)
{
	TupleDesc	desc = CreateTemplateTupleDesc(4);
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);

	TupleDescInitEntry(desc, 1, "field", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 2, "authority", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 3, "is_number", BOOLOID, -1, 0);
	TupleDescInitEntry(desc, 4, "is_parent", BOOLOID, -1, 0);
	for (int f = -1; f < entity->nfields; f++)
	{
		const SsotField *field = f < 0 ? NULL : &entity->fields[f];
		const char *authority = f < 0 ? entity->canonical_system : first_authority(entity, f);
		Datum		values[4];
		bool		nulls[4] = {false};

		values[0] = CStringGetTextDatum(f < 0 ? "" : field->name);
		nulls[1] = authority == NULL;
		values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(authority);
		values[2] = BoolGetDatum(f >= 0 && is_number(field));
		values[3] = BoolGetDatum(f >= 0 && field->references == entity->relid);
		tuplestore_putvalues(store, desc, values, nulls);
	}
	return (SsotRelation)
	{
		"fields", desc, store, entity->nfields + 1
	};
}

/* ---- arguments ---------------------------------------------------------------- */

static void
check_field(const SsotEntity *entity, const char *field)
{
	if (field[0] != '\0' && ssot_entity_field(entity, field) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("entity \"%s\" has no field \"%s\"", entity->name, field),
				 errhint("Its fields are: %s; '' stands for records as a whole.",
						 ssot_field_names(entity))));
}

static void
check_system(const SsotEntity *entity, const char *system)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int s = 0; s < entity->nsources; s++)
	{
		const SsotSource *source = &entity->sources[s];

		if (source->is_steward || source->is_manual)
			continue;
		if (strcmp(source->system, system) == 0)
			return;
		if (s > 0 && strcmp(entity->sources[s - 1].system, source->system) == 0)
			continue;
		appendStringInfo(&names, "%s%s", names.len == 0 ? "" : ", ", source->system);
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("system \"%s\" has no source for entity \"%s\"", system, entity->name),
			 names.len == 0 ? errhint("Declare one with ssot.create_source.") :
			 errhint("Its systems are: %s.", names.data)));
}

static void
check_word(const char *what, const char *word, const char *const *words, int n)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < n; i++)
	{
		if (strcmp(word, words[i]) == 0)
			return;
		appendStringInfo(&list, "%s%s", i == 0 ? "" : ", ", words[i]);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is no %s of drift", word, what),
			 errhint("It is one of: %s.", list.data)));
}

static void
check_arguments(const SsotEntity *entity, FunctionCallInfo fcinfo)
{
	static const char *const kinds[] =
	{"mismatch", "empty", "missing", "orphan", "duplicate", "stale", "invalid"};
	static const char *const categories[] = {"definition", "timing", "hierarchy", "quality"};

	if (!PG_ARGISNULL(1))
		check_field(entity, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (!PG_ARGISNULL(2))
		check_system(entity, text_to_cstring(PG_GETARG_TEXT_PP(2)));
	if (!PG_ARGISNULL(3))
		check_word("kind", text_to_cstring(PG_GETARG_TEXT_PP(3)), kinds, lengthof(kinds));
	if (!PG_ARGISNULL(4))
		check_word("category", text_to_cstring(PG_GETARG_TEXT_PP(4)),
				   categories, lengthof(categories));
}

/* ---- the statement ---------------------------------------------------------------- */

/*
 * Rules by which values of a source and field differ: (ssot_source, field,
 * rule). %T is <entity>_drift. A cast to numeric stands inside CASE, because the
 * values of other fields are no numbers.
 */
static const char *const rules_sql =
"pairs AS (\n"
"    SELECT k.ssot_source, k.field, k.system_value, k.golden_value,\n"
"           count(*) AS n\n"
"    FROM %T AS k\n"
"    WHERE k.kind IN ('mismatch', 'stale')\n"
"      AND k.golden_value IS NOT NULL AND k.system_value IS NOT NULL\n"
"      AND ($1 IS NULL OR k.field = $1) AND ($2 IS NULL OR k.system = $2)\n"
"    GROUP BY k.ssot_source, k.field, k.system_value, k.golden_value),\n"
"sizes AS (\n"
"    SELECT p.ssot_source, p.field, sum(p.n) AS n, count(DISTINCT p.system_value) AS codes\n"
"    FROM pairs AS p\n"
"    GROUP BY p.ssot_source, p.field\n"
"    HAVING sum(p.n) >= 50),\n"
"code_maps AS (\n"
"    SELECT c.ssot_source, c.field, sum(c.n) AS n\n"
"    FROM (SELECT p.ssot_source, p.field, p.system_value, max(p.n) AS n\n"
"          FROM pairs AS p\n"
"          JOIN sizes AS z ON z.ssot_source = p.ssot_source AND z.field = p.field\n"
"          WHERE z.codes <= 50 AND z.codes * 5 <= z.n\n"
"            AND NOT EXISTS (SELECT FROM pairs AS g\n"
"                            WHERE g.ssot_source = p.ssot_source AND g.field = p.field\n"
"                              AND g.golden_value = p.system_value)\n"
"          GROUP BY p.ssot_source, p.field, p.system_value) AS c\n"
"    GROUP BY c.ssot_source, c.field),\n"
"factors AS (\n"
"    SELECT DISTINCT ON (r.ssot_source, r.field)\n"
"           r.ssot_source, r.field, r.factor, sum(r.n) AS n\n"
"    FROM (SELECT p.ssot_source, p.field, p.n,\n"
"                 CASE WHEN f.is_number\n"
"                      THEN to_char(p.golden_value::numeric / nullif(p.system_value::numeric, 0),\n"
"                                   '9.99999EEEE') END AS factor\n"
"          FROM pairs AS p\n"
"          JOIN sizes AS z ON z.ssot_source = p.ssot_source AND z.field = p.field\n"
"          JOIN fields AS f ON f.field = p.field) AS r\n"
"    WHERE strpos(r.factor, '#') = 0 AND r.factor <> ' 1.00000e+00'\n"
"    GROUP BY r.ssot_source, r.field, r.factor\n"
"    ORDER BY r.ssot_source, r.field, sum(r.n) DESC, r.factor),\n"
"rules AS (\n"
"    SELECT z.ssot_source, z.field,\n"
"           CASE WHEN m.n >= 0.95 * z.n\n"
"                THEN format('%%s of %%s differences follow one code map', m.n, z.n)\n"
"                WHEN x.n >= 0.95 * z.n\n"
"                THEN format('in %%s of %%s differences golden is %%s times the system''s value',\n"
"                            x.n, z.n, x.factor::numeric::float8) END AS rule\n"
"    FROM sizes AS z\n"
"    LEFT JOIN code_maps AS m ON m.ssot_source = z.ssot_source AND m.field = z.field\n"
"    LEFT JOIN factors AS x ON x.ssot_source = z.ssot_source AND x.field = z.field)";

/* The differences with their category. %T <entity>_drift, %T <entity>_history,
 * %I id column twice, %s a former value. */
static const char *const judged_sql =
"judged AS (\n"
"    SELECT d.*, s.data_through, f.authority, r.rule,\n"
"           CASE\n"
"               WHEN d.kind = 'invalid' AND d.field = ANY (s.coded) THEN 'definition'\n"
"               WHEN d.kind IN ('mismatch', 'stale') AND r.rule IS NOT NULL THEN 'definition'\n"
"               WHEN d.kind IN ('mismatch', 'stale', 'empty')\n"
"                    AND d.winner_time > s.data_through - s.max_lag THEN 'timing'\n"
"               WHEN d.kind IN ('mismatch', 'stale')\n"
"                    AND EXISTS (SELECT FROM %T AS h\n"
"                                WHERE h.%I = d.%I\n"
"                                  AND h.valid_to > statement_timestamp() - s.max_lag\n"
"                                  AND %s) THEN 'timing'\n"
"               WHEN f.is_parent OR s.level IS NOT NULL THEN 'hierarchy'\n"
"               ELSE 'quality'\n"
"           END AS category\n"
"    FROM %T AS d\n"
"    LEFT JOIN sources AS s ON s.source_id = d.ssot_source\n"
"    LEFT JOIN fields AS f ON f.field = d.field\n"
"    LEFT JOIN rules AS r ON r.ssot_source = d.ssot_source AND r.field = d.field\n"
"    WHERE ($1 IS NULL OR d.field = $1) AND ($2 IS NULL OR d.system = $2)\n"
"      AND ($3 IS NULL OR d.kind = $3))";

/* The result. %I id column. */
static const char *const result_sql =
"SELECT format('%%s', j.%I), j.system, nullif(j.key, ''),\n"
"       CASE WHEN j.key <> '' THEN j.system || ':' || j.key END,\n"
"       nullif(j.field, ''), j.golden_value, j.system_value, j.kind, j.category,\n"
"       j.authority, j.system_time, j.winner_system, j.winner_time, j.first_seen,\n"
"       CASE j.kind\n"
"           WHEN 'mismatch' THEN format('%%s says %%L, golden is %%s', j.system,\n"
"                                       j.system_value, coalesce(quote_literal(j.golden_value), 'empty'))\n"
"           WHEN 'stale' THEN format('%%s still says %%L, which was golden before; golden is %%s',\n"
"                                    j.system, j.system_value,\n"
"                                    coalesce(quote_literal(j.golden_value), 'empty'))\n"
"           WHEN 'empty' THEN format('%%s has no value, golden is %%L', j.system, j.golden_value)\n"
"           WHEN 'missing' THEN format('%%s should hold this record and does not', j.system)\n"
"           WHEN 'orphan' THEN CASE WHEN j.field = ''\n"
"               THEN format('%%s holds this record and should not', j.system)\n"
"               ELSE format('%%s names %%s, which is not known', j.system, j.system_value) END\n"
"           WHEN 'duplicate' THEN format('%%s holds this more than once: %%s', j.system, j.system_value)\n"
"           WHEN 'invalid' THEN CASE WHEN j.category = 'definition'\n"
"               THEN format('%%s uses the code %%L, which its code list does not have',\n"
"                           j.system, j.system_value)\n"
"               ELSE format('%%s says %%L, which could not be taken', j.system, j.system_value) END\n"
"       END\n"
"       || CASE WHEN j.kind IN ('mismatch', 'stale', 'empty') AND j.winner_system IS NOT NULL\n"
"               THEN ' from ' || j.winner_system ELSE '' END\n"
"       || CASE WHEN j.category = 'definition' AND j.rule IS NOT NULL AND j.kind <> 'invalid'\n"
"               THEN '; looks like definition: ' || j.rule\n"
"               WHEN j.category = 'timing' THEN '; ' || j.system || ' may not have had time to follow'\n"
"               ELSE '' END\n"
"FROM judged AS j\n"
"WHERE $4 IS NULL OR j.category = $4";

static char *
report_sql(const SsotEntity *entity)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "WITH ");
	ssot_sql_append(&sql, rules_sql, entity->drift_table);
	appendStringInfoString(&sql, ",\n");
	ssot_sql_append(&sql, judged_sql, entity->history_table, entity->id_column,
					entity->id_column, ssot_former_value_condition(entity, "d"),
					entity->drift_table);
	appendStringInfoString(&sql, "\n");
	ssot_sql_append(&sql, result_sql, entity->id_column);
	return sql.data;
}

PG_FUNCTION_INFO_V1(ssot_drift);

/*
 * drift(entity regclass, field text, system text, kind text, category text)
 *
 * Each of the last four, where it is not NULL, leaves only its differences;
 * field '' those of records as a whole. Reads under the caller's rights.
 */
Datum
ssot_drift(PG_FUNCTION_ARGS)
{
	Oid			argtypes[4] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		args[4];
	bool		nulls[4];
	SsotRelation relations[2];
	SsotStatement statement = {.nargs = 4,.argtypes = argtypes,.args = args,.nulls = nulls,
	.nrelations = 2,.relations = relations,.read_only = true};
	SsotEntity *entity;
	int			level;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"entity\" must not be null")));
	entity = ssot_entity_load(PG_GETARG_OID(0), false);
	check_arguments(entity, fcinfo);
	ssot_require_select(ssot_companion_oid(entity->drift_table));
	ssot_require_select(ssot_companion_oid(entity->history_table));
	for (int i = 0; i < 4; i++)
	{
		nulls[i] = PG_ARGISNULL(i + 1);
		args[i] = PG_GETARG_DATUM(i + 1);
	}
	relations[0] = sources_relation(entity);
	relations[1] = fields_relation(entity);
	level = ssot_settings_begin(false);
	statement.sql = report_sql(entity);
	ssot_statement_return(fcinfo, &statement);
	ssot_settings_end(level);
	tuplestore_end(relations[0].rows);
	tuplestore_end(relations[1].rows);
	return (Datum) 0;
}
