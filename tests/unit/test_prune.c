/* The rules of `prune`, each by hand. */
#include "prune.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct arena arena;
	struct study_phase phase;
	struct prune rules;
	struct pruner pruner;
	struct prune_field field;
};

static void begin(struct fixture *x, uint32_t rules)
{
	*x = (struct fixture){.phase = {.goal = GOAL_MINIMIZE}};
	x->rules = (struct prune){.rules = rules, .lower = -(double)INFINITY, .upper = (double)INFINITY};
	x->rules.median = (struct prune_compare){.share = 0.5, .startup = 2, .interval = 1, .least = 1};
	x->rules.percentile = (struct prune_compare){.share = 0.25, .interval = 1, .least = 1};
	x->rules.min = 1;
	x->rules.max = 9;
	x->rules.eta = 3;
	x->rules.nrungs = 3;
	x->phase.prune = &x->rules;
}

static void open_folds(struct fixture *x, uint32_t nfolds)
{
	pruner_init(&x->pruner, &x->arena);
	prune_field_init(&x->pruner, &x->field, &x->phase, nfolds);
}

static void open(struct fixture *x)
{
	open_folds(x, 1);
}

static struct prune_place at(struct fixture *x, uint32_t unit)
{
	return (struct prune_place){.field = &x->field, .unit = unit};
}

/* What becomes of a unit that reports these at steps 1, 2, ..: the number of those it gets through. */
static int runs(struct fixture *x, uint32_t unit, const double *values, int n)
{
	struct prune_place p = at(x, unit);

	for (int i = 0; i < n; i++) {
		prune_note(&x->pruner, &p, 1, i + 1, values[i]);
		if (prune_judge(&x->pruner, &p) != REASON_NONE)
			return i;
	}
	prune_complete(&x->pruner, &p);
	return n;
}

static int runs_flat(struct fixture *x, uint32_t unit, double value, int n)
{
	double v[64];

	for (int i = 0; i < n; i++)
		v[i] = value;
	return runs(x, unit, v, n);
}

static void median_compares_the_best_so_far(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x, PRUNE_MEDIAN);
	open(&x);
	assert_int_equal(runs_flat(&x, 1, 9, 4), 4); /* startup */
	assert_int_equal(runs_flat(&x, 2, 1, 4), 4);
	assert_int_equal(runs_flat(&x, 3, 5.5, 4), 0); /* the median of 1 and 9 is 5 */
	assert_int_equal(runs_flat(&x, 4, 5, 4), 4);
	/* once good is good enough: the best so far counts */
	assert_int_equal(runs(&x, 5, (const double[]){2, 30, 30, 30}, 4), 4);
	/* nobody has come so far */
	assert_int_equal(runs_flat(&x, 6, 3, 30), 30);
	arena_finish(&x.arena);
}

static void larger_is_better_when_asked(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x, PRUNE_MEDIAN);
	x.phase.goal = GOAL_MAXIMIZE;
	open(&x);
	assert_int_equal(runs_flat(&x, 1, 9, 4), 4);
	assert_int_equal(runs_flat(&x, 2, 1, 4), 4);
	assert_int_equal(runs_flat(&x, 3, 4.5, 4), 0);
	assert_int_equal(runs_flat(&x, 4, 5.5, 4), 4);
	arena_finish(&x.arena);
}

static void looks_keep_warmup_and_interval(void **state)
{
	struct fixture x;
	struct prune_place p;

	(void)state;
	begin(&x, PRUNE_MEDIAN);
	x.rules.median.warmup = 3;
	x.rules.median.interval = 4;
	open(&x);
	for (uint32_t u = 1; u <= 3; u++)
		runs_flat(&x, u, 1, 12);
	assert_int_equal(runs_flat(&x, 4, 2, 12), 2); /* steps 1 and 2 are before the first look */
	/* a look is made once: what is bad later in it is not looked at before the next one */
	p = at(&x, 5);
	prune_note(&x.pruner, &p, 1, 3, 0.5);
	assert_int_equal(prune_judge(&x.pruner, &p), REASON_NONE);
	p = at(&x, 6);
	prune_note(&x.pruner, &p, 1, 2, 2);
	assert_int_equal(prune_judge(&x.pruner, &p), REASON_NONE);
	prune_note(&x.pruner, &p, 1, 9, 2); /* another step of the second look */
	assert_int_equal(prune_judge(&x.pruner, &p), REASON_MEDIAN);
	arena_finish(&x.arena);
}

