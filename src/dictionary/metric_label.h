/*
 * dictionary/metric_label.h
 *		Numbers as people say them.
 */
#ifndef SSOT_METRIC_LABEL_H
#define SSOT_METRIC_LABEL_H

#include "datatype/timestamp.h"
#include "utils/numeric.h"

/* The digits of a number without its sign, grouped by thousands, without trailing
 * zeros after the point: 1,250,000.5 */
extern char *ssot_grouped_digits(Numeric value);

/* The same with all decimals, or none where they are zeros: 3,970.40 */
extern char *ssot_grouped_amount(Numeric value);

/* "2026-11-04 11:59 America/New_York", in the session's time zone. */
extern char *ssot_minute(TimestampTz time);

#endif							/* SSOT_METRIC_LABEL_H */
