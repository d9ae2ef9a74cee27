/*
 * identity/stored.c
 *		A model that outlives the run that learnt it.
 *
 * The form is binary in the byte order of the machine, with a version in front;
 * floating-point numbers are kept whole, so that scores are the same to the last
 * bit. Of each field the most frequent values and tokens are kept, FREQUENT at
 * most: rarer ones differ little from each other, and being taken for values
 * that one record has costs a few per cent of a weight that is large anyway.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/stored.h"
#include "identity/tokens.h"

#define MAGIC		0x4d4f5353	/* "SSOM" */
#define VERSION		4
#define FREQUENT	20000
#define NAME_SIZE	64

typedef struct Header
{
	uint32		magic;
	uint32		version;
	uint32		nfields;
	uint32		nrules;
	SsotModel	model;
} Header;

typedef struct FieldHeader
{
	char		kind[NAME_SIZE];
	uint32		nlevels;
	uint32		nclasses;
	double		have;
	uint32		nfrequent;
	uint32		ntokens;
} FieldHeader;

static int
compare_count(const void *a, const void *b)
{
	const SsotFrequency *x = a;
	const SsotFrequency *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash ? 1 : 0;
}

static int
compare_hash(const void *a, const void *b)
{
	uint64		x = ((const SsotFrequency *) a)->hash;
	uint64		y = ((const SsotFrequency *) b)->hash;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* The most frequent ones, in the order of their hashes. */
static int
most_frequent(SsotFrequency *all, int n)
{
	qsort(all, n, sizeof(SsotFrequency), compare_count);
	n = Min(n, FREQUENT);
	qsort(all, n, sizeof(SsotFrequency), compare_hash);
	return n;
}

static int
frequent_values(const SsotValues *values, SsotFrequency **out)
{
	SsotFrequency *all = SSOT_LARGE0(SsotFrequency, values->nvalues);
	int			n = 0;

	for (int id = 1; id < values->nvalues; id++)
		if (values->count[id] > 1)
		{
			all[n].hash = values->hash[id];
			all[n++].count = values->count[id];
		}
	*out = all;
	return most_frequent(all, n);
}

static void
write_field(StringInfo out, const SsotValues *values, int nrecords)
{
	FieldHeader header = {{0}};
	SsotFrequency *frequent;
	SsotFrequency *tokens = NULL;

	strlcpy(header.kind, values->kind->name, NAME_SIZE);
	header.nlevels = values->kind->nlevels;
	header.nclasses = values->kind->nclasses;
	header.have = nrecords - values->count[0];
	header.nfrequent = frequent_values(values, &frequent);
	if (values->shares != NULL)
	{
		int			n = ssot_token_frequent(values->shares, &tokens);

		header.ntokens = most_frequent(tokens, n);
	}
	appendBinaryStringInfo(out, (char *) &header, sizeof(header));
	appendBinaryStringInfo(out, (char *) frequent, sizeof(SsotFrequency) * header.nfrequent);
	ssot_large_free(frequent);
	if (tokens == NULL)
		return;
	appendBinaryStringInfo(out, (char *) tokens, sizeof(SsotFrequency) * header.ntokens);
	ssot_large_free(tokens);
}

void
ssot_model_write(StringInfo out, const SsotModel *model, List *rules, const SsotRecords *records)
{
	Header		header = {.magic = MAGIC,.version = VERSION};
	ListCell   *cell;

	header.nfields = records->nfields;
	header.nrules = list_length(rules);
	header.model = *model;
	appendBinaryStringInfo(out, (char *) &header, sizeof(header));
	foreach(cell, rules)
		appendBinaryStringInfo(out, lfirst(cell), sizeof(SsotBlocking));
	for (int f = 0; f < records->nfields; f++)
		write_field(out, &records->fields[f], records->n);
}

/* Take the next bytes; NULL if there are not so many. */
static const void *
take(const char **bytes, Size *left, Size size)
{
	const char *taken = *bytes;

	if (*left < size)
		return NULL;
	*bytes += size;
	*left -= size;
	return taken;
}

static bool
read_field(SsotStoredField *field, const SsotKind *kind, const char **bytes, Size *left)
{
	const void *taken = take(bytes, left, sizeof(FieldHeader));
	FieldHeader header;
	Size		size;
	SsotFrequency *tokens;

	if (taken == NULL)
		return false;
	memcpy(&header, taken, sizeof(header));
	if (strncmp(header.kind, kind->name, NAME_SIZE) != 0 || header.nlevels != kind->nlevels ||
		header.nclasses != kind->nclasses)
		return false;
	field->kind = kind;
	field->have = header.have;
	field->nfrequent = header.nfrequent;
	size = sizeof(SsotFrequency) * header.nfrequent;
	taken = take(bytes, left, size);
	if (taken == NULL)
		return false;
	field->frequent = palloc(Max(size, 1));
	memcpy(field->frequent, taken, size);
	if (kind->tokens == NULL)
		return true;
	size = sizeof(SsotFrequency) * header.ntokens;
	taken = take(bytes, left, size);
	if (taken == NULL)
		return false;
	tokens = palloc(Max(size, 1));
	memcpy(tokens, taken, size);
	field->shares = ssot_token_shares_create((int) header.have);
	for (uint32 i = 0; i < header.ntokens; i++)
		ssot_token_note(field->shares, tokens[i].hash, tokens[i].count);
	pfree(tokens);
	return true;
}

SsotStoredModel *
ssot_model_read(const char *bytes, Size len, int nfields, const SsotKind *const *kinds)
{
	SsotStoredModel *stored = palloc0(sizeof(SsotStoredModel));
	Size		left = len;
	const void *taken = take(&bytes, &left, sizeof(Header));
	Header		header;

	if (taken == NULL)
		return NULL;
	memcpy(&header, taken, sizeof(header));
	if (header.magic != MAGIC || header.version != VERSION || header.nfields != nfields)
		return NULL;
	stored->model = header.model;
	for (uint32 i = 0; i < header.nrules; i++)
	{
		SsotBlocking *rule = palloc(sizeof(SsotBlocking));

		taken = take(&bytes, &left, sizeof(SsotBlocking));
		if (taken == NULL)
			return NULL;
		memcpy(rule, taken, sizeof(SsotBlocking));
		stored->rules = lappend(stored->rules, rule);
	}
	for (int f = 0; f < nfields; f++)
		if (!read_field(&stored->fields[f], kinds[f], &bytes, &left))
			return NULL;
	return stored;
}

uint32
ssot_stored_count(const SsotStoredField *field, uint64 hash)
{
	SsotFrequency wanted = {.hash = hash};
	const SsotFrequency *found = bsearch(&wanted, field->frequent, field->nfrequent,
										 sizeof(SsotFrequency), compare_hash);

	return found == NULL ? 1 : found->count;
}

int
ssot_stored_keys(const SsotStoredModel *stored, const SsotRecords *records, int record, uint64 *keys)
{
	int			n = 0;
	int			number = 0;
	ListCell   *cell;

	foreach(cell, stored->rules)
	{
		const SsotBlocking *rule = lfirst(cell);
		uint32		found[SSOT_RULE_SLOTS];
		int			nfound;

		if (n > SSOT_RECORD_KEYS - SSOT_RULE_SLOTS)
			break;

		/* as many as blocks take */
		nfound = Min(ssot_rule_keys(records, rule, record, found), rule->nslots);
		for (int i = 0; i < nfound; i++)
			keys[n++] = ssot_rule_key(number, found[i]);
		number++;
	}
	return n;
}
