/*
 * golden/match_declare.c
 *		ssot.set_matching and ssot.unset_matching.
 *
 * Declaring writes one row and does nothing else: the next run finds that the
 * version in force is not the one under which records were matched last, and
 * matches all of them anew. Where matching was ended, the next run finds what
 * matching has kept (customer_match), links all records without matching and
 * forgets that. A model that was learnt from other comparisons, levels, blocking rules
 * or with another prior is of no use; thresholds do not concern it.
 *
 * Locks: the entity's row in ssot.entity, as every declaration.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/config.h"
#include "entity/declare.h"
#include "entity/matching.h"
#include "golden/match_default.h"
#include "golden/match_model.h"
#include "golden/match_override.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_set_matching);
PG_FUNCTION_INFO_V1(ssot_unset_matching);

/* Arguments of set_matching. */
enum
{
	ARG_ENTITY,
	ARG_COMPARE,
	ARG_MATCH,
	ARG_REVIEW,
	ARG_MAX_CLUSTER,
	ARG_ONE_PER_SYSTEM,
	ARG_BLOCKING,
	ARG_PRIOR
};

#define DEFAULT_MATCH			0.8
#define DEFAULT_REVIEW			0.3
#define DEFAULT_MAX_CLUSTER		1000

/* ---- checking ------------------------------------------------------------- */

/* What is declared must be understood, kinds, levels and blocking included. */
static void
check_compared(const SsotEntity *entity, const SsotMatchRules *rules)
{
	bool		adds;

	if (rules->ncompared == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing is compared of \"%s\"", entity->name),
				 errhint("Leave compare out to have comparisons chosen by the names of columns, or call ssot.unset_matching.")));
	(void) ssot_match_kinds_of(rules);
	(void) ssot_match_blocking_of(rules, &adds);
}

static double
probability_arg(FunctionCallInfo fcinfo, int n, const char *name, double otherwise)
{
	double		value;

	if (PG_ARGISNULL(n))
		return otherwise;
	value = PG_GETARG_FLOAT8(n);
	if (!(value > 0.0 && value < 1.0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a probability between 0 and 1, but is %g", name, value),
				 errhint("For example match => 0.8, review => 0.3.")));
	return value;
}

/* What is declared already, where an argument is left out. */
static void
take_thresholds(FunctionCallInfo fcinfo, SsotMatchRules *rules)
{
	rules->match = probability_arg(fcinfo, ARG_MATCH, "match", rules->match);
	rules->review = probability_arg(fcinfo, ARG_REVIEW, "review", Min(rules->review, rules->match));
	if (rules->review > rules->match)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("review must not be greater than match, but is %g where match is %g",
						rules->review, rules->match),
				 errdetail("Pairs from match on are joined; those between the two wait for a person.")));
	if (!PG_ARGISNULL(ARG_MAX_CLUSTER))
		rules->max_cluster = PG_GETARG_INT32(ARG_MAX_CLUSTER);
	if (rules->max_cluster < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_cluster must be 2 or more, but is %d", rules->max_cluster)));
	if (!PG_ARGISNULL(ARG_ONE_PER_SYSTEM))
		rules->one_per_system = PG_GETARG_BOOL(ARG_ONE_PER_SYSTEM);
}

/* Likewise; an empty list and 0 stand for what is derived and estimated. */
static void
take_overrides(FunctionCallInfo fcinfo, SsotMatchRules *rules)
{
	if (!PG_ARGISNULL(ARG_BLOCKING))
	{
		rules->blocking = PG_GETARG_JSONB_P(ARG_BLOCKING);
		if (JB_ROOT_IS_ARRAY(rules->blocking) && JB_ROOT_COUNT(rules->blocking) == 0)
			rules->blocking = NULL;
	}
	if (!PG_ARGISNULL(ARG_PRIOR))
		rules->prior = ssot_prior_declared(PG_GETARG_FLOAT8(ARG_PRIOR));
}

/* ---- choosing ------------------------------------------------------------- */

static Jsonb *
choose_comparisons(const SsotEntity *entity)
{
	SsotMatchColumn *columns = palloc(sizeof(SsotMatchColumn) * Max(entity->nfields, 1));

	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		columns[f] = (SsotMatchColumn)
		{
			.name = field->name,
				.type = field->base_type,
				.is_text = field->is_text,
				.refers = OidIsValid(field->references)
		};
	}
	return ssot_match_choose(entity->name, entity->table, columns, entity->nfields, "set_matching");
}

/* ---- writing -------------------------------------------------------------- */

