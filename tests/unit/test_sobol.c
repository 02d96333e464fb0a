#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampler.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The first points as Joe and Kuo's own program prints them, put in natural order. */
static void plain_points_are_the_published_ones(void **state)
{
	static const double points[8][10] = {
	    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	    {.5, .5, .5, .5, .5, .5, .5, .5, .5, .5},
	    {.25, .75, .75, .75, .25, .25, .75, .25, .25, .25},
	    {.75, .25, .25, .25, .75, .75, .25, .75, .75, .75},
	    {.125, .625, .375, .125, .125, .375, .625, .625, .625, .875},
	    {.625, .125, .875, .625, .625, .875, .125, .125, .125, .375},
	    {.375, .375, .625, .875, .375, .125, .375, .875, .875, .625},
	    {.875, .875, .125, .375, .875, .625, .875, .375, .375, .125},
	};
	/* from scipy.stats.qmc.Sobol, far out in both directions */
	static const struct {
		uint32_t n, dim;
		double x;
	} far[] = {{3, 1, 0.25},
	           {7, 2, 0.125},
	           {100, 5, 0.0703125},
	           {777, 12, 0.9951171875},
	           {1000, 31, 0.4951171875},
	           {1023, 40, 0.1103515625},
	           {513, 63, 0.5400390625},
	           {999, 47, 0.7568359375}};

	(void)state;
	for (uint32_t n = 0; n < 8; n++)
		for (uint32_t d = 0; d < 10; d++)
			if (sobol_point(n, d, 0) != points[n][d])
				fail_msg("point %u, dimension %u: %g", n, d, sobol_point(n, d, 0));
	for (size_t i = 0; i < sizeof far / sizeof *far; i++)
		assert_true(sobol_point(far[i].n, far[i].dim, 0) == far[i].x);
}

/* Points 2^j are the direction numbers; folded into one number, as scipy.stats.qmc.Sobol has them. */
static void all_direction_numbers_are_the_published_ones(void **state)
{
	uint64_t h = 0;

	(void)state;
	for (uint32_t d = 0; d < SOBOL_MAX_DIMS; d++)
		for (uint32_t j = 0; j < 30; j++)
			h = h * 1000003 + (uint64_t)(sobol_point(1ull << j, d, 0) * 0x1p32);
	assert_int_equal(h, 0x1eb8343b6e3257d8);
}

enum { NET = 256 };

/* Does each of `cells` equal intervals hold the same number of points first .. first + NET - 1? */
static bool even(uint32_t first, uint32_t dim, uint64_t seed, uint32_t cells)
{
	uint32_t count[NET] = {0};

	for (uint32_t n = first; n < first + NET; n++) {
		double x = sobol_point(n, dim, seed);

		assert_true(x >= 0 && x < 1);
		count[(uint32_t)(x * cells)]++;
	}
	for (uint32_t i = 0; i < cells; i++)
		if (count[i] != NET / cells)
			return false;
	return true;
}

/* A (0,m,1)-net in base 2: of any aligned 2^m points, one in each interval of 2^-m. */
static void every_dimension_is_a_net(void **state)
{
	static const uint64_t seeds[] = {0, 1, 2, 0xdeadbeefcafef00d};

	(void)state;
	for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++)
		for (uint32_t d = 0; d < SOBOL_MAX_DIMS; d++)
			for (uint32_t first = 0; first < 4 * NET; first += NET)
				if (!even(first, d, seeds[s], NET))
					fail_msg("dimension %u, seed %llu, points from %u", d,
					         (unsigned long long)seeds[s], first);
}

/* The first two dimensions make a (0,m,2)-net: every box of area 2^-m holds one of 2^m points. */
static void the_first_two_dimensions_are_a_net(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 4; seed++)
		for (uint32_t wide = 1; wide <= NET; wide *= 2) {
			uint8_t hit[NET] = {0};

			for (uint32_t n = 0; n < NET; n++) {
				uint32_t x = (uint32_t)(sobol_point(n, 0, seed) * wide);
				uint32_t y = (uint32_t)(sobol_point(n, 1, seed) * (NET / wide));

				assert_int_equal(hit[x * (NET / wide) + y]++, 0);
			}
		}
}

