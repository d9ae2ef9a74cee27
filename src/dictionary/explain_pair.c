/*
 * dictionary/explain_pair.c
 *		Two sides' records compared under one definition, at one time.
 *
 * The two numbers themselves are two plain aggregates. Their difference is divided
 * by joining the primary records of both sides on the golden id, and looking only
 * at pairs that differ (most of those that do not are left out before it comes to
 * that, by explain_screen.c, which gives the numbers too):
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

/* The rows' relations, each to be read from its beginning. */
static SsotStatement
statement_of(const SsotPairRows *rows, const char *sql)
{
	int			nrelations = list_length(rows->relations);
	SsotRelation *relations = palloc0(sizeof(SsotRelation) * Max(nrelations, 1));

	for (int i = 0; i < nrelations; i++)
	{
		relations[i] = *(SsotRelation *) list_nth(rows->relations, i);
		tuplestore_rescan(relations[i].rows);
	}
	return (SsotStatement)
	{
		.sql = sql,.nrelations = nrelations,.relations = relations,.read_only = true
	};
}

void
ssot_pair_query(const SsotPairRows *rows, const char *sql, int n, Datum *values, bool *nulls)
{
	SsotStatement statement = statement_of(rows, sql);

	if (!ssot_statement_one(&statement, n, values, nulls))
		elog(ERROR, "an aggregate gave no row");
}

void
ssot_pair_each(const SsotPairRows *rows, const char *sql, SsotRowCallback callback, void *arg)
{
	SsotStatement statement = statement_of(rows, sql);

	ssot_statement_each(&statement, callback, arg);
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
	ssot_relations_end(reading->relations);
	reading->relations = NIL;
	return isnull ? NULL : DatumGetNumericCopy(value);
}

void
ssot_pairing_number(SsotPairing *pairing, int side)
{
	if (!pairing->numbered[side])
		pairing->plain[side] = plain_number(pairing->metric, &pairing->reading[side], pairing->slices);
	pairing->numbered[side] = true;
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

/* Is the side in the pair? A record without a key is, although its id is null. */
static const char *
is_there(const SsotPairRows *rows)
{
	return rows->pairing->key == NULL ? "id IS NOT NULL" : "state IS NOT NULL";
}

static char *
joined_pairs(SsotPairRows *rows)
{
	const char *there = is_there(rows);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 1; i <= list_length(rows->columns); i++)
		appendStringInfo(&list, ", l.c%d AS l%d, r.c%d AS r%d", i, i, i, i);
	return ssot_sql("(SELECT l.%s AS lhas, r.%s AS rhas, coalesce(l.id, r.id) AS id, %s AS gid,"
					" l.key AS lkey, r.key AS rkey, %s AS undecided%s\n"
					"FROM (%s) AS l\nFULL JOIN (%s) AS r ON r.id = l.id\n"
					"WHERE NOT l.%s OR NOT r.%s%s) AS p",
					there, there, rows->pairing->key == NULL ? "coalesce(l.gid, r.gid)" :
					"CASE WHEN l.gid <> r.gid THEN NULL ELSE coalesce(l.gid, r.gid) END",
					rows->undecided == NULL ? "false" :
					"EXISTS (SELECT FROM ssot_undecided AS x WHERE x.id = coalesce(l.id, r.id))",
					list.data, ssot_side_primary(rows, 0), ssot_side_primary(rows, 1),
					there, there, differs(rows));
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
			psprintf("CASE WHEN p.%shas THEN p.%s%d ELSE p.%s%d END", side, side, i + 1, other, i + 1) :
			rows->same[i] ? psprintf("CASE WHEN p.lhas THEN p.l%d ELSE p.r%d END", i + 1, i + 1) :
			psprintf("p.%s%d", right ? "r" : "l", i + 1);
	}
	return ssot_share(rows, refs, nsteps == 0 ? "true" : done == 0 ? "p.lhas" :
					  done == nsteps ? "p.rhas" : "p.lhas AND p.rhas", name);
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

#define BOTH	"p.lhas AND p.rhas"
#define LEFT	"NOT p.rhas AND NOT p.undecided"
#define RIGHT	"NOT p.lhas AND NOT p.undecided"
#define ONE_SIDED "CASE WHEN p.rhas THEN %c%d.v ELSE -%c0.v END"

