/* sched: events, records and replay. How the pieces work together:
 *
 *              event ──► sched_step ──► records (facts) ──► sched_apply ──► what is true
 *                              │                                             ▲
 *                              └──► want, assign, cancel, recall, finish     └── the store, at a resume
 *
 * States of a unit (sched_units.c holds the table; sched_change.c has what users can do to them):
 *
 *      (new trial)
 *           │ no parents         parents done            assigned            finished, value fits
 *           ├──────────────► READY ◄────────── WAITING      ┌───────────────────► DONE
 *           ├─► WAITING        │ ▲                          │
 *           └─► BLOCKED        │ └── retry, requeue, lost,──┤
 *                  ▲           ▼     recalled, cancelled    │ no retries left
 *                  │        RUNNING ────────────────────────┴───────────────────► FAILED
 *                  │           │ at a rung ─► PAUSED ─► READY again, or PRUNED
 *                  │           └─ a rule of `prune` gives its trial up ─────────► PRUNED
 *                  └──────────────── a parent failed or is blocked (cause: the unit that failed)
 *
 * RUNNING means: a worker was told. Whether the worker has started it, or holds it ahead of need, is not a
 * fact: after a crash both are the same (the attempt is lost), so it lives in the slot of the live attempt.
 *
 * A step does, in this order: the event itself; growth (wants, picks, trials that need no search) until
 * nothing more follows; assignment; the question whether all is over. Each part only leaves marks for the
 * next (dirty instances, groups to ask for, ready queues, lists of workers with room), so a step costs
 * O(phases + log units + folds) and never looks at all units. Two things do: a pick, once, when its
 * candidates are complete, and the resume.
 *
 * What must hold (sched_audit checks it, the property tests watch it from outside):
 *   - a unit that is READY is in exactly one ready queue of its phase or waits for its back-off; no other is
 *   - `unmet` of a unit is the number of its parent units that are not DONE
 *   - a unit is RUNNING exactly when it has a slot; a lease is never used twice in one run, so a message
 * about an attempt that is over finds no slot and changes nothing
 *   - the capacity a worker has free is what it came with less the needs of its slots that are not held
 *   - everything that survives is in records: trials, facts of units, picks. The rest (unmet, queues, counts,
 *     which groups miss trials) is derived again by sched_resume
 *
 * Replay: while `replaying`, sched_apply stores facts as they come, in whatever order, and derives nothing.
 * sched_resume then walks once over all units in the order of their numbers (parents come first). */
#include "sched_core.h"

#include <stddef.h>
#include <string.h>

const char *unit_state_text(enum unit_state s)
{
	static const char *const text[] = {
#define X(name, text) text,
	    UNIT_STATES(X)
#undef X
	};
	return (unsigned)s < UNIT_STATE_COUNT ? text[s] : "?";
}

struct sched *sched_new(struct arena *a, const struct study *study, const struct sched_options *o)
{
	struct sched *s = arena_alloc(a, sizeof *s);

	s->arena = a;
	s->study = study;
	s->options = *o;
	if (s->options.backoff_ms <= 0)
		s->options.backoff_ms = 1000;
	s->recent_seconds = 1;
	s->replaying = true;
	s->alike = true;
	s->unfit_since_ms = INT64_MAX;
	s->phases = arena_array(a, study->nphases, sizeof *s->phases);
	plan_init(&s->plan, a, study);
	s->fold_values = arena_array(a, s->plan.max_units_per_trial, sizeof *s->fold_values);
	s->expected = arena_array(a, s->plan.ninstances, sizeof *s->expected);
	for (uint32_t i = 0; i < study->nphases; i++)
		for (int q = 0; q < READY_QUEUES; q++)
			queue_init(&s->phases[i].ready[q], a, &s->plan.units, offsetof(struct plan_unit, pos),
			           offsetof(struct plan_unit, priority));
	sched_workers_init(s);
	sched_prune_init(s);
	sched_objectives_init(s);
	sched_refresh_critical(s);
	return s;
}

/* ---- actions ------------------------------------------------------------------------------------ */
struct action *sched_action(struct sched *s, enum action_kind kind)
{
	struct actions *out = s->out;
	struct action *a;

	if (out->count == out->cap) {
		uint32_t cap = out->cap ? 2 * out->cap : 32;

		out->items = arena_grow(out->scratch, out->items, out->cap * sizeof *out->items,
		                        cap * sizeof *out->items);
		out->cap = cap;
	}
	a = &out->items[out->count++];
	memset(a, 0, sizeof *a);
	a->kind = kind;
	return a;
}

static int apply(struct sched *s, const struct record *r, struct fault *f);

void sched_record(struct sched *s, const struct record *r)
{
	apply(s, r, NULL);
	sched_action(s, ACTION_RECORD)->record = *r;
}

