/*
 * identity/kind_phone.c
 *		Phone numbers, as people write them.
 *
 * "+49 30 1234567", "0049-30-1234567" and "(030) 1234567" are one number; which
 * country the last is of, a record rarely says. So numbers are compared from
 * their end, by which they are told apart within a town; what stands before may
 * be missing. A trunk zero and an extension are taken off.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"
#include "text/chars.h"
#include "text/similarity.h"

/* The levels. */
enum
{
	DIFFERENT = SSOT_LEVEL_DIFFERENT,
	SAME_ENDING,
	ALIKE,
	SAME_NUMBER,
	EQUAL
};

#define MAX_DIGITS		15
#define MIN_DIGITS		5
#define ENDING			7		/* digits that tell subscribers apart */

/* Prepared: the digits, without international prefix and trunk zeros. */
typedef struct PhoneValue
{
	uint8		length;
	char		digits[MAX_DIGITS];
} PhoneValue;

/* Does an extension begin here: "x12", "ext. 12", "#12"? */
static bool
begins_extension(const char *s, int len)
{
	return *s == 'x' || *s == 'X' || *s == '#' || *s == ';' ||
		(len > 2 && pg_strncasecmp(s, "ext", 3) == 0);
}

static bool
prepare_phone(StringInfo out, const char *text, int len)
{
	PhoneValue	value = {0};
	char		digits[SSOT_VALUE_MAX];
	int			n = 0;
	int			zeros = 0;

	for (int i = 0; i < Min(len, SSOT_VALUE_MAX); i++)
	{
		if (ssot_ascii_is_digit((unsigned char) text[i]))
			digits[n++] = text[i];
		else if (text[i] == '(' && i + 2 < len && text[i + 1] == '0' && text[i + 2] == ')' && n > 0)
			i += 2;				/* "+49 (0) 30": the trunk zero of another way
								 * to dial */
		else if (n >= MIN_DIGITS && begins_extension(text + i, len - i))
			break;
	}
	while (zeros < n && digits[zeros] == '0')
		zeros++;
	n -= zeros;
	if (n < MIN_DIGITS)
		return false;
	/* further digits are somebody's remark; the end is not where it was */
	value.length = Min(n, MAX_DIGITS);
	memcpy(value.digits, digits + zeros, value.length);
	appendBinaryStringInfo(out, (char *) &value, sizeof(value));
	return true;
}

static const char *
ending(const PhoneValue *value, int n)
{
	return value->digits + value->length - Min(n, value->length);
}

static uint64
ending_hash(const PhoneValue *value)
{
	return ssot_hash_text(ending(value, ENDING), Min(ENDING, value->length));
}

static void
tokens_phone(const void *value, void (*note) (uint64 token, void *arg), void *arg)
{
	note(ending_hash(value), arg);
}

static int
level_phone(const void *left, const void *right)
{
	const PhoneValue *a = left;
	const PhoneValue *b = right;
	int			shorter = Min(a->length, b->length);
	int			same = 0;

	while (same < shorter && a->digits[a->length - 1 - same] == b->digits[b->length - 1 - same])
		same++;
	if (same == shorter && same >= ENDING)
		return SAME_NUMBER;
	if (same >= 9)
		return SAME_NUMBER;
	if (shorter >= ENDING &&
		ssot_damerau_bytes(a->digits, a->length, b->digits, b->length, 1) <= 1)
		return ALIKE;
	/* a slip, and one with its prefix */
	if (shorter >= 8 && a->length != b->length &&
		ssot_damerau_bytes(ending(a, shorter), shorter, ending(b, shorter), shorter, 1) <= 1)
		return ALIKE;
	if (same >= ENDING)
		return SAME_ENDING;
	return DIFFERENT;
}

static uint64
agreement_phone(const void *a, const void *b, int level)
{
	return level == SAME_NUMBER || level == SAME_ENDING ? ending_hash(a) : 0;
}

/* ---- keys ----------------------------------------------------------------- */

enum
{
	KEY_ENDING,
	KEY_MIDDLE,
	KEY_BEGINNING,
	KEY_LAST
};

static const SsotKeyClass phone_classes[] = {
	[KEY_ENDING] = {"last seven digits", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_MIDDLE] = {"four digits before the last four", SSOT_KEY_COMBINED},
	[KEY_BEGINNING] = {"first seven digits", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_LAST] = {"last four digits", SSOT_KEY_COMBINED},
};

static void
keys_phone(const void *data, SsotValueKeys *keys)
{
	const PhoneValue *value = data;

	ssot_add_key(keys, KEY_ENDING, ending_hash(value));
	ssot_add_key(keys, KEY_LAST, ssot_hash_text(ending(value, 4), 4));
	if (value->length >= 8)
	{
		ssot_add_key(keys, KEY_MIDDLE, ssot_hash_text(ending(value, 8), 4));
		ssot_add_key(keys, KEY_BEGINNING, ssot_hash_text(value->digits, 7));
	}
}

const SsotKind ssot_kind_phone = {
	.name = "phone",
	.description = "phone numbers: prefixes may be missing, one digit off",
	.nlevels = EQUAL,
	.levels = (const char *const[]) {"different", "same last seven digits", "one digit off",
	"equal but for the prefix", "equal"},
	.shares = (const double[]) {0.15, 0.01, 0.05, 0.12, 0.67},
	.flags = SSOT_KIND_FREQUENCY,
	.cost = 2,
	.nclasses = lengthof(phone_classes),
	.classes = phone_classes,
	.prepare = prepare_phone,
	.tokens = tokens_phone,
	.keys = keys_phone,
	.level = level_phone,
	.agreement = agreement_phone,
};
