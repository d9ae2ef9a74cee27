/*
 * country_names.c
 *		What countries are called: ICU's display names, and a short list of
 *		names that ICU does not know.
 *
 * ICU (CLDR) has each country's usual name in every language, so the list
 * below holds only what CLDR lacks: formal names of ISO and the United
 * Nations, old names, abbreviations, parts of the United Kingdom.
 */
#include "postgres.h"

#include <unicode/uloc.h>
#include <unicode/ures.h>
#include <unicode/ustring.h>

#include "ssot.h"

#include "text/country.h"

#define MAX_NAME	128

/* Names as words of SSOT_WORDS_COMPANY, without a leading "the". */
const SsotCountryAlias ssot_country_aliases[] = {
	{"america", "US"},
	{"great britain", "GB"},
	{"britain", "GB"},
	{"uk", "GB"},
	{"england", "GB"},
	{"scotland", "GB"},
	{"wales", "GB"},
	{"northern ireland", "GB"},
	{"united kingdom of great britain and northern ireland", "GB"},
	{"united states of america", "US"},
	{"us of america", "US"},
	{"estados unidos de america", "US"},
	{"etats unis damerique", "US"},
	{"vereinigte staaten von amerika", "US"},
	{"ee uu", "US"},
	{"eeuu", "US"},
	{"el", "GR"},				/* the European Union's code */
	{"hellas", "GR"},
	{"hellenic republic", "GR"},
	{"bundesrepublik deutschland", "DE"},
	{"brd", "DE"},
	{"federal republic of germany", "DE"},
	{"french republic", "FR"},
	{"holland", "NL"},
	{"kingdom of the netherlands", "NL"},
	{"republic of ireland", "IE"},
	{"eire", "IE"},
	{"swiss confederation", "CH"},
	{"czech republic", "CZ"},
	{"ceska republika", "CZ"},
	{"slovak republic", "SK"},
	{"macedonia", "MK"},
	{"republic of north macedonia", "MK"},
	{"former yugoslav republic of macedonia", "MK"},
	{"bosnia", "BA"},
	{"turkey", "TR"},
	{"republic of turkiye", "TR"},
	{"russian federation", "RU"},
	{"rossijskaa federacia", "RU"}, /* as ICU transliterates it */
	{"belorussia", "BY"},
	{"republic of moldova", "MD"},
	{"moldova republic of", "MD"},
	{"holy see", "VA"},
	{"vatican", "VA"},
	{"uae", "AE"},
	{"emirates", "AE"},
	{"ksa", "SA"},
	{"kingdom of saudi arabia", "SA"},
	{"iran islamic republic of", "IR"},
	{"islamic republic of iran", "IR"},
	{"syrian arab republic", "SY"},
	{"palestine", "PS"},
	{"state of palestine", "PS"},
	{"palestine state of", "PS"},
	{"peoples republic of china", "CN"},
	{"prc", "CN"},
	{"pr china", "CN"},
	{"mainland china", "CN"},
	{"hong kong", "HK"},
	{"hong kong sar", "HK"},
	{"macau", "MO"},
	{"macao", "MO"},
	{"taiwan province of china", "TW"},
	{"republic of china", "TW"},
	{"republic of korea", "KR"},
	{"korea republic of", "KR"},
	{"korea", "KR"},
	{"korea democratic peoples republic of", "KP"},
	{"democratic peoples republic of korea", "KP"},
	{"dprk", "KP"},
	{"viet nam", "VN"},
	{"lao peoples democratic republic", "LA"},
	{"lao pdr", "LA"},
	{"burma", "MM"},
	{"brunei darussalam", "BN"},
	{"east timor", "TL"},
	{"republic of india", "IN"},
	{"bharat", "IN"},
	{"republic of the philippines", "PH"},
	{"micronesia federated states of", "FM"},
	{"federated states of micronesia", "FM"},
	{"venezuela bolivarian republic of", "VE"},
	{"bolivarian republic of venezuela", "VE"},
	{"bolivia plurinational state of", "BO"},
	{"plurinational state of bolivia", "BO"},
	{"ivory coast", "CI"},
	{"cape verde", "CV"},
	{"swaziland", "SZ"},
	{"drc", "CD"},
	{"dr congo", "CD"},
	{"zaire", "CD"},
	{"congo democratic republic of the", "CD"},
	{"congo the democratic republic of the", "CD"},
	{"democratic republic of the congo", "CD"},
	{"republic of the congo", "CG"},
	{"congo", "CG"},			/* ISO's own short name of CG */
	{"tanzania united republic of", "TZ"},
	{"united republic of tanzania", "TZ"},
	{"republic of south africa", "ZA"},
	{"rsa", "ZA"},
	{"libyan arab jamahiriya", "LY"},
	{"falkland islands malvinas", "FK"},
	{"virgin islands us", "VI"},
	{"virgin islands british", "VG"},
	{"saint helena ascension and tristan da cunha", "SH"},
	{"bonaire sint eustatius and saba", "BQ"},
	{"sint maarten dutch part", "SX"},
	{"saint martin french part", "MF"},
};

const int	ssot_country_alias_count = lengthof(ssot_country_aliases);

/*
 * What the country is called in a locale's language: UTF-8, palloc'd.  NULL
 * if ICU does not know the locale or has no name in it; ICU itself would fall
 * back to the server's own locale without a word.
 */
char *
ssot_country_display_name(const char *alpha2, const char *locale)
{
	UErrorCode	status = U_ZERO_ERROR;
	UResourceBundle *bundle;
	UChar		name[MAX_NAME];
	char		region[8];
	char		utf8[MAX_NAME * 3];
	int32_t		n;

	bundle = ures_open(U_ICUDATA_NAME "-region", locale, &status);
	if (U_FAILURE(status) || status == U_USING_DEFAULT_WARNING)
	{
		ures_close(bundle);
		return NULL;
	}
	ures_close(bundle);

	status = U_ZERO_ERROR;
	snprintf(region, sizeof(region), "und_%s", alpha2);
	n = uloc_getDisplayCountry(region, locale, name, MAX_NAME, &status);
	if (U_FAILURE(status) || status == U_USING_DEFAULT_WARNING || n == 0 || n >= MAX_NAME)
		return NULL;
	u_strToUTF8WithSub(utf8, sizeof(utf8), &n, name, n, 0xFFFD, NULL, &status);
	return U_FAILURE(status) ? NULL : pnstrdup(utf8, n);
}

/* What the country is called in the language most of its people speak. */
char *
ssot_country_native_name(const char *alpha2)
{
	UErrorCode	status = U_ZERO_ERROR;
	char		region[8];
	char		likely[ULOC_FULLNAME_CAPACITY];

	snprintf(region, sizeof(region), "und_%s", alpha2);
	uloc_addLikelySubtags(region, likely, sizeof(likely), &status);
	if (U_FAILURE(status))
		return NULL;
	return ssot_country_display_name(alpha2, likely);
}