/*
 * The chains: x0, x1 ... in the left's hierarchy and, where there is another, y0, y1 ...
 * in the right's; xr1 ... and yr1 ... in reverse, where that is asked for.
 */
typedef struct Chains
{
	int			nsteps;
	int		   *order;			/* columns that take a step */
	int			nhierarchies;
	char	   *shares;			/* FROM items */
} Chains;

static Chains *
make_chains(SsotPairRows *rows)
{
	Chains	   *chains = palloc0(sizeof(Chains));
	StringInfoData shares;

	initStringInfo(&shares);
	chains->order = palloc(sizeof(int) * Max(list_length(rows->columns), 1));
	chains->nsteps = steps(rows, chains->order);
	chains->nhierarchies = rows->has_hierarchical ? 2 : 1;
	for (int h = 0; h < chains->nhierarchies; h++)
		for (int k = 0; k <= chains->nsteps; k++)
		{
			char		c = "xy"[h];

			appendStringInfo(&shares, ",\n%s",
							 share_after(rows, chains->order, chains->nsteps, k, h, false, psprintf("%c%d", c, k)));
			if (k > 0 && k < chains->nsteps && rows->pairing->direction <= 0)
				appendStringInfo(&shares, ",\n%s",
								 share_after(rows, chains->order, chains->nsteps, k, h, true, psprintf("%cr%d", c, k)));
		}
	chains->shares = shares.data;
	return chains;
}

static char *
column_name(const SsotPairing *pairing, const SsotScopeColumn *column)
{
	return column->relation == 0 ? column->name :
		psprintf("%s.%s", ssot_scope_relation(pairing->metric->scope, column->relation)->alias, column->name);
}

/* Make room for what is found, and name the fields. */
static void
name_fields(SsotPairRows *rows, const Chains *chains)
{
	SsotPairing *pairing = rows->pairing;
	int			n = Max(chains->nsteps, 1);

	pairing->nfields = chains->nsteps;
	pairing->fields = palloc(sizeof(char *) * n);
	for (int k = 0; k < chains->nsteps; k++)
		pairing->fields[k] = column_name(pairing, list_nth(rows->columns, chains->order[k]));
	for (int h = 0; h < 2; h++)
	{
		pairing->changed[h] = palloc0(sizeof(Numeric) * n);
		pairing->nchanged[h] = palloc0(sizeof(int64) * n);
	}
}

/* Sums and counts of one hierarchy. */
static void
put_hierarchy(Output *out, const SsotPairing *pairing, int nsteps, char c)
{
	put(out, psprintf("pg_catalog.sum(-%c0.v) FILTER (WHERE " LEFT ")", c));
	put(out, psprintf("pg_catalog.count(*) FILTER (WHERE " LEFT " AND %c0.v <> 0)", c));
	put(out, psprintf("pg_catalog.sum(%c%d.v) FILTER (WHERE " RIGHT ")", c, nsteps));
	put(out, psprintf("pg_catalog.count(*) FILTER (WHERE " RIGHT " AND %c%d.v <> 0)", c, nsteps));
	put(out, psprintf("pg_catalog.sum(" ONE_SIDED ") FILTER (WHERE p.undecided)", c, nsteps, c));
	for (int k = 0; k < nsteps; k++)
	{
		char	   *step = step_of(pairing->direction, c, k, nsteps);

		put(out, psprintf("pg_catalog.sum(%s) FILTER (WHERE " BOTH ")", step));
		put(out, psprintf("pg_catalog.count(*) FILTER (WHERE " BOTH " AND %s <> 0)", step));
	}
}

static int
take_hierarchy(SsotPairing *pairing, int h, int at, const Datum *values, const bool *nulls)
{
	for (int side = 0; side < 2; side++)
	{
		pairing->only[h][side] = numeric_at(values, nulls, at++);
		pairing->nonly[h][side] = count_at(values, nulls, at++);
	}
	pairing->undecided[h] = numeric_at(values, nulls, at++);
	for (int k = 0; k < pairing->nfields; k++)
	{
		pairing->changed[h][k] = numeric_at(values, nulls, at++);
		pairing->nchanged[h][k] = count_at(values, nulls, at++);
	}
	return at;
}

