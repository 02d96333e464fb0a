/* Searches over the spaces of real study files: phase `a` with parameters lr and mo, and a phase `b` after
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bytes.h"
#include "sampler.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARENTS_MAX = 16, TRIALS_MAX = 4096, OWN_MAX = 128 };

/* One group of phase b: its parents (trials of phase a), and the trials it has. */
struct group {
	struct arena study_arena, scratch;
	const struct study *study;
	const struct study_phase *phase;
	uint32_t nparents;
	struct value parents[PARENTS_MAX][2];
	const char *has[TRIALS_MAX]; /* "parent: values" of each trial known */
	uint32_t nhas;
	uint64_t key, cursor;
};

static void scope_of(void *ctx, uint32_t parent, struct arena *scratch, struct scope *out)
{
	struct group *g = ctx;
	const struct value **by_phase = arena_array(scratch, g->study->nphases, sizeof *by_phase);

	assert_true(parent < g->nparents);
	if (g->phase->index == 1)
		by_phase[0] = g->parents[parent];
	*out = (struct scope){by_phase, g->study->nphases};
}

static const char *describe(struct group *g, uint32_t parent, const struct value *own)
{
	char number[TEXT_NUMBER];
	const char *s = arena_printf(&g->study_arena, "%u:", parent);

	for (uint32_t i = 0; i < g->phase->space.nparams; i++)
		s = arena_printf(&g->study_arena, "%s %s", s,
		                 own[i].kind == VALUE_NONE ? "-" : value_text(&own[i], number));
	return s;
}

static bool known(void *ctx, uint32_t parent, const struct value *own)
{
	struct group *g = ctx;
	const char *s = describe(g, parent, own);

	for (uint32_t i = 0; i < g->nhas; i++)
		if (!strcmp(g->has[i], s))
			return true;
	return false;
}

/* The group of the last phase of this study file's phases. Parents have lr = 1, 2, 3, .. and mo = 0.1. */
static struct group *group(const char *phases, uint32_t nparents)
{
	struct group *g = calloc(1, sizeof *g);
	const char *text;
	struct study_errors e;

	assert_non_null(g);
	text = arena_printf(&g->study_arena, "study: x\nseed: 7\nmetric: m\ngoal: minimize\nphases:\n%s",
	                    phases);
	if (study_parse(&g->study_arena, "f.yaml", text, strlen(text), &g->study, &e))
		fail_msg("%s\n%s", e.items[0].text, text);
	g->phase = &g->study->phases[g->study->nphases - 1];
	g->nparents = nparents;
	g->key = 11;
	for (uint32_t i = 0; i < nparents; i++) {
		g->parents[i][0] = (struct value){.kind = VALUE_INT, .u.i = i + 1};
		g->parents[i][1] = (struct value){.kind = VALUE_REAL, .u.r = 0.1};
	}
	return g;
}

static void drop(struct group *g)
{
	arena_finish(&g->study_arena);
	arena_finish(&g->scratch);
	free(g);
}

static struct value own[OWN_MAX];
static uint32_t parent;

static enum sampler_answer ask(struct group *g, uint32_t k)
{
	const struct sampler_ask q = {.study = g->study,
	                              .phase = g->phase,
	                              .group = {g->key, 5},
	                              .k = k,
	                              .nparents = g->nparents,
	                              .scope_of = scope_of,
	                              .known = known,
	                              .ctx = g,
	                              .cursor = &g->cursor,
	                              .scratch = &g->scratch};
	enum sampler_answer answer;

	arena_reset(&g->scratch);
	memset(own, 0xff, sizeof own);
	answer = sampler_ask(&q, own, &parent);
	if (answer == SAMPLER_OK)
		assert_true(parent < g->nparents);
	return answer;
}

/* Trial k as text; "" when there is none. It is not made known. */
static const char *trial(struct group *g, uint32_t k)
{
	return ask(g, k) == SAMPLER_OK ? describe(g, parent, own) : "";
}

