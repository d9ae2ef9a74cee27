/*
 * dictionary/explain_story.h
 *		Causes as rows and sentences.
 */
#ifndef SSOT_EXPLAIN_STORY_H
#define SSOT_EXPLAIN_STORY_H

#include "dictionary/explain_core.h"

extern const char *ssot_axis_name(SsotAxis axis);

/* Put the causes into the result of the calling set-returning function. */
extern void ssot_tell(FunctionCallInfo fcinfo, const SsotSide *sides, const SsotGame *game,
					  const SsotExplained *explained);

#endif							/* SSOT_EXPLAIN_STORY_H */
