/* The end of the allocation: what is still started, what is handed back, and when a run is over before it. */
#include "hand.h"

/* A run from now to `end_ms`. */
static void start_until(struct run *r, int64_t end_ms, uint32_t prefetch)
{
	start_with(r, &(struct sched_options){.prefetch_per_slot = prefetch, .end_ms = end_ms});
}

static void done_after(struct run *r, int64_t ms, uint32_t unit)
{
	r->now_ms += ms;
	done(r, unit, 1);
}

static void saved(struct run *r, uint32_t unit, bool new_step)
{
	struct event e = about(r, EVENT_FINISHED, unit);

	e.result = (struct attempt_result){
	    .reason = REASON_REQUEUE, .requeue = true, .exit_code = 75, .new_step = new_step};
	e.result.last = e.result.best = e.result.best_step = NAN;
	send(r, &e);
}

static void what_cannot_end_is_not_started(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 100);
	start_until(r, 100000, 0);
	up(r, 0, 1);
	assert_string_equal(assigned(r), "1@0");
	for (uint32_t unit = 1; unit < 10; unit++) {
		done_after(r, 10000, unit);
		assert_false(r->finished);
	}
	assert_state(r, 10, "running"); /* 10 s are left, and it takes 10 s */
	done_after(r, 10000, 10);
	assert_state(r, 11, "ready");
	assert_true(r->finished); /* before anybody had to stop it */
	assert_int_equal(r->code, FAULT_STOPPED);
	assert_non_null(strstr(r->text, "phase a needs 10s"));
	replayed(r);
	run_finish(r);
}

static void a_moment_less_is_too_little(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 100);
	start_until(r, 99999, 0);
	up(r, 0, 1);
	for (uint32_t unit = 1; unit < 10; unit++)
		done_after(r, 10000, unit);
	assert_state(r, 10, "ready");
	assert_true(r->finished);
	run_finish(r);
}

/* Of a unit that was assigned 1 s ago, and of whose start it was told 0.25 s ago. */
static void heard_of_late(struct run *r, uint32_t unit, int64_t ran_ms)
{
	struct event e;

	r->now_ms += 750;
	e = about(r, EVENT_STARTED, unit);
	send(r, &e);
	r->now_ms += 250;
	e = about(r, EVENT_FINISHED, unit);
	e.result = (struct attempt_result){.has_value = true, .best_step = NAN, .ran_ms = ran_ms};
	send(r, &e);
}

/* 9 units until 9 s; of what is then left, `left_ms`, may the next one take so much? */
static bool is_started_after(int64_t ran_ms, int64_t left_ms)
{
	struct run *r = run_new();
	bool yes;

	gen_phase(r->gen, "a");
	gen_random(r->gen, 100);
	start_until(r, 9000 + left_ms, 0);
	up(r, 0, 1);
	for (uint32_t unit = 1; unit < 10; unit++)
		heard_of_late(r, unit, ran_ms);
	yes = !r->finished;
	run_finish(r);
	return yes;
}

/* Starts are told with other news, and may come late: how long it ran is its worker's word. */
static void a_unit_takes_what_its_worker_says(void **state)
{
	(void)state;
	assert_false(is_started_after(500, 499));
	assert_true(is_started_after(500, 500));
}

/* But it ran since its start was told, and not before it was assigned. */
static void that_word_is_held_against_what_was_seen(void **state)
{
	static const int64_t least[] = {INT64_MIN, -1, 0, 249}, most[] = {1001, INT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof least / sizeof *least; i++) {
		assert_false(is_started_after(least[i], 249));
		assert_true(is_started_after(least[i], 250));
	}
	for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
		assert_false(is_started_after(most[i], 999));
		assert_true(is_started_after(most[i], 1000));
	}
}

/* 10 s and 20 s in turn: their mean is 15 s, two standard deviations more are about 25 s. */
static void a_wide_spread_wants_more_time(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 100);
	start_until(r, 174000, 0);
	up(r, 0, 1);
	for (uint32_t unit = 1; unit < 10; unit++)
		done_after(r, unit % 2 ? 10000 : 20000, unit);
	assert_int_equal(r->now_ms, 130000);
	assert_state(r, 10, "running"); /* 44 s */
	done_after(r, 20000, 10);
	assert_state(r, 11, "ready"); /* 24 s */
	assert_true(r->finished);
	run_finish(r);
}

/* ... but not more than half of all there is: else it would never start there. */
static void a_wide_spread_starts_in_a_short_run(void **state)
{
	struct durations d = {.n = 10, .seconds = 400, .squares = 10 * (40 * 40 + 15 * 15)};
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 100);
	r->study = gen_seal(r->gen);
	r->sched = sched_new(&r->arena, r->study, &(struct sched_options){.end_ms = 60000});
	sched_know(r->sched, 0, &d);
	up(r, 0, 1);
	assert_string_equal(assigned(r), "1@0");
	done_after(r, 25000, 1); /* 35 s are left, the mean is about 39 */
	assert_true(r->finished);
	run_finish(r);
}

