/*
 * golden/merging.c
 *		ssot.merge and ssot.resolve_id.
 *
 * A person says that two golden records are one thing. That is kept as decisions
 * about their system records, each tied to one of the kept golden record, so
 * that the two stay one when everything is linked from scratch, when a key that
 * held one of them together goes away, and when the record at the centre does.
 * A decision of old that held them apart is ended.
 *
 * Locks: the clocks of the entity and of those that refer to it, by name; then
 * rows.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/decision.h"
#include "golden/history.h"
#include "golden/relink.h"
#include "golden/settle.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ssot_merge);
PG_FUNCTION_INFO_V1(ssot_resolve_id);

/* ---- circles ------------------------------------------------------------- */

/*
 * WITH RECURSIVE up (id) AS (
 *     SELECT g.parent_id FROM golden.customer AS g WHERE g.customer_id = $1
 *      UNION
 *     SELECT g.parent_id FROM up JOIN golden.customer AS g ON g.customer_id = up.id)
 * SELECT true FROM up WHERE up.id = $1
 */
static bool
is_in_circle(const SsotEntity *entity, const char *column, Datum id)
{
	SsotStatement statement = {.nargs = 1,.argtypes = &entity->id_type,.args = &id};
	Datum		value;
	bool		isnull;
	bool		found;
	SsotUser	user = ssot_become_owner(entity->relid);

	statement.sql = ssot_sql("WITH RECURSIVE up (id) AS ("
							 "SELECT g.%I FROM %T AS g WHERE g.%I = $1 UNION "
							 "SELECT g.%I FROM up JOIN %T AS g ON g.%I = up.id)"
							 " SELECT true FROM up WHERE up.id = $1",
							 column, entity->name, entity->id_column,
							 column, entity->name, entity->id_column);
	found = ssot_statement_one(&statement, 1, &value, &isnull);
	ssot_restore_user(user);
	return found;
}

/* Names of the hierarchies (foreign keys to the entity itself) in which none of
 * the records is above itself. */
static List *
sound_hierarchies(const SsotEntity *entity, const Datum *ids, int nids)
{
	List	   *columns = NIL;

	for (int f = 0; f < entity->nfields; f++)
	{
		bool		circle = entity->fields[f].references != entity->relid;

		for (int i = 0; i < nids && !circle; i++)
			circle = is_in_circle(entity, entity->fields[f].name, ids[i]);
		if (!circle)
			columns = lappend(columns, entity->fields[f].name);
	}
	return columns;
}

static void
refuse_circles(const SsotEntity *entity, List *columns, Datum kept,
			   const char *keep, const char *lose)
{
	ListCell   *cell;

	foreach(cell, columns)
		if (is_in_circle(entity, (const char *) lfirst(cell), kept))
		ereport(ERROR,
				(errcode(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION),
				 errmsg("record %s of \"%s\" cannot be merged into %s", lose, entity->name, keep),
				 errdetail("The record would be above itself in the hierarchy of column \"%s\".",
						   (const char *) lfirst(cell)),
				 errhint("Correct \"%s\" of the records between them first.",
						 (const char *) lfirst(cell))));
}

/* What was whole before must not be held because of the merge. */
static void
refuse_held(const SsotEntity *entity, Datum kept, const char *keep, const char *lose)
{
	char	   *held = ssot_held_reason(entity, kept);

	if (held != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION),
				 errmsg("record %s of \"%s\" cannot be merged into %s", lose, entity->name, keep),
				 errdetail("The values of both together break a constraint: %s.", held),
				 errhint("Correct or pin the values of record %s first.", keep)));
}

/* ---- decisions ----------------------------------------------------------- */

/* The names, and those that decisions say are the same. */
static List *
names_around(List *decisions, List *names)
{
	int			before = -1;

	names = list_copy(names);
	while (before != list_length(names))
	{
		ListCell   *cell;

		before = list_length(names);
		foreach(cell, decisions)
		{
			SsotDecision *decision = (SsotDecision *) lfirst(cell);
			bool		a = ssot_has_name(names, decision->a);
			bool		b = ssot_has_name(names, decision->b);

			if (decision->same && a != b)
				names = lappend(names, unconstify(char *, a ? decision->b : decision->a));
		}
	}
	return names;
}

/* End what holds the two groups of records apart. */
static void
end_differences(const SsotEntity *entity, List *kept, List *lost, TimestampTz t)
{
	List	   *decisions = ssot_decisions_around(entity, list_concat_copy(kept, lost));
	ListCell   *cell;

	kept = names_around(decisions, kept);
	lost = names_around(decisions, lost);
	foreach(cell, decisions)
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);

		if (!decision->same &&
			((ssot_has_name(kept, decision->a) && ssot_has_name(lost, decision->b)) ||
			 (ssot_has_name(lost, decision->a) && ssot_has_name(kept, decision->b))))
			ssot_decision_end(decision->id, t);
	}
}

/*
 * Everything is tied to the first record of the kept golden record, the hub. The
 * hub is record_a where the other record is of the lost golden record, else
 * record_b: ssot.unmerge tells by that who came from where.
 */
static void
remember_merge(const SsotEntity *entity, List *kept, List *lost, const SsotMerger *merger,
			   TimestampTz t)
{
	List	   *decisions = ssot_decisions_around(entity, kept);
	const char *hub;
	ListCell   *cell;

	if (kept == NIL || lost == NIL)
		return;
	hub = (const char *) linitial(kept);
	foreach(cell, kept)
		if (lfirst(cell) != hub &&
			!ssot_is_decided(decisions, (const char *) lfirst(cell), hub))
		ssot_decide(entity, merger->operation, true, (const char *) lfirst(cell), hub,
					merger->reason, t);
	foreach(cell, lost)
		ssot_decide(entity, merger->operation, true, hub, (const char *) lfirst(cell),
					merger->reason, t);
}

