/*
 * tokens.c
 *		How alike two strings are as sets of words.
 *
 * token_set: the words that both have, and those that only one has, give three
 * strings: common, common + rest of a, common + rest of b. The measure is that of
 * the most alike two of them, by insertions and deletions (1 - distance / sum of
 * the lengths). So "acme trading" and "trading acme berlin acme" are alike at 1:
 * one says no more than the other. It is for spotting candidates, not for
 * deciding.
 *
 * soft TF-IDF: cosine of the two vectors of weighted words, where a word meets
 * the most alike one of the other string, if that is alike enough. The original
 * looks from one string to the other; here both directions are taken and their
 * mean returned, which makes the measure symmetric. W. W. Cohen, P. Ravikumar,
 * S. E. Fienberg, "A comparison of string distance metrics for name-matching
 * tasks", IIWeb (2003).
 */
#include "postgres.h"

#include "ssot.h"

#include <math.h>

#include "miscadmin.h"

#include "text/chars.h"
#include "text/masks.h"
#include "text/similarity.h"

typedef struct Token
{
	SsotChars	chars;
	int			count;
	double		weight;			/* in the vector of its string */
} Token;

static int
compare_tokens(const void *a, const void *b)
{
	const SsotChars *x = &((const Token *) a)->chars;
	const SsotChars *y = &((const Token *) b)->chars;
	int			n = Min(x->length, y->length);

	if (!x->wide)
	{
		int			order = memcmp(x->data, y->data, n);

		return order != 0 ? order : x->length - y->length;
	}
	for (int i = 0; i < n; i++)
	{
		uint32		cx = char_at(x->data, i, true);
		uint32		cy = char_at(y->data, i, true);

		if (cx != cy)
			return cx < cy ? -1 : 1;
	}
	return x->length - y->length;
}

/* The distinct words of a string, in order of their characters, and how often. */
static Token *
make_tokens(const SsotChars *s, int *count)
{
	Token	   *tokens = palloc(sizeof(Token) * (s->length / 2 + 1));
	int			size = s->wide ? sizeof(uint32) : 1;
	int			n = 0;
	int			distinct = 0;

	for (int i = 0; i < s->length;)
	{
		int			start = i;

		while (i < s->length &&
			   ssot_char_class(char_at(s->data, i, s->wide)) != SSOT_CHAR_SPACE)
			i++;
		if (i > start)
		{
			tokens[n].chars.data = (const char *) s->data + (Size) start * size;
			tokens[n].chars.length = i - start;
			tokens[n].chars.wide = s->wide;
			tokens[n++].count = 1;
		}
		i++;
	}
	qsort(tokens, n, sizeof(Token), compare_tokens);
	for (int i = 0; i < n; i++)
	{
		if (distinct > 0 && compare_tokens(&tokens[distinct - 1], &tokens[i]) == 0)
			tokens[distinct - 1].count++;
		else
			tokens[distinct++] = tokens[i];
	}
	*count = distinct;
	return tokens;
}

/* Words joined by spaces. */
typedef struct Joined
{
	SsotChars	chars;
	char	   *end;
} Joined;

static Joined
joined_begin(int most, bool wide)
{
	Joined		joined;

	joined.end = palloc(Max(most, 1) * (wide ? sizeof(uint32) : 1));
	joined.chars.data = joined.end;
	joined.chars.length = 0;
	joined.chars.wide = wide;
	return joined;
}

static void
joined_add(Joined *joined, const Token *token)
{
	int			size = joined->chars.wide ? sizeof(uint32) : 1;

	if (joined->chars.length > 0)
	{
		if (joined->chars.wide)
			*(uint32 *) joined->end = ' ';
		else
			*joined->end = ' ';
		joined->end += size;
		joined->chars.length++;
	}
	memcpy(joined->end, token->chars.data, (Size) token->chars.length * size);
	joined->end += (Size) token->chars.length * size;
	joined->chars.length += token->chars.length;
}

