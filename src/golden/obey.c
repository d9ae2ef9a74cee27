/*
 * golden/obey.c
 *		Linking as people decided: "same" and "different" outrank tokens.
 *
 * A decision names two records. Names are nodes of their own, tied to the
 * records that bear them, so a decision goes on working while one of its
 * records is absent: what two records share through a third that has vanished
 * they still share.
 *
 * Without "different" there is nothing but more pairs. With it, a component of
 * records that pairs connect may have to be cut. Where it is cut must depend on
 * nothing but its records, their tokens and the decisions. So such a component
 * is put together anew from its parts in a fixed order:
 *
 *		1. a name and its records
 *		2. decisions "same", oldest first
 *		3. tokens, in the order of their bytes; the records of a token in the
 *		   order of source rank and key
 *		4. what people wrote, and its anchor
 *
 * and no step may bring together what is different (identity/apart.c). As a
 * split ties what stays and what leaves together by "same", tokens decide only
 * about records that arrived after it.
 *
 * Groups that a cut separated share tokens, so groups are no longer closed under
 * tokens; but any two that share one are different by some decision. Following
 * decisions from group to group therefore finds the whole component.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "golden/decision.h"
#include "golden/linker.h"
#include "identity/apart.h"

#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* ---- which decisions ----------------------------------------------------- */

/* The names that were met; decisions and groups of "fresh" ones are not known. */
typedef struct SsotDecisionSearch Search;
struct SsotDecisionSearch
{
	Linker	   *linker;
	HTAB	   *known;			/* of NameEntry */
	HTAB	   *decisions;		/* numbers of those that were read */
	TupleDesc	name_desc;
	Tuplestorestate *fresh;
	int64		nfresh;
	Tuplestorestate *mentioned; /* by decisions */
	int64	   *nmentioned;
	int			nnodes;			/* whose names were met */
};

typedef struct NameEntry
{
	const char *name;
	bool		mentioned;
} NameEntry;

static uint32
hash_name(const void *key, Size size)
{
	const char *name = *(const char *const *) key;

	return hash_bytes((const unsigned char *) name, strlen(name));
}

