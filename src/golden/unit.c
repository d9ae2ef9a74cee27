/*
 * golden/unit.c
 *		Units: what matching compares.
 *
 * Matching compares what is known about a thing as a whole, not single records:
 * the CRM has the name and no birth date, the ERP the birth date and no name, and
 * a record without a key that has both is to be found by both.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/textform.h"
#include "golden/decision.h"
#include "golden/unit.h"
#include "identity/kind.h"
#include "identity/large.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* ---- what nodes say ------------------------------------------------------ */

static int
add_column(SsotNodeTexts *texts, int field)
{
	for (int c = 0; c < texts->ncolumns; c++)
		if (texts->columns[c] == field)
			return c;
	texts->columns[texts->ncolumns] = field;
	return texts->ncolumns++;
}

SsotNodeTexts *
ssot_node_texts_create(const SsotEntity *entity, const SsotMatchRules *rules)
{
	SsotNodeTexts *texts = palloc0(sizeof(SsotNodeTexts));
	MemoryContext old;

	texts->entity = entity;
	texts->rules = rules;
	texts->columns = palloc(sizeof(int) * Max(entity->nfields, 1));
	texts->column_of = palloc(sizeof(int *) * Max(rules->ncompared, 1));
	for (int i = 0; i < rules->ncompared; i++)
	{
		const SsotCompared *compared = &rules->compared[i];

		texts->column_of[i] = palloc(sizeof(int) * compared->nfields);
		for (int j = 0; j < compared->nfields; j++)
			texts->column_of[i][j] = add_column(texts, compared->fields[j]);
	}
	texts->context = AllocSetContextCreate(CurrentMemoryContext, "ssot texts of records",
										   ALLOCSET_DEFAULT_SIZES);
	texts->capacity = 64;
	old = MemoryContextSwitchTo(texts->context);
	texts->store = ssot_text_store_create();
	texts->texts = SSOT_LARGE0(char *, texts->capacity * Max(texts->ncolumns, 1));
	MemoryContextSwitchTo(old);
	return texts;
}

static void
make_room(SsotNodeTexts *texts, int nnodes)
{
	Size		row = sizeof(char *) * Max(texts->ncolumns, 1);

	if (nnodes > texts->capacity)
	{
		int64		capacity = Max(nnodes, texts->capacity * 2);

		MemoryContext old = MemoryContextSwitchTo(texts->context);

		texts->texts = ssot_large_realloc(texts->texts, row * capacity);
		MemoryContextSwitchTo(old);
		memset((char *) texts->texts + row * texts->capacity, 0, row * (capacity - texts->capacity));
		texts->capacity = capacity;
	}
}

/* How to write the compared columns. */
static SsotTextForm *
text_forms(const SsotNodeTexts *texts)
{
	SsotTextForm *forms = palloc(sizeof(SsotTextForm) * Max(texts->ncolumns, 1));

	for (int c = 0; c < texts->ncolumns; c++)
		ssot_text_form_init(&forms[c], texts->entity->fields[texts->columns[c]].base_type);
	return forms;
}

static void
keep_text(SsotNodeTexts *texts, SsotTextForm *forms, int node, int column, Datum value)
{
	char	   *text = ssot_text_form(&forms[column], value);

	texts->texts[(Size) node * texts->ncolumns + column] =
		ssot_text_store_keep(texts->store, text, strlen(text));
	pfree(text);
}

static bool
speaks(const Linker *linker, int node)
{
	return linker->out->nodes[node].active &&
		!linker->entity->sources[linker->out->nodes[node].source].is_steward;
}

/* Staged nodes come first, in the order of the staged rows in force. */
static void
read_staged_texts(SsotNodeTexts *texts, Linker *linker, SsotTextForm *forms)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(linker->ingest->desc, &TTSOpsMinimalTuple);
	int			n = -1;

	tuplestore_rescan(linker->ingest->staged);
	while (tuplestore_gettupleslot(linker->ingest->staged, true, false, slot))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (DatumGetInt32(slot_getattr(slot, SSOT_REC_COPY, &isnull)) > 0)
			continue;
		if (!speaks(linker, ++n))
			continue;
		for (int c = 0; c < texts->ncolumns; c++)
		{
			Datum		value = slot_getattr(slot, SSOT_REC_FIELDS + 1 + texts->columns[c], &isnull);

			if (!isnull)
				keep_text(texts, forms, n, c, value);
		}
	}
	ExecDropSingleTupleTableSlot(slot);
}

typedef struct StoredReader
{
	SsotNodeTexts *texts;
	SsotTextForm *forms;
} StoredReader;

