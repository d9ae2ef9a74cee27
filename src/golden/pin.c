/*
 * golden/pin.c
 *		Pins by name: ssot.pin, ssot.unpin.
 *
 * A pin is a value in the steward's record of a golden id (correction.c). Plain
 * UPDATE pins what it changes; ssot.pin also pins a value that is equal to the
 * current one, so that no later run changes it. It writes through a plain UPDATE
 * under the caller's rights first, so the table's constraints, privileges,
 * row-level policies and triggers judge the value as they would any other.
 *
 * Locks: the clock before the row, as every writer does.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/declare.h"
#include "golden/clock.h"
#include "golden/correction.h"
#include "golden/history.h"
#include "golden/settle.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rls.h"

PG_FUNCTION_INFO_V1(ssot_pin);
PG_FUNCTION_INFO_V1(ssot_unpin);

static char *
text_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static char *
optional_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static SsotEntity *
entity_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"entity\" must not be null")));
	return ssot_entity_load(PG_GETARG_OID(0), false);
}

static int
require_field(const SsotEntity *entity, const char *name)
{
	int			f = ssot_entity_field(entity, name);

	if (f < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("entity \"%s\" has no field \"%s\"", entity->name, name),
				 errhint("Its fields are: %s.", ssot_field_names(entity))));
	return f;
}

/* Whoever may change the field may pin and release it. */
static void
require_update_right(const SsotEntity *entity, int f)
{
	const SsotField *field = &entity->fields[f];

	if (pg_class_aclcheck(entity->relid, GetUserId(), ACL_UPDATE) == ACLCHECK_OK ||
		pg_attribute_aclcheck(entity->relid, field->attnum, GetUserId(),
							  ACL_UPDATE) == ACLCHECK_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to correct field \"%s\" of \"%s\"",
					field->name, entity->name),
			 errhint("Ask the table's owner to GRANT UPDATE (%s) ON %s.",
					 quote_identifier(field->name), entity->name)));
}

static SsotQuery merged_into = {
	.sql =
	"SELECT m.kept_id"
	"  FROM ssot.merged_id AS m"
	" WHERE m.entity OPERATOR(pg_catalog.=) $1"
	"   AND m.lost_id OPERATOR(pg_catalog.=) $2",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

static void
no_such_record(const SsotEntity *entity, const char *id)
{
	Datum		args[2] = {CStringGetTextDatum(entity->name), CStringGetTextDatum(id)};
	Datum		kept;
	bool		isnull;
	SsotUser	user = ssot_become_owner(ssot_companion_oid("ssot.merged_id"));
	bool		merged = ssot_query_one(&merged_into, args, NULL, 1, &kept, &isnull);

	ssot_restore_user(user);
	/* whoever sees some records only is not told of others */
	merged = merged && check_enable_rls(entity->relid, InvalidOid, true) != RLS_ENABLED;
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("entity \"%s\" has no record %s that you may change", entity->name, id),
			 merged ? errhint("It was merged into record %s.", TextDatumGetCString(kept)) :
			 errhint("Look for the record in %s; row-level policies may hide it from you.",
					 entity->name)));
}

/* A statement about one record: $1 is its id, $2 (if valid) a value. */
static bool
run_on_record(const SsotEntity *entity, const char *sql, Datum id,
			  const SsotField *field, Datum *value, bool *isnull, bool fetch)
{
	Oid			argtypes[2] = {entity->id_type, InvalidOid};
	Datum		args[2] = {id, 0};
	bool		nulls[2] = {false, false};
	SsotStatement statement = {
		.sql = sql,.nargs = 1,.argtypes = argtypes,.args = args,.nulls = nulls
	};

	if (fetch)
		return ssot_statement_one(&statement, 1, value, isnull);
	statement.nargs = 2;
	argtypes[1] = field->type;
	args[1] = *value;
	nulls[1] = *isnull;
	return ssot_statement_run(&statement) > 0;
}

/*
 * SELECT g.email FROM golden.customer AS g WHERE g.customer_id = $1
 *    FOR NO KEY UPDATE
 *
 * Under the caller's rights: the policies for reading and for changing apply.
 */
static void
lock_record(const SsotEntity *entity, const char *id_text, Datum id,
			const char *column, Datum *value, bool *isnull)
{
	char	   *sql = ssot_sql("SELECT g.%I FROM %T AS g WHERE g.%I = $1 FOR NO KEY UPDATE",
							   column, entity->name, entity->id_column);

	if (!run_on_record(entity, sql, id, NULL, value, isnull, true))
		no_such_record(entity, id_text);
}

