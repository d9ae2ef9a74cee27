/*
 * dictionary/explain.h
 *		Why two numbers differ: what the files of the explanation share.
 *
 * A number is v(D, T, H, Q): definition, time, hierarchy and records, each of the
 * left or of the right side. A corner is a set of bits: which of the four are the
 * right's.
 */
#ifndef SSOT_EXPLAIN_H
#define SSOT_EXPLAIN_H

#include "utils/numeric.h"

#include "dictionary/metric.h"
#include "dictionary/records.h"

typedef enum SsotAxis
{
	SSOT_DEFINITION,
	SSOT_TIMING,
	SSOT_HIERARCHY,
	SSOT_QUALITY
} SsotAxis;

#define SSOT_AXES		4
#define SSOT_CORNERS	16		/* 1 << SSOT_AXES */

/* What a cause is, within its axis. */
typedef enum SsotCauseKind
{
	SSOT_CAUSE_WHOLE,			/* the axis as a whole */
	SSOT_CAUSE_NOT_ANSWERABLE,	/* records that lack what the other definition
								 * asks */
	SSOT_CAUSE_FIELD,			/* a field that both sides have, with other
								 * values */
	SSOT_CAUSE_ONLY,			/* records that only one side has */
	SSOT_CAUSE_UNLINKED,		/* records that belong to no golden record */
	SSOT_CAUSE_DUPLICATE,		/* further records of one thing */
	SSOT_CAUSE_QUARANTINED,		/* rows that could not be taken */
	SSOT_CAUSE_UNDECIDED,		/* may be one thing: an open review pair */
	SSOT_CAUSE_FAMILY,			/* the net of families compared as one */
	SSOT_CAUSE_REPORTED			/* a reported figure that does not come out */
} SsotCauseKind;

/* One row of the answer. */
typedef struct SsotCause
{
	SsotAxis	axis;
	SsotCauseKind kind;
	int			side;			/* 0 left, 1 right: whose; -1: both */
	const char *whose;			/* label of the side, or "" */
	char	   *field;			/* "alias.column", or NULL */
	Numeric		marginal[SSOT_CORNERS]; /* by the corner before the axis
										 * turns; NULL: 0 */
	int64		entities;
	Numeric		contribution;
	Numeric		minimum;
	Numeric		maximum;
} SsotCause;

/* The rules of dividing the difference. */
typedef struct SsotGame
{
	int			players;		/* bits of the axes that take part */
	bool		tied;			/* timing and quality turn together */
	bool		shapley;
	SsotAxis	order[SSOT_AXES];	/* of a bridge; all four */
} SsotGame;

/* explain_game.c: arithmetic on numbers of which NULL is 0. */
extern Numeric ssot_add(Numeric a, Numeric b);
extern Numeric ssot_subtract(Numeric a, Numeric b);
extern bool ssot_is_zero(Numeric a);
extern int	ssot_scale(Numeric a);

/* The corners (bits) in which marginals of an axis are needed. */
extern uint32 ssot_game_contexts(const SsotGame *game, SsotAxis axis);

/* Does one axis turn before another in the bridge's order? */
extern bool ssot_game_precedes(const SsotGame *game, SsotAxis first, SsotAxis second);

/* Fill in contribution, minimum and maximum of each cause; contributions have this
 * many decimals and add up to the total. */
extern void ssot_game_divide(const SsotGame *game, List *causes, Numeric total, int scale);

/*
 * explain_pair.c: two sides' records compared under one definition, at one time.
 */
typedef struct SsotPairing
{
	const SsotMetric *metric;
	SsotMetricReading reading[2];
	List	   *slices;
	int			direction;		/* 1: fields are changed in definition order,
								 * -1: in the reverse, 0: the mean of both */
	int			nfields;		/* that are changed one by one */
	char	  **fields;			/* "alias.column" */
	bool		has_hierarchy;

	Numeric		plain[2];		/* the number on each side's records */
	Numeric		moved[2];		/* what it gains in the other side's hierarchy */
	int64		nmoved;
	Numeric    *changed[2];		/* by hierarchy and field: left to right */
	int64	   *nchanged;		/* by field */
	Numeric		only[2][2];		/* by hierarchy and side */
	int64		nonly[2];
	Numeric		undecided[2];	/* by hierarchy: of one-sided records that may
								 * be one */
	int64		nundecided;
	Numeric		family[2];		/* by hierarchy: net of families, left to
								 * right */
	int64		nfamily;
	Numeric		duplicate[2];	/* by side */
	int64		nduplicate[2];
	Numeric		unlinked[2];
	int64		nunlinked[2];
	Numeric		quarantined[2];
	int64		nquarantined[2];
	bool		borrows[2];		/* records without a golden record cannot
								 * answer */
	Numeric		loose[2];		/* of all records without a golden record */
	int64		nloose[2];
} SsotPairing;

/* The plain numbers only; then all that divides their difference. */
extern void ssot_pairing_numbers(SsotPairing *pairing);
extern void ssot_pairing_compare(SsotPairing *pairing);

/* explain_rows.c: the rows that a side's number is computed on. */
typedef struct SsotPairRows
{
	SsotPairing *pairing;
	List	   *columns;		/* SsotScopeColumn: c1, c2 ... of the rows, in
								 * the order in which they are changed */
	bool	   *hierarchical;	/* by column: placed by the hierarchy */
	bool		has_hierarchical;
	bool	   *same;			/* by column: both sides borrow it */
	SsotEntity *entity;
	SsotRecords *records[2];	/* NULL: golden records */
	char	   *all[2];			/* see ssot_side_rows */
	SsotRelation *twice[2];		/* ids with several records, or NULL: none */
	SsotRelation *undecided;	/* ids whose other half may be on the other
								 * side, or NULL */
	SsotRelation *family;		/* ids compared with others, or NULL: none */
	List	   *relations;		/* SsotRelation: all that statements may name */
} SsotPairRows;

extern SsotPairRows *ssot_pair_rows(SsotPairing *pairing);

/* A query of id, key, state, level, answers, c1, c2 ...: all rows of a side; its
 * primary records, one per id; what it has besides. */
extern char *ssot_side_rows(SsotPairRows *rows, int side);
extern char *ssot_side_primary(SsotPairRows *rows, int side);
extern char *ssot_side_extra(SsotPairRows *rows, int side);

/* A row's share of the number, as a FROM item called "name" with a column v; refs[i]
 * is SQL for column i; 0 where "exists" is not true. */
extern char *ssot_share(const SsotPairRows *rows, char **refs, const char *exists, const char *name);

/* explain_family.c: which ids are compared as one, and their net. */
extern void ssot_find_families(SsotPairRows *rows);
extern char *ssot_side_ids(SsotPairRows *rows, int side);
extern void ssot_compare_families(SsotPairRows *rows);

/* explain_undecided.c: open review pairs across the sides. */
extern void ssot_find_undecided(SsotPairRows *rows);

/* Run a statement with the rows' relations; its one row of n columns. */
extern void ssot_pair_query(const SsotPairRows *rows, const char *sql, int n,
							Datum *values, bool *nulls);

#endif							/* SSOT_EXPLAIN_H */
