/*
 * dictionary/explain_pair.c
 *		Two sides' records compared under one definition, at one time.
 *
 * The two numbers themselves are two plain aggregates. Their difference is divided
 * by joining the primary records of both sides on the golden id, and looking only
 * at pairs that differ:
 *
 *		SELECT <sums>
 *		FROM (SELECT l.id AS lid, r.id AS rid, l.c1 AS l1, r.c1 AS r1, ...
 *		      FROM (<left's primary records>) AS l
 *		      FULL JOIN (<right's>) AS r ON r.id = l.id
 *		      WHERE l.id IS NULL OR r.id IS NULL OR l.c1 IS DISTINCT FROM r.c1 OR ...) AS p,
 *		     LATERAL (<share of the left's row>) AS x0,
 *		     LATERAL (<the same with c1 of the right>) AS x1, ...
 *
 * Columns are changed from left to right one by one, and each step x1 - x0 belongs
 * to its column. A column of the hierarchy takes no step here: it belongs to the
 * axis of its own, so the chain is walked once as the left's hierarchy places the
 * record and once as the right's does (y0, y1 ...).
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/settings.h"
#include "dictionary/explain.h"
#include "dictionary/metric_spec.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* ---- running -------------------------------------------------------------- */

void
ssot_pair_query(const SsotPairRows *rows, const char *sql, int n, Datum *values, bool *nulls)
{
	int			nrelations = list_length(rows->relations);
	SsotRelation *relations = palloc0(sizeof(SsotRelation) * Max(nrelations, 1));
	SsotStatement statement = {
		.sql = sql,.nrelations = nrelations,.relations = relations,.read_only = true
	};

	for (int i = 0; i < nrelations; i++)
	{
		relations[i] = *(SsotRelation *) list_nth(rows->relations, i);
		tuplestore_rescan(relations[i].rows);
	}
	if (!ssot_statement_one(&statement, n, values, nulls))
		elog(ERROR, "an aggregate gave no row");
}

static Numeric
numeric_at(const Datum *values, const bool *nulls, int i)
{
	return nulls[i] ? NULL : DatumGetNumeric(values[i]);
}

static int64
count_at(const Datum *values, const bool *nulls, int i)
{
	return nulls[i] ? 0 : DatumGetInt64(values[i]);
}

/* ---- the plain numbers ---------------------------------------------------- */

static Numeric
plain_number(const SsotMetric *metric, SsotMetricReading *reading, List *slices)
{
	SsotPairRows rows = {0};
	Datum		value;
	bool		isnull;
	char	   *sql;

	reading->relations = NIL;
	reading->records = false;
	sql = ssot_metric_query(metric, reading, NIL, slices);
	rows.relations = reading->relations;
	ssot_pair_query(&rows, sql, 1, &value, &isnull);
	return isnull ? NULL : DatumGetNumericCopy(value);
}

void
ssot_pairing_numbers(SsotPairing *pairing)
{
	for (int side = 0; side < 2; side++)
		pairing->plain[side] = plain_number(pairing->metric, &pairing->reading[side], pairing->slices);
}

/* ---- pairs ---------------------------------------------------------------- */

/* A list of output columns being built, and how many there are. */
typedef struct Output
{
	StringInfoData sql;
	int			n;
} Output;

static int
put(Output *out, const char *sql)
{
	appendStringInfo(&out->sql, "%s%s", out->n > 0 ? ",\n " : "", sql);
	return out->n++;
}

/* "l.c1 IS DISTINCT FROM r.c1": as text where the type has no equality. */
static char *
differs(const SsotPairRows *rows)
{
	StringInfoData buf;
	ListCell   *cell;
	int			n = 0;

	initStringInfo(&buf);
	foreach(cell, rows->columns)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) lfirst(cell);
		Oid			relid = ssot_scope_relation(rows->pairing->metric->scope, column->relation)->relid;
		Oid			type = get_atttype(relid, get_attnum(relid, column->name));
		bool		plain = OidIsValid(lookup_type_cache(getBaseType(type), TYPECACHE_EQ_OPR)->eq_opr);

		n++;
		if (!rows->same[n - 1])
			ssot_sql_append(&buf, plain ? " OR l.c%d IS DISTINCT FROM r.c%d" :
							" OR l.c%d::pg_catalog.text IS DISTINCT FROM r.c%d::pg_catalog.text", n, n);
	}
	return buf.data;
}

