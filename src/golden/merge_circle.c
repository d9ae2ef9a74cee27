/*
 * golden/merge_circle.c
 *		Merges that would put a record above itself in a hierarchy.
 *
 * A hierarchy is a foreign key of the entity to itself. If a company is merged
 * with its own subsidiary's subsidiary, what stands between them would be above
 * and below the result; whether it does depends on which parent survives. So
 * circles are looked for when the records are stored and before anything has
 * settled, on the golden rows in force with the surviving parents of the merged
 * records in place. A circle that was there before is not the merge's.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "common/settings.h"
#include "golden/merge.h"
#include "golden/settle.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/datum.h"

/* One hierarchy; the sets are of numbers of merges as they were found before. */
typedef struct Hierarchy
{
	int			field;
	int			nfound;
	SsotMerge  *found;			/* merges of which a record was above itself,
								 * or above the other */
	bool	   *sound;			/* false: above itself */
} Hierarchy;

struct SsotCircles
{
	const SsotEntity *entity;
	int			nhierarchies;
	Hierarchy  *hierarchies;
};

typedef struct FoundReader
{
	Hierarchy  *hierarchy;
	const SsotMerge *merges;
} FoundReader;

static bool
take_found(TupleTableSlot *slot, void *arg)
{
	FoundReader *reader = (FoundReader *) arg;
	Hierarchy  *hierarchy = reader->hierarchy;

	slot_getallattrs(slot);
	hierarchy->found[hierarchy->nfound] = reader->merges[DatumGetInt32(slot->tts_values[0])];
	hierarchy->sound[hierarchy->nfound] = !DatumGetBool(slot->tts_values[1]);
	hierarchy->nfound++;
	return true;
}

/*
 * WITH RECURSIVE up (n, of_lost, id) AS (
 *     SELECT m.n, m.of_lost, g.parent_id
 *       FROM (SELECT n, false, kept FROM ssot_merges
 *              UNION ALL SELECT n, true, lost FROM ssot_merges) AS m (n, of_lost, id)
 *       JOIN golden.customer AS g ON g.customer_id = m.id WHERE g.parent_id IS NOT NULL
 *      UNION
 *     SELECT u.n, u.of_lost, g.parent_id FROM up AS u
 *       JOIN golden.customer AS g ON g.customer_id = u.id WHERE g.parent_id IS NOT NULL)
 * SELECT m.n, bool_or(u.id = <itself>) FROM up AS u JOIN ssot_merges AS m ON m.n = u.n
 *  WHERE u.id IN (m.kept, m.lost) GROUP BY m.n ORDER BY m.n
 */
static void
read_before(Hierarchy *hierarchy, const SsotEntity *entity, const SsotRelation *merges,
			const SsotMerge *array)
{
	const char *golden = ssot_relation_name(entity->relid);
	const char *parent = entity->fields[hierarchy->field].name;
	FoundReader reader = {hierarchy, array};
	SsotStatement statement = {
		.sql = ssot_sql("WITH RECURSIVE up (n, of_lost, id) AS ("
						"SELECT m.n, m.of_lost, g.%I FROM (SELECT x.n, false, x.kept FROM ssot_merges AS x"
						" UNION ALL SELECT x.n, true, x.lost FROM ssot_merges AS x) AS m (n, of_lost, id)"
						" JOIN %T AS g ON g.%I = m.id WHERE g.%I IS NOT NULL"
						" UNION "
						"SELECT u.n, u.of_lost, g.%I FROM up AS u"
						" JOIN %T AS g ON g.%I = u.id WHERE g.%I IS NOT NULL)"
						" SELECT m.n, bool_or(u.id = CASE WHEN u.of_lost THEN m.lost ELSE m.kept END)"
						" FROM up AS u JOIN ssot_merges AS m ON m.n = u.n"
						" WHERE u.id IN (m.kept, m.lost) GROUP BY m.n ORDER BY m.n",
						parent, golden, entity->id_column, parent,
						parent, golden, entity->id_column, parent),
		.nrelations = 1,.relations = merges
	};

	ssot_statement_each(&statement, take_found, &reader);
}

