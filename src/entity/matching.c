/*
 * entity/matching.c
 *		By what records of an entity are matched that no key joins (ssot.matching).
 *
 * What is compared is declared as JSON, by field:
 *
 *		{"name": "company", "email": "email",
 *		 "person": {"kind": "person_name", "fields": ["given", "family"],
 *					"levels": ["equal", "nickname"], "weights": {"different": -6}}}
 *
 * Whether a kind of that name exists, and what its levels are, is not known here:
 * kinds belong to the identity room. A model, once learnt, never changes; a new one gets a number of
 * its own.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/config.h"
#include "entity/json.h"
#include "entity/matching.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static SsotQuery rules_query = {
	.sql =
	"SELECT m.compare, m.match, m.review, m.max_cluster, m.one_per_system, m.version,\n"
	"       m.applied, m.model_id, m.blocking, m.prior\n"
	"FROM ssot.matching AS m\n"
	"WHERE m.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery model_query = {
	.sql =
	"SELECT m.model\n"
	"FROM ssot.match_model AS m\n"
	"WHERE m.model_id = $1\n"
	"  AND m.entity = $2",
	.nargs = 2,
	.argtypes = {INT8OID, TEXTOID}
};

static SsotQuery keep_model_query = {
	.sql =
	"INSERT INTO ssot.match_model (model_id, entity, model, records, trained_at, trained_by, decisions)\n"
	"VALUES (pg_catalog.nextval('ssot.match_model_seq'), $1, $2, $3,\n"
	"        pg_catalog.clock_timestamp(), $4, $5)\n"
	"RETURNING model_id",
	.nargs = 5,
	.argtypes = {TEXTOID, BYTEAOID, INT8OID, TEXTOID, INT8OID}
};

static SsotQuery use_model_query = {
	.sql =
	"UPDATE ssot.matching AS m\n"
	"SET model_id = $2\n"
	"WHERE m.entity = $1",
	.nargs = 2,
	.argtypes = {TEXTOID, INT8OID}
};

static SsotQuery applied_query = {
	.sql =
	"UPDATE ssot.matching AS m\n"
	"SET applied = $2\n"
	"WHERE m.entity = $1",
	.nargs = 2,
	.argtypes = {TEXTOID, INT8OID}
};

/* ---- what is compared ---------------------------------------------------- */

static int
field_of(const SsotEntity *entity, const char *name)
{
	int			f = ssot_entity_field(entity, name);

	if (f < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" is not a field of \"%s\"", name, entity->name),
				 errdetail("Fields are the columns of the table but its primary key and generated ones."),
				 errhint("Name the fields to compare: '{\"name\": \"company\"}', or '{\"person\": {\"kind\": \"person_name\", \"fields\": [\"given\", \"family\"]}}'.")));
	return f;
}

static void
refuse_compared(const SsotEntity *entity, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("comparison \"%s\" of \"%s\" cannot be understood", name, entity->name),
			 errdetail("It is a kind of comparison, or an object with \"kind\", and \"fields\", \"levels\" and \"weights\" where wanted."),
			 errhint("For example: '{\"person\": {\"kind\": \"person_name\", \"fields\": [\"given\", \"family\"]}}'.")));
}

static void
take_fields(const SsotEntity *entity, SsotCompared *compared, const JsonbValue *value)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data) ||
		JsonContainerIsScalar(value->val.binary.data))
		refuse_compared(entity, compared->name);
	if (JsonContainerSize(value->val.binary.data) > SSOT_MAX_COMPARED_FIELDS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("comparison \"%s\" of \"%s\" names more than %d fields",
						compared->name, entity->name, SSOT_MAX_COMPARED_FIELDS)));
	compared->fields = palloc(sizeof(int) * Max(JsonContainerSize(value->val.binary.data), 1));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (v.type != jbvString)
			refuse_compared(entity, compared->name);
		compared->fields[compared->nfields++] =
			field_of(entity, pnstrdup(v.val.string.val, v.val.string.len));
	}
	if (compared->nfields == 0)
		refuse_compared(entity, compared->name);
}

static void
parse_object(const SsotEntity *entity, SsotCompared *compared, const JsonbValue *value)
{
	ListCell   *cell;

	foreach(cell, ssot_json_pairs(value, psprintf("comparison \"%s\"", compared->name)))
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);

		if (strcmp(pair->name, "kind") == 0)
			compared->kind = ssot_json_string(&pair->value, "\"kind\" of a comparison");
		else if (strcmp(pair->name, "fields") == 0)
			take_fields(entity, compared, &pair->value);
		else if (strcmp(pair->name, "levels") == 0)
			compared->levels = &pair->value;
		else if (strcmp(pair->name, "weights") == 0)
			compared->weights = &pair->value;
		else
			refuse_compared(entity, compared->name);
	}
	if (compared->kind == NULL)
		refuse_compared(entity, compared->name);
}

