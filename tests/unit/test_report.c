/* Rows as tables and as JSON. */
#include "report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static const char *text_of(struct bytes *b)
{
	const char *s = arena_strndup(&arena, b->len ? (const char *)b->data : "", b->len);

	bytes_finish(b);
	return s;
}

static const char *table(struct report *r, uint32_t width, bool colour)
{
	struct bytes b = {0};
	struct report_style style = {width, colour};

	report_put_table(r, &style, &b);
	return text_of(&b);
}

static const char *json(struct report *r)
{
	struct bytes b = {0};

	report_put_json(r, &b);
	report_finish_json(r, &b);
	return text_of(&b);
}

static void test_table(void **state)
{
	struct report r;

	(void)state;
	report_init(&r, &arena);
	report_column(&r, "trial", NULL, REPORT_RIGHT);
	report_column(&r, "state", NULL, REPORT_STATE);
	report_column(&r, "reason", NULL, REPORT_HIDE_EMPTY);
	report_column(&r, "lr", NULL, REPORT_RIGHT);
	report_row(&r);
	report_int(&r, 0, 7);
	report_text(&r, 1, "done");
	report_real(&r, 3, 1.0 / 3);
	report_row(&r);
	report_int(&r, 0, 12);
	report_text(&r, 1, "failed");
	assert_string_equal(table(&r, 0, false), "trial  state         lr\n"
	                                         "    7  done    0.333333\n"
	                                         "   12  failed         -\n");
	assert_string_equal(json(&r),
	                    "[\n{\"trial\": 7, \"state\": \"done\", \"reason\": null, \"lr\": "
	                    "0.3333333333333333},\n"
	                    "{\"trial\": 12, \"state\": \"failed\", \"reason\": null, \"lr\": null}\n]");
	report_text(&r, 2, "exit");
	assert_non_null(strstr(table(&r, 0, false), "state   reason"));
}

static void test_colour_only_when_asked(void **state)
{
	struct report r;

	(void)state;
	report_init(&r, &arena);
	report_column(&r, "state", NULL, REPORT_STATE);
	report_row(&r);
	report_text(&r, 0, "failed");
	assert_null(strchr(table(&r, 0, false), '\033'));
	assert_non_null(strstr(table(&r, 0, true), "\033[31mfailed\033[0m"));
}

/* What a study says must not move the cursor of who looks at it, nor end a line. */
static void test_control_characters(void **state)
{
	struct report r;
	const char *t;

	(void)state;
	report_init(&r, &arena);
	report_column(&r, "x", NULL, 0);
	report_row(&r);
	report_text(&r, 0,
	            "a\033[2Jb\nc\xc2\x9b"
	            "d\x7f");
	t = table(&r, 0, true);
	assert_non_null(strstr(t, "a?[2Jb c?d?"));
	assert_string_equal(json(&r), "[\n{\"x\": \"a\\u001b[2Jb\\nc\xc2\x9b"
	                              "d\\u007f\"}\n]");
}

/* JSON has no such numbers; null would say that there was none. */
static void test_nan_and_infinity_in_json(void **state)
{
	struct report r;

	(void)state;
	report_init(&r, &arena);
	report_column(&r, "v", NULL, REPORT_RIGHT);
	report_row(&r);
	report_real(&r, 0, NAN);
	report_row(&r);
	report_real(&r, 0, -INFINITY);
	report_row(&r);
	report_real(&r, 0, INFINITY);
	report_row(&r);
	assert_string_equal(json(&r),
	                    "[\n{\"v\": \"nan\"},\n{\"v\": \"-inf\"},\n{\"v\": \"inf\"},\n{\"v\": null}\n]");
	assert_string_equal(table(&r, 0, false), "   v\n nan\n-inf\n inf\n   -\n");
	report_init(&r, &arena);
	assert_string_equal(json(&r), "[]");
}

static void test_narrow_terminal(void **state)
{
	struct report r;
	const char *line;

	(void)state;
	report_init(&r, &arena);
	report_column(&r, "unit", NULL, REPORT_RIGHT);
	report_column(&r, "params", NULL, REPORT_SHRINK);
	report_row(&r);
	report_int(&r, 0, 1);
	report_text(&r, 1, "lr=0.1 hidden=128 momentum=0.9");
	assert_non_null(strstr(table(&r, 0, false), "momentum=0.9"));
	line = strchr(table(&r, 20, false), '\n') + 1;
	assert_string_equal(line, "   1  lr=0.1 hidd...\n");
}

