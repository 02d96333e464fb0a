/* Keepers and training programs. A program says its losses at its times and ends; what it says follows from
 * the unit it is for, so that rank 0 must come to the same numbers whatever happens on the way. */
#include "world.h"

#include "child.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CHILDREN = 256, SAY_BYTES = 512, UNITS = 4096, OUT = 0, ERR, METRIC, STREAMS };

struct program {
	bool used, alive;
	uint64_t serial;
	uint32_t rank, id, unit, attempt;
	double quality; /* follows from the unit */
	uint32_t step, steps;
	int64_t pause_ms, grace_ms;
	int exit_code, signal;
	bool saves, deaf, silent, by_pipe;
	uint32_t cpus, gpus;
	int64_t memory;
	struct {
		bool open; /* the reading end */
		char text[SAY_BYTES];
		size_t at, n;
	} pipes[STREAMS];
};

static struct program programs[MAX_CHILDREN];
static uint64_t serials;
static struct {
	uint32_t attempt;
	double value;
	bool any;
} said[UNITS];

/* ---- saying ------------------------------------------------------------------------------------------ */
static void say(struct program *p, int stream, const char *text)
{
	size_t n = strlen(text), room = SAY_BYTES - p->pipes[stream].n;

	if (!p->pipes[stream].open)
		return;
	if (p->pipes[stream].at == p->pipes[stream].n)
		p->pipes[stream].at = p->pipes[stream].n = 0, room = SAY_BYTES;
	if (n > room)
		abort();
	memcpy(p->pipes[stream].text + p->pipes[stream].n, text, n);
	p->pipes[stream].n += n;
}

static void say_loss(struct program *p)
{
	char text[96];
	double value = p->quality + 1.0 / p->step;

	if (p->quality > 1.95)
		value = (double)NAN;
	snprintf(text, sizeof text, p->by_pipe ? "loss=%.17g step=%u\n" : "@metric loss=%.17g step=%u\n",
	         value, p->step);
	if (p->silent)
		snprintf(text, sizeof text, "nothing to say in step %u\n", p->step);
	say(p, p->by_pipe && !p->silent ? METRIC : OUT, text);
	if (p->silent || p->unit >= UNITS)
		return;
	said[p->unit].attempt = p->attempt;
	said[p->unit].value = value;
	said[p->unit].any = true;
}

bool child_said(uint32_t unit, uint32_t attempt, double *value)
{
	if (unit >= UNITS || !said[unit].any || said[unit].attempt != attempt)
		return false;
	*value = said[unit].value;
	return true;
}

/* ---- the keeper --------------------------------------------------------------------------------------- */
static void keeper_hears(const struct program *p, struct child_event e, int64_t after_ms)
{
	struct sim_rank *x = &w.ranks[p->rank];
	int64_t at = w.now_ms + after_ms;

	if (x->dead || x->nevents == MAX_EVENTS)
		return;
	if (x->nevents && x->events_at[x->nevents - 1] > at)
		at = x->events_at[x->nevents - 1];
	e.id = p->id;
	e.pid = (pid_t)(10000 + p->serial);
	x->events_at[x->nevents] = at;
	x->events[x->nevents++] = e;
}

static void end(struct program *p)
{
	struct child_event e = {.kind = CHILD_EXITED,
	                        .exit_code = p->signal ? -1 : p->exit_code,
	                        .signal = p->signal,
	                        .user_seconds = 0.5,
	                        .max_rss_kb = 1024};

	if (!p->alive)
		return;
	p->alive = false;
	tell("rank %u: unit %u attempt %u ends: %s %d", p->rank, p->unit, p->attempt,
	     p->signal ? "signal" : "exit", p->signal ? p->signal : p->exit_code);
	keeper_hears(p, e, chance(700) ? 0 : between(0, 5));
}

static struct program *of_happening(const struct happening *h)
{
	struct program *p = &programs[h->child];

	return p->used && p->alive && p->serial == h->serial ? p : NULL;
}

