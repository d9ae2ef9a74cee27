/*
 * entity/tracking.c
 *		Change capture: the triggers on the relation of a source.
 *
 * Four statement triggers per source and table note the keys that were written
 * (ingest/capture.c). A statement on a partitioned table fires the triggers of
 * that table only, one on a partition those of the partition, so all have them.
 * They are enabled ALWAYS: replication roles do not pass them by.
 *
 * Triggers can be dropped, disabled, or passed by (a partition is attached with
 * its rows). Whoever relies on them asks first whether they are whole and
 * whether the shape is still that of the last run that did: it contains the xmin
 * of the triggers' catalogue rows, so disabling and enabling again shows, and the
 * storage of the tables, so truncating and rewriting shows.
 *
 * What is captured is the key's columns and not the key: the key is a user's
 * expression, to be evaluated with the rights of whoever reconciles. The key must
 * consist of columns so that all rows of a key can be found again by them.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/expression.h"
#include "entity/json.h"
#include "entity/tracking.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_subscription_rel.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

/* What fires the triggers, and the rows that each is shown. */
static const struct
{
	const char *name;
	const char *event;
	const char *rows;
}			events[] =

{
	{"insert", "INSERT", "REFERENCING NEW TABLE AS ssot_new "},
	{"update", "UPDATE", "REFERENCING OLD TABLE AS ssot_old NEW TABLE AS ssot_new "},
	{"delete", "DELETE", "REFERENCING OLD TABLE AS ssot_old "},
	{"truncate", "TRUNCATE", ""}
};

/*
 * Whether it can be done.
 */

