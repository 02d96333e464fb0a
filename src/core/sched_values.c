/* values: what trials are worth, and how long their units take. */
#include "sched_core.h"

#include "stats.h"

#include <math.h>

/* ---- objectives after the first -------------------------------------------------------------------- */
void sched_objectives_init(struct sched *s)
{
	for (uint32_t i = 0; i < s->study->nphases; i++)
		if (s->study->phases[i].nmore > s->nobjectives)
			s->nobjectives = s->study->phases[i].nmore;
	slab_init(&s->objectives, s->arena, s->nobjectives * sizeof(double));
}

static double *objectives_of(struct sched *s, uint32_t unit)
{
	while (s->objectives.count < unit) {
		double *x = slab_add(&s->objectives);

		for (uint32_t i = 0; i < s->nobjectives; i++)
			x[i] = (double)NAN;
	}
	return slab_at(&s->objectives, unit - 1);
}

double sched_unit_objective(const struct sched *s, uint32_t unit, uint32_t number)
{
	if (number == 0)
		return plan_unit(&s->plan, unit)->value;
	if (unit > s->objectives.count)
		return (double)NAN;
	return ((const double *)slab_at(&s->objectives, unit - 1))[number - 1];
}

void sched_record_objectives(struct sched *s, uint32_t unit, const struct attempt_result *r)
{
	uint32_t n = s->study->phases[sched_phase_of(s, unit)].nmore;

	for (uint32_t i = 0; i < n; i++) {
		struct record x = {.kind = RECORD_OBJECTIVE, .unit = unit, .number = i + 1};

		x.trial = plan_unit(&s->plan, unit)->trial;
		x.value = r->more[i];
		sched_record(s, &x);
	}
}

int sched_apply_objective(struct sched *s, const struct record *r, struct fault *f)
{
	if (r->unit < 1 || r->unit > s->plan.units.count)
		return fault_set(f, FAULT_IO, "unit %u has an objective, and there is no such unit", r->unit);
	if (!plan_unit(&s->plan, r->unit)->trial)
		return 0;
	if (r->number < 1 || r->number > s->study->phases[sched_phase_of(s, r->unit)].nmore)
		return fault_set(f, FAULT_IO, "unit %u has an objective %u, which its phase has not", r->unit,
		                 r->number);
	objectives_of(s, r->unit)[r->number - 1] = r->value;
	return 0;
}

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

static double aggregate_units(const struct sched *s, uint32_t first, uint32_t count, uint32_t number,
                              double *sd, uint32_t *done)
{
	const struct study_phase *ph = plan_phase(&s->plan, plan_unit(&s->plan, first)->trial);
	uint32_t n = 0;

	for (uint32_t u = first; u < first + count; u++)
		if (plan_unit(&s->plan, u)->state == UNIT_DONE)
			s->fold_values[n++] = sched_unit_objective(s, u, number);
	if (done)
		*done = n;
	if (sd)
		*sd = ph->metric ? stats_sd(s->fold_values, n) : (double)NAN;
	return sched_aggregate(ph, s->fold_values, n);
}

double sched_units_value(const struct sched *s, uint32_t first, uint32_t count, double *sd, uint32_t *done)
{
	return aggregate_units(s, first, count, 0, sd, done);
}

double sched_trial_value(const struct sched *s, uint32_t trial, double *sd, uint32_t *done)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	return aggregate_units(s, t->first_unit, plan_nunits(&s->plan, t), 0, sd, done);
}

double sched_trial_objective(const struct sched *s, uint32_t trial, uint32_t number, double *sd)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	return aggregate_units(s, t->first_unit, plan_nunits(&s->plan, t), number, sd, NULL);
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

bool sched_trial_valid_by(const struct sched *s, uint32_t trial, uint32_t number, double *value)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	const struct study_phase *ph = plan_phase(&s->plan, trial);

	if (t->units_done != plan_nunits(&s->plan, t))
		return false;
	for (uint32_t i = 0; i <= ph->nmore; i++) {
		double v = sched_trial_objective(s, trial, i, NULL);

		if (!isfinite(v))
			return false;
		if (i == number)
			*value = v;
	}
	return true;
}

bool sched_trial_valid(const struct sched *s, uint32_t trial, double *value)
{
	return sched_trial_valid_by(s, trial, 0, value);
}

/* ---- expected durations -------------------------------------------------------------------------------- */
double sched_mean_seconds(const struct sched *s, uint32_t phase)
{
	const struct durations *d = &s->phases[phase].durations;

	return d->n ? d->seconds / (double)d->n : 1.0;
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
