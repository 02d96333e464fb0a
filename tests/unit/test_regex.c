/* Patterns of `capture`. */
#include "regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_matching(void **state)
{
	static const struct {
		const char *pattern, *line, *group; /* NULL: no match */
	} rows[] = {
	    {"loss=(\\S+)", "epoch 3 loss=0.25 lr=1", "0.25"},
	    {"loss=(\\S+)", "epoch 3", NULL},
	    {"^a(b?)c$", "ac", ""},
	    {"(?:x|y)(\\d+)", "zy12", "12"},
	    {"a|(b)", "a", ""},
	    {"=(.)", "=\xff", "\xff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct regex *r = regex_open(rows[i].pattern, NULL);
		size_t at, n;
		bool hit;

		assert_non_null(r);
		assert_int_equal(regex_groups(r), 1);
		hit = regex_match(r, rows[i].line, strlen(rows[i].line), &at, &n);
		assert_int_equal(hit, rows[i].group != NULL);
		if (hit) {
			assert_int_equal(n, strlen(rows[i].group));
			assert_memory_equal(rows[i].line + at, rows[i].group, n);
		}
		regex_close(r);
	}
}

static void test_bad_patterns(void **state)
{
	char *nested = calloc(1, 3000), *big = calloc(1, REGEX_MAX_PATTERN + 2);
	const char *rows[] = {"a(", "[z-a]", "*", "(?<n", nested, big};
	struct fault f;

	(void)state;
	memset(nested, '(', 2999);
	memset(big, 'a', REGEX_MAX_PATTERN + 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		f = (struct fault){0};
		assert_null(regex_open(rows[i], &f));
		assert_int_equal(f.code, FAULT_STUDY);
		assert_true(strlen(f.text) > 10);
	}
	free(nested);
	free(big);
	regex_close(NULL);
}

/* Gives up instead of backtracking for ever. */
static void test_backtracking_ends(void **state)
{
	struct regex *r = regex_open("(a+)+$", NULL);
	char line[10001];
	size_t at, n;

	(void)state;
	memset(line, 'a', sizeof line);
	line[10000] = 'b';
	assert_false(regex_match(r, line, sizeof line, &at, &n));
	regex_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_matching),
	                                   cmocka_unit_test(test_bad_patterns),
	                                   cmocka_unit_test(test_backtracking_ends)};

	return cmocka_run_group_tests_name("regex", tests, NULL, NULL);
}
