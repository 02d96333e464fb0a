#include "sim.h"

#include "gen.h"
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_WORKERS = 6, MAX_JOBS = 64, MAX_LAUNCHES = 30, MAX_STEPS = 400000, STALE_KEPT = 64 };

enum { SIM_STEPS = 6 }; /* that a job reports in a phase that prunes */

enum message_kind { TO_LEADER, TO_WORKER, JOB_SAYS, JOB_ENDS, ANSWER_WANT, DEATH };

struct message {
	int64_t at_ms;
	uint64_t order;
	enum message_kind kind;
	uint32_t worker, life;
	struct event event;   /* TO_LEADER */
	struct action action; /* TO_WORKER, ANSWER_WANT */
};

struct job {
	uint32_t unit, lease, attempt;
	bool running, cancelled;
};

/* The other end of the wire. */
struct sim_worker {
	uint32_t life;  /* counts incarnations */
	uint32_t known; /* the one rank 0 knows of: what it sends to an earlier one is lost */
	bool alive;
	uint32_t cpus, gpus;
	int64_t memory;
	struct job jobs[MAX_JOBS];
	uint32_t njobs;
	int64_t in_ms, out_ms; /* last delivery in each direction: channels keep their order */
};

struct sim {
	const struct sim_config *config;
	const struct study *study;
	struct arena *arena;
	struct rng rng;
	struct sched *sched;
	struct model *model;
	struct record *records;
	uint32_t nrecords, cap_records;
	struct message *queue;
	uint32_t nqueue, cap_queue;
	uint64_t order, steps;
	int64_t now_ms;
	struct sim_worker workers[MAX_WORKERS];
	uint32_t nworkers, launches;
	uint32_t nnodes, set_aside;
	bool broken; /* node 1 lets all fail */
	struct event stale[STALE_KEPT];
	uint32_t nstale;
	bool chaos, finished, crashed;
	uint32_t requests; /* that are still to come */
	int64_t end_ms;    /* of this launch; INT64_MAX: not known */
	enum fault_code code;
	const char *text, *wrong;
};

static bool chance(struct sim *m, uint32_t permille)
{
	return rng_below(&m->rng, 1000) < permille;
}

static void wrong(struct sim *m, const char *what)
{
	if (what && !m->wrong)
		m->wrong = arena_printf(m->arena, "%s (launch %u, step %llu, %lld ms)", what, m->launches,
		                        (unsigned long long)m->steps, (long long)m->now_ms);
}

/* ---- messages ------------------------------------------------------------------------------------------ */
static struct message *post(struct sim *m, enum message_kind kind, uint32_t worker, int64_t at_ms)
{
	struct message *x;

	if (m->nqueue == m->cap_queue) {
		uint32_t cap = m->cap_queue ? 2 * m->cap_queue : 64;

		m->queue =
		    arena_grow(m->arena, m->queue, m->nqueue * sizeof *m->queue, cap * sizeof *m->queue);
		m->cap_queue = cap;
	}
	x = &m->queue[m->nqueue++];
	memset(x, 0, sizeof *x);
	x->kind = kind;
	x->worker = worker;
	x->life = m->workers[worker].life;
	x->order = m->order++;
	x->at_ms = at_ms;
	return x;
}

static int64_t delay(struct sim *m)
{
	return chance(m, 700) ? 0 : (int64_t)rng_below(&m->rng, 40);
}

static void to_leader(struct sim *m, uint32_t worker, const struct event *e)
{
	struct sim_worker *w = &m->workers[worker];
	int64_t at = m->now_ms + delay(m);

	w->out_ms = at > w->out_ms ? at : w->out_ms;
	post(m, TO_LEADER, worker, w->out_ms)->event = *e;
}

static void to_worker(struct sim *m, const struct action *a)
{
	struct sim_worker *w = &m->workers[a->worker];
	int64_t at = m->now_ms + delay(m);
	struct message *x;

	w->in_ms = at > w->in_ms ? at : w->in_ms;
	x = post(m, TO_WORKER, a->worker, w->in_ms);
	x->action = *a;
	x->life = w->known;
}

static bool next_message(struct sim *m, struct message *out)
{
	uint32_t best = 0;

	if (!m->nqueue)
		return false;
	for (uint32_t i = 1; i < m->nqueue; i++)
		if (m->queue[i].at_ms < m->queue[best].at_ms ||
		    (m->queue[i].at_ms == m->queue[best].at_ms && m->queue[i].order < m->queue[best].order))
			best = i;
	*out = m->queue[best];
	m->queue[best] = m->queue[--m->nqueue];
	return true;
}

/* ---- what training programs do ----------------------------------------------------------------------------
 */
