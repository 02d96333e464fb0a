/* race: the folds of a trial are spent where they decide (`prune: race`).
 *
 * Each time a fold is done its trial is compared with the incumbent, the best of the complete trials of its
 * phase and outer fold, on the folds both have (race.h says how). One that has lost is given up with its
 * other folds, as by any other rule. Where a later phase picks the best N, the incumbent is the N-th best. So
 * there is no race before there are winners with all their folds.
 *
 * What a lost trial may be worth with all its folds is a fact: the value of the folds it was spared. So what
 * a search is told does not change with what comes later, nor with a resume.
 *
 * Order. Trials start at different folds, so that none decides more often than the others. As long as there
 * is no incumbent the oldest trial comes first with all its folds. Then a trial runs one fold at a time while
 * there are others to begin (READY_LATER); where there are none its folds fill the slots, but no worker holds
 * one ahead of need. */
#include "sched_core.h"

#include "race.h"
#include "stats.h"

#include <string.h>

static uint32_t places_of(const struct study *s, uint32_t phase)
{
	uint32_t most = 1;

	for (uint32_t q = 0; q < s->nphases; q++)
		for (uint32_t k = 0; k < s->phases[q].nafter; k++) {
			const struct after *x = &s->phases[q].after[k];

			if (x->phase == phase && x->pick == PICK_BEST && x->best_n > most)
				most = x->best_n;
		}
	return most;
}

static struct race_field *new_field(struct sched *s, uint32_t phase, uint32_t folds)
{
	struct race_field *x = arena_alloc(s->arena, sizeof *x);

	x->folds = folds;
	x->places = places_of(s->study, phase);
	x->fold_sum = arena_array(s->arena, folds, sizeof *x->fold_sum);
	return x;
}

void sched_race_init(struct sched *s)
{
	const struct plan *p = &s->plan;

	for (uint32_t i = 0; i < p->ninstances; i++) {
		const struct study_phase *ph = &s->study->phases[p->instances[i].phase];
		uint32_t folds = p->units_per_trial[ph->index];

		if (!p->instances[i].exists || !ph->prune || !(ph->prune->rules & PRUNE_RACE) || folds < 2 ||
		    folds > RACE_FOLDS_MAX)
			continue;
		if (!s->races)
			s->races = arena_array(s->arena, p->ninstances, sizeof(struct race_field *));
		s->races[i] = new_field(s, ph->index, folds);
	}
}

static struct race_field *field_of(const struct sched *s, uint32_t trial)
{
	return s->races ? s->races[plan_trial(&s->plan, trial)->instance] : NULL;
}

/* ---- who is ahead ------------------------------------------------------------------------------------ */
/* The first of the complete trials, at most as many as there are places; a tie goes to who came first. */
static void place(struct sched *s, struct race_field *x, uint32_t trial, double value, bool maximize)
{
	uint32_t at = x->nbest;

	while (at > 0 && (maximize ? value > x->best[at - 1].value : value < x->best[at - 1].value))
		at--;
	if (at == x->places)
		return;
	if (x->nbest == x->cap) {
		uint32_t cap = x->cap ? 2 * x->cap : 4;

		x->best = arena_grow(s->arena, x->best, x->cap * sizeof *x->best, cap * sizeof *x->best);
		x->cap = cap;
	}
	x->nbest -= x->nbest == x->places;
	memmove(&x->best[at + 1], &x->best[at], (x->nbest - at) * sizeof *x->best);
	x->best[at] = (struct race_runner){trial, value};
	x->nbest++;
}

static void add_complete(struct sched *s, struct race_field *x, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	double value;

	if (!sched_trial_valid(s, trial, &value))
		return;
	for (uint32_t i = 0; i < x->folds; i++)
		x->fold_sum[i] += plan_unit(&s->plan, t->first_unit + i)->value;
	x->complete++;
	place(s, x, trial, value, plan_phase(&s->plan, trial)->goal == GOAL_MAXIMIZE);
}

static void start_again(struct sched *s, uint32_t instance)
{
	struct race_field *x = s->races[instance];

	memset(x->fold_sum, 0, x->folds * sizeof *x->fold_sum);
	x->complete = x->nbest = 0;
	x->stale = false;
	for (uint32_t t = 1; t <= s->plan.trials.count; t++)
		if (plan_trial(&s->plan, t)->combo && plan_trial(&s->plan, t)->instance == instance)
			add_complete(s, x, t);
}

void sched_race_changed(struct sched *s, uint32_t unit, uint32_t was)
{
	struct race_field *x = field_of(s, plan_unit(&s->plan, unit)->trial);

	if (x && was == UNIT_DONE)
		x->stale = true; /* a request of a user: who is ahead is found out when it is needed */
}

void sched_rebuild_races(struct sched *s)
{
	for (uint32_t i = 0; s->races && i < s->plan.ninstances; i++)
		if (s->races[i]) {
			start_again(s, i);
			s->races[i]->on = s->races[i]->nbest == s->races[i]->places;
		}
}

