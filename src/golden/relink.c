/*
 * golden/relink.c
 *		A person changes which records belong together.
 *
 * Merging and splitting by hand write decisions (decision.c) and then link the
 * golden records concerned exactly as a run would, with nothing staged. So what
 * a call does is what the next run would have done, and the next run finds
 * nothing to do.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "golden/clock.h"
#include "golden/decision.h"
#include "golden/history.h"
#include "golden/hold.h"
#include "golden/reference.h"
#include "golden/relink.h"
#include "golden/settle.h"
#include "golden/store.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"

/* ---- arguments ----------------------------------------------------------- */

char *
ssot_steward_text(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

SsotEntity *
ssot_steward_entity(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"entity\" must not be null")));
	return ssot_entity_load(PG_GETARG_OID(0), false);
}

char *
ssot_steward_reason(FunctionCallInfo fcinfo, int n)
{
	if (!PG_ARGISNULL(n))
		return text_to_cstring(PG_GETARG_TEXT_PP(n));
	return ssot_reason[0] == '\0' ? NULL : pstrdup(ssot_reason);
}

/*
 * SELECT g.customer_id, g.retired_at IS NOT NULL FROM golden.customer AS g
 *  WHERE g.customer_id = $1 FOR NO KEY UPDATE
 *
 * Under the caller's rights: the policies for reading and for changing apply.
 */
Datum
ssot_steward_lock(const SsotEntity *entity, const char *id_text, bool *retired)
{
	Oid			argtypes[] = {entity->id_type};
	Datum		args[] = {ssot_golden_id(entity, id_text)};
	SsotStatement statement = {
		.sql = ssot_sql("SELECT g.%I, g.retired_at IS NOT NULL FROM %T AS g"
						" WHERE g.%I = $1 FOR NO KEY UPDATE",
						entity->id_column, entity->name, entity->id_column),
		.nargs = 1,.argtypes = argtypes,.args = args
	};
	Datum		values[2];
	bool		isnull[2];

	if (pg_class_aclcheck(entity->relid, GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change records of \"%s\"", entity->name),
				 errhint("Ask the table's owner to GRANT UPDATE ON %s.", entity->name)));
	if (!ssot_statement_one(&statement, 2, values, isnull))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("entity \"%s\" has no record %s that you may change", entity->name, id_text),
				 errhint("ssot.resolve_id tells what a merged id has become; row-level policies may hide the record from you.")));
	if (retired != NULL)
		*retired = DatumGetBool(values[1]);
	return values[0];
}

/* ---- members ------------------------------------------------------------- */

typedef struct MemberReader
{
	const SsotEntity *entity;
	List	   *members;
} MemberReader;

static bool
take_member(TupleTableSlot *slot, void *arg)
{
	MemberReader *reader = (MemberReader *) arg;
	const SsotEntity *entity = reader->entity;
	SsotMember *member = palloc(sizeof(SsotMember));

	slot_getallattrs(slot);
	member->source = ssot_entity_source_id(entity, DatumGetInt32(slot->tts_values[0]));
	if (member->source < 0)
		return true;
	member->key = TextDatumGetCString(slot->tts_values[1]);
	member->id = datumCopy(slot->tts_values[2], entity->id_typbyval, entity->id_typlen);
	member->name = ssot_record_name(entity, member->source, member->key);
	reader->members = lappend(reader->members, member);
	return true;
}

static int
compare_members(const ListCell *a, const ListCell *b)
{
	const SsotMember *x = (const SsotMember *) lfirst(a);
	const SsotMember *y = (const SsotMember *) lfirst(b);

	return x->source != y->source ? x->source - y->source : strcmp(x->key, y->key);
}

List *
ssot_members(const SsotEntity *entity, const Datum *ids, int nids)
{
	MemberReader reader = {entity, NIL};
	SsotIds		set = ssot_ids_create(entity);
	SsotRelation relation;
	SsotStatement statement = {
		.sql = ssot_sql("SELECT s.ssot_source, s.ssot_key, s.%I FROM ssot_ids AS i"
						" JOIN %T AS s ON s.%I = i.id AND s.ssot_copy <= 0",
						entity->id_column, entity->source_table, entity->id_column),
		.nrelations = 1,.relations = &relation
	};
	SsotUser	user;

	for (int i = 0; i < nids; i++)
		ssot_ids_add(&set, ids[i]);
	relation = ssot_ids_as(&set, "ssot_ids");
	user = ssot_become_owner(entity->relid);
	ssot_statement_each(&statement, take_member, &reader);
	ssot_restore_user(user);
	ssot_ids_end(&set);
	list_sort(reader.members, compare_members);
	return reader.members;
}

bool
ssot_has_name(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp((const char *) lfirst(cell), name) == 0)
		return true;
	return false;
}

List *
ssot_member_names(const SsotEntity *entity, List *members)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, members)
	{
		SsotMember *member = (SsotMember *) lfirst(cell);

		if (member->source != entity->steward && !ssot_has_name(names, member->name))
			names = lappend(names, member->name);
	}
	return names;
}

/* ---- decisions ----------------------------------------------------------- */

