/*
 * ssot.c
 *		Module magic and settings.
 *
 * All settings are defined in one function, alphabetically, so that a reader
 * finds the whole list in one place. What they mean is documented where they
 * are used and in the README.
 */
#include "postgres.h"

#include <limits.h>

#include "ssot.h"
#include "golden/as_of.h"
#include "golden/column.h"
#include "drift/drift.h"
#include "dictionary/metric_owner.h"
#include "dictionary/rename.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_MODULE_MAGIC;

char	   *ssot_as_of_setting = NULL;
char	   *ssot_reason = NULL;
char	   *ssot_unknown_setting = NULL;
int			ssot_max_pins = 1000;
int			ssot_write_mode = SSOT_WRITE_STEWARD;

static const struct config_enum_entry write_mode_options[] = {
	{"steward", SSOT_WRITE_STEWARD, false},
	{"load", SSOT_WRITE_LOAD, false},
	{NULL, 0, false}
};

static bool loading = true;

extern PGDLLEXPORT void _PG_init(void);

/*
 * While the library loads, a bad value that was set before is let in: refusing
 * it would quietly put the default in its place, and who asked for the past
 * would be shown the present. ssot.as_of() refuses it when it is used.
 */
static bool
check_as_of(char **newval, void **extra, GucSource source)
{
	TimestampTz time;
	const char *problem;

	if (loading || **newval == '\0')
		return true;
	problem = ssot_parse_as_of(*newval, &time);
	if (problem != NULL)
		GUC_check_errdetail("%s", problem);
	return problem == NULL;
}

/* A valid time makes up for a setting that was misspelt; see ssot_unknown_setting. */
static void
assign_as_of(const char *newval, void *extra)
{
	if (!loading)
		ssot_unknown_setting = NULL;
}

/*
 * Settings made before the library was loaded are placeholders that nobody has
 * checked. PostgreSQL drops those it does not know with a warning; but who set
 * ssot.as_off must not be shown the present, so ssot.as_of() refuses.
 */
static void
find_unknown_setting(void)
{
	struct config_generic **settings;
	int			count;

	settings = ssot_guc_variables(&count);
	for (int i = 0; i < count; i++)
	{
		if ((settings[i]->flags & GUC_CUSTOM_PLACEHOLDER) != 0 &&
			strncmp(settings[i]->name, "ssot.", strlen("ssot.")) == 0)
			ssot_unknown_setting = MemoryContextStrdup(TopMemoryContext, settings[i]->name);
	}
}

static void
define_settings(void)
{
	DefineCustomStringVariable("ssot.as_of",
							   "The time whose belief the schemas named *_as_of show.",
							   "A timestamp with time zone; empty for the current belief.",
							   &ssot_as_of_setting, "",
							   PGC_USERSET, 0, check_as_of, assign_as_of, NULL);

	DefineCustomIntVariable("ssot.max_pins",
							"The most rows of a canonical table one statement may correct.",
							"A statement that touches more is refused: it is a load, not a correction.",
							&ssot_max_pins, 1000, 0, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomStringVariable("ssot.reason",
							   "Why the session corrects golden records; stored with each pin.",
							   NULL,
							   &ssot_reason, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomEnumVariable("ssot.write_mode",
							 "Whether writes to canonical tables are corrections or loads.",
							 "\"steward\": changed values are pinned. \"load\": rows become records of the system \"manual\".",
							 &ssot_write_mode, SSOT_WRITE_STEWARD, write_mode_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);

	find_unknown_setting();
	MarkGUCPrefixReserved("ssot");
}

void
_PG_init(void)
{
	define_settings();
	ssot_column_init();
	ssot_drift_init();
	ssot_metric_owner_init();
	ssot_rename_init();
	loading = false;
}
