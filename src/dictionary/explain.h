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
	Numeric		counts[2];		/* SSOT_CAUSE_REPORTED: what is said, and what
								 * the records give */
	Numeric		contribution;
	Numeric		minimum;
	Numeric		maximum;
} SsotCause;

/* The rules of dividing the difference. */
typedef struct SsotGame
{
	int			players;		/* bits of the axes that take part */
	bool		tied;			/* timing and quality turn together */
	bool		reversible;		/* tied, but would not be if the other of the
								 * two turned first */
	bool		shapley;
	SsotAxis	order[SSOT_AXES];	/* of a bridge; all four */
} SsotGame;

/* explain_game.c: arithmetic on numbers of which NULL is 0. */
extern Numeric ssot_add(Numeric a, Numeric b);
extern Numeric ssot_subtract(Numeric a, Numeric b);
extern bool ssot_is_zero(Numeric a);
extern bool ssot_is_negative(Numeric a);
extern int	ssot_compare_sizes(Numeric a, Numeric b);	/* without their signs */
extern int	ssot_scale(Numeric a);

/* With so many decimals, or more where it has them. */
extern Numeric ssot_tidy(Numeric a, int scale);

/* A corner as it is computed: axes that do not take part are the right's. */
extern int	ssot_game_corner(const SsotGame *game, int corner);

/* How often, of 24, a marginal in this corner counts. */
extern int	ssot_game_weight(const SsotGame *game, int corner);

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
	const struct SsotPairKey *key;	/* NULL: by golden id */
	SsotMetricReading reading[2];
	List	   *slices;
	struct SsotPairRows *rows;	/* once compared */
	int			direction;		/* 1: fields are changed in definition order,
								 * -1: in the reverse, 0: the mean of both */
	int			nfields;		/* that are changed one by one */
	char	  **fields;			/* "alias.column" */
	bool		has_hierarchy;

	bool		numbered[2];
	Numeric		plain[2];		/* the number on each side's records */
	Numeric		moved[2];		/* what it gains in the other side's hierarchy */
	int64		nmoved;
	Numeric    *changed[2];		/* by hierarchy and field: left to right */
	int64	   *nchanged[2];	/* by hierarchy and field */
	Numeric		only[2][2];		/* by hierarchy and side */
	int64		nonly[2][2];
	Numeric		undecided[2];	/* by hierarchy: of one-sided records that may
								 * be one */
	int64		nundecided;
	Numeric		family[2];		/* by hierarchy: net of families, left to
								 * right */
	int64		nfamily[2];
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

/* The plain number of a side; then all that divides the difference, the numbers too. */
extern void ssot_pairing_number(SsotPairing *pairing, int side);
extern void ssot_pairing_compare(SsotPairing *pairing);

/* Queries of what a compared pairing consists of, one by one; see their bodies. */
extern char *ssot_pairs_detail(struct SsotPairRows *rows);
extern bool ssot_has_extra(const struct SsotPairRows *rows, int side);
extern char *ssot_extra_detail(struct SsotPairRows *rows, int side);

/* explain_key.c: what records are paired by instead of the golden id. */
typedef struct SsotPairKey
{
	char	   *sql;			/* over the metric's scope; NULL: no pair */
	List	   *columns;		/* SsotScopeColumn that it reads */
	Oid			type;
} SsotPairKey;

/* Under the current search path; "pair_by" is an expression over a row of the metric's
 * entity, or several as an array literal. Errors: what cannot be an expression of a
 * metric, and a type without an order. */
extern SsotPairKey *ssot_pair_key(SsotMetric *metric, const char *pair_by);

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
	bool		made[2];		/* known with it: some of them are made in C,
								 * from what is in quarantine */
	SsotRelation *twice[2];		/* ids with several records, or NULL: none */
	SsotRelation *undecided;	/* (id, other): ids whose other half may be on
								 * the other side, and its record; or NULL */
	SsotRelation *family;		/* ids compared with others, or NULL: none */
	bool		screened;		/* the numbers of records are known, and rows
								 * that are the same on both sides left out */
	bool		paired[2];		/* known: one row per id, and nothing besides */
	List	   *relations;		/* SsotRelation: all that statements may name */
} SsotPairRows;

