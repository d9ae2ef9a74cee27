/*
 * dictionary/metric_store.c
 *		Metrics from the dictionary: versions, and which of them is in force.
 *
 * A version is never changed. The one in force at a time is the latest of its
 * variant that had taken effect then; before the first there is none. What a version
 * says was qualified when it was made, and is parsed anew under the pinned search
 * path each time: a column that has gone since is found then, and named.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "dictionary/metric_store.h"
#include "dictionary/metric_view.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/declare.h"
#include "entity/json.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"

#define VERSION_COLUMNS \
	"SELECT m.definition, m.variant, m.version, m.compiled, m.canonical\n" \
	"FROM ssot.definition_version AS m\n" \
	"WHERE m.definition = $1 AND m.kind = 'metric'\n" \
	"  AND CASE WHEN $2 IS NULL THEN m.canonical ELSE m.variant = $2 END\n"

static SsotQuery exact_query = {
	.sql = VERSION_COLUMNS "  AND m.version = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID},
	.read_only = true
};

static SsotQuery in_force_query = {
	.sql =
	VERSION_COLUMNS
	"  AND m.effective @> $3",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TIMESTAMPTZOID},
	.read_only = true
};

static SsotQuery known_query = {
	.sql =
	"SELECT pg_catalog.string_agg(pg_catalog.format('%sv%s (%s%s)',\n"
	"           CASE m.variant WHEN '' THEN '' ELSE m.variant || ' ' END,\n"
	"           m.version, m.state, ' from ' || pg_catalog.lower(m.effective)), ', '\n"
	"           ORDER BY m.variant, m.version)\n"
	"FROM ssot.definition_version AS m\n"
	"WHERE m.definition = $1 AND m.kind = 'metric'",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.read_only = true
};

static SsotMetric *
from_row(const Datum *values)
{
	int			level = ssot_settings_begin(false);
	SsotMetric *metric = ssot_metric_from_json(TextDatumGetCString(values[0]),
											   TextDatumGetCString(values[1]),
											   DatumGetInt32(values[2]), DatumGetJsonbP(values[3]),
											   ssot_metric_exact);

	metric->canonical = DatumGetBool(values[4]);
	ssot_settings_end(level);
	return metric;
}

static void
refuse_unknown(const char *name, const char *variant, const char *which)
{
	Datum		arg = CStringGetTextDatum(name);
	Datum		known;
	bool		isnull;

	ssot_config_one(&known_query, &arg, NULL, 1, &known, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no metric \"%s\"", name),
				 errhint("Make it with ssot.create_metric.")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("metric \"%s\"%s has no version %s", name,
					variant == NULL ? "" : psprintf(", variant \"%s\",", variant), which),
			 errdetail("It has %s.", TextDatumGetCString(known))));
}

SsotMetric *
ssot_metric_exact(const char *name, const char *variant, int version)
{
	Datum		args[3] = {CStringGetTextDatum(name),
	variant == NULL ? (Datum) 0 : CStringGetTextDatum(variant), Int32GetDatum(version)};
	bool		nulls[3] = {false, variant == NULL, false};
	Datum		values[5];
	bool		isnull[5];

	if (!ssot_config_one(&exact_query, args, nulls, 5, values, isnull))
		refuse_unknown(name, variant, psprintf("%d", version));
	return from_row(values);
}

SsotMetric *
ssot_metric_in_force(const char *name, const char *variant, TimestampTz t)
{
	Datum		args[3] = {CStringGetTextDatum(name),
		variant == NULL ? (Datum) 0 : CStringGetTextDatum(variant),
	TimestampTzGetDatum(TIMESTAMP_IS_NOEND(t) ? GetCurrentTimestamp() : t)};
	bool		nulls[3] = {false, variant == NULL, false};
	Datum		values[5];
	bool		isnull[5];

	if (!ssot_config_one(&in_force_query, args, nulls, 5, values, isnull))
		refuse_unknown(name, variant, TIMESTAMP_IS_NOEND(t) ? "in force now" :
					   psprintf("in force at %s", timestamptz_to_str(DatumGetTimestampTz(args[2]))));
	return from_row(values);
}

SsotMetric *
ssot_metric_named(const char *name)
{
	const char *colon = strchr(name, ':');

	if (colon == NULL)
		return ssot_metric_in_force(name, NULL, DT_NOEND);
	return ssot_metric_in_force(pnstrdup(name, colon - name), colon + 1, DT_NOEND);
}

/* Columns that the metric reads of a table, by whichever way it is reached, as C
 * strings. */
