/*
 * entity/registry.c
 *		All registered entities, for views that show something of each.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/config.h"
#include "entity/map.h"

#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

static SsotQuery entity_names = {
	.sql =
	"SELECT e.entity\n"
	"FROM ssot.entity AS e\n"
	"ORDER BY e.entity COLLATE pg_catalog.\"C\"",
	.read_only = true
};

/* The entity of that name; NULL if its table is gone. */
static SsotEntity *
load_by_name(const char *name)
{
	List	   *parts = stringToQualifiedNameList(name);
	Oid			schema = get_namespace_oid(strVal(linitial(parts)), true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(strVal(lsecond(parts)), schema) : InvalidOid;

	return OidIsValid(relid) ? ssot_entity_load(relid, true) : NULL;
}

List *
ssot_entities(void)
{
	List	   *names = NIL;
	List	   *entities = NIL;
	ListCell   *lc;

	ssot_config_each(&entity_names, NULL, NULL, ssot_take_text, &names);
	foreach(lc, names)
	{
		SsotEntity *entity = load_by_name((const char *) lfirst(lc));

		if (entity != NULL)
			entities = lappend(entities, entity);
	}
	return entities;
}
