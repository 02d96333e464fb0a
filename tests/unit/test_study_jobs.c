/* Phases that come from the command line: what `schedule` adds, and how it is read again. */
#include "command.h"
#include "domain.h"
#include "extent.h"
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

/* ---- steps ------------------------------------------------------------------------------------- */

static int read_both(const char *text, const char *jobs, const struct study **s, struct study_errors *e)
{
	struct study_source src = {.path = "x.db",
	                           .text = text,
	                           .text_bytes = strlen(text),
	                           .jobs = jobs,
	                           .jobs_bytes = strlen(jobs),
	                           .name = "made-by-hand"};
	int rc = study_read(&arena, &src, s, e);

	assert_int_equal(rc, *s ? 0 : -1);
	assert_true((rc == 0) == (e->count == 0));
	return rc;
}

static const struct study *good(const char *text, const char *jobs)
{
	const struct study *s;
	struct study_errors e;

	if (read_both(text, jobs, &s, &e))
		fail_msg("%s\n%s", e.items[0].text, jobs);
	return s;
}

static const char *add_text(const struct study *s, const struct study_jobs *add, uint32_t *command)
{
	struct fault f = {0};
	const char *jobs = NULL;
	size_t n = 0;

	if (study_add_jobs(&arena, s, add, &jobs, &n, command, &f))
		fail_msg("%s", f.text);
	assert_int_equal(n, strlen(jobs));
	return jobs;
}

static const struct study *add(const struct study *s, const struct study_jobs *what)
{
	uint32_t command;

	return good(s->text, add_text(s, what, &command));
}

/* Fault of an addition that is refused. */
static const char *refusal(const struct study *s, const struct study_jobs *what)
{
	struct fault *f = arena_alloc(&arena, sizeof *f);
	const char *jobs;
	size_t n;
	uint32_t command;

	if (!study_add_jobs(&arena, s, what, &jobs, &n, &command, f))
		fail_msg("accepted:\n%s", jobs);
	assert_int_equal(f->code, FAULT_USAGE);
	return f->text;
}

/* Some message of a study that can't be read. */
static void expect_error(const char *text, const char *jobs, const char *says)
{
	const struct study *s;
	struct study_errors e;

	if (!read_both(text, jobs, &s, &e))
		fail_msg("accepted, instead of: %s\n%s\n%s", says, text, jobs);
	for (uint32_t i = 0; i < e.count; i++)
		if (strstr(e.items[i].text, says))
			return;
	fail_msg("got  %s\nwant %s", e.items[0].text, says);
}

#define PARAMS(...)                                                                                          \
	.params = (const char *const[]){__VA_ARGS__},                                                        \
	.nparams = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)
#define AFTER(...)                                                                                           \
	.after = (const char *const[]){__VA_ARGS__},                                                         \
	.nafter = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)
#define JOBS(...) (&(struct study_jobs){__VA_ARGS__})
#define NEW       .phase = "final"
#define FINAL     NEW, .command = "p"

static const char file[] = "study: st\nseed: 7\nmetric: m\ngoal: minimize\nphases:\n"
                           "  a:\n    command: prog {lr} {dir}\n    params: {lr: \"uniform(0, 1)\", "
                           "mo: \"uniform(0, 1) if lr < 0.5\"}\n    trials: 4\n"
                           "  b:\n    after: a\n    command: prog {l2}\n    params: {l2: [1, 2]}\n"
                           "    search: grid\n";

/* ---- adding and reading ------------------------------------------------------------------------ */

static void test_without_a_study_file(void **state)
{
	const struct study *s = good("", "");
	const struct study_phase *p;
	uint32_t command = 9;
	const char *jobs;

	(void)state;
	assert_int_equal(s->nphases, 0);
	assert_string_equal(s->name, "made-by-hand");
	assert_int_equal(s->seed, 0);
	assert_string_equal(s->text, "");
	assert_string_equal(s->jobs, "");
	jobs =
	    add_text(s, JOBS(.phase = "train", .command = "prog  {args}", PARAMS("lr", "hidden")), &command);
	assert_int_equal(command, 0);
	s = good("", jobs);
	assert_string_equal(s->jobs, jobs);
	assert_int_equal(s->nphases, 1);
	p = &s->phases[0];
	assert_string_equal(p->name, "train");
	assert_true(p->scheduled);
	assert_int_equal(p->search, SEARCH_GIVEN);
	assert_int_equal(p->trials, 0);
	assert_null(p->metric);
	assert_int_equal(p->folds, FOLDS_NONE);
	assert_int_equal(p->limits.retries, 0);
	assert_int_equal(p->limits.grace_ms, 10000);
	assert_int_equal(p->limits.cpus, 1);
	assert_true(p->makes_dir);
	assert_int_equal(p->ncommands, 1);
	assert_string_equal(p->command_texts[0], "prog '{args}'");
	assert_int_equal(p->space.nparams, 2);
	assert_string_equal(p->space.params[1].name, "hidden");
	assert_int_equal(p->nafter, 0);
	assert_int_equal(s->folds.inner, 0);
}

