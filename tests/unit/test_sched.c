/* The scheduler by hand: small studies, one event after the other. */
#include "hand.h"

/* ---- order and dependencies ------------------------------------------------------------------------------
 */
static void a_chain_of_two_phases(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "pretrain");
	gen_random(r->gen, 2);
	gen_phase(r->gen, "finetune");
	gen_after(r->gen, "pretrain");
	gen_random(r->gen, 2);
	start(r, 0);
	assert_int_equal(sched_trial_count(r->sched), 6);
	up(r, 3, 2);
	assert_string_equal(assigned(r), "1@3 2@3");
	done(r, 2, 0.5); /* its children start without a barrier */
	assert_string_equal(assigned(r), "5@3");
	assert_state(r, 3, "waiting");
	done(r, 5, 0.1);
	assert_string_equal(assigned(r), "6@3");
	done(r, 1, 0.2);
	done(r, 6, 0.2);
	done(r, 3, 0.2);
	done(r, 4, 0.2);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	replayed(r);
	run_finish(r);
}

static void a_diamond_agrees_on_its_top(void **state)
{
	struct run *r = run_new();
	struct trial_view v;

	(void)state;
	gen_phase(r->gen, "top");
	gen_random(r->gen, 2);
	gen_phase(r->gen, "left");
	gen_after(r->gen, "top");
	gen_random(r->gen, 2);
	gen_phase(r->gen, "right");
	gen_after(r->gen, "top");
	gen_random(r->gen, 3);
	gen_phase(r->gen, "bottom");
	gen_after(r->gen, "left");
	gen_after(r->gen, "right");
	start(r, 0);
	/* 2 tops, each with 2 lefts, 3 rights, 2*3 bottoms */
	assert_int_equal(sched_trial_count(r->sched), 2 + 4 + 6 + 12);
	for (uint32_t t = 1; t <= sched_trial_count(r->sched); t++) {
		struct trial_view left, right;

		sched_trial(r->sched, t, &v);
		if (v.phase != 3)
			continue;
		assert_int_equal(v.nparents, 2);
		sched_trial(r->sched, v.parents[0], &left);
		sched_trial(r->sched, v.parents[1], &right);
		assert_int_equal(left.phase, 1);
		assert_int_equal(right.phase, 2);
		assert_int_equal(left.parents[0], right.parents[0]);
	}
	replayed(r);
	run_finish(r);
}

static void folds_depend_fold_by_fold(void **state)
{
	struct run *r = run_new();

	(void)state;
	r->gen->study.folds.inner = 3;
	gen_phase(r->gen, "a");
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	gen_phase(r->gen, "all")->folds = FOLDS_NONE;
	gen_after(r->gen, "b");
	gen_phase(r->gen, "again");
	gen_after(r->gen, "all");
	start(r, 0);
	assert_int_equal(sched_unit_count(r->sched), 3 + 3 + 1 + 3);
	up(r, 0, 8);
	assert_string_equal(assigned(r), "1@0 2@0 3@0");
	done(r, 2, 1);
	assert_string_equal(assigned(r), "5@0");
	done(r, 5, 1);
	done(r, 1, 1);
	done(r, 3, 1);
	done(r, 4, 1);
	assert_state(r, 7, "waiting"); /* needs all folds */
	done(r, 6, 1);
	assert_state(r, 7, "running");
	assert_state(r, 8, "waiting");
	done(r, 7, 1);
	assert_state(r, 8, "running"); /* every fold hangs on the one unit */
	assert_state(r, 10, "running");
	replayed(r);
	run_finish(r);
}

static void begun_trials_come_first(void **state)
{
	struct run *r = run_new();

	(void)state;
	r->gen->study.folds.inner = 2;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 3);
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	start(r, 0);
	up(r, 0, 1);
	done(r, 1, 1); /* fold 0 of trial 1: its child's fold 0 is ready, but trial 1 has begun */
	done(r, 2, 1);
	assert_string_equal(assigned(r), "1@0 2@0 3@0"); /* trial 2: longer way to go than the children */
	run_finish(r);
}

static void a_failed_fold_sends_the_others_last(void **state)
{
	struct run *r = run_new();

	(void)state;
	r->gen->study.folds.inner = 3;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 2);
	start(r, 0);
	up(r, 0, 1);
	failed(r, 1, REASON_EXIT, 1);
	assert_string_equal(assigned(r), "1@0 4@0");
	done(r, 4, 1);
	done(r, 5, 1);
	done(r, 6, 1);
	assert_string_equal(assigned(r), "5@0 6@0 2@0");
	run_finish(r);
}

