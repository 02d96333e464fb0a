/* evolution: the normal distribution of CMA-ES and how a generation moves it. It knows nothing of histories:
 * a generation is a matrix of points with their order. */
#ifndef EVOLUTION_H
#define EVOLUTION_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

/* N(mean, sigma^2 A C A), A = diag(scale). Matrices are by columns. */
struct evolution {
	uint32_t d, lambda, generation;
	double *mean, sigma, *scale;
	double *cov;            /* C */
	double *axes, *lengths; /* C = axes diag(lengths^2) axes' */
	double *path, *path_sigma;
	bool broken; /* C has lost its meaning: begin anew */

	double *gain, *loss; /* weights by rank: >= 0, they move the mean; <= 0, of the worse half */
	double c_sigma, d_sigma, c_path, c_one, c_mu, length; /* length: of a standard normal vector */
	double *y, *norm, *shift, *z, *work;                  /* lambda x d, lambda, and for one call each */
	double *own_gain, *own_loss;                          /* of the generation being told */
	int nwork;
};

/* d >= 1, lambda >= 4. All arrays come from the arena. */
void evolution_begin(struct evolution *e, struct arena *a, uint32_t d, uint32_t lambda, const double *mean,
                     double sigma);
/* lambda points, the best first (point i is x[i * d]..); same[i]: point i is as good as the one before. */
void evolution_tell(struct evolution *e, const double *x, const bool *same);
/* Axis i is discrete, and its mean lies in the cell [lo, hi) of [0, 1): keep the margin. */
void evolution_keep_margin(struct evolution *e, uint32_t i, double lo, double hi);
/* The point x that belongs to z, a vector of the standard normal distribution. */
void evolution_place(const struct evolution *e, const double *z, double *x);
double evolution_sd(const struct evolution *e, uint32_t i);

#endif
