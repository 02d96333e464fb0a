/* propose: answers the scheduler's ACTION_WANT with points from the samplers, a bounded number each turn. */
#ifndef PROPOSE_H
#define PROPOSE_H

#include "sampler.h"
#include "sched.h"

struct want {
	uint32_t group, n;
};

struct proposer {
	const struct study *study;
	const struct sched *sched;
	struct arena *scratch;
	struct want *items; /* a ring */
	uint32_t head, count, cap;
};

void proposer_init(struct proposer *p, const struct study *s, const struct sched *sched,
                   struct arena *scratch);
void proposer_finish(struct proposer *p);
void proposer_want(struct proposer *p, uint32_t group, uint32_t n);
/* The next proposal as an event: 1 and *e (values in scratch), or 0 when nothing is wanted. */
int proposer_next(struct proposer *p, struct event *e);

#endif
