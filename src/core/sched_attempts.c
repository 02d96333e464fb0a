/* attempts: how they begin and end, what a result comes to, when a unit is tried again, and what a resume
 * makes of the attempts that died with the last run. */
#include "sched_core.h"

#include <math.h>

/* ---- attempts --------------------------------------------------------------------------------------- */
static void record_attempt(struct sched *s, enum record_kind kind, uint32_t unit, uint32_t worker,
                           uint32_t attempt, const struct unit_fact *f, const struct attempt_result *r)
{
	struct record rec = {.kind = kind, .unit = unit, .worker = worker, .attempt = attempt, .fact = *f};

	rec.trial = plan_unit(&s->plan, unit)->trial;
	if (r)
		rec.result = *r;
	sched_record(s, &rec);
	sched_record_fact(s, unit, f);
}

void sched_begin(struct sched *s, uint32_t unit, uint32_t worker)
{
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	f.state = UNIT_RUNNING;
	f.attempts++;
	record_attempt(s, RECORD_BEGIN, unit, worker, f.attempts, &f, NULL);
}

/* A request stands behind the end of this attempt: what it brought does not matter. */
static void take_back(struct unit_fact *f)
{
	if (f->pending == PENDING_PRUNE) {
		f->state = UNIT_PRUNED;
		f->pending = PENDING_NONE;
		return;
	}
	f->reason = REASON_NONE;
	f->value = f->best_step = (double)NAN;
	f->state = UNIT_READY;
	if (f->pending == PENDING_CANCEL) {
		f->state = UNIT_CANCELLED;
		f->pending = PENDING_NONE;
	}
}

static void after_taking_back(struct sched *s, uint32_t unit, enum pending pending)
{
	if (pending == PENDING_RESET || pending == PENDING_DELETE) {
		sched_pending_ended(s, unit);
		return;
	}
	sched_block_descendants(s, unit);
	if (pending == PENDING_PRUNE)
		sched_check_study_stop(s, plan_unit(&s->plan, unit)->trial);
}

void sched_unbegin(struct sched *s, uint32_t unit, uint32_t worker)
{
	struct unit_fact f;
	enum pending pending;
	uint32_t attempt;

	sched_get_fact(s, unit, &f);
	pending = f.pending;
	f.state = UNIT_READY;
	if (pending)
		take_back(&f);
	attempt = f.attempts--;
	record_attempt(s, RECORD_UNBEGIN, unit, worker, attempt, &f, NULL);
	if (pending)
		after_taking_back(s, unit, pending);
}

static double objective(const struct study_phase *ph, const struct attempt_result *r)
{
	return ph->report == REPORT_BEST ? r->best : r->last;
}

/* What the attempt comes to, once the metric is taken into account. */
static enum reason judge(const struct study_phase *ph, const struct attempt_result *r)
{
	if (r->requeue)
		return REASON_REQUEUE;
	if (r->reason != REASON_NONE)
		return r->reason;
	if (!ph->metric)
		return REASON_NONE;
	if (!r->has_value)
		return REASON_NO_METRIC;
	for (uint32_t i = 0; i < ph->nmore; i++)
		if (!isfinite(r->more[i]))
			return REASON_BAD_METRIC;
	return isfinite(objective(ph, r)) ? REASON_NONE : REASON_BAD_METRIC;
}

static bool retryable(const struct study_phase *ph, const struct unit_fact *f)
{
	if (f->reason == REASON_LOST)
		return f->losses <= ph->limits.lost_limit;
	return (ph->limits.retry_on & 1u << f->reason) && f->failures <= ph->limits.retries;
}

/* The fact after an attempt that ended so. excused: it was not its own will to be requeued. */
static void conclude(const struct study_phase *ph, struct unit_fact *f, const struct attempt_result *r,
                     enum reason reason, bool excused)
{
	f->reason = reason;
	f->state = UNIT_READY;
	switch (reason) {
	case REASON_NONE:
		f->state = UNIT_DONE;
		f->idle_requeues = 0;
		f->value = ph->metric ? objective(ph, r) : (double)NAN;
		f->best_step = r->best_step;
		return;
	case REASON_REQUEUE:
		if (excused)
			return;
		f->idle_requeues = r->new_step ? 0 : f->idle_requeues + 1;
		if (f->idle_requeues < REQUEUE_IDLE_MAX)
			return;
		f->idle_requeues = 0;
		f->reason = REASON_EXIT;
		f->failures++;
		break;
	case REASON_LOST:
		f->losses++;
		break;
	default:
		f->failures++;
		break;
	}
	if (!retryable(ph, f))
		f->state = UNIT_FAILED;
}

