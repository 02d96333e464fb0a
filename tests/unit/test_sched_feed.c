/* Searches that learn are asked for a trial when there is room for it, and not before. */
#include "hand.h"

static struct study_phase *learning(struct run *r, const char *name, int64_t trials)
{
	struct study_phase *p = gen_phase(r->gen, name);

	gen_random(r->gen, trials);
	p->search = SEARCH_TPE;
	return p;
}

static void one_trial_for_each_free_slot(void **state)
{
	struct run *r = run_new();

	(void)state;
	learning(r, "a", 5);
	start(r, 0);
	assert_int_equal(sched_trial_count(r->sched), 0);
	assert_false(r->finished);
	up(r, 0, 1);
	assert_string_equal(assigned(r), "1@0");
	assert_int_equal(sched_trial_count(r->sched), 1);
	up(r, 1, 3);
	assert_string_equal(assigned(r), "2@1 3@1 4@1");
	done(r, 3, 0.5);
	assert_string_equal(assigned(r), "5@1");
	assert_int_equal(sched_trial_count(r->sched), 5);
	for (uint32_t u = 1; u <= 5; u++)
		if (u != 3)
			done(r, u, 0.1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	assert_int_equal(sched_trial_count(r->sched), 5);
	replayed(r);
	run_finish(r);
}

static void folds_come_before_a_new_trial(void **state)
{
	struct run *r = run_new();

	(void)state;
	r->gen->study.folds.inner = 3;
	learning(r, "a", 4);
	start(r, 0);
	up(r, 0, 2);
	assert_string_equal(assigned(r), "1@0 2@0");
	done(r, 1, 0.5);
	assert_int_equal(sched_trial_count(r->sched), 1);
	done(r, 2, 0.5); /* the third fold runs: there is room beside it */
	assert_string_equal(assigned(r), "3@0 4@0");
	assert_int_equal(sched_trial_count(r->sched), 2);
	run_finish(r);
}

static void nothing_is_proposed_before_its_parent_is_done(void **state)
{
	struct run *r = run_new();

	(void)state;
	learning(r, "top", 2);
	learning(r, "below", 2);
	gen_after(r->gen, "top");
	start(r, 0);
	up(r, 0, 8);
	assert_string_equal(assigned(r), "1@0 2@0"); /* and six slots that nothing could start in */
	assert_int_equal(sched_trial_count(r->sched), 2);
	done(r, 2, 0.5);
	assert_string_equal(assigned(r), "3@0 4@0");
	done(r, 3, 0.5);
	done(r, 4, 0.5);
	assert_int_equal(sched_trial_count(r->sched), 4);
	assert_false(r->finished);
	done(r, 1, 0.5);
	done(r, 5, 0.5);
	done(r, 6, 0.5);
	assert_true(r->finished);
	replayed(r);
	run_finish(r);
}

static void parents_take_turns(void **state)
{
	struct run *r = run_new();
	struct trial_view v, w;

	(void)state;
	gen_phase(r->gen, "top");
	gen_random(r->gen, 2);
	learning(r, "below", 3);
	gen_after(r->gen, "top");
	start(r, 0);
	up(r, 0, 2);
	done(r, 1, 0.5);
	done(r, 2, 0.5);
	done(r, 3, 0.5);
	assert_int_equal(sched_trial_count(r->sched), 5);
	sched_trial(r->sched, 4, &v);
	sched_trial(r->sched, 5, &w);
	assert_int_not_equal(v.parents[0], w.parents[0]);
	run_finish(r);
}

static void below_a_dead_parent_all_is_blocked(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "top");
	gen_random(r->gen, 2);
	learning(r, "below", 2);
	gen_after(r->gen, "top");
	gen_phase(r->gen, "last")->folds = FOLDS_NONE;
	gen_after_best(r->gen, "below", 1);
	start(r, 0);
	up(r, 0, 1);
	failed(r, 1, REASON_EXIT, 1);
	assert_int_equal(sched_trial_count(r->sched), 4);
	assert_state(r, 3, "blocked");
	assert_state(r, 4, "blocked");
	done(r, 2, 0.5);
	done(r, 5, 0.5);
	done(r, 6, 0.4);
	assert_state(r, 7, "running"); /* the pick does not wait for what cannot come */
	done(r, 7, 1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_UNITS);
	replayed(r);
	run_finish(r);
}

