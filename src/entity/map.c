/*
 * entity/map.c
 *		Reading the Entity Map: one entity with its fields, sources, authority.
 *
 * What the table's DDL says (columns, types, foreign keys) is read from the
 * relation cache, what people declared from the configuration tables: four
 * small statements per entity. Nothing is kept between calls; a cache of
 * mutable rows would go stale for ever when its invalidation arrives under an
 * old REPEATABLE READ snapshot.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/foreign_key.h"
#include "common/ident.h"
#include "entity/config.h"
#include "entity/declare.h"
#include "entity/map.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"

static SsotQuery entity_query = {
	.sql =
	"SELECT e.id_column, e.canonical_system,\n"
	"       e.max_quarantine::pg_catalog.float8, e.max_retire::pg_catalog.float8,\n"
	"       e.pin_policy = 'retire'\n"
	"FROM ssot.entity AS e\n"
	"WHERE e.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery field_query = {
	.sql =
	"SELECT f.field, f.systems, f.only_listed, f.strategy, f.null_policy,\n"
	"       f.field_group, f.tolerance, f.pin_policy = 'retire'\n"
	"FROM ssot.field AS f\n"
	"WHERE f.entity = $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* A source without a relation is built in, waits to be declared again (kept.c), or
 * was dropped (source.c) and says nothing. */
static SsotQuery source_query = {
	.sql =
	"SELECT s.source_id, s.source, s.system, s.relation, s.rank, s.role, s.creates,\n"
	"       s.grain, s.level, s.expects, s.mapping, s.compiled, s.map_version,\n"
	"       s.reading, s.overlap, s.full_every\n"
	"FROM ssot.source AS s\n"
	"WHERE s.entity = $1\n"
	"  AND (s.relation IS NOT NULL OR s.source IN ('steward', 'manual') OR s.compiled <> '{}')\n"
	"ORDER BY s.rank, s.source_id",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static SsotQuery registered_query = {
	.sql =
	"SELECT e.entity, e.id_column\n"
	"FROM ssot.entity AS e\n"
	"WHERE e.entity = ANY ($1)",
	.nargs = 1,
	.argtypes = {TEXTARRAYOID}
};

/* A single-column foreign key of the canonical table. */
typedef struct ForeignKey
{
	AttrNumber	attnum;
	Oid			target;
	char	   *target_name;
	char	   *target_column;
} ForeignKey;

/* What the row callbacks fill in. */
typedef struct LoadState
{
	SsotEntity *entity;
	int			allocated;		/* sources */
	List	  **listed;			/* by field: systems in their declared order */
	List	   *keys;			/* of ForeignKey */
} LoadState;

char *
ssot_entity_name(Oid relid)
{
	bool		quote_all = quote_all_identifiers;
	char	   *name;

	ssot_require_relation(relid);	/* no error while the setting is changed */
	quote_all_identifiers = false;
	name = ssot_relation_name(relid);
	quote_all_identifiers = quote_all;
	return name;
}

static char *
slot_text(TupleTableSlot *slot, int attnum)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static Datum
slot_value(TupleTableSlot *slot, int attnum)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d of a configuration row", attnum);
	return value;
}

/*
 * Fields: every column of the table that sources may feed.
 */
static void
init_field(SsotField *field, Form_pg_attribute att)
{
	memset(field, 0, sizeof(*field));
	field->name = pstrdup(NameStr(att->attname));
	field->attnum = att->attnum;
	field->type = att->atttypid;
	field->typmod = att->atttypmod;
	field->base_typmod = att->atttypmod;
	field->base_type = getBaseTypeAndTypmod(att->atttypid, &field->base_typmod);
	field->collation = att->attcollation;
	field->typlen = att->attlen;
	field->typbyval = att->attbyval;
	field->typalign = att->attalign;
	field->not_null = att->attnotnull;
	field->is_text = TypeCategory(field->base_type) == TYPCATEGORY_STRING;
}

static void
load_fields(SsotEntity *entity, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	entity->fields = palloc0(sizeof(SsotField) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || att->attgenerated != '\0')
			continue;
		if (strcmp(NameStr(att->attname), entity->id_column) == 0)
		{
			entity->id_attnum = att->attnum;
			entity->id_type = getBaseType(att->atttypid);
			entity->id_typlen = att->attlen;
			entity->id_typbyval = att->attbyval;
		}
		else if (strcmp(NameStr(att->attname), SSOT_VALID_FROM) != 0 &&
				 strcmp(NameStr(att->attname), SSOT_RETIRED_AT) != 0)
			init_field(&entity->fields[entity->nfields++], att);
	}
	if (entity->id_attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("entity \"%s\" has lost its primary key column \"%s\"",
						entity->name, entity->id_column),
				 errhint("Restore the column, or call ssot.unregister_entity.")));
}

