#include "propose.h"

#include "must.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct proposer_room {
	uint32_t phase;
	int32_t outer;
	struct counsel *counsel; /* a search program; then no learner */
	struct learner *learner;
	bool total; /* the search chooses among parent combinations */
	/* Reproducible: it is told of its trials in their order, up to the lag; and where parents are no
	 * choice of the search each group has a room, alone. */
	bool alone;
	struct key128 group;
	uint32_t *trials, ntrials, trials_cap, told;
};

struct proposer_trial {
	uint32_t room;   /* + 1; 0: no learner knows of it */
	uint32_t number; /* there */
	enum trial_end told;
	double step; /* PRUNED, or it waits at a rung: there; else NaN */
};

void proposer_init(struct proposer *p, const struct study *s, const struct sched *sched,
                   struct arena *scratch, struct council *council)
{
	*p = (struct proposer){.study = s, .sched = sched, .scratch = scratch, .council = council};
	council_forget(council);
}

static void close_rooms(struct proposer *p)
{
	for (uint32_t i = 0; i < p->nrooms; i++) {
		learner_free(p->rooms[i].learner);
		free(p->rooms[i].trials);
	}
	free(p->rooms);
	p->rooms = NULL;
	p->nrooms = 0;
}

void proposer_set_priors(struct proposer *p, const struct priors *priors)
{
	close_rooms(p);
	if (p->trials)
		memset(p->trials, 0, p->trials_cap * sizeof *p->trials);
	p->priors = priors;
}

void proposer_finish(struct proposer *p)
{
	close_rooms(p);
	free(p->trials);
	free(p->changed);
	free(p->items);
	*p = (struct proposer){0};
}

void proposer_want(struct proposer *p, uint32_t group, uint32_t n)
{
	if (p->count == p->cap) {
		uint32_t cap = p->cap ? 2 * p->cap : 64;
		struct want *items = must_have(malloc(cap * sizeof *items));

		for (uint32_t i = 0; i < p->count; i++)
			items[i] = p->items[(p->head + i) % p->cap];
		free(p->items);
		p->items = items;
		p->head = 0;
		p->cap = cap;
	}
	p->items[(p->head + p->count++) % p->cap] = (struct want){group, n};
}

/* ---- telling the learners ------------------------------------------------------------------------ */
static struct proposer_trial *trial_at(struct proposer *p, uint32_t trial)
{
	p->trials = must_grow(p->trials, &p->trials_cap, trial + 1, sizeof *p->trials);
	return &p->trials[trial];
}

static void keep_order(struct proposer_room *r, uint32_t trial)
{
	r->trials = must_grow(r->trials, &r->trials_cap, r->ntrials + 1, sizeof *r->trials);
	r->trials[r->ntrials++] = trial;
}

static void begin(struct proposer *p, uint32_t room, uint32_t trial)
{
	struct proposer_trial *t = trial_at(p, trial);
	struct trial_view v;
	struct scope scope;

	t->room = room + 1;
	if (p->rooms[room].counsel)
		return;
	sched_trial(p->sched, trial, &v);
	sched_trial_scope(p->sched, trial, p->scratch, &scope);
	t->number = learner_begin(p->rooms[room].learner, v.place, &scope);
	if (p->study->reproducible)
		keep_order(&p->rooms[room], trial);
	t->told = TRIAL_OPEN;
	t->step = (double)NAN;
}

/* Values at a rung say little of how good a longer training would be, and those that were not among the best
 * there are most of all trials: told as bad ones they would drive a search into the neighbourhood of the
 * first that came through, however mediocre (measured: worse than no search at all). */
static bool waited_at_rung(const struct proposer *p, uint32_t trial)
{
	struct trial_view t;
	struct unit_view u;

	sched_trial(p->sched, trial, &t);
	for (uint32_t i = 0; i < t.nunits; i++) {
		sched_unit(p->sched, t.first_unit + i, &u);
		if (u.fact.reason == REASON_ASHA || u.fact.reason == REASON_HYPERBAND)
			return true;
	}
	return false;
}

static void tell_complete(struct proposer *p, uint32_t trial, struct learner *l, double value)
{
	uint32_t number = trial_at(p, trial)->number;
	double values[OBJECTIVES_MAX];
	struct trial_view v;

	sched_trial(p->sched, trial, &v);
	if (!p->study->phases[v.phase].nmore) {
		learner_complete(l, number, value);
		return;
	}
	for (uint32_t i = 0; i <= p->study->phases[v.phase].nmore; i++)
		values[i] = sched_trial_objective(p->sched, trial, i, NULL);
	learner_complete_all(l, number, values);
}

