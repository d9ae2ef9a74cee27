/*
 * dictionary/definition.c
 *		Versions of definitions: how they come to be, and when they are in force.
 *
 *		draft -> proposed -> approved -> deprecated -> retired
 *
 * A version is written down once. What changes afterwards is its state, and how
 * long it is in force; both only by the functions here, which write as the owner of
 * the table. ssot.verify_dictionary tells whether somebody went around them.
 *
 * In force is what the range "effective" says, whatever became of the version
 * later: numbers of the past are counted by what held then. The first version of a
 * variant holds for all of the past too, unless it was said from when.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/query.h"
#include "dictionary/definition.h"
#include "dictionary/person.h"
#include "entity/config.h"
#include "entity/ddl.h"
#include "entity/declare.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

void
ssot_require_definition_name(const char *name, const char *variant)
{
	if (name == NULL || *name == '\0' || strchr(name, ':') != NULL ||
		(variant != NULL && (*variant == '\0' || strchr(variant, ':') != NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("a definition and its variant need names without \":\""),
				 errhint("For example: ssot.create_definition('customer', variant => 'finance', ...).")));
}

/* ---- keeping ------------------------------------------------------------- */

static SsotQuery lock_table_query = {
	.sql = "LOCK TABLE ssot.definition_version IN SHARE ROW EXCLUSIVE MODE",
	.nargs = 0
};

void
ssot_definitions_lock(void)
{
	ssot_config_run(&lock_table_query, NULL, NULL);
}

static SsotQuery last_query = {
	.sql =
	"SELECT coalesce(pg_catalog.max(v.version), 0) + 1,\n"
	"       pg_catalog.bool_or(v.canonical),\n"
	"       (SELECT o.variant FROM ssot.definition_version AS o\n"
	"        WHERE o.definition = $1 AND o.canonical AND o.variant <> $2 LIMIT 1),\n"
	"       (SELECT o.kind FROM ssot.definition_version AS o\n"
	"        WHERE o.definition = $1 AND o.kind <> $3 LIMIT 1),\n"
	"       l.created_by, l.created_role, l.created_in,\n"
	"       pg_catalog.bool_or(v.effective IS NOT NULL AND $4 < pg_catalog.now())\n"
	"FROM (VALUES (1)) AS o (one)\n"
	"LEFT JOIN ssot.definition_version AS v ON v.definition = $1 AND v.variant = $2\n"
	"LEFT JOIN LATERAL (SELECT o.created_by, o.created_role, o.created_in FROM ssot.definition_version AS o\n"
	"                   WHERE o.definition = $1 ORDER BY o.created_at DESC LIMIT 1) AS l ON true\n"
	"GROUP BY l.created_by, l.created_role, l.created_in",
	.nargs = 4,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID}
};

/*
 * Teams that the version before asked are asked once more, and those that it still had
 * to ask when it was not approved: no row of versions leads around them. A team that is
 * no role any more cannot sign.
 */
static SsotQuery insert_query = {
	.sql =
	"INSERT INTO ssot.definition_version\n"
	"       (definition, variant, version, variant_id, kind, state, canonical, effective_from, description,\n"
	"        owner, canonical_system, defined_entity, signers, leaving_signers, declared, compiled, reads,\n"
	"        created_by, created_role, created_in, created_at)\n"
	"SELECT n.definition, n.variant, n.version,\n"
	"       coalesce((SELECT o.variant_id FROM ssot.definition_version AS o\n"
	"                 WHERE o.definition = n.definition AND o.variant = n.variant LIMIT 1),\n"
	"                pg_catalog.nextval('ssot.definition_variant_seq')),\n"
	"       n.kind, n.state, n.canonical, $1, $2, coalesce($3, b.owner, $11),\n"
	"       coalesce($4, b.canonical_system), $5,\n"
	"       coalesce($6, b.signers, '{}'),\n"
	"       ARRAY(SELECT DISTINCT t.team\n"
	"             FROM pg_catalog.unnest(b.signers || CASE WHEN b.effective IS NULL THEN b.leaving_signers ELSE '{}' END) AS t (team)\n"
	"             WHERE t.team <> ALL (coalesce($6, b.signers))\n"
	"               AND EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = t.team)\n"
	"             ORDER BY t.team),\n"
	"       $7, $8, coalesce($9, '{}'), n.created_by, n.created_role, n.created_in, pg_catalog.clock_timestamp()\n"
	"FROM pg_catalog.jsonb_to_record($10) AS n (definition text, variant text, version integer,\n"
	"         kind text, state text, canonical boolean, created_by text, created_role oid, created_in bigint)\n"
	"LEFT JOIN ssot.definition_version AS b\n"
	"    ON b.definition = n.definition AND b.variant = n.variant\n"
	"       AND b.version = (SELECT pg_catalog.max(l.version) FROM ssot.definition_version AS l\n"
	"                        WHERE l.definition = n.definition AND l.variant = n.variant)",
	.nargs = 11,
	.argtypes = {TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, JSONBOID, JSONBOID,
	JSONBOID, JSONBOID, TEXTOID}
};