static double number_of(const struct sim *m, uint32_t unit, uint64_t salt)
{
	struct unit_view u;
	struct trial_view t;

	sched_unit(m->sched, unit, &u);
	sched_trial(m->sched, u.trial, &t);
	return (double)(rng_mix(t.key.hi ^ rng_mix(t.key.lo ^ rng_mix((uint64_t)(u.fold + 2) ^ salt << 8))) >>
	                11) *
	       0x1p-53;
}

/* Values and permanent failures depend on the unit's identity only; after a reset the value is another one,
 * so that other trials may win. */
static void unit_result(struct sim *m, uint32_t unit, struct attempt_result *r)
{
	double luck = number_of(m, unit, 1);
	struct unit_view v;

	*r = (struct attempt_result){.has_value = true};
	sched_unit(m->sched, unit, &v);
	r->last = floor(20 * number_of(m, unit, 2 + v.fact.resets + 1000 * v.fact.rung)) / 20; /* ties */
	r->best = r->last * 0.9;
	r->best_step = 3;
	for (uint32_t i = 0; i < m->study->phases[v.phase].nmore; i++)
		r->more[i] = luck > 0.98 ? (double)NAN
		                         : floor(20 * number_of(m, unit, 5000 + i + 10 * v.fact.resets)) / 20;
	if (luck < 0.04) {
		r->reason = REASON_EXIT;
		r->exit_code = 1 + (int32_t)(luck * 1e6);
	} else if (luck < 0.06) {
		r->last = r->best = (double)NAN;
	} else if (luck < 0.07) {
		r->has_value = false;
	} else if (luck < 0.08) {
		r->last = r->best = (double)INFINITY;
	}
}

static void add_trouble(struct sim *m, struct attempt_result *r)
{
	const enum reason reasons[] = {REASON_SIGNAL, REASON_OOM, REASON_TIMEOUT, REASON_SPAWN};

	if (chance(m, 80)) {
		r->reason = reasons[rng_below(&m->rng, 4)];
		r->signal = 9;
	} else if (chance(m, 60)) {
		r->reason = REASON_REQUEUE;
		r->requeue = true;
		r->exit_code = 75;
		r->new_step = chance(m, 600);
	} else if (chance(m, 100)) {
		r->last = r->best = 0.125; /* ties */
	}
}

/* ---- a worker
 * ----------------------------------------------------------------------------------------------- */
static const struct limits *limits_of(const struct sim *m, uint32_t unit)
{
	struct unit_view u;

	sched_unit(m->sched, unit, &u);
	return &m->study->phases[u.phase].limits;
}

static bool worker_fits(const struct sim *m, const struct sim_worker *w, uint32_t unit)
{
	const struct limits *want = limits_of(m, unit);
	uint64_t cpus = want->cpus, gpus = want->gpus;
	int64_t memory = want->memory_bytes;

	for (uint32_t i = 0; i < w->njobs; i++)
		if (w->jobs[i].running) {
			const struct limits *l = limits_of(m, w->jobs[i].unit);

			cpus += l->cpus;
			gpus += l->gpus;
			memory += l->memory_bytes;
		}
	return cpus <= w->cpus && gpus <= w->gpus && (!w->memory || memory <= w->memory);
}

static struct job *find_job(struct sim_worker *w, uint32_t unit, uint32_t lease)
{
	for (uint32_t i = 0; i < w->njobs; i++)
		if (w->jobs[i].unit == unit && w->jobs[i].lease == lease)
			return &w->jobs[i];
	return NULL;
}

/* What it reports on its way, each at its time. */
static void plan_metrics(struct sim *m, uint32_t worker, const struct job *j, int64_t end_ms)
{
	struct unit_view u;

	sched_unit(m->sched, j->unit, &u);
	if (!m->study->phases[u.phase].prune)
		return;
	for (uint32_t i = 1; i <= SIM_STEPS; i++) {
		struct message *x =
		    post(m, JOB_SAYS, worker, m->now_ms + (end_ms - m->now_ms) * i / (SIM_STEPS + 1));

		x->action.unit = j->unit;
		x->action.lease = j->lease;
		x->action.n = i + 4 * u.fact.rung;
	}
}

static void job_says(struct sim *m, uint32_t worker, const struct action *a)
{
	const struct job *j = find_job(&m->workers[worker], a->unit, a->lease);
	struct event e = {.kind = EVENT_METRIC, .worker = worker, .unit = a->unit, .lease = a->lease};

	if (!j)
		return;
	e.step = a->n;
	e.value = number_of(m, a->unit, 77 + a->n);
	if (e.value < 0.02)
		e.value = (double)NAN;
	to_leader(m, worker, &e);
}