/* ---- picks -----------------------------------------------------------------------------------------------
 */
static void the_best_is_picked_when_all_are_final(void **state)
{
	struct run *r = run_new();
	struct trial_view v;

	(void)state;
	r->gen->study.folds.inner = 2;
	gen_phase(r->gen, "search");
	gen_random(r->gen, 4);
	gen_phase(r->gen, "retrain")->folds = FOLDS_NONE;
	gen_after_best(r->gen, "search", 1);
	start(r, 0);
	up(r, 0, 8);
	done(r, 1, 0.1);
	failed(r, 2, REASON_EXIT, 1); /* trial 1 would have won, but is incomplete */
	done(r, 3, 0.5);
	done(r, 4, 0.25);
	done(r, 5, 0.375);
	done(r, 6, 0.375); /* the same mean, but a higher number */
	done(r, 7, 0.1);
	assert_int_equal(sched_trial_count(r->sched), 4);
	failed(r, 8, REASON_NO_METRIC, 0);
	assert_int_equal(sched_trial_count(r->sched), 5);
	sched_trial(r->sched, 5, &v);
	assert_int_equal(v.parents[0], 2);
	done(r, 9, 0.3);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_UNITS);
	assert_non_null(strstr(r->text, "2 units failed"));
	replayed(r);
	run_finish(r);
}

static void no_valid_candidate_blocks(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "search");
	gen_random(r->gen, 2);
	gen_phase(r->gen, "retrain");
	gen_after_best(r->gen, "search", 1);
	gen_phase(r->gen, "more");
	gen_after(r->gen, "retrain");
	start(r, 0);
	up(r, 0, 2);
	done(r, 1, NAN);
	done(r, 2, INFINITY);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_UNITS);
	assert_non_null(strstr(r->text, "retrain"));
	assert_int_equal(sched_trial_count(r->sched), 2);
	run_finish(r);
}

static void best_per_and_as_one(void **state)
{
	const uint32_t per = 0, per_phase = 0;
	struct run *r = run_new();
	struct after *x;
	struct trial_view v;

	(void)state;
	gen_phase(r->gen, "arch");
	gen_grid(r->gen, 2);
	gen_phase(r->gen, "search")->goal = GOAL_MAXIMIZE;
	gen_after(r->gen, "arch");
	gen_random(r->gen, 2);
	gen_phase(r->gen, "each");
	x = gen_after_best(r->gen, "search", 1);
	x->per = &per;
	x->per_phase = &per_phase;
	x->nper = 1;
	gen_phase(r->gen, "ensemble");
	gen_after_best(r->gen, "search", 3)->as_one = true;
	start(r, 0);
	up(r, 0, 8);
	done(r, 1, 0);
	done(r, 2, 0);
	done(r, 3, 0.1); /* arch 0 */
	done(r, 4, 0.2);
	done(r, 5, 0.9); /* arch 1 */
	done(r, 6, 0.8);
	assert_int_equal(sched_trial_count(r->sched), 6 + 2 + 1);
	for (uint32_t t = 7; t <= 9; t++) {
		sched_trial(r->sched, t, &v);
		if (v.phase == 3) {
			assert_int_equal(v.nparents, 3);
			assert_int_equal(v.parents[0], 5);
			assert_int_equal(v.parents[1], 6);
			assert_int_equal(v.parents[2], 4);
		} else {
			assert_true(v.parents[0] == (t == 7 ? 5 : 4));
		}
	}
	replayed(r);
	run_finish(r);
}

static void total_is_one_group(void **state)
{
	struct run *r = run_new();
	struct study_phase *p;
	uint32_t seen = 0;

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 3);
	p = gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	gen_random(r->gen, 10);
	p->trials_total = true;
	start(r, 0);
	assert_int_equal(sched_trial_count(r->sched), 13);
	for (uint32_t t = 4; t <= 13; t++) {
		struct trial_view v;

		sched_trial(r->sched, t, &v);
		assert_int_equal(v.k, t - 4);
		assert_in_range(v.parents[0], 1, 3);
		seen |= 1u << v.parents[0];
	}
	assert_int_equal(seen, 2 | 4 | 8);
	replayed(r);
	run_finish(r);
}

