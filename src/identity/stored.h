/*
 * identity/stored.h
 *		A model that outlives the run that learnt it.
 *
 * Records are scored the same whichever of them happen to be at hand: how
 * frequent a value or a token is comes from the stored model, as it was when it
 * was learnt. What the model does not know counts as rare.
 */
#ifndef SSOT_STORED_H
#define SSOT_STORED_H

#include "identity/model.h"
#include "identity/tokens.h"

#include "lib/stringinfo.h"

typedef struct SsotStoredField
{
	const SsotKind *kind;
	double		have;			/* records that had a value */
	int			nfrequent;
	SsotFrequency *frequent;	/* values, by the hash of their prepared forms */
	SsotTokenShares *shares;	/* NULL: the kind has no tokens */
} SsotStoredField;

typedef struct SsotStoredModel
{
	SsotModel	model;
	List	   *rules;			/* SsotBlocking, in their order */
	SsotStoredField fields[SSOT_MAX_FIELDS];
} SsotStoredModel;

/* Append a model: what was learnt, the rules chosen, and what is frequent. */
extern void ssot_model_write(StringInfo out, const SsotModel *model, List *rules,
							 const SsotRecords *records);

/*
 * Read one. NULL: it was written by another version of the engine, or its kinds
 * are not the given ones (of which there are nfields); then it has to be learnt
 * anew.
 */
extern SsotStoredModel *ssot_model_read(const char *bytes, Size len, int nfields,
										const SsotKind *const *kinds);

/* How many records had the value when the model was learnt: at least 1. */
extern uint32 ssot_stored_count(const SsotStoredField *field, uint64 hash);

/*
 * The blocking keys of a record under the model's rules, each with the number of
 * its rule in the upper half (ssot_rule_key): records are compared if they share
 * one that no more than SSOT_MAX_BLOCK have. At most SSOT_RECORD_KEYS; returns their
 * number.
 */
#define SSOT_RECORD_KEYS	(64 * SSOT_RULE_SLOTS)
extern int	ssot_stored_keys(const SsotStoredModel *stored, const SsotRecords *records,
							 int record, uint64 *keys);

#endif							/* SSOT_STORED_H */
