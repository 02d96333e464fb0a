/* Nodes where units die. */
#include "hand.h"

static void up_on(struct run *r, uint32_t worker, uint32_t node)
{
	send(r, &(struct event){.kind = EVENT_WORKER_UP, .worker = worker, .node = node, .cpus = 1});
}

static struct run *begin(uint32_t trials, uint32_t retries)
{
	struct run *r = run_new();

	gen_phase(r->gen, "a")->limits.retries = retries;
	gen_grid(r->gen, trials);
	start(r, 0);
	return r;
}

static uint32_t worker_of(struct run *r, uint32_t unit)
{
	struct unit_view v;

	sched_unit(r->sched, unit, &v);
	return v.live ? v.worker : UINT32_MAX;
}

/* The one that runs on this worker. */
static uint32_t unit_on(struct run *r, uint32_t worker)
{
	for (uint32_t u = 1; u <= sched_unit_count(r->sched); u++)
		if (worker_of(r, u) == worker)
			return u;
	return 0;
}

/* Worker 0 is on node 0, where all dies; 1 on node 1, where all is well. Until something is set aside. */
static void run_on_a_bad_node(struct run *r)
{
	for (int i = 0; i < 20 && !count_actions(r, ACTION_NODE); i++) {
		if (unit_on(r, 0))
			failed(r, unit_on(r, 0), REASON_EXIT, 3 + i % 2);
		if (unit_on(r, 1))
			done(r, unit_on(r, 1), 1);
		tick(r, 1000);
	}
}

static void a_retry_goes_to_another_node(void **state)
{
	struct run *r = begin(3, 3);

	(void)state;
	up_on(r, 0, 0);
	up_on(r, 1, 1);
	assert_string_equal(assigned(r), "1@0 2@1");
	failed(r, 1, REASON_EXIT, 3);
	assert_string_equal(assigned(r), "3@0");
	done(r, 2, 1); /* worker 1 is free, and 1 waits for its back-off */
	failed(r, 3, REASON_EXIT, 4);
	tick(r, 1000);
	assert_string_equal(assigned(r), "1@1"); /* both are ready; none may try worker 0 */
	done(r, 1, 1);
	assert_string_equal(assigned(r), "3@1");
	run_finish(r);
}

static void alone_it_is_tried_again(void **state)
{
	struct run *r = begin(1, 3);

	(void)state;
	up_on(r, 0, 0);
	up_on(r, 1, 0); /* another worker of the same node is no other node */
	failed(r, 1, REASON_EXIT, 3);
	tick(r, 1000);
	assert_int_not_equal(worker_of(r, 1), UINT32_MAX);
	run_finish(r);
}

static void three_units_are_enough(void **state)
{
	struct run *r = begin(30, 3);

	(void)state;
	up_on(r, 0, 0);
	up_on(r, 1, 1);
	done(r, 2, 1);
	for (int i = 0; i < 12; i++)
		done(r, unit_on(r, 1), 1); /* elsewhere all is well */
	run_on_a_bad_node(r);
	assert_int_equal(count_actions(r, ACTION_NODE), 1);
	if (unit_on(r, 0))
		failed(r, unit_on(r, 0), REASON_EXIT, 3);
	for (int i = 0; i < 40 && !r->finished; i++) {
		tick(r, 1000);
		assert_int_equal(unit_on(r, 0), 0);
		if (unit_on(r, 1))
			done(r, unit_on(r, 1), 1);
	}
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	run_finish(r);
}

static void what_does_well_there_clears_it(void **state)
{
	struct run *r = begin(60, 3);

	(void)state;
	up_on(r, 0, 0);
	up_on(r, 1, 1);
	for (int i = 0; i < 40 && !r->finished; i++) {
		if (unit_on(r, 0) && i % 3)
			failed(r, unit_on(r, 0), REASON_EXIT, 3);
		else if (unit_on(r, 0))
			done(r, unit_on(r, 0), 1);
		if (unit_on(r, 1))
			done(r, unit_on(r, 1), 1);
		tick(r, 1000);
	}
	assert_int_equal(count_actions(r, ACTION_NODE), 0);
	run_finish(r);
}

/* The first ten attempts fail alike, but all on one node: that stops nothing while there is another one. */
static void a_bad_node_is_no_bad_program(void **state)
{
	struct run *r = begin(30, 3);

	(void)state;
	up_on(r, 0, 0);
	up_on(r, 1, 1);
	for (int i = 0; i < 15; i++)
		failed(r, unit_on(r, 0), REASON_EXIT, 3);
	assert_false(r->finished);
	failed(r, unit_on(r, 1), REASON_EXIT, 3); /* it is the program after all */
	assert_true(r->finished || count_actions(r, ACTION_CANCEL) > 0);
	run_finish(r);
}

/* Units fail everywhere: no node is to blame. */
static void a_bad_program_is_no_bad_node(void **state)
{
	struct run *r = begin(60, 9);

	(void)state;
	up_on(r, 0, 0);
	up_on(r, 1, 1);
	for (int i = 0; i < 60 && !r->finished; i++) {
		if (unit_on(r, 0))
			failed(r, unit_on(r, 0), REASON_EXIT, 3);
		if (unit_on(r, 1) && i % 2)
			failed(r, unit_on(r, 1), REASON_EXIT, 4);
		else if (unit_on(r, 1))
			done(r, unit_on(r, 1), 1);
		tick(r, 1000);
	}
	assert_int_equal(count_actions(r, ACTION_NODE), 0);
	run_finish(r);
}

static void without_another_one_it_is_taken_back(void **state)
{
	struct run *r = begin(30, 3);

	(void)state;
	up_on(r, 0, 0);
	up_on(r, 1, 1);
	for (int i = 0; i < 12; i++)
		done(r, unit_on(r, 1), 1);
	run_on_a_bad_node(r);
	assert_int_equal(count_actions(r, ACTION_NODE), 1);
	send(r, &(struct event){.kind = EVENT_WORKER_LOST, .worker = 1});
	assert_int_equal(count_actions(r, ACTION_NODE), 2);
	assert_false(r->finished);
	assert_int_not_equal(unit_on(r, 0), 0);
	run_finish(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_retry_goes_to_another_node),
	    cmocka_unit_test(alone_it_is_tried_again),
	    cmocka_unit_test(three_units_are_enough),
	    cmocka_unit_test(what_does_well_there_clears_it),
	    cmocka_unit_test(a_bad_node_is_no_bad_program),
	    cmocka_unit_test(a_bad_program_is_no_bad_node),
	    cmocka_unit_test(without_another_one_it_is_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
