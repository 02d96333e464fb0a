#include "bytes.h"
#include "rng.h"
#include "text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_shortest_numbers(void **state)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {{0.1, "0.1"},
	            {1e-5, "1e-05"},
	            {100, "100"},
	            {-3, "-3"},
	            {1.0 / 3, "0.3333333333333333"},
	            {0.1 + 0.2, "0.30000000000000004"},
	            {1e22, "1e+22"},
	            {NAN, "nan"},
	            {-INFINITY, "-inf"},
	            {0, "0"},
	            {1e15, "1e+15"},
	            {999999999999999, "999999999999999"},
	            {5e-324, "5e-324"}};
	char buf[TEXT_NUMBER];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(text_double(buf, rows[i].v), strlen(rows[i].text));
		assert_string_equal(buf, rows[i].text);
	}
}

static void test_numbers_read_back_equal(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (int i = 0; i < 100000; i++) {
		uint64_t bits = rng_next(&r);
		char buf[TEXT_NUMBER];
		double v, back;

		memcpy(&v, &bits, sizeof v);
		if (!isfinite(v))
			continue;
		assert_true(text_parse_double(buf, text_double(buf, v), &back));
		assert_true(memcmp(&v, &back, sizeof v) == 0);
	}
}

/* The fewest digits that read back, from 15 up; what printf makes of them. */
static void by_printf(char *buf, double v)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(buf, TEXT_NUMBER, "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			return;
	}
}

static void test_fractions_are_as_printf_prints_them(void **state)
{
	char buf[TEXT_NUMBER], want[TEXT_NUMBER];
	struct rng r;

	(void)state;
	rng_seed(&r, 2);
	for (int i = 0; i < 300000; i++) {
		double v = ldexp(rng_unit(&r), (int)rng_below(&r, 64) - 12);
		uint64_t step = rng_below(&r, 4);

		if (i % 3 == 0) /* a short decimal and its neighbours */
			v = (double)rng_below(&r, 100000) / pow(10, (double)rng_below(&r, 9));
		if (i % 3 == 1) /* a power of two and its neighbours */
			v = ldexp(1, (int)rng_below(&r, 64) - 12);
		while (step--)
			v = nextafter(v, i % 2 ? 0 : 1e300);
		if (i % 7 == 0)
			v = -v;
		if (fabs(v) < 1e-5 || (fabs(v) < 1e15 && v == floor(v)))
			continue;
		by_printf(want, v);
		assert_int_equal(text_double(buf, v), strlen(want));
		assert_string_equal(buf, want);
	}
}

static void test_whole_numbers(void **state)
{
	static const int64_t rows[] = {0, 1, -1, 10, -10, 99, INT64_MAX, INT64_MIN};
	char buf[TEXT_NUMBER], want[TEXT_NUMBER];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(want, sizeof want, "%lld", (long long)rows[i]);
		assert_int_equal(text_int(buf, rows[i]), strlen(want));
		assert_string_equal(buf, want);
	}
}

