/*
 * dictionary/explain_detail.c
 *		What each entity adds to each cause, corner by corner.
 *
 * A cause's marginal in a corner is a sum over entities. Each part of it (a pair of
 * records, a record that has no pair, a family, an entity that another definition
 * counts) is noted with the corner and the corner's weight, in rows that spill to disk:
 *
 *		ssot_detail (cause, corner, weight, id, pair, record, l, r, v, ...)
 *
 * l and r are what the entity counts for on either side, v what it adds. A part may be
 * noted in pieces (what another definition makes of it, and what the other side's
 * hierarchy makes of that); explain_share.c adds them up.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"
#include "common/query.h"
#include "dictionary/explain.h"
#include "dictionary/explain_core.h"

#include "access/tupdesc.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define D(corner)	(((corner) >> SSOT_DEFINITION) & 1)
#define T(corner)	(((corner) >> SSOT_TIMING) & 1)
#define H(corner)	(((corner) >> SSOT_HIERARCHY) & 1)
#define Q(corner)	(((corner) >> SSOT_QUALITY) & 1)

/* The columns of ssot_detail. */
enum
{
	COL_CAUSE,
	COL_CORNER,
	COL_WEIGHT,
	COL_ID,
	COL_PAIR,
	COL_RECORD,
	COL_LEFT,
	COL_RIGHT,
	COL_SHARE,
	COL_LEFT_VALUE,
	COL_RIGHT_VALUE,
	COL_LEFT_RECORDS,
	COL_RIGHT_RECORDS,
	COL_OTHER,
	NCOLS
};

/* One part of a cause, at a corner. */
typedef struct Part
{
	NullableDatum id;
	NullableDatum pair;
	NullableDatum record;		/* tells parts of one id apart */
	NullableDatum value[2];
	NullableDatum records[2];
	NullableDatum other;
	Numeric		counts[2];
	Numeric		share;
} Part;

typedef struct Detailing
{
	const SsotExplained *explained;
	List	   *causes;			/* in the order in which they are told */
	const SsotGame *game;
	SsotRelation detail;
	int			d;				/* of the pairing at hand */
	int			t;
	int			side;			/* whose rows are at hand */
	SsotAxis	axis;			/* of the step at hand */
	int			corner;
	SsotRowCallback take;		/* what to do with a row */
	MemoryContext row;			/* during which this is in use */
} Detailing;

static const NullableDatum nothing = {(Datum) 0, true};

/* A row, in a memory context of its own. */
static bool
take_row(TupleTableSlot *slot, void *arg)
{
	Detailing  *x = (Detailing *) arg;
	MemoryContext old = MemoryContextSwitchTo(x->row);

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	(void) x->take(slot, x);
	MemoryContextSwitchTo(old);
	MemoryContextReset(x->row);
	return true;
}

/* ---- noting --------------------------------------------------------------- */

static void
put_part(Detailing *x, int cause, int corner, const Part *part)
{
	const NullableDatum *texts[] = {&part->id, &part->pair, &part->record, &part->value[0],
	&part->value[1], &part->records[0], &part->records[1], &part->other};
	static const int places[] = {COL_ID, COL_PAIR, COL_RECORD, COL_LEFT_VALUE, COL_RIGHT_VALUE,
	COL_LEFT_RECORDS, COL_RIGHT_RECORDS, COL_OTHER};
	Datum		values[NCOLS];
	bool		nulls[NCOLS] = {false};

	values[COL_CAUSE] = Int32GetDatum(cause);
	values[COL_CORNER] = Int32GetDatum(corner);
	values[COL_WEIGHT] = Int32GetDatum(ssot_game_weight(x->game, corner));
	for (int i = 0; i < lengthof(places); i++)
	{
		values[places[i]] = texts[i]->value;
		nulls[places[i]] = texts[i]->isnull;
	}
	for (int side = 0; side < 2; side++)
	{
		values[COL_LEFT + side] = NumericGetDatum(part->counts[side]);
		nulls[COL_LEFT + side] = part->counts[side] == NULL;
	}
	values[COL_SHARE] = NumericGetDatum(part->share == NULL ? int64_to_numeric(0) : part->share);
	tuplestore_putvalues(x->detail.rows, x->detail.desc, values, nulls);
	x->detail.count++;
}

