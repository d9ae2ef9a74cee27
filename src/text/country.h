/*
 * country.h
 *		Countries: ISO 3166-1 codes and the many names they go by.
 */
#ifndef SSOT_TEXT_COUNTRY_H
#define SSOT_TEXT_COUNTRY_H

#include "postgres.h"

typedef struct SsotCountry
{
	char		alpha2[3];
	char		alpha3[4];
	int16		number;
} SsotCountry;

/* country_codes.c: sorted by alpha2. */
extern const SsotCountry ssot_countries[];
extern const int ssot_country_count;

/* country.c; strings in the server's encoding, NULL if there is no such country. */
extern const SsotCountry *ssot_country_by_alpha2(const char *code, int len);
extern const SsotCountry *ssot_country_find(const char *s, int len);

/* country_names.c */
typedef struct SsotCountryAlias
{
	const char *name;			/* as country.c folds names */
	char		alpha2[3];
} SsotCountryAlias;

extern const SsotCountryAlias ssot_country_aliases[];
extern const int ssot_country_alias_count;

/* unicode.c's neighbour: ICU's display names (country_names.c) */
extern char *ssot_country_display_name(const char *alpha2, const char *locale);
extern char *ssot_country_native_name(const char *alpha2);

#endif							/* SSOT_TEXT_COUNTRY_H */
