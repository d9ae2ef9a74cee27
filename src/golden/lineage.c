/*
 * golden/lineage.c
 *		ssot.lineage: for each field of one golden record, where its value comes
 *		from, by which rule, and what every other record says.
 *
 * The records are read and judged as a run would, so the answer explains the
 * value that survivorship gives now. It is the golden value unless the merged
 * record is held; then the first row says so.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "common/textform.h"
#include "entity/config.h"
#include "golden/evidence.h"
#include "golden/history.h"
#include "golden/hold.h"
#include "golden/settle.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rls.h"
#include "utils/timestamp.h"

#define LINEAGE_COLUMNS 13

/* One answer on its way. */
typedef struct Lineage
{
	const SsotEntity *entity;
	SsotSurvivor *survivor;
	SsotTextForm *forms;		/* by field */
	const Datum *golden;		/* by field: as the table has it */
	const bool *golden_nulls;
	ReturnSetInfo *result;
} Lineage;

static SsotQuery merged_query = {
	.sql =
	"SELECT m.kept_id\n"
	"FROM ssot.merged_id AS m\n"
	"WHERE m.entity = $1 AND m.lost_id = $2",
	.nargs = 2,
	.argtypes = {TEXTOID, TEXTOID}
};

/* SELECT g.name, ... FROM golden.customer AS g WHERE g.customer_id = $1 */
static void
read_golden(const SsotEntity *entity, Datum id, const char *id_text,
			Datum *values, bool *nulls)
{
	Oid			argtypes[1] = {entity->id_type};
	SsotStatement statement = {.nargs = 1,.argtypes = argtypes,.args = &id,.read_only = true};
	Datum		args[2] = {CStringGetTextDatum(entity->name), CStringGetTextDatum(id_text)};
	Datum		kept;
	bool		isnull;

	statement.sql = ssot_sql("SELECT %s%sg.%I FROM %T AS g WHERE g.%I = $1",
							 ssot_field_list(entity, "g."), entity->nfields == 0 ? "" : ", ",
							 entity->id_column, ssot_relation_name(entity->relid),
							 entity->id_column);
	if (ssot_statement_one(&statement, entity->nfields, values, nulls))
		return;
	/* whoever sees some records only is not told of others */
	if (check_enable_rls(entity->relid, InvalidOid, true) != RLS_ENABLED &&
		ssot_config_one(&merged_query, args, NULL, 1, &kept, &isnull))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("record %s of \"%s\" was merged away", id_text, entity->name),
				 errhint("It was merged into record %s: ask for the lineage of that one.",
						 TextDatumGetCString(kept))));
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("entity \"%s\" has no record %s that you may see", entity->name, id_text),
			 errhint("Look for the record in %s; row-level policies may hide it from you.",
					 entity->name)));
}

static char *
value_text(Lineage *lineage, int f, Datum value, bool isnull)
{
	return isnull ? NULL : ssot_text_form(&lineage->forms[f], value);
}

/* Does a record have anything to say about a field? */
static bool
speaks(const SsotEntity *entity, const SsotRecord *record, int f)
{
	const SsotSource *source = &entity->sources[record->source];

	if (source->is_steward)
		return ssot_record_detail(record, entity->fields[f].name, "by") != NULL;
	return source->maps[f] || !record->nulls[f];
}

/* Insertion sort: candidates in the order in which they would win. */
static int
order_candidates(Lineage *lineage, const SsotGroup *group, int f, int *order)
{
	int			n = 0;

	for (int r = 0; r < group->nrecords; r++)
	{
		SsotRule	rule;
		int			i;

		if (!speaks(lineage->entity, &group->records[r], f) ||
			!ssot_is_candidate(lineage->survivor, group, r, f))
			continue;
		for (i = n++; i > 0; i--)
		{
			if (ssot_compare_candidates(lineage->survivor, group, f, order[i - 1], r, &rule) <= 0)
				break;
			order[i] = order[i - 1];
		}
		order[i] = r;
	}
	return n;
}

/* Who pinned a field, when and why. */
static char *
pin_text(const SsotEntity *entity, const SsotRecord *record, int f)
{
	const char *name = entity->fields[f].name;
	char	   *reason = ssot_record_detail(record, name, "reason");
	char	   *overruled = ssot_record_detail(record, name, "overruled");

	return psprintf("pinned by %s at %s%s%s%s%s",
					ssot_record_detail(record, name, "by"),
					ssot_record_detail(record, name, "at"),
					reason == NULL ? "" : ": ", reason == NULL ? "" : reason,
					overruled == NULL ? "" : "; overrules ", overruled == NULL ? "" : overruled);
}

