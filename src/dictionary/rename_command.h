/*
 * dictionary/rename_command.h
 *		What a command renames, whether definitions can name it, and what must be
 *		locked for it.
 */
#ifndef SSOT_RENAME_COMMAND_H
#define SSOT_RENAME_COMMAND_H

#include "nodes/primnodes.h"

typedef struct SsotRenaming
{
	RangeVar   *relation;		/* a relation, or a column of one */
	Oid			relid;			/* that relation; InvalidOid: there is none,
								 * or not the user's to rename */
	bool		is_entity;		/* it is one */
	bool		is_column;
	const char *schema;			/* a schema; else NULL */
	const char *text;			/* anything else than a relation: text that
								 * names it has this */
} SsotRenaming;

/* False for a command that cannot change what a definition says. */
extern bool ssot_renaming_read(Node *command, SsotRenaming *renaming);

/*
 * The locks (common/locks.h) with those that such a command needs: the views of
 * metrics that are made anew, before what is in the list; the relation, or the
 * entities of the schema with their as-of views; the dictionary.
 */
extern List *ssot_renaming_locks(Node *command, List *locks);

#endif							/* SSOT_RENAME_COMMAND_H */
