/* PED-ANOVA: S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance
 * in Arbitrary Subspaces", arXiv:2304.10255 (IJCAI 2023): a parameter matters as much as the values of the
 * best tenth of the trials are spread differently from those of all trials, measured by Pearson's divergence
 * between two densities of one dimension (its theorem 1; "local" in that all trials are what was tried, not
 * the whole domain, so that a search which looks mostly at good values does not make them important). That
 * takes no model of the values, and only their order counts.
 *
 * Densities are on a grid of at most 50 steps, with the kernels and the bandwidth (Scott's rule with the
 * quartiles) that the authors use in Optuna. Different from there:
 *
 * - Both densities have the same kernels, by the bandwidth of the best: a few values that many trials have
 *   would otherwise be peaks for the best and hills for all. No divergence exceeds n / n_best - 1 so.
 * - The uniform prior has the same share in both densities, so that values nobody tried say nothing.
 * - What as many trials drawn by lot would yield on average is taken off: with few trials the best tenth of
 *   an idle parameter is spread unevenly, too.
 * - Where a parameter is not always active, the trials that have it are compared with the best among them,
 * and the result counts by how many of the best these are: what matters only for choices that are no good
 * does not matter.
 * - Equals at the border all belong to the best. When nothing is told from chance the shares are 0, not
 * equal.
 */
#include "importance.h"

#include "normal.h"

#include <stdlib.h>
#include <string.h>

enum { GRID = 50, LEAST_BEST = 2, LOTS = 32 };
static const double best_part = 0.1, prior = 1, rounding = 1e-9;

/* The trials that have one parameter. */
struct view {
	enum axis_kind kind;
	uint32_t grid; /* steps */
	uint32_t n, nbest;
	const uint32_t *at;  /* step of each, the best first */
	double *all, *some;  /* densities */
	double *counts;      /* by step */
	double *mass;        /* of a kernel: 2 * grid + 1 */
	double *density_sum; /* unscaled density */
};

/* ---- densities --------------------------------------------------------------------------------- */
static void count(struct view *v, const uint32_t *at, uint32_t n)
{
	memset(v->counts, 0, v->grid * sizeof *v->counts);
	for (uint32_t i = 0; i < n; i++)
		v->counts[at[i]]++;
}

/* The first step up to which there are more than `many` trials. */
static uint32_t step_of(const struct view *v, double many)
{
	double sum = 0;
	uint32_t i = 0;

	while (i + 1 < v->grid && (sum += v->counts[i]) <= many)
		i++;
	return i;
}

/* Scott's rule, and never so narrow that a kernel is on one step alone. */
static double bandwidth(const struct view *v, uint32_t n)
{
	double mean = 0, squares = 0, quartiles, sd;

	for (uint32_t i = 0; i < v->grid; i++)
		mean += v->counts[i] * i / n;
	for (uint32_t i = 0; i < v->grid; i++)
		squares += v->counts[i] * (i - mean) * (i - mean);
	sd = sqrt(squares / (n > 1 ? n - 1 : 1));
	quartiles = step_of(v, 0.75 * n) - (double)step_of(v, 0.25 * n);
	return fmax(1.059 * fmin(quartiles / 1.34, sd) * pow(n, -0.2), 0.5 / 1.64);
}

/* Each count as a normal, cut off at the ends of the grid. */
static void smooth(struct view *v, double sd)
{
	double *below = v->mass + v->grid; /* below[k]: up to k + 1/2 steps off */

	for (int k = -(int)v->grid; k <= (int)v->grid; k++)
		below[k] = normal_cdf((k + 0.5) / sd);
	memset(v->density_sum, 0, v->grid * sizeof *v->density_sum);
	for (int i = 0; i < (int)v->grid; i++) {
		double scale = v->counts[i] / (below[(int)v->grid - 1 - i] - below[-1 - i]);

		for (int k = 0; scale > 0 && k < (int)v->grid; k++)
			v->density_sum[k] += scale * (below[k - i] - below[k - i - 1]);
	}
	memcpy(v->counts, v->density_sum, v->grid * sizeof *v->counts);
}

static void estimate(struct view *v, const uint32_t *at, uint32_t n, double sd, double *density)
{
	double weight = prior * n / v->nbest;

	count(v, at, n);
	if (v->kind == AXIS_NUMBER)
		smooth(v, sd);
	for (uint32_t i = 0; i < v->grid; i++)
		density[i] = (v->counts[i] + weight / v->grid) / (n + weight);
}

