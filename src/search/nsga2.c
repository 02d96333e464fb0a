/* NSGA-II, a genetic algorithm for several objectives: K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A Fast
 * and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE TEVC 6 (2002). Those survive who are in the
 * earlier front, and of one front those with more room around them; so the population spreads along the
 * Pareto front.
 *
 * It runs in a steady state, without generations: each trial that ends competes for a place at once, and each
 * question is answered by one child of the population as it is. A generation would have to wait for its last
 * trial, and slots with it; and J. J. Durillo et al., "On the Effect of the Steady-State Selection Scheme in
 * Multi-Objective Genetic Algorithms", EMO 2009, found it to converge faster besides.
 *
 * Children come of two parents by simulated binary crossover and polynomial mutation (K. Deb, R. B. Agrawal,
 * "Simulated Binary Crossover for Continuous Search Space", Complex Systems 9 (1995)) on the coordinates of
 * the cube, so logarithms and bounds that depend on others need nothing of their own. An axis without an
 * order takes the choice of either parent, or another one. When a child is there already, what a mutation
 * leaves in its cell goes on to the next one, else discrete axes would hardly ever move; at once would be too
 * much for spaces of few levels. */
#include "cube.h"
#include "pareto.h"
#include "search.h"

#include <string.h>

enum { MEMBERS_MIN = 10, MEMBERS_MAX = 50, TRIES = 200 };
/* Measured on ZDT1 to 3, two shifted spheres and a mixed space, 200 trials, 30 seeds, by hypervolume: half of
 * what is crossed is taken over whole (without that much worse), a tenth of the trials live at a time, and
 * mutations go far; the paper's indices are for tens of thousands of trials. */
static const double crossover = 0.9, whole = 0.5, index_crossover = 5, index_mutation = 5, other_parent = 0.1;

struct nsga2 {
	struct arena arena; /* it holds this */
	const struct history *h;
	uint32_t version, size, nlooked; /* of history.ended */
	uint32_t members[MEMBERS_MAX + 1], n;
	uint32_t fronts[MEMBERS_MAX + 1];
	double room[MEMBERS_MAX + 1];
};

static void *nsga2_open(void)
{
	struct arena a = {0};
	struct nsga2 *x = arena_alloc(&a, sizeof *x);

	x->arena = a;
	return x;
}

static void nsga2_close(void *state)
{
	struct arena a = ((struct nsga2 *)state)->arena;

	arena_finish(&a);
}

/* ---- who survives ------------------------------------------------------------------------------ */
static uint32_t size_for(const struct cube_ask *q)
{
	int64_t n = q->trials / 10;

	if (!q->trials || n > MEMBERS_MAX)
		return MEMBERS_MAX;
	return n < MEMBERS_MIN ? MEMBERS_MIN : (uint32_t)n;
}

static void crowd(struct nsga2 *x, const double *rows, uint32_t m, struct arena *scratch)
{
	uint32_t *which = arena_array(scratch, x->n, sizeof *which), n;
	double *room = arena_array(scratch, x->n, sizeof *room);

	for (uint32_t front = 0, left = x->n; left; front++, left -= n) {
		n = 0;
		for (uint32_t i = 0; i < x->n; i++)
			if (x->fronts[i] == front)
				which[n++] = i;
		pareto_crowding(rows, m, which, n, scratch, room);
		for (uint32_t i = 0; i < n; i++)
			x->room[which[i]] = room[i];
	}
}

static void sort_members(struct nsga2 *x, struct arena *scratch)
{
	uint32_t m = x->h->nobjectives;
	double *rows = arena_array(scratch, (size_t)x->n * m, sizeof *rows);

	for (uint32_t i = 0; i < x->n; i++)
		memcpy(rows + (size_t)i * m, observation_values(history_at(x->h, x->members[i])),
		       m * sizeof *rows);
	pareto_fronts(rows, x->n, m, scratch, x->fronts);
	crowd(x, rows, m, scratch);
}

/* Of equals the older one stays. */
static bool is_worse(const struct nsga2 *x, uint32_t a, uint32_t b)
{
	if (x->fronts[a] != x->fronts[b])
		return x->fronts[a] > x->fronts[b];
	if (x->room[a] < x->room[b] || x->room[b] < x->room[a])
		return x->room[a] < x->room[b];
	return x->members[a] > x->members[b];
}

static void take_in(struct nsga2 *x, uint32_t number, struct arena *scratch)
{
	uint32_t worst = 0;

	x->members[x->n++] = number;
	if (x->n <= x->size)
		return;
	sort_members(x, scratch);
	for (uint32_t i = 1; i < x->n; i++)
		if (is_worse(x, i, worst))
			worst = i;
	x->members[worst] = x->members[--x->n];
}