static void delay_push(struct sched *s, struct delay d)
{
	uint32_t at = s->ndelays++;

	if (at == s->delays_cap) {
		uint32_t cap = s->delays_cap ? 2 * s->delays_cap : 64;

		s->delays = arena_grow(s->arena, s->delays, at * sizeof d, cap * sizeof d);
		s->delays_cap = cap;
	}
	for (; at > 0 && s->delays[(at - 1) / 2].due_ms > d.due_ms; at = (at - 1) / 2)
		s->delays[at] = s->delays[(at - 1) / 2];
	s->delays[at] = d;
}

void sched_drop_delay(struct sched *s)
{
	struct delay last = s->delays[--s->ndelays];
	uint32_t at = 0, kid;

	for (; (kid = 2 * at + 1) < s->ndelays; at = kid) {
		if (kid + 1 < s->ndelays && s->delays[kid + 1].due_ms < s->delays[kid].due_ms)
			kid++;
		if (s->delays[kid].due_ms >= last.due_ms)
			break;
		s->delays[at] = s->delays[kid];
	}
	s->delays[at] = last;
}

static void back_off(struct sched *s, uint32_t unit, uint32_t failures)
{
	uint32_t doublings = failures - 1 < BACKOFF_DOUBLINGS ? failures - 1 : BACKOFF_DOUBLINGS;

	sched_dequeue(s, unit);
	plan_unit(&s->plan, unit)->delayed = true;
	delay_push(s, (struct delay){s->now_ms + (s->options.backoff_ms << doublings), unit,
	                             plan_unit(&s->plan, unit)->attempts});
}

void sched_fence(struct sched *s, uint32_t unit, int64_t until_ms)
{
	if (unit < 1 || unit > s->plan.units.count)
		return;
	if (s->nfences == s->fences_cap) {
		uint32_t cap = s->fences_cap ? 2 * s->fences_cap : 16;

		s->fences =
		    arena_grow(s->arena, s->fences, s->nfences * sizeof *s->fences, cap * sizeof *s->fences);
		s->fences_cap = cap;
	}
	s->fences[s->nfences++] = (struct fence){unit, until_ms};
	plan_unit(&s->plan, unit)->fenced = true;
}

bool sched_wait_behind_fence(struct sched *s, uint32_t unit)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);
	int64_t until = s->now_ms;

	for (uint32_t i = 0; i < s->nfences; i++)
		if (s->fences[i].unit == unit && s->fences[i].until_ms > until)
			until = s->fences[i].until_ms;
	u->fenced = until > s->now_ms;
	if (!u->fenced)
		return false;
	u->delayed = true;
	delay_push(s, (struct delay){until, unit, u->attempts});
	return true;
}

void sched_adopt_delays(struct sched *s, const struct sched *from)
{
	for (uint32_t i = 0; i < from->nfences; i++)
		sched_fence(s, from->fences[i].unit, from->fences[i].until_ms);
	for (uint32_t i = 0; i < from->ndelays; i++) {
		const struct delay *d = &from->delays[i];

		if (!sched_delays(from, d))
			continue;
		plan_unit(&s->plan, d->unit)->delayed = true;
		delay_push(s, *d);
	}
}

void sched_wake(struct sched *s)
{
	while (s->ndelays && s->delays[0].due_ms <= s->now_ms) {
		struct delay d = s->delays[0];

		sched_drop_delay(s);
		if (sched_delays(s, &d)) {
			plan_unit(&s->plan, d.unit)->delayed = false;
			sched_enqueue(s, d.unit);
		}
	}
}

void sched_end(struct sched *s, uint32_t unit, uint32_t worker, const struct attempt_result *r,
               bool cancelled)
{
	const struct study_phase *ph = &s->study->phases[sched_phase_of(s, unit)];
	struct attempt_result judged = *r;
	struct unit_fact f;
	enum pending pending;
	uint32_t failures;

	sched_get_fact(s, unit, &f);
	failures = f.failures;
	pending = f.pending;
	judged.reason = judge(ph, r);
	if (cancelled && judged.reason != REASON_NONE && judged.reason != REASON_LOST)
		judged.reason = REASON_REQUEUE;
	if (pending == PENDING_PRUNE)
		judged.reason = f.reason;
	if (pending)
		take_back(&f);
	else
		conclude(ph, &f, r, judged.reason, cancelled || (!r->new_step && sched_is_late(s)));
	if (!pending && f.state == UNIT_DONE && sched_is_below_top(s, unit, &f.step))
		f.state = UNIT_PAUSED;
	if (f.state == UNIT_DONE)
		sched_record_objectives(s, unit, r);
	record_attempt(s, RECORD_END, unit, worker, f.attempts, &f, &judged);
	if (pending) {
		after_taking_back(s, unit, pending);
		return;
	}
	if (f.state == UNIT_PAUSED)
		sched_paused(s, unit);
	else if (f.state == UNIT_DONE)
		sched_parent_done(s, unit);
	else if (f.state == UNIT_FAILED)
		sched_block_descendants(s, unit);
	else if (f.failures > failures)
		back_off(s, unit, f.failures);
	sched_node_result(s, unit, worker, f.state, judged.reason);
	if (r->requeue && !cancelled && !pending)
		sched_note_requeue(s, ph->index, !r->new_step);
	sched_note_result(s, unit, worker, &judged);
	sched_check_study_stop(s, plan_unit(&s->plan, unit)->trial);
	if (f.state == UNIT_DONE)
		sched_race(s, unit);
}

