/*
 * identity/kind.h
 *		What a comparison kind is: how values of one meaning are compared.
 *
 * A kind knows one sort of value (a company's name, a date, a phone number) and
 * nothing about records, weights or thresholds. The engine calls it in four
 * steps, each once per distinct value or pair of distinct values, never per
 * record:
 *
 *		prepare		raw text -> a flat block of bytes, in which everything that
 *					comparing needs has been computed
 *		weigh		after all values are prepared: put into the block what depends
 *					on the data as a whole (how rare a token is)
 *		keys		the values under which records are brought together
 *		level		how well two values agree: a small number
 *
 * What a level is worth is not the kind's business: the engine learns it from
 * the data. The kind's order of levels, and the shares that it expects among
 * records of one thing, are where learning starts from.
 *
 * A prepared block is position independent (no pointers in it): it is copied,
 * shared with parallel workers, and compared bytewise. Two values whose blocks
 * are equal after "prepare" are one value to the engine, and agree at the
 * highest level without the kind being asked.
 *
 * Pure C: no SPI, no catalogue access, no fcinfo. What a function allocates, it
 * allocates in the current memory context, which is reset after each value. It
 * must not fail on any input; texts are in the server's encoding and never
 * longer than SSOT_VALUE_MAX bytes (the engine cuts them at a character and
 * sees to it that only wholly equal values count as equal). A kind that needs
 * time growing faster than with the product of two lengths cuts them itself.
 */
#ifndef SSOT_KIND_H
#define SSOT_KIND_H

#include "common/hashfn.h"
#include "lib/stringinfo.h"

/* A level: 0 for "one of the two is missing", then rising agreement from 1
 * ("different") to the kind's nlevels ("equal"). */
#define SSOT_LEVEL_MISSING		0
#define SSOT_LEVEL_DIFFERENT	1
#define SSOT_MAX_LEVEL			15

/* No text is longer; no value has more keys. */
#define SSOT_VALUE_MAX			1024
#define SSOT_VALUE_KEYS			16

/* Where one value consists of several columns ({"fields": ["given", "family"]}),
 * their texts come joined by this character; an empty one stays empty. */
#define SSOT_FIELD_SEPARATOR	'\x1f'

/* How often tokens occur in one field of the records that are compared. */
typedef struct SsotTokenShares SsotTokenShares;

/* The share of the records (0 < share <= 1) whose value contains the token, as
 * counted by way of the kind's "tokens". */
extern double ssot_token_share(const SsotTokenShares *shares, uint64 token);

/* The keys of one value. Keys of different classes never meet. */
typedef struct SsotValueKeys
{
	int			count;
	uint8		class[SSOT_VALUE_KEYS]; /* index into the kind's key classes */
	uint64		hash[SSOT_VALUE_KEYS];
} SsotValueKeys;

/* What a class of keys may be used for. */
#define SSOT_KEY_ALONE			0x01	/* records that share one are compared */
#define SSOT_KEY_COMBINED		0x02	/* those that share one, and one of
										 * another field */

typedef struct SsotKeyClass
{
	const char *name;			/* "surname sound", for reports */
	int			use;			/* SSOT_KEY_* */
} SsotKeyClass;

/* A kind's properties. */
#define SSOT_KIND_FREQUENCY		0x01	/* agreeing on a rare value says more
										 * than on a frequent one */
#define SSOT_KIND_VETO			0x02	/* level 1 forbids that two records
										 * are one thing, whatever else agrees */
#define SSOT_KIND_NAME			0x04	/* names the thing: most of two
										 * records of one thing agree */
#define SSOT_KIND_MEASURE		0x08	/* says when, where or how much: no
										 * more than a hint by itself */

/*
 * What somebody gave for a level by hand; NAN: was not given. A weight stands for
 * itself, m and u for theirs.
 */
typedef struct SsotGiven
{
	double		m;
	double		u;
	double		weight;
} SsotGiven;

typedef struct SsotKind SsotKind;

struct SsotKind
{
	const char *name;			/* as users write it */
	const char *description;	/* one line, for the list of kinds */
	int			nlevels;		/* levels 1 to nlevels; at most SSOT_MAX_LEVEL */
	const char *const *levels;	/* nlevels names, beginning with level 1 */

	/*
	 * nlevels shares, adding up to 1: how often the levels are met among two
	 * records of one thing, where both have the value, before data is seen.
	 */
	const double *shares;

	int			flags;			/* SSOT_KIND_* */
	int			cost;			/* of preparing a value, where that of a date
								 * is 1 (or 0: not said) */
	int			nclasses;
	const SsotKeyClass *classes;

	/*
	 * Append the prepared form of a text to "out" (which is MAXALIGNed
	 * there); false, with nothing appended, if the text says nothing.
	 */
	bool		(*prepare) (StringInfo out, const char *text, int len);

