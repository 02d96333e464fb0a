/* Commands of scheduled phases: what a placeholder means depends on the job. */
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

static int reset(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

#define N(list) (sizeof(list) / sizeof *(list))

static const char file[] = "study: st\nphases:\n"
                           "  a:\n    command: prog {dir}\n    metric: m\n    goal: minimize\n"
                           "    params: {lr: [1, 2], mo: \"uniform(0, 1) if lr == 1\", opt: [sgd, adam]}\n"
                           "    search: sobol\n    trials: 2\n"
                           "  b: {command: p, metric: none, params: {zz: 1}}\n";

/* a (file, metric m) and pre lead to fine (metric v), and that to final; other leads to nothing. */
static const char jobs[] =
    "phases:\n  pre: {commands: [p], params: [lr, h, only.pre]}\n"
    "  fine: {commands: [p], params: [lr, wd], after: [a, pre], metric: v, goal: minimize}\n"
    "  other: {commands: [p], params: [foreign]}\n"
    "  final:\n    params: [lr, x, opt]\n    after: [fine]\n    commands:\n      - \"%s\"\n";

static int read_study(const char *command, const struct study **s, struct study_errors *e)
{
	const char *text = arena_printf(&arena, jobs, command);
	struct study_source src = {.path = "x.db",
	                           .text = file,
	                           .text_bytes = sizeof file - 1,
	                           .jobs = text,
	                           .jobs_bytes = strlen(text)};

	return study_read(&arena, &src, s, e);
}

/* A job of phase final; everything about it can be changed before it is rendered. */
struct job {
	const struct study *s;
	struct command_parent *parents;
	struct value **by_phase;
	struct command_context x;
};

static uint32_t phase(const struct job *j, const char *name)
{
	const struct study_phase *p = study_find_phase(j->s, name);

	assert_non_null(p);
	return p->index;
}

/* `phase.name=value ..`; other phases have no trial above the job. */
static void set_values(struct job *j, const char *values)
{
	char *copy = arena_strdup(&arena, values);

	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		char *dot = strchr(word, '.'), *is = strchr(word, '=');
		uint32_t p, k = 0;
		const struct space *space;

		*dot = *is = 0;
		p = phase(j, word);
		space = &j->s->phases[p].space;
		while (strcmp(space->params[k].name, dot + 1) != 0)
			k++;
		if (!j->by_phase[p])
			j->by_phase[p] = arena_array(&arena, space->nparams, sizeof(struct value));
		assert_true(value_parse(&arena, &space->params[k], is + 1, &j->by_phase[p][k]));
	}
}

static void set_parent(struct job *j, const char *name, uint32_t ntrials, uint32_t ndirs, double value)
{
	struct command_parent *q = &j->parents[phase(j, name)];
	const char **dirs = arena_array(&arena, ndirs, sizeof *dirs);

	for (uint32_t i = 0; i < ndirs; i++)
		dirs[i] = arena_printf(&arena, "/%s/%u", name, i);
	*q = (struct command_parent){dirs, ndirs, ntrials, 0, value, value};
}

static void begin(struct job *j, const char *command, const char *values)
{
	struct study_errors e;

	*j = (struct job){0};
	if (read_study(command, &j->s, &e))
		fail_msg("%s: %s", command, e.items[0].text);
	j->parents = arena_array(&arena, j->s->nphases, sizeof *j->parents);
	j->by_phase = arena_array(&arena, j->s->nphases, sizeof *j->by_phase);
	for (uint32_t q = 0; q < j->s->nphases; q++)
		j->parents[q].value = j->parents[q].best_step = (double)NAN;
	j->x = (struct command_context){.study = j->s,
	                                .phase = study_find_phase(j->s, "final"),
	                                .scope = {(const struct value *const *)j->by_phase, j->s->nphases},
	                                .parents = j->parents,
	                                .dir = "/me"};
	j->x.command = &j->x.phase->commands[0];
	set_values(j, values);
}

/* Rendered, or why not; and the check says the same. */
static const char *outcome(struct job *j)
{
	struct fault f = {0}, before = {0};
	const char **argv;
	int checked = command_check(j->x.command, &j->x, &before);

	if (command_render(&arena, j->x.command, &j->x, &argv, &f) == 0) {
		assert_int_equal(checked, 0);
		return command_line(&arena, argv);
	}
	assert_int_equal(f.code, FAULT_STUDY);
	assert_int_equal(checked, -1);
	assert_string_equal(before.text, f.text);
	return arena_strdup(&arena, f.text);
}