static SsotQuery declared_query = {
	.sql =
	"SELECT m.compare\n"
	"FROM ssot.matching AS m\n"
	"WHERE m.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery set_query = {
	.sql =
	"INSERT INTO ssot.matching AS m\n"
	"       (entity, compare, match, review, max_cluster, one_per_system, version,\n"
	"        declared_at, declared_by, blocking, prior)\n"
	"VALUES ($1, $2, $3, $4, $5, $6, 1, pg_catalog.clock_timestamp(), $7, $8, $9)\n"
	"ON CONFLICT (entity) DO UPDATE\n"
	"SET compare = excluded.compare,\n"
	"    match = excluded.match,\n"
	"    review = excluded.review,\n"
	"    max_cluster = excluded.max_cluster,\n"
	"    one_per_system = excluded.one_per_system,\n"
	"    version = m.version + 1,\n"
	"    blocking = excluded.blocking,\n"
	"    prior = excluded.prior,\n"
	"    model_id = CASE WHEN (m.compare, m.blocking, m.prior) IS NOT DISTINCT FROM\n"
	"                         (excluded.compare, excluded.blocking, excluded.prior) THEN m.model_id END,\n"
	"    declared_at = excluded.declared_at,\n"
	"    declared_by = excluded.declared_by",
	.nargs = 9,
	.argtypes = {TEXTOID, JSONBOID, FLOAT8OID, FLOAT8OID, INT4OID, BOOLOID, TEXTOID, JSONBOID, FLOAT8OID}
};

static SsotQuery unset_query = {
	.sql =
	"WITH model AS (\n"
	"    DELETE FROM ssot.match_model AS m WHERE m.entity = $1\n"
	"), pair AS (\n"
	"    DELETE FROM ssot.match_pair AS p WHERE p.entity = $1\n"
	")\n"
	"DELETE FROM ssot.matching AS m\n"
	"WHERE m.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* The row that is in force, as defaults for what the call leaves out. */
static Jsonb *
declared_comparisons(const SsotEntity *entity)
{
	Datum		name = CStringGetTextDatum(entity->name);
	Datum		value;
	bool		isnull;

	if (!ssot_config_one(&declared_query, &name, NULL, 1, &value, &isnull))
		return NULL;
	return DatumGetJsonbP(value);
}

static SsotEntity *
entity_arg(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_ENTITY))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("entity must not be null")));
	return ssot_entity_own(PG_GETARG_OID(ARG_ENTITY));
}

/*
 * set_matching(entity regclass, compare jsonb, match float8, review float8,
 * max_cluster int, one_per_system boolean, blocking jsonb, prior float8)
 * returns jsonb
 *
 * Each argument but the first may be null: what was declared before stays, and
 * what never was takes the default. Returns what is compared.
 */
Datum
ssot_set_matching(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = entity_arg(fcinfo);
	Jsonb	   *compare = declared_comparisons(entity);
	SsotMatchRules *rules = palloc0(sizeof(SsotMatchRules));
	Datum		args[9];
	bool		nulls[9] = {false};

	rules->match = DEFAULT_MATCH;
	rules->review = DEFAULT_REVIEW;
	rules->max_cluster = DEFAULT_MAX_CLUSTER;
	if (compare != NULL)
		rules = ssot_matching_load(entity);
	if (!PG_ARGISNULL(ARG_COMPARE))
		compare = PG_GETARG_JSONB_P(ARG_COMPARE);
	else if (compare == NULL)
		compare = choose_comparisons(entity);
	rules->compared = ssot_compare_parse(entity, compare, &rules->ncompared);
	rules->kinds = NULL;
	take_overrides(fcinfo, rules);
	check_compared(entity, rules);
	take_thresholds(fcinfo, rules);

	args[0] = CStringGetTextDatum(entity->name);
	args[1] = JsonbPGetDatum(compare);
	args[2] = Float8GetDatum(rules->match);
	args[3] = Float8GetDatum(rules->review);
	args[4] = Int32GetDatum(rules->max_cluster);
	args[5] = BoolGetDatum(rules->one_per_system);
	args[6] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	args[7] = rules->blocking == NULL ? (Datum) 0 : JsonbPGetDatum(rules->blocking);
	nulls[7] = rules->blocking == NULL;
	args[8] = Float8GetDatum(rules->prior);
	nulls[8] = rules->prior == 0;
	ssot_config_run(&set_query, args, nulls);
	PG_RETURN_JSONB_P(compare);
}

/*
 * unset_matching(entity regclass)
 */
Datum
ssot_unset_matching(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = entity_arg(fcinfo);
	Datum		name = CStringGetTextDatum(entity->name);

	if (ssot_config_run(&unset_query, &name, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no matching is declared for \"%s\"", entity->name),
				 errhint("SELECT * FROM ssot.matching shows what is.")));
	PG_RETURN_VOID();
}