static void test_with_a_study_file(void **state)
{
	const struct study *s = good(file, "");
	const struct study_phase *p;

	(void)state;
	s = add(s, JOBS(.phase = "final", .command = "prog {a.dir}", AFTER("a", "b"), PARAMS("lr"),
	                .metric = "v", .goal = "maximize", .retries = "3", .timeout = "1h30m"));
	assert_int_equal(s->nphases, 3);
	assert_string_equal(s->name, "st");
	assert_int_equal(s->seed, 7);
	assert_string_equal(s->phases[0].name, "a");
	assert_string_equal(s->phases[1].name, "b");
	assert_false(s->phases[0].scheduled);
	assert_int_equal(s->phases[0].trials, 4);
	p = &s->phases[2];
	assert_string_equal(p->name, "final");
	assert_int_equal(p->index, 2);
	assert_int_equal(p->nafter, 2);
	assert_int_equal(p->after[1].phase, 1);
	assert_int_equal(p->after[1].pick, PICK_ALL);
	assert_true(p->ancestor[0] && p->ancestor[1] && !p->ancestor[2]);
	assert_string_equal(p->metric, "v");
	assert_int_equal(p->goal, GOAL_MAXIMIZE);
	assert_int_equal(p->limits.retries, 3);
	assert_int_equal(p->limits.timeout_ms, 5400000);
	/* and once more after it, without any new word */
	s = add(s, JOBS(.phase = "last", .command = "eval {final.dir}", AFTER("final")));
	assert_int_equal(s->nphases, 4);
	assert_string_equal(s->phases[3].name, "last");
	assert_true(s->phases[3].ancestor[0]);
}

/* What a phase is, as one text. */
static const char *describe(const struct study *s, const struct study_phase *p)
{
	const char *out = arena_printf(&arena, "%s metric %s goal %d folds %d retries %u timeout %lld after",
	                               p->name, p->metric ? p->metric : "none", (int)p->goal, (int)p->folds,
	                               p->limits.retries, (long long)p->limits.timeout_ms);

	for (uint32_t i = 0; i < p->nafter; i++)
		out = arena_printf(&arena, "%s %s", out, s->phases[p->after[i].phase].name);
	out = arena_printf(&arena, "%s params", out);
	for (uint32_t i = 0; i < p->space.nparams; i++)
		out = arena_printf(&arena, "%s %s", out, p->space.params[i].name);
	for (uint32_t i = 0; i < p->ncommands; i++)
		out = arena_printf(&arena, "%s\n  %s", out, p->command_texts[i]);
	return out;
}

/* Everything a phase has, added once more. */
static struct study_jobs again(const struct study *s, const struct study_phase *p, uint32_t command)
{
	const char **after = arena_array(&arena, p->nafter, sizeof *after),
	           **params = arena_array(&arena, p->space.nparams, sizeof *params);

	for (uint32_t i = 0; i < p->nafter; i++)
		after[i] = s->phases[p->after[i].phase].name;
	for (uint32_t i = 0; i < p->space.nparams; i++)
		params[i] = p->space.params[i].name;
	return (struct study_jobs){.phase = p->name,
	                           .command = p->command_texts[command],
	                           .after = after,
	                           .nafter = p->nafter,
	                           .params = params,
	                           .nparams = p->space.nparams,
	                           .metric = p->metric ? p->metric : "none",
	                           .goal = !p->metric                 ? NULL
	                                   : p->goal == GOAL_MAXIMIZE ? "maximize"
	                                                              : "minimize",
	                           .folds = p->folds == FOLDS_EACH ? "each" : "none",
	                           .retries = arena_printf(&arena, "%u", p->limits.retries),
	                           .timeout =
	                               arena_printf(&arena, "%lldms", (long long)p->limits.timeout_ms)};
}

/* Saying again what is there changes not a byte; and what is read is what was written. */
static void check_round_trip(const struct study *s)
{
	const struct study *read = good(s->text, s->jobs);

	assert_int_equal(read->nphases, s->nphases);
	for (uint32_t i = 0; i < s->nphases; i++) {
		const struct study_phase *p = &s->phases[i];

		assert_string_equal(describe(read, &read->phases[i]), describe(s, p));
		for (uint32_t k = 0; k < p->ncommands; k++) {
			struct study_jobs what = again(s, p, k);
			uint32_t command = 99;

			assert_string_equal(add_text(s, &what, &command), s->jobs);
			assert_int_equal(command, k);
		}
	}
}

static void test_round_trip(void **state)
{
	const struct study *s = good(file, "");

	(void)state;
	s = add(s, JOBS(.phase = "one", .command = "x {args}", PARAMS("lr", "optim.lr", "learning-rate")));
	check_round_trip(s);
	s = add(s, JOBS(.phase = "two", .command = "y {one.dir}", AFTER("one", "a"), .folds = "3",
	                .metric = "m", .goal = "maximize", .retries = "1000", .timeout = "1d12h"));
	check_round_trip(s);
	s = add(s, JOBS(.phase = "three", .command = "z", AFTER("two"), .metric = "v", .goal = "minimize"));
	s = add(s, JOBS(.phase = "one", .command = "x 'a  b' --", PARAMS("h", "lr")));
	s = add(s, JOBS(.phase = "one", .command = "sh -c 'x \"$1\" | y > z' {h|0}", AFTER("b")));
	check_round_trip(s);
	assert_string_equal(
	    describe(s, study_find_phase(s, "one")),
	    "one metric none goal 0 folds 2 retries 0 timeout 0 after b params lr optim.lr "
	    "learning-rate h\n  x '{args}'\n  x 'a  b' --\n  sh -c 'x \"$1\" | y > z' '{h|0}'");
}

