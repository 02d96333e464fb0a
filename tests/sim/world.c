#include "world.h"

#include "host.h"
#include "study.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, size)  ((void)(save), (void)(bottom), (void)(size))
#define __sanitizer_finish_switch_fiber(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#endif

enum { STACK_BYTES = 1024 * 1024, MAX_TURNS = 300000, HOUR_MS = 3600000 };
/* A quarter of it is enough for the grace of all programs, and what follows. */
enum { ENOUGH_MS = 20000 };

struct world w;

/* ---- chance, words ------------------------------------------------------------------------------------ */
bool chance(uint32_t permille)
{
	return rng_below(&w.rng, 1000) < permille;
}

int64_t between(int64_t from, int64_t to)
{
	return from + (int64_t)rng_below(&w.rng, (uint64_t)(to - from) + 1);
}

static void put_line(const char *fmt, va_list ap)
{
	char text[1600];
	int n = snprintf(text, 64, "%10lld ", (long long)w.now_ms);

	vsnprintf(text + n, sizeof text - (size_t)n - 1, fmt, ap);
	strcat(text, "\n");
	bytes_put(&w.trace, text, strlen(text));
}

void tell(const char *fmt, ...)
{
	va_list ap;

	if (!w.tracing)
		return;
	va_start(ap, fmt);
	put_line(fmt, ap);
	va_end(ap);
}