static void add(struct group *g, const char *s)
{
	assert_true(g->nhas < TRIALS_MAX);
	g->has[g->nhas++] = s;
}

/* Ask for trials until none is left, or `most`; made known one by one and joined by ", ". */
static const char *run(struct group *g, uint32_t most)
{
	const char *all = "";

	for (uint32_t k = 0; k < most && *trial(g, k); k++) {
		add(g, describe(g, parent, own));
		all = arena_printf(&g->study_arena, "%s%s%s", all, k ? ", " : "", g->has[g->nhas - 1]);
	}
	return all;
}

#define PHASE_A                                                                                              \
	"  a:\n    command: prog {args}\n    params: {lr: 'int(1, 99)', mo: 'uniform(0, 1)'}\n"              \
	"    search: random\n    trials: 20\n"
#define PHASE_B(lines) PHASE_A "  b:\n    after: a\n    command: prog {args}\n" lines
#define ONE(lines)     "  a:\n    command: prog {args}\n" lines

/* ---- grid ------------------------------------------------------------------------------------------ */

struct grid_row {
	const char *phases;
	uint32_t nparents;
	const char *trials;
};

static const struct grid_row grid_rows[] = {
    /* every combination once, the last fastest */
    {ONE("    params: {x: [1, 2], y: [a, b, c]}\n    search: grid\n"), 1,
     "0: 1 a, 0: 1 b, 0: 1 c, 0: 2 a, 0: 2 b, 0: 2 c"},
    {ONE("    params: {x: 'int(3, 7, 2)', c: 5}\n    search: grid\n"), 1, "0: 3 5, 0: 5 5, 0: 7 5"},
    /* thinned by require */
    {ONE("    params: {x: [1, 2, 3], y: [1, 2, 3]}\n    require: ['x < y']\n    search: grid\n"), 1,
     "0: 1 2, 0: 1 3, 0: 2 3"},
    /* an inactive parameter makes no copies */
    {ONE("    params: {o: [sgd, adam], mo: 'choice(0.5, 0.9) if o == sgd'}\n    search: grid\n"), 1,
     "0: sgd 0.5, 0: sgd 0.9, 0: adam -"},
    /* what is enqueued comes first and only once */
    {ONE("    params: {x: [1, 2, 3]}\n    enqueue: [{x: 3}]\n    search: grid\n"), 1, "0: 3, 0: 1, 0: 2"},
    /* over all parents */
    {PHASE_B("    params: {x: [5, 6]}\n    search: grid\n    trials: 100 total\n"), 3,
     "0: 5, 0: 6, 1: 5, 1: 6, 2: 5, 2: 6"},
    {PHASE_B("    params: {x: [1, 2, 3]}\n    require: ['x == a.lr']\n    search: grid\n"
             "    trials: 100 total\n"),
     5, "0: 1, 1: 2, 2: 3"},
};

static void grids_hold_every_point_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof grid_rows / sizeof *grid_rows; i++) {
		const struct grid_row *r = &grid_rows[i];
		struct group *g = group(r->phases, r->nparents);

		assert_string_equal(run(g, 100), r->trials);
		assert_int_equal(ask(g, g->nhas), SAMPLER_EXHAUSTED);
		g->cursor = 0; /* as after a restart */
		assert_int_equal(ask(g, g->nhas), SAMPLER_EXHAUSTED);
		drop(g);
	}
}

static void a_grid_goes_on_after_a_restart(void **state)
{
	struct group *g = group(ONE("    params: {x: [1, 2, 3], y: [1, 2]}\n    search: grid\n"), 1);

	(void)state;
	run(g, 2);
	g->cursor = 0;
	assert_string_equal(trial(g, 2), "0: 2 1");
	drop(g);
}

