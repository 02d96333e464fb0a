/* A warm start: what people enqueue, and what was found elsewhere, with searches
 * that learn. The trials of phase b after one of phase a, whose parameter is q. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "learner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARENTS = 3, TRIALS = 64, OWN = 4 };
static const char *const searches[] = {"tpe", "cmaes", "gp", "auto"};
enum { SEARCHES = 4, NAMED = 3 }; /* auto makes a grid of a space that is small enough */

struct run {
	struct arena arena, scratch;
	const struct study *study;
	const struct study_phase *phase;
	struct learner *learner;
	struct value above[PARENTS][1];
	struct key128 places[PARENTS];
	bool ready[PARENTS];
	uint32_t nparents, k;
	uint64_t cursor;
	struct value own[TRIALS][OWN];
	uint32_t parent[TRIALS];
};

static void scope_of(void *ctx, uint32_t parent, struct arena *scratch, struct scope *out)
{
	struct run *r = ctx;
	const struct value **by_phase = arena_array(scratch, r->study->nphases, sizeof *by_phase);

	by_phase[0] = r->above[parent];
	*out = (struct scope){by_phase, r->study->nphases};
}

static bool is_ready(void *ctx, uint32_t parent)
{
	return ((struct run *)ctx)->ready[parent];
}

static struct run *begin(const char *search, const char *rest, uint32_t nparents)
{
	struct run *r = calloc(1, sizeof *r);
	struct study_errors e = {0};
	const char *text;
	struct learner_options o = {.seed = 7};

	assert_non_null(r);
	text = arena_printf(&r->arena,
	                    "study: x\nseed: 7\nmetric: m\ngoal: minimize\nphases:\n"
	                    "  a: {command: t, params: {q: 'uniform(0, 1)'}, search: tpe, trials: 3}\n"
	                    "  b:\n    after: a\n    command: t {args}\n    search: %s\n%s",
	                    search, rest);
	if (study_parse(&r->arena, "f.yaml", text, strlen(text), &r->study, &e))
		fail_msg("%s\n%s", e.items[0].text, text);
	r->phase = study_find_phase(r->study, "b");
	r->nparents = nparents;
	for (uint32_t i = 0; i < nparents; i++) {
		r->above[i][0] = (struct value){.kind = VALUE_REAL, .u.r = 0.25 * (i + 1)};
		r->places[i] = (struct key128){i + 1, 9};
		r->ready[i] = true;
	}
	o.kind = r->phase->search;
	if (r->phase->trials_total) {
		o.nplaces = nparents;
		o.places = r->places;
	}
	r->learner = learner_new(r->study, r->phase, &o);
	return r;
}

static void finish(struct run *r)
{
	learner_free(r->learner);
	arena_finish(&r->arena);
	arena_finish(&r->scratch);
	free(r);
}

static enum sampler_answer ask(struct run *r)
{
	const struct sampler_ask q = {.study = r->study,
	                              .phase = r->phase,
	                              .group = {3, 5},
	                              .k = r->k,
	                              .nparents = r->nparents,
	                              .scope_of = scope_of,
	                              .ready = r->phase->trials_total ? is_ready : NULL,
	                              .ctx = r,
	                              .learner = r->learner,
	                              .places = r->places,
	                              .workers = 1,
	                              .cursor = &r->cursor,
	                              .scratch = &r->scratch};

	assert_true(r->k < TRIALS);
	arena_reset(&r->scratch);
	return sampler_ask(&q, r->own[r->k], &r->parent[r->k]);
}

static void tell(struct run *r, double value)
{
	const struct value *by_phase[2] = {r->above[r->parent[r->k]], r->own[r->k]};
	struct scope scope = {by_phase, 2};
	uint32_t number = learner_begin(r->learner, r->places[r->parent[r->k]], &scope);

	learner_complete(r->learner, number, value);
	r->k++;
}

static void prior(struct run *r, bool with_parent, double q, struct value own, double value)
{
	struct value above[1] = {{.kind = VALUE_REAL, .u.r = q}};
	const struct value *by_phase[2] = {with_parent ? above : NULL, &own};
	struct scope scope = {by_phase, 2};

	learner_prior(r->learner, &scope, value);
}

