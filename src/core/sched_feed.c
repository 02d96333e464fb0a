/* feed: searches that learn get to know as much as possible before they propose a trial. So they are not
 * asked for all their trials at once, like the others, but for one when there is room for it: a worker that
 * has nothing else to do, or one that may hold a unit ahead of need, where waiting would show.
 *
 * Where would it? Where units are so short that a round trip does: then every worker may hold one. Where a
 * model takes its time: a worker that waited for its answer each time would lose that, again and again, and
 * one trial that is there when it is needed spares it. What is asked ahead of need knows one result less, and
 * that costs a search about one trial, once. So it pays when the waiting of some hundred trials is longer
 * than a trial, and does not for units that are long beside the answer.
 *
 * A group whose next trial could start is hungry, and in the list of its phase's need. When it is asked it
 * leaves the list; its answer brings it back. One whose parents are not done yet is in no list: a parent's
 * unit that ends brings it there. So a step costs as much as it asks for, whatever the number of groups. */
#include "sched_core.h"

#include <math.h>

/* Units shorter than this are asked for ahead of need. */
static const double short_seconds = 0.25;
/* And a few where an answer takes a larger part of a unit. */
static const double wait_share = 0.01;

static struct need *need_of_group(const struct sched *s, const struct plan_group *g)
{
	return &s->needs[s->phases[s->plan.instances[g->instance].phase].need];
}

/* ---- could it start? ----------------------------------------------------------------------------- */
enum readiness { GROUP_READY, GROUP_WAITS, GROUP_DEAD };

/* Of fold `fold` of a trial with n of them, after this parent. */
static enum readiness after_parent(const struct sched *s, uint32_t parent, uint32_t fold, uint32_t n)
{
	const struct plan_trial *t = plan_trial(&s->plan, parent);
	uint32_t m = plan_nunits(&s->plan, t), first = n == m ? fold : 0, count = n == m ? 1 : m;
	enum readiness r = GROUP_READY;

	for (uint32_t u = t->first_unit + first; u < t->first_unit + first + count; u++) {
		const struct plan_unit *x = plan_unit(&s->plan, u);

		if (sched_dead(x->state))
			return GROUP_DEAD;
		if (!sched_met(x))
			r = GROUP_WAITS;
	}
	return r;
}

/* Some fold is ready; or none is, but may be; or none can be. */
static enum readiness combo_readiness(const struct sched *s, uint32_t combo)
{
	const struct plan_combo *c = plan_combo(&s->plan, combo);
	uint32_t phase = s->plan.instances[plan_group(&s->plan, c->group)->instance].phase;
	uint32_t n = s->plan.units_per_trial[phase];
	enum readiness best = GROUP_DEAD;

	if (c->open || c->dead)
		return c->open ? GROUP_WAITS : GROUP_DEAD;
	for (uint32_t fold = 0; fold < n; fold++) {
		enum readiness r = GROUP_READY;

		for (uint32_t i = 0; i < c->nparents; i++) {
			enum readiness x = after_parent(s, plan_parents(c)[i], fold, n);

			r = x > r ? x : r;
		}
		best = r < best ? r : best;
	}
	return best;
}

bool sched_combo_ready(const struct sched *s, uint32_t combo)
{
	return combo_readiness(s, combo) == GROUP_READY;
}

/* Reproducible: does the result that it is to know last miss? */
static bool lags(const struct sched *s, const struct plan_group *g)
{
	uint32_t lag = s->study->reproducible, trial;
	double value, step;

	if (!g->recent || g->proposed < lag)
		return false;
	trial = g->recent[g->proposed % lag];
	return trial && sched_trial_end(s, trial, &value, &step) == TRIAL_OPEN;
}

