#include "learner.h"

#include "cube.h"
#include "search.h"

#include <string.h>

/* So many feasible points in a row that the study has already: then look through a finite space in order. */
enum { KNOWN_TRIES = 1000, LOOKED_THROUGH = 10000000 };

struct origin {
	uint32_t phase, param;
};

struct learner {
	struct arena arena;
	const struct study *study;
	const struct study_phase *phase;
	struct learner_options options;
	const struct cube_search *search;
	void *state;
	struct history history;
	struct origin *origins; /* of the axes; the one of the combination of parents has none */
	struct axis *axes;
	uint32_t nown, norigins, naxes;
	double *lo, *hi, *u;   /* of the phase with most parameters, work space */
	struct cell *cells;    /* naxes, work space */
	struct key128 *points; /* a set, by hashing: the points there are */
	uint32_t npoints, points_cap;
};

/* ---- axes -------------------------------------------------------------------------------------- */
static bool varies(const struct param *p)
{
	return p->kind != DOMAIN_CONST && p->kind != DOMAIN_ANY && !(p->choices && p->nchoices == 1);
}

static struct axis axis_of(const struct param *p)
{
	struct space one = {.params = p, .nparams = 1};
	int64_t n = space_size(&one);
	struct axis a = {.levels = n > 0 && n < UINT32_MAX ? (uint32_t)n : 0};

	a.kind = p->kind == DOMAIN_CHOICE && !p->ordered ? AXIS_CHOICE : AXIS_NUMBER;
	return a;
}

static void add_axes(struct learner *l, const struct study_phase *ph)
{
	for (uint32_t k = 0; k < ph->space.nparams; k++) {
		if (!varies(&ph->space.params[k]))
			continue;
		l->origins[l->norigins] = (struct origin){ph->index, k};
		l->axes[l->norigins++] = axis_of(&ph->space.params[k]);
	}
}

static void make_axes(struct learner *l)
{
	const struct study *s = l->study;
	uint32_t all = 1, most = 0;

	for (uint32_t i = 0; i < s->nphases; i++) {
		all += s->phases[i].space.nparams;
		most = s->phases[i].space.nparams > most ? s->phases[i].space.nparams : most;
	}
	l->origins = arena_array(&l->arena, all, sizeof *l->origins);
	l->axes = arena_array(&l->arena, all, sizeof *l->axes);
	l->lo = arena_array(&l->arena, most, sizeof *l->lo);
	l->hi = arena_array(&l->arena, most, sizeof *l->hi);
	l->u = arena_array(&l->arena, most, sizeof *l->u);
	add_axes(l, l->phase);
	l->nown = l->norigins;
	for (uint32_t i = 0; i < s->nphases; i++)
		if (l->phase->ancestor[i])
			add_axes(l, &s->phases[i]);
	l->naxes = l->norigins;
	if (l->options.nplaces > 1)
		l->axes[l->naxes++] = (struct axis){AXIS_CHOICE, l->options.nplaces};
	l->cells = arena_array(&l->arena, l->naxes, sizeof *l->cells);
}

struct learner *learner_new(const struct study *s, const struct study_phase *ph,
                            const struct learner_options *o)
{
	static const struct cube_search *const searches[] = {[SEARCH_TPE] = &tpe_search,
	                                                     [SEARCH_CMAES] = &cmaes_search,
	                                                     [SEARCH_GP] = &gp_in_time_search,
	                                                     [SEARCH_NSGA2] = &nsga2_search,
	                                                     [SEARCH_AUTO] = &auto_search};
	struct arena a = {0};
	struct learner *l = arena_alloc(&a, sizeof *l);
	struct key128 *places;

	l->arena = a;
	l->study = s;
	l->phase = ph;
	l->options = *o;
	places = arena_array(&l->arena, o->nplaces, sizeof *places);
	if (o->nplaces)
		memcpy(places, o->places, o->nplaces * sizeof *places);
	l->options.places = places;
	make_axes(l);
	history_init(&l->history, &l->arena, l->axes, l->nown, l->naxes);
	l->history.nobjectives = 1 + ph->nmore;
	l->search = searches[o->kind];
	l->state = l->search->open();
	return l;
}

