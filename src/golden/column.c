/*
 * golden/column.c
 *		What must be kept of a column before the user drops it.
 *
 * A value that is dropped with its column was believed until then, so the
 * versions that have one end now and go to history whole; the versions that
 * begin are the same without the column. That costs a new version for each
 * record with a value, once per dropped column.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/ddl.h"
#include "entity/declare.h"
#include "golden/clock.h"
#include "golden/column.h"
#include "golden/history.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* "(g.email IS NOT NULL OR g.phone IS NOT NULL)" */
static char *
has_value(List *columns)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, columns)
		ssot_sql_append(&buf, "%s%s.%I IS NOT NULL", lc == list_head(columns) ? "(" : " OR ",
						"g", (char *) lfirst(lc));
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/*
 * INSERT INTO golden_ssot.customer_history (<columns>, valid_to, ssot_changed_by, ssot_reason)
 * SELECT <columns>, $1, $2, $3
 * FROM golden.customer AS g
 * WHERE (g.email IS NOT NULL) AND g.valid_from < $1;
 *
 * UPDATE golden.customer AS g SET valid_from = $1
 * WHERE (g.email IS NOT NULL) AND g.valid_from < $1
 *
 * A version that began in this transaction was never believed by anybody else.
 */
static void
keep_values(const SsotEntity *entity, List *columns)
{
	const Oid	argtypes[3] = {TIMESTAMPTZOID, TEXTOID, TEXTOID};
	Datum		args[3];
	bool		nulls[3] = {false, false, ssot_reason[0] == '\0'};
	SsotStatement statement = {.nargs = 3,.argtypes = argtypes,.args = args,.nulls = nulls};
	char	   *which = has_value(columns);
	int			level;
	SsotUser	user;

	args[0] = TimestampTzGetDatum(ssot_clock_take(entity));
	args[1] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	args[2] = CStringGetTextDatum(ssot_reason);
	level = ssot_settings_begin(false);
	user = ssot_become_owner(entity->relid);
	ssot_machine_begin();
	statement.sql =
		ssot_sql("INSERT INTO %T (%s, valid_to, ssot_changed_by, ssot_reason)"
				 " SELECT %s, $1, $2, $3"
				 " FROM %T AS g"
				 " WHERE %s AND g.valid_from < $1",
				 entity->history_table, ssot_history_columns(entity, ""),
				 ssot_history_columns(entity, "g."), entity->name, which);
	ssot_statement_run(&statement);
	statement.nargs = 1;
	statement.sql = ssot_sql("UPDATE %T AS g SET valid_from = $1"
							 " WHERE %s AND g.valid_from < $1",
							 entity->name, which);
	ssot_statement_run(&statement);
	ssot_machine_end();
	ssot_restore_user(user);
	ssot_settings_end(level);
}

void
ssot_column_init(void)
{
	ssot_ddl_hooks.take_clock = ssot_clock_take;
	ssot_ddl_hooks.lock_clock = ssot_clock_lock;
	ssot_ddl_hooks.keep_values = keep_values;
}