static List *
columns_read(const SsotMetric *metric, Oid relid)
{
	List	   *columns = ssot_metric_columns(metric, ssot_metric_dimension_names(metric), NIL);
	List	   *names = NIL;
	ListCell   *cell;

	for (int i = 0; i < list_length(metric->scope->relations); i++)
	{
		if (ssot_scope_relation(metric->scope, i)->relid != relid)
			continue;
		foreach(cell, ssot_metric_columns_of(metric, columns, i))
			names = list_append_unique(names, makeString((char *) lfirst(cell)));
	}
	foreach(cell, names)
		lfirst(cell) = strVal(lfirst(cell));
	return names;
}

/* What is read of one entity. */
typedef struct Reads
{
	Oid			relid;
	List	   *columns;		/* of String */
} Reads;

static void
add_reads(List **all, Oid relid, List *columns)
{
	Reads	   *reads = NULL;
	ListCell   *cell;

	foreach(cell, *all)
		if (((Reads *) lfirst(cell))->relid == relid)
		reads = (Reads *) lfirst(cell);
	if (reads == NULL)
	{
		reads = palloc0(sizeof(Reads));
		reads->relid = relid;
		*all = lappend(*all, reads);
	}
	foreach(cell, columns)
		reads->columns = list_append_unique(reads->columns, makeString((char *) lfirst(cell)));
}

/* What the metric's expressions, those of its parts, and rates are read from. */
static void
collect_reads(const SsotMetric *metric, List **all)
{
	ListCell   *part;

	foreach(part, metric->parts)
		collect_reads(((SsotMetricPart *) lfirst(part))->metric, all);
	for (int i = 0; metric->scope != NULL && i < list_length(metric->scope->relations); i++)
	{
		Oid			relid = ssot_scope_relation(metric->scope, i)->relid;

		add_reads(all, relid, columns_read(metric, relid));
	}
	if (metric->rates != NULL)
		add_reads(all, metric->rates->relid, ssot_rates_columns(metric->rates));
}

