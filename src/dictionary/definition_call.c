/*
 * dictionary/definition_call.c
 *		What people do with definitions: create, propose, sign, withdraw, deprecate,
 *		retire; which variant is canonical, and which one a system means.
 *
 * A team is a role. Whoever signs for it must be a member of it; a superuser is a
 * member of what was granted to it, like everybody else. What is recorded is
 * session_user: the person who logged in, whatever role is set (person.c).
 */
#include "postgres.h"

#include "ssot.h"
#include "common/query.h"
#include "dictionary/definition.h"
#include "dictionary/metric_store.h"
#include "dictionary/person.h"
#include "entity/config.h"
#include "entity/declare.h"
#include "entity/json.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_create_definition);
PG_FUNCTION_INFO_V1(ssot_propose);
PG_FUNCTION_INFO_V1(ssot_sign);
PG_FUNCTION_INFO_V1(ssot_withdraw);
PG_FUNCTION_INFO_V1(ssot_deprecate);
PG_FUNCTION_INFO_V1(ssot_retire_definition);
PG_FUNCTION_INFO_V1(ssot_use_definition);
PG_FUNCTION_INFO_V1(ssot_set_canonical_variant);
PG_FUNCTION_INFO_V1(ssot_refresh_metrics);

/* ---- arguments ----------------------------------------------------------- */

/* (name, version, variant, ...) */
static SsotVersionName
version_argument(FunctionCallInfo fcinfo)
{
	SsotVersionName version = {ssot_text_arg(fcinfo, 0), ssot_text_arg(fcinfo, 2), 0};

	if (version.name == NULL || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the name and the version of a definition must not be null")));
	version.version = PG_GETARG_INT32(1);
	return version;
}

static void
refuse_state(const SsotVersionName *version, const char *state, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("version %d of \"%s\" is %s%s", version->version, version->name,
					strcmp(state, "draft") == 0 ? "a " : "", state),
			 errhint("%s", hint)));
}

static SsotQuery author_query = {
	.sql =
	"SELECT v.created_by, v.created_role, v.created_in FROM ssot.definition_version AS v\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID}
};

static void
version_args(const SsotVersionName *version, Datum *args)
{
	args[0] = CStringGetTextDatum(version->name);
	args[1] = CStringGetTextDatum(version->variant);
	args[2] = Int32GetDatum(version->version);
}

static void
person_args(const SsotPerson *person, Datum *args)
{
	args[0] = CStringGetTextDatum(person->name);
	args[1] = ObjectIdGetDatum(person->role);
	args[2] = Int64GetDatum(person->cluster);
}

/* Its author, a member of the author's role, or a superuser. */
static void
require_author(const SsotVersionName *version, const char *to_do)
{
	Datum		args[3];
	Datum		values[3];
	bool		nulls[3];
	SsotPerson	author;

	version_args(version, args);
	ssot_config_one(&author_query, args, NULL, 3, values, nulls);
	author = ssot_person_kept(values, nulls);
	if (ssot_person_acts(&author))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("only its author may %s version %d of \"%s\"", to_do, version->version, version->name),
			 errdetail("Its author is \"%s\".", author.name)));
}

/* ---- create, propose ----------------------------------------------------- */

/* What a definition of an entity stands on: every field. */
static Jsonb *
entity_reads(const SsotEntity *entity)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	ssot_json_key(&state, entity->name);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int f = 0; f < entity->nfields; f++)
		ssot_json_text(&state, WJB_ELEM, entity->fields[f].name);
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static void
require_kind(const SsotDefinition *definition, bool has_entity)
{
	if (definition->kind == NULL ||
		(strcmp(definition->kind, "term") != 0 && strcmp(definition->kind, "entity") != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the kind of a definition must be \"term\" or \"entity\""),
				 errhint("A number is defined by ssot.create_metric.")));
	if ((strcmp(definition->kind, "entity") == 0) != has_entity)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a definition of kind \"entity\" names its entity, and no other does"),
				 errhint("For example: ssot.create_definition('customer', kind => 'entity', entity => 'golden.customer', ...).")));
	if (definition->description == NULL || *definition->description == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("definition \"%s\" needs a description", definition->name),
				 errhint("Say in business language what it means: that is what is agreed on.")));
}

/* (name, kind, description, owner, canonical_system, entity, signers, variant,
 * effective_from, draft) */
