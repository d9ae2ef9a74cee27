/*
 * dictionary/person.c
 *		Who made a version, and who signed it.
 *
 * A role is kept by name, because that is what people read and what a restore into
 * another cluster finds again; and by its OID beside the system identifier of the
 * cluster, because a name can be changed: an author who was renamed is the author
 * still. The OID is a plain number: a restore where the role is missing goes through.
 *
 * Where it is asked whether two are one person (nobody approves alone, and signs
 * once), either sign suffices: the same name, or the same role in the same cluster.
 * Where it is asked what somebody may do, the role counts if it is there, and the
 * name only where it is not known: a name that was given up may be another's by now.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/person.h"

#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

SsotPerson
ssot_person_here(void)
{
	SsotPerson	person = {
		.name = GetUserNameFromId(GetSessionUserId(), false),
		.role = GetSessionUserId(),
		.cluster = (int64) GetSystemIdentifier()
	};

	return person;
}

SsotPerson
ssot_person_kept(const Datum *values, const bool *nulls)
{
	SsotPerson	person = {
		.name = TextDatumGetCString(values[0]),
		.role = nulls[1] || nulls[2] ? InvalidOid : DatumGetObjectId(values[1]),
		.cluster = nulls[1] || nulls[2] ? 0 : DatumGetInt64(values[2])
	};

	return person;
}

bool
ssot_person_acts(const SsotPerson *person)
{
	Oid			role = person->role;

	if (superuser())
		return true;
	if (person->cluster != (int64) GetSystemIdentifier() ||
		!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
		role = get_role_oid(person->name, true);
	return OidIsValid(role) && has_privs_of_role(GetUserId(), role);
}