static void what_earlier_runs_took_is_known(void **state)
{
	struct durations d = {.n = 1, .seconds = 61, .squares = 61 * 61};
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 100);
	r->study = gen_seal(r->gen);
	r->sched = sched_new(&r->arena, r->study, &(struct sched_options){.end_ms = 60000});
	sched_know(r->sched, 0, &d);
	tick(r, 0);
	up(r, 0, 1);
	assert_string_equal(assigned(r), "");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_STOPPED);
	assert_non_null(strstr(r->text, "needs 1m01s, and 1m00s are left"));
	run_finish(r);
}

static void a_timeout_bounds_what_is_expected(void **state)
{
	struct durations d = {.n = 10, .seconds = 100, .squares = 10 * (10 * 10 + 5 * 5)};
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a")->limits.timeout_ms = 12000;
	gen_random(r->gen, 100);
	r->study = gen_seal(r->gen);
	r->sched = sched_new(&r->arena, r->study, &(struct sched_options){.end_ms = 60000});
	sched_know(r->sched, 0, &d);
	r->now_ms = 48000;
	up(r, 0, 1);
	assert_string_equal(assigned(r), "1@0");
	run_finish(r);
}

static void other_phases_go_on(void **state)
{
	struct durations slow = {.n = 1, .seconds = 50, .squares = 2500},
	                 fast = {.n = 1, .seconds = 5, .squares = 25};
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "slow");
	gen_random(r->gen, 2);
	gen_phase(r->gen, "fast");
	gen_random(r->gen, 3);
	r->study = gen_seal(r->gen);
	r->sched = sched_new(&r->arena, r->study, &(struct sched_options){.end_ms = 60000});
	sched_know(r->sched, 0, &slow);
	sched_know(r->sched, 1, &fast);
	r->now_ms = 20000;
	up(r, 0, 1);
	for (uint32_t unit = 3; unit <= 5; unit++) {
		assert_false(r->finished);
		done_after(r, 5000, unit);
	}
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_STOPPED);
	assert_non_null(strstr(r->text, "phase slow"));
	run_finish(r);
}

static void who_saves_is_started_all_the_same(void **state)
{
	struct durations d = {.n = 5, .seconds = 500, .squares = 50000};
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a")->limits = (struct limits){.checkpoint = true, .grace_ms = 10000, .cpus = 1};
	gen_random(r->gen, 100);
	r->study = gen_seal(r->gen);
	r->sched = sched_new(&r->arena, r->study, &(struct sched_options){.end_ms = 90000});
	sched_know(r->sched, 0, &d);
	r->now_ms = 70000;
	up(r, 0, 1);
	assert_string_equal(assigned(r), "1@0"); /* two times its grace are left */
	saved(r, 1, true);
	assert_string_equal(assigned(r), "1@0");
	r->now_ms++;
	saved(r, 1, true);
	assert_string_equal(assigned(r), "");
	assert_true(r->finished);
	assert_int_equal(fact(r, 1).failures, 0);
	run_finish(r);
}

/* Nobody has said so, but it does. */
static void exit_75_says_that_it_saves(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a")->limits = (struct limits){.grace_ms = 10000, .cpus = 1};
	gen_random(r->gen, 2);
	start_until(r, 100000, 0);
	up(r, 0, 1);
	r->now_ms = 30000;
	saved(r, 1, true);
	done_after(r, 40000, 1);
	assert_string_equal(assigned(r), "1@0 1@0 2@0"); /* 30 s are left of 40 */
	run_finish(r);
}

/* A program may want more time to save than is known: it is not asked again, and not blamed. */
static void who_only_saves_has_come_too_late(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a")->limits = (struct limits){.checkpoint = true, .grace_ms = 1000, .cpus = 1};
	gen_random(r->gen, 3);
	start_until(r, 100000, 0);
	up(r, 0, 3);
	assert_string_equal(assigned(r), "1@0 2@0 3@0");
	r->now_ms = 80000;
	for (uint32_t unit = 1; unit <= 3; unit++)
		saved(r, unit, true);
	assert_string_equal(assigned(r), "1@0 2@0 3@0");
	r->now_ms = 80100;
	for (uint32_t unit = 1; unit <= 3; unit++)
		saved(r, unit, false);
	assert_string_equal(assigned(r), "");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_STOPPED);
	for (uint32_t unit = 1; unit <= 3; unit++)
		assert_int_equal(fact(r, unit).idle_requeues, 0);
	run_finish(r);
}

static void long_before_the_end_it_is_to_blame(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a")->limits = (struct limits){.checkpoint = true, .grace_ms = 1000, .cpus = 1};
	start_until(r, 100000, 0);
	up(r, 0, 1);
	for (int i = 0; i < 3; i++)
		saved(r, 1, false);
	assert_state(r, 1, "failed");
	run_finish(r);
}

