/*
 * identity/kinds.h
 *		The comparison kinds, for the list in kind.c.
 */
#ifndef SSOT_KINDS_H
#define SSOT_KINDS_H

#include "identity/kind.h"

extern const SsotKind ssot_kind_address;
extern const SsotKind ssot_kind_code;
extern const SsotKind ssot_kind_company;
extern const SsotKind ssot_kind_date;
extern const SsotKind ssot_kind_email;
extern const SsotKind ssot_kind_exact;
extern const SsotKind ssot_kind_identifier;
extern const SsotKind ssot_kind_number;
extern const SsotKind ssot_kind_people;
extern const SsotKind ssot_kind_person_name;
extern const SsotKind ssot_kind_phone;
extern const SsotKind ssot_kind_postcode;
extern const SsotKind ssot_kind_text;

#endif							/* SSOT_KINDS_H */
