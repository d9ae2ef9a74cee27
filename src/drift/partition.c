/*
 * drift/partition.c
 *		Millions of small entries, split by the leading bits of their hash, in
 *		bounded memory.
 *
 * Entries are gathered in a batch and then put into chunks of their partitions.
 * A single store to one of a thousand places misses the processor's cache, and
 * the stores after it queue up behind; in a batch all those places are asked for
 * first and written afterwards, which was measured to be four times faster.
 *
 * When the chunks of a store exceed its limit, all partitions are written out
 * one after the other (a "run"), each from a block boundary on, so that a
 * partition is read back with one sequential read per run; the chunks are used
 * again. Data of n times the limit makes n runs, whatever the number of
 * partitions.
 */
#include "postgres.h"

#include "ssot.h"
#include "drift/hashing.h"
#include "drift/partition.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#define CHUNK_BYTES		4096
#define ARENA_CHUNKS	256		/* allocated at a time: 1 MB */
#define PARTITION_ROWS	16384	/* aimed at: its table fits a processor's
								 * cache */

struct SsotChunk
{
	SsotChunk  *next;
	uint64	   *end;			/* of the entries in a full chunk */
	uint64		words[FLEXIBLE_ARRAY_MEMBER];
};

int
ssot_partition_bits(double rows, Size limit)
{
	int			bits = 4;

	while (bits < 13 && rows > (double) PARTITION_ROWS * (1 << bits) &&
		   (Size) CHUNK_BYTES << (bits + 2) <= limit)
		bits++;
	return bits;
}

SsotPartitions *
ssot_partitions_create(int nwords, int bits, Size limit)
{
	SsotPartitions *store = palloc0(sizeof(SsotPartitions));

	store->nwords = nwords;
	store->bits = bits;
	store->limit = limit;
	store->batch = palloc(sizeof(uint64) * nwords * SSOT_BATCH);
	store->tails = palloc0(sizeof(SsotPartitionTail) << bits);
	store->partitions = palloc0(sizeof(SsotPartition) << bits);
	store->context = AllocSetContextCreate(CurrentMemoryContext, "ssot partitions",
										   ALLOCSET_DEFAULT_SIZES);
	return store;
}

void
ssot_partitions_free(SsotPartitions *store)
{
	if (store->file != NULL)
		BufFileClose(store->file);
	MemoryContextDelete(store->context);
	pfree(store->batch);
	pfree(store->tails);
	pfree(store->partitions);
	pfree(store);
}

static SsotChunk *
new_chunk(SsotPartitions *store)
{
	SsotChunk  *chunk;

	if (store->free_chunks == NULL)
	{
		char	   *arena = MemoryContextAllocHuge(store->context,
												   (Size) CHUNK_BYTES * ARENA_CHUNKS);

		for (int i = 0; i < ARENA_CHUNKS; i++)
		{
			chunk = (SsotChunk *) (arena + (Size) CHUNK_BYTES * i);
			chunk->next = store->free_chunks;
			store->free_chunks = chunk;
		}
	}
	chunk = store->free_chunks;
	store->free_chunks = chunk->next;
	chunk->next = NULL;
	store->used += CHUNK_BYTES;
	return chunk;
}

/* The last chunk's entries end where the next one goes. */
static uint64 *
chunk_end(const SsotPartitions *store, int number, const SsotChunk *chunk)
{
	return chunk == store->partitions[number].last ? store->tails[number].next : chunk->end;
}

static void
write_blocks(SsotPartitions *store, const void *data, Size size)
{
	BufFileWrite(store->file, (void *) data, size);
}

/* Write the chunks of a partition and give them back; returns the bytes. */
static Size
spill_partition(SsotPartitions *store, int number)
{
	SsotPartition *partition = &store->partitions[number];
	Size		written = 0;

	for (SsotChunk *chunk = partition->first; chunk != NULL;)
	{
		SsotChunk  *next = chunk->next;
		Size		size = (char *) chunk_end(store, number, chunk) - (char *) chunk->words;

		write_blocks(store, chunk->words, size);
		written += size;
		chunk->next = store->free_chunks;
		store->free_chunks = chunk;
		chunk = next;
	}
	partition->first = partition->last = NULL;
	store->tails[number].next = store->tails[number].end = NULL;
	return written;
}