static void test_growing(void **state)
{
	const struct study *s = good("", "");
	uint32_t command = 9;

	(void)state;
	s = add(s,
	        JOBS(.phase = "p", .command = "x  a", PARAMS("lr", "lr"), .retries = "2", .timeout = "10m"));
	add_text(s, JOBS(.phase = "p"), &command);
	assert_int_equal(command, 0);
	add_text(s, JOBS(.phase = "p", .command = " 'x' \"a\""), &command); /* the same words */
	assert_int_equal(command, 0);
	s = good("", add_text(s, JOBS(.phase = "p", .command = "x 'a '", .retries = "3"), &command));
	assert_int_equal(command, 1);
	assert_string_equal(describe(s, &s->phases[0]),
	                    "p metric none goal 0 folds 2 retries 3 timeout 600000 "
	                    "after params lr\n  x a\n  x 'a '");
	s = add(s, JOBS(.phase = "p", .command = "x a", PARAMS("h"), .retries = "0", .timeout = "none"));
	assert_string_equal(
	    describe(s, &s->phases[0]),
	    "p metric none goal 0 folds 2 retries 0 timeout 0 after params lr h\n  x a\n  x 'a '");
}

static const char *order(const struct study *s)
{
	const char *out = "";

	for (uint32_t i = 0; i < s->nphases; i++) {
		out = arena_printf(&arena, "%s%s%s", out, i ? " " : "", s->phases[i].name);
		assert_int_equal(s->phases[i].index, i);
		for (uint32_t k = 0; k < s->phases[i].nafter; k++)
			assert_true(s->phases[i].after[k].phase < i);
	}
	return out;
}

static void test_order_of_phases(void **state)
{
	/* in this file b comes first, so a is placed behind it */
	static const char text[] = "study: s\nphases:\n  a: {after: b, command: p, metric: none}\n"
	                           "  b: {command: p, metric: none}\n  c: {command: p, metric: none}\n";
	const struct study *s = good(text, "");

	(void)state;
	assert_string_equal(order(s), "b a c");
	s = add(s, JOBS(.phase = "z", .command = "p"));
	s = add(s, JOBS(.phase = "y", .command = "p", AFTER("c")));
	s = add(s, JOBS(.phase = "x", .command = "p", AFTER("b")));
	assert_string_equal(order(s), "b a c z y x");
	/* an edge to a younger phase moves the elder, and nothing else */
	s = add(s, JOBS(.phase = "z", .command = "p", AFTER("x")));
	assert_string_equal(order(s), "b a c y x z");
	check_round_trip(s);
	/* the file may grow: its phases stay in front */
	s = good(arena_printf(&arena, "%s  d: {after: a, command: p, metric: none}\n", text), s->jobs);
	assert_string_equal(order(s), "b a c d y x z");
	check_round_trip(s);
}

/* ---- folds ------------------------------------------------------------------------------------- */

static uint32_t units(const struct study *s, const char *phase)
{
	return study_units_per_trial(s, study_find_phase(s, phase));
}

static void test_folds(void **state)
{
	const struct study *s = good(file, "");

	(void)state;
	s = add(s, JOBS(.phase = "x", .command = "p", AFTER("a")));
	assert_int_equal(s->folds.inner, 0);
	s = add(s, JOBS(.phase = "cv", .command = "p", AFTER("a"), .folds = "4"));
	assert_int_equal(s->folds.inner, 4);
	s = add(s, JOBS(.phase = "cv2", .command = "p", AFTER("cv"), .folds = "each"));
	s = add(s, JOBS(.phase = "cv3", .command = "p", .folds = "4"));
	s = add(s, JOBS(.phase = "final", .command = "p", AFTER("cv2"), .folds = "none"));
	s = add(s, JOBS(.phase = "cv", .folds = "each"));
	s = add(s, JOBS(.phase = "cv", .folds = "4"));
	assert_int_equal(units(s, "cv"), 4);
	assert_int_equal(units(s, "cv2"), 4);
	assert_int_equal(units(s, "cv3"), 4);
	assert_int_equal(units(s, "final"), 1);
	assert_int_equal(units(s, "x"), 1);
	/* the phases of the file have what they had: one unit a trial */
	assert_int_equal(units(s, "a"), 1);
	assert_int_equal(units(s, "b"), 1);
	check_round_trip(s);
}

static void test_folds_of_the_file(void **state)
{
	const struct study *s =
	    good("study: s\nfolds: 5\nphases: {a: {command: 'p {dir}', metric: none}}\n", "");

	(void)state;
	/* how many folders {a.dir} stands for is a matter of each job */
	s = add(s, JOBS(.phase = "x", .command = "p {a.dir}", AFTER("a")));
	s = add(s, JOBS(.phase = "y", .command = "p", AFTER("a"), .folds = "each"));
	s = add(s, JOBS(.phase = "z", .command = "p", AFTER("a"), .folds = "5"));
	assert_int_equal(units(s, "a"), 5);
	assert_int_equal(units(s, "x"), 1);
	assert_int_equal(units(s, "y"), 5);
	assert_int_equal(units(s, "z"), 5);
	expect_error("study: s\nfolds: 3\nphases: {a: {command: p, metric: none}}\n", s->jobs,
	             "x.db: scheduled phase 'y': `folds: 5`: the study has 3");
	expect_error("study: s\nfolds: {outer: 3, inner: 5}\nphases: {a: {command: p, metric: none}}\n",
	             s->jobs,
	             "scheduled phase 'y': `folds: 5`: the folds of the study are nested (3 outer, 5 inner)");
}

