/* units: their states and what results of attempts do to them. */
#include "sched_core.h"

#include <assert.h>

/* ---- the table ----------------------------------------------------------------------------------- */
#define TO(s) (1u << UNIT_##s)
/* Any state may follow itself: then a priority or a pending request changed. A reset leads back from
 * everywhere. */
static const uint32_t allowed[UNIT_STATE_COUNT] = {
    [UNIT_WAITING] = TO(WAITING) | TO(READY) | TO(BLOCKED) | TO(HELD) | TO(CANCELLED) | TO(PRUNED),
    [UNIT_READY] =
        TO(READY) | TO(RUNNING) | TO(WAITING) | TO(HELD) | TO(CANCELLED) | TO(BLOCKED) | TO(PRUNED),
    [UNIT_RUNNING] =
        TO(RUNNING) | TO(READY) | TO(DONE) | TO(FAILED) | TO(PAUSED) | TO(PRUNED) | TO(CANCELLED),
    [UNIT_PAUSED] =
        TO(PAUSED) | TO(READY) | TO(WAITING) | TO(BLOCKED) | TO(PRUNED) | TO(CANCELLED) | TO(HELD),
    [UNIT_DONE] = TO(DONE) | TO(WAITING) | TO(READY) | TO(BLOCKED),
    [UNIT_FAILED] = TO(FAILED) | TO(READY) | TO(WAITING) | TO(BLOCKED),
    [UNIT_BLOCKED] = TO(BLOCKED) | TO(WAITING) | TO(READY) | TO(CANCELLED),
    [UNIT_PRUNED] = TO(PRUNED) | TO(WAITING) | TO(READY) | TO(BLOCKED),
    [UNIT_CANCELLED] = TO(CANCELLED) | TO(WAITING) | TO(READY) | TO(BLOCKED),
    [UNIT_HELD] = TO(HELD) | TO(WAITING) | TO(READY) | TO(BLOCKED) | TO(CANCELLED) | TO(PRUNED),
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
	                        .resets = u->resets,
	                        .priority = u->priority,
	                        .pending = (enum pending)u->pending,
	                        .rung = u->rung,
	                        .value = u->value,
	                        .best_step = u->best_step,
	                        .step = prune_end_step(&s->pruner, unit)};
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
	u->resets = f->resets;
	u->priority = f->priority;
	u->pending = f->pending & 7;
	u->rung = (uint8_t)f->rung;
	u->value = f->value;
	u->best_step = f->best_step;
}

/* ---- ready queues -------------------------------------------------------------------------------- */
static enum ready_queue queue_for(const struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	if (t->units_failed)
		return READY_LAST;
	if (!t->units_begun)
		return READY_FRESH;
	return sched_race_waits(s, trial) ? READY_LATER : READY_BEGUN;
}

void sched_enqueue(struct sched *s, uint32_t unit)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);

	if (u->fenced && sched_wait_behind_fence(s, unit))
		return;
	u->queue = queue_for(s, u->trial) & 15u;
	queue_push(&s->phases[sched_phase_of(s, unit)].ready[u->queue], unit);
}

void sched_dequeue(struct sched *s, uint32_t unit)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);

	if (!u->queue)
		return;
	queue_remove(&s->phases[sched_phase_of(s, unit)].ready[u->queue], unit);
	u->queue = READY_NONE;
}

void sched_requeue_trial(struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t n = plan_nunits(&s->plan, t);
	enum ready_queue now = queue_for(s, trial);

	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++)
		if (plan_unit(&s->plan, u)->queue && plan_unit(&s->plan, u)->queue != now) {
			sched_dequeue(s, u);
			sched_enqueue(s, u);
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
	s->plan.instances[t->instance].busy += sched_busy(u->state) ? one : 0;
	t->units_done += u->state == UNIT_DONE ? one : 0;
	t->units_final += sched_final(u->state) ? one : 0;
	t->units_failed += u->state == UNIT_FAILED ? one : 0;
	t->units_begun += u->attempts ? one : 0;
}

/* A trial is not final any more: what its phase's completeness has allowed is open again. */
static void reopen_instance(struct sched *s, uint32_t trial)
{
	struct plan_instance *in = &s->plan.instances[plan_trial(&s->plan, trial)->instance];

	if (s->trials_ended && plan_trial(&s->plan, trial)->units_begun)
		s->trials_ended--;
	in->closed = false;
	for (uint32_t i = 0; i < in->nchildren; i++) {
		const struct plan_child *ch = &in->children[i];
		const struct study_phase *below = &s->study->phases[s->plan.instances[ch->instance].phase];

		if (below->after[ch->slot].pick == PICK_BEST)
			plan_unknow(&s->plan, ch->instance);
	}
}

