#include "gen.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct gen *gen_new(struct arena *a)
{
	struct gen *g = arena_alloc(a, sizeof *g);

	g->arena = a;
	g->study.name = "test";
	g->study.seed = 1;
	g->study.phases = g->phases;
	return g;
}

struct study_phase *gen_phase(struct gen *g, const char *name)
{
	uint32_t i = g->study.nphases++;
	struct study_phase *p = &g->phases[i];

	assert(i < GEN_PHASES);
	p->name = name;
	p->index = i;
	p->metric = "loss";
	p->search = SEARCH_GRID;
	p->trials = INT64_MAX;
	p->after = g->after[i];
	p->limits.cpus = 1;
	p->limits.lost_limit = 5;
	p->limits.keep_best = -1;
	p->limits.retry_on = 1u << REASON_EXIT | 1u << REASON_SIGNAL | 1u << REASON_OOM |
	                     1u << REASON_TIMEOUT | 1u << REASON_STALL | 1u << REASON_SPAWN;
	return p;
}

static struct study_phase *last_phase(struct gen *g)
{
	return &g->phases[g->study.nphases - 1];
}

struct after *gen_after(struct gen *g, const char *parent)
{
	struct study_phase *p = last_phase(g);
	struct after *x = &g->after[p->index][p->nafter++];

	for (uint32_t i = 0; i < p->index; i++)
		if (!strcmp(g->phases[i].name, parent))
			x->phase = i;
	x->pick = PICK_ALL;
	return x;
}

struct after *gen_after_best(struct gen *g, const char *parent, uint32_t n)
{
	struct after *x = gen_after(g, parent);

	x->pick = PICK_BEST;
	x->best_n = n;
	return x;
}

void gen_random(struct gen *g, int64_t trials)
{
	struct study_phase *p = last_phase(g);
	struct param *x = arena_alloc(g->arena, sizeof *x);

	x->name = arena_printf(g->arena, "r%u", p->index);
	x->kind = DOMAIN_UNIFORM;
	p->space.params = x;
	p->space.nparams = 1;
	p->search = SEARCH_RANDOM;
	p->trials = trials;
}

void gen_grid(struct gen *g, uint32_t choices)
{
	struct study_phase *p = last_phase(g);
	struct param *x = arena_alloc(g->arena, sizeof *x);
	struct choice *c = arena_array(g->arena, choices, sizeof *c);

	for (uint32_t i = 0; i < choices; i++) {
		c[i].text = arena_printf(g->arena, "%u", i);
		c[i].num = i;
		c[i].is_num = true;
	}
	x->name = arena_printf(g->arena, "g%u", p->index);
	x->kind = DOMAIN_CHOICE;
	x->choices = c;
	x->nchoices = choices;
	p->space.params = x;
	p->space.nparams = 1;
	p->search = SEARCH_GRID;
	p->trials = INT64_MAX;
}

struct prune *gen_prune(struct gen *g)
{
	struct study_phase *p = last_phase(g);
	struct prune *r = arena_alloc(g->arena, sizeof *r);

	r->median = r->percentile = (struct prune_compare){.share = 0.5, .interval = 1, .least = 1};
	r->lower = -(double)INFINITY;
	r->upper = (double)INFINITY;
	p->prune = r;
	return r;
}

struct prune *gen_rungs(struct gen *g, uint32_t nrungs, bool promote)
{
	struct prune *r = gen_prune(g);

	r->rules = PRUNE_ASHA;
	r->min = 1;
	r->max = INT64_C(1) << (nrungs - 1);
	r->eta = 2;
	r->nrungs = nrungs;
	r->promote = promote;
	return r;
}

void gen_scheduled(struct gen *g)
{
	struct study_phase *p = last_phase(g);
	struct param *x = arena_alloc(g->arena, sizeof *x);

	x->name = "j";
	x->kind = DOMAIN_UNIFORM;
	p->space.params = x;
	p->space.nparams = 1;
	p->folds = g->study.folds.outer ? FOLDS_NONE : p->folds;
	p->scheduled = true;
	p->commands = arena_array(g->arena, 2, sizeof *p->commands);
	p->ncommands = 2;
}

const struct study *gen_seal(struct gen *g)
{
	struct study *s = &g->study;

	for (uint32_t i = 0; i < s->nphases; i++) {
		bool *above = arena_array(g->arena, s->nphases, sizeof *above);

		for (uint32_t k = 0; k < g->phases[i].nafter; k++) {
			uint32_t up = g->after[i][k].phase;

			above[up] = true;
			for (uint32_t q = 0; q < s->nphases; q++)
				above[q] = above[q] || g->phases[up].ancestor[q];
		}
		g->phases[i].ancestor = above;
	}
	/* The full search: every folded phase above a `none` phase. */
	for (uint32_t i = 0; s->folds.outer && i < s->nphases; i++)
		for (uint32_t q = 0; g->phases[i].folds == FOLDS_NONE && q < s->nphases; q++)
			if (g->phases[i].ancestor[q] && g->phases[q].folds != FOLDS_NONE) {
				g->phases[q].in_full = true;
				s->folds.full = true;
			}
	return s;
}

