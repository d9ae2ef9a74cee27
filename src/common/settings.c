/*
 * common/settings.c
 *		The settings under which our own statements run.
 *
 * A trigger runs under whatever settings the person who fired it has. What we
 * store must not depend on them, and what we call must not be found through
 * their search path.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/settings.h"

#include "miscadmin.h"
#include "utils/guc.h"

void
ssot_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

int
ssot_settings_begin(bool big_memory)
{
	int			level = NewGUCNestLevel();

	ssot_setting("search_path", "pg_catalog, pg_temp");
	ssot_setting("datestyle", "ISO, YMD");
	ssot_setting("intervalstyle", "postgres");
	ssot_setting("timezone", "UTC");
	ssot_setting("extra_float_digits", "1");
	ssot_setting("bytea_output", "hex");
	if (big_memory && maintenance_work_mem > work_mem)
		ssot_setting("work_mem", psprintf("%d", maintenance_work_mem));
	return level;
}

/*
 * Ten pages looked at here and there cost as much as one of a scan. Keys that must be
 * distinct are sorted for that, not hashed: one that follows another in an index
 * and in the table is found where that was.
 */
int
ssot_settings_use_indexes(void)
{
	int			level = NewGUCNestLevel();

	ssot_setting("random_page_cost", "0.1");
	ssot_setting("enable_hashagg", "off");
	return level;
}

int
ssot_search_path_begin(void)
{
	int			level = NewGUCNestLevel();

	ssot_setting("search_path", "pg_catalog, pg_temp");
	return level;
}

void
ssot_settings_end(int level)
{
	AtEOXact_GUC(true, level);
}

bool
ssot_restoring(void)
{
	return !check_function_bodies;
}
