/* Random studies on a random, troubled cluster. Every invariant is checked after every step (sim.h); a
 * failure prints its seed, SEED=n repeats it alone, SEEDS=n runs so many. */
#include "gen.h"
#include "sim.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void each_seed(uint32_t n, void (*one)(uint64_t seed))
{
	const char *seed = getenv("SEED"), *seeds = getenv("SEEDS");

	if (seed) {
		one(strtoull(seed, NULL, 10));
		return;
	}
	if (seeds)
		n = (uint32_t)strtoul(seeds, NULL, 10);
	for (uint64_t i = 1; i <= n; i++)
		one(i);
}

static const struct study *study_of(struct arena *a, uint64_t seed)
{
	struct rng r;

	rng_seed(&r, seed);
	return gen_any(a, &r);
}

/* ---- all invariants, in trouble ---------------------------------------------------------------------------
 */
static uint32_t set_aside;

static void one_troubled_run(uint64_t seed)
{
	struct arena a = {0};
	struct sim_config c = {.study = study_of(&a, seed), .seed = seed, .chaos = true};
	struct sim_outcome out;
	const char *wrong;

	c.prefetch = (uint32_t)(seed % 3);
	wrong = sim_run(&a, &c, &out);
	if (wrong)
		fail_msg("SEED=%" PRIu64 ": %s", seed, wrong);
	set_aside += out.set_aside;
	arena_finish(&a);
}

static void invariants_hold_in_trouble(void **state)
{
	(void)state;
	each_seed(400, one_troubled_run);
	if (!getenv("SEED") && !getenv("SEEDS"))
		assert_true(set_aside > 4); /* so there was something to hold */
}

/* ---- users change the study while it runs
 * ---------------------------------------------------------------------------- */
static void one_run_with_users(uint64_t seed)
{
	struct arena a = {0};
	struct rng r;
	struct sim_config c = {.seed = seed, .chaos = seed % 2 == 0, .users = 2 + (uint32_t)(seed % 19)};
	struct sim_outcome out;
	const char *wrong;

	rng_seed(&r, seed);
	c.study = gen_any_with_jobs(&a, &r);
	c.prefetch = (uint32_t)(seed % 3);
	wrong = sim_run(&a, &c, &out);
	if (wrong)
		fail_msg("SEED=%" PRIu64 ": %s", seed, wrong);
	arena_finish(&a);
}

static void invariants_hold_with_users(void **state)
{
	(void)state;
	each_seed(600, one_run_with_users);
}

/* ---- all invariants, in peace; the same trials whatever the cluster
 * ------------------------------------------ */
static int by_key(const void *x, const void *y)
{
	const struct record *a = *(const struct record *const *)x, *b = *(const struct record *const *)y;

	if (a->key.hi != b->key.hi)
		return a->key.hi < b->key.hi ? -1 : 1;
	return a->key.lo < b->key.lo ? -1 : a->key.lo > b->key.lo;
}

struct trials {
	const struct record **items;
	uint32_t count;
};

static struct trials trials_of(struct arena *a, const struct sim_outcome *o)
{
	struct trials t = {arena_array(a, o->nrecords, sizeof *t.items), 0};

	for (uint32_t i = 0; i < o->nrecords; i++)
		if (o->records[i].kind == RECORD_TRIAL)
			t.items[t.count++] = &o->records[i];
	if (t.count)
		qsort(t.items, t.count, sizeof *t.items, by_key);
	return t;
}

static bool same_trial(const struct study *s, const struct record *a, const struct record *b)
{
	uint32_t n = s->phases[a->phase].space.nparams;
	char x[TEXT_NUMBER], y[TEXT_NUMBER];

	if (!key_equal(a->key, b->key) || a->phase != b->phase || a->outer != b->outer)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(value_text(&a->values[i], x), value_text(&b->values[i], y)) != 0)
			return false;
	return true;
}

static uint64_t seed_of(const struct sim_outcome *o, const struct record *trial, struct arena *a)
{
	struct trial_view t;
	struct command_context x;

	sched_trial(o->sched, trial->trial, &t);
	sched_command_context(o->sched, t.first_unit + t.nunits - 1, 1, "/", a, &x);
	return x.seed;
}

