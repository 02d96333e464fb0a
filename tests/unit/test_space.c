/* Spaces: draws stay inside, grids enumerate exactly, and only feasible points come out. */
#include "rng.h"
#include "space.h"
#include "study.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

enum { MAX = 8 };
struct fixture {
	const struct space *space;
	struct value own[MAX];
	const struct value *by_phase[1];
};

static void open(struct fixture *x, const char *params)
{
	char text[2048];
	const struct study *s;
	struct study_errors e;

	snprintf(text, sizeof text,
	         "study: s\nmetric: none\nphases:\n  p:\n    command: x {args}\n    trials: 5\n    search: "
	         "random\n"
	         "%s",
	         params);
	if (study_parse(&arena, "f", text, strlen(text), &s, &e))
		fail_msg("%s\n%s", e.items[0].text, text);
	*x = (struct fixture){.space = &s->phases[0].space};
	x->by_phase[0] = x->own;
}

static struct scope scope_of(const struct fixture *x)
{
	return (struct scope){x->by_phase, 1};
}

static bool draw(struct fixture *x, struct rng *r)
{
	struct scope s = scope_of(x);
	double u[MAX];

	for (int i = 0; i < MAX; i++)
		u[i] = rng_unit(r);
	return space_draw(x->space, &s, u, x->own);
}

static double number(const struct fixture *x, uint32_t i)
{
	return value_number(&x->own[i]);
}

static void test_draws_stay_in_bounds(void **state)
{
	static const struct {
		const char *domain;
		double lo, hi, mean, tolerance; /* mean of many draws */
		bool whole;
	} rows[] = {
	    {"uniform(-2, 3)", -2, 3, 0.5, 0.1, false},
	    {"log(1e-4, 1)", 1e-4, 1, 0.1086, 0.02, false}, /* (b-a)/ln(b/a) */
	    {"int(3, 7)", 3, 7, 5, 0.1, true},
	    {"int(0, 10, 4)", 0, 8, 4, 0.2, true},
	    {"logint(1, 1000)", 1, 1000, 131.5, 10, true}, /* (b-a)/ln(b/a) over [0.5, 1000.5] */
	    {"normal(10, 2)", -5, 25, 10, 0.1, false},
	    {"linspace(0, 1, 5)", 0, 1, 0.5, 0.05, false},
	    {"[5, 6]", 5, 6, 5.5, 0.05, true},
	    {"uniform(2, 2)", 2, 2, 2, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[100];
		struct fixture x;
		struct rng r;
		double sum = 0;

		snprintf(text, sizeof text, "    params:\n      a: %s\n", rows[i].domain);
		open(&x, text);
		rng_seed(&r, 3);
		for (int k = 0; k < 20000; k++) {
			assert_true(draw(&x, &r));
			assert_true(number(&x, 0) >= rows[i].lo && number(&x, 0) <= rows[i].hi);
			if (rows[i].whole)
				assert_true(number(&x, 0) == floor(number(&x, 0)));
			sum += number(&x, 0);
		}
		if (fabs(sum / 20000 - rows[i].mean) > rows[i].tolerance)
			fail_msg("%s has mean %g", rows[i].domain, sum / 20000);
	}
}

/* The ends of [0,1) give the ends of the domain. */
static void test_ends(void **state)
{
	static const struct {
		const char *domain;
		double first, last;
	} rows[] = {{"uniform(-2, 3)", -2, 3},     {"log(1e-4, 1)", 1e-4, 1},    {"int(3, 7)", 3, 7},
	            {"int(0, 10, 4)", 0, 8},       {"logint(1, 1000)", 1, 1000}, {"[5, 6, 7]", 5, 7},
	            {"range(0, 1, 0.25)", 0, 0.75}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double u0[1] = {0}, u1[1] = {1 - 0x1p-53};
		char text[100];
		struct fixture x;
		struct scope s;

		snprintf(text, sizeof text, "    params:\n      a: %s\n", rows[i].domain);
		open(&x, text);
		s = scope_of(&x);
		assert_true(space_draw(x.space, &s, u0, x.own));
		assert_true(fabs(number(&x, 0) - rows[i].first) < 1e-9);
		assert_true(space_draw(x.space, &s, u1, x.own));
		assert_true(fabs(number(&x, 0) - rows[i].last) < 1e-9);
	}
}

static void test_normal_quantiles(void **state)
{
	/* Abramowitz and Stegun, table 26.5 */
	static const double rows[][2] = {
	    {0.5, 0}, {0.975, 1.959963984540054}, {0.01, -2.326347874040841}, {0.999, 3.090232306167813}};
	struct fixture x;
	struct scope s;

	(void)state;
	open(&x, "    params:\n      a: normal(0, 1)\n");
	s = scope_of(&x);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(space_draw(x.space, &s, rows[i], x.own));
		assert_true(fabs(number(&x, 0) - rows[i][1]) < 1e-12);
	}
}