static void worker_start_all(struct sim *m, uint32_t worker)
{
	struct sim_worker *w = &m->workers[worker];

	for (uint32_t i = 0; i < w->njobs; i++) {
		struct job *j = &w->jobs[i];
		struct event e = {
		    .kind = EVENT_STARTED, .worker = worker, .unit = j->unit, .lease = j->lease};
		struct message *x;

		if (j->running || !worker_fits(m, w, j->unit))
			continue;
		j->running = true;
		wrong(m, model_started(m->model, j->unit, m->sched));
		to_leader(m, worker, &e);
		x = post(m, JOB_ENDS, worker, m->now_ms + (int64_t)rng_below(&m->rng, 3000));
		x->action.unit = j->unit;
		x->action.lease = j->lease;
		plan_metrics(m, worker, j, x->at_ms);
	}
}

static void drop_job(struct sim_worker *w, struct job *j)
{
	uint32_t at = (uint32_t)(j - w->jobs);

	memmove(j, j + 1, (w->njobs - at - 1) * sizeof *j);
	w->njobs--;
}

static void job_ends(struct sim *m, uint32_t worker, uint32_t unit, uint32_t lease)
{
	struct sim_worker *w = &m->workers[worker];
	struct job *j = find_job(w, unit, lease);
	struct event e = {.kind = EVENT_FINISHED, .worker = worker, .unit = unit, .lease = lease};

	if (!j)
		return;
	unit_result(m, unit, &e.result);
	if (m->chaos && e.result.reason == REASON_NONE)
		add_trouble(m, &e.result);
	if (m->broken && worker % m->nnodes == 1 && j->running) {
		e.result.reason = REASON_EXIT;
		e.result.exit_code = 1 + (int32_t)(unit % 2);
	}
	if (j->cancelled && chance(m, 700)) {
		e.result.reason = chance(m, 500) ? REASON_REQUEUE : REASON_SIGNAL;
		e.result.signal = 15;
	}
	if (j->running)
		model_stopped(m->model, unit);
	drop_job(w, j);
	to_leader(m, worker, &e);
	worker_start_all(m, worker);
}

static void worker_told(struct sim *m, const struct message *x)
{
	const struct action *a = &x->action;
	struct sim_worker *w = &m->workers[x->worker];
	struct event back = {.kind = EVENT_RECALLED, .worker = x->worker, .unit = a->unit, .lease = a->lease};
	struct job *j = find_job(w, a->unit, a->lease);

	if (a->kind == ACTION_ASSIGN) {
		if (w->njobs == MAX_JOBS) {
			wrong(m, "a worker was given far too many units");
			return;
		}
		w->jobs[w->njobs++] = (struct job){.unit = a->unit, .lease = a->lease, .attempt = a->attempt};
		worker_start_all(m, x->worker);
	} else if (j && a->kind == ACTION_RECALL && !j->running) {
		drop_job(w, j);
		to_leader(m, x->worker, &back);
	} else if (j && a->kind == ACTION_CANCEL && !j->running && chance(m, 500)) {
		drop_job(w, j);
		to_leader(m, x->worker, &back);
		worker_start_all(m, x->worker);
	} else if (j && a->kind == ACTION_CANCEL) {
		j->cancelled = true;
		job_ends(m, x->worker, a->unit, a->lease);
	}
}

/* ---- rank 0
 * --------------------------------------------------------------------------------------------------- */
static const uint32_t *copy_list(struct sim *m, const uint32_t *list, uint32_t n)
{
	return n ? arena_grow(m->arena, list, n * sizeof *list, n * sizeof *list) : NULL;
}

static struct record *stored_trial(struct sim *m, uint32_t trial)
{
	for (uint32_t i = 0; i < m->nrecords; i++)
		if (m->records[i].kind == RECORD_TRIAL && m->records[i].trial == trial)
			return &m->records[i];
	return NULL;
}

/* A record that a store would not keep: its row is gone or changed. */
static void forget(struct record *r)
{
	r->kind = RECORD_ARCHIVE;
	r->unit = 0;
}

static uint32_t without(struct sim *m, const uint32_t **list, uint32_t n, uint32_t trial)
{
	uint32_t *left = arena_array(m->arena, n + 1, sizeof *left), count = 0;

	for (uint32_t i = 0; i < n; i++)
		if ((*list)[i] != trial)
			left[count++] = (*list)[i];
	*list = left;
	return count;
}

