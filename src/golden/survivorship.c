/*
 * golden/survivorship.c
 *		Choosing, field by field, the value that becomes golden.
 *
 * One pass over the records of one golden id decides every field. Each field
 * has one total order over its candidates, so the outcome depends neither on
 * the order of arrival nor on the time of arrival:
 *
 *		pin, then what the strategy says (authority: the rank of the system;
 *		most_recent: the source time; ...), then authority rank, source time
 *		(latest first, none last), source rank, value, key.
 *
 * Candidates are system records: where two sources of one system hold parts of
 * the same record, a part is out of the race for a field that an earlier part
 * has a value for. Values are ordered by their type's default btree order, text
 * by its bytes (which is its order under "C"), and what compares equal by its
 * bytes again, so that 1.0 and 1.00 have an order too.
 *
 * An absent value is no candidate unless the field's null policy makes it one;
 * a value that could not be taken (unmapped code, waiting parent) is not an
 * absent value and never clears anything.
 */
#include "postgres.h"

#include "ssot.h"
#include "golden/evidence.h"
#include "golden/survivorship.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/sortsupport.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* What is needed to order the values of one field. */
typedef struct FieldOrder
{
	bool		by_bytes;		/* text, or a type without a btree order */
	FmgrInfo	cmp;
	Oid			collation;
	int			group_leader;	/* first field of its group, or itself */
} FieldOrder;

struct SsotSurvivor
{
	const SsotEntity *entity;
	FieldOrder *orders;
	bool		has_parts;		/* some system has several sources here */
};

SsotSurvivor *
ssot_survivor_create(const SsotEntity *entity)
{
	SsotSurvivor *survivor = palloc0(sizeof(SsotSurvivor));

	survivor->entity = entity;
	survivor->orders = palloc0(sizeof(FieldOrder) * Max(entity->nfields, 1));
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];
		FieldOrder *order = &survivor->orders[f];
		TypeCacheEntry *type = lookup_type_cache(field->base_type, TYPECACHE_CMP_PROC_FINFO);

		order->by_bytes = field->is_text || !OidIsValid(type->cmp_proc);
		if (!order->by_bytes)
			fmgr_info_copy(&order->cmp, &type->cmp_proc_finfo, CurrentMemoryContext);
		order->collation = OidIsValid(field->collation) ? C_COLLATION_OID : InvalidOid;
		order->group_leader = f;
		for (int g = 0; field->group != NULL && g < f; g++)
		{
			if (entity->fields[g].group != NULL &&
				strcmp(entity->fields[g].group, field->group) == 0)
			{
				order->group_leader = g;
				break;
			}
		}
	}
	for (int a = 0; a < entity->nsources; a++)
		for (int b = a + 1; b < entity->nsources; b++)
			if (strcmp(entity->sources[a].system, entity->sources[b].system) == 0)
				survivor->has_parts = true;
	return survivor;
}

/* Order two values by their bytes. */
static int
compare_bytes(const SsotField *field, Datum a, Datum b)
{
	if (field->typbyval)
		return a < b ? -1 : (a > b ? 1 : 0);
	if (field->typlen == -1)
	{
		struct varlena *x = PG_DETOAST_DATUM_PACKED(a);
		struct varlena *y = PG_DETOAST_DATUM_PACKED(b);
		Size		n = VARSIZE_ANY_EXHDR(x);
		Size		m = VARSIZE_ANY_EXHDR(y);
		int			result = memcmp(VARDATA_ANY(x), VARDATA_ANY(y), Min(n, m));

		if (result == 0 && n != m)
			result = n < m ? -1 : 1;
		if ((Pointer) x != DatumGetPointer(a))
			pfree(x);
		if ((Pointer) y != DatumGetPointer(b))
			pfree(y);
		return result;
	}
	if (field->typlen == -2)
		return strcmp(DatumGetCString(a), DatumGetCString(b));
	return memcmp(DatumGetPointer(a), DatumGetPointer(b), field->typlen);
}

/* The total order of values; NULL after every value. */
static int
compare_values(SsotSurvivor *survivor, int f,
			   const SsotRecord *a, const SsotRecord *b)
{
	const FieldOrder *order = &survivor->orders[f];
	const SsotField *field = &survivor->entity->fields[f];
	int			result = 0;

	if (a->nulls[f] || b->nulls[f])
		return (int) a->nulls[f] - (int) b->nulls[f];
	if (!order->by_bytes)
		result = DatumGetInt32(FunctionCall2Coll(&survivor->orders[f].cmp, order->collation,
												 a->values[f], b->values[f]));
	if (result == 0)
		result = compare_bytes(field, a->values[f], b->values[f]);
	return result;
}

