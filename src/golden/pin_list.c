/*
 * golden/pin_list.c
 *		ssot.pins and ssot.past_pins: the pins of all entities.
 *
 * Pins are read from the records of the steward, those that ended from their
 * history, by one generated query under the caller's rights: entities whose
 * companion the caller may not read are left out, and row-level policies apply.
 *
 * What the sources say of a pinned field is computed when asked, from the records
 * that the caller may see (pin_review.c), and enters the query as rows.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "common/textform.h"
#include "golden/ids.h"
#include "golden/pin_review.h"
#include "golden/settle.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(ssot_pins);
PG_FUNCTION_INFO_V1(ssot_past_pins);

static bool
may_read(Oid relid)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/* ---- what the sources say ---------------------------------------------------- */

/* Rows (entity, id, field, said). */
typedef struct Said
{
	const SsotEntity *entity;
	SsotPinReview *review;
	SsotTextForm id_form;
	SsotTextForm *forms;		/* by field */
	SsotRelation relation;
} Said;

static void
take_group(const SsotGroup *group, void *arg)
{
	Said	   *said = (Said *) arg;
	const SsotEntity *entity = said->entity;
	const bool *pinned;
	const Datum *values;
	const bool *nulls;

	if (!ssot_pin_review_group(said->review, group, &pinned, &values, &nulls))
		return;
	for (int f = 0; f < entity->nfields; f++)
	{
		Datum		row[4];
		bool		isnull[4] = {false, false, false, nulls[f]};

		if (!pinned[f] || !ssot_field_is_fed(entity, f))
			continue;
		row[0] = CStringGetTextDatum(entity->name);
		row[1] = CStringGetTextDatum(ssot_text_form(&said->id_form, group->id));
		row[2] = CStringGetTextDatum(entity->fields[f].name);
		row[3] = nulls[f] ? (Datum) 0 :
			CStringGetTextDatum(ssot_text_form(&said->forms[f], values[f]));
		tuplestore_putvalues(said->relation.rows, said->relation.desc, row, isnull);
		said->relation.count++;
	}
}

/*
 * SELECT DISTINCT s.customer_id FROM golden_ssot.customer_source AS s
 *  WHERE s.ssot_source = 1 AND s.customer_id IS NOT NULL
 */
static void
ask_sources(Said *said, const SsotEntity *entity)
{
	SsotIds		ids = ssot_ids_create(entity);
	SsotStatement statement = {.read_only = true};

	said->entity = entity;
	said->review = ssot_pin_review_create(entity, ssot_survivor_create(entity));
	ssot_text_form_init(&said->id_form, entity->id_type);
	said->forms = palloc(sizeof(SsotTextForm) * Max(entity->nfields, 1));
	for (int f = 0; f < entity->nfields; f++)
		ssot_text_form_init(&said->forms[f], entity->fields[f].base_type);
	statement.sql = ssot_sql("SELECT DISTINCT s.%I FROM %T AS s"
							 " WHERE s.ssot_source = %d AND s.%I IS NOT NULL",
							 entity->id_column, entity->source_table,
							 entity->sources[entity->steward].source_id, entity->id_column);
	ssot_statement_each(&statement, ssot_ids_take, &ids);
	if (ids.count > 0)
		ssot_groups_read(entity, ids.rows, ids.count, take_group, said);
	ssot_ids_end(&ids);
}

/* ---- lists -------------------------------------------------------------------- */

/* "CASE p.key WHEN 'name' THEN s.name::text WHEN 'email' THEN s.email::text END" */
static void
append_value(StringInfo sql, const SsotEntity *entity)
{
	appendStringInfoString(sql, "CASE p.key");
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(sql, " WHEN %L THEN s.%I::text",
						entity->fields[f].name, entity->fields[f].name);
	appendStringInfoString(sql, " ELSE NULL END");
}

/*
 * SELECT 'golden.customer', s.customer_id::text, p.key, <value>,
 *        p.value ->> 'by', (p.value ->> 'at')::timestamptz,
 *        p.value ->> 'reason', p.value ->> 'overruled', w.said,
 *        CASE WHEN w.id IS NULL THEN NULL
 *             WHEN w.said IS NOT DISTINCT FROM <value> THEN <agree, if it overruled>
 *             WHEN w.said IS DISTINCT FROM <said when it was pinned> THEN 'sources changed' END
 *   FROM golden_ssot.customer_source AS s
 *  CROSS JOIN jsonb_each(s.ssot_detail) AS p
 *   LEFT JOIN ssot_said AS w ON (w.entity, w.id, w.field) = ('golden.customer', s.customer_id::text, p.key)
 *  WHERE s.ssot_source = 1
 */
