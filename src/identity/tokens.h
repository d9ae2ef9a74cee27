/*
 * identity/tokens.h
 *		How often tokens occur in a field.
 */
#ifndef SSOT_TOKENS_H
#define SSOT_TOKENS_H

#include "identity/kind.h"

/* "total": records that have a value. */
extern SsotTokenShares *ssot_token_shares_create(int total);
extern void ssot_token_note(SsotTokenShares *shares, uint64 token, int count);

#endif							/* SSOT_TOKENS_H */
