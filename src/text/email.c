/*
 * email.c
 *		E-mail addresses: their form, and one spelling for them.
 *
 * The form is that of RFC 5321 and RFC 6531 as mail is really sent: a
 * dot-atom, "@", a domain of two labels or more.  Left out on purpose, because
 * in a warehouse they are always mistakes: quoted local parts, comments,
 * address literals ([192.0.2.1]), domains without a dot.
 *
 * The test reads bytes and a fixed table of invisible characters, so that its
 * answer is IMMUTABLE; ICU is asked only when an address is normalised.
 */
#include "postgres.h"

#include "ssot.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "text/chars.h"
#include "text/email.h"
#include "text/normalize.h"
#include "text/unicode.h"

PG_FUNCTION_INFO_V1(ssot_is_email);
PG_FUNCTION_INFO_V1(ssot_normalize_email);

/* RFC 5321, section 4.5.3.1, in octets; RFC 3696, erratum 1690 */
#define MAX_ADDRESS		254
#define MAX_LOCAL		64
#define MAX_LABEL		63

static bool
is_atext(unsigned char c)
{
	return ssot_ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/*
 * The length of the non-ASCII character at s if it may stand in an address,
 * else 0.  In encodings other than UTF-8 every such byte may.
 */
static int
wide_char_allowed(const char *s, int len, bool utf8)
{
	int			n;
	uint32		cp;

	if (!utf8)
		return 1;
	cp = ssot_utf8_decode(s, len, &n);
	if (ssot_char_class(cp) != SSOT_CHAR_ORDINARY || cp == SSOT_REPLACEMENT_CHAR ||
		(cp & 0xFFFE) == 0xFFFE || (cp >= 0xFDD0 && cp <= 0xFDEF) ||
		cp == 0x3002 || cp == 0xFF0E || cp == 0xFF61)	/* full stops of other
														 * scripts */
		return 0;
	return n;
}

static bool
local_part_valid(const char *s, int len, bool utf8)
{
	if (len < 1 || len > MAX_LOCAL || s[0] == '.' || s[len - 1] == '.')
		return false;
	for (int i = 0; i < len;)
	{
		unsigned char c = (unsigned char) s[i];
		int			n = 1;

		if (c == '.')
		{
			if (s[i + 1] == '.')	/* not the last: see above */
				return false;
		}
		else if (c < 0x80)
		{
			if (!is_atext(c))
				return false;
		}
		else if ((n = wide_char_allowed(s + i, len - i, utf8)) == 0)
			return false;
		i += n;
	}
	return true;
}

/* The last label may not be a number: that would be an address literal. */
static bool
domain_valid(const char *s, int len, bool utf8)
{
	int			labels = 0;
	bool		letters = false;
	int			last_chars = 0;

	for (int i = 0; i < len; i++)
	{
		int			start = i;
		int			chars = 0;

		letters = false;
		while (i < len && s[i] != '.')
		{
			unsigned char c = (unsigned char) s[i];
			int			n = 1;

			if (c >= 0x80)
			{
				n = wide_char_allowed(s + i, len - i, utf8);
				if (n == 0)
					return false;
				letters = true;
			}
			else if (ssot_ascii_is_alpha(c))
				letters = true;
			else if (!ssot_ascii_is_digit(c) && c != '-')
				return false;
			chars++;
			i += n;
		}
		if (chars == 0 || chars > MAX_LABEL || s[start] == '-' || s[i - 1] == '-')
			return false;
		labels++;
		last_chars = chars;
		if (i == len - 1)
			return false;		/* ends in a dot */
	}
	return labels >= 2 && letters && (last_chars >= 2 || (unsigned char) s[len - 1] >= 0x80);
}

/* Has s the form of an e-mail address?  Never an error. */
bool
ssot_email_valid(const char *s, int len, bool utf8)
{
	const char *at;

	if (len < 6 || len > MAX_ADDRESS)
		return false;			/* "a@b.cd" is the shortest */
	at = memchr(s, '@', len);
	if (at == NULL)
		return false;
	return local_part_valid(s, at - s, utf8) &&
		domain_valid(at + 1, len - (at - s) - 1, utf8);
}

/* Take off "mailto:", and of "Ann <ann@x.org>" the address. */
static void
unwrap(const char **s, int *len)
{
	const char *open;

	if (*len > 0 && (*s)[*len - 1] == '>' && (open = memchr(*s, '<', *len)) != NULL)
	{
		*len -= (open - *s) + 2;
		*s = open + 1;
	}
	if (*len > 7 && pg_strncasecmp(*s, "mailto:", 7) == 0)
	{
		*s += 7;
		*len -= 7;
	}
}

static bool
contains_punycode(const char *s, int len)
{
	for (int i = 0; i + 4 <= len; i++)
		if (s[i + 2] == '-' && pg_strncasecmp(s + i, "xn--", 4) == 0)
			return true;
	return false;
}

/* One spelling of a domain, or NULL. */
static const char *
normal_domain(const char *s, int len, int *outlen)
{
	char	   *lower;

	if (len > 0 && s[len - 1] == '.')
		len--;
	if (len > 0 && (!ssot_is_ascii(s, len) || contains_punycode(s, len)))
		return ssot_domain_to_unicode(s, len, outlen);
	lower = pnstrdup(s, len);
	for (int i = 0; i < len; i++)
		lower[i] = ssot_ascii_lower(lower[i]);
	*outlen = len;
	return lower;
}

/*
 * One spelling of an address, in the server's encoding, or NULL if s is none.
 * See ssot.normalize_email().
 */
const char *
ssot_email_normal(const char *s, int len, bool strip_plus, bool strip_dots, int *outlen)
{
	StringInfoData address;
	const char *u;
	const char *at = NULL;
	const char *local;
	const char *domain;
	const char *plus;
	int			n,
				local_len,
				domain_len;

	if (len > 4096)
		return NULL;			/* no address, whatever is trimmed */
	u = ssot_utf8_from_server(s, len, &n);
	u = ssot_utf8_clean(u, n, false, &n);
	if (!ssot_is_ascii(u, n))
		u = ssot_nfkc(u, n, &n);	/* full-width letters and "＠" */
	unwrap(&u, &n);
	for (int i = 0; i < n && at == NULL; i++)
		if (u[i] == '@')
			at = u + i;
	if (at == NULL || (domain = normal_domain(at + 1, n - (at - u) - 1, &domain_len)) == NULL)
		return NULL;
	local = ssot_lower(u, at - u, &local_len);
	if (strip_plus && (plus = memchr(local, '+', local_len)) != NULL && plus > local)
		local_len = plus - local;

	initStringInfo(&address);
	for (int i = 0; i < local_len; i++)
		if (!strip_dots || local[i] != '.')
			appendStringInfoChar(&address, local[i]);
	appendStringInfoChar(&address, '@');
	appendBinaryStringInfo(&address, domain, domain_len);
	if (!ssot_email_valid(address.data, address.len, true))
		return NULL;
	return ssot_utf8_to_server(address.data, address.len, outlen);
}

/* ssot.is_email(text) */
Datum
ssot_is_email(PG_FUNCTION_ARGS)
{
	text	   *in = PG_GETARG_TEXT_PP(0);

	PG_RETURN_BOOL(ssot_email_valid(VARDATA_ANY(in), VARSIZE_ANY_EXHDR(in),
									GetDatabaseEncoding() == PG_UTF8));
}

/* ssot.normalize_email(text, boolean, boolean) */
Datum
ssot_normalize_email(PG_FUNCTION_ARGS)
{
	text	   *in = PG_GETARG_TEXT_PP(0);
	int			len;
	const char *address = ssot_email_normal(VARDATA_ANY(in), VARSIZE_ANY_EXHDR(in),
											PG_GETARG_BOOL(1), PG_GETARG_BOOL(2), &len);

	if (address == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(address, len));
}
