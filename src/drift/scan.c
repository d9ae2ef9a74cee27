/*
 * drift/scan.c
 *		Reading the tuples of a table as they are stored.
 *
 * Comparing ten million rows spends most of its time in getting them. A scan of
 * the heap itself is the cheapest way, as amcheck and CREATE INDEX read it; but
 * it asks nobody for permission and knows no views. So it is only used where a
 * statement would read the same rows: a plain heap without children, of which
 * the user may read every column and on which no row-level policy applies to
 * them. Everything else is read by a statement.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/settings.h"
#include "drift/hashing.h"
#include "drift/scan.h"

#include "access/relation.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* To read a system column takes the privilege on the whole table. */
bool
ssot_relation_has_tids(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	bool		result;

	result = (rel->rd_rel->relkind == RELKIND_RELATION ||
			  rel->rd_rel->relkind == RELKIND_MATVIEW) &&
		rel->rd_rel->relam == HEAP_TABLE_AM_OID &&
		!has_subclass(relid) &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
	relation_close(rel, NoLock);
	return result;
}

/* A materialized view may not be populated. */
bool
ssot_relation_is_scannable(Oid relid)
{
	Relation	rel;
	bool		result;

	if (!ssot_relation_has_tids(relid))
		return false;
	rel = relation_open(relid, AccessShareLock);
	result = rel->rd_rel->relkind == RELKIND_RELATION &&
		check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
	relation_close(rel, NoLock);
	return result;
}

double
ssot_relation_rows(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	double		rows = rel->rd_rel->reltuples;

	if (rows <= 0)
		rows = 1000000;			/* a view, or never analyzed */
	relation_close(rel, NoLock);
	return rows;
}

/*
 * The planner counts a random page for each tuple id, although they are visited
 * in order, and would rather read the whole table once more. Where it has to use
 * what is turned off, it believes in costs that would call for compilation.
 */
void
ssot_prefer_tids(bool prefer)
{
	if (!prefer)
		return;
	ssot_setting("enable_seqscan", "off");
	ssot_setting("enable_nestloop", "off");
	ssot_setting("jit", "off");
	ssot_setting("max_parallel_workers_per_gather", "0");
}

/* Not synchronized with other scans: from the first block to the last. */
SsotTupleScan
ssot_tuple_scan_begin(Oid relid)
{
	SsotTupleScan scan;

	scan.rel = relation_open(relid, AccessShareLock);
	scan.nblocks = RelationGetNumberOfBlocks(scan.rel);
	scan.block = InvalidBlockNumber;
	scan.scan = table_beginscan_strat(scan.rel, GetActiveSnapshot(), 0, NULL, true, false);
	return scan;
}

void
ssot_prefetch_page(const SsotTupleScan *scan)
{
	char	   *page = BufferGetPage(((HeapScanDesc) scan->scan)->rs_cbuf);

	for (char *line = page + ((PageHeader) page)->pd_upper; line < page + BLCKSZ;
		 line += PG_CACHE_LINE_SIZE / 2)
		ssot_prefetch(line);
}

void
ssot_tuple_scan_end(SsotTupleScan *scan)
{
	table_endscan(scan->scan);
	relation_close(scan->rel, NoLock);
}
