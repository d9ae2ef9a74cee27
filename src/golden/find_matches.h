/*
 * golden/find_matches.h
 *		Records like one that is not there yet.
 */
#ifndef SSOT_FIND_MATCHES_H
#define SSOT_FIND_MATCHES_H

#include "common/query.h"
#include "entity/matching.h"

/* The rules and the model by which an entity's records are matched; an error with a
 * hint if there are none yet. */
extern SsotMatchRules *ssot_require_matching(const SsotEntity *entity);

/*
 * Golden records with a unit that is like the texts (one per comparison, NULL:
 * missing), from a weight on: rows (id <golden id's type>, record text, weight
 * float8, levels jsonb), one per golden record. Read as the owner of the table:
 * what the caller may see is the caller's to ask.
 */
extern SsotRelation ssot_find_alike(const SsotEntity *entity, const SsotMatchRules *rules,
									char **texts, double least);

#endif							/* SSOT_FIND_MATCHES_H */
