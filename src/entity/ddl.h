/*
 * entity/ddl.h
 *		Following the user's DDL: what ddl_sync.c, which hears of it, asks of the
 *		files that follow.
 */
#ifndef SSOT_DDL_H
#define SSOT_DDL_H

#include "nodes/nodes.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "entity/map.h"

/*
 * What later rooms do for us, registered by them at load time: this room does not
 * know the clock, nor definitions.
 */
typedef struct SsotDdlHooks
{
	/*
	 * The transaction's write time for the entity; takes its clock, or locks
	 * it only.
	 */
	TimestampTz (*take_clock) (const SsotEntity *entity);
	TimestampTz (*lock_clock) (const SsotEntity *entity);

	/*
	 * End the versions of the golden records that have a value in one of the
	 * columns (list of C strings), which are about to be dropped.
	 */
	void		(*keep_values) (const SsotEntity *entity, List *columns);

	/*
	 * What the dictionary room does: before a command that may give things
	 * other names, add the locks that it needs to those of the entity, and
	 * when they are held, know what definitions mean; after it, and after the
	 * map has followed, say the same in the new names.
	 */
	List	   *(*rename_locks) (Node *command, List *locks);
	void		(*before_rename) (Node *command);
	void		(*after_rename) (Node *command);

	/*
	 * The same room, of views that belong to the owner of the table: add
	 * their locks before it gets another owner, and give them to that when it
	 * is done.
	 */
	List	   *(*owner_locks) (Oid relid, List *locks);
	void		(*follow_owner) (const SsotEntity *entity);
} SsotDdlHooks;

extern SsotDdlHooks ssot_ddl_hooks;

/*
 * ddl_sync.c: while begun, our event triggers pass over what happens, because it
 * is our own doing. Nested calls count; to be ended in PG_FINALLY.
 */
extern void ssot_own_ddl_begin(void);
extern void ssot_own_ddl_end(void);

/* ddl_sync.c: run statements of DDL as the owner of the canonical table. */
extern void ssot_ddl_run(const SsotEntity *entity, const char *ddl);

/* The same under the user's settings, but for the search path: where values are
 * converted as the user's own command converts them. */
extern void ssot_ddl_convert(const SsotEntity *entity, const char *ddl);

/*
 * ddl_follow.c: companions, as-of function and view follow the table.
 */

/* OID of a relation by its qualified name, or of the as-of function, or
 * InvalidOid; whether a relation (or InvalidOid) has a column. */
extern Oid	ssot_relation_oid(const char *qualified_name);
extern Oid	ssot_as_of_function_oid(const SsotEntity *entity);
extern bool ssot_has_column(Oid relid, const char *name);

/* Rename a column that is kept out of the way of one that has its name. */
extern void ssot_step_aside(const SsotEntity *entity, const char *table, const char *column);

/* Make the as-of function and view what they should be, if they are not, or if
 * the table was "renamed". */
extern void ssot_follow_as_of(const SsotEntity *entity, bool renamed);

/*
 * Lock the table of the entity and its as-of view, if there is one, in ACCESS
 * EXCLUSIVE mode until the transaction ends. To be called before the table is
 * locked for DDL that replaces, renames or drops the view. Neither is waited for
 * with the other in hand (common/locks.h).
 */
extern void ssot_lock_with_view(Oid relid, const char *entity_name);

/* The list of locks with these two. */
extern List *ssot_entity_locks(List *locks, Oid relid, const char *entity_name);

/* Let the as-of view depend on no column, until ssot_follow_columns. */
extern void ssot_release_view(const SsotEntity *entity);

/* Policies of companions would block a change of the golden id's type: drop them
 * meanwhile, and make them again. */
extern void ssot_release_policies(const SsotEntity *entity);
extern void ssot_follow_policies(const SsotEntity *entity);

/* Error with a hint if a column of the entity has a name that we use. */
extern void ssot_require_column_names(const SsotEntity *entity);

/* Companions have the table's columns, in its types; as-of function and view
 * show them. True if a field or its type was new to a companion. */
extern bool ssot_follow_columns(const SsotEntity *entity);

/*
 * ddl_column.c: a column was renamed or dropped.
 */

/* A column of the table was renamed; called before ssot_follow_columns. */
extern void ssot_follow_rename(Oid relid, const char *registered,
							   const char *old, const char *new);

/* A column of the table is gone: the entity is as it is without it. */
extern void ssot_follow_drop(const SsotEntity *entity, const char *column);

/*
 * ddl_move.c: the table has another name, schema or owner.
 */

/* The table that was registered as "registered" has another name now. */
extern void ssot_follow_name(Oid relid, const char *registered);

/* Companions have the owner of the table. */
extern void ssot_follow_owner(const SsotEntity *entity);

/*
 * ddl_map.c: what was declared follows.
 */

/* An error of serialization if some of it was declared since the snapshot that the
 * transaction keeps. */
extern void ssot_map_require_seen(const char *entity_name);
extern void ssot_map_rename_entity(const char *old, const char *new);

/* True if the column is the entity's id. */
extern bool ssot_map_rename_id(const char *entity_name, const char *old, const char *new);
extern void ssot_map_rename_field(const char *entity_name, const char *old, const char *new);
extern void ssot_map_drop_field(const char *entity_name, const char *field);

/* The next run reads every source anew and settles every golden record. */
extern void ssot_map_read_anew(const char *entity_name);

/*
 * The predicates on the entity ("expects" of its sources) name columns. They are
 * read while the relation still has the old names and written back when it has
 * the new ones. "relid" is the entity's history, which has every column.
 */
extern List *ssot_map_read_predicates(const char *entity_name, Oid relid);
extern void ssot_map_write_predicates(List *predicates, Oid relid);

/* Predicates that read the column expect nothing any more, with a warning. */
extern void ssot_map_drop_predicates(List *predicates, AttrNumber column);

#endif							/* SSOT_DDL_H */
