/*
 * identity/kind_email.c
 *		E-mail addresses.
 *
 * An address has two parts that say different things. The domain of a company
 * names the company, that of a mail provider nobody; the local part names a
 * person, unless it is an office ("info"). Dots, hyphens and what follows a plus
 * sign are passed over in the local part: whether they matter is the business of
 * mail servers, and a person who writes them once with and once without is one.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"
#include "text/chars.h"
#include "text/email.h"
#include "text/normalize.h"
#include "text/similarity.h"

/* The levels. */
enum
{
	DIFFERENT = SSOT_LEVEL_DIFFERENT,
	SAME_DOMAIN,
	SAME_NAME,
	ALIKE,
	VARIANT,
	EQUAL
};

#define MAX_COMPARED	96

/* Prepared: the bare local part, then the whole as normalised. */
typedef struct EmailValue
{
	uint64		local_hash;		/* of the bare local part */
	uint64		domain_hash;
	uint16		local;			/* lengths */
	uint16		domain;
	uint16		whole;
	bool		office;			/* names no person */
	bool		provider;		/* names no company */
	char		chars[FLEXIBLE_ARRAY_MEMBER];
} EmailValue;

static const char *const providers[] = {
	"aim", "aol", "arcor", "bigpond", "bluewin", "btinternet", "centrum", "comcast",
	"email", "fastmail", "free", "freenet", "gmail", "gmx", "googlemail", "hotmail", "icloud",
	"inbox", "interia", "laposte", "libero", "live", "mac", "mail", "mailbox", "me", "msn", "neuf",
	"o2", "onet", "online", "orange", "outlook", "pm", "posteo", "proton", "protonmail",
	"qq", "rediffmail", "rocketmail", "seznam", "sfr", "sky", "tiscali", "t-online", "tutanota",
	"verizon", "virgilio", "wanadoo", "web", "wp", "yahoo", "yandex", "ymail", "zoho", "163", "126",
};

static const char *const offices[] = {
	"accounting", "accounts", "admin", "anfrage", "ap", "ar", "billing", "bookings", "buchhaltung",
	"buero", "buro", "careers", "commercial", "contact", "contacto", "customerservice", "einkauf", "email",
	"enquiries", "finance", "help", "helpdesk", "hello", "hr", "info", "information", "infos",
	"inquiries", "invoice", "invoices", "jobs", "kontakt", "mail", "marketing", "no", "noreply",
	"office", "order", "orders", "post", "postmaster", "purchasing", "rechnung", "reception",
	"sales", "secretary", "service", "services", "shop", "support", "team", "ventas", "vertrieb",
	"verkauf", "web", "webmaster", "welcome",
};

static bool
is_in(const char *word, int len, const char *const *names, int count)
{
	if (len == 0)
		return false;
	for (int i = 0; i < count; i++)
		if (names[i][0] == word[0] && strncmp(names[i], word, len) == 0 && names[i][len] == '\0')
			return true;
	return false;
}

static bool
prepare_email(StringInfo out, const char *text, int len)
{
	EmailValue	value = {0};
	const char *whole = ssot_email_normal(text, len, false, false, &len);
	const char *at = NULL;
	char	   *bare;

	/* what is no address is compared as it is: it may be one with a slip */
	if (whole == NULL)
		whole = ssot_text_key(text, len, &len);
	if (whole == NULL)
		return false;
	for (int i = 0; i < len; i++)
		if (whole[i] == '@')
			at = whole + i;
	if (at == NULL)
		at = whole + len;
	bare = palloc(len + 1);
	for (const char *p = whole; p < at && *p != '+'; p++)
		if ((unsigned char) *p >= 0x80 || ssot_ascii_is_alnum((unsigned char) *p))
			bare[value.local++] = ssot_ascii_lower(*p);
	if (value.local == 0)
	{
		memcpy(bare, whole, at - whole);
		value.local = at - whole;
	}
	value.whole = len;
	value.local_hash = ssot_hash_text(bare, value.local);
	value.office = is_in(bare, value.local, offices, lengthof(offices));
	if (at < whole + len)
	{
		const char *domain = at + 1;
		const char *dot = memchr(domain, '.', whole + len - domain);

		value.domain = whole + len - domain;
		value.domain_hash = ssot_hash_text(domain, value.domain);
		value.provider = is_in(domain, dot ? dot - domain : value.domain,
							   providers, lengthof(providers));
	}
	appendBinaryStringInfo(out, (char *) &value, offsetof(EmailValue, chars));
	appendBinaryStringInfo(out, bare, value.local);
	appendBinaryStringInfo(out, whole, len);
	return true;
}

