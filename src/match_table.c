/*
 * match_table.c
 *		Reading any relation into the matching engine.
 *
 * The rows come by one query whose columns are all text:
 *
 *		SELECT t.id::text, t.source::text, t.name::text, t.given::text, t.family::text
 *		  FROM crm.contact AS t
 *
 * The columns of one comparison are joined here, which takes a fraction of the
 * time that joining them in the query does.
 *
 * A row without a key is an error: what comes out is told by keys.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "common/settings.h"
#include "entity/json.h"
#include "golden/match_default.h"
#include "golden/match_override.h"
#include "identity/large.h"
#include "match_table.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"

/* Groups are bits. */
#define MAX_GROUPS	64

/* ---- what is compared ---------------------------------------------------- */

static List *
field_columns(const SsotMatchTable *table, const JsonbValue *value, const char *field)
{
	List	   *columns = NIL;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	element;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"fields\" of \"%s\" in compare is not a list of columns", field),
				 errhint("Write {\"kind\": \"person_name\", \"fields\": [\"given_name\", \"family_name\"]}.")));
	iterator = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			columns = lappend(columns, ssot_json_string(&element, psprintf("\"fields\" of \"%s\" in compare", field)));
	return columns;
}

static void
check_columns(const SsotMatchTable *table, List *columns)
{
	ListCell   *cell;

	foreach(cell, columns)
		if (get_attnum(table->relid, lfirst(cell)) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" does not exist in \"%s\"", (char *) lfirst(cell),
						get_rel_name(table->relid)),
				 errhint("compare names columns of the relation, or gives their list as \"fields\".")));
}

static void
declare_field(SsotMatchTable *table, const SsotPair *pair)
{
	const char *kind = NULL;
	const JsonbValue *levels = NULL;
	const JsonbValue *weights = NULL;
	List	   *columns = list_make1(pair->name);
	int			f = table->nfields++;

	if (pair->value.type == jbvBinary)
	{
		ListCell   *cell;

		foreach(cell, ssot_json_pairs(&pair->value, psprintf("\"%s\" in compare", pair->name)))
		{
			SsotPair   *member = lfirst(cell);

			if (strcmp(member->name, "kind") == 0)
				kind = ssot_json_string(&member->value, psprintf("the kind of \"%s\" in compare", pair->name));
			else if (strcmp(member->name, "fields") == 0)
				columns = field_columns(table, &member->value, pair->name);
			else if (strcmp(member->name, "levels") == 0)
				levels = &member->value;
			else if (strcmp(member->name, "weights") == 0)
				weights = &member->value;
			else
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("\"%s\" in compare has an unknown member \"%s\"", pair->name, member->name),
						 errhint("The members are \"kind\", \"fields\", \"levels\" and \"weights\".")));
		}
	}
	else
		kind = ssot_json_string(&pair->value, psprintf("\"%s\" in compare", pair->name));
	if (kind == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" in compare has no kind", pair->name)));
	table->kinds[f] = ssot_kind_declared(pair->name, kind, levels, weights);
	table->names[f] = pair->name;
	table->columns[f] = columns;
	check_columns(table, columns);
}

void
ssot_match_declare(SsotMatchTable *table, Jsonb *compare)
{
	JsonbValue	root;
	List	   *pairs;
	ListCell   *cell;

	JsonbToJsonbValue(compare, &root);
	pairs = ssot_json_pairs(&root, "compare");
	if (pairs == NIL || list_length(pairs) > SSOT_MAX_FIELDS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("compare must name one to %d comparisons", SSOT_MAX_FIELDS),
				 errhint("For example {\"name\": \"company\", \"postcode\": \"postcode\"}.")));
	foreach(cell, pairs)
		declare_field(table, lfirst(cell));
}

/* ---- what is not said ---------------------------------------------------- */

List *
ssot_match_primary_key(Oid relid)
{
	Oid			constraint;
	Bitmapset  *columns = get_primary_key_attnos(relid, false, &constraint);
	List	   *names = NIL;

	for (int i = -1; (i = bms_next_member(columns, i)) >= 0;)
		names = lappend(names, get_attname(relid, i + FirstLowInvalidHeapAttributeNumber, false));
	if (names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("\"%s\" has no primary key", get_rel_name(relid)),
				 errhint("Name the columns that identify a row, for example key => '{id}'.")));
	return names;
}

