/* units: their states and what results of attempts do to them. */
#include "sched_core.h"

#include "stats.h"

#include <assert.h>
#include <math.h>

/* ---- the table ----------------------------------------------------------------------------------- */
#define TO(s) (1u << UNIT_##s)
static const uint32_t allowed[UNIT_STATE_COUNT] = {
    [UNIT_WAITING] = TO(READY) | TO(BLOCKED) | TO(HELD) | TO(CANCELLED),
    [UNIT_READY] = TO(RUNNING) | TO(READY) | TO(WAITING) | TO(HELD) | TO(CANCELLED) | TO(BLOCKED),
    [UNIT_RUNNING] = TO(READY) | TO(DONE) | TO(FAILED) | TO(PAUSED) | TO(PRUNED) | TO(CANCELLED),
    [UNIT_PAUSED] = TO(READY) | TO(PRUNED) | TO(CANCELLED) | TO(HELD),
    [UNIT_DONE] = TO(WAITING) | TO(READY),
    [UNIT_FAILED] = TO(READY) | TO(WAITING) | TO(BLOCKED),
    [UNIT_BLOCKED] = TO(WAITING) | TO(READY) | TO(BLOCKED),
    [UNIT_PRUNED] = TO(WAITING) | TO(READY),
    [UNIT_CANCELLED] = TO(WAITING) | TO(READY),
    [UNIT_HELD] = TO(WAITING) | TO(READY) | TO(BLOCKED) | TO(CANCELLED),
};
#undef TO

/* ---- facts --------------------------------------------------------------------------------------- */
void sched_get_fact(const struct sched *s, uint32_t unit, struct unit_fact *f)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);

	*f = (struct unit_fact){.state = (enum unit_state)u->state,
	                        .reason = (enum reason)u->reason,
	                        .cause = u->cause,
	                        .attempts = u->attempts,
	                        .failures = u->failures,
	                        .losses = u->losses,
	                        .idle_requeues = u->idle_requeues,
	                        .value = u->value,
	                        .best_step = u->best_step};
}

static void store_fact(struct plan_unit *u, const struct unit_fact *f)
{
	u->state = (uint8_t)f->state;
	u->reason = (uint8_t)f->reason;
	u->cause = f->cause;
	u->attempts = f->attempts;
	u->failures = f->failures;
	u->losses = f->losses;
	u->idle_requeues = f->idle_requeues;
	u->value = f->value;
	u->best_step = f->best_step;
}

/* ---- ready queues -------------------------------------------------------------------------------- */
static enum ready_queue queue_for(const struct plan_trial *t)
{
	if (t->units_failed)
		return READY_LAST;
	return t->units_begun ? READY_BEGUN : READY_FRESH;
}

static void enqueue(struct sched *s, uint32_t unit)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);

	u->queue = (uint8_t)queue_for(plan_trial(&s->plan, u->trial));
	queue_push(&s->phases[sched_phase_of(s, unit)].ready[u->queue], unit);
}

static void dequeue(struct sched *s, uint32_t unit)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);

	if (!u->queue)
		return;
	queue_remove(&s->phases[sched_phase_of(s, unit)].ready[u->queue], unit);
	u->queue = READY_NONE;
}

/* The trial has begun, or one of its folds has failed for good: its ready units change places. */
static void requeue_trial(struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t n = plan_nunits(&s->plan, t);
	enum ready_queue now = queue_for(t);

	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++)
		if (plan_unit(&s->plan, u)->queue && plan_unit(&s->plan, u)->queue != now) {
			dequeue(s, u);
			enqueue(s, u);
		}
}

/* ---- counters ------------------------------------------------------------------------------------ */
/* Add (sign 1) or take away (-1) a unit in its present state from every count it is part of. */
static void count_unit(struct sched *s, uint32_t unit, int sign)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	struct plan_trial *t = plan_trial(&s->plan, u->trial);
	uint32_t one = (uint32_t)sign;

	s->by_state[u->state] += (uint64_t)(int64_t)sign;
	s->phases[sched_phase_of(s, unit)].by_state[u->state] += (uint64_t)(int64_t)sign;
	if (s->replaying)
		return;
	t->units_done += u->state == UNIT_DONE ? one : 0;
	t->units_final += sched_final(u->state) ? one : 0;
	t->units_failed += u->state == UNIT_FAILED ? one : 0;
	t->units_begun += u->attempts ? one : 0;
}

