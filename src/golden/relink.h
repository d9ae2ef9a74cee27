/*
 * golden/relink.h
 *		What ssot.merge, ssot.split and ssot.unmerge share: a person changes which
 *		records belong together.
 */
#ifndef SSOT_RELINK_H
#define SSOT_RELINK_H

#include "fmgr.h"

#include "golden/link.h"
#include "golden/merge.h"

/* Arguments; each raises an error where it is null or unknown. */
extern SsotEntity *ssot_steward_entity(FunctionCallInfo fcinfo);
extern char *ssot_steward_text(FunctionCallInfo fcinfo, int n, const char *name);

/* Argument n, or the setting ssot.reason, or NULL. */
extern char *ssot_steward_reason(FunctionCallInfo fcinfo, int n);

/*
 * Lock a golden record under the caller's rights, who must be allowed to UPDATE
 * the table; error with a hint if there is none that the caller may see. Returns
 * its id; *retired may be NULL.
 */
extern Datum ssot_steward_lock(const SsotEntity *entity, const char *id, bool *retired);

/* One system record of a golden record. */
typedef struct SsotMember
{
	char	   *name;			/* "crm:K1" */
	int			source;			/* index */
	const char *key;
	Datum		id;				/* golden id */
} SsotMember;

/* The members of golden records, by source rank and key, as a List; parts of one
 * system record once each. */
extern List *ssot_members(const SsotEntity *entity, const Datum *ids, int nids);

/* Names without duplicates of those that are not the steward's records. */
extern List *ssot_member_names(const SsotEntity *entity, List *members);
extern bool ssot_has_name(List *names, const char *name);

/* The decisions in force about the names and about what they lead to by "same". */
extern List *ssot_decisions_around(const SsotEntity *entity, List *names);

/* Does one of the decisions say that the two are the same? */
extern bool ssot_is_decided(List *decisions, const char *a, const char *b);

/* Why the golden record's new version is held, or NULL. */
extern char *ssot_held_reason(const SsotEntity *entity, Datum id);

/*
 * Link the golden records of the wish anew, as of t, and write what follows:
 * records, merges, references, golden rows, drift. The caller holds the clocks.
 */
extern SsotLinking *ssot_relink_apply(const SsotEntity *entity, const SsotRelink *wish,
									  TimestampTz t, const SsotMerger *merger);

/* Let entities that refer to this one by tokens follow, after ids changed. */
extern void ssot_relink_referrers(const SsotEntity *entity, TimestampTz t);

#endif							/* SSOT_RELINK_H */
