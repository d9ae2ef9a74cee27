/*
 * golden/match_override.c
 *		What is said about matching instead of being derived or learnt: levels,
 *		weights, blocking rules.
 *
 * Matching works with none of this. Who knows better says so in the words that
 * ssot.match_kinds() and ssot.match_keys() show, or in numbers where a kind
 * measures one. Everything is checked when it is declared; what is unknown is
 * refused with a list of what there is.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/json.h"
#include "golden/match_override.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include <math.h>

#define MAX_WEIGHT	24.0		/* in doublings; as much as is ever learnt */

/* The words, quoted, parted by commas. */
static char *
word_list(int n, const char *const *words)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < n; i++)
		appendStringInfo(&list, "%s\"%s\"", i == 0 ? "" : ", ", words[i]);
	return list.data;
}

static char *
string_of(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static double
number_of(const JsonbValue *value)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
}

/* The elements of an array as a list of JsonbValue; NIL with *is_array false if it is none. */
static List *
elements_of(const JsonbValue *value, bool *is_array)
{
	List	   *list = NIL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	element;

	*is_array = value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data) &&
		!JsonContainerIsScalar(value->val.binary.data);
	if (!*is_array)
		return NIL;
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
		if (token == WJB_ELEM)
		{
			JsonbValue *copy = palloc(sizeof(JsonbValue));

			*copy = element;
			list = lappend(list, copy);
		}
	return list;
}

/* ---- levels --------------------------------------------------------------- */

static void
refuse_levels(const char *comparison, const SsotKind *kind)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"levels\" of comparison \"%s\" is no list of levels", comparison),
			 errdetail("Levels of kind \"%s\" are %s.", kind->name, word_list(kind->nlevels, kind->levels)),
			 kind->measure != NULL ?
			 errhint("List those that are to be told apart, or thresholds: %s.", kind->measured) :
			 errhint("List those that are to be told apart.")));
}

/* The level of this name, or of the only one that begins so. */
static int
find_level(const char *comparison, const SsotKind *kind, const char *name)
{
	int			found = 0;
	int			level = 0;
	Size		len = strlen(name);
	char	   *end;
	double		number = strtod(name, &end);

	for (int l = 1; l <= kind->nlevels; l++)
	{
		const char *known = kind->levels[l - 1];

		if (strcmp(known, name) == 0)
			return l;
		if (len > 0 && *end == '\0' && l >= 2 && l < kind->nlevels && kind->nthresholds > 0 &&
			kind->thresholds[l - 2] == number)
			return l;
		if (len > 0 && strncmp(known, name, len) == 0)
		{
			found++;
			level = l;
		}
	}
	if (found != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 found == 0 ?
				 errmsg("comparison \"%s\" has no level \"%s\"", comparison, name) :
				 errmsg("several levels of comparison \"%s\" begin with \"%s\"", comparison, name),
				 errdetail("Levels of kind \"%s\" are %s.", kind->name,
						   word_list(kind->nlevels, kind->levels))));
	return level;
}

static int
compare_numbers(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* Thresholds, from the worst level to the best. */
static int
take_thresholds(const char *comparison, const SsotKind *kind, List *elements, double *thresholds)
{
	int			n = 0;
	ListCell   *cell;

	if (kind->measure == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("comparison \"%s\" cannot have thresholds", comparison),
				 errdetail("Kind \"%s\" measures no number; its levels are %s.", kind->name,
						   word_list(kind->nlevels, kind->levels))));
	if (list_length(elements) > SSOT_MAX_LEVEL - 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("comparison \"%s\" has more than %d thresholds", comparison, SSOT_MAX_LEVEL - 2)));
	foreach(cell, elements)
	{
		const JsonbValue *element = (const JsonbValue *) lfirst(cell);
		double		value;

		if (element->type != jbvNumeric)
			refuse_levels(comparison, kind);
		value = number_of(element);
		if (!(kind->distance ? value >= 0 : value > 0 && value <= 1))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%g is no threshold of comparison \"%s\"", value, comparison),
					 errdetail("Kind \"%s\" measures %s.", kind->name, kind->measured)));
		thresholds[n++] = kind->distance ? -value : value;
	}
	qsort(thresholds, n, sizeof(double), compare_numbers);
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && thresholds[i] == thresholds[i - 1])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("comparison \"%s\" has the same threshold twice", comparison)));
	}
	for (int i = 0; i < n; i++)
		thresholds[i] = fabs(thresholds[i]);
	return n;
}

