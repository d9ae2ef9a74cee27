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
#include "drift/drift.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

PG_MODULE_MAGIC;

char	   *ssot_as_of_setting = NULL;
char	   *ssot_reason = NULL;
int			ssot_max_pins = 1000;
int			ssot_write_mode = SSOT_WRITE_STEWARD;

static const struct config_enum_entry write_mode_options[] = {
	{"steward", SSOT_WRITE_STEWARD, false},
	{"load", SSOT_WRITE_LOAD, false},
	{NULL, 0, false}
};

extern PGDLLEXPORT void _PG_init(void);

static void
define_settings(void)
{
	DefineCustomStringVariable("ssot.as_of",
							   "The time whose belief the schemas named *_as_of show.",
							   "A timestamp with time zone; empty for the current belief.",
							   &ssot_as_of_setting, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);

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

	MarkGUCPrefixReserved("ssot");
}

void
_PG_init(void)
{
	define_settings();
	ssot_drift_init();
}
