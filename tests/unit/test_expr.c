/* Expressions over a small set of names: values, types, and mistakes with their places. */
#include "expr.h"
#include "text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

/* a = 3 (uniform), b = inactive, op = sgd of {sgd, adam}, flag = true of {true, false}, n.x = 4 of {4, 8},
 * mix = auto of {auto, 2}, learning-rate = 0.5 */
static const struct choice op[] = {{"sgd", NAN, false}, {"adam", NAN, false}};
static const struct choice flag[] = {{"true", NAN, false}, {"false", NAN, false}};
static const struct choice four[] = {{"4", 4, true}, {"8", 8, true}};
static const struct choice mix[] = {{"auto", NAN, false}, {"2", 2, true}};
static const struct param params[] = {
    {.name = "a", .kind = DOMAIN_UNIFORM},
    {.name = "b", .kind = DOMAIN_UNIFORM},
    {.name = "op", .kind = DOMAIN_CHOICE, .choices = op, .nchoices = 2},
    {.name = "flag", .kind = DOMAIN_CHOICE, .choices = flag, .nchoices = 2},
    {.name = "n.x", .kind = DOMAIN_CHOICE, .choices = four, .nchoices = 2},
    {.name = "mix", .kind = DOMAIN_CHOICE, .choices = mix, .nchoices = 2},
    {.name = "learning-rate", .kind = DOMAIN_UNIFORM},
};
enum { N = sizeof params / sizeof *params };
static const struct value values[N] = {{VALUE_REAL, {.r = 3}},
                                       {VALUE_NONE, {0}},
                                       {VALUE_CHOICE, {.choice = &op[0]}},
                                       {VALUE_CHOICE, {.choice = &flag[0]}},
                                       {VALUE_CHOICE, {.choice = &four[0]}},
                                       {VALUE_CHOICE, {.choice = &mix[0]}},
                                       {VALUE_REAL, {.r = 0.5}}};
static const struct value *const by_phase[] = {values};
static const struct scope scope = {by_phase, 1};

static int find(void *ctx, const char *name, struct expr_ref *out, struct fault *f)
{
	(void)ctx;
	if (!strcmp(name, "bad"))
		return fault_set(f, FAULT_STUDY, "bad can't be used");
	for (uint32_t i = 0; i < N; i++)
		if (!strcmp(params[i].name, name)) {
			*out = (struct expr_ref){0, i, &params[i]};
			return 1;
		}
	return 0;
}

static const char *nearest(void *ctx, const char *name)
{
	const char *words[N];

	(void)ctx;
	for (int i = 0; i < N; i++)
		words[i] = params[i].name;
	return text_nearest(name, words, N);
}

static const struct expr *make(const char *text, enum expr_want want, size_t *at, struct fault *f)
{
	static const struct expr_names names = {find, nearest, NULL};
	struct expr *e = expr_parse(&arena, text, strlen(text), at, f);

	return e && !expr_bind(e, want, &names, at, f) ? e : NULL;
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		double value;
	} rows[] = {
	    {"1 + 2 * 3", 7},       {"(1 + 2) * 3", 9},  {"2 ^ 3 ^ 2", 512}, {"2 ** -1", 0.5},
	    {"-2 ^ 2", -4},         {"10 - 4 - 3", 3},   {"7 % 3", 1},       {"-7 % 3", 2},
	    {"1e-3 * 1e3", 1},      {".5 + 1.", 1.5},    {"a * n.x", 12},    {"a-1", 2},
	    {"learning-rate", 0.5}, {"min(a, 2, 5)", 2}, {"max(a, 2)", 3},   {"exp(log(2)) * 1", 2},
	    {"sqrt(16)", 4},        {"abs(-3)", 3},      {"floor(2.7)", 2},  {"ceil(2.1)", 3},
	    {"8 / 4 / 2", 1},       {"+ - 3", -3},       {"b + 1", NAN},     {"min(1, b)", NAN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fault f = {0};
		size_t at;
		const struct expr *e = make(rows[i].text, EXPR_NUMBER, &at, &f);
		double v;

		if (!e)
			fail_msg("%s: %s", rows[i].text, f.text);
		v = expr_number(e, &scope);
		if (isnan(rows[i].value) ? !isnan(v) : fabs(v - rows[i].value) > 1e-12)
			fail_msg("%s is %g", rows[i].text, v);
	}
}

