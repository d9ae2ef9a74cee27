/*
 * golden/match_explain.c
 *		ssot.explain_match and ssot.match_weights: what speaks for and against two
 *		records being one thing.
 *
 * Both weigh as runs do, under the model in force. A record that names a unit
 * (golden/unit.h) is weighed with what its unit says, any other with what it says
 * itself.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "golden/find_matches.h"
#include "golden/match_model.h"
#include "golden/relink.h"
#include "golden/unit.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include <math.h>

PG_FUNCTION_INFO_V1(ssot_explain_match);
PG_FUNCTION_INFO_V1(ssot_match_weights);

/* The texts of records that were asked for. */
typedef struct Asked
{
	const SsotMatchRules *rules;
	int			n;
	char	  **texts;			/* [n][ncompared] */
	bool	   *found;
} Asked;

static bool
take_texts(TupleTableSlot *slot, void *arg)
{
	Asked	   *asked = (Asked *) arg;
	char	  **texts;
	int			i;

	slot_getallattrs(slot);
	i = DatumGetInt64(slot->tts_values[0]) - 1;
	if (asked->found[i])
		return true;			/* parts of one system record: the first */
	asked->found[i] = true;
	texts = ssot_match_texts(slot->tts_values[1], asked->rules->ncompared);
	memcpy(asked->texts + (Size) i * asked->rules->ncompared, texts,
		   sizeof(char *) * asked->rules->ncompared);
	return true;
}

/*
 * SELECT n.no, coalesce(m.texts, ARRAY[s.name::text, ...])
 *   FROM unnest($1) WITH ORDINALITY AS n (name, no)
 *   JOIN ssot.source AS y ON y.entity = $2 AND y.system = split_part(n.name, ':', 1)
 *   JOIN golden_ssot.customer_source AS s
 *     ON s.ssot_source = y.source_id AND s.ssot_key = substr(n.name, ...)
 *   LEFT JOIN golden_ssot.customer_match AS m USING (ssot_source, ssot_key)
 *  ORDER BY n.no, y.rank, y.source_id, s.ssot_copy
 */
static void
read_texts(const SsotEntity *entity, Datum names, Asked *asked)
{
	static const Oid types[] = {TEXTARRAYOID, TEXTOID};
	Datum		args[] = {names, CStringGetTextDatum(entity->name)};
	SsotStatement statement = {
		.nargs = 2,.argtypes = types,.args = args,.read_only = true,
		.sql = ssot_sql("SELECT n.no, COALESCE(m.texts, ARRAY[%s]::pg_catalog.text[])"
						"  FROM pg_catalog.unnest($1) WITH ORDINALITY AS n (name, no)"
						"  JOIN ssot.source AS y ON y.entity = $2"
						"   AND y.system = pg_catalog.split_part(n.name, ':', 1)"
						"  JOIN %T AS s ON s.ssot_source = y.source_id"
						"   AND s.ssot_key = pg_catalog.substr(n.name, pg_catalog.strpos(n.name, ':') + 1)"
						"  LEFT JOIN %T AS m ON m.ssot_source = s.ssot_source AND m.ssot_key = s.ssot_key"
						" ORDER BY n.no, y.rank, y.source_id, s.ssot_copy",
						ssot_compared_texts(entity, asked->rules), entity->source_table,
						entity->match_table)
	};
	int			level = ssot_settings_begin(false);

	ssot_statement_each(&statement, take_texts, asked);
	ssot_settings_end(level);
}

static SsotMatchRules *
require_model(const SsotEntity *entity)
{
	ssot_require_select(ssot_companion_oid(entity->source_table));
	ssot_require_select(ssot_companion_oid(entity->match_table));
	return ssot_require_matching(entity);
}

/* The records of the array, ready to be weighed. */
static SsotMatchSet *
weighable(const SsotEntity *entity, const SsotMatchRules *rules, Datum names, int n, Asked *asked)
{
	asked->rules = rules;
	asked->n = n;
	asked->texts = palloc0(sizeof(char *) * (Size) Max(n, 1) * rules->ncompared);
	asked->found = palloc0(Max(n, 1));
	read_texts(entity, names, asked);
	return ssot_match_set(rules, ssot_match_stored(entity, rules), n, asked->texts, NULL, NULL);
}

static double
probability(double weight)
{
	return 1.0 / (1.0 + exp2(-weight));
}

/* ---- explain_match --------------------------------------------------------- */

/* A value as people read it: several columns parted by a blank. */
static Datum
shown_value(const char *text, bool *isnull)
{
	char	   *value;

	*isnull = text == NULL;
	if (text == NULL)
		return (Datum) 0;
	value = pstrdup(text);
	for (char *p = value; *p; p++)
		if (*p == SSOT_FIELD_SEPARATOR)
			*p = ' ';
	return CStringGetTextDatum(value);
}

