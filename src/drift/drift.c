/*
 * drift/drift.c
 *		Comparing the system records of one golden record with its values.
 *
 * A difference belongs to a system record: what one system says of one thing,
 * its parts joined. So two tables of one system that disagree are no drift of
 * their own; what the joined record says is compared. The rules, per field that
 * the system maps:
 *
 *		system has a value, golden has none or another     mismatch
 *		system has none because its code is not listed or
 *		its value could not be taken                       invalid
 *		system has none because the parent it names by a
 *		token is not known                                 orphan
 *		system has none, golden has one                    empty
 *
 * and per system:
 *
 *		a second record in force, or superseded rows       duplicate
 *		expected and not held                              missing
 *		held and not expected                              orphan
 *
 * Nothing here reads the database: a former golden value (kind stale) is told
 * from history by keep.c.
 */
#include "postgres.h"

#include "ssot.h"
#include "drift/drift.h"
#include "drift/equality.h"
#include "entity/expression.h"
#include "golden/evidence.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/rel.h"

/* Which golden records a source should hold. */
typedef enum Expectation
{
	EXPECTS_NOTHING_SAID,
	EXPECTS_ALL,
	EXPECTS_PREDICATE
} Expectation;

/* One system of the entity; its number is its index. */
typedef struct ComparedSystem
{
	const char *name;
	bool		drifts;			/* not the steward's, not manual */
	bool		expects;		/* some source of it says what it should hold */
	int			first_in_force; /* scratch: its first system record, or -1 */
} ComparedSystem;

struct SsotComparer
{
	const SsotEntity *entity;
	SsotEquality *equalities;	/* by field index */
	int			nsystems;
	ComparedSystem *systems;
	int		   *system_of;		/* by source index */
	Expectation *expectations;	/* by source index */
	ExprState **predicates;		/* by source index */
	ExprContext *econtext;		/* NULL without predicates */
	TupleTableSlot *golden_row; /* what predicates look at */
};

/* One call of ssot_compare_group. */
typedef struct Comparison
{
	SsotComparer *comparer;
	const SsotGroup *group;
	const Datum *golden;
	const bool *golden_nulls;
	const SsotWinner *winners;
	SsotDifferenceCallback callback;
	void	   *arg;
	int			nrecords;
	SsotSystemRecord *records;
	bool		has_superseded;
	bool		has_evidence;	/* some record has refs or detail */
} Comparison;

static void
number_systems(SsotComparer *comparer)
{
	const SsotEntity *entity = comparer->entity;

	comparer->systems = palloc0(sizeof(ComparedSystem) * Max(entity->nsources, 1));
	comparer->system_of = palloc(sizeof(int) * Max(entity->nsources, 1));
	for (int s = 0; s < entity->nsources; s++)
	{
		const SsotSource *source = &entity->sources[s];
		int			n = 0;

		while (n < comparer->nsystems &&
			   strcmp(comparer->systems[n].name, source->system) != 0)
			n++;
		if (n == comparer->nsystems)
		{
			comparer->systems[n].name = source->system;
			comparer->systems[n].drifts = !source->is_steward && !source->is_manual;
			comparer->nsystems++;
		}
		comparer->system_of[s] = n;
		comparer->systems[n].expects |= strcmp(source->expects, "none") != 0;
	}
}

/*
 * A predicate sees the golden record's id and fields. Other columns (generated
 * ones, valid_from, retired_at) are not known while records settle.
 */
static void
check_predicate_columns(const SsotEntity *entity, const SsotSource *source, Node *expr)
{
	Bitmapset  *columns = ssot_expression_columns(expr, NULL);
	int			member = -1;

	while ((member = bms_next_member(columns, member)) >= 0)
	{
		AttrNumber	attnum = member + FirstLowInvalidHeapAttributeNumber;
		bool		known = attnum == entity->id_attnum;

		for (int f = 0; f < entity->nfields && !known; f++)
			known = entity->fields[f].attnum == attnum;
		if (!known)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("what source \"%s\" is expected to hold cannot depend on this column of \"%s\"",
							source->name, entity->table),
					 errdetail("The predicate %s reads a column that is neither the id nor a field.",
							   source->expects),
					 errhint("Write the condition over fields, with ssot.alter_source(..., expects => ...).")));
	}
}

