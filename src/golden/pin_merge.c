/*
 * golden/pin_merge.c
 *		Pins that meet when golden records merge.
 *
 * Pins are values in the steward's record of a golden id. After a merge the kept
 * golden record has two such records, its own and that of the lost id. A field
 * that only one of them pins stays pinned. Where both do, the later pin stays,
 * because the later person knew more; at the same instant the kept record's
 * does. What is dropped stays in the history of records.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/record.h"
#include "golden/merge.h"

#include "catalog/pg_type.h"

/*
 * SELECT s.ssot_key, array_agg(p.key) AS names
 *   FROM ssot_merges AS m
 *   JOIN golden_ssot.customer_source AS s ON s.customer_id = m.kept AND s.ssot_source = <the steward's>
 *  CROSS JOIN LATERAL jsonb_each(s.ssot_detail) AS p
 *  WHERE EXISTS (SELECT FROM golden_ssot.customer_source AS o
 *                 WHERE o.customer_id = s.customer_id AND o.ssot_source = s.ssot_source
 *                   AND o.ssot_detail ? p.key
 *                   AND (when and whose o's pin is) > (when and whose s's is))
 *  GROUP BY s.ssot_key
 */
static char *
overruled_pins(const SsotEntity *entity)
{
	const char *id = entity->id_column;

	return ssot_sql("SELECT s.ssot_key, array_agg(DISTINCT p.key) AS names"
					" FROM ssot_merges AS m"
					" JOIN %T AS s ON s.%I = m.kept AND s.ssot_source = %d"
					" CROSS JOIN LATERAL jsonb_each(s.ssot_detail) AS p"
					" WHERE EXISTS (SELECT FROM %T AS o"
					" WHERE o.%I = s.%I AND o.ssot_source = s.ssot_source AND o.ssot_detail ? p.key"
					" AND ((o.ssot_detail -> p.key ->> 'at')::timestamptz, o.ssot_key = m.kept::text, o.ssot_key)"
					" > ((p.value ->> 'at')::timestamptz, s.ssot_key = m.kept::text, s.ssot_key))"
					" GROUP BY s.ssot_key",
					entity->source_table, id, entity->sources[entity->steward].source_id,
					entity->source_table, id, id);
}

static void
run(const SsotEntity *entity, const SsotRelation *merges, TimestampTz t, const char *sql)
{
	static const Oid argtypes[] = {TIMESTAMPTZOID, INT4OID};
	Datum		args[] = {TimestampTzGetDatum(t),
	Int32GetDatum(entity->sources[entity->steward].source_id)};
	SsotStatement statement = {
		.sql = sql,.nargs = 2,.argtypes = argtypes,.args = args,
		.nrelations = 1,.relations = merges
	};

	ssot_statement_run(&statement);
}

void
ssot_merge_pins(const SsotEntity *entity, const SsotRelation *merges, TimestampTz t)
{
	const char *table = entity->source_table;
	char	   *overruled = overruled_pins(entity);
	StringInfoData set;
	int			level = ssot_settings_begin(false);
	SsotUser	user = ssot_become_owner(entity->relid);

	initStringInfo(&set);
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(&set, ", %I = CASE WHEN %L = ANY (x.names) THEN NULL ELSE s.%I END",
						entity->fields[f].name, entity->fields[f].name, entity->fields[f].name);

	/*
	 * INSERT INTO golden_ssot.customer_source_history (..., ssot_to) SELECT
	 * s...., $1 FROM (<overruled>) AS x JOIN golden_ssot.customer_source AS s
	 * ON s.ssot_key = x.ssot_key AND s.ssot_source = $2 WHERE s.ssot_from <
	 * $1
	 */
	run(entity, merges, t,
		ssot_sql("INSERT INTO %T (%s, ssot_to) SELECT %s, $1 FROM (%s) AS x"
				 " JOIN %T AS s ON s.ssot_key = x.ssot_key AND s.ssot_source = $2"
				 " WHERE s.ssot_from < $1",
				 entity->source_history_table, ssot_record_columns(entity, ""),
				 ssot_record_columns(entity, "s."), overruled, table));
	run(entity, merges, t,
		ssot_sql("UPDATE %T AS s SET ssot_from = $1, ssot_detail = s.ssot_detail - x.names%s"
				 " FROM (%s) AS x WHERE s.ssot_key = x.ssot_key AND s.ssot_source = $2",
				 table, set.data, overruled));
	run(entity, merges, t,
		ssot_sql("DELETE FROM %T AS s USING ssot_merges AS m"
				 " WHERE s.%I = m.kept AND s.ssot_source = $2 AND s.ssot_detail = '{}'",
				 table, entity->id_column));
	ssot_restore_user(user);
	ssot_settings_end(level);
}