static void count_trial_final(struct sched *s, uint32_t trial, bool was, bool is)
{
	struct plan_instance *in = &s->plan.instances[plan_trial(&s->plan, trial)->instance];

	if (was == is)
		return;
	in->trials_open += is ? UINT32_MAX : 1;
	if (!is)
		reopen_instance(s, trial);
	plan_touch(&s->plan, plan_trial(&s->plan, trial)->instance);
	sched_candidate_final(s, trial, is);
	if (is)
		sched_hunger_again(s, trial);
}

bool sched_trial_final(const struct sched *s, const struct plan_trial *t)
{
	return t->units_final == plan_nunits(&s->plan, t);
}

void sched_set_fact(struct sched *s, uint32_t unit, const struct unit_fact *f)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);
	struct plan_trial *t = plan_trial(&s->plan, u->trial);
	bool was_final = sched_trial_final(s, t);
	enum ready_queue before = queue_for(s, u->trial);
	uint32_t was_state;

	assert(s->replaying || (allowed[u->state] & 1u << f->state));
	if (!s->replaying && f->priority != u->priority)
		sched_dequeue(s, unit); /* it has its place by its priority */
	count_unit(s, unit, -1);
	was_state = u->state;
	store_fact(u, f);
	if (s->fields)
		prune_set_end_step(&s->pruner, unit, f->step);
	count_unit(s, unit, 1);
	if (s->replaying)
		return;
	sched_prune_changed(s, unit, was_state);
	u->delayed = false;
	if (u->state != UNIT_READY || u->pending)
		sched_dequeue(s, unit);
	else if (!u->queue)
		sched_enqueue(s, unit);
	if (queue_for(s, u->trial) != before)
		sched_requeue_trial(s, u->trial);
	count_trial_final(s, u->trial, was_final, sched_trial_final(s, t));
}

/* Birth: ready when there is nothing to wait for, else waiting. */
void sched_count_new_units(struct sched *s, uint32_t trial, bool root)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t n = plan_nunits(&s->plan, t);

	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++) {
		plan_unit(&s->plan, u)->state = root ? UNIT_READY : UNIT_WAITING;
		count_unit(s, u, 1);
		if (root && !s->replaying)
			sched_enqueue(s, u);
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
/* A combo whose parents are not decided: a pick that is to be made, or made again. */
static bool undecided(const struct plan_combo *c)
{
	return c->open || (c->choice && !c->choice->picked);
}

/* All candidates are final and none of them could win: whose fault is it? */
static uint32_t choice_cause(const struct sched *s, const struct plan_choice *x)
{
	for (uint32_t i = 0; i < x->ncandidates; i++) {
		const struct plan_trial *t = plan_trial(&s->plan, x->candidates[i]);

		for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++) {
			const struct plan_unit *v = plan_unit(&s->plan, u);

			if (sched_dead(v->state))
				return v->state == UNIT_BLOCKED && v->cause ? v->cause : u;
		}
	}
	return 0;
}

uint32_t sched_count_unmet(const struct sched *s, uint32_t unit, bool *blocked, uint32_t *cause)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	const struct plan_combo *c = plan_combo(&s->plan, plan_trial(&s->plan, u->trial)->combo);
	uint32_t unmet = 0;

	*cause = 0;
	*blocked = false;
	if (undecided(c)) {
		*blocked = c->choice && c->choice->barren;
		*cause = *blocked ? choice_cause(s, c->choice) : 0;
		return 1;
	}
	for (uint32_t i = 0; i < c->nparents; i++) {
		uint32_t first, n;

		plan_needs(&s->plan, unit, plan_parents(c)[i], &first, &n);
		for (uint32_t p = first; p < first + n; p++) {
			const struct plan_unit *up = plan_unit(&s->plan, p);

			unmet += !sched_met(up);
			if (!*cause && sched_dead(up->state))
				*cause = up->state == UNIT_BLOCKED && up->cause ? up->cause : p;
		}
	}
	*blocked = *cause != 0;
	return unmet;
}

enum unit_state sched_derive(struct sched *s, uint32_t unit, uint32_t *cause)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);
	bool blocked;

	u->unmet = sched_count_unmet(s, unit, &blocked, cause);
	if (blocked)
		return UNIT_BLOCKED;
	return u->unmet ? UNIT_WAITING : UNIT_READY;
}

void sched_each_child(struct sched *s, uint32_t unit, bool open, sched_visit *visit, uint32_t arg)
{
	const struct plan *p = &s->plan;
	uint32_t trial = plan_unit(p, unit)->trial;

	for (uint32_t l = plan_trial(p, trial)->first_link; l; l = plan_link(p, l)->next) {
		const struct plan_combo *c = plan_combo(p, plan_link(p, l)->combo);

		if ((c->open && !open) || !plan_is_parent(c, trial))
			continue;
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

	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++)
		sched_settle_unit(s, u);
}