/* Jobs on all data after trials of outer folds neither need the full search nor start one. */
static void test_nested_folds(void **state)
{
	static const char *const full[] = {"", ", full: true"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *text = arena_printf(
		    &arena,
		    "study: s\nmetric: m\ngoal: minimize\nfolds: {outer: 3, inner: 5%s}\nphases:\n"
		    "  a: {command: 'p {dir}', params: {h: [1, 2]}, search: grid}\n"
		    "  t: {command: p, after: {a: best}, folds: outer}\n",
		    full[i]);
		const struct study *before = good(text, ""), *s;

		s = add(before,
		        JOBS(.phase = "x", .command = "p {a.dirs}", AFTER("a", "t"), .folds = "none"));
		assert_int_equal(s->phases[2].folds, FOLDS_NONE);
		for (uint32_t k = 0; k < 2; k++)
			assert_int_equal(s->phases[k].in_full, before->phases[k].in_full);
	}
}

/* ---- what a scheduled phase is ----------------------------------------------------------------- */

static void test_parameters_take_any_text(void **state)
{
	const struct study *s = add(good("", ""), JOBS(.phase = "p", .command = "x", PARAMS("a", "b")));
	const struct space *space = &s->phases[0].space;
	static const struct {
		const char *text;
		bool is_num;
		double num;
	} rows[] = {{"0.10", true, 0.1}, {"1e-3", true, 1e-3}, {"-7", true, -7},  {"sgd", false, 0},
	            {"", false, 0},      {"nan", false, 0},    {"inf", false, 0}, {"a b\n'\xff", false, 0}};
	struct value own[2] = {{0}, {0}};
	const struct value *by_phase[] = {own};
	struct scope scope = {by_phase, 1};
	double u[2] = {0, 0.99};

	(void)state;
	assert_int_equal(space->params[0].kind, DOMAIN_ANY);
	for (size_t i = 0; i < N(rows); i++) {
		struct value v;
		char buf[TEXT_NUMBER];

		assert_true(value_parse(&arena, &space->params[0], rows[i].text, &v));
		assert_int_equal(v.kind, VALUE_CHOICE);
		assert_string_equal(value_text(&v, buf), rows[i].text);
		assert_int_equal(v.u.choice->is_num, rows[i].is_num);
		if (rows[i].is_num)
			assert_true(value_number(&v) == rows[i].num);
		own[1] = v;
		assert_int_equal(space_check(space, &scope, own, NULL), 0); /* the other one has no value */
	}
	assert_int_equal(space_size(space), SPACE_INFINITE);
	assert_false(space_draw(space, &scope, u, own));
	assert_false(space_grid_point(space, &scope, 0, own));
}

static void test_surroundings_of_the_file(void **state)
{
	static const char text[] = "study: s\nmetric: m\ngoal: maximize\naggregate: median\nreport: best\n"
	                           "env: {A: b}\nsetup: . venv\ncapture: {m: 'm=(.)'}\n"
	                           "defaults: {retries: 5, cpus: 4}\nphases: {a: {command: p}}\n";
	const struct study *s = add(good(text, ""), JOBS(.phase = "x", .command = "p"));
	const struct study_phase *p = study_find_phase(s, "x");

	(void)state;
	assert_int_equal(p->nenv, 1);
	assert_string_equal(p->env[0].value, "b");
	assert_string_equal(p->setup, ". venv");
	assert_int_equal(p->ncaptures, 1);
	assert_int_equal(p->aggregate, AGGREGATE_MEDIAN);
	assert_int_equal(p->report, REPORT_BEST);
	assert_null(p->metric);
	assert_int_equal(p->limits.retries, 0);
	assert_int_equal(p->limits.cpus, 1);
}

static void test_extent(void **state)
{
	const struct study *s = good(file, "");
	const struct extent *x;
	struct extent all;

	(void)state;
	s = add(s, JOBS(.phase = "x", .command = "p", AFTER("a"), .folds = "3"));
	x = extent_of(&arena, s);
	assert_int_equal(x[0].trials, 4);
	assert_int_equal(x[2].trials, 0);
	assert_int_equal(x[2].units, 0);
	assert_int_equal(x[2].units_per_trial, 3);
	extent_total(s, x, &all);
	assert_int_equal(all.units, 4 + 8);
}