void learner_free(struct learner *l)
{
	struct arena a;

	if (!l)
		return;
	l->search->close(l->state);
	a = l->arena; /* it holds the learner itself */
	arena_finish(&a);
}

/* ---- values and cells -------------------------------------------------------------------------- */
static void locate(struct learner *l, uint32_t from, uint32_t to, const struct scope *scope,
                   struct cell *cells)
{
	uint32_t located = UINT32_MAX;

	for (uint32_t i = from; i < to; i++) {
		const struct origin *o = &l->origins[i];
		const struct value *values = o->phase < scope->nphases ? scope->by_phase[o->phase] : NULL;

		cells[i] = (struct cell){(double)NAN, (double)NAN};
		if (!values)
			continue;
		if (located != o->phase)
			space_locate(&l->study->phases[o->phase].space, scope, values, l->lo, l->hi);
		located = o->phase;
		cells[i] = (struct cell){l->lo[o->param], l->hi[o->param]};
	}
}

/* A question has the places in the order of the options: number `guess` is looked at first. */
static void locate_place(const struct learner *l, struct key128 place, uint32_t guess, struct cell *cells)
{
	uint32_t n = l->options.nplaces, i = 0;
	struct cell *c = &cells[l->norigins];

	if (l->norigins == l->naxes)
		return;
	if (guess < n && key_equal(l->options.places[guess], place))
		i = guess;
	while (i < n && !key_equal(l->options.places[i], place))
		i++;
	*c = (struct cell){(double)NAN, (double)NAN};
	if (i < n)
		*c = (struct cell){(double)i / n, (double)(i + 1) / n};
}

/* ---- the points there are ---------------------------------------------------------------------- */
static struct key128 point_key(const struct learner *l, struct key128 place, const struct value *own)
{
	struct key128 k = place;

	for (uint32_t i = 0; i < l->phase->space.nparams; i++) {
		const struct value *v = &own[i];
		uint64_t bits = 0;

		k = key_hash_number(k, v->kind);
		if (v->kind == VALUE_CHOICE) {
			k = key_hash_text(k, v->u.choice->text);
			continue;
		}
		if (v->kind != VALUE_NONE)
			memcpy(&bits, &v->u, sizeof bits);
		k = key_hash_number(k, bits);
	}
	return k;
}

/* Its place in the set: where it is, or where it belongs. The key 0 marks what is free. */
static struct key128 *find(const struct learner *l, struct key128 k)
{
	uint32_t mask = l->points_cap - 1, i = (uint32_t)k.lo & mask;

	while ((l->points[i].hi | l->points[i].lo) && !key_equal(l->points[i], k))
		i = (i + 1) & mask;
	return &l->points[i];
}

static bool has_point(const struct learner *l, struct key128 k)
{
	return l->points_cap && key_equal(*find(l, k), k);
}

static void add_point(struct learner *l, struct key128 k)
{
	if (2 * (l->npoints + 1) > l->points_cap) {
		struct key128 *old = l->points;
		uint32_t n = l->points_cap;

		l->points_cap = n ? 2 * n : 256;
		l->points = arena_array(&l->arena, l->points_cap, sizeof *l->points);
		for (uint32_t i = 0; i < n; i++)
			if (old[i].hi | old[i].lo)
				*find(l, old[i]) = old[i];
	}
	if (has_point(l, k))
		return;
	*find(l, k) = k;
	l->npoints++;
}

/* ---- telling ----------------------------------------------------------------------------------- */
uint32_t learner_begin(struct learner *l, struct key128 place, const struct scope *scope)
{
	locate(l, 0, l->norigins, scope, l->cells);
	locate_place(l, place, 0, l->cells);
	if (l->phase->space.nparams)
		add_point(l, point_key(l, place, scope->by_phase[l->phase->index]));
	return history_begin(&l->history, l->cells);
}

static double minimised(const struct learner *l, double value)
{
	return objective_minimised(study_objective(l->phase, 0), value);
}

