/* change: what users ask for while a study runs, or between runs.
 *
 * Reset and delete concern a set of units that is closed downwards: with a unit all that hang on it, through
 * edges and through picks, for a pick hangs on all its candidates. The set is found by a walk, and changed in
 * the order of the phases, so that each unit becomes what its parents have just become. A request costs what
 * it touches (and a look at every trial for each pick that becomes void); nothing of it runs in an ordinary
 * step.
 *
 * Attempts that are live in the set are stopped first. Until the last of them has ended the set is `pending`:
 * its units do not start, what they have does not let others start, results that still come are history only.
 * Then the set is found again (it may have grown) and changed at once. Pending is a fact of each unit, so a
 * crash in between ends in the same way. */
#include "sched_core.h"

#include <math.h>
#include <string.h>

/* ---- the set -------------------------------------------------------------------------------------- */
struct void_pick {
	uint32_t instance, child_phase;
};

struct closure {
	struct arena *arena;
	uint8_t *mark; /* by unit: enum pending, RESET or DELETE; 0: not in it */
	uint8_t *seen; /* by trial: its picks have been looked at */
	uint32_t *units, n, cap;
	uint32_t *stack, depth, stack_cap;
	struct void_pick *picks;
	uint32_t npicks, picks_cap;
	uint32_t *jobs, njobs, jobs_cap; /* whose picks are void */
	uint32_t live;
};

static void *room(struct arena *a, void *list, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t more = *cap ? 2 * *cap : 64;

	if (n < *cap)
		return list;
	list = arena_grow(a, list, n * size, more * size);
	*cap = more;
	return list;
}

static void mark(struct sched *s, uint32_t unit, uint32_t kind)
{
	struct closure *c = s->closure;

	if (c->mark[unit] >= kind)
		return;
	if (!c->mark[unit]) {
		c->units = room(c->arena, c->units, c->n, &c->cap, sizeof *c->units);
		c->units[c->n++] = unit;
		c->live += plan_unit(&s->plan, unit)->slot != 0;
	}
	c->mark[unit] = (uint8_t)kind;
	c->stack = room(c->arena, c->stack, c->depth, &c->stack_cap, sizeof *c->stack);
	c->stack[c->depth++] = unit;
}

static void mark_trial(struct sched *s, uint32_t trial, uint32_t kind)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++)
		mark(s, u, kind);
}

static void void_job(struct sched *s, uint32_t combo)
{
	struct closure *c = s->closure;
	const struct plan_combo *x = plan_combo(&s->plan, combo);

	if (!x->choice || !x->first_trial || !(x->choice->picked || x->choice->barren))
		return;
	if (c->seen[x->first_trial] & 2)
		return;
	c->seen[x->first_trial] |= 2;
	c->jobs = room(c->arena, c->jobs, c->njobs, &c->jobs_cap, sizeof *c->jobs);
	c->jobs[c->njobs++] = x->first_trial;
	mark_trial(s, x->first_trial, PENDING_RESET);
}

static void void_pick(struct sched *s, uint32_t instance, uint32_t below)
{
	struct closure *c = s->closure;
	uint32_t phase = s->plan.instances[below].phase;

	for (uint32_t i = 0; i < c->npicks; i++)
		if (c->picks[i].instance == instance && c->picks[i].child_phase == phase)
			return;
	c->picks = room(c->arena, c->picks, c->npicks, &c->picks_cap, sizeof *c->picks);
	c->picks[c->npicks++] = (struct void_pick){instance, phase};
	for (uint32_t t = 1; t <= s->plan.trials.count; t++)
		if (plan_trial(&s->plan, t)->combo && plan_trial(&s->plan, t)->instance != UINT32_MAX &&
		    plan_phase_of(&s->plan, t) == phase)
			for (uint32_t i = 0; i < s->plan.instances[instance].nchildren; i++)
				if (s->plan.instances[instance].children[i].instance ==
				    plan_trial(&s->plan, t)->instance)
					mark_trial(s, t, PENDING_RESET);
}