static void one_parent_done(struct sched *s, uint32_t unit, uint32_t arg)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);

	(void)arg;
	assert(u->unmet > 0);
	if (--u->unmet == 0 && u->state == UNIT_WAITING)
		change_state(s, unit, UNIT_READY, 0);
}

void sched_parent_done(struct sched *s, uint32_t unit)
{
	sched_each_child(s, unit, false, one_parent_done, 0);
	sched_hunger_below(s, plan_unit(&s->plan, unit)->trial);
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

/* What is held stays held, for its user's sake; what hangs on it is blocked all the same. */
static void block_child(struct sched *s, uint32_t unit, uint32_t cause)
{
	uint32_t state = plan_unit(&s->plan, unit)->state;

	if (state != UNIT_WAITING && state != UNIT_READY && state != UNIT_HELD)
		return;
	if (state != UNIT_HELD)
		change_state(s, unit, UNIT_BLOCKED, cause);
	push(s, unit);
}

void sched_block_descendants(struct sched *s, uint32_t unit)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	uint32_t base = s->stack_count, cause = u->state == UNIT_BLOCKED && u->cause ? u->cause : unit;

	push(s, unit);
	while (s->stack_count > base) {
		uint32_t dead = s->stack[--s->stack_count];

		sched_each_child(s, dead, false, block_child, cause);
		sched_hunger_below(s, plan_unit(&s->plan, dead)->trial);
	}
}

/* The state of what is held or cancelled is its own; only its parents are counted. */
void sched_settle_unit(struct sched *s, uint32_t unit)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	uint32_t cause, was = u->state;
	enum unit_state state = sched_derive(s, unit, &cause);

	if (was != UNIT_WAITING && was != UNIT_READY && was != UNIT_BLOCKED)
		return;
	if (state != was || (state == UNIT_BLOCKED && cause != u->cause))
		change_state(s, unit, state, cause);
	if (state == UNIT_BLOCKED && was != UNIT_BLOCKED)
		sched_block_descendants(s, unit);
}

/* Another ancestor may block it still: then that one is the cause now. */
static void unblock_child(struct sched *s, uint32_t unit, uint32_t reopened)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);

	if (u->state == UNIT_HELD) {
		push(s, unit);
		return;
	}
	if (u->state != UNIT_BLOCKED || u->cause != reopened)
		return;
	sched_settle_unit(s, unit);
	push(s, unit);
}

void sched_unblock_descendants(struct sched *s, uint32_t unit)
{
	uint32_t base = s->stack_count;

	sched_each_child(s, unit, false, unblock_child, unit);
	while (s->stack_count > base)
		sched_each_child(s, s->stack[--s->stack_count], false, unblock_child, unit);
}

void sched_reopen(struct sched *s, uint32_t unit)
{
	struct unit_fact f;

	if (!plan_unit(&s->plan, unit)->trial)
		return;
	sched_get_fact(s, unit, &f);
	if ((f.state != UNIT_FAILED && f.state != UNIT_READY) || f.pending)
		return;
	f.state = UNIT_READY;
	f.reason = REASON_NONE;
	f.failures = f.idle_requeues = 0;
	sched_record_fact(s, unit, &f);
	sched_unblock_descendants(s, unit);
}

/* ---- trials that go -------------------------------------------------------------------------------- */
static void close_groups_below(struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	for (uint32_t l = t->first_link; l; l = plan_link(&s->plan, l)->next) {
		uint32_t combo = plan_link(&s->plan, l)->combo;
		const struct plan_combo *c = plan_combo(&s->plan, combo);
		const struct plan_instance *below =
		    &s->plan.instances[plan_group(&s->plan, c->group)->instance];

		if (c->choice)
			sched_lose_candidate(s, combo, trial);
		else if (c->group != below->total_group)
			sched_close_group(s, c->group);
	}
}

void sched_drop_trial(struct sched *s, uint32_t trial, enum gone gone)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	struct plan_instance *in = &s->plan.instances[t->instance];
	uint32_t n = plan_nunits(&s->plan, t);

	close_groups_below(s, trial);
	if (!sched_trial_final(s, t))
		in->trials_open--;
	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++) {
		assert(!plan_unit(&s->plan, u)->slot);
		sched_prune_forget(s, u);
		sched_dequeue(s, u);
		count_unit(s, u, -1);
		*plan_unit(&s->plan, u) = (struct plan_unit){.trial = trial, .cause = 0};
	}
	plan_touch(&s->plan, t->instance);
	plan_drop_trial(&s->plan, trial, gone);
	for (uint32_t i = 0; i < in->nchildren; i++) {
		const struct plan_instance *below = &s->plan.instances[in->children[i].instance];

		if (below->total_group && below->groups_known && below->combos == 0)
			sched_close_group(s, below->total_group);
	}
}
