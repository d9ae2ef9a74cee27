/*
 * vat.c
 *		VAT identification numbers of the EU, the United Kingdom, Switzerland
 *		and Norway.
 *
 * One row per country: its formats, and the checksum where its rule is
 * published and every number in use obeys it.  A pattern is written with
 *
 *		9	a digit
 *		@	a letter
 *		#	a letter or a digit
 *		*	a letter, a digit, "+" or "*"	(old Irish numbers)
 *
 * and any other character for itself; "|" parts alternatives.  The prefix is
 * Greece's "EL", Northern Ireland's "XI", Switzerland's "CHE".
 *
 * Format only (no checksum): BG, CY, CZ numbers of persons, IE, LT, LV, RO,
 * Spanish numbers of persons beginning with K, L or M, French keys with
 * letters.  A checksum that refuses a good number costs more than one that
 * lets a bad one pass.  Nothing here says that a number was ever issued: that
 * only the register (VIES) knows.
 *
 * Rules: European Commission, "VIES VAT number algorithm"; national notices
 * where that is silent.  "d" below is the number behind the prefix.
 */
#include "postgres.h"

#include "ssot.h"

#include "text/chars.h"
#include "text/identifiers.h"

typedef bool (*VatCheck) (const char *d, int len);

typedef struct VatRule
{
	const char *prefix;
	const char *patterns;
	VatCheck	check;			/* NULL: format only */
} VatRule;

static int
digit(char c)
{
	return c - '0';
}

/* The sum of digits times weights; weights are one digit each. */
static int
weigh(const char *d, const char *weights)
{
	int			sum = 0;

	for (int i = 0; weights[i] != '\0'; i++)
		sum += digit(d[i]) * digit(weights[i]);
	return sum;
}

static int64
number(const char *d, int len)
{
	int64		n = 0;

	for (int i = 0; i < len; i++)
		n = n * 10 + digit(d[i]);
	return n;
}

/* Luhn, ISO/IEC 7812: the sum of digits, every second from the right doubled. */
static bool
luhn(const char *d, int len)
{
	int			sum = 0;

	for (int i = 0; i < len; i++)
	{
		int			n = digit(d[len - 1 - i]) * (i % 2 + 1);

		sum += n > 9 ? n - 9 : n;
	}
	return sum % 10 == 0;
}

/* ISO 7064, MOD 11,10 */
static bool
mod_11_10(const char *d, int len)
{
	int			product = 10;

	for (int i = 0; i < len - 1; i++)
	{
		int			sum = (digit(d[i]) + product) % 10;

		product = (sum == 0 ? 10 : sum) * 2 % 11;
	}
	return (11 - product) % 10 == digit(d[len - 1]);
}

/* Weighted sum, 11 minus remainder, 11 counting as 0; 10 is never issued. */
static bool
mod_11(const char *d, const char *weights)
{
	int			check = (11 - weigh(d, weights) % 11) % 11;

	return check != 10 && check == digit(d[strlen(weights)]);
}

/* AT: U and 8 digits; doubled digits are cross-summed, plus 4. */
static bool
check_at(const char *d, int len)
{
	int			sum = 4;

	(void) len;
	for (int i = 0; i < 7; i++)
	{
		int			n = digit(d[1 + i]) * (i % 2 + 1);

		sum += n > 9 ? n - 9 : n;
	}
	return (10 - sum % 10) % 10 == digit(d[8]);
}

/* BE: the last two digits are 97 minus the rest modulo 97. */
static bool
check_be(const char *d, int len)
{
	(void) len;
	return number(d, 8) > 0 && 97 - number(d, 8) % 97 == number(d + 8, 2);
}

static bool
check_ch(const char *d, int len)
{
	(void) len;
	return mod_11(d, "54327654");
}

/* CZ: companies have 8 digits and a checksum; persons' numbers are let pass. */
static bool
check_cz(const char *d, int len)
{
	int			check;

	if (len != 8)
		return true;
	if (d[0] == '9')
		return false;
	check = (11 - weigh(d, "8765432") % 11) % 11;
	return (check == 0 ? 1 : check) % 10 == digit(d[7]);
}

static bool
check_de(const char *d, int len)
{
	return d[0] != '0' && mod_11_10(d, len);
}

static bool
check_dk(const char *d, int len)
{
	(void) len;
	return d[0] != '0' && weigh(d, "27654321") % 11 == 0;
}

static bool
check_ee(const char *d, int len)
{
	(void) len;
	return weigh(d, "371371371") % 10 == 0;
}

