/*
 * identity/kind_number.c
 *		Numbers: how far apart, in proportion.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"
#include "text/chars.h"

#include <math.h>

/* Prepared: the number. */

/* A comma between digits of which three follow: "12,500.00". */
static bool
parts_thousands(const char *text, int len, int i)
{
	int			follow = 0;

	if (text[i] != ',' || i == 0 || !ssot_ascii_is_digit(text[i - 1]))
		return false;
	while (i + 1 + follow < len && ssot_ascii_is_digit(text[i + 1 + follow]))
		follow++;
	return follow == 3;
}

static bool
prepare_number(StringInfo out, const char *text, int len)
{
	char		buffer[64];
	char	   *end;
	double		number;
	int			used = 0;

	/* what stands around a number: "(1995),", "$ 12.50", "5 %" */
	while (len > 0 && !ssot_ascii_is_alnum(*text) && strchr("+-.", *text) == NULL)
	{
		text++;
		len--;
	}
	while (len > 0 && !ssot_ascii_is_alnum(text[len - 1]))
		len--;
	if (len == 0 || len >= sizeof(buffer))
		return false;
	for (int i = 0; i < len; i++)
		if (!parts_thousands(text, len, i))
			buffer[used++] = text[i];
	buffer[used] = '\0';
	number = strtod(buffer, &end);
	if (*end != '\0' || !isfinite(number))
		return false;
	if (number == 0)
		number = 0;				/* -0 is 0 */
	appendBinaryStringInfo(out, (char *) &number, sizeof(number));
	return true;
}

static void
keys_number(const void *value, SsotValueKeys *keys)
{
	ssot_add_key(keys, 0, ssot_hash_text(value, sizeof(double)));
}

static int
level_number(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;
	double		apart = fabs(x - y);
	double		size = Max(fabs(x), fabs(y));

	if (apart <= 0.01 * size)
		return 3;
	if (apart <= 0.1 * size)
		return 2;
	return SSOT_LEVEL_DIFFERENT;
}

static double
measure_number(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;
	double		size = Max(fabs(x), fabs(y));

	return size == 0 ? 1 : Max(0, 1 - fabs(x - y) / size);
}

static const SsotKeyClass number_classes[] = {
	{"number", SSOT_KEY_COMBINED},
};

const SsotKind ssot_kind_number = {
	.name = "number",
	.description = "numbers: within one per cent, within ten",
	.nlevels = 4,
	.levels = (const char *const[]) {"different", "within 10 %", "within 1 %", "equal"},
	.shares = (const double[]) {0.15, 0.07, 0.08, 0.7},
	.flags = SSOT_KIND_FREQUENCY | SSOT_KIND_MEASURE,
	.nclasses = lengthof(number_classes),
	.classes = number_classes,
	.prepare = prepare_number,
	.keys = keys_number,
	.level = level_number,
	.measure = measure_number,
	.measured = "similarity from 0 to 1: 0.99 is within 1 %",
};
