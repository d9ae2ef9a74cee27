/*
 * golden/unit.h
 *		Units: what matching compares.
 *
 * Records that tokens and decisions hold together are one unit. It says about
 * each compared field what the first of its records says that says anything, by
 * source rank and key. What stewards wrote is left out: a correction of a golden
 * record must not change which records it consists of.
 */
#ifndef SSOT_UNIT_H
#define SSOT_UNIT_H

#include "entity/matching.h"
#include "golden/linker.h"
#include "identity/text_store.h"

/* What the active nodes of a linker say, read once for each node. */
typedef struct SsotNodeTexts
{
	const SsotEntity *entity;
	const SsotMatchRules *rules;
	int			ncolumns;		/* distinct fields that are compared */
	int		   *columns;		/* index into the entity's fields */
	int		  **column_of;		/* by comparison and its field: the column */
	MemoryContext context;
	SsotTextStore *store;
	int			nnodes;			/* that were read */
	int64		capacity;
	char	  **texts;			/* [nnodes][ncolumns]; NULL: says nothing */
} SsotNodeTexts;

typedef struct SsotUnits
{
	int			n;
	int		   *of;				/* by node: its unit, or -1 */
	int		   *first;			/* by unit: the node that names it */
	int		   *order;			/* the nodes that speak, by source rank and
								 * key */
	int			norder;
	uint64	   *systems;		/* by unit: a bit per system that it has
								 * records of */
	bool	   *fresh;			/* by unit: has a node past "known" */
	char	  **texts;			/* [n][ncompared]; NULL: missing */
	MemoryContext context;		/* of all that */
} SsotUnits;

extern SsotNodeTexts *ssot_node_texts_create(const SsotEntity *entity, const SsotMatchRules *rules);

/* Read what nodes say that were not read yet. */
extern void ssot_node_texts_read(SsotNodeTexts *texts, Linker *linker);

/*
 * The units of the active nodes, given their clusters, in the order of their
 * first records by source rank and key. Nodes from "known" on are fresh.
 */
extern SsotUnits *ssot_units_create(const SsotNodeTexts *texts, const Linker *linker,
									const int *cluster, int known);
extern void ssot_units_free(SsotUnits *units);

/* The name of a unit: that of its first record. */
extern char *ssot_unit_name(const Linker *linker, const SsotUnits *units, int unit);

/* Hashes of all names: an order that depends on nothing else. */
extern uint64 *ssot_unit_hashes(const Linker *linker, const SsotUnits *units);

/* The bit of the system of the source with this index. */
extern uint64 ssot_system_bit(const SsotEntity *entity, int source);

/* The unit of a record, or -1 if it was not read. */
extern int	ssot_units_of_record(const Linker *linker, const SsotUnits *units, int source,
								 const char *key);

/* Of several fields that make one value, the texts are joined by this character
 * (identity/kind.h). */
extern char *ssot_join_texts(char *const *texts, int n);

/* The same in SQL, for a list of columns, of a row "s" of the records' companion:
 * COALESCE(s.given::text, '') || E'\x1f' || COALESCE(s.family::text, ''), ... */
extern char *ssot_compared_texts(const SsotEntity *entity, const SsotMatchRules *rules);

#endif							/* SSOT_UNIT_H */
