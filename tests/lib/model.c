#include "model.h"

#include "prune.h"
#include "stats.h"

#include <math.h>
#include <string.h>

enum { MODEL_WORKERS = 64, MODEL_HELD = 256 };

struct model_unit {
	struct unit_fact fact;
	double more[OBJECTIVES_MORE];
	uint32_t trial;
	bool live, held, recalling, started, cancelled;
	bool running;  /* a process exists */
	bool archived; /* its results have just been put away */
	bool given_up; /* in this step */
	bool in_reach; /* of a reset or delete that somebody asked for */
	uint32_t worker, lease;
	int64_t due_ms, fence_ms, started_ms;
	uint32_t suspect; /* 1 + the node where it failed last, and nothing did well since; 0: none */
};

struct model_trial {
	uint32_t phase, first_unit, nunits, k, nparents;
	int32_t outer;
	const uint32_t *parents;
	const struct value *values;
	struct key128 key;
	enum gone gone;
	const uint32_t *candidates; /* of a job that picks */
	uint32_t ncandidates, best_n;
};

struct model_rung { /* that a trial has reached; trial 0: does not count any more */
	uint32_t trial, rung;
	double value;
};

struct model_pick {
	uint32_t trial, child_phase, bucket, rank;
};

struct model_worker {
	bool up;
	uint32_t cpus, gpus, node;
	int64_t memory;
	uint32_t held[MODEL_HELD], nheld; /* units, oldest first */
};

/* Successful attempts of a phase. */
struct model_pace {
	uint32_t n;
	int64_t ms;
	bool saves;
};

struct model {
	struct arena *arena;
	const struct study *study;
	uint32_t prefetch;
	struct slab units, trials, picks, rungs;
	struct model_worker workers[MODEL_WORKERS];
	bool aside[MODEL_WORKERS]; /* by node */
	uint32_t last_lease, first_new_pick;
	int64_t now_ms, begin_ms, end_ms; /* end 0: not known */
	struct model_pace *paces;         /* by phase */
	bool stopped, asked_to_stop;
	bool releasing; /* the event at work is a release, or a cancel */
	bool changed;   /* users have deleted something: phases may lack trials */
};

static struct model_unit *unit_at(const struct model *m, uint32_t unit)
{
	return slab_at(&m->units, unit - 1);
}

static struct model_trial *trial_at(const struct model *m, uint32_t trial)
{
	return slab_at(&m->trials, trial - 1);
}

static const struct study_phase *phase_of(const struct model *m, uint32_t unit)
{
	return &m->study->phases[trial_at(m, unit_at(m, unit)->trial)->phase];
}

static struct model_pace *pace_of(const struct model *m, uint32_t unit)
{
	return &m->paces[phase_of(m, unit)->index];
}

static bool is_final(enum unit_state s)
{
	return s == UNIT_DONE || s == UNIT_FAILED || s == UNIT_BLOCKED || s == UNIT_CANCELLED ||
	       s == UNIT_PRUNED;
}

static bool waits_for_reset(const struct model_unit *u)
{
	return u->fact.pending == PENDING_RESET || u->fact.pending == PENDING_DELETE;
}

static bool is_there(const struct model *m, uint32_t unit)
{
	return !trial_at(m, unit_at(m, unit)->trial)->gone;
}

/* ---- who hangs on whom -----------------------------------------------------------------------------------
 */
static bool folded(const struct model *m, const struct model_trial *t)
{
	return m->study->folds.inner > 0 && m->study->phases[t->phase].folds == FOLDS_EACH;
}

/* How many parent units of this unit are in (want) or not in a state. */
static uint32_t count_parents(const struct model *m, uint32_t unit, enum unit_state state, bool want)
{
	const struct model_trial *t = trial_at(m, unit_at(m, unit)->trial);
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->nparents; i++) {
		const struct model_trial *p = trial_at(m, t->parents[i]);

		for (uint32_t f = 0; f < p->nunits; f++) {
			if (folded(m, p) && folded(m, t) && f != unit - t->first_unit)
				continue;
			n +=
			    (unit_at(m, p->first_unit + f)->fact.state == state &&
			     !(state == UNIT_DONE && waits_for_reset(unit_at(m, p->first_unit + f)))) == want;
		}
	}
	return n;
}

static bool begun(const struct model *m, const struct model_trial *t)
{
	for (uint32_t u = t->first_unit; u < t->first_unit + t->nunits; u++)
		if (unit_at(m, u)->fact.attempts)
			return true;
	return false;
}

static uint32_t units_in(const struct model *m, const struct model_trial *t, enum unit_state state)
{
	uint32_t n = 0;

	for (uint32_t u = t->first_unit; u < t->first_unit + t->nunits; u++)
		n += unit_at(m, u)->fact.state == state;
	return n;
}

/* ---- trials
 * ------------------------------------------------------------------------------------------------ */
/* The one ancestor of phase q, 0 when there is none or several. */
static uint32_t ancestor(const struct model *m, uint32_t trial, uint32_t q)
{
	const struct model_trial *t = trial_at(m, trial);
	uint32_t found = 0;

	if (t->phase == q)
		return trial;
	for (uint32_t i = 0; i < t->nparents; i++) {
		uint32_t up = ancestor(m, t->parents[i], q);

		if (up && found && up != found)
			return 0;
		found = up ? up : found;
	}
	return found;
}

static bool was_picked(const struct model *m, uint32_t trial, uint32_t child_phase)
{
	for (uint32_t i = 0; i < m->picks.count; i++) {
		const struct model_pick *p = slab_at(&m->picks, i);

		if (p->trial == trial && p->child_phase == child_phase)
			return true;
	}
	return false;
}

static const char *check_job_parents(const struct model *m, const struct model_trial *t)
{
	const struct study_phase *ph = &m->study->phases[t->phase];

	for (uint32_t i = 0; i < t->nparents; i++) {
		const struct model_trial *p = trial_at(m, t->parents[i]);
		bool may = false;

		for (uint32_t k = 0; k < ph->nafter; k++)
			may = may || ph->after[k].phase == p->phase;
		if (!may || p->gone)
			return "a job has a parent its phase does not come after";
	}
	return NULL;
}

static const char *check_parents(const struct model *m, const struct model_trial *t)
{
	const struct study_phase *ph = &m->study->phases[t->phase];
	uint32_t slot = 0;

	if (ph->scheduled)
		return check_job_parents(m, t);
	for (uint32_t i = 0; i < t->nparents; i++) {
		const struct model_trial *p = trial_at(m, t->parents[i]);
		bool next = i > 0 && p->phase != trial_at(m, t->parents[i - 1])->phase;

		slot += next;
		if (slot >= ph->nafter || ph->after[slot].phase != p->phase)
			return "a trial has a parent its phase does not come after";
		if (i > 0 && !next && !ph->after[slot].as_one)
			return "a trial has two parents of one phase";
		if (p->outer != t->outer &&
		    !(p->outer == -1 && m->study->phases[p->phase].folds == FOLDS_NONE))
			return "a trial has a parent in another outer fold";
		if (ph->after[slot].pick == PICK_BEST && !was_picked(m, t->parents[i], t->phase))
			return "a trial has a parent that was not picked";
		for (uint32_t k = 0; k < i; k++)
			for (uint32_t q = 0; q < m->study->nphases; q++) {
				uint32_t a = ancestor(m, t->parents[i], q), b = ancestor(m, t->parents[k], q);

				if (a && b && a != b && trial_at(m, t->parents[k])->phase != p->phase)
					return "the parents of a trial disagree about an ancestor";
			}
	}
	return slot + (t->nparents > 0) == ph->nafter ? NULL : "a trial lacks a parent";
}

