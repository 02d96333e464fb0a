/* remains: what the last run had given to workers when it died, and what may still go on of it.
 *
 * On this host that can be seen, and it ends within a second or two; the start of a run waits for it. On
 * other hosts keepers end it when their lease ends; until then the scheduler keeps those units behind a
 * fence. */
#ifndef REMAINS_H
#define REMAINS_H

#include "arena.h"
#include "fault.h"
#include "sched.h"
#include "store.h"

#include <stdint.h>

struct remains {
	struct remains_one *all;
	uint32_t n, cap;
	struct arena *arena;
};
/* Before anything of it is taken back in the database. In `a`. */
int remains_load(struct remains *r, struct arena *a, struct store *s, struct fault *f);
/* Wait for what this host has of it, for some seconds at most. */
void remains_await(struct remains *r);
/* Before the resume. Returns how many units wait, and *longest_ms how long. now_ms: the scheduler's. */
uint32_t remains_fence(const struct remains *r, struct sched *s, int64_t now_ms, int64_t *longest_ms);

#endif
