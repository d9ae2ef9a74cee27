/*
 * common/foreign_key.c
 *		The foreign keys of a table, in memory of the caller.
 *
 * RelationGetFKeyList hands out the list of the relation cache itself, which a
 * message of another session's DDL frees, open relation or not; and any look into
 * the catalogue may take such messages in. Whoever goes through the list asks for
 * the names of what it holds, so it needs a copy: lint keeps everybody else from
 * calling that function.
 */
#include "postgres.h"

#include "common/foreign_key.h"

#include "nodes/nodes.h"
#include "utils/rel.h"

List *
ssot_foreign_keys(Relation rel)
{
	return copyObject(RelationGetFKeyList(rel));
}
