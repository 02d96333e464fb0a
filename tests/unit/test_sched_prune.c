/* Trials that are given up, and trials that climb, one event after the other. */
#include "hand.h"

static void says(struct run *r, uint32_t unit, double step, double value)
{
	struct event e = about(r, EVENT_METRIC, unit);

	e.step = step;
	e.value = value;
	send(r, &e);
}

static int64_t budget(struct run *r, uint32_t unit)
{
	struct command_context x;

	sched_command_context(r->sched, unit, 1, "/o", &r->scratch, &x);
	return x.budget;
}

static struct prune *rungs(struct run *r, uint32_t trials, uint32_t n)
{
	gen_phase(r->gen, "a");
	gen_grid(r->gen, trials);
	return gen_rungs(r->gen, n, true);
}

static void a_pruned_fold_prunes_its_trial(void **state)
{
	struct run *r = run_new();
	struct event e;
	double value, step;

	(void)state;
	r->gen->study.folds.inner = 3;
	rule(r, 1, PRUNE_THRESHOLD)->upper = 10;
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	gen_grid(r->gen, 1);
	start(r, 0);
	up(r, 0, 2);
	assert_string_equal(assigned(r), "1@0 2@0");
	says(r, 1, 1, 5);
	says(r, 2, 1, 6);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 0);
	says(r, 2, 2, 11);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 2);
	assert_state(r, 3, "pruned"); /* it had not begun */
	assert_state(r, 1, "running");
	says(r, 1, 2, 7); /* too late to matter */
	e = about(r, EVENT_FINISHED, 2);
	e.result.reason = REASON_REQUEUE;
	e.result.requeue = true;
	send(r, &e);
	done(r, 1, 3); /* it ended well after all: pruned all the same */
	for (uint32_t u = 1; u <= 3; u++) {
		assert_state(r, u, "pruned");
		assert_int_equal(fact(r, u).reason, REASON_THRESHOLD);
	}
	assert_true(fact(r, 2).step == 2 && fact(r, 2).value == 11);
	assert_true(fact(r, 1).step == 1 && fact(r, 1).value == 5);
	assert_int_equal(sched_trial_end(r->sched, 1, &value, &step), TRIAL_PRUNED);
	assert_true(step == 2 && value == 8);
	for (uint32_t u = 4; u <= 6; u++)
		assert_state(r, u, "blocked");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE); /* no failure */
	replayed(r);
	run_finish(r);
}

/* Two folds of four trials: all go rung by rung. */
static void trials_climb_with_all_their_folds(void **state)
{
	struct run *r = run_new();
	double value, step;

	(void)state;
	r->gen->study.folds.inner = 2;
	rungs(r, 4, 3);
	start(r, 0);
	up(r, 0, 1);
	assert_int_equal(budget(r, 1), 1);
	done(r, 1, 4);
	assert_state(r, 1, "paused");
	done(r, 2, 4);
	assert_state(r, 2, "paused"); /* one of one: half of it is none */
	assert_int_equal(sched_trial_end(r->sched, 1, &value, &step), TRIAL_OPEN);
	assert_true(value == 4 && step == 1);
	assigned(r);
	done(r, 3, 1);
	done(r, 4, 5);                               /* 3 in the mean: the better of two */
	assert_string_equal(assigned(r), "4@0 3@0"); /* at once, before a new trial */
	assert_int_equal(budget(r, 3), 2);
	assert_int_equal(fact(r, 3).attempts, 2);
	done(r, 3, 2);
	assert_state(r, 3, "paused");
	assert_string_equal(assigned(r), "4@0");
	done(r, 4, 2);
	assert_string_equal(assigned(r), "5@0");
	done(r, 5, 9);
	done(r, 6, 9); /* three: half of them is still one */
	assert_state(r, 1, "paused");
	done(r, 7, 3.5);
	assigned(r);
	done(r, 8, 3.5); /* four: two */
	assert_string_equal(assigned(r), "7@0");
	done(r, 7, 1);
	done(r, 8, 1); /* better than the other one at this rung */
	assert_int_equal(budget(r, 7), 4);
	done(r, 7, 0.5);
	done(r, 8, 0.5);
	assert_state(r, 7, "done");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	for (uint32_t u = 1; u <= 6; u++)
		assert_state(r, u, "pruned"); /* nobody is left who could come */
	assert_int_equal(sched_trial_end(r->sched, 2, &value, &step), TRIAL_PRUNED);
	assert_true(value == 2 && step == 2);
	assert_int_equal(sched_trial_end(r->sched, 4, &value, &step), TRIAL_COMPLETE);
	assert_true(value == 0.5);
	replayed(r);
	run_finish(r);
}

/* Too few trials for a rung: the best goes on all the same, and another one when it fails. */
static void somebody_reaches_the_end(void **state)
{
	struct run *r = run_new();

	(void)state;
	rungs(r, 2, 3)->eta = 3;
	start(r, 0);
	up(r, 0, 2);
	done(r, 1, 4);
	assert_state(r, 1, "paused");
	done(r, 2, 3);
	assert_state(r, 1, "paused");
	assert_state(r, 2, "running");
	failed(r, 2, REASON_EXIT, 1);
	assert_state(r, 2, "failed");
	assert_state(r, 1, "running");
	done(r, 1, 3);
	assert_state(r, 1, "running");
	done(r, 1, 3);
	assert_state(r, 1, "done");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_UNITS);
	run_finish(r);
}