static const char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	assert_non_null(at);
	return arena_printf(&arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void test_edits_of_the_file(void **state)
{
	static const struct {
		const char *from, *to, *plain, *accepted; /* NULL: fine */
	} rows[] = {
	    {"trials: 4", "trials: 9", NULL, NULL},
	    {"phases:\n", "phases:\n  c:\n    command: p\n", NULL, NULL},
	    {"prog {l2}", "prog -v {l2}", "`command` of phase 'b' has changed: --accept", NULL},
	    {"metric: m", "aggregate: max\nmetric: m", "`aggregate` of phase 'a'",
	     "`aggregate` of phase 'a'"},
	    {"metric: m", "folds: 3\nmetric: m", "`folds` of phase 'a'", "`folds` of phase 'a'"},
	};
	const struct study *was = good(file, "");
	bool changed[8];

	(void)state;
	was = add(was, JOBS(.phase = "x", .command = "p", AFTER("a"), .folds = "3"));
	for (size_t i = 0; i < N(rows); i++) {
		const struct study *now = good(replaced(file, rows[i].from, rows[i].to), was->jobs);
		struct fault f = {0};

		assert_int_equal(study_compare(was, now, false, changed, &f), rows[i].plain ? -1 : 0);
		assert_true(!rows[i].plain || strstr(f.text, rows[i].plain));
		assert_int_equal(study_compare(was, now, true, changed, &f), rows[i].accepted ? -1 : 0);
		assert_true(!rows[i].accepted || strstr(f.text, rows[i].accepted));
	}
}

/* A phase that has its own of everything says nothing about the top. */
static void test_edits_of_the_top(void **state)
{
	static const char text[] =
	    "study: s\nsetup: one\naggregate: max\nreport: last\nphases:\n"
	    "  a: {command: p, metric: none, setup: own, aggregate: min, report: best}\n";
	static const struct {
		const char *from, *to, *says;
		bool accepted;
	} rows[] = {{"setup: one", "setup: two", "`setup` of phase 'x' has changed: --accept", true},
	            {"setup: one", "env: {A: b}\nsetup: one", "`env` of phase", true},
	            {"aggregate: max", "aggregate: mean", "`aggregate` of phase 'x'", false},
	            {"report: last", "report: best", "`report` of phase 'x'", false}};
	const struct study *was = add(good(text, ""), JOBS(.phase = "x", .command = "p"));

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		const struct study *now = good(replaced(text, rows[i].from, rows[i].to), was->jobs);
		struct fault f = {0};

		assert_int_equal(study_compare(was, now, false, NULL, &f), -1);
		assert_non_null(strstr(f.text, rows[i].says));
		assert_int_equal(study_compare(was, now, true, NULL, &f), rows[i].accepted ? 0 : -1);
	}
}

/* ---- hostile bytes and sizes ------------------------------------------------------------------- */

static void test_any_bytes_in_a_command(void **state)
{
	static const char *const words[] = {"\x01\x02\x1b\x7f",
	                                    "a\nb\tc\r",
	                                    " x ",
	                                    "\"\\\\\"",
	                                    "\xff",
	                                    "\xc3\xa9",
	                                    "\xed\xa0\x80",
	                                    "\xef\xbb\xbf",
	                                    "\xc2\x85\xe2\x80\xa8",
	                                    "{{x}}",
	                                    "#: - ? *a &b !c",
	                                    "\xf0\x9f\x98\x80",
	                                    "it's",
	                                    "\xc3",
	                                    "${{HOME}} `id`"};
	const struct study *s = good("", "");
	char all[256 + 3] = "'", *long_one = arena_alloc(&arena, 120001);

	(void)state;
	for (int c = 1; c < 256; c++)
		all[c] = c == '\'' || c == '{' || c == '}' ? ' ' : (char)c;
	all[256] = '\'';
	s = add(s, JOBS(.phase = "p", .command = arena_printf(&arena, "x %s", all)));
	memset(long_one, '\x01', 120000);
	s = add(s, JOBS(.phase = "p", .command = long_one));
	for (size_t i = 0; i < N(words); i++) {
		const char *const argv[] = {"prog", words[i], NULL};
		const char *line = command_line(&arena, argv), **got;
		struct command_context x = {.study = s};

		s = add(s, JOBS(.phase = "p", .command = line));
		assert_string_equal(s->phases[0].command_texts[i + 2], line);
		x.phase = &s->phases[0];
		assert_int_equal(command_render(&arena, &s->phases[0].commands[i + 2], &x, &got, NULL), 0);
		assert_string_equal(got[1], words[i][0] == '{'   ? "{x}"
		                            : words[i][0] == '$' ? "${HOME} `id`"
		                                                 : words[i]);
	}
	check_round_trip(s);
}

/* The reader of YAML gives up where too many brackets are open, and does not look at quotes. */
static void test_open_brackets(void **state)
{
	const struct study *s = good("", "");
	const char *many = "x ", *deep = "x ";
	int open = 0;

	(void)state;
	for (int i = 0; i < 1200; i++)
		many = arena_printf(&arena, "%s%s", many, i % 2 ? "[" : "{{");
	for (int i = 0; i < 2400; i++)
		deep = arena_printf(&arena, "%s%s", deep, i < 1200 ? "[" : "]");
	s = add(s, JOBS(.phase = "p", .command = many));
	s = add(s, JOBS(.phase = "p", .command = deep));
	s = add(s, JOBS(.phase = "p", .command = "grep [ {{"));
	s = add(s, JOBS(.phase = "p", .command = "grep ]{{"));
	s = add(s, JOBS(.phase = "p", .command = "grep ']' [a]"));
	check_round_trip(s);
	for (const char *c = s->jobs; *c; c++)
		open += (*c == '[' || *c == '{') - ((*c == ']' || *c == '}') && open > 0);
	assert_int_equal(open, 0);
}

static void test_names_that_are_none(void **state)
{
	static const char *const names[] = {"a: b", "a\nb", "\"",  "\xff", "- a", "{a}",
	                                    "a.b",  "\x01", "a b", "#",    "'"};
	const struct study *s = good("", "");

	(void)state;
	for (size_t i = 0; i < N(names); i++) {
		refusal(s, JOBS(.phase = names[i], .command = "p"));
		refusal(s, JOBS(FINAL, AFTER(names[i])));
		refusal(s, JOBS(FINAL, .metric = names[i], .goal = "minimize", .folds = names[i]));
		refusal(s, JOBS(FINAL, .retries = names[i]));
		refusal(s, JOBS(FINAL, .timeout = names[i]));
		if (strcmp(names[i], "a.b") != 0)
			refusal(s, JOBS(FINAL, PARAMS(names[i])));
	}
	refusal(s, JOBS(FINAL, PARAMS("a234567890123456789012345678901234567890123456789012345678901234x")));
}