/* {"entity": ["column", ...]} */
static Jsonb *
reads_of(const SsotMetric *metric)
{
	JsonbParseState *state = NULL;
	List	   *all = NIL;
	ListCell   *cell;
	ListCell   *column;

	collect_reads(metric, &all);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	foreach(cell, all)
	{
		Reads	   *reads = (Reads *) lfirst(cell);

		ssot_json_key(&state, ssot_entity_name(reads->relid));
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		foreach(column, reads->columns)
			ssot_json_text(&state, WJB_ELEM, strVal(lfirst(column)));
		pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

void
ssot_metric_keep(SsotMetric *metric, SsotDefinition *definition, Jsonb *declared)
{
	definition->name = metric->name;
	definition->variant = metric->variant;
	definition->kind = "metric";
	definition->declared = declared;
	definition->compiled = ssot_metric_to_json(metric);
	definition->reads = reads_of(metric);
	ssot_definition_keep(definition);
	metric->version = definition->version;
	metric->canonical = definition->canonical;
}

/* ---- all metrics that are in force ---------------------------------------- */

static SsotQuery all_in_force_query = {
	.sql =
	"SELECT m.definition, m.variant, m.version, m.description\n"
	"FROM ssot.definition_version AS m\n"
	"WHERE m.kind = 'metric' AND m.effective @> pg_catalog.clock_timestamp()\n"
	"  AND ($1 IS NULL OR m.definition = $1)\n"
	"ORDER BY m.approved_at, m.definition, m.variant",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

typedef struct Effective
{
	char	   *name;
	char	   *variant;
	int			version;
	char	   *description;
} Effective;

static bool
take_in_force(TupleTableSlot *slot, void *arg)
{
	List	  **list = (List **) arg;
	Effective  *found = palloc0(sizeof(Effective));

	slot_getallattrs(slot);
	found->name = TextDatumGetCString(slot->tts_values[0]);
	found->variant = TextDatumGetCString(slot->tts_values[1]);
	found->version = DatumGetInt32(slot->tts_values[2]);
	if (!slot->tts_isnull[3])
		found->description = TextDatumGetCString(slot->tts_values[3]);
	*list = lappend(*list, found);
	return true;
}

static SsotQuery entity_query = {
	.sql =
	"SELECT k.entity\n"
	"FROM ssot.definition_version AS m\n"
	"CROSS JOIN LATERAL pg_catalog.jsonb_object_keys(m.reads) AS k (entity)\n"
	"WHERE m.definition = $1 AND m.variant = $2 AND m.version = $3\n"
	"ORDER BY m.compiled ->> 'entity' = k.entity DESC NULLS LAST, 1\n"
	"LIMIT 1",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID}
};

/* The table of an entity that the metric reads. Found by its name without asking
 * for rights: who signs last may have none. */
static Oid
entity_of(const char *name, const char *variant, int version)
{
	Datum		args[3] = {CStringGetTextDatum(name), CStringGetTextDatum(variant), Int32GetDatum(version)};
	Datum		value;
	bool		isnull;
	List	   *names;
	Oid			relid = InvalidOid;

	if (ssot_config_one(&entity_query, args, NULL, 1, &value, &isnull))
	{
		names = ssot_name_list(TextDatumGetCString(value));
		relid = get_relname_relid(strVal(llast(names)),
								  get_namespace_oid(strVal(linitial(names)), false));
	}
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table of metric \"%s\" version %d does not exist", name, version),
				 errhint("Make a new version for the table that is there now.")));
	return relid;
}

/*
 * Versions are read under the caller's snapshot, which sees neither what this call has
 * written nor what was committed while it waited for a lock; here it must. The metric's expressions are parsed, not evaluated, with
 * the rights of the table's owner, who declared them.
 */
static void
make_views(const char *name, const char *variant, int version, const char *description, bool anew)
{
	SsotUser	user = ssot_become_owner(entity_of(name, variant, version));
	SsotMetric *metric;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	metric = ssot_metric_exact(name, variant, version);
	if (!anew ||
		OidIsValid(ssot_relation_oid(ssot_qualified_name(SSOT_METRICS,
														 (const char *) linitial(ssot_metric_view_names(metric))))))
		ssot_metric_views_create(metric, description);
	PopActiveSnapshot();
	ssot_restore_user(user);
}

void
ssot_metric_views_make(const char *name, const char *variant, int version, const char *description)
{
	make_views(name, variant, version, description, false);
}

void
ssot_metric_views_make_anew(const char *name, const char *variant, int version, const char *description)
{
	make_views(name, variant, version, description, true);
}

int
ssot_metric_views_refresh(const char *name)
{
	Datum		arg = name == NULL ? (Datum) 0 : CStringGetTextDatum(name);
	bool		isnull = name == NULL;
	List	   *list = NIL;
	ListCell   *cell;

	ssot_config_each(&all_in_force_query, &arg, &isnull, take_in_force, &list);
	foreach(cell, list)
	{
		Effective  *found = (Effective *) lfirst(cell);

		ssot_metric_views_make(found->name, found->variant, found->version, found->description);
	}
	return list_length(list);
}