static void store_gone(struct sim *m, const struct record *r)
{
	struct record *t = stored_trial(m, r->trial);

	t->gone = r->gone;
	for (uint32_t i = 0; i < m->nrecords; i++) {
		struct record *x = &m->records[i];

		if ((x->kind == RECORD_UNIT || x->kind == RECORD_METRIC || x->kind == RECORD_RUNG ||
		     x->kind == RECORD_OBJECTIVE) &&
		    x->trial == r->trial)
			forget(x);
		if (x->kind == RECORD_TRIAL && x->ncandidates)
			x->ncandidates = without(m, &x->candidates, x->ncandidates, r->trial);
	}
}

static void store_unpick(struct sim *m, const struct record *r)
{
	for (uint32_t i = 0; i < m->nrecords; i++)
		if (m->records[i].kind == RECORD_PICK && m->records[i].phase == r->phase &&
		    m->records[i].outer == r->outer && m->records[i].child_phase == r->child_phase &&
		    !m->records[i].for_trial)
			forget(&m->records[i]);
}

static void store_parents(struct sim *m, const struct record *r)
{
	struct record *t = stored_trial(m, r->trial);

	t->parents = copy_list(m, r->parents, r->nparents);
	t->nparents = r->nparents;
	t->candidates = copy_list(m, r->candidates, r->ncandidates);
	t->ncandidates = r->ncandidates;
	t->best_n = r->best_n;
}

static void store_archive(struct sim *m, const struct record *r)
{
	for (uint32_t i = 0; i < m->nrecords; i++) {
		struct record *x = &m->records[i];

		if ((x->kind == RECORD_METRIC && x->unit == r->unit) ||
		    (x->kind == RECORD_RUNG && x->trial == r->trial))
			forget(x);
	}
}

/* What changes rows changes them here too: a replay sees what a store would hold. */
static void keep_record(struct sim *m, const struct record *r)
{
	struct record *x;

	if (m->nrecords == m->cap_records) {
		uint32_t cap = m->cap_records ? 2 * m->cap_records : 256;

		m->records = arena_grow(m->arena, m->records, m->nrecords * sizeof *m->records,
		                        cap * sizeof *m->records);
		m->cap_records = cap;
	}
	if (r->kind == RECORD_GONE)
		store_gone(m, r);
	else if (r->kind == RECORD_UNPICK)
		store_unpick(m, r);
	else if (r->kind == RECORD_PARENTS)
		store_parents(m, r);
	else if (r->kind == RECORD_ARCHIVE)
		store_archive(m, r);
	x = &m->records[m->nrecords++];
	*x = *r;
	x->parents = copy_list(m, r->parents, r->nparents);
	x->candidates = copy_list(m, r->candidates, r->ncandidates);
	if (r->kind == RECORD_TRIAL) {
		uint32_t n = m->study->phases[r->phase].space.nparams;

		x->values = arena_grow(m->arena, r->values, n * sizeof *r->values, n * sizeof *r->values);
	}
}

static void act(struct sim *m, const struct action *a)
{
	switch (a->kind) {
	case ACTION_RECORD:
		return;
	case ACTION_WANT:
		post(m, ANSWER_WANT, 0, m->now_ms + delay(m))->action = *a;
		return;
	case ACTION_ASSIGN:
	case ACTION_CANCEL:
	case ACTION_RECALL:
		wrong(m, model_action(m->model, a, m->sched));
		to_worker(m, a);
		return;
	case ACTION_NODE:
		m->set_aside += a->n;
		wrong(m, model_action(m->model, a, m->sched));
		return;
	case ACTION_FINISH:
		m->finished = true;
		m->code = a->code;
		m->text = arena_strdup(m->arena, a->text);
		wrong(m, model_finish(m->model, a, m->sched));
		return;
	}
}

/* Facts that make sense together only: a commit holds all of them or none. */
static bool belong_together(const struct actions *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct record *r = &out->items[i].record;
		enum record_kind k = r->kind;

		if (out->items[i].kind != ACTION_RECORD)
			continue;
		if (k == RECORD_OBJECTIVE || k == RECORD_UNPICK || k == RECORD_PARENTS ||
		    k == RECORD_ARCHIVE || k == RECORD_GONE || k == RECORD_RUNG)
			return true;
		if (k == RECORD_UNIT && (r->fact.state == UNIT_PAUSED || r->fact.state == UNIT_PRUNED ||
		                         r->fact.pending != PENDING_NONE))
			return true;
	}
	return false;
}

/* One turn of rank 0: step, commit, send. A crash may come before the commit, at any record of it, or before
 * anything is sent. */
