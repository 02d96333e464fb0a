/* Folds that race, one event after the other. */
#include "hand.h"

static struct prune *race(struct run *r, uint32_t folds, uint32_t trials)
{
	r->gen->study.folds.inner = folds;
	return rule(r, trials, PRUNE_RACE);
}

static void knows_the_best(struct prune *p, double best)
{
	p->has_best = true;
	p->best = best;
}

static double value_of(struct run *r, uint32_t trial, enum trial_end want, double *step)
{
	double value;

	assert_int_equal(sched_trial_end(r->sched, trial, &value, step), want);
	return value;
}

static bool is_near(double x, double y)
{
	return fabs(x - y) < 1e-12;
}

/* Errors of 1, 2, 3: 9 on the first fold cannot come to less than 3 in the mean, which is worse. */
static void a_certain_loser_is_stopped_after_one_fold(void **state)
{
	struct run *r = run_new();
	double value, step;

	(void)state;
	knows_the_best(race(r, 3, 2), 0);
	start(r, 0);
	up(r, 0, 1);
	assert_string_equal(assigned(r), "1@0"); /* k = 0 */
	done(r, 1, 1);
	done(r, 2, 2);
	assert_string_equal(assigned(r), "2@0 3@0");
	done(r, 3, 3);                           /* the first incumbent: nobody was there to race with */
	assert_string_equal(assigned(r), "5@0"); /* k = 1: its second fold comes first */
	done(r, 5, 6.5);
	assert_state(r, 4, "pruned");
	assert_state(r, 5, "done");
	assert_state(r, 6, "pruned");
	assert_int_equal(fact(r, 4).reason, REASON_RACE);
	assert_int_equal(fact(r, 4).attempts, 0);
	value = value_of(r, 2, TRIAL_PRUNED, &step);
	assert_true(is_near(value, 6.5) && step == 1); /* the second fold is as good as the mean of all */
	assert_true(sched_trial_raced(r->sched, 2, &value) && is_near(value, 6.5));
	assert_false(sched_trial_raced(r->sched, 1, &value));
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	replayed(r);
	run_finish(r);
}

/* What the folds of others are worth counts: the first one is easy. */
static void a_lost_trial_is_worth_what_its_other_folds_might_be(void **state)
{
	struct run *r = run_new();
	double step;

	(void)state;
	knows_the_best(race(r, 3, 4), 0);
	start(r, 0);
	up(r, 0, 1);
	for (uint32_t u = 1; u <= 3; u++)
		done(r, u, u); /* 1 2 3: the mean is 2 */
	done(r, 5, 2.5);       /* not certain yet */
	assert_state(r, 6, "running");
	done(r, 6, 4);
	assert_state(r, 4, "pruned");
	/* each of the two was worse by 0.5 and 1 */
	assert_true(is_near(value_of(r, 2, TRIAL_PRUNED, &step), 2.75) && step == 2);
	run_finish(r);
}

static void the_t_test_needs_two_folds_and_no_bound(void **state)
{
	struct run *r = run_new();
	double step;

	(void)state;
	race(r, 5, 3);
	start(r, 0);
	up(r, 0, 1);
	for (uint32_t u = 1; u <= 5; u++)
		done(r, u, 0.1 * u);
	assigned(r);
	done(r, 7, 100.2);
	assert_string_equal(assigned(r), "8@0");
	done(r, 8, 100.3); /* 100 more, each time */
	assert_state(r, 6, "pruned");
	assert_true(is_near(value_of(r, 2, TRIAL_PRUNED, &step), 100.3) && step == 2);
	/* a better one runs to its end and is the incumbent then */
	for (uint32_t i = 0; i < 5; i++)
		done(r, 11 + (2 + i) % 5, 0.01 * (1 + (2 + i) % 5));
	assert_true(is_near(value_of(r, 3, TRIAL_COMPLETE, &step), 0.03));
	assert_true(r->finished);
	replayed(r);
	run_finish(r);
}

static void larger_may_be_better(void **state)
{
	struct run *r = run_new();
	struct prune *p = race(r, 2, 2);

	(void)state;
	knows_the_best(p, 1);
	r->gen->phases[0].goal = GOAL_MAXIMIZE;
	start(r, 0);
	up(r, 0, 1);
	done(r, 1, 0.9);
	done(r, 2, 0.9);
	done(r, 4, 0.7);
	assert_state(r, 3, "pruned");
	assert_true(r->finished);
	run_finish(r);
}