static const char dependent[] = "    params:\n      mo: uniform(0.5, 0.9) if op == sgd\n"
                                "      h2: int(2, h1)\n      h1: int(2, 9)\n      op: [sgd, adam]\n"
                                "    require: [h1 + h2 < 15, \"not (mo > 0.8)\"]\n";

static void test_dependent_bounds_and_conditions(void **state)
{
	struct fixture x;
	struct rng r;
	int feasible = 0, momentum = 0;

	(void)state;
	open(&x, dependent);
	rng_seed(&r, 5);
	for (int i = 0; i < 5000; i++) {
		if (!draw(&x, &r))
			continue;
		feasible++;
		momentum += x.own[0].kind != VALUE_NONE;
		assert_int_equal(x.own[0].kind != VALUE_NONE, !strcmp(x.own[3].u.choice->text, "sgd"));
		assert_true(number(&x, 1) <= number(&x, 2));
		assert_true(number(&x, 1) + number(&x, 2) < 15);
		assert_false(number(&x, 0) > 0.8);
	}
	assert_in_range(feasible, 3000, 4999);
	assert_in_range(momentum, 1000, 4000);
}

static void test_drawn_points_pass_the_check(void **state)
{
	struct fixture x;
	struct rng r;

	(void)state;
	open(&x, dependent);
	rng_seed(&r, 6);
	for (int i = 0; i < 2000; i++) {
		bool ok = draw(&x, &r);
		struct scope s = scope_of(&x);
		struct fault f = {0};

		if (ok && space_check(x.space, &s, x.own, &f))
			fail_msg("%s", f.text);
		if (ok) { /* and through their texts, as the database keeps them */
			char buf[TEXT_NUMBER];

			for (uint32_t k = 0; k < x.space->nparams; k++)
				if (x.own[k].kind != VALUE_NONE)
					assert_true(value_parse(&arena, &x.space->params[k],
					                        value_text(&x.own[k], buf), &x.own[k]));
			assert_int_equal(space_check(x.space, &s, x.own, &f), 0);
		}
	}
}