static void nested_folds_keep_their_searches_apart(void **state)
{
	struct run *r = run_new();
	uint32_t per_outer[4] = {0};

	(void)state;
	r->gen->study.folds = (struct folds){.inner = 2, .outer = 2};
	gen_phase(r->gen, "search");
	gen_random(r->gen, 2);
	gen_phase(r->gen, "test")->folds = FOLDS_OUTER;
	gen_after_best(r->gen, "search", 1);
	gen_phase(r->gen, "final")->folds = FOLDS_NONE;
	gen_after_best(r->gen, "test", 1);
	start(r, 0);
	up(r, 0, 64);
	/* search: outer -1 (full), 0, 1 with two trials of two folds each */
	assert_int_equal(sched_trial_count(r->sched), 6);
	for (uint32_t u = 1; u <= 12; u++) {
		struct unit_view v;

		sched_unit(r->sched, u, &v);
		per_outer[v.outer + 1]++;
		/* outer 0 likes its first trial, the others their second */
		done(r, u, (v.trial % 2 == 1) == (v.outer == 0) ? 0.1 : 0.2);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(per_outer[i], 4);
	assert_int_equal(sched_trial_count(r->sched), 9);
	for (uint32_t t = 7; t <= 9; t++) {
		struct trial_view v, up_view;

		sched_trial(r->sched, t, &v);
		sched_trial(r->sched, v.parents[0], &up_view);
		assert_int_equal(v.nunits, 1);
		assert_int_equal(v.outer, up_view.outer);
		assert_int_equal(up_view.k, v.outer == 0 ? 0 : 1);
		done(r, v.first_unit, 0.5);
	}
	assert_int_equal(sched_trial_count(r->sched), 10);
	done(r, 16, 0.5);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	replayed(r);
	run_finish(r);
}

/* ---- failures
 * ---------------------------------------------------------------------------------------------- */
static void retries_back_off_and_then_block(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a")->limits.retries = 2;
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	gen_phase(r->gen, "c");
	gen_after(r->gen, "b");
	gen_phase(r->gen, "other");
	start(r, 0);
	up(r, 0, 1);
	failed(r, 1, REASON_EXIT, 3);
	assert_state(r, 1, "ready");
	assert_string_equal(assigned(r), "1@0 2@0"); /* backs off: the other one first */
	done(r, 2, 1);
	assert_int_equal(sched_next_tick_ms(r->sched), 1000);
	tick(r, 999);
	assert_string_equal(assigned(r), "");
	tick(r, 1);
	assert_string_equal(assigned(r), "1@0");
	failed(r, 1, REASON_EXIT, 3);
	assert_int_equal(sched_next_tick_ms(r->sched), r->now_ms + 2000);
	tick(r, 2000);
	failed(r, 1, REASON_EXIT, 3);
	assert_state(r, 1, "failed");
	assert_state(r, 3, "blocked");
	assert_state(r, 4, "blocked");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_UNITS);
	assert_string_equal(r->text, "1 unit failed, 2 blocked");
	replayed(r);
	run_finish(r);
}

static void what_is_not_retried(void **state)
{
	const enum reason reasons[] = {REASON_NO_METRIC, REASON_BAD_METRIC};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct run *r = run_new();

		gen_phase(r->gen, "a")->limits.retries = 2;
		start(r, 0);
		up(r, 0, 1);
		failed(r, 1, reasons[i], 0);
		assert_state(r, 1, "failed");
		run_finish(r);
	}
}

static void requeue_is_no_failure_unless_it_stands_still(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	start(r, 0);
	up(r, 0, 1);
	for (int i = 0; i < 10; i++) {
		struct event e = about(r, EVENT_FINISHED, 1);

		e.result.reason = REASON_REQUEUE;
		e.result.requeue = true;
		e.result.exit_code = 75;
		e.result.new_step = i < 7;
		send(r, &e);
		assert_state(r, 1, i < 9 ? "running" : "failed");
	}
	run_finish(r);
}

static void lost_workers_count_apart(void **state)
{
	struct run *r = run_new();
	struct unit_view v;

	(void)state;
	gen_phase(r->gen, "a")->limits.lost_limit = 2;
	start(r, 0);
	for (uint32_t i = 0; i < 4; i++)
		up(r, i, 1);
	for (uint32_t i = 0; i < 3; i++) {
		sched_unit(r->sched, 1, &v);
		assert_int_equal(v.fact.losses, i);
		send(r, &(struct event){.kind = EVENT_WORKER_LOST, .worker = v.worker});
	}
	sched_unit(r->sched, 1, &v);
	assert_state(r, 1, "failed");
	assert_int_equal(v.fact.reason, REASON_LOST);
	assert_int_equal(v.fact.failures, 0);
	run_finish(r);
}

