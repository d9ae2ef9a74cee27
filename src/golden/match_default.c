/*
 * golden/match_default.c
 *		What is compared where nobody says: chosen from names and types of columns.
 *
 * Column names are cut into words at "_", digits and capitals; a list says which
 * words mean which kind. The first rule that fits decides, so the more specific
 * ones come first: "email_address" is an e-mail, not an address. Some words mean
 * something of works only (publications, music, films, wares): a company's director
 * is no list of people, and the year of a customer is hardly when it came out. A table
 * holds works if its name says so, or if a column does and none says how to reach
 * somebody. What no rule fits is left out rather than guessed: a comparison that says
 * nothing costs time, and one that misleads costs accuracy. A number that is taken to
 * name one thing is compared as a code: only somebody who knows it to be reliable may
 * have it forbid a match, as identifier.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/json.h"
#include "golden/match_default.h"
#include "identity/encode.h"
#include "text/chars.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"

/* What a column is. */
typedef enum Role
{
	ROLE_NONE,
	ROLE_ADDRESS,
	ROLE_BIRTH,					/* a date that only people have */
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
	ROLE_NUMBER,
	ROLE_PART,					/* compared together with others */
	ROLE_PEOPLE,				/* a list of them */
	ROLE_PERSON,
	ROLE_PHONE,
	ROLE_POSTCODE,
	ROLE_TEXT
} Role;

/* Which tables a rule is for. */
typedef enum Scope
{
	ANY_TABLE,
	WORKS,						/* tables of works */
	TELLS_WORKS					/* and where it fits, the table is likely one */
} Scope;

/* A column whose words, joined by "_", contain one of the lines as whole words. */
typedef struct Rule
{
	Role		role;
	const char *words;			/* lines parted by blanks */
	Scope		scope;
} Rule;

static const Rule rules[] = {
	{ROLE_EMAIL, "email e_mail mail courriel correo"},
	{ROLE_PHONE, "phone telephone tel mobile cell cellphone telefon telefono handy"},
	{ROLE_POSTCODE, "postcode postal_code post_code postalcode zip zipcode zip_code plz cap code_postal postal"},
	{ROLE_IDENTIFIER, "tax_id taxid tax_no tax_number tax_code vat vat_id vat_no vat_number lei ssn soc_sec_id iban duns ein tin nif cif siren siret uid_number national_id passport_no passport_number isin gtin company_number registration_number"},
	{ROLE_IDENTIFIER, "isbn doi ean upc", WORKS},
	{ROLE_TEXT, "birth_place birthplace place_of_birth birth_city birth_town city_of_birth geburtsort"},
	{ROLE_CODE, "birth_country country_of_birth birth_state"},
	{ROLE_PERSON, "birth_name maiden_name maiden geburtsname"},
	{ROLE_BIRTH, "dob birth birthday birthdate born date_of_birth geburtsdatum"},
	{ROLE_DATE, "founded established"},
	{ROLE_GIVEN, "first_name firstname given_name givenname given forename fname vorname prenom first"},
	{ROLE_FAMILY, "last_name lastname surname family_name familyname family lname nachname last"},
	{ROLE_MIDDLE, "middle_name middlename middle"},
	{ROLE_HOUSE_NUMBER, "house_no house_number housenumber houseno street_number street_no hausnummer hausnr"},
	{ROLE_ADDRESS, "street street_name addr address addresses address_line strasse thoroughfare"},
	{ROLE_PEOPLE, "author authors inventor inventors actor actors cast starring director directors composer composers", TELLS_WORKS},
	{ROLE_TEXT, "song album artist band track_name product_name item_name book_name movie_name film_name game_name", TELLS_WORKS},
	{ROLE_TEXT, "venue journal conference proceedings booktitle book_title", TELLS_WORKS},
	{ROLE_TEXT, "publisher brand manufacturer brewery model modelno volume issue pages", WORKS},
	{ROLE_NUMBER, "year jahr", WORKS},
	{ROLE_DATE, "released release_date published publication_date", WORKS},
	{ROLE_COMPANY, "company organisation organization org legal_name firm employer vendor supplier account_name business_name trading_name trade_name institution firma"},
	{ROLE_FULL_NAME, "full_name fullname person_name display_name complete_name"},
	{ROLE_PERSON, "contact contact_name person contact_person"},
	{ROLE_NAME, "name"},
	{ROLE_TEXT, "city town suburb locality municipality ort stadt title occupation profession website url web domain homepage"},
	{ROLE_CODE, "country country_code state region province county gender sex nationality"},
};

/* Tables whose rows are people, or things with a title. */
static const char people[] = "person people contact contacts employee employees patient patients user users member members student students lead leads candidate candidates";
static const char things[] = "product products item items article articles book books paper papers publication publications citation citations song songs album albums track tracks recording recordings film films movie movies game games beer beers wine wines restaurant restaurants hotel hotels place places asset assets";

