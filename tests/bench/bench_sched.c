/* bench_sched: the pure scheduler alone. A million units in two phases (half the trials come after the other
 * half) over 10,000 virtual workers of one cpu each, one unit held ahead on each; then a replay of all of it.
 * A step is one event: a proposal, a start, an end. */
#include "gen.h"
#include "sched.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct flight {
	uint32_t worker, unit, lease;
};

struct bench {
	struct arena arena, scratch;
	const struct study *study;
	struct sched *sched;
	uint64_t steps, records;
	int64_t now_ms;
	struct flight *ring; /* attempts in flight, oldest first */
	uint32_t head, count, cap;
	struct want {
		uint32_t group, n;
	} * wants; /* in the order they came */
	uint32_t first_want, nwants, cap_wants;
	int code;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void push(struct bench *b, const struct action *a)
{
	if (b->count == b->cap) {
		fprintf(stderr, "bench_sched: more attempts in flight than slots\n");
		exit(1);
	}
	b->ring[(b->head + b->count++) % b->cap] = (struct flight){a->worker, a->unit, a->lease};
}

static void step(struct bench *b, struct event *e)
{
	struct actions out = {.scratch = &b->scratch};

	e->now_ms = b->now_ms;
	sched_step(b->sched, e, &out);
	b->steps++;
	for (uint32_t i = 0; i < out.count; i++) {
		const struct action *a = &out.items[i];

		b->records += a->kind == ACTION_RECORD;
		if (a->kind == ACTION_WANT && b->nwants < b->cap_wants)
			b->wants[b->nwants++] = (struct want){a->group, a->n};
		else if (a->kind == ACTION_ASSIGN)
			push(b, a);
		else if (a->kind == ACTION_FINISH)
			b->code = (int)a->code;
	}
	arena_reset(&b->scratch);
}

static void propose_all(struct bench *b)
{
	while (b->first_want < b->nwants) {
		const struct want want = b->wants[b->first_want++];

		for (uint32_t i = 0; i < want.n; i++) {
			struct value v = {.kind = VALUE_REAL, .u.r = (double)i};
			struct event e = {.kind = EVENT_PROPOSED, .group = want.group, .values = &v};

			step(b, &e);
		}
	}
}

static void run_all(struct bench *b)
{
	while (b->count) {
		const struct flight f = b->ring[b->head];
		struct event e = {
		    .kind = EVENT_STARTED, .worker = f.worker, .unit = f.unit, .lease = f.lease};

		b->head = (b->head + 1) % b->cap;
		b->count--;
		b->now_ms++;
		step(b, &e);
		e.kind = EVENT_FINISHED;
		e.result.has_value = true;
		e.result.last = e.result.best = 1.0 / f.unit;
		e.result.best_step = 1;
		step(b, &e);
	}
}

static double replay(struct bench *b, struct arena *a)
{
	struct sched_options o = {.prefetch_per_slot = 1};
	struct sched *s;
	struct actions out = {.scratch = &b->scratch};
	double start = seconds();

	s = sched_new(a, b->study, &o);
	for (uint32_t t = 1; t <= sched_trial_count(b->sched); t++) {
		struct trial_view v;
		struct record r = {.kind = RECORD_TRIAL, .trial = t};

		sched_trial(b->sched, t, &v);
		r.phase = v.phase;
		r.outer = v.outer;
		r.k = v.k;
		r.key = v.key;
		r.parents = v.parents;
		r.nparents = v.nparents;
		r.values = v.values;
		if (sched_apply(s, &r, NULL))
			exit(1);
	}
	for (uint32_t u = 1; u <= sched_unit_count(b->sched); u++) {
		struct unit_view v;
		struct record r = {.kind = RECORD_UNIT, .unit = u};

		sched_unit(b->sched, u, &v);
		r.fact = v.fact;
		if (sched_apply(s, &r, NULL))
			exit(1);
	}
	sched_resume(s, 0, &out);
	sched_step(s, &(struct event){.kind = EVENT_TICK}, &out);
	if (out.count != 1 || out.items[0].kind != ACTION_FINISH)
		exit(1);
	return seconds() - start;
}

int main(int argc, char **argv)
{
	uint32_t units = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000, workers = 10000;
	struct sched_options o = {.prefetch_per_slot = 1};
	struct bench b = {.code = -1};
	struct arena second = {0};
	struct gen *g = gen_new(&b.arena);
	double t0, t1, t2, values = 16.0;
	size_t before;

	gen_phase(g, "a");
	gen_random(g, units / 2);
	gen_phase(g, "b");
	gen_after(g, "a");
	gen_random(g, 1);
	b.study = gen_seal(g);
	b.cap = 3 * workers;
	b.ring = arena_array(&b.arena, b.cap, sizeof *b.ring);
	b.cap_wants = units + 1000;
	b.wants = arena_array(&b.arena, b.cap_wants, sizeof *b.wants);
	before = b.arena.used_bytes;
	b.sched = sched_new(&b.arena, b.study, &o);
	t0 = seconds();
	step(&b, &(struct event){.kind = EVENT_TICK});
	propose_all(&b);
	t1 = seconds();
	printf("plan    %u units in %.2f s, %.0f bytes a unit beside its values\n", sched_unit_count(b.sched),
	       t1 - t0, (double)(b.arena.used_bytes - before) / sched_unit_count(b.sched) - values);
	b.steps = 0;
	t1 = seconds();
	for (uint32_t i = 0; i < workers; i++)
		step(&b, &(struct event){.kind = EVENT_WORKER_UP, .worker = i, .cpus = 1});
	run_all(&b);
	t2 = seconds();
	printf("run     %llu steps over %u workers in %.2f s: %.0f steps/s, %llu records; finish code %d\n",
	       (unsigned long long)b.steps, workers, t2 - t1, (double)b.steps / (t2 - t1),
	       (unsigned long long)b.records, b.code);
	printf("memory  %.0f bytes a unit beside its values, all included\n",
	       (double)(b.arena.used_bytes - before) / sched_unit_count(b.sched) - values);
	printf("replay  %.2f s\n", replay(&b, &second));
	arena_finish(&second);
	arena_finish(&b.arena);
	arena_finish(&b.scratch);
	return b.code;
}
