/* What we and a search program say to each other: word for word what we say, and what each answer is taken
 * for. */
#include "advice.h"
#include "json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 8 };
static struct arena arena;

struct fixture {
	const struct study *study;
	const struct study_phase *phase;
	struct value own[MAX], pre[MAX];
	const struct value *by_phase[2];
	struct scope scope;
	struct bytes said;
};

static const char *const text =
    "study: s\nseed: 7\nmetric: err\ngoal: maximize\nphases:\n"
    "  pre:\n    command: x {args}\n    params: {h: [64, 128], u: \"uniform(0, 1)\"}\n    search: random\n"
    "    trials: 2\n"
    "  p:\n    after: pre\n    command: x {args}\n    search: {program: ./a}\n    trials: 9 total\n"
    "    params:\n      lr: log(1e-4, 1)\n      n: int(2, h, 2)\n      k: logint(1, 9)\n"
    "      o: [sgd, \"a \\\"b\\\"\"]\n      m: uniform(0, 0.9) if o == sgd\n      z: normal(0, 1)\n"
    "      c: 7\n      g: linspace(0, 1, 3)\n"
    "    require: [lr < 0.5, n != 4]\n";

static int open(void **state)
{
	static struct fixture x;
	struct study_errors e;

	memset(&x, 0, sizeof x);
	if (study_parse(&arena, "f", text, strlen(text), &x.study, &e))
		fail_msg("%s", e.items[0].text);
	x.phase = study_find_phase(x.study, "p");
	assert_true(value_parse(&arena, &x.study->phases[0].space.params[0], "64", &x.pre[0]));
	x.pre[1] = (struct value){.kind = VALUE_REAL, .u.r = 0.25};
	x.by_phase[0] = x.pre;
	x.by_phase[1] = x.own;
	x.scope = (struct scope){x.by_phase, 2};
	*state = &x;
	return 0;
}

static int close(void **state)
{
	struct fixture *x = *state;

	bytes_finish(&x->said);
	arena_finish(&arena);
	return 0;
}

static void said(struct fixture *x, const char *line)
{
	size_t at, n = x->said.len;
	struct fault f;

	assert_true(n > 0 && x->said.data[n - 1] == '\n');
	assert_null(memchr(x->said.data, '\n', n - 1));
	assert_non_null(json_parse(&arena, (const char *)x->said.data, n, &at, &f));
	x->said.data[n - 1] = '\0';
	assert_string_equal((const char *)x->said.data, line);
	bytes_clear(&x->said);
}

static int answer(struct fixture *x, const char *line, struct advice *out, struct fault *f)
{
	return advice_read(&arena, x->phase, &x->scope, 3, line, strlen(line), x->own, out, f);
}

static void test_opening(void **state)
{
	struct fixture *x = *state;
	struct fault f;
	size_t at;
	const struct json *v;

	advice_put_opening(&x->said, x->study, x->phase, 1);
	v = json_parse(&arena, (const char *)x->said.data, x->said.len, &at, &f);
	assert_non_null(v);
	assert_string_equal(json_get(v, "study")->text, "s");
	assert_string_equal(json_get(v, "outer_fold")->text, "1");
	bytes_put_u8(&x->said, 0);
	assert_non_null(strstr(
	    (char *)x->said.data,
	    "\"goal\": \"maximize\", \"metric\": \"err\", \"trials\": 9, \"total\": true, \"params\": "
	    "{\"lr\": {\"type\": \"float\", \"low\": 0.0001, \"high\": 1, \"log\": true}, "
	    "\"n\": {\"type\": \"int\", \"low\": 2, \"high\": \"h\", \"log\": false, \"step\": 2}, "
	    "\"k\": {\"type\": \"int\", \"low\": 1, \"high\": 9, \"log\": true}, "
	    "\"o\": {\"type\": \"choice\", \"choices\": [\"sgd\", \"a \\\"b\\\"\"], \"ordered\": false}, "
	    "\"m\": {\"type\": \"float\", \"low\": 0, \"high\": 0.9, \"log\": false, \"if\": \"o == sgd\"}, "
	    "\"z\": {\"type\": \"normal\", \"mu\": 0, \"sigma\": 1}, "
	    "\"c\": {\"type\": \"choice\", \"choices\": [7], \"ordered\": true}, "
	    "\"g\": {\"type\": \"choice\", \"choices\": [0, 0.5, 1], \"ordered\": true}}, "
	    "\"require\": [\"lr < 0.5\", \"n != 4\"], "
	    "\"parents\": {\"h\": {\"type\": \"choice\", \"choices\": [64, 128], \"ordered\": true}, "
	    "\"u\": {\"type\": \"float\", \"low\": 0, \"high\": 1, \"log\": false}}}\n"));
}

