/*
 * drift/hashing.h
 *		A fast 64-bit hash of rows, seeded per run.
 *
 * Two rows that differ must not meet in a hash by accident, nor by someone's
 * intention: every run draws its own seeds. The mixing is the folded product of
 * wyhash (Wang Yi, 2019): a 64 x 64 bit multiplication whose halves are xored.
 */
#ifndef SSOT_HASHING_H
#define SSOT_HASHING_H

#include "common/hashfn.h"
#include "common/pg_prng.h"

typedef struct SsotSeed
{
	uint64		a;
	uint64		b;
} SsotSeed;

/* What a hash starts from (not a seed: xored with it, it would cancel out), and
 * the word that stands for a value that is not there. */
#define SSOT_HASH_START	UINT64CONST(0x243f6a8885a308d3)
#define SSOT_HASH_NULL	UINT64CONST(0x9e3779b97f4a7c15)

static inline SsotSeed
ssot_seed(void)
{
	SsotSeed	seed;

	seed.a = pg_prng_uint64(&pg_global_prng_state) | 1;
	seed.b = pg_prng_uint64(&pg_global_prng_state) | 1;
	return seed;
}

/* Ask for memory that is about to be read or written. */
#if defined(__GNUC__)
#define ssot_prefetch(address)			__builtin_prefetch((address), 0)
#define ssot_prefetch_write(address)	__builtin_prefetch((address), 1)
#else
#define ssot_prefetch(address)			((void) 0)
#define ssot_prefetch_write(address)	((void) 0)
#endif

static inline uint64
ssot_mix(uint64 a, uint64 b)
{
#ifdef HAVE_INT128
	uint128		product = (uint128) a * b;

	return (uint64) product ^ (uint64) (product >> 64);
#else
	uint64		pair[2] = {a, b};

	return hash_bytes_extended((const unsigned char *) pair, sizeof(pair), 0);
#endif
}

static inline uint64
ssot_read64(const char *p)
{
	uint64		word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static inline uint64
ssot_read32(const char *p)
{
	uint32		word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* Add bytes to a hash. The length is spread by a seed: merely xored in, it would
 * cancel out a difference of the last byte. */
static inline uint64
ssot_hash_bytes(uint64 hash, const char *bytes, Size length, SsotSeed seed)
{
	uint64		x;
	uint64		y;
	Size		left = length;

	if (left > 16)
	{
		/* the last two reads may overlap: few branches depend on the length */
		for (; left > 32; left -= 16, bytes += 16)
			hash = ssot_mix(ssot_read64(bytes) ^ seed.a, ssot_read64(bytes + 8) ^ hash);
		hash = ssot_mix(ssot_read64(bytes) ^ seed.a, ssot_read64(bytes + 8) ^ hash);
		x = ssot_read64(bytes + left - 16);
		y = ssot_read64(bytes + left - 8);
	}
	else if (left >= 8)
	{
		x = ssot_read64(bytes);
		y = ssot_read64(bytes + left - 8);
	}
	else if (left >= 4)
	{
		x = ssot_read32(bytes);
		y = ssot_read32(bytes + left - 4);
	}
	else if (left > 0)
	{
		x = ((uint64) (unsigned char) bytes[0] << 16) |
			((uint64) (unsigned char) bytes[left >> 1] << 8) |
			(unsigned char) bytes[left - 1];
		y = 0;
	}
	else
		x = y = 0;
	return ssot_mix(x ^ seed.b, y ^ hash ^ (length * seed.a));
}

/* Add a word to a hash. */
static inline uint64
ssot_hash_word(uint64 hash, uint64 word, SsotSeed seed)
{
	return ssot_mix(word ^ seed.b, hash ^ seed.a);
}

/* Spread the bits of a finished hash. */
static inline uint64
ssot_hash_end(uint64 hash, SsotSeed seed)
{
	return ssot_mix(hash ^ seed.a, seed.b);
}

#endif							/* SSOT_HASHING_H */
