/* Where to look next: the point of most expected improvement, in logarithms so that it has a slope
 * everywhere.
 *
 * S. Ament, S. Daulton, D. Eriksson, M. Balandat and E. Bakshy, "Unexpected improvements to expected
 * improvement for Bayesian optimization" (2023): log EI = log sigma + log h(z), z = (incumbent - mean) /
 * sigma, h(z) = phi(z) + z Phi(z). For z far below 0 both terms of h cancel; with Mills' ratio Phi(z) /
 * phi(z) = 1 / (x + K), x = -z, K = 1/(x + 2/(x + 3/(x + ..))) (Laplace's continued fraction), what is left
 * is h = phi(z) K / (x + K), without cancellation, and h' / h = Phi / h = 1 / K.
 *
 * The maximum over a mixed space is sought in three rounds: scrambled Sobol points over the whole cube;
 * points around the best observations, a few coordinates moved a little; and from the best of both uphill, by
 * L-BFGS on the coordinates that are continuous (or nearly) and by moves to neighbours, other choices and
 * other parents. What counts is always the value at the place a candidate comes to lie at, not at its
 * coordinates.
 */
#include "gp.h"

#include "normal.h"
#include "sampler.h"

#include <string.h>

enum {
	SHORTLIST = 6,   /* of each of the first two rounds */
	CLIMBS = 4,      /* alternations of slope and neighbours */
	SLOPES = 40,     /* evaluations of one ascent */
	CHOICES_MAX = 12 /* other choices or parents to try at a time */
};

/* A cell narrower than that is moved along as if it were a point. */
static const double narrow = 0.04;
static const double never = -1e300;

/* ---- log EI ------------------------------------------------------------------------------------ */
double gp_log_h(double z, double *slope)
{
	double k = 0, h, tail;

	if (z > -5) {
		tail = 0.5 * erfc(-z * 0.70710678118654752440);
		h = exp(normal_log_pdf(z)) + z * tail;
		*slope = tail / h;
		return log(h);
	}
	for (int i = 40; i > 0; i--)
		k = i / (k - z);
	*slope = 1 / k;
	return normal_log_pdf(z) + log(k / (k - z));
}

/* ---- candidates -------------------------------------------------------------------------------- */
struct candidate {
	double *u;
	uint32_t parent;
	double value;
};
/* The best candidates, best first. */
struct shortlist {
	struct candidate *items;
	uint32_t n, cap;
};

struct maximiser {
	const struct gp_acquire *a;
	struct rng rng;
	uint32_t nown, naxes;
	struct cell *cells; /* of the candidate placed last */
	/* Candidates that wait to be evaluated together. */
	struct candidate waiting[GP_BLOCK];
	uint32_t nwaiting;
	union gp_lanes *x;
	double *row, *dmean, *dvar;
	struct shortlist *to;
	/* An ascent: coordinates that move, and the features they are. */
	uint32_t *moving, *feature, nmoving;
	double *at, *lo, *hi;
};

static struct shortlist shortlist_new(struct arena *a, uint32_t cap, uint32_t nown)
{
	struct shortlist s = {.items = arena_array(a, cap, sizeof *s.items), .cap = cap};

	for (uint32_t i = 0; i < cap; i++)
		s.items[i].u = arena_array(a, nown, sizeof(double));
	return s;
}

static void maximiser_init(struct maximiser *m, const struct gp_acquire *a)
{
	const struct history *h = a->q->h;
	struct arena *s = a->q->scratch;

	*m = (struct maximiser){.a = a, .nown = h->nown, .naxes = h->naxes};
	rng_seed(&m->rng, a->seed);
	m->cells = arena_array(s, h->naxes, sizeof *m->cells);
	for (uint32_t b = 0; b < GP_BLOCK; b++)
		m->waiting[b].u = arena_array(s, h->nown, sizeof(double));
	m->x = arena_array(s, a->g->nfeatures, sizeof *m->x);
	m->row = arena_array(s, 3 * (size_t)a->g->nfeatures, sizeof *m->row);
	m->dmean = m->row + a->g->nfeatures;
	m->dvar = m->dmean + a->g->nfeatures;
	m->moving = arena_array(s, 2 * (size_t)h->nown, sizeof *m->moving);
	m->feature = m->moving + h->nown;
	m->at = arena_array(s, 3 * (size_t)h->nown, sizeof *m->at);
	m->lo = m->at + h->nown;
	m->hi = m->lo + h->nown;
}

