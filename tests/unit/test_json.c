/* JSON from others: what is one value, and where each mistake is told. */
#include "bytes.h"
#include "json.h"
#include "text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int reset(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static void put(struct bytes *b, const struct json *v)
{
	bool map = v->kind == JSON_MAP;

	if (v->kind == JSON_TEXT)
		text_put_json(b, v->text, v->len);
	if (v->kind != JSON_TEXT && v->kind != JSON_LIST && !map)
		text_put(b, v->text);
	if (v->kind != JSON_LIST && !map)
		return;
	text_put(b, map ? "{" : "[");
	for (const struct json *x = v->first; x; x = x->next) {
		if (map) {
			text_put_json(b, x->key, strlen(x->key));
			text_put(b, ":");
		}
		put(b, x);
		if (x->next)
			text_put(b, ",");
	}
	text_put(b, map ? "}" : "]");
}

static const struct json *parse(const char *s, size_t *at, struct fault *f)
{
	return json_parse(&arena, s, strlen(s), at, f);
}

static void test_values(void **state)
{
	static const struct {
		const char *text, *again; /* NULL: as it is */
	} rows[] = {
	    {"null", NULL},
	    {"true", NULL},
	    {" false\r\n\t", "false"},
	    {"0", NULL},
	    {"-0.5e-07", NULL},
	    {"1E+9", NULL},
	    {"123456789012345678901234567890", NULL},
	    {"\"\"", NULL},
	    {"\"a \\\"b\\\" \\\\ \\n\"", NULL},
	    {"\"\\/\\b\\u0041\"", "\"/\\u0008A\""},
	    {"\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
	    {"\"\xc3\xa9\"", NULL},
	    {"[]", NULL},
	    {"[ 1 , [ ] , {} ]", "[1,[],{}]"},
	    {"{\"b\": 1, \"a\": {\"b\": [null]}}", "{\"b\":1,\"a\":{\"b\":[null]}}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fault f = {0};
		struct bytes b = {0};
		size_t at;
		const struct json *v = parse(rows[i].text, &at, &f);

		if (!v)
			fail_msg("%s: %s", rows[i].text, f.text);
		assert_int_equal(at, strlen(rows[i].text));
		put(&b, v);
		bytes_put_u8(&b, 0);
		assert_string_equal((const char *)b.data, rows[i].again ? rows[i].again : rows[i].text);
		bytes_finish(&b);
	}
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *says;
	} rows[] = {
	    {"", 0, "no JSON value"},
	    {"hello", 0, "no JSON value"},
	    {"NaN", 0, "no JSON value"},
	    {"-Infinity", 1, "no JSON value"},
	    {"'a'", 0, "no JSON value"},
	    {"01", 1, "follows"},
	    {"1.", 2, "no JSON value"},
	    {".5", 0, "no JSON value"},
	    {"1e", 2, "no JSON value"},
	    {"+1", 0, "no JSON value"},
	    {"{} x", 3, "follows"},
	    {"{\"a\": 1,}", 8, "a key must be"},
	    {"{a: 1}", 1, "a key must be"},
	    {"{\"a\" 1}", 5, "without its ':'"},
	    {"{\"a\": 1", 7, "without its '}'"},
	    {"{\"a\": 1, \"b\": 2, \"a\": 1}", 24, "twice"},
	    {"[1 2]", 3, "without its ']'"},
	    {"[1,]", 3, "no JSON value"},
	    {"\"a", 2, "without its end"},
	    {"\"a\\\"", 4, "without its end"},
	    {"\"\\", 2, "an escape"},
	    {"\"\\x\"", 2, "an escape"},
	    {"\"\\u00g0\"", 6, "\\u without"},
	    {"\"\\u0000\"", 7, "\\u without"},
	    {"\"\\ud800x\"", 7, "\\u without"},
	    {"\"\\udc00\"", 7, "\\u without"},
	    {"\"\\u12", 3, "\\u without"},
	    {"\"a\nb\"", 2, "a control character"},
	    {"\"\xff\"", 1, "no UTF-8"},
	    {"\"\xed\xa0\x80\"", 1, "no UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fault f = {0};
		size_t at;

		if (parse(rows[i].text, &at, &f))
			fail_msg("%s is taken", rows[i].text);
		if (!strstr(f.text, rows[i].says) || at != rows[i].at)
			fail_msg("%s: %s at %zu, want %s at %zu", rows[i].text, f.text, at, rows[i].says,
			         rows[i].at);
	}
}

static void test_bounds(void **state)
{
	static char text[2 * JSON_MAX_VALUES + 2];
	struct fault f = {0};
	size_t at;

	(void)state;
	memset(text, '[', JSON_MAX_DEPTH);
	memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
	assert_non_null(parse(text, &at, &f));
	memset(text, '[', 100000);
	assert_null(parse(text, &at, &f));
	assert_string_equal(f.text, "nested too deep");
	text[0] = '[';
	for (size_t i = 0; i < JSON_MAX_VALUES; i++)
		memcpy(text + 1 + 2 * i, "1,", 2);
	assert_null(parse(text, &at, &f));
	assert_string_equal(f.text, "too many values");
	assert_null(json_parse(&arena, "\"a\0b\"", 5, &at, &f));
}

static void test_get(void **state)
{
	struct fault f = {0};
	size_t at;
	const struct json *v = parse("{\"a\": {\"b\": 7}}", &at, &f);

	(void)state;
	assert_string_equal(json_get(json_get(v, "a"), "b")->text, "7");
	assert_null(json_get(v, "b"));
	assert_null(json_get(json_get(json_get(v, "a"), "b"), "a"));
	assert_null(json_get(NULL, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_values, reset),
	    cmocka_unit_test_teardown(test_mistakes, reset),
	    cmocka_unit_test_teardown(test_bounds, reset),
	    cmocka_unit_test_teardown(test_get, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
