/* rbm: a restricted Boltzmann machine, trained by contrastive divergence.
 *
 * Binary hidden units h and visible units v in 0..1 with energy E(v, h) = -v W h - b v - c h. Given one side
 * the units of the other are independent: P(h = 1 | v) = sigmoid(v W + c), P(v = 1 | h) = sigmoid(h W^T + b).
 * The gradient of the log-likelihood is <v h>data - <v h>model; CD-k replaces the second term by what k steps
 * of Gibbs sampling, started at the data, give (Hinton, "Training products of experts by minimizing
 * contrastive divergence", Neural Computation 14, 2002). The choices follow Hinton, "A practical guide to
 * training restricted Boltzmann machines" (2010): hidden units driven by data are sampled, visible units and
 * the last hidden ones are probabilities (section 3); weights start at N(0, 0.01), visible biases at log(p /
 * (1 - p)) (section 8). */
#ifndef RBM_H
#define RBM_H

#include "random.h"

#include <stddef.h>

struct rbm {
	int visible, hidden;
	size_t count; /* parameters: W (visible x hidden, row-major), then b (visible), then c (hidden) */
	float *param;
};

void rbm_init(struct rbm *m, int visible, int hidden);
void rbm_finish(struct rbm *m);
/* The starting parameters; x is n x visible, the data. */
void rbm_start(struct rbm *m, const float *x, int n, struct random *r);

/* Mean-field: h (n x hidden) from v (n x visible), and back. */
void rbm_up(const struct rbm *m, const float *v, int n, float *h);
void rbm_down(const struct rbm *m, const float *h, int n, float *v);

/* Room for one minibatch. */
struct rbm_work {
	float *v, *h0, *h, *sample;
};
void rbm_work_init(struct rbm_work *w, const struct rbm *m, int room);
void rbm_work_finish(struct rbm_work *w);

/* The CD-k estimate of the gradient of the log-likelihood on n rows of v0, ascending, less l2 W; `gradient`
 * has the layout of param and is overwritten. */
void rbm_gradient(const struct rbm *m, struct rbm_work *w, const float *v0, int n, int k, double l2,
                  struct random *r, float *gradient);

#endif
