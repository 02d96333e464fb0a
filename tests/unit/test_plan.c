/* The plan by hand: identity, lineage, joins, picks. */
#include "gen.h"
#include "plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct arena arena;
	struct gen *gen;
	struct plan plan;
};

static void fixture_init(struct fixture *x)
{
	memset(x, 0, sizeof *x);
	x->gen = gen_new(&x->arena);
}

static void seal(struct fixture *x)
{
	plan_init(&x->plan, &x->arena, gen_seal(x->gen));
}

static uint32_t add(struct fixture *x, const char *phase, int32_t outer, uint32_t k, const uint32_t *parents,
                    uint32_t n)
{
	const struct value v = {.kind = VALUE_REAL, .u.r = k};
	uint32_t p = 0, combo;

	while (strcmp(x->gen->phases[p].name, phase) != 0)
		p++;
	combo = plan_add_combo(&x->plan, plan_instance(&x->plan, p, outer), parents, n);
	return plan_add_trial(&x->plan, combo, k, plan_trial_key(&x->plan, combo, k, &v), &v);
}

static void keys_are_identity(void **state)
{
	struct fixture x, y;
	uint32_t a, b, c;

	(void)state;
	fixture_init(&x);
	gen_phase(x.gen, "a");
	gen_random(x.gen, 9);
	gen_phase(x.gen, "b");
	gen_after(x.gen, "a");
	gen_random(x.gen, 9);
	seal(&x);
	a = add(&x, "a", -1, 0, NULL, 0);
	b = add(&x, "a", -1, 1, NULL, 0);
	c = add(&x, "b", -1, 0, &b, 1);
	assert_false(key_equal(plan_trial(&x.plan, a)->key, plan_trial(&x.plan, b)->key));
	/* the other way round and with another trial in between: the same keys and seeds */
	fixture_init(&y);
	gen_phase(y.gen, "a");
	gen_random(y.gen, 9);
	gen_phase(y.gen, "b");
	gen_after(y.gen, "a");
	gen_random(y.gen, 9);
	seal(&y);
	add(&y, "a", -1, 7, NULL, 0);
	b = add(&y, "a", -1, 1, NULL, 0);
	assert_true(key_equal(plan_trial(&y.plan, b)->key, plan_trial(&x.plan, 2)->key));
	b = add(&y, "b", -1, 0, &b, 1);
	assert_true(key_equal(plan_trial(&y.plan, b)->key, plan_trial(&x.plan, c)->key));
	assert_int_equal(plan_seed(&y.plan, b), plan_seed(&x.plan, c));
	y.gen->study.seed = 2;
	assert_int_not_equal(plan_seed(&y.plan, b), plan_seed(&x.plan, c));
	arena_finish(&x.arena);
	arena_finish(&y.arena);
}

static void known_trials_are_found_among_many(void **state)
{
	struct fixture x;
	enum { N = 5000 };

	(void)state;
	fixture_init(&x);
	gen_phase(x.gen, "a");
	gen_random(x.gen, N);
	seal(&x);
	for (uint32_t k = 0; k < N; k++)
		add(&x, "a", -1, k, NULL, 0);
	for (uint32_t t = 1; t <= N; t++)
		assert_int_equal(plan_find_trial(&x.plan, plan_trial(&x.plan, t)->key), t);
	assert_int_equal(plan_find_trial(&x.plan, (struct key128){1, 2}), 0);
	arena_finish(&x.arena);
}

static void units_hang_together_by_folds(void **state)
{
	/* unit, the other trial, first, count; units: a 1-3, b 4-6, whole 7, again 8-10 */
	const struct {
		uint32_t unit, other, first, n;
	} rows[] = {{5, 1, 2, 1}, {7, 2, 4, 3}, {9, 3, 7, 1}, {2, 2, 5, 1}, {6, 3, 7, 1}, {7, 4, 8, 3}};
	struct fixture x;

	(void)state;
	fixture_init(&x);
	x.gen->study.folds.inner = 3;
	gen_phase(x.gen, "a");
	gen_phase(x.gen, "b");
	gen_after(x.gen, "a");
	gen_phase(x.gen, "whole")->folds = FOLDS_NONE;
	gen_after(x.gen, "b");
	gen_phase(x.gen, "again");
	gen_after(x.gen, "whole");
	seal(&x);
	add(&x, "a", -1, 0, NULL, 0);
	for (uint32_t p = 1; p <= 3; p++)
		add(&x, x.gen->phases[p].name, -1, 0, &p, 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t first, n;

		plan_needs(&x.plan, rows[i].unit, rows[i].other, &first, &n);
		assert_int_equal(first, rows[i].first);
		assert_int_equal(n, rows[i].n);
	}
	assert_int_equal(plan_fold(&x.plan, 5), 1);
	assert_int_equal(plan_fold(&x.plan, 7), -1);
	arena_finish(&x.arena);
}

