/*
 * golden/match_default.c
 *		What is compared where nobody says: chosen from names and types of columns.
 *
 * Column names are cut into words at "_", digits and capitals; a list says which
 * words mean which kind. The first rule that fits decides, so the more specific
 * ones come first: "email_address" is an e-mail, not an address. What no rule
 * fits is left out rather than guessed: a comparison that says nothing costs
 * time, and one that misleads costs accuracy. A number that is taken to name one
 * thing is compared as a code: only somebody who knows it to be reliable may have
 * it forbid a match, as identifier.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/json.h"
#include "golden/match_default.h"
#include "text/chars.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"

/* What a column is. */
typedef enum Role
{
	ROLE_NONE,
	ROLE_ADDRESS,
	ROLE_CODE,					/* exact */
	ROLE_COMPANY,
	ROLE_DATE,
	ROLE_EMAIL,
	ROLE_FAMILY,
	ROLE_FULL_NAME,				/* given and family name in one */
	ROLE_GIVEN,
	ROLE_HOUSE_NUMBER,
	ROLE_IDENTIFIER,
	ROLE_MIDDLE,
	ROLE_NAME,					/* of whatever the table holds */
	ROLE_PERSON,
	ROLE_PHONE,
	ROLE_POSTCODE,
	ROLE_TEXT
} Role;

/* A column whose words, joined by "_", contain one of the lines as whole words. */
typedef struct Rule
{
	Role		role;
	const char *words;			/* lines parted by blanks */
} Rule;

static const Rule rules[] = {
	{ROLE_EMAIL, "email e_mail mail courriel correo"},
	{ROLE_PHONE, "phone telephone tel mobile cell cellphone telefon telefono handy"},
	{ROLE_POSTCODE, "postcode postal_code post_code postalcode zip zipcode zip_code plz cap code_postal postal"},
	{ROLE_IDENTIFIER, "tax_id taxid tax_no tax_number tax_code vat vat_id vat_no vat_number lei ssn soc_sec_id iban duns ein tin nif cif siren siret uid_number national_id passport_no passport_number isin gtin company_number registration_number"},
	{ROLE_TEXT, "birth_place birthplace place_of_birth birth_city birth_town city_of_birth geburtsort"},
	{ROLE_CODE, "birth_country country_of_birth birth_state"},
	{ROLE_PERSON, "birth_name maiden_name maiden geburtsname"},
	{ROLE_DATE, "dob birth birthday birthdate born date_of_birth geburtsdatum founded established"},
	{ROLE_GIVEN, "first_name firstname given_name givenname given forename fname vorname prenom first"},
	{ROLE_FAMILY, "last_name lastname surname family_name familyname family lname nachname last"},
	{ROLE_MIDDLE, "middle_name middlename middle"},
	{ROLE_HOUSE_NUMBER, "house_no house_number housenumber houseno street_number street_no hausnummer hausnr"},
	{ROLE_ADDRESS, "street street_name addr address addresses address_line strasse thoroughfare"},
	{ROLE_COMPANY, "company organisation organization org legal_name firm employer vendor supplier account_name business_name trading_name trade_name institution firma"},
	{ROLE_FULL_NAME, "full_name fullname person_name display_name complete_name"},
	{ROLE_PERSON, "contact contact_name person contact_person"},
	{ROLE_NAME, "name"},
	{ROLE_TEXT, "city town suburb locality municipality ort stadt title occupation profession website url web domain homepage"},
	{ROLE_CODE, "country country_code state region province county gender sex nationality"},
};

/* Tables whose rows are people, or things with a title. */
static const char people[] = "person people contact contacts employee employees patient patients user users member members student students lead leads candidate candidates";
static const char things[] = "product products item items article articles book books paper papers publication publications song songs film films movie movies restaurant restaurants place places asset assets";

/* "homePhone2" to "home_phone". */
static char *
name_words(const char *name)
{
	StringInfoData words;

	initStringInfo(&words);
	for (int i = 0; name[i]; i++)
	{
		unsigned char c = name[i];

		if (ssot_ascii_is_upper(c) && i > 0 && !ssot_ascii_is_upper(name[i - 1]))
			appendStringInfoChar(&words, '_');
		if (ssot_ascii_is_alpha(c) || c >= 0x80)
			appendStringInfoChar(&words, ssot_ascii_lower(c));
		else if (words.len > 0 && words.data[words.len - 1] != '_')
			appendStringInfoChar(&words, '_');
	}
	while (words.len > 0 && words.data[words.len - 1] == '_')
		words.data[--words.len] = '\0';
	return words.data;
}

/* Does the name contain one of the lines as whole words? */
static bool
contains_one_of(const char *name, const char *lines)
{
	int			namelen = strlen(name);

	for (const char *line = lines; *line;)
	{
		int			len = strcspn(line, " ");

		for (int at = 0; at + len <= namelen; at++)
			if ((at == 0 || name[at - 1] == '_') && memcmp(name + at, line, len) == 0 &&
				(name[at + len] == '\0' || name[at + len] == '_'))
				return true;
		line += len;
		line += *line == ' ';
	}
	return false;
}

static bool
has_role_words(const char *name, Role role)
{
	for (int i = 0; i < lengthof(rules); i++)
		if (rules[i].role == role && contains_one_of(name, rules[i].words))
			return true;
	return false;
}

