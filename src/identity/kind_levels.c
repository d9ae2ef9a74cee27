/*
 * identity/kind_levels.c
 *		A kind with the levels that somebody wants, made from one of the list.
 *
 * Either some of its levels are kept, and what falls between two counts as the
 * worse one, or a number that the kind measures is cut at thresholds. "Different"
 * and "equal" are always levels: the engine counts equal values instead of
 * sampling them. Everything else stays: how values are prepared and which keys
 * they have. To the engine it is a kind as any other.
 *
 * Of shares that are expected those of levels that became one are added up;
 * thresholds know nothing of what to expect, so the levels between "different"
 * and "equal" share what the kind expects there, the better ones more.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kind.h"

#include <math.h>

static SsotKind *
copy_kind(const SsotKind *base)
{
	SsotKind   *kind = palloc(sizeof(SsotKind));

	*kind = *base;
	kind->base = base;
	return kind;
}

static void
keep_levels(SsotKind *kind, const bool *keep)
{
	const SsotKind *base = kind->base;
	const char **names = palloc(sizeof(char *) * base->nlevels);
	double	   *shares = palloc0(sizeof(double) * base->nlevels);
	int			n = 0;

	for (int l = 1; l <= base->nlevels; l++)
	{
		if (l == SSOT_LEVEL_DIFFERENT || l == base->nlevels || keep == NULL || keep[l])
			names[n++] = base->levels[l - 1];
		shares[n - 1] += base->shares[l - 1];
		kind->becomes[l] = n;
	}
	kind->becomes[SSOT_LEVEL_MISSING] = SSOT_LEVEL_MISSING;
	kind->nlevels = n;
	kind->levels = names;
	kind->shares = shares;
}

static void
cut_at(SsotKind *kind, int n, const double *thresholds)
{
	const SsotKind *base = kind->base;
	const char **names = palloc(sizeof(char *) * (n + 2));
	double	   *shares = palloc(sizeof(double) * (n + 2));
	double	   *copy = palloc(sizeof(double) * n);
	double		between = 1 - base->shares[0] - base->shares[base->nlevels - 1];

	memcpy(copy, thresholds, sizeof(double) * n);
	names[0] = base->levels[0];
	shares[0] = base->shares[0];
	for (int i = 0; i < n; i++)
	{
		names[i + 1] = psprintf(base->distance ? "%g or less" : "%g or more", thresholds[i]);
		shares[i + 1] = between * (i + 1) / (n * (n + 1) / 2.0);
	}
	names[n + 1] = base->levels[base->nlevels - 1];
	shares[n + 1] = base->shares[base->nlevels - 1];
	kind->nthresholds = n;
	kind->thresholds = copy;
	kind->nlevels = n + 2;
	kind->levels = names;
	kind->shares = shares;
}

void
ssot_kind_give(SsotKind *kind, const SsotGiven *given)
{
	kind->given = given;
	if (!isnan(given[kind->nlevels].weight) || !isnan(given[kind->nlevels].u))
		kind->flags &= ~SSOT_KIND_FREQUENCY;
	if (!isnan(given[SSOT_LEVEL_DIFFERENT].weight) || !isnan(given[SSOT_LEVEL_DIFFERENT].u))
		kind->flags &= ~SSOT_KIND_VETO;
}

SsotKind *
ssot_kind_with_levels(const SsotKind *base, const bool *keep, int nthresholds,
					  const double *thresholds)
{
	SsotKind   *kind = copy_kind(base);

	if (nthresholds > 0)
		cut_at(kind, nthresholds, thresholds);
	else
		keep_levels(kind, keep);
	return kind;
}

int
ssot_kind_threshold(const SsotKind *kind, const void *a, const void *b)
{
	double		found = kind->measure(a, b);
	int			level = kind->nthresholds;

	while (level > 0 && (kind->distance ? found > kind->thresholds[level - 1] :
						 found < kind->thresholds[level - 1]))
		level--;
	return level + SSOT_LEVEL_DIFFERENT;
}

SsotFlatKind
ssot_kind_flat(const SsotKind *kind)
{
	SsotFlatKind flat = {
		.declared = kind->base != NULL,.nlevels = kind->nlevels,.flags = kind->flags,
		.nthresholds = kind->nthresholds
	};

	strlcpy(flat.name, kind->name, NAMEDATALEN);
	memcpy(flat.becomes, kind->becomes, sizeof(flat.becomes));
	if (kind->nthresholds > 0)
		memcpy(flat.thresholds, kind->thresholds, sizeof(double) * kind->nthresholds);
	return flat;
}

const SsotKind *
ssot_kind_unflat(const SsotFlatKind *flat)
{
	const SsotKind *base = ssot_kind_find(flat->name);
	SsotKind   *kind;
	double	   *thresholds;

	if (!flat->declared)
		return base;
	kind = copy_kind(base);
	thresholds = palloc(sizeof(flat->thresholds));
	memcpy(thresholds, flat->thresholds, sizeof(flat->thresholds));
	kind->nlevels = flat->nlevels;
	kind->flags = flat->flags;
	memcpy(kind->becomes, flat->becomes, sizeof(kind->becomes));
	kind->nthresholds = flat->nthresholds;
	kind->thresholds = thresholds;
	return kind;
}
