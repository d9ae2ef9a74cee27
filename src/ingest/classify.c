/*
 * ingest/classify.c
 *		Same key: which of its rows is in force.
 *
 * A key should have one row, but sources have duplicates. Rows of one key are
 * told apart by what they say after mapping. The latest source time is in
 * force, the others are superseded copies; rows that say the same are copies
 * of each other. Where the latest time belongs to rows that say different
 * things, or there is no time, nobody can tell which is right: those rows are
 * refused, unless one of them was accepted before; the next latest time then
 * decides. Once a row of the key is refused, the stored one in force stays
 * where nothing at least as new can take its place. Example, without times:
 *
 *		stored	source		in force	refused
 *		-		A			A
 *		-		A B			-			A B
 *		A		A B			A			B
 *		A		B C			A			B C		(the last good one)
 *		A		B			B
 *		A		-			-					(gone)
 *
 * The order of rows in the source never decides: candidates are put in order
 * of time, content and image. Of what is stored only the row in force matters,
 * so what was superseded before leaves no trace.
 */
#include "postgres.h"

#include "ssot.h"
#include "ingest/classify.h"

#include "utils/timestamp.h"

#define NO_TIME_REASON "same key, different content, and no source time to tell which is newer"
#define EQUAL_TIME_REASON "same key, different content, and the same source time"

static int
compare_bytes(const char *a, int a_len, const char *b, int b_len)
{
	int			result = memcmp(a, b, Min(a_len, b_len));

	return result != 0 ? result : (a_len > b_len) - (a_len < b_len);
}

static int
compare_values(Form_pg_attribute att, Datum a, Datum b)
{
	if (att->attbyval)
		return (a > b) - (a < b);
	if (att->attlen == -1)
	{
		struct varlena *left = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(a));
		struct varlena *right = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(b));

		return compare_bytes(VARDATA_ANY(left), VARSIZE_ANY_EXHDR(left),
							 VARDATA_ANY(right), VARSIZE_ANY_EXHDR(right));
	}
	if (att->attlen == -2)
		return strcmp(DatumGetCString(a), DatumGetCString(b));
	return memcmp(DatumGetPointer(a), DatumGetPointer(b), att->attlen);
}

int
ssot_compare_column(const SsotContents *contents, int attnum,
					const SsotCandidate *a, const SsotCandidate *b)
{
	int			i = attnum - 1;

	if (a->nulls[i] || b->nulls[i])
		return (int) b->nulls[i] - (int) a->nulls[i];
	return compare_values(TupleDescAttr(contents->desc, i), a->values[i], b->values[i]);
}

static bool
is_alias(const SsotCandidate *candidate)
{
	return DatumGetInt32(candidate->values[SSOT_REC_COPY - 1]) == -1;
}

int
ssot_compare_contents(const SsotContents *contents,
					  const SsotCandidate *a, const SsotCandidate *b)
{
	static const int documents[] = {SSOT_REC_TOKENS, SSOT_REC_REFS, SSOT_REC_TIMES, SSOT_REC_DETAIL};
	int			result;

	for (int f = 0; f < contents->nfields; f++)
	{
		if (contents->is_reference[f])
			continue;
		result = ssot_compare_column(contents, SSOT_REC_FIELDS + 1 + f, a, b);
		if (result != 0)
			return result;
	}
	for (int i = 0; i < lengthof(documents); i++)
	{
		result = ssot_compare_column(contents, documents[i], a, b);
		if (result != 0)
			return result;
	}
	return 0;
}

/* Two rows of the source: an alias is never the same as a record. */
static int
compare_candidates(const SsotContents *contents, const SsotCandidate *a, const SsotCandidate *b)
{
	if (is_alias(a) != is_alias(b))
		return is_alias(a) ? 1 : -1;
	return ssot_compare_contents(contents, a, b);
}

/* Latest first, no time last. */
static int
compare_times(const SsotCandidate *a, const SsotCandidate *b)
{
	int			i = SSOT_REC_UPDATED_AT - 1;
	TimestampTz left;
	TimestampTz right;

	if (a->nulls[i] || b->nulls[i])
		return (int) a->nulls[i] - (int) b->nulls[i];
	left = DatumGetTimestampTz(a->values[i]);
	right = DatumGetTimestampTz(b->values[i]);
	return (left < right) - (left > right);
}

static int
compare_pooled(const void *a, const void *b, void *arg)
{
	const SsotContents *contents = (const SsotContents *) arg;
	const SsotCandidate *left = *(SsotCandidate *const *) a;
	const SsotCandidate *right = *(SsotCandidate *const *) b;
	int			result = compare_times(left, right);

	if (result == 0)
		result = compare_candidates(contents, left, right);
	if (result == 0)
		result = ssot_compare_column(contents, SSOT_REC_IMAGE, left, right);
	return result;
}

/* The stored row in force, or NULL. */
static SsotCandidate *
stored_in_force(SsotCandidate *candidates, int n)
{
	for (int i = 0; i < n; i++)
		if (candidates[i].stored && DatumGetInt32(candidates[i].values[SSOT_REC_COPY - 1]) <= 0)
			return &candidates[i];
	return NULL;
}

/*
 * Is the row the stored one, perhaps evaluated again? Where the mapping has
 * changed, images differ; the row is then known by what it says.
 */
static bool
is_known(const SsotContents *contents, const SsotCandidate *row, const SsotCandidate *stored)
{
	if (row == stored)
		return true;
	return stored != NULL &&
		(ssot_compare_column(contents, SSOT_REC_IMAGE, row, stored) == 0 ||
		 (compare_times(row, stored) == 0 && compare_candidates(contents, row, stored) == 0));
}

