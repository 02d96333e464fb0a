/* change: what users' changes do to the plan: scheduled jobs with parents of their own, picks that are void,
 * trials that go.
 *
 * A pick that is void leaves its slot without winners and its combos `open`. When it is made again, combos of
 * trials that win again are found by their keys and are as before; what is still open then stood behind a
 * trial that does not win any more: the scheduler takes those trials out. */
#include "plan.h"

#include <string.h>

/* ---- scheduled jobs ---------------------------------------------------------------------------- */

static const uint32_t *copy_list(struct plan *p, const uint32_t *list, uint32_t n)
{
	return n ? arena_grow(p->arena, list, n * sizeof *list, n * sizeof *list) : NULL;
}

bool plan_is_parent(const struct plan_combo *c, uint32_t trial)
{
	if (!c->choice)
		return true; /* whoever is linked to it is one */
	for (uint32_t i = 0; i < c->nparents; i++)
		if (plan_parents(c)[i] == trial)
			return true;
	return false;
}

static bool contains(const uint32_t *list, uint32_t n, uint32_t x)
{
	for (uint32_t i = 0; i < n; i++)
		if (list[i] == x)
			return true;
	return false;
}

/* Link those of a list that are new in it. Lists are ascending. */
static void link_new(struct plan *p, uint32_t combo, const uint32_t *now, uint32_t n, const uint32_t *before,
                     uint32_t nbefore)
{
	for (uint32_t i = 0, k = 0; i < n; i++) {
		bool known = false;

		for (; k < nbefore && before[k] <= now[i]; k++)
			known = before[k] == now[i];
		if (!known)
			plan_link_parent(p, now[i], combo);
	}
}

static void set_choice(struct plan *p, uint32_t combo, const struct plan_job *j)
{
	struct plan_combo *c = plan_combo(p, combo);
	struct plan_choice *x = c->choice;

	if (!j->best_n)
		return;
	if (!x)
		x = c->choice = arena_alloc(p->arena, sizeof *x);
	link_new(p, combo, j->candidates, j->ncandidates, x->candidates, x->ncandidates);
	x->candidates = copy_list(p, j->candidates, j->ncandidates);
	x->ncandidates = j->ncandidates;
	x->best_n = j->best_n;
	x->picked = j->nparents > 0;
}

/* The memory of what is above is wrong below a combo that got other parents. */
static void refresh_below(struct plan *p, uint32_t trial)
{
	for (uint32_t l = plan_trial(p, trial)->first_link; l; l = plan_link(p, l)->next) {
		struct plan_combo *c = plan_combo(p, plan_link(p, l)->combo);

		if (c->dead || !plan_is_parent(c, trial))
			continue;
		if (c->merged)
			plan_merge_ancestors(p, c->parents.many, c->nparents,
			                     (uint32_t *)c->parents.many + c->nparents);
		for (uint32_t t = c->first_trial; t; t = plan_trial(p, t)->next_in_combo)
			refresh_below(p, t);
	}
}

uint32_t plan_add_job(struct plan *p, const struct plan_job *j)
{
	struct plan_instance *in = &p->instances[j->instance];
	struct plan_combo *c = slab_add(&p->combos);
	uint32_t combo = p->combos.count;
	struct plan_group *g = plan_group(p, in->given_group);

	c->key = key_hash(j->key, "job", 3);
	c->group = in->given_group;
	c->next_in_group = g->first_combo;
	g->first_combo = combo;
	g->ncombos++;
	in->combos++;
	plan_set_parents(p, c, in->phase, j->parents, j->nparents);
	if (j->best_n)
		set_choice(p, combo, j);
	else
		link_new(p, combo, j->parents, j->nparents, j->parents, 0);
	return plan_add_trial(p, combo, j->k, j->key, j->values);
}

void plan_set_job_parents(struct plan *p, uint32_t trial, const struct plan_job *j)
{
	uint32_t combo = plan_trial(p, trial)->combo;
	struct plan_combo *c = plan_combo(p, combo);

	if (j->best_n)
		set_choice(p, combo, j);
	else
		link_new(p, combo, j->parents, j->nparents, plan_parents(c), c->nparents);
	plan_set_parents(p, c, p->instances[plan_trial(p, trial)->instance].phase, j->parents, j->nparents);
	refresh_below(p, trial);
}

/* First come, first decided does not matter: each stands for itself. */
void plan_choice_due(struct plan *p, uint32_t combo)
{
	struct plan_choice *x = plan_combo(p, combo)->choice;

	if (x->due)
		return;
	x->due = true;
	x->next_due = p->first_due;
	p->first_due = combo;
}

uint32_t plan_take_due(struct plan *p)
{
	uint32_t combo = p->first_due;
	struct plan_choice *x;

	if (!combo)
		return 0;
	x = plan_combo(p, combo)->choice;
	p->first_due = x->next_due;
	x->due = false;
	return combo;
}

/* ---- picks ------------------------------------------------------------------------------------- */

void plan_unknow(struct plan *p, uint32_t instance)
{
	struct plan_instance *in = &p->instances[instance];

	if (in->given_group)
		return;
	if (in->groups_known || in->trials_known || in->closed || in->note) {
		in->groups_known = in->trials_known = in->closed = false;
		in->note = NULL;
		for (uint32_t i = 0; i < in->nchildren; i++)
			plan_unknow(p, in->children[i].instance);
	}
	plan_touch(p, instance);
}

