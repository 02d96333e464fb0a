/* parzen: a density over the cube made of points: one kernel for each and a wide one, the prior. A kernel is
 * a product over the axes. On an axis where its point has no value it is uniform, so that points of different
 * conditions make one density. Nobody outside src/search includes it.
 *
 * An axis asked at a cell with lo < hi gives the mass of the cell, one with lo == hi the density; an axis of
 * the asked point without a value counts as integrated out. */
#ifndef PARZEN_H
#define PARZEN_H

#include "cube.h"

struct parzen_point {
	const struct cell *cells; /* naxes; borrowed */
	double weight;            /* > 0 */
};

struct parzen_rules {
	double prior_weight; /* of the wide kernel, beside points of weight 1 */
	double sigma_joint;  /* see parzen.c; 0: by gaps alone */
	double sigma_least;  /* of a kernel, in widths of the cube, ... */
	double sigma_count;  /* ... or sigma_count/(points + 2), whichever is more */
};

struct parzen;
/* Memory, and that of caches, in a. */
struct parzen *parzen_new(struct arena *a, const struct axis *axes, uint32_t naxes,
                          const struct parzen_point *points, uint32_t npoints,
                          const struct parzen_rules *rules);
/* Kernels: npoints + 1, the last is the prior. */
uint32_t parzen_count(const struct parzen *z);
/* Their normalised weights, as logarithms. */
const double *parzen_log_weights(const struct parzen *z);
/* sum[i] += log of kernel i on the axes from .. to - 1 at these cells (cells[0] is of axis `from`). */
void parzen_add(struct parzen *z, uint32_t from, uint32_t to, const struct cell *cells, double *sum);
/* Draw coordinates of the axes 0 .. n - 1 from kernel i. */
void parzen_draw(const struct parzen *z, uint32_t i, uint32_t n, struct rng *r, double *u);

/* log of the sum of exp(x[i]); n >= 1. */
double log_sum_exp(const double *x, uint32_t n);

#endif
