#include "stand_in.h"

#include "host.h"
#include "must.h"

#include <stdlib.h>

enum {
	LOOKS_PER_LEASE = 12, /* a worker beats half as often */
	KEEP_BYTES = 64 << 20 /* what comes then waits where it is, beats too */
};

struct kept {
	uint32_t from;
	struct bytes frame;
};

struct stand_in {
	struct host_deputy *deputy;
	struct wire *wire;
	struct roster *roster;
	uint32_t nranks;
	struct kept *kept;
	uint32_t head, count, cap;
	size_t bytes;
	struct arena scratch;
};

int stand_in_answer(struct wire *w, struct roster *r, uint32_t to, const struct msg *beat, struct fault *f)
{
	struct bytes b = {0};
	int bad = roster_beat(r, to) && !msg_encode(&b, beat) && wire_send(w, to, b.data, b.len, f);

	bytes_finish(&b);
	return bad ? -1 : 0;
}

/* True: there is more in it than beats. */
static bool answer_beats(struct stand_in *x, uint32_t from, const unsigned char *frame, size_t n)
{
	struct msg_reader it;
	struct fault f;
	struct msg m;
	bool more = false;
	int r;

	arena_reset(&x->scratch);
	r = msg_open(&it, frame, n, &f);
	while (!r && (r = msg_next(&it, &x->scratch, &m, &f)) == 1) {
		r = 0;
		if (m.kind == MSG_BEAT)
			stand_in_answer(x->wire, x->roster, from, &m, &f); /* rank 0 will find the same */
		else
			more = true;
	}
	return more || r < 0; /* rank 0 says what is wrong with it */
}

static void keep(struct stand_in *x, uint32_t from, const unsigned char *frame, size_t n)
{
	struct kept *k;

	x->kept = must_grow(x->kept, &x->cap, x->count + 1, sizeof *x->kept);
	k = &x->kept[x->count++];
	*k = (struct kept){.from = from};
	bytes_put(&k->frame, frame, n);
	x->bytes += n;
}

static void act(void *ctx)
{
	struct stand_in *x = ctx;
	const unsigned char *frame;
	struct fault f;
	uint32_t from;
	size_t n;

	if (wire_wait(x->wire, NULL, 0, 0, true, &f))
		return;
	while (x->bytes < KEEP_BYTES && wire_next(x->wire, &from, &frame, &n))
		if (from < x->nranks && answer_beats(x, from, frame, n))
			keep(x, from, frame, n);
	wire_wait(x->wire, NULL, 0, 0, true, &f);
}

struct stand_in *stand_in_open(struct wire *w, const struct wire_info *info, struct roster *r,
                               int64_t lost_after_ms)
{
	int64_t after_ms = lost_after_ms / LOOKS_PER_LEASE;
	struct stand_in *x;

	if (info->size < 2 || !info->any_thread)
		return NULL;
	x = must_have(calloc(1, sizeof *x));
	x->wire = w;
	x->roster = r;
	x->nranks = info->size;
	x->deputy = host_deputy_open(after_ms < 1 ? 1 : after_ms, act, x);
	return x;
}

void stand_in_begin(struct stand_in *x)
{
	if (x)
		host_deputy_begin(x->deputy);
}

void stand_in_end(struct stand_in *x)
{
	if (x)
		host_deputy_end(x->deputy);
}

bool stand_in_has(const struct stand_in *x)
{
	return x && x->head < x->count;
}

bool stand_in_next(struct stand_in *x, uint32_t *from, const unsigned char **frame, size_t *n)
{
	const struct kept *k;

	if (!x || !x->count)
		return false;
	if (x->head)
		bytes_finish(&x->kept[x->head - 1].frame);
	if (x->head == x->count) {
		x->head = x->count = 0;
		x->bytes = 0;
		return false;
	}
	k = &x->kept[x->head++];
	*from = k->from;
	*frame = k->frame.data;
	*n = k->frame.len;
	return true;
}

void stand_in_close(struct stand_in *x)
{
	if (!x)
		return;
	host_deputy_close(x->deputy);
	for (uint32_t i = x->head ? x->head - 1 : 0; i < x->count; i++)
		bytes_finish(&x->kept[i].frame);
	free(x->kept);
	arena_finish(&x->scratch);
	free(x);
}