static void
compile_expectations(SsotComparer *comparer)
{
	const SsotEntity *entity = comparer->entity;
	bool		any = false;

	comparer->expectations = palloc0(sizeof(Expectation) * Max(entity->nsources, 1));
	comparer->predicates = palloc0(sizeof(ExprState *) * Max(entity->nsources, 1));
	for (int s = 0; s < entity->nsources; s++)
	{
		const SsotSource *source = &entity->sources[s];
		Node	   *expr;

		if (strcmp(source->expects, "none") == 0)
			continue;
		if (strcmp(source->expects, "all") == 0)
		{
			comparer->expectations[s] = EXPECTS_ALL;
			continue;
		}
		expr = ssot_expression_parse(source->expects, entity->relid,
									 psprintf("what source \"%s\" expects", source->name),
									 BOOLOID, -1);
		check_predicate_columns(entity, source, expr);
		comparer->expectations[s] = EXPECTS_PREDICATE;
		comparer->predicates[s] = ExecInitExpr(expression_planner((Expr *) expr), NULL);
		any = true;
	}
	if (any)
	{
		Relation	rel = table_open(entity->relid, AccessShareLock);

		comparer->golden_row =
			MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(rel)),
									 &TTSOpsVirtual);
		table_close(rel, NoLock);
		comparer->econtext = CreateStandaloneExprContext();
		comparer->econtext->ecxt_scantuple = comparer->golden_row;
	}
}

SsotComparer *
ssot_comparer_create(const SsotEntity *entity)
{
	SsotComparer *comparer = palloc0(sizeof(SsotComparer));

	comparer->entity = entity;
	comparer->equalities = palloc0(sizeof(SsotEquality) * Max(entity->nfields, 1));
	for (int f = 0; f < entity->nfields; f++)
	{
		const SsotField *field = &entity->fields[f];

		ssot_equality_init(&comparer->equalities[f], field->base_type, field->collation,
						   field->has_tolerance, field->tolerance);
	}
	number_systems(comparer);
	compile_expectations(comparer);
	return comparer;
}

bool
ssot_values_equal(SsotComparer *comparer, int field, Datum a, Datum b)
{
	return ssot_equal(&comparer->equalities[field], a, b);
}

/* The record that gave the golden value; -1 where the value is an older one
 * that stayed in force because the new version is held. */
static int
golden_record_of(Comparison *c, int f)
{
	const SsotRecord *record;
	int			winner;

	if (c->winners == NULL || (winner = c->winners[f].record) < 0)
		return -1;
	record = &c->group->records[winner];
	if (record->nulls[f] != c->golden_nulls[f])
		return -1;
	if (!record->nulls[f] &&
		!ssot_values_equal(c->comparer, f, record->values[f], c->golden[f]))
		return -1;
	return winner;
}

static void
report_field(Comparison *c, const SsotSystemRecord *record, int part, int f,
			 SsotDriftKind kind, const char *system_value)
{
	SsotComparer *comparer = c->comparer;
	const char *name = comparer->entity->fields[f].name;
	int			winner = golden_record_of(c, f);
	SsotDifference d = {0};

	d.source = part >= 0 ? c->group->records[part].source : record->source;
	d.key = record->key;
	d.field = f;
	d.kind = kind;
	if (!c->golden_nulls[f])
		d.golden_value = ssot_text_form(&comparer->equalities[f].text, c->golden[f]);
	d.system_value = system_value;
	if (part >= 0)
		d.has_system_time = ssot_record_time(&c->group->records[part], name, &d.system_time);
	d.winner_source = -1;
	if (winner >= 0)
	{
		const SsotRecord *from = &c->group->records[winner];

		d.winner_source = from->source;
		d.has_winner_time = ssot_record_time(from, name, &d.winner_time);
		d.winner_from = from->from;
	}
	c->callback(&d, c->arg);
}

