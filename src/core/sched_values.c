/* values: what trials are worth, and how long their units take. */
#include "sched_core.h"

#include "stats.h"

#include <math.h>

/* ---- values ------------------------------------------------------------------------------------------ */
double sched_aggregate(const struct study_phase *ph, double *values, uint32_t n)
{
	if (!ph->metric || n == 0)
		return (double)NAN;
	switch (ph->aggregate) {
	case AGGREGATE_MEAN:
		return stats_mean(values, n);
	case AGGREGATE_MEDIAN:
		return stats_median(values, n);
	case AGGREGATE_MIN:
		return stats_min(values, n);
	case AGGREGATE_MAX:
		return stats_max(values, n);
	}
	return (double)NAN;
}

double sched_units_value(const struct sched *s, uint32_t first, uint32_t count, double *sd, uint32_t *done)
{
	const struct study_phase *ph = plan_phase(&s->plan, plan_unit(&s->plan, first)->trial);
	uint32_t n = 0;

	for (uint32_t u = first; u < first + count; u++)
		if (plan_unit(&s->plan, u)->state == UNIT_DONE)
			s->fold_values[n++] = plan_unit(&s->plan, u)->value;
	if (done)
		*done = n;
	if (sd)
		*sd = ph->metric ? stats_sd(s->fold_values, n) : (double)NAN;
	return sched_aggregate(ph, s->fold_values, n);
}

double sched_trial_value(const struct sched *s, uint32_t trial, double *sd, uint32_t *done)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	return sched_units_value(s, t->first_unit, plan_nunits(&s->plan, t), sd, done);
}

double sched_value_in(const struct sched *s, uint32_t trial, enum unit_state state)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	uint32_t n = 0;

	for (uint32_t u = t->first_unit; u < t->first_unit + plan_nunits(&s->plan, t); u++) {
		const struct plan_unit *x = plan_unit(&s->plan, u);

		if (x->state == state && !isnan(x->value))
			s->fold_values[n++] = x->value;
	}
	return sched_aggregate(plan_phase(&s->plan, trial), s->fold_values, n);
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