static void test_limits(void **state)
{
	const struct study *s = good("", "");
	const char *names[1002], *text = "phases:\n";
	struct study_jobs many = {.phase = "q", .command = "p", .params = names, .nparams = 1000};

	(void)state;
	for (int i = 0; i < 1002; i++)
		names[i] = arena_printf(&arena, "n%d", i);
	s = add(s, &many);
	assert_int_equal(s->phases[0].space.nparams, 1000);
	many.nparams = 1001;
	assert_non_null(strstr(refusal(s, &many), "more than 1000 parameters"));
	for (int i = 0; i < 300; i++) {
		text = arena_printf(&arena, "%s  p%d: {commands: [x]}\n", text, i);
		if (i == 255) {
			s = good("", text);
			assert_non_null(strstr(refusal(s, JOBS(FINAL)), "a study has at most 256"));
			many = (struct study_jobs){.phase = "p255", .after = names, .nafter = 65};
			for (int k = 0; k < 65; k++)
				names[k] = s->phases[k].name;
			assert_non_null(strstr(refusal(s, &many), "after more than 64 phases"));
			many.nafter = 64;
			add(s, &many);
		}
	}
	expect_error("", text, "x.db: more than 256 phases, scheduled ones too");
	expect_error(file, good("", add_text(good("", ""), JOBS(FINAL), &(uint32_t){0}))->jobs + 1,
	             "cannot be read");
}

static void test_large_commands(void **state)
{
	const struct study *s = good("", "");
	const char *big = arena_printf(&arena, "p %0*d", 131068, 0),
	           *text = "phases:\n  final:\n    commands:\n";

	(void)state;
	assert_non_null(strstr(refusal(s, JOBS(NEW, .command = arena_printf(&arena, "%sxyz", big))),
	                       "a command of more than 131072 bytes"));
	for (int i = 0; i < 31; i++)
		text = arena_printf(&arena, "%s      - \"%s%02d\"\n", text, big, i);
	s = add(good("", text), JOBS(NEW, .command = arena_printf(&arena, "%s31", big)));
	assert_non_null(strstr(refusal(s, JOBS(NEW, .command = "q")), "too many commands"));
	expect_error("", arena_printf(&arena, "%s      - \"%s%02d\"\n      - q\n", text, big, 31),
	             "the scheduled commands have more than 4194304 bytes");
}

static void test_too_many_commands(void **state)
{
	size_t n = 0, room = 300000;
	char *text = arena_alloc(&arena, room);

	(void)state;
	n += (size_t)snprintf(text, room, "phases:\n  p:\n    commands:\n");
	for (int i = 0; i < 10000; i++)
		n += (size_t)snprintf(text + n, room - n, "    - \"x %d\"\n", i);
	assert_non_null(
	    strstr(refusal(good("", text), JOBS(.phase = "p", .command = "y")), "too many commands"));
	snprintf(text + n, room - n, "    - \"x\"\n");
	expect_error("", text, "scheduled phase 'p': more than 10000 commands");
}

/* ---- refusals ---------------------------------------------------------------------------------- */

