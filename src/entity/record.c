/*
 * entity/record.c
 *		The shape of a source record.
 *
 * One descriptor serves reading, staging and writing, so that rows pass
 * between the rooms without being taken apart. Statements always name the
 * columns: the companion's physical order follows the history of the canonical
 * table's columns and is nobody's concern.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "entity/record.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"

/* The stored bookkeeping columns, in descriptor order; NULL is the id column. */
static const struct
{
	const char *name;
	Oid			type;
}			bookkeeping[SSOT_REC_FIELDS] =

{
	{"ssot_source", INT4OID},
	{"ssot_key", TEXTOID},
	{"ssot_copy", INT4OID},
	{NULL, InvalidOid},
	{"ssot_updated_at", TIMESTAMPTZOID},
	{"ssot_from", TIMESTAMPTZOID},
	{"ssot_image", INT8OID},
	{"ssot_tokens", INT8OID},
	{"ssot_times", JSONBOID},
	{"ssot_refs", JSONBOID},
	{"ssot_detail", JSONBOID}
};

TupleDesc
ssot_record_desc(const SsotEntity *entity, bool with_tokens)
{
	int			natts = SSOT_REC_FIELDS + entity->nfields + (with_tokens ? 1 : 0);
	TupleDesc	desc = CreateTemplateTupleDesc(natts);

	for (int i = 0; i < SSOT_REC_FIELDS; i++)
		TupleDescInitEntry(desc, i + 1,
						   bookkeeping[i].name ? bookkeeping[i].name : entity->id_column,
						   bookkeeping[i].name ? bookkeeping[i].type : entity->id_type,
						   -1, 0);
	TupleDescInitEntryCollation(desc, SSOT_REC_KEY, C_COLLATION_OID);

	for (int f = 0; f < entity->nfields; f++)
	{
		AttrNumber	attnum = SSOT_REC_FIELDS + 1 + f;

		TupleDescInitEntry(desc, attnum, entity->fields[f].name,
						   entity->fields[f].base_type,
						   entity->fields[f].base_typmod, 0);
		TupleDescInitEntryCollation(desc, attnum, entity->fields[f].collation);
	}
	if (with_tokens)
		TupleDescInitEntry(desc, natts, "tokens", TEXTARRAYOID, -1, 0);
	return BlessTupleDesc(desc);
}

TupleDesc
ssot_id_desc(const SsotEntity *entity)
{
	TupleDesc	desc = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(desc, 1, "id", entity->id_type, -1, 0);
	return desc;
}

TupleDesc
ssot_token_desc(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(3);

	TupleDescInitEntry(desc, 1, "token", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 2, "ssot_source", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 3, "ssot_key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, 1, C_COLLATION_OID);
	TupleDescInitEntryCollation(desc, 3, C_COLLATION_OID);
	return desc;
}

char *
ssot_record_columns(const SsotEntity *entity, const char *prefix)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < SSOT_REC_FIELDS; i++)
		ssot_sql_append(&buf, "%s%s%I", i > 0 ? ", " : "", prefix,
						bookkeeping[i].name ? bookkeeping[i].name : entity->id_column);
	for (int f = 0; f < entity->nfields; f++)
		ssot_sql_append(&buf, ", %s%I", prefix, entity->fields[f].name);
	return buf.data;
}
