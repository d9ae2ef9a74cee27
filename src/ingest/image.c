/*
 * ingest/image.c
 *		The image of a raw row, and the table of images that are stored.
 *
 * A row whose image is stored has been mapped, tested and staged before, and
 * nothing the mapping reads has changed since: it needs no further work. In a
 * nightly run this is nearly every row, so this file is the hot path of the
 * whole extension: per row one hash of its columns and one probe.
 *
 * The columns' bytes are laid end to end, each with its length, and hashed at
 * once. Values count as their uncompressed bytes, so a reload that compresses
 * or toasts differently changes nothing. The seed is made of the source and the
 * version of its mapping: a changed mapping makes every row new, and equal rows
 * of two sources have different images. Two different rows of one source
 * share an image with probability 2^-64 per pair; such a change would be
 * overlooked until the row changes again or a full run.
 *
 * Stored images are an array in the order in which the rows are stored. A source
 * mostly gives its rows in the same order as last time, so the next row's image
 * is expected at the next entry or close by: two sequential reads of memory
 * where a hash table costs two cache misses per row. Only a row that is not
 * found there makes us build an index over the array (open addressing, by the
 * image's low bits, which are uniform).
 *
 * High bits of the image choose its partition. The number of partitions doubles
 * whenever the first one outgrows its memory while stored images are added.
 */
#include "postgres.h"

#include "ssot.h"
#include "ingest/image.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

/* One stored image. "left" counts its stored rows that are not yet seen. */
typedef struct ImageEntry
{
	uint64		image;
	int32		left;
	uint16		source;
} ImageEntry;

/* A slot of the index: high bits of the image, and its entry's number + 1. */
typedef struct IndexSlot
{
	uint32		tag;
	uint32		entry;
} IndexSlot;

/* What is kept on disk of an image of a later partition. */
typedef struct SpilledImage
{
	uint64		image;
	uint64		source;
} SpilledImage;

struct SsotImager
{
	uint64		seed;
	TupleDesc	desc;
	int			ncolumns;
	AttrNumber *columns;
	char	   *buffer;			/* the columns' bytes end to end */
	Size		size;
	MemoryContext context;		/* of detoasted values */
};

struct SsotImages
{
	MemoryContext context;
	uint64		max_entries;
	ImageEntry *entries;		/* in the order in which rows are stored */
	uint64		nentries;
	uint64		allocated;
	uint64		expected;		/* entry that the next source row should have */
	IndexSlot  *index;			/* or NULL: not needed yet */
	uint64		index_mask;
	int			npartitions;	/* a power of two */
	int			current;
	BufFile    *later;			/* images of partitions after the current */
	uint64		nlater;
	BufFile    *unseen;			/* left over from the partitions done */
	uint64		nunseen;
};

SsotImager *
ssot_imager_create(int source_id, int64 map_version, TupleDesc desc,
				   const AttrNumber *columns, int ncolumns)
{
	SsotImager *imager = palloc0(sizeof(SsotImager));
	int64		identity[2] = {source_id, map_version};

	imager->seed = hash_bytes_extended((unsigned char *) identity, sizeof(identity), 0);
	imager->desc = desc;
	imager->ncolumns = ncolumns;
	imager->columns = palloc(sizeof(AttrNumber) * Max(ncolumns, 1));
	memcpy(imager->columns, columns, sizeof(AttrNumber) * ncolumns);
	imager->size = 1024;
	imager->buffer = palloc(imager->size);
	imager->context = AllocSetContextCreate(CurrentMemoryContext,
											"ssot image", ALLOCSET_SMALL_SIZES);
	return imager;
}

static inline char *
reserve(SsotImager *imager, char *end, Size more)
{
	Size		used = end - imager->buffer;

	if (likely(used + more <= imager->size))
		return end;
	while (used + more > imager->size)
		imager->size *= 2;
	imager->buffer = repalloc_huge(imager->buffer, imager->size);
	return imager->buffer + used;
}

static inline char *
append_bytes(SsotImager *imager, char *end, const char *bytes, int32 length)
{
	end = reserve(imager, end, sizeof(int32) + length);
	memcpy(end, &length, sizeof(int32));
	memcpy(end + sizeof(int32), bytes, length);
	return end + sizeof(int32) + length;
}

