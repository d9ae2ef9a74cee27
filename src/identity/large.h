/*
 * identity/large.h
 *		Arrays that grow with the number of records.
 *
 * Nearly all that matching holds is in arrays of a handful of kinds, some of them
 * larger than the caches and met in no order. They are had from here, for three
 * reasons: maintenance_work_mem bounds them; what is freed goes back to the
 * system at once; and large pages are asked for, without which nearly every look
 * costs a walk through the page tables besides.
 *
 * What does not fit into maintenance_work_mem lies in temporary files, which are
 * mapped: the system keeps of them what it has room for. temp_file_limit,
 * temp_tablespaces and log_temp_files hold for them as for those of a sort.
 */
#ifndef SSOT_LARGE_H
#define SSOT_LARGE_H

/*
 * How many processes share maintenance_work_mem, this one included. It holds
 * for what is allocated from now on.
 */
extern void ssot_large_share(int processes);

/*
 * Memory that lives as long as the current context, or until it is freed; "zero":
 * filled with zeros. Errors as palloc's, and those of temporary files.
 */
extern void *ssot_large_alloc(Size size, bool zero);

/* As repalloc, also for sizes beyond one gigabyte. */
extern void *ssot_large_realloc(void *memory, Size size);

extern void ssot_large_free(void *memory);

/* Some of what is freed is kept for the next array; give that back as well. */
extern void ssot_large_trim(void);

#define SSOT_LARGE(type, count) \
	((type *) ssot_large_alloc(sizeof(type) * Max((Size) (count), 1), false))
#define SSOT_LARGE0(type, count) \
	((type *) ssot_large_alloc(sizeof(type) * Max((Size) (count), 1), true))
#define SSOT_ENLARGE(array, type, count) \
	((array) = (type *) ssot_large_realloc(array, sizeof(type) * (Size) (count)))

/*
 * For blocks that are shared with other processes (segment.c): may "size" more
 * bytes be held in memory? They count from then on, until they are given back.
 */
extern bool ssot_large_take(Size size);
extern void ssot_large_give_back(Size size);

/*
 * Fill a temporary file with zeros up to "size", or fail as a sort would. It counts
 * for temp_file_limit, though it may be closed, until it is given back.
 */
extern void ssot_large_fill_file(int file, Size size);
extern void ssot_large_give_back_file(Size size);

#endif							/* SSOT_LARGE_H */
