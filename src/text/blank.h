/*
 * blank.h
 *		Which values say nothing: "", "n/a", "null", "-" and their like.
 *
 * For the ingest engine:
 *
 *		SsotBlankWords *words = ssot_blank_words_load();	-- once per run
 *		if (ssot_is_blank(words, s, len)) ...				-- once per value
 */
#ifndef SSOT_TEXT_BLANK_H
#define SSOT_TEXT_BLANK_H

#include "postgres.h"

typedef struct SsotBlankWords SsotBlankWords;

/*
 * Read the list in force, under the active snapshot, into the current memory
 * context; it lives as long as that.  Needs SELECT on ssot.blank_word.
 */
extern SsotBlankWords *ssot_blank_words_load(void);

/*
 * Is s (server's encoding, len bytes, need not end in zero) blank?  Allocates
 * nothing for ASCII in a UTF8 database; short non-ASCII values may leave a few
 * hundred bytes in the current memory context.
 */
extern bool ssot_is_blank(const SsotBlankWords *words, const char *s, int len);

#endif							/* SSOT_TEXT_BLANK_H */
