/*
 * common/owner.c
 *		Running a fixed statement as the owner of the table it writes.
 *
 * What records the truth (history, pins, drift, quarantine) must be written
 * whoever causes it and must not be writable by them otherwise. ri_triggers.c
 * has the same need and the same answer: switch to the table's owner with
 * SECURITY_LOCAL_USERID_CHANGE for the length of one statement that contains
 * nothing of the user's.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/owner.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

Oid
ssot_relation_owner(Oid relid)
{
	HeapTuple	tuple;
	Oid			owner;

	ssot_require_relation(relid);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

SsotUser
ssot_become_owner(Oid relid)
{
	SsotUser	user;

	GetUserIdAndSecContext(&user.userid, &user.context);
	SetUserIdAndSecContext(ssot_relation_owner(relid),
						   user.context | SECURITY_LOCAL_USERID_CHANGE);
	return user;
}

void
ssot_restore_user(SsotUser user)
{
	SetUserIdAndSecContext(user.userid, user.context);
}

void
ssot_require_ownership(Oid relid)
{
	if (!has_privs_of_role(GetUserId(), ssot_relation_owner(relid)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table \"%s\"", get_rel_name(relid)),
				 errhint("Ask the table's owner to do this, or to grant you their role.")));
}

void
ssot_require_select(Oid relid)
{
	char	   *name;

	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return;
	name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for table %s", name),
			 errhint("Ask its owner to: GRANT SELECT ON %s TO %s;", name,
					 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}
