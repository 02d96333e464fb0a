/* Commands: what a trainer is started with. */
#include "command.h"
#include "study.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static const struct study *parse(const char *command)
{
	static char text[400000];
	const struct study *s;
	struct study_errors e;

	snprintf(text, sizeof text,
	         "study: st\nmetric: m\ngoal: minimize\nfolds: 3\nphases:\n"
	         "  a:\n    command: x {dir}\n    params:\n      lr: [0.10, 1]\n      wd: uniform(0, 1)\n"
	         "    trials: 2\n"
	         "  b:\n    after: a\n    params:\n      lr: log(1, 2)\n      op: [sgd, \"it's, {x}\"]\n"
	         "      mo: uniform(0, 1) if op == sgd\n      n: int(1, 9)\n    trials: 2\n    command: %s\n",
	         command);
	if (study_parse(&arena, "f", text, strlen(text), &s, &e))
		fail_msg("%s", e.items[0].text);
	return s;
}

/* A unit of phase b: lr 0.10 and wd 0.25 of its parent; own lr 1.5, the second op, no mo, n 7. */
struct unit {
	struct value a[2], b[4];
	const struct value *by_phase[2];
	const char *dirs[3];
	struct command_parent parents[2];
	struct command_context x;
};

static void fill(struct unit *u, const struct study *s)
{
	const struct study_phase *p = s->phases;

	*u = (struct unit){.dirs = {"/o/0", "/o/1", "/o/2"}};
	u->a[0] = (struct value){VALUE_CHOICE, {.choice = &p[0].space.params[0].choices[0]}};
	u->a[1] = (struct value){VALUE_REAL, {.r = 0.25}};
	u->b[0] = (struct value){VALUE_REAL, {.r = 1.5}};
	u->b[1] = (struct value){VALUE_CHOICE, {.choice = &p[1].space.params[1].choices[1]}};
	u->b[3] = (struct value){VALUE_INT, {.i = 7}};
	u->by_phase[0] = u->a;
	u->by_phase[1] = u->b;
	u->parents[0] = (struct command_parent){u->dirs, 1, 1, 4, 0.125, 6.5};
	u->parents[1] = (struct command_parent){NULL, 0, 0, 0, NAN, NAN};
	u->x = (struct command_context){.study = s,
	                                .phase = &p[1],
	                                .scope = {u->by_phase, 2},
	                                .parents = u->parents,
	                                .trial = 11,
	                                .unit = 22,
	                                .attempt = 3,
	                                .seed = 44,
	                                .fold = 2,
	                                .outer_fold = -1,
	                                .dir = "/o/me"};
}

static int render(struct unit *u, const char *command, const char ***argv, struct fault *f)
{
	const struct study *s = parse(command);

	fill(u, s);
	return command_render(&arena, &s->phases[1].command, &u->x, argv, f);
}

