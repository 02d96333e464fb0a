#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "importance.h"

#include <math.h>
#include <string.h>

enum { MOST = 1000, AXES = 5 };

struct table {
	struct axis axes[AXES];
	uint32_t naxes, n;
	struct cell cells[MOST * AXES];
	double values[MOST];
	double shares[AXES];
};

static void find(struct table *t)
{
	const struct importance_trials q = {
	    .axes = t->axes, .naxes = t->naxes, .n = t->n, .cells = t->cells, .values = t->values};
	struct arena scratch = {0};
	double sum = 0;

	importance_find(&q, &scratch, t->shares);
	arena_finish(&scratch);
	for (uint32_t a = 0; a < t->naxes; a++) {
		assert_true(t->shares[a] >= 0 && t->shares[a] <= 1);
		sum += t->shares[a];
	}
	assert_true(sum == 0 || fabs(sum - 1) < 1e-12);
}

static struct cell level(uint32_t i, uint32_t n)
{
	return (struct cell){(double)i / n, (double)(i + 1) / n};
}

static struct cell at(double x)
{
	return (struct cell){x, x};
}

/* A grid of 4 x 4 x 4, ten times: the best tenth (with equals) has a = 0, b in {0, 1}, any c. For a, p_best
 * is four times p on one level and 0 on three: 1/4 * 9 + 3/4 = 3. For b, twice p on two: 1. For c: 0. */
static void fill_grid(struct table *t, enum axis_kind kind)
{
	*t = (struct table){.naxes = 3, .n = 640};
	for (uint32_t a = 0; a < 3; a++)
		t->axes[a] = (struct axis){kind, 4};
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t a = i % 4, b = i / 4 % 4, c = i / 16 % 4;

		t->cells[3 * i] = level(a, 4);
		t->cells[3 * i + 1] = level(b, 4);
		t->cells[3 * i + 2] = level(c, 4);
		t->values[i] = 100 * a + b;
	}
}

static void choices_have_the_shares_of_the_formula(void **state)
{
	static struct table t;

	(void)state;
	fill_grid(&t, AXIS_CHOICE);
	find(&t);
	assert_true(fabs(t.shares[0] - 0.75) < 0.02);
	assert_true(fabs(t.shares[1] - 0.25) < 0.02);
	assert_true(t.shares[2] == 0);
}

static void numbers_of_few_levels_are_like_them(void **state)
{
	static struct table t;

	(void)state;
	fill_grid(&t, AXIS_NUMBER);
	find(&t);
	assert_true(fabs(t.shares[0] - 0.75) < 0.1);
	assert_true(fabs(t.shares[1] - 0.25) < 0.1);
	assert_true(t.shares[2] < 0.01);
}

/* 3x + y over the unit square: the best tenth is the triangle 3x + y < c, c^2 / 6 = 0.1. Over it x falls
 * linearly to 0 at c / 3 = 0.258 and y at c = 0.775; a falling line of width w diverges by 4 / (3w) - 1 from
 * the uniform one: 4.16 for x, 0.72 for y; shares 0.85 and 0.15. z is idle, the last one constant. */
static void fill_plane(struct table *t, uint32_t n, uint64_t seed)
{
	struct rng r;

	rng_seed(&r, seed);
	*t = (struct table){.naxes = 4, .n = n};
	for (uint32_t i = 0; i < n; i++) {
		struct cell *c = &t->cells[4 * i];

		for (uint32_t a = 0; a < 3; a++)
			c[a] = at(rng_unit(&r));
		c[3] = at(0.5);
		t->values[i] = 3 * c[0].lo + c[1].lo;
	}
}

static void additive_parameters_are_in_their_order(void **state)
{
	static struct table t;
	double sum[4] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		fill_plane(&t, 1000, seed);
		find(&t);
		assert_true(t.shares[0] > 0.6 && t.shares[1] > 0.05 && t.shares[1] < 0.35);
		assert_true(t.shares[2] < 0.05);
		assert_true(t.shares[3] == 0);
		for (uint32_t a = 0; a < 4; a++)
			sum[a] += t.shares[a] / 10;
	}
	print_message("%.3f %.3f %.3f\n", sum[0], sum[1], sum[2]);
	assert_true(fabs(sum[0] - 0.85) < 0.07 && fabs(sum[1] - 0.15) < 0.07 && sum[2] < 0.01);
}

