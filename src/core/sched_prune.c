/* prune: which trials are given up, and how they climb from rung to rung.
 *
 * The rules themselves are in prune.c. Here their verdicts become facts: a trial that is given up is PRUNED
 * with all its folds, those that run are stopped first (pending: PRUNE) and are pruned whatever they end
 * with.
 *
 * Promotion. A unit runs to the budget of its rung and pauses there. When all folds of a trial have paused,
 * its value at the rung is a fact (RECORD_RUNG), and whoever is now among the best `floor(m / eta)` of the m
 * trials that have come there goes on: its units are READY again, for the next rung. At the last one they are
 * DONE. When a phase has come to rest, nobody can come to a rung any more: if no trial has reached the end
 * yet, the best of the highest rung goes on, so that a phase has a winner; else all that are paused are
 * pruned. */
#include "sched_core.h"

#include <math.h>

void sched_prune_init(struct sched *s)
{
	const struct plan *p = &s->plan;

	pruner_init(&s->pruner, s->arena);
	sched_race_init(s);
	for (uint32_t i = 0; i < p->ninstances; i++) {
		const struct study_phase *ph = &s->study->phases[p->instances[i].phase];

		if (!p->instances[i].exists || !ph->prune)
			continue;
		if (!s->fields)
			s->fields = arena_array(s->arena, p->ninstances, sizeof *s->fields);
		s->fields[i] = arena_alloc(s->arena, sizeof **s->fields);
		prune_field_init(&s->pruner, s->fields[i], ph, p->units_per_trial[ph->index]);
	}
}

/* ---- places ------------------------------------------------------------------------------------------ */
static struct prune_field *field_of(const struct sched *s, uint32_t trial)
{
	return s->fields ? s->fields[plan_trial(&s->plan, trial)->instance] : NULL;
}

bool sched_prune_place(const struct sched *s, uint32_t unit, struct prune_place *out)
{
	uint32_t trial = plan_unit(&s->plan, unit)->trial;
	const struct plan_trial *t;

	*out = (struct prune_place){.unit = unit, .field = field_of(s, trial)};
	if (!out->field)
		return false;
	t = plan_trial(&s->plan, trial);
	out->fold = unit - t->first_unit;
	out->bracket = prune_bracket(out->field->rules, t->key);
	return true;
}

static bool is_promoting(const struct sched *s, uint32_t trial)
{
	const struct prune_field *x = field_of(s, trial);

	return x && x->rules->promote;
}

/* The place of the trial as a whole, which is that of its first unit. */
static void trial_place(const struct sched *s, uint32_t trial, struct prune_place *out)
{
	sched_prune_place(s, plan_trial(&s->plan, trial)->first_unit, out);
}

bool sched_is_below_top(const struct sched *s, uint32_t unit, double *step)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	struct prune_place x;

	if (!is_promoting(s, u->trial))
		return false;
	sched_prune_place(s, unit, &x);
	if (u->rung + 1u >= prune_rungs(x.field->rules, x.bracket))
		return false;
	*step = (double)prune_budget(x.field->rules, x.bracket, u->rung);
	return true;
}

/* ---- trials given up --------------------------------------------------------------------------------- */
static void prune_unit(struct sched *s, uint32_t unit, enum reason reason, double worth)
{
	struct unit_fact f;
	double step, value;

	sched_get_fact(s, unit, &f);
	if (sched_final(f.state) || f.pending)
		return;
	f.reason = reason;
	f.cause = 0;
	if (f.state != UNIT_PAUSED && prune_last(&s->pruner, unit, &step, &value)) {
		f.step = step;
		f.value = value;
	}
	f.value = isnan(worth) ? f.value : worth;
	if (f.state == UNIT_RUNNING)
		f.pending = PENDING_PRUNE;
	else
		f.state = UNIT_PRUNED;
	sched_record_fact(s, unit, &f);
	if (f.pending)
		sched_cancel(s, unit);
	else
		sched_block_descendants(s, unit);
}

void sched_prune_trial(struct sched *s, uint32_t trial, enum reason reason, double worth)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	bool was = sched_trial_final(s, t);

	s->alike = false; /* a program that gets so far is not broken */
	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++)
		prune_unit(s, u, reason, worth);
	if (!was)
		sched_check_study_stop(s, trial);
}

