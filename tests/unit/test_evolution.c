#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evolution.h"
#include "normal.h"

#include <math.h>
#include <string.h>

static void near_to(double got, double expected, double error)
{
	if (!(fabs(got - expected) <= error))
		fail_msg("%.15g, not %.15g", got, expected);
}

/* Four generations as another program, written after the tutorial's figure 6, has them. In the third, points
 * are drawn in (injection), and the path of the mean waits (h_sigma = 0). */
static void generations_are_those_of_the_tutorial(void **state)
{
	static const double points[4][12] = {
	    {.6, .5, .65, .62, .5, .45, .45, .6, .3, .5, .4, .3},
	    {.7, .66, .62, .6, .6, .5, .5, .55, .52, .4, .45, .5},
	    {1.6, 1.7, 1.4, 1.2, 1.1, 1.2, .62, .6, .6, .45, .5, .5},
	    {1.2, 1.5, 1.3, 1.3, 1.1, .9, 1.0, .9, 1.1, .7, 1.2, .6},
	};
	static const double after[4][6] = {
	    {0.60638979574, 0.530229072327, 0.148569416644, 0.917482615466, -0.0125257047548, 0.773098874641},
	    {0.669395662273, 0.630383837142, 0.1541295217, 0.762681368967, 0.0784827230633, 0.848350010924},
	    {0.910332681968, 0.88145771661, 0.276166482094, 0.899597846751, 0.17940050045, 0.991226214316},
	    {1.22061830861, 1.39605364572, 0.599385053912, 0.912981373277, 0.493429995148, 1.28150325097},
	};
	static const double middle[] = {0.5, 0.5};
	static const bool same[6] = {false};
	struct arena a = {0};
	struct evolution e;

	(void)state;
	evolution_begin(&e, &a, 2, 6, middle, 1.0 / 6);
	for (int g = 0; g < 4; g++) {
		evolution_tell(&e, points[g], same);
		near_to(e.mean[0], after[g][0], 1e-10);
		near_to(e.mean[1], after[g][1], 1e-10);
		near_to(e.sigma, after[g][2], 1e-10);
		near_to(e.cov[0], after[g][3], 1e-10);
		near_to(e.cov[1], after[g][4], 1e-10);
		near_to(e.cov[2], after[g][4], 1e-10);
		near_to(e.cov[3], after[g][5], 1e-10);
		assert_false(e.broken);
	}
	arena_finish(&a);
}

/* Standard normal vectors come to lie with the covariance that evolution_sd and C say. */
static void points_have_the_covariance(void **state)
{
	static const double x[] = {.6, .7, .55, .6, .5, .5, .4, .5, .5, .3, .4, .4}, m[] = {.5, .5};
	static const bool same[6] = {false};
	struct arena a = {0};
	struct evolution e;
	double sum[2] = {0}, product = 0, u[2], v[2];
	const double one[] = {1, 0}, two[] = {0, 1};

	(void)state;
	evolution_begin(&e, &a, 2, 6, m, 0.1);
	evolution_tell(&e, x, same);
	e.scale[1] = 3;
	evolution_place(&e, one, u);
	evolution_place(&e, two, v);
	for (int i = 0; i < 2; i++)
		sum[i] = (u[i] - e.mean[i]) * (u[i] - e.mean[i]) + (v[i] - e.mean[i]) * (v[i] - e.mean[i]);
	product = (u[0] - e.mean[0]) * (u[1] - e.mean[1]) + (v[0] - e.mean[0]) * (v[1] - e.mean[1]);
	near_to(sqrt(sum[0]), evolution_sd(&e, 0), 1e-14);
	near_to(sqrt(sum[1]), evolution_sd(&e, 1), 1e-14);
	near_to(product, e.sigma * e.sigma * 3 * e.cov[1], 1e-14);
	arena_finish(&a);
}

