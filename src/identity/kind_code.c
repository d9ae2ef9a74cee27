/*
 * identity/kind_code.c
 *		Values that are codes: exact, postcode, code, identifier.
 *
 * A code has no parts that mean anything by themselves, so what is compared is
 * its letters and digits. A postcode's beginning names an area; an identifier
 * (a tax number, an LEI) names one thing, so two records with different ones are
 * two things, unless the difference looks like a slip of the keyboard. A code that
 * names one thing without being that reliable (a number that people write down) is
 * compared likewise, but what a difference says is learnt.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"

#include "text/chars.h"
#include "text/normalize.h"
#include "text/similarity.h"

/* Codes are longer only by mistake; the rest of such a text counts for equality. */
#define COMPARED_LENGTH	64

/* Prepared: the text, its characters only, ending where the block ends. */
typedef struct CodeValue
{
	int32		length;
	char		text[FLEXIBLE_ARRAY_MEMBER];
} CodeValue;

static bool
append_value(StringInfo out, const char *text, int len)
{
	int32		length = len;

	if (len == 0)
		return false;
	appendBinaryStringInfo(out, (char *) &length, sizeof(length));
	appendBinaryStringInfo(out, text, len);
	return true;
}

/* ---- exact --------------------------------------------------------------- */

static bool
prepare_exact(StringInfo out, const char *text, int len)
{
	const char *key = ssot_text_key(text, len, &len);

	return key != NULL && append_value(out, key, len);
}

static void
keys_exact(const void *value, SsotValueKeys *keys)
{
	const CodeValue *code = value;

	ssot_add_key(keys, 0, ssot_hash_text(code->text, code->length));
}

static int
level_exact(const void *a, const void *b)
{
	return SSOT_LEVEL_DIFFERENT;	/* equal values are not asked about */
}

static const SsotKeyClass exact_classes[] = {
	{"value", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
};

const SsotKind ssot_kind_exact = {
	.name = "exact",
	.description = "equal but for case, accents and spaces, or different",
	.nlevels = 2,
	.levels = (const char *const[]) {"different", "equal"},
	.shares = (const double[]) {0.15, 0.85},
	.flags = SSOT_KIND_FREQUENCY,
	.nclasses = lengthof(exact_classes),
	.classes = exact_classes,
	.prepare = prepare_exact,
	.keys = keys_exact,
	.level = level_exact,
};

/* ---- letters and digits -------------------------------------------------- */

static bool
prepare_code(StringInfo out, const char *text, int len)
{
	const char *key = ssot_text_key(text, len, &len);
	char	   *bare;
	int			n = 0;

	if (key == NULL)
		return false;
	bare = palloc(len + 1);
	for (int i = 0; i < len; i++)
		if ((unsigned char) key[i] >= 0x80 || ssot_ascii_is_alnum(key[i]))
			bare[n++] = key[i];
	return append_value(out, bare, n);
}

static int
compared_length(const CodeValue *code)
{
	return Min(code->length, COMPARED_LENGTH);
}

static int
edits(const CodeValue *a, const CodeValue *b, int most)
{
	return ssot_damerau_bytes(a->text, compared_length(a), b->text, compared_length(b), most);
}

/* ---- postcode ------------------------------------------------------------ */

/*
 * How much of a postcode names the area: half of it, at least two characters
 * (D-10115: 10; SW1A 1AA: sw1; 02139: 02).
 */
static int
area_length(const CodeValue *code)
{
	return Min(code->length, Max(2, code->length / 2));
}

static void
keys_postcode(const void *value, SsotValueKeys *keys)
{
	const CodeValue *code = value;

	ssot_add_key(keys, 0, ssot_hash_text(code->text, code->length));
	ssot_add_key(keys, 1, ssot_hash_text(code->text, area_length(code)));
}

static int
level_postcode(const void *a, const void *b)
{
	const CodeValue *left = a;
	const CodeValue *right = b;
	int			area = area_length(left);

	if (edits(left, right, 1) <= 1)
		return 3;
	if (area == area_length(right) && memcmp(left->text, right->text, area) == 0)
		return 2;
	return SSOT_LEVEL_DIFFERENT;
}

static const SsotKeyClass postcode_classes[] = {
	{"postcode", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	{"area", SSOT_KEY_COMBINED},
};

const SsotKind ssot_kind_postcode = {
	.name = "postcode",
	.description = "postal codes: one character off, or the same area",
	.nlevels = 4,
	.levels = (const char *const[]) {"different", "same area", "one character off", "equal"},
	.shares = (const double[]) {0.1, 0.05, 0.07, 0.78},
	.flags = SSOT_KIND_FREQUENCY | SSOT_KIND_MEASURE,
	.nclasses = lengthof(postcode_classes),
	.classes = postcode_classes,
	.prepare = prepare_code,
	.keys = keys_postcode,
	.level = level_postcode,
};

/* ---- identifier ---------------------------------------------------------- */

static void
keys_identifier(const void *value, SsotValueKeys *keys)
{
	const CodeValue *code = value;
	int			half = code->length / 2;

	ssot_add_key(keys, 0, ssot_hash_text(code->text, code->length));
	if (half >= 3)
	{
		ssot_add_key(keys, 1, ssot_hash_text(code->text, half));
		ssot_add_key(keys, 2, ssot_hash_text(code->text + half, code->length - half));
	}
}

/* Short ones are too close to each other by chance for a slip to be likely. */
static int
level_identifier(const void *a, const void *b)
{
	const CodeValue *left = a;
	const CodeValue *right = b;
	int			shorter = Min(left->length, right->length);
	int			most = shorter < 5 ? 0 : shorter < 7 ? 1 : 2;
	int			found = most == 0 ? 1 : edits(left, right, most);

	if (found > most)
		return SSOT_LEVEL_DIFFERENT;
	return found == 1 ? 3 : 2;
}

static const SsotKeyClass identifier_classes[] = {
	{"identifier", SSOT_KEY_ALONE},
	{"first half", SSOT_KEY_COMBINED},
	{"second half", SSOT_KEY_COMBINED},
};

const SsotKind ssot_kind_code = {
	.name = "code",
	.description = "numbers and codes of one thing: letters and digits, one or two off",
	.nlevels = 4,
	.levels = (const char *const[]) {"different", "two characters off", "one character off", "equal"},
	.shares = (const double[]) {0.10, 0.02, 0.06, 0.82},
	.flags = SSOT_KIND_FREQUENCY,
	.nclasses = lengthof(identifier_classes),
	.classes = identifier_classes,
	.prepare = prepare_code,
	.keys = keys_identifier,
	.level = level_identifier,
};

const SsotKind ssot_kind_identifier = {
	.name = "identifier",
	.description = "names one thing: nearly decisive when equal, forbids a match when different",
	.nlevels = 4,
	.levels = (const char *const[]) {"different", "two characters off", "one character off", "equal"},
	.shares = (const double[]) {0.005, 0.015, 0.06, 0.92},
	.flags = SSOT_KIND_VETO,
	.nclasses = lengthof(identifier_classes),
	.classes = identifier_classes,
	.prepare = prepare_code,
	.keys = keys_identifier,
	.level = level_identifier,
};