/* (node, columns ...) */
static bool
take_stored_text(TupleTableSlot *slot, void *arg)
{
	StoredReader *reader = (StoredReader *) arg;

	slot_getallattrs(slot);
	for (int c = 0; c < reader->texts->ncolumns; c++)
		if (!slot->tts_isnull[c + 1])
			keep_text(reader->texts, reader->forms, DatumGetInt32(slot->tts_values[0]), c,
					  slot->tts_values[c + 1]);
	return true;
}

/*
 * SELECT w.node, s.name, s.email, ...
 *   FROM ssot_wanted AS w
 *   JOIN golden_ssot.customer_source AS s
 *     ON s.ssot_key = w.ssot_key AND s.ssot_source = w.ssot_source AND s.ssot_copy <= 0
 */
static void
read_stored_texts(SsotNodeTexts *texts, Linker *linker, SsotTextForm *forms, int from)
{
	const SsotEntity *entity = linker->entity;
	SsotRelation relation = {"ssot_wanted", ssot_node_desc(),
	tuplestore_begin_heap(true, false, work_mem), 0};
	SsotStatement statement = {.nrelations = 1,.relations = &relation};
	StoredReader reader = {texts, forms};
	StringInfoData columns;

	for (int i = from; i < linker->out->nnodes; i++)
	{
		const SsotNode *node = &linker->out->nodes[i];
		Datum		values[3] = {Int32GetDatum(i),
			Int32GetDatum(entity->sources[node->source].source_id),
		0};
		bool		nulls[3] = {false, false, false};

		if (!speaks(linker, i))
			continue;
		values[2] = CStringGetTextDatum(node->key);
		tuplestore_putvalues(relation.rows, relation.desc, values, nulls);
		pfree(DatumGetPointer(values[2]));
		relation.count++;
	}
	initStringInfo(&columns);
	for (int c = 0; c < texts->ncolumns; c++)
		ssot_sql_append(&columns, ", s.%I", entity->fields[texts->columns[c]].name);
	statement.sql = ssot_sql("SELECT w.node%s FROM ssot_wanted AS w"
							 " JOIN %T AS s ON s.ssot_key = w.ssot_key"
							 " AND s.ssot_source = w.ssot_source AND s.ssot_copy <= 0",
							 columns.data, entity->source_table);
	if (relation.count > 0)
		ssot_statement_each(&statement, take_stored_text, &reader);
	tuplestore_end(relation.rows);
}

void
ssot_node_texts_read(SsotNodeTexts *texts, Linker *linker)
{
	SsotTextForm *forms = text_forms(texts);
	int			from = texts->nnodes;

	if (from == linker->out->nnodes)
		return;
	make_room(texts, linker->out->nnodes);
	if (from == 0 && linker->out->nstaged > 0)
	{
		read_staged_texts(texts, linker, forms);
		from = linker->out->nstaged;
	}
	if (from < linker->out->nnodes)
		read_stored_texts(texts, linker, forms, from);
	texts->nnodes = linker->out->nnodes;
}

/* ---- units --------------------------------------------------------------- */

char *
ssot_join_texts(char *const *texts, int n)
{
	StringInfoData buf;
	bool		any = false;

	if (n == 1)
		return texts[0];
	initStringInfo(&buf);
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(&buf, SSOT_FIELD_SEPARATOR);
		if (texts[i] != NULL)
			appendStringInfoString(&buf, texts[i]);
		any |= texts[i] != NULL;
	}
	if (any)
		return buf.data;
	pfree(buf.data);
	return NULL;
}

static const SsotNode *sorting; /* for qsort */

static int
compare_nodes(const void *a, const void *b)
{
	const SsotNode *x = &sorting[*(const int *) a];
	const SsotNode *y = &sorting[*(const int *) b];

	return ssot_compare_node_key(x, y->source, y->key);
}

/* The nodes that speak, by source rank and key. */
static int *
speaking_nodes(const Linker *linker, int *count)
{
	int		   *order = SSOT_LARGE(int, linker->out->nnodes);
	int			n = 0;

	for (int i = 0; i < linker->out->nnodes; i++)
		if (speaks(linker, i))
			order[n++] = i;
	sorting = linker->out->nodes;
	qsort(order, n, sizeof(int), compare_nodes);
	*count = n;
	return order;
}

/* A number below 64 for each system; those past 63 share one. */
uint64
ssot_system_bit(const SsotEntity *entity, int source)
{
	int			number = 0;

	for (int s = 0; s < entity->nsources; s++)
	{
		bool		first = true;

		for (int before = 0; before < s; before++)
			first &= strcmp(entity->sources[before].system, entity->sources[s].system) != 0;
		if (strcmp(entity->sources[s].system, entity->sources[source].system) == 0)
			break;
		number += first;
	}
	return UINT64CONST(1) << Min(number, 63);
}

/* The columns of a unit: what the first of its nodes says that says anything. */
static void
take_columns(const SsotNodeTexts *texts, char **columns, int node)
{
	for (int c = 0; c < texts->ncolumns; c++)
		if (columns[c] == NULL)
			columns[c] = texts->texts[(Size) node * texts->ncolumns + c];
}

