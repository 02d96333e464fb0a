/* Several metrics of a phase, one event after the other. */
#include "hand.h"

static const struct objective more[] = {{"seconds", GOAL_MINIMIZE}, {"accuracy", GOAL_MAXIMIZE}};

/* 'a' with three metrics and so many trials, 'b' after the best of them by metric `objective`. */
static struct run *several(uint32_t folds, uint32_t trials, uint32_t objective)
{
	struct run *r = run_new();
	struct study_phase *p = gen_phase(r->gen, "a");

	r->gen->study.folds.inner = folds;
	p->more = more;
	p->nmore = 2;
	gen_grid(r->gen, trials);
	gen_phase(r->gen, "b");
	gen_after_best(r->gen, "a", 1)->objective = objective;
	start(r, 0);
	up(r, 0, 1);
	return r;
}

static void done_with(struct run *r, uint32_t unit, double first, double second, double third)
{
	struct event e = about(r, EVENT_FINISHED, unit);

	e.result = (struct attempt_result){
	    .has_value = true, .last = first, .best = first, .best_step = NAN, .more = {second, third}};
	send(r, &e);
}

static void a_unit_without_all_of_them_fails(void **state)
{
	struct run *r = several(0, 2, 0);
	double value, step;

	(void)state;
	done_with(r, 1, 1, NAN, 1);
	assert_state(r, 1, "failed");
	assert_int_equal(fact(r, 1).reason, REASON_BAD_METRIC);
	done_with(r, 2, 1, 2, 3);
	assert_state(r, 2, "done");
	assert_int_equal(sched_trial_end(r->sched, 2, &value, &step), TRIAL_COMPLETE);
	assert_true(value == 1);
	replayed(r);
	run_finish(r);
}

static void each_is_aggregated_over_the_folds(void **state)
{
	struct run *r = several(2, 1, 0);
	double sd;

	(void)state;
	done_with(r, 1, 1, 10, 0.5);
	assert_true(sched_trial_objective(r->sched, 1, 1, NULL) == 10);
	done_with(r, 2, 3, 30, 1);
	assert_true(sched_trial_objective(r->sched, 1, 0, &sd) == 2);
	assert_true(sched_trial_objective(r->sched, 1, 1, &sd) == 20);
	assert_true(fabs(sd - sqrt(200)) < 1e-12);
	assert_true(sched_trial_objective(r->sched, 1, 2, &sd) == 0.75);
	replayed(r);
	run_finish(r);
}

static void a_pick_is_by_the_metric_that_was_named(void **state)
{
	static const uint32_t winners[] = {1, 2, 3};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct run *r = several(0, 3, i);
		struct trial_view t;

		done_with(r, 1, 1, 9, 5);
		done_with(r, 2, 2, 7, 6);
		done_with(r, 3, 3, 8, 7); /* the most accurate one */
		sched_trial(r->sched, 4, &t);
		assert_int_equal(t.parents[0], winners[i]);
		replayed(r);
		run_finish(r);
	}
}

static void a_reset_takes_all_of_them(void **state)
{
	struct run *r = several(0, 2, 0);

	(void)state;
	done_with(r, 1, 1, 2, 3);
	request(r, REQUEST_RESET, 1);
	assert_true(isnan(sched_trial_objective(r->sched, 1, 1, NULL)));
	done_with(r, 2, 7, 8, 9);
	done_with(r, 1, 4, 5, 6);
	assert_true(sched_trial_objective(r->sched, 1, 1, NULL) == 5);
	run_again(r);
	assert_true(sched_trial_objective(r->sched, 1, 2, NULL) == 6);
	run_finish(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_unit_without_all_of_them_fails),
	    cmocka_unit_test(each_is_aggregated_over_the_folds),
	    cmocka_unit_test(a_pick_is_by_the_metric_that_was_named),
	    cmocka_unit_test(a_reset_takes_all_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