/* Reproducible, and the search chooses among parents: is it known of all of them whether they can be? */
static bool choice_is_open(const struct sched *s, uint32_t group)
{
	const struct plan_group *g = plan_group(&s->plan, group);

	if (s->plan.instances[g->instance].total_group != group)
		return false;
	for (uint32_t i = 0; i < g->ncombos; i++)
		if (combo_readiness(s, plan_group_combo(&s->plan, group, i)) == GROUP_WAITS)
			return true;
	return false;
}

static enum readiness group_readiness(const struct sched *s, uint32_t group)
{
	const struct plan_group *g = plan_group(&s->plan, group);
	enum readiness best = g->ncombos ? GROUP_DEAD : GROUP_WAITS;

	for (uint32_t i = 0; i < g->ncombos && best != GROUP_READY; i++) {
		enum readiness r = combo_readiness(s, plan_group_combo(&s->plan, group, i));

		best = r < best ? r : best;
	}
	if (best == GROUP_READY && s->study->reproducible && (lags(s, g) || choice_is_open(s, group)))
		return GROUP_WAITS;
	return best;
}

bool sched_group_alive(const struct sched *s, uint32_t group)
{
	const struct plan_group *g = plan_group(&s->plan, group);
	bool alive = g->ncombos == 0;

	for (uint32_t i = 0; i < g->ncombos && !alive; i++)
		alive = combo_readiness(s, plan_group_combo(&s->plan, group, i)) != GROUP_DEAD;
	return alive;
}

/* ---- the lists ----------------------------------------------------------------------------------- */
static void list(struct sched *s, uint32_t group)
{
	struct plan_group *g = plan_group(&s->plan, group);
	struct need *n = need_of_group(s, g);

	if (g->hungry)
		return;
	g->hungry = true;
	g->next_hungry = 0;
	*(n->last_hungry ? &plan_group(&s->plan, n->last_hungry)->next_hungry : &n->first_hungry) = group;
	n->last_hungry = group;
}

static uint32_t take(struct sched *s, struct need *n)
{
	uint32_t group = n->first_hungry;
	struct plan_group *g = plan_group(&s->plan, group);

	n->first_hungry = g->next_hungry;
	if (!n->first_hungry)
		n->last_hungry = 0;
	g->hungry = false;
	return group;
}

bool sched_hunger(struct sched *s, uint32_t group)
{
	switch (group_readiness(s, group)) {
	case GROUP_READY:
		list(s, group);
		return true;
	case GROUP_WAITS:
		return true;
	default:
		return false;
	}
}

void sched_hunger_below(struct sched *s, uint32_t trial)
{
	for (uint32_t l = plan_trial(&s->plan, trial)->first_link; l; l = plan_link(&s->plan, l)->next) {
		uint32_t group = plan_combo(&s->plan, plan_link(&s->plan, l)->combo)->group;
		const struct plan_instance *in = &s->plan.instances[plan_group(&s->plan, group)->instance];

		if (search_learns(s->study->phases[in->phase].search) &&
		    (in->total_group != group || in->groups_known))
			plan_ask(&s->plan, group);
	}
}

/* ---- asking -------------------------------------------------------------------------------------- */
void sched_want(struct sched *s, uint32_t group, uint32_t n)
{
	struct plan_group *g = plan_group(&s->plan, group);
	struct action *a = sched_action(s, ACTION_WANT);

	g->asked = n;
	g->asked_ms = s->now_ms;
	s->asked += n;
	if (search_learns(s->study->phases[s->plan.instances[g->instance].phase].search))
		need_of_group(s, g)->asked += n;
	a->group = group;
	a->n = n;
}

void sched_unask(struct sched *s, struct plan_group *g, uint32_t n)
{
	g->asked -= n;
	s->asked -= n;
	if (search_learns(s->study->phases[s->plan.instances[g->instance].phase].search))
		need_of_group(s, g)->asked -= n;
}

