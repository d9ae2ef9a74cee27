/*
 * identity/text_store.c
 *		Many texts that stay where they are until all of them go.
 *
 * Blocks become longer as there are more, so that few texts cost little and many
 * need few blocks.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/text_store.h"

#define FIRST_BLOCK		((Size) 8 * 1024)
#define LAST_BLOCK		((Size) 16 * 1024 * 1024)

SsotTextStore *
ssot_text_store_create(void)
{
	SsotTextStore *store = palloc0(sizeof(SsotTextStore));

	store->context = CurrentMemoryContext;
	store->block = FIRST_BLOCK;
	return store;
}

char *
ssot_text_store_keep(SsotTextStore *store, const char *text, Size len)
{
	char	   *kept;

	if (store->left < len + 1)
	{
		MemoryContext old = MemoryContextSwitchTo(store->context);

		store->block = Min(store->block * 2, LAST_BLOCK);
		store->left = Max(store->block, len + 1);
		store->next = SSOT_LARGE(char, store->left);
		MemoryContextSwitchTo(old);
	}
	kept = store->next;
	memcpy(kept, text, len);
	kept[len] = '\0';
	store->next += len + 1;
	store->left -= len + 1;
	return kept;
}