static void count_trial_final(struct sched *s, uint32_t trial, bool was, bool is)
{
	struct plan_instance *in = &s->plan.instances[plan_trial(&s->plan, trial)->instance];

	if (was == is)
		return;
	in->trials_open += is ? UINT32_MAX : 1;
	plan_touch(&s->plan, plan_trial(&s->plan, trial)->instance);
}

static bool trial_final(const struct sched *s, const struct plan_trial *t)
{
	return t->units_final == plan_nunits(&s->plan, t);
}

void sched_set_fact(struct sched *s, uint32_t unit, const struct unit_fact *f)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);
	struct plan_trial *t = plan_trial(&s->plan, u->trial);
	bool was_final = trial_final(s, t);
	enum ready_queue before = queue_for(t);

	assert(s->replaying || (allowed[u->state] & 1u << f->state));
	count_unit(s, unit, -1);
	store_fact(u, f);
	count_unit(s, unit, 1);
	if (s->replaying)
		return;
	u->delayed = false;
	if (u->state != UNIT_READY)
		dequeue(s, unit);
	else if (!u->queue)
		enqueue(s, unit);
	if (queue_for(t) != before)
		requeue_trial(s, u->trial);
	count_trial_final(s, u->trial, was_final, trial_final(s, t));
}

/* Birth: ready when there is nothing to wait for, else waiting. */
void sched_count_new_units(struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t n = plan_nunits(&s->plan, t);
	bool root = plan_combo(&s->plan, t->combo)->nparents == 0;

	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++) {
		plan_unit(&s->plan, u)->state = root ? UNIT_READY : UNIT_WAITING;
		count_unit(s, u, 1);
		if (root && !s->replaying)
			enqueue(s, u);
	}
}

void sched_record_fact(struct sched *s, uint32_t unit, const struct unit_fact *f)
{
	struct record r = {.kind = RECORD_UNIT, .unit = unit, .fact = *f};

	r.trial = plan_unit(&s->plan, unit)->trial;
	r.attempt = f->attempts;
	sched_record(s, &r);
}

static void change_state(struct sched *s, uint32_t unit, enum unit_state state, uint32_t cause)
{
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	f.state = state;
	f.cause = cause;
	sched_record_fact(s, unit, &f);
}

/* ---- parents and children -------------------------------------------------------------------------- */
enum unit_state sched_derive(struct sched *s, uint32_t unit, uint32_t *cause)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);
	const struct plan_combo *c = plan_combo(&s->plan, plan_trial(&s->plan, u->trial)->combo);

	u->unmet = 0;
	*cause = 0;
	for (uint32_t i = 0; i < c->nparents; i++) {
		uint32_t first, n;

		plan_needs(&s->plan, unit, plan_parents(c)[i], &first, &n);
		for (uint32_t p = first; p < first + n; p++) {
			const struct plan_unit *up = plan_unit(&s->plan, p);

			u->unmet += up->state != UNIT_DONE;
			if (!*cause && sched_dead(up->state))
				*cause = up->state == UNIT_BLOCKED && up->cause ? up->cause : p;
		}
	}
	if (*cause)
		return UNIT_BLOCKED;
	return u->unmet ? UNIT_WAITING : UNIT_READY;
}

/* Call visit for each unit that hangs on `unit`. */
static void each_child(struct sched *s, uint32_t unit,
                       void (*visit)(struct sched *s, uint32_t child, uint32_t arg), uint32_t arg)
{
	const struct plan *p = &s->plan;
	const struct plan_trial *t = plan_trial(p, plan_unit(p, unit)->trial);

	for (uint32_t l = t->first_link; l; l = plan_link(p, l)->next) {
		const struct plan_combo *c = plan_combo(p, plan_link(p, l)->combo);

		for (uint32_t d = c->first_trial; d; d = plan_trial(p, d)->next_in_combo) {
			uint32_t first, n;

			plan_needs(p, unit, d, &first, &n);
			for (uint32_t k = first; k < first + n; k++)
				visit(s, k, arg);
		}
	}
}

void sched_settle_trial(struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t n = plan_nunits(&s->plan, t);

	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++) {
		uint32_t cause;
		enum unit_state state = sched_derive(s, u, &cause);

		if (state != plan_unit(&s->plan, u)->state)
			change_state(s, u, state, cause);
	}
}

static void one_parent_done(struct sched *s, uint32_t unit, uint32_t arg)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);

	(void)arg;
	assert(u->unmet > 0);
	if (--u->unmet == 0 && u->state == UNIT_WAITING)
		change_state(s, unit, UNIT_READY, 0);
}