/* ---- order ------------------------------------------------------------------------------------------- */
bool sched_race_waits(const struct sched *s, uint32_t trial)
{
	const struct race_field *x = field_of(s, trial);
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	for (uint32_t i = 0; x && x->on && i < x->folds; i++)
		if (plan_unit(&s->plan, t->first_unit + i)->state == UNIT_RUNNING)
			return true;
	return false;
}

uint32_t sched_race_fold(const struct sched *s, uint32_t unit)
{
	const struct plan_unit *u = plan_unit(&s->plan, unit);
	const struct race_field *x = field_of(s, u->trial);
	const struct plan_trial *t = plan_trial(&s->plan, u->trial);

	for (uint32_t i = 0; x && i < x->folds; i++) {
		uint32_t other = t->first_unit + (t->k % x->folds + i) % x->folds;
		const struct plan_unit *v = plan_unit(&s->plan, other);

		if (v->queue == u->queue && v->priority == u->priority)
			return other;
	}
	return unit;
}

/* The race begins, or has no incumbent any more: that is of account for trials of which a fold runs. */
static void turn(struct sched *s, uint32_t instance, bool on)
{
	if (s->races[instance]->on == on)
		return;
	s->races[instance]->on = on;
	for (uint32_t i = 1; i <= s->slots.count; i++) {
		uint32_t unit = sched_slot(s, i)->unit, trial = unit ? plan_unit(&s->plan, unit)->trial : 0;

		if (trial && plan_trial(&s->plan, trial)->instance == instance)
			sched_requeue_trial(s, trial);
	}
}

/* ---- verdicts ---------------------------------------------------------------------------------------- */
/* Values of its folds that are done, and which they are. */
struct folds_done {
	double mine[RACE_FOLDS_MAX];
	uint32_t which[RACE_FOLDS_MAX], n;
};

static void collect(const struct sched *s, const struct race_field *x, uint32_t trial, struct folds_done *out)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	out->n = 0;
	for (uint32_t i = 0; i < x->folds; i++) {
		const struct plan_unit *u = plan_unit(&s->plan, t->first_unit + i);

		if (u->state != UNIT_DONE)
			continue;
		out->mine[out->n] = u->value;
		out->which[out->n++] = i;
	}
}

static bool has_lost(const struct sched *s, const struct race_field *x, uint32_t trial,
                     const struct folds_done *done)
{
	const struct study_phase *ph = plan_phase(&s->plan, trial);
	const struct race_runner *incumbent = &x->best[x->places - 1];
	uint32_t first = plan_trial(&s->plan, incumbent->trial)->first_unit;
	double theirs[RACE_FOLDS_MAX];
	struct race_look look = {.mine = done->mine, .theirs = theirs, .m = done->n, .folds = x->folds};

	for (uint32_t i = 0; i < done->n; i++)
		theirs[i] = plan_unit(&s->plan, first + done->which[i])->value;
	look.incumbent = incumbent->value;
	look.aggregate = ph->aggregate;
	look.maximize = ph->goal == GOAL_MAXIMIZE;
	look.has_best = ph->prune->has_best;
	look.best = ph->prune->best;
	return race_look(&look) != RACE_ON;
}

/* Each fold it was spared is worth what the fold is worth to others, as much better or worse as the trial was
 * on those it had. The mean of all is race_corrected. */
static double worth(const struct sched *s, const struct race_field *x, uint32_t trial,
                    const struct folds_done *done)
{
	double mean[RACE_FOLDS_MAX], all[RACE_FOLDS_MAX], better;

	for (uint32_t i = 0; i < x->folds; i++)
		mean[i] = x->fold_sum[i] / x->complete;
	better =
	    race_corrected(done->mine, done->which, done->n, mean, x->folds) - stats_mean(mean, x->folds);
	for (uint32_t i = 0; i < x->folds; i++)
		all[i] = mean[i] + better;
	for (uint32_t i = 0; i < done->n; i++)
		all[done->which[i]] = done->mine[i];
	return sched_aggregate(plan_phase(&s->plan, trial), all, x->folds);
}

void sched_race(struct sched *s, uint32_t unit)
{
	uint32_t trial = plan_unit(&s->plan, unit)->trial;
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	struct race_field *x = field_of(s, trial);
	struct folds_done done;

	if (!x)
		return;
	if (x->stale)
		start_again(s, t->instance);
	else if (t->units_done == x->folds)
		add_complete(s, x, trial);
	turn(s, t->instance, x->nbest == x->places);
	if (!x->on || sched_trial_final(s, t))
		return;
	collect(s, x, trial, &done);
	if (has_lost(s, x, trial, &done))
		sched_prune_trial(s, trial, REASON_RACE, worth(s, x, trial, &done));
}

bool sched_trial_raced(const struct sched *s, uint32_t trial, double *value)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);

	for (uint32_t u = t->first_unit; field_of(s, trial) && u < t->first_unit + plan_nunits(&s->plan, t);
	     u++) {
		const struct plan_unit *x = plan_unit(&s->plan, u);

		if (x->state == UNIT_PRUNED && x->reason == REASON_RACE) {
			*value = x->value;
			return true;
		}
	}
	return false;
}
