#include "keep.h"

#include "host.h"

#include <math.h>
#include <stdlib.h>

struct entry {
	int32_t outer;
	double value; /* smaller is better, whatever the goal */
	uint32_t trial;
};

/* By outer fold; best first; a tie goes to the lower number. */
static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->outer != y->outer)
		return x->outer < y->outer ? -1 : 1;
	if (x->value < y->value || x->value > y->value)
		return x->value < y->value ? -1 : 1;
	return x->trial < y->trial ? -1 : 1;
}

/* Complete trials of a phase; a value that is no number is the worst. */
static uint32_t complete_trials(const struct study_phase *p, const struct sched *sched, struct entry *out)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i <= sched_trial_count(sched); i++) {
		struct trial_view t;

		if (!sched_trial_exists(sched, i))
			continue;
		sched_trial(sched, i, &t);
		if (t.phase != p->index || t.units_done != t.nunits)
			continue;
		out[n].outer = t.outer;
		out[n].trial = i;
		out[n++].value =
		    isnan(t.value) ? (double)INFINITY : objective_minimised(study_objective(p, 0), t.value);
	}
	return n;
}

static void keep_phase(const struct study_phase *p, const struct sched *sched, const char *out_dir,
                       struct arena *scratch, struct fault *f)
{
	struct entry *list = arena_array(scratch, sched_trial_count(sched) + 1, sizeof *list);
	uint32_t n = complete_trials(p, sched, list);
	int64_t place = 0;

	qsort(list, n, sizeof *list, compare);
	for (uint32_t k = 0; k < n; k++) {
		place = k && list[k].outer == list[k - 1].outer ? place + 1 : 0;
		if (place >= p->limits.keep_best)
			host_remove_tree(
			    arena_printf(scratch, "%s/dir/%s/t%u", out_dir, p->name, list[k].trial), f);
	}
}

void keep_best(const struct study *s, const struct sched *sched, const char *out_dir, struct arena *scratch,
               struct fault *f)
{
	for (uint32_t i = 0; i < s->nphases; i++)
		if (s->phases[i].limits.keep_best >= 0 && s->phases[i].makes_dir)
			keep_phase(&s->phases[i], sched, out_dir, scratch, f);
}