Datum
ssot_create_definition(PG_FUNCTION_ARGS)
{
	char	   *variant = ssot_text_arg(fcinfo, 7);
	SsotDefinition definition = {
		.name = ssot_text_arg(fcinfo, 0),
		.variant = variant == NULL ? "" : variant,
		.kind = ssot_text_arg(fcinfo, 1),
		.description = ssot_text_arg(fcinfo, 2),
		.owner = ssot_text_arg(fcinfo, 3),
		.canonical_system = ssot_text_arg(fcinfo, 4),
		.has_signers = !PG_ARGISNULL(6),
		.signers = PG_ARGISNULL(6) ? NIL : ssot_text_array_list(PG_GETARG_DATUM(6)),
		.has_effective_from = !PG_ARGISNULL(8),
		.effective_from = PG_ARGISNULL(8) ? 0 : PG_GETARG_TIMESTAMPTZ(8),
		.draft = !PG_ARGISNULL(9) && PG_GETARG_BOOL(9)
	};
	SsotVersionName version;

	ssot_require_definition_name(definition.name, variant);
	require_kind(&definition, !PG_ARGISNULL(5));
	if (!PG_ARGISNULL(5))
	{
		SsotEntity *entity = ssot_entity_own(PG_GETARG_OID(5));

		definition.entity = entity->name;
		definition.reads = entity_reads(entity);
	}
	ssot_definition_keep(&definition);
	version = (SsotVersionName)
	{
		definition.name, definition.variant, definition.version
	};
	if (!definition.draft)
		ssot_definition_approve(&version);
	PG_RETURN_INT32(definition.version);
}

static SsotQuery set_state_query = {
	.sql =
	"UPDATE ssot.definition_version AS v\n"
	"SET state = $4, signatures = v.signatures + 1\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, TEXTOID}
};

static void
set_state(const SsotVersionName *version, const char *state)
{
	Datum		args[4];

	version_args(version, args);
	args[3] = CStringGetTextDatum(state);
	ssot_config_run(&set_state_query, args, NULL);
}

/* (name, version, variant) */
Datum
ssot_propose(PG_FUNCTION_ARGS)
{
	SsotVersionName version = version_argument(fcinfo);
	char	   *state = ssot_definition_lock(&version);

	require_author(&version, "propose");
	if (strcmp(state, "draft") != 0)
		refuse_state(&version, state, "Only a draft is proposed.");
	set_state(&version, "proposed");
	PG_RETURN_TEXT_P(cstring_to_text(ssot_definition_approve(&version) ? "approved" : "proposed"));
}

/* ---- sign, withdraw ------------------------------------------------------ */

static SsotQuery teams_query = {
	.sql =
	"SELECT t.team,\n"
	"       EXISTS (SELECT FROM ssot.signature AS s\n"
	"               WHERE s.definition = $1 AND s.variant = $2 AND s.version = $3\n"
	"                 AND s.team = t.team AND s.withdrawn_at IS NULL)\n"
	"FROM ssot.definition_version AS v\n"
	"CROSS JOIN LATERAL pg_catalog.unnest(v.signers || v.leaving_signers) WITH ORDINALITY AS t (team, n)\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3\n"
	"ORDER BY t.n",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID}
};

static SsotQuery signed_query = {
	.sql =
	"SELECT s.team FROM ssot.signature AS s\n"
	"WHERE s.definition = $1 AND s.variant = $2 AND s.version = $3\n"
	"  AND (s.signer = $4 OR (s.signer_role = $5 AND s.signer_in = $6)) AND s.withdrawn_at IS NULL",
	.nargs = 6,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, TEXTOID, OIDOID, INT8OID}
};

static SsotQuery sign_query = {
	.sql =
	"INSERT INTO ssot.signature (definition, variant, version, team, signer, signer_role, signer_in, signed_at)\n"
	"VALUES ($1, $2, $3, $7, $4, $5, $6, pg_catalog.clock_timestamp())",
	.nargs = 7,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, TEXTOID, OIDOID, INT8OID, TEXTOID}
};

static SsotQuery withdraw_query = {
	.sql =
	"UPDATE ssot.signature AS s\n"
	"SET withdrawn_at = pg_catalog.clock_timestamp()\n"
	"WHERE s.definition = $1 AND s.variant = $2 AND s.version = $3\n"
	"  AND (s.signer = $4 OR (s.signer_role = $5 AND s.signer_in = $6)) AND s.withdrawn_at IS NULL",
	.nargs = 6,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, TEXTOID, OIDOID, INT8OID}
};

/* The team that the session's user signs for. */
typedef struct Teams
{
	const char *wanted;			/* or NULL: the first that is free */
	StringInfoData all;
	char	   *chosen;
	bool		member;			/* of some team */
	bool		free;			/* of some that has not signed */
} Teams;