static int
match_name(const void *a, const void *b, Size size)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static HTAB *
create_name_table(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(const char *);
	control.entrysize = sizeof(NameEntry);
	control.hash = hash_name;
	control.match = match_name;
	control.hcxt = CurrentMemoryContext;
	return hash_create("ssot names", 256, &control,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

static void
put_name(Tuplestorestate *rows, TupleDesc desc, const char *name)
{
	Datum		value = CStringGetTextDatum(name);
	bool		isnull = false;

	tuplestore_putvalues(rows, desc, &value, &isnull);
	pfree(DatumGetPointer(value));
}

static void
meet_name(Search *search, const char *name, bool mentioned)
{
	bool		found;
	NameEntry  *entry = hash_search(search->known, &name, HASH_ENTER, &found);

	if (!found)
	{
		entry->mentioned = false;
		put_name(search->fresh, search->name_desc, name);
		search->nfresh++;
	}
	if (mentioned && !entry->mentioned)
	{
		entry->mentioned = true;
		put_name(search->mentioned, search->name_desc, name);
		(*search->nmentioned)++;
	}
}

/* (golden id or NULL, ssot_source, ssot_key) of a member of a group. */
static bool
take_member_name(TupleTableSlot *slot, void *arg)
{
	Search	   *search = (Search *) arg;
	int			source;

	slot_getallattrs(slot);
	source = ssot_entity_source_id(search->linker->entity, DatumGetInt32(slot->tts_values[1]));
	if (source < 0)
		return true;
	if (!slot->tts_isnull[0])
		ssot_linker_open(search->linker, slot->tts_values[0]);
	meet_name(search, ssot_record_name(search->linker->entity, source,
									   TextDatumGetCString(slot->tts_values[2])), false);
	return true;
}

/* Names of the members of all groups that are open so far. */
static void
meet_opened(Search *search)
{
	Linker	   *linker = search->linker;
	SsotRelation relation = {"ssot_groups", linker->id_desc, linker->groups, linker->ngroups};
	SsotStatement statement = {.nrelations = 1,.relations = &relation};

	if (linker->ngroups == 0)
		return;
	statement.sql = ssot_sql("SELECT NULL::text, s.ssot_source, s.ssot_key"
							 " FROM (SELECT DISTINCT g.id FROM ssot_groups AS g) AS g"
							 " JOIN %T AS s ON s.%I = g.id AND s.ssot_copy <= 0",
							 linker->entity->source_table, linker->entity->id_column);
	ssot_statement_each(&statement, take_member_name, search);
}

/* Open the groups of the records that bear fresh names. */
static void
follow_to_groups(Search *search, Tuplestorestate *names)
{
	const SsotEntity *entity = search->linker->entity;
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	SsotRelation relation = {"ssot_wanted", desc,
	tuplestore_begin_heap(true, false, work_mem), 0};
	SsotStatement statement = {.nrelations = 1,.relations = &relation};
	TupleTableSlot *slot = MakeSingleTupleTableSlot(search->name_desc, &TTSOpsMinimalTuple);

	TupleDescInitEntry(desc, 1, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 2, C_COLLATION_OID);
	tuplestore_rescan(names);
	while (tuplestore_gettupleslot(names, true, false, slot))
	{
		bool		isnull;
		char	   *name = TextDatumGetCString(slot_getattr(slot, 1, &isnull));
		char	   *colon = strchr(name, ':');

		*colon = '\0';
		for (int s = 0; s < entity->nsources; s++)
		{
			Datum		values[2] = {Int32GetDatum(entity->sources[s].source_id),
			CStringGetTextDatum(colon + 1)};
			bool		nulls[2] = {false, false};

			if (strcmp(entity->sources[s].system, name) != 0)
				continue;
			tuplestore_putvalues(relation.rows, desc, values, nulls);
			relation.count++;
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	statement.sql = ssot_sql("SELECT DISTINCT s.%I, o.ssot_source, o.ssot_key"
							 " FROM ssot_wanted AS w"
							 " JOIN %T AS s ON s.ssot_key = w.ssot_key"
							 " AND s.ssot_source = w.ssot_source AND s.ssot_copy <= 0"
							 " JOIN %T AS o ON o.%I = s.%I AND o.ssot_copy <= 0",
							 entity->id_column, entity->source_table, entity->source_table,
							 entity->id_column, entity->id_column);
	if (relation.count > 0)
		ssot_statement_each(&statement, take_member_name, search);
	tuplestore_end(relation.rows);
}

static void
follow_decisions(Search *search, Tuplestorestate *names, int64 nnames)
{
	ListCell   *cell;

	foreach(cell, ssot_decisions_about(search->linker->entity, names, nnames))
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);
		bool		found;

		hash_search(search->decisions, &decision->id, HASH_ENTER, &found);
		if (found)
			continue;
		search->linker->decisions = lappend(search->linker->decisions, decision);
		meet_name(search, decision->a, true);
		meet_name(search, decision->b, true);
	}
}

static int
compare_decisions(const ListCell *a, const ListCell *b)
{
	int64		x = ((const SsotDecision *) lfirst(a))->id;
	int64		y = ((const SsotDecision *) lfirst(b))->id;

	return x < y ? -1 : x > y;
}

static Search *
create_search(Linker *linker)
{
	Search	   *search = palloc0(sizeof(Search));
	HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(int64)};

	control.hcxt = CurrentMemoryContext;
	search->linker = linker;
	search->known = create_name_table();
	search->decisions = hash_create("ssot decisions", 64, &control,
									HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	search->name_desc = ssot_name_desc();
	return search;
}

/* Groups are read in rounds (link.c): what an earlier one met is known. */
void
ssot_linker_read_decisions(Linker *linker, Tuplestorestate *names, int64 *nnames)
{
	Search	   *search = linker->search;

	if (search == NULL && !linker->no_decisions)
		linker->no_decisions = !ssot_decisions_exist(linker->entity);
	if (linker->no_decisions)
		return;
	if (search == NULL)
		search = linker->search = create_search(linker);
	search->mentioned = names;
	search->nmentioned = nnames;
	search->fresh = tuplestore_begin_heap(true, false, work_mem);
	search->nfresh = 0;
	for (; search->nnodes < linker->out->nnodes; search->nnodes++)
	{
		const SsotNode *node = &linker->out->nodes[search->nnodes];

		if (node->active)
			meet_name(search, ssot_record_name(linker->entity, node->source, node->key), false);
	}
	if (!linker->out->first_load)
		meet_opened(search);

	while (search->nfresh > 0)
	{
		Tuplestorestate *turn = search->fresh;
		int64		nturn = search->nfresh;

		CHECK_FOR_INTERRUPTS();
		search->fresh = tuplestore_begin_heap(true, false, work_mem);
		search->nfresh = 0;
		follow_decisions(search, turn, nturn);
		if (!linker->out->first_load)
			follow_to_groups(search, turn);
		tuplestore_end(turn);
	}
	tuplestore_end(search->fresh);
	list_sort(linker->decisions, compare_decisions);
}

/* ---- clusters ------------------------------------------------------------ */

/* Nodes and the names that decisions mention: name v has number nnodes + v. */
typedef struct Clusters
{
	Linker	   *linker;
	int			nnames;
	const char **names;			/* sorted */
	int			n;				/* nodes and names */
	int		   *cluster;		/* of all of them */
	bool	   *cut;			/* by cluster: holds what must not meet */
	int		   *number;			/* of all: place in "order", or -1 */
	int		   *order;			/* what is in cut clusters, in its fixed order */
	int			ncut;
	int		   *members;		/* sets, by place in "order" */
	int64		nmembers;
	int64		member_capacity;
	int64	   *start;
	int			nsets;
	int			set_capacity;
} Clusters;

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int
find_name(const Clusters *clusters, const char *name)
{
	const char **found = bsearch(&name, clusters->names, clusters->nnames,
								 sizeof(char *), compare_names);

	return found == NULL ? -1 : clusters->linker->out->nnodes + (int) (found - clusters->names);
}

static void
collect_names(Clusters *clusters)
{
	Linker	   *linker = clusters->linker;
	ListCell   *cell;
	int			n = 0;

	clusters->names = palloc(sizeof(char *) * Max(2 * list_length(linker->decisions), 1));
	foreach(cell, linker->decisions)
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);

		clusters->names[n++] = decision->a;
		clusters->names[n++] = decision->b;
	}
	qsort(clusters->names, n, sizeof(char *), compare_names);
	for (int i = 0; i < n; i++)
		if (i == 0 || strcmp(clusters->names[i], clusters->names[i - 1]) != 0)
			clusters->names[clusters->nnames++] = clusters->names[i];
	clusters->n = linker->out->nnodes + clusters->nnames;
}

