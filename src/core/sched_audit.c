/* audit: the scheduler checked against a full recount, and everything that survives as text. For tests. */
#include "sched_core.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- audit ------------------------------------------------------------------------------------------- */
static const char *audit_unit(const struct sched *s, uint32_t unit, struct arena *scratch)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	bool pending = u->pending == PENDING_RESET || u->pending == PENDING_DELETE, blocked;
	uint32_t cause, unmet = sched_count_unmet(s, unit, &blocked, &cause);

	/* (A pending unit is counted again when its turn comes.) */
	if (unmet != u->unmet && !pending && u->state != UNIT_RUNNING)
		return arena_printf(scratch, "unit %u has %u unmet parents, counted as %u", unit, unmet,
		                    u->unmet);
	if (unmet && !pending && (u->state == UNIT_READY || u->state == UNIT_DONE || u->state == UNIT_FAILED))
		return arena_printf(scratch, "unit %u is %s before its parents are done", unit,
		                    unit_state_text(u->state));
	if ((u->state == UNIT_RUNNING) != (u->slot != 0))
		return arena_printf(scratch, "unit %u is %s with slot %u", unit, unit_state_text(u->state),
		                    u->slot);
	if ((u->state == UNIT_READY && !u->pending) != (u->queue != READY_NONE || u->delayed))
		return arena_printf(scratch, "unit %u is %s but its queue is %d", unit,
		                    unit_state_text(u->state), u->queue);
	/* (Behind a held unit its parents may not say so, but the cause does.) */
	if (u->state == UNIT_BLOCKED && !pending && !blocked && !u->cause)
		return arena_printf(scratch, "unit %u is blocked by nobody", unit);
	if (u->state == UNIT_BLOCKED && !pending && u->cause &&
	    !sched_dead(plan_unit(&s->plan, u->cause)->state))
		return arena_printf(scratch, "unit %u is blocked by unit %u, which did not fail", unit,
		                    u->cause);
	if (u->slot && sched_slot(s, u->slot)->unit != unit)
		return arena_printf(scratch, "unit %u has the slot of another", unit);
	return NULL;
}

static const char *audit_trial(const struct sched *s, uint32_t trial, uint32_t *open, struct arena *scratch)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t n = plan_nunits(&s->plan, t), done = 0, final = 0, failed = 0, begun = 0;

	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++) {
		const struct plan_unit *x = plan_unit(&s->plan, u);

		done += x->state == UNIT_DONE;
		final += sched_final(x->state);
		failed += x->state == UNIT_FAILED;
		begun += x->attempts > 0;
		if (x->trial != trial)
			return arena_printf(scratch, "unit %u is not in trial %u", u, trial);
	}
	if (done != t->units_done || final != t->units_final || failed != t->units_failed ||
	    begun != t->units_begun)
		return arena_printf(scratch, "trial %u miscounts its units", trial);
	open[t->instance] += final < n;
	if (plan_find_trial(&s->plan, t->key) != trial)
		return arena_printf(scratch, "trial %u is not found by its key", trial);
	return NULL;
}

static const char *audit_queues(const struct sched *s, struct arena *scratch)
{
	for (uint32_t i = 0; i < s->study->nphases; i++)
		for (int q = READY_BEGUN; q < READY_QUEUES; q++) {
			const struct queue *r = &s->phases[i].ready[q];

			if (!queue_valid(r))
				return arena_printf(scratch, "ready queue %d of phase %u is no heap", q, i);
			for (uint32_t k = 0; k < r->count; k++) {
				const struct plan_unit *u = plan_unit(&s->plan, r->items[k]);
				const struct plan_trial *t = plan_trial(&s->plan, u->trial);
				int want = t->units_failed                 ? READY_LAST
				           : !t->units_begun               ? READY_FRESH
				           : sched_race_waits(s, u->trial) ? READY_LATER
				                                           : READY_BEGUN;

				if (u->queue != q || q != want || sched_phase_of(s, r->items[k]) != i)
					return arena_printf(scratch, "unit %u is in the wrong queue",
					                    r->items[k]);
			}
		}
	return NULL;
}

static bool counts_match(const struct sched *s)
{
	uint64_t all[UNIT_STATE_COUNT] = {0}, sums[UNIT_STATE_COUNT] = {0};

	for (uint32_t u = 1; u <= s->plan.units.count; u++)
		if (plan_unit(&s->plan, u)->trial)
			all[plan_unit(&s->plan, u)->state]++;
	for (uint32_t i = 0; i < s->study->nphases; i++)
		for (int k = 0; k < UNIT_STATE_COUNT; k++)
			sums[k] += s->phases[i].by_state[k];
	return !memcmp(all, s->by_state, sizeof all) && !memcmp(all, sums, sizeof all);
}

static const char *audit_worker(const struct sched *s, uint32_t worker, struct arena *scratch)
{
	const struct worker *w = s->workers[worker];
	uint64_t cpus = 0, gpus = 0;
	int64_t memory = 0;

	if (!w->up)
		return w->running.count + w->held.count ? "a lost worker has live attempts" : NULL;
	for (uint32_t i = w->running.head; i; i = sched_slot(s, i)->next) {
		const struct need *n = &s->needs[s->phases[sched_phase_of(s, sched_slot(s, i)->unit)].need];

		cpus += n->cpus;
		gpus += n->gpus;
		memory += n->memory_bytes;
	}
	if (cpus + w->free_cpus != w->cpus || gpus + w->free_gpus != w->gpus ||
	    (w->memory_bytes && memory + w->free_memory != w->memory_bytes))
		return arena_printf(scratch, "worker %u miscounts its room", worker);
	return NULL;
}