static const char *add_trial(struct model *m, const struct record *r)
{
	struct model_trial *t;

	if (r->trial != m->trials.count + 1)
		return "trial numbers have a gap";
	for (uint32_t i = 1; i <= m->trials.count; i++)
		if (!trial_at(m, i)->gone && !r->gone && key_equal(trial_at(m, i)->key, r->key))
			return "two trials have one key";
	for (uint32_t i = 1; i <= m->trials.count && !m->study->phases[r->phase].scheduled; i++)
		if (trial_at(m, i)->gone == GONE_DELETED && !r->gone &&
		    key_equal(trial_at(m, i)->key, r->key))
			return "a search makes a deleted trial again";
	t = slab_add(&m->trials);
	*t = (struct model_trial){.phase = r->phase, .outer = r->outer, .k = r->k, .key = r->key};
	t->parents = arena_grow(m->arena, r->parents, r->nparents * sizeof *r->parents,
	                        r->nparents * sizeof *r->parents);
	t->nparents = r->nparents;
	t->candidates = r->candidates;
	t->ncandidates = r->ncandidates;
	t->best_n = r->best_n;
	t->gone = r->gone;
	t->values = r->values;
	t->first_unit = m->units.count + 1;
	t->nunits = folded(m, t) ? m->study->folds.inner : 1;
	for (uint32_t i = 0; i < t->nunits; i++) {
		struct model_unit *u = slab_add(&m->units);

		u->trial = r->trial;
		u->fact.state = r->nparents || r->ncandidates ? UNIT_WAITING : UNIT_READY;
	}
	return t->gone ? NULL : check_parents(m, t);
}

/* ---- workers: a mirror of their room
 * -------------------------------------------------------------------------- */
static bool room_for(const struct model *m, uint32_t worker, uint32_t unit)
{
	const struct model_worker *w = &m->workers[worker];
	const struct limits *want = &phase_of(m, unit)->limits;
	uint64_t cpus = want->cpus, gpus = want->gpus;
	int64_t memory = want->memory_bytes;

	for (uint32_t u = 1; w->up && u <= m->units.count; u++) {
		const struct model_unit *x = unit_at(m, u);

		if (x->live && x->worker == worker && !x->held) {
			cpus += phase_of(m, u)->limits.cpus;
			gpus += phase_of(m, u)->limits.gpus;
			memory += phase_of(m, u)->limits.memory_bytes;
		}
	}
	return w->up && cpus <= w->cpus && gpus <= w->gpus && (!w->memory || memory <= w->memory);
}

static void unhold(struct model *m, struct model_worker *w, uint32_t unit)
{
	for (uint32_t i = 0; i < w->nheld; i++)
		if (w->held[i] == unit) {
			memmove(&w->held[i], &w->held[i + 1], (w->nheld - i - 1) * sizeof *w->held);
			w->nheld--;
			break;
		}
	unit_at(m, unit)->held = false;
	unit_at(m, unit)->started_ms = m->now_ms;
}

static void fill_room(struct model *m, uint32_t worker)
{
	struct model_worker *w = &m->workers[worker];

	for (uint32_t i = 0; i < w->nheld;)
		if (!unit_at(m, w->held[i])->cancelled && room_for(m, worker, w->held[i]))
			unhold(m, w, w->held[i]);
		else
			i++;
}

static void hold(struct model *m, struct model_worker *w, uint32_t unit)
{
	uint32_t at = w->nheld++;

	for (; at > 0 && unit_at(m, w->held[at - 1])->lease > unit_at(m, unit)->lease; at--)
		w->held[at] = w->held[at - 1];
	w->held[at] = unit;
	unit_at(m, unit)->held = true;
}

/* The worker started what it held, and so holds what it was sent last. */
static void swap_room(struct model *m, uint32_t worker, uint32_t unit)
{
	while (!room_for(m, worker, unit)) {
		uint32_t last = 0;

		for (uint32_t u = 1; u <= m->units.count; u++) {
			const struct model_unit *x = unit_at(m, u);

			if (x->live && x->worker == worker && !x->held && !x->started &&
			    (!last || x->lease > unit_at(m, last)->lease))
				last = u;
		}
		if (!last)
			return;
		hold(m, &m->workers[worker], last);
	}
}

static void let_go(struct model *m, uint32_t unit)
{
	struct model_unit *u = unit_at(m, unit);

	u->live = u->recalling = u->started = u->cancelled = false;
	if (u->held)
		unhold(m, &m->workers[u->worker], unit);
}

static void worker_event(struct model *m, const struct event *e)
{
	struct model_worker *w;

	if (e->worker >= MODEL_WORKERS)
		return;
	w = &m->workers[e->worker];
	if (e->kind == EVENT_WORKER_UP && !w->up) {
		*w = (struct model_worker){.up = true, .cpus = e->cpus, .gpus = e->gpus, .node = e->node};
		w->memory = e->memory_bytes;
	} else if (e->kind == EVENT_WORKER_LOST && w->up) {
		for (uint32_t u = 1; u <= m->units.count; u++)
			if (unit_at(m, u)->live && unit_at(m, u)->worker == e->worker)
				let_go(m, u);
		w->up = false;
	}
}

/* ---- what a reset reaches -------------------------------------------------------------------------------
 */
static bool behind(const struct model *m, uint32_t unit)
{
	const struct model_trial *t = trial_at(m, unit_at(m, unit)->trial);
	const struct study_phase *ph = &m->study->phases[t->phase];

	for (uint32_t i = 0; i < t->nparents; i++) {
		const struct model_trial *p = trial_at(m, t->parents[i]);

		for (uint32_t f = 0; f < p->nunits; f++)
			if (!(folded(m, p) && folded(m, t) && f != unit - t->first_unit) &&
			    unit_at(m, p->first_unit + f)->in_reach)
				return true;
	}
	for (uint32_t i = 0; i < t->ncandidates; i++)
		for (uint32_t f = 0; f < trial_at(m, t->candidates[i])->nunits; f++)
			if (unit_at(m, trial_at(m, t->candidates[i])->first_unit + f)->in_reach)
				return true;
	for (uint32_t k = 0; k < ph->nafter && !ph->scheduled; k++)
		for (uint32_t u = 1; u <= m->units.count && ph->after[k].pick == PICK_BEST; u++)
			if (unit_at(m, u)->in_reach &&
			    trial_at(m, unit_at(m, u)->trial)->phase == ph->after[k].phase)
				return true;
	return false;
}

static void reach(struct model *m)
{
	bool more = true;

	while (more) {
		more = false;
		for (uint32_t u = 1; u <= m->units.count; u++)
			if (!unit_at(m, u)->in_reach && is_there(m, u) && behind(m, u))
				more = unit_at(m, u)->in_reach = true;
	}
}

static void reach_trial(struct model *m, uint32_t trial)
{
	const struct model_trial *t = trial_at(m, trial);

	for (uint32_t f = 0; f < t->nunits; f++)
		unit_at(m, t->first_unit + f)->in_reach = true;
}

static void request_event(struct model *m, const struct event *e)
{
	const struct sched_request *r = e->request;

	m->releasing = e->kind == EVENT_REQUEST && (r->kind == REQUEST_RELEASE || r->kind == REQUEST_CANCEL);
	if (e->kind == EVENT_REQUEST && (r->kind == REQUEST_RESET || r->kind == REQUEST_DELETE)) {
		m->changed |= r->kind == REQUEST_DELETE;
		for (uint32_t i = 0; i < r->n; i++)
			if (r->kind == REQUEST_DELETE)
				reach_trial(m, unit_at(m, r->units[i])->trial);
			else
				unit_at(m, r->units[i])->in_reach = true;
	}
	for (uint32_t t = 1; e->kind == EVENT_JOB && e->job->force && t <= m->trials.count; t++)
		if (key_equal(trial_at(m, t)->key, e->job->key))
			reach_trial(m, t);
	for (uint32_t u = 1; u <= m->units.count; u++)
		unit_at(m, u)->in_reach |= waits_for_reset(unit_at(m, u));
	reach(m);
}

