/* end: when the run stops early, when it is over, and what to say then. */
#include "sched_core.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- stopping early ---------------------------------------------------------------------------------- */
void sched_stop(struct sched *s, enum stop_kind kind)
{
	if (s->stop > STOP_DRAINED || s->stop == kind)
		return;
	s->stop = kind;
	if (kind == STOP_DRAINED)
		for (uint32_t i = 0; i < s->study->nphases; i++)
			sched_recall_phase(s, i);
	else if (s->live)
		sched_cancel_live(s);
}

static bool same_failure(const struct attempt_result *a, const struct attempt_result *b)
{
	return a->reason == b->reason && a->exit_code == b->exit_code && a->signal == b->signal;
}

static bool may_be_the_node(const struct sched *s)
{
	for (uint32_t i = 0; i < s->nworkers && !s->alike_spread; i++)
		if (s->workers[i] && s->workers[i]->up && s->workers[i]->node != s->alike_node)
			return true;
	return false;
}

/* A study whose first attempts all fail in one way has a wrong command line, not bad luck; unless they were
 * all on one node, and there are others. */
void sched_note_result(struct sched *s, uint32_t unit, uint32_t worker, const struct attempt_result *r)
{
	uint32_t node = s->workers[worker]->node;

	if (!s->alike || s->stop)
		return;
	if (r->reason == REASON_NONE || r->reason == REASON_LOST || r->reason == REASON_REQUEUE ||
	    (s->nalike && !same_failure(r, &s->alike_result))) {
		s->alike = false;
		return;
	}
	s->alike_spread = s->nalike && (s->alike_spread || node != s->alike_node);
	s->alike_node = node;
	s->alike_result = *r;
	s->alike_units[s->nalike++] = unit;
	if (s->nalike < ALIKE_ATTEMPTS)
		return;
	if (may_be_the_node(s)) {
		s->nalike--;
		return;
	}
	sched_stop(s, STOP_ALIKE);
	for (uint32_t i = 0; i < s->nalike; i++)
		sched_reopen(s, s->alike_units[i]);
}

static bool target_reached(const struct sched *s, uint32_t trial)
{
	double value;

	if (!s->study->has_target || !sched_trial_valid(s, trial, &value))
		return false;
	if (plan_phase(&s->plan, trial)->goal == GOAL_MAXIMIZE)
		return value >= s->study->stop_target;
	return value <= s->study->stop_target;
}

/* An attempt of this trial ended (or was found ended at a resume): is the study's own stop reached? */
void sched_check_study_stop(struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	if (t->units_final != plan_nunits(&s->plan, t) || !t->units_begun)
		return;
	s->trials_ended++;
	if (target_reached(s, trial))
		sched_stop(s, STOP_TARGET);
	else if (s->study->stop_trials > 0 && s->trials_ended >= (uint64_t)s->study->stop_trials)
		sched_stop(s, STOP_TRIALS);
}

/* ---- the verdict --------------------------------------------------------------------------------------- */
static void finish(struct sched *s, enum fault_code code, const char *text)
{
	struct action *a = sched_action(s, ACTION_FINISH);

	a->code = code;
	a->text = text;
	s->finished = true;
}

static void finish_alike(struct sched *s)
{
	const struct attempt_result *r = &s->alike_result;
	const char *phase = s->study->phases[sched_phase_of(s, s->alike_units[0])].name;
	char how[64];

	if (r->reason == REASON_EXIT)
		snprintf(how, sizeof how, "exit code %d", r->exit_code);
	else if (r->reason == REASON_SIGNAL)
		snprintf(how, sizeof how, "signal %d", r->signal);
	else
		snprintf(how, sizeof how, "%s", reason_text(r->reason));
	finish(s, FAULT_UNITS,
	       arena_printf(s->out->scratch, "the first %d attempts all failed alike (%s, phase %s): stopped",
	                    ALIKE_ATTEMPTS, how, phase));
}

static const char *first_note(const struct sched *s)
{
	for (uint32_t i = 0; i < s->plan.ninstances; i++)
		if (s->plan.instances[i].exists && s->plan.instances[i].note)
			return s->plan.instances[i].note;
	return NULL;
}

static const char *held_text(const struct sched *s)
{
	unsigned long long held = s->by_state[UNIT_HELD];

	return held ? arena_printf(s->out->scratch, "%llu unit%s held (`ranksweep release` lets them start)",
	                           held, held == 1 ? " is" : "s are")
	            : "";
}

static const char *cancelled_text(const struct sched *s)
{
	unsigned long long n = s->by_state[UNIT_CANCELLED];

	return n ? arena_printf(s->out->scratch, "%llu unit%s cancelled", n, n == 1 ? " is" : "s are") : "";
}

/* What waits for a trial that was pruned is as little a failure as that trial is. */
static uint64_t count_blocked(const struct sched *s)
{
	uint64_t n = s->by_state[UNIT_BLOCKED];

	if (!s->by_state[UNIT_PRUNED])
		return n;
	for (uint32_t u = 1; u <= s->plan.units.count; u++) {
		const struct plan_unit *x = plan_unit(&s->plan, u);

		if (x->trial && x->state == UNIT_BLOCKED && x->cause)
			n -= plan_unit(&s->plan, x->cause)->state == UNIT_PRUNED;
	}
	return n;
}

static const char *paused_text(const struct sched *s)
{
	unsigned long long n = s->by_state[UNIT_PAUSED];

	return n ? arena_printf(s->out->scratch, "%llu unit%s paused at a rung", n, n == 1 ? " is" : "s are")
	         : "";
}

