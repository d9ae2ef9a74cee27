/*
 * entity/matching.h
 *		By what records of an entity are matched that no key joins (ssot.matching).
 */
#ifndef SSOT_MATCHING_H
#define SSOT_MATCHING_H

#include "entity/map.h"
#include "utils/jsonb.h"

/* So many fields can make one value. */
#define SSOT_MAX_COMPARED_FIELDS	8

/* One comparison: a field of the entity, or several that make one value. */
typedef struct SsotCompared
{
	char	   *name;			/* as declared: the field, or a name of its
								 * own */
	char	   *kind;			/* of comparison: identity/kind.h */
	int			nfields;
	int		   *fields;			/* index into the entity's fields */
	JsonbValue *levels;			/* that are told apart; NULL: those of the
								 * kind */
	JsonbValue *weights;		/* given by hand, by level; NULL: none */
} SsotCompared;

typedef struct SsotMatchRules
{
	int			ncompared;
	SsotCompared *compared;		/* in the order of the jsonb object */
	double		match;			/* probabilities */
	double		review;
	int			max_cluster;
	bool		one_per_system;
	int64		version;
	bool		applied;		/* all records were matched under this version */
	int64		model_id;		/* 0: none was learnt yet */
	Jsonb	   *blocking;		/* rules that were given; NULL: they are
								 * derived */
	double		prior;			/* that was given; 0: it is estimated */
	const struct SsotKind **kinds;	/* by comparison, once they were asked for */
} SsotMatchRules;

/* The rules in force, or NULL if there are none for the entity. Rules without
 * comparisons are those of an entity that was matched and is to be matched no
 * longer: what matching had joined must be taken apart once. */
extern SsotMatchRules *ssot_matching_load(const SsotEntity *entity);

/*
 * Take "compare" apart: {"name": "company", "person": {"kind": "person_name",
 * "fields": ["given", "family"], "levels": [...], "weights": {...}}}. Errors name
 * the entity and what is wrong; kinds, levels and weights are not looked at here.
 */
extern SsotCompared *ssot_compare_parse(const SsotEntity *entity, Jsonb *compare, int *count);

/* The model of this number; an error if it is gone. */
extern bytea *ssot_match_model_load(const SsotEntity *entity, int64 model_id);

/* Keep a new model, learnt from so many units and decisions of people, and put it in
 * force; returns its number. */
extern int64 ssot_match_model_keep(const SsotEntity *entity, bytea *model, int64 records,
								   int64 decisions);

/* The same, in place of another model: the next run matches everything anew. */
extern void ssot_match_model_replace(const SsotEntity *entity, bytea *model, int64 records,
									 int64 decisions);

/* All records were matched under this version of the rules. */
extern void ssot_matching_applied(const SsotEntity *entity, int64 version);

#endif							/* SSOT_MATCHING_H */