/* Is the table filled by a subscription? Its workers fire no statement triggers. */
static bool
is_subscribed(Oid relid)
{
	Relation	rel = table_open(SubscriptionRelRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	bool		found = false;

	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = ((Form_pg_subscription_rel) GETSTRUCT(tuple))->srrelid == relid;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* Why writes to this one table cannot be captured, or NULL. */
static const char *
refuse_table(Oid relid, const char **hint)
{
	char	   *name = ssot_relation_name(relid);

	*hint = NULL;
	switch (get_rel_relkind(relid))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			break;
		case RELKIND_FOREIGN_TABLE:
			*hint = "Use the reading watermark, or copy it into a table.";
			return psprintf("%s is a foreign table: what others write there fires no trigger here", name);
		default:
			*hint = "Map the table below it, or use the reading watermark.";
			return psprintf("%s is a view: a change of the tables below it fires no trigger on it", name);
	}
	if (get_rel_persistence(relid) == RELPERSISTENCE_UNLOGGED)
	{
		*hint = psprintf("ALTER TABLE %s SET LOGGED;", name);
		return psprintf("%s is unlogged: a crash empties it without firing a trigger", name);
	}
	if (is_subscribed(relid))
	{
		*hint = "Capture on the publisher's side cannot be seen here: use the reading watermark.";
		return psprintf("%s is the target of a subscription, whose workers fire no statement triggers", name);
	}
	return NULL;
}

/* The attribute number of a key expression that is a column, or 0. */
static AttrNumber
key_column(const char *text, Oid relid, const char *what)
{
	Node	   *node = ssot_expression_parse(text, relid, what, InvalidOid, -1);

	return IsA(node, Var) && ((Var *) node)->varattno > 0 ? ((Var *) node)->varattno : 0;
}

static const char *
take_keys(SsotTracking *tracking, const char **hint)
{
	char	   *what = psprintf("key of source \"%s\"", tracking->source->name);
	JsonbValue *key = ssot_json_member(tracking->source->compiled, "key");
	uint32		count = key == NULL ? 0 : JsonContainerSize(key->val.binary.data);

	tracking->keys = palloc(sizeof(AttrNumber) * (count + 1));
	tracking->names = palloc(sizeof(char *) * (count + 1));
	tracking->operators = palloc(sizeof(Oid) * (count + 1));
	for (uint32 i = 0; i < count; i++)
	{
		const char *text = ssot_json_string(getIthJsonbValueFromContainer(key->val.binary.data, i), what);
		AttrNumber	column = key_column(text, tracking->relid, what);
		int			n = tracking->nkeys;

		*hint = NULL;
		if (column == 0)
		{
			*hint = psprintf("Make it a column: ALTER TABLE %s ADD COLUMN ... GENERATED ALWAYS AS (%s) STORED; then ssot.alter_source(key => ...).",
							 ssot_relation_name(tracking->relid), text);
			return psprintf("the key is the expression %s, not a column by which its rows are found again", text);
		}
		tracking->keys[n] = column;
		tracking->names[n] = get_attname(tracking->relid, column, false);
		tracking->operators[n] =
			lookup_type_cache(get_atttype(tracking->relid, column), TYPECACHE_EQ_OPR)->eq_opr;
		if (!OidIsValid(tracking->operators[n]))
			return psprintf("the values of column \"%s\" cannot be compared", tracking->names[n]);
		tracking->nkeys++;
	}
	return NULL;
}

SsotTracking *
ssot_tracking(const SsotSource *source, Oid relid, const char **refusal, const char **hint)
{
	SsotTracking *tracking = palloc0(sizeof(SsotTracking));
	ListCell   *lc;

	tracking->source = source;
	tracking->relid = relid;
	tracking->relids = find_all_inheritors(relid, AccessShareLock, NULL);
	list_sort(tracking->relids, list_oid_cmp);
	foreach(lc, tracking->relids)
	{
		*refusal = refuse_table(lfirst_oid(lc), hint);
		if (*refusal != NULL)
			return NULL;
	}
	/* a partition may be published under the name of a table above it */
	foreach(lc, get_rel_relispartition(relid) ? get_partition_ancestors(relid) : NIL)
		if (is_subscribed(lfirst_oid(lc)))
	{
		*refusal = refuse_table(lfirst_oid(lc), hint);
		return NULL;
	}
	*refusal = take_keys(tracking, hint);
	return *refusal == NULL ? tracking : NULL;
}

/*
 * Making the triggers.
 */
static char *
trigger_name(int source_id, int event)
{
	return psprintf("ssot_capture_%d_%s", source_id, events[event].name);
}

/*
 *		CREATE OR REPLACE TRIGGER ssot_capture_7_update AFTER UPDATE ON bronze.crm_account
 *		REFERENCING OLD TABLE AS ssot_old NEW TABLE AS ssot_new
 *		FOR EACH STATEMENT EXECUTE FUNCTION ssot.capture_change('7', 'id');
 *		ALTER TABLE ONLY bronze.crm_account ENABLE ALWAYS TRIGGER ssot_capture_7_update;
 */
static void
begin_on(const SsotTracking *tracking, Oid relid)
{
	StringInfoData arguments;
	char	   *table = ssot_relation_name(relid);

	initStringInfo(&arguments);
	appendStringInfo(&arguments, "'%d'", tracking->source->source_id);
	for (int i = 0; i < tracking->nkeys; i++)
		ssot_sql_append(&arguments, ", %L", tracking->names[i]);
	for (int e = 0; e < lengthof(events); e++)
	{
		char	   *name = trigger_name(tracking->source->source_id, e);

		ssot_sql_run(ssot_sql("CREATE OR REPLACE TRIGGER %I AFTER %s ON %T\n"
							  "%sFOR EACH STATEMENT EXECUTE FUNCTION ssot.capture_change(%s)",
							  name, events[e].event, table, events[e].rows, arguments.data));
		ssot_sql_run(ssot_sql("ALTER TABLE ONLY %T ENABLE ALWAYS TRIGGER %I", table, name));
	}
}

bool
ssot_tracking_may_begin(const SsotTracking *tracking)
{
	ListCell   *lc;

	foreach(lc, tracking->relids)
		if (!has_privs_of_role(GetUserId(), ssot_relation_owner(lfirst_oid(lc))))
		return false;
	return true;
}

void
ssot_tracking_begin(const SsotTracking *tracking)
{
	ListCell   *lc;

	ssot_own_ddl_begin();
	PG_TRY();
	{
		foreach(lc, tracking->relids)
			begin_on(tracking, lfirst_oid(lc));
	}
	PG_FINALLY();
	{
		ssot_own_ddl_end();
	}
	PG_END_TRY();
}

/*
 * Looking after them.
 */
static Datum
relids_array(const SsotTracking *tracking)
{
	Datum	   *oids = palloc(sizeof(Datum) * list_length(tracking->relids));
	ListCell   *lc;

	foreach(lc, tracking->relids)
		oids[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	return PointerGetDatum(construct_array(oids, list_length(tracking->relids), OIDOID,
										   sizeof(Oid), true, TYPALIGN_INT));
}

/* The arguments as pg_trigger keeps them: each followed by a zero byte. */
static Datum
argument_bytes(const SsotTracking *tracking)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%d", tracking->source->source_id);
	appendStringInfoChar(&buf, '\0');
	for (int i = 0; i < tracking->nkeys; i++)
	{
		appendStringInfoString(&buf, tracking->names[i]);
		appendStringInfoChar(&buf, '\0');
	}
	return PointerGetDatum(cstring_to_text_with_len(buf.data, buf.len));
}

#define OUR_TRIGGERS \
	"      t.tgrelid = ANY ($1)\n" \
	"  AND t.tgargs = $2\n" \
	"  AND t.tgfoid = 'ssot.capture_change()'::pg_catalog.regprocedure\n"

/* tgtype: 4 AFTER INSERT of a statement, 8 DELETE, 16 UPDATE, 32 TRUNCATE. */
static SsotQuery count_query = {
	.sql =
	"SELECT pg_catalog.count(DISTINCT (t.tgrelid, t.tgtype))\n"
	"FROM pg_catalog.pg_trigger AS t\n"
	"WHERE t.tgenabled = 'A'\n"
	"  AND t.tgqual IS NULL\n"
	"  AND t.tgtype IN (4, 8, 16, 32)\n"
	"  AND (t.tgnewtable IS NOT NULL) = (t.tgtype IN (4, 16))\n"
	"  AND (t.tgoldtable IS NOT NULL) = (t.tgtype IN (8, 16))\n"
	"  AND\n" OUR_TRIGGERS,
	.nargs = 2,
	.argtypes = {OIDARRAYOID, BYTEAOID},
	.as_of_now = true
};

static SsotQuery shape_query = {
	.sql =
	"SELECT pg_catalog.hashtextextended(pg_catalog.concat_ws('; ',\n"
	"    (SELECT pg_catalog.string_agg(pg_catalog.format('%s %s', c.oid, c.relfilenode), ',' ORDER BY c.oid)\n"
	"     FROM pg_catalog.pg_class AS c\n"
	"     WHERE c.oid = ANY ($1)),\n"
	"    (SELECT pg_catalog.string_agg(pg_catalog.format('%s %s %s %s %I', a.attrelid, a.attnum, a.atttypid,\n"
	"                                                    a.atttypmod, a.attname), ',' ORDER BY a.attrelid, a.attnum)\n"
	"     FROM pg_catalog.pg_attribute AS a\n"
	"     WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped),\n"
	"    (SELECT pg_catalog.string_agg(pg_catalog.format('%s %s', t.oid, t.xmin), ',' ORDER BY t.oid)\n"
	"     FROM pg_catalog.pg_trigger AS t\n"
	"     WHERE\n" OUR_TRIGGERS ")), 0)",
	.nargs = 2,
	.argtypes = {OIDARRAYOID, BYTEAOID},
	.as_of_now = true
};

static int64
ask(SsotQuery *query, const SsotTracking *tracking)
{
	Datum		args[2] = {relids_array(tracking), argument_bytes(tracking)};
	Datum		value;
	bool		isnull;

	ssot_query_one(query, args, NULL, 1, &value, &isnull);
	return DatumGetInt64(value);
}

bool
ssot_tracking_is_whole(const SsotTracking *tracking)
{
	return ask(&count_query, tracking) == (int64) lengthof(events) * list_length(tracking->relids);
}

int64
ssot_tracking_shape(const SsotTracking *tracking)
{
	return ask(&shape_query, tracking);
}

/*
 * Taking them away.
 */
typedef struct Found
{
	Oid			relid;
	char	   *trigger;
} Found;

static SsotQuery find_query = {
	.sql =
	"SELECT t.tgrelid, t.tgname\n"
	"FROM pg_catalog.pg_trigger AS t\n"
	"WHERE t.tgfoid = 'ssot.capture_change()'::pg_catalog.regprocedure\n"
	"  AND t.tgname LIKE 'ssot\\_capture\\_' || $1 || '\\_%'\n"
	"ORDER BY t.tgrelid, t.tgname",
	.nargs = 1,
	.argtypes = {INT4OID},
	.as_of_now = true
};

static SsotQuery forget_query = {
	.sql =
	"DELETE FROM ssot.change_queue AS q\n"
	"WHERE q.source_id = $1",
	.nargs = 1,
	.argtypes = {INT4OID}
};

static bool
take_found(TupleTableSlot *slot, void *arg)
{
	List	  **found = (List **) arg;
	Found	   *one = palloc(sizeof(Found));
	bool		isnull;

	one->relid = DatumGetObjectId(slot_getattr(slot, 1, &isnull));
	one->trigger = pstrdup(NameStr(*DatumGetName(slot_getattr(slot, 2, &isnull))));
	*found = lappend(*found, one);
	return true;
}

static void
end_on(const Found *found)
{
	char	   *table = ssot_relation_name(found->relid);

	if (has_privs_of_role(GetUserId(), ssot_relation_owner(found->relid)))
		ssot_sql_run(ssot_sql("DROP TRIGGER %I ON %T", found->trigger, table));
	else
		ereport(WARNING,
				(errmsg("trigger \"%s\" stays on %s", found->trigger, table),
				 errdetail("It belongs to the owner of the table and no longer does anything useful."),
				 errhint("Ask the owner to: DROP TRIGGER %s ON %s;", quote_identifier(found->trigger), table)));
}

void
ssot_tracking_end(int source_id, const SsotTracking *keep)
{
	Datum		id = Int32GetDatum(source_id);
	List	   *found = NIL;
	ListCell   *lc;

	ssot_query_each(&find_query, &id, NULL, take_found, &found);
	ssot_own_ddl_begin();
	PG_TRY();
	{
		foreach(lc, found)
			if (keep == NULL || !list_member_oid(keep->relids, ((Found *) lfirst(lc))->relid))
			end_on((Found *) lfirst(lc));
	}
	PG_FINALLY();
	{
		ssot_own_ddl_end();
	}
	PG_END_TRY();
	ssot_config_run(&forget_query, &id, NULL);
}

static SsotQuery captured_query = {
	.sql =
	"SELECT s.source_id\n"
	"FROM ssot.source AS s\n"
	"WHERE s.entity = $1\n"
	"  AND s.reading = 'capture'",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static bool
take_id(TupleTableSlot *slot, void *arg)
{
	List	  **ids = (List **) arg;
	bool		isnull;

	*ids = lappend_int(*ids, DatumGetInt32(slot_getattr(slot, 1, &isnull)));
	return true;
}

void
ssot_tracking_end_all(const char *entity_name)
{
	Datum		name = CStringGetTextDatum(entity_name);
	List	   *ids = NIL;
	ListCell   *lc;

	ssot_config_each(&captured_query, &name, NULL, take_id, &ids);
	foreach(lc, ids)
		ssot_tracking_end(lfirst_int(lc), NULL);
}