static void no_worker_left(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	start(r, 0);
	assert_false(r->finished); /* none has come yet */
	up(r, 0, 1);
	send(r, &(struct event){.kind = EVENT_WORKER_LOST, .worker = 0});
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_WORKER);
	assert_state(r, 1, "ready");
	run_finish(r);
}

static void first_ten_alike_stop_the_run(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 20);
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	gen_random(r->gen, 1);
	start(r, 0);
	up(r, 0, 12);
	for (uint32_t u = 1; u <= 10; u++)
		failed(r, u, REASON_EXIT, 127);
	assert_false(r->finished); /* others are still live */
	assert_int_equal(count_actions(r, ACTION_CANCEL), 10);
	for (uint32_t u = 11; u <= 22; u++) {
		struct unit_view v;

		sched_unit(r->sched, u, &v);
		if (v.live)
			failed(r, u, REASON_SIGNAL, -1);
	}
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_UNITS);
	assert_non_null(strstr(r->text, "exit code 127"));
	for (uint32_t u = 1; u <= 20; u++)
		assert_state(r, u, "ready");
	for (uint32_t u = 21; u <= 40; u++)
		assert_state(r, u, "waiting");
	replayed(r);
	run_finish(r);
}

static void ten_that_differ_do_not(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 20);
	start(r, 0);
	up(r, 0, 20);
	for (uint32_t u = 1; u <= 12; u++)
		failed(r, u, REASON_EXIT, u == 3 ? 2 : 1);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 0);
	assert_state(r, 12, "failed");
	run_finish(r);
}

/* ---- stopping
 * ---------------------------------------------------------------------------------------------- */
static void stop_cancels_and_can_go_on(void **state)
{
	struct run *r = run_new();
	struct sched *again;
	struct actions out = {.scratch = &r->scratch};

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 3);
	start(r, 1);
	up(r, 0, 1);
	send(r, &(struct event){.kind = EVENT_STOP});
	assert_int_equal(count_actions(r, ACTION_CANCEL), 2); /* the running one and the one held */
	failed(r, 1, REASON_REQUEUE, -1);
	assert_false(r->finished);
	send(r, &(struct event){.kind = EVENT_RECALLED, .unit = 2, .lease = 2, .worker = 0});
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_STOPPED);
	assert_state(r, 1, "ready");
	again = replayed(r);
	sched_resume(again, 0, &out);
	assert_int_equal(out.count, 0);
	run_finish(r);
}

static void target_ends_the_study(void **state)
{
	struct run *r = run_new();

	(void)state;
	r->gen->study.has_target = true;
	r->gen->study.stop_target = 0.1;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 9);
	start(r, 0);
	up(r, 0, 2);
	done(r, 1, 0.5);
	done(r, 2, 0.1);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 1);
	failed(r, 3, REASON_SIGNAL, -1);
	assert_state(r, 3, "ready");
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	run_finish(r);
}

/* ---- workers
 * ----------------------------------------------------------------------------------------------- */
static void capacity_is_kept(void **state)
{
	struct run *r = run_new();
	struct study_phase *p;

	(void)state;
	p = gen_phase(r->gen, "big");
	gen_random(r->gen, 2);
	p->limits.cpus = 3;
	gen_phase(r->gen, "small");
	gen_random(r->gen, 4);
	start(r, 0);
	up(r, 0, 4);
	assert_string_equal(assigned(r), "1@0 3@0");
	done(r, 3, 1);
	assert_string_equal(assigned(r), "4@0");
	done(r, 1, 1);
	assert_string_equal(assigned(r), "2@0");
	run_finish(r);
}

static void gpus_and_memory_are_capacity(void **state)
{
	struct run *r = run_new();
	struct study_phase *p;

	(void)state;
	p = gen_phase(r->gen, "gpu");
	gen_random(r->gen, 2);
	p->limits.gpus = 1;
	p = gen_phase(r->gen, "fat");
	gen_random(r->gen, 3);
	p->limits.memory_bytes = 600;
	start(r, 0);
	send(r, &(struct event){
	            .kind = EVENT_WORKER_UP, .worker = 0, .cpus = 8, .gpus = 1, .memory_bytes = 1000});
	assert_string_equal(assigned(r), "1@0 3@0");
	up(r, 1, 8); /* memory unknown: not counted; no gpu */
	assert_string_equal(assigned(r), "4@1 5@1");
	run_finish(r);
}