SsotCircles *
ssot_circles_before(const SsotEntity *entity, const SsotLinking *linking)
{
	SsotCircles *circles = palloc0(sizeof(SsotCircles));
	SsotRelation merges = ssot_merge_relation(entity, linking->merges, linking->nmerges);
	int			level = ssot_settings_begin(false);
	SsotUser	user = ssot_become_owner(entity->relid);

	circles->entity = entity;
	circles->hierarchies = palloc0(sizeof(Hierarchy) * Max(entity->nfields, 1));
	for (int f = 0; f < entity->nfields; f++)
	{
		Hierarchy  *hierarchy = &circles->hierarchies[circles->nhierarchies];

		if (entity->fields[f].references != entity->relid)
			continue;
		circles->nhierarchies++;
		hierarchy->field = f;
		hierarchy->found = palloc(sizeof(SsotMerge) * Max(linking->nmerges, 1));
		hierarchy->sound = palloc(sizeof(bool) * Max(linking->nmerges, 1));
		read_before(hierarchy, entity, &merges, linking->merges);
	}
	ssot_restore_user(user);
	ssot_settings_end(level);
	tuplestore_end(merges.rows);
	return circles;
}

/* ---- afterwards -------------------------------------------------------------- */

/* Surviving parents of merged records: (id, parent), by hierarchy. */
typedef struct Parents
{
	const SsotCircles *circles;
	SsotSurvivor *survivor;
	SsotWinner *winners;
	Datum	   *values;
	bool	   *nulls;
	SsotRelation *relations;
} Parents;

static void
take_group(const SsotGroup *group, void *arg)
{
	Parents    *parents = (Parents *) arg;

	ssot_survive(parents->survivor, group, parents->winners, parents->values, parents->nulls);
	for (int h = 0; h < parents->circles->nhierarchies; h++)
	{
		int			f = parents->circles->hierarchies[h].field;
		Datum		row[2] = {group->id, parents->values[f]};
		bool		isnull[2] = {false, parents->nulls[f]};

		tuplestore_putvalues(parents->relations[h].rows, parents->relations[h].desc, row, isnull);
		parents->relations[h].count++;
	}
}

static void
read_parents(Parents *parents, const SsotIds *kept)
{
	const SsotEntity *entity = parents->circles->entity;
	int			nfields = Max(entity->nfields, 1);

	parents->survivor = ssot_survivor_create(entity);
	parents->winners = palloc(sizeof(SsotWinner) * nfields);
	parents->values = palloc(sizeof(Datum) * nfields);
	parents->nulls = palloc(sizeof(bool) * nfields);
	parents->relations = palloc(sizeof(SsotRelation) * parents->circles->nhierarchies);
	for (int h = 0; h < parents->circles->nhierarchies; h++)
	{
		TupleDesc	desc = CreateTemplateTupleDesc(2);

		TupleDescInitEntry(desc, 1, "id", entity->id_type, -1, 0);
		TupleDescInitEntry(desc, 2, "parent", entity->id_type, -1, 0);
		parents->relations[h] = (SsotRelation)
		{
			"ssot_parents", desc, tuplestore_begin_heap(true, false, work_mem), 0
		};
	}
	ssot_groups_each(entity, kept->rows, kept->count, take_group, parents);
}

/*
 * WITH RECURSIVE up (root, id) AS (
 *     SELECT p.id, p.parent FROM ssot_parents AS p WHERE p.parent IS NOT NULL
 *      UNION
 *     SELECT u.root, CASE WHEN p.id IS NULL THEN g.parent_id ELSE p.parent END
 *       FROM up AS u JOIN golden.customer AS g ON g.customer_id = u.id
 *       LEFT JOIN ssot_parents AS p ON p.id = u.id
 *      WHERE u.id IS NOT NULL)
 * SELECT DISTINCT u.root FROM up AS u WHERE u.id = u.root
 */
