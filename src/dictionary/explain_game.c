/*
 * dictionary/explain_game.c
 *		Dividing a difference among its causes.
 *
 * The four axes (definition, timing, hierarchy, quality) turn from the left's to
 * the right's one after the other, and each turn changes the number. A bridge
 * takes one order. Shapley's value (L. S. Shapley, "A value for n-person games",
 * 1953) is the mean over all orders, so no axis gains by going first: what an axis
 * adds to a set S of axes that turned before counts |S|! (n - |S| - 1)! / n! times.
 *
 * An axis may have several causes (the fields that differ, records that one side
 * lacks). Each has its own share of every turn of the axis, and is weighed alike.
 *
 * Example with definition and quality: v(LL) = 100, v(RL) = 70, v(LR) = 90,
 * v(RR) = 65. Bridge: definition 70 - 100 = -30, quality 65 - 70 = -5. Shapley:
 * definition ((70 - 100) + (65 - 90)) / 2 = -27.5, quality ((90 - 100) + (65 - 70)) / 2
 * = -7.5. Both add up to -35.
 *
 * Shares are kept as whole multiples of 1/24 until the end, so nothing is lost.
 * They are then cut to the unit's decimals, and what is missing to the total goes,
 * one last digit each, to those that lost most (largest remainder). Cutting is
 * towards zero and ties are broken by an order that does not know left from right,
 * so swapping the sides negates every share.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/explain.h"

#include "utils/builtins.h"

/* ---- numbers -------------------------------------------------------------- */

static Numeric
number(int64 value)
{
	return int64_to_numeric(value);
}

static Numeric
call2(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a), NumericGetDatum(b)));
}

static Numeric
or_zero(Numeric a)
{
	return a == NULL ? number(0) : a;
}

Numeric
ssot_add(Numeric a, Numeric b)
{
	return call2(numeric_add, or_zero(a), or_zero(b));
}

Numeric
ssot_subtract(Numeric a, Numeric b)
{
	return call2(numeric_sub, or_zero(a), or_zero(b));
}

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

bool
ssot_is_zero(Numeric a)
{
	return a == NULL || compare(a, number(0)) == 0;
}

bool
ssot_is_negative(Numeric a)
{
	return a != NULL && compare(a, number(0)) < 0;
}

static Numeric
size_of(Numeric a)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_abs, NumericGetDatum(or_zero(a))));
}

int
ssot_compare_sizes(Numeric a, Numeric b)
{
	return compare(size_of(a), size_of(b));
}

int
ssot_scale(Numeric a)
{
	if (a == NULL)
		return 0;
	return DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(a)));
}

static Numeric
multiply(Numeric a, int64 b)
{
	return call2(numeric_mul, a, number(b));
}

/* ---- orders --------------------------------------------------------------- */

#define BIT(axis)	(1 << (axis))
#define TIED_BITS	(BIT(SSOT_TIMING) | BIT(SSOT_QUALITY))

/* Axes that turn together with this one. */
static int
turns_with(const SsotGame *game, SsotAxis axis)
{
	if (game->tied && (BIT(axis) & TIED_BITS))
		return TIED_BITS;
	return BIT(axis);
}

/* The players as one representative each. */
static int
representatives(const SsotGame *game)
{
	int			players = game->players;

	if (game->tied && (players & TIED_BITS))
		players = (players & ~TIED_BITS) | BIT(SSOT_QUALITY);
	return players;
}

bool
ssot_game_precedes(const SsotGame *game, SsotAxis first, SsotAxis second)
{
	for (int i = 0; i < SSOT_AXES; i++)
	{
		if (game->order[i] == first)
			return true;
		if (game->order[i] == second)
			return false;
	}
	return false;
}

/* What has turned before the axis does, in the bridge's order. */
static int
before_in_order(const SsotGame *game, SsotAxis axis)
{
	int			before = 0;
	int			players = representatives(game);

	for (int i = 0; i < SSOT_AXES; i++)
	{
		if (BIT(game->order[i]) & turns_with(game, axis) & players)
			return before;
		if (BIT(game->order[i]) & players)
			before |= turns_with(game, game->order[i]);
	}
	return before;
}

/* Is the corner one that an axis may find: without it, with whole players only? */
static bool
is_context(const SsotGame *game, SsotAxis axis, int corner)
{
	int			tied = corner & TIED_BITS;

	if (corner & ~game->players & ~(game->tied ? TIED_BITS : 0))
		return false;
	if (game->tied && tied != 0 && tied != TIED_BITS)
		return false;
	return (corner & turns_with(game, axis)) == 0;
}

uint32
ssot_game_contexts(const SsotGame *game, SsotAxis axis)
{
	uint32		contexts = 0;

	if ((turns_with(game, axis) & game->players) == 0)
		return 0;
	if (!game->shapley)
		return 1 << before_in_order(game, axis);
	for (int corner = 0; corner < SSOT_CORNERS; corner++)
		if (is_context(game, axis, corner))
			contexts |= 1 << corner;
	return contexts;
}

static int
count_players(const SsotGame *game, int corner)
{
	int			n = 0;

	for (int axis = 0; axis < SSOT_AXES; axis++)
		if (BIT(axis) & corner & representatives(game))
			n++;
	return n;
}

