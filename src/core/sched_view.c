/* view: questions others ask the scheduler; nothing here changes it. */
#include "sched_core.h"

#include <math.h>
#include <string.h>

uint32_t sched_unit_count(const struct sched *s)
{
	return s->plan.units.count;
}

uint32_t sched_trial_count(const struct sched *s)
{
	return s->plan.trials.count;
}

bool sched_trial_exists(const struct sched *s, uint32_t trial)
{
	return plan_trial(&s->plan, trial)->combo != 0;
}

void sched_unit(const struct sched *s, uint32_t unit, struct unit_view *out)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	const struct plan_instance *in;

	if (!u->trial) { /* a number that was left out */
		*out = (struct unit_view){.unit = unit};
		return;
	}
	in = &s->plan.instances[plan_trial(&s->plan, u->trial)->instance];
	*out = (struct unit_view){.unit = unit, .trial = u->trial, .phase = in->phase, .outer = in->outer};
	out->fold = plan_fold(&s->plan, unit);
	sched_get_fact(s, unit, &out->fact);
	out->live = u->slot != 0;
	if (u->slot) {
		out->worker = sched_slot(s, u->slot)->worker;
		out->lease = sched_slot(s, u->slot)->lease;
	}
}

void sched_trial(const struct sched *s, uint32_t trial, struct trial_view *out)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	const struct plan_combo *c = plan_combo(&s->plan, t->combo);
	const struct plan_instance *in = &s->plan.instances[t->instance];

	*out = (struct trial_view){.trial = trial, .phase = in->phase, .outer = in->outer, .k = t->k};
	out->first_unit = t->first_unit;
	out->nunits = plan_nunits(&s->plan, t);
	out->key = t->key;
	out->parents = plan_parents(c);
	out->nparents = c->nparents;
	out->place = c->key;
	out->values = t->values;
	for (uint32_t u = t->first_unit; u < t->first_unit + out->nunits; u++)
		out->units_final += sched_final(plan_unit(&s->plan, u)->state);
	out->value = sched_trial_value(s, trial, &out->sd, &out->units_done);
}

/* The best of the trials of phase `judge` right below; false: they are not all there, or not all final. NaN:
 * none of them has a value. */
static bool judged_value(const struct sched *s, const struct plan_trial *t, const struct study_phase *judge,
                         double *value)
{
	*value = (double)NAN;
	for (uint32_t l = t->first_link; l; l = plan_link(&s->plan, l)->next) {
		const struct plan_combo *c = plan_combo(&s->plan, plan_link(&s->plan, l)->combo);
		const struct plan_group *g = plan_group(&s->plan, c->group);

		if (s->plan.instances[g->instance].phase != judge->index || c->dead)
			continue;
		if (!g->closed || c->open)
			return false;
		for (uint32_t x = c->first_trial; x; x = plan_trial(&s->plan, x)->next_in_combo) {
			double v;

			if (!sched_trial_final(s, plan_trial(&s->plan, x)))
				return false;
			if (sched_trial_valid(s, x, &v) &&
			    !(judge->goal == GOAL_MAXIMIZE ? v <= *value : v >= *value))
				*value = v;
		}
	}
	return true;
}

static enum trial_end judged_end(const struct sched *s, uint32_t trial, const struct study_phase *judge,
                                 double *value)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	if (!t->first_link || !judged_value(s, t, judge, value))
		return TRIAL_OPEN;
	return isfinite(*value) ? TRIAL_COMPLETE : TRIAL_FAILED;
}

enum trial_end sched_trial_end(const struct sched *s, uint32_t trial, double *value, double *step)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	const struct study_phase *ph;
	uint32_t n, states = 0;

	*value = *step = (double)NAN;
	if (!t->combo)
		return TRIAL_VOID;
	ph = plan_phase(&s->plan, trial);
	n = plan_nunits(&s->plan, t);
	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++)
		states |= 1u << plan_unit(&s->plan, u)->state;
	if (states & 1u << UNIT_FAILED)
		return TRIAL_FAILED;
	if (states & (1u << UNIT_BLOCKED | 1u << UNIT_CANCELLED))
		return TRIAL_VOID;
	if (states & 1u << UNIT_PRUNED && sched_trial_final(s, t)) {
		if (sched_trial_raced(s, trial, value))
			*step = t->units_done;
		else
			sched_sum_up(s, trial, UNIT_PRUNED, value, step);
		return TRIAL_PRUNED;
	}
	if (states & 1u << UNIT_PAUSED)
		sched_sum_up(s, trial, UNIT_PAUSED, value, step);
	if (t->units_done < n)
		return TRIAL_OPEN;
	if (ph->judged)
		return judged_end(s, trial, &s->study->phases[ph->judge], value);
	return sched_trial_valid(s, trial, value) ? TRIAL_COMPLETE : TRIAL_FAILED;
}