static char *
joined_pairs(SsotPairRows *rows)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 1; i <= list_length(rows->columns); i++)
		appendStringInfo(&list, ", l.c%d AS l%d, r.c%d AS r%d", i, i, i, i);
	return ssot_sql("(SELECT l.id AS lid, r.id AS rid, %s AS undecided%s\n"
					"FROM (%s) AS l\nFULL JOIN (%s) AS r ON r.id = l.id\n"
					"WHERE l.id IS NULL OR r.id IS NULL%s) AS p",
					rows->undecided == NULL ? "false" :
					"EXISTS (SELECT FROM ssot_undecided AS x WHERE x.id = coalesce(l.id, r.id))",
					list.data, ssot_side_primary(rows, 0), ssot_side_primary(rows, 1), differs(rows));
}

/* Columns that take a step of their own. */
static int
steps(const SsotPairRows *rows, int *columns)
{
	int			n = 0;

	for (int i = 0; i < list_length(rows->columns); i++)
		if (!rows->hierarchical[i] && !rows->same[i])
			columns[n++] = i;
	return n;
}

/*
 * The share after "done" steps, in a side's hierarchy. Where the side has no record
 * of this id, it cannot place it: then the record stays where its own side has it.
 * Half a record has no share: its amount would be without a currency.
 */
static char *
share_after(const SsotPairRows *rows, const int *order, int nsteps, int done, int hierarchy,
			bool reverse, const char *name)
{
	int			n = list_length(rows->columns);
	char	  **refs = palloc(sizeof(char *) * Max(n, 1));
	const char *side = hierarchy == 0 ? "l" : "r";
	const char *other = hierarchy == 0 ? "r" : "l";

	for (int i = 0; i < n; i++)
	{
		bool		right = false;

		for (int k = 0; k < done; k++)
			right |= order[reverse ? nsteps - 1 - k : k] == i;
		refs[i] = rows->hierarchical[i] ?
			psprintf("CASE WHEN p.%sid IS NULL THEN p.%s%d ELSE p.%s%d END", side, other, i + 1, side, i + 1) :
			rows->same[i] ? psprintf("CASE WHEN p.lid IS NULL THEN p.r%d ELSE p.l%d END", i + 1, i + 1) :
			psprintf("p.%s%d", right ? "r" : "l", i + 1);
	}
	return ssot_share(rows, refs, nsteps == 0 ? "true" : done == 0 ? "p.lid IS NOT NULL" :
					  done == nsteps ? "p.rid IS NOT NULL" : "p.lid IS NOT NULL AND p.rid IS NOT NULL", name);
}

/* A point of the chain; both directions share its ends. */
static char *
point(char chain, int k, int nsteps, bool reverse)
{
	return reverse && k > 0 && k < nsteps ? psprintf("%cr%d.v", chain, k) : psprintf("%c%d.v", chain, k);
}

/*
 * What changing column k does. Walked in the reverse order, from right to left, the
 * same chain gives the same steps with the opposite sign; so the mean of both orders
 * does not know left from right.
 */
static char *
step_of(int direction, char chain, int k, int nsteps)
{
	int			back = nsteps - 1 - k;
	char	   *there = psprintf("(%s - %s)", point(chain, k + 1, nsteps, false), point(chain, k, nsteps, false));
	char	   *reverse = psprintf("(%s - %s)", point(chain, back + 1, nsteps, true),
								   point(chain, back, nsteps, true));

	return direction > 0 ? there : direction < 0 ? reverse : psprintf("(%s + %s) * 0.5", there, reverse);
}