/* A signer that was taken over from the version before, and is no role any more. */
static SsotQuery gone_query = {
	.sql =
	"SELECT t.team\n"
	"FROM ssot.definition_version AS v\n"
	"CROSS JOIN LATERAL pg_catalog.unnest(v.signers) AS t (team)\n"
	"WHERE v.definition = $1 AND v.variant = $2 AND v.version = $3\n"
	"  AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = t.team)\n"
	"LIMIT 1",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID}
};

static void
require_signers(const SsotDefinition *definition)
{
	Datum		args[3] = {CStringGetTextDatum(definition->name), CStringGetTextDatum(definition->variant),
	Int32GetDatum(definition->version)};
	Datum		team;
	bool		isnull;

	if (ssot_config_one(&gone_query, args, NULL, 1, &team, &isnull))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("signer \"%s\" of \"%s\" is not a role any more", TextDatumGetCString(team), definition->name),
				 errhint("Say who signs from now on: signers => ....")));
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
json_or_null(Jsonb *json, bool *isnull)
{
	*isnull = json == NULL;
	return json == NULL ? (Datum) 0 : JsonbPGetDatum(json);
}

/* Teams are roles, or nobody could ever sign for them. */
static Datum
signer_array(List *signers)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(signers), 1));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, signers)
	{
		const char *team = (const char *) lfirst(cell);

		if (team == NULL || !OidIsValid(get_role_oid(team, true)))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 team == NULL ? errmsg("a signer is null") :
					 errmsg("signer \"%s\" is not a role", team),
					 errhint("Signers are roles (teams) whose members sign: CREATE ROLE ... and GRANT it to them.")));
		elements[n++] = CStringGetTextDatum(team);
	}
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The part of a row that identifies it, as {"definition": ..., ...}. */
static Datum
identity(const SsotDefinition *definition)
{
	static SsotQuery query = {
		.sql =
		"SELECT pg_catalog.jsonb_build_object('definition', $1, 'variant', $2, 'version', $3,\n"
		"           'kind', $4, 'state', $5, 'canonical', $6,\n"
		"           'created_by', $7, 'created_role', $8, 'created_in', $9)",
		.nargs = 9,
		.argtypes = {TEXTOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, BOOLOID, TEXTOID, OIDOID, INT8OID}
	};
	SsotPerson	author = ssot_person_here();
	Datum		args[9] = {CStringGetTextDatum(definition->name), CStringGetTextDatum(definition->variant),
		Int32GetDatum(definition->version), CStringGetTextDatum(definition->kind),
		CStringGetTextDatum(definition->draft ? "draft" : "proposed"),
		BoolGetDatum(definition->canonical), CStringGetTextDatum(author.name), ObjectIdGetDatum(author.role),
	Int64GetDatum(author.cluster)};
	Datum		value;
	bool		isnull;

	ssot_config_one(&query, args, NULL, 1, &value, &isnull);
	return value;
}

/* A word that is defined is not redefined by just anybody. */
static void
require_right_to_continue(const char *name, SsotPerson author)
{
	if (ssot_person_acts(&author))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("definition \"%s\" is kept by \"%s\"", name, author.name),
			 errhint("Become a member of that role, or let it make the new version.")));
}

/* What was in force at a time, and what was said then, stays so. */
static void
refuse_past(const SsotDefinition *definition)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("version %d of \"%s\" cannot take effect in the past", definition->version, definition->name),
			 errdetail("%s has passed, and numbers of that time were given out by the version that was in force.",
					   timestamptz_to_str(definition->effective_from)),
			 errhint("Leave effective_from out to let it hold from its approval on. A number of the past by this version: ssot.metric(..., as_of => ..., version => ...).")));
}

void
ssot_definition_keep(SsotDefinition *definition)
{
	Datum		names[4] = {CStringGetTextDatum(definition->name), CStringGetTextDatum(definition->variant),
	CStringGetTextDatum(definition->kind), TimestampTzGetDatum(definition->effective_from)};
	bool		name_nulls[4] = {false, false, false, !definition->has_effective_from};
	Datum		values[8];
	bool		isnull[8];
	Datum		args[11];
	bool		nulls[11] = {false};

	if (definition->canonical_system != NULL)
		ssot_require_system(definition->canonical_system, "canonical_system");
	nulls[5] = !definition->has_signers;
	args[5] = signer_array(definition->signers);
	ssot_definitions_lock();
	ssot_config_one(&last_query, names, name_nulls, 8, values, isnull);
	if (!isnull[3])
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is defined as a %s, not as a %s", definition->name,
						TextDatumGetCString(values[3]), definition->kind),
				 errhint("One name is one kind of thing: choose another name.")));
	if (!isnull[4])
		require_right_to_continue(definition->name, ssot_person_kept(&values[4], &isnull[4]));
	definition->version = DatumGetInt32(values[0]);
	if (!isnull[7] && DatumGetBool(values[7]))
		refuse_past(definition);
	definition->canonical = isnull[1] ? isnull[2] : DatumGetBool(values[1]);
	args[0] = TimestampTzGetDatum(definition->effective_from);
	nulls[0] = !definition->has_effective_from;
	args[1] = text_or_null(definition->description, &nulls[1]);
	args[2] = text_or_null(definition->owner, &nulls[2]);
	args[3] = text_or_null(definition->canonical_system, &nulls[3]);
	args[4] = text_or_null(definition->entity, &nulls[4]);
	args[6] = json_or_null(definition->declared, &nulls[6]);
	args[7] = json_or_null(definition->compiled, &nulls[7]);
	args[8] = json_or_null(definition->reads, &nulls[8]);
	args[9] = identity(definition);
	args[10] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	ssot_config_run(&insert_query, args, nulls);
	require_signers(definition);
}

