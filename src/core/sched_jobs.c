/* jobs: trials that come one by one from the command line, with parents of their own, and what they pick.
 *
 * A job is known by its key. The same job with more parents than it had gets them as long as it has not
 * begun. A job with `best=N` waits for all its candidates to be final; then the best N become its parents,
 * which is a fact like any other. Resetting or deleting a candidate makes that void (sched_change.c), and it
 * is decided again. */
#include "sched_core.h"

#include <string.h>

/* ---- choices -------------------------------------------------------------------------------------- */
static bool is_candidate(const struct plan_choice *x, uint32_t trial)
{
	for (uint32_t i = 0; i < x->ncandidates; i++)
		if (x->candidates[i] == trial)
			return true;
	return false;
}

void sched_candidate_final(struct sched *s, uint32_t trial, bool is)
{
	for (uint32_t l = plan_trial(&s->plan, trial)->first_link; l; l = plan_link(&s->plan, l)->next) {
		uint32_t combo = plan_link(&s->plan, l)->combo;
		struct plan_choice *x = plan_combo(&s->plan, combo)->choice;

		if (!x)
			continue;
		x->open += is ? UINT32_MAX : 1;
		x->barren = x->barren && is;
		if (x->open == 0 && !x->picked)
			plan_choice_due(&s->plan, combo);
	}
}

void sched_lose_candidate(struct sched *s, uint32_t combo, uint32_t trial)
{
	struct plan_choice *x = plan_combo(&s->plan, combo)->choice;

	if (!is_candidate(x, trial))
		return;
	if (!sched_trial_final(s, plan_trial(&s->plan, trial)))
		x->open--;
	if (x->open == 0 && !x->picked)
		plan_choice_due(&s->plan, combo);
}

static void recount_choice(struct sched *s, uint32_t combo)
{
	struct plan_choice *x = plan_combo(&s->plan, combo)->choice;

	double value;
	bool any = false;

	x->open = 0;
	for (uint32_t i = 0; i < x->ncandidates; i++) {
		x->open += !sched_trial_final(s, plan_trial(&s->plan, x->candidates[i]));
		any = any || sched_trial_valid(s, x->candidates[i], &value);
	}
	x->barren = x->open == 0 && !x->picked && !any;
	if (x->open == 0 && !x->picked && any)
		plan_choice_due(&s->plan, combo);
}

void sched_recount_choices(struct sched *s)
{
	for (uint32_t c = 1; c <= s->plan.combos.count; c++)
		if (plan_combo(&s->plan, c)->choice)
			recount_choice(s, c);
}

/* ---- parents --------------------------------------------------------------------------------------- */
static void record_parents(struct sched *s, uint32_t trial, const struct plan_job *j)
{
	struct record r = {.kind = RECORD_PARENTS, .trial = trial, .k = plan_trial(&s->plan, trial)->k};

	r.key = plan_trial(&s->plan, trial)->key;
	r.phase = plan_phase_of(&s->plan, trial);
	r.outer = -1;
	r.parents = j->parents;
	r.nparents = j->nparents;
	r.candidates = j->candidates;
	r.ncandidates = j->ncandidates;
	r.best_n = j->best_n;
	sched_record(s, &r);
}

static uint32_t combo_trial(const struct sched *s, uint32_t combo)
{
	return plan_combo(&s->plan, combo)->first_trial;
}

static void parents_of_choice(const struct plan_choice *x, struct plan_job *j)
{
	*j = (struct plan_job){
	    .candidates = x->candidates, .ncandidates = x->ncandidates, .best_n = x->best_n};
}

void sched_unpick_job(struct sched *s, uint32_t trial)
{
	struct plan_combo *c = plan_combo(&s->plan, plan_trial(&s->plan, trial)->combo);
	struct plan_job j;

	if (!c->choice || !c->choice->picked)
		return;
	parents_of_choice(c->choice, &j);
	record_parents(s, trial, &j);
	plan_choice_due(&s->plan, plan_trial(&s->plan, trial)->combo); /* its candidates may all stay final */
}