static void no_worker_is_large_enough(void **state)
{
	struct run *r = run_new();

	(void)state;
	learning(r, "a", 5)->limits.cpus = 4;
	start(r, 0);
	up(r, 0, 1);
	assert_false(r->finished);
	assert_int_equal(sched_trial_count(r->sched), 1);
	tick(r, 2001);
	assert_true(r->finished);
	assert_non_null(strstr(r->text, "no worker can hold a unit of phase a"));
	run_finish(r);
}

/* Where a round trip would show, and only there, a unit more is proposed for each worker to hold. */
static void short_units_are_proposed_ahead(void **state)
{
	struct run *r = run_new();
	uint32_t u;

	(void)state;
	learning(r, "a", 100);
	start(r, 1);
	up(r, 0, 1);
	assert_int_equal(sched_trial_count(r->sched), 1);
	for (u = 1; u < 40 && sched_trial_count(r->sched) <= u; u++) {
		r->now_ms += 10;
		done(r, u, 0.5);
	}
	assert_in_range(u, 2, 39);
	assert_int_equal(sched_trial_count(r->sched), u + 1);
	run_finish(r);
}

/* Both workers end a unit of about this length, and the search takes its time for each answer. */
static void round_of(struct run *r, int64_t unit_ms, int64_t answer_ms)
{
	for (uint32_t w = 0; w < 2; w++) {
		uint32_t unit = 0, n = sched_unit_count(r->sched);
		struct unit_view v;

		for (uint32_t u = n; u > 0; u--) {
			sched_unit(r->sched, u, &v);
			if (v.live && v.worker == w)
				unit = u; /* the oldest is the one that runs */
		}
		r->now_ms += unit_ms / 2;
		r->answering = true;
		done(r, unit, 0.5);
		for (; r->answered < r->nwants; r->answered++) {
			r->now_ms += answer_ms;
			answer(r, r->wants[r->answered].group, r->wants[r->answered].n);
		}
		r->answering = false;
	}
}

static uint32_t ahead_after_rounds(int64_t unit_ms, int64_t answer_ms)
{
	struct run *r = run_new();
	uint32_t rounds = 30, ahead;

	learning(r, "a", 1000);
	start(r, 1);
	up(r, 0, 1);
	up(r, 1, 1);
	for (uint32_t i = 0; i < rounds; i++)
		round_of(r, unit_ms, answer_ms);
	ahead = sched_trial_count(r->sched) - 2 * rounds - 2;
	run_finish(r);
	return ahead;
}

/* So that no worker waits for a model: but no further ahead than that, and not where waiting is nothing. */
static void slow_searches_are_asked_ahead(void **state)
{
	(void)state;
	assert_int_equal(ahead_after_rounds(4000, 100), 1);
	assert_int_equal(ahead_after_rounds(1000, 600), 2);
	assert_int_equal(ahead_after_rounds(60000, 100), 0);
	assert_int_equal(ahead_after_rounds(4000, 1), 0);
}

static void of_a_total_only_ready_parents(void **state)
{
	struct run *r = run_new();
	uint32_t group;

	(void)state;
	gen_phase(r->gen, "top");
	gen_random(r->gen, 2);
	learning(r, "below", 4)->trials_total = true;
	gen_after(r->gen, "top");
	start(r, 0);
	up(r, 0, 2);
	done(r, 1, 0.5);
	group = r->wants[r->nwants - 1].group;
	assert_true(sched_group_ready(r->sched, group, 0) != sched_group_ready(r->sched, group, 1));
	run_finish(r);
}