/* Cells of a candidate: where its own coordinates come to lie, and the context. */
static bool place(struct maximiser *m, const double *u, uint32_t parent)
{
	const struct cube_ask *q = m->a->q;

	if (!q->place(q->ctx, parent, u, m->cells))
		return false;
	if (m->naxes > m->nown)
		memcpy(m->cells + m->nown, q->contexts[parent], (m->naxes - m->nown) * sizeof *m->cells);
	return true;
}

static double log_ei(const struct maximiser *m, double mean, double var)
{
	double sigma = sqrt(var), slope;

	return log(sigma) + gp_log_h((m->a->incumbent - mean) / sigma, &slope);
}

static bool new_to_search(struct maximiser *m, const struct candidate *c)
{
	const struct cube_ask *q = m->a->q;

	return place(m, c->u, c->parent) && !q->known(q->ctx, c->parent, m->cells);
}

static bool listed(const struct shortlist *s, const struct candidate *c, uint32_t nown)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->items[i].value == c->value && s->items[i].parent == c->parent &&
		    memcmp(s->items[i].u, c->u, nown * sizeof *c->u) == 0)
			return true;
	return false;
}

static void insert(struct maximiser *m, const struct candidate *c)
{
	struct shortlist *s = m->to;
	struct candidate last;
	uint32_t i;

	if (!(c->value > never) || (s->n == s->cap && c->value <= s->items[s->n - 1].value))
		return;
	if (listed(s, c, m->nown) || !new_to_search(m, c))
		return;
	i = s->n < s->cap ? s->n++ : s->n - 1;
	last = s->items[i];
	for (; i > 0 && s->items[i - 1].value < c->value; i--)
		s->items[i] = s->items[i - 1];
	memcpy(last.u, c->u, m->nown * sizeof *c->u);
	s->items[i] = (struct candidate){last.u, c->parent, c->value};
}

static void flush(struct maximiser *m)
{
	union gp_lanes mean, var;

	if (m->nwaiting == 0)
		return;
	gp_predict(m->a->g, m->x, &mean, &var);
	for (uint32_t b = 0; b < m->nwaiting; b++) {
		m->waiting[b].value = log_ei(m, mean.of[b], var.of[b]);
		insert(m, &m->waiting[b]);
	}
	m->nwaiting = 0;
}

/* Consider a candidate for the list `to`. */
static void offer(struct maximiser *m, const double *u, uint32_t parent)
{
	struct candidate *c = &m->waiting[m->nwaiting];

	if (!place(m, u, parent))
		return;
	gp_encode(m->a->g, m->cells, m->row);
	for (uint32_t f = 0; f < m->a->g->nfeatures; f++)
		m->x[f].of[m->nwaiting] = m->row[f];
	memcpy(c->u, u, m->nown * sizeof *u);
	c->parent = parent;
	if (++m->nwaiting == GP_BLOCK)
		flush(m);
}

/* ---- the whole cube ---------------------------------------------------------------------------- */
static uint32_t candidates(const struct gp *g)
{
	uint32_t n = 160000 / (g->nall + 1);

	return n > 1024 ? 1024 : n < 512 ? 512 : n;
}

static uint32_t some_parent(struct maximiser *m)
{
	uint32_t n = m->a->q->nparents;

	return n > 1 ? (uint32_t)rng_below(&m->rng, n) : 0;
}

static void look_everywhere(struct maximiser *m)
{
	uint64_t seed = rng_next(&m->rng) | 1;
	uint32_t n = candidates(m->a->g);
	double *u = m->at;

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t d = 0; d < m->nown; d++)
			u[d] = sobol_point(i, d, seed);
		offer(m, u, some_parent(m));
	}
	flush(m);
}

/* ---- around the best --------------------------------------------------------------------------- */
/* Which parent this observation stands on; another one where that is not to be chosen now. */
static uint32_t parent_of(struct maximiser *m, const struct observation *o)
{
	const struct cube_ask *q = m->a->q;

	for (uint32_t p = 0; p < q->nparents && q->nparents > 1; p++)
		if (cube_stands_on(q, o, p))
			return p;
	return some_parent(m);
}

