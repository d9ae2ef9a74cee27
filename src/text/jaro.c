/*
 * jaro.c
 *		Jaro's and Winkler's similarity of names.
 *
 * Two characters match if they are equal and no further apart than half the
 * longer string, less one. With m matches, of which t pairs stand in another
 * order, Jaro's similarity is (m/|a| + m/|b| + (m - t)/m) / 3, where t is half
 * the number of places at which the two sequences of matched characters differ,
 * rounded down (as in Winkler's own program).
 *
 * Matching is greedy: each character of b, from the left, takes the first free
 * one of a within reach. Up to 64 characters, "the first free one within reach"
 * is the lowest bit of three words combined. For longer strings it is used that
 * the greedy choice concerns each character of the alphabet by itself: its
 * places in a and in b, both ascending, are paired by two fingers, of which the
 * one that is too far behind moves on. That also shows why the measure is
 * symmetric, and costs the sorting of places instead of the product of lengths.
 *
 * M. A. Jaro, "Advances in record-linkage methodology as applied to matching the
 * 1985 census of Tampa, Florida", JASA 84 (1989). W. E. Winkler, "String
 * comparator metrics and enhanced decision rules in the Fellegi-Sunter model of
 * record linkage", Proc. Section on Survey Research, ASA (1990).
 */
#include "postgres.h"

#include "ssot.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"

#include "text/masks.h"
#include "text/similarity.h"

#define WINKLER_PREFIX		4
#define WINKLER_SCALE		0.1
#define WINKLER_THRESHOLD	0.7

/* matches > 0; "astray": places at which the matched sequences differ. */
static inline double
jaro_value(int alen, int blen, int matches, int astray)
{
	double		m = matches;

	return (m / alen + m / blen + (m - astray / 2) / m) / 3.0;
}

/* Both of 1 to 64 characters. */
static pg_attribute_always_inline double
jaro_word(const void *a, int alen, const void *b, int blen, bool wide)
{
	int			reach = Max(alen, blen) / 2 - 1;
	uint64		window;
	uint64		a_used = 0;
	uint64		b_used = 0;
	int			matches = 0;
	int			astray = 0;

	if (reach < 0)
		reach = 0;
	build_masks(a, 0, alen, wide);
	window = (UINT64CONST(1) << (reach + 1)) - 1;
	for (int j = 0; j < blen; j++)
	{
		uint64		free = mask_of(char_at(b, j, wide), wide) & window & ~a_used;
		uint64		hit = free != 0;

		a_used |= free & -free;
		b_used |= hit << j;
		matches += hit;
		window = (window << 1) | (j < reach);
	}
	for (; b_used != 0; b_used &= b_used - 1, a_used &= a_used - 1)
	{
		uint32		c = char_at(b, pg_rightmost_one_pos64(b_used), wide);

		astray += (mask_of(c, wide) & a_used & -a_used) == 0;
	}
	clear_masks(a, 0, alen, wide);
	return matches == 0 ? 0.0 : jaro_value(alen, blen, matches, astray);
}

/* ---- longer strings ------------------------------------------------------- */

static int
compare_places(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

/* Characters with their places, by character, then place. */
static uint64 *
sorted_places(const SsotChars *s)
{
	uint64	   *places = palloc(sizeof(uint64) * s->length);

	for (int i = 0; i < s->length; i++)
		places[i] = (uint64) char_at(s->data, i, s->wide) << 32 | i;
	qsort(places, s->length, sizeof(uint64), compare_places);
	return places;
}

static double
jaro_long(const SsotChars *a, const SsotChars *b)
{
	int			reach = Max(a->length, b->length) / 2 - 1;
	uint64	   *pa = sorted_places(a);
	uint64	   *pb = sorted_places(b);
	bool	   *a_used = palloc0(a->length);
	bool	   *b_used = palloc0(b->length);
	int			matches = 0;
	int			astray = 0;

	CHECK_FOR_INTERRUPTS();
	for (int i = 0, j = 0; i < a->length && j < b->length;)
	{
		uint32		ca = pa[i] >> 32;
		uint32		cb = pb[j] >> 32;
		int			apart = (int) (uint32) pa[i] - (int) (uint32) pb[j];

		if (ca < cb || (ca == cb && apart < -reach))
			i++;
		else if (ca > cb || apart > reach)
			j++;
		else
		{
			a_used[(uint32) pa[i++]] = true;
			b_used[(uint32) pb[j++]] = true;
			matches++;
		}
	}
	for (int i = 0, j = 0; i < a->length; i++)
	{
		if (!a_used[i])
			continue;
		while (!b_used[j])
			j++;
		astray += char_at(a->data, i, a->wide) != char_at(b->data, j++, b->wide);
	}
	pfree(pa);
	pfree(pb);
	pfree(a_used);
	pfree(b_used);
	return matches == 0 ? 0.0 : jaro_value(a->length, b->length, matches, astray);
}

/* ---- what is called ------------------------------------------------------- */

double
ssot_jaro(const SsotChars *a, const SsotChars *b)
{
	uint32		buffer[SSOT_WORD_BITS];
	SsotChars	x = *a;
	SsotChars	y = *b;

	if (x.length == 0 || y.length == 0)
		return x.length == y.length ? 1.0 : 0.0;
	if (x.length > SSOT_WORD_BITS || y.length > SSOT_WORD_BITS)
		return jaro_long(&x, &y);
	ssot_same_width(&x, &y, buffer, lengthof(buffer));
	if (x.wide)
		return jaro_word(x.data, x.length, y.data, y.length, true);
	return jaro_word(x.data, x.length, y.data, y.length, false);
}

static inline double
winkler_value(double jaro, int prefix)
{
	return jaro > WINKLER_THRESHOLD ? jaro + prefix * WINKLER_SCALE * (1.0 - jaro) : jaro;
}

double
ssot_jaro_winkler(const SsotChars *a, const SsotChars *b)
{
	double		jaro = ssot_jaro(a, b);
	int			most = Min(WINKLER_PREFIX, Min(a->length, b->length));
	int			prefix = 0;

	while (prefix < most &&
		   char_at(a->data, prefix, a->wide) == char_at(b->data, prefix, b->wide))
		prefix++;
	return winkler_value(jaro, prefix);
}

double
ssot_jaro_winkler_bytes(const char *a, int alen, const char *b, int blen)
{
	int			most = Min(WINKLER_PREFIX, Min(alen, blen));
	int			prefix = 0;
	double		jaro;

	if (alen == 0 || blen == 0)
		return alen == blen ? 1.0 : 0.0;
	if (alen <= SSOT_WORD_BITS && blen <= SSOT_WORD_BITS)
		jaro = jaro_word(a, alen, b, blen, false);
	else
	{
		SsotChars	x = ssot_chars_from_bytes(a, alen);
		SsotChars	y = ssot_chars_from_bytes(b, blen);

		jaro = jaro_long(&x, &y);
	}
	while (prefix < most && a[prefix] == b[prefix])
		prefix++;
	return winkler_value(jaro, prefix);
}