static SsotKind *
take_levels(const char *comparison, const SsotKind *kind, const JsonbValue *levels)
{
	bool		is_array;
	List	   *elements = elements_of(levels, &is_array);
	bool		keep[SSOT_MAX_LEVEL + 1] = {false};
	double		thresholds[SSOT_MAX_LEVEL];
	ListCell   *cell;

	if (!is_array)
		refuse_levels(comparison, kind);
	if (elements != NIL && ((const JsonbValue *) linitial(elements))->type == jbvNumeric)
		return ssot_kind_with_levels(kind, NULL,
									 take_thresholds(comparison, kind, elements, thresholds), thresholds);
	foreach(cell, elements)
	{
		const JsonbValue *element = (const JsonbValue *) lfirst(cell);

		if (element->type != jbvString)
			refuse_levels(comparison, kind);
		keep[find_level(comparison, kind, string_of(element))] = true;
	}
	return ssot_kind_with_levels(kind, keep, 0, NULL);
}

/* ---- weights -------------------------------------------------------------- */

static void
refuse_weight(const char *comparison, const char *level)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the weight of level \"%s\" of comparison \"%s\" cannot be understood", level, comparison),
			 errdetail("It is a number of doublings from -%g to %g, or {\"m\": 0.9, \"u\": 0.01} with probabilities above 0 and below 1.",
					   MAX_WEIGHT, MAX_WEIGHT)));
}

static void
take_shares(const char *comparison, const char *level, SsotGiven *given, const JsonbValue *value)
{
	ListCell   *cell;

	foreach(cell, ssot_json_pairs(value, psprintf("the weight of level \"%s\" of comparison \"%s\"",
												  level, comparison)))
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);
		double		share;

		if (pair->value.type != jbvNumeric)
			refuse_weight(comparison, level);
		share = number_of(&pair->value);
		if (!(share > 0 && share < 1))
			refuse_weight(comparison, level);
		if (strcmp(pair->name, "m") == 0)
			given->m = share;
		else if (strcmp(pair->name, "u") == 0)
			given->u = share;
		else
			refuse_weight(comparison, level);
	}
	if (isnan(given->m) && isnan(given->u))
		refuse_weight(comparison, level);
}

/* Given shares leave something to those that are not given; weights rise. */
static void
check_given(const char *comparison, const SsotKind *kind, const SsotGiven *given)
{
	double		m = 0;
	double		u = 0;
	double		before = -INFINITY;

	for (int l = 1; l <= kind->nlevels; l++)
	{
		double		weight = isnan(given[l].weight) ? log2(given[l].m / given[l].u) : given[l].weight;

		m += isnan(given[l].m) ? 0 : given[l].m;
		u += isnan(given[l].u) ? 0 : given[l].u;
		if (weight < before)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("level \"%s\" of comparison \"%s\" must not weigh less than a worse one",
							kind->levels[l - 1], comparison),
					 errdetail("Levels from the worst to the best are %s.",
							   word_list(kind->nlevels, kind->levels))));
		if (!isnan(weight))
			before = weight;
	}
	if (m > 1 + 1e-9 || u > 1 + 1e-9)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the given %s of comparison \"%s\" add up to more than 1", m > 1 + 1e-9 ? "m" : "u", comparison)));
}

static void
take_weights(const char *comparison, SsotKind *kind, const JsonbValue *weights)
{
	SsotGiven  *given = palloc(sizeof(SsotGiven) * (kind->nlevels + 1));
	ListCell   *cell;

	if (weights->type != jbvBinary || !JsonContainerIsObject(weights->val.binary.data))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"weights\" of comparison \"%s\" must be an object with levels", comparison),
				 errhint("For example {\"%s\": 6, \"different\": -4}.", kind->levels[kind->nlevels - 1])));
	for (int l = 0; l <= kind->nlevels; l++)
		given[l].m = given[l].u = given[l].weight = NAN;
	foreach(cell, ssot_json_pairs(weights, psprintf("\"weights\" of comparison \"%s\"", comparison)))
	{
		SsotPair   *pair = (SsotPair *) lfirst(cell);
		SsotGiven  *level = &given[find_level(comparison, kind, pair->name)];

		if (pair->value.type == jbvBinary)
			take_shares(comparison, pair->name, level, &pair->value);
		else if (pair->value.type == jbvNumeric && fabs(number_of(&pair->value)) <= MAX_WEIGHT)
			level->weight = number_of(&pair->value);
		else
			refuse_weight(comparison, pair->name);
	}
	check_given(comparison, kind, given);
	ssot_kind_give(kind, given);
}

const SsotKind *
ssot_kind_declared(const char *comparison, const char *name, const JsonbValue *levels,
				   const JsonbValue *weights)
{
	const SsotKind *base = ssot_kind_find(name);
	SsotKind   *kind;

	if (base == NULL)
	{
		int			count;
		const SsotKind *const *kinds = ssot_kinds(&count);
		const char **names = palloc(sizeof(char *) * count);

		for (int i = 0; i < count; i++)
			names[i] = kinds[i]->name;
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("comparison \"%s\" is of a kind \"%s\" that does not exist", comparison, name),
				 errdetail("Kinds are %s.", word_list(count, names)),
				 errhint("SELECT * FROM ssot.match_kinds() describes them.")));
	}
	if (levels == NULL && weights == NULL)
		return base;
	kind = levels == NULL ? ssot_kind_with_levels(base, NULL, 0, NULL) : take_levels(comparison, base, levels);
	if (weights != NULL)
		take_weights(comparison, kind, weights);
	return kind;
}