/* Sum of 12 uniform ones, near enough to normal. */
static double bell(struct rng *r)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += rng_unit(r);
	return sum;
}

static double moved(struct maximiser *m, uint32_t axis, struct cell c, double width)
{
	if (!cell_active(c) || m->a->q->h->axes[axis].kind == AXIS_CHOICE)
		return rng_unit(&m->rng);
	return cube_inside(cell_middle(c) + fmax(width, c.hi - c.lo) * bell(&m->rng));
}

/* Each coordinate moves with this chance, one at least. */
static void look_around(struct maximiser *m, const struct observation *o, uint32_t parent, double width)
{
	double chance = m->nown > 4 ? 3.0 / m->nown : 0.7, *u = m->at;
	uint64_t always = rng_below(&m->rng, m->nown);

	for (uint32_t d = 0; d < m->nown; d++) {
		struct cell c = o->cells[d];

		if (d == always || rng_unit(&m->rng) < chance)
			u[d] = moved(m, d, c, width);
		else
			u[d] = cell_active(c) ? cube_inside(cell_middle(c)) : rng_unit(&m->rng);
	}
	offer(m, u, parent);
}

static void look_around_best(struct maximiser *m)
{
	static const double widths[] = {0.2, 0.07, 0.02, 0.005};
	uint32_t each = candidates(m->a->g) / 4 / 32 + 1;

	for (uint32_t i = 0; i < m->a->nbest; i++) {
		const struct observation *o = m->a->best[i];
		uint32_t parent = parent_of(m, o);

		for (uint32_t w = 0; w < sizeof widths / sizeof *widths; w++)
			for (uint32_t k = 0; k < each; k++)
				look_around(m, o, k == 0 ? some_parent(m) : parent, widths[w]);
	}
	flush(m);
}

/* ---- uphill ------------------------------------------------------------------------------------ */
static void find_moving(struct maximiser *m)
{
	const struct gp *g = m->a->g;

	m->nmoving = 0;
	for (uint32_t f = 0; f < g->nfeatures; f++) {
		uint32_t d = g->features[f].axis;
		struct cell c;

		if (d >= m->nown || g->features[f].kind != GP_SQUARE)
			continue;
		c = m->cells[d];
		if (!cell_active(c) || c.hi - c.lo > narrow)
			continue;
		m->moving[m->nmoving] = d;
		m->feature[m->nmoving] = f;
		m->lo[m->nmoving] = 0;
		m->hi[m->nmoving] = cube_inside(1);
		m->at[m->nmoving++] = cell_middle(c);
	}
}

static double negative_log_ei(void *ctx, const double *x, double *grad)
{
	struct maximiser *m = ctx;
	double mean, var, sigma, z, slope, value;

	for (uint32_t i = 0; i < m->nmoving; i++)
		m->row[m->feature[i]] = x[i];
	gp_predict_slope(m->a->g, m->row, &mean, &var, m->dmean, m->dvar);
	sigma = sqrt(var);
	z = (m->a->incumbent - mean) / sigma;
	value = log(sigma) + gp_log_h(z, &slope);
	for (uint32_t i = 0; i < m->nmoving; i++) {
		double of_sigma = m->dvar[m->feature[i]] / (2 * sigma);

		grad[i] = -(of_sigma / sigma - slope * (m->dmean[m->feature[i]] + z * of_sigma) / sigma);
	}
	return -value;
}

/* From c uphill along the coordinates that can be moved, then to where that comes to lie. */
static void ascend(struct maximiser *m, struct candidate *c)
{
	struct gp_problem p = {0, negative_log_ei, m, m->lo, m->hi, SLOPES, 1e-4};
	double *u = m->dmean; /* free again by then, and no shorter */

	if (!place(m, c->u, c->parent))
		return;
	gp_encode(m->a->g, m->cells, m->row);
	find_moving(m);
	if (m->nmoving == 0)
		return;
	p.n = m->nmoving;
	gp_minimise(&p, m->at, m->a->q->scratch);
	memcpy(u, c->u, m->nown * sizeof *u);
	for (uint32_t i = 0; i < m->nmoving; i++)
		u[m->moving[i]] = m->at[i];
	offer(m, u, c->parent);
	flush(m);
}