/* prep ─► tune ─► ensemble of several ─► final, which comes after prep too */
static void what_several_winners_share_stays_one_ancestor(void **state)
{
	struct fixture x;
	uint32_t prep, tune[3], all, up[3], finals;
	const uint32_t *list;

	(void)state;
	fixture_init(&x);
	gen_phase(x.gen, "prep");
	gen_phase(x.gen, "tune");
	gen_after(x.gen, "prep");
	gen_random(x.gen, 3);
	gen_phase(x.gen, "ensemble");
	gen_after_best(x.gen, "tune", 3)->as_one = true;
	gen_phase(x.gen, "final");
	gen_after(x.gen, "ensemble");
	gen_after(x.gen, "prep");
	seal(&x);
	prep = add(&x, "prep", -1, 0, NULL, 0);
	for (uint32_t k = 0; k < 3; k++)
		tune[k] = add(&x, "tune", -1, k, &prep, 1);
	plan_picked(&x.plan, plan_instance(&x.plan, 1, -1), 2, tune, 3);
	all = add(&x, "ensemble", -1, 0, tune, 3);
	plan_ancestors(&x.plan, all, x.plan.ancestors[0]);
	assert_int_equal(x.plan.ancestors[0][0], prep);
	assert_int_equal(x.plan.ancestors[0][1], PLAN_SEVERAL);
	finals = x.plan.instances[plan_instance(&x.plan, 3, -1)].combos;
	assert_int_equal(finals, 1); /* they agree on prep */
	assert_int_equal(plan_ancestor_list(&x.plan, all, 1, &x.arena, &list), 3);
	assert_int_equal(list[2], tune[2]);
	up[0] = all;
	up[1] = prep;
	assert_true(plan_parents_valid(&x.plan, plan_instance(&x.plan, 3, -1), up, 2));
	assert_false(plan_parents_valid(&x.plan, plan_instance(&x.plan, 3, -1), up, 1));
	assert_false(plan_parents_valid(&x.plan, plan_instance(&x.plan, 2, -1), up, 2));
	arena_finish(&x.arena);
}

/* Three parents over one root: only combinations of one root trial, however they come. */
static void joins_agree_in_any_order(void **state)
{
	struct fixture x;
	uint32_t roots[20];

	(void)state;
	fixture_init(&x);
	gen_phase(x.gen, "root");
	gen_random(x.gen, 20);
	for (uint32_t i = 0; i < 3; i++) {
		gen_phase(x.gen, i == 0 ? "x" : i == 1 ? "y" : "z");
		gen_after(x.gen, "root");
		gen_random(x.gen, 2);
	}
	gen_phase(x.gen, "join");
	gen_after(x.gen, "x");
	gen_after(x.gen, "y");
	gen_after(x.gen, "z");
	seal(&x);
	for (uint32_t k = 0; k < 20; k++)
		roots[k] = add(&x, "root", -1, k, NULL, 0);
	for (uint32_t i = 0; i < 3 * 20 * 2; i++) { /* 7 and 120 have no common factor: every one once */
		uint32_t n = i * 7 % 120;

		add(&x, n % 3 == 0 ? "x" : n % 3 == 1 ? "y" : "z", -1, n / 3 % 2, &roots[n / 6], 1);
	}
	assert_int_equal(x.plan.instances[plan_instance(&x.plan, 4, -1)].combos, 20 * 2 * 2 * 2);
	arena_finish(&x.arena);
}

static void who_is_picked(void **state)
{
	const struct plan_entry in[] = {{1, 0.5}, {2, 0.2}, {3, 0.9}, {4, 0.2}};
	const struct {
		enum goal goal;
		uint32_t n, winners[4], count;
	} rows[] = {
	    {GOAL_MINIMIZE, 1, {2}, 1},
	    {GOAL_MINIMIZE, 3, {2, 4, 1}, 3},
	    {GOAL_MAXIMIZE, 2, {3, 1}, 2},
	    {GOAL_MAXIMIZE, 9, {3, 1, 2, 4}, 4},
	};
	struct fixture x;

	(void)state;
	fixture_init(&x);
	gen_phase(x.gen, "a");
	seal(&x);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct after rule = {.pick = PICK_BEST, .best_n = rows[i].n};
		struct study_phase ph = {.goal = rows[i].goal};
		struct plan_winner *w;

		assert_int_equal(plan_pick(&x.plan, &ph, &rule, in, 4, &x.arena, &w), rows[i].count);
		for (uint32_t k = 0; k < rows[i].count; k++) {
			assert_int_equal(w[k].trial, rows[i].winners[k]);
			assert_int_equal(w[k].rank, k);
			assert_true(w[k].value == in[w[k].trial - 1].value);
		}
	}
	arena_finish(&x.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_identity),
	    cmocka_unit_test(known_trials_are_found_among_many),
	    cmocka_unit_test(units_hang_together_by_folds),
	    cmocka_unit_test(what_several_winners_share_stays_one_ancestor),
	    cmocka_unit_test(joins_agree_in_any_order),
	    cmocka_unit_test(who_is_picked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
