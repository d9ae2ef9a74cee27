/*
 * normalize.h
 *		One spelling for texts, company names and people's names.
 *
 * Every function takes a string in the server's encoding (pointer and length
 * in bytes) and returns one in the server's encoding: palloc'd in the current
 * memory context, or the input itself if it was in order already (then
 * *outlen == len and the pointers are equal).  NULL means that nothing is
 * left.  Errors: non-ASCII text longer than 16 MB (program_limit_exceeded), a result
 * that the server's encoding cannot hold (untranslatable_character).
 */
#ifndef SSOT_TEXT_NORMALIZE_H
#define SSOT_TEXT_NORMALIZE_H

#include "postgres.h"

#include "lib/stringinfo.h"

typedef enum SsotWordStyle
{
	SSOT_WORDS_COMPANY,			/* "S.A." is "sa", "&" is "and", lone letters
								 * are joined */
	SSOT_WORDS_PERSON			/* "J.P." is "j p" */
} SsotWordStyle;

extern const char *ssot_text_clean(const char *s, int len, int *outlen);
extern const char *ssot_text_key(const char *s, int len, int *outlen);
extern const char *ssot_company_key(const char *s, int len, int *outlen);
extern const char *ssot_person_key(const char *s, int len, int *outlen);

/* For the room itself: UTF-8 in, UTF-8 out. */
extern const char *ssot_utf8_clean(const char *s, int len, bool drop_joiners, int *outlen);
extern const char *ssot_utf8_key(const char *s, int len, int *outlen);
extern void ssot_utf8_words(StringInfo out, const char *key, int len, SsotWordStyle style);

#endif							/* SSOT_TEXT_NORMALIZE_H */