/* Foreign keys are ordered by the tokens that sources name their targets by: ids
 * are given out in order of arrival, and arrival may not decide. */
static int
compare_references(SsotSurvivor *survivor, int f, const SsotRecord *a, const SsotRecord *b)
{
	char	   *x = ssot_record_ref(a, survivor->entity->fields[f].name);
	char	   *y = ssot_record_ref(b, survivor->entity->fields[f].name);
	int			result;

	if (a->nulls[f] || b->nulls[f] || x == NULL || y == NULL)
		return compare_values(survivor, f, a, b);
	result = strcmp(x, y);
	pfree(x);
	pfree(y);
	return result;
}

static bool
jsonb_has_key(Jsonb *object, const char *name)
{
	JsonbValue	key;

	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return false;
	key.type = jbvString;
	key.val.string.val = (char *) name;
	key.val.string.len = strlen(name);
	return findJsonbValueFromContainer(&object->root, JB_FOBJECT, &key) != NULL;
}

/* The source time of a field: its own where the source gives one. */
static bool
field_time(const SsotRecord *record, const SsotField *field, TimestampTz *result)
{
	if (record->times != NULL)
	{
		JsonbValue	key;
		JsonbValue *value;

		key.type = jbvString;
		key.val.string.val = field->name;
		key.val.string.len = strlen(field->name);
		value = findJsonbValueFromContainer(&record->times->root, JB_FOBJECT, &key);
		if (value != NULL && value->type == jbvString)
		{
			char	   *text = pnstrdup(value->val.string.val, value->val.string.len);

			*result = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
															  CStringGetDatum(text),
															  ObjectIdGetDatum(InvalidOid),
															  Int32GetDatum(-1)));
			return true;
		}
	}
	*result = record->updated_at;
	return record->has_updated_at;
}

static int
authority_of(SsotSurvivor *survivor, int f, const SsotRecord *record)
{
	return survivor->entity->authority[f * survivor->entity->nsources + record->source];
}

static bool
same_system_record(const SsotEntity *entity, const SsotRecord *a, const SsotRecord *b)
{
	return a->source != b->source &&
		strcmp(entity->sources[a->source].system, entity->sources[b->source].system) == 0 &&
		strcmp(a->key, b->key) == 0;
}

/* Does an earlier part of the same system record have a value for the field?
 * Records come in source order, which is rank order. A part that is never
 * believed (a consumer's) has no say. */
static bool
shadowed(SsotSurvivor *survivor, const SsotGroup *group, int r, int f)
{
	for (int p = 0; p < r; p++)
	{
		const SsotRecord *part = &group->records[p];

		if (part->copy == 0 && !part->nulls[f] && authority_of(survivor, f, part) >= 0 &&
			same_system_record(survivor->entity, part, &group->records[r]))
			return true;
	}
	return false;
}

/* Is the absent value of a record a statement that there is none? */
static bool
says_nothing_there(SsotSurvivor *survivor, const SsotGroup *group, int r, int f)
{
	const SsotEntity *entity = survivor->entity;
	const SsotField *field = &entity->fields[f];
	const SsotRecord *record = &group->records[r];

	if (!entity->sources[record->source].maps[f] ||
		entity->sources[record->source].is_manual ||
		jsonb_has_key(record->detail, field->name) ||
		jsonb_has_key(record->refs, field->name))
		return false;
	if (field->null_policy == SSOT_NULL_CLEAR_IF_AUTHORITATIVE &&
		authority_of(survivor, f, record) != 1)
		return false;
	for (int p = 0; p < group->nrecords; p++)
	{
		const SsotRecord *part = &group->records[p];

		/* the system does say something, in another part */
		if (part->copy == 0 && !part->nulls[f] && authority_of(survivor, f, part) >= 0 &&
			same_system_record(entity, part, record))
			return false;
	}
	return true;
}

static bool
is_pin(SsotSurvivor *survivor, const SsotRecord *record, int f)
{
	return survivor->entity->sources[record->source].is_steward &&
		jsonb_has_key(record->detail, survivor->entity->fields[f].name);
}

