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
 * Images are uniform, so their low bits index the table and their high bits
 * choose the partition. The number of partitions doubles whenever the first
 * one outgrows its memory while stored images are added.
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
	char		status;
} ImageEntry;

#define SH_PREFIX image
#define SH_ELEMENT_TYPE ImageEntry
#define SH_KEY_TYPE uint64
#define SH_KEY image
#define SH_HASH_KEY(tb, key) ((uint32) (key))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

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
	image_hash *table;
	MemoryContext context;
	uint64		max_members;
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

/* At most 0.9 of the slots are used and their number is a power of two. */
#define SLOTS_PER_MEMBER 2.3

SsotImages *
ssot_images_create(void)
{
	SsotImages *images = palloc0(sizeof(SsotImages));

	images->context = CurrentMemoryContext;
	images->max_members = get_hash_memory_limit() / (sizeof(ImageEntry) * SLOTS_PER_MEMBER);
	images->max_members = Max(images->max_members, 1024);
	images->npartitions = 1;
	images->table = image_create(images->context, 1024, NULL);
	return images;
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
insert(SsotImages *images, uint64 image, int source, int32 left)
{
	bool		found;
	ImageEntry *entry = image_insert(images->table, image, &found);

	if (!found)
	{
		entry->left = 0;
		entry->source = source;
	}
	entry->left += left;
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

/* Double the partitions; keep of the table what is still in the first. */
static void
split(SsotImages *images)
{
	image_hash *full = images->table;
	image_iterator iterator;
	ImageEntry *entry;

	images->npartitions *= 2;
	images->table = image_create(images->context, images->max_members / 2, NULL);
	image_start_iterate(full, &iterator);
	while ((entry = image_iterate(full, &iterator)) != NULL)
	{
		if (ssot_images_partition(images, entry->image) == 0)
			insert(images, entry->image, entry->source, entry->left);
		else
			for (int i = 0; i < entry->left; i++)
				spill(&images->later, &images->nlater, entry->image, entry->source);
	}
	image_destroy(full);
}

void
ssot_images_add(SsotImages *images, uint64 image, int source)
{
	if (ssot_images_partition(images, image) != 0)
	{
		spill(&images->later, &images->nlater, image, source);
		return;
	}
	insert(images, image, source, 1);
	if (images->table->members > images->max_members && images->npartitions < (1 << 20))
		split(images);
}

bool
ssot_images_see(SsotImages *images, uint64 image)
{
	ImageEntry *entry = image_lookup(images->table, image);

	if (entry == NULL || entry->left == 0)
		return false;
	entry->left--;
	return true;
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

static void
keep_unseen(SsotImages *images)
{
	image_iterator iterator;
	ImageEntry *entry;

	image_start_iterate(images->table, &iterator);
	while ((entry = image_iterate(images->table, &iterator)) != NULL)
		for (int i = 0; i < entry->left; i++)
			spill(&images->unseen, &images->nunseen, entry->image, entry->source);
}

void
ssot_images_next(SsotImages *images)
{
	SpilledImage spilled;

	keep_unseen(images);
	image_reset(images->table);
	images->current++;
	if (images->later == NULL)
		return;
	rewind_file(images->later);
	for (uint64 i = 0; i < images->nlater; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_spilled(images->later, &spilled);
		if (ssot_images_partition(images, spilled.image) == images->current)
			insert(images, spilled.image, (int) spilled.source, 1);
	}
}

/*
 * Past partitions, what was not seen comes back into one table: it is as large
 * as the change.
 */
void
ssot_images_finish(SsotImages *images)
{
	SpilledImage spilled;

	if (images->npartitions == 1)
		return;
	keep_unseen(images);
	image_destroy(images->table);
	images->table = image_create(images->context, Max(images->nunseen, 1024), NULL);
	if (images->unseen == NULL)
		return;
	rewind_file(images->unseen);
	for (uint64 i = 0; i < images->nunseen; i++)
	{
		read_spilled(images->unseen, &spilled);
		insert(images, spilled.image, (int) spilled.source, 1);
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
	image_iterator iterator;
	ImageEntry *entry;

	image_start_iterate(images->table, &iterator);
	while ((entry = image_iterate(images->table, &iterator)) != NULL)
		if (entry->source == source && entry->left > 0)
			callback(entry->image, arg);
}
