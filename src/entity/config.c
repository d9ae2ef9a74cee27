/*
 * entity/config.c
 *		Reading and writing the configuration tables of schema ssot.
 *
 * Who may declare what is decided by the functions that users call (EXECUTE
 * privileges, ownership of the canonical table). The tables themselves can be
 * written by nobody else, so the statements run as their owner (law 8); and the
 * Entity Map must be readable inside every statement that touches a canonical
 * table, whoever runs it, so reading goes the same way.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/owner.h"
#include "entity/config.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

static Oid
config_table(void)
{
	Oid			relid = get_relname_relid("entity", get_namespace_oid("ssot", false));

	if (!OidIsValid(relid))
		elog(ERROR, "table ssot.entity does not exist");
	return relid;
}

static void
set_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* pg_temp is named last: unnamed it would come first. */
static int
pin_search_path(void)
{
	int			level = NewGUCNestLevel();

	set_setting("search_path", "pg_catalog, pg_temp");
	return level;
}

uint64
ssot_config_each(SsotQuery *query, const Datum *args, const bool *nulls,
				 SsotRowCallback callback, void *arg)
{
	int			level = pin_search_path();
	SsotUser	user = ssot_become_owner(config_table());
	uint64		processed = ssot_query_each(query, args, nulls, callback, arg);

	ssot_restore_user(user);
	AtEOXact_GUC(true, level);
	return processed;
}

uint64
ssot_config_run(SsotQuery *query, const Datum *args, const bool *nulls)
{
	int			level = pin_search_path();
	SsotUser	user = ssot_become_owner(config_table());
	uint64		processed = ssot_query_run(query, args, nulls);

	ssot_restore_user(user);
	AtEOXact_GUC(true, level);
	return processed;
}

bool
ssot_config_one(SsotQuery *query, const Datum *args, const bool *nulls,
				int ncolumns, Datum *values, bool *isnull)
{
	int			level = pin_search_path();
	SsotUser	user = ssot_become_owner(config_table());
	bool		found = ssot_query_one(query, args, nulls, ncolumns, values, isnull);

	ssot_restore_user(user);
	AtEOXact_GUC(true, level);
	return found;
}

/* The one value of a read_only query as the snapshot sees it and our own changes. */
static Datum
value_seen(SsotQuery *query, const Datum *args, const bool *nulls, Snapshot snapshot)
{
	Datum		value;
	bool		isnull;

	PushActiveSnapshot(snapshot);
	(void) ssot_config_one(query, args, nulls, 1, &value, &isnull);
	PopActiveSnapshot();
	return isnull ? PointerGetDatum(cstring_to_text("")) : value;
}

void
ssot_config_require_seen(SsotQuery *query, const Datum *args, const bool *nulls, const char *what)
{
	if (!IsolationUsesXactSnapshot())
		return;
	CommandCounterIncrement();
	if (!datumIsEqual(value_seen(query, args, nulls, GetTransactionSnapshot()),
					  value_seen(query, args, nulls, GetLatestSnapshot()), false, -1))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update of %s", what),
				 errdetail("What follows from the command goes through all that is declared, and some of it was made or changed since this transaction took its snapshot."),
				 errhint("The transaction might succeed if retried.")));
}
