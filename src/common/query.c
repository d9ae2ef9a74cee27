/*
 * common/query.c
 *		Running SQL from C: the only file that calls SPI.
 *
 * A DestReceiver stands between the executor and the callback, so a scan of
 * ten million rows holds one row at a time, and a row costs no copy. The
 * receiver's callback runs in the memory context that was current when the
 * statement was started, so what it allocates outlives the statement.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/query.h"

#include "access/tupconvert.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* A DestReceiver that hands each row to a callback. */
typedef struct CallbackReceiver
{
	DestReceiver pub;
	SsotRowCallback callback;
	void	   *arg;
	MemoryContext context;		/* the caller's */
} CallbackReceiver;

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	CallbackReceiver *receiver = (CallbackReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->context);
	bool		more = receiver->callback(slot, receiver->arg);

	MemoryContextSwitchTo(old);
	return more;
}

static void
receive_nothing(DestReceiver *self)
{
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
init_receiver(CallbackReceiver *receiver, SsotRowCallback callback, void *arg)
{
	memset(receiver, 0, sizeof(*receiver));
	receiver->pub.receiveSlot = receive_row;
	receiver->pub.rStartup = receive_startup;
	receiver->pub.rShutdown = receive_nothing;
	receiver->pub.rDestroy = receive_nothing;
	receiver->pub.mydest = DestNone;
	receiver->callback = callback;
	receiver->arg = arg;
	receiver->context = CurrentMemoryContext;
}

static void
connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

static void
finish(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

static ParamListInfo
make_params(int nargs, const Oid *argtypes, const Datum *args, const bool *nulls)
{
	ParamListInfo params;

	if (nargs == 0)
		return NULL;
	params = makeParamList(nargs);
	for (int i = 0; i < nargs; i++)
	{
		params->params[i].value = args[i];
		params->params[i].isnull = nulls != NULL && nulls[i];
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = argtypes[i];
	}
	return params;
}

static SPIPlanPtr
fixed_plan(SsotQuery *query)
{
	if (query->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(query->sql, query->nargs, query->argtypes);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed for \"%s\": %s",
				 query->sql, SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		query->plan = plan;
	}
	return (SPIPlanPtr) query->plan;
}

static void
check_result(int code, const char *sql)
{
	if (code < 0)
		elog(ERROR, "SPI failed for \"%s\": %s", sql, SPI_result_code_string(code));
}

static uint64
run_fixed(SsotQuery *query, const Datum *args, const bool *nulls, DestReceiver *dest)
{
	SPIExecuteOptions options = {0};
	uint64		processed;

	if (query->as_of_now)
	{
		CommandCounterIncrement();
		PushActiveSnapshot(GetLatestSnapshot());
	}
	connect();
	options.params = make_params(query->nargs, query->argtypes, args, nulls);
	options.read_only = query->read_only || query->as_of_now;
	options.dest = dest;
	check_result(SPI_execute_plan_extended(fixed_plan(query), &options), query->sql);
	processed = SPI_processed;
	finish();
	if (query->as_of_now)
		PopActiveSnapshot();
	return processed;
}

/*
 * Plans of dynamic statements that are kept, by a hash of their text. The server
 * plans again what has changed under them. None is ever given up, since it may be
 * running further up the stack; so past MAX_KEPT no more are kept.
 */
#define MAX_KEPT	200

typedef struct KeptPlan
{
	uint64		hash;
	char	   *sql;
	SPIPlanPtr	plan;
} KeptPlan;

static HTAB *kept_plans = NULL;

/* The plan of a statement whose relations are registered; NULL: it is not kept. */
static SPIPlanPtr
kept_plan(const SsotStatement *statement)
{
	Size		len = strlen(statement->sql);
	uint64		hash = hash_bytes_extended((const unsigned char *) statement->sql, len, 0);
	KeptPlan   *kept;
	SPIPlanPtr	plan;
	char	   *sql;

	if (kept_plans == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(uint64),.entrysize = sizeof(KeptPlan)};

		kept_plans = hash_create("ssot kept plans", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	kept = hash_search(kept_plans, &hash, HASH_FIND, NULL);
	if (kept != NULL && strcmp(kept->sql, statement->sql) == 0)
		return kept->plan;
	if (kept != NULL || hash_get_num_entries(kept_plans) >= MAX_KEPT)
		return NULL;
	plan = SPI_prepare_cursor(statement->sql, statement->nargs, (Oid *) statement->argtypes,
							  CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed for \"%s\": %s",
			 statement->sql, SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	sql = MemoryContextStrdup(TopMemoryContext, statement->sql);
	kept = hash_search(kept_plans, &hash, HASH_ENTER, NULL);
	kept->sql = sql;
	kept->plan = plan;
	return plan;
}

static uint64
run_dynamic(const SsotStatement *statement, DestReceiver *dest)
{
	SPIExecuteOptions options = {0};
	SPIPlanPtr	plan;
	uint64		processed;

	connect();
	for (int i = 0; i < statement->nrelations; i++)
	{
		const SsotRelation *relation = &statement->relations[i];
		EphemeralNamedRelation enr = palloc0(sizeof(EphemeralNamedRelationData));

		enr->md.name = (char *) relation->name;
		enr->md.reliddesc = InvalidOid;
		enr->md.tupdesc = relation->desc;
		enr->md.enrtype = ENR_NAMED_TUPLESTORE;
		enr->md.enrtuples = relation->count;
		enr->reldata = relation->rows;
		if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
			elog(ERROR, "could not register relation \"%s\"", relation->name);
	}
	options.params = make_params(statement->nargs, statement->argtypes,
								 statement->args, statement->nulls);
	options.read_only = statement->read_only;
	options.dest = dest;
	plan = statement->kept ? kept_plan(statement) : NULL;
	if (plan != NULL)
		check_result(SPI_execute_plan_extended(plan, &options), statement->sql);
	else
		check_result(SPI_execute_extended(statement->sql, &options), statement->sql);
	processed = SPI_processed;
	finish();
	return processed;
}

void
ssot_relations_end(List *relations)
{
	ListCell   *cell;

	foreach(cell, relations)
		tuplestore_end(((SsotRelation *) lfirst(cell))->rows);
}

static bool
discard_row(TupleTableSlot *slot, void *arg)
{
	return true;
}

uint64
ssot_query_run(SsotQuery *query, const Datum *args, const bool *nulls)
{
	return ssot_query_each(query, args, nulls, discard_row, NULL);
}

uint64
ssot_query_each(SsotQuery *query, const Datum *args, const bool *nulls,
				SsotRowCallback callback, void *arg)
{
	CallbackReceiver receiver;

	init_receiver(&receiver, callback, arg);
	return run_fixed(query, args, nulls, &receiver.pub);
}

/* Where copy_first_row puts its row. */
typedef struct FirstRow
{
	int			ncolumns;
	Datum	   *values;
	bool	   *isnull;
	bool		found;
} FirstRow;

static bool
copy_first_row(TupleTableSlot *slot, void *arg)
{
	FirstRow   *first = (FirstRow *) arg;

	if (first->found)
		return false;
	first->found = true;
	for (int i = 0; i < first->ncolumns; i++)
	{
		Form_pg_attribute att = TupleDescAttr(slot->tts_tupleDescriptor, i);
		Datum		value = slot_getattr(slot, i + 1, &first->isnull[i]);

		first->values[i] = first->isnull[i] ? (Datum) 0 :
			datumCopy(value, att->attbyval, att->attlen);
	}
	return true;
}

bool
ssot_query_one(SsotQuery *query, const Datum *args, const bool *nulls,
			   int ncolumns, Datum *values, bool *isnull)
{
	FirstRow	first = {ncolumns, values, isnull, false};

	ssot_query_each(query, args, nulls, copy_first_row, &first);
	return first.found;
}

uint64
ssot_statement_run(const SsotStatement *statement)
{
	return ssot_statement_each(statement, discard_row, NULL);
}

uint64
ssot_statement_each(const SsotStatement *statement, SsotRowCallback callback, void *arg)
{
	CallbackReceiver receiver;

	init_receiver(&receiver, callback, arg);
	return run_dynamic(statement, &receiver.pub);
}

bool
ssot_statement_one(const SsotStatement *statement,
				   int ncolumns, Datum *values, bool *isnull)
{
	FirstRow	first = {ncolumns, values, isnull, false};

	ssot_statement_each(statement, copy_first_row, &first);
	return first.found;
}

uint64
ssot_sql_run(const char *sql)
{
	SsotStatement statement = {.sql = sql};

	return ssot_statement_run(&statement);
}

bool
ssot_take_text(TupleTableSlot *slot, void *list)
{
	List	  **texts = list;
	bool		isnull;

	*texts = lappend(*texts, TextDatumGetCString(slot_getattr(slot, 1, &isnull)));
	return true;
}

uint64
ssot_sql_each(const char *sql, SsotRowCallback callback, void *arg)
{
	SsotStatement statement = {.sql = sql};

	return ssot_statement_each(&statement, callback, arg);
}

static bool
put_row(TupleTableSlot *slot, void *arg)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) arg;

	slot_getallattrs(slot);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc,
						 slot->tts_values, slot->tts_isnull);
	return true;
}

void
ssot_statement_return(FunctionCallInfo fcinfo, const SsotStatement *statement)
{
	InitMaterializedSRF(fcinfo, 0);
	ssot_statement_each(statement, put_row, fcinfo->resultinfo);
}

bool
ssot_call_may_commit(FunctionCallInfo fcinfo)
{
	return fcinfo->context != NULL && IsA(fcinfo->context, CallContext) &&
		!((CallContext *) fcinfo->context)->atomic;
}

void
ssot_commit(void)
{
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	SPI_commit();
	finish();
	EnsurePortalSnapshotExists();
}

TupleDesc
ssot_query_describe(const char *sql)
{
	MemoryContext caller = CurrentMemoryContext;
	SPIPlanPtr	plan;
	CachedPlanSource *source;
	TupleDesc	desc;

	connect();
	plan = SPI_prepare(sql, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed for \"%s\": %s",
			 sql, SPI_result_code_string(SPI_result));
	source = (CachedPlanSource *) linitial(SPI_plan_get_plan_sources(plan));
	MemoryContextSwitchTo(caller);
	desc = source->resultDesc == NULL ? NULL : CreateTupleDescCopy(source->resultDesc);
	finish();
	return desc;
}
