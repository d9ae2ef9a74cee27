/*
 * golden/match_decide.c
 *		ssot.confirm_match and ssot.reject_match: a person decides about a pair.
 *
 * A decision names two system records and is remembered like those of ssot.merge
 * and ssot.split, so every later run obeys it, whatever keys and models say.
 * Where the two records have golden records already, confirming is merging these
 * and rejecting is splitting theirs, with all that ssot.merge and ssot.split ask
 * for and do; else the decision alone is written, for when it comes to matter.
 *
 * Locks: the clocks of the entity and of those that refer to it, by name, before
 * it is read which golden records the two belong to; then as ssot.merge and
 * ssot.split.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/decision.h"
#include "golden/relink.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_confirm_match);
PG_FUNCTION_INFO_V1(ssot_reject_match);

extern Datum ssot_merge(PG_FUNCTION_ARGS);
extern Datum ssot_split(PG_FUNCTION_ARGS);

/* What a call is about. */
typedef struct Verdict
{
	SsotEntity *entity;
	char	   *a;				/* system records */
	char	   *b;
	char	   *a_id;			/* their golden ids as text, or NULL */
	char	   *b_id;
	char	   *first_id;		/* the smaller of the two */
	char	   *reason;
	TimestampTz t;
} Verdict;

/* ---- which golden records -------------------------------------------------- */

typedef struct Found
{
	Verdict    *verdict;
	bool		a;
	bool		b;
} Found;

static bool
take_record(TupleTableSlot *slot, void *arg)
{
	Found	   *found = (Found *) arg;
	Verdict    *verdict = found->verdict;
	bool		of_a;
	char	   *id;

	slot_getallattrs(slot);
	of_a = DatumGetBool(slot->tts_values[0]);
	*(of_a ? &found->a : &found->b) = true;
	if (slot->tts_isnull[1])
		return true;
	id = TextDatumGetCString(slot->tts_values[1]);
	*(of_a ? &verdict->a_id : &verdict->b_id) = id;
	if (verdict->first_id == NULL)
		verdict->first_id = id;
	return true;
}

/*
 * SELECT y.system || ':' || s.ssot_key = $1, s.customer_id::text
 *   FROM golden_ssot.customer_source AS s
 *   JOIN ssot.source AS y ON y.source_id = s.ssot_source
 *  WHERE (s.ssot_key = $3 AND y.system = $2) OR (...)
 *  ORDER BY s.customer_id
 */
static void
find_records(Verdict *verdict)
{
	static const Oid types[] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	const SsotEntity *entity = verdict->entity;
	Found		found = {verdict, false, false};
	const char *names[] = {verdict->a, verdict->b};
	Datum		args[5];
	SsotStatement statement = {
		.nargs = 5,.argtypes = types,.args = args,
		.sql = ssot_sql("SELECT y.system = $1 AND s.ssot_key = $2, s.%I::pg_catalog.text"
						"  FROM %T AS s"
						"  JOIN ssot.source AS y ON y.source_id = s.ssot_source"
						" WHERE (s.ssot_key = $2 AND y.system = $1)"
						"    OR (s.ssot_key = $4 AND y.system = $3 AND y.entity = $5)"
						" ORDER BY s.%I", entity->id_column, entity->source_table,
						entity->id_column)
	};
	SsotUser	user;

	for (int i = 0; i < 2; i++)
	{
		const char *colon = strchr(names[i], ':');

		if (colon == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" does not name a system record", names[i]),
					 errdetail("A record is named by its system and key, as in \"crm:K1\"."),
					 errhint("SELECT record_a, record_b FROM ssot.match_review shows those that wait.")));
		args[2 * i] = PointerGetDatum(cstring_to_text_with_len(names[i], colon - names[i]));
		args[2 * i + 1] = CStringGetTextDatum(colon + 1);
	}
	args[4] = CStringGetTextDatum(entity->name);
	user = ssot_become_owner(ssot_companion_oid(entity->source_table));
	ssot_statement_each(&statement, take_record, &found);
	ssot_restore_user(user);
	if (!found.a || !found.b)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("record %s of \"%s\" does not exist", found.a ? verdict->b : verdict->a,
						entity->name),
				 errhint("SELECT record_a, record_b FROM ssot.match_review shows pairs that wait.")));
}

/* ---- deciding -------------------------------------------------------------- */

