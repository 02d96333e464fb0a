/* What an edit of a study file may change once results are stored. */
#include "study.h"

#include <string.h>

static bool same_text(const char *x, const char *y)
{
	return x == y || (x && y && !strcmp(x, y));
}

/* The edit needs --accept, or starts a new study. */
static int needs_accept(struct fault *f, const char *phase, const char *key)
{
	return fault_set(f, FAULT_STUDY,
	                 "`%s` of phase '%s' has changed: --accept takes it for trials not begun", key,
	                 phase);
}

static int never(struct fault *f, const char *phase, const char *key)
{
	return fault_set(
	    f, FAULT_STUDY,
	    "`%s` of phase '%s' has changed: what is stored would mean something else; change it "
	    "back, or start a new study",
	    key, phase);
}

static int compare_top(const struct study *x, const struct study *y, struct fault *f)
{
	if (!same_text(x->name, y->name))
		return fault_set(f, FAULT_STUDY, "`study` was '%.100s' and is now '%.100s': it never changes",
		                 x->name, y->name);
	if (x->seed != y->seed)
		return fault_set(f, FAULT_STUDY, "`seed` was %llu and is now %llu: it never changes",
		                 (unsigned long long)x->seed, (unsigned long long)y->seed);
	if (x->reproducible != y->reproducible)
		return fault_set(f, FAULT_STUDY, "`reproducible` has changed: it never does in a study");
	if (x->folds.inner != y->folds.inner || x->folds.outer != y->folds.outer ||
	    x->folds.full != y->folds.full)
		return fault_set(f, FAULT_STUDY, "`folds` has changed: it never does in a study");
	return 0;
}

/* ---- structure: never changes ------------------------------------------------------------------ */

static const char *param_name(const struct study *s, uint32_t phase, uint32_t index)
{
	return s->phases[phase].space.params[index].name;
}

static bool same_pick(const struct study *x, const struct after *a, const struct study *y,
                      const struct after *b)
{
	if (!same_text(x->phases[a->phase].name, y->phases[b->phase].name) || a->pick != b->pick ||
	    a->best_n != b->best_n || a->as_one != b->as_one || a->objective != b->objective ||
	    a->nper != b->nper)
		return false;
	for (uint32_t i = 0; i < a->nper; i++)
		if (!same_text(x->phases[a->per_phase[i]].name, y->phases[b->per_phase[i]].name) ||
		    !same_text(param_name(x, a->per_phase[i], a->per[i]),
		               param_name(y, b->per_phase[i], b->per[i])))
			return false;
	return true;
}

static bool same_after(const struct study *x, const struct study_phase *p, const struct study *y,
                       const struct study_phase *q)
{
	if (p->nafter != q->nafter)
		return false;
	for (uint32_t i = 0; i < p->nafter; i++)
		if (!same_pick(x, &p->after[i], y, &q->after[i]))
			return false;
	return true;
}

static bool same_param_names(const struct space *x, const struct space *y)
{
	if (x->nparams != y->nparams)
		return false;
	for (uint32_t i = 0; i < x->nparams; i++)
		if (!same_text(x->params[i].name, y->params[i].name))
			return false;
	return true;
}

static bool same_rungs(const struct prune *x, const struct prune *y)
{
	return x->min == y->min && x->max == y->max && x->eta == y->eta && x->promote == y->promote;
}

/* Where trials have paused at rungs, what a rung is does not change. */
static bool same_ladder(const struct prune *x, const struct prune *y)
{
	bool up = x && x->promote, now = y && y->promote;

	if (!up || !now)
		return up == now;
	return same_rungs(x, y) && (x->rules & PRUNE_HYPERBAND) == (y->rules & PRUNE_HYPERBAND);
}

static bool same_objectives(const struct study_phase *p, const struct study_phase *q)
{
	if (p->nmore != q->nmore)
		return false;
	for (uint32_t i = 0; i < p->nmore; i++)
		if (strcmp(p->more[i].metric, q->more[i].metric) != 0 || p->more[i].goal != q->more[i].goal)
			return false;
	return true;
}

static int compare_structure(const struct study *x, const struct study_phase *p, const struct study *y,
                             const struct study_phase *q, struct fault *f)
{
	if (!same_after(x, p, y, q))
		return never(f, p->name, "after");
	if (p->folds != q->folds)
		return never(f, p->name, "folds");
	if (!same_text(p->metric, q->metric) || p->judged != q->judged)
		return never(f, p->name, "metric");
	if (p->metric && p->goal != q->goal)
		return never(f, p->name, "goal");
	if (!same_objectives(p, q))
		return never(f, p->name, "metrics");
	if (p->aggregate != q->aggregate)
		return never(f, p->name, "aggregate");
	if (p->report != q->report)
		return never(f, p->name, "report");
	if (p->trials_total != q->trials_total)
		return never(f, p->name, "trials");
	if (!same_ladder(p->prune, q->prune))
		return never(f, p->name, "prune");
	if (!same_param_names(&p->space, &q->space))
		return fault_set(f, FAULT_STUDY,
		                 "the parameters of phase '%s' are others now, or in another order: give the "
		                 "new ones a phase or a study of their own",
		                 p->name);
	return 0;
}

/* ---- with --accept ----------------------------------------------------------------------------- */

static bool same_domains(const struct space *x, const struct space *y)
{
	if (x->nrequire != y->nrequire)
		return false;
	for (uint32_t i = 0; i < x->nparams; i++)
		if (!same_text(x->params[i].text, y->params[i].text))
			return false;
	for (uint32_t i = 0; i < x->nrequire; i++)
		if (!same_text(x->require_text[i], y->require_text[i]))
			return false;
	return true;
}

