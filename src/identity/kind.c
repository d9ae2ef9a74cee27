/*
 * identity/kind.c
 *		The list of comparison kinds.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"

/* By name. */
static const SsotKind *const kinds[] = {
	&ssot_kind_address,
	&ssot_kind_code,
	&ssot_kind_company,
	&ssot_kind_date,
	&ssot_kind_email,
	&ssot_kind_exact,
	&ssot_kind_identifier,
	&ssot_kind_number,
	&ssot_kind_people,
	&ssot_kind_person_name,
	&ssot_kind_phone,
	&ssot_kind_postcode,
	&ssot_kind_text,
};

const SsotKind *const *
ssot_kinds(int *count)
{
	*count = lengthof(kinds);
	return kinds;
}

const SsotKind *
ssot_kind_find(const char *name)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}
