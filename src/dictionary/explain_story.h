/*
 * dictionary/explain_story.h
 *		Causes as rows and sentences.
 */
#ifndef SSOT_EXPLAIN_STORY_H
#define SSOT_EXPLAIN_STORY_H

#include "dictionary/explain_core.h"

extern const char *ssot_axis_name(SsotAxis axis);

/* Put the causes into the result of the calling set-returning function; or the
 * entities behind them in their place. */
extern void ssot_tell(FunctionCallInfo fcinfo, const SsotGame *game, const SsotExplained *explained);
extern void ssot_tell_detail(FunctionCallInfo fcinfo, const SsotGame *game,
							 const SsotExplained *explained);

/* All of it in one sentence. */
extern char *ssot_headline(const SsotGame *game, const SsotExplained *explained);

/* explain_words.c: why, in words; of a cause, and of one entity of it. */
extern char *ssot_cause_reason(const SsotGame *game, const SsotExplained *explained,
							   const SsotCause *cause);
extern char *ssot_short_reason(const SsotGame *game, const SsotExplained *explained,
							   const SsotCause *cause);
extern char *ssot_share_reason(const SsotExplained *explained, const SsotEntityShare *share);

/* "erp is 46,378.86 USD below crm" */
extern char *ssot_distance(const SsotExplained *explained, Numeric contribution);

#endif							/* SSOT_EXPLAIN_STORY_H */
