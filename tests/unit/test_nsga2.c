/* NSGA-II: it finds fronts that points spread evenly over the space do not, whichever way its goals are
 * written, and whatever it is told. */
#include "learner.h"
#include "rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DIM = 6, TRIALS = 200, OBJECTIVES = 2 };

struct fixture {
	struct arena arena, scratch;
	const struct study *study;
	struct learner *learner;
	struct value own[DIM];
	double values[TRIALS][OBJECTIVES];
	uint32_t asked;
	uint64_t cursor;
};

static void open(struct fixture *x, const char *search, const char *metrics, uint64_t seed)
{
	char text[1024];
	struct study_errors e;
	struct learner_options o = {.kind = SEARCH_NSGA2, .seed = 1};

	*x = (struct fixture){0};
	snprintf(
	    text, sizeof text,
	    "study: s\nseed: %d\nmetrics: %s\nphases:\n  p:\n    command: x {args}\n    trials: %d\n"
	    "    search: %s\n    params: {a: \"uniform(0, 1)\", b: \"uniform(0, 1)\", c: \"uniform(0, 1)\", "
	    "d: \"uniform(0, 1)\", e: [0, 0.25, 0.5, 0.75, 1], f: [0, 0.25, 0.5, 0.75, 1]}\n",
	    (int)seed, metrics, TRIALS, search);
	if (study_parse(&x->arena, "f", text, strlen(text), &x->study, &e))
		fail_msg("%s\n%s", e.items[0].text, text);
	if (!strcmp(search, "nsga2"))
		x->learner = learner_new(x->study, &x->study->phases[0], &o);
}

static void finish(struct fixture *x)
{
	learner_free(x->learner);
	arena_finish(&x->arena);
	arena_finish(&x->scratch);
}

static void scope_of(void *ctx, uint32_t parent, struct arena *scratch, struct scope *out)
{
	(void)ctx;
	(void)parent;
	*out = (struct scope){arena_array(scratch, 1, sizeof(struct value *)), 1};
}

static void ask(struct fixture *x)
{
	static const struct key128 place = {0, 0};
	struct sampler_ask q = {.study = x->study,
	                        .phase = &x->study->phases[0],
	                        .k = x->asked++,
	                        .nparents = 1,
	                        .scope_of = scope_of,
	                        .learner = x->learner,
	                        .places = &place,
	                        .workers = 1,
	                        .cursor = &x->cursor,
	                        .scratch = &x->scratch};
	uint32_t parent;

	arena_reset(&x->scratch);
	assert_int_equal(sampler_ask(&q, x->own, &parent), SAMPLER_OK);
}

static void tell(struct fixture *x, const double *values)
{
	const struct value *by[1] = {x->own};
	const struct scope scope = {by, 1};
	const struct key128 place = {0, 0};

	learner_complete_all(x->learner, learner_begin(x->learner, place, &scope), values);
}

/* Two spheres: the front is the line between their middles. */
static void spheres(const struct fixture *x, double *out)
{
	out[0] = out[1] = 0;
	for (int i = 0; i < DIM; i++) {
		double d = value_number(&x->own[i]) - 0.25;

		out[0] += d * d;
		out[1] += (d - 0.5) * (d - 0.5);
	}
}

/* ZDT1: E. Zitzler, K. Deb, L. Thiele, Evolutionary Computation 8 (2000). */
static void zdt1(const struct fixture *x, double *out)
{
	double g = 0;

	out[0] = value_number(&x->own[0]);
	for (int i = 1; i < DIM; i++)
		g += value_number(&x->own[i]);
	g = 1 + 9 * g / (DIM - 1);
	out[1] = g * (1 - sqrt(out[0] / g));
}

static void run(struct fixture *x, void (*function)(const struct fixture *x, double *out), double sign)
{
	for (uint32_t k = 0; k < TRIALS; k++) {
		double turned[OBJECTIVES];

		ask(x);
		function(x, x->values[k]);
		turned[0] = x->values[k][0];
		turned[1] = sign * x->values[k][1];
		if (x->learner)
			tell(x, turned);
	}
}

static int by_first(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (x[0] > y[0]) - (x[0] < y[0]);
}

/* The area between the points and (1, most), as a part of all of it. */
static double hypervolume(struct fixture *x, double most)
{
	double area = 0, low = most;

	qsort(x->values, TRIALS, sizeof *x->values, by_first);
	for (int i = 0; i < TRIALS; i++)
		if (x->values[i][0] < 1 && x->values[i][1] < low) {
			area += (1 - x->values[i][0]) * (low - x->values[i][1]);
			low = x->values[i][1];
		}
	return area / most;
}

static double mean_hypervolume(const char *search, void (*function)(const struct fixture *x, double *out),
                               double most)
{
	enum { SEEDS = 8 };
	double sum = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct fixture x;

		open(&x, search, "{a: minimize, b: minimize}", seed);
		run(&x, function, 1);
		sum += hypervolume(&x, most);
		finish(&x);
	}
	return sum / SEEDS;
}

static void it_finds_the_front(void **state)
{
	double spread, found;

	(void)state;
	spread = mean_hypervolume("sobol", zdt1, 6);
	found = mean_hypervolume("nsga2", zdt1, 6);
	if (!(found > 0.9 && found > spread + 0.1)) /* 1 - 1/3/6 = 0.944 is all there is */
		fail_msg("ZDT1: %g, spread points %g", found, spread);
	spread = mean_hypervolume("sobol", spheres, 1);
	found = mean_hypervolume("nsga2", spheres, 1);
	if (!(found > spread + 0.1))
		fail_msg("spheres: %g, spread points %g", found, spread);
}

static void a_goal_may_be_written_either_way(void **state)
{
	struct fixture x, y;

	(void)state;
	open(&x, "nsga2", "{a: minimize, b: minimize}", 1);
	open(&y, "nsga2", "{a: minimize, b: maximize}", 1);
	run(&x, spheres, 1);
	run(&y, spheres, -1);
	assert_memory_equal(x.values, y.values, sizeof x.values);
	finish(&x);
	finish(&y);
}

static void whatever_it_is_told(void **state)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY, 1e308, -1e308, 0, 5e-324};
	struct fixture x;
	struct rng r;

	(void)state;
	rng_seed(&r, 3);
	open(&x, "nsga2", "{a: minimize, b: maximize}", 1);
	for (int i = 0; i < TRIALS; i++) {
		double values[OBJECTIVES];

		ask(&x);
		for (int k = 0; k < DIM; k++)
			assert_true(value_number(&x.own[k]) >= 0 && value_number(&x.own[k]) <= 1);
		for (int k = 0; k < OBJECTIVES; k++)
			values[k] =
			    rng_below(&r, 2) ? rng_unit(&r) : odd[rng_below(&r, sizeof odd / sizeof *odd)];
		tell(&x, values);
	}
	finish(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_finds_the_front),
	    cmocka_unit_test(a_goal_may_be_written_either_way),
	    cmocka_unit_test(whatever_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
