#include "rank.h"

#include "host.h"
#include "msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN_FDS = 2 }; /* signals, rank 0 */
enum { LAST_WORD_MS = 300 };
enum { MAX_CPUS = 4096, MAX_GPUS = 64, CLOSE_GRACE_MS = 5000, CLOSE_SEND_MS = 5000, HOLD_BACK_FRAMES = 4 };

/* The i-th of n equal parts of `total` things: first and count. The first total % n parts get one more. */
static uint32_t part(uint32_t total, uint32_t n, uint32_t i, uint32_t *first)
{
	*first = total / n * i + (i < total % n ? i : total % n);
	return total / n + (i < total % n ? 1 : 0);
}

/* Device names: those the batch system gave, else 0, 1, ... */
static uint32_t list_gpus(struct arena *a, const char **names)
{
	const char *given = getenv("CUDA_VISIBLE_DEVICES");
	uint32_t n = host_gpus();

	n = n < MAX_GPUS ? n : MAX_GPUS;
	for (uint32_t i = 0; i < n; i++) {
		size_t len = given ? strcspn(given, ",") : 0;

		names[i] = given ? arena_strndup(a, given, len) : arena_printf(a, "%u", i);
		if (given)
			given += len + (given[len] == ',');
	}
	return n;
}

/* A worker, its keeper and, as they inherit it, its trainers stay on the worker's share of the node. The
 * three wake each other several times for each unit; across cores each of that costs an interrupt, and units
 * of a millisecond came a fifth slower. (And mpirun may have bound us to any one core.) */
static void stay_on_share(const struct rank *r, const struct worker_share *s)
{
	if (!s->ncpus)
		return;
	host_bind(0, s->cpus, s->ncpus);
	host_bind(keeper_pid(r->keeper), s->cpus, s->ncpus);
}

/* Rank 0 works only where no other rank of its node does. */
static int open_worker(struct rank *r, struct fault *f)
{
	const struct wire_info *in = &r->info;
	bool leader_idle = in->node_has_leader && in->node_size > 1;
	uint32_t workers = in->node_size - (leader_idle ? 1 : 0), me = in->node_rank - (leader_idle ? 1 : 0);
	uint32_t cpus[MAX_CPUS], n = host_cpus(cpus, MAX_CPUS), first, gfirst;
	const char *gpus[MAX_GPUS];
	struct arena a = {0};
	struct worker_share s = {.rank = in->rank, .memory_bytes = host_memory_bytes() / workers};
	int bad;

	s.slots = part(n, workers, me, &first);
	if (workers <= n) {
		s.cpus = cpus + first;
		s.ncpus = s.slots;
	}
	if (!s.slots)
		s.slots = 1; /* more workers than cores: the user wants it so, and no masks then */
	s.ngpus = part(list_gpus(&a, gpus), workers, me, &gfirst);
	s.gpus = gpus + gfirst;
	stay_on_share(r, &s);
	bad = worker_open(&r->worker, r->keeper, &s, f);
	arena_finish(&a);
	return bad;
}

int rank_open(struct rank *r, struct fault *f)
{
	memset(r, 0, sizeof *r);
	r->signal_fd = r->leader_fd = -1;
	r->leader_gone_ms = INT64_MAX;
	if (wire_launched())
		host_end_with_parent();
	if (keeper_start(&r->keeper, f))
		return -1;
	r->signal_fd = host_signals_open(f);
	if (r->signal_fd < 0 || wire_open(&r->wire, MSG_FRAME_MAX, &r->info, f))
		return -1;
	if (r->info.rank == 0 && r->info.node_size > 1)
		return 0;
	return open_worker(r, f);
}

static int send_out(struct rank *r, struct fault *f)
{
	struct bytes *b = worker_out(r->worker);
	int bad;

	if (!b->len)
		return 0;
	bad = wire_send(r->wire, 0, b->data, b->len, f);
	bytes_clear(b);
	return bad;
}

static int take_frames(struct rank *r, struct fault *f)
{
	const unsigned char *frame;
	uint32_t from;
	size_t n;

	while (wire_next(r->wire, &from, &frame, &n))
		if (from == 0 && worker_frame(r->worker, frame, n, f))
			return -1;
	return 0;
}

/* Its keeper ends what rank 0 ran; we end what we run, and ourselves. */
static int leader_died(const struct rank *r, struct fault *f)
{
	fault_set(f, FAULT_WORKER, "%s", r->info.node_rank <= 1 ? "rank 0 has died: its workers end" : "");
	return -1;
}

static void watch_leader(struct rank *r)
{
	struct worker_leader l = worker_leader(r->worker);

	if (r->leader_known || !l.pid)
		return;
	r->leader_known = true;
	if (l.space == host_identity("pid"))
		r->leader_fd = host_process_fd(l.pid);
}

/* Its last word may have been STOP, and MPI may need some looks to find it. */
static void leader_ended(struct rank *r, int64_t now)
{
	close(r->leader_fd);
	r->leader_fd = -1;
	r->leader_gone_ms = now + LAST_WORD_MS;
}

static int work_turn(struct rank *r, struct pollfd *fds, struct fault *f)
{
	bool hold_back = wire_pending(r->wire, 0) > HOLD_BACK_FRAMES;
	int64_t now = host_monotonic_ms(), timer = worker_next_timer_ms(r->worker);
	uint32_t n;

	fds[0] = (struct pollfd){.fd = r->signal_fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = r->leader_fd, .events = POLLIN};
	n = OWN_FDS + worker_fds(r->worker, fds + OWN_FDS, hold_back);
	timer = timer < r->leader_gone_ms ? timer : r->leader_gone_ms;
	timer = timer == INT64_MAX ? 60000 : timer > now ? timer - now : 0;
	if (wire_wait(r->wire, fds, n, timer, worker_busy(r->worker), f))
		return -1;
	while (fds[0].revents && host_signals_take(r->signal_fd))
		; /* the whole launch is signalled; rank 0 decides what follows */
	if (worker_step(r->worker, fds + OWN_FDS, n - OWN_FDS, host_monotonic_ms(), f) || take_frames(r, f))
		return -1;
	if (fds[1].revents)
		leader_ended(r, now);
	if (now >= r->leader_gone_ms && !worker_stopped(r->worker))
		return leader_died(r, f);
	return send_out(r, f);
}

int rank_work(struct rank *r, struct fault *f)
{
	int bad = send_out(r, f);

	while (!bad && !worker_stopped(r->worker)) {
		struct pollfd *fds = calloc(OWN_FDS + worker_fd_count(r->worker), sizeof *fds);

		if (!fds)
			return fault_set(f, FAULT_BUG, "out of memory");
		watch_leader(r);
		bad = work_turn(r, fds, f);
		free(fds);
	}
	return bad;
}

void rank_dismiss(struct rank *r)
{
	struct msg m = {.kind = MSG_STOP};
	struct bytes b = {0};
	struct fault f;

	if (!msg_encode(&b, &m))
		for (uint32_t to = 1; to < r->info.size; to++)
			wire_send(r->wire, to, b.data, b.len, &f);
	bytes_finish(&b);
}

void rank_close(struct rank *r, bool broken, int status)
{
	/* Rank 0 says its last word; what a worker that was told to stop has not sent yet, nobody reads. */
	int64_t send_ms = r->info.rank == 0 ? CLOSE_SEND_MS : 0;

	keeper_close(r->keeper, CLOSE_GRACE_MS);
	worker_close(r->worker);
	if (broken)
		wire_lose(r->wire, 0);
	wire_close(r->wire, send_ms, status);
}
