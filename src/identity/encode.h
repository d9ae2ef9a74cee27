/*
 * identity/encode.h
 *		Records as numbers: every distinct value is prepared once.
 */
#ifndef SSOT_ENCODE_H
#define SSOT_ENCODE_H

#include "identity/kind.h"

#define SSOT_MAX_FIELDS		16	/* levels of a pair are packed into 64 bits */

/* Keys of one value and class that are used; a key is 32 bits of hash. */
#define SSOT_CLASS_SLOTS	4
#define SSOT_MAX_CLASSES	16

/* The keys of one class, record by record; 0 where there is none. */
typedef struct SsotClassKeys
{
	int			nslots;			/* per record */
	uint32	   *keys;			/* [n][nslots] */
	struct SsotSegment *segment;	/* that the keys are in; NULL: none */
} SsotClassKeys;

/* The distinct values of one field, in the order of the first record that has
 * each. Value 0 means missing. */
typedef struct SsotValues
{
	const SsotKind *kind;
	const char *name;
	int			nvalues;		/* 1 to nvalues - 1 are there */
	char	   *bytes;			/* prepared forms, MAXALIGNed */
	uint32	   *offset;			/* [nvalues + 1], in units of MAXALIGN */
	uint64	   *hash;			/* [nvalues], of the prepared form: their
								 * order does not depend on when they came */
	int		   *count;			/* [nvalues] records that have it */
	SsotClassKeys by_record[SSOT_MAX_CLASSES];
	SsotTokenShares *shares;	/* NULL: the kind has no tokens */
	bool		shares_known;	/* they are a stored model's */
	int			ncut;			/* values longer than SSOT_VALUE_MAX */
} SsotValues;

/* Records, in an order that depends on their keys only. */
typedef struct SsotRecords
{
	int			n;
	int			nfields;
	SsotValues	fields[SSOT_MAX_FIELDS];
	int		   *ids;			/* [n][nfields] */
	uint64	   *key_hash;		/* [n], rising */
	uint64	   *groups;			/* [n]: a bit per group that it is of; no two
								 * of one group are one thing; NULL: no groups */
	int		   *arrival;		/* [n]: number of the record as it was added */
} SsotRecords;

typedef struct SsotEncoder SsotEncoder;

/*
 * An encoder of some fields of the records: "numbers" are those that the fields
 * have among all fields (NULL: these are all), because keys of different fields
 * must differ.
 */
extern SsotEncoder *ssot_encoder_create(int nfields, const SsotKind *const *kinds,
										const char *const *names, const int *numbers);

/*
 * Add a record: the hash of its key, its groups (a bit each), and a text per
 * field (NULL: missing). What the texts point at may go afterwards; if it "stays"
 * until the records that wait are looked up, it need not be copied.
 */
extern void ssot_encoder_add(SsotEncoder *encoder, uint64 key_hash, uint64 groups,
							 const char *const *texts, const int *lengths, bool stays);

/* Look up the records that wait, of which there are few or none. */
extern void ssot_encoder_look_up(SsotEncoder *encoder);

/*
 * After the last record. "shares": by field, how frequent tokens are, where that
 * is known from before; NULL, or NULL for a field: it is counted. "home" (share.h):
 * where the fields are to live.
 */
struct SsotHome;
extern SsotRecords *ssot_encoder_finish(SsotEncoder *encoder, SsotTokenShares *const *shares,
										const struct SsotHome *home);

/* Give the keys of a class back. */
extern void ssot_class_drop(SsotClassKeys *class);

static inline const void *
ssot_value(const SsotValues *values, int id)
{
	return values->bytes + (Size) values->offset[id] * MAXIMUM_ALIGNOF;
}

static inline const int *
ssot_record(const SsotRecords *records, int record)
{
	return records->ids + (Size) record * records->nfields;
}

/* Do two records belong to one group? */
static inline bool
ssot_in_one_group(const SsotRecords *records, int a, int b)
{
	return records->groups != NULL && (records->groups[a] & records->groups[b]) != 0;
}

/* A hash whose bits are all as good as each other. */
static inline uint64
ssot_mix(uint64 h)
{
	h ^= h >> 32;
	h *= UINT64CONST(0xd6e8feb86659fd93);
	h ^= h >> 32;
	h *= UINT64CONST(0xd6e8feb86659fd93);
	h ^= h >> 32;
	return h;
}

#endif							/* SSOT_ENCODE_H */
