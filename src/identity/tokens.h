/*
 * identity/tokens.h
 *		How often tokens occur in a field.
 */
#ifndef SSOT_TOKENS_H
#define SSOT_TOKENS_H

#include "identity/kind.h"

/* How many records have a value or a token. */
typedef struct SsotFrequency
{
	uint64		hash;
	uint32		count;
} SsotFrequency;

/* "total": records that have a value. */
extern SsotTokenShares *ssot_token_shares_create(int total);
extern void ssot_token_note(SsotTokenShares *shares, uint64 token, int count);

/* A token will be noted or asked for soon. */
extern void ssot_token_announce(const SsotTokenShares *shares, uint64 token);

/* The counts as one flat array, for other processes. */
typedef struct SsotTokenTable
{
	void	   *slots;
	uint64		mask;
	uint64		used;
	double		total;
} SsotTokenTable;

extern SsotTokenTable ssot_token_table(const SsotTokenShares *shares);
extern Size ssot_token_table_size(const SsotTokenTable *table);
extern SsotTokenShares *ssot_token_shares_of(const SsotTokenTable *table);

/* After the last token: forget those that one record has, as nearly all have.
 * A token that is not known is taken for one. */
extern void ssot_token_settle(SsotTokenShares *shares);

/* Those that more than one record has, in a large array; returns their number. */
extern int	ssot_token_frequent(const SsotTokenShares *shares, SsotFrequency **out);

#endif							/* SSOT_TOKENS_H */
