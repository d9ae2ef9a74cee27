/*
 * identity/segment.c
 *		Blocks of memory that several processes see.
 *
 * PostgreSQL's dynamic shared memory, or files that PostgreSQL's parallel workers
 * may share, mapped. Shared memory may be short, and creating a block must then
 * not end the query: the error is caught here, where nothing else than creating
 * it can have failed. No resource owner knows of the blocks, because their users
 * outlive subtransactions; a memory context does. A file is closed as soon as it
 * is mapped, and deleted when the last member of the team has gone; the
 * mapping stays.
 */
#include "postgres.h"

#include "ssot.h"
#include "identity/large.h"
#include "identity/segment.h"

#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include <fcntl.h>
#include <sys/mman.h>

struct SsotSegment
{
	MemoryContextCallback callback;
	void	   *address;		/* NULL: given back */
	Size		size;
	Size		taken;			/* of maintenance_work_mem */
	Size		taken_file;		/* of temp_file_limit */
	dsm_segment *memory;		/* NULL: a file */
};

static void
release(void *arg)
{
	SsotSegment *segment = arg;

	if (segment->address == NULL)
		return;
	if (segment->memory != NULL)
		dsm_detach(segment->memory);
	else
		(void) munmap(segment->address, segment->size);
	ssot_large_give_back(segment->taken);
	ssot_large_give_back_file(segment->taken_file);
	segment->address = NULL;
}

static SsotSegment *
keep(SsotSegment *segment)
{
	segment->callback.func = release;
	segment->callback.arg = segment;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &segment->callback);
	return segment;
}

/* ---- shared memory -------------------------------------------------------- */

/* NULL where there is none to be had: no slot, or no room. */
static dsm_segment *
create_memory(Size size)
{
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = CurrentMemoryContext;
	dsm_segment *volatile memory = NULL;

	CurrentResourceOwner = NULL;
	PG_TRY();
	{
		memory = dsm_create(size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_INSUFFICIENT_RESOURCES &&
			ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_SYSTEM_ERROR)
			PG_RE_THROW();
		FlushErrorState();
		FreeErrorData(error);
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	return memory;
}

static void
attach_memory(SsotSegment *segment, dsm_handle handle)
{
	ResourceOwner owner = CurrentResourceOwner;

	CurrentResourceOwner = NULL;
	segment->memory = dsm_attach(handle);
	CurrentResourceOwner = owner;
	if (segment->memory == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not map dynamic shared memory segment")));
	segment->address = dsm_segment_address(segment->memory);
}

/* ---- files ---------------------------------------------------------------- */

static void
map_file(SsotSegment *segment, File file)
{
	int			failure;

	if (file <= 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open a temporary file of matching: %m")));
	segment->address = mmap(NULL, segment->size, PROT_READ | PROT_WRITE, MAP_SHARED,
							FileGetRawDesc(file), 0);
	failure = errno;
	FileClose(file);
	if (segment->address == MAP_FAILED)
	{
		ssot_large_give_back_file(segment->taken_file);
		errno = failure;
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not map a temporary file of matching: %m")));
	}
}

static void
file_name(const SsotSegmentName *name, char *out)
{
	snprintf(out, MAXPGPATH, "matching.%d.%d", name->member, name->number);
}

/* ---- both ----------------------------------------------------------------- */

SsotSegment *
ssot_segment_create(SsotSegments *segments, Size size, SsotSegmentName *name)
{
	SsotSegment *segment = palloc0(sizeof(SsotSegment));

	segment->size = size = Max(size, 1);
	*name = (SsotSegmentName)
	{
		.size = size,.memory = DSM_HANDLE_INVALID,.member = segments->member
	};
	if (ssot_large_take(size))
	{
		segment->memory = create_memory(size);
		if (segment->memory != NULL)
		{
			segment->taken = size;
			name->memory = dsm_segment_handle(segment->memory);
			segment->address = dsm_segment_address(segment->memory);
			return keep(segment);
		}
		ssot_large_give_back(size);
	}
	if (segments->files == NULL)
		return NULL;
	{
		char		path[MAXPGPATH];
		File		file;

		name->number = segments->next++;
		file_name(name, path);
		file = FileSetCreate(&segments->files->fs, path);
		ssot_large_fill_file(file, size);
		segment->taken_file = size;
		map_file(segment, file);
	}
	return keep(segment);
}

SsotSegment *
ssot_segment_attach(SsotSegments *segments, const SsotSegmentName *name)
{
	SsotSegment *segment = palloc0(sizeof(SsotSegment));

	segment->size = name->size;
	if (name->memory != DSM_HANDLE_INVALID)
		attach_memory(segment, name->memory);
	else
	{
		char		path[MAXPGPATH];

		file_name(name, path);
		map_file(segment, FileSetOpen(&segments->files->fs, path, O_RDWR));
	}
	return keep(segment);
}

void *
ssot_segment_address(const SsotSegment *segment)
{
	return segment->address;
}

void
ssot_segment_free(SsotSegment *segment)
{
	release(segment);			/* its callback will find nothing to do */
}