static bool
take_team(TupleTableSlot *slot, void *arg)
{
	Teams	   *teams = (Teams *) arg;
	char	   *team;
	Oid			role;
	bool		has_signed;

	slot_getallattrs(slot);
	team = TextDatumGetCString(slot->tts_values[0]);
	has_signed = DatumGetBool(slot->tts_values[1]);
	role = get_role_oid(team, true);
	appendStringInfo(&teams->all, "%s\"%s\"", teams->all.len > 0 ? ", " : "", team);
	if ((teams->wanted != NULL && strcmp(teams->wanted, team) != 0) || !OidIsValid(role) ||
		!is_member_of_role_nosuper(GetSessionUserId(), role))
		return true;
	teams->member = true;
	if (!has_signed && teams->chosen == NULL)
		teams->chosen = team;
	return true;
}

static char *
choose_team(const SsotVersionName *version, Datum *args, const char *wanted)
{
	Teams		teams = {.wanted = wanted};
	char	   *person = GetUserNameFromId(GetSessionUserId(), false);

	initStringInfo(&teams.all);
	ssot_config_each(&teams_query, args, NULL, take_team, &teams);
	if (teams.all.len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of \"%s\" needs no signature", version->version, version->name)));
	if (!teams.member)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("\"%s\" is not a member of %s", person,
						wanted == NULL ? "a team that signs" : psprintf("the signing team \"%s\"", wanted)),
				 errdetail("Version %d of \"%s\" is signed by %s.", version->version, version->name, teams.all.data),
				 errhint("Membership is what GRANT gives; being a superuser does not count.")));
	if (teams.chosen == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the team of \"%s\" has signed version %d of \"%s\" already", person,
						version->version, version->name)));
	return teams.chosen;
}

/* (name, version, variant, team): the state after it */
Datum
ssot_sign(PG_FUNCTION_ARGS)
{
	SsotVersionName version = version_argument(fcinfo);
	char	   *state = ssot_definition_lock(&version);
	SsotPerson	person = ssot_person_here();
	Datum		args[7];
	Datum		team;
	bool		isnull;

	if (strcmp(state, "proposed") != 0)
		refuse_state(&version, state, strcmp(state, "draft") == 0 ?
					 "Its author proposes it first: ssot.propose." : "Only what is proposed is signed.");
	version_args(&version, args);
	person_args(&person, &args[3]);
	if (ssot_config_one(&signed_query, args, NULL, 1, &team, &isnull))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" has signed version %d of \"%s\" already", person.name, version.version, version.name),
				 errdetail("For the team \"%s\". One person signs once.", TextDatumGetCString(team))));
	args[6] = CStringGetTextDatum(choose_team(&version, args, ssot_text_arg(fcinfo, 3)));
	ssot_config_run(&sign_query, args, NULL);
	set_state(&version, "proposed");
	PG_RETURN_TEXT_P(cstring_to_text(ssot_definition_approve(&version) ? "approved" : "proposed"));
}

/* (name, version, variant): one's signature, or, as the author, the proposal */
Datum
ssot_withdraw(PG_FUNCTION_ARGS)
{
	SsotVersionName version = version_argument(fcinfo);
	char	   *state = ssot_definition_lock(&version);
	SsotPerson	person = ssot_person_here();
	Datum		args[6];

	if (strcmp(state, "proposed") != 0)
		refuse_state(&version, state, strcmp(state, "draft") == 0 ? "There is nothing to withdraw." :
					 "What is approved is replaced by a new version, or ended by ssot.deprecate.");
	version_args(&version, args);
	person_args(&person, &args[3]);
	if (ssot_config_run(&withdraw_query, args, NULL) > 0)
	{
		set_state(&version, "proposed");
		PG_RETURN_TEXT_P(cstring_to_text("proposed"));
	}
	require_author(&version, "withdraw");
	set_state(&version, "draft");
	PG_RETURN_TEXT_P(cstring_to_text("draft"));
}

/* ---- the end of a version ------------------------------------------------ */

static SsotQuery deprecate_query = {
	.sql =
	"UPDATE ssot.definition_version AS v\n"
	"SET state = 'deprecated', successor = $5,\n"
	"    effective = pg_catalog.tstzrange(pg_catalog.lower(v.effective),\n"
	"                    CASE WHEN pg_catalog.isfinite($4) THEN $4 END)\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3\n"
	"  AND pg_catalog.lower(v.effective) < $4",
	.nargs = 5,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID, INT4OID}
};