/* ---- values ------------------------------------------------------------------------------------------ */
static bool propose_grid(const struct sched *s, const struct study_phase *ph, const struct group_view *g,
                         struct value *own, uint32_t *parent)
{
	const struct param *x = &ph->space.params[0];

	for (; *g->cursor < (uint64_t)x->nchoices * g->nparents; ++*g->cursor) {
		own->kind = VALUE_CHOICE;
		own->u.choice = &x->choices[*g->cursor % x->nchoices];
		*parent = (uint32_t)(*g->cursor / x->nchoices);
		if (!sched_has_values(s, g->group, *parent, own)) {
			++*g->cursor;
			return true;
		}
	}
	return false;
}

bool gen_propose(const struct sched *s, const struct study *study, uint32_t group, struct arena *scratch,
                 struct value *own, uint32_t *parent)
{
	struct group_view g;
	const struct study_phase *ph;
	uint64_t h;

	(void)scratch;
	sched_group(s, group, &g);
	if (!g.nparents)
		return false; /* they have gone since this was asked for */
	ph = &study->phases[g.phase];
	h = rng_mix(g.key.hi ^ rng_mix(g.key.lo ^ rng_mix(g.proposed ^ rng_mix(study->seed))));
	*parent = (uint32_t)(h >> 40) % g.nparents;
	if (ph->space.nparams == 0)
		return true;
	if (ph->search == SEARCH_GRID)
		return propose_grid(s, ph, &g, own, parent);
	own->kind = VALUE_REAL;
	own->u.r = (double)(h % 1000) / 1000.0;
	return true;
}

/* ---- any study --------------------------------------------------------------------------------------- */
static bool chance(struct rng *r, uint32_t percent)
{
	return rng_below(r, 100) < percent;
}

static void any_search(struct gen *g, struct study_phase *p, struct rng *r)
{
	switch (rng_below(r, 4)) {
	case 0:
		break;
	case 1:
		gen_grid(g, 1 + (uint32_t)rng_below(r, 4));
		break;
	default:
		gen_random(g, 1 + (int64_t)rng_below(r, 4));
		if (p->trials > 2)
			p->search = SEARCH_TPE;
		p->trials_total = p->nafter && chance(r, 25);
		break;
	}
}

static void any_limits(struct study_phase *p, struct rng *r)
{
	p->limits.cpus = chance(r, 25) ? 2 : 1;
	p->limits.gpus = chance(r, 10) ? 1 : 0;
	p->limits.memory_bytes = chance(r, 15) ? 512 : 0;
	p->limits.retries = (uint32_t)rng_below(r, 3);
	p->limits.lost_limit = chance(r, 10) ? 0 : 5;
	p->goal = chance(r, 30) ? GOAL_MAXIMIZE : GOAL_MINIMIZE;
	p->aggregate = (enum aggregate)rng_below(r, 4);
	p->report = chance(r, 30) ? REPORT_BEST : REPORT_LAST;
}

/* Several metrics, drawn apart too; what picks among the trials then says by which. */
static void any_metrics(struct gen *g, struct study_phase *p)
{
	static const struct objective more[] = {{"seconds", GOAL_MINIMIZE}, {"accuracy", GOAL_MAXIMIZE}};
	struct rng r;

	rng_seed(&r, g->study.seed ^ rng_mix(p->index + 1001));
	for (uint32_t i = 0; i < p->nafter; i++)
		if (p->after[i].pick == PICK_BEST)
			g->after[p->index][i].objective =
			    (uint32_t)rng_below(&r, 1 + g->phases[p->after[i].phase].nmore);
	if (!p->metric || p->prune || !chance(&r, 25))
		return;
	p->more = more;
	p->nmore = 1 + (uint32_t)rng_below(&r, 2);
}