static void
put_step(ReturnSetInfo *result, int step, const char *comparison, const char *kind,
		 const char *level, const char *a, const char *b, double weight, double total)
{
	Datum		values[9];
	bool		nulls[9] = {false};

	values[0] = Int32GetDatum(step);
	values[1] = CStringGetTextDatum(comparison);
	nulls[2] = kind == NULL;
	values[2] = kind ? CStringGetTextDatum(kind) : (Datum) 0;
	values[3] = shown_value(a, &nulls[3]);
	values[4] = shown_value(b, &nulls[4]);
	nulls[5] = level == NULL;
	values[5] = level ? CStringGetTextDatum(level) : (Datum) 0;
	values[6] = Float8GetDatum(weight);
	values[7] = Float8GetDatum(total);
	values[8] = Float8GetDatum(probability(total));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* The ties in which the two records agree on both comparisons. */
static void
put_ties(ReturnSetInfo *result, const SsotMatchSet *set, const SsotMatchRules *rules, double total)
{
	int			step = rules->ncompared;
	int			f;
	int			g;
	double		weight;

	for (int tie = 0; ssot_match_tie(set, tie, 0, 1, &f, &g, &weight); tie++)
		if (weight != 0)
			put_step(result, ++step, psprintf("%s + %s", rules->compared[f].name, rules->compared[g].name),
					 "tie", "both equal", NULL, NULL, weight, total += weight);
}

/*
 * explain_match(entity regclass, record_a text, record_b text) returns a row per
 * step: the prior, each comparison, and what these say twice. Adds up to the weight
 * that a run gives.
 */
Datum
ssot_explain_match(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SsotEntity *entity = ssot_steward_entity(fcinfo);
	const char *names[] = {ssot_steward_text(fcinfo, 1, "record_a"),
	ssot_steward_text(fcinfo, 2, "record_b")};
	Datum		elements[] = {CStringGetTextDatum(names[0]), CStringGetTextDatum(names[1])};
	SsotMatchRules *rules = require_model(entity);
	Asked		asked;
	SsotMatchSet *set;
	double		total;

	InitMaterializedSRF(fcinfo, 0);
	set = weighable(entity, rules,
					PointerGetDatum(construct_array(elements, 2, TEXTOID, -1, false, TYPALIGN_INT)),
					2, &asked);
	for (int i = 0; i < 2; i++)
		if (!asked.found[i])
			ereport(ERROR,
					(errcode(ERRCODE_NO_DATA_FOUND),
					 errmsg("record %s of \"%s\" does not exist", names[i], entity->name),
					 errhint("A record is named by its system and key, as in \"crm:K1\".")));
	total = ssot_match_prior(set);
	put_step(result, 0, "prior", NULL, rules->prior > 0 ? "given" : NULL, NULL, NULL, total, total);
	for (int i = 0; i < rules->ncompared; i++)
	{
		const char *level;
		double		weight = ssot_match_field(set, i, 0, 1, &level);

		total += weight;
		put_step(result, i + 1, rules->compared[i].name, rules->compared[i].kind, level,
				 asked.texts[i], asked.texts[rules->ncompared + i], weight, total);
	}
	put_ties(result, set, rules, total);
	ssot_match_set_free(set);
	return (Datum) 0;
}

/* ---- match_weights --------------------------------------------------------- */

static char **
text_elements(Datum array, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	char	  **texts;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, n);
	texts = palloc0(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		if (!nulls[i])
			texts[i] = TextDatumGetCString(elements[i]);
	return texts;
}

/*
 * match_weights(entity regclass, record_a text[], record_b text[]) returns a row
 * per pair of records that exist.
 */
Datum
ssot_match_weights(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	SsotMatchRules *rules = require_model(entity);
	int			na;
	int			nb;
	char	  **a = text_elements(PG_GETARG_DATUM(1), &na);
	char	  **b = text_elements(PG_GETARG_DATUM(2), &nb);
	Datum	   *names = palloc(sizeof(Datum) * Max(na + nb, 1));
	Asked		asked;
	SsotMatchSet *set;

	if (na != nb)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("record_a has %d elements and record_b %d", na, nb),
				 errdetail("The records at one place in both make a pair.")));
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < na; i++)
	{
		names[i] = CStringGetTextDatum(a[i] ? a[i] : "");
		names[na + i] = CStringGetTextDatum(b[i] ? b[i] : "");
	}
	set = weighable(entity, rules,
					PointerGetDatum(construct_array(names, na + nb, TEXTOID, -1, false, TYPALIGN_INT)),
					na + nb, &asked);
	for (int i = 0; i < na; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {false};
		double		weight;

		CHECK_FOR_INTERRUPTS();
		if (!asked.found[i] || !asked.found[na + i])
			continue;
		weight = ssot_match_weight(set, i, na + i);
		values[0] = names[i];
		values[1] = names[na + i];
		values[2] = Float8GetDatum(weight);
		values[3] = Float8GetDatum(probability(weight));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	ssot_match_set_free(set);
	return (Datum) 0;
}
