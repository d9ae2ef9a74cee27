/*
 * golden/held_merge.c
 *		Merges that a run could not do, kept until they can be done.
 *
 * They are rows of ssot.held_merge, written as its owner. Every run tries them
 * again (link.c opens both golden records, merge_try.c merges); a row goes when
 * the merge went through, or when the records have nothing in common any more.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/query.h"
#include "common/textform.h"
#include "entity/config.h"
#include "golden/held_merge.h"
#include "golden/history.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

static SsotQuery read_held = {
	"SELECT h.lost_id, h.kept_id"
	"  FROM ssot.held_merge AS h"
	" WHERE h.entity = $1"
	" ORDER BY h.lost_id",
	1, {TEXTOID}
};

/* Copies only: we are the extension's owner here, and the ids may have a type of
 * the user's. */
static bool
take_held(TupleTableSlot *slot, void *arg)
{
	List	  **texts = (List **) arg;

	slot_getallattrs(slot);
	*texts = lappend(*texts, TextDatumGetCString(slot->tts_values[0]));
	*texts = lappend(*texts, TextDatumGetCString(slot->tts_values[1]));
	return true;
}

List *
ssot_held_merges(const SsotEntity *entity)
{
	Datum		name = CStringGetTextDatum(entity->name);
	List	   *texts = NIL;
	List	   *merges = NIL;

	ssot_config_each(&read_held, &name, NULL, take_held, &texts);
	for (int i = 0; i < list_length(texts); i += 2)
	{
		SsotHeldMerge *held = palloc0(sizeof(SsotHeldMerge));

		held->merge.lost = ssot_golden_id(entity, (const char *) list_nth(texts, i));
		held->merge.kept = ssot_golden_id(entity, (const char *) list_nth(texts, i + 1));
		merges = lappend(merges, held);
	}
	return merges;
}

static SsotQuery any_held = {
	"SELECT true FROM ssot.held_merge AS h WHERE h.entity = $1 LIMIT 1", 1, {TEXTOID}
};

bool
ssot_any_merge_held(const SsotEntity *entity)
{
	Datum		name = CStringGetTextDatum(entity->name);
	Datum		value;
	bool		isnull;

	return ssot_config_one(&any_held, &name, NULL, 1, &value, &isnull);
}

static SsotQuery forget_held = {
	"DELETE FROM ssot.held_merge AS h WHERE h.entity = $1 AND h.lost_id = $2",
	2, {TEXTOID, TEXTOID}
};

static SsotQuery keep_held = {
	"INSERT INTO ssot.held_merge AS h"
	"       (entity, lost_id, kept_id, relation, constraint_name, sqlstate, reason, detail,"
	"        first_seen, run_id)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	" ON CONFLICT (entity, lost_id) DO UPDATE"
	"   SET (kept_id, relation, constraint_name, sqlstate, reason, detail)"
	"     = ROW(EXCLUDED.kept_id, EXCLUDED.relation, EXCLUDED.constraint_name,"
	"           EXCLUDED.sqlstate, EXCLUDED.reason, EXCLUDED.detail)"
	" WHERE (h.kept_id, h.relation, h.constraint_name, h.sqlstate, h.reason, h.detail)"
	"    IS DISTINCT FROM"
	"       (EXCLUDED.kept_id, EXCLUDED.relation, EXCLUDED.constraint_name,"
	"        EXCLUDED.sqlstate, EXCLUDED.reason, EXCLUDED.detail)",
	10, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID, INT8OID}
};

static void
put_text(Datum *arg, bool *isnull, const char *text)
{
	*isnull = text == NULL;
	*arg = text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

void
ssot_held_merges_write(const SsotEntity *entity, const SsotLinking *linking,
					   TimestampTz t, int64 run_id)
{
	SsotTextForm form;
	List	   *names = NIL;	/* of lost ids that are held now */
	ListCell   *cell;

	if (linking->held == NIL && linking->reopened == NIL)
		return;
	ssot_text_form_init(&form, entity->id_type);
	foreach(cell, linking->held)
	{
		const SsotHeldMerge *held = (const SsotHeldMerge *) lfirst(cell);
		char	   *lost = ssot_text_form(&form, held->merge.lost);
		Datum		args[10];
		bool		nulls[10] = {false};

		names = lappend(names, makeString(lost));
		if (held->known)
			continue;
		args[0] = CStringGetTextDatum(entity->name);
		args[1] = CStringGetTextDatum(lost);
		args[2] = CStringGetTextDatum(ssot_text_form(&form, held->merge.kept));
		put_text(&args[3], &nulls[3], held->relation);
		put_text(&args[4], &nulls[4], held->constraint);
		args[5] = CStringGetTextDatum(unpack_sql_state(held->sqlstate));
		args[6] = CStringGetTextDatum(held->reason);
		put_text(&args[7], &nulls[7], held->detail);
		args[8] = TimestampTzGetDatum(t);
		args[9] = Int64GetDatum(run_id);
		nulls[9] = run_id == 0;
		ssot_config_run(&keep_held, args, nulls);
	}
	foreach(cell, linking->reopened)
	{
		char	   *lost = ssot_text_form(&form, ((SsotHeldMerge *) lfirst(cell))->merge.lost);
		Datum		args[] = {CStringGetTextDatum(entity->name), CStringGetTextDatum(lost)};

		if (!list_member(names, makeString(lost)))
			ssot_config_run(&forget_held, args, NULL);
	}
}
