/* sim: a cluster on virtual time around the scheduler. Workers behave as real ones do (they start what fits,
 * hold the rest, answer recalls and cancels, die); messages take their time, each channel in order; rank 0
 * crashes before or after a commit and is replayed from the records.
 *
 * After every step the invariants are checked against a model that knows nothing of the scheduler's insides:
 * it is built from records and messages alone. */
#ifndef SIM_H
#define SIM_H

#include "sched.h"

struct sim_config {
	const struct study *study;
	uint64_t seed;
	bool chaos;       /* deaths, crashes, stops, stale messages, failures that come and go */
	uint32_t users;   /* so many requests and jobs come at random times */
	uint32_t workers; /* 0: random */
	uint32_t prefetch;
};

struct sim_outcome {
	const struct record *records; /* all that was committed */
	uint32_t nrecords;
	enum fault_code code; /* of the last launch */
	const char *text;
	uint64_t steps;
	uint32_t launches;
	struct sched *sched; /* as it ended */
	uint32_t set_aside;  /* nodes, in all launches */
};

/* Runs the study to its end, through as many launches as it takes. NULL, or the invariant that does not hold.
 * Everything is in `a`. */
const char *sim_run(struct arena *a, const struct sim_config *c, struct sim_outcome *out);

/* A scheduler that was told these records and nothing else. NULL: refused, and why. */
struct sched *sim_replay(struct arena *a, const struct study *s, const struct record *records, uint32_t n,
                         uint32_t prefetch, struct fault *f);

#endif