/* The place of a cause in the answer, or -1: then it is nothing. */
static int
find_cause(const Detailing *x, SsotAxis axis, SsotCauseKind kind, int side, const char *field)
{
	for (int i = 0; i < list_length(x->causes); i++)
	{
		SsotCause  *cause = (SsotCause *) list_nth(x->causes, i);

		if (cause->axis == axis && cause->kind == kind && cause->side == side &&
			(field == NULL || (cause->field != NULL && strcmp(cause->field, field) == 0)))
			return i;
	}
	return -1;
}

/* The next corner, after this one, in which the axis turns at the pairing at hand;
 * -1 for none. */
static int
next_corner(const Detailing *x, SsotAxis axis, int after)
{
	uint32		contexts = ssot_game_contexts(x->game, axis);

	for (int corner = after + 1; corner < SSOT_CORNERS; corner++)
	{
		int			whole = ssot_game_corner(x->game, corner);

		if ((contexts & (1 << corner)) && (axis == SSOT_DEFINITION || D(whole) == x->d) &&
			(axis == SSOT_TIMING || (x->game->tied ? 0 : T(whole)) == x->t))
			return corner;
	}
	return -1;
}

/* A part of a cause of quality, with another share in each hierarchy. */
static void
put_quality(Detailing *x, SsotCauseKind kind, int side, const char *field, Part *part,
			Numeric *shares, Numeric (*counts)[2], bool even_nothing)
{
	int			cause = find_cause(x, SSOT_QUALITY, kind, side, field);

	if (cause < 0)
		return;
	for (int corner = next_corner(x, SSOT_QUALITY, -1); corner >= 0; corner = next_corner(x, SSOT_QUALITY, corner))
	{
		int			h = H(ssot_game_corner(x->game, corner));

		part->share = shares[h];
		memcpy(part->counts, counts[h], sizeof(part->counts));
		if (even_nothing || !ssot_is_zero(part->share))
			put_part(x, cause, corner, part);
	}
}

/*
 * What the other side's hierarchy makes of a part: placed[q][h] is what the records of
 * side q count for in hierarchy h. Besides the hierarchy's own cause it weighs in
 * where definition or timing turns while a side's records stand in the other's tree.
 */
static void
put_hierarchy(Detailing *x, Part *part, Numeric (*placed)[2])
{
	int			cause = find_cause(x, SSOT_HIERARCHY, SSOT_CAUSE_WHOLE, -1, NULL);

	for (int corner = next_corner(x, SSOT_HIERARCHY, -1); corner >= 0 && cause >= 0;
		 corner = next_corner(x, SSOT_HIERARCHY, corner))
	{
		Numeric    *at = placed[Q(ssot_game_corner(x->game, corner))];

		part->counts[0] = at[0];
		part->counts[1] = at[1];
		part->share = ssot_subtract(at[1], at[0]);
		put_part(x, cause, corner, part);
	}
	memset(part->counts, 0, sizeof(part->counts));
	for (SsotAxis axis = SSOT_DEFINITION; axis <= SSOT_TIMING; axis++)
	{
		cause = find_cause(x, axis, SSOT_CAUSE_WHOLE, -1, NULL);
		for (int corner = next_corner(x, axis, -1); corner >= 0 && cause >= 0;
			 corner = next_corner(x, axis, corner))
		{
			int			whole = ssot_game_corner(x->game, corner);
			int			q = Q(whole);
			bool		after = axis == SSOT_DEFINITION ? x->d == 1 : x->t == 1;

			if (H(whole) == q || x->game->tied)
				continue;
			part->share = ssot_subtract(placed[q][after ? 1 - q : q], placed[q][after ? q : 1 - q]);
			if (!ssot_is_zero(part->share))
				put_part(x, cause, corner, part);
		}
	}
}

/* ---- reading what a pairing consists of ----------------------------------- */

NullableDatum
ssot_next_datum(SsotSlotReader *reader)
{
	NullableDatum datum = {reader->slot->tts_values[reader->at], reader->slot->tts_isnull[reader->at]};

	reader->at++;
	return datum;
}

Numeric
ssot_next_numeric(SsotSlotReader *reader)
{
	NullableDatum datum = ssot_next_datum(reader);

	return datum.isnull ? NULL : DatumGetNumeric(datum.value);
}

