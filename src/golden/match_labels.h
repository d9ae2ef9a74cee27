/*
 * golden/match_labels.h
 *		What people decided about linking, as pairs that a model can learn from.
 */
#ifndef SSOT_MATCH_LABELS_H
#define SSOT_MATCH_LABELS_H

#include "entity/matching.h"

typedef struct SsotMatchLabels
{
	int			n;
	int			nsame;
	bool	   *same;			/* [n] */
	char	  **texts;			/* [2 n][ncompared]: the records of pair i are
								 * 2 i and 2 i + 1 */
} SsotMatchLabels;

/*
 * The decisions in force whose two records are both there, by their names. Reads as
 * the owner of the entity's table.
 */
extern SsotMatchLabels *ssot_match_labels(const SsotEntity *entity, const SsotMatchRules *rules,
										  List *decisions);

#endif							/* SSOT_MATCH_LABELS_H */
