/*
 * identity/large.c
 *		Arrays that grow with the number of records.
 *
 * Each large array is a mapping of its own, because an allocator keeps what is
 * freed for the next one, and the arrays of one step are none of the next one's.
 * While those of this process fit into its share of maintenance_work_mem they
 * are plain memory. A further one is a temporary file that is mapped: it is
 * deleted as soon as it is, and gone when the mapping is. Its pages are the
 * system's cache: written out when memory is short, and never the reason for
 * which a process is killed.
 *
 * A file is filled with zeros first. Without that, a full disk would show as a
 * signal in the middle of some loop.
 *
 * PostgreSQL's memory contexts end the mappings: each has a callback in the
 * context in which it was made.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"

#include "commands/tablespace.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include <sys/mman.h>
#include <unistd.h>

/* From this size on an array is a mapping. */
#define LEAST_MAPPED	((Size) 512 * 1024)

/* So much of what is freed is kept for the next arrays. */
#define MOST_MEMORY		((Size) 64 * 1024 * 1024)
#define MOST_FILES		((Size) 96 * 1024 * 1024)

/* Two of these are worth asking for large pages. */
#define LARGE_PAGE		((Size) 2 * 1024 * 1024)

typedef struct Mapping
{
	MemoryContextCallback callback;
	char	   *address;		/* NULL: given back */
	Size		size;
	bool		in_file;
	struct Spares *spare_in;	/* NULL: in use */
	dlist_node	node;
} Mapping;

/* Stands before each array; as long as a cache line, so that these stay whole. */
typedef union Head
{
	struct
	{
		Mapping    *mapping;	/* NULL: memory of a context */
		Size		size;		/* of the array */
	}			of;
	char		line[64];
} Head;

static int	sharing = 1;		/* processes */
static Size in_memory;			/* bytes of this process */
static Size in_files;

/*
 * What is freed waits for the next array of about its size: the system would fill
 * other pages with zeros for that, and show each of them to the process for the first
 * time, which is a tenth of matching.
 */
typedef struct Spares
{
	dlist_head	list;			/* of Mapping, the oldest first */
	Size		size;
	Size		most;
} Spares;

static Spares spare_memory = {DLIST_STATIC_INIT(spare_memory.list), 0, MOST_MEMORY};
static Spares spare_files = {DLIST_STATIC_INIT(spare_files.list), 0, MOST_FILES};

static void trim(Spares *spares, Size size);

void
ssot_large_share(int processes)
{
	sharing = Max(processes, 1);
}

static bool
is_room_for(Size size)
{
	return in_memory + size <= (Size) maintenance_work_mem * 1024 / sharing;
}

bool
ssot_large_take(Size size)
{
	if (!is_room_for(size))
		trim(&spare_memory, 0);
	if (!is_room_for(size))
		return false;
	in_memory += size;
	return true;
}

void
ssot_large_give_back(Size size)
{
	in_memory -= size;
}

void
ssot_large_give_back_file(Size size)
{
	in_files -= size;
}

/* ---- mappings ------------------------------------------------------------- */

static void
take_from_spares(Mapping *mapping)
{
	dlist_delete(&mapping->node);
	mapping->spare_in->size -= mapping->size;
	mapping->spare_in = NULL;
}

static void
unmap(void *arg)
{
	Mapping    *mapping = arg;

	if (mapping->address == NULL)
		return;
	if (mapping->spare_in != NULL)
		take_from_spares(mapping);
	(void) munmap(mapping->address, mapping->size);
	if (mapping->in_file)
		in_files -= mapping->size;
	else
		in_memory -= mapping->size;
	mapping->address = NULL;
}

/* Give spare mappings back until at most "size" bytes are left. */
static void
trim(Spares *spares, Size size)
{
	while (spares->size > size)
		unmap(dlist_head_element(Mapping, node, &spares->list));
}

void
ssot_large_trim(void)
{
	trim(&spare_memory, 0);
	trim(&spare_files, 0);
}

/* Keep a mapping for later, if it is not too much. */
static void
make_spare(Mapping *mapping)
{
	Spares	   *spares = mapping->in_file ? &spare_files : &spare_memory;

	if (mapping->size > spares->most)
	{
		unmap(mapping);
		return;
	}
	trim(spares, spares->most - mapping->size);
	mapping->spare_in = spares;
	spares->size += mapping->size;
	dlist_push_tail(&spares->list, &mapping->node);
}

/* Take over the smallest spare mapping that is long enough and not far too long. */
static bool
reuse_spare(Mapping *mapping, Spares *spares, Size size)
{
	Mapping    *best = NULL;
	dlist_iter	iter;

	dlist_foreach(iter, &spares->list)
	{
		Mapping    *spare = dlist_container(Mapping, node, iter.cur);

		if (spare->size >= size && spare->size <= 2 * size &&
			(best == NULL || spare->size < best->size))
			best = spare;
	}
	if (best == NULL)
		return false;
	take_from_spares(best);
	mapping->address = best->address;
	mapping->size = best->size;
	mapping->in_file = best->in_file;
	best->address = NULL;
	return true;
}

