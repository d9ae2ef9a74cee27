/*
 * dictionary/explain_share.c
 *		The entities behind each cause, and what each contributes.
 *
 * An entity's share of a cause is the weighed sum of its parts (explain_detail.c). Shares
 * are rounded as the causes were: cut towards zero, and what is missing to the cause's
 * contribution goes, one last digit each, to those that lost most. So the entities of a
 * cause add up to it exactly. In a bridge nothing is rounded: every share has the
 * decimals of its rows.
 *
 * What an entity counts for on either side is told where all orders agree on it.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "dictionary/explain.h"
#include "dictionary/explain_core.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef struct Shares
{
	const SsotExplained *explained;
	List	   *causes;			/* in the order in which they are told */
	const SsotGame *game;
	SsotShareCallback callback;
	void	   *arg;
	MemoryContext row;			/* in which a row is read */
	Numeric    *left;			/* by cause: what its entities have not added
								 * up to */
} Shares;

/* "(0, 12.5::numeric, 4), ...": each cause's place, contribution and corners. */
static char *
causes_sql(const Shares *x)
{
	StringInfoData buf;
	int			n = 0;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, x->causes)
	{
		SsotCause  *cause = (SsotCause *) lfirst(cell);

		appendStringInfo(&buf, "%s(%d, %s::pg_catalog.numeric, %d)", n > 0 ? ", " : "", n,
						 quote_literal_cstr(DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(cause->contribution)))),
						 pg_popcount32(ssot_game_contexts(x->game, cause->axis)));
		n++;
	}
	return buf.data;
}

/*
 * Parts of one entity and corner are added up (of a record that one of two definitions
 * can ask, that which the other cannot is the one that is counted); then its corners, of which one that is
 * not there is nothing; then shares are rounded. Ties are broken by an order that does
 * not know left from right.
 */
static char *
rounding_sql(const Shares *x)
{
	char	   *digit = psprintf("'1e-%d'::pg_catalog.numeric", x->explained->scale);
	const char *names = "pg_catalog.length(s.id), s.id COLLATE \"C\", s.record COLLATE \"C\"";

	return ssot_sql("SELECT s.cause, s.id, s.pair, s.entities,"
					" s.cut + CASE WHEN s.missing > 0 AND s.up <= s.missing / %s THEN %s"
					" WHEN s.missing < 0 AND s.down <= -s.missing / %s THEN -%s ELSE 0 END AS contribution,"
					" s.minimum, s.maximum, s.l, s.r, s.l_value, s.r_value, s.l_records, s.r_records, s.other\n"
					"FROM (SELECT s.*, s.whole - pg_catalog.sum(s.cut) OVER (PARTITION BY s.cause) AS missing,\n"
					"  pg_catalog.row_number() OVER (PARTITION BY s.cause ORDER BY s.share - s.cut * 24 DESC, %s) AS up,\n"
					"  pg_catalog.row_number() OVER (PARTITION BY s.cause ORDER BY s.share - s.cut * 24, %s) AS down\n"
					" FROM (SELECT s.*, c.whole, pg_catalog.div(s.share, 24 * %s) * %s AS cut,\n"
					"   CASE WHEN s.corners < c.corners THEN least(s.least, 0) ELSE s.least END AS minimum,\n"
					"   CASE WHEN s.corners < c.corners THEN greatest(s.most, 0) ELSE s.most END AS maximum\n"
					"  FROM (SELECT e.cause, e.id, e.record, pg_catalog.max(e.pair) AS pair, pg_catalog.max(e.parts) AS entities,\n"
					"    pg_catalog.count(*) AS corners, pg_catalog.sum(e.weight * e.v) AS share,\n"
					"    pg_catalog.min(e.v) AS least, pg_catalog.max(e.v) AS most,\n"
					"    CASE WHEN pg_catalog.min(e.l) = pg_catalog.max(e.l) THEN pg_catalog.max(e.l) END AS l,\n"
					"    CASE WHEN pg_catalog.min(e.r) = pg_catalog.max(e.r) THEN pg_catalog.max(e.r) END AS r,\n"
					"    CASE WHEN pg_catalog.min(e.l_value) = pg_catalog.max(e.l_value) THEN pg_catalog.max(e.l_value) END AS l_value,\n"
					"    CASE WHEN pg_catalog.min(e.r_value) = pg_catalog.max(e.r_value) THEN pg_catalog.max(e.r_value) END AS r_value,\n"
					"    pg_catalog.max(e.l_records) AS l_records, pg_catalog.max(e.r_records) AS r_records,\n"
					"    pg_catalog.max(e.other) AS other\n"
					"   FROM (SELECT d.cause, d.corner, d.weight, d.id, d.record, pg_catalog.max(d.pair) AS pair,\n"
					"     coalesce(nullif(pg_catalog.count(*) FILTER (WHERE d.l IS NULL AND d.r IS NULL), 0), pg_catalog.count(*)) AS parts,\n"
					"     pg_catalog.sum(d.v) AS v, pg_catalog.sum(d.l) AS l, pg_catalog.sum(d.r) AS r,\n"
					"     pg_catalog.max(d.l_value) AS l_value, pg_catalog.max(d.r_value) AS r_value,\n"
					"     pg_catalog.max(d.l_records) AS l_records, pg_catalog.max(d.r_records) AS r_records,\n"
					"     pg_catalog.max(d.other) AS other\n"
					"    FROM ssot_detail AS d GROUP BY d.cause, d.corner, d.weight, d.id, d.record) AS e\n"
					"   GROUP BY e.cause, e.id, e.record) AS s\n"
					"  JOIN (VALUES %s) AS c (cause, whole, corners) ON c.cause = s.cause) AS s) AS s\n"
					"ORDER BY s.cause, pg_catalog.abs(s.share) DESC, %s",
					digit, digit, digit, digit, names, names, digit, digit, causes_sql(x), names);
}