struct row {
	const char *command, *values, *is; /* is: what the outcome begins with */
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct job j;
		const char *got;

		begin(&j, rows[i].command, rows[i].values);
		got = outcome(&j);
		if (strncmp(got, rows[i].is, strlen(rows[i].is)) != 0)
			fail_msg("%s with %s\ngot  %s\nwant %s", rows[i].command, rows[i].values, got,
			         rows[i].is);
	}
}

static void test_parameters(void **state)
{
	static const struct row rows[] = {
	    /* own, then the nearest that has one */
	    {"p {lr}", "final.lr=7 fine.lr=6 pre.lr=5 a.lr=1", "p 7"},
	    {"p {lr}", "final.x=7 fine.lr=6 pre.lr=5 a.lr=1", "p 6"},
	    {"p {lr}", "fine.wd=6 pre.lr=0.50 a.lr=1", "p 0.50"},
	    {"p {lr}", "fine.wd=6 pre.h=5 a.lr=2", "p 2"},
	    {"p {lr}", "a.lr=2", "p 2"},
	    {"p {lr|9}", "fine.lr=6", "p 6"},
	    {"p {lr|9} {lr|}", "pre.h=1", "p 9 ''"},
	    {"p {lr}", "pre.h=1", "{lr} has no value in this job and has no fallback, as in {lr|0}"},
	    {"p {lr}", "other.foreign=1", "{lr} has no value in this job"},
	    {"p {mo}", "a.lr=2", "{mo} has no value in this job"},
	    {"p {mo|0}", "a.lr=2", "p 0"},
	    {"p {mo}", "a.mo=0.25", "p 0.25"},
	    {"p {opt}", "final.opt=x a.opt=sgd", "p x"},
	    {"p {opt}", "a.opt=sgd", "p sgd"},
	    {"p {only.pre}", "pre.only.pre=3", "p 3"},
	    /* of that phase and no other */
	    {"p {fine.lr} {a.lr} {pre.lr}", "final.lr=7 fine.lr=6 pre.lr=5 a.lr=1", "p 6 1 5"},
	    {"p {final.lr|-} {pre.lr|-}", "fine.lr=6", "p - -"},
	    {"p {fine.lr}", "final.lr=7 pre.lr=5", "{fine.lr} has no value in this job"},
	    {"p {pre.only.pre}", "pre.only.pre=3", "p 3"},
	    /* own active ones */
	    {"p {args}", "final.x=a final.lr=2 fine.wd=1", "p --lr 2 --x a"},
	    {"p {args}", "fine.wd=1", "p"},
	    {"p {x}-{x}", "final.x=$(rm)", "p '$(rm)-$(rm)'"},
	};

	(void)state;
	check_rows(rows, N(rows));
}

/* The same name, the same nearest phase that has it, but not the same phases above. */
static void test_names_depend_on_the_phase(void **state)
{
	static const char text[] = "phases:\n  pre: {commands: [p], params: [lr]}\n"
	                           "  one: {commands: ['p {lr|-}'], after: [pre]}\n"
	                           "  two: {commands: ['p {lr|-}'], after: [pre, a]}\n";
	struct study_source src = {"x.db", file, sizeof file - 1, text, sizeof text - 1, NULL};
	struct study_errors e;
	struct job j = {0};

	(void)state;
	assert_int_equal(study_read(&arena, &src, &j.s, &e), 0);
	j.by_phase = arena_array(&arena, j.s->nphases, sizeof *j.by_phase);
	set_values(&j, "a.lr=2");
	j.x = (struct command_context){.study = j.s,
	                               .scope = {(const struct value *const *)j.by_phase, j.s->nphases}};
	for (int i = 0; i < 2; i++) {
		j.x.phase = study_find_phase(j.s, i ? "two" : "one");
		j.x.command = &j.x.phase->commands[0];
		assert_string_equal(outcome(&j), i ? "p 2" : "p -");
	}
}