/* ---- records ------------------------------------------------------------------------------------ */
/* A gap in the stored numbers is what an accepted edit made forget; a larger one is damage. */
enum { MAX_LEFT_OUT = 1 << 24 };

static int number_fault(const struct sched *s, const struct record *r, struct fault *f)
{
	if (r->trial <= s->plan.trials.count || (r->first_unit && r->first_unit <= s->plan.units.count) ||
	    r->trial - s->plan.trials.count > MAX_LEFT_OUT ||
	    (r->first_unit && r->first_unit - s->plan.units.count > MAX_LEFT_OUT))
		return fault_set(f, FAULT_IO, "trial %u is stored after trial %u", r->trial,
		                 s->plan.trials.count);
	return 0;
}

static void job_of_record(const struct record *r, struct plan_job *j)
{
	*j = (struct plan_job){.k = r->k,
	                       .key = r->key,
	                       .values = r->values,
	                       .parents = r->parents,
	                       .nparents = r->nparents,
	                       .candidates = r->candidates,
	                       .ncandidates = r->ncandidates,
	                       .best_n = r->best_n};
}

/* A job may have got parents that are younger than itself: in a replay they are not there yet. */
static bool comes_later(const struct sched *s, const struct record *r)
{
	return s->replaying && ((r->nparents && r->parents[r->nparents - 1] >= r->trial) ||
	                        (r->ncandidates && r->candidates[r->ncandidates - 1] >= r->trial));
}

static const uint32_t *keep_list(struct sched *s, const uint32_t *list, uint32_t n)
{
	return n ? arena_grow(s->arena, list, n * sizeof *list, n * sizeof *list) : NULL;
}

static void put_off(struct sched *s, const struct record *r)
{
	struct late_job *x = arena_alloc(s->arena, sizeof *x);

	x->next = s->late;
	s->late = x;
	x->trial = r->trial;
	x->job =
	    (struct plan_job){.best_n = r->best_n, .nparents = r->nparents, .ncandidates = r->ncandidates};
	x->job.parents = keep_list(s, r->parents, r->nparents);
	x->job.candidates = keep_list(s, r->candidates, r->ncandidates);
}

/* All trials are there. */
static int apply_late(struct sched *s, struct fault *f)
{
	for (; s->late; s->late = s->late->next) {
		const struct plan_job *j = &s->late->job;
		uint32_t instance = plan_trial(&s->plan, s->late->trial)->instance;

		if (!plan_parents_valid(&s->plan, instance, j->parents, j->nparents) ||
		    !plan_parents_valid(&s->plan, instance, j->candidates, j->ncandidates))
			return fault_set(f, FAULT_IO,
			                 "trial %u does not come after the trials its phase comes after",
			                 s->late->trial);
		plan_set_job_parents(&s->plan, s->late->trial, j);
	}
	return 0;
}

static int apply_job(struct sched *s, const struct record *r, uint32_t instance, struct fault *f)
{
	struct plan_job j;

	if (r->k >= s->study->phases[r->phase].ncommands)
		return fault_set(f, FAULT_IO, "trial %u has command %u of %u", r->trial, r->k,
		                 s->study->phases[r->phase].ncommands);
	job_of_record(r, &j);
	j.instance = instance;
	if (comes_later(s, r)) {
		put_off(s, r);
		j.nparents = j.ncandidates = j.best_n = 0;
	} else if (!plan_parents_valid(&s->plan, instance, r->parents, r->nparents) ||
	           !plan_parents_valid(&s->plan, instance, r->candidates, r->ncandidates)) {
		return fault_set(f, FAULT_IO, "trial %u does not come after the trials its phase comes after",
		                 r->trial);
	}
	plan_add_job(&s->plan, &j);
	return 0;
}

static int apply_trial(struct sched *s, const struct record *r, struct fault *f)
{
	uint32_t instance = plan_instance(&s->plan, r->phase, r->outer), known;
	const struct study_phase *ph;

	if (number_fault(s, r, f))
		return -1;
	if (instance == UINT32_MAX)
		return fault_set(f, FAULT_IO,
		                 "trial %u belongs to phase %u, outer fold %d: the study has none such",
		                 r->trial, r->phase, r->outer);
	ph = &s->study->phases[r->phase];
	plan_leave_out(&s->plan, r->trial, r->first_unit);
	if (r->gone) {
		plan_add_gone(&s->plan, r->key, s->plan.units_per_trial[r->phase], r->gone);
		return 0;
	}
	if (!ph->scheduled && !plan_parents_valid(&s->plan, instance, r->parents, r->nparents))
		return fault_set(f, FAULT_IO, "trial %u does not come after the trials its phase comes after",
		                 r->trial);
	known = plan_find_trial(&s->plan, r->key);
	if (known && plan_trial(&s->plan, known)->combo)
		return fault_set(f, FAULT_IO, "trial %u has the key of trial %u", r->trial, known);
	if (ph->space.nparams && !r->values)
		return fault_set(f, FAULT_IO, "trial %u has no values", r->trial);
	if (ph->scheduled) {
		if (apply_job(s, r, instance, f))
			return -1;
	} else {
		plan_add_trial(&s->plan, plan_add_combo(&s->plan, instance, r->parents, r->nparents), r->k,
		               r->key, r->values);
	}
	sched_count_new_units(s, r->trial, r->nparents + r->ncandidates + r->best_n == 0);
	return 0;
}