void learner_complete_all(struct learner *l, uint32_t number, const double *values)
{
	double turned[OBJECTIVES_MAX];
	bool finite = true;

	for (uint32_t i = 0; i <= l->phase->nmore; i++) {
		turned[i] = objective_minimised(study_objective(l->phase, i), values[i]);
		finite = finite && isfinite(values[i]);
	}
	history_put_values(&l->history, number, turned);
	history_end(&l->history, number, finite ? OUTCOME_COMPLETE : OUTCOME_FAILED, turned[0], 0);
}

void learner_complete(struct learner *l, uint32_t number, double value)
{
	history_end(&l->history, number, OUTCOME_COMPLETE, minimised(l, value), 0);
}

void learner_pruned(struct learner *l, uint32_t number, double value, double step)
{
	history_end(&l->history, number, OUTCOME_PRUNED, minimised(l, value), step);
}

void learner_failed(struct learner *l, uint32_t number)
{
	history_end(&l->history, number, OUTCOME_FAILED, 0, 0);
}

void learner_pending(struct learner *l, uint32_t number)
{
	history_end(&l->history, number, OUTCOME_PENDING, 0, 0);
}

void learner_paused(struct learner *l, uint32_t number)
{
	history_end(&l->history, number, OUTCOME_PAUSED, 0, 0);
}

void learner_gone(struct learner *l, uint32_t number)
{
	history_end(&l->history, number, OUTCOME_GONE, 0, 0);
}

void learner_prior(struct learner *l, const struct scope *scope, double value)
{
	locate(l, 0, l->norigins, scope, l->cells);
	if (l->norigins < l->naxes)
		l->cells[l->norigins] = (struct cell){(double)NAN, (double)NAN};
	learner_complete(l, history_begin(&l->history, l->cells), value);
}

bool learner_knows(const struct learner *l, struct key128 place, const struct value *own)
{
	return has_point(l, point_key(l, place, own));
}

/* ---- asking ------------------------------------------------------------------------------------ */
struct question {
	struct learner *l;
	struct search_view v;
};

static bool place_point(struct question *x, uint32_t parent, const double *u)
{
	const struct learner *l = x->l;

	if (x->v.q->ready && !x->v.q->ready(x->v.q->ctx, parent))
		return false;
	search_bind(&x->v, parent);
	for (uint32_t k = 0; k < l->phase->space.nparams; k++)
		x->v.u[k] = 0.5;
	for (uint32_t i = 0; i < l->nown; i++)
		x->v.u[l->origins[i].param] = u[i];
	return space_draw(&l->phase->space, &x->v.scope, x->v.u, x->v.own);
}

static bool place(void *ctx, uint32_t parent, const double *u, struct cell *out)
{
	struct question *x = ctx;

	if (!place_point(x, parent, u))
		return false;
	locate(x->l, 0, x->l->nown, &x->v.scope, out);
	return true;
}

static bool point_known(const struct question *x)
{
	return has_point(x->l, point_key(x->l, x->v.q->places[x->v.parent], x->v.own));
}

static bool known(void *ctx, uint32_t parent, const struct cell *at)
{
	(void)parent;
	(void)at; /* what was placed last is in the view */
	return point_known(ctx);
}

static const struct cell *const *contexts_of(struct question *x)
{
	struct learner *l = x->l;
	const struct sampler_ask *q = x->v.q;
	uint32_t n = l->naxes - l->nown;
	const struct cell **list = arena_array(q->scratch, q->nparents, sizeof *list);

	for (uint32_t p = 0; n && p < q->nparents; p++) {
		struct cell *cells = arena_array(q->scratch, l->naxes, sizeof *cells);

		search_bind(&x->v, p);
		locate(l, l->nown, l->norigins, &x->v.scope, cells);
		locate_place(l, q->places[p], p, cells);
		list[p] = cells + l->nown;
	}
	return list;
}

