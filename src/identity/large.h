/*
 * identity/large.h
 *		Arrays that are larger than the caches and are met in no order.
 *
 * With pages of 4 kB, nearly every look into such an array costs a walk through
 * the page tables besides. Linux uses large pages where it is set to do so always,
 * or asked to; here it is asked. Everywhere else this is palloc.
 */
#ifndef SSOT_LARGE_H
#define SSOT_LARGE_H

/* Memory of the current context; "zero": filled with zeros. Errors as palloc's. */
extern void *ssot_large_alloc(Size size, bool zero);

#define SSOT_LARGE(type, count) \
	((type *) ssot_large_alloc(sizeof(type) * Max((Size) (count), 1), false))
#define SSOT_LARGE0(type, count) \
	((type *) ssot_large_alloc(sizeof(type) * Max((Size) (count), 1), true))

#endif							/* SSOT_LARGE_H */