/* What comparing begins with; or only what ssot_side_rows and ssot_share need. */
extern SsotPairRows *ssot_pair_rows(SsotPairing *pairing);
extern SsotPairRows *ssot_plain_rows(SsotPairing *pairing);

/*
 * Queries of id (what pairs are made by), gid (golden id), key, state, level, rank,
 * updated_at, answers, c1, c2 ...: all rows of a side; its primary records, one per id;
 * what it has besides, and of that further records of one id.
 */
extern char *ssot_side_rows(SsotPairRows *rows, int side);
extern char *ssot_side_primary(SsotPairRows *rows, int side);
extern char *ssot_side_extra(SsotPairRows *rows, int side);
extern char *ssot_side_further(SsotPairRows *rows, int side);

/* All rows of both sides, with is_right and tid, where one scan of the stored records
 * gives them; otherwise NULL. */
extern char *ssot_both_rows(SsotPairRows *rows);

/* Conditions on a row p of a side. */
extern const char *const ssot_is_quarantined;
extern const char *const ssot_is_superseded;
extern const char *const ssot_is_loose;
extern const char *ssot_is_unlinked(const SsotPairRows *rows);
extern const char *ssot_is_primary(const SsotPairRows *rows);

/* Look for ids with several records that could be the primary one. */
extern void ssot_find_twice(SsotPairRows *rows, int side);

/* A row's share of the number, as a FROM item called "name" with a column v; refs[i]
 * is SQL for column i; 0 where "exists" is not true. Or of a row called p, as it is. */
extern char *ssot_share(const SsotPairRows *rows, char **refs, const char *exists, const char *name);
extern char *ssot_own_share(const SsotPairRows *rows, const char *name);

/* SQL of the names of records ("crm:K1") of a side as a text[], given that of their
 * keys: one key, or an aggregate over rows. NULL for golden records. */
extern char *ssot_record_label(const SsotPairRows *rows, int side, const char *key);
extern char *ssot_record_labels(const SsotPairRows *rows, int side, const char *key);

/* explain_family.c: which ids are compared as one, and their net. */
extern void ssot_find_families(SsotPairRows *rows);
extern char *ssot_side_ids(SsotPairRows *rows, int side);
extern void ssot_compare_families(SsotPairRows *rows);
extern char *ssot_families_detail(SsotPairRows *rows);

/*
 * explain_screen.c: add up the numbers of both sides' records, and leave out of
 * ssot_side_rows the pairs that are the same. Once families are known; with some, or
 * where what pairs are made by has no hash, it does nothing.
 */
extern void ssot_screen_rows(SsotPairRows *rows);

/* explain_undecided.c: open review pairs across the sides. */
extern void ssot_find_undecided(SsotPairRows *rows);

/* Run a statement with the rows' relations; its one row of n columns, or each. */
extern void ssot_pair_query(const SsotPairRows *rows, const char *sql, int n,
							Datum *values, bool *nulls);
extern void ssot_pair_each(const SsotPairRows *rows, const char *sql,
						   SsotRowCallback callback, void *arg);

/*
 * explain_step.c: what entities gain when the rows that a number is computed on are
 * exchanged for others: by another definition, at another time, of the other side.
 */
typedef struct SsotStep
{
	SsotPairing *pairing[2];	/* before and after */
	int			side[2];
	bool		settled;		/* leave out rows that belong to no golden
								 * record */
	bool		by_key;			/* entities are what pairs are made by, not
								 * golden ids */
} SsotStep;

extern int64 ssot_step_count(const SsotStep *step);
extern void ssot_step_each(const SsotStep *step, SsotRowCallback callback, void *arg);

#endif							/* SSOT_EXPLAIN_H */