/*
 * The pool is in order, so the rows of the latest time stand first. Returns how
 * many they are if they say different things, else 0.
 */
static int
count_tied(const SsotContents *contents, SsotCandidate **pool, int npool)
{
	bool		differ = false;
	int			tied = 1;

	for (; tied < npool && compare_times(pool[0], pool[tied]) == 0; tied++)
		if (compare_candidates(contents, pool[0], pool[tied]) != 0)
			differ = true;
	return differ ? tied : 0;
}

/*
 * Settle a tie among the first "tied" rows: the one accepted before moves to
 * the front and the others that do not say the same are refused; without one
 * all are. Takes those refused out of the pool; true if there was one.
 */
static bool
settle_tie(const SsotContents *contents, SsotCandidate **pool, int *npool, int tied,
		   const SsotCandidate *stored, SsotVerdict *verdict)
{
	SsotCandidate *known = NULL;
	SsotCandidate **kept = palloc(sizeof(SsotCandidate *) * *npool);
	int			nkept = 0;

	for (int i = 0; i < tied; i++)
		if (is_known(contents, pool[i], stored) && (known == NULL || pool[i] == stored))
			known = pool[i];
	verdict->reason = pool[0]->nulls[SSOT_REC_UPDATED_AT - 1] ? NO_TIME_REASON : EQUAL_TIME_REASON;
	if (known != NULL)
		kept[nkept++] = known;
	for (int i = 0; i < *npool; i++)
	{
		if (pool[i] == known)
			continue;
		if (i >= tied ||
			(known != NULL && compare_candidates(contents, pool[i], known) == 0))
			kept[nkept++] = pool[i];
		else
		{
			pool[i]->refused = true;
			verdict->nrefused++;
		}
	}
	memcpy(pool, kept, sizeof(SsotCandidate *) * nkept);
	pfree(kept);
	*npool = nkept;
	return known != NULL;
}

/* Is the row stored already, as this copy? *same: but for its image. */
static bool
is_stored_as(const SsotContents *contents, const SsotCandidate *row, int copy,
			 const SsotCandidate *candidates, int n, bool *same)
{
	*same = false;
	for (int i = 0; i < n; i++)
	{
		const SsotCandidate *stored = &candidates[i];

		if (!stored->stored || DatumGetInt32(stored->values[SSOT_REC_COPY - 1]) != copy)
			continue;
		if (row == stored)
			return true;
		*same = compare_times(row, stored) == 0 &&
			ssot_compare_contents(contents, row, stored) == 0;
		return *same && ssot_compare_column(contents, SSOT_REC_IMAGE, row, stored) == 0;
	}
	return false;
}

static void
compare_with_stored(const SsotContents *contents, SsotCandidate *candidates, int n,
					SsotVerdict *verdict)
{
	int			nstored = 0;
	bool		changed = false;

	for (int i = 0; i < n; i++)
		nstored += candidates[i].stored;
	verdict->is_new = nstored == 0;
	if (verdict->nrows == 0)
	{
		verdict->fate = nstored == 0 ? SSOT_KEY_NOTHING : SSOT_KEY_GONE;
		return;
	}
	verdict->same = palloc(sizeof(bool) * verdict->nrows);
	for (int i = 0; i < verdict->nrows; i++)
	{
		int			copy = i > 0 ? i : (is_alias(verdict->rows[0]) ? -1 : 0);

		if (!is_stored_as(contents, verdict->rows[i], copy, candidates, n, &verdict->same[i]))
			changed = true;
	}
	verdict->fate = changed || nstored != verdict->nrows ? SSOT_KEY_CHANGED : SSOT_KEY_UNCHANGED;
}

/*
 * May the stored row in force serve as the last good one? Its raw row is gone or
 * has turned into one that was refused; where it was merely evaluated again, it
 * is among the candidates already.
 */
static bool
is_last_good(const SsotContents *contents, const SsotCandidate *stored,
			 const SsotCandidate *candidates, int n)
{
	if (stored == NULL || stored->seen)
		return false;
	for (int i = 0; i < n; i++)
		if (!candidates[i].stored && is_known(contents, &candidates[i], stored))
			return false;
	return true;
}

void
ssot_classify(const SsotContents *contents, SsotCandidate *candidates, int ncandidates,
			  bool some_refused, SsotVerdict *verdict)
{
	SsotCandidate **pool = palloc(sizeof(SsotCandidate *) * (ncandidates + 1));
	SsotCandidate *stored = stored_in_force(candidates, ncandidates);
	bool		last_good = is_last_good(contents, stored, candidates, ncandidates);
	int			npool = 0;

	memset(verdict, 0, sizeof(*verdict));
	for (int i = 0; i < ncandidates; i++)
		if (!candidates[i].stored || candidates[i].seen)
			pool[npool++] = &candidates[i];

	for (;;)
	{
		int			tied;

		qsort_arg(pool, npool, sizeof(SsotCandidate *), compare_pooled, unconstify(SsotContents *, contents));

		/* Nothing older takes its place because something newer was refused. */
		if (some_refused && last_good &&
			(npool == 0 || compare_times(stored, pool[0]) < 0))
		{
			memmove(pool + 1, pool, sizeof(SsotCandidate *) * npool);
			pool[0] = stored;
			npool++;
			break;
		}
		tied = npool < 2 ? 0 : count_tied(contents, pool, npool);
		if (tied == 0 || settle_tie(contents, pool, &npool, tied, stored, verdict))
			break;
		some_refused = true;
	}
	verdict->nrows = npool;
	verdict->rows = pool;
	compare_with_stored(contents, candidates, ncandidates, verdict);
}