/* The picks this trial is a candidate of. */
static void void_picks(struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	const struct plan_instance *in = &s->plan.instances[t->instance];

	if (s->closure->seen[trial] & 1)
		return;
	s->closure->seen[trial] |= 1;
	for (uint32_t l = t->first_link; l; l = plan_link(&s->plan, l)->next)
		void_job(s, plan_link(&s->plan, l)->combo);
	for (uint32_t i = 0; i < in->nchildren; i++) {
		const struct plan_child *ch = &in->children[i];
		const struct plan_instance *below = &s->plan.instances[ch->instance];

		if (s->study->phases[below->phase].after[ch->slot].pick == PICK_BEST &&
		    below->slots[ch->slot].picked)
			void_pick(s, t->instance, ch->instance);
	}
}

static void close_downwards(struct sched *s)
{
	struct closure *c = s->closure;

	while (c->depth) {
		uint32_t unit = c->stack[--c->depth], kind = c->mark[unit];

		if (kind == PENDING_DELETE)
			mark_trial(s, plan_unit(&s->plan, unit)->trial, kind);
		sched_each_child(s, unit, true, mark, kind);
		void_picks(s, plan_unit(&s->plan, unit)->trial);
	}
}

static void closure_init(struct closure *c, const struct sched *s, struct arena *a)
{
	*c = (struct closure){.arena = a};
	c->mark = arena_alloc(a, (size_t)s->plan.units.count + 1);
	c->seen = arena_alloc(a, (size_t)s->plan.trials.count + 1);
}

/* ---- changing it ----------------------------------------------------------------------------------- */
/* Is there anything of this unit that a reset takes back? What was reset and has not been tried since has
 * not. */
static bool has_something(const struct plan_unit *u)
{
	bool early = u->state == UNIT_WAITING || u->state == UNIT_READY || u->state == UNIT_HELD;
	bool tried = u->reason != REASON_NONE || u->failures || u->losses;

	return !early || (u->attempts && (tried || !u->resets));
}

static void reset_unit(struct sched *s, uint32_t unit)
{
	struct record archive = {.kind = RECORD_ARCHIVE, .unit = unit};
	struct unit_fact f;
	enum unit_state derived;
	uint32_t cause;
	bool some;

	sched_get_fact(s, unit, &f);
	/* an attempt that had to end first has left its folder, whatever else was taken back already */
	some = has_something(plan_unit(&s->plan, unit)) || (f.pending == PENDING_RESET && f.attempts);
	derived = sched_derive(s, unit, &cause);
	if (!some && !f.pending && (f.state == derived || f.state == UNIT_HELD))
		return;
	if (some) {
		archive.trial = plan_unit(&s->plan, unit)->trial;
		archive.attempt = f.attempts;
		sched_record(s, &archive);
		f.resets += f.attempts > 0;
	}
	f.state = f.state == UNIT_HELD ? UNIT_HELD : derived;
	f.cause = f.state == UNIT_HELD ? 0 : cause;
	f.reason = REASON_NONE;
	f.failures = f.losses = f.idle_requeues = 0;
	f.pending = PENDING_NONE;
	f.rung = 0;
	f.value = f.best_step = f.step = (double)NAN;
	sched_record_fact(s, unit, &f);
}

/* By phase, then by number: parents come before their children. In scratch. */
static uint32_t *in_order(const struct sched *s, const struct closure *c)
{
	uint32_t *start = arena_array(c->arena, s->study->nphases + 1, sizeof *start);
	uint32_t *out = arena_array(c->arena, c->n + 1, sizeof *out);

	for (uint32_t i = 0; i < c->n; i++)
		start[sched_phase_of(s, c->units[i]) + 1]++;
	for (uint32_t p = 0; p < s->study->nphases; p++)
		start[p + 1] += start[p];
	for (uint32_t u = 1; u <= s->plan.units.count; u++)
		if (c->mark[u])
			out[start[sched_phase_of(s, u)]++] = u;
	return out;
}

static void record_gone(struct sched *s, uint32_t trial, enum gone gone)
{
	struct record r = {.kind = RECORD_GONE, .trial = trial, .gone = gone};

	sched_record(s, &r);
}

