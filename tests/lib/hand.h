/* hand: the scheduler by hand, for unit tests: a small study, one event after the other, and what it said. */
#ifndef HAND_H
#define HAND_H

#include "gen.h"
#include "sched.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct run {
	struct arena arena, scratch;
	struct gen *gen;
	const struct study *study;
	struct sched *sched;
	int64_t now_ms;
	struct action log[4096];     /* everything but records and wants, in order */
	struct record records[8192]; /* as they came */
	struct record kept[8192];    /* as a store has them now */
	struct action wants[1024];
	uint32_t nlog, nrecords, nwants, seen, answered;
	bool answering;
	bool finished;
	enum fault_code code;
	char text[1024];
};

static inline struct run *run_new(void)
{
	struct run *r = calloc(1, sizeof *r);

	r->gen = gen_new(&r->arena);
	return r;
}

/* A phase 'a' with so many trials and this rule of `prune`, whose options are the caller's. */
static inline struct prune *rule(struct run *r, uint32_t trials, enum prune_rule x)
{
	struct prune *p;

	gen_phase(r->gen, "a");
	gen_grid(r->gen, trials);
	p = gen_prune(r->gen);
	p->rules = x;
	return p;
}

static inline void send(struct run *r, const struct event *e);

static inline void answer(struct run *r, uint32_t group, uint32_t n)
{
	while (n-- > 0) {
		struct value v = {0};
		struct event e = {.kind = EVENT_PROPOSED, .group = group, .values = &v};

		if (!gen_propose(r->sched, r->study, group, &r->scratch, &v, &e.parent))
			e = (struct event){.kind = EVENT_EXHAUSTED, .group = group};
		send(r, &e);
		if (e.kind == EVENT_EXHAUSTED)
			return;
	}
}

/* First come, first answered, as the leader does. */
static inline void answer_all(struct run *r)
{
	if (r->answering)
		return;
	r->answering = true;
	for (; r->answered < r->nwants; r->answered++)
		answer(r, r->wants[r->answered].group, r->wants[r->answered].n);
	r->answering = false;
}

/* ---- what a store would keep: facts that became void are taken back there, too ---- */
static inline const uint32_t *kept_list(struct run *r, const uint32_t *list, uint32_t n)
{
	return n ? arena_grow(&r->arena, list, n * sizeof *list, n * sizeof *list) : NULL;
}

static inline void keep_gone(struct run *r, struct record *old, const struct record *gone)
{
	uint32_t n = 0, *left = arena_array(&r->arena, old->ncandidates + 1, sizeof *left);

	if (old->kind == RECORD_TRIAL && old->trial == gone->trial)
		old->gone = gone->gone;
	if ((old->kind == RECORD_UNIT || old->kind == RECORD_METRIC || old->kind == RECORD_RUNG ||
	     old->kind == RECORD_OBJECTIVE) &&
	    old->trial == gone->trial)
		old->kind = RECORD_ARCHIVE;
	for (uint32_t i = 0; i < old->ncandidates; i++)
		if (old->candidates[i] != gone->trial)
			left[n++] = old->candidates[i];
	old->candidates = left;
	old->ncandidates = n;
}

static inline void keep_change(struct run *r, struct record *old, const struct record *x)
{
	if (x->kind == RECORD_GONE)
		keep_gone(r, old, x);
	if (x->kind == RECORD_ARCHIVE && ((old->kind == RECORD_METRIC && old->unit == x->unit) ||
	                                  (old->kind == RECORD_RUNG && old->trial == x->trial)))
		old->kind = RECORD_ARCHIVE;
	if (x->kind == RECORD_UNPICK && old->kind == RECORD_PICK && old->phase == x->phase &&
	    old->outer == x->outer && old->child_phase == x->child_phase && !old->for_trial)
		old->kind = RECORD_ARCHIVE;
	if (x->kind == RECORD_PARENTS && old->kind == RECORD_TRIAL && old->trial == x->trial) {
		old->parents = kept_list(r, x->parents, x->nparents);
		old->nparents = x->nparents;
		old->candidates = kept_list(r, x->candidates, x->ncandidates);
		old->ncandidates = x->ncandidates;
		old->best_n = x->best_n;
	}
}

static inline void keep_record(struct run *r, const struct record *x)
{
	struct record *copy = &r->kept[r->nrecords];

	assert_true(r->nrecords < 8192);
	for (uint32_t i = 0; i < r->nrecords; i++)
		keep_change(r, &r->kept[i], x);
	*copy = *x;
	copy->parents = kept_list(r, x->parents, x->nparents);
	copy->candidates = kept_list(r, x->candidates, x->ncandidates);
	r->records[r->nrecords++] = *copy;
}