/* The last word of a column that says something about a company or an author, and does not name it. */
static const char about[] = "id ids key count type code url";

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

static bool
is_about(const char *words)
{
	const char *last = strrchr(words, '_');

	return last != NULL && contains_one_of(last + 1, about);
}

static bool
names_somebody(Role role)
{
	return role == ROLE_COMPANY || role == ROLE_PERSON || role == ROLE_FULL_NAME;
}

/* Does a column say that the table holds works? */
static bool
tells_works(const char *column)
{
	const char *words = name_words(column);

	for (int i = 0; i < lengthof(rules); i++)
		if (rules[i].scope == TELLS_WORKS && contains_one_of(words, rules[i].words))
			return !is_about(words);
	return false;
}

/* "works": whether the table holds such. */
static Role
column_role(const char *column, Oid type, bool is_text, bool works)
{
	char	   *words = name_words(column);

	/* "first_and_last_name" */
	if (is_text && has_role_words(words, ROLE_GIVEN) && has_role_words(words, ROLE_FAMILY))
		return ROLE_FULL_NAME;
	for (int i = 0; i < lengthof(rules); i++)
	{
		Role		role = rules[i].role;

		if ((rules[i].scope != ANY_TABLE && !works) || !contains_one_of(words, rules[i].words) ||
			(is_about(words) && (rules[i].scope != ANY_TABLE || names_somebody(role))))
			continue;
		if (role == ROLE_DATE || role == ROLE_BIRTH)
			return is_text || type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID ?
				role : ROLE_NONE;
		if (is_text)
			return role;
		if (role == ROLE_NUMBER)
			return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID ?
				role : ROLE_NONE;
		/* numbers may be codes: a postcode or a phone number kept as one */
		if ((type == INT4OID || type == INT8OID || type == NUMERICOID) &&
			(role == ROLE_POSTCODE || role == ROLE_PHONE || role == ROLE_IDENTIFIER ||
			 role == ROLE_HOUSE_NUMBER))
			return role;
		return ROLE_NONE;
	}
	return ROLE_NONE;
}

/* What a table holds. */
typedef struct Holding
{
	bool		people;
	bool		works;			/* or other things that have a title */
} Holding;

/* The kind of a role. */
static const char *
role_kind(Role role, Holding holding)
{
	switch (role)
	{
		case ROLE_ADDRESS:
			return "address";
		case ROLE_CODE:
			return "exact";
		case ROLE_COMPANY:
			return holding.works ? "text" : "company";	/* it does not name the
														 * work */
		case ROLE_BIRTH:
		case ROLE_DATE:
			return "date";
		case ROLE_EMAIL:
			return "email";
		case ROLE_NUMBER:
			return "number";
		case ROLE_PEOPLE:
			return "people";
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
			return holding.people ? "person_name" : holding.works ? "text" : "company";
		case ROLE_HOUSE_NUMBER:
		case ROLE_MIDDLE:
		case ROLE_NONE:
		case ROLE_PART:
			break;
	}
	return NULL;
}

const char *
ssot_match_default_kind(const char *column, Oid type, bool is_text)
{
	Holding		holding = {.works = tells_works(column)};

	return role_kind(column_role(column, type, is_text, holding.works), holding);
}

/* ---- of a table ----------------------------------------------------------- */

/* The columns of a table, and what each is. */
typedef struct Table
{
	const SsotMatchColumn *columns;
	int			ncolumns;
	Role	   *roles;
	Holding		holding;
} Table;

static int
find_role(const Table *table, Role role)
{
	for (int c = 0; c < table->ncolumns; c++)
		if (table->roles[c] == role)
			return c;
	return -1;
}

/* Does a column say how to reach somebody, or who it is? */
static bool
has_contact(const Table *table)
{
	static const Role contact[] = {ROLE_EMAIL, ROLE_PHONE, ROLE_POSTCODE, ROLE_GIVEN, ROLE_FAMILY,
	ROLE_BIRTH, ROLE_IDENTIFIER};

	for (int i = 0; i < lengthof(contact); i++)
		if (find_role(table, contact[i]) >= 0)
			return true;
	return false;
}

static void
find_roles(Table *table, bool works)
{
	for (int c = 0; c < table->ncolumns; c++)
	{
		const SsotMatchColumn *column = &table->columns[c];

		table->roles[c] = column->refers ? ROLE_NONE :
			column_role(column->name, column->type, column->is_text, works);
	}
}

/* What the table is, by its name and its columns. */
static void
look_at(Table *table, const char *name)
{
	const char *words = name_words(name);

	find_roles(table, false);
	table->holding.people = contains_one_of(words, people) || find_role(table, ROLE_BIRTH) >= 0;
	table->holding.works = contains_one_of(words, things);
	for (int c = 0; c < table->ncolumns && !table->holding.works; c++)
		table->holding.works = tells_works(table->columns[c].name) && !has_contact(table);
	if (table->holding.works)
		find_roles(table, true);
}