static char *
winner_reason(Lineage *lineage, const SsotGroup *group, int f, const SsotWinner *winner)
{
	const SsotEntity *entity = lineage->entity;
	const SsotRecord *record = &group->records[winner->record];
	char	   *survived = value_text(lineage, f, record->values[f], record->nulls[f]);
	char	   *golden = value_text(lineage, f, lineage->golden[f], lineage->golden_nulls[f]);
	char	   *reason;

	switch (winner->rule)
	{
		case SSOT_RULE_PIN:
			reason = pin_text(entity, record, f);
			break;
		case SSOT_RULE_ONLY:
			reason = pstrdup("no other record has a value that may win");
			break;
		case SSOT_RULE_CLEARED:
			reason = pstrdup("its saying that there is no value wins, by the field's null policy");
			break;
		case SSOT_RULE_GROUP:
			reason = psprintf("survives with the field group \"%s\"", entity->fields[f].group);
			break;
		default:
			reason = psprintf("wins by %s", ssot_rule_name(winner->rule));
	}
	if ((survived == NULL) != (golden == NULL) ||
		(survived != NULL && strcmp(survived, golden) != 0))
		reason = psprintf("%s; but the table has %s: see ssot.held", reason,
						  golden == NULL ? "no value" : golden);
	return reason;
}

/* What made the winner come before a candidate. */
static char *
loser_reason(Lineage *lineage, const SsotGroup *group, int f, int winner, int r)
{
	const SsotRecord *won = &group->records[winner];
	const SsotRecord *lost = &group->records[r];
	SsotRule	rule;

	if (!won->nulls[f] && !lost->nulls[f] &&
		strcmp(value_text(lineage, f, won->values[f], false),
			   value_text(lineage, f, lost->values[f], false)) == 0)
		return pstrdup("has the same value");
	(void) ssot_compare_candidates(lineage->survivor, group, f, winner, r, &rule);
	switch (rule)
	{
		case SSOT_RULE_PIN:
			return pstrdup("overruled by the pin");
		case SSOT_RULE_AUTHORITY:
			return psprintf("%s is believed before %s",
							lineage->entity->sources[won->source].system,
							lineage->entity->sources[lost->source].system);
		case SSOT_RULE_RECENT:
		case SSOT_RULE_SOURCE_TIME:
			return pstrdup("its source time is older, or it has none");
		case SSOT_RULE_OLDEST:
			return pstrdup("its source time is younger, or it has none");
		case SSOT_RULE_FREQUENT:
			return pstrdup("fewer records have its value");
		case SSOT_RULE_LONGEST:
			return pstrdup("its value is shorter");
		case SSOT_RULE_MIN:
			return pstrdup("its value is greater");
		case SSOT_RULE_MAX:
			return pstrdup("its value is smaller");
		case SSOT_RULE_SOURCE_RANK:
			return pstrdup("its source comes later in rank");
		case SSOT_RULE_VALUE:
			return pstrdup("all else being equal, its value comes later in order");
		case SSOT_RULE_KEY:
			return pstrdup("all else being equal, its key comes later in order");
		default:
			return psprintf("loses by %s", ssot_rule_name(rule));
	}
}

/* Why a record is not even in the race. */
static char *
excluded_reason(Lineage *lineage, const SsotGroup *group, int f, int r)
{
	const SsotEntity *entity = lineage->entity;
	const SsotField *field = &entity->fields[f];
	const SsotRecord *record = &group->records[r];
	const SsotSource *source = &entity->sources[record->source];
	char	   *text;

	if (record->copy > 0)
		return pstrdup("superseded by another row of the same key");
	if (record->copy < 0)
		return pstrdup("merged into another record by its source");
	if (source->consumer)
		return psprintf("%s is a consumer: it only drifts", source->name);
	if (entity->authority[f * entity->nsources + record->source] < 0)
		return psprintf("%s is not among the systems that are believed", source->system);
	if ((text = ssot_record_detail(record, field->name, "reason")) != NULL)
		return psprintf("%s: %s", text,
						ssot_record_detail(record, field->name, "raw") == NULL ? "no value" :
						ssot_record_detail(record, field->name, "raw"));
	if (record->nulls[f] && (text = ssot_record_ref(record, field->name)) != NULL)
		return psprintf("waits for %s", text);
	if (record->nulls[f])
		return pstrdup("has no value");
	return psprintf("another part of the same record of %s gives the value", source->system);
}

