/*
 * country.c
 *		From whatever a system calls a country to its ISO 3166-1 code.
 *
 * Two hash tables per backend, made on first need, keyed by folded names:
 *
 * - usual: our aliases and the English names; some 350 entries, in a fraction
 *	 of a millisecond.
 * - local: each country's name in its own main language and in the languages
 *	 of LANGUAGES below.  Several thousand ICU look-ups: made only when a name
 *	 is not in the first table.
 *
 * Both are made of the code's own tables and of ICU's data, never of the
 * database's, so they cannot become stale.  A local name that two countries
 * share in different languages belongs to neither.
 */
#include "postgres.h"

#include "ssot.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "text/chars.h"
#include "text/country.h"
#include "text/normalize.h"
#include "text/unicode.h"

PG_FUNCTION_INFO_V1(ssot_normalize_country);
PG_FUNCTION_INFO_V1(ssot_country_name);
PG_FUNCTION_INFO_V1(ssot_is_country);

/* No country has a longer name in any of the languages. */
#define MAX_KEY		80

/* Names in these are known for every country. */
static const char *const languages[] = {
	"ar", "cs", "da", "de", "el", "es", "fi", "fr", "he", "hu", "it", "ja",
	"ko", "nb", "nl", "pl", "pt", "ro", "ru", "sv", "tr", "uk", "zh",
};

typedef struct CountryName
{
	char		key[MAX_KEY];	/* hash key: zero-ended */
	const SsotCountry *country; /* NULL: several */
} CountryName;

static HTAB *usual_names = NULL;
static HTAB *local_names = NULL;

