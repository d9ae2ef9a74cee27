/*
 * common/query.h
 *		Running SQL from C: the one door to SPI.
 *
 * Statements come in two kinds. A fixed statement is a static SsotQuery
 * declared above the function that uses it; it is prepared once per backend.
 * A dynamic statement is built with a quoting helper (see ident.h) and is
 * planned each time, unless it is to be kept: then its plan is found again by its
 * text. Both name every object with its schema.
 *
 * Rows are handed to a callback as they leave the executor, so that no result
 * is ever held in memory as a whole. Rows made by C code enter SQL as named
 * tuplestores ("relations"), exactly as transition tables do: they spill to
 * disk past work_mem, need no temporary table and write no catalogue row.
 *
 * Every function may be called with or without a snapshot of the caller's;
 * statements that are not read_only see what the transaction wrote before.
 */
#ifndef SSOT_QUERY_H
#define SSOT_QUERY_H

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/tuplestore.h"

#define SSOT_MAX_ARGS 12

/* A fixed statement. Declare it static; "plan" is filled at first use. */
typedef struct SsotQuery
{
	const char *sql;
	int			nargs;
	Oid			argtypes[SSOT_MAX_ARGS];
	bool		read_only;		/* run under the caller's active snapshot */
	bool		as_of_now;		/* read_only, and sees what has been committed
								 * whatever snapshot the transaction keeps */
	void	   *plan;
} SsotQuery;

/* Rows made in C, visible to one statement under a bare name. */
typedef struct SsotRelation
{
	const char *name;
	TupleDesc	desc;
	Tuplestorestate *rows;
	double		count;			/* what the planner should believe */
} SsotRelation;

/* Give back the rows of a list of SsotRelation *: an error does so by itself, the end
 * of a statement does not. */
extern void ssot_relations_end(List *relations);

/* Called for each row; the slot is valid during the call only. Return false to
 * have no more rows. */
typedef bool (*SsotRowCallback) (TupleTableSlot *slot, void *arg);

/* One of these: the first column, a text that is not NULL, is appended to the List *
 * that the argument points at. */
extern bool ssot_take_text(TupleTableSlot *slot, void *list);

/* A dynamic statement: text, arguments, and the C relations it mentions. */
typedef struct SsotStatement
{
	const char *sql;
	int			nargs;
	const Oid  *argtypes;
	const Datum *args;
	const bool *nulls;			/* NULL: no argument is null */
	int			nrelations;
	const SsotRelation *relations;
	bool		read_only;		/* run under the caller's active snapshot */
	bool		kept;			/* planned once per backend, whatever the
								 * arguments are */
} SsotStatement;

/* Fixed statements. "nulls" may be NULL. Each returns the rows processed. */
extern uint64 ssot_query_run(SsotQuery *query, const Datum *args, const bool *nulls);
extern uint64 ssot_query_each(SsotQuery *query, const Datum *args, const bool *nulls,
							  SsotRowCallback callback, void *arg);

/* First row of a fixed statement, copied into the caller's memory context;
 * false if there is none. */
extern bool ssot_query_one(SsotQuery *query, const Datum *args, const bool *nulls,
						   int ncolumns, Datum *values, bool *isnull);

/* Dynamic statements. */
extern uint64 ssot_statement_run(const SsotStatement *statement);
extern uint64 ssot_statement_each(const SsotStatement *statement,
								  SsotRowCallback callback, void *arg);
extern bool ssot_statement_one(const SsotStatement *statement,
							   int ncolumns, Datum *values, bool *isnull);

/* The common case: a dynamic statement with neither arguments nor relations. */
extern uint64 ssot_sql_run(const char *sql);
extern uint64 ssot_sql_each(const char *sql, SsotRowCallback callback, void *arg);

/* Run a statement and make its rows the result of the calling set-returning
 * function. Column types must be those of the function's result. */
extern void ssot_statement_return(FunctionCallInfo fcinfo, const SsotStatement *statement);

/*
 * Procedures that commit: may this call do so, and do it. Nothing allocated in
 * the transaction's contexts survives; the procedure keeps what it needs in
 * PortalContext.
 */
extern bool ssot_call_may_commit(FunctionCallInfo fcinfo);
extern void ssot_commit(void);

/* The tuple descriptor that a query would return, without running it. */
extern TupleDesc ssot_query_describe(const char *sql);

#endif							/* SSOT_QUERY_H */