static SsotStrategy
strategy_of(const char *name)
{
	static const char *const names[] = {"authority", "most_recent", "most_frequent",
	"longest", "min", "max", "oldest"};

	for (int i = 0; i < lengthof(names); i++)
		if (strcmp(name, names[i]) == 0)
			return (SsotStrategy) i;
	elog(ERROR, "unknown strategy \"%s\"", name);
}

static SsotNullPolicy
null_policy_of(const char *name)
{
	if (strcmp(name, "clear") == 0)
		return SSOT_NULL_CLEAR;
	if (strcmp(name, "clear_if_authoritative") == 0)
		return SSOT_NULL_CLEAR_IF_AUTHORITATIVE;
	return SSOT_NULL_IGNORE;
}

List *
ssot_text_array_list(Datum array)
{
	List	   *list = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		list = lappend(list, nulls[i] ? NULL : TextDatumGetCString(elements[i]));
	return list;
}

/* A row of ssot.field; one for a column that is gone is passed over. */
static bool
take_field(TupleTableSlot *slot, void *arg)
{
	LoadState  *state = (LoadState *) arg;
	int			f = ssot_entity_field(state->entity, slot_text(slot, 1));
	bool		isnull;
	Datum		tolerance;
	Datum		retires;
	SsotField  *field;

	if (f < 0)
		return true;
	field = &state->entity->fields[f];
	state->listed[f] = ssot_text_array_list(slot_value(slot, 2));
	field->only_listed = DatumGetBool(slot_value(slot, 3));
	field->strategy = strategy_of(slot_text(slot, 4));
	field->null_policy = null_policy_of(slot_text(slot, 5));
	field->group = slot_text(slot, 6);
	tolerance = slot_getattr(slot, 7, &isnull);
	field->has_tolerance = !isnull;
	field->tolerance = isnull ? 0 : DatumGetFloat8(tolerance);
	retires = slot_getattr(slot, 8, &isnull);
	if (!isnull)
		field->retires_pins = DatumGetBool(retires);
	return true;
}

/*
 * Foreign keys to registered entities.
 */
static bool
take_registered(TupleTableSlot *slot, void *arg)
{
	LoadState  *state = (LoadState *) arg;
	char	   *name = slot_text(slot, 1);
	char	   *id_column = slot_text(slot, 2);
	ListCell   *lc;

	foreach(lc, state->keys)
	{
		ForeignKey *key = (ForeignKey *) lfirst(lc);

		if (strcmp(key->target_name, name) != 0 ||
			strcmp(key->target_column, id_column) != 0)
			continue;
		for (int f = 0; f < state->entity->nfields; f++)
		{
			SsotField  *field = &state->entity->fields[f];

			if (field->attnum != key->attnum || OidIsValid(field->references))
				continue;
			field->references = key->target;
			field->references_entity = pstrdup(name);
		}
	}
	return true;
}

static void
load_references(LoadState *state, Relation rel)
{
	ListCell   *lc;
	Datum	   *names;
	Datum		array;
	int			count = 0;

	foreach(lc, ssot_foreign_keys(rel))
	{
		ForeignKeyCacheInfo *info = (ForeignKeyCacheInfo *) lfirst(lc);
		ForeignKey *key;

		if (info->nkeys != 1)
			continue;
		key = palloc(sizeof(ForeignKey));
		key->attnum = info->conkey[0];
		key->target = info->confrelid;
		key->target_name = ssot_entity_name(info->confrelid);
		key->target_column = get_attname(info->confrelid, info->confkey[0], false);
		state->keys = lappend(state->keys, key);
	}
	if (state->keys == NIL)
		return;

	names = palloc(sizeof(Datum) * list_length(state->keys));
	foreach(lc, state->keys)
		names[count++] = CStringGetTextDatum(((ForeignKey *) lfirst(lc))->target_name);
	array = PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
	ssot_config_each(&registered_query, &array, NULL, take_registered, state);
}

/*
 * Sources.
 */
static void
init_maps(SsotSource *source, const SsotEntity *entity)
{
	JsonbValue	scratch;
	JsonbValue *fields;

	source->maps = palloc0(sizeof(bool) * Max(entity->nfields, 1));
	if (source->is_steward || source->is_manual)
	{
		memset(source->maps, true, entity->nfields);
		return;
	}
	fields = getKeyJsonValueFromContainer(&source->compiled->root, "fields", 6, &scratch);
	if (fields == NULL || fields->type != jbvBinary)
		return;
	for (int f = 0; f < entity->nfields; f++)
	{
		JsonbValue	value;
		const char *name = entity->fields[f].name;

		source->maps[f] = getKeyJsonValueFromContainer(fields->val.binary.data, name,
													   strlen(name), &value) != NULL;
	}
}

