#include "random.h"

#include <math.h>

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

void random_seed(struct random *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) { /* SplitMix64 */
		uint64_t z = seed += 0x9e3779b97f4a7c15u;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		r->s[i] = z ^ (z >> 31);
	}
}

uint64_t random_next(struct random *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

float random_unit(struct random *r)
{
	return (float)(random_next(r) >> 40) * 0x1p-24f;
}

float random_normal(struct random *r) /* Box-Muller; the second value is not kept: no hidden state */
{
	float u = 1.0f - random_unit(r), v = random_unit(r);

	return sqrtf(-2.0f * logf(u)) * cosf(6.28318531f * v);
}

uint64_t random_below(struct random *r, uint64_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;

	do {
		x = random_next(r);
	} while (x >= limit);
	return x % n;
}

void random_shuffle(struct random *r, int *v, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int j = (int)random_below(r, (uint64_t)i + 1), t = v[i];

		v[i] = v[j];
		v[j] = t;
	}
}