/* Since when it has not been in force would be another answer about the past. */
static void
refuse_past_end(const SsotVersionName *version, TimestampTz at)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("version %d of \"%s\" cannot end in the past", version->version, version->name),
			 errdetail("What was in force at %s stays so: numbers of that time were given out by it.", timestamptz_to_str(at)),
			 errhint("Leave \"at\" out to end it now.")));
}

/* (name, version, variant, at, successor) */
Datum
ssot_deprecate(PG_FUNCTION_ARGS)
{
	SsotVersionName version = version_argument(fcinfo);
	char	   *state = ssot_definition_lock(&version);
	Datum		args[5];
	bool		nulls[5] = {false};

	require_author(&version, "deprecate");
	if (strcmp(state, "approved") != 0)
		refuse_state(&version, state, "Only what is approved is deprecated.");
	version_args(&version, args);
	args[3] = TimestampTzGetDatum(PG_ARGISNULL(3) ? GetCurrentTimestamp() :
								  Max(GetCurrentTimestamp(), PG_GETARG_TIMESTAMPTZ(3)));
	if (!PG_ARGISNULL(3) && PG_GETARG_TIMESTAMPTZ(3) < GetCurrentTransactionStartTimestamp())
		refuse_past_end(&version, PG_GETARG_TIMESTAMPTZ(3));
	nulls[4] = PG_ARGISNULL(4);
	args[4] = nulls[4] ? (Datum) 0 : PG_GETARG_DATUM(4);
	if (!nulls[4])
	{
		SsotVersionName successor = {version.name, version.variant, PG_GETARG_INT32(4)};

		ssot_definition_lock(&successor);
	}
	if (ssot_config_run(&deprecate_query, args, nulls) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version %d of \"%s\" takes effect later than it would end", version.version, version.name),
				 errhint("Name a later time: at => ....")));
	PG_RETURN_VOID();
}

static SsotQuery retire_query = {
	.sql =
	"UPDATE ssot.definition_version AS v\n"
	"SET state = 'retired',\n"
	"    effective = pg_catalog.tstzrange(pg_catalog.lower(v.effective),\n"
	"                    LEAST(pg_catalog.upper(v.effective), pg_catalog.clock_timestamp()))\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3\n"
	"  AND pg_catalog.lower(v.effective) < pg_catalog.clock_timestamp()",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID}
};

/* One that is not in force yet never will be. */
static SsotQuery cancel_query = {
	.sql =
	"UPDATE ssot.definition_version AS v\n"
	"SET state = 'retired', effective = NULL\n"
	"FROM (SELECT o.effective AS was FROM ssot.definition_version AS o\n"
	"      WHERE o.definition = $1 AND o.variant = $2 AND o.version = $3) AS o\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3\n"
	"RETURNING pg_catalog.lower(o.was)",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID}
};

/* What was to end where it begins goes on. */
static SsotQuery go_on_query = {
	.sql =
	"UPDATE ssot.definition_version AS v\n"
	"SET effective = pg_catalog.tstzrange(pg_catalog.lower(v.effective), NULL),\n"
	"    state = CASE v.state WHEN 'deprecated' THEN 'approved' ELSE v.state END,\n"
	"    successor = NULL\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.successor = $3\n"
	"  AND pg_catalog.upper(v.effective) = $4",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, INT4OID, TIMESTAMPTZOID}
};

static void
cancel(Datum *args)
{
	bool		isnull;

	ssot_config_one(&cancel_query, args, NULL, 1, &args[3], &isnull);
	ssot_config_run(&go_on_query, args, NULL);
}

/* (name, version, variant) */
Datum
ssot_retire_definition(PG_FUNCTION_ARGS)
{
	SsotVersionName version = version_argument(fcinfo);
	char	   *state = ssot_definition_lock(&version);
	Datum		args[4];

	require_author(&version, "retire");
	if (strcmp(state, "approved") != 0 && strcmp(state, "deprecated") != 0)
		refuse_state(&version, state, "Only what was approved is retired.");
	version_args(&version, args);
	if (ssot_config_run(&retire_query, args, NULL) == 0)
		cancel(args);
	PG_RETURN_VOID();
}

/* ---- variants ------------------------------------------------------------ */