/* ---- groups ------------------------------------------------------------------------------------------ */
static uint32_t slots_for(const struct sched *s, uint32_t phase)
{
	uint64_t n = s->cpus_up / s->needs[s->phases[phase].need].cpus;

	return n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

void sched_group(const struct sched *s, uint32_t group, struct group_view *out)
{
	struct plan_group *g = plan_group(&s->plan, group);
	const struct plan_instance *in = &s->plan.instances[g->instance];

	*out = (struct group_view){.group = group, .phase = in->phase, .outer = in->outer};
	out->key = plan_group_key(&s->plan, group);
	out->proposed = g->proposed;
	out->nparents = g->ncombos;
	out->cursor = &g->cursor;
	out->slots = slots_for(s, in->phase);
	out->trial_seconds = sched_mean_seconds(s, in->phase) * s->plan.units_per_trial[in->phase];
}

struct key128 sched_group_place(const struct sched *s, uint32_t group, uint32_t parent)
{
	return plan_combo(&s->plan, plan_group_combo(&s->plan, group, parent))->key;
}

bool sched_group_ready(const struct sched *s, uint32_t group, uint32_t parent)
{
	return sched_combo_ready(s, plan_group_combo(&s->plan, group, parent)) ||
	       !sched_group_alive(s, group);
}

/* What several trials of a phase have in common; NULL when they have no parameters. */
static const struct value *common_values(const struct sched *s, const uint32_t *trials, uint32_t n,
                                         uint32_t q, struct arena *a)
{
	uint32_t nparams = s->study->phases[q].space.nparams;
	struct value *out = arena_array(a, nparams + 1, sizeof *out);
	char x[TEXT_NUMBER], y[TEXT_NUMBER];

	for (uint32_t p = 0; p < nparams && n; p++) {
		const struct value *first = &plan_trial(&s->plan, trials[0])->values[p];
		bool same = true;

		for (uint32_t i = 1; same && i < n; i++) {
			const struct value *v = &plan_trial(&s->plan, trials[i])->values[p];

			same = v->kind == first->kind && !strcmp(value_text(first, x), value_text(v, y));
		}
		if (same)
			out[p] = *first;
	}
	return out;
}

/* The values of the trials above `parents` (0: none of that phase). */
static void fill_scope(const struct sched *s, const uint32_t *ancestors, const uint32_t *parents,
                       uint32_t nparents, struct arena *a, struct scope *out)
{
	const struct value **by_phase = arena_array(a, s->study->nphases, sizeof *by_phase);

	for (uint32_t q = 0; q < s->study->nphases; q++) {
		const uint32_t *trials;
		uint32_t n;

		if (ancestors[q] && ancestors[q] != PLAN_SEVERAL)
			by_phase[q] = plan_trial(&s->plan, ancestors[q])->values;
		if (ancestors[q] != PLAN_SEVERAL)
			continue;
		n = plan_ancestors_of(&s->plan, parents, nparents, q, false, a, &trials);
		by_phase[q] = common_values(s, trials, n, q, a);
	}
	out->by_phase = by_phase;
	out->nphases = s->study->nphases;
}

void sched_group_scope(const struct sched *s, uint32_t group, uint32_t parent, struct arena *a,
                       struct scope *out)
{
	const struct plan_combo *c = plan_combo(&s->plan, plan_group_combo(&s->plan, group, parent));

	plan_merge_ancestors(&s->plan, plan_parents(c), c->nparents, s->plan.ancestors[0]);
	fill_scope(s, s->plan.ancestors[0], plan_parents(c), c->nparents, a, out);
}

void sched_trial_scope(const struct sched *s, uint32_t trial, struct arena *a, struct scope *out)
{
	plan_ancestors(&s->plan, trial, s->plan.ancestors[0]);
	fill_scope(s, s->plan.ancestors[0], &trial, 1, a, out);
}

bool sched_has_values(const struct sched *s, uint32_t group, uint32_t parent, const struct value *own)
{
	const struct plan_group *g = plan_group(&s->plan, group);
	const struct study_phase *ph = &s->study->phases[s->plan.instances[g->instance].phase];
	uint32_t combo = plan_group_combo(&s->plan, group, parent);

	if (ph->search != SEARCH_GRID || ph->space.nparams == 0)
		return false;
	return plan_find_trial(&s->plan, plan_trial_key(&s->plan, combo, 0, own)) != 0;
}

/* ---- commands ---------------------------------------------------------------------------------------- */
const char *sched_unit_dir(const struct sched *s, uint32_t unit, const char *out_dir, struct arena *a)
{
	uint32_t trial = plan_unit(&s->plan, unit)->trial, resets = plan_unit(&s->plan, unit)->resets;
	const char *phase = plan_phase(&s->plan, trial)->name;
	int32_t fold = plan_fold(&s->plan, unit);

	const char *again = resets ? arena_printf(a, ".%u", resets) : "";

	if (fold < 0)
		return arena_printf(a, "%s/dir/%s/t%u%s", out_dir, phase, trial, again);
	return arena_printf(a, "%s/dir/%s/t%u/f%d%s", out_dir, phase, trial, fold, again);
}

static double mean_best_step(const struct sched *s, uint32_t first, uint32_t count)
{
	double sum = 0;
	uint32_t n = 0;

	for (uint32_t u = first; u < first + count; u++) {
		const struct plan_unit *x = plan_unit(&s->plan, u);

		if (x->state == UNIT_DONE && isfinite(x->best_step)) {
			sum += x->best_step;
			n++;
		}
	}
	return n ? sum / n : (double)NAN;
}

/* Does a pick lie between a trial and those of phase q above it? Then these were complete when it was made.
 */
static bool behind_pick(const struct sched *s, uint32_t trial, uint32_t q)
{
	const struct plan_combo *c = plan_combo(&s->plan, plan_trial(&s->plan, trial)->combo);
	const struct study_phase *ph = plan_phase(&s->plan, trial);

	for (uint32_t i = 0; i < c->nparents; i++) {
		uint32_t up = plan_parents(c)[i], phase = plan_phase_of(&s->plan, up);
		bool picked = c->choice != NULL;

		if (phase != q && !s->study->phases[phase].ancestor[q])
			continue;
		for (uint32_t k = 0; k < ph->nafter; k++)
			picked = picked || (ph->after[k].phase == phase && ph->after[k].pick == PICK_BEST);
		if (picked || (phase != q && behind_pick(s, up, q)))
			return true;
	}
	return false;
}

/* What one ancestor phase stands for in this unit: the directories of the units it may see, and the value of
 * those that are done for sure, so that it does not hang on which other folds happen to be. */
static void fill_parent(const struct sched *s, uint32_t unit, uint32_t q, const char *out_dir,
                        struct arena *a, struct command_parent *out)
{
	const uint32_t *trials;
	uint32_t trial = plan_unit(&s->plan, unit)->trial, first = 0, count = 0;
	uint32_t n = plan_ancestor_list(&s->plan, trial, q, a, &trials);
	const char **dirs = arena_array(a, (size_t)n * s->plan.units_per_trial[q], sizeof *dirs);

	for (uint32_t i = 0; i < n; i++) {
		plan_needs(&s->plan, unit, trials[i], &first, &count);
		for (uint32_t u = first; u < first + count; u++)
			dirs[out->ndirs++] = sched_unit_dir(s, u, out_dir, a);
	}
	out->dirs = dirs;
	out->ntrials = n;
	if (n != 1)
		return;
	if (behind_pick(s, trial, q)) {
		first = plan_trial(&s->plan, trials[0])->first_unit;
		count = s->plan.units_per_trial[q];
	}
	out->trial = trials[0];
	out->value = sched_units_value(s, first, count, NULL, NULL);
	out->best_step = mean_best_step(s, first, count);
}

/* How far it is to train; 0: nobody says. */
static int64_t budget_of(const struct sched *s, uint32_t unit)
{
	struct prune_place x;
	const struct prune *r;

	if (!sched_prune_place(s, unit, &x))
		return 0;
	r = x.field->rules;
	return r->promote ? prune_budget(r, x.bracket, plan_unit(&s->plan, unit)->rung) : r->max;
}

void sched_command_context(const struct sched *s, uint32_t unit, uint32_t attempt, const char *out_dir,
                           struct arena *a, struct command_context *out)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	const struct plan_instance *in = &s->plan.instances[plan_trial(&s->plan, u->trial)->instance];
	const struct study_phase *ph = &s->study->phases[in->phase];
	struct command_parent *parents = arena_array(a, s->study->nphases, sizeof *parents);

	*out = (struct command_context){.study = s->study, .phase = ph, .attempt = attempt};
	out->command = ph->scheduled ? &ph->commands[plan_trial(&s->plan, u->trial)->k] : &ph->command;
	sched_trial_scope(s, u->trial, a, &out->scope);
	for (uint32_t q = 0; q < s->study->nphases; q++) {
		parents[q].value = parents[q].best_step = (double)NAN;
		if (ph->ancestor[q])
			fill_parent(s, unit, q, out_dir, a, &parents[q]);
	}
	out->parents = parents;
	out->trial = u->trial;
	out->unit = unit;
	out->seed = plan_seed(&s->plan, unit);
	out->fold = plan_fold(&s->plan, unit);
	out->outer_fold = in->outer;
	out->budget = budget_of(s, unit);
	out->dir = ph->makes_dir ? sched_unit_dir(s, unit, out_dir, a) : "";
}

