/*
 * chars.h
 *		Which characters are white space, and which cannot be seen.
 *
 * ICU knows this too, but two callers may not ask it: ssot.is_email() is
 * IMMUTABLE and so may not depend on a library's version, and the test for
 * blank values runs once per value of a bulk load.  The table below is short,
 * fixed, and the same for every function of this room.
 */
#ifndef SSOT_TEXT_CHARS_H
#define SSOT_TEXT_CHARS_H

#include "postgres.h"

typedef enum SsotCharClass
{
	SSOT_CHAR_ORDINARY,
	SSOT_CHAR_SPACE,			/* white space and control characters */
	SSOT_CHAR_INVISIBLE,		/* zero width, soft hyphen, marks of direction */
	SSOT_CHAR_JOINER			/* U+200C and U+200D: invisible, but spelling
								 * in Persian and Indic scripts and in emoji */
} SsotCharClass;

#define SSOT_REPLACEMENT_CHAR	0xFFFD

static inline bool
ssot_ascii_is_alpha(unsigned char c)
{
	return (unsigned char) ((c | 0x20) - 'a') < 26;
}

static inline bool
ssot_ascii_is_upper(unsigned char c)
{
	return (unsigned char) (c - 'A') < 26;
}

static inline bool
ssot_ascii_is_digit(unsigned char c)
{
	return (unsigned char) (c - '0') < 10;
}

static inline bool
ssot_ascii_is_alnum(unsigned char c)
{
	return ssot_ascii_is_alpha(c) || ssot_ascii_is_digit(c);
}

static inline char
ssot_ascii_lower(char c)
{
	return ssot_ascii_is_upper((unsigned char) c) ? (char) (c | 0x20) : c;
}

/* Are all bytes below 128?  Eight at a time. */
static inline bool
ssot_is_ascii(const char *s, int len)
{
	uint64		seen = 0;
	int			i = 0;

	for (; i + 8 <= len; i += 8)
	{
		uint64		chunk;

		memcpy(&chunk, s + i, 8);
		seen |= chunk;
	}
	for (; i < len; i++)
		seen |= (unsigned char) s[i];
	return (seen & UINT64CONST(0x8080808080808080)) == 0;
}

/*
 * Decode one UTF-8 character of s[0 .. len), len > 0, and set its length.
 *
 * Bytes that are not UTF-8 give U+FFFD and length 1, so that a caller always
 * goes forward and never reads past the end.
 */
static inline uint32
ssot_utf8_decode(const char *s, int len, int *charlen)
{
	const unsigned char *p = (const unsigned char *) s;
	uint32		cp;
	int			n;

	*charlen = 1;
	if (p[0] < 0x80)
		return p[0];
	if (p[0] >= 0xC2 && p[0] < 0xE0)
	{
		n = 2;
		cp = p[0] & 0x1F;
	}
	else if (p[0] >= 0xE0 && p[0] < 0xF0)
	{
		n = 3;
		cp = p[0] & 0x0F;
	}
	else if (p[0] >= 0xF0 && p[0] < 0xF5)
	{
		n = 4;
		cp = p[0] & 0x07;
	}
	else
		return SSOT_REPLACEMENT_CHAR;
	if (n > len)
		return SSOT_REPLACEMENT_CHAR;
	for (int i = 1; i < n; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return SSOT_REPLACEMENT_CHAR;
		cp = (cp << 6) | (p[i] & 0x3F);
	}
	if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000) ||
		(n == 3 && cp < 0x800) || (n == 4 && cp < 0x10000))
		return SSOT_REPLACEMENT_CHAR;
	*charlen = n;
	return cp;
}

static inline SsotCharClass
ssot_char_class(uint32 cp)
{
	if (cp <= 0x20 || cp == 0x7F)
		return SSOT_CHAR_SPACE;
	if (cp < 0x7F)
		return SSOT_CHAR_ORDINARY;
	if (cp <= 0xA0)
		return SSOT_CHAR_SPACE; /* C1 controls and no-break space */
	if (cp == 0xAD || cp == 0x061C)
		return SSOT_CHAR_INVISIBLE; /* soft hyphen, Arabic letter mark */
	if (cp < 0x1680)
		return SSOT_CHAR_ORDINARY;
	if (cp == 0x1680)
		return SSOT_CHAR_SPACE; /* Ogham space */
	if (cp == 0x180E)
		return SSOT_CHAR_INVISIBLE; /* Mongolian vowel separator */
	if (cp < 0x2000)
		return SSOT_CHAR_ORDINARY;
	if (cp <= 0x200A)
		return SSOT_CHAR_SPACE; /* the typographic spaces */
	if (cp == 0x200C || cp == 0x200D)
		return SSOT_CHAR_JOINER;
	if (cp <= 0x200F)
		return SSOT_CHAR_INVISIBLE; /* zero width space, direction marks */
	if (cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F)
		return SSOT_CHAR_SPACE; /* line and paragraph separators, narrow and
								 * mathematical spaces */
	if (cp >= 0x202A && cp <= 0x202E)
		return SSOT_CHAR_INVISIBLE; /* embeddings and overrides */
	if (cp >= 0x2060 && cp <= 0x206F)
		return SSOT_CHAR_INVISIBLE; /* word joiner, invisible operators,
									 * isolates */
	if (cp == 0x2800 || cp == 0x3000)
		return SSOT_CHAR_SPACE; /* blank Braille cell, ideographic space */
	if (cp == 0x3164 || cp == 0xFFA0)
		return SSOT_CHAR_INVISIBLE; /* Hangul fillers, typed to look empty */
	if (cp == 0xFEFF || (cp >= 0xFFF9 && cp <= 0xFFFB))
		return SSOT_CHAR_INVISIBLE; /* byte order mark, annotations */
	return SSOT_CHAR_ORDINARY;
}

#endif							/* SSOT_TEXT_CHARS_H */
