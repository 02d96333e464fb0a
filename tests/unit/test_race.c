/* Races: tests against known tails, and trials that must or must not be stopped. */
#include "race.h"
#include "rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Tables of Student's distribution, and closed forms for 1 and 2 degrees of freedom. */
static void student_tails(void **state)
{
	static const struct {
		double t, df, p;
	} rows[] = {{0, 5, 0.5},
	            {1, 1, 0.25},
	            {6.313751514675, 1, 0.05},
	            {2.919985580354, 2, 0.05},
	            {2.131846786327, 4, 0.05},
	            {-2.131846786327, 4, 0.95},
	            {9.924843200918, 2, 0.005},
	            {1.670648865, 60, 0.05},
	            {636.619249432, 1, 0.0005}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_float_equal(race_student_tail(rows[i].t, rows[i].df), rows[i].p, 1e-8);
}

static void signed_ranks(void **state)
{
	const double all[] = {1, 2, 3, 4, 5}, one[] = {-1, 2, 3, 4, 5}, two[] = {1, -2, 3, 4, 5};
	const double none[] = {-1, -2, -3}, ties[] = {1, 1, -1}, zeros[] = {0, 0, 0};

	(void)state;
	assert_float_equal(race_wilcoxon(all, 5), 1.0 / 32, 1e-15);
	assert_float_equal(race_wilcoxon(one, 5), 2.0 / 32, 1e-15);
	assert_float_equal(race_wilcoxon(two, 5), 3.0 / 32, 1e-15);
	assert_float_equal(race_wilcoxon(none, 3), 1, 1e-15);
	assert_float_equal(race_wilcoxon(ties, 3), 0.5, 1e-15); /* two or three of three equal ranks */
	assert_float_equal(race_wilcoxon(zeros, 3), 1, 1e-15);
}

static struct race_look look(const double *mine, const double *theirs, uint32_t m, uint32_t folds)
{
	struct race_look x = {.mine = mine, .theirs = theirs, .m = m, .folds = folds};

	for (uint32_t i = 0; i < m; i++)
		x.incumbent += theirs[i] / m;
	return x;
}

static void bounds_are_certain(void **state)
{
	const double mine[] = {0.6, 0.5}, theirs[] = {0.1, 0.3}, good[] = {0.6, 0.3};
	struct race_look x = look(mine, theirs, 2, 5);

	(void)state;
	x.has_best = true;
	assert_int_equal(race_look(&x), RACE_LOST_BY_BOUNDS); /* (0.6 + 0.5 + 0 + 0 + 0) / 5 = 0.22 >= 0.2 */
	x.mine = good;
	assert_int_not_equal(race_look(&x), RACE_LOST_BY_BOUNDS); /* 0.18 */
	x.mine = mine;
	x.maximize = true;
	x.best = 1;
	x.incumbent = 0.83;
	assert_int_equal(race_look(&x), RACE_LOST_BY_BOUNDS); /* (1.1 + 3) / 5 = 0.82 */
	x.incumbent = 0.81;
	assert_int_equal(race_look(&x), RACE_ON);
}

static void the_worst_fold_counts(void **state)
{
	const double mine[] = {0.1, 0.5}, theirs[] = {0.2, 0.3};
	struct race_look x = look(mine, theirs, 2, 5);

	(void)state;
	x.aggregate = AGGREGATE_MAX;
	x.incumbent = 0.4;
	assert_int_equal(race_look(&x), RACE_LOST_BY_BOUNDS);
	x.incumbent = 0.6;
	assert_int_equal(race_look(&x), RACE_ON);
	x.aggregate = AGGREGATE_MIN;
	assert_int_equal(race_look(&x), RACE_ON);
}

static void differences_decide(void **state)
{
	const double theirs[] = {0.10, 0.12, 0.11, 0.13, 0.12, 0.10},
	             clear[] = {0.30, 0.33, 0.30, 0.32, 0.31, 0.3};
	const double close[] = {0.11, 0.11, 0.12, 0.13, 0.11, 0.12},
	             better[] = {0.05, 0.06, 0.05, 0.08, 0.06, 0.05};
	struct race_look x;

	(void)state;
	x = look(clear, theirs, 1, 10);
	assert_int_equal(race_look(&x), RACE_ON); /* one difference has no variance */
	x = look(clear, theirs, 3, 10);
	assert_int_equal(race_look(&x), RACE_LOST_BY_T);
	x = look(close, theirs, 6, 10);
	assert_int_equal(race_look(&x), RACE_ON);
	x = look(better, theirs, 6, 10);
	assert_int_equal(race_look(&x), RACE_ON);
	x = look(theirs, clear, 3, 10);
	x.maximize = true;
	assert_int_equal(race_look(&x), RACE_LOST_BY_T);
}

/* Under the null hypothesis, over all looks, at most alpha are stopped (here: folds that are independent,
 * where the correction makes it less). */
static void equals_are_rarely_stopped(void **state)
{
	struct rng r;
	int stopped = 0;

	(void)state;
	rng_seed(&r, 5);
	for (int n = 0; n < 4000; n++) {
		double mine[10], theirs[10];
		bool lost = false;

		for (int i = 0; i < 10; i++) {
			mine[i] = rng_unit(&r) + rng_unit(&r) + rng_unit(&r);
			theirs[i] = rng_unit(&r) + rng_unit(&r) + rng_unit(&r);
		}
		for (uint32_t m = 1; m < 10; m++) {
			struct race_look x = look(mine, theirs, m, 10);

			lost = lost || race_look(&x) != RACE_ON;
		}
		stopped += lost;
	}
	assert_in_range(stopped, 1, 200);
}

static void fold_effects_are_taken_out(void **state)
{
	const double fold_mean[] = {0.1, 0.3, 0.2}, mine[] = {0.35};
	const uint32_t which[] = {1};

	(void)state;
	assert_float_equal(race_corrected(mine, which, 1, fold_mean, 3), 0.25, 1e-15);
	assert_true(isnan(race_corrected(mine, which, 0, fold_mean, 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(student_tails),
	    cmocka_unit_test(signed_ranks),
	    cmocka_unit_test(bounds_are_certain),
	    cmocka_unit_test(the_worst_fold_counts),
	    cmocka_unit_test(differences_decide),
	    cmocka_unit_test(equals_are_rarely_stopped),
	    cmocka_unit_test(fold_effects_are_taken_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
