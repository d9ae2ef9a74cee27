/*
 * edit_distance.c
 *		How many edits lie between two strings.
 *
 * The table of dynamic programming (rows: the pattern, columns: the other
 * string) is computed a column at a time with 64 rows in one word, of which only
 * the differences between neighbouring cells are kept (Myers 1999, in the form
 * of Hyyrö 2003, who also gives the term for exchanged neighbours).
 *
 * A pattern of more than 64 characters is cut into strips of 64 rows, computed
 * one after the other over all columns. What a strip must know of the one above
 * it is the difference along its last row at each column (one byte per column),
 * so memory grows with the length of one string, and masks are needed for 64
 * characters at a time, whatever the alphabet. The bound is tested at the lower
 * edge of every strip, and column by column in the last one.
 *
 * Common beginnings and ends are taken off first: they change no distance, and
 * names that are compared often have them.
 *
 * G. Myers, "A fast bit-vector algorithm for approximate string matching based
 * on dynamic programming", JACM 46 (1999). H. Hyyrö, "A bit-vector algorithm for
 * computing Levenshtein and Damerau edit distances", Nordic J. Computing 10
 * (2003); "Bit-parallel LCS-length computation revisited", AWOCA (2004).
 */
#include "postgres.h"

#include "ssot.h"

#include "miscadmin.h"

#include "text/masks.h"
#include "text/similarity.h"

uint64		ssot_byte_masks[256];
SsotWideMask ssot_wide_masks[WIDE_SLOTS];

/* What a strip hands down at a column. */
#define EDGE_UP			0x01	/* the cell is one more than that to its left */
#define EDGE_DOWN		0x02	/* one less */
#define EDGE_EXCHANGE	0x04	/* its last row may begin an exchange */

void
ssot_same_width(SsotChars *a, SsotChars *b, uint32 *buffer, int size)
{
	SsotChars  *narrow = a->wide ? b : a;
	uint32	   *wide = buffer;

	if (a->wide == b->wide)
		return;
	if (narrow->length > size)
		wide = palloc(sizeof(uint32) * narrow->length);
	for (int i = 0; i < narrow->length; i++)
		wide[i] = ((const unsigned char *) narrow->data)[i];
	narrow->data = wide;
	narrow->wide = true;
}

/*
 * One strip: pattern[from .. from + n) over all of b. "edges" holds what the
 * strip above handed down and is overwritten with what this one does; NULL: it
 * is the only one. The distance at the lower left corner is from + n. Returns
 * the distance at the lower right corner, or PG_INT32_MAX as soon as no column can
 * lead to a distance of at most max.
 */
static pg_attribute_always_inline int
edit_strip(const void *pattern, int from, int n, int below, const void *b, int blen,
		   uint8 *edges, int max, bool wide, bool exchange)
{
	uint64		last = UINT64CONST(1) << (n - 1);
	uint64		up = ~UINT64CONST(0);	/* rows one more than the row above */
	uint64		down = 0;		/* one less */
	uint64		diagonal = ~UINT64CONST(0); /* equal to the upper left */
	uint64		previous = 0;	/* mask of the column before */
	int			score = from + n;
	int			best = PG_INT32_MAX;	/* what a column leads to, at least */

	build_masks(pattern, from, n, wide);
	for (int j = 0; j < blen; j++)
	{
		uint64		equal = mask_of(char_at(b, j, wide), wide);
		uint64		in_up = edges ? (edges[j] & EDGE_UP) != 0 : 1;
		uint64		in_down = edges ? (edges[j] & EDGE_DOWN) != 0 : 0;
		uint64		x = equal | in_down;
		uint64		right_up;
		uint64		right_down;
		uint64		exchanged = 0;
		uint64		hand_down = 0;

		if (exchange)
		{
			uint64		begun = ~diagonal & equal;

			exchanged = (begun << 1) & previous;
			if (edges)
			{
				exchanged |= ((edges[j] & EDGE_EXCHANGE) != 0) & previous;
				hand_down = (begun & last) != 0;
			}
			previous = equal;
		}
		diagonal = (((x & up) + up) ^ up) | x | down | exchanged;
		right_up = down | ~(diagonal | up);
		right_down = diagonal & up;
		score += (right_up & last) != 0;
		score -= (right_down & last) != 0;
		if (edges)
			edges[j] = ((right_up & last) ? EDGE_UP : 0) |
				((right_down & last) ? EDGE_DOWN : 0) |
				(hand_down ? EDGE_EXCHANGE : 0);
		right_up = (right_up << 1) | in_up;
		right_down = (right_down << 1) | in_down;
		up = right_down | ~(diagonal | right_up);
		down = right_up & diagonal;

		if (below == 0)
		{
			/* the last strip: each further column takes away one at most */
			if (score - (blen - 1 - j) > max)
			{
				score = PG_INT32_MAX;
				break;
			}
		}
		else
			best = Min(best, score + abs(below - (blen - 1 - j)));
	}
	clear_masks(pattern, from, n, wide);

	/* column 0 leads on too */
	if (below > 0 && Min(best, from + n + abs(below - blen)) > max)
		return PG_INT32_MAX;
	return score;
}

