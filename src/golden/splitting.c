/*
 * golden/splitting.c
 *		ssot.split and ssot.unmerge.
 *
 * Some system records leave a golden record. Decisions "same" that run between
 * those that leave and those that stay are ended; each side is tied together by
 * decisions of its own, and one decision "different" holds the two sides apart,
 * although keys may still link them. Which of the two a record belongs to that
 * arrives later is for its keys to say (obey.c).
 *
 * Undoing a merge is a split in which the leaving records get their old id back,
 * and with it the references that the merge moved.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/decision.h"
#include "golden/history.h"
#include "golden/relink.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ssot_split);
PG_FUNCTION_INFO_V1(ssot_unmerge);

/* ---- what both do -------------------------------------------------------- */

typedef struct Split
{
	SsotEntity *entity;
	Datum		id;				/* of the golden record that some leave */
	const char *id_text;
	List	   *names;			/* of all its system records */
	List	   *leaving;
	List	   *staying;
	List	   *followers;		/* names of what else leaves (the steward's) */
	bool		has_new_id;
	Datum		new_id;
	TimestampTz t;
	SsotMerger	merger;
} Split;

static void
sort_out(Split *split)
{
	ListCell   *cell;

	foreach(cell, split->names)
		if (!ssot_has_name(split->leaving, (const char *) lfirst(cell)))
		split->staying = lappend(split->staying, lfirst(cell));
	if (split->staying == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no system record would stay with record %s of \"%s\"",
						split->id_text, split->entity->name),
				 errhint("Name only those that leave.")));
}

/* Tie the names to the first of them. */
static void
tie_together(Split *split, List *names, List *decisions)
{
	ListCell   *cell;

	for_each_from(cell, names, 1)
		if (!ssot_is_decided(decisions, (const char *) linitial(names),
							 (const char *) lfirst(cell)))
		ssot_decide(split->entity, split->merger.operation, true,
					(const char *) linitial(names), (const char *) lfirst(cell),
					split->merger.reason, split->t);
}

/*
 * What was different from the whole is different from both sides: a decision
 * "different" is tied to one record, and that is on one side now.
 */
static void
pass_on_differences(Split *split, List *decisions)
{
	ListCell   *cell;

	foreach(cell, decisions)
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);
		bool		a = ssot_has_name(split->names, decision->a);
		bool		b = ssot_has_name(split->names, decision->b);
		const char *ours = a ? decision->a : decision->b;
		List	   *other = ssot_has_name(split->leaving, ours) ? split->staying : split->leaving;

		if (!decision->same && a != b)
			ssot_decide(split->entity, split->merger.operation, false,
						(const char *) linitial(other), a ? decision->b : decision->a,
						split->merger.reason, split->t);
	}
}

static void
remember_split(Split *split)
{
	List	   *decisions = ssot_decisions_around(split->entity, split->names);
	ListCell   *cell;

	foreach(cell, decisions)
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);

		if (decision->same &&
			ssot_has_name(split->leaving, decision->a) != ssot_has_name(split->leaving, decision->b))
			ssot_decision_end(decision->id, split->t);
	}
	pass_on_differences(split, decisions);
	tie_together(split, split->staying, decisions);
	tie_together(split, split->leaving, decisions);
	ssot_decide(split->entity, split->merger.operation, false,
				(const char *) linitial(split->staying), (const char *) linitial(split->leaving),
				split->merger.reason, split->t);
}

static bool
same_id(const SsotEntity *entity, Datum a, Datum b)
{
	return datum_image_eq(a, b, entity->id_typbyval, entity->id_typlen);
}

/* The id of what left. */
static Datum
check_outcome(const Split *split, const SsotLinking *linking)
{
	Datum		id = 0;
	bool		found = false;

	for (int i = 0; i < linking->nnodes; i++)
	{
		const SsotNode *node = &linking->nodes[i];

		if (!node->leaves)
			continue;
		if (!node->has_id || same_id(split->entity, node->id, split->id) ||
			(found && !same_id(split->entity, node->id, id)))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("%s cannot leave record %s of \"%s\"",
							ssot_record_name(split->entity, node->source, node->key),
							split->id_text, split->entity->name),
					 node->has_id ?
					 errdetail("Another decision ties it to a record that stays.") :
					 errdetail("None of the records that leave comes from a source that creates golden records."),
					 node->has_id ?
					 errhint("SELECT * FROM ssot.link_decision WHERE active shows all decisions.") :
					 errhint("Let a record leave with them that may stand alone.")));
		id = node->id;
		found = true;
	}
	if (!found)
		elog(ERROR, "no record has left record %s of \"%s\"", split->id_text, split->entity->name);
	return id;
}