static void finish_units(struct sched *s)
{
	uint64_t failed = s->by_state[UNIT_FAILED], blocked = count_blocked(s);
	const char *note = first_note(s), *counts = "", *held = held_text(s);

	if (!*held)
		held = paused_text(s);
	if (failed)
		counts = arena_printf(
		    s->out->scratch, blocked ? "%llu unit%s failed, %llu blocked" : "%llu unit%s failed",
		    (unsigned long long)failed, failed == 1 ? "" : "s", (unsigned long long)blocked);
	else if (blocked)
		counts = arena_printf(s->out->scratch, "%llu unit%s blocked", (unsigned long long)blocked,
		                      blocked == 1 ? " is" : "s are");
	if (*held)
		note = NULL; /* what a phase lacks may come when they are released */
	if (failed + blocked || note || *held)
		finish(s, FAULT_UNITS,
		       arena_printf(s->out->scratch, "%s%s%s%s%s", counts, *counts && *held ? "; " : "", held,
		                    (*counts || *held) && note ? "; " : "", note ? note : ""));
	else
		finish(s, FAULT_NONE, cancelled_text(s));
}

/* The study's own stop: what was not tried is no failure. */
static void finish_early(struct sched *s)
{
	uint64_t failed = s->by_state[UNIT_FAILED];

	if (failed)
		finish(s, FAULT_UNITS,
		       arena_printf(s->out->scratch, "%llu unit%s failed", (unsigned long long)failed,
		                    failed == 1 ? "" : "s"));
	else
		finish(s, FAULT_NONE, "");
}

/* ---- is it over? --------------------------------------------------------------------------------------- */
static uint32_t ready_count(const struct sched *s, uint32_t phase)
{
	uint32_t n = 0;

	for (int q = READY_BEGUN; q < READY_QUEUES; q++)
		n += s->phases[phase].ready[q].count;
	return n;
}

static bool delays_pending(struct sched *s)
{
	while (s->ndelays && !sched_delays(s, &s->delays[0]))
		sched_drop_delay(s);
	return s->ndelays > 0;
}

/* Nothing is left to do, now or later, that a worker could hold and that could end in time. Sets *unfit to a
 * phase whose units are ready but too large for every worker, *late to one (from 1) without time. */
static bool nothing_left(struct sched *s, const struct study_phase **unfit, uint32_t *late)
{
	*unfit = NULL;
	*late = s->unfed;
	if (s->live || s->asked || delays_pending(s) || sched_growing(s) || sched_hungry(s))
		return false;
	for (uint32_t i = 0; i < s->study->nphases; i++) {
		if (!ready_count(s, i))
			continue;
		if (!sched_in_time(s, i))
			*late = i + 1;
		else if (s->needs[s->phases[i].need].able)
			return false;
		else if (!*unfit)
			*unfit = &s->study->phases[i];
	}
	return true;
}

static const struct worker *largest_worker(const struct sched *s)
{
	const struct worker *best = NULL;

	for (uint32_t i = 0; i < s->nworkers; i++) {
		const struct worker *w = s->workers[i];

		if (w && w->up && (!best || w->cpus > best->cpus))
			best = w;
	}
	return best;
}

static void finish_unfit(struct sched *s, const struct study_phase *ph)
{
	const struct worker *w = largest_worker(s);
	const struct need *n = &s->needs[s->phases[ph->index].need];
	const long long mib = 1 << 20;

	finish(s, FAULT_UNITS,
	       arena_printf(s->out->scratch,
	                    "no worker can hold a unit of phase %s: it wants %u cpus, %u gpus, %lld MiB; the "
	                    "largest worker has %u cpus, %u gpus, %lld MiB%s",
	                    ph->name, n->cpus, n->gpus, (long long)n->memory_bytes / mib, w->cpus, w->gpus,
	                    (long long)w->memory_bytes / mib, w->memory_bytes ? "" : " (unknown)"));
}

static void maybe_finish_stopped(struct sched *s)
{
	const struct study_phase *unfit;
	uint32_t late;

	if (s->live)
		return;
	if (s->stop == STOP_ALIKE)
		finish_alike(s);
	else if (s->stop != STOP_ASKED && s->stop != STOP_DRAINED)
		finish_early(s);
	else if (nothing_left(s, &unfit, &late) && !unfit && !late && !s->by_state[UNIT_PAUSED])
		finish_units(s);
	else
		finish(s, FAULT_STOPPED, "stopped before the end; the same command goes on");
}

void sched_maybe_finish(struct sched *s)
{
	const struct study_phase *unfit;
	int64_t since = s->unfit_since_ms;
	uint32_t late;
	bool nothing;

	s->unfit_since_ms = INT64_MAX;
	if (s->stop) {
		maybe_finish_stopped(s);
		return;
	}
	nothing = nothing_left(s, &unfit, &late);
	if (nothing && late) {
		finish(s, FAULT_STOPPED, sched_late_text(s, late - 1));
		return;
	}
	if (nothing && !unfit) {
		finish_units(s);
		return;
	}
	if (s->seen_worker && !s->workers_up) {
		finish(s, FAULT_WORKER, "no worker is left");
		return;
	}
	if (!unfit || !s->seen_worker)
		return;
	/* A larger worker may be about to report. */
	s->unfit_since_ms = since == INT64_MAX ? s->now_ms : since;
	if (s->now_ms - s->unfit_since_ms >= UNFIT_WAIT_MS)
		finish_unfit(s, unfit);
}
