/* What looks wrong, by table: each row is a case a user could be in. */
#include "suspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S(seconds) ((int64_t)((seconds)*1000.0))

/* Seconds before now; the unit is well unless a row says otherwise. */
static const struct unit_row {
	const char *what;
	double ran, silent_for;
	double stall, timeout, grace;
	uint64_t done;
	double longest;
	enum suspect_process process;
	bool unnoted, deaf;
	enum suspicion want;
} unit_rows[] = {
    {.what = "it has just begun", .stall = 600},
    {.what = "it talks", .ran = 9000, .silent_for = 300, .stall = 600},
    {.what = "silent, almost long enough", .ran = 9000, .silent_for = 601.9, .stall = 600},
    {.what = "silent", .ran = 9000, .silent_for = 602, .stall = 600, .want = SUSPECT_SILENT},
    {.what = "silent, which is of no interest", .ran = 9000, .silent_for = 9000},
    {.what = "it talks where we do not hear", .ran = 9000, .silent_for = 9000, .stall = 600, .deaf = true},
    {.what = "nobody would note it", .ran = 9000, .silent_for = 9000, .stall = 600, .unnoted = true},
    {.what = "within its timeout", .ran = 609.9, .timeout = 600, .grace = 10},
    {.what = "being ended", .ran = 614.9, .timeout = 600, .grace = 10},
    {.what = "beyond timeout and grace", .ran = 615, .timeout = 600, .grace = 10, .want = SUSPECT_OVER_TIME},
    {.what = "beyond, but nobody would note its end", .ran = 9000, .timeout = 600, .unnoted = true},
    {.what = "ten times the longest", .ran = 600, .done = 20, .longest = 60, .want = SUSPECT_LONG},
    {.what = "nine times", .ran = 540, .done = 20, .longest = 60},
    {.what = "too few to compare with", .ran = 6000, .done = 19, .longest = 60},
    {.what = "nothing to compare with", .ran = 6000},
    {.what = "long among very short ones", .ran = 59.9, .done = 1000, .longest = 0.005},
    {.what = "and really long", .ran = 60, .done = 1000, .longest = 0.005, .want = SUSPECT_LONG},
    {.what = "silent and long",
     .ran = 9000,
     .silent_for = 9000,
     .stall = 600,
     .done = 99,
     .longest = 1,
     .want = SUSPECT_SILENT},
    {.what = "stopped", .ran = 1, .process = PROCESS_STOPPED, .want = SUSPECT_STOPPED},
    {.what = "stopped, with its rank",
     .ran = 1,
     .process = PROCESS_STOPPED,
     .unnoted = true,
     .want = SUSPECT_STOPPED},
    {.what = "stopped and silent",
     .ran = 9000,
     .silent_for = 9000,
     .stall = 600,
     .process = PROCESS_STOPPED,
     .want = SUSPECT_STOPPED},
    {.what = "gone", .ran = 5, .process = PROCESS_GONE, .want = SUSPECT_GONE},
    {.what = "gone as soon as it began", .ran = 4.9, .process = PROCESS_GONE},
    {.what = "gone, which nobody could note", .ran = 9000, .process = PROCESS_GONE, .unnoted = true},
    {.what = "a zombie", .ran = 5, .process = PROCESS_ZOMBIE, .want = SUSPECT_ZOMBIE},
    {.what = "not to be seen", .ran = 9000, .process = PROCESS_UNKNOWN},
    {.what = "seen", .ran = 9000, .process = PROCESS_ALIVE},
};

static void test_units(void **state)
{
	const int64_t now = INT64_C(1700000000000);

	(void)state;
	for (size_t i = 0; i < sizeof unit_rows / sizeof *unit_rows; i++) {
		const struct unit_row *r = &unit_rows[i];
		const struct suspect_unit u = {.now_ms = now,
		                               .started_ms = now - S(r->ran),
		                               .heard_ms = now - S(r->silent_for),
		                               .stall_ms = S(r->stall),
		                               .timeout_ms = S(r->timeout),
		                               .grace_ms = S(r->grace),
		                               .longest_ms = S(r->longest),
		                               .done = r->done,
		                               .process = r->process,
		                               .noted = !r->unnoted,
		                               .heard_all = !r->deaf};

		if (suspect_unit(&u) != r->want)
			fail_msg("%s: %s", r->what, suspicion_text(suspect_unit(&u)));
	}
}

