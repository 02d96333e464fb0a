/* Arguments of `schedule`: what is understood, where mistakes are, and exactly which combinations come out.
 */
#include "expand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static void test_canonical(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"1e-3", "0.001"},
	    {"0.001", "0.001"},
	    {"1.0e-3", "0.001"},
	    {"1", "1"},
	    {"1.0", "1"},
	    {"+1", "1"},
	    {"1e2", "100"},
	    {"007", "7"},
	    {"-0", "0"},
	    {"-0.50", "-0.5"},
	    {"1e15", "1e+15"},
	    {"1000000000000000", "1e+15"},
	    {"9007199254740991", "9007199254740991"},
	    {"9007199254740993", "9007199254740993"}, /* no double: two seeds must not become one */
	    {"-9007199254740993", "-9007199254740993"},
	    {"12345678901234567890", "12345678901234567890"},
	    {"nan", "nan"},
	    {"inf", "inf"},
	    {"-Infinity", "-Infinity"},
	    {"1e999", "1e999"},
	    {"0x10", "0x10"},
	    {" 1", " 1"},
	    {"1 ", "1 "},
	    {"", ""},
	    {"sgd", "sgd"},
	    {"1,2", "1,2"},
	    {"1e", "1e"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *got = expand_canonical(&arena, rows[i].text);

		assert_string_equal(got, rows[i].want);
		assert_string_equal(expand_canonical(&arena, got), got);
	}
}

static void test_limit(void **state)
{
	struct fault f;

	(void)state;
	assert_int_equal(expand_check(0, &f), 0);
	assert_int_equal(expand_check(1000000, &f), 0);
	assert_int_equal(expand_check(1000001, &f), -1);
	assert_int_equal(f.code, FAULT_USAGE);
	assert_string_equal(f.text, "1000001 jobs: one call makes at most 1000000");
	assert_int_equal(expand_check(UINT64_MAX, &f), -1);
	assert_non_null(strstr(f.text, "more jobs than can be counted"));
	assert_true(expand_times(0, UINT64_MAX) == 0);
	assert_true(expand_times(3, 5) == 15);
	assert_true(expand_times(1ull << 32, 1ull << 31) == 1ull << 63);
	assert_true(expand_times(1ull << 32, 1ull << 32) == UINT64_MAX);
	assert_true(expand_times(UINT64_MAX, 2) == UINT64_MAX);
}

static int finish(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_canonical),
	    cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("expand", tests, NULL, finish);
}