static void test_unknown_names(void **state)
{
	static const struct row rows[] = {
	    {"p {lrr}", "", "unknown placeholder {lrr}, did you mean 'lr'?"},
	    {"p {only.per}", "", "unknown placeholder {only.per}, did you mean 'only.pre'?"},
	    {"p {foreign}", "", "unknown placeholder {foreign}"},
	    {"p {zz}", "", "unknown placeholder {zz}"},
	    {"p {nothing|0}", "", "unknown placeholder {nothing}"},
	    {"p {other.foreign}", "", "{other.foreign}: phase 'final' does not come after 'other'"},
	    {"p {fine.h}", "", "{fine.h}: phase 'fine' has no parameter 'h'"},
	    {"p {other.dir}", "",
	     "{other.dir}: phase 'final' does not come after 'other': name jobs of it before"},
	    {"p {b.dir}", "", "{b.dir}: phase 'final' does not come after 'b'"},
	    {"p {pre.value}", "", "{pre.value}: the metric of phase 'pre' is none"},
	    {"p x{fine.dirs}", "", "{fine.dirs} is several arguments"},
	    {"'{args}'", "", "the command of phase 'final' must start with a program"},
	    {"p > x", "", "command: no shell reads it"},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		const struct study *s;
		struct study_errors e;

		assert_int_equal(read_study(rows[i].command, &s, &e), -1);
		if (strncmp(e.items[0].text, "x.db: scheduled phase 'final': ", 31) != 0 ||
		    strncmp(e.items[0].text + 31, rows[i].is, strlen(rows[i].is)) != 0)
			fail_msg("%s\ngot  %s\nwant %s", rows[i].command, e.items[0].text, rows[i].is);
	}
}

static void test_parents(void **state)
{
	static const struct {
		const char *command;
		uint32_t ntrials, ndirs;
		double value;
		const char *is;
	} rows[] = {
	    {"p {fine.dir}/x", 1, 1, 0.5, "p /fine/0/x"},
	    {"p {fine.dir}", 1, 5, 0.5, "{fine.dir} stands for 5 folders here: {fine.dirs} names them all"},
	    {"p {fine.dir|-}", 2, 2, 0.5, "{fine.dir} stands for 2 folders here"},
	    {"p {fine.dirs}", 3, 3, 0.5, "p /fine/0 /fine/1 /fine/2"},
	    {"p {fine.dir}", 0, 0, (double)NAN, "{fine.dir} is of a phase that this job does not come after"},
	    {"p {fine.dir|-} {fine.dirs}", 0, 0, (double)NAN, "p -"},
	    {"p {fine.value} {fine.best_step}", 1, 5, 3.5, "p 3.5 4"},
	    {"p {fine.value|-} {fine.best_step|-}", 2, 2, (double)NAN, "p - -"},
	    {"p {fine.value|-} {fine.best_step|-}", 0, 0, (double)NAN, "p - -"},
	    {"p {pre.value|-} {pre.best_step|-}", 1, 1, 0.5, "p - -"},
	    {"p {dir} {final.dir}", 0, 0, (double)NAN, "p /me /me"},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct job j;
		const char *got;

		begin(&j, rows[i].command, "");
		set_parent(&j, "fine", rows[i].ntrials, rows[i].ndirs, rows[i].value);
		got = outcome(&j);
		if (strncmp(got, rows[i].is, strlen(rows[i].is)) != 0)
			fail_msg("%s\ngot  %s\nwant %s", rows[i].command, got, rows[i].is);
	}
}

/* Before anything has run there are counts, but neither folders nor values. */
static void test_checked_before_anything_has_run(void **state)
{
	static const struct {
		const char *command;
		uint32_t ntrials, ndirs;
		const char *says; /* NULL: fine */
	} rows[] = {
	    {"p {fine.dir} {fine.value} {fine.best_step}", 1, 1, NULL},
	    {"p {fine.dirs} {fine.value|0}", 4, 20, NULL},
	    {"p {fine.value}", 4, 4, "{fine.value} is of several trials here and has no fallback"},
	    {"p {fine.best_step}", 4, 4, "{fine.best_step} is of several trials here"},
	    {"p {fine.value}", 0, 0, "{fine.value} is of a phase that this job does not come after"},
	    {"p {fine.dir}", 1, 5, "{fine.dir} stands for 5 folders here"},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct job j;
		struct fault f = {0};

		begin(&j, rows[i].command, "");
		j.parents[phase(&j, "fine")] = (struct command_parent){NULL, rows[i].ndirs, rows[i].ntrials,
		                                                       0,    (double)NAN,   (double)NAN};
		assert_int_equal(command_check(j.x.command, &j.x, &f), rows[i].says ? -1 : 0);
		if (rows[i].says && !strstr(f.text, rows[i].says))
			fail_msg("%s\ngot  %s\nwant %s", rows[i].command, f.text, rows[i].says);
	}
}

