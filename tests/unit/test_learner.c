/* The learner: what is proposed lies in the space, never twice where the space is finite, and follows what
 * was told, over conditions, bounds that depend on others, and parents. */
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

enum { MAX = 8, PARENTS = 4 };
static const enum search_kind kinds[] = {SEARCH_TPE, SEARCH_CMAES, SEARCH_GP, SEARCH_NSGA2, SEARCH_AUTO};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* One phase, or `top` and `below`, of which `below` is searched; a parent is a value of top's parameter. */
struct fixture {
	struct arena arena, scratch;
	const struct study *study;
	const struct study_phase *phase;
	struct learner *learner;
	struct value own[MAX], top[PARENTS];
	struct key128 places[PARENTS];
	uint32_t nparents, asked, parent, workers;
	bool ready[PARENTS];
	uint64_t cursor;
};

static void open(struct fixture *x, enum search_kind kind, const char *top, const char *params)
{
	char text[2048], head[512] = "";
	struct study_errors e;
	struct learner_options o = {.kind = kind, .seed = 1};

	*x = (struct fixture){.nparents = 1, .workers = 1};
	if (top)
		snprintf(head, sizeof head,
		         "  top:\n    command: x {args}\n    search: grid\n    params: {t: %s}\n", top);
	snprintf(text, sizeof text,
	         "study: s\nmetric: loss\ngoal: %s\nphases:\n%s  below:\n    command: x {args}\n"
	         "    trials: 5\n    search: tpe\n%s%s",
	         strstr(params, "# maximize") ? "maximize" : "minimize", head, top ? "    after: top\n" : "",
	         params);
	if (study_parse(&x->arena, "f", text, strlen(text), &x->study, &e))
		fail_msg("%s\n%s", e.items[0].text, text);
	x->phase = study_find_phase(x->study, "below");
	if (top) {
		const struct param *t = &x->study->phases[0].space.params[0];

		x->nparents = t->nchoices;
		for (uint32_t i = 0; i < x->nparents; i++) {
			x->top[i] = (struct value){.kind = VALUE_CHOICE, .u.choice = &t->choices[i]};
			x->places[i] = (struct key128){7, i + 1};
			x->ready[i] = true;
		}
		o.nplaces = x->nparents;
		o.places = x->places;
	}
	x->learner = learner_new(x->study, x->phase, &o);
}

static void finish(struct fixture *x)
{
	learner_free(x->learner);
	arena_finish(&x->arena);
	arena_finish(&x->scratch);
}

static void scope_of(void *ctx, uint32_t parent, struct arena *scratch, struct scope *out)
{
	struct fixture *x = ctx;
	const struct value **by = arena_array(scratch, 2, sizeof *by);

	by[0] = x->study->nphases > 1 ? &x->top[parent] : NULL;
	*out = (struct scope){by, x->study->nphases};
}

static bool ready(void *ctx, uint32_t parent)
{
	return ((struct fixture *)ctx)->ready[parent];
}

static enum sampler_answer ask(struct fixture *x)
{
	struct sampler_ask q = {.study = x->study,
	                        .phase = x->phase,
	                        .k = x->asked,
	                        .nparents = x->nparents,
	                        .scope_of = scope_of,
	                        .ready = x->nparents > 1 ? ready : NULL,
	                        .ctx = x,
	                        .learner = x->learner,
	                        .places = x->places,
	                        .workers = x->workers,
	                        .cursor = &x->cursor,
	                        .scratch = &x->scratch};

	return learner_ask(&q, x->own, &x->parent);
}

/* Begin what was asked last; its number. */
static uint32_t begin(struct fixture *x)
{
	struct scope s;
	const struct value *by[2];
	struct fault f;

	scope_of(x, x->parent, &x->scratch, &s);
	by[0] = s.by_phase[0];
	by[x->phase->index] = x->own;
	s.by_phase = by;
	if (space_check(&x->phase->space, &s, x->own, &f))
		fail_msg("%s", f.text);
	x->asked++;
	return learner_begin(x->learner, x->places[x->parent], &s);
}