static void percentile_and_least(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x, PRUNE_PERCENTILE);
	x.rules.percentile.least = 5;
	open(&x);
	for (uint32_t u = 1; u <= 5; u++)
		assert_int_equal(runs_flat(&x, u, u, 2), 2);
	assert_int_equal(runs_flat(&x, 6, 2.1, 2), 0); /* the best quarter of 1..5 ends at 2 */
	assert_int_equal(runs_flat(&x, 7, 2, 2), 2);
	arena_finish(&x.arena);
}

static void folds_are_compared_apart(void **state)
{
	struct fixture x;
	struct prune_place p;

	(void)state;
	begin(&x, PRUNE_MEDIAN);
	open_folds(&x, 2);
	runs_flat(&x, 2, 1, 2);
	runs_flat(&x, 4, 1, 2);
	p = at(&x, 3);
	p.fold = 1;
	prune_note(&x.pruner, &p, 1, 1, 100);
	assert_int_equal(prune_judge(&x.pruner, &p), REASON_NONE);
	p.fold = 0;
	p.unit = 6;
	prune_note(&x.pruner, &p, 1, 1, 100);
	assert_int_equal(prune_judge(&x.pruner, &p), REASON_MEDIAN);
	arena_finish(&x.arena);
}

/* All folds of a trial, one after the other, `values[f]` in fold f: how many of them it gets through. */
static uint32_t runs_folds(struct fixture *x, uint32_t trial, const double *values, int steps)
{
	struct prune_place p = at(x, trial * x->field.nfolds);

	for (; p.fold < x->field.nfolds; p.fold++, p.unit++) {
		for (int i = 1; i <= steps; i++) {
			prune_note(&x->pruner, &p, 1, i, values[p.fold]);
			if (prune_judge(&x->pruner, &p) != REASON_NONE)
				return p.fold;
		}
		prune_complete(&x->pruner, &p);
	}
	return p.fold;
}

static void a_fold_may_be_behind_when_the_trial_is_ahead(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x, PRUNE_MEDIAN);
	open_folds(&x, 3);
	assert_int_equal(runs_folds(&x, 1, (double[]){10, 20, 30}, 2), 3);
	assert_int_equal(runs_folds(&x, 2, (double[]){12, 22, 32}, 2), 3);
	/* ahead by 3 in the first fold, behind by 2 in the second, by 2 in the third */
	assert_int_equal(runs_folds(&x, 3, (double[]){8, 23, 33}, 2), 2);
	assert_int_equal(runs_folds(&x, 4, (double[]){8, 23, 31.5}, 2), 3);
	/* what is no number cannot be made good */
	assert_int_equal(runs_folds(&x, 5, (double[]){1, (double)INFINITY, 1}, 2), 1);
	arena_finish(&x.arena);
}

/* Of each three that come to a rung one goes on, with all its folds: that few come to the second fold does
 * not make it one of three once more. */
static void folds_do_not_divide_again(void **state)
{
	const uint32_t rules[] = {PRUNE_ASHA, PRUNE_MEDIAN};
	struct fixture x;

	(void)state;
	for (uint32_t k = 0; k < 2; k++) {
		uint32_t began = 0, through = 0;

		begin(&x, rules[k]);
		x.rules.nrungs = 2;
		open_folds(&x, 5);
		for (uint32_t t = 1; t <= 600; t++) {
			double v[5], good = (double)(rng_mix(t) % 1000);

			for (uint32_t f = 0; f < 5; f++) /* a fold is as good as its trial, give or take */
				v[f] = good + (double)(rng_mix(t * 8 + f) % 100) + 1000 * f;
			uint32_t n = runs_folds(&x, t, v, 1);

			began += n > 0;
			through += n == 5;
		}
		/* of 600, or about half each time anew: the median of those that were better than the median
		 */
		assert_true(k ? began > 20 : began > 180 && began < 240);
		assert_true(through > began * 3 / 4);
		arena_finish(&x.arena);
	}
}