static bool
next_bool(SsotSlotReader *reader)
{
	NullableDatum datum = ssot_next_datum(reader);

	return !datum.isnull && DatumGetBool(datum.value);
}

static Part
empty_part(void)
{
	Part		part = {0};

	part.id = part.pair = part.record = part.other = nothing;
	for (int side = 0; side < 2; side++)
		part.value[side] = part.records[side] = nothing;
	return part;
}

/* Are the records of both sides those of one system? */
static bool
is_one_system(const Detailing *x)
{
	return !(x->game->players & (1 << SSOT_QUALITY));
}

/* Records of a side; of both, where they are of one system. */
static void
put_records(const Detailing *x, Part *part, int side, NullableDatum records)
{
	part->records[side] = records;
	if (is_one_system(x))
		part->records[1 - side] = records;
}

/* The name that tells records without an id apart. */
static NullableDatum
first_name(NullableDatum names)
{
	Datum	   *elements;
	int			n;

	if (names.isnull)
		return nothing;
	deconstruct_array(DatumGetArrayTypeP(names.value), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	return (NullableDatum)
	{
		elements[0], false
	};
}

/* A row of ssot_pairs_detail. */
static bool
take_pair(TupleTableSlot *slot, void *arg)
{
	Detailing  *x = (Detailing *) arg;
	const SsotPairing *pairing = x->explained->pairings[x->d][x->t];
	SsotSlotReader reader = {slot, 0};
	Part		part = empty_part();
	Numeric		placed[2][2];	/* by side and hierarchy */
	Numeric		counts[2][2];	/* by hierarchy and side */
	Numeric   **steps = palloc(sizeof(Numeric *) * Max(pairing->nfields, 1));
	bool		has[2];

	part.id = ssot_next_datum(&reader);
	part.pair = ssot_next_datum(&reader);
	for (int side = 0; side < 2; side++)
		part.records[side] = ssot_next_datum(&reader);
	for (int side = 0; side < 2; side++)
		has[side] = next_bool(&reader);
	part.other = ssot_next_datum(&reader);
	/* what a key pairs may be of no golden record, or of two */
	if (pairing->key != NULL)
		part.record = !part.pair.isnull ? part.pair : first_name(part.records[has[0] ? 0 : 1]);
	for (int h = 0; h < 2; h++)
		for (int side = 0; side < 2; side++)
		{
			placed[side][h] = ssot_next_numeric(&reader);
			counts[h][side] = has[side] ? placed[side][h] : NULL;
		}
	for (int k = 0; k < pairing->nfields; k++)
		steps[k] = palloc(sizeof(Numeric) * 2);
	for (int h = 0; h < 2; h++)
		for (int k = 0; k < pairing->nfields; k++)
			steps[k][h] = ssot_next_numeric(&reader);
	if (!has[0] || !has[1])
	{
		Numeric		shares[2];

		for (int h = 0; h < 2; h++)
			shares[h] = ssot_subtract(counts[h][1], counts[h][0]);
		put_quality(x, part.other.isnull ? SSOT_CAUSE_ONLY : SSOT_CAUSE_UNDECIDED,
					part.other.isnull ? (has[0] ? 0 : 1) : -1, NULL, &part, shares, counts, !part.other.isnull);
		return true;
	}
	for (int k = 0; k < pairing->nfields; k++)
	{
		part.value[0] = ssot_next_datum(&reader);
		part.value[1] = ssot_next_datum(&reader);
		put_quality(x, SSOT_CAUSE_FIELD, -1, pairing->fields[k], &part, steps[k], counts, false);
	}
	part.value[0] = part.value[1] = nothing;
	if (pairing->has_hierarchy && (!ssot_is_zero(ssot_subtract(placed[0][0], placed[0][1])) ||
								   !ssot_is_zero(ssot_subtract(placed[1][0], placed[1][1]))))
		put_hierarchy(x, &part, placed);
	return true;
}

static SsotCauseKind
kind_of(const char *name)
{
	return strcmp(name, "duplicate") == 0 ? SSOT_CAUSE_DUPLICATE :
		strcmp(name, "quarantined") == 0 ? SSOT_CAUSE_QUARANTINED : SSOT_CAUSE_UNLINKED;
}

/* A row of ssot_extra_detail. */
static bool
take_extra(TupleTableSlot *slot, void *arg)
{
	Detailing  *x = (Detailing *) arg;
	SsotSlotReader reader = {slot, 0};
	Part		part = empty_part();
	NullableDatum kind;
	bool		loose;
	bool		answers;
	Numeric		counts[2][2] = {{NULL}};
	Numeric		shares[2];
	int			cause;

	part.id = ssot_next_datum(&reader);
	part.pair = ssot_next_datum(&reader);
	part.record = ssot_next_datum(&reader);
	put_records(x, &part, x->side, ssot_next_datum(&reader));
	kind = ssot_next_datum(&reader);
	loose = next_bool(&reader);
	answers = next_bool(&reader);
	if (answers)
		counts[0][x->side] = counts[1][x->side] = ssot_next_numeric(&reader);
	shares[0] = shares[1] = ssot_subtract(counts[0][1], counts[0][0]);
	if (answers && !kind.isnull)
		put_quality(x, kind_of(TextDatumGetCString(kind.value)), x->side, NULL, &part, shares, counts, false);
	if (!answers)
		put_quality(x, SSOT_CAUSE_NOT_ANSWERABLE, x->side, NULL, &part, shares, counts, true);
	cause = find_cause(x, SSOT_DEFINITION, SSOT_CAUSE_NOT_ANSWERABLE, x->side, NULL);
	for (int corner = next_corner(x, SSOT_DEFINITION, -1); corner >= 0 && cause >= 0 && loose;
		 corner = next_corner(x, SSOT_DEFINITION, corner))
	{
		if (Q(ssot_game_corner(x->game, corner)) != x->side)
			continue;
		part.counts[0] = part.counts[1] = NULL;
		part.counts[x->d] = counts[0][x->side];
		part.share = x->d == 0 ? ssot_subtract(NULL, counts[0][x->side]) : counts[0][x->side];
		put_part(x, cause, corner, &part);
	}
	return true;
}

/* A row of ssot_families_detail. */
static bool
take_family(TupleTableSlot *slot, void *arg)
{
	Detailing  *x = (Detailing *) arg;
	SsotSlotReader reader = {slot, 0};
	Part		part = empty_part();
	Numeric		placed[2][2];	/* by side and hierarchy */
	Numeric		counts[2][2];	/* by hierarchy and side */
	Numeric		shares[2];

	part.id = ssot_next_datum(&reader);
	for (int side = 0; side < 2; side++)
		part.records[side] = ssot_next_datum(&reader);
	for (int side = 0; side < 2; side++)
		placed[side][side] = ssot_next_numeric(&reader);
	for (int side = 0; side < 2; side++)
		placed[side][1 - side] = ssot_next_numeric(&reader);
	for (int h = 0; h < 2; h++)
	{
		for (int side = 0; side < 2; side++)
			counts[h][side] = placed[side][h];
		shares[h] = ssot_subtract(counts[h][1], counts[h][0]);
	}
	put_quality(x, SSOT_CAUSE_FAMILY, -1, NULL, &part, shares, counts, false);
	put_hierarchy(x, &part, placed);
	return true;
}

static void
take_each(Detailing *x, SsotPairing *pairing, const char *sql, SsotRowCallback take)
{
	x->take = take;
	ssot_pair_each(pairing->rows, sql, take_row, x);
}

static void
note_pairing(Detailing *x, SsotPairing *pairing)
{
	take_each(x, pairing, ssot_pairs_detail(pairing->rows), take_pair);
	for (x->side = 0; x->side < 2; x->side++)
		if (ssot_has_extra(pairing->rows, x->side))
			take_each(x, pairing, ssot_extra_detail(pairing->rows, x->side), take_extra);
	if (pairing->rows->family != NULL)
		take_each(x, pairing, ssot_families_detail(pairing->rows), take_family);
}

/* A row of ssot_step_each: the same in all corners that differ only in the hierarchy. */
static bool
take_step(TupleTableSlot *slot, void *arg)
{
	Detailing  *x = (Detailing *) arg;
	SsotSlotReader reader = {slot, 0};
	Part		part = empty_part();
	NullableDatum all;
	NullableDatum names[2];
	Numeric		counts[2];
	int			cause = find_cause(x, x->axis, SSOT_CAUSE_WHOLE, -1, NULL);
	int			at = ssot_game_corner(x->game, x->corner) & ~(1 << SSOT_HIERARCHY);
	bool		tied = x->game->tied && x->axis == SSOT_TIMING;
	uint32		contexts = ssot_game_contexts(x->game, x->axis);

	part.id = ssot_next_datum(&reader);
	part.pair = ssot_next_datum(&reader);
	part.record = ssot_next_datum(&reader);
	/* what a key pairs may be of no golden record, or of several */
	if (tied && !part.pair.isnull)
		part.record = part.pair;
	all = ssot_next_datum(&reader);
	names[0] = ssot_next_datum(&reader);
	names[1] = ssot_next_datum(&reader);
	counts[0] = ssot_next_numeric(&reader);
	counts[1] = ssot_next_numeric(&reader);
	part.share = ssot_next_numeric(&reader);
	if (tied || (x->axis == SSOT_TIMING && is_one_system(x)))
		memcpy(part.records, names, sizeof(names));
	else
		put_records(x, &part, Q(at), all);
	for (int corner = 0; corner < SSOT_CORNERS && cause >= 0; corner++)
	{
		int			whole = ssot_game_corner(x->game, corner);

		if (!(contexts & (1 << corner)) || (whole & ~(1 << SSOT_HIERARCHY)) != at)
			continue;
		memset(part.counts, 0, sizeof(part.counts));
		if (tied || H(whole) == Q(whole))
			memcpy(part.counts, counts, sizeof(counts));
		put_part(x, cause, corner, &part);
	}
	return true;
}

static void
note_steps(Detailing *x, SsotAxis axis)
{
	uint32		contexts = ssot_game_contexts(x->game, axis);
	uint32		seen = 0;

	x->axis = axis;
	for (x->corner = 0; x->corner < SSOT_CORNERS; x->corner++)
	{
		uint32		at = 1 << (ssot_game_corner(x->game, x->corner) & ~(1 << SSOT_HIERARCHY));
		SsotStep	step;

		if (!(contexts & (1 << x->corner)) || (seen & at))
			continue;
		seen |= at;
		if (ssot_explain_step(x->explained, x->game, axis, x->corner, &step))
		{
			x->take = take_step;
			ssot_step_each(&step, take_row, x);
		}
	}
}

/* ---- the whole ------------------------------------------------------------ */

static TupleDesc
detail_desc(void)
{
	static const struct
	{
		const char *name;
		Oid			type;
	}			columns[NCOLS] = {
		{"cause", INT4OID}, {"corner", INT4OID}, {"weight", INT4OID}, {"id", TEXTOID}, {"pair", TEXTOID},
		{"record", TEXTOID}, {"l", NUMERICOID}, {"r", NUMERICOID}, {"v", NUMERICOID},
		{"l_value", TEXTOID}, {"r_value", TEXTOID}, {"l_records", TEXTARRAYOID},
		{"r_records", TEXTARRAYOID}, {"other", TEXTOID}
	};
	TupleDesc	desc = CreateTemplateTupleDesc(NCOLS);

	for (int i = 0; i < NCOLS; i++)
	{
		TupleDescInitEntry(desc, i + 1, columns[i].name, columns[i].type, -1, 0);
		if (columns[i].type == TEXTOID || columns[i].type == TEXTARRAYOID)
			TupleDescInitEntryCollation(desc, i + 1, C_COLLATION_OID);
	}
	return desc;
}

SsotRelation *
ssot_explain_parts(const SsotExplained *explained, List *causes, const SsotGame *game)
{
	Detailing	x = {.explained = explained,.causes = causes,.game = game};
	SsotRelation *detail = palloc(sizeof(SsotRelation));

	x.row = AllocSetContextCreate(CurrentMemoryContext, "explained row", ALLOCSET_DEFAULT_SIZES);
	x.detail.name = "ssot_detail";
	x.detail.desc = detail_desc();
	x.detail.rows = tuplestore_begin_heap(false, false, work_mem);
	x.detail.count = 0;
	for (x.d = 0; x.d < 2; x.d++)
		for (x.t = 0; x.t < 2; x.t++)
			if (explained->pairings[x.d][x.t] != NULL && explained->pairings[x.d][x.t]->rows != NULL)
				note_pairing(&x, explained->pairings[x.d][x.t]);
	note_steps(&x, SSOT_DEFINITION);
	note_steps(&x, SSOT_TIMING);
	MemoryContextDelete(x.row);
	*detail = x.detail;
	return detail;
}
