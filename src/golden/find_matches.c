/*
 * golden/find_matches.c
 *		ssot.find_matches: records like one that is not there yet.
 *
 * A form asks before it creates: the record that somebody is typing in is weighed
 * against the units that share a blocking key with it (matcher.c), under the model
 * by which runs match. Of a key that very many units share only some are weighed:
 * a name alone that thousands have is no question that can be answered, and the
 * answer must come while the person is still typing.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/hashfn.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/settings.h"
#include "entity/json.h"
#include "golden/find_matches.h"
#include "golden/match_model.h"
#include "golden/unit.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_find_matches);

SsotMatchRules *
ssot_require_matching(const SsotEntity *entity)
{
	SsotMatchRules *rules = ssot_matching_load(entity);

	if (rules == NULL || rules->ncompared == 0 || rules->model_id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nothing was learnt yet about the records of \"%s\"", entity->name),
				 errhint(rules == NULL || rules->ncompared == 0 ?
						 "Call ssot.set_matching, then ssot.reconcile." :
						 "Call ssot.reconcile: the first run learns from the records.")));
	return rules;
}

/* ---- candidates ---------------------------------------------------------- */

typedef struct Candidate
{
	int			source_id;
	char	   *key;
	char	  **texts;
} Candidate;

typedef struct Search
{
	const SsotMatchRules *rules;
	List	   *candidates;
	int			nslots;			/* a power of two */
	Candidate **slots;			/* by the hash of what names them */
} Search;

/* The candidate of this name, in its slot; NULL in a free slot: it is new. */
static Candidate **
find_slot(const Search *search, int source_id, const char *key, int len)
{
	uint32		i = hash_bytes_extended((const unsigned char *) key, len, source_id) & (search->nslots - 1);

	while (search->slots[i] != NULL &&
		   (search->slots[i]->source_id != source_id || strncmp(search->slots[i]->key, key, len) != 0 ||
			search->slots[i]->key[len] != '\0'))
		i = (i + 1) & (search->nslots - 1);
	return &search->slots[i];
}

