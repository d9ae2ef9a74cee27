/*
 * dictionary/explain_key.c
 *		What the records of two sides are paired by instead of the golden id.
 *
 * pair_by => 'invoice_no', or '{invoice_no,line}': each side's records are compared
 * with the other side's of the same key, whatever golden records they belong to. That
 * answers for records that nothing has linked yet, and shows what linking them
 * otherwise would change. The key is an expression like a metric's filter: over a row
 * of the entity and what it refers to. Several are one jsonb array, whose equality is
 * that of values (1.0 is 1.00); a key with a null in it is none.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/explain.h"
#include "entity/declare.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* Records are joined by the key and the primary one is found by sorting. */
static void
require_order(const char *text, Oid type)
{
	TypeCacheEntry *cache = lookup_type_cache(getBaseType(type),
											  TYPECACHE_EQ_OPR | TYPECACHE_LT_OPR);

	if (!OidIsValid(cache->eq_opr) || !OidIsValid(cache->lt_opr))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("pair_by \"%s\" has type %s, whose values cannot be ordered", text,
						format_type_be(type)),
				 errhint("Cast it to text.")));
}

SsotPairKey *
ssot_pair_key(SsotMetric *metric, const char *pair_by)
{
	List	   *names = ssot_name_or_array(pair_by);
	SsotPairKey *key = palloc0(sizeof(SsotPairKey));
	StringInfoData values;
	StringInfoData given;
	ListCell   *cell;

	if (names == NIL || list_member_ptr(names, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pair_by names nothing to pair records by"),
				 errhint("Give an expression over a row of \"%s\", or leave pair_by out to pair by golden id.",
						 ssot_scope_relation(metric->scope, 0)->alias)));
	initStringInfo(&values);
	initStringInfo(&given);
	foreach(cell, names)
	{
		const char *text = (const char *) lfirst(cell);
		SsotScoped *scoped = ssot_scope_expression(metric->scope, text, "pair_by", SSOT_PER_ROW);

		require_order(text, scoped->type);
		key->columns = list_concat(key->columns, scoped->columns);
		key->sql = ssot_sql("(%s)", scoped->sql);
		key->type = scoped->type;
		appendStringInfo(&values, "%s(%s)", values.len > 0 ? ", " : "", scoped->sql);
		appendStringInfo(&given, "%s(%s) IS NOT NULL", given.len > 0 ? " AND " : "", scoped->sql);
	}
	if (key->columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pair_by \"%s\" reads no column", pair_by),
				 errdetail("All records would be one pair."),
				 errhint("Give an expression over a row of \"%s\", such as a number that both systems hold.",
						 ssot_scope_relation(metric->scope, 0)->alias)));
	if (list_length(names) > 1)
	{
		key->sql = ssot_sql("CASE WHEN %s THEN pg_catalog.jsonb_build_array(%s) END", given.data, values.data);
		key->type = JSONBOID;
	}
	return key;
}