static pg_attribute_always_inline int
edit_strips(const void *pattern, int plen, const void *b, int blen, int max,
			bool wide, bool exchange)
{
	uint8	   *edges;
	int			score = 0;

	if (plen <= SSOT_WORD_BITS)
		return edit_strip(pattern, 0, plen, 0, b, blen, NULL, max, wide, exchange);
	edges = palloc(blen);
	memset(edges, EDGE_UP, blen);
	for (int from = 0; from < plen && score != PG_INT32_MAX; from += SSOT_WORD_BITS)
	{
		int			n = Min(SSOT_WORD_BITS, plen - from);

		CHECK_FOR_INTERRUPTS();
		score = edit_strip(pattern, from, n, plen - from - n, b, blen, edges, max,
						   wide, exchange);
	}
	pfree(edges);
	return score;
}

/* Take off what both begin with and end with; the shorter comes first. */
static pg_attribute_always_inline void
trim_common(const void **a, int *alen, const void **b, int *blen, bool wide)
{
	int			size = wide ? sizeof(uint32) : 1;
	int			common = 0;

	if (*alen > *blen)
	{
		const void *s = *a;
		int			n = *alen;

		*a = *b;
		*b = s;
		*alen = *blen;
		*blen = n;
	}
	while (*alen > 0 && char_at(*a, *alen - 1, wide) == char_at(*b, *blen - 1, wide))
	{
		(*alen)--;
		(*blen)--;
	}
	while (common < *alen && char_at(*a, common, wide) == char_at(*b, common, wide))
		common++;
	*a = (const char *) *a + (Size) common * size;
	*b = (const char *) *b + (Size) common * size;
	*alen -= common;
	*blen -= common;
}

static pg_attribute_always_inline int
edit_distance(const void *a, int alen, const void *b, int blen, int max,
			  bool wide, bool exchange)
{
	int			distance;

	trim_common(&a, &alen, &b, &blen, wide);
	if (blen - alen > max)
		return max + 1;
	if (alen == 0)
		return blen;
	if (max == 0)
		return 1;
	distance = edit_strips(a, alen, b, blen, max, wide, exchange);
	return distance > max ? max + 1 : distance;
}

static pg_attribute_always_inline int
chars_distance(const SsotChars *a, const SsotChars *b, int max, bool exchange)
{
	uint32		buffer[SSOT_WORD_BITS];
	SsotChars	x = *a;
	SsotChars	y = *b;

	ssot_same_width(&x, &y, buffer, lengthof(buffer));
	if (x.wide)
		return edit_distance(x.data, x.length, y.data, y.length, max, true, exchange);
	return edit_distance(x.data, x.length, y.data, y.length, max, false, exchange);
}

int
ssot_levenshtein(const SsotChars *a, const SsotChars *b, int max)
{
	return chars_distance(a, b, max, false);
}

int
ssot_levenshtein_bytes(const char *a, int alen, const char *b, int blen, int max)
{
	return edit_distance(a, alen, b, blen, max, false, false);
}

int
ssot_damerau(const SsotChars *a, const SsotChars *b, int max)
{
	return chars_distance(a, b, max, true);
}

int
ssot_damerau_bytes(const char *a, int alen, const char *b, int blen, int max)
{
	return edit_distance(a, alen, b, blen, max, false, true);
}

/* ---- the longest common subsequence --------------------------------------- */

/*
 * One strip of rows. A zero in "open" is a row at which the subsequence grows;
 * the carry of the addition goes down to the next strip.
 */
static pg_attribute_always_inline int
lcs_strip(const void *pattern, int from, int n, const void *b, int blen,
		  uint8 *carries, bool wide)
{
	uint64		rows = n == SSOT_WORD_BITS ? ~UINT64CONST(0) : (UINT64CONST(1) << n) - 1;
	uint64		open = ~UINT64CONST(0);
	int			length = 0;

	build_masks(pattern, from, n, wide);
	for (int j = 0; j < blen; j++)
	{
		uint64		match = open & mask_of(char_at(b, j, wide), wide);
		uint64		carry = carries ? carries[j] : 0;
		uint64		sum = open + match;
		uint64		over = sum < open;

		sum += carry;
		if (carries)
			carries[j] = over | (sum < carry);
		open = sum | (open - match);
	}
	clear_masks(pattern, from, n, wide);
	for (open = ~open & rows; open != 0; open &= open - 1)
		length++;
	return length;
}

static pg_attribute_always_inline int
lcs(const void *a, int alen, const void *b, int blen, bool wide)
{
	int			all = alen + blen;
	int			length = 0;
	uint8	   *carries = NULL;

	trim_common(&a, &alen, &b, &blen, wide);
	if (alen > SSOT_WORD_BITS)
		carries = palloc0(blen);
	for (int from = 0; from < alen; from += SSOT_WORD_BITS)
	{
		CHECK_FOR_INTERRUPTS();
		length += lcs_strip(a, from, Min(SSOT_WORD_BITS, alen - from), b, blen, carries, wide);
	}
	if (carries)
		pfree(carries);
	return length + (all - alen - blen) / 2;
}

int
ssot_lcs(const SsotChars *a, const SsotChars *b)
{
	uint32		buffer[SSOT_WORD_BITS];
	SsotChars	x = *a;
	SsotChars	y = *b;

	ssot_same_width(&x, &y, buffer, lengthof(buffer));
	if (x.wide)
		return lcs(x.data, x.length, y.data, y.length, true);
	return lcs(x.data, x.length, y.data, y.length, false);
}