static void compare_two_clusters(struct arena *a, const struct study *s, uint64_t seed)
{
	struct sim_outcome out[2];
	struct trials t[2];

	for (uint32_t i = 0; i < 2; i++) {
		struct sim_config c = {
		    .study = s, .seed = seed + 1000000 * i, .workers = 1 + 5 * i, .prefetch = i};
		const char *wrong = sim_run(a, &c, &out[i]);

		if (wrong)
			fail_msg("SEED=%" PRIu64 " cluster %u: %s", seed, i, wrong);
		t[i] = trials_of(a, &out[i]);
	}
	/* A cluster too small for some unit, or ten failures in a row, end early: nothing to compare. */
	for (uint32_t i = 0; i < 2; i++)
		if (strstr(out[i].text, "no worker") || strstr(out[i].text, "alike"))
			return;
	if (t[0].count != t[1].count)
		fail_msg("SEED=%" PRIu64 ": %u trials on one cluster, %u on another", seed, t[0].count,
		         t[1].count);
	for (uint32_t i = 0; i < t[0].count; i++)
		if (!same_trial(s, t[0].items[i], t[1].items[i]) ||
		    seed_of(&out[0], t[0].items[i], a) != seed_of(&out[1], t[1].items[i], a))
			fail_msg("SEED=%" PRIu64 ": trials differ between clusters", seed);
}

static void one_pair_of_clusters(uint64_t seed)
{
	struct arena a = {0};
	struct study s = *study_of(&a, seed);

	/* who is better at a time is a matter of time, and so is what comes after */
	for (uint32_t i = 0; i < s.nphases; i++)
		((struct study_phase *)s.phases)[i].prune = NULL;
	s.has_target = false;
	s.stop_trials = 0;
	compare_two_clusters(&a, &s, seed);
	arena_finish(&a);
}

/* `trials: N total` over parents whose order of arrival depends on the cluster: they stand behind a pick. */
static void one_total(uint64_t seed)
{
	struct arena a = {0};
	struct gen *g = gen_new(&a);

	g->study.seed = seed;
	gen_phase(g, "a");
	gen_random(g, 6);
	gen_phase(g, "b");
	gen_after_best(g, "a", 3);
	gen_random(g, 3);
	gen_phase(g, "c");
	gen_after(g, "b");
	gen_random(g, 4);
	g->phases[2].trials_total = true;
	compare_two_clusters(&a, gen_seal(g), seed);
	arena_finish(&a);
}

static void the_cluster_does_not_change_the_trials(void **state)
{
	(void)state;
	each_seed(150, one_pair_of_clusters);
	each_seed(50, one_total);
}

/* ---- extensions
 * ------------------------------------------------------------------------------------------------- */
/* A study run with some trials and then with more makes the trials that it would have made at once. */
static void one_extension(uint64_t seed)
{
	struct arena a = {0};
	struct sim_outcome small, large;
	struct trials s, l;
	uint32_t at = 0;
	struct gen *g = gen_new(&a);
	struct rng r;
	const char *wrong;
	struct sim_config c = {.seed = seed, .workers = 4};

	rng_seed(&r, seed);
	g->study.seed = seed;
	g->study.folds.inner = (uint32_t)rng_below(&r, 2) * 2;
	gen_phase(g, "a");
	gen_random(g, 1 + (int64_t)rng_below(&r, 4));
	gen_phase(g, "b");
	gen_after(g, "a");
	gen_grid(g, 1 + (uint32_t)rng_below(&r, 3));
	gen_phase(g, "c");
	gen_after(g, "a");
	gen_random(g, 2);
	c.study = gen_seal(g);
	wrong = sim_run(&a, &c, &small);
	if (!wrong) {
		g->phases[0].trials += 3;
		g->phases[2].trials += 1;
		c.seed++;
		wrong = sim_run(&a, &c, &large);
	}
	if (wrong)
		fail_msg("SEED=%" PRIu64 ": %s", seed, wrong);
	s = trials_of(&a, &small);
	l = trials_of(&a, &large);
	for (uint32_t i = 0; i < s.count; i++) {
		while (at < l.count && !same_trial(c.study, s.items[i], l.items[at]))
			at++;
		if (at == l.count && !strstr(large.text, "alike"))
			fail_msg("SEED=%" PRIu64 ": trial %u is another one in the larger study", seed,
			         s.items[i]->trial);
	}
	arena_finish(&a);
}

static void more_trials_keep_the_first_ones(void **state)
{
	(void)state;
	each_seed(100, one_extension);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(invariants_hold_in_trouble),
	    cmocka_unit_test(invariants_hold_with_users),
	    cmocka_unit_test(the_cluster_does_not_change_the_trials),
	    cmocka_unit_test(more_trials_keep_the_first_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