static void nan_is_no_verdict_and_infinity_the_worst(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x, PRUNE_MEDIAN | PRUNE_THRESHOLD);
	x.rules.upper = 100;
	open(&x);
	runs_flat(&x, 1, 1, 2);
	runs_flat(&x, 2, 1, 2);
	assert_int_equal(runs_flat(&x, 3, (double)NAN, 2), 2);
	assert_int_equal(runs_flat(&x, 4, (double)INFINITY, 2), 0);
	assert_int_equal(runs_flat(&x, 5, -(double)INFINITY, 2), 0); /* it diverged, too */
	arena_finish(&x.arena);
}

static void threshold(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x, PRUNE_THRESHOLD);
	x.rules.lower = 0;
	x.rules.upper = 10;
	x.rules.threshold_warmup = 3;
	open(&x);
	assert_int_equal(runs(&x, 1, (const double[]){99, -9, 10, 0}, 4), 4);
	assert_int_equal(runs(&x, 2, (const double[]){1, 1, 10.5}, 3), 2);
	assert_int_equal(runs(&x, 3, (const double[]){1, 1, 1, -0.5}, 4), 3);
	arena_finish(&x.arena);
}

static void patience(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x, PRUNE_PATIENCE);
	x.rules.patience = 3;
	x.rules.min_delta = 0.1;
	open(&x);
	assert_int_equal(runs(&x, 1, (const double[]){5, 4, 4.5, 4.2, 3, 9, 9, 9, 9}, 9), 7);
	/* better by less than min_delta is not better */
	assert_int_equal(runs(&x, 2, (const double[]){5, 4.95, 4.92, 4.91, 1}, 5), 3);
	arena_finish(&x.arena);
}

static void asha_stops_at_rungs(void **state)
{
	struct fixture x;
	struct prune_place p;

	(void)state;
	begin(&x, PRUNE_ASHA);
	open(&x);
	assert_int_equal(runs_flat(&x, 1, 5, 9), 9); /* the first is the best of all so far */
	assert_int_equal(runs_flat(&x, 2, 6, 9), 0); /* one of two: only the best */
	assert_int_equal(runs_flat(&x, 3, 4, 9), 9);
	assert_int_equal(runs_flat(&x, 4, 7, 9), 0);
	assert_int_equal(runs_flat(&x, 5, 4.5, 9), 0);
	assert_int_equal(runs_flat(&x, 6, 4.2, 9), 2); /* two of six; but not of three at step 3 */
	/* a rung that is leapt over is one that was reached */
	p = at(&x, 7);
	prune_note(&x.pruner, &p, 1, 8, 9);
	assert_int_equal(prune_judge(&x.pruner, &p), REASON_ASHA);
	arena_finish(&x.arena);
}

static void what_is_forgotten_never_was(void **state)
{
	struct fixture x;
	struct prune_place p;

	(void)state;
	begin(&x, PRUNE_MEDIAN | PRUNE_ASHA);
	open(&x);
	runs_flat(&x, 1, 1, 9);
	runs_flat(&x, 2, 1, 9);
	for (uint32_t u = 1; u <= 2; u++) {
		p = at(&x, u);
		prune_forget(&x.pruner, &p);
	}
	assert_int_equal(runs_flat(&x, 3, 100, 9), 9);
	for (uint32_t i = 0; i < 20; i++) { /* and memory is used again */
		uint32_t nodes = x.pruner.pool.nodes.count;

		runs_flat(&x, 1, 1, 9);
		p = at(&x, 1);
		prune_forget(&x.pruner, &p);
		assert_true(i == 0 || x.pruner.pool.nodes.count == nodes);
	}
	arena_finish(&x.arena);
}

