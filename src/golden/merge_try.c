/*
 * golden/merge_try.c
 *		Doing the merges that linking found, and holding those that cannot be done.
 *
 * A referring table may refuse a merge: by a unique constraint, a trigger, a
 * missing privilege. The rest of a run must go through. So merges are done
 * together, one UPDATE per foreign key, in a subtransaction; where that fails
 * they are halved, in the order of the lost ids, until what fails stands alone.
 * A merge that fails alone is held: its records keep the golden id they had, and
 * the next run tries again.
 *
 * Whether a merge closes a circle in a hierarchy shows only when its records are
 * stored: of two parents, which one survives? So for entities that refer to
 * themselves the whole is a subtransaction as well, undone where a circle comes
 * out and done again without the merges that closed it (merge_circle.c).
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/errors.h"
#include "common/ident.h"
#include "golden/held_merge.h"
#include "golden/matcher.h"
#include "golden/merge.h"
#include "golden/reference.h"
#include "golden/store.h"

#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"

typedef struct Attempt
{
	const SsotEntity *entity;
	SsotLinking *linking;
	TimestampTz t;
	const SsotMerger *merger;
	const SsotMerge *wish;
	bool		moves_own;		/* merges change records of the entity itself */
} Attempt;

static bool
same_id(const SsotEntity *entity, Datum a, Datum b)
{
	return datum_image_eq(a, b, entity->id_typbyval, entity->id_typlen);
}

static bool
same_merge(const SsotEntity *entity, const SsotMerge *a, const SsotMerge *b)
{
	return same_id(entity, a->lost, b->lost) && same_id(entity, a->kept, b->kept);
}

/* ---- taking merges out of a linking ---------------------------------------- */

/* The records of the lost golden record stay with it. */
static void
keep_apart(const SsotEntity *entity, SsotLinking *linking, const SsotMerge *merge)
{
	for (int i = 0; i < linking->nnodes; i++)
	{
		SsotNode   *node = &linking->nodes[i];

		if (!node->has_id || !node->had_id ||
			!same_id(entity, node->old_id, merge->lost) ||
			!same_id(entity, node->id, merge->kept))
			continue;
		node->id = node->old_id;
		if (node->stored)
			linking->linked[node->source]--;
	}
}

static void
hold(Attempt *attempt, const SsotHeldMerge *reason)
{
	SsotHeldMerge *held = palloc(sizeof(SsotHeldMerge));

	*held = *reason;
	attempt->linking->held = lappend(attempt->linking->held, held);
	keep_apart(attempt->entity, attempt->linking, &held->merge);
}

/* Take what is held out of the merges. */
static void
drop_held(Attempt *attempt)
{
	SsotLinking *linking = attempt->linking;
	int			kept = 0;

	for (int i = 0; i < linking->nmerges; i++)
	{
		bool		held = false;
		ListCell   *cell;

		foreach(cell, linking->held)
			held |= same_merge(attempt->entity, &linking->merges[i],
							   &((SsotHeldMerge *) lfirst(cell))->merge);
		if (!held)
			linking->merges[kept++] = linking->merges[i];
	}
	linking->nmerges = kept;
}

static void
hold_error(Attempt *attempt, const SsotMerge *merge, const ErrorData *error)
{
	SsotHeldMerge held = {
		.merge = *merge,
		.relation = error->schema_name == NULL || error->table_name == NULL ? NULL :
		ssot_qualified_name(error->schema_name, error->table_name),
		.constraint = error->constraint_name,
		.sqlstate = error->sqlerrcode,
		.reason = error->message,
		.detail = error->detail
	};

	hold(attempt, &held);
}

/* What was held before a person came along stays held. */
static void
hold_known(Attempt *attempt)
{
	ListCell   *cell;

	foreach(cell, attempt->linking->reopened)
	{
		SsotHeldMerge held = *(SsotHeldMerge *) lfirst(cell);

		for (int i = 0; i < attempt->linking->nmerges; i++)
		{
			const SsotMerge *merge = &attempt->linking->merges[i];

			if (!same_merge(attempt->entity, merge, &held.merge) ||
				(attempt->wish != NULL && same_merge(attempt->entity, merge, attempt->wish)))
				continue;
			held.known = true;
			hold(attempt, &held);
		}
	}
	drop_held(attempt);
}

