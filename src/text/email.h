/*
 * email.h
 *		E-mail addresses: their form, and one spelling for them.
 */
#ifndef SSOT_TEXT_EMAIL_H
#define SSOT_TEXT_EMAIL_H

#include "postgres.h"

extern bool ssot_email_valid(const char *s, int len, bool utf8);
extern const char *ssot_email_normal(const char *s, int len, bool strip_plus,
									 bool strip_dots, int *outlen);

#endif							/* SSOT_TEXT_EMAIL_H */