void sched_metric(struct sched *s, const struct event *e)
{
	const struct slot *x = sched_event_slot(s, e);
	struct record r = {.kind = RECORD_METRIC, .unit = e->unit, .step = e->step, .value = e->value};
	struct prune_place place;
	enum reason why;

	if (!x || x->cancelled || !isfinite(e->step) || !sched_prune_place(s, e->unit, &place))
		return;
	r.trial = plan_unit(&s->plan, e->unit)->trial;
	r.attempt = plan_unit(&s->plan, e->unit)->attempts;
	sched_record(s, &r);
	why = prune_judge(&s->pruner, &place);
	if (why != REASON_NONE)
		sched_prune_trial(s, r.trial, why, (double)NAN);
}

void sched_apply_metric(struct sched *s, const struct record *r)
{
	struct prune_place x;

	if (r->unit < 1 || r->unit > s->plan.units.count || !plan_unit(&s->plan, r->unit)->trial ||
	    !sched_prune_place(s, r->unit, &x))
		return;
	/* What came after the verdict was for nobody. */
	if (plan_unit(&s->plan, r->unit)->state == UNIT_PRUNED &&
	    r->step > prune_end_step(&s->pruner, r->unit))
		return;
	prune_note(&s->pruner, &x, r->attempt, r->step, r->value);
}

void sched_prune_forget(struct sched *s, uint32_t unit)
{
	struct prune_place x;

	if (!sched_prune_place(s, unit, &x))
		return;
	prune_forget(&s->pruner, &x);
	sched_race_changed(s, unit, plan_unit(&s->plan, unit)->state);
	if (!x.field->rules->promote)
		return;
	trial_place(s, plan_unit(&s->plan, unit)->trial, &x);
	prune_forget_rungs(&s->pruner, &x);
}

static void note_end(struct sched *s, const struct prune_place *x)
{
	uint32_t state = plan_unit(&s->plan, x->unit)->state;

	if (state == UNIT_DONE)
		prune_complete(&s->pruner, x);
	else if (sched_dead(state))
		prune_release(&s->pruner, x);
}

void sched_prune_changed(struct sched *s, uint32_t unit, uint32_t was)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	uint32_t instance = plan_trial(&s->plan, u->trial)->instance;
	struct prune_place x;

	if (u->state == was || !sched_prune_place(s, unit, &x))
		return;
	if (s->plan.instances[instance].busy == 0)
		plan_touch(&s->plan, instance);
	sched_race_changed(s, unit, was);
	note_end(s, &x);
}

/* ---- rungs ------------------------------------------------------------------------------------------- */
/* All its units have paused at one rung. */
static bool has_paused(const struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t rung = plan_unit(&s->plan, t->first_unit)->rung;

	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++) {
		const struct plan_unit *x = plan_unit(&s->plan, u);

		if (x->state != UNIT_PAUSED || x->rung != rung || x->pending)
			return false;
	}
	return true;
}

static void climb(struct sched *s, uint32_t unit, uint32_t rung)
{
	struct unit_fact f;

	sched_get_fact(s, unit, &f);
	f.state = UNIT_READY;
	f.rung = rung;
	sched_record_fact(s, unit, &f);
}

static void promote(struct sched *s, uint32_t trial, uint32_t rung)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	if (!has_paused(s, trial) || plan_unit(&s->plan, t->first_unit)->rung != rung)
		return; /* it has gone on, or will not */
	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++)
		climb(s, u, rung + 1);
}

static void promote_nth(struct sched *s, const struct prune_place *x, uint32_t rung, uint32_t before)
{
	uint32_t unit = prune_nth(&s->pruner, x->field, x->bracket, rung, before);

	if (unit)
		promote(s, plan_unit(&s->plan, unit)->trial, rung);
}

/* One more has come: it may be among the best now, or the one that was next to them. */
static void decide(struct sched *s, uint32_t trial, const struct prune_place *x, uint32_t rung)
{
	uint32_t quota = prune_quota(&s->pruner, x->field, x->bracket, rung);

	if (prune_before(&s->pruner, x, rung) < quota)
		promote(s, trial, rung);
	if (quota)
		promote_nth(s, x, rung, quota - 1);
}

int sched_apply_rung(struct sched *s, const struct record *r, struct fault *f)
{
	struct prune_place x;

	if (r->trial < 1 || r->trial > s->plan.trials.count || !plan_trial(&s->plan, r->trial)->combo ||
	    !is_promoting(s, r->trial))
		return fault_set(f, FAULT_IO, "trial %u has a rung, and there are none", r->trial);
	trial_place(s, r->trial, &x);
	if (r->rung >= prune_rungs(x.field->rules, x.bracket) - 1)
		return fault_set(f, FAULT_IO, "trial %u has paused at rung %u, which does not exist",
		                 r->trial, r->rung);
	prune_reach(&s->pruner, &x, r->rung, r->value);
	return 0;
}

