/* Which search is asked: `auto`, and `gp` where units are too short for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cube.h"

enum { AXES_MOST = 24, K = 41 };

static bool place(void *ctx, uint32_t parent, const double *u, struct cell *out)
{
	const struct history *h = ctx;

	assert_int_equal(parent, 0);
	for (uint32_t i = 0; i < h->nown; i++)
		out[i] = (struct cell){u[i], u[i]};
	return true;
}

static bool known(void *ctx, uint32_t parent, const struct cell *at)
{
	(void)ctx;
	(void)parent;
	(void)at;
	return false;
}

/* A bowl after so many random trials. */
struct past {
	struct arena arena, scratch;
	struct axis axes[AXES_MOST];
	struct history h;
};

static void past_open(struct past *p, uint32_t naxes, uint32_t trials)
{
	uint64_t draw = 0;

	*p = (struct past){0};
	history_init(&p->h, &p->arena, p->axes, naxes, naxes);
	for (uint32_t k = 0; k < trials; k++) {
		struct cell at[AXES_MOST];
		double value = 0;

		for (uint32_t i = 0; i < naxes; i++) {
			double u = (double)(rng_mix(++draw) >> 11) * 0x1p-53;

			at[i] = (struct cell){u, u};
			value += (u - 0.3) * (u - 0.3);
		}
		history_end(&p->h, history_begin(&p->h, at), OUTCOME_COMPLETE, value, 0);
	}
}

static void past_close(struct past *p)
{
	arena_finish(&p->arena);
	arena_finish(&p->scratch);
}

struct question {
	uint32_t k;
	double interval_seconds;
	bool rungs;
};

/* What a search that has just been opened answers: the first coordinate, which tells one from another. */
static double first_of(const struct cube_search *s, struct past *p, struct question question)
{
	static const struct cell *const no_context[1];
	struct cube_ask q = {.h = &p->h,
	                     .nparents = 1,
	                     .contexts = no_context,
	                     .place = place,
	                     .known = known,
	                     .ctx = &p->h,
	                     .k = question.k,
	                     .seed = 5,
	                     .workers = 1,
	                     .interval_seconds = question.interval_seconds,
	                     .rungs = question.rungs,
	                     .scratch = &p->scratch};
	double u[AXES_MOST];
	uint32_t parent;
	void *state = s->open();

	assert_true(s->ask(state, &q, u, &parent));
	s->close(state);
	arena_reset(&p->scratch);
	return u[0];
}

static bool answers_as(const struct cube_search *s, const struct cube_search *other, struct past *p,
                       struct question q)
{
	return first_of(s, p, q) == first_of(other, p, q);
}

/* A process takes tens of milliseconds: what is asked for a hundred times a second is left to TPE, whether
 * `gp` was chosen by name or not. What is not known, and what takes minutes, is not. */
static void the_process_hands_over_where_units_are_short(void **state)
{
	static const struct cube_search *const searches[] = {&auto_search, &gp_in_time_search};
	struct past p;

	(void)state;
	past_open(&p, 3, 40);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(answers_as(searches[i], &gp_search, &p, (struct question){K, 0, false}));
		assert_true(answers_as(searches[i], &gp_search, &p, (struct question){K, 60, false}));
		assert_true(answers_as(searches[i], &tpe_search, &p, (struct question){K, 0.01, false}));
		assert_false(answers_as(searches[i], &gp_search, &p, (struct question){K, 0.01, false}));
	}
	past_close(&p);
}

/* There is an interval for which three parameters are not too many, and twenty are. */
static void more_parameters_take_longer(void **state)
{
	struct past few, many;
	struct question q = {K, 0.03, false};

	(void)state;
	past_open(&few, 3, 40);
	past_open(&many, 20, 40);
	assert_true(answers_as(&gp_in_time_search, &gp_search, &few, q));
	assert_true(answers_as(&gp_in_time_search, &tpe_search, &many, q));
	past_close(&few);
	past_close(&many);
}

/* `gp` by name takes as many parameters and trials as there are; auto knows where it does not pay. */
static void auto_is_tpe_where_there_is_too_much(void **state)
{
	struct past wide, longer;
	struct question q = {K, 0, false};

	(void)state;
	past_open(&wide, 21, 40);
	assert_true(answers_as(&auto_search, &tpe_search, &wide, q));
	assert_true(answers_as(&gp_in_time_search, &gp_search, &wide, q));
	past_open(&longer, 2, 401);
	assert_true(answers_as(&auto_search, &tpe_search, &longer, q));
	assert_true(answers_as(&gp_in_time_search, &gp_search, &longer, q));
	past_close(&wide);
	past_close(&longer);
}

/* Of ten in a row: how many are what `other` answers? */
static uint32_t like(const struct cube_search *other, struct past *p, bool rungs)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < 10; k++)
		n += answers_as(&auto_search, other, p, (struct question){K + k, 0, rungs});
	return n;
}

static void auto_asks_for_second_opinions(void **state)
{
	struct past early, late;

	(void)state;
	past_open(&early, 3, 20);
	assert_int_equal(like(&gp_search, &early, false), 10);
	past_open(&late, 3, 40);
	assert_int_equal(like(&gp_search, &late, false), 8);
	assert_int_equal(like(&tpe_search, &late, false), 2);
	past_close(&early);
	past_close(&late);
}

/* Where trials wait at rungs two in five are drawn without a model: neither search's. */
static void auto_looks_elsewhere_where_trials_wait(void **state)
{
	struct past p;

	(void)state;
	past_open(&p, 3, 40);
	assert_int_equal(like(&gp_search, &p, true), 4);
	assert_int_equal(like(&tpe_search, &p, true), 2);
	past_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_process_hands_over_where_units_are_short),
	    cmocka_unit_test(more_parameters_take_longer),
	    cmocka_unit_test(auto_is_tpe_where_there_is_too_much),
	    cmocka_unit_test(auto_asks_for_second_opinions),
	    cmocka_unit_test(auto_looks_elsewhere_where_trials_wait),
	};

	return cmocka_run_group_tests_name("auto", tests, NULL, NULL);
}
