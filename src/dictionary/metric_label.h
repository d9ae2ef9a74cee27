/*
 * dictionary/metric_label.h
 *		Numbers as people say them.
 */
#ifndef SSOT_METRIC_LABEL_H
#define SSOT_METRIC_LABEL_H

#include "utils/numeric.h"

/* The digits of a number without its sign, grouped by thousands, without trailing
 * zeros after the point: 1,250,000.5 */
extern char *ssot_grouped_digits(Numeric value);

#endif							/* SSOT_METRIC_LABEL_H */
