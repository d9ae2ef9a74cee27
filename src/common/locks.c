/*
 * common/locks.c
 *		Several locks at once, waited for with empty hands.
 *
 * A view is locked before its tables by whoever reads it, and after a table by
 * whoever has read that already, or dumps the database. DDL that needs both has no
 * order that never meets somebody in the other. So it waits for one lock while it
 * holds none of them, tries the others, and if one is not free gives all back and
 * waits for that. Readers who never leave a gap must not keep it out: in the end
 * it waits in the order in which most of them come.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/locks.h"

#include "miscadmin.h"
#include "storage/lmgr.h"

typedef struct SsotLock
{
	Oid			relid;
	LOCKMODE	mode;
} SsotLock;

/* How often we begin again before we wait with locks in hand. */
#define LOCK_ATTEMPTS 20

List *
ssot_locks_add(List *locks, Oid relid, LOCKMODE mode)
{
	SsotLock   *lock;
	ListCell   *cell;

	if (!OidIsValid(relid))
		return locks;
	foreach(cell, locks)
	{
		lock = (SsotLock *) lfirst(cell);
		if (lock->relid == relid && lock->mode == mode)
			return locks;
	}
	lock = palloc(sizeof(SsotLock));
	lock->relid = relid;
	lock->mode = mode;
	return lappend(locks, lock);
}

static bool
same_locks(const List *a, const List *b)
{
	if (list_length(a) != list_length(b))
		return false;
	for (int i = 0; i < list_length(a); i++)
	{
		const SsotLock *x = (const SsotLock *) list_nth(a, i);
		const SsotLock *y = (const SsotLock *) list_nth(b, i);

		if (x->relid != y->relid || x->mode != y->mode)
			return false;
	}
	return true;
}

/* Give the locks up to "end" back, and the one at "first", which was taken before them. */
static void
release(const List *locks, int end, int first)
{
	for (int i = 0; i < list_length(locks); i++)
	{
		const SsotLock *lock = (const SsotLock *) list_nth(locks, i);

		if (i < end || i == first)
			UnlockRelationOid(lock->relid, lock->mode);
	}
}

/*
 * Wait for the lock at "first", then try the others. Whether all are held; if not,
 * none is, and *first is the one that was not free.
 */
static bool
take_without_waiting(const List *locks, int *first)
{
	const SsotLock *awaited = (const SsotLock *) list_nth(locks, *first);

	LockRelationOid(awaited->relid, awaited->mode);
	for (int i = 0; i < list_length(locks); i++)
	{
		const SsotLock *lock = (const SsotLock *) list_nth(locks, i);

		if (i != *first && !ConditionalLockRelationOid(lock->relid, lock->mode))
		{
			release(locks, i, *first);
			*first = i;
			return false;
		}
	}
	return true;
}

static void
take_in_order(const List *locks)
{
	ListCell   *cell;

	foreach(cell, locks)
		LockRelationOid(((SsotLock *) lfirst(cell))->relid, ((SsotLock *) lfirst(cell))->mode);
}

void
ssot_locks_take(List *(*wanted) (void *arg), void *arg)
{
	List	   *locks = wanted(arg);
	int			first = list_length(locks) - 1;

	for (int attempt = 0; locks != NIL; attempt++)
	{
		List	   *now;
		bool		all = true;

		CHECK_FOR_INTERRUPTS();
		if (attempt < LOCK_ATTEMPTS)
			all = take_without_waiting(locks, &first);
		else
			take_in_order(locks);
		now = wanted(arg);
		if (all && same_locks(locks, now))
			return;
		if (all)
			release(locks, list_length(locks), 0);
		if (!same_locks(locks, now))
			first = list_length(now) - 1;
		locks = now;
	}
}
