/*
 * identity/kind_address.c
 *		Streets with house numbers, in one column or several.
 *
 * "12 Main Street", "Main St. 12" and "main street" with 12 in a column of its
 * own are one address. The first word that begins with a digit is the house
 * number, a letter behind it apart ("12a"); all other words are compared as
 * words, where street types mean what they are short for, also as the ending of
 * a word ("Hauptstr.", "Haupt Straße"). Another number in the same street is
 * another address, and still says more than another street.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/kinds.h"
#include "identity/meanings.h"
#include "identity/words.h"
#include "text/chars.h"
#include "text/normalize.h"

/* The levels. */
enum
{
	DIFFERENT = SSOT_LEVEL_DIFFERENT,
	SAME_STREET,
	ALIKE,
	NEARLY,
	SAME,
	EQUAL
};

/* Prepared. */
typedef struct AddressValue
{
	uint32		number;			/* 0: none */
	char		letter;			/* behind it; 0: none */
	char		unused[3];
	SsotWords	words;
} AddressValue;

/* A house number: "12", "12a", "12-14". */
static bool
take_number(AddressValue *value, const char *word, int len)
{
	int			i = 0;
	uint32		number = 0;

	if (value->number != 0 || !ssot_ascii_is_digit((unsigned char) word[0]))
		return false;
	for (; i < len && i < 6 && ssot_ascii_is_digit((unsigned char) word[i]); i++)
		number = number * 10 + (word[i] - '0');
	/* "1st", "2nd" and the like are names of streets */
	if (len - i > 1)
		return false;
	value->number = number + 1;
	if (i < len)
		value->letter = word[i];
	return true;
}

static void
take_word(AddressValue *value, SsotWordList *list, const char *word, int len)
{
	const char *meaning;
	int			rest;

	if (take_number(value, word, len))
		return;
	/* "12 a": the letter of a number, written apart */
	if (len == 1 && value->number != 0 && value->letter == 0 && list->count > 0 &&
		word[0] >= 'a' && word[0] <= 'd')
	{
		value->letter = word[0];
		return;
	}
	meaning = ssot_street_word(word, len, list->count == 0);
	if (meaning == NULL && (rest = ssot_street_ending(word, len, &meaning)) > 0)
	{
		ssot_word_add(list, word, rest, NULL);
		word += rest;
		len -= rest;
	}
	ssot_word_add(list, word, len, meaning);
}

static bool
prepare_address(StringInfo out, const char *text, int len)
{
	SsotWordList list;
	AddressValue value = {0};
	const char *key = ssot_text_key(text, len, &len);

	if (key == NULL)
		return false;
	ssot_words_begin(&list);
	for (int i = 0; i < len;)
	{
		int			start = i;

		while (i < len && ((unsigned char) key[i] >= 0x80 ||
						   ssot_ascii_is_alnum((unsigned char) key[i])))
			i++;
		if (i > start)
			take_word(&value, &list, key + start, i - start);
		else
			i++;
	}
	if (list.count == 0 && value.number == 0)
		return false;
	appendBinaryStringInfo(out, (char *) &value, offsetof(AddressValue, words));
	ssot_words_append(out, &list);
	return true;
}

static void
tokens_address(const void *data, void (*note) (uint64 token, void *arg), void *arg)
{
	const AddressValue *value = data;

	ssot_words_tokens(&value->words, note, arg);
}

static void
weigh_address(void *data, const SsotTokenShares *shares)
{
	AddressValue *value = data;

	ssot_words_weigh(&value->words, shares);
}

static int
level_address(const void *left, const void *right)
{
	const AddressValue *a = left;
	const AddressValue *b = right;
	SsotWordsMatch match;
	bool		same_street;
	bool		alike_street;
	bool		missing = a->number == 0 || b->number == 0;
	bool		same_number = a->number == b->number && a->number != 0;

	ssot_words_match(&a->words, &b->words, &match);
	same_street = match.exact && (match.dice >= 0.9 || (match.a_all && match.b_all && match.dice > 0));
	alike_street = same_street || match.dice >= 0.7 ||
		((match.a_all || match.b_all) && match.dice >= 0.5);
	if (same_street && same_number)
		return a->letter == b->letter ? SAME : NEARLY;
	if (same_street && missing)
		return NEARLY;
	if (alike_street && same_number)
		return match.dice >= 0.8 ? NEARLY : ALIKE;
	if (alike_street && missing)
		return ALIKE;
	if (same_street)
		return SAME_STREET;
	return DIFFERENT;
}

static uint64
agreement_address(const void *left, const void *right, int level)
{
	const AddressValue *a = left;
	const AddressValue *b = right;
	SsotWordsMatch match;

	if (level == DIFFERENT)
		return 0;
	ssot_words_match(&a->words, &b->words, &match);
	return match.rarest;
}

/* ---- keys ----------------------------------------------------------------- */

enum
{
	KEY_ADDRESS,
	KEY_SOUND,
	KEY_STREET,
	KEY_RARE_WORD,
	KEY_NUMBER
};

static const SsotKeyClass address_classes[] = {
	[KEY_ADDRESS] = {"rarest word and number", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_SOUND] = {"rarest word's sound and number", SSOT_KEY_ALONE | SSOT_KEY_COMBINED},
	[KEY_STREET] = {"street", SSOT_KEY_COMBINED},
	[KEY_RARE_WORD] = {"rarest word", SSOT_KEY_COMBINED},
	[KEY_NUMBER] = {"number", SSOT_KEY_COMBINED},
};

static void
keys_address(const void *data, SsotValueKeys *keys)
{
	const AddressValue *value = data;
	int			rarest[1];

	if (value->number != 0)
		ssot_add_key(keys, KEY_NUMBER, ssot_hash_join(0x6e72, value->number));
	if (ssot_words_rarest(&value->words, 1, rarest) == 1)
	{
		const SsotWord *word = &value->words.words[rarest[0]];

		ssot_add_key(keys, KEY_STREET, ssot_words_hash(&value->words));
		ssot_add_key(keys, KEY_RARE_WORD, word->hash);
		if (value->number != 0)
		{
			ssot_add_key(keys, KEY_ADDRESS, ssot_hash_join(word->hash, value->number));
			if (word->sound != 0)
				ssot_add_key(keys, KEY_SOUND, ssot_hash_join(word->sound, value->number));
		}
	}
}

const SsotKind ssot_kind_address = {
	.name = "address",
	.description = "streets with house numbers: street types, number apart, slips",
	.nlevels = EQUAL,
	.levels = (const char *const[]) {"different", "same street, other number", "alike",
	"nearly the same", "the same, written otherwise", "equal"},
	.shares = (const double[]) {0.15, 0.03, 0.06, 0.10, 0.16, 0.50},
	.flags = SSOT_KIND_FREQUENCY,
	.cost = 4,
	.nclasses = lengthof(address_classes),
	.classes = address_classes,
	.prepare = prepare_address,
	.tokens = tokens_address,
	.weigh = weigh_address,
	.keys = keys_address,
	.level = level_address,
	.agreement = agreement_address,
};