#define BOTH	"p.lid IS NOT NULL AND p.rid IS NOT NULL"
#define LEFT	"p.rid IS NULL AND NOT p.undecided"
#define RIGHT	"p.lid IS NULL AND NOT p.undecided"

static void
compare_pairs(SsotPairRows *rows)
{
	SsotPairing *pairing = rows->pairing;
	int			ncolumns = list_length(rows->columns);
	int		   *order = palloc(sizeof(int) * Max(ncolumns, 1));
	int			nsteps = steps(rows, order);
	int			nhierarchies = rows->has_hierarchical ? 2 : 1;
	StringInfoData shares;
	Output		out = {.n = 0};
	int			nvalues = 0;
	Datum	   *values;
	bool	   *nulls;
	int			at = 0;

	initStringInfo(&out.sql);
	initStringInfo(&shares);
	for (int h = 0; h < nhierarchies; h++)
	{
		char		c = h == 0 ? 'x' : 'y';

		for (int k = 0; k <= nsteps; k++)
		{
			appendStringInfo(&shares, ",\n%s",
							 share_after(rows, order, nsteps, k, h, false, psprintf("%c%d", c, k)));
			if (k > 0 && k < nsteps && pairing->direction <= 0)
				appendStringInfo(&shares, ",\n%s",
								 share_after(rows, order, nsteps, k, h, true, psprintf("%cr%d", c, k)));
		}
		put(&out, psprintf("pg_catalog.sum(-%c0.v) FILTER (WHERE " LEFT ")", c));
		put(&out, psprintf("pg_catalog.sum(%c%d.v) FILTER (WHERE " RIGHT ")", c, nsteps));
		for (int k = 0; k < nsteps; k++)
			put(&out, psprintf("pg_catalog.sum(%s) FILTER (WHERE " BOTH ")",
							   step_of(pairing->direction, c, k, nsteps)));
		put(&out, psprintf("pg_catalog.sum(CASE WHEN p.rid IS NULL THEN -%c0.v ELSE %c%d.v END) FILTER (WHERE p.undecided)",
						   c, c, nsteps));
	}
	put(&out, "pg_catalog.count(*) FILTER (WHERE p.undecided)");
	put(&out, "pg_catalog.count(*) FILTER (WHERE " LEFT " AND x0.v <> 0)");
	put(&out, psprintf("pg_catalog.count(*) FILTER (WHERE " RIGHT " AND x%d.v <> 0)", nsteps));
	for (int k = 0; k < nsteps; k++)
		put(&out, psprintf("pg_catalog.count(*) FILTER (WHERE " BOTH " AND %s <> 0)",
						   step_of(pairing->direction, 'x', k, nsteps)));
	if (nhierarchies == 2)
	{
		put(&out, "pg_catalog.sum(y0.v - x0.v) FILTER (WHERE " BOTH ")");
		put(&out, psprintf("pg_catalog.sum(x%d.v - y%d.v) FILTER (WHERE " BOTH ")", nsteps, nsteps));
		put(&out, psprintf("pg_catalog.count(*) FILTER (WHERE " BOTH " AND (y0.v <> x0.v OR x%d.v <> y%d.v))",
						   nsteps, nsteps));
	}
	nvalues = out.n;
	values = palloc(sizeof(Datum) * nvalues);
	nulls = palloc(sizeof(bool) * nvalues);
	ssot_pair_query(rows, ssot_sql("SELECT %s\nFROM %s%s", out.sql.data, joined_pairs(rows), shares.data),
					nvalues, values, nulls);

	pairing->nfields = nsteps;
	pairing->fields = palloc(sizeof(char *) * Max(nsteps, 1));
	pairing->nchanged = palloc0(sizeof(int64) * Max(nsteps, 1));
	for (int k = 0; k < nsteps; k++)
	{
		SsotScopeColumn *column = (SsotScopeColumn *) list_nth(rows->columns, order[k]);

		pairing->fields[k] = column->relation == 0 ? column->name :
			psprintf("%s.%s", ssot_scope_relation(pairing->metric->scope, column->relation)->alias, column->name);
	}
	for (int h = 0; h < nhierarchies; h++)
	{
		pairing->changed[h] = palloc0(sizeof(Numeric) * Max(nsteps, 1));
		pairing->only[h][0] = numeric_at(values, nulls, at++);
		pairing->only[h][1] = numeric_at(values, nulls, at++);
		for (int k = 0; k < nsteps; k++)
			pairing->changed[h][k] = numeric_at(values, nulls, at++);
		pairing->undecided[h] = numeric_at(values, nulls, at++);
	}
	pairing->nundecided = count_at(values, nulls, at++);
	pairing->nonly[0] = count_at(values, nulls, at++);
	pairing->nonly[1] = count_at(values, nulls, at++);
	for (int k = 0; k < nsteps; k++)
		pairing->nchanged[k] = count_at(values, nulls, at++);
	if (nhierarchies == 1)
	{
		pairing->changed[1] = pairing->changed[0];
		memcpy(pairing->only[1], pairing->only[0], sizeof(pairing->only[0]));
		pairing->undecided[1] = pairing->undecided[0];
		return;
	}
	pairing->moved[0] = numeric_at(values, nulls, at++);
	pairing->moved[1] = numeric_at(values, nulls, at++);
	pairing->nmoved = count_at(values, nulls, at++);
}