/* Two-dimensional projections of high dimensions: correlations far below those of random points (1/16). */
static void dimensions_do_not_run_together(void **state)
{
	(void)state;
	for (uint32_t d = 0; d < SOBOL_MAX_DIMS; d++)
		for (uint32_t e = 0; e < d; e++) {
			double sum = 0;

			for (uint32_t n = 0; n < 2048; n++)
				sum += (sobol_point(n, d, 7) - 0.5) * (sobol_point(n, e, 7) - 0.5);
			if (fabs(sum / 2048 * 12) > 0.06)
				fail_msg("dimensions %u and %u correlate by %g", d, e, sum / 2048 * 12);
		}
}

/* Over many seeds a scrambled point is uniform, and independent between dimensions. */
static void scrambling_is_uniform(void **state)
{
	enum { SEEDS = 20000, BINS = 16 };
	int one[BINS] = {0}, both[2][2] = {{0}};

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		double x = sobol_point(5, 3, seed), y = sobol_point(5, 4, seed);

		one[(int)(x * BINS)]++;
		both[x < 0.5][y < 0.5]++;
	}
	for (int i = 0; i < BINS; i++) /* 1250 expected, sd 34: six of them */
		assert_in_range(one[i], 1250 - 205, 1250 + 205);
	for (int i = 0; i < 4; i++) /* 5000 expected, sd 61 */
		assert_in_range(both[i / 2][i % 2], 5000 - 367, 5000 + 367);
}

/* Each half is shuffled by coins of its own: in dimension 0 points 0 and 2 share the lower half, 1 and 3 the
 * upper, and one order tells nothing of the other. (Flipping digits alike everywhere would keep them equal.)
 */
static void scrambling_is_nested(void **state)
{
	int alike = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 1000; seed++) {
		bool low = sobol_point(0, 0, seed) < sobol_point(2, 0, seed);
		bool high = sobol_point(1, 0, seed) < sobol_point(3, 0, seed);

		alike += low == high;
	}
	assert_in_range(alike, 400, 600);
}

/* Scrambled digits go on below those of the sequence: no coordinate sits on the lattice of 2^-32. */
static void scrambled_points_leave_the_lattice(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 64; n++) {
		double x = sobol_point(n, 0, 99) * 0x1p32;

		assert_true(x != floor(x));
	}
}

static void dimensions_beyond_the_table_are_hashed(void **state)
{
	double sum = 0;

	(void)state;
	for (uint32_t n = 0; n < 4096; n++) {
		double x = sobol_point(n, SOBOL_MAX_DIMS + n % 7, 3);

		assert_true(x >= 0 && x < 1);
		sum += x;
	}
	assert_true(fabs(sum / 4096 - 0.5) < 0.03);
	assert_true(sobol_point(1, 64, 3) != sobol_point(2, 64, 3));
	assert_true(sobol_point(1, 64, 3) != sobol_point(1, 65, 3));
	assert_true(sobol_point(1, 64, 3) != sobol_point(1, 64, 4));
}

static void the_last_point_is_a_point(void **state)
{
	(void)state;
	for (uint32_t d = 0; d < SOBOL_MAX_DIMS; d++) {
		double x = sobol_point(UINT32_MAX, d, 0), y = sobol_point(UINT32_MAX, d, 1);

		assert_true(x > 0 && x < 1 && y >= 0 && y < 1);
	}
	assert_true(sobol_point(UINT32_MAX, 0, 0) == (0x1p32 - 1) / 0x1p32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_points_are_the_published_ones),
	    cmocka_unit_test(all_direction_numbers_are_the_published_ones),
	    cmocka_unit_test(every_dimension_is_a_net),
	    cmocka_unit_test(the_first_two_dimensions_are_a_net),
	    cmocka_unit_test(dimensions_do_not_run_together),
	    cmocka_unit_test(scrambling_is_uniform),
	    cmocka_unit_test(scrambling_is_nested),
	    cmocka_unit_test(scrambled_points_leave_the_lattice),
	    cmocka_unit_test(dimensions_beyond_the_table_are_hashed),
	    cmocka_unit_test(the_last_point_is_a_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
