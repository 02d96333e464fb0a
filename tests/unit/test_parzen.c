#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "normal.h"
#include "parzen.h"

#include <math.h>
#include <string.h>

enum { POINTS = 30, AXES = 4 };

static const struct parzen_rules rules = {.prior_weight = 1, .sigma_least = 0.01, .sigma_count = 1};
static const struct cell none = {NAN, NAN};

struct fixture {
	struct arena arena;
	struct parzen *parzen;
	struct cell cells[POINTS][AXES];
	struct parzen_point points[POINTS];
};

static struct cell at(double x)
{
	return (struct cell){x, x};
}

static struct cell level(uint32_t i, uint32_t n)
{
	return (struct cell){(double)i / n, (i + 1.0) / n};
}

/* Points of one axis. */
static void open_one(struct fixture *x, const struct axis *axis, const struct cell *cells,
                     const double *weights, uint32_t n)
{
	*x = (struct fixture){0};
	for (uint32_t i = 0; i < n; i++) {
		x->cells[i][0] = cells[i];
		x->points[i] = (struct parzen_point){x->cells[i], weights ? weights[i] : 1};
	}
	x->parzen = parzen_new(&x->arena, axis, 1, x->points, n, &rules);
}

static double log_density(struct fixture *x, uint32_t naxes, const struct cell *cells)
{
	uint32_t n = parzen_count(x->parzen);
	double *sum = arena_array(&x->arena, n, sizeof *sum);

	memcpy(sum, parzen_log_weights(x->parzen), n * sizeof *sum);
	parzen_add(x->parzen, 0, naxes, cells, sum);
	return log_sum_exp(sum, n);
}

static void expect(struct fixture *x, struct cell c, double wanted, double tolerance)
{
	double got = log_density(x, 1, &c);

	if (!(fabs(got - wanted) <= tolerance))
		fail_msg("at [%g, %g]: %.17g, not %.17g", c.lo, c.hi, got, wanted);
}

/* ---- numbers computed by hand (with mpmath) ------------------------------------------------------ */
static const struct axis number = {AXIS_NUMBER, 0}, four = {AXIS_CHOICE, 4};

static void density_of_two_points(void **state)
{
	struct fixture x;

	(void)state;
	open_one(&x, &number, (struct cell[]){at(0.2), at(0.6)}, (double[]){1, 2}, 2);
	expect(&x, at(0), -0.264058859531295, 1e-14);
	expect(&x, at(0.3), 0.097750664449264928, 1e-14);
	expect(&x, at(0.95), -0.30282644549113871, 1e-14);
	arena_finish(&x.arena);
}

/* sigma is the geometric mean of 0.4 and 0.2 2^(-1/5). */
static void widths_between_gap_and_number(void **state)
{
	static const struct parzen_rules both = {
	    .prior_weight = 1, .sigma_joint = 0.2, .sigma_least = 0.01, .sigma_count = 1};
	struct fixture x;

	(void)state;
	open_one(&x, &number, (struct cell[]){at(0.2), at(0.6)}, NULL, 2);
	x.parzen = parzen_new(&x.arena, &number, 1, x.points, 2, &both);
	expect(&x, at(0.3), 0.20849263718506268, 1e-14);
	arena_finish(&x.arena);
}

/* The gap of the first, 0.02, is less than a kernel may be wide with three points: 1/5. */
static void masses_of_three_points(void **state)
{
	static const double wanted[] = {-0.95898058938770338, -1.2105108452922161, -1.6469899047688447,
	                                -2.07113425319011};
	struct fixture x;

	(void)state;
	open_one(&x, &number, (struct cell[]){at(0.1), at(0.5), at(0.12)}, NULL, 3);
	for (uint32_t i = 0; i < 4; i++)
		expect(&x, level(i, 4), wanted[i], 1e-12);
	arena_finish(&x.arena);
}

static void density_of_one_point_reaches_the_far_end(void **state)
{
	struct fixture x;

	(void)state;
	open_one(&x, &number, (struct cell[]){at(0.3)}, NULL, 1);
	expect(&x, at(0.3), 0.069896163472193851, 1e-14);
	expect(&x, at(0.9), -0.13932167972091143, 1e-14);
	arena_finish(&x.arena);
}