/* Columns that may be left out go from the right, after others have shrunk; who asks is told how many. */
static void test_more_columns_than_fit(void **state)
{
	struct report r;

	(void)state;
	report_init(&r, &arena);
	report_column(&r, "rank", NULL, REPORT_RIGHT);
	report_column(&r, "text", NULL, REPORT_SHRINK);
	for (int i = 0; i < 70; i++)
		report_column(&r, "a-name", NULL, REPORT_RIGHT | REPORT_DROP);
	report_row(&r);
	report_int(&r, 0, 1);
	report_text(&r, 1, "words that can be cut");
	for (uint32_t i = 0; i < 70; i++)
		report_int(&r, 2 + i, i);
	assert_string_equal(table(&r, 40, false), "rank  text      a-name  a-name  a-name\n"
	                                          "   1  words...       0       1       2\n");
	assert_int_equal(r.dropped, 67);
	table(&r, 0, false);
	assert_int_equal(r.dropped, 0);
	assert_non_null(strstr(json(&r), "\"a-name\": 69}"));
}

static void test_csv(void **state)
{
	struct report r;
	struct bytes b = {0};

	(void)state;
	report_init(&r, &arena);
	report_column(&r, "optim.lr", "lr", REPORT_RIGHT);
	report_column(&r, "n", NULL, REPORT_TABLE_ONLY);
	report_column(&r, "text", NULL, 0);
	report_column(&r, "done", NULL, REPORT_JSON_ONLY);
	report_row(&r);
	report_real(&r, 0, 1.0 / 3);
	report_text(&r, 2, "a \"b\", c");
	report_json(&r, 3, "true", NULL);
	report_row(&r);
	report_real(&r, 0, NAN);
	report_text(&r, 2, "two\nlines");
	report_put_csv(&r, &b);
	assert_string_equal(text_of(&b), "optim.lr,text,done\n"
	                                 "0.3333333333333333,\"a \"\"b\"\", c\",true\n"
	                                 "nan,\"two\nlines\",\n");
}

static void test_utf8_is_measured_in_characters(void **state)
{
	struct report r;

	(void)state;
	report_init(&r, &arena);
	report_column(&r, "a", NULL, 0);
	report_column(&r, "b", NULL, 0);
	report_row(&r);
	report_text(&r, 0, "\xc3\xa9\xc3\xa9");
	report_text(&r, 1, "x");
	report_row(&r);
	report_text(&r, 0, "eee");
	report_text(&r, 1, "y");
	assert_string_equal(table(&r, 0, false), "a    b\n\xc3\xa9\xc3\xa9   x\neee  y\n");
}

static void test_batches(void **state)
{
	struct report r;
	struct bytes t = {0}, j = {0};
	const struct report_style style = {0};

	(void)state;
	report_init(&r, &arena);
	report_column(&r, "n", NULL, REPORT_RIGHT);
	for (int i = 0; i < 3; i++) {
		report_row(&r);
		report_int(&r, 0, i == 1 ? 100 : i);
		report_put_table(&r, &style, &t);
		report_put_json(&r, &j);
		report_clear(&r);
	}
	report_finish_json(&r, &j);
	assert_string_equal(text_of(&t), "n\n0\n100\n  2\n");
	assert_string_equal(text_of(&j), "[\n{\"n\": 0},\n{\"n\": 100},\n{\"n\": 2}\n]");
}

static void test_short_numbers(void **state)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {{0, "0"},
	            {0.1, "0.1"},
	            {0.0031622776601683794, "0.00316228"},
	            {123456789, "123456789"},
	            {1234567.5, "1234570"},
	            {1e-300, "1e-300"},
	            {-2.0 / 3, "-0.666667"},
	            {0.3 - 0.1, "0.2"}};
	char buf[TEXT_NUMBER];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		report_short_number(buf, rows[i].v, 6);
		assert_string_equal(buf, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_colour_only_when_asked),
	    cmocka_unit_test(test_control_characters),
	    cmocka_unit_test(test_nan_and_infinity_in_json),
	    cmocka_unit_test(test_narrow_terminal),
	    cmocka_unit_test(test_more_columns_than_fit),
	    cmocka_unit_test(test_csv),
	    cmocka_unit_test(test_utf8_is_measured_in_characters),
	    cmocka_unit_test(test_batches),
	    cmocka_unit_test(test_short_numbers),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_finish(&arena);
	return failed;
}