static const char *audit_busy(const struct sched *s, struct arena *scratch)
{
	uint32_t *busy = arena_array(scratch, s->plan.ninstances, sizeof *busy);

	for (uint32_t u = 1; u <= s->plan.units.count; u++) {
		const struct plan_unit *x = plan_unit(&s->plan, u);

		if (x->trial && plan_trial(&s->plan, x->trial)->combo && sched_busy(x->state))
			busy[plan_trial(&s->plan, x->trial)->instance]++;
	}
	for (uint32_t i = 0; i < s->plan.ninstances; i++)
		if (busy[i] != s->plan.instances[i].busy)
			return arena_printf(scratch, "instance %u counts %u busy units of %u", i,
			                    s->plan.instances[i].busy, busy[i]);
	return NULL;
}

static const char *audit_instances(const struct sched *s, const uint32_t *open, struct arena *scratch)
{
	for (uint32_t i = 0; i < s->plan.ninstances; i++) {
		const struct plan_instance *in = &s->plan.instances[i];

		if (open[i] != in->trials_open)
			return arena_printf(scratch, "instance %u counts %u open trials of %u", i,
			                    in->trials_open, open[i]);
	}
	return NULL;
}

const char *sched_audit(const struct sched *s, struct arena *scratch)
{
	uint32_t *open = arena_array(scratch, s->plan.ninstances, sizeof *open);
	const char *wrong = NULL;

	if (s->replaying)
		return NULL;
	for (uint32_t u = 1; u <= s->plan.units.count && !wrong; u++)
		wrong = plan_unit(&s->plan, u)->trial ? audit_unit(s, u, scratch) : NULL;
	for (uint32_t t = 1; t <= s->plan.trials.count && !wrong; t++)
		wrong = plan_trial(&s->plan, t)->combo ? audit_trial(s, t, open, scratch) : NULL;
	for (uint32_t i = 0; i < s->nworkers && !wrong; i++)
		wrong = s->workers[i] ? audit_worker(s, i, scratch) : NULL;
	if (!wrong)
		wrong = audit_queues(s, scratch);
	if (!wrong)
		wrong = audit_instances(s, open, scratch);
	if (!wrong)
		wrong = audit_busy(s, scratch);
	if (!wrong && !counts_match(s))
		wrong = "units are miscounted by state";
	return wrong;
}

/* ---- dump -------------------------------------------------------------------------------------------- */
struct text {
	struct arena *arena;
	char *s;
	size_t len, cap;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
	char buf[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof buf)
		n = (int)sizeof buf - 1;
	if (t->len + (size_t)n + 1 > t->cap) {
		t->s = arena_grow(t->arena, t->s, t->len, 2 * t->cap + 1024);
		t->cap = 2 * t->cap + 1024;
	}
	memcpy(t->s + t->len, buf, (size_t)n + 1);
	t->len += (size_t)n;
}

static void dump_choice(const struct plan_choice *x, struct text *t)
{
	if (!x)
		return;
	add(t, " best %u of", x->best_n);
	for (uint32_t i = 0; i < x->ncandidates; i++)
		add(t, " %u", x->candidates[i]);
}

static void dump_objectives(const struct sched *s, uint32_t unit, struct text *t)
{
	const struct study_phase *p = &s->study->phases[sched_phase_of(s, unit)];

	for (uint32_t i = 1; plan_unit(&s->plan, unit)->state == UNIT_DONE && i <= p->nmore; i++)
		add(t, "objective %u %.17g\n", i, sched_unit_objective(s, unit, i));
}

static void dump_trial(const struct sched *s, uint32_t trial, struct text *t)
{
	struct trial_view v;
	char buf[TEXT_NUMBER];

	sched_trial(s, trial, &v);
	add(t, "trial %u phase %u outer %d k %u key %016" PRIx64 "%016" PRIx64 " parents", trial, v.phase,
	    v.outer, v.k, v.key.hi, v.key.lo);
	for (uint32_t i = 0; i < v.nparents; i++)
		add(t, " %u", v.parents[i]);
	dump_choice(plan_combo(&s->plan, plan_trial(&s->plan, trial)->combo)->choice, t);
	add(t, " values");
	for (uint32_t i = 0; i < s->study->phases[v.phase].space.nparams; i++)
		add(t, " %s", value_text(&v.values[i], buf));
	add(t, "\n");
	for (uint32_t u = v.first_unit; u < v.first_unit + v.nunits; u++) {
		struct unit_fact f;

		sched_get_fact(s, u, &f);
		add(t,
		    "unit %u %s %s cause %u attempts %u failures %u losses %u idle %u resets %u priority %d "
		    "pending %d rung %u value %.17g step %.17g best_step %.17g\n",
		    u, unit_state_text(f.state), reason_text(f.reason), f.cause, f.attempts, f.failures,
		    f.losses, f.idle_requeues, f.resets, f.priority, (int)f.pending, f.rung, f.value, f.step,
		    f.best_step);
		dump_objectives(s, u, t);
	}
}

const char *sched_dump(const struct sched *s, struct arena *a)
{
	struct text t = {.arena = a};

	add(&t, "study %s\n", s->study->name);
	for (uint32_t i = 1; i <= s->plan.trials.count; i++)
		if (plan_trial(&s->plan, i)->combo)
			dump_trial(s, i, &t);
	for (uint32_t i = 0; i < s->plan.ninstances; i++)
		for (uint32_t k = 0;
		     s->plan.instances[i].exists && k < s->study->phases[s->plan.instances[i].phase].nafter;
		     k++) {
			const struct plan_slot *slot = &s->plan.instances[i].slots[k];

			if (!slot->picked)
				continue;
			add(&t, "pick %u %u:", i, k);
			for (uint32_t w = 0; w < slot->nwinners; w++)
				add(&t, " %u", slot->winners[w]);
			add(&t, "\n");
		}
	return t.s;
}