static void refresh(struct nsga2 *x, const struct cube_ask *q)
{
	uint32_t size = size_for(q), before;

	if (x->h != q->h || x->version != q->h->version || x->size != size)
		x->n = x->nlooked = 0;
	x->h = q->h;
	x->version = q->h->version;
	x->size = size;
	for (before = x->nlooked; x->nlooked < q->h->nended; x->nlooked++)
		if (history_at(q->h, q->h->ended[x->nlooked])->outcome == OUTCOME_COMPLETE)
			take_in(x, q->h->ended[x->nlooked], q->scratch);
	if (before < x->nlooked && x->n)
		sort_members(x, q->scratch);
}

/* ---- children ---------------------------------------------------------------------------------- */
static uint32_t tournament(const struct nsga2 *x, struct rng *r)
{
	uint32_t a = (uint32_t)rng_below(r, x->n), b = (uint32_t)rng_below(r, x->n);

	return is_worse(x, a, b) ? b : a;
}

/* u in (0, 1) */
static double open_unit(struct rng *r)
{
	return (rng_unit(r) + 0x1p-54) / (1 + 0x1p-53);
}

static double cross(double a, double b, struct rng *r)
{
	double u = open_unit(r), beta;

	beta =
	    u < 0.5 ? pow(2 * u, 1 / (index_crossover + 1)) : pow(0.5 / (1 - u), 1 / (index_crossover + 1));
	return 0.5 * ((1 + beta) * a + (1 - beta) * b);
}

static double mutate(double a, struct rng *r)
{
	double u = open_unit(r), power = 1 / (index_mutation + 1);

	return a + (u < 0.5 ? pow(2 * u, power) - 1 : 1 - pow(2 * (1 - u), power));
}

/* To a neighbouring cell; at an end there is one. */
static double step_level(double u, uint32_t levels, struct rng *r)
{
	uint32_t at = cell_choice((struct cell){u, u}, levels);
	bool up = at == 0 || (at + 1 < levels && rng_below(r, 2));

	return (at + (up ? 1.5 : -0.5)) / levels;
}

static double mutate_axis(const struct axis *a, double u, bool move, struct rng *r)
{
	double v;

	if (a->kind == AXIS_CHOICE)
		return rng_unit(r);
	v = cube_inside(mutate(u, r));
	if (move && a->levels > 1 &&
	    cell_choice((struct cell){u, u}, a->levels) == cell_choice((struct cell){v, v}, a->levels))
		return step_level(u, a->levels, r);
	return v;
}

static double inherit(const struct axis *axis, struct cell a, struct cell b, bool crossing, struct rng *r)
{
	if (!cell_active(a) && !cell_active(b))
		return rng_unit(r);
	if (!cell_active(a) || !cell_active(b))
		return cell_middle(cell_active(a) ? a : b);
	if (!crossing || rng_below(r, 2))
		return cell_middle(a);
	if (axis->kind == AXIS_CHOICE || rng_unit(r) < whole)
		return cell_middle(b);
	return cube_inside(cross(cell_middle(a), cell_middle(b), r));
}

/* The combination of parents of its first parent, mostly. */
static uint32_t choose_parent(const struct cube_ask *q, const struct observation *o, struct rng *r)
{
	uint32_t any = (uint32_t)rng_below(r, q->nparents);

	if (q->nparents == 1 || rng_unit(r) < other_parent)
		return any;
	for (uint32_t i = 0; i < q->nparents; i++)
		if (cube_stands_on(q, o, (any + i) % q->nparents))
			return (any + i) % q->nparents;
	return any;
}

/* The more tries there were, the further off it looks. */
static void make_child(const struct nsga2 *x, const struct cube_ask *q, uint32_t try, struct rng *r,
                       double *u, uint32_t *parent)
{
	const struct observation *a = history_at(x->h, x->members[tournament(x, r)]),
	                         *b = history_at(x->h, x->members[tournament(x, r)]);
	double rate = (1 + try / 10.0) / x->h->nown;
	bool crossing = rng_unit(r) < crossover;

	*parent = choose_parent(q, a, r);
	for (uint32_t i = 0; i < x->h->nown; i++) {
		const struct axis *axis = &x->h->axes[i];

		u[i] = inherit(axis, a->cells[i], b->cells[i], crossing, r);
		if (rng_unit(r) < rate)
			u[i] = mutate_axis(axis, u[i], try > 0, r);
	}
}

static bool nsga2_ask(void *state, const struct cube_ask *q, double *u, uint32_t *parent)
{
	struct nsga2 *x = state;
	struct cell *cells = arena_array(q->scratch, q->h->nown, sizeof *cells);
	struct rng r;

	refresh(x, q);
	if (x->n < x->size && q->h->nended < 2 * x->size)
		return cube_startup(q, CUBE_STRIDE, CUBE_TRIES, u, parent);
	if (x->n == 0)
		return false;
	rng_seed(&r, search_fold(q->seed, q->k));
	for (uint32_t i = 0; i < TRIES; i++) {
		make_child(x, q, i, &r, u, parent);
		if (q->place(q->ctx, *parent, u, cells) && !q->known(q->ctx, *parent, cells))
			return true;
	}
	return false;
}

const struct cube_search nsga2_search = {nsga2_open, nsga2_ask, nsga2_close};