static double number(const struct fixture *x, uint32_t i)
{
	return value_number(&x->own[i]);
}

static void a_finite_space_once_each(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		struct fixture x;
		bool seen[4][3] = {{false}};

		open(&x, kinds[k], NULL,
		     "    params: {a: \"int(1, 4)\", b: [x, y, z]}\n    require: [a != 2]\n");
		for (int i = 0; i < 9; i++) {
			int a, b;

			assert_int_equal(ask(&x), SAMPLER_OK);
			a = (int)number(&x, 0) - 1;
			b = x.own[1].u.choice->text[0] - 'x';
			assert_false(seen[a][b]);
			seen[a][b] = true;
			learner_complete(x.learner, begin(&x), (a - 2) * (a - 2) + b);
		}
		assert_int_equal(ask(&x), SAMPLER_EXHAUSTED);
		finish(&x);
	}
}

static void everything_proposed_is_feasible(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		struct fixture x;

		open(&x, kinds[k], NULL,
		     "    params:\n      o: [sgd, adam]\n      m: uniform(0, 0.9) if o == sgd\n"
		     "      h1: int(8, 64)\n      h2: int(8, h1)\n      lr: log(1e-4, 1)\n"
		     "    require: [lr * h1 < 8]\n");
		for (int i = 0; i < 60; i++) {
			uint32_t n;
			bool sgd;

			assert_int_equal(ask(&x), SAMPLER_OK);
			n = begin(&x); /* which checks it */
			sgd = !strcmp(x.own[0].u.choice->text, "sgd");
			assert_int_equal(sgd, x.own[1].kind != VALUE_NONE);
			if (i % 7 == 3)
				learner_failed(x.learner, n);
			else if (i % 7 == 5)
				learner_pruned(x.learner, n, number(&x, 2), i);
			else if (i % 7 != 6)
				learner_complete(x.learner, n, fabs(log(number(&x, 4))) + number(&x, 3));
		}
		finish(&x);
	}
}

static void nothing_feasible(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		struct fixture x;

		open(&x, kinds[k], "[1]", "    params: {a: \"uniform(0, 1)\"}\n    require: [a > t]\n");
		assert_int_equal(ask(&x), SAMPLER_INFEASIBLE);
		finish(&x);
	}
}

/* The mean distance of trials 31 to 40 from the best point of a parabola. */
static double late_distance(enum search_kind kind, const char *params, double best, double sign)
{
	struct fixture x;
	double sum = 0;

	open(&x, kind, NULL, params);
	for (int i = 0; i < 40; i++) {
		double d;

		assert_int_equal(ask(&x), SAMPLER_OK);
		d = number(&x, 0) - best;
		learner_complete(x.learner, begin(&x), sign * d * d);
		sum += i < 30 ? 0 : fabs(d) / 10;
	}
	finish(&x);
	return sum;
}

static void follows_what_it_is_told(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		assert_true(late_distance(kinds[k], "    params: {a: \"uniform(0, 1)\"}\n", 0.3, 1) < 0.22);
		assert_true(late_distance(kinds[k], "    params: {a: \"uniform(0, 1)\"} # maximize\n", 0.3,
		                          -1) < 0.22);
	}
}

/* With `trials: N total` the good parent gets the children, and what is not ready gets none. */
static void parents_are_chosen(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		struct fixture x;
		uint32_t late = 0;

		open(&x, kinds[k], "[a, b, c]", "    params: {a: \"uniform(0, 1)\"}\n");
		x.ready[0] = false;
		for (int i = 0; i < 50; i++) {
			assert_int_equal(ask(&x), SAMPLER_OK);
			assert_int_not_equal(x.parent, 0);
			late += i >= 30 && x.parent == 2;
			learner_complete(x.learner, begin(&x),
			                 fabs(number(&x, 0) - 0.5) + (x.parent == 2 ? 0 : 1));
		}
		assert_in_range(late, 14, 20);
		finish(&x);
	}
}

