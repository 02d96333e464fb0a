/* sampler: one small table for all searches. A sampler is asked for the values of trial number k of a group
 * and knows nothing of scheduling. Grid, random and Sobol depend on (study seed, group key, k) only: neither
 * order nor ranks nor later extensions change a trial. */
#ifndef SAMPLER_H
#define SAMPLER_H

#include "arena.h"
#include "rng.h"
#include "study.h"

enum sampler_answer { SAMPLER_OK, SAMPLER_EXHAUSTED, SAMPLER_INFEASIBLE };

struct learner;
struct sampler_ask {
	const struct study *study;
	const struct study_phase *phase;
	struct key128 group; /* key of the group */
	uint32_t k;          /* number of the trial to propose inside its group */
	uint32_t nparents;   /* parent combinations to choose from (>= 1) */
	/* Scope of one of them, own slot NULL; memory in `scratch`. */
	void (*scope_of)(void *ctx, uint32_t parent, struct arena *scratch, struct scope *out);
	/* Grid, and enqueue where nothing learns: does the study have this point already? May be NULL. */
	bool (*known)(void *ctx, uint32_t parent, const struct value *own);
	/* Could a trial of this parent combination start now? Others are not chosen. NULL: all could. */
	bool (*ready)(void *ctx, uint32_t parent);
	void *ctx;
	/* For searches that learn: what has learned (NULL: answer as Sobol, to show what a point may look
	 * like), the names of the parent combinations (nparents), how many trials run at a time, and how
	 * many seconds pass between two questions (0: not known). */
	struct learner *learner;
	const struct key128 *places;
	uint32_t workers;
	double interval_seconds;
	uint64_t *cursor; /* where the last proposal stopped; starts at 0; a lost cursor only costs time */
	struct arena *scratch;
};

/* Fills own (phase->space.nparams values) and *parent. INFEASIBLE after SAMPLER_TRIES rejected draws. */
enum { SAMPLER_TRIES = 100000 };
enum sampler_answer sampler_ask(const struct sampler_ask *q, struct value *own, uint32_t *parent);

/* The part of it that the study file itself answers (`enqueue`): false when trial q->k is not of that. */
bool sampler_enqueued(const struct sampler_ask *q, struct value *own, uint32_t *parent);

/* Raw sequences, for tests: dimension d of point n. Owen-scrambled by seed; seed 0 is the plain sequence. */
double sobol_point(uint64_t n, uint32_t dim, uint64_t seed);
enum { SOBOL_MAX_DIMS = 64 }; /* beyond: hashed random coordinates */

#endif
