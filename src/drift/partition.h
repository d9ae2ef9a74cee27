/*
 * drift/partition.h
 *		Millions of small entries, split by the leading bits of their hash, in
 *		bounded memory; and the table that one partition is joined in.
 *
 * An entry is a few 64-bit words, of which the first is a hash. Two stores with
 * the same number of partitions hold entries of equal hash in partitions of
 * equal number, so that joining them needs the memory of one partition, which
 * is small enough for the processor's cache.
 */
#ifndef SSOT_PARTITION_H
#define SSOT_PARTITION_H

#include "storage/buffile.h"

#define SSOT_BATCH	256			/* entries put into partitions at a time */

typedef struct SsotChunk SsotChunk;

/* Where the next entry of a partition goes, and where its last chunk ends. */
typedef struct SsotPartitionTail
{
	uint64	   *next;
	uint64	   *end;
} SsotPartitionTail;

/* The chunks of a partition. */
typedef struct SsotPartition
{
	SsotChunk  *first;
	SsotChunk  *last;
} SsotPartition;

typedef struct SsotPartitions
{
	int			nwords;			/* per entry */
	int			bits;			/* 2^bits partitions */
	uint64	   *batch;			/* entries that are in no partition yet */
	int			nbatch;
	/* private to partition.c */
	SsotPartitionTail *tails;
	SsotPartition *partitions;
	MemoryContext context;
	Size		limit;			/* bytes */
	Size		used;
	SsotChunk  *free_chunks;
	BufFile    *file;			/* NULL until something is spilled */
	int			nruns;
	int64	  **run_blocks;		/* [run][partition]: first block */
	uint64	  **run_counts;		/* [run][partition]: entries */
	int64		file_blocks;
	uint64	   *buffer;			/* for reading a run */
	Size		buffer_size;
} SsotPartitions;

/* How many partitions suit a number of rows and the memory of a store, as a
 * power of two. */
extern int	ssot_partition_bits(double rows, Size limit);

extern SsotPartitions *ssot_partitions_create(int nwords, int bits, Size limit);
extern void ssot_partitions_free(SsotPartitions *store);

/* Put the batch into its partitions. Needed once after the last entry. */
extern void ssot_partitions_flush(SsotPartitions *store);

/* The entries of a partition, and a call for each run of them, in the order of
 * arrival. Not before the last flush. */
typedef void (*SsotEntriesCallback) (const uint64 *entries, uint64 count, void *arg);
extern uint64 ssot_partition_count(SsotPartitions *store, int number);
extern void ssot_partition_each(SsotPartitions *store, int number,
								SsotEntriesCallback callback, void *arg);

/* Where to write the next entry: nwords words, the hash first. */
static inline uint64 *
ssot_partitions_add(SsotPartitions *store)
{
	if (unlikely(store->nbatch == SSOT_BATCH))
		ssot_partitions_flush(store);
	return store->batch + store->nbatch++ * store->nwords;
}

/*
 * A table of the entries of one partition by hash: open addressing, linear
 * probing. A slot has nwords words; the first is the hash, the last is 0 in an
 * empty slot and must not be 0 in others.
 */
typedef struct SsotTable
{
	int			nwords;
	uint64	   *slots;
	uint64		allocated;		/* slots */
	uint64		mask;
} SsotTable;

/* Empty the table, and make it large enough. */
extern void ssot_table_reset(SsotTable *table, uint64 entries);

/* The slot of a hash, or the empty slot where it belongs. */
static inline uint64 *
ssot_table_find(const SsotTable *table, int nwords, uint64 hash)
{
	uint64		i = hash & table->mask;

	for (;;)
	{
		uint64	   *slot = table->slots + i * nwords;

		if (slot[0] == hash || slot[nwords - 1] == 0)
			return slot;
		i = (i + 1) & table->mask;
	}
}

#endif							/* SSOT_PARTITION_H */
