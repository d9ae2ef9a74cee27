/*
 * golden/retire.c
 *		ssot.retire and ssot.restore.
 *
 * A golden record retires by itself when its last system record is gone. A
 * person can retire one that systems still hold: a row of ssot.retirement says
 * so, and settling obeys it, in this call and in every later run. Restoring
 * takes the row away; where no system holds the record, its last values become a
 * record of the system "manual", because somebody has to vouch for it.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "golden/clock.h"
#include "golden/history.h"
#include "golden/correction.h"
#include "golden/hold.h"
#include "golden/relink.h"
#include "golden/retire.h"
#include "golden/settle.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ssot_retire);
PG_FUNCTION_INFO_V1(ssot_restore);

/* ---- for settling -------------------------------------------------------- */

struct SsotRetirements
{
	const SsotEntity *entity;
	int			count;
	int			capacity;
	Datum	   *ids;
};

static bool
take_retired(TupleTableSlot *slot, void *arg)
{
	SsotRetirements *retirements = (SsotRetirements *) arg;
	bool		isnull;
	Datum		id = slot_getattr(slot, 1, &isnull);

	if (retirements->count == retirements->capacity)
	{
		retirements->capacity = Max(16, retirements->capacity * 2);
		retirements->ids = retirements->ids == NULL ?
			palloc(sizeof(Datum) * retirements->capacity) :
			repalloc_huge(retirements->ids, sizeof(Datum) * retirements->capacity);
	}
	retirements->ids[retirements->count++] = datumCopy(id, false, -1);
	return true;
}

/*
 * SELECT r.id FROM ssot_touched AS t
 *   JOIN ssot.retirement AS r ON r.id = format('%s', t.id) WHERE r.entity = 'golden.customer'
 *
 * or, for all, the ids of ssot.retirement; in the order of groups. This runs as
 * the extension's owner, and the id may have a type of the user's: no cast that
 * they could have made is asked, and the text becomes an id afterwards.
 */
SsotRetirements *
ssot_retirements_read(const SsotEntity *entity, Tuplestorestate *touched, int64 ntouched)
{
	SsotRetirements *retirements = palloc0(sizeof(SsotRetirements));
	SsotRelation relation = {"ssot_touched", ssot_id_desc(entity), touched, ntouched};
	SsotStatement statement = {
		.nrelations = touched == NULL ? 0 : 1,.relations = &relation
	};
	SsotUser	user = ssot_become_owner(ssot_companion_oid("ssot.retirement"));
	int			level;

	retirements->entity = entity;
	if (touched == NULL)
		statement.sql = ssot_sql("SELECT r.id FROM ssot.retirement AS r WHERE r.entity = %L",
								 entity->name);
	else
		statement.sql = ssot_sql("SELECT r.id FROM ssot_touched AS t"
								 " JOIN ssot.retirement AS r ON r.id = pg_catalog.format('%%s', t.id)"
								 " WHERE r.entity = %L", entity->name);
	ssot_statement_each(&statement, take_retired, retirements);
	ssot_restore_user(user);
	level = ssot_settings_begin(false);
	for (int i = 0; i < retirements->count; i++)
		retirements->ids[i] = ssot_golden_id(entity, TextDatumGetCString(retirements->ids[i]));
	ssot_settings_end(level);
	return retirements;
}

bool
ssot_is_retired_by_person(SsotRetirements *retirements, Datum id)
{
	for (int i = 0; i < retirements->count; i++)
		if (datum_image_eq(retirements->ids[i], id, retirements->entity->id_typbyval,
						   retirements->entity->id_typlen))
			return true;
	return false;
}

/* ---- the rows ------------------------------------------------------------ */

static SsotQuery insert_retirement = {
	"INSERT INTO ssot.retirement (entity, id, reason, retired_by, retired_at)"
	" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (entity, id) DO NOTHING",
	5, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID}
};

static SsotQuery delete_retirement = {
	"DELETE FROM ssot.retirement AS r WHERE r.entity = $1 AND r.id = $2",
	2, {TEXTOID, TEXTOID}
};

/* As runs read it: a date as an id is written the same whoever retires it. */
static Datum
id_text(const SsotEntity *entity, Datum id)
{
	Oid			output;
	bool		is_varlena;
	int			level = ssot_settings_begin(false);
	Datum		text;

	getTypeOutputInfo(entity->id_type, &output, &is_varlena);
	text = CStringGetTextDatum(OidOutputFunctionCall(output, id));
	ssot_settings_end(level);
	return text;
}

