/*
 * golden/ids.c
 *		A set of golden ids on its way from one statement to the next.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "golden/ids.h"

#include "miscadmin.h"

SsotIds
ssot_ids_create(const SsotEntity *entity)
{
	SsotIds		ids = {ssot_id_desc(entity), tuplestore_begin_heap(true, false, work_mem), 0};

	return ids;
}

void
ssot_ids_add(SsotIds *ids, Datum id)
{
	bool		isnull = false;

	tuplestore_putvalues(ids->rows, ids->desc, &id, &isnull);
	ids->count++;
}

void
ssot_ids_end(SsotIds *ids)
{
	tuplestore_end(ids->rows);
}

bool
ssot_ids_take(TupleTableSlot *slot, void *arg)
{
	bool		isnull;
	Datum		id = slot_getattr(slot, 1, &isnull);

	if (!isnull)
		ssot_ids_add((SsotIds *) arg, id);
	return true;
}

SsotRelation
ssot_ids_as(const SsotIds *ids, const char *name)
{
	SsotRelation relation = {name, ids->desc, ids->rows, ids->count};

	return relation;
}

/*
 * SELECT t.id FROM ssot_touched AS t
 *  UNION SELECT h.customer_id FROM golden_ssot.customer_held AS h
 */
SsotIds
ssot_ids_touched(const SsotEntity *entity, Tuplestorestate *touched, int64 ntouched)
{
	SsotIds		ids = ssot_ids_create(entity);
	SsotRelation relation = {"ssot_touched", ids.desc, touched, ntouched};
	SsotStatement statement = {
		.sql = ssot_sql("%sSELECT h.%I FROM %T AS h",
						touched == NULL ? "" : "SELECT t.id FROM ssot_touched AS t UNION ",
						entity->id_column, entity->held_table),
		.nrelations = touched == NULL ? 0 : 1,.relations = &relation,
	};
	SsotUser	user = ssot_become_owner(entity->relid);

	ssot_statement_each(&statement, ssot_ids_take, &ids);
	ssot_restore_user(user);
	return ids;
}