void model_event(struct model *m, const struct event *e, const struct sched *s)
{
	struct model_unit *u;

	(void)s;
	m->now_ms = e->now_ms;
	request_event(m, e);
	m->asked_to_stop |= e->kind == EVENT_STOP || e->kind == EVENT_DRAIN;
	m->stopped |= e->kind == EVENT_STOP || e->kind == EVENT_DRAIN;
	worker_event(m, e);
	if (e->unit < 1 || e->unit > m->units.count)
		return;
	u = unit_at(m, e->unit);
	if (!u->live || u->lease != e->lease || u->worker != e->worker)
		return;
	if (e->kind == EVENT_FINISHED && e->result.requeue && !u->cancelled && !u->fact.pending)
		pace_of(m, e->unit)->saves = true;
	if (e->kind == EVENT_FINISHED || (e->kind == EVENT_RECALLED && !u->started)) {
		let_go(m, e->unit);
		fill_room(m, e->worker);
	} else if (e->kind == EVENT_STARTED) {
		u->recalling = false;
		if (!u->started && !u->held)
			u->started_ms = m->now_ms;
		if (u->held)
			swap_room(m, e->worker, e->unit);
		u->started = !u->held || room_for(m, e->worker, e->unit);
		if (u->held && room_for(m, e->worker, e->unit))
			unhold(m, &m->workers[e->worker], e->unit);
	}
}

/* ---- picks
 * ----------------------------------------------------------------------------------------------------- */
static double aggregate_by(const struct model *m, const struct model_trial *t, enum unit_state state,
                           uint32_t objective)
{
	double v[64];
	uint32_t n = 0;

	if (units_in(m, t, state) != t->nunits || !m->study->phases[t->phase].metric)
		return (double)NAN;
	for (uint32_t u = t->first_unit; u < t->first_unit + t->nunits; u++)
		v[n++] = objective ? unit_at(m, u)->more[objective - 1] : unit_at(m, u)->fact.value;
	switch (m->study->phases[t->phase].aggregate) {
	case AGGREGATE_MEDIAN:
		return stats_median(v, n);
	case AGGREGATE_MIN:
		return stats_min(v, n);
	case AGGREGATE_MAX:
		return stats_max(v, n);
	case AGGREGATE_MEAN:
		break;
	}
	return stats_mean(v, n);
}

static double aggregate_in(const struct model *m, const struct model_trial *t, enum unit_state state)
{
	return aggregate_by(m, t, state, 0);
}

static double aggregate(const struct model *m, const struct model_trial *t)
{
	return aggregate_in(m, t, UNIT_DONE);
}

static bool same_bucket(const struct model *m, const struct after *rule, uint32_t a, uint32_t b)
{
	char x[TEXT_NUMBER], y[TEXT_NUMBER];

	for (uint32_t i = 0; i < rule->nper; i++)
		if (strcmp(value_text(&trial_at(m, a)->values[rule->per[i]], x),
		           value_text(&trial_at(m, b)->values[rule->per[i]], y)) != 0)
			return false;
	return true;
}

/* Does a come before b? Both are complete and finite. */
static bool outranks(const struct model *m, uint32_t a, uint32_t b, uint32_t objective)
{
	double x = aggregate_by(m, trial_at(m, a), UNIT_DONE, objective),
	       y = aggregate_by(m, trial_at(m, b), UNIT_DONE, objective);
	const struct study_phase *p = &m->study->phases[trial_at(m, a)->phase];

	if (x < y || y < x)
		return study_objective(p, objective).goal == GOAL_MAXIMIZE ? x > y : x < y;
	return a < b;
}

/* A trial wins exactly when fewer than n valid candidates of its bucket come before it. */
static const char *check_pick(const struct model *m, const struct record *r)
{
	const struct study_phase *child = &m->study->phases[r->child_phase];
	const struct after *rule = NULL;

	for (uint32_t i = 0; i < child->nafter; i++)
		if (child->after[i].phase == r->phase)
			rule = &child->after[i];
	if (!rule)
		return "a pick for a phase that does not come after it";
	for (uint32_t t = 1; t <= m->trials.count; t++) {
		const struct model_trial *x = trial_at(m, t);
		uint32_t before = 0;
		bool won = was_picked(m, t, r->child_phase);

		if (x->phase != r->phase || x->outer != r->outer || x->gone)
			continue;
		for (uint32_t u = x->first_unit; u < x->first_unit + x->nunits; u++)
			if (!is_final(unit_at(m, u)->fact.state))
				return "a pick is made before all candidates are final";
		if (!isfinite(aggregate(m, x))) {
			if (won)
				return "an incomplete or not finite trial is picked";
			continue;
		}
		for (uint32_t o = 1; o <= m->trials.count; o++)
			before += !trial_at(m, o)->gone && trial_at(m, o)->phase == x->phase &&
			          trial_at(m, o)->outer == x->outer &&
			          isfinite(aggregate(m, trial_at(m, o))) && same_bucket(m, rule, o, t) &&
			          outranks(m, o, t, rule->objective);
		if (won != (before < rule->best_n))
			return won ? "a trial is picked though better ones are not"
			           : "the best trial is not picked";
	}
	return NULL;
}

/* The parents a picking job has now are the best of its candidates. */
static const char *check_choice(const struct model *m, const struct model_trial *t)
{
	for (uint32_t i = 0; i < t->ncandidates && t->nparents; i++) {
		const struct model_trial *x = trial_at(m, t->candidates[i]);
		uint32_t before = 0;
		bool won = false;

		for (uint32_t u = x->first_unit; u < x->first_unit + x->nunits; u++)
			if (!is_final(unit_at(m, u)->fact.state))
				return "a job picks before all its candidates are final";
		for (uint32_t k = 0; k < t->nparents; k++)
			won = won || t->parents[k] == t->candidates[i];
		if (!isfinite(aggregate(m, x))) {
			if (won)
				return "a job picks an incomplete or not finite trial";
			continue;
		}
		for (uint32_t k = 0; k < t->ncandidates; k++)
			before += isfinite(aggregate(m, trial_at(m, t->candidates[k]))) &&
			          outranks(m, t->candidates[k], t->candidates[i], 0);
		if (won != (before < t->best_n))
			return "a job does not pick the best of its candidates";
	}
	return NULL;
}

static const char *set_parents(struct model *m, const struct record *r)
{
	struct model_trial *t = trial_at(m, r->trial);

	t->parents = r->parents;
	t->nparents = r->nparents;
	t->candidates = r->candidates;
	t->ncandidates = r->ncandidates;
	t->best_n = r->best_n;
	if (check_parents(m, t))
		return check_parents(m, t);
	return t->best_n ? check_choice(m, t) : NULL;
}

static void drop_rungs(struct model *m, uint32_t trial)
{
	for (uint32_t i = 0; i < m->rungs.count; i++) {
		struct model_rung *x = slab_at(&m->rungs, i);

		if (x->trial == trial)
			x->trial = 0;
	}
}