/* Of a job that picks nobody knows the parents yet, nor of one that comes after such: the first of its
 * candidates stand for them. */
void sched_job_context(const struct sched *s, const struct sched_job *j, struct arena *a,
                       struct command_context *out)
{
	const struct study_phase *ph = &s->study->phases[j->phase];
	struct command_parent *parents = arena_array(a, s->study->nphases, sizeof *parents);
	const struct value **by_phase = arena_array(a, s->study->nphases, sizeof *by_phase);
	uint32_t n = j->best_n && j->best_n < j->nparents ? j->best_n : j->nparents;

	*out = (struct command_context){.study = s->study, .phase = ph, .command = &ph->commands[j->command]};
	out->scope = (struct scope){by_phase, s->study->nphases};
	out->fold = ph->folds == FOLDS_EACH && s->study->folds.inner ? 0 : -1;
	out->outer_fold = -1;
	for (uint32_t q = 0; q < s->study->nphases; q++) {
		const uint32_t *trials;
		struct command_parent *up = &parents[q];

		up->value = up->best_step = (double)NAN;
		if (q == j->phase)
			continue;
		up->ntrials = up->ndirs = plan_ancestors_of(&s->plan, j->parents, n, q, true, a, &trials);
		if (out->fold < 0)
			up->ndirs *= s->plan.units_per_trial[q];
		up->trial = up->ntrials == 1 ? trials[0] : 0;
		if (up->ntrials)
			by_phase[q] = common_values(s, trials, up->ntrials, q, a);
	}
	by_phase[j->phase] = j->values;
	out->parents = parents;
}

