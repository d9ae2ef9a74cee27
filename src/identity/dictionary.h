/*
 * identity/dictionary.h
 *		The distinct texts and values of one field, while records are read.
 */
#ifndef SSOT_DICTIONARY_H
#define SSOT_DICTIONARY_H

#include "identity/encode.h"

/* A raw text, by hash. */
typedef struct SsotRawSlot
{
	uint64		hash;
	uint32		check;
	int			id;				/* 0: empty; else 1 more than what the text
								 * stands for */
} SsotRawSlot;

/* A prepared form, by hash. */
typedef struct SsotFormSlot
{
	uint32		hash;
	int			id;				/* 0: empty */
} SsotFormSlot;

typedef struct SsotDictionary
{
	SsotRawSlot *raw;			/* NULL: given up */
	uint32		raw_mask;
	int			nraw;
	int64		looked;			/* texts that were looked up in it */
	SsotFormSlot *forms;
	uint32		form_mask;
	Size		used;			/* bytes of the values */
	Size		allocated;
	int			capacity;		/* values */
} SsotDictionary;

/* Values in which there is none yet. */
extern void ssot_dictionary_begin(SsotDictionary *dictionary, SsotValues *values);

/* Forget how to find them. */
extern void ssot_dictionary_end(SsotDictionary *dictionary);

/* The value of a prepared form; a new one is added. */
extern int	ssot_dictionary_form(SsotDictionary *dictionary, SsotValues *values, uint64 hash,
								 const char *form, int len);

/*
 * What a raw text stands for. One that is not known stands for "new", until its
 * place is told something else. Only while raw texts are not given up.
 */
extern int	ssot_dictionary_text(SsotDictionary *dictionary, uint64 hash, uint32 check, int new,
								 uint32 *place);

static inline void
ssot_dictionary_tell(SsotDictionary *dictionary, uint32 place, int id)
{
	dictionary->raw[place].id = id + 1;
}

/* Make room for some raw texts, or give them up. */
extern void ssot_dictionary_make_room(SsotDictionary *dictionary, const SsotKind *kind, int ntexts);

/* A form, or a raw text, will be looked for soon. */
static inline const SsotFormSlot *
ssot_dictionary_form_place(const SsotDictionary *dictionary, uint64 hash)
{
	return &dictionary->forms[hash & dictionary->form_mask];
}

static inline const SsotRawSlot *
ssot_dictionary_text_place(const SsotDictionary *dictionary, uint64 hash)
{
	return &dictionary->raw[hash & dictionary->raw_mask];
}

#endif							/* SSOT_DICTIONARY_H */