static bool
is_listed(List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

Jsonb *
ssot_match_by_names(Oid relid, List *but, const char *function)
{
	Relation	relation = relation_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	SsotMatchColumn *columns = palloc(sizeof(SsotMatchColumn) * Max(desc->natts, 1));
	Jsonb	   *compare;
	int			n = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		Oid			type = getBaseType(column->atttypid);
		char		category;
		bool		preferred;

		if (column->attisdropped || is_listed(but, NameStr(column->attname)))
			continue;
		get_type_category_preferred(type, &category, &preferred);
		columns[n++] = (SsotMatchColumn)
		{
			.name = NameStr(column->attname),
				.type = type,
				.is_text = category == TYPCATEGORY_STRING
		};
	}
	compare = ssot_match_choose(ssot_relation_name(relid), RelationGetRelationName(relation),
								columns, n, function);
	relation_close(relation, AccessShareLock);
	return compare;
}

/* ---- reading ------------------------------------------------------------- */

typedef struct Reading
{
	SsotMatchTable *table;
	SsotTeam   *team;
	Size		key_bytes;		/* allocated */
	int			key_capacity;
	int			n;
	MemoryContext row_context;
	StringInfoData joined;		/* the texts of several columns */
	uint64		groups[MAX_GROUPS]; /* hashes of their names */
	int			ngroups;
} Reading;

static void
keep_key(Reading *reading, const char *key, int len)
{
	SsotMatchTable *table = reading->table;
	Size		start = table->key_start[reading->n];

	if (start + len > reading->key_bytes)
	{
		reading->key_bytes = Max(reading->key_bytes * 2, start + len);
		SSOT_ENLARGE(table->key_bytes, char, reading->key_bytes);
	}
	memcpy(table->key_bytes + start, key, len);
	reading->n++;
	if (reading->n == reading->key_capacity)
	{
		reading->key_capacity *= 2;
		SSOT_ENLARGE(table->key_start, Size, reading->key_capacity + 1);
	}
	table->key_start[reading->n] = start + len;
}

/* A text of a slot's column, NULL if it is null. */
static const char *
slot_text(TupleTableSlot *slot, int column, int *len)
{
	text	   *value;

	if (slot->tts_isnull[column])
		return NULL;
	value = DatumGetTextPP(slot->tts_values[column]);
	*len = VARSIZE_ANY_EXHDR(value);
	return VARDATA_ANY(value);
}

/*
 * The columns of one comparison, beginning with "column", as one text behind
 * those that were joined before; its place is returned, -1 if all are empty.
 */
static int
join_columns(Reading *reading, TupleTableSlot *slot, int column, int ncolumns, int *len)
{
	StringInfo	joined = &reading->joined;
	int			start = joined->len;

	for (int c = 0; c < ncolumns; c++)
	{
		int			n = 0;
		const char *text = slot_text(slot, column + c, &n);

		if (c > 0)
			appendStringInfoChar(joined, SSOT_FIELD_SEPARATOR);
		if (text != NULL)
			appendBinaryStringInfo(joined, text, n);
	}
	*len = joined->len - start;
	return *len == ncolumns - 1 ? -1 : start;
}

/* The texts to compare; what they point at lasts until the next row. */
static void
row_texts(Reading *reading, TupleTableSlot *slot, const char **texts, int *lengths)
{
	SsotMatchTable *table = reading->table;
	int			joined[SSOT_MAX_FIELDS];
	int			column = 2;

	resetStringInfo(&reading->joined);
	for (int f = 0; f < table->nfields; f++)
	{
		int			ncolumns = list_length(table->columns[f]);

		joined[f] = -1;
		texts[f] = NULL;
		if (ncolumns == 1)
			texts[f] = slot_text(slot, column, &lengths[f]);
		else
			joined[f] = join_columns(reading, slot, column, ncolumns, &lengths[f]);
		column += ncolumns;
	}
	for (int f = 0; f < table->nfields; f++)
		if (joined[f] >= 0)
			texts[f] = reading->joined.data + joined[f];
}

/* The bit of a group, by its name. */
static uint64
group_bit(Reading *reading, const char *name, int len)
{
	uint64		hash = ssot_hash_text(name, len);
	int			i = 0;

	while (i < reading->ngroups && reading->groups[i] != hash)
		i++;
	if (i == MAX_GROUPS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("column \"%s\" has more than %d values", reading->table->group_column, MAX_GROUPS),
				 errhint("one_per names the column that tells which system a row comes from.")));
	if (i == reading->ngroups)
		reading->groups[reading->ngroups++] = hash;
	return UINT64CONST(1) << i;
}

