/*
 * dictionary/approve.c
 *		When a definition is approved, and what follows from it.
 *
 * The last signature approves. From then on the version holds, its predecessor ends
 * where it begins, and a metric gets the views through which everybody reads it.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/definition.h"
#include "dictionary/metric_store.h"
#include "entity/config.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

/*
 * Complete: every team has a signature, and if there are teams, somebody else than
 * the author is among those who signed.
 */
static SsotQuery complete_query = {
	.sql =
	"SELECT NOT EXISTS (SELECT FROM pg_catalog.unnest(v.signers || v.leaving_signers) AS t (team)\n"
	"           WHERE NOT EXISTS (SELECT FROM ssot.signature AS s\n"
	"               WHERE s.definition = $1 AND s.variant = $2 AND s.version = $3\n"
	"                 AND s.team = t.team AND s.withdrawn_at IS NULL))\n"
	"       AND (v.signers || v.leaving_signers = '{}' OR EXISTS (SELECT FROM ssot.signature AS s\n"
	"               WHERE s.definition = $1 AND s.variant = $2 AND s.version = $3\n"
	"                 AND s.signer <> v.created_by AND s.withdrawn_at IS NULL\n"
	"                 AND (s.signer_role = v.created_role AND s.signer_in = v.created_in) IS NOT TRUE)),\n"
	"       v.kind = 'metric', v.description\n"
	"FROM ssot.definition_version AS v\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID}
};

/*
 * From when the version is to be in force, and what is in force then. The past is the
 * first version's alone: where another one was in force, numbers were given out by it,
 * and a date that has passed before the last signature came is today's.
 */
static SsotQuery start_query = {
	.sql =
	"SELECT CASE WHEN EXISTS (SELECT FROM ssot.definition_version AS o\n"
	"                     WHERE o.definition = $1 AND o.variant = $2 AND o.effective IS NOT NULL)\n"
	"            THEN GREATEST(v.effective_from, pg_catalog.clock_timestamp())\n"
	"            ELSE coalesce(v.effective_from, '-infinity') END,\n"
	"       (SELECT pg_catalog.max(pg_catalog.lower(o.effective)) FROM ssot.definition_version AS o\n"
	"        WHERE o.definition = $1 AND o.variant = $2 AND o.effective IS NOT NULL),\n"
	"       (SELECT pg_catalog.max(o.version) FROM ssot.definition_version AS o\n"
	"        WHERE o.definition = $1 AND o.variant = $2 AND o.effective IS NOT NULL)\n"
	"FROM ssot.definition_version AS v\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID}
};

static SsotQuery end_predecessor_query = {
	.sql =
	"UPDATE ssot.definition_version AS o\n"
	"SET effective = pg_catalog.tstzrange(pg_catalog.lower(o.effective), $4),\n"
	"    state = CASE o.state WHEN 'approved' THEN 'deprecated' ELSE o.state END,\n"
	"    successor = $3\n"
	"WHERE o.definition = $1 AND o.variant = $2 AND o.effective @> $4",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID}
};

static SsotQuery approve_query = {
	.sql =
	"UPDATE ssot.definition_version AS v\n"
	"SET state = 'approved', effective = pg_catalog.tstzrange($4, NULL),\n"
	"    approved_at = pg_catalog.clock_timestamp(),\n"
	"    basis = ssot.definition_basis(v), checksum = ssot.definition_checksum(v)\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID}
};

/* When it takes effect; an error if a later version was approved before it, or is
 * in force from later on. */
static TimestampTz
start_of(const SsotVersionName *version, const Datum *args)
{
	Datum		values[3];
	bool		isnull[3];
	TimestampTz start;

	ssot_config_one(&start_query, args, NULL, 3, values, isnull);
	if (!isnull[2] && DatumGetInt32(values[2]) > version->version)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of \"%s\" was overtaken by version %d, which is approved",
						version->version, version->name, DatumGetInt32(values[2])),
				 errhint("Put what it says into a new version.")));
	start = DatumGetTimestampTz(values[0]);
	if (!isnull[1] && DatumGetTimestampTz(values[1]) >= start)
		ereport(ERROR,
				(errcode(ERRCODE_EXCLUSION_VIOLATION),
				 errmsg("version %d of \"%s\" would be in force together with another version",
						version->version, version->name),
				 errdetail("The latest approved version is in force from %s.",
						   timestamptz_to_str(DatumGetTimestampTz(values[1]))),
				 errhint("Let the new one take effect later: effective_from => ....")));
	return start;
}

bool
ssot_definition_approve(const SsotVersionName *version)
{
	Datum		args[4] = {CStringGetTextDatum(version->name), CStringGetTextDatum(version->variant),
	Int32GetDatum(version->version)};
	Datum		values[3];
	bool		isnull[3];
	TimestampTz start;

	ssot_config_one(&complete_query, args, NULL, 3, values, isnull);
	if (!DatumGetBool(values[0]))
		return false;
	start = start_of(version, args);
	args[3] = TimestampTzGetDatum(start);
	ssot_config_run(&end_predecessor_query, args, NULL);
	ssot_config_run(&approve_query, args, NULL);
	if (DatumGetBool(values[1]) && start <= GetCurrentTimestamp())
		ssot_metric_views_make(version->name, version->variant, version->version,
							   isnull[2] ? NULL : TextDatumGetCString(values[2]));
	return true;
}
