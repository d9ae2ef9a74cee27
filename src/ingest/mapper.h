/*
 * ingest/mapper.h
 *		From a source's raw row to a record: keys, tokens, times, fields.
 *
 * mapper.c compiles a mapping, evaluate.c applies it to a row. The struct is
 * theirs; other files use the functions.
 */
#ifndef SSOT_MAPPER_H
#define SSOT_MAPPER_H

#include "nodes/execnodes.h"

#include "entity/record.h"
#include "ingest/codes.h"
#include "text/blank.h"

/* Longer keys and tokens do not fit into an index. */
#define SSOT_MAX_KEY_BYTES 2000

/* A user's expression, ready to be evaluated on a raw row. */
typedef struct SsotExpr
{
	Expr	   *planned;
	ExprState  *state;
	MemoryContext context;		/* of the state, which is made anew after an
								 * error */
	Oid			type;			/* base type of its values */
	bool		is_text;		/* text, varchar, char(n) and their like */
	bool		is_varlena_text;	/* text, varchar or char(n) itself */
	FmgrInfo	output;
	AttrNumber	only_column;	/* the one column it reads, or 0 */
} SsotExpr;

/* An expression whose values become values of a type. */
typedef struct SsotTyped
{
	SsotExpr	expr;
	Oid			type;			/* a base type */
	int32		typmod;
	bool		through_input;	/* text goes through the type's input function */
	int			plain_bytes;	/* texts up to this long are taken as they are */
	FmgrInfo	input;
	Oid			ioparam;
} SsotTyped;

/* A CHECK constraint that reads one field only. */
typedef struct SsotCheck
{
	char	   *name;
	SsotExpr	expr;			/* over a row of that one field */
} SsotCheck;

typedef struct SsotMappedField
{
	int			field;			/* index into the entity's fields */
	char	   *name;
	SsotTyped	value;
	SsotCodes  *codes;			/* code list, or NULL */
	char	   *token_prefix;	/* "crm.id:" where it is a reference, else
								 * NULL */
	Oid			domain;			/* or InvalidOid */
	void	   *domain_state;
	List	   *checks;			/* of SsotCheck */
	TupleTableSlot *check_slot;
	bool		null_on_error;
	ErrorData  *error;			/* of the row at hand, where its value is not
								 * taken */
	char	   *raw;			/* what was not taken, or NULL */
} SsotMappedField;

/* A further key or a link: a token's prefix and the value after it. */
typedef struct SsotMappedToken
{
	char	   *what;			/* as in key "id", for reasons */
	char	   *prefix;
	SsotExpr	value;
	bool		required;
} SsotMappedToken;

typedef struct SsotMappedTime
{
	char	   *field;
	SsotTyped	value;
} SsotMappedTime;

typedef struct SsotMapper
{
	const SsotEntity *entity;
	const SsotSource *source;
	const SsotBlankWords *blank;
	Oid			relid;
	char	   *filter;			/* or NULL */
	SsotExpr   *row_filter;		/* the same, for one row; NULL: the query that
								 * reads evaluates it */
	Bitmapset  *columns;		/* read by any expression; see expression.h */
	MemoryContext context;		/* what lives as long as the mapper */
	EState	   *estate;
	ExprContext *econtext;

	int			nkeys;
	SsotExpr   *keys;
	int			ntokens;
	SsotMappedToken *tokens;
	int			ntimes;
	SsotMappedTime *times;
	int			nfields;
	SsotMappedField *fields;
	SsotTyped  *updated_at;		/* or NULL */
	SsotTyped  *deleted;		/* or NULL */
	SsotExpr   *merged_into;	/* or NULL */
	bool	   *is_reference;	/* by field index */

	/* What is being evaluated, for errors. */
	SsotExpr   *at;
	const char *at_part;		/* "key", "updated_at" ...; NULL in a field */
	SsotMappedField *at_field;
	int			nfailed;		/* fields of the row at hand that are not
								 * taken */
} SsotMapper;

/* What became of a row. */
typedef enum SsotRowFate
{
	SSOT_ROW_TAKEN,
	SSOT_ROW_ABSENT,			/* deleted in the source */
	SSOT_ROW_REFUSED			/* to be quarantined */
} SsotRowFate;

/* Why a row was refused. */
typedef struct SsotRefusal
{
	const char *field;			/* or NULL */
	const char *reason;
	const char *sqlstate;		/* or NULL */
	const char *detail;			/* or NULL */
} SsotRefusal;

/* The record a row became: values by SSOT_REC_* attribute number - 1, with the
 * tokens after the fields. Values live until the next row. */
typedef struct SsotMappedRow
{
	SsotRowFate fate;
	Datum		key;			/* text */
	bool		has_key;
	Datum	   *values;
	bool	   *nulls;
	SsotRefusal refusal;
} SsotMappedRow;

/*
 * Compile the mapping of a source whose relation has this OID. Errors: what
 * ssot_expression_parse raises, such as a column that has gone. Needs the
 * pinned settings.
 */
extern SsotMapper *ssot_mapper_create(const SsotEntity *entity, const SsotSource *source,
									  Oid relid, const SsotBlankWords *blank);
extern void ssot_mapper_free(SsotMapper *mapper);

/* Make an expression's state, anew where an error may have spoilt it. */
extern void ssot_expr_init(SsotExpr *expr);

/*
 * Map one deformed row. Raises whatever the user's expressions raise; then
 * ssot_mapper_failed says what to do: true to map the same row again without the
 * field that failed (on_error => null), else row->refusal is filled in.
 */
extern void ssot_mapper_row(SsotMapper *mapper, TupleTableSlot *raw, SsotMappedRow *row);
extern bool ssot_mapper_failed(SsotMapper *mapper, TupleTableSlot *raw,
							   const ErrorData *error, SsotMappedRow *row);

/*
 * The query that reads cannot say which row its filter failed on. So after a
 * failure each row is asked: ssot_mapper_filter_by_row prepares that, and
 * ssot_mapper_passes evaluates it, which may raise; then call
 * ssot_mapper_filter_failed. ssot_mapper_row refuses such a row.
 */
extern void ssot_mapper_filter_by_row(SsotMapper *mapper);
extern bool ssot_mapper_passes(SsotMapper *mapper, TupleTableSlot *raw);
extern void ssot_mapper_filter_failed(SsotMapper *mapper);

/* Only the key of a row, or the row's source time; false if it has none. They live
 * until the next ssot_mapper_reset and raise as ssot_mapper_row does. */
extern bool ssot_mapper_key(SsotMapper *mapper, TupleTableSlot *raw, Datum *key);
extern bool ssot_mapper_time(SsotMapper *mapper, TupleTableSlot *raw, Datum *time);

/* Forget the row at hand and all its values. */
extern void ssot_mapper_reset(SsotMapper *mapper);

/* Number of values in a mapped row. */
#define ssot_mapped_natts(entity) (SSOT_REC_FIELDS + (entity)->nfields + 1)

#endif							/* SSOT_MAPPER_H */