void sched_answered(struct sched *s, const struct plan_group *g)
{
	double seconds = (double)(s->now_ms - g->asked_ms) / 1000.0;
	struct need *n = need_of_group(s, g);

	if (search_learns(s->study->phases[s->plan.instances[g->instance].phase].search))
		n->answer_seconds += (seconds - n->answer_seconds) * 0.25;
}

/* There are units that no worker can hold: no more of them are needed to say so. */
static bool is_unfit(const struct sched *s, const struct need *n)
{
	if (n->able || !s->workers_up)
		return false;
	for (uint32_t i = 0; i < s->study->nphases; i++)
		for (int q = READY_BEGUN; q < READY_QUEUES; q++)
			if (&s->needs[s->phases[i].need] == n && s->phases[i].ready[q].count)
				return true;
	return false;
}

void sched_hunger_again(struct sched *s, uint32_t trial)
{
	const struct plan_trial *t = plan_trial(&s->plan, trial);
	const struct plan_combo *c = plan_combo(&s->plan, t->combo);

	if (!s->study->reproducible)
		return;
	if (plan_group(&s->plan, c->group)->recent)
		plan_ask(&s->plan, c->group);
	for (uint32_t i = 0; i < c->nparents; i++) {
		const struct plan_trial *up = plan_trial(&s->plan, plan_parents(c)[i]);
		uint32_t group = plan_combo(&s->plan, up->combo)->group;

		if (plan_phase(&s->plan, plan_parents(c)[i])->judged && plan_group(&s->plan, group)->recent)
			plan_ask(&s->plan, group);
	}
}

bool sched_hungry(const struct sched *s)
{
	for (uint32_t i = 0; i < s->nneeds; i++)
		if (s->needs[i].first_hungry && !is_unfit(s, &s->needs[i]))
			return true;
	return false;
}

static uint64_t held_ahead(const struct sched *s, const struct need *n)
{
	uint64_t held = 0;

	for (uint32_t i = 0; i < s->study->nphases; i++)
		if (&s->needs[s->phases[i].need] == n)
			held += s->phases[i].held;
	return held;
}

/* Units to be there before a worker has room: of slow answers twice as many as workers come to have room
 * during one, and one more. */
static uint64_t ahead_of_need(const struct sched *s, const struct need *n)
{
	uint64_t spare = n->lists[LIST_SPARE].count, held;
	double slots = (double)s->cpus_up / n->cpus, few;

	if (s->recent_seconds < short_seconds)
		return spare;
	if (n->answer_seconds < wait_share * s->recent_seconds)
		return 0;
	held = held_ahead(s, n);
	few = 1 + floor(2 * slots * n->answer_seconds / s->recent_seconds);
	if (few >= (double)(held + spare))
		return spare;
	return few > (double)held ? (uint64_t)few - held : 0;
}

/* How many more units of this need would find a place. Where no worker is large enough one is asked for all
 * the same, so that it can be said. */
static uint64_t room(const struct sched *s, const struct need *n)
{
	uint64_t free_ones = n->lists[LIST_FREE].count + ahead_of_need(s, n);

	if (!n->able && s->workers_up)
		free_ones = 1;
	return free_ones > n->asked ? free_ones - n->asked : 0;
}

void sched_feed(struct sched *s)
{
	for (uint32_t i = 0; i < s->nneeds; i++) {
		struct need *n = &s->needs[i];
		uint64_t left = room(s, n);

		if (is_unfit(s, n))
			continue;
		while (left && n->first_hungry) {
			uint32_t group = take(s, n);
			const struct plan_group *g = plan_group(&s->plan, group);
			uint32_t phase = s->plan.instances[g->instance].phase;

			if (g->closed || g->asked || g->proposed >= plan_quota(&s->plan, group) ||
			    group_readiness(s, group) != GROUP_READY)
				continue; /* what has changed brings it back */
			if (!sched_in_time(s, phase)) {
				s->unfed = phase + 1;
				continue; /* the next run does */
			}
			sched_want(s, group, 1);
			left--;
		}
	}
}