/* What a unit says about each comparison, of what it says about each field. */
static void
join_columns(SsotUnits *units, const SsotNodeTexts *texts, char **columns)
{
	const SsotMatchRules *rules = texts->rules;
	SsotTextStore *store = ssot_text_store_create();

	units->texts = SSOT_LARGE(char *, (Size) units->n * rules->ncompared);
	for (int u = 0; u < units->n; u++)
		for (int i = 0; i < rules->ncompared; i++)
		{
			int			n = rules->compared[i].nfields;
			char	   *parts[SSOT_MAX_COMPARED_FIELDS];
			char	   *text;

			for (int j = 0; j < n; j++)
				parts[j] = columns[(Size) u * texts->ncolumns + texts->column_of[i][j]];
			text = ssot_join_texts(parts, n);
			if (n > 1 && text != NULL)
			{
				char	   *joined = text;

				text = ssot_text_store_keep(store, joined, strlen(joined));
				pfree(joined);
			}
			units->texts[(Size) u * rules->ncompared + i] = text;
		}
}

SsotUnits *
ssot_units_create(const SsotNodeTexts *texts, const Linker *linker, const int *cluster, int known)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ssot units of records",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SsotUnits  *units = palloc0(sizeof(SsotUnits));
	int			nnodes = linker->out->nnodes;
	int			n;
	int		   *order = speaking_nodes(linker, &n);
	int		   *unit_of_cluster = SSOT_LARGE(int, nnodes);
	uint64	   *bits = palloc(sizeof(uint64) * linker->entity->nsources);
	char	  **columns = SSOT_LARGE0(char *, (Size) n * texts->ncolumns);

	units->context = context;
	for (int s = 0; s < linker->entity->nsources; s++)
		bits[s] = ssot_system_bit(linker->entity, s);
	units->of = SSOT_LARGE(int, nnodes);
	units->first = SSOT_LARGE(int, n);
	units->systems = SSOT_LARGE0(uint64, n);
	units->fresh = SSOT_LARGE0(bool, n);
	for (int i = 0; i < nnodes; i++)
		units->of[i] = unit_of_cluster[i] = -1;
	for (int i = 0; i < n; i++)
	{
		int			node = order[i];
		int			unit = unit_of_cluster[cluster[node]];

		if (unit < 0)
		{
			unit = unit_of_cluster[cluster[node]] = units->n++;
			units->first[unit] = node;
		}
		units->of[node] = unit;
		units->systems[unit] |= bits[linker->out->nodes[node].source];
		units->fresh[unit] |= node >= known;
		take_columns(texts, columns + (Size) unit * texts->ncolumns, node);
	}
	join_columns(units, texts, columns);
	units->order = order;
	units->norder = n;
	ssot_large_free(unit_of_cluster);
	ssot_large_free(columns);
	MemoryContextSwitchTo(old);
	return units;
}

void
ssot_units_free(SsotUnits *units)
{
	MemoryContextDelete(units->context);
}

char *
ssot_unit_name(const Linker *linker, const SsotUnits *units, int unit)
{
	const SsotNode *node = &linker->out->nodes[units->first[unit]];

	return ssot_record_name(linker->entity, node->source, node->key);
}

uint64 *
ssot_unit_hashes(const Linker *linker, const SsotUnits *units)
{
	uint64	   *hashes = SSOT_LARGE(uint64, units->n);

	for (int u = 0; u < units->n; u++)
	{
		char	   *name = ssot_unit_name(linker, units, u);

		hashes[u] = ssot_hash_text(name, strlen(name));
		pfree(name);
	}
	return hashes;
}

int
ssot_units_of_record(const Linker *linker, const SsotUnits *units, int source, const char *key)
{
	int			low = 0;
	int			high = units->norder - 1;

	while (low <= high)
	{
		int			middle = low + (high - low) / 2;
		int			node = units->order[middle];
		int			c = ssot_compare_node_key(&linker->out->nodes[node], source, key);

		if (c == 0)
			return units->of[node];
		if (c < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

char *
ssot_compared_texts(const SsotEntity *entity, const SsotMatchRules *rules)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < rules->ncompared; i++)
	{
		const SsotCompared *compared = &rules->compared[i];

		if (i > 0)
			appendStringInfoString(&list, ", ");
		for (int f = 0; f < compared->nfields; f++)
		{
			if (f > 0)
				appendStringInfoString(&list, " || E'\\x1f' || ");
			ssot_sql_append(&list, compared->nfields == 1 ? "s.%I::pg_catalog.text" :
							"COALESCE(s.%I::pg_catalog.text, '')",
							entity->fields[compared->fields[f]].name);
		}
	}
	return list.data;
}
