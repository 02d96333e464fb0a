#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stats.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROW_MAX = 8 };

struct row {
	const char *name;
	size_t n;
	double x[ROW_MAX];
	double mean, sd, median, min, max;
};

/* Offset rows: the sd is known exactly whatever the offset. */
static const struct row rows[] = {
    {"none", 0, {0}, NAN, NAN, NAN, NAN, NAN},
    {"one", 1, {3}, 3, NAN, 3, 3, 3},
    {"two", 2, {1, 3}, 2, M_SQRT2, 2, 1, 3},
    {"equal", 5, {0.1, 0.1, 0.1, 0.1, 0.1}, 0.1, 0, 0.1, 0.1, 0.1},
    {"folds", 5, {5, 1, 4, 2, 3}, 3, 1.5811388300841898, 3, 1, 5},
    {"even", 4, {40, 10, 20, 30}, 25, 12.909944487358056, 25, 10, 40},
    {"offset",
     4,
     {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16},
     1e9 + 10,
     5.477225575051661,
     1e9 + 10,
     1e9 + 4,
     1e9 + 16},
    {"far", 3, {1e15 + 1, 1e15 + 2, 1e15 + 3}, 1e15 + 2, 1, 1e15 + 2, 1e15 + 1, 1e15 + 3},
    {"huge", 2, {DBL_MAX, DBL_MAX}, DBL_MAX, 0, DBL_MAX, DBL_MAX, DBL_MAX},
    {"wide", 3, {-1e300, 0, 1e300}, 0, 1e300, 0, -1e300, 1e300},
    {"tiny", 3, {1e-200, 2e-200, 3e-200}, 2e-200, 1e-200, 2e-200, 1e-200, 3e-200},
    {"smallest", 2, {5e-324, 5e-324}, 5e-324, 0, 5e-324, 5e-324, 5e-324},
    {"nan", 3, {1, NAN, 2}, NAN, NAN, NAN, NAN, NAN},
    {"nan first", 3, {NAN, 1, 2}, NAN, NAN, NAN, NAN, NAN},
    {"nan last", 3, {1, 2, NAN}, NAN, NAN, NAN, NAN, NAN},
    {"inf", 3, {1, INFINITY, 2}, INFINITY, NAN, 2, 1, INFINITY},
    {"infs", 2, {INFINITY, INFINITY}, INFINITY, NAN, INFINITY, INFINITY, INFINITY},
    {"both infs", 3, {-INFINITY, INFINITY, 2}, NAN, NAN, 2, -INFINITY, INFINITY},
};

static void expect(const char *row, const char *what, double got, double want)
{
	double slack = isfinite(want) ? 4 * DBL_EPSILON * fabs(want) : 0;

	if (isnan(want) ? isnan(got) : got == want || fabs(got - want) <= slack)
		return;
	fail_msg("%s: %s is %.17g, not %.17g", row, what, got, want);
}

static void known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		double sorted[ROW_MAX];

		memcpy(sorted, r->x, sizeof sorted);
		expect(r->name, "mean", stats_mean(r->x, r->n), r->mean);
		expect(r->name, "sd", stats_sd(r->x, r->n), r->sd);
		expect(r->name, "median", stats_median(sorted, r->n), r->median);
		expect(r->name, "min", stats_min(r->x, r->n), r->min);
		expect(r->name, "max", stats_max(r->x, r->n), r->max);
	}
}

static void a_summary_has_them_all(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		struct stats_summary s = stats_of(r->x, r->n);

		assert_int_equal(s.n, r->n);
		expect(r->name, "mean", s.mean, r->mean);
		expect(r->name, "sd", s.sd, r->sd);
		expect(r->name, "min", s.min, r->min);
		expect(r->name, "max", s.max, r->max);
	}
	(void)state;
}

/* A naive sum of 0.1 drifts by 1e-6 over a million. */
static void mean_of_many_does_not_drift(void **state)
{
	static double x[1000000];

	(void)state;
	for (size_t i = 0; i < 1000000; i++)
		x[i] = 0.1;
	expect("many", "mean", stats_mean(x, 1000000), 0.1);
	assert_true(stats_sd(x, 1000000) < 1e-15);
}

static void median_leaves_its_input_sorted(void **state)
{
	double x[] = {3, -1, INFINITY, 2, -INFINITY};
	static const double want[] = {-INFINITY, -1, 2, 3, INFINITY};

	(void)state;
	expect("sorted", "median", stats_median(x, 5), 2);
	for (size_t i = 0; i < 5; i++)
		expect("sorted", "item", x[i], want[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_answers),
	    cmocka_unit_test(a_summary_has_them_all),
	    cmocka_unit_test(mean_of_many_does_not_drift),
	    cmocka_unit_test(median_leaves_its_input_sorted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