static bool
is_candidate(SsotSurvivor *survivor, const SsotGroup *group, int r, int f)
{
	const SsotEntity *entity = survivor->entity;
	const SsotRecord *record = &group->records[r];

	if (record->copy != 0)
		return false;
	if (entity->sources[record->source].is_steward)
		return is_pin(survivor, record, f);
	if (authority_of(survivor, f, record) < 0)
		return false;
	if (record->nulls[f])
		return entity->fields[f].null_policy != SSOT_NULL_IGNORE &&
			says_nothing_there(survivor, group, r, f);
	return !survivor->has_parts || !shadowed(survivor, group, r, f);
}

/* In a field group a record is a candidate if it has any of the values. */
static bool
is_group_candidate(SsotSurvivor *survivor, const SsotGroup *group, int r, int leader)
{
	const SsotEntity *entity = survivor->entity;

	if (entity->sources[group->records[r].source].is_steward)
		return false;
	for (int f = leader; f < entity->nfields; f++)
		if (survivor->orders[f].group_leader == leader &&
			!group->records[r].nulls[f] && is_candidate(survivor, group, r, f))
			return true;
	return false;
}

static int
value_length(const SsotField *field, const SsotRecord *record, int f)
{
	struct varlena *text;

	if (record->nulls[f])
		return -1;
	if (field->typlen != -1)
		return 0;
	text = PG_DETOAST_DATUM_PACKED(record->values[f]);
	return field->is_text ?
		pg_mbstrlen_with_len(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)) :
		(int) VARSIZE_ANY_EXHDR(text);
}

/* How many system records have the value of record r. */
static int
value_frequency(SsotSurvivor *survivor, const SsotGroup *group, int r, int f)
{
	int			count = 0;

	for (int p = 0; p < group->nrecords; p++)
		if (is_candidate(survivor, group, p, f) &&
			compare_values(survivor, f, &group->records[p], &group->records[r]) == 0)
			count++;
	return count;
}

/* Later first, none last. */
static int
compare_times(const SsotField *field, const SsotRecord *a, const SsotRecord *b)
{
	TimestampTz ta;
	TimestampTz tb;
	bool		has_a = field_time(a, field, &ta);
	bool		has_b = field_time(b, field, &tb);

	if (!has_a || !has_b)
		return (int) has_b - (int) has_a;
	return ta > tb ? -1 : (ta < tb ? 1 : 0);
}

/* The first step of the order, where the strategy is not plain authority. */
static int
compare_by_strategy(SsotSurvivor *survivor, const SsotGroup *group, int f,
					int ra, int rb, SsotRule *rule)
{
	const SsotField *field = &survivor->entity->fields[f];
	const SsotRecord *a = &group->records[ra];
	const SsotRecord *b = &group->records[rb];
	TimestampTz ta;
	TimestampTz tb;

	switch (field->strategy)
	{
		case SSOT_AUTHORITY:
			return 0;
		case SSOT_MOST_RECENT:
			*rule = SSOT_RULE_RECENT;
			return compare_times(field, a, b);
		case SSOT_OLDEST:
			*rule = SSOT_RULE_OLDEST;
			if (field_time(a, field, &ta) && field_time(b, field, &tb))
				return ta < tb ? -1 : (ta > tb ? 1 : 0);
			return compare_times(field, a, b);
		case SSOT_MOST_FREQUENT:
			*rule = SSOT_RULE_FREQUENT;
			return value_frequency(survivor, group, rb, f) -
				value_frequency(survivor, group, ra, f);
		case SSOT_LONGEST:
			*rule = SSOT_RULE_LONGEST;
			return value_length(field, b, f) - value_length(field, a, f);
		case SSOT_MIN:
			*rule = SSOT_RULE_MIN;
			return compare_values(survivor, f, a, b);
		case SSOT_MAX:
			*rule = SSOT_RULE_MAX;
			if (a->nulls[f] || b->nulls[f])
				return compare_values(survivor, f, a, b);
			return compare_values(survivor, f, b, a);
	}
	return 0;
}

