/* progress: one line for people while a run goes on. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "leader.h"
#include "sched.h"

struct progress {
	enum progress_mode mode;
	int64_t begun_ms, next_ms;
	uint64_t done_before; /* units done by earlier runs */
	bool dirty;           /* a line without its newline is on the terminal */
};

void progress_init(struct progress *p, enum progress_mode mode, const struct sched *s, int64_t now_ms);
/* Prints when it is time to; returns when that is next (monotonic ms). */
int64_t progress_show(struct progress *p, const struct study *study, const struct sched *s, uint32_t slots,
                      int64_t now_ms, bool now);
void progress_end(struct progress *p); /* puts the missing newline */

#endif