bool
ssot_retirement_end(const SsotEntity *entity, Datum id)
{
	Datum		args[] = {CStringGetTextDatum(entity->name), id_text(entity, id)};
	SsotUser	user = ssot_become_owner(ssot_companion_oid("ssot.retirement"));
	bool		ended = ssot_query_run(&delete_retirement, args, NULL) > 0;

	ssot_restore_user(user);
	return ended;
}

/* Whoever merged, an id that is gone is nobody's to keep retired: what comes back
 * by ssot.unmerge is in force. */
void
ssot_retirements_end_merged(const SsotEntity *entity, const SsotRelation *merges)
{
	SsotRelation relation = *merges;
	SsotStatement statement = {
		.sql = ssot_sql("DELETE FROM ssot.retirement AS r USING ssot_merges AS m"
						" WHERE r.entity = %L AND r.id = pg_catalog.format('%%s', m.lost)",
						entity->name),
		.nrelations = 1,.relations = &relation
	};
	SsotUser	user = ssot_become_owner(ssot_companion_oid("ssot.retirement"));

	ssot_statement_run(&statement);
	ssot_restore_user(user);
}

/* ---- the functions ------------------------------------------------------- */

/* Settle one record; its history gets the reason. */
static void
settle_with_reason(const SsotEntity *entity, Datum id, TimestampTz t, const char *reason)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("ssot.reason", reason == NULL ? "" : reason, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	ssot_settle_ids(entity, &id, 1, t);
	AtEOXact_GUC(true, level);
}

/*
 * retire(entity regclass, id text, reason text)
 */
Datum
ssot_retire(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_steward_entity(fcinfo);
	char	   *text = ssot_steward_text(fcinfo, 1, "id");
	char	   *reason = ssot_steward_reason(fcinfo, 2);
	TimestampTz t = ssot_clock_take(entity);
	Datum		id = ssot_steward_lock(entity, text, NULL);
	Datum		args[5];
	bool		nulls[5] = {false};
	SsotUser	user;

	args[0] = CStringGetTextDatum(entity->name);
	args[1] = id_text(entity, id);
	nulls[2] = reason == NULL;
	args[2] = reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason);
	args[3] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	args[4] = TimestampTzGetDatum(t);
	user = ssot_become_owner(ssot_companion_oid("ssot.retirement"));
	ssot_query_run(&insert_retirement, args, nulls);
	ssot_restore_user(user);
	settle_with_reason(entity, id, t, reason);
	PG_RETURN_VOID();
}

/* The record's last values become those of its manual record. */
static void
vouch_for(const SsotEntity *entity, Datum id, TimestampTz t)
{
	int			n = entity->nfields;
	Datum	   *values = palloc(sizeof(Datum) * Max(n, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(n, 1));
	bool	   *changed = palloc(sizeof(bool) * Max(n, 1));
	int			level = ssot_settings_begin(false);
	SsotCorrections *manual = ssot_corrections_create(entity, entity->manual, t);
	SsotStatement statement = {.nargs = 1,.argtypes = &entity->id_type,.args = &id};
	SsotUser	user = ssot_become_owner(entity->relid);

	memset(changed, true, sizeof(bool) * n);
	statement.sql = ssot_sql("SELECT %s FROM %T AS g WHERE g.%I = $1",
							 n > 0 ? ssot_field_list(entity, "g.") : "true",
							 entity->name, entity->id_column);
	if (n > 0)
		ssot_statement_one(&statement, n, values, nulls);
	ssot_restore_user(user);
	ssot_corrections_add(manual, id, changed, values, nulls, NULL, NULL);
	ssot_corrections_write(manual);
	ssot_corrections_free(manual);
	ssot_settings_end(level);
}

/*
 * restore(entity regclass, id text, reason text)
 */
Datum
ssot_restore(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_steward_entity(fcinfo);
	char	   *text = ssot_steward_text(fcinfo, 1, "id");
	char	   *reason = ssot_steward_reason(fcinfo, 2);
	TimestampTz t = ssot_clock_lock(entity);
	bool		retired;
	Datum		id = ssot_steward_lock(entity, text, &retired);

	if (!retired)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("record %s of \"%s\" is not retired", text, entity->name)));
	ssot_clock_take(entity);
	ssot_retirement_end(entity, id);
	if (ssot_member_names(entity, ssot_members(entity, &id, 1)) == NIL)
		vouch_for(entity, id, t);
	settle_with_reason(entity, id, t, reason);
	PG_RETURN_VOID();
}