static inline void take(struct run *r, const struct actions *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct action *a = &out->items[i];

		if (a->kind == ACTION_RECORD) {
			keep_record(r, &a->record);
			continue;
		}
		if (a->kind == ACTION_FINISH) {
			assert_false(r->finished);
			r->finished = true;
			r->code = a->code;
			strncpy(r->text, a->text, sizeof r->text - 1);
		}
		if (a->kind == ACTION_WANT)
			r->wants[r->nwants++] = *a;
		else
			r->log[r->nlog++] = *a;
	}
	answer_all(r);
}

static inline void audit(struct run *r)
{
	const char *wrong = sched_audit(r->sched, &r->scratch);

	if (wrong)
		fail_msg("%s", wrong);
}

static inline void send(struct run *r, const struct event *e)
{
	struct arena mine = {0};
	struct actions out = {.scratch = &mine};
	struct event copy = *e;

	copy.now_ms = r->now_ms;
	sched_step(r->sched, &copy, &out);
	audit(r);
	take(r, &out);
	arena_finish(&mine);
}

static inline void tick(struct run *r, int64_t ms)
{
	r->now_ms += ms;
	send(r, &(struct event){.kind = EVENT_TICK});
}

static inline void start_with(struct run *r, const struct sched_options *o)
{
	r->study = gen_seal(r->gen);
	r->sched = sched_new(&r->arena, r->study, o);
	tick(r, 0);
}

static inline void start(struct run *r, uint32_t prefetch)
{
	start_with(r, &(struct sched_options){.prefetch_per_slot = prefetch});
}

static inline void up(struct run *r, uint32_t worker, uint32_t cpus)
{
	send(r, &(struct event){.kind = EVENT_WORKER_UP, .worker = worker, .cpus = cpus});
}

static inline struct event about(struct run *r, enum event_kind kind, uint32_t unit)
{
	struct unit_view v;

	sched_unit(r->sched, unit, &v);
	assert_true(v.live);
	return (struct event){.kind = kind, .unit = unit, .worker = v.worker, .lease = v.lease};
}

static inline void done(struct run *r, uint32_t unit, double value)
{
	struct event e = about(r, EVENT_FINISHED, unit);

	e.result.has_value = true;
	e.result.last = e.result.best = value;
	e.result.best_step = NAN;
	send(r, &e);
}

static inline void failed(struct run *r, uint32_t unit, enum reason reason, int exit_code)
{
	struct event e = about(r, EVENT_FINISHED, unit);

	e.result.reason = reason;
	e.result.exit_code = exit_code;
	send(r, &e);
}

/* A user's request about one unit. */
static inline void request(struct run *r, enum request_kind kind, uint32_t unit)
{
	struct sched_request ask = {.kind = kind, .units = &unit, .n = 1};

	send(r, &(struct event){.kind = EVENT_REQUEST, .request = &ask});
}

static inline struct unit_fact fact(struct run *r, uint32_t unit)
{
	struct unit_view v;

	sched_unit(r->sched, unit, &v);
	return v.fact;
}

static inline enum unit_state state_of(struct run *r, uint32_t unit)
{
	return fact(r, unit).state;
}

#define assert_state(r, unit, s) assert_string_equal(unit_state_text(state_of(r, unit)), s)

/* The units given out since the last call, in order, as "1@0 2@1" (unit@worker). */
static inline const char *assigned(struct run *r)
{
	static char text[4096];
	size_t len = 0;

	text[0] = 0;
	for (; r->seen < r->nlog; r->seen++)
		if (r->log[r->seen].kind == ACTION_ASSIGN)
			len += (size_t)snprintf(text + len, sizeof text - len, "%s%u@%u", len ? " " : "",
			                        r->log[r->seen].unit, r->log[r->seen].worker);
	return text;
}

static inline uint32_t count_actions(struct run *r, enum action_kind kind)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->nlog; i++)
		n += r->log[i].kind == kind;
	return n;
}

static inline void run_finish(struct run *r)
{
	arena_finish(&r->arena);
	arena_finish(&r->scratch);
	free(r);
}

/* A second scheduler that was told the records must be in the same state. */
static inline struct sched *replayed(struct run *r)
{
	struct sched_options o = {.prefetch_per_slot = 1};
	struct sched *s = sched_new(&r->arena, r->study, &o);
	const enum record_kind order[] = {RECORD_TRIAL,     RECORD_PICK, RECORD_UNIT,
	                                  RECORD_OBJECTIVE, RECORD_RUNG, RECORD_METRIC};
	struct fault f = {0};

	for (size_t k = 0; k < sizeof order / sizeof *order; k++)
		for (uint32_t i = 0; i < r->nrecords; i++)
			if (r->kept[i].kind == order[k] && sched_apply(s, &r->kept[i], &f))
				fail_msg("%s", f.text);
	assert_string_equal(sched_dump(s, &r->scratch), sched_dump(r->sched, &r->scratch));
	return s;
}

/* The run dies here, and another one goes on from the records. */
static inline void run_again(struct run *r)
{
	struct actions out = {.scratch = &r->scratch};

	r->sched = replayed(r);
	sched_resume(r->sched, 0, &out);
	take(r, &out);
	audit(r);
}

#endif
