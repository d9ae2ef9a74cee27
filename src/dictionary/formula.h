/*
 * dictionary/formula.h
 *		Numbers computed from other metrics.
 */
#ifndef SSOT_FORMULA_H
#define SSOT_FORMULA_H

#include "nodes/pg_list.h"

/*
 * Parse an expression whose column names are those of metrics. Returns it qualified,
 * with $1, $2 ... for the metrics, whose names are appended to *names in that order.
 * Errors, naming "what", as for any expression; and if it is no number.
 */
extern char *ssot_formula_parse(const char *text, const char *what, List **names);

#endif							/* SSOT_FORMULA_H */