/* A choice added by an edit: the old points stay what they were, just the new ones are served. */
static void a_grown_grid_serves_the_new_points(void **state)
{
	struct group *g = group(ONE("    params: {x: [1, 2, 9], y: [1, 2]}\n    search: grid\n"), 1);

	(void)state;
	add(g, "0: 1 1");
	add(g, "0: 1 2");
	add(g, "0: 2 1");
	add(g, "0: 2 2");
	assert_string_equal(trial(g, 4), "0: 9 1");
	assert_string_equal(trial(g, 5), "0: 9 2");
	drop(g);
}

/* ---- random and Sobol --------------------------------------------------------------------------------- */

#define SPACE                                                                                                \
	"    params: {lr: 'log(1e-4, 1)', h: 'int(1, 100)', o: [sgd, adam], mo: 'uniform(0, 1) if o == "     \
	"sgd', h2: 'int(1, h)'}\n    require: ['h2 * lr < 10']\n    trials: 50\n"
static const char *const searches[] = {ONE(SPACE "    search: random\n"), ONE(SPACE "    search: sobol\n")};

/* Trial k is the same whatever was asked before, and whether or not the cursor was kept. */
static void order_and_cursor_do_not_matter(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct group *g = group(searches[i], 1);
		static const uint32_t later[] = {49, 0, 7, 6, 30, 30, 49, 1};

		run(g, 50);
		assert_int_equal(g->nhas, 50);
		for (size_t j = 0; j < sizeof later / sizeof *later; j++) {
			assert_string_equal(trial(g, later[j]), g->has[later[j]]);
			if (j == 3)
				g->cursor = 0;
		}
		for (uint32_t k = 0; k < 50; k++)
			for (uint32_t j = 0; j < k; j++)
				assert_string_not_equal(g->has[k], g->has[j]);
		drop(g);
	}
}

static void groups_and_studies_differ(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct group *g = group(searches[i], 1);
		const char *first = trial(g, 0);
		struct study other = *g->study;

		g->key++;
		g->cursor = 0;
		assert_string_not_equal(trial(g, 0), first);
		g->key--;
		g->cursor = 0;
		assert_string_equal(trial(g, 0), first);
		other.seed++;
		g->study = &other;
		g->cursor = 0;
		assert_string_not_equal(trial(g, 0), first);
		drop(g);
	}
}

/* The very values: a change here moves the trials of every study there is. (Nothing that goes through libm.)
 */
static void proposals_stay_what_they_are(void **state)
{
	static const struct {
		const char *search, *trials;
	} rows[] = {
	    {"random",
	     "3: 0.19709206393841294 856 sgd, 4: 0.3143815772429024 214 sgd, 4: 0.5512783854419888 245 adam"},
	    {"sobol",
	     "3: 0.4033039653999494 203 sgd, 1: 0.6969650904222529 539 adam, 3: 0.752546786533441 882 adam"}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char text[1024];
		struct group *g;

		snprintf(text, sizeof text,
		         PHASE_B("    params: {x: 'uniform(0, 1)', h: 'int(1, 1000)', o: [sgd, adam]}\n"
		                 "    trials: 9 total\n    search: %s\n"),
		         rows[i].search);
		g = group(text, 5);
		assert_string_equal(run(g, 3), rows[i].trials);
		drop(g);
	}
}

static void proposals_fill_the_space(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct group *g =
		    group(i ? ONE("    params: {x: 'uniform(0, 8)'}\n    trials: 9\n    search: sobol\n")
		            : ONE("    params: {x: 'uniform(0, 8)'}\n    trials: 9\n    search: random\n"),
		          1);
		int count[8] = {0};

		for (uint32_t k = 0; k < 1024; k++) {
			assert_int_equal(ask(g, k), SAMPLER_OK);
			count[(int)value_number(&own[0])]++;
		}
		for (int j = 0; j < 8; j++) { /* 128 expected; random: sd 10.6 */
			if (i)
				assert_int_equal(count[j], 128);
			else
				assert_in_range(count[j], 128 - 60, 128 + 60);
		}
		drop(g);
	}
}

