/*
 * golden/pin_review.h
 *		What the sources say of pinned fields.
 */
#ifndef SSOT_PIN_REVIEW_H
#define SSOT_PIN_REVIEW_H

#include "golden/correction.h"
#include "golden/survivorship.h"

typedef struct SsotPinReview SsotPinReview;

/* For one pass over groups; the pass's survivor is used. */
extern SsotPinReview *ssot_pin_review_create(const SsotEntity *entity, SsotSurvivor *survivor);

/*
 * What the sources say of the pinned fields of a group: false if it has no pin;
 * else pinned[f], and where that is true, what would be golden without pins
 * (pointing into the group). Arrays by field, valid until the next call.
 */
extern bool ssot_pin_review_group(SsotPinReview *review, const SsotGroup *group,
								  const bool **pinned, const Datum **said,
								  const bool **said_nulls);

/*
 * Take the pins that have done their work out of the group, and note them in
 * "release": where the policy of the field says so, all sources that are believed
 * and have a value now have the pinned one, and the pin overruled another when it
 * was made. Returns how many. The golden values stay what they are. What is left of
 * the records that held them is from "t" on, when the release is written.
 */
extern int	ssot_pin_review_retire(SsotPinReview *review, SsotGroup *group, TimestampTz t,
								   SsotCorrections *release);

#endif							/* SSOT_PIN_REVIEW_H */
