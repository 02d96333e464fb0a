/* council: the search programs of a run, one for each phase with `search: {program: ..}` and outer fold:
 * which is asked what, and told what. The processes are adviser.h's, the words advice.h's.
 *
 * A counsel is one of them. It is told of every trial of its phase and outer fold as it changes, in the order
 * of their changes, and asked one question at a time, after all it is to be told; its answers become events.
 * The council outlives the scheduler, which is made anew when a study grows: what was asked of the old one is
 * then told as gone, and asked again.
 *
 * Whatever goes wrong with a program is a fault with the code FAULT_SEARCH; any other code is not its doing.
 */
#ifndef COUNCIL_H
#define COUNCIL_H

#include "adviser.h"
#include "arena.h"
#include "sched.h"

#include <poll.h>

struct council_config {
	struct keeper *keeper;
	bool alone; /* nobody else takes this keeper's events */
	const char *cwd, *out_dir, *env_file;
	uint64_t run;
};

struct council;
struct council *council_new(const struct council_config *c);
/* Programs that are well get the end of their input and some time to end by themselves, unless in a hurry.
 * NULL allowed. */
void council_free(struct council *c, bool hurry);
/* The old scheduler is gone. */
void council_forget(struct council *c);
/* Nothing is asked or told any more; who failed is ended. */
void council_fail(struct council *c);
/* What the one that failed wrote last to stderr, and where that is. False: none failed. */
bool council_last_words(struct council *c, char *buf, size_t cap, const char **log_path);

uint32_t council_fd_count(const struct council *c);
uint32_t council_fds(const struct council *c, struct pollfd *fds);
int64_t council_due_ms(const struct council *c);
/* After a wait. */
int council_step(struct council *c, int64_t now_ms, struct fault *f);
/* What was said up to now is committed: it may leave. */
void council_release(struct council *c);
/* Is a question held back? */
bool council_is_asking(const struct council *c);

struct counsel;
/* The one of this phase and outer fold; made when it is first asked for. It is to be noted all trials there
 * are then, and whenever there is a new scheduler. */
struct counsel *council_find(struct council *c, const struct study *s, const struct study_phase *ph,
                             int32_t outer);
/* Something has changed about this trial, which is of its phase and outer fold. */
void counsel_note(struct counsel *x, uint32_t trial);
/* The scheduler wants n trials of this group. */
void counsel_want(struct counsel *x, uint32_t group, uint32_t n);
/* The answer that was handed out last has become this trial; or, when it is settled before that, nothing. */
void counsel_became(struct counsel *x, uint32_t trial);
void counsel_settle(struct counsel *x);
/* Has it said something that counsel_next has not seen? */
bool counsel_has_answer(const struct counsel *x);
/* Tell it what has changed, as much as it takes. */
void counsel_tell(struct counsel *x, const struct sched *s, struct arena *scratch);
/* Tell, ask, and take answers. 1 and *e (values in scratch): an answer; 0: none now; -1. */
int counsel_next(struct counsel *x, const struct sched *s, struct arena *scratch, struct event *e,
                 struct fault *f);

#endif
