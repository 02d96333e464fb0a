#include "rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* SplitMix64 of Vigna's reference code with seed 1234567: the state advances by the golden ratio. */
static void test_splitmix_reference(void **state)
{
	static const uint64_t want[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u};
	uint64_t s = 1234567;

	(void)state;
	for (int i = 0; i < 3; i++) {
		s += 0x9e3779b97f4a7c15u;
		assert_true(rng_mix(s) == want[i]);
	}
}

static void test_equal_seeds_equal_streams(void **state)
{
	struct rng a, b, c;
	int same = 0;

	(void)state;
	rng_seed(&a, 5);
	rng_seed(&b, 5);
	rng_seed(&c, 6);
	for (int i = 0; i < 100; i++) {
		uint64_t x = rng_next(&a);

		assert_true(x == rng_next(&b));
		same += x == rng_next(&c);
	}
	assert_int_equal(same, 0);
}

static void test_ranges(void **state)
{
	struct rng r;
	int counts[7] = {0};
	double sum = 0;

	(void)state;
	rng_seed(&r, 9);
	for (int i = 0; i < 70000; i++) {
		double u = rng_unit(&r);

		assert_true(u >= 0 && u < 1);
		sum += u;
		counts[rng_below(&r, 7)]++;
	}
	assert_true(sum / 70000 > 0.49 && sum / 70000 < 0.51);
	for (int i = 0; i < 7; i++)
		assert_in_range(counts[i], 9500, 10500);
	assert_int_equal(rng_below(&r, 1), 0);
}

/* Every byte, the length and the seed count. */
static void test_hash(void **state)
{
	unsigned char text[40] = {0};
	uint64_t seen[100];
	size_t n = 0;

	(void)state;
	for (size_t len = 0; len <= 40; len++)
		seen[n++] = rng_hash(1, text, len);
	for (size_t i = 0; i < 40; i++) {
		text[i] = 1;
		seen[n++] = rng_hash(1, text, 40);
		text[i] = 0;
	}
	seen[n++] = rng_hash(2, text, 40);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			assert_true(seen[i] != seen[k]);
	assert_true(
	    key_equal(key_hash((struct key128){1, 2}, text, 9), key_hash((struct key128){1, 2}, text, 9)));
	assert_false(
	    key_equal(key_hash((struct key128){1, 2}, text, 9), key_hash((struct key128){1, 3}, text, 9)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_splitmix_reference),
	                                   cmocka_unit_test(test_equal_seeds_equal_streams),
	                                   cmocka_unit_test(test_ranges), cmocka_unit_test(test_hash)};

	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