/* The new golden record must stand: what is held would be a hole. */
static void
require_golden(const Split *split, Datum id)
{
	const SsotEntity *entity = split->entity;
	SsotStatement statement = {.nargs = 1,.argtypes = &entity->id_type,.args = &id};
	Datum		value;
	bool		isnull;
	bool		found;
	SsotUser	user = ssot_become_owner(entity->relid);

	statement.sql = ssot_sql("SELECT true FROM %T AS g WHERE g.%I = $1",
							 entity->name, entity->id_column);
	found = ssot_statement_one(&statement, 1, &value, &isnull);
	ssot_restore_user(user);
	if (!found)
	{
		char	   *held = ssot_held_reason(entity, id);

		ereport(ERROR,
				(errcode(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION),
				 errmsg("the records that leave record %s of \"%s\" cannot be a golden record",
						split->id_text, entity->name),
				 held != NULL ? errdetail("A constraint is broken: %s.", held) : 0,
				 errhint("Correct the records in their systems, then split.")));
	}
}

/* Returns the id of the new golden record. */
static Datum
apply_split(Split *split)
{
	SsotRelink	wish = {
		.ids = &split->id,.nids = 1,
		.leaving = list_concat_copy(split->leaving, split->followers),
		.has_new_id = split->has_new_id,.new_id = split->new_id,
	};
	SsotLinking *linking;
	Datum		id;

	split->merger.operation = ssot_decision_operation();
	remember_split(split);
	linking = ssot_relink_apply(split->entity, &wish, split->t, &split->merger);
	id = check_outcome(split, linking);
	require_golden(split, id);
	ssot_relink_referrers(split->entity, split->t);
	return id;
}

static char *
id_text(const SsotEntity *entity, Datum id)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(entity->id_type, &output, &is_varlena);
	return OidOutputFunctionCall(output, id);
}

/* ---- split --------------------------------------------------------------- */

/* The names in argument 2, which must be records of the golden record. */
static List *
leaving_names(FunctionCallInfo fcinfo, const Split *split)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	List	   *leaving = NIL;

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"keys\" must not be null")));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		char	   *name = nulls[i] ? NULL : TextDatumGetCString(elements[i]);

		if (name == NULL || !ssot_has_name(split->names, name))
		{
			StringInfoData all;
			ListCell   *cell;

			initStringInfo(&all);
			foreach(cell, split->names)
				appendStringInfo(&all, "%s%s", all.len > 0 ? ", " : "", (const char *) lfirst(cell));
			ereport(ERROR,
					(errcode(ERRCODE_NO_DATA_FOUND),
					 name == NULL ? errmsg("a key in argument \"keys\" is null") :
					 errmsg("%s is no system record of record %s of \"%s\"",
							name, split->id_text, split->entity->name),
					 errhint("Its system records are: %s.", all.data)));
		}
		if (!ssot_has_name(leaving, name))
			leaving = lappend(leaving, name);
	}
	if (leaving == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"keys\" names no system record"),
				 errhint("Name those that leave, as in '{crm:K1}'.")));
	return leaving;
}

/*
 * split(entity regclass, id text, keys text[], reason text)
 */
Datum
ssot_split(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_steward_entity(fcinfo);
	char	   *text = ssot_steward_text(fcinfo, 1, "id");
	Split		split = {.entity = entity,.id_text = text};

	split.merger.reason = ssot_steward_reason(fcinfo, 3);
	split.t = ssot_merge_clocks(entity);
	split.id = ssot_steward_lock(entity, text, NULL);
	split.names = ssot_member_names(entity, ssot_members(entity, &split.id, 1));
	split.leaving = leaving_names(fcinfo, &split);
	sort_out(&split);
	PG_RETURN_TEXT_P(cstring_to_text(id_text(entity, apply_split(&split))));
}

/* ---- unmerge ------------------------------------------------------------- */

