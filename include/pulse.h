/* pulse: who is to be given up because it has not been heard for too long. Pure: times come from the caller.
 *
 * A worker may run what it has for lost_after from the moment when it sent the last beat that was answered
 * (see msg.h). Rank 0 notes when it answers, which is never earlier; so lost_after, and the time it takes to
 * end programs, after that note nothing of that worker runs any more, even if all messages to it and from it
 * are late. Half of lost_after more is for clocks that do not run alike. */
#ifndef PULSE_H
#define PULSE_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

struct pulse_one {
	int64_t answered_ms;
	bool awaited;
};
struct pulse {
	struct pulse_one *all; /* by number */
	uint32_t n;
	int64_t patience_ms, due_ms;
};
#define PULSE_NOBODY UINT32_MAX

/* How long after an answer another one may begin what it was given: see above. */
int64_t pulse_patience_ms(int64_t lost_after_ms, int64_t longest_grace_ms);

void pulse_init(struct pulse *p, struct arena *a, uint32_t n, int64_t patience_ms);
void pulse_set_patience(struct pulse *p, int64_t patience_ms);
/* It is there (or is expected to come), and its beat, if it sent one, is answered now. */
void pulse_answer(struct pulse *p, uint32_t who, int64_t now_ms);
/* It is not waited for any more. */
void pulse_forget(struct pulse *p, uint32_t who);
bool pulse_awaits(const struct pulse *p, uint32_t who);
/* One that is to be given up, or PULSE_NOBODY. It stays so until it is forgotten. */
uint32_t pulse_silent(struct pulse *p, int64_t now_ms);
/* When to ask next; INT64_MAX: nobody is awaited. May be earlier than needed. */
int64_t pulse_due_ms(const struct pulse *p);

#endif