double
ssot_token_set(const SsotChars *a, const SsotChars *b)
{
	SsotChars	x = *a;
	SsotChars	y = *b;
	Token	   *xt;
	Token	   *yt;
	int			nx;
	int			ny;
	int			common = 0;		/* length of the common words, joined */
	Joined		xrest;
	Joined		yrest;
	int			xlen;
	int			ylen;
	int			distance;
	double		best;

	ssot_same_width(&x, &y, NULL, 0);
	xt = make_tokens(&x, &nx);
	yt = make_tokens(&y, &ny);
	if (nx == 0 || ny == 0)
		return nx == ny ? 1.0 : 0.0;
	xrest = joined_begin(x.length, x.wide);
	yrest = joined_begin(y.length, y.wide);
	for (int i = 0, j = 0; i < nx || j < ny;)
	{
		int			order = i == nx ? 1 : j == ny ? -1 : compare_tokens(&xt[i], &yt[j]);

		if (order == 0)
			common += xt[i].chars.length + (common > 0);
		if (order < 0)
			joined_add(&xrest, &xt[i]);
		if (order > 0)
			joined_add(&yrest, &yt[j]);
		i += order <= 0;
		j += order >= 0;
	}
	xlen = xrest.chars.length;
	ylen = yrest.chars.length;
	if (common > 0 && (xlen == 0 || ylen == 0))
		return 1.0;

	distance = xlen + ylen - 2 * ssot_lcs(&xrest.chars, &yrest.chars);
	if (common == 0)
		return 1.0 - (double) distance / (xlen + ylen);
	best = 1.0 - (double) distance / (2 * (common + 1) + xlen + ylen);
	best = Max(best, 1.0 - (double) (1 + xlen) / (2 * common + 1 + xlen));
	return Max(best, 1.0 - (double) (1 + ylen) / (2 * common + 1 + ylen));
}

/* Give the words their weights in a vector of length 1; false if all are 0. */
static bool
weigh_tokens(Token *tokens, int count, SsotTokenWeight weight, void *arg)
{
	double		square = 0.0;

	for (int i = 0; i < count; i++)
	{
		double		w = weight(&tokens[i].chars, arg);

		tokens[i].weight = w > 0.0 ? w * log1p(tokens[i].count) : 0.0;
		square += tokens[i].weight * tokens[i].weight;
	}
	if (!(square > 0.0) || isinf(square))
		return false;
	for (int i = 0; i < count; i++)
		tokens[i].weight /= sqrt(square);
	return true;
}

/* What the words of one string find in the other. */
static double
find_alike(const Token *from, int nfrom, const Token *to, int nto, double threshold)
{
	double		sum = 0.0;

	for (int i = 0; i < nfrom; i++)
	{
		const Token *best;
		double		alike = 1.0;

		CHECK_FOR_INTERRUPTS();
		best = bsearch(&from[i], to, nto, sizeof(Token), compare_tokens);
		if (best == NULL)
		{
			alike = 0.0;
			for (int j = 0; j < nto; j++)
			{
				double		jw = ssot_jaro_winkler(&from[i].chars, &to[j].chars);

				if (jw >= threshold &&
					(jw > alike || (jw == alike && best && to[j].weight > best->weight)))
				{
					alike = jw;
					best = &to[j];
				}
			}
		}
		if (best != NULL)
			sum += from[i].weight * best->weight * alike;
	}
	return sum;
}

double
ssot_soft_tfidf(const SsotChars *a, const SsotChars *b, double threshold,
				SsotTokenWeight weight, void *arg)
{
	SsotChars	x = *a;
	SsotChars	y = *b;
	Token	   *xt;
	Token	   *yt;
	int			nx;
	int			ny;
	double		there;
	double		back;

	ssot_same_width(&x, &y, NULL, 0);
	xt = make_tokens(&x, &nx);
	yt = make_tokens(&y, &ny);
	if (nx == 0 || ny == 0)
		return nx == ny ? 1.0 : 0.0;
	if (!weigh_tokens(xt, nx, weight, arg) || !weigh_tokens(yt, ny, weight, arg))
		return 0.0;
	there = find_alike(xt, nx, yt, ny, threshold);
	back = find_alike(yt, ny, xt, nx, threshold);
	return Min(1.0, (there + back) / 2.0);
}