static void test_several_metrics(void **state)
{
	static const char file[] = "study: s\nmetrics: {err: minimize, acc: maximize}\nphases:\n"
	                           "  p: {command: \"x {a}\", params: {a: \"uniform(0, 1)\"}, trials: 3, "
	                           "search: {program: ./a}}\n";
	const double values[] = {0.5, 0.75};
	struct advice_news news = {
	    .asked = true, .id = 3, .trial = 7, .end = TRIAL_COMPLETE, .value = 0.5, .values = values};
	struct fixture *x = *state;
	const struct study *two;
	struct study_errors e;

	if (study_parse(&arena, "f", file, strlen(file), &two, &e))
		fail_msg("%s", e.items[0].text);
	advice_put_opening(&x->said, two, &two->phases[0], -1);
	bytes_put_u8(&x->said, 0);
	assert_non_null(strstr((char *)x->said.data, "\"goal\": \"minimize\", \"metric\": \"err\", "
	                                             "\"metrics\": {\"err\": \"minimize\", "
	                                             "\"acc\": \"maximize\"}, "));
	bytes_clear(&x->said);
	advice_put_tell(&x->said, &arena, two, &two->phases[0], &news);
	said(x, "{\"tell\": {\"id\": 3, \"trial\": 7, \"state\": \"complete\", \"value\": 0.5, "
	        "\"values\": {\"err\": 0.5, \"acc\": 0.75}}}");
}

static const char *seed_in(struct fixture *x, int32_t outer)
{
	struct fault f;
	size_t at;
	const struct json *v;

	bytes_clear(&x->said);
	advice_put_opening(&x->said, x->study, x->phase, outer);
	v = json_parse(&arena, (const char *)x->said.data, x->said.len, &at, &f);
	return json_get(v, "seed")->text;
}

static void test_seeds_of_outer_folds_differ(void **state)
{
	assert_string_not_equal(seed_in(*state, 0), seed_in(*state, 1));
	assert_string_equal(seed_in(*state, -1), seed_in(*state, -1));
}

static void test_questions_and_news(void **state)
{
	struct fixture *x = *state;
	struct advice out;
	struct fault f;
	struct advice_news news = {.trial = 12, .scope = &x->scope};

	x->by_phase[1] = NULL;
	advice_put_ask(&x->said, &arena, x->study, x->phase, 3, &x->scope);
	said(x, "{\"ask\": {\"id\": 3, \"parents\": {\"h\": 64, \"u\": 0.25}}}");
	x->by_phase[1] = x->own;
	assert_int_equal(answer(x,
	                        "{\"id\": 3, \"params\": {\"lr\": 0.1, \"n\": 6, \"k\": 2, \"o\": \"a "
	                        "\\\"b\\\"\", \"z\": -1, \"g\": 0.5}}",
	                        &out, &f),
	                 0);
	advice_put_tell(&x->said, &arena, x->study, x->phase, &news);
	said(
	    x,
	    "{\"tell\": {\"id\": null, \"trial\": 12, \"state\": \"open\", \"params\": {\"lr\": 0.1, \"n\": "
	    "6, \"k\": 2, \"o\": \"a \\\"b\\\"\", \"z\": -1, \"c\": 7, \"g\": 0.5}, \"parents\": {\"h\": 64, "
	    "\"u\": 0.25}}}");
	news = (struct advice_news){.asked = true, .id = 4, .end = TRIAL_PRUNED, .value = 0.5, .step = 3};
	advice_put_tell(&x->said, NULL, x->study, x->phase, &news);
	said(x, "{\"tell\": {\"id\": 4, \"state\": \"pruned\", \"value\": 0.5, \"step\": 3}}");
	news.end = TRIAL_COMPLETE;
	advice_put_tell(&x->said, NULL, x->study, x->phase, &news);
	said(x, "{\"tell\": {\"id\": 4, \"state\": \"complete\", \"value\": 0.5}}");
	news.end = TRIAL_FAILED;
	advice_put_tell(&x->said, NULL, x->study, x->phase, &news);
	said(x, "{\"tell\": {\"id\": 4, \"state\": \"failed\"}}");
	news.end = TRIAL_VOID;
	advice_put_tell(&x->said, NULL, x->study, x->phase, &news);
	said(x, "{\"tell\": {\"id\": 4, \"state\": \"gone\"}}");
	news.rule = "lr < 1";
	advice_put_tell(&x->said, NULL, x->study, x->phase, &news);
	said(x, "{\"tell\": {\"id\": 4, \"state\": \"infeasible\", \"require\": \"lr < 1\"}}");
}

