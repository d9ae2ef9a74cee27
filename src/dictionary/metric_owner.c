/*
 * dictionary/metric_owner.c
 *		Views of metrics go with the table that they belong to.
 *
 * They belong to the owner of the first entity that the metric reads. If the table gets
 * another owner, they do, or nobody could make them anew: not whoever signs the next
 * version, nor who renames the table.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/ident.h"
#include "common/locks.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "dictionary/metric_owner.h"
#include "dictionary/metric_store.h"
#include "dictionary/metric_view.h"
#include "entity/config.h"
#include "entity/ddl.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* ---- locks ----------------------------------------------------------------- */

/* Views of metrics that read the relation, by its number. */
static SsotQuery metric_views_query = {
	.sql =
	"SELECT DISTINCT c.oid\n"
	"FROM pg_catalog.pg_depend AS d\n"
	"JOIN pg_catalog.pg_rewrite AS r\n"
	"    ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid\n"
	"JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class\n"
	"JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace\n"
	"WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $1\n"
	"  AND c.relkind = 'v' AND n.nspname IN ('" SSOT_METRICS "', '" SSOT_METRICS_AS_OF "')\n"
	"ORDER BY c.oid",
	.nargs = 1,
	.argtypes = {OIDOID},
	.as_of_now = true
};

static bool
take_view(TupleTableSlot *slot, void *arg)
{
	List	  **locks = (List **) arg;
	bool		isnull;

	*locks = ssot_locks_add(*locks, DatumGetObjectId(slot_getattr(slot, 1, &isnull)), AccessExclusiveLock);
	return true;
}

List *
ssot_metric_view_locks(List *locks, Oid relid)
{
	Datum		arg = ObjectIdGetDatum(relid);

	ssot_config_each(&metric_views_query, &arg, NULL, take_view, &locks);
	return locks;
}

static List *
owner_locks(Oid relid, List *locks)
{
	return list_concat(ssot_metric_view_locks(NIL, relid), locks);
}

/* ---- following ------------------------------------------------------------- */

/* Of each variant that reads the entity the version that its views show. */
static SsotQuery shown_query = {
	.sql =
	"SELECT DISTINCT ON (m.definition, m.variant) m.definition, m.variant, m.version\n"
	"FROM ssot.definition_version AS m\n"
	"WHERE m.kind = 'metric' AND pg_catalog.lower(m.effective) <= pg_catalog.clock_timestamp() AND m.reads ? $1\n"
	"ORDER BY m.definition, m.variant, m.effective DESC",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

typedef struct Shown
{
	char	   *name;
	char	   *variant;
	int			version;
	Oid			relid;			/* of the entity */
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
	*list = lappend(*list, shown);
	return true;
}

/* The names of the views, if they are the table's owner's; read with their rights. */
static List *
names_of_views(const Shown *shown)
{
	SsotUser	user = ssot_become_owner(shown->relid);
	SsotMetric *metric = ssot_metric_exact(shown->name, shown->variant, shown->version);
	List	   *names = ssot_metric_entity(metric) == shown->relid ? ssot_metric_view_names(metric) : NIL;

	ssot_restore_user(user);
	return names;
}

/*
 * GRANT USAGE, CREATE ON SCHEMA metrics TO bob;
 * ALTER VIEW metrics.pipeline OWNER TO bob; ...
 */
static void
append_owner(StringInfo ddl, const char *schema, List *names, Oid owner)
{
	char	   *name = GetUserNameFromId(owner, false);
	int			before = ddl->len;
	ListCell   *cell;

	foreach(cell, names)
	{
		char	   *view = ssot_qualified_name(schema, (const char *) lfirst(cell));
		Oid			relid = ssot_relation_oid(view);

		if (!OidIsValid(relid) || ssot_relation_owner(relid) == owner)
			continue;
		if (ddl->len == before &&
			pg_namespace_aclcheck(get_namespace_oid(schema, false), owner, ACL_CREATE) != ACLCHECK_OK)
			ssot_sql_append(ddl, "GRANT USAGE, CREATE ON SCHEMA %I TO %I;\n", schema, name);
		ssot_sql_append(ddl, "ALTER VIEW %T OWNER TO %I;\n", view, name);
	}
}

/* As the user, who was able to do the same to the table. */
static void
give(void *arg)
{
	const Shown *shown = (const Shown *) arg;
	Oid			owner = ssot_relation_owner(shown->relid);
	int			level = ssot_settings_begin(false);
	List	   *names = names_of_views(shown);
	StringInfoData ddl;

	initStringInfo(&ddl);
	append_owner(&ddl, SSOT_METRICS, names, owner);
	append_owner(&ddl, SSOT_METRICS_AS_OF, names, owner);
	if (ddl.len > 0)
		ssot_sql_run(ddl.data);
	ssot_settings_end(level);
}

static void
follow_owner(const SsotEntity *entity)
{
	Datum		arg = CStringGetTextDatum(entity->name);
	List	   *list = NIL;
	ListCell   *cell;

	ssot_config_each(&shown_query, &arg, NULL, take_shown, &list);
	foreach(cell, list)
	{
		Shown	   *shown = (Shown *) lfirst(cell);
		char	   *problem;

		shown->relid = entity->relid;
		problem = ssot_attempt_local(give, shown);
		if (problem != NULL)
			ereport(WARNING,
					(errmsg("the views of metric \"%s\" did not get the new owner: %s", shown->name, problem),
					 errhint("Let their owner: ALTER VIEW metrics.%s OWNER TO %s, and so on; else the next version cannot replace them.",
							 quote_identifier(shown->name),
							 quote_identifier(GetUserNameFromId(ssot_relation_owner(entity->relid), false)))));
	}
}

void
ssot_metric_owner_init(void)
{
	ssot_ddl_hooks.owner_locks = owner_locks;
	ssot_ddl_hooks.follow_owner = follow_owner;
}