static Role
column_role(const char *column, Oid type, bool is_text)
{
	char	   *words = name_words(column);

	/* "first_and_last_name" */
	if (is_text && has_role_words(words, ROLE_GIVEN) && has_role_words(words, ROLE_FAMILY))
		return ROLE_FULL_NAME;
	for (int i = 0; i < lengthof(rules); i++)
	{
		Role		role = rules[i].role;

		if (!contains_one_of(words, rules[i].words))
			continue;
		if (role == ROLE_DATE)
			return is_text || type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID ?
				role : ROLE_NONE;
		if (is_text)
			return role;
		/* numbers may be codes: a postcode or a phone number kept as one */
		if ((type == INT4OID || type == INT8OID || type == NUMERICOID) &&
			(role == ROLE_POSTCODE || role == ROLE_PHONE || role == ROLE_IDENTIFIER ||
			 role == ROLE_HOUSE_NUMBER))
			return role;
		return ROLE_NONE;
	}
	return ROLE_NONE;
}

/* The kind of a role; "table": what a name is a name of. */
static const char *
role_kind(Role role, const char *table, bool has_birth)
{
	switch (role)
	{
		case ROLE_ADDRESS:
			return "address";
		case ROLE_CODE:
			return "exact";
		case ROLE_COMPANY:
			return "company";
		case ROLE_DATE:
			return "date";
		case ROLE_EMAIL:
			return "email";
		case ROLE_GIVEN:
		case ROLE_FAMILY:
		case ROLE_FULL_NAME:
		case ROLE_PERSON:
			return "person_name";
		case ROLE_IDENTIFIER:
			return "code";		/* what was guessed must not forbid */
		case ROLE_PHONE:
			return "phone";
		case ROLE_POSTCODE:
			return "postcode";
		case ROLE_TEXT:
			return "text";
		case ROLE_NAME:
			if (contains_one_of(table, people) || has_birth)
				return "person_name";
			return contains_one_of(table, things) ? "text" : "company";
		case ROLE_HOUSE_NUMBER:
		case ROLE_MIDDLE:
		case ROLE_NONE:
			break;
	}
	return NULL;
}

const char *
ssot_match_default_kind(const char *column, Oid type, bool is_text)
{
	return role_kind(column_role(column, type, is_text), "", false);
}

/* ---- of an entity --------------------------------------------------------- */

static int
find_role(const Role *roles, int n, Role role)
{
	for (int f = 0; f < n; f++)
		if (roles[f] == role)
			return f;
	return -1;
}

static void
push_fields(JsonbParseState **state, const SsotEntity *entity, const char *name,
			const char *kind, const int *fields, int n)
{
	ssot_json_key(state, name);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	ssot_json_key(state, "kind");
	ssot_json_text(state, WJB_VALUE, kind);
	ssot_json_key(state, "fields");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
		ssot_json_text(state, WJB_ELEM, entity->fields[fields[i]].name);
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* Several columns that make one value; those that exist, in this order. */
static int
push_together(JsonbParseState **state, const SsotEntity *entity, Role *roles,
			  const char *name, const char *kind, const Role *parts, int nparts)
{
	int			fields[3];
	int			n = 0;

	for (int i = 0; i < nparts; i++)
	{
		int			f = find_role(roles, entity->nfields, parts[i]);

		if (f >= 0)
			fields[n++] = f;
	}
	if (n < 2)
		return 0;
	/* a name of its own, unless a column has it */
	if (ssot_entity_field(entity, name) >= 0)
		name = psprintf("%s, %s", entity->fields[fields[0]].name, entity->fields[fields[n - 1]].name);
	push_fields(state, entity, name, kind, fields, n);
	for (int i = 0; i < n; i++)
		roles[fields[i]] = ROLE_NONE;
	return n;
}

/*
 * The whole name says again what its parts have said, and what is compared twice
 * counts twice.
 */
static void
leave_out_whole(Role *roles, int n, const char *table, bool has_birth)
{
	for (int f = 0; f < n; f++)
		if (roles[f] == ROLE_FULL_NAME ||
			(roles[f] == ROLE_NAME && strcmp(role_kind(ROLE_NAME, table, has_birth), "person_name") == 0))
			roles[f] = ROLE_MIDDLE; /* has no kind */
}

Jsonb *
ssot_match_default(const SsotEntity *entity, List **left_out)
{
	static const Role name_parts[] = {ROLE_GIVEN, ROLE_MIDDLE, ROLE_FAMILY};
	static const Role address_parts[] = {ROLE_ADDRESS, ROLE_HOUSE_NUMBER};
	JsonbParseState *state = NULL;
	Role	   *roles = palloc0(sizeof(Role) * Max(entity->nfields, 1));
	bool	   *used = palloc0(Max(entity->nfields, 1));
	char	   *table = name_words(entity->table);
	bool		has_birth;
	int			n = 0;

	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		if (!OidIsValid(field->references))
			roles[f] = column_role(field->name, field->base_type, field->is_text);
		used[f] = roles[f] != ROLE_NONE;
	}
	has_birth = find_role(roles, entity->nfields, ROLE_DATE) >= 0;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (find_role(roles, entity->nfields, ROLE_GIVEN) >= 0 &&
		find_role(roles, entity->nfields, ROLE_FAMILY) >= 0)
	{
		n += push_together(&state, entity, roles, "person", "person_name",
						   name_parts, lengthof(name_parts));
		leave_out_whole(roles, entity->nfields, table, has_birth);
	}
	if (find_role(roles, entity->nfields, ROLE_ADDRESS) >= 0)
		n += push_together(&state, entity, roles, "address", "address",
						   address_parts, lengthof(address_parts));
	for (int f = 0; f < entity->nfields; f++)
	{
		const char *kind = role_kind(roles[f], table, has_birth);

		if (kind != NULL)
		{
			ssot_json_key(&state, entity->fields[f].name);
			ssot_json_text(&state, WJB_VALUE, kind);
			n++;
		}
		else if (roles[f] != ROLE_NONE || !used[f])
			*left_out = lappend(*left_out, entity->fields[f].name);
	}
	if (n == 0)
		return NULL;
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
