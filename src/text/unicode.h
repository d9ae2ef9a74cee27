/*
 * unicode.h
 *		UTF-8 in, UTF-8 out: what the room asks of ICU.
 *
 * All strings are (pointer, length in bytes) and need not end in zero; results
 * are palloc'd in the current context, end in zero, or are the input itself
 * when there was nothing to do.
 */
#ifndef SSOT_TEXT_UNICODE_H
#define SSOT_TEXT_UNICODE_H

#include "postgres.h"

extern const char *ssot_utf8_from_server(const char *s, int len, int *outlen);
extern const char *ssot_utf8_to_server(const char *s, int len, int *outlen);

extern const char *ssot_nfkc(const char *s, int len, int *outlen);
extern const char *ssot_nfkc_fold(const char *s, int len, int *outlen);
extern const char *ssot_lower(const char *s, int len, int *outlen);
extern const char *ssot_latin_ascii(const char *s, int len, int *outlen);
extern const char *ssot_domain_to_unicode(const char *s, int len, int *outlen);

#endif							/* SSOT_TEXT_UNICODE_H */