/* All equal: the mean of all, in whatever order. */
static void equals_share_their_weights(void **state)
{
	static const double x[] = {.1, .9, .2, .7, .3, .5, .4, .3, .5, .1, .6, .2}, m[] = {.5, .5};
	static const bool same[6] = {false, true, true, true, true, true};
	double turned[12], mean[2] = {0};
	struct arena a = {0};
	struct evolution e, f;

	(void)state;
	for (int i = 0; i < 6; i++) {
		memcpy(&turned[2 * i], &x[2 * (5 - i)], 2 * sizeof *x);
		mean[0] += x[2 * i] / 6;
		mean[1] += x[2 * i + 1] / 6;
	}
	evolution_begin(&e, &a, 2, 6, m, 0.5);
	evolution_begin(&f, &a, 2, 6, m, 0.5);
	evolution_tell(&e, x, same);
	evolution_tell(&f, turned, same);
	for (int i = 0; i < 2; i++)
		near_to(e.mean[i], mean[i], 1e-14);
	for (int i = 0; i < 4; i++)
		near_to(e.cov[i], f.cov[i], 1e-12);
	near_to(e.sigma, f.sigma, 1e-12);
	arena_finish(&a);
}

static struct evolution one_axis(struct arena *a, double mean, double sd)
{
	double means[] = {mean, 0.5};
	struct evolution e;

	evolution_begin(&e, a, 2, 6, means, sd);
	return e;
}

static double below(const struct evolution *e, double x)
{
	return normal_cdf((x - e->mean[0]) / evolution_sd(e, 0));
}

static double above(const struct evolution *e, double x)
{
	return normal_cdf((e->mean[0] - x) / evolution_sd(e, 0));
}

static void the_margin_is_kept(void **state)
{
	const double alpha = 1.0 / 12, sds[] = {1e-9, 1e-3, 0.02, 0.2, 1},
	             means[] = {0.4, 0.401, 0.45, 0.499};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof sds / sizeof *sds; i++)
		for (size_t k = 0; k < sizeof means / sizeof *means; k++) {
			struct evolution e = one_axis(&a, means[k], sds[i]);
			bool wide = below(&e, 0.4) >= alpha / 2 && above(&e, 0.5) >= alpha / 2;

			evolution_keep_margin(&e, 0, 0.4, 0.5);
			assert_true(e.mean[0] >= 0.4 && e.mean[0] <= 0.5);
			assert_true(below(&e, 0.4) > alpha / 2 - 1e-9);
			assert_true(above(&e, 0.5) > alpha / 2 - 1e-9);
			assert_int_equal(e.mean[0] == means[k] && e.scale[0] == 1, wide);
			assert_true(e.scale[1] == 1 && e.mean[1] == 0.5);
		}
	arena_finish(&a);
}

static void at_the_ends_only_the_mean_moves(void **state)
{
	const double alpha = 1.0 / 12;
	struct arena a = {0};
	struct evolution first = one_axis(&a, 0.05, 0.01), last = one_axis(&a, 0.95, 0.01),
	                 near = one_axis(&a, 0.095, 0.01), only = one_axis(&a, 0.3, 0.01);

	(void)state;
	evolution_keep_margin(&first, 0, 0, 0.1);
	evolution_keep_margin(&last, 0, 0.9, 1);
	evolution_keep_margin(&near, 0, 0, 0.1);
	evolution_keep_margin(&only, 0, 0, 1);
	near_to(above(&first, 0.1), alpha, 1e-9);
	near_to(below(&last, 0.9), alpha, 1e-9);
	assert_true(near.mean[0] == 0.095 && only.mean[0] == 0.3);
	assert_true(first.scale[0] == 1 && last.scale[0] == 1);
	arena_finish(&a);
}

static void what_has_lost_its_meaning_is_broken(void **state)
{
	static const bool same[6] = {false};
	double x[12], m[] = {0.5, 0.5};
	struct arena a = {0};
	struct evolution e;

	(void)state;
	evolution_begin(&e, &a, 2, 6, m, 0.1);
	for (int g = 0; g < 5000 && !e.broken; g++) { /* on a line */
		for (int i = 0; i < 6; i++) {
			x[2 * i] = e.mean[0] + e.sigma * (i - 2.5);
			x[2 * i + 1] = e.mean[1];
		}
		evolution_tell(&e, x, same);
	}
	assert_true(e.broken);
	arena_finish(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(generations_are_those_of_the_tutorial),
	    cmocka_unit_test(points_have_the_covariance),
	    cmocka_unit_test(equals_share_their_weights),
	    cmocka_unit_test(the_margin_is_kept),
	    cmocka_unit_test(at_the_ends_only_the_mean_moves),
	    cmocka_unit_test(what_has_lost_its_meaning_is_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