/* ---- blocking ------------------------------------------------------------- */

static void
refuse_blocking(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("blocking must be a list of rules, each a list of one to %d comparisons", SSOT_RULE_PARTS),
			 errhint("For example '[[\"email\"], [\"name\", \"postcode\"]]'; \"+\" among the rules adds those that are derived.")));
}

/* "name" or "name:class". */
static void
take_part(const char *text, SsotBlocking *rule, int ncompared, const char *const *names,
		  const SsotKind *const *kinds)
{
	int			field = -1;
	int			class = 0;
	const SsotKind *kind;
	const char **classes;

	for (int f = 0; f < ncompared && field < 0; f++)
		if (strcmp(names[f], text) == 0)
			field = f;
	for (int f = 0; f < ncompared && field < 0; f++)
	{
		Size		len = strlen(names[f]);

		if (strncmp(names[f], text, len) != 0 || text[len] != ':')
			continue;
		field = f;
		text += len + 1;
		while (*text == ' ')
			text++;
		kind = kinds[f];
		while (class < kind->nclasses && strcmp(kind->classes[class].name, text) != 0)
			class++;
	}
	if (field < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("blocking names \"%s\", which is not compared", text),
				 errdetail("Comparisons are %s.", word_list(ncompared, names)),
				 errhint("Name comparisons, or one of a comparison's keys as in \"%s:%s\".",
						 names[0], kinds[0]->classes[0].name)));
	kind = kinds[field];
	classes = palloc(sizeof(char *) * kind->nclasses);
	for (int c = 0; c < kind->nclasses; c++)
		classes[c] = kind->classes[c].name;
	if (class >= kind->nclasses)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("comparison \"%s\" has no keys \"%s\"", names[field], text),
				 errdetail("Keys of kind \"%s\" are %s.", kind->name, word_list(kind->nclasses, classes)),
				 errhint("SELECT * FROM ssot.match_keys('%s', 'a value') shows them.", kind->name)));
	if (rule->nparts == SSOT_RULE_PARTS)
		refuse_blocking();
	for (int p = 0; p < rule->nparts; p++)
		if (rule->field[p] == field)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a blocking rule names comparison \"%s\" twice", names[field]),
					 errhint("Make two rules of it, or name one of its keys.")));
	rule->field[rule->nparts] = field;
	rule->class[rule->nparts++] = class;
}

static SsotBlocking *
take_rule(const JsonbValue *value, int ncompared, const char *const *names,
		  const SsotKind *const *kinds)
{
	SsotBlocking *rule = palloc0(sizeof(SsotBlocking));
	bool		is_array;
	List	   *elements = elements_of(value, &is_array);
	ListCell   *cell;

	if (!is_array || elements == NIL)
		refuse_blocking();
	foreach(cell, elements)
	{
		const JsonbValue *element = (const JsonbValue *) lfirst(cell);

		if (element->type != jbvString)
			refuse_blocking();
		take_part(string_of(element), rule, ncompared, names, kinds);
	}
	return rule;
}

List *
ssot_blocking_declared(Jsonb *blocking, int ncompared, const char *const *names,
					   const SsotKind *const *kinds, bool *adds)
{
	JsonbValue	root = {.type = jbvBinary};
	List	   *rules = NIL;
	List	   *elements;
	ListCell   *cell;
	bool		is_array;

	*adds = false;
	if (blocking == NULL)
		return NIL;
	root.val.binary.data = &blocking->root;
	root.val.binary.len = VARSIZE(blocking);
	elements = elements_of(&root, &is_array);
	if (!is_array)
		refuse_blocking();
	foreach(cell, elements)
	{
		const JsonbValue *element = (const JsonbValue *) lfirst(cell);

		if (element->type == jbvString && strcmp(string_of(element), "+") == 0)
			*adds = true;
		else
			rules = lappend(rules, take_rule(element, ncompared, names, kinds));
	}
	if (list_length(rules) > SSOT_MAX_GIVEN_RULES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("blocking has more than %d rules", SSOT_MAX_GIVEN_RULES)));
	return rules;
}

double
ssot_prior_declared(double prior)
{
	if (!(prior >= 0 && prior < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("prior must be a probability from 0 to less than 1, but is %g", prior),
				 errdetail("It is how probable it is that two records taken at random are one thing; 0: it is estimated.")));
	return prior;
}
