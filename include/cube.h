/* cube: what a model-based search knows, and how it is asked; nobody outside src/search includes it.
 *
 * A search sees the points of a cube [0,1)^n and what came of them. The cube is the one that space_draw makes
 * values from: logarithms, steps, conditions and bounds that depend on other parameters are all behind it (a
 * bound that depends on another parameter makes the coordinate relative to it). An axis belongs to a
 * parameter that can vary. First come the axes of the phase itself (nown), which a search chooses; then the
 * context, parameters of the phases before, which are given with the parents.
 *
 * A value is the cell of coordinates that draw it: lo == hi where the domain is continuous, an interval where
 * it is discrete, NaN where the parameter is not active. Choice c of n is [c/n, (c+1)/n). The same number may
 * have different cells in different trials, where bounds depend on other parameters. */
#ifndef CUBE_H
#define CUBE_H

#include "arena.h"
#include "rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum axis_kind {
	AXIS_NUMBER, /* ordered: neighbours are alike */
	AXIS_CHOICE  /* `levels` choices without an order */
};
struct axis {
	enum axis_kind kind;
	uint32_t levels; /* NUMBER: how many values there are, 0: continuous, or it depends */
};

struct cell {
	double lo, hi;
};
static inline bool cell_active(struct cell c)
{
	return c.lo == c.lo;
}
/* Both without a value, or the same one. */
static inline bool cell_equal(struct cell a, struct cell b)
{
	return cell_active(a) ? a.lo == b.lo && a.hi == b.hi : !cell_active(b);
}
static inline double cell_middle(struct cell c)
{
	return 0.5 * (c.lo + c.hi);
}
/* Number of a choice among `levels`. */
static inline uint32_t cell_choice(struct cell c, uint32_t levels)
{
	uint32_t i = (uint32_t)(cell_middle(c) * levels);

	return i < levels ? i : levels - 1;
}

/* The nearest coordinate there is: in [0, 1). */
static inline double cube_inside(double u)
{
	return u > 0 ? u < 1 ? u : 1 - 0x1p-53 : 0;
}

/* In order from best to worst: a complete value is better than a pruned one, a pruned one (the later step
 * first, then the value) than a failed one. */
enum outcome {
	OUTCOME_PENDING,
	OUTCOME_COMPLETE,
	OUTCOME_PRUNED,
	OUTCOME_FAILED,
	OUTCOME_GONE,
	OUTCOME_PAUSED /* it waits at a rung, in most cases for ever: nothing is known, and nobody is at work
	                */
};

struct observation {
	const struct cell *cells; /* naxes */
	double value;             /* to be minimised; finite when COMPLETE or PRUNED */
	const double *values; /* of several objectives: all, to be minimised; `value` is the first of them */
	double step;          /* PRUNED: how far it came */
	enum outcome outcome;
};

enum { HISTORY_BEST = 64 };
/* All trials of one search, by number in the order of their beginning. GONE ones are to be passed over. */
struct history {
	struct arena *arena;
	const struct axis *axes;
	uint32_t nown, naxes;
	uint32_t nobjectives; /* 1 where it is not said */
	struct slab items;    /* struct observation */
	uint32_t nended;      /* COMPLETE, PRUNED, FAILED */
	uint32_t ncomplete;
	uint32_t npending, npaused;
	uint32_t *ended; /* numbers in the order of their end */
	uint32_t ended_cap;
	/* The best ones, best first; of equals the one with the lower number. */
	uint32_t best[HISTORY_BEST], nbest;
	uint32_t version; /* grows when something that had ended changes or goes: caches start anew */
};

void history_init(struct history *h, struct arena *a, const struct axis *axes, uint32_t nown, uint32_t naxes);
/* A trial began; cells (naxes) are copied. Its number. */
uint32_t history_begin(struct history *h, const struct cell *cells);
/* What it is about to end with where there are several objectives: nobjectives values, which are copied. */
void history_put_values(struct history *h, uint32_t number, const double *values);
/* It ended, or (PENDING) goes on after all, or is PAUSED, or GONE. A value that is not finite makes it
 * FAILED. */
void history_end(struct history *h, uint32_t number, enum outcome o, double value, double step);
static inline const struct observation *history_at(const struct history *h, uint32_t number)
{
	return slab_at(&h->items, number);
}
/* nobjectives of them */
static inline const double *observation_values(const struct observation *o)
{
	return o->values ? o->values : &o->value;
}
static inline uint32_t history_count(const struct history *h)
{
	return h->items.count;
}
/* <0, 0, >0: a is better, equal, worse, by outcome, step and value. */
int observation_compare(const struct observation *a, const struct observation *b);

/* One question: a new point. Equal history, equal seed: equal answer. */
struct cube_ask {
	const struct history *h;
	/* Parents to choose from, >= 1: contexts[p] is the context (naxes - nown cells) of parent p; the
	 * pointer may be NULL where there is no context. */
	uint32_t nparents;
	const struct cell *const *contexts;
	/* Where a point comes to lie: *u are nown coordinates, `out` (nown cells) the values they draw under
	 * that parent. False when no feasible value is there. Cheap, but not free: some microseconds. */
	bool (*place)(void *ctx, uint32_t parent, const double *u, struct cell *out);
	/* Has the search had this point already? Asked for cells that `place` made last. */
	bool (*known)(void *ctx, uint32_t parent, const struct cell *at);
	void *ctx;
	uint32_t k;       /* number of the trial to propose: startup points depend on it and on seed only */
	uint64_t seed;    /* of this search; the same for all k */
	int64_t trials;   /* how many there will be, 0: unknown */
	uint32_t workers; /* that will be busy at a time; >= 1 */
	double interval_seconds; /* between two questions, 0: unknown */
	bool rungs;              /* most trials go no further than a rung, and are PAUSED or GONE then */
	struct arena *scratch;
};

/* A model-based search. `state` holds what it computed of the history so far, all of which can be computed
 * again. ask: fills u (nown) and *parent with a feasible point that is not known, or returns false when it
 * has found none (the caller then draws at random). */
struct cube_search {
	void *(*open)(void);
	bool (*ask)(void *state, const struct cube_ask *q, double *u, uint32_t *parent);
	void (*close)(void *state);
};
/* gp_in_time is gp, or tpe where there is no time for gp. */
extern const struct cube_search tpe_search, gp_search, gp_in_time_search, cmaes_search, nsga2_search,
    auto_search;

/* Did this trial stand on that parent, as far as the context tells? */
bool cube_stands_on(const struct cube_ask *q, const struct observation *o, uint32_t parent);

/* Point q->k of the scrambled Sobol sequence of this search over parent (where there are several) and own
 * axes: the first points of all models. One that is not feasible, or known, is replaced by the one `stride`
 * further on, so many times as there are tries; false when all are like that. CUBE_STRIDE is odd, so that
 * the digits of the replacements differ from the first one on. */
enum { CUBE_STRIDE = 4099, CUBE_TRIES = 200 };
bool cube_startup(const struct cube_ask *q, uint32_t stride, uint32_t tries, double *u, uint32_t *parent);

#endif