/* Negative: record ra comes before rb. "rule" is the step that told them apart. */
static int
compare_candidates(SsotSurvivor *survivor, const SsotGroup *group, int f,
				   int ra, int rb, SsotRule *rule)
{
	const SsotEntity *entity = survivor->entity;
	const SsotRecord *a = &group->records[ra];
	const SsotRecord *b = &group->records[rb];
	int			result;

	*rule = SSOT_RULE_PIN;
	result = (int) entity->sources[b->source].is_steward -
		(int) entity->sources[a->source].is_steward;
	if (result != 0)
		return result;
	if (entity->fields[f].strategy != SSOT_AUTHORITY)
	{
		result = compare_by_strategy(survivor, group, f, ra, rb, rule);
		if (result != 0)
			return result;
	}
	*rule = SSOT_RULE_AUTHORITY;
	result = authority_of(survivor, f, a) - authority_of(survivor, f, b);
	if (result != 0)
		return result;
	*rule = SSOT_RULE_SOURCE_TIME;
	result = compare_times(&entity->fields[f], a, b);
	if (result != 0)
		return result;
	*rule = SSOT_RULE_SOURCE_RANK;
	result = entity->sources[a->source].rank - entity->sources[b->source].rank;
	if (result != 0)
		return result;
	*rule = SSOT_RULE_VALUE;
	result = OidIsValid(entity->fields[f].references) ?
		compare_references(survivor, f, a, b) : compare_values(survivor, f, a, b);
	if (result != 0)
		return result;
	*rule = SSOT_RULE_KEY;
	return strcmp(a->key, b->key);
}

/* The best candidate, and the last step of the order that was needed. */
static SsotWinner
choose(SsotSurvivor *survivor, const SsotGroup *group, int f, bool as_group)
{
	SsotWinner	winner = {-1, SSOT_RULE_NONE};

	for (int r = 0; r < group->nrecords; r++)
	{
		SsotRule	rule;

		if (as_group ? !is_group_candidate(survivor, group, r, f) :
			!is_candidate(survivor, group, r, f))
			continue;
		if (winner.record < 0)
		{
			winner.record = r;
			winner.rule = is_pin(survivor, &group->records[r], f) && !as_group ?
				SSOT_RULE_PIN : SSOT_RULE_ONLY;
			continue;
		}
		if (compare_candidates(survivor, group, f, r, winner.record, &rule) < 0)
			winner.record = r;
		if (rule > winner.rule || winner.rule == SSOT_RULE_ONLY)
			winner.rule = rule;
	}
	if (winner.record >= 0 && !as_group && group->records[winner.record].nulls[f] &&
		winner.rule != SSOT_RULE_PIN)
		winner.rule = SSOT_RULE_CLEARED;
	return winner;
}

/* The pin of a field that otherwise survives with its group, or -1. */
static int
find_pin(SsotSurvivor *survivor, const SsotGroup *group, int f)
{
	SsotWinner	winner = choose(survivor, group, f, false);

	return winner.record >= 0 &&
		survivor->entity->sources[group->records[winner.record].source].is_steward ?
		winner.record : -1;
}

/* A group survives from one system record: where that has parts, each value
 * comes from the first part that has it. */
static int
part_with_value(SsotSurvivor *survivor, const SsotGroup *group, int r, int f)
{
	for (int p = 0; p < group->nrecords; p++)
	{
		const SsotRecord *part = &group->records[p];

		if (part->copy == 0 && !part->nulls[f] && authority_of(survivor, f, part) >= 0 &&
			(p == r || same_system_record(survivor->entity, part, &group->records[r])))
			return p;
	}
	return r;
}

static bool
in_group(SsotSurvivor *survivor, int f)
{
	return survivor->entity->fields[f].group != NULL;
}

void
ssot_survive(SsotSurvivor *survivor, const SsotGroup *group,
			 SsotWinner *winners, Datum *values, bool *nulls)
{
	const SsotEntity *entity = survivor->entity;

	for (int f = 0; f < entity->nfields; f++)
	{
		int			leader = survivor->orders[f].group_leader;

		if (!in_group(survivor, f))
			winners[f] = choose(survivor, group, f, false);
		else if (leader == f)
			winners[f] = choose(survivor, group, f, true);
		else
			winners[f] = winners[leader];
	}
	for (int f = 0; f < entity->nfields; f++)
	{
		if (in_group(survivor, f))
		{
			int			pin = find_pin(survivor, group, f);

			if (pin >= 0)
			{
				winners[f].record = pin;
				winners[f].rule = SSOT_RULE_PIN;
			}
			else if (winners[f].record >= 0)
			{
				winners[f].record = part_with_value(survivor, group, winners[f].record, f);
				if (survivor->orders[f].group_leader != f)
					winners[f].rule = SSOT_RULE_GROUP;
			}
		}
		nulls[f] = winners[f].record < 0 || group->records[winners[f].record].nulls[f];
		values[f] = nulls[f] ? (Datum) 0 : group->records[winners[f].record].values[f];
	}
}