/* A unit that has several of the keys comes several times. */
static bool
take_candidate(TupleTableSlot *slot, void *arg)
{
	Search	   *search = (Search *) arg;
	int			source_id;
	text	   *key;
	Candidate **place;

	slot_getallattrs(slot);
	source_id = DatumGetInt32(slot->tts_values[0]);
	key = DatumGetTextPP(slot->tts_values[1]);
	place = find_slot(search, source_id, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	if (*place == NULL)
	{
		*place = palloc(sizeof(Candidate));
		(*place)->source_id = source_id;
		(*place)->key = text_to_cstring(key);
		(*place)->texts = ssot_match_texts(slot->tts_values[2], search->rules->ncompared);
		search->candidates = lappend(search->candidates, *place);
	}
	return true;
}

/*
 * SELECT m.ssot_source, m.ssot_key, m.texts
 *   FROM unnest($1) AS k (key)
 *  CROSS JOIN LATERAL (up to 101 units with the key) AS m
 */
static List *
find_candidates(const SsotEntity *entity, const SsotMatchRules *rules, SsotStoredModel *model,
				char **texts)
{
	static const Oid types[] = {INT8ARRAYOID};
	Search		search = {rules, NIL, 256};
	int64		keys[SSOT_MATCH_KEYS];
	Datum		elements[SSOT_MATCH_KEYS];
	int			n = ssot_match_keys_of(rules, model, texts, keys);
	Datum		args[1];
	SsotStatement statement = {
		.nargs = 1,.argtypes = types,.args = args,.read_only = true,.kept = true,
		.sql = ssot_sql("SELECT m.ssot_source, m.ssot_key, m.texts"
						" FROM pg_catalog.unnest($1) AS k (key)"
						" CROSS JOIN LATERAL (SELECT c.ssot_source, c.ssot_key, c.texts FROM %T AS c"
						" WHERE c.keys OPERATOR(pg_catalog.@>) ARRAY[k.key] LIMIT %d) AS m",
						entity->match_table, SSOT_LOOKUP_BLOCK + 1)
	};

	/* at least as many slots as there can be candidates, and half again */
	while (search.nslots < n * (SSOT_LOOKUP_BLOCK + 1) * 3 / 2)
		search.nslots *= 2;
	search.slots = palloc0(sizeof(Candidate *) * search.nslots);
	for (int i = 0; i < n; i++)
		elements[i] = Int64GetDatum(keys[i]);
	args[0] = PointerGetDatum(construct_array(elements, n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	if (n > 0)
		ssot_statement_each(&statement, take_candidate, &search);
	pfree(search.slots);
	return search.candidates;
}

/* ---- weighing ------------------------------------------------------------ */

/* (ssot_source, ssot_key, weight, levels) of the candidates that are alike. */
static SsotRelation
weigh(const SsotMatchRules *rules, SsotStoredModel *model, char **texts, List *candidates, double least)
{
	TupleDesc	desc = CreateTemplateTupleDesc(4);
	SsotRelation relation = {"ssot_alike", desc, tuplestore_begin_heap(true, false, work_mem), 0};
	int			n = list_length(candidates);
	Size		row = sizeof(char *) * rules->ncompared;
	char	  **all = palloc(row * (n + 1));
	SsotMatchSet *set;

	TupleDescInitEntry(desc, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 3, "weight", FLOAT8OID, -1, 0);
	TupleDescInitEntry(desc, 4, "levels", JSONBOID, -1, 0);
	memcpy(all, texts, row);
	for (int i = 0; i < n; i++)
		memcpy(all + (Size) (i + 1) * rules->ncompared, ((Candidate *) list_nth(candidates, i))->texts, row);
	set = ssot_match_set(rules, model, n + 1, all, NULL, NULL);
	for (int i = 0; i < n; i++)
	{
		const Candidate *candidate = (const Candidate *) list_nth(candidates, i);
		double		weight = ssot_match_weight(set, 0, i + 1);
		Datum		values[4];
		bool		nulls[4] = {false, false, false, false};

		if (!(weight >= least))
			continue;
		values[0] = Int32GetDatum(candidate->source_id);
		values[1] = CStringGetTextDatum(candidate->key);
		values[2] = Float8GetDatum(weight);
		values[3] = ssot_match_levels(set, 0, i + 1);
		tuplestore_putvalues(relation.rows, desc, values, nulls);
		relation.count++;
	}
	ssot_match_set_free(set);
	return relation;
}

static bool
keep_row(TupleTableSlot *slot, void *arg)
{
	SsotRelation *relation = (SsotRelation *) arg;

	tuplestore_puttupleslot(relation->rows, slot);
	relation->count++;
	return true;
}

SsotRelation
ssot_find_alike(const SsotEntity *entity, const SsotMatchRules *rules, char **texts, double least)
{
	int			level = ssot_settings_begin(false);
	SsotUser	user = ssot_become_owner(entity->relid);
	SsotStoredModel *model = ssot_match_stored(entity, rules);
	List	   *candidates = find_candidates(entity, rules, model, texts);
	SsotRelation alike = weigh(rules, model, texts, candidates, least);
	TupleDesc	desc = CreateTemplateTupleDesc(4);
	SsotRelation found = {"ssot_found", desc, tuplestore_begin_heap(true, false, work_mem), 0};
	SsotStatement statement = {.nrelations = 1,.relations = &alike,.read_only = true,.kept = true};

	TupleDescInitEntry(desc, 1, "id", entity->id_type, -1, 0);
	TupleDescInitEntry(desc, 2, "record", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 3, "weight", FLOAT8OID, -1, 0);
	TupleDescInitEntry(desc, 4, "levels", JSONBOID, -1, 0);
	statement.sql = ssot_sql("SELECT DISTINCT ON (s.%I) s.%I, y.system || ':' || s.ssot_key, a.weight, a.levels"
							 " FROM ssot_alike AS a"
							 " JOIN %T AS s ON s.ssot_key = a.ssot_key COLLATE pg_catalog.\"C\""
							 " AND s.ssot_source = a.ssot_source AND s.ssot_copy <= 0"
							 " JOIN ssot.source AS y ON y.source_id = s.ssot_source"
							 " WHERE s.%I IS NOT NULL"
							 " ORDER BY s.%I, a.weight DESC, y.rank, s.ssot_key",
							 entity->id_column, entity->id_column, entity->source_table,
							 entity->id_column, entity->id_column);
	if (alike.count > 0)
		ssot_statement_each(&statement, keep_row, &found);
	tuplestore_end(alike.rows);
	ssot_restore_user(user);
	ssot_settings_end(level);
	return found;
}

/* ---- ssot.find_matches ----------------------------------------------------- */

static void
refuse_name(const SsotEntity *entity, const SsotMatchRules *rules, const char *name)
{
	StringInfoData fields;

	initStringInfo(&fields);
	for (int i = 0; i < rules->ncompared; i++)
		for (int f = 0; f < rules->compared[i].nfields; f++)
			appendStringInfo(&fields, "%s\"%s\"", fields.len > 0 ? ", " : "",
							 entity->fields[rules->compared[i].fields[f]].name);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("\"%s\" is not compared when records of \"%s\" are matched", name, entity->name),
			 errdetail("Compared are: %s.", fields.data),
			 errhint("Name these, or declare others with ssot.set_matching.")));
}

/* A member's text: that of a string, of a number or a boolean; NULL for null. */
static char *
member_text(JsonbValue *value, const char *name)
{
	if (value->type == jbvNull)
		return NULL;
	if (value->type == jbvString)
		return ssot_json_string(value, name);
	return JsonbToCString(NULL, &JsonbValueToJsonb(value)->root, 0);
}

/* Texts of the comparisons from {"field": "value"}; errors name what is not compared. */
static char **
texts_of(const SsotEntity *entity, const SsotMatchRules *rules, Jsonb *record)
{
	JsonbValue	root = {.type = jbvBinary};
	char	  **values = palloc0(sizeof(char *) * Max(entity->nfields, 1));
	char	  **texts = palloc0(sizeof(char *) * rules->ncompared);
	ListCell   *cell;

	root.val.binary.data = &record->root;
	root.val.binary.len = VARSIZE(record);
	foreach(cell, ssot_json_pairs(&root, "the record to find"))
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);
		int			field = ssot_entity_field(entity, pair->name);
		bool		compared = false;

		for (int i = 0; i < rules->ncompared; i++)
			for (int f = 0; f < rules->compared[i].nfields; f++)
				compared |= rules->compared[i].fields[f] == field;
		if (field < 0 || !compared)
			refuse_name(entity, rules, pair->name);
		values[field] = member_text(&pair->value, pair->name);
	}
	for (int i = 0; i < rules->ncompared; i++)
	{
		char	   *parts[SSOT_MAX_COMPARED_FIELDS];

		for (int f = 0; f < rules->compared[i].nfields; f++)
			parts[f] = values[rules->compared[i].fields[f]];
		texts[i] = ssot_join_texts(parts, rules->compared[i].nfields);
	}
	return texts;
}