static void memory_is_bounded(void **state)
{
	struct fixture x;

	(void)state;
	begin(&x, PRUNE_MEDIAN);
	open(&x);
	for (uint32_t u = 1; u <= 3 * PRUNE_SAMPLE; u++)
		runs_flat(&x, u, 1, 3);
	assert_true(x.pruner.pool.nodes.count <= 3 * PRUNE_SAMPLE + 9);
	assert_int_equal(runs_flat(&x, 9999, 1.5, 3), 0);
	arena_finish(&x.arena);
}

/* The same values in another order of arrival: the same verdict. */
static void order_does_not_matter(void **state)
{
	struct fixture x, y;

	(void)state;
	begin(&x, PRUNE_MEDIAN);
	begin(&y, PRUNE_MEDIAN);
	x.phase.prune = &x.rules;
	y.phase.prune = &y.rules;
	open(&x);
	open(&y);
	x.rules.median.startup = y.rules.median.startup = 1 << 20;
	for (uint32_t u = 1; u <= 1500; u++) {
		runs_flat(&x, u, (double)(rng_mix(u) % 1000), 2);
		runs_flat(&y, 1501 - u, (double)(rng_mix(1501 - u) % 1000), 2);
	}
	x.rules.median.startup = y.rules.median.startup = 0;
	for (uint32_t k = 0; k < 100; k++)
		assert_int_equal(runs_flat(&x, 2000 + k, 450 + k, 1), runs_flat(&y, 2000 + k, 450 + k, 1));
	arena_finish(&x.arena);
	arena_finish(&y.arena);
}

static void budgets_and_brackets(void **state)
{
	struct prune r = {.rules = PRUNE_HYPERBAND, .min = 1, .max = 20, .eta = 3, .nrungs = 4};
	uint32_t seen[4] = {0};

	(void)state;
	assert_int_equal(prune_budget(&r, 0, 0), 1);
	assert_int_equal(prune_budget(&r, 0, 2), 9);
	assert_int_equal(prune_budget(&r, 0, 3), 20);
	assert_int_equal(prune_budget(&r, 2, 0), 9);
	assert_int_equal(prune_rungs(&r, 2), 2);
	for (uint64_t i = 0; i < 3000; i++)
		seen[prune_bracket(&r, (struct key128){i, 7})]++;
	/* three brackets: 3 * 9 / 3, 3 * 3 / 2, 3: of 17 trials 9, 5 and 3 */
	assert_true(seen[0] > 1400 && seen[0] < 1800);
	assert_true(seen[1] > 750 && seen[1] < 1000);
	assert_true(seen[2] > 430 && seen[2] < 630);
	assert_int_equal(seen[3], 0);
	r.rules = PRUNE_ASHA;
	assert_int_equal(prune_bracket(&r, (struct key128){5, 7}), 0);
	r.max = INT64_MAX;
	assert_true(prune_budget(&r, 0, 39) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(median_compares_the_best_so_far),
	    cmocka_unit_test(larger_is_better_when_asked),
	    cmocka_unit_test(looks_keep_warmup_and_interval),
	    cmocka_unit_test(percentile_and_least),
	    cmocka_unit_test(folds_are_compared_apart),
	    cmocka_unit_test(a_fold_may_be_behind_when_the_trial_is_ahead),
	    cmocka_unit_test(folds_do_not_divide_again),
	    cmocka_unit_test(nan_is_no_verdict_and_infinity_the_worst),
	    cmocka_unit_test(threshold),
	    cmocka_unit_test(patience),
	    cmocka_unit_test(asha_stops_at_rungs),
	    cmocka_unit_test(what_is_forgotten_never_was),
	    cmocka_unit_test(memory_is_bounded),
	    cmocka_unit_test(order_does_not_matter),
	    cmocka_unit_test(budgets_and_brackets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