static void tell(struct proposer *p, uint32_t trial)
{
	struct proposer_trial *t = trial_at(p, trial);
	struct learner *l = p->rooms[t->room - 1].learner;
	double value, step;
	enum trial_end end = sched_trial_end(p->sched, trial, &value, &step);

	if (end == TRIAL_PRUNED && sched_trial_raced(p->sched, trial, &value))
		end = TRIAL_COMPLETE; /* as good as known */
	if (end == TRIAL_PRUNED && waited_at_rung(p, trial))
		end = TRIAL_VOID;
	if (end == t->told && !(isnan(t->step) ? !isnan(step) : step > t->step))
		return; /* one that goes on from a rung stays what it was: there is nothing new */
	t->told = end;
	t->step = step;
	switch (end) {
	case TRIAL_OPEN:
		(isnan(step) ? learner_pending : learner_paused)(l, t->number);
		break;
	case TRIAL_COMPLETE:
		tell_complete(p, trial, l, value);
		break;
	case TRIAL_PRUNED:
		learner_pruned(l, t->number, value, step);
		break;
	case TRIAL_FAILED:
		learner_failed(l, t->number);
		break;
	case TRIAL_VOID:
		learner_gone(l, t->number);
		break;
	}
}

static bool is_of(const struct proposer *p, const struct proposer_room *r, uint32_t trial)
{
	struct trial_view v;

	if (!sched_trial_exists(p->sched, trial))
		return false;
	sched_trial(p->sched, trial, &v);
	if (v.phase != r->phase || v.outer != r->outer)
		return false;
	return !r->alone || key_equal(v.place, r->group);
}

/* What was told in its turn, and changes afterwards, is told at once. */
static bool was_told(struct proposer *p, uint32_t trial)
{
	const struct proposer_trial *t = trial_at(p, trial);

	return t->number < p->rooms[t->room - 1].told;
}

/* Trial k is to be proposed: what it may know, it is to know. */
static void tell_in_order(struct proposer *p, struct proposer_room *r, uint32_t k)
{
	while (r->told < r->ntrials && r->told + p->study->reproducible <= k)
		tell(p, r->trials[r->told++]);
}

static void look_at(struct proposer *p, uint32_t trial)
{
	struct counsel *counsel;

	for (uint32_t i = 0; i < p->nrooms && !trial_at(p, trial)->room; i++)
		if (is_of(p, &p->rooms[i], trial))
			begin(p, i, trial);
	if (!trial_at(p, trial)->room)
		return;
	counsel = p->rooms[trial_at(p, trial)->room - 1].counsel;
	if (counsel)
		counsel_note(counsel, trial);
	else if (!p->study->reproducible || was_told(p, trial))
		tell(p, trial);
}

static void look_at_changed(struct proposer *p)
{
	for (uint32_t i = 0; i < p->nchanged; i++)
		look_at(p, p->changed[i]);
	p->nchanged = 0;
}

static uint32_t trial_of(const struct proposer *p, const struct record *r)
{
	struct unit_view u;

	if (r->kind == RECORD_TRIAL || r->kind == RECORD_GONE)
		return r->trial;
	if (r->kind != RECORD_UNIT && r->kind != RECORD_END)
		return 0;
	sched_unit(p->sched, r->unit, &u);
	return u.trial;
}

static void note_trial(struct proposer *p, uint32_t trial)
{
	if (p->nchanged && p->changed[p->nchanged - 1] == trial)
		return;
	p->changed = must_grow(p->changed, &p->changed_cap, p->nchanged + 1, sizeof *p->changed);
	p->changed[p->nchanged++] = trial;
}

/* A new trial of a search program's room is what the program has just said. */
static void tell_what_became(struct proposer *p, const struct record *r)
{
	for (uint32_t i = 0; i < p->nrooms; i++)
		if (p->rooms[i].counsel && p->rooms[i].phase == r->phase && p->rooms[i].outer == r->outer)
			counsel_became(p->rooms[i].counsel, r->trial);
}