static bool same_env(const struct study_phase *p, const struct study_phase *q)
{
	if (p->nenv != q->nenv)
		return false;
	for (uint32_t i = 0; i < p->nenv; i++)
		if (!same_text(p->env[i].name, q->env[i].name) ||
		    !same_text(p->env[i].value, q->env[i].value))
			return false;
	return true;
}

static bool same_capture(const struct study_phase *p, const struct study_phase *q)
{
	if (p->ncaptures != q->ncaptures)
		return false;
	for (uint32_t i = 0; i < p->ncaptures; i++)
		if (!same_text(p->captures[i].metric, q->captures[i].metric) ||
		    !same_text(p->captures[i].pattern, q->captures[i].pattern))
			return false;
	return true;
}

/* Enqueued assignments are trials 0, 1, ..: more of them would renumber those of the search. */
static bool same_enqueue(const struct study_phase *p, const struct study_phase *q)
{
	char a[TEXT_NUMBER], b[TEXT_NUMBER];
	size_t n = (size_t)p->nenqueue * p->space.nparams;

	if (p->nenqueue != q->nenqueue)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!same_text(value_text(&p->enqueue[i], a), value_text(&q->enqueue[i], b)))
			return false;
	return true;
}

static bool same_search(const struct study_phase *p, const struct study_phase *q)
{
	return (p->search_auto && q->search_auto) ||
	       (p->search == q->search && same_text(p->program_text, q->program_text));
}

static bool same_double(double x, double y)
{
	return !(x < y) && !(y < x);
}

static bool same_compare(const struct prune_compare *x, const struct prune_compare *y)
{
	return same_double(x->share, y->share) && x->startup == y->startup && x->warmup == y->warmup &&
	       x->interval == y->interval && x->least == y->least;
}

static bool same_prune(const struct prune *x, const struct prune *y)
{
	if (!x || !y)
		return x == y;
	return x->rules == y->rules && same_compare(&x->median, &y->median) &&
	       same_compare(&x->percentile, &y->percentile) && same_double(x->lower, y->lower) &&
	       same_double(x->upper, y->upper) && x->threshold_warmup == y->threshold_warmup &&
	       x->patience == y->patience && same_double(x->min_delta, y->min_delta) &&
	       x->has_best == y->has_best && same_double(x->best, y->best) && same_rungs(x, y);
}

static int compare_surroundings(const struct study_phase *p, const struct study_phase *q, struct fault *f)
{
	if (!same_env(p, q))
		return needs_accept(f, p->name, "env");
	if (!same_text(p->setup, q->setup))
		return needs_accept(f, p->name, "setup");
	if (!same_capture(p, q))
		return needs_accept(f, p->name, "capture");
	return 0;
}

static int compare_acceptable(const struct study_phase *p, const struct study_phase *q, struct fault *f)
{
	if (!same_text(p->command_text, q->command_text))
		return needs_accept(f, p->name, "command");
	if (compare_surroundings(p, q, f))
		return -1;
	if (!same_domains(&p->space, &q->space))
		return needs_accept(f, p->name, "params");
	if (!same_search(p, q))
		return needs_accept(f, p->name, "search");
	if (!same_prune(p->prune, q->prune))
		return needs_accept(f, p->name, "prune");
	if (!same_enqueue(p, q))
		return needs_accept(f, p->name, "enqueue");
	if (q->trials < p->trials)
		return needs_accept(f, p->name, "trials");
	return 0;
}

static int compare_phase(const struct study *x, const struct study_phase *p, const struct study *y,
                         const struct study_phase *q, bool accept, struct fault *f)
{
	if (!q || q->scheduled)
		return fault_set(f, FAULT_STUDY, "phase '%s' is gone: phases can be added, not taken away",
		                 p->name);
	if (compare_structure(x, p, y, q, f))
		return -1;
	return accept ? 0 : compare_acceptable(p, q, f);
}

/* No edit of the file can touch a scheduled phase, but for what it takes from the top. */
static int compare_scheduled(const struct study_phase *p, const struct study_phase *q, bool accept,
                             struct fault *f)
{
	if (!q->scheduled)
		return fault_set(
		    f, FAULT_STUDY,
		    "phase '%s' was scheduled from the command line: give the one in the study file "
		    "another name",
		    p->name);
	if (p->aggregate != q->aggregate)
		return never(f, p->name, "aggregate");
	if (p->report != q->report)
		return never(f, p->name, "report");
	return accept ? 0 : compare_surroundings(p, q, f);
}

int study_compare(const struct study *stored, const struct study *now, bool accept, bool *changed,
                  struct fault *f)
{
	if (changed)
		memset(changed, 0, now->nphases * sizeof *changed);
	if (compare_top(stored, now, f))
		return -1;
	for (uint32_t i = 0; i < stored->nphases; i++) {
		const struct study_phase *p = &stored->phases[i], *q = study_find_phase(now, p->name);

		if (p->scheduled && !q)
			continue;
		if (p->scheduled ? compare_scheduled(p, q, accept, f)
		                 : compare_phase(stored, p, now, q, accept, f))
			return -1;
		if (changed && !p->scheduled)
			changed[q->index] = !same_domains(&p->space, &q->space);
	}
	return 0;
}

void study_keep_search(const struct study *stored, struct study_phase *phases, uint32_t nphases)
{
	for (uint32_t i = 0; i < nphases; i++) {
		const struct study_phase *p = study_find_phase(stored, phases[i].name);

		if (!p || !p->search_auto || !phases[i].search_auto || !phases[i].space.nparams)
			continue;
		/* An edited domain can make a grid impossible: then the new answer stands. */
		if (p->search != SEARCH_GRID || space_size(&phases[i].space) != SPACE_INFINITE)
			phases[i].search = p->search;
	}
}