/* ---- resume ------------------------------------------------------------------------------------------ */
/* Retries and limits may be larger than they were when this unit failed. */
static bool may_retry(const struct sched *s, uint32_t unit)
{
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	return f.state == UNIT_FAILED && !f.pending && f.reason != REASON_NONE &&
	       retryable(&s->study->phases[sched_phase_of(s, unit)], &f);
}

/* What was running died with the last run. */
static void lose(struct sched *s, uint32_t unit)
{
	const struct study_phase *ph = &s->study->phases[sched_phase_of(s, unit)];
	struct attempt_result r = {.reason = s->options.interrupted ? REASON_REQUEUE : REASON_LOST,
	                           .exit_code = -1};
	struct unit_fact f;

	r.last = r.best = r.best_step = (double)NAN;
	sched_get_fact(s, unit, &f);
	if (f.pending)
		take_back(&f);
	else
		conclude(ph, &f, &r, r.reason, s->options.interrupted);
	record_attempt(s, RECORD_END, unit, 0, f.attempts, &f, &r);
}

/* Waiting, ready, blocked: what the parents say counts. A stored cause stays as long as it is one. */
static void rederive(struct sched *s, uint32_t unit, enum unit_state derived, uint32_t cause)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	struct unit_fact f;

	if (derived == UNIT_BLOCKED && u->state == UNIT_BLOCKED && u->cause &&
	    sched_dead(plan_unit(&s->plan, u->cause)->state))
		return;
	if (derived == u->state && cause == u->cause)
		return;
	sched_get_fact(s, unit, &f);
	f.state = derived;
	f.cause = cause;
	sched_record_fact(s, unit, &f);
}

/* It was to be stopped and had not even started: there is nothing to wait for. */
static void end_pending(struct sched *s, uint32_t unit)
{
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	take_back(&f);
	sched_record_fact(s, unit, &f);
}

static void rebuild_unit(struct sched *s, uint32_t unit)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	uint32_t cause;
	enum unit_state derived;

	if (u->state == UNIT_READY && (u->pending == PENDING_CANCEL || u->pending == PENDING_PRUNE))
		end_pending(s, unit);
	if (u->state == UNIT_READY && !u->pending && !u->delayed)
		sched_enqueue(s, unit);
	derived = sched_derive(s, unit, &cause);
	if (u->state == UNIT_RUNNING && !u->slot)
		lose(s, unit);
	if (u->state == UNIT_WAITING || u->state == UNIT_READY || u->state == UNIT_BLOCKED ||
	    may_retry(s, unit))
		rederive(s, unit, derived, cause);
	if (u->pending == PENDING_RESET || u->pending == PENDING_DELETE)
		sched_note_pending(s, unit);
}

static void recount_trial(struct sched *s, uint32_t trial)
{
	struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t n = plan_nunits(&s->plan, t);

	for (uint32_t v = t->first_unit; v < t->first_unit + n; v++) {
		const struct plan_unit *w = plan_unit(&s->plan, v);

		t->units_done += w->state == UNIT_DONE;
		t->units_final += sched_final(w->state);
		t->units_failed += w->state == UNIT_FAILED;
		t->units_begun += w->attempts > 0;
		s->plan.instances[t->instance].busy += sched_busy(w->state);
	}
	if (sched_trial_final(s, t))
		s->plan.instances[t->instance].trials_open--;
}

/* Parents before children. In a study file's phases numbers say that; a scheduled trial may have got parents
 * that came after it, then phases do. */
static void rebuild_in_order(struct sched *s)
{
	bool scheduled = false;

	for (uint32_t p = 0; p < s->study->nphases; p++)
		scheduled = scheduled || s->study->phases[p].scheduled;
	for (uint32_t p = 0; p < (scheduled ? s->study->nphases : 1); p++)
		for (uint32_t unit = 1; unit <= s->plan.units.count; unit++)
			if (plan_unit(&s->plan, unit)->trial && (!scheduled || sched_phase_of(s, unit) == p))
				rebuild_unit(s, unit);
}

void sched_rebuild_units(struct sched *s)
{
	for (uint32_t t = 1; t <= s->plan.trials.count; t++)
		if (plan_trial(&s->plan, t)->combo)
			recount_trial(s, t);
	sched_recount_choices(s);
	sched_rebuild_races(s);
	rebuild_in_order(s);
	sched_rebuild_pruner(s);
	if (!s->adopted)
		s->alike = s->by_state[UNIT_DONE] == 0;
}
