/* From selected jobs and the words of a call to new jobs: groups, numbers, identity. */
#include "schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- what there is: train trials 1..4 (lr 0.1 0.1 0.01 0.01, hidden 50 100 50 100), and 5 of another phase
 * without parameters */
static const char file[] =
    "study: st\nmetric: m\ngoal: minimize\nphases:\n"
    "  train:\n    command: prog {args}\n    params: {lr: [0.1, 0.01], hidden: [50, 100]}\n    search: grid\n"
    "  plain: {command: prog}\n";
static const uint32_t selected[] = {1, 2, 3, 4, 5};

static const struct study *read_study(const char *jobs)
{
	struct study_source src = {.path = "x.db",
	                           .text = file,
	                           .text_bytes = strlen(file),
	                           .jobs = jobs,
	                           .jobs_bytes = strlen(jobs),
	                           .name = "st"};
	const struct study *s;
	struct study_errors e;

	if (study_read(&arena, &src, &s, &e))
		fail_msg("%s", e.items[0].text);
	return s;
}

static struct sched *trials_of(const struct study *s)
{
	static const char *const texts[][2] = {
	    {"0.1", "50"}, {"0.1", "100"}, {"0.01", "50"}, {"0.01", "100"}};
	struct sched *x = sched_new(&arena, s, &(struct sched_options){.standing = true});
	const struct study_phase *train = study_find_phase(s, "train");
	struct fault f;

	for (uint32_t t = 1; t <= 5; t++) {
		struct value *v = arena_array(&arena, 2, sizeof *v);
		struct record r = {.kind = RECORD_TRIAL, .trial = t, .outer = -1, .key = {9, t}, .values = v};

		r.phase = t == 5 ? study_find_phase(s, "plain")->index : train->index;
		for (uint32_t k = 0; t < 5 && k < 2; k++)
			assert_true(value_parse(&arena, &train->space.params[k], texts[t - 1][k], &v[k]));
		if (sched_apply(x, &r, &f))
			fail_msg("%s", f.text);
	}
	return x;
}

/* ---- a call ------------------------------------------------------------------------------------------ */

/* Of the trials named; what stands between the -- is in `words`. */
static int prepare(const char *const *words, uint32_t first, uint32_t n, struct schedule *out,
                   struct fault *f)
{
	const struct study *s = read_study("");
	struct expand_call *call = arena_alloc(&arena, sizeof *call);
	uint32_t nwords = 0;

	while (words[nwords])
		nwords++;
	*f = (struct fault){0};
	if (expand_parse(&arena, words, nwords, 1, call, f))
		return -1;
	return schedule_prepare(&arena, trials_of(s), s, call, selected + first - 1, n, out, f);
}

static struct schedule prepared(const char *const *words, uint32_t first, uint32_t n)
{
	struct schedule x;
	struct fault f;

	if (prepare(words, first, n, &x, &f))
		fail_msg("%s", f.text);
	return x;
}

/* "LABEL: TRIALS", groups by |. */
static const char *groups_text(const struct schedule *x)
{
	const char *s = "";

	for (uint32_t g = 0; g < x->ngroups; g++) {
		s = arena_printf(&arena, "%s%s%s:", s, g ? "|" : "", x->groups[g].label);
		for (uint32_t i = 0; i < x->groups[g].n; i++)
			s = arena_printf(&arena, "%s %u", s, x->groups[g].parents[i]);
	}
	return s;
}

/* The phase that the call makes, in a study of its own. */
static const struct study_phase *phase_of(const struct schedule *x, const char *command)
{
	struct study_jobs add = {.phase = x->phase, .command = command, .params = x->names};
	const char *jobs;
	struct fault f;
	uint32_t number;
	size_t n;

	add.nparams = x->nnames;
	add.after = x->after;
	add.nafter = x->nafter;
	if (study_add_jobs(&arena, read_study(""), &add, &jobs, &n, &number, &f))
		fail_msg("%s", f.text);
	return study_find_phase(read_study(jobs), x->phase);
}