static void drop_picks(struct model *m, const struct record *r)
{
	for (uint32_t i = 0; i < m->picks.count; i++) {
		struct model_pick *p = slab_at(&m->picks, i);

		if (p->trial && trial_at(m, p->trial)->phase == r->phase &&
		    trial_at(m, p->trial)->outer == r->outer && p->child_phase == r->child_phase)
			p->trial = 0;
	}
}

static const char *drop_trial(struct model *m, const struct record *r)
{
	struct model_trial *t = trial_at(m, r->trial);

	for (uint32_t u = t->first_unit; u < t->first_unit + t->nunits; u++)
		if (unit_at(m, u)->live || unit_at(m, u)->running)
			return "a trial goes while it runs";
	t->gone = r->gone;
	drop_rungs(m, r->trial);
	for (uint32_t i = 1; i <= m->trials.count; i++) { /* it is a candidate no more */
		struct model_trial *x = trial_at(m, i);
		uint32_t *list = arena_array(m->arena, x->ncandidates + 1, sizeof *list), n = 0;

		for (uint32_t k = 0; k < x->ncandidates; k++)
			if (x->candidates[k] != r->trial)
				list[n++] = x->candidates[k];
		x->candidates = list;
		x->ncandidates = n;
	}
	return NULL;
}

static const char *add_pick(struct model *m, const struct record *r, bool check)
{
	struct model_pick *p;

	if (r->for_trial)
		return NULL; /* its parents say it */
	p = slab_add(&m->picks);

	*p = (struct model_pick){r->trial, r->child_phase, r->bucket, r->rank};
	if (trial_at(m, r->trial)->phase != r->phase || trial_at(m, r->trial)->outer != r->outer)
		return "a pick takes a trial of another phase or outer fold";
	return check && r->last ? check_pick(m, r) : NULL;
}

/* ---- rungs -------------------------------------------------------------------------------------------
 */
static const struct prune *rules_of(const struct model *m, uint32_t trial)
{
	return m->study->phases[trial_at(m, trial)->phase].prune;
}

/* 0: its phase does not promote. */
static uint32_t rungs_of(const struct model *m, uint32_t trial)
{
	const struct prune *r = rules_of(m, trial);

	return r && r->promote ? prune_rungs(r, prune_bracket(r, trial_at(m, trial)->key)) : 0;
}

static bool same_field(const struct model *m, uint32_t a, uint32_t b)
{
	const struct model_trial *x = trial_at(m, a), *y = trial_at(m, b);

	return x->phase == y->phase && x->outer == y->outer;
}

static bool waits_at(const struct model *m, uint32_t trial, uint32_t rung)
{
	const struct model_trial *t = trial_at(m, trial);

	for (uint32_t u = t->first_unit; u < t->first_unit + t->nunits; u++)
		if (unit_at(m, u)->fact.state != UNIT_PAUSED || unit_at(m, u)->fact.rung != rung ||
		    unit_at(m, u)->fact.pending)
			return false;
	return true;
}

/* Is it among the best floor(m / eta) of those that have come to this rung? */
static bool is_on_top(const struct model *m, uint32_t trial, uint32_t rung)
{
	const struct prune *r = rules_of(m, trial);
	uint32_t before = 0, all = 0;
	const struct model_rung *own = NULL;

	for (uint32_t i = 0; i < m->rungs.count; i++) {
		const struct model_rung *x = slab_at(&m->rungs, i);

		own = x->trial == trial && x->rung == rung ? x : own;
	}
	for (uint32_t i = 0; own && i < m->rungs.count; i++) {
		const struct model_rung *x = slab_at(&m->rungs, i);

		if (!x->trial || x->rung != rung || !same_field(m, x->trial, trial) ||
		    prune_bracket(r, trial_at(m, x->trial)->key) != prune_bracket(r, trial_at(m, trial)->key))
			continue;
		all++;
		if (x->value < own->value || own->value < x->value)
			before += m->study->phases[trial_at(m, trial)->phase].goal == GOAL_MAXIMIZE
			              ? x->value > own->value
			              : x->value < own->value;
		else
			before += x->trial < trial;
	}
	return own && before < all / r->eta;
}

/* Nobody can come to a rung any more, and nobody is done: one goes on all the same. */
static bool is_at_rest(const struct model *m, uint32_t trial)
{
	for (uint32_t u = 1; u <= m->units.count; u++) {
		const struct model_unit *x = unit_at(m, u);
		const struct model_trial *t = trial_at(m, x->trial);

		if (t->gone || !same_field(m, x->trial, trial) || x->trial == trial)
			continue;
		if ((!is_final(x->fact.state) && x->fact.state != UNIT_PAUSED) ||
		    units_in(m, t, UNIT_DONE) == t->nunits)
			return false;
	}
	return true;
}

static const char *add_rung(struct model *m, const struct record *r, bool check)
{
	struct model_rung *x;
	double value = aggregate_in(m, trial_at(m, r->trial), UNIT_PAUSED);

	if (check && (!waits_at(m, r->trial, r->rung) || r->rung + 1 >= rungs_of(m, r->trial)))
		return "a trial is at a rung before its folds are";
	if (check && (value < r->value || r->value < value))
		return "the value of a trial at a rung is not that of its folds";
	x = slab_add(&m->rungs);
	*x = (struct model_rung){r->trial, r->rung, r->value};
	return NULL;
}

static const char *check_climb(const struct model *m, uint32_t unit, const struct unit_fact *now)
{
	const struct unit_fact *was = &unit_at(m, unit)->fact;
	uint32_t trial = unit_at(m, unit)->trial;
	const struct model_trial *t = trial_at(m, trial);

	if (now->rung <= was->rung || now->rung >= rungs_of(m, trial))
		return "a unit goes on from a rung, but not to a higher one";
	for (uint32_t u = t->first_unit; u < t->first_unit + t->nunits; u++)
		if (u != unit && unit_at(m, u)->fact.rung >= now->rung)
			return NULL; /* it comes with the others of its trial, or catches up */
	if (now->rung != was->rung + 1)
		return "a unit leaves out a rung";
	if (!is_on_top(m, trial, was->rung) && !is_at_rest(m, trial))
		return "a trial goes on from a rung though it is not among the best there";
	return NULL;
}

static bool has_come(const struct model *m, uint32_t trial, uint32_t rung)
{
	for (uint32_t i = 0; i < m->rungs.count; i++) {
		const struct model_rung *x = slab_at(&m->rungs, i);

		if (x->trial == trial && x->rung == rung)
			return true;
	}
	return false;
}

/* Nobody that is among the best at its rung waits there, or without being counted. */
static const char *check_waiting(const struct model *m)
{
	for (uint32_t t = 1; t <= m->trials.count; t++) {
		uint32_t rung = unit_at(m, trial_at(m, t)->first_unit)->fact.rung;

		if (trial_at(m, t)->gone || !rungs_of(m, t) || !waits_at(m, t, rung))
			continue;
		if (!has_come(m, t, rung))
			return "a trial waits at a rung that it has not come to";
		if (is_on_top(m, t, rung))
			return "a trial waits at a rung though it is among the best there";
	}
	return NULL;
}

/* ---- units
 * ----------------------------------------------------------------------------------------------------- */
/* ---- nodes --------------------------------------------------------------------------------------------- */
static void note_node(struct model *m, const struct record *r)
{
	uint32_t node = m->workers[r->worker].node;
	enum reason why = r->result.reason;
	bool well = r->fact.state == UNIT_DONE || r->fact.state == UNIT_PAUSED;

	if (unit_at(m, r->unit)->fact.pending)
		return;
	if (well || r->fact.state == UNIT_FAILED)
		unit_at(m, r->unit)->suspect = 0;
	else if (why == REASON_EXIT || why == REASON_SIGNAL || why == REASON_OOM || why == REASON_TIMEOUT ||
	         why == REASON_STALL || why == REASON_SPAWN)
		unit_at(m, r->unit)->suspect = node + 1;
	for (uint32_t u = 1; well && u <= m->units.count; u++)
		if (unit_at(m, u)->suspect == node + 1)
			unit_at(m, u)->suspect = 0;
}