static void
push_fields(JsonbParseState **state, const Table *table, const char *name,
			const char *kind, const int *columns, int n)
{
	ssot_json_key(state, name);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	ssot_json_key(state, "kind");
	ssot_json_text(state, WJB_VALUE, kind);
	ssot_json_key(state, "fields");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
		ssot_json_text(state, WJB_ELEM, table->columns[columns[i]].name);
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static bool
has_column(const Table *table, const char *name)
{
	for (int c = 0; c < table->ncolumns; c++)
		if (strcmp(table->columns[c].name, name) == 0)
			return true;
	return false;
}

/* Several columns that make one value; those that exist, in this order. */
static int
push_together(JsonbParseState **state, Table *table, const char *name, const char *kind,
			  const Role *parts, int nparts)
{
	int			columns[3];
	int			n = 0;

	for (int i = 0; i < nparts; i++)
	{
		int			c = find_role(table, parts[i]);

		if (c >= 0)
			columns[n++] = c;
	}
	if (n < 2)
		return 0;
	/* a name of its own, unless a column has it */
	if (has_column(table, name))
		name = psprintf("%s, %s", table->columns[columns[0]].name, table->columns[columns[n - 1]].name);
	push_fields(state, table, name, kind, columns, n);
	for (int i = 0; i < n; i++)
		table->roles[columns[i]] = ROLE_PART;
	return 1;
}

/*
 * The whole name says again what its parts have said, and what is compared twice
 * counts twice.
 */
static void
leave_out_whole(Table *table)
{
	for (int c = 0; c < table->ncolumns; c++)
		if (table->roles[c] == ROLE_FULL_NAME || (table->roles[c] == ROLE_NAME && table->holding.people))
			table->roles[c] = ROLE_NONE;
}

Jsonb *
ssot_match_default(const char *name, const SsotMatchColumn *columns, int ncolumns, List **left_out)
{
	static const Role name_parts[] = {ROLE_GIVEN, ROLE_MIDDLE, ROLE_FAMILY};
	static const Role address_parts[] = {ROLE_ADDRESS, ROLE_HOUSE_NUMBER};
	JsonbParseState *state = NULL;
	Table		table = {.columns = columns,.ncolumns = ncolumns};
	int			n = 0;

	table.roles = palloc0(sizeof(Role) * Max(ncolumns, 1));
	look_at(&table, name);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (find_role(&table, ROLE_GIVEN) >= 0 && find_role(&table, ROLE_FAMILY) >= 0)
	{
		n += push_together(&state, &table, "person", "person_name", name_parts, lengthof(name_parts));
		leave_out_whole(&table);
	}
	if (find_role(&table, ROLE_ADDRESS) >= 0)
		n += push_together(&state, &table, "address", "address", address_parts, lengthof(address_parts));
	for (int c = 0; c < ncolumns; c++)
	{
		const char *kind = role_kind(table.roles[c], table.holding);

		if (kind != NULL && n < SSOT_MAX_FIELDS)
		{
			ssot_json_key(&state, pstrdup(columns[c].name));
			ssot_json_text(&state, WJB_VALUE, kind);
			n++;
		}
		else if (table.roles[c] != ROLE_PART)
			*left_out = lappend(*left_out, pstrdup(columns[c].name));
	}
	if (n == 0)
		return NULL;
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* ---- telling it ----------------------------------------------------------- */

static char *
column_names(const SsotMatchColumn *columns, int ncolumns)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int c = 0; c < ncolumns; c++)
		appendStringInfo(&names, "%s\"%s\"", c == 0 ? "" : ", ", columns[c].name);
	return names.data;
}

Jsonb *
ssot_match_choose(const char *title, const char *name, const SsotMatchColumn *columns,
				  int ncolumns, const char *function)
{
	List	   *left_out = NIL;
	Jsonb	   *compare = ssot_match_default(name, columns, ncolumns, &left_out);
	StringInfoData others;
	ListCell   *cell;

	if (compare == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("what to compare of \"%s\" cannot be told from the names of its columns", title),
				 ncolumns == 0 ? 0 : errdetail("Columns are %s.", column_names(columns, ncolumns)),
				 errhint("Say it: ssot.%s('%s', compare => '{\"name\": \"company\", \"email\": \"email\"}').",
						 function, title)));
	initStringInfo(&others);
	foreach(cell, left_out)
		appendStringInfo(&others, "%s%s", others.len == 0 ? "" : ", ", (char *) lfirst(cell));
	ereport(NOTICE,
			(errmsg("comparisons of \"%s\", by the names of its columns: %s", title,
					JsonbToCString(NULL, &compare->root, VARSIZE(compare))),
			 others.len == 0 ? 0 : errdetail("Not compared: %s.", others.data),
			 errhint("Call ssot.%s with compare => '...' to have others.", function)));
	return compare;
}