static void turn(struct sim *m, const struct event *e, bool stale)
{
	struct arena scratch = {0};
	struct actions out = {.scratch = &scratch};
	bool crash = m->chaos && m->launches < MAX_LAUNCHES / 2 && chance(m, 4);
	uint32_t cut = UINT32_MAX;

	if (m->finished || m->wrong)
		return;
	m->steps++;
	model_event(m->model, e, m->sched);
	sched_step(m->sched, e, &out);
	if (crash)
		cut = (uint32_t)rng_below(&m->rng, out.count + 1);
	if (crash && belong_together(&out))
		cut = chance(m, 500) ? 0 : out.count;
	for (uint32_t i = 0; i < out.count && i < cut; i++) {
		const struct action *a = &out.items[i];

		if (a->kind == ACTION_RECORD)
			keep_record(m, &a->record);
		if (a->kind == ACTION_RECORD && !crash)
			wrong(m, model_record(m->model, &m->records[m->nrecords - 1], m->sched));
		else if (!crash)
			act(m, a);
	}
	if (stale && out.count)
		wrong(m, "a stale message changed something");
	m->crashed = crash;
	if (!crash) {
		wrong(m, sched_audit(m->sched, &scratch));
		wrong(m, model_check(m->model, m->sched, m->now_ms, m->finished));
	}
	arena_finish(&scratch);
}

static void keep_stale(struct sim *m, const struct event *e)
{
	m->stale[m->nstale++ % STALE_KEPT] = *e;
}

/* Say again what was said before, or something nobody ever said. */
static void disturb(struct sim *m)
{
	struct event e = {.kind = EVENT_TICK, .now_ms = m->now_ms};

	do /* what the time itself brings */
		turn(m, &e, false);
	while (!m->crashed && !m->wrong && sched_next_tick_ms(m->sched) <= m->now_ms);
	if (m->crashed)
		return;
	if (m->nstale && chance(m, 700)) {
		e = m->stale[rng_below(&m->rng, m->nstale < STALE_KEPT ? m->nstale : STALE_KEPT)];
		e.now_ms = m->now_ms;
	} else if (model_started_attempt(m->model, &e) && chance(m, 500)) {
		e.kind = EVENT_RECALLED;
	} else {
		e.kind = chance(m, 500) ? EVENT_FINISHED : EVENT_STARTED;
		e.worker = (uint32_t)rng_below(&m->rng, 3 * MAX_WORKERS);
		e.unit = (uint32_t)rng_below(&m->rng, 2 + 2 * sched_unit_count(m->sched));
		e.lease = 1000000 + (uint32_t)rng_below(&m->rng, 9);
	}
	turn(m, &e, true);
}

/* ---- users ------------------------------------------------------------------------------------------- */
/* Up to `max` units, ascending. */
static uint32_t any_units(struct sim *m, uint32_t *units, uint32_t max)
{
	uint32_t n = 0, count = sched_unit_count(m->sched), step = 1 + count / max;

	for (uint32_t u = (uint32_t)rng_below(&m->rng, step + 1); u <= count && n < max;
	     u += 1 + (uint32_t)rng_below(&m->rng, 2 * step)) {
		struct unit_view v = {0};

		if (u)
			sched_unit(m->sched, u, &v);
		if (v.trial)
			units[n++] = u;
	}
	return n;
}

static bool is_picked_from(const struct study *s, uint32_t phase)
{
	for (uint32_t p = 0; p < s->nphases; p++)
		for (uint32_t k = 0; k < s->phases[p].nafter; k++)
			if (s->phases[p].after[k].phase == phase && s->phases[p].after[k].pick == PICK_BEST)
				return true;
	return false;
}

/* A unit that is done and may have won somewhere; 0: none. */
static uint32_t any_winner(struct sim *m)
{
	uint32_t count = sched_unit_count(m->sched), first = (uint32_t)rng_below(&m->rng, count);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t u = 1 + (first + i) % count;
		struct unit_view v;

		sched_unit(m->sched, u, &v);
		if (v.trial && v.fact.state == UNIT_DONE && is_picked_from(m->study, v.phase))
			return u;
	}
	return 0;
}

static void user_asks(struct sim *m)
{
	uint32_t units[5] = {0};
	struct sched_request r = {.kind = (enum request_kind)rng_below(&m->rng, 6), .units = units};
	struct sched_effect before, after;
	struct event e = {.kind = EVENT_REQUEST, .now_ms = m->now_ms, .request = &r, .effect = &after};

	if (!sched_unit_count(m->sched))
		return;
	r.n = any_units(m, units, 1 + (uint32_t)rng_below(&m->rng, 5));
	if (!r.n)
		return;
	r.priority = (int32_t)rng_below(&m->rng, 5) - 2;
	if (chance(m, 300) && any_winner(m)) { /* so that some pick is void and made anew */
		units[0] = any_winner(m);
		r.kind = REQUEST_RESET;
		r.n = 1;
	}
	sched_preview(m->sched, &r, &before);
	turn(m, &e, false);
	if (memcmp(&before, &after, sizeof before) != 0)
		wrong(m, "a request does something else than its preview says");
}