SsotCompared *
ssot_compare_parse(const SsotEntity *entity, Jsonb *compare, int *count)
{
	JsonbValue	root = {.type = jbvBinary};
	List	   *pairs;
	ListCell   *cell;
	SsotCompared *all;
	int			n = 0;

	root.val.binary.data = &compare->root;
	root.val.binary.len = VARSIZE(compare);
	pairs = ssot_json_pairs(&root, psprintf("what is compared of \"%s\"", entity->name));
	all = palloc0(sizeof(SsotCompared) * Max(list_length(pairs), 1));
	foreach(cell, pairs)
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);
		SsotCompared *compared = &all[n++];

		compared->name = pair->name;
		if (pair->value.type == jbvString)
			compared->kind = ssot_json_string(&pair->value, "a kind of comparison");
		else if (pair->value.type == jbvBinary && JsonContainerIsObject(pair->value.val.binary.data))
			parse_object(entity, compared, &pair->value);
		else
			refuse_compared(entity, compared->name);
		if (compared->nfields == 0)
		{
			compared->fields = palloc(sizeof(int));
			compared->fields[compared->nfields++] = field_of(entity, compared->name);
		}
	}
	*count = n;
	return all;
}

static SsotQuery new_version_query = {
	.sql =
	"UPDATE ssot.matching AS m\n"
	"SET version = m.version + 1\n"
	"WHERE m.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* ---- reading and writing ------------------------------------------------- */

SsotMatchRules *
ssot_matching_load(const SsotEntity *entity)
{
	Datum		name = CStringGetTextDatum(entity->name);
	Datum		values[10];
	bool		isnull[10];
	SsotMatchRules *rules;

	if (!ssot_config_one(&rules_query, &name, NULL, 10, values, isnull))
		return NULL;
	rules = palloc0(sizeof(SsotMatchRules));
	rules->compared = ssot_compare_parse(entity, DatumGetJsonbP(values[0]), &rules->ncompared);
	rules->match = DatumGetFloat8(values[1]);
	rules->review = DatumGetFloat8(values[2]);
	rules->max_cluster = DatumGetInt32(values[3]);
	rules->one_per_system = DatumGetBool(values[4]);
	rules->version = DatumGetInt64(values[5]);
	rules->applied = !isnull[6] && DatumGetInt64(values[6]) == rules->version;
	if (rules->ncompared == 0 && rules->applied)
		return NULL;
	rules->model_id = isnull[7] ? 0 : DatumGetInt64(values[7]);
	rules->blocking = isnull[8] ? NULL : DatumGetJsonbP(values[8]);
	rules->prior = isnull[9] ? 0 : DatumGetFloat8(values[9]);
	return rules;
}

bytea *
ssot_match_model_load(const SsotEntity *entity, int64 model_id)
{
	Datum		args[] = {Int64GetDatum(model_id), CStringGetTextDatum(entity->name)};
	Datum		value;
	bool		isnull;

	if (!ssot_config_one(&model_query, args, NULL, 1, &value, &isnull))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model " INT64_FORMAT " of \"%s\" does not exist", model_id, entity->name),
				 errhint("Call ssot.set_matching again; the next run learns a new one.")));
	return DatumGetByteaP(value);
}

int64
ssot_match_model_keep(const SsotEntity *entity, bytea *model, int64 records, int64 decisions)
{
	Datum		args[5];
	Datum		id;
	bool		isnull;

	args[0] = CStringGetTextDatum(entity->name);
	args[1] = PointerGetDatum(model);
	args[2] = Int64GetDatum(records);
	args[3] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	args[4] = Int64GetDatum(decisions);
	ssot_config_one(&keep_model_query, args, NULL, 1, &id, &isnull);
	args[1] = id;
	ssot_config_run(&use_model_query, args, NULL);
	return DatumGetInt64(id);
}

void
ssot_match_model_replace(const SsotEntity *entity, bytea *model, int64 records, int64 decisions)
{
	Datum		arg = CStringGetTextDatum(entity->name);

	ssot_match_model_keep(entity, model, records, decisions);
	ssot_config_run(&new_version_query, &arg, NULL);
}

void
ssot_matching_applied(const SsotEntity *entity, int64 version)
{
	Datum		args[] = {CStringGetTextDatum(entity->name), Int64GetDatum(version)};

	ssot_config_run(&applied_query, args, NULL);
}