static void unpick(struct sched *s, const struct void_pick *x)
{
	const struct plan_instance *in = &s->plan.instances[x->instance];
	struct record r = {.kind = RECORD_UNPICK, .phase = in->phase, .outer = in->outer};

	for (uint32_t i = 0; i < in->nchildren; i++) {
		const struct plan_instance *below = &s->plan.instances[in->children[i].instance];

		/* Answers to what was asked before will find nobody. */
		if (below->phase == x->child_phase && below->total_group) {
			s->asked -= plan_group(&s->plan, below->total_group)->asked;
			plan_group(&s->plan, below->total_group)->asked = 0;
		}
	}
	r.child_phase = x->child_phase;
	sched_record(s, &r);
}

static void change_set(struct sched *s, struct closure *c)
{
	uint32_t *order = in_order(s, c);

	for (uint32_t i = 0; i < c->npicks; i++)
		unpick(s, &c->picks[i]);
	for (uint32_t i = 0; i < c->njobs; i++)
		if (c->mark[plan_trial(&s->plan, c->jobs[i])->first_unit] != PENDING_DELETE)
			sched_unpick_job(s, c->jobs[i]);
	for (uint32_t i = c->n; i-- > 0;)
		if (c->mark[order[i]] == PENDING_DELETE && plan_unit(&s->plan, order[i])->trial)
			record_gone(s, plan_unit(&s->plan, order[i])->trial, GONE_DELETED);
	for (uint32_t i = 0; i < c->n; i++)
		if (c->mark[order[i]] == PENDING_RESET)
			reset_unit(s, order[i]);
}

/* ---- waiting for what is live ------------------------------------------------------------------------ */
static void set_pending(struct sched *s, uint32_t unit, enum pending pending)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	bool was = u->pending == PENDING_RESET || u->pending == PENDING_DELETE;
	struct unit_fact f;

	if (was && u->pending >= pending)
		return;
	sched_get_fact(s, unit, &f);
	f.pending = pending;
	sched_record_fact(s, unit, &f);
	if (was)
		return;
	s->pending = room(s->arena, s->pending, s->npending, &s->pending_cap, sizeof *s->pending);
	s->pending[s->npending++] = unit;
	if (u->slot) {
		s->pending_live++;
		sched_cancel(s, unit);
	}
}

static void change_or_wait(struct sched *s, struct closure *c)
{
	if (!c->live && !s->pending_live) {
		s->npending = 0;
		change_set(s, c);
		return;
	}
	for (uint32_t i = 0; i < c->n; i++)
		set_pending(s, c->units[i], (enum pending)c->mark[c->units[i]]);
}

void sched_apply_pending(struct sched *s)
{
	struct closure c;
	uint32_t n = s->npending;

	if (!n || s->pending_live)
		return;
	closure_init(&c, s, s->out->scratch);
	s->closure = &c;
	for (uint32_t i = 0; i < n; i++) {
		const struct plan_unit *u = plan_unit(&s->plan, s->pending[i]);

		if (u->trial && u->pending)
			mark(s, s->pending[i], u->pending == PENDING_DELETE ? PENDING_DELETE : PENDING_RESET);
	}
	close_downwards(s);
	change_or_wait(s, &c);
	s->closure = NULL;
}

void sched_note_pending(struct sched *s, uint32_t unit)
{
	s->pending = room(s->arena, s->pending, s->npending, &s->pending_cap, sizeof *s->pending);
	s->pending[s->npending++] = unit;
	s->pending_live += plan_unit(&s->plan, unit)->slot != 0;
}

void sched_pending_ended(struct sched *s, uint32_t unit)
{
	(void)unit;
	s->pending_live--;
	sched_apply_pending(s);
}

/* ---- requests --------------------------------------------------------------------------------------- */
static bool exists(const struct sched *s, uint32_t unit)
{
	return unit >= 1 && unit <= s->plan.units.count && plan_unit(&s->plan, unit)->trial;
}