static struct value real(double x)
{
	return (struct value){.kind = VALUE_REAL, .u.r = x};
}

/* ---- enqueue ------------------------------------------------------------------------------------- */
static void enqueued_ones_come_first_and_once(void **state)
{
	(void)state;
	for (int i = 0; i < NAMED; i++) {
		struct run *r = begin(searches[i],
		                      "    params: {x: 'int(1, 5)', y: [u, v]}\n    trials: 10\n"
		                      "    enqueue: [{x: 4, y: v}, {x: 2, y: u}, {x: 4, y: v}]\n",
		                      1);
		bool seen[5][2] = {{false}};

		for (; r->k < 10;) {
			const struct value *own = r->own[r->k];
			bool *at;

			assert_int_equal(ask(r), SAMPLER_OK);
			at = &seen[own[0].u.i - 1][own[1].u.choice->text[0] == 'v'];
			assert_false(*at);
			*at = true;
			if (r->k < 2)
				assert_true(own[0].u.i == (r->k ? 2 : 4));
			tell(r, (double)own[0].u.i);
		}
		assert_int_equal(ask(r), SAMPLER_EXHAUSTED);
		finish(r);
	}
}

static void enqueued_ones_may_have_conditions(void **state)
{
	(void)state;
	for (int i = 0; i < SEARCHES; i++) {
		struct run *r =
		    begin(searches[i],
		          "    params: {o: [u, v], m: 'uniform(0, 1) if o == v', x: 'uniform(0, q)'}\n"
		          "    trials: 20\n    enqueue: [{o: u, x: 0.1}, {o: v, m: 0.5, x: 0.2}]\n",
		          1);

		for (; r->k < 20;) {
			const struct value *own = r->own[r->k];

			assert_int_equal(ask(r), SAMPLER_OK);
			assert_true((own[1].kind == VALUE_REAL) == (own[0].u.choice->text[0] == 'v'));
			if (r->k == 0)
				assert_true(own[1].kind == VALUE_NONE && own[2].u.r == 0.1);
			if (r->k == 1)
				assert_true(own[1].u.r == 0.5 && own[2].u.r == 0.2);
			tell(r, own[2].u.r);
		}
		finish(r);
	}
}

/* With `N total` an enqueued assignment stands on the next parent that could start. */
static void enqueued_ones_wait_for_no_parent(void **state)
{
	(void)state;
	for (int i = 0; i < SEARCHES; i++) {
		struct run *r = begin(searches[i],
		                      "    params: {x: 'uniform(0, 1)'}\n    trials: 9 total\n"
		                      "    enqueue: [{x: 0.5}, {x: 0.5}, {x: 0.5}, {x: 0.5}]\n",
		                      3);

		r->ready[1] = false;
		for (; r->k < 4;) {
			assert_int_equal(ask(r), SAMPLER_OK);
			assert_int_not_equal(r->parent[r->k], 1);
			if (r->k < 2)
				assert_int_equal(r->parent[r->k], 2 * r->k);
			/* what stood on that parent already is left to the search */
			assert_true((r->own[r->k][0].u.r == 0.5) == (r->k < 2));
			tell(r, 1);
		}
		finish(r);
	}
}

/* ---- priors ---------------------------------------------------------------------------------------- */
static double square(double x)
{
	return (x - 0.3) * (x - 0.3);
}

/* Forty values of the function at places that are spread out, none of them near the best. */
static void tell_square(struct run *r, bool with_parent)
{
	for (int i = 0; i < 40; i++) {
		double x = -10 + 20 * fmod(0.5 + i * 0.6180339887498949, 1);

		if (fabs(x - 0.3) > 0.4)
			prior(r, with_parent, 0.1 + 0.02 * i, real(x), square(x));
	}
}

static double best_of(struct run *r, uint32_t trials)
{
	double best = INFINITY;

	while (r->k < trials) {
		assert_int_equal(ask(r), SAMPLER_OK);
		best = fmin(best, square(r->own[r->k][0].u.r));
		tell(r, square(r->own[r->k][0].u.r));
	}
	return best;
}

#define LINE "    params: {x: 'uniform(-10, 10)'}\n    trials: 60\n"

