/*
 * masks.h
 *		Where in a pattern each character stands, as bits of one word.
 *
 * What bit-parallel comparison begins with: for a pattern of up to 64
 * characters, bit i of the mask of character c is set where pattern[i] is c.
 *
 * Bytes have a table of 256 masks, which is all zero between uses: it costs as
 * many stores as the pattern is long to fill and to empty, where a fresh table
 * would cost 256. Code points have a small hash table, emptied before each use.
 *
 * For inclusion by the files of this room that compare; the functions are
 * inlined with a constant "wide", so that each comes to exist once per width.
 * Nothing that may raise an error stands between build and clear.
 */
#ifndef SSOT_TEXT_MASKS_H
#define SSOT_TEXT_MASKS_H

#include "postgres.h"

#include "text/similarity.h"

#define SSOT_WORD_BITS	64

#define WIDE_SLOTS		128		/* twice the characters of a pattern */

typedef struct SsotWideMask
{
	uint32		c;
	uint64		mask;			/* 0: free */
} SsotWideMask;

extern uint64 ssot_byte_masks[256];
extern SsotWideMask ssot_wide_masks[WIDE_SLOTS];

static pg_attribute_always_inline uint32
char_at(const void *s, int i, bool wide)
{
	return wide ? ((const uint32 *) s)[i] : ((const unsigned char *) s)[i];
}

static inline SsotWideMask *
wide_slot(uint32 c)
{
	uint32		i = (c * (uint32) 0x9E3779B1) >> 25;

	while (ssot_wide_masks[i].mask != 0 && ssot_wide_masks[i].c != c)
		i = (i + 1) % WIDE_SLOTS;
	return &ssot_wide_masks[i];
}

static pg_attribute_always_inline uint64
mask_of(uint32 c, bool wide)
{
	return wide ? wide_slot(c)->mask : ssot_byte_masks[c];
}

/* Masks of pattern[from .. from + n), n <= 64. */
static pg_attribute_always_inline void
build_masks(const void *pattern, int from, int n, bool wide)
{
	uint64		bit = 1;

	if (wide)
		memset(ssot_wide_masks, 0, sizeof(ssot_wide_masks));
	for (int i = 0; i < n; i++, bit <<= 1)
	{
		uint32		c = char_at(pattern, from + i, wide);

		if (wide)
		{
			SsotWideMask *slot = wide_slot(c);

			slot->c = c;
			slot->mask |= bit;
		}
		else
			ssot_byte_masks[c] |= bit;
	}
}

static pg_attribute_always_inline void
clear_masks(const void *pattern, int from, int n, bool wide)
{
	if (wide)
		return;
	for (int i = 0; i < n; i++)
		ssot_byte_masks[char_at(pattern, from + i, wide)] = 0;
}

/*
 * Both strings in the same width: the narrow one of a mixed pair is copied into
 * "buffer" if it fits, else into the current context.
 */
extern void ssot_same_width(SsotChars *a, SsotChars *b, uint32 *buffer, int size);

#endif							/* SSOT_TEXT_MASKS_H */