/* ---- moving what refers to lost ids ----------------------------------------- */

/* One try. */
typedef struct Try
{
	Attempt    *attempt;
	const SsotMerge *merges;
	int			n;
} Try;

static void
move(void *arg)
{
	Try		   *try = (Try *) arg;

	ssot_merge_move(try->attempt->entity, try->merges, try->n, try->attempt->t,
					try->attempt->merger);
}

static void
move_or_hold(Attempt *attempt, const SsotMerge *merges, int n)
{
	Try			try = {attempt, merges, n};
	ErrorData  *error;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (n == 0 || (error = ssot_attempt(move, &try)) == NULL)
		return;
	if (!ssot_error_is_local(error->sqlerrcode))
		ReThrowError(error);
	if (n > 1)
	{
		move_or_hold(attempt, merges, n / 2);
		move_or_hold(attempt, merges + n / 2, n - n / 2);
		return;
	}
	if (attempt->wish != NULL && same_merge(attempt->entity, merges, attempt->wish))
		ReThrowError(error);
	hold_error(attempt, merges, error);
}

/* ---- the whole -------------------------------------------------------------- */

static void
move_and_store(Attempt *attempt, const SsotIngest *ingest)
{
	SsotLinking *linking = attempt->linking;

	move_or_hold(attempt, linking->merges, linking->nmerges);
	drop_held(attempt);
	/* what refers to a lost id has been stored anew; or not, after all */
	if (attempt->moves_own)
		ssot_ingest_read_stored(attempt->entity, ingest);
	ssot_store_records(attempt->entity, ingest, linking, attempt->t);
	if (linking->nmerges > 0)
		ssot_merge_finish(attempt->entity, linking->merges, linking->nmerges,
						  attempt->t, attempt->merger);
}

static void
hold_circles(Attempt *attempt, const Bitmapset *closed)
{
	int			i = -1;

	while ((i = bms_next_member(closed, i)) >= 0)
	{
		SsotHeldMerge held = {
			.merge = attempt->linking->merges[i],
			.relation = attempt->entity->name,
			.sqlstate = ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION,
			.reason = psprintf("records of \"%s\" cannot be merged: the record would be above itself in a hierarchy",
							   attempt->entity->name)
		};

		hold(attempt, &held);
	}
	drop_held(attempt);
}

/* What is stored, and whether it closes a circle. */
typedef struct Storing
{
	Attempt    *attempt;
	const SsotIngest *ingest;
	SsotCircles *circles;
	Bitmapset  *closed;
} Storing;

static bool
store_unless_circles(void *arg)
{
	Storing    *storing = (Storing *) arg;
	Attempt    *attempt = storing->attempt;
	SsotLinking *linking = attempt->linking;

	move_and_store(attempt, storing->ingest);
	if (linking->nmerges == 0)
		return true;
	ssot_references_refresh(attempt->entity, true, attempt->t, linking->touched,
							&linking->ntouched);
	storing->closed = ssot_circles_after(storing->circles, linking);
	return storing->closed == NULL;
}

/* Undone if a merge closes a circle; false then. */
static bool
store_without_circles(Attempt *attempt, const SsotIngest *ingest)
{
	Storing		storing = {
		attempt, ingest, ssot_circles_before(attempt->entity, attempt->linking)
	};

	if (ssot_keep_if(store_unless_circles, &storing))
		return true;
	hold_circles(attempt, storing.closed);
	return false;
}

void
ssot_store_and_merge(const SsotEntity *entity, const SsotIngest *ingest,
					 SsotLinking *linking, TimestampTz t, const SsotMerger *merger,
					 const SsotMerge *wish)
{
	Attempt		attempt = {entity, linking, t, merger, wish};
	bool		person = merger->run_id == 0;

	if (person)
		hold_known(&attempt);
	attempt.moves_own = !person && linking->nmerges > 0 && ssot_references_itself(entity);
	if (!attempt.moves_own)
		move_and_store(&attempt, ingest);
	else
		while (!store_without_circles(&attempt, ingest))
			CHECK_FOR_INTERRUPTS();
	ssot_held_merges_write(entity, linking, t, merger->run_id);
	ssot_matched_write(entity, linking->matched, t);
}