/* Only a run that goes on says this: a replay finds it in the trial's own row. */
static void apply_parents(struct sched *s, const struct record *r)
{
	struct plan_job j;

	job_of_record(r, &j);
	plan_set_job_parents(&s->plan, r->trial, &j);
}

static int apply_unit(struct sched *s, const struct record *r, struct fault *f)
{
	if (r->unit < 1 || r->unit > s->plan.units.count || !plan_unit(&s->plan, r->unit)->trial)
		return fault_set(f, FAULT_IO, "unit %u belongs to no stored trial", r->unit);
	if ((unsigned)r->fact.state >= UNIT_STATE_COUNT || (unsigned)r->fact.reason >= REASON_COUNT ||
	    (unsigned)r->fact.pending > PENDING_PRUNE || r->fact.rung > UINT8_MAX ||
	    r->fact.cause > s->plan.units.count)
		return fault_set(f, FAULT_IO, "unit %u has a state that does not exist", r->unit);
	sched_set_fact(s, r->unit, &r->fact);
	return 0;
}

/* Winners are collected until the last one: they may become the parents of one child together. The first one
 * starts anew, should an earlier pick have been cut off. */
static int apply_pick(struct sched *s, const struct record *r, struct fault *f)
{
	uint32_t instance = plan_instance(&s->plan, r->phase, r->outer);

	if (r->child_phase < s->study->nphases && s->study->phases[r->child_phase].scheduled)
		return 0; /* for the eyes of people: who won is in the parents of the trial it was for */
	if (instance == UINT32_MAX || r->child_phase >= s->study->nphases || r->trial < 1 ||
	    r->trial > s->plan.trials.count || plan_trial(&s->plan, r->trial)->instance != instance)
		return fault_set(f, FAULT_IO, "a stored pick names trial %u, which was no candidate",
		                 r->trial);
	if (r->bucket == 0 && r->rank == 0)
		s->npick = 0;
	if (s->npick == s->pick_cap) {
		uint32_t cap = s->pick_cap ? 2 * s->pick_cap : 16;

		s->pick_trials = arena_grow(s->arena, s->pick_trials, s->npick * sizeof *s->pick_trials,
		                            cap * sizeof *s->pick_trials);
		s->pick_cap = cap;
	}
	s->pick_trials[s->npick++] = r->trial;
	if (!r->last)
		return 0;
	plan_picked(&s->plan, instance, r->child_phase, s->pick_trials, s->npick);
	s->npick = 0;
	return 0;
}

static int apply_unpick(struct sched *s, const struct record *r, struct fault *f)
{
	uint32_t instance = plan_instance(&s->plan, r->phase, r->outer);

	if (instance == UINT32_MAX)
		return fault_set(f, FAULT_IO, "a pick among trials that cannot be is void");
	plan_unpick(&s->plan, instance, r->child_phase);
	return 0;
}

/* BEGIN, END and UNBEGIN are the history of attempts; what they change is in the fact that goes with them. */
static int apply(struct sched *s, const struct record *r, struct fault *f)
{
	switch (r->kind) {
	case RECORD_TRIAL:
		return apply_trial(s, r, f);
	case RECORD_UNIT:
		return apply_unit(s, r, f);
	case RECORD_PICK:
		return apply_pick(s, r, f);
	case RECORD_BEGIN:
	case RECORD_END:
	case RECORD_UNBEGIN:
		return 0;
	case RECORD_ARCHIVE:
		if (!s->replaying)
			sched_prune_forget(s, r->unit);
		return 0;
	case RECORD_METRIC:
		sched_apply_metric(s, r);
		return 0;
	case RECORD_RUNG:
		return sched_apply_rung(s, r, f);
	case RECORD_OBJECTIVE:
		return sched_apply_objective(s, r, f);
	case RECORD_UNPICK:
		return apply_unpick(s, r, f);
	case RECORD_PARENTS:
		apply_parents(s, r);
		return 0;
	case RECORD_GONE:
		sched_drop_trial(s, r->trial, r->gone);
		return 0;
	}
	return fault_set(f, FAULT_IO, "unknown kind of record %d", (int)r->kind);
}