/* ---- locking ------------------------------------------------------------- */

/* What the version reads, in the order of names. */
static SsotQuery reads_query = {
	.sql =
	"SELECT e.entity\n"
	"FROM ssot.definition_version AS v\n"
	"CROSS JOIN LATERAL pg_catalog.jsonb_object_keys(v.reads) AS e (entity)\n"
	"WHERE v.definition = $1 AND v.version = $3\n"
	"  AND CASE WHEN $2 IS NULL THEN v.canonical ELSE v.variant = $2 END\n"
	"ORDER BY e.entity COLLATE \"C\"",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, INT4OID}
};

static SsotQuery write_lock_query = {
	.sql = "LOCK TABLE ssot.definition_version IN ROW EXCLUSIVE MODE",
	.nargs = 0
};

/* All versions of the variant: of two that are signed at once the later must see that
 * the other was approved. */
static SsotQuery lock_query = {
	.sql =
	"SELECT v.version, v.variant, v.state\n"
	"FROM ssot.definition_version AS v\n"
	"WHERE v.definition = $1\n"
	"  AND CASE WHEN $2 IS NULL THEN v.canonical ELSE v.variant = $2 END\n"
	"ORDER BY v.version\n"
	"FOR UPDATE",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static SsotQuery known_query = {
	.sql =
	"SELECT pg_catalog.string_agg(pg_catalog.format('%s v%s %s',\n"
	"           CASE v.variant WHEN '' THEN 'without variant' ELSE pg_catalog.quote_literal(v.variant) END,\n"
	"           v.version, v.state), ', ' ORDER BY v.variant, v.version)\n"
	"FROM ssot.definition_version AS v\n"
	"WHERE v.definition = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/*
 * Tables come before the dictionary (src/README, Locks), and an approval makes views
 * on them.
 */
static void
lock_tables(const Datum *args, const bool *nulls)
{
	List	   *names = NIL;
	ListCell   *cell;

	ssot_config_each(&reads_query, args, nulls, ssot_take_text, &names);
	foreach(cell, names)
	{
		Oid			relid = ssot_relation_oid((const char *) lfirst(cell));

		if (OidIsValid(relid))
			LockRelationOid(relid, AccessShareLock);
	}
}

/* A version that is looked for among those that are locked. */
typedef struct Locked
{
	int			version;
	char	   *variant;		/* NULL: not found */
	char	   *state;
} Locked;

static bool
take_locked(TupleTableSlot *slot, void *arg)
{
	Locked	   *locked = (Locked *) arg;

	slot_getallattrs(slot);
	if (DatumGetInt32(slot->tts_values[0]) == locked->version)
	{
		locked->variant = TextDatumGetCString(slot->tts_values[1]);
		locked->state = TextDatumGetCString(slot->tts_values[2]);
	}
	return true;
}

char *
ssot_definition_lock(SsotVersionName *version)
{
	Locked		locked = {.version = version->version};
	Datum		args[3] = {CStringGetTextDatum(version->name),
	version->variant == NULL ? (Datum) 0 : CStringGetTextDatum(version->variant), Int32GetDatum(version->version)};
	bool		nulls[3] = {false, version->variant == NULL, false};
	Datum		known;
	bool		isnull;

	lock_tables(args, nulls);
	ssot_config_run(&write_lock_query, NULL, NULL);
	ssot_config_each(&lock_query, args, nulls, take_locked, &locked);
	if (locked.variant == NULL)
	{
		ssot_config_one(&known_query, args, NULL, 1, &known, &isnull);
		if (isnull)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("there is no definition \"%s\"", version->name),
					 errhint("Make it with ssot.create_definition or ssot.create_metric.")));
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("definition \"%s\"%s has no version %d", version->name,
						version->variant == NULL ? "" : psprintf(", variant \"%s\",", version->variant),
						version->version),
				 errdetail("It has: %s.", TextDatumGetCString(known))));
	}
	version->variant = locked.variant;
	return locked.state;
}

/* ---- variants ------------------------------------------------------------ */

static SsotQuery used_query = {
	.sql =
	"SELECT u.variant FROM ssot.used_definition AS u WHERE u.system = $1 AND u.definition = $2",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID},
	.read_only = true
};

char *
ssot_used_variant(const char *system, const char *name)
{
	Datum		args[2] = {CStringGetTextDatum(system), CStringGetTextDatum(name)};
	Datum		value;
	bool		isnull;

	return ssot_config_one(&used_query, args, NULL, 1, &value, &isnull) ? TextDatumGetCString(value) : NULL;
}