static void at_child(const struct program *p, enum happening_kind kind, int64_t after_ms)
{
	struct happening *h = happen(w.now_ms + after_ms, kind, p->rank);

	h->child = (uint32_t)(p - programs);
	h->serial = p->serial;
}

void child_goes_on(struct happening *h)
{
	struct program *p = of_happening(h);

	if (!p)
		return;
	if (p->step == p->steps) {
		end(p);
		return;
	}
	p->step++;
	say_loss(p);
	at_child(p, A_CHILD, p->pause_ms);
}

void child_gets_term(struct happening *h)
{
	struct program *p = of_happening(h);

	if (!p || p->deaf)
		return;
	p->exit_code = p->saves ? 75 : 0;
	p->signal = p->saves ? 0 : SIGTERM;
	end(p);
}

void child_gets_kill(struct happening *h)
{
	struct program *p = of_happening(h);

	if (!p)
		return;
	p->signal = SIGKILL;
	end(p);
}

/* ---- child.h --------------------------------------------------------------------------------------------
 */
int keeper_start(struct keeper **out, struct fault *f)
{
	struct sim_rank *x = &w.ranks[w.current];

	(void)f;
	x->keeper.rank = w.current;
	*out = &x->keeper;
	return 0;
}

int keeper_fd(const struct keeper *k)
{
	return FD_KEEPER + (int)k->rank;
}

pid_t keeper_pid(const struct keeper *k)
{
	return (pid_t)(PID_KEEPER + k->rank);
}

void keeper_close(struct keeper *k, int64_t grace_ms)
{
	(void)grace_ms;
	if (!k)
		return;
	for (uint32_t i = 0; i < MAX_CHILDREN; i++)
		if (programs[i].used && programs[i].rank == k->rank && !is_dead(k->rank))
			programs[i].alive = false;
}

/* The keeper sees that its rank is gone: TERM, and KILL later. */
void children_of_rank_end(uint32_t rank)
{
	for (uint32_t i = 0; i < MAX_CHILDREN; i++)
		if (programs[i].used && programs[i].alive && programs[i].rank == rank) {
			at_child(&programs[i], A_TERM, between(0, 20));
			at_child(&programs[i], A_KILL, between(20, 3000));
		}
}

static const char *variable(const struct child_spec *s, const char *name)
{
	size_t n = strlen(name);

	for (const char *const *e = s->envp; *e; e++)
		if (!strncmp(*e, name, n) && (*e)[n] == '=')
			return *e + n + 1;
	return "";
}

/* What this unit's program is like, whoever runs it and whenever. */
static void be_yourself(struct program *p, uint64_t seed)
{
	uint64_t h = rng_mix(seed ^ 77);
	uint32_t luck = (uint32_t)(h % 1000);

	p->quality = (double)(rng_mix(h) % 20) / 10; /* ties; 1.9 and more: NaN below */
	if (rng_mix(h + 1) % 50 == 0)
		p->quality = 2;
	p->steps = 1 + (uint32_t)(rng_mix(h + 2) % 4);
	p->pause_ms = (int64_t)(rng_mix(h + 3) % 8 == 0 ? 0 : rng_mix(h + 4) % 700);
	if (w.set.slow)
		p->pause_ms = 60000 + (int64_t)(rng_mix(h + 4) % 300000);
	p->by_pipe = h >> 60 & 1;
	p->silent = luck < 15;
	p->exit_code = luck >= 20 && luck < 60 ? 1 + (int)(luck % 3) : 0;
}

/* How far it is to train, where its command says so. */
static void obey(struct program *p, const char *const *argv)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, "--budget") && argv[1])
			p->steps = (uint32_t)strtoul(argv[1], NULL, 10);
}

static void get_into_trouble(struct program *p)
{
	if (chance(40))
		p->signal = chance(500) ? SIGSEGV : SIGKILL;
	else if (chance(40))
		p->exit_code = 75;
	else if (chance(30))
		p->pause_ms = between(5000, 40000);
	p->steps = p->signal || p->exit_code == 75 ? (uint32_t)between(1, p->steps) : p->steps;
	p->saves = chance(300);
	p->deaf = chance(150);
}

