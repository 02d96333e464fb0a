/* The wire: frames take their time, each channel in order. Whoever asks for trouble gets some frames twice,
 * or one that was meant for others. */
#include "world.h"

#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 32, DEAD_LEASES = 1 << 14 };

/* What rank 0 was told in this launch: frames to say again, and which leases are over. */
static struct {
	struct frame *frames[KEPT];
	uint32_t n;
	bool over[DEAD_LEASES];        /* FINISHED or RECALLED has come, from whom it concerned */
	uint32_t life[MAX_RANKS];      /* of its last HELLO */
	uint32_t held_by[DEAD_LEASES]; /* rank + 1 that the lease was sent to */
} told;

/* ---- what is in a frame -------------------------------------------------------------------------------- */
typedef void message_fn(const struct msg *m, void *ctx);

static void each_message(const void *frame, size_t n, message_fn *fn, void *ctx)
{
	struct arena a = {0};
	struct msg_reader it;
	struct fault f;
	struct msg m;
	int got = msg_open(&it, frame, n, &f);

	while (!got && (got = msg_next(&it, &a, &m, &f)) == 1) {
		fn(&m, ctx);
		got = 0;
	}
	if (got < 0)
		wrong("a frame cannot be read: %s", f.text);
	arena_finish(&a);
}

static const char *name_of(enum msg_kind k)
{
	static const char *const names[MSG_KIND_END] = {
	    [MSG_HELLO] = "HELLO",      [MSG_WELCOME] = "WELCOME", [MSG_PHASE] = "PHASE",
	    [MSG_ASSIGN] = "ASSIGN",    [MSG_CANCEL] = "CANCEL",   [MSG_RECALL] = "RECALL",
	    [MSG_STOP] = "STOP",        [MSG_STARTED] = "STARTED", [MSG_METRIC] = "METRIC",
	    [MSG_BEAT] = "BEAT",        [MSG_OUTPUT] = "OUTPUT",   [MSG_FINISHED] = "FINISHED",
	    [MSG_RECALLED] = "RECALLED"};

	return k < MSG_KIND_END && names[k] ? names[k] : "?";
}

/* All that speak of a lease begin with unit and lease. */
static bool lease_of(const struct msg *m, uint32_t *unit, uint32_t *lease)
{
	if (m->kind == MSG_ASSIGN) {
		*unit = m->u.assign.unit;
		*lease = m->u.assign.lease;
		return true;
	}
	*unit = m->u.lease.unit;
	*lease = m->u.lease.lease;
	return m->kind == MSG_CANCEL || m->kind == MSG_RECALL ||
	       (m->kind >= MSG_STARTED && m->kind <= MSG_RECALLED);
}

static void describe_one(const struct msg *m, void *ctx)
{
	struct bytes *to = ctx;
	char text[96];
	uint32_t unit, lease;

	if (m->kind == MSG_OUTPUT || m->kind == MSG_PHASE)
		return;
	if (lease_of(m, &unit, &lease))
		snprintf(text, sizeof text, " %s(unit %u lease %u)", name_of(m->kind), unit, lease);
	else
		snprintf(text, sizeof text, " %s", name_of(m->kind));
	bytes_put(to, text, strlen(text));
}

void wire_describe(struct bytes *to, const void *frame, size_t n)
{
	bytes_clear(to);
	each_message(frame, n, describe_one, to);
	bytes_put(to, "", 1);
}

static void tell_frame(const char *what, uint32_t from, uint32_t to, const void *frame, size_t n)
{
	struct bytes b = {0};

	if (!w.tracing)
		return;
	wire_describe(&b, frame, n);
	tell("%u -> %u %s:%s", from, to, what, (const char *)b.data);
	bytes_finish(&b);
}

/* ---- what rank 0 knows --------------------------------------------------------------------------------- */
struct news {
	uint32_t from;
	bool any;
	bool hello;
	bool series; /* its place in the order of arrival matters */
};

static void look_for_news(const struct msg *m, void *ctx)
{
	struct news *x = ctx;
	uint32_t unit, lease;

	x->series = x->series || m->kind == MSG_METRIC || m->kind == MSG_OUTPUT;
	x->hello = x->hello || m->kind == MSG_HELLO;
	if (m->kind == MSG_HELLO)
		x->any = x->any || m->u.hello.life > told.life[x->from];
	else if (lease_of(m, &unit, &lease) && lease < DEAD_LEASES)
		x->any = x->any || (!told.over[lease] && told.held_by[lease] == x->from + 1);
}