/* Of the study file's phases: combos of an instance. */
static void open_combos(struct plan *p, uint32_t instance)
{
	for (uint32_t c = 1; c <= p->combos.count; c++)
		if (plan_group(p, plan_combo(p, c)->group)->instance == instance)
			plan_combo(p, c)->open = true;
}

/* All its trials are drawn again: those of combos that stay are found to be there. */
static void restart_total(struct plan *p, struct plan_instance *in)
{
	struct plan_group *g = plan_group(p, in->total_group);

	if (g->closed)
		in->groups_open++;
	g->closed = false;
	g->proposed = 0;
	g->cursor = 0;
}

static void unpick_slot(struct plan *p, uint32_t instance, uint32_t at)
{
	struct plan_instance *in = &p->instances[instance];
	struct plan_slot *slot = &in->slots[at];

	if (p->study->phases[in->phase].after[at].pick != PICK_BEST || !slot->picked)
		return;
	slot->picked = false;
	slot->winners = NULL;
	slot->nwinners = 0;
	plan_join_forget(p, instance, at);
	open_combos(p, instance);
	if (in->total_group)
		restart_total(p, in);
	plan_unknow(p, instance);
}

void plan_unpick(struct plan *p, uint32_t parent_instance, uint32_t child_phase)
{
	const struct plan_instance *in = &p->instances[parent_instance];

	for (uint32_t i = 0; i < in->nchildren; i++)
		if (p->instances[in->children[i].instance].phase == child_phase)
			unpick_slot(p, in->children[i].instance, in->children[i].slot);
}

void plan_mark_open(struct plan *p)
{
	for (uint32_t i = 0; i < p->ninstances; i++) {
		const struct plan_instance *in = &p->instances[i];
		const struct study_phase *ph = &p->study->phases[in->phase];
		bool open = false;

		if (!in->exists || ph->scheduled || !in->combos)
			continue;
		for (uint32_t k = 0; k < ph->nafter; k++)
			open = open || (ph->after[k].pick == PICK_BEST && !in->slots[k].picked);
		if (open)
			open_combos(p, i);
	}
}

/* ---- trials that go ---------------------------------------------------------------------------- */

static void unlink_from_combo(struct plan *p, uint32_t trial)
{
	struct plan_combo *c = plan_combo(p, plan_trial(p, trial)->combo);
	uint32_t before = 0, at = c->first_trial;

	for (; at != trial; at = plan_trial(p, at)->next_in_combo)
		before = at;
	*(before ? &plan_trial(p, before)->next_in_combo : &c->first_trial) =
	    plan_trial(p, trial)->next_in_combo;
	if (c->last_trial == trial)
		c->last_trial = before;
}

/* Its key is free: the same parents, made again, make another one. */
void plan_forget_combo(struct plan *p, uint32_t combo)
{
	struct plan_combo *c = plan_combo(p, combo);
	struct plan_group *g = plan_group(p, c->group);
	struct plan_instance *in = &p->instances[g->instance];
	uint32_t before = 0, at = g->first_combo;

	if (c->dead)
		return;
	c->dead = true;
	in->combos--;
	if (in->given_group)
		return;
	if (in->total_group != c->group) {
		g->ncombos = 0; /* it was the only one */
		return;
	}
	for (; at != combo; at = plan_combo(p, at)->next_in_group)
		before = at;
	*(before ? &plan_combo(p, before)->next_in_group : &g->first_combo) = c->next_in_group;
	g->ncombos--;
	if (g->combos)
		plan_order_combos(p, c->group);
}

/* A candidate among others goes; of a plain parent the whole combo. */
static void forget_parent(struct plan *p, uint32_t combo, uint32_t trial)
{
	struct plan_choice *x = plan_combo(p, combo)->choice;
	uint32_t *list, n = 0;

	if (!x) {
		plan_forget_combo(p, combo);
		return;
	}
	if (!contains(x->candidates, x->ncandidates, trial))
		return;
	list = arena_array(p->arena, x->ncandidates, sizeof *list);
	for (uint32_t i = 0; i < x->ncandidates; i++)
		if (x->candidates[i] != trial)
			list[n++] = x->candidates[i];
	x->candidates = list;
	x->ncandidates = n;
}

void plan_drop_trial(struct plan *p, uint32_t trial, uint32_t gone)
{
	struct plan_trial *t = plan_trial(p, trial);
	uint32_t n = plan_nunits(p, t);

	for (uint32_t l = t->first_link; l; l = plan_link(p, l)->next)
		forget_parent(p, plan_link(p, l)->combo, trial);
	unlink_from_combo(p, trial);
	if (p->instances[t->instance].given_group)
		plan_forget_combo(p, t->combo);
	p->instances[t->instance].trials--;
	for (uint32_t u = t->first_unit; u < t->first_unit + n; u++)
		plan_unit(p, u)->trial = 0;
	t->combo = 0;
	t->instance = UINT32_MAX;
	t->first_link = 0;
	t->gone = (uint8_t)gone;
}

void plan_add_gone(struct plan *p, struct key128 key, uint32_t nunits, uint32_t gone)
{
	struct plan_trial *t = slab_add(&p->trials);

	*t = (struct plan_trial){.key = key, .instance = UINT32_MAX, .gone = (uint8_t)gone};
	t->first_unit = p->units.count + 1;
	for (uint32_t i = 0; i < nunits; i++)
		slab_add(&p->units);
	if (gone == GONE_DELETED)
		plan_know_key(p, p->trials.count);
}