static void chances_of_choices(void **state)
{
	struct fixture x;

	(void)state;
	open_one(&x, &four, (struct cell[]){level(2, 4), level(2, 4)}, NULL, 2);
	expect(&x, level(2, 4), -0.76725515271366719, 1e-14);
	expect(&x, level(0, 4), -1.7227665977411035, 1e-14);
	expect(&x, level(3, 4), -1.7227665977411035, 1e-14);
	arena_finish(&x.arena);
}

static void without_points_there_is_the_prior(void **state)
{
	struct fixture x;
	double total = normal_log_mass(-0.5, 0.5);

	(void)state;
	open_one(&x, &number, NULL, NULL, 0);
	expect(&x, at(0.5), normal_log_pdf(0) - total, 1e-14);
	arena_finish(&x.arena);
	open_one(&x, &four, NULL, NULL, 0);
	expect(&x, level(1, 4), log(0.25), 1e-14);
	arena_finish(&x.arena);
}

static void equal_points_share_a_kernel(void **state)
{
	static const struct cell many[] = {{0.4, 0.6}, {0.4, 0.6}, {0, 0.2}, {0.4, 0.6}, {0.4, 0.6}};
	struct fixture x;
	double first[6] = {0};

	(void)state;
	open_one(&x, &number, many, NULL, 5);
	parzen_add(x.parzen, 0, 1, &many[0], first);
	for (uint32_t i = 0; i < 5; i++)
		if (i != 2)
			assert_true(first[i] == first[0]);
	assert_true(first[2] < first[0]);
	arena_finish(&x.arena);
}

/* ---- a density is one --------------------------------------------------------------------------------- */
static struct cell random_cell(struct rng *r, const struct axis *a)
{
	if (rng_below(r, 5) == 0)
		return none;
	return a->levels ? level((uint32_t)rng_below(r, a->levels), a->levels) : at(rng_unit(r));
}

static void open_random(struct fixture *x, const struct axis *axes, uint32_t naxes, uint32_t n, struct rng *r)
{
	double narrow = rng_unit(r);

	*x = (struct fixture){0};
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k < naxes; k++) {
			x->cells[i][k] = random_cell(r, &axes[k]);
			if (axes[k].kind == AXIS_NUMBER && !axes[k].levels)
				x->cells[i][k].lo = x->cells[i][k].hi *= narrow;
		}
		x->points[i] = (struct parzen_point){x->cells[i], 0.1 + rng_unit(r)};
	}
	x->parzen = parzen_new(&x->arena, axes, naxes, x->points, n, &rules);
}

/* Simpson's rule, or a sum over the levels. */
static double integral(struct fixture *x, const struct axis *a)
{
	enum { STEPS = 4000 };
	double sum = 0;

	for (uint32_t i = 0; i < a->levels; i++) {
		struct cell c = level(i, a->levels);

		sum += exp(log_density(x, 1, &c));
	}
	for (uint32_t i = 0; a->levels == 0 && i <= STEPS; i++) {
		struct cell c = at((double)i / STEPS);

		sum += exp(log_density(x, 1, &c)) * (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2) / 3 / STEPS;
	}
	return sum;
}

static void densities_integrate_to_one(void **state)
{
	static const struct axis axes[] = {{AXIS_NUMBER, 0},   {AXIS_NUMBER, 2},    {AXIS_NUMBER, 9},
	                                   {AXIS_NUMBER, 100}, {AXIS_NUMBER, 3000}, {AXIS_CHOICE, 2},
	                                   {AXIS_CHOICE, 17}};
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (uint32_t n = 0; n <= POINTS; n += 3)
		for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) {
			struct fixture x;
			double sum;

			open_random(&x, &axes[i], 1, n, &r);
			sum = integral(&x, &axes[i]);
			if (fabs(sum - 1) > (axes[i].levels > 9 ? 2e-4 : 1e-6))
				fail_msg("axis %zu, %u points: %.9g", i, n, sum);
			arena_finish(&x.arena);
		}
}

