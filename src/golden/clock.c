/*
 * golden/clock.c
 *		The clock row, and the flag that tells machine writes from people's.
 *
 * ssot.clock holds one row per entity with the time of its last write. The row
 * lock is the entity's write lock: a transaction that writes takes it, chooses
 * t = greatest(clock_timestamp(), last_write + 1 us), and stores t. So the time
 * of a write is later than every last_write that was committed before it, which
 * makes last_write, as a snapshot sees it, firm ground: whoever has seen L can
 * be sure that nothing will ever be written with a time of L or earlier. now()
 * has no such property, because transactions do not commit in the order in
 * which they start.
 *
 * Being a row, the clock is undone by savepoints, kept by two-phase commit,
 * replicated, dumped, and a serialization error under REPEATABLE READ, all
 * without code here. What this backend remembers of it has to keep pace: an
 * entry belongs to the subtransaction that made it, moves to the parent when
 * that commits and vanishes when it aborts. The machine flag is kept the same
 * way, so an error caught by a PL/pgSQL block or a savepoint cannot leave it
 * standing.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/owner.h"
#include "common/query.h"
#include "golden/clock.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* What this transaction knows of one entity's clock. */
typedef struct ClockEntry
{
	Oid			relid;			/* the canonical table */
	TimestampTz time;			/* this transaction's write time */
	SubTransactionId locked;	/* the subtransaction that took the lock */
	SubTransactionId written;	/* the one that stored the time, or invalid */
} ClockEntry;

/* One ssot_machine_begin that was not ended yet. */
typedef struct MachineFrame
{
	SubTransactionId subid;
	int			trigger_depth;
} MachineFrame;

/* Both live in TopTransactionContext and are empty between transactions. */
static ClockEntry *clocks = NULL;
static int	nclocks = 0;
static int	max_clocks = 0;

static MachineFrame *frames = NULL;
static int	nframes = 0;
static int	max_frames = 0;

static bool callbacks_registered = false;

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			clocks = NULL;
			nclocks = max_clocks = 0;
			frames = NULL;
			nframes = max_frames = 0;
			break;
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			break;
	}
}

static void
forget_subtransaction(SubTransactionId subid)
{
	int			kept = 0;

	for (int i = 0; i < nclocks; i++)
	{
		if (clocks[i].locked == subid)
			continue;
		if (clocks[i].written == subid)
			clocks[i].written = InvalidSubTransactionId;
		clocks[kept++] = clocks[i];
	}
	nclocks = kept;
	while (nframes > 0 && frames[nframes - 1].subid == subid)
		nframes--;
}

static void
hand_to_parent(SubTransactionId subid, SubTransactionId parent)
{
	for (int i = 0; i < nclocks; i++)
	{
		if (clocks[i].locked == subid)
			clocks[i].locked = parent;
		if (clocks[i].written == subid)
			clocks[i].written = parent;
	}
	for (int i = 0; i < nframes; i++)
	{
		if (frames[i].subid == subid)
			frames[i].subid = parent;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	switch (event)
	{
		case SUBXACT_EVENT_ABORT_SUB:
			forget_subtransaction(subid);
			break;
		case SUBXACT_EVENT_COMMIT_SUB:
			hand_to_parent(subid, parent);
			break;
		case SUBXACT_EVENT_START_SUB:
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			break;
	}
}

static void
register_callbacks(void)
{
	if (callbacks_registered)
		return;
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
	callbacks_registered = true;
}

static ClockEntry *
find_clock(Oid relid)
{
	for (int i = 0; i < nclocks; i++)
	{
		if (clocks[i].relid == relid)
			return &clocks[i];
	}
	return NULL;
}

static ClockEntry *
add_clock(Oid relid, TimestampTz time)
{
	ClockEntry *entry;

	register_callbacks();
	if (nclocks == max_clocks)
	{
		int			size = Max(8, max_clocks * 2);
		ClockEntry *larger = MemoryContextAlloc(TopTransactionContext,
												size * sizeof(ClockEntry));

		if (nclocks > 0)
			memcpy(larger, clocks, nclocks * sizeof(ClockEntry));
		clocks = larger;
		max_clocks = size;
	}
	entry = &clocks[nclocks++];
	entry->relid = relid;
	entry->time = time;
	entry->locked = GetCurrentSubTransactionId();
	entry->written = InvalidSubTransactionId;
	return entry;
}

static Oid
clock_relid(void)
{
	Oid			relid = get_relname_relid("clock", get_namespace_oid("ssot", false));

	if (!OidIsValid(relid))
		elog(ERROR, "table ssot.clock does not exist");
	return relid;
}

static void
no_clock(const char *entity_name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("\"%s\" is not a registered entity", entity_name),
			 errhint("Register the table with ssot.register_entity.")));
}