static void
report_record(Comparison *c, int source, const SsotSystemRecord *record,
			  SsotDriftKind kind, const char *system_value)
{
	SsotDifference d = {0};

	d.source = source;
	d.key = record == NULL ? "" : record->key;
	d.field = -1;
	d.kind = kind;
	d.system_value = system_value;
	if (record != NULL)
	{
		d.has_system_time = record->has_updated_at;
		d.system_time = record->updated_at;
	}
	d.winner_source = -1;
	c->callback(&d, c->arg);
}

/*
 * The system has no value for a field that it maps. Any of its parts may say
 * why: a code or a value that could not be taken, or a parent it waits for.
 */
static void
compare_absent(Comparison *c, const SsotSystemRecord *record, int f)
{
	SsotComparer *comparer = c->comparer;
	const char *name = comparer->entity->fields[f].name;

	for (int r = 0; c->has_evidence && r < c->group->nrecords; r++)
	{
		const SsotRecord *part = &c->group->records[r];
		char	   *text;

		if (part->copy != 0 || (part->refs == NULL && part->detail == NULL) ||
			comparer->system_of[part->source] != comparer->system_of[record->source] ||
			strcmp(part->key, record->key) != 0)
			continue;
		if (ssot_record_detail(part, name, "reason") != NULL)
		{
			text = ssot_record_detail(part, name, "raw");

			report_field(c, record, r, f, SSOT_DRIFT_INVALID, text);
			return;
		}
		if ((text = ssot_record_ref(part, name)) != NULL)
		{
			report_field(c, record, r, f, SSOT_DRIFT_ORPHAN, text);
			return;
		}
	}
	if (!c->golden_nulls[f])
		report_field(c, record, record->part[f], f, SSOT_DRIFT_EMPTY, NULL);
}

static void
compare_fields(Comparison *c, const SsotSystemRecord *record)
{
	SsotComparer *comparer = c->comparer;

	for (int f = 0; f < comparer->entity->nfields; f++)
	{
		SsotEquality *equality = &comparer->equalities[f];

		if (!record->mapped[f])
			continue;
		if (record->nulls[f])
			compare_absent(c, record, f);
		else if (c->golden_nulls[f] ||
				 !ssot_equal(equality, c->golden[f], record->values[f]))
			report_field(c, record, record->part[f], f, SSOT_DRIFT_MISMATCH,
						 ssot_text_form(&equality->text, record->values[f]));
	}
}

/*
 * One finding per record: it is the second of its system (records below the
 * entity's level may be many), or rows of its key were superseded, or both.
 */
static void
compare_duplicate(Comparison *c, int i)
{
	const SsotSystemRecord *record = &c->records[i];
	ComparedSystem *system = &c->comparer->systems[c->comparer->system_of[record->source]];
	const SsotSource *source = &c->comparer->entity->sources[record->source];
	const char *beside = NULL;
	int			superseded = 0;

	if (system->first_in_force < 0)
		system->first_in_force = i;
	else if (source->level == NULL)
		beside = psprintf("beside %s:%s", system->name,
						  c->records[system->first_in_force].key);
	for (int j = 0; c->has_superseded && j < c->nrecords; j++)
		if (c->records[j].superseded &&
			c->comparer->system_of[c->records[j].source] == c->comparer->system_of[record->source] &&
			strcmp(c->records[j].key, record->key) == 0)
			superseded++;
	if (beside == NULL && superseded == 0)
		return;
	report_record(c, record->source, record, SSOT_DRIFT_DUPLICATE,
				  superseded == 0 ? beside :
				  psprintf("%s%s%d superseded", beside == NULL ? "" : beside,
						   beside == NULL ? "" : ", ", superseded));
}

