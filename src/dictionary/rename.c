/*
 * dictionary/rename.c
 *		Definitions follow renames.
 *
 * A version keeps what it reads, what it stood on when it was approved and, of a
 * metric, its expressions, all by name. ALTER ... RENAME and SET SCHEMA change names
 * and no meaning, so they change neither a number nor whether a version is certified.
 * Before such a command it is noted by numbers of the catalogue what the versions mean;
 * after it the same is written in the names of then:
 *
 *		compiled, reads, defined_entity		what it says now (the text as it was declared
 *											stays)
 *		basis								each part under its new name; what it says
 *											too, if it said before the command what is so
 *		checksum, those of publications		if they were right before the command: what
 *											was forged stays found
 *		views								carry names of entities as text
 *
 * Only what the catalogue prints can change by a rename; an expression of a source or
 * a code that somebody changes at the same moment is not taken for one.
 *
 * Locks: the table that is renamed, or the entities of the schema, as the command does
 * or as strictly, with the views that will be made anew; the dictionary, so that no
 * version is made or approved in between. All of them before anything is done, and none
 * is waited for with another in hand (common/locks.h): readers of a view lock it before
 * the tables.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/query.h"
#include "dictionary/metric_store.h"
#include "dictionary/metric_view.h"
#include "dictionary/rename.h"
#include "dictionary/rename_command.h"
#include "dictionary/rename_metric.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/declare.h"
#include "entity/json.h"

#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* What a command that is under way may rename. */
typedef struct Remembered
{
	Node	   *command;
	Oid			relid;			/* of the entity that is renamed, or
								 * InvalidOid */
	bool		is_column;
	bool		is_schema;
	List	   *metrics;		/* of SsotRenamed */
	Jsonb	   *versions;		/* per version, by numbers: what it reads,
								 * what it stands on */
} Remembered;

/* Of this transaction; one, unless an event trigger of the user's renames too. */
static List *remembered = NIL;
static MemoryContext memory = NULL;

static void
forget(void *arg)
{
	remembered = NIL;
	memory = NULL;
}

static MemoryContext
our_memory(void)
{
	if (memory == NULL)
	{
		MemoryContextCallback *callback;

		memory = AllocSetContextCreate(TopTransactionContext, "ssot renames", ALLOCSET_DEFAULT_SIZES);
		callback = MemoryContextAllocZero(memory, sizeof(MemoryContextCallback));
		callback->func = forget;
		MemoryContextRegisterResetCallback(memory, callback);
	}
	return memory;
}

/* ---- before ---------------------------------------------------------------- */