/* Live folds are stopped, and are pruned whatever they end with. */
static void what_runs_is_stopped(void **state)
{
	struct run *r = run_new();

	(void)state;
	knows_the_best(race(r, 3, 2), 0);
	start(r, 0);
	up(r, 0, 3);
	for (uint32_t u = 1; u <= 3; u++)
		done(r, u, 1);
	assert_state(r, 6, "running"); /* nobody else waits: all of its folds run */
	done(r, 6, 9);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 2);
	assert_state(r, 4, "running");
	failed(r, 4, REASON_SIGNAL, -1);
	assert_false(r->finished);
	done(r, 5, 0);
	assert_state(r, 4, "pruned");
	assert_state(r, 5, "pruned");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	replayed(r);
	run_finish(r);
}

/* Where there is an incumbent, other trials are begun rather than second folds. */
static void one_fold_at_a_time_while_others_wait(void **state)
{
	struct run *r = run_new();

	(void)state;
	race(r, 3, 4);
	start(r, 0);
	up(r, 0, 2);
	assert_string_equal(assigned(r), "1@0 2@0"); /* the first one with all its folds */
	done(r, 1, 1);
	done(r, 2, 1);
	assert_string_equal(assigned(r), "3@0 5@0");
	done(r, 3, 1); /* from now on */
	assert_string_equal(assigned(r), "9@0");
	done(r, 5, 1);
	assert_string_equal(assigned(r), "6@0"); /* begun before new */
	done(r, 9, 1);
	assert_string_equal(assigned(r), "7@0");
	done(r, 6, 1);
	done(r, 4, 1);
	assert_string_equal(assigned(r), "4@0 10@0");
	done(r, 7, 1);
	assert_string_equal(assigned(r), "8@0");
	done(r, 8, 1);
	assert_string_equal(assigned(r), "11@0"); /* nobody waits: no slot is idle */
	run_finish(r);
}

/* Three are wanted: one that is worse than the best may be among them. */
static void as_many_as_are_picked_are_safe(void **state)
{
	struct run *r = run_new();

	(void)state;
	knows_the_best(race(r, 2, 4), 0);
	gen_phase(r->gen, "b");
	gen_after_best(r->gen, "a", 2);
	start(r, 0);
	up(r, 0, 1);
	done(r, 1, 1);
	done(r, 2, 1);
	done(r, 4, 9); /* one is complete */
	assert_state(r, 3, "running");
	done(r, 3, 9);
	done(r, 5, 19); /* as bad as the second best can be: 9.5 at least */
	assert_state(r, 6, "pruned");
	done(r, 8, 5);
	assert_state(r, 7, "running");
	done(r, 7, 5); /* the second now */
	assert_state(r, 9, "running");
	replayed(r);
	run_finish(r);
}

static void the_incumbent_may_be_taken_back(void **state)
{
	struct run *r = run_new();

	(void)state;
	knows_the_best(race(r, 2, 3), 0);
	start(r, 0);
	up(r, 0, 1);
	done(r, 1, 1);
	done(r, 2, 1);
	assert_state(r, 4, "running");
	request(r, REQUEST_RESET, 1);
	done(r, 4, 9); /* there is no race without one that is complete */
	assert_state(r, 3, "ready");
	done(r, 1, 8); /* the oldest first: 4.5 */
	assert_state(r, 3, "running");
	done(r, 3, 9);
	done(r, 5, 10); /* worse than 4.5 for sure */
	assert_state(r, 6, "pruned");
	assert_true(r->finished);
	replayed(r);
	run_finish(r);
}

static void a_resume_goes_on_with_the_race(void **state)
{
	struct run *r = run_new();

	(void)state;
	knows_the_best(race(r, 3, 3), 0);
	start(r, 0);
	up(r, 0, 3);
	for (uint32_t u = 1; u <= 3; u++)
		done(r, u, 1);
	done(r, 5, 9);
	assert_int_equal(fact(r, 6).pending, PENDING_PRUNE);
	assert_state(r, 4, "pruned");
	run_again(r);
	assert_state(r, 6, "pruned"); /* it was to be stopped, and the run died */
	assert_true(is_near(fact(r, 6).value, 9));
	up(r, 0, 1);
	assigned(r);
	done(r, 9, 9);
	assert_state(r, 7, "pruned"); /* nobody holds it ahead of need: it might be spared */
	assert_state(r, 8, "pruned");
	assert_true(r->finished);
	run_finish(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_certain_loser_is_stopped_after_one_fold),
	    cmocka_unit_test(a_lost_trial_is_worth_what_its_other_folds_might_be),
	    cmocka_unit_test(the_t_test_needs_two_folds_and_no_bound),
	    cmocka_unit_test(larger_may_be_better),
	    cmocka_unit_test(what_runs_is_stopped),
	    cmocka_unit_test(one_fold_at_a_time_while_others_wait),
	    cmocka_unit_test(as_many_as_are_picked_are_safe),
	    cmocka_unit_test(the_incumbent_may_be_taken_back),
	    cmocka_unit_test(a_resume_goes_on_with_the_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