typedef struct Merged
{
	char	   *kept;			/* id now */
	TimestampTz at;
	bool		by_person;
	int64		operation;
} Merged;

static SsotQuery merge_of_id = {
	.sql =
	"WITH RECURSIVE became (id, n) AS ("
	"    SELECT $2 COLLATE pg_catalog.\"C\", 0"
	"    UNION ALL"
	"    SELECT m.kept_id, b.n + 1"
	"      FROM became AS b"
	"      JOIN ssot.merged_id AS m ON m.entity = $1 AND m.lost_id = b.id"
	") CYCLE id SET is_cycle USING path"
	" SELECT (SELECT b.id FROM became AS b WHERE NOT b.is_cycle ORDER BY b.n DESC LIMIT 1),"
	"        m.merged_at, m.operation"
	"   FROM ssot.merged_id AS m"
	"  WHERE m.entity = $1 AND m.lost_id = $2",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

/* SELECT true FROM golden.customer AS g WHERE g.customer_id = $1, as the caller */
static bool
is_visible(const SsotEntity *entity, const char *id_text)
{
	Datum		id = ssot_golden_id(entity, id_text);
	Datum		value;
	bool		isnull;
	SsotStatement statement = {
		.sql = ssot_sql("SELECT true FROM %T AS g WHERE g.%I = $1", entity->name, entity->id_column),
		.nargs = 1,.argtypes = &entity->id_type,.args = &id
	};

	return ssot_statement_one(&statement, 1, &value, &isnull);
}

static Merged
require_merged(const SsotEntity *entity, const char *lost)
{
	Datum		args[] = {CStringGetTextDatum(entity->name), CStringGetTextDatum(lost)};
	Datum		values[3];
	bool		isnull[3];
	Merged		merged;
	SsotUser	user = ssot_become_owner(ssot_companion_oid("ssot.merged_id"));
	bool		found = ssot_query_one(&merge_of_id, args, NULL, 3, values, isnull);

	ssot_restore_user(user);
	/* whom a policy hides a record from does not learn what became of it */
	if (!found || !is_visible(entity, TextDatumGetCString(values[0])))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("record %s of \"%s\" was not merged", lost, entity->name),
				 errhint("SELECT * FROM ssot.merged_id shows what was; ssot.split takes records out of a golden record that was never two.")));
	merged.kept = TextDatumGetCString(values[0]);
	merged.at = DatumGetTimestampTz(values[1]);
	merged.by_person = !isnull[2];
	merged.operation = isnull[2] ? 0 : DatumGetInt64(values[2]);
	return merged;
}

/* See remember_merge in merging.c. */
static SsotQuery names_of_operation = {
	"SELECT d.record_b FROM ssot.link_decision AS d WHERE d.entity = $1 AND d.operation = $2"
	" EXCEPT "
	"SELECT d.record_a FROM ssot.link_decision AS d WHERE d.entity = $1 AND d.operation = $2",
	2, {TEXTOID, INT8OID}
};

/* The records that the lost golden record had when it was merged. */
static List *
names_of_lost(const SsotEntity *entity, const Merged *merged, Datum lost)
{
	List	   *names = NIL;
	SsotUser	user;

	if (merged->by_person)
	{
		Datum		args[] = {CStringGetTextDatum(entity->name), Int64GetDatum(merged->operation)};

		user = ssot_become_owner(ssot_companion_oid("ssot.link_decision"));
		ssot_query_each(&names_of_operation, args, NULL, ssot_take_text, &names);
	}
	else
	{
		Oid			argtypes[] = {entity->id_type, TIMESTAMPTZOID, TEXTOID};
		Datum		args[] = {lost, TimestampTzGetDatum(merged->at)};
		StringInfoData systems;
		SsotStatement statement = {.nargs = 2,.argtypes = argtypes,.args = args};

		initStringInfo(&systems);
		for (int s = 0; s < entity->nsources; s++)
			ssot_sql_append(&systems, " WHEN %d THEN %L",
							entity->sources[s].source_id, entity->sources[s].system);
		statement.sql = ssot_sql("SELECT DISTINCT CASE s.ssot_source%s END || ':' || s.ssot_key"
								 " FROM %T AS s WHERE s.%I = $1 AND s.ssot_to = $2"
								 " AND s.ssot_source <> %d AND s.ssot_copy <= 0",
								 systems.data, entity->source_history_table, entity->id_column,
								 entity->sources[entity->steward].source_id);
		user = ssot_become_owner(entity->relid);
		ssot_statement_each(&statement, ssot_take_text, &names);
	}
	ssot_restore_user(user);
	return names;
}