/* Some of the trials that may be parents in a phase, ascending. */
static uint32_t any_parents(struct sim *m, const struct study_phase *ph, bool one_phase, uint32_t *out,
                            uint32_t max)
{
	uint32_t n = 0, only = ph->nafter ? ph->after[0].phase : 0;

	for (uint32_t t = 1; t <= sched_trial_count(m->sched) && n < max; t++) {
		struct trial_view v;
		bool may = false;

		if (!sched_trial_exists(m->sched, t))
			continue;
		sched_trial(m->sched, t, &v);
		for (uint32_t k = 0; k < ph->nafter; k++)
			may = may || (ph->after[k].phase == v.phase && (!one_phase || v.phase == only));
		if (may && chance(m, 300))
			out[n++] = t;
	}
	return n;
}

static void user_schedules(struct sim *m)
{
	uint32_t parents[40], phase = m->study->nphases - 1 - (uint32_t)rng_below(&m->rng, 2);
	const struct study_phase *ph = &m->study->phases[phase];
	struct value own = {.kind = VALUE_INT, .u.i = (int64_t)rng_below(&m->rng, 3)};
	struct sched_job j = {.phase = phase, .values = &own, .parents = parents};
	enum job_answer before, after = JOB_KNOWN;
	struct event e = {.kind = EVENT_JOB, .now_ms = m->now_ms, .job = &j, .answer = &after};
	uint64_t id[4];

	if (!ph->scheduled)
		return;
	j.best_n = ph->nafter && chance(m, 300) ? 1 + (uint32_t)rng_below(&m->rng, 2) : 0;
	j.nparents = any_parents(m, ph, j.best_n > 0, parents, 40);
	if (j.best_n && (!j.nparents || !m->study->phases[ph->after[0].phase].metric))
		return;
	j.command = (uint32_t)rng_below(&m->rng, 2);
	j.force = chance(m, 300);
	id[0] = phase;
	id[1] = j.command;
	id[2] = (uint64_t)own.u.i;
	id[3] = j.best_n;
	j.key = key_hash((struct key128){1, 1}, id, sizeof id);
	before = sched_preview_job(m->sched, &j);
	turn(m, &e, false);
	if (before != after)
		wrong(m, "a job becomes something else than its preview says");
}

/* The study has grown, so a new scheduler goes on for the old one, in the midst of it all. */
static void renew(struct sim *m)
{
	struct fault f = {0};
	struct event tick = {.kind = EVENT_TICK, .now_ms = m->now_ms};
	struct sched *x = sim_replay(m->arena, m->study, m->records, m->nrecords, m->config->prefetch, &f);

	if (!x) {
		wrong(m, arena_printf(m->arena, "the records are refused: %s", f.text));
		return;
	}
	sched_adopt(x, m->sched);
	m->sched = x;
	for (uint32_t i = 0; i < m->nqueue;) /* whoever asked is not there any more */
		if (m->queue[i].kind == ANSWER_WANT)
			m->queue[i] = m->queue[--m->nqueue];
		else
			i++;
	turn(m, &tick, false);
}

static void user(struct sim *m)
{
	struct event tick = {.kind = EVENT_TICK, .now_ms = m->now_ms};

	m->requests--;
	do
		turn(m, &tick, false);
	while (!m->crashed && !m->wrong && !m->finished && sched_next_tick_ms(m->sched) <= m->now_ms);
	if (!m->crashed && !m->wrong && !m->finished && chance(m, 200))
		renew(m);
	if (m->crashed || m->wrong || m->finished)
		return;
	if (chance(m, 400))
		user_schedules(m);
	else
		user_asks(m);
}

/* What a dead worker might still have said. */
static void keep_lost(struct sim *m, uint32_t worker)
{
	for (uint32_t u = 1; u <= sched_unit_count(m->sched); u++) {
		struct event late = {.kind = EVENT_FINISHED, .worker = worker, .unit = u};
		struct unit_view v;

		sched_unit(m->sched, u, &v);
		late.lease = v.lease;
		if (v.live && v.worker == worker)
			keep_stale(m, &late);
	}
}

static void leader_told(struct sim *m, const struct message *x)
{
	struct event e = x->event;

	e.now_ms = m->now_ms;
	if (e.kind == EVENT_WORKER_UP)
		m->workers[e.worker].known = x->life;
	if (e.kind == EVENT_WORKER_LOST)
		keep_lost(m, e.worker);
	turn(m, &e, false);
	if (e.kind == EVENT_FINISHED || e.kind == EVENT_RECALLED)
		keep_stale(m, &e);
}