static void a_unit_too_large_for_all_is_named(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "huge")->limits.cpus = 64;
	gen_phase(r->gen, "small");
	start(r, 0);
	up(r, 0, 2);
	done(r, 2, 1);
	assert_false(r->finished); /* a larger one may come */
	assert_true(sched_next_tick_ms(r->sched) < INT64_MAX);
	tick(r, sched_next_tick_ms(r->sched) - r->now_ms);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_UNITS);
	assert_non_null(strstr(r->text, "huge"));
	assert_non_null(strstr(r->text, "64 cpus"));
	run_finish(r);
}

static void held_units_are_recalled_for_idle_workers(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 3);
	start(r, 1);
	up(r, 0, 1);
	assert_string_equal(assigned(r), "1@0 2@0"); /* one runs, one is held */
	up(r, 1, 1);
	assert_string_equal(assigned(r), "3@1");
	done(r, 3, 1); /* worker 1 is idle, worker 0 holds unit 2 */
	assert_int_equal(count_actions(r, ACTION_RECALL), 1);
	tick(r, 1);
	assert_int_equal(count_actions(r, ACTION_RECALL), 1); /* one in flight */
	send(r, &(struct event){.kind = EVENT_RECALLED, .unit = 2, .lease = 2, .worker = 0});
	assert_string_equal(assigned(r), "2@1");
	done(r, 1, 1);
	done(r, 2, 1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	assert_int_equal(r->records[r->nrecords - 1].fact.attempts, 1); /* the attempt was given back */
	replayed(r);
	run_finish(r);
}

static uint32_t live(struct run *r)
{
	uint32_t n = 0;

	for (uint32_t u = 1; u <= sched_unit_count(r->sched); u++) {
		struct unit_view v;

		sched_unit(r->sched, u, &v);
		n += v.live;
	}
	return n;
}

static void brief_units_are_held_in_numbers(void **state)
{
	static const struct {
		int64_t ms; /* of a unit */
		uint32_t held;
	} rows[] = {{100, 1}, {5, 6}, {1, 8}, {100, 1}};
	struct run *r = run_new();
	uint32_t unit = 1;

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 300);
	start_with(r, &(struct sched_options){.prefetch_per_slot = 1, .prefetch_short = 8, .short_ms = 33});
	up(r, 0, 1);
	assert_int_equal(live(r), 1 + 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (int k = 0; k < 60; k++) {
			r->now_ms += rows[i].ms;
			done(r, unit++, 1);
		}
		assert_int_equal(live(r), 1 + rows[i].held);
	}
	run_finish(r);
}

static void a_recall_that_crosses_a_start_is_void(void **state)
{
	struct run *r = run_new();
	struct event e;

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 3);
	start(r, 1);
	up(r, 0, 1);
	up(r, 1, 1);
	done(r, 3, 1);
	assert_int_equal(count_actions(r, ACTION_RECALL), 1);
	done(r, 1, 1); /* worker 0 starts unit 2 by itself */
	e = about(r, EVENT_STARTED, 2);
	send(r, &e);
	e.kind = EVENT_RECALLED;
	send(r, &e);
	assert_state(r, 2, "running");
	done(r, 2, 1);
	assert_true(r->finished);
	run_finish(r);
}

/* Worker 0 (3 cpus) runs three small units and holds a large one. Two end, one after the other; it starts the
 * large one, while rank 0 has sent two more small ones for the room it saw. */
