/*
 * phonetic.c
 *		Keys under which words stand that sound alike.
 *
 * Cologne phonetics (H. J. Postel, "Die Kölner Phonetik", IBM-Nachrichten 19,
 * 1969) was made for German names; as it keeps all consonants, joins d/t, f/v/w,
 * c/k/g/q, s/z and m/n, and drops vowels, it serves other European names as well.
 * Soundex (R. C. Russell, US patent 1,261,167, 1918) in the form of the US
 * National Archives: h and w do not part equal codes, vowels do.
 */
#include "postgres.h"

#include "ssot.h"

#include "text/chars.h"
#include "text/similarity.h"

static inline bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* The next letter at or after *at, which moves behind it; 0 if there is none. */
static char
next_letter(const char *word, int len, int *at)
{
	while (*at < len)
	{
		char		c = ssot_ascii_lower(word[(*at)++]);

		if (ssot_ascii_is_alpha((unsigned char) c))
			return c;
	}
	return '\0';
}

/*
 * The code of one letter between its neighbours (0 at an end): a digit, "48" as
 * 'x', or '-' for none.
 */
static char
cologne_code(char before, char c, char after)
{
	switch (c)
	{
		case 'b':
			return '1';
		case 'p':
			return after == 'h' ? '3' : '1';
		case 'd':
		case 't':
			return is_one_of(after, "csz") ? '8' : '2';
		case 'f':
		case 'v':
		case 'w':
			return '3';
		case 'g':
		case 'k':
		case 'q':
			return '4';
		case 'c':
			if (before == '\0')
				return is_one_of(after, "ahkloqrux") ? '4' : '8';
			if (is_one_of(before, "sz"))
				return '8';
			return is_one_of(after, "ahkoqux") ? '4' : '8';
		case 'x':
			return is_one_of(before, "ckq") ? '8' : 'x';
		case 'l':
			return '5';
		case 'm':
		case 'n':
			return '6';
		case 'r':
			return '7';
		case 's':
		case 'z':
			return '8';
		case 'h':
			return '-';
		default:
			return '0';			/* vowels, j, y */
	}
}

int
ssot_cologne(const char *word, int len, char *out, int size)
{
	int			at = 0;
	int			n = 0;
	char		before = '\0';
	char		c = next_letter(word, len, &at);
	char		last = '\0';	/* the last code, vowels included */

	while (c != '\0' && n < size)
	{
		char		after = next_letter(word, len, &at);
		char		code = cologne_code(before, c, after);
		const char *digits = code == 'x' ? "48" : (char[]) {code, '\0'};

		for (; code != '-' && *digits; digits++)
		{
			if (*digits != last && (*digits != '0' || n == 0) && n < size)
				out[n++] = *digits;
			last = *digits;
		}
		before = c;
		c = after;
	}
	return n;
}

int
ssot_soundex(const char *word, int len, char *out, int size)
{
	/* abcdefghijklmnopqrstuvwxyz */
	static const char codes[] = "01230120022455012623010202";
	int			at = 0;
	int			n = 0;
	char		c = next_letter(word, len, &at);
	char		last = '\0';

	size = Min(size, 4);
	if (c == '\0' || size == 0)
		return 0;
	out[n++] = c - 'a' + 'A';
	last = codes[c - 'a'];
	while (n < size && (c = next_letter(word, len, &at)) != '\0')
	{
		char		code = codes[c - 'a'];

		if (c == 'h' || c == 'w')
			continue;
		if (code != '0' && code != last)
			out[n++] = code;
		last = code;
	}
	while (n < size)
		out[n++] = '0';
	return n;
}
