/* key=value words as a condition. */
#include "selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static const char *const phases[] = {"pretrain", "finetune"};
static const char *const params[] = {"lr",  "pretrain.lr", "optim.lr", "finetune.optim.lr",
                                     "act", "finetune.act"};
static const struct selector_names names = {phases, 2, params, 6};

static int parse(const char *a, const char *b, struct selector_sql *out, struct fault *f)
{
	const char *words[] = {a, b};

	return selector_parse(&arena, words, b ? 2 : a ? 1 : 0, &names, out, f);
}

static void test_words(void **state)
{
	static const struct {
		const char *a, *b, *where;
		uint32_t nbinds;
	} rows[] = {
	    {NULL, NULL, "1", 0},
	    {"unit=3", NULL, "unit IN (CAST(?1 AS INTEGER))", 1},
	    {"fold=-1", NULL, "fold IN (CAST(?1 AS INTEGER))", 1},
	    {"state=failed,blocked", NULL, "state IN (?1, ?2)", 2},
	    {"phase=pretrain", "reason=oom", "phase IN (?1) AND reason IN (?2)", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct selector_sql sql;
		struct fault f;

		if (parse(rows[i].a, rows[i].b, &sql, &f))
			fail_msg("%s", f.text);
		assert_string_equal(sql.where, rows[i].where);
		assert_int_equal(sql.nbinds, rows[i].nbinds);
		assert_null(sql.binds[sql.nbinds]);
	}
}

/* Whatever is typed as a value of a parameter is bound, never part of the SQL. */
static void test_values_are_bound(void **state)
{
	struct selector_sql sql;
	struct fault f;

	(void)state;
	assert_int_equal(parse("act='; DROP TABLE unit --", NULL, &sql, &f), 0);
	assert_null(strstr(sql.where, "DROP"));
	assert_string_equal(sql.binds[0], "act");
	assert_string_equal(sql.binds[1], "'; DROP TABLE unit --");
	assert_int_equal(parse("act=a\\,b,c=d", NULL, &sql, &f), 0);
	assert_int_equal(sql.nbinds, 3);
	assert_string_equal(sql.binds[1], "a,b");
	assert_string_equal(sql.binds[2], "c=d");
}

static void test_parameters(void **state)
{
	struct selector_sql sql;
	struct fault f;

	(void)state;
	assert_int_equal(parse("optim.lr=0.1", "pretrain.lr=1", &sql, &f), 0);
	assert_string_equal(sql.binds[0], "optim.lr");
	assert_non_null(strstr(sql.where, "CAST(?2 AS REAL)"));
	assert_null(strstr(sql.where, ">=")); /* few digits mean that very number */
	assert_int_equal(parse("lr=0.00316228", NULL, &sql, &f), 0);
	assert_non_null(strstr(sql.where, ">=")); /* as a table shows it */
	assert_int_equal(sql.nbinds, 4);
	assert_string_equal(sql.binds[2], "0.003162275");
	assert_string_equal(sql.binds[3], "0.003162285");
}

static void test_errors_name_the_nearest(void **state)
{
	static const struct {
		const char *word, *part;
	} rows[] = {
	    {"lrr=1", "did you mean `lr`"},
	    {"stat=done", "did you mean `state`"},
	    {"state=don", "did you mean `done`"},
	    {"phase=pretrian", "did you mean `pretrain`"},
	    {"reason=time_out", "did you mean `timeout`"},
	    {"reason=", "no reason ``"},
	    {"unit=x", "whole number"},
	    {"unit=", "whole number"},
	    {"unit=1,", "whole number"},
	    {"unit=99999999999999999999", "whole number"},
	    {"=1", "key=value"},
	    {"digits", "key=value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct selector_sql sql;
		struct fault f;

		assert_int_equal(parse(rows[i].word, NULL, &sql, &f), -1);
		assert_int_equal(f.code, FAULT_USAGE);
		if (!strstr(f.text, rows[i].part))
			fail_msg("%s: no \"%s\" in \"%s\"", rows[i].word, rows[i].part, f.text);
	}
}

static void test_too_many_values(void **state)
{
	static char word[5000] = "unit=1";
	struct selector_sql sql;
	struct fault f;

	(void)state;
	for (int i = 0; i < 499; i++)
		strcat(word, ",1");
	assert_int_equal(parse(word, NULL, &sql, &f), 0);
	strcat(word, ",1");
	assert_int_equal(parse(word, NULL, &sql, &f), -1);
	assert_non_null(strstr(f.text, "500"));
}

static void test_like(void **state)
{
	(void)state;
	assert_true(selector_like("state=done"));
	assert_false(selector_like("digits.db"));
	assert_false(selector_like("runs/lr=1/x.db"));
	assert_false(selector_like("=x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),           cmocka_unit_test(test_values_are_bound),
	    cmocka_unit_test(test_parameters),      cmocka_unit_test(test_errors_name_the_nearest),
	    cmocka_unit_test(test_too_many_values), cmocka_unit_test(test_like),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_finish(&arena);
	return failed;
}