const SsotCountry *
ssot_country_by_alpha2(const char *code, int len)
{
	int			low = 0;
	int			high = ssot_country_count - 1;

	if (len != 2)
		return NULL;
	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			cmp = memcmp(code, ssot_countries[mid].alpha2, 2);

		if (cmp == 0)
			return &ssot_countries[mid];
		if (cmp < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return NULL;
}

/*
 * The key of a name: words of the folded text, without a leading "the".
 * False if it is too long to be one.
 */
static bool
country_key(char *key, const char *utf8, int len)
{
	StringInfoData words;
	const char *folded;
	const char *s;
	int			n;

	folded = ssot_utf8_key(utf8, len, &n);
	initStringInfo(&words);
	ssot_utf8_words(&words, folded, n, SSOT_WORDS_COMPANY);
	s = words.data;
	if (strncmp(s, "the ", 4) == 0)
		s += 4;
	if (*s == '\0' || strlen(s) >= MAX_KEY)
		return false;
	memset(key, 0, MAX_KEY);
	strcpy(key, s);
	return true;
}

static HTAB *
create_names(const char *name, int size)
{
	HASHCTL		ctl = {
		.keysize = MAX_KEY,
		.entrysize = sizeof(CountryName),
		.hcxt = TopMemoryContext,
	};

	return hash_create(name, size, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* Add a name; the first one added stays, or, among local names, nobody's. */
static void
add_name(HTAB *names, const char *utf8, const SsotCountry *country, bool contested)
{
	char		key[MAX_KEY];
	CountryName *entry;
	bool		found;

	if (utf8 == NULL || !country_key(key, utf8, strlen(utf8)))
		return;
	entry = hash_search(names, key, HASH_ENTER, &found);
	if (!found)
		entry->country = country;
	else if (contested && entry->country != country)
		entry->country = NULL;
}

static void
load_usual_names(HTAB *names)
{
	for (int i = 0; i < ssot_country_alias_count; i++)
		add_name(names, ssot_country_aliases[i].name,
				 ssot_country_by_alpha2(ssot_country_aliases[i].alpha2, 2), false);
	for (int i = 0; i < ssot_country_count; i++)
		add_name(names, ssot_country_display_name(ssot_countries[i].alpha2, "en"),
				 &ssot_countries[i], false);
}

static void
load_local_names(HTAB *names)
{
	for (int i = 0; i < ssot_country_count; i++)
	{
		const SsotCountry *country = &ssot_countries[i];

		CHECK_FOR_INTERRUPTS();
		add_name(names, ssot_country_native_name(country->alpha2), country, true);
		for (int j = 0; j < (int) lengthof(languages); j++)
			add_name(names, ssot_country_display_name(country->alpha2, languages[j]),
					 country, true);
	}
}

/*
 * Make a table of names in *names, unless it is there.  An error on the way
 * leaves none behind.
 */
static HTAB *
names_once(HTAB **names, const char *label, int size, void (*load) (HTAB *names))
{
	MemoryContext scratch,
				caller;
	HTAB	   *made;

	if (*names != NULL)
		return *names;
	made = create_names(label, size);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "ssot country names",
									ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(scratch);
	PG_TRY();
	{
		load(made);
	}
	PG_CATCH();
	{
		hash_destroy(made);
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	*names = made;
	return made;
}

/* An upper-cased code of two or three letters, or a number of up to three digits. */
static const SsotCountry *
country_by_code(const char *s, int len)
{
	char		upper[4] = "";
	int			number = 0;

	if (len < 1 || len > 3)
		return NULL;
	if (ssot_ascii_is_digit((unsigned char) s[0]))
	{
		for (int i = 0; i < len; i++)
		{
			if (!ssot_ascii_is_digit((unsigned char) s[i]))
				return NULL;
			number = number * 10 + (s[i] - '0');
		}
		for (int i = 0; i < ssot_country_count; i++)
			if (ssot_countries[i].number == number)
				return &ssot_countries[i];
		return NULL;
	}
	for (int i = 0; i < len; i++)
	{
		if (!ssot_ascii_is_alpha((unsigned char) s[i]))
			return NULL;
		upper[i] = s[i] & ~0x20;
	}
	if (len == 2)
		return ssot_country_by_alpha2(upper, 2);
	for (int i = 0; i < ssot_country_count; i++)
		if (len == 3 && memcmp(upper, ssot_countries[i].alpha3, 3) == 0)
			return &ssot_countries[i];
	return NULL;
}

/*
 * A code between full stops and spaces, or in full-width letters: "U.S.",
 * "usa\r".  Other punctuation is not passed over ("n/a" is not Namibia), and
 * other scripts are not read (Egypt's own name is "msr" in Latin letters, and
 * MSR is Montserrat).
 */
static const SsotCountry *
country_by_loose_code(const char *utf8, int len)
{
	char		code[3];
	int			n = 0;

	utf8 = ssot_utf8_clean(utf8, len, true, &len);
	if (!ssot_is_ascii(utf8, len))
		utf8 = ssot_nfkc(utf8, len, &len);
	for (int i = 0; i < len; i++)
	{
		if (utf8[i] == '.' || utf8[i] == ' ')
			continue;
		if (n == lengthof(code))
			return NULL;
		code[n++] = utf8[i];
	}
	return country_by_code(code, n);
}

/*
 * The country that s (in the server's encoding) names, or NULL.
 */
const SsotCountry *
ssot_country_find(const char *s, int len)
{
	const SsotCountry *country;
	const CountryName *entry;
	const char *utf8;
	char		key[MAX_KEY];
	int			n;

	country = country_by_code(s, len);
	if (country != NULL)
		return country;
	if (len > 4 * MAX_KEY)
		return NULL;
	utf8 = ssot_utf8_from_server(s, len, &n);
	if (!country_key(key, utf8, n))
		return NULL;

	country = country_by_loose_code(utf8, n);
	if (country != NULL)
		return country;

	entry = hash_search(names_once(&usual_names, "ssot country names", 512, load_usual_names),
						key, HASH_FIND, NULL);
	if (entry == NULL)
		entry = hash_search(names_once(&local_names, "ssot local country names", 4096,
									   load_local_names),
							key, HASH_FIND, NULL);
	return entry ? entry->country : NULL;
}

/* ssot.normalize_country(text) */
Datum
ssot_normalize_country(PG_FUNCTION_ARGS)
{
	text	   *in = PG_GETARG_TEXT_PP(0);
	const SsotCountry *country = ssot_country_find(VARDATA_ANY(in), VARSIZE_ANY_EXHDR(in));

	if (country == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(country->alpha2, 2));
}

/* ssot.is_country(text) */
Datum
ssot_is_country(PG_FUNCTION_ARGS)
{
	text	   *in = PG_GETARG_TEXT_PP(0);

	PG_RETURN_BOOL(ssot_country_by_alpha2(VARDATA_ANY(in), VARSIZE_ANY_EXHDR(in)) != NULL);
}

/* ssot.country_name(text, text) */
Datum
ssot_country_name(PG_FUNCTION_ARGS)
{
	text	   *code = PG_GETARG_TEXT_PP(0);
	char	   *locale = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const SsotCountry *country;
	const char *name;
	int			n;

	country = ssot_country_by_alpha2(VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code));
	if (country == NULL)
		PG_RETURN_NULL();
	name = NULL;
	if (strlen(locale) > 0 && strlen(locale) < 64)
		name = ssot_country_display_name(country->alpha2, locale);
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("locale \"%s\" has no names of countries", locale),
				 errdetail("ICU does not know the locale."),
				 errhint("Give a language such as \"en\", \"de\" or \"pt_BR\".")));
	name = ssot_utf8_to_server(name, strlen(name), &n);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(name, n));
}