static void
take_reading(SsotSource *source, TupleTableSlot *slot)
{
	const char *reading = slot_text(slot, 14);
	bool		isnull;
	Datum		full_every = slot_getattr(slot, 16, &isnull);

	source->reading = strcmp(reading, "capture") == 0 ? SSOT_READING_CAPTURE :
		strcmp(reading, "watermark") == 0 ? SSOT_READING_WATERMARK : SSOT_READING_FULL;
	source->overlap = *DatumGetIntervalP(slot_value(slot, 15));
	source->has_full_every = !isnull;
	if (!isnull)
		source->full_every = *DatumGetIntervalP(full_every);
}

static bool
take_source(TupleTableSlot *slot, void *arg)
{
	LoadState  *state = (LoadState *) arg;
	SsotEntity *entity = state->entity;
	SsotSource *source;

	if (entity->nsources == state->allocated)
	{
		state->allocated *= 2;
		entity->sources = repalloc(entity->sources,
								   sizeof(SsotSource) * state->allocated);
	}
	source = &entity->sources[entity->nsources];
	memset(source, 0, sizeof(*source));
	source->source_id = DatumGetInt32(slot_value(slot, 1));
	source->name = slot_text(slot, 2);
	source->system = slot_text(slot, 3);
	source->relation = slot_text(slot, 4);
	source->rank = DatumGetInt32(slot_value(slot, 5));
	source->is_steward = source->relation == NULL && strcmp(source->name, "steward") == 0;
	source->is_manual = source->relation == NULL && strcmp(source->name, "manual") == 0;
	source->consumer = strcmp(slot_text(slot, 6), "consumer") == 0;
	source->creates = DatumGetBool(slot_value(slot, 7));
	source->grain_part = strcmp(slot_text(slot, 8), "part") == 0;
	source->level = slot_text(slot, 9);
	source->expects = slot_text(slot, 10);
	source->mapping = DatumGetJsonbPCopy(slot_value(slot, 11));
	source->compiled = DatumGetJsonbPCopy(slot_value(slot, 12));
	source->map_version = DatumGetInt64(slot_value(slot, 13));
	take_reading(source, slot);
	init_maps(source, entity);
	if (source->is_steward)
		entity->steward = entity->nsources;
	if (source->is_manual)
		entity->manual = entity->nsources;
	entity->nsources++;
	return true;
}

/*
 * Authority.
 */

/* Give the next rank to a system, unless it has one; true if it took it. */
static bool
rank_system(const SsotEntity *entity, int *authority, const char *system, int rank)
{
	bool		taken = false;

	for (int s = 0; s < entity->nsources; s++)
	{
		const SsotSource *source = &entity->sources[s];

		if (source->consumer || source->is_steward || authority[s] >= 0 ||
			strcmp(source->system, system) != 0)
			continue;
		authority[s] = rank;
		taken = true;
	}
	return taken;
}

/*
 * The ranks of all sources for one field: the steward, the systems listed, the
 * canonical system, the others in the order of their first source, manual.
 * "sources" is in rank order, so its order is that of the first sources; one that
 * only consumes gives its system no place. A system that is named uses up its rank
 * without a source: ranks do not move when its source arrives, and meanwhile nobody
 * else is authoritative.
 */
static void
rank_sources(const SsotEntity *entity, const SsotField *field, List *listed, int *authority)
{
	int			rank = 1;
	ListCell   *lc;

	for (int s = 0; s < entity->nsources; s++)
		authority[s] = entity->sources[s].is_steward ? 0 : -1;
	foreach(lc, listed)
		rank_system(entity, authority, (const char *) lfirst(lc), rank++);
	if (field->only_listed)
		return;
	if (entity->canonical_system != NULL)
		rank_system(entity, authority, entity->canonical_system, rank++);
	for (int s = 0; s < entity->nsources; s++)
		if (!entity->sources[s].is_manual && !entity->sources[s].consumer &&
			strcmp(entity->sources[s].system, "manual") != 0 &&
			rank_system(entity, authority, entity->sources[s].system, rank))
			rank++;
	rank_system(entity, authority, "manual", rank);
}

static char *
companion_name(const SsotEntity *entity, const char *suffix)
{
	return ssot_qualified_name(psprintf("%s_ssot", entity->schema),
							   psprintf("%s_%s", entity->table, suffix));
}

void
ssot_name_companions(SsotEntity *entity)
{
	entity->source_table = companion_name(entity, "source");
	entity->source_history_table = companion_name(entity, "source_history");
	entity->history_table = companion_name(entity, "history");
	entity->drift_table = companion_name(entity, "drift");
	entity->quarantine_table = companion_name(entity, "quarantine");
	entity->held_table = companion_name(entity, "held");
	entity->key_table = companion_name(entity, "key");
	entity->match_table = companion_name(entity, "match");
}