/* The steward's records of the lost id and of what had been merged into it. */
static SsotQuery stewards_of_lost = {
	"WITH RECURSIVE came (id) AS ("
	"    SELECT $2 COLLATE pg_catalog.\"C\""
	"    UNION"
	"    SELECT m.lost_id FROM came AS c"
	"      JOIN ssot.merged_id AS m ON m.entity = $1 AND m.into_id = c.id)"
	" SELECT $3 || ':' || c.id FROM came AS c",
	3, {TEXTOID, TEXTOID, TEXTOID}
};

static List *
followers_of_lost(const SsotEntity *entity, const char *lost)
{
	List	   *names = NIL;
	Datum		args[] = {CStringGetTextDatum(entity->name), CStringGetTextDatum(lost),
	CStringGetTextDatum(entity->sources[entity->steward].system)};
	SsotUser	user = ssot_become_owner(ssot_companion_oid("ssot.merged_id"));

	ssot_query_each(&stewards_of_lost, args, NULL, ssot_take_text, &names);
	ssot_restore_user(user);
	return names;
}

/* What had been merged into the lost id resolves to it again. */
static SsotQuery forget_merge = {
	"WITH RECURSIVE came (id) AS ("
	"    SELECT $2 COLLATE pg_catalog.\"C\""
	"    UNION"
	"    SELECT m.lost_id FROM came AS c"
	"      JOIN ssot.merged_id AS m ON m.entity = $1 AND m.into_id = c.id),"
	" again AS ("
	"    UPDATE ssot.merged_id AS m SET kept_id = $2 FROM came AS c"
	"     WHERE m.entity = $1 AND m.lost_id = c.id AND c.id <> $2)"
	" DELETE FROM ssot.merged_id AS m WHERE m.entity = $1 AND m.lost_id = $2",
	2, {TEXTOID, TEXTOID}
};

/*
 * unmerge(entity regclass, lost_id text, reason text)
 */
Datum
ssot_unmerge(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_steward_entity(fcinfo);
	Split		split = {.entity = entity,.has_new_id = true};
	char	   *lost;
	Merged		merged;
	List	   *had;
	ListCell   *cell;
	int64		unmoved;

	split.new_id = ssot_golden_id(entity, ssot_steward_text(fcinfo, 1, "lost_id"));
	lost = id_text(entity, split.new_id);
	split.merger.reason = ssot_steward_reason(fcinfo, 2);
	split.t = ssot_merge_clocks(entity);
	merged = require_merged(entity, lost);
	split.id_text = merged.kept;
	split.id = ssot_steward_lock(entity, merged.kept, NULL);
	split.names = ssot_member_names(entity, ssot_members(entity, &split.id, 1));
	had = names_of_lost(entity, &merged, split.new_id);
	foreach(cell, split.names)
		if (ssot_has_name(had, (const char *) lfirst(cell)))
		split.leaving = lappend(split.leaving, lfirst(cell));
	if (split.leaving == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no system record of record %s of \"%s\" is left to bring it back",
						lost, entity->name),
				 errhint("ssot.split takes other records out of record %s.", merged.kept)));
	sort_out(&split);
	split.followers = followers_of_lost(entity, lost);

	{
		Datum		args[] = {CStringGetTextDatum(entity->name), CStringGetTextDatum(lost)};
		SsotUser	user = ssot_become_owner(ssot_companion_oid("ssot.merged_id"));

		ssot_query_run(&forget_merge, args, NULL);
		ssot_restore_user(user);
	}
	apply_split(&split);
	unmoved = ssot_repoint_back(entity, lost, split.t);
	if (unmoved > 0)
		ereport(WARNING,
				(errmsg_plural("%lld row stays with record %s of \"%s\"",
							   "%lld rows stay with record %s of \"%s\"",
							   (unsigned long) unmoved,
							   (long long) unmoved, merged.kept, entity->name),
				 errdetail("What referred to record %s before the merge was changed or deleted since, or has no primary key to find it by.",
						   lost)));
	PG_RETURN_VOID();
}
