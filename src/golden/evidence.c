/*
 * golden/evidence.c
 *		What a stored record says about a field besides its value.
 *
 * A value alone does not explain itself: when it was said, which code could not
 * be translated, which parent it waits for and who pinned it are kept in three
 * jsonb columns, which most records leave NULL.
 */
#include "postgres.h"

#include "ssot.h"
#include "golden/evidence.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

static JsonbValue *
member_of(JsonbContainer *object, const char *name)
{
	if (!JsonContainerIsObject(object))
		return NULL;
	return getKeyJsonValueFromContainer(object, name, strlen(name), NULL);
}

/* A scalar as text; NULL for null and for what is no scalar. */
static char *
scalar_text(const JsonbValue *value)
{
	if (value == NULL)
		return NULL;
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

bool
ssot_record_time(const SsotRecord *record, const char *field, TimestampTz *time)
{
	char	   *text = record->times == NULL ? NULL :
	scalar_text(member_of(&record->times->root, field));

	if (text == NULL)
		text = ssot_record_detail(record, field, "at"); /* a pin */
	if (text == NULL)
	{
		*time = record->updated_at;
		return record->has_updated_at;
	}
	*time = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
													CStringGetDatum(text),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
	return true;
}

char *
ssot_record_ref(const SsotRecord *record, const char *field)
{
	return record->refs == NULL ? NULL :
		scalar_text(member_of(&record->refs->root, field));
}

char *
ssot_record_detail(const SsotRecord *record, const char *field, const char *member)
{
	JsonbValue *detail;

	if (record->detail == NULL)
		return NULL;
	detail = member_of(&record->detail->root, field);
	if (detail == NULL || detail->type != jbvBinary)
		return NULL;
	return scalar_text(member_of(detail->val.binary.data, member));
}