static bool has_size(const struct model_worker *w, const struct limits *l)
{
	return w->up && w->cpus >= l->cpus && w->gpus >= l->gpus &&
	       (!w->memory || w->memory >= l->memory_bytes);
}

/* It has the room, and nothing speaks against its node. */
static bool could_take(const struct model *m, uint32_t worker, uint32_t unit)
{
	uint32_t node = m->workers[worker].node;
	bool others = false;

	if (!m->workers[worker].up || m->aside[node] || !room_for(m, worker, unit))
		return false;
	if (unit_at(m, unit)->suspect != node + 1)
		return true;
	for (uint32_t w = 0; w < MODEL_WORKERS; w++)
		others = others || (m->workers[w].node != node && !m->aside[m->workers[w].node] &&
		                    has_size(&m->workers[w], &phase_of(m, unit)->limits));
	return !others;
}

static const char *check_node(struct model *m, const struct action *a)
{
	bool good = false;

	m->aside[a->node] = a->n;
	for (uint32_t u = 1; u <= m->units.count; u++)
		if (unit_at(m, u)->suspect == a->node + 1)
			unit_at(m, u)->suspect = 0;
	for (uint32_t w = 0; w < MODEL_WORKERS; w++)
		good = good || (m->workers[w].up && !m->aside[m->workers[w].node]);
	return good ? NULL : "the last good node is set aside";
}

static const char *check_end(struct model *m, const struct record *r)
{
	struct model_unit *u = unit_at(m, r->unit);
	const struct limits *l = &phase_of(m, r->unit)->limits;
	const struct unit_fact *f = &r->fact;
	bool failed = f->failures > u->fact.failures, lost = f->losses > u->fact.losses;

	if (u->fact.pending == PENDING_CANCEL)
		return f->state == UNIT_CANCELLED ? NULL : "a cancelled unit goes on";
	if (u->fact.pending == PENDING_PRUNE)
		return f->state == UNIT_PRUNED ? NULL : "a pruned unit goes on";
	if (waits_for_reset(u))
		return f->state == UNIT_READY ? NULL : "what is to be reset comes to something";
	if (f->state == UNIT_DONE || f->state == UNIT_PAUSED) {
		if ((f->state == UNIT_PAUSED) != (u->fact.rung + 1 < rungs_of(m, u->trial)))
			return "a unit pauses where there is no rung, or does not where there is one";
		if (failed || lost || (phase_of(m, r->unit)->metric && !isfinite(f->value)))
			return "a unit is done without a finite value";
		for (uint32_t i = 0; i < phase_of(m, r->unit)->nmore; i++)
			if (u->more[i] != r->result.more[i] || !isfinite(u->more[i]))
				return "a unit is done without all of its objectives";
		return NULL;
	}
	if ((r->result.reason == REASON_LOST) != lost)
		return "a loss is not counted, or something else is";
	if (lost)
		return (f->state == UNIT_FAILED) == (f->losses > l->lost_limit) ? NULL
		                                                                : "lost_limit is not kept";
	if (!failed)
		return f->state == UNIT_READY ? NULL : "a unit failed without a failure";
	if ((f->state == UNIT_READY) != (f->failures <= l->retries && (l->retry_on >> f->reason & 1)))
		return "retries are not kept";
	if (f->state == UNIT_READY)
		u->due_ms = m->now_ms + (INT64_C(1000) << (f->failures <= 5 ? f->failures - 1 : 5));
	return NULL;
}

/* Of the ancestors; what is held lies between without a word. */
static bool has_dead_ancestor(const struct model *m, uint32_t unit)
{
	const struct model_trial *t = trial_at(m, unit_at(m, unit)->trial);

	if (t->best_n && !t->nparents)
		return true; /* its candidates have said so: check_choice */
	for (uint32_t i = 0; i < t->nparents; i++) {
		const struct model_trial *p = trial_at(m, t->parents[i]);

		for (uint32_t f = 0; f < p->nunits; f++) {
			uint32_t v = p->first_unit + f;
			enum unit_state s = unit_at(m, v)->fact.state;

			if (folded(m, p) && folded(m, t) && f != unit - t->first_unit)
				continue;
			if (s == UNIT_FAILED || s == UNIT_BLOCKED || s == UNIT_CANCELLED ||
			    s == UNIT_PRUNED || (s == UNIT_HELD && has_dead_ancestor(m, v)))
				return true;
		}
	}
	return false;
}

static bool is_reset(const struct model_unit *u, const struct unit_fact *now)
{
	return u->archived && now->resets == u->fact.resets + (u->fact.attempts > 0) && now->failures == 0 &&
	       isnan(now->value) && now->pending == PENDING_NONE;
}

/* Folds are spared only when a fold is done, and there is a complete trial to lose against. */
static const char *check_raced(const struct model *m, uint32_t unit)
{
	uint32_t trial = unit_at(m, unit)->trial;
	const struct model_trial *t = trial_at(m, trial);

	if (!(rules_of(m, trial)->rules & PRUNE_RACE) || !units_in(m, t, UNIT_DONE))
		return "a trial has lost a race that it is not in";
	for (uint32_t i = 1; i <= m->trials.count; i++)
		if (i != trial && !trial_at(m, i)->gone && same_field(m, i, trial) &&
		    units_in(m, trial_at(m, i), UNIT_DONE) == t->nunits)
			return NULL;
	return "a trial has lost a race without an incumbent";
}

static const char *check_unit(struct model *m, const struct record *r)
{
	struct model_unit *u = unit_at(m, r->unit);
	enum unit_state now = r->fact.state;

	if (!is_there(m, r->unit))
		return "a unit that is gone changes";
	if (u->fact.state == UNIT_DONE && now != UNIT_DONE && !is_reset(u, &r->fact))
		return "a unit that was done changed";
	if (u->fact.state == UNIT_PRUNED && now != UNIT_PRUNED && !is_reset(u, &r->fact))
		return "a pruned unit goes on";
	if (r->fact.reason == REASON_RACE && u->fact.reason != REASON_RACE && check_raced(m, r->unit))
		return check_raced(m, r->unit);
	if (u->fact.pending == PENDING_PRUNE && !r->fact.pending && now != UNIT_PRUNED)
		return "a unit that is to be pruned is not";
	if (u->fact.state == UNIT_PAUSED && now == UNIT_READY && !u->archived &&
	    check_climb(m, r->unit, &r->fact))
		return check_climb(m, r->unit, &r->fact);
	if (u->fact.state == UNIT_HELD && now != UNIT_HELD && now != UNIT_PRUNED && !m->releasing)
		return "a held unit is let go though nobody asked for it";
	if (u->archived && !is_reset(u, &r->fact))
		return "results are put away and the unit goes on";
	if (u->archived && u->fact.attempts && !u->in_reach)
		return "a reset touches what does not hang on it";
	if ((now != UNIT_READY && now != UNIT_RUNNING) || u->archived) /* it is begun before it is sent */
		u->due_ms = 0;
	u->archived = false;
	if ((now == UNIT_READY || now == UNIT_RUNNING || now == UNIT_DONE) && !r->fact.pending &&
	    count_parents(m, r->unit, UNIT_DONE, false))
		return "a unit goes ahead of its parents";
	if (now == UNIT_BLOCKED && !r->fact.pending && !has_dead_ancestor(m, r->unit))
		return "a unit is blocked though no parent failed";
	if (now == UNIT_BLOCKED && r->fact.cause && !r->fact.pending &&
	    unit_at(m, r->fact.cause)->fact.state != UNIT_FAILED &&
	    unit_at(m, r->fact.cause)->fact.state != UNIT_CANCELLED &&
	    unit_at(m, r->fact.cause)->fact.state != UNIT_PRUNED &&
	    unit_at(m, r->fact.cause)->fact.state != UNIT_BLOCKED)
		return "the cause of a blocked unit did not fail";
	return NULL;
}