List *
ssot_decisions_around(const SsotEntity *entity, List *names)
{
	List	   *decisions = NIL;
	int			asked = -1;

	names = list_copy(names);
	while (asked != list_length(names))
	{
		Tuplestorestate *rows = tuplestore_begin_heap(true, false, work_mem);
		TupleDesc	desc = ssot_name_desc();
		ListCell   *cell;

		asked = list_length(names);
		foreach(cell, names)
		{
			Datum		value = CStringGetTextDatum((const char *) lfirst(cell));
			bool		isnull = false;

			tuplestore_putvalues(rows, desc, &value, &isnull);
		}
		decisions = ssot_decisions_about(entity, rows, asked);
		tuplestore_end(rows);
		foreach(cell, decisions)
		{
			SsotDecision *decision = (SsotDecision *) lfirst(cell);

			if (decision->same && !ssot_has_name(names, decision->a))
				names = lappend(names, unconstify(char *, decision->a));
			if (decision->same && !ssot_has_name(names, decision->b))
				names = lappend(names, unconstify(char *, decision->b));
		}
	}
	return decisions;
}

bool
ssot_is_decided(List *decisions, const char *a, const char *b)
{
	ListCell   *cell;

	foreach(cell, decisions)
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);

		if (decision->same &&
			((strcmp(decision->a, a) == 0 && strcmp(decision->b, b) == 0) ||
			 (strcmp(decision->a, b) == 0 && strcmp(decision->b, a) == 0)))
			return true;
	}
	return false;
}

/* ---- linking anew -------------------------------------------------------- */

/* What a run that read nothing would hand to linking. */
static SsotIngest *
nothing_read(const SsotEntity *entity)
{
	SsotIngest *ingest = palloc0(sizeof(SsotIngest));

	ingest->desc = ssot_record_desc(entity, true);
	ingest->staged = tuplestore_begin_heap(true, false, work_mem);
	ingest->gone_desc = CreateTemplateTupleDesc(2);
	TupleDescInitEntry(ingest->gone_desc, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(ingest->gone_desc, 2, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(ingest->gone_desc, 2, C_COLLATION_OID);
	ingest->gone = tuplestore_begin_heap(true, false, work_mem);
	ingest->stored_desc = ssot_record_desc(entity, false);
	ingest->stored = tuplestore_begin_heap(true, false, work_mem);
	return ingest;
}

/* Settle ids that may be there several times, and what is held. */
static void
settle_touched(const SsotEntity *entity, Tuplestorestate *touched, int64 ntouched, TimestampTz t)
{
	SsotIds		ids = ssot_ids_touched(entity, touched, ntouched);

	ssot_settle_set(entity, &ids, t);
	ssot_ids_end(&ids);
}

char *
ssot_held_reason(const SsotEntity *entity, Datum id)
{
	SsotStatement statement = {
		.sql = ssot_sql("SELECT h.reason FROM %T AS h WHERE h.%I = $1",
						entity->held_table, entity->id_column),
		.nargs = 1,.argtypes = &entity->id_type,.args = &id
	};
	Datum		reason;
	bool		isnull;
	SsotUser	user = ssot_become_owner(entity->relid);
	bool		held = ssot_statement_one(&statement, 1, &reason, &isnull);

	ssot_restore_user(user);
	return held ? TextDatumGetCString(reason) : NULL;
}

SsotLinking *
ssot_relink_apply(const SsotEntity *entity, const SsotRelink *wish, TimestampTz t,
				  const SsotMerger *merger)
{
	int			level = ssot_settings_begin(false);
	SsotIngest *ingest = nothing_read(entity);
	SsotUser	user = ssot_become_owner(entity->relid);
	SsotLinking *linking = ssot_relink(entity, ingest, wish);
	SsotMerge	merge = {0};

	ssot_restore_user(user);
	if (wish->merge)
		merge = (SsotMerge)
	{
		.lost = wish->ids[1],.kept = wish->ids[0]
	};
	ssot_store_and_merge(entity, ingest, linking, t, merger, wish->merge ? &merge : NULL);
	if (ssot_references_itself(entity))
		ssot_references_refresh(entity, true, t, linking->touched, &linking->ntouched);
	settle_touched(entity, linking->touched, linking->ntouched, t);
	tuplestore_end(linking->touched);
	linking->touched = NULL;
	tuplestore_end(ingest->staged);
	tuplestore_end(ingest->gone);
	tuplestore_end(ingest->stored);
	ssot_settings_end(level);
	return linking;
}

void
ssot_relink_referrers(const SsotEntity *entity, TimestampTz t)
{
	int			level = ssot_settings_begin(false);
	ListCell   *cell;

	foreach(cell, ssot_referring_entities(entity))
	{
		SsotEntity *child = (SsotEntity *) lfirst(cell);
		TimestampTz time = ssot_clock_take(child);
		Tuplestorestate *touched = tuplestore_begin_heap(true, false, work_mem);
		int64		ntouched = 0;

		if (ssot_references_refresh(child, true, time, touched, &ntouched) > 0)
			settle_touched(child, touched, ntouched, time);
		tuplestore_end(touched);
	}
	ssot_settings_end(level);
}