static const struct axis several[] = {{AXIS_NUMBER, 0}, {AXIS_NUMBER, 6}, {AXIS_CHOICE, 3}, {AXIS_NUMBER, 1}};

/* Axes together are one density, and an axis without a value is integrated out. */
static void several_axes_make_one_density(void **state)
{
	enum { STEPS = 200 };
	struct rng r;

	(void)state;
	rng_seed(&r, 2);
	for (int times = 0; times < 5; times++) {
		struct fixture x;
		double sum = 0, without = 0;

		open_random(&x, several, AXES, POINTS, &r);
		for (uint32_t i = 0; i < 6; i++)
			for (uint32_t c = 0; c < 3; c++)
				for (uint32_t k = 0; k < STEPS; k++) {
					struct cell cells[] = {at((k + 0.5) / STEPS), level(i, 6),
					                       level(c, 3), none};

					sum += exp(log_density(&x, AXES, cells)) / STEPS;
					if (k > 0)
						continue;
					cells[0] = none;
					without += exp(log_density(&x, AXES, cells));
				}
		assert_true(fabs(sum - 1) < 1e-3);
		assert_true(fabs(without - 1) < 1e-3);
		arena_finish(&x.arena);
	}
}

/* Draws fall where the density says. */
static void draws_follow_the_density(void **state)
{
	enum { DRAWS = 40000 };
	struct fixture x;
	uint32_t count[6][3] = {{0}};
	struct rng r;

	(void)state;
	rng_seed(&r, 3);
	open_random(&x, several, AXES, POINTS, &r);
	for (uint32_t n = 0; n < DRAWS; n++) {
		double u[AXES], pick = rng_unit(&r);
		uint32_t kernel = 0;

		while (kernel + 1 < parzen_count(x.parzen) &&
		       (pick -= exp(parzen_log_weights(x.parzen)[kernel])) > 0)
			kernel++;
		parzen_draw(x.parzen, kernel, AXES, &r, u);
		for (uint32_t k = 0; k < AXES; k++)
			assert_true(u[k] >= 0 && u[k] < 1);
		count[(uint32_t)(u[0] * 2) * 3 + (uint32_t)(u[1] * 3)][(uint32_t)(u[2] * 3)]++;
	}
	for (uint32_t i = 0; i < 6; i++)
		for (uint32_t c = 0; c < 3; c++) {
			struct cell cells[] = {level(i / 3, 2), level(i % 3, 3), level(c, 3), none};
			double p = exp(log_density(&x, AXES, cells));

			assert_true(fabs(count[i][c] - p * DRAWS) < 5 * sqrt(p * DRAWS) + 1);
		}
	arena_finish(&x.arena);
}

static void narrow_kernels_at_the_ends_are_finite(void **state)
{
	struct fixture x;

	(void)state;
	open_one(&x, &number, (struct cell[]){at(0), at(0x1p-53), at(1 - 0x1p-53), at(0x1p-53)}, NULL, 4);
	for (uint32_t i = 0; i < 1000; i += 111) {
		struct cell c = at(i / 1000.0), l = level(i, 1000);

		assert_true(isfinite(log_density(&x, 1, &c)));
		assert_true(isfinite(log_density(&x, 1, &l)));
	}
	arena_finish(&x.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(density_of_two_points),
	    cmocka_unit_test(widths_between_gap_and_number),
	    cmocka_unit_test(masses_of_three_points),
	    cmocka_unit_test(density_of_one_point_reaches_the_far_end),
	    cmocka_unit_test(chances_of_choices),
	    cmocka_unit_test(without_points_there_is_the_prior),
	    cmocka_unit_test(equal_points_share_a_kernel),
	    cmocka_unit_test(densities_integrate_to_one),
	    cmocka_unit_test(several_axes_make_one_density),
	    cmocka_unit_test(draws_follow_the_density),
	    cmocka_unit_test(narrow_kernels_at_the_ends_are_finite),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
