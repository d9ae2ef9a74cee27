/*
 * ingest/keyset.c
 *		A set of keys (or of images) that a statement joins with.
 */
#include "postgres.h"

#include "ssot.h"
#include "ingest/keyset.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"

void
ssot_keyset_init(SsotKeySet *set, const char *column, Oid type)
{
	set->desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(set->desc, 1, column, type, -1, 0);
	if (type == TEXTOID)
		TupleDescInitEntryCollation(set->desc, 1, C_COLLATION_OID);
	set->rows = tuplestore_begin_heap(true, false, Max(work_mem / 8, 64));
	set->count = 0;
}

void
ssot_keyset_add(SsotKeySet *set, Datum value)
{
	bool		isnull = false;

	tuplestore_putvalues(set->rows, set->desc, &value, &isnull);
	set->count++;
}

void
ssot_keyset_end(SsotKeySet *set)
{
	tuplestore_end(set->rows);
}
