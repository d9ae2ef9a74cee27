/*
 * identity/kind_number.c
 *		Numbers: how far apart, in proportion.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"

#include <math.h>

/* Prepared: the number. */

static bool
prepare_number(StringInfo out, const char *text, int len)
{
	char		buffer[64];
	char	   *end;
	double		number;

	while (len > 0 && isspace((unsigned char) *text))
	{
		text++;
		len--;
	}
	while (len > 0 && isspace((unsigned char) text[len - 1]))
		len--;
	if (len == 0 || len >= sizeof(buffer))
		return false;
	memcpy(buffer, text, len);
	buffer[len] = '\0';
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