/* ---- merge --------------------------------------------------------------- */

static bool
same_id(const SsotEntity *entity, Datum a, Datum b)
{
	return datum_image_eq(a, b, entity->id_typbyval, entity->id_typlen);
}

/* Link the two anew; a lost record without any system record only has
 * references to move. */
static void
apply_merge(const SsotEntity *entity, const Datum *ids, bool lost_has_records,
			TimestampTz t, const SsotMerger *merger, const char *keep, const char *lose)
{
	SsotRelink	wish = {.ids = ids,.nids = 2,.merge = true};
	SsotLinking *linking;

	if (!lost_has_records)
	{
		SsotMerge	merge = {ids[1], ids[0]};

		ssot_merge_move(entity, &merge, 1, t, merger);
		ssot_merge_finish(entity, &merge, 1, t, merger);
		ssot_settle_ids(entity, ids, 2, t);
		return;
	}
	linking = ssot_relink_apply(entity, &wish, t, merger);
	for (int i = 0; i < linking->nmerges; i++)
		if (same_id(entity, linking->merges[i].lost, ids[1]) &&
			same_id(entity, linking->merges[i].kept, ids[0]))
			return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("record %s of \"%s\" cannot be merged into %s", lose, entity->name, keep),
			 errdetail("An earlier decision holds some of their system records apart."),
			 errhint("SELECT * FROM ssot.link_decision WHERE active AND kind = 'different'")));
}

/*
 * merge(entity regclass, keep text, lose text, reason text)
 */
Datum
ssot_merge(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_steward_entity(fcinfo);
	char	   *keep = ssot_steward_text(fcinfo, 1, "keep");
	char	   *lose = ssot_steward_text(fcinfo, 2, "lose");
	SsotMerger	merger = {0, 0, ssot_steward_reason(fcinfo, 3)};
	TimestampTz t = ssot_merge_clocks(entity);
	Datum		ids[2];
	List	   *kept;
	List	   *lost;
	List	   *lost_members;
	List	   *hierarchies;
	char	   *held;

	ids[0] = ssot_steward_lock(entity, keep, NULL);
	ids[1] = ssot_steward_lock(entity, lose, NULL);
	if (same_id(entity, ids[0], ids[1]))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("record %s of \"%s\" cannot be merged into itself", lose, entity->name)));
	kept = ssot_member_names(entity, ssot_members(entity, &ids[0], 1));
	lost_members = ssot_members(entity, &ids[1], 1);
	lost = ssot_member_names(entity, lost_members);
	if (kept == NIL && lost_members != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("record %s of \"%s\" has no system record left to merge with",
						keep, entity->name),
				 errhint("Merge the other way round: ssot.merge('%s', '%s', '%s').",
						 entity->name, lose, keep)));

	hierarchies = sound_hierarchies(entity, ids, 2);
	held = ssot_held_reason(entity, ids[0]);
	merger.operation = ssot_decision_operation();
	end_differences(entity, kept, lost, t);
	remember_merge(entity, kept, lost, &merger, t);
	apply_merge(entity, ids, lost_members != NIL, t, &merger, keep, lose);
	if (held == NULL)
		refuse_held(entity, ids[0], keep, lose);
	refuse_circles(entity, hierarchies, ids[0], keep, lose);
	PG_RETURN_VOID();
}

/* ---- resolve_id ---------------------------------------------------------- */

static SsotQuery follow_merges = {
	.sql =
	"WITH RECURSIVE became (id, n) AS ("
	"    SELECT $2 COLLATE pg_catalog.\"C\", 0"
	"    UNION ALL"
	"    SELECT m.kept_id, b.n + 1"
	"      FROM became AS b"
	"      JOIN ssot.merged_id AS m ON m.entity = $1 AND m.lost_id = b.id"
	") CYCLE id SET is_cycle USING path"
	" SELECT b.id FROM became AS b WHERE NOT b.is_cycle ORDER BY b.n DESC LIMIT 1",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID},
	.read_only = true
};

/*
 * resolve_id(entity regclass, id text): an id that is in the table was never
 * merged away, so the end of the chain is the answer if the caller sees it.
 */
Datum
ssot_resolve_id(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	Datum		id = ssot_golden_id(entity, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Datum		args[2];
	Datum		value;
	bool		isnull;
	SsotStatement statement = {
		.sql = ssot_sql("SELECT g.%I::text FROM %T AS g WHERE g.%I = $1",
						entity->id_column, entity->name, entity->id_column),
		.nargs = 1,.argtypes = &entity->id_type,.args = &id,.read_only = true
	};
	SsotUser	user;
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(entity->id_type, &output, &is_varlena);
	args[0] = CStringGetTextDatum(entity->name);
	args[1] = CStringGetTextDatum(OidOutputFunctionCall(output, id));
	user = ssot_become_owner(ssot_companion_oid("ssot.merged_id"));
	ssot_query_one(&follow_merges, args, NULL, 1, &value, &isnull);
	ssot_restore_user(user);
	id = ssot_golden_id(entity, TextDatumGetCString(value));
	if (!ssot_statement_one(&statement, 1, &value, &isnull))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(value);
}