void proposer_note(struct proposer *p, const struct record *r)
{
	uint32_t trial = p->nrooms ? trial_of(p, r) : 0;
	const struct study_phase *ph;
	struct trial_view v;

	if (!trial)
		return;
	if (r->kind == RECORD_TRIAL)
		tell_what_became(p, r);
	if (!sched_trial_exists(p->sched, trial)) {
		note_trial(p, trial);
		return;
	}
	sched_trial(p->sched, trial, &v);
	ph = &p->study->phases[v.phase];
	if (search_learns(ph->search))
		note_trial(p, trial);
	for (uint32_t i = 0; ph->judges && i < v.nparents; i++)
		note_trial(p, v.parents[i]);
}

/* ---- learners ------------------------------------------------------------------------------------ */
static void tell_priors(const struct proposer *p, const struct proposer_room *r)
{
	for (uint32_t i = 0; p->priors && i < p->priors->n; i++) {
		const struct priors_item *x = &p->priors->items[i];

		if (x->phase == r->phase &&
		    (x->prior.outer == PRIOR_EVERYWHERE || x->prior.outer == r->outer))
			learner_prior(r->learner, &x->prior.scope, x->prior.value);
	}
}

/* Of the parent combinations that there are now: those of a pick change when it is made anew. */
static const struct key128 *places_of(const struct proposer *p, const struct group_view *g)
{
	struct key128 *places = arena_array(p->scratch, g->nparents, sizeof *places);

	for (uint32_t i = 0; i < g->nparents; i++)
		places[i] = sched_group_place(p->sched, g->group, i);
	return places;
}

static struct proposer_room *make_room(struct proposer *p, const struct group_view *g)
{
	const struct study_phase *ph = &p->study->phases[g->phase];
	struct learner_options o = {
	    .kind = ph->search, .seed = p->study->seed, .nplaces = ph->trials_total ? g->nparents : 0};
	uint32_t n = sched_trial_count(p->sched);
	struct proposer_room *r;

	p->rooms = must_have(realloc(p->rooms, (p->nrooms + 1) * sizeof *p->rooms));
	r = &p->rooms[p->nrooms++];
	*r = (struct proposer_room){.phase = g->phase, .outer = g->outer};
	r->group = sched_group_place(p->sched, g->group, 0);
	if (ph->search == SEARCH_PROGRAM)
		r->counsel = council_find(p->council, p->study, ph, g->outer);
	r->total = ph->trials_total && !r->counsel;
	r->alone = p->study->reproducible && !r->counsel && !r->total;
	if (!r->counsel) {
		o.places = r->total ? places_of(p, g) : NULL;
		r->learner = learner_new(p->study, ph, &o);
		tell_priors(p, r);
	}
	for (uint32_t t = 1; t <= n; t++)
		if (!trial_at(p, t)->room && is_of(p, r, t))
			look_at(p, t);
	return r;
}

static struct proposer_room *room_of(struct proposer *p, const struct group_view *g)
{
	struct key128 place = sched_group_place(p->sched, g->group, 0);

	look_at_changed(p);
	for (uint32_t i = 0; i < p->nrooms; i++) {
		struct proposer_room *r = &p->rooms[i];

		if (r->phase == g->phase && r->outer == g->outer && (!r->alone || key_equal(r->group, place)))
			return r;
	}
	return make_room(p, g);
}

/* ---- asking -------------------------------------------------------------------------------------- */
struct lookup {
	const struct sched *sched;
	uint32_t group;
};

static void scope_of(void *ctx, uint32_t parent, struct arena *scratch, struct scope *out)
{
	const struct lookup *x = ctx;

	sched_group_scope(x->sched, x->group, parent, scratch, out);
}

static bool known(void *ctx, uint32_t parent, const struct value *own)
{
	const struct lookup *x = ctx;

	return sched_has_values(x->sched, x->group, parent, own);
}

static bool ready(void *ctx, uint32_t parent)
{
	const struct lookup *x = ctx;

	return sched_group_ready(x->sched, x->group, parent);
}

static void let_it_learn(struct proposer *p, struct sampler_ask *ask, const struct group_view *g)
{
	struct proposer_room *r = room_of(p, g);
	uint32_t units = study_units_per_trial(p->study, ask->phase), trials = g->slots / units;

	ask->learner = r->learner;
	ask->workers = trials > 1 ? trials : 1;
	ask->interval_seconds = g->trial_seconds / g->slots;
	if (p->study->reproducible) {
		tell_in_order(p, r, g->proposed);
		ask->workers = p->study->reproducible;
		ask->interval_seconds = 0;
	}
	ask->places = places_of(p, g);
	ask->ready = r->total ? ready : NULL;
}