static const struct run_row {
	const char *what;
	double silent_for;
	bool ended;
	uint64_t running;
	enum suspect_process process;
	enum batch_life batch;
	bool ask;
	enum suspicion want;
} run_rows[] = {
    {.what = "it ended", .silent_for = 9000, .ended = true},
    {.what = "it ended, units did not", .ended = true, .running = 2, .want = SUSPECT_LEFT},
    {.what = "its number is somebody else's by now",
     .silent_for = 9000,
     .ended = true,
     .process = PROCESS_GONE},
    {.what = "alive", .silent_for = 15, .running = 3, .process = PROCESS_ALIVE},
    {.what = "elsewhere, with signs of life", .silent_for = 59.9},
    {.what = "here, without", .silent_for = 60, .process = PROCESS_ALIVE, .want = SUSPECT_STUCK},
    {.what = "stopped", .process = PROCESS_STOPPED, .want = SUSPECT_STOPPED},
    {.what = "gone", .silent_for = 20, .process = PROCESS_GONE, .want = SUSPECT_DIED},
    {.what = "a zombie", .silent_for = 20, .process = PROCESS_ZOMBIE, .want = SUSPECT_DIED},
    {.what = "gone, with signs of life", .silent_for = 19.9, .process = PROCESS_GONE, .want = SUSPECT_WAIT},
    {.what = "elsewhere, no scheduler", .silent_for = 60, .ask = true, .want = SUSPECT_UNKNOWN},
    {.what = "elsewhere, its job is gone",
     .silent_for = 60,
     .batch = BATCH_GONE,
     .ask = true,
     .want = SUSPECT_DIED},
    {.what = "elsewhere, its job lives",
     .silent_for = 60,
     .batch = BATCH_ALIVE,
     .ask = true,
     .want = SUSPECT_STUCK},
    {.what = "of its process nothing is known, signs of life count more than the scheduler",
     .silent_for = 10,
     .batch = BATCH_GONE},
};

static void test_runs(void **state)
{
	const int64_t now = INT64_C(1700000000000);

	(void)state;
	for (size_t i = 0; i < sizeof run_rows / sizeof *run_rows; i++) {
		const struct run_row *r = &run_rows[i];
		const struct suspect_run x = {.now_ms = now,
		                              .last_seen_ms = now - S(r->silent_for),
		                              .ended = r->ended,
		                              .running = r->running,
		                              .process = r->process,
		                              .batch = r->batch};

		if (suspect_run(&x) != r->want)
			fail_msg("%s: %s", r->what, suspicion_text(suspect_run(&x)));
		if (suspect_ask_batch(&x) != r->ask)
			fail_msg("%s: is the batch system to be asked?", r->what);
	}
}

static void test_ranks(void **state)
{
	(void)state;
	assert_int_equal(suspect_rank(PROCESS_UNKNOWN), SUSPECT_NONE);
	assert_int_equal(suspect_rank(PROCESS_ALIVE), SUSPECT_NONE);
	assert_int_equal(suspect_rank(PROCESS_STOPPED), SUSPECT_STOPPED);
	assert_int_equal(suspect_rank(PROCESS_ZOMBIE), SUSPECT_ZOMBIE);
	assert_int_equal(suspect_rank(PROCESS_GONE), SUSPECT_GONE);
}

/* A note that is on its way makes these wrong; of what was seen itself there is no doubt. */
static void test_proof(void **state)
{
	(void)state;
	for (int i = 0; i < SUSPECT_COUNT; i++) {
		int64_t ms = suspect_proof_ms((enum suspicion)i);

		if (i == SUSPECT_GONE || i == SUSPECT_ZOMBIE)
			assert_true(ms >= 1000);
		else
			assert_int_equal(ms > 0, i == SUSPECT_DIED || i == SUSPECT_LEFT);
	}
	assert_string_equal(suspicion_text(SUSPECT_OVER_TIME), "over_time");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_runs),
	    cmocka_unit_test(test_ranks),
	    cmocka_unit_test(test_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