static void note_pace(struct model *m, const struct record *r)
{
	struct model_pace *p = pace_of(m, r->unit);

	if (r->fact.state != UNIT_DONE && r->fact.state != UNIT_PAUSED)
		return;
	p->n++;
	p->ms += m->now_ms - unit_at(m, r->unit)->started_ms;
}

const char *model_record(struct model *m, const struct record *r, const struct sched *s)
{
	const char *wrong = NULL;

	(void)s;
	switch (r->kind) {
	case RECORD_TRIAL:
		return add_trial(m, r);
	case RECORD_PICK:
		return add_pick(m, r, true);
	case RECORD_BEGIN:
		if (unit_at(m, r->unit)->fact.state != UNIT_READY || unit_at(m, r->unit)->live)
			return "an attempt begins on a unit that is not ready";
		if (r->attempt != unit_at(m, r->unit)->fact.attempts + 1)
			return "attempt numbers have a gap";
		return NULL;
	case RECORD_UNBEGIN:
		if (r->attempt != r->fact.attempts + 1)
			return "an attempt is not given back";
		return NULL;
	case RECORD_END:
		note_pace(m, r);
		wrong = check_end(m, r);
		note_node(m, r);
		return wrong;
	case RECORD_UNIT:
		wrong = check_unit(m, r);
		unit_at(m, r->unit)->given_up =
		    (r->fact.state == UNIT_PRUNED || r->fact.pending == PENDING_PRUNE) &&
		    unit_at(m, r->unit)->fact.state != UNIT_PRUNED &&
		    unit_at(m, r->unit)->fact.pending != PENDING_PRUNE;
		unit_at(m, r->unit)->fact = r->fact;
		return wrong;
	case RECORD_ARCHIVE:
		unit_at(m, r->unit)->archived = true;
		drop_rungs(m, unit_at(m, r->unit)->trial);
		return NULL;
	case RECORD_METRIC:
		return unit_at(m, r->unit)->fact.state == UNIT_RUNNING ? NULL : "what does not run reports";
	case RECORD_RUNG:
		return add_rung(m, r, true);
	case RECORD_OBJECTIVE:
		unit_at(m, r->unit)->more[r->number - 1] = r->value;
		return unit_at(m, r->unit)->fact.state == UNIT_RUNNING ? NULL : "what does not run is done";
	case RECORD_UNPICK:
		drop_picks(m, r);
		return NULL;
	case RECORD_PARENTS:
		return set_parents(m, r);
	case RECORD_GONE:
		return drop_trial(m, r);
	}
	return "unknown record";
}

/* ---- the end of the allocation: bounds of what may be said, from means alone ----------------------------
 */
static bool knows_pace(const struct model_pace *p)
{
	return p->n && !p->saves;
}

static bool cannot_end(const struct model *m, uint32_t unit)
{
	const struct model_pace *p = pace_of(m, unit);

	return m->end_ms && knows_pace(p) && p->ms > (m->end_ms - m->now_ms) * p->n;
}

static bool surely_ends(const struct model *m, uint32_t unit)
{
	const struct model_pace *p = pace_of(m, unit);
	int64_t left = m->end_ms - m->now_ms;

	return !m->end_ms || (2 * left >= m->end_ms - m->begin_ms && (!knows_pace(p) || p->ms < left * p->n));
}

void model_set_end(struct model *m, int64_t begin_ms, int64_t end_ms)
{
	m->begin_ms = begin_ms;
	m->end_ms = end_ms;
}

/* ---- actions
 * --------------------------------------------------------------------------------------------------- */
static bool is_due(const struct model *m, uint32_t unit)
{
	const struct model_unit *u = unit_at(m, unit);

	return is_there(m, unit) && u->fact.state == UNIT_READY && !u->fact.pending &&
	       u->due_ms <= m->now_ms && u->fence_ms <= m->now_ms && surely_ends(m, unit);
}

/* Among units that could have had the room, none has a higher priority. */
static const char *check_priority(struct model *m, uint32_t unit, uint32_t worker)
{
	for (uint32_t v = 1; v <= m->units.count; v++)
		if (unit_at(m, v)->fact.priority > unit_at(m, unit)->fact.priority && is_due(m, v) &&
		    could_take(m, worker, v))
			return "a unit of higher priority has to wait";
	return NULL;
}

/* Of a trial in a race one fold runs already. */
static bool may_wait(const struct model *m, uint32_t unit)
{
	const struct prune *r = rules_of(m, unit_at(m, unit)->trial);

	return r && r->rules & PRUNE_RACE && units_in(m, trial_at(m, unit_at(m, unit)->trial), UNIT_RUNNING);
}

/* A trial is begun while a unit of one begun earlier, and not failed, could have had the room. */
static const char *check_order(struct model *m, uint32_t unit, uint32_t worker)
{
	struct model_unit *u = unit_at(m, unit);
	bool fresh = true;

	for (uint32_t v = 1; v <= m->units.count; v++)
		if (v != unit && unit_at(m, v)->trial == u->trial && unit_at(m, v)->fact.attempts)
			fresh = false;
	if (!fresh || u->fact.attempts > 1)
		return NULL;
	for (uint32_t v = 1; v <= m->units.count; v++) {
		const struct model_trial *t = trial_at(m, unit_at(m, v)->trial);

		if (unit_at(m, v)->trial != u->trial && is_due(m, v) && begun(m, t) && !may_wait(m, v) &&
		    unit_at(m, v)->fact.priority >= u->fact.priority && !units_in(m, t, UNIT_FAILED) &&
		    could_take(m, worker, v))
			return "a new trial is begun before the units of begun ones";
	}
	return NULL;
}

static const char *check_assign(struct model *m, const struct action *a)
{
	struct model_unit *u = unit_at(m, a->unit);
	struct model_worker *w = &m->workers[a->worker];
	const char *wrong;
	bool held;

	if (m->stopped)
		return "a unit is assigned after the stop";
	if (u->live)
		return "a unit has two live attempts";
	if (u->fact.state != UNIT_RUNNING || u->fact.attempts != a->attempt)
		return "an attempt is sent that was not recorded";
	if (a->lease <= m->last_lease)
		return "a lease is used twice";
	if (!w->up)
		return "a unit is assigned to a worker that is not there";
	if (m->aside[w->node])
		return "a unit is assigned to a node that was set aside";
	if (room_for(m, a->worker, a->unit) && !could_take(m, a->worker, a->unit))
		return "a unit is tried again on the node where it failed";
	if (u->due_ms > m->now_ms)
		return "a unit is assigned before its back-off is over";
	if (u->fence_ms > m->now_ms)
		return "a unit is assigned while its last attempt may go on elsewhere";
	if (cannot_end(m, a->unit))
		return "a unit is assigned that cannot end in time";
	wrong = check_priority(m, a->unit, a->worker);
	if (!wrong)
		wrong = check_order(m, a->unit, a->worker);
	if (wrong && room_for(m, a->worker, a->unit))
		return wrong;
	m->last_lease = a->lease;
	held = !room_for(m, a->worker, a->unit);
	u->worker = a->worker;
	u->lease = a->lease;
	u->live = true;
	u->started_ms = m->now_ms;
	if (!held)
		return NULL;
	if (w->nheld >= m->prefetch * w->cpus)
		return "the capacity of a worker is exceeded";
	hold(m, w, a->unit);
	for (uint32_t i = 0; i < MODEL_WORKERS; i++)
		if (could_take(m, i, a->unit))
			return "a unit is held by one worker while another has room";
	return NULL;
}

