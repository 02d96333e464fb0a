#include "rng.h"

#include <string.h>

uint64_t rng_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t rng_hash(uint64_t seed, const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = rng_mix(seed + 0x9e3779b97f4a7c15u) ^ (uint64_t)n;

	while (n >= 8) {
		uint64_t w = 0;

		for (int i = 0; i < 8; i++)
			w |= (uint64_t)s[i] << (8 * i);
		h = rng_mix(h ^ w) + 0x9e3779b97f4a7c15u;
		s += 8;
		n -= 8;
	}
	if (n) {
		uint64_t w = 0;

		for (size_t i = 0; i < n; i++)
			w |= (uint64_t)s[i] << (8 * i);
		h = rng_mix(h ^ w) + 0x9e3779b97f4a7c15u;
	}
	return rng_mix(h);
}

struct key128 key_hash(struct key128 seed, const void *p, size_t n)
{
	return (struct key128){rng_hash(seed.hi ^ 0x243f6a8885a308d3u, p, n),
	                       rng_hash(seed.lo ^ 0x13198a2e03707344u, p, n)};
}

struct key128 key_hash_text(struct key128 seed, const char *s)
{
	return key_hash(seed, s, strlen(s));
}

struct key128 key_hash_number(struct key128 seed, uint64_t v)
{
	unsigned char b[8];

	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)(v >> (8 * i));
	return key_hash(seed, b, sizeof b);
}

void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		seed += 0x9e3779b97f4a7c15u;
		r->s[i] = rng_mix(seed);
	}
}

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t out = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

double rng_unit(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * 0x1p-53;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;

	do
		x = rng_next(r);
	while (x >= limit);
	return x % n;
}