static void
compare_pairs(SsotPairRows *rows)
{
	SsotPairing *pairing = rows->pairing;
	Chains	   *chains = make_chains(rows);
	int			nsteps = chains->nsteps;
	Output		out = {.n = 0};
	Datum	   *values;
	bool	   *nulls;
	int			at = 0;

	initStringInfo(&out.sql);
	for (int h = 0; h < chains->nhierarchies; h++)
		put_hierarchy(&out, pairing, nsteps, "xy"[h]);
	put(&out, "pg_catalog.count(*) FILTER (WHERE p.undecided)");
	if (chains->nhierarchies == 2)
	{
		put(&out, "pg_catalog.sum(y0.v - x0.v) FILTER (WHERE " BOTH ")");
		put(&out, psprintf("pg_catalog.sum(x%d.v - y%d.v) FILTER (WHERE " BOTH ")", nsteps, nsteps));
		put(&out, psprintf("pg_catalog.count(*) FILTER (WHERE " BOTH " AND (y0.v <> x0.v OR x%d.v <> y%d.v))",
						   nsteps, nsteps));
	}
	values = palloc(sizeof(Datum) * out.n);
	nulls = palloc(sizeof(bool) * out.n);
	ssot_pair_query(rows, ssot_sql("SELECT %s\nFROM %s%s", out.sql.data, joined_pairs(rows), chains->shares),
					out.n, values, nulls);

	name_fields(rows, chains);
	for (int h = 0; h < 2; h++)
		at = take_hierarchy(pairing, h, chains->nhierarchies == 2 ? at : 0, values, nulls);
	pairing->nundecided = count_at(values, nulls, at++);
	if (chains->nhierarchies == 1)
		return;
	pairing->moved[0] = numeric_at(values, nulls, at++);
	pairing->moved[1] = numeric_at(values, nulls, at++);
	pairing->nmoved = count_at(values, nulls, at++);
}

/*
 * The pairs one by one: gid, pair, records of the left and the right, lhas, rhas, the
 * record that may be the other half, x0, xn, y0, yn; then per hierarchy and step what
 * it does, and per step both values.
 */
char *
ssot_pairs_detail(SsotPairRows *rows)
{
	Chains	   *chains = make_chains(rows);
	int			n = chains->nsteps;
	char		last = "xy"[chains->nhierarchies - 1];
	Output		out = {.n = 0};

	initStringInfo(&out.sql);
	put(&out, "p.gid::pg_catalog.text");
	put(&out, rows->pairing->key == NULL ? "NULL::pg_catalog.text" : "p.id::pg_catalog.text");
	for (int side = 0; side < 2; side++)
		put(&out, ssot_record_label(rows, side, side == 0 ? "p.lkey" : "p.rkey"));
	put(&out, "p.lhas, p.rhas");
	put(&out, rows->undecided == NULL ? "NULL::pg_catalog.text" :
		"(SELECT pg_catalog.string_agg(DISTINCT x.other, ', ') FROM ssot_undecided AS x WHERE x.id = p.gid AND p.undecided)");
	put(&out, psprintf("x0.v, x%d.v, %c0.v, %c%d.v", n, last, last, n));

	/*
	 * Half of a record is not evaluated: an amount may be refused without a
	 * currency.
	 */
	for (int h = 0; h < 2; h++)
		for (int k = 0; k < n; k++)
			put(&out, step_of(rows->pairing->direction, h == 0 ? 'x' : last, k, n));
	for (int k = 0; k < n; k++)
		put(&out, psprintf("p.l%d::pg_catalog.text, p.r%d::pg_catalog.text", chains->order[k] + 1, chains->order[k] + 1));
	return ssot_sql("SELECT %s\nFROM %s%s", out.sql.data, joined_pairs(rows), chains->shares);
}

/* ---- what a side has besides ---------------------------------------------- */

/*
 * The whole of a side's rows, which is its number, and what it has besides, in one pass:
 *
 * SELECT sum(x.v) FILTER (WHERE p.answers), <per kind: sum, count>,
 *        <are there ids with several records?>
 * FROM (<rows>) AS p, LATERAL (<share>) AS x
 */