static double divergence(struct view *v, const uint32_t *best)
{
	double sum = 0, sd;

	count(v, best, v->nbest);
	sd = bandwidth(v, v->nbest);
	estimate(v, best, v->nbest, sd, v->some);
	estimate(v, v->at, v->n, sd, v->all);
	for (uint32_t i = 0; i < v->grid; i++) {
		double r = v->some[i] / v->all[i] - 1;

		sum += v->all[i] * r * r;
	}
	return sum;
}

/* The first n of `at`, drawn by lot. */
static void draw_lots(struct rng *r, uint32_t *at, uint32_t all, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = i + (uint32_t)rng_below(r, all - i), x = at[i];

		at[i] = at[k];
		at[k] = x;
	}
}

/* Beyond what chance would yield. */
static double excess(struct view *v, struct arena *scratch)
{
	uint32_t *lots = arena_array(scratch, v->n, sizeof *lots);
	double found, chance = 0;
	struct rng r;

	found = divergence(v, v->at);
	memcpy(lots, v->at, v->n * sizeof *lots);
	rng_seed(&r, v->n);
	for (int i = 0; i < LOTS; i++) {
		draw_lots(&r, lots, v->n, v->nbest);
		chance += divergence(v, lots) / LOTS;
	}
	return found - chance > rounding ? found - chance : 0;
}

/* ---- one parameter ----------------------------------------------------------------------------- */
struct result {
	double value;
	uint32_t trial;
};

static int by_value(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->trial < y->trial ? -1 : x->trial > y->trial;
}

static uint32_t grid_of(struct axis a)
{
	if (a.kind == AXIS_CHOICE)
		return a.levels;
	return a.levels > 1 && a.levels < GRID ? a.levels : GRID;
}

static uint32_t step_at(struct cell c, uint32_t grid)
{
	uint32_t i = (uint32_t)(cell_middle(c) * grid);

	return i < grid ? i : grid - 1;
}

/* How many trials are the best tenth, equals of the last one included. `order` is all, the best first. */
static uint32_t count_best(const struct result *order, uint32_t n)
{
	uint32_t best = (uint32_t)ceil(best_part * n);

	best = best > LEAST_BEST ? best : LEAST_BEST;
	while (best < n && order[best].value == order[best - 1].value)
		best++;
	return best < n ? best : n;
}

static double weigh(const struct importance_trials *t, uint32_t axis, const struct result *order,
                    uint32_t nbest, struct arena *scratch)
{
	struct view v = {.kind = t->axes[axis].kind, .grid = grid_of(t->axes[axis])};
	uint32_t *at = arena_array(scratch, t->n, sizeof *at);

	for (uint32_t i = 0; i < t->n; i++) {
		struct cell c = t->cells[(size_t)order[i].trial * t->naxes + axis];

		if (!cell_active(c))
			continue;
		at[v.n++] = step_at(c, v.grid);
		v.nbest += i < nbest;
	}
	v.at = at;
	if (v.grid < 2 || v.nbest < LEAST_BEST || v.nbest == v.n)
		return 0;
	v.all = arena_array(scratch, v.grid, sizeof *v.all);
	v.some = arena_array(scratch, v.grid, sizeof *v.some);
	v.counts = arena_array(scratch, v.grid, sizeof *v.counts);
	v.density_sum = arena_array(scratch, v.grid, sizeof *v.density_sum);
	v.mass = arena_array(scratch, 2 * (size_t)v.grid + 1, sizeof *v.mass);
	return excess(&v, scratch) * v.nbest / nbest;
}

void importance_find(const struct importance_trials *t, struct arena *scratch, double *shares)
{
	struct result *order = arena_array(scratch, t->n + 1, sizeof *order);
	uint32_t nbest;
	double sum = 0;

	for (uint32_t i = 0; i < t->n; i++)
		order[i] = (struct result){t->values[i], i};
	qsort(order, t->n, sizeof *order, by_value);
	nbest = count_best(order, t->n);
	for (uint32_t a = 0; a < t->naxes; a++) {
		shares[a] = weigh(t, a, order, nbest, scratch);
		sum += shares[a];
	}
	for (uint32_t a = 0; a < t->naxes && sum > 0; a++)
		shares[a] /= sum;
}