/* The set of a RESET or DELETE, and what it comes to. */
static void collect(struct sched *s, const struct sched_request *r, struct sched_effect *out)
{
	struct closure *c = s->closure;
	bool reset = r->kind == REQUEST_RESET;
	uint32_t named;

	for (uint32_t i = 0; i < r->n; i++) {
		const struct plan_unit *u = exists(s, r->units[i]) ? plan_unit(&s->plan, r->units[i]) : NULL;

		if (!u)
			continue;
		if (reset &&
		    (!has_something(u) || u->pending == PENDING_RESET || u->pending == PENDING_DELETE))
			out->left[u->state]++;
		else if (reset)
			mark(s, r->units[i], PENDING_RESET);
		else
			mark_trial(s, u->trial, PENDING_DELETE);
	}
	named = c->n;
	close_downwards(s);
	for (uint32_t i = 0; i < c->n; i++) {
		const struct plan_unit *u = plan_unit(&s->plan, c->units[i]);

		if (i < named)
			out->changed++;
		else if (c->mark[c->units[i]] == PENDING_DELETE || has_something(u))
			out->descendants++;
		else
			continue;
		out->trials += !(c->seen[u->trial] & 4);
		c->seen[u->trial] |= 4;
	}
	out->live = c->live;
	out->picks = c->npicks + c->njobs;
}

static bool applies(enum request_kind kind, const struct plan_unit *u)
{
	bool early = u->state == UNIT_WAITING || u->state == UNIT_READY;

	if (u->pending)
		return false;
	switch (kind) {
	case REQUEST_CANCEL:
		return early || u->state == UNIT_HELD || u->state == UNIT_RUNNING ||
		       u->state == UNIT_PAUSED || u->state == UNIT_BLOCKED;
	case REQUEST_HOLD:
		return early;
	case REQUEST_RELEASE:
		return u->state == UNIT_HELD;
	default: /* PRIORITY */
		return !sched_final(u->state);
	}
}

static void cancel_unit(struct sched *s, uint32_t unit)
{
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	if (f.state == UNIT_RUNNING) {
		f.pending = PENDING_CANCEL;
		sched_record_fact(s, unit, &f);
		sched_cancel(s, unit);
		return;
	}
	f.state = UNIT_CANCELLED;
	f.cause = 0;
	sched_record_fact(s, unit, &f);
	sched_block_descendants(s, unit);
}

static void release_unit(struct sched *s, uint32_t unit)
{
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	f.state = sched_derive(s, unit, &f.cause);
	sched_record_fact(s, unit, &f);
	if (f.state == UNIT_BLOCKED)
		sched_block_descendants(s, unit);
}

/* A back-off goes on: the queue is joined when it is over. */
static void set_priority(struct sched *s, uint32_t unit, int32_t priority)
{
	struct plan_unit *u = plan_unit(&s->plan, unit);
	bool delayed = u->delayed;
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	f.priority = priority;
	sched_record_fact(s, unit, &f);
	if (delayed)
		sched_dequeue(s, unit);
	u->delayed = delayed;
}

static void change_one(struct sched *s, const struct sched_request *r, uint32_t unit)
{
	struct unit_fact f;

	switch (r->kind) {
	case REQUEST_CANCEL:
		cancel_unit(s, unit);
		return;
	case REQUEST_HOLD:
		sched_get_fact(s, unit, &f);
		f.state = UNIT_HELD;
		sched_record_fact(s, unit, &f);
		return;
	case REQUEST_RELEASE:
		release_unit(s, unit);
		return;
	default:
		set_priority(s, unit, r->priority);
		return;
	}
}

/* Those that a cancel blocks. */
static void count_blocked(struct sched *s, const struct sched_request *r, struct sched_effect *out)
{
	struct closure *c = s->closure;
	uint32_t named;

	for (uint32_t i = 0; i < r->n; i++)
		if (exists(s, r->units[i]) && applies(r->kind, plan_unit(&s->plan, r->units[i])))
			mark(s, r->units[i], PENDING_CANCEL);
	named = c->n;
	while (c->depth)
		sched_each_child(s, c->stack[--c->depth], false, mark, PENDING_CANCEL);
	for (uint32_t i = named; i < c->n; i++) {
		uint32_t state = plan_unit(&s->plan, c->units[i])->state;

		out->descendants += state == UNIT_WAITING || state == UNIT_READY;
	}
}