static struct sched_job job(const struct schedule *x, const char *command, struct schedule_draw d,
                            uint64_t index)
{
	struct sched_job j;

	schedule_job(&arena, x, phase_of(x, command), 0, &d, index, &j);
	return j;
}

/* The key of the only job of a call. */
static struct key128 key_with(const char *const *words, const char *command, uint32_t repeat)
{
	struct schedule x = prepared(words, 1, 4);

	assert_int_equal(x.njobs, 1);
	return job(&x, command, (struct schedule_draw){.repeat = repeat}, 0).key;
}

static struct key128 key_of(const char *const *words)
{
	return key_with(words, "prog {args}", 0);
}

/* ---- groups ------------------------------------------------------------------------------------------- */

static void test_groups(void **state)
{
	static const struct {
		const char *group[4];
		const char *want;
		uint32_t each; /* jobs of one group, with one new value in NEW */
	} rows[] = {
	    {{NULL}, "all: 1 2 3 4", 1},
	    {{"lr={{}}"}, "lr=0.1: 1 2|lr=0.01: 3 4", 1},
	    {{"hidden={{}}"}, "hidden=50: 1 3|hidden=100: 2 4", 1},
	    {{"lr={{}}", "hidden={{}}"},
	     "lr=0.1 hidden=50: 1|lr=0.1 hidden=100: 2|lr=0.01 hidden=50: 3|lr=0.01 hidden=100: 4",
	     1},
	    {{"trial={{}}"}, "trial=1: 1|trial=2: 2|trial=3: 3|trial=4: 4", 1},
	    {{"l2={{1,2,3}}"}, "trial=1: 1|trial=2: 2|trial=3: 3|trial=4: 4", 3}, /* each job by itself */
	    {{"l2=1"}, "trial=1: 1|trial=2: 2|trial=3: 3|trial=4: 4", 1},
	    {{"lr={{}}", "l2={{1,2}}"}, "lr=0.1: 1 2|lr=0.01: 3 4", 2}, /* each group */
	    {{"lr={{}}", "l2={{1,2}}", "mo={{3,4}}"}, "lr=0.1: 1 2|lr=0.01: 3 4", 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *words[10] = {"phase=train", "--"};
		struct schedule x;
		uint32_t n = 2;

		for (uint32_t k = 0; rows[i].group[k]; k++)
			words[n++] = rows[i].group[k];
		words[n++] = "--";
		words[n++] = "epochs={{5,6}}";
		words[n] = NULL;
		x = prepared(words, 1, 4);
		assert_string_equal(groups_text(&x), rows[i].want);
		assert_int_equal(x.njobs, (uint64_t)x.ngroups * rows[i].each * 2);
	}
}

static void test_jobs_of_their_own(void **state)
{
	struct schedule x = prepared(WORDS("lr={{1e-3,1e-2}}", "hidden={{50,100,200}}"), 1, 0);
	struct sched_job j;

	(void)state;
	assert_int_equal(x.njobs, 6);
	assert_string_equal(x.phase, "job");
	assert_int_equal(x.nafter, 0);
	j = job(&x, "prog {args}", (struct schedule_draw){0}, 4); /* the last one changes fastest */
	assert_int_equal(j.nparents, 0);
	assert_true(value_number(&j.values[0]) == 0.01);
	assert_true(value_number(&j.values[1]) == 100);
}

static void test_jobs_are_in_the_order_of_groups(void **state)
{
	struct schedule x =
	    prepared(WORDS("phase=train", "--", "lr={{}}", "l2={{1,2}}", "--", "e={{5,6,7}}"), 1, 4);

	(void)state;
	assert_int_equal(x.njobs, 12);
	for (uint32_t i = 0; i < 12; i++) {
		struct sched_job j = job(&x, "prog {args}", (struct schedule_draw){0}, i);

		assert_int_equal(j.nparents, 2);
		assert_int_equal(j.parents[0], i < 6 ? 1 : 3);
		assert_true(value_number(&j.values[0]) == (i / 3 % 2 ? 2 : 1));
		assert_true(value_number(&j.values[1]) == 5 + i % 3);
		for (uint32_t k = 0; k < i; k++)
			assert_false(
			    key_equal(j.key, job(&x, "prog {args}", (struct schedule_draw){0}, k).key));
	}
}

static void test_names_of_phases(void **state)
{
	struct schedule x = prepared(WORDS("trial=1", "--", "--", "e=1"), 1, 4);

	(void)state;
	assert_string_equal(x.phase, "after-train");
	assert_int_equal(x.nafter, 1);
	assert_string_equal(x.after[0], "train");
	x = prepared(WORDS("trial=1", "--", "--", "e=1", "phase=mine"), 1, 5);
	assert_string_equal(x.phase, "mine");
	assert_int_equal(x.nafter, 2);
}

/* ---- identity -------------------------------------------------------------------------------------------
 */

static void test_one_identity(void **state)
{
	static const struct {
		const char *a[8], *b[8];
	} rows[] = {
	    {{"lr=1e-3"}, {"lr=0.001"}},
	    {{"lr={{1.0e-3}}"}, {"lr=0.001"}},
	    {{"n=1"}, {"n=1.0"}},
	    {{"a=1", "b=2"}, {"b=2", "a=1"}},
	    {{"phase=p", "a=1"}, {"a=1", "phase=p"}},
	    {{"trial=1", "--", "--", "a=1", "b=2"}, {"lr=0.1", "--", "--", "b=2", "a=1"}}, /* how selected */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!key_equal(key_of(rows[i].a), key_of(rows[i].b)))
			fail_msg("row %zu: two identities", i);
}

static void test_other_identities(void **state)
{
	static const char *const rows[][8] = {
	    {"a=1", "b=2"},
	    {"a=2", "b=1"},
	    {"a=1", "b=3"},
	    {"a=1", "c=2"},
	    {"a=1"},
	    {"a=12"},
	    {"a=x"},
	    {"trial=1", "--", "--", "a=1", "phase=p"},
	    {"trial=1", "best=1", "--", "--", "a=1", "phase=p"},
	    {"trial=1", "best=2", "--", "--", "a=1", "phase=p"},
	};
	struct key128 keys[sizeof rows / sizeof *rows + 2];
	size_t n = sizeof rows / sizeof *rows;

	(void)state;
	for (size_t i = 0; i < n; i++)
		keys[i] = key_of(rows[i]);
	keys[n] = key_with(rows[0], "other {args}", 0);
	keys[n + 1] = key_with(rows[0], "prog {args}", 1);
	for (size_t i = 0; i < n + 2; i++)
		for (size_t k = 0; k < i; k++)
			if (key_equal(keys[i], keys[k]))
				fail_msg("rows %zu and %zu: one identity", i, k);
}

/* A group is its values, not its members: one that has grown is the same. */
static void test_a_group_that_has_grown(void **state)
{
	const char *const *words = WORDS("phase=train", "--", "lr={{}}", "--", "e=1");
	struct schedule before = prepared(words, 1, 1), now = prepared(words, 1, 4);
	struct sched_job a = job(&before, "p {args}", (struct schedule_draw){0}, 0);
	struct sched_job b = job(&now, "p {args}", (struct schedule_draw){0}, 0);

	(void)state;
	assert_int_equal(a.nparents, 1);
	assert_int_equal(b.nparents, 2);
	assert_true(key_equal(a.key, b.key));
	assert_false(key_equal(a.key, job(&now, "p {args}", (struct schedule_draw){0}, 1).key));
}

/* `a={{}} b={{}}` and `b={{}} a={{}}` are the same groups, and so the same jobs. */
static void test_the_order_of_keys(void **state)
{
	struct schedule x = prepared(WORDS("phase=train", "--", "lr={{}}", "hidden={{}}", "--", "e=1"), 1, 4);
	struct schedule y = prepared(WORDS("phase=train", "--", "hidden={{}}", "lr={{}}", "--", "e=1"), 1, 4);

	(void)state;
	assert_int_equal(x.njobs, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_true(key_equal(job(&x, "p {args}", (struct schedule_draw){0}, i).key,
		                      job(&y, "p {args}", (struct schedule_draw){0}, i).key));
	assert_false(key_equal(x.groups[0].key, x.groups[1].key));
}

static double drawn(const struct schedule *x, uint64_t seed, uint32_t repeat, uint64_t index)
{
	struct sched_job j =
	    job(x, "p {args}", (struct schedule_draw){.seed = seed, .repeat = repeat}, index);

	return value_number(&j.values[0]);
}

static void test_drawn_values(void **state)
{
	struct schedule x = prepared(WORDS("phase=train", "--", "lr={{}}", "--", "e={{uniform(0,1)}}"), 1, 4);

	(void)state;
	assert_int_equal(x.njobs, 2);
	assert_true(drawn(&x, 1, 0, 0) == drawn(&x, 1, 0, 0)); /* the same call again adds nothing */
	assert_true(drawn(&x, 1, 0, 0) != drawn(&x, 1, 0, 1)); /* each group anew */
	assert_true(drawn(&x, 1, 0, 0) != drawn(&x, 2, 0, 0));
	assert_true(drawn(&x, 1, 0, 0) != drawn(&x, 1, 1, 0));
}

static void test_best_of_a_group(void **state)
{
	struct schedule x = prepared(WORDS("phase=train", "best=1", "--", "hidden={{}}", "--", "e=1"), 1, 4);
	struct sched_job j = job(&x, "p {args}", (struct schedule_draw){0}, 1);

	(void)state;
	assert_int_equal(j.best_n, 1);
	assert_int_equal(j.nparents, 2); /* the candidates */
	assert_int_equal(j.parents[0], 2);
	assert_int_equal(j.parents[1], 4);
}

/* ---- what is refused ---------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
	static const struct {
		const char *words[8];
		uint32_t n;
		const char *says;
	} rows[] = {
	    {{"x=1", "--", "depth={{}}", "--", "e=1"},
	     4,
	     "argument 3: trial 1, which is selected, has no parameter 'depth' to group by"},
	    {{"x=1", "--", "lr={{}}", "--", "e=1"},
	     5,
	     "argument 3: trial 5, which is selected, has no parameter "},
	    {{"x=1", "--", "hidden={{}}", "lr={{1,2}}", "--", "e=1"},
	     4,
	     "argument 4: trial 1, which is selected, has a 'lr' already"},
	    {{"x=1", "--", "l2={{1,2}}", "--", "l2=3"}, 4, "'l2' has a value already"},
	    {{"x=1", "--", "lr={{}}", "--", "a={{range(1,1000,1)}}", "b={{range(1,1000,1)}}"},
	     4,
	     "1996002 jobs: one call makes at most 1000000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct schedule x;
		struct fault f;

		if (!prepare(rows[i].words, 1, rows[i].n, &x, &f))
			fail_msg("accepted: row %zu", i);
		assert_int_equal(f.code, FAULT_USAGE);
		if (!strstr(f.text, rows[i].says))
			fail_msg("row %zu says: %s", i, f.text);
	}
}

/* New jobs may give what their parents have another value. */
static void test_a_new_value_of_an_old_name(void **state)
{
	struct schedule x = prepared(WORDS("phase=train", "--", "lr={{}}", "--", "lr=7"), 1, 4);
	struct sched_job j = job(&x, "p {args}", (struct schedule_draw){0}, 1);

	(void)state;
	assert_int_equal(x.njobs, 2);
	assert_true(value_number(&j.values[0]) == 7);
}

static int reset(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, reset)
	const struct CMUnitTest tests[] = {
	    T(test_groups),
	    T(test_jobs_of_their_own),
	    T(test_jobs_are_in_the_order_of_groups),
	    T(test_names_of_phases),
	    T(test_one_identity),
	    T(test_other_identities),
	    T(test_a_group_that_has_grown),
	    T(test_the_order_of_keys),
	    T(test_drawn_values),
	    T(test_best_of_a_group),
	    T(test_refusals),
	    T(test_a_new_value_of_an_old_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
