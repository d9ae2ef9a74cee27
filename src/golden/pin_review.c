/*
 * golden/pin_review.c
 *		What the sources say of pinned fields.
 *
 * A pin corrects what the sources say. When all of them have come to say the same
 * as the pin, it has done its work: it retires, and later changes at the sources
 * are followed again. When they say something else than what the pin overruled,
 * the person who pinned did not know that: the pin stays, and ssot.pins says that
 * it wants to be looked at.
 *
 * Both ask what would be golden if the group had no pins. Values are compared as
 * images, so that a golden value never changes because its pin retires. A pin of
 * the value that was golden anyway holds it fast on purpose, and never retires.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/textform.h"
#include "golden/pin_review.h"

#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

struct SsotPinReview
{
	const SsotEntity *entity;
	SsotSurvivor *survivor;
	SsotTextForm *forms;		/* by field */
	SsotWinner *winners;
	bool	   *pinned;
	Datum	   *said;
	bool	   *said_nulls;
	SsotGroup	plain;			/* the group at hand without pins */
	int		   *pin;			/* by field: the record that pins it */
};

SsotPinReview *
ssot_pin_review_create(const SsotEntity *entity, SsotSurvivor *survivor)
{
	SsotPinReview *review = palloc0(sizeof(SsotPinReview));
	int			nfields = Max(entity->nfields, 1);

	review->entity = entity;
	review->survivor = survivor;
	review->forms = palloc(sizeof(SsotTextForm) * nfields);
	for (int f = 0; f < entity->nfields; f++)
		ssot_text_form_init(&review->forms[f], entity->fields[f].base_type);
	review->winners = palloc(sizeof(SsotWinner) * nfields);
	review->pinned = palloc(sizeof(bool) * nfields);
	review->said = palloc(sizeof(Datum) * nfields);
	review->said_nulls = palloc(sizeof(bool) * nfields);
	review->pin = palloc(sizeof(int) * nfields);
	return review;
}

static bool
is_steward(const SsotEntity *entity, const SsotRecord *record)
{
	return entity->sources[record->source].is_steward;
}

/* Which fields are pinned, and by which record. */
static bool
find_pins(SsotPinReview *review, const SsotGroup *group)
{
	const SsotEntity *entity = review->entity;
	bool		any = false;

	for (int f = 0; f < entity->nfields; f++)
		review->pinned[f] = false;
	for (int r = 0; r < group->nrecords; r++)
	{
		if (!is_steward(entity, &group->records[r]))
			continue;
		for (int f = 0; f < entity->nfields; f++)
		{
			if (review->pinned[f] || !ssot_is_candidate(review->survivor, group, r, f))
				continue;
			review->pinned[f] = any = true;
			review->pin[f] = r;
		}
	}
	return any;
}

bool
ssot_pin_review_group(SsotPinReview *review, const SsotGroup *group,
					  const bool **pinned, const Datum **said, const bool **said_nulls)
{
	const SsotEntity *entity = review->entity;

	if (!find_pins(review, group))
		return false;
	review->plain = *group;
	review->plain.records = palloc(sizeof(SsotRecord) * group->nrecords);
	review->plain.nrecords = 0;
	for (int r = 0; r < group->nrecords; r++)
		if (!is_steward(entity, &group->records[r]))
			review->plain.records[review->plain.nrecords++] = group->records[r];
	ssot_survive(review->survivor, &review->plain, review->winners,
				 review->said, review->said_nulls);
	*pinned = review->pinned;
	*said = review->said;
	*said_nulls = review->said_nulls;
	return true;
}

/* ---- retiring ---------------------------------------------------------------- */

static bool
same_image(const SsotField *field, Datum a, bool a_null, Datum b, bool b_null)
{
	if (a_null || b_null)
		return a_null == b_null;
	return datum_image_eq(a, b, field->typbyval, field->typlen);
}

/*
 * Do all sources that are believed and have a value have this one? A pin of NULL
 * agrees with sources that have none, if there is a record that could have. What
 * people typed or loaded can contradict, but alone it is no source.
 */
