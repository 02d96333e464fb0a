/* gen: studies made in C, without a study file: by hand for unit tests, at random for property tests; and a
 * sampler of test values that depends on the group and k only, as the real ones do. */
#ifndef GEN_H
#define GEN_H

#include "rng.h"
#include "sched.h"
#include "study.h"

enum { GEN_PHASES = 14 };

struct gen {
	struct arena *arena;
	struct study study;
	struct study_phase phases[GEN_PHASES];
	struct after after[GEN_PHASES][GEN_PHASES];
};

/* An empty study: no folds, seed 1. */
struct gen *gen_new(struct arena *a);
/* A phase with the defaults of a study file: metric, minimize, mean, folds each, cpus 1, no parameter. */
struct study_phase *gen_phase(struct gen *g, const char *name);
/* The last phase comes after this one. */
struct after *gen_after(struct gen *g, const char *parent);
struct after *gen_after_best(struct gen *g, const char *parent, uint32_t n);
/* Own parameters: `n` numeric ones (random search, `trials` for each group), or a grid of `n` choices. */
void gen_random(struct gen *g, int64_t trials);
void gen_grid(struct gen *g, uint32_t choices);
/* The last phase is a scheduled one: two commands, one open parameter, after the phases named. */
void gen_scheduled(struct gen *g);
/* The last phase prunes: nothing yet. */
struct prune *gen_prune(struct gen *g);
/* With rungs at 1, 2, 4, .. so many. */
struct prune *gen_rungs(struct gen *g, uint32_t nrungs, bool promote);
/* Scheduled phases after those there are, at random. */
void gen_any_scheduled(struct gen *g, struct rng *r);
/* Ancestors, in_full, indices. */
const struct study *gen_seal(struct gen *g);
/* A random DAG of phases with folds, picks, searches and limits. */
const struct study *gen_any(struct arena *a, struct rng *r);
/* The same with scheduled phases, which have no trials by themselves. */
const struct study *gen_any_with_jobs(struct arena *a, struct rng *r);

/* The next proposal for a group: false when exhausted. */
bool gen_propose(const struct sched *s, const struct study *study, uint32_t group, struct arena *scratch,
                 struct value *own, uint32_t *parent);

#endif
