/*
 * dictionary/currency.c
 *		Amounts in several currencies: converted or refused, never added up.
 *
 * A metric that names the currency of its rows adds amounts of its unit only. A
 * row in another currency, or without one, stops the computation with an error;
 * with rates it is converted first, and only a missing rate is an error. So the
 * shares that rows add become
 *
 *		CASE WHEN amount IS NULL THEN NULL
 *		     WHEN currency = 'USD' THEN amount
 *		     ELSE amount * coalesce(ssot_rate.rate, ssot.refuse_currency('pipeline', currency, 'USD'))
 *		END
 *
 * and the function is called for a row that cannot be added, only then.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "dictionary/metric_spec.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/relcache.h"

PG_FUNCTION_INFO_V1(ssot_refuse_currency);

/* refuse_currency(metric, currency, unit): never returns. */
Datum
ssot_refuse_currency(PG_FUNCTION_ARGS)
{
	char	   *metric = PG_ARGISNULL(0) ? pstrdup("") : text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *unit = PG_ARGISNULL(2) ? pstrdup("") : text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("metric \"%s\" met an amount without a currency", metric),
				 errdetail("Amounts are added up in %s only.", unit),
				 errhint("Leave such rows out with the metric's filter, or correct them.")));
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("metric \"%s\" met an amount in %s that cannot be added to amounts in %s", metric,
					text_to_cstring(PG_GETARG_TEXT_PP(1)), unit),
			 errhint("Declare the metric with rates => an entity that has a rate for it, or leave such rows out with its filter.")));
}

static void
require_rate_column(const SsotMetric *metric, Oid relid, const char *name, Oid type)
{
	AttrNumber	attnum = get_attnum(relid, name);
	Oid			actual = attnum > 0 ? get_atttype(relid, attnum) : InvalidOid;

	if (OidIsValid(actual) && can_coerce_type(1, &actual, &type, COERCION_IMPLICIT))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("rates \"%s\" of metric \"%s\" have no column \"%s\" of type %s",
					ssot_relation_name(relid), metric->name, name, format_type_be(type)),
			 errhint("An entity of rates has \"currency\" (text), \"rate\" (what one unit of it is worth in the metric's unit) and, if rates change, \"day\" (date).")));
}

/* More than one rate for a row would repeat it. */
static void
require_unique(const SsotMetric *metric, const SsotRates *rates)
{
	Oid			relid = rates->relid;
	Relation	rel = table_open(relid, AccessShareLock);
	List	   *indexes = RelationGetIndexList(rel);
	Bitmapset  *wanted = bms_make_singleton(get_attnum(relid, rates->currency));
	bool		found = rates->by_day;	/* LIMIT 1 takes one */
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = RelationIdGetRelation(lfirst_oid(cell));

		found |= index->rd_index->indisunique && index->rd_index->indnkeyatts == 1 &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
			bms_is_member(index->rd_index->indkey.values[0], wanted);
		RelationClose(index);
	}
	table_close(rel, NoLock);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("rates \"%s\" of metric \"%s\" may have several rates for one currency",
						ssot_relation_name(relid), metric->name),
				 errhint("Add UNIQUE (currency), or a column \"day\" from which on a rate is in force.")));
}

List *
ssot_rates_columns(const SsotRates *rates)
{
	List	   *names = list_make2(rates->currency, rates->rate);

	return rates->by_day ? lappend(names, rates->day) : names;
}

static SsotRates *
read_rates(const SsotMetric *metric, const char *name, const SsotRates *columns)
{
	SsotRates  *rates = palloc0(sizeof(SsotRates));
	SsotEntity *entity;
	AttrNumber	day;

	rates->relid = RangeVarGetRelid(makeRangeVarFromNameList(ssot_name_list(name)), AccessShareLock, false);
	entity = ssot_entity_load(rates->relid, false);
	rates->name = entity->name;
	rates->currency = columns->currency != NULL ? columns->currency : "currency";
	rates->rate = columns->rate != NULL ? columns->rate : "rate";
	rates->day = columns->day != NULL ? columns->day : "day";
	require_rate_column(metric, rates->relid, rates->currency, TEXTOID);
	require_rate_column(metric, rates->relid, rates->rate, NUMERICOID);
	day = get_attnum(rates->relid, rates->day);
	rates->by_day = day > 0 && get_atttype(rates->relid, day) == DATEOID;
	require_unique(metric, rates);
	if (rates->by_day && metric->date == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("rates \"%s\" change by day, but metric \"%s\" has no date", rates->name, metric->name),
				 errhint("Say with date => which day's rate a row takes.")));
	return rates;
}

static void
refuse_without_currency(const SsotMetric *metric)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("metric \"%s\" has rates but no currency", metric->name),
			 errhint("Say with currency => which column names the currency of a row.")));
}

void
ssot_metric_read_currency(SsotMetric *metric, const char *currency, const char *rates,
						  const SsotRates *columns)
{
	SsotScoped *measure = metric->measure;

	if (currency == NULL && rates != NULL)
		refuse_without_currency(metric);
	if (currency == NULL)
		return;
	if (measure->added == NULL || measure->counts)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("metric \"%s\" has a currency but is not a sum", metric->name),
				 errhint("Amounts in several currencies can be added up only: measure => 'sum(amount)'.")));
	if (metric->unit == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("metric \"%s\" has a currency but no unit", metric->name),
				 errhint("Say in which currency it counts: unit => 'USD'.")));
	metric->currency = ssot_scope_expression(metric->scope, currency,
											 psprintf("the currency of metric \"%s\"", metric->name),
											 SSOT_PER_ROW);
	if (rates != NULL)
		metric->rates = read_rates(metric, rates, columns);
	measure->plain = measure->sql;
	measure->added = ssot_sql("CASE WHEN (%s) IS NULL THEN NULL::pg_catalog.numeric"
							  " WHEN (%s) = %L THEN %s"
							  " ELSE %s * coalesce(%s, ssot.refuse_currency(%L, (%s)::pg_catalog.text, %L)) END",
							  measure->added, metric->currency->sql, metric->unit, measure->added,
							  measure->added,
							  metric->rates != NULL ? "ssot_rate.rate::pg_catalog.numeric" : "NULL::pg_catalog.numeric",
							  metric->name, metric->currency->sql, metric->unit);
	measure->sql = psprintf("pg_catalog.sum(%s)", measure->added);
}
