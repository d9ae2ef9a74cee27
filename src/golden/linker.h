/*
 * golden/linker.h
 *		What the two halves of linking share: link.c finds the records concerned,
 *		regroup.c puts them together.
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
	SsotPair   *pairs;
	int64		npairs;
	int64		pair_capacity;
	bool		anything_stored;
	TupleDesc	id_desc;
	Tuplestorestate *groups;	/* golden ids whose members must be read */
	int64		ngroups;
	Tuplestorestate *seen;		/* (source, key) of stored records that were
								 * read in a round before */
	int64		nseen;
	Tuplestorestate *found;		/* of those that this round read */
	int64		nfound;
	FmgrInfo	id_cmp;
	Oid			id_collation;
} Linker;

/* Note a golden id that must settle. */
extern void ssot_linker_touch(Linker *linker, Datum id);

/* The order of (source index, key bytes). */
extern int	ssot_compare_node_key(const SsotNode *node, int source, const char *key);

/* Put the active nodes together by their tokens and give each its golden id. */
extern void ssot_regroup(Linker *linker);

#endif							/* SSOT_LINKER_H */
