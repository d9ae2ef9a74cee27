/*
 * identity/large.c
 *		Arrays that are larger than the caches and are met in no order.
 *
 * Pages that are not touched stay unallocated, large ones too, so an array that
 * is only filled in part costs at most one large page more than before.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"

#include "utils/memutils.h"

#include <sys/mman.h>

#define LARGE_PAGE		((Size) 2 * 1024 * 1024)

void *
ssot_large_alloc(Size size, bool zero)
{
	char	   *memory = palloc_extended(size, MCXT_ALLOC_HUGE);

#ifdef MADV_HUGEPAGE
	if (size >= 2 * LARGE_PAGE)
	{
		char	   *begin = (char *) TYPEALIGN(LARGE_PAGE, (uintptr_t) memory);
		char	   *end = (char *) TYPEALIGN_DOWN(LARGE_PAGE, (uintptr_t) memory + size);

		/* advice: where it is not taken, nothing is lost */
		(void) madvise(begin, end - begin, MADV_HUGEPAGE);
	}
#endif
	if (zero)
		memset(memory, 0, size);
	return memory;
}