static void a_search_begins_where_the_priors_end(void **state)
{
	(void)state;
	for (int i = 0; i < SEARCHES; i++)
		for (int with_parent = 0; with_parent < 2; with_parent++) {
			struct run *warm = begin(searches[i], LINE, 1), *cold = begin(searches[i], LINE, 1);
			double best;

			tell_square(warm, with_parent);
			best = best_of(warm, 6);
			if (!(best < 0.3) || !(best < best_of(cold, 6)))
				fail_msg("%s: %g of %g", searches[i], best, best_of(cold, 6));
			finish(warm);
			finish(cold);
		}
}

static void priors_count_for_the_startup(void **state)
{
	static const char *const with_startup[] = {"tpe", "gp", "auto"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct run *none = begin(with_startup[i], LINE, 1), *few = begin(with_startup[i], LINE, 1),
		           *many = begin(with_startup[i], LINE, 1);

		for (int n = 0; n < 5; n++)
			prior(few, false, 0, real(n), square(n));
		tell_square(many, false);
		assert_int_equal(ask(none), SAMPLER_OK);
		assert_int_equal(ask(few), SAMPLER_OK);
		assert_int_equal(ask(many), SAMPLER_OK);
		/* Sobol's point, or the model's */
		assert_true(few->own[0][0].u.r == none->own[0][0].u.r);
		assert_true(many->own[0][0].u.r != none->own[0][0].u.r);
		assert_true(square(many->own[0][0].u.r) < 9);
		finish(none);
		finish(few);
		finish(many);
	}
}

/* They are no trials: of a space that they cover each point may still be run. */
static void priors_take_no_points_away(void **state)
{
	(void)state;
	for (int i = 0; i < NAMED; i++) {
		struct run *r = begin(searches[i], "    params: {x: 'int(1, 20)'}\n    trials: 60\n", 1);

		for (int x = 1; x <= 20; x++)
			prior(r, false, 0, (struct value){.kind = VALUE_INT, .u.i = x}, (x - 7) * (x - 7));
		for (; r->k < 20;) {
			assert_int_equal(ask(r), SAMPLER_OK);
			tell(r, (double)((r->own[r->k][0].u.i - 7) * (r->own[r->k][0].u.i - 7)));
		}
		assert_int_equal(ask(r), SAMPLER_EXHAUSTED);
		finish(r);
	}
}

static void priors_stand_on_no_parent(void **state)
{
	(void)state;
	for (int i = 0; i < SEARCHES; i++) {
		struct run *r =
		    begin(searches[i], "    params: {x: 'uniform(-10, 10)'}\n    trials: 60 total\n", 3);

		tell_square(r, false);
		if (!(best_of(r, 8) < 0.5))
			fail_msg("%s", searches[i]);
		finish(r);
	}
}

/* The goal is the phase's. */
static void priors_may_be_to_be_maximized(void **state)
{
	(void)state;
	for (int i = 0; i < SEARCHES; i++) {
		struct run *r = begin(searches[i], LINE "    goal: maximize\n", 1);
		double best = INFINITY;

		for (int n = 0; n < 40; n++) {
			double x = -10 + 20 * fmod(0.5 + n * 0.6180339887498949, 1);

			prior(r, false, 0, real(x), -square(x));
		}
		while (r->k < 6) {
			assert_int_equal(ask(r), SAMPLER_OK);
			best = fmin(best, square(r->own[r->k][0].u.r));
			tell(r, -square(r->own[r->k][0].u.r));
		}
		if (!(best < 0.3))
			fail_msg("%s: %g", searches[i], best);
		finish(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(enqueued_ones_come_first_and_once),
	    cmocka_unit_test(enqueued_ones_may_have_conditions),
	    cmocka_unit_test(enqueued_ones_wait_for_no_parent),
	    cmocka_unit_test(a_search_begins_where_the_priors_end),
	    cmocka_unit_test(priors_count_for_the_startup),
	    cmocka_unit_test(priors_take_no_points_away),
	    cmocka_unit_test(priors_stand_on_no_parent),
	    cmocka_unit_test(priors_may_be_to_be_maximized),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
