/*
 * dictionary/tree_ids.h
 *		Ids of any type as numbers from 0.
 */
#ifndef SSOT_TREE_IDS_H
#define SSOT_TREE_IDS_H

/* An array taken apart. */
typedef struct SsotElements
{
	Oid			type;
	int			n;
	Datum	   *values;
	bool	   *nulls;
} SsotElements;

typedef struct SsotNumbers SsotNumbers;

/* Numbers of ids: their places in the array. Errors: an id that is null or there twice,
 * a type that cannot be hashed. The values stay the caller's. */
extern SsotNumbers *ssot_number_ids(const SsotElements *ids);

/* The number of an id; -1 if it is null or not there. */
extern int	ssot_number_of(const SsotNumbers *numbers, Datum id, bool isnull);

/* The n numbers in the order of ids; as they came, where the type has no order. */
extern int *ssot_sorted_by_id(const SsotNumbers *numbers, int n);

/* The values as numbers from 0, one for each that differs, of which there are *n; -1
 * for NULL. */
extern int *ssot_number_values(const SsotElements *values, int *n);

#endif							/* SSOT_TREE_IDS_H */