	/*
	 * Call "note" for each distinct token of a value whose rarity matters.
	 * NULL: the kind has no tokens.
	 */
	void		(*tokens) (const void *value, void (*note) (uint64 token, void *arg), void *arg);

	/*
	 * Put rarities into the prepared form, without changing its length. NULL:
	 * nothing to do.
	 */
	void		(*weigh) (void *value, const SsotTokenShares *shares);

	/*
	 * The value's keys, at most SSOT_VALUE_KEYS, the most selective first.
	 * NULL: values of this kind bring no records together.
	 */
	void		(*keys) (const void *value, SsotValueKeys *keys);

	/* Level of two values that are not equal: 1 to nlevels. Symmetric. */
	int			(*level) (const void *a, const void *b);

	/*
	 * What two values at a level agree on, as a token of both whose share of
	 * records tells how much it says (the surname, where only that is equal);
	 * 0 for nothing in particular. NULL, or SSOT_KIND_FREQUENCY not set: only
	 * equal values are judged by how frequent they are. Tokens are those of
	 * "tokens".
	 */
	uint64		(*agreement) (const void *a, const void *b, int level);

	/*
	 * How alike two values are as a number, on which thresholds may be
	 * declared: from 0 to 1, or a distance, of which less is better.
	 * Symmetric. "measured" says what the number is. NULL: thresholds make no
	 * sense.
	 */
	double		(*measure) (const void *a, const void *b);
	const char *measured;
	bool		distance;

	/*
	 * Of a kind that was declared with levels of its own (kind_levels.c): the
	 * kind that it is made from, and which of the levels here each of its
	 * levels becomes, or the thresholds, from the worst level to the best.
	 */
	const SsotKind *base;
	uint8		becomes[SSOT_MAX_LEVEL + 1];
	int			nthresholds;
	const double *thresholds;
	const SsotGiven *given;		/* [nlevels + 1], or NULL */
};

/* Thresholds: the level of two values that are not equal. */
extern int	ssot_kind_threshold(const SsotKind *kind, const void *a, const void *b);

/* Level of two values that are not equal, whichever sort of kind it is. */
static inline int
ssot_kind_level(const SsotKind *kind, const void *a, const void *b)
{
	if (kind->nthresholds > 0)
		return ssot_kind_threshold(kind, a, b);
	if (kind->base != NULL)
		return kind->becomes[kind->base->level(a, b)];
	return kind->level(a, b);
}

/* What two values at a level agree on. */
static inline uint64
ssot_kind_agreement(const SsotKind *kind, const void *a, const void *b, int level)
{
	return kind->agreement(a, b, kind->base == NULL ? level : kind->base->level(a, b));
}

/*
 * A kind with other levels: "keep", by level of the base, which are told apart
 * between "different" and "equal"; what is not kept counts as the next worse that
 * is. NULL: all. Or, if nthresholds is not 0, thresholds from the worst to the best.
 */
extern SsotKind *ssot_kind_with_levels(const SsotKind *base, const bool *keep,
									   int nthresholds, const double *thresholds);

/* What tells the levels of a kind, flat, for another process; and the kind again. */
typedef struct SsotFlatKind
{
	char		name[NAMEDATALEN];
	bool		declared;		/* with levels of its own */
	int			nlevels;
	int			flags;
	uint8		becomes[SSOT_MAX_LEVEL + 1];
	int			nthresholds;
	double		thresholds[SSOT_MAX_LEVEL];
} SsotFlatKind;

extern SsotFlatKind ssot_kind_flat(const SsotKind *kind);
extern const SsotKind *ssot_kind_unflat(const SsotFlatKind *flat);

/*
 * What was given by hand, [nlevels + 1], kept by the kind. Then rarity does not move
 * the weight of equal values, and "different" is no veto, where they were given.
 */
extern void ssot_kind_give(SsotKind *kind, const SsotGiven *given);

/* All kinds, by name; NULL if there is none of that name. */
extern const SsotKind *ssot_kind_find(const char *name);
extern const SsotKind *const *ssot_kinds(int *count);

/* ---- for those who write kinds --------------------------------------------- */

/* A hash that is the same on every machine and in every run. */
static inline uint64
ssot_hash_text(const char *s, int len)
{
	return hash_bytes_extended((const unsigned char *) s, len, 0);
}

/* Two hashes made one; the order matters. */
static inline uint64
ssot_hash_join(uint64 a, uint64 b)
{
	return hash_combine64(a, b);
}

/* Add a key; the 17th and later ones are dropped. */
static inline void
ssot_add_key(SsotValueKeys *keys, int class, uint64 hash)
{
	if (keys->count == SSOT_VALUE_KEYS)
		return;
	keys->class[keys->count] = class;
	keys->hash[keys->count++] = hash;
}

#endif							/* SSOT_KIND_H */
