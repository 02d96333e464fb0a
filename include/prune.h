/* prune: which trials are given up before their end, and which go on from a rung. It knows values, places and
 * rules; it has no clock, asks nobody, and gives the same answers whatever the order in which others
 * reported.
 *
 * A field is what is compared with each other: the trials of one phase in one outer fold. Inside it every
 * fold has tables of its own, and a trial is given up at one of them if it is behind there and over its folds
 * so far; only the rungs of promotion count whole trials, for all folds of a trial climb together.
 *
 *   note       a value at a step came: O(log n)
 *   judge      is the unit to be given up for what it noted last?
 *   complete   the unit has ended well: from now on others are compared with it
 *   release    it has ended otherwise: what it noted is not needed any more
 *   forget     it has never been: what it brought was put away
 *
 * Memory is bounded: each fold compares at most PRUNE_LOOKS_MAX steps with a sample of PRUNE_SAMPLE values. A
 * rung has one value for each trial. */
#ifndef PRUNE_H
#define PRUNE_H

#include "ranked.h"
#include "rng.h"
#include "study.h"

enum { PRUNE_LOOKS_MAX = 4096, PRUNE_SAMPLE = 1024, PRUNE_RUNGS_MAX = 64 };

struct pruner {
	struct arena *arena;
	struct ranked_pool pool;
	struct slab units; /* struct prune_unit: of those that have something to tell */
	uint32_t *by_unit, cap;
};

struct prune_fold;
struct prune_field {
	const struct prune *rules;
	bool maximize, by_best; /* by_best: at a rung the best so far counts, not the last */
	struct prune_fold *folds;
	uint32_t nfolds;      /* of a trial; their units follow each other */
	struct ranked *rungs; /* promotion: by bracket and rung */
};

/* A unit in its field. */
struct prune_place {
	struct prune_field *field;
	uint32_t unit, fold, bracket;
};

void pruner_init(struct pruner *p, struct arena *a);
void prune_field_init(struct pruner *p, struct prune_field *x, const struct study_phase *ph, uint32_t nfolds);

void prune_note(struct pruner *p, const struct prune_place *x, uint32_t attempt, double step, double value);
/* REASON_NONE: it goes on. */
enum reason prune_judge(struct pruner *p, const struct prune_place *x);
void prune_complete(struct pruner *p, const struct prune_place *x);
void prune_release(struct pruner *p, const struct prune_place *x);
void prune_forget(struct pruner *p, const struct prune_place *x);
/* Only the rungs it has reached. */
void prune_forget_rungs(struct pruner *p, const struct prune_place *x);
/* What it noted last; false: nothing. */
bool prune_last(const struct pruner *p, uint32_t unit, double *step, double *value);
/* The step at which it was given up or paused, kept here for the scheduler; NaN: none. */
double prune_end_step(const struct pruner *p, uint32_t unit);
void prune_set_end_step(struct pruner *p, uint32_t unit, double step);

/* ---- rungs ---------------------------------------------------------------------------------------- */
/* Hyperband: trials are spread over brackets, whose first rungs lie higher and higher; else there is one. A
 * trial's bracket follows from its key. */
uint32_t prune_bracket(const struct prune *rules, struct key128 trial);
/* Rungs of a bracket, counted from its first; the last one is the end. */
uint32_t prune_rungs(const struct prune *rules, uint32_t bracket);
int64_t prune_budget(const struct prune *rules, uint32_t bracket, uint32_t rung);
/* Why a trial is given up that does not go on from one. */
enum reason prune_rung_reason(const struct prune *rules);
/* Promotion. x: the first unit of the trial, whose value there this is. */
void prune_reach(struct pruner *p, const struct prune_place *x, uint32_t rung, double value);
bool prune_reached(const struct pruner *p, const struct prune_place *x, uint32_t rung);
/* How many of those that have reached this rung go on. */
uint32_t prune_quota(const struct pruner *p, const struct prune_field *x, uint32_t bracket, uint32_t rung);
/* The first unit of the trial that has so many before it there; 0: none. */
uint32_t prune_nth(const struct pruner *p, const struct prune_field *x, uint32_t bracket, uint32_t rung,
                   uint32_t before);
/* How many are before this trial, which has reached the rung. */
uint32_t prune_before(const struct pruner *p, const struct prune_place *x, uint32_t rung);

#endif