static void few_trials_are_enough_for_what_is_plain(void **state)
{
	static struct table t;
	double sum[4] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		fill_plane(&t, 40, seed);
		find(&t);
		for (uint32_t a = 0; a < 4; a++)
			sum[a] += t.shares[a] / 20;
	}
	assert_true(sum[0] > 0.5 && sum[0] > 2 * sum[1] && sum[2] < 0.15 && sum[3] == 0);
}

/* A search that has come to the minimum along x and y alike: that most trials are there says nothing. */
static void where_the_search_looked_does_not_count(void **state)
{
	static struct table t;
	struct rng r;

	(void)state;
	rng_seed(&r, 4);
	t = (struct table){.naxes = 2, .n = 1000};
	for (uint32_t i = 0; i < t.n; i++) {
		double x = rng_unit(&r), y = rng_unit(&r);

		t.cells[2 * i] = at(x);
		t.cells[2 * i + 1] = at(0.3 + 0.05 * y * y);
		t.values[i] = (x - 0.6) * (x - 0.6);
	}
	find(&t);
	assert_true(t.shares[0] > 0.97);
}

static void only_the_order_counts(void **state)
{
	static struct table t, u;

	(void)state;
	fill_plane(&t, 200, 3);
	u = t;
	for (uint32_t i = 0; i < u.n; i++)
		u.values[i] = exp(100 * u.values[i]) * 1e-200;
	find(&t);
	find(&u);
	assert_memory_equal(t.shares, u.shares, sizeof t.shares);
}

/* y is there where the choice is 1, one time in two or in eight, and decides everything then; x always does a
 * little. */
static void what_is_rarely_active_counts_as_rarely(void **state)
{
	static struct table t;
	struct rng r;

	(void)state;
	for (int part = 2; part <= 8; part *= 4) {
		double share;

		rng_seed(&r, 1);
		t = (struct table){.naxes = 2, .n = 1000};
		for (uint32_t i = 0; i < t.n; i++) {
			double x = rng_unit(&r), y = rng_unit(&r);
			bool active = rng_below(&r, (uint64_t)part) == 0;

			t.cells[2 * i] = at(x);
			t.cells[2 * i + 1] = active ? at(y) : (struct cell){NAN, NAN};
			t.values[i] = active ? y : x; /* each alone is as important */
		}
		find(&t);
		share = t.shares[1];
		print_message("active in 1/%d: %.3f\n", part, share);
		assert_true(part == 2 ? share > 0.55 && share < 0.9 : share > 0.05 && share < 0.25);
	}
}

static void nothing_to_tell_is_no_share(void **state)
{
	static struct table t;

	(void)state;
	fill_plane(&t, 100, 1); /* all equal */
	for (uint32_t i = 0; i < t.n; i++)
		t.values[i] = 1;
	find(&t);
	for (uint32_t a = 0; a < t.naxes; a++)
		assert_true(t.shares[a] == 0);

	fill_plane(&t, 100, 1); /* one value tried, no level, never active */
	t.axes[1].levels = 1;
	t.axes[2] = (struct axis){AXIS_CHOICE, 1};
	for (uint32_t i = 0; i < t.n; i++) {
		t.cells[4 * i] = at(0);
		t.cells[4 * i + 1] = level(0, 1);
		t.cells[4 * i + 2] = level(0, 1);
		t.cells[4 * i + 3] = (struct cell){NAN, NAN};
	}
	find(&t);
	for (uint32_t a = 0; a < t.naxes; a++)
		assert_true(t.shares[a] == 0);

	t.n = 0;
	find(&t);
	t.n = 2;
	find(&t);
	t.naxes = 0;
	find(&t);
}

static void coordinates_at_the_ends_are_counted(void **state)
{
	static struct table t;

	(void)state;
	t = (struct table){.naxes = 2, .n = 100};
	for (uint32_t i = 0; i < t.n; i++) {
		t.cells[2 * i] = at(i < 10 ? 1 : 0);
		t.cells[2 * i + 1] = at(i % 2);
		t.values[i] = i < 10 ? 0 : 1;
	}
	find(&t);
	assert_true(t.shares[0] > 0.95);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(choices_have_the_shares_of_the_formula),
	    cmocka_unit_test(numbers_of_few_levels_are_like_them),
	    cmocka_unit_test(additive_parameters_are_in_their_order),
	    cmocka_unit_test(few_trials_are_enough_for_what_is_plain),
	    cmocka_unit_test(where_the_search_looked_does_not_count),
	    cmocka_unit_test(only_the_order_counts),
	    cmocka_unit_test(what_is_rarely_active_counts_as_rarely),
	    cmocka_unit_test(nothing_to_tell_is_no_share),
	    cmocka_unit_test(coordinates_at_the_ends_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