/* Tie names to their records; decisions "same" are pairs like any other. */
static void
pair_by_decisions(Clusters *clusters)
{
	Linker	   *linker = clusters->linker;
	ListCell   *cell;

	for (int i = 0; i < linker->out->nnodes; i++)
	{
		const SsotNode *node = &linker->out->nodes[i];
		char	   *name;
		int			v;

		if (!node->active)
			continue;
		name = ssot_record_name(linker->entity, node->source, node->key);
		v = find_name(clusters, name);
		if (v >= 0)
			ssot_linker_pair(linker, i, v);
		pfree(name);
	}
	foreach(cell, linker->decisions)
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);

		if (decision->same)
			ssot_linker_pair(linker, find_name(clusters, decision->a),
							 find_name(clusters, decision->b));
	}
}

static Clusters *sorting;		/* for qsort */

/* Records by source rank and key, then names by their bytes. */
static int
compare_places(const void *a, const void *b)
{
	int			x = *(const int *) a;
	int			y = *(const int *) b;
	int			nnodes = sorting->linker->out->nnodes;
	const SsotNode *nodes = sorting->linker->out->nodes;

	if (x >= nnodes || y >= nnodes)
		return x - y;			/* names are sorted already, and last */
	return ssot_compare_node_key(&nodes[x], nodes[y].source, nodes[y].key);
}

/* Find the clusters that hold what must not meet; false if there is none. */
static bool
find_cut(Clusters *clusters)
{
	ListCell   *cell;
	bool		any = false;

	clusters->cut = palloc_extended(sizeof(bool) * clusters->n,
									MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	foreach(cell, clusters->linker->decisions)
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);
		int			a;
		int			b;

		if (decision->same)
			continue;
		a = clusters->cluster[find_name(clusters, decision->a)];
		b = clusters->cluster[find_name(clusters, decision->b)];
		if (a == b)
			any = clusters->cut[a] = true;
	}
	return any;
}

static bool
in_cut(const Clusters *clusters, int i)
{
	return clusters->cut[clusters->cluster[i]] &&
		(i >= clusters->linker->out->nnodes || clusters->linker->out->nodes[i].active);
}

static void
put_in_order(Clusters *clusters)
{
	clusters->order = palloc_extended(sizeof(int) * clusters->n, MCXT_ALLOC_HUGE);
	clusters->number = palloc_extended(sizeof(int) * clusters->n, MCXT_ALLOC_HUGE);
	for (int i = 0; i < clusters->n; i++)
	{
		clusters->number[i] = -1;
		if (in_cut(clusters, i))
			clusters->order[clusters->ncut++] = i;
	}
	sorting = clusters;
	qsort(clusters->order, clusters->ncut, sizeof(int), compare_places);
	for (int i = 0; i < clusters->ncut; i++)
		clusters->number[clusters->order[i]] = i;
}

