/*
 * ingest/protect.c
 *		Evaluating what users wrote over many rows, some of which will fail.
 *
 * PostgreSQL 15 has no soft errors: a cast that fails raises, and only the end
 * of a (sub)transaction clears up after it. So items are worked on in batches,
 * each inside one internal subtransaction that writes nothing. An error rolls
 * the subtransaction back, sets that item aside, and the next batch begins
 * after it: k bad items cost k subtransactions, good ones next to nothing, and
 * no transaction id is ever assigned.
 *
 * Errors that are not about the item are raised again: a cancelled query,
 * exhausted memory or disk, a shutdown, an internal error, a serialization
 * failure, a missing privilege. They would hit every item alike, or must
 * never be swallowed.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/errors.h"
#include "ingest/protect.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/resowner.h"

/* Long enough that a subtransaction's cost vanishes, short enough that what
 * functions allocate in it does not pile up. */
#define BATCH 1000

/* Owner of what must survive the subtransaction; NULL outside of a loop. */
static ResourceOwner outer_owner = NULL;

/* One batch; false when there are no more items. *again: begin with the item
 * at hand. */
static bool
run_batch(const SsotProtected *loop, void *arg, bool *again)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ResourceOwner enclosing = outer_owner;
	volatile bool more = true;
	volatile bool repeat = *again;

	*again = false;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		outer_owner = owner;
		for (int i = 0; i < BATCH && more; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!repeat)
				more = loop->next(arg);
			repeat = false;
			if (more)
				loop->work(arg);
		}
		outer_owner = enclosing;
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		outer_owner = enclosing;
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (!ssot_error_is_local(error->sqlerrcode) ||
			error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
			ReThrowError(error);
		*again = loop->failed(arg, error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	return more;
}

void
ssot_protected_each(const SsotProtected *loop, void *arg)
{
	bool		again = false;

	while (run_batch(loop, arg, &again))
		;
}

void
ssot_protected_outside(void (*action) (void *arg), void *arg)
{
	ResourceOwner inner = CurrentResourceOwner;

	/* An error in between ends the subtransaction, which resets the owner. */
	CurrentResourceOwner = outer_owner;
	action(arg);
	CurrentResourceOwner = inner;
}