static struct program *free_place(void)
{
	for (uint32_t i = 0; i < MAX_CHILDREN; i++) {
		struct program *p = &programs[i];

		if (p->used && !p->alive && !p->pipes[OUT].open && !p->pipes[ERR].open &&
		    !p->pipes[METRIC].open)
			p->used = false;
		if (!p->used)
			return p;
	}
	abort();
}

int child_start(struct keeper *k, const struct child_spec *s, struct child_pipes *pipes, struct fault *f)
{
	struct program *p = free_place();
	struct child_event e = {.kind = CHILD_STARTED};
	int fd = FD_CHILD + (int)(p - programs) * 4;

	if (is_dead(k->rank))
		return fault_set(f, FAULT_IO, "the keeper is gone");
	*p = (struct program){.used = true, .alive = true, .serial = ++serials, .rank = k->rank, .id = s->id};
	p->unit = (uint32_t)strtoul(variable(s, "RANKSWEEP_UNIT"), NULL, 10);
	p->attempt = (uint32_t)strtoul(variable(s, "RANKSWEEP_ATTEMPT"), NULL, 10);
	p->grace_ms = s->grace_ms;
	oracle_unit_limits(p->unit, &p->cpus, &p->gpus, &p->memory);
	be_yourself(p, strtoull(variable(s, "RANKSWEEP_SEED"), NULL, 10));
	obey(p, s->argv);
	if (w.set.trouble)
		get_into_trouble(p);
	for (int i = 0; i < STREAMS; i++)
		p->pipes[i].open = true;
	*pipes = (struct child_pipes){.out = fd, .err = fd + 1, .metric = fd + 2, .in = -1};
	tell("rank %u: unit %u attempt %u starts (lease %u)", k->rank, p->unit, p->attempt, p->id);
	bool late = w.now_ms >= w.ranks[k->rank].lease_ms;

	if (late || (w.set.trouble && chance(10))) {
		p->alive = false;
		e = (struct child_event){
		    .kind = CHILD_SPAWN_FAILED, .error = late ? ETIME : ENOENT, .stage = "exec"};
		keeper_hears(p, e, 0);
		return 0;
	}
	keeper_hears(p, e, 0);
	oracle_started(k->rank, p->unit, p->attempt);
	if (p->exit_code == 1)
		say(p, ERR, "it cannot be done\n");
	at_child(p, A_CHILD, p->pause_ms);
	return 0;
}

int child_stop(struct keeper *k, uint32_t id, int64_t grace_ms, struct fault *f)
{
	(void)f;
	for (uint32_t i = 0; i < MAX_CHILDREN; i++)
		if (programs[i].used && programs[i].alive && programs[i].rank == k->rank &&
		    programs[i].id == id) {
			tell("rank %u: TERM to unit %u", k->rank, programs[i].unit);
			at_child(&programs[i], A_TERM, between(0, 20));
			at_child(&programs[i], A_KILL, grace_ms + 20);
		}
	return 0;
}

int child_lease(struct keeper *k, int64_t until_ms, struct fault *f)
{
	struct sim_rank *x = &w.ranks[k->rank];

	(void)f;
	if (x->dead)
		return 0;
	x->lease_ms = x->lease_ms == INT64_MAX || until_ms > x->lease_ms ? until_ms : x->lease_ms;
	x->fenced = x->fenced && x->lease_ms <= w.now_ms;
	happen(x->lease_ms, A_FENCE, k->rank);
	return 0;
}