void model_fence(struct model *m, uint32_t unit, int64_t until_ms)
{
	unit_at(m, unit)->fence_ms = until_ms;
}

const char *model_action(struct model *m, const struct action *a, const struct sched *s)
{
	struct model_unit *u = a->unit ? unit_at(m, a->unit) : NULL;

	(void)s;
	if (a->kind == ACTION_ASSIGN)
		return check_assign(m, a);
	if (a->kind == ACTION_NODE)
		return check_node(m, a);
	if (!u->live || u->worker != a->worker || u->lease != a->lease)
		return "a worker is told about an attempt it does not have";
	m->stopped |= a->kind == ACTION_CANCEL && !u->fact.pending;
	u->cancelled |= a->kind == ACTION_CANCEL;
	if (a->kind == ACTION_RECALL && (u->recalling || !u->held))
		return "a recall goes out twice, or for a running unit";
	u->recalling = u->recalling || a->kind == ACTION_RECALL;
	return NULL;
}

/* A worker with room for a unit that another one holds: then it, or one like it, is being recalled. */
static const char *check_recalled(const struct model *m, uint32_t unit)
{
	const struct limits *l = &phase_of(m, unit)->limits;
	bool idle = false;

	for (uint32_t w = 0; w < MODEL_WORKERS; w++)
		idle = idle || could_take(m, w, unit);
	for (uint32_t u = 1; u <= m->units.count && idle; u++) {
		const struct limits *x = &phase_of(m, u)->limits;

		if (unit_at(m, u)->recalling && x->cpus == l->cpus && x->gpus == l->gpus &&
		    x->memory_bytes == l->memory_bytes)
			idle = false;
	}
	return idle ? "a unit is held though another worker idles" : NULL;
}

bool model_started_attempt(const struct model *m, struct event *e)
{
	for (uint32_t u = 1; u <= m->units.count; u++)
		if (unit_at(m, u)->live && unit_at(m, u)->started) {
			e->unit = u;
			e->worker = unit_at(m, u)->worker;
			e->lease = unit_at(m, u)->lease;
			return true;
		}
	return false;
}

/* A unit that is done or under way has parents that are done, and, behind a pick, that won it. */
static bool all_final(const struct model *m, uint32_t trial)
{
	const struct model_trial *t = trial_at(m, trial);

	for (uint32_t u = t->first_unit; u < t->first_unit + t->nunits; u++)
		if (!is_final(unit_at(m, u)->fact.state))
			return false;
	return true;
}

static const char *check_behind_picks(const struct model *m, uint32_t unit)
{
	const struct model_unit *u = unit_at(m, unit);
	const struct model_trial *t = trial_at(m, u->trial);
	const struct study_phase *ph = &m->study->phases[t->phase];
	bool works = u->fact.state == UNIT_DONE || u->fact.state == UNIT_RUNNING ||
	             u->fact.state == UNIT_READY || u->fact.state == UNIT_PAUSED;

	if (!works || u->fact.pending == PENDING_RESET || u->fact.pending == PENDING_DELETE)
		return NULL;
	if (count_parents(m, unit, UNIT_DONE, false))
		return "a unit is ahead of its parents";
	if (t->best_n && !t->nparents)
		return "a job runs before its pick";
	for (uint32_t i = 0; i < t->ncandidates; i++)
		if (!all_final(m, t->candidates[i]))
			return "a job runs behind a pick that is void";
	for (uint32_t i = 0; i < t->nparents && !ph->scheduled; i++)
		for (uint32_t k = 0; k < ph->nafter; k++)
			if (ph->after[k].phase == trial_at(m, t->parents[i])->phase &&
			    ph->after[k].pick == PICK_BEST && !was_picked(m, t->parents[i], t->phase))
				return "a unit runs behind a pick that is void";
	return NULL;
}

/* The study has perhaps reached its own end, and all that is live was cancelled before: nobody is told. */
static bool may_have_ended(const struct model *m)
{
	if (!m->study->has_target && !m->study->stop_trials)
		return false;
	for (uint32_t u = 1; u <= m->units.count; u++)
		if (unit_at(m, u)->live && !unit_at(m, u)->cancelled)
			return false;
	return true;
}

/* A trial is given up with all its folds at once. */
static const char *check_pruned(const struct model *m, uint32_t unit)
{
	struct model_unit *u = unit_at(m, unit);
	const struct model_trial *t = trial_at(m, u->trial);

	if (!u->given_up)
		return NULL;
	u->given_up = false;
	for (uint32_t v = t->first_unit; v < t->first_unit + t->nunits; v++) {
		const struct unit_fact *f = &unit_at(m, v)->fact;

		if (!is_final(f->state) && !f->pending)
			return "a fold of a pruned trial goes on";
	}
	return NULL;
}

const char *model_check(struct model *m, const struct sched *s, int64_t now_ms, bool finished)
{
	m->now_ms = now_ms;
	if (check_waiting(m))
		return check_waiting(m);
	for (uint32_t u = 1; u <= m->units.count; u++) {
		struct unit_view v;

		if (!is_there(m, u))
			continue;
		if (check_behind_picks(m, u))
			return check_behind_picks(m, u);
		if (check_pruned(m, u))
			return check_pruned(m, u);
		sched_unit(s, u, &v);
		if (v.fact.state != unit_at(m, u)->fact.state || v.live != unit_at(m, u)->live)
			return "a change was not recorded";
		if (finished && v.live)
			return "the run ends while attempts are live";
		if (finished || m->stopped)
			continue;
		if (unit_at(m, u)->held && !unit_at(m, u)->recalling && !unit_at(m, u)->cancelled &&
		    cannot_end(m, u))
			return "a unit is held that cannot end in time";
		if (unit_at(m, u)->held && !unit_at(m, u)->fact.pending && check_recalled(m, u))
			return check_recalled(m, u);
		if (!is_due(m, u) || may_have_ended(m))
			continue;
		for (uint32_t w = 0; w < MODEL_WORKERS; w++)
			if (could_take(m, w, u))
				return "a worker idles while a ready unit fits it";
	}
	return NULL;
}

const char *model_started(struct model *m, uint32_t unit, const struct sched *s)
{
	(void)s;
	if (unit_at(m, unit)->running)
		return "a unit runs twice at once";
	unit_at(m, unit)->running = true;
	if (waits_for_reset(unit_at(m, unit)))
		return NULL; /* to be stopped: it was sent when its parents were done */
	if (count_parents(m, unit, UNIT_DONE, false))
		return "a unit starts before its parents are done";
	return NULL;
}

void model_stopped(struct model *m, uint32_t unit)
{
	unit_at(m, unit)->running = false;
}

/* ---- the end
 * --------------------------------------------------------------------------------------------------- */
static int64_t quota(const struct study_phase *ph)
{
	if (ph->space.nparams == 0)
		return 1;
	if (ph->search == SEARCH_GRID)
		return ph->space.params[0].nchoices;
	return ph->trials;
}