static void test_refused_additions(void **state)
{
	const struct study *plain = good(file, ""), *some, *folded, *nested, *more;
	const struct {
		const struct study *s;
		const struct study_jobs add;
		const char *says;
	} * rows;

	(void)state;
	some = add(plain, JOBS(.phase = "x", .command = "p", AFTER("a"), .metric = "m", .goal = "minimize"));
	some = add(some, JOBS(.phase = "y", .command = "p", AFTER("x")));
	some = add(some, JOBS(.phase = "zebra", .command = "p", AFTER("y"), .folds = "4"));
	more = add(some, JOBS(.phase = "x", .command = "q"));
	folded = good("study: s\nfolds: 5\nphases: {a: {command: p, metric: none}}\n", "");
	nested = good("study: s\nfolds: {outer: 3, inner: 5}\nphases: {a: {command: p, metric: none}}\n", "");
	rows = (const __typeof__(*rows)[]){
	    {plain, {.phase = "a", .command = "p"}, "phase 'a' is one of the study file"},
	    {plain, {.phase = "1x", .command = "p"}, "phase '1x': a phase is named with"},
	    {plain, {.phase = "a: b\n", .command = "p"}, "a phase is named with"},
	    {plain, {.phase = "", .command = "p"}, "a phase is named with"},
	    {plain, {.phase = "final"}, "phase 'final' is new: its command must be given"},
	    {more, {.phase = "x"}, "phase 'x' has 2 commands by now: say which one"},
	    {plain, {.phase = "final", .command = " "}, "the command of phase 'final' is empty"},
	    {plain, {.phase = "final", .command = "p 'x"}, "a quote without its end"},
	    {plain, {FINAL, PARAMS("lr", "a b")}, "'a b': a parameter is named with"},
	    {plain, {FINAL, PARAMS("")}, "'': a parameter is named with"},
	    {plain, {FINAL, AFTER("c")}, "there is no phase 'c'"},
	    {some, {FINAL, AFTER("zebar")}, "there is no phase 'zebar', did you mean 'zebra'?"},
	    {plain, {FINAL, AFTER("final")}, "can't come after jobs of the same phase"},
	    {some, {.phase = "x", AFTER("x")}, "can't come after jobs of the same phase"},
	    {some, {.phase = "x", AFTER("y")}, "phase 'y' comes after 'x' already"},
	    {some, {.phase = "x", AFTER("zebra")}, "phase 'zebra' comes after 'x' already"},
	    {plain, {FINAL, .metric = "1x"}, "`metric: 1x`: a name of at most"},
	    {plain, {FINAL, .metric = "loss"}, "metric=loss needs goal=minimize or goal=maximize"},
	    {plain, {FINAL, .goal = "minimize"}, "goal=minimize needs metric=NAME"},
	    {plain, {FINAL, .metric = "none", .goal = "minimize"}, "goal=minimize needs metric=NAME"},
	    {plain, {FINAL, .metric = "v", .goal = "minimise"}, "did you mean 'minimize'?"},
	    {some, {.phase = "x", .metric = "v"}, "metric=v: phase 'x' has metric=m, and keeps it"},
	    {some, {.phase = "x", .metric = "none"}, "metric=none: phase 'x' has metric=m"},
	    {some, {.phase = "y", .metric = "v"}, "metric=v: phase 'y' has metric=none"},
	    {some, {.phase = "x", .goal = "maximize"}, "goal=maximize: phase 'x' has goal=minimize"},
	    {some, {.phase = "y", .goal = "maximize"}, "the metric of phase 'y' is none"},
	    {plain, {FINAL, .folds = "x"}, "folds=x: it must be none, each or a number from 2"},
	    {plain, {FINAL, .folds = "1"}, "folds=1: it must be"},
	    {plain, {FINAL, .folds = "10001"}, "folds=10001: it must be"},
	    {plain, {FINAL, .folds = "outer"}, "folds=outer: it must be"},
	    {plain, {FINAL, .folds = "each"}, "folds=each: the study has no folds yet"},
	    {folded, {FINAL, .folds = "4"}, "folds=4: the study has 5 folds"},
	    {some, {FINAL, .folds = "5"}, "folds=5: the study has 4 folds"},
	    {some, {.phase = "x", .folds = "4"}, "folds=4: phase 'x' has folds=none"},
	    {some, {.phase = "zebra", .folds = "none"}, "folds=none: phase 'zebra' has folds=4"},
	    {nested, {FINAL, .folds = "5"}, "the folds of this study are nested (3 outer, 5 inner)"},
	    {nested, {FINAL, .folds = "each"}, "can only have folds=none"},
	    {plain, {FINAL, .retries = "-1"}, "`retries` must be a whole number from 0 to 1000"},
	    {plain, {FINAL, .timeout = "soon"}, "`timeout: soon` is no duration"},
	    {NULL, {0}, NULL},
	};
	for (; rows->s; rows++)
		if (!strstr(refusal(rows->s, &rows->add), rows->says))
			fail_msg("got  %s\nwant %s", refusal(rows->s, &rows->add), rows->says);
}