static void push(struct sched *s, uint32_t unit)
{
	if (s->stack_count == s->stack_cap) {
		uint32_t cap = s->stack_cap ? 2 * s->stack_cap : 256;

		s->stack = arena_grow(s->arena, s->stack, s->stack_cap * sizeof unit, cap * sizeof unit);
		s->stack_cap = cap;
	}
	s->stack[s->stack_count++] = unit;
}

static void block_child(struct sched *s, uint32_t unit, uint32_t cause)
{
	uint32_t state = plan_unit(&s->plan, unit)->state;

	if (state != UNIT_WAITING && state != UNIT_READY && state != UNIT_HELD)
		return;
	change_state(s, unit, UNIT_BLOCKED, cause);
	push(s, unit);
}

static void block_descendants(struct sched *s, uint32_t unit)
{
	uint32_t base = s->stack_count;

	each_child(s, unit, block_child, unit);
	while (s->stack_count > base)
		each_child(s, s->stack[--s->stack_count], block_child, unit);
}

/* Another ancestor may block it still: then that one is the cause now. */
static void unblock_child(struct sched *s, uint32_t unit, uint32_t reopened)
{
	uint32_t cause;
	enum unit_state state;

	if (plan_unit(&s->plan, unit)->state != UNIT_BLOCKED || plan_unit(&s->plan, unit)->cause != reopened)
		return;
	state = sched_derive(s, unit, &cause);
	change_state(s, unit, state, cause);
	push(s, unit);
}

void sched_reopen(struct sched *s, uint32_t unit)
{
	struct unit_fact f;
	uint32_t base = s->stack_count;

	sched_get_fact(s, unit, &f);
	if (f.state != UNIT_FAILED && f.state != UNIT_READY)
		return;
	f.state = UNIT_READY;
	f.reason = REASON_NONE;
	f.failures = f.idle_requeues = 0;
	sched_record_fact(s, unit, &f);
	each_child(s, unit, unblock_child, unit);
	while (s->stack_count > base)
		each_child(s, s->stack[--s->stack_count], unblock_child, unit);
}

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

void sched_unbegin(struct sched *s, uint32_t unit, uint32_t worker)
{
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	f.state = UNIT_READY;
	record_attempt(s, RECORD_UNBEGIN, unit, worker, f.attempts--, &f, NULL);
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
	return isfinite(objective(ph, r)) ? REASON_NONE : REASON_BAD_METRIC;
}

static bool retryable(const struct study_phase *ph, const struct unit_fact *f)
{
	if (f->reason == REASON_LOST)
		return f->losses <= ph->limits.lost_limit;
	return (ph->limits.retry_on & 1u << f->reason) && f->failures <= ph->limits.retries;
}

/* The fact after an attempt that ended so. */
static void conclude(const struct study_phase *ph, struct unit_fact *f, const struct attempt_result *r,
                     enum reason reason, bool cancelled)
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
		if (cancelled)
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

static void delay_pop(struct sched *s)
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

	dequeue(s, unit);
	plan_unit(&s->plan, unit)->delayed = true;
	delay_push(s, (struct delay){s->now_ms + (s->options.backoff_ms << doublings), unit});
}

void sched_wake(struct sched *s)
{
	while (s->ndelays && s->delays[0].due_ms <= s->now_ms) {
		uint32_t unit = s->delays[0].unit;

		delay_pop(s);
		if (plan_unit(&s->plan, unit)->delayed) {
			plan_unit(&s->plan, unit)->delayed = false;
			enqueue(s, unit);
		}
	}
}

void sched_end(struct sched *s, uint32_t unit, uint32_t worker, const struct attempt_result *r,
               bool cancelled)
{
	const struct study_phase *ph = &s->study->phases[sched_phase_of(s, unit)];
	struct attempt_result judged = *r;
	struct unit_fact f;
	uint32_t failures;

	sched_get_fact(s, unit, &f);
	failures = f.failures;
	judged.reason = judge(ph, r);
	if (cancelled && judged.reason != REASON_NONE && judged.reason != REASON_LOST)
		judged.reason = REASON_REQUEUE;
	conclude(ph, &f, r, judged.reason, cancelled);
	record_attempt(s, RECORD_END, unit, worker, f.attempts, &f, &judged);
	if (f.state == UNIT_DONE)
		each_child(s, unit, one_parent_done, 0);
	else if (f.state == UNIT_FAILED)
		block_descendants(s, unit);
	else if (f.failures > failures)
		back_off(s, unit, f.failures);
	sched_note_result(s, unit, &judged);
	sched_check_study_stop(s, plan_unit(&s->plan, unit)->trial);
}