static void test_check_refuses(void **state)
{
	static const struct {
		const char *values[4], *says;
	} rows[] = {
	    {{"0.6", "2", "9", "sgd"}, NULL},
	    {{"", "2", "9", "adam"}, NULL},
	    {{"0.6", "2", "9", "adam"}, "'mo' is not active here"},
	    {{"", "2", "9", "sgd"}, "'mo' has no value"},
	    {{"", "2", "10", "adam"}, "h1=10 does not lie in int(2, 9)"},
	    {{"", "5", "4", "adam"}, "h2=5 does not lie in int(2, h1)"},
	    {{"", "8", "8", "adam"}, "`require: h1 + h2 < 15` does not hold"},
	    {{"", "2", "9", "rmsprop"}, "op=rmsprop does not lie in [sgd, adam]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture x;
		struct scope s;
		struct fault f = {0};

		open(&x, dependent);
		for (uint32_t k = 0; k < 4; k++)
			if (*rows[i].values[k])
				assert_true(
				    value_parse(&arena, &x.space->params[k], rows[i].values[k], &x.own[k]));
		s = scope_of(&x);
		assert_int_equal(space_check(x.space, &s, x.own, &f), rows[i].says ? -1 : 0);
		if (rows[i].says && !strstr(f.text, rows[i].says))
			fail_msg("got %s, want %s", f.text, rows[i].says);
	}
}

static void test_grid_enumerates_exactly(void **state)
{
	struct fixture x;
	struct scope s;
	int seen[3][4] = {{0}};
	bool ok;

	(void)state;
	open(&x, "    params:\n      a: int(0, 2)\n      b: range(0, 4, 1)\n");
	s = scope_of(&x);
	assert_int_equal(space_size(x.space), 12);
	for (int64_t i = 0; i < 12; i++) {
		ok = space_grid_point(x.space, &s, i, x.own);
		assert_true(ok);
		assert_int_equal(number(&x, 0), i / 4); /* last fastest */
		assert_int_equal(number(&x, 1), i % 4);
		seen[(int)number(&x, 0)][(int)number(&x, 1)]++;
	}
	for (int i = 0; i < 12; i++)
		assert_int_equal(seen[i / 4][i % 4], 1);
}

/* Points that differ only in an inactive parameter come once. */
static void test_grid_with_conditions(void **state)
{
	struct fixture x;
	struct scope s;
	int points = 0;

	(void)state;
	open(&x,
	     "    params:\n      mo: choice(1, 2, 3) if op == sgd\n      op: [sgd, adam]\n      c: [1, 2]\n"
	     "    require: not (op == adam and c == 2)\n");
	s = scope_of(&x);
	assert_int_equal(space_size(x.space), 12);
	for (int64_t i = 0; i < 12; i++)
		points += space_grid_point(x.space, &s, i, x.own);
	assert_int_equal(points, 3 * 2 + 1);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *params;
		int64_t size;
	} rows[] = {
	    {"", 1},
	    {"    params: {a: 3}\n", 1},
	    {"    params: {a: [1, 2], b: \"int(1, 10, 3)\"}\n", 8},
	    {"    params: {a: \"uniform(0, 1)\"}\n", SPACE_INFINITE},
	    {"    params: {a: \"int(1, 3)\", b: \"int(1, a)\"}\n", SPACE_INFINITE},
	    {"    params: {a: \"int(1, 1e15)\", b: \"int(1, 1e15)\"}\n", INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture x;

		open(&x, rows[i].params);
		assert_int_equal(space_size(x.space), rows[i].size);
	}
}

static void test_points_read_as_people_write_them(void **state)
{
	static const struct {
		const char *domain, *texts;
	} rows[] = {
	    {"logspace(1e-4, 1e-1, 4)", "0.0001 0.001 0.01 0.1"},
	    {"linspace(0, 1, 11)", "0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1"},
	    {"range(0, 0.3, 0.1)", "0 0.1 0.2"},
	    {"range(5, 0, -2)", "5 3 1"},
	    {"linspace(3, 9, 1)", "3"},
	    {"choice(a, 'b, c', 0.10)", "a b, c 0.10"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[200], out[400] = "";
		struct fixture x;

		snprintf(text, sizeof text, "    params:\n      a: %s\n", rows[i].domain);
		open(&x, text);
		for (uint32_t k = 0; k < x.space->params[0].nchoices; k++) {
			strcat(out, k ? " " : "");
			strcat(out, x.space->params[0].choices[k].text);
		}
		assert_string_equal(out, rows[i].texts);
	}
}

static int finish(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

/* The coordinates a value was drawn from are in its part, and all of that part draws it. */
static void test_locates_what_it_draws(void **state)
{
	struct fixture x;
	struct scope s;
	struct rng r;
	double u[MAX], lo[MAX], hi[MAX], again[MAX];
	struct value first[MAX];

	(void)state;
	open(&x, "    params:\n      a: uniform(-2, 3)\n      b: log(1e-4, 1)\n      c: int(0, 10, 4)\n"
	         "      d: logint(1, 1000)\n      e: [relu, tanh, gelu]\n      f: normal(10, 2)\n"
	         "      g: int(1, d)\n      h: \"uniform(0, 1) if e == tanh\"\n");
	s = scope_of(&x);
	rng_seed(&r, 3);
	for (int n = 0; n < 2000; n++) {
		for (int i = 0; i < MAX; i++)
			u[i] = rng_unit(&r);
		assert_true(space_draw(x.space, &s, u, x.own));
		memcpy(first, x.own, sizeof first);
		space_locate(x.space, &s, x.own, lo, hi);
		for (int i = 0; i < MAX; i++) {
			assert_true(isnan(lo[i]) == (x.own[i].kind == VALUE_NONE));
			again[i] = isnan(lo[i]) ? u[i] : 0.5 * (lo[i] + hi[i]);
			if (!isnan(lo[i]) && (u[i] < lo[i] - 1e-9 || u[i] > hi[i] + 1e-9))
				fail_msg("parameter %d: %.17g is not in [%.17g, %.17g]", i, u[i], lo[i],
				         hi[i]);
		}
		assert_true(space_draw(x.space, &s, again, x.own));
		for (int i = 0; i < MAX; i++) {
			double a = value_number(&first[i]), b = value_number(&x.own[i]);

			assert_int_equal(first[i].kind, x.own[i].kind);
			assert_true((isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * (1 + fabs(a)));
		}
	}
}

static void test_locates_nothing_outside(void **state)
{
	struct fixture x;
	struct scope s;
	double lo[MAX], hi[MAX];
	struct choice old = {"elu", (double)NAN, false};

	(void)state;
	open(&x, "    params:\n      a: int(1, 5)\n      e: [relu, tanh]\n");
	s = scope_of(&x);
	x.own[0] = (struct value){.kind = VALUE_INT, .u.i = 6};
	x.own[1] = (struct value){.kind = VALUE_CHOICE, .u.choice = &old};
	space_locate(x.space, &s, x.own, lo, hi);
	assert_true(isnan(lo[0]) && isnan(hi[0]));
	assert_true(isnan(lo[1]) && isnan(hi[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_draws_stay_in_bounds),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_normal_quantiles),
	    cmocka_unit_test(test_dependent_bounds_and_conditions),
	    cmocka_unit_test(test_drawn_points_pass_the_check),
	    cmocka_unit_test(test_check_refuses),
	    cmocka_unit_test(test_locates_what_it_draws),
	    cmocka_unit_test(test_locates_nothing_outside),
	    cmocka_unit_test(test_grid_enumerates_exactly),
	    cmocka_unit_test(test_grid_with_conditions),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_points_read_as_people_write_them),
	};

	return cmocka_run_group_tests_name("space", tests, NULL, finish);
}