/* ---- what a side has besides ---------------------------------------------- */

/*
 * SELECT sum(x.v) FILTER (WHERE p.kind = 'duplicate'), count(*) FILTER (...), ...
 * FROM (<what it has besides>) AS p, LATERAL (<share>) AS x
 */
static void
weigh_extra(SsotPairRows *rows, int side)
{
	static const char *const kinds[] = {
		"p.kind = 'duplicate'", "p.kind = 'unlinked'", "p.kind = 'quarantined'", "p.loose"
	};
	SsotPairing *pairing = rows->pairing;
	Numeric    *sums[] = {&pairing->duplicate[side], &pairing->unlinked[side],
	&pairing->quarantined[side], &pairing->loose[side]};
	int64	   *counts[] = {&pairing->nduplicate[side], &pairing->nunlinked[side],
	&pairing->nquarantined[side], &pairing->nloose[side]};
	int			n = list_length(rows->columns);
	char	  **refs = palloc(sizeof(char *) * Max(n, 1));
	Output		out = {.n = 0};
	Datum		values[8];
	bool		nulls[8];

	if (rows->records[side] == NULL)
		return;
	initStringInfo(&out.sql);
	for (int i = 0; i < n; i++)
		refs[i] = psprintf("p.c%d", i + 1);
	for (int k = 0; k < lengthof(kinds); k++)
	{
		put(&out, psprintf("pg_catalog.sum(x.v) FILTER (WHERE p.answers AND %s)", kinds[k]));
		put(&out, psprintf("pg_catalog.count(*) FILTER (WHERE (x.v <> 0 OR NOT p.answers) AND %s)", kinds[k]));
	}
	ssot_pair_query(rows, ssot_sql("SELECT %s\nFROM (%s) AS p,\n%s", out.sql.data,
								   ssot_side_extra(rows, side), ssot_share(rows, refs, "true", "x")),
					out.n, values, nulls);
	for (int k = 0; k < lengthof(kinds); k++)
	{
		*sums[k] = numeric_at(values, nulls, 2 * k);
		*counts[k] = count_at(values, nulls, 2 * k + 1);
	}
}

void
ssot_pairing_compare(SsotPairing *pairing)
{
	SsotPairRows *rows = ssot_pair_rows(pairing);

	compare_pairs(rows);
	for (int side = 0; side < 2; side++)
		weigh_extra(rows, side);
	ssot_compare_families(rows);
	for (int side = 0; side < 2; side++)
		pairing->reading[side].records = false;
}