/* A phase that comes after one other phase has a full set of trials for each parent that it may have. */
static const char *check_complete(const struct model *m, uint32_t parent, const struct study_phase *child)
{
	int64_t n = 0;

	if (child->nafter != 1 || child->trials_total || child->after[0].as_one || child->scheduled ||
	    m->changed || trial_at(m, parent)->gone)
		return NULL;
	if (child->after[0].phase != trial_at(m, parent)->phase)
		return NULL;
	if (child->after[0].pick == PICK_BEST && !was_picked(m, parent, child->index))
		return NULL;
	if (m->study->folds.outer && child->folds != FOLDS_NONE)
		for (int32_t o = -1; o < (int32_t)m->study->folds.outer; o++)
			n -= (o >= 0 || child->in_full) &&
			     (trial_at(m, parent)->outer == o ||
			      m->study->phases[trial_at(m, parent)->phase].folds == FOLDS_NONE);
	else
		n -= trial_at(m, parent)->outer == -1;
	n *= quota(child);
	for (uint32_t t = 1; t <= m->trials.count; t++)
		n += !trial_at(m, t)->gone && trial_at(m, t)->phase == child->index &&
		     trial_at(m, t)->parents[0] == parent;
	return n == 0 ? NULL : "a phase lacks trials, or has too many";
}

static bool anything_held(const struct model *m)
{
	for (uint32_t u = 1; u <= m->units.count; u++)
		if (is_there(m, u) && unit_at(m, u)->fact.state == UNIT_HELD)
			return true;
	return false;
}

/* Held, or waiting for something that is; at a rung for those that may still come there. */
static bool is_held_up(const struct model *m, uint32_t unit)
{
	const struct model_trial *t = trial_at(m, unit_at(m, unit)->trial);
	uint32_t n = t->best_n && !t->nparents ? t->ncandidates : t->nparents;
	const uint32_t *above = t->best_n && !t->nparents ? t->candidates : t->parents;

	if (unit_at(m, unit)->fact.state == UNIT_HELD ||
	    (unit_at(m, unit)->fact.state == UNIT_PAUSED && anything_held(m)))
		return true;
	for (uint32_t i = 0; i < n && unit_at(m, unit)->fact.state == UNIT_WAITING; i++)
		for (uint32_t f = 0; f < trial_at(m, above[i])->nunits; f++)
			if (is_held_up(m, trial_at(m, above[i])->first_unit + f))
				return true;
	return false;
}

/* Behind a pick that cannot be made yet, because a candidate is held. */
static bool behind_open_pick(const struct model *m, uint32_t unit)
{
	const struct model_trial *t = trial_at(m, unit_at(m, unit)->trial);
	const struct study_phase *ph = &m->study->phases[t->phase];

	for (uint32_t i = 0; i < t->nparents; i++)
		for (uint32_t f = 0; f < trial_at(m, t->parents[i])->nunits; f++)
			if (behind_open_pick(m, trial_at(m, t->parents[i])->first_unit + f))
				return true;
	for (uint32_t k = 0; k < ph->nafter && !ph->scheduled; k++)
		if (ph->after[k].pick == PICK_BEST && anything_held(m))
			return true;
	return false;
}

static const char *check_all_final(const struct model *m)
{
	for (uint32_t u = 1; u <= m->units.count; u++)
		if (is_there(m, u) && !is_final(unit_at(m, u)->fact.state) && !is_held_up(m, u) &&
		    !behind_open_pick(m, u))
			return "the run ends with units that are not final";
	if (anything_held(m))
		return NULL;
	for (uint32_t t = 1; t <= m->trials.count; t++)
		for (uint32_t p = 0; p < m->study->nphases; p++) {
			const char *wrong = check_complete(m, t, &m->study->phases[p]);

			if (wrong)
				return wrong;
		}
	return NULL;
}

static const char *check_no_room(const struct model *m)
{
	for (uint32_t u = 1; u <= m->units.count; u++)
		for (uint32_t w = 0;
		     is_there(m, u) && unit_at(m, u)->fact.state == UNIT_READY && w < MODEL_WORKERS; w++)
			if (room_for(m, w, u))
				return "the run ends though a worker can hold a ready unit";
	return NULL;
}

static const char *check_too_late(const struct model *m)
{
	if (!m->end_ms)
		return "the run stops though nobody asked";
	for (uint32_t u = 1; u <= m->units.count; u++)
		for (uint32_t w = 0; is_due(m, u) && w < MODEL_WORKERS; w++)
			if (room_for(m, w, u))
				return "the run stops though a ready unit could end in time";
	return NULL;
}

const char *model_finish(struct model *m, const struct action *a, const struct sched *s)
{
	bool early = m->study->has_target || m->study->stop_trials;
	uint32_t done = 0, all = 0;

	(void)s;
	for (uint32_t u = 1; u <= m->units.count; u++) {
		enum unit_state state = unit_at(m, u)->fact.state;

		all += is_there(m, u);
		done += is_there(m, u) &&
		        (state == UNIT_DONE || state == UNIT_CANCELLED || state == UNIT_PRUNED ||
		         (state == UNIT_BLOCKED && unit_at(m, u)->fact.cause &&
		          unit_at(m, unit_at(m, u)->fact.cause)->fact.state == UNIT_PRUNED));
	}
	if (a->code != FAULT_NONE && !*a->text)
		return "the run ends badly and does not say why";
	if (a->code == FAULT_STOPPED)
		return m->asked_to_stop ? NULL : check_too_late(m);
	if (a->code == FAULT_WORKER) {
		for (uint32_t w = 0; w < MODEL_WORKERS; w++)
			if (m->workers[w].up)
				return "the run ends for lack of workers though there is one";
		return NULL;
	}
	if (strstr(a->text, "alike"))
		return done && !m->changed ? "a study with results is stopped as broken" : NULL;
	if (strstr(a->text, "no worker"))
		return check_no_room(m);
	if (early)
		return NULL;
	if (a->code == FAULT_NONE && done != all)
		return "the run ends well though not all units are done";
	if (a->code == FAULT_UNITS && done == all && !strstr(a->text, "phase"))
		return "the run ends badly though all units are done";
	return check_all_final(m);
}

struct model *model_new(struct arena *a, const struct study *s, uint32_t prefetch,
                        const struct record *records, uint32_t nrecords)
{
	struct model *m = arena_alloc(a, sizeof *m);

	m->arena = a;
	m->study = s;
	m->prefetch = prefetch;
	m->paces = arena_array(a, s->nphases, sizeof *m->paces);
	slab_init(&m->units, a, sizeof(struct model_unit));
	slab_init(&m->trials, a, sizeof(struct model_trial));
	slab_init(&m->picks, a, sizeof(struct model_pick));
	slab_init(&m->rungs, a, sizeof(struct model_rung));
	for (uint32_t i = 0; i < nrecords; i++)
		if (records[i].kind == RECORD_TRIAL) {
			add_trial(m, &records[i]);
			m->changed |= records[i].gone == GONE_DELETED;
		} else if (records[i].kind == RECORD_PICK)
			add_pick(m, &records[i], false);
		else if (records[i].kind == RECORD_RUNG)
			add_rung(m, &records[i], false);
		else if (records[i].kind == RECORD_UNIT && records[i].unit)
			unit_at(m, records[i].unit)->fact = records[i].fact;
		else if (records[i].kind == RECORD_OBJECTIVE)
			unit_at(m, records[i].unit)->more[records[i].number - 1] = records[i].value;
	for (uint32_t u = 1; u <= m->units.count; u++)
		m->changed |= unit_at(m, u)->fact.pending == PENDING_DELETE;
	return m;
}