/* As 64 idle ranks do: nothing is told in between. */
enum { AT_ONCE = 64, TOLD = 40 };

static void open_wide(struct fixture *x, enum search_kind kind, const char *params, uint32_t told)
{
	open(x, kind, NULL, params);
	x->workers = AT_ONCE;
	for (uint32_t i = 0; i < told; i++) {
		double a, b;

		assert_int_equal(ask(x), SAMPLER_OK);
		a = number(x, 0) - 0.3;
		b = number(x, 1) - 0.6;
		learner_complete(x->learner, begin(x), a * a + b * b);
	}
}

static void none_is_close_to_another(struct fixture *x, enum search_kind kind)
{
	double at[AT_ONCE][2];

	for (uint32_t i = 0; i < AT_ONCE; i++) {
		assert_int_equal(ask(x), SAMPLER_OK);
		at[i][0] = number(x, 0);
		at[i][1] = number(x, 1);
		begin(x);
		for (uint32_t k = 0; k < i; k++)
			if (hypot(at[i][0] - at[k][0], at[i][1] - at[k][1]) < 1e-4)
				fail_msg("search %d: %u and %u are at %g %g", kind, k, i, at[i][0], at[i][1]);
	}
}

static void asked_at_once_are_far_apart(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++)
		for (uint32_t told = 0; told <= TOLD; told += TOLD) {
			struct fixture x;

			open_wide(&x, kinds[k], "    params: {a: \"uniform(0, 1)\", b: \"uniform(0, 1)\"}\n",
			          told);
			none_is_close_to_another(&x, kinds[k]);
			finish(&x);
		}
}

static void asked_at_once_of_a_finite_space(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		struct fixture x;
		bool seen[11][11] = {{false}};

		open_wide(&x, kinds[k], "    params: {a: \"int(0, 10)\", b: \"int(0, 10)\"}\n", TOLD);
		for (int i = 0; i < AT_ONCE; i++) {
			bool *there;

			assert_int_equal(ask(&x), SAMPLER_OK);
			there = &seen[(int)number(&x, 0)][(int)number(&x, 1)];
			assert_false(*there);
			*there = true;
			begin(&x);
		}
		finish(&x);
	}
}

/* What was reset, or goes, does not count any more. */
static void results_are_taken_back(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		struct fixture x, y;
		double mine[MAX];

		open(&x, kinds[k], NULL, "    params: {a: \"uniform(0, 1)\", b: \"uniform(0, 1)\"}\n");
		open(&y, kinds[k], NULL, "    params: {a: \"uniform(0, 1)\", b: \"uniform(0, 1)\"}\n");
		for (int i = 0; i < 30; i++) {
			uint32_t n, m;

			assert_int_equal(ask(&x), SAMPLER_OK);
			memcpy(y.own, x.own, sizeof y.own);
			n = begin(&x);
			m = begin(&y);
			if (i >= 20)
				learner_complete(x.learner, n, -1 - number(&x, 0));
			else
				learner_complete(x.learner, n, number(&x, 0));
			if (i >= 20)
				learner_gone(y.learner, m);
			else
				learner_complete(y.learner, m, number(&x, 0));
		}
		for (uint32_t n = 20; n < 30; n++)
			learner_gone(x.learner, n);
		assert_int_equal(ask(&x), SAMPLER_OK);
		for (int i = 0; i < 2; i++)
			mine[i] = number(&x, (uint32_t)i);
		assert_int_equal(ask(&y), SAMPLER_OK);
		for (int i = 0; i < 2; i++)
			assert_float_equal(mine[i], number(&y, (uint32_t)i), 0);
		finish(&x);
		finish(&y);
	}
}