static void
check_temp_file_limit(Size size)
{
	if (temp_file_limit >= 0 && in_files + size > (Size) temp_file_limit * 1024)
		trim(&spare_files, 0);
	if (temp_file_limit >= 0 && in_files + size > (Size) temp_file_limit * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("temporary file size exceeds temp_file_limit (%dkB)", temp_file_limit),
				 errdetail("What matching cannot keep in maintenance_work_mem (%d kB) goes to temporary files.",
						   maintenance_work_mem),
				 errhint("Raise maintenance_work_mem or temp_file_limit.")));
}

void
ssot_large_fill_file(int file, Size size)
{
	static char zeros[65536] = {0};

	check_temp_file_limit(size);
	for (Size done = 0; done < size;)
	{
		int			part = (int) Min(size - done, (Size) sizeof(zeros));
		int			written;

		CHECK_FOR_INTERRUPTS();
		errno = 0;
		written = FileWrite(file, zeros, part, done, WAIT_EVENT_BUFFILE_WRITE);
		if (written != part)
		{
			if (errno == 0)
				errno = ENOSPC;
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not write a temporary file of matching: %m"),
					 errdetail("What matching cannot keep in maintenance_work_mem (%d kB) goes to temporary files.",
							   maintenance_work_mem),
					 errhint("Make room, or raise maintenance_work_mem.")));
		}
		done += part;
	}
	in_files += size;
}

static void *
map_file(Size size)
{
	File		file;
	void	   *address;
	int			failure;

	PrepareTempTablespaces();
	file = OpenTemporaryFile(false);
	ssot_large_fill_file(file, size);
	address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, FileGetRawDesc(file), 0);
	failure = errno;
	FileClose(file);
	errno = failure;
	return address;
}

static void *
map_memory(Size size)
{
	void	   *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

#ifdef MADV_HUGEPAGE
	/* advice: where it is not taken, nothing is lost */
	if (address != MAP_FAILED && size >= 2 * LARGE_PAGE)
		(void) madvise(address, size, MADV_HUGEPAGE);
#endif
	return address;
}

/* A mapping of its own for an array, filled with zeros. */
static void
map(Mapping *mapping, Size size)
{
	bool		in_file = !ssot_large_take(size);
	void	   *address = in_file ? map_file(size) : map_memory(size);

	if (address == MAP_FAILED)
	{
		if (in_file)
			ssot_large_give_back_file(size);
		else
			ssot_large_give_back(size);
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed to map %zu bytes for matching.", size)));
	}
	mapping->address = address;
	mapping->size = size;
	mapping->in_file = in_file;
}

/* An array in a mapping. */
static void *
allocate_mapped(Size size, bool zero)
{
	Mapping    *mapping = palloc0(sizeof(Mapping));
	Size		whole = TYPEALIGN(sysconf(_SC_PAGESIZE), size + sizeof(Head));
	Head	   *head;

	if (!reuse_spare(mapping, &spare_memory, whole) && !reuse_spare(mapping, &spare_files, whole))
	{
		map(mapping, whole);
		zero = false;
	}
	mapping->callback.func = unmap;
	mapping->callback.arg = mapping;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &mapping->callback);
	head = (Head *) mapping->address;
	head->of.mapping = mapping;
	head->of.size = size;
	if (zero)
		memset(head + 1, 0, size);
	return head + 1;
}

/* ---- arrays --------------------------------------------------------------- */

void *
ssot_large_alloc(Size size, bool zero)
{
	Head	   *head;

	if (size >= LEAST_MAPPED)
		return allocate_mapped(size, zero);
	head = palloc_extended(size + sizeof(Head), zero ? MCXT_ALLOC_ZERO : 0);
	head->of.mapping = NULL;
	head->of.size = size;
	return head + 1;
}

void
ssot_large_free(void *memory)
{
	Head	   *head = (Head *) memory - 1;

	if (head->of.mapping == NULL)
		pfree(head);
	else
		make_spare(head->of.mapping);	/* whose callback will give it back */
}

/* A mapping of plain memory, longer or shorter; NULL if it cannot be. */
static void *
remap(Mapping *mapping, Size size)
{
#ifdef MREMAP_MAYMOVE
	Size		whole = TYPEALIGN(sysconf(_SC_PAGESIZE), size + sizeof(Head));
	Head	   *head;

	if (mapping->in_file)
		return NULL;
	ssot_large_give_back(mapping->size);
	if (ssot_large_take(whole))
	{
		head = mremap(mapping->address, mapping->size, whole, MREMAP_MAYMOVE);
		if (head != MAP_FAILED)
		{
			mapping->address = (char *) head;
			mapping->size = whole;
			head->of.size = size;
			return head + 1;
		}
		ssot_large_give_back(whole);
	}
	in_memory += mapping->size;
#endif
	return NULL;
}

void *
ssot_large_realloc(void *memory, Size size)
{
	Head	   *head = (Head *) memory - 1;
	void	   *moved = NULL;

	if (head->of.mapping == NULL && size < LEAST_MAPPED)
	{
		head = repalloc(head, size + sizeof(Head));
		head->of.size = size;
		return head + 1;
	}
	if (head->of.mapping != NULL && size + sizeof(Head) <= head->of.mapping->size)
	{
		head->of.size = size;	/* it was taken over from a longer array */
		return memory;
	}
	if (head->of.mapping != NULL)
		moved = remap(head->of.mapping, size);
	if (moved == NULL)
	{
		moved = ssot_large_alloc(size, false);
		memcpy(moved, memory, Min(size, head->of.size));
		ssot_large_free(memory);
	}
	return moved;
}
