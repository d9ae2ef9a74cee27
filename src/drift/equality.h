/*
 * drift/equality.h
 *		When two values of one type are the same.
 */
#ifndef SSOT_EQUALITY_H
#define SSOT_EQUALITY_H

#include "fmgr.h"

#include "common/textform.h"

/* The shortest sound way to compare values of a type. */
typedef enum SsotEqualityMethod
{
	SSOT_EQUAL_DATUM,			/* by value, equal exactly if the datums are */
	SSOT_EQUAL_BYTES,			/* equal exactly if the bytes are */
	SSOT_EQUAL_OPERATOR,		/* equal bytes, or the type's operator says so */
	SSOT_EQUAL_TEXT				/* no operator: equal text forms */
} SsotEqualityMethod;

typedef struct SsotEquality
{
	Oid			type;
	SsotEqualityMethod method;
	int16		typlen;
	bool		typbyval;
	Oid			collation;
	FmgrInfo	operator_function;
	SsotTextForm text;
	bool		has_tolerance;	/* and the type knows distances */
	double		tolerance;
	Datum		numeric_tolerance;
} SsotEquality;

/* Memory goes to the current memory context. A tolerance counts for numbers,
 * and in seconds for dates and times; other types ignore it. */
extern void ssot_equality_init(SsotEquality *equality, Oid type, Oid collation,
							   bool has_tolerance, double tolerance);

/* Equality of two non-null values. May leak small pieces of memory into the
 * current memory context. */
extern bool ssot_equal(SsotEquality *equality, Datum a, Datum b);

#endif							/* SSOT_EQUALITY_H */
