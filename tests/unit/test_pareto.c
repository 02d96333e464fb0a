#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pareto.h"
#include "rng.h"

#include <float.h>
#include <math.h>

static struct arena scratch;

static void domination_needs_nothing_worse_and_something_better(void **state)
{
	const double a[] = {1, 2}, b[] = {1, 3}, c[] = {0, 4};

	(void)state;
	assert_true(pareto_dominates(a, b, 2));
	assert_false(pareto_dominates(b, a, 2));
	assert_false(pareto_dominates(a, c, 2));
	assert_false(pareto_dominates(c, a, 2));
	assert_false(pareto_dominates(a, a, 2));
}

/* By the definition, peeling one front after the other. */
static void peel(const double *rows, uint32_t n, uint32_t m, uint32_t *front)
{
	uint32_t left = n;

	for (uint32_t i = 0; i < n; i++)
		front[i] = UINT32_MAX;
	for (uint32_t f = 0; left; f++)
		for (uint32_t i = 0; i < n; i++) {
			bool dominated = false;

			for (uint32_t k = 0; k < n; k++)
				dominated = dominated ||
				            (front[k] >= f &&
				             pareto_dominates(rows + (size_t)k * m, rows + (size_t)i * m, m));
			if (front[i] == UINT32_MAX && !dominated) {
				front[i] = f;
				left--;
			}
		}
}

static void fronts_are_those_of_the_definition(void **state)
{
	enum { N = 60, M = 4 };
	double rows[N * M];
	uint32_t got[N], want[N];
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (uint32_t run = 0; run < 400; run++) {
		uint32_t n = (uint32_t)rng_below(&r, N + 1), m = 1 + (uint32_t)rng_below(&r, M);
		uint64_t levels = 1 + rng_below(&r, 30); /* few: many equals */

		for (uint32_t i = 0; i < n * m; i++)
			rows[i] = (double)rng_below(&r, levels);
		pareto_fronts(rows, n, m, &scratch, got);
		peel(rows, n, m, want);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(got[i], want[i]);
		arena_reset(&scratch);
	}
}

static void crowding_is_the_room_between_neighbours(void **state)
{
	/* on the line from (0, 4) to (4, 0); row 1 is of another front */
	const double rows[] = {0, 4, 9, 9, 1, 3, 3, 1, 4, 0};
	const uint32_t which[] = {3, 0, 2, 4};
	double d[4];

	(void)state;
	pareto_crowding(rows, 2, which, 4, &scratch, d);
	assert_true(isinf(d[1]) && isinf(d[3]));
	assert_true(d[0] == 0.75 + 0.75);
	assert_true(d[2] == 0.75 + 0.75);
}

static void crowding_knows_no_nan(void **state)
{
	const double same[] = {1, 2, 1, 2, 1, 2}, far[] = {-DBL_MAX, 0, 0, 0, DBL_MAX, 0};
	const uint32_t which[] = {0, 1, 2};
	double d[3];

	(void)state;
	pareto_crowding(same, 2, which, 3, &scratch, d);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(d[i] >= 0);
	pareto_crowding(far, 2, which, 3, &scratch, d);
	assert_true(d[1] == 1);
	pareto_crowding(far, 2, which, 1, &scratch, d);
	assert_true(isinf(d[0]));
	pareto_crowding(far, 2, which, 0, &scratch, d);
}

static int finish(void **state)
{
	(void)state;
	arena_finish(&scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(domination_needs_nothing_worse_and_something_better),
	    cmocka_unit_test(fronts_are_those_of_the_definition),
	    cmocka_unit_test(crowding_is_the_room_between_neighbours),
	    cmocka_unit_test(crowding_knows_no_nan),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
