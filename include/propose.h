/* propose: answers the scheduler's ACTION_WANT with points from the samplers, a bounded number each turn.
 *
 * What a search program is asked is the council's; its answers come when they come. For a search that learns
 * it keeps a learner for each phase and outer fold, made when it is first asked. It is told of every record,
 * notes which trials they are about, and looks at these before the next question. */
#ifndef PROPOSE_H
#define PROPOSE_H

#include "council.h"
#include "learner.h"
#include "priors.h"
#include "sampler.h"
#include "sched.h"

struct want {
	uint32_t group, n;
};

struct proposer_room;  /* a learner, or a search program, with its phase and outer fold */
struct proposer_trial; /* what a learner was told of a trial */

struct proposer {
	const struct study *study;
	const struct sched *sched;
	struct arena *scratch;
	struct council *council; /* of the search programs; NULL: there are none */
	struct want *items;      /* a ring */
	uint32_t head, count, cap;
	struct proposer_room *rooms;
	uint32_t nrooms;
	struct proposer_trial *trials; /* by number */
	uint32_t trials_cap;
	uint32_t *changed; /* trials to look at */
	uint32_t nchanged, changed_cap;
	const struct priors *priors; /* NULL: none */
};

/* council: NULL where no phase's search is a program. */
void proposer_init(struct proposer *p, const struct study *s, const struct sched *sched,
                   struct arena *scratch, struct council *council);
void proposer_finish(struct proposer *p);
void proposer_want(struct proposer *p, uint32_t group, uint32_t n);
/* There are other observations from elsewhere (or the first ones): the learners begin anew, and know them
 * before the trials, as they do after a resume. They are borrowed. */
void proposer_set_priors(struct proposer *p, const struct priors *priors);
/* Something became true. */
void proposer_note(struct proposer *p, const struct record *r);
/* The next proposal as an event: 1 and *e (values in scratch), or 0: nothing is wanted, or known yet. -1: a
 * search program has failed (FAULT_SEARCH), or could not be started. */
int proposer_next(struct proposer *p, struct event *e, struct fault *f);
/* No more questions will follow: search programs are told the rest. */
void proposer_tell_rest(struct proposer *p);
/* Would it have one, as far as can be seen? */
bool proposer_ready(const struct proposer *p);

#endif