/* ---- resume ------------------------------------------------------------------------------------------ */
/* Retries and limits may be larger than they were when this unit failed. */
static bool may_retry(const struct sched *s, uint32_t unit)
{
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	return f.state == UNIT_FAILED && f.reason != REASON_NONE &&
	       retryable(&s->study->phases[sched_phase_of(s, unit)], &f);
}

/* What was running died with the last run. */
static void lose(struct sched *s, uint32_t unit)
{
	const struct study_phase *ph = &s->study->phases[sched_phase_of(s, unit)];
	struct attempt_result r = {.reason = REASON_LOST, .exit_code = -1};
	struct unit_fact f;

	r.last = r.best = r.best_step = (double)NAN;
	sched_get_fact(s, unit, &f);
	conclude(ph, &f, &r, REASON_LOST, false);
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

static void rebuild_unit(struct sched *s, uint32_t unit)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	uint32_t cause;
	enum unit_state derived = sched_derive(s, unit, &cause);

	if (u->state == UNIT_RUNNING)
		lose(s, unit);
	if (u->state == UNIT_WAITING || u->state == UNIT_READY || u->state == UNIT_BLOCKED ||
	    may_retry(s, unit))
		rederive(s, unit, derived, cause);
}

void sched_rebuild_units(struct sched *s)
{
	for (uint32_t unit = 1; unit <= s->plan.units.count; unit++) {
		struct plan_unit *u = plan_unit(&s->plan, unit);
		struct plan_trial *t = plan_trial(&s->plan, u->trial);
		uint32_t n = plan_nunits(&s->plan, t);

		if (unit == t->first_unit)
			for (uint32_t v = unit; v < unit + n; v++) {
				const struct plan_unit *w = plan_unit(&s->plan, v);

				t->units_done += w->state == UNIT_DONE;
				t->units_final += sched_final(w->state);
				t->units_failed += w->state == UNIT_FAILED;
				t->units_begun += w->attempts > 0;
			}
		if (unit == t->first_unit && trial_final(s, t))
			count_trial_final(s, u->trial, false, true);
		if (u->state == UNIT_READY)
			enqueue(s, unit);
		rebuild_unit(s, unit);
	}
	s->alike = s->by_state[UNIT_DONE] == 0;
}

/* ---- values ------------------------------------------------------------------------------------------ */
double sched_trial_value(const struct sched *s, uint32_t trial, double *sd, uint32_t *done)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	const struct study_phase *ph = plan_phase(&s->plan, trial);
	uint32_t n = 0;

	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++)
		if (plan_unit(&s->plan, u)->state == UNIT_DONE)
			s->fold_values[n++] = plan_unit(&s->plan, u)->value;
	if (done)
		*done = n;
	if (sd)
		*sd = ph->metric ? stats_sd(s->fold_values, n) : (double)NAN;
	if (!ph->metric || n == 0)
		return (double)NAN;
	switch (ph->aggregate) {
	case AGGREGATE_MEAN:
		return stats_mean(s->fold_values, n);
	case AGGREGATE_MEDIAN:
		return stats_median(s->fold_values, n);
	case AGGREGATE_MIN:
		return stats_min(s->fold_values, n);
	case AGGREGATE_MAX:
		return stats_max(s->fold_values, n);
	}
	return (double)NAN;
}

bool sched_trial_valid(const struct sched *s, uint32_t trial, double *value)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	if (t->units_done != plan_nunits(&s->plan, t))
		return false;
	*value = sched_trial_value(s, trial, NULL, NULL);
	return isfinite(*value);
}

/* ---- expected durations -------------------------------------------------------------------------------- */
double sched_mean_seconds(const struct sched *s, uint32_t phase)
{
	const struct phase_state *p = &s->phases[phase];

	return p->timed ? p->seconds / (double)p->timed : 1.0;
}

/* Phases are in topological order, so one pass from the last to the first settles all. */
void sched_refresh_critical(struct sched *s)
{
	for (uint32_t i = 0; i < s->study->nphases; i++)
		s->phases[i].critical_seconds = 0;
	for (uint32_t i = s->study->nphases; i-- > 0;) {
		const struct study_phase *ph = &s->study->phases[i];

		s->phases[i].critical_seconds += sched_mean_seconds(s, i);
		for (uint32_t k = 0; k < ph->nafter; k++) {
			struct phase_state *up = &s->phases[ph->after[k].phase];

			if (up->critical_seconds < s->phases[i].critical_seconds)
				up->critical_seconds = s->phases[i].critical_seconds;
		}
	}
}