static void
append_pins(StringInfo sql, const SsotEntity *entity)
{
	ssot_sql_append(sql, "%s SELECT x.entity, x.id, x.field, x.value, x.by, x.at, x.reason, x.overruled, x.said,"
					" CASE WHEN NOT x.asked THEN NULL"
					" WHEN x.said IS NOT DISTINCT FROM x.value THEN"
					" CASE WHEN x.first IS DISTINCT FROM x.value THEN 'sources agree' END"
					" WHEN x.said IS DISTINCT FROM x.first THEN 'sources changed' END"
					" FROM (SELECT %L::text AS entity, s.%I::text AS id, p.key AS field, ",
					sql->len > 0 ? " UNION ALL" : "", entity->name, entity->id_column);
	append_value(sql, entity);
	ssot_sql_append(sql, " AS value, p.value ->> 'by' AS by, (p.value ->> 'at')::timestamptz AS at,"
					" p.value ->> 'reason' AS reason, p.value ->> 'overruled' AS overruled,"
					" CASE WHEN p.value ? 'said' THEN p.value ->> 'said' ELSE p.value ->> 'overruled' END AS first,"
					" w.id IS NOT NULL AS asked, w.said"
					" FROM %T AS s CROSS JOIN jsonb_each(s.ssot_detail) AS p"
					" LEFT JOIN ssot_said AS w"
					" ON w.entity = %L AND w.id = s.%I::text AND w.field = p.key"
					" WHERE s.ssot_source = %d) AS x",
					entity->source_table, entity->name, entity->id_column,
					entity->sources[entity->steward].source_id);
}

/*
 * SELECT 'golden.customer', s.customer_id::text, p.key, <value>,
 *        p.value ->> 'by', (p.value ->> 'at')::timestamptz, p.value ->> 'reason',
 *        p.value ->> 'overruled', s.ssot_to, p.value ->> 'ended',
 *        p.value ->> 'ended_by', p.value ->> 'ended_reason'
 *   FROM golden_ssot.customer_source_history AS s
 *  CROSS JOIN jsonb_each(s.ssot_detail) AS p
 *  WHERE s.ssot_source = 1 AND p.value ? 'ended'
 */
static void
append_past_pins(StringInfo sql, const SsotEntity *entity)
{
	ssot_sql_append(sql, "%s SELECT %L::text, s.%I::text, p.key, ",
					sql->len > 0 ? " UNION ALL" : "", entity->name, entity->id_column);
	append_value(sql, entity);
	ssot_sql_append(sql, ", p.value ->> 'by', (p.value ->> 'at')::timestamptz,"
					" p.value ->> 'reason', p.value ->> 'overruled', s.ssot_to,"
					" p.value ->> 'ended', p.value ->> 'ended_by', p.value ->> 'ended_reason'"
					" FROM %T AS s CROSS JOIN jsonb_each(s.ssot_detail) AS p"
					" WHERE s.ssot_source = %d AND p.value ? 'ended'",
					entity->source_history_table,
					entity->sources[entity->steward].source_id);
}

static TupleDesc
said_desc(void)
{
	static const char *const names[] = {"entity", "id", "field", "said"};
	TupleDesc	desc = CreateTemplateTupleDesc(lengthof(names));

	for (int i = 0; i < lengthof(names); i++)
	{
		TupleDescInitEntry(desc, i + 1, names[i], TEXTOID, -1, 0);
		TupleDescInitEntryCollation(desc, i + 1, DEFAULT_COLLATION_OID);
	}
	return desc;
}

/* Run the gathered query, or return nothing where there is nothing to read. */
static Datum
return_list(FunctionCallInfo fcinfo, StringInfo sql, const char *order, const SsotRelation *relation)
{
	SsotStatement statement = {.read_only = true,.nrelations = relation == NULL ? 0 : 1,
	.relations = relation};

	if (sql->len == 0)
		InitMaterializedSRF(fcinfo, 0);
	else
	{
		appendStringInfoString(sql, order);
		statement.sql = sql->data;
		ssot_statement_return(fcinfo, &statement);
	}
	return (Datum) 0;
}

/*
 * pins(): every pin of the entities whose source records the caller may read; with
 * what the sources say to those who may read the canonical table as well.
 */
Datum
ssot_pins(PG_FUNCTION_ARGS)
{
	Said		said = {0};
	StringInfoData sql;
	ListCell   *lc;
	int			level = ssot_settings_begin(false);

	initStringInfo(&sql);
	said.relation = (SsotRelation)
	{
		"ssot_said", said_desc(), tuplestore_begin_heap(true, false, work_mem), 0
	};
	foreach(lc, ssot_entities())
	{
		SsotEntity *entity = (SsotEntity *) lfirst(lc);

		if (entity->nfields == 0 || !may_read(ssot_companion_oid(entity->source_table)))
			continue;
		append_pins(&sql, entity);
		if (may_read(entity->relid))
			ask_sources(&said, entity);
	}
	return_list(fcinfo, &sql, " ORDER BY 1, 2, 3", &said.relation);
	tuplestore_end(said.relation.rows);
	ssot_settings_end(level);
	return (Datum) 0;
}

/*
 * past_pins(): every pin that retired or was released, of the entities whose
 * history of source records the caller may read.
 */
Datum
ssot_past_pins(PG_FUNCTION_ARGS)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, ssot_entities())
	{
		SsotEntity *entity = (SsotEntity *) lfirst(lc);

		if (entity->nfields > 0 && may_read(ssot_companion_oid(entity->source_history_table)))
			append_past_pins(&sql, entity);
	}
	return return_list(fcinfo, &sql, " ORDER BY 1, 2, 3, 9", NULL);
}