static bool
all_agree(SsotPinReview *review, int f, Datum value, bool isnull)
{
	const SsotEntity *entity = review->entity;
	const SsotField *field = &entity->fields[f];
	const SsotGroup *plain = &review->plain;
	bool		any = false;

	if (!same_image(field, value, isnull, review->said[f], review->said_nulls[f]))
		return false;
	for (int r = 0; r < plain->nrecords; r++)
	{
		const SsotRecord *record = &plain->records[r];
		const SsotSource *source;

		if (record->copy != 0 ||
			entity->authority[f * entity->nsources + record->source] < 0)
			continue;
		source = &entity->sources[record->source];
		if (record->nulls[f])
		{
			any |= isnull && !source->is_manual && source->maps[f];
			continue;
		}
		if (!ssot_is_candidate(review->survivor, plain, r, f))
			continue;			/* another part speaks for its system */
		if (!same_image(field, value, isnull, record->values[f], false))
			return false;
		any |= !source->is_manual;
	}
	return any;
}

/* A member of the pin's description; false if there is none. *text NULL: null. */
static bool
pin_member(const SsotRecord *record, const char *field, const char *name, char **text)
{
	JsonbValue	key = {.type = jbvString};
	JsonbValue *value;

	key.val.string.val = unconstify(char *, field);
	key.val.string.len = strlen(field);
	value = findJsonbValueFromContainer(&record->detail->root, JB_FOBJECT, &key);
	if (value == NULL || value->type != jbvBinary)
		return false;
	key.val.string.val = unconstify(char *, name);
	key.val.string.len = strlen(name);
	value = findJsonbValueFromContainer(value->val.binary.data, JB_FOBJECT, &key);
	if (value == NULL)
		return false;
	*text = value->type != jbvString ? NULL :
		pnstrdup(value->val.string.val, value->val.string.len);
	return true;
}

static bool
is_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Did the pin, or one before it, overrule another value? */
static bool
overruled_another(SsotPinReview *review, const SsotRecord *record, int f)
{
	static const char *const members[] = {"overruled", "said"};
	const char *field = review->entity->fields[f].name;
	char	   *value = record->nulls[f] ? NULL :
	ssot_text_form(&review->forms[f], record->values[f]);
	char	   *other;

	for (int i = 0; i < lengthof(members); i++)
		if (pin_member(record, field, members[i], &other) && !is_text(value, other))
			return true;
	return false;
}

/* The group as if the pin were not there. */
static void
forget_pin(SsotGroup *group, int r, const SsotField *field, int f, TimestampTz t)
{
	SsotRecord *record = &group->records[r];

	record->detail = DatumGetJsonbP(DirectFunctionCall2(jsonb_delete,
														JsonbPGetDatum(record->detail),
														CStringGetTextDatum(field->name)));
	record->nulls[f] = true;
	record->from = t;
}

int
ssot_pin_review_retire(SsotPinReview *review, SsotGroup *group, TimestampTz t,
					   SsotCorrections *release)
{
	const SsotEntity *entity = review->entity;
	const bool *pinned;
	const Datum *said;
	const bool *said_nulls;
	bool	   *retires;
	int			count = 0;

	if (!ssot_pin_review_group(review, group, &pinned, &said, &said_nulls))
		return 0;
	retires = palloc0(sizeof(bool) * Max(entity->nfields, 1));
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotRecord *record = &group->records[review->pin[f]];

		if (!pinned[f] || !entity->fields[f].retires_pins ||
			!all_agree(review, f, record->values[f], record->nulls[f]) ||
			!overruled_another(review, record, f))
			continue;
		retires[f] = true;
		count++;
	}
	if (count == 0)
		return 0;
	for (int f = 0; f < entity->nfields; f++)
		for (int r = 0; retires[f] && r < group->nrecords; r++)
			if (is_steward(entity, &group->records[r]) &&
				ssot_is_candidate(review->survivor, group, r, f))
				forget_pin(group, r, &entity->fields[f], f, t);
	ssot_corrections_add(release, group->id, retires, NULL, NULL, NULL, NULL);
	return count;
}