static void test_conditions(void **state)
{
	static const struct {
		const char *text;
		bool holds, inactive; /* inactive: has no value */
	} rows[] = {
	    {"a == 3", true, false},
	    {"a != 3", false, false},
	    {"a < 3 or a >= 3", true, false},
	    {"a < 3 || a > 5 && a == 3", false, false},
	    {"not a < 3", true, false},
	    {"!(a < 3) and a <= 3", true, false},
	    {"op == sgd", true, false},
	    {"op == 'sgd'", true, false},
	    {"op != adam", true, false},
	    {"sgd == op", true, false},
	    {"op in [adam, sgd]", true, false},
	    {"op in [adam]", false, false},
	    {"a in [1, 2, 3]", true, false},
	    {"n.x == 4", true, false},
	    {"n.x in [4.0]", true, false},
	    {"mix == auto", true, false},
	    {"mix == 2", false, false},
	    {"flag", true, false},
	    {"not flag or flag == false", false, false},
	    {"b > 0", false, true},
	    {"a == 3 or b > 0", false, true},
	    {"not b > 0", false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fault f = {0};
		size_t at;
		const struct expr *e = make(rows[i].text, EXPR_CONDITION, &at, &f);

		if (!e)
			fail_msg("%s: %s", rows[i].text, f.text);
		assert_int_equal(expr_holds(e, &scope, false), rows[i].holds);
		assert_int_equal(expr_holds(e, &scope, true), rows[i].holds || rows[i].inactive);
	}
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text;
		enum expr_want want;
		size_t at;
		const char *says;
	} rows[] = {
	    {"", EXPR_NUMBER, 0, "ends where a value should follow"},
	    {"1 +", EXPR_NUMBER, 3, "ends where a value should follow"},
	    {"1 2", EXPR_NUMBER, 2, "'2' is not expected here"},
	    {"(1", EXPR_NUMBER, 2, "a ')' is missing"},
	    {"min(1", EXPR_NUMBER, 5, "a ')' is missing"},
	    {"min()", EXPR_NUMBER, 4, "')' where a value should stand"},
	    {"log(1, 2)", EXPR_NUMBER, 0, "log() takes one value"},
	    {"sin(1)", EXPR_NUMBER, 0, "unknown function 'sin'"},
	    {"1..2", EXPR_NUMBER, 0, "'1..2' is no number"},
	    {"1e999", EXPR_NUMBER, 0, "is no number"},
	    {"0x10", EXPR_NUMBER, 0, "is no number"},
	    {"'abc", EXPR_NUMBER, 0, "a quote without its end"},
	    {"a = 3", EXPR_CONDITION, 2, "to compare write '=='"},
	    {"a in 3", EXPR_CONDITION, 5, "`in` wants a list"},
	    {"a in [3", EXPR_CONDITION, 7, "a ']' is missing"},
	    {"1 < a < 3", EXPR_CONDITION, 6, "is not expected here"},
	    {"zz + 1", EXPR_NUMBER, 0, "unknown parameter 'zz'"},
	    {"1 + learning-rte", EXPR_NUMBER, 4, "did you mean 'learning-rate'?"},
	    {"x-y", EXPR_NUMBER, 0, "a minus needs blanks"},
	    {"bad + 1", EXPR_NUMBER, 0, "bad can't be used"},
	    {"op + 1", EXPR_NUMBER, 0, "'op' is a text"},
	    {"op < adam", EXPR_CONDITION, 0, "'op' is a text"},
	    {"op == 3", EXPR_CONDITION, 0, "a text is compared with a number"},
	    {"op == sgdd", EXPR_CONDITION, 6, "'sgdd' is no choice of 'op', did you mean 'sgd'?"},
	    {"op in [sgd, adm]", EXPR_CONDITION, 12, "'adm' is no choice"},
	    {"opp == sgd", EXPR_CONDITION, 0, "unknown parameter 'opp', did you mean 'op'?"},
	    {"a == zzzz", EXPR_CONDITION, 5, "unknown parameter 'zzzz'"},
	    {"a", EXPR_CONDITION, 0, "no condition"},
	    {"a and a == 1", EXPR_CONDITION, 0, "no condition"},
	    {"a == 1", EXPR_NUMBER, 0, "a condition where a number is needed"},
	    {"(a == 1) + 1", EXPR_NUMBER, 1, "a condition where a number is needed"},
	    {"(a == 1) == (a == 2)", EXPR_CONDITION, 1, "use `and`, `or`, `not`"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fault f = {0};
		size_t at = 99;

		if (make(rows[i].text, rows[i].want, &at, &f))
			fail_msg("%s was accepted", rows[i].text);
		if (!strstr(f.text, rows[i].says) || at != rows[i].at)
			fail_msg("%s: got %zu %s", rows[i].text, at, f.text);
	}
}

static void test_depth_is_bounded(void **state)
{
	static const char *const units[] = {"(", "-", "not ", "!", "min(", "2^", "- -"};
	char text[EXPR_MAX_BYTES + 2];

	(void)state;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		struct fault f = {0};
		size_t at, n = 0;

		while (n + strlen(units[i]) <= EXPR_MAX_BYTES) {
			memcpy(text + n, units[i], strlen(units[i]));
			n += strlen(units[i]);
		}
		assert_null(expr_parse(&arena, text, n, &at, &f));
		assert_string_equal(f.text, "nested too deep");
	}
	memset(text, '1', sizeof text);
	assert_null(expr_parse(&arena, text, sizeof text, &(size_t){0}, NULL));
}

/* A long chain is no deep nesting. */
static void test_long_chain(void **state)
{
	char text[EXPR_MAX_BYTES];
	struct fault f = {0};
	size_t at;

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 2 ? '+' : '1';
	assert_null(expr_parse(&arena, text, sizeof text, &at, &f)); /* ends in + */
	assert_true(expr_number(expr_parse(&arena, text, sizeof text - 1, &at, &f), &scope) ==
	            EXPR_MAX_BYTES / 2);
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
	    cmocka_unit_test(test_numbers),    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_mistakes),   cmocka_unit_test(test_depth_is_bounded),
	    cmocka_unit_test(test_long_chain),
	};

	return cmocka_run_group_tests_name("expr", tests, NULL, finish);
}