static void what_a_search_learns(void **state)
{
	struct run *r = run_new();
	double value, step;

	(void)state;
	r->gen->study.folds.inner = 2;
	learning(r, "a", 3);
	start(r, 0);
	up(r, 0, 6);
	done(r, 1, 0.5);
	assert_int_equal(sched_trial_end(r->sched, 1, &value, &step), TRIAL_OPEN);
	done(r, 2, 0.7);
	assert_int_equal(sched_trial_end(r->sched, 1, &value, &step), TRIAL_COMPLETE);
	assert_float_equal(value, 0.6, 1e-12);
	failed(r, 3, REASON_EXIT, 1);
	assert_int_equal(sched_trial_end(r->sched, 2, &value, &step), TRIAL_FAILED);
	run_finish(r);
}

/* `metric: best(below)`: known when all that comes after a trial is final. */
static void judged_by_what_comes_after(void **state)
{
	struct run *r = run_new();
	struct study_phase *top;
	double value, step;

	(void)state;
	top = learning(r, "top", 2);
	top->metric = NULL;
	top->judged = true;
	top->judge = 1;
	top->goal = GOAL_MAXIMIZE;
	learning(r, "below", 2)->goal = GOAL_MAXIMIZE;
	gen_after(r->gen, "top");
	start(r, 0);
	up(r, 0, 1);
	done(r, 1, NAN);
	assert_int_equal(sched_trial_end(r->sched, 1, &value, &step), TRIAL_OPEN);
	for (uint32_t u = 2; u <= 6; u++)
		done(r, u, u);
	assert_true(r->finished);
	for (uint32_t t = 1; t <= 6; t++) {
		struct trial_view v, child;
		double best = 0;

		sched_trial(r->sched, t, &v);
		if (v.phase != 0)
			continue;
		for (uint32_t c = 1; c <= 6; c++) {
			sched_trial(r->sched, c, &child);
			if (child.nparents && child.parents[0] == t && child.value > best)
				best = child.value;
		}
		assert_int_equal(sched_trial_end(r->sched, t, &value, &step), TRIAL_COMPLETE);
		assert_float_equal(value, best, 0);
	}
	run_finish(r);
}

/* `reproducible`: trial k waits for trial k - 2, and for no other. */
static void reproducible_waits_for_results(void **state)
{
	struct run *r = run_new();

	(void)state;
	r->gen->study.reproducible = 2;
	learning(r, "a", 5);
	start(r, 0);
	up(r, 0, 8);
	assert_int_equal(sched_trial_count(r->sched), 2);
	done(r, 2, 0.5);
	assert_int_equal(sched_trial_count(r->sched), 2);
	done(r, 1, 0.5);
	assert_int_equal(sched_trial_count(r->sched), 4);
	failed(r, 3, REASON_EXIT, 1);
	assert_int_equal(sched_trial_count(r->sched), 5);
	done(r, 5, 0.5);
	done(r, 4, 0.5);
	assert_true(r->finished);
	assert_int_equal(sched_trial_count(r->sched), 5);
	replayed(r);
	run_finish(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_trial_for_each_free_slot),
	    cmocka_unit_test(folds_come_before_a_new_trial),
	    cmocka_unit_test(nothing_is_proposed_before_its_parent_is_done),
	    cmocka_unit_test(parents_take_turns),
	    cmocka_unit_test(below_a_dead_parent_all_is_blocked),
	    cmocka_unit_test(no_worker_is_large_enough),
	    cmocka_unit_test(short_units_are_proposed_ahead),
	    cmocka_unit_test(slow_searches_are_asked_ahead),
	    cmocka_unit_test(of_a_total_only_ready_parents),
	    cmocka_unit_test(what_a_search_learns),
	    cmocka_unit_test(judged_by_what_comes_after),
	    cmocka_unit_test(reproducible_waits_for_results),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