static SsotQuery lock_clock = {
	.sql =
	"SELECT c.last_write"
	"  FROM ssot.clock AS c"
	" WHERE c.entity OPERATOR(pg_catalog.=) $1"
	"   FOR NO KEY UPDATE",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

TimestampTz
ssot_clock_lock(const SsotEntity *entity)
{
	ClockEntry *entry = find_clock(entity->relid);
	Datum		args[1];
	Datum		last_write;
	bool		isnull;
	bool		found;
	SsotUser	user;

	if (entry != NULL)
		return entry->time;

	args[0] = CStringGetTextDatum(entity->name);
	user = ssot_become_owner(clock_relid());
	found = ssot_query_one(&lock_clock, args, NULL, 1, &last_write, &isnull);
	ssot_restore_user(user);
	if (!found)
		no_clock(entity->name);

	entry = add_clock(entity->relid,
					  Max(GetCurrentTimestamp(), DatumGetTimestampTz(last_write) + 1));
	return entry->time;
}

static SsotQuery advance_clock = {
	.sql =
	"UPDATE ssot.clock AS c"
	"   SET last_write = $2"
	" WHERE c.entity OPERATOR(pg_catalog.=) $1",
	.nargs = 2,
	.argtypes = {TEXTOID, TIMESTAMPTZOID}
};

TimestampTz
ssot_clock_take(const SsotEntity *entity)
{
	TimestampTz time = ssot_clock_lock(entity);
	ClockEntry *entry = find_clock(entity->relid);
	Datum		args[2];
	SsotUser	user;

	if (entry->written != InvalidSubTransactionId)
		return time;

	args[0] = CStringGetTextDatum(entity->name);
	args[1] = TimestampTzGetDatum(time);
	user = ssot_become_owner(clock_relid());
	if (ssot_query_run(&advance_clock, args, NULL) == 0)
		no_clock(entity->name);
	ssot_restore_user(user);

	find_clock(entity->relid)->written = GetCurrentSubTransactionId();
	return time;
}

static SsotQuery read_clock = {
	.sql =
	"SELECT c.last_write"
	"  FROM ssot.clock AS c"
	" WHERE c.entity OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.read_only = true
};

TimestampTz
ssot_clock_read(const char *entity_name)
{
	Datum		args[1];
	Datum		last_write;
	bool		isnull;
	bool		found;
	SsotUser	user;

	args[0] = CStringGetTextDatum(entity_name);
	user = ssot_become_owner(clock_relid());
	found = ssot_query_one(&read_clock, args, NULL, 1, &last_write, &isnull);
	ssot_restore_user(user);
	if (!found)
		no_clock(entity_name);
	return DatumGetTimestampTz(last_write);
}

/* How many triggers are running around us. */
static int
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

void
ssot_machine_begin(void)
{
	register_callbacks();
	if (nframes == max_frames)
	{
		int			size = Max(8, max_frames * 2);
		MachineFrame *larger = MemoryContextAlloc(TopTransactionContext,
												  size * sizeof(MachineFrame));

		if (nframes > 0)
			memcpy(larger, frames, nframes * sizeof(MachineFrame));
		frames = larger;
		max_frames = size;
	}
	frames[nframes].subid = GetCurrentSubTransactionId();
	frames[nframes].trigger_depth = trigger_depth();
	nframes++;
}

void
ssot_machine_end(void)
{
	if (nframes == 0)
		elog(ERROR, "ssot_machine_end without ssot_machine_begin");
	nframes--;
}

bool
ssot_machine_writes(void)
{
	return nframes > 0 && trigger_depth() <= frames[nframes - 1].trigger_depth + 1;
}
