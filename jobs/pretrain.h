/* pretrain: a stack of RBMs, trained one after the other from the bottom, each on the hidden probabilities of
 * the one below (Hinton, Osindero, Teh, "A fast learning algorithm for deep belief nets", Neural Computation
 * 18, 2006).
 *
 * Reports recon_error after each epoch: the mean squared difference between an input and its reconstruction
 * through the layers trained so far (up and down once, mean-field), on the validation part where there is
 * one, else on the training part. step counts on over the layers: epoch e of layer l (from 0) is l * epochs +
 * e. It is what one watches, not what CD minimises; as the score of a search it prefers machines that lose
 * little. */
#ifndef PRETRAIN_H
#define PRETRAIN_H

#include "checkpoint.h"
#include "net.h"

struct pretrain_options {
	double lr, l2, momentum;
	int epochs; /* of each layer */
	int batch, cd;
};

/* Defaults, and --lr --l2 --momentum --epochs --batch --cd. */
void pretrain_options(struct pretrain_options *p, struct options *o);

/* Train a stack with these hidden sizes and put its weights and hidden biases into `net`, a network of
 * sigmoid layers without an output layer; false, `net` untouched, when the training diverged. */
bool pretrain_run(struct net *net, const struct int_list *hidden, const struct dataset *data,
                  const struct pretrain_options *p, struct random *random, const struct checkpoint *c);

#endif
