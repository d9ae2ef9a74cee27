/*
 * identity/text_store.h
 *		Many texts that stay where they are until all of them go.
 *
 * Side by side, without an allocator's overhead for each; what does not fit into
 * maintenance_work_mem lies in temporary files (large.h).
 */
#ifndef SSOT_TEXT_STORE_H
#define SSOT_TEXT_STORE_H

typedef struct SsotTextStore
{
	MemoryContext context;		/* in which the texts live */
	char	   *next;			/* in the last block */
	Size		left;
	Size		block;			/* how long that is */
} SsotTextStore;

/* A store whose texts live as long as the current memory context. */
extern SsotTextStore *ssot_text_store_create(void);

/* Keep a text of "len" bytes; the copy ends with a zero byte. */
extern char *ssot_text_store_keep(SsotTextStore *store, const char *text, Size len);

#endif							/* SSOT_TEXT_STORE_H */