static void answer_want(struct sim *m, const struct message *x)
{
	struct value own = {0};
	struct event e = {
	    .kind = EVENT_PROPOSED, .group = x->action.group, .values = &own, .now_ms = m->now_ms};
	struct message *more;

	if (!gen_propose(m->sched, m->study, e.group, m->arena, &own, &e.parent))
		e.kind = EVENT_EXHAUSTED;
	turn(m, &e, false);
	if (e.kind == EVENT_EXHAUSTED || x->action.n == 1)
		return;
	more = post(m, ANSWER_WANT, 0, m->now_ms);
	more->action = x->action;
	more->action.n--;
}

static void worker_comes(struct sim *m, uint32_t worker)
{
	struct sim_worker *w = &m->workers[worker];
	struct event e = {.kind = EVENT_WORKER_UP, .worker = worker, .node = worker % m->nnodes};

	w->life++;
	w->alive = true;
	w->njobs = 0;
	w->cpus = e.cpus = 1 + (uint32_t)rng_below(&m->rng, 4);
	w->gpus = e.gpus = (uint32_t)rng_below(&m->rng, 2);
	w->memory = e.memory_bytes = chance(m, 500) ? 0 : 256 * (1 + (int64_t)rng_below(&m->rng, 6));
	to_leader(m, worker, &e);
	if (m->chaos && chance(m, 300))
		post(m, DEATH, worker, m->now_ms + (int64_t)rng_below(&m->rng, 20000));
}

static void worker_dies(struct sim *m, uint32_t worker)
{
	struct sim_worker *w = &m->workers[worker];
	struct event e = {.kind = EVENT_WORKER_LOST, .worker = worker};

	for (uint32_t i = 0; i < w->njobs; i++)
		if (w->jobs[i].running)
			model_stopped(m->model, w->jobs[i].unit);
	w->njobs = 0;
	to_leader(m, worker, &e);
	w->life++; /* what is still on its way to it is lost; what it sent still arrives, in order */
	w->alive = false;
	if (chance(m, 500)) {
		w->life++;
		worker_comes(m, worker);
	}
}

static void deliver(struct sim *m, const struct message *x)
{
	bool same_life = x->life == m->workers[x->worker].life;

	if (x->kind == TO_LEADER)
		leader_told(m, x);
	else if (x->kind == ANSWER_WANT)
		answer_want(m, x);
	else if (!same_life)
		return;
	else if (x->kind == TO_WORKER)
		worker_told(m, x);
	else if (x->kind == JOB_SAYS)
		job_says(m, x->worker, &x->action);
	else if (x->kind == JOB_ENDS)
		job_ends(m, x->worker, x->action.unit, x->action.lease);
	else
		worker_dies(m, x->worker);
}

/* ---- a launch
 * ---------------------------------------------------------------------------------------------------- */
static struct sched *replay(struct arena *a, const struct study *s, const struct record *records, uint32_t n,
                            const struct sched_options *o, struct fault *f)
{
	const enum record_kind order[] = {RECORD_TRIAL,     RECORD_PICK, RECORD_UNIT,
	                                  RECORD_OBJECTIVE, RECORD_RUNG, RECORD_METRIC};
	const struct record *r;
	struct sched *x = sched_new(a, s, o);

	for (size_t k = 0; k < sizeof order / sizeof *order; k++)
		for (uint32_t i = 0; i < n; i++)
			if ((r = &records[i])->kind == order[k] && sched_apply(x, r, f))
				return NULL;
	return sched_applied(x, f) ? NULL : x;
}

struct sched *sim_replay(struct arena *a, const struct study *s, const struct record *records, uint32_t n,
                         uint32_t prefetch, struct fault *f)
{
	return replay(a, s, records, n, &(struct sched_options){.prefetch_per_slot = prefetch}, f);
}

static void check_replay(struct sim *m)
{
	struct arena a = {0};
	struct fault f = {0};
	const struct sched *x = sim_replay(&a, m->study, m->records, m->nrecords, m->config->prefetch, &f);

	if (!x)
		wrong(m, arena_printf(m->arena, "the records are refused: %s", f.text));
	else if (strcmp(sched_dump(x, &a), sched_dump(m->sched, &a)) != 0)
		wrong(m, "replaying the records gives another state");
	arena_finish(&a);
}