static SsotQuery variant_query = {
	.sql =
	"SELECT true FROM ssot.definition_version AS v\n"
	"WHERE v.definition = $1 AND v.variant = $2 LIMIT 1",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static void
require_variant(const char *name, const char *variant)
{
	Datum		args[2];
	Datum		value;
	bool		isnull;

	if (name == NULL || variant == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the name and the variant of a definition must not be null"),
				 errhint("The only variant of a name is ''.")));
	args[0] = CStringGetTextDatum(name);
	args[1] = CStringGetTextDatum(variant);
	if (!ssot_config_one(&variant_query, args, NULL, 1, &value, &isnull))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("definition \"%s\" has no variant \"%s\"", name, variant),
				 errhint("See ssot.dictionary.")));
}

static SsotQuery use_query = {
	.sql =
	"INSERT INTO ssot.used_definition (system, definition, variant, declared_at, declared_by)\n"
	"VALUES ($1, $2, $3, pg_catalog.clock_timestamp(), $4)\n"
	"ON CONFLICT (system, definition) DO UPDATE\n"
	"    SET (variant, declared_at, declared_by)\n"
	"      = ROW(EXCLUDED.variant, EXCLUDED.declared_at, EXCLUDED.declared_by)",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID, TEXTOID}
};

/* (system, name, variant) */
Datum
ssot_use_definition(PG_FUNCTION_ARGS)
{
	char	   *system = ssot_text_arg(fcinfo, 0);
	char	   *name = ssot_text_arg(fcinfo, 1);
	char	   *variant = ssot_text_arg(fcinfo, 2);
	Datum		args[4];

	if (system == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the system must not be null")));
	ssot_require_system(system, "system");
	require_variant(name, variant);
	args[0] = CStringGetTextDatum(system);
	args[1] = CStringGetTextDatum(name);
	args[2] = CStringGetTextDatum(variant);
	args[3] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	ssot_config_run(&use_query, args, NULL);
	PG_RETURN_VOID();
}

static SsotQuery canonical_query = {
	.sql =
	"UPDATE ssot.definition_version AS v\n"
	"SET canonical = v.variant = $2\n"
	"WHERE v.definition = $1 AND v.canonical <> (v.variant = $2)",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

/* Those who may make a version of it: of a metric the owner of its table. */
static SsotQuery latest_query = {
	.sql =
	"SELECT pg_catalog.max(v.version) FROM ssot.definition_version AS v\n"
	"WHERE v.definition = $1 AND v.variant = $2",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

/*
 * Teams of the canonical version in force that the new one, in force, was not signed
 * by: switching to it would go around them.
 */
static SsotQuery unasked_query = {
	.sql =
	"SELECT pg_catalog.string_agg(pg_catalog.quote_ident(t.team), ', ' ORDER BY t.team)\n"
	"FROM ssot.definition_version AS v\n"
	"CROSS JOIN LATERAL pg_catalog.unnest(v.signers || v.leaving_signers) AS t (team)\n"
	"WHERE v.definition = $1 AND v.canonical AND v.variant <> $2\n"
	"  AND v.effective @> pg_catalog.clock_timestamp()\n"
	"  AND NOT EXISTS (SELECT FROM ssot.definition_version AS n\n"
	"          JOIN ssot.signature AS s USING (definition, variant, version)\n"
	"          WHERE n.definition = $1 AND n.variant = $2\n"
	"            AND n.effective @> pg_catalog.clock_timestamp()\n"
	"            AND s.team = t.team AND s.withdrawn_at IS NULL)",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

/* (name, variant) */
Datum
ssot_set_canonical_variant(PG_FUNCTION_ARGS)
{
	SsotVersionName version = {ssot_text_arg(fcinfo, 0), ssot_text_arg(fcinfo, 1), 0};
	Datum		args[2];
	Datum		latest;
	bool		isnull;

	require_variant(version.name, version.variant);
	args[0] = CStringGetTextDatum(version.name);
	args[1] = CStringGetTextDatum(version.variant);
	ssot_config_one(&latest_query, args, NULL, 1, &latest, &isnull);
	version.version = DatumGetInt32(latest);
	require_author(&version, "make canonical the variant of");
	ssot_config_one(&unasked_query, args, NULL, 1, &latest, &isnull);
	if (!isnull)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("variant \"%s\" of \"%s\" was not signed by all who sign the canonical one",
						version.variant, version.name),
				 errdetail("Not by: %s.", TextDatumGetCString(latest)),
				 errhint("Make a version of the variant with these signers, and let them sign it.")));
	ssot_config_run(&canonical_query, args, NULL);
	ssot_metric_views_refresh(version.name);
	PG_RETURN_VOID();
}

/* (): metrics whose version in force has changed by date get its views */
Datum
ssot_refresh_metrics(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(ssot_metric_views_refresh(NULL));
}