/* Counted before anything changes: the first change may change what comes of the next unit. */
static void count_named(struct sched *s, const struct sched_request *r, struct sched_effect *out)
{
	if (r->kind == REQUEST_CANCEL)
		count_blocked(s, r, out);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct plan_unit *u = exists(s, r->units[i]) ? plan_unit(&s->plan, r->units[i]) : NULL;

		if (u && applies(r->kind, u)) {
			out->changed++;
			out->live += r->kind == REQUEST_CANCEL && u->slot;
		} else if (u) {
			out->left[u->state]++;
		}
	}
}

static void change_named(struct sched *s, const struct sched_request *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (exists(s, r->units[i]) && applies(r->kind, plan_unit(&s->plan, r->units[i])))
			change_one(s, r, r->units[i]);
}

static void carry_out(struct sched *s, const struct sched_request *r, bool change, struct arena *scratch,
                      struct sched_effect *out)
{
	struct closure c;

	memset(out, 0, sizeof *out);
	closure_init(&c, s, scratch);
	s->closure = &c;
	if (r->kind == REQUEST_RESET || r->kind == REQUEST_DELETE) {
		collect(s, r, out);
		if (change && c.n)
			change_or_wait(s, &c);
	} else {
		count_named(s, r, out);
		if (change)
			change_named(s, r);
	}
	s->closure = NULL;
}

void sched_request(struct sched *s, const struct sched_request *r, struct sched_effect *out)
{
	struct sched_effect unasked;

	carry_out(s, r, true, s->out->scratch, out ? out : &unasked);
}

void sched_preview(struct sched *s, const struct sched_request *r, struct sched_effect *out)
{
	struct arena scratch = {0};

	carry_out(s, r, false, &scratch, out);
	arena_finish(&scratch);
}

/* ---- picks made again --------------------------------------------------------------------------------- */
static bool slots_decided(const struct sched *s, const struct plan_instance *in)
{
	const struct study_phase *ph = &s->study->phases[in->phase];

	for (uint32_t k = 0; k < ph->nafter; k++) {
		const struct plan_slot *slot = &in->slots[k];

		if (ph->after[k].pick == PICK_BEST && !slot->picked && slot->parent != UINT32_MAX &&
		    !s->plan.instances[slot->parent].closed)
			return false;
	}
	return true;
}

/* A combo that does not win any more: its trials go, with all that came of them. */
static void supersede(struct sched *s, uint32_t combo)
{
	const struct plan_combo *x = plan_combo(&s->plan, combo);
	struct closure c;
	uint32_t *order;

	closure_init(&c, s, s->out->scratch);
	s->closure = &c;
	for (uint32_t t = x->first_trial; t; t = plan_trial(&s->plan, t)->next_in_combo)
		mark_trial(s, t, PENDING_DELETE);
	close_downwards(s);
	order = in_order(s, &c);
	for (uint32_t i = c.n; i-- > 0;)
		if (c.mark[order[i]] == PENDING_DELETE && plan_unit(&s->plan, order[i])->trial)
			record_gone(s, plan_unit(&s->plan, order[i])->trial, GONE_SUPERSEDED);
	s->closure = NULL;
	if (s->plan.instances[plan_group(&s->plan, x->group)->instance].total_group != x->group)
		sched_close_group(s, x->group);
	plan_forget_combo(&s->plan, combo);
}

void sched_settle_picked(struct sched *s, uint32_t instance)
{
	const struct plan_instance *in = &s->plan.instances[instance];
	bool decided = slots_decided(s, in);

	for (uint32_t c = 1; c <= s->plan.combos.count; c++) {
		const struct plan_combo *x = plan_combo(&s->plan, c);

		if (x->dead || plan_group(&s->plan, x->group)->instance != instance)
			continue;
		if (x->open && decided)
			supersede(s, c);
		if (x->open)
			continue;
		for (uint32_t t = x->first_trial; t; t = plan_trial(&s->plan, t)->next_in_combo)
			sched_settle_trial(s, t);
		if (x->group == in->total_group)
			continue;
		plan_group(&s->plan, x->group)->cursor = 0; /* proposals may have come in vain */
		plan_ask(&s->plan, x->group);
	}
}
