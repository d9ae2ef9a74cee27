/*
 * entity/kept.h
 *		What ssot.unregister_entity keeps, and registering the table again.
 */
#ifndef SSOT_KEPT_H
#define SSOT_KEPT_H

#include "utils/timestamp.h"

#include "entity/map.h"

/* Keep what the companions mean, and every golden row in the history, as of t; or
 * forget it. The entity is described, not loaded. */
extern void ssot_registration_keep(const SsotEntity *entity, TimestampTz t);
extern void ssot_registration_forget(const SsotEntity *entity);

/* Are there companions of an earlier registration, which the table fits? An error
 * with a hint where it does not. */
extern bool ssot_registration_find(const SsotEntity *entity, Oid id_type, TimestampTz *kept_at);

/* Put back what was kept in the configuration; the entity's row is there. */
extern void ssot_registration_restore(const SsotEntity *entity);

/* Let the golden rows go on from their history, before the table has triggers. */
extern void ssot_registration_resume(const SsotEntity *entity, TimestampTz t,
									 TimestampTz kept_at);

#endif							/* SSOT_KEPT_H */