/* Of what ran when the last launch died, some may go on for a while on hosts that nobody hears. */
static void fence_some(struct sim *m)
{
	for (uint32_t u = 1; u <= sched_unit_count(m->sched); u++) {
		struct unit_view v;
		int64_t until = m->now_ms + (int64_t)rng_below(&m->rng, 5000);

		sched_unit(m->sched, u, &v);
		if (!m->chaos || !v.trial || v.fact.state != UNIT_RUNNING || !chance(m, 300))
			continue;
		sched_fence(m->sched, u, until);
		model_fence(m->model, u, until);
	}
}

static void launch(struct sim *m)
{
	struct fault f = {0};
	struct event tick = {.kind = EVENT_TICK, .now_ms = m->now_ms};
	struct sched_options o = {.prefetch_per_slot = m->config->prefetch, .begin_ms = m->now_ms};

	m->launches++;
	m->nqueue = m->nstale = 0;
	m->finished = m->crashed = false;
	m->chaos = m->config->chaos && m->launches < MAX_LAUNCHES;
	if (m->chaos && chance(m, 400))
		o.end_ms = m->now_ms + 500 + (int64_t)rng_below(&m->rng, 15000);
	m->end_ms = o.end_ms ? o.end_ms : INT64_MAX;
	m->sched = replay(m->arena, m->study, m->records, m->nrecords, &o, &f);
	if (!m->sched) {
		wrong(m, arena_printf(m->arena, "the records are refused: %s", f.text));
		return;
	}
	m->model = model_new(m->arena, m->study, m->config->prefetch, m->records, m->nrecords);
	fence_some(m);
	model_set_end(m->model, o.begin_ms, o.end_ms);
	turn(m, &tick, false);
	m->nworkers = m->config->workers ? m->config->workers : 1 + (uint32_t)rng_below(&m->rng, MAX_WORKERS);
	m->nnodes = 1 + (uint32_t)(m->config->seed % 3);
	m->broken = m->chaos && m->nnodes > 1 && m->config->seed % 4 == 0;
	for (uint32_t i = 0; i < m->nworkers; i++)
		worker_comes(m, i);
}

static void run_launch(struct sim *m)
{
	bool may_stop = m->chaos && chance(m, 300);

	while (!m->finished && !m->crashed && !m->wrong) {
		struct message x;
		int64_t tick = sched_next_tick_ms(m->sched);
		bool any = next_message(m, &x);

		if ((any ? x.at_ms : tick) > m->end_ms && tick > m->end_ms) {
			struct event e = {.kind = EVENT_STOP, .now_ms = m->end_ms};

			if (any)
				m->queue[m->nqueue++] = x;
			m->now_ms = m->end_ms;
			m->end_ms = INT64_MAX;
			turn(m, &e, false);
			continue;
		}

		if (m->steps > MAX_STEPS || (!any && tick == INT64_MAX)) {
			wrong(m, "the run is stuck");
			return;
		}
		if (!any || tick < x.at_ms) {
			struct event e = {.kind = EVENT_TICK};

			if (any)
				m->queue[m->nqueue++] = x;
			m->now_ms = tick > m->now_ms ? tick : m->now_ms;
			e.now_ms = m->now_ms;
			turn(m, &e, false);
			continue;
		}
		m->now_ms = x.at_ms > m->now_ms ? x.at_ms : m->now_ms;
		deliver(m, &x);
		if (m->chaos && !m->crashed && chance(m, 100))
			disturb(m);
		if (m->requests && !m->crashed && !m->finished && chance(m, 150))
			user(m);
		if (!m->crashed && chance(m, 10))
			check_replay(m);
		if (may_stop && !m->crashed && chance(m, 5)) {
			struct event e = {.kind = chance(m, 500) ? EVENT_STOP : EVENT_DRAIN,
			                  .now_ms = m->now_ms};

			turn(m, &e, false);
		}
	}
	if (!m->crashed && !m->wrong)
		check_replay(m);
}

static bool to_go_on(const struct sim *m)
{
	if (m->wrong)
		return false;
	if (m->crashed || m->code == FAULT_STOPPED || m->code == FAULT_WORKER)
		return true;
	/* the first ten failed alike by chance, or no worker was large enough: try again, not for ever */
	return m->code == FAULT_UNITS && m->launches < 5 &&
	       (strstr(m->text, "alike") || strstr(m->text, "no worker"));
}

const char *sim_run(struct arena *a, const struct sim_config *c, struct sim_outcome *out)
{
	struct sim *m = arena_alloc(a, sizeof *m);

	m->config = c;
	m->study = c->study;
	m->arena = a;
	rng_seed(&m->rng, c->seed);
	m->requests = c->users;
	do {
		launch(m);
		run_launch(m);
	} while (to_go_on(m));
	*out = (struct sim_outcome){m->records, m->nrecords, m->code,  m->text,
	                            m->steps,   m->launches, m->sched, m->set_aside};
	return m->wrong;
}