static void test_good_answers(void **state)
{
	static const struct {
		const char *params, *values[MAX]; /* NULL: none */
		const char *rule;
	} rows[] = {
	    {"\"lr\": 1e-4, \"n\": 2, \"k\": 9, \"o\": \"sgd\", \"m\": 0.5, \"z\": 1e9, \"c\": 7, \"g\": 1",
	     {"0.0001", "2", "9", "sgd", "0.5", "1000000000", "7", "1"},
	     NULL},
	    /* what is not active is dropped; single choices may be left out; whole numbers with a point */
	    {"\"g\": 0.50, \"lr\": 0.2, \"n\": 64.0, \"k\": 1e0, \"o\": \"a \\\"b\\\"\", \"m\": 77, \"z\": 0",
	     {"0.2", "64", "1", "a \"b\"", NULL, "0", "7", "0.5"},
	     NULL},
	    {"\"lr\": \"0.2\", \"n\": \"8\", \"k\": 1, \"o\": \"sgd\", \"m\": 0, \"z\": 0, \"c\": null, "
	     "\"g\": "
	     "\"0\"",
	     {"0.2", "8", "1", "sgd", "0", "0", "7", "0"},
	     NULL},
	    {"\"lr\": 0.6, \"n\": 8, \"k\": 1, \"o\": \"sgd\", \"m\": 0, \"z\": 0, \"g\": 0",
	     {"0.6", "8", "1", "sgd", "0", "0", "7", "0"},
	     "lr < 0.5"},
	    {"\"lr\": 0.1, \"n\": 4, \"k\": 1, \"o\": \"sgd\", \"m\": 0, \"z\": 0, \"g\": 0",
	     {"0.1", "4", "1", "sgd", "0", "0", "7", "0"},
	     "n != 4"},
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *line = arena_printf(&arena, " {\"params\": {%s}, \"id\": 3}\r", rows[i].params);
		struct advice out;
		struct fault f = {0};
		char buf[TEXT_NUMBER];

		if (answer(x, line, &out, &f))
			fail_msg("%s: %s", line, f.text);
		assert_int_equal(out.kind, rows[i].rule ? ADVICE_BREAKS : ADVICE_POINT);
		if (rows[i].rule)
			assert_string_equal(out.rule, rows[i].rule);
		for (uint32_t k = 0; k < MAX; k++)
			assert_string_equal(value_text(&x->own[k], buf),
			                    rows[i].values[k] ? rows[i].values[k] : "");
	}
}