static void the_worker_is_right_about_what_it_started(void **state)
{
	struct run *r = run_new();
	struct event e;

	(void)state;
	gen_phase(r->gen, "small");
	gen_random(r->gen, 3);
	gen_phase(r->gen, "large")->limits.cpus = 2;
	gen_phase(r->gen, "late");
	gen_after(r->gen, "small");
	gen_random(r->gen, 1);
	start(r, 1);
	up(r, 0, 3);
	assert_string_equal(assigned(r), "2@0 3@0 4@0 1@0");
	e = about(r, EVENT_STARTED, 4);
	send(r, &e);
	done(r, 2, 1);
	done(r, 3, 1);
	assert_string_equal(assigned(r), "5@0 6@0");
	e = about(r, EVENT_STARTED, 1);
	send(r, &e);
	up(r, 1, 2); /* what is held, and recalled, are the small ones */
	assert_int_equal(r->log[r->nlog - 1].kind, ACTION_RECALL);
	assert_in_range(r->log[r->nlog - 1].unit, 5, 6);
	done(r, 1, 1);
	for (uint32_t u = 4; u <= 7; u++)
		done(r, u, 1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	run_finish(r);
}

static void stale_and_wild_messages_change_nothing(void **state)
{
	const enum event_kind kinds[] = {EVENT_STARTED,  EVENT_FINISHED,  EVENT_RECALLED,
	                                 EVENT_PROPOSED, EVENT_EXHAUSTED, EVENT_WORKER_LOST};
	const uint32_t wild[] = {0, 1, 2, 99, UINT32_MAX};
	struct run *r = run_new();
	const char *before;
	struct event late;
	uint32_t records;

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 2);
	start(r, 0);
	up(r, 7, 1);
	late = about(r, EVENT_FINISHED, 1);
	done(r, 1, 1);
	before = sched_dump(r->sched, &r->scratch);
	records = r->nrecords;
	send(r, &late);
	for (size_t k = 0; k < 6; k++)
		for (size_t i = 0; i < 5; i++)
			for (size_t j = 0; j < 5; j++) {
				struct event e = {.kind = kinds[k],
				                  .unit = wild[i],
				                  .lease = wild[j],
				                  .group = wild[i],
				                  .parent = wild[j],
				                  .worker = wild[i]};

				send(r, &e);
			}
	assert_string_equal(sched_dump(r->sched, &r->scratch), before);
	assert_int_equal(r->nrecords, records);
	run_finish(r);
}

/* ---- resume
 * ------------------------------------------------------------------------------------------------- */
static void a_resume_loses_what_ran_and_repeats_nothing(void **state)
{
	struct run *r = run_new();
	struct unit_view v;

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 3);
	start(r, 0);
	up(r, 0, 2);
	done(r, 1, 1);
	r->sched = replayed(r);
	r->gen->phases[0].trials = 5; /* and the study was extended */
	tick(r, 0);
	assert_int_equal(sched_trial_count(r->sched), 5);
	assert_state(r, 1, "done");
	assert_state(r, 2, "ready");
	sched_unit(r->sched, 2, &v);
	assert_int_equal(v.fact.losses, 1);
	assert_int_equal(v.fact.attempts, 1);
	up(r, 0, 8);
	for (uint32_t u = 2; u <= 5; u++)
		done(r, u, 1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	run_finish(r);
}

/* What may still run elsewhere begins again only when it cannot any more, whatever users do to it. */
static void a_fence_holds_back_what_may_still_run(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 3);
	start(r, 0);
	up(r, 0, 2);
	r->seen = r->nlog;
	r->sched = replayed(r);
	sched_fence(r->sched, 1, 5000);
	tick(r, 0);
	up(r, 0, 1);
	assert_string_equal(assigned(r), "2@0 3@0");
	request(r, REQUEST_HOLD, 1);
	request(r, REQUEST_RELEASE, 1);
	request(r, REQUEST_RESET, 1);
	done(r, 2, 1);
	done(r, 3, 1);
	assert_false(r->finished);
	assert_int_equal(sched_next_tick_ms(r->sched), 5000);
	tick(r, 4999);
	assert_string_equal(assigned(r), "");
	tick(r, 1);
	assert_string_equal(assigned(r), "1@0");
	done(r, 1, 1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	run_finish(r);
}

static void a_longer_grid_adds_its_new_points_only(void **state)
{
	struct run *r = run_new();
	struct choice more[4] = {{"2", 2, true}, {"9", 9, true}, {"0", 0, true}, {"1", 1, true}};
	struct param x;

	(void)state;
	gen_phase(r->gen, "a");
	gen_grid(r->gen, 3);
	start(r, 0);
	assert_int_equal(sched_trial_count(r->sched), 3);
	up(r, 0, 8);
	r->sched = replayed(r);
	x = r->gen->phases[0].space.params[0];
	x.choices = more;
	x.nchoices = 4;
	r->gen->phases[0].space.params = &x;
	tick(r, 0);
	assert_int_equal(sched_trial_count(r->sched), 4);
	run_finish(r);
}