/* Some of the rules, in every other study. Drawn apart, so that it changes nothing else of a study. */
static void any_prune(struct gen *g, struct study_phase *p)
{
	struct prune *x;
	struct rng r;

	rng_seed(&r, g->study.seed ^ rng_mix(p->index + 1));
	if (!p->metric || g->study.seed % 2 == 0 || !chance(&r, 50))
		return;
	x = chance(&r, 60) ? gen_rungs(g, 1 + (uint32_t)rng_below(&r, 4), chance(&r, 70)) : gen_prune(g);
	if (x->rules && chance(&r, 30))
		x->rules = PRUNE_HYPERBAND;
	if (chance(&r, 30))
		x->rules |= PRUNE_MEDIAN;
	if (chance(&r, 20))
		x->rules |= PRUNE_PERCENTILE;
	if (chance(&r, 20))
		x->rules |= PRUNE_PATIENCE;
	x->percentile.share = 0.25;
	x->median.startup = (int64_t)rng_below(&r, 3);
	x->patience = 1 + (int64_t)rng_below(&r, 6);
	if (!x->rules || chance(&r, 20)) {
		x->rules |= PRUNE_THRESHOLD;
		x->upper = 0.9;
	}
	if (p->folds == FOLDS_EACH && g->study.folds.inner > 1 && chance(&r, 30)) {
		x->rules |= PRUNE_RACE;
		x->has_best = chance(&r, 70);
	}
}

static bool comes_after(const struct study_phase *p, uint32_t up)
{
	for (uint32_t i = 0; i < p->nafter; i++)
		if (p->after[i].phase == up)
			return true;
	return false;
}

/* A phase with inner folds after one without: in a nested study that one must not have seen all data through
 * a folded ancestor, which the study language refuses. */
static void any_after(struct gen *g, struct study_phase *p, struct rng *r)
{
	uint32_t n = p->index == 0 || chance(r, 15) ? 0 : 1 + (uint32_t)(rng_below(r, 10) / 6);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t up = (uint32_t)rng_below(r, p->index);
		struct after *x;

		if (comes_after(p, up))
			continue;
		if (g->study.folds.outer && g->phases[up].folds == FOLDS_NONE && g->phases[up].nafter)
			p->folds = FOLDS_NONE;
		x = gen_after(g, g->phases[up].name);
		if (g->phases[up].metric && chance(r, 30)) {
			x->pick = PICK_BEST;
			x->best_n = 1 + (uint32_t)rng_below(r, 3);
			x->as_one = chance(r, 25);
			if (g->phases[up].space.nparams && chance(r, 30)) {
				uint32_t *per = arena_array(g->arena, 2, sizeof *per);

				per[1] = up;
				x->per = &per[0];
				x->per_phase = &per[1];
				x->nper = 1;
			}
		}
	}
}

static uint32_t depth_of(const struct gen *g, uint32_t phase)
{
	uint32_t d = 0;

	for (uint32_t i = 0; i < g->phases[phase].nafter; i++) {
		uint32_t up = depth_of(g, g->after[phase][i].phase);

		d = up > d ? up : d;
	}
	return d + 1;
}

void gen_any_scheduled(struct gen *g, struct rng *r)
{
	uint32_t n = 1 + (uint32_t)rng_below(r, 3);

	for (uint32_t i = 0; i < n; i++) {
		struct study_phase *p = gen_phase(g, arena_printf(g->arena, "s%u", i));

		p->folds = chance(r, 50) ? FOLDS_EACH : FOLDS_NONE;
		any_limits(p, r);
		for (uint32_t up = 0; up < p->index; up++)
			if (chance(r, 60))
				gen_after(g, g->phases[up].name);
		gen_scheduled(g);
	}
}

static const struct study *any(struct arena *a, struct rng *r, bool jobs)
{
	struct gen *g = gen_new(a);
	uint32_t n = 1 + (uint32_t)rng_below(r, 5);

	g->study.seed = rng_next(r) >> 40;
	if (chance(r, 60))
		g->study.folds.inner = 2 + (uint32_t)rng_below(r, 2);
	if (g->study.folds.inner && chance(r, 40))
		g->study.folds.outer = 2;
	for (uint32_t i = 0; i < n; i++) {
		struct study_phase *p = gen_phase(g, arena_printf(a, "p%u", i));

		p->folds = chance(r, 60)                           ? FOLDS_EACH
		           : g->study.folds.outer && chance(r, 50) ? FOLDS_OUTER
		                                                   : FOLDS_NONE;
		if (chance(r, 15))
			p->metric = NULL;
		any_limits(p, r);
		any_after(g, p, r);
		if (depth_of(g, i) <= 3)
			any_search(g, p, r);
		any_prune(g, p);
		any_metrics(g, p);
	}
	if (chance(r, 8)) {
		g->study.has_target = true;
		g->study.stop_target = 0.02;
	}
	if (chance(r, 8))
		g->study.stop_trials = 1 + (int64_t)rng_below(r, 10);
	if (jobs)
		gen_any_scheduled(g, r);
	return gen_seal(g);
}

const struct study *gen_any(struct arena *a, struct rng *r)
{
	return any(a, r, false);
}

const struct study *gen_any_with_jobs(struct arena *a, struct rng *r)
{
	return any(a, r, true);
}