static bool
load_entity_row(SsotEntity *entity)
{
	Datum		name = CStringGetTextDatum(entity->name);
	Datum		values[5];
	bool		isnull[5];

	if (!ssot_config_one(&entity_query, &name, NULL, 5, values, isnull))
		return false;
	entity->id_column = TextDatumGetCString(values[0]);
	entity->canonical_system = isnull[1] ? NULL : TextDatumGetCString(values[1]);
	entity->max_quarantine = DatumGetFloat8(values[2]);
	entity->max_retire = DatumGetFloat8(values[3]);
	entity->retires_pins = DatumGetBool(values[4]);
	return true;
}

/*
 * Takes ACCESS SHARE on the table and keeps it until the transaction ends, so
 * that the columns stay what the struct says.
 */
SsotEntity *
ssot_entity_load(Oid relid, bool missing_ok)
{
	SsotEntity *entity = palloc0(sizeof(SsotEntity));
	LoadState	state = {.entity = entity};
	Relation	rel;
	Datum		name;

	ssot_require_relation(relid);
	rel = table_open(relid, AccessShareLock);
	entity->relid = relid;
	entity->name = ssot_entity_name(relid);
	entity->schema = get_namespace_name(RelationGetNamespace(rel));
	entity->table = pstrdup(RelationGetRelationName(rel));
	entity->steward = entity->manual = -1;
	if (!load_entity_row(entity))
	{
		table_close(rel, NoLock);
		if (missing_ok)
			return NULL;
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not a registered entity", entity->name),
				 errhint("Call ssot.register_entity(%s) first.",
						 quote_literal_cstr(entity->name))));
	}
	load_fields(entity, rel);
	for (int f = 0; f < entity->nfields; f++)
		entity->fields[f].retires_pins = entity->retires_pins;
	load_references(&state, rel);
	table_close(rel, NoLock);

	name = CStringGetTextDatum(entity->name);
	state.listed = palloc0(sizeof(List *) * Max(entity->nfields, 1));
	ssot_config_each(&field_query, &name, NULL, take_field, &state);
	state.allocated = 8;
	entity->sources = palloc(sizeof(SsotSource) * state.allocated);
	ssot_config_each(&source_query, &name, NULL, take_source, &state);
	if (entity->steward < 0 || entity->manual < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("entity \"%s\" has lost a built-in source", entity->name),
				 errhint("Call ssot.unregister_entity and ssot.register_entity.")));

	entity->authority = palloc(sizeof(int) * Max(entity->nfields, 1) * entity->nsources);
	for (int f = 0; f < entity->nfields; f++)
		rank_sources(entity, &entity->fields[f], state.listed[f],
					 &entity->authority[f * entity->nsources]);
	ssot_name_companions(entity);
	return entity;
}

bool
ssot_field_is_fed(const SsotEntity *entity, int field)
{
	for (int s = 0; s < entity->nsources; s++)
		if (!entity->sources[s].is_steward && !entity->sources[s].is_manual &&
			entity->sources[s].maps[field])
			return true;
	return false;
}

int
ssot_entity_field(const SsotEntity *entity, const char *name)
{
	for (int f = 0; f < entity->nfields; f++)
		if (strcmp(entity->fields[f].name, name) == 0)
			return f;
	return -1;
}

int
ssot_entity_source(const SsotEntity *entity, const char *name)
{
	for (int s = 0; s < entity->nsources; s++)
		if (strcmp(entity->sources[s].name, name) == 0)
			return s;
	return -1;
}

int
ssot_entity_source_id(const SsotEntity *entity, int source_id)
{
	for (int s = 0; s < entity->nsources; s++)
		if (entity->sources[s].source_id == source_id)
			return s;
	return -1;
}

/*
 * Looked up in the catalogue, not through the search path: the user of a
 * canonical table need not have USAGE on the companions' schema.
 */
Oid
ssot_companion_oid(const char *qualified_name)
{
	List	   *names = ssot_name_list(qualified_name);
	Oid			schema = get_namespace_oid(strVal(linitial(names)), true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(strVal(lsecond(names)), schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("companion table \"%s\" does not exist", qualified_name),
				 errdetail("It was made by ssot.register_entity and has been dropped or renamed."),
				 errhint("Restore it, or call ssot.unregister_entity and ssot.register_entity.")));
	return relid;
}

char *
ssot_field_list(const SsotEntity *entity, const char *prefix)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(&buf, "%s%s%I", f > 0 ? ", " : "", prefix, entity->fields[f].name);
	return buf.data;
}