static void test_json(void **state)
{
	static const struct {
		const char *values, *json, *own;
	} rows[] = {
	    {"", "{}", "{}"},
	    {"final.lr=7 final.x=a", "{\"lr\": 7, \"x\": \"a\"}", "{\"lr\": 7, \"x\": \"a\"}"},
	    /* a name comes once, whoever has a value */
	    {"final.lr=7 fine.lr=6 pre.lr=5 a.lr=1",
	     "{\"lr\": 7, \"a.lr\": 1, \"pre.lr\": 5, \"fine.lr\": 6}", "{\"lr\": 7}"},
	    {"fine.lr=6 pre.lr=5 a.lr=1", "{\"a.lr\": 1, \"pre.lr\": 5, \"lr\": 6}", "{}"},
	    {"pre.lr=5 a.lr=1", "{\"a.lr\": 1, \"lr\": 5}", "{}"},
	    {"a.lr=1 a.opt=sgd", "{\"lr\": 1, \"opt\": \"sgd\"}", "{}"},
	    {"final.lr=7 a.lr=1 a.mo=0.5", "{\"lr\": 7, \"a.lr\": 1, \"mo\": 0.5}", "{\"lr\": 7}"},
	    {"pre.only.pre=0.10 pre.h=x", "{\"h\": \"x\", \"only.pre\": 0.1}", "{}"},
	    {"other.foreign=1", "{}", "{}"}, /* no ancestor */
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct job j;

		begin(&j, "p {params}", rows[i].values);
		assert_string_equal(command_params_json(&arena, j.s, j.x.phase, &j.x.scope, false),
		                    rows[i].json);
		assert_string_equal(command_params_json(&arena, j.s, j.x.phase, &j.x.scope, true),
		                    rows[i].own);
	}
}

/* Tables have a column for each key the JSON can have. */
static void test_visible_names(void **state)
{
	static const char *const names[] = {"lr",     "x", "opt",      "a.lr",    "mo", "a.opt",
	                                    "pre.lr", "h", "only.pre", "fine.lr", "wd"};
	struct job j;

	(void)state;
	begin(&j, "p", "");
	assert_int_equal(j.x.phase->nvisible, N(names));
	for (size_t i = 0; i < N(names); i++)
		assert_string_equal(j.x.phase->visible[i].name, names[i]);
}

/* A phase of the file keeps its meaning: one candidate, checked with the study. */
static void test_commands_of_the_file(void **state)
{
	static const char text[] =
	    "study: st\nmetric: m\ngoal: minimize\nphases:\n"
	    "  a: {command: \"p {dir}\", params: {lr: [1, 2]}, search: grid}\n"
	    "  b: {command: \"p {lr} {a.dir} {a.value}\", after: a, params: {lr: 3}}\n";
	struct value a[1] = {{0}}, b[1] = {{0}};
	const struct value *by[] = {a, b};
	struct command_parent parents[2] = {{NULL, 1, 1, 1, (double)NAN, (double)NAN}, {0}};
	struct command_context x = {.scope = {by, 2}, .parents = parents};
	const struct study *s;
	struct study_errors e;
	struct fault f = {0};

	(void)state;
	assert_int_equal(study_parse(&arena, "f", text, sizeof text - 1, &s, &e), 0);
	x.study = s;
	x.phase = &s->phases[1];
	value_parse(&arena, &s->phases[0].space.params[0], "1", &a[0]);
	assert_int_equal(command_check(&s->phases[1].command, &x, &f), -1);
	assert_string_equal(f.text, "{lr} is not active and has no fallback, as in {lr|0}");
	value_parse(&arena, &s->phases[1].space.params[0], "3", &b[0]);
	assert_int_equal(command_check(&s->phases[1].command, &x, &f), 0);
	assert_string_equal(command_params_json(&arena, s, x.phase, &x.scope, false),
	                    "{\"lr\": 3, \"a.lr\": 1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_parameters, reset),
	    cmocka_unit_test_teardown(test_unknown_names, reset),
	    cmocka_unit_test_teardown(test_names_depend_on_the_phase, reset),
	    cmocka_unit_test_teardown(test_parents, reset),
	    cmocka_unit_test_teardown(test_checked_before_anything_has_run, reset),
	    cmocka_unit_test_teardown(test_json, reset),
	    cmocka_unit_test_teardown(test_visible_names, reset),
	    cmocka_unit_test_teardown(test_commands_of_the_file, reset),
	};

	return cmocka_run_group_tests_name("command_jobs", tests, NULL, NULL);
}
