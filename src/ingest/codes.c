/*
 * ingest/codes.c
 *		Code lists of one source: what its codes mean in canonical form.
 *
 * Each meaning goes through the field type's input function once, when the
 * list is read; a row then costs one probe. Codes are compared byte for byte:
 * a list that should forgive case or blanks is given an expression that does.
 */
#include "postgres.h"

#include "ssot.h"
#include "entity/config.h"
#include "ingest/codes.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

typedef struct CodeEntry
{
	const char *code;
	uint32		hash;
	SsotMeaning meaning;
	char		status;
} CodeEntry;

#define SH_PREFIX code
#define SH_ELEMENT_TYPE CodeEntry
#define SH_KEY_TYPE const char *
#define SH_KEY code
#define SH_HASH_KEY(tb, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(tb, a, b) (strcmp(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct SsotCodes
{
	code_hash  *table;
	int			longest;
};

/* What take_code fills in. */
typedef struct LoadState
{
	const SsotEntity *entity;
	SsotCodes **codes;
	MemoryContext context;
} LoadState;

static SsotQuery codes_query = {
	.sql =
	"SELECT v.field, v.code, v.value\n"
	"FROM ssot.value_map AS v\n"
	"WHERE v.source_id = $1",
	.nargs = 1,
	.argtypes = {INT4OID}
};

static bool
take_code(TupleTableSlot *slot, void *arg)
{
	LoadState  *state = (LoadState *) arg;
	bool		isnull;
	int			f;
	char	   *code;
	CodeEntry  *entry;
	bool		found;
	Datum		value;

	f = ssot_entity_field(state->entity, TextDatumGetCString(slot_getattr(slot, 1, &isnull)));
	if (f < 0)
		return true;
	if (state->codes[f] == NULL)
	{
		state->codes[f] = palloc0(sizeof(SsotCodes));
		state->codes[f]->table = code_create(state->context, 16, NULL);
	}
	code = TextDatumGetCString(slot_getattr(slot, 2, &isnull));
	state->codes[f]->longest = Max(state->codes[f]->longest, (int) strlen(code));
	entry = code_insert(state->codes[f]->table, code, &found);
	value = slot_getattr(slot, 3, &isnull);
	entry->meaning.isnull = isnull;
	entry->meaning.text = isnull ? NULL : TextDatumGetCString(value);
	return true;
}

/*
 * The input functions run here, under the caller's rights, not while the
 * configuration is read under its owner's.
 */
static void
input_meanings(const SsotField *field, SsotCodes *codes)
{
	Oid			input;
	Oid			ioparam;
	code_iterator iterator;
	CodeEntry  *entry;

	if (OidIsValid(field->references))
		return;
	getTypeInputInfo(field->base_type, &input, &ioparam);
	code_start_iterate(codes->table, &iterator);
	while ((entry = code_iterate(codes->table, &iterator)) != NULL)
		if (!entry->meaning.isnull)
			entry->meaning.value = OidInputFunctionCall(input, entry->meaning.text,
														ioparam, field->base_typmod);
}

SsotCodes **
ssot_codes_load(const SsotEntity *entity, const SsotSource *source)
{
	Datum		id = Int32GetDatum(source->source_id);
	LoadState	state = {.entity = entity,.context = CurrentMemoryContext};

	state.codes = palloc0(sizeof(SsotCodes *) * Max(entity->nfields, 1));
	ssot_config_each(&codes_query, &id, NULL, take_code, &state);
	for (int f = 0; f < entity->nfields; f++)
		if (state.codes[f] != NULL)
			input_meanings(&entity->fields[f], state.codes[f]);
	return state.codes;
}

const SsotMeaning *
ssot_codes_lookup(const SsotCodes *codes, const char *code, int len)
{
	char		buffer[256];
	char	   *copy = buffer;
	CodeEntry  *entry;

	if (len > codes->longest)
		return NULL;
	if (len >= (int) sizeof(buffer))
		copy = palloc(len + 1);
	memcpy(copy, code, len);
	copy[len] = '\0';
	entry = code_lookup(codes->table, copy);
	return entry == NULL ? NULL : &entry->meaning;
}
