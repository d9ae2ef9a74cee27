/*
 * golden/linker.h
 *		What the parts of linking share: link.c takes what was staged, reach.c finds
 *		the stored records concerned, matcher.c those that are alike, regroup.c puts
 *		them together.
 */
#ifndef SSOT_LINKER_H
#define SSOT_LINKER_H

#include "golden/link.h"
#include "identity/cluster.h"

#include "fmgr.h"

/* A token and the record that carries it. */
typedef struct TokenEntry
{
	uint64		hash;
	const char *text;
	int			node;
} TokenEntry;

typedef struct Linker
{
	const SsotEntity *entity;
	const SsotIngest *ingest;
	SsotLinking *out;
	int			node_capacity;
	TokenEntry *tokens;
	int64		ntokens;
	int64		token_capacity;
	MemoryContext token_context;	/* of their texts; gone once they are
									 * paired */
	SsotWeightedPair *pairs;
	int64		npairs;
	int64		pair_capacity;
	int64		first_follower; /* pairs from here on: what people wrote
								 * follows its anchor */
	List	   *decisions;		/* SsotDecision, by number */
	struct SsotDecisionSearch *search;	/* obey.c */
	bool		no_decisions;	/* none is in force */
	const SsotRelink *wish;		/* NULL: in a run */
	TupleDesc	id_desc;
	Tuplestorestate *groups;	/* golden ids whose members must be read */
	int64		ngroups;
	Tuplestorestate *seen;		/* (source, key) of stored records that were
								 * read in a round before */
	int64		nseen;
	Tuplestorestate *found;		/* of those that this round read */
	int64		nfound;
	Tuplestorestate *led_to;	/* names (ssot_name_desc) of records to read
								 * that no token leads to */
	int64		nled_to;
	int64		followed;		/* tokens up to here were followed */
	struct SsotMatcher *matcher;	/* matcher.c; NULL: nothing is matched */
	FmgrInfo	id_cmp;
	Oid			id_collation;
} Linker;

/* link.c: nodes and their tokens. */
extern int	ssot_linker_add_node(Linker *linker, int source, const char *key);
extern int	ssot_linker_find_staged(Linker *linker, int source, const char *key);
extern void ssot_linker_add_own_token(Linker *linker, int node, int source, const char *key);
extern void ssot_linker_add_tokens(Linker *linker, int node, Datum array);

/*
 * reach.c: open the golden records that gone records leave, that records coming
 * back had, and that held merges concern (of the given ids, or all); then read
 * what is open and what it leads to, or everything.
 */
extern void ssot_linker_reach_gone(Linker *linker);
extern void ssot_linker_reach_returning(Linker *linker);
extern void ssot_linker_reopen_held(Linker *linker, const Datum *ids, int nids);
extern void ssot_linker_reach(Linker *linker);
extern void ssot_linker_reach_everything(Linker *linker);

/* (node, ssot_source, ssot_key) */
extern TupleDesc ssot_node_desc(void);

/* Note a golden id that must settle. */
extern void ssot_linker_touch(Linker *linker, Datum id);

/* The order of (source index, key bytes). */
extern int	ssot_compare_node_key(const SsotNode *node, int source, const char *key);

/* Note a pair of nodes; the golden records whose members must be read; a token. */
extern void ssot_linker_pair(Linker *linker, int a, int b);
extern void ssot_linker_open(Linker *linker, Datum id);

/* Golden ids are compared as their type does. */
extern int	ssot_linker_compare_ids(Linker *linker, Datum a, Datum b);

/*
 * obey.c: the decisions that concern the active nodes, the opened groups, and
 * all groups that these decisions lead to, which are opened. "names" gets the
 * names (rows of ssot_name_desc) that decisions mention.
 */
extern void ssot_linker_read_decisions(Linker *linker, Tuplestorestate *names, int64 *nnames);

/*
 * obey.c: clusters of the active nodes by their pairs and the decisions. Tokens
 * are sorted. "cluster" has one element per node.
 */
extern void ssot_linker_cluster(Linker *linker, int *cluster);

/* Clusters of the active nodes as far as they are read, by all but matching. */
extern void ssot_linker_units(Linker *linker, int *cluster);

/*
 * claim.c: each golden id of the nodes that had one (sorted by id, anchors first) goes
 * to its anchor's cluster; holder[cluster] becomes the node whose id is kept, and the
 * others are noted as merges.
 */
extern void ssot_linker_claim_ids(Linker *linker, const int *cluster, const int *order, int n,
								  int *holder);

/* Put the active nodes together and give each its golden id. */
extern void ssot_regroup(Linker *linker);

#endif							/* SSOT_LINKER_H */