static void record_winner(struct sched *s, uint32_t trial, const struct plan_winner *w, bool last)
{
	struct record r = {.kind = RECORD_PICK, .trial = w->trial, .rank = w->rank, .value = w->value};

	r.phase = plan_phase_of(&s->plan, w->trial);
	r.outer = s->plan.instances[plan_trial(&s->plan, w->trial)->instance].outer;
	r.child_phase = plan_phase_of(&s->plan, trial);
	r.for_trial = trial;
	r.last = last;
	sched_record(s, &r);
}

static int ascending(uint32_t *list, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) { /* few: the winners */
		uint32_t v = list[i], k = i;

		for (; k > 0 && list[k - 1] > v; k--)
			list[k] = list[k - 1];
		list[k] = v;
	}
	return 0;
}

static void decide(struct sched *s, uint32_t combo)
{
	struct plan_choice *x = plan_combo(&s->plan, combo)->choice;
	uint32_t trial = combo_trial(s, combo), n = 0, *parents;
	struct plan_entry *list = arena_array(s->out->scratch, x->ncandidates + 1, sizeof *list);
	struct after rule = {.pick = PICK_BEST, .best_n = x->best_n};
	struct plan_winner *w;
	struct plan_job j;

	if (!trial || x->open || x->picked)
		return;
	for (uint32_t i = 0; i < x->ncandidates; i++)
		if (sched_trial_valid(s, x->candidates[i], &list[n].value))
			list[n++].trial = x->candidates[i];
	if (!n) {
		x->barren = true; /* blocked, never a default */
		sched_settle_trial(s, trial);
		return;
	}
	n = plan_pick(&s->plan, plan_phase(&s->plan, list[0].trial), &rule, list, n, s->out->scratch, &w);
	parents = arena_array(s->out->scratch, n, sizeof *parents);
	for (uint32_t i = 0; i < n; i++) {
		record_winner(s, trial, &w[i], i + 1 == n);
		parents[i] = w[i].trial;
	}
	ascending(parents, n);
	parents_of_choice(x, &j);
	j.parents = parents;
	j.nparents = n;
	record_parents(s, trial, &j);
	sched_settle_trial(s, trial);
}

void sched_decide_choices(struct sched *s)
{
	uint32_t combo;

	while ((combo = plan_take_due(&s->plan)))
		decide(s, combo);
}

/* ---- jobs ------------------------------------------------------------------------------------------- */
static uint32_t find_job(const struct sched *s, const struct sched_job *j)
{
	uint32_t trial = plan_find_trial(&s->plan, j->key);

	return trial && plan_trial(&s->plan, trial)->combo ? trial : 0;
}

/* What it comes after as it stands: its candidates where it picks. */
static const uint32_t *sources_of(const struct sched *s, uint32_t trial, uint32_t *n)
{
	const struct plan_combo *c = plan_combo(&s->plan, plan_trial(&s->plan, trial)->combo);

	*n = c->choice ? c->choice->ncandidates : c->nparents;
	return c->choice ? c->choice->candidates : plan_parents(c);
}

/* Both ascending; in `a`. */
static uint32_t unite(struct arena *a, const uint32_t *x, uint32_t n, const uint32_t *y, uint32_t m,
                      uint32_t **out)
{
	uint32_t i = 0, k = 0, count = 0;

	*out = arena_array(a, (size_t)n + m + 1, sizeof **out);
	while (i < n || k < m) {
		uint32_t v = k == m || (i < n && x[i] <= y[k]) ? x[i] : y[k];

		i += i < n && x[i] == v;
		k += k < m && y[k] == v;
		(*out)[count++] = v;
	}
	return count;
}