/* Write everything in memory to a new run. */
static void
spill(SsotPartitions *store)
{
	static const char zeros[BLCKSZ] = {0};
	int			npartitions = 1 << store->bits;
	MemoryContext old = MemoryContextSwitchTo(store->context);
	int64	   *blocks = palloc(sizeof(int64) * npartitions);
	uint64	   *counts = palloc(sizeof(uint64) * npartitions);

	if (store->file == NULL)
	{
		store->file = BufFileCreateTemp(false);
		store->run_blocks = palloc(sizeof(int64 *));
		store->run_counts = palloc(sizeof(uint64 *));
	}
	else
	{
		store->run_blocks = repalloc(store->run_blocks, sizeof(int64 *) * (store->nruns + 1));
		store->run_counts = repalloc(store->run_counts, sizeof(uint64 *) * (store->nruns + 1));
	}
	for (int i = 0; i < npartitions; i++)
	{
		Size		size = spill_partition(store, i);
		Size		rest = size % BLCKSZ;

		CHECK_FOR_INTERRUPTS();
		blocks[i] = store->file_blocks;
		counts[i] = size / (sizeof(uint64) * store->nwords);
		if (rest != 0)
			write_blocks(store, zeros, BLCKSZ - rest);
		store->file_blocks += (size + BLCKSZ - 1) / BLCKSZ;
	}
	store->run_blocks[store->nruns] = blocks;
	store->run_counts[store->nruns] = counts;
	store->nruns++;
	store->used = 0;
	MemoryContextSwitchTo(old);
}

/* A new last chunk for a partition. */
static pg_noinline void
grow(SsotPartitions *store, int number)
{
	Size		room = (CHUNK_BYTES - offsetof(SsotChunk, words)) / sizeof(uint64);
	SsotPartition *partition = &store->partitions[number];
	SsotPartitionTail *tail = &store->tails[number];
	SsotChunk  *chunk;

	if (store->used + CHUNK_BYTES > store->limit &&
		store->used >= (Size) CHUNK_BYTES << store->bits)
		spill(store);
	chunk = new_chunk(store);
	if (partition->last == NULL)
		partition->first = chunk;
	else
	{
		partition->last->end = tail->next;
		partition->last->next = chunk;
	}
	partition->last = chunk;
	tail->next = chunk->words;
	tail->end = chunk->words + room / store->nwords * store->nwords;
}

void
ssot_partitions_flush(SsotPartitions *store)
{
	int			nwords = store->nwords;
	int			shift = 64 - store->bits;
	uint64	   *end = store->batch + (Size) store->nbatch * nwords;

	for (uint64 *entry = store->batch; entry < end; entry += nwords)
		ssot_prefetch_write(store->tails[entry[0] >> shift].next);
	for (uint64 *entry = store->batch; entry < end; entry += nwords)
	{
		SsotPartitionTail *tail = &store->tails[entry[0] >> shift];

		if (unlikely(tail->next == tail->end))
			grow(store, entry[0] >> shift);
		for (int i = 0; i < nwords; i++)
			tail->next[i] = entry[i];
		tail->next += nwords;
	}
	store->nbatch = 0;
}

uint64
ssot_partition_count(SsotPartitions *store, int number)
{
	uint64		count = 0;

	for (int run = 0; run < store->nruns; run++)
		count += store->run_counts[run][number];
	for (SsotChunk *chunk = store->partitions[number].first; chunk != NULL; chunk = chunk->next)
		count += (chunk_end(store, number, chunk) - chunk->words) / store->nwords;
	return count;
}

static void
read_run(SsotPartitions *store, int run, int number,
		 SsotEntriesCallback callback, void *arg)
{
	uint64		count = store->run_counts[run][number];
	Size		size = count * store->nwords * sizeof(uint64);

	if (count == 0)
		return;
	if (size > store->buffer_size)
	{
		if (store->buffer != NULL)
			pfree(store->buffer);
		store->buffer = MemoryContextAllocHuge(store->context, size);
		store->buffer_size = size;
	}
	if (BufFileSeekBlock(store->file, store->run_blocks[run][number]) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in a temporary file of the comparison")));
	if (BufFileRead(store->file, store->buffer, size) != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read a temporary file of the comparison")));
	callback(store->buffer, count, arg);
}

void
ssot_partition_each(SsotPartitions *store, int number,
					SsotEntriesCallback callback, void *arg)
{
	for (int run = 0; run < store->nruns; run++)
		read_run(store, run, number, callback, arg);
	for (SsotChunk *chunk = store->partitions[number].first; chunk != NULL; chunk = chunk->next)
	{
		CHECK_FOR_INTERRUPTS();
		if (chunk->next != NULL)
			ssot_prefetch(chunk->next->words);
		callback(chunk->words,
				 (chunk_end(store, number, chunk) - chunk->words) / store->nwords, arg);
	}
}

void
ssot_table_reset(SsotTable *table, uint64 entries)
{
	uint64		wanted = pg_nextpower2_64(Max(entries + entries / 2, 16));

	if (wanted > table->allocated)
	{
		if (table->slots != NULL)
			pfree(table->slots);
		table->slots = MemoryContextAllocHuge(CurrentMemoryContext,
											  wanted * table->nwords * sizeof(uint64));
		table->allocated = wanted;
	}
	table->mask = wanted - 1;
	memset(table->slots, 0, wanted * table->nwords * sizeof(uint64));
}