/* Domains of companies, and local parts, are what may be agreed on. */
static void
tokens_email(const void *data, void (*note) (uint64 token, void *arg), void *arg)
{
	const EmailValue *value = data;

	note(value->local_hash, arg);
	if (value->domain > 0 && !value->provider && value->domain_hash != value->local_hash)
		note(value->domain_hash, arg);
}

static const char *
whole_address(const EmailValue *value)
{
	return value->chars + value->local;
}

static int
level_email(const void *left, const void *right)
{
	const EmailValue *a = left;
	const EmailValue *b = right;
	bool		same_domain = a->domain_hash == b->domain_hash && a->domain > 0 && b->domain > 0;
	bool		same_local = a->local_hash == b->local_hash && a->local == b->local;

	if (same_local && same_domain)
		return VARIANT;
	if (ssot_damerau_bytes(whole_address(a), Min(a->whole, MAX_COMPARED),
						   whole_address(b), Min(b->whole, MAX_COMPARED), 2) <=
		(Min(a->local, b->local) >= 6 ? 2 : 1))
	{
		/*
		 * on a company's domain a short local part that differs is a
		 * colleague
		 */
		if (!same_domain || a->provider || Min(a->local, b->local) >= 6)
			return ALIKE;
	}
	if (same_local && !a->office && a->local >= 5)
		return SAME_NAME;
	if (same_domain && !a->provider)
		return SAME_DOMAIN;
	return DIFFERENT;
}

static uint64
agreement_email(const void *left, const void *right, int level)
{
	const EmailValue *a = left;

	if (level == SAME_DOMAIN)
		return a->domain_hash;
	if (level == SAME_NAME || level == VARIANT)
		return a->local_hash;
	return 0;
}

/* ---- keys ----------------------------------------------------------------- */

enum
{
	KEY_ADDRESS,
	KEY_LOCAL,
	KEY_DOMAIN,
	KEY_BEGINNING
};

static const SsotKeyClass email_classes[] = {
	[KEY_ADDRESS] = {"address", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_LOCAL] = {"local part", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_DOMAIN] = {"company's domain", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_BEGINNING] = {"first four letters", SSOT_KEY_COMBINED},
};

static void
keys_email(const void *data, SsotValueKeys *keys)
{
	const EmailValue *value = data;

	ssot_add_key(keys, KEY_ADDRESS, ssot_hash_join(value->local_hash, value->domain_hash));
	if (!value->office && value->local >= 4)
		ssot_add_key(keys, KEY_LOCAL, value->local_hash);
	if (value->domain > 0 && !value->provider)
		ssot_add_key(keys, KEY_DOMAIN, value->domain_hash);
	if (!value->office)
		ssot_add_key(keys, KEY_BEGINNING, ssot_hash_text(value->chars, Min(value->local, 4)));
}

const SsotKind ssot_kind_email = {
	.name = "email",
	.description = "e-mail addresses: local part and domain, mail providers and offices told apart, slips",
	.nlevels = EQUAL,
	.levels = (const char *const[]) {"different", "same company's domain", "same local part",
	"a slip apart", "equal but for dots or tag", "equal"},
	.shares = (const double[]) {0.15, 0.08, 0.04, 0.06, 0.02, 0.65},
	.flags = SSOT_KIND_FREQUENCY,
	.cost = 3,
	.nclasses = lengthof(email_classes),
	.classes = email_classes,
	.prepare = prepare_email,
	.tokens = tokens_email,
	.keys = keys_email,
	.level = level_email,
	.agreement = agreement_email,
};