/* The keeper does it by itself, whatever its rank does. */
void keeper_fences(struct happening *h)
{
	struct sim_rank *x = &w.ranks[h->rank];
	struct program none = {.rank = h->rank};
	struct child_event e = {.kind = CHILD_FENCED};

	if (x->dead || !x->alive || x->fenced || w.now_ms < x->lease_ms)
		return;
	tell("rank %u: the lease of its programs ends", h->rank);
	x->fenced = true;
	for (uint32_t i = 0; i < MAX_CHILDREN; i++)
		if (programs[i].used && programs[i].alive && programs[i].rank == h->rank) {
			at_child(&programs[i], A_TERM, 0);
			at_child(&programs[i], A_KILL, programs[i].grace_ms);
		}
	keeper_hears(&none, e, 0);
}

/* All of the launch before have ended. */
enum child_sight child_look(int64_t pid, int64_t began_by_ms)
{
	(void)pid;
	(void)began_by_ms;
	return CHILD_GONE;
}

int keeper_next(struct keeper *k, struct child_event *e, struct fault *f)
{
	struct sim_rank *x = &w.ranks[k->rank];

	if (x->dead)
		return fault_set(f, FAULT_IO, "the keeper is gone");
	if (!x->nevents || x->events_at[0] > w.now_ms)
		return 0;
	*e = x->events[0];
	x->nevents--;
	memmove(x->events, x->events + 1, x->nevents * sizeof *x->events);
	memmove(x->events_at, x->events_at + 1, x->nevents * sizeof *x->events_at);
	return 1;
}

int keeper_next_companion(struct keeper *k, struct child_event *e)
{
	(void)k;
	(void)e;
	return 0;
}

/* ---- pipes ----------------------------------------------------------------------------------------------
 */
static struct program *of_fd(int fd, int *stream)
{
	*stream = (fd - FD_CHILD) % 4;
	return &programs[(fd - FD_CHILD) / 4];
}

short child_fd_ready(int fd)
{
	int stream;
	const struct program *p = of_fd(fd, &stream);

	if (p->pipes[stream].at < p->pipes[stream].n)
		return POLLIN;
	return p->alive ? 0 : POLLHUP;
}

ssize_t __real_read(int fd, void *buf, size_t n);
int __real_close(int fd);
ssize_t __wrap_read(int fd, void *buf, size_t n);
int __wrap_close(int fd);

ssize_t __wrap_read(int fd, void *buf, size_t n)
{
	struct program *p;
	int stream;
	size_t have;

	if (fd < FD_CHILD)
		return __real_read(fd, buf, n);
	p = of_fd(fd, &stream);
	have = p->pipes[stream].n - p->pipes[stream].at;
	if (!have && p->alive) {
		errno = EAGAIN;
		return -1;
	}
	have = have < n ? have : n;
	memcpy(buf, p->pipes[stream].text + p->pipes[stream].at, have);
	p->pipes[stream].at += have;
	return (ssize_t)have;
}

int __wrap_close(int fd)
{
	int stream;

	if (fd < FD_SIGNALS)
		return inbox_is_watched_by(fd) ? 0 : __real_close(fd);
	if (fd < FD_CHILD)
		return 0;
	of_fd(fd, &stream)->pipes[stream].open = false;
	return 0;
}

/* ---- for others ------------------------------------------------------------------------------------------
 */
uint32_t children_busy(uint32_t rank, uint32_t *cpus, uint32_t *gpus, int64_t *memory)
{
	uint32_t n = 0;

	*cpus = *gpus = 0;
	*memory = 0;
	for (uint32_t i = 0; i < MAX_CHILDREN; i++)
		if (programs[i].used && programs[i].alive && programs[i].rank == rank) {
			*cpus += programs[i].cpus;
			*gpus += programs[i].gpus;
			*memory += programs[i].memory;
			n++;
		}
	return n;
}

uint32_t children_of_unit(uint32_t unit)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MAX_CHILDREN; i++)
		n += programs[i].used && programs[i].alive && programs[i].unit == unit;
	return n;
}

/* The next launch comes when all of them are gone. */
void children_reset(void)
{
	for (uint32_t i = 0; i < MAX_CHILDREN; i++)
		programs[i].used = false;
}

void children_forget(void)
{
	memset(said, 0, sizeof said);
	serials = 0;
}