/* In how many of 24 orders an axis turns when the corner has turned. */
static int
orders(const SsotGame *game, int corner)
{
	static const int factorial[] = {1, 1, 2, 6, 24};
	int			n = count_players(game, SSOT_CORNERS - 1);
	int			before = count_players(game, corner);

	return factorial[before] * factorial[n - before - 1] * (24 / factorial[n]);
}

int
ssot_game_weight(const SsotGame *game, int corner)
{
	return game->shapley ? orders(game, corner) : 24;
}

/*
 * An axis that does not take part is the same on both sides; say the right's, so that
 * nothing is computed twice. Records that bring their time along bring their
 * hierarchy too.
 */
int
ssot_game_corner(const SsotGame *game, int corner)
{
	corner |= ~game->players & (SSOT_CORNERS - 1);
	if (game->tied)
		corner = (corner & ~BIT(SSOT_HIERARCHY)) | (corner & BIT(SSOT_QUALITY) ? BIT(SSOT_HIERARCHY) : 0);
	return corner;
}

/* ---- shares --------------------------------------------------------------- */

/* 24 times the share of a cause; its extremes over the orders. */
static Numeric
share_of(const SsotGame *game, SsotCause *cause)
{
	uint32		contexts = ssot_game_contexts(game, cause->axis);
	Numeric		sum = number(0);

	cause->minimum = cause->maximum = NULL;
	for (int corner = 0; corner < SSOT_CORNERS; corner++)
	{
		Numeric		marginal = or_zero(cause->marginal[corner]);

		if (!(contexts & (1 << corner)))
			continue;
		sum = ssot_add(sum, multiply(marginal, ssot_game_weight(game, corner)));
		if (cause->minimum == NULL || compare(marginal, cause->minimum) < 0)
			cause->minimum = marginal;
		if (cause->maximum == NULL || compare(marginal, cause->maximum) > 0)
			cause->maximum = marginal;
	}
	return sum;
}

/* One unit in the last of so many decimals. */
static Numeric
last_digit(int scale)
{
	return DatumGetNumeric(DirectFunctionCall3(numeric_in,
											   CStringGetDatum(psprintf("1e-%d", scale)),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/*
 * A twenty-fourth of a number, cut to so many decimals towards zero. Dividing by 24
 * first could round up to the next digit; so whole last digits are divided.
 */
static Numeric
cut(Numeric share, int scale)
{
	Numeric		digit = last_digit(scale);

	return call2(numeric_mul, call2(numeric_div_trunc, share, multiply(digit, 24)), digit);
}

/* A share being rounded. */
typedef struct Rounded
{
	SsotCause  *cause;
	int			place;			/* among the causes; breaks ties */
	Numeric		remainder;		/* 24 times what was cut off */
} Rounded;

static int
largest_first(const void *a, const void *b)
{
	const Rounded *left = (const Rounded *) a;
	const Rounded *right = (const Rounded *) b;
	int			order = compare(right->remainder, left->remainder);

	return order != 0 ? order : left->place - right->place;
}

static int
smallest_first(const void *a, const void *b)
{
	const Rounded *left = (const Rounded *) a;
	const Rounded *right = (const Rounded *) b;
	int			order = compare(left->remainder, right->remainder);

	return order != 0 ? order : left->place - right->place;
}

/*
 * Give out what cutting left of the total, one last digit each. It is less than one
 * digit per share cut in its direction, so nobody gets two.
 */
static void
give_out(Rounded *rounded, int n, Numeric left, int scale)
{
	Numeric		digit = last_digit(scale);
	bool		up = compare(left, number(0)) > 0;

	qsort(rounded, n, sizeof(Rounded), up ? largest_first : smallest_first);
	for (int i = 0; i < n && !ssot_is_zero(left); i++)
	{
		SsotCause  *cause = rounded[i].cause;

		cause->contribution = up ? ssot_add(cause->contribution, digit) :
			ssot_subtract(cause->contribution, digit);
		left = up ? ssot_subtract(left, digit) : ssot_add(left, digit);
	}
}

Numeric
ssot_tidy(Numeric a, int scale)
{
	Numeric		plain = a == NULL ? NULL :
	DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(a)));

	if (a == NULL || ssot_scale(plain) > scale)
		return plain;
	return DatumGetNumeric(DirectFunctionCall2(numeric_round, NumericGetDatum(plain), Int32GetDatum(scale)));
}

void
ssot_game_divide(const SsotGame *game, List *causes, Numeric total, int scale)
{
	int			n = list_length(causes);
	Rounded    *rounded = palloc0(sizeof(Rounded) * Max(n, 1));
	Numeric		left = total;

	for (int i = 0; i < n; i++)
	{
		SsotCause  *cause = (SsotCause *) list_nth(causes, i);
		Numeric		share = share_of(game, cause);
		Numeric		quotient = cut(share, scale);

		rounded[i].cause = cause;
		rounded[i].place = i;
		rounded[i].remainder = ssot_subtract(share, multiply(quotient, 24));
		cause->contribution = quotient;
		cause->minimum = ssot_tidy(cause->minimum, scale);
		cause->maximum = ssot_tidy(cause->maximum, scale);
		left = ssot_subtract(left, quotient);
	}
	give_out(rounded, n, left, scale);
}
