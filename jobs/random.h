/* random: one small generator, all of its state in a struct that a checkpoint can hold.
 *
 * xoshiro256** (Blackman, Vigna, "Scrambled linear pseudorandom number generators", 2018), seeded by
 * SplitMix64. The same seed gives the same stream on every machine. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

struct random {
	uint64_t s[4];
};

void random_seed(struct random *r, uint64_t seed);
uint64_t random_next(struct random *r);
float random_unit(struct random *r);                  /* [0, 1), 24 bits */
float random_normal(struct random *r);                /* mean 0, standard deviation 1 */
uint64_t random_below(struct random *r, uint64_t n);  /* [0, n), unbiased; n > 0 */
void random_shuffle(struct random *r, int *v, int n); /* in place; all orders equally likely */

#endif