/* ---- progress ---------------------------------------------------------------------------------------- */
static const double PLANNED_MAX = 1e15;

/* Trials the search of one group will make, as far as one can tell beforehand. */
static double expected_quota(const struct study_phase *ph)
{
	double quota = ph->trials > 0 ? (double)ph->trials : 0;

	if (ph->space.nparams == 0 && !ph->trials_total)
		return 1;
	if (ph->search == SEARCH_GRID) {
		int64_t size = space_size(&ph->space);

		if (size >= 0 && (double)size < quota)
			quota = (double)size;
	}
	return quota < PLANNED_MAX ? quota : PLANNED_MAX;
}

static double expected_parents(const struct plan_slot *slot, const struct after *rule, const double *expected)
{
	double n = slot->parent == UINT32_MAX ? 0 : expected[slot->parent];

	if (rule->pick == PICK_ALL)
		return n;
	if (slot->picked)
		n = slot->nwinners;
	else if (n > rule->best_n)
		n = rule->best_n;
	return rule->as_one && n > 1 ? 1 : n;
}

static double expected_trials(const struct sched *s, const struct plan_instance *in, const double *expected)
{
	const struct study_phase *ph = &s->study->phases[in->phase];
	double combos = ph->nafter ? 0 : 1, trials;

	if (in->trials_known || in->given_group)
		return in->trials;
	for (uint32_t i = 0; i < ph->nafter; i++) {
		double n = expected_parents(&in->slots[i], &ph->after[i], expected);

		combos = n > combos ? n : combos;
	}
	if (in->groups_known || in->combos > combos)
		combos = in->combos;
	trials = expected_quota(ph) * (ph->trials_total && combos > 0 ? 1 : combos);
	return trials < PLANNED_MAX ? trials : PLANNED_MAX;
}

/* Instances are in topological order, like phases. */
static uint64_t planned(const struct sched *s, uint32_t phase, double *expected)
{
	double sum = 0;

	for (uint32_t i = 0; i < s->plan.ninstances; i++) {
		const struct plan_instance *in = &s->plan.instances[i];

		if (!in->exists)
			continue;
		expected[i] = expected_trials(s, in, expected);
		if ((phase == UINT32_MAX || phase == in->phase) && expected[i] > in->trials)
			sum += (expected[i] - in->trials) * s->plan.units_per_trial[in->phase];
	}
	return (uint64_t)(sum < PLANNED_MAX ? sum : PLANNED_MAX);
}

void sched_counts(const struct sched *s, uint32_t phase, struct sched_counts *out)
{
	double seconds = 0;
	uint64_t timed = 0;

	memset(out, 0, sizeof *out);
	memcpy(out->by_state, phase == UINT32_MAX ? s->by_state : s->phases[phase].by_state,
	       sizeof out->by_state);
	out->planned = planned(s, phase, s->expected);
	for (uint32_t i = 0; i < s->study->nphases; i++)
		if (phase == UINT32_MAX || phase == i) {
			seconds += s->phases[i].durations.seconds;
			timed += s->phases[i].durations.n;
		}
	out->seconds_mean = timed ? seconds / (double)timed : (double)NAN;
}
