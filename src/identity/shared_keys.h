/*
 * identity/shared_keys.h
 *		Which of many rules bring each of many pairs together.
 */
#ifndef SSOT_SHARED_KEYS_H
#define SSOT_SHARED_KEYS_H

#include "identity/model.h"

typedef struct SsotSharedKeys
{
	const SsotRecords *records;
	int			npairs;
	const int	(*pairs)[2];

	/* [npairs]: do the two share a key of the class? NULL: no rule asks */
	bool	   *shared[SSOT_MAX_FIELDS][SSOT_MAX_CLASSES];
} SsotSharedKeys;

/* "pairs" must stay as long as the outcome. */
extern SsotSharedKeys *ssot_shared_keys(const SsotRecords *records, const int (*pairs)[2], int npairs,
										const SsotBlocking *const *rules, int nrules);
extern void ssot_shared_keys_free(SsotSharedKeys *keys);

/* Does a rule, one of those that were named, bring a pair together? */
extern bool ssot_shared_keys_join(const SsotSharedKeys *keys, const SsotBlocking *rule, int pair);

#endif							/* SSOT_SHARED_KEYS_H */
