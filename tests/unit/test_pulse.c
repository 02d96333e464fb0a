#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pulse.h"

enum { PATIENCE = 100 };

static struct pulse three(struct arena *a)
{
	struct pulse p;

	pulse_init(&p, a, 3, PATIENCE);
	return p;
}

static void nobody_is_awaited_at_first(void **state)
{
	struct arena a = {0};
	struct pulse p = three(&a);

	(void)state;
	assert_int_equal(pulse_due_ms(&p), INT64_MAX);
	assert_int_equal(pulse_silent(&p, 1000000), PULSE_NOBODY);
	arena_finish(&a);
}

static void who_is_answered_is_not_given_up(void **state)
{
	struct arena a = {0};
	struct pulse p = three(&a);

	(void)state;
	pulse_answer(&p, 1, 0);
	for (int64_t t = 0; t < 1000; t += 99) {
		assert_int_equal(pulse_silent(&p, t), PULSE_NOBODY);
		assert_true(pulse_due_ms(&p) > t);
		pulse_answer(&p, 1, t);
	}
	arena_finish(&a);
}

static void each_in_its_time(void **state)
{
	struct arena a = {0};
	struct pulse p = three(&a);

	(void)state;
	pulse_answer(&p, 0, 0);
	pulse_answer(&p, 2, 10);
	pulse_answer(&p, 1, 10);
	assert_int_equal(pulse_silent(&p, PATIENCE - 1), PULSE_NOBODY);
	assert_int_equal(pulse_due_ms(&p), PATIENCE);
	assert_int_equal(pulse_silent(&p, PATIENCE), 0);
	pulse_forget(&p, 0);
	assert_int_equal(pulse_silent(&p, PATIENCE), PULSE_NOBODY);
	assert_int_equal(pulse_due_ms(&p), PATIENCE + 10);
	assert_int_equal(pulse_silent(&p, PATIENCE + 10), 1);
	pulse_forget(&p, 1);
	assert_int_equal(pulse_silent(&p, PATIENCE + 10), 2);
	assert_true(pulse_awaits(&p, 2));
	pulse_answer(&p, 2, PATIENCE + 10); /* it is back, in its next life */
	assert_int_equal(pulse_silent(&p, PATIENCE + 10), PULSE_NOBODY);
	assert_false(pulse_awaits(&p, 0));
	arena_finish(&a);
}

/* Whatever a longer grace means for those who are silent already, nobody is given up earlier for it. */
static void more_patience_counts_from_the_same_answer(void **state)
{
	struct arena a = {0};
	struct pulse p = three(&a);

	(void)state;
	pulse_answer(&p, 0, 0);
	pulse_set_patience(&p, 5 * PATIENCE);
	assert_int_equal(pulse_due_ms(&p), 5 * PATIENCE);
	assert_int_equal(pulse_silent(&p, PATIENCE), PULSE_NOBODY);
	assert_int_equal(pulse_silent(&p, 5 * PATIENCE), 0);
	arena_finish(&a);
}

/* The worker counts from when it sent, rank 0 from when it answered: that may be the same instant. */
static void the_worker_has_stopped_by_then(void **state)
{
	(void)state;
	assert_int_equal(pulse_patience_ms(60000, 10000), 100000);
	for (int64_t lost_after = 1000; lost_after < 100000; lost_after += 777)
		for (int64_t grace = 0; grace < 50000; grace += 7777)
			assert_true(pulse_patience_ms(lost_after, grace) > lost_after + grace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_is_awaited_at_first),
	    cmocka_unit_test(who_is_answered_is_not_given_up),
	    cmocka_unit_test(each_in_its_time),
	    cmocka_unit_test(more_patience_counts_from_the_same_answer),
	    cmocka_unit_test(the_worker_has_stopped_by_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