/* That nothing new could start at once is not that there is nothing new. */
static void parents_that_are_not_ready_are_not_forgotten(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		struct fixture x;
		uint32_t on[PARENTS] = {0};

		open(&x, kinds[k], "[1, 2]", "    params: {a: \"int(1, 3)\"}\n");
		x.ready[1] = false;
		for (int i = 0; i < 6; i++) {
			x.ready[0] = i < 4;
			assert_int_equal(ask(&x), SAMPLER_OK);
			assert_true(i >= 3 || x.parent == 0);
			on[x.parent]++;
			learner_complete(x.learner, begin(&x), i);
		}
		assert_int_equal(on[0], 3);
		assert_int_equal(on[1], 3);
		assert_int_equal(ask(&x), SAMPLER_EXHAUSTED);
		finish(&x);
	}
}

/* Of 50 points after 40 results that leave no doubt: how many are elsewhere. */
static uint32_t far_from_the_best(const char *prune)
{
	struct fixture x;
	char params[256];
	uint32_t far = 0;

	snprintf(params, sizeof params, "    params: {a: \"uniform(0, 1)\", b: \"uniform(0, 1)\"}\n%s",
	         prune);
	open(&x, SEARCH_AUTO, NULL, params);
	for (int i = 0; i < 90; i++) {
		double a, b;
		uint32_t n;

		assert_int_equal(ask(&x), SAMPLER_OK);
		a = number(&x, 0);
		b = number(&x, 1);
		n = begin(&x);
		if (i < 40)
			learner_complete(x.learner, n, (a - 0.3) * (a - 0.3) + (b - 0.6) * (b - 0.6));
		else
			learner_gone(x.learner, n);
		if (i >= 40)
			far += fabs(a - 0.3) > 0.2 || fabs(b - 0.6) > 0.2;
	}
	finish(&x);
	return far;
}

/* At a rung a point costs little, and many wait there for ever; those that come through, which alone are
 * known, tell of their neighbourhood only. */
static void on_rungs_it_goes_on_to_look_around(void **state)
{
	(void)state;
	assert_true(far_from_the_best("    prune: {asha: {min: 1, max: 9, type: stop}}\n") >=
	            far_from_the_best("") + 5);
}

/* The next point when 40 trials more began, near the best one, and this came of them. */
static double after_forty(void (*became)(struct learner *, uint32_t))
{
	struct fixture x;
	double a;

	open(&x, SEARCH_TPE, NULL, "    params: {a: \"uniform(0, 1)\"}\n");
	for (int i = 0; i < 70; i++) {
		uint32_t n;

		assert_int_equal(ask(&x), SAMPLER_OK);
		if (i >= 30) /* the same ones, whatever became of those before */
			x.own[0].u.r = 0.25 + 0.002 * i;
		a = number(&x, 0);
		n = begin(&x);
		if (i < 30)
			learner_complete(x.learner, n, (a - 0.3) * (a - 0.3));
		else
			became(x.learner, n);
	}
	assert_int_equal(ask(&x), SAMPLER_OK);
	a = number(&x, 0);
	finish(&x);
	return a;
}

/* To TPE, which takes who runs for a bad one, a trial that waits at a rung is nothing: it may be good. */
static void what_waits_at_a_rung_is_not_taken_for_bad(void **state)
{
	(void)state;
	assert_true(after_forty(learner_paused) == after_forty(learner_gone));
	assert_true(after_forty(learner_paused) != after_forty(learner_pending));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parents_that_are_not_ready_are_not_forgotten),
	    cmocka_unit_test(a_finite_space_once_each),
	    cmocka_unit_test(everything_proposed_is_feasible),
	    cmocka_unit_test(nothing_feasible),
	    cmocka_unit_test(follows_what_it_is_told),
	    cmocka_unit_test(parents_are_chosen),
	    cmocka_unit_test(results_are_taken_back),
	    cmocka_unit_test(asked_at_once_are_far_apart),
	    cmocka_unit_test(asked_at_once_of_a_finite_space),
	    cmocka_unit_test(on_rungs_it_goes_on_to_look_around),
	    cmocka_unit_test(what_waits_at_a_rung_is_not_taken_for_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
