/*
 * identifiers.c
 *		IBAN, LEI, currency and E.164: does a text have the form?
 *
 * The forms are the electronic ones: upper case, no spaces.  A golden value
 * has one spelling; who receives printed ones strips them on the way in
 * (replace(iban, ' ', '')).
 *
 * VAT numbers have a file of their own.
 */
#include "postgres.h"

#include "ssot.h"

#include "utils/builtins.h"

#include "text/chars.h"
#include "text/identifiers.h"

PG_FUNCTION_INFO_V1(ssot_is_iban);
PG_FUNCTION_INFO_V1(ssot_is_lei);
PG_FUNCTION_INFO_V1(ssot_is_vat);
PG_FUNCTION_INFO_V1(ssot_is_currency);
PG_FUNCTION_INFO_V1(ssot_is_phone);

/*
 * Lengths by country, from the SWIFT IBAN registry (ISO 13616-2): two letters
 * and two digits each.  Countries are added there, not taken away.
 */
static const char iban_lengths[] =
"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27"
"DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28"
"IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22"
"MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24"
"SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

/*
 * ISO 4217, list one, without XTS (for tests) and XXX (no currency).  ANG and
 * BGN are being withdrawn; they stay here as long as books are kept in them.
 */
static const char currencies[] =
"AEDAFNALLAMDANGAOAARSAUDAWGAZNBAMBBDBDTBGNBHDBIFBMDBNDBOBBOVBRLBSDBTNBWP"
"BYNBZDCADCDFCHECHFCHWCLFCLPCNYCOPCOUCRCCUPCVECZKDJFDKKDOPDZDEGPERNETBEUR"
"FJDFKPGBPGELGHSGIPGMDGNFGTQGYDHKDHNLHTGHUFIDRILSINRIQDIRRISKJMDJODJPYKES"
"KGSKHRKMFKPWKRWKWDKYDKZTLAKLBPLKRLRDLSLLYDMADMDLMGAMKDMMKMNTMOPMRUMURMVR"
"MWKMXNMXVMYRMZNNADNGNNIONOKNPRNZDOMRPABPENPGKPHPPKRPLNPYGQARRONRSDRUBRWF"
"SARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTNDTOPTRYTTDTWDTZS"
"UAHUGXUSDUSNUYIUYUUYWUZSVEDVESVNDVUVWSTXAFXAGXAUXBAXBBXBCXBDXCDXCGXDRXOF"
"XPDXPFXPTXSUXUAYERZARZMWZWG";

/*
 * The remainder modulo 97 of digits and letters (A is 10 ... Z is 35), going
 * on from rem; -1 if there is another character.  ISO 7064.
 */
static int
mod97(int rem, const char *s, int len)
{
	for (int i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) s[i];

		if (ssot_ascii_is_digit(c))
			rem = (rem * 10 + (c - '0')) % 97;
		else if (ssot_ascii_is_upper(c))
			rem = (rem * 100 + (c - 'A' + 10)) % 97;
		else
			return -1;
	}
	return rem;
}

static bool
two_digits(const char *s)
{
	return ssot_ascii_is_digit((unsigned char) s[0]) && ssot_ascii_is_digit((unsigned char) s[1]);
}

/* ISO 13616: country, check digits, account; the first four go last. */
bool
ssot_iban_valid(const char *s, int len)
{
	if (len < 15 || len > 34 || !two_digits(s + 2))
		return false;
	for (const char *entry = iban_lengths; *entry != '\0'; entry += 4)
		if (memcmp(entry, s, 2) == 0)
		{
			int			rem;

			if (len != (entry[2] - '0') * 10 + (entry[3] - '0'))
				return false;
			rem = mod97(0, s + 4, len - 4);
			return rem >= 0 && mod97(rem, s, 4) == 1;
		}
	return false;
}

/* ISO 17442: 18 letters or digits and two check digits. */
bool
ssot_lei_valid(const char *s, int len)
{
	return len == 20 && two_digits(s + 18) && mod97(0, s, len) == 1;
}

bool
ssot_currency_valid(const char *s, int len)
{
	if (len != 3)
		return false;
	for (const char *code = currencies; *code != '\0'; code += 3)
		if (memcmp(code, s, 3) == 0)
			return true;
	return false;
}

/*
 * ITU-T E.164: "+", a country calling code, at most 15 digits in all.  Seven
 * is the length of the shortest numbers in international use.
 */
bool
ssot_e164_valid(const char *s, int len)
{
	if (len < 8 || len > 16 || s[0] != '+' || s[1] == '0')
		return false;
	for (int i = 1; i < len; i++)
		if (!ssot_ascii_is_digit((unsigned char) s[i]))
			return false;
	return true;
}

static Datum
validate(FunctionCallInfo fcinfo, bool (*valid) (const char *s, int len))
{
	text	   *in = PG_GETARG_TEXT_PP(0);

	PG_RETURN_BOOL(valid(VARDATA_ANY(in), VARSIZE_ANY_EXHDR(in)));
}

Datum
ssot_is_iban(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, ssot_iban_valid);
}

Datum
ssot_is_lei(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, ssot_lei_valid);
}

Datum
ssot_is_vat(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, ssot_vat_valid);
}

Datum
ssot_is_currency(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, ssot_currency_valid);
}

Datum
ssot_is_phone(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, ssot_e164_valid);
}
