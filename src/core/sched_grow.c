/* grow: how the plan comes to have trials. An instance (a phase in an outer fold) goes through
 *
 *   groups_known   every parent combination it will ever have exists: for `after: all` its parent instance
 *                  has all its trials, for `best` the pick was made
 *   trials_known   and every group's quota is reached, or its search exhausted
 *   closed         and every trial is final: now its own children's picks can be made
 *
 * Each step looks at the instances whose counters changed, and asks for proposals where some are missing, a
 * bounded number at a time, until nothing more follows. */
#include "sched_core.h"

#include <math.h>

/* ---- quotas ---------------------------------------------------------------------------------------- */
void sched_close_group(struct sched *s, uint32_t group)
{
	struct plan_group *g = plan_group(&s->plan, group);

	if (g->closed)
		return;
	g->closed = true;
	sched_unask(s, g, g->asked);
	s->plan.instances[g->instance].groups_open--;
	plan_touch(&s->plan, g->instance);
}

static void after_proposal(struct sched *s, uint32_t group)
{
	struct plan_group *g = plan_group(&s->plan, group);

	if (g->proposed >= plan_quota(&s->plan, group))
		sched_close_group(s, group);
	else if (g->asked == 0)
		plan_ask(&s->plan, group);
}

static void add_trial(struct sched *s, uint32_t combo, const struct value *values)
{
	const struct plan_combo *c = plan_combo(&s->plan, combo);
	struct plan_group *g = plan_group(&s->plan, c->group);
	const struct plan_instance *in = &s->plan.instances[g->instance];
	uint32_t k = g->proposed;
	struct key128 key = plan_trial_key(&s->plan, combo, k, values);
	struct record r = {.kind = RECORD_TRIAL, .phase = in->phase, .outer = in->outer, .k = k, .key = key};

	g->proposed++;
	if (plan_find_trial(&s->plan, key))
		return;
	r.trial = s->plan.trials.count + 1;
	r.parents = plan_parents(c);
	r.nparents = c->nparents;
	r.values = values;
	sched_record(s, &r);
	s->out->items[s->out->count - 1].record.values = plan_trial(&s->plan, r.trial)->values;
	sched_settle_trial(s, r.trial);
}

/* ---- proposals ------------------------------------------------------------------------------------- */
/* A group that was asked, or NULL: an answer nobody waits for changes nothing. */
static struct plan_group *asked_group(struct sched *s, const struct event *e)
{
	struct plan_group *g;

	if (e->group < 1 || e->group > s->plan.groups.count)
		return NULL;
	g = plan_group(&s->plan, e->group);
	return g->asked ? g : NULL;
}

void sched_propose(struct sched *s, const struct event *e)
{
	struct plan_group *g = asked_group(s, e);
	uint32_t combo;

	if (!g || e->parent >= g->ncombos)
		return;
	if (!e->values && s->study->phases[s->plan.instances[g->instance].phase].space.nparams)
		return;
	sched_answered(s, g);
	sched_unask(s, g, 1);
	combo = plan_group_combo(&s->plan, e->group, e->parent);
	if (plan_combo(&s->plan, combo)->open)
		return; /* its pick became void: should it be made so again, this is asked for again */
	add_trial(s, combo, e->values);
	after_proposal(s, e->group);
}

static const char *phase_name(const struct sched *s, const struct plan_instance *in)
{
	return s->study->phases[in->phase].name;
}

void sched_exhausted(struct sched *s, const struct event *e)
{
	struct plan_group *g = asked_group(s, e);
	struct plan_instance *in;

	if (!g)
		return;
	in = &s->plan.instances[g->instance];
	if (in->total_group != e->group && plan_combo(&s->plan, g->first_combo)->open) {
		sched_unask(s, g, g->asked); /* it was searched for a pick that is void now */
		return;
	}
	if (g->proposed == 0 && !in->note)
		in->note = arena_printf(s->arena, "phase %s: %s", phase_name(s, in),
		                        e->text && *e->text ? e->text : "the search finds no feasible point");
	sched_close_group(s, e->group);
}

/* So many at once: what is missing, at most `room`, and of a grid not more than it can have (and the answer
 * that there are no more), so that small grids do not use up the room of a step. */
static uint32_t ask_size(const struct sched *s, const struct plan_group *g, int64_t missing, uint32_t room)
{
	const struct study_phase *ph = &s->study->phases[s->plan.instances[g->instance].phase];
	int64_t points = ph->search == SEARCH_GRID ? space_size(&ph->space) : SPACE_INFINITE;

	if (points >= 0 && points < room && points * g->ncombos < missing)
		missing = points * g->ncombos + 1;
	return missing < room ? (uint32_t)missing : room;
}

/* Ask for what this group misses; returns how many proposals that is. Phases without parameters need no
 * search. */
static uint32_t ask(struct sched *s, uint32_t group, uint32_t room)
{
	struct plan_group *g = plan_group(&s->plan, group);
	const struct plan_instance *in = &s->plan.instances[g->instance];
	int64_t missing = plan_quota(&s->plan, group) - g->proposed;

	if (g->closed || g->asked)
		return 0;
	if (in->total_group != group && plan_combo(&s->plan, g->first_combo)->open)
		return 0; /* asked for again when its pick is made again */
	if (missing <= 0) {
		sched_close_group(s, group);
		return 0;
	}
	if (s->study->phases[in->phase].space.nparams == 0 && in->total_group != group) {
		add_trial(s, g->first_combo, NULL);
		after_proposal(s, group);
		return 1;
	}
	if (search_learns(s->study->phases[in->phase].search) && sched_hunger(s, group))
		return 0;
	sched_want(s, group, ask_size(s, g, missing, room));
	return g->asked;
}