static const char *why_not(enum sampler_answer a)
{
	return a == SAMPLER_EXHAUSTED ? "every point has been tried"
	                              : "no point satisfies `require` and the bounds";
}

static void drop_want(struct proposer *p)
{
	p->head = (p->head + 1) % p->cap;
	p->count--;
}

static struct sampler_ask question(const struct proposer *p, const struct group_view *g, struct lookup *ctx)
{
	return (struct sampler_ask){.study = p->study,
	                            .phase = &p->study->phases[g->phase],
	                            .group = g->key,
	                            .k = g->proposed,
	                            .nparents = g->nparents,
	                            .cursor = g->cursor,
	                            .scope_of = scope_of,
	                            .known = known,
	                            .ctx = ctx,
	                            .scratch = p->scratch};
}

/* The parents of a group may be deleted. */
static enum sampler_answer ask_sampler(struct proposer *p, struct sampler_ask *ask,
                                       const struct group_view *g, struct value *own, uint32_t *parent)
{
	if (!g->nparents)
		return SAMPLER_EXHAUSTED;
	if (search_learns(ask->phase->search))
		let_it_learn(p, ask, g);
	return sampler_ask(ask, own, parent);
}

static void make_event(struct event *e, uint32_t group, enum sampler_answer answer, uint32_t parent,
                       const struct value *own)
{
	*e = (struct event){.kind = EVENT_EXHAUSTED, .group = group};
	if (answer != SAMPLER_OK) {
		e->text = why_not(answer);
		return;
	}
	e->kind = EVENT_PROPOSED;
	e->parent = parent;
	e->values = own;
}

static bool is_for_program(const struct study_phase *ph, const struct group_view *g)
{
	return ph->search == SEARCH_PROGRAM && ph->space.nparams && g->nparents;
}

/* 0: it went to the search program. */
static int next_wanted(struct proposer *p, struct event *e)
{
	struct want *w = &p->items[p->head];
	struct group_view g;
	struct lookup ctx = {p->sched, w->group};
	struct sampler_ask ask;
	struct value *own;
	uint32_t parent = 0;
	enum sampler_answer answer = SAMPLER_OK;

	sched_group(p->sched, w->group, &g);
	ask = question(p, &g, &ctx);
	own = arena_array(p->scratch, ask.phase->space.nparams + 1, sizeof *own);
	if (!is_for_program(ask.phase, &g)) {
		answer = ask_sampler(p, &ask, &g, own, &parent);
	} else if (!sampler_enqueued(&ask, own, &parent)) {
		counsel_want(room_of(p, &g)->counsel, w->group, w->n);
		drop_want(p);
		return 0;
	}
	make_event(e, w->group, answer, parent, own);
	w->n = answer == SAMPLER_OK ? w->n - 1 : 0;
	if (w->n == 0)
		drop_want(p);
	return 1;
}

static int next_advice(struct proposer *p, struct event *e, struct fault *f)
{
	int r = 0;

	look_at_changed(p);
	for (uint32_t i = 0; i < p->nrooms && !r; i++)
		if (p->rooms[i].counsel)
			r = counsel_next(p->rooms[i].counsel, p->sched, p->scratch, e, f);
	return r;
}

int proposer_next(struct proposer *p, struct event *e, struct fault *f)
{
	for (uint32_t i = 0; i < p->nrooms; i++)
		if (p->rooms[i].counsel)
			counsel_settle(p->rooms[i].counsel);
	while (p->count)
		if (next_wanted(p, e))
			return 1;
	return p->council ? next_advice(p, e, f) : 0;
}

void proposer_tell_rest(struct proposer *p)
{
	look_at_changed(p);
	for (uint32_t i = 0; i < p->nrooms; i++)
		if (p->rooms[i].counsel)
			counsel_tell(p->rooms[i].counsel, p->sched, p->scratch);
}

bool proposer_ready(const struct proposer *p)
{
	for (uint32_t i = 0; i < p->nrooms; i++)
		if (p->rooms[i].counsel && counsel_has_answer(p->rooms[i].counsel))
			return true;
	return p->count > 0;
}
