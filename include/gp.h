/* gp: what the files of the Gaussian-process search share; nobody else includes it. */
#ifndef GP_H
#define GP_H

#include "cube.h"

/* What one register of any machine holds. */
typedef double gp_pair __attribute__((vector_size(2 * sizeof(double)), aligned(16), may_alias));

/* Right-hand sides that one pass over a matrix serves: their sums fit into registers. */
enum { GP_BLOCK = 8, GP_PAIRS = GP_BLOCK / 2 };
union gp_lanes {
	double of[GP_BLOCK];
	gp_pair pair[GP_PAIRS];
};

/* How points of the cube are told apart: squared distances of features, weighted and summed. A number gives
 * the square of a difference, a choice 1 for another choice, an axis that is not always active 1 more where
 * it is active for one of two points only. */
struct gp_feature {
	uint32_t axis;
	enum { GP_SQUARE, GP_MISMATCH, GP_ACTIVITY } kind;
};

/* Logarithms of what is fitted: theta[0 .. naxes-1] length scales, then these two. */
static inline uint32_t gp_nparams(uint32_t naxes)
{
	return naxes + 2;
}
static inline uint32_t gp_signal(uint32_t naxes)
{
	return naxes;
}
static inline uint32_t gp_noise(uint32_t naxes)
{
	return naxes + 1;
}

struct gp {
	const struct axis *axes;
	uint32_t naxes, nfeatures;
	const struct gp_feature *features;
	uint32_t n;      /* points with values */
	uint32_t nall;   /* and those that are pending, behind them */
	uint32_t stride; /* of chol: nall rounded up to GP_BLOCK */
	double *x;       /* nall x nfeatures */
	double *y;       /* n values, standardised */
	double *weight;  /* nfeatures */
	double signal, noise;
	double *chol;           /* rows of the lower triangle L of K + noise; K = L L' */
	double *alpha;          /* (K + noise)^-1 y; stride long, 0 behind n */
	double *slope;          /* like chol: derivative of K by the squared distance; NULL: not wanted */
	union gp_lanes *column; /* scratch, stride long */
	double *solve;          /* scratch, 2 x stride, or nfeatures */
};

/* Room for nall points. `conditional`: axes (naxes flags) that are not always active. */
void gp_init(struct gp *g, struct arena *a, const struct axis *axes, uint32_t naxes, const bool *conditional,
             uint32_t n, uint32_t nall);
void gp_encode(const struct gp *g, const struct cell *cells, double *x);
void gp_set(struct gp *g, const double *theta);
/* K of all points factored, alpha solved for; half the log determinant of the part with values. */
double gp_factor(struct gp *g);
/* Of GP_BLOCK points, x[feature] a lane for each: mean, and variance without noise. */
void gp_predict(const struct gp *g, const union gp_lanes *x, union gp_lanes *mean, union gp_lanes *var);
double gp_mean(const struct gp *g, const double *x);
/* Of one point; dmean and dvar by feature (0 for those that are not GP_SQUARE). */
void gp_predict_slope(const struct gp *g, const double *x, double *mean, double *var, double *dmean,
                      double *dvar);
/* sum over pairs of points with values of (alpha alpha' - K^-1) dK/dtheta, added to grad: twice the slope of
 * the log likelihood. */
void gp_likelihood_slope(const struct gp *g, double *grad);

/* ---- gp_fit.c ---------------------------------------------------------------------------------- */
/* A function to be minimised, and its gradient. */
struct gp_problem {
	uint32_t n;
	double (*value)(void *ctx, const double *x, double *grad);
	void *ctx;
	const double *lo, *hi;
	uint32_t evaluations; /* at most */
	double tolerance;     /* of a gradient component within bounds */
};
/* From x downhill by L-BFGS; x is left at the best point seen, its value is returned. */
double gp_minimise(const struct gp_problem *p, double *x, struct arena *scratch);
/* Negative log posterior of theta and its gradient, for g with slope. */
double gp_objective(struct gp *g, const double *theta, double *grad);
void gp_default(uint32_t naxes, double *theta);
/* From theta to its maximum a posteriori. */
void gp_fit(struct gp *g, double *theta, uint32_t evaluations, struct arena *scratch);

/* ---- gp_acquire.c ------------------------------------------------------------------------------ */
/* log of E[max(0, Z - ...)]: log(phi(z) + z Phi(z)), and its derivative. */
double gp_log_h(double z, double *slope);
struct gp_acquire {
	const struct cube_ask *q;
	struct gp *g;
	const struct observation *const *best; /* to look around, best first */
	uint32_t nbest;
	double incumbent; /* to be improved on, in the units of g->y */
	uint64_t seed;
};
bool gp_maximise(const struct gp_acquire *a, double *u, uint32_t *parent);

/* ---- gp.c -------------------------------------------------------------------------------------- */
/* Values for the model of n observations, best and worst alike of order 1 whatever they were. */
void gp_values(const struct observation *const *o, uint32_t n, double *y, struct arena *scratch);

#endif
