/* What is said of attempts that went wrong. */
#include "ending.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct study_phase plain = {.metric = "err", .limits = {.lost_limit = 5}};
static const struct study_phase limited = {
    .metric = "err",
    .limits = {.timeout_ms = 90000, .stall_ms = 1500, .memory_bytes = 64 << 20, .lost_limit = 5}};

static const struct {
	struct ending e;
	const char *text;
} rows[] = {
    {{.phase = &plain, .exit_code = 0}, ""},
    {{.phase = &plain, .reason = "exit", .exit_code = 3}, "it ended with status 3"},
    {{.phase = &plain, .reason = "exit", .exit_code = 127},
     "it ended with status 127, which a shell gives for a program it does not find"},
    {{.phase = &plain, .reason = "exit", .exit_code = 139, .signal_name = "SIGSEGV"},
     "it ended with status 139, which a shell gives for a program that SIGSEGV killed"},
    {{.phase = &plain, .reason = "exit", .exit_code = 200}, "it ended with status 200"},
    {{.phase = &plain, .reason = "signal", .exit_code = -1, .signal = 11, .signal_name = "SIGSEGV"},
     "SIGSEGV (signal 11) killed it"},
    {{.phase = &plain, .reason = "signal", .exit_code = -1, .signal = 63}, "signal 63 killed it"},
    {{.phase = &plain, .reason = "oom", .signal = 9, .max_rss_kb = 204800},
     "out of memory: it used 200 MiB, and the kernel killed it"},
    {{.phase = &limited, .reason = "oom", .exit_code = 1, .max_rss_kb = 61440},
     "out of memory: it used 60 MiB, and its `memory` is 64 MiB"},
    {{.phase = &limited, .reason = "timeout", .signal = 9},
     "it ran longer than its `timeout` of 1m30s, so it was stopped"},
    {{.phase = &plain, .reason = "timeout", .signal = 9},
     "it ran longer than its `timeout`, so it was stopped"},
    {{.phase = &limited, .reason = "stall", .signal = 15},
     "it wrote nothing for its `stall` of 1.5s, so it was stopped"},
    {{.phase = &plain, .reason = "no_metric"},
     "it ended with status 0 without a value of `err`; it reported no metric at all "
     "(a line `@metric err=0.1` would be one)"},
    {{.phase = &plain, .reason = "no_metric", .others = "loss, acc"},
     "it ended with status 0 without a value of `err`; it reported loss, acc"},
    {{.phase = &plain, .reason = "bad_metric", .has_value = true, .value = -INFINITY},
     "it ended with status 0, but its `err` is -inf"},
    {{.phase = &plain, .reason = "bad_metric", .has_value = true, .value = NAN},
     "it ended with status 0, but its `err` is nan"},
    {{.phase = &plain,
      .reason = "spawn",
      .tail = "ranksweep: cannot start the program (exec): No such file or directory\nmore",
      .tail_bytes = 74},
     "cannot start the program (exec): No such file or directory"},
    {{.phase = &plain, .reason = "spawn"}, "it could not be started"},
    {{.phase = &plain, .reason = "lost", .rank = 3, .host = "n7"}, "the run died while rank 3 on n7 had it"},
    {{.phase = &plain, .reason = "lost", .rank = 3, .gave_up = true},
     "the run died while rank 3 had it; that was more than its `lost_limit` of 5"},
    {{.phase = &plain, .reason = "requeue", .exit_code = 75}, "status 75: it asked to be run again"},
    {{.phase = &plain, .reason = "requeue", .exit_code = 75, .gave_up = true},
     "status 75 (run me again) three times in a row without a new step"},
    {{.phase = &plain, .reason = "requeue", .exit_code = -1, .signal = 15},
     "it was stopped with the run, to be run again by the next one"},
    {{.phase = &plain, .reason = "of a later version"}, ""},
};

static void test_sentences(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes b = {0};

		ending_put(&b, &rows[i].e);
		bytes_put_u8(&b, 0);
		assert_string_equal((const char *)b.data, rows[i].text);
		bytes_finish(&b);
	}
}

/* A reason that is added must get its words. */
static void test_each_reason_has_words(void **state)
{
	(void)state;
	for (int r = 1; r < REASON_COUNT; r++) {
		struct bytes b = {0};

		ending_put(&b, &(struct ending){.phase = &plain, .reason = reason_text((enum reason)r)});
		assert_true(b.len > 0);
		bytes_finish(&b);
	}
}

static void test_memory(void **state)
{
	static const struct {
		const char *tail;
		bool memory;
	} words[] = {
	    {"Traceback (most recent call last):\n  File \"x\", line 1\nMemoryError\n", true},
	    {"numpy.core._exceptions._ArrayMemoryError: Unable to allocate 3 GiB for an array\n", true},
	    {"terminate called after throwing an instance of 'std::bad_alloc'\n", true},
	    {"sh: fork: Cannot allocate memory\n", true},
	    {"fatal error: runtime: out of memory", true},
	    {"sh: xrealloc: cannot allocate 536870928 bytes", true},
	    {"dd: memory exhausted by input buffer of size 209715200 bytes (200 MiB)\n", true},
	    {"java.lang.OutOfMemoryError: Java heap space\n", true},
	    {"no such data set\n", false},
	    {"", false},
	};
	char old[4096];

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		assert_int_equal(ending_speaks_of_memory(words[i].tail, strlen(words[i].tail)),
		                 words[i].memory);
	assert_false(ending_speaks_of_memory(NULL, 0));
	/* what it said long before its end is not why it ended */
	memset(old, 'x', sizeof old);
	memcpy(old, "MemoryError", 11);
	assert_false(ending_speaks_of_memory(old, sizeof old));
	memcpy(old + sizeof old - 11, "MemoryError", 11);
	assert_true(ending_speaks_of_memory(old, sizeof old));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sentences),
	    cmocka_unit_test(test_each_reason_has_words),
	    cmocka_unit_test(test_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