static void try_choices(struct maximiser *m, double *u, uint32_t parent, uint32_t d, uint32_t now)
{
	uint32_t levels = m->a->q->h->axes[d].levels, n = levels - 1 < CHOICES_MAX ? levels - 1 : CHOICES_MAX;
	uint32_t first = levels - 1 > n ? (uint32_t)rng_below(&m->rng, levels - 1) : 0;

	for (uint32_t i = 0; i < n; i++) {
		u[d] = ((now + 1 + (first + i) % (levels - 1)) % levels + 0.5) / levels;
		offer(m, u, parent);
	}
}

/* The next cells up and down, and some further on. */
static void try_neighbours(struct maximiser *m, double *u, uint32_t parent, uint32_t d, struct cell c)
{
	static const double steps[] = {-4, -2, -1, 1, 2, 4};

	for (uint32_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		u[d] = cell_middle(c) + steps[i] * (c.hi - c.lo);
		if (u[d] >= 0 && u[d] < 1)
			offer(m, u, parent);
	}
}

static void try_parents(struct maximiser *m, const double *u, uint32_t parent)
{
	uint32_t n = m->a->q->nparents - 1;

	for (uint32_t i = 0; i < n && i < CHOICES_MAX; i++) {
		uint32_t other = n <= CHOICES_MAX ? i : (uint32_t)rng_below(&m->rng, n);

		offer(m, u, other < parent ? other : other + 1);
	}
}

static void try_steps(struct maximiser *m, const struct candidate *c, struct cell *cells)
{
	uint32_t parent = c->parent;
	double *u = m->at;

	if (!place(m, c->u, parent))
		return;
	memcpy(u, c->u, m->nown * sizeof *u);
	memcpy(cells, m->cells, m->nown * sizeof *cells);
	try_parents(m, u, parent);
	for (uint32_t d = 0; d < m->nown; d++) {
		const struct axis *axis = &m->a->q->h->axes[d];
		double own = u[d];

		if (!cell_active(cells[d]))
			continue;
		if (axis->kind == AXIS_CHOICE)
			try_choices(m, u, parent, d, cell_choice(cells[d], axis->levels));
		else if (cells[d].hi > cells[d].lo)
			try_neighbours(m, u, parent, d, cells[d]);
		u[d] = own;
	}
	flush(m);
}

/* Leaves the best found in the list of one. */
static void climb(struct maximiser *m, const struct candidate *from, struct shortlist *one,
                  struct cell *cells)
{
	m->to = one;
	one->n = 1;
	memcpy(one->items[0].u, from->u, m->nown * sizeof *from->u);
	one->items[0].parent = from->parent;
	one->items[0].value = from->value;
	for (int i = 0; i < CLIMBS; i++) {
		double before = one->items[0].value;

		ascend(m, &one->items[0]);
		try_steps(m, &one->items[0], cells);
		if (!(one->items[0].value > before + 1e-6))
			break;
	}
}

bool gp_maximise(const struct gp_acquire *a, double *u, uint32_t *parent)
{
	struct maximiser m;
	struct arena *s = a->q->scratch;
	struct shortlist far, near, one;
	const struct candidate *best = NULL;
	struct cell *cells;
	struct candidate top = {u, 0, never};

	maximiser_init(&m, a);
	far = shortlist_new(s, SHORTLIST, m.nown);
	near = shortlist_new(s, SHORTLIST, m.nown);
	one = shortlist_new(s, 1, m.nown);
	cells = arena_array(s, m.naxes, sizeof *cells);
	m.to = &far;
	look_everywhere(&m);
	m.to = &near;
	look_around_best(&m);
	for (uint32_t i = 0; i < far.n + near.n; i++) {
		climb(&m, i < far.n ? &far.items[i] : &near.items[i - far.n], &one, cells);
		best = &one.items[0];
		if (best->value <= top.value)
			continue;
		memcpy(u, best->u, m.nown * sizeof *u);
		top = (struct candidate){u, best->parent, best->value};
	}
	*parent = top.parent;
	return top.value > never;
}