static bool
check_el(const char *d, int len)
{
	int			sum = 0;

	(void) len;
	for (int i = 0; i < 8; i++)
		sum += digit(d[i]) << (8 - i);
	return sum % 11 % 10 == digit(d[8]);
}

/*
 * ES: persons (DNI: 8 digits and a letter; NIE: X, Y or Z first) have the
 * number modulo 23 as a letter; companies (CIF) a Luhn-like digit, or its
 * letter, depending on the kind of company.
 */
static bool
check_es(const char *d, int len)
{
	static const char letters[] = "TRWAGMYFPDXBNJZSQVHLCKE";
	static const char cif_letters[] = "JABCDEFGHI";
	int			sum = 0;
	int			check;

	(void) len;
	if (ssot_ascii_is_digit((unsigned char) d[0]))
		return letters[number(d, 8) % 23] == d[8];
	if (strchr("XYZ", d[0]) != NULL)
		return letters[((d[0] - 'X') * INT64CONST(10000000) + number(d + 1, 7)) % 23] == d[8];
	if (strchr("KLM", d[0]) != NULL)
		return ssot_ascii_is_alpha((unsigned char) d[8]);
	if (strchr("ABCDEFGHJNPQRSUVW", d[0]) == NULL)
		return false;
	for (int i = 0; i < 7; i++)
	{
		int			n = digit(d[1 + i]) * (i % 2 == 0 ? 2 : 1);

		sum += n > 9 ? n - 9 : n;
	}
	check = (10 - sum % 10) % 10;
	if (strchr("ABEH", d[0]) != NULL)
		return d[8] == '0' + check;
	if (strchr("PQSNWR", d[0]) != NULL)
		return d[8] == cif_letters[check];
	return d[8] == '0' + check || d[8] == cif_letters[check];
}

static bool
check_fi(const char *d, int len)
{
	/* the third weight is 10, so mod_11() cannot say it */
	int			sum = weigh(d, "79") + 10 * digit(d[2]) + weigh(d + 3, "5842");
	int			check = (11 - sum % 11) % 11;

	(void) len;
	return check != 10 && check == digit(d[7]);
}

/*
 * FR: a key of digits is (12 + 3 * (SIREN mod 97)) mod 97; one with letters
 * has neither I nor O.
 */
static bool
check_fr(const char *d, int len)
{
	(void) len;
	if (ssot_ascii_is_digit((unsigned char) d[0]) && ssot_ascii_is_digit((unsigned char) d[1]))
		return (12 + 3 * (number(d + 2, 9) % 97)) % 97 == number(d, 2);
	return d[0] != 'I' && d[0] != 'O' && d[1] != 'I' && d[1] != 'O';
}

/*
 * GB: weights 8 to 2; the last two of nine digits are 97 minus the sum, or,
 * in the newer range, 55 less.  Three more digits name a branch; GD and HA
 * are government departments and health authorities.
 */
static bool
check_gb(const char *d, int len)
{
	int			sum;

	if (len == 5)
		return d[0] == 'G' ? number(d + 2, 3) < 500 : number(d + 2, 3) >= 500;
	sum = weigh(d, "8765432") + (int) number(d + 7, 2);
	return sum % 97 == 0 || (sum + 55) % 97 == 0;
}

static bool
check_hr(const char *d, int len)
{
	return mod_11_10(d, len);
}

static bool
check_hu(const char *d, int len)
{
	(void) len;
	return weigh(d, "97319731") % 10 == 0;
}

/* IT: Luhn; digits 8 to 10 name the province's office. */
static bool
check_it(const char *d, int len)
{
	return number(d, 7) > 0 && luhn(d, len);
}

static bool
check_lu(const char *d, int len)
{
	(void) len;
	return number(d, 6) % 89 == number(d + 6, 2);
}

static bool
check_mt(const char *d, int len)
{
	int			sum = weigh(d, "346789") + (int) number(d + 6, 2);

	(void) len;
	return number(d, 6) > 0 && sum % 37 == 0;
}

/*
 * NL: nine digits, B, two digits.  Companies: the nine obey a rule modulo 11.
 * Since 2020 sole traders have numbers that obey modulo 97 over "NL" and all.
 */
static bool
check_nl(const char *d, int len)
{
	int			rem = 2321;		/* "NL" */

	if (weigh(d, "98765432") % 11 == digit(d[8]))
		return true;
	for (int i = 0; i < len; i++)
	{
		if (ssot_ascii_is_digit((unsigned char) d[i]))
			rem = (rem * 10 + digit(d[i])) % 97;
		else
			rem = (rem * 100 + (d[i] - 'A' + 10)) % 97;
	}
	return rem == 1;
}