/* The k-th trial is the k-th feasible point: with a requirement, a subset of the trials without, in order. */
static void sobol_keeps_the_feasible_points_in_order(void **state)
{
	struct group *all = group(ONE("    params: {x: 'uniform(0, 1)', y: 'uniform(0, 1)'}\n    trials: 9\n"
	                              "    search: sobol\n"),
	                          1);
	struct group *some = group(ONE("    params: {x: 'uniform(0, 1)', y: 'uniform(0, 1)'}\n    trials: 9\n"
	                               "    search: sobol\n    require: ['x < y']\n"),
	                           1);
	uint32_t k = 0;

	(void)state;
	for (uint32_t n = 0; n < 100; n++) {
		const char *s = trial(all, n);

		if (value_number(&own[0]) < value_number(&own[1]))
			assert_string_equal(trial(some, k++), s);
	}
	assert_in_range(k, 45, 55);
	drop(all);
	drop(some);
}

/* More parameters than the table has dimensions. */
static void sobol_takes_a_hundred_parameters(void **state)
{
	struct bytes b = {0};
	struct group *g;

	(void)state;
	text_put(&b, ONE("    search: sobol\n    trials: 9\n    params:\n"));
	for (int i = 0; i < 100; i++)
		text_putf(&b, "      x%d: uniform(0, 1)\n", i);
	bytes_put_u8(&b, 0);
	g = group((char *)b.data, 1);
	assert_int_equal(ask(g, 3), SAMPLER_OK);
	for (uint32_t i = 0; i < 100; i++)
		for (uint32_t j = 0; j < i; j++)
			assert_true(own[i].u.r != own[j].u.r);
	bytes_finish(&b);
	drop(g);
}

/* ---- parents --------------------------------------------------------------------------------------------
 */

static void values_see_their_parent(void **state)
{
	static const char *const kinds[] = {"random", "sobol"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char text[1024];
		struct group *g;

		snprintf(text, sizeof text,
		         PHASE_B("    params: {x: 'int(1, a.lr)'}\n    trials: 64 total\n    search: %s\n"),
		         kinds[i]);
		g = group(text, 4);
		for (uint32_t k = 0; k < 64; k++) {
			assert_int_equal(ask(g, k), SAMPLER_OK);
			assert_in_range(own[0].u.i, 1, parent + 1);
		}
		drop(g);
	}
}

/* `64 total`: the parent is one more choice; infeasible ones are never chosen, the others about alike. */
static void total_chooses_among_feasible_parents(void **state)
{
	static const char *const kinds[] = {"random", "sobol"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char text[1024];
		struct group *g;
		uint32_t count[8] = {0};

		snprintf(text, sizeof text,
		         PHASE_B("    params: {x: 'uniform(0, 1)'}\n    trials: 64 total\n    search: %s\n"
		                 "    require: ['a.lr != 3']\n"),
		         kinds[i]);
		g = group(text, 8);
		for (uint32_t k = 0; k < 700; k++) {
			assert_int_equal(ask(g, k), SAMPLER_OK);
			count[parent]++;
		}
		for (uint32_t p = 0; p < 8; p++)
			if (p == 2)
				assert_int_equal(count[p], 0);
			else
				assert_in_range(count[p], i ? 98 : 60, i ? 102 : 140);
		drop(g);
	}
}

/* ---- nothing to choose, nothing to find -------------------------------------------------------------------
 */

static void a_phase_without_parameters_has_its_trial(void **state)
{
	struct group *g = group(PHASE_B(""), 1);

	(void)state;
	assert_int_equal(ask(g, 0), SAMPLER_OK);
	assert_int_equal(parent, 0);
	assert_int_equal(ask(g, 1), SAMPLER_OK); /* a repetition, if the study wants one */
	drop(g);
	g = group(PHASE_B("    trials: 9 total\n    require: ['a.lr != 2']\n"), 3);
	for (uint32_t k = 0; k < 6; k++) {
		assert_int_equal(ask(g, k), SAMPLER_OK);
		assert_int_equal(parent, k % 2 ? 2 : 0);
		if (k == 2)
			g->cursor = 0;
	}
	drop(g);
	g = group(PHASE_B("    require: ['a.lr > 1']\n"), 1);
	assert_int_equal(ask(g, 0), SAMPLER_INFEASIBLE);
	drop(g);
}