static void
weigh_rows(SsotPairRows *rows, int side)
{
	SsotPairing *pairing = rows->pairing;
	const char *kinds[] = {ssot_is_superseded, ssot_is_unlinked(rows), ssot_is_quarantined, ssot_is_loose};
	Numeric    *sums[] = {&pairing->duplicate[side], &pairing->unlinked[side],
	&pairing->quarantined[side], &pairing->loose[side]};
	int64	   *counts[] = {&pairing->nduplicate[side], &pairing->nunlinked[side],
	&pairing->nquarantined[side], &pairing->nloose[side]};
	const char *primary = ssot_is_primary(rows);
	Output		out = {.n = 0};
	Datum		values[10];
	bool		nulls[10];

	if (rows->records[side] == NULL && pairing->key == NULL)
	{
		ssot_pairing_number(pairing, side);
		return;
	}
	if (rows->paired[side])
		return;
	initStringInfo(&out.sql);
	put(&out, "coalesce(pg_catalog.sum(x.v) FILTER (WHERE p.answers), 0)");
	for (int k = 0; k < lengthof(kinds); k++)
	{
		put(&out, psprintf("pg_catalog.sum(x.v) FILTER (WHERE %s AND p.answers)", kinds[k]));
		put(&out, psprintf("pg_catalog.count(*) FILTER (WHERE %s AND %s)", kinds[k],
						   k == 3 ? "(NOT p.answers OR x.v <> 0)" : "p.answers AND x.v <> 0"));
	}
	put(&out, psprintf("pg_catalog.count(*) FILTER (WHERE %s) > pg_catalog.count(DISTINCT p.id) FILTER (WHERE %s)",
					   primary, primary));
	ssot_pair_query(rows, ssot_sql("SELECT %s\nFROM (%s) AS p,\n%s", out.sql.data,
								   ssot_side_rows(rows, side), ssot_own_share(rows, "x")),
					out.n, values, nulls);
	if (!rows->screened)
		pairing->plain[side] = numeric_at(values, nulls, 0);
	pairing->numbered[side] = true;
	for (int k = 0; k < lengthof(kinds); k++)
	{
		*sums[k] = numeric_at(values, nulls, 2 * k + 1);
		*counts[k] = count_at(values, nulls, 2 * k + 2);
	}
	if (DatumGetBool(values[9]))
		ssot_find_twice(rows, side);
}

/* Further records of one id are duplicates too; which they are may depend on families. */
static void
weigh_further(SsotPairRows *rows, int side)
{
	SsotPairing *pairing = rows->pairing;
	Datum		values[2];
	bool		nulls[2];

	if (rows->twice[side] == NULL)
		return;
	ssot_pair_query(rows, ssot_sql("SELECT pg_catalog.sum(x.v), pg_catalog.count(*) FILTER (WHERE x.v <> 0)\n"
								   "FROM (%s) AS p,\n%s", ssot_side_further(rows, side), ssot_own_share(rows, "x")),
					2, values, nulls);
	pairing->duplicate[side] = ssot_add(pairing->duplicate[side], numeric_at(values, nulls, 0));
	pairing->nduplicate[side] += count_at(values, nulls, 1);
}

/* Does a side have more than one record per id, or records without one, at all? */
bool
ssot_has_extra(const SsotPairRows *rows, int side)
{
	return rows->records[side] != NULL || rows->twice[side] != NULL;
}

/* They one by one: gid, pair, record, name, kind, loose, answers, share. */
char *
ssot_extra_detail(SsotPairRows *rows, int side)
{
	return ssot_sql("SELECT p.gid::pg_catalog.text, %s, p.key, %s, p.kind, p.loose, p.answers, x.v\n"
					"FROM (%s) AS p,\n%s\nWHERE x.v <> 0 OR NOT p.answers",
					rows->pairing->key == NULL ? "NULL::pg_catalog.text" : "p.id::pg_catalog.text",
					ssot_record_label(rows, side, "p.key"),
					ssot_side_extra(rows, side), ssot_own_share(rows, "x"));
}

void
ssot_pairing_compare(SsotPairing *pairing)
{
	SsotPairRows *rows = ssot_pair_rows(pairing);

	/* Families and open review pairs are of golden ids. */
	if (pairing->key == NULL)
	{
		ssot_find_families(rows);
		ssot_find_undecided(rows);
	}
	ssot_screen_rows(rows);
	for (int side = 0; side < 2; side++)
		weigh_rows(rows, side);
	for (int side = 0; side < 2; side++)
		weigh_further(rows, side);
	compare_pairs(rows);
	ssot_compare_families(rows);
	for (int side = 0; side < 2; side++)
		pairing->reading[side].records = false;
	pairing->rows = rows;
}