void wrong(const char *fmt, ...)
{
	va_list ap;

	if (w.wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(w.wrong, sizeof w.wrong, fmt, ap);
	va_end(ap);
	tell("WRONG: %s", w.wrong);
}

/* ---- what happens ------------------------------------------------------------------------------------- */
struct happening *happen(int64_t at_ms, enum happening_kind kind, uint32_t rank)
{
	struct happening *h;

	if (w.nlist == w.cap_list) {
		w.cap_list = w.cap_list ? 2 * w.cap_list : 64;
		w.list = realloc(w.list, w.cap_list * sizeof *w.list);
		if (!w.list)
			abort();
	}
	h = &w.list[w.nlist++];
	*h = (struct happening){.at_ms = at_ms, .order = w.order++, .kind = kind, .rank = rank};
	return h;
}

static bool comes_before(const struct happening *a, const struct happening *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static const struct happening *next_happening(void)
{
	const struct happening *best = NULL;

	for (uint32_t i = 0; i < w.nlist; i++)
		if (!best || comes_before(&w.list[i], best))
			best = &w.list[i];
	return best;
}

static struct happening take_happening(const struct happening *h)
{
	struct happening x = *h;

	w.list[h - w.list] = w.list[--w.nlist];
	return x;
}

static void forget_happenings(void)
{
	for (uint32_t i = 0; i < w.nlist; i++)
		free(w.list[i].frame);
	w.nlist = 0;
}

/* ---- dying ------------------------------------------------------------------------------------------- */
bool is_dead(uint32_t rank)
{
	return w.ranks[rank].dead;
}

/* Without rank 0 there is nothing to do: the others are ended by mpirun, or see for themselves. */
static void launch_ends(void)
{
	if (w.ending)
		return;
	w.ending = true;
	for (uint32_t r = 0; r < w.nranks; r++)
		if (!w.ranks[r].dead)
			happen(w.now_ms + between(0, 1500), A_DEATH, r);
}

void rank_dies(uint32_t rank)
{
	if (w.ranks[rank].dead)
		return;
	tell("rank %u dies", rank);
	w.ranks[rank].dead = w.troubled = true;
	w.count.deaths += !w.ending;
	children_of_rank_end(rank);
	if (rank == 0)
		launch_ends();
}

bool crash_point(void)
{
	if (w.current != 0 || w.crash_after < 0 || w.leader_done)
		return w.current != NOBODY && w.ranks[w.current].dead;
	if (w.crash_after-- == 0)
		rank_dies(0);
	return w.ranks[0].dead;
}

/* ---- fibers ------------------------------------------------------------------------------------------ */
static const void *main_bottom; /* of the stack we came from */
static size_t main_bytes;

static void switch_to_main(bool for_ever)
{
	struct sim_rank *x = &w.ranks[w.current];
	void *fake = NULL;

	__sanitizer_start_switch_fiber(for_ever ? NULL : &fake, main_bottom, main_bytes);
	swapcontext(&x->context, &w.main);
	__sanitizer_finish_switch_fiber(fake, &main_bottom, &main_bytes);
}

void fiber_wait(uint32_t rank, struct pollfd *fds, nfds_t n, int64_t timeout_ms)
{
	struct sim_rank *x = &w.ranks[rank];

	x->fds = fds;
	x->nfds = n;
	x->wake_ms = timeout_ms < 0 ? INT64_MAX : w.now_ms + timeout_ms;
	x->waiting = true;
	switch_to_main(false);
	x->waiting = false;
}

static void lead(struct sim_rank *x)
{
	struct fault f = {0};
	struct arena arena = {0};
	struct leader *leader = NULL;
	struct study_errors errors;
	struct leader_config c = {.text = w.set.text,
	                          .text_bytes = w.set.text_bytes,
	                          .db_path = w.db_path,
	                          .out_dir = w.out_dir,
	                          .env_file = "",
	                          .time_limit_ms = w.time_limit_ms,
	                          .lost_after_ms = LOST_AFTER_MS,
	                          .job_end_ms = w.job_end_ms,
	                          .wire = x->r.wire,
	                          .info = x->r.info,
	                          .keeper = x->r.keeper,
	                          .own = x->r.worker,
	                          .signal_fd = x->r.signal_fd};
	int bad = study_parse(&arena, "s.yaml", w.set.text, w.set.text_bytes, &c.study, &errors);

	if (bad) {
		wrong("the study is refused: %s", errors.items[0].text);
	} else {
		bad = leader_open(&c, &leader, &f) || leader_run(leader, &w.verdict, &f);
		if (bad && !x->dead)
			wrong("rank 0 fails: %s", f.text);
		if (!x->dead && !bad) {
			w.leader_done = true;
			oracle_end();
		}
	}
	if (bad)
		rank_dismiss(&x->r);
	leader_close(leader);
	arena_finish(&arena);
}

static void rank_main(void)
{
	uint32_t me = w.current;
	struct sim_rank *x = &w.ranks[me];
	struct fault f = {0};
	bool broken = false;

	__sanitizer_finish_switch_fiber(NULL, &main_bottom, &main_bytes);
	if (rank_open(&x->r, &f)) {
		if (!x->dead)
			wrong("rank %u cannot begin: %s", me, f.text);
	} else if (me == 0) {
		lead(x);
	} else if (rank_work(&x->r, &f) && !x->dead) {
		broken = true;
		tell("rank %u ends: %s", me, f.text);
		if (!w.ending && !w.leader_done && !w.troubled && w.ranks[0].alive)
			wrong("rank %u fails: %s", me, f.text);
	}
	rank_close(&x->r, broken, 0);
	tell("rank %u is over", me);
	x->alive = false;
	switch_to_main(true);
}

static void run_fiber(uint32_t rank)
{
	struct sim_rank *x = &w.ranks[rank];
	void *fake = NULL;

	if (++w.turns > MAX_TURNS && !w.set.slow)
		wrong("it does not come to an end");
	if (w.set.each_hour && w.now_ms >= w.hour_ms) {
		w.hour_ms = w.now_ms + HOUR_MS;
		w.set.each_hour();
	}
	w.current = rank;
	__sanitizer_start_switch_fiber(&fake, x->stack, STACK_BYTES);
	swapcontext(&w.main, &x->context);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
	w.current = NOBODY;
}

static void begin_fiber(uint32_t rank)
{
	struct sim_rank *x = &w.ranks[rank];

	if (!x->stack) {
		x->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (x->stack == MAP_FAILED)
			abort();
	}
	getcontext(&x->context);
	x->context.uc_stack.ss_sp = x->stack;
	x->context.uc_stack.ss_size = STACK_BYTES;
	x->context.uc_link = NULL;
	makecontext(&x->context, rank_main, 0);
	x->alive = true;
	x->waiting = false;
}

bool process_ended(uint32_t pid)
{
	uint32_t rank = pid % 1000, cpus, gpus;
	const struct sim_rank *x = &w.ranks[rank];
	int64_t memory;

	if (rank >= w.nranks)
		return true;
	return (x->dead || !x->alive) && (pid < PID_KEEPER || !children_busy(rank, &cpus, &gpus, &memory));
}

static short fd_ready(int fd)
{
	if (fd >= FD_PROCESS && fd < FD_CHILD)
		return process_ended((uint32_t)(fd - FD_PROCESS)) ? POLLIN : 0;
	if (fd >= FD_CHILD)
		return child_fd_ready(fd);
	if (fd >= FD_SIGNALS)
		return host_fd_ready(fd);
	return fd >= 0 && inbox_has_some() ? POLLIN : 0; /* the kernel's: the inbox has the only one */
}

static bool any_fd_ready(struct sim_rank *x)
{
	bool any = false;

	for (nfds_t i = 0; i < x->nfds; i++) {
		x->fds[i].revents = fd_ready(x->fds[i].fd);
		any = any || x->fds[i].revents;
	}
	return any;
}

static bool can_run(uint32_t rank)
{
	struct sim_rank *x = &w.ranks[rank];

	if (!x->alive || (!x->dead && w.now_ms < x->frozen_ms))
		return false;
	return !x->waiting || x->dead || any_fd_ready(x) || x->in || w.now_ms >= x->wake_ms;
}

static int64_t next_wake(void)
{
	int64_t t = INT64_MAX;

	for (uint32_t r = 0; r < w.nranks; r++) {
		const struct sim_rank *x = &w.ranks[r];
		int64_t at = x->wake_ms > x->frozen_ms ? x->wake_ms : x->frozen_ms;

		if (x->alive && x->frozen_ms > w.now_ms)
			at = x->frozen_ms;
		for (uint32_t i = 0; i < x->nevents; i++)
			at = x->events_at[i] > w.now_ms && x->events_at[i] < at ? x->events_at[i] : at;
		if (x->alive && at < t)
			t = at;
	}
	return t;
}

/* ---- troubles ----------------------------------------------------------------------------------------- */
static void get_signal(uint32_t rank, int sig)
{
	struct sim_rank *x = &w.ranks[rank];

	if (x->nsignals < MAX_SIGNALS)
		x->signals[x->nsignals++] = sig;
}

/* Who knows when it comes, and has the time to, is gone by then. */
static void job_ends(void)
{
	tell("the job ends");
	for (uint32_t r = 0; r < w.nranks; r++) {
		if (w.ranks[r].alive && !w.troubled && !w.clock_jumped && w.job_ms >= ENOUGH_MS)
			wrong("the job ends, and rank %u does not", r);
		if (w.ranks[r].alive)
			rank_dies(r);
	}
}

static void befall(struct happening *h)
{
	switch (h->kind) {
	case A_FRAME:
		wire_arrive(h);
		return;
	case A_CHILD:
		child_goes_on(h);
		return;
	case A_TERM:
		child_gets_term(h);
		return;
	case A_KILL:
		child_gets_kill(h);
		return;
	case A_REQUEST:
		user_asks(h->number != 0);
		return;
	case A_SIGNAL:
		tell("signal %d to all ranks", h->number);
		w.stop_asked = true;
		for (uint32_t r = 0; r < w.nranks; r++)
			get_signal(r, h->number);
		return;
	case A_DEATH:
		if (w.ranks[h->rank].alive)
			rank_dies(h->rank);
		return;
	case A_FREEZE:
		tell("rank %u gets no cpu for %d ms", h->rank, h->number);
		w.troubled = true;
		w.ranks[h->rank].frozen_ms = w.now_ms + h->number;
		return;
	case A_CUT:
		tell("rank %u is cut off for %d ms", h->rank, h->number);
		w.troubled = true;
		if (w.now_ms + h->number > w.ranks[h->rank].cut_ms)
			w.ranks[h->rank].cut_ms = w.now_ms + h->number;
		return;
	case A_FENCE:
		keeper_fences(h);
		return;
	case A_JOB_END:
		job_ends();
		return;
	case A_CLOCK:
		tell("the clocks jump by %d s", h->number);
		w.epoch_off += 1000 * (int64_t)h->number;
		w.clock_jumped = true;
		return;
	}
}

static int any_signal(void)
{
	return chance(400) ? SIGUSR2 : SIGTERM;
}

static void plan_job_end(void)
{
	w.job_ms = chance(500) ? between(1000, ENOUGH_MS) : between(ENOUGH_MS, 2 * ENOUGH_MS);
	w.job_end_ms = host_epoch_ms() + w.job_ms;
	happen(w.now_ms + w.job_ms, A_JOB_END, 0);
	if (chance(400))
		happen(w.now_ms + between(0, w.job_ms), A_SIGNAL, 0)->number = SIGUSR2;
}

static void plan_deaths(void)
{
	w.crash_after = chance(350) ? between(0, chance(500) ? 30 : 500) : -1;
	if (chance(120))
		happen(w.now_ms + between(0, 15000), A_DEATH, (uint32_t)between(0, w.nranks - 1));
	if (chance(120)) {
		int64_t at = w.now_ms + between(0, 10000);

		happen(at, A_SIGNAL, 0)->number = any_signal();
		if (chance(300))
			happen(at + between(0, 4000), A_SIGNAL, 0)->number = any_signal();
	}
	if (chance(60))
		w.time_limit_ms = between(1000, 20000);
	if (chance(200))
		plan_job_end();
}

static void plan_troubles(void)
{
	if (w.launch < LAUNCHES_IN_TROUBLE)
		plan_deaths();
	for (int i = 0; i < 3; i++)
		if (chance(120))
			happen(w.now_ms + between(0, 10000), A_FREEZE, (uint32_t)between(0, w.nranks - 1))
			    ->number = (int)between(1, chance(300) ? 90000 : 2000);
	for (int i = 0; i < 2 && w.nranks > 1; i++)
		if (chance(250))
			happen(w.now_ms + between(0, 6000), A_CUT, (uint32_t)between(1, w.nranks - 1))
			    ->number = (int)between(1, chance(500) ? 120000 : 10000);
	if (chance(150))
		happen(w.now_ms + between(0, 10000), A_CLOCK, 0)->number = (int)between(-100000, 100000);
}

static void plan_users(void)
{
	uint32_t now = w.set.requests ? (uint32_t)between(1, w.set.requests) : 0;

	w.set.requests -= now;
	while (now--)
		happen(w.now_ms + between(0, 12000), A_REQUEST, 0);
}

/* ---- a launch ------------------------------------------------------------------------------------------ */
static bool run_one(void)
{
	uint32_t can[MAX_RANKS], n = 0;
	const struct happening *h = next_happening();

	for (uint32_t r = 0; r < w.nranks; r++)
		if (can_run(r))
			can[n++] = r;
	if (n && !(h && h->at_ms <= w.now_ms && chance(500))) {
		run_fiber(can[n == 1 ? 0 : (uint32_t)between(0, n - 1)]);
		return true;
	}
	if (h && (h->at_ms <= w.now_ms || h->at_ms <= next_wake())) {
		struct happening x = take_happening(h);

		w.now_ms = x.at_ms > w.now_ms ? x.at_ms : w.now_ms;
		befall(&x);
		return true;
	}
	return false;
}

static bool anybody_alive(void)
{
	for (uint32_t r = 0; r < w.nranks; r++)
		if (w.ranks[r].alive)
			return true;
	return false;
}

static void run_launch(void)
{
	while (anybody_alive()) {
		int64_t t;

		if (w.wrong[0])
			for (uint32_t r = 0; r < w.nranks; r++)
				w.ranks[r].dead = true;
		if (run_one())
			continue;
		t = next_wake();
		if (t == INT64_MAX) {
			wrong("the run is stuck: everybody waits, and nothing will happen");
			continue;
		}
		w.now_ms = t;
		oracle_idle();
	}
}

static void place_ranks(uint32_t nranks, const uint32_t *node_of)
{
	for (uint32_t r = 0; r < nranks; r++) {
		struct wire_info in = {.rank = r, .size = nranks, .single = nranks == 1};

		for (uint32_t k = 0; k < nranks; k++) {
			in.node_size += node_of[k] == node_of[r];
			in.node_rank += node_of[k] == node_of[r] && k < r;
		}
		w.ranks[r].node = node_of[r];
		w.ranks[r].lease_ms = INT64_MAX;
		in.node_has_leader = node_of[r] == node_of[0];
		w.ranks[r].info = in;
	}
}

void world_launch(uint32_t nranks, const uint32_t *node_of)
{
	w.launch++;
	w.count.launches++;
	w.launch_starts = 0;
	w.nranks = nranks;
	w.ending = w.troubled = w.leader_done = w.stop_asked = w.stop_known = w.clock_jumped = false;
	w.crash_after = -1;
	w.time_limit_ms = w.job_ms = w.job_end_ms = 0;
	w.verdict = (struct fault){0};
	tell("launch %u: %u ranks", w.launch, nranks);
	for (uint32_t r = 0; r < nranks; r++) {
		void *stack = w.ranks[r].stack;

		memset(&w.ranks[r], 0, sizeof w.ranks[r]);
		w.ranks[r].stack = stack;
		w.ranks[r].in_end = &w.ranks[r].in;
	}
	place_ranks(nranks, node_of);
	oracle_launch();
	if (w.set.trouble)
		plan_troubles();
	plan_users();
	w.stop_asked = w.time_limit_ms > 0 || w.job_ms > 0;
	for (uint32_t r = 0; r < nranks; r++)
		begin_fiber(r);
	run_launch();
	wire_reset();
	forget_happenings();
	children_reset();
}