static char *
append_varlena(SsotImager *imager, char *end, Datum value)
{
	struct varlena *bytes = (struct varlena *) DatumGetPointer(value);

	if (VARATT_IS_EXTERNAL(bytes) || VARATT_IS_COMPRESSED(bytes))
	{
		MemoryContext old = MemoryContextSwitchTo(imager->context);

		bytes = pg_detoast_datum_packed(bytes);
		end = append_bytes(imager, end, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		MemoryContextSwitchTo(old);
		MemoryContextReset(imager->context);
		return end;
	}
	return append_bytes(imager, end, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

uint64
ssot_image_of(SsotImager *imager, const TupleTableSlot *slot)
{
	static const int32 null_length = -1;
	char	   *end = imager->buffer;

	for (int i = 0; i < imager->ncolumns; i++)
	{
		int			column = imager->columns[i] - 1;
		Form_pg_attribute att = TupleDescAttr(imager->desc, column);
		Datum		value = slot->tts_values[column];

		if (slot->tts_isnull[column])
		{
			end = reserve(imager, end, sizeof(null_length));
			memcpy(end, &null_length, sizeof(null_length));
			end += sizeof(null_length);
		}
		else if (att->attbyval)
		{
			/* The length keeps the encoding unambiguous beside a NULL's. */
			end = append_bytes(imager, end, (const char *) &value, sizeof(Datum));
		}
		else if (att->attlen == -1)
			end = append_varlena(imager, end, value);
		else
			end = append_bytes(imager, end, DatumGetPointer(value),
							   att->attlen > 0 ? att->attlen :
							   (int) strlen(DatumGetCString(value)));
	}
	return hash_bytes_extended((unsigned char *) imager->buffer,
							   end - imager->buffer, imager->seed);
}

/*
 * The table.
 */

/* What an image costs in memory: its entry, and slots of the index. */
#define BYTES_PER_IMAGE (sizeof(ImageEntry) + 2 * sizeof(IndexSlot))

/* How far from the expected entry is looked before the index is asked. */
#define LOOK_AHEAD 4

/* How many entries ahead the index's memory is fetched while it is built. */
#define PREFETCH 16

SsotImages *
ssot_images_create(void)
{
	SsotImages *images = palloc0(sizeof(SsotImages));

	images->context = CurrentMemoryContext;
	images->max_entries = Max(get_hash_memory_limit() / BYTES_PER_IMAGE, 1024);
	images->max_entries = Min(images->max_entries, PG_UINT32_MAX / 2);
	images->npartitions = 1;
	images->allocated = 1024;
	images->entries = palloc(sizeof(ImageEntry) * images->allocated);
	return images;
}

void
ssot_images_free(SsotImages *images)
{
	if (images->later != NULL)
		BufFileClose(images->later);
	if (images->unseen != NULL)
		BufFileClose(images->unseen);
	if (images->index != NULL)
		pfree(images->index);
	pfree(images->entries);
	pfree(images);
}

static void
spill(BufFile **file, uint64 *count, uint64 image, int source)
{
	SpilledImage spilled = {.image = image,.source = source};

	if (*file == NULL)
		*file = BufFileCreateTemp(false);
	BufFileWrite(*file, &spilled, sizeof(spilled));
	(*count)++;
}

static void
append(SsotImages *images, uint64 image, int source)
{
	ImageEntry *entry;

	if (images->nentries == images->allocated)
	{
		images->allocated *= 2;
		images->entries = repalloc_huge(images->entries, sizeof(ImageEntry) * images->allocated);
	}
	entry = &images->entries[images->nentries++];
	entry->image = image;
	entry->left = 1;
	entry->source = source;
}

int
ssot_images_partition(const SsotImages *images, uint64 image)
{
	return (int) ((image >> 40) & (images->npartitions - 1));
}

int
ssot_images_partitions(const SsotImages *images)
{
	return images->npartitions;
}

/* Double the partitions; keep in memory what is still in the first. */
static void
split(SsotImages *images)
{
	uint64		kept = 0;

	images->npartitions *= 2;
	for (uint64 i = 0; i < images->nentries; i++)
	{
		ImageEntry *entry = &images->entries[i];

		if (ssot_images_partition(images, entry->image) == 0)
			images->entries[kept++] = *entry;
		else
			spill(&images->later, &images->nlater, entry->image, entry->source);
	}
	images->nentries = kept;
}

void
ssot_images_add(SsotImages *images, uint64 image, int source)
{
	if (ssot_images_partition(images, image) != 0)
	{
		spill(&images->later, &images->nlater, image, source);
		return;
	}
	append(images, image, source);
	if (images->nentries > images->max_entries && images->npartitions < (1 << 20))
		split(images);
}

/*
 * Find the slot of an image, or the free one where it would be.
 */
static inline IndexSlot *
find_slot(const SsotImages *images, uint64 image)
{
	uint32		tag = (uint32) (image >> 32);
	uint64		position = image & images->index_mask;

	for (;;)
	{
		IndexSlot  *slot = &images->index[position];

		if (slot->entry == 0 ||
			(slot->tag == tag && images->entries[slot->entry - 1].image == image))
			return slot;
		position = (position + 1) & images->index_mask;
	}
}

/*
 * Index what is not seen yet. Entries of one image become one, so that many
 * equal rows do not make one long chain.
 */
static void
build_index(SsotImages *images)
{
	uint64		nslots = 1024;

	while (nslots < images->nentries + images->nentries / 2)
		nslots *= 2;
	images->index = MemoryContextAllocExtended(images->context, sizeof(IndexSlot) * nslots,
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	images->index_mask = nslots - 1;
	for (uint64 i = 0; i < images->nentries; i++)
	{
		ImageEntry *entry = &images->entries[i];
		IndexSlot  *slot;

		if (i + PREFETCH < images->nentries)
			__builtin_prefetch(&images->index[entry[PREFETCH].image & images->index_mask]);
		if (entry->left == 0)
			continue;
		slot = find_slot(images, entry->image);
		if (slot->entry != 0)
		{
			images->entries[slot->entry - 1].left += entry->left;
			entry->left = 0;
			continue;
		}
		slot->tag = (uint32) (entry->image >> 32);
		slot->entry = (uint32) (i + 1);
	}
}

static ImageEntry *
look_up(SsotImages *images, uint64 image)
{
	IndexSlot  *slot;

	if (images->index == NULL)
		build_index(images);
	slot = find_slot(images, image);
	return slot->entry == 0 ? NULL : &images->entries[slot->entry - 1];
}

bool
ssot_images_see(SsotImages *images, uint64 image)
{
	uint64		end = Min(images->expected + LOOK_AHEAD, images->nentries);
	ImageEntry *entry;

	for (uint64 i = images->expected; i < end; i++)
	{
		entry = &images->entries[i];
		if (entry->image == image && entry->left > 0)
		{
			entry->left--;
			images->expected = i + 1;
			return true;
		}
	}
	entry = look_up(images, image);
	if (entry == NULL || entry->left == 0)
		return false;
	entry->left--;
	images->expected = entry - images->entries + 1;
	return true;
}

void
ssot_images_expect(SsotImages *images, int source)
{
	images->expected = 0;
	while (images->expected < images->nentries &&
		   images->entries[images->expected].source != source)
		images->expected++;
}

static void
rewind_file(BufFile *file)
{
	if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		elog(ERROR, "could not rewind a temporary file");
}

static void
read_spilled(BufFile *file, SpilledImage *spilled)
{
	if (BufFileRead(file, spilled, sizeof(*spilled)) != sizeof(*spilled))
		elog(ERROR, "could not read a temporary file of images");
}

/* Put what was not seen aside and make room for other images. */
static void
clear(SsotImages *images)
{
	for (uint64 i = 0; i < images->nentries; i++)
		for (int n = 0; n < images->entries[i].left; n++)
			spill(&images->unseen, &images->nunseen,
				  images->entries[i].image, images->entries[i].source);
	images->nentries = 0;
	images->expected = 0;
	if (images->index != NULL)
		pfree(images->index);
	images->index = NULL;
}

void
ssot_images_next(SsotImages *images)
{
	SpilledImage spilled;

	clear(images);
	images->current++;
	if (images->later == NULL)
		return;
	rewind_file(images->later);
	for (uint64 i = 0; i < images->nlater; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_spilled(images->later, &spilled);
		if (ssot_images_partition(images, spilled.image) == images->current)
			append(images, spilled.image, (int) spilled.source);
	}
}

/*
 * Past partitions, what was not seen comes back into memory: it is as large as
 * the change.
 */
void
ssot_images_finish(SsotImages *images)
{
	SpilledImage spilled;

	if (images->npartitions == 1)
		return;
	clear(images);
	if (images->unseen == NULL)
		return;
	rewind_file(images->unseen);
	for (uint64 i = 0; i < images->nunseen; i++)
	{
		read_spilled(images->unseen, &spilled);
		append(images, spilled.image, (int) spilled.source);
	}
}

bool
ssot_images_take_unseen(SsotImages *images, uint64 image)
{
	/* The same arithmetic; there it is the source's row that is at hand. */
	return ssot_images_see(images, image);
}

void
ssot_images_unseen(SsotImages *images, int source,
				   void (*callback) (uint64 image, void *arg), void *arg)
{
	for (uint64 i = 0; i < images->nentries; i++)
		if (images->entries[i].left > 0 && images->entries[i].source == source)
			callback(images->entries[i].image, arg);
}