static bool
check_no(const char *d, int len)
{
	(void) len;
	return mod_11(d, "32765432");
}

static bool
check_pl(const char *d, int len)
{
	(void) len;
	return weigh(d, "657234567") % 11 == digit(d[9]);
}

/* PT: 11 minus remainder; 10 and 11 count as 0. */
static bool
check_pt(const char *d, int len)
{
	(void) len;
	return d[0] != '0' && (11 - weigh(d, "98765432") % 11) % 11 % 10 == digit(d[8]);
}

/* SE: ten digits by Luhn, and 01 to 94 behind. */
static bool
check_se(const char *d, int len)
{
	int64		last = number(d + 10, 2);

	(void) len;
	return last >= 1 && last <= 94 && luhn(d, 10);
}

static bool
check_si(const char *d, int len)
{
	int			check = 11 - weigh(d, "8765432") % 11;

	(void) len;
	return d[0] != '0' && check != 11 && check % 10 == digit(d[7]);
}

static bool
check_sk(const char *d, int len)
{
	return d[0] != '0' && strchr("234789", d[2]) != NULL && number(d, len) % 11 == 0;
}

/* The longer of two prefixes that begin alike comes first. */
static const VatRule rules[] = {
	{"AT", "U99999999", check_at},
	{"BE", "0999999999|1999999999", check_be},
	{"BG", "999999999|9999999999", NULL},
	{"CHE", "999999999|999999999MWST|999999999TVA|999999999IVA", check_ch},
	{"CY", "99999999@", NULL},
	{"CZ", "99999999|999999999|9999999999", check_cz},
	{"DE", "999999999", check_de},
	{"DK", "99999999", check_dk},
	{"EE", "999999999", check_ee},
	{"EL", "999999999", check_el},
	{"ES", "#9999999#", check_es},
	{"FI", "99999999", check_fi},
	{"FR", "##999999999", check_fr},
	{"GB", "999999999|999999999999|GD999|HA999", check_gb},
	{"HR", "99999999999", check_hr},
	{"HU", "99999999", check_hu},
	{"IE", "9*99999@|9999999@|9999999@@", NULL},
	{"IT", "99999999999", check_it},
	{"LT", "999999999|999999999999", NULL},
	{"LU", "99999999", check_lu},
	{"LV", "99999999999", NULL},
	{"MT", "99999999", check_mt},
	{"NL", "999999999B99", check_nl},
	{"NO", "999999999|999999999MVA", check_no},
	{"PL", "9999999999", check_pl},
	{"PT", "999999999", check_pt},
	{"RO", "99|999|9999|99999|999999|9999999|99999999|999999999|9999999999", NULL},
	{"SE", "999999999999", check_se},
	{"SI", "99999999", check_si},
	{"SK", "9999999999", check_sk},
	{"XI", "999999999|999999999999|GD999|HA999", check_gb},
};

static bool
fits_char(char pattern, unsigned char c)
{
	switch (pattern)
	{
		case '9':
			return ssot_ascii_is_digit(c);
		case '@':
			return ssot_ascii_is_upper(c);
		case '#':
			return ssot_ascii_is_digit(c) || ssot_ascii_is_upper(c);
		case '*':
			return ssot_ascii_is_digit(c) || ssot_ascii_is_upper(c) || c == '+' || c == '*';
		default:
			return c == (unsigned char) pattern;
	}
}

static bool
fits(const char *patterns, const char *d, int len)
{
	const char *p = patterns;

	while (*p != '\0')
	{
		int			i = 0;

		while (*p != '\0' && *p != '|' && i < len && fits_char(*p, (unsigned char) d[i]))
		{
			p++;
			i++;
		}
		if (i == len && (*p == '\0' || *p == '|'))
			return true;
		while (*p != '\0' && *p != '|')
			p++;
		if (*p == '|')
			p++;
	}
	return false;
}

/* Is s a VAT number, with its prefix, in the electronic form? */
bool
ssot_vat_valid(const char *s, int len)
{
	for (int i = 0; i < (int) lengthof(rules); i++)
	{
		const VatRule *rule = &rules[i];
		int			n = strlen(rule->prefix);

		if (len <= n || memcmp(s, rule->prefix, n) != 0)
			continue;
		return fits(rule->patterns, s + n, len - n) &&
			(rule->check == NULL || rule->check(s + n, len - n));
	}
	return false;
}