static bool
read_row(TupleTableSlot *slot, void *arg)
{
	Reading    *reading = arg;
	SsotMatchTable *table = reading->table;
	MemoryContext old;
	const char *texts[SSOT_MAX_FIELDS];
	int			lengths[SSOT_MAX_FIELDS];
	const char *key;
	const char *group;
	int			key_len;
	int			group_len;
	uint64		groups;

	if ((reading->n & 0xFFF) == 0)
		CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	old = MemoryContextSwitchTo(reading->row_context);
	key = slot_text(slot, 0, &key_len);
	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a row of \"%s\" has no key", get_rel_name(table->relid)),
				 errhint("Name key columns that are never null.")));
	group = slot_text(slot, 1, &group_len);
	groups = group == NULL ? 0 : group_bit(reading, group, group_len);
	row_texts(reading, slot, texts, lengths);
	MemoryContextSwitchTo(old);
	keep_key(reading, key, key_len);
	ssot_team_add(reading->team, ssot_mix(ssot_hash_text(key, key_len)), groups,
				  texts, lengths);
	if ((reading->n & 0xFF) == 0)
		MemoryContextReset(reading->row_context);
	return true;
}

static void
refuse_repeated_keys(const SsotMatchTable *table)
{
	const SsotRecords *records = table->records;

	for (int i = 1; i < records->n; i++)
	{
		int			a = records->arrival[i - 1];
		int			b = records->arrival[i];
		Size		len = table->key_start[a + 1] - table->key_start[a];

		if (records->key_hash[i] == records->key_hash[i - 1] &&
			len == table->key_start[b + 1] - table->key_start[b] &&
			memcmp(table->key_bytes + table->key_start[a], table->key_bytes + table->key_start[b], len) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNIQUE_VIOLATION),
					 errmsg("key \"%s\" occurs more than once in \"%s\"",
							pnstrdup(table->key_bytes + table->key_start[a], len),
							get_rel_name(table->relid)),
					 errhint("Name columns that identify a row.")));
	}
}

/*
 * About how many rows the relation has, if workers may be at work while it is
 * read: no statement may write then, and what a view, a policy or a type of the
 * user's does is not known. 0 otherwise.
 */
static double
expected_rows(const SsotMatchTable *table)
{
	Relation	relation = table_open(table->relid, AccessShareLock);
	char		kind = relation->rd_rel->relkind;
	double		rows = 0;
	bool		known = (kind == RELKIND_RELATION || kind == RELKIND_MATVIEW) &&
	check_enable_rls(table->relid, InvalidOid, true) == RLS_NONE;

	for (int i = 0; i < RelationGetDescr(relation)->natts && known; i++)
		known = TupleDescAttr(RelationGetDescr(relation), i)->attisdropped ||
			TupleDescAttr(RelationGetDescr(relation), i)->atttypid < FirstNormalObjectId;
	if (known)
	{
		BlockNumber pages;
		double		visible;

		estimate_rel_size(relation, NULL, &pages, &rows, &visible);
	}
	table_close(relation, AccessShareLock);
	return rows;
}

void
ssot_match_read(SsotMatchTable *table)
{
	Reading		reading = {.table = table,.key_bytes = 8192,.key_capacity = 1024};
	StringInfoData sql;
	SsotStatement statement = {.read_only = true};
	int			level;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, ", table->key_sql);
	if (table->group_column == NULL)
		appendStringInfoString(&sql, "NULL::pg_catalog.text");
	else
		ssot_sql_append(&sql, "t.%I::pg_catalog.text", table->group_column);
	for (int f = 0; f < table->nfields; f++)
	{
		ListCell   *cell;

		foreach(cell, table->columns[f])
			ssot_sql_append(&sql, ", t.%I::pg_catalog.text", lfirst(cell));
	}
	ssot_sql_append(&sql, " FROM %T AS t", ssot_relation_name(table->relid));

	table->key_bytes = SSOT_LARGE(char, reading.key_bytes);
	table->key_start = SSOT_LARGE(Size, reading.key_capacity + 1);
	table->key_start[0] = 0;
	initStringInfo(&reading.joined);
	reading.row_context = AllocSetContextCreate(CurrentMemoryContext, "row of a relation to match",
												ALLOCSET_DEFAULT_SIZES);
	statement.sql = sql.data;
	level = ssot_settings_begin(false);
	table->team = reading.team = ssot_team_create(table->nfields, table->kinds, table->names,
												  expected_rows(table), NULL);
	ssot_statement_each(&statement, read_row, &reading);
	ssot_settings_end(level);
	MemoryContextDelete(reading.row_context);
	pfree(reading.joined.data);
	table->records = ssot_team_encoded(reading.team);
	refuse_repeated_keys(table);
}