static bool ask_model(struct question *x)
{
	struct learner *l = x->l;
	const struct sampler_ask *q = x->v.q;
	double *u = arena_array(q->scratch, l->nown, sizeof *u);
	uint32_t parent = 0;
	struct cube_ask ask = {.h = &l->history,
	                       .nparents = q->nparents,
	                       .contexts = contexts_of(x),
	                       .place = place,
	                       .known = known,
	                       .ctx = x,
	                       .k = q->k,
	                       .seed = search_fold(search_seed(q), l->options.seed),
	                       .trials = q->phase->trials < INT64_MAX ? q->phase->trials : 0,
	                       .workers = q->workers ? q->workers : 1,
	                       .interval_seconds = q->interval_seconds,
	                       .rungs = q->phase->prune && prune_has_rungs(q->phase->prune),
	                       .scratch = q->scratch};

	return l->search->ask(l->state, &ask, u, &parent) && place_point(x, parent, u) && !point_known(x);
}

static bool draw(struct question *x, struct rng *r)
{
	const struct sampler_ask *q = x->v.q;
	uint32_t parent = (uint32_t)rng_below(r, q->nparents);

	if (q->ready && !q->ready(q->ctx, parent))
		return false;
	search_bind(&x->v, parent);
	for (uint32_t k = 0; k < q->phase->space.nparams; k++)
		x->v.u[k] = rng_unit(r);
	return space_draw(&q->phase->space, &x->v.scope, x->v.u, x->v.own);
}

/* From a place that depends on k: the next point that nobody has, of parents that are ready, or of any. */
static bool find_new(struct question *x, uint64_t start, uint64_t size, bool ready)
{
	const struct sampler_ask *q = x->v.q;
	uint64_t total = size * q->nparents;

	for (uint64_t i = 0; i < total; i++) {
		uint64_t n = (start + i) % total;
		uint32_t parent = (uint32_t)(n / size);

		if (ready && !q->ready(q->ctx, parent))
			continue;
		search_bind(&x->v, parent);
		if (space_grid_point(&q->phase->space, &x->v.scope, (int64_t)(n % size), x->v.own) &&
		    !point_known(x))
			return true;
	}
	return false;
}

/* A finite space. Where all that could start now is there already, a trial that has to wait is better than
 * the word that there is none. */
static enum sampler_answer look_through(struct question *x, uint64_t start)
{
	const struct sampler_ask *q = x->v.q;
	int64_t size = space_size(&q->phase->space);

	if (size <= 0 || size > LOOKED_THROUGH / q->nparents)
		return SAMPLER_EXHAUSTED;
	if (q->ready && find_new(x, start, (uint64_t)size, true))
		return SAMPLER_OK;
	return find_new(x, start, (uint64_t)size, false) ? SAMPLER_OK : SAMPLER_EXHAUSTED;
}

static enum sampler_answer ask_at_random(struct question *x)
{
	const struct sampler_ask *q = x->v.q;
	uint32_t known_ones = 0, tries;
	struct rng r;

	rng_seed(&r, search_fold(search_seed(q), q->k));
	for (tries = 0; tries < SAMPLER_TRIES && known_ones < KNOWN_TRIES; tries++) {
		if (!draw(x, &r))
			continue;
		if (!point_known(x))
			return SAMPLER_OK;
		known_ones++;
	}
	return known_ones ? look_through(x, rng_next(&r)) : SAMPLER_INFEASIBLE;
}

static bool any_ready(const struct sampler_ask *q)
{
	for (uint32_t i = 0; i < q->nparents; i++)
		if (q->ready(q->ctx, i))
			return true;
	return false;
}

enum sampler_answer learner_ask(const struct sampler_ask *q, struct value *own, uint32_t *parent)
{
	struct sampler_ask now = *q;
	struct question x = {.l = q->learner, .v = {.q = &now, .own = own}};
	enum sampler_answer answer = SAMPLER_OK;

	if (q->ready && !any_ready(q))
		now.ready = NULL; /* one of them will be */
	x.v.u = arena_array(q->scratch, q->phase->space.nparams, sizeof *x.v.u);
	if (!ask_model(&x))
		answer = ask_at_random(&x);
	*parent = x.v.parent;
	return answer;
}
