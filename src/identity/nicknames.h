/*
 * identity/nicknames.h
 *		Given names and what they are shortened to.
 */
#ifndef SSOT_NICKNAMES_H
#define SSOT_NICKNAMES_H

#include "postgres.h"

/* A short form may stand for several names: "alex", "pat". */
#define SSOT_MAX_FULL_NAMES	4

/*
 * What a given name (a word of ssot_person_key) may stand for: numbers of
 * names, 1 and up. Returns how many; 0 for a name that is not in the list.
 */
extern int	ssot_full_names(const char *word, int len, int names[SSOT_MAX_FULL_NAMES]);

#endif							/* SSOT_NICKNAMES_H */
