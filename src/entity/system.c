/*
 * entity/system.c
 *		Declaring systems: create_system, alter_system, drop_system.
 *
 * A system is a name and an owner; everything else hangs on its sources. The
 * name prefixes the keys of its records, so it contains neither ":" nor ".".
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/config.h"
#include "entity/declare.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_create_system);
PG_FUNCTION_INFO_V1(ssot_alter_system);
PG_FUNCTION_INFO_V1(ssot_drop_system);

/* Whoever names a system holds it until the transaction ends. */
static SsotQuery system_query = {
	.sql =
	"SELECT s.built_in\n"
	"FROM ssot.system AS s\n"
	"WHERE s.system = $1\n"
	"FOR KEY SHARE",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* For who only reads: on a standby nothing can be locked. */
static SsotQuery known_query = {
	.sql =
	"SELECT s.built_in\n"
	"FROM ssot.system AS s\n"
	"WHERE s.system = $1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.read_only = true
};

static SsotQuery names_query = {
	.sql =
	"SELECT pg_catalog.string_agg(pg_catalog.format('\"%s\"', s.system), ', ' ORDER BY s.system COLLATE \"C\")\n"
	"FROM ssot.system AS s\n"
	"WHERE NOT s.built_in",
	.nargs = 0
};

static SsotQuery create_query = {
	.sql =
	"INSERT INTO ssot.system (system, owner, description)\n"
	"VALUES ($1, $2, $3)",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID}
};

static SsotQuery alter_query = {
	.sql =
	"UPDATE ssot.system AS s\n"
	"SET owner = coalesce($2, s.owner),\n"
	"    description = coalesce($3, s.description)\n"
	"WHERE s.system = $1",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID}
};

static SsotQuery lock_query = {
	.sql =
	"SELECT 1\n"
	"FROM ssot.system AS s\n"
	"WHERE s.system = $1\n"
	"FOR UPDATE",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery drop_query = {
	.sql =
	"DELETE FROM ssot.system AS s\n"
	"WHERE s.system = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* What still names a system: one line for the error's detail. */
static SsotQuery use_query = {
	.sql =
	"SELECT pg_catalog.string_agg(u.use, ', ' ORDER BY u.use COLLATE \"C\")\n"
	"FROM (SELECT pg_catalog.format('source \"%s\" of %s', s.source, s.entity) AS use\n"
	"      FROM ssot.source AS s\n"
	"      WHERE s.system = $1\n"
	"      UNION ALL\n"
	"      SELECT pg_catalog.format('canonical system of %s', e.entity)\n"
	"      FROM ssot.entity AS e\n"
	"      WHERE e.canonical_system = $1\n"
	"      UNION ALL\n"
	"      SELECT pg_catalog.format('authority for %s.%s', f.entity, f.field)\n"
	"      FROM ssot.field AS f\n"
	"      WHERE $1 = ANY (f.systems)) AS u",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.as_of_now = true
};

char *
ssot_text_arg(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static char *
required_name(FunctionCallInfo fcinfo, int n, const char *what)
{
	char	   *value = ssot_text_arg(fcinfo, n);

	if (value == NULL || *value == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be null or empty", what),
				 errhint("For example: ssot.create_system('crm', owner => 'sales_ops').")));
	return value;
}

static bool
find_system(SsotQuery *query, const char *system, bool *built_in)
{
	Datum		name = CStringGetTextDatum(system);
	Datum		value;
	bool		isnull;

	if (!ssot_config_one(query, &name, NULL, 1, &value, &isnull))
		return false;
	*built_in = DatumGetBool(value);
	return true;
}

static void
require_found(SsotQuery *query, const char *system, const char *what)
{
	bool		built_in;
	Datum		names;
	bool		isnull;

	if (find_system(query, system, &built_in))
		return;
	ssot_config_one(&names_query, NULL, NULL, 1, &names, &isnull);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("system \"%s\" does not exist", system),
			 errdetail("It is named by %s. Systems declared so far: %s.", what,
					   isnull ? "none" : TextDatumGetCString(names)),
			 errhint("Call ssot.create_system(%s, owner => ...) first.",
					 quote_literal_cstr(system))));
}

void
ssot_require_system(const char *system, const char *what)
{
	require_found(&system_query, system, what);
}

void
ssot_require_known_system(const char *system, const char *what)
{
	require_found(&known_query, system, what);
}

/* A system that its owner may change: existing and not built in. */
static void
require_changeable(const char *system, const char *what)
{
	bool		built_in;

	ssot_require_system(system, what);
	if (find_system(&system_query, system, &built_in) && built_in)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("system \"%s\" is built in", system),
				 errhint("Only systems made by ssot.create_system can be altered or dropped.")));
}

Datum
ssot_create_system(PG_FUNCTION_ARGS)
{
	char	   *system = required_name(fcinfo, 0, "the name of a system");
	char	   *owner = required_name(fcinfo, 1, "the owner of a system");
	Datum		args[3] = {CStringGetTextDatum(system), CStringGetTextDatum(owner), PG_GETARG_DATUM(2)};
	bool		nulls[3] = {false, false, PG_ARGISNULL(2)};
	bool		built_in;

	if (strpbrk(system, ":.") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("the name of a system may not contain \":\" or \".\": \"%s\"", system),
				 errdetail("Keys of its records are written as system:key and system.key_name:key.")));
	if (find_system(&system_query, system, &built_in))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("system \"%s\" already exists", system),
				 errhint("Call ssot.alter_system to change its owner or description.")));
	ssot_config_run(&create_query, args, nulls);
	PG_RETURN_VOID();
}

Datum
ssot_alter_system(PG_FUNCTION_ARGS)
{
	char	   *system = required_name(fcinfo, 0, "the name of a system");
	Datum		args[3] = {CStringGetTextDatum(system), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	bool		nulls[3] = {false, PG_ARGISNULL(1), PG_ARGISNULL(2)};

	require_changeable(system, "ssot.alter_system");
	if (!PG_ARGISNULL(1))
		required_name(fcinfo, 1, "the owner of a system");
	ssot_config_run(&alter_query, args, nulls);
	PG_RETURN_VOID();
}

Datum
ssot_drop_system(PG_FUNCTION_ARGS)
{
	char	   *system = required_name(fcinfo, 0, "the name of a system");
	Datum		name = CStringGetTextDatum(system);
	Datum		use;
	bool		isnull;

	ssot_config_run(&lock_query, &name, NULL);
	require_changeable(system, "ssot.drop_system");

	/* Who named the system before it was locked has committed since. */
	ssot_config_one(&use_query, &name, NULL, 1, &use, &isnull);
	if (!isnull)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("system \"%s\" is in use", system),
				 errdetail("It is named by: %s.", TextDatumGetCString(use)),
				 errhint("Call ssot.drop_source, ssot.alter_entity or ssot.set_authority first.")));
	ssot_config_run(&drop_query, &name, NULL);
	PG_RETURN_VOID();
}