static void test_rendering(void **state)
{
	static const struct {
		const char *command, *line;
	} rows[] = {
	    {"prog a  b", "prog a b"},
	    {"prog --lr {lr} --wd={wd}", "prog --lr 1.5 --wd=0.25"},
	    {"prog {a.lr} {b.lr} {n}", "prog 0.10 1.5 7"},
	    {"prog {op}", "prog 'it'\\''s, {x}'"},
	    {"prog {mo|0.9} {mo|}", "prog 0.9 ''"},
	    {"prog {args}", "prog --lr 1.5 --op 'it'\\''s, {x}' --n 7"},
	    {"prog {study} {phase} {trial} {unit} {attempt} {seed}", "prog st b 11 22 3 44"},
	    {"prog {fold}/{folds} {outer_fold}/{outer_folds}", "prog 2/3 -1/0"},
	    {"prog {dir}/x {b.dir} {a.dir}/y", "prog /o/me/x /o/me /o/0/y"},
	    {"prog {a.dirs}", "prog /o/0"},
	    {"prog {a.value} {a.best_step} {a.trial}", "prog 0.125 7 4"},
	    {"prog {{lr}} }}{{", "prog '{lr}' '}{'"},
	    {"prog '{lr} b' \"c \\\" d\" e\\ f", "prog '1.5 b' 'c \" d' 'e f'"},
	    {"[prog, 'a b', \"{lr}\", '']", "prog 'a b' 1.5 ''"},
	    {"prog {params}",
	     "prog '{\"lr\": 1.5, \"op\": \"it'\\''s, {x}\", \"n\": 7, \"a.lr\": 0.1, \"wd\": 0.25}'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct unit u;
		struct fault f = {0};
		const char **argv = NULL;

		if (render(&u, rows[i].command, &argv, &f))
			fail_msg("%s: %s", rows[i].command, f.text);
		assert_string_equal(command_line(&arena, argv), rows[i].line);
	}
}

static void test_several_dirs(void **state)
{
	const struct study *s = parse("prog {a.dirs} end");
	struct unit u;
	const char **argv;

	(void)state;
	fill(&u, s);
	u.parents[0].ndirs = 3;
	assert_int_equal(command_render(&arena, &s->phases[1].command, &u.x, &argv, NULL), 0);
	assert_string_equal(command_line(&arena, argv), "prog /o/0 /o/1 /o/2 end");
}

static void test_missing_values(void **state)
{
	static const struct {
		const char *command, *says, *line;
	} rows[] = {
	    {"prog {a.best_step}", "{a.best_step} has no value", NULL},
	    {"prog {a.value}", "{a.value} has no value", NULL},
	    {"prog {a.value|-} {a.best_step|3}", NULL, "prog - 3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct study *s = parse(rows[i].command);
		struct unit u;
		struct fault f = {0};
		const char **argv = NULL;
		int rc;

		fill(&u, s);
		u.parents[0].value = u.parents[0].best_step = NAN;
		rc = command_render(&arena, &s->phases[1].command, &u.x, &argv, &f);
		assert_int_equal(rc, rows[i].says ? -1 : 0);
		if (rows[i].says)
			assert_non_null(strstr(f.text, rows[i].says));
		else
			assert_string_equal(command_line(&arena, argv), rows[i].line);
	}
}

static void test_size_limits(void **state)
{
	static char dir[130000];
	const struct study *s = parse("prog {a.dirs}");
	const char *dirs[20];
	struct unit u;
	struct fault f = {0};
	const char **argv;

	(void)state;
	memset(dir, 'd', sizeof dir - 1);
	fill(&u, s);
	dirs[0] = dir;
	u.parents[0] = (struct command_parent){dirs, 1, 1, 0, 0, 0};
	assert_int_equal(command_render(&arena, &s->phases[1].command, &u.x, &argv, &f), -1);
	assert_non_null(strstr(f.text, "an argument of more than"));
	dir[100000] = 0;
	for (int i = 0; i < 20; i++)
		dirs[i] = dir;
	u.parents[0].ndirs = 5;
	assert_int_equal(command_render(&arena, &s->phases[1].command, &u.x, &argv, &f), 0);
	u.parents[0].ndirs = 20;
	assert_int_equal(command_render(&arena, &s->phases[1].command, &u.x, &argv, &f), -1);
	assert_non_null(strstr(f.text, "a command line of more than"));
}

static void test_own_params(void **state)
{
	const struct study *s = parse("prog");
	struct unit u;

	(void)state;
	fill(&u, s);
	assert_string_equal(command_params_json(&arena, s, &s->phases[1], &u.x.scope, true),
	                    "{\"lr\": 1.5, \"op\": \"it's, {x}\", \"n\": 7}");
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
	    cmocka_unit_test(test_rendering),      cmocka_unit_test(test_several_dirs),
	    cmocka_unit_test(test_missing_values), cmocka_unit_test(test_size_limits),
	    cmocka_unit_test(test_own_params),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, finish);
}
