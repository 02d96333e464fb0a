#include "remains.h"

#include "child.h"
#include "host.h"

#include <string.h>
#include <unistd.h>

enum { LOCAL_MS = 5000, ROUND_US = 20000 };
enum { UNSEEN_MS = 20000 }; /* so long a run may have lived after it was last seen: it is noted each 15 s */

struct remains_one {
	uint32_t unit, pid, keeper_pid;
	int64_t last_seen_ms, until_ms; /* epoch */
	bool here, ended;
};

static int add(void *ctx, const struct store_left *x, struct fault *f)
{
	struct remains *r = ctx;
	int64_t now = host_epoch_ms(), died = x->last_seen_ms + UNSEEN_MS;

	(void)f;
	if (r->n == r->cap) {
		uint32_t cap = r->cap ? 2 * r->cap : 64;

		r->all = arena_grow(r->arena, r->all, r->n * sizeof *r->all, cap * sizeof *r->all);
		r->cap = cap;
	}
	r->all[r->n++] =
	    (struct remains_one){.unit = x->unit,
	                         .pid = x->worker.pid,
	                         .keeper_pid = x->worker.keeper_pid,
	                         .last_seen_ms = x->last_seen_ms,
	                         /* we hold its database: it is dead by now, whatever its clock says */
	                         .until_ms = (died < now ? died : now) + x->patience_ms,
	                         .here = x->worker.space == host_identity("pid")};
	return 0;
}

int remains_load(struct remains *r, struct arena *a, struct store *s, struct fault *f)
{
	*r = (struct remains){.arena = a};
	return store_load_left(s, add, r, f);
}

static bool has_ended(uint32_t pid, int64_t began_by_ms)
{
	enum child_sight sight = child_look(pid, began_by_ms);

	return sight == CHILD_GONE || sight == CHILD_ZOMBIE;
}

/* Many units have the same worker: it is looked at once a round. */
static bool any_left(struct remains *r)
{
	bool left = false;

	for (uint32_t i = 0; i < r->n; i++) {
		struct remains_one *x = &r->all[i], *before = i ? x - 1 : x;

		if (!x->here || x->ended)
			continue;
		x->ended =
		    before != x && before->keeper_pid == x->keeper_pid
		        ? before->ended
		        : has_ended(x->pid, x->last_seen_ms) && has_ended(x->keeper_pid, x->last_seen_ms);
		left = left || !x->ended;
	}
	return left;
}

void remains_await(struct remains *r)
{
	int64_t until = host_monotonic_ms() + LOCAL_MS;

	while (any_left(r) && host_monotonic_ms() < until)
		usleep(ROUND_US);
}

uint32_t remains_fence(const struct remains *r, struct sched *s, int64_t now_ms, int64_t *longest_ms)
{
	int64_t now = host_epoch_ms();
	uint32_t n = 0;

	*longest_ms = 0;
	for (uint32_t i = 0; i < r->n; i++) {
		const struct remains_one *x = &r->all[i];

		if (x->ended || x->until_ms <= now)
			continue;
		sched_fence(s, x->unit, now_ms + (x->until_ms - now));
		n++;
		if (x->until_ms - now > *longest_ms)
			*longest_ms = x->until_ms - now;
	}
	return n;
}
