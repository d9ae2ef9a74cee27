/*
 * dictionary/person.h
 *		Who made a version, and who signed it.
 */
#ifndef SSOT_PERSON_H
#define SSOT_PERSON_H

/*
 * A role as it is kept: its name, and its number in the cluster where that means
 * something. After a restore elsewhere the name decides.
 */
typedef struct SsotPerson
{
	char	   *name;
	Oid			role;			/* InvalidOid: not known */
	int64		cluster;		/* system identifier of the cluster */
} SsotPerson;

/* The person who logged in, whatever role is set (session_user). */
extern SsotPerson ssot_person_here(void);

/* From three columns, the last two of which may be null. */
extern SsotPerson ssot_person_kept(const Datum *values, const bool *nulls);

/*
 * May the current user do what is that person's: as a member of the role that it is
 * here, or as a superuser?
 */
extern bool ssot_person_acts(const SsotPerson *person);

#endif							/* SSOT_PERSON_H */