static void
store_golden_row(Comparison *c)
{
	SsotComparer *comparer = c->comparer;
	const SsotEntity *entity = comparer->entity;
	TupleTableSlot *row = comparer->golden_row;

	ExecClearTuple(row);
	memset(row->tts_isnull, true, sizeof(bool) * row->tts_tupleDescriptor->natts);
	row->tts_values[entity->id_attnum - 1] = c->group->id;
	row->tts_isnull[entity->id_attnum - 1] = false;
	for (int f = 0; f < entity->nfields; f++)
	{
		row->tts_values[entity->fields[f].attnum - 1] = c->golden[f];
		row->tts_isnull[entity->fields[f].attnum - 1] = c->golden_nulls[f];
	}
	ExecStoreVirtualTuple(row);
}

/* 1: the source should hold this golden record; 0: it should not; -1: nothing
 * is said, or the predicate is NULL. */
static int
expectation_of(Comparison *c, int s)
{
	SsotComparer *comparer = c->comparer;
	Datum		expected;
	bool		isnull;

	if (comparer->expectations[s] == EXPECTS_NOTHING_SAID)
		return -1;
	if (comparer->expectations[s] == EXPECTS_ALL)
		return 1;
	expected = ExecEvalExprSwitchContext(comparer->predicates[s], comparer->econtext, &isnull);
	ResetExprContext(comparer->econtext);
	return isnull ? -1 : (DatumGetBool(expected) ? 1 : 0);
}

/* A system should hold what any of its sources should hold. */
static void
compare_expectation(Comparison *c, int system)
{
	SsotComparer *comparer = c->comparer;
	bool		held = comparer->systems[system].first_in_force >= 0;
	bool		unexpected = false;

	for (int s = 0; s < comparer->entity->nsources; s++)
	{
		int			expectation;

		if (comparer->system_of[s] != system)
			continue;
		expectation = expectation_of(c, s);
		if (expectation == 1)
		{
			if (!held)
				report_record(c, s, NULL, SSOT_DRIFT_MISSING, NULL);
			return;
		}
		unexpected |= expectation == 0;
	}
	for (int i = 0; unexpected && i < c->nrecords; i++)
	{
		const SsotSystemRecord *record = &c->records[i];

		if (comparer->system_of[record->source] == system &&
			!record->superseded && !record->alias)
			report_record(c, record->source, record, SSOT_DRIFT_ORPHAN, NULL);
	}
}

void
ssot_compare_group(SsotComparer *comparer, const SsotGroup *group,
				   const Datum *golden, const bool *golden_nulls,
				   const SsotWinner *winners,
				   SsotDifferenceCallback callback, void *arg)
{
	Comparison	c = {0};

	c.comparer = comparer;
	c.group = group;
	c.golden = golden;
	c.golden_nulls = golden_nulls;
	c.winners = winners;
	c.callback = callback;
	c.arg = arg;
	c.nrecords = ssot_join_parts(comparer->entity, group, &c.records);
	for (int i = 0; i < c.nrecords; i++)
		c.has_superseded |= c.records[i].superseded;
	for (int r = 0; r < group->nrecords; r++)
		c.has_evidence |= group->records[r].refs != NULL || group->records[r].detail != NULL;
	for (int n = 0; n < comparer->nsystems; n++)
		comparer->systems[n].first_in_force = -1;

	for (int i = 0; i < c.nrecords; i++)
	{
		const SsotSystemRecord *record = &c.records[i];

		if (!comparer->systems[comparer->system_of[record->source]].drifts ||
			record->superseded || record->alias)
			continue;
		compare_duplicate(&c, i);
		compare_fields(&c, record);
	}
	if (comparer->golden_row != NULL)
		store_golden_row(&c);
	for (int n = 0; n < comparer->nsystems; n++)
		if (comparer->systems[n].expects)
			compare_expectation(&c, n);
}

const char *
ssot_drift_kind_name(SsotDriftKind kind)
{
	static const char *const names[] = {
		[SSOT_DRIFT_MISMATCH] = "mismatch",
		[SSOT_DRIFT_EMPTY] = "empty",
		[SSOT_DRIFT_MISSING] = "missing",
		[SSOT_DRIFT_ORPHAN] = "orphan",
		[SSOT_DRIFT_DUPLICATE] = "duplicate",
		[SSOT_DRIFT_STALE] = "stale",
		[SSOT_DRIFT_INVALID] = "invalid",
	};

	return names[kind];
}