static void
begin_verdict(FunctionCallInfo fcinfo, Verdict *verdict)
{
	memset(verdict, 0, sizeof(Verdict));
	verdict->entity = ssot_steward_entity(fcinfo);
	verdict->a = ssot_steward_text(fcinfo, 1, "record_a");
	verdict->b = ssot_steward_text(fcinfo, 2, "record_b");
	verdict->reason = ssot_steward_reason(fcinfo, 3);
	if (strcmp(verdict->a, verdict->b) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("record %s is compared with itself", verdict->a)));
	verdict->t = ssot_merge_clocks(verdict->entity);
	find_records(verdict);

	/* who may correct the golden records may decide about them */
	if (verdict->a_id != NULL)
		(void) ssot_steward_lock(verdict->entity, verdict->a_id, NULL);
	if (verdict->b_id != NULL)
		(void) ssot_steward_lock(verdict->entity, verdict->b_id, NULL);
	if (verdict->a_id == NULL || verdict->b_id == NULL)
		ssot_require_ownership(verdict->entity->relid);
}

static bool
in_one_golden_record(const Verdict *verdict)
{
	return verdict->a_id != NULL && verdict->b_id != NULL &&
		strcmp(verdict->a_id, verdict->b_id) == 0;
}

/* Call ssot.merge or ssot.split as SQL would, with the verdict's reason. */
static void
call(PGFunction function, const Verdict *verdict, Datum second, Datum third)
{
	LOCAL_FCINFO(fcinfo, 4);

	InitFunctionCallInfoData(*fcinfo, NULL, 4, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(verdict->entity->relid);
	fcinfo->args[1].value = second;
	fcinfo->args[2].value = third;
	fcinfo->args[3].value = verdict->reason ? CStringGetTextDatum(verdict->reason) : (Datum) 0;
	fcinfo->args[3].isnull = verdict->reason == NULL;
	for (int i = 0; i < 3; i++)
		fcinfo->args[i].isnull = false;
	(void) function(fcinfo);
}

/*
 * Write the decision, unless it is in force; one of the opposite kind about the
 * same two records ends.
 */
static void
remember(const Verdict *verdict, bool same)
{
	List	   *names = list_make2(verdict->a, verdict->b);
	ListCell   *cell;
	bool		there = false;

	foreach(cell, ssot_decisions_around(verdict->entity, names))
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);

		if (!ssot_has_name(names, decision->a) || !ssot_has_name(names, decision->b))
			continue;
		if (decision->same == same)
			there = true;
		else
			ssot_decision_end(decision->id, verdict->t);
	}
	if (!there)
		ssot_decide(verdict->entity, ssot_decision_operation(), same, verdict->a, verdict->b,
					verdict->reason, verdict->t);
}

static SsotQuery done_query = {
	.sql =
	"DELETE FROM ssot.match_pair AS p"
	" WHERE p.entity = $1"
	"   AND ((p.record_a = $2 AND p.record_b = $3) OR (p.record_a = $3 AND p.record_b = $2))",
	.nargs = 3,
	.argtypes = {TEXTOID, TEXTOID, TEXTOID}
};

/* The pair waits no more. */
static void
end_waiting(const Verdict *verdict)
{
	Datum		args[3];
	SsotUser	user;

	args[0] = CStringGetTextDatum(verdict->entity->name);
	args[1] = CStringGetTextDatum(verdict->a);
	args[2] = CStringGetTextDatum(verdict->b);
	user = ssot_become_owner(ssot_companion_oid("ssot.match_pair"));
	ssot_query_run(&done_query, args, NULL);
	ssot_restore_user(user);
}

/*
 * confirm_match(entity regclass, record_a text, record_b text, reason text)
 * returns text: the golden id of both, or null if they have none
 */
Datum
ssot_confirm_match(PG_FUNCTION_ARGS)
{
	Verdict		verdict;

	begin_verdict(fcinfo, &verdict);
	if (verdict.a_id != NULL && verdict.b_id != NULL && !in_one_golden_record(&verdict))
	{
		const char *keep = verdict.first_id;
		const char *lose = strcmp(keep, verdict.a_id) == 0 ? verdict.b_id : verdict.a_id;

		call(ssot_merge, &verdict, CStringGetTextDatum(keep), CStringGetTextDatum(lose));
	}
	remember(&verdict, true);
	end_waiting(&verdict);
	if (verdict.first_id == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(verdict.first_id));
}

/*
 * reject_match(entity regclass, record_a text, record_b text, reason text)
 */
Datum
ssot_reject_match(PG_FUNCTION_ARGS)
{
	Verdict		verdict;

	begin_verdict(fcinfo, &verdict);
	if (in_one_golden_record(&verdict))
	{
		Datum		leaving = CStringGetTextDatum(verdict.b);

		call(ssot_split, &verdict, CStringGetTextDatum(verdict.a_id),
			 PointerGetDatum(construct_array(&leaving, 1, TEXTOID, -1, false, TYPALIGN_INT)));
	}
	remember(&verdict, false);
	end_waiting(&verdict);
	PG_RETURN_VOID();
}
