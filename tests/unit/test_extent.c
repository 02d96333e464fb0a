/* How large a study will be. */
#include "extent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static const struct study *parse(const char *body)
{
	char text[4000];
	const struct study *s;
	struct study_errors e;

	snprintf(text, sizeof text, "study: st\nmetric: m\ngoal: minimize\n%s", body);
	if (study_parse(&arena, "f", text, strlen(text), &s, &e))
		fail_msg("%s", e.items[0].text);
	return s;
}

#define PHASES "phases:\n"
#define ROOT   "  a: {command: x, params: {lr: \"log(1, 2)\", h: [1, 2, 3]}, search: random, trials: 6}\n"

static void test_sizes(void **state)
{
	static const struct {
		const char *body, *last; /* the phase looked at */
		uint64_t groups, trials, units;
		bool at_most;
	} rows[] = {
	    {PHASES ROOT, "a", 1, 6, 6, false},
	    {"folds: 5\n" PHASES ROOT, "a", 1, 6, 30, false},
	    {"folds: 5\n" PHASES ROOT "  b: {after: a, command: x, params: {l2: \"log(1, 2)\"}, trials: 5}\n",
	     "b", 6, 30, 150, false},
	    {"folds: 5\n" PHASES ROOT
	     "  b: {after: a, command: x, params: {l2: \"log(1, 2)\"}, trials: 30 total}\n",
	     "b", 1, 30, 150, false},
	    {"folds: 5\n" PHASES ROOT "  b: {after: {a: best}, folds: none, command: x, metric: none}\n", "b",
	     1, 1, 1, false},
	    {PHASES ROOT "  b: {after: {a: best 3}, command: x, params: {l2: \"log(1, 2)\"}, trials: 5}\n",
	     "b", 3, 15, 15, false},
	    {PHASES ROOT "  b: {after: {a: best 9}, command: x}\n", "b", 6, 6, 6, false},
	    {PHASES ROOT "  b: {after: {a: best 3 as one}, command: x}\n", "b", 1, 1, 1, false},
	    {PHASES ROOT "  b: {after: {a: best per h}, command: x}\n", "b", 3, 3, 3, true},
	    {PHASES ROOT "  b: {after: {a: best per lr}, command: x}\n", "b", 6, 6, 6, true},
	    /* a grid without `trials`; one that a condition thins out */
	    {PHASES "  a: {command: x, params: {p: [1, 2], q: \"int(1, 5)\"}, search: grid}\n", "a", 1, 10,
	     10, false},
	    {PHASES "  a: {command: x, params: {p: [1, 2], q: \"int(1, 5)\"}, search: grid, trials: 4}\n",
	     "a", 1, 4, 4, false},
	    {PHASES "  a: {command: x, params: {p: [1, 2], q: \"int(1, 5) if p == 1\"}, search: grid}\n", "a",
	     1, 10, 10, true},
	    /* two parents that share theirs: 6 x 2 x 3, not 12 x 18 */
	    {PHASES ROOT "  b: {after: a, command: x, params: {l2: \"log(1, 2)\"}, trials: 2}\n"
	                 "  c: {after: a, command: x, params: {l3: \"log(1, 2)\"}, trials: 3}\n"
	                 "  d: {after: [b, c], command: x}\n",
	     "d", 36, 36, 36, false},
	    /* three outer folds with two inner ones, and the full search beside them */
	    {"folds: {outer: 3, inner: 2}\n" PHASES ROOT, "a", 3, 18, 36, false},
	    {"folds: {outer: 3, inner: 2, full: true}\n" PHASES ROOT
	     "  b: {after: {a: best}, folds: none, command: x}\n",
	     "a", 4, 24, 48, false},
	    {"folds: {outer: 3, inner: 2, full: true}\n" PHASES ROOT
	     "  b: {after: {a: best}, folds: none, command: x}\n",
	     "b", 1, 1, 1, false},
	    {"folds: {outer: 3, inner: 2}\n" PHASES ROOT
	     "  b: {after: {a: best}, folds: outer, command: x}\n",
	     "b", 3, 3, 3, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct study *s = parse(rows[i].body);
		const struct extent *x = &extent_of(&arena, s)[study_find_phase(s, rows[i].last)->index];

		if (x->groups != rows[i].groups || x->trials != rows[i].trials || x->units != rows[i].units ||
		    x->at_most != rows[i].at_most)
			fail_msg("row %zu: %llu groups, %llu trials, %llu units%s of:\n%s", i,
			         (unsigned long long)x->groups, (unsigned long long)x->trials,
			         (unsigned long long)x->units, x->at_most ? " at most" : "", rows[i].body);
	}
}

static void test_total_saturates(void **state)
{
	const struct study *s = parse(
	    "folds: 10\n" PHASES "  a: {command: x, params: {p: \"uniform(0, 1)\"}, trials: 1000000000}\n"
	    "  b: {after: a, command: x, params: {q: \"uniform(0, 1)\"}, trials: "
	    "1000000000}\n"
	    "  c: {after: b, command: x, params: {r: \"uniform(0, 1)\"}, trials: "
	    "1000000000}\n");
	struct extent all;

	(void)state;
	extent_total(s, extent_of(&arena, s), &all);
	assert_true(all.units == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_total_saturates),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	arena_finish(&arena);
	return failed;
}
