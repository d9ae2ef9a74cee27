/*
 * entity/companion_policy.c
 *		The policies of companions: they show no more than the canonical table.
 *
 * A companion must not show what the canonical table would hide. Grants alone
 * cannot see to that: what a role may see of the table can change at any time,
 * by GRANT, REVOKE, CREATE POLICY, or in the data. So nothing is copied. Every
 * companion is born with row-level security and one policy that asks the
 * canonical table, each time, what the current user may see of it:
 *
 * rows			While policies of the table apply to the user, a row of a
 *				companion shows if the user sees its golden record in the table.
 *				The table is read under the user's rights, so its policies decide.
 *				It is the record as it is now that is judged: whoever sees it
 *				sees its past. What belongs to no golden record (unlinked records,
 *				quarantine, keys) shows to nobody to whom policies apply.
 * columns		A companion with the table's columns (source, history) shows
 *				nothing to a user who could read in it a column that the table
 *				does not show them. In drift, rows about other fields are hidden.
 *				Rows that hold whole records (quarantine, held) show to those who
 *				may read the whole table.
 *
 * Conditions that depend on no row stand in sub-selects and run once. The owner
 * of a companion is subject to none of this: what ssot writes, it writes as the
 * owner (law 8), and no other role is given the right to write.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "entity/declare.h"

#define POLICY "ssot_reader"

/* No row of the companion could hold what the user may not read. */
static const char *const columns_open =
"(SELECT ssot.companion_open(%L::pg_catalog.regclass, %L::pg_catalog.regclass))";

static const char *const whole_table =
"(SELECT pg_catalog.has_table_privilege(%L::pg_catalog.regclass, 'SELECT'))";

static const char *const no_policy_applies =
"(SELECT NOT pg_catalog.row_security_active(%L::pg_catalog.regclass))";

/* The user sees the golden record that the row is about. */
static char *
record_visible(const SsotEntity *entity, const char *suffix)
{
	return ssot_sql("(%s\n     OR EXISTS (SELECT FROM %T AS g WHERE g.%I = %I.%I))",
					ssot_sql(no_policy_applies, entity->name), entity->name,
					entity->id_column, psprintf("%s_%s", entity->table, suffix),
					entity->id_column);
}

/*
 * ALTER TABLE golden_ssot.customer_history ENABLE ROW LEVEL SECURITY;
 * CREATE POLICY ssot_reader ON golden_ssot.customer_history FOR SELECT USING (
 *     (SELECT ssot.companion_open('golden.customer', 'golden_ssot.customer_history'))
 *     AND ((SELECT NOT row_security_active('golden.customer'))
 *          OR EXISTS (SELECT FROM golden.customer AS g
 *                     WHERE g.customer_id = customer_history.customer_id)));
 */
static void
append_policy(StringInfo ddl, const char *table, const char *condition)
{
	ssot_sql_append(ddl, "ALTER TABLE %T ENABLE ROW LEVEL SECURITY;\n"
					"CREATE POLICY " POLICY " ON %T FOR SELECT USING (\n    %s);\n"
					"COMMENT ON POLICY " POLICY " ON %T IS 'Shows what the canonical table shows the reader; see ssot.grant_reader';\n",
					table, table, condition, table);
}

/* Source records and versions: the table's columns, by golden record. */
static void
append_record_policy(StringInfo ddl, const SsotEntity *entity, const char *table,
					 const char *suffix)
{
	append_policy(ddl, table,
				  ssot_sql("%s\n    AND %s",
						   ssot_sql(columns_open, entity->name, table),
						   record_visible(entity, suffix)));
}

/*
 * The user may read the whole canonical table. companion_open() would not be
 * needed beside that, but a policy that asks it goes with DROP EXTENSION, and
 * then no longer stands in the way of DROP TABLE.
 */
static char *
whole_table_open(const SsotEntity *entity, const char *table)
{
	return ssot_sql("%s\n    AND %s", ssot_sql(columns_open, entity->name, table),
					ssot_sql(whole_table, entity->name));
}

void
ssot_companion_policies(StringInfo ddl, const SsotEntity *entity)
{
	char	   *unrestricted = ssot_sql(no_policy_applies, entity->name);

	append_record_policy(ddl, entity, entity->source_table, "source");
	append_record_policy(ddl, entity, entity->source_history_table, "source_history");
	append_record_policy(ddl, entity, entity->history_table, "history");
	append_policy(ddl, entity->drift_table,
				  ssot_sql("(field = '' OR field = ANY ((SELECT ssot.readable_columns(%L::pg_catalog.regclass))::pg_catalog.text[]))\n    AND %s",
						   entity->name, record_visible(entity, "drift")));

	/*
	 * The message of a held version may speak of another record. Of the
	 * errors of constraints, that of an exclusion constraint quotes the other
	 * record's values, and a trigger's may say anything.
	 */
	append_policy(ddl, entity->held_table,
				  ssot_sql("%s\n    AND %s\n    AND (%s\n     OR sqlstate IN ('23502', '23503', '23505', '23514'))",
						   whole_table_open(entity, entity->held_table), record_visible(entity, "held"),
						   ssot_sql(no_policy_applies, entity->name)));
	append_policy(ddl, entity->quarantine_table,
				  ssot_sql("%s\n    AND %s",
						   whole_table_open(entity, entity->quarantine_table), unrestricted));
	append_policy(ddl, entity->key_table,
				  ssot_sql("%s\n    AND %s",
						   whole_table_open(entity, entity->key_table), unrestricted));
	append_policy(ddl, entity->match_table,
				  ssot_sql("%s\n    AND %s",
						   whole_table_open(entity, entity->match_table), unrestricted));
}

/* Companions that outlive a registration are their owner's alone: row-level
 * security stays enabled. */
void
ssot_companion_policies_drop(StringInfo ddl, const SsotEntity *entity)
{
	const char *const tables[] = {
		entity->source_table, entity->source_history_table, entity->history_table,
		entity->drift_table, entity->held_table, entity->quarantine_table, entity->key_table,
		entity->match_table
	};

	for (int i = 0; i < lengthof(tables); i++)
		ssot_sql_append(ddl, "DROP POLICY IF EXISTS " POLICY " ON %T;\n", tables[i]);
}