static SsotQuery metrics_query = {
	.sql =
	"SELECT v.definition, v.variant, v.version, v.compiled\n"
	"FROM ssot.definition_version AS v\n"
	"WHERE v.kind = 'metric' AND v.compiled ? 'measure' AND ($1 IS NULL OR v.reads ? $1)\n"
	"ORDER BY v.definition, v.variant, v.version",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/*
 * Names are asked of functions and not of catalogue tables: a transaction that sees an
 * old snapshot finds two rows there of what others have renamed and it has renamed.
 */
static SsotQuery versions_query = {
	.sql =
	"SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(\n"
	"           'definition', v.definition, 'variant', v.variant, 'version', v.version,\n"
	"           'sealed', v.checksum = ssot.definition_checksum(v), 'reads', r.reads, 'entity', r.defined,\n"
	"           'parts', CASE WHEN v.basis IS NOT NULL AND v.state <> 'retired'\n"
	"                         THEN (SELECT pg_catalog.jsonb_agg(p) FROM ssot.definition_parts(v) AS p) END))\n"
	"FROM ssot.definition_version AS v\n"
	"CROSS JOIN LATERAL (\n"
	"    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', e.name, 'number', c.oid, 'columns', (\n"
	"               SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', f.name, 'number', (\n"
	"                          SELECT pg_catalog.max(a.attnum) FROM pg_catalog.pg_attribute AS a\n"
	"                          WHERE a.attrelid = c.oid AND a.attname = f.name AND a.attnum > 0 AND NOT a.attisdropped)) ORDER BY f.place)\n"
	"               FROM pg_catalog.jsonb_array_elements_text(e.fields) WITH ORDINALITY AS f (name, place))))\n"
	"               FILTER (WHERE e.fields IS NOT NULL) AS reads,\n"
	"           pg_catalog.max(c.oid::pg_catalog.int8) FILTER (WHERE e.name = v.defined_entity) AS defined\n"
	"    FROM (SELECT x.key AS name, x.value AS fields FROM pg_catalog.jsonb_each(v.reads) AS x\n"
	"          UNION ALL\n"
	"          SELECT v.defined_entity, NULL WHERE v.defined_entity IS NOT NULL) AS e\n"
	"    CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(e.name)::pg_catalog.oid AS oid) AS c\n"
	") AS r",
	.nargs = 0
};

static bool
take_metric(TupleTableSlot *slot, void *arg)
{
	List	  **metrics = (List **) arg;
	SsotRenamed *renamed = palloc0(sizeof(SsotRenamed));

	slot_getallattrs(slot);
	renamed->name = TextDatumGetCString(slot->tts_values[0]);
	renamed->variant = TextDatumGetCString(slot->tts_values[1]);
	renamed->version = DatumGetInt32(slot->tts_values[2]);
	renamed->compiled = DatumGetJsonbPCopy(slot->tts_values[3]);
	*metrics = lappend(*metrics, renamed);
	return true;
}

static List *
understand_metrics(const char *entity)
{
	Datum		arg = entity == NULL ? (Datum) 0 : CStringGetTextDatum(entity);
	bool		isnull = entity == NULL;
	List	   *all = NIL;
	List	   *understood = NIL;
	ListCell   *cell;

	ssot_config_each(&metrics_query, &arg, &isnull, take_metric, &all);
	foreach(cell, all)
		if (ssot_renamed_understand((SsotRenamed *) lfirst(cell)))
		understood = lappend(understood, lfirst(cell));
	return understood;
}

/* Where the definitions are kept, and the columns of the renamed relation: no definition
 * was made meanwhile, and no column has got another type. */
static SsotQuery seen_query = {
	.sql =
	"SELECT pg_catalog.concat_ws('/',\n"
	"           (SELECT pg_catalog.string_agg(v.ctid::pg_catalog.text, '' ORDER BY v.ctid) FROM ssot.definition_version AS v),\n"
	"           (SELECT pg_catalog.string_agg(a.ctid::pg_catalog.text, '' ORDER BY a.ctid)\n"
	"            FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = $1))",
	.nargs = 1,
	.argtypes = {OIDOID},
	.read_only = true
};

/* All locks are held. */
static void
before_rename(Node *command)
{
	SsotRenaming renaming;
	SsotEntity *entity;
	Remembered *now;
	Datum		relid;
	Datum		versions;
	bool		isnull;
	MemoryContext outer;

	if (!ssot_renaming_read(command, &renaming))
		return;
	relid = ObjectIdGetDatum(renaming.relid);
	ssot_config_require_seen(&seen_query, &relid, NULL, "definitions");
	entity = renaming.is_entity ? ssot_entity_load(renaming.relid, true) : NULL;
	outer = MemoryContextSwitchTo(our_memory());
	now = palloc0(sizeof(Remembered));
	now->command = command;
	now->relid = entity == NULL ? InvalidOid : entity->relid;
	now->is_column = renaming.is_column;
	now->is_schema = renaming.schema != NULL;
	if (renaming.relation == NULL || entity != NULL)
		now->metrics = understand_metrics(entity == NULL ? NULL : entity->name);
	ssot_config_one(&versions_query, NULL, NULL, 1, &versions, &isnull);
	if (!isnull)
	{
		now->versions = DatumGetJsonbP(versions);
		remembered = lappend(remembered, now);
	}
	MemoryContextSwitchTo(outer);
}

/* ---- after ----------------------------------------------------------------- */

static SsotQuery write_query = {
	.sql =
	"UPDATE ssot.definition_version AS v\n"
	"SET reads = n.reads, defined_entity = coalesce(n.defined_entity, v.defined_entity),\n"
	"    compiled = coalesce(n.compiled, v.compiled)\n"
	"FROM (\n"
	"    SELECT w.definition, w.variant, w.version, k.compiled,\n"
	"           (pg_catalog.pg_identify_object('pg_catalog.pg_class'::pg_catalog.regclass, w.entity::pg_catalog.oid, 0)).identity\n"
	"               AS defined_entity,\n"
	"           (SELECT coalesce(pg_catalog.jsonb_object_agg(\n"
	"                       coalesce((pg_catalog.pg_identify_object('pg_catalog.pg_class'::pg_catalog.regclass, e.number, 0)).identity, e.name),\n"
	"                       (SELECT coalesce(pg_catalog.jsonb_agg(coalesce(\n"
	"                                   (pg_catalog.pg_identify_object_as_address('pg_catalog.pg_class'::pg_catalog.regclass, e.number,\n"
	"                                        (f.value ->> 'number')::pg_catalog.int4)).object_names[3],\n"
	"                                   f.value ->> 'name') ORDER BY f.place), '[]')\n"
	"                        FROM pg_catalog.jsonb_array_elements(e.columns) WITH ORDINALITY AS f (value, place))), '{}')\n"
	"            FROM pg_catalog.jsonb_to_recordset(w.reads) AS e (name text, number oid, columns jsonb)) AS reads\n"
	"    FROM pg_catalog.jsonb_to_recordset($1)\n"
	"        AS w (definition text, variant text, version integer, reads jsonb, entity int8)\n"
	"    LEFT JOIN pg_catalog.jsonb_to_recordset($2)\n"
	"        AS k (definition text, variant text, version integer, compiled jsonb)\n"
	"        USING (definition, variant, version)\n"
	") AS n\n"
	"WHERE v.definition = n.definition AND v.variant = n.variant AND v.version = n.version\n"
	"  AND (v.reads, v.defined_entity, v.compiled)\n"
	"      IS DISTINCT FROM (n.reads, coalesce(n.defined_entity, v.defined_entity), coalesce(n.compiled, v.compiled))",
	.nargs = 2,
	.argtypes = {JSONBOID, JSONBOID}
};

static SsotQuery seal_query = {
	.sql =
	"UPDATE ssot.definition_version AS v\n"
	"SET basis = n.basis, checksum = CASE WHEN n.sealed THEN ssot.definition_checksum(v) ELSE v.checksum END\n"
	"FROM (\n"
	"    SELECT w.definition, w.variant, w.version, w.sealed,\n"
	"           CASE WHEN w.parts IS NULL THEN o.basis ELSE\n"
	"           (SELECT pg_catalog.jsonb_object_agg(coalesce(i.part, b.key),\n"
	"                       CASE WHEN p.content = b.value AND p.identity LIKE 'ddl:%'\n"
	"                            THEN coalesce(i.content, b.value) ELSE b.value END)\n"
	"            FROM pg_catalog.jsonb_each_text(o.basis) AS b (key, value)\n"
	"            LEFT JOIN pg_catalog.jsonb_to_recordset(w.parts) AS p (identity text, part text, content text)\n"
	"                ON p.part = b.key\n"
	"            LEFT JOIN ssot.definition_parts(o) AS i ON i.identity = p.identity) END AS basis\n"
	"    FROM pg_catalog.jsonb_to_recordset($1)\n"
	"        AS w (definition text, variant text, version integer, sealed boolean, parts jsonb)\n"
	"    JOIN ssot.definition_version AS o USING (definition, variant, version)\n"
	") AS n\n"
	"WHERE v.definition = n.definition AND v.variant = n.variant AND v.version = n.version\n"
	"  AND (v.basis IS DISTINCT FROM n.basis OR n.sealed AND v.checksum <> ssot.definition_checksum(v))",
	.nargs = 1,
	.argtypes = {JSONBOID}
};

static SsotQuery publications_query = {
	.sql =
	"UPDATE ssot.publication AS p\n"
	"SET checksum = n.became\n"
	"FROM pg_catalog.jsonb_to_recordset($1)\n"
	"    AS n (definition text, variant text, version integer, was text, became text)\n"
	"WHERE p.metric = n.definition AND p.variant = n.variant AND p.version = n.version\n"
	"  AND p.checksum = n.was AND n.was <> n.became",
	.nargs = 1,
	.argtypes = {JSONBOID}
};

/* Of each variant that reads the entity, or one of the schema, the version that its
 * views show. */
static SsotQuery views_query = {
	.sql =
	"SELECT DISTINCT ON (m.definition, m.variant) m.definition, m.variant, m.version, m.description\n"
	"FROM ssot.definition_version AS m\n"
	"WHERE m.kind = 'metric' AND pg_catalog.lower(m.effective) <= pg_catalog.clock_timestamp()\n"
	"  AND (m.reads ? $1 OR EXISTS (SELECT FROM pg_catalog.jsonb_object_keys(m.reads) AS e (entity)\n"
	"          WHERE (pg_catalog.parse_ident(e.entity))[1] = $2))\n"
	"ORDER BY m.definition, m.variant, m.effective DESC",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static void
push_text(JsonbParseState **state, const char *name, const char *value)
{
	ssot_json_key(state, name);
	ssot_json_text(state, WJB_VALUE, value);
}

/* [{"definition", "variant", "version", "compiled", "was", "became"}], of what can be said. */
static Jsonb *
say_metrics(List *metrics)
{
	JsonbParseState *state = NULL;
	ListCell   *cell;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	foreach(cell, metrics)
	{
		SsotRenamed *renamed = (SsotRenamed *) lfirst(cell);
		char	   *was = renamed->checksum;
		char	   *problem = ssot_renamed_say(renamed);
		JsonbValue	compiled = {.type = jbvBinary};

		if (problem != NULL)
		{
			ereport(WARNING,
					(errmsg("metric \"%s\" version %d does not follow: %s", renamed->name, renamed->version, problem),
					 errhint("Make a new version by ssot.create_metric, or change the name back.")));
			continue;
		}
		compiled.val.binary.data = &renamed->compiled->root;
		compiled.val.binary.len = VARSIZE(renamed->compiled) - VARHDRSZ;
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_text(&state, "definition", renamed->name);
		push_text(&state, "variant", renamed->variant);
		push_text(&state, "version", psprintf("%d", renamed->version));
		push_text(&state, "was", was);
		push_text(&state, "became", renamed->checksum);
		ssot_json_key(&state, "compiled");
		pushJsonbValue(&state, WJB_VALUE, &compiled);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* A view that shows a metric. */
typedef struct Shown
{
	char	   *name;
	char	   *variant;
	int			version;
	char	   *description;
} Shown;

static bool
take_shown(TupleTableSlot *slot, void *arg)
{
	List	  **list = (List **) arg;
	Shown	   *shown = palloc0(sizeof(Shown));

	slot_getallattrs(slot);
	shown->name = TextDatumGetCString(slot->tts_values[0]);
	shown->variant = TextDatumGetCString(slot->tts_values[1]);
	shown->version = DatumGetInt32(slot->tts_values[2]);
	if (!slot->tts_isnull[3])
		shown->description = TextDatumGetCString(slot->tts_values[3]);
	*list = lappend(*list, shown);
	return true;
}

static void
make_views(void *arg)
{
	Shown	   *shown = (Shown *) arg;

	ssot_metric_views_make_anew(shown->name, shown->variant, shown->version, shown->description);
}

/* Views name entities as text: what stamps a number asks for them by it. */
static void
make_views_anew(const char *entity, const char *schema)
{
	Datum		args[2] = {entity == NULL ? (Datum) 0 : CStringGetTextDatum(entity),
	schema == NULL ? (Datum) 0 : CStringGetTextDatum(schema)};
	bool		nulls[2] = {entity == NULL, schema == NULL};
	List	   *list = NIL;
	ListCell   *cell;

	ssot_config_each(&views_query, args, nulls, take_shown, &list);
	foreach(cell, list)
	{
		Shown	   *shown = (Shown *) lfirst(cell);
		char	   *problem = ssot_attempt_local(make_views, shown);

		if (problem != NULL)
			ereport(WARNING,
					(errmsg("the views of metric \"%s\" were not made anew: %s", shown->name, problem),
					 errhint("Call ssot.refresh_metrics() when that is mended.")));
	}
}

static Remembered *
take_remembered(Node *command)
{
	/* The latest: one whose command failed may have been at the same address. */
	for (int i = list_length(remembered) - 1; i >= 0; i--)
	{
		Remembered *was = (Remembered *) list_nth(remembered, i);

		if (was->command == command)
		{
			remembered = list_delete_nth_cell(remembered, i);
			return was;
		}
	}
	return NULL;
}

static void
after_rename(Node *command)
{
	Remembered *was = take_remembered(command);
	Datum		args[2];

	if (was == NULL)
		return;
	args[0] = JsonbPGetDatum(was->versions);
	args[1] = JsonbPGetDatum(say_metrics(was->metrics));
	ssot_config_run(&write_query, args, NULL);
	ssot_config_run(&seal_query, args, NULL);
	ssot_config_run(&publications_query, &args[1], NULL);
	if (was->is_schema)
		make_views_anew(NULL, ((RenameStmt *) command)->newname);
	else if (OidIsValid(was->relid) && !was->is_column)
		make_views_anew(ssot_entity_name(was->relid), NULL);
}

void
ssot_rename_init(void)
{
	ssot_ddl_hooks.rename_locks = ssot_renaming_locks;
	ssot_ddl_hooks.before_rename = before_rename;
	ssot_ddl_hooks.after_rename = after_rename;
}
