/*
 * identifiers.h
 *		Identifiers with a form of their own: IBAN, LEI, VAT, currency, phone.
 *
 * All take (pointer, length in bytes), never raise an error and allocate
 * nothing.
 */
#ifndef SSOT_TEXT_IDENTIFIERS_H
#define SSOT_TEXT_IDENTIFIERS_H

#include "postgres.h"

extern bool ssot_iban_valid(const char *s, int len);
extern bool ssot_lei_valid(const char *s, int len);
extern bool ssot_vat_valid(const char *s, int len);
extern bool ssot_currency_valid(const char *s, int len);
extern bool ssot_e164_valid(const char *s, int len);

#endif							/* SSOT_TEXT_IDENTIFIERS_H */