bool
ssot_is_candidate(SsotSurvivor *survivor, const SsotGroup *group, int r, int f)
{
	if (!in_group(survivor, f))
		return is_candidate(survivor, group, r, f);
	return is_pin(survivor, &group->records[r], f) ||
		is_group_candidate(survivor, group, r, survivor->orders[f].group_leader);
}

int
ssot_compare_candidates(SsotSurvivor *survivor, const SsotGroup *group, int f,
						int ra, int rb, SsotRule *rule)
{
	return compare_candidates(survivor, group, survivor->orders[f].group_leader,
							  ra, rb, rule);
}

int
ssot_join_parts(const SsotEntity *entity, const SsotGroup *group,
				SsotSystemRecord **records)
{
	SsotSystemRecord *result = palloc0(sizeof(SsotSystemRecord) * Max(group->nrecords, 1));
	int		   *first = palloc(sizeof(int) * Max(group->nrecords, 1));
	int			n = 0;

	for (int r = 0; r < group->nrecords; r++)
	{
		const SsotRecord *record = &group->records[r];
		const SsotSource *source = &entity->sources[record->source];
		SsotSystemRecord *joined = NULL;

		/* superseded rows and aliases are no parts of anything */
		for (int i = 0; i < n && record->copy == 0; i++)
			if (!result[i].superseded && !result[i].alias &&
				same_system_record(entity, &group->records[first[i]], record))
				joined = &result[i];
		if (joined == NULL)
		{
			first[n] = r;
			joined = &result[n++];
			joined->source = record->source;
			joined->key = record->key;
			joined->superseded = record->copy > 0;
			joined->alias = record->copy < 0;
			joined->values = palloc0(sizeof(Datum) * Max(entity->nfields, 1));
			joined->nulls = palloc(sizeof(bool) * Max(entity->nfields, 1));
			joined->mapped = palloc0(sizeof(bool) * Max(entity->nfields, 1));
			joined->part = palloc(sizeof(int) * Max(entity->nfields, 1));
			for (int f = 0; f < entity->nfields; f++)
			{
				joined->nulls[f] = true;
				joined->part[f] = -1;
			}
		}
		if (record->has_updated_at &&
			(!joined->has_updated_at || record->updated_at > joined->updated_at))
		{
			joined->has_updated_at = true;
			joined->updated_at = record->updated_at;
		}
		for (int f = 0; f < entity->nfields; f++)
		{
			if (!source->maps[f])
				continue;
			joined->mapped[f] = true;
			if (joined->part[f] < 0)
				joined->part[f] = r;
			if (joined->nulls[f] && !record->nulls[f])
			{
				joined->part[f] = r;
				joined->nulls[f] = false;
				joined->values[f] = record->values[f];
			}
		}
	}
	pfree(first);
	*records = result;
	return n;
}

const char *
ssot_rule_name(SsotRule rule)
{
	static const char *const names[] = {
		[SSOT_RULE_NONE] = "no value",
		[SSOT_RULE_ONLY] = "only value",
		[SSOT_RULE_PIN] = "pin",
		[SSOT_RULE_AUTHORITY] = "authority",
		[SSOT_RULE_RECENT] = "most recent",
		[SSOT_RULE_FREQUENT] = "most frequent",
		[SSOT_RULE_LONGEST] = "longest",
		[SSOT_RULE_MIN] = "min",
		[SSOT_RULE_MAX] = "max",
		[SSOT_RULE_OLDEST] = "oldest",
		[SSOT_RULE_SOURCE_TIME] = "source time",
		[SSOT_RULE_SOURCE_RANK] = "source rank",
		[SSOT_RULE_VALUE] = "value",
		[SSOT_RULE_KEY] = "key",
		[SSOT_RULE_CLEARED] = "cleared",
		[SSOT_RULE_GROUP] = "field group",
	};

	return names[rule];
}