int sched_apply(struct sched *s, const struct record *r, struct fault *f)
{
	if (!s->replaying)
		return fault_set(f, FAULT_BUG, "a record is replayed into a scheduler that runs");
	if (r->kind != RECORD_TRIAL && apply_late(s, f))
		return -1;
	return apply(s, r, f);
}

int sched_applied(struct sched *s, struct fault *f)
{
	return apply_late(s, f);
}

void sched_resume(struct sched *s, int64_t now_ms, struct actions *out)
{
	if (!s->replaying)
		return;
	s->out = out;
	s->now_ms = now_ms;
	apply_late(s, NULL);
	s->replaying = false;
	plan_mark_open(&s->plan);
	sched_rebuild_units(s);
	for (uint32_t i = 0; i < s->plan.ninstances; i++)
		if (s->plan.instances[i].exists)
			plan_touch(&s->plan, i);
	for (uint32_t t = 1; t <= s->plan.trials.count; t++)
		if (plan_trial(&s->plan, t)->combo)
			sched_check_study_stop(s, t);
	sched_apply_pending(s);
	s->out = NULL;
}

/* Phases of the smaller study are phases of the larger one, at other places. */
static void adopt_durations(struct sched *s, const struct sched *from)
{
	for (uint32_t i = 0; i < from->study->nphases; i++) {
		const struct study_phase *p = study_find_phase(s->study, from->study->phases[i].name);

		if (!p)
			continue;
		s->phases[p->index].durations = from->phases[i].durations;
		s->phases[p->index].too_late_ms = from->phases[i].too_late_ms;
	}
	s->recent_seconds = from->recent_seconds;
	sched_refresh_critical(s);
}

void sched_adopt(struct sched *s, const struct sched *from)
{
	s->now_ms = from->now_ms;
	s->adopted = true;
	s->options.begin_ms = from->options.begin_ms;
	s->options.end_ms = from->options.end_ms;
	s->stop = from->stop;
	s->alike = from->alike;
	s->nalike = from->nalike;
	s->alike_node = from->alike_node;
	s->alike_spread = from->alike_spread;
	memcpy(s->alike_units, from->alike_units, sizeof s->alike_units);
	s->alike_result = from->alike_result;
	adopt_durations(s, from);
	apply_late(s, NULL);
	sched_adopt_delays(s, from);
	sched_adopt_workers(s, from);
}

/* ---- events ------------------------------------------------------------------------------------- */
static void handle(struct sched *s, const struct event *e)
{
	switch (e->kind) {
	case EVENT_TICK:
		break;
	case EVENT_WORKER_UP:
		sched_worker_up(s, e);
		break;
	case EVENT_WORKER_LOST:
		sched_worker_lost(s, e->worker);
		break;
	case EVENT_PROPOSED:
		sched_propose(s, e);
		break;
	case EVENT_EXHAUSTED:
		sched_exhausted(s, e);
		break;
	case EVENT_STARTED:
		sched_started(s, e);
		break;
	case EVENT_METRIC:
		sched_metric(s, e);
		break;
	case EVENT_FINISHED:
		sched_finished(s, e);
		break;
	case EVENT_RECALLED:
		sched_recalled(s, e);
		break;
	case EVENT_REQUEST:
		sched_request(s, e->request, e->effect);
		break;
	case EVENT_JOB:
		sched_add_job(s, e);
		break;
	case EVENT_DRAIN:
		sched_stop(s, STOP_DRAINED);
		break;
	case EVENT_STOP:
		sched_stop(s, STOP_ASKED);
		break;
	}
}

void sched_step(struct sched *s, const struct event *e, struct actions *out)
{
	if (s->finished)
		return;
	sched_resume(s, e->now_ms, out);
	s->out = out;
	if (e->now_ms > s->now_ms)
		s->now_ms = e->now_ms;
	handle(s, e);
	sched_wake(s);
	if (!s->stop)
		sched_grow(s);
	if (!s->stop && !s->options.standing) {
		sched_recall_late(s);
		sched_assign(s);
		sched_feed(s);
	}
	if (!s->options.standing)
		sched_maybe_finish(s);
	s->out = NULL;
}

int64_t sched_next_tick_ms(const struct sched *s)
{
	int64_t next = INT64_MAX;

	if (s->finished)
		return next;
	if (s->replaying || (!s->stop && sched_growing(s)))
		return s->now_ms;
	if (!s->stop && s->ndelays)
		next = s->delays[0].due_ms;
	if (!s->stop && sched_next_late_ms(s) < next)
		next = sched_next_late_ms(s);
	if (s->unfit_since_ms != INT64_MAX && s->unfit_since_ms + UNFIT_WAIT_MS < next)
		next = s->unfit_since_ms + UNFIT_WAIT_MS;
	return next;
}