static SsotIds
above_themselves(const SsotEntity *entity, int field, const SsotRelation *parents)
{
	SsotIds		ids = ssot_ids_create(entity);
	SsotStatement statement = {
		.sql = ssot_sql("WITH RECURSIVE up (root, id) AS ("
						"SELECT p.id, p.parent FROM ssot_parents AS p WHERE p.parent IS NOT NULL"
						" UNION "
						"SELECT u.root, CASE WHEN p.id IS NULL THEN g.%I ELSE p.parent END"
						" FROM up AS u JOIN %T AS g ON g.%I = u.id"
						" LEFT JOIN ssot_parents AS p ON p.id = u.id WHERE u.id IS NOT NULL)"
						" SELECT DISTINCT u.root FROM up AS u WHERE u.id = u.root",
						entity->fields[field].name, ssot_relation_name(entity->relid),
						entity->id_column),
		.nrelations = 1,.relations = parents
	};

	ssot_statement_each(&statement, ssot_ids_take, &ids);
	return ids;
}

static bool
same_id(const SsotEntity *entity, Datum a, Datum b)
{
	return datum_image_eq(a, b, entity->id_typbyval, entity->id_typlen);
}

/* What was found of a merge before: its place in "found", or -1. */
static int
find_before(const SsotEntity *entity, const Hierarchy *hierarchy, const SsotMerge *merge)
{
	for (int i = 0; i < hierarchy->nfound; i++)
		if (same_id(entity, hierarchy->found[i].lost, merge->lost) &&
			same_id(entity, hierarchy->found[i].kept, merge->kept))
			return i;
	return -1;
}

/* Merges into the records that are above themselves now: first those of a record
 * with one above or below it, else all. */
static Bitmapset *
closing_merges(const SsotEntity *entity, const Hierarchy *hierarchy, const SsotIds *above,
			   const SsotLinking *linking)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(above->desc, &TTSOpsMinimalTuple);
	Bitmapset  *related = NULL;
	Bitmapset  *all = NULL;

	while (tuplestore_gettupleslot(above->rows, true, false, slot))
	{
		bool		isnull;
		Datum		id = slot_getattr(slot, 1, &isnull);

		for (int i = 0; i < linking->nmerges; i++)
		{
			int			before = find_before(entity, hierarchy, &linking->merges[i]);

			if (!same_id(entity, linking->merges[i].kept, id) ||
				(before >= 0 && !hierarchy->sound[before]))
				continue;
			all = bms_add_member(all, i);
			if (before >= 0)
				related = bms_add_member(related, i);
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	return related != NULL ? related : all;
}

Bitmapset *
ssot_circles_after(SsotCircles *circles, const SsotLinking *linking)
{
	const SsotEntity *entity = circles->entity;
	Parents		parents = {.circles = circles};
	SsotIds		kept = ssot_ids_create(entity);
	Bitmapset  *closed = NULL;
	int			level = ssot_settings_begin(false);
	SsotUser	user = ssot_become_owner(entity->relid);

	/* several merges may have one kept record, one after the other or not */
	for (int i = 0; i < linking->nmerges; i++)
	{
		bool		known = false;

		for (int j = 0; j < i && !known; j++)
			known = same_id(entity, linking->merges[j].kept, linking->merges[i].kept);
		if (!known)
			ssot_ids_add(&kept, linking->merges[i].kept);
	}
	read_parents(&parents, &kept);
	for (int h = 0; h < circles->nhierarchies; h++)
	{
		SsotIds		above = above_themselves(entity, circles->hierarchies[h].field,
											 &parents.relations[h]);

		closed = bms_join(closed, closing_merges(entity, &circles->hierarchies[h],
												 &above, linking));
		ssot_ids_end(&above);
		tuplestore_end(parents.relations[h].rows);
	}
	ssot_ids_end(&kept);
	ssot_restore_user(user);
	ssot_settings_end(level);
	return closed;
}
