/*
 * identity/meanings.h
 *		What words of company names and addresses are shortened to.
 */
#ifndef SSOT_MEANINGS_H
#define SSOT_MEANINGS_H

/* What a word means, or NULL if it is not in the table; "first": of a street. */
extern const char *ssot_company_word(const char *word, int len);
extern const char *ssot_street_word(const char *word, int len, bool first);

/*
 * A street's type at the end of one word, "hauptstrasse": how long the rest is,
 * and what the type means; 0 if there is none.
 */
extern int	ssot_street_ending(const char *word, int len, const char **meaning);

#endif							/* SSOT_MEANINGS_H */
