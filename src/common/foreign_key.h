/*
 * common/foreign_key.h
 *		The foreign keys of a table.
 */
#ifndef SSOT_FOREIGN_KEY_H
#define SSOT_FOREIGN_KEY_H

#include "nodes/pg_list.h"
#include "utils/relcache.h"

/* A list of ForeignKeyCacheInfo that is the caller's own. */
extern List *ssot_foreign_keys(Relation rel);

#endif							/* SSOT_FOREIGN_KEY_H */
