/*
 * entity/config.h
 *		Reading and writing the configuration tables of schema ssot.
 */
#ifndef SSOT_CONFIG_H
#define SSOT_CONFIG_H

#include "common/query.h"

/*
 * Fixed statements on the configuration tables. They run as the owner of those
 * tables and under search_path = pg_catalog, so that they mean the same in
 * every session; nothing of the user's is evaluated inside. Callbacks run in
 * the same state and may only copy.
 */
extern uint64 ssot_config_run(SsotQuery *query, const Datum *args, const bool *nulls);
extern uint64 ssot_config_each(SsotQuery *query, const Datum *args, const bool *nulls,
							   SsotRowCallback callback, void *arg);
extern bool ssot_config_one(SsotQuery *query, const Datum *args, const bool *nulls,
							int ncolumns, Datum *values, bool *isnull);

/*
 * A transaction that keeps its first snapshot (REPEATABLE READ, SERIALIZABLE) does not
 * see what others have declared since, and would leave it out of what it changes
 * everywhere. An error of serialization, which says that "what" was changed, if the one
 * value that the query returns is another as of now than by that snapshot. The query is
 * read_only and lists places of rows (ctid); the caller's locks keep others away.
 */
extern void ssot_config_require_seen(SsotQuery *query, const Datum *args, const bool *nulls,
									 const char *what);

#endif							/* SSOT_CONFIG_H */