/* Mistakes that only the whole study shows, and texts that no `schedule` wrote. */
static void test_refused_texts(void **state)
{
#define ONE(line) "phases:\n  \"x\":\n    commands: [p]\n" line
	static const struct {
		const char *text, *jobs, *says;
	} rows[] = {
	    /* the study file has changed */
	    {file, "phases:\n  a:\n    commands: [p]\n",
	     "x.db:6:3: phase 'a' was scheduled from the command line: give this one another name"},
	    {"study: s\nphases:\n  b: {after: x, command: p, metric: none}\n", ONE(""),
	     "x.db:3:14: phase 'x' was scheduled from the command line: no phase of the study file can come "
	     "after"},
	    {file, ONE("    after: [c]\n"),
	     "x.db: scheduled phase 'x': it has jobs after phase 'c', which is gone from the study file"},
	    {file, ONE("    params: [a.lr]\n"),
	     "scheduled phase 'x': 'a.lr' reads like parameter 'lr' of phase 'a'"},
	    {file, ONE("    params: [seed]\n"), "scheduled phase 'x': a parameter can't be named 'seed'"},
	    {"study: s\nphases: {a: {command: p, metric: none}}\n",
	     "phases:\n  x:\n    commands: [\"p {a.dir}\"]\n    after: [a]\n",
	     "{a.dir}: the units of phase 'a' have no directory"},
	    /* the text is damaged */
	    {"", "x", "x.db: the scheduled phases cannot be read: their text is damaged"},
	    {"", "phases: [x]\n", "their text is damaged"},
	    {"", "phases: {}\nfolds: 3\n", "their text is damaged"},
	    {"", "[phases]\n", "their text is damaged"},
	    {"", "phases: {x: [}\n", "x.db: the scheduled phases cannot be read: 1:"},
	    {"", "phases: {x: \xff}\n", "cannot be read: 1:13: this byte is no UTF-8"},
	    {"", "phases: {x: {commands: [p]}, x: {commands: [q]}}\n",
	     "cannot be read: 1:30: 'x' is here twice"},
	    {"", "phases: {x: y}\n", "x.db: scheduled phase 'x': it must be a map"},
	    {"", "phases: {'x y': {commands: [p]}}\n", "a phase is named with"},
	    {"", "phases: {x: {params: [a]}}\n", "scheduled phase 'x': it has no command"},
	    {"", "phases: {x: {commands: []}}\n", "`commands` must be a list of at least one"},
	    {"", "phases: {x: {commands: p}}\n", "`commands` must be a list"},
	    {"", "phases: {x: {commands: [[p]]}}\n", "`commands` must be a text"},
	    {"", "phases: {x: {commands: [{hex: 7}]}}\n", "`commands`: a text or {hex: TEXT}"},
	    {"", "phases: {x: {commands: [{hex: 70, a: 70}]}}\n", "`commands`: a text or {hex: TEXT}"},
	    {"", "phases: {x: {commands: [{bytes: 70}]}}\n", "`commands`: a text or {hex: TEXT}"},
	    {"", "phases: {x: {commands: [{hex: 7G}]}}\n", "no bytes in hex digits"},
	    {"", "phases: {x: {commands: [{hex: 7000}]}}\n", "no bytes in hex digits"},
	    {"", "phases: {x: {commands: [{hex: ''}]}}\n", "the command of phase 'x' is empty"},
	    {"", ONE("    params: a\n"), "`params` must be a list"},
	    {"", ONE("    params: [[a]]\n"), "`params` must be a text"},
	    {"", ONE("    params: [a, a]\n"), "scheduled phase 'x': 'a' is here twice"},
	    {"", ONE("    params: ['a b']\n"), "'a b': a parameter is named with"},
	    {"", ONE("    after: x\n"), "`after` must be a list"},
	    {"", ONE("    after: [x]\n"), "phase 'x' can't come after itself"},
	    {"", ONE("    after: [y, y]\n"), "after names 'y' twice"},
	    {file, ONE("    after: [{a: best 3}]\n"), "`after` must be a text"},
	    {"", ONE("    after: [y]\n  y:\n    commands: [p]\n    after: [x]\n"), "the phases form a cycle"},
	    {"", ONE("    metric: 'a b'\n"), "`metric: a b`"},
	    {"", ONE("    metric: m\n"), "metric 'm' needs a `goal`"},
	    {"", ONE("    folds: 1\n"), "`folds` must be a whole number from 2"},
	    {"", ONE("    folds: each\n"), "`folds` must be a whole number from 2"},
	    {"", ONE("    folds: 3\n  y:\n    commands: [p]\n    folds: 4\n"),
	     "scheduled phase 'y': `folds: 4`: the study has 3"},
	    {"", ONE("    retries: many\n"), "`retries` must be a whole number"},
	    {"", ONE("    timeout: soon\n"), "`timeout: soon` is no duration"},
	    {"", ONE("    trials: 3\n"), "unknown key 'trials' here"},
	    {"", ONE("    env: {A: b}\n"), "unknown key 'env' here"},
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		expect_error(rows[i].text, rows[i].jobs, rows[i].says);
}

/* Mistakes of the file come first, in its order. */
static void test_order_of_errors(void **state)
{
	const struct study *s;
	struct study_errors e;

	(void)state;
	read_both("study: s\nphases:\n  a: {command: 'p {x}', metric: none}\n",
	          "phases:\n  y: {commands: ['p {u}', 'p {v}']}\n  z: {commands: ['p {w}']}\n", &s, &e);
	assert_int_equal(e.count, 4);
	assert_non_null(strstr(e.items[0].text, "x.db:3:19: unknown placeholder {x}"));
	assert_non_null(strstr(e.items[1].text, "x.db: scheduled phase 'y': unknown placeholder {u}"));
	assert_non_null(strstr(e.items[2].text, "scheduled phase 'y': unknown placeholder {v}"));
	assert_non_null(strstr(e.items[3].text, "scheduled phase 'z': unknown placeholder {w}"));
}

static void test_name_of_the_study(void **state)
{
	static const char *const names[] = {"", "../x", "a b", "-x"};
	const struct study *s;
	struct study_errors e;

	(void)state;
	for (size_t i = 0; i < N(names); i++) {
		struct study_source src = {.path = "x.db", .name = names[i]};

		assert_int_equal(study_read(&arena, &src, &s, &e), -1);
		assert_non_null(strstr(e.items[0].text, "the name of a file"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_without_a_study_file, reset),
	    cmocka_unit_test_teardown(test_with_a_study_file, reset),
	    cmocka_unit_test_teardown(test_round_trip, reset),
	    cmocka_unit_test_teardown(test_growing, reset),
	    cmocka_unit_test_teardown(test_order_of_phases, reset),
	    cmocka_unit_test_teardown(test_folds, reset),
	    cmocka_unit_test_teardown(test_folds_of_the_file, reset),
	    cmocka_unit_test_teardown(test_nested_folds, reset),
	    cmocka_unit_test_teardown(test_parameters_take_any_text, reset),
	    cmocka_unit_test_teardown(test_surroundings_of_the_file, reset),
	    cmocka_unit_test_teardown(test_extent, reset),
	    cmocka_unit_test_teardown(test_edits_of_the_file, reset),
	    cmocka_unit_test_teardown(test_edits_of_the_top, reset),
	    cmocka_unit_test_teardown(test_any_bytes_in_a_command, reset),
	    cmocka_unit_test_teardown(test_names_that_are_none, reset),
	    cmocka_unit_test_teardown(test_open_brackets, reset),
	    cmocka_unit_test_teardown(test_limits, reset),
	    cmocka_unit_test_teardown(test_large_commands, reset),
	    cmocka_unit_test_teardown(test_too_many_commands, reset),
	    cmocka_unit_test_teardown(test_refused_additions, reset),
	    cmocka_unit_test_teardown(test_refused_texts, reset),
	    cmocka_unit_test_teardown(test_order_of_errors, reset),
	    cmocka_unit_test_teardown(test_name_of_the_study, reset),
	};

	return cmocka_run_group_tests_name("study_jobs", tests, NULL, NULL);
}