static void
put_row(Lineage *lineage, const SsotGroup *group, int f, const SsotWinner *winner,
		int rank, int r, const char *reason)
{
	const SsotEntity *entity = lineage->entity;
	const SsotRecord *record = r < 0 ? NULL : &group->records[r];
	const SsotRecord *won = winner->record < 0 ? NULL : &group->records[winner->record];
	TimestampTz time;
	Datum		values[LINEAGE_COLUMNS] = {0};
	bool		nulls[LINEAGE_COLUMNS];
	char	   *text;

#define PUT(column, expression) \
	do { \
		if ((text = (char *) (expression)) != NULL) \
		{ \
			values[column] = CStringGetTextDatum(text); \
			nulls[column] = false; \
		} \
	} while (0)

	memset(nulls, true, sizeof(nulls));
	PUT(0, entity->fields[f].name);
	PUT(1, value_text(lineage, f, lineage->golden[f], lineage->golden_nulls[f]));
	if (won != NULL)
	{
		PUT(2, entity->sources[won->source].system);
		PUT(3, entity->sources[won->source].name);
		PUT(4, won->key);
	}
	PUT(5, ssot_rule_name(winner->rule));
	values[6] = Int32GetDatum(rank);
	nulls[6] = rank == 0;
	if (record != NULL)
	{
		PUT(7, entity->sources[record->source].system);
		PUT(8, entity->sources[record->source].name);
		PUT(9, record->key);
		PUT(10, value_text(lineage, f, record->values[f], record->nulls[f]));
		nulls[11] = !ssot_record_time(record, entity->fields[f].name, &time);
		values[11] = TimestampTzGetDatum(time);
	}
	PUT(12, reason);
#undef PUT
	tuplestore_putvalues(lineage->result->setResult, lineage->result->setDesc, values, nulls);
}

/* One field: the candidates from the winner down, then who was not in the race. */
static void
trace_field(Lineage *lineage, const SsotGroup *group, int f, const SsotWinner *winner)
{
	int		   *order = palloc(sizeof(int) * Max(group->nrecords, 1));
	int			n = order_candidates(lineage, group, f, order);
	int			rank = 0;
	bool		silent = true;

	if (winner->record >= 0)
		put_row(lineage, group, f, winner, ++rank, winner->record,
				winner_reason(lineage, group, f, winner));
	for (int i = 0; i < n; i++)
		if (order[i] != winner->record)
			put_row(lineage, group, f, winner, ++rank, order[i],
					winner->record < 0 ? NULL :
					loser_reason(lineage, group, f, winner->record, order[i]));
	for (int r = 0; r < group->nrecords; r++)
	{
		if (r == winner->record || !speaks(lineage->entity, &group->records[r], f) ||
			ssot_is_candidate(lineage->survivor, group, r, f))
			continue;
		put_row(lineage, group, f, winner, 0, r, excluded_reason(lineage, group, f, r));
		silent = false;
	}
	if (silent && rank == 0)
		put_row(lineage, group, f, winner, 0, -1,
				lineage->golden_nulls[f] ? "no record says anything" : "the column's default");
}

static void
trace_group(const SsotGroup *group, void *arg)
{
	Lineage    *lineage = (Lineage *) arg;
	int			nfields = Max(lineage->entity->nfields, 1);
	SsotWinner *winners = palloc(sizeof(SsotWinner) * nfields);
	Datum	   *values = palloc(sizeof(Datum) * nfields);
	bool	   *nulls = palloc(sizeof(bool) * nfields);

	ssot_survive(lineage->survivor, group, winners, values, nulls);
	for (int f = 0; f < lineage->entity->nfields; f++)
		trace_field(lineage, group, f, &winners[f]);
}

PG_FUNCTION_INFO_V1(ssot_lineage);

/*
 * lineage(entity regclass, id text)
 *
 * Reads the golden record and its source records under the caller's rights and
 * snapshot. Error with a hint if there is no such golden record.
 */
Datum
ssot_lineage(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	char	   *id_text = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Datum		id = ssot_golden_id(entity, id_text);
	int			nfields = Max(entity->nfields, 1);
	Datum	   *golden = palloc(sizeof(Datum) * nfields);
	bool	   *golden_nulls = palloc(sizeof(bool) * nfields);
	Lineage		lineage = {0};
	bool		isnull = false;
	Tuplestorestate *touched;
	int			level;

	ssot_require_select(ssot_companion_oid(entity->source_table));
	level = ssot_settings_begin(false);
	InitMaterializedSRF(fcinfo, 0);
	read_golden(entity, id, id_text, golden, golden_nulls);
	lineage.entity = entity;
	lineage.survivor = ssot_survivor_create(entity);
	lineage.golden = golden;
	lineage.golden_nulls = golden_nulls;
	lineage.result = (ReturnSetInfo *) fcinfo->resultinfo;
	lineage.forms = palloc(sizeof(SsotTextForm) * nfields);
	for (int f = 0; f < entity->nfields; f++)
		ssot_text_form_init(&lineage.forms[f], entity->fields[f].base_type);

	touched = tuplestore_begin_heap(false, false, work_mem);
	tuplestore_putvalues(touched, ssot_id_desc(entity), &id, &isnull);
	ssot_groups_read(entity, touched, 1, trace_group, &lineage);
	tuplestore_end(touched);
	ssot_settings_end(level);
	return (Datum) 0;
}