static void note_news(const struct msg *m, void *ctx)
{
	struct news *x = ctx;
	uint32_t unit, lease;

	if (m->kind == MSG_HELLO && m->u.hello.life > told.life[x->from])
		told.life[x->from] = m->u.hello.life;
	else if ((m->kind == MSG_FINISHED || m->kind == MSG_RECALLED) && lease_of(m, &unit, &lease) &&
	         lease < DEAD_LEASES && told.held_by[lease] == x->from + 1)
		told.over[lease] = true;
}

static void note_assign(const struct msg *m, void *ctx)
{
	if (m->kind == MSG_ASSIGN && m->u.assign.lease < DEAD_LEASES)
		told.held_by[m->u.assign.lease] = *(uint32_t *)ctx + 1;
}

static void note_share(const struct msg *m, void *ctx)
{
	struct sim_rank *x = ctx;

	if (m->kind != MSG_HELLO)
		return;
	x->cpus = m->u.hello.cpus;
	x->gpus = m->u.hello.gpus;
	x->memory_bytes = m->u.hello.memory_bytes;
}

/* ---- wire.h ----------------------------------------------------------------------------------------------
 */
int wire_open(struct wire **out, size_t max_frame, struct wire_info *info, struct fault *f)
{
	struct sim_rank *x = &w.ranks[w.current];

	(void)max_frame;
	(void)f;
	x->wire.rank = w.current;
	*out = &x->wire;
	*info = x->info;
	return 0;
}

bool wire_launched(void)
{
	return true;
}

static struct frame *new_frame(uint32_t from, const void *data, size_t n)
{
	struct frame *x = calloc(1, sizeof *x + n);

	if (!x)
		abort();
	x->from = from;
	x->n = n;
	memcpy(x->data, data, n);
	return x;
}

static void put_under_way(uint32_t from, uint32_t to, struct frame *x, int64_t delay, bool again)
{
	struct sim_rank *r = &w.ranks[from];
	struct happening *h;
	int64_t at = w.now_ms + delay;

	r->last_ms[to] = at > r->last_ms[to] ? at : r->last_ms[to];
	r->pending[to]++;
	x->again = again;
	h = happen(r->last_ms[to], A_FRAME, to);
	h->from = from;
	h->frame = x;
}

static int64_t delay(void)
{
	return chance(800) ? 0 : chance(950) ? between(0, 30) : between(0, 3000);
}

int wire_send(struct wire *wire, uint32_t to, const void *data, size_t n, struct fault *f)
{
	uint32_t from = wire->rank;

	if (crash_point())
		return fault_set(f, FAULT_BUG, "rank %u is dead", from);
	tell_frame("sends", from, to, data, n);
	if (from == 0) {
		oracle_sends(to, data, n);
		each_message(data, n, note_assign, &to);
	} else {
		each_message(data, n, note_share, &w.ranks[from]);
	}
	put_under_way(from, to, new_frame(from, data, n), delay(), false);
	if (w.set.trouble && chance(15)) {
		tell("%u -> %u: that frame will come twice", from, to);
		put_under_way(from, to, new_frame(from, data, n), between(0, 2000), true);
	}
	return 0;
}

static bool is_between(const struct happening *h, uint32_t from, uint32_t to)
{
	return h->kind == A_FRAME && h->from == from && h->rank == to;
}

/* What is under way may still come, but for the last so many: a channel keeps its order. */
void wire_lose(struct wire *wire, uint32_t to)
{
	int64_t n = 0;
	uint64_t from = 0;
	bool some;

	tell("%u gives up %u", wire->rank, to);
	some = chance(700);
	for (uint32_t i = 0; i < w.nlist; i++)
		if (is_between(&w.list[i], wire->rank, to) && between(0, n++) == 0)
			from = w.list[i].order; /* any of them */
	for (uint32_t i = 0; some && i < w.nlist;)
		if (is_between(&w.list[i], wire->rank, to) && w.list[i].order >= from) {
			w.ranks[wire->rank].pending[to]--;
			free(w.list[i].frame);
			w.list[i] = w.list[--w.nlist];
		} else {
			i++;
		}
	for (uint32_t i = 0; i < DEAD_LEASES && wire->rank == 0; i++)
		told.over[i] = told.over[i] || told.held_by[i] == to + 1;
}

void wire_regain(struct wire *wire, uint32_t to)
{
	tell("%u has %u again", wire->rank, to);
}

