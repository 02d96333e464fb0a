/* rng: deterministic hashing and random numbers. No state outside the caller's struct.
 *
 * rng_hash is for identity, not security: words folded through the
 * SplitMix64 finaliser (Steele, Lea, Flood 2014). rng is xoshiro256** (Blackman, Vigna 2018) seeded by
 * SplitMix64, so equal seeds give equal streams on every machine. */
#ifndef RNG_H
#define RNG_H

#include <stddef.h>
#include <stdint.h>

/* 128 bits that name a trial; equal keys are taken as equal trials. */
struct key128 {
	uint64_t hi, lo;
};

uint64_t rng_mix(uint64_t x); /* SplitMix64 finaliser */
uint64_t rng_hash(uint64_t seed, const void *p, size_t n);
struct key128 key_hash(struct key128 seed, const void *p, size_t n);
struct key128 key_hash_text(struct key128 seed, const char *s);
struct key128 key_hash_number(struct key128 seed, uint64_t v); /* the same on all byte orders */
static inline int key_equal(struct key128 a, struct key128 b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
double rng_unit(struct rng *r);                /* [0, 1), 53 bits */
uint64_t rng_below(struct rng *r, uint64_t n); /* [0, n), unbiased; n > 0 */

#endif