static void test_bad_answers(void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
	    {"", "no JSON (at byte 1)"},
	    {"{\"id\": 3, \"params\": }", "no JSON (at byte 21)"},
	    {"3", "no JSON object"},
	    {"{\"params\": {}}", "no \"id\""},
	    {"{\"id\": 4, \"params\": {}}", "\"id\" is not that of the question, which is 3"},
	    {"{\"id\": \"3\", \"params\": {}}", "\"id\" is not that"},
	    {"{\"id\": -3, \"params\": {}}", "\"id\" is not that"},
	    {"{\"id\": 3.5, \"params\": {}}", "\"id\" is not that"},
	    {"{\"id\": 3}", "neither \"params\" nor \"exhausted\" alone"},
	    {"{\"id\": 3, \"params\": {}, \"exhausted\": true}", "neither"},
	    {"{\"id\": 3, \"exhausted\": false}", "can only be true"},
	    {"{\"id\": 3, \"params\": {}, \"x\": 1}", "unknown key \"x\""},
	    {"{\"id\": 3, \"params\": []}", "must be a map"},
	    {"{\"id\": 3, \"params\": {}}", "no value for lr: log(0.0001, 1)"},
	    {"{\"id\": 3, \"params\": {\"lr\": null}}", "no value for lr"},
	    {"{\"id\": 3, \"params\": {\"lr\": 0.1, \"lrr\": 1}}", "no parameter 'lrr', did you mean 'lr'?"},
	    {"{\"id\": 3, \"params\": {\"h\": 64}}", "no parameter 'h'"},
	    {"{\"id\": 3, \"params\": {\"lr\": true}}", "true is no value of lr: log(0.0001, 1)"},
	    {"{\"id\": 3, \"params\": {\"lr\": \"x\"}}", "the text x is no value of lr"},
	    {"{\"id\": 3, \"params\": {\"lr\": \"nan\"}}", "the text nan is no value of lr"},
	    {"{\"id\": 3, \"params\": {\"lr\": 1e999}}", "1e999 is no value of lr"},
	    {"{\"id\": 3, \"params\": {\"lr\": [0.1]}}", "a list is no value of lr"},
	    {"{\"id\": 3, \"params\": {\"lr\": {}}}", "a map is no value of lr"},
	    {"{\"id\": 3, \"params\": {\"lr\": \"\"}}", "the text \"\" is no value of lr"},
	    {"{\"id\": 3, \"params\": {\"lr\": 0.1, \"n\": 2.5}}", "2.5 is no value of n: int(2, h, 2)"},
	    {"{\"id\": 3, \"params\": {\"lr\": 2, \"n\": 2, \"k\": 1, \"o\": \"sgd\", \"m\": 0, \"z\": 0, "
	     "\"g\": 0}}",
	     "lr=2 does not lie in log(0.0001, 1)"},
	    {"{\"id\": 3, \"params\": {\"lr\": 0.1, \"n\": 3, \"k\": 1, \"o\": \"sgd\", \"m\": 0, \"z\": 0, "
	     "\"g\": 0}}",
	     "n=3 does not lie in int(2, h, 2)"},
	    {"{\"id\": 3, \"params\": {\"lr\": 0.1, \"n\": 66, \"k\": 1, \"o\": \"sgd\", \"m\": 0, \"z\": 0, "
	     "\"g\": 0}}",
	     "n=66 does not lie"},
	    {"{\"id\": 3, \"params\": {\"lr\": 0.1, \"n\": 2, \"k\": 1, \"o\": \"SGD\", \"z\": 0, \"g\": 0}}",
	     "o=SGD does not lie in [sgd, "},
	    {"{\"id\": 3, \"params\": {\"lr\": 0.1, \"n\": 2, \"k\": 1, \"o\": \"sgd\", \"z\": 0, \"g\": 0}}",
	     "no value for m: uniform(0, 0.9) if o == sgd"},
	    {"{\"id\": 3, \"params\": {\"lr\": 0.1, \"n\": 2, \"k\": 1, \"o\": \"sgd\", \"m\": 0, \"z\": 0, "
	     "\"g\": 0.3}}",
	     "g=0.3 does not lie in linspace(0, 1, 3)"},
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct advice out;
		struct fault f = {0};

		if (!answer(x, rows[i].line, &out, &f))
			fail_msg("%s is taken", rows[i].line);
		assert_int_equal(f.code, FAULT_SEARCH);
		if (!strstr(f.text, rows[i].says))
			fail_msg("%s\ngot  %s\nwant %s", rows[i].line, f.text, rows[i].says);
	}
}

static void test_exhausted(void **state)
{
	struct advice out;
	struct fault f;

	assert_int_equal(answer(*state, "{\"id\": 3, \"exhausted\": true}", &out, &f), 0);
	assert_int_equal(out.kind, ADVICE_EXHAUSTED);
}

static void test_quotes(void **state)
{
	char line[1000];
	const char *q;

	(void)state;
	assert_string_equal(advice_quote(&arena, "a\tb\xff\xc3\xa9\x7f", 7), "a\\x09b\\xff\xc3\xa9\\x7f");
	memset(line, 'x', sizeof line);
	q = advice_quote(&arena, line, sizeof line);
	assert_int_equal(strlen(q), ADVICE_QUOTE + 3);
	assert_string_equal(q + ADVICE_QUOTE, "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_opening, open, close),
	    cmocka_unit_test_setup_teardown(test_several_metrics, open, close),
	    cmocka_unit_test_setup_teardown(test_seeds_of_outer_folds_differ, open, close),
	    cmocka_unit_test_setup_teardown(test_questions_and_news, open, close),
	    cmocka_unit_test_setup_teardown(test_good_answers, open, close),
	    cmocka_unit_test_setup_teardown(test_bad_answers, open, close),
	    cmocka_unit_test_setup_teardown(test_exhausted, open, close),
	    cmocka_unit_test_setup_teardown(test_quotes, open, close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