static void
add_member(Clusters *clusters, int i)
{
	if (clusters->nmembers == clusters->member_capacity)
	{
		clusters->member_capacity = Max(64, clusters->member_capacity * 2);
		clusters->members = clusters->members == NULL ?
			palloc(sizeof(int) * clusters->member_capacity) :
			repalloc_huge(clusters->members, sizeof(int) * clusters->member_capacity);
	}
	clusters->members[clusters->nmembers++] = clusters->number[i];
}

/* The members added since the last call are a set. */
static void
end_set(Clusters *clusters)
{
	if (clusters->nsets + 1 >= clusters->set_capacity)
	{
		clusters->set_capacity = Max(64, clusters->set_capacity * 2);
		clusters->start = clusters->start == NULL ?
			palloc0(sizeof(int64) * clusters->set_capacity) :
			repalloc_huge(clusters->start, sizeof(int64) * clusters->set_capacity);
	}
	clusters->start[++clusters->nsets] = clusters->nmembers;
}

static void
add_pair_set(Clusters *clusters, int a, int b)
{
	if (clusters->number[a] < 0 || clusters->number[b] < 0)
		return;
	add_member(clusters, a);
	add_member(clusters, b);
	end_set(clusters);
}

static int
compare_entries(const void *a, const void *b)
{
	const TokenEntry *x = (const TokenEntry *) a;
	const TokenEntry *y = (const TokenEntry *) b;
	int			result = strcmp(x->text, y->text);

	return result != 0 ? result : sorting->number[x->node] - sorting->number[y->node];
}

static void
add_token_sets(Clusters *clusters)
{
	Linker	   *linker = clusters->linker;
	TokenEntry *entries = palloc_extended(sizeof(TokenEntry) * Max(linker->ntokens, 1),
										  MCXT_ALLOC_HUGE);
	int64		n = 0;

	for (int64 i = 0; i < linker->ntokens; i++)
		if (clusters->number[linker->tokens[i].node] >= 0)
			entries[n++] = linker->tokens[i];
	qsort(entries, n, sizeof(TokenEntry), compare_entries);
	for (int64 i = 0; i < n; i++)
	{
		add_member(clusters, entries[i].node);
		if (i + 1 == n || strcmp(entries[i].text, entries[i + 1].text) != 0)
			end_set(clusters);
	}
	pfree(entries);
}

/* Put the cut clusters together anew. */
static void
cluster_anew(Clusters *clusters, int64 first_decision_pair)
{
	Linker	   *linker = clusters->linker;
	int			(*forbidden)[2] = palloc(sizeof(int[2]) * list_length(linker->decisions));
	int			nforbidden = 0;
	int		   *cluster = palloc_extended(sizeof(int) * clusters->ncut, MCXT_ALLOC_HUGE);
	ListCell   *cell;

	/* names and their records come first, then "same", oldest first */
	for (int64 i = first_decision_pair; i < linker->npairs; i++)
		add_pair_set(clusters, linker->pairs[i].a, linker->pairs[i].b);
	add_token_sets(clusters);
	for (int64 i = linker->first_follower; i < first_decision_pair; i++)
		add_pair_set(clusters, linker->pairs[i].a, linker->pairs[i].b);
	foreach(cell, linker->decisions)
	{
		SsotDecision *decision = (SsotDecision *) lfirst(cell);
		int			a = clusters->number[find_name(clusters, decision->a)];
		int			b = clusters->number[find_name(clusters, decision->b)];

		if (decision->same || a < 0 || b < 0)
			continue;
		forbidden[nforbidden][0] = a;
		forbidden[nforbidden++][1] = b;
	}
	ssot_cluster_apart(clusters->ncut, clusters->members, clusters->start, clusters->nsets,
					   (const int (*)[2]) forbidden, nforbidden, cluster);
	for (int i = 0; i < clusters->ncut; i++)
		clusters->cluster[clusters->order[i]] = clusters->order[cluster[i]];
}

void
ssot_linker_cluster(Linker *linker, int *cluster)
{
	Clusters	clusters = {.linker = linker};
	int64		first_decision_pair = linker->npairs;

	if (linker->decisions == NIL)
	{
		ssot_cluster(linker->out->nnodes, linker->pairs, linker->npairs, 1.0, cluster);
		return;
	}
	collect_names(&clusters);
	pair_by_decisions(&clusters);
	clusters.cluster = palloc_extended(sizeof(int) * clusters.n, MCXT_ALLOC_HUGE);
	ssot_cluster(clusters.n, linker->pairs, linker->npairs, 1.0, clusters.cluster);
	if (find_cut(&clusters))
	{
		put_in_order(&clusters);
		cluster_anew(&clusters, first_decision_pair);
	}
	/* the first of a cluster is a record wherever it holds one */
	memcpy(cluster, clusters.cluster, sizeof(int) * linker->out->nnodes);
}