/*
 * find_matches(entity regclass, record jsonb, threshold float8, most int)
 *
 * Rows of the table that the caller sees, by the caller's rights:
 *
 * SELECT f.id::text, 1 / (1 + 2 ^ -f.weight), f.weight, f.record, f.levels
 *   FROM ssot_found AS f JOIN golden.customer AS g ON g.customer_id = f.id
 *  WHERE g.retired_at IS NULL
 *  ORDER BY f.weight DESC, f.id LIMIT $1
 */
Datum
ssot_find_matches(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT4OID};
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	SsotMatchRules *rules;
	double		least;
	SsotRelation found;
	Datum		args[] = {PG_GETARG_DATUM(3)};
	SsotStatement statement = {
		.nargs = 1,.argtypes = types,.args = args,.read_only = true,.kept = true,
		.nrelations = 1,.relations = &found
	};

	ssot_require_select(entity->relid);
	rules = ssot_require_matching(entity);
	least = PG_ARGISNULL(2) ? rules->review : PG_GETARG_FLOAT8(2);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(3) || !(least > 0 && least < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ssot.find_matches needs a record, a probability between 0 and 1, and a number of rows"),
				 errhint("For example: ssot.find_matches('golden.customer', '{\"name\": \"Acme Intl\"}').")));
	found = ssot_find_alike(entity, rules, texts_of(entity, rules, PG_GETARG_JSONB_P(1)),
							ssot_log_odds(least));
	statement.sql = ssot_sql("SELECT f.id::pg_catalog.text, 1 / (1 + pg_catalog.power(2, -f.weight)), f.weight,"
							 " f.record, f.levels"
							 " FROM ssot_found AS f JOIN %T AS g ON g.%I = f.id"
							 " WHERE g.retired_at IS NULL"
							 " ORDER BY f.weight DESC, f.id LIMIT $1",
							 entity->name, entity->id_column);
	ssot_statement_return(fcinfo, &statement);
	tuplestore_end(found.rows);
	PG_RETURN_NULL();
}