uint32_t wire_pending(const struct wire *wire, uint32_t to)
{
	return w.ranks[wire->rank].pending[to];
}

void wire_arrive(struct happening *h)
{
	struct sim_rank *x = &w.ranks[h->rank];

	if (w.now_ms < w.ranks[h->from ? h->from : h->rank].cut_ms) {
		struct happening *later =
		    happen(w.ranks[h->from ? h->from : h->rank].cut_ms, A_FRAME, h->rank);

		later->order = h->order;
		later->from = h->from;
		later->frame = h->frame;
		return;
	}
	w.ranks[h->from].pending[h->rank]--;
	if (x->dead || !x->alive) {
		free(h->frame);
		return;
	}
	*x->in_end = h->frame;
	x->in_end = &h->frame->next;
}

int wire_wait(struct wire *wire, struct pollfd *fds, nfds_t n, int64_t timeout_ms, bool busy, struct fault *f)
{
	struct sim_rank *x = &w.ranks[wire->rank];

	(void)busy;
	for (nfds_t i = 0; i < n; i++)
		fds[i].revents = 0;
	oracle_stale(false);
	free(x->at);
	x->at = NULL;
	if (!crash_point())
		fiber_wait(wire->rank, fds, n, timeout_ms);
	if (x->dead)
		return fault_set(f, FAULT_BUG, "rank %u is dead", wire->rank);
	if (wire->rank == 0 && w.set.trouble)
		wire_disturb();
	return 0;
}

static void keep_for_later(const struct frame *x)
{
	struct frame **at = &told.frames[told.n++ % KEPT];

	free(*at);
	*at = new_frame(x->from, x->data, x->n);
}

/* What is said again may not come between what is said for the first time, where that has an order. */
static bool out_of_order(const struct frame *x)
{
	struct news news = {.from = x->from};

	if (x->again)
		each_message(x->data, x->n, look_for_news, &news);
	return x->again && news.any && news.series;
}

static void hear(const struct frame *x)
{
	struct news news = {.from = x->from};

	tell_frame(x->again ? "arrives again" : "arrives", x->from, 0, x->data, x->n);
	each_message(x->data, x->n, look_for_news, &news);
	oracle_stale(!news.any);
	w.count.again += !news.any;
	if (news.any)
		keep_for_later(x);
	each_message(x->data, x->n, note_news, &news);
}

static struct frame *take_first(struct sim_rank *x)
{
	struct frame *first = x->in;

	if (first)
		x->in = first->next;
	if (!x->in)
		x->in_end = &x->in;
	return first;
}

int wire_next(struct wire *wire, uint32_t *from, const unsigned char **frame, size_t *n)
{
	struct sim_rank *x = &w.ranks[wire->rank];

	oracle_stale(false);
	do {
		free(x->at);
		x->at = x->dead ? NULL : take_first(x);
	} while (x->at && wire->rank == 0 && out_of_order(x->at));
	if (!x->at)
		return 0;
	*from = x->at->from;
	*frame = x->at->data;
	*n = x->at->n;
	if (wire->rank == 0)
		hear(x->at);
	return 1;
}

/* Somebody says again what rank 0 has been told before; or says it in the place of another. */
void wire_disturb(void)
{
	uint32_t have = told.n < KEPT ? told.n : KEPT;
	const struct frame *old;
	struct frame *x;
	struct news news = {0};

	if (!have || !chance(20))
		return;
	old = told.frames[between(0, have - 1)];
	x = new_frame(old->from, old->data, old->n);
	x->again = true;
	each_message(x->data, x->n, look_for_news, &news);
	if (!news.hello && chance(300))
		x->from = (uint32_t)between(0, w.nranks - 1);
	x->next = w.ranks[0].in;
	w.ranks[0].in = x;
	if (!x->next)
		w.ranks[0].in_end = &x->next;
}

void wire_close(struct wire *wire, int64_t timeout_ms, int status)
{
	(void)wire;
	(void)timeout_ms;
	(void)status;
}

_Noreturn void wire_abort(int status)
{
	(void)status;
	abort();
}

void wire_reset(void)
{
	for (uint32_t r = 0; r < w.nranks; r++) {
		free(w.ranks[r].at);
		w.ranks[r].at = NULL;
		while (w.ranks[r].in) {
			struct frame *x = w.ranks[r].in;

			w.ranks[r].in = x->next;
			free(x);
		}
	}
	for (uint32_t i = 0; i < KEPT; i++)
		free(told.frames[i]);
	memset(&told, 0, sizeof told);
}