static void held_units_are_handed_back_in_time(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 100);
	start_until(r, 50000, 1);
	up(r, 0, 1);
	done_after(r, 10000, 1);
	done_after(r, 10000, 2);
	assert_string_equal(assigned(r), "1@0 2@0 3@0 4@0");
	assert_int_equal(count_actions(r, ACTION_RECALL), 0);
	assert_int_equal(sched_next_tick_ms(r->sched), 40001); /* nobody else would wake it */
	r->now_ms = 40001;
	tick(r, 0);
	assert_int_equal(count_actions(r, ACTION_RECALL), 1);
	assert_int_equal(sched_next_tick_ms(r->sched), INT64_MAX);
	send(r, &(struct event){.kind = EVENT_RECALLED, .unit = 4, .lease = 4});
	assert_state(r, 4, "ready");
	assert_int_equal(fact(r, 4).attempts, 0);
	assert_false(r->finished); /* unit 3 may end */
	done(r, 3, 1);
	assert_true(r->finished);
	replayed(r);
	run_finish(r);
}

static void a_search_is_not_asked_for_nothing(void **state)
{
	struct durations d = {.n = 1, .seconds = 50, .squares = 2500};
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 5);
	((struct study_phase *)&r->gen->study.phases[0])->search = SEARCH_TPE;
	r->study = gen_seal(r->gen);
	r->sched = sched_new(&r->arena, r->study, &(struct sched_options){.end_ms = 60000});
	sched_know(r->sched, 0, &d);
	tick(r, 0);
	up(r, 0, 1);
	assert_string_equal(assigned(r), "1@0");
	done_after(r, 50000, 1);
	assert_int_equal(sched_trial_count(r->sched), 1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_STOPPED); /* four trials are to come */
	run_finish(r);
}

static void what_is_done_is_done(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 2);
	start_until(r, 100000, 0);
	up(r, 0, 2);
	r->now_ms = 99000;
	done(r, 1, 1);
	done(r, 2, 1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	run_finish(r);
}

/* ---- draining -------------------------------------------------------------------------------- */
static void a_drain_lets_end_what_runs(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 5);
	start(r, 1);
	up(r, 0, 1);
	assert_string_equal(assigned(r), "1@0 2@0");
	send(r, &(struct event){.kind = EVENT_DRAIN});
	assert_int_equal(count_actions(r, ACTION_CANCEL), 0);
	assert_int_equal(count_actions(r, ACTION_RECALL), 1);
	send(r, &(struct event){.kind = EVENT_RECALLED, .unit = 2, .lease = 2});
	assert_false(r->finished);
	done(r, 1, 1);
	assert_string_equal(assigned(r), "");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_STOPPED);
	assert_state(r, 1, "done");
	replayed(r);
	run_finish(r);
}

static void a_stop_ends_a_drain(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 5);
	start(r, 0);
	up(r, 0, 1);
	send(r, &(struct event){.kind = EVENT_DRAIN});
	send(r, &(struct event){.kind = EVENT_DRAIN});
	send(r, &(struct event){.kind = EVENT_STOP});
	assert_int_equal(count_actions(r, ACTION_CANCEL), 1);
	send(r, &(struct event){.kind = EVENT_DRAIN});
	failed(r, 1, REASON_SIGNAL, -1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_STOPPED);
	assert_int_equal(fact(r, 1).failures, 0);
	run_finish(r);
}

static void what_was_stopped_at_once_is_not_lost(void **state)
{
	struct actions out = {0};
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	start(r, 0);
	up(r, 0, 1);
	r->sched = sched_new(&r->arena, r->study, &(struct sched_options){.interrupted = true});
	for (uint32_t i = 0; i < r->nrecords; i++)
		if (r->kept[i].kind == RECORD_TRIAL || r->kept[i].kind == RECORD_UNIT)
			assert_int_equal(sched_apply(r->sched, &r->kept[i], NULL), 0);
	out.scratch = &r->scratch;
	sched_resume(r->sched, 0, &out);
	assert_state(r, 1, "ready");
	assert_int_equal(fact(r, 1).losses, 0);
	assert_int_equal(fact(r, 1).reason, REASON_REQUEUE);
	run_finish(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_cannot_end_is_not_started),
	    cmocka_unit_test(a_moment_less_is_too_little),
	    cmocka_unit_test(a_unit_takes_what_its_worker_says),
	    cmocka_unit_test(that_word_is_held_against_what_was_seen),
	    cmocka_unit_test(a_wide_spread_wants_more_time),
	    cmocka_unit_test(a_wide_spread_starts_in_a_short_run),
	    cmocka_unit_test(what_earlier_runs_took_is_known),
	    cmocka_unit_test(a_timeout_bounds_what_is_expected),
	    cmocka_unit_test(other_phases_go_on),
	    cmocka_unit_test(who_saves_is_started_all_the_same),
	    cmocka_unit_test(exit_75_says_that_it_saves),
	    cmocka_unit_test(who_only_saves_has_come_too_late),
	    cmocka_unit_test(long_before_the_end_it_is_to_blame),
	    cmocka_unit_test(held_units_are_handed_back_in_time),
	    cmocka_unit_test(a_search_is_not_asked_for_nothing),
	    cmocka_unit_test(what_is_done_is_done),
	    cmocka_unit_test(a_drain_lets_end_what_runs),
	    cmocka_unit_test(a_stop_ends_a_drain),
	    cmocka_unit_test(what_was_stopped_at_once_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