static void test_parse_numbers(void **state)
{
	static const struct {
		const char *text;
		bool real, whole;
	} rows[] = {{"1", true, true},
	            {"-7", true, true},
	            {"+3", true, true},
	            {"1.5", true, false},
	            {".5", true, false},
	            {"1e3", true, false},
	            {"nan", true, false},
	            {"-Infinity", true, false},
	            {"", false, false},
	            {" 1", false, false},
	            {"1 ", false, false},
	            {"0x10", false, false},
	            {"1e", false, false},
	            {"--1", false, false},
	            {"1.2.3", false, false},
	            {"9223372036854775807", true, true},
	            {"9223372036854775808", true, false},
	            {"-9223372036854775808", true, true},
	            {"infx", false, false},
	            {"-", false, false}};
	double v;
	int64_t n;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(text_parse_double(rows[i].text, strlen(rows[i].text), &v), rows[i].real);
		assert_int_equal(text_parse_int(rows[i].text, strlen(rows[i].text), &n), rows[i].whole);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} rows[] = {{"90", 90000},
	            {"90s", 90000},
	            {"10m", 600000},
	            {"2h", 7200000},
	            {"1d12h", 129600000},
	            {"1h30m", 5400000},
	            {"1.5h", 5400000},
	            {"200ms", 200},
	            {"05:30", 330000},
	            {"1:00:00", 3600000},
	            {"2-00:00:01", 172801000},
	            {"0", 0},
	            {"", -1},
	            {"30m1h", -1},
	            {"5x", -1},
	            {"h", -1},
	            {"-5", -1},
	            {"1:2:3:4", -1},
	            {"1e300", -1},
	            {"nan", -1},
	            {"10m10m", -1},
	            {":", -1}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t ms = -1;
		bool ok = text_parse_duration_ms(rows[i].text, &ms);

		if (ok != (rows[i].ms >= 0) || (ok && ms != rows[i].ms))
			fail_msg("%s: %d %lld", rows[i].text, ok, (long long)ms);
	}
}

static void test_duration_texts(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {{80, "80ms"},     {5200, "5.2s"},     {59000, "59s"},
	            {95000, "1m35s"}, {3725000, "1h02m"}, {90000000, "1d01h"}};
	char buf[TEXT_NUMBER];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		text_duration(buf, rows[i].ms);
		assert_string_equal(buf, rows[i].text);
	}
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} rows[] = {{"1048576", 1048576},
	            {"512K", 524288},
	            {"512M", 536870912},
	            {"4G", 4294967296},
	            {"1.5k", 1536},
	            {"4GiB", 4294967296},
	            {"4GB", 4294967296},
	            {"12B", 12},
	            {"", -1},
	            {"G", -1},
	            {"4X", -1},
	            {"4GG", -1},
	            {"-1", -1},
	            {"1e30P", -1}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t n = -1;
		bool ok = text_parse_size_bytes(rows[i].text, &n);

		assert_int_equal(ok, rows[i].bytes >= 0);
		if (ok)
			assert_true(n == rows[i].bytes);
	}
}

static void test_nearest(void **state)
{
	static const char *const words[] = {"timeout", "retries", "cpus", "lr"};

	(void)state;
	assert_string_equal(text_nearest("timout", words, 4), "timeout");
	/* one letter of three is no likeness */
	assert_null(text_nearest("foo", (const char *const[]){"log"}, 1));
	assert_string_equal(text_nearest("lg", (const char *const[]){"log"}, 1), "log");
	assert_string_equal(text_nearest("parameters", (const char *const[]){"params"}, 1), "params");
	assert_string_equal(text_nearest("retreis", words, 4), "retries");
	assert_null(text_nearest("zzzzzz", words, 4));
	assert_int_equal(text_distance("ab", "ba", 9), 1);
	assert_int_equal(text_distance("kitten", "sitting", 9), 3);
	assert_int_equal(text_distance("kitten", "sitting", 2), 2);
}

static void test_json(void **state)
{
	static const struct {
		const char *text, *json;
	} rows[] = {{"a", "\"a\""},
	            {"\"\\\n\t\x01", "\"\\\"\\\\\\n\\t\\u0001\""},
	            {"\xc3\xa9", "\"\xc3\xa9\""},
	            {"\xff"
	             "a",
	             "\"\xef\xbf\xbd"
	             "a\""},
	            {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bytes b = {0};

		text_put_json(&b, rows[i].text, strlen(rows[i].text));
		assert_int_equal(b.len, strlen(rows[i].json));
		assert_memory_equal(b.data, rows[i].json, b.len);
		bytes_finish(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shortest_numbers),
	    cmocka_unit_test(test_numbers_read_back_equal),
	    cmocka_unit_test(test_fractions_are_as_printf_prints_them),
	    cmocka_unit_test(test_whole_numbers),
	    cmocka_unit_test(test_parse_numbers),
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_duration_texts),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_nearest),
	    cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