static void an_empty_space_is_told(void **state)
{
	static const char *const kinds[] = {"random", "sobol", "grid"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char text[1024];
		struct group *g;

		snprintf(text, sizeof text,
		         PHASE_B("    params: {x: [1, 2]}\n    trials: 5\n    search: %s\n"
		                 "    require: ['x < a.lr - 5']\n"),
		         kinds[i]);
		g = group(text, 1);
		assert_int_equal(ask(g, 0), SAMPLER_INFEASIBLE);
		assert_int_equal(ask(g, 0), i == 2 ? SAMPLER_EXHAUSTED
		                                   : SAMPLER_INFEASIBLE); /* a grid has been through */
		drop(g);
	}
}

/* ---- enqueue
 * ------------------------------------------------------------------------------------------------ */

static void enqueued_assignments_come_first(void **state)
{
	struct group *plain =
	    group(ONE("    params: {x: 'int(1, 1000)', y: [a, b]}\n    trials: 9\n    search: "
	              "sobol\n"),
	          1);
	struct group *g = group(ONE("    params: {x: 'int(1, 1000)', y: [a, b]}\n    trials: 9\n    search: "
	                            "sobol\n    enqueue: [{x: 5, y: b}, {x: 6, y: a}]\n"),
	                        1);

	(void)state;
	assert_string_equal(trial(g, 0), "0: 5 b");
	assert_string_equal(trial(g, 1), "0: 6 a");
	/* and do not move the trials after them */
	for (uint32_t k = 2; k < 9; k++)
		assert_string_equal(trial(g, k), trial(plain, k));
	/* what the study has already is not run again: the search fills in */
	add(g, "0: 6 a");
	assert_string_equal(trial(g, 1), trial(plain, 1));
	drop(g);
	drop(plain);
}

static void an_enqueued_assignment_that_does_not_fit_its_parent_is_passed_over(void **state)
{
	struct group *g =
	    group(PHASE_B("    params: {x: 'int(1, a.lr)'}\n    trials: 9 total\n    search: random\n"
	                  "    enqueue: [{x: 2}, {x: 2}, {x: 2}]\n"),
	          3);

	(void)state;
	assert_int_equal(ask(g, 0), SAMPLER_OK); /* parent 0 has lr = 1 */
	assert_true(own[0].u.i <= (int64_t)parent + 1);
	assert_string_equal(trial(g, 1), "1: 2");
	assert_string_equal(trial(g, 2), "2: 2");
	drop(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grids_hold_every_point_once),
	    cmocka_unit_test(a_grid_goes_on_after_a_restart),
	    cmocka_unit_test(a_grown_grid_serves_the_new_points),
	    cmocka_unit_test(order_and_cursor_do_not_matter),
	    cmocka_unit_test(groups_and_studies_differ),
	    cmocka_unit_test(proposals_stay_what_they_are),
	    cmocka_unit_test(proposals_fill_the_space),
	    cmocka_unit_test(sobol_keeps_the_feasible_points_in_order),
	    cmocka_unit_test(sobol_takes_a_hundred_parameters),
	    cmocka_unit_test(values_see_their_parent),
	    cmocka_unit_test(total_chooses_among_feasible_parents),
	    cmocka_unit_test(a_phase_without_parameters_has_its_trial),
	    cmocka_unit_test(an_empty_space_is_told),
	    cmocka_unit_test(enqueued_assignments_come_first),
	    cmocka_unit_test(an_enqueued_assignment_that_does_not_fit_its_parent_is_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
