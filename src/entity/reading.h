/*
 * entity/reading.h
 *		How much of a source a run reads.
 */
#ifndef SSOT_READING_H
#define SSOT_READING_H

#include "entity/map.h"

/*
 * The source was declared anew: error with the reason where its relation, key or
 * source time no longer allow its reading; else its triggers are made what they
 * should be. The current user must own the relation for that.
 */
extern void ssot_reading_follow(const SsotEntity *entity, const SsotSource *source);

/* Base type of updated_at if a watermark can be compared with it, or InvalidOid. */
extern Oid	ssot_watermark_type(const SsotSource *source, Oid relid);

#endif							/* SSOT_READING_H */