static void reach(struct sched *s, uint32_t trial)
{
	struct prune_place x;
	struct record r = {
	    .kind = RECORD_RUNG, .trial = trial, .value = sched_value_in(s, trial, UNIT_PAUSED)};

	trial_place(s, trial, &x);
	r.rung = plan_unit(&s->plan, x.unit)->rung;
	if (prune_reached(&s->pruner, &x, r.rung))
		return;
	sched_record(s, &r);
	decide(s, trial, &x, r.rung);
}

/* A fold that was reset catches up with the others without asking. */
static uint32_t rung_of_others(const struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t rung = 0;

	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++) {
		const struct plan_unit *x = plan_unit(&s->plan, u);

		if (!sched_dead(x->state) && x->rung > rung)
			rung = x->rung;
	}
	return rung;
}

void sched_paused(struct sched *s, uint32_t unit)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	uint32_t rung = rung_of_others(s, u->trial);

	if (rung > u->rung)
		climb(s, unit, rung);
	else if (has_paused(s, u->trial))
		reach(s, u->trial);
}

/* ---- at rest ----------------------------------------------------------------------------------------- */
static uint32_t height(const struct sched *s, uint32_t trial)
{
	struct prune_place x;

	trial_place(s, trial, &x);
	return x.bracket + plan_unit(&s->plan, x.unit)->rung;
}

static bool is_ahead(const struct sched *s, uint32_t trial, uint32_t other)
{
	uint32_t a = height(s, trial), b = height(s, other);
	double x = sched_value_in(s, trial, UNIT_PAUSED), y = sched_value_in(s, other, UNIT_PAUSED);

	if (a != b)
		return a > b;
	return plan_phase(&s->plan, trial)->goal == GOAL_MAXIMIZE ? x > y : x < y;
}

static bool anything_pending(const struct sched *s, const struct plan_trial *t)
{
	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++)
		if (plan_unit(&s->plan, u)->pending)
			return true;
	return false;
}

static void prune_paused(struct sched *s, uint32_t instance)
{
	enum reason why = prune_rung_reason(s->fields[instance]->rules);

	for (uint32_t t = 1; t <= s->plan.trials.count; t++)
		if (plan_trial(&s->plan, t)->combo && plan_trial(&s->plan, t)->instance == instance &&
		    !sched_trial_final(s, plan_trial(&s->plan, t)))
			sched_prune_trial(s, t, why, (double)NAN);
}

void sched_settle_paused(struct sched *s, uint32_t instance)
{
	uint32_t best = 0;
	bool done = false;

	for (uint32_t t = 1; t <= s->plan.trials.count; t++) {
		const struct plan_trial *x = plan_trial(&s->plan, t);

		if (!x->combo || x->instance != instance)
			continue;
		if (anything_pending(s, x))
			return; /* its turn comes when that has been done */
		done = done || x->units_done == plan_nunits(&s->plan, x);
		if (has_paused(s, t) && (!best || is_ahead(s, t, best)))
			best = t;
	}
	if (best && !done)
		promote(s, best, plan_unit(&s->plan, plan_trial(&s->plan, best)->first_unit)->rung);
	else
		prune_paused(s, instance);
}

/* ---- after a replay ---------------------------------------------------------------------------------- */
static void rebuild_trial(struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	struct prune_place x;

	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++) {
		sched_prune_place(s, u, &x);
		note_end(s, &x);
	}
}

static void decide_again(struct sched *s, uint32_t trial)
{
	struct prune_place x;

	trial_place(s, trial, &x);
	if (prune_reached(&s->pruner, &x, plan_unit(&s->plan, x.unit)->rung))
		decide(s, trial, &x, plan_unit(&s->plan, x.unit)->rung);
	else
		reach(s, trial);
}

void sched_rebuild_pruner(struct sched *s)
{
	for (uint32_t t = 1; t <= s->plan.trials.count && s->fields; t++)
		if (plan_trial(&s->plan, t)->combo && field_of(s, t))
			rebuild_trial(s, t);
	for (uint32_t t = 1; t <= s->plan.trials.count && s->fields; t++)
		if (plan_trial(&s->plan, t)->combo && is_promoting(s, t) && has_paused(s, t))
			decide_again(s, t);
}

/* ---- questions --------------------------------------------------------------------------------------- */
void sched_sum_up(const struct sched *s, uint32_t trial, enum unit_state state, double *value, double *step)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	*value = sched_value_in(s, trial, state);
	*step = (double)NAN;
	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++) {
		double x = prune_end_step(&s->pruner, u);

		if (plan_unit(&s->plan, u)->state == state && (isnan(*step) || x > *step))
			*step = x;
	}
}
