/*
 * common/owner.h
 *		Running a fixed statement as the owner of the table it writes (law 8).
 */
#ifndef SSOT_OWNER_H
#define SSOT_OWNER_H

/* Who the session was before ssot_become_owner. */
typedef struct SsotUser
{
	Oid			userid;
	int			context;
} SsotUser;

/*
 * Become the owner of the relation, until ssot_restore_user. An error in
 * between restores the user with the (sub)transaction. Only fixed statements
 * and generated statements without any user expression may run inside.
 */
extern SsotUser ssot_become_owner(Oid relid);
extern void ssot_restore_user(SsotUser user);

/* The owner of the relation. */
extern Oid	ssot_relation_owner(Oid relid);

/* Error unless the current user owns the relation or is a member of its owner. */
extern void ssot_require_ownership(Oid relid);

/* Error with a hint unless the current user may read the whole relation. */
extern void ssot_require_select(Oid relid);

#endif							/* SSOT_OWNER_H */