/* An accepted edit made the trials between forget: their numbers stay unused, and nothing else changes. */
static void numbers_left_out_stay_unused(void **state)
{
	const struct value v = {.kind = VALUE_REAL};
	const struct record first = {
	    .kind = RECORD_TRIAL, .trial = 3, .first_unit = 5, .outer = -1, .values = &v, .key = {1, 1}};
	struct run *r = run_new();
	struct unit_view u;
	struct fault f;

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 2);
	r->study = gen_seal(r->gen);
	r->sched = sched_new(&r->arena, r->study, &(struct sched_options){0});
	assert_int_equal(sched_apply(r->sched, &first, &f), 0);
	assert_int_equal(
	    sched_apply(r->sched,
	                &(struct record){.kind = RECORD_UNIT, .unit = 2, .fact = {.state = UNIT_DONE}}, &f),
	    -1);
	tick(r, 0);
	assert_null(sched_audit(r->sched, &r->arena));
	assert_int_equal(sched_trial_count(r->sched), 4); /* one more of two */
	sched_unit(r->sched, 2, &u);
	assert_int_equal(u.trial, 0);
	sched_unit(r->sched, 5, &u);
	assert_int_equal(u.trial, 3);
	sched_unit(r->sched, 6, &u);
	assert_int_equal(u.trial, 4);
	run_finish(r);
}

static void damaged_records_are_refused(void **state)
{
	const uint32_t parents[] = {1};
	const struct value v = {.kind = VALUE_REAL};
	const struct record first = {
	    .kind = RECORD_TRIAL, .trial = 1, .outer = -1, .values = &v, .key = {1, 1}};
	struct {
		const char *what;
		struct record r;
	} rows[] = {
	    {"trial again", {.kind = RECORD_TRIAL, .trial = 1, .outer = -1, .values = &v, .key = {2, 2}}},
	    {"units again",
	     {.kind = RECORD_TRIAL, .trial = 2, .first_unit = 1, .outer = -1, .values = &v, .key = {2, 2}}},
	    {"gap too large",
	     {.kind = RECORD_TRIAL, .trial = 1u << 25, .outer = -1, .values = &v, .key = {2, 2}}},
	    {"unknown phase", {.kind = RECORD_TRIAL, .trial = 2, .phase = 9, .outer = -1, .values = &v}},
	    {"unknown outer fold", {.kind = RECORD_TRIAL, .trial = 2, .outer = 4, .values = &v}},
	    {"same key", {.kind = RECORD_TRIAL, .trial = 2, .outer = -1, .values = &v, .key = {1, 1}}},
	    {"parents of a root",
	     {.kind = RECORD_TRIAL,
	      .trial = 2,
	      .outer = -1,
	      .values = &v,
	      .parents = parents,
	      .nparents = 1}},
	    {"no parents", {.kind = RECORD_TRIAL, .trial = 2, .phase = 1, .outer = -1}},
	    {"no values", {.kind = RECORD_TRIAL, .trial = 2, .outer = -1}},
	    {"unknown unit", {.kind = RECORD_UNIT, .unit = 9}},
	    {"unit 0", {.kind = RECORD_UNIT, .unit = 0}},
	    {"unknown state", {.kind = RECORD_UNIT, .unit = 1, .fact = {.state = (enum unit_state)77}}},
	    {"pick of a stranger", {.kind = RECORD_PICK, .trial = 8, .outer = -1, .last = true}},
	    {"the last rung", {.kind = RECORD_RUNG, .trial = 1, .rung = 2}},
	    {"no rung", {.kind = RECORD_RUNG, .trial = 1, .rung = UINT32_MAX}},
	    {"unknown kind", {.kind = (enum record_kind)99}},
	};
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 3);
	gen_rungs(r->gen, 3, true);
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	r->study = gen_seal(r->gen);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sched_options o = {0};
		struct sched *s = sched_new(&r->arena, r->study, &o);
		struct fault f = {0};

		assert_int_equal(sched_apply(s, &first, &f), 0);
		if (sched_apply(s, &rows[i].r, &f) != -1)
			fail_msg("accepted: %s", rows[i].what);
		assert_int_equal(f.code, FAULT_IO);
	}
	run_finish(r);
}

/* ---- what a command sees
 * ------------------------------------------------------------------------------------- */