static bool has_all(const uint32_t *x, uint32_t n, const uint32_t *y, uint32_t m)
{
	uint32_t i = 0;

	for (uint32_t k = 0; k < m; k++) {
		while (i < n && x[i] < y[k])
			i++;
		if (i == n || x[i] != y[k])
			return false;
	}
	return true;
}

static bool has_begun(const struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++) {
		const struct plan_unit *v = plan_unit(&s->plan, u);

		/* A unit that was reset has attempts and has not begun. */
		if (v->state != UNIT_WAITING && v->state != UNIT_READY && v->state != UNIT_HELD &&
		    v->state != UNIT_BLOCKED)
			return true;
	}
	return false;
}

enum job_answer sched_preview_job(const struct sched *s, const struct sched_job *j)
{
	uint32_t trial = find_job(s, j), n;
	const uint32_t *now;

	if (!trial)
		return JOB_ADDED;
	now = sources_of(s, trial, &n);
	if (has_all(now, n, j->parents, j->nparents))
		return JOB_KNOWN;
	if (!has_begun(s, trial))
		return JOB_GROWN;
	return j->force ? JOB_FORCED : JOB_STARTED;
}

static uint32_t add_job(struct sched *s, const struct sched_job *j)
{
	struct record r = {
	    .kind = RECORD_TRIAL, .phase = j->phase, .outer = -1, .k = j->command, .key = j->key};

	r.trial = s->plan.trials.count + 1;
	r.values = j->values;
	r.best_n = j->best_n;
	*(j->best_n ? &r.candidates : &r.parents) = j->parents;
	*(j->best_n ? &r.ncandidates : &r.nparents) = j->nparents;
	sched_record(s, &r);
	s->out->items[s->out->count - 1].record.values = plan_trial(&s->plan, r.trial)->values;
	if (j->best_n)
		recount_choice(s, plan_trial(&s->plan, r.trial)->combo);
	sched_settle_trial(s, r.trial);
	return r.trial;
}

static void grow_job(struct sched *s, uint32_t trial, const struct sched_job *j, bool begun)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t n, *all, nnow;
	const uint32_t *now = sources_of(s, trial, &nnow);
	struct plan_job p = {0};

	n = unite(s->out->scratch, now, nnow, j->parents, j->nparents, &all);
	if (j->best_n) {
		p.candidates = all;
		p.ncandidates = n;
		p.best_n = j->best_n;
	} else {
		p.parents = all;
		p.nparents = n;
	}
	record_parents(s, trial, &p);
	if (j->best_n)
		recount_choice(s, t->combo);
	if (begun) {
		uint32_t count = plan_nunits(&s->plan, t);
		uint32_t *units = arena_array(s->out->scratch, count, sizeof *units);
		struct sched_request reset = {.kind = REQUEST_RESET, .units = units, .n = count};

		for (uint32_t i = 0; i < count; i++)
			units[i] = t->first_unit + i;
		sched_request(s, &reset, NULL);
	}
	sched_settle_trial(s, trial);
}

static bool job_makes_sense(const struct sched *s, const struct sched_job *j)
{
	uint32_t instance = plan_instance(&s->plan, j->phase, -1);

	return instance != UINT32_MAX && s->study->phases[j->phase].scheduled &&
	       j->command < s->study->phases[j->phase].ncommands &&
	       plan_parents_valid(&s->plan, instance, j->parents, j->nparents) && (!j->best_n || j->nparents);
}

void sched_add_job(struct sched *s, const struct event *e)
{
	const struct sched_job *j = e->job;
	enum job_answer answer;
	uint32_t trial;

	if (!job_makes_sense(s, j))
		return;
	answer = sched_preview_job(s, j);
	trial = find_job(s, j);
	if (answer == JOB_ADDED)
		trial = add_job(s, j);
	else if (answer == JOB_GROWN || answer == JOB_FORCED)
		grow_job(s, trial, j, answer == JOB_FORCED);
	if (e->answer)
		*e->answer = answer;
	if (e->trial)
		*e->trial = trial;
}
