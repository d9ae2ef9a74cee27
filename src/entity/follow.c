/*
 * entity/follow.c
 *		What names an entity or a source in another table of schema ssot goes with it.
 *
 * Between the tables of schema ssot there are no foreign keys: an extension's
 * constraints are there from CREATE EXTENSION on, and pg_restore -j then loads
 * the tables in any order. What writes a name looks first whether it exists, and
 * holds a lock on it. What renames or removes one is followed by triggers, which
 * fire on UPDATE and DELETE only, so that a restore meets none of them:
 *
 *		CREATE TRIGGER field_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
 *			FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('field', 'entity');
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(ssot_follow_name_trigger);

/*
 * A transaction that keeps its first snapshot does not see what others have added since
 * with the old name: as with a foreign key, that is a serialization failure.
 */
static void
require_none_left(Oid relid, const char *column, Oid type, Datum was)
{
	SsotStatement statement = {.nargs = 1,.argtypes = &type,.args = &was,.read_only = true};
	Datum		value;
	bool		isnull;
	bool		found;

	statement.sql = ssot_sql("SELECT true FROM %T AS t WHERE t.%I OPERATOR(pg_catalog.=) $1 LIMIT 1",
							 ssot_relation_name(relid), column);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	found = ssot_statement_one(&statement, 1, &value, &isnull);
	PopActiveSnapshot();
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent insert into \"%s\"", ssot_relation_name(relid)),
				 errhint("The transaction might succeed if retried.")));
}

static void
follow(Oid relid, const char *column, Oid type, Datum was, const Datum *is)
{
	Oid			argtypes[2] = {type, type};
	Datum		args[2] = {was, is != NULL ? *is : (Datum) 0};
	SsotStatement statement = {.nargs = is != NULL ? 2 : 1,.argtypes = argtypes,.args = args};
	SsotUser	user;

	statement.sql = is != NULL ?
		ssot_sql("UPDATE %T AS t SET %I = $2 WHERE t.%I OPERATOR(pg_catalog.=) $1",
				 ssot_relation_name(relid), column, column) :
		ssot_sql("DELETE FROM %T AS t WHERE t.%I OPERATOR(pg_catalog.=) $1",
				 ssot_relation_name(relid), column);
	user = ssot_become_owner(relid);
	ssot_statement_run(&statement);
	if (IsolationUsesXactSnapshot())
		require_none_left(relid, column, type, was);
	ssot_restore_user(user);
}

/*
 * A row trigger with two arguments: a table of schema ssot, and its column of
 * the same name and type as the key of the table that the trigger is on.
 */
Datum
ssot_follow_name_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	AttrNumber	attnum;
	const char *column;
	Oid			relid;
	Datum		was;
	Datum		is;
	bool		isnull;

	/* On a table of anybody's, it would write what is others'. */
	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || trigger->tg_trigger->tgnargs != 2 ||
		RelationGetNamespace(trigger->tg_relation) != get_namespace_oid("ssot", false))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function can be called only by the triggers of schema ssot")));
	relid = get_relname_relid(trigger->tg_trigger->tgargs[0], RelationGetNamespace(trigger->tg_relation));
	if (!OidIsValid(relid))
		elog(ERROR, "table \"%s\" does not exist", trigger->tg_trigger->tgargs[0]);
	column = trigger->tg_trigger->tgargs[1];
	desc = RelationGetDescr(trigger->tg_relation);
	attnum = get_attnum(RelationGetRelid(trigger->tg_relation), column);
	if (attnum == InvalidAttrNumber)
		elog(ERROR, "column \"%s\" does not exist", column);

	was = heap_getattr(trigger->tg_trigtuple, attnum, desc, &isnull);
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		follow(relid, column, TupleDescAttr(desc, attnum - 1)->atttypid, was, NULL);
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);

		is = heap_getattr(trigger->tg_newtuple, attnum, desc, &isnull);
		if (!datum_image_eq(was, is, att->attbyval, att->attlen))
			follow(relid, column, att->atttypid, was, &is);
	}
	return PointerGetDatum(NULL);
}
