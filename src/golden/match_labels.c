/*
 * golden/match_labels.c
 *		What people decided about linking, as pairs that a model can learn from.
 *
 * Two records that are one thing by decision are one unit, which says of each field
 * what the first of its records says; so as evidence each is taken with what it
 * says itself. Of two that are different things each is taken with what its unit
 * says, where it names one: what keys hold together knows more.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/decision.h"
#include "golden/match_labels.h"
#include "golden/match_model.h"
#include "golden/unit.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

typedef struct Reading
{
	const SsotMatchRules *rules;
	char	 ***own;			/* by side: the texts, or NULL */
	char	 ***of_unit;
} Reading;

static bool
take_side(TupleTableSlot *slot, void *arg)
{
	Reading    *reading = (Reading *) arg;
	int			side;

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	side = DatumGetInt64(slot->tts_values[0]) - 1;
	if (reading->own[side] != NULL)
		return true;			/* parts of one system record: the first */
	reading->own[side] = ssot_match_texts(slot->tts_values[1], reading->rules->ncompared);
	reading->of_unit[side] = slot->tts_isnull[2] ? reading->own[side] :
		ssot_match_texts(slot->tts_values[2], reading->rules->ncompared);
	return true;
}

/*
 * SELECT n.no, ARRAY[s.name::text, ...], m.texts
 *   FROM unnest($1) WITH ORDINALITY AS n (name, no)
 *   JOIN ssot.source AS y ON y.entity = $2 AND y.system = split_part(n.name, ':', 1)
 *   JOIN golden_ssot.customer_source AS s
 *     ON s.ssot_source = y.source_id AND s.ssot_key = substr(n.name, ...)
 *   LEFT JOIN golden_ssot.customer_match AS m USING (ssot_source, ssot_key)
 *  WHERE y.source_id <> <the steward's>
 *  ORDER BY n.no, y.rank, y.source_id, s.ssot_copy
 */
static void
read_sides(const SsotEntity *entity, Datum names, Reading *reading)
{
	static const Oid types[] = {TEXTARRAYOID, TEXTOID, INT4OID};
	Datum		args[] = {names, CStringGetTextDatum(entity->name),
	Int32GetDatum(entity->sources[entity->steward].source_id)};
	SsotStatement statement = {
		.nargs = 3,.argtypes = types,.args = args,
		.sql = ssot_sql("SELECT n.no, ARRAY[%s]::pg_catalog.text[], m.texts"
						"  FROM pg_catalog.unnest($1) WITH ORDINALITY AS n (name, no)"
						"  JOIN ssot.source AS y ON y.entity = $2 AND y.source_id <> $3"
						"   AND y.system = pg_catalog.split_part(n.name, ':', 1)"
						"  JOIN %T AS s ON s.ssot_source = y.source_id"
						"   AND s.ssot_key = pg_catalog.substr(n.name, pg_catalog.strpos(n.name, ':') + 1)"
						"  LEFT JOIN %T AS m ON m.ssot_source = s.ssot_source AND m.ssot_key = s.ssot_key"
						" ORDER BY n.no, y.rank, y.source_id, s.ssot_copy",
						ssot_compared_texts(entity, reading->rules), entity->source_table,
						entity->match_table)
	};
	SsotUser	user = ssot_become_owner(entity->relid);

	ssot_statement_each(&statement, take_side, reading);
	ssot_restore_user(user);
}

SsotMatchLabels *
ssot_match_labels(const SsotEntity *entity, const SsotMatchRules *rules, List *decisions)
{
	SsotMatchLabels *labels = palloc0(sizeof(SsotMatchLabels));
	int			n = list_length(decisions);
	Size		row = sizeof(char *) * rules->ncompared;
	Datum	   *names = palloc(sizeof(Datum) * Max(2 * n, 1));
	Reading		reading = {
		.rules = rules,
		.own = palloc0(sizeof(char **) * Max(2 * n, 1)),
		.of_unit = palloc0(sizeof(char **) * Max(2 * n, 1))
	};

	labels->same = palloc(sizeof(bool) * Max(n, 1));
	labels->texts = palloc(row * Max(2 * n, 1));
	for (int i = 0; i < n; i++)
	{
		const SsotDecision *decision = (const SsotDecision *) list_nth(decisions, i);

		names[2 * i] = CStringGetTextDatum(decision->a);
		names[2 * i + 1] = CStringGetTextDatum(decision->b);
	}
	if (n > 0)
		read_sides(entity, PointerGetDatum(construct_array(names, 2 * n, TEXTOID, -1, false, TYPALIGN_INT)),
				   &reading);
	for (int i = 0; i < n; i++)
	{
		bool		same = ((const SsotDecision *) list_nth(decisions, i))->same;
		char	 ***texts = same ? reading.own : reading.of_unit;

		if (texts[2 * i] == NULL || texts[2 * i + 1] == NULL)
			continue;
		for (int side = 0; side < 2; side++)
			memcpy(labels->texts + (Size) (2 * labels->n + side) * rules->ncompared,
				   texts[2 * i + side], row);
		labels->nsame += same;
		labels->same[labels->n++] = same;
	}
	return labels;
}
