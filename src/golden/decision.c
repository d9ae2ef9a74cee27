/*
 * golden/decision.c
 *		What people decided about linking, kept in ssot.link_decision.
 *
 * Rows are never deleted: a decision that another one overrides is ended, and
 * who ended it is kept. The table is read and written as its owner.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/decision.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

char *
ssot_record_name(const SsotEntity *entity, int source, const char *key)
{
	return psprintf("%s:%s", entity->sources[source].system, key);
}

TupleDesc
ssot_name_desc(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(desc, 1, "name", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 1, C_COLLATION_OID);
	return desc;
}

static SsotUser
become_config_owner(void)
{
	return ssot_become_owner(ssot_companion_oid("ssot.link_decision"));
}

static SsotQuery any_decision = {
	"SELECT true FROM ssot.link_decision AS d WHERE d.entity = $1 AND d.active LIMIT 1",
	1, {TEXTOID}
};

bool
ssot_decisions_exist(const SsotEntity *entity)
{
	Datum		name = CStringGetTextDatum(entity->name);
	Datum		value;
	bool		isnull;
	SsotUser	user = become_config_owner();
	bool		found = ssot_query_one(&any_decision, &name, NULL, 1, &value, &isnull);

	ssot_restore_user(user);
	return found;
}

static bool
take_decision(TupleTableSlot *slot, void *arg)
{
	List	  **decisions = (List **) arg;
	SsotDecision *decision = palloc(sizeof(SsotDecision));

	slot_getallattrs(slot);
	decision->id = DatumGetInt64(slot->tts_values[0]);
	decision->same = DatumGetBool(slot->tts_values[1]);
	decision->a = TextDatumGetCString(slot->tts_values[2]);
	decision->b = TextDatumGetCString(slot->tts_values[3]);
	*decisions = lappend(*decisions, decision);
	return true;
}

List *
ssot_decisions_about(const SsotEntity *entity, Tuplestorestate *names, int64 nnames)
{
	static const Oid argtypes[] = {TEXTOID};
	Datum		args[] = {CStringGetTextDatum(entity->name)};
	List	   *decisions = NIL;
	SsotRelation relation = {"ssot_names", ssot_name_desc(), names, nnames};
	SsotStatement statement = {
		.sql = "SELECT d.decision_id, d.kind = 'same', d.record_a, d.record_b"
		"  FROM ssot_names AS n JOIN ssot.link_decision AS d ON d.record_a = n.name"
		" WHERE d.entity = $1 AND d.active"
		" UNION "
		"SELECT d.decision_id, d.kind = 'same', d.record_a, d.record_b"
		"  FROM ssot_names AS n JOIN ssot.link_decision AS d ON d.record_b = n.name"
		" WHERE d.entity = $1 AND d.active"
		" ORDER BY 1",
		.nargs = 1,.argtypes = argtypes,.args = args,
		.nrelations = 1,.relations = &relation
	};
	SsotUser	user = become_config_owner();

	ssot_statement_each(&statement, take_decision, &decisions);
	ssot_restore_user(user);
	return decisions;
}

static SsotQuery all_decisions = {
	"SELECT d.decision_id, d.kind = 'same', d.record_a, d.record_b"
	"  FROM ssot.link_decision AS d WHERE d.entity = $1 AND d.active"
	" ORDER BY d.record_a, d.record_b, d.decision_id",
	1, {TEXTOID}
};

List *
ssot_decisions_all(const SsotEntity *entity)
{
	Datum		name = CStringGetTextDatum(entity->name);
	List	   *decisions = NIL;
	SsotUser	user = become_config_owner();

	ssot_query_each(&all_decisions, &name, NULL, take_decision, &decisions);
	ssot_restore_user(user);
	return decisions;
}

static SsotQuery next_operation = {
	"SELECT pg_catalog.nextval('ssot.link_operation_seq')", 0, {0}
};

int64
ssot_decision_operation(void)
{
	Datum		value;
	bool		isnull;
	SsotUser	user = become_config_owner();

	ssot_query_one(&next_operation, NULL, NULL, 1, &value, &isnull);
	ssot_restore_user(user);
	return DatumGetInt64(value);
}

static SsotQuery insert_decision = {
	"INSERT INTO ssot.link_decision"
	"       (entity, operation, kind, record_a, record_b, reason, decided_by, decided_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	8, {TEXTOID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID}
};

void
ssot_decide(const SsotEntity *entity, int64 operation, bool same, const char *a,
			const char *b, const char *reason, TimestampTz t)
{
	Datum		args[8];
	bool		nulls[8] = {false};
	SsotUser	user;

	args[0] = CStringGetTextDatum(entity->name);
	args[1] = Int64GetDatum(operation);
	args[2] = CStringGetTextDatum(same ? "same" : "different");
	args[3] = CStringGetTextDatum(a);
	args[4] = CStringGetTextDatum(b);
	nulls[5] = reason == NULL;
	args[5] = reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason);
	args[6] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	args[7] = TimestampTzGetDatum(t);
	user = become_config_owner();
	ssot_query_run(&insert_decision, args, nulls);
	ssot_restore_user(user);
}

static SsotQuery end_decision = {
	"UPDATE ssot.link_decision AS d"
	"   SET active = false, ended_by = $2, ended_at = $3"
	" WHERE d.decision_id = $1 AND d.active",
	3, {INT8OID, TEXTOID, TIMESTAMPTZOID}
};

void
ssot_decision_end(int64 id, TimestampTz t)
{
	Datum		args[3];
	SsotUser	user;

	args[0] = Int64GetDatum(id);
	args[1] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	args[2] = TimestampTzGetDatum(t);
	user = become_config_owner();
	ssot_query_run(&end_decision, args, NULL);
	ssot_restore_user(user);
}