/* ---- picks ----------------------------------------------------------------------------------------- */
static uint32_t valid_candidates(struct sched *s, uint32_t instance, uint32_t objective,
                                 struct plan_entry **out)
{
	struct plan_entry *list =
	    arena_array(s->out->scratch, s->plan.instances[instance].trials, sizeof *list);
	uint32_t n = 0;

	for (uint32_t t = 1; t <= s->plan.trials.count; t++)
		if (plan_trial(&s->plan, t)->instance == instance &&
		    sched_trial_valid_by(s, t, objective, &list[n].value))
			list[n++].trial = t;
	*out = list;
	return n;
}

static void record_pick(struct sched *s, uint32_t parent, uint32_t child_phase, const struct plan_winner *w,
                        uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct record r = {.kind = RECORD_PICK, .trial = w[i].trial, .child_phase = child_phase};

		r.phase = s->plan.instances[parent].phase;
		r.outer = s->plan.instances[parent].outer;
		r.bucket = w[i].bucket;
		r.rank = w[i].rank;
		r.value = w[i].value;
		r.last = i + 1 == n;
		sched_record(s, &r);
	}
}

/* All instances of the child phase below share the pick. */
static void settle_below(struct sched *s, uint32_t parent, uint32_t child_phase)
{
	const struct plan_instance *in = &s->plan.instances[parent];

	for (uint32_t i = 0; i < in->nchildren; i++)
		if (s->plan.instances[in->children[i].instance].phase == child_phase)
			sched_settle_picked(s, in->children[i].instance);
}

/* The parent instance is closed. True when the slot is decided, one way or the other. */
static void pick(struct sched *s, uint32_t instance, uint32_t at)
{
	struct plan_instance *in = &s->plan.instances[instance];
	const struct study_phase *ph = &s->study->phases[in->phase];
	uint32_t parent = in->slots[at].parent;
	const struct study_phase *above = &s->study->phases[ph->after[at].phase];
	struct plan_entry *entries;
	struct plan_winner *w;
	uint32_t n = valid_candidates(s, parent, ph->after[at].objective, &entries);

	n = plan_pick(&s->plan, above, &ph->after[at], entries, n, s->out->scratch, &w);
	if (n)
		record_pick(s, parent, in->phase, w, n);
	settle_below(s, parent, in->phase);
	if (!n && !in->note)
		in->note = arena_printf(s->arena,
		                        "phase %s is blocked: no trial of %s is complete with a finite value",
		                        ph->name, above->name);
}

/* ---- instances --------------------------------------------------------------------------------------- */
/* Will this slot bring no further parents? A pick whose candidates are complete is made here. */
static bool slot_known(struct sched *s, uint32_t instance, uint32_t at)
{
	struct plan_slot *slot = &s->plan.instances[instance].slots[at];
	const struct plan_instance *up;

	if (slot->parent == UINT32_MAX)
		return true;
	up = &s->plan.instances[slot->parent];
	if (s->study->phases[s->plan.instances[instance].phase].after[at].pick == PICK_ALL)
		return up->trials_known;
	if (!slot->picked && up->closed)
		pick(s, instance, at);
	return slot->picked || up->closed;
}

static bool groups_known(struct sched *s, uint32_t instance)
{
	const struct plan_instance *in = &s->plan.instances[instance];
	bool known = true;

	for (uint32_t i = 0; i < s->study->phases[in->phase].nafter; i++)
		if (!slot_known(s, instance, i))
			known = false;
	return known;
}

static void open_total(struct sched *s, struct plan_instance *in)
{
	if (in->combos == 0) {
		sched_close_group(s, in->total_group);
		return;
	}
	plan_order_combos(&s->plan, in->total_group);
	plan_ask(&s->plan, in->total_group);
}

static void touch_children(struct sched *s, const struct plan_instance *in)
{
	for (uint32_t i = 0; i < in->nchildren; i++)
		plan_touch(&s->plan, in->children[i].instance);
}

static void look(struct sched *s, uint32_t instance)
{
	struct plan_instance *in = &s->plan.instances[instance];

	if (in->given_group)
		return;
	if (!in->groups_known && groups_known(s, instance)) {
		in->groups_known = true;
		if (in->total_group)
			open_total(s, in);
		if (in->combos == 0 && !in->note)
			in->note =
			    arena_printf(s->arena, "phase %s has nothing to come after", phase_name(s, in));
	}
	if (in->groups_known && !in->trials_known && in->groups_open == 0) {
		in->trials_known = true;
		touch_children(s, in);
	}
	if (in->trials_known && in->busy == 0 && in->trials_open)
		sched_settle_paused(s, instance);
	if (in->trials_known && !in->closed && in->trials_open == 0) {
		in->closed = true;
		touch_children(s, in);
	}
}

void sched_grow(struct sched *s)
{
	uint32_t room = WANT_MAX, instance, group;

	for (;;) {
		sched_decide_choices(s);
		while ((instance = plan_take_dirty(&s->plan)) != UINT32_MAX)
			look(s, instance);
		if (room == 0 || !(group = plan_take_ask(&s->plan)))
			return;
		room -= ask(s, group, room);
	}
}

bool sched_growing(const struct sched *s)
{
	return s->plan.first_ask != 0 || s->plan.first_dirty != UINT32_MAX || s->plan.first_due;
}