static void the_context_of_a_command(void **state)
{
	struct run *r = run_new();
	struct command_context x;

	(void)state;
	r->gen->study.folds.inner = 2;
	gen_phase(r->gen, "pre")->makes_dir = true;
	gen_random(r->gen, 1);
	gen_phase(r->gen, "fine");
	gen_after(r->gen, "pre");
	gen_phase(r->gen, "re")->folds = FOLDS_NONE;
	gen_after_best(r->gen, "fine", 1);
	start(r, 0);
	up(r, 0, 8);
	done(r, 1, 0.5);
	done(r, 2, 0.25);
	done(r, 3, 4);
	done(r, 4, 6);
	sched_command_context(r->sched, 4, 1, "/o", &r->arena, &x);
	assert_int_equal(x.fold, 1);
	assert_int_equal(x.outer_fold, -1);
	assert_int_equal(x.trial, 2);
	assert_string_equal(x.dir, "");
	assert_int_equal(x.parents[0].ndirs, 1);
	assert_string_equal(x.parents[0].dirs[0], "/o/dir/pre/t1/f1");
	assert_true(x.parents[0].value == 0.25); /* of its own fold: others may not be done */
	assert_int_equal(x.parents[0].trial, 1);
	assert_ptr_equal(x.scope.by_phase[0], r->records[0].values);
	assert_in_range(x.seed, 1, INT32_MAX);
	sched_command_context(r->sched, 5, 1, "/o", &r->arena, &x);
	assert_int_equal(x.parents[0].ndirs, 2); /* all folds */
	assert_string_equal(x.parents[0].dirs[1], "/o/dir/pre/t1/f1");
	assert_true(x.parents[0].value == 0.375);
	assert_true(x.parents[1].value == 5);
	assert_int_equal(x.fold, -1);
	run_finish(r);
}

static void what_is_planned_behind_a_pick(void **state)
{
	struct run *r = run_new();
	struct sched_counts c;

	(void)state;
	r->gen->study.folds.inner = 3;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 4);
	gen_phase(r->gen, "b");
	gen_after_best(r->gen, "a", 2);
	gen_random(r->gen, 5);
	start(r, 0);
	sched_counts(r->sched, UINT32_MAX, &c);
	assert_int_equal(c.by_state[UNIT_READY], 12);
	assert_int_equal(c.planned, 2 * 5 * 3);
	sched_counts(r->sched, 0, &c);
	assert_int_equal(c.planned, 0);
	run_finish(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_chain_of_two_phases),
	    cmocka_unit_test(a_diamond_agrees_on_its_top),
	    cmocka_unit_test(folds_depend_fold_by_fold),
	    cmocka_unit_test(begun_trials_come_first),
	    cmocka_unit_test(a_failed_fold_sends_the_others_last),
	    cmocka_unit_test(the_best_is_picked_when_all_are_final),
	    cmocka_unit_test(no_valid_candidate_blocks),
	    cmocka_unit_test(best_per_and_as_one),
	    cmocka_unit_test(total_is_one_group),
	    cmocka_unit_test(nested_folds_keep_their_searches_apart),
	    cmocka_unit_test(retries_back_off_and_then_block),
	    cmocka_unit_test(what_is_not_retried),
	    cmocka_unit_test(requeue_is_no_failure_unless_it_stands_still),
	    cmocka_unit_test(lost_workers_count_apart),
	    cmocka_unit_test(no_worker_left),
	    cmocka_unit_test(first_ten_alike_stop_the_run),
	    cmocka_unit_test(ten_that_differ_do_not),
	    cmocka_unit_test(stop_cancels_and_can_go_on),
	    cmocka_unit_test(target_ends_the_study),
	    cmocka_unit_test(capacity_is_kept),
	    cmocka_unit_test(gpus_and_memory_are_capacity),
	    cmocka_unit_test(a_unit_too_large_for_all_is_named),
	    cmocka_unit_test(held_units_are_recalled_for_idle_workers),
	    cmocka_unit_test(brief_units_are_held_in_numbers),
	    cmocka_unit_test(a_recall_that_crosses_a_start_is_void),
	    cmocka_unit_test(the_worker_is_right_about_what_it_started),
	    cmocka_unit_test(stale_and_wild_messages_change_nothing),
	    cmocka_unit_test(a_resume_loses_what_ran_and_repeats_nothing),
	    cmocka_unit_test(a_fence_holds_back_what_may_still_run),
	    cmocka_unit_test(a_longer_grid_adds_its_new_points_only),
	    cmocka_unit_test(numbers_left_out_stay_unused),
	    cmocka_unit_test(damaged_records_are_refused),
	    cmocka_unit_test(the_context_of_a_command),
	    cmocka_unit_test(what_is_planned_behind_a_pick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