static void a_held_trial_keeps_the_others_waiting(void **state)
{
	struct run *r = run_new();

	(void)state;
	rungs(r, 2, 2);
	start(r, 0);
	request(r, REQUEST_HOLD, 2);
	up(r, 0, 1);
	done(r, 1, 4);
	assert_state(r, 1, "paused");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_UNITS);
	assert_non_null(strstr(r->text, "held"));
	run_finish(r);
}

/* A fold that was reset starts at the first rung and catches up with the others. */
static void a_reset_fold_catches_up(void **state)
{
	struct run *r = run_new();

	(void)state;
	r->gen->study.folds.inner = 2;
	rungs(r, 2, 3);
	start(r, 0);
	up(r, 0, 1);
	done(r, 1, 4);
	done(r, 2, 4);
	done(r, 3, 5);
	done(r, 4, 5); /* trial 1 goes on */
	done(r, 1, 3);
	assert_state(r, 1, "paused");
	assert_state(r, 2, "running");
	request(r, REQUEST_RESET, 1);
	assert_state(r, 1, "ready");
	assert_int_equal(fact(r, 1).rung, 0);
	done(r, 2, 3);
	assert_state(r, 2, "paused");
	assert_int_equal(budget(r, 1), 1);
	done(r, 1, 3);
	assert_state(r, 1, "running"); /* straight to where the other one is */
	assert_int_equal(budget(r, 1), 2);
	done(r, 1, 3);
	assert_int_equal(budget(r, 1), 4);
	replayed(r);
	run_finish(r);
}

static void a_cancelled_trial_is_passed_over(void **state)
{
	struct run *r = run_new();

	(void)state;
	rungs(r, 2, 2);
	start(r, 0);
	up(r, 0, 1);
	done(r, 1, 1);
	request(r, REQUEST_CANCEL, 1);
	assert_state(r, 1, "cancelled");
	done(r, 2, 9); /* not among the best, but the only one left */
	assert_state(r, 2, "running");
	done(r, 2, 9);
	assert_state(r, 2, "done");
	assert_true(r->finished);
	run_finish(r);
}

/* The tables are made again from the records: verdicts go on as if nothing had been. */
static void a_resume_knows_what_was_reported(void **state)
{
	struct run *r = run_new();

	(void)state;
	rule(r, 6, PRUNE_MEDIAN)->median.startup = 2;
	start(r, 0);
	up(r, 0, 1);
	for (uint32_t u = 1; u <= 2; u++) {
		says(r, u, 1, 5);
		says(r, u, 2, 3);
		done(r, u, 3);
	}
	says(r, 3, 1, 4);
	run_again(r);
	up(r, 0, 1);
	assert_state(r, 3, "running"); /* it was lost and runs again */
	says(r, 3, 1, 4.5);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 0);
	says(r, 3, 2, 3.5);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 1);
	failed(r, 3, REASON_SIGNAL, -1);
	assert_state(r, 3, "pruned");
	run_finish(r);
}

/* The last run was killed between the verdict and the end of what it stopped. */
static void a_resume_carries_out_the_verdict(void **state)
{
	struct run *r = run_new();

	(void)state;
	rule(r, 1, PRUNE_PATIENCE)->patience = 2;
	start(r, 0);
	up(r, 0, 1);
	says(r, 1, 1, 5);
	says(r, 1, 3, 5);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 1);
	assert_state(r, 1, "running");
	run_again(r);
	assert_state(r, 1, "pruned");
	assert_int_equal(fact(r, 1).reason, REASON_PATIENCE);
	run_finish(r);
}

static void a_resume_goes_on_from_rungs(void **state)
{
	struct run *r = run_new();

	(void)state;
	rungs(r, 4, 3);
	start(r, 0);
	up(r, 0, 1);
	done(r, 1, 4);
	done(r, 2, 2);
	done(r, 2, 2); /* at the second rung */
	assert_state(r, 2, "paused");
	run_again(r);
	up(r, 0, 1);
	assert_state(r, 3, "running");
	done(r, 3, 3);
	assert_state(r, 3, "paused"); /* three at the first rung, and 2 is the best of them */
	done(r, 4, 3.5);
	assert_state(r, 3, "running"); /* two of four */
	done(r, 3, 1);
	assert_int_equal(budget(r, 3), 4);
	done(r, 3, 1);
	assert_true(r->finished);
	run_finish(r);
}

static void a_reset_of_a_pruned_trial_tries_again(void **state)
{
	struct run *r = run_new();

	(void)state;
	rule(r, 2, PRUNE_THRESHOLD)->upper = 1;
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	start(r, 0);
	up(r, 0, 2);
	says(r, 1, 1, 2);
	failed(r, 1, REASON_SIGNAL, -1);
	assert_state(r, 1, "pruned");
	request(r, REQUEST_RESET, 1);
	assert_state(r, 1, "running");
	assert_int_equal(fact(r, 1).reason, REASON_NONE);
	assert_true(isnan(fact(r, 1).step));
	says(r, 1, 1, 0.5);
	done(r, 1, 0.5);
	assert_state(r, 1, "done");
	replayed(r);
	run_finish(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pruned_fold_prunes_its_trial),
	    cmocka_unit_test(trials_climb_with_all_their_folds),
	    cmocka_unit_test(somebody_reaches_the_end),
	    cmocka_unit_test(a_held_trial_keeps_the_others_waiting),
	    cmocka_unit_test(a_reset_fold_catches_up),
	    cmocka_unit_test(a_cancelled_trial_is_passed_over),
	    cmocka_unit_test(a_resume_knows_what_was_reported),
	    cmocka_unit_test(a_resume_carries_out_the_verdict),
	    cmocka_unit_test(a_resume_goes_on_from_rungs),
	    cmocka_unit_test(a_reset_of_a_pruned_trial_tries_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