/* ssot.write_mode = steward and the given reason, until the level ends. */
static int
begin_correction(const char *reason)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("ssot.write_mode", "steward", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (reason != NULL)
		(void) set_config_option("ssot.reason", reason, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* Write the pin of one field, whether or not the UPDATE did. */
static void
write_pin(const SsotEntity *entity, Datum id, int f, Datum value, bool isnull,
		  Datum old_value, bool old_isnull)
{
	int			level = ssot_settings_begin(false);
	int			n = entity->nfields;
	bool	   *changed = palloc0(sizeof(bool) * n);
	Datum	   *values = palloc0(sizeof(Datum) * n * 2);
	bool	   *nulls = palloc0(sizeof(bool) * n * 2);
	TimestampTz time = ssot_clock_take(entity);
	SsotCorrections *pins = ssot_corrections_create(entity, entity->steward, time);

	changed[f] = true;
	values[f] = value;
	nulls[f] = isnull;
	values[n + f] = old_value;
	nulls[n + f] = old_isnull;
	ssot_corrections_add(pins, id, changed, values, nulls, values + n, nulls + n);
	ssot_corrections_write(pins);
	ssot_corrections_free(pins);
	ssot_settings_end(level);
	ssot_settle_ids(entity, &id, 1, time);
}

/*
 * pin(entity regclass, id text, field text, value text, reason text)
 *
 * "value" is in the input form of the column's type; NULL pins NULL. "reason"
 * NULL: that of the setting ssot.reason.
 */
Datum
ssot_pin(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = entity_argument(fcinfo);
	char	   *id_text = text_argument(fcinfo, 1, "id");
	int			f = require_field(entity, text_argument(fcinfo, 2, "field"));
	char	   *value_text = optional_text(fcinfo, 3);
	const SsotField *field = &entity->fields[f];
	Datum		id = ssot_golden_id(entity, id_text);
	bool		isnull = value_text == NULL;
	bool		old_isnull;
	Datum		value;
	Datum		old_value;
	Oid			input;
	Oid			ioparam;
	int			level;

	require_update_right(entity, f);
	getTypeInputInfo(field->type, &input, &ioparam);
	value = OidInputFunctionCall(input, value_text, ioparam, field->typmod);

	level = begin_correction(optional_text(fcinfo, 4));
	ssot_clock_lock(entity);
	lock_record(entity, id_text, id, field->name, &old_value, &old_isnull);
	if (!run_on_record(entity,
					   ssot_sql("UPDATE %T AS g SET %I = $2 WHERE g.%I = $1",
								entity->name, field->name, entity->id_column),
					   id, field, &value, &isnull, false))
		no_such_record(entity, id_text);
	write_pin(entity, id, f, value, isnull, old_value, old_isnull);
	AtEOXact_GUC(true, level);
	PG_RETURN_VOID();
}

/* Which fields of a record are pinned, and how many. */
typedef struct PinnedFields
{
	const SsotEntity *entity;
	bool	   *fields;
	int			count;
} PinnedFields;

static bool
take_pinned(TupleTableSlot *slot, void *arg)
{
	PinnedFields *pinned = (PinnedFields *) arg;
	bool		isnull;
	char	   *name = TextDatumGetCString(slot_getattr(slot, 1, &isnull));
	int			f = ssot_entity_field(pinned->entity, name);

	if (f >= 0 && !pinned->fields[f])
	{
		pinned->fields[f] = true;
		pinned->count++;
	}
	return true;
}

/*
 * SELECT jsonb_object_keys(s.ssot_detail)
 *   FROM golden_ssot.customer_source AS s
 *  WHERE s.customer_id = $1 AND s.ssot_source = <the steward's>
 */
static void
read_pinned(PinnedFields *pinned, Datum id)
{
	const SsotEntity *entity = pinned->entity;
	Oid			argtypes[1] = {entity->id_type};
	SsotStatement statement = {.nargs = 1,.argtypes = argtypes,.args = &id};
	int			level = ssot_settings_begin(false);
	SsotUser	user = ssot_become_owner(ssot_companion_oid(entity->source_table));

	statement.sql = ssot_sql("SELECT jsonb_object_keys(s.ssot_detail)"
							 " FROM %T AS s"
							 " WHERE s.%I = $1 AND s.ssot_source = %d",
							 entity->source_table, entity->id_column,
							 entity->sources[entity->steward].source_id);
	ssot_statement_each(&statement, take_pinned, pinned);
	ssot_restore_user(user);
	ssot_settings_end(level);
}

/* Leave only the asked-for field, or all; the caller must have the right. */
static void
choose_pinned(PinnedFields *pinned, int only)
{
	pinned->count = 0;
	for (int f = 0; f < pinned->entity->nfields; f++)
	{
		if (only >= 0 && f != only)
			pinned->fields[f] = false;
		if (!pinned->fields[f])
			continue;
		require_update_right(pinned->entity, f);
		pinned->count++;
	}
}

/*
 * unpin(entity regclass, id text, field text, reason text): releases the pin of
 * one field, or of all (field NULL), and lets the sources decide again. Returns
 * how many fields were released.
 */
Datum
ssot_unpin(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = entity_argument(fcinfo);
	char	   *id_text = text_argument(fcinfo, 1, "id");
	char	   *field = optional_text(fcinfo, 2);
	int			only = field == NULL ? -1 : require_field(entity, field);
	Datum		id = ssot_golden_id(entity, id_text);
	PinnedFields pinned = {entity, palloc0(sizeof(bool) * Max(entity->nfields, 1)), 0};
	SsotCorrections *release;
	TimestampTz time;
	Datum		ignored;
	bool		isnull;
	int			level;

	if (only >= 0)
		require_update_right(entity, only);
	ssot_clock_lock(entity);
	lock_record(entity, id_text, id, entity->id_column, &ignored, &isnull);
	read_pinned(&pinned, id);
	choose_pinned(&pinned, only);
	if (pinned.count == 0)
		PG_RETURN_INT32(0);

	level = begin_correction(optional_text(fcinfo, 3));
	time = ssot_clock_take(entity);
	release = ssot_corrections_create(entity, entity->steward, time);
	ssot_corrections_add(release, id, pinned.fields, NULL, NULL, NULL, NULL);
	ssot_corrections_release(release);
	ssot_corrections_free(release);
	ssot_settle_ids(entity, &id, 1, time);
	AtEOXact_GUC(true, level);
	PG_RETURN_INT32(pinned.count);
}