/* A row, in a memory context of its own. */
static bool
tell_share(TupleTableSlot *slot, void *arg)
{
	Shares	   *x = (Shares *) arg;
	MemoryContext old = MemoryContextSwitchTo(x->row);
	SsotSlotReader reader = {slot, 0};
	SsotEntityShare share = {0};
	SsotCause  *cause;
	Numeric		left;
	int			place;

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	place = DatumGetInt32(ssot_next_datum(&reader).value);
	cause = (SsotCause *) list_nth(x->causes, place);

	share.cause = cause;
	share.id = ssot_next_datum(&reader);
	share.pair = ssot_next_datum(&reader);
	share.entities = DatumGetInt64(ssot_next_datum(&reader).value);
	share.contribution = ssot_next_numeric(&reader);
	share.minimum = ssot_tidy(ssot_next_numeric(&reader), x->explained->scale);
	share.maximum = ssot_tidy(ssot_next_numeric(&reader), x->explained->scale);
	for (int side = 0; side < 2; side++)
		share.counts[side] = ssot_next_numeric(&reader);
	for (int side = 0; side < 2; side++)
		share.value[side] = ssot_next_datum(&reader);
	for (int side = 0; side < 2; side++)
		share.records[side] = ssot_next_datum(&reader);
	share.other = ssot_next_datum(&reader);
	/* several rows of one record are told apart only where rows are counted */
	if (cause->kind != SSOT_CAUSE_DUPLICATE && cause->kind != SSOT_CAUSE_UNLINKED &&
		cause->kind != SSOT_CAUSE_QUARANTINED && cause->kind != SSOT_CAUSE_NOT_ANSWERABLE)
		share.entities = 1;
	x->callback(&share, x->arg);
	MemoryContextSwitchTo(old);
	left = x->left[place];
	x->left[place] = ssot_subtract(left, share.contribution);
	pfree(left);
	MemoryContextReset(x->row);
	return true;
}

/* Error unless the entities of each cause added up to it. */
static void
check_sums(const Shares *x)
{
	for (int i = 0; i < list_length(x->causes); i++)
		if (((SsotCause *) list_nth(x->causes, i))->kind != SSOT_CAUSE_REPORTED &&
			!ssot_is_zero(x->left[i]))
			elog(ERROR, "the entities of a cause miss %s of it",
				 DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(x->left[i]))));
}

void
ssot_explain_detail(const SsotExplained *explained, List *causes, const SsotGame *game,
					SsotShareCallback callback, void *arg)
{
	Shares		x = {.explained = explained,.causes = causes,.game = game,.callback = callback,.arg = arg};
	SsotStatement statement = {.nrelations = 1,.read_only = true};
	SsotRelation *detail;
	int			n = list_length(causes);

	if (n == 0)
		return;
	x.row = AllocSetContextCreate(CurrentMemoryContext, "explained share", ALLOCSET_DEFAULT_SIZES);
	x.left = palloc(sizeof(Numeric) * n);
	for (int i = 0; i < n; i++)
		x.left[i] = ssot_add(((SsotCause *) list_nth(causes, i))->contribution, NULL);
	detail = ssot_explain_parts(explained, causes, game);
	statement.relations = detail;
	statement.sql = rounding_sql(&x);
	ssot_statement_each(&statement, tell_share, &x);
	tuplestore_end(detail->rows);
	MemoryContextDelete(x.row);
	check_sums(&x);
}
