/*
 * common/attempt.c
 *		Doing something that may fail, and knowing why it did.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/attempt.h"
#include "common/errors.h"

#include "access/xact.h"
#include "utils/resowner.h"

ErrorData *
ssot_attempt(void (*action) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile failed = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		action(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		failed = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return failed;
}

char *
ssot_attempt_local(void (*action) (void *arg), void *arg)
{
	ErrorData  *error = ssot_attempt(action, arg);

	if (error == NULL)
		return NULL;
	if (!ssot_error_is_local(error->sqlerrcode))
		ReThrowError(error);
	return error->message;
}

bool
ssot_keep_if(bool (*action) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile failed = NULL;
	volatile bool keep = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		keep = action(arg);
		if (keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		failed = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (failed != NULL)
		ReThrowError(failed);
	return keep;
}
